"""Stored articles, read again from their bytes by today's rules and learned lines."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from crawler.readers import ReadOptions, read, read_record
from crawler.replay import BATCH_SECONDS
from crawler.work import Limits, Page, Result, results
from pipelines.db.engine import read as reading
from pipelines.db.engine import usable
from pipelines.db.history import Place, Role, Stored, stored_articles
from pipelines.db.store import (
    Change,
    Corrected,
    Reread,
    correct_batch,
    finish_run,
    recount_lines,
    start_run,
)
from pipelines.db.templates import Months, active_templates, full_samples, in_turn
from pipelines.document import Article, Learned, Origin, RawPage, Reason, Unreadable
from pipelines.errors import DatabaseError
from pipelines.source import Source
from pipelines.stages.fingerprint import raw_hash

BATCH = 200
#: So many articles that could not be read again are named in a summary.
_NAMED = 1000


@dataclass
class Summary:
    """What a run did: articles per change, lines that left and joined texts, and the articles
    that are kept as they were though their bytes were not read."""

    run: int | None = None
    counts: Counter[str] = field(default_factory=Counter)
    gone: int = 0
    come: int = 0
    problems: list[Corrected] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def articles(self) -> int:
        return self.counts.total()

    def as_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "articles": self.articles,
            "seconds": round(self.seconds, 3),
            "changes": {str(c): self.counts[c] for c in Change if self.counts[c]},
            "lines_gone": self.gone,
            "lines_come": self.come,
            "problems": [
                {"article": p.name, "change": str(p.change), "detail": p.detail}
                for p in self.problems
            ],
        }


@dataclass(frozen=True)
class Known:
    """What is learned of each source while its articles are read again: the same for all."""

    lines: Mapping[str, frozenset[str]]
    templates: Mapping[str, Months]
    samples: Mapping[str, Mapping[str, str]]

    def of_page(self, page: RawPage) -> Learned:
        key = page.source or ""
        return Learned(
            self.lines.get(key, frozenset()),
            in_turn(self.templates.get(key, {}), page.fetched_at),
            self.samples.get(key, {}),
        )


_PROBLEMS = (Change.REJECTED, Change.FAILED, Change.MISSING)


def reprocess(
    engine: Engine,
    sources: Mapping[str, Source],
    limits: Limits,
    options: ReadOptions,
    command: str,
    *,
    source: str | None = None,
    since: datetime | None = None,
    dry_run: bool = False,
    notice: Callable[[Summary, Sequence[Corrected]], None] = lambda *_: None,
) -> Summary:
    """Reads the articles' bytes again and corrects what is stored; `notice` hears of each batch.

    All articles, or those of a source, or those last seen `since` then. What is known of repeated
    lines is counted up first and then holds for all of them, so that their order does not matter.
    Safe to kill and to repeat. Raises DatabaseError if the database can't be used.
    """
    began = time.monotonic()
    summary = Summary(run=None if dry_run else start_run(engine, command))
    try:
        lines = recount_lines(engine, source, dry_run=dry_run)
        with usable(engine), reading(engine) as connection:
            known = Known(lines, active_templates(connection), full_samples(connection))
        for batch in _batches(engine, sources, limits, options, known, source, since):
            done = correct_batch(engine, batch, sources, dry_run=dry_run)
            for each in done:
                summary.counts[each.change] += 1
                summary.gone += len(each.gone)
                summary.come += len(each.come)
                if each.change in _PROBLEMS and len(summary.problems) < _NAMED:
                    summary.problems.append(each)
            summary.seconds = time.monotonic() - began
            notice(summary, done)
    except BaseException as error:
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        if summary.run is not None:
            with suppress(DatabaseError):  # what went wrong first is what must be told
                finish_run(engine, summary.run, status, summary.counts)
        raise
    if summary.run is not None:
        finish_run(engine, summary.run, "done", summary.counts)
    summary.seconds = time.monotonic() - began
    return summary


def _batches(
    engine: Engine,
    sources: Mapping[str, Source],
    limits: Limits,
    options: ReadOptions,
    known: Known,
    source: str | None,
    since: datetime | None,
) -> Iterator[list[Reread]]:
    sent: deque[tuple[Stored, Place | None]] = deque()
    files = _Files(options)

    def pages() -> Iterator[Page]:
        for stored in _stored(engine, source, since):
            sent.append((stored, None))
            yield files.first(stored.own, stored.source)
            for place in stored.others:
                sent.append((stored, place))
                yield files.page(place, stored.source)

    batch: list[Reread] = []
    parts: list[tuple[Place | None, Result]] = []
    due = time.monotonic() + BATCH_SECONDS
    for _, result in results(pages(), sources, limits, known.of_page):
        stored, place = sent.popleft()
        parts.append((place, result))
        if place is not (stored.others[-1] if stored.others else None):
            continue
        batch.append(_reread(stored, parts))
        parts = []
        if len(batch) >= BATCH or time.monotonic() >= due:
            yield batch
            batch = []
            due = time.monotonic() + BATCH_SECONDS
    if batch:
        yield batch


def _stored(engine: Engine, source: str | None, since: datetime | None) -> Iterator[Stored]:
    last = 0
    while True:
        with usable(engine), reading(engine) as connection:
            portion = stored_articles(connection, last, BATCH, source, since)
        yield from portion
        if not portion:
            return
        last = portion[-1].article_id


def _reread(stored: Stored, parts: Sequence[tuple[Place | None, Result]]) -> Reread:
    """The article's own bytes, which come first, and its versions and copies."""
    others = [(place, r) for place, r in parts[1:] if place and isinstance(r, Article)]
    return Reread(
        stored.article_id,
        stored.name,
        parts[0][1],
        {place.raw_hash: article for place, article in others if place.role is Role.VERSION},
        [article for place, article in others if place.role is Role.COPY],
    )


class _Files:
    """Bytes by their place. A file of many lines or rows is read on from where it was read to."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._path: str | None = None
        self._pages: Iterator[Page] = iter(())
        self._held: Page | None = None

    def first(self, places: Sequence[Place], source: str) -> Page:
        """The page from the first place that still has it, or why the first has not."""
        why: Page | None = None
        for place in places:
            page = self.page(place, source)
            if isinstance(page, RawPage):
                return page
            why = why or page
        assert why is not None, "an article has one place at least"  # noqa: S101
        return why

    def page(self, place: Place, source: str) -> Page:
        """The page as it was, or why it can't be had."""
        try:
            page = self._find(place)
        except OSError as error:
            said = error.strerror or "can't be read"
            return Unreadable(place.name, Reason.MISSING, f"{place.name}: {said}")
        if page is None:
            return Unreadable(place.name, Reason.MISSING, f"{place.name}: is not there any more")
        if isinstance(page, Unreadable):
            return replace(page, detail=f"{place.name}: {page.detail}")
        if raw_hash(page.body) != place.raw_hash:
            detail = f"{place.name}: the file has changed since; replay it"
            return Unreadable(place.name, Reason.MISSING, detail)
        return replace(
            page,
            source=page.source or source,
            url=page.url or place.url,
            fetched_at=page.fetched_at or place.fetched_at,
        )

    def _find(self, place: Place) -> Page | None:
        if place.archive is not None and place.offset is not None:
            return read_record(place.archive, place.offset, self._options)
        if place.path is None or place.path == "-" or place.path.startswith("-#"):
            return None
        if place.origin not in (Origin.JSONL, Origin.PARQUET):
            return next(read([place.path], self._options), None)
        path, _, number = place.path.rpartition("#")
        wanted = int(number) if number.isdecimal() else 0
        if self._path != path or self._at() > wanted:
            self._path = path
            self._pages = read([path], self._options)
            self._held = next(self._pages, None)
        while self._held is not None and self._at() < wanted:
            self._held = next(self._pages, None)
        return self._held if self._at() == wanted else None

    def _at(self) -> int:
        """The line or row that was read last; 0 for what is none."""
        number = (self._held.path or "").rpartition("#")[2] if self._held else ""
        return int(number) if number.isdecimal() else 0
