"""Rows of older schemas, and the way they are written and loaded.

`python -m tests.upgrade URL FILE` keeps the rows of a database: run it with the last commit
before a migration to keep how that schema was filled.
"""

import base64
import gzip
import json
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Column, DateTime, Engine, LargeBinary, MetaData, Table, func, select, types

from pipelines.db.engine import read, write

FOLDER = Path(__file__).parent


def keep(engine: Engine, file: Path) -> None:
    """Writes all rows of a database as JSON lines: {table, row}."""
    schema = MetaData()
    schema.reflect(engine)
    with read(engine) as connection, gzip.GzipFile(file, "w", mtime=0) as lines:
        for table in schema.sorted_tables:
            if table.name == "alembic_version":
                continue
            for row in connection.execute(select(table).order_by(*table.primary_key)).mappings():
                kept = {name: _plain(value) for name, value in row.items()}
                entry = json.dumps({"table": table.name, "row": kept}, ensure_ascii=False)
                lines.write(entry.encode() + b"\n")


def load(engine: Engine, file: Path) -> None:
    """Fills an empty database that has the schema in which the rows were kept."""
    schema = MetaData()
    schema.reflect(engine)
    rows = _rows(file)
    with write(engine) as connection:
        for table in schema.sorted_tables:
            if of_table := rows.get(table.name):
                connection.execute(table.insert(), [_typed(table, row) for row in of_table])
                if "id" in table.c and connection.dialect.name == "postgresql":
                    counter = func.pg_get_serial_sequence(table.name, "id")
                    connection.execute(select(func.setval(counter, func.max(table.c.id))))


def rows_of(
    engine: Engine, file: Path, tables: Collection[str]
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(table, row as kept, the same row as it is now), told by its primary key."""
    schema = MetaData()
    schema.reflect(engine)
    with read(engine) as connection:
        kept_rows = _rows(file)
        for name in sorted(kept_rows.keys() & set(tables)):
            table, kept = schema.tables[name], kept_rows[name]
            for row in kept:
                typed = _typed(table, row)
                same = [column == typed[column.name] for column in table.primary_key]
                now = connection.execute(select(table).where(*same)).mappings().one_or_none()
                yield name, row, {c: _plain(v) for c, v in now.items()} if now else {}


def _rows(file: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            found.setdefault(entry["table"], []).append(entry["row"])
    return found


def _plain(value: Any) -> Any:
    match value:
        case bytes() | memoryview():
            return base64.b64encode(value).decode()
        case datetime():  # SQLite keeps UTC without saying so
            return (
                (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None).isoformat()
            )
        case date():
            return value.isoformat()
        case bool():
            return int(value)  # as SQLite has it
    return value


def _typed(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(table.c[name], value) for name, value in row.items()}


def _value(column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    match column.type:
        case LargeBinary():
            return base64.b64decode(value)
        case DateTime(timezone=True):
            return datetime.fromisoformat(f"{value}+00:00")
        case DateTime():
            return datetime.fromisoformat(value)
        case types.Date():
            return date.fromisoformat(value)
        case types.Boolean():
            return bool(value)
    return value
