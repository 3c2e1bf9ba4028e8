"""The golden pages in `tests/pages`: each must come out as its expected.json says.

`floors.json` holds what the measures were; a change may raise them (`python -m tests.test_pages`
raises them), never lower them.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.document import Article, RawPage, Rejected
from pipelines.process import process
from tests.benchmarks.score import Scores, score
from tests.pages.build import HERE, files

FLOORS = HERE / "floors.json"
FOLDERS = sorted(f for f in HERE.iterdir() if f.is_dir() and not f.name.startswith("__"))


def expected(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return told


def outcome(folder: Path) -> Article | Rejected:
    body = (folder / "page.html").read_bytes()
    return process(RawPage(body, f"{folder.name}/page.html", expected(folder)["url"]), None)


def predicted(result: Article | Rejected) -> dict[str, Any]:
    if isinstance(result, Rejected):
        return {}
    published = result.published
    return {
        "title": result.title,
        "text": result.text,
        "published_at": published.iso if published else None,
        "published_precision": str(published.precision) if published else None,
    }


def measured() -> dict[str, float]:
    scores = [
        score(expected(folder), predicted(outcome(folder)))
        for folder in FOLDERS
        if expected(folder)["outcome"] == "article"
    ]
    return Scores(scores).floors()


def test_every_page_has_what_is_expected_of_it() -> None:
    for folder in FOLDERS:
        assert {f.name for f in folder.iterdir()} == {"page.html", "expected.json"}, folder
    assert len(FOLDERS) >= 30


def test_pages_are_as_they_are_built() -> None:
    on_disk = {
        f"{folder.name}/{file.name}": file.read_bytes()
        for folder in FOLDERS
        for file in folder.iterdir()
    }
    assert on_disk == files(), "run python -m tests.pages.build"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_page(folder: Path) -> None:
    wanted, result = expected(folder), outcome(folder)
    if wanted["outcome"] == "rejected":
        assert isinstance(result, Rejected) and result.reason == wanted["reason"], result
        return
    assert isinstance(result, Article), result
    lines = list(zip(wanted["kinds"], wanted["paragraphs"], strict=True))
    assert [(str(block.kind), block.text) for block in result.blocks] == lines
    assert {
        "title": result.title,
        "deck": result.deck,
        "author": result.author,
        "published_at": result.published.iso if result.published else None,
        "section": result.section,
        "flags": list(result.flags),
    } == {name: wanted[name] for name in "title deck author published_at section flags".split()}
    assert [text for text in wanted["must_not"] if text in result.text] == []


def test_quality_only_rises() -> None:
    floors = json.loads(FLOORS.read_text(encoding="utf-8"))
    now = measured()
    for name in ("f1", "titles", "dates"):
        assert now[name] >= floors[name], name
    assert now["furniture"] <= floors["furniture"]
    assert now["pages"] >= floors["pages"]


if __name__ == "__main__":
    before, found = json.loads(FLOORS.read_text(encoding="utf-8")), measured()
    kept = {
        name: (min if name == "furniture" else max)(before[name], found[name]) for name in found
    }
    FLOORS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
