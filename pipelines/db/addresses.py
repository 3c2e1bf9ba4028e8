"""What crawls know of each source: its feeds, sitemaps, listings and pages, and when each is due.

A crawl keeps no state beside this. What a feed says and the pages found in it are written in one
transaction, and so are an article and the visit of its page: a crawl that was killed goes on.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, func, insert, or_, select, update

from pipelines.db.engine import read, usable, write
from pipelines.db.models import AddressRow, table
from pipelines.document import Stated
from pipelines.source import Source
from pipelines.urls import url_key

_ADDRESSES = table(AddressRow)

#: A page is visited again to catch corrections: often while it is fresh, then rarely, then never.
#: (younger than, time to the next visit)
REVISITS: Sequence[tuple[timedelta, timedelta]] = (
    (timedelta(hours=3), timedelta(hours=1)),
    (timedelta(days=1), timedelta(hours=6)),
    (timedelta(days=7), timedelta(days=2)),
    (timedelta(days=30), timedelta(days=12)),
)
#: What could not be fetched is tried again after so long, and each time after four times as long.
RETRY = timedelta(minutes=15)
#: What was fetched but holds no article, likewise.
RETRY_REJECTED = timedelta(days=1)
LONGEST = timedelta(days=7)
#: A site announces a new feed or sitemap once in years.
ANNOUNCED = timedelta(days=1)
#: After so many failed visits in a row a page is not visited again.
FAILURES = 8
REJECTIONS = 3
#: Sitemaps below an index are asked after a quarter of the time that they have not changed.
_QUIET_SHARE = 4
_CHUNK = 500  # addresses in one query


class Kind(StrEnum):
    """What an address leads to."""

    FEED = "feed"
    SITEMAP = "sitemap"
    LISTING = "listing"
    FRONT = "front"
    ROBOTS = "robots"
    PAGE = "page"


#: What is asked for feeds and sitemaps where the source's file names none.
ANNOUNCING = (Kind.FRONT, Kind.ROBOTS)
#: All ways in which pages are found.
DISCOVERY = (Kind.FEED, Kind.SITEMAP, Kind.LISTING, *ANNOUNCING)


def roots(source: Source, kinds: Iterable[Kind]) -> list[str]:
    """The feeds, sitemaps and listings of a source's file, of those kinds; if it names none, its
    front page, which announces them."""
    named = _named(source)
    return [url for kind in kinds for url in named.get(kind, ())]


def _named(source: Source) -> dict[Kind, list[str]]:
    return {
        Kind.FEED: [str(url) for url in source.feeds],
        Kind.SITEMAP: [str(url) for url in source.sitemaps],
        Kind.LISTING: [str(listing.url) for listing in source.listings],
        Kind.FRONT: [source.announced] if source.announced else [],
    }


@dataclass(frozen=True, slots=True)
class Found:
    """An address as a feed, sitemap or listing names it. `modified_at` as printed there."""

    url: str
    kind: Kind = Kind.PAGE
    stated: Stated = field(default_factory=Stated)
    modified_at: str | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """An address to visit, as it was known when it was read from the database."""

    id: int
    source_id: int
    kind: Kind
    url: str
    root: str | None
    depth: int
    found_at: datetime
    found_in: str | None
    stated: Stated
    modified_at: str | None
    fetched_at: datetime | None
    changed_at: datetime | None
    etag: str | None
    last_modified: str | None
    raw_hash: str | None
    size: int | None
    failures: int
    article_id: int | None

    @property
    def validators(self) -> dict[str, str]:
        """Headers that ask for an answer without a body if nothing changed."""
        stated = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in stated.items() if value}


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of asking for an address. `status` is None if nothing answered.

    `raw_hash` and `size` are of the body, None for an answer without one; `wait` is how long
    the site asked not to be asked; `moved_to` is the URL to which permanent redirects led.
    """

    address: Address
    at: datetime
    status: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    raw_hash: str | None = None
    size: int | None = None
    wait: timedelta | None = None
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class Landed:
    """What became of a visited page: `held` tells whether it holds an article, `published` when
    that was published if it is known; `broken` that it could not be fetched or dealt with."""

    visit: Visit
    held: bool
    broken: bool
    article_id: int | None = None
    published: datetime | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """What a feed, sitemap or listing brought: addresses that are `new`, that are due `again`,
    and that are known and left alone with the `bytes` that asking for them would have cost."""

    new: int = 0
    again: int = 0
    known: int = 0
    bytes: int = 0


def sow(engine: Engine, source_id: int, source: Source) -> None:
    """Notes the feeds, sitemaps and listings that the source's file names; its front page if it
    names none. What was noted by a clock that was ahead is due now: it was set back since."""
    named = [(kind, url) for kind, urls in _named(source).items() for url in urls]
    wanted = {_key(source_id, kind, url): (kind, url) for kind, url in named}
    now = datetime.now(UTC)
    with usable(engine), write(engine) as connection:
        known = _known(connection, wanted)
        new = [
            _new(source_id, key, Found(url, kind), now) | {"root": url}
            for key, (kind, url) in wanted.items()
            if key not in known
        ]
        if new:
            connection.execute(insert(_ADDRESSES), new)
        ahead = (
            _ADDRESSES.c.source_id == source_id,
            _ADDRESSES.c.due_at > now,
            or_(_ADDRESSES.c.found_at > now, _ADDRESSES.c.fetched_at > now),
        )
        connection.execute(update(_ADDRESSES).where(*ahead).values(due_at=now))


def due_discovery(
    engine: Engine,
    source_id: int,
    kinds: Iterable[Kind],
    roots: Iterable[str],
    count: int,
    now: datetime,
) -> list[Address]:
    """So many of the feeds, sitemaps and listings that are due and lead back to `roots`."""
    query = (
        select(_ADDRESSES)
        .where(
            _ADDRESSES.c.source_id == source_id,
            _ADDRESSES.c.kind.in_([str(kind) for kind in kinds]),
            _ADDRESSES.c.due_at <= now,
            _ADDRESSES.c.root.in_(list(roots)),
        )
        .order_by(_ADDRESSES.c.id)
        .limit(count)
    )
    with usable(engine), read(engine) as connection:
        return [_address(dict(row)) for row in connection.execute(query).mappings()]


def due_pages(engine: Engine, source_id: int, count: int, now: datetime) -> list[Address]:
    """So many of the pages that are due: those never visited first, in the order found."""
    due = (
        _ADDRESSES.c.source_id == source_id,
        _ADDRESSES.c.kind == str(Kind.PAGE),
        _ADDRESSES.c.due_at <= now,
    )
    order = (_ADDRESSES.c.due_at, _ADDRESSES.c.id)
    new = select(_ADDRESSES).where(*due, _ADDRESSES.c.fetched_at.is_(None))
    again = select(_ADDRESSES).where(*due, _ADDRESSES.c.fetched_at.is_not(None))
    with usable(engine), read(engine) as connection:
        found = list(connection.execute(new.order_by(*order).limit(count)).mappings())
        if len(found) < count:
            rest = again.order_by(*order).limit(count - len(found))
            found += connection.execute(rest).mappings()
    return [_address(dict(row)) for row in found]


def make_due(engine: Engine, source_id: int, now: datetime) -> None:
    """Makes all pages of a source due that are not gone."""
    pages = (
        (_ADDRESSES.c.source_id == source_id)
        & (_ADDRESSES.c.kind == str(Kind.PAGE))
        & ~_ADDRESSES.c.gone
    )
    with usable(engine), write(engine) as connection:
        connection.execute(update(_ADDRESSES).where(pages).values(due_at=now))


def note_discovery(
    engine: Engine, source_id: int, visit: Visit, found: Sequence[Found] | None
) -> Noted:
    """Notes the visit of a feed, sitemap or listing and what was found in it, in one transaction.

    `found` is None if it could not be read, and for an answer 304: then what was found before
    stays known.
    """
    with usable(engine), write(engine) as connection:
        noted = _note_found(connection, source_id, visit, found) if found else Noted()
        values = _visited(visit) | {"due_at": _next_discovery(visit, broken=_is_broken(visit))}
        if found is None and visit.status != 304:
            # Not read: the next visit must get it whole.
            values |= {"etag": None, "last_modified": None}
        connection.execute(
            update(_ADDRESSES).where(_ADDRESSES.c.id == visit.address.id).values(**values)
        )
    return noted


def note_visits(connection: Connection, landed: Sequence[Landed]) -> None:
    """Notes the visits of pages, in the transaction that writes their articles."""
    for each in landed:
        visit, address = each.visit, each.visit.address
        values = _visited(visit)
        if each.broken:
            retry, most = RETRY, FAILURES
        else:
            retry, most = RETRY_REJECTED, REJECTIONS
        if each.held:
            values |= {"failures": 0, "gone": False, "article_id": each.article_id}
            values["due_at"] = _next_visit(visit, each.published)
        else:
            failures = address.failures + 1
            values |= {
                "failures": failures,
                "gone": visit.status == 410 or (visit.status == 404 and failures >= REJECTIONS),
                "due_at": _retry(visit, retry, failures, most),
                # A page that holds no article is fetched whole each time: it may hold one then.
                "etag": None,
                "last_modified": None,
            }
            if visit.status == 410:
                values["due_at"] = None
        if each.held and visit.moved_to:
            values |= _moved(connection, visit, values)
        connection.execute(update(_ADDRESSES).where(_ADDRESSES.c.id == address.id).values(**values))


def next_due(engine: Engine, source_id: int) -> datetime | None:
    """When the first address of a source is due; None if none will be."""
    query = select(func.min(_ADDRESSES.c.due_at)).where(_ADDRESSES.c.source_id == source_id)
    with usable(engine), read(engine) as connection:
        found = connection.execute(query).scalar_one()
    return found if isinstance(found, datetime) else None


def revisit_after(age: timedelta) -> timedelta | None:
    """How long after a visit a page of that age is visited again; None: never."""
    return next((wait for younger, wait in REVISITS if age < younger), None)


# --- within -------------------------------------------------------------------------------------


def _note_found(
    connection: Connection, source_id: int, visit: Visit, found: Sequence[Found]
) -> Noted:
    parent, now = visit.address, visit.at
    wanted: dict[str, Found] = {}
    for each in found:
        wanted.setdefault(_key(source_id, each.kind, each.url), each)
    known = _known(connection, wanted)
    # robots.txt is no step of its own: it stands for the front page that announces nothing.
    depth = parent.depth + (parent.kind is not Kind.ROBOTS)
    below = {"found_in": parent.url, "depth": depth}
    new = []
    for key, each in wanted.items():
        if key not in known:
            root = None if each.kind is Kind.PAGE else parent.root
            new.append(_new(source_id, key, each, now) | below | {"root": root})
    for start in range(0, len(new), _CHUNK):
        connection.execute(insert(_ADDRESSES), new[start : start + _CHUNK])
    pages = sum(row["kind"] == str(Kind.PAGE) for row in new)
    changes: list[dict[str, Any]] = []
    size = rest = 0
    for key, row in known.items():
        each = wanted[key]
        # The page after this one is looked at only if this one brought something new.
        turned = each.kind is Kind.LISTING and pages > 0
        again = turned or _is_restated(row, each, parent.url)
        if again or _says_more(row, each):
            changes.append(
                {
                    "row": row["id"],
                    "title": each.stated.title or row["title"],
                    "author": each.stated.author or row["author"],
                    "published_at": each.stated.published_at or row["published_at"],
                    "modified": each.modified_at or row["modified_at"],
                    "due": now if again else row["due_at"],
                }
            )
        if each.kind is Kind.PAGE and not again and (row["due_at"] is None or row["due_at"] > now):
            rest += 1
            size += row["size"] or 0
    if changes:
        row_id, given = _ADDRESSES.c.id == bindparam("row"), bindparam
        connection.execute(
            update(_ADDRESSES)
            .where(row_id)
            .values(
                title=given("title"),
                author=given("author"),
                published_at=given("published_at"),
                modified_at=given("modified"),
                due_at=given("due"),
            ),
            changes,
        )
    due = sum(wanted[key].kind is Kind.PAGE for key in known) - rest
    return Noted(pages, due, rest, size)


def _is_restated(row: Mapping[str, Any], found: Found, found_in: str) -> bool:
    """Whether the finder says that an address changed since it was last found there."""
    if row["found_in"] != found_in:
        return False  # two finders may word the same differently
    if row["modified_at"] and found.modified_at and found.modified_at != row["modified_at"]:
        return True
    title = found.stated.title
    return bool(title and row["title"] and row["title"] != title)


def _says_more(row: Mapping[str, Any], found: Found) -> bool:
    """Whether the finder states what no other one did."""
    stated = found.stated
    return bool(
        (stated.title and not row["title"])
        or (stated.author and not row["author"])
        or (stated.published_at and not row["published_at"])
        or (found.modified_at and not row["modified_at"])
    )


def _new(source_id: int, key: str, found: Found, now: datetime) -> dict[str, Any]:
    return {
        "source_id": source_id,
        "key": key,
        "kind": str(found.kind),
        "url": found.url,
        "depth": 0,
        "found_at": now,
        "title": found.stated.title,
        "author": found.stated.author,
        "published_at": found.stated.published_at,
        "modified_at": found.modified_at,
        "due_at": now,
        "failures": 0,
        "gone": False,
    }


def _visited(visit: Visit) -> dict[str, Any]:
    """The columns that every visit sets."""
    values: dict[str, Any] = {"fetched_at": visit.at, "http_status": visit.status}
    if visit.raw_hash is not None:
        values |= {
            "etag": visit.etag,
            "last_modified": visit.last_modified,
            "raw_hash": visit.raw_hash,
            "size": visit.size,
        }
        if visit.raw_hash != visit.address.raw_hash:
            values["changed_at"] = visit.at
    return values


def _moved(connection: Connection, visit: Visit, values: dict[str, Any]) -> dict[str, Any]:
    """Visits a page from now on where it has moved to; what is left to set where it was."""
    address = visit.address
    to = Found(str(visit.moved_to), Kind.PAGE, address.stated, address.modified_at)
    key = _key(address.source_id, Kind.PAGE, to.url)
    if key == _key(address.source_id, Kind.PAGE, address.url):
        return {"url": to.url}
    known = _known(connection, [key])
    if not known:
        new = _new(address.source_id, key, to, visit.at)
        new |= {"found_at": address.found_at, "found_in": address.url, "depth": address.depth}
        connection.execute(insert(_ADDRESSES).values(**new))
    connection.execute(update(_ADDRESSES).where(_ADDRESSES.c.key == key).values(**values))
    return {"due_at": None}


def _is_broken(visit: Visit) -> bool:
    return visit.status is None or (visit.status != 304 and visit.status >= 400)


def _next_visit(visit: Visit, published: datetime | None) -> datetime | None:
    began = min(visit.address.found_at, published or visit.address.found_at)
    wait = revisit_after(visit.at - began)
    return None if wait is None else visit.at + wait


def _retry(visit: Visit, first: timedelta, failures: int, most: int) -> datetime | None:
    if failures >= most:
        return None
    longer = first * int(4 ** (failures - 1))
    return visit.at + max(min(longer, LONGEST), visit.wait or timedelta(0))


def _next_discovery(visit: Visit, *, broken: bool) -> datetime | None:
    """What the source's file names is due in every crawl, what lies below it as it changes."""
    address = visit.address
    if visit.wait is not None:
        return visit.at + visit.wait
    if address.kind in ANNOUNCING and not broken:
        return visit.at + ANNOUNCED
    if address.depth == 0:
        return visit.at
    if broken:
        return visit.at + RETRY
    if address.kind is Kind.LISTING:
        return None  # due again when the page before it brings something new
    if address.modified_at:
        return visit.at + LONGEST  # due at once when the index states another change
    is_changed = visit.raw_hash is not None and visit.raw_hash != address.raw_hash
    changed = visit.at if is_changed else address.changed_at or visit.at
    wait: timedelta = (visit.at - changed) / _QUIET_SHARE
    return visit.at + min(wait, LONGEST)


def _known(connection: Connection, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
    wanted = list(keys)
    names = ("id", "key", "title", "author", "published_at", "modified_at", "found_in", "due_at")
    columns = [_ADDRESSES.c[name] for name in (*names, "size")]
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(wanted), _CHUNK):
        query = select(*columns).where(_ADDRESSES.c.key.in_(wanted[start : start + _CHUNK]))
        found |= {str(row["key"]): dict(row) for row in connection.execute(query).mappings()}
    return found


def _key(source_id: int, kind: Kind, url: str) -> str:
    name = url_key(url) if kind is Kind.PAGE else url
    return hashlib.sha256(f"{source_id} {kind} {name}".encode("utf-8", "replace")).hexdigest()


def _address(row: Mapping[str, Any]) -> Address:
    same = {name: row[name] for name in Address.__slots__ if name not in ("kind", "stated")}
    stated = Stated(row["title"], row["author"], row["published_at"])
    return Address(kind=Kind(row["kind"]), stated=stated, **same)
