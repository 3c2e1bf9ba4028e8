"""The sources that come with Warraq, and the pages that were saved of them."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from pipelines.arabic import has_arabic
from pipelines.document import Article, RawPage
from pipelines.process import process
from pipelines.source import (
    Expected,
    Listing,
    LookupField,
    Pace,
    Selectors,
    Source,
    Verified,
    find_source,
    load_source,
    load_sources,
)
from tests.conftest import ROOT

SOURCES = load_sources(ROOT / "seeds" / "sources")


def test_there_are_many_of_many_countries() -> None:
    arabic = [source for source in SOURCES.values() if source.language == "ar"]
    assert len(arabic) >= 25
    assert len({source.country for source in arabic}) >= 12


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.key)
def test_source_says_what_is_known(source: Source) -> None:
    assert source.title and has_arabic(source.title)
    assert source.homepage and source.homepage.scheme == "https"
    assert source.country and source.key.startswith(f"{source.country}/")
    assert source.language and source.pace.delay >= 2
    assert source.verified and source.verified.how
    # Nobody may claim a check without its day, nor be silent about its lack.
    assert source.verified.on or source.verified.how.startswith("not checked")
    assert find_source(SOURCES, None, f"{str(source.homepage).rstrip('/')}/a/1") is source


# --- saved pages -------------------------------------------------------------------------------

PAGES = ROOT / "tests" / "sources"
FIELDS = ("title", "published_at", "author", "first_words", "last_words")


def unmet(folder: Path, source: Source) -> list[str]:
    """What is not as `expected.json` says of the page beside it; null there is "the page has none".

    An empty string is what `warraq sources new` leaves for a person to fill in.
    """
    facts = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    if empty := [field for field in FIELDS if facts[field] == ""]:
        return [f"{field} is not filled in" for field in empty]
    page = RawPage(
        (folder / "page.html").read_bytes(),
        url=facts["url"],
        source=source.key,
        fetched_at=datetime.fromisoformat(facts["fetched_at"]),
        media_type=facts["media_type"],
        charset=facts["charset"],
    )
    read = process(page, source)
    if not isinstance(read, Article):
        return [f"it is no article: {read.detail}"]
    found = {
        "title": read.title,
        "published_at": read.published and _cut(read.published.iso, facts["published_at"]),
        "author": read.author,
        "first_words": read.text[: len(facts["first_words"])],
        "last_words": read.text[-len(facts["last_words"]) :],
    }
    return [
        f"{field} is {found[field]!r}, expected {facts[field]!r}"
        for field in FIELDS
        if found[field] != facts[field]
    ]


def _cut(iso: str, expected: str | None) -> str:
    """A date as exact as it is expected: to the day, or to the minute with its offset."""
    if "T" not in (expected or "") or "T" not in iso:
        return iso[: len(expected or "")] or iso
    return datetime.fromisoformat(iso).isoformat(timespec="minutes")


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.key)
def test_saved_page_of_source(source: Source) -> None:
    folder = PAGES / source.key
    assert not folder.is_dir() or unmet(folder, source) == []


def test_saved_pages_are_of_sources() -> None:
    saved = {file.parent.relative_to(PAGES).as_posix() for file in PAGES.rglob("expected.json")}
    assert saved <= set(SOURCES)


# --- docs/sources.md ---------------------------------------------------------------------------

GUIDE = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")


def stated(values: dict[str, Any], below: str = "") -> Iterator[str]:
    """The names of all fields of a file, those of a list's items included."""
    for name, value in values.items():
        yield below + name
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and not below:
                yield from stated(item, f"{name}.")


def test_guide_shows_and_explains_every_field(tmp_path: Path) -> None:
    shown: set[str] = set()
    for example in re.findall("```yaml\n(.+?)```", GUIDE, re.S):
        (tmp_path / "a.yml").write_text(example, encoding="utf-8")
        source = load_source(tmp_path / "a.yml", "a")
        shown |= set(stated(source.model_dump(mode="json", exclude_unset=True))) - {"key"}
    parts: dict[str, type[BaseModel]] = {
        "listings": Listing,
        "pace": Pace,
        "selectors": Selectors,
        "expected": Expected,
        "verified": Verified,
    }
    fields = set(Source.model_fields) - {"key"}
    fields |= {f"{part}.{name}" for part, model in parts.items() for name in model.model_fields}
    fields |= {f"lookups.{name}" for name in get_args(LookupField)}
    assert shown == fields
    assert sorted(re.findall(r"^\| `([a-z_.]+)` \| \S", GUIDE, re.M)) == sorted(fields)


def test_readme_counts_the_sources() -> None:
    countries = {source.country for source in SOURCES.values()}
    for file in ("README.md", "CHANGELOG.md"):
        said = f"{len(SOURCES)} outlets of {len(countries)} countries"
        assert said in (ROOT / file).read_text(encoding="utf-8"), file
