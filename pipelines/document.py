"""The shapes that travel through Warraq: a page as received, an article, a rejection.

All are immutable and hold plain values, so they cross process borders and compare in tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.prepare import Prepared


class Origin(StrEnum):
    """How a page came to us."""

    FILE = "file"
    JSONL = "jsonl"
    WARC = "warc"
    PARQUET = "parquet"
    CRAWL = "crawl"


class Reason(StrEnum):
    """Why a page did not become an article. Each value's meaning is in `REASONS`."""

    MISSING = "missing"
    NO_PERMISSION = "no_permission"
    UNREADABLE = "unreadable"
    UNKNOWN_FORMAT = "unknown_format"
    TOO_LARGE = "too_large"
    TRUNCATED = "truncated"
    BAD_RECORD = "bad_record"
    BAD_LINE = "bad_line"
    HTTP_STATUS = "http_status"
    EMPTY = "empty"
    BINARY = "binary"
    UNDECODABLE = "undecodable"
    TOO_DEEP = "too_deep"
    NOT_AN_ARTICLE = "not_an_article"
    NO_TEXT = "no_text"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    NOT_STORABLE = "not_storable"
    ROBOTS = "robots"
    UNREACHABLE = "unreachable"
    NO_ADDRESSES = "no_addresses"
    BLOCKED_ADDRESS = "blocked_address"
    TOO_MANY = "too_many"


#: Reason -> (outcome that it leads to, what it means, what to do about it).
REASONS: Mapping[Reason, tuple[str, str, str]] = {
    Reason.MISSING: ("failed", "no such file or folder", "check the path"),
    Reason.NO_PERMISSION: ("failed", "may not be read", "give this user the right to read it"),
    Reason.UNREADABLE: ("failed", "reading stopped with an error", "check the disk, then replay"),
    Reason.UNKNOWN_FORMAT: (
        "rejected",
        "not a format that Warraq reads",
        "use .txt .html .htm .xhtml .jsonl .warc, each also with .gz, or .parquet",
    ),
    Reason.TOO_LARGE: (
        "rejected",
        "larger than a news page can be",
        "split it, or raise --max-bytes",
    ),
    Reason.TRUNCATED: (
        "failed",
        "ends before its end; what came before was read",
        "fetch or copy the file again, then replay",
    ),
    Reason.BAD_RECORD: (
        "failed",
        "a WARC record that contradicts itself",
        "the records around it were read; check the program that wrote it",
    ),
    Reason.BAD_LINE: (
        "failed",
        "a line that is no JSON object with the fields wanted",
        "mend the line, or map its fields with --field",
    ),
    Reason.HTTP_STATUS: (
        "rejected",
        "the server answered with something else than a page",
        "nothing: an error page is no article",
    ),
    Reason.EMPTY: ("rejected", "holds no bytes, or only white space", "fetch or copy it again"),
    Reason.BINARY: ("rejected", "is no text (an image, an archive, ...)", "replay text or HTML"),
    Reason.UNDECODABLE: (
        "rejected",
        "in no character set that gives readable text",
        "convert it to UTF-8, or state its charset in the manifest",
    ),
    Reason.TOO_DEEP: (
        "rejected",
        "HTML nested deeper than any real page",
        "nothing: such a page is broken or hostile",
    ),
    Reason.NOT_AN_ARTICLE: (
        "rejected",
        "a home, listing, search or similar page",
        "replay the article pages themselves",
    ),
    Reason.NO_TEXT: (
        "rejected",
        "no article text was found in it",
        "look at it in a browser: the text may be loaded by scripts",
    ),
    Reason.TIMEOUT: (
        "failed",
        "took longer than a page may take",
        "raise --timeout if the page is genuine",
    ),
    Reason.CRASHED: (
        "failed",
        "an error inside Warraq, or the worker process died",
        "please report it with the page and the detail shown",
    ),
    Reason.NOT_STORABLE: (
        "failed",
        "the database refused the row",
        "please report it with the page and the detail shown",
    ),
    Reason.ROBOTS: (
        "rejected",
        "the site's robots.txt asks not to fetch it",
        "nothing: that is the site's to decide",
    ),
    Reason.UNREACHABLE: (
        "failed",
        "the site did not answer, or said that it can't now",
        "nothing: a later crawl asks again, less and less often",
    ),
    Reason.NO_ADDRESSES: (
        "rejected",
        "a feed, sitemap or listing that could not be read or names no article",
        "see what is at its address, and mend the source's file",
    ),
    Reason.BLOCKED_ADDRESS: (
        "rejected",
        "leads to an address that no crawl may reach: not public, or none of the web's",
        "nothing; for a site of your own set WARRAQ_ALLOW_ADDRESSES to its network",
    ),
    Reason.TOO_MANY: (
        "rejected",
        "more redirects, pages or addresses than a site may cost",
        "look at it in a browser: it may be a trap, or lead in circles",
    ),
}


class BlockKind(StrEnum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST = "list"  # one item, one block
    QUOTE = "quote"
    TABLE = "table"  # one row, one block; cells joined by " | "


@dataclass(frozen=True, slots=True)
class Block:
    """One line of text as a reader sees it: never empty, without line breaks."""

    kind: BlockKind
    text: str


@dataclass(frozen=True, slots=True)
class RemovedLine:
    """A line taken out of the article. `position` counts the page's blocks from 0."""

    position: int
    text: str
    rule: str


@dataclass(frozen=True, slots=True)
class Stated:
    """What somebody outside the page says of it: a manifest, a JSON line, a feed.

    `published_at` is the string as stated; the dates stage reads it.
    """

    title: str | None = None
    author: str | None = None
    published_at: str | None = None


@dataclass(frozen=True, slots=True)
class RawPage:
    """Bytes as received, and what is known of where they came from.

    `path` is how `warraq why` and messages name it: the file as given on the command line, with
    `#line` for a row of JSON lines and `#offset` for a WARC record. `media_type` is a lower-case
    MIME type without parameters, `charset` what transport or manifest declare. `archive` and
    `offset` locate the bytes for a later rebuild (offset in the file as it lies on disk).
    """

    body: bytes
    path: str | None = None
    url: str | None = None
    source: str | None = None
    fetched_at: datetime | None = None
    media_type: str = "text/html"
    charset: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    origin: Origin = Origin.FILE
    archive: str | None = None
    offset: int | None = None
    stated: Stated = Stated()
    moved_from: str | None = None  # the URL that redirected here for good

    @property
    def name(self) -> str:
        """What to call the page in a message."""
        return self.path or self.url or "(standard input)"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that a reader met and could not turn into a page; the reading goes on."""

    path: str
    reason: Reason
    detail: str
    url: str | None = None
    source: str | None = None
    origin: Origin = Origin.FILE

    @property
    def name(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class Rejected:
    """A page that did not become an article. `stage` is the stage's file name."""

    stage: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class NotModified:
    """An answer 304: the page is as it was when `article_id` was read from it."""

    article_id: int | None


class Place(StrEnum):
    """Where a line of a page stands, seen from the article's paragraphs."""

    TOP = "top"
    BETWEEN = "between"
    BOTTOM = "bottom"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A short line of a page, counted to see whether the source repeats it. `key`: match key."""

    key: str
    text: str
    place: Place


#: The rule of lines that were learned from a source's pages.
LEARNED_RULE = "learned"


@dataclass(frozen=True, slots=True)
class Outline:
    """Where the article stood in one page: the elements that held it, the innermost first, and for
    each path inside of one the characters that were the article's and those that were not. `left`
    are the match keys of short lines in the outermost that extraction left out."""

    levels: tuple[tuple[str, Mapping[str, tuple[int, int]]], ...]
    left: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Container:
    """An element that holds articles: `counts` are the paths in it whose lines are the article's,
    `others` those whose lines are not, `left` match keys of lines that repeat and never are;
    `shortest` are the characters of the shortest article seen."""

    name: str
    counts: frozenset[str]
    others: frozenset[str]
    left: frozenset[str]
    shortest: int


@dataclass(frozen=True, slots=True)
class Template:
    """The containers of a source's articles, the commonest first."""

    containers: tuple[Container, ...]


@dataclass(frozen=True, slots=True)
class Learned:
    """What a source's other pages taught: match keys of the lines that it repeats, and where its
    articles live, the newest template first.

    `sample` says which pages to outline: month -> the last hash of bytes that is wanted. Of a
    month that is not in it all pages are; None: no page.
    """

    lines: frozenset[str] = frozenset()
    templates: tuple[Template, ...] = ()
    sample: Mapping[str, str] | None = None


class Precision(StrEnum):
    YEAR = "year"
    MONTH = "month"
    DAY = "day"
    HOUR = "hour"
    MINUTE = "minute"
    SECOND = "second"


@dataclass(frozen=True, slots=True)
class ArticleDate:
    """A date as the page states it: `iso` is ISO 8601 cut to `precision`, an offset only if known.

    `method` names where it was found (`selector`, `stated`, `json_ld`, `meta`, `time_element`,
    `url`, `date_line`, `dateline`, ...), `raw` is the text that was read, `confidence` goes from
    0 to 1, `zone` is the IANA name if a place or the source gave the offset, and `conflicts` lists
    what on the page disagrees, one short sentence each.
    """

    iso: str
    precision: Precision
    method: str
    raw: str
    confidence: float
    zone: str | None = None
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Article:
    """A clean article. Text is as printed (never folded); NULL (None) beats a guess."""

    source: str
    path: str | None
    url: str | None
    canonical_url: str | None
    title: str | None
    title_method: str | None
    deck: str | None
    blocks: tuple[Block, ...]
    author: str | None
    agency: str | None  # agency ids joined by ","
    agency_method: str | None  # dateline, credit, self_reference
    place: str | None
    section: str | None
    site_name: str | None
    tags: tuple[str, ...]
    language: str | None  # ISO 639-1 (639-3 where there is none)
    published: ArticleDate | None
    modified: ArticleDate | None
    date_candidates: tuple[tuple[str, str, str], ...]  # (method, role, text), all that were found
    fetched_at: datetime | None
    charset: str | None
    content_hash: str
    raw_hash: str
    removed: tuple[RemovedLine, ...]
    flags: tuple[str, ...] = ()  # "replacement_characters", "date_conflict", ...
    # What the source's other pages are compared with; the same whatever was learned before.
    candidates: tuple[Candidate, ...] = ()
    page_hash: str = ""
    extractor: str = "trafilatura"  # or template
    outline: Outline | None = None  # of a page that templates are learned from
    plain_hash: str = ""  # `content_hash` as it is without learned lines
    # What the store writes of it, if a worker process has worked that out already.
    prepared: "Prepared | None" = field(default=None, compare=False, repr=False)

    @property
    def text(self) -> str:
        """Body and sub-headings, one block a line, without title and deck."""
        return "\n".join(block.text for block in self.blocks)

    def facts(self) -> dict[str, Any]:
        """The fields that the database and `warraq extract` give the same name and value."""
        published = self.published
        return {
            "canonical_url": self.canonical_url,
            "title": self.title,
            "title_method": self.title_method,
            "deck": self.deck,
            "text": self.text,
            "author": self.author,
            "agency": self.agency,
            "agency_method": self.agency_method,
            "place": self.place,
            "section": self.section,
            "site_name": self.site_name,
            "tags": list(self.tags),
            "language": self.language,
            "published_precision": published and str(published.precision),
            "published_method": published and published.method,
            "published_raw": published and published.raw,
            "published_confidence": published and published.confidence,
            "published_zone": published and published.zone,
            "published_conflicts": list(published.conflicts) if published else [],
            "content_hash": self.content_hash,
            "charset": self.charset,
            "flags": list(self.flags),
        }
