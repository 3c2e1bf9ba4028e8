"""Templates of sources: outlines of a sample of each month's pages, and what they teach.

Called by the store within its transactions. The sample are the pages of a month whose bytes have
the smallest hashes, and they are always read by the full extraction as well: so a template depends
on the pages alone, not on their order or on what was known when they came.
"""

from bisect import insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from pipelines.db.models import PageOutline, SourceRow, TemplateRow, table
from pipelines.document import Article, Outline, Template
from pipelines.stages.repeats import month_of
from pipelines.stages.templates import (
    LEAST_PAGES,
    agreement,
    learn,
    outline_json,
    outline_of,
    template_json,
    template_of,
)

#: Pages of a source and month that are outlined.
SAMPLE = 8
#: A template is applied if it agrees with the full extraction on so much of the text, ...
LEAST_AGREEMENT = 0.98
#: ... and fits this share of the pages that it was learned from.
LEAST_FITS = 0.5
#: A page is tried with so many templates.
MOST_TRIED = 3
APPLIED, RETIRED, REFUSED = "applied", "retired", "refused"

_OUTLINES = table(PageOutline)
_SOURCES = table(SourceRow)
_TEMPLATES = table(TemplateRow)

#: Month -> template.
Months = Mapping[str, Template]


def active_templates(
    connection: Connection, keys: Collection[str] | None = None
) -> dict[str, dict[str, Template]]:
    """Source key -> month -> template, of those that are applied; all sources, or some."""
    query = (
        select(_SOURCES.c.key, _TEMPLATES.c.month, _TEMPLATES.c.template)
        .join(_SOURCES, _SOURCES.c.id == _TEMPLATES.c.source_id)
        .where(_TEMPLATES.c.state == APPLIED)
        .order_by(_SOURCES.c.key, _TEMPLATES.c.month)
    )
    if keys is not None:
        query = query.where(_SOURCES.c.key.in_(sorted(keys)))
    found: dict[str, dict[str, Template]] = {}
    for row in connection.execute(query):
        found.setdefault(row.key, {})[row.month] = template_of(row.template)
    return found


def unused_months(connection: Connection) -> dict[str, frozenset[str]]:
    """Source key -> months whose template is not applied: retired, or refused by a person."""
    query = (
        select(_SOURCES.c.key, _TEMPLATES.c.month)
        .join(_SOURCES, _SOURCES.c.id == _TEMPLATES.c.source_id)
        .where(_TEMPLATES.c.state != APPLIED)
    )
    found: dict[str, set[str]] = {}
    for row in connection.execute(query):
        found.setdefault(row.key, set()).add(row.month)
    return {key: frozenset(months) for key, months in found.items()}


def full_samples(
    connection: Connection, keys: Collection[str] | None = None
) -> dict[str, dict[str, str]]:
    """Source key -> month -> largest hash of its sample, of the months whose sample is full."""
    query = select(_SOURCES.c.key, _OUTLINES.c.month, _OUTLINES.c.raw_hash).join(
        _SOURCES, _SOURCES.c.id == _OUTLINES.c.source_id
    )
    if keys is not None:
        query = query.where(_SOURCES.c.key.in_(sorted(keys)))
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in connection.execute(query):
        insort(found[row.key, row.month], row.raw_hash)
    ends: dict[str, dict[str, str]] = {}
    for (key, month), hashes in found.items():
        if len(hashes) >= SAMPLE:
            ends.setdefault(key, {})[month] = hashes[SAMPLE - 1]
    return ends


def in_turn(months: Months, fetched_at: datetime | None) -> tuple[Template, ...]:
    """The templates to try on a page: what was valid when it was fetched, newest first, then what
    came after; a few at most, each once."""
    at = fetched_at.astimezone(UTC).strftime("%Y-%m") if fetched_at else "9999"
    before = sorted((month for month in months if month <= at), reverse=True)
    after = sorted(month for month in months if month > at)
    return tuple(dict.fromkeys(months[month] for month in (*before, *after)))[:MOST_TRIED]


def note_outlines(
    connection: Connection, articles: Iterable[Article], ids: Mapping[str, int]
) -> None:
    """Takes the outlines of articles into the samples of their months, and learns from them anew.

    `ids` are the numbers of their sources. Noting a page again changes nothing.
    """
    new: dict[tuple[int, str], dict[str, Outline]] = defaultdict(dict)
    for article in articles:
        if article.outline is not None:
            month = month_of(article.published, article.fetched_at)
            new[ids[article.source], month][article.raw_hash] = article.outline
    for (source_id, month), outlines in sorted(new.items()):
        stored = _stored(connection, source_id, month)
        sample = dict(sorted((stored | outlines).items())[:SAMPLE])
        if sample == stored:
            continue
        of_month = (_OUTLINES.c.source_id == source_id, _OUTLINES.c.month == month)
        connection.execute(delete(_OUTLINES).where(*of_month))
        rows = [
            {
                "source_id": source_id,
                "month": month,
                "raw_hash": raw_hash,
                "outline": outline_json(outline),
            }
            for raw_hash, outline in sample.items()
        ]
        connection.execute(insert(_OUTLINES), rows)
        _decide(connection, source_id, month, list(sample.values()))


def listed_templates(connection: Connection, source: str | None = None) -> list[dict[str, Any]]:
    """Templates with what is known of them, but without their paths; newest first."""
    columns = [column for column in _TEMPLATES.c if column.name not in ("template", "source_id")]
    query = (
        select(_SOURCES.c.key.label("source"), *columns)
        .join(_SOURCES, _SOURCES.c.id == _TEMPLATES.c.source_id)
        .order_by(_SOURCES.c.key, _TEMPLATES.c.month.desc())
    )
    if source is not None:
        query = query.where(_SOURCES.c.key == source)
    return [
        {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in row.items()
        }
        for row in connection.execute(query).mappings()
    ]


def set_refused(
    connection: Connection, source: str, month: str, who: str | None, at: datetime
) -> bool:
    """Notes that a person refuses a template; `who` None takes that back. False: no such one."""
    number = select(_SOURCES.c.id).where(_SOURCES.c.key == source).scalar_subquery()
    of_month = (_TEMPLATES.c.source_id == number, _TEMPLATES.c.month == month)
    found = connection.execute(select(_TEMPLATES.c.source_id).where(*of_month)).scalar()
    if found is None:
        return False
    values: dict[str, Any] = {"decided_by": who, "decided_at": at if who else None}
    if who:
        values |= {"state": REFUSED, "reason": f"refused by {who}"}
    connection.execute(update(_TEMPLATES).where(*of_month).values(**values))
    if not who:
        _decide(connection, found, month, list(_stored(connection, found, month).values()))
    return True


def _stored(connection: Connection, source_id: int, month: str) -> dict[str, Outline]:
    query = (
        select(_OUTLINES.c.raw_hash, _OUTLINES.c.outline)
        .where(_OUTLINES.c.source_id == source_id, _OUTLINES.c.month == month)
        .order_by(_OUTLINES.c.raw_hash)
    )
    return {row.raw_hash: outline_of(row.outline) for row in connection.execute(query)}


def _decide(connection: Connection, source_id: int, month: str, outlines: list[Outline]) -> None:
    """Learns the month's template anew. What a person refused stays refused."""
    template = learn(outlines)
    # Each page is judged by what the others teach, so that those must be enough to learn from.
    if template is None or len(outlines) <= LEAST_PAGES:
        return
    agrees, fits = agreement(outlines)
    good = agrees >= LEAST_AGREEMENT and fits >= LEAST_FITS * len(outlines)
    row: dict[str, Any] = {
        "valid_from": date.fromisoformat(f"{month}-01") if month else None,
        "template": template_json(template),
        "learned_from": len(outlines),
        "fits": fits,
        "agreement": agrees,
        "state": APPLIED if good else RETIRED,
        "reason": f"fits {fits} of {len(outlines)} pages, like the full extraction to {agrees:.1%}",
    }
    same = (_TEMPLATES.c.source_id == source_id, _TEMPLATES.c.month == month)
    old = connection.execute(select(_TEMPLATES.c.decided_by).where(*same)).one_or_none()
    if old is None:
        connection.execute(insert(_TEMPLATES), [{"source_id": source_id, "month": month} | row])
        return
    if old.decided_by is not None:
        del row["state"], row["reason"]
    connection.execute(update(_TEMPLATES).where(*same).values(**row))
