"""Crawls of a newsroom on loopback: real HTTP, the real command line, both databases."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from crawler.crawl import AHEAD
from crawler.readers import ReadOptions
from crawler.readers import read as read_files
from crawler.replay import replay
from crawler.work import Limits
from pipelines.db import schema
from pipelines.db.engine import open_engine, read
from pipelines.db.locks import crawl_lock
from pipelines.source import load_sources
from tests.conftest import ROOT, run_warraq
from tests.site import Article, Site
from tests.test_store import arrival, rows
from tests.test_store import write as write_pages

CHROMIUM = os.environ.get("WARRAQ_CHROMIUM", "/usr/bin/chromium")
#: What tests allow: a crawl refuses loopback otherwise.
LOOPBACK = {"WARRAQ_ALLOW_ADDRESSES": "127.0.0.0/8", "WARRAQ_CONTACT": "crawl@warraq.example"}


class Desk:
    """A folder of sources, an archive and a database to crawl into."""

    def __init__(self, folder: Path, database: str) -> None:
        self.sources, self.archive, self.database = folder / "sources", folder / "archive", database
        self.sources.mkdir(parents=True)

    def crawl(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """One crawl; what it printed."""
        where = ("--sources", self.sources, "--archive", self.archive, "--db", self.database)
        done = run_warraq(["crawl", *arguments, *where, "--json"], None, **LOOPBACK)
        assert done.returncode == code, done.stderr.decode()
        summary: dict[str, Any] = json.loads(done.stdout or "{}")
        return summary

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        engine = open_engine(self.database)
        with read(engine) as connection:
            found = [tuple(row) for row in connection.execute(text(query))]
        engine.dispose()
        return found


@pytest.fixture
def desk(tmp_path: Path, database: str) -> Desk:
    return Desk(tmp_path, database)


@pytest.fixture
def sqlite_desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, f"sqlite:///{tmp_path / 'warraq.db'}")


STORED = (
    "SELECT a.canonical_url, a.title, a.text, a.author, a.published_at, s.key FROM articles a "
    "JOIN sources s ON s.id = a.source_id ORDER BY a.canonical_url"
)


#: What became of the pages of the last run.
LAST_RUN = (
    "SELECT s.key, l.outcome, count(*) FROM ledger l JOIN sources s ON s.id = l.source_id "
    "WHERE l.run_id = (SELECT max(id) FROM runs) GROUP BY 1, 2"
)


def expect_stored(desk: Desk, key: str, articles: Sequence[Article]) -> None:
    """Each article once, with its text, whatever its character set, and no other."""
    stored = {row[0]: row for row in desk.rows(STORED) if row[5] == key}
    assert sorted(stored) == sorted(article.url for article in articles)
    is_fed = key.endswith("fed")  # feeds tell the writer; old pages do not say who it is
    for article in articles:
        _, title, body, author, published, _ = stored[article.url]
        assert title == article.title
        assert [line for line in article.paragraphs if line not in body] == []
        assert author in ((article.author,) if is_fed else (article.author, None))
        assert abs(at(published) - article.published) < timedelta(minutes=1), article.url


def at(value: Any) -> Any:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def statuses(site: Site) -> Counter[int]:
    """The answers since the last call, without robots.txt."""
    found = Counter(r.status for r in site.requests if r.path != "/robots.txt")
    site.requests.clear()
    return found


def test_a_newsroom_over_some_crawls(desk: Desk) -> None:
    """What a crawl is for: each article once, by each way to find it; then only what is new."""
    with (
        Site(articles=12, seed=1) as fed,
        Site(articles=12, seed=2) as mapped,
        Site(articles=12, seed=3, forbidden=0) as listed,
    ):
        fed.write_source(desk.sources, "a/fed", ["/rdf.xml"])
        mapped.write_source(desk.sources, "b/mapped", ["/sitemap.xml"])
        listed.write_source(desk.sources, "c/listed", ["/latest"])
        sites = {"a/fed": fed, "b/mapped": mapped, "c/listed": listed}

        summary = desk.crawl()
        assert summary["outcomes"] == {"stored": 36}
        for key, site in sites.items():
            expect_stored(desk, key, site.articles)
            assert {r.agent.split("/")[0] for r in site.requests} == {"Warraq"}
            assert "crawl@warraq.example" in site.requests[0].agent
            assert set(statuses(site)) == {200}
        assert desk.rows("SELECT outcome, count(*) FROM ledger GROUP BY 1") == [("stored", 36)]

        # Nothing is due but the lists, and they have not changed.
        summary = desk.crawl()
        assert summary["outcomes"] == {} and summary["bytes_saved"] > 1000
        for site in sites.values():
            assert set(statuses(site)) == {304}

        # All pages are asked for again, and none is downloaded.
        summary = desk.crawl("--every-page")
        assert summary["outcomes"] == {"unchanged": 36}
        assert summary["not_modified"] >= 36 and summary["bytes_saved"] > 36 * 1000
        for site in sites.values():
            assert set(statuses(site)) == {304}

        expect_same_from_archive(desk)

        changed = fed.room.change(fed.articles[3])
        mapped.room.move(mapped.articles[5])
        removed = mapped.articles[6]
        mapped.room.remove(removed)
        printed = fed.articles[4]
        reprinted = listed.room.reprint(printed)
        fresh = [*fed.room.publish(2), *mapped.room.publish(1)]
        summary = desk.crawl("--every-page")
        outcomes = {(row[0], row[1]): row[2] for row in desk.rows(LAST_RUN)}
        # The one that moved may be found where it is now before it proves to be the same.
        assert outcomes.pop(("b/mapped", "stored")) in (1, 2)
        assert outcomes == {
            ("a/fed", "stored"): 2,
            ("a/fed", "revised"): 1,
            ("a/fed", "unchanged"): 11,
            ("b/mapped", "revised"): 1,
            ("b/mapped", "unchanged"): 10,
            ("b/mapped", "rejected"): 1,
            ("c/listed", "stored"): 1,
            ("c/listed", "unchanged"): 12,
        }
        assert len(fresh) == 3
        expect_stored(desk, "a/fed", fed.articles)
        expect_stored(desk, "c/listed", listed.articles)
        expect_stored(desk, "b/mapped", [*mapped.articles, removed])
        versions = desk.rows(
            "SELECT a.canonical_url, v.number FROM article_versions v "
            "JOIN articles a ON a.id = v.article_id"
        )
        assert versions == [(changed.url, 1)]
        story = desk.rows(
            "SELECT count(DISTINCT story_id), count(DISTINCT source_id) FROM articles "
            f"WHERE canonical_url IN ('{reprinted.url}', '{printed.url}')"
        )
        assert story == [(1, 2)]
        gone = desk.rows("SELECT http_status, reason FROM ledger WHERE outcome = 'rejected'")
        assert gone == [(410, "http_status")]
        for site in sites.values():
            site.requests.clear()

        # Another box beside the articles changes every page's bytes, and no article.
        fed.room.furnish()
        summary = desk.crawl("a/fed", "--every-page")
        assert summary["outcomes"] == {"unchanged": 14}
        assert statuses(fed)[200] >= 14
        assert len(desk.rows("SELECT * FROM article_versions")) == 1

        again = run_warraq(
            ["reprocess", "--dry-run", "--json", "--sources", desk.sources, "--db", desk.database]
        )
        changes = json.loads(again.stdout)["changes"]
        assert sum(changes.values()) == len(desk.rows("SELECT * FROM articles"))
        assert changes.keys() <= {"unchanged", "corrected"}, changes  # all bytes are found

        expect_same_from_archive(desk)


#: Where an article was seen and when it was last looked at are the crawl's own; all else is told.
#: Whether a page was read by a template depends on what was learned by then; what it says does not.
NOT_TOLD = ("id", "source_id", "path", "last_seen", "story_id", "extractor", "record_hash")


def expect_same_from_archive(desk: Desk) -> None:
    """The crawls' WARC files, replayed into an empty database, give the same articles."""
    queries = {
        "articles": "SELECT * FROM articles ORDER BY identity",
        "removed": "SELECT a.identity, r.position, r.text, r.rule FROM removed_lines r "
        "JOIN articles a ON a.id = r.article_id ORDER BY 1, 2",
        "versions": "SELECT a.identity, v.number, v.text, v.raw_hash FROM article_versions v "
        "JOIN articles a ON a.id = v.article_id ORDER BY 1, 2",
    }
    engine = open_engine(f"sqlite:///{desk.archive}.db", create=True)
    schema.upgrade(engine)
    pages = read_files([str(desk.archive)], ReadOptions(), lambda _: None)
    replay(engine, pages, load_sources(desk.sources), Limits(workers=2), "test")
    crawled = open_engine(desk.database)
    ways = [
        {row["identity"]: row["extractor"] for row in all_rows(each, queries["articles"])}
        for each in (crawled, engine)
    ]
    for name, query in queries.items():
        ours, theirs = (all_rows(each, query) for each in (crawled, engine))
        if name == "removed":  # a template passes over what the full extraction has taken out
            ours, theirs = (
                [row for row in rows if ways[0][row["identity"]] == ways[1][row["identity"]]]
                for rows in (ours, theirs)
            )
        assert len(ours) == len(theirs), name
        for one, other in zip(ours, theirs, strict=True):
            for column in one.keys() - NOT_TOLD:
                assert comparable(one[column]) == comparable(other[column]), f"{name}.{column}"
    crawled.dispose()
    engine.dispose()


def all_rows(engine: Engine, query: str) -> list[dict[str, Any]]:
    with read(engine) as connection:
        return [dict(row) for row in connection.execute(text(query)).mappings()]


def comparable(value: Any) -> Any:
    """Databases give the same in several types."""
    if value == ["fallback"] or value == '["fallback"]':
        value = []
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value[:1] == "[":
        return json.dumps(json.loads(value), ensure_ascii=False)
    if isinstance(value, float):
        return round(value, 6)
    return str(value).removesuffix("+00:00").removesuffix(".000000")


def ledger(desk: Desk) -> dict[str, tuple[Any, ...]]:
    """URL -> outcome, reason, status, detail; a URL that is there twice fails."""
    found = desk.rows("SELECT url, outcome, reason, http_status, detail FROM ledger")
    assert len({row[0] for row in found}) == len(found)
    return {row[0]: row[1:] for row in found}


def test_what_goes_wrong_is_named_and_asked_for_again(sqlite_desk: Desk) -> None:
    desk = sqlite_desk
    with (
        Site(articles=8, forbidden=12) as site,
        Site(articles=3) as busy,
        Site(articles=6, crawl_delay=0.4) as slow,
        Site(articles=3) as closed,
    ):
        site.write_source(desk.sources, "a/site", ["/rdf.xml"])
        busy.write_source(desk.sources, "b/busy", ["/feed.xml"])
        slow.write_source(desk.sources, "c/slow", ["/feed.xml"])
        closed.write_source(desk.sources, "d/closed", ["/feed.xml"])
        closed.close()
        busy.script("/feed.xml", 503, headers={"Retry-After": "3600"}, times=None)
        paths = [article.path for article in site.articles]
        site.script(paths[0], 404, times=None)
        site.script(paths[1], 429, headers={"Retry-After": "1"}, times=1)
        site.script(paths[2], 503, times=1)
        site.script(paths[3], 500, times=None)
        site.script(paths[4], 302, headers={"Location": paths[4]}, times=None)
        site.script(paths[5], 200, b"%PDF-1.7 \x00\x01\x02", headers={"X": "y"}, times=None)
        summary = desk.crawl(code=1)

    told = {url.removeprefix(site.url): entry for url, entry in ledger(desk).items()}
    assert told[paths[0]][:3] == ("rejected", "http_status", 404)
    assert told[paths[3]][:3] == ("failed", "unreachable", 500)
    assert told[paths[4]][0] == "rejected" and "redirect" in told[paths[4]][3]
    assert told[paths[5]][0] == "rejected"
    assert [told[path][0] for path in (*paths[1:3], *paths[6:])] == ["stored"] * 4
    private = [article.path for article in site.room.private]
    assert [told[path][:2] for path in private] == [("rejected", "robots")] * 12
    assert not [r for r in site.requests if r.path.startswith("/private/")]
    waited = [r.at for r in site.requests if r.path == paths[1]]
    assert len(waited) == 2 and waited[1] - waited[0] >= 1

    by_source = {each["source"]: each for each in summary["sources"]}
    assert [key for key, each in by_source.items() if each["failed"]] == ["b/busy", "d/closed"]
    assert "left alone for 3600 s" in by_source["b/busy"]["stopped"]
    assert told[f"{closed.url}/feed.xml"][:2] == ("failed", "unreachable")
    times = [r.at for r in slow.requests if r.path != "/robots.txt"]
    assert len(times) == 7 and min(b - a for a, b in pairwise(times)) > 0.38

    due = dict(desk.rows("SELECT url, due_at > fetched_at FROM addresses WHERE failures > 0"))
    assert due[site.url + paths[3]] and due[site.url + paths[0]]


def test_scrapys_own_command(sqlite_desk: Desk) -> None:
    desk = sqlite_desk
    with Site(articles=3) as site:
        site.write_source(desk.sources, "a/site", ["/feed.xml", "/sitemap.xml"])
        settings = {"WARRAQ_DB": desk.database, "WARRAQ_SOURCES": str(desk.sources)}
        done = subprocess.run(
            [sys.executable, "-m", "scrapy", "crawl", "feed", "-a", "source=a/site"],
            cwd=ROOT,
            env={**os.environ, **LOOPBACK, **settings, "WARRAQ_ARCHIVE": str(desk.archive)},
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode()
        assert len(desk.rows("SELECT * FROM articles")) == 3
        assert not [r for r in site.requests if "sitemap" in r.path]
    assert desk.rows("SELECT status, ended_at IS NOT NULL FROM runs") == [("done", 1)]
    assert desk.rows("SELECT count(*) FROM crawl_locks") == [(0,)]
    assert [path.suffix for path in desk.archive.rglob("*.warc.gz")] == [".gz"]


def test_second_crawl_of_a_source_is_refused(desk: Desk) -> None:
    engine = open_engine(desk.database, create=True)
    schema.upgrade(engine)
    with Site(articles=2) as site:
        site.write_source(desk.sources, "a/site", ["/feed.xml"])
        with crawl_lock(engine, "a/site"):
            desk.crawl(code=4)
            assert not site.requests
    engine.dispose()


def test_nothing_more_is_asked_for_while_workers_are_behind(sqlite_desk: Desk) -> None:
    """The site could give far more than one worker takes: the rest waits there, not in memory."""
    desk = sqlite_desk
    engine = open_engine(desk.database, create=True)
    schema.upgrade(engine)
    ahead = 0
    with Site(articles=200) as site:
        site.write_source(desk.sources, "a/site", ["/sitemap.xml"])
        with start(desk, "--workers", "1") as process:
            while process.poll() is None:
                with read(engine) as connection:
                    written = connection.execute(text("SELECT count(*) FROM ledger")).scalar_one()
                ahead = max(ahead, len(site.requests) - written)
                time.sleep(0.02)
        assert process.returncode == 0
        assert len(site.requests) > 200
    engine.dispose()
    assert 20 < ahead <= AHEAD + 20  # lists and robots.txt are no pages


def test_stopped_crawl_keeps_what_it_has(sqlite_desk: Desk) -> None:
    desk = sqlite_desk
    with Site(articles=30, latency=0.05) as site:
        site.write_source(desk.sources, "a/site", ["/sitemap.xml"], pace="{delay: 0.1}")
        with start(desk) as process:
            while len(site.requests) < 8 and process.poll() is None:
                time.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
        assert process.returncode == 130
        assert desk.rows("SELECT status FROM runs") == [("interrupted",)]
        stored = len(desk.rows("SELECT * FROM articles"))
        assert 0 < stored < 30
        assert desk.crawl()["outcomes"] == {"stored": 30 - stored}


def start(desk: Desk, *arguments: str) -> subprocess.Popen[bytes]:
    where = ("--sources", desk.sources, "--archive", desk.archive, "--db", desk.database)
    return subprocess.Popen(
        [sys.executable, "-m", "crawler.cli", "crawl", "--json", *arguments, *map(str, where)],
        cwd=ROOT,
        env={**os.environ, **LOOPBACK},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def test_lists_that_would_never_end_do(sqlite_desk: Desk) -> None:
    """Bombs, sitemaps of sitemaps and next pages without an end cost what a real site costs."""
    desk = sqlite_desk
    lists = [f"/hostile/{name}" for name in ("xml-bomb.xml", "xml-square.xml", "xxe.xml")]
    lists.append("/feed.xml")
    with Site(articles=2) as site:
        facts = site.source([*lists, "/hostile/pages"]).replace("pages: 50", "pages: 4")
        facts += f"sitemaps:\n  - {site.url}/hostile/index.xml\n  - {site.url}/hostile/many.xml\n"
        (desk.sources / "xx.yml").write_text(facts, encoding="utf-8")
        desk.crawl("--limit", "5")
        asked = Counter(request.path.split("?")[0] for request in site.requests)
    assert not [path for path in asked if "reached" in path]
    assert asked["/hostile/pages"] == 4
    assert sum(asked.values()) < 150, asked
    told = {url.removeprefix(site.url): entry for url, entry in ledger(desk).items()}
    assert "more than 50,000 addresses" in told["/hostile/many.xml"][3]
    assert desk.rows("SELECT count(*) < 60000 FROM addresses") == [(1,)]


@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"no browser at {CHROMIUM}")
def test_pages_that_scripts_make(sqlite_desk: Desk) -> None:
    """A browser makes the text; what its scripts and redirects ask for passes the guard, too."""
    desk = sqlite_desk
    with Site(articles=2) as site, Site(host="127.0.0.2", articles=1) as inner:
        scripted, lured = site.articles
        text_of = "".join(f"<p>{paragraph}</p>" for paragraph in scripted.paragraphs)
        page = (
            f"<html lang=ar><head><title>{scripted.title}</title></head><body><h1>"
            f"{scripted.title}</h1><article id=a></article><script>"
            f"fetch('{inner.url}/reached-by-script').catch(() => 0);"
            f"document.getElementById('a').innerHTML = {json.dumps(text_of)};</script>"
        )
        site.script(scripted.path, 200, page.encode(), times=None)
        site.script(lured.path, 302, headers={"Location": f"{inner.url}/reached"}, times=None)
        site.write_source(desk.sources, "a/site", ["/feed.xml"], scripts="true")
        where = ("--sources", desk.sources, "--archive", desk.archive, "--db", desk.database)
        environment = {"WARRAQ_ALLOW_ADDRESSES": "127.0.0.1/32", "WARRAQ_CHROMIUM": CHROMIUM}
        done = run_warraq(["crawl", *where], None, **environment)
        assert done.returncode == 0, done.stderr.decode()
        assert inner.requests == []
        (body,) = desk.rows("SELECT text FROM articles")[0]
        assert [line for line in scripted.paragraphs if line not in body] == []
        assert ledger(desk)[lured.url][0] in ("rejected", "failed")
        assert {r.agent.split("/")[0] for r in site.requests} == {"Warraq"}


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--archive", "/dev/null/archive"), "archive"),
        (("--db", "sqlite:////dev/null/x.db"), "/dev/null"),
        (("nowhere",), "nowhere"),
    ],
)
def test_crawl_that_can_not_begin_says_why(
    sqlite_desk: Desk, option: Sequence[str], said: str
) -> None:
    desk = sqlite_desk
    with Site(articles=1) as site:
        site.write_source(desk.sources, "a/site", ["/feed.xml"])
        where = ("--sources", desk.sources, "--archive", desk.archive, "--db", desk.database)
        done = run_warraq(["crawl", *where, *option], None, **LOOPBACK)
        assert done.returncode == (2 if option == ("nowhere",) else 3)
        assert said in done.stderr.decode() and b"Traceback" not in done.stderr
        assert not site.requests


def test_database_that_fails_on_the_way_ends_the_crawl(sqlite_desk: Desk) -> None:
    desk = sqlite_desk
    with Site(articles=40, latency=0.05) as site:
        site.write_source(desk.sources, "a/site", ["/sitemap.xml"], pace="{delay: 0.05}")
        with start(desk) as process:
            while len(site.requests) < 8 and process.poll() is None:
                time.sleep(0.02)
            with sqlite3.connect(desk.database.removeprefix("sqlite:///")) as file:
                file.execute("ALTER TABLE ledger RENAME TO gone")
            file.close()
            _, errors = process.communicate(timeout=60)
        assert process.returncode == 3, errors.decode()
        assert "error: " in errors.decode() and len(site.requests) < 40


def test_article_that_moved_is_one_with_its_history(engine: Engine) -> None:
    """Found where it is now before its old address redirected there: still one article."""
    first, later = "https://daily.example/n/1", "https://daily.example/n/neu"
    day = datetime(2024, 5, 6, tzinfo=UTC)
    old = arrival("نص أول", canonical_url=first, fetched_at=day)
    edited = arrival("نص ثان", canonical_url=first, fetched_at=day + timedelta(hours=1))
    new = arrival("نص ثان", canonical_url=later, fetched_at=day + timedelta(hours=2))
    assert write_pages(engine, old) + write_pages(engine, edited) == ["stored", "revised"]
    assert write_pages(engine, new) == ["stored"]
    moved = arrival("نص ثان", canonical_url=later, fetched_at=day + timedelta(hours=3))
    for _ in range(2):
        write_pages(engine, replace(moved, moved_from=first))
        found = rows(engine, "SELECT id, canonical_url, text FROM articles")
        assert [row[1:] for row in found] == [(later, "نص ثان")]
        assert rows(engine, "SELECT text FROM article_versions") == [("نص أول",)]
        assert rows(engine, "SELECT DISTINCT article_id FROM ledger") == [(found[0][0],)]
    # A redirect that nothing is known of is no news.
    other = arrival("نص ثالث", canonical_url="https://daily.example/n/3")
    assert write_pages(engine, replace(other, moved_from="https://daily.example/x")) == ["stored"]


def test_article_that_moved_within_a_batch_is_one(engine: Engine) -> None:
    """A replay of the archive has both addresses in one batch."""
    first, later = "https://daily.example/n/1", "https://daily.example/n/neu"
    day = datetime(2024, 5, 6, tzinfo=UTC)
    old = arrival("نص أول", canonical_url=first, fetched_at=day)
    moved = arrival("نص ثان", canonical_url=later, fetched_at=day + timedelta(hours=1))
    write_pages(engine, old, replace(moved, moved_from=first))
    assert rows(engine, "SELECT canonical_url, text FROM articles") == [(later, "نص ثان")]


def test_a_feed_may_hold_what_no_database_takes(desk: Desk) -> None:
    """feedparser reads what is no XML too, and NULs come out of it."""
    with Site(articles=3) as site:
        site.write_source(desk.sources, "a/site", ["/feed.xml"])
        feed = site.room.answer("/feed.xml")
        assert feed is not None
        damaged = feed.body.replace(b"</title>", b"\0 & so on</title>")
        damaged = damaged.replace(b"</item>", b"</item><item><link>/a\0b</link></item>", 1)
        site.script("/feed.xml", 200, damaged)
        assert desk.crawl()["outcomes"] == {"stored": 3}
    assert desk.rows("SELECT count(*) FROM addresses WHERE title IS NOT NULL") == [(3,)]
