"""What is true in the newsroom: its articles, what changed, what is gone, and what it serves."""

import gzip
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from math import ceil
from threading import RLock
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from tests.site import feeds, pages, texts

ZONE = "Africa/Cairo"
#: Articles in a feed, teasers on a listing page, URLs in a plain sitemap.
FEED, LISTING, SITEMAP = 20, 10, 50


@dataclass(frozen=True)
class Article:
    """What an article says now. `url` is its one address; `changed` its last change."""

    number: int
    url: str
    title: str
    deck: str
    author: str
    section: str
    paragraphs: tuple[str, ...]
    published: datetime
    changed: datetime | None = None
    charset: str = "utf-8"

    @property
    def path(self) -> str:
        """Its address on the site, with the query."""
        parts = urlsplit(self.url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path


@dataclass(frozen=True)
class Answer:
    """What the server sends. `changed` becomes Last-Modified, the body's hash the ETag."""

    status: int = 200
    body: bytes = b""
    media_type: str = "text/html; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    changed: datetime | None = None


@dataclass
class Newsroom:
    """A newsroom at `url`. The same seed gives the same texts."""

    url: str
    count: int = 40
    seed: int = 1
    until: datetime = field(default_factory=lambda: datetime.now(UTC))  # newest publication
    crawl_delay: float | None = None  # as robots.txt states it
    forbidden: int = 0  # so many articles are below /private/, which robots.txt disallows
    redesigned: bool = False

    def __post_init__(self) -> None:
        self.lock = RLock()
        self._random = random.Random(f"newsroom {self.seed}")
        self._numbers = 1000
        self._cache: dict[str, Answer] = {}
        self._gone: dict[str, int] = {}
        self._moved: dict[str, str] = {}
        self._furnished_at = self.until
        self.furniture: list[str] = []
        self.articles: list[Article] = []  # the newest first
        self.private: list[Article] = []  # what no crawl may fetch
        self.furnish(at=self.until)
        at = self.until.replace(microsecond=0).astimezone(ZoneInfo(ZONE))
        gaps = [timedelta(minutes=self._random.randint(20, 150)) for _ in range(self.count)]
        at -= sum(gaps, timedelta())
        for gap in gaps:
            at += gap
            self.articles.insert(0, self._write(at))
        for _ in range(self.forbidden):
            article = self._write(at)
            self.private.append(replace(article, url=f"{self.url}/private/{article.number}"))

    # --- what happens in the newsroom --------------------------------------------------------

    def publish(self, count: int = 1) -> list[Article]:
        """New articles, published now."""
        with self.lock:
            fresh = [self._write(_now()) for _ in range(count)]
            self.articles[:0] = reversed(fresh)
            self._cache.clear()
            return fresh

    def change(self, article: Article, paragraph: str | None = None) -> Article:
        """A correction: the second paragraph becomes another. Returns the article as it is now."""
        said = paragraph or texts.paragraph(self._random)
        return self._replace(
            article,
            paragraphs=(article.paragraphs[0], said, *article.paragraphs[2:]),
            changed=_now(),
        )

    def furnish(self, at: datetime | None = None) -> None:
        """Other headlines in the boxes around the articles: all pages' bytes change, no text."""
        with self.lock:
            self.furniture = [texts.headline(self._random) for _ in range(10)]
            self._furnished_at = at or _now()
            self._cache.clear()

    def redesign(self) -> None:
        """Other markup on every UTF-8 article's page, the same texts."""
        with self.lock:
            self.redesigned = True
            self.furnish()

    def remove(self, article: Article, status: int = 410) -> None:
        """Takes an article off the site: its address answers with `status` from now on."""
        with self.lock:
            self.articles = [a for a in self.articles if a.number != article.number]
            self._gone[article.path] = status
            self._cache.clear()

    def move(self, article: Article) -> Article:
        """Another address for an article; the old one redirects permanently."""
        moved = self._replace(article, url=f"{self.url}/moved/{article.number}", charset="utf-8")
        self._moved[article.path] = moved.url
        return moved

    def reprint(self, article: Article, *, title: str | None = None) -> Article:
        """Another site's article in this one's own dress: its text, cut by the last paragraph."""
        with self.lock:
            own = self._write(_now())
            copy = replace(
                own,
                title=title or own.title,
                author=article.author,
                paragraphs=article.paragraphs[:-1],
            )
            self.articles.insert(0, copy)
            self._cache.clear()
            return copy

    def _write(self, at: datetime) -> Article:
        story = texts.story(self._random)
        self._numbers += 1
        number = self._numbers
        old = number % 5 == 0
        return Article(
            number=number,
            url=f"{self.url}/old/article.asp?id={number}"
            if old
            else f"{self.url}/news/{at:%Y/%m/%d}/{number}",
            title=story.title,
            deck=story.deck,
            author=story.author,
            section=story.section,
            paragraphs=story.paragraphs,
            published=at,
            charset="windows-1256" if old else "utf-8",
        )

    def _replace(self, article: Article, **facts: object) -> Article:
        with self.lock:
            at = next(n for n, a in enumerate(self.articles) if a.number == article.number)
            self.articles[at] = replace(self.articles[at], **facts)  # type: ignore[arg-type]
            self._cache.clear()
            return self.articles[at]

    # --- what it serves ----------------------------------------------------------------------

    def answer(self, target: str) -> Answer | None:
        """What stands at a path (with query); None if nothing does."""
        with self.lock:
            if target in self._moved:
                return Answer(301, headers=(("Location", self._moved[target]),))
            if target in self._gone:
                return Answer(self._gone[target], b"<h1>404</h1>")
            if target not in self._cache:
                made = self._make(target)
                if made is None:
                    return None
                self._cache[target] = made
            return self._cache[target]

    def _make(self, target: str) -> Answer | None:
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        # Whatever else the query says counts visitors.
        for article in (*self.articles, *self.private):
            own = urlsplit(article.url)
            if own.path == parts.path and (not own.query or own.query == f"id={query.get('id')}"):
                return self._article(article)
        served = self._paths().get(parts.path)
        if served:
            return served()
        if parts.path == "/latest" or parts.path.startswith("/section/"):
            return self._listing(parts.path, query.get("page", "1"))
        if parts.path.startswith("/sitemap-"):
            return self._plain_sitemap(parts.path)
        return None

    def _paths(self) -> dict[str, Callable[[], Answer]]:
        return {
            "/": self._front,
            "/robots.txt": self._robots,
            "/feed.xml": partial(self._feed, feeds.rss, "application/rss+xml"),
            "/atom.xml": partial(self._feed, feeds.atom, "application/atom+xml"),
            "/rdf.xml": partial(self._feed, feeds.rdf, "application/rdf+xml"),
            "/sitemap.xml": self._sitemap_index,
            "/sitemap-news.xml.gz": self._news_sitemap,
        }

    def _article(self, article: Article) -> Answer:
        body = pages.article_page(self, article).encode(article.charset)
        # Of old pages every other one tells its charset in the page alone.
        known = article.charset if article.number % 10 else None
        return Answer(
            body=body,
            media_type=f"text/html; charset={known}" if known else "text/html",
            changed=max(article.changed or article.published, self._furnished_at),
        )

    def _front(self) -> Answer:
        return self._page(pages.front_page(self, self.articles[:15]))

    def _robots(self) -> Answer:
        delay = f"Crawl-delay: {self.crawl_delay:g}\n" if self.crawl_delay is not None else ""
        said = f"User-agent: *\nDisallow: /private/\n{delay}Sitemap: {self.url}/sitemap.xml\n"
        return Answer(body=said.encode(), media_type="text/plain", changed=self.until)

    def _feed(self, write: Callable[[str, list[Article]], str], media_type: str) -> Answer:
        said = write(self.url, [*self.private, *self.articles[:FEED]])
        return Answer(body=said.encode(), media_type=media_type, changed=self._newest())

    def _sitemap_index(self) -> Answer:
        parts = [f"{self.url}/sitemap-news.xml.gz"]
        parts += [f"{self.url}/sitemap-{n}.xml" for n in range(1, self._sitemaps() + 1)]
        said = feeds.sitemap_index([(part, self._newest()) for part in parts])
        return Answer(body=said.encode(), media_type="application/xml", changed=self._newest())

    def _news_sitemap(self) -> Answer:
        since = self._newest() - timedelta(days=2)
        said = feeds.news_sitemap([a for a in self.articles if a.published > since])
        body = gzip.compress(said.encode(), 6, mtime=0)
        return Answer(body=body, media_type="application/x-gzip", changed=self._newest())

    def _plain_sitemap(self, path: str) -> Answer | None:
        number = path.removeprefix("/sitemap-").removesuffix(".xml")
        if not number.isdigit() or not 1 <= int(number) <= self._sitemaps():
            return None
        listed = [*self.private, *self.articles][::-1]  # the oldest first: files stay as they are
        part = listed[(int(number) - 1) * SITEMAP : int(number) * SITEMAP]
        said = feeds.sitemap(part)
        changed = max((a.changed or a.published for a in part), default=self.until)
        return Answer(body=said.encode(), media_type="application/xml", changed=changed)

    def _listing(self, path: str, page: str) -> Answer | None:
        name, listed = "آخر الأخبار", self.articles
        if path != "/latest":
            number = path.removeprefix("/section/")
            if not number.isdigit() or int(number) >= len(texts.SECTIONS):
                return None
            name = texts.SECTIONS[int(number)]
            listed = [a for a in listed if a.section == name]
        last = max(1, ceil(len(listed) / LISTING))
        if not page.isdigit() or not 1 <= int(page) <= last:
            return None
        at = int(page)
        shown = listed[(at - 1) * LISTING : at * LISTING]
        return self._page(pages.listing_page(name, path, at, last, shown))

    def _page(self, said: str) -> Answer:
        return Answer(body=said.encode(), changed=max(self._newest(), self._furnished_at))

    def _sitemaps(self) -> int:
        return max(1, ceil((len(self.articles) + len(self.private)) / SITEMAP))

    def _newest(self) -> datetime:
        return max((a.changed or a.published for a in self.articles), default=self.until)


def etag(body: bytes) -> str:
    return f'"{hashlib.sha1(body, usedforsecurity=False).hexdigest()[:16]}"'


def _now() -> datetime:
    return datetime.now(ZoneInfo(ZONE)).replace(microsecond=0)
