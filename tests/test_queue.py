"""`warraq schedule --queue` and `warraq worker`: crawls that many machines share.

A machine is a process of its own name and process numbers where this user may have such
(`unshare`): killed, all that it ran dies with it. Elsewhere the machines are one, as their names
say, and killed by their sessions.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
from procrastinate.exceptions import AlreadyEnqueued
from sqlalchemy import Engine, insert, select, text, update

from crawler.queue import (
    QUEUE,
    Worker,
    job_of,
    queue_due,
    queue_of,
    queue_sources,
    require_queue,
)
from crawler.schedule import Limits, sites
from pipelines.db import schema, turns
from pipelines.db.engine import open_engine, read, write
from pipelines.db.models import CrawlLock, ScheduleRow, table
from pipelines.db.turns import Planned
from pipelines.errors import DatabaseError
from pipelines.source import Source, Sources
from tests.conftest import POSTGRES, ROOT, run_warraq
from tests.site import Site

pytestmark = pytest.mark.postgres
SCHEDULE, LOCKS = table(ScheduleRow), table(CrawlLock)
#: Whoever is silent for three seconds is dead: beats come twice a second.
DEAD_AFTER = 3.0
QUICK = {
    "WARRAQ_ALLOW_ADDRESSES": "127.0.0.0/8",
    "WARRAQ_CONTACT": "test@site.example",
    "WARRAQ_DEAD_AFTER": str(DEAD_AFTER),
}
PACE = 0.3


def until(true: Callable[[], object], seconds: float = 240) -> None:
    last = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < last, "it did not come about"
        time.sleep(0.05)


def has_machines() -> bool:
    """Whether this user may give a process a machine's name and process numbers of its own."""
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*MACHINE, "beirut", "true"], capture_output=True).returncode == 0


MACHINE = (
    *("unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"),
    *("sh", "-c", 'hostname "$0" && exec "$@"'),
)


class Team:
    """A folder of sources, a database, and the processes that work on them."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder, self.database = folder, database
        self.engine = open_engine(database)
        schema.upgrade(self.engine)
        require_queue(self.engine)
        self.processes: list[subprocess.Popen[str]] = []

    def command(self, name: str, *more: str) -> list[str]:
        return [
            *(sys.executable, "-m", "crawler.cli", name, "--db", self.database),
            *("--sources", str(self.folder / "sources"), *more),
        ]

    def start(self, command: Sequence[str], log: str) -> subprocess.Popen[str]:
        with (self.folder / log).open("a") as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **QUICK},
                stdout=output,
                stderr=output,
                text=True,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def worker(self, name: str, *, machine: bool = True) -> subprocess.Popen[str]:
        """A worker that is at work, one crawl at a time."""
        known = self.rows("SELECT count(*) FROM warraq_queue.procrastinate_workers")
        command = self.command(
            *("worker", "--concurrency", "1"),
            *("--archive", str(self.folder / name), "--logs", str(self.folder / f"{name}-logs")),
        )
        if machine and has_machines():
            command = [*MACHINE, name, *command]
        process = self.start(command, f"{name}.log")
        query = "SELECT count(*) FROM warraq_queue.procrastinate_workers"
        until(lambda: self.rows(query) != known or process.poll() is not None)
        assert process.poll() is None, self.said(name)
        return process

    def scheduler(self) -> subprocess.Popen[str]:
        return self.start(self.command("schedule", "--queue"), "schedule.log")

    def queue_once(self) -> str:
        command = ["schedule", "--queue", "--once", "--db", self.database]
        done = run_warraq([*command, "--sources", self.folder / "sources"], None, **QUICK)
        assert done.returncode == 0, done.stderr.decode()
        return done.stderr.decode()

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with read(self.engine) as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def results(self) -> dict[str, str | None]:
        with read(self.engine) as connection:
            query = select(SCHEDULE.c.source, SCHEDULE.c.result)
            return {row.source: row.result for row in connection.execute(query)}

    def jobs(self) -> list[tuple[Any, ...]]:
        """Key, lock and state of the jobs."""
        return self.rows(
            "SELECT queueing_lock, lock, status::text FROM warraq_queue.procrastinate_jobs"
            " ORDER BY id"
        )

    def close(self) -> None:
        for process in self.processes:
            kill(process)
        self.engine.dispose()


def kill(process: subprocess.Popen[str]) -> None:
    """The end of a machine: a worker and all that it began."""
    if process.poll() is None:
        for pid in [*descendants(process.pid), process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    process.wait(20)


def descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


@pytest.fixture
def team(new_postgres: str, tmp_path: Path) -> Iterator[Team]:
    team = Team(tmp_path, new_postgres)
    yield team
    team.close()


def fetched_once(site: Site) -> None:
    fetched = Counter(r.path for r in site.requests)
    pages = [a.path for a in site.articles]
    assert {path: fetched[path] for path in pages} == dict.fromkeys(pages, 1)


def at_its_pace(site: Site) -> None:
    times = [r.at for r in site.requests if r.path != "/robots.txt"]
    assert min(b - a for a, b in pairwise(times)) > PACE * 0.8


# --- real workers on real machines -------------------------------------------------------------


def test_two_workers_share_sites_and_keep_their_pace(team: Team) -> None:
    """Three sources of two sites: those of one site are never crawled at the same time."""
    with Site(articles=8, seed=1) as one, Site(articles=8, seed=2, host="127.0.0.2") as two:
        pace = f"{{delay: {PACE}}}"
        one.write_source(team.folder / "sources", "eg/fed", ["/feed.xml"], pace=pace, every="1h")
        one.write_source(
            team.folder / "sources", "eg/mapped", ["/sitemap.xml"], pace=pace, every="1h",
            homepage=None,
        )  # fmt: skip
        two.write_source(team.folder / "sources", "lb/other", ["/sitemap.xml"], pace=pace)
        team.worker("beirut")
        team.worker("cairo")
        team.scheduler()
        keys = {"eg/fed", "eg/mapped", "lb/other"}
        until(lambda: team.results() == dict.fromkeys(keys, "done"))
        at_its_pace(one)
        at_its_pace(two)
        fetched_once(two)
    runs = team.rows("SELECT host, command, status FROM runs")
    assert [status for _, _, status in runs] == ["done"] * 3
    if has_machines():
        assert {host for host, _, _ in runs} == {"beirut", "cairo"}
    until(lambda: team.jobs() == [])
    assert "queued" not in team.queue_once()  # nothing is due


def test_a_machine_dies_and_another_goes_on(team: Team) -> None:
    """It joins late, gets what nobody has begun, and then what the dead one left."""
    with Site(articles=20, seed=1) as one, Site(articles=3, seed=2, host="127.0.0.2") as two:
        pace = f"{{delay: {PACE}}}"
        one.write_source(team.folder / "sources", "eg/one", ["/feed.xml"], pace=pace)
        two.write_source(team.folder / "sources", "lb/two", ["/feed.xml"], pace=pace)
        team.scheduler()
        until(lambda: len(team.jobs()) == 2)
        beirut = team.worker("beirut")
        until(lambda: [state for _, _, state in team.jobs()] == ["doing", "todo"])
        team.worker("cairo")
        done = "SELECT url FROM addresses WHERE kind = 'page' AND fetched_at IS NOT NULL"
        until(lambda: len([url for (url,) in team.rows(done) if url.startswith(one.url)]) >= 3)
        kill(beirut)
        known = {url for (url,) in team.rows(done) if url.startswith(one.url)}
        assert len(known) < 20
        until(lambda: team.results() == {"eg/one": "done", "lb/two": "done"})
        at_its_pace(one)
        fetched = Counter(one.url + r.path for r in one.requests)
        assert {url: fetched[url] for url in known} == dict.fromkeys(known, 1)
        stored = team.rows("SELECT canonical_url FROM articles ORDER BY 1")
        told = sorted(a.url for site in (one, two) for a in site.articles)
        assert [url for (url,) in stored] == told
        fetched_once(two)
    runs = team.rows("SELECT status FROM runs WHERE command LIKE '%crawl eg/one %' ORDER BY id")
    assert runs[-1] == ("done",) and len(runs) == 2
    assert "eg/one: its worker gave no sign of life; queued again" in team.said("schedule")
    assert "eg/one: its crawl was killed; it is begun again" in team.said("cairo")


def test_sigterm_hands_back_what_is_begun(team: Team) -> None:
    with Site(articles=12) as site:
        site.write_source(
            team.folder / "sources", "eg/one", ["/feed.xml"], pace=f"{{delay: {PACE}}}"
        )
        team.queue_once()
        first = team.worker("first", machine=False)
        until(lambda: any("/news/" in r.path for r in site.requests))
        first.send_signal(signal.SIGTERM)
        assert first.wait(120) == 0, team.said("first")
        assert "crawl interrupted" in team.said("first")
        assert team.jobs() == [("eg/one", "127.0.0.1", "todo")]
        assert team.rows("SELECT token FROM schedule") == [(None,)]
        asked = len(site.requests)
        assert asked < 12
        assert "queued" not in team.queue_once()  # it waits already
        team.worker("second", machine=False)
        until(lambda: team.results() == {"eg/one": "done"})
        fetched_once(site)


# --- what is handed out ------------------------------------------------------------------------


def a_source(key: str, *feeds: str, **facts: Any) -> Source:
    given = feeds or (f"http://{key.replace('/', '-')}.example/feed.xml",)
    return Source.model_validate({"key": key, "feeds": list(given), "every": "1h", **facts})


class Desk:
    """A queue in this process, whose crawls are command lines of the test's own."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.said: list[str] = []
        self.known = Sources({key: a_source(key) for key in ("eg/one", "eg/two")})

    def plan(self) -> None:
        """All sources are due."""
        now = datetime.now(UTC)
        turns.plan(self.engine, {key: Planned("every 1h", now) for key in self.known})

    def queue(self) -> list[str]:
        async def run() -> list[str]:
            app = queue_of(self.engine)
            async with app.open_async():
                due = turns.due(self.engine, datetime.now(UTC))
                return await queue_sources(app, due, sites(self.known.values()))

        return asyncio.run(run())

    @contextmanager
    def working(self, script: str) -> Iterator[Worker]:
        """A worker at work. Crawls are `sh -c script`, with the source's key as $0."""
        worker = Worker(
            self.engine,
            lambda: self.known,
            lambda key: ["sh", "-c", script, key],
            dict(os.environ),
            self.folder / "logs",
            Limits(at_once=2, grace=5.0),
            self.said.append,
        )
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=lambda: loop.run_until_complete(worker.run()))
        thread.start()
        try:
            yield worker
        finally:
            loop.call_soon_threadsafe(worker.end)
            thread.join(60)
            assert not thread.is_alive()
            loop.close()

    def results(self) -> dict[str, str | None]:
        with read(self.engine) as connection:
            query = select(SCHEDULE.c.source, SCHEDULE.c.result)
            return {row.source: row.result for row in connection.execute(query)}

    def jobs(self) -> list[tuple[Any, ...]]:
        query = "SELECT queueing_lock, status::text FROM warraq_queue.procrastinate_jobs"
        with read(self.engine) as connection:
            return sorted(tuple(row) for row in connection.execute(text(query)))

    def workers(self) -> int:
        with read(self.engine) as connection:
            query = "SELECT count(*) FROM warraq_queue.procrastinate_workers"
            count: int = connection.execute(text(query)).scalar_one()
        return count

    def set(self, changed: Any, **values: Any) -> None:
        with write(self.engine) as connection:
            connection.execute(update(changed).values(**values))


@pytest.fixture
def desk(new_postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("WARRAQ_DEAD_AFTER", str(DEAD_AFTER))
    engine = open_engine(new_postgres)
    schema.upgrade(engine)
    require_queue(engine)
    yield Desk(engine, tmp_path)
    engine.dispose()


def test_a_source_is_queued_once(desk: Desk) -> None:
    desk.plan()
    assert desk.queue() == ["eg/one", "eg/two"]
    assert desk.queue() == []

    async def queue_again() -> None:
        app = queue_of(desk.engine)
        async with app.open_async():
            with pytest.raises(AlreadyEnqueued):
                await app.job_manager.defer_job_async(job_of("eg/one", "x.example"))

    asyncio.run(queue_again())
    assert desk.jobs() == [("eg/one", "todo"), ("eg/two", "todo")]
    with desk.working(f"echo $0 >> {desk.folder}/begun; sleep 1"):
        until((desk.folder / "begun").exists)
        assert desk.queue() == []  # one that is crawled is not queued
        until(lambda: desk.results() == {"eg/one": "done", "eg/two": "done"})
        until(lambda: desk.jobs() == [])
    assert sorted((desk.folder / "begun").read_text().split()) == ["eg/one", "eg/two"]


def test_of_a_site_one_source_is_queued_and_few_wait(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = "http://eg-one.example/more.xml"
    desk.known = Sources({**desk.known, "eg/third": a_source("eg/third", feed)})
    desk.plan()
    assert desk.queue() == ["eg/one", "eg/two"]
    with desk.working("exit 0"):
        until(lambda: desk.jobs() == [])
        assert desk.queue() == ["eg/third"]
        until(lambda: desk.results() == dict.fromkeys(desk.known, "done"))
    monkeypatch.setattr("crawler.queue.WAITING", 1)
    desk.set(SCHEDULE, next_at=datetime.now(UTC))
    assert desk.queue() == ["eg/one"]
    assert desk.queue() == []


def test_a_job_too_many_does_nothing(desk: Desk) -> None:
    desk.plan()
    desk.queue()
    desk.set(SCHEDULE, next_at=datetime.now(UTC) + timedelta(hours=1))
    with desk.working(f"echo $0 >> {desk.folder}/begun"):
        until(lambda: desk.jobs() == [])
    assert not (desk.folder / "begun").exists()


def test_sources_that_share_a_host_are_of_one_site() -> None:
    given = (
        a_source("a", "https://one.example/feed.xml"),
        a_source("b", "https://www.one.example/x.xml", "https://feeds.example/b.xml"),
        a_source("c", "https://feeds.example/c.xml", "https://three.example/c.xml"),
        a_source("d", "https://sport.one.example/feed.xml"),
        a_source("e", "https://three.example/e.xml"),
    )
    for order in (given, given[::-1]):
        found = sites(order)
        assert len({found[key] for key in "abce"}) == 1
        assert found["d"] == "sport.one.example"


def test_a_later_try_takes_the_turn_over(desk: Desk) -> None:
    desk.plan()
    now, length = datetime.now(UTC), timedelta(hours=1)

    def take(token: str) -> list[str]:
        got = turns.take(desk.engine, token, {"eg/one"}, now, now, 1, length)
        desk.set(SCHEDULE, host="another-machine")
        return [turn.source for turn in got]

    assert take("17-0") == ["eg/one"]
    assert turns.due(desk.engine, now) == ["eg/two"]
    assert take("18-0") == []  # another job
    assert take("1-7") == []
    assert take("abcdef") == []  # a scheduler without a queue
    assert take("17-1") == ["eg/one"]


def test_jobs_of_a_silent_worker_are_queued_again(desk: Desk) -> None:
    desk.plan()
    desk.queue()

    async def die() -> None:
        app = queue_of(desk.engine)
        async with app.open_async():
            worker = await app.job_manager.register_worker()
            await app.job_manager.fetch_job([QUEUE], worker)

    asyncio.run(die())
    assert ("eg/one", "doing") in desk.jobs()
    assert queue_once(desk) == []
    assert ("eg/one", "doing") in desk.jobs()  # it may still live
    time.sleep(DEAD_AFTER + 0.5)
    assert queue_once(desk) == ["eg/one: its worker gave no sign of life; queued again"]
    assert desk.jobs() == [("eg/one", "todo"), ("eg/two", "todo")]


def queue_once(desk: Desk) -> list[str]:
    said: list[str] = []
    given = [desk.known]
    asyncio.run(
        queue_due(
            desk.engine,
            lambda: given.pop() if given else None,
            said.append,
            asyncio.Event(),
            once=True,
        )
    )
    return said


def test_a_crawl_on_another_machine_is_waited_for(desk: Desk) -> None:
    """Its worker may be dead, but it is not: two would ask one site at once."""
    desk.plan()
    now = datetime.now(UTC)
    with write(desk.engine) as connection:
        facts = {"source": "eg/one", "token": "x", "host": "another-machine", "pid": 1}
        connection.execute(
            insert(LOCKS).values(**facts, started_at=now, heartbeat_at=now + timedelta(minutes=1))
        )
    desk.queue()
    with desk.working(f"echo $0 >> {desk.folder}/begun"):
        until(lambda: desk.results()["eg/two"] == "done")
        until(lambda: any("runs on another-machine; it is waited for" in x for x in desk.said))
        assert (desk.folder / "begun").read_text() == "eg/two\n"
        desk.set(LOCKS, heartbeat_at=now - timedelta(seconds=DEAD_AFTER))
        until(lambda: desk.results()["eg/one"] == "done")


def test_what_a_worker_lacks_is_told_and_tried_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crawler.queue._AGAIN", timedelta(seconds=0.3))
    desk.plan()
    desk.queue()
    one = desk.known.pop("eg/one")
    (desk.folder / "logs").write_text("in the way of a folder")
    with desk.working("exit 0"):
        until(lambda: any("eg/one: queued, but the source files here" in x for x in desk.said))
        until(lambda: any(x.startswith("eg/two: ") and "tried again" in x for x in desk.said))
        assert desk.results() == {"eg/one": None, "eg/two": None}
        (desk.folder / "logs").unlink()
        desk.known = Sources({**desk.known, "eg/one": one})
        until(lambda: desk.results() == {"eg/one": "done", "eg/two": "done"})
        until(lambda: desk.jobs() == [])


def test_a_database_that_is_away_is_waited_for(desk: Desk) -> None:
    """And its password is told to nobody."""
    url = desk.engine.url.set(password="Ghazal:77/q")  # noqa: S106  of nobody
    desk.engine = open_engine(url.render_as_string(hide_password=False))
    name = url.database
    desk.plan()
    with desk.working("exit 0"):
        until(lambda: desk.workers() == 1)
        with psycopg.connect(POSTGRES, autocommit=True) as server:
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
            gone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            server.execute(gone, (name,))
            time.sleep(2)
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
        desk.queue()
        until(lambda: desk.results() == {"eg/one": "done", "eg/two": "done"})
    assert "Ghazal" not in "".join(desk.said)
    desk.engine.dispose()


# --- the commands ------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["worker"], ["schedule", "--queue"]])
def test_sqlite_is_refused_with_the_way_out(command: list[str], tmp_path: Path) -> None:
    done = run_warraq([*command, "--db", f"sqlite:///{tmp_path}/x.db"])
    assert done.returncode == 2
    said = done.stderr.decode()
    assert "needs PostgreSQL" in said and "without --queue" in said
    assert not list(tmp_path.iterdir())


def test_a_missing_extra_is_told() -> None:
    script = (
        "import sys; sys.modules['procrastinate'] = None\n"
        "from crawler.cli import main; sys.argv[1:] = ['worker', '--db', 'postgresql:///x']; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'warraq[queue]'" in done.stderr


def test_a_server_that_is_away_is_told_without_the_password() -> None:
    url = "postgresql://u:Ghazal@127.0.0.1:9/warraq"
    for command in (["worker"], ["schedule", "--queue"]):
        done = run_warraq([*command, "--db", url])
        assert done.returncode == 3
        assert b"refused" in done.stderr and b"Ghazal" not in done.stderr


def test_the_queue_s_tables_stand_apart(desk: Desk) -> None:
    assert schema.differences(desk.engine) == []
    require_queue(desk.engine)  # once more: nothing to do
    with write(desk.engine) as connection:
        connection.execute(text("COMMENT ON SCHEMA warraq_queue IS '01.00.00_01_old.sql'"))
    with pytest.raises(DatabaseError, match="DROP SCHEMA warraq_queue CASCADE"):
        require_queue(desk.engine)
    with write(desk.engine) as connection:
        connection.execute(text("DROP SCHEMA warraq_queue CASCADE"))
    require_queue(desk.engine)
    desk.plan()
    assert desk.queue() == ["eg/one", "eg/two"]
