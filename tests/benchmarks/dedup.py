"""Rate, memory, size and recall of storing with links and stories, as the database grows.

Generated documents: one in five is a copy of an earlier one (the same, edited, cut to half, or
its lead alone). Each row is a process of its own. A rate is of the last 5,000 documents, so that
rates at different sizes compare; generating them is not counted. Recall is of the copies made.
datasketch's in-memory LSH runs beside it where it is installed (pip install datasketch).
"""

import argparse
import importlib.util
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from crawler.show import print_table, say
from pipelines.arabic import match_key
from pipelines.document import Article, Block, BlockKind, Origin
from pipelines.stages.fingerprint import content_hash
from tests.benchmarks.measure import measure

BATCH = 500
LAST = 5000
KINDS = ("same", "edited", "half", "lead")
_LETTERS = "ابتثجحخدذرزسشصضطظعغفقكلمنهوي"


def documents(count: int) -> Iterator[tuple[int | None, str, str]]:
    """(number of the original, kind of copy, text). The same on every machine."""
    rng = random.Random(11)
    words = ["".join(rng.choices(_LETTERS, k=rng.randint(2, 7))) for _ in range(60_000)]
    weights = [1 / (rank + 20) for rank in range(len(words))]
    totals = [sum(weights[:1])]
    for weight in weights[1:]:
        totals.append(totals[-1] + weight)

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
    parser.add_argument("--count", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--db", help="a new PostgreSQL database instead of SQLite (one count)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        run = with_datasketch if given.child == "datasketch" else with_database
        Path(os.environ["BENCH_OUT"]).write_text(json.dumps(run(given.count[0], given.child)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in given.count:
            rows.append(_row(count, given.db or f"sqlite:///{folder}/{count}.db", folder))
        if importlib.util.find_spec("datasketch"):
            rows.append(_row(min(100_000, max(given.count)), "datasketch", folder))
    columns = ("what", "documents", "last 5,000/s", "all/s", "peak MB", "size MB", *KINDS)
    print_table(columns, rows)


def _row(count: int, what: str, folder: str) -> list[object]:
    out = Path(folder, "out.json")
    command = [sys.executable, "-m", "tests.benchmarks.dedup", "--count", str(count)]
    measured = measure([*command, "--child", what], BENCH_OUT=str(out))
    told = json.loads(out.read_text())
    name = what if what == "datasketch" else f"warraq, {what.split(':')[0]}"
    say(f"{name}, {count} documents: {measured.wall:.0f} s")
    return [
        name,
        count,
        f"{told['last']:.0f}",
        f"{told['all']:.0f}",
        f"{measured.peak / 1e6:.0f}",
        told["size"] and f"{told['size'] / 1e6:.0f}",
        *(f"{told['recall'][kind]:.3f}" for kind in KINDS),
    ]


def with_database(count: int, url: str) -> dict[str, Any]:
    from sqlalchemy import text

    from pipelines.db import schema
    from pipelines.db.engine import open_engine, read
    from pipelines.db.store import Arrival, start_run, write_batch

    engine = open_engine(url, create=True)
    schema.upgrade(engine)
    run = start_run(engine, "benchmark")
    spent, last = 0.0, 0.0
    made: dict[str, list[tuple[str, str]]] = {kind: [] for kind in KINDS}
    source = documents(count)
    for at in range(0, count, BATCH):
        batch = []
        for offset, (original, kind, said) in enumerate(islice(source, BATCH)):
            path = f"{at + offset}"
            batch.append(Arrival(path, None, "bench", Origin.FILE, _article(path, said), "0" * 64))
            if original is not None:
                made[kind].append((path, f"{original}"))
        began = time.monotonic()
        write_batch(engine, run, batch, {})
        took = time.monotonic() - began
        spent += took
        last += took if at >= count - LAST else 0
    with read(engine) as connection:
        linked = set()
        for row in connection.execute(
            text(
                "SELECT a.path, b.path FROM article_links l JOIN articles a ON a.id = l.a_id "
                "JOIN articles b ON b.id = l.b_id"
            )
        ):
            linked |= {(row[0], row[1]), (row[1], row[0])}
        size = (
            connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
            if engine.dialect.name == "postgresql"
            else Path(str(engine.url.database)).stat().st_size
        )
    return {
        "last": min(LAST, count) / last,
        "all": count / spent,
        "size": size,
        "recall": {k: sum(p in linked for p in pairs) / len(pairs) for k, pairs in made.items()},
    }


def _article(path: str, said: str) -> Article:
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
        "content_hash": content_hash(blocks),
        "raw_hash": "0" * 64,
        "removed": (),
    }
    return Article(**known)


def with_datasketch(count: int, _: str) -> dict[str, Any]:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=0.5, num_perm=128)
    spent, last = 0.0, 0.0
    found: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    for number, (original, kind, said) in enumerate(documents(count)):
        began = time.monotonic()
        words = match_key(said).split()
        signature = MinHash(num_perm=128)
        signature.update_batch(
            [" ".join(words[at : at + 5]).encode() for at in range(max(1, len(words) - 4))]
        )
        copies = set(index.query(signature))
        index.insert(f"{number}", signature)
        took = time.monotonic() - began
        spent += took
        last += took if number >= count - LAST else 0
        if original is not None:
            found[kind].append(f"{original}" in copies)
    return {
        "last": min(LAST, count) / last,
        "all": count / spent,
        "size": None,
        "recall": {kind: sum(hits) / len(hits) for kind, hits in found.items()},
    }


if __name__ == "__main__":
    main()
