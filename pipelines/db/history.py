"""Questions that commands ask of the database."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from pipelines.db.models import (
    ArticleLink,
    ArticleRow,
    ArticleVersion,
    LedgerRow,
    RemovedLineRow,
    SourceRow,
    Story,
    table,
)
from pipelines.difference import sentence_changes

_ARTICLES = table(ArticleRow)
_LEDGER = table(LedgerRow)
_LINKS = table(ArticleLink)
_REMOVED = table(RemovedLineRow)
_SOURCES = table(SourceRow)
_STORIES = table(Story)
_VERSIONS = table(ArticleVersion)

#: Entries of one page that are told; a page crawled for years has more.
_ENTRIES = 50
#: And copies of one article.
_COPIES = 20


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
    "story_id",
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
    article["copies"] = copies_of(connection, number)
    return article


def copies_of(connection: Connection, number: int) -> list[dict[str, Any]]:
    """The other articles of the story, the earliest first, at most _COPIES: how alike they are,
    and how many sentences the article has besides theirs, lacks, or words differently."""
    own = connection.execute(
        select(_ARTICLES.c.story_id, _ARTICLES.c.text).where(_ARTICLES.c.id == number)
    ).one()
    query = (
        select(_ARTICLES, _SOURCES.c.key, _STORIES.c.representative_id, _LINKS)
        .join(_SOURCES, _SOURCES.c.id == _ARTICLES.c.source_id)
        .join(_STORIES, _STORIES.c.id == _ARTICLES.c.story_id)
        .outerjoin(
            _LINKS,
            or_(
                and_(_LINKS.c.a_id == number, _LINKS.c.b_id == _ARTICLES.c.id),
                and_(_LINKS.c.b_id == number, _LINKS.c.a_id == _ARTICLES.c.id),
            ),
        )
        .where(_ARTICLES.c.story_id == own.story_id, _ARTICLES.c.id != number)
        .order_by(
            _ARTICLES.c.published_at.is_(None),
            _ARTICLES.c.published_at,
            _ARTICLES.c.first_seen,
            _ARTICLES.c.id,
        )
        .limit(_COPIES)
    )
    copies = []
    for row in connection.execute(query):
        changes = sentence_changes(row.text, own.text)
        copies.append(
            {
                "article": row.id,
                "source": row.key,
                "title": row.title,
                "agency": row.agency,
                "published_iso": row.published_iso,
                "first_seen": row.first_seen.isoformat(timespec="seconds"),
                "representative": row.id == row.representative_id,
                "kind": row.kind,
                "jaccard": row.jaccard and round(row.jaccard, 3),
                "containment": row.containment and round(row.containment, 3),
                "sentences_added": changes.added,
                "sentences_removed": changes.removed,
                "sentences_altered": changes.altered,
            }
        )
    return copies


def text_of(connection: Connection, name: str) -> dict[str, Any] | None:
    """`article`, `version` (None: the newest), `title` and `text` of an article: by its number,
    or a URL or path as `history` takes it. None if there is no such article."""
    number: int | None = None
    if name.isascii() and name.isdecimal() and len(name) < 19:
        number = int(name)
    else:
        entries = history(connection, name)["seen"]
        number = next((e["article"] for e in entries if e["article"] is not None), None)
    columns = (_ARTICLES.c.id, _ARTICLES.c.title, _ARTICLES.c.text)
    row = connection.execute(select(*columns).where(_ARTICLES.c.id == number)).first()
    if row is None:
        return None
    return {"article": row.id, "version": None, "title": row.title, "text": row.text}


def said_before(connection: Connection, article: int, version: int | None) -> dict[str, Any] | None:
    """The same of an earlier version: the one with this number, or the last. None without it."""
    query = select(_VERSIONS).where(_VERSIONS.c.article_id == article)
    if version is not None:
        query = query.where(_VERSIONS.c.number == version)
    row = connection.execute(query.order_by(_VERSIONS.c.number.desc()).limit(1)).first()
    if row is None:
        return None
    return {"article": article, "version": row.number, "title": row.title, "text": row.text}


# --- bytes -----------------------------------------------------------------------------------


class Role(StrEnum):
    """What bytes are to an article."""

    OWN = "own"  # what is shown was read from them
    VERSION = "version"  # what it said before
    COPY = "copy"  # another file with its text


@dataclass(frozen=True, slots=True)
class Place:
    """Where bytes lie that an article was read from."""

    role: Role
    raw_hash: str
    path: str | None
    url: str | None
    origin: str
    archive: str | None
    offset: int | None
    fetched_at: datetime | None

    @property
    def name(self) -> str:
        return self.path or self.url or "(standard input)"


@dataclass(frozen=True, slots=True)
class Stored:
    """An article and where its bytes lie: `own` are places of the same bytes, the likeliest first
    (one at least, though it may be gone); `others` versions and copies."""

    article_id: int
    name: str
    source: str
    own: tuple[Place, ...]
    others: tuple[Place, ...]


#: Places of each role that are looked at.
_PLACES = {Role.OWN: 5, Role.VERSION: 50, Role.COPY: 3}


def stored_articles(
    connection: Connection, after: int, limit: int, source: str | None, since: datetime | None
) -> list[Stored]:
    """Articles with a number above `after`, in their order, with where their bytes are.

    `source` and `since` narrow them: a source's key, the earliest time of the last fetch. An
    article whose bytes the ledger does not name has one place, its path.
    """
    query = (
        select(
            _ARTICLES.c.id,
            _ARTICLES.c.path,
            _ARTICLES.c.url,
            _ARTICLES.c.raw_hash,
            _SOURCES.c.key.label("source"),
        )
        .join(_SOURCES, _SOURCES.c.id == _ARTICLES.c.source_id)
        .where(_ARTICLES.c.id > after)
        .order_by(_ARTICLES.c.id)
        .limit(limit)
    )
    if source is not None:
        query = query.where(_SOURCES.c.key == source)
    if since is not None:
        query = query.where(_ARTICLES.c.last_seen >= since)
    articles = list(connection.execute(query))
    numbers = [row.id for row in articles]
    said = select(_VERSIONS.c.article_id, _VERSIONS.c.raw_hash).where(
        _VERSIONS.c.article_id.in_(numbers)
    )
    versions = {(row.article_id, row.raw_hash) for row in connection.execute(said)}
    newest = (
        select(func.max(_LEDGER.c.id))
        .where(_LEDGER.c.article_id.in_(numbers), _LEDGER.c.raw_hash.is_not(None))
        .group_by(_LEDGER.c.article_id, _LEDGER.c.raw_hash, _LEDGER.c.path)
    )
    entries: dict[int, list[Any]] = {}
    for row in connection.execute(
        select(_LEDGER).where(_LEDGER.c.id.in_(newest)).order_by(_LEDGER.c.id)
    ):
        entries.setdefault(row.article_id, []).append(row)
    found = []
    for article in articles:
        places: dict[Role, list[Place]] = {role: [] for role in Role}
        for row in entries.get(article.id, ()):
            same_bytes, same_file = row.raw_hash == article.raw_hash, row.path == article.path
            if same_bytes:
                places[Role.OWN].append(_place(row, Role.OWN))
            elif (article.id, row.raw_hash) in versions:
                places[Role.VERSION].append(_place(row, Role.VERSION))
            if not same_file and (article.id, row.raw_hash) not in versions:
                places[Role.COPY].append(_place(row, Role.COPY))
        # The newest entry first, and before all those of the article's own file.
        own = places[Role.OWN][::-1]
        own.sort(key=lambda place: place.path != article.path)
        others = (
            *places[Role.VERSION][-_PLACES[Role.VERSION] :],
            *places[Role.COPY][: _PLACES[Role.COPY]],
        )
        name = article.path or article.url or f"article {article.id}"
        found.append(
            Stored(
                article.id,
                name,
                article.source,
                tuple(own[: _PLACES[Role.OWN]]) or (_nowhere(article),),
                others,
            )
        )
    return found


def _place(row: Any, role: Role) -> Place:
    return Place(
        role,
        row.raw_hash,
        row.path,
        row.url,
        row.origin,
        row.archive,
        row.archive_offset,
        row.fetched_at,
    )


def _nowhere(article: Any) -> Place:
    path, url = article.path, article.url
    return Place(Role.OWN, article.raw_hash, path, url, "file", None, None, None)
