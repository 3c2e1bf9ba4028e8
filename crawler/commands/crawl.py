"""`warraq crawl`."""

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from crawler.commands import options as o

if TYPE_CHECKING:  # loaded when a crawl starts, not with every `warraq --help`
    from crawler.crawl import CrawlSummary
    from pipelines.source import Source


def crawl(
    keys: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE]...",
            help="Keys of sources, such as eg/sahifa; all that are not disabled if none is named.",
            show_default=False,
        ),
    ] = None,
    db: o.Db = None,
    sources: o.SourcesFolder = o.DEFAULT_SOURCES,
    archive: o.Archive = o.DEFAULT_ARCHIVE,
    workers: o.Workers = 0,
    timeout: o.Timeout = o.DEFAULT_TIMEOUT,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, metavar="N", help="At most so many pages of a source."),
    ] = None,
    every_page: Annotated[
        bool, typer.Option("--every-page", help="Ask for all known pages, due or not.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit with 1 if a document failed or was refused as broken, or a source is ill.",
        ),
    ] = False,
    webhook: o.Webhook = None,
    json: o.AsJson = False,
) -> None:
    """Crawl sources once: their feeds, sitemaps and listings, and the pages that are due.

    A crawl that was interrupted or killed goes on where it was. Known pages are asked for again
    only by their age, and then only for changes. robots.txt is obeyed; set WARRAQ_CONTACT to a
    URL or e-mail address at which sites can reach you. At the end each source is checked against
    its own past, as by `warraq health`. Exit codes: 0 done; 1 nothing of a source
    could be read; 2 wrong usage; 3 the database or the archive can't be used; 4 another crawl of
    a source runs.

    Example: warraq crawl eg/sahifa --limit 100
    """
    from crawler.forking import start_forking

    start_forking()
    from crawler.crawl import NICE, Crawl, Wishes
    from crawler.crawling import project_settings, run_crawl
    from crawler.inputs import sources_of
    from crawler.replay import is_broken
    from crawler.show import print_json, say
    from crawler.webhook import post
    from crawler.work import Limits
    from pipelines.db.engine import open_engine
    from pipelines.db.health import check, report
    from pipelines.db.schema import require

    known = sources_of(sources, o.DEFAULT_SOURCES)
    wanted = _wanted(known, keys or [], str(sources))
    engine = open_engine(db, create=True)
    require(engine, create=True)
    settings = project_settings({"LOG_LEVEL": "WARNING", "SPIDERMON_ENABLED": False})
    if not settings["WARRAQ_CONTACT"]:
        say("note: set WARRAQ_CONTACT, so that sites can reach you instead of shutting you out")
    run = Crawl(
        engine,
        known,
        Wishes(Limits(workers, timeout, nice=NICE), archive, limit, every_page),
        "warraq " + shlex.join(sys.argv[1:]),
        _Progress(len(wanted)),
    )
    interrupted, locked = run_crawl(run, wanted, settings)
    summary = run.summary
    ill = [each for each in check(engine, known, set(summary.sources)) if each.illnesses]
    if json:
        print_json(summary.as_json() | {"ill": [each.as_json() for each in ill]})
    else:
        _print(summary)
    for each in ill:
        say(f"ill: {each.source}: {each.detail}")
    if webhook and ill:
        post(webhook, report(ill))
    for error in locked:
        say(f"error: {error}")
    if interrupted:
        raise KeyboardInterrupt
    if any(each.is_failed for each in summary.sources.values()):
        raise typer.Exit(1)
    if locked:
        raise typer.Exit(locked[0].exit_code)
    if strict and (ill or any(is_broken(problem.reason) for problem in summary.problems)):
        raise typer.Exit(1)


def _wanted(known: dict[str, "Source"], keys: list[str], folder: str) -> list["Source"]:
    from crawler.show import say
    from pipelines.errors import UsageError

    for key in keys:
        if key not in known:
            raise UsageError(f"{key}: {folder} has no such source; its key is the path of its file")
    wanted = []
    for source in [known[key] for key in dict.fromkeys(keys)] or list(known.values()):
        if source.disabled:
            say(f"note: {source.key} is disabled: {source.disabled}")
        elif not source.can_be_crawled:
            say(f"note: {source.key} names no homepage, feed, sitemap or listing")
        else:
            wanted.append(source)
    if not wanted:
        raise UsageError(f"there is no source to crawl in {folder}")
    return wanted


class _Progress:
    """A line now and then while a crawl runs."""

    _SECONDS = 5.0

    def __init__(self, sources: int) -> None:
        self._sources = sources
        self._last = 0.0

    def __call__(self, summary: "CrawlSummary") -> None:
        from crawler.show import say

        if summary.seconds - self._last < self._SECONDS:
            return
        self._last = summary.seconds
        rate = summary.documents / summary.seconds
        say(
            f"{len(summary.sources)} of {self._sources} sources begun, "
            f"{summary.total('new')} new pages found, "
            f"{summary.documents} dealt with, {rate:.1f}/s"
        )


#: Refused documents named on the terminal; the rest is one query away.
_SHOWN = 15


def _print(summary: "CrawlSummary") -> None:
    from crawler.replay import problem_json
    from crawler.show import print_table, say
    from pipelines.db.store import Outcome

    outcomes = [outcome for outcome in Outcome if summary.counts[outcome]]
    rows = [
        (
            key,
            each.new,
            *(each.outcomes[outcome] for outcome in outcomes),
            each.requests,
            each.not_modified,
            each.spared,
            f"{each.bytes_fetched / 1e6:.1f}",
            f"{each.bytes_saved / 1e6:.1f}",
            each.stopped or each.note,
        )
        for key, each in sorted(summary.sources.items())
    ]
    rate = summary.documents / summary.seconds if summary.seconds else 0
    counted = ("requests", "not modified", "not due", "MB fetched", "MB saved", "note")
    print_table(
        ("source", "new pages", *map(str, outcomes), *counted),
        rows,
        title=f"run {summary.run}: {summary.documents} documents in {summary.seconds:.1f} s "
        f"({rate:.1f}/s)",
    )
    if summary.problems:
        columns = ("document", "outcome", "reason", "detail", "advice")
        named = [problem_json(problem) for problem in summary.problems[:_SHOWN]]
        print_table(columns, [[row[c] for c in columns] for row in named], title="no articles")
        left = len(summary.problems) - len(named)
        if left > 0:
            say(f"{left} more: ask the table ledger, run_id {summary.run}, for url and detail")
