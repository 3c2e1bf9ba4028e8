"""Reading stored articles again: no article is lost, none doubled, none changed without cause."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from crawler.readers import ReadOptions
from crawler.readers import read as read_pages
from crawler.replay import replay
from crawler.reprocess import Summary, reprocess
from crawler.work import Limits
from pipelines.db.engine import read, write
from pipelines.db.store import Change, Reread, correct_batch, recount_lines
from pipelines.document import Article
from tests.benchmarks.pages import paragraphs
from tests.conftest import SAMPLES
from tests.test_store import PAGE, arrival, rows, state
from tests.test_store import write as write_pages

LIMITS = Limits(workers=2)


def replayed(engine: Engine, *paths: Path) -> Mapping[str, int]:
    pages = read_pages([str(path) for path in paths], ReadOptions())
    return replay(engine, pages, {}, LIMITS, "test").counts


def again(engine: Engine, **options: Any) -> Summary:
    return reprocess(engine, {}, LIMITS, ReadOptions(), "test", **options)


def spoil(engine: Engine, statement: str) -> None:
    """Brings what is stored to what other rules had made of it."""
    with write(engine) as connection:
        connection.execute(text(statement))


def test_all_formats_are_read_again_as_they_were(engine: Engine) -> None:
    replayed(engine, SAMPLES)
    before = state(engine)
    summary = again(engine)
    assert summary.counts == {Change.UNCHANGED: len(before["articles"])}
    assert summary.problems == []
    assert state(engine) == before
    # What other rules had made of them is put right, whatever file they lie in.
    spoil(engine, "UPDATE articles SET text = 'غير ذلك', record_hash = 'x', content_hash = 'y'")
    assert again(engine).counts == {Change.CORRECTED: len(before["articles"])}
    assert state(engine) == before


def test_narrowed_to_a_source_or_a_time(engine: Engine) -> None:
    from datetime import UTC, datetime

    replayed(engine, SAMPLES)
    (number,) = rows(engine, "SELECT count(*) FROM articles WHERE source_id = 1")[0]
    (key,) = rows(engine, "SELECT key FROM sources WHERE id = 1")[0]
    assert again(engine, source=key).articles == number
    assert again(engine, source="no such source").articles == 0
    assert again(engine, since=datetime(2999, 1, 1, tzinfo=UTC)).articles == 0


def test_missing_and_changed_bytes_are_told_and_nothing_is_lost(
    engine: Engine, tmp_path: Path
) -> None:
    for name in ("morocco.txt", "page.html", "hijri.txt"):
        shutil.copy(SAMPLES / name, tmp_path)
    replayed(engine, tmp_path)
    before = state(engine)
    (tmp_path / "morocco.txt").unlink()
    (tmp_path / "hijri.txt").write_text("نص آخر تماما لا علاقة له بما كان هنا.", "utf-8")
    summary = again(engine)
    assert summary.counts == {Change.UNCHANGED: 1, Change.MISSING: 2}
    told = {Path(p.name).name: p.detail for p in summary.problems}
    assert "has changed since" in str(told["hijri.txt"])
    assert "morocco.txt" in str(told["morocco.txt"])
    assert state(engine) == before


def test_versions_are_read_again_too(engine: Engine, tmp_path: Path) -> None:
    import random

    file = tmp_path / "two.jsonl"
    bodies = ["\n".join(paragraphs(random.Random(n))[:3]) for n in (1, 2)]
    with file.open("w", encoding="utf-8") as out:
        for day, body in enumerate(bodies, 1):
            row = {"url": PAGE, "text": body, "fetched_at": f"2024-05-0{day}T08:00:00Z"}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    assert replayed(engine, file) == {"stored": 1, "revised": 1}
    before = state(engine)
    spoil(engine, "UPDATE article_versions SET text = 'غير ذلك', content_hash = 'x'")
    assert again(engine).counts == {Change.CORRECTED: 1}
    assert state(engine) == before
    assert replayed(engine, file) == {"unchanged": 2}
    assert state(engine) == before


def test_identity_moves_with_the_text(engine: Engine, tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "morocco.txt", tmp_path / "a.txt")
    replayed(engine, tmp_path / "a.txt")
    before = state(engine)
    spoil(engine, f"UPDATE articles SET identity = '{'0' * 64}', record_hash = 'x', text = 'غير'")
    assert again(engine).counts == {Change.CORRECTED: 1}
    assert state(engine) == before
    assert replayed(engine, tmp_path / "a.txt") == {"unchanged": 1}


def test_articles_that_prove_to_be_one_are_merged(engine: Engine) -> None:
    plain, lined = arrival("نص الخبر", "a.txt"), arrival("نص الخبر\nسطر", "b.txt", author="كاتب")
    write_pages(engine, plain, lined)
    (number,) = rows(engine, "SELECT id FROM articles WHERE path = 'b.txt'")[0]
    cleaned = arrival("نص الخبر", "b.txt", author="كاتب").result
    assert isinstance(cleaned, Article)
    done = correct_batch(engine, [Reread(number, "b.txt", cleaned)], {}, dry_run=True)
    assert [each.change for each in done] == [Change.MERGED]
    assert rows(engine, "SELECT count(*) FROM articles") == [(2,)]
    done = correct_batch(engine, [Reread(number, "b.txt", cleaned)], {}, dry_run=False)
    assert [(each.change, each.gone) for each in done] == [(Change.MERGED, ("سطر",))]
    assert rows(engine, "SELECT text, author FROM articles") == [("نص الخبر", "كاتب")]
    assert rows(engine, "SELECT DISTINCT article_id FROM ledger") == [(number,)]
    assert rows(engine, "SELECT count(*) FROM article_versions") == [(0,)]


def test_what_a_merged_article_said_otherwise_is_kept(engine: Engine) -> None:
    one = arrival("نص أول", canonical_url=f"{PAGE}?a=1")
    other = arrival("نص ثان", canonical_url=PAGE)
    write_pages(engine, one, other)
    (number,) = rows(engine, "SELECT id FROM articles WHERE text = 'نص أول'")[0]
    moved = arrival("نص أول", canonical_url=PAGE).result
    assert isinstance(moved, Article)
    correct_batch(engine, [Reread(number, "one", moved)], {}, dry_run=False)
    assert rows(engine, "SELECT text, canonical_url FROM articles") == [("نص أول", PAGE)]
    assert rows(engine, "SELECT text FROM article_versions") == [("نص ثان",)]


def test_dry_run_writes_nothing(engine: Engine) -> None:
    replayed(engine, SAMPLES)
    spoil(engine, "UPDATE articles SET text = 'غير ذلك', record_hash = 'x', content_hash = 'y'")
    before = state(engine)
    runs = rows(engine, "SELECT count(*) FROM runs")
    told: list[Any] = []
    summary = again(engine, dry_run=True, notice=lambda _, done: told.extend(done))
    assert summary.counts[Change.CORRECTED] == len(before["articles"])
    assert all("غير ذلك" in each.gone and each.come for each in told)
    recount_lines(engine, None, dry_run=True)
    assert state(engine) == before
    assert rows(engine, "SELECT count(*) FROM runs") == runs


@pytest.mark.parametrize("keep", ["own", "copy"])
def test_bytes_are_found_where_a_copy_lies(engine: Engine, tmp_path: Path, keep: str) -> None:
    for name in ("own", "copy"):
        (tmp_path / name).mkdir()
        shutil.copy(SAMPLES / "morocco.txt", tmp_path / name / "a.txt")
    replayed(engine, tmp_path / "own")
    replayed(engine, tmp_path / "copy")
    before = state(engine)
    shutil.rmtree(tmp_path / ("copy" if keep == "own" else "own"))
    assert again(engine).counts == {Change.UNCHANGED: 1}
    with read(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM articles")).scalar() == 1
    assert state(engine) == before
