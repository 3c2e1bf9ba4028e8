"""Text -> blocks and what the page states about itself.

HTML goes through trafilatura; plain text is split at line breaks. Both leave as the same blocks,
so that every later stage exists once.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

import trafilatura
from lxml import etree, html

from pipelines.arabic import clean_line, match_key
from pipelines.document import Block, BlockKind, Reason
from pipelines.rejection import Reject
from pipelines.stages.head import HeadLine, lines_below_title, until
from pipelines.stages.structured import NOTHING_STATED, Structured, read_structured

#: libxml2 gives up at this depth and drops what lies deeper.
_TOO_DEEP = "Excessive depth"
#: What `repr` of an XML declaration in text would make lxml refuse.
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,200}\?>")
#: A block this long, or one that ends as sentences do and has this many words, is prose.
PROSE_CHARACTERS = 120
PROSE_WORDS = 8
#: A dateline that lost its sentence: a few words and a dash.
_DANGLING = re.compile(r"(?:\S{1,40} ){1,5}[-–—]")
_SENTENCE_END = (".", "؟", "?", "!", "…", "۔", ":", '"', "”", "»", "'", ")", "؛", "،")
#: A sub-heading is shorter than this and stands between longer lines.
_HEADING_WORDS = 12
#: The page's lines are looked up in its stated text from so many words on, in so many elements.
_TOLD_WORDS = 3
_TOLD_ELEMENTS = 2_000
#: No paragraph has so many pieces or characters.
_TOLD_TEXTS = 200
_TOLD_LONGEST = 10_000
#: Extraction failed if it misses this share of them, and they are an article's length.
_TOLD_MISSED = 0.3
_TOLD_CHARACTERS = 400
#: A link of fewer words is a button or a name.
_LINK_WORDS = 4
#: A cell of so many paragraphs or line breaks, with so much in its first texts, is a column.
_LAYOUT_PARTS = 3
_LAYOUT_TEXTS = 200
_LAYOUT_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Extracted:
    """`blocks` are all lines that may belong to the article; nothing is removed by name yet."""

    blocks: tuple[Block, ...]
    structured: Structured
    is_html: bool
    head: tuple[HeadLine, ...] = ()
    #: Match keys of blocks that are the whole text of a link.
    linked: frozenset[str] = frozenset()
    #: How many blocks stand in short items with a linked heading, side by side with their like.
    teased: int = 0
    #: Whether the page's system marks it as an archive, a category or the like.
    marked_listing: bool = False
    #: Match keys of paragraphs that are one link each.
    links: frozenset[str] = frozenset()


def extract(text: str, media_type: str, url: str | None) -> Extracted:
    """Blocks of a page's text. Raises Reject: too_deep, no_text or not_an_article."""
    if media_type in ("text/plain", "text/markdown"):
        return Extracted(tuple(_plain_blocks(text)), NOTHING_STATED, is_html=False)
    return _extract_html(text, url)


def is_prose(text: str) -> bool:
    """Whether a line reads like a sentence of an article rather than a label or a headline."""
    if len(text) >= PROSE_CHARACTERS:
        return True
    return text.endswith(_SENTENCE_END) and len(text.split()) >= PROSE_WORDS


# --- plain text ------------------------------------------------------------------------------


def _plain_blocks(text: str) -> Iterator[Block]:
    lines = [line for raw in text.splitlines() if (line := clean_line(raw))]
    if not lines:
        raise Reject("extract", Reason.EMPTY, "the text has only white space")
    for number, line in enumerate(lines):
        yield Block(_plain_kind(lines, number), line)


def _plain_kind(lines: list[str], number: int) -> BlockKind:
    line = lines[number]
    between = 0 < number < len(lines) - 1
    short = len(line.split()) <= _HEADING_WORDS and not line.endswith((*_SENTENCE_END, "-", "–"))
    if between and short and is_prose(lines[number - 1]) and is_prose(lines[number + 1]):
        return BlockKind.HEADING
    return BlockKind.PARAGRAPH


# --- HTML ------------------------------------------------------------------------------------


def _extract_html(text: str, url: str | None) -> Extracted:
    tree = _parse(text)
    structured = read_structured(tree, url)
    lines = lines_below_title(tree, [text for text, _ in structured.titles])
    links = _link_texts(tree)
    items = "\n".join(_teaser_items(tree))
    _mark_line_breaks(tree)
    _open_layout_tables(tree)
    alone = frozenset(_link_paragraphs(tree))
    told = tuple(_told_blocks(tree, structured.body)) if structured.body else ()
    document = trafilatura.bare_extraction(
        tree,
        url=url,
        include_comments=False,
        include_tables=True,
        deduplicate=False,  # it remembers earlier pages: results would depend on their order
        with_metadata=False,
    )
    body = getattr(document, "body", None)
    blocks = tuple(_without_link_lists(_tree_blocks(body), links)) if body is not None else ()
    if _much_more(told, blocks):
        blocks = told
    if not blocks:
        raise Reject("extract", Reason.NO_TEXT, "no paragraph was found in the page")
    head = tuple(until(lines, {match_key(block.text) for block in blocks if is_prose(block.text)}))
    keys = (match_key(block.text) for block in blocks if block.text in links)
    return Extracted(
        blocks,
        structured,
        is_html=True,
        head=head,
        linked=frozenset(keys),
        teased=sum(block.text in items for block in blocks[:_TEASED_BLOCKS]),
        marked_listing=_is_marked_listing(tree),
        links=alone,
    )


def _parse(text: str) -> Any:
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        tree = html.document_fromstring(
            _XML_DECLARATION.sub("", text).encode("utf-8", "replace"), parser=parser
        )
    except etree.ParserError as error:
        raise Reject("extract", Reason.NO_TEXT, "the page has no markup and no text") from error
    if any(_TOO_DEEP in entry.message for entry in parser.error_log):
        raise Reject("extract", Reason.TOO_DEEP, "elements are nested more than 255 deep")
    return tree


#: Links of a page that are looked at; front pages have some 1,000.
_MOST_LINKS = 5_000
#: Classes that WordPress, by far the most common system, gives the body of its listings.
_LISTING_CLASSES = frozenset("archive category tag author search search-results blog paged".split())
_ARTICLE_CLASSES = frozenset("single page singular single-post".split())


def _link_texts(tree: Any) -> frozenset[str]:
    return frozenset(
        " ".join("".join(link.itertext()).split())[:_LINK_CHARACTERS]
        for link in islice(tree.iter("a"), _MOST_LINKS)
    )


_LINK_CHARACTERS = 1_000


_HEADINGS = ("h2", "h3", "h4", "h5")
_MOST_ITEMS = 200
#: Items side by side, the levels between a heading and its item, and the words of an item.
_LEAST_ITEMS = 5
_ITEM_LEVELS = 6
_ITEM_WORDS = 80
#: Blocks that are looked up: those of a listing's first page.
_TEASED_BLOCKS = 60


def _teaser_items(tree: Any) -> list[str]:
    """Texts of the short items that have a linked heading each and stand in one row."""
    headings = [
        heading
        for heading in islice(tree.iter(*_HEADINGS), 2 * _MOST_ITEMS)
        if heading.find(".//a") is not None or heading.getparent().tag == "a"
    ][:_MOST_ITEMS]
    within: Counter[Any] = Counter()
    for heading in headings:
        within.update(islice(heading.iterancestors(), _ITEM_LEVELS))
    texts = []
    for heading in headings:
        item = heading
        for above in islice(heading.iterancestors(), _ITEM_LEVELS):
            if within[above] >= _LEAST_ITEMS:
                words = " ".join(islice(item.itertext(), _MOST_ITEMS)).split()
                if len(words) <= _ITEM_WORDS:
                    texts.append(" ".join(words))
                break
            item = above
    return texts if len(texts) >= _LEAST_ITEMS else []


def _is_marked_listing(tree: Any) -> bool:
    body = tree.find("body")
    classes = set((body.get("class") or "").split()[:200]) if body is not None else set()
    # One word alone may mean anything: WordPress writes several.
    return len(classes & _LISTING_CLASSES) > 1 and not classes & _ARTICLE_CLASSES


_TOLD_KINDS = {
    "p": BlockKind.PARAGRAPH,
    "h2": BlockKind.HEADING,
    "h3": BlockKind.HEADING,
    "h4": BlockKind.HEADING,
    "li": BlockKind.LIST,
    "blockquote": BlockKind.QUOTE,
}


def _told_blocks(tree: Any, body: str) -> Iterator[Block]:
    """The page's lines, in order, that stand in the text which it states for machines.

    That text itself mostly has no line breaks, so it only tells which lines are the article's.
    """
    stated = f" {match_key(body)} "
    seen: set[str] = set()
    for element in islice(tree.iter(*_TOLD_KINDS), _TOLD_ELEMENTS):
        if element.tag in ("li", "blockquote") and element.find(".//p") is not None:
            continue  # its paragraphs come by themselves
        texts = list(islice(element.itertext(), _TOLD_TEXTS))
        if len(texts) == _TOLD_TEXTS or sum(map(len, texts)) > _TOLD_LONGEST:
            continue
        line = clean_line(" ".join("".join(texts).split()))
        key = match_key(line)
        if len(key.split()) >= _TOLD_WORDS and key not in seen and f" {key} " in stated:
            seen.add(key)
            yield Block(_TOLD_KINDS[element.tag], line)


def _much_more(told: Sequence[Block], blocks: Sequence[Block]) -> bool:
    """Whether extraction missed a good part of what the page itself states to be its text."""
    shown = {match_key(block.text) for block in blocks}
    length = sum(len(block.text) for block in told)
    missed = sum(len(block.text) for block in told if match_key(block.text) not in shown)
    return length >= _TOLD_CHARACTERS and missed >= _TOLD_MISSED * length


def _mark_line_breaks(tree: Any) -> None:
    """Two <br> part paragraphs on old pages; trafilatura would join them to one line."""
    for br in tree.iter("br"):
        br.tail = "\n" + (br.tail or "")


def _without_link_lists(blocks: Iterable[Block], links: Collection[str]) -> Iterator[Block]:
    """Lists that hold nothing but links (menus, tags, related headlines) are no text.

    They go after extraction: without them it takes other parts of some pages for the article.
    """
    for kind, group in groupby(blocks, key=lambda block: block.kind):
        lines = list(group)
        is_list = kind is BlockKind.LIST and len(lines) > 1
        if not is_list or not all(line.text in links for line in lines):
            yield from lines


def _link_paragraphs(tree: Any) -> Iterator[str]:
    for element in tree.iter("p"):
        if _is_link_only(element):
            key = match_key("".join(element.itertext()))
            if len(key.split()) >= _LINK_WORDS:
                yield key


def _open_layout_tables(tree: Any) -> None:
    """Old pages lay themselves out with tables; such a table's cells are no row of data.

    A table lays out if it holds another one, or a cell of several paragraphs.
    """
    layout: set[Any] = set()
    parts: Counter[Any] = Counter()
    for element in tree.iter("table", "p", "br"):
        cell = next(element.iterancestors("td", "th"), None)
        if cell is None:
            continue
        parts[cell] += 1
        if element.tag == "table" or (parts[cell] == _LAYOUT_PARTS and _holds_much(cell)):
            layout.update(islice(cell.iterancestors("table"), 1))
    for table in layout:
        table.tag = "div"
    for element in list(tree.iter("tbody", "thead", "tfoot", "tr", "td", "th")):
        if next(element.iterancestors("table"), None) is None:
            element.tag = "div"


def _holds_much(cell: Any) -> bool:
    return sum(map(len, islice(cell.itertext(), _LAYOUT_TEXTS))) > _LAYOUT_CHARACTERS


def _is_link_only(item: Any) -> bool:
    linked = sum(len("".join(link.itertext()).strip()) for link in item.iter("a"))
    return linked > 0 and linked >= 0.9 * len("".join(item.itertext()).strip())


_KINDS = {
    "head": BlockKind.HEADING,
    "p": BlockKind.PARAGRAPH,
    "item": BlockKind.LIST,
    "quote": BlockKind.QUOTE,
    "code": BlockKind.PARAGRAPH,
    "row": BlockKind.TABLE,
}


def _tree_blocks(body: Any) -> Iterator[Block]:
    """trafilatura's tree -> blocks, one a line. A quote's or an item's lines keep its kind."""
    place = ""
    for kind, text in _pieces(body, BlockKind.PARAGRAPH):
        for raw in text.split("\n"):
            line = clean_line(raw)
            if not match_key(line):  # punctuation alone is no line
                continue
            if _DANGLING.fullmatch(line) and kind is BlockKind.PARAGRAPH and not place:
                place = line  # "<b>Beirut -</b> text": extraction parts the two
                continue
            yield Block(kind, f"{place} {line}" if place else line)
            place = ""
    if place:
        yield Block(BlockKind.PARAGRAPH, place)


def _pieces(element: Any, kind: BlockKind) -> Iterator[tuple[BlockKind, str]]:
    """(kind, text) of an element's own words and of the blocks inside it, in order."""
    words = [element.text or ""]
    for child in element:
        if child.tag == "row":
            yield from _flush(kind, words)
            cells = (" ".join("".join(cell.itertext()).split()) for cell in child)
            yield BlockKind.TABLE, " | ".join(filter(None, cells))
        elif child.tag in _KINDS or child.tag in ("list", "table", "div"):
            yield from _flush(kind, words)
            yield from _pieces(child, _kind_of(child, kind))
        elif child.tag == "lb":
            words.append("\n")
        elif child.tag not in ("graphic",):
            words.append("".join(_inline(child)))
        words.append(child.tail or "")
    yield from _flush(kind, words)


def _flush(kind: BlockKind, words: list[str]) -> Iterator[tuple[BlockKind, str]]:
    text = "".join(words)
    words.clear()
    if text.strip():
        yield kind, text


def _kind_of(child: Any, around: BlockKind) -> BlockKind:
    kind = _KINDS.get(child.tag, around)
    # A paragraph inside a quote or a list item is still quote or item.
    return around if kind is BlockKind.PARAGRAPH and around is not BlockKind.HEADING else kind


def _inline(element: Any) -> Iterable[str]:
    yield element.text or ""
    for child in element:
        if child.tag == "lb":
            yield "\n"
        else:
            yield from _inline(child)
        yield child.tail or ""
