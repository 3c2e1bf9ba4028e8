"""What a site announces of itself: the feeds and sitemaps that its front page and robots.txt name.

Plain functions over bytes that somebody else fetched. Addresses come from strangers: they are
made absolute, kept only if http(s), cut in number and never fetched here.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urljoin, urlsplit

from lxml import etree, html
from scrapy.utils.sitemap import sitemap_urls_from_robots

from pipelines.arabic import clean_line
from pipelines.urls import site_of, url_key

#: Where a site keeps them if it says nothing; asked for in this order.
COMMON_FEEDS = ("/feed/", "/rss", "/rss.xml", "/feed.xml", "/atom.xml", "/rss/all.xml")
COMMON_SITEMAPS = (
    "/sitemap.xml",
    "/sitemap_index.xml",
    "/sitemap-index.xml",
    "/news-sitemap.xml",
    "/sitemap-news.xml",
    "/wp-sitemap.xml",
)
_FEED_TYPES = frozenset(("application/rss+xml", "application/atom+xml", "application/rdf+xml"))
#: Feeds of comments and of one post hold no articles.
_NO_ARTICLES = re.compile(r"/comments?(?:/|$|\?)|[?&]withoutcomments=", re.I)
_MOST = 50
_MOST_LINKS = 5_000
_LONGEST_URL = 2_000
_MOST_BYTES = 5_000_000
_WORDS_OF_TITLE = 20


@dataclass(frozen=True, slots=True)
class Front:
    """What a page, best a front page, says of its site. `links`: (absolute URL, text)."""

    feeds: tuple[str, ...] = ()
    title: str | None = None
    language: str | None = None
    links: tuple[tuple[str, str], ...] = ()


def read_front(body: bytes, url: str, charset: str | None = None) -> Front:
    """A page's feeds (<link rel=alternate>), its site's name, its language and its links.

    `url` is where the page was fetched in the end. What is no HTML says nothing.
    """
    try:
        parser = html.HTMLParser(encoding=charset, remove_comments=True, remove_pis=True)
    except LookupError:  # a character set that nobody knows
        parser = html.HTMLParser(remove_comments=True, remove_pis=True)
    try:
        tree = html.document_fromstring(body[:_MOST_BYTES], parser=parser)
    except (etree.ParserError, ValueError):
        return Front()
    base = next((a for b in tree.iter("base") if (a := _absolute(b.get("href"), url))), url)
    return Front(
        feeds=tuple(_unique(_feeds(tree, base))),
        title=_title(tree),
        language=_language(tree),
        links=tuple(_links(tree, base)),
    )


def read_robots(body: bytes, url: str) -> tuple[str, ...]:
    """The sitemaps that a robots.txt names; `url` is its own."""
    stated = islice(sitemap_urls_from_robots(body[:_MOST_BYTES]), 10 * _MOST)
    return tuple(_unique(filter(None, (_absolute(one, url) for one in stated))))


def recent_first(sitemaps: Sequence[str]) -> Sequence[str]:
    """Only the news sitemaps where there are some: they hold what is new, the others all."""
    return [url for url in sitemaps if "news" in urlsplit(url).path.lower()] or sitemaps


# --- what article addresses have in common -----------------------------------------------------

#: So many addresses must be alike before a pattern is proposed for them, in so many ways.
_LEAST_ALIKE = 3
_MOST_SHAPES = 3
_FIGURES = "[0-9]+"
_NUMBERED = "[^/]*[0-9]{3,}[^/]*"
_HEADLINE = "(?:[^/_-]+[-_]){3,}[^/]*"  # sections have one or two words, headlines more
_TELLING = (_FIGURES, _NUMBERED, _HEADLINE)
_ANY = "[^/]+"


def propose_pattern(urls: Sequence[str], share: float = 1.0) -> str | None:
    """A regular expression for the addresses of articles, from those in a feed or sitemap.

    It holds the host, the parts of the path that all share, and for the others what they have
    in common: figures, a number, a headline. None where it would fit less than `share` of the
    addresses, or where nothing in them tells an article from a section.
    """
    alike: dict[tuple[Any, int, str], list[list[str]]] = {}
    urls = list(dict.fromkeys(url for url in urls if len(url) <= _LONGEST_URL))
    for url in urls:
        try:
            parts, query = _path_parts(url), urlsplit(url).query
        except ValueError:
            continue
        number = re.match("[A-Za-z_]+=(?=[0-9]+$)", query)
        alike.setdefault((site_of(url), len(parts), number[0] if number else ""), []).append(parts)
    shapes = sorted(alike.items(), key=lambda one: -len(one[1]))
    patterns = []
    for (site, count, named), paths in shapes[:_MOST_SHAPES]:
        columns = [_common({path[at] for path in paths}) for at in range(count)]
        telling = named or any(part.startswith(_TELLING) for part in columns[-2:])
        if site and telling and len(paths) >= _LEAST_ALIKE:
            host = f"{site[0]}:{site[1]}" if site[1] else site[0]
            path = "/".join([re.escape(host), *columns])
            patterns.append(f"//(?:www\\.)?{path}" + (f"/?\\?{named}[0-9]+" if named else "/?$"))
    pattern = "|".join(patterns)
    fitting = sum(re.search(pattern, url) is not None for url in urls)
    return pattern if pattern and fitting >= share * len(urls) else None


def _path_parts(url: str) -> list[str]:
    return [part for part in urlsplit(url).path.split("/") if part]


def _common(words: set[str]) -> str:
    """What stands for one part of the paths."""
    found = [re.fullmatch(r"(.*?)((?:\.[a-z]{3,5})?)", word) for word in words]
    stems = [match[1] for match in found if match]
    endings = {match[2] for match in found if match}
    end = re.escape(endings.pop()) if len(endings) == 1 else ""
    for kind in _TELLING:
        # A year that all share today is another one in January; so is a number.
        if all(re.fullmatch(kind, stem) for stem in stems) and (len(words) > 1 or kind == _FIGURES):
            return kind + end
    return re.escape(words.pop()) if len(words) == 1 else _ANY + end


# --- parts of a page ---------------------------------------------------------------------------


def _feeds(tree: Any, base: str) -> Iterator[str]:
    for link in tree.iter("link"):
        rel = (link.get("rel") or "").lower().split()
        kind = (link.get("type") or "").split(";")[0].strip().lower()
        if "alternate" in rel and kind in _FEED_TYPES:
            address = _absolute(link.get("href"), base)
            if address and not _NO_ARTICLES.search(address):
                yield address


def _title(tree: Any) -> str | None:
    """The site's name: what its meta tags say, else the title up to the first sign that parts."""
    for name in ("og:site_name", "application-name"):
        for meta in tree.iter("meta"):
            stated = clean_line(meta.get("content") or "")
            if name in (meta.get("property"), meta.get("name")) and stated:
                return _cut(stated)
    title = clean_line(tree.findtext(".//title") or "")
    return _cut(re.split(r"\s+[-–—|•:]\s+|\s*\|\s*", title)[0]) if title else None


def _cut(text: str) -> str:
    return " ".join(text.split()[:_WORDS_OF_TITLE])[:200]


def _language(tree: Any) -> str | None:
    code = re.match(r"\s*([A-Za-z]{2,3})(?=[-_\s]|$)", tree.get("lang") or "")
    return code[1].lower() if code else None


def _links(tree: Any, base: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for link in islice(tree.iter("a"), _MOST_LINKS):
        address = _absolute(link.get("href"), base)
        if address and (key := url_key(address)) not in seen:
            seen.add(key)
            yield address, clean_line("".join(islice(link.itertext(), 50)))[:500]


def _absolute(stated: str | None, base: str) -> str | None:
    """An http(s) address without its fragment; None for anything else."""
    if not stated or len(stated) > _LONGEST_URL:
        return None
    try:
        joined = urljoin(base, stated.strip()).split("#")[0]
        parts = urlsplit(joined)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return joined if usable and len(joined) <= _LONGEST_URL else None


def _unique(urls: Iterable[str]) -> Iterator[str]:
    return islice(dict.fromkeys(urls), _MOST)
