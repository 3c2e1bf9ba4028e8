"""What a page's markup tells of its lines: boxes around an article go, parts of it stay."""

import json
from html import escape

import pytest

from pipelines.document import Article, BlockKind, RawPage
from pipelines.process import process

TEXT = (
    "أعلنت بلدية الميناء صباح اليوم خطة لتوسيع الرصيف الغربي، وقالت إن العمل يبدأ مطلع الشهر "
    "المقبل بعد أن أقر المجلس الموازنة بالإجماع.",
    "وقال رئيس البلدية إن الرصيف الجديد يستقبل ثلاث سفن في وقت واحد، وإن الأشغال لن توقف حركة "
    "الصيادين الذين يعبرون المدخل الشرقي كل صباح.",
    "وأضاف أن الشركة المنفذة تعهدت بتشغيل مئتي عامل من أبناء المدينة، وأن الدفعة الأولى منهم تبدأ "
    "تدريبها في الأسبوع الأول من الشهر.",
    "ويشكو أصحاب المراكب من ضيق المرسى منذ سنوات، ويقولون إن كل تأخير في الرسو يعني يوما ضائعا "
    "وبضاعة تفسد قبل أن تصل إلى السوق.",
)
BIO = "سلمى حداد صحفية من الساحل تكتب عن الموانئ والمدن، ونشرت كتابين عن تاريخ الملاحة في المنطقة."
OTHER = "خبراء يناقشون في العاصمة مستقبل النقل البحري وأسعار الشحن بين الموانئ الكبيرة هذا العام."


def read(inside: str, head: str = "", above: str = "") -> Article:
    paragraphs = [f"<p>{escape(paragraph)}</p>" for paragraph in TEXT]
    body = "".join(paragraphs[:2]) + inside + "".join(paragraphs[2:])
    content = (
        f'<html lang="ar"><head><title>توسيع الرصيف الغربي</title>{head}</head><body><article>'
        f"<h1>توسيع الرصيف الغربي</h1>{above}<div class='article-body'>{body}</div>"
        "</article></body></html>"
    )
    found = process(RawPage(content.encode()), None)
    assert isinstance(found, Article), found
    return found


@pytest.mark.parametrize(
    ("box", "rule"),
    [
        (f'<div class="author-bio"><p>{BIO}</p></div>', "box.author"),
        (f'<div class="post-about_author wide"><p>{BIO}</p></div>', "box.author"),
        (f'<div class="promo-small promo"><p>{OTHER}</p></div>', "box.related"),
        (f'<div id="read-more"><p>{OTHER}</p></div>', "box.related"),
        (f'<div class="figure-caption"><p>{OTHER}</p></div>', "box.caption"),
        (f'<div class="c-lightbox"><p>{OTHER}</p></div>', "box.subscribe"),
    ],
)
def test_a_box_leaves_the_text(box: str, rule: str) -> None:
    found = read(box)
    assert found.text.split("\n") == list(TEXT)
    # Extraction itself leaves some of them out; what it brought is told with its rule.
    assert {line.rule for line in found.removed} <= {rule, "title.echo"}


@pytest.mark.parametrize(
    "box",
    [
        f'<div class="promontory-text"><p>{OTHER}</p></div>',  # no box is called that
        f'<div class="text-body"><p>{OTHER}</p></div>',
        f'<div class="promo"><p>{OTHER}</p></div><p>{OTHER}</p>',  # it stands outside as well
    ],
)
def test_text_stays_whatever_its_class_resembles(box: str) -> None:
    assert OTHER in read(box).text


def test_a_class_around_much_of_the_text_is_not_believed() -> None:
    found = read("").text
    content = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in TEXT)
    page = (
        f"<html><head><title>توسيع الرصيف</title></head><body><h1>توسيع الرصيف</h1>"
        f'<div class="related-content"><div class="author-content">{content}</div></div></body>'
    )
    article = process(RawPage(page.encode()), None)
    assert isinstance(article, Article)
    assert article.text == found


def test_a_tweet_stays_without_its_signature() -> None:
    tweet = (
        f'<blockquote class="twitter-tweet"><p>{OTHER}</p>— ميناء (@almina) February 28, 2024'
        "</blockquote>"
    )
    lines = read(tweet).text.split("\n")
    assert OTHER in lines
    assert not any("@almina" in line for line in lines)


def test_points_between_title_and_text_are_told_first() -> None:
    points = ("العمل في الرصيف يبدأ مطلع الشهر المقبل", "مئتا عامل من أبناء المدينة في المشروع")
    above = f"<div><ul>{''.join(f'<li>{point}</li>' for point in points)}</ul></div>"
    blocks = read("", above=above).blocks
    assert [(b.kind, b.text) for b in blocks[:2]] == [(BlockKind.LIST, p) for p in points]
    linked = above.replace("<li>", '<li><a href="/x">').replace("</li>", "</a></li>")
    assert not any(point in read("", above=linked).text for point in points)


def test_a_long_table_is_no_text_and_a_short_one_is() -> None:
    def table(rows: int) -> str:
        cells = "".join(
            f"<tr><td>ميناء رقم {n}</td><td>{n * 7} سفينة</td></tr>" for n in range(rows)
        )
        return f"<table>{cells}</table>"

    assert "ميناء رقم 3 | 21 سفينة" in read(table(5)).text
    long = read(table(80))
    assert long.text.split("\n") == list(TEXT)
    assert sum(line.rule == "table.data" for line in long.removed) == 80


def test_updates_of_a_live_blog_are_whole() -> None:
    updates = [
        (f"تحديث رقم {n} من الميناء", f"{TEXT[n % 4][:-1]} كما جاء في البيان {n}.")
        for n in range(9)
    ]
    stated = {
        "@type": "LiveBlogPosting",
        "headline": "توسيع الرصيف الغربي",
        "liveBlogUpdate": [
            {"@type": "BlogPosting", "headline": title, "articleBody": body}
            for title, body in updates
        ],
    }
    head = f'<script type="application/ld+json">{json.dumps(stated)}</script>'
    shown = "".join(
        f'<div class="aside-item"><h3>{title}</h3><p>{body}</p></div>' for title, body in updates
    )
    found = read("", head=head, above=f'<div class="sidebar">{shown}</div>')
    assert "live_blog" in found.flags
    assert all(title in found.text and body in found.text for title, body in updates)


@pytest.mark.parametrize(
    "stub",
    [
        "لقراءة المقال كاملا اشترك الآن",
        "To read the full article, subscribe now",
        "این مطلب ویژه مشترکان است",
    ],
)
def test_a_stub_of_a_paid_article_is_flagged_and_long_text_is_not(stub: str) -> None:
    content = "<html><body><h1>توسيع الرصيف</h1>{}<p>{}</p></body></html>"
    text = "".join(f"<p>{paragraph}</p>" for paragraph in TEXT)
    for body, flagged in ((text, True), (text * 6, False)):
        if not flagged:
            body = "".join(f"<p>{n} {paragraph}</p>" for n in range(6) for paragraph in TEXT)
        found = process(RawPage(content.format(body, stub).encode()), None)
        assert isinstance(found, Article)
        assert ("paywall" in found.flags) is flagged
        assert stub not in found.text
