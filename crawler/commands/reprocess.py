"""`warraq reprocess`."""

import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from crawler.commands import options as o

if TYPE_CHECKING:
    from crawler.reprocess import Summary
    from pipelines.db.store import Corrected


def reprocess(
    db: o.Db = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="KEY", help="Articles of this source only.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--since",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
            help="Articles last seen then (UTC) or later only.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would change; change nothing.")
    ] = False,
    manifest: o.Manifest = None,
    field: o.Fields = None,
    sources: o.SourcesFolder = o.DEFAULT_SOURCES,
    workers: o.Workers = 0,
    timeout: o.Timeout = o.DEFAULT_TIMEOUT,
    max_bytes: o.MaxBytes = o.DEFAULT_MAX_BYTES,
    strict: o.Strict = False,
    json: o.AsJson = False,
) -> None:
    """Read the stored articles again from their bytes, by today's rules and learned lines.

    The bytes are looked for where the replay found them: run it in the same folder, with the
    same --field and --manifest. An article whose bytes are gone stays as it is, and is named.

    Example: warraq reprocess --dry-run
    """
    from crawler.forking import start_forking

    start_forking()
    from crawler.inputs import read_options, sources_of
    from crawler.reprocess import reprocess as run
    from crawler.show import meter, print_json
    from crawler.work import Limits
    from pipelines.db.engine import open_engine
    from pipelines.db.schema import require
    from pipelines.db.store import Change

    options = read_options(None, manifest, field, max_bytes)
    known = sources_of(sources, o.DEFAULT_SOURCES)
    engine = open_engine(db)
    require(engine)
    with meter(None, quiet=json) as progress:

        def tell(so_far: "Summary", done: Sequence["Corrected"]) -> None:
            progress.documents(so_far.articles)
            if dry_run and not json:
                _print_changes(done)

        summary = run(
            engine,
            known,
            Limits(workers, timeout),
            options,
            "warraq " + shlex.join(sys.argv[1:]),
            source=source,
            since=since.replace(tzinfo=UTC) if since else None,
            dry_run=dry_run,
            notice=tell,
        )
    if json:
        print_json(summary.as_json())
    else:
        _print(summary, dry_run=dry_run)
    if strict and (summary.counts[Change.FAILED] or summary.counts[Change.MISSING]):
        raise typer.Exit(1)


def _print_changes(done: Sequence["Corrected"]) -> None:
    from crawler.show import printable
    from pipelines.db.store import Change

    for each in done:
        if each.change not in (Change.CORRECTED, Change.MERGED):
            continue
        fields = ", ".join(each.fields)
        print(printable(f"{each.name}: {each.change}{f' ({fields})' if fields else ''}"))
        for line in each.gone:
            print(printable(f"  - {line}"))
        for line in each.come:
            print(printable(f"  + {line}"))


_SHOWN = 15


def _print(summary: "Summary", *, dry_run: bool) -> None:
    from crawler.show import print_table, say
    from pipelines.db.store import Change

    what = "nothing was written: " if dry_run else ""
    print_table(
        ("change", "articles"),
        [(str(c), summary.counts[c]) for c in Change if summary.counts[c]],
        title=f"{what}{summary.articles} articles read again in {summary.seconds:.1f} s; lines "
        f"that left texts: {summary.gone}, that came: {summary.come}",
    )
    if summary.problems:
        rows = [(p.name, str(p.change), p.detail) for p in summary.problems[:_SHOWN]]
        print_table(("article", "change", "detail"), rows, title="kept as they were")
        if len(summary.problems) > _SHOWN:
            say(f"{len(summary.problems) - _SHOWN} more: --json names them")
