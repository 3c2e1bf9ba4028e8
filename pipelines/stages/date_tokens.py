"""A short text as tokens that know what their words can mean in a date.

Words are folded (case, Latin accents, and the Arabic script as `pipelines.arabic.match_key` folds
it), looked up as phrases in the tables under `pipelines/lexicon`, the longest first, and carry
every kind that a table gives them: "م" is a half of the day and the suffix of a year, which of
them is for the parser to say. Every step is one pass: the time grows with the length alone.
"""

import html
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from pipelines.arabic import match_key

#: What a token's words can mean: kind -> value ("gregorian" -> 9, "zone" -> "Asia/Riyadh", ...).
Kinds = Mapping[str, int | str]

#: Signs that part a date's pieces and mean nothing of their own.
QUIET_SIGNS = frozenset("|/\\,:;.-_()[]{}<>•·●*'\"«»“”‘’@~+…؛")

_NOTHING: Kinds = {}
_TOKEN = re.compile(r"[0-9]+|[^\W\d_]+|[^\s]")
_WORD = re.compile(r"[^\W\d_]+")
_PERSIAN_DIGIT = re.compile("[\u06f0-\u06f9]")
_ENTITY = re.compile(r"&(?:amp;){0,3}(#?[0-9A-Za-z]{1,8};)")
#: Between the words of a phrase: "هـ.ش", "a.m.", "aujourd'hui".
_INSIDE = frozenset(".'’")


@dataclass(slots=True)
class Token:
    """One number, phrase or sign. `gap` says whether white space stands before it."""

    text: str
    start: int
    end: int
    gap: bool
    kinds: Kinds
    number: int = -1  # -1: no number
    used: bool = False

    @property
    def digits(self) -> int:
        return len(self.text) if self.number >= 0 else 0

    def has(self, kind: str) -> bool:
        return kind in self.kinds

    def integer(self, kind: str) -> int | None:
        value = self.kinds.get(kind)
        return value if isinstance(value, int) else None

    def string(self, kind: str) -> str | None:
        value = self.kinds.get(kind)
        return value if isinstance(value, str) else None


class Tokens(list[Token]):
    """The tokens of one text. The readers mark those that they use; places outside are None."""

    persian_digits = False
    #: What any of them can mean: a reader has nothing to do where its kinds are missing.
    kinds: frozenset[str] = frozenset()

    def at(self, index: int) -> Token | None:
        return self[index] if 0 <= index < len(self) else None

    def is_sign(self, index: int, *signs: str) -> bool:
        return 0 <= index < len(self) and self[index].text in signs

    def is_number(self, index: int) -> bool:
        return 0 <= index < len(self) and self[index].number >= 0

    def free_number(self, index: int, digits: int) -> bool:
        """Whether an unused number of at most so many figures stands there."""
        token = self.at(index)
        return token is not None and not token.used and 1 <= token.digits <= digits

    def use(self, first: int, last: int) -> None:
        for token in self[first : last + 1]:
            token.used = True


class InconclusiveError(Exception):
    """Raised when a text holds something that forbids any conclusion: 31 February, a range."""


def _fold_table() -> dict[int, str]:
    table: dict[int, str] = {}
    arabic = [*range(0x0600, 0x0700), *range(0x0750, 0x0780), *range(0xFB50, 0xFDF0)]
    for point in [*arabic, *range(0xFE70, 0xFF00)]:
        char = chr(point)
        # Punctuation stays: only letters, digits and marks have a key (or vanish).
        if unicodedata.category(char)[0] in "LMN":
            table[point] = match_key(char)
    for point in [*range(0x41, 0x5B), *range(0xC0, 0x250), *range(0x400, 0x460)]:
        char = chr(point)
        if char.isalpha():
            folded = unicodedata.normalize("NFD", char.casefold())
            keep = point >= 0x400  # Cyrillic й is a letter of its own
            table[point] = char.casefold() if keep else re.sub("[^a-zßæœøđłı]", "", folded)
    table[ord("ı")] = table[ord("İ")] = "i"
    for point in range(0x0300, 0x0370):
        table[point] = ""
    for point in [0x640, 0xAD, 0x200B, 0x2060, 0xFEFF, 0x61C, 0x200E, 0x200F]:
        table[point] = ""
    for point in [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]:
        table[point] = ""
    for point in (0x200C, 0x200D, 0xA0):
        table[point] = " "
    for point in range(0xFF10, 0xFF1A):
        table[point] = chr(point - 0xFF10 + 0x30)
    table |= dict.fromkeys([*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFF0D, 0x6D4], "-")
    table |= dict.fromkeys([0x2044, 0x2215, 0xFF0F, 0x60D, 0x29F8], "/")
    table |= dict.fromkeys([0x60C, 0xFF0C, 0x61B], ",")
    table |= dict.fromkeys([0xFF1A, 0x2236, 0xFE55], ":")
    table |= dict.fromkeys([0x66B, 0x66C], ".")
    return table


_FOLD = _fold_table()
_UNEVEN = frozenset(chr(point) for point, folded in _FOLD.items() if len(folded) != 1)


def fold(text: str) -> str:
    """Text as the tables are compared: see the module's docstring."""
    return text.translate(_FOLD)


def _split(folded: str) -> list[str]:
    return _TOKEN.findall(folded)


def _load() -> tuple[dict[str, list[tuple[tuple[str, ...], dict[str, int | str]]]], frozenset[str]]:
    phrases: dict[tuple[str, ...], dict[str, int | str]] = {}

    def add(spelling: str, kind: str, value: int | str) -> None:
        words = tuple(word for word in _split(fold(spelling)) if word not in _INSIDE)
        kinds = phrases.setdefault(words, {})
        if kinds.get(kind, value) != value:
            raise ValueError(f"lexicon: {spelling!r} is {kind} {kinds[kind]!r} and {value!r}")
        kinds[kind] = value

    def read(name: str) -> Any:
        file = resources.files("pipelines.lexicon").joinpath(name)
        return tomllib.loads(file.read_text(encoding="utf-8"))

    months, zones, words = read("months.toml"), read("zones.toml"), read("date_words.toml")
    signs = frozenset(words["veto"].pop("signs"))
    for calendar in ("gregorian", "hijri", "solar"):
        for number, names in months[calendar].items():
            for name in names:
                add(name, calendar, int(number))
                if calendar == "solar":
                    add(name + "ماه", calendar, int(number))
    for name in months["weak"]["names"]:
        add(name, "weak", 1)
    for kind, table in (("place", zones["places"]), ("zone", zones["abbreviations"])):
        for zone, names in table.items():
            for name in names:
                add(name, kind, zone)
    for key, names in zones["words"].items():
        for name in names:
            add(name, f"zone_{key}", 1)
    for section, table in words.items():
        for key, names in table.items():
            for name in names:
                if re.fullmatch("-?[0-9]+", key):
                    add(name, section, int(key))
                elif section in ("half", "label", "unit", "two"):
                    add(name, section, key)
                elif key == "words":
                    add(name, section, 1)
                else:
                    add(name, f"{section}_{key}", 1)
    by_first: dict[str, list[tuple[tuple[str, ...], dict[str, int | str]]]] = {}
    for phrase, kinds in phrases.items():
        by_first.setdefault(phrase[0], []).append((phrase, kinds))
    for entries in by_first.values():
        entries.sort(key=lambda entry: -len(entry[0]))
    return by_first, signs


_PHRASES, VETO_SIGNS = _load()
_ENTRIES = [entry for entries in _PHRASES.values() for entry in entries]
_MEANINGFUL = frozenset(word for phrase, _ in _ENTRIES for word in phrase)
_BEFORE_ZONE = frozenset(w for phrase, kinds in _ENTRIES if "zone_before" in kinds for w in phrase)


def _fold_with_places(text: str) -> tuple[str, list[int] | None]:
    """The folded text, and where each of its characters stood; None when all kept their place."""
    folded = text.translate(_FOLD)
    if _UNEVEN.isdisjoint(text):
        return folded, None
    places: list[int] = []
    for place, char in enumerate(text):
        places.extend([place] * len(_FOLD.get(ord(char), char)))
    return folded, places


def _unescape(text: str) -> tuple[str, list[int]]:
    """The text without the entities that were left in it, and where its characters stood."""
    chars: list[str] = []
    places: list[int] = []
    last = 0
    for match in _ENTITY.finditer(text):
        chars.extend(text[last : match.start()])
        places.extend(range(last, match.start()))
        meant = html.unescape("&" + match[1])
        chars.extend(meant)
        places.extend([match.start()] * len(meant))
        last = match.end()
    chars.extend(text[last:])
    places.extend(range(last, len(text)))
    return "".join(chars), places


def tokenise(text: str) -> Tokens:
    """The tokens of a text, with places in it. Entities that were left in it are read."""
    entities: list[int] | None = None
    if "&" in text:
        text, entities = _unescape(text)
    folded, places = _fold_with_places(text)
    if entities is not None:
        places = [entities[place] for place in places or range(len(folded))]
    raw = [(match.group(), match.start(), match.end()) for match in _TOKEN.finditer(folded)]
    tokens = Tokens(_phrases(raw))
    tokens.kinds = frozenset().union(*{id(t.kinds): t.kinds for t in tokens}.values())
    tokens.persian_digits = _PERSIAN_DIGIT.search(text) is not None
    if places is not None:
        for token in tokens:
            token.start = places[token.start]
            token.end = places[token.end - 1] + 1
    return tokens


def has_other_word(text: str) -> bool:
    """Whether a word stands in the text that can mean nothing in a date, nor be a zone's name.

    Foreign names of zones follow "بتوقيت" or stand in brackets. False is no answer.
    """
    folded = fold(text)
    if "&" in folded or "(" in folded:
        return False
    words = _WORD.findall(folded)
    other = any(word not in _MEANINGFUL for word in words if len(word) > 1)
    return other and _BEFORE_ZONE.isdisjoint(words)


def _phrases(raw: list[tuple[str, int, int]]) -> Iterator[Token]:
    at, last_end = 0, 0
    while at < len(raw):
        text, start, end = raw[at]
        following, kinds = at + 1, _NOTHING
        for phrase, meaning in _PHRASES.get(text, ()):
            reached = _match(raw, at, phrase)
            if reached:
                following, kinds = reached, meaning
                text, end = " ".join(phrase), raw[reached - 1][2]
                break
        number = int(text) if text.isdecimal() else -1
        yield Token(text, start, end, start > last_end or not start, kinds, number)
        at, last_end = following, end


def _match(raw: list[tuple[str, int, int]], at: int, phrase: tuple[str, ...]) -> int:
    """Where the phrase that starts at `at` ends; 0 when it does not stand there."""
    for position, word in enumerate(phrase):
        if position and at < len(raw) and raw[at][0] in _INSIDE and len(raw[at - 1][0]) < 8:
            at += 1
        if at >= len(raw) or raw[at][0] != word:
            return 0
        at += 1
    return at
