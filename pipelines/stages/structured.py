"""What a page states about itself in JSON-LD, OpenGraph, meta tags, microdata and its head.

Nothing is chosen here: `metadata` settles between these statements and what the text shows.
"""

import html as entities
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from lxml import etree

from pipelines.arabic import clean_line
from pipelines.stages.choose_date import DateCandidate, Role, date_of_url
from pipelines.stages.dates import read_date
from pipelines.urls import canonical_url

#: JSON-LD of one page beyond this is not read (characters); real ones have some 10,000.
_JSON_LD_LIMIT = 500_000
_JSON_LD_NODES = 2_000
_VALUE_LIMIT = 1_000
_TAGS = 50
#: Elements that are looked at for the title, and the words that it has at least.
_HEADINGS = 2_000
_TEXTS = 20
_UNMARKED = ("h2", "h3", "h4", "td", "div", "span", "p", "strong", "b", "font")
_TITLE_WORDS = 4
#: What parts a title from the name of the site.
_BARS = ("|", "-", "–", "—", ":", "•", "»", "«")

_ARTICLE_TYPES = frozenset(
    {
        "AnalysisNewsArticle",
        "Article",
        "AskPublicNewsArticle",
        "BackgroundNewsArticle",
        "BlogPosting",
        "LiveBlogPosting",
        "NewsArticle",
        "OpinionNewsArticle",
        "ReportageNewsArticle",
        "ReviewNewsArticle",
        "ScholarlyArticle",
        "SocialMediaPosting",
        "TechArticle",
    }
)
_LISTING_TYPES = frozenset(["CollectionPage", "SearchResultsPage", "ItemList"])
#: What a page is about where it is no article: its name and date count then.
_MEDIA_TYPES = frozenset(["ImageGallery", "MediaGallery", "VideoObject"])
_GALLERY_TYPES = frozenset(["ImageGallery", "MediaGallery", "og:gallery"])
_LIVE_CLASS = re.compile(r"(?:^|[\s_-])live-?blog(?:$|[\s_-])", re.I)
#: A stated text of the article beyond this is not read (characters).
_BODY_LIMIT = 100_000
#: A blog's article is one posting; a live blog has several.
_LEAST_UPDATES = 4


@dataclass(frozen=True, slots=True)
class Structured:
    """Every field None or empty if the page does not state it. Titles and dates: (text, where)."""

    titles: tuple[tuple[str, str], ...] = ()
    description: str | None = None
    author: str | None = None
    section: str | None = None
    site_name: str | None = None
    language: str | None = None
    canonical_url: str | None = None
    tags: tuple[str, ...] = ()
    dates: tuple[DateCandidate, ...] = ()
    types: frozenset[str] = frozenset()
    #: What kind of page it is beside an article: live_blog, gallery, video, paywall.
    marks: tuple[str, ...] = ()
    #: The article's text, where the page states it for machines too; often without its line breaks.
    body: str | None = None
    #: What a live blog's updates say, where the page states it for machines too.
    updates: str | None = None

    @property
    def says_article(self) -> bool:
        return bool(self.types & _ARTICLE_TYPES) or "og:article" in self.types

    @property
    def states_article_data(self) -> bool:
        """Whether its JSON-LD describes an article."""
        return bool(self.types & _ARTICLE_TYPES)

    @property
    def says_listing(self) -> bool:
        return bool(self.types & _LISTING_TYPES) and not self.says_article


NOTHING_STATED = Structured()


def read_structured(tree: Any, url: str | None) -> Structured:
    """Reads a parsed page. `url` is where it was fetched from, if that is known."""
    stating: dict[str, list[Any]] = {"meta": [], "link": [], "script": []}
    for element in tree.iter(*stating):  # one walk: a page is long, what it states of itself short
        stating[element.tag].append(element)
    meta = _meta(stating["meta"])
    marked = _MARKED(tree)
    nodes = list(_json_ld(stating["script"]))
    article = next(
        (n for kinds in (_ARTICLE_TYPES, _MEDIA_TYPES) for n in nodes if _types(n) & kinds), {}
    )
    types = {kind for node in nodes for kind in _types(node)}
    if meta.get("og:type"):
        types.add(f"og:{meta['og:type'].lower()}")
    return Structured(
        titles=tuple(_titles(tree, meta, article)),
        description=_first(
            _text(article.get("description")), meta.get("og:description"), meta.get("description")
        ),
        author=_first(_names(article.get("author")), _meta_author(meta), _microdata_author(marked)),
        section=_first(
            _text(article.get("articleSection")), meta.get("article:section"), meta.get("section")
        ),
        site_name=_first(
            meta.get("og:site_name"),
            _names(article.get("publisher")),
            meta.get("application-name"),
        ),
        language=_language(tree, meta, article),
        canonical_url=canonical_url(_stated_urls(stating["link"], meta, article), url),
        tags=tuple(dict.fromkeys(_tags(stating["meta"], meta, article)))[:_TAGS],
        dates=tuple(_dates(tree, marked, meta, article, url)),
        types=frozenset(types),
        marks=tuple(_marks(tree, types, article)),
        body=_body(article),
        updates=_updates(nodes),
    )


def _marks(tree: Any, types: Collection[str], article: Mapping[str, Any]) -> Iterator[str]:
    named = " ".join(
        element.get(name) or ""
        for element in islice(tree.iter("body", "main", "article"), _PAGE_PARTS)
        for name in ("class", "itemtype")
    )
    if "LiveBlogPosting" in types or "LiveBlogPosting" in named or _LIVE_CLASS.search(named):
        yield "live_blog"
    if _GALLERY_TYPES & set(types):
        yield "gallery"
    # An article may hold a video; a page that is one says so of itself, or of nothing else.
    films = any(kind.startswith("og:video") for kind in types)
    if films or ("VideoObject" in types and not _ARTICLE_TYPES & set(types)):
        yield "video"
    if str(article.get("isAccessibleForFree")).lower() == "false":
        yield "paywall"


def _body(article: Mapping[str, Any]) -> str | None:
    stated = article.get("articleBody")
    return entities.unescape(stated[:_BODY_LIMIT]) if isinstance(stated, str) else None


def _updates(nodes: Iterable[Mapping[str, Any]]) -> str | None:
    told: list[str] = []
    left = _BODY_LIMIT
    for node in nodes:
        if _types(node) & {"BlogPosting", "LiveBlogPosting"}:
            for said in (node.get("headline"), node.get("articleBody")):
                if isinstance(said, str) and left > 0:
                    told.append(entities.unescape(said[:left]))
                    left -= len(said)
    return "\n".join(told) if len(told) >= _LEAST_UPDATES else None


# --- tags ------------------------------------------------------------------------------------


def _xpath(expression: str) -> Callable[[Any], list[Any]]:
    """A compiled expression that selects elements or attributes."""
    return cast("Callable[[Any], list[Any]]", etree.XPath(expression))


#: The page and its parts: the first so many.
_PAGE_PARTS = 5
#: Microdata and RDFa in one walk.
_MARKED = _xpath("//*[@itemprop or (@property and @content and not(self::meta))]")
_RDF_DATES = re.compile("dc:created|schema:dateCreated")
_ITEMPROP_NAME = _xpath(".//*[@itemprop='name']")


def _meta(elements: Iterable[Any]) -> dict[str, str]:
    """name or property (lower case) -> content; the first one counts."""
    found: dict[str, str] = {}
    for element in elements:
        name = element.get("property") or element.get("name") or element.get("itemprop")
        name = name.strip().lower() if name else None
        if name is not None and name not in found and (content := _short(element.get("content"))):
            found[name] = content
    return found


def _titles(
    tree: Any, meta: Mapping[str, str], article: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    headings = [clean_line("".join(h1.itertext())) for h1 in tree.iter("h1")]
    headings = [heading for heading in headings if heading]
    title = _short(clean_line(tree.findtext(".//title") or ""))
    # Where the one <h1> is the site's name, the title stands below; old pages have no heading.
    whole = meta.get("og:title") or title or ""
    if below := _title_below(tree, whole, ("h2",) if headings else _UNMARKED):
        yield below, "h1"
    if len(headings) == 1:
        yield _short(headings[0]) or "", "h1"
    stated = _first(_text(article.get("headline")), _text(article.get("name")))
    if stated:
        yield stated, "json_ld"
    for name in ("og:title", "twitter:title", "title"):
        if meta.get(name):
            yield meta[name], "meta"
    if title:
        yield title, "title_element"
    for heading in headings if len(headings) > 1 else ():
        yield _short(heading) or "", "h1"


def _title_below(tree: Any, whole: str, tags: Sequence[str]) -> str | None:
    """What the page shows of a title that carries the site's name before or behind a bar."""
    body = tree.find("body")
    for element in islice(body.iter(*tags), _HEADINGS) if body is not None else ():
        if not element.text and element.tag != "h2":
            continue
        text = clean_line("".join(islice(element.itertext(), _TEXTS)))
        words = len(text.split())
        if words < _TITLE_WORDS or 2 * words < len(whole.split()):
            continue
        rest = whole.removeprefix(text).removesuffix(text).strip()
        if rest != whole and (not rest or rest.startswith(_BARS) or rest.endswith(_BARS)):
            return text
    return None


def _meta_author(meta: Mapping[str, str]) -> str | None:
    for name in ("author", "article:author", "byl", "dc.creator", "parsely-author"):
        value = meta.get(name)
        if value and not value.startswith(("http://", "https://", "@")):
            return value
    return None


def _microdata_author(marked: Sequence[Any]) -> str | None:
    authors = (element for element in marked if element.get("itemprop") == "author")
    for element in islice(authors, 3):
        # An author that is an object of its own has its name in a property of its own.
        named = _ITEMPROP_NAME(element) or [element]
        text = named[0].get("content") or "".join(named[0].itertext())
        value = _short(clean_line(text))
        if value and len(value) <= 80 and "://" not in value:
            return value
    return None


def _language(tree: Any, meta: Mapping[str, str], article: Mapping[str, Any]) -> str | None:
    stated = _first(
        tree.get("lang"),
        tree.get("xml:lang"),
        _text(article.get("inLanguage")),
        meta.get("og:locale"),
    )
    code = re.match(r"[A-Za-z]{2,3}(?=[-_]|$)", stated or "")
    return code.group().lower() if code else None


def _stated_urls(
    links: Iterable[Any], meta: Mapping[str, str], article: Mapping[str, Any]
) -> list[str]:
    entity = article.get("mainEntityOfPage")
    canonical = (
        link.get("href")
        for link in links
        if (link.get("rel") or "").lower() == "canonical" and link.get("href") is not None
    )
    stated = [
        *islice(canonical, 2),
        meta.get("og:url"),
        _text(entity.get("@id")) if isinstance(entity, dict) else _text(entity),
        _text(article.get("url")),
    ]
    return [str(value) for value in stated if value]


def _tags(
    elements: Iterable[Any], meta: Mapping[str, str], article: Mapping[str, Any]
) -> Iterator[str]:
    stated = article.get("keywords")
    listed = stated if isinstance(stated, list) else [stated]
    named = [
        _short(element.get("content"))
        for element in elements
        if element.get("property") == "article:tag"
    ]
    for value in [*named, *listed, meta.get("news_keywords"), meta.get("keywords")]:
        if isinstance(value, str):
            for word in re.split("[,،;؛|]", value[:_VALUE_LIMIT]):
                if tag := clean_line(word).lstrip("#").replace("_", " ").strip():
                    yield tag


def _dates(
    tree: Any,
    marked: Sequence[Any],
    meta: Mapping[str, str],
    article: Mapping[str, Any],
    url: str | None,
) -> Iterator[DateCandidate]:
    for key, role in _ITEM_DATES.items():
        if stated := _text(article.get(key)):
            yield DateCandidate(stated, "json_ld", role)
    if stated := _text(article.get("uploadDate")):  # a video's own word for it
        yield DateCandidate(stated, "json_ld", "published")
    for name, role in _META_DATES.items():
        if name in meta:
            yield DateCandidate(meta[name], "meta", role)
    dated = (
        element
        for element in marked
        if element.get("itemprop") in _ITEM_DATES
        and (element.get("content") is not None or element.get("datetime") is not None)
    )
    for element in islice(dated, 4):
        role = _ITEM_DATES[element.get("itemprop")]
        stated = _short(element.get("content") or element.get("datetime"))
        if stated:
            yield DateCandidate(stated, "microdata", role)
    created = {
        element.get("content")
        for element in marked
        if element.tag != "meta" and _RDF_DATES.search(element.get("property") or "")
    } - {None}
    if len(created) == 1 and (stated := _short(created.pop())):
        yield DateCandidate(stated, "microdata", "published")
    if stated := _lone_time(tree):
        yield DateCandidate(stated, "time_element", "published")
    if url and (stated := date_of_url(url)):
        yield DateCandidate(stated, "url", "published")


def _lone_time(tree: Any) -> str | None:
    """What all <time> elements say: different times belong to a list of stories, not to one."""
    stated: str | None = None
    timed = (element for element in tree.iter("time") if element.get("datetime") is not None)
    for number, element in enumerate(timed):
        time = _time_of(element)
        if number and time != stated:
            return None
        stated = time
    return stated


def _time_of(element: Any) -> str | None:
    """What a <time> element says. Where its attribute names another day than its text does, the
    text is what the outlet shows its readers; the attribute was left from a template."""
    stated, shown = _short(element.get("datetime")), _short("".join(element.itertext()))
    if stated and shown:
        one, other = read_date(stated), read_date(shown)
        if one and other and one.iso[:10] != other.iso[:10] and len(other.iso) >= len("2020-09-27"):
            return shown
    return stated


_ITEM_DATES: dict[str, Role] = {"datePublished": "published", "dateModified": "modified"}
_META_DATES: dict[str, Role] = {
    "article:published_time": "published",
    "og:article:published_time": "published",
    "datepublished": "published",
    "article.published": "published",
    "publishdate": "published",
    "publish-date": "published",
    "pubdate": "published",
    "publication_date": "published",
    "dc.date.issued": "published",
    "dcterms.issued": "published",
    "dcterms.created": "published",
    "dc.date": "published",
    "sailthru.date": "published",
    "parsely-pub-date": "published",
    "cxenseparse:recs:publishtime": "published",
    "article:modified_time": "modified",
    "og:updated_time": "modified",
    "datemodified": "modified",
    "last-modified": "modified",
    "dcterms.modified": "modified",
}


# --- JSON-LD ---------------------------------------------------------------------------------


def _json_ld(scripts: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """All objects of all JSON-LD scripts, nearest the top first. Bounded in size and number."""
    left = _JSON_LD_LIMIT
    nodes = _JSON_LD_NODES
    for script in scripts:
        if (script.get("type") or "").lower() != "application/ld+json":
            continue
        source = (script.text or "").strip()
        left -= len(source)
        if left < 0:
            return
        queue: list[Any] = [_loads(source)]
        while queue and nodes:
            value = queue.pop(0)
            nodes -= 1
            if isinstance(value, list):
                queue[:0] = value[:nodes]
            elif isinstance(value, dict):
                yield value
                queue += [v for v in value.values() if isinstance(v, dict | list)]


def _loads(source: str) -> Any:
    source = source.removeprefix("<!--").removesuffix("-->").strip().rstrip(";")
    try:
        return json.loads(source, strict=False)
    except (ValueError, RecursionError):
        return None


def _types(node: Mapping[str, Any]) -> set[str]:
    stated = node.get("@type")
    listed = stated if isinstance(stated, list) else [stated]
    return {str(kind).rsplit("/", 1)[-1] for kind in listed if kind}


def _names(value: Any) -> str | None:
    """Name or names of a person or organisation, joined by "، "; None if there are too many."""
    listed = value if isinstance(value, list) else [value]
    names = [_text(v.get("name")) if isinstance(v, dict) else _text(v) for v in listed[:8]]
    found = [n for n in dict.fromkeys(names) if n and not n.startswith(("http://", "https://"))]
    return "، ".join(found) or None


def _text(value: Any) -> str | None:
    if isinstance(value, list) and value:
        value = value[0]
    return _short(value) if isinstance(value, str) else None


def _short(value: str | None) -> str | None:
    """One clean line of a stated value; entities that were escaped twice are resolved."""
    if not value:
        return None
    value = value[:_VALUE_LIMIT]
    return clean_line(entities.unescape(value) if "&" in value else value) or None


def _first(*values: str | None) -> str | None:
    return next((value for value in values if value), None)
