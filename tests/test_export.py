"""`warraq export`: what comes out is what is stored, in files that other programs read."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, inspect, text

from pipelines.db import schema
from pipelines.db.engine import open_engine, write
from pipelines.db.export import COLUMNS, Counts, Format, Selection, rows, whole_file, write_rows
from tests.conftest import ROOT, run_warraq
from tests.serving import SAVED, fill
from tests.test_store import arrival
from tests.test_store import write as store


@pytest.fixture
def filled(database: str) -> str:
    fill(database)
    return database


def exported(database: str, *options: str) -> list[dict[str, Any]]:
    done = run_warraq(["export", "--db", database, *options])
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_all_formats_hold_the_same(filled: str, tmp_path: Path) -> None:
    told = exported(filled)
    assert [list(row) for row in told] == [list(COLUMNS)] * 6
    assert [row["id"] for row in told] == [1, 2, 3, 4, 5, 6]
    assert told[0]["text"].endswith(SAVED)
    assert told[0]["published_at"] == "2024-05-07T06:15:00+00:00"
    assert (told[0]["story_id"], told[0]["story_articles"]) == (1, 3)
    assert told[3]["tags"][0].startswith("<script>")
    for form in ("csv", "parquet"):
        file = tmp_path / f"all.{form}"
        done = run_warraq(["export", "--db", filled, "-o", file, "--no-guard"])
        assert done.returncode == 0, done.stderr.decode()
    table = pq.read_table(tmp_path / "all.parquet")
    assert table.schema.field("tags").type.value_type == "string"
    for ours, theirs in zip(told, table.to_pylist(), strict=True):
        for name, value in theirs.items():
            assert ours[name] == (value.isoformat() if isinstance(value, date) else value), name
    with (tmp_path / "all.csv").open(encoding="utf-8", newline="") as lines:
        for ours, cells in zip(told, csv.DictReader(lines), strict=True):
            for name, cell in cells.items():
                value = ours[name]
                if isinstance(value, list):
                    assert json.loads(cell) == value
                else:
                    assert cell == ("" if value is None else str(value)), name


DAY = date(2024, 5, 7)
CHOICES = [
    ({}, [1, 2, 3, 4, 5, 6]),
    ({"sources": ("marfa", "qandil")}, [1, 2]),
    ({"since": date(2024, 5, 8)}, [3]),
    ({"until": DAY}, [1, 2, 4]),
    ({"since": DAY, "until": DAY}, [1, 2]),
    ({"languages": ("en",)}, [6]),
    ({"agencies": ("reuters",)}, [1]),
    ({"one_a_story": True}, [1, 4, 5, 6]),
    ({"one_a_story": True, "sources": ("qandil", "alrasif")}, [2]),
    ({"search": "الحريق"}, [1, 2, 3]),
    ({"search": "حريق", "one_a_story": True}, [1]),
    ({"search": "حريق", "sources": ("qandil",)}, [2]),
    ({"search": "خرافة"}, []),
]


def test_choosing(filled: str) -> None:
    engine = open_engine(filled)
    for choice, numbers in CHOICES:
        selection = Selection(**choice)  # type: ignore[arg-type]
        assert sorted(row["id"] for row in rows(engine, selection, Counts())) == numbers, choice
    engine.dispose()


REFUSALS = [
    (("--source", "nobody"), 2, "there is no source 'nobody'"),
    (("--search", '"'), 2, "error:"),
    (("--since", "yesterday"), 2, "yesterday"),
    (("--format", "xlsx"), 2, "parquet, csv or jsonl"),
    (("-o", "articles.xlsx"), 2, "--format"),
    (("-o", "no/such/folder/a.csv"), 3, "No such file"),
]


def test_refusals_are_told(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/warraq.db"
    fill(database)
    for options, code, said in REFUSALS:
        done = run_warraq(["export", "--db", database, *options])
        assert done.returncode == code and said in done.stderr.decode(), options


def test_csv_is_safe_to_open(engine: Engine) -> None:
    titles = ["=HYPERLINK(1)", "+966", "-عاجل", "@قناة", "\tمسافة", "عنوان =1"]
    store(engine, *(arrival(f"نص {n}", f"{n}.txt", title=t) for n, t in enumerate(titles)))

    def written(*, guarded: bool, bom: bool) -> bytes:
        file = io.BytesIO()
        found = rows(engine, Selection(), Counts())
        write_rows(found, Format.CSV, file, guarded=guarded, bom=bom)
        return file.getvalue()

    def read(said: bytes) -> list[str]:
        return [row["title"] for row in csv.DictReader(io.StringIO(said.decode("utf-8-sig")))]

    assert read(written(guarded=False, bom=False)) == titles
    safe = read(written(guarded=True, bom=False))
    assert safe == [*(f"'{title}" for title in titles[:5]), titles[5]]
    assert written(guarded=True, bom=True).startswith("\ufeffid,".encode())


def test_half_a_character_pair_stops_no_export(engine: Engine) -> None:
    store(engine, arrival("نص", "a.txt", title="عنوان"))
    for form in Format:
        found = ({**row, "title": "\ud83d"} for row in rows(engine, Selection(), Counts()))
        write_rows(found, form, io.BytesIO(), guarded=True, bom=False)


def test_command_takes_all_choices(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/warraq.db"
    fill(database)
    days = ("--since", "2024-05-07", "--until", "2024-05-07", "--language", "ar")
    found = exported(database, *days, "--source", "marfa", "--agency", "reuters", "--one-a-story")
    assert [row["id"] for row in found] == [1]
    assert [row["id"] for row in exported(database, "--search", "نادرة")] == [2]


def test_card_counts_what_is_in_the_file(filled: str, tmp_path: Path) -> None:
    file = tmp_path / "fire.jsonl"
    done = run_warraq(["export", "--db", filled, "-o", file, "--source", "marfa"])
    assert done.returncode == 0
    card = (tmp_path / "fire.card.md").read_text(encoding="utf-8")
    for line in (
        "| articles | 1 |",
        "| chosen by | source `marfa` |",
        "| `live.header` | 1 |",
        "| `marfa` | 1 |",
        "| `minute` | 1 |",
        "The texts belong to their publishers",
    ):
        assert line in card, line
    assert "qandil" not in card
    run_warraq(["export", "--db", filled, "-o", tmp_path / "bare.jsonl", "--no-card"])
    assert not (tmp_path / "bare.card.md").exists()


def test_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "articles.jsonl"
    file.write_text("before")

    def failing() -> Iterator[dict[str, Any]]:
        yield dict.fromkeys(COLUMNS)
        raise RuntimeError("the database is gone")

    with pytest.raises(RuntimeError), whole_file(file) as opened:
        write_rows(failing(), Format.JSONL, opened, guarded=True, bom=False)
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_hugging_face_datasets_load_it_offline(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/warraq.db"
    fill(database)
    folder = tmp_path / "data"
    folder.mkdir()
    for file, card in (
        (tmp_path / "a.jsonl", tmp_path / "a.md"),
        (folder / "a.parquet", folder / "README.md"),
    ):
        assert run_warraq(["export", "--db", database, "-o", file, "--card", card]).returncode == 0
    script = """
import json, sys
from datasets import load_dataset
lines = load_dataset("json", data_files=sys.argv[1] + "/a.jsonl", split="train")
table = load_dataset("parquet", data_files=sys.argv[1] + "/data/a.parquet", split="train")
carded = load_dataset(sys.argv[1] + "/data", split="train")  # by its card
print(json.dumps([[len(d), d[0]["title"], d[0]["text"][-10:]] for d in (lines, table, carded)]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
        env={
            **os.environ,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_OFFLINE": "1",
        },
    )
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert loaded == [[6, "السيطرة على حريق مستودع الكتب", SAVED[-10:]]] * 3


def many(database: str, count: int) -> None:
    """So many articles, made by the database itself."""
    engine = open_engine(database, create=True)
    schema.upgrade(engine)
    store(engine, arrival("نص أول", "a.txt", title="عنوان"))
    values = {
        name: f"CAST({name} AS {kind})"
        for name, kind in (("blocks", "JSONB"), ("tags", "JSONB"), ("flags", "JSONB"))
    }
    if engine.dialect.name == "sqlite":
        values = {}
    with write(engine) as connection:
        columns = [
            c["name"]
            for c in inspect(connection).get_columns("articles")
            if c["name"] not in ("id", "identity", "text", "story_id")
        ]
        wanted = ", ".join(columns)
        connection.execute(
            text(
                f"INSERT INTO articles (identity, text, {wanted}) "
                "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < :count) "
                "SELECT 'id' || CAST(x AS VARCHAR), :said || CAST(x AS VARCHAR), "
                f"{', '.join(values.get(c, c) for c in columns)} FROM n, articles"
            ),
            {"count": count, "said": "كلمة " * 550},
        )
    engine.dispose()


_MEASURED = """
import resource, sys
from crawler.cli import app
try:
    app(sys.argv[1:])
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def test_memory_does_not_grow_with_the_rows(database: str, tmp_path: Path) -> None:
    many(database, 15_000)
    peaks = []
    for name, options in (("none", ["--until", "1990-01-01"]), ("all", [])):
        arguments = ["export", "--db", database, "--no-card", *options]
        done = subprocess.run(
            [sys.executable, "-c", _MEASURED, *arguments, "-o", tmp_path / f"{name}.parquet"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stderr.split()[-1]) // 1024)
    # 15,000 texts of 5 kB are 75 MB, and as Python's strings as much again
    assert peaks[1] - peaks[0] < 50, peaks
    assert pq.read_metadata(tmp_path / "all.parquet").num_rows == 15_001


def test_moments_are_utc(engine: Engine) -> None:
    store(engine, arrival("نص", "a.txt", fetched_at=datetime(2024, 5, 7, tzinfo=UTC)))
    (row,) = rows(engine, Selection(), Counts())
    assert row["last_seen"] == datetime(2024, 5, 7, tzinfo=UTC)
