"""`python -m tests.soak.turns --minutes 10`: many turns in one scheduler, whose crawls do nothing.

A soak takes some hundred turns; what one of them leaks, thousands show. Half of the crawls fail.
Prints turns, memory (PSS, kB), handles and threads, each 200 turns. With `--trace` also what
Python's objects take of the memory (kB): the rest is how the allocator keeps it.
"""

import argparse
import gc
import os
import tempfile
import threading
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import update

from crawler.schedule import Limits, Scheduler
from pipelines.db import schema
from pipelines.db.engine import open_engine, write
from pipelines.db.models import ScheduleRow, table
from pipelines.source import Source, Sources
from tests.soak.processes import used

_SCHEDULE = table(ScheduleRow)


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.soak.turns", description=__doc__)
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--db", help="an empty database; a new SQLite file if none is named")
    options.add_argument("--trace", action="store_true", help="slower, and takes memory itself")
    given = options.parse_args()
    if given.trace:
        tracemalloc.start()
    with tempfile.TemporaryDirectory(prefix="warraq-turns-") as folder:
        _turn(Path(folder), given.db or f"sqlite:///{folder}/warraq.db", given.minutes)


def _turn(folder: Path, database: str, minutes: float) -> None:
    engine = open_engine(database, create=True)
    schema.upgrade(engine)
    facts = {"feeds": ["http://127.0.0.1:9/feed.xml"], "every": "1h"}
    known = [Sources({key: Source.model_validate({"key": key, **facts}) for key in "abcd"})]
    ended: list[str] = []
    scheduler = Scheduler(
        engine,
        lambda: known.pop() if known else None,
        lambda key: ["sh", "-c", "echo 'error: gone'; exit $(($$ % 2))", key],
        dict(os.environ),
        folder / "logs",
        Limits(at_once=2),
        lambda said: ended.append("") if "; next " in said else None,
    )
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    last, told = time.monotonic() + minutes * 60, 0
    while time.monotonic() < last:
        time.sleep(0.2)
        with write(engine) as connection:
            free = _SCHEDULE.c.token.is_(None)
            due = {"next_at": datetime.now(UTC), "failures": 0}
            connection.execute(update(_SCHEDULE).where(free).values(due))
        scheduler.wake()
        if len(ended) >= told + 200:
            told = len(ended)
            memory, handles, threads = used(os.getpid())
            gc.collect()
            python = tracemalloc.get_traced_memory()[0] >> 10  # 0 without --trace
            print(f"{told:6} {memory >> 10:8} {handles:4} {threads:4} {python:8}", flush=True)
    scheduler.stop.set()
    scheduler.wake()
    thread.join()
    engine.dispose()


if __name__ == "__main__":
    main()
