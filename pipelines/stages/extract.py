"""Text -> blocks and what the page states about itself.

HTML goes through trafilatura; plain text is split at line breaks. Both leave as the same blocks,
so that every later stage exists once.
"""

import copy
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any, cast

import trafilatura
from lxml import etree, html

from pipelines.arabic import clean_line, match_key
from pipelines.document import Block, BlockKind, Reason, Template
from pipelines.rejection import Reject
from pipelines.source import Selectors
from pipelines.stages.boxes import boxed_lines
from pipelines.stages.head import HeadLine, lines_below_title, until
from pipelines.stages.selectors import NOTHING_SELECTED, Selected, select, text_of
from pipelines.stages.structured import NOTHING_STATED, Structured, read_structured
from pipelines.stages.templates import apply

#: libxml2 gives up at this depth and drops what lies deeper.
_TOO_DEEP = "Excessive depth"
#: What `repr` of an XML declaration in text would make lxml refuse.
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,200}\?>")
#: Control characters, also as references: a tree that holds one refuses to be changed near it.
_NO_TEXT = bytes(range(9)) + b"\x0b\x0c" + bytes(range(14, 32))
_NO_CHARACTERS = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")  # U+FFFE and U+FFFF
_NO_CHARACTERS_LEAD = 0xEF  # most pages have none: one byte is looked up fast
_BLANKED = bytes.maketrans(_NO_TEXT, b" " * len(_NO_TEXT))
_NO_TEXT_REFERENCE = re.compile(
    rb"&#(?:0*(?:[0-8]|1[124-9]|2[0-9]|3[01]|6553[45])(?![0-9])"
    rb"|[xX]0*(?:[0-8bcBCefEF]|1[0-9a-fA-F]|[fF]{3}[eEfF])(?![0-9a-fA-F]));?"
)
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
#: Of a live blog's text so much may be lost where its updates are told by the page's data.
_LOST = 0.05
#: Paragraphs that are looked at for their neighbours.
_MOST_PARAGRAPHS = 2_000
#: What may stand within a line of text.
_INLINE = frozenset(
    "a abbr b bdi bdo br cite em font i mark small span strong sub sup u wbr".split()
)
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
    #: Match keys of lines that are one link each.
    linked: frozenset[str] = frozenset()
    #: How many blocks stand in short items with a linked heading, side by side with their like.
    teased: int = 0
    #: Whether the page's system marks it as an archive, a category or the like.
    marked_listing: bool = False
    #: Texts of blocks that stand in a box of the page, with the rule that says which.
    boxed: Mapping[str, str] = field(default_factory=dict)
    #: What the source's selectors found.
    selected: Selected = NOTHING_SELECTED
    #: Whether a template found them.
    by_template: bool = False
    #: The page's tree as it was parsed, if it was asked for.
    tree: Any = None


def extract(
    text: str,
    media_type: str,
    url: str | None,
    selectors: Selectors | None = None,
    templates: Sequence[Template] = (),
    *,
    keep_tree: bool = False,
) -> Extracted:
    """Blocks of a page's text, `selectors` being the source's; its tree as well if `keep_tree`.

    The first template that fits an HTML page spares it the full extraction; where selectors say
    where things are, none is asked. Raises Reject: too_deep, no_text or not_an_article.
    """
    if media_type in ("text/plain", "text/markdown"):
        return Extracted(tuple(_plain_blocks(text)), NOTHING_STATED, is_html=False)
    if selectors is not None and selectors != Selectors():
        templates = ()
    return _extract_html(text, url, selectors, templates, keep_tree=keep_tree)


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


def _extract_html(
    text: str,
    url: str | None,
    selectors: Selectors | None,
    templates: Sequence[Template],
    *,
    keep_tree: bool,
) -> Extracted:
    tree = parse(text)
    structured = read_structured(tree, url)
    # A person who points at parts of the page knows more than what was learned.
    for template in templates if selectors in (None, Selectors()) else ():
        if (read := _by_template(tree, structured, template)) is not None:
            return read
    kept = copy.deepcopy(tree) if keep_tree else None  # what follows changes it
    _drop_code(tree)
    selected = select(tree, selectors)
    links = _link_texts(tree)
    items = _teaser_items(tree)
    told_items = "\n".join(text for _, text in items)
    _mark_line_breaks(tree)
    _open_layout_tables(tree)
    _mark_paragraphs(tree)
    alone = frozenset(_link_paragraphs(tree))
    if selected.text:
        body = text_of(selected.text)
    else:
        body = _main_text(tree, url, fast=True)
        if not _stands(body, tree, links):
            body = _main_text(tree, url, fast=False)
    blocks = tuple(_without_link_lists(_tree_blocks(body), links)) if body is not None else ()
    stated = None if selected.text else structured.body  # a person has said where the text is
    if stated and _much_more(told := tuple(_told_blocks(tree, stated)), blocks):
        blocks = told
    if structured.updates and not selected.text:
        own = "\n".join(block.text for block in blocks)
        told = tuple(_told_blocks(tree, f"{own}\n{structured.updates}", least=1))
        blocks = told if _adds(told, blocks) else blocks
    if not blocks:
        raise Reject("extract", Reason.NO_TEXT, "no paragraph was found in the page")
    lines = lines_below_title(tree, [text for text, _ in structured.titles])
    head = tuple(until(lines, {match_key(block.text) for block in blocks if is_prose(block.text)}))
    keys = (match_key(block.text) for block in blocks if block.text in links)
    return Extracted(
        blocks,
        structured,
        is_html=True,
        head=head,
        linked=alone.union(keys),
        teased=sum(block.text in told_items for block in blocks[:_TEASED_BLOCKS]),
        marked_listing=_is_marked_listing(tree),
        boxed=boxed_lines(tree, blocks, items),
        selected=selected,
        tree=kept,
    )


#: Pages that are no plain article go the long way, and those that state so much more text.
_NOT_PLAIN = frozenset(["live_blog", "gallery", "video"])
_STATED_MORE = 1.3


def _by_template(tree: Any, structured: Structured, template: Template) -> Extracted | None:
    found = None if _NOT_PLAIN.intersection(structured.marks) else apply(tree, template)
    if found is None or structured.says_listing:
        return None
    element, blocks = found
    length = sum(len(block.text) for block in blocks)
    if structured.body and len(structured.body) > _STATED_MORE * length:
        return None
    lines = lines_below_title(tree, [text for text, _ in structured.titles])
    return Extracted(
        blocks,
        structured,
        is_html=True,
        head=tuple(until(lines, {match_key(b.text) for b in blocks if is_prose(b.text)})),
        marked_listing=_is_marked_listing(tree),
        linked=frozenset(_link_paragraphs(element)),
        boxed=boxed_lines(element, blocks, ()),
        by_template=True,
    )


def parse(text: str) -> Any:
    """The tree of an HTML page. Raises Reject: no_text, too_deep."""
    parser = html.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, collect_ids=False
    )
    # lxml's own look-up asks Python for the class of each element that is touched.
    parser.set_element_class_lookup(_ONE_CLASS)
    try:
        tree = html.document_fromstring(_parsable(text), parser=parser)
    except etree.ParserError as error:
        raise Reject("extract", Reason.NO_TEXT, "the page has no markup and no text") from error
    if any(_TOO_DEEP in entry.message for entry in parser.error_log):
        raise Reject("extract", Reason.TOO_DEEP, "elements are nested more than 255 deep")
    return tree


_ONE_CLASS = etree.ElementDefaultClassLookup(element=html.HtmlElement)


def _parsable(text: str) -> bytes:
    page = _XML_DECLARATION.sub("", text).encode("utf-8", "replace").translate(_BLANKED)
    for character in _NO_CHARACTERS if _NO_CHARACTERS_LEAD in page else ():
        page = page.replace(character, b" ")
    return _NO_TEXT_REFERENCE.sub(b" ", page)


def _drop_code(tree: Any) -> None:
    """Takes scripts and styles out: extraction copies the tree several times. What they say of the
    article was read before, and extraction reads JSON-LD once more."""
    for element in list(tree.iter("script", "style")):
        if element.tag == "style" or "json" not in (element.get("type") or ""):
            element.drop_tree()


def _main_text(tree: Any, url: str | None, *, fast: bool) -> Any:
    """trafilatura's tree of the article; None if it finds none. `fast`: without its comparison
    with two other extractors."""
    document = trafilatura.bare_extraction(
        tree,
        url=url,
        fast=fast,
        include_comments=False,
        include_tables=True,
        deduplicate=False,  # it remembers earlier pages: results would depend on their order
        with_metadata=False,
    )
    return getattr(document, "body", None)


#: A shorter text may be trafilatura's last resort, and so may one that is all there is (share).
_STANDS_CHARACTERS = 1_000
_STANDS_MOST = 0.95
_STANDS_PARAGRAPHS = 3
#: trafilatura tries again where it found less than this share of the page's text.
_STANDS_LEAST = 0.2
#: It compares texts that hold one of these.
_UNCLEAN = (
    "aside audio button fencedframe fieldset figure footer iframe input label link nav noindex "
    "noscript object option select source svg time"
).split()


def _stands(body: Any, tree: Any, links: Collection[str]) -> bool:
    """Whether comparing it with other extractors could not change what trafilatura found.

    It takes another's text if that is twice as long, if its own is short or has few paragraphs.
    """
    if body is None or next(body.iter(*_UNCLEAN), None) is not None:
        return False
    paragraphs = sum(1 for _ in islice(body.iter("p"), _STANDS_PARAGRAPHS))
    tables = sum(1 for _ in body.iter("table"))
    length = _length(body)
    if paragraphs < max(_STANDS_PARAGRAPHS, tables) or length < _STANDS_CHARACTERS:
        return False
    whole = _length(tree.find("body") if tree.find("body") is not None else tree)
    unlinked = whole - sum(map(len, links))
    return whole * _STANDS_LEAST <= length < _STANDS_MOST * unlinked <= 2 * length


def _length(element: Any) -> int:
    """Characters of an element's text, white space counted once."""
    return len(" ".join(_string(element).split()))


_string = cast("Callable[[Any], str]", etree.XPath("string()"))


#: Links of a page that are looked at; front pages have some 1,000.
_MOST_LINKS = 5_000
#: Classes that WordPress, by far the most common system, gives the body of its listings.
_LISTING_CLASSES = frozenset("archive category tag author search search-results blog paged".split())
_ARTICLE_CLASSES = frozenset("single page singular single-post".split())


def _link_texts(tree: Any) -> frozenset[str]:
    return frozenset(
        " ".join(link.text_content().split())[:_LINK_CHARACTERS]
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


def _teaser_items(tree: Any) -> list[tuple[Any, str]]:
    """The short items, with their texts, that have a linked heading each and stand in one row."""
    headings = [
        heading
        for heading in islice(tree.iter(*_HEADINGS), 2 * _MOST_ITEMS)
        if next(heading.iter("a"), None) is not None or heading.getparent().tag == "a"
    ][:_MOST_ITEMS]
    within: Counter[Any] = Counter()
    for heading in headings:
        within.update(islice(heading.iterancestors(), _ITEM_LEVELS))
    items = []
    for heading in headings:
        item = heading
        for above in islice(heading.iterancestors(), _ITEM_LEVELS):
            if within[above] >= _LEAST_ITEMS:
                words = " ".join(islice(item.itertext(), _MOST_ITEMS)).split()
                if len(words) <= _ITEM_WORDS:
                    items.append((item, " ".join(words)))
                break
            item = above
    return items if len(items) >= _LEAST_ITEMS else []


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


def _told_blocks(tree: Any, body: str, least: int = _TOLD_WORDS) -> Iterator[Block]:
    """The page's lines, in order, that stand in the text which it states for machines.

    That text itself mostly has no line breaks, so it only tells which lines are the article's;
    those of less than `least` words it can't tell.
    """
    stated = f" {match_key(body)} "
    seen: set[str] = set()
    for element in islice(tree.iter(*_TOLD_KINDS), _TOLD_ELEMENTS):
        if element.tag in ("li", "blockquote") and next(element.iter("p"), None) is not None:
            continue  # its paragraphs come by themselves
        texts = list(islice(element.itertext(), _TOLD_TEXTS))
        if len(texts) == _TOLD_TEXTS or sum(map(len, texts)) > _TOLD_LONGEST:
            continue
        line = clean_line(" ".join("".join(texts).split()))
        key = match_key(line)
        if len(key.split()) >= least and key not in seen and f" {key} " in stated:
            seen.add(key)
            yield Block(_TOLD_KINDS[element.tag], line)


def _much_more(told: Sequence[Block], blocks: Sequence[Block]) -> bool:
    """Whether extraction missed a good part of what the page itself states to be its text."""
    shown = {match_key(block.text) for block in blocks}
    length = sum(len(block.text) for block in told)
    missed = sum(len(block.text) for block in told if match_key(block.text) not in shown)
    return length >= _TOLD_CHARACTERS and missed >= _TOLD_MISSED * length


def _adds(told: Sequence[Block], blocks: Sequence[Block]) -> bool:
    """Whether `told` has all but a few words of what was extracted, and more."""
    keys = {match_key(block.text) for block in told}
    length = sum(len(block.text) for block in blocks)
    lost = sum(len(block.text) for block in blocks if match_key(block.text) not in keys)
    return lost <= _LOST * length and sum(len(block.text) for block in told) > length


def _mark_line_breaks(tree: Any) -> None:
    """Two <br> part paragraphs on old pages; trafilatura would join them to one line."""
    for br in tree.iter("br"):
        br.tail = "\n" + (br.tail or "")


def _mark_paragraphs(tree: Any) -> None:
    """A <div> of words alone beside a <p> of words is a paragraph as well: some editors write both,
    and extraction, once it has found a <p>, leaves the other out."""
    for button in list(islice(tree.iter("button"), _MOST_PARAGRAPHS)):
        if button.getparent().tag in _HEADINGS:
            button.drop_tag()  # a heading that unfolds what it stands over
    paragraphs = list(islice(tree.iter("p"), _MOST_PARAGRAPHS))
    for around in dict.fromkeys(paragraph.getparent() for paragraph in paragraphs):
        inside = list(islice(around.iterchildren("p", "div"), _MOST_PARAGRAPHS))
        places = [at for at, e in enumerate(inside) if e.tag == "p" and _is_words(e)]
        for at, element in enumerate(inside) if places else ():
            if element.tag == "div" and _is_words(element):
                # At the edges a few words may be a by-line or a button.
                between = places[0] < at < places[-1]
                if between or is_prose(" ".join(" ".join(element.itertext()).split())):
                    element.tag = "p"


def _is_words(element: Any) -> bool:
    """Whether an element is some words with inline marks, and not one link."""
    if any(child.tag not in _INLINE for child in islice(element.iterdescendants(), _TOLD_TEXTS)):
        return False
    words = " ".join(islice(element.itertext(), _TOLD_TEXTS)).split()
    return len(words) >= _TOLD_WORDS and not _is_link_only(element)


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
            yield match_key("".join(element.itertext()))


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
