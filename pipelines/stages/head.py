"""The lines that a page shows between its title and its text: deck, by-line, date.

Extraction drops most of them as furniture, and the page's markup tells them apart best.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from pipelines.arabic import clean_line, match_key

Hint = Literal["deck", "intro", "author", "date"]

#: A head that goes on for longer is none.
_LINES = 40
_INLINE = frozenset(
    "a abbr b bdi bdo cite em font i label mark small span strong sub sup time u".split()
)
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
    """One line, or a marked part of one; `hint` is what its markup calls it."""

    text: str
    hint: Hint | None


def lines_below_title(tree: Any, titles: Sequence[str]) -> list[HeadLine]:
    """The lines after the heading that repeats the title; none if no heading does."""
    wanted = {match_key(title) for title in titles} - {""}
    heading = None
    for element in tree.iter("h1", "h2"):
        key = match_key("".join(element.itertext()))
        if key and any(title.startswith(key) or key.startswith(title) for title in wanted):
            heading = element
            if element.tag == "h1":
                break
    return list(islice(_after(heading), _LINES)) if heading is not None else []


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
    element with a hint is told again by itself."""
    words: list[str] = []
    yield from _walk(element, words, _hint(element))
    yield from _flush(words, None)


def _walk(element: Any, words: list[str], hint: Hint | None) -> Iterator[HeadLine]:
    if not isinstance(element.tag, str) or element.tag in _SILENT:
        return
    own = _hint(element) or hint
    if element.tag in _INLINE:
        marked = _hint(element)
        if marked:
            text = clean_line("".join(element.itertext()))
            if text:
                yield HeadLine(text, marked)
        words.append(" ".join(element.itertext()))
        return
    yield from _flush(words, hint)
    words.append(element.text or "")
    for child in element:
        yield from _walk(child, words, own)
        words.append(child.tail or "")
    yield from _flush(words, own)


def _flush(words: list[str], hint: Hint | None) -> Iterator[HeadLine]:
    text = clean_line(" ".join(words))
    words.clear()
    if text:
        yield HeadLine(text, hint)


def _hint(element: Any) -> Hint | None:
    if element.tag == "time":
        return "date"
    if element.get("rel") == "author":
        return "author"
    named = " ".join(filter(None, (element.get(a) for a in ("class", "id", "itemprop"))))
    return next((hint for hint, words in _HINTS if words.search(named)), None) if named else None
