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
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from importlib.metadata import version
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from pipelines.arabic import KEY_VERSION
from pipelines.db import dedup, learn
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
from pipelines.errors import UsageError
from pipelines.source import Source
from pipelines.stages.repeats import State
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
    changed: list[int] = []
    dated: list[int] = []
    seen: list[tuple[Article, str | None]] = []
    with write(engine) as connection:
        now = datetime.now(UTC)
        keys = [arrival.source for arrival in arrivals if arrival.source]
        ids = _source_ids(connection, keys, sources)
        for portion in _portions(arrivals):
            entries = _store_portion(connection, portion, ids, now)
            rows = [
                _ledger_row(run_id, arrival, entry, ids, now)
                for arrival, entry in zip(portion, entries, strict=True)
            ]
            connection.execute(insert(_LEDGER), rows)
            seen += [
                (arrival.result, _storable(arrival.name))
                for arrival, entry in zip(portion, entries, strict=True)
                if isinstance(arrival.result, Article) and entry.outcome is not Outcome.FAILED
            ]
            written += [
                Written(a.name, e.outcome, e.reason, e.detail)
                for a, e in zip(portion, entries, strict=True)
            ]
            changed += [e.article_id for e in entries if e.article_id and e.outcome in _CHANGED]
            dated += [e.article_id for e in entries if e.article_id and e.dated]
        dedup.link(connection, changed, now)
        dedup.describe(connection, dated)
        learn.note_pages(connection, seen, ids)
    return written


def _portions(arrivals: Sequence[Arrival]) -> Iterable[list[Arrival]]:
    """Parts in which no article comes twice: the second must see what the first left."""
    portion: list[Arrival] = []
    seen: set[str] = set()
    for arrival in arrivals:
        if isinstance(arrival.result, Article):
            names = {*_identities(arrival.result), arrival.result.raw_hash}
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
    known = _known(connection, articles, ids)
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
            old = known.get(identity_of(result))
            if old is None:
                places.append(len(entries))
                new.append(row)
                entries.append(_Entry(Outcome.STORED))
            else:
                outcome = _decide(connection, old, row, versions.get(old["id"], set()), result)
                entries.append(_Entry(outcome, old["id"], dated=_is_dated(old, row)))
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

    Of the same bytes, and of a text that differs by learned lines alone, the page said nothing
    new: the article stays as it is until `reprocess` reads all of them by today's rules.
    """
    fetched, same_file = article.fetched_at, old["path"] == new["path"]
    if new["content_hash"] == old["content_hash"]:
        if new["record_hash"] == old["record_hash"]:
            return _seen_again(connection, old, fetched)
        newer = _is_newer(fetched, old, default=same_file)
        if newer or (same_file and new["extractor"] != old["extractor"]):
            _replace(connection, old, new, article)
            return Outcome.REVISED
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
    if same_bytes and same_file and new["extractor"] != old["extractor"]:
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
    new |= _filled(new, other)
    new["first_seen"] = min(new["first_seen"], other["first_seen"])
    new["last_seen"] = max(new["last_seen"], other["last_seen"])
    dedup.unlink(connection, other["id"], old["id"], datetime.now(UTC))
    connection.execute(delete(_ARTICLES).where(_ARTICLES.c.id == other["id"]))
    return True


# --- learned lines ---------------------------------------------------------------------------


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


def _identities(article: Article) -> list[str]:
    """The identity, and the one that it has where nothing was learned yet, if that differs."""
    if article.canonical_url:
        stated = [f"url {url_key(article.canonical_url)}"]
    else:
        hashes = dict.fromkeys((article.content_hash, article.plain_hash or article.content_hash))
        stated = [f"text {KEY_VERSION} {hashed}" for hashed in hashes]
    return [hashlib.sha256(f"{article.source} {name}".encode()).hexdigest() for name in stated]


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
