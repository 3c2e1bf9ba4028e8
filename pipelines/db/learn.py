"""Counts what each source's pages repeat, and keeps what was decided of it.

Called by the store within its transactions. Of every month of a source a sample of its articles
is counted: those with the smallest hashes, so that the sample is bounded and is the same in
whatever order the pages came.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from pipelines.db.models import LearnedLine, PageLine, SampledPage, SourceRow, table
from pipelines.db.templates import note_outlines
from pipelines.document import Article, Place
from pipelines.stages.repeats import (
    ACTIVE,
    DECIDED,
    Seen,
    State,
    judge,
    line_hash,
    month_of,
    seen_on,
)

#: Articles of a source that are counted of each month. (A line is sure after far fewer.)
SAMPLE = 50
#: Values in one query: SQLite takes 32,766.
_AT_ONCE = 5_000

_LEARNED = table(LearnedLine)
_LINES = table(PageLine)
_PAGES = table(SampledPage)
_SOURCES = table(SourceRow)


def active_lines(
    connection: Connection, keys: Collection[str] | None = None
) -> dict[str, frozenset[str]]:
    """Source key -> match keys of the lines that are taken out of its pages; all sources, or some.

    Sources without such lines are left out.
    """
    return _lines_in(connection, ACTIVE, keys)


def refused_lines(connection: Connection) -> dict[str, frozenset[str]]:
    """The same of the lines that a person wants to stay."""
    return _lines_in(connection, (State.REFUSED,), None)


def _lines_in(
    connection: Connection, states: Collection[State], keys: Collection[str] | None
) -> dict[str, frozenset[str]]:
    query = (
        select(_SOURCES.c.key, _LEARNED.c.key.label("line"))
        .join(_SOURCES, _SOURCES.c.id == _LEARNED.c.source_id)
        .where(_LEARNED.c.state.in_([str(state) for state in states]))
    )
    found: dict[str, set[str]] = {}
    for part in _parts(keys) if keys is not None else [None]:
        narrowed = query if part is None else query.where(_SOURCES.c.key.in_(part))
        for row in connection.execute(narrowed):
            found.setdefault(row.key, set()).add(row.line)
    return {key: frozenset(lines) for key, lines in found.items()}


def wanted_lines(connection: Connection, articles: Sequence[Article]) -> list[frozenset[str]]:
    """For each article, the match keys of its lines that are known to be furniture once it and
    those before it in the sequence are counted. Writes nothing."""
    numbers = _numbers(connection, {article.source for article in articles})
    counts: dict[str, _Counts] = {}
    sampled: dict[str, set[str]] = {}
    for key in sorted({article.source for article in articles}):
        own = [article for article in articles if article.source == key]
        number = numbers.get(key)
        lines = {line_hash(c.key) for article in own for c in article.candidates}
        counts[key] = _count(connection, number, lines) if number is not None else _Counts()
        sampled[key] = set(
            _sampled(connection, number, {a.page_hash for a in own}) if number is not None else ()
        )
    wanted = []
    for article in articles:
        known = counts[article.source]
        if article.page_hash not in sampled[article.source]:
            sampled[article.source].add(article.page_hash)
            known.add(_seen_on(article), {line_hash(c.key): c.place for c in article.candidates})
        wanted.append(
            frozenset(
                c.key for c in article.candidates if known.state(line_hash(c.key), c.text) in ACTIVE
            )
        )
    return wanted


def note_pages(
    connection: Connection, articles: Iterable[tuple[Article, str | None]], ids: Mapping[str, int]
) -> None:
    """Counts the lines of articles, each with its name, and decides anew about them; learns
    templates from their outlines.

    `ids` are the numbers of their sources. Counting a page again changes nothing.
    """
    articles = list(articles)
    note_outlines(connection, (article for article, _ in articles), ids)
    by_source: dict[int, dict[str, _Page]] = {}
    for article, name in articles:
        pages = by_source.setdefault(ids[article.source], {})
        old = pages.get(article.page_hash)
        if old is None or article.raw_hash < old[0].raw_hash:
            pages[article.page_hash] = (article, name)
    for source_id, pages in sorted(by_source.items()):
        _note_source(connection, source_id, pages)


def recount(connection: Connection, source_id: int) -> None:
    """Decides anew about all lines of a source, from what is counted."""
    rows = connection.execute(select(_LEARNED.c.line).where(_LEARNED.c.source_id == source_id))
    _decide(connection, source_id, set(rows.scalars()), {})


def listed_lines(
    connection: Connection, source: str | None = None, limit: int | None = None, name: str = ""
) -> list[dict[str, Any]]:
    """Repeated lines, most seen first: all columns, with the source's key as `source`.

    `name` are the first digits of a line's hash. The dates are ISO strings.
    """
    query = (
        select(_LEARNED, _SOURCES.c.key.label("source"))
        .join(_SOURCES, _SOURCES.c.id == _LEARNED.c.source_id)
        .order_by(_LEARNED.c.pages.desc(), _SOURCES.c.key, _LEARNED.c.line)
        .limit(limit)
    )
    if source is not None:
        query = query.where(_SOURCES.c.key == source)
    if name:
        query = query.where(_LEARNED.c.line.between(name, name + _NO_END))
    return [
        {
            column: value.isoformat() if isinstance(value, date) else value
            for column, value in row.items()
        }
        for row in connection.execute(query).mappings()
    ]


def set_state(
    connection: Connection, source_id: int, line: str, state: State, who: str, at: datetime
) -> None:
    """Notes a person's decision. PROPOSED takes it back: then counting decides again."""
    taken_back = state not in DECIDED
    values: dict[str, Any] = {
        "state": str(state),
        "reason": f"{state} by {who}",
        "decided_by": None if taken_back else who,
        "decided_at": None if taken_back else at,
    }
    connection.execute(
        update(_LEARNED)
        .where(_LEARNED.c.source_id == source_id, _LEARNED.c.line == line)
        .values(**values)
    )
    if taken_back:
        _decide(connection, source_id, {line}, {})


# --- counting --------------------------------------------------------------------------------


@dataclass
class _Line:
    places: Counter[str] = field(default_factory=Counter)
    first: date | None = None
    last: date | None = None
    undated: int = 0

    def span(self, first: date | None, last: date | None) -> None:
        if first is not None:
            self.first = min(self.first or first, first)
        if last is not None:
            self.last = max(self.last or last, last)


@dataclass
class _Counts:
    """What is counted of a source: its sampled pages by day, and lines with their places."""

    days: list[date] = field(default_factory=list)  # one entry a page, sorted
    undated: int = 0
    lines: dict[str, _Line] = field(default_factory=dict)
    decided: dict[str, State] = field(default_factory=dict)

    def add(self, seen_on: date | None, lines: Mapping[str, Place]) -> None:
        if seen_on is None:
            self.undated += 1
        else:
            self.days.insert(bisect_right(self.days, seen_on), seen_on)
        for name, place in lines.items():
            line = self.lines.setdefault(name, _Line())
            line.places[str(place)] += 1
            line.undated += seen_on is None
            line.span(seen_on, seen_on)

    def seen(self, name: str) -> Seen:
        line = self.lines.get(name) or _Line()
        of = self.undated if line.undated else 0
        if line.first is not None and line.last is not None:
            of += bisect_right(self.days, line.last) - bisect_left(self.days, line.first)
        return Seen(
            top=line.places[Place.TOP],
            between=line.places[Place.BETWEEN],
            bottom=line.places[Place.BOTTOM],
            of=of,
        )

    def state(self, name: str, text: str) -> State | None:
        if name in self.decided:
            return self.decided[name]
        verdict = judge(text, self.seen(name))
        return verdict[0] if verdict else None


def _count(connection: Connection, source_id: int, lines: Collection[str]) -> _Counts:
    counts = _Counts()
    days = (
        select(_PAGES.c.seen_on, func.count())
        .where(_PAGES.c.source_id == source_id)
        .group_by(_PAGES.c.seen_on)
    )
    for day, number in connection.execute(days):
        if day is None:
            counts.undated = number
        else:
            counts.days += [day] * number
    counts.days.sort()
    same_page = and_(_PAGES.c.source_id == _LINES.c.source_id, _PAGES.c.page == _LINES.c.page)
    query = (
        select(
            _LINES.c.line,
            _LINES.c.place,
            func.count().label("pages"),
            func.count(_PAGES.c.seen_on).label("dated"),
            func.min(_PAGES.c.seen_on).label("first"),
            func.max(_PAGES.c.seen_on).label("last"),
        )
        .join(_PAGES, same_page)
        .where(_LINES.c.source_id == source_id)
        .group_by(_LINES.c.line, _LINES.c.place)
    )
    decided = select(_LEARNED.c.line, _LEARNED.c.state).where(
        _LEARNED.c.source_id == source_id, _LEARNED.c.decided_by.is_not(None)
    )
    for part in _parts(lines):
        for row in connection.execute(query.where(_LINES.c.line.in_(part))):
            line = counts.lines.setdefault(row.line, _Line())
            line.places[row.place] += row.pages
            line.undated += row.pages - row.dated
            line.span(row.first, row.last)
        for row in connection.execute(decided.where(_LEARNED.c.line.in_(part))):
            counts.decided[row.line] = State(row.state)
    return counts


#: An article, and what to call the page that it is from.
_Page = tuple[Article, str | None]


def _note_source(connection: Connection, source_id: int, pages: Mapping[str, _Page]) -> None:
    known = _sampled(connection, source_id, pages)
    ends = _ends(connection, source_id, {_month(a) for a, _ in pages.values()})
    new = {
        page: (article, name)
        for page, (article, name) in pages.items()
        if (page in known and article.raw_hash <= known[page])
        or (page not in known and page < ends.get(_month(article), _NO_END))
    }
    new = _without_the_unchanged(connection, source_id, new, known)
    if not new:
        return
    touched = _forget(connection, source_id, [page for page in new if page in known])
    lines = [
        {"source_id": source_id, "page": page, "line": name, "place": place}
        for page, (article, _) in new.items()
        for name, place in _places(article).items()
    ]
    connection.execute(
        insert(_PAGES), [_page_row(source_id, page, new[page][0]) for page in sorted(new)]
    )
    if lines:
        connection.execute(insert(_LINES), lines)
    touched |= {str(line["line"]) for line in lines}
    months = {_month(article) for article, _ in new.values()}
    touched |= _forget(connection, source_id, _surplus(connection, source_id, months))
    examples = {
        line_hash(c.key): (c.key, c.text, name)
        for article, name in new.values()
        for c in article.candidates
    }
    # Another page also changes the share of lines that it lacks. Deciding about all of them makes
    # the table depend on what is counted alone, not on how pages fell into batches.
    known_lines = select(_LEARNED.c.line).where(_LEARNED.c.source_id == source_id)
    touched |= set(connection.execute(known_lines).scalars())
    _decide(connection, source_id, touched, examples)


#: Above every hash.
_NO_END = "g"


def _ends(connection: Connection, source_id: int, months: Iterable[str]) -> dict[str, str]:
    """Of the months whose sample is full, the largest hash in it: a page beyond is not counted."""
    ends: dict[str, str] = {}
    for month in sorted(months):
        query = (
            select(_PAGES.c.page)
            .where(_PAGES.c.source_id == source_id, _PAGES.c.month == month)
            .order_by(_PAGES.c.page)
            .offset(SAMPLE - 1)
            .limit(1)
        )
        if (page := connection.execute(query).scalar()) is not None:
            ends[month] = page
    return ends


def _without_the_unchanged(
    connection: Connection,
    source_id: int,
    pages: Mapping[str, _Page],
    known: Mapping[str, str],
) -> dict[str, _Page]:
    """Pages that are new to the sample, or whose lines differ from those counted."""
    again = [page for page, (article, _) in pages.items() if known.get(page) == article.raw_hash]
    counted: dict[str, dict[str, str]] = {page: {} for page in again}
    for part in _parts(again):
        query = select(_LINES.c.page, _LINES.c.line, _LINES.c.place).where(
            _LINES.c.source_id == source_id, _LINES.c.page.in_(part)
        )
        for row in connection.execute(query):
            counted[row.page][row.line] = row.place
    return {
        page: (article, name)
        for page, (article, name) in pages.items()
        if page not in counted or counted[page] != _places(article)
    }


def _forget(connection: Connection, source_id: int, pages: Collection[str]) -> set[str]:
    """Takes pages out of the sample; the lines that they had."""
    lines: set[str] = set()
    for part in _parts(pages):
        of_pages = and_(_LINES.c.source_id == source_id, _LINES.c.page.in_(part))
        lines |= set(connection.execute(select(_LINES.c.line).where(of_pages)).scalars())
        connection.execute(delete(_LINES).where(of_pages))
        connection.execute(
            delete(_PAGES).where(_PAGES.c.source_id == source_id, _PAGES.c.page.in_(part))
        )
    return lines


def _surplus(connection: Connection, source_id: int, months: Iterable[str]) -> list[str]:
    surplus: list[str] = []
    for month in sorted(months):
        query = (
            select(_PAGES.c.page)
            .where(_PAGES.c.source_id == source_id, _PAGES.c.month == month)
            .order_by(_PAGES.c.page.desc())
            .limit(_over(connection, source_id, month))
        )
        surplus += connection.execute(query).scalars().all()
    return surplus


def _over(connection: Connection, source_id: int, month: str) -> int:
    query = select(func.count()).where(_PAGES.c.source_id == source_id, _PAGES.c.month == month)
    return max(0, int(connection.execute(query).scalar_one()) - SAMPLE)


def _decide(
    connection: Connection,
    source_id: int,
    lines: Collection[str],
    examples: Mapping[str, tuple[str, str, str | None]],
) -> None:
    """Writes counts and states of lines. What a person decided keeps its state."""
    counts = _count(connection, source_id, lines)
    stored: dict[str, Mapping[str, Any]] = {}
    for part in _parts(lines):
        query = select(_LEARNED).where(_LEARNED.c.source_id == source_id, _LEARNED.c.line.in_(part))
        stored |= {row["line"]: row for row in connection.execute(query).mappings()}
    gone: list[str] = []
    new: list[dict[str, Any]] = []
    for name in sorted(lines):
        old = stored.get(name)
        if old is None and name not in examples:
            continue
        key, text, page = (
            (old["key"], old["example"], old["example_page"]) if old else examples[name]
        )
        seen = counts.seen(name)
        verdict = judge(text, seen)
        decided = old is not None and old["decided_by"] is not None
        if verdict is None and not decided:
            if old is not None:
                gone.append(name)
            continue
        line = counts.lines.get(name) or _Line()
        row: dict[str, Any] = {
            "pages": seen.pages,
            "of_pages": seen.of,
            "at_top": seen.top,
            "in_between": seen.between,
            "at_bottom": seen.bottom,
            "first_seen": line.first,
            "last_seen": line.last,
        }
        if verdict is not None and not decided:
            row |= {"state": str(verdict[0]), "reason": verdict[1]}
        if old is None:
            named = {"key": key, "example": text, "example_page": page}
            new.append({"source_id": source_id, "line": name} | named | row)
        elif any(old[column] != value for column, value in row.items()):
            connection.execute(
                update(_LEARNED)
                .where(_LEARNED.c.source_id == source_id, _LEARNED.c.line == name)
                .values(**row)
            )
    for part in _parts(gone):
        connection.execute(
            delete(_LEARNED).where(_LEARNED.c.source_id == source_id, _LEARNED.c.line.in_(part))
        )
    if new:
        connection.execute(insert(_LEARNED), new)


# --- rows ------------------------------------------------------------------------------------


def _numbers(connection: Connection, keys: Collection[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in _parts(keys):
        query = select(_SOURCES.c.key, _SOURCES.c.id).where(_SOURCES.c.key.in_(part))
        found |= {row.key: row.id for row in connection.execute(query)}
    return found


def _sampled(connection: Connection, source_id: int, pages: Collection[str]) -> dict[str, str]:
    """Those of the pages that are in the sample, with the hash of their bytes."""
    found: dict[str, str] = {}
    for part in _parts(pages):
        query = select(_PAGES.c.page, _PAGES.c.raw_hash).where(
            _PAGES.c.source_id == source_id, _PAGES.c.page.in_(part)
        )
        found |= {row.page: row.raw_hash for row in connection.execute(query)}
    return found


def _page_row(source_id: int, page: str, article: Article) -> dict[str, Any]:
    return {
        "source_id": source_id,
        "page": page,
        "month": _month(article),
        "seen_on": _seen_on(article),
        "raw_hash": article.raw_hash,
    }


def _places(article: Article) -> dict[str, str]:
    return {line_hash(c.key): str(c.place) for c in article.candidates}


def _seen_on(article: Article) -> date | None:
    return seen_on(article.published, article.fetched_at)


def _month(article: Article) -> str:
    return month_of(article.published, article.fetched_at)


def _parts(values: Iterable[str]) -> Iterator[list[str]]:
    """Portions that one query takes."""
    rest = iter(sorted(values))
    while part := list(islice(rest, _AT_ONCE)):
        yield part
