"""Lines that a page's own markup puts into boxes: about the author, related stories, newsletters.

Extraction knows some of the names that systems give such boxes; what it leaves in is found here, by
the classes around a line. A class may lie, and one that holds a good part of the text does: then it
counts for nothing.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, cast

from lxml import etree

from pipelines.document import Block, BlockKind
from pipelines.stages.furniture import heads_links, is_paragraph

_PART = r"(?:^|[\s_-])(?:{})(?:$|[\s_-])"
_OF = (
    r"(?:posts?|articles?|stor(?:y|ies)|news|links?|contents?|items?|list|box|block|widget|topics)"
)


def _named(words: str) -> re.Pattern[str]:
    return re.compile(_PART.format(words), re.I)


#: What classes and ids call a box; the first that fits counts.
_BOXES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "box.author",
        _named(
            r"(?:author|writer|contributor|columnist)s?[_-]*"
            r"(?:bio(?:graphy)?|box|card|content|desc(?:ription)?|about|profile|details)"
            r"|(?:about|bio)[_-]*(?:the[_-]*)?(?:author|writer)s?|bio[_-]?box"
        ),
    ),
    (
        "box.related",
        _named(
            rf"(?:related|recommended|recommendations?|popular|trending|most[_-]*(?:read|viewed))"
            rf"(?:[_-]*{_OF})?"
            rf"|(?:also|next)[_-]*read|read[_-]*(?:more|also|next)|more[_-]*{_OF}|see[_-]also"
            rf"|promos?(?:[_-]*{_OF})?|you[_-]*(?:may|might)[_-]*(?:also[_-]*)?like"
        ),
    ),
    (
        "box.caption",
        _named(
            r"(?:(?:figure|image|img|photo|picture|media|wp|thumb)[_-]*)?"
            r"caption(?:[_-]*(?:text|content|box))?|(?:figure|photo|image)[_-]*credits?"
        ),
    ),
    (
        "box.comments",
        _named(r"show[_-]*comments|comments?[_-]*(?:section|area|box|list|form|wrapper|prompt)"),
    ),
    (
        "box.subscribe",
        _named(
            r"newsletters?(?:[_-]*(?:box|sign-?up|form|widget))?|sign-?up|lightbox|donat(?:e|ion)"
        ),
    ),
    (
        "box.follow",
        _named(
            r"(?:follow|join)[_-]*(?:us|box|links?|channel|google|whats-?app|telegram)"
            r"|google-?news(?:[_-]*\w+)?|whats-?app[_-]*(?:channel|box|banner|join|follow)"
        ),
    ),
    (
        "box.tags",
        _named(
            r"(?:(?:article|post|story|news|entry)[_-]*)?(?:tags|key-?words|hash-?tags)"
            r"(?:[_-]*(?:links?|list|box|cloud|container|wrap(?:per)?|area|section|holder))?"
            r"|tag-?cloud"
        ),
    ),
    ("box.contents", _named(r"(?:\w+[_-])?toc(?:[_-]\w+)*|table[_-]of[_-]contents")),
    (
        "box.embed",
        _named(r"instagram-media|tiktok-embed|fb-(?:post|video)|telegram-post"),
    ),
)
#: A tweet's last line: "— Name (@name) 28 February 2024".
_SIGNED = re.compile(r"[—–-] ?.{1,80}\(@\w{1,30}\) .{4,30}")
_SIGNED_RULE = "box.embed_credit"
_CAPTION_RULE = "box.caption"
_LABELLED_RULE = "box.labelled"
_CALL_RULE = "box.call"
_REGION_RULE = "box.region"
_TEASER_RULE = "box.teaser"
_LINES = 200
_ELEMENTS = 2_000
_LONG_NAME = 400
#: A box with more than this share of a page's text (characters) is none.
_MOST = 0.3
#: A table of so many rows that is more than half of a page's text is data beside the article.
_TABLE_ROWS = 50
_TABLE_RULE = "table.data"
#: A teaser's line is short (words).
_TEASER_WORDS = 40

#: Elements that may hold the label of a box, and how many of a page are looked at.
_LABEL_TAGS = ("h2", "h3", "h4", "h5", "h6", "div", "span", "p", "strong", "b")
_LABELS = 4_000
_LABEL_TEXTS = 6
_LABEL_CHARACTERS = 60
_MOST_LABELS = 50
#: Below a label, what is links to this share (characters) is stories beside the article.
_LINKED = 0.25
_LINKED_PARAGRAPH = 0.9
#: A small box, label and all (words).
_SMALL = 80
#: What asks for an address or a click.
_CALLS = etree.XPath(
    ".//form | .//input[@type='email']"
    " | .//a[contains(@class, 'btn') or contains(@class, 'button')]"
)
#: Parts of a page that its markup says to be beside the text.
_REGIONS = etree.XPath(
    ".//section[@role='region'] | .//*[@role='complementary'] | .//*[@role='navigation']"
)
_REGION_WORDS = 120
_MOST_CALLS = 200
_PAGE_PARTS = frozenset(("html", "body", "main", "article"))


def boxed_lines(
    tree: Any, blocks: Sequence[Block], teasers: Sequence[tuple[Any, str]]
) -> Mapping[str, str]:
    """Text of a block -> its rule, for the blocks that stand in boxes of the page.

    `teasers` are short items with linked headings that stand side by side, with their texts.
    """
    wanted = {block.text: len(block.text) for block in blocks}
    told: dict[Any, str] = {}
    boxes: dict[str, set[str]] = {}
    held: list[Any] = []
    for rule, box in _boxes(tree, told):
        held.append(box)
        boxes.setdefault(rule, set()).update(wanted.keys() & _lines(box, told))
    short = [text for text in wanted if len(text.split()) <= _TEASER_WORDS]
    boxes[_TEASER_RULE] = {
        text
        for item, words in teasers
        if any(text in words for text in short)
        for text in set(short).intersection(_lines(item, told))
    }
    held += [item for item, _ in teasers]
    if any(boxes.values()):
        outside = set(_outside(tree, set(held), set().union(*boxes.values()), told))
        boxes = {rule: texts - outside for rule, texts in boxes.items()}
    whole = sum(wanted.values())
    rows = {block.text for block in blocks if block.kind is BlockKind.TABLE}
    if len(rows) >= _TABLE_ROWS and 2 * sum(wanted[row] for row in rows) > whole:
        return dict.fromkeys(rows, _TABLE_RULE)
    most = _MOST * whole
    found: dict[str, str] = {}
    for rule, texts in boxes.items():
        if sum(wanted[text] for text in texts) <= most:
            found.update(dict.fromkeys(texts, rule))
    if sum(wanted[text] for text in found) > most:
        found = {}
    # Below a short article there may be more text of other stories than its own.
    labelled = boxes.get(_LABELLED_RULE, set())
    if _stand_behind(labelled, blocks):
        found |= dict.fromkeys(labelled, _LABELLED_RULE)
    return found | {text: _SIGNED_RULE for text in wanted if _SIGNED.fullmatch(text)}


def _boxes(tree: Any, told: dict[Any, str]) -> Iterator[tuple[str, Any]]:
    """The boxes of a page, each with its rule; of rules for one line the last one counts."""
    captions: list[Any] = []
    for element in tree.iter(etree.Element):
        name = element.get("class")
        rule = _rule(name) if name else None
        if rule is None and (name := element.get("id")):
            rule = _rule(name)
        if rule:
            yield rule, element
        if element.tag == "figcaption":
            captions.append(element)
    for box in captions:
        yield _CAPTION_RULE, box
    for box in _labelled(tree, told):
        yield _LABELLED_RULE, box
    for box in cast("list[Any]", _REGIONS(tree))[:_MOST_CALLS]:
        linked = next(box.iter("a"), None) is not None
        if linked and len(_line(box, told).split()) <= _REGION_WORDS:
            yield _REGION_RULE, box
    for box in _calls(tree, told):
        yield _CALL_RULE, box


@lru_cache(maxsize=1 << 14)
def _rule(name: str) -> str | None:
    """The rule of a class or id, None if it names no box."""
    return next((rule for rule, words in _BOXES if words.search(name[:_LONG_NAME])), None)


def _labelled(tree: Any, told: dict[Any, str]) -> Iterator[Any]:
    """The elements below a label such as "related stories" that are mostly links, and the small
    box that begins with such a label."""
    left = _MOST_LABELS
    for element in islice(tree.iter(*_LABEL_TAGS), _LABELS):
        texts = list(islice(element.itertext(), _LABEL_TEXTS))
        label = " ".join("".join(texts).split())
        if not label or len(texts) == _LABEL_TEXTS or len(label) > _LABEL_CHARACTERS:
            continue
        if not heads_links(label):
            continue
        if not left:
            return
        left -= 1
        box = element.getparent()
        while box is not None and box.tag not in _PAGE_PARTS and _line(box, told) == label:
            element, box = box, box.getparent()
        if box is None:
            continue
        line = _line(box, told)
        small = len(line.split()) <= _SMALL and box.tag not in _PAGE_PARTS
        if small and line.startswith(label) and (_linked(box, told) or 0) >= _LINKED:
            yield box
            continue
        for below in element.itersiblings(etree.Element):
            share = _linked(below, told)
            if share is None:
                continue
            if share < (_LINKED_PARAGRAPH if below.tag == "p" else _LINKED):
                break
            yield below


def _calls(tree: Any, told: dict[Any, str]) -> Iterator[Any]:
    """Small boxes with a heading, or a form, that ask the reader to sign up, to join or to pay."""
    for call in cast("list[Any]", _CALLS(tree))[:_MOST_CALLS]:
        asked = _line(call, told)
        if call.tag == "form" and len(asked.split()) <= _SMALL:
            yield call
        box = call
        while box is not None and box.tag not in _PAGE_PARTS and _line(box, told) == asked:
            box = box.getparent()
        if box is None or box.tag in _PAGE_PARTS or len(_line(box, told).split()) > _SMALL:
            continue
        headed = next(box.iter("h2", "h3", "h4", "h5"), None) is not None
        if (headed or call.tag in ("form", "input")) and next(box.iter("h1"), None) is None:
            yield box


def _linked(element: Any, told: dict[Any, str]) -> float | None:
    """The share of an element's characters that are links; None if it has no text."""
    length = len(_line(element, told))
    if not length:
        return None
    links = [element] if element.tag == "a" else element.iter("a")
    return sum(len(_line(link, told)) for link in links) / length


def _stand_behind(texts: Collection[str], blocks: Sequence[Block]) -> bool:
    """Whether all of these blocks stand behind all paragraphs of the text."""
    first = next((at for at, block in enumerate(blocks) if block.text in texts), None)
    if first is None:
        return False
    own = [at for at, block in enumerate(blocks) if block.text not in texts]
    paragraphs = [at for at in own if is_paragraph(blocks[at].text)]
    return bool(paragraphs) and paragraphs[-1] < first


def _outside(
    tree: Any, boxes: Collection[Any], texts: Collection[str], told: dict[Any, str]
) -> Iterator[str]:
    """Those of the texts that are a line of the page outside of its boxes as well."""
    for element in islice(tree.iter("p", "li", "h2", "h3", "blockquote"), _ELEMENTS):
        text = _line(element, told)
        if text not in texts or element in boxes:
            continue
        if not any(above in boxes for above in element.iterancestors()):
            yield text


def _lines(box: Any, told: dict[Any, str]) -> set[str]:
    """The texts of a box and of what it holds, as one line each."""
    return {_line(element, told) for element in islice(box.iter(etree.Element), _LINES)}


def _line(element: Any, told: dict[Any, str]) -> str:
    """An element's text; `told` are those that were asked for before: boxes stand in boxes."""
    line = told.get(element)
    if line is None:
        line = told[element] = " ".join("".join(islice(element.itertext(), _ELEMENTS)).split())
    return line
