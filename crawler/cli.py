"""`warraq`: the command line. Exit codes: 0 done, 1 some documents failed and --strict was
given (or `why` knows nothing), 2 wrong usage, 3 the database or an output can't be used."""

import os
import signal
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from crawler.commands.db import app as db_commands
from crawler.commands.extract import extract
from crawler.commands.replay import replay
from crawler.commands.sql import sql
from crawler.commands.why import why

app = typer.Typer(
    name="warraq",
    help="News pages into clean, dated, deduplicated articles in SQL. Arabic first.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (replay, extract, sql, why):
    app.command()(command)
app.add_typer(db_commands, name="db")


@app.callback(invoke_without_command=True)
def warraq(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if show_version:
        print(f"warraq {version('warraq')}")
        raise typer.Exit


def main() -> None:
    """Runs a command; turns the errors that we know into one line and an exit code."""
    from crawler.inputs import UsageError
    from crawler.readers import ManifestError
    from crawler.show import say
    from pipelines.db.engine import DatabaseError, QueryError
    from pipelines.source import SourceError

    # A scheduler's stop is an interruption like Ctrl-C: the run notes its end.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except (UsageError, ManifestError, SourceError, QueryError) as error:
        say(f"error: {error}")
        sys.exit(2)
    except DatabaseError as error:
        say(f"error: {error}")
        sys.exit(3)
    except KeyboardInterrupt:
        say("interrupted: what was stored stays; the same command goes on from there")
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output (head, less) has left: not our error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        say(f"error: {error.filename or 'output'}: {error.strerror}")
        sys.exit(3)


if __name__ == "__main__":
    main()
