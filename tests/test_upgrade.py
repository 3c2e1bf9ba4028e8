"""A database that an older Warraq filled is brought up to date with all that it holds."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from pipelines.db import schema
from pipelines.db.engine import open_engine, read
from pipelines.db.models import ArticleRow, table
from tests.conftest import ROOT, SAMPLES, run_warraq
from tests.upgrade import FOLDER, load, rows_of

#: What was written for people; fingerprints are rebuilt by `warraq db dedup` when they change.
KEPT = {
    "articles",
    "article_versions",
    "article_links",
    "removed_lines",
    "learned_lines",
    "ledger",
    "runs",
    "sources",
}


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.jsonl.gz")), ids=lambda file: file.name[:4])
def test_upgrade_keeps_every_row_and_a_replay_adds_none(database: str, file: Path) -> None:
    engine = open_engine(database, create=True)
    schema.upgrade(engine, file.name[:4])
    load(engine, file)

    done = run_warraq(["db", "upgrade", "--db", database])
    assert done.returncode == 0, done.stderr.decode()
    assert schema.differences(engine) == []
    compared = 0
    for name, kept, now in rows_of(engine, file, KEPT):
        assert {column: now.get(column) for column in kept} == kept, name
        compared += 1
    assert compared > 100

    count = select(func.count()).select_from(table(ArticleRow))
    with read(engine) as connection:
        before = connection.scalar(count)
    replayed = run_warraq(["replay", SAMPLES.relative_to(ROOT), "--db", database, "--json"])
    assert replayed.returncode == 0, replayed.stderr.decode()
    with read(engine) as connection:
        assert connection.scalar(count) == before
    engine.dispose()
