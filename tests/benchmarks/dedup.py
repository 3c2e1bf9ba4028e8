"""Rate, memory, size and recall of storing with links and stories, as the database grows.

Generated documents: one in five is a copy of an earlier one (the same, edited, cut to half, or
its lead alone). Each row is a process of its own, on SQLite and, with --postgres, PostgreSQL. A
rate is of the last 48,000 documents, by the clock and by the process's own processor time
(generating documents is not counted); then comes the time of adding 1,000 more. Recall is of the
copies made, "wrong" counts links of texts that are none. datasketch's in-memory LSH, which a
threshold of 0.5 suits, runs beside it (pip install datasketch).

--grown 1000000 takes a short cut to a large SQLite database: 10,000 documents are stored, all
their rows copied by SQL, with hashes of their own, until there are so many; then the others come.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import random
import sqlite3
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from crawler.show import print_table, say
from pipelines.arabic import match_key
from pipelines.document import Article, Block, BlockKind, Origin
from pipelines.stages.fingerprint import raw_hash
from tests.benchmarks.measure import measure
from tests.benchmarks.pages import vocabulary
from tests.conftest import temporary_postgres

BATCH = 500
LAST = 48_000
ADDED = 1000
BASE = 10_000
KINDS = ("same", "edited", "half", "lead")


def documents(count: int) -> Iterator[tuple[int | None, str, str]]:
    """(number of the original, kind of copy, text). The same on every machine."""
    rng = random.Random(11)
    words, totals = vocabulary(rng)

    def original(number: int) -> list[str]:
        own = random.Random(number * 7 + 1)
        return own.choices(words, cum_weights=totals, k=own.randint(80, 400))

    for number in range(count):
        if number % 5 or not number:
            yield None, "", _lines(original(number))
            continue
        # An original: numbers that five divides are copies themselves, but for the first.
        source = rng.randrange(number // 5) * 5 + rng.randint(1, 4)
        text = original(source)
        kind = KINDS[number // 5 % len(KINDS)]
        if kind == "edited":
            text = [rng.choice(words) if rng.random() < 0.05 else word for word in text]
        elif kind == "half":
            text = text[: len(text) // 2]
        elif kind == "lead":
            text = text[:60]
        yield source, kind, _lines(text)


def _lines(words: list[str]) -> str:
    return "\n".join(" ".join(words[at : at + 40]) for at in range(0, len(words), 40))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--postgres", metavar="URL", help="a server to make databases on")
    parser.add_argument(
        "--postgres-count", type=int, nargs="+", default=[10_000, 100_000], metavar="COUNT"
    )
    parser.add_argument("--grown", type=int, nargs="+", default=[], metavar="COUNT")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        if given.child == "datasketch":
            told = with_datasketch(given.count[0])
        else:
            told = with_database(given.count[0], given.child, grown_to=sum(given.grown))
        Path(os.environ["BENCH_OUT"]).write_text(json.dumps(told))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in given.count:
            rows.append(_row(count, f"sqlite:///{folder}/{count}.db", folder))
        for count in given.grown:
            rows.append(_row(count, f"sqlite:///{folder}/grown-{count}.db", folder, grown=True))
        for count in given.postgres_count if given.postgres else ():
            with temporary_postgres(given.postgres) as url:
                rows.append(_row(count, url, folder))
        if importlib.util.find_spec("datasketch") and given.count:
            rows.append(_row(min(100_000, max(given.count)), "datasketch", folder))
    print_table(COLUMNS, rows)


COLUMNS = (
    *("what", "documents", "documents/s", "a CPU s", "1,000 more", "peak MB", "size MB"),
    *(*KINDS, "wrong"),
)


def _row(count: int, what: str, folder: str, *, grown: bool = False) -> list[object]:
    out = Path(folder, "out.json")
    command = [sys.executable, "-m", "tests.benchmarks.dedup", "--count", str(count)]
    if grown:
        command[-1:] = [str(BASE + LAST), "--grown", str(count)]
    measured = measure([*command, "--child", what], seconds=6 * 3600, BENCH_OUT=str(out))
    told = json.loads(out.read_text())
    row = [
        what if what == "datasketch" else f"warraq, {what.split(':')[0]}" + ", grown" * grown,
        f"{count:,}",
        f"{told['rate']:.0f}",
        f"{told['cpu_rate']:.0f}",
        f"{told['added']:.2f} s" if told["added"] else None,
        f"{measured.peak / 1e6:.0f}",
        told["size"] and f"{told['size'] / 1e6:.0f}",
        *(f"{told['recall'][kind]:.4f}" for kind in KINDS),
        told["wrong"],
    ]
    say(f"{' '.join(map(str, row))}: {measured.wall:.0f} s")
    return row


class _Clock:
    """Adds up what is done within it, by the clock and by processor time."""

    def __init__(self) -> None:
        self.spent, self.cpu = 0.0, 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        began, cpu = time.monotonic(), time.process_time()
        yield
        self.spent += time.monotonic() - began
        self.cpu += time.process_time() - cpu


def with_database(count: int, url: str, grown_to: int = 0) -> dict[str, Any]:
    from pipelines.db import schema
    from pipelines.db.engine import open_engine
    from pipelines.db.store import Arrival, start_run, write_batch

    engine = open_engine(url, create=True)
    schema.upgrade(engine)
    run = start_run(engine, "benchmark")
    before, last, added = _Clock(), _Clock(), _Clock()
    # Numbers, so that memory is the store's: of each document the text that it is a copy of.
    originals = array("q")
    kinds = array("b")
    source = documents(count + ADDED)
    copied = 0
    while True:
        if grown_to and len(originals) == BASE:
            copied = _grow(engine, grown_to - LAST)
        batch = []
        for original, kind, said in islice(source, BATCH):
            number = len(originals)
            article = article_of(f"{number}", said)
            batch.append(
                Arrival(article.path, None, "bench", Origin.FILE, article, article.raw_hash)
            )
            originals.append(number if original is None else original)
            kinds.append(KINDS.index(kind) if kind else -1)
        if not batch:
            break
        clock = added if len(originals) > count else last
        if len(originals) <= count - LAST:
            clock = before
        with clock.running():
            write_batch(engine, run, batch, {})
    recall, wrong = _found(engine, originals, kinds, copied)
    return {
        "rate": min(LAST, count) / last.spent,
        "cpu_rate": min(LAST, count) / last.cpu,
        "added": added.spent,
        "size": size_of(engine),
        "recall": recall,
        "wrong": wrong,
    }


def _grow(engine: Engine, count: int) -> int:
    """Copies the rows of the documents until there are so many; how many were copied."""
    from pipelines.db.models import Base

    anew = {
        **dict.fromkeys(("id", "article_id", "a_id", "b_id", "longer_id"), "{} + n * :base"),
        **dict.fromkeys(("story_id", "representative_id"), "{} + n * :base"),
        **dict.fromkeys(("identity", "content_hash", "raw_hash"), "lower(hex(randomblob(32)))"),
        # Anchors are in the lowest eighth, other values anywhere.
        "hash": "CASE WHEN {} BETWEEN 0 AND (1 << 61) THEN abs(random() >> 2) ELSE random() END",
        "canonical_url": "{} || '/' || n",
    }
    times = count // BASE - 1
    numbers = (
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers "
        f"WHERE n < {times})"
    )
    tables = ("articles", "article_shingles", "stories", "article_links", "ledger")
    engine.dispose()
    connection = sqlite3.connect(str(engine.url.database), isolation_level=None)
    for safety in ("journal_mode = OFF", "synchronous = OFF"):
        connection.execute(f"PRAGMA {safety}")
    for name in (*tables, "fingerprint_recent"):
        columns = [column.name for column in Base.metadata.tables[name].columns]
        values = ", ".join(anew.get(column, "{}").format(column) for column in columns)
        into, order = name, ""
        if name == "fingerprint_recent":
            into, order = "fingerprint_bands", "ORDER BY 1, 2"
        connection.execute(
            f"INSERT INTO {into} ({', '.join(columns)}) {numbers} "
            f"SELECT {values} FROM numbers CROSS JOIN {name} WHERE true {order}",
            {"base": BASE},
        )
    connection.close()
    return times * BASE


def _found(
    engine: Engine, originals: "array[int]", kinds: "array[int]", copied: int
) -> tuple[dict[str, float], int]:
    """Of each kind the share of copies that are linked with their original; wrong links."""
    from sqlalchemy import text

    from pipelines.db.engine import read

    made, linked, wrong = [0] * len(KINDS), [0] * len(KINDS), 0
    for kind in kinds:
        if kind >= 0:
            made[kind] += 1
    with read(engine) as connection:
        query = text("SELECT a_id - 1, b_id - 1 FROM article_links")
        for ids in connection.execution_options(yield_per=1000).execute(query):
            if copied and BASE <= min(ids) < BASE + copied and max(ids) < BASE + copied:
                continue  # links that were copied
            a, b = (number - copied if number >= BASE + copied else number for number in ids)
            if max(a, b) >= len(originals) or BASE <= min(ids) < BASE + copied:
                wrong += 1  # nothing is like what was copied: it leads nowhere
                continue
            wrong += originals[a] != originals[b]
            # Documents get their numbers as they come, and an original comes before its copies.
            if kinds[b] >= 0 and originals[b] == a:
                linked[kinds[b]] += 1
    return {kind: linked[n] / made[n] for n, kind in enumerate(KINDS)}, wrong


def size_of(engine: Engine) -> int:
    from sqlalchemy import text

    from pipelines.db.engine import read

    query = "SELECT pg_database_size(current_database())"
    if engine.dialect.name == "sqlite":  # the file itself lacks what is still in the log
        query = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    with read(engine) as connection:
        return int(connection.execute(text(query)).scalar_one())


def article_of(path: str, said: str) -> Article:
    """A generated text as `process` would hand it on."""
    blocks = tuple(Block(BlockKind.PARAGRAPH, line) for line in said.split("\n"))
    nothing = dict.fromkeys(
        (
            *("canonical_url", "title", "title_method", "deck", "author", "agency"),
            *("agency_method", "place", "section", "site_name", "published", "modified"),
        )
    )
    known: dict[str, Any] = nothing | {
        "source": "bench",
        "path": path,
        "url": f"https://bench.example/{path}",
        "canonical_url": f"https://bench.example/{path}",
        "blocks": blocks,
        "language": "ar",
        "fetched_at": datetime(2024, 1, 1, tzinfo=UTC),
        "charset": "utf-8",
        # As `content_hash`, which the worker processes make: letters that need no folding.
        "content_hash": hashlib.sha256(said.replace("\n", " ").encode()).hexdigest(),
        "raw_hash": raw_hash(path.encode()),
        "removed": (),
        "tags": (),
        "date_candidates": (),
    }
    return Article(**known)


def with_datasketch(count: int) -> dict[str, Any]:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=0.5, num_perm=128)
    before, last = _Clock(), _Clock()
    found: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    originals = array("q")
    wrong = 0
    for number, (original, kind, said) in enumerate(documents(count)):
        originals.append(number if original is None else original)
        with (last if number >= count - LAST else before).running():
            words = match_key(said).split()
            signature = MinHash(num_perm=128)
            signature.update_batch(
                [" ".join(words[at : at + 5]).encode() for at in range(max(1, len(words) - 4))]
            )
            copies = set(index.query(signature))
            index.insert(f"{number}", signature)
        wrong += sum(originals[int(copy)] != originals[number] for copy in copies)
        if original is not None:
            found[kind].append(f"{original}" in copies)
    return {
        "rate": min(LAST, count) / last.spent,
        "cpu_rate": min(LAST, count) / last.cpu,
        "added": None,
        "size": None,
        "recall": {kind: sum(hits) / len(hits) for kind, hits in found.items()},
        "wrong": wrong,
    }


if __name__ == "__main__":
    main()
