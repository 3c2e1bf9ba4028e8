"""A first draft of a source's file, from what the site announces and what its feeds hold.

What is not sure is left empty, for a person to fill in.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from crawler.announced import (
    COMMON_FEEDS,
    COMMON_SITEMAPS,
    Front,
    propose_pattern,
    read_front,
    read_robots,
)
from crawler.check_source import Part, as_page, counted, look_at, newest, told
from crawler.pool import Pool
from crawler.visit import Fetch
from crawler.work import Limits, result_of
from pipelines.arabic import has_arabic
from pipelines.db.addresses import Found, Kind
from pipelines.document import RawPage, Unreadable
from pipelines.errors import UserError
from pipelines.source import Source
from pipelines.urls import host_of, same_site

#: Feeds and sitemaps that are fetched to see what is in them.
_MOST = 5
#: The end of a host -> country and, where it has one only, zone. Ends that are sold to everybody
#: (.tv, .me, .co) tell nothing; nor do these tell where a site in another language is written.
_COUNTRIES = {
    "ae": ("ae", "Asia/Dubai"),
    "af": ("af", "Asia/Kabul"),
    "bh": ("bh", "Asia/Bahrain"),
    "dz": ("dz", "Africa/Algiers"),
    "eg": ("eg", "Africa/Cairo"),
    "iq": ("iq", "Asia/Baghdad"),
    "ir": ("ir", "Asia/Tehran"),
    "jo": ("jo", "Asia/Amman"),
    "kw": ("kw", "Asia/Kuwait"),
    "lb": ("lb", "Asia/Beirut"),
    "ly": ("ly", "Africa/Tripoli"),
    "ma": ("ma", "Africa/Casablanca"),
    "mr": ("mr", "Africa/Nouakchott"),
    "om": ("om", "Asia/Muscat"),
    "pk": ("pk", "Asia/Karachi"),
    "ps": ("ps", None),
    "qa": ("qa", "Asia/Qatar"),
    "sa": ("sa", "Asia/Riyadh"),
    "sd": ("sd", "Africa/Khartoum"),
    "sy": ("sy", "Asia/Damascus"),
    "tn": ("tn", "Africa/Tunis"),
    "ye": ("ye", "Asia/Aden"),
}
_LANGUAGES = frozenset(("ar", "fa", "ur", "ku", "ckb", "ps"))
#: A pattern that fits this share of the addresses is worth showing.
_SHARE = 0.7
#: A link of so many words is a headline.
_HEADLINE_WORDS = 4


class SiteError(UserError):
    """Raised when a site does not answer, so that nothing can be drafted; the message says why."""

    exit_code = 1


@dataclass
class Draft:
    """What goes into a new source's file. `pages` are addresses of its articles, newest first."""

    key: str
    homepage: str
    front: Front
    feeds: list[Part] = field(default_factory=list)
    sitemaps: list[Part] = field(default_factory=list)
    pages: list[Found] = field(default_factory=list)
    listing: str | None = None  # pattern of the articles' links on the front page
    articles: str | None = None  # pattern of all addresses found
    most: str | None = None  # of most of them, where none fits all
    page: RawPage | None = None  # an article as it was fetched
    article: str = ""  # what Warraq reads in it

    @property
    def country(self) -> str | None:
        return self._country[0]

    @property
    def zone(self) -> str | None:
        return self._country[1]

    @property
    def _country(self) -> tuple[str | None, str | None]:
        end = (host_of(self.homepage) or "").rpartition(".")[2]
        return _COUNTRIES.get(end, (None, None)) if self.language in _LANGUAGES else (None, None)

    @property
    def language(self) -> str | None:
        """What the page declares. Many templates declare English, whatever they hold."""
        declared = self.front.language
        arabic = has_arabic(self.front.title or "")
        return None if declared not in _LANGUAGES and arabic else declared


def homepage_of(address: str) -> str:
    """What a person typed as an address -> a URL. Raises SiteError for anything but http(s)."""
    address = address.strip()
    url = address if "://" in address else f"https://{address}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = None
    if not usable or re.search(r"\s", url):
        raise SiteError(f"{address}: no http or https address")
    return urlunsplit(parts._replace(path=parts.path or "/", fragment=""))


def key_of(homepage: str) -> str:
    """A name for the source: the country that its host ends in, and the word before that."""
    host = host_of(homepage) or ""
    labels = [label for label in host.split(".") if re.fullmatch("[a-z0-9-]+", label)]
    if ":" in host or not labels or labels[-1].isdigit():
        return "-".join(re.findall("[0-9a-f]+", host)) or "source"
    country = _COUNTRIES.get(labels[-1], (None,))[0]
    own = labels[:-1]
    while len(own) > 1 and (len(own[-1]) <= 3 or own[0] in ("arabic", "ar", "m", "news")):
        own.pop(0 if own[0] in ("arabic", "ar", "m", "news") else -1)
    name = own[-1] if own else labels[-1]
    return f"{country}/{name}" if country else name


async def draft_source(
    fetch: Fetch, homepage: str, key: str | None, pool: Pool, limits: Limits
) -> Draft:
    """Looks around a site. Raises SiteError if its front page can't be fetched."""
    visit = await fetch(homepage)
    if visit.trouble:
        raise SiteError(f"{homepage}: {visit.trouble}")
    page = as_page(visit, "new")
    charset = page.charset if isinstance(page, RawPage) else None
    front = read_front(visit.body, visit.url, charset)
    draft = Draft(key or key_of(visit.url), visit.url, front)
    source = Source.model_validate({"key": draft.key, "homepage": draft.homepage})

    async def works(urls: Iterable[str], kind: Kind, most: int = _MOST) -> list[Part]:
        parts: list[Part] = []
        for url in list(dict.fromkeys(urls))[: _MOST + len(COMMON_SITEMAPS)]:
            if len(parts) == most:
                break
            part, found = await look_at(fetch, url, kind, source, pool, limits)
            known = {page.url for page in draft.pages} if kind is Kind.FEED else set()
            if any(page.url not in known for page in found):  # RSS and Atom of the same items
                parts.append(part)
                draft.pages += found
        return parts

    draft.feeds = await works(draft.front.feeds, Kind.FEED)
    if not draft.feeds:
        draft.feeds = await works((urljoin(draft.homepage, p) for p in COMMON_FEEDS), Kind.FEED, 1)
    robots = await fetch(urljoin(draft.homepage, "/robots.txt"))
    named = read_robots(robots.body, robots.url) if not robots.trouble else ()
    draft.sitemaps = await works(named, Kind.SITEMAP)
    if not draft.sitemaps:
        common = (urljoin(draft.homepage, path) for path in COMMON_SITEMAPS)
        draft.sitemaps = await works(common, Kind.SITEMAP, 1)
    own = [found.url for found in draft.pages if same_site(found.url, draft.homepage)]
    draft.articles = propose_pattern(own)
    draft.most = None if draft.articles else propose_pattern(own, _SHARE)
    if not draft.pages:
        headlines = [
            url
            for url, text in front.links
            if same_site(url, draft.homepage) and len(text.split()) >= _HEADLINE_WORDS
        ]
        draft.listing = propose_pattern(headlines, _SHARE)
        wanted = [url for url in headlines if draft.listing and re.search(draft.listing, url)]
        draft.pages = [Found(url) for url in wanted]
    await _read_one(draft, fetch, pool, limits)
    return draft


async def _read_one(draft: Draft, fetch: Fetch, pool: Pool, limits: Limits) -> None:
    if not draft.pages:
        return
    pattern = draft.articles
    likely = [one for one in draft.pages if pattern is None or re.search(pattern, one.url)]
    visit = await fetch(newest(likely or draft.pages).url)
    if visit.trouble:
        return
    # Without what the feed says: the page alone must do, or the source needs more facts.
    page = as_page(visit, draft.key)
    if isinstance(page, Unreadable):
        return
    draft.page = page
    result = await result_of(pool, draft.page, None, limits)
    draft.article = told(result)


# --- what is written ---------------------------------------------------------------------------


def file_text(draft: Draft, today: str) -> str:
    """The YAML of a draft, with what there is to do in comments."""
    lines = [
        f"# A draft from {_comment(draft.homepage)}, {today}. Read it; fill in what is empty (~).",
        f"title: {_scalar(draft.front.title)}",
        f"homepage: {_scalar(draft.homepage)}",
        f"country: {draft.country or '~  # two small letters, such as eg'}",
        f"language: {draft.language or '~  # such as ar'}",
        f"zone: {draft.zone or '~  # such as Africa/Cairo, for times that pages print without'}",
    ]
    for name, parts in (("feeds", draft.feeds), ("sitemaps", draft.sitemaps)):
        if parts:
            lines.append(f"{name}:")
            lines += [f"  - {_scalar(part.url)}  # {_comment(part.said)}" for part in parts]
        else:
            lines.append(f"# {name}: none was found")
    if draft.listing:
        lines += [
            "listings:",
            f"  - url: {_scalar(draft.homepage)}",
            f"    links: {_scalar(draft.listing)}  # {_matching(draft.listing, draft)}",
            "    # next: a.next  # CSS selector of the link to the next page",
        ]
    if draft.articles:
        matching = _matching(draft.articles, draft)
        lines.append(f"articles: {_scalar(draft.articles)}  # {matching}")
    elif draft.most:
        lines.append(f"# articles: {_scalar(draft.most)}  # {_matching(draft.most, draft)} only")
    elif not draft.listing:
        lines.append("# articles: no pattern fits; needed if feeds and sitemaps name other pages")
    lines += [
        "pace:",
        "  delay: 2  # seconds between two requests",
        "# every: 30m  # without it the source's own rhythm decides",
        "verified:",
        f"  how: not checked by a person; drafted by `warraq sources new` on {today}",
    ]
    return "\n".join(lines) + "\n"


def expectations(page: RawPage) -> dict[str, Any]:
    """What a person fills in about a saved page; a test refuses it until then."""
    return {
        "url": page.url,
        "fetched_at": page.fetched_at.isoformat(timespec="seconds") if page.fetched_at else None,
        "media_type": page.media_type,
        "charset": page.charset,
        "title": "",
        "published_at": "",
        "author": "",
        "first_words": "",
        "last_words": "",
    }


def write_draft(draft: Draft, sources: Path, pages: Path | None) -> list[Path]:
    """Writes the source's file, and below `pages` an article of it with what to expect of it.

    Returns what was written. Raises SiteError rather than write over a file.
    """
    files: dict[Path, bytes] = {}
    today = datetime.now(UTC).date().isoformat()
    files[sources / f"{draft.key}.yml"] = file_text(draft, today).encode()
    if pages is not None and draft.page is not None:
        facts = json.dumps(expectations(draft.page), ensure_ascii=False, indent=2)
        files[pages / draft.key / "expected.json"] = facts.encode() + b"\n"
        files[pages / draft.key / "page.html"] = draft.page.body
    for file in files:
        if file.exists():
            raise SiteError(f"{file} is there already: remove it, or give another --key")
    for file, content in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return list(files)


def _matching(pattern: str, draft: Draft) -> str:
    urls = {found.url for found in draft.pages}
    fitting = sum(re.search(pattern, url) is not None for url in urls)
    return f"fits {fitting} of {counted(len(urls), 'address')}"


def _scalar(value: str | None) -> str:
    """A string as YAML writes it on one line, in quotes where it needs them."""
    import yaml

    if value is None:
        return "~"
    written: str = yaml.safe_dump({"": value}, allow_unicode=True, width=10**6)
    return written.split(":", 1)[1].strip()


def _comment(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def next_steps(draft: Draft, written: Sequence[Path]) -> list[str]:
    """What to do now, one line each."""
    steps = [f"read {written[0]}, and fill in what is empty"]
    if len(written) > 1:
        folder = written[1].parent
        steps += [
            f"open {folder / 'page.html'} in a browser, and write what you see into expected.json",
            f".venv/bin/python -m pytest tests/test_sources.py -k {draft.key}",
        ]
    return [*steps, f"warraq sources check {draft.key}", f"warraq crawl {draft.key}"]
