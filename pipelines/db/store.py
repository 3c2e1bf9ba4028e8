"""The only module that writes: runs, sources, articles, their versions, the ledger.

A batch is one transaction. Within it a savepoint isolates a row that the database refuses, so
one bad row costs one row. Writing the same pages again changes nothing: see `_decide`.
"""

import hashlib
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import version
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from pipelines.arabic import KEY_VERSION
from pipelines.db import addresses, dedup, learn, search_index, templates
from pipelines.db.bulk import insert_rows
from pipelines.db.engine import is_gone, read, usable, without_passwords, write
from pipelines.db.models import (
    AddressRow,
    ArticleRow,
    ArticleVersion,
    FileRow,
    LedgerRow,
    RemovedLineRow,
    Run,
    SourceRow,
    table,
)
from pipelines.db.processes import is_alive
from pipelines.document import (
    REASONS,
    Article,
    NotModified,
    Origin,
    RawPage,
    Reason,
    Rejected,
    Unreadable,
)
from pipelines.errors import UsageError
from pipelines.prepare import (
    Prepared,
    identities,
    identity,
    instant,
    stated_row,
    text_name,
    url_identity,
)
from pipelines.source import Source
from pipelines.stages.fingerprint import lines_hash
from pipelines.stages.repeats import State

#: Part of `articles.extractor`: raised when a change of rules changes what is extracted.
RULES_VERSION = 4
EXTRACTOR = f"trafilatura {version('trafilatura')}, rules {RULES_VERSION}"
#: The same of an article that a learned template found.
BY_TEMPLATE = f"template, rules {RULES_VERSION}"

_ADDRESSES = table(AddressRow)
_ARTICLES = table(ArticleRow)
_FILES = table(FileRow)
_LEDGER = table(LedgerRow)
_REMOVED = table(RemovedLineRow)
_RUNS = table(Run)
_SOURCES = table(SourceRow)
_VERSIONS = table(ArticleVersion)
_T = TypeVar("_T")

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
    result: Article | Rejected | Unreadable | NotModified
    raw_hash: str | None = None
    fetched_at: datetime | None = None
    archive: str | None = None
    offset: int | None = None
    http_status: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    moved_from: str | None = None  # the URL that redirected to `url` for good
    visit: addresses.Visit | None = None  # of the address that a crawl asked for

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
    page: RawPage | Unreadable,
    result: Article | Rejected | Unreadable | NotModified,
    raw_hash: str | None,
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
        moved_from=page.moved_from,
    )


# --- runs ------------------------------------------------------------------------------------


def start_run(engine: Engine, command: str) -> int:
    """Notes a run's start. Runs of this machine whose process is gone become `lost`."""
    with usable(engine), write(engine) as connection:
        host = platform.node()
        query = select(_RUNS.c.id, _RUNS.c.pid).where(
            _RUNS.c.status == "running", _RUNS.c.host == host
        )
        lost = [row.id for row in connection.execute(query) if not is_alive(row.pid)]
        if lost:
            connection.execute(update(_RUNS).where(_RUNS.c.id.in_(lost)).values(status="lost"))
        run = insert(_RUNS).values(
            command=without_passwords(command),
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
    values = {"status": status, "ended_at": datetime.now(UTC), "counts": dict(counts)}

    def note() -> None:
        with write(engine) as connection:
            connection.execute(update(_RUNS).where(_RUNS.c.id == run_id).values(**values))

    with usable(engine):
        _insist(engine, note)


def register_sources(
    engine: Engine, keys: Iterable[str], sources: Mapping[str, Source]
) -> dict[str, int]:
    """Numbers of sources by key; those that are new are written."""
    with usable(engine), write(engine) as connection:
        return _source_ids(connection, keys, sources)


# --- files -----------------------------------------------------------------------------------

#: Files in one query: SQLite takes 32,766 values.
_FILES_AT_ONCE = 5_000


def read_files(engine: Engine, paths: Sequence[str]) -> dict[str, str]:
    """Path -> state of those of the files that were read to their end, by `note_files`."""
    found: dict[str, str] = {}
    with usable(engine), read(engine) as connection:
        for at in range(0, len(paths), _FILES_AT_ONCE):
            named = {_file_key(path): path for path in paths[at : at + _FILES_AT_ONCE]}
            query = select(_FILES.c.key, _FILES.c.state).where(_FILES.c.key.in_(named))
            found |= {named[row.key]: row.state for row in connection.execute(query)}
    return found


def note_files(
    engine: Engine, run_id: int, files: Sequence[tuple[str, str, Mapping[str, int]]]
) -> None:
    """Notes that files were read to their end: path, state, and documents per outcome of each.

    Called when all their pages are stored: of a file that a kill falls upon nothing is noted.
    """
    rows = {
        _file_key(path): {
            "key": _file_key(path),
            "path": _storable(path),
            "state": state,
            "run_id": run_id,
            "read_at": datetime.now(UTC),
            "counts": dict(counts),
        }
        for path, state, counts in files
    }
    if not rows:
        return
    with usable(engine), write(engine) as connection:
        connection.execute(delete(_FILES).where(_FILES.c.key.in_(sorted(rows))))
        connection.execute(insert(_FILES), list(rows.values()))


def _file_key(path: str) -> str:
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()


# --- batches ---------------------------------------------------------------------------------


def write_batch(
    engine: Engine, run_id: int, arrivals: Sequence[Arrival], sources: Mapping[str, Source]
) -> list[Written]:
    """Writes arrivals in their order, in one transaction, and says what became of each.

    `sources` describes the sources by key; a key that it lacks is written as an ad-hoc source.
    When the connection is lost it is tried once more, unless the server had committed and only its
    answer was lost: then every page would stand twice in the ledger.
    Raises DatabaseError if the database can't be used; then nothing of the batch is written.
    """
    attempt = _Attempt()
    with usable(engine):
        return _insist(engine, lambda: _write(engine, run_id, arrivals, sources, attempt))


def _insist(engine: Engine, call: Callable[[], _T]) -> _T:
    """Calls it once more if the connection was lost."""
    try:
        return call()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        engine.dispose()
        return call()


@dataclass
class _Attempt:
    """What the first try of a batch did: its transaction's number on PostgreSQL, and what it wrote
    if it came as far as its commit."""

    transaction: str | None = None
    written: list[Written] | None = None

    def is_committed(self, connection: Connection) -> bool:
        """Whether it is in the database after all. Asked under the writers' lock, so that it has
        ended."""
        if self.written is None or self.transaction is None:
            return False
        asked = text("SELECT pg_xact_status(CAST(:number AS xid8))")
        return bool(connection.scalar(asked, {"number": self.transaction}) == "committed")


def _write(
    engine: Engine,
    run_id: int,
    arrivals: Sequence[Arrival],
    sources: Mapping[str, Source],
    attempt: _Attempt,
) -> list[Written]:
    written: list[Written] = []
    changed: list[int] = []
    dated: list[int] = []
    filled: list[int] = []
    seen: list[tuple[Article, str | None]] = []
    landed: list[addresses.Landed] = []
    new: dict[int, Mapping[str, Any]] = {}
    prepared: dict[int, Prepared] = {}
    portions = 0
    with write(engine) as connection:
        if attempt.written is not None and attempt.is_committed(connection):
            return attempt.written
        if connection.dialect.name == "postgresql":
            number = text("SELECT CAST(pg_current_xact_id() AS text)")
            attempt.transaction = connection.scalar(number)
        now = datetime.now(UTC)
        keys = [arrival.source for arrival in arrivals if arrival.source]
        ids = _source_ids(connection, keys, sources)
        for portion in _portions(arrivals):
            entries = _store_portion(connection, portion, ids, now)
            rows = [
                _ledger_row(run_id, arrival, entry, ids, now)
                for arrival, entry in zip(portion, entries, strict=True)
            ]
            insert_rows(connection, _LEDGER, rows)
            seen += [
                (arrival.result, _storable(arrival.name))
                for arrival, entry in zip(portion, entries, strict=True)
                if isinstance(arrival.result, Article) and entry.outcome is not Outcome.FAILED
            ]
            written += [
                Written(a.name, e.outcome, e.reason, e.detail)
                for a, e in zip(portion, entries, strict=True)
            ]
            landed += filter(None, map(_landed, portion, entries))
            changed += [e.article_id for e in entries if e.article_id and e.outcome in _CHANGED]
            dated += [e.article_id for e in entries if e.article_id and e.dated]
            filled += [e.article_id for e in entries if e.article_id and e.filled]
            portions += 1
            for arrival, entry in zip(portion, entries, strict=True):
                if entry.article_id is None:
                    continue
                new.pop(entry.article_id, None)  # no longer as it was prepared
                prepared.pop(entry.article_id, None)
                if entry.row and isinstance(arrival.result, Article) and arrival.result.prepared:
                    new[entry.article_id] = entry.row
                    prepared[entry.article_id] = arrival.result.prepared
        if portions > 1:  # what came twice may have been merged since: all is read again
            new, prepared = {}, {}
        dedup.link(connection, changed, now, prepared)
        dedup.describe(connection, dated)
        search_index.index(connection, [*changed, *filled], new, prepared)
        learn.note_pages(connection, seen, ids)
        addresses.note_visits(connection, landed)
        attempt.written = written
    return written


def _landed(arrival: Arrival, entry: "_Entry") -> addresses.Landed | None:
    if arrival.visit is None:
        return None
    result = arrival.result
    published = result.published if isinstance(result, Article) else None
    return addresses.Landed(
        arrival.visit,
        held=entry.outcome not in (Outcome.REJECTED, Outcome.FAILED),
        broken=entry.outcome is Outcome.FAILED,
        article_id=entry.article_id,
        published=instant(published) if published else None,
    )


def _portions(arrivals: Sequence[Arrival]) -> Iterable[list[Arrival]]:
    """Parts in which no article comes twice: the second must see what the first left."""
    portion: list[Arrival] = []
    seen: set[str] = set()
    for arrival in arrivals:
        if isinstance(arrival.result, Article):
            names = {*_identities(arrival.result), arrival.result.raw_hash}
            if arrival.moved_from:
                names.add(url_identity(arrival.result.source, arrival.moved_from))
            if names & seen:
                yield portion
                portion, seen = [], set()
            seen |= names
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
    dated: bool = False  # the article was there, and has an earlier date now
    filled: bool = False  # it lacked something that this copy of it has
    row: Mapping[str, Any] | None = None  # of a new article


#: Outcomes after which an article's text may be another.
_CHANGED = (Outcome.STORED, Outcome.REVISED)


def _store_portion(
    connection: Connection, portion: Sequence[Arrival], ids: Mapping[str, int], now: datetime
) -> list[_Entry]:
    try:
        with connection.begin_nested():
            return _store(connection, portion, ids, now)
    except (DBAPIError, UnicodeEncodeError) as error:
        if isinstance(error, DBAPIError) and is_gone(error):
            raise _cause(error) from None
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


def _cause(error: DBAPIError) -> DBAPIError:
    """The error that came first: a full SQLite undoes the whole transaction by itself, and then
    going back to the savepoint fails as well, in other words."""
    first, at = error, error.__context__
    while at is not None:
        if isinstance(at, DBAPIError):
            first = at
        at = at.__context__
    return first


def _store(
    connection: Connection, portion: Sequence[Arrival], ids: Mapping[str, int], now: datetime
) -> list[_Entry]:
    articles = [a.result for a in portion if isinstance(a.result, Article)]
    known = _known(connection, articles, ids)
    moved = _known_by_redirect(connection, portion)
    versions = _version_hashes(connection, known | moved, articles)
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
        elif isinstance(result, NotModified):
            entries.append(_not_modified(connection, result, arrival.fetched_at))
        else:
            row = article_row(result, ids[result.source], arrival.raw_hash or "", now)
            old = known.get(row["identity"])
            if (before := moved.get(row["identity"])) and before["id"] != (old and old["id"]):
                if old is not None:
                    _merge(connection, before, row)
                old = before
            if old is None:
                places.append(len(entries))
                new.append(row)
                entries.append(_Entry(Outcome.STORED))
            else:
                outcome = _decide(connection, old, row, versions.get(old["id"], set()), result)
                dated, filled = _is_dated(old, row), bool(_filled(old, row))
                entries.append(_Entry(outcome, old["id"], dated=dated, filled=filled or dated))
    if new:
        numbers = _new_numbers(connection, len(new))
        # Each starts as a story of its own: writing that afterwards would write the row twice.
        rows = [{**row, "id": n, "story_id": n} for row, n in zip(new, numbers, strict=True)]
        insert_rows(
            connection,
            _ARTICLES,
            [
                row | result.prepared.lists
                if isinstance(result := portion[place].result, Article) and result.prepared
                else row
                for place, row in zip(places, rows, strict=True)
            ],
        )
        removed: list[dict[str, Any]] = []
        for place, row in zip(places, rows, strict=True):
            number = row["id"]
            entries[place] = _Entry(Outcome.STORED, number, row=row)
            result = portion[place].result
            assert isinstance(result, Article)  # noqa: S101
            removed += _removed_rows(number, result)
        insert_rows(connection, _REMOVED, removed)
    return entries


def _not_modified(connection: Connection, result: NotModified, fetched: datetime | None) -> _Entry:
    """What an answer 304 does to the article that its page held when it was last fetched."""
    query = select(_ARTICLES.c.id, _ARTICLES.c.first_seen, _ARTICLES.c.last_seen)
    old = connection.execute(query.where(_ARTICLES.c.id == result.article_id)).mappings().first()
    if old is None:
        return _Entry(Outcome.UNCHANGED)
    return _Entry(_seen_again(connection, dict(old), fetched), old["id"])


def _new_numbers(connection: Connection, count: int) -> list[int]:
    """Numbers for new articles. Known beforehand, they need not be read back row by row."""
    if connection.dialect.name == "postgresql":
        query = text(
            "SELECT nextval(pg_get_serial_sequence('articles', 'id')) "
            "FROM generate_series(1, :count)"
        )
        return list(connection.execute(query, {"count": count}).scalars())
    last = connection.execute(select(func.max(_ARTICLES.c.id))).scalar() or 0
    return list(range(last + 1, last + 1 + count))


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

    Of the same bytes, and of a text that differs by learned lines alone, the page said nothing
    new: the article stays as it is until `reprocess` reads all of them by today's rules.
    """
    fetched, same_file = article.fetched_at, old["path"] == new["path"]
    if new["content_hash"] == old["content_hash"]:
        if new["record_hash"] == old["record_hash"]:
            return _seen_again(connection, old, fetched)
        newer = _is_newer(fetched, old, default=same_file)
        if newer or (same_file and _is_by_other_rules(new, old)):
            is_told = _tells_more(connection, old["id"], new)
            _replace(connection, old, new, article)
            return Outcome.REVISED if is_told else Outcome.UNCHANGED
        if filled := _filled(old, new):
            connection.execute(
                update(_ARTICLES).where(_ARTICLES.c.id == old["id"]).values(**filled)
            )
        _seen_again(connection, old, fetched)
        return Outcome.UNCHANGED if same_file or new["canonical_url"] else Outcome.DUPLICATE
    is_version = not versions.isdisjoint(
        (new["content_hash"], article.plain_hash, _bytes_mark(new["raw_hash"]))
    )
    same_bytes = new["raw_hash"] == old["raw_hash"]
    if same_bytes and same_file and _is_by_other_rules(new, old):
        _replace(connection, old, new, article)
        return Outcome.REVISED
    if same_bytes or article.plain_hash == old["content_hash"]:
        _seen_again(connection, old, fetched)
        return Outcome.UNCHANGED if same_file or new["canonical_url"] else Outcome.DUPLICATE
    if _is_newer(fetched, old, default=same_file or not is_version):
        _keep_version(connection, old["id"], old, old["last_seen"])
        _replace(connection, old, new, article)
        return Outcome.REVISED
    if is_version:
        return Outcome.UNCHANGED
    _keep_version(connection, old["id"], new, fetched or new["last_seen"])
    _seen_again(connection, old, fetched)
    return Outcome.REVISED


def _is_by_other_rules(new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    """Whether an update lies between two readings; with and without a template are alike."""
    one, other = str(new["extractor"]), str(old["extractor"])
    if one == other:
        return False
    if BY_TEMPLATE in (one, other):
        return one.rpartition(", ")[2] != other.rpartition(", ")[2]
    return True


#: Columns that say where and how an article was read, not what it says.
_ABOUT_READING = frozenset(
    "identity url path first_seen last_seen fetched_at raw_hash record_hash extractor charset "
    "flags date_candidates published_conflicts published_confidence title_method "
    "agency_method".split()
)


def _tells_more(connection: Connection, article_id: int, new: Mapping[str, Any]) -> bool:
    """Whether a page says anything that is not stored: other boxes around the text are nothing."""
    query = select(_ARTICLES).where(_ARTICLES.c.id == article_id)
    old = connection.execute(query).mappings().one()
    return any(old[name] != new[name] for name in new.keys() - _ABOUT_READING)


def _is_dated(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether a page gives its article a date that the story must know as well."""
    publishes = old["published_at"] is None and new["published_at"] is not None
    return bool(publishes or new["first_seen"] < old["first_seen"])


def _filled(row: Mapping[str, Any], copy: Mapping[str, Any]) -> dict[str, Any]:
    """What a copy has and the article lacks."""
    return {
        column: copy[column]
        for group in _FILLED_BY_COPIES
        if row[group[0]] is None and copy[group[0]] is not None
        for column in group
    }


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
            raw_hash=said["raw_hash"],
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
        "raw_hash",
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


#: An article without a URL whose text was cut since is still known by its bytes.
_KNOWN_BYTES = select(*_KNOWN_COLUMNS, _ARTICLES.c.source_id).where(
    _ARTICLES.c.raw_hash.in_(bindparam("hashes", expanding=True)),
    _ARTICLES.c.canonical_url.is_(None),
)


def _known(
    connection: Connection, articles: Sequence[Article], ids: Mapping[str, int]
) -> dict[str, dict[str, Any]]:
    """Identity of each article that is known -> the stored row.

    Known is also what is stored as it was before lines were learned, or has the same bytes.
    """
    if not articles:
        return {}
    identities = sorted({name for article in articles for name in _identities(article)})
    rows = connection.execute(_KNOWN, {"identities": identities}).mappings()
    stored = {row["identity"]: dict(row) for row in rows}
    found: dict[str, dict[str, Any]] = {}
    unknown: dict[tuple[int, str], str] = {}
    for article in articles:
        names = _identities(article)
        row = next((stored[name] for name in names if name in stored), None)
        if row is not None:
            found[names[0]] = row
        elif article.canonical_url is None:
            unknown[ids[article.source], article.raw_hash] = names[0]
    if unknown:
        hashes = sorted({raw for _, raw in unknown})
        query = connection.execute(_KNOWN_BYTES.order_by(_ARTICLES.c.id), {"hashes": hashes})
        for bytes_row in query.mappings():
            row = dict(bytes_row)
            if identity := unknown.get((row["source_id"], row["raw_hash"])):
                found.setdefault(identity, row)
    return found


def _known_by_redirect(
    connection: Connection, portion: Sequence[Arrival]
) -> dict[str, dict[str, Any]]:
    """The same for articles whose page has moved, by the URL that redirected here for good."""
    moved = {
        url_identity(arrival.result.source, arrival.moved_from): identity_of(arrival.result)
        for arrival in portion
        if arrival.moved_from and isinstance(arrival.result, Article)
    }
    if not moved:
        return {}
    rows = connection.execute(_KNOWN, {"identities": sorted(moved)}).mappings()
    return {moved[row["identity"]]: dict(row) for row in rows}


def _version_hashes(
    connection: Connection, known: dict[str, dict[str, Any]], articles: Sequence[Article]
) -> dict[int, set[str]]:
    """What tells the versions of those articles that changed: hashes of their texts and, marked,
    of their bytes. Completes the articles' rows."""
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
        query = select(_VERSIONS.c.article_id, _VERSIONS.c.content_hash, _VERSIONS.c.raw_hash)
        for row in connection.execute(query.where(_VERSIONS.c.article_id.in_(changed))):
            hashes = found.setdefault(row.article_id, set())
            hashes.add(row.content_hash)
            if row.raw_hash:
                hashes.add(_bytes_mark(row.raw_hash))
    return found


def _bytes_mark(raw_hash: str) -> str:
    return f"bytes {raw_hash}"


# --- corrections -----------------------------------------------------------------------------


class Change(StrEnum):
    """What reading an article's bytes again did to it."""

    CORRECTED = "corrected"  # today's rules and learned lines read it differently
    UNCHANGED = "unchanged"
    MERGED = "merged"  # it proved to be another stored article: one of the two is left
    REJECTED = "rejected"  # today's rules find no article in its bytes; it is kept as it was
    FAILED = "failed"  # its bytes could not be dealt with; it is kept as it was
    MISSING = "missing"  # its bytes are gone or have changed; it is kept as it was


@dataclass(frozen=True, slots=True)
class Reread:
    """What an article's bytes say today. `versions`: hash of bytes -> the same for its versions;
    `copies`: other files with its text, which may fill what it lacks."""

    article_id: int
    name: str
    result: Article | Rejected | Unreadable
    versions: Mapping[str, Article] = field(default_factory=dict)
    copies: Sequence[Article] = ()


@dataclass(frozen=True, slots=True)
class Corrected:
    """What became of it: `fields` that changed, and the lines that left and joined the text."""

    name: str
    change: Change
    detail: str | None = None
    fields: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    come: tuple[str, ...] = ()


def correct_batch(
    engine: Engine, reread: Sequence[Reread], sources: Mapping[str, Source], *, dry_run: bool
) -> list[Corrected]:
    """Brings stored articles to what their bytes say today, in one transaction.

    What the page said did not change, only how it is read: no version is kept, and the times of
    its fetches stay. An article whose identity moves to that of another one is merged with it;
    no article is lost. With `dry_run` nothing is written, only told.
    """
    with usable(engine), write(engine) as connection:
        outer = connection.begin_nested()
        now = datetime.now(UTC)
        read = [each.result for each in reread if isinstance(each.result, Article)]
        ids = _source_ids(connection, [article.source for article in read], sources)
        done = []
        for each in reread:
            try:
                with connection.begin_nested():
                    done.append(_correct(connection, each, ids, now))
            except (DBAPIError, UnicodeEncodeError) as error:
                if isinstance(error, DBAPIError) and is_gone(error):
                    raise
                detail = " ".join(str(getattr(error, "orig", None) or error).split())
                done.append(Corrected(each.name, Change.FAILED, detail[:500]))
        moved = (Change.CORRECTED, Change.MERGED)
        changed = [r.article_id for r, c in zip(reread, done, strict=True) if c.change in moved]
        dedup.link(connection, changed, now)
        dedup.describe(connection, changed)
        search_index.index(connection, changed)
        seen = [(r.result, _storable(r.name)) for r in reread if isinstance(r.result, Article)]
        learn.note_pages(connection, seen, ids)
        if dry_run:
            outer.rollback()
        else:
            outer.commit()
    return done


def recount_lines(
    engine: Engine, source: str | None, *, dry_run: bool
) -> dict[str, frozenset[str]]:
    """Decides anew about all repeated lines of the sources (or of one), from what is counted.

    Returns what is taken out of each source's pages then. With `dry_run` nothing is written.
    """
    with usable(engine), write(engine) as connection:
        outer = connection.begin_nested()
        query = select(_SOURCES.c.id).order_by(_SOURCES.c.id)
        if source is not None:
            query = query.where(_SOURCES.c.key == source)
        for source_id in connection.execute(query).scalars().all():
            learn.recount(connection, source_id)
        lines = learn.active_lines(connection)
        if dry_run:
            outer.rollback()
        else:
            outer.commit()
    return lines


def _correct(
    connection: Connection, reread: Reread, ids: Mapping[str, int], now: datetime
) -> Corrected:
    result = reread.result
    if isinstance(result, Unreadable):
        return Corrected(reread.name, Change.MISSING, result.detail)
    if isinstance(result, Rejected):
        failed = REASONS[result.reason][0] == "failed"
        change = Change.FAILED if failed else Change.REJECTED
        return Corrected(reread.name, change, f"{result.reason}: {result.detail}")
    query = select(_ARTICLES).where(_ARTICLES.c.id == reread.article_id)
    found = connection.execute(query).mappings().one_or_none()
    if found is None:
        return Corrected(reread.name, Change.MERGED, "with an article read before it")
    old = dict(found)
    new = article_row(result, ids[result.source], old["raw_hash"], now)
    # Where and when the page was seen is a fact, whatever the rules are today.
    new |= {name: old[name] for name in ("path", "url", "first_seen", "last_seen", "fetched_at")}
    for copy in reread.copies:
        if copy.content_hash == result.content_hash:
            new |= _filled(new, article_row(copy, new["source_id"], "", now))
    versions = _correct_versions(connection, reread, old["id"])
    merged = new["identity"] != old["identity"] and _merge(connection, old, new)
    changed = tuple(
        name for name, value in new.items() if old[name] != value and name not in _UNTOLD
    )
    if versions:
        changed = (*changed, "article_versions")
    if all(old[name] == value for name, value in new.items()):
        change = Change.CORRECTED if versions else Change.UNCHANGED
        return Corrected(reread.name, change, None, changed)
    _replace(connection, old, new, result)
    before, after = old["text"].split("\n"), new["text"].split("\n")
    return Corrected(
        reread.name,
        Change.MERGED
        if merged
        else Change.CORRECTED
        if old["record_hash"] != new["record_hash"] or changed
        else Change.UNCHANGED,
        "with another article, found to be the same" if merged else None,
        changed,
        _only_in(before, after),
        _only_in(after, before),
    )


#: Columns whose change says nothing by itself.
_UNTOLD = frozenset(("record_hash", "identity", "extractor", "blocks", "content_hash"))


def _only_in(lines: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    left = Counter(others)
    found = []
    for line in lines:
        if left[line]:
            left[line] -= 1
        else:
            found.append(line)
    return tuple(found)


def _correct_versions(connection: Connection, reread: Reread, article_id: int) -> bool:
    """Reads what an article said before by today's rules as well."""
    changed = False
    for raw, article in reread.versions.items():
        said = (_VERSIONS.c.article_id == article_id) & (_VERSIONS.c.raw_hash == raw)
        values = {"title": article.title, "text": article.text}
        differs = _VERSIONS.c.content_hash != article.content_hash
        done = connection.execute(
            update(_VERSIONS)
            .where(said, differs)
            .values(content_hash=article.content_hash, **values)
        )
        changed = changed or done.rowcount > 0
    return changed


def _merge(connection: Connection, old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Makes room for an identity: the article that has it is taken into `old`.

    What that one said otherwise becomes a version, what `new` lacks is filled from it.
    """
    query = select(_ARTICLES).where(_ARTICLES.c.identity == new["identity"])
    found = connection.execute(query).mappings().one_or_none()
    if found is None:
        return False
    other = dict(found)
    kept = _VERSIONS.c.article_id == old["id"]
    highest = connection.execute(
        select(func.coalesce(func.max(_VERSIONS.c.number), 0)).where(kept)
    ).scalar_one()
    hashes = set(connection.execute(select(_VERSIONS.c.content_hash).where(kept)).scalars())
    connection.execute(
        update(_VERSIONS)
        .where(_VERSIONS.c.article_id == other["id"])
        .values(article_id=old["id"], number=_VERSIONS.c.number + highest)
    )
    if other["content_hash"] not in {new["content_hash"], *hashes}:
        _keep_version(connection, old["id"], other, other["last_seen"])
    connection.execute(
        update(_LEDGER).where(_LEDGER.c.article_id == other["id"]).values(article_id=old["id"])
    )
    connection.execute(
        update(_ADDRESSES)
        .where(_ADDRESSES.c.article_id == other["id"])
        .values(article_id=old["id"])
    )
    new |= _filled(new, other)
    new["first_seen"] = min(new["first_seen"], other["first_seen"])
    new["last_seen"] = max(new["last_seen"], other["last_seen"])
    dedup.unlink(connection, other["id"], old["id"], datetime.now(UTC))
    connection.execute(delete(_ARTICLES).where(_ARTICLES.c.id == other["id"]))
    return True


# --- a new match key -------------------------------------------------------------------------

#: Articles whose keys are renewed in one transaction.
_RENEWED_AT_ONCE = 500


def renew_keys(
    engine: Engine, progress: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """Makes content hashes and identities of another version of the match key anew.

    `progress` hears how many articles of how many are done. A portion is one transaction: killed
    at any point, it goes on where it was. Articles of a source without a URL whose texts have one
    key now are merged, the later into the earlier. Returns the number of articles dealt with.
    Raises DatabaseError if the database can't be used.
    """
    outdated = _ARTICLES.c.key_version != KEY_VERSION
    done, last = 0, None
    with usable(engine):
        with read(engine) as connection:
            count = select(func.count()).select_from(_ARTICLES).where(outdated)
            total = connection.execute(count).scalar_one()
        while done < total:
            # From the last to the first, so that of two that are merged the first one stays.
            query = select(_ARTICLES.c.id).where(outdated).order_by(_ARTICLES.c.id.desc())
            if last is not None:
                query = query.where(_ARTICLES.c.id < last)
            with write(engine) as connection:
                ids = connection.execute(query.limit(_RENEWED_AT_ONCE)).scalars().all()
                for number in ids:
                    _renew_key(connection, number)
                _renew_versions(connection, ids)
            if not ids:
                break
            last = ids[-1]
            done += len(ids)
            progress(done, total)
    return done


def _renew_key(connection: Connection, number: int) -> None:
    query = select(_ARTICLES, _SOURCES.c.key.label("source"))
    query = query.join(_SOURCES, _SOURCES.c.id == _ARTICLES.c.source_id)
    old = dict(connection.execute(query.where(_ARTICLES.c.id == number)).mappings().one())
    source = old.pop("source")
    hashed = lines_hash(old["text"].split("\n"))
    new = old | {"content_hash": hashed, "key_version": KEY_VERSION}
    if old["canonical_url"] is None:
        new["identity"] = identity(source, text_name(hashed))
    if new["identity"] != old["identity"]:
        _merge(connection, old, new)
    changed = {name: value for name, value in new.items() if old[name] != value}
    connection.execute(update(_ARTICLES).where(_ARTICLES.c.id == number).values(**changed))


def _renew_versions(connection: Connection, ids: Sequence[int]) -> None:
    query = select(_VERSIONS.c.article_id, _VERSIONS.c.number, _VERSIONS.c.text)
    for row in connection.execute(query.where(_VERSIONS.c.article_id.in_(ids))).all():
        connection.execute(
            update(_VERSIONS)
            .where(_VERSIONS.c.article_id == row.article_id, _VERSIONS.c.number == row.number)
            .values(content_hash=lines_hash(row.text.split("\n")))
        )


# --- learned lines ---------------------------------------------------------------------------


def decide_template(engine: Engine, source: str, month: str, who: str | None) -> None:
    """Notes that a person refuses a source's template, or takes that back (`who` None).

    Raises UsageError if there is none.
    """
    with usable(engine), write(engine) as connection:
        if not templates.set_refused(connection, source, month, who, datetime.now(UTC)):
            raise UsageError(
                f"{source} has no template for {month}: see `warraq learn --templates`"
            )


def decide_line(
    engine: Engine, name: str, source: str | None, state: State, who: str
) -> dict[str, Any]:
    """Notes what a person decided about a repeated line, and returns its row.

    `name` are the first digits of its hash; `source` tells which, where several sources have it.
    PROPOSED takes a decision back. Raises UsageError unless exactly one line has that name.
    """
    with usable(engine), write(engine) as connection:
        found = learn.listed_lines(connection, source, name=name.lower()) if name else []
        if len(found) != 1:
            raise UsageError(
                f"{name}: no repeated line has that name; `warraq learn` lists them"
                if not found
                else f"{name}: {len(found)} lines have that name, of the sources "
                f"{', '.join(sorted({line['source'] for line in found})[:5])}; "
                "give more of it, or name one with --source"
            )
        line = found[0]
        at = datetime.now(UTC)
        learn.set_state(connection, line["source_id"], line["line"], state, who, at)
        (line,) = learn.listed_lines(connection, line["source"], name=line["line"])
    return line


# --- rows ------------------------------------------------------------------------------------


def identity_of(article: Article) -> str:
    """What makes two pages the same article: source and URL, or source and text without one."""
    return _identities(article)[0]


def _identities(article: Article) -> Sequence[str]:
    return article.prepared.identities if article.prepared else identities(article)


def article_row(article: Article, source_id: int, raw_hash: str, now: datetime) -> dict[str, Any]:
    """An article as a row, all columns but `id`."""
    seen = article.fetched_at or now
    return (article.prepared.row if article.prepared else stated_row(article)) | {
        "source_id": source_id,
        "identity": identity_of(article),
        "url": _storable(article.url),
        "path": _storable(article.path),
        "first_seen": seen,
        "last_seen": seen,
        "fetched_at": article.fetched_at,
        "raw_hash": raw_hash,
        "extractor": BY_TEMPLATE if article.extractor == "template" else EXTRACTOR,
    }


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
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "backslashreplace").decode()


def _source_ids(
    connection: Connection, named: Iterable[str], sources: Mapping[str, Source]
) -> dict[str, int]:
    """Numbers of sources by key; new ones are written, changed descriptions updated."""
    keys = sorted(set(named))
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
