"""`warraq replay`."""

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from crawler.commands import options as o

if TYPE_CHECKING:  # loaded when a replay starts, not with every `warraq --help`
    from crawler.replay import Summary


def replay(
    paths: o.Paths,
    db: o.Db = None,
    source: o.SourceKey = None,
    manifest: o.Manifest = None,
    field: o.Fields = None,
    sources: o.SourcesFolder = o.DEFAULT_SOURCES,
    workers: o.Workers = 0,
    timeout: o.Timeout = o.DEFAULT_TIMEOUT,
    max_bytes: o.MaxBytes = o.DEFAULT_MAX_BYTES,
    batch: Annotated[
        int, typer.Option("--batch", min=1, metavar="N", help="Documents in one transaction.")
    ] = 500,
    strict: o.Strict = False,
    json: o.AsJson = False,
) -> None:
    """Store files as articles in the database.

    Reads .txt, .html, .jsonl and .warc (each also with .gz) and .parquet, from files, folders,
    patterns, URLs or standard input. Replaying the same files again changes nothing.

    Example: warraq replay seeds/documents
    """
    from crawler.forking import start_forking

    start_forking()
    from crawler.inputs import read_options, sources_of
    from crawler.readers import read, size_of
    from crawler.replay import is_broken
    from crawler.replay import replay as run
    from crawler.show import meter, print_json
    from crawler.work import Limits
    from pipelines.db.engine import open_engine
    from pipelines.db.schema import require

    reading = read_options(source, manifest, field, max_bytes)
    known = sources_of(sources, o.DEFAULT_SOURCES)
    engine = open_engine(db, create=True)
    require(engine, create=True)
    with meter(size_of(paths), quiet=json) as progress:
        summary = run(
            engine,
            read(paths, reading, progress.bytes_read),
            known,
            Limits(workers, timeout),
            "warraq " + shlex.join(sys.argv[1:]),
            lambda so_far: progress.documents(so_far.documents),
            batch,
        )
    if json:
        print_json(summary.as_json())
    else:
        print_summary(summary)
    if strict and any(is_broken(problem.reason) for problem in summary.problems):
        raise typer.Exit(1)


#: Refused documents named on the terminal; the rest is one query away.
_SHOWN = 15


def print_summary(summary: "Summary") -> None:
    """What a run did, in tables."""
    from crawler.replay import problem_json
    from crawler.show import print_table, say
    from pipelines.db.store import Outcome

    if summary.ad_hoc:
        keys = sorted(summary.ad_hoc)
        say(
            f"note: {len(keys)} sources without a YAML file, kept as ad-hoc sources: "
            f"{', '.join(keys[:5])}{', ...' if len(keys) > 5 else ''}"
        )
    rows = [(str(o), summary.counts[o]) for o in Outcome if summary.counts[o]]
    rate = summary.documents / summary.seconds if summary.seconds else 0
    print_table(
        ("outcome", "documents"),
        rows,
        title=f"{f'run {summary.run}: ' if summary.run else ''}{summary.documents} documents in "
        f"{summary.seconds:.1f} s ({rate:.0f}/s)",
    )
    if summary.removed:
        print_table(
            ("removed by rule", "lines"),
            summary.removed.most_common(_SHOWN),
            title=f"{summary.removed.total()} lines taken out of the text",
        )
    if summary.problems:
        columns = ("document", "outcome", "reason", "detail", "advice")
        named = [problem_json(problem) for problem in summary.problems[:_SHOWN]]
        print_table(columns, [[row[c] for c in columns] for row in named], title="no articles")
        left = summary.counts[Outcome.REJECTED] + summary.counts[Outcome.FAILED] - len(named)
        if left > 0 and summary.run:
            say(f"{left} more: ask the table ledger, run_id {summary.run}, for path and detail")
