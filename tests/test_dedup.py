"""Copies and stories: what is linked, what is not, and that the order of arrival does not count."""

import hashlib
import itertools
import json
import multiprocessing
import os
import random
import signal
from array import array
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from pipelines import arabic
from pipelines.arabic import match_key
from pipelines.db import dedup, schema, store
from pipelines.db import engine as engines
from pipelines.document import ArticleDate, Precision
from pipelines.stages import fingerprint as stage
from pipelines.stages.fingerprint import compare, fingerprint, index_keys, similarity
from tests.conftest import ROOT
from tests.test_store import DAYS, arrival, rows, write

SHARED = ROOT.parent / "shared"

LEAD = (
    "افتتحت بلدية مرفأ الصيادين صباح أمس السوق الجديد بعد عامين من أعمال البناء التي تأخرت بسبب "
    "العواصف ونقص الحجارة، وقال رئيس البلدية إن المبنى يتسع لمئة وعشرين بائعا ويضم مخزنا مبردا."
)
BODY = [
    "وأوضح المهندس المشرف أن السقف صنع من خشب محلي عولج ضد الرطوبة، وأن مياه المطر تجمع في خزان "
    "تحت الساحة لتنظيف الأرضيات وسقاية الأشجار المحيطة بالمدخل الجنوبي.",
    "وعبر باعة السمك عن رضاهم بالموقع القريب من الرصيف، لكنهم طلبوا تمديد ساعات العمل في الصيف "
    "حين تعود القوارب متأخرة، ووعدت الإدارة بدراسة الطلب قبل نهاية الشهر.",
    "ويعود السوق القديم إلى زمن جداتهم، وقد قررت لجنة التراث ترميم بوابته الحجرية وتحويله إلى "
    "متحف صغير يعرض شباك الصيد وأدوات صناعة القوارب وصور الرحلات البعيدة.",
]
STORY = "\n".join([LEAD, *BODY])
#: The better half of the story from its start, and up to its end: they have little in common.
_WORDS = STORY.split()
FIRST = " ".join(_WORDS[: len(_WORDS) * 58 // 100])
LAST = " ".join(_WORDS[len(_WORDS) * 42 // 100 :])
OTHER = (
    "أعلن نادي الجبل للدراجات فوز المتسابقة الشابة بسباق القلعة بعد أن قطعت المرحلة الأخيرة وحيدة "
    "أمام مطاردين أكبر منها سنا.\nوقالت الفائزة للصحافة إنها تدربت طوال الشتاء على طرق القرية "
    "الضيقة، وإن أباها كان يتبعها بسيارة قديمة تحمل الماء والخبز وعجلة احتياطية.\nوسيقام السباق "
    "المقبل في السهل الغربي حيث الرياح أقوى، وتنتظر الفرق قرار الاتحاد في شأن عدد المشاركين."
)
WEATHER = (
    "تتوقع الأرصاد أن تبلغ درجة الحرارة العظمى في العاصمة {} درجة والصغرى {} درجة، وأن تصل سرعة "
    "الرياح إلى {} كيلومترا في الساعة، والرطوبة إلى {} في المئة، وأن يكون البحر خفيف الموج، وتدعو "
    "السائقين إلى الحذر من الغبار على الطرق الصحراوية في ساعات الظهر."
)
PRICES = (
    "استقرت أسعار الذهب في محال الصاغة اليوم، وسجل الغرام من عيار 24 سعر {} دينارا، ومن عيار 21 "
    "سعر {} دينارا، ومن عيار 18 سعر {} دينارا، بحسب نقابة الصاغة التي تصدر نشرة كل صباح ويلتزم بها "
    "التجار في جميع الأسواق ولا تشمل أجرة الصياغة."
)
PRAYERS = (
    "مواقيت الصلاة ليوم غد بحسب التوقيت المحلي: الفجر {}:{}، الشروق {}:{}، الظهر {}:{}، العصر "
    "{}:{}، المغرب {}:{}، العشاء {}:{}، وتذكر دائرة الأوقاف بأن الإقامة بعد ربع ساعة من الأذان وأن "
    "أبواب المساجد تفتح قبله بنصف ساعة."
)


def windows() -> dict[str, str]:
    """Three parts of a text that are no copies of one another, and what joins two of them."""
    words = f"{STORY}\n{OTHER}".split()
    at = {"a": (0, 64), "b": (44, 108), "c": (88, 152), "ab": (0, 108), "bc": (44, 152)}
    return {name: " ".join(words[start:end]) for name, (start, end) in at.items()}


def copy_of(a: str, b: str) -> str | None:
    found = compare(fingerprint(a), fingerprint(b))
    return str(found.kind) if found else None


def stories(engine: Engine) -> set[frozenset[str]]:
    """The partition: each story as the paths of its articles."""
    found: dict[int, set[str]] = {}
    for story, path in rows(engine, "SELECT story_id, path FROM articles"):
        found.setdefault(story, set()).add(path)
    return set(map(frozenset, found.values()))


def links(engine: Engine) -> set[tuple[str, str, str]]:
    query = (
        "SELECT a.path, b.path, l.kind FROM article_links l JOIN articles a ON a.id = l.a_id "
        "JOIN articles b ON b.id = l.b_id"
    )
    return {(min(a, b), max(a, b), kind) for a, b, kind in rows(engine, query)}


# --- two texts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        (STORY, "exact"),
        (STORY.replace("أ", "ا").replace("ى", "ي").replace("،", " "), "exact"),
        (STORY.replace("صباح", "مساء").replace("قررت", "أعلنت"), "near"),
        (STORY.replace("حجرية", "الخشبية").replace("رئيس البلدية", "رئيسة المجلس"), "near"),
        ("\n".join([LEAD, *BODY[:2]]), "contains"),
        (LEAD, "contains"),
        (BODY[2], "contains"),
        ("في تغطية خاصة من مراسلنا في الميناء نقدم التفاصيل الآتية\n" + STORY, "contains"),
        (OTHER, None),
        ("قال رئيس البلدية إن المبنى يتسع لمئة وعشرين بائعا، واعترضت المعارضة", None),
    ],
)
def test_copies(other: str, kind: str | None) -> None:
    assert copy_of(STORY, other) == kind
    assert copy_of(other, STORY) == kind


def test_figures_of_similarity() -> None:
    words = " ".join(f"كلمة{letter}" for letter in "ابتثجحخدذرزسشصضطظعغفقكلمن")
    start = " ".join(words.split()[:14])
    assert similarity(fingerprint(words), fingerprint(start)) == (10 / 21, 1.0)
    assert similarity(fingerprint(words), fingerprint("")) == (0.0, 0.0)


@pytest.mark.parametrize("template", [WEATHER, PRICES, PRAYERS])
def test_same_words_with_other_figures_are_no_copies(template: str) -> None:
    fields = template.count("{}")
    monday, tuesday = range(31, 31 + fields), range(52, 52 + fields)
    assert copy_of(template.format(*monday), template.format(*tuesday)) is None
    again = template.format(*monday).replace("بحسب", "وفق").replace("تتوقع", "ترجح")
    assert copy_of(template.format(*monday), again) in ("near", "exact")
    arabic = template.format(*monday).translate({48 + n: 0x660 + n for n in range(10)})
    assert copy_of(template.format(*monday), arabic) == "exact"


def test_one_figure_corrected_is_still_a_copy() -> None:
    report = STORY + "\nوبلغت الكلفة {} ملايين دينار، وعمل في البناء 85 عاملا على مدى 22 شهرا."
    assert copy_of(report.format(4), report.format(5)) == "near"


def test_number_printed_in_another_order_is_the_same_number() -> None:
    report = "ارتفع المؤشر {} في المئة إلى {} نقطة بعد أن سجل ذروة عند {} نقطة في التعاملات الأولى"
    report += " وتراجع سهم المصرف الأهلي بنحو {} في المئة وسط ضعف السيولة قبل العطلة الطويلة"
    ours, theirs = ("0.29", "395.97", "622.97", "8.6"), ("29,0", "97,395", "97,622", "6,8")
    a, b = (fingerprint(report.format(*n) + "\n" + STORY) for n in (ours, theirs))
    assert compare(a, b)


@pytest.mark.parametrize("said", ["", " ، . !", "كلمة", "ثلاث كلمات فقط"])
def test_short_texts(said: str) -> None:
    found = fingerprint(said)
    assert len(found.shingles) == bool(match_key(said))
    (keys,) = index_keys([found])
    assert bool(keys.certain) == bool(found.shingles)
    assert copy_of(said, said) == ("exact" if found.shingles else None)
    assert copy_of(said, STORY) is None


def test_hashes_are_the_same_in_every_run_and_on_every_machine() -> None:
    """If this fails after an update of rensa or an edit: raise the version in ALGORITHM_VERSION
    and write the new values here. Stored fingerprints are then rebuilt."""
    found = fingerprint("خرجت القوارب السبع في العاشرة 10 صباحا وعادت")
    assert stage.ALGORITHM_VERSION == 202
    assert list(found.shingles) == GOLDEN_SHINGLES
    assert found.text_hash == GOLDEN_TEXT
    (keys,) = index_keys([found])
    assert keys.certain == GOLDEN_KEYS
    packed = stage.pack(array("Q", [1, 258]))
    assert packed == bytes([1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0])
    assert list(stage.unpack(packed)) == [1, 258]


GOLDEN_SHINGLES = [
    3859153945921943529,
    12084388255872645791,
    13831229403820857475,
    18148707179324335005,
]
GOLDEN_TEXT = 1671558169743864500
GOLDEN_KEYS = [
    -8973999315226185076,
    -8394920478351384507,
    -6567963613916826384,
    -4748930666146347252,
    481646220221926596,
    697410623161647908,
    1112150556660832661,
    1671558169743864500,
    2726335474127280248,
    3102812712677708670,
    4024104166618401141,
    6337796847912927104,
    6456428046940384581,
]


@given(st.text(alphabet="كتب على علىه مئة ٣4²½،.ـ\u064e\u0301\u200c\x1f\u2028\t\n Aß", max_size=40))
def test_key_of_a_text_is_made_of_its_words_keys(said: str) -> None:
    """Fingerprints remember words: what stands around a word must not change its key."""
    words = said.replace("\n", " ").split(" ")
    assert match_key(said).split() == [key for word in words for key in match_key(word).split()]


def test_shingles_are_sums_of_words_hashes() -> None:
    """Worked out one by one, they are the same as all at once."""
    words = [stage._hash(match_key(word).encode()) for word in f"{STORY} {OTHER}".split()]
    windows = [words[at : at + stage.WORDS] for at in range(len(words) - stage.WORDS + 1)]
    expected = {sum(map(int.__mul__, part, stage._FACTORS)) % (1 << 64) for part in windows}
    assert list(fingerprint(f"{STORY}\n{OTHER}").shingles) == sorted(expected)


@pytest.mark.parametrize("length", [30, 60, 120, 400])
def test_hashes_are_evenly_spread(length: int) -> None:
    """Anchors are the eighth that is lowest: whatever the text, an eighth must be."""
    rng = random.Random(length)
    texts = [" ".join(f"كلمة{rng.randrange(5000)}" for _ in range(length)) for _ in range(200)]
    found = [fingerprint(said) for said in texts]
    share = sum(len(k.anchors) for k in index_keys(found)) / sum(len(f.shingles) for f in found)
    assert share == pytest.approx(1 / stage.ANCHOR_SHARE, rel=0.12)


def test_very_long_text_takes_bounded_work() -> None:
    found = fingerprint(" ".join(f"كلمة{n}" for n in range(60_000)))
    assert len(found.shingles) == 10_000 - stage.WORDS + 1


# --- the store -------------------------------------------------------------------------------


def family() -> list[Any]:
    """Copies of one story at several outlets, one of them edited; another story; templates."""
    edited = STORY.replace("صباح", "مساء").replace("لجنة التراث", "هيئة الآثار")
    texts = {
        "whole": STORY,
        "spelling": STORY.replace("أ", "ا"),
        "edited": edited,
        "lead": LEAD,
        "first": FIRST,
        "last": LAST,
        "passage": BODY[1],
        "other": OTHER,
        "other-cut": OTHER.rsplit("\n", 1)[0],
        "weather-1": WEATHER.format(31, 22, 40, 55),
        "weather-2": WEATHER.format(36, 24, 25, 70),
        "prices-1": PRICES.format(41, 36, 31),
        "prices-2": PRICES.format(44, 39, 33),
    }
    return [arrival(said, path, source=f"outlet-{path}") for path, said in texts.items()]


STORIES = {
    frozenset({"whole", "spelling", "edited", "lead", "first", "last"}),
    frozenset({"passage"}),  # it neither is most of another text nor opens it
    frozenset({"other", "other-cut"}),
    *(frozenset({f"{name}-{n}"}) for name in ("weather", "prices") for n in (1, 2)),
}


def test_stories_and_links(engine: Engine) -> None:
    write(engine, *family())
    assert stories(engine) == STORIES
    assert {("spelling", "whole", "exact"), ("edited", "whole", "near")} <= links(engine)
    assert ("lead", "whole", "contains") in links(engine)
    figures = rows(engine, "SELECT jaccard, containment FROM article_links WHERE kind = 'contains'")
    assert figures and all(0 < jaccard < containment <= 1 for jaccard, containment in figures)
    assert all(a < b for a, b in rows(engine, "SELECT a_id, b_id FROM article_links"))


@pytest.mark.parametrize("size", [1, 3, 20])
def test_order_of_arrival_does_not_count(engine: Engine, size: int) -> None:
    rng = random.Random(size)
    pages = family()
    rng.shuffle(pages)
    for at in range(0, len(pages), size):
        write(engine, *pages[at : at + size])
    assert stories(engine) == STORIES
    kinds = {("spelling", "whole", "exact"), ("lead", "spelling", "contains")}
    assert kinds <= links(engine)
    named = rows(
        engine,
        "SELECT s.id, min(a.id), s.articles, count(*) FROM stories s "
        "JOIN articles a ON a.story_id = s.id GROUP BY s.id, s.articles",
    )
    assert all(story == smallest and said == counted for story, smallest, said, counted in named)
    chosen = {path for (path,) in rows(engine, "SELECT path FROM distinct_articles")}
    lone = {"weather-1", "weather-2", "prices-1", "prices-2"}
    # "whole" and "spelling" have the same words: the lower identity decides, not the arrival.
    full = {"whole", "spelling", "edited"} & chosen
    assert chosen == lone | {"passage", "other"} | full and full == {_representative(engine)}


def _representative(engine: Engine) -> str:
    query = (
        "SELECT a.path FROM articles a JOIN article_shingles f ON f.article_id = a.id "
        "WHERE a.path IN ('whole', 'spelling', 'edited') ORDER BY f.shingle_count DESC, identity"
    )
    return str(rows(engine, query)[0][0])


def test_merges_are_recorded(engine: Engine) -> None:
    pages = {page.path: page for page in family()}
    write(engine, pages["first"])
    write(engine, pages["last"])
    assert len(stories(engine)) == 2
    write(engine, pages["whole"])
    assert stories(engine) == {frozenset({"first", "last", "whole"})}
    kept, merged = rows(
        engine, "SELECT id, merged_into, merged_at, articles FROM stories ORDER BY id"
    )
    assert kept[1:] == (None, None, 3)
    assert merged[1] == kept[0] and merged[2] is not None and merged[3] == 0


def test_merged_story_always_names_a_living_one(engine: Engine) -> None:
    parts = windows()
    for name in ("c", "b", "a", "ab", "bc"):
        write(engine, arrival(parts[name], name))
    assert stories(engine) == {frozenset({"a", "b", "c", "ab", "bc"})}
    named = rows(engine, "SELECT DISTINCT merged_into FROM stories WHERE merged_into IS NOT NULL")
    assert named == rows(engine, "SELECT DISTINCT story_id FROM articles")


def test_revision_links_anew_and_splits_a_story(engine: Engine) -> None:
    page = "https://daily.example/market"
    write(engine, arrival(FIRST, "first", source="a"))
    write(engine, arrival(LAST, "last", source="b"))
    write(engine, arrival(STORY, "whole", canonical_url=page, fetched_at=DAYS[0]))
    assert stories(engine) == {frozenset({"first", "last", "whole"})}
    write(engine, arrival(OTHER, "whole", canonical_url=page, fetched_at=DAYS[1]))
    assert stories(engine) == {frozenset({"first"}), frozenset({"last"}), frozenset({"whole"})}
    assert links(engine) == set()
    assert rows(engine, "SELECT count(*) FROM stories WHERE merged_into IS NOT NULL") == [(0,)]
    write(engine, arrival(OTHER, "other", source="c"))
    assert frozenset({"whole", "other"}) in stories(engine)
    bands = "SELECT count(DISTINCT article_id), min(article_id) FROM fingerprint_recent"
    assert rows(engine, bands)[0][0] == 4
    write(engine, arrival(STORY, "whole", canonical_url=page, fetched_at=DAYS[2]))
    assert stories(engine) == {frozenset({"first", "last", "whole"}), frozenset({"other"})}


def test_text_that_was_left_leads_nowhere(engine: Engine) -> None:
    page = "https://daily.example/market"
    write(engine, arrival(STORY, "whole", canonical_url=page, fetched_at=DAYS[0]))
    write(engine, arrival(OTHER, "whole", canonical_url=page, fetched_at=DAYS[1]))
    write(engine, arrival(STORY, "late", source="b"))
    assert links(engine) == set()
    assert len(rows(engine, "SELECT DISTINCT hash FROM fingerprint_recent")) == sum(
        len(keys.certain) + len(keys.anchors)
        for keys in index_keys([fingerprint(STORY), fingerprint(OTHER)])
    )


def test_page_seen_again_changes_nothing(engine: Engine) -> None:
    tables = ("article_links", "stories", "fingerprint_recent", "article_shingles")
    pages = family()
    write(engine, *pages)
    before = [rows(engine, f"SELECT * FROM {name} ORDER BY 1, 2") for name in tables]
    write(engine, *pages[::-1])
    assert [rows(engine, f"SELECT * FROM {name} ORDER BY 1, 2") for name in tables] == before


def test_text_with_very_many_copies_stays_one_story_at_a_bounded_cost(engine: Engine) -> None:
    count = 3 * dedup._LISTED
    for at in range(0, count, 30):
        write(engine, *(arrival(STORY, f"{n}", source=f"s{n}") for n in range(at, at + 30)))
    assert len(stories(engine)) == 1
    (linked,) = rows(engine, "SELECT count(*) FROM article_links")[0]
    assert count <= linked <= count * dedup._LISTED
    assert rows(engine, "SELECT max(c) FROM (SELECT count(*) AS c FROM fingerprint_recent "
                "GROUP BY hash) t") == [(dedup._LISTED,)]  # fmt: skip


def test_deleted_article_leaves_no_link(engine: Engine) -> None:
    write(engine, *family())
    with engines.write(engine) as connection:
        connection.execute(text("DELETE FROM ledger"))
        connection.execute(text("DELETE FROM articles WHERE path = 'whole'"))
    write(engine, arrival(STORY, "late", source="late"))
    assert not any("whole" in link for link in links(engine))
    assert any({"late", "spelling"} <= story for story in stories(engine))


def test_representative_is_the_fullest_text_then_the_earliest(engine: Engine) -> None:
    def published(iso: str) -> ArticleDate:
        return ArticleDate(iso, Precision.DAY, "meta", iso, 0.9)

    write(
        engine,
        arrival(LEAD, "lead", source="a", published=published("2020-01-01")),
        arrival(STORY, "undated", source="b"),
        arrival(STORY, "second", source="c", published=published("2020-01-03")),
        arrival(STORY, "first", source="d", published=published("2020-01-02")),
    )
    assert rows(engine, "SELECT path, copies FROM distinct_articles") == [("first", 4)]
    # A copy of a text without a URL may bring the date that its article lacked.
    write(engine, arrival(STORY, "again", source="b", published=published("2019-12-31")))
    assert rows(engine, "SELECT path, copies FROM distinct_articles") == [("undated", 4)]


def test_syndication_tells_who_was_first_and_how_late_the_others(engine: Engine) -> None:
    def at(iso: str, precision: Precision = Precision.MINUTE) -> ArticleDate:
        return ArticleDate(iso, precision, "meta", iso, 0.9)

    first, late = datetime(2020, 9, 27, 8, tzinfo=UTC), datetime(2020, 9, 27, 9, 30, tzinfo=UTC)
    write(
        engine,
        arrival(STORY, "wire", source="wire", published=at("2020-09-27T10:00+03:00")),
        arrival(LEAD, "late", source="late", published=at("2020-09-27T08:15+00:00"), agency="afp"),
        arrival(STORY, "day", source="day", published=at("2020-09-27", Precision.DAY)),
        arrival(STORY, "local", source="local", published=at("2020-09-27T06:00")),
        arrival(OTHER, "alone", source="alone"),
        arrival(FIRST, "seen-1", source="seen", fetched_at=first),
        arrival(STORY, "seen-2", source="again", fetched_at=late),
    )
    delays = {
        source: (delay, agency)
        for source, delay, agency in rows(
            engine, "SELECT source, delay_minutes, agency FROM syndication"
        )
    }
    assert delays == {
        "wire": (0, None),
        "late": (75, "afp"),
        "day": (None, None),
        "local": (None, None),  # nobody knows in which zone it was six o'clock
        "seen": (None, None),
        "again": (None, None),
    }
    seen = "SELECT seen_delay_minutes FROM syndication WHERE source = 'again'"
    assert rows(engine, seen) == [(90,)]
    kinds = "SELECT kind, containment FROM syndication WHERE source = 'late'"
    assert rows(engine, kinds) == [("contains", 1.0)]


def test_syndication_counts_what_was_changed_of_the_fullest_text(engine: Engine) -> None:
    told = [f"{sentence} {n}." for n, sentence in enumerate(_TOLD)]
    cut, own = told[:-1], "أضافت صحيفتنا هذه الجملة من مراسلها في الميناء."
    reworded = [*told[:3], told[3].replace("الصيادين", "البحارة"), *told[4:]]
    write(
        engine,
        arrival(" ".join(told), "whole", source="whole"),
        arrival(" ".join(cut), "cut", source="cut"),
        arrival("\n".join(told).replace("أ", "ا"), "spelt", source="spelt"),
        arrival(" ".join([*reworded[:-1], own]), "own", source="own"),
    )
    query = (
        "SELECT CASE kind WHEN 'exact' THEN kind ELSE source END, sentences_added,"
        " sentences_removed, sentences_altered FROM syndication"
        " WHERE article_id <> representative_id"
    )
    expected = {("cut", 0, 1, 0), ("exact", 0, 0, 0), ("own", 1, 1, 1)}
    assert set(rows(engine, query)) == expected
    # What another Warraq has linked is counted afterwards, and the articles' texts may change.
    with engine.begin() as connection:
        connection.execute(text("UPDATE article_links SET only_a = NULL, altered = NULL"))
    with engine.connect() as connection:
        assert dedup.is_behind(connection)
    dedup.rebuild(engine)
    assert set(rows(engine, query)) == expected
    with engine.connect() as connection:
        assert not dedup.is_behind(connection)
    write(engine, arrival(" ".join([*told[:-2], own]), "cut", source="cut"))
    assert ("cut", 1, 2, 0) in rows(engine, query)


_TOLD = (
    "أعلنت إدارة الميناء أن حركة السفن عادت إلى طبيعتها بعد أسبوع من العواصف",
    "وقال مدير الميناء إن ست سفن تنتظر دورها عند المدخل الشمالي منذ يوم الأحد",
    "ووصلت أول سفينة محملة بالقمح صباح اليوم وبدأ تفريغها قبل الظهر بساعتين",
    "وطلب ممثلو الصيادين من الإدارة تخصيص رصيف صغير لقواربهم قبل بداية الموسم",
    "ويعمل في الميناء نحو ألف عامل يتوزعون على ثلاث ورديات طوال أيام السنة",
    "وتتوقع هيئة الأرصاد أن يبقى البحر هادئا حتى نهاية الأسبوع المقبل على الأقل",
)


def test_what_many_texts_share_hides_no_copy(engine: Engine) -> None:
    """A paragraph below every article of an outlet fills its values; copies are found by the rest,
    and so are copies of a text that has more copies than a value leads to."""
    standing = " ".join([*STORY.split()[:40]])
    rng = random.Random(3)
    reports = {
        f"{n}": " ".join(f"كلمة{rng.randrange(9000)}" for _ in range(60)) + f"\n{standing}"
        for n in range(2 * dedup._LISTED)
    }
    write(engine, *(arrival(said, path) for path, said in reports.items()))
    assert len(stories(engine)) == len(reports)
    copies = {f"copy-{path}": said.split("\n")[0] for path, said in reports.items()}
    edited = {
        f"edited-{path}": said.replace(said.split()[7], "غير").replace(said.split()[30], "آخر")
        for path, said in reports.items()
    }
    for part in (copies, edited):
        write(engine, *(arrival(said, path, source="other") for path, said in part.items()))
    assert stories(engine) == {
        frozenset({path, f"copy-{path}", f"edited-{path}"}) for path in reports
    }


def test_values_that_moved_to_the_large_table_are_found_and_forgotten(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dedup, "_RECENT_ARTICLES", 4)
    page = "https://daily.example/market"
    pages = family()
    for listed in pages:
        write(engine, listed)
    counts = [
        rows(engine, f"SELECT count(*) FROM {name}")[0][0]
        for name in ("fingerprint_recent", "fingerprint_bands")
    ]
    assert min(counts) > 0
    assert stories(engine) == STORIES
    write(engine, arrival(OTHER, "page", canonical_url=page, fetched_at=DAYS[0]))
    write(engine, *(arrival(f"{ITEMS['museum']} {n}", f"m{n}") for n in range(4)))
    write(engine, arrival(ITEMS["bridge"], "page", canonical_url=page, fetched_at=DAYS[1]))
    (number,) = rows(engine, "SELECT id FROM articles WHERE path = 'page'")[0]
    (keys,) = index_keys([fingerprint(ITEMS["bridge"])])
    query = (
        "SELECT count(*) FROM (SELECT * FROM fingerprint_bands UNION ALL "
        f"SELECT * FROM fingerprint_recent) b WHERE article_id = {number}"
    )
    assert rows(engine, query) == [(len(keys.certain) + len(keys.anchors),)]


def test_number_of_a_deleted_article_may_come_again(engine: Engine) -> None:
    """SQLite gives the last number again; what it left in the index must not be in the way."""
    write(engine, arrival(STORY, "first"), arrival(OTHER, "last"))
    with engines.write(engine) as connection:
        connection.execute(text("DELETE FROM ledger"))
        connection.execute(text("DELETE FROM articles WHERE path = 'last'"))
    write(engine, arrival(OTHER, "again"), arrival(FIRST, "cut", source="b"))
    assert stories(engine) == {frozenset({"first", "cut"}), frozenset({"again"})}


# --- roundups --------------------------------------------------------------------------------

ITEMS = {
    "bridge": "أغلقت إدارة الطرق جسر الوادي أمام الشاحنات ثلاثة أيام لفحص الدعامات بعد فيضان "
    "النهر، ودعت السائقين إلى سلوك الطريق الشرقي، وقالت إن فرق الصيانة ستعمل ليلا حتى لا تتعطل "
    "حركة الحافلات المدرسية في الصباح، وإن النتائج ستعلن في مؤتمر صحفي مطلع الأسبوع.",
    "harvest": "توقع اتحاد المزارعين أن يقل محصول الزيتون هذا الموسم بسبب موجة الحر التي ضربت "
    "السهول في الربيع، وطلب من المصرف الزراعي تأجيل أقساط القروض إلى ما بعد القطاف، فيما أكدت "
    "الوزارة أن المخزون يكفي الأسواق وأن الأسعار لن ترتفع قبل نهاية العام.",
    "library": "افتتح متطوعون مكتبة صغيرة في محطة القطار القديمة تعير الكتب للمسافرين بلا أجر، على "
    "أن يعيدوها في أي محطة على الخط الساحلي، وجمعت المبادرة آلاف المجلدات من بيوت الحي ومن ناشرين "
    "في العاصمة، وخصصت ركنا لقصص الأطفال.",
    "museum": "أعاد المتحف البحري عرض سفينة خشبية انتشلت من قاع الخليج بعد ترميم دام عشر سنوات، "
    "وقال كبير المرممين إن ألواحها حفظت في خزانات من الماء العذب ثم جففت ببطء شديد، وسيتمكن "
    "الزوار من السير على سطحها في مجموعات صغيرة.",
}


def roundups() -> list[Any]:
    """Short reports, each with a copy, and articles that hold several of them whole."""
    _, harvest, library, museum = ITEMS.values()
    intro = "أهلا بكم في نشرة المساء، وهذه أبرز الأخبار من مراسلينا في المدن والقرى."
    edited = {name: f"{said}\nانتهى" for name, said in ITEMS.items()}
    texts = {
        **ITEMS,
        **{f"{name}-copy": said for name, said in edited.items()},
        "evening": "\n".join([intro, *ITEMS.values()]),
        "bare": "\n".join(ITEMS.values()),
        "turned": "\n".join([museum, library, harvest]),
        "two": f"{harvest}\n{library} {museum.split('،')[0]}",
        "long second": f"{library}\n{STORY}",
        "story": STORY,
    }
    return [arrival(said, path, source=f"outlet-{path}") for path, said in texts.items()]


@pytest.mark.parametrize("seed", range(6))
def test_roundup_does_not_join_the_stories_that_it_holds(engine: Engine, seed: int) -> None:
    rng = random.Random(seed)
    pages = roundups()
    rng.shuffle(pages)
    while pages:
        size = rng.choice((1, 2, 7))
        write(engine, *pages[:size])
        del pages[:size]
    found = stories(engine)
    of = {path: story for story in found for path in story}
    assert len({of[name] for name in ITEMS}) == len(ITEMS)
    assert all({name, f"{name}-copy"} <= of[name] for name in ITEMS)
    # Not joined, but linked: who asks finds all that a roundup holds.
    held = {frozenset(link[:2]) for link in links(engine) if link[2] == "contains"}
    assert {frozenset({"evening", name}) for name in ITEMS} <= held
    # It begins with the library, and is the story for the most part: it tells that.
    assert {"long second", "story"} <= of["story"] and of["story"] != of["library"]
    assert found == ROUNDUP_STORIES


ROUNDUP_STORIES = {
    *(frozenset({name, f"{name}-copy"}) for name in ITEMS),
    frozenset({"evening", "bare", "turned", "two"}),  # for the most part one another's texts
    frozenset({"long second", "story"}),
}


def test_roundup_leaves_a_story_when_more_of_its_items_come(engine: Engine) -> None:
    """What it begins with is its story until a text is known to be most of it."""
    write(engine, arrival(ITEMS["library"], "library", source="a"))
    write(engine, arrival(f"{ITEMS['library']}\n{STORY}", "both", source="b"))
    assert stories(engine) == {frozenset({"library", "both"})}
    write(engine, arrival(STORY, "story", source="c"))
    assert stories(engine) == {frozenset({"library"}), frozenset({"story", "both"})}


# --- rebuilding ------------------------------------------------------------------------------


def test_rebuild_gives_the_same_and_keeps_merges(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = family()
    for page in reversed(pages):
        write(engine, page)
    linked = links(engine)
    merges = "SELECT id, merged_into FROM stories ORDER BY id"
    merged = rows(engine, merges)
    assert any(into is not None for _, into in merged)
    assert dedup.rebuild(engine) == 0
    heard: list[tuple[int, int]] = []
    done = dedup.rebuild(engine, lambda *told: heard.append(told), everything=True)
    assert done == len(pages) and heard[-1] == (done, done)
    assert (stories(engine), links(engine), rows(engine, merges)) == (STORIES, linked, merged)


def test_new_version_rebuilds_all(engine: Engine) -> None:
    write(engine, *family())
    with engines.write(engine) as connection:
        connection.execute(text("UPDATE article_shingles SET algorithm = 1"))
    with engines.read(engine) as connection:
        assert dedup.is_behind(connection)
    # Fingerprints of two versions never meet: an arrival meanwhile finds none of the old ones.
    write(engine, arrival(STORY, "late", source="late"))
    assert not any("late" in link for link in links(engine))
    assert dedup.rebuild(engine) == len(family()) + 1
    assert any({"late", "whole"} <= story for story in stories(engine))
    with engines.read(engine) as connection:
        assert not dedup.is_behind(connection)


def test_article_of_an_earlier_version_may_be_revised_before_the_rebuild(engine: Engine) -> None:
    page = "https://daily.example/market"
    write(engine, arrival(STORY, "whole", canonical_url=page, fetched_at=DAYS[0]))
    write(engine, arrival(FIRST, "first", source="b"))
    with engines.write(engine) as connection:
        connection.execute(text("UPDATE article_shingles SET algorithm = 1"))
    write(engine, arrival(OTHER, "whole", canonical_url=page, fetched_at=DAYS[1]))
    assert stories(engine) == {frozenset({"whole"}), frozenset({"first"})}
    assert links(engine) == set()
    assert dedup.rebuild(engine) == 2


def _other_key(text: str) -> str:
    """A match key that also folds ظ into ض, and lets ث fall."""
    return match_key(text).replace("ظ", "ض").replace("ث", "")


def _with_the_next_key(database: str, pages: Sequence[Any], stop_after: int | None) -> None:
    """What a Warraq with another match key does to a database; dies at once after some portions."""
    for module in (arabic, dedup, store):
        vars(module)["KEY_VERSION"] = 2
    vars(stage)["match_key"] = _other_key
    store._RENEWED_AT_ONCE, dedup._PORTION = 3, 2
    engine = engines.open_engine(database)
    if pages:
        write(engine, *pages)
    told = 0

    def progress(done: int, total: int) -> None:
        nonlocal told
        told += 1
        assert done <= total
        if told == stop_after:
            os.kill(os.getpid(), signal.SIGKILL)

    store.renew_keys(engine, progress)
    dedup.rebuild(engine, progress)
    engine.dispose()


def _in_its_own_process(*given: Any) -> int | None:
    process = multiprocessing.get_context("spawn").Process(target=_with_the_next_key, args=given)
    process.start()
    process.join(timeout=60)
    return process.exitcode


def test_new_key_version_is_brought_in_whenever_it_is_killed(database: str, tmp_path: Path) -> None:
    """The same comes out as if all had been stored with the new key; old texts included."""
    url = "https://daily.example/market"
    twins = [arrival(said, path, source="twin") for said, path in zip(TWINS, "ab", strict=True)]
    pages = [
        *family(),
        *twins,
        arrival(f"{ITEMS['museum']} ثلاثة", "page", canonical_url=url, fetched_at=DAYS[0]),
        arrival(ITEMS["harvest"], "page", canonical_url=url, fetched_at=DAYS[1]),
    ]
    engine = engines.open_engine(database, create=True)
    schema.upgrade(engine)
    write(engine, *pages)
    assert rows(engine, "SELECT count(*) FROM articles WHERE path IN ('a', 'b')") == [(2,)]
    hashes = rows(engine, "SELECT content_hash FROM articles")
    for stop_after in (1, 7):  # in the keys, then in the links
        assert _in_its_own_process(database, [], stop_after) == -signal.SIGKILL
    assert _in_its_own_process(database, [], None) == 0
    assert rows(engine, "SELECT DISTINCT key_version FROM articles") == [(2,)]
    assert rows(engine, "SELECT DISTINCT key_version FROM article_shingles") == [(2,)]
    assert not set(hashes) & set(rows(engine, "SELECT content_hash FROM articles WHERE path = 'a'"))

    fresh = engines.open_engine(f"sqlite:///{tmp_path / 'fresh.db'}", create=True)
    schema.upgrade(fresh)
    assert (
        _in_its_own_process(f"sqlite:///{tmp_path / 'fresh.db'}", [remade(p) for p in pages], None)
        == 0
    )
    said = (
        "SELECT path, identity, content_hash, key_version FROM articles ORDER BY path",
        "SELECT content_hash FROM article_versions",
    )
    for query in said:
        assert rows(engine, query) == rows(fresh, query)
    assert (stories(engine), links(engine)) == (stories(fresh), links(fresh))
    fresh.dispose()
    engine.dispose()


#: Two spellings that only the other key folds into one.
TWINS = (f"{ITEMS['bridge']} نظارة", f"{ITEMS['bridge']} نضارة")


def remade(page: Any) -> Any:
    """The arrival as a Warraq with the other key would make it."""
    key = " ".join(_other_key(block.text) for block in page.result.blocks)
    hashed = hashlib.sha256(key.encode()).hexdigest()
    return replace(page, result=replace(page.result, content_hash=hashed, plain_hash=hashed))


def test_articles_from_before_the_migration_get_their_stories(database: str) -> None:
    engine = engines.open_engine(database, create=True)
    schema.upgrade(engine)
    write(engine, *family(), arrival("نص", "v", canonical_url="https://a.example/1"))
    write(engine, arrival("نص آخر", "v", canonical_url="https://a.example/1"))
    schema.downgrade(engine, "0001")
    schema.upgrade(engine)
    # The column is added in place: versions and ledger, which hang on articles, are still there.
    assert rows(engine, "SELECT count(*) FROM article_versions") == [(1,)]
    assert rows(engine, "SELECT count(*) FROM articles WHERE story_id IS NULL") == [(14,)]
    assert dedup.rebuild(engine) == 14
    assert stories(engine) >= STORIES
    engine.dispose()


# --- writers at once -------------------------------------------------------------------------


def _write_part(database: str, part: Sequence[tuple[str, str]], ready: Any) -> None:
    engine = engines.open_engine(database)
    ready.wait()
    for path, said in part:
        write(engine, arrival(said, path, source=f"outlet-{path}"))
    engine.dispose()


@pytest.mark.postgres
def test_two_processes_writing_one_story_end_in_one_cluster(new_postgres: str) -> None:
    engine = engines.open_engine(new_postgres)
    schema.upgrade(engine)
    cuts = [FIRST, LAST, STORY, STORY.replace("أمس", "اليوم"), *windows().values()]
    pages = [(f"{n}", said) for n, said in enumerate(cuts * 3)]
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(2)
    writers = [
        context.Process(target=_write_part, args=(new_postgres, pages[part::2], ready))
        for part in range(2)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=120)
        assert writer.exitcode == 0
    assert stories(engine) == {frozenset(path for path, _ in pages)}
    (joined,) = rows(engine, "SELECT count(*) FROM stories WHERE merged_into IS NULL")[0]
    assert joined == 1
    engine.dispose()


# --- real articles, where they are at hand ------------------------------------------------------


def gold(name: str) -> list[dict[str, Any]]:
    file = SHARED / "gold" / name
    if not file.exists():
        pytest.skip(f"no {name}")
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def pair_f1(answers: Sequence[dict[str, Any]], found: Sequence[bool]) -> float:
    """Over the pairs that are copies or surely none; `partial` ones may be either."""
    copies = {"exact", "near", "contained"}
    right = sum(a["label"] in copies and f for a, f in zip(answers, found, strict=True))
    wrong = sum(a["label"] == "related_not_dup" and f for a, f in zip(answers, found, strict=True))
    missed = sum(a["label"] in copies and not f for a, f in zip(answers, found, strict=True))
    return float(2 * right / (2 * right + wrong + missed))


def test_real_pairs() -> None:
    answers = gold("duplicates.jsonl")
    found = [copy_of(*answer["texts"]) is not None for answer in answers]
    assert pair_f1(answers, found) >= 0.99
    related = [f for a, f in zip(answers, found, strict=True) if a["label"] == "related_not_dup"]
    assert related and not any(related)


def test_real_pairs_through_the_store(engine: Engine) -> None:
    answers = gold("duplicates.jsonl")
    pages = [
        arrival(
            "\n".join(filter(None, map(str.strip, said.split("\n")))),
            f"{answer['id']}/{n}",
            canonical_url=f"https://gold.example/{answer['id']}/{n}",
        )
        for answer in answers
        for n, said in enumerate(answer["texts"])
    ]
    random.Random(5).shuffle(pages)
    for at in range(0, len(pages), 100):
        write(engine, *pages[at : at + 100])
    linked = {link[:2] for link in links(engine)}
    found = [(f"{a['id']}/0", f"{a['id']}/1") in linked for a in answers]
    direct = [copy_of(*answer["texts"]) is not None for answer in answers]
    assert found == direct  # nothing is missed on the way to the comparison
    assert pair_f1(answers, found) >= 0.99


def test_real_documents(engine: Engine) -> None:
    from tests.conftest import run_warraq

    if not (SHARED / "seeds").is_dir():
        pytest.skip("no ../shared/seeds")
    url = engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    assert run_warraq(["replay", SHARED / "seeds", "--db", url]).returncode == 0
    query = (
        "SELECT a.path, b.path, l.kind, l.containment FROM article_links l "
        "JOIN articles a ON a.id = l.a_id JOIN articles b ON b.id = l.b_id"
    )
    (found,) = rows(engine, query)
    assert sorted(path.rsplit("/", 1)[1][:3] for path in found[:2]) == ["000", "001"]
    assert found[2:] == ("contains", 1.0)
    assert sorted(map(len, stories(engine))) == [1, 1, 1, 2]


def test_permutations_of_a_chain(engine: Engine) -> None:
    """a - ab - b - bc - c: joined by links only, in every order of arrival."""
    parts = windows()
    for number, order in enumerate(itertools.islice(itertools.permutations(parts), 0, 120, 17)):
        mark = f"حي{number}"
        pages = [
            arrival(" ".join(mark + word for word in parts[name].split()), f"{number}{name}")
            for name in order
        ]
        for page in pages:
            write(engine, page)
        assert frozenset(f"{number}{name}" for name in parts) in stories(engine)
