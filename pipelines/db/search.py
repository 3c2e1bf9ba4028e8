"""Arabic full-text search: words in, articles out, the same on SQLite and PostgreSQL.

The index holds search keys (`arabic.search_key`), so that spellings meet; what clitics and
variants of names add is expanded in the query (`pipelines.search_query`). docs/search.md has the
language of queries, the formula of the ranking and the figures.

Two indexes behave alike: FTS5 on SQLite, a tsvector with GIN on PostgreSQL. Both know words and
facts (source, agency, language, time) as words that begin with #, so that a filter is one more
word. Neither can tell the newest of a million articles that have a common word without looking at
them all. So a search looks at the newest slice of time first, and at longer ones until it has
enough: see `_candidates`. Ranking is the same code for both: `_rank`.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from time import monotonic
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    DateTime,
    Executable,
    bindparam,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError

from pipelines.db.models import ArticleRow, SearchEntry, SourceRow, Story, table
from pipelines.db.search_index import LEVELS, block_of, blocks, midnight
from pipelines.db.search_match import for_fts5, for_tsquery
from pipelines.errors import QueryError
from pipelines.search_marks import TermCounter, pieces
from pipelines.search_query import (
    And,
    Expression,
    Fact,
    Node,
    Not,
    Or,
    Words,
    parse,
    storable,
    words_of,
)

__all__ = [
    "MOST",
    "Expression",
    "Found",
    "Hit",
    "Query",
    "Sort",
    "article_ids",
    "parse",
    "search",
]

_ARTICLES = table(ArticleRow)
_ENTRIES = table(SearchEntry)
_SOURCES = table(SourceRow)
_STORIES = table(Story)

#: So many matching articles are counted, ranked and paged through; of more, the newest.
MOST = 1000


class Sort(StrEnum):
    """The order of hits."""

    RELEVANCE = "relevance"
    NEWEST = "newest"
    OLDEST = "oldest"


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked. `text` is in the language of docs/search.md and may hold filters as well;
    both kinds must hold. An empty text finds all articles that the filters leave.

    `since` and `until` are days on UTC's calendar, both included; an article without a date of
    publication passes neither. `sources` are keys, or folders of keys (`eg` for `eg/sahifa`).
    `limit` is 1 to 200 and `offset + limit` at most MOST.
    """

    text: str = ""
    sources: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    agencies: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    story: int | None = None
    sort: Sort = Sort.RELEVANCE
    limit: int = 20
    offset: int = 0
    one_a_story: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """An article that was found. Pieces are (text as printed, whether it is a hit), in order;
    joined they are the title, or a part of the text with "…" where it was cut."""

    article_id: int
    title: str | None
    title_pieces: tuple[tuple[str, bool], ...]
    snippet: tuple[tuple[str, bool], ...]
    source: str
    source_title: str | None
    url: str | None
    path: str | None
    published_at: datetime | None
    published_iso: str | None
    agency: str | None
    language: str | None
    story_id: int | None
    story_articles: int
    score: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found. `total` counts articles; with `more` there are more than `total`,
    and `facets` count the newest `total` of them.

    `facets`: source (keys), agency (ids), language, month (as 2020-09) -> values with how many
    articles, most first (months: newest first).
    """

    total: int
    more: bool
    hits: list[Hit]
    facets: dict[str, list[tuple[str, int]]]


#: Entries in the first slice of time, and how many times as long the next one is at most.
_FIRST_SLICE = 2048
_MOST_GROWTH = 128
#: Without dates slices are of no help: of more matches the latest stored are looked at.
_LOOKED_AT = 20_000
#: So many candidates have their texts read and their hits counted.
_READ = 40
#: The weight of the title, and the days after which half of an article's newness is gone.
_TITLE_WEIGHT = 2.0
_HALF_LIFE = 30.0


# --- searching -------------------------------------------------------------------------------


def search(connection: Connection, query: Query, *, seconds: float = 10.0) -> Found:
    """Finds articles. Only reads; ends after some `seconds`.

    Raises QueryError for a text that can't be understood (with the place and what to do), a
    source that is not there, a page out of reach, or a search that took too long.
    """
    if not 1 <= query.limit <= 200 or query.offset < 0 or query.offset + query.limit > MOST:
        raise QueryError(
            f"a page has 1 to 200 articles, among the first {MOST}; narrow the search to see others"
        )
    expression = _filtered(connection, query)
    with _bounded(connection, seconds):
        found, more, reach = _candidates(connection, expression, query.sort)
        counter = TermCounter(list(words_of(expression.root)))
        texts: dict[int, _Text] = {}
        score: Callable[[_Candidate], float] = _unranked
        if query.sort is Sort.RELEVANCE:
            found, score = _rank(connection, expression, found, reach, counter, texts)
        chosen = _page(connection, query, found, texts)
        hits = _hits(connection, chosen, counter, texts, score)
        return Found(len(found), more, hits, _facets(connection, found))


def article_ids(connection: Connection, query: Query, *, seconds: float = 300.0) -> Iterator[int]:
    """Numbers of all articles that match, newest first, however many; `sort`, `limit`, `offset`
    and `one_a_story` are not looked at. Raises QueryError as `search` does."""
    expression = _filtered(connection, query)
    with _bounded(connection, seconds):
        rows = _matching(connection, expression, expression.root, None, Sort.NEWEST, None)
        found = [row.article_id for row in rows]
    yield from found


class _Candidate(NamedTuple):
    article_id: int
    published_at: datetime | None  # as the driver gives it: with a zone or without, UTC
    source_id: int
    agency: str | None
    language: str | None


def _filtered(connection: Connection, query: Query) -> Expression:
    """The query's text and its other fields as one expression, sources as numbers."""
    said = parse(query.text)
    parts: list[Node] = [] if said.root is None else [said.root]
    for field, values in (
        ("source", query.sources),
        ("agency", query.agencies),
        ("language", query.languages),
    ):
        if values:
            parts.append(Or(tuple(Fact(field, storable(value)) for value in values)))
    since = max((day for day in (said.since, query.since) if day), default=None)
    until = min((day for day in (said.until, query.until) if day), default=None)
    if None not in (said.story, query.story) and said.story != query.story:
        raise QueryError(f"an article is of one story, not of {said.story} and {query.story}")
    story = query.story if said.story is None else said.story
    root = None if not parts else parts[0] if len(parts) == 1 else And(tuple(parts))
    return Expression(_resolved(connection, root), since, until, story)


def _resolved(connection: Connection, node: Node | None) -> Node | None:
    """The same with the numbers of sources for their keys."""
    if isinstance(node, Fact) and node.field == "source":
        key = node.value.strip("/")
        inside = _SOURCES.c.key.startswith(f"{key}/", autoescape=True)
        query = select(_SOURCES.c.id).where(or_(_SOURCES.c.key == node.value, inside))
        found = connection.execute(query).scalars().all()
        if not found:
            raise QueryError(f"there is no source {node.value!r}; the table `sources` has the keys")
        return Or(tuple(Fact("source", str(number)) for number in sorted(found)))
    if isinstance(node, And | Or):
        parts = tuple(_resolved(connection, part) for part in node.parts)
        return type(node)(tuple(part for part in parts if part is not None))
    if isinstance(node, Not):
        part = _resolved(connection, node.part)
        return node if part is None else Not(part)
    return node


@contextmanager
def _bounded(connection: Connection, seconds: float) -> Iterator[None]:
    """Ends what takes longer with a QueryError."""
    late = QueryError(f"the search was stopped after {seconds:g} s; add words or narrow the dates")
    if connection.dialect.name == "sqlite":
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101
        deadline = monotonic() + seconds
        driver.set_progress_handler(lambda: monotonic() > deadline, 10_000)
        try:
            yield
        except DBAPIError as error:
            if "interrupted" in str(error.orig):
                raise late from error
            raise
        finally:
            driver.set_progress_handler(None, 0)
        return
    # They hold to the end of the transaction. Compiling takes longer than any of these queries;
    # the planner takes reading all words for cheap, because it does not count what is out of line.
    connection.execute(
        text(
            "SELECT set_config('statement_timeout', :milliseconds, true),"
            " set_config('jit', 'off', true), set_config('enable_seqscan', 'off', true)"
        ),
        {"milliseconds": str(max(1, int(seconds * 1000)))},
    )
    try:
        yield
    except DBAPIError as error:
        if "statement timeout" in str(error.orig):
            raise late from error
        raise


# --- candidates ------------------------------------------------------------------------------


def _candidates(
    connection: Connection, said: Expression, sort: Sort
) -> tuple[list[_Candidate], bool, list[str] | None]:
    """At most MOST articles that match, the newest (or oldest) of all, in that order; whether
    there are more; and the slice of time that they were found in.

    A slice is looked at whole. The first has _FIRST_SLICE entries of whatever words, each next
    one as many as will hold MOST matches if they go on as they did: a word that a slice has too
    few of is rare enough for the next.
    """
    if said.since and said.until and said.since > said.until:
        return [], False, None
    period = _period(connection, said)
    if period is not None and not period:
        return [], False, None
    if said.story is None:
        near, far, length = _extent(connection, said, sort)
        while length < abs(near - far):
            low, high = _slice(near, length, sort)
            reach = blocks(low, high)
            found = _matching(connection, said, said.root, reach, sort, MOST + 1)
            if len(found) > MOST:
                return found[:MOST], True, reach
            enough = math.ceil(1.25 * MOST / max(1, len(found)) * (high - low + 1))
            length = min(length * _MOST_GROWTH, max(length * 2, enough))
    found = _matching(connection, said, said.root, period, sort, MOST + 1)
    return found[:MOST], len(found) > MOST, period


def _period(connection: Connection, said: Expression) -> list[str] | None:
    """Facts of the days from `since` to `until`; None without them."""
    if said.since is None and said.until is None:
        return None
    # Each by itself: asked for together, SQLite reads all dates.
    ends = select(
        select(func.min(_ENTRIES.c.dated_at)).scalar_subquery(),
        select(func.max(_ENTRIES.c.dated_at)).scalar_subquery(),
    )
    first, last = connection.execute(ends).one()
    if first is None:
        return []
    low, high = block_of(first), block_of(last)
    if said.since:
        low = max(low, block_of(midnight(said.since)))
    if said.until:
        high = min(high, block_of(midnight(said.until)) + 2)
    return blocks(low, high)


def _extent(connection: Connection, said: Expression, sort: Sort) -> tuple[int, int, int]:
    """The blocks of the newest and the oldest article (or the other way round), and how many
    blocks from the former _FIRST_SLICE entries fill; (0, 0, 1) where there are no more."""
    newest = sort is not Sort.OLDEST
    # A date to come is a mistake: it must not stretch the slices.
    latest = datetime.now(UTC) + timedelta(days=1)
    if said.until:
        latest = min(latest, midnight(said.until) + timedelta(days=1))
    earliest = midnight(said.since) if said.since else datetime.min.replace(tzinfo=UTC)
    within = select(_ENTRIES.c.dated_at).where(
        _ENTRIES.c.dated_at < latest, _ENTRIES.c.dated_at >= earliest
    )
    back, on = _ENTRIES.c.dated_at.desc(), _ENTRIES.c.dated_at
    walk, turn = (back, on) if newest else (on, back)
    ends = select(
        within.order_by(walk).limit(1).scalar_subquery(),
        within.order_by(walk).offset(_FIRST_SLICE).limit(1).scalar_subquery(),
        within.order_by(turn).limit(1).scalar_subquery(),
    )
    begin, end, bound = connection.execute(ends).one()
    if end is None:
        return 0, 0, 1
    return block_of(begin), block_of(bound), abs(block_of(begin) - block_of(end)) + 1


def _slice(near: int, length: int, sort: Sort) -> tuple[int, int]:
    """The first and the last block of a slice of time that goes back from the newest articles (or
    on from the oldest).

    Whole blocks of a level, a few of them: it may be somewhat longer than wanted. On the side
    where the walk began it ends where `since` or `until` say, if they do.
    """
    level = 0
    while length >> 3 * level > 8 and level < LEVELS - 1:
        level += 1
    unit = 1 << 3 * level
    if sort is Sort.OLDEST:
        return near, ((near + length) // unit + 1) * unit - 1
    return (near - length) // unit * unit, near


def _matching(
    connection: Connection,
    said: Expression,
    node: Node | None,
    reach: list[str] | None,
    sort: Sort,
    most: int | None,
) -> list[_Candidate]:
    """Articles for which `node` and the expression's filters hold, within a slice of time."""
    dated = said.since is not None or said.until is not None
    match = (for_fts5 if connection.dialect.name == "sqlite" else for_tsquery)(node, reach, dated)
    bounded = reach is None and most is not None and said.story is None
    query = _matching_query(
        connection.dialect.name, bounded, said.story is not None, sort is Sort.OLDEST, most
    )
    rows = connection.execute(query, {"match": match, "story": said.story})
    return [_Candidate(*row) for row in rows.all()]


@lru_cache(maxsize=64)
def _matching_query(
    dialect: str, bounded: bool, of_story: bool, oldest: bool, most: int | None
) -> Executable:
    query = _MATCHING[dialect].format(
        bound=_BOUND[dialect] if bounded else "",
        story=_OF_STORY if of_story else "",
        order="" if oldest else "DESC",
        most="" if most is None else f"LIMIT {most}",
    )
    return text(query).columns(published_at=DateTime())


_MATCHING = {
    "sqlite": """
        SELECT e.article_id, e.published_at, e.source_id, e.agency, e.language
        FROM (
            SELECT rowid AS entry FROM search_words WHERE search_words MATCH :match {bound}
        ) f JOIN search_entries e ON e.entry = f.entry
        {story} ORDER BY e.dated_at {order}, e.article_id {order} {most}
    """,
    # Materialized: else it may walk along the dates, and read the words of each entry there.
    "postgresql": """
        WITH e AS MATERIALIZED (
            SELECT entry, article_id, dated_at, published_at, source_id, agency, language
            FROM search_entries WHERE words @@ CAST(:match AS tsquery) {bound}
        )
        SELECT article_id, published_at, source_id, agency, language
        FROM e {story} ORDER BY dated_at {order}, article_id {order} {most}
    """,
}
_BOUND = {
    "sqlite": f"ORDER BY entry DESC LIMIT {_LOOKED_AT}",
    # Plus nothing: else it may walk along the entries, and read the words of each.
    "postgresql": f"ORDER BY entry + 0 DESC LIMIT {_LOOKED_AT}",
}
_OF_STORY = "WHERE article_id IN (SELECT id FROM articles WHERE story_id = :story)"


def _titled(
    connection: Connection, said: Expression, node: Node, reach: list[str] | None
) -> set[int]:
    """Numbers of the articles that have the words in their titles, within a slice of time."""
    dialect = connection.dialect.name
    match = (for_fts5 if dialect == "sqlite" else for_tsquery)(node, reach, False)
    asked = {"match": match, "most": _LOOKED_AT}
    return set(connection.execute(_TITLED[dialect], asked).scalars().all())


_TITLED = {
    "sqlite": text("""
        SELECT e.article_id FROM search_words w JOIN search_entries e ON e.entry = w.rowid
        WHERE w.search_words MATCH :match ORDER BY w.rowid DESC LIMIT :most
    """),
    "postgresql": text("""
        SELECT article_id FROM search_entries WHERE words @@ CAST(:match AS tsquery)
        LIMIT :most
    """),
}


# --- ranking ---------------------------------------------------------------------------------


class _Text(NamedTuple):
    title: str | None
    body: str
    row: Any  # of _SHOWN


def _rank(
    connection: Connection,
    said: Expression,
    found: list[_Candidate],
    reach: list[str] | None,
    counter: TermCounter,
    texts: dict[int, _Text],
) -> tuple[list[_Candidate], Callable[[_Candidate], float]]:
    """Candidates, the best first, and what scores one. Title and newness order all of them; the
    first _READ are read, and ordered by how often they say the words, too."""
    titled: set[int] = set()
    in_title = _in_title(said.root)
    if in_title is not None and len(found) > _READ:
        narrowed = And((in_title, *_facts_of(said.root)))
        titled = _titled(connection, said, narrowed, reach)
    newest = max((c.published_at for c in found if c.published_at), default=None)
    relevance: dict[int, float] = {}

    def score(candidate: _Candidate) -> float:
        worth = relevance.get(candidate.article_id)
        if worth is None:
            worth = 0.5 + (_TITLE_WEIGHT if candidate.article_id in titled else 0.0)
        return worth * _newness(candidate.published_at, newest)

    # A title outweighs any newness, and they come by date, but for those without one.
    ranked = sorted(found, key=lambda c: (c.article_id not in titled, c.published_at is None))
    if not counter.terms:
        return ranked, score
    first = ranked[:_READ]
    texts.update(_read_texts(connection, [c.article_id for c in first]))
    for candidate in first:
        if article := texts.get(candidate.article_id):
            relevance[candidate.article_id] = _relevance(said.root, counter, article)
    first.sort(key=lambda c: -score(c))
    return first + ranked[_READ:], score


def _unranked(_: _Candidate) -> float:
    return 0.0


def _newness(published: datetime | None, newest: datetime | None) -> float:
    """1 for the newest article found, towards a half for older ones; a half without a date."""
    if published is None or newest is None:
        return 0.5
    days = (newest - published).total_seconds() / 86_400
    return 0.5 + 0.5 * math.pow(0.5, min(days / _HALF_LIFE, 1000))


def _in_title(node: Node | None) -> Node | None:
    """What says that the words stand in the title; None if there are none."""
    if isinstance(node, Words):
        return Words(node.forms, node.prefix, in_title=True)
    if isinstance(node, And | Or):
        parts = tuple(part for part in map(_in_title, node.parts) if part is not None)
        return type(node)(parts) if parts else None
    return None


def _facts_of(node: Node | None) -> Iterator[Node]:
    """Facts that hold for all that is found: without a source, a common word of it is in the
    titles of too many articles."""
    if isinstance(node, And):
        for part in node.parts:
            yield from _facts_of(part)
    elif isinstance(node, Fact | Or) and _is_fact(node):
        yield node


def _is_fact(node: Node) -> bool:
    return isinstance(node, Fact) or (isinstance(node, Or) and all(map(_is_fact, node.parts)))


def _relevance(root: Node | None, counter: TermCounter, article: _Text) -> float:
    title = counter.counts(article.title or "")[0]
    body, length = counter.counts(article.body)
    scored = {
        term: _TITLE_WEIGHT * (title[at] > 0) + body[at] / (body[at] + 1 + length / 500)
        for at, term in enumerate(counter.terms)
    }

    def score(node: Node | None) -> float | None:
        if isinstance(node, Words):
            return scored[node]
        if isinstance(node, And | Or):
            parts = [s for s in map(score, node.parts) if s is not None]
            if not parts:
                return None
            return max(parts) if isinstance(node, Or) else sum(parts) / len(parts)
        return None

    return score(root) or 0.0


# --- what is shown ---------------------------------------------------------------------------


_SHOWN = (
    select(
        _ARTICLES.c.id,
        _ARTICLES.c.title,
        _ARTICLES.c.deck,
        _ARTICLES.c.text,
        _ARTICLES.c.story_id,
        _ARTICLES.c.url,
        _ARTICLES.c.path,
        _ARTICLES.c.published_at,
        _ARTICLES.c.published_iso,
        _SOURCES.c.key.label("source"),
        _SOURCES.c.title.label("source_title"),
        func.coalesce(_STORIES.c.articles, 1).label("copies"),
    )
    .join(_SOURCES, _SOURCES.c.id == _ARTICLES.c.source_id)
    .outerjoin(_STORIES, _STORIES.c.id == _ARTICLES.c.story_id)
    .where(_ARTICLES.c.id.in_(bindparam("ids", expanding=True)))
)
_STORY_OF = select(_ARTICLES.c.id, _ARTICLES.c.story_id).where(
    _ARTICLES.c.id.in_(bindparam("ids", expanding=True))
)
#: All in one parameter: a statement of hundreds takes longer to read than to answer.
_KEYS = {
    "sqlite": text("SELECT id, key FROM sources WHERE id IN (SELECT value FROM json_each(:ids))"),
    "postgresql": text(
        "SELECT id, key FROM sources WHERE id IN (SELECT CAST(value AS bigint)"
        " FROM json_array_elements_text(CAST(:ids AS json)) AS e(value))"
    ),
}


def _read_texts(connection: Connection, ids: Sequence[int]) -> dict[int, _Text]:
    if not ids:
        return {}
    return {
        row.id: _Text(row.title, f"{row.deck}\n{row.text}" if row.deck else row.text, row)
        for row in connection.execute(_SHOWN, {"ids": list(ids)})
    }


def _page(
    connection: Connection, query: Query, found: list[_Candidate], texts: dict[int, _Text]
) -> list[_Candidate]:
    """The candidates of the page; of each story one, if that is wanted."""
    wanted = slice(query.offset, query.offset + query.limit)
    if not query.one_a_story:
        return found[wanted]
    chosen: list[_Candidate] = []
    seen: set[int] = set()
    for at in range(0, len(found), 100):
        chunk = found[at : at + 100]
        missing = [c.article_id for c in chunk if c.article_id not in texts]
        told = connection.execute(_STORY_OF, {"ids": missing})
        stories = {row.id: row.story_id for row in told}
        for candidate in chunk:
            number = candidate.article_id
            story = texts[number].row.story_id if number in texts else stories.get(number)
            if story is None or story not in seen:
                chosen.append(candidate)
            if story is not None:
                seen.add(story)
        if len(chosen) >= query.offset + query.limit:
            break
    return chosen[wanted]


def _hits(
    connection: Connection,
    chosen: list[_Candidate],
    counter: TermCounter,
    texts: dict[int, _Text],
    score: Callable[[_Candidate], float],
) -> list[Hit]:
    ids = [candidate.article_id for candidate in chosen]
    texts.update(_read_texts(connection, [number for number in ids if number not in texts]))
    hits = []
    for candidate in chosen:
        number = candidate.article_id
        said = texts.get(number)
        if said is None:
            continue
        row = said.row
        hits.append(
            Hit(
                article_id=number,
                title=said.title,
                title_pieces=pieces(said.title or "", counter.spans(said.title or "")),
                snippet=counter.snippet(said.body),
                source=row.source,
                source_title=row.source_title,
                url=row.url,
                path=row.path,
                published_at=row.published_at,
                published_iso=row.published_iso,
                agency=candidate.agency,
                language=candidate.language,
                story_id=row.story_id,
                story_articles=row.copies,
                score=round(score(candidate), 4),
            )
        )
    return hits


_MONTH: Callable[[datetime], tuple[int, int]] = attrgetter("year", "month")


def _facets(connection: Connection, found: list[_Candidate]) -> dict[str, list[tuple[str, int]]]:
    sources = Counter(candidate.source_id for candidate in found)
    asked = {"ids": json.dumps(list(sources))}
    told = connection.execute(_KEYS[connection.dialect.name], asked)
    keys: dict[int, str] = {row.id: row.key for row in told}
    agencies: Counter[str] = Counter()
    for named, count in Counter(c.agency for c in found if c.agency).items():
        agencies.update(dict.fromkeys(named.split(","), count))
    languages = Counter(candidate.language for candidate in found if candidate.language)
    months = Counter(map(_MONTH, filter(None, (candidate.published_at for candidate in found))))
    return {
        "source": _most({keys[number]: count for number, count in sources.items()}),
        "agency": _most(agencies),
        "language": _most(languages),
        "month": [
            (f"{year:04}-{month:02}", count)
            for (year, month), count in sorted(months.items(), reverse=True)
        ],
    }


def _most(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
