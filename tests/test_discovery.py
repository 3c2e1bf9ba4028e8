"""Feeds, sitemaps and listings -> addresses, from documents as sites write them."""

import gzip

import pytest

from crawler.discovery import DEEPEST, MOST, Document, discover
from pipelines.db.addresses import Found, Kind
from pipelines.document import Stated
from pipelines.source import Source

SITE = "https://www.jarida.example"
XML = '<?xml version="1.0" encoding="UTF-8"?>'
RSS = f'{XML}<rss version="2.0"><channel><title>ص</title>%s</channel></rss>'
MAP = f'{XML}<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">%s</urlset>'
INDEX = f'{XML}<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">%s</sitemapindex>'


def found(
    kind: Kind,
    body: str | bytes,
    *,
    depth: int = 0,
    path: str = "/list",
    content_type: str = "",
    **facts: object,
) -> tuple[list[Found], str | None]:
    source = Source.model_validate({"key": "xx/jarida", "homepage": f"{SITE}/", **facts})
    raw = body.encode() if isinstance(body, str) else body
    document = Document(kind, f"{SITE}{path}", f"{SITE}{path}", depth, raw, content_type)
    done = discover(document, source)
    return list(done.found), done.trouble


def item(link: str, more: str = "") -> str:
    return f"<item><title>خبر</title><link>{link}</link>{more}</item>"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (item(f"{SITE}/a"), Found(f"{SITE}/a", stated=Stated("خبر"))),
        (item("/a?id=3"), Found(f"{SITE}/a?id=3", stated=Stated("خبر"))),
        (
            item(f"{SITE}/a?id=3&amp;utm_source=rss#top"),
            Found(f"{SITE}/a?id=3", stated=Stated("خبر")),
        ),
        (
            item(f"{SITE}/a", "<pubDate>Mon, 06 May 2024 10:00:00 +0300</pubDate>"),
            Found(f"{SITE}/a", stated=Stated("خبر", None, "Mon, 06 May 2024 10:00:00 +0300")),
        ),
        (
            "<item><title>&lt;b&gt;خبر&lt;/b&gt; &amp;amp; رأي</title>"
            f'<guid isPermaLink="true">{SITE}/g</guid></item>',
            Found(f"{SITE}/g", stated=Stated("خبر & رأي")),
        ),
        # FeedBurner's own address counts readers; the site's stands beside it.
        (
            '<item xmlns:f="http://rssnamespace.org/feedburner/ext/1.0"><title>خبر</title>'
            f"<link>https://feeds.example/~r/1</link><f:origLink>{SITE}/a</f:origLink></item>",
            Found(f"{SITE}/a", stated=Stated("خبر")),
        ),
    ],
)
def test_feed_entries(entry: str, expected: Found) -> None:
    assert found(Kind.FEED, RSS % entry) == ([expected], None)


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.example/a",
        "mailto:x@jarida.example",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "ftp://www.jarida.example/a",
        f"{SITE}/{'a' * 5000}",
        "http://[broken/",
        "",
    ],
)
def test_links_that_no_crawl_follows(link: str) -> None:
    assert found(Kind.FEED, RSS % item(link)) == ([], None)


def test_articles_and_skip_decide_what_is_fetched() -> None:
    links = RSS % "".join(item(f"{SITE}/{path}") for path in ("news/1", "news/2?print", "tags/x"))
    pages, _ = found(Kind.FEED, links, articles="/news/[0-9]+", skip="print")
    assert [page.url for page in pages] == [f"{SITE}/news/1"]
    # A pattern may name another host, which the site's own word does not.
    other = RSS % item("https://news.jarida-media.example/1")
    pages, _ = found(Kind.FEED, other, articles=r"jarida-media\.example")
    assert len(pages) == 1


def test_atom_tells_publication_and_change_apart() -> None:
    atom = (
        f'{XML}<feed xmlns="http://www.w3.org/2005/Atom"><title>ص</title><entry><title>خبر</title>'
        f'<link href="{SITE}/a"/><updated>2024-05-07T08:00:00Z</updated>%s</entry></feed>'
    )
    (page,), _ = found(Kind.FEED, atom % "")
    assert (page.stated.published_at, page.modified_at) == (None, "2024-05-07T08:00:00Z")
    (page,), _ = found(Kind.FEED, atom % "<published>2024-05-06T08:00:00Z</published>")
    assert page.stated.published_at == "2024-05-06T08:00:00Z"
    first = (atom % "").replace("updated>", "published>")
    (page,), _ = found(Kind.FEED, first)  # nothing was changed since
    assert (page.stated.published_at, page.modified_at) == ("2024-05-07T08:00:00Z", None)


def test_feed_in_windows_1256() -> None:
    body = (RSS % item(f"{SITE}/a")).replace("UTF-8", "windows-1256").encode("windows-1256")
    (page,), _ = found(Kind.FEED, body)
    assert page.stated.title == "خبر"


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        (Kind.FEED, "<html><body>لا شيء</body></html>", "no feed"),
        (Kind.FEED, "", "empty"),
        (Kind.SITEMAP, "<html><body>لا شيء</body></html>", "<html>"),
        (Kind.SITEMAP, "", "empty"),
        (Kind.SITEMAP, b"\x1f\x8b\x08 broken", "unpacked"),
        (Kind.SITEMAP, f'{XML}<!DOCTYPE x [<!ENTITY a "b">]><urlset/>', "entities"),
        (Kind.LISTING, "<html><body>لا شيء</body></html>", "no link"),
    ],
)
def test_what_is_no_list_says_so(kind: Kind, body: str | bytes, said: str) -> None:
    listing = {"url": f"{SITE}/list", "links": "/news/"}
    pages, trouble = found(kind, body, listings=[listing])
    assert pages == [] and trouble is not None and said in trouble


def test_empty_feed_is_a_feed() -> None:
    assert found(Kind.FEED, RSS % "") == ([], None)


def test_news_sitemap_states_title_and_date() -> None:
    entry = (
        f"<url><loc> {SITE}/a </loc><lastmod>2024-05-07</lastmod>"
        '<n:news xmlns:n="http://www.google.com/schemas/sitemap-news/0.9"><n:publication>'
        "<n:name>ص</n:name></n:publication><n:publication_date>2024-05-06</n:publication_date>"
        "<n:title>خبر</n:title></n:news></url>"
    )
    for body in (MAP % entry, gzip.compress((MAP % entry).encode())):
        assert found(Kind.SITEMAP, body) == (
            [Found(f"{SITE}/a", Kind.PAGE, Stated("خبر", None, "2024-05-06"), "2024-05-07")],
            None,
        )


def test_sitemap_index_leads_to_sitemaps_of_the_site_alone() -> None:
    body = INDEX % (
        f"<sitemap><loc>{SITE}/1.xml.gz</loc><lastmod>2024-05-07</lastmod></sitemap>"
        "<sitemap><loc>https://elsewhere.example/2.xml</loc></sitemap>"
    )
    assert found(Kind.SITEMAP, body) == (
        [Found(f"{SITE}/1.xml.gz", Kind.SITEMAP, modified_at="2024-05-07")],
        None,
    )
    assert found(Kind.SITEMAP, body, depth=DEEPEST) == ([], None)


def test_plain_list_of_addresses_is_a_sitemap() -> None:
    pages, _ = found(Kind.SITEMAP, f"\ufeff{SITE}/a\r\n{SITE}/b\r\n")
    assert [page.url for page in pages] == [f"{SITE}/a", f"{SITE}/b"]


def test_more_addresses_than_a_sitemap_may_hold_are_left_and_told() -> None:
    pages, trouble = found(Kind.SITEMAP, "\n".join(f"{SITE}/{n}" for n in range(MOST + 5)))
    assert len(pages) == MOST and trouble is not None and "more than" in trouble


def test_listing_gives_its_articles_and_the_next_page() -> None:
    listing = {"url": f"{SITE}/list", "links": "/news/", "next": "a.next", "pages": 2}
    body = (
        f'<base href="{SITE}/sub/"><a href="/news/1">واحد</a><a href="../news/1#c">واحد</a>'
        f'<a href="/about">عن</a><a href="{SITE}/news/خبر جديد">اثنان</a>'
        '<a class="next" href="/list?page=2">التالي</a>'
    )
    pages, trouble = found(
        Kind.LISTING, body, listings=[listing], content_type="text/html; charset=utf-8"
    )
    assert trouble is None
    assert [(page.kind, page.url) for page in pages] == [
        (Kind.PAGE, f"{SITE}/news/1"),
        (Kind.PAGE, f"{SITE}/news/%D8%AE%D8%A8%D8%B1%20%D8%AC%D8%AF%D9%8A%D8%AF"),
        (Kind.LISTING, f"{SITE}/list?page=2"),
    ]
    last, _ = found(Kind.LISTING, body, listings=[listing], depth=1)
    assert {page.kind for page in last} == {Kind.PAGE}
