"""Copies and stories: finds an article's copies by SELECT, links them, keeps the stories.

Nothing is held in memory between batches: what finds copies stands in `fingerprint_bands`, what
decides in `article_shingles`. `link` runs within the store's transaction, so that writers, who
are alone in theirs, never miss one another's copies.

Two articles are linked if `fingerprint.compare` calls them copies; a story is all articles that
links join, and its number is the smallest number of its articles. Links and stories therefore
depend on the articles alone, not on their order (their numbers do: they count arrivals).
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from math import sqrt
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    any_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from pipelines.arabic import KEY_VERSION
from pipelines.db.engine import read, usable, write
from pipelines.db.models import (
    ArticleLink,
    ArticleRow,
    ArticleShingles,
    FingerprintBand,
    Story,
    table,
)
from pipelines.stages.fingerprint import (
    ALGORITHM_VERSION,
    ANCHOR_SHARE,
    BANDS,
    Fingerprint,
    anchors,
    compare,
    fingerprint,
    index_keys,
    pack,
    unpack,
)

_ARTICLES = table(ArticleRow)
_BANDS = table(FingerprintBand)
_LINKS = table(ArticleLink)
_SHINGLES = table(ArticleShingles)
_STORIES = table(Story)

#: A value leads to its first so many articles. What more articles share is boilerplate, or a text
#: with many copies: then later copies link to the first ones, which joins them all the same.
_LISTED = 40
#: So many candidates of an article are compared, those first that share most with it.
_CANDIDATES = 200
#: Articles dealt with at a time, and stored shingles in memory at a time (8 bytes each).
_PORTION = 250
_SHINGLES_AT_ONCE = 2_000_000
_VALUES_AT_ONCE = 20_000


def link(connection: Connection, article_ids: Iterable[int], now: datetime) -> None:
    """Links new and changed articles to their copies and brings their stories up to date.

    Safe to repeat: an article whose text did not change keeps its links. Runs within the caller's
    transaction.
    """
    ids = sorted(set(article_ids))
    for at in range(0, len(ids), _PORTION):
        _link_portion(connection, ids[at : at + _PORTION], now)


def unlink(connection: Connection, article: int, into: int, now: datetime) -> None:
    """Takes an article, about to be deleted as the same as `into`, out of links and stories."""
    query = select(_ARTICLES.c.story_id).where(_ARTICLES.c.id == bindparam("number"))
    story, other = (connection.execute(query, {"number": n}).scalar() for n in (article, into))
    for number, old in _stored(connection, [article]).items():
        _forget(connection, number, old)
    if story is None:
        return
    connection.execute(update(_ARTICLES).where(_ARTICLES.c.id == article).values(story_id=None))
    _settle(connection, [], [], {story}, now)
    left = select(_ARTICLES.c.id).where(_ARTICLES.c.story_id == story).limit(1)
    if other is not None and other != story and connection.execute(left).first() is None:
        _record_merge(connection, story, other, None, now)


def describe(connection: Connection, article_ids: Iterable[int]) -> None:
    """Brings up to date what stories say of articles whose dates changed, but not their text."""
    ids = sorted(set(article_ids))
    query = select(_ARTICLES.c.story_id).where(_ARTICLES.c.story_id.is_not(None)).distinct()
    for chunk in _chunks(ids, _VALUES_AT_ONCE):
        stories = [row.story_id for row in _rows(connection, query, _ARTICLES.c.id, chunk)]
        _describe(connection, stories)


def rebuild(
    engine: Engine,
    progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    everything: bool = False,
) -> int:
    """Brings fingerprints, links and stories of all articles up to date from their stored text.

    Articles without a fingerprint get theirs. If fingerprints of another version of match key or
    algorithm are there, or with `everything`, all are made anew. `progress` hears how many
    articles of how many are done. A batch is one transaction: killed at any point, it goes on
    where it was. Merges stay recorded. Returns the number of articles dealt with.

    Raises DatabaseError if the database can't be used.
    """
    with usable(engine):
        with read(engine) as connection:
            old = select(_SHINGLES.c.article_id).where(~_is_current()).limit(1)
            everything = everything or connection.execute(old).first() is not None
        if everything:
            _clear(engine)
        with read(engine) as connection:
            known = select(func.count()).select_from(_SHINGLES)
            total = connection.execute(select(func.count()).select_from(_ARTICLES)).scalar_one()
            total -= connection.execute(known).scalar_one()
        done, last = 0, 0
        while True:
            with write(engine) as connection:
                query = (
                    select(_ARTICLES.c.id)
                    .where(
                        _ARTICLES.c.id > last,
                        ~select(_SHINGLES.c.article_id)
                        .where(_SHINGLES.c.article_id == _ARTICLES.c.id)
                        .exists(),
                    )
                    .order_by(_ARTICLES.c.id)
                    .limit(2 * _PORTION)
                )
                ids = list(connection.execute(query).scalars())
                link(connection, ids, datetime.now(UTC))
            if not ids:
                return done
            last = ids[-1]
            done += len(ids)
            progress(done, max(total, done))


def _clear(engine: Engine) -> None:
    """Leaves stories as they are recorded, articles without one. The fingerprints go last: as
    long as old ones are there, a rebuild that was killed begins anew."""
    last: int | None = 0
    while last is not None:
        with write(engine) as connection:
            portion = select(_ARTICLES.c.id).where(_ARTICLES.c.id > last)
            portion = portion.order_by(_ARTICLES.c.id).limit(20 * _PORTION)
            ids = list(connection.execute(portion).scalars())
            if ids:
                connection.execute(
                    update(_ARTICLES)
                    .where(_ARTICLES.c.id.between(ids[0], ids[-1]))
                    .where(_ARTICLES.c.story_id.is_not(None))
                    .values(story_id=None)
                )
            last = ids[-1] if ids else None
    with write(engine) as connection:
        for emptied in (_BANDS, _LINKS, _SHINGLES):
            if engine.dialect.name == "postgresql":
                connection.execute(text(f"TRUNCATE {emptied.name}"))
            else:
                connection.execute(delete(emptied))


def is_behind(connection: Connection) -> bool:
    """Whether articles lack a fingerprint of this version, so that `rebuild` has work to do."""
    without = (
        select(_ARTICLES.c.id)
        .outerjoin(_SHINGLES, _SHINGLES.c.article_id == _ARTICLES.c.id)
        .where(or_(_SHINGLES.c.article_id.is_(None), ~_is_current()))
    )
    return connection.execute(without.limit(1)).first() is not None


# --- links -----------------------------------------------------------------------------------


def _link_portion(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    texts = select(_ARTICLES.c.id, _ARTICLES.c.story_id, _ARTICLES.c.text)
    rows = _rows(connection, texts, _ARTICLES.c.id, ids)
    prints = {row.id: fingerprint(row.text) for row in rows}
    stories: dict[int, int | None] = {row.id: row.story_id for row in rows}
    stored = _stored(connection, ids)
    kept = {a for a, old in stored.items() if old.text_hash == prints[a].text_hash}
    changed = stored.keys() - kept
    for article in changed:
        _forget(connection, article, stored[article])
    fresh = {article: prints[article] for article in sorted(prints.keys() - kept)}
    links = _new_links(connection, fresh)
    if fresh:
        connection.execute(insert(_SHINGLES), [_row(a, found) for a, found in fresh.items()])
    if links:
        connection.execute(insert(_LINKS), links)
    # A story of one article has no other links that could be lost.
    broken = {stories[article] for article in changed} | {
        stories[article] for article in fresh if stories[article] is not None
    }
    _settle(connection, list(prints), links, {s for s in broken if s is not None}, now)


def _forget(connection: Connection, article: int, old: Fingerprint) -> None:
    """Takes out what an article's earlier text left. Its values are known from its shingles."""
    for hashes in _chunks(list(index_keys([old])[0]), _VALUES_AT_ONCE):
        gone = delete(_BANDS).where(_BANDS.c.article_id == article)
        _run_among(connection, gone, _BANDS.c.hash, hashes)
    connection.execute(
        delete(_LINKS).where(or_(_LINKS.c.a_id == article, _LINKS.c.b_id == article))
    )
    connection.execute(delete(_SHINGLES).where(_SHINGLES.c.article_id == article))


def _new_links(connection: Connection, fresh: dict[int, Fingerprint]) -> list[dict[str, Any]]:
    """Links of new texts to stored ones and to one another; lists them under their values."""
    keys = dict(zip(fresh, index_keys(list(fresh.values())), strict=True))
    listed: dict[int, list[int]] = {}
    wanted = sorted({value for values in keys.values() for value in values})
    for values in _chunks(wanted, _VALUES_AT_ONCE):
        query = select(_BANDS.c.hash, _BANDS.c.article_id)
        for hashed, article in _rows(connection, query, _BANDS.c.hash, values):
            listed.setdefault(hashed, []).append(article)
    new_rows: list[dict[str, Any]] = []
    shared: dict[int, Counter[int]] = {}
    certain: dict[int, set[int]] = {}
    for article, ways in keys.items():
        shared[article], certain[article] = Counter(), set()
        for value, band in ways.items():
            others = listed.setdefault(value, [])
            if band == BANDS:
                shared[article].update(others)
            else:
                certain[article].update(others)
            if len(others) < _LISTED:
                others.append(article)
                new_rows.append({"hash": value, "article_id": article, "band": band})
    if new_rows:
        connection.execute(insert(_BANDS), new_rows)
    return _compared(connection, fresh, _promising(connection, fresh, shared, certain))


def _promising(
    connection: Connection,
    fresh: dict[int, Fingerprint],
    shared: dict[int, Counter[int]],
    certain: dict[int, set[int]],
) -> dict[int, list[int]]:
    """For each new article those that it may be a copy of, at most _CANDIDATES.

    Anchors are a sample of the shingles: of a copy at least half of the shorter text's are
    shared, give or take three standard deviations. Whoever shares fewer shares phrases.
    """
    others = set().union(*shared.values()) - fresh.keys()
    query = select(_SHINGLES.c.article_id, _SHINGLES.c.shingle_count).where(_is_current())
    sizes = {a: len(found.shingles) for a, found in fresh.items()}
    for chunk in _chunks(sorted(others), _VALUES_AT_ONCE):
        sizes.update(tuple(row) for row in _rows(connection, query, _SHINGLES.c.article_id, chunk))
    promising: dict[int, list[int]] = {}
    for article, counted in shared.items():
        own = sizes[article]
        ranked = [(1 << 30, other) for other in certain[article]]
        for other, count in counted.items():
            if other in certain[article] or other not in sizes:
                continue
            expected = min(own, sizes[other]) / (2 * ANCHOR_SHARE)
            if count >= expected - 3 * sqrt(expected):
                ranked.append((count, other))
        ranked.sort(key=lambda rank: (-rank[0], rank[1]))
        promising[article] = [other for _, other in ranked[:_CANDIDATES]]
    return promising


def _compared(
    connection: Connection, fresh: dict[int, Fingerprint], promising: dict[int, list[int]]
) -> list[dict[str, Any]]:
    links: list[dict[str, Any]] = []
    askers: dict[int, list[int]] = {}
    for article, others in promising.items():
        for other in others:
            if other in fresh:
                _add_link(links, article, fresh[article], other, fresh[other])
            else:
                askers.setdefault(other, []).append(article)
    for chunk in _sized(connection, sorted(askers)):
        for other, theirs in _stored(connection, chunk).items():
            for article in askers[other]:
                _add_link(links, article, fresh[article], other, theirs)
    return links


def _add_link(
    links: list[dict[str, Any]], a: int, a_print: Fingerprint, b: int, b_print: Fingerprint
) -> None:
    copy = compare(a_print, b_print)
    if copy is not None:
        links.append(
            {
                "a_id": min(a, b),
                "b_id": max(a, b),
                "kind": str(copy.kind),
                "jaccard": copy.jaccard,
                "containment": copy.containment,
            }
        )


def _sized(connection: Connection, ids: Sequence[int]) -> Iterator[list[int]]:
    """The articles in chunks whose shingles fit in memory together."""
    query = select(_SHINGLES.c.article_id, _SHINGLES.c.shingle_count).where(_is_current())
    chunk: list[int] = []
    size = 0
    for part in _chunks(ids, _VALUES_AT_ONCE):
        for row in _rows(connection, query, _SHINGLES.c.article_id, part):
            if chunk and size + row.shingle_count > _SHINGLES_AT_ONCE:
                yield chunk
                chunk, size = [], 0
            chunk.append(row.article_id)
            size += row.shingle_count
    if chunk:
        yield chunk


def _is_current() -> ColumnElement[bool]:
    current: ColumnElement[bool] = (_SHINGLES.c.key_version == KEY_VERSION) & (
        _SHINGLES.c.algorithm == ALGORITHM_VERSION
    )
    return current


def _stored(connection: Connection, ids: Sequence[int]) -> dict[int, Fingerprint]:
    columns = ("article_id", "text_hash", "shingles", "figures")
    query = select(*(_SHINGLES.c[name] for name in columns)).where(_is_current())
    return {
        row.article_id: Fingerprint(unpack(row.shingles), unpack(row.figures), row.text_hash)
        for row in _rows(connection, query, _SHINGLES.c.article_id, ids)
    }


def _row(article: int, found: Fingerprint) -> dict[str, Any]:
    return {
        "article_id": article,
        "key_version": KEY_VERSION,
        "algorithm": ALGORITHM_VERSION,
        "shingle_count": len(found.shingles),
        "anchor_count": anchors(found.shingles),
        "text_hash": found.text_hash,
        "shingles": pack(found.shingles),
        "figures": pack(found.figures),
    }


# --- stories ---------------------------------------------------------------------------------


def _settle(
    connection: Connection,
    touched: Collection[int],
    links: Sequence[dict[str, Any]],
    broken: Collection[int],
    now: datetime,
) -> None:
    """Stories after new links, and after links that the `broken` ones may have lost.

    A whole story is one node, named by its smallest article; of a broken one every article is.
    """
    pairs = [(entry["a_id"], entry["b_id"]) for entry in links]
    query = select(_ARTICLES.c.id, _ARTICLES.c.story_id)
    dissolved: set[int] = set()
    story: dict[int, int | None] = {}
    if broken:
        for row in _rows(connection, query, _ARTICLES.c.story_id, sorted(broken)):
            dissolved.add(row.id)
            story[row.id] = row.story_id
        ends = select(_LINKS.c.a_id, _LINKS.c.b_id)
        for chunk in _chunks(sorted(dissolved), _VALUES_AT_ONCE):
            found = _rows(connection, ends, _LINKS.c.a_id, chunk)
            pairs += [(row.a_id, row.b_id) for row in found]
    ends_met = {end for pair in pairs for end in pair}
    asked = sorted({*touched, *ends_met} - story.keys())
    for chunk in _chunks(asked, _VALUES_AT_ONCE):
        for row in _rows(connection, query, _ARTICLES.c.id, chunk):
            story[row.id] = row.story_id

    def node(article: int) -> int:
        whole = story[article]
        return article if article in dissolved or whole is None else whole

    root = _joined((node(article) for article in story), ((node(a), node(b)) for a, b in pairs))
    known = {
        row.id: row.merged_into
        for chunk in _chunks(sorted(root), _VALUES_AT_ONCE)
        for row in _rows(
            connection, select(_STORIES.c.id, _STORIES.c.merged_into), _STORIES.c.id, chunk
        )
    }
    living = set(root.values())
    missing = sorted(living - known.keys())
    if missing:
        connection.execute(insert(_STORIES), [{"id": number, "articles": 0} for number in missing])
    revived = [number for number in living if known.get(number) is not None]
    if revived:
        alive = update(_STORIES).values(merged_into=None, merged_at=None)
        _run_among(connection, alive, _STORIES.c.id, revived)
    _move(connection, story, dissolved, root)
    for number in sorted(known.keys() - living):
        _record_merge(connection, number, root[number], known[number], now)
    for chunk in _chunks(sorted(living), _VALUES_AT_ONCE):
        _describe(connection, chunk)


def _joined(nodes: Iterable[int], pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Node -> the smallest node that it is joined to."""
    parent = {node: node for node in nodes}

    def find(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in pairs:
        low, high = sorted((find(a), find(b)))
        parent[high] = low
    return {node: find(node) for node in parent}


def _move(
    connection: Connection,
    story: dict[int, int | None],
    dissolved: Collection[int],
    root: dict[int, int],
) -> None:
    """Gives articles their stories' numbers."""
    own: list[int] = []
    single: list[dict[str, int]] = []
    whole: set[tuple[int, int]] = set()
    for article, before in story.items():
        if article in dissolved or before is None:
            if root[article] == article != before:
                own.append(article)
            elif root[article] != before:
                single.append({"number": article, "target": root[article]})
        elif root[before] != before:
            whole.add((before, root[before]))
    for chunk in _chunks(own, _VALUES_AT_ONCE):
        to_own = update(_ARTICLES).values(story_id=_ARTICLES.c.id)
        _run_among(connection, to_own, _ARTICLES.c.id, chunk)
    to_target = update(_ARTICLES).values(story_id=bindparam("target"))
    if single:
        connection.execute(to_target.where(_ARTICLES.c.id == bindparam("number")), single)
    if whole:
        moves = [{"number": before, "target": after} for before, after in sorted(whole)]
        connection.execute(to_target.where(_ARTICLES.c.story_id == bindparam("number")), moves)


def _record_merge(
    connection: Connection, number: int, into: int, before: int | None, now: datetime
) -> None:
    if before == into:
        return
    connection.execute(
        update(_STORIES)
        .where(_STORIES.c.id == number)
        .values(
            merged_into=into,
            merged_at=now,
            articles=0,
            representative_id=None,
            first_published=None,
            first_seen=None,
        )
    )
    # What was merged into it before follows, so that `merged_into` always names a living story.
    connection.execute(
        update(_STORIES).where(_STORIES.c.merged_into == number).values(merged_into=into)
    )


def _describe(connection: Connection, stories: Sequence[int]) -> None:
    """Counts, first dates and representatives. The representative is the article with most
    distinct shingles; of equals the earliest published, then the one with the lowest identity:
    nothing that depends on the order of arrival."""
    rank = func.row_number().over(
        partition_by=_ARTICLES.c.story_id,
        order_by=(
            func.coalesce(_SHINGLES.c.shingle_count, 0).desc(),
            _ARTICLES.c.published_at.is_(None),
            _ARTICLES.c.published_at,
            _ARTICLES.c.identity,
        ),
    )
    whole: dict[str, Any] = {"partition_by": _ARTICLES.c.story_id}
    ranked = (
        select(
            _ARTICLES.c.story_id.label("number"),
            _ARTICLES.c.id.label("representative_id"),
            func.count().over(**whole).label("articles"),
            func.min(_ARTICLES.c.published_at).over(**whole).label("first_published"),
            func.min(_ARTICLES.c.first_seen).over(**whole).label("first_seen"),
            rank.label("rank"),
        )
        .outerjoin(_SHINGLES, _SHINGLES.c.article_id == _ARTICLES.c.id)
        .where(_among(connection, _ARTICLES.c.story_id))
        .subquery()
    )
    query = select(*(c for c in ranked.c if c.name != "rank")).where(ranked.c.rank == 1)
    rows = [
        {f"new_{name}": value for name, value in row.items()}
        for row in connection.execute(query, _given(connection, stories)).mappings()
    ]
    if rows:
        names = ("representative_id", "articles", "first_published", "first_seen")
        changed = (
            update(_STORIES)
            .where(_STORIES.c.id == bindparam("new_number"))
            .values(**{name: bindparam(f"new_{name}") for name in names})
        )
        connection.execute(changed, rows)


# --- many values in one statement --------------------------------------------------------------


def _among(connection: Connection, column: Column[Any]) -> ColumnElement[bool]:
    """`column` is one of the values given: an array for PostgreSQL, JSON for SQLite, which limits
    the number of parameters."""
    if connection.dialect.name == "postgresql":
        return column == any_(bindparam("among", type_=ARRAY(BigInteger)))
    values = func.json_each(bindparam("among")).table_valued("value")
    return column.in_(select(values.c.value))


def _given(connection: Connection, values: Collection[int]) -> dict[str, Any]:
    listed = list(values)
    return {"among": listed if connection.dialect.name == "postgresql" else json.dumps(listed)}


def _rows(
    connection: Connection, query: Any, column: Column[Any], values: Collection[int]
) -> Sequence[Any]:
    if not values:
        return []
    rows: Sequence[Any] = _run_among(connection, query, column, values).all()
    return rows


def _run_among(
    connection: Connection, statement: Any, column: Column[Any], values: Collection[int]
) -> Any:
    wanted = statement.where(_among(connection, column))
    return connection.execute(wanted, _given(connection, values))


def _chunks(values: Sequence[int], size: int) -> Iterator[list[int]]:
    for at in range(0, len(values), size):
        yield list(values[at : at + size])
