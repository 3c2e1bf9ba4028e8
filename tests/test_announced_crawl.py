"""A source whose file names no feed, sitemap or listing: a crawl asks the site for them."""

from pathlib import Path

from tests.site import Site
from tests.test_crawl import Desk


def names_nothing(desk: Desk, site: Site, key: str = "eg/marfa", more: str = "") -> None:
    file = desk.sources / f"{key}.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"homepage: {site.url}/\npace: {{delay: 0, concurrency: 8}}\n{more}")


def test_feeds_of_the_front_page_are_crawled(tmp_path: Path) -> None:
    desk = Desk(tmp_path, f"sqlite:///{tmp_path / 'w.db'}")
    with Site(articles=8) as site:
        names_nothing(desk, site)
        first = desk.crawl()
        assert first["outcomes"] == {"stored": 8}
        stored = desk.rows("SELECT canonical_url, author FROM articles ORDER BY 1")
        told = sorted((article.url, article.author) for article in site.articles)
        assert stored == told  # the feed's writer travels with the page
        asked = [request.path for request in site.requests if request.path != "/robots.txt"]
        assert asked[0] == "/" and "/sitemap.xml" not in asked
        site.requests.clear()
        site.room.publish(1)
        assert desk.crawl()["outcomes"] == {"stored": 1}
        # The front page is not asked again on the same day.
        assert "/" not in [request.path for request in site.requests]


def test_without_feeds_robots_txt_tells(tmp_path: Path) -> None:
    desk = Desk(tmp_path, f"sqlite:///{tmp_path / 'w.db'}")
    with Site(articles=6) as site, Site(articles=3, seed=2, host="127.0.0.2") as silent:
        for each in (site, silent):
            each.script("/", 200, b"<html><title>x</title><p>no feed</p></html>", times=None)
        silent.script("/robots.txt", 200, b"User-agent: *\nDisallow: /x\n", times=None)
        names_nothing(desk, site)
        names_nothing(desk, silent, "silent")
        done = desk.crawl(code=1)
        assert "/feed.xml" not in [request.path for request in site.requests]
    assert done["outcomes"]["stored"] == 6
    failed = {one["source"]: one["failed"] for one in done["sources"]}
    assert failed == {"eg/marfa": False, "silent": True}
    (detail,) = desk.rows("SELECT detail FROM ledger WHERE reason = 'no_addresses'")
    assert detail == ("robots: the site announces no feed and no sitemap: name one in its file",)
