"""`kill -9` of the scheduler, at exact points and at random ones: no turn is lost, none is double.

At exact points a scheduler kills itself before or after one of its steps, while its crawls are
small programs that note a run as `warraq crawl` does. At random points the real command is
killed from outside while it crawls two newsrooms.
"""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update

from crawler.limited import Limited
from crawler.schedule import Limits, Scheduler
from pipelines.db import schema, turns
from pipelines.db.engine import open_engine, read, write
from pipelines.db.models import ArticleRow, LedgerRow, Run, ScheduleRow, table
from pipelines.source import Source, Sources
from tests.conftest import ROOT
from tests.faulty import KILLS, noted
from tests.site import Site

ARTICLES, SCHEDULE, RUNS = table(ArticleRow), table(ScheduleRow), table(Run)
LEDGER = table(LedgerRow)
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["crawler.schedule", "psycopg"])

#: Where the scheduler dies: a step, and whether before it or after it.
POINTS = [
    ("turns.plan", "before"),
    ("turns.plan", "after"),
    ("turns.take", "before"),
    ("turns.take", "after"),  # the turn is ours, no crawl was made
    ("turns.begin", "before"),  # the crawl waits for its word
    ("turns.begin", "after"),  # it is noted, and still waits
    ("Limited.go", "after"),  # it has begun
    ("turns.run_of", "before"),  # it has ended
    ("turns.end", "before"),  # so the scheduler knows
    ("turns.end", "after"),
]

#: A crawl that takes no time to start: it notes its run in the database, and itself in a file.
CRAWL = """
import os, platform, sys, time
from datetime import datetime, UTC
key, url, file, seconds = sys.argv[1:]
now = lambda: datetime.now(UTC).isoformat(" ").removesuffix("+00:00")
if url.startswith("sqlite"):
    import sqlite3
    database, mark = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=60), "?"
else:
    import psycopg
    database, mark = psycopg.connect(url), "%s"
number = database.execute(
    "INSERT INTO runs (command, status, started_at, counts, host, pid, version)"
    f" VALUES ('crawl', 'running', {mark}, '{{}}', {mark}, {mark}, '1') RETURNING id",
    (now(), platform.node(), os.getpid()),
).fetchone()[0]
database.commit()
open(file, "a").write(f"{key} begins\\n")
time.sleep(float(seconds))
open(file, "a").write(f"{key} ends\\n")
ended = f"UPDATE runs SET status = 'done', ended_at = {mark} WHERE id = {number}"
database.execute(ended, (now(),))
database.commit()
"""


def work(url: str, folder: Path, seconds: float, dies: tuple[str, str] | None) -> None:
    """A scheduler in a process of its own, which dies at a point."""
    if dies:
        name, when = dies
        owner: Any = turns if name.startswith("turns.") else Limited
        step: Callable[..., Any] = getattr(owner, name.split(".")[1])

        def deadly(*args: Any, **kwargs: Any) -> Any:
            if when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            step(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(owner, name.split(".")[1], deadly)
    known = [
        Sources(
            {
                key: Source.model_validate(
                    {"key": key, "feeds": ["http://x.example/"], "every": "1h"}
                )
                for key in ("one", "two")
            }
        )
    ]
    crawl = [sys.executable, "-c", CRAWL]
    Scheduler(
        open_engine(url),
        lambda: known.pop() if known else None,
        lambda key: [*crawl, key, url, str(folder / "crawled"), str(seconds)],
        dict(os.environ),
        folder / "logs",
        Limits(at_once=2),
        lambda _: None,
    ).run(once=True)


def in_a_process(
    url: str, folder: Path, seconds: float, dies: tuple[str, str] | None = None
) -> int | None:
    """A scheduler whose crawls take so long: how it ended."""
    process = CONTEXT.Process(target=work, args=(url, folder, seconds, dies))
    process.start()
    process.join(60)
    return process.exitcode


@pytest.mark.parametrize("dies", POINTS, ids=" ".join)
def test_killed_at_a_point(
    engine: Engine, database: str, tmp_path: Path, dies: tuple[str, str]
) -> None:
    # One that has just begun is to be found at work, the others may have ended.
    seconds = 3 if dies == ("Limited.go", "after") else 0.2
    assert in_a_process(database, tmp_path, seconds, dies) == -signal.SIGKILL
    assert in_a_process(database, tmp_path, seconds) == 0
    lines = (tmp_path / "crawled").read_text().splitlines()
    assert sorted(lines) == ["one begins", "one ends", "two begins", "two ends"]
    with read(engine) as connection:
        rows = connection.execute(select(SCHEDULE)).all()
    assert [(row.result, row.failures, row.token) for row in rows] == [("done", 0, None)] * 2
    assert all(row.next_at > datetime.now(UTC) + timedelta(minutes=58) for row in rows)


def test_killed_at_random(database: str, tmp_path: Path) -> None:
    """Real crawls of two newsrooms, which go on publishing while schedulers die."""
    engine = open_engine(database, create=True)
    schema.upgrade(engine)
    kills = KILLS // 2
    rng = random.Random(database.split(":")[0])
    command = [
        *(sys.executable, "-m", "crawler.cli", "schedule", "--db", database),
        *("--sources", str(tmp_path / "sources"), "--archive", str(tmp_path / "archive")),
        *("--logs", str(tmp_path / "logs")),
    ]
    environment = {
        **os.environ,
        "WARRAQ_ALLOW_ADDRESSES": "127.0.0.0/8",
        "WARRAQ_CONTACT": "test@site.example",
    }
    granted: Counter[str] = Counter()
    with Site(articles=4, seed=1) as one, Site(articles=4, seed=2, host="127.0.0.2") as two:
        one.write_source(tmp_path / "sources", "eg/one", ["/feed.xml"], every="1h")
        two.write_source(tmp_path / "sources", "eg/two", ["/sitemap.xml"], every="1h")
        for at in range(kills + 1):
            given = make_due(engine)
            granted += given
            if "eg/one" in given:  # a crawl that is under way may be past the feed
                one.room.publish()
            last = at == kills
            process = subprocess.Popen(
                [*command, "--once"] if last else command,
                cwd=ROOT,
                env=environment,
                stderr=subprocess.PIPE,
                text=True,
            )
            if last:
                said = process.communicate(timeout=600)[1]
                assert process.returncode == 0, said
                break
            assert process.stderr is not None
            if at % 2 == 0:
                process.stderr.readline()  # it has begun to work
            time.sleep(rng.uniform(0, 2))
            process.kill()
            process.stderr.close()
            process.wait()
        granted += Counter({"eg/one": 1, "eg/two": 1})  # their first turns, which nobody gave them
        told = {a.url for site in (one, two) for a in site.articles}
        fetched = Counter(
            site.url + r.path for site in (one, two) for r in site.requests if r.status == 200
        )
    with read(engine) as connection:
        assert set(connection.execute(select(ARTICLES.c.canonical_url)).scalars()) == told
        assert connection.execute(select(func.count()).select_from(ARTICLES)).scalar() == len(told)
        runs = connection.execute(select(RUNS).order_by(RUNS.c.started_at)).all()
        ledger = connection.execute(select(func.count()).select_from(LEDGER)).scalar() or 0
    happened = f"{engine.dialect.name}: {kills} kills, {len(runs)} turns, each crawled once"
    noted("scheduler: killed", happened, len(told), {"stored": ledger})
    engine.dispose()
    assert {url: fetched[url] for url in told} == dict.fromkeys(told, 1)
    for key, turns_given in granted.items():
        own = [run for run in runs if f"crawl {key} " in run.command]
        assert [run.status for run in own] == ["done"] * turns_given
        ends = [run.ended_at for run in own]
        assert all(run.started_at >= end for run, end in zip(own[1:], ends, strict=False))


def make_due(engine: Engine) -> Counter[str]:
    """A turn for each source that has none now."""
    with write(engine) as connection:
        free = (SCHEDULE.c.token.is_(None)) & (SCHEDULE.c.next_at > datetime.now(UTC))
        given = connection.execute(
            update(SCHEDULE)
            .where(free)
            .values(next_at=datetime.now(UTC))
            .returning(SCHEDULE.c.source)
        )
        return Counter(given.scalars())
