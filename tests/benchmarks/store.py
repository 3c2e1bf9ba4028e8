"""`python -m tests.benchmarks.store`: storing, beside the same rows by raw executemany into bare
tables without keys or indexes.

Generated documents, prepared as worker processes prepare them, go through `store.write_batch`:
identities, ledger, fingerprints, links, stories, search index, repeated lines. Then all rows that
this made are read, and written again in batches of the same size by the driver's own `executemany`
into tables without keys or indexes: the floor. A ratio is of processor time, on PostgreSQL with
that of the server's process if it runs on this machine. Each database has a process of its own.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Connection, Engine, event, text

from crawler.show import print_table, say
from pipelines.db import schema
from pipelines.db.engine import open_engine, read
from pipelines.db.models import Base
from pipelines.db.store import Arrival, start_run, write_batch
from pipelines.document import Origin
from pipelines.prepare import prepare
from tests.benchmarks.dedup import BATCH, article_of, documents, size_of
from tests.benchmarks.measure import COLUMNS, Row, measure
from tests.conftest import temporary_postgres

#: Where the rows of a document are, and which column tells the article.
TABLES = {
    "articles": "id",
    "ledger": "article_id",
    "stories": "id",
    "article_shingles": "article_id",
    "article_links": "b_id",
    "fingerprint_recent": "article_id",
    "fingerprint_bands": "article_id",
    "search_entries": "article_id",
}
#: What FTS5 is told of a document; it gives none of it back.
_WORDS = "INSERT INTO search_words (rowid"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--postgres", metavar="URL", help="a server to make databases on")
    parser.add_argument("--joined", type=int, default=1, help="documents in one: longer texts")
    parser.add_argument("--child", help="the database to measure, empty")
    given = parser.parse_args()
    if given.child:
        told = _measured(given.child, given.count, given.joined)
        Path(os.environ["BENCH_OUT"]).write_text(json.dumps(told))
        return
    with tempfile.TemporaryDirectory() as folder:
        print_table(
            COLUMNS,
            [r.cells() for r in rows(Path(folder), given.count, given.postgres, given.joined)],
        )


def rows(folder: Path, count: int, postgres: str | None, joined: int = 1) -> list[Row]:
    found = _rows(folder, f"sqlite:///{folder}/store.db", count, joined)
    if postgres:
        with temporary_postgres(postgres) as url:
            found += _rows(folder, url, count, joined)
    return found


def _rows(folder: Path, url: str, count: int, joined: int) -> list[Row]:
    out = folder / "store.json"
    command = [sys.executable, "-m", "tests.benchmarks.store", "--count", str(count)]
    command += ["--joined", str(joined)]
    peak = measure([*command, "--child", url], BENCH_OUT=str(out)).peak
    told = json.loads(out.read_text())
    name = "PostgreSQL" if url.startswith("postgresql") else "SQLite"
    say(f"{name}: preparing takes {1000 * told['preparing'] / count:.2f} ms of CPU, in the workers")
    say(
        f"{name}: {told['words']:.0f} words and {told['size'] / 1000:.1f} kB of database a document"
    )
    floor, spent = told["raw"], told["spent"]
    return [
        Row(
            f"the same rows by raw executemany, {name}",
            cpu_ms=1000 * floor[1] / count,
            rate=count / floor[0],
        ),
        Row(
            f"storing, beside it, {name}",
            spent[1] / floor[1],
            most=2,
            cpu_ms=1000 * spent[1] / count,
            rate=count / spent[0],
            peak=peak,
        ),
    ]


class _Clock:
    """Adds up seconds, by the clock and by processor time, of what is done within it."""

    def __init__(self, server: psutil.Process | None) -> None:
        self._server = server
        self.spent = [0.0, 0.0]

    @contextmanager
    def running(self) -> Iterator[None]:
        began = time.monotonic(), self._processor()
        yield
        self.spent[0] += time.monotonic() - began[0]
        self.spent[1] += self._processor() - began[1]

    def _processor(self) -> float:
        own = time.process_time()
        return own + sum(self._server.cpu_times()[:2]) if self._server else own


def _server(connection: Connection) -> psutil.Process | None:
    """The server's process for this connection, if it is PostgreSQL on this machine."""
    if connection.dialect.name == "postgresql":
        number = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(number)
            return process if "postgres" in process.name() else None
    return None


def _measured(url: str, count: int, joined: int) -> dict[str, Any]:
    engine = open_engine(url, create=True)
    schema.upgrade(engine)
    run = start_run(engine, "benchmark")
    with engine.connect() as connection:  # the pool has one: the next takes the same
        server = _server(connection)
    preparing, spent = _Clock(None), _Clock(server)
    words: list[tuple[Any, ...]] = []

    def note(_c: Any, _d: Any, statement: str, given: Any, _x: Any, _many: bool) -> None:
        if statement.startswith(_WORDS):
            words.extend(given)

    event.listen(engine, "before_cursor_execute", note)
    source = (said for *_, said in documents(count * joined))
    said_words = 0
    for at in range(0, count, BATCH):
        texts = ["\n".join(islice(source, joined)) for _ in range(min(BATCH, count - at))]
        said_words += sum(len(said.split()) for said in texts)
        articles = [article_of(f"{at + n}", said) for n, said in enumerate(texts)]
        with preparing.running():
            articles = [prepare(article, engine.dialect.name) for article in articles]
        batch = [Arrival(a.path, None, "bench", Origin.FILE, a, a.raw_hash) for a in articles]
        with spent.running():
            write_batch(engine, run, batch, {})
    told = {"size": size_of(engine) / count, "words": said_words / count}
    raw = _raw(engine, server, count, words)
    engine.dispose()
    return told | {"spent": spent.spent, "raw": raw, "preparing": preparing.spent[1]}


def _raw(
    engine: Engine, server: psutil.Process | None, count: int, words: Sequence[tuple[Any, ...]]
) -> list[float]:
    """Seconds for the same rows. They go to tables beside the real ones."""
    tables = {name: _columns(engine, name) for name in TABLES}
    if words:
        tables["search_words"] = dict.fromkeys(("rowid", "title", "deck", "body", "facts"), "TEXT")
    with engine.begin() as connection:
        for name, kinds in tables.items():
            listed = ", ".join(f"c{n} {kind}" for n, kind in enumerate(kinds.values()))
            connection.execute(text(f"CREATE TABLE bare_{name} ({listed})"))
    clock = _Clock(server)
    for at in range(0, count, BATCH):
        rows = {name: _stored(engine, name, at, at + BATCH) for name in TABLES}
        rows["search_words"] = list(words[at : at + BATCH])
        driver = engine.raw_connection()
        cursor = driver.cursor()
        mark = "%s" if engine.dialect.name == "postgresql" else "?"
        with clock.running():
            cursor.execute("BEGIN")
            for name, given in rows.items():
                if given:
                    marks = ", ".join([mark] * len(given[0]))
                    cursor.executemany(f"INSERT INTO bare_{name} VALUES ({marks})", given)
            driver.commit()
        driver.close()
    return clock.spent


def _columns(engine: Engine, name: str) -> dict[str, str]:
    """Column -> its type, as the database calls it."""
    listed = Base.metadata.tables[name].columns
    kinds = {column.name: column.type.compile(engine.dialect) for column in listed}
    if name == "search_entries" and engine.dialect.name == "postgresql":
        kinds["words"] = "TSVECTOR"
    return kinds


def _stored(engine: Engine, name: str, after: int, last: int) -> list[tuple[Any, ...]]:
    """The rows of some articles as the driver takes them: JSON as text."""
    listed = ", ".join(
        f"CAST({column} AS TEXT)" if kind in ("JSONB", "TSVECTOR") else column
        for column, kind in _columns(engine, name).items()
    )
    query = text(
        f"SELECT {listed} FROM {name} WHERE {TABLES[name]} > :after AND {TABLES[name]} <= :last"
    )
    with read(engine) as connection:
        return [tuple(row) for row in connection.execute(query, {"after": after, "last": last})]


if __name__ == "__main__":
    main()
