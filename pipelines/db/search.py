"""Questions that commands ask of the database."""

from typing import Any

from sqlalchemy import Connection, or_, select

from pipelines.db.models import (
    ArticleRow,
    ArticleVersion,
    LedgerRow,
    RemovedLineRow,
    SourceRow,
    table,
)

_ARTICLES = table(ArticleRow)
_LEDGER = table(LedgerRow)
_REMOVED = table(RemovedLineRow)
_SOURCES = table(SourceRow)
_VERSIONS = table(ArticleVersion)

#: Entries of one page that are told; a page crawled for years has more.
_ENTRIES = 50


def history(connection: Connection, name: str) -> dict[str, Any]:
    """What became of a URL or path: `seen` (ledger, newest first) and `articles`.

    The name is looked up as it is; if no run has seen it, as the end of a path.
    """
    exact = or_(_LEDGER.c.path == name, _LEDGER.c.url == name)
    entries = _entries(connection, exact)
    if not entries:
        end = name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        entries = _entries(
            connection,
            or_(
                _LEDGER.c.path.like(f"%/{end}", escape="\\"),
                _LEDGER.c.path.like(f"{end}#%", escape="\\"),
                _LEDGER.c.path.like(f"%/{end}#%", escape="\\"),
            ),
        )
    numbers = list(dict.fromkeys(e["article"] for e in entries if e["article"] is not None))
    return {
        "name": name,
        "seen": entries,
        "articles": [_article(connection, number) for number in numbers[:_ENTRIES]],
    }


def _entries(connection: Connection, wanted: Any) -> list[dict[str, Any]]:
    query = select(_LEDGER).where(wanted).order_by(_LEDGER.c.id.desc()).limit(_ENTRIES)
    return [
        {
            "run": row.run_id,
            "seen_at": row.seen_at.isoformat(timespec="seconds"),
            "name": row.path or row.url,
            "url": row.url,
            "outcome": row.outcome,
            "stage": row.stage,
            "reason": row.reason,
            "detail": row.detail,
            "article": row.article_id,
            "raw_hash": row.raw_hash,
        }
        for row in connection.execute(query)
    ]


_TOLD = (
    "id",
    "title",
    "title_method",
    "deck",
    "author",
    "agency",
    "agency_method",
    "place",
    "section",
    "language",
    "published_iso",
    "published_precision",
    "published_method",
    "published_raw",
    "published_confidence",
    "modified_iso",
    "url",
    "canonical_url",
    "path",
    "content_hash",
    "charset",
    "extractor",
)


def _article(connection: Connection, number: int) -> dict[str, Any]:
    columns = [_ARTICLES.c[name] for name in _TOLD]
    query = (
        select(*columns, _SOURCES.c.key.label("source"))
        .join(_SOURCES, _SOURCES.c.id == _ARTICLES.c.source_id)
        .where(_ARTICLES.c.id == number)
    )
    article = dict(connection.execute(query).mappings().one())
    removed = select(_REMOVED).where(_REMOVED.c.article_id == number).order_by(_REMOVED.c.position)
    versions = (
        select(_VERSIONS).where(_VERSIONS.c.article_id == number).order_by(_VERSIONS.c.number)
    )
    article["removed"] = [
        {"position": row.position, "text": row.text, "rule": row.rule}
        for row in connection.execute(removed)
    ]
    article["versions"] = [
        {
            "number": row.number,
            "title": row.title,
            "content_hash": row.content_hash,
            "seen_at": row.seen_at.isoformat(timespec="seconds"),
        }
        for row in connection.execute(versions)
    ]
    return article
