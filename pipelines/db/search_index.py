"""The index that search looks into: what is written there, and how it is kept in step.

The store calls `index` within its transaction. SQLite has the words in the FTS5 table
`search_words`, which can't take out an entry without its text: a changed article gets a new entry,
and what FTS5 still says of the old one leads nowhere until `warraq db reindex --all`.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    delete,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR

from pipelines.arabic import SEARCH_KEY_VERSION
from pipelines.db.bulk import insert_rows, rows_among, run_among
from pipelines.db.engine import read, usable, write
from pipelines.db.models import ArticleRow, SearchEntry, table
from pipelines.prepare import Prepared, Words, words_of
from pipelines.search_words import facts_column, lexeme

_ARTICLES = table(ArticleRow)
_ENTRIES = table(SearchEntry)
#: PostgreSQL keeps the words in the same row; models can't tell of a column of one database.
_ENTRIES_WITH_WORDS = _ENTRIES.to_metadata(MetaData())
_ENTRIES_WITH_WORDS.append_column(Column("words", TSVECTOR))

_PORTION = 500

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Time as facts: blocks of 8 hours, and of 8, 64, ... times as long. Days begin with a block.
_BLOCK = timedelta(hours=8)
LEVELS = 6


def index(
    connection: Connection,
    article_ids: Iterable[int],
    new: Mapping[int, Mapping[str, Any]] = MappingProxyType({}),
    prepared: Mapping[int, Prepared] = MappingProxyType({}),
) -> int:
    """Brings the index up to date for new and changed articles. Safe to repeat: an article whose
    words and facts did not change keeps its entry. Runs within the caller's transaction.

    `new` are rows of new articles by number, for which `prepared` is known: they are not read.
    Returns the number of entries written.
    """
    ids = sorted(set(article_ids))
    return sum(
        _index_portion(connection, ids[at : at + _PORTION], new, prepared)
        for at in range(0, len(ids), _PORTION)
    )


def rebuild(
    engine: Engine,
    progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    everything: bool = False,
) -> int:
    """Indexes what is not indexed by this version of the search key; all with `everything`, or
    where entries of another version are. A portion is one transaction: killed at any point, it
    goes on where it was. Returns the number of articles indexed.

    Raises DatabaseError if the database can't be used.
    """
    with usable(engine):
        with read(engine) as connection:
            old = select(_ENTRIES.c.entry).where(_ENTRIES.c.key_version != SEARCH_KEY_VERSION)
            everything = everything or connection.execute(old.limit(1)).first() is not None
        if everything:
            with write(engine) as connection:
                _empty(connection)
        with read(engine) as connection:
            total = connection.execute(select(func.count()).select_from(_ARTICLES)).scalar_one()
            known = select(func.count()).select_from(_ENTRIES)
            total -= connection.execute(known).scalar_one()
        done = last = 0
        entered = select(_ENTRIES.c.article_id).where(_ENTRIES.c.article_id == _ARTICLES.c.id)
        while True:
            with write(engine) as connection:
                query = select(_ARTICLES.c.id).where(_ARTICLES.c.id > last, ~entered.exists())
                query = query.order_by(_ARTICLES.c.id).limit(2 * _PORTION)
                ids = list(connection.execute(query).scalars())
                index(connection, ids)
            if not ids:
                break
            last = ids[-1]
            done += len(ids)
            progress(done, max(total, done))
        if everything and engine.dialect.name == "sqlite":
            with write(engine) as connection:
                connection.exec_driver_sql(
                    "INSERT INTO search_words (search_words) VALUES ('optimize')"
                )
        return done


def is_behind(connection: Connection) -> bool:
    """Whether articles lack an entry of this version, so that `rebuild` has work to do."""
    without = (
        select(_ARTICLES.c.id)
        .outerjoin(_ENTRIES, _ENTRIES.c.article_id == _ARTICLES.c.id)
        .where(
            or_(_ENTRIES.c.entry.is_(None), _ENTRIES.c.key_version != SEARCH_KEY_VERSION),
        )
    )
    return connection.execute(without.limit(1)).first() is not None


def _empty(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("TRUNCATE search_entries"))
        return
    connection.execute(delete(_ENTRIES))
    connection.exec_driver_sql("INSERT INTO search_words (search_words) VALUES ('delete-all')")


_INDEXED = [
    _ARTICLES.c[name]
    for name in (
        "id",
        "title",
        "deck",
        "text",
        "source_id",
        "agency",
        "language",
        "published_at",
        "first_seen",
    )
]


def _index_portion(
    connection: Connection,
    ids: list[int],
    new: Mapping[int, Mapping[str, Any]],
    prepared: Mapping[int, Prepared],
) -> int:
    unread = [article for article in ids if article not in prepared]
    read: Sequence[Any] = rows_among(connection, select(*_INDEXED), _ARTICLES.c.id, unread)
    rows: list[Mapping[str, Any]] = [new[article] for article in ids if article in prepared]
    rows += [row._mapping for row in read]
    rows.sort(key=lambda row: int(row["id"]))
    query = select(_ENTRIES.c.article_id, _ENTRIES.c.content, _ENTRIES.c.key_version)
    known = {
        row.article_id: (row.content, row.key_version)
        for row in rows_among(connection, query, _ENTRIES.c.article_id, ids)
    }
    database = connection.dialect.name
    entries: list[dict[str, Any]] = []
    words: list[tuple[Words, list[str]]] = []
    for row in rows:
        if row["id"] in prepared:
            keys = prepared[row["id"]].words
        else:
            keys = words_of(row["title"], row["deck"], row["text"], database)
        facts = facts_of(row)
        content = _hash("\n".join((keys.title, keys.deck, keys.body, " ".join(facts))))
        if known.get(row["id"]) == (content, SEARCH_KEY_VERSION):
            continue
        words.append((keys, facts))
        entries.append(
            {
                "article_id": row["id"],
                "dated_at": row["published_at"] or row["first_seen"],
                "published_at": row["published_at"],
                "source_id": row["source_id"],
                "agency": row["agency"],
                "language": row["language"],
                "key_version": SEARCH_KEY_VERSION,
                "content": content,
            }
        )
    stale = [entry["article_id"] for entry in entries if entry["article_id"] in known]
    if stale:
        run_among(connection, delete(_ENTRIES), _ENTRIES.c.article_id, stale)
    if database == "postgresql":
        for entry, (keys, facts) in zip(entries, words, strict=True):
            entry["words"] = f"{keys.vector} {' '.join(map(lexeme, facts))}"
        insert_rows(connection, _ENTRIES_WITH_WORDS, entries)
    elif entries:
        _hold_more(connection)
        first = _next_entry(connection)
        for number, entry in enumerate(entries, first):
            entry["entry"] = number
        insert_rows(connection, _ENTRIES, entries)
        connection.exec_driver_sql(
            "INSERT INTO search_words (rowid, title, deck, body, facts) VALUES (?, ?, ?, ?, ?)",
            [
                (number, keys.title, keys.deck, keys.body, facts_column(keys.title, facts))
                for number, (keys, facts) in enumerate(words, first)
            ],
        )
    return len(entries)


#: Bytes of words that FTS5 gathers before it writes a part of the index: a batch is one part then,
#: and there is less to merge later. Its own measure is 1 MB.
_HELD = 16 << 20


def _hold_more(connection: Connection) -> None:
    known = "SELECT v FROM search_words_config WHERE k = 'hashsize'"
    if connection.exec_driver_sql(known).scalar() != _HELD:
        told = "INSERT INTO search_words (search_words, rank) VALUES ('hashsize', ?)"
        connection.exec_driver_sql(told, (_HELD,))


def _next_entry(connection: Connection) -> int:
    """SQLite's next number of an entry, above all that were ever given: known beforehand, numbers
    need not be read back row by row."""
    query = "SELECT seq FROM sqlite_sequence WHERE name = 'search_entries'"
    return int(connection.exec_driver_sql(query).scalar() or 0) + 1


def facts_of(row: Mapping[str, Any]) -> list[str]:
    """An article's facts as words; nobody can type their first letter."""
    facts = [ALL, fact("source", row["source_id"])]
    if row["language"]:
        facts.append(fact("language", row["language"]))
    facts += [fact("agency", agency) for agency in (row["agency"] or "").split(",") if agency]
    if row["published_at"] is not None:
        facts.append(DATED)
    block = block_of(row["published_at"] or row["first_seen"])
    facts += [f"#t{level}_{block >> 3 * level}" for level in range(LEVELS)]
    return facts


ALL, DATED = "#all", "#dated"


def fact(field: str, value: object) -> str:
    return f"#{field[0]}" + re.sub(r"[^a-z0-9]", "_", str(value).lower())


def block_of(moment: datetime) -> int:
    return (moment - _EPOCH) // _BLOCK


def _hash(said: str) -> int:
    digest = hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def blocks(low: int, high: int) -> list[str]:
    """Facts that cover the blocks from `low` to `high`, as few as there can be."""
    facts: list[str] = []
    level = 0
    while low <= high and level < LEVELS - 1:
        while low <= high and low % 8:
            facts.append(f"#t{level}_{low}")
            low += 1
        while low <= high and high % 8 != 7:
            facts.append(f"#t{level}_{high}")
            high -= 1
        if low <= high:
            low, high, level = low // 8, high // 8, level + 1
    facts += [f"#t{level}_{block}" for block in range(low, high + 1)]
    return facts
