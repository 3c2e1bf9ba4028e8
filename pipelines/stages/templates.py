"""Templates: where the articles of a source live in its pages, learned from pages that the full
extraction has read.

A template names the element that holds an article and, inside it, the paths whose lines count. It
is right for pages like those that it was learned from, and for no others: every page is checked,
and what does not fit goes the long way. All of it is a function of pages alone.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Any

from lxml import etree

from pipelines.arabic import clean_line, match_key
from pipelines.document import Block, BlockKind, Container, Outline, Template

#: A template is learned from so many pages, and a container that so many of them have.
LEAST_PAGES = 4
_LEAST_ALIKE = 2
#: A container holds this share of the text that extraction found (characters).
_HOLDS = 0.9
#: Elements with a name around the article that are looked at, and containers of a template.
_LEVELS = 3
_MOST_CONTAINERS = 4
#: A path counts if this share of its characters was the article's.
_COUNTS = 0.5
#: A page with more than this share of its text on paths never seen is not like the others, ...
_UNSEEN = 0.1
#: ... nor is one with less text than this (characters), and than this share of the shortest seen.
_SHORT = 250
_SHORTER = 0.3
#: Bounds of one page: a real article has some 300 lines.
_MOST_LINES = 3_000
_DEEPEST = 60
_MOST_ELEMENTS = 20_000
_MOST_ALIKE = 20

_INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code del dfn em font i img ins kbd label mark q s samp "
    "small span strike strong sub sup time tt u var wbr".split()
)
_SILENT = frozenset(
    "audio button canvas datalist embed head iframe input link map math meta nav noscript object "
    "option script select style svg template textarea title video".split()
)
_KINDS = {
    **dict.fromkeys(("h2", "h3", "h4", "h5", "h6"), BlockKind.HEADING),
    **dict.fromkeys(("li", "dt", "dd"), BlockKind.LIST),
    "blockquote": BlockKind.QUOTE,
}
_BLOCKS = (
    "p div h1 h2 h3 h4 h5 h6 ul ol li table section article aside blockquote figure figcaption"
).split()
#: Stands for <br> while a line is gathered: no page's text has it.
_BREAK = "\x1e"
_PLAIN = re.compile(r"/(?:p|h[2-6][^/]*|[uo]l/li|blockquote(?:/p)?|pre)$")
#: Longer lines (characters) do not repeat; so many of a page are remembered.
_LONG_LINE = 300
_MOST_LEFT = 100
#: A class with a figure, or a long one, was made by a machine for one page or one release.
_STABLE = re.compile(r"[^\W\d]{1,40}(?:[_-]+[^\W\d]{1,40}){0,6}")
_CLASSES = 2


@dataclass(frozen=True, slots=True)
class _Line:
    path: str
    kind: BlockKind
    text: str
    element: Any


def outline(tree: Any, blocks: Sequence[Block]) -> Outline | None:
    """Where the blocks of an article stand in its page; None if no element holds them."""
    wanted = {key: len(key) for block in blocks if (key := match_key(block.text))}
    least = _HOLDS * sum(wanted.values())
    body = tree.find("body")
    if body is None or not least:
        return None
    held: dict[Any, set[str]] = {}
    whole = list(_lines(body))
    for line in whole:
        if (key := match_key(line.text)) in wanted:
            for element in (line.element, *line.element.iterancestors()):
                held.setdefault(element, set()).add(key)
    container = body
    for element, keys in held.items():
        if sum(wanted[key] for key in keys) >= least and _depth(element) > _depth(container):
            container = element
    if sum(wanted[key] for key in held.get(container, ())) < least:
        return None
    named = [
        element
        for element in (container, *container.iterancestors())
        if element is not body and _is_named(element)
    ]
    if not named:
        return None
    levels = []
    left: dict[str, None] = {}
    for element in named[:_LEVELS]:
        lines = list(_within(element, whole, body))
        levels.append((_name(element), _paths(lines, wanted)))
        short = (match_key(line.text) for line in lines if len(line.text) <= _LONG_LINE)
        left.update((key, None) for key in short if key not in wanted)
    return Outline(tuple(levels), frozenset(islice(left, _MOST_LEFT)))


def _within(element: Any, lines: Sequence[_Line], body: Any) -> Iterator[_Line]:
    """What `_lines` has of an element, taken from the lines of its page's body."""
    above = (element, *element.iterancestors())
    if element.tag == "tr" or body not in above or len(lines) >= _MOST_LINES:
        # A row is one line of its table; not all lines are there.
        yield from _lines(element)
        return
    names = [_name_of(e.tag, e.get("class")) for e in above[: above.index(body)]]
    start = sum(len(name) + 1 for name in names)
    inside = frozenset(element.iter(etree.Element))
    for line in lines:
        if line.element in inside:
            yield replace(line, path=line.path[start:])


def _paths(lines: Iterable[_Line], wanted: Collection[str]) -> dict[str, tuple[int, int]]:
    paths: dict[str, tuple[int, int]] = {}
    for line in lines:
        ours, others = paths.get(line.path, (0, 0))
        key = match_key(line.text)
        paths[line.path] = (ours + len(key), others) if key in wanted else (ours, others + len(key))
    return paths


def learn(outlines: Sequence[Outline]) -> Template | None:
    """The template of pages that are alike; None if they are too few or have nothing in common.

    The order of the outlines does not matter.
    """
    if len(outlines) < LEAST_PAGES:
        return None
    containers: list[Container] = []
    left = list(outlines)
    while len(left) >= _LEAST_ALIKE and len(containers) < _MOST_CONTAINERS:
        seen = Counter(name for found in left for name in {name for name, _ in found.levels})
        depth = Counter(
            {name: at for found in left for at, (name, _) in reversed([*enumerate(found.levels)])}
        )
        name, count = min(seen.items(), key=lambda entry: (-entry[1], depth[entry[0]], entry[0]))
        if count < _LEAST_ALIKE:
            break
        containers.append(_container(name, outlines))
        left = [found for found in left if all(level != name for level, _ in found.levels)]
    return Template(tuple(containers)) if containers else None


def _container(name: str, outlines: Iterable[Outline]) -> Container:
    ours: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    left: Counter[str] = Counter()
    lengths = []
    for found in outlines:
        left.update(found.left)
        for level, paths in found.levels:
            if level == name:
                lengths.append(sum(mine for mine, _ in paths.values()))
                for path, (mine, others) in paths.items():
                    ours[path] += mine
                    whole[path] += mine + others
                break
    counts = frozenset(path for path in whole if ours[path] > _COUNTS * whole[path])
    repeated = frozenset(key for key, times in left.items() if times >= _LEAST_ALIKE)
    return Container(name, counts, frozenset(whole) - counts, repeated, min(lengths))


def apply(tree: Any, template: Template) -> tuple[Any, tuple[Block, ...]] | None:
    """The article's element and its blocks; None if the page is not like those learned from."""
    for container in template.containers:
        found = [
            (element, blocks)
            for element in _named(tree, container.name)
            if (blocks := _blocks(element, container)) is not None
        ]
        if len(found) == 1:  # of several, none is known to be the article
            return found[0]
    return None


def _blocks(element: Any, container: Container) -> tuple[Block, ...] | None:
    blocks: list[Block] = []
    length = unseen = 0
    beside = _parents(container)
    for line in _lines(element):
        path = line.path
        known = path in container.others
        if path in container.counts or (not known and _is_plain(path, beside)):
            if len(line.text) > _LONG_LINE or match_key(line.text) not in container.left:
                length += len(line.text)
                blocks.append(Block(line.kind, line.text))
        elif not known:
            unseen += len(line.text)
    if length < max(_SHORT, _SHORTER * container.shortest) or unseen > _UNSEEN * length:
        return None
    return tuple(blocks)


@lru_cache(maxsize=1 << 10)
def _parents(container: Container) -> frozenset[str]:
    return frozenset(path.rpartition("/")[0] for path in container.counts)


def _is_plain(path: str, beside: Collection[str]) -> bool:
    """Whether a path never seen is plain text beside the article's: its pages had no such heading,
    list or quotation."""
    found = _PLAIN.search(path)
    return found is not None and path[: found.start()] in beside


def agreement(outlines: Sequence[Outline]) -> tuple[float, int]:
    """How well pages are read by the template of the others, and how many of them it fits.

    From 0 to 1: the share of the characters that it and the full extraction both take, of all that
    either takes.
    """
    shares: list[float] = []
    for at, page in enumerate(outlines):
        template = learn([*outlines[:at], *outlines[at + 1 :]])
        levels = dict(page.levels)
        containers = template.containers if template else ()
        container = next((c for c in containers if c.name in levels), None)
        if container is None:
            continue
        beside = _parents(container)
        both = whole = 0
        for path, (ours, others) in levels[container.name].items():
            known = path in container.others
            taken = path in container.counts or (not known and _is_plain(path, beside))
            both += 2 * ours if taken else 0
            whole += (2 * ours + others) if taken else ours
        shares.append(both / whole if whole else 0.0)
    return (sum(shares) / len(shares) if shares else 0.0), len(shares)


def likeness(one: Iterable[Block], other: Iterable[Block]) -> float:
    """How much two readings of one page agree, from 0 to 1: the share of their characters that
    stand in lines of both."""
    ours = {key: len(key) for block in one if (key := match_key(block.text))}
    theirs = {key: len(key) for block in other if (key := match_key(block.text))}
    whole = sum(ours.values()) + sum(theirs.values())
    both = sum(length for key, length in ours.items() if key in theirs)
    return 2 * both / whole if whole else 1.0


# --- lines of a tree ---------------------------------------------------------------------------


def _lines(root: Any) -> Iterator[_Line]:
    """The lines of an element as a reader sees them, each with its path from there."""
    lines: list[_Line] = []
    _walk(root, "", BlockKind.PARAGRAPH, lines, 0)
    return iter(lines)


def _walk(element: Any, path: str, kind: BlockKind, lines: list[_Line], depth: int) -> None:
    if depth > _DEEPEST or len(lines) >= _MOST_LINES:
        return
    words = [element.text or ""]
    for child in element:
        tag = child.tag
        if tag in _INLINE and not (len(child) and next(child.iter(*_BLOCKS), None) is not None):
            _inline(child, words)
        elif tag == "br":
            words.append(_BREAK)
        elif tag not in _SILENT and isinstance(tag, str):
            _flush(element, path, kind, words, lines)
            inner = f"{path}/{_name_of(tag, child.get('class'))}"
            if tag == "tr":
                cells = (" ".join("".join(cell.itertext()).split()) for cell in child)
                _flush(child, inner, BlockKind.TABLE, [" | ".join(filter(None, cells))], lines)
            else:
                own = _KINDS.get(tag, kind)
                # A paragraph of a quote or an item is quote or item; a heading's is its own.
                if kind in (BlockKind.LIST, BlockKind.QUOTE) and own is BlockKind.PARAGRAPH:
                    own = kind
                _walk(child, inner, own, lines, depth + 1)
        words.append(child.tail or "")
    _flush(element, path, kind, words, lines)


def _inline(element: Any, words: list[str]) -> None:
    words.append(element.text or "")
    for child in element:
        if child.tag == "br":
            words.append(_BREAK)
        elif isinstance(child.tag, str) and child.tag not in _SILENT:
            _inline(child, words)
        words.append(child.tail or "")


def _flush(element: Any, path: str, kind: BlockKind, words: list[str], lines: list[_Line]) -> None:
    text = "".join(words)
    words.clear()
    if not text or text.isspace():
        return
    for part in text.split(_BREAK):
        line = clean_line(" ".join(part.split()))
        if line and any(map(str.isalnum, line)):
            lines.append(_Line(path, kind, line, element))


# --- names of elements -------------------------------------------------------------------------


@lru_cache(maxsize=1 << 14)
def _name_of(tag: str, classes: str | None) -> str:
    """Tag and stable classes: "div.article-body.text"."""
    if not classes:
        return tag
    stable = [word for word in classes[:400].split() if _STABLE.fullmatch(word)]
    return ".".join((tag, *stable[:_CLASSES]))


def _name(element: Any) -> str:
    """An element with its parent, as a template finds it again."""
    parent = element.getparent()
    above = _name_of(parent.tag, parent.get("class")) if parent is not None else ""
    return f"{above} > {_own_name(element)}"


def _own_name(element: Any) -> str:
    name = _name_of(element.tag, element.get("class"))
    own = element.get("id")
    # Numbers are of one page; so is an id beside a class, more often than not.
    return f"{name}#{own}" if name == element.tag and own and _STABLE.fullmatch(own) else name


def _is_named(element: Any) -> bool:
    return element.tag in ("article", "main") or _own_name(element) != element.tag


def _named(tree: Any, name: str) -> list[Any]:
    """The elements of that name, a few at most, none inside of another."""
    own = name.partition(" > ")[2]
    tag = re.split("[.#]", own, maxsplit=1)[0]
    alike = [
        element
        for element in islice(tree.iter(tag), _MOST_ELEMENTS)
        if _own_name(element) == own and _name(element) == name
    ]
    return [e for e in alike[:_MOST_ALIKE] if not any(a in alike for a in e.iterancestors(tag))]


def _depth(element: Any) -> int:
    return sum(1 for _ in element.iterancestors())


# --- as JSON ------------------------------------------------------------------------------------


def outline_json(page: Outline) -> dict[str, Any]:
    levels = [[name, {path: list(n) for path, n in paths.items()}] for name, paths in page.levels]
    return {"levels": levels, "left": sorted(page.left)}


def outline_of(stored: Mapping[str, Any]) -> Outline:
    """What `outline_json` made."""
    levels = tuple(
        (name, {path: (ours, others) for path, (ours, others) in paths.items()})
        for name, paths in stored["levels"]
    )
    return Outline(levels, frozenset(stored["left"]))


def template_json(template: Template) -> dict[str, Any]:
    return {
        "containers": [
            {
                "name": container.name,
                "counts": sorted(container.counts),
                "others": sorted(container.others),
                "left": sorted(container.left),
                "shortest": container.shortest,
            }
            for container in template.containers
        ]
    }


def template_of(stored: Mapping[str, Any]) -> Template:
    """What `template_json` made."""
    return Template(
        tuple(
            Container(
                container["name"],
                frozenset(container["counts"]),
                frozenset(container["others"]),
                frozenset(container["left"]),
                container["shortest"],
            )
            for container in stored["containers"]
        )
    )
