"""`warraq sources`: what a newcomer sees, on real sites over real HTTP."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from crawler.new_source import homepage_of, key_of
from pipelines.errors import UserError
from pipelines.source import load_sources
from tests.conftest import run_warraq
from tests.site import Site
from tests.test_sources import unmet

HOSTILE = '\u202e\'ص: "[\x07]" #{&*!|>%@`}\\\u2028<b>' + "x " * 5000


def warraq(*arguments: str | Path, allow: str = "127.0.0.0/8") -> CompletedProcess[bytes]:
    return run_warraq(["sources", *arguments], WARRAQ_ALLOW_ADDRESSES=allow)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(articles=12) as site:
        yield site


def test_list_shows_what_files_say(tmp_path: Path) -> None:
    (tmp_path / "eg").mkdir()
    facts = "title: صحيفة\ncountry: eg\nfeeds: [https://a.example/1, https://a.example/2]\n"
    (tmp_path / "eg/a.yml").write_text(facts + "every: 15m\ndisabled: moved\n", encoding="utf-8")
    (tmp_path / "b.yml").write_text("verified: {on: 2024-05-06, how: read it}\n", encoding="utf-8")
    told = warraq("list", "--sources", tmp_path).stdout.decode().splitlines()
    assert told[0].split() == "key title country ways every disabled verified".split()
    assert told[2].split() == "b what the site announces by its rhythm 2024-05-06".split()
    assert told[3].split() == "eg/a صحيفة eg 2 feeds 15m moved no".split()
    rows = json.loads(warraq("list", "--sources", tmp_path, "--json").stdout)
    assert [row["key"] for row in rows] == ["b", "eg/a"]
    assert (rows[1]["every"], rows[1]["disabled"]) == ("15m", "moved")
    (tmp_path / "b.yml").write_text("title: x\npace: {dely: 1}\n", encoding="utf-8")
    wrong = warraq("list", "--sources", tmp_path)
    assert wrong.returncode == 2
    assert f"{tmp_path}/b.yml:2: pace.dely: no such field; did you mean `delay`?" in (
        wrong.stderr.decode()
    )


def test_check_of_a_good_site(site: Site, tmp_path: Path) -> None:
    site.write_source(tmp_path, "eg/marfa", ["/feed.xml", "/sitemap.xml", "/latest"])
    # A source that names nothing is asked by what its site announces; its homepage is another.
    bare = f"homepage: {site.url}/latest\npace: {{delay: 0}}\n"
    (tmp_path / "bare.yml").write_text(bare, encoding="utf-8")
    done = warraq("check", "--sources", tmp_path, "--json")
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    looked_up, told = json.loads(done.stdout)
    assert told["source"] == "eg/marfa" and told["works"]
    said = {part["kind"]: part["said"] for part in told["parts"]}
    assert list(said) == ["robots", "feed", "sitemap", "listing", "article"]
    newest = site.articles[0]
    stamp = newest.published.isoformat(timespec="minutes")
    assert said["feed"] == f"12 addresses, newest {stamp}"
    assert said["sitemap"].startswith("2 sitemaps; of one: 12 addresses")
    assert newest.title in said["article"] and newest.published.isoformat() in said["article"]
    assert [part["kind"] for part in looked_up["parts"]] == ["robots", "sitemap", "article"]


def test_check_says_what_is_broken(tmp_path: Path) -> None:
    with Site(articles=3) as site, Site(articles=1, host="127.0.0.2") as mute:
        mute.script("/", 200, b"<html><p>x</p></html>", times=None)
        mute.script("/robots.txt", 404, times=None)
        old = (
            '<rss version="2.0"><channel><item><title>قديم</title>'
            f"<link>{site.articles[0].url}</link>"
            "<pubDate>Mon, 06 Sep 2021 10:00:00 GMT</pubDate></item></channel></rss>"
        )
        empty = b'<rss version="2.0"><channel><title>x</title></channel></rss>'
        page = f"<html lang=ar><body><h1>{HOSTILE[:50]}</h1><p>نص</p></body></html>"
        answers = {
            "/gone.xml": (404, b""),
            "/page.xml": (200, b"<html><p>no feed</p></html>"),
            "/empty.xml": (200, empty),
            "/old.xml": (200, old.encode()),
            site.articles[0].path: (200, page.encode()),
        }
        for path, (status, body) in answers.items():
            site.script(path, status, body, times=None)
        feeds = [f"  - {site.url}{path}" for path in list(answers)[:4]]
        facts = ["homepage: " + site.url, "pace: {delay: 0}", "feeds:", *feeds]
        (tmp_path / "eg").mkdir()
        (tmp_path / "eg/broken.yml").write_text("\n".join(facts))
        (tmp_path / "bare.yml").write_text("homepage: http://127.0.0.2:9/\n")
        (tmp_path / "mute.yml").write_text(f"homepage: {mute.url}/\npace: {{delay: 0}}\n")
        (tmp_path / "off.yml").write_text("disabled: not this one\n")
        done = warraq("check", "--sources", tmp_path, "--json")
    assert done.returncode == 1
    assert b"broken: bare, eg/broken, mute" in done.stderr
    told = {one["source"]: one for one in json.loads(done.stdout)}
    assert sorted(told) == ["bare", "eg/broken", "mute"]
    broken = {
        part["url"].rpartition("/")[2]: part["broken"] or "" for part in told["eg/broken"]["parts"]
    }
    assert broken["gone.xml"] == "HTTP status 404"
    assert broken["page.xml"].startswith("no feed: it begins with '<html>")
    assert broken["empty.xml"] == "nothing in it is an article of this source"
    assert broken["old.xml"].startswith("nothing new in ")
    (article,) = [part for part in told["eg/broken"]["parts"] if part["kind"] == "article"]
    assert article["broken"]
    robots, front = told["bare"]["parts"]
    assert robots["broken"].startswith("unreachable: Connection was refused by ")
    # What a site forbids is not known then: nothing more is asked of it.
    assert front["broken"].startswith("unreachable: robots.txt does not answer: ")
    assert [part["broken"] for part in told["mute"]["parts"]] == [
        None,  # no robots.txt is no fault
        "the file names no feed, sitemap or listing, and the site announces none",
    ]


def test_check_of_an_unknown_source(tmp_path: Path) -> None:
    done = warraq("check", "eg/nobody", "--sources", tmp_path)
    assert done.returncode == 2 and b"eg/nobody: no such source" in done.stderr


def test_new_source_with_its_failing_test(site: Site, tmp_path: Path) -> None:
    sources, pages = tmp_path / "sources", tmp_path / "pages"
    to = ("--sources", sources, "--pages", pages, "--delay", "0")
    done = warraq("new", site.url, "--key", "eg/marfa", *to)
    said = done.stderr.decode()
    assert done.returncode == 0, said
    source = load_sources(sources)["eg/marfa"]
    assert (source.title, str(source.homepage)) == ("صحيفة المرفأ الجديد", f"{site.url}/")
    assert (source.language, source.country, source.zone) == (
        "ar",
        None,
        None,
    )  # an address tells none
    assert [str(url) for url in source.feeds] == [f"{site.url}/feed.xml"]  # Atom has the same
    assert [str(url) for url in source.sitemaps] == [f"{site.url}/sitemap.xml"]
    assert source.verified and source.verified.on is None
    # Its test waits for a person.
    folder = pages / "eg/marfa"
    assert "title is not filled in" in unmet(folder, source)
    facts = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    (article,) = [one for one in site.articles if one.url == facts["url"]]
    assert (folder / "page.html").read_bytes()
    facts |= {
        "title": article.title,
        "author": article.author,
        "published_at": article.published.isoformat(timespec="minutes"),
        "first_words": article.paragraphs[0][:40],
        "last_words": article.paragraphs[-1][-40:],
    }
    (folder / "expected.json").write_text(json.dumps(facts), encoding="utf-8")
    zoned = source.model_copy(update={"zone": "Africa/Cairo"})
    assert unmet(folder, zoned) == []
    facts["title"] = "عنوان آخر"
    (folder / "expected.json").write_text(json.dumps(facts), encoding="utf-8")
    assert unmet(folder, zoned) == [f"title is {article.title!r}, expected 'عنوان آخر'"]
    # Nothing is written over, whatever is asked.
    again = warraq("new", site.url, "--key", "eg/other", *to)
    assert again.returncode == 2 and b"is a source already" in again.stderr
    for step in ("read ", "expected.json", "-k eg/marfa", "sources check eg/marfa"):
        assert step in said


@pytest.mark.parametrize("address", ["ftp://a.example", "http://", "a b", "http://[", "file:///a"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(UserError, match="no http or https address"):
        homepage_of(address)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("https://www.sahifa.com.eg/", "eg/sahifa"),
        ("https://arabic.marfa.test/home", "marfa"),
        ("https://marfa-news.com/ar/", "marfa-news"),
        ("http://127.0.0.1:8001/", "127-0-0-1"),
        ("http://[::1]:8001/", "1"),
        ("https://xn--mgba3a4f16a.example/", "xn--mgba3a4f16a"),
        ("https://../", "source"),
    ],
)
def test_key_from_the_address(address: str, key: str) -> None:
    assert key_of(address) == key


def test_new_says_why_not(tmp_path: Path) -> None:
    to = ("--sources", tmp_path / "s", "--pages", tmp_path / "p")
    wrong = warraq("new", "http://a.example/", "--key", "../../etc/x", *to)
    assert (wrong.returncode, b"--key ../../etc/x: write" in wrong.stderr) == (2, True)
    private = warraq("new", "http://127.0.0.1:9/", *to, allow="")
    assert private.returncode == 1
    assert b"http://127.0.0.1:9/: blocked_address: " in private.stderr
    assert os.listdir(tmp_path) == []


def test_new_from_a_hostile_site(tmp_path: Path) -> None:
    front = (
        f"<html lang='x{HOSTILE[:50]}'><head><title>{HOSTILE}</title>"
        "<link rel=alternate type='application/rss+xml' href='/f\n  - key: x #'>"
        "<link rel=alternate type='application/rss+xml' href='http://169.254.169.254/feed'>"
        "</head><body>" + "".join(f"<a href='/{n}/a-b-c-d'>{HOSTILE[:30]}</a>" for n in range(9))
    )
    with Site(articles=1) as site:
        site.script("*", 404, times=None)
        site.script("/", 200, front.encode(), times=None)
        site.script("/robots.txt", 200, b"Sitemap: file:///etc/passwd\n" * 9, times=None)
        to = ("--sources", tmp_path / "s", "--pages", tmp_path / "p", "--delay", "0")
        done = warraq("new", site.url, *to)
    assert done.returncode == 0, done.stderr.decode()
    (source,) = load_sources(tmp_path / "s").values()
    assert source.key == "127-0-0-1"
    assert not source.feeds and not source.sitemaps
    assert source.title and len(source.title) <= 200
    assert not {"\u202e", "\x07", "\n"} & set(
        (tmp_path / "s/127-0-0-1.yml").read_text().split("\n")[1]
    )
