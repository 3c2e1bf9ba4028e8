"""What is done to a running schedule: each fault begins at a moment, lasts, and is taken back."""

import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Lock

import psycopg

from tests.site import Site
from tests.soak.processes import Schedule, crawls, workers

#: A page that ends in its middle: the connection is reset, or closed before its length.
_BROKEN = ("/broken/cut", "/broken/reset", "/broken/half-gzip", "/broken/chunks", "/broken/nothing")


class Faults:
    """Breaks what it is given, at moments and in ways that the seed sets.

    `happen` does one thing to one of them and returns when it is over; `only` names the ways.
    """

    def __init__(
        self,
        seed: int,
        sites: list[Site],
        database: str,
        schedule: Schedule,
        tell: Callable[[str, str], None],
        scale: float = 1,
    ) -> None:
        self._random = random.Random(f"faults {seed}")
        self._sites, self._database, self._schedule = sites, database, schedule
        self._tell, self._scale = tell, scale
        self.over = Event()  # ends what lasts
        self._touched: set[int] = set()  # sites that something is done to
        self._restarting = Lock()
        shared = (self.kill_crawl, self.kill_worker, self.slow, self.error, self.busy)
        own = self.lock if database.startswith("sqlite") else self.cut
        self._kinds: list[Callable[[], None]] = [*shared, self.broken, self.refused, own]
        self._ends = [self.kill_scheduler, self.stop_scheduler]
        self._left: list[Callable[[], None]] = []

    def happen(self, *, scheduler: bool) -> None:
        """One fault; with `scheduler` it may be the scheduler's end. Each kind comes up before
        any comes again."""
        if not scheduler:
            self._left = [kind for kind in self._left if kind not in self._ends]
        if not self._left:
            self._left = [*self._kinds, *(self._ends if scheduler else ())]
            self._random.shuffle(self._left)
        self._left.pop()()

    def _last(self, shortest: float, longest: float) -> float:
        return self._random.uniform(shortest, longest) * self._scale

    def _wait(self, seconds: float) -> None:
        self.over.wait(seconds)

    # --- processes ---------------------------------------------------------------------------

    def kill_crawl(self) -> None:
        """SIGKILL to a crawl, as soon as there is one, after a moment."""
        self._kill("kill crawl", crawls)

    def kill_worker(self) -> None:
        """SIGKILL to one process that a crawl has started."""
        self._kill("kill worker", workers)

    def _kill(self, name: str, find: Callable[[str], list[int]]) -> None:
        last = time.monotonic() + 60 * self._scale
        while not (find(self._schedule.mark)) and time.monotonic() < last:
            if self.over.wait(0.1):
                return
        self._wait(self._random.uniform(0, 3))
        if not (found := find(self._schedule.mark)):
            return
        pid = self._random.choice(found)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self._tell(name, f"process {pid}")

    def kill_scheduler(self) -> None:
        """SIGKILL to the scheduler; another one begins a little later."""
        self._restart("kill scheduler", signal.SIGKILL)

    def stop_scheduler(self) -> None:
        """SIGTERM to the scheduler, as for an upgrade of the machine."""
        self._restart("stop scheduler", signal.SIGTERM)

    def _restart(self, name: str, number: int) -> None:
        pause = self._last(0, 20)
        with self._restarting:
            self._tell(name, f"process {self._schedule.pid}, away for {pause:.0f} s")
            code = self._schedule.end(number)
            self._tell("scheduler ended", f"exit code {code}")
            self._wait(pause)
            self._schedule.begin()

    # --- sites -------------------------------------------------------------------------------

    def slow(self) -> None:
        with self._at_a_site("slow", seconds := self._last(20, 90)) as site:
            site.latency = self._random.uniform(0.3, 4)
            self._wait(seconds)
            site.latency = 0

    def error(self) -> None:
        """500, or 404 for what is there."""
        status = self._random.choice((500, 500, 502, 404))
        with self._at_a_site(f"status: {status}", seconds := self._last(20, 90)) as site:
            site.script("*", status, b"<h1>no</h1>", times=None)
            self._wait(seconds)
            site.scripted.clear()

    def busy(self) -> None:
        """503 with Retry-After: a moment, or longer than a crawl waits."""
        asked = self._random.choice((1, 3, 20, 90))
        with self._at_a_site(f"busy: Retry-After {asked}", seconds := self._last(10, 60)) as site:
            site.script("*", 503, headers={"Retry-After": str(asked)}, times=None)
            self._wait(seconds)
            site.scripted.clear()

    def broken(self) -> None:
        """Bodies that end too early, connections that are reset."""
        path = self._random.choice(_BROKEN)
        with self._at_a_site(f"broken: {path}", seconds := self._last(10, 60)) as site:
            site.script("*", 302, headers={"Location": path}, times=None)
            self._wait(seconds)
            site.scripted.clear()

    def refused(self) -> None:
        """Nobody listens."""
        with self._at_a_site("refused", seconds := self._last(10, 90)) as site:
            site.leave()
            self._wait(seconds)
            site.come_back()

    @contextmanager
    def _at_a_site(self, what: str, seconds: float) -> Iterator[Site]:
        at = self._random.choice([n for n in range(len(self._sites)) if n not in self._touched])
        self._touched.add(at)
        self._tell(what, f"site {at + 1}, {seconds:.0f} s")
        yield self._sites[at]
        self._touched.discard(at)

    # --- the database ------------------------------------------------------------------------

    def lock(self) -> None:
        """Another program writes to SQLite and takes its time: sometimes more than a minute,
        which is how long Warraq waits."""
        seconds = self._last(*self._random.choice(((2, 30), (2, 30), (65, 75))))
        self._tell("database locked", f"{seconds:.0f} s")
        file = Path(self._database.removeprefix("sqlite:///"))
        with ExitStack() as held:
            connection = sqlite3.connect(file, timeout=30, isolation_level=None)
            held.callback(connection.close)
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return  # a long transaction of Warraq's own
            self._wait(seconds)
            connection.execute("ROLLBACK")

    def cut(self) -> None:
        """PostgreSQL drops all connections; sometimes it lets nobody in for a while."""
        seconds = self._last(*self._random.choice(((0, 0), (0, 0), (5, 40))))
        self._tell("connections cut", f"away for {seconds:.0f} s")
        server, _, name = self._database.rpartition("/")
        with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
            if seconds:
                admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
            try:
                gone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
                admin.execute(gone, (name,))
                self._wait(seconds)
            finally:
                if seconds:
                    admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())


class Newsrooms:
    """What goes on in the newsrooms meanwhile, and all that was ever published there."""

    def __init__(self, seed: int, sites: list[Site]) -> None:
        self._random = random.Random(f"rooms {seed}")
        self._sites = sites
        #: URL -> (site, number) of every article at every address that it ever had.
        self.known = {a.url: (n, a.number) for n, site in enumerate(sites) for a in site.articles}
        self.removed: set[tuple[int, int]] = set()
        self.done: dict[str, int] = {}

    def publish(self) -> None:
        at = self._random.randrange(len(self._sites))
        for article in self._sites[at].room.publish():
            self.known[article.url] = (at, article.number)
        self._count("published")

    def edit(self, stored: set[str]) -> None:
        """An article is corrected, moved or withdrawn (only if it is `stored`, so that it can be
        told whether it stays), or the boxes around all of them change."""
        at = self._random.randrange(len(self._sites))
        room = self._sites[at].room
        what = self._random.choice(("changed", "changed", "changed", "moved", "removed", "boxes"))
        articles = self._sites[at].articles
        article = self._random.choice(articles)
        if what == "changed":
            room.change(article)
        elif what == "moved" and "/moved/" not in article.url:
            self.known[room.move(article).url] = (at, article.number)
        elif what == "removed" and article.url in stored and len(articles) > 10:
            room.remove(article, self._random.choice((404, 410)))
            self.removed.add((at, article.number))
        elif what == "boxes":
            room.furnish()
        else:
            return
        self._count(what)

    def _count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1
