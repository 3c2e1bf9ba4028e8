"""What is measured while a schedule runs: a row every few seconds, and each turn as it is taken."""

import csv
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, func, select, text

from pipelines.db.engine import read, usable
from pipelines.db.models import ArticleRow, Run, ScheduleRow, table
from pipelines.errors import UserError
from tests.site import Site
from tests.soak.processes import Schedule, marked, used

_ARTICLES, _RUNS, _SCHEDULE = table(ArticleRow), table(Run), table(ScheduleRow)


@dataclass
class Sample:
    """Memory is PSS. `scheduler` is 0 while there is none; `children` are all it has started."""

    minutes: float
    scheduler: int = 0
    scheduler_memory: int = 0
    scheduler_handles: int = 0
    scheduler_threads: int = 0
    children: int = 0
    children_memory: int = 0
    children_handles: int = 0
    database: int = 0
    journal: int = 0  # SQLite's, which is part of it
    archive: int = 0
    archive_files: int = 0
    open_files: int = 0
    requests: int = 0
    articles: int = 0
    runs: int = 0
    late: float = 0  # seconds that the longest waiting turn has waited so far


@dataclass
class TurnSeen:
    """A turn that was due so many minutes after the start, and was taken so many seconds late."""

    minutes: float
    source: str
    late: float


class Sampler:
    """Takes samples in a thread of its own until it is closed, and writes them as they come."""

    def __init__(
        self, folder: Path, engine: Engine, schedule: Schedule, sites: list[Site], every: float
    ) -> None:
        self._folder, self._engine, self._schedule = folder, engine, schedule
        self._sites, self._every = sites, every
        self._began = time.monotonic()
        self._start = datetime.now(UTC)
        self.samples: list[Sample] = []
        self.turns: dict[tuple[str, datetime], TurnSeen] = {}
        self.events: list[tuple[float, str, str]] = []
        self.stored: set[str] = set()
        self._files = {name: (folder / f"{name}.csv").open("w") for name in _COLUMNS}
        self._rows = {name: csv.writer(file) for name, file in self._files.items()}
        for name, columns in _COLUMNS.items():
            self._write(name, columns)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def minutes(self) -> float:
        return (time.monotonic() - self._began) / 60

    def tell(self, what: str, detail: str) -> None:
        """Notes something that was done."""
        at = round(self.minutes, 3)
        self.events.append((at, what, detail))
        self._write("events", [at, what, detail])

    def close(self) -> None:
        self._over.set()
        self._thread.join(60)
        for file in self._files.values():
            file.close()

    def _write(self, name: str, row: list[object]) -> None:
        self._rows[name].writerow(row)
        self._files[name].flush()

    def _work(self) -> None:
        due = time.monotonic()
        while not self._over.wait(0.7):
            try:
                with suppress(UserError):  # the database is away: that is what is tried
                    self._look()
                if time.monotonic() >= due:
                    due += self._every
                    self._sample()
            except Exception as error:  # a gap, no end
                self.tell("no sample", repr(error))

    def _look(self) -> None:
        """Notes turns whose crawl has begun since."""
        query = select(_SCHEDULE).where(_SCHEDULE.c.child.is_not(None))
        with usable(self._engine), read(self._engine) as connection:
            rows = connection.execute(query).all()
        for row in rows:
            key = (row.source, row.next_at)
            if key not in self.turns:
                late = (row.started_at - row.next_at).total_seconds()
                at = (row.next_at - self._start).total_seconds() / 60
                turn = self.turns[key] = TurnSeen(round(at, 3), row.source, round(late, 3))
                self._write("turns", list(asdict(turn).values()))

    def _sample(self) -> None:
        sample = Sample(round(self.minutes, 3))
        own = self._schedule.pid
        if own:
            sample.scheduler = own
            memory, handles, threads = used(own)
            sample.scheduler_memory, sample.scheduler_handles = memory, handles
            sample.scheduler_threads = threads
        for pid in marked(self._schedule.mark):
            if pid != own:
                memory, handles, _ = used(pid)
                sample.children += 1
                sample.children_memory += memory
                sample.children_handles += handles
        sizes = sizes_below(self._folder / "archive")
        sample.archive, sample.archive_files = sum(sizes.values()), len(sizes)
        sample.open_files = sum(name.endswith(".open") for name in sizes)
        sample.requests = sum(len(site.requests) for site in self._sites)
        with suppress(UserError):
            self._ask(sample)
        self.samples.append(sample)
        self._write("samples", list(asdict(sample).values()))

    def _ask(self, sample: Sample) -> None:
        now = datetime.now(UTC)
        waiting = select(func.min(_SCHEDULE.c.next_at)).where(_SCHEDULE.c.child.is_(None))
        with usable(self._engine), read(self._engine) as connection:
            self.stored = set(connection.execute(select(_ARTICLES.c.canonical_url)).scalars())
            sample.articles = len(self.stored)
            sample.runs = connection.execute(select(func.count()).select_from(_RUNS)).scalar_one()
            due = connection.execute(waiting).scalar_one()
            if self._engine.dialect.name == "postgresql":
                size = text("SELECT pg_database_size(current_database())")
                sample.database = connection.execute(size).scalar_one()
        if due is not None:
            sample.late = max(0.0, round((now - due).total_seconds(), 3))
        if self._engine.dialect.name == "sqlite":
            file = self._engine.url.database
            with suppress(OSError):
                sample.journal = os.stat(f"{file}-wal").st_size
                sample.database = os.stat(str(file)).st_size + sample.journal


_COLUMNS: Mapping[str, list[object]] = {
    "samples": [field.name for field in fields(Sample)],
    "turns": [field.name for field in fields(TurnSeen)],
    "events": ["minutes", "what", "detail"],
}


def sizes_below(folder: Path) -> dict[str, int]:
    """Bytes of each file; what vanishes meanwhile is left out."""
    found = {}
    for file in folder.rglob("*"):
        with suppress(OSError):
            if file.is_file():
                found[str(file)] = file.stat().st_size
    return found
