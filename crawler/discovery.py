"""Feeds, sitemaps and listings -> the addresses in them. Runs in worker processes: reading a large
or hostile one costs a bounded time and memory there, and the crawl's event loop nothing.
"""

import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from html import unescape
from io import BytesIO
from typing import Any
from urllib.parse import urljoin, urlsplit

from crawler.announced import read_front, read_robots, recent_first
from crawler.pool import Pool
from crawler.work import Limits, StoppedError, run
from pipelines.db.addresses import Found, Kind
from pipelines.document import Reason, Stated
from pipelines.source import Listing, Source
from pipelines.urls import host_of, same_site, without_tracking

#: Addresses taken from one document: what the sitemap protocol allows.
MOST = 50_000
#: Unpacked bytes of a sitemap: as many as the protocol allows.
MOST_BYTES = 50 << 20
#: Steps from an index in the source's file: an index within an index is read, one deeper is not.
DEEPEST = 2
_LONGEST_URL = 4_000
_LONGEST_TEXT = 4_000
#: What no address holds, and no database takes: control characters, half characters.
_UNSENDABLE = re.compile("[\x00-\x20\x7f\ud800-\udfff]")
_TAGS = re.compile(r"<[^<>]{0,2000}>")
_GZIP = b"\x1f\x8b\x08"


class NoAddressesError(Exception):
    """Raised for a document that is none of its kind; the message is one line for people."""


@dataclass(frozen=True, slots=True)
class Document:
    """A feed, sitemap or listing as it was fetched; `content_type` as the server states it."""

    kind: Kind
    url: str
    root: str
    depth: int
    body: bytes
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Discovered:
    """The addresses of a document: those to visit, how many were `left` alone because they are
    not the source's articles, and how many because they are `too_many`. `trouble` says why the
    document gave none, or not all."""

    found: tuple[Found, ...] = ()
    left: int = 0
    too_many: int = 0
    trouble: str | None = None


async def addresses_of(
    pool: Pool, document: Document, source: Source, limits: Limits
) -> Discovered:
    """The addresses in a document, read in a worker process; `trouble` if reading it failed."""
    try:
        return await run(pool, limits, _discover, document, source)
    except StoppedError as error:
        what = "was" if error.reason is Reason.TIMEOUT else "failed:"
        return Discovered(trouble=f"reading it {what} {error}")


def _discover(document: Document, source: Source) -> Discovered:
    try:
        return discover(document, source)
    except MemoryError:
        return Discovered(trouble="reading it needed more memory than it may take")
    except Exception as error:  # a defect of ours must cost one document, not the run
        return Discovered(trouble=f"{type(error).__name__} while reading it: {error}"[:500])


def discover(document: Document, source: Source) -> Discovered:
    """The addresses in a document, each once, in their order."""
    try:
        read = _READERS[document.kind](document, source)
        found: dict[str, Found] = {}
        left = too_many = 0
        for each in read:
            if len(found) >= MOST:
                too_many += 1
            elif each.url in found:
                continue
            elif _is_wanted(each, document, source):
                found[each.url] = each
            else:
                left += 1
    except NoAddressesError as error:
        return Discovered(trouble=str(error))
    trouble = f"more than {MOST:,} addresses in it" if too_many else None
    if document.kind is Kind.LISTING and not any(f.kind is Kind.PAGE for f in found.values()):
        trouble = "no link in it is an article's: see `links` and `articles` in the source's file"
    return Discovered(tuple(found.values()), left, too_many, trouble)


def _is_wanted(found: Found, document: Document, source: Source) -> bool:
    url = found.url
    if len(url) > _LONGEST_URL or _UNSENDABLE.search(url):
        return False
    if urlsplit(url).scheme not in ("http", "https"):
        return False
    if found.kind is not Kind.PAGE:
        # Where an index or a listing leads to is the site's word; which site, the source's.
        return _is_own(url, document, source)
    if source.skip and re.search(source.skip, url):
        return False
    if source.articles:
        return re.search(source.articles, url) is not None
    return _is_own(url, document, source)


def _is_own(url: str, document: Document, source: Source) -> bool:
    own = [document.url, document.root, *([str(source.homepage)] if source.homepage else [])]
    return any(same_site(url, other) or same_site(other, url) for other in own)


# --- feeds ---------------------------------------------------------------------------------------


def _read_feed(document: Document, _: Source) -> Iterator[Found]:
    import feedparser

    try:
        parsed = feedparser.parse(
            BytesIO(document.body),
            response_headers={
                "content-type": document.content_type or "application/xml",
                "content-location": document.url,
            },
        )
    except MemoryError:
        raise
    except Exception as error:  # damage makes it raise whatever it comes upon
        raise NoAddressesError(f"a feed that can't be read: {_one_line(error)}") from None
    version = parsed.get("version") or ""  # an empty document has none
    if not version and not parsed.entries:
        raise NoAddressesError(f"no feed: {_first_words(document.body)}")
    atom = version.startswith("atom")
    for entry in parsed.entries:
        url = _entry_url(entry, document.url)
        if url is None:
            continue
        # Asked for a change that is not stated, feedparser gives the publication.
        updated = entry.get("updated") if "updated" in entry else None
        # RDF's dc:date is the day of publication; Atom's `updated` is not.
        published = entry.get("published") or (None if atom else updated)
        stated = Stated(_text(entry.get("title")), _text(entry.get("author")), _text(published))
        yield Found(url, Kind.PAGE, stated, _text(updated) if atom else None)


def _entry_url(entry: Any, base: str) -> str | None:
    # FeedBurner and its like keep the site's own address beside theirs.
    for name in ("feedburner_origlink", "link"):
        if entry.get(name):
            return _absolute(entry[name], base)
    link = entry.get("id") if entry.get("guidislink") else None
    return _absolute(link, base) if link else None


# --- sitemaps ------------------------------------------------------------------------------------


def _read_sitemap(document: Document, _: Source) -> Iterator[Found]:
    from lxml.etree import LxmlError
    from scrapy.utils.gz import gunzip
    from scrapy.utils.sitemap import Sitemap

    class NewsSitemap(Sitemap):
        """Scrapy's, and what a news sitemap says of a page: title and date of publication."""

        def _process_sitemap_element(self, elem: Any) -> dict[str, Any] | None:
            news = {
                name: elem.findtext(f"{{*}}news/{{*}}{name}")
                for name in ("title", "publication_date")
            }
            entry = super()._process_sitemap_element(elem)
            return entry | {"news": news} if entry else None

    body = document.body
    try:
        if body[:3] == _GZIP:
            body = gunzip(body, max_size=MOST_BYTES)
        if b"<!ENTITY" in body:
            raise NoAddressesError("an XML file that defines entities is not read")
        sitemap = NewsSitemap(body)
        kind = sitemap.type
        if kind not in ("urlset", "sitemapindex"):
            yield from _plain_list(body, kind)
            return
        for entry in sitemap:
            url = _absolute(entry["loc"], document.url)
            if url is None:
                continue
            changed = _text(entry.get("lastmod"))
            if kind == "sitemapindex":
                if document.depth < DEEPEST:
                    yield Found(url, Kind.SITEMAP, modified_at=changed)
                continue
            news = entry["news"]
            stated = Stated(_text(news["title"]), None, _text(news["publication_date"]))
            yield Found(url, Kind.PAGE, stated, changed)
    except (LxmlError, StopIteration, SyntaxError):
        if document.body[:3] == _GZIP:
            raise NoAddressesError("no sitemap in what was packed") from None
        yield from _plain_list(body, None)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise NoAddressesError(f"a packed sitemap that can't be unpacked: {error}") from None


def _plain_list(body: bytes, root: str | None) -> Iterator[Found]:
    """A sitemap may be a text file of addresses, one a line."""
    lines = body.decode("utf-8", "replace").lstrip("\ufeff").split()
    if root is not None or not lines or not lines[0].startswith(("http://", "https://")):
        said = f"its root is <{root[:40]}>" if root else _first_words(body)
        raise NoAddressesError(f"no sitemap: {said}")
    for line in lines:
        yield Found(line)


# --- listings ------------------------------------------------------------------------------------


def _read_listing(document: Document, source: Source) -> Iterator[Found]:
    from scrapy.http import HtmlResponse
    from scrapy.utils.response import get_base_url
    from w3lib.url import safe_url_string

    listing = listing_of(source, document.root)
    if listing is None:
        raise NoAddressesError(f"{document.root} is no listing of {source.key} any more")
    response = HtmlResponse(
        document.url, body=document.body, headers={"Content-Type": document.content_type}
    )
    base = get_base_url(response)

    def absolute(link: str) -> str | None:
        joined = _absolute(link, base)
        if joined is None:
            return None
        # A letter in its query may be one that the page's encoding lacks.
        for encoding in (response.encoding, "utf-8"):
            with suppress(ValueError):  # or it is no address at all
                return safe_url_string(joined, encoding)
        return None

    for link in response.xpath("//a/@href").getall():
        url = absolute(link)
        if url and re.search(listing.links, url):
            yield Found(url)
    if listing.next and document.depth + 1 < listing.pages:
        for link in response.css(listing.next).xpath("@href").getall()[:1]:
            url = absolute(link)
            if url and url != document.url:
                yield Found(url, Kind.LISTING)


def listing_of(source: Source, root: str) -> Listing | None:
    """The listing of a source that begins at an address."""
    return next((one for one in source.listings if str(one.url) == root), None)


# --- what a site announces -----------------------------------------------------------------------


def _read_front(document: Document, _: Source) -> Iterator[Found]:
    """The feeds of a front page; without any, robots.txt is asked for sitemaps. Never both: an
    outlet's sitemaps may hold all that it ever published."""
    feeds = read_front(document.body, document.url).feeds
    for url in feeds:
        yield Found(url, Kind.FEED)
    if not feeds:
        yield Found(urljoin(document.url, "/robots.txt"), Kind.ROBOTS)


def _read_robots(document: Document, _: Source) -> Iterator[Found]:
    sitemaps = read_robots(document.body, document.url)
    if not sitemaps:
        raise NoAddressesError("the site announces no feed and no sitemap: name one in its file")
    for url in recent_first(sitemaps):
        yield Found(url, Kind.SITEMAP)


_READERS = {
    Kind.FEED: _read_feed,
    Kind.SITEMAP: _read_sitemap,
    Kind.LISTING: _read_listing,
    Kind.FRONT: _read_front,
    Kind.ROBOTS: _read_robots,
}


# --- parts ---------------------------------------------------------------------------------------


def _absolute(link: str, base: str) -> str | None:
    try:
        joined = urljoin(base, link.strip())
        if urlsplit(joined).scheme not in ("http", "https") or not host_of(joined):
            return None
    except ValueError:
        return None
    return without_tracking(joined.replace(" ", "%20"))


def _text(stated: Any) -> str | None:
    """What is stated as one line without markup; None if it says nothing."""
    if not isinstance(stated, str):
        return None
    said = unescape(_TAGS.sub(" ", stated)).replace("\0", " ")  # no database takes either
    line = " ".join(said.encode("utf-8", "replace").decode().split())
    return line[:_LONGEST_TEXT] or None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _first_words(body: bytes) -> str:
    words = " ".join(body[:200].decode("utf-8", "replace").split())
    return f"it begins with {words[:60]!r}" if words else "it is empty"
