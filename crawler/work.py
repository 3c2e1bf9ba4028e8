"""Pages -> results, in worker processes: a page that hangs, eats memory or kills its process
costs one page and a bounded time, never the run. A worker loads this module: it takes in what
`process` needs, neither Scrapy nor SQLAlchemy, which cost each of them a second.
"""

import asyncio
import os
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from crawler.forking import collect_rarely, worker_context
from crawler.pool import DiedError, Pool, TimeUpError
from pipelines.document import Article, Learned, RawPage, Reason, Rejected, Unreadable
from pipelines.source import Source, Sources, find_source

_T = TypeVar("_T")
Result = Article | Rejected | Unreadable
Page = RawPage | Unreadable
#: What is known of a page's source when the page is sent to a worker.
LearnedOf = Callable[[RawPage], Learned | None]


@dataclass(frozen=True, slots=True)
class Limits:
    """`workers`: processes. `seconds`, `memory` (bytes): what one page may take. `nice`: how far
    the workers stand back behind other processes, and so behind a crawl's event loop."""

    workers: int = 0
    seconds: float = 60.0
    memory: int = 4 << 30
    nice: int = 0

    @property
    def processes(self) -> int:
        return self.workers or len(os.sched_getaffinity(0))


#: Pages travel together: a task costs about 1 ms, a page of a known template few.
_CHUNK_PAGES = 16
_CHUNK_BYTES = 2_000_000
#: Tasks under way or waiting, for each worker: enough to keep it busy, little to hold in memory.
_AHEAD = 3
#: A worker is replaced after so many tasks: what libraries gather in a process stays bounded.
_TASKS = 2_000


@contextmanager
def workers(
    sources: Mapping[str, Source], limits: Limits, database: str | None = None
) -> Iterator[Pool]:
    """Worker processes that know the sources, for `results`. Ends them, with what they do.

    `database`, sqlite or postgresql, is where their articles will be stored: then they prepare
    that as well.
    """
    with Pool(
        limits.processes,
        worker_context(),
        _start_worker,
        [Sources(sources), limits.memory, limits.nice, database],
        _TASKS,
    ) as pool:
        yield pool


def results(
    pages: Iterable[Page],
    sources: Mapping[str, Source],
    limits: Limits,
    learned: LearnedOf = lambda _: None,
    pool: Pool | None = None,
) -> Iterator[tuple[Page, Result]]:
    """Each page with its result, in the order of the pages. Reads only a few pages ahead.

    `learned` is asked for each page when it is sent; `pool` are `workers` to use, else they are
    started for these pages.
    """
    if pool is None:
        with workers(sources, limits) as own:
            yield from results(pages, sources, limits, learned, own)
        return
    waiting: deque[tuple[list[Page], list[_Task], _Answer | None]] = deque()
    for chunk in _chunks(pages):
        tasks = [(page, learned(page)) for page in chunk if isinstance(page, RawPage)]
        waiting.append((chunk, tasks, _schedule(pool, tasks, limits)))
        while len(waiting) >= limits.processes * _AHEAD:
            yield from _finished(pool, *waiting.popleft(), limits)
    while waiting:
        yield from _finished(pool, *waiting.popleft(), limits)


async def result_of(pool: Pool, page: RawPage, learned: Learned | None, limits: Limits) -> Result:
    """One page's result, for a caller that has other things to do meanwhile."""
    try:
        (result,) = await run(pool, limits, _work, [(page, learned)])
    except StoppedError as error:
        return Rejected("work", error.reason, str(error))
    return result


class StoppedError(Exception):
    """Work that took too long or ended its process; the message is one line for people."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


async def run(pool: Pool, limits: Limits, work: Callable[..., _T], *args: Any) -> _T:
    """`work(*args)` in a worker process. Raises StoppedError."""
    with _named_stop():
        return await asyncio.wrap_future(pool.submit(limits.seconds, work, *args))


@contextmanager
def _named_stop() -> Iterator[None]:
    """What a pool raises of a worker's end as StoppedError."""
    try:
        yield
    except TimeUpError as error:
        raise StoppedError(Reason.TIMEOUT, str(error)) from None
    except DiedError as error:
        raise StoppedError(Reason.CRASHED, str(error)) from None


_Task = tuple[RawPage, Learned | None]
_Answer = Future[list[Article | Rejected]]


def _chunks(pages: Iterable[Page]) -> Iterator[list[Page]]:
    chunk: list[Page] = []
    size = 0
    for page in pages:
        chunk.append(page)
        size += len(page.body) if isinstance(page, RawPage) else 0
        if len(chunk) >= _CHUNK_PAGES or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _schedule(pool: Pool, tasks: list[_Task], limits: Limits) -> _Answer | None:
    return pool.submit(limits.seconds, _work, tasks) if tasks else None


def _finished(
    pool: Pool,
    chunk: list[Page],
    tasks: list[_Task],
    future: _Answer | None,
    limits: Limits,
) -> Iterator[tuple[Page, Result]]:
    done = iter(_outcomes(pool, tasks, future, limits))
    for page in chunk:
        yield page, page if isinstance(page, Unreadable) else next(done)


def _outcomes(
    pool: Pool, tasks: list[_Task], future: _Answer | None, limits: Limits
) -> list[Result]:
    if future is None:
        return []
    try:
        with _named_stop():
            return list(future.result())
    except StoppedError as error:
        if len(tasks) == 1:
            return [Rejected("work", error.reason, str(error))]
    # One of them did it: each on its own tells which.
    return [
        result
        for task in tasks
        for result in _outcomes(pool, [task], _schedule(pool, [task], limits), limits)
    ]


# --- inside a worker ---------------------------------------------------------------------------

_sources: Mapping[str, Source] = Sources()
_database: str | None = None


def _start_worker(
    sources: Mapping[str, Source], memory: int, nice: int, database: str | None
) -> None:
    global _sources, _database
    _sources, _database = sources, database
    collect_rarely()
    if nice and hasattr(os, "nice"):
        os.nice(nice)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    except (ImportError, ValueError, OSError):
        pass  # not on this system: the time bound still holds


def _work(tasks: list[_Task]) -> list[Article | Rejected]:
    return [_process(page, learned) for page, learned in tasks]


def _process(page: RawPage, learned: Learned | None) -> Article | Rejected:
    from pipelines.prepare import prepare
    from pipelines.process import process

    try:
        result = process(page, find_source(_sources, page.source, page.url), learned)
        if _database and isinstance(result, Article):
            return prepare(result, _database)
        return result
    except MemoryError:
        return Rejected("work", Reason.CRASHED, "it needed more memory than a page may take")
    except Exception as error:  # a defect of ours must cost one page, not the run
        frames = [f.name for f in traceback.extract_tb(error.__traceback__)]
        detail = f"{type(error).__name__} in {frames[-1]}: {error}"
        return Rejected("work", Reason.CRASHED, detail[:500])
