"""Questions that the web page asks of the database: an article, a story, the sources, the tables.

All answers are bounded: so many rows, whatever the database holds.
"""

from typing import Any

from sqlalchemy import Connection, and_, func, inspect, or_, select

from pipelines.db.history import copies_of, said_before
from pipelines.db.models import (
    ArticleLink,
    ArticleRow,
    ArticleVersion,
    Base,
    RemovedLineRow,
    SourceHealth,
    SourceRow,
    Story,
    table,
)
from pipelines.difference import Piece, sentence_changes, word_changes

_ARTICLES = table(ArticleRow)
_HEALTH = table(SourceHealth)
_LINKS = table(ArticleLink)
_REMOVED = table(RemovedLineRow)
_SOURCES = table(SourceRow)
_STORIES = table(Story)
_VERSIONS = table(ArticleVersion)

_LINES = 500
_KEPT_VERSIONS = 100
_OF_A_STORY = 100
#: Texts beyond it are not compared word by word: no news article is so long.
_COMPARED = 200_000
_TOLD = (
    "id", "url", "canonical_url", "path", "title", "title_method", "deck", "blocks", "author",
    "agency", "agency_method", "place", "section", "site_name", "tags", "language",
    "published_iso", "published_on", "published_precision", "published_method", "published_raw",
    "published_confidence", "published_zone", "published_conflicts", "modified_iso",
    "date_candidates", "first_seen", "last_seen", "fetched_at", "content_hash", "raw_hash",
    "charset", "extractor", "flags", "story_id",
)  # fmt: skip


def article(connection: Connection, number: int) -> dict[str, Any] | None:
    """All that is known of an article: its columns, `source` and `source_title`, `removed` lines,
    earlier `versions` (the newest first) and `copies`. None if there is none of this number."""
    query = (
        select(
            *(_ARTICLES.c[name] for name in _TOLD),
            _SOURCES.c.key.label("source"),
            _SOURCES.c.title.label("source_title"),
        )
        .join(_SOURCES, _SOURCES.c.id == _ARTICLES.c.source_id)
        .where(_ARTICLES.c.id == number)
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    removed = (
        select(_REMOVED.c.position, _REMOVED.c.rule, _REMOVED.c.text)
        .where(_REMOVED.c.article_id == number)
        .order_by(_REMOVED.c.position)
        .limit(_LINES)
    )
    versions = (
        select(_VERSIONS.c.number, _VERSIONS.c.title, _VERSIONS.c.seen_at)
        .where(_VERSIONS.c.article_id == number)
        .order_by(_VERSIONS.c.number.desc())
        .limit(_KEPT_VERSIONS)
    )
    return {
        **row,
        "removed": [dict(line) for line in connection.execute(removed).mappings()],
        "versions": [dict(version) for version in connection.execute(versions).mappings()],
        "copies": copies_of(connection, number) if row["story_id"] is not None else [],
    }


def changes_since(connection: Connection, number: int, version: int) -> list[Piece] | None:
    """Word by word from an earlier version to the article as it is, None without that version."""
    before = said_before(connection, number, version)
    return None if before is None else _changes(connection, before, number)


def changes_between(connection: Connection, other: int, number: int) -> list[Piece] | None:
    """Word by word from another article's text to this one's, None if there is no other."""
    row = connection.execute(
        select(_ARTICLES.c.title, _ARTICLES.c.text).where(_ARTICLES.c.id == other)
    ).first()
    if row is None:
        return None
    return _changes(connection, {"title": row.title, "text": row.text}, number)


def _changes(connection: Connection, before: dict[str, Any], number: int) -> list[Piece]:
    row = connection.execute(
        select(_ARTICLES.c.title, _ARTICLES.c.text).where(_ARTICLES.c.id == number)
    ).one()
    old, new = (
        "\n".join(part for part in (title, said) if part)[:_COMPARED]
        for title, said in ((before["title"], before["text"]), (row.title, row.text))
    )
    return word_changes(old, new)


def story(connection: Connection, number: int) -> dict[str, Any] | None:
    """A story: `id`, `merged_from` (the number asked for, if it was merged into this one),
    `articles` (how many), `representative_id`, and `told`: its articles, the earliest first, with
    delay, likeness and changed sentences beside the representative. None if there is none."""
    asked = number
    row = connection.execute(select(_STORIES).where(_STORIES.c.id == number)).first()
    while row is not None and row.merged_into is not None:
        number = row.merged_into
        row = connection.execute(select(_STORIES).where(_STORIES.c.id == number)).first()
    if row is None:
        return None
    representative = row.representative_id
    columns = ("id", "title", "agency", "place", "language", "published_iso", "published_at")
    query = (
        select(
            *(_ARTICLES.c[name] for name in columns),
            _ARTICLES.c.published_precision,
            _ARTICLES.c.published_offset,
            _ARTICLES.c.first_seen,
            func.substr(_ARTICLES.c.text, 1, _COMPARED).label("text"),
            _SOURCES.c.key.label("source"),
            _SOURCES.c.title.label("source_title"),
            _LINKS.c.kind,
            _LINKS.c.jaccard,
            _LINKS.c.containment,
        )
        .join(_SOURCES, _SOURCES.c.id == _ARTICLES.c.source_id)
        .outerjoin(
            _LINKS,
            or_(
                and_(_LINKS.c.a_id == representative, _LINKS.c.b_id == _ARTICLES.c.id),
                and_(_LINKS.c.b_id == representative, _LINKS.c.a_id == _ARTICLES.c.id),
            ),
        )
        .where(_ARTICLES.c.story_id == number)
        .order_by(
            _ARTICLES.c.published_at.is_(None),
            _ARTICLES.c.published_at,
            _ARTICLES.c.first_seen,
            _ARTICLES.c.id,
        )
        .limit(_OF_A_STORY)
    )
    found = connection.execute(query).mappings().all()
    fullest = next((one["text"] for one in found if one["id"] == representative), None)
    clocks = [moment for one in found if (moment := _clock(one)) is not None]
    told = []
    for one in found:
        moment = _clock(one)
        entry = {name: one[name] for name in one if name not in ("text", "published_offset")}
        entry["representative"] = one["id"] == representative
        entry["delay_minutes"] = (
            None if moment is None else round((moment - min(clocks)).total_seconds() / 60)
        )
        entry["changed"] = None
        if fullest is not None and not entry["representative"]:
            changes = sentence_changes(fullest, one["text"])
            entry["changed"] = {
                "added": changes.added,
                "removed": changes.removed,
                "altered": changes.altered,
            }
        told.append(entry)
    return {
        "id": number,
        "merged_from": None if asked == number else asked,
        "articles": row.articles,
        "representative_id": representative,
        "first_published": row.first_published,
        "told": told,
    }


def _clock(row: Any) -> Any:
    """The time of publication, where the page states a time of day and its offset."""
    exact = row["published_precision"] in ("second", "minute", "hour")
    return row["published_at"] if exact and row["published_offset"] is not None else None


def stories(connection: Connection, limit: int, offset: int) -> list[dict[str, Any]]:
    """Stories that several articles tell, the newest first."""
    query = (
        select(
            _STORIES.c.id,
            _STORIES.c.articles,
            _STORIES.c.first_published,
            _ARTICLES.c.title,
            _ARTICLES.c.agency,
            _ARTICLES.c.language,
        )
        .join(_ARTICLES, _ARTICLES.c.id == _STORIES.c.representative_id)
        .where(_STORIES.c.articles > 1, _STORIES.c.merged_into.is_(None))
        .order_by(
            _STORIES.c.first_published.is_(None),
            _STORIES.c.first_published.desc(),
            _STORIES.c.id.desc(),
        )
        .limit(limit)
        .offset(offset)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def sources(connection: Connection, limit: int = 1000) -> list[dict[str, Any]]:
    """Sources with the number of their articles, the first and last date of publication and the
    share of articles that have one; those with most articles first."""
    counted = (
        select(
            _ARTICLES.c.source_id,
            func.count().label("articles"),
            func.count(_ARTICLES.c.published_at).label("dated"),
            func.min(_ARTICLES.c.published_at).label("first"),
            func.max(_ARTICLES.c.published_at).label("last"),
        )
        .group_by(_ARTICLES.c.source_id)
        .subquery()
    )
    query = (
        select(
            _SOURCES.c.key,
            _SOURCES.c.title,
            _SOURCES.c.homepage,
            _SOURCES.c.country,
            _SOURCES.c.language,
            _SOURCES.c.ad_hoc,
            func.coalesce(counted.c.articles, 0).label("articles"),
            func.coalesce(counted.c.dated, 0).label("dated"),
            counted.c.first,
            counted.c.last,
        )
        .outerjoin(counted, counted.c.source_id == _SOURCES.c.id)
        .order_by(func.coalesce(counted.c.articles, 0).desc(), _SOURCES.c.key)
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def health(connection: Connection, limit: int = 1000) -> list[dict[str, Any]]:
    """Crawled sources as they were when they were last checked, the ill ones first."""
    columns = [_HEALTH.c[name] for name in _HEALTHY]
    query = (
        select(_SOURCES.c.key.label("source"), *columns)
        .join(_SOURCES, _SOURCES.c.id == _HEALTH.c.source_id)
        .order_by(_HEALTH.c.verdict != "ill", _SOURCES.c.key)
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


_HEALTHY = (
    "verdict", "detail", "checked_at", "last_crawl", "last_article", "articles_day",
    "articles_week", "articles_a_week",
)  # fmt: skip


def totals(connection: Connection) -> dict[str, int]:
    """How many articles, stories and sources there are."""
    live = select(func.count()).select_from(_STORIES).where(_STORIES.c.merged_into.is_(None))
    return {
        "articles": connection.execute(select(func.count(_ARTICLES.c.id))).scalar_one(),
        "stories": connection.execute(live).scalar_one(),
        "sources": connection.execute(select(func.count(_SOURCES.c.id))).scalar_one(),
    }


def schema(connection: Connection) -> list[dict[str, Any]]:
    """Tables and views that a query may name: `name`, `view`, `comment`, and `columns` as (name,
    type, comment); the tables of the data first, in the order of their models."""
    inspector = inspect(connection)
    comments = {one.name: one for one in Base.metadata.tables.values()}
    hidden = {"alembic_version"}
    names = [(name, False) for name in inspector.get_table_names() if name not in hidden]
    names += [(name, True) for name in inspector.get_view_names()]
    order = {name: at for at, name in enumerate(_FIRST)}
    names.sort(key=lambda one: (order.get(one[0], len(order)), one[1], one[0]))
    found = []
    for name, view in names:
        model = comments.get(name)
        if not view and model is None:
            continue  # what an index keeps for itself
        columns = []
        for column in inspector.get_columns(name):
            known = None if model is None else model.columns.get(column["name"])
            comment = column.get("comment") or (known.comment if known is not None else None)
            columns.append((column["name"], str(column["type"]).lower(), comment))
        comment = model.comment if model is not None else None
        found.append({"name": name, "view": view, "comment": comment, "columns": columns})
    return found


_FIRST = (
    "articles", "sources", "stories", "distinct_articles", "syndication", "article_links",
    "article_versions", "removed_lines", "ledger", "runs",
)  # fmt: skip
