"""Pages -> results, in worker processes: a page that hangs, eats memory or kills its process
costs one page and a bounded time, never the run. A worker loads this module: it takes in what
`process` needs, neither Scrapy nor SQLAlchemy, which cost each of them a second.

pebble's pool was picked over the standard one, which neither stops a task that holds the
interpreter nor survives a worker's crash.
"""

import asyncio
import os
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pebble.pool.process
from pebble import ProcessExpired, ProcessPool

from crawler.forking import worker_context
from pipelines.document import Article, Learned, RawPage, Reason, Rejected, Unreadable
from pipelines.source import Source, Sources, find_source

# pebble reckons by the wall clock: one that is set forward would end pages that are well, one that
# is set back would let a page hang.
_clock: Any = SimpleNamespace(time=time.monotonic, sleep=time.sleep)
pebble.pool.process.time = _clock  # type: ignore[attr-defined]

_T = TypeVar("_T")
_Future = Any  # pebble names its future, but not what it brings
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
) -> Iterator[ProcessPool]:
    """Worker processes that know the sources, for `results`. Ends them, with what they do.

    `database`, sqlite or postgresql, is where their articles will be stored: then they prepare
    that as well.
    """
    pool = ProcessPool(
        max_workers=limits.processes,
        max_tasks=_TASKS,
        context=worker_context(),
        initializer=_start_worker,
        initargs=[Sources(sources), limits.memory, limits.nice, database],
    )
    _keep_going(pool)
    try:
        yield pool
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _keep_going(pool: ProcessPool) -> None:
    """pebble gives up the whole pool if a worker is killed while none is at work; here another
    one takes its place."""
    manager = pool._pool_manager
    find = manager.find_expired_task

    def find_or_none(worker: int) -> Any:
        try:
            return find(worker)
        except BrokenProcessPool as error:
            raise LookupError(str(error)) from error

    manager.find_expired_task = find_or_none  # type: ignore[method-assign,assignment]


def results(
    pages: Iterable[Page],
    sources: Mapping[str, Source],
    limits: Limits,
    learned: LearnedOf = lambda _: None,
    pool: ProcessPool | None = None,
) -> Iterator[tuple[Page, Result]]:
    """Each page with its result, in the order of the pages. Reads only a few pages ahead.

    `learned` is asked for each page when it is sent; `pool` are `workers` to use, else they are
    started for these pages.
    """
    if pool is None:
        with workers(sources, limits) as own:
            yield from results(pages, sources, limits, learned, own)
        return
    waiting: deque[tuple[list[Page], list[_Task], _Future | None]] = deque()
    for chunk in _chunks(pages):
        tasks = [(page, learned(page)) for page in chunk if isinstance(page, RawPage)]
        waiting.append((chunk, tasks, _schedule(pool, tasks, limits)))
        while len(waiting) >= limits.processes * _AHEAD:
            yield from _finished(pool, *waiting.popleft(), limits)
    while waiting:
        yield from _finished(pool, *waiting.popleft(), limits)


async def result_of(
    pool: ProcessPool, page: RawPage, learned: Learned | None, limits: Limits
) -> Result:
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


async def run(pool: ProcessPool, limits: Limits, work: Callable[..., _T], *args: Any) -> _T:
    """`work(*args)` in a worker process. Raises StoppedError."""
    with _named_stop(limits):
        future = pool.schedule(work, args=args, timeout=limits.seconds)
        return cast(_T, await asyncio.wrap_future(future))


@contextmanager
def _named_stop(limits: Limits) -> Iterator[None]:
    """What pebble raises of a future as StoppedError."""
    try:
        yield
    except FutureTimeoutError:
        detail = f"stopped after {limits.seconds:g} s"
        raise StoppedError(Reason.TIMEOUT, detail) from None
    except ProcessExpired as error:
        detail = f"the worker process died (code {error.exitcode})"
        raise StoppedError(Reason.CRASHED, detail) from None


_Task = tuple[RawPage, Learned | None]


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


def _schedule(pool: ProcessPool, tasks: list[_Task], limits: Limits) -> _Future | None:
    return pool.schedule(_work, args=[tasks], timeout=limits.seconds) if tasks else None


def _finished(
    pool: ProcessPool,
    chunk: list[Page],
    tasks: list[_Task],
    future: _Future | None,
    limits: Limits,
) -> Iterator[tuple[Page, Result]]:
    done = iter(_outcomes(pool, tasks, future, limits))
    for page in chunk:
        yield page, page if isinstance(page, Unreadable) else next(done)


def _outcomes(
    pool: ProcessPool, tasks: list[_Task], future: _Future | None, limits: Limits
) -> list[Result]:
    if future is None:
        return []
    try:
        with _named_stop(limits):
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
