"""Files in, rows out, on many machines, and the rows are those of one process.

Files are sent out, not pages: a worker reads them and sends back what they hold. Pages are stored
by this process alone and in the order of the files, so that nothing depends on which worker was
faster, and no worker needs the database. What other files taught of a source is not known to a
worker: it guesses from its own files and from what was known when they were sent, and pages for
which it guessed wrong are worked on again here (`LearnedLines.apply`).

Into Parquet, which knows of no other pages, the workers write themselves.
"""

import hashlib
import os
import pickle
import platform
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

import zstandard
from sqlalchemy import Engine

from crawler.parquet_parts import parts_of, remove_part, write_part
from crawler.pool import Pool
from crawler.readers import Found, Listed, ReadOptions, find, read_file
from crawler.replay import (
    EXTRACTED,
    Known,
    LearnedLines,
    Summary,
    WithBytes,
    batches,
    extract_row,
    hash_of,
    known_of,
    running,
    write_learning,
)
from crawler.work import Limits, Page, Result, results, workers
from pipelines.db.engine import open_engine, write
from pipelines.db.learn import note_pages
from pipelines.db.models import Base
from pipelines.db.store import (
    EXTRACTOR,
    Outcome,
    Written,
    arrival_of,
    note_files,
    read_files,
    register_sources,
)
from pipelines.document import REASONS, Article, RawPage, Reason, Rejected, Unreadable
from pipelines.errors import UsageError
from pipelines.source import Source, Sources

#: Small files go to a worker together, up to so many bytes on disk; a larger one goes alone.
SHARD_BYTES = 16_000_000
_SHARD_FILES = 500
#: A worker looks so often at what its pages have taught.
_LEARNED_AFTER = 50
#: Pages that come back, and are stored, in one piece.
_PORTION = 500
#: A file in which a worker met one of these may be read better another time.
_PASSING = {Reason.MISSING, Reason.NO_PERMISSION, Reason.UNREADABLE}


@dataclass(frozen=True, slots=True)
class File:
    """A file to read. `state` is another when the file has changed, or how it is to be read."""

    found: Found
    listed: Listed
    state: str

    @property
    def path(self) -> str:
        return self.found.path


#: Files that one worker reads at a time.
Shard = tuple[File, ...]


@dataclass(frozen=True)
class Job:
    """What holds for all shards: `home` is the folder that paths are relative to, `into` where
    Parquet goes, `known` what was learned until now."""

    release: str
    home: str
    sources: Sources
    options: ReadOptions
    limits: Limits
    into: str | None = None
    known: Known = field(default_factory=Known)


@dataclass(frozen=True, slots=True)
class Lost:
    """What became of a shard whose worker died, again and again, or failed."""

    detail: str


#: Calls a function for each job and shard, on any machine, and gives each shard with what came of
#: it, in order. It asks for a few shards ahead, no more. `crawler/on_ray.py` is one.
Cluster = Callable[
    [Callable[[Job, Shard], Any], Iterable[tuple[Job, Shard]]], Iterator[tuple[Shard, Any]]
]


# --- into a database -------------------------------------------------------------------------


def replay_on(
    cluster: Cluster,
    engine: Engine,
    paths: Sequence[str],
    options: ReadOptions,
    sources: Mapping[str, Source],
    limits: Limits,
    command: str,
    notice: Callable[[Summary, int], None] = lambda *_: None,
    *,
    anew: bool = False,
    shard_bytes: int = SHARD_BYTES,
) -> Summary:
    """Stores the files' pages as `crawler.replay.replay` does; `notice` hears of each shard that
    is stored, with its bytes on disk.

    Files that an earlier run has read to their end are passed by, unless they have changed or
    all are to be read `anew`. Safe to kill at any point and to repeat.
    """
    began = time.monotonic()
    files, unread = _files(paths, options)
    states = {} if anew else read_files(engine, [file.path for file in files])
    wanted = [file for file in files if states.get(file.path) != file.state]
    with running(engine, command) as summary, workers(sources, limits) as pool:
        summary.passed = len(files) - len(wanted)
        lines = LearnedLines(engine, sources)

        def tasks(shards: Iterable[Shard]) -> Iterator[tuple[Job, Shard]]:
            job = _job(sources, options, limits)
            for shard in shards:
                known = known_of(engine)
                if known != job.known:  # else a machine that has the job need not have it again
                    job = replace(job, known=known)
                yield job, shard

        def store(rows: list[Row], with_bytes: WithBytes) -> list[Written]:
            pairs = [(row.page, row.result) for row in rows]
            pairs = lines.apply(pairs, pool, limits, with_bytes)
            batch = [
                arrival_of(page, result, row.raw_hash)
                for row, (page, result) in zip(rows, pairs, strict=True)
            ]
            written = write_learning(engine, summary, batch, sources, lines)
            summary.seconds = time.monotonic() - began
            return written

        if unread:
            store([Row(0, each, each, None) for each in unread], list)
        for shard, brought in _each(cluster, read_shard, tasks, _shards(wanted, shard_bytes)):
            again = _Again(shard, options)
            counts: list[Counter[str]] = [Counter() for _ in shard]
            whole = set() if isinstance(brought, Lost) else set(range(len(shard)))
            for rows in _rows_of(shard, brought):
                for row, entry in zip(rows, store(rows, again.with_bytes), strict=True):
                    counts[row.file][str(entry.outcome)] += 1
                    if entry.reason in _PASSING:
                        whole.discard(row.file)
            done = [(shard[at].path, shard[at].state, counts[at]) for at in sorted(whole)]
            note_files(engine, summary.run, done)
            notice(summary, _bytes(shard))
    summary.seconds = time.monotonic() - began
    return summary


def _each(
    cluster: Cluster,
    function: Callable[[Job, Shard], Any],
    tasks: Callable[[Iterable[Shard]], Iterable[tuple[Job, Shard]]],
    shards: Iterable[Shard],
) -> Iterator[tuple[Shard, Any]]:
    """Each shard with what came of it. Of a lost one each file is tried alone: one did it."""
    for shard, brought in cluster(function, tasks(shards)):
        if isinstance(brought, Lost) and len(shard) > 1:
            yield from _each(cluster, function, tasks, [(file,) for file in shard])
        else:
            yield shard, brought


def _rows_of(shard: Shard, brought: "list[bytes] | Lost") -> "Iterator[list[Row]]":
    if isinstance(brought, Lost):
        (lost,) = _unread(shard, brought)
        yield [Row(0, lost, lost, None)]
        return
    for portion in brought:
        # From our own workers, by way of Ray, which does the same with all that it carries.
        yield pickle.loads(zstandard.decompress(portion))  # noqa: S301


def _unread(shard: Shard, lost: Lost) -> list[Unreadable]:
    return [Unreadable(file.path, Reason.CRASHED, lost.detail) for file in shard]


class _Again:
    """The bytes of a shard's pages, read once more where they are needed."""

    def __init__(self, shard: Shard, options: ReadOptions) -> None:
        self._pages = (
            page for file in shard for page in read_file(file.found, options, file.listed)
        )

    def with_bytes(self, pages: Sequence[RawPage]) -> list[RawPage]:
        """The pages, which come in the order in which they are in the files."""
        return [self._next(page.path) for page in pages]

    def _next(self, path: str | None) -> RawPage:
        for page in self._pages:
            if page.path == path and isinstance(page, RawPage):
                return page
        raise UsageError(f"{path} has changed while it was read: run the same command again")


# --- into Parquet ----------------------------------------------------------------------------


def replay_into(
    cluster: Cluster,
    folder: str,
    paths: Sequence[str],
    options: ReadOptions,
    sources: Mapping[str, Source],
    limits: Limits,
    notice: Callable[[Summary, int], None] = lambda *_: None,
    *,
    anew: bool = False,
    shard_bytes: int = SHARD_BYTES,
) -> Summary:
    """Writes the rows of `warraq extract` as Parquet files into a folder, which may be a URL.

    A part of the folder holds the rows of some files. Parts that hold what the files say now are
    left as they are, others are replaced. Safe to kill at any point and to repeat.
    """
    began = time.monotonic()
    summary = Summary()
    files, unread = _files(paths, options)
    states = {file.path: file.state for file in files}
    there: set[str] = set()
    for part in parts_of(folder):
        if anew or any(path in states and state != states[path] for path, state in part.files):
            remove_part(folder, part)
        else:
            there |= {path for path, _ in part.files}
    wanted = [file for file in files if file.path not in there]
    summary.passed = len(files) - len(wanted)
    job = replace(_job(sources, options, limits), into=folder)

    def tasks(shards: Iterable[Shard]) -> Iterator[tuple[Job, Shard]]:
        return ((job, shard) for shard in shards)

    for shard, told in _each(cluster, write_shard, tasks, _shards(wanted, shard_bytes)):
        if isinstance(told, Lost):
            unread += _unread(shard, told)
            continue
        summary.include(told.counts, told.removed, told.problems)
        summary.seconds = time.monotonic() - began
        notice(summary, _bytes(shard))
    outcomes = Counter(REASONS[each.reason][0] for each in unread)
    summary.include(outcomes, Counter(), [_problem(each, each) for each in unread])
    # What no worker could read has a part of its own, of this run alone.
    rows = [extract_row(each, each) for each in unread]
    write_part(folder, "unread.parquet", rows, EXTRACTED, list)
    summary.seconds = time.monotonic() - began
    return summary


def _problem(page: Page, result: Rejected | Unreadable) -> Written:
    outcome = Outcome(REASONS[result.reason][0])
    return Written(page.name, outcome, result.reason, result.detail)


# --- files -----------------------------------------------------------------------------------


def _files(paths: Sequence[str], options: ReadOptions) -> tuple[list[File], list[Unreadable]]:
    """The files to read, and what can't be."""
    files: list[File] = []
    unread: list[Unreadable] = []
    for found, listed in find(paths, options):
        if isinstance(found, Unreadable):
            unread.append(found)
        elif found.path == "-" or (found.size is None and "://" not in found.path):
            raise UsageError(
                f"{found.path}: a pipe can't be sent to other machines: save it as a file, or "
                "use `warraq replay`"
            )
        else:
            files.append(File(found, listed, _state(found, listed, options)))
    return files, unread


def _state(found: Found, listed: Listed, options: ReadOptions) -> str:
    """A hash of all on which a file's pages and their reading depend."""
    told = (found.size, found.stamp, listed, options.source, dict(options.fields))
    said = repr((*told, options.max_bytes, EXTRACTOR))
    return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()


def _shards(files: Iterable[File], size: int) -> Iterator[Shard]:
    """Files in their order, small ones together."""
    shard: list[File] = []
    for file in files:
        full = _bytes(shard) + (file.found.size or size) > size
        if shard and (full or len(shard) >= _SHARD_FILES):
            yield tuple(shard)
            shard = []
        shard.append(file)
    if shard:
        yield tuple(shard)


def _bytes(shard: Iterable[File]) -> int:
    return sum(file.found.size or 0 for file in shard)


def _job(sources: Mapping[str, Source], options: ReadOptions, limits: Limits) -> Job:
    own = replace(limits, workers=1)  # of each worker of the cluster
    return Job(_release(), os.getcwd(), Sources(sources), options, own)


def _release() -> str:
    return f"warraq {version('warraq')}, {EXTRACTOR}"


# --- in a worker -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A page without its bytes, its result, and the number of its file in the shard."""

    file: int
    page: Page
    result: Result
    raw_hash: str | None


def read_shard(job: Job, shard: Shard) -> list[bytes]:
    """What the files' pages hold: portions of `Row`s, packed."""
    pool = _pool(job)
    portions: list[bytes] = []
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="warraq-") as folder:
        engine = open_engine(f"sqlite:///{folder}/learned.db", create=True)
        Base.metadata.create_all(engine)
        lines = LearnedLines(engine, job.sources, job.known)
        at: deque[int] = deque()
        done = results(_pages(shard, job, at), job.sources, job.limits, lines.of_page, pool)
        for pairs in batches(done, _LEARNED_AFTER):
            pairs = lines.apply(pairs, pool, job.limits)
            lines.refresh(_learn(engine, pairs, job.sources))
            rows += [
                Row(at.popleft(), _without_bytes(page), result, hash_of(page, result))
                for page, result in pairs
            ]
            if len(rows) >= _PORTION:
                portions.append(_packed(rows))
                rows = []
        engine.dispose()
    if rows:
        portions.append(_packed(rows))
    return portions


@dataclass
class Told:
    """What was written into a part, counted."""

    counts: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    problems: list[Written] = field(default_factory=list)


def write_shard(job: Job, shard: Shard) -> Told:
    """Writes the files' rows as a part of the folder."""
    pool = _pool(job)
    told = Told()
    at: deque[int] = deque()
    passing: set[int] = set()

    def rows() -> Iterator[dict[str, Any]]:
        for page, result in results(_pages(shard, job, at), job.sources, job.limits, pool=pool):
            number = at.popleft()
            row = extract_row(page, result)
            told.counts[row["outcome"]] += 1
            if isinstance(result, Article):
                told.removed.update(line.rule for line in result.removed)
            else:
                told.problems.append(_problem(page, result))
                if result.reason in _PASSING:
                    passing.add(number)
            yield row

    def files() -> list[tuple[str, str | None]]:
        return [(f.path, None if at in passing else f.state) for at, f in enumerate(shard)]

    said = repr([(file.path, file.state) for file in shard])
    name = hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()[:24]
    assert job.into is not None  # noqa: S101
    write_part(job.into, f"{name}.parquet", rows(), EXTRACTED, files)
    return told


def _pages(shard: Shard, job: Job, at: deque[int]) -> Iterator[Page]:
    """All pages of the files; `at` takes the number of each page's file."""
    for number, file in enumerate(shard):
        for page in read_file(file.found, job.options, file.listed):
            at.append(number)
            yield page


def _learn(engine: Engine, pairs: Sequence[tuple[Page, Result]], sources: Sources) -> set[str]:
    """Counts the articles' lines and outlines; the keys of their sources."""
    articles = [(result, page.path) for page, result in pairs if isinstance(result, Article)]
    keys = {article.source for article, _ in articles}
    ids = register_sources(engine, keys, sources)
    with write(engine) as connection:
        note_pages(connection, articles, ids)
    return keys


def _without_bytes(page: Page) -> Page:
    return replace(page, body=b"") if isinstance(page, RawPage) else page


def _packed(rows: list[Row]) -> bytes:
    return zstandard.compress(pickle.dumps(rows, pickle.HIGHEST_PROTOCOL), 3)


#: The worker's own process for pages, and the job that it was started for.
_held: tuple[Job, Pool] | None = None
_open = ExitStack()


def _pool(job: Job) -> Pool:
    """The process that this worker works on pages in: one that a page kills is replaced, and the
    page is named. It stays for all shards alike."""
    global _held
    if job.release != _release():
        raise UsageError(
            f"{platform.node()} has {_release()}, but the command is {job.release}: install the "
            "same on all machines"
        )
    if _held is None or not _is_served(job, _held[0]):
        _open.close()
        with suppress(OSError):  # then it has no files by paths that begin there
            os.chdir(job.home)
        _held = job, _open.enter_context(workers(job.sources, job.limits))
    return _held[1]


def _is_served(job: Job, before: Job) -> bool:
    return (job.home, job.sources, job.limits) == (before.home, before.sources, before.limits)
