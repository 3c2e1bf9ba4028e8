"""`warraq export`."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crawler.commands import options as o
from pipelines.errors import UsageError

if TYPE_CHECKING:
    from pipelines.db import export as exporting

_DAY = ["%Y-%m-%d"]


def export(
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Where to; standard output without it."
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="NAME", help="parquet, csv or jsonl; else as FILE ends, or jsonl."
        ),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", metavar="KEY", help="Only this source (may be repeated)."),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--since", formats=_DAY, metavar="DAY", help="Published on DAY or later."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--until", formats=_DAY, metavar="DAY", help="Published on DAY or before."),
    ] = None,
    language: Annotated[
        list[str] | None,
        typer.Option("--language", metavar="CODE", help="Only this language (may be repeated)."),
    ] = None,
    agency: Annotated[
        list[str] | None,
        typer.Option("--agency", metavar="ID", help="Only this agency's texts (may be repeated)."),
    ] = None,
    search: Annotated[
        str, typer.Option("--search", metavar="TEXT", help="Only what `warraq search` finds.")
    ] = "",
    one_a_story: Annotated[
        bool, typer.Option("--one-a-story", help="Of copies of one text only the fullest.")
    ] = False,
    card: Annotated[
        Path | None,
        typer.Option(
            "--card", metavar="FILE", help="Where the data card goes; else beside the output."
        ),
    ] = None,
    no_card: Annotated[bool, typer.Option("--no-card", help="Write no data card.")] = False,
    guard: Annotated[
        bool,
        typer.Option(
            "--guard/--no-guard",
            help="CSV: an apostrophe before text that a spreadsheet would take for a formula.",
        ),
    ] = True,
    bom: Annotated[
        bool, typer.Option("--bom", help="CSV: begin as Excel wants it, so that it reads Arabic.")
    ] = False,
    db: o.Db = None,
) -> None:
    """Write articles to a file: Parquet, CSV or JSON lines.

    Beside FILE.parquet goes FILE.card.md with counts, the rules that removed lines, and a note
    on the licence. The file is there whole or not at all.

    Example: warraq export -o articles.parquet --since 2024-01-01 --one-a-story
    """
    from datetime import UTC
    from importlib.metadata import version

    from crawler.show import say
    from pipelines.db import export as exporting
    from pipelines.db.engine import open_engine, usable
    from pipelines.db.schema import require

    chosen = _format(form, output)
    selection = exporting.Selection(
        sources=tuple(source or ()),
        since=since.date() if since else None,
        until=until.date() if until else None,
        languages=tuple(language or ()),
        agencies=tuple(agency or ()),
        search=search,
        one_a_story=one_a_story,
    )
    if card is None and output is not None and not no_card:
        card = output.with_name(f"{output.name.removesuffix('.' + chosen)}.card.md")
    engine = open_engine(db)
    require(engine)
    counts = exporting.Counts()
    with usable(engine):
        found = exporting.rows(engine, selection, counts)
        if output is None:
            exporting.write_rows(found, chosen, sys.stdout.buffer, guarded=guard, bom=bom)
            sys.stdout.buffer.flush()
        else:
            with exporting.whole_file(output) as file:
                exporting.write_rows(found, chosen, file, guarded=guard, bom=bom)
    if card is not None and not no_card:
        name = output.name if output else f"articles.{chosen}"
        said = exporting.card(counts, selection, name, version("warraq"), datetime.now(UTC).date())
        with exporting.whole_file(card) as file:
            file.write(said.encode("utf-8", "replace"))
    where = f" to {output}" if output else ""
    say(f"{counts.articles:,} articles{where}" + (f", their card to {card}" if card else ""))


def _format(named: str | None, output: Path | None) -> "exporting.Format":
    from pipelines.db import export as exporting

    ending = output.suffix.lower().lstrip(".") if output else ""
    said = named or (ending if ending in set(exporting.Format) else "")
    if not said and ending and ending not in ("json", "ndjson"):
        raise UsageError(f"{output}: say --format parquet, csv or jsonl")
    try:
        return exporting.Format(said or "jsonl")
    except ValueError:
        raise UsageError(f"{named!r} is no format; use parquet, csv or jsonl") from None
