"""`warraq search`."""

import csv
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crawler.commands import options as o
from crawler.commands.sql import Format

if TYPE_CHECKING:
    from pipelines.db.search import Found, Hit, Query

_FIELDS = ("id", "title", "source", "published", "agency", "language", "story", "copies", "url")


def search(
    text: Annotated[
        list[str] | None, typer.Argument(help="Words, as docs/search.md tells.")
    ] = None,
    db: o.Db = None,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", metavar="KEY", help="Of this source, or folder of sources."),
    ] = None,
    agency: Annotated[
        list[str] | None, typer.Option("--agency", metavar="ID", help="An agency's text: reuters.")
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option("--language", metavar="CODE", help="In this language: ar.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--since", formats=["%Y-%m-%d"], metavar="DAY", help="Published then or later."
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            "--until", formats=["%Y-%m-%d"], metavar="DAY", help="Published then or earlier."
        ),
    ] = None,
    story: Annotated[
        int | None, typer.Option("--story", metavar="NUMBER", help="Of this story.")
    ] = None,
    sort: Annotated[
        str, typer.Option("--sort", metavar="ORDER", help="relevance, newest or oldest.")
    ] = "relevance",
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="Articles shown.")] = 20,
    offset: Annotated[int, typer.Option("--offset", min=0, help="Articles passed over.")] = 0,
    one_a_story: Annotated[
        bool, typer.Option("--one-a-story", help="Of copies only the best.")
    ] = False,
    count: Annotated[
        bool, typer.Option("--count", help="How many articles, by source, agency and month.")
    ] = False,
    form: Annotated[
        Format, typer.Option("--format", help="table for people, json or csv for programs.")
    ] = Format.TABLE,
    json: o.AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="Longest time.")
    ] = 10.0,
) -> None:
    """Find articles by words, however they are spelt and whatever clitics stand before them.

    Words side by side must all be there; "in quotes" in a row; OR, -word, word*, (groups),
    =word as typed; title: source: agency: lang: since: until:.

    Example: warraq search 'حكومة (غزة OR لبنان) -رياضة' --since 2024-01-01
    """
    from crawler.show import say
    from pipelines.db.engine import open_engine, read, usable
    from pipelines.db.schema import require
    from pipelines.db.search import Query, Sort
    from pipelines.db.search import search as find
    from pipelines.db.search_index import is_behind
    from pipelines.errors import UsageError

    if sort not in set(Sort):
        raise UsageError(f"--sort {sort}: is relevance, newest or oldest")
    query = Query(
        text=" ".join(text or ()),
        sources=tuple(source or ()),
        since=since and since.date(),
        until=until and until.date(),
        agencies=tuple(agency or ()),
        languages=tuple(language or ()),
        story=story,
        sort=Sort(sort),
        limit=limit,
        offset=offset,
        one_a_story=one_a_story,
    )
    engine = open_engine(db)
    require(engine)
    with usable(engine), read(engine) as connection:
        found = find(connection, query, seconds=timeout)
        behind = not found.total and is_behind(connection)
    if json or form is Format.JSON:
        _print_json(found, count)
    elif as_csv or form is Format.CSV:
        _print_csv(found, count)
    else:
        _print_tables(found, query, count)
    if behind:
        say("not all articles are in the search index yet: run `warraq db reindex`")


def _row(hit: "Hit") -> dict[str, Any]:
    return dict(
        zip(
            _FIELDS,
            (
                hit.article_id,
                hit.title,
                hit.source,
                hit.published_iso,
                hit.agency,
                hit.language,
                hit.story_id,
                hit.story_articles,
                hit.url or hit.path,
            ),
            strict=True,
        )
    )


def _counted(found: "Found") -> list[tuple[str, str, int]]:
    return [
        (field, value, number) for field, values in found.facets.items() for value, number in values
    ]


def _print_json(found: "Found", count: bool) -> None:
    from crawler.show import print_json

    told: dict[str, Any] = {"total": found.total, "more": found.more, "counts": found.facets}
    told["counts"] = {field: dict(values) for field, values in found.facets.items()}
    if not count:
        told["articles"] = [
            _row(hit)
            | {
                "snippet": "".join(text for text, _ in hit.snippet),
                "hits": [text for text, is_hit in (*hit.title_pieces, *hit.snippet) if is_hit],
                "score": hit.score,
            }
            for hit in found.hits
        ]
    print_json(told)


def _print_csv(found: "Found", count: bool) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if count:
        writer.writerow(("field", "value", "articles"))
        writer.writerow(("total", "", found.total))
        writer.writerows(_counted(found))
        return
    writer.writerow((*_FIELDS, "snippet"))
    for hit in found.hits:
        writer.writerow((*_row(hit).values(), "".join(text for text, _ in hit.snippet)))


def _print_tables(found: "Found", query: "Query", count: bool) -> None:
    from crawler.show import print_table, say

    more = "more than " if found.more else ""
    if count:
        rows = [("total", f"{more}{found.total}" if found.more else "", found.total)]
        print_table(("field", "value", "articles"), [*rows, *_counted(found)])
        return
    columns = ("id", "published", "source", "title", "text")
    rows_shown = [
        (
            hit.article_id,
            hit.published_iso or "",
            hit.source,
            hit.title or "",
            "".join(f"[{text}]" if is_hit else text for text, is_hit in hit.snippet),
        )
        for hit in found.hits
    ]
    if rows_shown:
        print_table(columns, rows_shown)
    if found.total > len(rows_shown):
        shown = f"{query.offset + 1} to {query.offset + len(rows_shown)}" if rows_shown else "none"
        say(f"{shown} of {more}{found.total} articles; --offset shows others")
    elif not found.total:
        say("no article has it")
