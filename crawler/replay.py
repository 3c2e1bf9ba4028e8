"""Files in, rows out: the pages of a replay through `process` and into the store, in order."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine

from crawler.work import Limits, Page, Result, results
from pipelines.db.store import (
    Arrival,
    Outcome,
    Written,
    arrival_of,
    finish_run,
    start_run,
    write_batch,
)
from pipelines.document import REASONS, Article, Reason, Rejected, Unreadable
from pipelines.errors import DatabaseError
from pipelines.source import UNNAMED, Source
from pipelines.stages.fingerprint import raw_hash

BATCH = 500
#: A batch is written at the latest after so long: a kill costs no more work than that.
BATCH_SECONDS = 2.0
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
        for batch in _batches(results(pages, sources, limits), batch_size):
            written = write_batch(engine, summary.run, batch, sources)
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


def _batches(done: Iterator[tuple[Page, Result]], size: int) -> Iterator[list[Arrival]]:
    batch: list[Arrival] = []
    due = time.monotonic() + BATCH_SECONDS
    for page, result in done:
        batch.append(arrival_of(page, result, _hash_of(page, result)))
        if len(batch) >= size or time.monotonic() >= due:
            yield batch
            batch = []
            due = time.monotonic() + BATCH_SECONDS
    if batch:
        yield batch


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
