"""What every command does with an error that a user can act on: one line and an exit code."""

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec

import typer

from crawler.forking import collect_rarely
from pipelines.errors import UsageError, UserError

P = ParamSpec("P")


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """The command, with known errors told in one line; others are defects and stay loud."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        collect_rarely()
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except UserError as error:
            raise _end(error.exit_code, f"error: {error}") from None
        except KeyboardInterrupt:
            said = "interrupted: what was stored stays; the same command goes on from there"
            raise _end(130, said) from None
        except BrokenPipeError:
            # The reader of our output (head, less) has left: not our error.
            raise _end(0) from None
        except MemoryError:
            said = "error: out of memory; what was stored stays: run the same command again"
            raise _end(3, said) from None
        except OSError as error:
            said = f"error: {error.filename or 'the output'}: {error.strerror or error}"
            raise _end(3, said) from None

    return run


@contextmanager
def needs_queue(db: str | None) -> Iterator[None]:
    """Around an import of the queue: tells what is missing for it."""
    from pipelines.db.engine import database_url, shown

    url = database_url(db)
    if url.get_backend_name() != "postgresql":
        raise UsageError(
            f"{shown(url)}: a queue needs PostgreSQL; name one with --db or WARRAQ_DB, or run "
            "`warraq schedule` without --queue, which crawls from one machine"
        )
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the queue needs the extra: pip install 'warraq[queue]' ({error})"
        ) from error


def _end(code: int, message: str = "") -> typer.Exit:
    if message:
        from crawler.show import say  # Rich is loaded only where there is something to say

        say(message)
    # What is still buffered for an output that is gone must not raise again at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return typer.Exit(code)
