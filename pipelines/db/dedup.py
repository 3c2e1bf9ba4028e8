"""Copies and stories: finds an article's copies by SELECT, links them, keeps the stories.

Nothing is held in memory between batches: what finds copies stands in `fingerprint_bands`, what
decides in `article_shingles`. `link` runs within the store's transaction, so that writers, who
are alone in theirs, never miss one another's copies.

Two articles are linked if `fingerprint.compare` calls them copies; a story is all articles that
links join (`_joining`), and its number is the smallest number of its articles. Links and stories
therefore depend on the articles alone, not on their order (their numbers do: they count arrivals).
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, repeat
from math import sqrt
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Engine,
    Table,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    update,
)

from pipelines.arabic import KEY_VERSION
from pipelines.db.bulk import (
    among,
    chunks,
    given,
    insert_rows,
    insert_values,
    rows_among,
    run_among,
)
from pipelines.db.engine import read, usable, write
from pipelines.db.models import (
    ArticleLink,
    ArticleRow,
    ArticleShingles,
    FingerprintBand,
    RecentBand,
    Story,
    table,
)
from pipelines.difference import changes_between, sentences
from pipelines.prepare import Prepared
from pipelines.stages.fingerprint import (
    ALGORITHM_VERSION,
    ANCHOR_SHARE,
    CopyKind,
    Fingerprint,
    Keys,
    Part,
    anchors,
    compare,
    fingerprint,
    index_keys,
    pack,
    unpack,
)

_ARTICLES = table(ArticleRow)
_BANDS = table(FingerprintBand)
_RECENT = table(RecentBand)
_LINKS = table(ArticleLink)
_SHINGLES = table(ArticleShingles)
_STORIES = table(Story)

#: A value leads to its first so many articles. What more articles share is boilerplate, or a text
#: with many copies: then later copies link to the first ones, which joins them all the same.
_LISTED = 40
#: So many candidates of an article are compared, those first that share most with it.
_CANDIDATES = 200
#: Articles dealt with at a time, and stored shingles in memory at a time (8 bytes each).
_PORTION = 500
_SHINGLES_AT_ONCE = 2_000_000
_VALUES_AT_ONCE = 20_000
#: Links whose texts are read together, and what of a text is compared in sentences (characters).
_TEXTS_AT_ONCE = 200
_COMPARED = 50_000
_COUNTS = ("only_a", "only_b", "altered")
#: After so many articles their values move to the large table. One page of it then takes several:
#: at a million articles that halves what has to be written.
_RECENT_ARTICLES = 16_000


def link(
    connection: Connection,
    article_ids: Iterable[int],
    now: datetime,
    prepared: Mapping[int, Prepared] = MappingProxyType({}),
) -> None:
    """Links new and changed articles to their copies and brings their stories up to date.

    Safe to repeat: an article whose text did not change keeps its links. Runs within the caller's
    transaction. `prepared` is known of new articles, which are their own stories as yet.
    """
    ids = sorted(set(article_ids))
    for at in range(0, len(ids), _PORTION):
        _link_portion(connection, ids[at : at + _PORTION], now, prepared)


def unlink(connection: Connection, article: int, into: int, now: datetime) -> None:
    """Takes an article, about to be deleted as the same as `into`, out of links and stories."""
    query = select(_ARTICLES.c.story_id).where(_ARTICLES.c.id == bindparam("number"))
    story, other = (connection.execute(query, {"number": n}).scalar() for n in (article, into))
    ends = _forget(connection, {article: _stored(connection, [article]).get(article)})
    if story is None:
        return
    connection.execute(update(_ARTICLES).where(_ARTICLES.c.id == article).values(story_id=None))
    broken = _stories_of(connection, ends - {article}) | {story}
    _settle(connection, [], [], broken, now)
    left = select(_ARTICLES.c.id).where(_ARTICLES.c.story_id == story).limit(1)
    if other is not None and other != story and connection.execute(left).first() is None:
        _record_merge(connection, story, other, None, now)


def describe(connection: Connection, article_ids: Iterable[int]) -> None:
    """Brings up to date what stories say of articles whose dates changed, but not their text."""
    ids = sorted(set(article_ids))
    query = select(_ARTICLES.c.story_id).where(_ARTICLES.c.story_id.is_not(None)).distinct()
    for chunk in chunks(ids, _VALUES_AT_ONCE):
        stories = [row.story_id for row in rows_among(connection, query, _ARTICLES.c.id, chunk)]
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
                break
            last = ids[-1]
            done += len(ids)
            progress(done, max(total, done))
        # Links of an earlier Warraq have no counts.
        counting = True
        while counting:
            with write(engine) as connection:
                counting = _count_missing(connection)
        return done


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
        for emptied in (_BANDS, _RECENT, _LINKS, _SHINGLES):
            _empty(connection, emptied)


def is_behind(connection: Connection) -> bool:
    """Whether articles lack a fingerprint or a key of this version, so that `rebuild` (or
    `store.renew_keys`) has work to do."""
    without = (
        select(_ARTICLES.c.id)
        .outerjoin(_SHINGLES, _SHINGLES.c.article_id == _ARTICLES.c.id)
        .where(
            or_(
                _SHINGLES.c.article_id.is_(None),
                ~_is_current(),
                _ARTICLES.c.key_version != KEY_VERSION,
            )
        )
    )
    uncounted = select(_LINKS.c.a_id).where(_LINKS.c.only_a.is_(None))
    return any(connection.execute(q.limit(1)).first() is not None for q in (without, uncounted))


# --- links -----------------------------------------------------------------------------------


def _link_portion(
    connection: Connection, ids: Sequence[int], now: datetime, prepared: Mapping[int, Prepared]
) -> None:
    texts = select(_ARTICLES.c.id, _ARTICLES.c.story_id, _ARTICLES.c.text)
    unread = [article for article in ids if article not in prepared]
    rows = rows_among(connection, texts, _ARTICLES.c.id, unread)
    stories: dict[int, int | None] = {article: article for article in ids if article in prepared}
    prints = {article: prepared[article].fingerprint for article in stories}
    prints |= {row.id: fingerprint(row.text) for row in rows}
    stories |= {row.id: row.story_id for row in rows}
    stored = _stored(connection, ids)
    kept = {a for a, old in stored.items() if old.text_hash == prints[a].text_hash}
    fresh = {article: prints[article] for article in sorted(prints.keys() - kept)}
    keys = {article: prepared[article].keys for article in fresh if article in prepared}
    others = [article for article in fresh if article not in keys]
    keys |= zip(others, index_keys([fresh[article] for article in others]), strict=True)
    left = _forget(connection, {a: stored.get(a) for a in _fingerprinted(connection, fresh)})
    links = _new_links(connection, fresh, keys)
    _count_changes(connection, links)
    insert_rows(connection, _SHINGLES, [_row(a, found) for a, found in fresh.items()])
    insert_rows(connection, _LINKS, links)
    broken = _told(connection, {stories[a] for a in fresh})
    broken |= _stories_of(connection, left) | _unsettled(connection, links)
    _settle(connection, list(prints), links, broken, now)


def _fingerprinted(connection: Connection, articles: Collection[int]) -> list[int]:
    """Those of the articles that have a fingerprint, be it of an earlier version."""
    query = select(_SHINGLES.c.article_id)
    return [
        row.article_id for row in rows_among(connection, query, _SHINGLES.c.article_id, articles)
    ]


def _told(connection: Connection, stories: Collection[int | None]) -> set[int]:
    """Those of the stories that are recorded; a new article names one that is not yet."""
    named = [story for story in stories if story is not None]
    return {row.id for row in rows_among(connection, select(_STORIES.c.id), _STORIES.c.id, named)}


def _forget(connection: Connection, old: Mapping[int, Fingerprint | None]) -> set[int]:
    """Takes out what articles' earlier texts left; the articles that they were linked with.

    The values to forget are known from the shingles. Of another version (None) they are not, and
    lead nowhere.
    """
    ends: set[int] = set()
    for article, found in old.items():
        keys = index_keys([found])[0] if found else Keys([], [])
        for hashes in chunks([*keys.certain, *keys.anchors], _VALUES_AT_ONCE):
            for bands in (_BANDS, _RECENT):
                gone = delete(bands).where(bands.c.article_id == article)
                run_among(connection, gone, bands.c.hash, hashes)
        own = or_(_LINKS.c.a_id == article, _LINKS.c.b_id == article)
        for row in connection.execute(select(_LINKS.c.a_id, _LINKS.c.b_id).where(own)):
            ends |= {row.a_id, row.b_id}
        connection.execute(delete(_LINKS).where(own))
        connection.execute(delete(_SHINGLES).where(_SHINGLES.c.article_id == article))
    return ends


def _new_links(
    connection: Connection, fresh: dict[int, Fingerprint], keys: Mapping[int, Keys]
) -> list[dict[str, Any]]:
    """Links of new texts to stored ones and to one another; lists them under their values."""
    counts = Counter(chain.from_iterable(chain.from_iterable(keys.values())))
    listed: dict[int, list[int]] = {value: [] for value, count in counts.items() if count > 1}
    for values in chunks(sorted(counts), _VALUES_AT_ONCE):
        for bands in (_BANDS, _RECENT):
            query = select(bands.c.hash, bands.c.article_id)
            for hashed, article in rows_among(connection, query, bands.c.hash, values):
                listed.setdefault(hashed, []).append(article)
    rows: list[tuple[int, int]] = []
    shared: dict[int, Counter[int]] = {}
    certain: dict[int, set[int]] = {}

    def meet(values: Sequence[int], article: int) -> Iterator[list[int]]:
        """Of each value the others that have it; lists the article with them if there is room."""
        # Nearly all values are met once, and go without a step of their own.
        met = listed.keys() & values
        rows.extend(zip(met.symmetric_difference(values) if met else values, repeat(article)))
        for value in met:
            others = listed[value]
            yield others
            # It is there if a deleted article had its number before.
            if len(others) < _LISTED and article not in others:
                others.append(article)
                rows.append((value, article))

    for article in fresh:
        ways = keys[article]
        certain[article], shared[article] = set(), Counter()
        for others in meet(ways.certain, article):
            certain[article].update(others)
        for others in meet(ways.anchors, article):
            shared[article].update(others)
        certain[article].discard(article)
        shared[article].pop(article, None)
    rows.sort()  # neighbours go to one page of the index
    insert_values(connection, _RECENT, ("hash", "article_id"), rows)
    if fresh and max(fresh) // _RECENT_ARTICLES > (min(fresh) - 1) // _RECENT_ARTICLES:
        _move_recent(connection)
    return _compared(connection, fresh, _promising(connection, fresh, shared, certain))


def _move_recent(connection: Connection) -> None:
    """Gives the values of the newest articles on to the large table, in its order."""
    recent = select(_RECENT.c.hash, _RECENT.c.article_id)
    recent = recent.order_by(_RECENT.c.hash, _RECENT.c.article_id)
    connection.execute(insert(_BANDS).from_select(["hash", "article_id"], recent))
    _empty(connection, _RECENT)


def _empty(connection: Connection, table: Table) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"TRUNCATE {table.name}"))
    else:
        connection.execute(delete(table))


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
    for chunk in chunks(sorted(others), _VALUES_AT_ONCE):
        sizes.update(
            tuple(row) for row in rows_among(connection, query, _SHINGLES.c.article_id, chunk)
        )
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
                "part": str(copy.part),
                "longer_id": b if copy.second_is_longer else a,
            }
        )


def _count_changes(connection: Connection, links: Sequence[dict[str, Any]]) -> None:
    """Adds to links how many sentences only one of both texts has, or has in other words."""
    said = func.substr(_ARTICLES.c.text, 1, _COMPARED).label("text")
    for chunk in chunks(links, _TEXTS_AT_ONCE):
        # The same words are the same sentences, whatever stands between them.
        changed = [link for link in chunk if link["kind"] != CopyKind.EXACT]
        ids = sorted({link[end] for link in changed for end in ("a_id", "b_id")})
        rows = rows_among(connection, select(_ARTICLES.c.id, said), _ARTICLES.c.id, ids)
        texts = {row.id: sentences(row.text) for row in rows}
        for link in chunk:
            link |= {"only_a": 0, "only_b": 0, "altered": 0}
        for link in changed:
            found = changes_between(texts[link["a_id"]], texts[link["b_id"]])
            link |= {"only_a": found.removed, "only_b": found.added, "altered": found.altered}


def _count_missing(connection: Connection) -> bool:
    """The same for some links that were stored without; False if there are none."""
    missing = select(_LINKS.c.a_id, _LINKS.c.b_id, _LINKS.c.kind).where(_LINKS.c.only_a.is_(None))
    rows = connection.execute(missing.limit(_PORTION)).mappings()
    links = [dict(row) for row in rows]
    if not links:
        return False
    _count_changes(connection, links)
    counted = update(_LINKS).values({name: bindparam(f"new_{name}") for name in _COUNTS})
    counted = counted.where(_LINKS.c.a_id == bindparam("first"))
    counted = counted.where(_LINKS.c.b_id == bindparam("other"))
    values = [
        {f"new_{name}": link[name] for name in _COUNTS}
        | {"first": link["a_id"], "other": link["b_id"]}
        for link in links
    ]
    connection.execute(counted, values)
    return True


def _sized(connection: Connection, ids: Sequence[int]) -> Iterator[list[int]]:
    """The articles in chunks whose shingles fit in memory together."""
    query = select(_SHINGLES.c.article_id, _SHINGLES.c.shingle_count).where(_is_current())
    chunk: list[int] = []
    size = 0
    for part in chunks(ids, _VALUES_AT_ONCE):
        for row in rows_among(connection, query, _SHINGLES.c.article_id, part):
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
    columns = ("article_id", "text_hash", "shingles", "opening", "figures")
    query = select(*(_SHINGLES.c[name] for name in columns)).where(_is_current())
    return {
        row.article_id: Fingerprint(
            unpack(row.shingles), unpack(row.opening or b""), unpack(row.figures), row.text_hash
        )
        for row in rows_among(connection, query, _SHINGLES.c.article_id, ids)
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
        "opening": pack(found.opening),
        "figures": pack(found.figures),
    }


# --- stories ---------------------------------------------------------------------------------

#: As in the index of those links, which is not used unless a query says the same.
_HOLDS_PART = literal_column("article_links.part <> 'most'", Boolean)


def _settle(
    connection: Connection,
    touched: Collection[int],
    new: Sequence[Mapping[str, Any]],
    broken: Collection[int],
    now: datetime,
) -> None:
    """Stories after new links, and after links that the `broken` ones may have lost.

    A whole story is one node, named by its smallest article; of a broken one every article is.
    """
    links = {(link["a_id"], link["b_id"]): link for link in new}
    query = select(_ARTICLES.c.id, _ARTICLES.c.story_id)
    dissolved: set[int] = set()
    story: dict[int, int | None] = {}
    if broken:
        for row in rows_among(connection, query, _ARTICLES.c.story_id, sorted(broken)):
            dissolved.add(row.id)
            story[row.id] = row.story_id
        for chunk in chunks(sorted(dissolved), _VALUES_AT_ONCE):
            for end in (_LINKS.c.a_id, _LINKS.c.b_id):
                for row in rows_among(connection, select(_LINKS), end, chunk):
                    links[row.a_id, row.b_id] = row._mapping
    ends = {end for pair in links for end in pair}
    for chunk in chunks(sorted({*touched, *ends} - story.keys()), _VALUES_AT_ONCE):
        for row in rows_among(connection, query, _ARTICLES.c.id, chunk):
            story[row.id] = row.story_id

    def node(article: int) -> int:
        whole = story[article]
        return article if article in dissolved or whole is None else whole

    pairs = [(node(a), node(b)) for a, b in _joining(connection, list(links.values()))]
    root = _joined(map(node, story), pairs)
    known = {
        row.id: row.merged_into
        for chunk in chunks(sorted(root), _VALUES_AT_ONCE)
        for row in rows_among(
            connection, select(_STORIES.c.id, _STORIES.c.merged_into), _STORIES.c.id, chunk
        )
    }
    sizes = Counter(root.values())
    born = {number for number in root.values() if number not in known}
    lone = {number for number in born if sizes[number] == 1}
    living = set(root.values()) - lone
    _tell_alone(connection, sorted(lone))
    insert_values(
        connection, _STORIES, ("id", "articles"), [(number, 0) for number in sorted(born - lone)]
    )
    revived = [number for number in living if known.get(number) is not None]
    if revived:
        alive = update(_STORIES).values(merged_into=None, merged_at=None)
        run_among(connection, alive, _STORIES.c.id, revived)
    _move(connection, story, dissolved, root)
    for number in sorted(known.keys() - living):
        _record_merge(connection, number, root[number], known[number], now)
    for chunk in chunks(sorted(living), _VALUES_AT_ONCE):
        _describe(connection, chunk)


def _joining(connection: Connection, links: Collection[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """Those of the links that make one story of their articles.

    A roundup holds texts of several stories and must not join them. So the shorter text must
    hold more than half of the longer one: no two texts that have nothing in common do. A lead
    holds less: of a text that it opens it is a cut copy, unless that one holds another text that
    has nothing of the lead; then it is taken for a roundup. Links of an earlier Warraq all join.
    """
    openings = {
        (_shorter(link), link["longer_id"]) for link in links if link["part"] == Part.OPENING
    }
    held: dict[int, set[int]] = {}
    query = select(_LINKS).where(_HOLDS_PART, _LINKS.c.part != str(Part.OPENING))
    for chunk in chunks(sorted({holder for _, holder in openings}), _VALUES_AT_ONCE):
        for row in rows_among(connection, query, _LINKS.c.longer_id, chunk):
            held.setdefault(row.longer_id, set()).add(_shorter(row._mapping))
    linked: dict[int, set[int]] = {}
    leads = sorted({lead for lead, holder in openings if holder in held})
    ends = select(_LINKS.c.a_id, _LINKS.c.b_id)
    for chunk in chunks(leads, _VALUES_AT_ONCE):
        for end, other in ((_LINKS.c.a_id, "b_id"), (_LINKS.c.b_id, "a_id")):
            for row in rows_among(connection, ends, end, chunk):
                linked.setdefault(row._mapping[end.name], set()).add(row._mapping[other])

    def joins(link: Mapping[str, Any]) -> bool:
        if link["part"] == Part.OPENING:
            return held.get(link["longer_id"], set()) <= linked.get(_shorter(link), set())
        return bool(link["part"] != Part.PASSAGE)

    return [(link["a_id"], link["b_id"]) for link in links if joins(link)]


def _shorter(link: Mapping[str, Any]) -> int:
    return int(link["a_id"] if link["longer_id"] == link["b_id"] else link["b_id"])


def _unsettled(connection: Connection, new: Sequence[Mapping[str, Any]]) -> set[int]:
    """Stories with a text that is now known to hold more than what it opens with."""
    holders = {link["longer_id"] for link in new if link["part"] in (Part.BODY, Part.PASSAGE)}
    openings = select(_LINKS.c.longer_id).where(_HOLDS_PART, _LINKS.c.part == str(Part.OPENING))
    found = {row.longer_id for row in rows_among(connection, openings, _LINKS.c.longer_id, holders)}
    return _stories_of(connection, found)


def _stories_of(connection: Connection, articles: Collection[int]) -> set[int]:
    stories = rows_among(connection, select(_ARTICLES.c.story_id), _ARTICLES.c.id, articles)
    return _told(connection, {row.story_id for row in stories})


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
    for chunk in chunks(own, _VALUES_AT_ONCE):
        to_own = update(_ARTICLES).values(story_id=_ARTICLES.c.id)
        run_among(connection, to_own, _ARTICLES.c.id, chunk)
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


def _tell_alone(connection: Connection, articles: Sequence[int]) -> None:
    """Stories of articles that are not linked to any."""
    if not articles:
        return
    own = select(
        _ARTICLES.c.id,
        _ARTICLES.c.id,
        literal_column("1"),
        _ARTICLES.c.published_at,
        _ARTICLES.c.first_seen,
    ).where(among(connection, _ARTICLES.c.id))
    names = ["id", "representative_id", "articles", "first_published", "first_seen"]
    connection.execute(insert(_STORIES).from_select(names, own), given(connection, articles))


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
        .where(among(connection, _ARTICLES.c.story_id))
        .subquery()
    )
    query = select(*(c for c in ranked.c if c.name != "rank")).where(ranked.c.rank == 1)
    rows = [
        {f"new_{name}": value for name, value in row.items()}
        for row in connection.execute(query, given(connection, stories)).mappings()
    ]
    if rows:
        names = ("representative_id", "articles", "first_published", "first_seen")
        changed = (
            update(_STORIES)
            .where(_STORIES.c.id == bindparam("new_number"))
            .values(**{name: bindparam(f"new_{name}") for name in names})
        )
        connection.execute(changed, rows)
