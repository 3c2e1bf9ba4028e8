"""`warraq extract`."""

import json as jsonlib
import sys

import typer

from crawler.commands import options as o


def extract(
    paths: o.Paths,
    source: o.SourceKey = None,
    manifest: o.Manifest = None,
    field: o.Fields = None,
    sources: o.SourcesFolder = o.DEFAULT_SOURCES,
    workers: o.Workers = 0,
    timeout: o.Timeout = o.DEFAULT_TIMEOUT,
    max_bytes: o.MaxBytes = o.DEFAULT_MAX_BYTES,
    strict: o.Strict = False,
) -> None:
    """Print files as articles: one JSON object a document, no database.

    A document that is no article has a row too, with its reason.

    Example: warraq extract page.html | jq .title
    """
    from crawler.forking import start_forking

    start_forking()
    from crawler.inputs import read_options, sources_of
    from crawler.readers import read
    from crawler.replay import extract_row, is_broken
    from crawler.work import Limits, results
    from pipelines.document import Article

    reading = read_options(source, manifest, field, max_bytes)
    known = sources_of(sources, o.DEFAULT_SOURCES)
    broken = False
    for page, result in results(read(paths, reading), known, Limits(workers, timeout)):
        broken = broken or (not isinstance(result, Article) and is_broken(result.reason))
        sys.stdout.write(jsonlib.dumps(extract_row(page, result), ensure_ascii=False) + "\n")
        sys.stdout.flush()
    if strict and broken:
        raise typer.Exit(1)
