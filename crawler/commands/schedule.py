"""`warraq schedule`."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crawler.commands import options as o
from crawler.commands.guard import needs_queue

if TYPE_CHECKING:  # loaded when the schedule starts, not with every `warraq --help`
    from sqlalchemy import Engine

    from crawler.schedule import Folder
    from pipelines.source import Sources


def schedule(
    db: o.Db = None,
    sources: o.SourcesFolder = o.DEFAULT_SOURCES,
    archive: o.Archive = o.DEFAULT_ARCHIVE,
    at_once: Annotated[
        int, typer.Option("--at-once", min=1, metavar="N", help="Crawls at the same time.")
    ] = 2,
    workers: o.CrawlWorkers = 1,
    time_limit: o.TimeLimit = o.DEFAULT_TIME_LIMIT,
    memory_limit: o.MemoryLimit = o.DEFAULT_MEMORY_LIMIT,
    logs: o.Logs = o.DEFAULT_LOGS,
    queue: Annotated[
        bool,
        typer.Option("--queue", help="Crawl nothing: queue what is due for `warraq worker`."),
    ] = False,
    once: Annotated[
        bool,
        typer.Option("--once", help="Do what is due now, then end; 1 if a crawl failed."),
    ] = False,
    show: Annotated[
        bool, typer.Option("--list", help="Show when each source is due, then end.")
    ] = False,
    json: o.AsJson = False,
) -> None:
    """Crawl each source when it is due, until stopped.

    A source's file says `every: 15m` or `cron: "0 6 * * *"` (on the clock of its `zone`);
    without either, its own rhythm does. Each crawl is a process with limits. Files that are
    added, changed or removed are taken up. Ctrl-C or SIGTERM ends crawls kindly; what was
    stored stays, and the next start goes on. Of one source never two crawls run, whoever
    started them, and two schedulers on one database share the work.

    With --queue (PostgreSQL alone, and the extra `queue`) workers crawl, on any number of
    machines, within their own limits: see `warraq worker`.

    Example: warraq schedule --at-once 4
    """
    import os
    import signal
    from types import FrameType

    from crawler.inputs import sources_of
    from crawler.schedule import Folder, Limits, Scheduler, crawl_command
    from crawler.show import say
    from pipelines.db.engine import database_url, open_engine
    from pipelines.db.schema import require
    from pipelines.errors import UsageError

    def read(folder: Path) -> "Sources":
        return sources_of(folder, o.DEFAULT_SOURCES)

    def tell(line: str) -> None:
        say(f"{datetime.now():%Y-%m-%d %H:%M:%S} {line}")

    if show:
        _show(read(sources), open_engine(db), json)
        return
    if not sources.is_dir():
        raise UsageError(f"--sources {sources}: no such folder")
    if queue:
        _queue(db, Folder(sources, read), tell, once)
        return
    engine = open_engine(db, create=True)
    require(engine, create=True)
    url = database_url(db).render_as_string(hide_password=False)
    scheduler = Scheduler(
        engine,
        Folder(sources, read),
        crawl_command(sources, archive, workers),
        {**os.environ, "WARRAQ_DB": url},
        logs,
        Limits(at_once, timedelta(minutes=time_limit), memory_limit << 20),
        tell,
    )

    def end(_signal: int, _frame: FrameType | None) -> None:
        scheduler.stop.set()
        scheduler.wake()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    scheduler.run(once=once)
    if once and scheduler.failed:
        raise typer.Exit(1)


def _queue(db: str | None, load: "Folder", tell: Callable[[str], None], once: bool) -> None:
    import asyncio
    import signal

    from pipelines.db.engine import open_engine
    from pipelines.db.schema import require

    with needs_queue(db):
        from crawler.queue import queue_due, require_queue
    engine = open_engine(db)
    require(engine, create=True)
    require_queue(engine)

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await queue_due(engine, load, tell, stop, once=once)

    asyncio.run(run())


_COLUMNS = ("source", "rule", "next", "last", "result", "failures", "detail")


def _show(sources: "Sources", engine: "Engine", as_json: bool) -> None:
    from crawler.schedule import is_crawled, rule_of
    from crawler.show import print_json, print_table
    from pipelines.db import turns
    from pipelines.db.engine import read, usable
    from pipelines.db.schema import require

    require(engine)
    with usable(engine), read(engine) as connection:
        rows = [_row(row) for row in turns.overview(connection)]
    known = {row["source"] for row in rows}
    for key, source in sorted(sources.items()):
        if key not in known and is_crawled(source):
            rows.append({"source": key, "rule": rule_of(source), "failures": 0})
    if as_json:
        print_json([{name: row.get(name) for name in _COLUMNS} for row in rows])
        return
    print_table(_COLUMNS, [[_shown(row.get(name)) for name in _COLUMNS] for row in rows])


def _row(row: Any) -> dict[str, Any]:
    return {
        "source": row.source,
        "rule": row.rule,
        "next": row.next_at,
        "last": row.started_at,
        "result": "running" if row.token else row.result,
        "failures": row.failures,
        "detail": row.detail,
    }


def _shown(value: Any) -> Any:
    """Times on the clock of this machine."""
    return f"{value.astimezone():%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else value
