"""The only module that writes: runs, sources, articles, their versions, the ledger.

A batch is one transaction. Within it a savepoint isolates a row that the database refuses, so
one bad row costs one row. Writing the same pages again changes nothing: see `_decide`.
"""

import hashlib
import json
import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from importlib.metadata import version
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from pipelines.arabic import KEY_VERSION
from pipelines.db.engine import is_gone, usable, write
from pipelines.db.models import (
    ArticleRow,
    ArticleVersion,
    LedgerRow,
    RemovedLineRow,
    Run,
    SourceRow,
    table,
)
from pipelines.document import (
    REASONS,
    Article,
    ArticleDate,
    Origin,
    RawPage,
    Reason,
    Rejected,
    Unreadable,
)
from pipelines.source import Source
from pipelines.urls import url_key

#: Part of `articles.extractor`: raised when a change of rules changes what is extracted.
RULES_VERSION = 2
EXTRACTOR = f"trafilatura {version('trafilatura')}, rules {RULES_VERSION}"

_ARTICLES = table(ArticleRow)
_LEDGER = table(LedgerRow)
_REMOVED = table(RemovedLineRow)
_RUNS = table(Run)
_SOURCES = table(SourceRow)
_VERSIONS = table(ArticleVersion)

#: What a copy without a URL may fill in where the stored article has nothing.
_FILLED_BY_COPIES = (
    ("title", "title_method"),
    ("deck",),
    ("author",),
    ("agency", "agency_method"),
    ("place",),
    ("section",),
    ("site_name",),
    ("language",),
    (
        "published_at",
        "published_on",
        "published_iso",
        "published_offset",
        "published_precision",
        "published_method",
        "published_raw",
        "published_confidence",
        "published_zone",
        "published_conflicts",
    ),
    ("modified_at", "modified_iso"),
)


class Outcome(StrEnum):
    """What became of a page. Every page has exactly one in each run."""

    STORED = "stored"  # a new article
    REVISED = "revised"  # a known article said something new
    UNCHANGED = "unchanged"  # a known article, as it was
    DUPLICATE = "duplicate"  # another file with the text of a stored article of the same source
    REJECTED = "rejected"  # read, but no article
    FAILED = "failed"  # could not be read or dealt with


@dataclass(frozen=True, slots=True)
class Arrival:
    """A page that was dealt with, ready to be written: what is known of it, and its result."""

    path: str | None
    url: str | None
    source: str | None
    origin: Origin
    result: Article | Rejected | Unreadable
    raw_hash: str | None = None
    fetched_at: datetime | None = None
    archive: str | None = None
    offset: int | None = None
    http_status: int | None = None
    etag: str | None = None
    last_modified: str | None = None

    @property
    def name(self) -> str:
        return self.path or self.url or "(standard input)"


@dataclass(frozen=True, slots=True)
class Written:
    """An arrival's ledger entry."""

    name: str
    outcome: Outcome
    reason: Reason | None
    detail: str | None


def arrival_of(
    page: RawPage | Unreadable, result: Article | Rejected | Unreadable, raw_hash: str | None
) -> Arrival:
    """What the store needs of a page, without its bytes."""
    if isinstance(page, Unreadable):
        return Arrival(page.path, page.url, page.source, page.origin, result)
    status = page.headers.get(":status", "")
    return Arrival(
        path=page.path,
        url=page.url,
        source=result.source if isinstance(result, Article) else page.source,
        origin=page.origin,
        result=result,
        raw_hash=raw_hash,
        fetched_at=page.fetched_at,
        archive=page.archive,
        offset=page.offset,
        http_status=int(status) if status.isdecimal() else None,
        etag=page.headers.get("etag"),
        last_modified=page.headers.get("last-modified"),
    )


# --- runs ------------------------------------------------------------------------------------


def start_run(engine: Engine, command: str) -> int:
    """Notes a run's start. Runs of this machine whose process is gone become `lost`."""
    with usable(engine), write(engine) as connection:
        host = platform.node()
        query = select(_RUNS.c.id, _RUNS.c.pid).where(
            _RUNS.c.status == "running", _RUNS.c.host == host
        )
        lost = [row.id for row in connection.execute(query) if not _is_alive(row.pid)]
        if lost:
            connection.execute(update(_RUNS).where(_RUNS.c.id.in_(lost)).values(status="lost"))
        run = insert(_RUNS).values(
            command=command,
            status="running",
            started_at=datetime.now(UTC),
            counts={},
            host=host,
            pid=os.getpid(),
            version=version("warraq"),
        )
        return int(connection.execute(run.returning(_RUNS.c.id)).scalar_one())


def finish_run(engine: Engine, run_id: int, status: str, counts: Mapping[str, int]) -> None:
    """Notes a run's end: done, interrupted or failed."""
    with usable(engine), write(engine) as connection:
        connection.execute(
            update(_RUNS)
            .where(_RUNS.c.id == run_id)
            .values(status=status, ended_at=datetime.now(UTC), counts=dict(counts))
        )


def _is_alive(pid: int) -> bool:
    if pid == os.getpid():
        return False  # an earlier run of this very process number
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


# --- batches ---------------------------------------------------------------------------------


def write_batch(
    engine: Engine, run_id: int, arrivals: Sequence[Arrival], sources: Mapping[str, Source]
) -> list[Written]:
    """Writes arrivals in their order, in one transaction, and says what became of each.

    `sources` describes the sources by key; a key that it lacks is written as an ad-hoc source.
    A connection that was lost is tried once more: a batch is safe to repeat.
    Raises DatabaseError if the database can't be used; then nothing of the batch is written.
    """
    with usable(engine):
        try:
            return _write(engine, run_id, arrivals, sources)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            engine.dispose()
            return _write(engine, run_id, arrivals, sources)


def _write(
    engine: Engine, run_id: int, arrivals: Sequence[Arrival], sources: Mapping[str, Source]
) -> list[Written]:
    written: list[Written] = []
    with write(engine) as connection:
        now = datetime.now(UTC)
        ids = _source_ids(connection, arrivals, sources)
        for portion in _portions(arrivals):
            entries = _store_portion(connection, portion, ids, now)
            rows = [
                _ledger_row(run_id, arrival, entry, ids, now)
                for arrival, entry in zip(portion, entries, strict=True)
            ]
            connection.execute(insert(_LEDGER), rows)
            written += [
                Written(a.name, e.outcome, e.reason, e.detail)
                for a, e in zip(portion, entries, strict=True)
            ]
    return written


def _portions(arrivals: Sequence[Arrival]) -> Iterable[list[Arrival]]:
    """Parts in which no article comes twice: the second must see what the first left."""
    portion: list[Arrival] = []
    seen: set[str] = set()
    for arrival in arrivals:
        if isinstance(arrival.result, Article):
            identity = identity_of(arrival.result)
            if identity in seen:
                yield portion
                portion, seen = [], set()
            seen.add(identity)
        portion.append(arrival)
    if portion:
        yield portion


@dataclass(frozen=True, slots=True)
class _Entry:
    outcome: Outcome
    article_id: int | None = None
    stage: str | None = None
    reason: Reason | None = None
    detail: str | None = None


def _store_portion(
    connection: Connection, portion: Sequence[Arrival], ids: Mapping[str, int], now: datetime
) -> list[_Entry]:
    try:
        with connection.begin_nested():
            return _store(connection, portion, ids, now)
    except (DBAPIError, UnicodeEncodeError) as error:
        if isinstance(error, DBAPIError) and is_gone(error):
            raise
        if len(portion) == 1:
            detail = " ".join(str(getattr(error, "orig", None) or error).split())
            return [
                _Entry(
                    Outcome.FAILED,
                    stage="store",
                    reason=Reason.NOT_STORABLE,
                    detail=detail[:500],
                )
            ]
    return [
        entry for arrival in portion for entry in _store_portion(connection, [arrival], ids, now)
    ]


def _store(
    connection: Connection, portion: Sequence[Arrival], ids: Mapping[str, int], now: datetime
) -> list[_Entry]:
    articles = [a.result for a in portion if isinstance(a.result, Article)]
    known = _known(connection, [identity_of(article) for article in articles])
    versions = _version_hashes(connection, known, articles)
    new: list[dict[str, Any]] = []
    places: list[int] = []  # where in `entries` each new article's number goes
    entries: list[_Entry] = []
    for arrival in portion:
        result = arrival.result
        if isinstance(result, Unreadable):
            outcome = Outcome(REASONS[result.reason][0])
            entries.append(_Entry(outcome, None, "read", result.reason, result.detail))
        elif isinstance(result, Rejected):
            outcome = Outcome(REASONS[result.reason][0])
            entries.append(_Entry(outcome, None, result.stage, result.reason, result.detail))
        else:
            row = article_row(result, ids[result.source], arrival.raw_hash or "", now)
            old = known.get(row["identity"])
            if old is None:
                places.append(len(entries))
                new.append(row)
                entries.append(_Entry(Outcome.STORED))
            else:
                outcome = _decide(connection, old, row, versions.get(old["id"], set()), result)
                entries.append(_Entry(outcome, old["id"]))
    if new:
        query = insert(_ARTICLES).returning(_ARTICLES.c.id, sort_by_parameter_order=True)
        numbers = connection.execute(query, new).scalars().all()
        removed: list[dict[str, Any]] = []
        for place, number in zip(places, numbers, strict=True):
            entries[place] = _Entry(Outcome.STORED, number)
            result = portion[place].result
            assert isinstance(result, Article)  # noqa: S101
            removed += _removed_rows(number, result)
        if removed:
            connection.execute(insert(_REMOVED), removed)
    return entries


def _decide(
    connection: Connection,
    old: Mapping[str, Any],
    new: dict[str, Any],
    versions: set[str],
    article: Article,
) -> Outcome:
    """What a page does to the article that is known by its identity.

    The fetch time decides which of two states is newer. Without one, a page from the file that
    the article came from is newer (the file was edited); one from another file is newer only if
    its text was never seen, so that replaying both files again changes nothing.
    """
    fetched, same_file = article.fetched_at, old["path"] == new["path"]
    if new["content_hash"] == old["content_hash"]:
        if new["record_hash"] == old["record_hash"]:
            return _seen_again(connection, old, fetched)
        newer = _is_newer(fetched, old, default=same_file)
        if newer or (same_file and new["extractor"] != old["extractor"]):
            _replace(connection, old, new, article)
            return Outcome.REVISED
        filled = {
            column: new[column]
            for group in _FILLED_BY_COPIES
            if old[group[0]] is None and new[group[0]] is not None
            for column in group
        }
        if filled:
            connection.execute(
                update(_ARTICLES).where(_ARTICLES.c.id == old["id"]).values(**filled)
            )
        _seen_again(connection, old, fetched)
        return Outcome.UNCHANGED if same_file or new["canonical_url"] else Outcome.DUPLICATE
    if _is_newer(fetched, old, default=same_file or new["content_hash"] not in versions):
        _keep_version(connection, old["id"], old, old["last_seen"])
        _replace(connection, old, new, article)
        return Outcome.REVISED
    if new["content_hash"] in versions:
        return Outcome.UNCHANGED
    _keep_version(connection, old["id"], new, fetched or new["last_seen"])
    _seen_again(connection, old, fetched)
    return Outcome.REVISED


def _is_newer(fetched: datetime | None, old: Mapping[str, Any], *, default: bool) -> bool:
    if fetched is None or old["fetched_at"] is None:
        return default
    return bool(fetched > old["last_seen"])


def _seen_again(
    connection: Connection, old: Mapping[str, Any], fetched: datetime | None
) -> Outcome:
    if fetched is not None and not old["first_seen"] <= fetched <= old["last_seen"]:
        connection.execute(
            update(_ARTICLES)
            .where(_ARTICLES.c.id == old["id"])
            .values(
                first_seen=min(fetched, old["first_seen"]), last_seen=max(fetched, old["last_seen"])
            )
        )
    return Outcome.UNCHANGED


def _replace(
    connection: Connection, old: Mapping[str, Any], new: dict[str, Any], article: Article
) -> None:
    values = new | {
        "first_seen": min(old["first_seen"], new["first_seen"]),
        "last_seen": max(old["last_seen"], new["last_seen"]),
    }
    connection.execute(update(_ARTICLES).where(_ARTICLES.c.id == old["id"]).values(**values))
    connection.execute(delete(_REMOVED).where(_REMOVED.c.article_id == old["id"]))
    removed = _removed_rows(old["id"], article)
    if removed:
        connection.execute(insert(_REMOVED), removed)


def _keep_version(
    connection: Connection, article_id: int, said: Mapping[str, Any], seen_at: datetime
) -> None:
    highest = select(func.coalesce(func.max(_VERSIONS.c.number), 0)).where(
        _VERSIONS.c.article_id == article_id
    )
    connection.execute(
        insert(_VERSIONS).values(
            article_id=article_id,
            number=connection.execute(highest).scalar_one() + 1,
            title=said["title"],
            text=said["text"],
            content_hash=said["content_hash"],
            seen_at=seen_at,
        )
    )


_KNOWN_COLUMNS = [
    _ARTICLES.c[name]
    for name in (
        "id",
        "identity",
        "content_hash",
        "record_hash",
        "path",
        "extractor",
        "first_seen",
        "last_seen",
        "fetched_at",
        *{group[0]: None for group in _FILLED_BY_COPIES},
    )
]
_KNOWN = select(*_KNOWN_COLUMNS).where(
    _ARTICLES.c.identity.in_(bindparam("identities", expanding=True))
)


def _known(connection: Connection, identities: Sequence[str]) -> dict[str, dict[str, Any]]:
    if not identities:
        return {}
    rows = connection.execute(_KNOWN, {"identities": identities}).mappings()
    return {row["identity"]: dict(row) for row in rows}


def _version_hashes(
    connection: Connection, known: dict[str, dict[str, Any]], articles: Sequence[Article]
) -> dict[int, set[str]]:
    """Content hashes of the versions of those articles that changed; completes their rows."""
    changed = {
        known[identity]["id"]: identity
        for article in articles
        if (identity := identity_of(article)) in known
        and known[identity]["content_hash"] != article.content_hash
    }
    found: dict[int, set[str]] = {}
    if changed:
        texts = select(_ARTICLES.c.id, _ARTICLES.c.text).where(_ARTICLES.c.id.in_(changed))
        for row in connection.execute(texts):
            known[changed[row.id]]["text"] = row.text
        query = select(_VERSIONS.c.article_id, _VERSIONS.c.content_hash).where(
            _VERSIONS.c.article_id.in_(changed)
        )
        for row in connection.execute(query):
            found.setdefault(row.article_id, set()).add(row.content_hash)
    return found


# --- rows ------------------------------------------------------------------------------------


def identity_of(article: Article) -> str:
    """What makes two pages the same article: source and URL, or source and text without one."""
    stated = (
        f"url {url_key(article.canonical_url)}"
        if article.canonical_url
        else f"text {KEY_VERSION} {article.content_hash}"
    )
    return hashlib.sha256(f"{article.source} {stated}".encode()).hexdigest()


def article_row(article: Article, source_id: int, raw_hash: str, now: datetime) -> dict[str, Any]:
    """An article as a row, all columns but `id`."""
    published, modified = article.published, article.modified
    extracted: dict[str, Any] = {
        "canonical_url": article.canonical_url,
        "title": article.title,
        "title_method": article.title_method,
        "deck": article.deck,
        "text": article.text,
        "blocks": [[str(block.kind), block.text] for block in article.blocks],
        "author": article.author,
        "agency": article.agency,
        "agency_method": article.agency_method,
        "place": article.place,
        "section": article.section,
        "site_name": article.site_name,
        "tags": list(article.tags),
        "language": article.language,
        "published_iso": published and published.iso,
        "published_precision": published and str(published.precision),
        "published_method": published and published.method,
        "published_raw": published and published.raw,
        "published_confidence": published and published.confidence,
        "published_zone": published and published.zone,
        "published_conflicts": list(published.conflicts) if published else [],
        "modified_iso": modified and modified.iso,
        "date_candidates": [list(candidate) for candidate in article.date_candidates],
        "content_hash": article.content_hash,
        "key_version": KEY_VERSION,
        "charset": article.charset,
        "flags": list(article.flags),
    }
    removed = [[line.position, line.text, line.rule] for line in article.removed]
    stated = json.dumps([extracted, removed], ensure_ascii=True, sort_keys=True)
    seen = article.fetched_at or now
    return extracted | {
        "record_hash": hashlib.sha256(stated.encode()).hexdigest(),
        "source_id": source_id,
        "identity": identity_of(article),
        "url": _storable(article.url),
        "path": _storable(article.path),
        "published_at": published and instant(published),
        "published_on": published and day(published),
        "published_offset": published and offset_minutes(published),
        "modified_at": modified and instant(modified),
        "first_seen": seen,
        "last_seen": seen,
        "fetched_at": article.fetched_at,
        "raw_hash": raw_hash,
        "extractor": EXTRACTOR,
    }


def instant(found: ArticleDate) -> datetime:
    """The first instant of what is stated: of the day, the month, the year. UTC if no offset."""
    iso = found.iso if len(found.iso) >= len("2020-09-27") else f"{found.iso}-01-01"[:10]
    value = datetime.fromisoformat(iso)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def day(found: ArticleDate) -> date | None:
    """The day that is stated, on the page's own calendar; None if only month or year are."""
    return date.fromisoformat(found.iso[:10]) if len(found.iso) >= 10 else None


def offset_minutes(found: ArticleDate) -> int | None:
    """The offset from UTC that is stated, in minutes."""
    if "T" not in found.iso:
        return None
    offset = datetime.fromisoformat(found.iso).utcoffset()
    return None if offset is None else int(offset / timedelta(minutes=1))


def _removed_rows(article_id: int, article: Article) -> list[dict[str, Any]]:
    return [
        {"article_id": article_id, "position": line.position, "text": line.text, "rule": line.rule}
        for line in article.removed
    ]


def _ledger_row(
    run_id: int, arrival: Arrival, entry: _Entry, ids: Mapping[str, int], now: datetime
) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "seen_at": now,
        "path": _storable(arrival.path),
        "url": _storable(arrival.url),
        "source_id": ids.get(arrival.source) if arrival.source else None,
        "origin": str(arrival.origin),
        "outcome": str(entry.outcome),
        "stage": entry.stage,
        "reason": str(entry.reason) if entry.reason else None,
        "detail": _storable(entry.detail),
        "article_id": entry.article_id,
        "raw_hash": arrival.raw_hash,
        "fetched_at": arrival.fetched_at,
        "archive": _storable(arrival.archive),
        "archive_offset": arrival.offset,
        "http_status": arrival.http_status,
        "etag": _storable(arrival.etag),
        "last_modified": _storable(arrival.last_modified),
    }


def _storable(text: str | None) -> str | None:
    """File names and headers may hold what no database takes: NUL, half characters."""
    if text is None:
        return None
    return text.replace("\0", "\ufffd").encode("utf-8", "backslashreplace").decode()


def _source_ids(
    connection: Connection, arrivals: Sequence[Arrival], sources: Mapping[str, Source]
) -> dict[str, int]:
    """Numbers of the arrivals' sources; new ones are written, changed descriptions updated."""
    keys = sorted({arrival.source for arrival in arrivals if arrival.source})
    if not keys:
        return {}
    query = select(_SOURCES).where(_SOURCES.c.key.in_(keys))
    rows = {row["key"]: dict(row) for row in connection.execute(query).mappings()}
    for key in keys:
        source = sources.get(key)
        described = source.described() if source else None
        if key not in rows:
            values = described or {"ad_hoc": True}
            number = connection.execute(
                insert(_SOURCES).values(key=key, **values).returning(_SOURCES.c.id)
            ).scalar_one()
            rows[key] = {"id": number}
        elif described and any(rows[key][name] != value for name, value in described.items()):
            connection.execute(update(_SOURCES).where(_SOURCES.c.key == key).values(**described))
    return {key: row["id"] for key, row in rows.items()}


def count(written: Iterable[Written]) -> Counter[str]:
    """Documents per outcome."""
    return Counter(str(entry.outcome) for entry in written)
