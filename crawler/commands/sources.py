"""`warraq sources`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crawler.commands import options as o
from crawler.commands.guard import guarded

if TYPE_CHECKING:
    from pipelines.source import Source

app = typer.Typer(help="List, check and add sources.", no_args_is_help=True)

DEFAULT_PAGES = Path("tests/sources")
#: Sources that are checked at once; each is asked by its own pace.
_AT_ONCE = 8

Seconds = Annotated[
    float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="Longest time of a page.")
]


@app.command("list")
@guarded
def list_sources(sources: o.SourcesFolder = o.DEFAULT_SOURCES, json: o.AsJson = False) -> None:
    """List the sources: how their articles are found, how often, and when somebody checked it.

    Example: warraq sources list --json
    """
    from crawler.inputs import sources_of
    from crawler.show import print_json, print_table, say

    known = sources_of(sources, o.DEFAULT_SOURCES)
    if json:
        print_json([_facts(source) for source in known.values()])
    elif known:
        columns = ("key", "title", "country", "ways", "every", "disabled", "verified")
        print_table(columns, [_row(source) for source in known.values()])
    else:
        say(f"no source below {sources}: `warraq sources new URL` drafts one")


@app.command()
@guarded
def check(
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY]...", help="Without one, all that are not disabled."),
    ] = None,
    sources: o.SourcesFolder = o.DEFAULT_SOURCES,
    timeout: Seconds = o.DEFAULT_TIMEOUT,
    json: o.AsJson = False,
) -> None:
    """Fetch a source's robots.txt, feeds, sitemaps, a listing and an article, and say what works.

    Nothing is stored. Exit code 1 if something is broken.

    Example: warraq sources check gb/bbc-arabic
    """
    from crawler.forking import start_forking

    start_forking()
    from crawler.inputs import sources_of
    from crawler.show import print_json, print_table, say
    from pipelines.errors import UsageError

    known = sources_of(sources, o.DEFAULT_SOURCES)
    missing = [key for key in keys or () if key not in known]
    if missing:
        raise UsageError(f"{missing[0]}: no such source below {sources}; see `warraq sources list`")
    wanted = [known[key] for key in dict.fromkeys(keys or known)]
    if not keys:
        wanted = [source for source in wanted if not source.disabled]
    done = _check_all(wanted, timeout)
    if json:
        print_json([one.as_json() for one in done])
    else:
        columns = ("source", "part", "works", "found", "address")
        rows = [
            (one.source.key, part.kind, part.broken or "yes", part.said, part.url)
            for one in done
            for part in one.parts
        ]
        print_table(columns, rows)
    broken = [one.source.key for one in done if one.broken]
    if broken:
        say(f"broken: {', '.join(broken)}")
        raise typer.Exit(1)
    say("all works; if an article reads as it should, note the day in `verified.on`")


@app.command()
@guarded
def new(
    url: Annotated[str, typer.Argument(metavar="URL", help="The outlet's front page.")],
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="Its name: COUNTRY/NAME, as its file is called."),
    ] = None,
    sources: o.SourcesFolder = o.DEFAULT_SOURCES,
    pages: Annotated[
        Path,
        typer.Option("--pages", metavar="FOLDER", help="Where a page is saved for the tests."),
    ] = DEFAULT_PAGES,
    delay: Annotated[
        float, typer.Option("--delay", min=0, metavar="SECONDS", help="Between two requests.")
    ] = 1.0,
    timeout: Seconds = o.DEFAULT_TIMEOUT,
) -> None:
    """Draft a source: find its feeds and sitemaps, write its file, and save a page for its test.

    What is not sure is left empty. The test fails until a person has written down what the saved
    page says.

    Example: warraq sources new https://www.sahifa.example/ --key eg/sahifa
    """
    from crawler.forking import start_forking

    start_forking()
    from crawler.inputs import sources_of
    from crawler.new_source import draft_source, homepage_of, next_steps, write_draft
    from crawler.show import say
    from crawler.visit import Fetch, paced, visiting
    from crawler.work import Limits, workers
    from pipelines.errors import UsageError

    homepage = homepage_of(url)
    known = sources_of(sources, o.DEFAULT_SOURCES) if sources.is_dir() else None
    same = known.of_url(homepage) if known else None
    if same is not None:
        raise UsageError(f"{homepage} is a source already: {sources / f'{same.key}.yml'}")
    if key is not None and not _is_key(key):
        raise UsageError(f"--key {key}: write COUNTRY/NAME in small letters, such as eg/sahifa")
    limits = Limits(1, timeout)
    with workers({}, limits) as pool:

        async def work(fetch: Fetch) -> Any:
            return await draft_source(paced(fetch, delay), homepage, key, pool, limits)

        draft = visiting(work)
    tests = pages if pages != DEFAULT_PAGES or pages.parent.is_dir() else None
    written = write_draft(draft, sources, tests)
    for file in written:
        say(f"wrote {file}")
    for part in (*draft.feeds, *draft.sitemaps):
        say(f"{part.kind} {part.url}: {part.broken or part.said}")
    if not draft.pages:
        say("no article was found: name a feed, a sitemap or a listing in the file")
    if draft.page is not None:
        say(f"Warraq reads {draft.page.url} as: {draft.article}")
    say("next:")
    for number, step in enumerate(next_steps(draft, written), 1):
        say(f"  {number}. {step}")


def _is_key(key: str) -> bool:
    import re

    return re.fullmatch(r"[a-z0-9][a-z0-9_-]*(?:/[a-z0-9][a-z0-9_-]*)*", key) is not None


def _check_all(wanted: "list[Source]", timeout: float) -> Any:
    import asyncio

    from crawler.check_source import Checked, check_source
    from crawler.show import counter
    from crawler.visit import Fetch, paced, visiting
    from crawler.work import Limits, workers

    limits = Limits(min(len(wanted), 0 if len(wanted) > 1 else 1), timeout)
    known = {source.key: source for source in wanted}
    with workers(known, limits) as pool, counter("sources") as progress:

        async def work(fetch: Fetch) -> list[Checked]:
            at_once = asyncio.Semaphore(_AT_ONCE)
            finished = 0

            async def one(source: "Source") -> Checked:
                nonlocal finished
                async with at_once:
                    slowly = paced(fetch, source.pace.delay)
                    done = await check_source(slowly, source, pool, limits)
                finished += 1
                progress(finished, len(wanted))
                return done

            return list(await asyncio.gather(*(one(source) for source in wanted)))

        return visiting(work) if wanted else []


def _facts(source: "Source") -> dict[str, Any]:
    return source.model_dump(mode="json", exclude_defaults=True)


def _row(source: "Source") -> tuple[Any, ...]:
    from pipelines.source import interval_text

    counts = (
        (len(source.feeds), "feed"),
        (len(source.sitemaps), "sitemap"),
        (len(source.listings), "listing"),
    )
    ways = [f"{count} {thing}{'s' * (count > 1)}" for count, thing in counts if count]
    rhythm = interval_text(source.every) if source.every else source.cron
    verified = source.verified and source.verified.on
    return (
        source.key,
        source.title,
        source.country,
        ", ".join(ways) or "what the site announces",
        rhythm or "by its rhythm",
        source.disabled,
        verified or "no",
    )
