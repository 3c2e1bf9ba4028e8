"""Does a source still work? Its robots.txt, feeds, sitemaps, a listing and an article, fetched."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin

from crawler.announced import read_front, read_robots, recent_first
from crawler.archive import Fetched, crawled_page
from crawler.discovery import Discovered, Document, addresses_of
from crawler.pool import Pool
from crawler.visit import Fetch, Visit
from crawler.work import Limits, Result, result_of
from pipelines.db.addresses import Found, Kind
from pipelines.document import Article, RawPage, Rejected, Stated, Unreadable
from pipelines.source import Source
from pipelines.stages.dates import read_date

NOTHING = Stated()
#: A feed whose newest item is older is as good as gone.
STALE = timedelta(days=30)
#: Fewer characters are a teaser, or the first line of a page that scripts fill.
SHORT = 200


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that was looked at: robots, feed, sitemap, listing, article; or `source`, where
    there is nothing to look at. `broken` says what is wrong, `said` what was found."""

    kind: str
    url: str
    said: str
    broken: str | None = None


@dataclass
class Checked:
    """What a source's check found; `page` is the article that was read."""

    source: Source
    parts: list[Part] = field(default_factory=list)
    page: RawPage | None = None

    @property
    def broken(self) -> bool:
        return any(part.broken for part in self.parts)

    def as_json(self) -> dict[str, Any]:
        parts = [asdict(part) for part in self.parts]
        return {"source": self.source.key, "works": not self.broken, "parts": parts}


async def check_source(fetch: Fetch, source: Source, pool: Pool, limits: Limits) -> Checked:
    """Looks at everything that a crawl of the source stands on, and at one article."""
    done = Checked(source)
    found: list[Found] = []
    sitemaps = [str(url) for url in source.sitemaps]
    feeds = [str(url) for url in source.feeds]
    if source.homepage:
        robots, announced = await look_at_robots(fetch, str(source.homepage))
        done.parts.append(robots)
        if source.announced:
            front = await fetch(source.announced)
            if front.trouble:
                done.parts.append(Part("front", source.announced, "", front.trouble))
            feeds = list(read_front(front.body, front.url).feeds[:1])
            sitemaps = [] if feeds else list(recent_first(announced)[:1])
    for url in feeds:
        part, items = await look_at(fetch, url, Kind.FEED, source, pool, limits)
        done.parts.append(part)
        found += items
    for url in sitemaps:
        part, items = await look_at(fetch, url, Kind.SITEMAP, source, pool, limits)
        done.parts.append(part)
        found += items
    for listing in source.listings[:1]:
        part, items = await look_at(fetch, str(listing.url), Kind.LISTING, source, pool, limits)
        done.parts.append(part)
        found += items
    unreached = any(part.kind == "front" for part in done.parts)
    if not (feeds or sitemaps or source.names_ways or unreached):
        said = "the file names no feed, sitemap or listing, and the site announces none"
        done.parts.append(Part("source", str(source.homepage or ""), "", said))
    if found:
        part, done.page = await look_at_article(fetch, newest(found), source, pool, limits)
        done.parts.append(part)
    return done


async def look_at_robots(fetch: Fetch, homepage: str) -> tuple[Part, tuple[str, ...]]:
    """A site's robots.txt, and the sitemaps that it names."""
    visit = await fetch(urljoin(homepage, "/robots.txt"))
    if visit.status in (404, 410):
        return Part("robots", visit.asked, "there is none: all is allowed"), ()
    if visit.trouble:
        return Part("robots", visit.asked, "", visit.trouble), ()
    sitemaps = read_robots(visit.body, visit.url)
    return Part("robots", visit.asked, f"names {counted(len(sitemaps), 'sitemap')}"), sitemaps


async def look_at(
    fetch: Fetch, url: str, kind: Kind, source: Source, pool: Pool, limits: Limits
) -> tuple[Part, list[Found]]:
    """A feed, sitemap or listing, and the pages in it; of an index, those of its newest sitemap."""
    visit = await fetch(url)
    if visit.trouble:
        return Part(kind, url, "", visit.trouble), []
    read = await _read(visit, url, kind, 0, source, pool, limits)
    pages = [found for found in read.found if found.kind is Kind.PAGE]
    below = [found for found in read.found if found.kind is Kind.SITEMAP]
    said = counted(len(pages), "address")
    if below:
        chosen = max(below, key=lambda found: _day(found.modified_at))
        visit = await fetch(chosen.url)
        said = f"{counted(len(below), 'sitemap')}; of one: "
        if visit.trouble:
            return Part(kind, url, said, f"{chosen.url}: {visit.trouble}"), []
        read = await _read(visit, url, Kind.SITEMAP, 1, source, pool, limits)
        pages = [found for found in read.found if found.kind is Kind.PAGE]
        said += counted(len(pages), "address")
    if read.left:
        said += f", {read.left} more left out"
    stated = [found.stated.published_at or found.modified_at for found in pages]
    latest = max(stated, key=_day, default=None)
    broken = read.trouble
    if not broken and not pages:
        broken = "nothing in it is an article of this source"
    if moment := _moment(latest):
        said += f", newest {moment.isoformat(timespec='minutes')}"
        age = datetime.now(UTC) - moment
        if kind is Kind.FEED and age > STALE:
            broken = broken or f"nothing new in {age.days} days"
    return Part(kind, url, said, broken), pages


async def look_at_article(
    fetch: Fetch, found: Found, source: Source, pool: Pool, limits: Limits
) -> tuple[Part, RawPage | None]:
    """An article, read as a crawl would read it."""
    visit = await fetch(found.url)
    if visit.trouble:
        return Part("article", found.url, "", visit.trouble), None
    if source.scripts:
        return Part("article", found.url, "answers; made by scripts, and not read here"), None
    page = as_page(visit, source.key, found.stated)
    if isinstance(page, Unreadable):
        return Part("article", found.url, "", told(page)), None
    result = await result_of(pool, page, None, limits)
    if not isinstance(result, Article):
        return Part("article", found.url, "", told(result)), page
    broken = None
    if result.published is None:
        broken = "no date of publication was found"
    elif not result.title:
        broken = "no title was found"
    elif len(result.text) < SHORT:
        broken = "too short for an article"
    return Part("article", found.url, told(result), broken), page


def told(result: Result) -> str:
    """What was read of a page, in one line."""
    if isinstance(result, Rejected | Unreadable):
        return f"{result.reason}: {result.detail}"
    if not isinstance(result, Article):
        return "not changed"  # no such answer comes: nothing here asks on a condition
    article, date = result, result.published
    when = f"{date.iso} ({date.method})" if date else "no date"
    return f"{counted(len(article.text), 'character')}, {when}: {article.title or 'no title'}"


def as_page(visit: Visit, key: str, stated: Stated = NOTHING) -> RawPage | Unreadable:
    """An answer as a crawl would read it."""
    now = datetime.now(UTC)
    fetched = Fetched(
        visit.url, visit.status or 0, visit.headers, visit.body, now, "page", key, stated
    )
    return crawled_page(fetched, None, None)


def newest(found: Iterable[Found]) -> Found:
    """The page that says it is the newest; the first if none says anything."""
    return max(found, key=lambda one: _day(one.stated.published_at or one.modified_at))


def counted(number: int, thing: str) -> str:
    """ "1 sitemap", "3 sitemaps", "0 addresses"."""
    plural = f"{thing}es" if thing.endswith("s") else f"{thing}s"
    return f"{number:,} {thing if number == 1 else plural}"


async def _read(
    visit: Visit,
    root: str,
    kind: Kind,
    depth: int,
    source: Source,
    pool: Pool,
    limits: Limits,
) -> Discovered:
    document = Document(kind, visit.url, root, depth, visit.body, visit.content_type)
    return await addresses_of(pool, document, source, limits)


def _moment(stated: str | None) -> datetime | None:
    """A stated date as an instant; a day alone ends at midnight, a time without zone is UTC."""
    found = read_date(stated) if stated else None
    if found is None or len(found.iso) < 10:
        return None
    moment = datetime.fromisoformat(found.iso)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _day(stated: str | None) -> datetime:
    return _moment(stated) or datetime.min.replace(tzinfo=UTC)
