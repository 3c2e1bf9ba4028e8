"""`warraq health`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from crawler.commands import options as o

if TYPE_CHECKING:
    from pipelines.db.health import Health


def health(
    keys: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE]...",
            help="Keys of sources; all that were crawled if none is named.",
            show_default=False,
        ),
    ] = None,
    db: o.Db = None,
    sources: o.SourcesFolder = o.DEFAULT_SOURCES,
    webhook: o.Webhook = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if a source is ill.")
    ] = False,
    json: o.AsJson = False,
) -> None:
    """Check crawled sources against their own past.

    Finds sources that fell silent or publish much less, lost their dates, whose texts shrank,
    whose furniture grew, whose pages fail, or that are not crawled any more. What is found is
    kept in the table source_health. A source with little past is not judged.

    Example: warraq health --strict --webhook https://desk.example/hooks/warraq
    """
    from crawler.inputs import sources_of
    from crawler.show import print_json, say
    from crawler.webhook import post
    from pipelines.db.engine import open_engine
    from pipelines.db.health import check, report
    from pipelines.db.schema import require
    from pipelines.errors import UsageError

    known = sources_of(sources, o.DEFAULT_SOURCES)
    engine = open_engine(db)
    require(engine)
    found = check(engine, known, set(keys) if keys else None)
    for key in keys or ():
        if key not in {each.source for each in found}:
            raise UsageError(f"{key}: no source of that key was ever crawled, or it is disabled")
    if json:
        print_json([each.as_json() for each in found])
    elif found:
        _print(found)
    else:
        say("no source was crawled yet: see `warraq crawl --help`")
    ill = [each for each in found if each.illnesses]
    if webhook and ill:
        post(webhook, report(ill))
    if strict and ill:
        raise typer.Exit(1)


def _print(found: Sequence["Health"]) -> None:
    from crawler.show import print_table

    rows = [
        (
            each.source,
            each.verdict,
            f"{each.last_article:%Y-%m-%d %H:%M}" if each.last_article else None,
            each.articles_day,
            each.articles_week,
            each.articles_a_week,
            each.detail,
        )
        for each in sorted(found, key=lambda each: (not each.illnesses, each.source))
    ]
    columns = ("source", "verdict", "last article", "day", "week", "usual week", "what is wrong")
    ill = sum(bool(each.illnesses) for each in found)
    print_table(columns, rows, title=f"{len(found)} sources, {ill} ill")
