"""A crawl: what is due at its sources is fetched and goes through `process` into the store.

    addresses due -> Scrapy -> Answer -> archive -> worker processes -> Read -> store -> SQL
         ^                                               '-- feed, sitemap, listing: addresses
         '---------------------------------------------------------------------'

A spider asks `SourceCrawl.due` what to fetch; the item pipelines hand each answer to
`Crawl.process`, and what was read to `Crawl.store`. All that takes time happens in worker
processes and threads, so that the event loop never waits. Answers are written in the order in
which they came, a batch in one transaction. All state is in the database: a crawl that was killed
goes on where it was.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from crawler.archive import Archive, Fetched, crawled_page
from crawler.discovery import Discovered, Document, addresses_of
from crawler.replay import BATCH, LearnedLines, Summary
from crawler.work import Limits, Page, Result, result_of, workers
from pipelines.db import addresses
from pipelines.db.addresses import ANNOUNCING, DISCOVERY, Address, Kind, Visit, roots
from pipelines.db.locks import Held, crawl_lock
from pipelines.db.store import (
    Arrival,
    Outcome,
    Written,
    arrival_of,
    finish_run,
    register_sources,
    start_run,
    write_batch,
)
from pipelines.document import NotModified, Origin, RawPage, Reason, Unreadable
from pipelines.errors import UserError
from pipelines.source import Source
from pipelines.stages.fingerprint import raw_hash

#: Answers of a source between the request and the database. While workers or the database are
#: behind, nothing more is asked for.
AHEAD = 64
#: Extraction stands back behind the event loop, which has little to do, but soon.
NICE = 5
#: Pages that wait within the pool for each worker process.
_IN_POOL = 3
#: A batch is written so long after its first answer: a kill costs no more work than that.
BATCH_SECONDS = 0.3
#: Statuses by which a server says that it can't answer now.
TROUBLED = (408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524)
#: After so many visits in a row without an answer a site is left alone until the next crawl.
PATIENCE = 10
_NO_ANSWER = (Reason.UNREACHABLE, Reason.TIMEOUT)
#: Feeds, sitemaps and listings of a source that are read in one crawl: sitemaps that lead to ever
#: more sitemaps end here. What is left stays due.
MOST_LISTS = 2_000


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a crawl is told: `limits` of its workers; the `archive` folder, or None to keep no
    bytes; `limit` pages of each source at most; `every_page`: pages that are not due as well."""

    limits: Limits = field(default_factory=lambda: Limits(nice=NICE))
    archive: Path | None = None
    limit: int | None = None
    every_page: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking for an address: a response, or the reason why there is none.

    `number` counts answers in the order in which they came; `wait` is how long the site asked to
    be left alone.
    """

    number: int
    address: Address
    at: datetime
    fetched: Fetched | None = None
    reason: Reason = Reason.UNREACHABLE
    detail: str = ""
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """An answer that was dealt with, ready to be written: a page and what it holds, or what a
    feed, sitemap or listing names (None if that has not changed, or could not be read)."""

    number: int
    visit: Visit
    page: Page | None = None
    result: Result | NotModified | None = None
    discovered: Discovered | None = None


@dataclass
class SourceSummary:
    """What a crawl did at one source. `found`: pages that feeds, sitemaps and listings name, of
    which some are `new`, and some `spared`: known, and not due."""

    source: str
    outcomes: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    not_modified: int = 0
    bytes_fetched: int = 0
    bytes_saved: int = 0
    found: int = 0
    new: int = 0
    spared: int = 0
    lists_read: int = 0
    lists_failed: int = 0
    stopped: str | None = None
    note: str | None = None

    @property
    def is_failed(self) -> bool:
        """Whether none of its feeds, sitemaps and listings could be read."""
        return self.lists_failed > 0 and self.lists_read == 0

    def as_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "outcomes": {str(o): self.outcomes[o] for o in Outcome if self.outcomes[o]},
            "pages_found": self.found,
            "pages_new": self.new,
            "requests": self.requests,
            "requests_spared": self.spared,
            "not_modified": self.not_modified,
            "bytes_fetched": self.bytes_fetched,
            "bytes_saved": self.bytes_saved,
            "failed": self.is_failed,
            "stopped": self.stopped,
            "note": self.note,
        }


@dataclass
class CrawlSummary(Summary):
    """What a crawl did, in all and at each source."""

    sources: dict[str, SourceSummary] = field(default_factory=dict)

    def total(self, name: str) -> int:
        return sum(getattr(each, name) for each in self.sources.values())

    def as_json(self) -> dict[str, Any]:
        totals = ("requests", "not_modified", "bytes_fetched", "bytes_saved")
        return (
            super().as_json()
            | {name: self.total(name) for name in totals}
            | {"requests_spared": self.total("spared")}
            | {"sources": [self.sources[key].as_json() for key in sorted(self.sources)]}
        )


class Crawl:
    """One run. Its sources share the worker processes, the archive and the writer.

    `open` and `close` frame it, `source` begins with a source. DatabaseError and ArchiveError
    end it: `trouble` keeps the first, and all sources stop.
    """

    def __init__(
        self,
        engine: Engine,
        sources: dict[str, Source],
        wishes: Wishes,
        command: str,
        notice: Callable[[CrawlSummary], None] = lambda _: None,
    ) -> None:
        self.engine, self.sources, self.wishes = engine, sources, wishes
        self.summary = CrawlSummary()
        self.trouble: UserError | None = None
        self._command, self._notice = command, notice
        self._began = time.monotonic()
        self._numbers = itertools.count()
        self._next = 0  # number of the answer that is written next
        self._waiting: dict[int, _Waiting | None] = {}  # by number; None: nothing to write
        self._closing = False
        self._running: list[SourceCrawl] = []

    async def open(self) -> None:
        """Starts the run, its workers and its writer."""
        self._news = asyncio.Event()
        self._in_pool = asyncio.Semaphore(self.wishes.limits.processes * _IN_POOL)
        with ExitStack() as opened:
            await asyncio.to_thread(self._open, opened)
            self._opened = opened.pop_all()
        self._writer = asyncio.create_task(self._write_on())

    def _open(self, opened: ExitStack) -> None:
        folder = self.wishes.archive
        self._archive = Archive(folder, "crawl") if folder else None
        self.summary.run = start_run(self.engine, self._command)
        self._lines = LearnedLines(self.engine, self.sources)
        # One thread each: answers are archived and written in the order in which they came.
        self._keeping = opened.enter_context(ThreadPoolExecutor(1, "archive"))
        self._writing = opened.enter_context(ThreadPoolExecutor(1, "database"))
        self._pool = opened.enter_context(
            workers(self.sources, self.wishes.limits, self.engine.dialect.name)
        )

    async def close(self, status: str) -> None:
        """Writes what is left and notes the run's end: done, interrupted or failed."""
        self._closing = True
        self._news.set()
        await self._writer
        await asyncio.to_thread(self._close, status)

    def _close(self, status: str) -> None:
        self._opened.close()
        try:
            if self._archive:
                self._archive.close()
        except UserError as error:
            self.trouble = self.trouble or error
        self.summary.seconds = time.monotonic() - self._began
        with suppress(UserError):  # what went wrong first is what must be told
            status = "failed" if self.trouble else status
            finish_run(self.engine, self.summary.run, status, self.summary.counts)

    async def source(self, source: Source, kinds: Sequence[Kind] = DISCOVERY) -> "SourceCrawl":
        """Begins with a source, of which only lists of those kinds are read. Raises LockedError
        if another crawl is at it."""
        begun = SourceCrawl(self, source, kinds)
        await begun.begin()
        self._running.append(begun)
        self.summary.sources[source.key] = begun.summary
        return begun

    def number(self) -> int:
        """The next answer's number. Each must end in `store` or `let_go`."""
        return next(self._numbers)

    # --- from answers to what is written ---------------------------------------------------------

    async def process(self, site: "SourceCrawl", answer: Answer) -> Read:
        """Archives an answer and reads it, in threads and worker processes."""
        try:
            page, visit = await _in(self._keeping, partial(self._keep, site.source.key, answer))
        except UserError as error:
            self.fail(error)
            raise
        read = Read(answer.number, visit, page)
        if answer.fetched is not None and answer.fetched.status == 304:
            return replace(read, result=NotModified(answer.address.article_id))
        if answer.address.kind is not Kind.PAGE:
            return replace(read, discovered=await self._discover(site.source, answer))
        if not isinstance(page, RawPage):
            return replace(read, result=page)
        async with self._in_pool:
            learned = self._lines.of_page(page)
            result = await result_of(self._pool, page, learned, self.wishes.limits)
        return replace(read, result=result)

    def _keep(self, key: str, answer: Answer) -> tuple[Page, Visit]:
        """Stores an answer in the archive, and says what it is."""
        fetched, visit = answer.fetched, Visit(answer.address, answer.at, wait=answer.wait)
        url = answer.address.url
        if fetched is None:
            return _nothing(key, url, answer.reason, answer.detail), visit
        place = self._archive.add(fetched) if self._archive else None
        name = str(self._archive.folder / place[0]) if self._archive and place else None
        headers = {name.lower(): value for name, value in fetched.headers}
        visit = replace(
            visit,
            status=fetched.status,
            etag=_header(headers, b"etag"),
            last_modified=_header(headers, b"last-modified"),
            moved_to=fetched.url if fetched.moved_from else None,
        )
        if answer.detail:
            return _nothing(key, fetched.url, answer.reason, answer.detail), visit
        if fetched.status == 200:
            body = fetched.body
            visit = replace(visit, raw_hash=raw_hash(body), size=len(body))
        return crawled_page(fetched, name, place[1] if place else None), visit

    async def _discover(self, source: Source, answer: Answer) -> Discovered:
        fetched, address = answer.fetched, answer.address
        if fetched is None:
            return Discovered(trouble=answer.detail)
        if answer.detail or fetched.status != 200:
            return Discovered(trouble=answer.detail or f"HTTP status {fetched.status}")
        headers = {name.lower(): value for name, value in fetched.headers}
        document = Document(
            address.kind,
            fetched.url,
            address.root or address.url,
            address.depth,
            fetched.body,
            _header(headers, b"content-type") or "",
        )
        async with self._in_pool:
            return await addresses_of(self._pool, document, source, self.wishes.limits)

    # --- into the database -----------------------------------------------------------------------

    async def store(self, site: "SourceCrawl", read: Read) -> None:
        """Returns when it is in the database."""
        waiting = _Waiting(site, read, asyncio.get_running_loop().create_future())
        self._waiting[read.number] = waiting
        self._news.set()
        await waiting.written

    def let_go(self, number: int) -> None:
        """There will be nothing to write for that answer."""
        if number >= self._next:
            self._waiting.setdefault(number, None)
            self._news.set()

    def fail(self, error: UserError) -> None:
        """Stops all sources: the database or the archive can't be used."""
        self.trouble = self.trouble or error
        for site in self._running:
            site.stop(str(error))

    async def _write_on(self) -> None:
        while not (self._closing and self._next not in self._waiting):
            await self._news.wait()
            if not self._closing and len(self._waiting) < BATCH:
                await asyncio.sleep(BATCH_SECONDS)
            self._news.clear()
            batch = self._take()
            if not batch:
                continue
            error = self.trouble
            if error is None:
                try:
                    await _in(
                        self._writing, partial(self._write, [(w.site, w.read) for w in batch])
                    )
                except UserError as raised:
                    error = raised
                    self.fail(error)
            for each in batch:
                if each.written.done():
                    continue  # its spider was stopped
                if error is not None:
                    each.written.set_exception(error)
                else:
                    each.written.set_result(None)
            self.summary.seconds = time.monotonic() - self._began
            self._notice(self.summary)

    def _take(self) -> list["_Waiting"]:
        """What can be written: all whose turn it is."""
        batch: list[_Waiting] = []
        while self._next in self._waiting and len(batch) < BATCH:
            waiting = self._waiting.pop(self._next)
            self._next += 1
            if waiting is not None:
                batch.append(waiting)
        if self._next in self._waiting:
            self._news.set()
        return batch

    def _write(self, batch: Sequence[tuple["SourceCrawl", Read]]) -> None:
        if self._archive:
            self._archive.sync()
        for is_pages, portion in itertools.groupby(batch, lambda pair: _is_page(pair[1])):
            if is_pages:
                self._write_pages(list(portion))
                continue
            for site, read in portion:
                if (arrival := site.note_list(read)) is not None:
                    self.tell(arrival)

    def tell(self, arrival: Arrival) -> None:
        """Writes a ledger entry that is of no page."""
        written = write_batch(self.engine, self.summary.run, [arrival], self.sources)
        self.summary.add([arrival], written, self.sources)

    def _write_pages(self, batch: Sequence[tuple["SourceCrawl", Read]]) -> None:
        pairs: list[tuple[Page, Any]] = [
            (read.page, read.result) for _, read in batch if read.page is not None
        ]
        pairs = self._lines.apply(pairs, self._pool, self.wishes.limits)
        arrivals = [
            _arrival(read, page, result)
            for (_, read), (page, result) in zip(batch, pairs, strict=True)
        ]
        written = write_batch(self.engine, self.summary.run, arrivals, self.sources)
        self._lines.refresh({site.source.key for site, _ in batch})
        self.summary.add(arrivals, written, self.sources)
        for (site, read), entry in zip(batch, written, strict=True):
            site.note_page(read, entry)


@dataclass(frozen=True, slots=True)
class _Waiting:
    site: "SourceCrawl"
    read: Read
    written: "asyncio.Future[None]"


class SourceCrawl:
    """A source in a crawl: what is to be asked for next, and what came of it."""

    def __init__(self, crawl: Crawl, source: Source, kinds: Sequence[Kind]) -> None:
        self.crawl, self.source, self.kinds = crawl, source, kinds
        self.summary = SourceSummary(source.key)
        self._opened = ExitStack()
        self._sent: set[int] = set()  # numbers of the addresses that were asked for
        self._pages = self._lists = 0  # of them
        self._under_way = self._unanswered = 0
        # A little more than are fetched at once: a stop leaves little that is still asked for.
        self.at_once = 2 * source.pace.concurrency + 2
        self._silent = 0  # visits in a row that brought no answer
        self._landed = asyncio.Event()

    async def begin(self) -> None:
        await asyncio.to_thread(self._begin)

    def _begin(self) -> None:
        engine, source = self.crawl.engine, self.source
        with ExitStack() as opened:
            self._lock: Held = opened.enter_context(crawl_lock(engine, source.key))
            ids = register_sources(engine, [source.key], self.crawl.sources)
            self._id = ids[source.key]
            addresses.sow(engine, self._id, source)
            if self.crawl.wishes.every_page:
                addresses.make_due(engine, self._id, datetime.now(UTC))
            self._opened = opened.pop_all()

    async def end(self) -> None:
        """Lets go of the source."""
        await asyncio.to_thread(self._opened.close)

    def stop(self, why: str) -> None:
        """Nothing more is asked for; what is under way is written. The rest stays due."""
        self.summary.stopped = self.summary.stopped or why
        self._landed.set()

    async def due(self) -> AsyncIterator[Address]:
        """What to ask for, one after the other: lists, then pages, as far as they are known by
        then. Waits while too much is under way. Each address must end in
        `answered`, then in `landed`."""
        while True:
            self._landed.clear()
            fresh = await asyncio.to_thread(self._fresh)
            for address in fresh:
                while self._is_full and not self.summary.stopped:
                    await self._landed.wait()
                    self._landed.clear()
                if self._is_over():
                    return
                self._sent.add(address.id)
                self._pages += address.kind is Kind.PAGE
                self._lists += address.kind is not Kind.PAGE
                self._under_way += 1
                self._unanswered += 1
                yield address
            if not fresh:
                if not self._under_way:
                    return
                # What is under way may be a list that names more.
                await self._landed.wait()

    def _fresh(self) -> list[Address]:
        engine, now = self.crawl.engine, datetime.now(UTC)
        known = roots(self.source, self.kinds)
        count = self._lists + 2 * AHEAD  # those that were read in this crawl are due in the next
        lists = addresses.due_discovery(engine, self._id, self.kinds, known, count, now)
        found = [address for address in lists if address.id not in self._sent]
        if found and self._lists < MOST_LISTS:
            return found[: MOST_LISTS - self._lists]
        if found and not self.summary.note:
            self.summary.note = f"{MOST_LISTS:,} lists were read, and more are left"
            wrong = _nothing(self.source.key, found[0].url, Reason.TOO_MANY, self.summary.note)
            arrival = Arrival(None, wrong.url, wrong.source, wrong.origin, wrong)
            self.crawl.tell(arrival)
        pages = addresses.due_pages(engine, self._id, 2 * AHEAD + self._under_way, now)
        limit = self.crawl.wishes.limit
        left = len(pages) if limit is None else limit - self._pages
        if pages and left <= 0:
            self.summary.note = self.summary.note or f"{limit} pages were asked for, as told"
        return [address for address in pages if address.id not in self._sent][: max(left, 0)]

    def _is_over(self) -> bool:
        if self._lock.lost.is_set():
            self.stop("another crawl took this source over")
        return self.summary.stopped is not None

    @property
    def _is_full(self) -> bool:
        return self._unanswered >= self.at_once or self._under_way >= AHEAD

    def answered(self) -> None:
        """An answer came, or the reason why there is none."""
        self._unanswered -= 1
        self._landed.set()

    def landed(self) -> None:
        """An address that was asked for is dealt with, whatever came of it."""
        self._under_way -= 1
        self._landed.set()

    # --- in the database's thread ----------------------------------------------------------------

    def note_list(self, read: Read) -> Arrival | None:
        """Notes a feed, sitemap or listing and the pages it names; its ledger entry if it needs
        one."""
        self._note(read)
        found = read.discovered
        usable = found is not None and (found.found or not found.trouble)
        noted = addresses.note_discovery(
            self.crawl.engine, self._id, read.visit, found.found if found and usable else None
        )
        summary = self.summary
        summary.found += noted.new + noted.again + noted.known
        summary.new += noted.new
        summary.spared += noted.known
        summary.bytes_saved += noted.bytes
        if read.visit.address.kind not in ANNOUNCING:
            summary.lists_read += bool(usable) or read.result is not None
        if found is None or found.trouble is None:
            return None
        summary.lists_failed += not usable
        reason = Reason.NO_ADDRESSES
        if isinstance(read.page, Unreadable) and read.visit.status != 200:
            reason = read.page.reason  # else it is no page, and need not be one
        url = read.visit.address.url
        wrong = _nothing(
            self.source.key, url, reason, f"{read.visit.address.kind}: {found.trouble}"
        )
        return replace(_arrival(read, wrong, wrong), visit=None)

    def note_page(self, read: Read, entry: Written) -> None:
        """Counts a page that was written."""
        self._note(read)
        self.summary.outcomes[str(entry.outcome)] += 1

    def _note(self, read: Read) -> None:
        if read.visit.status == 304:
            self.summary.not_modified += 1
            self.summary.bytes_saved += read.visit.address.size or 0
        is_silent = isinstance(read.page, Unreadable) and read.page.reason in _NO_ANSWER
        self._silent = self._silent + 1 if is_silent else 0
        if self._silent >= PATIENCE:
            self.stop(f"{self._silent} requests in a row brought no answer")


async def _in(executor: ThreadPoolExecutor, call: Callable[[], Any]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(executor, call)


def _is_page(read: Read) -> bool:
    return read.visit.address.kind is Kind.PAGE


def _header(headers: dict[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name, b"").replace(b"\0", b"").decode("utf-8", "replace").strip()
    return value[:1000] or None


def _nothing(key: str, url: str, reason: Reason, detail: str) -> Unreadable:
    return Unreadable(url, reason, detail, url, key, Origin.CRAWL)


def _arrival(read: Read, page: Page, result: Result | NotModified) -> Arrival:
    """What is written of a page: where and when it was seen, and what it holds."""
    visit = read.visit
    if isinstance(page, RawPage):
        arrival = arrival_of(page, result, visit.raw_hash)
    else:
        arrival = Arrival(None, page.url, page.source, page.origin, result, visit.raw_hash)
    return replace(
        arrival,
        fetched_at=visit.at,
        http_status=visit.status,
        etag=visit.etag,
        last_modified=visit.last_modified,
        visit=visit,
    )
