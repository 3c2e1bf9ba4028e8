"""Databases for the tests: every test that stores runs on SQLite and on PostgreSQL."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from pipelines.db import schema
from pipelines.db.engine import open_engine, read

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "seeds" / "documents"
POSTGRES = os.environ.get("WARRAQ_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")

#: The sites of the tests are on this machine. Tests of the guard itself say what is allowed.
os.environ["WARRAQ_ALLOW_ADDRESSES"] = "127.0.0.0/8"


def postgres_trouble() -> str | None:
    """None if a PostgreSQL server answers, else why not."""
    try:
        import psycopg

        psycopg.connect(POSTGRES, connect_timeout=3).close()
    except Exception as error:  # whatever keeps us from it
        return " ".join(str(error).split())
    return None


@pytest.fixture(scope="session")
def postgres() -> str:
    """The server's URL. Skips where there is none, fails where one is required."""
    trouble = postgres_trouble()
    if trouble and os.environ.get("WARRAQ_REQUIRE_POSTGRES"):
        pytest.fail(f"PostgreSQL is required here: {trouble}")
    if trouble:
        pytest.skip(f"no PostgreSQL server at {POSTGRES}: {trouble}")
    return POSTGRES


@pytest.fixture
def new_postgres(postgres: str) -> Iterator[str]:
    """URL of a new empty PostgreSQL database, dropped afterwards."""
    with temporary_postgres(postgres) as url:
        yield url


@contextmanager
def temporary_postgres(postgres: str) -> Iterator[str]:
    """URL of a new empty database on the server, dropped afterwards."""
    import psycopg

    name = f"warraq_test_{os.getpid()}_{os.urandom(4).hex()}"
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield f"{postgres.rsplit('/', 1)[0]}/{name}"
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a new empty database, on SQLite and on PostgreSQL in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'warraq.db'}"
    url: str = request.getfixturevalue("new_postgres")
    return url


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """An engine on a database with all tables and no rows."""
    engine = open_engine(database, create=True)
    schema.upgrade(engine)
    yield engine
    engine.dispose()


def rows(database: str, query: str) -> list[tuple[Any, ...]]:
    """What a query gives on a database of that URL."""
    engine = open_engine(database)
    with read(engine) as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found


def run_warraq(
    arguments: Sequence[str | Path], stdin: bytes | None = None, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """The real command line, in the project's folder."""
    return subprocess.run(
        [sys.executable, "-m", "crawler.cli", *map(str, arguments)],
        cwd=ROOT,
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
        env={**os.environ, **environment},
    )
