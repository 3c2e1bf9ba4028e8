"""What sites say of their feeds, sitemaps and articles, strangers' nonsense included."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.announced import Front, propose_pattern, read_front, read_robots, recent_first

AT = "https://www.marfa.example/ar/"
FEED = '<link rel="{}" type="{}" href="{}">'


@pytest.mark.parametrize(
    ("markup", "feeds"),
    [
        (FEED.format("alternate", "application/rss+xml", "/rss"), ["https://www.marfa.example/rss"]),
        (FEED.format("ALTERNATE home", "Application/Atom+XML; charset=utf-8", "a.xml"),
         [AT + "a.xml"]),
        ("<base href='/fa/'>" + FEED.format("alternate", "application/rdf+xml", "r"),
         ["https://www.marfa.example/fa/r"]),
        (FEED.format("alternate", "application/rss+xml", "//feeds.example/x#top"),
         ["https://feeds.example/x"]),
        (FEED.format("alternate", "application/rss+xml", "a") * 3, [AT + "a"]),
        (FEED.format("alternate", "application/rss+xml", "/comments/feed/"), []),
        (FEED.format("alternate", "application/rss+xml", "javascript:alert(1)"), []),
        (FEED.format("alternate", "application/rss+xml", "file:///etc/passwd"), []),
        (FEED.format("alternate", "application/rss+xml", "http://["), []),
        (FEED.format("alternate", "application/rss+xml", "x" * 5000), []),
        (FEED.format("alternate", "text/html", "/en/"), []),
        (FEED.format("stylesheet", "application/rss+xml", "/a"), []),
    ],
)  # fmt: skip
def test_feeds_of_a_page(markup: str, feeds: list[str]) -> None:
    page = f"<html><head>{markup}</head><body></body></html>"
    assert list(read_front(page.encode(), AT).feeds) == feeds


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("<title>المرفأ | أخبار البلد</title>", "المرفأ"),
        ("<title>المرفأ - أخبار</title><meta property='og:site_name' content='صحيفة المرفأ'>",
         "صحيفة المرفأ"),
        ("<title>\u202eالمرفأ\u202c\n</title>", "المرفأ"),
        ("<title></title>", None),
        ("", None),
    ],
)  # fmt: skip
def test_name_of_a_site(head: str, title: str | None) -> None:
    page = f"<html lang='ar-LB'><head><meta charset=utf-8>{head}</head><body></body></html>"
    front = read_front(page.encode(), AT, "utf-8")
    assert (front.title, front.language) == (title, "ar")


@pytest.mark.parametrize("body", [b"", b"\x00\xff", b"{}", b"<?xml version='1.0'?><rss/>"])
def test_what_is_no_page_says_nothing(body: bytes) -> None:
    assert read_front(body, AT, "no-such-charset").feeds == ()


def test_links_are_absolute_and_once() -> None:
    page = "<a href='1'>واحد</a><a href='/ar/1#x'>واحد</a><a href='mailto:a@b'>ب</a><a>ج</a>"
    assert read_front(page.encode(), AT, "utf-8") == Front(links=((AT + "1", "واحد"),))


def test_sitemaps_of_robots() -> None:
    robots = (
        "User-agent: *\nDisallow: /private\n sitemap: /map.xml\n"
        "Sitemap: https://cdn.example/news.xml.gz\nSITEMAP:/map.xml\nSitemap: ftp://a/b\n"
        "Sitemap: http://[\nSitemap:\n# Sitemap: /no.xml\n"
    )
    wanted = ("https://www.marfa.example/map.xml", "https://cdn.example/news.xml.gz")
    assert (
        read_robots(robots.encode() + b"\xff\n", "https://www.marfa.example/robots.txt") == wanted
    )
    many = "".join(f"Sitemap: /{number}.xml\n" for number in range(10_000))
    assert len(read_robots(many.encode(), AT)) == 50


@given(st.binary(max_size=500))
@settings(max_examples=100, deadline=None)
def test_no_bytes_break_the_readers(body: bytes) -> None:
    read_front(b"<html><head><link rel=alternate href=" + body, AT)
    read_robots(b"Sitemap: " + body, AT)


NEWS = "https://www.marfa.example"


@pytest.mark.parametrize(
    ("urls", "more", "others"),
    [
        (
            [f"{NEWS}/news/2024/{n}/{n + 9}/a-b-c-d-{n}" for n in range(1, 9)],
            f"{NEWS}/news/2025/12/31/one-two-three-four",
            [f"{NEWS}/news/", f"{NEWS}/news/sport", f"{NEWS}/"],
        ),
        (
            [f"{NEWS}/article.php?id={n + 1000}" for n in range(8)],
            f"{NEWS}/article.php?id=77",
            [f"{NEWS}/index.php?id=4", f"{NEWS}/article.php"],
        ),
        ([f"{NEWS}/?p={n}" for n in range(8)], f"{NEWS}/?p=99", [f"{NEWS}/", f"{NEWS}/?page=2"]),
        (
            [f"{NEWS}/{s}/story-{n}" for n in range(1000, 1004) for s in ("sport", "arts")],
            f"{NEWS}/world/story-4321",
            [f"{NEWS}/sport", f"{NEWS}/sport/football", f"{NEWS}/tag/x/y"],
        ),
        (
            [f"{NEWS}/%D8%A7-%D8%A8-%D8%AA-{'%D8%AB' * n}/" for n in range(1, 9)],
            f"{NEWS}/%D8%A7-%D8%A7-%D8%A7-%D8%A7/",
            [f"{NEWS}/%D8%A7/", f"{NEWS}/about-us/"],
        ),
        (
            [f"{NEWS}/{n}" for n in range(6)] + [f"{NEWS}/old.asp?id={n}" for n in range(6)],
            f"{NEWS}/77",
            [f"{NEWS}/old.asp", f"{NEWS}/sport"],
        ),
        (
            [f"http://127.0.0.1:8001/a/{n}.html" for n in range(8)],
            "http://127.0.0.1:8001/a/88.html",
            ["http://127.0.0.1:8002/a/1.html", "http://127.0.0.1:8001/a/index.html"],
        ),
    ],
)
def test_pattern_finds_articles_and_nothing_else(
    urls: list[str], more: str, others: list[str]
) -> None:
    pattern = propose_pattern(urls)
    assert pattern is not None
    assert all(re.search(pattern, url) for url in [*urls[:8], more])
    assert not any(re.search(pattern, url) for url in others)


@pytest.mark.parametrize(
    "urls",
    [
        [],
        [f"{NEWS}/{n}" for n in range(2)],  # too few
        [f"{NEWS}/{'q' * n}" for n in range(1, 20)],  # like any section
        [f"{NEWS}/a/{n}" for n in range(9)] + [f"{NEWS}/live"],  # an article would be lost
        [f"{NEWS}/{'a/' * m}{n}" for n in range(6) for m in range(1, 5)],  # too many kinds
        ["http://[", "x", "", "mailto:a@b"] * 5,
        [f"{NEWS}/{'9' * 3000}{n}" for n in range(9)],
    ],
)
def test_no_pattern_is_guessed(urls: list[str]) -> None:
    assert propose_pattern(urls) is None


def test_pattern_for_most_of_the_links_of_a_front_page() -> None:
    links = [f"{NEWS}/a/{n}" for n in range(9)] + [f"{NEWS}/live"]
    pattern = propose_pattern(links, 0.7)
    assert pattern and not re.search(pattern, links[-1])


def test_news_sitemaps_are_enough() -> None:
    sitemaps = [f"{NEWS}/archive.xml", f"{NEWS}/news-sitemap.xml", f"{NEWS}/sitemap-News.xml.gz"]
    assert recent_first(sitemaps) == sitemaps[1:]
    assert recent_first(["https://news.example/sitemap.xml"]) == [
        "https://news.example/sitemap.xml"
    ]
