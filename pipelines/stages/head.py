"""The lines that a page shows between its title and its text: deck, by-line, date.

Extraction drops most of them as furniture, and the page's markup tells them apart best.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Literal

from pipelines.arabic import clean_line, match_key

Hint = Literal["deck", "intro", "author", "date"]

#: A head that goes on for longer is none.
_LINES = 80
#: A title has no fewer words, and stands in one of these where no heading holds it.
_TITLE_WORDS = 4
_UNMARKED = ("h3", "h4", "strong", "b", "font", "span", "div", "td", "p", "a")
_ELEMENTS = 3_000
_LONGEST = 300
_TEXTS = 20
_INLINE = frozenset(
    "a abbr b bdi bdo cite em font i label mark small span strong sub sup time u".split()
)
_LONG_NAME = 1_000
_SILENT = frozenset("script style noscript template svg iframe form button select".split())
#: Words in class names and the like, as publishers and their systems use them.
_HINTS: tuple[tuple[Hint, re.Pattern[str]], ...] = (
    ("date", re.compile(r"date|publish|time(?!line)|posted|updated", re.I)),
    ("author", re.compile(r"author|byline|writer|reporter|editor|creator|katib", re.I)),
    (
        "deck",
        re.compile(
            r"(?:^|[\s_-])(?:deck|dek|standfirst|sub-?(?:title|head(?:line)?|heading)|"
            r"sapo|chapeau)(?:$|[\s_-])",
            re.I,
        ),
    ),
    (
        "intro",
        re.compile(
            r"(?:^|[\s_-])(?:summary|excerpt|intro(?:text|duction)?|lead-?(?:text)?|lede|brief|"
            r"teaser|announce-?text)(?:$|[\s_-])",
            re.I,
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class HeadLine:
    """One line, or a part of one; `hint` is what its markup calls it, `point` whether it is a list
    item without links, `part` whether it is a part that its markup calls nothing."""

    text: str
    hint: Hint | None
    point: bool = False
    part: bool = False


def lines_below_title(tree: Any, titles: Sequence[str]) -> Iterator[HeadLine]:
    """The lines after the heading that repeats the title; none if no heading does."""
    wanted = {match_key(title) for title in titles} - {""}
    heading = None
    for element in tree.iter("h1", "h2"):
        key = match_key("".join(element.itertext()))
        if key and any(agrees(title, key) or agrees(key, title) for title in wanted):
            heading = element
            if element.tag == "h1":
                break
    if heading is None:
        heading = _unmarked_heading(tree, wanted)
    return islice(_after(heading), _LINES) if heading is not None else iter(())


def agrees(other: str, key: str) -> bool:
    """Whether a title is the other, or begins it, or is the better part at its end: a statement
    may be cut short, carry the site's name, or a kicker before it. Both are match keys."""
    words = len(key.split())
    ends = words >= _TITLE_WORDS and 2 * words >= len(other.split()) and other.endswith(f" {key}")
    return ends or other.startswith(key)


def _unmarked_heading(tree: Any, wanted: Collection[str]) -> Any:
    """The first element of the page that says a title and nothing else; old pages have no <h1>."""
    body = tree.find("body")
    for element in islice(body.iter(*_UNMARKED), _ELEMENTS) if body is not None else ():
        if element.text and len(element.text) <= _LONGEST:
            key = match_key("".join(islice(element.itertext(), _TEXTS)))
            if len(key.split()) >= _TITLE_WORDS and any(title.endswith(key) for title in wanted):
                return element
    return None


def until(lines: Iterable[HeadLine], stop: set[str]) -> Iterator[HeadLine]:
    """The lines before the first one that stands in the text, by match key; one that its markup
    calls a deck is still of the head."""
    for line in lines:
        if match_key(line.text) in stop and line.hint not in ("deck", "intro"):
            return
        yield line


def _after(heading: Any) -> Iterator[HeadLine]:
    """All lines after an element in the order of the page."""
    at = heading
    while at is not None:
        for sibling in at.itersiblings():
            yield from _lines(sibling)
        at = at.getparent()


def _lines(element: Any) -> Iterator[HeadLine]:
    """The lines of an element: text between two block elements is one line, and every inline
    element is told by itself before."""
    words: list[str] = []
    yield from _walk(element, words, _hint(element))
    yield from _flush(words, None)


def _walk(element: Any, words: list[str], hint: Hint | None) -> Iterator[HeadLine]:
    if not isinstance(element.tag, str) or element.tag in _SILENT:
        return
    marked = _hint(element)
    own = marked or hint
    if element.tag in _INLINE:
        for inline in islice(element.iter(*_INLINE), _TEXTS):
            text = clean_line("".join(inline.itertext()))
            if text:
                marked = _hint(inline)
                yield HeadLine(text, marked, part=marked is None)
        words.append(" ".join(element.itertext()))
        return
    if element.tag == "li" and next(element.iter("a"), None) is None:
        yield from _flush(words, hint)
        text = clean_line(" ".join(element.itertext()))
        if text:
            yield HeadLine(text, own, point=True)
        return
    yield from _flush(words, hint)
    words.append(element.text or "")
    for child in element:
        yield from _walk(child, words, own)
        words.append(child.tail or "")
    yield from _flush(words, own)


def _flush(words: list[str], hint: Hint | None) -> Iterator[HeadLine]:
    text = " ".join(words)
    words.clear()
    if text and not text.isspace() and (text := clean_line(text)):
        yield HeadLine(text, hint)


def _hint(element: Any) -> Hint | None:
    if element.tag == "time":
        return "date"
    if element.get("rel") == "author":
        return "author"
    named = " ".join(filter(None, (element.get(a) for a in ("class", "id", "itemprop"))))
    return _hint_of(named[:_LONG_NAME]) if named else None


@lru_cache(maxsize=1 << 14)
def _hint_of(named: str) -> Hint | None:
    return next((hint for hint, words in _HINTS if words.search(named)), None)
