"""Engines: one to write, one that the database itself keeps from writing.

`sqlite:///file` and `postgresql://...` behave alike behind them: a write transaction keeps other
writers out from its first statement, so reading what is there and then writing is one step.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from pipelines.errors import DatabaseError, QueryError

DEFAULT_URL = "sqlite:///data/warraq.db"
#: Two writers wait for each other this long before one gives up.
LOCK_SECONDS = 60
#: Any number that no other program on the same PostgreSQL database uses for its own lock.
_WRITE_LOCK = 0x7761727261
_READING = "warraq_reading"


def database_url(given: str | None) -> URL:
    """The URL given, or from WARRAQ_DB, or the default file."""
    stated = given or os.environ.get("WARRAQ_DB") or DEFAULT_URL
    try:
        url = make_url(stated)
    except ArgumentError:
        raise DatabaseError(
            f"{stated!r} is no database URL; use sqlite:///path/to/file.db or "
            "postgresql://user@host/name"
        ) from None
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        return url.set(drivername="sqlite")
    raise DatabaseError(f"{stated!r} is neither a SQLite file nor a PostgreSQL database")


def shown(url: URL) -> str:
    """The URL for messages, without its password."""
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)


def open_engine(given: str | None, *, create: bool = False) -> Engine:
    """An engine to write with. With `create`, a SQLite file's folder is made.

    Raises DatabaseError if the URL is wrong, the driver is missing or a SQLite file is.
    """
    url = database_url(given)
    if url.get_backend_name() == "sqlite":
        file = Path(str(url.database))
        if create:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DatabaseError(f"{file.parent} can't be made: {error.strerror}") from error
        elif not file.exists():
            raise DatabaseError(
                f"there is no database at {file}; `warraq replay` makes one, "
                "or name another with --db or WARRAQ_DB"
            )
        engine = create_engine(url, connect_args={"timeout": LOCK_SECONDS}, json_serializer=_json)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        # A stopped server must not hang us, and a dead connection is found by a ping, not mid-way.
        return create_engine(
            url,
            connect_args={"connect_timeout": 10},
            pool_pre_ping=True,
            json_serializer=_json,
        )
    except NoSuchModuleError as error:  # pragma: no cover
        raise DatabaseError(str(error)) from error
    except ModuleNotFoundError as error:
        raise DatabaseError(
            f"PostgreSQL needs the extra: pip install 'warraq[postgres]' ({error})"
        ) from error


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """One write transaction, alone among writers. Commits at the end, rolls back on an error."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITE_LOCK})
        yield connection


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """One transaction that sees one state of the database and waits for no writer."""
    with engine.connect().execution_options(**{_READING: True}) as connection:
        yield connection


@contextmanager
def usable(engine: Engine) -> Iterator[None]:
    """Turns what the driver raises when a database can't be used into a DatabaseError."""
    try:
        yield
    except SQLAlchemyError as error:
        raise DatabaseError(explain(error, engine.url)) from error


def explain(error: SQLAlchemyError, url: URL) -> str:
    """A driver's error as one line, with the next step where we know one."""
    said = str(getattr(error, "orig", None) or error).strip()
    said = " ".join(said.split())
    for sign, advice in _ADVICE.items():
        if sign in said.lower():
            return f"{shown(url)}: {said}; {advice}"
    return f"{shown(url)}: {said}"


_ADVICE = {
    "disk is full": "make room and run the same command again: what is stored stays",
    "no space left": "make room and run the same command again: what is stored stays",
    "disk i/o error": "check the disk's health and room, then run the same command again",
    "database is locked": "another writer holds it; try again when it has finished",
    "lock timeout": "another writer holds it; try again when it has finished",
    "readonly database": "give this user the right to write the file and its folder",
    "unable to open": "check that the folder exists and this user may write to it",
    "not a database": "it is another kind of file, or damaged; name another with --db",
    "malformed": "it is damaged; restore a copy, or replay into a new file",
    "refused": "start the server, or check host and port",
    "terminat": "start the server, then run the same command again: what is stored stays",
    "closed the connection": "start the server, then run the same command again",
    "does not exist": "create it with `createdb`, or name another with --db",
    "password": "check user and password",
}


def is_gone(error: DBAPIError) -> bool:
    """Whether the database itself failed (gone, full, locked), not a row that it refused."""
    if error.connection_invalidated:
        return True
    return type(error.orig).__name__ in {
        "OperationalError",
        "InterfaceError",
        "InternalError",
        "AdminShutdown",
        "DiskFull",
        "LockNotAvailable",
        "InsufficientPrivilege",
        "ReadOnlySqlTransaction",
    }


def _json(value: Any) -> str:
    """Letters as they are: escaped, Arabic takes three times the room and can't be searched."""
    return json.dumps(value, ensure_ascii=False)


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    cursor = connection.cursor()
    # WAL: readers go on while a batch is written. NORMAL: safe against kill -9 at any point, and
    # against a power cut up to the last transactions, which a replay writes again.
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get(_READING):
        connection.exec_driver_sql("BEGIN")
        return
    # IMMEDIATE: two writers that both read first would otherwise end in "database is locked".
    connection.exec_driver_sql("BEGIN IMMEDIATE")


# --- reading ---------------------------------------------------------------------------------

_READ_ACTIONS = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}


@contextmanager
def read_only(given: str | None, seconds: float) -> Iterator[Callable[[str], "Rows"]]:
    """A function that runs one SELECT, on a connection that can't write whatever it is told.

    The database enforces it, not a look at the words. SQLite: the file is opened read-only and
    an authorizer refuses every action but reading, ATTACH and PRAGMA included. PostgreSQL: a
    read-only transaction under the role `pg_read_all_data` where this user may take it, and the
    text reaches the server as the query of a cursor, which takes one SELECT and nothing else.
    A statement ends after `seconds`.

    Raises DatabaseError if the database can't be used, QueryError if it refuses the query.
    """
    url = database_url(given)
    if url.get_backend_name() == "sqlite":
        yield from _read_sqlite(Path(str(url.database)), seconds)
    else:
        yield from _read_postgres(url, seconds)


class Rows:
    """Column names, and rows one after the other."""

    def __init__(self, columns: list[str], rows: Iterator[tuple[Any, ...]]) -> None:
        self.columns = columns
        self.rows = rows


def _read_sqlite(file: Path, seconds: float) -> Iterator[Callable[[str], Rows]]:
    import time

    if not file.exists():
        raise DatabaseError(
            f"there is no database at {file}; `warraq replay` makes one, "
            "or name another with --db or WARRAQ_DB"
        )
    try:
        connection = sqlite3.connect(
            f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=LOCK_SECONDS
        )
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error as error:
        raise DatabaseError(f"{file} can't be read: {error}") from error
    deadline = time.monotonic() + seconds
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.set_authorizer(
        lambda action, *_: sqlite3.SQLITE_OK if action in _READ_ACTIONS else sqlite3.SQLITE_DENY
    )
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)

    def run(query: str) -> Rows:
        try:
            cursor = connection.execute(query)
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            raise _sqlite_refusal(error, seconds) from error
        if cursor.description is None:
            raise QueryError("this statement gives no rows; only reading is possible here")
        return Rows([column[0] for column in cursor.description], _fetch_sqlite(cursor, seconds))

    try:
        yield run
    finally:
        connection.close()


def _fetch_sqlite(cursor: sqlite3.Cursor, seconds: float) -> Iterator[tuple[Any, ...]]:
    try:
        yield from cursor
    except sqlite3.Error as error:
        raise _sqlite_refusal(error, seconds) from error


def _sqlite_refusal(error: Exception, seconds: float) -> QueryError:
    if "not authorized" in str(error) or "readonly" in str(error):
        return QueryError(f"only reading is possible here: {error}")
    if "interrupted" in str(error):
        return QueryError(f"stopped after {seconds:g} s; narrow the query or raise --timeout")
    return QueryError(str(error))


def _read_postgres(url: URL, seconds: float) -> Iterator[Callable[[str], Rows]]:
    try:
        import psycopg
    except ModuleNotFoundError as error:
        raise DatabaseError(
            f"PostgreSQL needs the extra: pip install 'warraq[postgres]' ({error})"
        ) from error
    try:
        connection = psycopg.connect(
            url.set(drivername="postgresql").render_as_string(hide_password=False),
            connect_timeout=10,
            options=f"-c statement_timeout={int(seconds * 1000)}",
        )
    except psycopg.Error as error:
        raise DatabaseError(f"{shown(url)}: {' '.join(str(error).split())}") from error
    with connection, ExitStack() as cursors:
        connection.read_only = True
        connection.execute("SET TIME ZONE 'UTC'")
        allowed = connection.execute(
            "SELECT pg_has_role(current_user, 'pg_read_all_data', 'member')"
        ).fetchone()
        if allowed and allowed[0]:
            connection.execute("SET LOCAL ROLE pg_read_all_data")

        def run(query: str) -> Rows:
            cursor = cursors.enter_context(connection.cursor(name="warraq_sql"))
            try:
                # DECLARE CURSOR takes one SELECT; the driver sends it as a single statement.
                cursor.execute(query.strip().rstrip(";").encode())
            except psycopg.Error as error:
                raise _postgres_refusal(error) from error
            columns = [column.name for column in cursor.description or ()]
            return Rows(columns, _fetch_postgres(cursor))

        try:
            yield run
        finally:
            cursors.close()
            connection.rollback()  # what a function may have done all the same


def _fetch_postgres(cursor: Any) -> Iterator[tuple[Any, ...]]:
    import psycopg

    try:
        yield from cursor
    except psycopg.Error as error:
        raise _postgres_refusal(error) from error


def _postgres_refusal(error: Exception) -> QueryError:
    return QueryError(" ".join(str(error).split()))
