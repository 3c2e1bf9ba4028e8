"""`warraq sql` can only read: the database itself refuses the rest."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from pipelines.db import schema
from pipelines.db.engine import open_engine, read_only
from pipelines.errors import QueryError
from tests.conftest import run_warraq
from tests.test_store import arrival, rows, write

WRITES = [
    "DELETE FROM articles",
    "UPDATE articles SET title = NULL",
    "DROP TABLE articles",
    "INSERT INTO sources (key, ad_hoc) VALUES ('x', true)",
    "CREATE TABLE mine (a INTEGER)",
    "CREATE TEMPORARY TABLE mine (a INTEGER)",
    "SELECT 1; DELETE FROM articles",
    "COMMIT; DELETE FROM articles",
    "WITH gone AS (DELETE FROM articles RETURNING id) SELECT * FROM gone",
    "BEGIN",
]
SQLITE_WRITES = [
    "PRAGMA query_only = OFF",
    "PRAGMA writable_schema = ON",
    "ATTACH DATABASE '{folder}/new.db' AS other",
    "VACUUM INTO '{folder}/new.db'",
    "SELECT load_extension('x')",
]
POSTGRES_WRITES = [
    "COPY (SELECT 1) TO '{folder}/new.txt'",
    "COPY (SELECT 1) TO PROGRAM 'touch {folder}/new.txt'",
    "DO $$ BEGIN DELETE FROM articles; END $$",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "SET TRANSACTION READ WRITE",
    "SELECT nextval('articles_id_seq')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT 1 INTO mine",
]


def test_nothing_but_reading(engine: Engine, database: str, tmp_path: Path) -> None:
    write(engine, arrival("نص الخبر", "a.txt", title="عنوان"))
    only_here = SQLITE_WRITES if database.startswith("sqlite") else POSTGRES_WRITES
    for query in [*WRITES, *(q.format(folder=tmp_path) for q in only_here)]:
        with read_only(database, 10) as run, pytest.raises(QueryError):
            list(run(query).rows)
    assert rows(engine, "SELECT title FROM articles") == [("عنوان",)]
    assert not list(tmp_path.glob("new.*"))


def test_reading_works_while_another_writes(engine: Engine, database: str) -> None:
    write(engine, arrival("نص الخبر", "a.txt", title="عنوان"))
    with engine.begin() as writer, read_only(database, 10) as run:
        writer.exec_driver_sql("UPDATE articles SET title = 'other'")
        found = run("SELECT title, '100%' AS share FROM articles;")
        assert (found.columns, list(found.rows)) == (["title", "share"], [("عنوان", "100%")])


def test_long_query_is_stopped(engine: Engine, database: str) -> None:
    endless = (
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    )
    with read_only(database, 0.5) as run, pytest.raises(QueryError, match=r"stopped|timeout"):
        list(run(endless).rows)


def test_formats(engine: Engine, database: str) -> None:
    write(engine, arrival('نص "الخبر"، الأول', "a.txt", title="عنوان الخبر"))
    query = "SELECT title, text, fetched_at FROM articles"
    as_json = run_warraq(["sql", query, "--db", database, "--json"])
    assert json.loads(as_json.stdout) == [
        {"title": "عنوان الخبر", "text": 'نص "الخبر"، الأول', "fetched_at": None}
    ]
    as_csv = run_warraq(["sql", "-", "--db", database, "--format", "csv"], query.encode())
    assert as_csv.stdout.decode() == ('title,text,fetched_at\nعنوان الخبر,"نص ""الخبر""، الأول",\n')
    table = run_warraq(["sql", query, "--db", database])
    assert "عنوان الخبر" in table.stdout.decode()


def test_refusals_are_told(engine: Engine, database: str) -> None:
    told = run_warraq(["sql", "DELETE FROM articles", "--db", database])
    assert (told.returncode, told.stdout) == (2, b"")
    assert told.stderr.startswith(b"error: ")
    assert run_warraq(["sql", "SELECT nothing FROM nowhere", "--db", database]).returncode == 2


def test_missing_database_is_told(tmp_path: Path) -> None:
    told = run_warraq(["sql", "SELECT 1", "--db", f"sqlite:///{tmp_path}/none.db"])
    assert told.returncode == 3
    assert b"warraq replay" in told.stderr
    assert not (tmp_path / "none.db").exists()


def test_read_only_folder_is_enough(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/a.db", create=True)
    schema.upgrade(engine)
    engine.dispose()
    tmp_path.chmod(0o555)
    try:
        with read_only(f"sqlite:///{tmp_path}/a.db", 5) as run:
            assert list(run("SELECT count(*) FROM articles").rows) == [(0,)]
    finally:
        tmp_path.chmod(0o755)
