"""`warraq`: the command line. Exit codes: 0 done, 1 some documents failed and --strict was
given (or `why` knows nothing), 2 wrong usage, 3 the database or an output can't be used."""

import signal
from importlib.metadata import version
from typing import Annotated

import typer

from crawler.commands.cluster import cluster
from crawler.commands.crawl import crawl
from crawler.commands.db import app as db_commands
from crawler.commands.diff import diff
from crawler.commands.export import export
from crawler.commands.extract import extract
from crawler.commands.guard import guarded
from crawler.commands.health import health
from crawler.commands.learn import learn
from crawler.commands.replay import replay
from crawler.commands.report import report
from crawler.commands.reprocess import reprocess
from crawler.commands.schedule import schedule
from crawler.commands.search import search
from crawler.commands.serve import serve
from crawler.commands.sources import app as sources_commands
from crawler.commands.sql import sql
from crawler.commands.why import why
from crawler.commands.worker import worker

app = typer.Typer(
    name="warraq",
    help="News pages into clean, dated, deduplicated articles in SQL. Arabic first.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_COMMANDS = (
    *(replay, cluster, crawl, schedule, worker, extract, reprocess, health, learn),
    *(search, sql, why, diff, serve, report, export),
)
for command in _COMMANDS:
    app.command()(guarded(command))
app.add_typer(db_commands, name="db")
app.add_typer(sources_commands, name="sources")


@app.callback(invoke_without_command=True)
def warraq(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if show_version:
        print(f"warraq {version('warraq')}")
        raise typer.Exit


def main() -> None:
    """The `warraq` command."""
    # A scheduler's stop is an interruption like Ctrl-C: the run notes its end.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app()


if __name__ == "__main__":
    main()
