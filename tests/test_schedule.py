"""`warraq schedule`: when sources are due, what their crawls may take, and that none is lost."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from sqlalchemy import Engine, select, update

from crawler.inputs import sources_of
from crawler.limited import Limited, used, watch
from crawler.schedule import (
    RETRY,
    RETRY_LONGEST,
    Folder,
    Limits,
    Scheduler,
    adaptive,
    next_cron,
    next_turn,
    retry_at,
    rule_of,
)
from pipelines.db import schema, turns
from pipelines.db.engine import open_engine, read, write
from pipelines.db.models import Run, ScheduleRow, table
from pipelines.source import Source, Sources, load_sources
from tests.conftest import POSTGRES, ROOT, run_warraq
from tests.schedulers import Running, schedulers
from tests.site import Site

SCHEDULE, RUNS = table(ScheduleRow), table(Run)
LOOPBACK = {"WARRAQ_ALLOW_ADDRESSES": "127.0.0.0/8", "WARRAQ_CONTACT": "test@site.example"}
CAIRO = "Africa/Cairo"


def a_source(key: str = "eg/marfa", **facts: Any) -> Source:
    feeds = ["http://127.0.0.1:9/feed.xml"]
    return Source.model_validate({"key": key, "feeds": feeds} | facts)


def sources(*given: Source) -> Sources:
    return Sources({source.key: source for source in given})


class Bench:
    """A scheduler in this process, whose crawls are command lines of the test's own."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.said: list[str] = []
        self.known = sources(a_source(every=timedelta(hours=1)))

    def scheduler(self, script: str, **limits: Any) -> Scheduler:
        """Crawls are `sh -c script`, with the source's key as $0."""
        given = [self.known]
        return Scheduler(
            self.engine,
            lambda: given.pop() if given else None,
            lambda key: ["sh", "-c", script, key],
            dict(os.environ),
            self.folder / "logs",
            Limits(**{"grace": 5.0, **limits}),
            self.said.append,
        )

    def once(self, script: str, **limits: Any) -> Any:
        """Does what is due; the row of the one source."""
        self.scheduler(script, **limits).run(once=True)
        return self.row()

    def rows(self) -> dict[str, Any]:
        with read(self.engine) as connection:
            return {row.source: row for row in connection.execute(select(SCHEDULE))}

    def row(self) -> Any:
        (row,) = self.rows().values()
        return row

    def set(self, **values: Any) -> None:
        with write(self.engine) as connection:
            connection.execute(update(SCHEDULE).values(**values))


@pytest.fixture
def bench(engine: Engine, tmp_path: Path) -> Bench:
    return Bench(engine, tmp_path)


# --- times -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cron", "after", "wanted"),
    [
        # an ordinary day, and one before the clock is set forward (24 April 2026, 0:00 -> 1:00)
        ("0 6 * * *", "2026-04-22T12:00", "2026-04-23T06:00+02:00"),
        ("0 6 * * *", "2026-04-23T12:00", "2026-04-24T06:00+03:00"),
        # a time that the clock skips is an hour later on that day, and as it was on the next
        ("30 0 * * *", "2026-04-23T12:00", "2026-04-24T01:30+03:00"),
        ("30 0 * * *", "2026-04-24T12:00", "2026-04-25T00:30+03:00"),
        ("*/20 * * * *", "2026-04-23T21:41", "2026-04-24T01:00+03:00"),
        # the clock is set back (29 October 2026, 24:00 -> 23:00): once, not twice
        ("30 23 * * *", "2026-10-29T12:00", "2026-10-29T23:30+03:00"),
        ("30 23 * * *", "2026-10-29T20:31", "2026-10-30T23:30+02:00"),
        # but every twenty minutes means both hours
        ("*/20 * * * *", "2026-10-29T20:41", "2026-10-29T23:00+02:00"),
        ("*/20 * * * *", "2026-10-29T21:01", "2026-10-29T23:20+02:00"),
        ("*/20 * * * *", "2026-10-29T21:41", "2026-10-30T00:00+02:00"),
        ("0 0 29 feb *", "2026-04-23T12:00", "2028-02-29T00:00+02:00"),
        ("0 8 * * sun", "2026-11-22T12:00", "2026-11-29T08:00+02:00"),
        ("0 0 30 2 *", "2026-04-23T12:00", None),
    ],
)
def test_cron_is_read_on_the_outlets_clock(cron: str, after: str, wanted: str | None) -> None:
    at = next_cron(cron, CAIRO, datetime.fromisoformat(f"{after}Z"))
    local = at and at.astimezone(ZoneInfo(CAIRO)).isoformat(timespec="minutes")
    assert local == wanted


def test_cron_goes_on_over_all_changes_of_the_clock() -> None:
    """A whole year: 365 days, each once, none in the past."""
    at = datetime(2025, 12, 31, 22, tzinfo=UTC)
    days = []
    for _ in range(365):
        found = next_cron("30 0 * * *", CAIRO, at)
        assert found is not None
        assert found > at
        at = found
        days.append(at.astimezone(ZoneInfo(CAIRO)).date())
    assert len(set(days)) == 365
    assert days[-1] - days[0] == timedelta(days=364)


@pytest.mark.parametrize(
    ("gap", "interval"),
    [
        (None, timedelta(minutes=30)),
        (timedelta(seconds=0), timedelta(minutes=5)),
        (timedelta(minutes=4), timedelta(minutes=5)),
        (timedelta(minutes=17), timedelta(minutes=17)),
        (timedelta(hours=9), timedelta(hours=9)),
        (timedelta(days=3), timedelta(days=1)),
    ],
)
def test_adaptive_interval(gap: timedelta | None, interval: timedelta) -> None:
    assert adaptive(gap) == interval


AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("facts", "took", "earliest", "latest"),
    [
        ({"every": "15m"}, 1, 15, 16),
        ({"every": "1d"}, 1, 1440, 1441),  # late by a minute at most
        ({"every": "5m"}, 40, 40, 40),  # a crawl that took longer than its interval
        ({"cron": "30 12 * * *"}, 1, 30, 31),
        ({"cron": "30 12 * * *"}, 31, 1470, 1471),
        ({}, 1, 60, 61),
    ],
)
def test_when_a_source_is_due_again(
    facts: dict[str, Any], took: int, earliest: int, latest: int
) -> None:
    source = a_source(**facts)
    for _ in range(20):
        at = next_turn(source, AT, AT + timedelta(minutes=took), timedelta(hours=1))
        assert at is not None
        assert timedelta(minutes=earliest) <= at - AT <= timedelta(minutes=latest)


def test_failures_are_tried_again_ever_later() -> None:
    waits = [retry_at(AT, failures) - AT for failures in range(1, 40)]
    for wait, nominal in zip(waits, (1, 2, 4, 8, 16, 32), strict=False):
        assert nominal * RETRY <= wait <= nominal * RETRY * 1.1
    assert max(waits) <= RETRY_LONGEST + timedelta(minutes=1)


def test_rules_say_what_the_file_says() -> None:
    assert rule_of(a_source(every="90m")) == "every 90m"
    assert rule_of(a_source(cron="0 6 * * *", zone=CAIRO)) == "cron 0 6 * * * Africa/Cairo"
    assert rule_of(a_source()) == "adaptive"


def test_rhythm_is_that_of_the_newest_articles(database: str, tmp_path: Path) -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    documents = [
        {"source": source, "title": f"خبر رقم {n} من المرفأ", "text": words * 3,
         "published_at": f"{now - step * (n + 1):%Y-%m-%dT%H:%M:%SZ}"}
        for source, step, count in (
            ("quick", timedelta(minutes=10), 30),
            ("slow", timedelta(days=2), 30),
            ("new", timedelta(minutes=10), 3),
        )
        for n in range(count)
        for words in [f"وصلت السفينة رقم {n} إلى مرفأ {source} وأفرغت حمولتها هناك. "]
    ]  # fmt: skip
    file = tmp_path / "articles.jsonl"
    file.write_text("\n".join(json.dumps(d, ensure_ascii=False) for d in documents))
    assert run_warraq(["replay", file, "--db", database, "--workers", "1"]).returncode == 0
    engine = open_engine(database)
    assert turns.mean_gap(engine, "quick", now) == timedelta(minutes=10)
    assert turns.mean_gap(engine, "slow", now) == timedelta(days=2)
    assert turns.mean_gap(engine, "new", now) is None
    assert turns.mean_gap(engine, "unknown", now) is None
    # An outlet that is silent for ten hours is asked less and less.
    assert turns.mean_gap(engine, "quick", now + timedelta(hours=10)) == timedelta(minutes=40)
    engine.dispose()


# --- turns -------------------------------------------------------------------------------------


def test_a_crawl_that_goes_well(bench: Bench) -> None:
    began = datetime.now(UTC)
    row = bench.once('echo "$0" >> ' + str(bench.folder / "crawled"))
    assert (bench.folder / "crawled").read_text() == "eg/marfa\n"
    assert (row.result, row.failures, row.token, row.child) == ("done", 0, None, None)
    assert timedelta(hours=1) <= row.next_at - row.started_at <= timedelta(hours=1, minutes=1)
    assert began <= row.started_at <= row.ended_at
    bench.once("exit 9")  # nothing is due
    assert bench.row().result == "done"


def test_a_failed_crawl_is_told_and_tried_again_later(bench: Bench) -> None:
    for failures in (1, 2, 3):
        row = bench.once("echo first; echo 'error: the site is gone'; exit 1")
        assert (row.result, row.failures) == ("failed", failures)
        assert row.detail == "exit code 1: error: the site is gone"
        wait = RETRY * 2 ** (failures - 1)
        assert wait <= row.next_at - row.ended_at <= wait * 1.1
        assert "error: the site is gone" in bench.said[-1]
        bench.set(next_at=datetime.now(UTC))
    assert bench.once("exit 0").failures == 0
    assert "first" not in (bench.folder / "logs/eg/marfa.log").read_text()


@pytest.mark.parametrize(
    ("script", "result", "failures"),
    [("exit 4", "busy", 0), ("kill -9 $$", "lost", 1), ("no-such-command", "failed", 1)],
)
def test_how_crawls_end(bench: Bench, script: str, result: str, failures: int) -> None:
    row = bench.once(script)
    assert (row.result, row.failures) == (result, failures)
    assert row.next_at > datetime.now(UTC)


def test_a_pause_is_caught_up_once(bench: Bench) -> None:
    bench.once("exit 0")
    bench.set(next_at=datetime.now(UTC) - timedelta(days=3))
    row = bench.once('echo "$0" >> ' + str(bench.folder / "crawled"))
    assert (bench.folder / "crawled").read_text() == "eg/marfa\n"
    assert row.next_at > datetime.now(UTC) + timedelta(minutes=59)
    assert "72 h late" in bench.said[-2]


@pytest.mark.parametrize(("hosts", "at_once", "most"), [(6, 2, 2), (1, 2, 1), (3, 6, 3)])
def test_no_more_than_so_many_at_once(bench: Bench, hosts: int, at_once: int, most: int) -> None:
    """Nor two of one site, whose pace would be twice what it is asked to be."""
    feeds = [f"http://site-{n % hosts}.example/{n}.xml" for n in range(6)]
    given = {f"s{n}": [feed] for n, feed in enumerate(feeds)}
    every = timedelta(hours=1)
    bench.known = sources(*(a_source(key, feeds=own, every=every) for key, own in given.items()))
    # Each notes how many are under way with it.
    here = bench.folder / "here"
    here.mkdir()
    script = f"touch {here}/$0; ls {here} | wc -l >> {bench.folder}/seen; sleep 0.3; rm {here}/$0"
    bench.scheduler(script, at_once=at_once).run(once=True)
    seen = [int(line) for line in (bench.folder / "seen").read_text().split()]
    assert len(seen) == 6
    assert max(seen) == most
    assert {row.result for row in bench.rows().values()} == {"done"}


# --- limits ------------------------------------------------------------------------------------

#: Another process of the crawl's, which must not outlive it.
HELPER = "sleep 300 & echo $! > {folder}/helper; "


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_crawl_ends_at_its_time_limit(bench: Bench, stubborn: bool) -> None:
    script = HELPER.format(folder=bench.folder)
    script += 'trap "" TERM; sleep 300 & wait; sleep 300' if stubborn else "sleep 300"
    began = time.monotonic()
    row = bench.once(script, time=timedelta(seconds=0.6), grace=0.5)
    assert (row.result, row.failures) == ("timed_out", 1)
    assert time.monotonic() - began < 10
    assert not is_running(int((bench.folder / "helper").read_text()))


@pytest.mark.parametrize("whose", ["its own", "its worker's"])
def test_a_crawl_ends_at_its_memory_limit(bench: Bench, whose: str) -> None:
    hungry = f"exec {sys.executable} -c 'import time; x = b\"x\" * (200 << 20); time.sleep(300)'"
    script = HELPER.format(folder=bench.folder)
    script += hungry if whose == "its own" else f"({hungry}) & wait"
    began = time.monotonic()
    row = bench.once(script, memory=100 << 20)
    assert (row.result, row.detail) == ("out_of_memory", "ended at 100 MB")
    assert time.monotonic() - began < 20
    assert not is_running(int((bench.folder / "helper").read_text()))


def test_a_modest_crawl_may_use_what_it_has(bench: Bench) -> None:
    script = f"{sys.executable} -c 'import time; x = b\"x\" * (20 << 20); time.sleep(1)'"
    assert bench.once(script, memory=100 << 20).result == "done"


def test_memory_is_that_of_the_whole_session(tmp_path: Path) -> None:
    eat = f"{sys.executable} -c 'import time; x = b\"x\" * (30 << 20); time.sleep(60)'"
    process = Limited(["sh", "-c", f"{eat} & {eat} & wait"], os.environ, tmp_path / "log")
    process.go()
    most = 0
    for _ in range(100):
        most = max(most, used(process.pid))
        if most > 60 << 20:
            break
        time.sleep(0.1)
    stop = threading.Event()
    stop.set()
    ending = watch(process, datetime.now(UTC) + timedelta(minutes=1), 1 << 40, stop, 5)
    assert 60 << 20 < most < 160 << 20
    assert ending.cut == "stop"


def test_a_process_waits_for_its_word(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    process = Limited(["touch", str(mark)], os.environ, tmp_path / "log")
    process.forget()
    assert not mark.exists()
    process = Limited(["touch", str(mark)], os.environ, tmp_path / "log")
    process.go()
    ending = watch(process, datetime.now(UTC) + timedelta(minutes=1), 1 << 40, threading.Event(), 1)
    assert (ending.code, mark.exists()) == (0, True)


# --- files that change -------------------------------------------------------------------------


@pytest.fixture
def running() -> Iterator[Running]:
    with schedulers(20) as run:
        yield run


def until(true: Callable[[], object], seconds: float = 20) -> None:
    last = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < last, "it did not come about"
        time.sleep(0.05)


def test_changed_files_are_taken_up(bench: Bench, running: Running, tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    text = "feeds: [http://127.0.0.1:9/feed.xml]\n"
    (folder / "a.yml").write_text(f"{text}every: 2h\n")
    scheduler = bench.scheduler(f"echo $0 >> {tmp_path}/crawled")
    scheduler.load = Folder(folder, load_sources)
    running(scheduler)
    until(lambda: bench.rows() and bench.row().result == "done")
    (folder / "b.yml").write_text(text)
    until(lambda: (row := bench.rows().get("b")) and row.result == "done")
    (folder / "b.yml").write_text(f"{text}evry: 1h\n")
    until(lambda: "evry" in bench.said[-1])
    (folder / "a.yml").write_text(f'{text}cron: "0 6 * * *"\n')
    (folder / "b.yml").write_text(f"{text}disabled: moved\n")
    until(lambda: "b" not in bench.rows())
    until(lambda: bench.rows()["a"].rule == "cron 0 6 * * * UTC")
    assert bench.rows()["a"].next_at.hour == 6
    assert (tmp_path / "crawled").read_text() == "a\nb\n"
    assert {"b: added", "b: removed or disabled", "a: now cron 0 6 * * * UTC"} <= set(bench.said)
    assert sum("evry" in line for line in bench.said) == 1


def test_a_folder_that_is_away_is_waited_for(
    bench: Bench, running: Running, tmp_path: Path
) -> None:
    """As while a new set of files is laid in its place."""
    folder, aside = tmp_path / "sources", tmp_path / "aside"
    folder.mkdir()
    text = "feeds: [http://127.0.0.1:9/feed.xml]\nevery: 2h\n"
    (folder / "a.yml").write_text(text)
    scheduler = bench.scheduler("exit 0")
    scheduler.load = Folder(folder, lambda it: sources_of(it, tmp_path / "none"))
    running(scheduler)
    until(lambda: bench.rows() and bench.row().result == "done")
    folder.rename(aside)
    until(lambda: "no such folder" in bench.said[-1])
    assert list(bench.rows()) == ["a"]
    (aside / "b.yml").write_text(text)
    aside.rename(folder)
    until(lambda: (row := bench.rows().get("b")) and row.result == "done")


def test_a_database_that_is_away_is_waited_for(
    new_postgres: str, tmp_path: Path, running: Running
) -> None:
    """It goes away while a crawl runs, which then ends; nothing is lost."""
    engine = open_engine(new_postgres)
    schema.upgrade(engine)
    bench = Bench(engine, tmp_path)
    name = new_postgres.rsplit("/", 1)[1]
    scheduler = bench.scheduler(f"echo $0 >> {tmp_path}/crawled; sleep 1")
    thread = running(scheduler)
    try:
        until((tmp_path / "crawled").exists)
        with psycopg.connect(POSTGRES, autocommit=True) as server:
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
            gone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            server.execute(gone, (name,))
            until(lambda: any("error: " in line for line in bench.said))
            time.sleep(2)
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
        until(lambda: bench.row().result == "done")
        assert sum("error: " in line for line in bench.said) <= 2  # said once, not each second
        bench.set(next_at=datetime.now(UTC))
        until(lambda: (tmp_path / "crawled").read_text() == "eg/marfa\n" * 2)
        until(lambda: bench.row().result == "done")
    finally:
        scheduler.stop.set()
        thread.join(20)
        engine.dispose()


def test_stopping_ends_crawls_kindly_and_keeps_their_turns(bench: Bench, running: Running) -> None:
    kind = f'trap "echo ended >> {bench.folder}/kind; exit 130" TERM; echo up; sleep 60 & wait'
    scheduler = bench.scheduler(kind)
    thread = running(scheduler)
    log = bench.folder / "logs/eg/marfa.log"
    until(lambda: log.exists() and "up" in log.read_text())
    scheduler.stop.set()
    scheduler.wake()
    thread.join(20)
    assert (bench.folder / "kind").read_text() == "ended\n"
    row = bench.row()
    assert (row.token, row.next_at <= datetime.now(UTC)) == (None, True)
    assert bench.once("exit 0").result == "done"


# --- the command -------------------------------------------------------------------------------


def schedule(*arguments: str | Path, database: str, folder: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "crawler.cli", "schedule", "--db", database),
        *("--sources", str(folder / "sources"), "--archive", str(folder / "archive")),
        *("--logs", str(folder / "logs"), *map(str, arguments)),
    ]


def test_two_schedulers_crawl_each_source_once(new_postgres: str, tmp_path: Path) -> None:
    """The real command, twice on one database, over two newsrooms."""
    engine = open_engine(new_postgres)
    schema.upgrade(engine)
    with Site(articles=6, seed=1) as one, Site(articles=6, seed=2, host="127.0.0.2") as two:
        one.write_source(tmp_path / "sources", "eg/one", ["/feed.xml"], every="1h")
        two.write_source(tmp_path / "sources", "eg/two", ["/sitemap.xml"])
        both = [
            subprocess.Popen(
                schedule("--once", database=new_postgres, folder=tmp_path),
                cwd=ROOT,
                env={**os.environ, **LOOPBACK},
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        said = [process.communicate(timeout=120)[1] for process in both]
        assert [process.returncode for process in both] == [0, 0], said
        for site in (one, two):
            fetched = Counter(r.path for r in site.requests)
            assert {a.path: 1 for a in site.articles}.items() <= fetched.items()
            assert max(fetched.values()) == 1
    with read(engine) as connection:
        assert list(connection.execute(select(RUNS.c.status)).scalars()) == ["done", "done"]
    shown = ["schedule", "--list", "--json", "--db", new_postgres]
    listed = run_warraq([*shown, "--sources", tmp_path / "sources"])
    told = {row["source"]: row for row in json.loads(listed.stdout)}
    assert {key: (row["rule"], row["result"], row["detail"]) for key, row in told.items()} == {
        "eg/one": ("every 1h", "done", "6 stored"),
        "eg/two": ("adaptive", "done", "6 stored"),
    }
    engine.dispose()


def test_sigterm_ends_the_command_and_its_crawl(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/warraq.db"
    with Site(articles=30, latency=0.3) as site:
        site.write_source(tmp_path / "sources", "eg/one", ["/feed.xml"], pace="{delay: 0.5}")
        command = schedule(database=database, folder=tmp_path)
        with subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **LOOPBACK}, stderr=subprocess.PIPE, text=True
        ) as process:
            until(lambda: any("/news/" in r.path for r in site.requests), 60)
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=60)[1]
        assert process.returncode == 0, said
        assert "crawl interrupted" in said
        asked = len(site.requests)
        time.sleep(1)
        assert len(site.requests) == asked  # nobody goes on
    engine = open_engine(database)
    with read(engine) as connection:
        assert connection.execute(select(RUNS.c.status)).scalars().all() == ["interrupted"]
        row = connection.execute(select(SCHEDULE)).one()
    assert (row.token, row.result, row.next_at <= datetime.now(UTC)) == (None, None, True)
    engine.dispose()


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        schedule(database=f"sqlite:///{tmp_path}/x.db", folder=tmp_path),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert "no such folder" in done.stderr


@pytest.mark.parametrize("name", ["warraq.service", "warraq-worker.service"])
def test_the_systemd_unit_is_one(name: str, tmp_path: Path) -> None:
    """Its command line is understood, and systemd has no complaint where there is one."""
    unit = (ROOT / "deploy" / name).read_text(encoding="utf-8")
    program = "/opt/warraq/.venv/bin/warraq"
    command = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    arguments = command.removeprefix(f"ExecStart={program} ").split()
    assert run_warraq([*arguments, "--help"]).returncode == 0
    if shutil.which("systemd-analyze"):
        file = tmp_path / name
        file.write_text(unit.replace(program, "/bin/true"), encoding="utf-8")
        done = subprocess.run(
            ["systemd-analyze", "verify", str(file)], capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_the_egg_for_scrapyd_names_the_settings(tmp_path: Path) -> None:
    egg = tmp_path / "warraq.egg"
    subprocess.run([sys.executable, "deploy/scrapyd_egg.py", str(egg)], cwd=ROOT, check=True)
    (found,) = distributions(path=[str(egg)])
    (point,) = found.entry_points
    assert (point.group, point.name) == ("scrapy", "settings")
    assert point.load().SPIDER_MODULES == ["crawler.spiders"]
