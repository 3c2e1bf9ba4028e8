"""Backups: taken while Warraq writes, brought back, and gone on from."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, text

from pipelines.db.engine import open_engine, read
from pipelines.db.models import ArticleRow, LedgerRow, table
from tests import repeating
from tests.conftest import ROOT, run_warraq

PAGES = 60


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    for number in range(PAGES):
        (folder / f"{number:03}.html").write_text(repeating.page(number), encoding="utf-8")
    return folder


def counts(database: str) -> tuple[int, int, int]:
    """(articles, ledger entries, entries whose article is missing)."""
    engine = open_engine(database)
    with read(engine) as connection:
        found = (
            _count(connection, ArticleRow),
            _count(connection, LedgerRow),
            connection.scalar(
                text(
                    "SELECT count(*) FROM ledger WHERE article_id IS NULL OR "
                    "article_id NOT IN (SELECT id FROM articles)"
                )
            )
            or 0,
        )
    engine.dispose()
    return found


def _count(connection: Connection, model: type) -> int:
    return connection.scalar(select(func.count()).select_from(table(model))) or 0


def replay_and_copy(pages: Path, database: str, copy: list[str]) -> None:
    """Starts a replay in small batches and runs `copy` after the first are written."""
    options = ["--source", "ufuq", "--db", database, "--batch", "5"]
    replaying = subprocess.Popen(
        [sys.executable, "-m", "crawler.cli", "replay", str(pages), *options],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        waited = time.monotonic() + 60
        while counts(database)[0] < 10:
            assert time.monotonic() < waited and replaying.poll() is None
            time.sleep(0.02)
        copied = subprocess.run(copy, cwd=ROOT, capture_output=True, check=False)
        assert copied.returncode == 0, copied.stderr.decode()
        assert replaying.wait(timeout=120) == 0
    finally:
        replaying.kill()
        replaying.wait()


def check_restored(restored: str, pages: Path, live: str) -> None:
    """What came back is one moment of the database, and a replay completes it."""
    articles, entries, loose = counts(restored)
    assert 10 <= articles <= PAGES and articles == entries and loose == 0
    checked = run_warraq(["db", "check", "--db", restored])
    assert checked.returncode == 0, checked.stderr.decode()
    again = run_warraq(["replay", pages, "--source", "ufuq", "--db", restored])
    assert again.returncode == 0, again.stderr.decode()
    assert counts(restored)[0] == counts(live)[0] == PAGES


def test_sqlite_is_copied_while_it_is_written(pages: Path, tmp_path: Path) -> None:
    live, copy = f"sqlite:///{tmp_path / 'live.db'}", tmp_path / "backups" / "copy.db"
    assert run_warraq(["db", "upgrade", "--db", live]).returncode == 0
    command = [sys.executable, "-m", "crawler.cli", "db", "backup", str(copy), "--db", live]
    replay_and_copy(pages, live, command)
    assert [file.name for file in copy.parent.iterdir()] == ["copy.db"]
    check_restored(f"sqlite:///{copy}", pages, live)


@pytest.mark.postgres
def test_postgresql_comes_back_from_pg_dump(pages: Path, tmp_path: Path, new_postgres: str) -> None:
    if not (shutil.which("pg_dump") and shutil.which("pg_restore")):
        pytest.skip("PostgreSQL's own tools are not installed")
    assert run_warraq(["db", "upgrade", "--db", new_postgres]).returncode == 0
    told = run_warraq(["db", "backup", tmp_path / "copy.db", "--db", new_postgres])
    assert told.returncode == 2 and b"pg_dump --format=custom" in told.stderr

    file, restored = tmp_path / "copy.dump", f"{new_postgres}_restored"
    dump = ["pg_dump", "--format=custom", "--file", str(file), new_postgres]
    replay_and_copy(pages, new_postgres, dump)
    server, _, name = restored.rpartition("/")
    subprocess.run(["createdb", f"--maintenance-db={server}/postgres", name], check=True)
    try:
        subprocess.run(["pg_restore", "--dbname", restored, str(file)], check=True)
        check_restored(restored, pages, new_postgres)
    finally:
        drop = ["dropdb", "--force", f"--maintenance-db={server}/postgres", name]
        subprocess.run(drop, check=True)


def test_a_backup_replaces_nothing_and_leaves_no_part(tmp_path: Path) -> None:
    live = f"sqlite:///{tmp_path / 'live.db'}"
    assert run_warraq(["db", "upgrade", "--db", live]).returncode == 0
    (tmp_path / "there.db").write_text("mine")
    refused = run_warraq(["db", "backup", tmp_path / "there.db", "--db", live])
    assert refused.returncode == 2 and b"exists" in refused.stderr
    assert (tmp_path / "there.db").read_text() == "mine"

    with (tmp_path / "live.db").open("r+b") as damaged:
        damaged.seek(4096 * 3)
        damaged.write(b"\xff" * 4096 * 4)
    broken = run_warraq(["db", "backup", tmp_path / "new.db", "--db", live])
    assert broken.returncode == 3, broken.stderr.decode()
    assert not list(tmp_path.glob("new.db*"))
