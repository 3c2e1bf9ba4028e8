"""`process`: the same text in any dress is the same article, and nothing is dropped in silence."""

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.document import Article, RawPage, Reason, Rejected, Stated
from pipelines.process import Learned, process
from pipelines.source import Source

TITLE = "بلدية الميناء تفتتح مكتبة عامة في مبنى الجمارك القديم"
BODY = [
    "افتتحت بلدية الميناء صباح السبت مكتبة عامة في مبنى الجمارك القديم، بعد أعمال ترميم استمرت "
    "سنتين وشارك فيها متطوعون من أحياء المدينة كافة.",
    "وتضم المكتبة نحو أربعين ألف كتاب، تبرع السكان بثلثها، إلى جانب قاعة للأطفال وأخرى "
    "للمخطوطات المحلية التي نقلت من أرشيف البلدية.",
    "وقالت مديرة المكتبة إن الدخول مجاني طوال العام، وإن الاستعارة تبدأ مطلع الشهر المقبل بعد "
    "الانتهاء من فهرسة المجموعة كاملة.",
]
HEADING = "قاعة للأطفال"


def text_page(*lines: str, **known: Any) -> RawPage:
    body = "\n\n".join(lines).encode()
    return RawPage(body, "page.txt", media_type="text/plain", charset="utf-8", **known)


def html_page(inside: str, head: str = "", **known: Any) -> RawPage:
    body = f'<!DOCTYPE html><html lang="ar"><head><meta charset="utf-8">{head}</head>'
    return RawPage(f"{body}<body>{inside}</body></html>".encode(), "page.html", **known)


def paragraphs(*lines: str) -> str:
    return "".join(f"<p>{line}</p>" for line in lines)


def article(page: RawPage, source: Source | None = None, learned: Learned | None = None) -> Article:
    result = process(page, source, learned)
    assert isinstance(result, Article), result
    return result


def test_text_and_html_meet_in_the_same_article() -> None:
    plain = article(text_page(TITLE, BODY[0], BODY[1], HEADING, BODY[2]))
    page = article(
        html_page(
            f"<nav><a href='/'>الرئيسية</a></nav><article><h1>{TITLE}</h1>"
            f"{paragraphs(*BODY[:2])}<h2>{HEADING}</h2>{paragraphs(BODY[2])}</article>"
            "<footer>جميع الحقوق محفوظة</footer>",
            f"<title>{TITLE} - صحيفة</title>",
        )
    )
    assert plain.title == page.title == TITLE
    assert plain.blocks == page.blocks
    assert plain.content_hash == page.content_hash


def test_furniture_spelling_and_digits_do_not_change_the_hash() -> None:
    bare = article(text_page(*BODY, "وبلغ عدد المتطوعين 120 شخصا."))
    dressed = article(
        text_page(
            "بث مباشر",
            TITLE,
            TITLE,
            *(line.replace("إ", "ا").replace("أ", "ا") for line in BODY),
            "وبلغ عدد المتطوعين ١٢٠ شخصاً.",
            "شارك الخبر على فيسبوك",
            "حقوق النشر محفوظة",
        )
    )
    assert dressed.content_hash == bare.content_hash
    assert {line.text for line in dressed.removed} >= {"بث مباشر", TITLE, "شارك الخبر على فيسبوك"}
    assert all(line.rule for line in dressed.removed)


def test_first_line_is_a_title_only_if_it_reads_like_one() -> None:
    assert article(text_page(TITLE, *BODY)).title == TITLE
    assert article(text_page(*BODY)).title is None
    assert article(text_page(*BODY)).blocks[0].text == BODY[0]


def test_sub_headings_stay_in_the_text() -> None:
    page = article(text_page(TITLE, BODY[0], HEADING, BODY[1], BODY[2]))
    assert [b.kind for b in page.blocks] == ["paragraph", "heading", "paragraph", "paragraph"]


def test_deck_is_told_from_the_body() -> None:
    deck = (
        "مكتبة عامة في مبنى الجمارك القديم بعد ترميم استمر سنتين وشارك فيه متطوعون من أحياء المدينة"
    )
    page = article(text_page(TITLE, deck, *BODY))
    assert page.deck == deck
    assert page.text.split("\n") == BODY
    goes_on = (
        f"وضم مبنى الجمارك القديم مكتبة عامة، {deck[len('مكتبة عامة في مبنى الجمارك القديم ') :]}."
    )
    lead = article(text_page(TITLE, deck + ".", goes_on, *BODY[1:]))
    assert lead.deck is None and lead.text.split("\n")[0] == deck + "."


def test_short_words_do_not_make_a_deck_of_a_lead() -> None:
    lead = "The harbour clerk said in a letter on Thursday that the ferry to the island is to stop."
    rest = [
        "It is the last of the boats in the bay, and a third of the pupils of the school use it.",
        "The council is to meet in the town hall in a week, and it is to decide on a levy then.",
        "Residents have asked for a vote, which the mayor has promised to hold before winter.",
    ]
    page = article(text_page("Last ferry to the island is to stop", lead, *rest))
    assert page.deck is None and page.text.split("\n")[0] == lead


def test_paragraphs_of_one_link_are_related_headlines() -> None:
    link = "<p><a href='/n/2'>حريق يلتهم أربعة متاجر في السوق القديمة</a></p>"
    page = article(
        html_page(f"<article><h1>{TITLE}</h1>{paragraphs(BODY[0])}{link}{paragraphs(*BODY[1:])}")
    )
    assert page.text.split("\n") == BODY
    assert [line.rule for line in page.removed if "حريق" in line.text] == ["related.link"]
    titles = [f"عناوين الصحيفة رقم {n} هذا الصباح" for n in range(12)]
    press = "".join(f"<p><a href='/n'>{title}</a></p>" for title in titles)
    page = article(html_page(f"<article><h1>{TITLE}</h1>{paragraphs(*BODY[:2])}{press}</article>"))
    assert "عناوين الصحيفة رقم 3 هذا الصباح" in page.text


def test_table_of_data_stays_one() -> None:
    rows = "".join(f"<tr><td><p>صنف {n}</p></td><td><p>{n} دنانير</p></td></tr>" for n in "345")
    told = f"{paragraphs(*BODY[:2])}<table>{rows}</table>{paragraphs(BODY[2])}"
    inside = f"<article><h1>{TITLE}</h1>{told}</article>"
    page = article(html_page(inside))
    assert [b.text for b in page.blocks if b.kind == "table"] == [
        f"صنف {n} | {n} دنانير" for n in "345"
    ]


def test_zone_of_the_source_serves_a_time_without_one() -> None:
    line = "السبت 11 مايو 2024 - 09:15"
    page = text_page(TITLE, line, *BODY)
    told = article(page, Source(key="eg/sahifa", zone="Africa/Cairo")).published
    assert told is not None and told.iso == "2024-05-11T09:15+03:00"
    alone = article(page).published
    assert alone is not None and alone.iso == "2024-05-11T09:15"


def test_date_in_the_body_is_no_date_of_publication() -> None:
    page = article(text_page(TITLE, "جرى ذلك في 3 مارس 2019 بحضور المحافظ وأعضاء المجلس.", *BODY))
    assert page.published is None


def test_what_others_state_comes_first() -> None:
    stated = Stated(title="عنوان من الخلاصة", author="كاتبة", published_at="2024-05-11T09:15:00Z")
    page = article(text_page(*BODY, stated=stated, url="https://news.example/a?utm_source=x"))
    assert (page.title, page.title_method, page.author) == ("عنوان من الخلاصة", "stated", "كاتبة")
    assert page.published is not None and page.published.method == "stated"
    assert page.canonical_url == "https://news.example/a"
    assert page.source == "news.example"


def test_front_page_as_canonical_url_is_not_believed() -> None:
    link = "<link rel='canonical' href='https://news.example/'>"
    page = html_page(f"<h1>{TITLE}</h1>{paragraphs(*BODY)}", link, url="https://news.example/n/7")
    assert article(page).canonical_url == "https://news.example/n/7"
    foreign = "<link rel='canonical' href='https://other.example/n/9'>"
    page = html_page(
        f"<h1>{TITLE}</h1>{paragraphs(*BODY)}", foreign, url="https://news.example/n/7"
    )
    assert article(page).canonical_url == "https://news.example/n/7"


def test_structured_data_gives_fields_of_their_own() -> None:
    stated = {
        "@type": ["NewsArticle"],
        "headline": TITLE,
        "datePublished": "2024-05-11T09:15:00+03:00",
        "author": [{"@type": "Person", "name": "سلمى حداد"}],
        "articleSection": "ثقافة",
    }
    script = f"<script type='application/ld+json'>{json.dumps({'@graph': [stated]})}</script>"
    page = article(html_page(f"<h1>{TITLE}</h1>{paragraphs(*BODY)}", script))
    assert (page.author, page.section) == ("سلمى حداد", "ثقافة")
    assert page.published is not None
    assert (page.published.iso[:16], page.published.method) == ("2024-05-11T09:15", "json_ld")


def test_row_of_tags_around_the_text_leaves_it() -> None:
    row = (
        "<ul>"
        + "".join(f"<li><span>{tag}</span></li>" for tag in ("مكتبات", "الميناء", "ترميم"))
        + "</ul>"
    )
    # Behind the text the row may hold one more, the page's section.
    longer = row.replace("<ul>", "<ul><li><span>مدن وبلدات</span></li>")
    for behind in (row, longer):
        inside = f"<article><h1>{TITLE}</h1>{row}{paragraphs(*BODY)}{behind}</article>"
        assert article(html_page(inside)).text.split("\n") == BODY
    ingredients = "<ul><li>كوب دقيق</li><li>ملعقة ملح</li></ul>"
    page = article(
        html_page(f"<article><h1>{TITLE}</h1>{paragraphs(*BODY)}{ingredients}</article>")
    )
    assert page.text.split("\n")[-2:] == ["كوب دقيق", "ملعقة ملح"]


def test_tags_and_site_name_are_kept() -> None:
    head = (
        f"<title>{TITLE} - صحيفة الميناء</title><meta property='og:title' content='{TITLE}'>"
        "<meta name='keywords' content='مكتبات، #ترميم_المباني, الميناء'>"
    )
    page = article(html_page(f"<h1>{TITLE}</h1>{paragraphs(*BODY)}", head))
    assert page.tags == ("مكتبات", "ترميم المباني", "الميناء")
    assert page.site_name == "صحيفة الميناء"
    assert page.title == TITLE


def test_all_dates_that_were_found_are_kept_with_their_method() -> None:
    head = (
        "<meta property='article:published_time' content='2024-05-11T09:15:00+03:00'>"
        "<meta property='article:modified_time' content='2024-05-12T10:00:00+03:00'>"
    )
    shown = "<div class='date'>السبت 11 مايو 2024 - 09:15</div>"
    page = article(html_page(f"<h1>{TITLE}</h1>{shown}{paragraphs(*BODY)}", head))
    assert page.date_candidates == (
        ("meta", "published", "2024-05-11T09:15:00+03:00"),
        ("meta", "modified", "2024-05-12T10:00:00+03:00"),
        ("date_line", "published", "السبت 11 مايو 2024 - 09:15"),
    )
    assert page.modified is not None and page.modified.iso.startswith("2024-05-12T10:00")


def test_date_before_the_outlet_existed_loses() -> None:
    head = "<meta property='article:published_time' content='1999-05-11T09:15:00+03:00'>"
    source = Source.model_validate({"key": "eg/sahifa", "founded": "2005-01-01"})
    page = html_page(f"<h1>{TITLE}</h1>{paragraphs(*BODY)}", head)
    assert article(page).published is not None
    kept = article(page, source)
    assert kept.published is None and "date_too_early" in kept.flags


def test_time_left_from_a_template_loses_to_what_is_shown() -> None:
    shown = "<time datetime='2008-02-14 20:00'>11/5/2024</time>"
    page = article(html_page(f"<h1>{TITLE}</h1>{shown}{paragraphs(*BODY)}"))
    assert page.published is not None and page.published.iso == "2024-05-11"


def test_lead_that_extraction_takes_for_furniture_is_kept() -> None:
    lead = "<div class='share-box'><p class='article-intro'>" + BODY[0] + "</p></div>"
    page = article(
        html_page(
            f"<main><h1>{TITLE}</h1>{lead}<article>{paragraphs(*BODY[1:], HEADING, *BODY[1:])}"
            "</article></main>",
            f"<meta property='og:description' content='{BODY[0][:60]}...'>",
        )
    )
    assert page.text.split("\n")[0] == BODY[0]


def test_by_line_without_a_colon_is_read_from_the_head() -> None:
    line = "<div>كتبت سلمى حداد</div>"
    page = article(html_page(f"<h1>{TITLE}</h1>{line}{paragraphs(*BODY)}"))
    assert page.author == "سلمى حداد"
    assert "سلمى" not in page.text


@pytest.mark.parametrize(
    "script",
    [
        "{",
        "[" * 50_000,
        "null",
        '{"@type": {"a": 1}, "headline": 5}',
        '"' + "x" * 600_000 + '"',
        "5",
    ],
    ids=["cut", "deep", "null", "odd", "huge", "number"],
)
def test_broken_structured_data_is_ignored(script: str) -> None:
    head = f"<script type='application/ld+json'>{script}</script>"
    assert article(html_page(f"<h1>{TITLE}</h1>{paragraphs(*BODY)}", head)).title == TITLE


def test_learned_lines_leave_the_text() -> None:
    from pipelines.arabic import match_key

    line = "صوتك يصل إلينا في كل وقت"
    page = text_page(TITLE, *BODY, line)
    assert line in article(page).text
    taught = article(page, learned=Learned(frozenset({match_key(line)})))
    assert line not in taught.text
    assert line in {removed.text for removed in taught.removed}


def test_language_is_told_from_the_words() -> None:
    persian = (
        "شهرداری بندر روز شنبه کتابخانه‌ای عمومی را در ساختمان قدیمی گمرک گشود و شهروندان آمدند."
    )
    assert article(text_page(*BODY)).language == "ar"
    assert article(text_page(persian)).language == "fa"


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (RawPage(b"", "a.txt", media_type="text/plain"), Reason.EMPTY),
        (RawPage(b"%PDF-1.7\n\x00\x01\x02\x03" * 20, "a.html"), Reason.BINARY),
        (html_page(""), Reason.NO_TEXT),
        (text_page("شارك الخبر", "جميع الحقوق محفوظة"), Reason.NO_TEXT),
        (html_page("<div>" * 300 + "نص" + "</div>" * 300), Reason.TOO_DEEP),
        (
            html_page("".join(f"<h3><a href='/{n}'>خبر رقم {n}</a></h3>" for n in range(40))),
            Reason.NOT_AN_ARTICLE,
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, Reason) else "",
)
def test_rejections_are_named(page: RawPage, reason: Reason) -> None:
    result = process(page, None)
    assert isinstance(result, Rejected)
    assert result.reason is reason
    assert result.stage and result.detail


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["text/html", "text/plain"]))
def test_any_bytes_end_in_an_outcome(body: bytes, media_type: str) -> None:
    result = process(RawPage(body, "x", media_type=media_type), None)
    assert isinstance(result, Article | Rejected)
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [TITLE, *BODY, HEADING, "شارك", "بث مباشر", "11 مايو 2024", "المصدر: وكالات"]
        ),
        min_size=1,
        max_size=12,
    )
)
def test_every_line_is_kept_or_noted(lines: list[str]) -> None:
    result = process(text_page(*lines, fetched_at=datetime(2024, 6, 1, tzinfo=UTC)), None)
    if isinstance(result, Article):
        title = [result.title] if result.title_method == "first_line" and result.title else []
        told = [*title, *(b.text for b in result.blocks), *(r.text for r in result.removed)]
        assert sorted(told) == sorted(lines)


LONG = (
    "وقالت البلدية إن أعمال ترميم السوق القديم ستبدأ مطلع الشهر المقبل وتستمر عاما كاملا على ثلاث "
    "مراحل يبقى فيها نصف المحال مفتوحا أمام الزبائن طوال أيام الأسبوع."
)
OTHERS = (
    "وأوضح المهندس المشرف على المشروع أن الحجارة ستؤخذ من المقلع الذي بنيت منه الأسواق أول مرة.",
    "ويعود بناء السوق إلى القرن السابع عشر، وقد تضرر في زلزال قبل مئة عام ثم رمم على عجل.",
)


def paragraphs_of(body: str) -> tuple[list[str], list[str]]:
    page = f"<html><body><article><h1>ترميم السوق القديم</h1>{body}</article></body></html>"
    article = process(RawPage(page.encode()), None)
    assert isinstance(article, Article)
    return [block.text for block in article.blocks], [line.rule for line in article.removed]


def test_a_paragraph_that_the_page_shows_twice_is_told_once() -> None:
    lines = [LONG, *OTHERS, LONG]
    shown, rules = paragraphs_of("".join(f"<p>{line}</p>" for line in lines))
    assert shown == lines[:3]
    assert "repeated" in rules


def test_a_short_answer_may_stand_twice() -> None:
    lines = [LONG, "لا تعليق.", *OTHERS, "لا تعليق."]
    shown, rules = paragraphs_of("".join(f"<p>{line}</p>" for line in lines))
    assert shown.count("لا تعليق.") == 2
    assert "repeated" not in rules
