"""Many values in one statement: rows by the driver itself on SQLite and by COPY on PostgreSQL,
keys to look up as one JSON or one array. Each takes a fraction of an ordinary statement's time.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.exc import DBAPIError

from pipelines.db.models import UtcDateTime

_T = TypeVar("_T")


def insert_rows(connection: Connection, into: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows that all have the same columns."""
    if rows:
        names = tuple(rows[0])
        insert_values(connection, into, names, [tuple(map(row.__getitem__, names)) for row in rows])


def insert_values(
    connection: Connection, into: Table, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Inserts rows, their values in the order of `names`. Raises what an ordinary insert does."""
    if not rows:
        return
    if converters := _converters(connection.dialect, into, names):
        columns: list[Any] = list(zip(*rows, strict=True))
        for place, convert in converters:
            columns[place] = map(convert, columns[place])
        rows = list(zip(*columns, strict=True))
    listed = ", ".join(names)
    if connection.dialect.name == "postgresql":
        _copy(connection, f"COPY {into.name} ({listed}) FROM STDIN", rows)
        return
    marks = ", ".join("?" * len(names))
    query = f"INSERT INTO {into.name} ({listed}) VALUES ({marks})"  # noqa: S608
    connection.exec_driver_sql(query, list(rows))


@lru_cache(maxsize=256)
def _converters(
    dialect: Dialect, into: Table, names: tuple[str, ...]
) -> list[tuple[int, Callable[[Any], Any]]]:
    """What SQLAlchemy makes of the values of those columns before the driver gets them. Text for
    a JSON column is JSON already."""
    found: list[tuple[int, Callable[[Any], Any]]] = []
    for place, name in enumerate(names):
        kind = into.c[name].type
        if convert := kind.dialect_impl(dialect).bind_processor(dialect):
            if isinstance(kind, UtcDateTime):
                convert = lru_cache(maxsize=1024)(convert)  # rows of one batch share most times
            elif isinstance(kind, JSON):
                convert = partial(_written, convert)
            found.append((place, convert))
    return found


def _written(convert: Callable[[Any], Any], value: Any) -> Any:
    return value if type(value) is str else convert(value)


def _copy(connection: Connection, query: str, rows: Sequence[tuple[Any, ...]]) -> None:
    import psycopg

    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(query) as copy:
            if all(type(value) is int for value in rows[0]):
                copy.write("".join(["\t".join(map(str, row)) + "\n" for row in rows]))
            else:
                for row in rows:
                    copy.write_row(row)
    except psycopg.Error as raised:
        error: Any = raised
        gone = connection.dialect.is_disconnect(error, driver, None)
        if gone:
            connection.invalidate(error)
        raise DBAPIError.instance(
            query,
            None,
            error,
            psycopg.Error,
            connection_invalidated=gone,
            dialect=connection.dialect,
        ) from raised


# --- keys to look up -------------------------------------------------------------------------


def among(connection: Connection, column: Column[Any]) -> ColumnElement[bool]:
    """`column` is one of the values given: an array for PostgreSQL, JSON for SQLite, which limits
    the number of parameters."""
    if connection.dialect.name == "postgresql":
        values = select(cast(bindparam("among", type_=Text), ARRAY(BigInteger)))
        # A subquery is worked out once; the cast alone could be for every row.
        return column == any_(cast(values.scalar_subquery(), ARRAY(BigInteger)))
    listed = func.json_each(bindparam("among")).table_valued("value")
    return column.in_(select(listed.c.value))


def given(connection: Connection, values: Collection[int]) -> dict[str, Any]:
    """The values for `among`."""
    as_text = _array if connection.dialect.name == "postgresql" else json.dumps
    return {"among": as_text(list(values))}


def _array(numbers: Sequence[int]) -> str:
    """Whole numbers as PostgreSQL writes an array: the driver takes ten times as long for it."""
    return f"{{{','.join(map(str, numbers))}}}"


def rows_among(
    connection: Connection, query: Any, column: Column[Any], values: Collection[int]
) -> Sequence[Any]:
    """The rows of a query whose column is one of the values."""
    if not values:
        return []
    rows: Sequence[Any] = run_among(connection, query, column, values).all()
    return rows


def run_among(
    connection: Connection, statement: Any, column: Column[Any], values: Collection[int]
) -> Any:
    wanted = statement.where(among(connection, column))
    return connection.execute(wanted, given(connection, values))


def chunks(values: Sequence[_T], size: int) -> Iterator[list[_T]]:
    for at in range(0, len(values), size):
        yield list(values[at : at + size])
