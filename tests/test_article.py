"""Listings, front pages and search pages are no articles; pages that look a bit like them are."""

import json
import random

import pytest

from pipelines.document import Article, RawPage, Reason, Rejected
from pipelines.process import process
from tests.benchmarks.pages import headline, paragraphs, sentence

URL = "https://ufuq.example/society/harvest"


def html(body: str, head: str = "", classes: str = "") -> RawPage:
    page = f'<html><head><meta charset="utf-8">{head}</head><body class="{classes}">{body}</body>'
    return RawPage(page.encode(), url=URL)


def result(page: RawPage) -> str:
    done = process(page, None)
    return str(done.reason) if isinstance(done, Rejected) else "article"


def ld(kind: str) -> str:
    return f'<script type="application/ld+json">{json.dumps({"@type": kind})}</script>'


rng = random.Random(3)
STORY = "".join(f"<p>{text}</p>" for text in paragraphs(rng))
OG = '<meta property="og:type" content="article">'
TEASERS = [(headline(rng), sentence(rng).rstrip(".") + "...") for _ in range(15)]
FEED = "<ul>" + "".join(f"<li>{title}<br>{text}</li>" for title, text in TEASERS) + "</ul>"
CARDS = "".join(
    f'<div class="item"><h3><a href="/n/{n}">{title}</a></h3><p>{text}</p></div>'
    for n, (title, text) in enumerate(TEASERS)
)
LINKS = "<div>" + "".join(f'<p><a href="/{n}">{t}</a></p>' for n, (t, _) in enumerate(TEASERS))
NOT_ARTICLES = {
    "feed of teasers": html(FEED),
    "feed of teasers that says article": html(FEED, OG),
    "cards": html(CARDS),
    "archive of a common system": html(STORY, OG, "rtl archive paged category category-21"),
    "collection": html(STORY, OG + ld("CollectionPage")),
    "search": html(STORY, ld("SearchResultsPage")),
    "links": html(LINKS + f"<p>{sentence(rng)}</p></div>"),
    "pagination alone": html("<p>السابق</p><p>1</p><p>22</p><p>23</p><p>التالي</p>" * 3, ""),
}
ARTICLES = {
    "plain": html(f"<article><h1>عنوان</h1>{STORY}</article>"),
    "with a stated list of related ones": html(STORY, OG + ld("ItemList")),
    "as data says, on an archive": html(STORY, ld("NewsArticle"), "archive category"),
    "single page of a common system": html(STORY, OG, "single single-post category-21 tag"),
    "one odd class": html(STORY, "", "archive"),
    "with a few links below": html(STORY + LINKS[: LINKS.index('href="/4"') - 6] + "</div>"),
    "with thoughts that trail off": html(
        "".join(f"<p>{sentence(rng).rstrip('.')}...</p>" for _ in range(12))
    ),
    "with related stories below": html(f"<article><h1>عنوان</h1>{STORY}</article>{CARDS}", OG),
    "with long parts under linked headings": html(
        "".join(
            f'<div><h3><a href="/s/{n}">{headline(rng)}</a></h3>'
            + "".join(f"<p>{text}</p>" for text in paragraphs(rng)[:4])
            + "</div>"
            for n in range(6)
        )
    ),
    "with many sub-headings": html(
        "<article>" + "".join(f"<h2>{headline(rng)}</h2><p>{sentence(rng)}</p>" for _ in range(4))
    ),
}


@pytest.mark.parametrize("name", NOT_ARTICLES)
def test_listing_is_rejected(name: str) -> None:
    assert result(NOT_ARTICLES[name]) in (Reason.NOT_AN_ARTICLE, Reason.NO_TEXT)


@pytest.mark.parametrize("name", ARTICLES)
def test_article_is_none(name: str) -> None:
    assert result(ARTICLES[name]) == "article"


def test_front_page_is_no_article_whatever_it_tells() -> None:
    story = html(STORY, OG).body
    assert isinstance(process(RawPage(story, url="https://ufuq.example/?p=77"), None), Article)
    front = process(RawPage(story, url="https://ufuq.example/"), None)
    assert isinstance(front, Rejected)
    assert front.reason is Reason.NOT_AN_ARTICLE
