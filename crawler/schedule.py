"""When each source is crawled: the loop that starts crawls as they fall due, a process each.

All state is in the table `schedule` (pipelines/db/turns.py). A turn is taken in one transaction,
and its row stays due until its crawl has ended; a crawl begins only when its process number is
in that row. So whatever is killed, and however many schedulers there are:

    killed before the crawl began    the turn is free again, and the crawl is begun
    killed while it ran              the next scheduler finds the crawl and watches over it
    killed after it ended            its run says how it ended: done needs no second crawl

Of APScheduler only the reading of cron expressions is used. Its job store moves a job's time on
when the job is handed to a thread, so that a kill loses the turn; two schedulers on one store run
every job twice; jobs are pickles, which SQL can't read and which run code when they are loaded.
And its cron trigger knows clocks that are set back: it then names times that are past.
"""

import os
import platform
import random
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import Engine

from crawler.limited import Adopted, Ending, Limited, leads_session, watch
from pipelines.db import turns
from pipelines.db.addresses import DISCOVERY, roots
from pipelines.db.turns import Ended, Planned, Turn
from pipelines.errors import DatabaseError, UserError
from pipelines.source import Source, Sources, interval_text
from pipelines.urls import host_of

#: Bounds of an adaptive interval, and what it is while too little is known.
SHORTEST = timedelta(minutes=5)
LONGEST = timedelta(days=1)
UNKNOWN = timedelta(minutes=30)
#: A failed crawl is tried again after so long, after twice as long the next time, and so on.
RETRY = timedelta(minutes=5)
RETRY_LONGEST = timedelta(hours=6)
#: A crawl is late by up to a tenth of its interval, and this at most: sources spread out.
JITTER = timedelta(minutes=1)
#: Beyond a crawl's time limit its turn is kept so long, to end it and to write that down.
_SLACK = timedelta(minutes=2)
_TICK = 1.0  # seconds between two looks at the schedule
_BUSY = 4  # exit code of a crawl that found another at its source


# --- when a source is due ----------------------------------------------------------------------


def rule_of(source: Source) -> str:
    """What sets a source's times, in words."""
    if source.every:
        return f"every {interval_text(source.every)}"
    if source.cron:
        return f"cron {source.cron} {source.zone or 'UTC'}"
    return "adaptive"


def next_cron(cron: str, zone: str | None, after: datetime) -> datetime | None:
    """The first time after `after` that a cron expression names on a zone's clock, in UTC. None
    if there is none.

    A time that the clock skips is taken as if it had not yet been set forward. Of a time that it
    shows twice, fixed hours mean the first; expressions for all hours (`*/20 * * * *`) both.
    """
    clock = ZoneInfo(zone or "UTC")
    # Wall time is reckoned as if it were UTC, which has no gaps.
    trigger = CronTrigger.from_crontab(cron, timezone=UTC)
    twice = cron.split()[1].startswith("*")
    wall = after.astimezone(clock).replace(tzinfo=UTC) - timedelta(hours=3)
    best: datetime | None = None
    last: datetime | None = None
    while named := trigger.get_next_fire_time(None, wall):
        local = named.replace(tzinfo=clock)
        for fold in (0, 1) if twice else (0,):
            at = local.replace(fold=fold).astimezone(UTC)
            if at > after and (best is None or at < best):
                best = at
        # No clock is set by more than three hours: what comes later is later.
        if best is not None:
            last = last or named + timedelta(hours=3)
            if named > last:
                break
        wall = named + timedelta(minutes=1)
    return best


def adaptive(gap: timedelta | None) -> timedelta:
    """The interval for a source whose articles are `gap` apart."""
    return UNKNOWN if gap is None else min(max(gap, SHORTEST), LONGEST)


def next_turn(
    source: Source, started: datetime, ended: datetime, gap: timedelta | None = None
) -> datetime | None:
    """When a source is due after a crawl that went well. What was missed meanwhile is not made
    up for: that crawl has seen to it."""
    if source.cron and not source.every:
        at = next_cron(source.cron, source.zone, ended)
        return at and at + _jitter(at - ended)
    interval = source.every or adaptive(gap)
    return max(started + interval + _jitter(interval), ended)


def retry_at(ended: datetime, failures: int) -> datetime:
    """When a source is due after the last of so many crawls in a row failed."""
    wait = min(RETRY * (1 << min(failures - 1, 20)), RETRY_LONGEST)
    return ended + wait + _jitter(wait)


def _jitter(interval: timedelta) -> timedelta:
    return min(interval / 10, JITTER) * random.random()  # noqa: S311  spreads, hides nothing


# --- the loop ----------------------------------------------------------------------------------


def sites(sources: Iterable[Source]) -> dict[str, str]:
    """The site of each source, a host. Sources that share one, if only through a third, are of
    one site: a crawl asks hosts that two sources name for one source after the other as well."""
    parents: dict[str, str] = {}

    def first(host: str) -> str:
        while parents.setdefault(host, host) != host:
            parents[host] = host = parents[parents[host]]
        return host

    hosts: dict[str, str] = {}
    for source in sources:
        named = (host_of(url) for url in roots(source, DISCOVERY))
        own = sorted({host for host in named if host}) or [source.key]
        hosts[source.key] = own[0]
        for host in own[1:]:
            one, other = sorted((first(own[0]), first(host)))
            parents[other] = one
    return {key: first(host) for key, host in hosts.items()}


@dataclass(frozen=True)
class Limits:
    """What crawls may take: so many at once; time, memory (bytes) and kindness (seconds to end
    after SIGTERM) of each."""

    at_once: int = 2
    time: timedelta = timedelta(hours=1)
    memory: int = 2 << 30
    grace: float = 30


@dataclass
class Scheduler:
    """Crawls sources as they fall due, until `stop` is set.

    `load` gives the sources, or None if they are as they were; `command` the command line of a
    source's crawl. `tell` hears what happens, a line each.
    """

    engine: Engine
    load: Callable[[], Sources | None]
    command: Callable[[str], Sequence[str]]
    environment: Mapping[str, str]
    logs: Path
    limits: Limits = Limits()
    tell: Callable[[str], None] = print
    stop: threading.Event = field(default_factory=threading.Event)
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        self.failed = 0
        self._interrupted = False
        self._sources, self._sites = Sources(), dict[str, str]()
        self._running: dict[str, tuple[Turn, datetime, Future[Ending]]] = {}
        self._news = threading.Event()
        self._trouble = Trouble(self.tell)

    def run(self, *, once: bool = False) -> None:
        """Works until `stop`; with `once` until all that was due at the start is done.

        What goes wrong after the start (a database that is away, a wrong source file, a full
        disk) is told, and tried again. Raises UserError or OSError for it at the start.
        """
        plan = Plan(self.engine, self.load, self.tell)
        self._know(plan.renewed())
        began = datetime.now(UTC)
        with ThreadPoolExecutor(self.limits.at_once, "crawl") as pool:
            while True:
                try:
                    self._collect()
                    if not self.stop.is_set():
                        self._know(plan.renewed())
                        self._start(pool, began if once else datetime.now(UTC))
                    self._trouble.over()
                except (UserError, OSError) as error:
                    if once:
                        raise
                    if self._gives_up(error):
                        return
                if not self._running and (once or self.stop.is_set()):
                    return
                self._news.wait(_TICK)
                self._news.clear()

    def crawl(self, source: Source) -> bool:
        """Crawls one source, if it is due: a queue has handed out its turn. False if that was
        interrupted, and is to be done again."""
        self._know(Sources({source.key: source}))
        with ThreadPoolExecutor(1, "crawl") as pool:
            self._start(pool, datetime.now(UTC))
            while self._running:
                self._news.wait(_TICK)
                self._news.clear()
                try:
                    self._collect()
                    self._trouble.over()
                except (UserError, OSError) as error:
                    if self._gives_up(error):
                        return False
        return not self._interrupted

    def wake(self) -> None:
        """Ends the wait for the next look."""
        self._news.set()

    def _gives_up(self, error: Exception) -> bool:
        """Tells what is wrong. Whether to end all the same: the next scheduler finds how what was
        under way ended."""
        self._trouble.now(str(error))
        return self.stop.is_set() and all(f.done() for _, _, f in self._running.values())

    def _know(self, sources: Sources) -> None:
        if sources is not self._sources:
            self._sources, self._sites = sources, sites(sources.values())

    def _start(self, pool: ThreadPoolExecutor, due: datetime) -> None:
        """Begins what is due, of one site never two: its pace is that of one crawl."""
        length = self.limits.time + timedelta(seconds=self.limits.grace) + _SLACK
        now = datetime.now(UTC)
        for _ in range(self.limits.at_once - len(self._running)):
            taken = {self._sites.get(key) for key in self._running}
            wanted = {key for key, site in self._sites.items() if site not in taken}
            found = turns.take(self.engine, self.token, wanted, now, due, 1, length)
            if not found:
                return
            (turn,) = found
            if turn.child is not None:
                self._resume(pool, turn)
            else:
                self._begin(pool, turn)

    def _begin(self, pool: ThreadPoolExecutor, turn: Turn) -> None:
        """Starts the crawl of a turn. It does nothing before its number is in the database."""
        key = turn.source
        process = Limited(self.command(key), self.environment, self.log_of(key))
        now = datetime.now(UTC)
        try:
            ours = turns.begin(self.engine, self.token, key, process.pid, now)
        except DatabaseError:
            process.forget()
            raise
        if not ours:
            process.forget()
            return
        process.go()
        late = now - turn.due
        waited = f", {_text(late)} late" if late > timedelta(minutes=5) else ""
        self.tell(f"{key}: crawl begun (process {process.pid}{waited})")
        self._watch(pool, turn, now, process)

    def _resume(self, pool: ThreadPoolExecutor, turn: Turn) -> None:
        """Goes on with a turn whose scheduler was killed."""
        key, child, host = turn.source, turn.child or 0, turn.host or ""
        if host == platform.node() and leads_session(child):
            self.tell(f"{key}: its crawl still runs (process {child}); what began it is gone")
            self._watch(pool, turn, turn.started_at, Adopted(child))
            return
        status, counts = turns.run_of(self.engine, host, child, turn.started_at)
        if status in ("done", "failed"):
            self._note(turn, turn.started_at, status, _counts(counts))
            return
        self.tell(f"{key}: its crawl was killed; it is begun again")
        self._begin(pool, turn)

    def _watch(
        self,
        pool: ThreadPoolExecutor,
        turn: Turn,
        started: datetime,
        process: Limited | Adopted,
    ) -> None:
        limits = self.limits
        future = pool.submit(
            watch, process, started + limits.time, limits.memory, self.stop, limits.grace
        )
        future.add_done_callback(lambda _: self._news.set())
        self._running[turn.source] = (_with_child(turn, process.pid), started, future)

    def _collect(self) -> None:
        """Writes down how crawls ended."""
        for key, (turn, started, future) in list(self._running.items()):
            if not future.done():
                continue
            ending = future.result()
            status, counts = turns.run_of(self.engine, platform.node(), turn.child or 0, started)
            result, detail = self._judge(ending, status, counts, key)
            if result is None:
                turns.give_back(self.engine, self.token, key)
                self._interrupted = True
                self.tell(f"{key}: crawl interrupted; it goes on with the next start")
            else:
                self._note(turn, started, result, detail)
            del self._running[key]

    def _judge(
        self, ending: Ending, status: str, counts: Mapping[str, int], key: str
    ) -> tuple[str | None, str | None]:
        """Result and detail of a crawl; no result if it is to be made again."""
        if ending.cut == "time":
            return "timed_out", f"ended after {_text(self.limits.time)}"
        if ending.cut == "memory":
            return "out_of_memory", f"ended at {self.limits.memory >> 20} MB"
        if ending.code == 0 or (ending.code is None and status == "done"):
            return "done", _counts(counts)
        if ending.cut == "stop" or (ending.code is None and status == "interrupted"):
            return None, None
        if ending.code == _BUSY:
            return "busy", "another crawl was at it"
        if ending.code is None:
            return "lost", f"it was killed; its run is {status}"
        how = f"signal {-ending.code}" if ending.code < 0 else f"exit code {ending.code}"
        said = last_line(self.log_of(key))
        return ("lost" if ending.code < 0 else "failed"), f"{how}{f': {said}' if said else ''}"

    def _note(self, turn: Turn, started: datetime, result: str, detail: str | None) -> None:
        key, now = turn.source, datetime.now(UTC)
        source = self._sources.get(key)
        well = result in ("done", "busy")
        failures = 0 if well else turn.failures + 1
        if source is None:
            at: datetime | None = None
        elif well:
            by_rhythm = not source.every and not source.cron
            gap = turns.mean_gap(self.engine, key, now) if by_rhythm else None
            at = next_turn(source, started, now, gap)
        else:
            at = retry_at(now, failures)
            self.failed += 1
        turns.end(self.engine, self.token, key, Ended(result, detail, now, at, failures))
        when = f"next {at.astimezone():%Y-%m-%d %H:%M}" if at else "never again"
        log = "" if well else f" (see {self.log_of(key)})"
        self.tell(
            f"{key}: {result.replace('_', ' ')} in {_text(now - started)}"
            f"{f': {detail}' if detail else ''}{log}; {when}"
        )

    def log_of(self, key: str) -> Path:
        """Where a source's last crawl wrote what it had to say."""
        return self.logs / f"{key}.log"


class Plan:
    """The schedule in the database, kept in line with the source files."""

    def __init__(
        self, engine: Engine, load: Callable[[], Sources | None], tell: Callable[[str], None]
    ) -> None:
        self._engine, self._load, self._tell = engine, load, tell
        self._sources = Sources()
        self._rules: dict[str, str] = {}

    def renewed(self) -> Sources:
        """The sources that are crawled, after what changed in their files was taken up."""
        loaded = self._load()
        if loaded is not None:
            self._sources = Sources(
                {key: source for key, source in loaded.items() if is_crawled(source)}
            )
        rules = {key: rule_of(source) for key, source in self._sources.items()}
        if loaded is None and rules == self._rules:
            return self._sources
        now = datetime.now(UTC)
        turns.plan(
            self._engine,
            {
                key: Planned(rules[key], first_turn(source, now))
                for key, source in self._sources.items()
            },
        )
        if self._rules:
            for key in sorted(rules.keys() ^ self._rules.keys()):
                self._tell(f"{key}: {'added' if key in rules else 'removed or disabled'}")
            for key in sorted(rules.keys() & self._rules.keys()):
                if rules[key] != self._rules[key]:
                    self._tell(f"{key}: now {rules[key]}")
        self._rules = rules
        return self._sources


class Trouble:
    """Says what is wrong, once as long as it stays so."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._said: str | None = None

    def now(self, message: str) -> None:
        if message != self._said:
            self._tell(f"error: {message}; trying on")
        self._said = message

    def over(self) -> None:
        self._said = None


def is_crawled(source: Source) -> bool:
    """Whether there is something to crawl, and nobody has disabled it."""
    return source.can_be_crawled


def first_turn(source: Source, now: datetime) -> datetime | None:
    """When a source is due that was never crawled, or whose rule has changed: at once, or when its
    time table says so."""
    if source.cron and not source.every:
        return next_cron(source.cron, source.zone, now)
    return now


def crawl_command(sources: Path, archive: Path, workers: int) -> Callable[[str], list[str]]:
    """The command line of a source's crawl, for this very installation."""
    options = ["--sources", str(sources), "--archive", str(archive), "--workers", str(workers)]
    return lambda key: [sys.executable, "-m", "crawler.cli", "crawl", key, *options]


class Folder:
    """The sources of a folder, read again when a file in it has changed."""

    def __init__(self, folder: Path, read: Callable[[Path], Sources]) -> None:
        self._folder, self._read = folder, read
        self._seen: object = None
        self._wrong: UserError | None = None

    def __call__(self) -> Sources | None:
        """The sources, or None if nothing has changed. Raises UserError as long as a file is
        wrong or the folder is gone: a crawl would not begin either."""
        seen = sorted(
            (str(file), stat.st_mtime_ns, stat.st_size)
            for file in self._folder.rglob("*.yml")
            for stat in [file.stat()]
        )
        if seen == self._seen:
            if self._wrong:
                raise self._wrong
            return None
        self._seen, self._wrong = seen, None
        try:
            return self._read(self._folder)
        except UserError as error:
            self._wrong = error
            raise


def last_line(log: Path) -> str:
    """The last words of a crawl, 300 characters at most."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


def _with_child(turn: Turn, child: int) -> Turn:
    return Turn(turn.source, turn.due, turn.failures, turn.started_at, child, platform.node())


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)


def _text(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h"
