"""Migrations: up, down and up again on both databases, in step with the models."""

import pytest
from sqlalchemy import Engine, inspect, text

from pipelines.db import schema
from pipelines.db.engine import open_engine, write
from pipelines.db.models import Base
from pipelines.errors import DatabaseError
from tests.conftest import run_warraq


def test_up_down_and_up_again(database: str) -> None:
    engine = open_engine(database, create=True)
    for _ in range(2):
        schema.upgrade(engine)
        assert schema.differences(engine) == []
        schema.downgrade(engine, "base")
        assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    engine.dispose()


def test_every_column_and_table_has_a_comment() -> None:
    for table in Base.metadata.sorted_tables:
        assert table.comment, table.name
        for column in table.columns:
            assert column.comment, f"{table.name}.{column.name}"


@pytest.mark.postgres
def test_comments_reach_postgresql(new_postgres: str) -> None:
    engine = open_engine(new_postgres)
    schema.upgrade(engine)
    columns = {c["name"]: c["comment"] for c in inspect(engine).get_columns("articles")}
    assert columns["deck"] == "standfirst between title and body"
    engine.dispose()


def test_database_that_is_behind_names_the_command(database: str) -> None:
    engine = open_engine(database, create=True)
    schema.upgrade(engine)
    with write(engine) as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    engine.dispose()
    told = run_warraq(["replay", "seeds/documents", "--db", database])
    assert told.returncode == 3
    assert b"warraq db upgrade" in told.stderr


def test_database_of_a_newer_warraq_is_left_alone(engine: Engine) -> None:
    with write(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'f00d'"))
    with pytest.raises(DatabaseError, match="newer Warraq"):
        schema.require(engine, create=True)


def test_commands_set_up_and_check(database: str) -> None:
    if database.startswith("sqlite"):
        assert run_warraq(["db", "check", "--db", database]).returncode == 3
    upgraded = run_warraq(["db", "upgrade", "--db", database])
    assert (upgraded.returncode, upgraded.stdout) == (0, b"")
    assert run_warraq(["db", "check", "--db", database]).returncode == 0
    current = run_warraq(["db", "current", "--db", database, "--json"])
    assert b'"revision": "' in current.stdout
    engine = open_engine(database)
    with write(engine) as connection:
        connection.execute(text("ALTER TABLE articles ADD COLUMN surplus TEXT"))
    engine.dispose()
    checked = run_warraq(["db", "check", "--db", database])
    assert checked.returncode == 3
    assert b"surplus" in checked.stderr
