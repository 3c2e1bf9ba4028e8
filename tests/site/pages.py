"""How the newsroom's pages look: an article in three designs, the front page, listings.

The shapes are those of real systems: menus, share rows, a live header, related headlines,
most-read boxes, newsletters, copyright lines. None of it belongs to a story.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING

from tests.site.texts import SECTIONS

if TYPE_CHECKING:
    from tests.site.newsroom import Article, Newsroom

NAME = "صحيفة المرفأ الجديد"
_MONTHS = (
    "يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو", "يوليو", "أغسطس", "سبتمبر", "أكتوبر",
    "نوفمبر", "ديسمبر",
)  # fmt: skip


def article_page(room: "Newsroom", article: "Article") -> str:
    if article.charset == "windows-1256":
        return _table_design(room, article)
    return _new_design(room, article) if room.redesigned else _blog_design(room, article)


def _blog_design(room: "Newsroom", article: "Article") -> str:
    stated = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": article.title,
        "datePublished": article.published.isoformat(),
        "dateModified": (article.changed or article.published).isoformat(),
        "author": {"@type": "Person", "name": article.author},
        "articleSection": article.section,
        "mainEntityOfPage": article.url,
    }
    text = [f"<p>{escape(p)}</p>" for p in article.paragraphs]
    text.insert(
        2, f'<p><strong>اقرأ أيضا: <a href="/">{escape(room.furniture[0])}</a></strong></p>'
    )
    share = (
        '<div class="share-row"><span>شارك</span><a>فيسبوك</a><a>تويتر</a><a>واتساب</a>'
        "<a>طباعة</a></div>"
    )
    return _document(
        f"<title>{escape(article.title)} - {NAME}</title>"
        f'<link rel="canonical" href="{escape(article.url)}">'
        f'<meta property="og:type" content="article">'
        f'<meta property="og:title" content="{escape(article.title)}">'
        f'<meta property="og:site_name" content="{NAME}">'
        f'<meta property="article:published_time" content="{article.published.isoformat()}">'
        f'<script type="application/ld+json">{json.dumps(stated, ensure_ascii=False)}</script>',
        f'<div class="live-bar"><a href="/live">البث المباشر</a></div>{_menu()}<main>'
        f'<article class="post hentry"><header><h1 class="entry-title">{escape(article.title)}</h1>'
        f'<p class="deck">{escape(article.deck)}</p><div class="entry-meta"><span class="byline">'
        f'بقلم <a rel="author">{escape(article.author)}</a></span> '
        f'<time datetime="{article.published.isoformat()}">{_day(article.published)}</time></div>'
        f'{share}</header><div class="entry-content">{"".join(text)}</div>{share}</article>'
        f'<section class="related"><h2>مقالات ذات صلة</h2>{_cards(room.furniture[1:5])}</section>'
        f'</main><aside><h2>الأكثر قراءة</h2><ol class="most-read">{_list(room.furniture[5:])}'
        f"</ol><form><label>اشترك في النشرة البريدية</label><input></form></aside>{_footer()}",
    )


def _new_design(room: "Newsroom", article: "Article") -> str:
    """The same article after a redesign: no structured data but OpenGraph, other elements."""
    text = "".join(f'<div class="c-text__p">{escape(p)}</div>' for p in article.paragraphs)
    day = f"{_day(article.published)} - {article.published:%H:%M}"
    return _document(
        f"<title>{escape(article.title)} | {NAME}</title>"
        f'<link rel="canonical" href="{escape(article.url)}">'
        f'<meta property="og:type" content="article">'
        f'<meta property="og:title" content="{escape(article.title)}">'
        f'<meta property="article:published_time" content="{article.published.isoformat()}">',
        f'<div id="app">{_menu()}<div class="c-article"><h1 class="c-article__head">'
        f'{escape(article.title)}</h1><div class="c-article__info"><span>{day}</span> | '
        f"<span>{escape(article.author)}</span></div>"
        f'<div class="c-share">تابعونا على واتساب</div><div class="c-text">{text}</div>'
        f'<div class="c-tags"><a href="/t/1">{article.section}</a></div></div>'
        f'<div class="c-more"><div class="c-more__title">المزيد من الأخبار</div>'
        f"{_cards(room.furniture)}</div>{_footer()}</div>",
    )


def _table_design(room: "Newsroom", article: "Article") -> str:
    """An old system: tables, windows-1256."""
    title = escape(article.title)
    text = "".join(f'<p align="right">{escape(p)}</p>' for p in article.paragraphs)
    rows = "".join(
        f'<tr><td><a href="/">{escape(line)}</a></td></tr>' for line in room.furniture[:6]
    )
    return (
        f'<html dir="rtl"><head><meta http-equiv="Content-Type" '
        f'content="text/html; charset=windows-1256"><title>{NAME} :: {title}</title>'
        f'<meta property="og:url" content="{escape(article.url)}"></head>'
        f'<body><table width="980"><tr><td colspan="2">{_menu("div")}</td></tr><tr>'
        f'<td class="right">الأكثر قراءة<table>{rows}</table></td><td><h1 class="title">'
        f'{title}</h1><div class="date">{_day(article.published)} '
        f'{article.published:%H:%M}</div><div class="article_body">{text}</div>'
        f'<div class="tools"><a>طباعة</a> | <a>أرسل إلى صديق</a></div></td></tr>'
        f"<tr><td colspan='2'>جميع الحقوق محفوظة {NAME}</td></tr></table></body></html>"
    )


def front_page(room: "Newsroom", articles: Sequence["Article"]) -> str:
    feeds = "".join(
        f'<link rel="alternate" type="{kind}" title="{NAME}" href="{path}">'
        for kind, path in (
            ("application/rss+xml", "/feed.xml"),
            ("application/atom+xml", "/atom.xml"),
        )
    )
    return _document(
        f'<title>{NAME}</title>{feeds}<meta property="og:type" content="website">'
        f'<link rel="canonical" href="{room.url}/">',
        f"{_menu()}<main>{_teasers(articles)}</main>{_footer()}",
    )


def listing_page(
    name: str, path: str, number: int, last: int, articles: Sequence["Article"]
) -> str:
    """One page of a section: ten teasers and the way to the next page."""
    way = f'<a class="next" rel="next" href="{path}?page={number + 1}">التالي</a>'
    return _document(
        f"<title>{name} - {NAME}</title>",
        f"{_menu()}<main><h1>{name}</h1>{_teasers(articles)}"
        f'<nav class="pages">{number} / {last} {way if number < last else ""}</nav></main>'
        f"{_footer()}",
    )


def _teasers(articles: Sequence["Article"]) -> str:
    return "".join(
        f'<div class="teaser"><h2><a href="{escape(a.path)}">{escape(a.title)}</a></h2>'
        f"<p>{escape(a.paragraphs[0][:90])}...</p></div>"
        for a in articles
    )


def _document(head: str, body: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="ar" dir="rtl"><head><meta charset="utf-8">{head}</head>'
        f"<body>{body}</body></html>\n"
    )


def _menu(tag: str = "nav") -> str:
    sections = "".join(
        f'<li><a href="/section/{n}">{name}</a></li>' for n, name in enumerate(SECTIONS)
    )
    return f'<{tag} class="menu"><ul><li><a href="/">الرئيسية</a></li>{sections}</ul></{tag}>'


def _cards(titles: Sequence[str]) -> str:
    return "".join(
        f'<div class="card"><a href="/"><img src="/i/{n}.jpg" alt=""><h3>{escape(t)}</h3></a></div>'
        for n, t in enumerate(titles)
    )


def _list(titles: Sequence[str]) -> str:
    return "".join(f'<li><a href="/">{escape(t)}</a></li>' for t in titles)


def _footer() -> str:
    return f"<footer><p>جميع الحقوق محفوظة © {NAME}</p></footer>"


def _day(at: datetime) -> str:
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"
