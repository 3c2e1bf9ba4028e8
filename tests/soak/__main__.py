"""The scheduler for hours, while what it needs breaks again and again.

    python -m tests.soak --minutes 120 --out soak-run
    python -m tests.soak --minutes 120 --out soak-run --db postgresql://postgres@127.0.0.1/soak

Newsrooms on loopback publish, correct, move and withdraw articles; `warraq schedule` crawls
them. The scheduler itself dies only in the first half: in the second, one process must stay as
it is. At the end all faults are taken back, one crawl asks for everything, and what was promised
is checked. `--out` then holds the samples, turns and events as CSV and all of it as one page.
"""

import argparse
import random
import shutil
import signal
import sys
import threading
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from pipelines.db import schema
from pipelines.db.engine import open_engine
from tests.site import Site
from tests.soak.drawing import draw, summary
from tests.soak.ending import Check, Ended, check, crawl_all
from tests.soak.faults import Faults, Newsrooms
from tests.soak.processes import Schedule
from tests.soak.sampling import Sampler

#: How each newsroom is found, and how often: all ways and rules that a source's file knows.
SOURCES: list[tuple[list[str], dict[str, str]]] = [
    (["/feed.xml", "/sitemap.xml"], {"every": "1m"}),
    (["/sitemap.xml"], {"every": "1m"}),
    (["/latest"], {"every": "2m"}),
    (["/atom.xml", "/sitemap.xml"], {"cron": '"*/2 * * * *"'}),
    (["/feed.xml", "/sitemap.xml", "/latest"], {}),
]


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    options.add_argument("--minutes", type=float, default=120)
    options.add_argument("--db", help="an empty database; SQLite in --out if none is named")
    options.add_argument("--out", type=Path, default=Path("data/soak"))
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--sample", type=float, default=10, help="seconds between two samples")
    options.add_argument("--fault", type=float, default=40, help="mean seconds between faults")
    options.add_argument("--news", type=float, default=10, help="seconds between two articles")
    given = options.parse_args()
    checks = soak(
        given.out,
        given.db or f"sqlite:///{given.out.resolve()}/warraq.db",
        minutes=given.minutes,
        seed=given.seed,
        sample=given.sample,
        fault=given.fault,
        news=given.news,
    )
    return not all(each.kept for each in checks)


def soak(
    folder: Path,
    database: str,
    *,
    minutes: float,
    seed: int = 1,
    sample: float = 10,
    fault: float = 40,
    news: float = 10,
    articles: int = 40,
    scale: float = 1,
    sources: int = len(SOURCES),
) -> list[Check]:
    """Runs a schedule so long; `scale` shortens what faults last."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    folder = folder.resolve()
    engine = open_engine(database, create=True)
    schema.upgrade(engine)
    with ExitStack() as opened:
        opened.callback(engine.dispose)
        sites = [
            opened.enter_context(
                Site(host=f"127.0.1.{n}", articles=articles, seed=seed * 100 + n, forbidden=1)
            )
            for n in range(1, sources + 1)
        ]
        for number, (site, (paths, facts)) in enumerate(zip(sites, SOURCES, strict=False), 1):
            site.write_source(folder / "sources", f"soak/{number}", paths, **facts)
        rooms = Newsrooms(seed, sites)
        schedule = Schedule(folder, database, uuid.uuid4().hex)
        opened.callback(schedule.kill_all)
        sampler = Sampler(folder, engine, schedule, sites, sample)
        opened.callback(sampler.close)
        faults = Faults(seed, sites, database, schedule, sampler.tell, scale)
        schedule.begin()
        first = time.monotonic() + 300
        while not sampler.turns and time.monotonic() < first:
            time.sleep(0.2)
        _live(minutes, sampler, rooms, faults, random.Random(f"soak {seed}"), fault, news)
        sampler.tell("the end", "SIGTERM to the scheduler")
        code = schedule.end(signal.SIGTERM)
        ended = Ended(folder, database, engine, schedule, sites, rooms)
        checks = [
            # 130: it was just beginning.
            Check("the scheduler ends kindly", code in (0, 130), f"exit code {code}"),
            crawl_all(ended),
            *check(ended),
        ]
    told = summary(sampler, schedule, rooms, checks)
    (folder / "summary.txt").write_text(told, encoding="utf-8")
    print(told, flush=True)
    (folder / "soak.html").write_text(draw(sampler, told), encoding="utf-8")
    return checks


def _live(
    minutes: float,
    sampler: Sampler,
    rooms: Newsrooms,
    faults: Faults,
    rng: random.Random,
    fault: float,
    news: float,
) -> None:
    """So many minutes of news and faults. Faults overlap if they last."""
    until = time.monotonic() + minutes * 60
    half = time.monotonic() + minutes * 30
    under_way: list[threading.Thread] = []

    def end(_signal: int, _frame: FrameType | None) -> None:
        nonlocal until
        until = time.monotonic()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
    # The first crawls have a quiet moment, and so has the end.
    quiet = min(60.0, minutes * 3)
    next_fault = time.monotonic() + quiet
    next_news = next_edit = time.monotonic() + news
    while (now := time.monotonic()) < until:
        if now >= next_news:
            next_news += news
            rooms.publish()
        if now >= next_edit:
            next_edit += 3 * news
            rooms.edit(sampler.stored)
        if now >= next_fault and now < until - quiet:
            next_fault = now + rng.expovariate(1 / fault)
            under_way = [thread for thread in under_way if thread.is_alive()]
            if len(under_way) < 3:
                under_way.append(
                    threading.Thread(
                        target=faults.happen, kwargs={"scheduler": now < half}, daemon=True
                    )
                )
                under_way[-1].start()
        time.sleep(min(0.5, news / 4))
    faults.over.set()
    for thread in under_way:
        thread.join(200)


if __name__ == "__main__":
    sys.exit(main())
