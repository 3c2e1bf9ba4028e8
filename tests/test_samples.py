"""The sample documents, end to end: what `warraq` prints and stores is what a reader would say.

`samples.jsonl` has the right answers, written by hand from the documents.
"""

import json
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from pipelines.db.engine import open_engine, read
from tests.conftest import ROOT, SAMPLES, run_warraq

ANSWERS = [
    json.loads(line)
    for line in (ROOT / "tests" / "samples.jsonl").read_text(encoding="utf-8").splitlines()
]


def answer_id(answer: dict[str, Any]) -> str:
    return f"{answer['path']}{'@' + str(answer['offset']) if 'offset' in answer else ''}"


def name_of(answer: dict[str, Any]) -> str:
    """What the document is called in output: a WARC record by its offset."""
    offset = f"#{answer['offset']}" if answer.get("offset") is not None else ""
    return f"{answer['path']}{offset}"


@pytest.fixture(scope="module")
def extracted() -> dict[str, dict[str, Any]]:
    done = run_warraq(["extract", SAMPLES])
    assert done.returncode == 0, done.stderr.decode()
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {str(Path(row["path"]).name): row for row in rows}


@pytest.mark.parametrize("answer", ANSWERS, ids=answer_id)
def test_document(answer: dict[str, Any], extracted: dict[str, dict[str, Any]]) -> None:
    row = extracted[name_of(answer)]
    if answer["outcome"] in ("rejected", "failed"):
        assert (row["outcome"], row["reason"]) == (answer["outcome"], answer["reason"])
        assert row["advice"]
        return
    assert row["outcome"] == "stored"
    assert row["text"].split("\n") == answer["text"]
    for field in ("title", "deck", "author", "agency", "language"):
        assert row[field] == answer[field], field
    for field in ("url", "source", "place", "section", "canonical_url"):
        if field in answer:
            assert row[field] == answer[field], field
    assert same_time(row["published_at"], answer["published_at"])
    if "modified_at" in answer:
        assert same_time(row["modified_at"], answer["modified_at"])
    headings = [block["text"] for block in row["blocks"] if block["kind"] == "heading"]
    assert headings == answer.get("headings", [])
    removed = [line["text"] for line in row["removed"]]
    assert all(line["rule"] for line in row["removed"])
    for line in answer.get("removed", []):
        assert line in removed
    for phrase in answer.get("must_not", []):
        assert phrase not in row["text"]


def same_time(found: str | None, wanted: str | None) -> bool:
    """Equal at the precision wanted, offsets as instants (Z and +00:00 are one)."""
    if found is None or wanted is None or "T" not in wanted:
        return found == wanted
    one, other = datetime.fromisoformat(found), datetime.fromisoformat(wanted)
    return (one.tzinfo is None) == (other.tzinfo is None) and one == other


def test_every_document_has_an_answer(extracted: dict[str, dict[str, Any]]) -> None:
    # robots.txt and the picture inside the WARC have one line together, which has no answer
    unanswered = set(extracted) - {name_of(answer) for answer in ANSWERS}
    assert unanswered <= {"crawl.warc.gz"}


def stored(database: str) -> list[tuple[Any, ...]]:
    columns = (
        "s.key, a.path, a.url, a.title, a.deck, a.text, a.author, a.agency, a.place, "
        "a.published_iso, a.modified_iso, a.content_hash, a.record_hash, a.fetched_at"
    )
    engine = open_engine(database)
    with read(engine) as connection:
        query = f"SELECT {columns} FROM articles a JOIN sources s ON s.id = a.source_id"
        found = sorted(map(tuple, connection.execute(text(f"{query} ORDER BY a.path"))))
    engine.dispose()
    return found


def replay(database: str, *more: str) -> subprocess.CompletedProcess[bytes]:
    return run_warraq(["replay", SAMPLES, "--db", database, "--json", *more])


def test_replay_stores_what_the_answers_say(database: str) -> None:
    done = replay(database)
    assert done.returncode == 0, done.stderr.decode()
    summary = json.loads(done.stdout)
    wanted = [a["outcome"] for a in ANSWERS]
    for outcome in ("stored", "revised", "duplicate", "failed"):
        assert summary["outcomes"].get(outcome, 0) == wanted.count(outcome), outcome
    before = stored(database)
    assert len(before) == wanted.count("stored")

    again = json.loads(replay(database).stdout)["outcomes"]
    assert again["unchanged"] == wanted.count("stored") + wanted.count("revised")
    assert set(again) == {"unchanged", "rejected", "failed"}
    assert stored(database) == before
    assert replay(database, "--strict").returncode == 1


def test_why_explains_each_document(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/w.db"
    replay(database)
    why = run_warraq(["why", "empty.txt", "--db", database])
    assert b"rejected" in why.stdout and b"empty" in why.stdout
    why = run_warraq(["why", "live-header.txt", "--db", database, "--json"])
    told = json.loads(why.stdout)
    assert told["seen"][0]["outcome"] == "stored"
    removed = {line["text"] for line in told["articles"][0]["removed"]}
    assert {"البث المباشر", "جميع الحقوق محفوظة"} <= removed
    url = next(a["url"] for a in ANSWERS if a["outcome"] == "revised")
    told = json.loads(run_warraq(["why", url, "--db", database, "--json"]).stdout)
    assert [entry["outcome"] for entry in told["seen"]] == ["revised", "stored"]
    assert len(told["articles"][0]["versions"]) == 1
    nothing = run_warraq(["why", "https://never.example/", "--db", database])
    assert nothing.returncode == 1 and b"no run has seen it" in nothing.stderr
