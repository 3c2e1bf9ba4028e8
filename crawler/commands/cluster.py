"""`warraq cluster`."""

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from crawler.commands import options as o
from crawler.commands.replay import print_summary

if TYPE_CHECKING:
    from crawler.replay import Summary


def cluster(
    paths: o.Paths,
    address: Annotated[
        str,
        typer.Option(
            "--address",
            metavar="HOST:PORT",
            help="The Ray cluster; auto: that of this machine; local: one started for this.",
        ),
    ] = "local",
    into: Annotated[
        str | None,
        typer.Option(
            "--into",
            metavar="FOLDER",
            help="Write Parquet into a folder, or one behind a URL, instead of the database.",
        ),
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Read files again that an earlier run has read.")
    ] = False,
    shard: Annotated[
        int,
        typer.Option(
            "--shard",
            min=1,
            metavar="BYTES",
            help="Small files go to a worker together, up to so many bytes.",
        ),
    ] = 16_000_000,
    db: o.Db = None,
    source: o.SourceKey = None,
    manifest: o.Manifest = None,
    field: o.Fields = None,
    sources: o.SourcesFolder = o.DEFAULT_SOURCES,
    workers: o.Workers = 0,
    timeout: o.Timeout = o.DEFAULT_TIMEOUT,
    max_bytes: o.MaxBytes = o.DEFAULT_MAX_BYTES,
    strict: o.Strict = False,
    json: o.AsJson = False,
) -> None:
    """Replay files on many machines, with Ray: the rows are those of `warraq replay`.

    Files that an earlier run has read to their end are passed by, so that a run that was killed
    goes on where it was. --workers counts those of a local cluster, and of this machine what
    works on pages a second time.

    Example: warraq cluster archive/ --into parquet/
    """
    from crawler.cluster import replay_into, replay_on
    from crawler.inputs import read_options, sources_of
    from crawler.on_ray import on_ray
    from crawler.readers import size_of
    from crawler.replay import is_broken
    from crawler.show import meter, print_json, say
    from crawler.work import Limits
    from pipelines.db.engine import open_engine
    from pipelines.db.schema import require

    reading = read_options(source, manifest, field, max_bytes)
    known = sources_of(sources, o.DEFAULT_SOURCES)
    limits = Limits(workers, timeout)
    command = "warraq " + shlex.join(sys.argv[1:])
    if into is None:
        engine = open_engine(db, create=True)
        require(engine, create=True)
    with meter(size_of(paths), quiet=json) as progress, on_ray(address, limits.processes) as ray:

        def stored(so_far: "Summary", size: int) -> None:
            progress.bytes_read(size)
            progress.documents(so_far.documents)

        how = (paths, reading, known, limits)
        if into is not None:
            summary = replay_into(ray, into, *how, stored, anew=anew, shard_bytes=shard)
        else:
            summary = replay_on(ray, engine, *how, command, stored, anew=anew, shard_bytes=shard)
    if json:
        print_json(summary.as_json() | {"files_passed_by": summary.passed})
    else:
        if summary.passed:
            say(f"{summary.passed} files passed by: an earlier run has read them; --anew reads all")
        print_summary(summary)
    if strict and any(is_broken(problem.reason) for problem in summary.problems):
        raise typer.Exit(1)
