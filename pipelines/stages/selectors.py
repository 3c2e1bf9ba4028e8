"""What a source's CSS selectors point at: the few pages that can't be read without them."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, cast

from lxml import etree
from lxml.cssselect import CSSSelector

from pipelines.arabic import clean_line
from pipelines.source import Selectors

#: Elements of one selector, and characters of a title, author or date.
_MOST = 100
_LONGEST = 500
#: What stands inside an article's element and is none of its text.
_CODE = frozenset("script style noscript template svg button select".split())
_BOXES = frozenset("iframe form figure nav aside".split())
#: HTML's elements -> what `extract` calls them; everything else that parts lines is a `div`.
_NAMES = {
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "head"),
    **dict.fromkeys(("li", "dt", "dd"), "item"),
    **dict.fromkeys(("ul", "ol", "dl"), "list"),
    "p": "p",
    "blockquote": "quote",
    "pre": "code",
    "tr": "row",
    "br": "lb",
    "table": "table",
}
_INLINE = frozenset(
    "a abbr b bdi bdo cite del dfn em font i img ins kbd label mark q s samp small span strike "
    "strong sub sup time u var wbr td th".split()
)


@dataclass(frozen=True, slots=True)
class Selected:
    """The texts and elements found. `missed`: whether a selector found nothing."""

    title: str | None = None
    author: str | None = None
    date: str | None = None
    text: tuple[Any, ...] = ()
    missed: bool = False


NOTHING_SELECTED = Selected()


def select(tree: Any, selectors: Selectors | None) -> Selected:
    """Applies a source's selectors to a parsed page."""
    if selectors is None or selectors == Selectors():
        return NOTHING_SELECTED
    found = {
        name: tuple(islice(cast("list[Any]", _compiled(css)(tree)), _MOST))
        for name, css in selectors.model_dump(exclude_none=True).items()
    }
    title, author = (_line(found.get(name, ())) for name in ("title", "author"))
    date = _stated_date(found.get("date", ()))
    texts = {"title": title, "author": author, "date": date, "text": found.get("text")}
    return Selected(
        title, author, date, found.get("text", ()), any(not texts[name] for name in found)
    )


def text_of(elements: tuple[Any, ...]) -> Any:
    """The elements' text as the tree that extraction leaves: one block an element."""
    body = etree.Element("body")
    for element in elements:
        if not any(above in elements for above in element.iterancestors()):
            copy = deepcopy(element)
            copy.tail = None
            body.append(copy)
    left_out: list[Any] = list(body.iter(*_CODE, *_BOXES))
    for element in left_out:
        part = "span" if element.tag in _CODE else "div"  # a box parts lines, code does not
        element.clear(keep_tail=True)
        element.tag = part
    for element in body.iter(etree.Element):
        if element.tag not in _INLINE and element is not body:
            element.tag = _NAMES.get(element.tag, "div")
    return body


@lru_cache(maxsize=1000)
def _compiled(css: str) -> CSSSelector:
    return CSSSelector(css, translator="html")


def _line(elements: tuple[Any, ...]) -> str | None:
    """The first element that says something, as one line; a <meta> by its content."""
    for element in elements:
        text = element.get("content") or " ".join(_words(element))
        if line := clean_line(text[:_LONGEST]):
            return line
    return None


def _stated_date(elements: tuple[Any, ...]) -> str | None:
    for element in elements:
        if stated := clean_line((element.get("datetime") or "")[:_LONGEST]):
            return stated
    return _line(elements)


def _words(element: Any) -> Iterator[str]:
    return islice(element.itertext(), _MOST)
