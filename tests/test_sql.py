"""`warraq sql` can only read: the database itself refuses the rest."""

import json
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine

from pipelines.db import schema
from pipelines.db.engine import open_engine, read_only
from pipelines.document import ArticleDate, Precision
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


def test_paging(engine: Engine, database: str) -> None:
    numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1500)"
    query = f"{numbers} SELECT x FROM n ORDER BY x"
    whole = run_warraq(["sql", query, "--db", database])
    assert whole.stderr == b"rows 1 to 1000; --offset 1000 shows the next\n"
    last = run_warraq(["sql", query, "--db", database, "--offset", "1000"])
    assert (last.stdout.split()[-1], last.stderr) == (b"1500", b"")
    page = ["--limit", "2", "--offset", "10", "--json"]
    assert run_warraq(["sql", query, "--db", database, *page]).stdout == b'[{"x": 11}, {"x": 12}]\n'


def test_views_hide_what_the_databases_differ_in(engine: Engine, database: str) -> None:
    published = ArticleDate(
        iso="2024-05-31T23:30+03:00",
        precision=Precision.MINUTE,
        method="test",
        raw="",
        confidence=1.0,
        zone=None,
        conflicts=("the URL says another day",),
    )
    write(
        engine,
        arrival(
            "نص",
            "a.txt",
            published=published,
            agency="afp,reuters",
            agency_method="credit",
            tags=("مناخ", "علوم"),
            flags=("paywall",),
            date_candidates=(("meta", "published", "2024-05-31"),),
        ),
        arrival("نص آخر", "b.txt"),
    )
    asked = {
        "SELECT day, source, articles, stories, from_agencies FROM daily_counts": [
            ("2024-05-31", "daily", 1, 1, 1)
        ],
        "SELECT month, weekday, hour FROM publication_times": [("2024-05", 5, 23)],
        "SELECT agency, method FROM article_agencies ORDER BY agency": [
            ("afp", "credit"),
            ("reuters", "credit"),
        ],
        "SELECT article_id, tag FROM article_tags ORDER BY tag": [(1, "علوم"), (1, "مناخ")],
        "SELECT flag FROM article_flags": [("paywall",)],
        "SELECT conflict FROM date_conflicts": [("the URL says another day",)],
        "SELECT method, role, text FROM date_candidates": [("meta", "published", "2024-05-31")],
        "SELECT count(*) FROM rejections": [(0,)],
    }
    for query, expected in asked.items():
        with read_only(database, 10) as run:
            told = [tuple(map(_as_text, row)) for row in run(query).rows]
        assert told == expected, query


def _as_text(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def test_search_index_can_be_asked(engine: Engine, database: str) -> None:
    write(engine, arrival("قالت الحكومة", "a.txt"))
    query = {
        True: "SELECT rowid FROM search_words WHERE search_words MATCH 'الحكومه'",
        False: "SELECT entry FROM search_entries WHERE words @@ 'الحكومه'",
    }[database.startswith("sqlite")]
    with read_only(database, 10) as run:
        assert list(run(query).rows) == [(1,)]


@pytest.mark.postgres
def test_readers_role_reads_and_no_more(new_postgres: str) -> None:
    import psycopg

    engine = open_engine(new_postgres)
    schema.upgrade(engine)
    assert schema.has_reader(engine)
    engine.dispose()
    with psycopg.connect(new_postgres) as connection:
        assert connection.execute(
            "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'warraq_reader'"
        ).fetchone() == (False,)
        connection.execute("SET LOCAL ROLE warraq_reader")
        assert connection.execute("SELECT count(*) FROM daily_counts").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM articles")
    with psycopg.connect(new_postgres) as connection:
        told = connection.execute(
            "SELECT obj_description('daily_counts'::regclass), col_description("
            "'syndication'::regclass, attnum) FROM pg_attribute"
            " WHERE attrelid = 'syndication'::regclass AND attname = 'delay_minutes'"
        ).fetchone()
    assert told is not None
    assert all(told)
