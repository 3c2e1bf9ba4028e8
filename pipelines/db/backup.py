"""A copy of a database that is in use, whole at one moment."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine

from pipelines.db.engine import shown
from pipelines.errors import DatabaseError, UsageError


def back_up(engine: Engine, file: Path) -> int:
    """Copies a SQLite database to a new file; returns its size in bytes.

    Writers go on meanwhile; the copy holds what was committed when it began. It takes its name
    when it is whole, checked and on the disk. Raises UsageError if the file exists or the
    database is no SQLite file, DatabaseError if the copy can't be made.
    """
    if engine.dialect.name != "sqlite":
        raise UsageError(
            f"{shown(engine.url)} is copied with PostgreSQL's own tool: "
            "pg_dump --format=custom --file FILE NAME, and pg_restore brings it back"
        )
    if file.exists():
        raise UsageError(f"{file} exists: name another file, or remove it first")
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _copy(str(engine.url.database), part)
        with part.open("rb") as copy:
            os.fsync(copy.fileno())
        os.link(part, file)  # unlike a rename, it never replaces a file made meanwhile
    except FileExistsError:
        raise UsageError(f"{file} exists: name another file, or remove it first") from None
    except (OSError, sqlite3.Error) as error:
        raise DatabaseError(f"{file} can't be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return file.stat().st_size


def _copy(database: str, part: Path) -> None:
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(part)) as copy:
        # All pages in one step: one read transaction, which keeps no writer waiting. In several
        # steps the copy would begin anew after each write, and never end beside a crawl.
        source.backup(copy)
        # One file, without a log beside it that a careless move would leave behind.
        copy.execute("PRAGMA journal_mode = DELETE")
        (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise DatabaseError(f"{database} is damaged: {verdict}")
