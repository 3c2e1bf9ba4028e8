"""The real documents that started the project, where they are at hand beside the checkout.

They belong to their publishers and are no part of it; elsewhere these tests are skipped.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, run_warraq

SHARED = ROOT.parent / "shared"
pytestmark = pytest.mark.skipif(not (SHARED / "seeds").is_dir(), reason="no ../shared/seeds")


def gold() -> list[dict[str, Any]]:
    file = SHARED / "gold" / "seeds.jsonl"
    return (
        [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []
    )


def extract(*paths: Path) -> dict[str, dict[str, Any]]:
    done = run_warraq(["extract", *paths])
    assert done.returncode == 0, done.stderr.decode()
    return {Path(row["path"]).name: row for row in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(scope="module")
def extracted() -> dict[str, dict[str, Any]]:
    return extract(SHARED / "seeds")


@pytest.mark.parametrize("answer", gold(), ids=lambda answer: answer["seed"])
def test_seed(answer: dict[str, Any], extracted: dict[str, dict[str, Any]]) -> None:
    row = extracted[answer["file"]]
    assert (row["title"], row["deck"]) == (answer["title"], answer["deck"])
    assert row["text"].split("\n") == answer["text_lines"]
    removed = {line["text"]: line["rule"] for line in row["removed"]}
    for line in answer["furniture_lines"]:
        assert removed[line["text"]]
    agencies = {agency["id"] for agency in answer["agency"]}
    assert set(filter(None, (row["agency"] or "").split(","))) == agencies


def test_dates_are_right_or_none(extracted: dict[str, dict[str, Any]]) -> None:
    found = {name[:3]: row["published_at"] for name, row in extracted.items()}
    assert found == {
        "000": None,
        "001": "2020-09-27T20:36+03:30",
        "002": None,
        "003": "2021-11-21",
        "004": None,
    }


def test_furniture_does_not_change_the_hash(
    tmp_path: Path, extracted: dict[str, dict[str, Any]]
) -> None:
    answer = next(a for a in gold() if a["seed"] == "001")
    (tmp_path / "bare.txt").write_text("\n".join(answer["text_lines"]), encoding="utf-8")
    bare = extract(tmp_path)["bare.txt"]
    assert bare["content_hash"] == extracted[answer["file"]]["content_hash"]
