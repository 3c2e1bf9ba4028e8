"""Engines: one to write, one that the database itself keeps from writing.

`sqlite:///file` and `postgresql://...` behave alike behind them: a write transaction keeps other
writers out from its first statement, so reading what is there and then writing is one step.
"""

import json
import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from pipelines.errors import DatabaseError, QueryError

DEFAULT_URL = "sqlite:///data/warraq.db"
#: In `user:password@`, up to the last @ of a word, and in `?password=...` or `password=...`.
_PASSWORDS = re.compile(
    r"(:/{0,2}[^\s:/@]*:)[^\s@]*(?:@[^\s@/]*)*(?=@)|((?:ssl)?passw(?:or)?d=)[^\s&'\"]+", re.I
)
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
            f"{without_passwords(stated)!r} is no database URL; use sqlite:///path/to/file.db or "
            "postgresql://user@host/name"
        ) from None
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        return url.set(drivername="sqlite")
    raise DatabaseError(
        f"{without_passwords(stated)!r} is neither a SQLite file nor a PostgreSQL database"
    )


def shown(url: URL) -> str:
    """The URL for messages, without its password."""
    plain = url.set(drivername=url.get_backend_name())
    return without_passwords(plain.render_as_string(hide_password=True))


def without_passwords(text: str) -> str:
    """Text that may hold database URLs, right or wrong ones, for messages and rows."""
    return _PASSWORDS.sub(lambda found: f"{found[1] or found[2]}***", text)


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
        if file.exists() and _is_fixed(file):
            engine = create_engine(url, creator=lambda: _connect(file, LOCK_SECONDS))
            event.listen(engine, "connect", _let_us_begin)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
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


def open_reader(given: str | None, seconds: float) -> Engine:
    """An engine that can't write, whose statements end after `seconds` (in all, on SQLite, from
    the moment that the connection is taken from the pool).

    Raises DatabaseError if the URL is wrong, the driver is missing or a SQLite file is.
    """
    open_engine(given).dispose()  # tells what is wrong with it
    url = database_url(given)
    if url.get_backend_name() == "postgresql":
        limit = f"-c statement_timeout={int(seconds * 1000)} -c default_transaction_read_only=on"
        return create_engine(
            url,
            connect_args={"connect_timeout": 10, "options": limit},
            pool_pre_ping=True,
            pool_timeout=seconds,
        )
    file = Path(str(url.database))
    engine = create_engine(url, creator=lambda: _connect(file, seconds), pool_timeout=seconds)

    def start_clock(connection: Any, _record: Any, _proxy: Any) -> None:
        deadline = time.monotonic() + seconds
        connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)

    event.listen(engine, "checkout", start_clock)
    return engine


def _connect(file: Path, seconds: float) -> sqlite3.Connection:
    """A connection that only reads."""
    fixed = "&immutable=1" if _is_fixed(file) else ""
    uri = f"{file.resolve().as_uri()}?mode=ro{fixed}"
    return sqlite3.connect(uri, uri=True, timeout=seconds, check_same_thread=False)


def _is_fixed(file: Path) -> bool:
    """Whether it lies where nobody can write: there SQLite can't make the files that readers and
    writers agree by, and needs none, unless a writer left some."""
    return bool(os.statvfs(file).f_flag & os.ST_RDONLY) and not Path(f"{file}-wal").exists()


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
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return not state.startswith(_ROW_REFUSED)
    return type(error.orig).__name__ in {"OperationalError", "InterfaceError", "InternalError"}


#: What PostgreSQL says of a row: its data, a constraint, a limit, or that it needs more memory than
#: there is; the next row may need less.
_ROW_REFUSED = ("22", "23", "54", "53200")


_encode = json.JSONEncoder(ensure_ascii=False).encode


def _json(value: Any) -> str:
    """Letters as they are: escaped, Arabic takes three times the room and can't be searched."""
    return _encode(value) if value else json.dumps(value)


def _let_us_begin(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself


def _set_up_sqlite(connection: Any, record: Any) -> None:
    _let_us_begin(connection, record)
    cursor = connection.cursor()
    # WAL: readers go on while a batch is written. NORMAL: safe against kill -9 at any point, and
    # against a power cut up to the last transactions, which a replay writes again.
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    # A batch changes some 10 MB of pages. In 2 MB, as it is by itself, they are written and read
    # again several times before the batch ends; and pages that every batch changes are written to
    # the file itself once in 64 MB of log, not once in 4.
    cursor.execute("PRAGMA cache_size = -65536")
    cursor.execute("PRAGMA wal_autocheckpoint = 16384")
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


def _only_reading(action: int, first: str | None, *_: str | None) -> int:
    """FTS5 asks for `data_version` by itself; that tells whether the file changed, no more."""
    harmless = action == sqlite3.SQLITE_PRAGMA and first == "data_version"
    return sqlite3.SQLITE_OK if harmless or action in _READ_ACTIONS else sqlite3.SQLITE_DENY


@contextmanager
def read_only(
    given: str | None, seconds: float, *, stranger: bool = False
) -> Iterator[Callable[[str], "Rows"]]:
    """A function that runs one SELECT, on a connection that can't write whatever it is told.

    The database enforces it, not a look at the words. SQLite: the file is opened read-only and
    an authorizer refuses every action but reading, ATTACH and PRAGMA included. PostgreSQL: a
    read-only transaction under the role `warraq_reader` or `pg_read_all_data` where this user may
    take it, and the text reaches the server as the query of a cursor, which takes one SELECT and
    nothing else.
    A statement ends after `seconds`.

    With `stranger` the query is not by the database's user: SQLite's values and memory (of this
    process) are bounded, PostgreSQL ends all statements together after `seconds`, and a user that
    could step out of the database is refused (a superuser's SELECT takes its own rights back with
    set_config and reads the server's files).

    Raises DatabaseError if the database can't be used, QueryError if it refuses the query.
    """
    url = database_url(given)
    if url.get_backend_name() == "sqlite":
        yield from _read_sqlite(Path(str(url.database)), seconds, stranger)
    else:
        yield from _read_postgres(url, seconds, stranger)


class Rows:
    """Column names, and rows one after the other."""

    def __init__(self, columns: list[str], rows: Iterator[tuple[Any, ...]]) -> None:
        self.columns = columns
        self.rows = rows


#: Largest value and memory of a stranger's query on SQLite.
_VALUE_BYTES = 10_000_000
_HEAP_BYTES = 256_000_000
#: A user who is a member of one of these may do more than read the database.
_MIGHTY = (
    "SELECT pg_has_role(session_user, 'pg_read_server_files', 'member') "
    "OR pg_has_role(session_user, 'pg_write_server_files', 'member') "
    "OR pg_has_role(session_user, 'pg_execute_server_program', 'member')"
)


def _read_sqlite(file: Path, seconds: float, stranger: bool) -> Iterator[Callable[[str], Rows]]:
    if not file.exists():
        raise DatabaseError(
            f"there is no database at {file}; `warraq replay` makes one, "
            "or name another with --db or WARRAQ_DB"
        )
    try:
        connection = _connect(file, LOCK_SECONDS)
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error as error:
        raise DatabaseError(f"{file} can't be read: {error}") from error
    deadline = time.monotonic() + seconds
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    if stranger:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _VALUE_BYTES)
        connection.execute(f"PRAGMA hard_heap_limit = {_HEAP_BYTES}")
    with suppress(sqlite3.Error):  # an older database has no search index
        # Opening an FTS5 table for the first time looks like a change of the schema: not later.
        connection.execute("SELECT rowid FROM search_words LIMIT 0")
    connection.set_authorizer(_only_reading)
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)

    def run(query: str) -> Rows:
        try:
            cursor = connection.execute(query)
        except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError) as error:
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
        # Not `yield from`: left early, it would close the cursor of a connection that is closed.
        for row in cursor:  # noqa: UP028
            yield row
    except (sqlite3.Error, MemoryError) as error:
        raise _sqlite_refusal(error, seconds) from error


def _sqlite_refusal(error: Exception, seconds: float) -> QueryError:
    if "not authorized" in str(error) or "readonly" in str(error):
        return QueryError(f"only reading is possible here: {error}")
    if "interrupted" in str(error):
        return QueryError(f"stopped after {seconds:g} s; narrow the query or raise --timeout")
    if isinstance(error, MemoryError):
        return QueryError("takes more memory than a query may; narrow it")
    return QueryError(str(error))


def _read_postgres(url: URL, seconds: float, stranger: bool) -> Iterator[Callable[[str], Rows]]:
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
        if stranger and (connection.execute(_MIGHTY).fetchone() or (True,))[0]:
            raise DatabaseError(
                f"{shown(url)}: a user who may read the server's files can't be kept from it by "
                "SQL; connect as one who may only read tables: CREATE ROLE warraq_web LOGIN "
                "PASSWORD '...' IN ROLE pg_read_all_data"
            )
        # Warraq's own role reads Warraq's tables alone; the other one reads all of the database.
        role = connection.execute(
            "SELECT rolname FROM pg_roles"
            " WHERE rolname IN ('warraq_reader', 'pg_read_all_data')"
            " AND pg_has_role(current_user, oid, 'member')"
            " AND (rolname = 'pg_read_all_data' OR coalesce("
            "has_table_privilege(rolname, to_regclass('articles'), 'SELECT'), false))"
            " ORDER BY rolname DESC LIMIT 1"
        ).fetchone()
        if role:
            connection.execute(f"SET LOCAL ROLE {role[0]}".encode())

        def run(query: str) -> Rows:
            cursor = cursors.enter_context(connection.cursor(name="warraq_sql"))
            try:
                # DECLARE CURSOR takes one SELECT; the driver sends it as a single statement.
                cursor.execute(query.strip().rstrip(";").encode())
            except psycopg.Error as error:
                raise _postgres_refusal(error) from error
            columns = [column.name for column in cursor.description or ()]
            return Rows(columns, _fetch_postgres(cursor))

        # A stranger's query may have raised its own statement_timeout: it is cancelled from here.
        timer = threading.Timer(seconds + 0.5, connection.cancel)
        timer.daemon = True
        if stranger:
            timer.start()
        try:
            yield run
        finally:
            timer.cancel()
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
