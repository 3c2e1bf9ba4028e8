"""Search: what people type finds what the press writes, the same on both databases."""

import csv
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from pipelines.arabic import clean, search_key
from pipelines.db import search_index
from pipelines.db.engine import open_engine, read
from pipelines.db.engine import write as write_transaction
from pipelines.db.search import MOST, Query, Sort, article_ids, parse, search
from pipelines.db.store import correct_batch
from pipelines.document import Article, ArticleDate, Precision
from pipelines.errors import QueryError
from pipelines.search_marks import TermCounter, keys_of, pieces
from pipelines.search_query import words_of
from tests.conftest import ROOT, run_warraq
from tests.test_store import arrival, rows, write

SHARED = ROOT.parent / "shared"


def dated(day: str) -> ArticleDate:
    return ArticleDate(
        iso=day,
        precision=Precision.DAY,
        method="test",
        raw=day,
        confidence=1.0,
        zone=None,
        conflicts=(),
    )


def found(engine: Engine, said: str = "", **fields: Any) -> list[str]:
    """Paths of the articles that a search finds, in order."""
    with read(engine) as connection:
        return [str(hit.path) for hit in search(connection, Query(said, **fields)).hits]


def holds(engine: Engine, *bodies: str) -> None:
    """Stores an article a body, named 0, 1, ..."""
    write(engine, *(arrival(body, str(at)) for at, body in enumerate(bodies)))


FINDS = [
    ("حكومة", "قالت الحكومة أمس"),
    ("حكومة", "بحث وبالحكومة من يثق"),
    ("الحكومة", "تشكيل حكومة جديدة"),
    ("والحكومة", "قرار للحكومة"),
    ("جنة", "إلى الجنة"),
    ("للجنة", "عقدت اللجنة اجتماعا"),
    ("لبنان", "وصل إلى بلبنان"),
    ("وللبنان", "أزمة لبنان"),
    ("ألمانيا", "زار والمانيا"),
    ("مسؤول", "صرح المسئول بذلك"),
    ("شئون", "وزارة الشؤون"),
    ("جاؤوا", "وجاءوا من بعيد"),
    ("إعلان", "هذا اعلان"),
    ("مدرسة", "في المدرسه"),
    ("مستشفي", "إلى المستشفى"),
    ("السبل", "كل السُّبُلِ"),
    ("محمد", "محمـــد"),
    ("2024", "عام ٢٠٢٤"),
    ("١٩٧٣", "حرب 1973"),
    ("BBC", "قالت الـBBC"),
    ("cafe", "Café de Paris"),
    ("يعلن", "وسيعلن غدا"),
    ("پاکستان", "باكستان"),
    ("حكوم*", "بيان حكومي"),
    ('"مجلس الأمن"', "أمام لمجلس الأمن"),
    ('"رد الفعل"', "كان ورد الفعل"),
    ("ترمب", "الرئيس ترامب"),
    ("جوجل", "شركة قوقل"),
    ("هونج كونج", "بهونغ كونغ"),
    ('"أزمة جوجل"', "أزمة غوغل"),
    ("ذهب أو فضة", "سعر الفضة"),
    ("title:خبر", "text"),
]


def test_finds(engine: Engine) -> None:
    bodies = [f"{body} ({at})" for at, (_, body) in enumerate(FINDS)]
    titled = {"title": "عنوان الخبر"}
    write(engine, *(arrival(body, str(at), **titled) for at, body in enumerate(bodies)))
    missed = [
        (asked, body)
        for at, (asked, body) in enumerate(FINDS)
        if str(at) not in found(engine, asked, limit=200)
    ]
    assert missed == []


FINDS_NOT = [
    ("جنة", "لجنة وللجنة"),
    ("طن", "وطن وبطن"),
    ("مال", "كمال"),
    ("ريم", "كريم والكريم"),
    ("بنان", "لبنان وبلبنان"),
    ("زير", "وزير"),
    ("مانيا", "ألمانيا"),
    ("حر", "بحر"),
    ("احد", "واحد"),
    ("علي", "على وعلى"),
    ("على", "علي"),
    ("علماء", "علما"),
    ("حكومة", "حكم حكيم محكمة"),
    ("=حكومة", "الحكومة"),
    ("رد", "کرد برد"),
    ("كرّد چاپ", "وكرد"),
    ('"الأمن مجلس"', "مجلس الأمن"),
    ('"مجلس الشيوخ"', "مجلس الشيوع"),
    ("حكومة -قرار", "قرار الحكومة"),
    ("حكومة NOT (قرار OR بيان)", "بيان الحكومة"),
    ("title:بيان", "بيان"),
    ("حكومة غائبة", "الحكومة"),
]


def test_does_not_find(engine: Engine) -> None:
    write(engine, *(arrival(f"{body} ({at})", str(at)) for at, (_, body) in enumerate(FINDS_NOT)))
    wrong = [
        (asked, body)
        for at, (asked, body) in enumerate(FINDS_NOT)
        if str(at) in found(engine, asked, limit=200)
    ]
    assert wrong == []


def test_any_spelling_finds_all_and_each_is_marked_as_printed(engine: Engine) -> None:
    spellings = ["قره باغ", "قرة باغ", "كاراباخ", "كاراباغ", "ناغورنو كاراباخ", "ناجورني"]
    holds(engine, *(f"إقليم {s} اليوم {at}" for at, s in enumerate(spellings)), "لا شيء هنا")
    for spelling in [*spellings, "بقره باغ", '"قره باغ"', "Karabakh", "ناغورنو"]:
        assert set(found(engine, spelling)) == set("012345"), spelling
    with read(engine) as connection:
        hits = search(connection, Query("كاراباخ")).hits
    marked = {hit.path: "".join(t for t, is_hit in hit.snippet if is_hit) for hit in hits}
    assert marked["0"] == "قره باغ"
    assert marked["5"] == "ناجورني"
    assert all("".join(t for t, _ in hit.snippet).startswith("إقليم") for hit in hits)


def test_users_file_of_names(engine: Engine, tmp_path: Path, monkeypatch: Any) -> None:
    holds(engine, "بلدة الزعفرانية", "بلدة الزعفرانيّا", "بلدة زعفرانستان")
    file = tmp_path / "names.toml"
    file.write_text('names = [["الزعفرانية", "زعفرانستان"]]', encoding="utf-8")
    assert found(engine, "الزعفرانية") == ["0"]
    monkeypatch.setenv("WARRAQ_NAMES", str(file))
    assert set(found(engine, "زعفرانستان")) == {"0", "2"}
    for wrong in ("names = 3", 'names = [["one"]]', "not toml", 'names = [["a", "!"]]'):
        file.write_text(wrong, encoding="utf-8")
        import os

        os.utime(file, ns=(len(wrong), len(wrong)))
        with pytest.raises(QueryError, match=r"names\.toml"):
            found(engine, "x")
    monkeypatch.setenv("WARRAQ_NAMES", str(tmp_path / "none"))
    with pytest.raises(QueryError, match="WARRAQ_NAMES"):
        found(engine, "x")


TROUBLE = [
    ('حكومة "مجلس', "letter 7.*never closed"),
    ("(a", "never closed"),
    ("a)", "letter 2.*nothing to close"),
    ("a OR", "both sides"),
    ("a OR NOT", "nothing follows NOT"),
    ("ا*", "too many words"),
    ("since:yesterday", "no day"),
    ("a -since:2020", "holds for all words"),
    ("(a until:2020)", "holds for all words"),
    ("since:2020 since:2021", "twice"),
    ("story:x", "no story's number"),
    ("source:nowhere", "no source 'nowhere'"),
    ("source:(a)", "has no value"),
    ("(" * 40 + "a" + ")" * 40, "too many parentheses"),
    ("x " * 400 + "y" * 300, "1100 letters"),
    (" ".join(f"w{n}" for n in range(60)), "too many words"),
]


def test_trouble_is_told_with_its_place(engine: Engine) -> None:
    for asked, told in TROUBLE:
        with pytest.raises(QueryError, match=told):
            found(engine, asked)


HOSTILE = [
    "'; DROP TABLE articles; --",
    '"" OR ""',
    "' & !'x':* | \\",
    "title : (x) NEAR(a b) ^a {title}: x",
    "#all #s1 @word",
    "a & b | !c <-> d",
    "\x00\ufffd\u202e",
    "%s %(x)s :match ?1 {bound}",
    "NEAR(حكومة)",
    "-" * 50,
    "* ** a** *a",
]


def test_hostile_words_are_words(engine: Engine) -> None:
    holds(engine, "الحكومة")
    for asked in HOSTILE:
        try:
            found(engine, asked)
        except QueryError as error:
            assert "at letter" in str(error)
    assert rows(engine, "SELECT count(*) FROM articles") == [(1,)]


@pytest.fixture(scope="module")
def two_engines(tmp_path_factory: pytest.TempPathFactory, request: Any) -> list[Engine]:
    from pipelines.db import schema

    file = tmp_path_factory.mktemp("search") / "a.db"
    engines = [open_engine(f"sqlite:///{file}", create=True)]
    schema.upgrade(engines[0])
    holds(engines[0], "قالت الحكومة", "مجلس الأمن")
    return engines


_SYNTAX = st.sampled_from(
    ['"', "(", ")", "-", "OR", "NOT", "أو", "*", "=", ":", "title:", "since:", "source:", "#", "'"]
)
_ANY = st.lists(st.one_of(st.text(max_size=8), _SYNTAX, st.just(" ")), max_size=12).map("".join)


@given(_ANY)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_text_makes_an_error_of_sql(two_engines: list[Engine], asked: str) -> None:
    for engine in two_engines:
        try:
            found(engine, asked)
        except QueryError as error:
            assert "at letter" in str(error) or "no source" in str(error)


@pytest.mark.postgres
def test_no_text_makes_an_error_of_sql_on_postgresql(new_postgres: str) -> None:
    from pipelines.db import schema

    engine = open_engine(new_postgres)
    schema.upgrade(engine)
    holds(engine, "قالت الحكومة", "مجلس الأمن")

    @given(_ANY)
    @settings(max_examples=100, deadline=None, database=None)
    def ask(asked: str) -> None:
        try:
            found(engine, asked)
        except QueryError as error:
            assert "at letter" in str(error) or "no source" in str(error)

    try:
        ask()
    finally:
        engine.dispose()


def test_filters(engine: Engine) -> None:
    write(
        engine,
        arrival(
            "خبر واحد", "0", source="eg/a", agency="afp,reuters", published=dated("2024-01-31")
        ),
        arrival("خبر اثنان", "1", source="eg/b", language="fa", published=dated("2024-02-01")),
        arrival("خبر ثلاثة", "2", source="egx", published=dated("2023-12-31")),
        arrival("خبر أربعة", "3", source="sy"),
    )
    both: list[tuple[str, dict[str, Any], set[str]]] = [
        ("source:eg", {"sources": ("eg",)}, {"0", "1"}),
        ("source:eg/a", {"sources": ("eg/a",)}, {"0"}),
        ("agency:reuters", {"agencies": ("reuters",)}, {"0"}),
        ("lang:fa", {"languages": ("fa",)}, {"1"}),
        ("since:2024-02", {"since": date(2024, 2, 1)}, {"1"}),
        ("until:2024-01", {"until": date(2024, 1, 31)}, {"0", "2"}),
        (
            "since:2024 until:2024-01-31",
            {"since": date(2024, 1, 1), "until": date(2024, 1, 31)},
            {"0"},
        ),
        ("since:2025", {"since": date(2025, 1, 1)}, set()),
        ("story:2", {"story": 2}, {"1"}),
    ]
    for said, fields, expected in both:
        assert set(found(engine, f"خبر {said}")) == expected, said
        assert set(found(engine, said)) == expected, said
        assert set(found(engine, "خبر", **fields)) == expected, fields
        assert set(found(engine, **fields)) == expected, fields
    assert set(found(engine, "-source:eg خبر")) == {"2", "3"}
    assert set(found(engine, "(source:sy OR lang:fa) خبر")) == {"1", "3"}
    assert found(engine, "since:2024-02-01 until:2024-01-01") == []
    with pytest.raises(QueryError, match="one story"):
        found(engine, "story:1", story=2)


def test_title_then_words_then_newness_order(engine: Engine) -> None:
    filler = " ".join(["كلمة"] * 100)
    write(
        engine,
        arrival(f"ذكر الزلزال مرة {filler}", "once-old", published=dated("2020-01-01")),
        arrival(f"ذكر الزلزال مرة {filler} جديدة", "once-new", published=dated("2024-01-01")),
        arrival(f"الزلزال ثم الزلزال والزلزال {filler}", "often", published=dated("2024-01-01")),
        arrival(filler, "titled", title="الزلزال", published=dated("2023-12-20")),
    )
    assert found(engine, "زلزال") == ["titled", "often", "once-new", "once-old"]
    newest = found(engine, "زلزال", sort=Sort.NEWEST)
    assert newest[2:] == ["titled", "once-old"]
    assert found(engine, "زلزال", sort=Sort.OLDEST)[0] == "once-old"


def many(engine: Engine, count: int) -> None:
    """Articles straight into the tables, one an hour: 0 is the oldest."""
    write(engine, arrival("x", "x"))
    begin = datetime(2022, 1, 1, tzinfo=UTC)
    with write_transaction(engine) as connection:
        row = dict(connection.execute(text("SELECT * FROM articles")).mappings().one())
        for name, value in row.items():  # as text, whatever the database gives
            if isinstance(value, list | dict):
                row[name] = json.dumps(value)
        made = []
        for number in range(count):
            when = begin + timedelta(hours=number)
            body = "خبر " + ("نادر " if number % 500 == 7 else "") + ("آخر" if number % 2 else "")
            own = {"id": number + 2, "path": str(number), "identity": f"{number:064}"}
            own |= {"text": body, "published_at": when, "published_iso": when.date().isoformat()}
            own |= {"first_seen": when, "story_id": number // 3 + 2}
            made.append(row | own)
        from pipelines.db.models import ArticleRow, table

        for each in made:
            for name in ("blocks", "tags", "published_conflicts", "date_candidates", "flags"):
                each[name] = []
            for name in ("last_seen",):
                each[name] = begin
        connection.execute(table(ArticleRow).insert(), made)
    search_index.rebuild(engine)


def test_more_than_a_slice_of_time(engine: Engine) -> None:
    """A common word is answered from the newest articles, a rare one from all."""
    many(engine, 5000)
    with read(engine) as connection:
        common = search(connection, Query("خبر", sort=Sort.NEWEST, limit=3))
        assert [hit.path for hit in common.hits] == ["4999", "4998", "4997"]
        assert (common.total, common.more) == (MOST, True)
        oldest = search(connection, Query("خبر", sort=Sort.OLDEST, limit=3))
        assert [hit.path for hit in oldest.hits] == ["0", "1", "2"]
        rare = search(connection, Query("نادر", limit=50))
        assert (rare.total, rare.more) == (10, False)
        last = search(connection, Query("خبر", sort=Sort.NEWEST, limit=5, offset=MOST - 5))
        assert last.hits[-1].path == "4000"
        stories = search(connection, Query("خبر", sort=Sort.NEWEST, one_a_story=True, limit=4))
        assert len({hit.story_id for hit in stories.hits}) == 4
        middle = Query("خبر", sort=Sort.NEWEST, until=date(2022, 3, 1), limit=1)
        assert search(connection, middle).hits[0].path == str(60 * 24 - 1)
        assert len(list(article_ids(connection, Query("آخر")))) == 2500
        with pytest.raises(QueryError, match="narrow"):
            search(connection, Query("خبر", offset=MOST))
        pages = [search(connection, Query("خبر", limit=30, offset=at)).hits for at in (0, 30, 60)]
        shown = [hit.path for page in pages for hit in page]
        assert len(set(shown)) == len(shown) == 90


def test_facets_count(engine: Engine) -> None:
    write(
        engine,
        arrival("خبر واحد", "0", agency="afp,reuters", published=dated("2024-01-31")),
        arrival("خبر اثنان", "1", source="b", agency="afp", published=dated("2024-02-01")),
        arrival("خبر ثلاثة", "2"),
    )
    with read(engine) as connection:
        facets = search(connection, Query("خبر", limit=1)).facets
    assert facets == {
        "source": [("daily", 2), ("b", 1)],
        "agency": [("afp", 2), ("reuters", 1)],
        "language": [("ar", 3)],
        "month": [("2024-02", 1), ("2024-01", 1)],
    }


# --- the index keeps step ----------------------------------------------------------------------


def test_index_follows_what_is_stored(engine: Engine) -> None:
    url = {"canonical_url": "https://a.example/1"}
    write(engine, arrival("عن الزراعة", "0", **url))
    write(engine, arrival("عن الصناعة", "0", **url))
    assert found(engine, "زراعة") == []
    assert found(engine, "صناعة") == ["0"]
    assert rows(engine, "SELECT count(*) FROM search_entries") == [(1,)]
    # A copy without a URL fills the title in: it is found by it then.
    write(engine, arrival("نص كامل", "1"))
    write(engine, arrival("نص كامل", "2", title="عنوان مفقود"))
    assert found(engine, "title:مفقود") == ["1"]
    with write_transaction(engine) as connection:
        connection.execute(text("DELETE FROM ledger"))
        connection.execute(text("DELETE FROM articles WHERE path = '0'"))
    assert found(engine, "صناعة") == []


def test_replay_of_the_same_leaves_the_index_alone(engine: Engine) -> None:
    same = arrival("عن الزراعة", "0")
    write(engine, same)
    before = rows(engine, "SELECT entry FROM search_entries")
    write(engine, same)
    with write_transaction(engine) as connection:
        assert search_index.index(connection, [1]) == 0
    assert rows(engine, "SELECT entry FROM search_entries") == before


def test_reindex_after_an_older_version(engine: Engine, database: str) -> None:
    holds(engine, "عن الزراعة", "عن الصناعة")
    with write_transaction(engine) as connection:
        connection.execute(text("UPDATE search_entries SET key_version = 0 WHERE article_id = 2"))
    assert b"warraq db reindex" in run_warraq(["db", "check", "--db", database]).stderr
    assert b"2 articles indexed" in run_warraq(["db", "reindex", "--db", database]).stderr
    assert b"warraq db reindex" not in run_warraq(["db", "check", "--db", database]).stderr
    assert found(engine, "صناعة") == ["1"]
    with write_transaction(engine) as connection:
        connection.execute(text("DELETE FROM search_entries WHERE article_id = 1"))
    told = run_warraq(["search", "زراعة", "--db", database])
    assert b"warraq db reindex" in told.stderr
    assert search_index.rebuild(engine) == 1
    assert found(engine, "زراعة") == ["0"]
    assert search_index.rebuild(engine, everything=True) == 2
    assert found(engine, "صناعة") == ["1"]


@pytest.mark.parametrize(
    "body",
    [
        "كلمة " * 40_000,
        "ب" * 100_000,
        " ".join(f"w{n}" for n in range(90_000)),
        "𝕏" * 3000,
        "ا\nب " * 9,
    ],
    ids=["repeated", "one word", "different", "four bytes", "short"],
)
def test_texts_of_any_size_are_stored_and_found(engine: Engine, body: str) -> None:
    assert write(engine, arrival(f"بداية {body}", "0", title="'\\ \":&|!(<->)")) == ["stored"]
    assert found(engine, "بداية") == ["0"]


def test_reprocessed_text_is_found(engine: Engine) -> None:
    from pipelines.db.store import Reread

    write(engine, arrival("عن الزراعة", "0"))
    again = arrival("عن الفضاء", "0").result
    assert isinstance(again, Article)
    correct_batch(engine, [Reread(1, "0", again)], {}, dry_run=False)
    assert (found(engine, "زراعة"), found(engine, "فضاء")) == ([], ["0"])


def test_stopped_in_time(engine: Engine) -> None:
    many(engine, 3000)
    with read(engine) as connection, pytest.raises(QueryError, match="stopped after"):
        search(connection, Query("خبر OR آخر OR نادر"), seconds=0.0)


# --- marks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "said", "marked"),
    [
        ("حكومة", "قالت «الحُكومة»، أمس", ["الحُكومة"]),
        ("قره باغ", "إقليم قره\nباغ.", ["قره باغ"]),
        ("2024", "عام٢٠٢٤ ثم ٢٠٢٤!", ["٢٠٢٤"]),
        ('"مجلس الأمن" حرب', "مجلس الأمن ومجلس والحرب", ["مجلس الأمن", "والحرب"]),
        ("كتا*", "كتاب الكتابة مكتب", ["كتاب", "الكتابة"]),
        ("نعم -لا", "نعم لا", ["نعم"]),
        ("می‌خواهد", "او می‌خواهد", ["می‌خواهد"]),
        ("محمد", "محمـــد", ["محمـــد"]),
    ],
)
def test_hits_are_marked_as_printed(asked: str, said: str, marked: list[str]) -> None:
    counter = TermCounter(list(words_of(parse(asked).root)))
    shown = pieces(said, counter.spans(said))
    assert [piece for piece, is_hit in shown if is_hit] == marked
    assert "".join(piece for piece, _ in shown) == said.replace("\n", " ")


def test_snippet_is_where_the_words_stand() -> None:
    said = " ".join(["قبل"] * 200 + ["الهدف", "هنا"] + ["بعد"] * 200)
    counter = TermCounter(list(words_of(parse("هدف هنا").root)))
    shown = counter.snippet(said)
    assert [piece for piece, is_hit in shown if is_hit] == ["الهدف", "هنا"]
    assert len("".join(piece for piece, _ in shown)) < 250
    assert counter.snippet("") == ()


def test_terms_are_counted_as_they_are_marked() -> None:
    said = "مجلس – الأمن، والمجلس. مجلس الأمن - مجالس — ومجلس :: الأمن حرب.. والحرب"
    for asked in ('"مجلس الأمن" حرب', "مجلس حر*", "الأمن", "لا"):
        counter = TermCounter(list(words_of(parse(asked).root)))
        terms = [term for _, _, term in counter.spans(said)]
        counted, words = counter.counts(said)
        assert counted == [terms.count(n) for n in range(len(counter.terms))]
        assert words == len(said.split())


@given(
    st.text(
        alphabet=st.one_of(st.characters(), st.sampled_from("اأءوىعلي ةـَ\u200c\u200f.،٢")),
        max_size=60,
    )
)
@settings(max_examples=200)
def test_words_of_a_text_have_the_keys_that_are_indexed(said: str) -> None:
    said = clean(said)  # as it is stored
    assert keys_of(said.split()) == search_key(said).split()


# --- the command -------------------------------------------------------------------------------


def test_command(engine: Engine, database: str) -> None:
    write(
        engine,
        arrival("قالت الحكومة\nنعم", "0", title="بيان الحكومة", published=dated("2024-01-31")),
        arrival("حكومة أخرى", "1", source="other"),
    )
    told = json.loads(run_warraq(["search", "حكومة", "--db", database, "--json"]).stdout)
    assert (told["total"], told["more"]) == (2, False)
    assert told["articles"][0]["title"] == "بيان الحكومة"
    assert told["articles"][0]["hits"] == ["الحكومة", "الحكومة"]
    assert told["counts"]["source"] == {"daily": 1, "other": 1}
    as_csv = run_warraq(
        ["search", "حكومة", "--db", database, "--csv", "--limit", "1", "--offset", "1"]
    )
    lines = list(csv.reader(as_csv.stdout.decode().splitlines()))
    assert [line[2] for line in lines] == ["source", "other"]
    table = run_warraq(["search", "حكومة", "--db", database, "--limit", "1"])
    assert "[الحكومة] نعم" in table.stdout.decode()
    assert b"1 to 1 of 2 articles" in table.stderr
    count = run_warraq(["search", "حكومة", "--db", database, "--count"]).stdout.decode()
    assert [line.split() for line in count.splitlines()[2:4]] == [
        ["total", "2"],
        ["source", "daily", "1"],
    ]
    nothing = run_warraq(["search", "لاشيء", "--db", database])
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, b"", b"no article has it\n")
    wrong = run_warraq(["search", '"x', "--db", database])
    assert (wrong.returncode, wrong.stdout) == (2, b"")


@pytest.mark.skipif(not (SHARED / "seeds").is_dir(), reason="no ../shared/seeds")
def test_any_spelling_finds_all_five_seeds(database: str) -> None:
    assert run_warraq(["replay", SHARED / "seeds", "--db", database]).returncode == 0
    engine = open_engine(database)
    for spelling in ("قره باغ", "قرة باغ", "كاراباخ", "كاراباغ", "ناغورنو كاراباخ", "ناجورنو"):
        assert len(found(engine, spelling)) == 5, spelling
    engine.dispose()
