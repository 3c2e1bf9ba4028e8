"""The fault matrix, of archive write, scheduler and web page: what is meant to run for months is
broken, goes on, and nothing is lost or double. tests/faults.toml has the matrix."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import pytest
import time_machine
from sqlalchemy import make_url

from crawler.archive import Archive
from crawler.readers import ReadOptions, read, read_record
from pipelines.db import schema
from pipelines.db.engine import open_engine
from pipelines.document import RawPage
from tests.conftest import ROOT, run_warraq
from tests.faulty import (
    Cluster,
    Relay,
    a_cluster,
    disk,
    fill,
    jumping_clock,
    jumps,
    noted,
    remount,
    until,
)
from tests.schedulers import Running, schedulers
from tests.serving import fill as fill_database
from tests.serving import serving
from tests.site import Site
from tests.test_archive import replayed
from tests.test_crawl import LOOPBACK, Desk
from tests.test_crawl import start as start_crawl
from tests.test_schedule import Bench

ARTICLES = 10


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with a_cluster() as server:
        yield server


# --- archive write -------------------------------------------------------------------------------


def ended(process: subprocess.Popen[bytes], *codes: int) -> str:
    _, said = process.communicate(timeout=600)
    assert process.returncode in codes, said.decode()
    assert b"Traceback" not in said, said.decode()
    return said.decode()


def expect(desk: Desk, site: Site, cells: dict[str, str]) -> None:
    """Every page of the site is stored once and in the ledger once, and all that the database
    says of the archive is there: no row names bytes that were never written."""
    stored = desk.rows("SELECT canonical_url FROM articles")
    assert sorted(url for (url,) in stored) == sorted(a.url for a in site.articles)
    for _, file, offset in (places := desk.rows("SELECT url, archive, archive_offset FROM ledger")):
        assert isinstance(read_record(file, offset, ReadOptions()), RawPage), file
    assert len(places) == ARTICLES
    Archive(desk.archive, "after").close()  # cuts and moves what was left
    kept = list(read([str(desk.archive)], ReadOptions()))
    assert {page.url for page in kept if isinstance(page, RawPage)} == {url for (url,) in stored}
    told = Counter(outcome for (outcome,) in desk.rows("SELECT outcome FROM ledger"))
    for cell, happened in cells.items():
        noted(f"archive write: {cell}", happened, ARTICLES, told)


def test_archive_full_then_read_only_then_slow(tmp_path: Path) -> None:
    """Three crawls: no room in the middle; no right to write; and one that is stopped and let go
    again all the time, as by a machine that sleeps."""
    desk = Desk(tmp_path, f"sqlite:///{tmp_path}/w.db")
    with Site(articles=ARTICLES) as site, disk(desk.archive, "24k") as folder:
        site.write_source(desk.sources, "a/site", ["/feed.xml"], pace="{delay: 0, concurrency: 1}")
        said = ended(start_crawl(desk), 3)
        assert "make room" in said
        full = desk.rows("SELECT count(*) FROM articles")[0][0]
        remount(folder, "size=4m,ro")
        said = ended(start_crawl(desk), 3)
        assert "the archive" in said and "may write" in said
        remount(folder, "rw")
        site.latency = 0.1
        process = start_crawl(desk)
        stops = 0
        while process.poll() is None:
            if any("/news/" in request.path for request in site.requests) and stops < 6:
                family = psutil.Process(process.pid)
                family.suspend()
                time.sleep(0.3)
                family.resume()
                stops += 1
            time.sleep(0.1)
        ended(process, 0)
        expect(
            desk,
            site,
            {
                "disk full": f"full with {full} articles stored, exit code 3; the rest with room",
                "read-only file system": "exit code 3, nothing asked for; the rest when it could",
                "slow": f"stopped and let go {stops} times",
            },
        )


def test_archive_out_of_memory(tmp_path: Path) -> None:
    """A response for which there is no memory is not half in the file."""
    code = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from crawler.archive import Archive, Fetched
archive = Archive(Path(sys.argv[1]), "p")
page = lambda n, body: Fetched(f"https://nahr.example/{n}", 200, [], body, datetime.now(UTC))
archive.add(page(0, b"<html>first"))
large = page(1, bytes(range(256)) * 400_000)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (20 << 20),) * 2)
try:
    archive.add(large)
    print("added")
except MemoryError:
    print("no memory")
archive.add(page(2, b"<html>last"))
archive.close()
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "no memory\n", done.stderr
    found = replayed(tmp_path)
    assert [page.url for page in found] == ["https://nahr.example/0", "https://nahr.example/2"]
    told = {"kept": len(found), "refused": 1}
    noted("archive write: out of memory", "no memory for one of 3 responses", 3, told)


def test_crawl_under_a_jumping_clock(tmp_path: Path) -> None:
    """What a clock that was ahead put off is asked for by the next crawl."""
    desk = Desk(tmp_path, f"sqlite:///{tmp_path}/w.db")
    with Site(articles=ARTICLES) as site:
        site.write_source(desk.sources, "a/site", ["/feed.xml"], pace="{delay: 0.05}")
        clock = {"PYTHONPATH": jumping_clock(tmp_path / "clock")}
        where = ("--sources", desk.sources, "--archive", desk.archive, "--db", desk.database)
        done = run_warraq(["crawl", *where, "--json"], None, **LOOPBACK, **clock)
        assert done.returncode == 0, done.stderr.decode()
        jumped = desk.rows("SELECT count(*) FROM articles")[0][0]
        if jumped < ARTICLES:
            desk.crawl()
        stored = desk.rows("SELECT canonical_url FROM articles")
        assert sorted(url for (url,) in stored) == sorted(a.url for a in site.articles)
        first = dict(desk.rows("SELECT outcome, count(*) FROM ledger WHERE run_id = 1 GROUP BY 1"))
        kept = [page for page in replayed(desk.archive) if isinstance(page, RawPage)]
        assert {page.url for page in kept} == {url for (url,) in stored}
        told = {"stored": first.get("stored", 0), "left to the next crawl": ARTICLES - jumped}
        happened = f"{jumps(tmp_path / 'clock')} jumps, by up to a day: {told}"
        noted("archive write: clock jumping", happened, ARTICLES, told)


def test_crawl_while_the_database_breaks(tmp_path: Path, cluster: Cluster) -> None:
    """It crashes and comes back when the first pages are stored; then there is news, and commits
    are cut, before or after they reached the server. A crawl ends and says so, or does not notice;
    the next one goes on."""
    relay = Relay("127.0.0.1", cluster.port)
    url = cluster.new()
    desk = Desk(tmp_path, url)
    assert run_warraq(["db", "upgrade", "--db", url]).returncode == 0
    with Site(articles=ARTICLES - 4, latency=0.2) as site:
        site.write_source(desk.sources, "a/site", ["/feed.xml"], pace="{delay: 0, concurrency: 1}")
        process = start_crawl(desk)
        until(lambda: process.poll() is not None or desk.rows(STORED)[0][0])
        before = desk.rows(STORED)[0][0]
        cluster.stop()
        cluster.start()
        ended(process, 0, 3)
        restarted = f"crashed with {before} articles stored, exit code {process.returncode}"
        for _ in range(4):
            site.room.publish()
        desk.database = relay.through(url)
        relay.cut_commits({n: ("after", "before")[n % 2] for n in range(5, 40, 3)})
        process = start_crawl(desk)
        ended(process, 0, 3)
        relay.cut_commits({})
        ended(start_crawl(desk), 0)
        desk.database = url
        relay.cut()
        assert relay.cuts
        cut = f"{relay.cuts} commits cut, exit code {process.returncode}"
        happened = {"database restarted": restarted, "connection cut mid-commit": cut}
        expect(desk, site, {cell: f"{said}; the next goes on" for cell, said in happened.items()})


STORED = "SELECT count(*) FROM articles"

# --- scheduler -----------------------------------------------------------------------------------


@pytest.fixture
def running() -> Iterator[Running]:
    with schedulers(60) as run:
        yield run


def turns(bench: Bench, count: int, cell: str, happened: str) -> None:
    """So many turns were given, and so many crawls made, none of them twice."""
    lines = (bench.folder / "crawled").read_text().splitlines()
    noted(f"scheduler: {cell}", happened, count, Counter(lines))


def is_done(bench: Bench) -> bool:
    rows = bench.rows()
    return bool(rows) and all(row.result == "done" for row in rows.values())


@pytest.mark.parametrize("how", ["disk full", "read-only file system"])
def test_scheduler_without_a_place_to_write(tmp_path: Path, running: Running, how: str) -> None:
    """Its database has no room for a while, or it may not write its logs."""
    with disk(tmp_path / "disk", "2m") as folder:
        place = folder if how == "disk full" else tmp_path
        engine = open_engine(f"sqlite:///{place}/w.db", create=True)
        schema.upgrade(engine)
        bench = Bench(engine, tmp_path)
        scheduler = bench.scheduler(f"echo done >> {tmp_path}/crawled")
        scheduler.logs = folder / "logs"
        running(scheduler)
        until(lambda: is_done(bench))
        if how == "disk full":
            bench.set(next_at=datetime.now(UTC) + timedelta(seconds=2))
            filler = fill(folder)
        else:
            remount(folder, "ro")
            bench.set(next_at=datetime.now(UTC))
        until(lambda: any(line.startswith("error: ") for line in bench.said))
        if how == "disk full":
            filler.unlink()
        else:
            remount(folder, "rw")
        until(lambda: crawled(tmp_path) == 2 and is_done(bench))
        errors = [line for line in bench.said if line.startswith("error: ")]
        assert len(errors) <= 2 and "trying on" in errors[0]
        turns(bench, 2, how, "told, tried on, and crawled when it could")
        scheduler.stop.set()
        engine.dispose()


def test_scheduler_under_a_jumping_clock(tmp_path: Path, running: Running) -> None:
    """Set forward by hours while a crawl runs: it is not ended for that. Set back by a day: no turn
    is made twice. Forward by three days: one turn is made up for, not seventy-two."""
    engine = open_engine(f"sqlite:///{tmp_path}/w.db", create=True)
    schema.upgrade(engine)
    bench = Bench(engine, tmp_path)
    script = f"echo begun >> {tmp_path}/begun; sleep 2; echo done >> {tmp_path}/crawled"
    scheduler = bench.scheduler(script, time=timedelta(minutes=30))
    running(scheduler)
    until((tmp_path / "begun").exists)
    now = datetime.now(UTC)
    with time_machine.travel(now + timedelta(minutes=58)) as clock:
        until(lambda: is_done(bench))
        for jump in (timedelta(hours=-24), timedelta(hours=-1)):
            clock.move_to(now + jump)
            time.sleep(1.5)
        assert (tmp_path / "crawled").read_text() == "done\n"
        clock.move_to(now + timedelta(days=3))
        until(lambda: (tmp_path / "crawled").read_text() == "done\n" * 2)
        until(lambda: is_done(bench))
        scheduler.stop.set()
        scheduler.wake()
        turns(bench, 2, "clock jumping", "forward in a crawl, a day back, three days forward")
    engine.dispose()


def test_scheduler_while_the_database_restarts(
    tmp_path: Path, running: Running, cluster: Cluster
) -> None:
    """Once before a crawl ends, once between two turns."""
    engine = open_engine(cluster.new())
    schema.upgrade(engine)
    bench = Bench(engine, tmp_path)
    script = f"echo done >> {tmp_path}/crawled; sleep 1"
    running(bench.scheduler(script))
    until((tmp_path / "crawled").exists)
    for turn in (1, 2):
        cluster.stop()
        until(lambda: any(line.startswith("error: ") for line in bench.said))
        cluster.start()
        engine.dispose()
        until(lambda: is_done(bench))
        assert (tmp_path / "crawled").read_text() == "done\n" * turn
        bench.said.clear()
        bench.set(next_at=datetime.now(UTC))
        until(lambda turn=turn: (tmp_path / "crawled").read_text() == "done\n" * (turn + 1))
    until(lambda: is_done(bench))
    turns(bench, 3, "database restarted", "crashed and started twice: told, and waited for")
    engine.dispose()


def test_scheduler_whose_commits_are_cut(
    tmp_path: Path, running: Running, cluster: Cluster
) -> None:
    """At every step of a turn, before the commit reaches the server or after it did."""
    relay = Relay("127.0.0.1", cluster.port)
    url = cluster.new()
    engine = open_engine(url)
    schema.upgrade(engine)
    through = open_engine(relay.through(url))
    bench = Bench(through, tmp_path)
    relay.cut_commits({n: ("after", "before")[n % 2] for n in (2, 3, 5, 8, 10, 13)})
    running(bench.scheduler(f"echo done >> {tmp_path}/crawled"))
    watching = Bench(engine, tmp_path)
    for turn in (1, 2, 3):
        until(lambda turn=turn: crawled(tmp_path) >= turn and is_done(watching))
        if turn < 3:
            watching.set(next_at=datetime.now(UTC), result=None)
    time.sleep(1.5)  # nothing more happens
    happened = f"{relay.cuts} commits cut at the steps of 3 turns"
    turns(watching, 3, "connection cut mid-commit", happened)
    assert relay.cuts >= 4
    through.dispose()
    engine.dispose()
    relay.cut()


def crawled(folder: Path) -> int:
    file = folder / "crawled"
    return len(file.read_text().splitlines()) if file.exists() else 0


# --- web page ------------------------------------------------------------------------------------

SHOWN = 6  # articles that `fill_database` stores
PAGES = ("/", "/?q=حريق", "/articles/1", "/stories", "/stories/1", "/sources")


def shows(address: str) -> dict[str, int]:
    """All pages answer, and the articles are all there."""
    for path in PAGES:
        answer = httpx.get(f"{address}{path}", timeout=180)
        assert answer.status_code == 200, answer.text
    return {"shown": len(httpx.get(f"{address}/api/search", timeout=180).json()["hits"])}


def test_page_killed_and_under_a_jumping_clock(tmp_path: Path) -> None:
    """Killed while it answers, and started again: it holds nothing that could be lost."""
    database = f"sqlite:///{tmp_path}/w.db"
    fill_database(database)
    stopping = threading.Event()

    def ask(address: str) -> None:
        while not stopping.is_set():
            try:
                httpx.get(f"{address}/?q=حريق", timeout=5)
            except httpx.HTTPError:
                return

    with serving(database) as address:
        askers = [threading.Thread(target=ask, args=(address,)) for _ in range(4)]
        for asker in askers:
            asker.start()
        time.sleep(0.5)
        (server,) = [c for c in psutil.Process().children() if "serve" in c.cmdline()]
        server.send_signal(signal.SIGKILL)
        for asker in askers:
            asker.join(30)
    stopping.set()
    with serving(database, PYTHONPATH=jumping_clock(tmp_path / "clock")) as address:
        told = shows(address)
        noted("web page: killed", "killed under four visitors, and started again", SHOWN, told)
        for _ in range(3):
            told = shows(address)
        times = jumps(tmp_path / "clock")
        happened = f"{4 * len(PAGES)} pages answered, {times} jumps, by up to a day"
        noted("web page: clock jumping", happened, SHOWN, told)


def test_page_without_room_and_with_slow_visitors(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/w.db"
    fill_database(database)
    large = {"query": "SELECT hex(zeroblob(400000)) AS x"}
    with disk(tmp_path / "disk", "1m") as folder, serving(database, TMPDIR=str(folder)) as address:
        assert httpx.post(f"{address}/api/sql", json=large, timeout=180).status_code == 200
        filler = fill(folder)
        answer = httpx.post(f"{address}/api/sql", json=large, timeout=180)
        assert answer.status_code == 503 and "room" in answer.text, answer.text
        told = shows(address)
        filler.unlink()
        assert httpx.post(f"{address}/api/sql", json=large, timeout=180).status_code == 200
        happened = "no room for an answer of SQL: that one is refused, all pages are shown"
        noted("web page: disk full", happened, SHOWN, told)

        there = make_url(address)
        slow = [socket.create_connection((there.host, there.port)) for _ in range(60)]
        for one in slow:
            one.sendall(b"GET / HTTP/1.1\r\nHost: 127")
        happened = f"beside {len(slow)} visitors who do not end their request"
        noted("web page: slow", happened, SHOWN, shows(address))
        for one in slow:
            one.close()


def test_page_while_the_database_restarts(cluster: Cluster) -> None:
    database = cluster.new()
    fill_database(database)
    with serving(database) as address:
        shows(address)
        cluster.stop()
        for path in PAGES:
            answer = httpx.get(f"{address}{path}", timeout=180)
            assert answer.status_code == 503 and "Traceback" not in answer.text, path
        assert httpx.get(f"{address}/static/style.css").status_code == 200
        cluster.start()
        told = shows(address)
        happened = f"{len(PAGES)} pages say 503 while it is away, and are shown when it is back"
        noted("web page: database restarted", happened, SHOWN, told)
