"""Pages -> results, in worker processes: a page that hangs, eats memory or kills its process
costs one page and a bounded time, never the run.

pebble's pool was picked over the standard one, which neither stops a task that holds the
interpreter nor survives a worker's crash.
"""

import os
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pebble import ProcessExpired, ProcessPool

from crawler.forking import worker_context
from pipelines.document import Article, Learned, RawPage, Reason, Rejected, Unreadable
from pipelines.source import Source, find_source

_Future = Any  # pebble names its future, but not what it brings
Result = Article | Rejected | Unreadable
Page = RawPage | Unreadable
#: What is known of a page's source when the page is sent to a worker.
LearnedOf = Callable[[RawPage], Learned | None]


@dataclass(frozen=True, slots=True)
class Limits:
    """`workers`: processes. `seconds`, `memory` (bytes): what one page may take."""

    workers: int = 0
    seconds: float = 60.0
    memory: int = 4 << 30

    @property
    def processes(self) -> int:
        return self.workers or len(os.sched_getaffinity(0))


#: Small pages travel together: a task costs about 1 ms, a page of plain text less.
_CHUNK_PAGES = 16
_CHUNK_BYTES = 256_000
#: Tasks under way or waiting, for each worker: enough to keep it busy, little to hold in memory.
_AHEAD = 3


@contextmanager
def workers(sources: Mapping[str, Source], limits: Limits) -> Iterator[ProcessPool]:
    """Worker processes that know the sources, for `results`. Ends them, with what they do."""
    pool = ProcessPool(
        max_workers=limits.processes,
        context=worker_context(),
        initializer=_start_worker,
        initargs=[dict(sources), limits.memory],
    )
    try:
        yield pool
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


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
        return list(future.result())
    except FutureTimeoutError:
        detail, reason = f"stopped after {limits.seconds:g} s", Reason.TIMEOUT
    except ProcessExpired as error:
        detail, reason = f"the worker process died (code {error.exitcode})", Reason.CRASHED
    if len(tasks) == 1:
        return [Rejected("work", reason, detail)]
    # One of them did it: each on its own tells which.
    return [
        result
        for task in tasks
        for result in _outcomes(pool, [task], _schedule(pool, [task], limits), limits)
    ]


# --- inside a worker ---------------------------------------------------------------------------

_sources: Mapping[str, Source] = {}


def _start_worker(sources: Mapping[str, Source], memory: int) -> None:
    global _sources
    _sources = sources
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    except (ImportError, ValueError, OSError):
        pass  # not on this system: the time bound still holds


def _work(tasks: list[_Task]) -> list[Article | Rejected]:
    return [_process(page, learned) for page, learned in tasks]


def _process(page: RawPage, learned: Learned | None) -> Article | Rejected:
    from pipelines.process import process

    try:
        return process(page, find_source(_sources, page.source, page.url), learned)
    except MemoryError:
        return Rejected("work", Reason.CRASHED, "it needed more memory than a page may take")
    except Exception as error:  # a defect of ours must cost one page, not the run
        frames = [f.name for f in traceback.extract_tb(error.__traceback__)]
        detail = f"{type(error).__name__} in {frames[-1]}: {error}"
        return Rejected("work", Reason.CRASHED, detail[:500])
