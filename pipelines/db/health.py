"""The health of crawled sources: each against its own past, kept in the table `source_health`.

A table that `check` fills, and no view: medians and the third longest gap are one line each in
Python and a page of SQL in two dialects, and a source that was just crawled is checked from its
own rows alone, by index, whatever else the database holds. `checked_at` says how old a row is.

What is compared are articles, not days, where that is possible: the newest `NEWEST` against those
before them. So a source of fifty articles a day is found ill within hours, and one of two a week
is not judged by two articles.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from statistics import fmean, median
from typing import Any

from sqlalchemy import Connection, Engine, String, case, cast, delete, func, insert, select

from pipelines.db.engine import read, usable, write
from pipelines.db.models import (
    AddressRow,
    ArticleRow,
    LedgerRow,
    RemovedLineRow,
    SourceHealth,
    SourceRow,
    table,
)
from pipelines.document import Origin
from pipelines.source import Source

_ADDRESSES, _ARTICLES, _HEALTH = table(AddressRow), table(ArticleRow), table(SourceHealth)
_LEDGER, _REMOVED, _SOURCES = table(LedgerRow), table(RemovedLineRow), table(SourceRow)

_LISTS = ("feed", "sitemap", "listing")

#: Newest articles that are compared with those before them.
NEWEST = 20
#: So many articles of the past at most, of so many days; with fewer than `FEW` none is judged.
OLDER, PAST, FEW = 280, timedelta(days=365), 20
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
#: Visits in a row that failed, after which a feed, sitemap or listing counts as out of reach.
_FAILED_VISITS = 3
#: A source whose last crawl is older than this is not crawled any more.
_FORGOTTEN = timedelta(days=7)
#: Days of fetches that those of the last day are compared with.
_FETCHES = timedelta(days=15)


class Illness(StrEnum):
    """What may be wrong with a source; docs/health.md explains each."""

    UNCRAWLED = "uncrawled"
    UNREACHABLE = "unreachable"
    SILENT = "silent"
    QUIET = "quiet"
    BELOW_EXPECTED = "below_expected"
    DATES_LOST = "dates_lost"
    TEXTS_SHRUNK = "texts_shrunk"
    FURNITURE_UP = "furniture_up"
    FALLBACK_UP = "fallback_up"
    REFUSED_UP = "refused_up"


@dataclass(frozen=True, slots=True)
class Health:
    """A source as it was found; the columns of `source_health` tell of each figure."""

    source: str
    checked_at: datetime
    last_crawl: datetime
    last_article: datetime | None = None
    articles_day: int = 0
    articles_week: int = 0
    articles_a_week: float | None = None
    expected_a_day: int | None = None
    usual_gap: float | None = None
    newest: int = 0
    older: int = 0
    dated: float | None = None
    dated_before: float | None = None
    letters: float | None = None
    letters_before: float | None = None
    removed: float | None = None
    removed_before: float | None = None
    fallback: float | None = None
    fallback_before: float | None = None
    fetches: int = 0
    refused: float | None = None
    refused_before: float | None = None
    #: What is wrong -> the same in words.
    illnesses: Mapping[Illness, str] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        if self.illnesses:
            return "ill"
        return "healthy" if self.older >= FEW else "new"

    @property
    def detail(self) -> str | None:
        return "; ".join(self.illnesses.values()) or None

    def as_json(self) -> dict[str, Any]:
        row = _row(self)
        row["illnesses"] = {str(name): said for name, said in self.illnesses.items()}
        for name in ("checked_at", "last_crawl", "last_article"):
            row[name] = row[name] and row[name].isoformat()
        return {"source": self.source, **row}


def check(
    engine: Engine,
    sources: Mapping[str, Source],
    keys: Collection[str] | None = None,
    now: datetime | None = None,
) -> list[Health]:
    """Judges all crawled sources, or those of `keys`, and keeps what was found.

    Left out are sources that are disabled, and those that no crawl ever had an answer from.
    Raises DatabaseError if the database can't be used.
    """
    now = now or datetime.now(UTC)
    with usable(engine):
        with read(engine) as connection:
            query = select(_SOURCES.c.id, _SOURCES.c.key).order_by(_SOURCES.c.key)
            found: list[tuple[int, Health]] = []
            for number, key in connection.execute(query).all():
                source = sources.get(key)
                if (keys is not None and key not in keys) or (source and source.disabled):
                    continue
                health = _examine(connection, number, key, source, now)
                if health is not None:
                    found.append((number, health))
        with write(engine) as connection:
            if keys is None:  # what was disabled or is gone leaves the table
                connection.execute(delete(_HEALTH))
            for number, health in found:
                connection.execute(delete(_HEALTH).where(_HEALTH.c.source_id == number))
                connection.execute(insert(_HEALTH).values(source_id=number, **_row(health)))
    return [health for _, health in found]


def _row(health: Health) -> dict[str, Any]:
    names = {column.name for column in _HEALTH.c} - {"source_id", "illnesses"}
    row = {name: getattr(health, name) for name in sorted(names)}
    return row | {"illnesses": [str(name) for name in health.illnesses]}


# --- figures -------------------------------------------------------------------------------------


def _examine(
    connection: Connection, number: int, key: str, source: Source | None, now: datetime
) -> Health | None:
    last_crawl = _last_crawl(connection, number)
    if last_crawl is None:
        return None
    last_article = _last_article(connection, number, now)
    # Of a source that fell silent long ago, the time before that is its past.
    since = (last_article or now) - PAST
    first, seen = _first_seen(connection, number, since, now)
    newest, older = _articles(connection, number, since, now)
    fetches, refused, refused_before = _fetches(connection, number, now)
    facts: dict[str, Any] = {
        "last_article": last_article,
        "articles_day": sum(at > now - _DAY for at in seen),
        "articles_week": sum(at > now - _WEEK for at in seen),
        "articles_a_week": _a_week(first, seen, now),
        "expected_a_day": source.expected.articles_a_day if source and source.expected else None,
        "usual_gap": _usual_gap(seen),
        "newest": len(newest),
        "older": len(older),
        "fetches": fetches,
        "refused": refused,
        "refused_before": refused_before,
    }
    for suffix, articles in (("", newest), ("_before", older)):
        if articles:
            facts[f"dated{suffix}"] = fmean(a.dated for a in articles)
            facts[f"letters{suffix}"] = float(median(a.letters for a in articles))
            facts[f"removed{suffix}"] = fmean(a.removed / (a.removed + a.lines) for a in articles)
            facts[f"fallback{suffix}"] = fmean(a.fallback for a in articles)
    health = Health(key, now, last_crawl, **facts)
    return Health(
        key,
        now,
        last_crawl,
        **facts,
        illnesses=_diagnose(
            health, _out_of_reach(connection, number), _first_crawl(connection, number)
        ),
    )


def _last_crawl(connection: Connection, number: int) -> datetime | None:
    lists = select(func.max(_ADDRESSES.c.fetched_at)).where(
        _ADDRESSES.c.source_id == number,
        _ADDRESSES.c.kind.in_(_LISTS),
    )
    pages = (
        select(_LEDGER.c.seen_at)
        .where(_LEDGER.c.source_id == number, _LEDGER.c.origin == Origin.CRAWL)
        .order_by(_LEDGER.c.seen_at.desc())
        .limit(1)
    )
    answers = [connection.execute(query).scalar() for query in (lists, pages)]
    return max((at for at in answers if at is not None), default=None)


def _first_crawl(connection: Connection, number: int) -> datetime | None:
    query = select(func.min(_ADDRESSES.c.found_at)).where(_ADDRESSES.c.source_id == number)
    at: datetime | None = connection.execute(query).scalar()
    return at


def _last_article(connection: Connection, number: int, now: datetime) -> datetime | None:
    query = select(func.max(_ARTICLES.c.first_seen)).where(
        _ARTICLES.c.source_id == number, _ARTICLES.c.first_seen <= now
    )
    at: datetime | None = connection.execute(query).scalar()
    return at


def _first_seen(
    connection: Connection, number: int, since: datetime, now: datetime
) -> tuple[datetime | None, list[datetime]]:
    """When the source's first article came, and its newest: those compared, or of five weeks."""
    own = (_ARTICLES.c.source_id == number, _ARTICLES.c.first_seen <= now)
    first = connection.execute(select(func.min(_ARTICLES.c.first_seen)).where(*own)).scalar()
    query = select(_ARTICLES.c.first_seen).where(*own)
    compared = (
        query.where(_ARTICLES.c.first_seen > since)
        .order_by(_ARTICLES.c.first_seen.desc())
        .limit(NEWEST + OLDER)
    )
    seen = list(connection.execute(compared).scalars())
    if len(seen) == NEWEST + OLDER:
        weeks = query.where(_ARTICLES.c.first_seen > now - 5 * _WEEK)
        seen = max(seen, list(connection.execute(weeks).scalars()), key=len)
    return first, sorted(seen)


def _a_week(first: datetime | None, seen: Sequence[datetime], now: datetime) -> float | None:
    """Median of the four weeks before the last one, as far as the source's first article reaches.

    The first week is not counted: it brings what had gathered before.
    """
    weeks = [
        sum(now - (week + 1) * _WEEK < at <= now - week * _WEEK for at in seen)
        for week in range(1, 5)
        if first is not None and first <= now - (week + 1) * _WEEK
    ]
    return float(median(weeks)) if len(weeks) >= 2 else None


def _usual_gap(seen: Sequence[datetime]) -> float | None:
    """The third longest time without an article: weekends count, one outage does not."""
    recent = seen[-NEWEST - OLDER :]
    gaps = sorted((later - at for at, later in pairwise(recent)), reverse=True)
    return gaps[2] / _DAY if len(gaps) >= 9 else None


@dataclass(frozen=True, slots=True)
class _Article:
    dated: bool
    letters: int
    lines: int
    removed: int
    fallback: bool


def _articles(
    connection: Connection, number: int, since: datetime, now: datetime
) -> tuple[list[_Article], list[_Article]]:
    """The newest articles, and those before them."""
    text = _ARTICLES.c.text
    removed = select(func.count()).where(_REMOVED.c.article_id == _ARTICLES.c.id).scalar_subquery()
    query = (
        select(
            _ARTICLES.c.published_at.is_not(None),
            func.length(text),
            func.length(text) - func.length(func.replace(text, "\n", "")) + 1,
            removed,
            cast(_ARTICLES.c.flags, String).contains('"fallback'),
        )
        .where(
            _ARTICLES.c.source_id == number,
            _ARTICLES.c.first_seen > since,
            _ARTICLES.c.first_seen <= now,
        )
        .order_by(_ARTICLES.c.first_seen.desc(), _ARTICLES.c.id.desc())
        .limit(NEWEST + OLDER)
    )
    articles = [_Article(*row) for row in connection.execute(query)]
    return articles[:NEWEST], articles[NEWEST:]


def _fetches(
    connection: Connection, number: int, now: datetime
) -> tuple[int, float | None, float | None]:
    """Pages asked for in the last day, the share refused of them, and of those before."""
    today = _LEDGER.c.seen_at > now - _DAY
    query = (
        select(
            today,
            func.count(),
            func.sum(case((_LEDGER.c.reason.is_(None), 0), else_=1)),
        )
        .where(
            _LEDGER.c.source_id == number,
            _LEDGER.c.origin == Origin.CRAWL,
            _LEDGER.c.seen_at > now - _FETCHES,
            _LEDGER.c.seen_at <= now,
        )
        .group_by(today)
    )
    counts = {bool(is_today): (int(n), int(bad)) for is_today, n, bad in connection.execute(query)}
    fetches, bad = counts.get(True, (0, 0))
    before, bad_before = counts.get(False, (0, 0))
    return (
        fetches,
        bad / fetches if fetches else None,
        bad_before / before if before >= FEW else None,
    )


def _out_of_reach(connection: Connection, number: int) -> list[str]:
    """The feeds, sitemaps and listings of the source's file, if none of them answers any more."""
    query = select(_ADDRESSES.c.url, _ADDRESSES.c.failures, _ADDRESSES.c.gone).where(
        _ADDRESSES.c.source_id == number,
        _ADDRESSES.c.depth == 0,
        _ADDRESSES.c.kind.in_(_LISTS),
    )
    lists = connection.execute(query).all()
    lost = [row.url for row in lists if row.gone or row.failures >= _FAILED_VISITS]
    return lost if len(lost) == len(lists) else []


# --- verdicts ------------------------------------------------------------------------------------


def _diagnose(
    health: Health, out_of_reach: Sequence[str], first_crawl: datetime | None
) -> dict[Illness, str]:
    """What is wrong. Shares are judged by how far they moved, so that no source must be perfect."""
    found: dict[Illness, str] = {}
    now = health.checked_at
    if now - health.last_crawl > _FORGOTTEN:
        # Whatever else the figures say, they are old: this is to be mended first.
        days = (now - health.last_crawl) / _DAY
        return {Illness.UNCRAWLED: f"the last answer to a crawl is {days:.0f} days old"}
    if out_of_reach:
        found[Illness.UNREACHABLE] = f"nothing can be read at {', '.join(out_of_reach[:3])}"
    found |= _volume(health, first_crawl)
    if health.newest < NEWEST or health.older < FEW:
        return found
    was, now_is = _share(health.dated_before), _share(health.dated)
    if was >= 0.5 and now_is < 0.6 * was:
        found[Illness.DATES_LOST] = (
            f"{now_is:.0%} of the newest {NEWEST} articles have a date, {was:.0%} before"
        )
    letters, before = health.letters or 0.0, health.letters_before or 0.0
    if letters < 0.5 * before:
        found[Illness.TEXTS_SHRUNK] = (
            f"half of the newest {NEWEST} texts have under {letters:,.0f} characters, "
            f"{before:,.0f} before"
        )
    was, now_is = _share(health.removed_before), _share(health.removed)
    # Of texts that shrank the same furniture is a larger share.
    if Illness.TEXTS_SHRUNK not in found and now_is > 2 * was and now_is - was > 0.1:
        found[Illness.FURNITURE_UP] = (
            f"{now_is:.0%} of the lines of the newest {NEWEST} articles were taken out as "
            f"furniture, {was:.0%} before"
        )
    was, now_is = _share(health.fallback_before), _share(health.fallback)
    if now_is - was > 0.3:
        found[Illness.FALLBACK_UP] = (
            f"{now_is:.0%} of the newest {NEWEST} articles were read without the source's "
            f"template, {was:.0%} before"
        )
    usual, now_is = health.refused_before, _share(health.refused)
    if health.fetches >= NEWEST and usual is not None and now_is > max(2 * usual, usual + 0.25):
        found[Illness.REFUSED_UP] = (
            f"{now_is:.0%} of {health.fetches} pages failed or were rejected in the last day, "
            f"{usual:.0%} before"
        )
    return found


def _volume(health: Health, first_crawl: datetime | None) -> dict[Illness, str]:
    """Whether enough is published. Time without a crawl is nobody's silence."""
    if health.checked_at - health.last_crawl > _DAY:
        return {}
    if health.last_article is None:
        days = (health.last_crawl - (first_crawl or health.last_crawl)) / _DAY
        return {Illness.SILENT: f"no article in {days:.0f} days of crawls"} if days > 2 else {}
    silence = (health.last_crawl - health.last_article) / _DAY
    usual = health.usual_gap
    if usual is not None and silence > max(1.0, 2 * usual):
        return {
            Illness.SILENT: f"no new article for {silence:.1f} days; it is seldom silent for more "
            f"than {max(usual, 0.1):.1f}"
        }
    a_week, week = health.articles_a_week, health.articles_week
    if a_week is None:
        return {}
    if a_week >= 8 and week < a_week / 4:
        return {Illness.QUIET: f"{week} articles in the last 7 days, {a_week:,.0f} a week before"}
    if health.expected_a_day and week < 7 * health.expected_a_day:
        return {
            Illness.BELOW_EXPECTED: f"{week} articles in the last 7 days; its file expects "
            f"{health.expected_a_day} a day"
        }
    return {}


def _share(value: float | None) -> float:
    return value or 0.0


def report(ill: Sequence[Health]) -> dict[str, Any]:
    """What a webhook is told: one line for people (`text`, as chat programs show it) and facts."""
    names = ", ".join(f"{each.source} ({', '.join(each.illnesses)})" for each in ill[:10])
    more = f" and {len(ill) - 10} more" if len(ill) > 10 else ""
    return {
        "text": f"Warraq: {len(ill)} ill source{'s' if len(ill) > 1 else ''}: {names}{more}",
        "sources": [each.as_json() for each in ill],
    }
