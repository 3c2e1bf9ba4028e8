"""What a source's file says of its pages (dates, selectors, lookups) counts when they are read."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pipelines.document import Article, BlockKind, RawPage, Rejected, Stated
from pipelines.process import process
from pipelines.source import Source

TITLE = "البلدية تفتتح مكتبة عامة في مبنى الجمارك القديم"
BODY = [
    "افتتحت البلدية صباح السبت مكتبة عامة في مبنى الجمارك القديم، بعد أعمال ترميم استمرت سنتين.",
    "وتضم المكتبة نحو أربعين ألف كتاب، تبرع السكان بثلثها، إلى جانب قاعة للأطفال.",
    "وقالت مديرة المكتبة إن الدخول مجاني طوال العام، وإن الاستعارة تبدأ مطلع الشهر المقبل.",
]
ASIDE = "وفي المدينة المجاورة تستعد فرقة المسرح لعرض جديد، ويقول مخرجها إنه الأول من نوعه هناك."


def page(inside: str, head: str = "", **known: Any) -> RawPage:
    html = f'<html lang="ar"><head><meta charset="utf-8">{head}</head><body>{inside}</body></html>'
    return RawPage(html.encode(), url="https://sahifa.example/a/1", **known)


def read(raw: RawPage, **facts: Any) -> Article:
    result = process(raw, Source.model_validate({"key": "eg/sahifa", **facts}))
    assert isinstance(result, Article), result
    return result


def paragraphs(*lines: str) -> str:
    return "".join(f"<p>{line}</p>" for line in lines)


# --- dates -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("printed", "plain", "month_first"),
    [
        ("03/04/2024", "2024-04-03", "2024-03-04"),
        ("03-04-24", "2024-04-03", "2024-03-04"),
        ("03/04/2024 18:30", "2024-04-03T18:30", "2024-03-04T18:30"),
        ("نشر: 03/04/2024 - آخر تحديث: 05/06/2024", "2024-04-03", "2024-03-04"),
        ("13/04/2024", "2024-04-13", "2024-04-13"),  # possible in one way only
        ("04/13/2024", "2024-04-13", "2024-04-13"),
        ("2024-03-04", "2024-03-04", "2024-03-04"),
        ("04/04/2024", "2024-04-04", "2024-04-04"),
        ("الأربعاء 03/04/2024", "2024-04-03", "2024-04-03"),  # the weekday knows better
        ("الاثنين 03/04/2024", "2024-03-04", "2024-03-04"),
        ("3 أبريل 2024", "2024-04-03", "2024-04-03"),
        ("03/04/1445", None, None),
    ],
)
def test_order_of_day_and_month(printed: str, plain: str | None, month_first: str | None) -> None:
    raw = page(f"<h1>{TITLE}</h1><div class=date>{printed}</div>{paragraphs(*BODY)}")
    for wanted, hint in ((plain, None), (plain, "day_first"), (month_first, "month_first")):
        found = read(raw, dates=hint).published
        if wanted is not None:
            assert found and found.iso == wanted, hint


def test_order_counts_for_what_a_feed_states() -> None:
    raw = page(f"<h1>{TITLE}</h1>{paragraphs(*BODY)}", stated=Stated(published_at="3/4/2024"))
    found = read(raw, dates="month_first").published
    assert found and (found.iso, found.method) == ("2024-03-04", "stated")


# --- selectors ---------------------------------------------------------------------------------

ODD = (
    f"<h1>{ASIDE}</h1><div class=kicker>محليات</div><h3 class=t>{TITLE}</h3>"
    "<span class=w>بقلم:</span><b id=who>سلمى حداد</b>"
    "<div class=when data-x=1>حرر في <i>12 مارس 2021</i></div>"
    f"<div id=story>{BODY[0]}<br><br>{BODY[1]}<script>x()</script><ul><li>قائمة أولى</li></ul>"
    f"<h2>قاعة للأطفال</h2><blockquote><p>{BODY[2]}</p></blockquote>"
    f"<aside>{ASIDE}</aside></div><div class=more>{paragraphs(ASIDE, ASIDE)}</div>"
)
SELECTORS = {"title": "h3.t", "author": "#who", "date": ".when i", "text": "#story"}


def test_selectors_point_at_what_nothing_else_tells() -> None:
    article = read(page(ODD), selectors=SELECTORS)
    assert (article.title, article.title_method) == (TITLE, "selector")
    assert article.author == "سلمى حداد"
    assert article.published and article.published.iso == "2021-03-12"
    assert article.published.method == "selector"
    assert [(block.kind, block.text) for block in article.blocks] == [
        (BlockKind.PARAGRAPH, BODY[0]),
        (BlockKind.PARAGRAPH, BODY[1]),
        (BlockKind.LIST, "قائمة أولى"),
        (BlockKind.HEADING, "قاعة للأطفال"),
        (BlockKind.QUOTE, BODY[2]),
    ]
    assert "selector_missed" not in article.flags


def test_selectors_outweigh_what_the_page_and_the_feed_state() -> None:
    head = (
        '<meta property="article:published_time" content="2021-03-20T10:00:00Z">'
        f'<meta property="og:title" content="{ASIDE}"><meta name="author" content="الموقع">'
    )
    stated = Stated(ASIDE, "المحرر", "2021-03-20T10:00:00Z")
    article = read(page(ODD, head, stated=stated), selectors=SELECTORS)
    assert (article.title, article.author) == (TITLE, "سلمى حداد")
    assert article.published and article.published.iso == "2021-03-12"
    assert "date_conflict" in article.flags  # and nobody is kept in the dark


def test_date_of_an_attribute() -> None:
    markup = f"<time class=d datetime='2021-03-12T09:30:00+02:00'>أمس</time>{paragraphs(*BODY)}"
    head = "<meta name=day content='2021-03-11'>"
    when = read(page(markup, head), selectors={"date": "time.d"}).published
    assert when and when.iso == "2021-03-12T09:30:00+02:00"
    when = read(page(paragraphs(*BODY), head), selectors={"date": "meta[name=day]"}).published
    assert when and when.iso == "2021-03-11"


def test_selector_that_finds_nothing_is_flagged_and_the_rest_still_works() -> None:
    markup = f"<article><h1>{TITLE}</h1>{paragraphs(*BODY)}</article>"
    article = read(page(markup), selectors={"text": "#story", "title": ".none"})
    assert article.text.split("\n") == BODY and article.title == TITLE
    assert "selector_missed" in article.flags


def test_several_elements_each_once() -> None:
    markup = f"<div class=s>{BODY[0]}<div class=s>{BODY[1]}</div></div><div class=s>{BODY[2]}</div>"
    assert read(page(markup), selectors={"text": ".s"}).text.split("\n") == BODY


def test_text_that_holds_nothing_is_told() -> None:
    source = Source.model_validate({"key": "a", "selectors": {"text": "#empty"}})
    told = process(page(f"<div id=empty> <br> </div>{paragraphs(*BODY)}"), source)
    assert isinstance(told, Rejected) and told.reason == "no_text"


def test_many_elements_cost_little() -> None:
    markup = "<div class=s>" * 200 + "س " * 1000 + f"<p class=s>{BODY[0]}</p>" * 20_000
    began = datetime.now(UTC)
    read(page(markup, fetched_at=began), selectors={"text": ".s", "title": ".s", "date": ".s"})
    assert (datetime.now(UTC) - began).total_seconds() < 10


# --- lookups -----------------------------------------------------------------------------------


def test_lookups_say_what_printed_values_mean() -> None:
    head = (
        '<meta name="author" content="المحرّر"><meta property="article:section" content="a-la-une">'
    )
    raw = page(f"<h1>{TITLE}</h1>{paragraphs(*BODY)}", head)
    plain = read(raw)
    assert (plain.author, plain.section) == ("المحرّر", "a-la-une")
    lookups = {
        "author": {"المحرر": None, "غيره": "x"},  # without the mark: compared by match key
        "section": {"A-la-Une": "الرئيسية"},
    }
    known = read(raw, lookups=lookups)
    assert (known.author, known.section) == (None, "الرئيسية")
    assert read(raw, lookups={"section": {"other": "x"}}).section == "a-la-une"


def test_lookup_of_a_place_leaves_the_agency() -> None:
    lead = f"بيروت 12 مارس (رويترز) - {BODY[0]}"
    raw = page(f"<h1>{TITLE}</h1>{paragraphs(lead, *BODY[1:])}")
    assert (read(raw).place, read(raw).agency) == ("بيروت", "reuters")
    known = read(raw, lookups={"place": {"بيروت": "بيروت، لبنان"}})
    assert (known.place, known.agency) == ("بيروت، لبنان", "reuters")
