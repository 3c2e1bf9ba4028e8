"""The generated newsroom serves what it says it serves: other tests stand on it."""

import contextlib
import gzip
import http.client
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from urllib.parse import urlsplit

import feedparser
import pytest
from lxml import etree, html

from pipelines.document import Article, Origin, RawPage
from pipelines.process import process
from pipelines.source import load_sources
from pipelines.stages.fingerprint import compare, fingerprint
from tests.conftest import ROOT
from tests.site import Site
from tests.site.hostile import PATHS, targets
from tests.site.newsroom import Newsroom


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(articles=60, forbidden=2) as site:
        yield site


def get(url: str, **headers: str) -> tuple[int, Message, bytes]:
    """Status, headers and body of one request; redirects are not followed."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", url.removeprefix(f"http://{parts.netloc}"), headers=sent)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def read_page(url: str) -> Article:
    status, headers, body = get(url)
    assert status == 200
    raw = RawPage(
        body,
        url=url,
        charset=headers.get_content_charset(),
        fetched_at=datetime.now(UTC),
        origin=Origin.CRAWL,
    )
    article = process(raw, None)
    assert isinstance(article, Article), article
    return article


def text_of(article: Article) -> tuple[str, ...]:
    return tuple(block.text for block in article.blocks)


@pytest.mark.parametrize("redesigned", [False, True])
def test_every_page_reads_as_its_article(redesigned: bool) -> None:
    with Site(articles=20, redesigned=redesigned) as site:
        charsets = set()
        for told in site.articles:
            article = read_page(told.url)
            assert article.title == told.title
            assert text_of(article) == told.paragraphs
            assert article.canonical_url == told.url
            assert article.published is not None
            assert article.published.iso[:16] == told.published.isoformat()[:16]
            charsets.add(article.charset)
        assert charsets == {"utf-8", "windows-1256"}


def test_no_two_stories_are_copies() -> None:
    rooms = [Newsroom(f"http://{seed}.example", count=150, seed=seed) for seed in (1, 2)]
    prints = [fingerprint("\n".join(a.paragraphs)) for room in rooms for a in room.articles]
    alike = [
        found
        for at, one in enumerate(prints)
        for other in prints[:at]
        if (found := compare(one, other))
    ]
    assert alike == []


def test_a_reprint_is_a_copy() -> None:
    first, second = (Newsroom(f"http://{seed}.example", seed=seed) for seed in (1, 2))
    told = first.articles[3]
    copy = second.reprint(told)
    assert copy.title != told.title
    assert compare(*(fingerprint("\n".join(a.paragraphs)) for a in (told, copy)))


def test_the_same_seed_tells_the_same() -> None:
    at = datetime(2024, 3, 1, 12, tzinfo=UTC)
    one, same = (Newsroom("http://x.example", 30, 7, at) for _ in range(2))
    assert one.articles == same.articles
    for path in ("/", "/feed.xml", "/sitemap.xml", one.articles[0].path):
        assert one.answer(path) == same.answer(path)


@pytest.mark.parametrize("name", ["feed.xml", "atom.xml", "rdf.xml"])
def test_feeds_tell_the_newest_articles(site: Site, name: str) -> None:
    status, _, body = get(f"{site.url}/{name}")
    feed = feedparser.parse(body)
    assert (status, feed.bozo) == (200, False)
    told = [a for a in feed.entries if "/private/" not in a.link]
    wanted = site.articles[:20]
    assert [a.title for a in told] == [a.title for a in wanted]
    assert [a.author for a in told] == [a.author for a in wanted]
    assert [a.link.split("utm_source")[0].rstrip("?&") for a in told] == [a.url for a in wanted]


def test_sitemaps_tell_all_articles(site: Site) -> None:
    found: set[str] = set()
    news: set[str] = set()
    index = etree.fromstring(get(f"{site.url}/sitemap.xml")[2])
    for sitemap in index.iter("{*}loc"):
        body = get(str(sitemap.text))[2]
        if str(sitemap.text).endswith(".gz"):
            body = gzip.decompress(body)
        locs = {str(loc.text) for loc in etree.fromstring(body).iter("{*}loc")}
        (news if "news" in str(sitemap.text) else found).update(locs)
    assert found == {a.url for a in (*site.articles, *site.room.private)}
    assert set() < news < found


def test_listings_lead_to_all_articles(site: Site) -> None:
    links, at = [], "/latest"
    while at:
        page = html.fromstring(get(f"{site.url}{at}")[2])
        links += [str(link.get("href")) for link in page.cssselect(".teaser a")]
        at = next((str(link.get("href")) for link in page.cssselect("a.next")), "")
    assert links == [a.path for a in site.articles]


def test_a_source_file_for_it_is_one(site: Site, tmp_path: Path) -> None:
    site.write_source(tmp_path, "eg/marfa", every="5m")
    source = load_sources(tmp_path)["eg/marfa"]
    assert str(source.feeds[0]) == f"{site.url}/feed.xml"
    assert str(source.sitemaps[0]) == f"{site.url}/sitemap.xml"
    assert source.every == timedelta(minutes=5)
    assert source.listings[0].next == "a.next"


@pytest.mark.parametrize(
    ("validators", "asked", "status"),
    [
        ("both", ("If_None_Match", "If_Modified_Since"), 304),
        ("both", ("If_Modified_Since",), 304),
        ("etag", ("If_None_Match",), 304),
        ("etag", ("If_Modified_Since",), 200),
        ("date", ("If_Modified_Since",), 304),
        ("none", ("If_None_Match", "If_Modified_Since"), 200),
    ],
)
def test_what_did_not_change_is_not_sent_again(
    validators: str, asked: tuple[str, ...], status: int
) -> None:
    hour_ago = datetime.now(UTC) - timedelta(hours=1)  # Last-Modified counts seconds
    with Site(articles=5, validators=validators, until=hour_ago) as site:  # type: ignore[arg-type]
        url = site.articles[1].url
        headers = get(url)[1]
        had = {"If_None_Match": headers["ETag"], "If_Modified_Since": headers["Last-Modified"]}
        again, _, body = get(url, **{name: had[name] for name in asked if had[name]})
        assert (again, bool(body)) == (status, status == 200)
        assert [r.status for r in site.requests] == [200, status]
        changed = site.room.change(site.articles[1])
        assert get(url, **{name: had[name] for name in asked if had[name]})[0] == 200
        assert text_of(read_page(url)) == changed.paragraphs


def test_requests_are_noted(site: Site) -> None:
    before = len(site.requests)
    url = site.articles[0].url
    tag = get(url, User_Agent="Probe/1")[1]["ETag"]
    get(url, If_None_Match=tag)
    get(f"{site.url}/nowhere")
    seen = site.requests[before:]
    assert [(r.path, r.status, r.conditional) for r in seen] == [
        (site.articles[0].path, 200, False),
        (site.articles[0].path, 304, True),
        ("/nowhere", 404, False),
    ]
    assert seen[0].agent == "Probe/1"
    assert seen[0].bytes > 1000 > seen[1].bytes == 0


def test_life_in_the_newsroom() -> None:
    with Site(articles=8) as site:
        gone, moved, plain = site.articles[4], site.articles[5], site.articles[6]
        fresh = site.room.publish(2)
        assert site.articles[:2] == fresh[::-1]
        assert text_of(read_page(fresh[0].url)) == fresh[0].paragraphs
        site.room.remove(gone)
        assert get(gone.url)[0] == 410
        now_at = site.room.move(moved)
        status, headers, _ = get(moved.url)
        assert (status, headers["Location"]) == (301, now_at.url)
        assert text_of(read_page(now_at.url)) == moved.paragraphs
        before, tag = get(plain.url)[2], get(plain.url)[1]["ETag"]
        site.room.furnish()
        status, _, after = get(plain.url, If_None_Match=tag)
        assert (status, before != after) == (200, True)
        site.room.redesign()
        assert text_of(read_page(plain.url)) == plain.paragraphs
        said = get(f"{site.url}/feed.xml")[2].decode()
        assert gone.title not in said
        assert now_at.url in said


def test_scripted_answers() -> None:
    with Site(articles=3, crawl_delay=2) as site:
        site.script("/feed.xml", 503, headers={"Retry-After": "1"}, times=2)
        got = [get(f"{site.url}/feed.xml") for _ in range(3)]
        assert [status for status, _, _ in got] == [503, 503, 200]
        assert got[0][1]["Retry-After"] == "1"
        assert b"Crawl-delay: 2" in get(f"{site.url}/robots.txt")[2]


@pytest.mark.parametrize("path", [*PATHS, "/hostile/feed.xml", "/hostile/sitemap.xml"])
def test_hostile_corners_answer_and_end_with_their_client(site: Site, path: str) -> None:
    seen = len(site.requests)
    parts = urlsplit(site.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        said = b""
        with contextlib.suppress(OSError):  # some reset the connection, some say nothing for long
            while len(said) < 20 and (part := client.recv(65_536)):
                said += part
    assert site.requests[seen].path == path
    assert said or path == "/broken/nothing"


def test_bombs_are_bombs(site: Site) -> None:
    _, headers, body = get(f"{site.url}/hostile/gzip-bomb")
    assert headers["Content-Encoding"] == "gzip"
    assert len(body) < 11_000_000
    unpacker = zlib.decompressobj(31)
    assert len(unpacker.decompress(body, 100_000_000)) == 100_000_000
    assert b"<!ENTITY l9" in get(f"{site.url}/hostile/xml-bomb.xml")[2]


@pytest.mark.parametrize("name", ["decimal", "hex", "octal", "short", "localhost", "plain"])
def test_spellings_of_loopback_reach_it(name: str) -> None:
    """A guard that failed would be seen: these spellings do lead to the other site."""
    with Site(articles=1) as site, Site(articles=1) as other:
        port = int(other.url.rsplit(":", 1)[1])
        status, headers, _ = get(f"{site.url}/hostile/to/{name}?host=127.0.0.1&port={port}")
        assert (status, headers["Location"]) == (302, targets("127.0.0.1", port)[name])
        assert get(headers["Location"])[0] == 200
        assert [r.path for r in other.requests] == [f"/hostile/reached?by={name}"]


def test_it_is_quick(site: Site) -> None:
    connection = http.client.HTTPConnection(urlsplit(site.url).netloc)
    paths = [a.path for a in site.articles] * 10
    began = time.process_time()  # of client and server together, whatever else the machine does
    for path in paths:
        connection.request("GET", path)
        connection.getresponse().read()
    connection.close()
    assert len(paths) / (time.process_time() - began) > 300


def test_it_runs_by_itself() -> None:
    command = [sys.executable, "-m", "tests.site", "--port", "0", "--articles", "3"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[0]
            assert get(url)[0] == 200
        finally:
            process.terminate()
        assert process.stdout.read() == "1 requests\n"
