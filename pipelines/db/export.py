"""Articles out of the database, a row at a time: JSON lines, CSV and Parquet, with a data card.

Rows are streamed: memory does not grow with their number.
"""

import csv
import io
import json
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, and_, func, or_, select

from pipelines.db.ask import guard
from pipelines.db.engine import read
from pipelines.db.models import ArticleRow, RemovedLineRow, SourceRow, Story, table
from pipelines.db.search import Query, article_ids
from pipelines.errors import QueryError, UsageError

_ARTICLES = table(ArticleRow)
_REMOVED = table(RemovedLineRow)
_SOURCES = table(SourceRow)
_STORIES = table(Story)
#: Rows in memory at a time.
_PORTION = 500


class Format(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which articles. `since` and `until` are days of publication on UTC's calendar, both
    included; an article without a date passes neither. A source is a key or a folder of keys.
    `search` is in the language of `warraq search`. With `one_a_story` of each story one article:
    its fullest if that is chosen, else the first stored."""

    sources: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    languages: tuple[str, ...] = ()
    agencies: tuple[str, ...] = ()
    search: str = ""
    one_a_story: bool = False


@dataclass(slots=True)
class Counts:
    """What was exported, for the data card."""

    articles: int = 0
    characters: int = 0
    first: date | None = None
    last: date | None = None
    by: dict[str, Counter[str]] = field(
        default_factory=lambda: {"source": Counter(), "language": Counter(), "agency": Counter()}
    )
    precision: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)

    def add(self, row: dict[str, Any]) -> None:
        self.articles += 1
        self.characters += len(row["text"])
        for name, counter in self.by.items():
            counter[row[name] or ""] += 1
        self.precision[row["published_precision"] or ""] += 1
        if day := row["published_on"]:
            self.first = day if self.first is None else min(self.first, day)
            self.last = day if self.last is None else max(self.last, day)


#: Column -> (how Parquet stores it, what it is). The same names in all formats.
COLUMNS: dict[str, tuple[str, str]] = {
    "id": ("int64", "number of the article in this database"),
    "source": ("string", "key of the outlet"),
    "url": ("string", "URL that it was fetched from"),
    "canonical_url": ("string", "URL as the page names itself"),
    "title": ("string", "headline"),
    "deck": ("string", "standfirst"),
    "text": ("string", "body and sub-headings as printed, one block a line"),
    "author": ("string", "writer as printed"),
    "agency": ("string", "ids of the agencies whose text it is"),
    "place": ("string", "place of the dateline"),
    "section": ("string", "section of the outlet"),
    "tags": ("strings", "tags and keywords"),
    "language": ("string", "ISO 639"),
    "published_at": ("timestamp", "first instant, in UTC, of what the page states"),
    "published_on": ("date", "day of publication on the outlet's calendar"),
    "published_iso": ("string", "the statement itself, cut to its precision"),
    "published_precision": ("string", "second, minute, hour, day, month or year"),
    "published_method": ("string", "where the date was found"),
    "published_confidence": ("double", "0 to 1"),
    "modified_at": ("timestamp", "last change that the page states"),
    "first_seen": ("timestamp", "earliest fetch"),
    "last_seen": ("timestamp", "latest fetch"),
    "story_id": ("int64", "the same for all copies of one text"),
    "story_articles": ("int64", "how many articles tell that story"),
    "content_hash": ("string", "SHA-256 of the text's match key"),
    "flags": ("strings", "what is odd about the document"),
}


def rows(engine: Engine, selection: Selection, counts: Counts) -> Iterator[dict[str, Any]]:
    """The articles chosen, in the order of their numbers (found ones: newest first), with the
    names of COLUMNS. Counts them as they pass.

    Raises QueryError for a search or source that can't be understood.
    """
    with read(engine) as connection:
        found = (
            _found(connection, selection) if selection.search else _chosen(connection, selection)
        )
        with read(engine) as beside:  # the first connection holds a cursor
            for portion in found:
                _count_rules(beside, [row["id"] for row in portion], counts)
                for row in portion:
                    counts.add(row)
                    yield row


def _columns() -> Any:
    names = [n for n in COLUMNS if n not in ("source", "story_articles")]
    return select(
        *(_ARTICLES.c[name] for name in names),
        _SOURCES.c.key.label("source"),
        func.coalesce(_STORIES.c.articles, 1).label("story_articles"),
    ).select_from(
        _ARTICLES.join(_SOURCES, _SOURCES.c.id == _ARTICLES.c.source_id).outerjoin(
            _STORIES, _STORIES.c.id == _ARTICLES.c.story_id
        )
    )


def _chosen(connection: Connection, selection: Selection) -> Iterator[list[dict[str, Any]]]:
    conditions = _conditions(connection, selection)
    if selection.one_a_story:
        fullest = _STORIES.c.representative_id == _ARTICLES.c.id
        place = func.row_number().over(
            # an article without a story is one of its own
            partition_by=func.coalesce(_ARTICLES.c.story_id, -_ARTICLES.c.id),
            order_by=(func.coalesce(fullest, False).desc(), _ARTICLES.c.id),
        )
        ranked = (
            select(_ARTICLES.c.id, place.label("place"))
            .outerjoin(_STORIES, _STORIES.c.id == _ARTICLES.c.story_id)
            .where(*conditions)
            .subquery()
        )
        conditions = [_ARTICLES.c.id.in_(select(ranked.c.id).where(ranked.c.place == 1))]
    query = _columns().where(*conditions).order_by(_ARTICLES.c.id)
    streamed = connection.execution_options(stream_results=True, yield_per=_PORTION)
    for portion in streamed.execute(query).mappings().partitions():
        yield [dict(row) for row in portion]


def _conditions(connection: Connection, selection: Selection) -> list[Any]:
    conditions: list[Any] = []
    if selection.sources:
        numbers: set[int] = set()
        for key in selection.sources:
            inside = _SOURCES.c.key.startswith(f"{key.rstrip('/')}/", autoescape=True)
            query = select(_SOURCES.c.id).where(or_(_SOURCES.c.key == key, inside))
            matching = connection.execute(query).scalars().all()
            if not matching:
                raise QueryError(f"there is no source {key!r}; `warraq sql` on `sources` has them")
            numbers.update(matching)
        conditions.append(_ARTICLES.c.source_id.in_(sorted(numbers)))
    if selection.languages:
        conditions.append(_ARTICLES.c.language.in_(selection.languages))
    if selection.agencies:
        listed = func.coalesce("," + _ARTICLES.c.agency + ",", "")
        conditions.append(
            or_(*(listed.contains(f",{name},", autoescape=True) for name in selection.agencies))
        )
    if selection.since:
        conditions.append(_ARTICLES.c.published_at >= _midnight(selection.since))
    if selection.until:
        conditions.append(_ARTICLES.c.published_at < _midnight(selection.until) + timedelta(days=1))
    return conditions


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _found(connection: Connection, selection: Selection) -> Iterator[list[dict[str, Any]]]:
    asked = Query(
        text=selection.search,
        sources=selection.sources,
        since=selection.since,
        until=selection.until,
        languages=selection.languages,
        agencies=selection.agencies,
    )
    numbers = list(article_ids(connection, asked))
    if selection.one_a_story:
        numbers = _one_a_story(connection, numbers)
    for portion in _portions(numbers):
        query = _columns().where(_ARTICLES.c.id.in_(portion))
        told = {row["id"]: dict(row) for row in connection.execute(query).mappings()}
        yield [told[number] for number in portion if number in told]


def _one_a_story(connection: Connection, numbers: list[int]) -> list[int]:
    chosen: dict[int, tuple[bool, int]] = {}  # story -> (not its fullest, article): least wins
    for portion in _portions(numbers):
        query = (
            select(_ARTICLES.c.id, _ARTICLES.c.story_id, _STORIES.c.representative_id)
            .outerjoin(_STORIES, _STORIES.c.id == _ARTICLES.c.story_id)
            .where(_ARTICLES.c.id.in_(portion))
        )
        for row in connection.execute(query):
            story = -row.id if row.story_id is None else row.story_id
            rank = (row.representative_id != row.id, row.id)
            chosen[story] = min(rank, chosen.get(story, rank))
    kept = {number for _, number in chosen.values()}
    return [number for number in numbers if number in kept]


def _portions(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for at in range(0, len(numbers), _PORTION):
        yield numbers[at : at + _PORTION]


def _count_rules(connection: Connection, numbers: Sequence[int], counts: Counts) -> None:
    query = (
        select(_REMOVED.c.rule, func.count().label("lines"))
        .where(and_(_REMOVED.c.article_id.in_(numbers)))
        .group_by(_REMOVED.c.rule)
    )
    for row in connection.execute(query):
        counts.rules[row.rule] += row.lines


# --- writing ---------------------------------------------------------------------------------


def write_rows(
    found: Iterator[dict[str, Any]], form: Format, file: IO[bytes], *, guarded: bool, bom: bool
) -> None:
    """Rows into an open file. CSV: `guarded` keeps spreadsheets from taking text for a formula
    (see `ask.guard`), `bom` begins the file as Excel wants UTF-8.

    Raises UsageError where Parquet's library is missing.
    """
    writers: dict[Format, Callable[[Iterator[dict[str, Any]], IO[bytes]], None]] = {
        Format.JSONL: _write_jsonl,
        Format.CSV: lambda told, out: _write_csv(told, out, guarded=guarded, bom=bom),
        Format.PARQUET: _write_parquet,
    }
    writers[form](found, file)


def _write_jsonl(found: Iterator[dict[str, Any]], file: IO[bytes]) -> None:
    for row in found:
        told = {name: _plain(row[name]) for name in COLUMNS}
        file.write(json.dumps(told, ensure_ascii=False).encode("utf-8", "replace") + b"\n")


def _write_csv(
    found: Iterator[dict[str, Any]], file: IO[bytes], *, guarded: bool, bom: bool
) -> None:
    lines = io.TextIOWrapper(
        file,
        encoding="utf-8-sig" if bom else "utf-8",
        errors="replace",
        newline="",
        write_through=False,
    )
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in found:
        cells = [_cell(row[name]) for name in COLUMNS]
        writer.writerow([guard(cell) for cell in cells] if guarded else cells)
    lines.flush()
    lines.detach()  # the file is closed by who opened it


def _write_parquet(found: Iterator[dict[str, Any]], file: IO[bytes]) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise UsageError(
            f"Parquet needs the extra: pip install 'warraq[export]' ({error})"
        ) from error
    types = {
        "int64": pa.int64(),
        "double": pa.float64(),
        "string": pa.string(),
        "strings": pa.list_(pa.string()),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }
    schema = pa.schema(
        [
            pa.field(name, types[kind], metadata={"comment": meaning})
            for name, (kind, meaning) in COLUMNS.items()
        ]
    )
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        portion: list[dict[str, Any]] = []
        for row in found:
            portion.append({name: _storable(row[name]) for name in COLUMNS})
            if len(portion) == _PORTION:
                writer.write_table(pa.Table.from_pylist(portion, schema))
                portion.clear()
        if portion:
            writer.write_table(pa.Table.from_pylist(portion, schema))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return _plain(value)


def _storable(value: Any) -> Any:
    """Half of a character pair, which a page may hold, is no UTF-8."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "replace").decode()
    return value


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that is there whole or not at all: written beside `path`, then put in its place."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with beside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


# --- the card --------------------------------------------------------------------------------


def card(counts: Counts, selection: Selection, file: str, version: str, day: date) -> str:
    """What the data are, in Markdown with the head that Hugging Face reads."""
    languages = sorted(name for name in counts.by["language"] if name)
    head = ["---", "license: other", "license_name: texts-belong-to-their-publishers"]
    if languages:
        head += ["language:", *(f"- {json.dumps(name)}" for name in languages)]
    head += ["configs:", "- config_name: default", f"  data_files: {json.dumps(file)}", "---", ""]
    days = f"{counts.first} to {counts.last}" if counts.first else "none is dated"
    lines = [
        f"# News articles: {file}",
        "",
        f"Exported by Warraq {version} on {day.isoformat()}.",
        "",
        "| | |",
        "| --- | --- |",
        f"| articles | {counts.articles:,} |",
        f"| characters of text | {counts.characters:,} |",
        f"| days of publication | {days} |",
        f"| chosen by | {_told(selection)} |",
        "",
        "## Licence",
        "",
        "The texts belong to their publishers and agencies. This file grants no right to them: "
        "before you pass them on, see what each outlet and your law allow.",
        "",
        "## How it was made",
        "",
        "Text is as printed: nothing is folded or translated. A date is what the page states, to "
        "`published_precision`, or empty. Lines of the page around an article were taken out by "
        "the rules below; the database keeps each with its rule. Copies of one text share "
        "`story_id`.",
        "",
        *_counted("Lines taken out, by rule", "rule", counts.rules, None),
        *_counted("Sources", "source", counts.by["source"], 50),
        *_counted("Languages", "language", counts.by["language"], None),
        *_counted("Agencies", "agency", counts.by["agency"], 50),
        *_counted("Precision of dates", "precision", counts.precision, None),
        "## Columns",
        "",
        "| column | type | |",
        "| --- | --- | --- |",
        *(f"| `{name}` | {kind} | {meaning} |" for name, (kind, meaning) in COLUMNS.items()),
        "",
    ]
    return "\n".join(head + lines)


def _counted(title: str, column: str, counter: Counter[str], most: int | None) -> list[str]:
    if not counter:
        return []
    entries = counter.most_common(most)
    rest = sum(counter.values()) - sum(count for _, count in entries)
    return [
        f"## {title}",
        "",
        f"| {column} | number |",
        "| --- | --- |",
        *(f"| {_inline(name) or 'none'} | {count:,} |" for name, count in entries),
        *([f"| all others | {rest:,} |"] if rest else []),
        "",
    ]


def _told(selection: Selection) -> str:
    said = [
        f"{name} {_inline(', '.join(values))}"
        for name, values in (
            ("source", selection.sources),
            ("language", selection.languages),
            ("agency", selection.agencies),
        )
        if values
    ]
    said += [f"since {selection.since}"] if selection.since else []
    said += [f"until {selection.until}"] if selection.until else []
    said += [f"search {_inline(selection.search)}"] if selection.search else []
    said += ["one article a story"] if selection.one_a_story else []
    return "; ".join(said) or "nothing: all articles"


def _inline(said: str) -> str:
    """A name as one cell of a table, whatever it holds."""
    said = " ".join(said.split()).replace("`", "'").replace("|", "\\|")
    return f"`{said}`" if said else ""
