"""`warraq worker`."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from crawler.commands import options as o

if TYPE_CHECKING:  # loaded when the worker starts, not with every `warraq --help`
    from pathlib import Path

    from pipelines.source import Sources


def worker(
    db: o.Db = None,
    sources: o.SourcesFolder = o.DEFAULT_SOURCES,
    archive: o.Archive = o.DEFAULT_ARCHIVE,
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, metavar="N", help="Crawls at the same time.")
    ] = 2,
    workers: o.CrawlWorkers = 1,
    time_limit: o.TimeLimit = o.DEFAULT_TIME_LIMIT,
    memory_limit: o.MemoryLimit = o.DEFAULT_MEMORY_LIMIT,
    logs: o.Logs = o.DEFAULT_LOGS,
) -> None:
    """Crawl what `warraq schedule --queue` has queued, until stopped: one of many machines.

    Start as many as you like, on any machine that reaches the PostgreSQL database and has the
    source files; stop or kill them at any time. Each source is crawled by one worker, and the
    sources of one site one after the other. Ctrl-C or SIGTERM ends crawls kindly, and other
    workers go on with them; so they do with those of a worker that gave no sign of life for two
    minutes (WARRAQ_DEAD_AFTER, in seconds, the same on all machines).

    Example: warraq worker --concurrency 4
    """
    import asyncio
    import os
    import signal

    from crawler.commands.guard import needs_queue
    from crawler.inputs import sources_of
    from crawler.schedule import Folder, Limits, crawl_command
    from crawler.show import say
    from pipelines.db.engine import database_url, open_engine
    from pipelines.db.schema import require
    from pipelines.errors import UsageError

    with needs_queue(db):
        from crawler.queue import Worker, require_queue

    def read(folder: "Path") -> "Sources":
        return sources_of(folder, o.DEFAULT_SOURCES)

    if not sources.is_dir():
        raise UsageError(f"--sources {sources}: no such folder")
    engine = open_engine(db, create=True)
    require(engine, create=True)
    require_queue(engine)
    url = database_url(db).render_as_string(hide_password=False)
    crawls = Worker(
        engine,
        Folder(sources, read),
        crawl_command(sources, archive, workers),
        {**os.environ, "WARRAQ_DB": url},
        logs,
        Limits(concurrency, timedelta(minutes=time_limit), memory_limit << 20),
        lambda line: say(f"{datetime.now():%Y-%m-%d %H:%M:%S} {line}"),
    )

    async def run() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, crawls.end)
        await crawls.run()

    asyncio.run(run())
