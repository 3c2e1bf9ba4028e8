"""Files in, rows out: the pages of a replay through `process` and into the store, in order."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Engine

from crawler.pool import Pool
from crawler.work import Limits, Page, Result, results, workers
from pipelines.arabic import match_key
from pipelines.db.engine import read, usable
from pipelines.db.learn import active_lines, refused_lines, wanted_lines
from pipelines.db.store import (
    Arrival,
    Outcome,
    Written,
    arrival_of,
    finish_run,
    start_run,
    write_batch,
)
from pipelines.db.templates import (
    Months,
    active_templates,
    full_samples,
    in_turn,
    unused_months,
)
from pipelines.document import (
    LEARNED_RULE,
    REASONS,
    Article,
    Learned,
    RawPage,
    Reason,
    Rejected,
    Template,
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
    taken out of the articles seen, `ad_hoc` sources that no file describes, `passed` the files
    that an earlier run on a cluster has read."""

    run: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    problems: list[Written] = field(default_factory=list)
    ad_hoc: set[str] = field(default_factory=set)
    passed: int = 0
    seconds: float = 0.0

    def add(
        self, batch: list[Arrival], written: list[Written], sources: Mapping[str, Source]
    ) -> None:
        """Counts what a batch brought."""
        for arrival, entry in zip(batch, written, strict=True):
            self.counts[str(entry.outcome)] += 1
            if isinstance(arrival.result, Article):
                self.removed.update(line.rule for line in arrival.result.removed)
            if arrival.source not in (None, UNNAMED, *sources):
                self.ad_hoc.add(str(arrival.source))
            if entry.reason and len(self.problems) < _NAMED:
                self.problems.append(entry)

    def include(
        self, counts: Mapping[str, int], removed: Mapping[str, int], problems: list[Written]
    ) -> None:
        """Counts what was counted elsewhere."""
        self.counts.update(counts)
        self.removed.update(removed)
        self.problems += problems[: _NAMED - len(self.problems)]

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
    with (
        running(engine, command) as summary,
        workers(sources, limits, engine.dialect.name) as pool,
        ThreadPoolExecutor(1, "database") as writing,
    ):
        lines = LearnedLines(engine, sources)

        def write(pairs: list[tuple[Page, Result]]) -> None:
            pairs = lines.apply(pairs, pool, limits)
            batch = [arrival_of(p, result, hash_of(p, result)) for p, result in pairs]
            write_learning(engine, summary, batch, sources, lines)
            summary.seconds = time.monotonic() - began
            notice(summary)

        # One batch is written while the workers go on with the next; no third one is begun.
        under_way: Future[None] | None = None
        done = results(pages, sources, limits, lines.of_page, pool)
        for pairs in batches(done, batch_size):
            if under_way is not None:
                under_way.result()
            under_way = writing.submit(write, pairs)
        if under_way is not None:
            under_way.result()
    summary.seconds = time.monotonic() - began
    return summary


@contextmanager
def running(engine: Engine, command: str) -> Iterator[Summary]:
    """A run, from its start to its end, whatever that is."""
    summary = Summary(run=start_run(engine, command))
    try:
        yield summary
    except BaseException as error:
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        with suppress(DatabaseError):  # what went wrong first is what must be told
            finish_run(engine, summary.run, status, summary.counts)
        raise
    finish_run(engine, summary.run, "done", summary.counts)


def batches(done: Iterator[tuple[Page, Result]], size: int) -> Iterator[list[tuple[Page, Result]]]:
    """Portions of `size`; smaller ones where a portion has taken long or is large."""
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


@dataclass(frozen=True)
class Known:
    """What a database has learned of sources, as plain values that can be sent elsewhere.

    `lines` are taken out of a source's pages, `refused` never are; `templates` apply, those of
    the months in `unused` do not; `samples` tell which pages teach more.
    """

    lines: Mapping[str, frozenset[str]] = field(default_factory=dict)
    refused: Mapping[str, frozenset[str]] = field(default_factory=dict)
    templates: Mapping[str, Months] = field(default_factory=dict)
    unused: Mapping[str, frozenset[str]] = field(default_factory=dict)
    samples: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def known_of(engine: Engine) -> Known:
    with usable(engine), read(engine) as connection:
        return Known(
            active_lines(connection),
            refused_lines(connection),
            active_templates(connection),
            unused_months(connection),
            full_samples(connection),
        )


#: Pages without their bytes -> the same with them.
WithBytes = Callable[[Sequence[RawPage]], Sequence[RawPage]]


class LearnedLines:
    """The lines that each source's pages repeat, as the database has them.

    `before` is what another database knows beside it, and comes first where they differ.
    """

    def __init__(
        self, engine: Engine, sources: Mapping[str, Source], before: Known | None = None
    ) -> None:
        self._engine, self._sources = engine, sources
        self._before = before or Known()
        with usable(engine), read(engine) as connection:
            self._lines = active_lines(connection)
            self._templates = active_templates(connection)
            self._samples = full_samples(connection)
        # One object for all pages alike: what is sent to a worker holds it once.
        self._told: dict[tuple[str, tuple[Template, ...]], Learned] = {}

    def of_page(self, page: RawPage) -> Learned:
        """What is known of a page before it is read: its source may still prove to be another."""
        source = find_source(self._sources, page.source, page.url)
        host = host_of(page.url) if page.url else None
        key = source.key if source else host or UNNAMED
        templates = in_turn(self._months(key), page.fetched_at)
        told = self._told
        if (key, templates) not in told:
            lines = self._settled(key, self._lines.get(key, frozenset()))
            told[key, templates] = Learned(lines, templates, self._sample(key))
        return told[key, templates]

    def apply(
        self,
        pairs: list[tuple[Page, Result]],
        pool: Pool,
        limits: Limits,
        with_bytes: WithBytes = lambda pages: pages,
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
            own = {candidate.key for candidate in result.candidates}
            lines = self._settled(result.source, next(wanted)) & own
            used = {match_key(r.text) for r in result.removed if r.rule == LEARNED_RULE} & own
            if used != lines:
                known = self.of_page(page)
                known_lines = self._settled(
                    result.source, self._lines.get(result.source, frozenset())
                )
                again[at] = (page, replace(known, lines=known_lines - own | lines))
        if not again:
            return pairs
        pages = with_bytes([page for page, _ in again.values()])
        learned = iter([learned for _, learned in again.values()])
        redone = results(pages, self._sources, limits, lambda _: next(learned), pool)
        done = dict(zip(again, redone, strict=True))
        return [done.get(at, pair) for at, pair in enumerate(pairs)]

    def refresh(self, keys: set[str]) -> None:
        """Reads the lines and templates of those sources anew."""
        with usable(self._engine), read(self._engine) as connection:
            found = active_lines(connection, keys)
            templates = active_templates(connection, keys)
            samples = full_samples(connection, keys)
        # Whole dictionaries change at once: another thread asks meanwhile what is known of a page.
        self._lines = _without(self._lines, keys) | found
        self._templates = _without(self._templates, keys) | templates
        self._samples = _without(self._samples, keys) | samples
        self._told = {}

    def _settled(self, key: str, lines: frozenset[str]) -> frozenset[str]:
        before = self._before
        return lines - before.refused.get(key, frozenset()) | before.lines.get(key, frozenset())

    def _months(self, key: str) -> Months:
        before, own = self._before, self._templates.get(key, {})
        if not before.templates.get(key) and not before.unused.get(key):
            return own
        unused = before.unused.get(key, frozenset())
        kept = {month: template for month, template in own.items() if month not in unused}
        return kept | dict(before.templates.get(key, {}))

    def _sample(self, key: str) -> Mapping[str, str]:
        """Of each month the smaller end: a page beyond either is not wanted."""
        own, before = self._samples.get(key, {}), self._before.samples.get(key, {})
        return {
            month: min(ends[month] for ends in (own, before) if month in ends)
            for month in own.keys() | before.keys()
        }


def _without(known: dict[str, Any], keys: set[str]) -> dict[str, Any]:
    return {key: value for key, value in known.items() if key not in keys}


def write_learning(
    engine: Engine,
    summary: Summary,
    batch: list[Arrival],
    sources: Mapping[str, Source],
    lines: LearnedLines,
) -> list[Written]:
    """Writes a batch of a run, counts it, and reads what it has taught."""
    written = write_batch(engine, summary.run, batch, sources)
    lines.refresh({arrival.source for arrival in batch if arrival.source})
    summary.add(batch, written, sources)
    return written


def hash_of(page: Page, result: Result) -> str | None:
    if isinstance(result, Article):
        return result.raw_hash
    return None if isinstance(page, Unreadable) else raw_hash(page.body)


# --- without a database ------------------------------------------------------------------------


def extract_row(page: Page, result: Result) -> dict[str, Any]:
    """What `warraq extract` prints for a page. The names are fixed: other tools read them.

    `outcome` is what a replay into an empty database would say.
    """
    if isinstance(result, Article):
        return _article_json(result)
    outcome, _, advice = REASONS[result.reason]
    row = dict.fromkeys(EXTRACTED)
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
    facts = {
        "path": article.path,
        "url": article.url,
        "outcome": str(Outcome.STORED),
        "source": article.source,
        "blocks": [{"kind": str(block.kind), "text": block.text} for block in article.blocks],
        "published_at": article.published and article.published.iso,
        "modified_at": article.modified and article.modified.iso,
        "date_candidates": [
            {"method": method, "role": role, "text": text}
            for method, role, text in article.date_candidates
        ],
        "removed": [{"text": line.text, "rule": line.rule} for line in article.removed],
    }
    return dict.fromkeys(EXTRACTED) | article.facts() | facts


#: The names in their order.
EXTRACTED = (
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
