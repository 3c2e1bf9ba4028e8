"""Furniture: lines of the page around an article that extraction brought along.

A line is furniture when the whole of it is a known wording (`lexicon/furniture.toml`) or has a
form that no sentence has (only icons, only network names, a counter, a row of buttons). A phrase
inside prose never counts. Some wordings count only at an edge of the page, since in the middle
they can be a sub-heading. Every line taken out is reported with its rule.
"""

import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from pipelines.arabic import match_key, word_key
from pipelines.document import LEARNED_RULE, Block, BlockKind, RemovedLine
from pipelines.stages.agency import AGENCY_NAMES, OUTLET_NAMES, read_agency


class Position(StrEnum):
    """Where a line stands: before the first paragraph, after the last, or unknown / between."""

    TOP = "top"
    ANY = "any"
    BOTTOM = "bottom"


class Action(StrEnum):
    KEEP = "keep"
    DROP_LINE = "drop_line"
    DROP_TO_END = "drop_to_end"  # this and what follows, if no paragraph follows
    KEEP_METADATA = "keep_metadata"  # out of the text, but it tells something of the article


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a line is. `rule` is a stable name ("" to keep); `field`, `value`: its metadata."""

    action: Action
    rule: str = ""
    field: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class FoundField:
    """Metadata read from a line that left the text. `position` counts the blocks passed in."""

    position: int
    rule: str
    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Cleaned:
    """An article without its furniture: `blocks` and `removed` together are what was passed in."""

    blocks: tuple[Block, ...]
    removed: tuple[RemovedLine, ...]
    kept: tuple[FoundField, ...]


_KEEP = Verdict(Action.KEEP)
#: The longest notice seen has 320 characters; a longer line is text.
_MAX_LINE = 600
_MAX_TOKENS = 90

# -- tokens ----------------------------------------------------------------------------------------

_NUMBER, _COLON, _COPY, _URL, _TAG, _AT, _MAIL = "#", ":", "©", "@url", "@tag", "@at", "@mail"
_SPECIAL = frozenset((_NUMBER, _COLON, _COPY, _URL, _TAG, _AT, _MAIL))
_MARKS = "\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u200c\u200d"
_ADDRESSES = (
    r"(?P<url>https?://\S+|www\.\S+|\b[a-zA-Z0-9-]{2,40}\.(?:com|net|org|info|tv|me|co|news|ly)\b"
    r"(?:/\S*)?)"
    r"|(?P<mail>[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64})"
    rf"|(?P<tag>#[\w{_MARKS}]+)"
    r"|(?P<at>@\w+)|"
)
_WORDS = (
    r"(?P<number>\d(?:[\d.,:/٫٬،\\-]{0,30}\d)?(?:[KkMm](?!\w))?%?)"
    rf"|(?P<word>[^\W\d](?:[\w{_MARKS}])*)"
    r"|(?P<copy>©|\([cC]\))"
    r"|(?P<colon>:|\||(?<=\s)[-–—ـ―‒]+|[-–—ـ―‒]+(?=\s))"
)
_TOKEN = re.compile(_ADDRESSES + _WORDS)
#: The same where no address can stand: most lines, and trying for one takes half of the time.
_WORD_TOKEN = re.compile(_WORDS)
_ADDRESS_SIGN = re.compile(r"[.](?:com|net|org|info|tv|me|co|news|ly)\b")
_ADDRESS_SIGNS = ("@", "#", "://", "www.")


_KEYS = {
    "url": _URL,
    "mail": _MAIL,
    "tag": _TAG,
    "at": _AT,
    "number": _NUMBER,
    "copy": _COPY,
    "colon": _COLON,
}


class _Token(NamedTuple):
    key: str
    start: int
    end: int


def _tokens(line: str) -> list[_Token]:
    found: list[_Token] = []
    addressed = any(sign in line for sign in _ADDRESS_SIGNS) or _ADDRESS_SIGN.search(line)
    for match in (_TOKEN if addressed else _WORD_TOKEN).finditer(line):
        start, end = match.span()
        kind = match.lastgroup
        if kind == "word":
            key = word_key(match.group())
            if not key:  # a lone tatweel is a dash
                key = _COLON
        else:
            key = _KEYS[kind or "colon"]
        if key == _COLON and (not found or found[-1].key == _COLON):
            continue
        if " " in key:
            found.extend(_Token(part, start, end) for part in key.split())
        else:
            found.append(_Token(key, start, end))
    return found


_CLOSERS = " \t\"'»”’)]*"


def _has_stop(line: str) -> bool:
    """Whether it ends as a sentence does. Dots in a row are a button's."""
    end = line.rstrip(_CLOSERS)
    return end.endswith((".", "۔")) and not end.endswith(("..", "۔۔"))


# -- patterns --------------------------------------------------------------------------------------

Keys = tuple[str, ...]
#: Given the words of a line and a start, every end that the pattern can reach.
Matcher = Callable[[Keys, int], frozenset[int]]

_NOWHERE: frozenset[int] = frozenset()


class _Node(NamedTuple):
    match: Matcher
    first: frozenset[str] | None  # the words it can begin with; None: any
    empty: bool  # whether it matches nothing at all
    slot: bool = False


def _variants(word: str) -> tuple[str, ...]:
    """A word of a named list may carry a conjunction or preposition: "وتويتر", "بالنشرة"."""
    if len(word) < 4 or word in _SPECIAL:
        return (word,)
    found = [word]
    if word[0] in "وبل":
        found.append(word[1:])
        if word[0] == "و" and word[1] in "بل":
            found.append(word[2:])
    if word.startswith("لل"):
        found.append("ال" + word[2:])
    return tuple(found)


def _carried(word: str) -> Iterator[str]:
    """The words that `_variants` takes for this one, and some more."""
    yield from (word, *(clitic + word for clitic in ("و", "ب", "ل", "وب", "ول")))
    if word.startswith("ال"):
        yield "لل" + word[2:]


def _literal(keys: Iterable[Keys], *, clitics: bool) -> _Node:
    by_first: dict[str, list[Keys]] = {}
    for key in keys:
        by_first.setdefault(key[0], []).append(key[1:])

    def match(words: Keys, i: int) -> frozenset[int]:
        if i >= len(words):
            return _NOWHERE
        ends = []
        for word in _variants(words[i]) if clitics else (words[i],):
            for rest in by_first.get(word, ()):
                end = i + 1 + len(rest)
                if words[i + 1 : end] == rest:
                    ends.append(end)
        return frozenset(ends)

    return _Node(match, frozenset(by_first), False)


def _either(nodes: Sequence[_Node]) -> _Node:
    if len(nodes) == 1:
        return nodes[0]
    firsts = [node.first for node in nodes]
    first = None if None in firsts else frozenset().union(*(f for f in firsts if f is not None))

    def match(words: Keys, i: int) -> frozenset[int]:
        ends: set[int] = set()
        for node in nodes:
            ends |= node.match(words, i)
        return frozenset(ends)

    return _Node(match, first, any(n.empty for n in nodes))


def _sequence(nodes: Sequence[_Node]) -> _Node:
    if len(nodes) == 1:
        return nodes[0]
    first: frozenset[str] | None = frozenset()
    for node in nodes:
        first = None if first is None or node.first is None else first | node.first
        if not node.empty:
            break

    def match(words: Keys, i: int) -> frozenset[int]:
        at = frozenset((i,))
        for node in nodes:
            at = frozenset(end for start in at for end in node.match(words, start))
            if not at:
                break
        return at

    return _Node(match, first, all(n.empty for n in nodes))


def _optional(node: _Node) -> _Node:
    def match(words: Keys, i: int) -> frozenset[int]:
        return node.match(words, i) | {i}

    return _Node(match, node.first, True, node.slot)


def _repeated(node: _Node) -> _Node:
    def match(words: Keys, i: int) -> frozenset[int]:
        ends: set[int] = set()
        todo = [i]
        while todo:
            for end in node.match(words, todo.pop()):
                if end not in ends:
                    ends.add(end)
                    todo.append(end)
        return frozenset(ends)

    return _Node(match, node.first, node.empty)


def _slot(most: int, allowed: Callable[[str], bool]) -> _Node:
    def match(words: Keys, i: int) -> frozenset[int]:
        end = i
        while end < len(words) and end - i < most and allowed(words[end]):
            end += 1
        return frozenset(range(i + 1, end + 1))

    return _Node(match, None, False, slot=True)


_DATA: dict[str, Any] = tomllib.loads(
    (files("pipelines") / "lexicon" / "furniture.toml").read_text(encoding="utf-8")
)
_LISTS: dict[str, list[str]] = _DATA["words"]
_PROSE = frozenset(match_key(w) for w in _LISTS.pop("prose")[0].split("|"))


def _is_prose(word: str) -> bool:
    return word in _PROSE or (len(word) > 3 and word[0] in "وف" and word[1:] in _PROSE)


def _in_name(word: str) -> bool:
    return word not in _SPECIAL and not _is_prose(word)


_SLOTS: dict[str, _Node] = {
    "text": _slot(24, lambda w: True),
    "slot8": _slot(8, lambda w: True),
    "slot4": _slot(5, lambda w: True),
    "name": _slot(6, _in_name),
    "brandname": _slot(4, _in_name),
    "brandname_short": _slot(3, _in_name),
    "source": _slot(3, lambda w: w in (_NUMBER, _URL) or _in_name(w)),
    "outlet": _slot(4, lambda w: w in (_NUMBER, _URL) or _in_name(w)),
    "orgtext": _slot(10, lambda w: not _is_prose(w)),
    "url": _slot(1, lambda w: w == _URL)._replace(first=frozenset((_URL,))),
    "hashes": _slot(30, lambda w: w == _TAG)._replace(first=frozenset((_TAG,))),
    "initials": _slot(6, lambda w: len(w) <= 2 and w != _COLON),
    "letters": _slot(3, lambda w: len(w) <= 2 and w.isalpha() and not _is_prose(w)),
    "n": _slot(1, lambda w: w == _NUMBER)._replace(first=frozenset((_NUMBER,)), slot=False),
}


class _Reader:
    """Reads one pattern of furniture.toml. Raises ValueError for what is no pattern."""

    _PARTS = re.compile(r"[()\[\]|+:©]|<[a-z_]+>|\{[a-z_0-9]+\}|[^\s()\[\]|+:<>{}©]+|\s+")

    def __init__(self, text: str, *, clitics: bool) -> None:
        self.text = text
        self.parts = self._PARTS.findall(text)
        self.at = 0
        self.clitics = clitics

    def read(self) -> list[_Node]:
        """The nodes of the pattern's sequence."""
        nodes = self._nodes()
        if self.at != len(self.parts) or not nodes:
            raise ValueError(f"not a pattern: {self.text!r}")
        return nodes

    def _group(self, close: str) -> _Node | None:
        """Alternatives up to a bracket. Those of words alone become one table."""
        words: list[Keys] = []
        nodes: list[_Node] = []
        while True:
            start = self.at
            nodes_here = self._nodes()
            raw = "".join(self.parts[start : self.at])
            plain = not any(c in raw for c in "([<{+:©")
            key = tuple(match_key(raw).split()) if plain else ()
            if key:
                words.append(key)
            elif nodes_here:
                nodes.append(_sequence(nodes_here))
            if self.at >= len(self.parts):
                raise ValueError(f"{close} is missing: {self.text!r}")
            end = self.parts[self.at]
            self.at += 1
            if end == close:
                break
            if end != "|":
                raise ValueError(f"{end} is misplaced: {self.text!r}")
        if words:
            nodes.append(_literal(words, clitics=self.clitics))
        return _either(nodes) if nodes else None

    def _nodes(self) -> list[_Node]:
        nodes: list[_Node] = []
        while self.at < len(self.parts) and self.parts[self.at] not in ("|", ")", "]"):
            part = self.parts[self.at]
            self.at += 1
            node: _Node | None
            if part.isspace():
                continue
            if part in "([":
                node = self._group(")" if part == "(" else "]")
                if node is None:
                    if part == "(":
                        raise ValueError(f"an empty group: {self.text!r}")
                    continue
                if self.at < len(self.parts) and self.parts[self.at] == "+":
                    self.at += 1
                    node = _repeated(node)
                if part == "[":
                    node = _optional(node)
            elif part[0] == "<":
                node = _list(part[1:-1])
            elif part[0] == "{":
                node = _SLOTS[part[1:-1]]
            elif part in (_COLON, _COPY):
                node = _literal([(part,)], clitics=False)
            else:
                key = tuple(match_key(part).split())
                if not key:
                    continue
                node = _literal([key], clitics=self.clitics)
            nodes.append(node)
        return nodes


_KNOWN: dict[str, _Node] = {
    "agency": _sequence(
        [_optional(_literal([("وكاله",)], clitics=True)), _literal(AGENCY_NAMES, clitics=True)]
    ),
    "outlet_name": _literal(
        ((_NUMBER,) if k == ("24",) else k for k in OUTLET_NAMES if len(k) > 1), clitics=True
    ),
}


def _list(name: str) -> _Node:
    if name not in _KNOWN:
        # Only lists of things take clitics; a date's do not.
        clitics = name in ("network", "social", "channel", "item", "latest", "nav", "legal", "bank")
        _KNOWN[name] = _either(
            [_sequence(_Reader(text, clitics=clitics).read()) for text in _LISTS[name]]
        )
    return _KNOWN[name]


class _Rule(NamedTuple):
    id: str
    action: Action
    field: str | None
    position: str  # any, top, bottom, edges
    inside: bool
    stop: bool
    single: bool
    links: bool
    date: bool

    def holds(self, position: Position, *, inside: bool, single: bool) -> bool:
        if inside and not (self.inside and (self.single or not single)):
            return False
        if self.position == "any":
            return True
        if self.position == "edges":
            return position != Position.ANY
        return self.position == position


class _Pattern(NamedTuple):
    rule: _Rule
    nodes: tuple[_Node, ...]
    needs: tuple[frozenset[str], ...]  # of each set, a word must stand in the line
    hints: tuple[frozenset[str], ...]  # the same with all that a word may carry


def _rule(
    name: str,
    action: Action,
    field: str | None = None,
    *,
    position: str = "any",
    inside: bool = True,
) -> _Rule:
    return _Rule(name, action, field, position, inside, True, True, links=False, date=False)


def _read_rules() -> tuple[list[_Rule], dict[str, list[tuple[int, _Pattern]]]]:
    rules = []
    index: dict[str, list[tuple[int, _Pattern]]] = {}
    for number, row in enumerate(_DATA["rule"]):
        rule = _Rule(
            row["id"],
            Action(row["action"]),
            row.get("field"),
            row.get("position", "any"),
            row.get("inside", True),
            row.get("stop", False),
            row.get("single", False),
            row.get("links", False) or row["action"] == "drop_to_end",
            row.get("date", False),
        )
        rules.append(rule)
        for text in row["patterns"]:
            nodes = tuple(_Reader(text, clitics=False).read())
            needs = tuple(n.first for n in nodes if n.first is not None and not n.empty)
            hints = tuple(frozenset(form for n in need for form in _carried(n)) for need in needs)
            pattern = _Pattern(rule, nodes, needs, hints)
            whole = _sequence(pattern.nodes)
            if whole.empty:
                raise ValueError(f"{rule.id}: a pattern that matches nothing: {text!r}")
            for word in {""} if whole.first is None else whole.first:
                index.setdefault(word, []).append((number, pattern))
    return rules, index


_RULES, _INDEX = _read_rules()
_BANK = _list("bank")
_MONTHS, _WEEKDAYS = _list("month"), _list("weekday")

# Forms that no list of phrases holds.
_SEPARATOR = _rule("form.separator", Action.DROP_LINE)
_BARE_NUMBER = _rule("form.number", Action.DROP_LINE, position="edges")
_ADDRESS = _rule("form.address", Action.DROP_LINE, inside=False)
_MAIL_ONLY = _rule("form.email", Action.DROP_LINE)
_LETTER = _rule("form.letter", Action.DROP_LINE, position="edges")
_SLASHED = _rule("end_mark.slashed", Action.DROP_LINE, position="bottom")
_HASHTAGS = _rule("tags.hashtags", Action.KEEP_METADATA, "tags")
_CAPTION = _rule("credit.caption", Action.KEEP_METADATA, "caption")
_CREDIT = _rule("credit.agencies", Action.KEEP_METADATA, "agency")
_ROW = _rule("form.row", Action.DROP_LINE, inside=False)
_BREADCRUMB = _rule("nav.breadcrumb", Action.KEEP_METADATA, "section", inside=False)
_LEARNED = _rule(LEARNED_RULE, Action.DROP_LINE)

_SEPARATORS = re.compile(r"\s*[|•·»›>‹«←→▪■●◆]\s*|\s+[/\\]\s+")
_CRUMBS = re.compile(r"\s*[»›>‹«←→]\s*|\s+[/\\]\s+")
_PARTING = re.compile(r"[|•·»›>‹«←→▪■●◆/\\]")
_HOME = frozenset(match_key(w) for w in ("الرئيسية", "الصفحة الرئيسية", "Home", "Accueil", "خانه"))


class _Match(NamedTuple):
    rule: _Rule
    value: str
    single: bool = False  # one word


@lru_cache(maxsize=1 << 11)
def _known_matches(line: str) -> tuple[_Match, ...]:
    return tuple(_matches(line))


def _line_matches(line: str) -> tuple[_Match, ...]:
    """Every rule that the whole line answers to, the first in order first.

    Lines are judged several times, and those of the page around an article on every page.
    """
    return _known_matches(line) if line and len(line) <= _MAX_LINE else ()


def _matches(line: str, *, row: bool = True) -> Iterator[_Match]:
    line = line.strip()
    stop = _has_stop(line)
    if stop and _is_plain_sentence(line):
        return
    tokens = _tokens(line)
    if not tokens or all(t.key == _COLON for t in tokens):
        if line:
            yield _Match(_SEPARATOR, line)
        return
    if len(tokens) > _MAX_TOKENS:
        return
    words = tuple(t.key for t in tokens)
    yield from _forms(line, tokens, words)
    patterns: list[tuple[int, _Pattern]] = []
    for key in dict.fromkeys((*_variants(words[0]), "")):
        patterns.extend(_INDEX.get(key, ()))
    patterns.sort(key=lambda entry: entry[0])
    done = -1
    forms = {form for word in words for form in _variants(word)}
    for number, pattern in patterns:
        rule = pattern.rule
        if number == done or (stop and not rule.stop):
            continue
        if any(need.isdisjoint(forms) for need in pattern.needs):
            continue
        start = _whole(pattern.nodes, words)
        if start is None or (rule.date and not _is_date(line, tokens, words)):
            continue
        done = number
        value = line[tokens[start].start :] if 0 < start < len(tokens) else line
        yield _Match(rule, value.strip(" :-–—*"), len(words) == 1)
    if row:
        yield from _rows(line)
    caption = _caption(line, words, stop=stop)
    if caption:
        yield _Match(_CAPTION, caption)


_SIGNS = re.compile(r"[@#|•·»›>‹«←→▪■●◆/\\©]|\d[^\W\d]|\([cC]\)")
_SENTENCE_WORDS = 12


def _is_plain_sentence(line: str) -> bool:
    """Whether a line with a full stop surely answers to no rule, told without reading its tokens:
    most paragraphs, and most of the time went into them."""
    first = _WORD_TOKEN.search(line)
    if first is None or first.lastgroup != "word" or _SIGNS.search(line):
        return False
    words = match_key(line).split()
    if len(words) < _SENTENCE_WORDS or not (begin := word_key(first.group()).split()):
        return False
    said = frozenset(words)
    return not any(
        pattern.rule.stop and not any(hint.isdisjoint(said) for hint in pattern.hints)
        for key in (*_variants(begin[0]), "")
        for _, pattern in _INDEX.get(key, ())
    )


def _whole(nodes: Sequence[_Node], words: Keys) -> int | None:
    """Where the slot's value begins (0: there is none) if the pattern takes the whole line."""
    at: dict[int, int] = {0: 0}
    for node in nodes:
        ends: dict[int, int] = {}
        for start, value in at.items():
            for end in node.match(words, start):
                ends.setdefault(end, value or (start if node.slot and end > start else 0))
        if not ends:
            return None
        at = ends
    for end in (len(words), len(words) - 1):
        if end in at and words[end:] in ((), (_COLON,)):
            return at[end]
    return None


def _forms(line: str, tokens: Sequence[_Token], words: Keys) -> Iterator[_Match]:
    kinds = set(words) - {_COLON}
    if kinds == {_TAG}:
        yield _Match(_HASHTAGS, line)
    elif kinds == {_MAIL}:
        yield _Match(_MAIL_ONLY, line)
    elif section := _breadcrumb(line):
        yield _Match(_BREADCRUMB, section)
    elif kinds and kinds <= {_URL, _AT, _MAIL}:
        yield _Match(_ADDRESS, line)
    elif len(words) <= 8 and _COPY not in words and (credit := _agency_credit(line)):
        yield _Match(_CREDIT, credit)
    elif len(words) == 1 and len(words[0]) == 1 and words[0].isalpha():
        yield _Match(_LETTER, line)
    elif len(words) <= _SLASHED_WORDS and _BETWEEN_SLASHES.fullmatch(line):
        yield _Match(_SLASHED, line)
    elif kinds == {_NUMBER} and not _is_date(line, tokens, words):
        yield _Match(_BARE_NUMBER, line)


def _agency_credit(line: str) -> str | None:
    """A line of agencies and outlets, nothing else: "القدس العربي - وكالات"."""
    found = read_agency(line, "end")
    if found and found.kind == "credit" and found.raw == line and not _dateline_place(line):
        return line
    return None


def _dateline_place(line: str) -> str | None:
    """The place of a line that is a dateline by itself: "الكويت - كونا" stays in the text."""
    found = read_agency(line, "start")
    return found.place if found and found.kind == "dateline" else None


#: An agency's own name, as some put it below their reports.
_BETWEEN_SLASHES = re.compile(r"/{1,2}[^/]{2,60}/{1,2}")
_SLASHED_WORDS = 4
_NUMERIC_DATE = re.compile(r"(?:\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|\d{4}[/.-]\d{1,2}[/.-]\d{1,2})")


def _is_date(line: str, tokens: Sequence[_Token], words: Keys) -> bool:
    """A number beside a month or weekday, or a number written as a date or time."""
    numbers = [line[t.start : t.end] for t in tokens if t.key == _NUMBER]
    if not numbers:
        return False
    if any(":" in n or _NUMERIC_DATE.fullmatch(n) for n in numbers):
        return True
    return any(_MONTHS.match(words, i) or _WEEKDAYS.match(words, i) for i in range(len(words)))


def _breadcrumb(line: str) -> str | None:
    """The section in a row such as "الرئيسية » أخبار » عنوان": its last short crumb."""
    if not _PARTING.search(line):  # looking for one sign is faster than splitting
        return None
    parts = [part.strip() for part in _CRUMBS.split(line) if part.strip()]
    if not 2 <= len(parts) <= 8 or match_key(parts[0]) not in _HOME or _has_stop(line):
        return None
    return next((part for part in reversed(parts[1:]) if len(part.split()) <= 3), None)


def _rows(line: str) -> Iterator[_Match]:
    if not _PARTING.search(line):
        return
    parts = [part for part in _SEPARATORS.split(line) if part.strip()]
    if 2 <= len(parts) <= 12 and all(
        any(m.rule.action != Action.KEEP and not m.rule.date for m in _matches(part, row=False))
        for part in parts
    ):
        yield _Match(_ROW, line)


def _caption(line: str, words: Keys, *, stop: bool) -> str | None:
    """A picture's caption: no sentence, and a credit at its end, in brackets or after a slash."""
    if stop or not 2 <= len(words) <= 26 or _is_prose(words[0]):
        return None
    if not line.isascii() and _dateline_place(line):
        return None
    if line.endswith((")", "]")):
        opened = max(line.rfind("("), line.rfind("["))
        if opened <= 0:
            return None
        inner = line[opened + 1 : -1].strip()
        keys = tuple(t.key for t in _tokens(inner))
        photo = keys[:1] and keys[0] in _PHOTO_WORDS and len(keys) <= 8
        if photo or _all_bank(keys):
            return line if len(_tokens(line[:opened])) >= 2 else None
        return None
    for mark in (" / ", "/ ", " /", " – ", " - ", " — ", " ـ "):
        head, found, tail = line.rpartition(mark)
        if not found:
            continue
        keys = tuple(t.key for t in _tokens(tail))
        head_words = head.split()
        named = keys[:1] and keys[0] in _PHOTO_WORDS and _COLON in keys and len(keys) <= 8
        if named and len(head_words) >= 3:
            return line
        if not keys or not _all_bank(keys) or not head_words:
            continue
        if not _is_agency(keys):
            return line
        latin = head.isascii() and len(head_words) >= 2
        if latin and "/" in mark and not head.isupper():
            return line
        if len(head_words) >= 4:
            return line
    return None


_PHOTO_WORDS = frozenset(
    match_key(w) for w in ("تصوير", "عدسة", "بعدسة", "الصورة", "صورة", "أرشيفية", "أرشيف", "Photo")
)


def _all_bank(keys: Keys) -> bool:
    """Whether words are names of picture agencies and archives, nothing else."""
    if not keys or len(keys) > 8:
        return False
    if keys in ((_URL,),):
        return True
    keys = tuple(k for k in keys if k not in (_COLON, _COPY))
    at = {0}
    for _ in range(4):
        at = {end for start in at for end in _BANK.match(keys, start)}
        if len(keys) in at:
            return True
    return False


def _is_agency(keys: Keys) -> bool:
    return keys in AGENCY_NAMES or (keys[:1] == ("وكاله",) and keys[1:] in AGENCY_NAMES)


# -- the public functions --------------------------------------------------------------------------


def _verdict(matches: Iterable[_Match], position: Position, *, inside: bool) -> Verdict:
    for rule, value, single in matches:
        if rule.holds(position, inside=inside, single=single):
            if rule.action == Action.KEEP_METADATA:
                return Verdict(rule.action, rule.id, rule.field, value)
            return Verdict(rule.action, rule.id)
    return _KEEP


def judge_line(line: str, position: str | Position) -> Verdict:
    """Whether a line by itself is furniture. `position`: top, any (unknown) or bottom.

    Raises ValueError for another position.
    """
    return _verdict(_line_matches(line), Position(position), inside=False)


def heads_links(line: str) -> bool:
    """Whether a line is a label such as "related stories", with links to expect below it."""
    words = line.split(maxsplit=1)
    if not words or word_key(words[0].strip(_CLOSERS)) not in _LABEL_WORDS:
        return False
    return any(match.rule.id in _LINK_LABELS for match in _line_matches(line))


def is_paragraph(text: str) -> bool:
    """Whether a line has the form of a real paragraph: long, or a sentence with its full stop."""
    if len(text) > _MAX_LINE:
        return True
    count = len(text.split())
    if count >= 25 or (count >= 4 and _has_stop(text)):
        return True
    if count >= 12 and ("،" in text or "," in text or text.rstrip(_CLOSERS).endswith(("؟", "?"))):
        return True
    return count >= 8 and re.search(r"[^.\s]\. \S", text) is not None


def _is_headline(block: Block) -> bool:
    """Whether it can be a link under "اقرأ أيضا": some words, no sentence."""
    count = len(block.text.split())
    if block.kind == BlockKind.LIST:
        return count <= 24
    return block.kind == BlockKind.PARAGRAPH and 4 <= count <= 24 and not _has_stop(block.text)


#: Links under one label in the middle of an article; more than these are text.
_MAX_LINKS = 6
#: A title can look like these; the first line of a page and its headings are spared.
_NOT_TITLES = frozenset(("credit.caption", "read_also.inline", "byline"))


def remove_furniture(
    blocks: Sequence[Block],
    learned: Collection[str] | None = None,
    boxed: Mapping[str, str] | None = None,
) -> Cleaned:
    """Takes furniture out of a page's blocks; what is taken is in `removed`, in order.

    `learned` holds match keys of whole lines that are known to repeat on the source's pages,
    `boxed` texts that the page's markup puts into boxes around the article, with their rules. A
    cut to the end happens only after the last real paragraph: real paragraphs are never cut.
    """
    boxed = boxed or {}
    found = [_line_matches(block.text) for block in blocks]
    real = [
        i
        for i, block in enumerate(blocks)
        if not found[i]
        and is_paragraph(block.text)
        and not _is_learned(block.text, learned)
        and block.text not in boxed
    ]
    first, last = (real[0], real[-1]) if real else (len(blocks), -1)
    rules: dict[int, str] = {}
    kept: list[FoundField] = []
    cut: str | None = None
    links = 0
    label = ""
    for i, block in enumerate(blocks):
        if not real:
            position, inside = Position.ANY, False
        elif i < first:
            position, inside = Position.TOP, False
        elif i > last:
            position, inside = Position.BOTTOM, False
        else:
            position, inside = Position.ANY, True
        verdict = _verdict(found[i], position, inside=inside)
        if verdict.rule in _NOT_TITLES and (i == 0 or block.kind == BlockKind.HEADING):
            verdict = _KEEP
        if _is_learned(block.text, learned):
            verdict = Verdict(Action.DROP_LINE, _LEARNED.id)
        elif verdict.action == Action.KEEP and block.text in boxed:
            verdict = Verdict(Action.DROP_LINE, boxed[block.text])
        if verdict.field and verdict.value:
            kept.append(FoundField(i, verdict.rule, verdict.field, verdict.value))
        if verdict.action != Action.KEEP:
            rules[i] = verdict.rule
        elif cut:
            rules[i] = cut
        elif links and not (first <= i <= last and i in real) and _is_headline(block):
            rules[i] = f"{label}.link"
            links -= 1
        else:
            links = 0
        if verdict.action == Action.DROP_TO_END and position == Position.BOTTOM:
            cut = cut or f"{verdict.rule}.rest"
        if verdict.rule in _LABELS and position != Position.TOP and real:
            label = verdict.rule
            links = len(blocks) if position == Position.BOTTOM else _MAX_LINKS
    return Cleaned(
        tuple(block for i, block in enumerate(blocks) if i not in rules),
        tuple(RemovedLine(i, blocks[i].text, rule) for i, rule in sorted(rules.items())),
        tuple(kept),
    )


_LABELS = frozenset(rule.id for rule in _RULES if rule.links)
#: Labels of stories beside the article, and the words that they begin with.
_LINK_LABELS = frozenset(("read_also.label", "related", "more.button", "breaking"))
_LABEL_WORDS = frozenset(
    word for word, found in _INDEX.items() for _, p in found if p.rule.id in _LINK_LABELS
)


def _is_learned(text: str, learned: Collection[str] | None) -> bool:
    return bool(learned) and len(text) <= _MAX_LINE and match_key(text) in (learned or ())
