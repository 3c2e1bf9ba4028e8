"""What a source's pages repeat leaves their text, and what belongs to stories stays."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from crawler.readers import ReadOptions
from crawler.readers import read as read_pages
from crawler.replay import replay
from crawler.reprocess import reprocess
from crawler.work import Limits
from pipelines.db import schema
from pipelines.db.engine import open_engine, read
from pipelines.db.learn import SAMPLE
from pipelines.db.store import finish_run, start_run, write_batch
from pipelines.document import Article, Block, BlockKind, Candidate, Learned, Place, RawPage
from pipelines.process import process
from pipelines.stages.repeats import Seen, State, find_candidates, judge, lower_bound, page_hash
from tests import repeating
from tests.conftest import rows, run_warraq
from tests.repeating import BOTTOM, STANDING, SUB_HEADING, TOP
from tests.test_store import arrival

FURNITURE = (TOP, *BOTTOM)
PAGES = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 pages of one source; the file's name is the page's place in the order of reading."""
    folder = tmp_path_factory.mktemp("pages")
    for number in range(PAGES):
        page = repeating.page(number)
        (folder / f"{number + 1:02}.html").write_text(page, encoding="utf-8")
    return folder


def texts(database: str) -> dict[int, str]:
    """Number of the page, from 1 -> the article's text."""
    return {int(Path(p).stem): t for p, t in rows(database, "SELECT path, text FROM articles")}


def run_json(*arguments: str | Path) -> Any:
    """The real command line, and what it printed."""
    done = run_warraq([*arguments, "--json"])
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def replay_files(database: str, files: Sequence[Path], batch: int = 500) -> dict[str, int]:
    """What `warraq replay` does; documents per outcome."""
    engine = open_engine(database, create=True)
    schema.require(engine, create=True)
    pages = read_pages([str(file) for file in files], ReadOptions())
    summary = replay(engine, pages, {}, Limits(), "test", batch_size=batch)
    engine.dispose()
    return dict(summary.counts)


def reprocess_all(database: str) -> dict[str, int]:
    """What `warraq reprocess` does; articles per change."""
    engine = open_engine(database)
    summary = reprocess(engine, {}, Limits(), ReadOptions(), "test")
    engine.dispose()
    return dict(summary.counts)


def furniture_in(said: str) -> list[str]:
    return [line for line in FURNITURE if line in said.split("\n")]


@pytest.mark.parametrize("batch", ["3", "500"])
def test_from_the_tenth_page_on_furniture_is_gone(database: str, folder: Path, batch: str) -> None:
    run_json("replay", folder, "--db", database, "--batch", batch)
    said = texts(database)
    assert len(said) == PAGES
    assert furniture_in(said[1]) == list(FURNITURE)
    assert {n: furniture_in(said[n]) for n in said if n >= 10} == {n: [] for n in said if n >= 10}
    assert all(SUB_HEADING in t.split("\n") and STANDING in t for t in said.values())
    removed = "SELECT count(*) FROM removed_lines WHERE rule = 'learned'"
    assert rows(database, removed)[0][0] >= 31 * len(FURNITURE)

    dry = run_warraq(["reprocess", "--dry-run", "--db", database])
    assert f"  - {TOP}" in dry.stdout.decode()
    assert texts(database) == said

    assert reprocess_all(database)["corrected"] >= 1
    after = texts(database)
    assert len(after) == PAGES
    assert not any(furniture_in(t) for t in after.values())
    assert all(SUB_HEADING in t.split("\n") and STANDING in t for t in after.values())
    assert rows(database, "SELECT count(*) FROM article_versions") == [(0,)]
    assert {n: t for n, t in after.items() if n >= 10} == {n: said[n] for n in said if n >= 10}

    # Neither a replay nor another reading changes anything now.
    assert replay_files(database, [folder]) == {"unchanged": PAGES}
    assert run_json("reprocess", "--db", database)["changes"] == {"unchanged": PAGES}
    assert texts(database) == after


def test_lines_are_learned_across_runs(database: str, folder: Path) -> None:
    files = sorted(folder.glob("*.html"))
    for at in range(0, PAGES, 5):
        replay_files(database, files[at : at + 5])
    said = texts(database)
    assert furniture_in(said[1]) == list(FURNITURE)
    assert not any(furniture_in(said[n]) for n in said if n >= 10)
    # Read again before it is reprocessed, a page is what it was: nothing is stored twice.
    assert replay_files(database, files[:3]) == {"unchanged": 3}
    assert texts(database) == said


def test_the_order_of_pages_does_not_change_what_reprocess_stores(
    folder: Path, tmp_path: Path
) -> None:
    files = sorted(folder.glob("*.html"))
    stored = []
    for seed in range(3):
        random.Random(seed).shuffle(files)
        database = f"sqlite:///{tmp_path}/{seed}.db"
        replay_files(database, files[:25], 7)
        replay_files(database, files[25:], 4)
        reprocess_all(database)
        columns = "path, title, text, content_hash, record_hash, identity"
        learned = "line, pages, of_pages, at_top, in_between, at_bottom, state, reason"
        stored.append(
            (
                sorted(rows(database, f"SELECT {columns} FROM articles")),
                sorted(rows(database, f"SELECT {learned} FROM learned_lines")),
                sorted(rows(database, "SELECT page, month, raw_hash FROM sampled_pages")),
            )
        )
    assert stored[0] == stored[1] == stored[2]


def test_a_person_decides_what_counting_only_proposes(database: str, folder: Path) -> None:
    files = sorted(folder.glob("*.html"))[:6]
    replay_files(database, files)
    listed = run_json("learn", "--db", database)
    states = {line["example"]: line for line in listed}
    assert {states[line]["state"] for line in FURNITURE} == {"applied"}
    assert {states[line]["pages"] for line in FURNITURE} == {6}
    assert states[SUB_HEADING]["state"] == "protected"
    assert "between paragraphs" in states[SUB_HEADING]["reason"]
    assert states[STANDING]["state"] == "protected"
    assert "news agency" in states[STANDING]["reason"]
    decide = ["learn", "--source", "ufuq.example", "--db", database]
    run_warraq([*decide, "--refuse", states[TOP]["line"][:8]])
    run_warraq([*decide, "--approve", states[SUB_HEADING]["line"]])
    reprocess_all(database)
    after = texts(database).values()
    assert all(TOP in t and SUB_HEADING not in t and BOTTOM[0] not in t for t in after)
    # What a person decided, counting leaves alone; taken back, counting decides again.
    replay_files(database, [folder])
    assert all(TOP in t and SUB_HEADING not in t for t in texts(database).values())
    run_warraq([*decide, "--reset", states[TOP]["line"]])
    reprocess_all(database)
    assert not any(TOP in t for t in texts(database).values())


def test_learn_tells_a_name_that_no_line_has(engine: Engine, database: str) -> None:
    done = run_warraq(["learn", "--approve", "abc", "--db", database])
    assert done.returncode == 2
    assert b"no repeated line has that name" in done.stderr


@pytest.mark.parametrize(
    ("line", "seen", "state"),
    [
        ("دليل الموانئ والمواعيد", Seen(0, 0, 2, 2), None),
        ("دليل الموانئ والمواعيد", Seen(0, 0, 3, 3), State.PROPOSED),
        ("دليل الموانئ والمواعيد", Seen(0, 0, 4, 4), State.APPLIED),
        ("دليل الموانئ والمواعيد", Seen(2, 0, 7, 9), State.APPLIED),
        ("دليل الموانئ والمواعيد", Seen(0, 0, 9, 18), State.PROPOSED),
        ("دليل الموانئ والمواعيد", Seen(0, 0, 70, 100), State.APPLIED),
        ("دليل الموانئ والمواعيد", Seen(0, 0, 9, 400), State.PROPOSED),
        ("دليل الموانئ والمواعيد", Seen(0, 2, 8, 10), State.PROTECTED),
        ("نروي كل خميس حكاية مدينة قديمة كما يرويها أهلها.", Seen(40, 0, 0, 40), State.PROTECTED),
        ("المصدر: وكالات", Seen(0, 0, 40, 40), State.PROTECTED),
        ("رويترز", Seen(0, 0, 40, 40), State.PROTECTED),
    ],
)
def test_confidence(line: str, seen: Seen, state: State | None) -> None:
    verdict = judge(line, seen)
    assert (verdict[0] if verdict else None) == state


def test_lower_bound_is_wilsons() -> None:
    assert lower_bound(4, 4) == pytest.approx(0.5101, abs=1e-4)
    assert lower_bound(9, 10) == pytest.approx(0.5958, abs=1e-4)
    assert lower_bound(0, 5) == pytest.approx(0, abs=1e-9)


def test_candidates_tell_edges_from_the_middle() -> None:
    sentence = "أعلن المجلس أن الطريق الساحلي سيفتح أمام الحركة مطلع الشهر المقبل."
    lines = [TOP, sentence, SUB_HEADING, sentence + " " + sentence, BOTTOM[0], BOTTOM[1]]
    blocks = [Block(BlockKind.PARAGRAPH, line) for line in lines]
    places = {c.text: c.place for c in find_candidates(blocks)}
    assert places == {
        TOP: Place.TOP,
        sentence: Place.BETWEEN,
        SUB_HEADING: Place.BETWEEN,
        sentence + " " + sentence: Place.BETWEEN,
        BOTTOM[0]: Place.BOTTOM,
        BOTTOM[1]: Place.BOTTOM,
    }
    # Furniture around it does not make an article another one.
    assert page_hash(blocks) == page_hash(blocks[1:5])


def test_candidates_are_bounded_on_a_hostile_page() -> None:
    blocks = [Block(BlockKind.PARAGRAPH, f"سطر قصير رقم {n}") for n in range(50_000)]
    assert len(find_candidates(blocks)) <= 32


def test_what_is_known_changes_neither_candidates_nor_hashes() -> None:
    raw = RawPage(repeating.page(1).encode())
    plain = process(raw, None)
    assert isinstance(plain, Article)
    learned = process(raw, None, Learned(frozenset(c.key for c in plain.candidates)))
    assert isinstance(learned, Article)
    assert plain.content_hash != learned.content_hash
    assert plain.candidates == learned.candidates
    assert (plain.page_hash, plain.plain_hash) == (learned.page_hash, learned.plain_hash)


def write(engine: Engine, pages: Sequence[Any]) -> None:
    number = start_run(engine, "test")
    write_batch(engine, number, pages, {})
    finish_run(engine, number, "done", {})


def page_with(line: str, number: int, **known: Any) -> Any:
    key = f"{number:016x}"
    candidate = Candidate(line, line, Place.BOTTOM)
    return arrival(
        f"خبر {number}", f"{number}.txt", page_hash=key, candidates=(candidate,), **known
    )


def counted(engine: Engine) -> list[tuple[Any, ...]]:
    with read(engine) as connection:
        query = text("SELECT pages, of_pages, state FROM learned_lines")
        return [tuple(row) for row in connection.execute(query)]


def test_copies_of_an_article_count_once(engine: Engine) -> None:
    pages = [page_with("سطر", 1, canonical_url=f"https://daily.example/{n}") for n in range(10)]
    write(engine, pages)
    assert counted(engine) == []
    write(engine, [page_with("سطر", n) for n in range(1, 5)])
    assert counted(engine) == [(4, 4, "applied")]


def test_sample_is_bounded_and_the_same_in_any_order(engine: Engine, tmp_path: Path) -> None:
    pages = [page_with("سطر", n) for n in range(3 * SAMPLE)]
    write(engine, pages)
    other = open_engine(f"sqlite:///{tmp_path}/other.db", create=True)
    schema.upgrade(other)
    for at in range(0, len(pages), 20):
        write(other, pages[::-1][at : at + 20])
    for each in (engine, other):
        with read(each) as connection:
            assert connection.execute(text("SELECT count(*) FROM page_lines")).scalar() == SAMPLE
        assert counted(each) == [(SAMPLE, SAMPLE, "applied")]
    other.dispose()


def test_share_is_of_the_time_in_which_a_line_was_in_use(engine: Engine) -> None:
    def at(year: int, month: int) -> dict[str, Any]:
        return {"fetched_at": datetime(year, month, 3, tzinfo=UTC)}

    old = [page_with("قديم", n, **at(2014, 1 + n % 3)) for n in range(12)]
    new = [page_with("جديد", 100 + n, **at(2024, 1 + n % 3)) for n in range(60)]
    write(engine, old + new)
    with read(engine) as connection:
        query = text("SELECT key, pages, of_pages, state, first_seen FROM learned_lines")
        found = {row.key: tuple(row)[1:4] for row in connection.execute(query)}
    assert found == {"قديم": (12, 12, "applied"), "جديد": (60, 60, "applied")}
