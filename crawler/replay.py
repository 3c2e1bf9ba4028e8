"""Files in, rows out: the pages of a replay through `process` and into the store, in order."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pebble import ProcessPool
from sqlalchemy import Engine

from crawler.work import Limits, Page, Result, results, workers
from pipelines.arabic import match_key
from pipelines.db.engine import read, usable
from pipelines.db.learn import active_lines, wanted_lines
from pipelines.db.store import (
    Arrival,
    Outcome,
    Written,
    arrival_of,
    finish_run,
    start_run,
    write_batch,
)
from pipelines.document import (
    LEARNED_RULE,
    REASONS,
    Article,
    Learned,
    RawPage,
    Reason,
    Rejected,
    Unreadable,
)
from pipelines.errors import DatabaseError
from pipelines.source import UNNAMED, Source, find_source
from pipelines.stages.fingerprint import raw_hash
from pipelines.urls import host_of

BATCH = 500
#: A batch is written at the latest after so long: a kill costs no more work than that.
BATCH_SECONDS = 2.0
#: The bytes of a batch's pages are held until it is written.
BATCH_BYTES = 64_000_000
#: So many refused documents are named in a summary; the ledger has them all.
_NAMED = 1000


@dataclass
class Summary:
    """What a run did. `problems` are the documents that are no articles, `removed` rule -> lines
    taken out of the articles seen, `ad_hoc` sources that no file describes."""

    run: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    problems: list[Written] = field(default_factory=list)
    ad_hoc: set[str] = field(default_factory=set)
    seconds: float = 0.0

    @property
    def documents(self) -> int:
        return self.counts.total()

    def as_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "documents": self.documents,
            "seconds": round(self.seconds, 3),
            "outcomes": {str(o): self.counts[o] for o in Outcome if self.counts[o]},
            "removed_lines": dict(self.removed.most_common()),
            "ad_hoc_sources": sorted(self.ad_hoc),
            "problems": [problem_json(problem) for problem in self.problems],
        }


def problem_json(problem: Written) -> dict[str, Any]:
    reason = problem.reason
    return {
        "document": problem.name,
        "outcome": str(problem.outcome),
        "reason": str(reason) if reason else None,
        "detail": problem.detail,
        "advice": REASONS[reason][2] if reason else None,
    }


def replay(
    engine: Engine,
    pages: Iterable[Page],
    sources: Mapping[str, Source],
    limits: Limits,
    command: str,
    notice: Callable[[Summary], None] = lambda _: None,
    batch_size: int = BATCH,
) -> Summary:
    """Stores pages as articles and keeps the ledger; `notice` hears of each batch written.

    Safe to kill at any point and to repeat: a batch is one transaction, and pages are written
    in the order in which they are read. Raises DatabaseError if the database can't be used.
    """
    began = time.monotonic()
    summary = Summary(run=start_run(engine, command))
    try:
        with workers(sources, limits) as pool:
            lines = LearnedLines(engine, sources)
            done = results(pages, sources, limits, lines.of_page, pool)
            for pairs in _batches(done, batch_size):
                pairs = lines.apply(pairs, pool, limits)
                batch = [arrival_of(p, result, _hash_of(p, result)) for p, result in pairs]
                written = write_batch(engine, summary.run, batch, sources)
                lines.refresh({arrival.source for arrival in batch if arrival.source})
                _add(summary, batch, written, sources)
                summary.seconds = time.monotonic() - began
                notice(summary)
    except BaseException as error:
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        with suppress(DatabaseError):  # what went wrong first is what must be told
            finish_run(engine, summary.run, status, summary.counts)
        raise
    finish_run(engine, summary.run, "done", summary.counts)
    summary.seconds = time.monotonic() - began
    return summary


def _batches(done: Iterator[tuple[Page, Result]], size: int) -> Iterator[list[tuple[Page, Result]]]:
    batch: list[tuple[Page, Result]] = []
    held = 0
    due = time.monotonic() + BATCH_SECONDS
    for page, result in done:
        batch.append((page, result))
        held += len(page.body) if isinstance(page, RawPage) else 0
        if len(batch) >= size or held >= BATCH_BYTES or time.monotonic() >= due:
            yield batch
            batch, held = [], 0
            due = time.monotonic() + BATCH_SECONDS
    if batch:
        yield batch


class LearnedLines:
    """The lines that each source's pages repeat, as the database has them."""

    def __init__(self, engine: Engine, sources: Mapping[str, Source]) -> None:
        self._engine, self._sources = engine, sources
        with usable(engine), read(engine) as connection:
            self._lines = active_lines(connection)

    def of_page(self, page: RawPage) -> Learned | None:
        """What is known of a page before it is read: its source may still prove to be another."""
        source = find_source(self._sources, page.source, page.url)
        host = host_of(page.url) if page.url else None
        lines = self._lines.get(source.key if source else host or UNNAMED)
        return Learned(lines) if lines else None

    def apply(
        self, pairs: list[tuple[Page, Result]], pool: ProcessPool, limits: Limits
    ) -> list[tuple[Page, Result]]:
        """Results as they are with all lines known that the pages before them teach.

        A page was sent to its worker before those ahead of it were counted, so that some are
        worked on twice: those where a line was found to be furniture, or found to be none, since.
        """
        articles = [result for _, result in pairs if isinstance(result, Article)]
        with usable(self._engine), read(self._engine) as connection:
            wanted = iter(wanted_lines(connection, articles))
        again: dict[int, tuple[RawPage, Learned]] = {}
        for at, (page, result) in enumerate(pairs):
            if not isinstance(result, Article) or not isinstance(page, RawPage):
                continue
            lines = next(wanted)
            own = {candidate.key for candidate in result.candidates}
            used = {match_key(r.text) for r in result.removed if r.rule == LEARNED_RULE} & own
            if used != lines:
                known = self._lines.get(result.source, frozenset())
                again[at] = (page, Learned(known - own | lines))
        if not again:
            return pairs
        pages = [page for page, _ in again.values()]
        learned = iter([learned for _, learned in again.values()])
        redone = results(pages, self._sources, limits, lambda _: next(learned), pool)
        done = dict(zip(again, redone, strict=True))
        return [done.get(at, pair) for at, pair in enumerate(pairs)]

    def refresh(self, keys: set[str]) -> None:
        """Reads the lines of those sources anew."""
        with usable(self._engine), read(self._engine) as connection:
            found = active_lines(connection, keys)
        for key in keys:
            self._lines.pop(key, None)
        self._lines.update(found)


def _hash_of(page: Page, result: Result) -> str | None:
    if isinstance(result, Article):
        return result.raw_hash
    return None if isinstance(page, Unreadable) else raw_hash(page.body)


def _add(
    summary: Summary, batch: list[Arrival], written: list[Written], sources: Mapping[str, Source]
) -> None:
    for arrival, entry in zip(batch, written, strict=True):
        summary.counts[str(entry.outcome)] += 1
        if isinstance(arrival.result, Article):
            summary.removed.update(line.rule for line in arrival.result.removed)
        if arrival.source not in (None, UNNAMED, *sources):
            summary.ad_hoc.add(str(arrival.source))
        if entry.reason and len(summary.problems) < _NAMED:
            summary.problems.append(entry)


# --- without a database ------------------------------------------------------------------------


def extract_row(page: Page, result: Result) -> dict[str, Any]:
    """What `warraq extract` prints for a page. The names are fixed: other tools read them.

    `outcome` is what a replay into an empty database would say.
    """
    if isinstance(result, Article):
        return _article_json(result)
    outcome, _, advice = REASONS[result.reason]
    row = dict.fromkeys(_FIELDS)
    return row | {
        "path": page.path,
        "url": page.url,
        "outcome": outcome,
        "reason": str(result.reason),
        "source": page.source,
        "blocks": [],
        "removed": [],
        "flags": [],
        "stage": result.stage if isinstance(result, Rejected) else "read",
        "detail": result.detail,
        "advice": advice,
    }


def _article_json(article: Article) -> dict[str, Any]:
    published, modified = article.published, article.modified
    return dict.fromkeys(_FIELDS) | {
        "path": article.path,
        "url": article.url,
        "outcome": str(Outcome.STORED),
        "reason": None,
        "source": article.source,
        "title": article.title,
        "title_method": article.title_method,
        "deck": article.deck,
        "text": article.text,
        "blocks": [{"kind": str(block.kind), "text": block.text} for block in article.blocks],
        "author": article.author,
        "agency": article.agency,
        "agency_method": article.agency_method,
        "place": article.place,
        "section": article.section,
        "site_name": article.site_name,
        "tags": list(article.tags),
        "language": article.language,
        "published_at": published and published.iso,
        "published_precision": published and str(published.precision),
        "published_method": published and published.method,
        "published_raw": published and published.raw,
        "published_confidence": published and published.confidence,
        "published_zone": published and published.zone,
        "published_conflicts": list(published.conflicts) if published else [],
        "modified_at": modified and modified.iso,
        "date_candidates": [
            {"method": method, "role": role, "text": text}
            for method, role, text in article.date_candidates
        ],
        "canonical_url": article.canonical_url,
        "content_hash": article.content_hash,
        "charset": article.charset,
        "removed": [{"text": line.text, "rule": line.rule} for line in article.removed],
        "flags": list(article.flags),
    }


_FIELDS = (
    "path",
    "url",
    "outcome",
    "reason",
    "source",
    "title",
    "title_method",
    "deck",
    "text",
    "blocks",
    "author",
    "agency",
    "agency_method",
    "place",
    "section",
    "site_name",
    "tags",
    "language",
    "published_at",
    "published_precision",
    "published_method",
    "published_raw",
    "published_confidence",
    "published_zone",
    "published_conflicts",
    "modified_at",
    "date_candidates",
    "canonical_url",
    "content_hash",
    "charset",
    "removed",
    "flags",
    "stage",
    "detail",
    "advice",
)


def is_broken(reason: Reason | None) -> bool:
    """Whether `--strict` counts it: all that failed, and what was refused as broken."""
    return reason is not None and reason not in _HARMLESS


_HARMLESS = {Reason.NOT_AN_ARTICLE, Reason.NO_TEXT, Reason.HTTP_STATUS, Reason.UNKNOWN_FORMAT}
