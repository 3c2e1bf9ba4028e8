"""The fault matrix, of reader, worker and database write: run, break, run again, then compare with
a replay that nothing disturbed. tests/faults.toml has the matrix, docs/faults.md what was seen."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import Engine

from crawler.archive import Archive
from crawler.readers import ReadOptions, read
from crawler.replay import Summary, replay
from crawler.work import Limits, results, workers
from pipelines.db import schema
from pipelines.db.engine import open_engine
from pipelines.document import RawPage, Reason
from pipelines.errors import DatabaseError
from tests.conftest import ROOT, rows, run_warraq
from tests.faulty import (
    Cluster,
    Relay,
    a_cluster,
    disk,
    fill,
    jumping_clock,
    jumps,
    noted,
    nothing_writable_but,
    outcomes,
    remount,
)
from tests.serving import serving
from tests.test_archive import fetched
from tests.test_archive import start as start_archiving
from tests.test_hostile import GOOD
from tests.test_kill import contents, write_documents

DOCUMENTS = 70  # and two lines that are none
LINES = DOCUMENTS + 2
BATCH = 5


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_documents(tmp_path_factory.mktemp("faults") / "documents.jsonl", DOCUMENTS)


@pytest.fixture(scope="module")
def undisturbed(documents: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a replay leaves that nothing disturbed."""
    url = f"sqlite:///{tmp_path_factory.mktemp('whole')}/warraq.db"
    with opened(url) as engine:
        stored(engine, documents)
        assert sum(outcomes(engine).values()) == LINES
        return plain(contents(engine))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with a_cluster() as server:
        yield server


def command(documents: Path | str, url: str) -> list[str]:
    return ["replay", str(documents), "--db", url, "--batch", str(BATCH), "--json"]


def start(documents: Path | str, url: str, before: list[str], **more: Any) -> Any:
    """A replay under way."""
    return subprocess.Popen(
        [*before, sys.executable, "-m", "crawler.cli", *command(documents, url)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        **more,
    )


def stored(
    engine: Engine, documents: Path, notice: Callable[[Summary], None] = lambda _: None
) -> Summary:
    """A replay within this process, for what breaks elsewhere."""
    pages = read([str(documents)], ReadOptions())
    return replay(engine, pages, {}, Limits(workers=1), "test", notice, BATCH)


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    engine = open_engine(url, create=True)
    try:
        schema.upgrade(engine)
        yield engine
    finally:
        engine.dispose()


@contextmanager
def opened_as_it_is(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def plain(found: dict[str, list[tuple[Any, ...]]]) -> dict[str, Any]:
    """The databases give dates and truth in several types, and sort texts each in its way."""
    told = {"True": "1", "False": "0"}

    def text(value: Any) -> str:
        said = str(value)
        is_moment = len(said) > 18 and said[4:5] == "-" and said[13:14] == ":"
        return said[:19].replace("T", " ") if is_moment else told.get(said, said)

    return {name: sorted(tuple(map(text, row)) for row in part) for name, part in found.items()}


def expect(engine: Engine, undisturbed: dict[str, Any], cell: str, happened: str) -> None:
    """After the last replay: all is as if nothing had happened, and the sums are right."""
    found = plain(contents(engine))
    for part, expected in undisturbed.items():
        assert found[part] == expected, part
    noted(cell, happened, LINES, outcomes(engine))


def articles(engine: Engine) -> int:
    return len(contents(engine)["articles"])


def finished(process: subprocess.Popen[bytes], codes: tuple[int, ...] = (0,)) -> str:
    _, said = process.communicate(timeout=600)
    assert process.returncode in codes, said.decode()
    assert b"Traceback" not in said, said.decode()
    return said.decode()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Engine]:
    with opened(f"sqlite:///{tmp_path}/w.db") as engine:
        yield engine


# --- reader --------------------------------------------------------------------------------------


def test_reader_slow(documents: Path, undisturbed: dict[str, Any], tmp_path: Path) -> None:
    """A pipe that brings a few bytes at a time, and stands still in the middle of a line."""
    with opened(f"sqlite:///{tmp_path}/w.db") as engine:
        whole = documents.read_bytes()
        process = start("-", str(engine.url), [], stdin=subprocess.PIPE)
        for at in range(0, len(whole), 997):
            process.stdin.write(whole[at : at + 997])
            process.stdin.flush()
            time.sleep(0.5 if at == 997 * 60 else 0.002)
        finished(process)
        named = {part: [(*r[:1], *r[2:]) for r in found] for part, found in undisturbed.items()}
        found = plain(contents(engine))
        found["articles"] = [(r[0], *r[2:]) for r in found["articles"]]  # no path: a pipe has none
        assert sorted(found["articles"]) == sorted(named["articles"])
        assert found["learned"] == undisturbed["learned"]
        told = outcomes(engine)
        noted("reader: slow", f"{len(whole) // 997} pieces through a pipe", LINES, told)


def test_reader_and_worker_on_a_read_only_file_system(
    documents: Path, undisturbed: dict[str, Any]
) -> None:
    """Everything but the database's folder: they write nothing anywhere."""
    with (
        # Worker processes are asked for through a socket in it, whose path may have 107 bytes.
        tempfile.TemporaryDirectory(prefix="warraq-") as short,
        disk(Path(short, "disk"), "64m") as folder,
        opened(f"sqlite:///{folder}/w.db") as engine,
    ):
        before = nothing_writable_but(folder)
        finished(start(documents, str(engine.url), before))
        for part in ("reader", "worker"):
            happened = "nothing but the database's folder could be written"
            expect(engine, undisturbed, f"{part}: read-only file system", happened)


def test_reader_beside_the_archives_writer(tmp_path: Path) -> None:
    """What a crawl is still writing is left alone: whole records or none."""
    process = start_archiving(tmp_path, 1, 3_000_000, 12)
    seen = []
    while process.poll() is None:
        found = list(read([str(tmp_path)], ReadOptions()))
        wrong = [page for page in found if not isinstance(page, RawPage)]
        assert {page.reason for page in wrong} <= {Reason.EMPTY, Reason.UNKNOWN_FORMAT}, wrong
        seen.append(sum(isinstance(page, RawPage) for page in found))
        time.sleep(0.1)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said.decode()
    found = list(read([str(tmp_path)], ReadOptions()))
    assert sorted(str(page.url) for page in found) == sorted(
        f"https://nahr.example/1/{number}" for number in range(12)
    )
    assert seen == sorted(seen)
    happened = f"read {len(seen)} times beside a writer, then once more"
    noted("reader: two writers", happened, 12, {"read": len(found)})


def test_reader_and_a_half_written_warc(tmp_path: Path, sqlite: Engine) -> None:
    """Cut anywhere: what came before is stored, the cut is named, the whole file adds the rest."""
    archive = Archive(tmp_path / "a", "p")
    places = [archive.add(fetched(number)) for number in range(6)]
    archive.close()
    whole = (tmp_path / "a" / places[0][0]).read_bytes()
    (tmp_path / "b").mkdir()
    half = tmp_path / "b" / "half.warc.gz"
    rng = random.Random(os.urandom(8))
    for _ in range(2):
        cut = rng.randrange(places[1][1] + 1, places[5][1])
        half.write_bytes(whole[:cut])
        before = sum(offset <= cut for _, offset in places) - 1
        summary = replay(sqlite, read([str(half)], ReadOptions()), {}, Limits(1), "half")
        assert summary.counts["failed"] == (cut not in [o for _, o in places])
        assert before <= summary.documents - summary.counts["failed"] <= before + 1
        assert sum(outcomes(sqlite).values()) == summary.documents
    half.write_bytes(whole)
    summary = replay(sqlite, read([str(half)], ReadOptions()), {}, Limits(1), "whole")
    told = outcomes(sqlite)
    assert told == dict(summary.counts) and set(told) <= {"stored", "unchanged"}
    happened = "6 records, cut at 2 places, then whole"
    noted("reader: WARC half-written", happened, 6, told)


# --- worker --------------------------------------------------------------------------------------


def test_worker_killed(documents: Path, undisturbed: dict[str, Any], tmp_path: Path) -> None:
    """As the kernel kills who takes too much: a page that was alone in its worker is named, all
    others are stored, and the next replay stores it as well."""
    with opened(f"sqlite:///{tmp_path}/w.db") as engine:
        process = start(documents, str(engine.url), [])
        killed = 0
        while process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                with_worker = child.ppid() != process.pid
                if with_worker and killed < 12 and child.is_running():
                    child.send_signal(signal.SIGKILL)
                    killed += 1
            time.sleep(0.1)
        finished(process)
        assert killed
        told = outcomes(engine)
        crashed = "SELECT count(*) FROM ledger WHERE reason = 'crashed'"
        ((lost,),) = rows(str(engine.url), crashed)
        assert sum(told.values()) == LINES
        stored(engine, documents)
        happened = f"{killed} workers killed, {lost} pages named as crashed and stored later"
        expect(engine, undisturbed, "worker: killed", happened)


def page(number: int, body: str = "") -> RawPage:
    said = f"<p>{GOOD} فقرة رقم {number} من تقرير طويل عن الجسر.</p>{body}"
    html = f"<html><head><title>جسر {number}</title></head><body><article>{said}</article></body>"
    return RawPage(html.encode(), path=f"{number}.html", source="a", media_type="text/html")


def test_worker_out_of_memory(sqlite: Engine) -> None:
    """A page that needs more than a page may take, among others."""
    pages = [page(number) for number in range(6)]
    pages[3] = page(3, "<b>x</b>" * 1_500_000)
    with workers({}, Limits(workers=1)) as pool:  # what a worker has when it is warm
        assert list(results(pages[:1], {}, Limits(workers=1), pool=pool))
        family = psutil.Process().children(recursive=True)
        base = max(child.memory_info().vms for child in family)
    summary = replay(sqlite, pages, {}, Limits(workers=1, memory=base + (150 << 20)), "test")
    named = [(problem.name, str(problem.reason)) for problem in summary.problems]
    assert named == [("3.html", "crashed")]
    told = outcomes(sqlite)
    assert told == {"stored": 5, "failed": 1}
    happened = f"a page of {len(pages[3].body) >> 20} MB has no memory, and is named as crashed"
    noted("worker: out of memory", happened, 6, told)


def test_worker_slow(sqlite: Engine) -> None:
    """A tag with so many attributes that its reading takes minutes, among others."""
    pages = [page(number) for number in range(6)]
    pages[2] = page(2, f"<p {' '.join(f'a{n}' for n in range(1_000_000))}>x</p>")
    summary = replay(sqlite, pages, {}, Limits(workers=1, seconds=4), "test")
    assert [(p.name, str(p.reason)) for p in summary.problems] == [("2.html", "timeout")]
    told = outcomes(sqlite)
    noted("worker: slow", "a tag with a million attributes is stopped, and named", 6, told)


def test_clock_jumping(documents: Path, undisturbed: dict[str, Any], tmp_path: Path) -> None:
    """By up to a day, back and forth, while pages are read, worked on and written: none is timed
    out for it, and no row differs."""
    with opened(f"sqlite:///{tmp_path}/w.db") as engine:
        environment = {**os.environ, "PYTHONPATH": jumping_clock(tmp_path / "clock")}
        finished(start(documents, str(engine.url), [], env=environment))
        happened = f"{jumps(tmp_path / 'clock')} jumps, by up to a day"
        for part in ("reader", "worker", "database write"):
            expect(engine, undisturbed, f"{part}: clock jumping", happened)


# --- database write ------------------------------------------------------------------------------


def test_database_out_of_memory(cluster: Cluster) -> None:
    """A server that has no memory for one article refuses that one by name; a later replay stores
    it."""
    with opened(cluster.new()) as engine:
        pages = [page(number) for number in range(6)]
        pages[4] = page(4, "".join(f"<p>{GOOD} {n}</p>" for n in range(6_000)))
        engine.dispose()  # sessions that are there already may take what they like
        cluster.starve(24 << 20)
        try:
            summary = replay(engine, pages, {}, Limits(workers=1), "test")
        finally:
            cluster.starve(None)
        assert [(p.name, str(p.reason)) for p in summary.problems] == [("4.html", "not_storable")]
        assert "memory" in str(summary.problems[0].detail)
        assert outcomes(engine) == {"stored": 5, "failed": 1}
        engine.dispose()
        replay(engine, pages, {}, Limits(workers=1), "again")
        told = outcomes(engine)
        assert told == {"stored": 1, "unchanged": 5}
        happened = "no memory for one of 6 articles: 5 stored, 1 failed by name; stored later"
        noted("database write: out of memory", happened, 6, told)


def test_a_command_out_of_memory_says_so() -> None:
    code = (
        "import typer; from crawler.commands.guard import guarded\n"
        "def eat() -> None: bytearray(1 << 60)\n"
        "typer.run(guarded(eat))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
    assert done.returncode == 3 and b"Traceback" not in done.stderr
    assert b"out of memory; what was stored stays" in done.stderr


def test_database_disk_full(cluster: Cluster, documents: Path, undisturbed: dict[str, Any]) -> None:
    def full(summary: Summary) -> None:
        if summary.documents >= 20:
            fill(cluster.data.parent)

    with opened(cluster.new()) as engine:
        with pytest.raises(DatabaseError, match="make room"):
            stored(engine, documents, full)
        there = articles(engine)
        (cluster.data.parent / "filler").unlink()
        stored(engine, documents)
        happened = f"full with {there} articles stored, told; the same again with room"
        expect(engine, undisturbed, "database write: disk full", happened)


def test_database_slow(cluster: Cluster, documents: Path, undisturbed: dict[str, Any]) -> None:
    with opened(cluster.new()) as engine:
        relay = Relay("127.0.0.1", cluster.port, delay=0.005)
        with opened(relay.through(str(engine.url))) as slow:
            stored(slow, documents)
        relay.cut()
        expect(engine, undisturbed, "database write: slow", "10 ms more for each round trip")


@pytest.mark.parametrize("mode", ["immediate", "fast"])
def test_database_restarted(
    cluster: Cluster, documents: Path, undisturbed: dict[str, Any], mode: str
) -> None:
    """Twice in a replay: back at once, which the writer does not notice, and away for longer."""

    restarts = iter((20, 40))
    at = next(restarts)

    def restart(summary: Summary) -> None:
        nonlocal at
        if summary.documents >= at:
            cluster.stop(mode)
            if at == 20:
                cluster.start()
            at = next(restarts, LINES + 1)

    with opened(cluster.new()) as engine:
        with pytest.raises(DatabaseError):
            stored(engine, documents, restart)
        cluster.start()
        engine.dispose()
        there = articles(engine)
        stored(engine, documents)
        happened = f"{mode}: restarted unnoticed, then away with {there} articles stored, told"
        expect(engine, undisturbed, "database write: database restarted", happened)


def test_connection_cut_in_mid_commit(
    cluster: Cluster, documents: Path, undisturbed: dict[str, Any]
) -> None:
    """Before a commit reaches the server, and after it did: only what was not committed is tried
    again, so that no page stands twice in the ledger."""
    with opened(cluster.new()) as engine:
        relay = Relay("127.0.0.1", cluster.port)
        # The first commit notes the run: the command would end there, with nothing done.
        relay.cut_commits({2 + 3 * n: ("before", "after")[n % 2] for n in range(8)})
        with opened(relay.through(str(engine.url))) as cut:
            relay.commits = 0
            stored(cut, documents)
        relay.cut()
        assert relay.cuts >= 4
        happened = f"{relay.cuts} of {relay.commits} commits cut, none lost, none double"
        expect(engine, undisturbed, "database write: connection cut mid-commit", happened)


def test_two_writers_and_a_page_that_watches(
    documents: Path, undisturbed: dict[str, Any], database: str
) -> None:
    """Two replays of the same files at once; each tells what became of every document. The web page
    is shown meanwhile, and no look finds fewer articles than the one before."""
    with opened(database) as engine, serving(database) as address:
        both = [start(documents, database, []) for _ in range(2)]
        seen = []
        while any(process.poll() is None for process in both):
            answer = httpx.get(f"{address}/api/search", timeout=180)
            assert answer.status_code == 200, answer.text
            seen.append(articles(engine))
            time.sleep(0.1)
        for process in both:
            finished(process)
        assert seen == sorted(seen)
        told = "SELECT run_id, count(*) FROM ledger GROUP BY 1"
        assert [count for _, count in rows(database, told)] == [LINES, LINES]
        happened = f"{engine.dialect.name}: two replays of the same files at once"
        stored(engine, documents)
        expect(engine, undisturbed, "database write: two writers", happened)
        happened = f"{engine.dialect.name}: asked {len(seen)} times beside two replays"
        noted("web page: two writers", happened, LINES, outcomes(engine))


def test_database_on_a_read_only_file_system(
    documents: Path, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    """It can be read there by all who read; a replay says what is wrong, and writes later."""
    with disk(tmp_path / "disk", "64m") as folder:
        url = f"sqlite:///{folder}/w.db"
        with opened(url) as engine:
            some = itertools.islice(read([str(documents)], ReadOptions()), 20)
            replay(engine, some, {}, Limits(workers=1), "some")
            there = articles(engine)
        remount(folder, "ro")
        with (
            opened_as_it_is(url) as engine,
            pytest.raises(DatabaseError, match="write"),
        ):
            stored(engine, documents)
        asked = run_warraq(["sql", "SELECT count(*) AS n FROM articles", "--db", url, "--json"])
        assert asked.returncode == 0, asked.stderr.decode()
        assert json.loads(asked.stdout) == [{"n": there}]
        with serving(url) as address:
            pages = ("/", "/articles/1", "/search?q=الخبر", "/sql", "/health", "/stories")
            codes = [httpx.get(f"{address}{p}", timeout=180).status_code for p in pages]
            assert set(codes) <= {200, 404}, codes
        remount(folder, "rw")
        with opened(url) as engine:
            stored(engine, documents)
            happened = f"told, with {there} articles stored; written when it could be"
            expect(engine, undisturbed, "database write: read-only file system", happened)
            happened = f"{len(pages)} pages shown of {there} articles"
            noted("web page: read-only file system", happened, LINES, outcomes(engine))
