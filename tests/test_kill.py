"""A replay that is killed at any point and started again ends as one that was left alone."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import Engine, delete, text

from pipelines.db import schema
from pipelines.db.engine import open_engine, read, write
from pipelines.db.models import Base
from tests.benchmarks.pages import headline, paragraphs
from tests.conftest import ROOT
from tests.faulty import KILLS, noted, outcomes

DOCUMENTS = 240
#: Small batches, so that a kill falls into and between many transactions.
BATCH = 10


#: A line of the page that no lexicon knows: it is learned on the way.
_FURNITURE = "صوتك يصل إلينا كل صباح"


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_documents(tmp_path_factory.mktemp("kill") / "documents.jsonl", DOCUMENTS)


def write_documents(file: Path, count: int) -> Path:
    """Articles with and without a URL, copies in one source and in two, versions, broken lines."""
    rng = random.Random(7)
    with file.open("w", encoding="utf-8") as out:
        for number in range(count):
            body = "\n".join(paragraphs(rng)[:3])
            source = "daily" if number % 7 else "weekly"
            row: dict[str, Any] = {"title": headline(rng), "text": body, "source": source}
            if number % 3:
                row["url"] = f"https://daily.example/n/{number % 150}"
                row["fetched_at"] = f"2024-05-{1 + number % 28:02}T10:00:00Z"
            elif number % 2:
                row["text"] = "\n".join(paragraphs(random.Random(number % 20))[:3])
            row["text"] += f"\n{_FURNITURE}"
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
            if number % 50 == 0:
                out.write("{broken\n")
    return file


def start(documents: Path, database: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "crawler.cli", "replay", str(documents), "--db", database]
    return subprocess.Popen(
        [*command, "--batch", str(BATCH), "--json"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors.decode()


def contents(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """All but numbers and the clock of the run."""
    queries = {
        "articles": "SELECT identity, path, url, title, text, content_hash, record_hash, raw_hash, "
        "fetched_at FROM articles",
        "versions": "SELECT a.identity, v.number, v.title, v.text, v.content_hash FROM "
        "article_versions v JOIN articles a ON a.id = v.article_id",
        "removed": "SELECT a.identity, r.position, r.text, r.rule FROM removed_lines r "
        "JOIN articles a ON a.id = r.article_id",
        "links": "SELECT a.identity, b.identity, l.kind, l.jaccard FROM article_links l "
        "JOIN articles a ON a.id = l.a_id JOIN articles b ON b.id = l.b_id",
        "stories": "SELECT a.identity, s.articles, r.identity FROM articles a "
        "JOIN stories s ON s.id = a.story_id "
        "JOIN articles r ON r.id = s.representative_id",
        "sources": "SELECT key, ad_hoc FROM sources",
        "sampled": "SELECT s.key, p.page, p.month, p.seen_on, p.raw_hash FROM sampled_pages p "
        "JOIN sources s ON s.id = p.source_id",
        "lines": "SELECT s.key, p.page, p.line, p.place FROM page_lines p "
        "JOIN sources s ON s.id = p.source_id",
        "learned": "SELECT s.key, l.line, l.pages, l.of_pages, l.state, l.reason "
        "FROM learned_lines l JOIN sources s ON s.id = l.source_id",
    }
    with read(engine) as connection:
        # Sorted here: databases sort texts by rules of their own.
        return {
            name: sorted(map(tuple, connection.execute(text(q))), key=str)
            for name, q in queries.items()
        }


def empty(engine: Engine) -> None:
    with write(engine) as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(delete(table))


def test_kill_at_random_points(documents: Path, database: str) -> None:
    engine = open_engine(database, create=True)
    schema.upgrade(engine)
    began = time.monotonic()
    finish(start(documents, database))
    whole = time.monotonic() - began
    undisturbed = contents(engine)
    assert len(undisturbed["articles"]) > 100 and undisturbed["versions"]
    assert len(undisturbed["stories"]) == len(undisturbed["articles"]) and undisturbed["links"]
    rng = random.Random(os.urandom(8))
    partial = 0
    for _ in range(KILLS // 2):
        empty(engine)
        process = start(documents, database)
        time.sleep(rng.uniform(0.2, 1.0) * whole)
        workers = (
            psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        )
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        survived = len(contents(engine)["articles"])
        partial += 0 < survived < len(undisturbed["articles"])
        finish(start(documents, database))
        assert contents(engine) == undisturbed
        _, alive = psutil.wait_procs(workers, timeout=10)
        assert not alive, "workers outlive a killed replay"
    seen = outcomes(engine)
    kind, kills = engine.dialect.name, KILLS // 2
    happened = f"{kind}: {kills} kills, {partial} of them between the first and the last article"
    for cell in ("reader: killed", "database write: killed"):
        noted(cell, happened, len(documents.read_bytes().splitlines()), seen)
    engine.dispose()
    assert partial, "no kill fell between the first and the last article: the test shows nothing"


def test_interrupted_run_says_so_and_keeps_its_work(documents: Path, database: str) -> None:
    engine = open_engine(database, create=True)
    schema.upgrade(engine)
    process = start(documents, database)
    for _ in range(600):
        with read(engine) as connection:
            if connection.execute(text("SELECT count(*) FROM articles")).scalar_one():
                break
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    with read(engine) as connection:
        status = connection.execute(text("SELECT status FROM runs")).scalar_one()
    if process.returncode:  # it may have ended by itself before the signal came
        assert (process.returncode, status) == (130, "interrupted")
        assert b"what was stored stays" in said
    engine.dispose()
