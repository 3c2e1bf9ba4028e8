"""Which news agency a text comes from: datelines, credits, self-references - and mere citations.

"موسكو (رويترز) -" opens wire copy; "المصدر: وكالات" credits it; "لم يتسن لرويترز التحقق" shows that
the agency wrote the sentence. "نقلت رويترز عن" is a citation: anybody may write it, so it says
nothing of the origin. Names and places are data (`lexicon/agencies.toml`).
"""

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import product
from typing import Any, Literal, NamedTuple

from pipelines.arabic import match_key, word_key
from pipelines.document import Block, BlockKind

Kind = Literal["dateline", "credit", "self_reference", "citation", "none"]


@dataclass(frozen=True, slots=True)
class Agency:
    """What a text says of the agency behind it.

    `agencies` are ids of the lexicon in order of mention (`agencies` means unnamed ones). `place`,
    `byline` and `raw` (the dateline or credit) are as printed. `method` is how it was read:
    `dateline`, `credit`, `author`, `self_reference`, `said_to` (a self-reference that other
    outlets print as well: "قال لرويترز") or `citation`.
    """

    kind: Kind
    agencies: tuple[str, ...] = ()
    place: str | None = None
    byline: str | None = None
    raw: str | None = None
    method: str | None = None


# -- the lexicon -----------------------------------------------------------------------------------

#: How sure a name is by itself; see the head of agencies.toml.
_NAME, _SHORT, _COMMON = 0, 1, 2

Key = tuple[str, ...]


def _key(text: str) -> Key:
    return tuple(match_key(text).split())


def _keys(texts: Iterable[str]) -> frozenset[Key]:
    return frozenset(map(_key, texts))


def _spellings(key: Key) -> Iterable[Key]:
    """A name of single letters also with some of them joined: "ا ف ب", "اف ب", "ا فب", "افب"."""
    if len(key) < 3 or any(len(letter) > 1 for letter in key):
        return (key,)
    found = []
    for gaps in product((" ", ""), repeat=len(key) - 1):
        text = key[0] + "".join(gap + letter for gap, letter in zip(gaps, key[1:], strict=True))
        found.append(tuple(text.split()))
    return found


_DATA: dict[str, Any] = tomllib.loads(
    (files("pipelines") / "lexicon" / "agencies.toml").read_text(encoding="utf-8")
)
_WORDS: dict[str, list[str]] = _DATA["words"]


def _read_names() -> dict[str, list[tuple[Key, str, int]]]:
    names: dict[Key, tuple[str, int]] = {}
    for row in _DATA["agency"]:
        for level, field in ((_NAME, "names"), (_SHORT, "short"), (_COMMON, "common")):
            for name in row.get(field, ()):
                for key in _spellings(_key(name)):
                    # "دبا" and "اشا" are words as well: letters that nothing parts prove less.
                    sure = level if len(key) > 1 or " " not in match_key(name) else _COMMON
                    names.setdefault(key, (row["id"], sure))
    by_first: dict[str, list[tuple[Key, str, int]]] = {}
    for key, (agency, level) in names.items():
        by_first.setdefault(key[0], []).append((key, agency, level))
    for found in by_first.values():
        found.sort(key=lambda entry: -len(entry[0]))
    return by_first


_NAMES = _read_names()
#: What the first word of a name looks like in a line, "and" joined to it or not.
_BEGINNINGS = frozenset(_NAMES) | {"و" + first for first in _NAMES}
#: Every name that is no ordinary word, as match-key words: for stages that look at whole lines.
AGENCY_NAMES = frozenset(
    key for found in _NAMES.values() for key, _agency, level in found if level != _COMMON
)
_BEFORE = sorted(_keys(_WORDS["before"]), key=len, reverse=True)
_BEFORE_BY_FIRST = {
    first: [k for k in _BEFORE if k[0] == first] for first in {k[0] for k in _BEFORE}
}
_AFTER = frozenset(k[0] for k in _keys(_WORDS["after"]))
_CREDIT = _keys(_WORDS["credit"])
_CREDIT_BARE = _keys(_WORDS["credit_bare"])
_AUTHOR = _keys(_WORDS["author"])
_NO_PLACE = _keys(_WORDS["no_place"])
_STAFF = frozenset(k[0] for k in _keys(_WORDS["staff"]))
_STAFF_LINK = frozenset(k[0] for k in _keys(_WORDS["staff_link"]))
_UNABLE = frozenset(k[0] for k in _keys(_WORDS["unable"]))
_UNABLE_NOT = frozenset(k[0] for k in _keys(_WORDS["unable_not"]))
_TOLD = frozenset(k[0] for k in _keys(_WORDS["told"]))
_INTERVIEW = frozenset(k[0] for k in _keys(_WORDS["interview"]))
_SIGNATURES = {
    match_key(words): row["id"] for row in _DATA["agency"] for words in row.get("signature", ())
}
_OWN = frozenset(k[0] for k in _keys(_WORDS["own"]))
_CITE = frozenset(k[-1] for k in _keys(_WORDS["cite"]))
_CITE_AS = frozenset(k[0] for k in _keys(_WORDS["cite_as"]))
_CITE_AFTER = frozenset(k[0] for k in _keys(_WORDS["cite_after"]))
_NOT_IN_PLACES = frozenset(k[0] for k in _keys([*_WORDS["verbs"], *_WORDS["others"]]))
_DATES = frozenset(k[0] for k in _keys(_WORDS["dates"]))
_OUTLETS = _keys(_WORDS["outlets"])
#: Outlets that stand in credits.
OUTLET_NAMES = _OUTLETS
_PLACES = _keys(re.split("[،,\n]", "،".join(_DATA["places"].values()))) - {()}
_CLITICS = ("ول", "وب", "فل", "ل", "ب", "و", "ف", "ك")

# -- words and separators --------------------------------------------------------------------------

#: A dateline or credit is short: what lies beyond is text.
_HEAD_CHARS = 240
_HEAD_WORDS = 16
#: A block is read up to here; a news paragraph is a twentieth of it.
_BODY_CHARS = 100_000

_MARKS = "\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u200c\u200d"
_TOKEN = re.compile(rf"[\w{_MARKS}]+|[^\w\s{_MARKS}]")
_OPEN, _CLOSE = "([{«“", ")]}»”"
_DASHES = "-–—―‒−‐‑ـ"
_SLASHES = "/\\|⁄"


class _Unit(NamedTuple):
    """A word, a separator or an agency of a line, with its place in the line."""

    kind: str  # word, agency, open, close, dash, slash, colon, comma, plus, dot, quote, other
    key: str
    start: int
    end: int
    level: int = _NAME


def _kind_of(mark: str) -> str:
    for kind, marks in (
        ("open", _OPEN),
        ("close", _CLOSE),
        ("dash", _DASHES),
        ("slash", _SLASHES),
        ("colon", ":"),
        ("comma", "،,؛;"),
        ("plus", "+&"),
        ("dot", ".…"),
        ("quote", "\"'„‘’*"),
    ):
        if mark in marks:
            return kind
    return "other"


def _tokens(line: str) -> list[_Unit]:
    units = []
    for match in _TOKEN.finditer(line):
        text = match.group()
        key = word_key(text)
        if key:
            units.append(_Unit("word", key, *match.span()))
        else:
            units.append(_Unit(_kind_of(text[0]), "", *match.span()))
    return units


def _name_at(tokens: Sequence[_Unit], i: int, first: str) -> tuple[int, str, int] | None:
    """The longest agency name that begins at token i, read as `first`: its end, id and level."""
    for key, agency, level in _NAMES.get(first, ()):
        j = i + 1
        for part in key[1:]:
            # Letters may be parted by dots, words by a hyphen: "أ.ف.ب", "إيتار-تاس".
            while j < len(tokens) and tokens[j].kind in ("dot", "dash") and j - i < 12:
                j += 1
            if j >= len(tokens) or tokens[j].key != part or tokens[j].kind != "word":
                break
            j += 1
        else:
            if len(key) > 1 and len(key[0]) == 1 and j < len(tokens) and tokens[j].kind == "dot":
                j += 1  # the dot after the last letter
            return j, agency, level
    return None


def _after_agency_word(tokens: Sequence[_Unit], i: int) -> tuple[int, tuple[int, str, int] | None]:
    """A name after "وكالة", "وكالة أنباء" ... at token i, with where it starts."""
    for before in _BEFORE_BY_FIRST.get(tokens[i].key, ()):
        start = i + len(before)
        if tuple(t.key for t in tokens[i:start]) != before:
            continue
        while start < len(tokens) and start < i + 6 and tokens[start].kind in ("open", "quote"):
            start += 1
        found = _name_at(tokens, start, tokens[start].key) if start < len(tokens) else None
        if found:
            return start, found
    return i, None


def _units(line: str) -> list[_Unit]:
    """The tokens of a line with agency names found, "وكالة" before them taken in."""
    return list(_known_units(line))


@lru_cache(maxsize=256)  # one line is read for a dateline, a label and a credit
def _known_units(line: str) -> tuple[_Unit, ...]:
    tokens = _tokens(line)
    units: list[_Unit] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if token.kind == "word":
            joined = False
            start, found = _after_agency_word(tokens, i)
            if found is None:
                start, found = i, _name_at(tokens, i, token.key)
            if found is None and token.key.startswith("و") and len(token.key) > 1:
                found, joined = _name_at(tokens, i, token.key[1:]), True
                if found and found[2] == _COMMON:
                    found = None
            if found:
                end, agency, level = found
                if start > i and level != _NAME:
                    level = _SHORT  # "وكالة" before it settles what it is
                while end < len(tokens) and tokens[end].key in _AFTER:
                    end += 1
                if joined:
                    units.append(_Unit("plus", "", token.start, token.start))
                units.append(
                    _Unit("agency", agency, tokens[start].start, tokens[end - 1].end, level)
                )
                i = end
                continue
        units.append(token)
        i += 1
    return tuple(units)


def _may_name(line: str) -> bool:
    """Whether the words of an agency's name stand in the line: in most lines they do not, and this
    look is ten times as quick as reading them."""
    words = match_key(line).split()
    if _BEGINNINGS.isdisjoint(words):
        return False
    for at, word in enumerate(words):
        entries = _NAMES.get(word, ())
        if word[0] == "و":
            entries = [*entries, *_NAMES.get(word[1:], ())]
        for key, _agency, _level in entries:
            if len(key) == 1 or tuple(words[at + 1 : at + len(key)]) == key[1:]:
                return True
    return False


def _words(units: Sequence[_Unit]) -> Key:
    return tuple(u.key for u in units if u.kind == "word")


def _is_date(word: str) -> bool:
    return word in _DATES or (word.rstrip("مهء").isdigit() and word[0].isdigit())


def _all_date(words: Key) -> bool:
    return any(w[0].isdigit() for w in words) and all(_is_date(w) or w == "في" for w in words)


def _is_place_form(words: Key) -> bool:
    """Whether the words could be a place's name: few, no number, no verb, no particle."""
    return (
        0 < len(words) <= 4
        and not any(w in _NOT_IN_PLACES or any(c.isdigit() for c in w) for w in words)
        and any(len(w) > 1 for w in words)
    )


# -- datelines -------------------------------------------------------------------------------------


class _Head(NamedTuple):
    place: str | None = None
    byline: str | None = None
    outlet: bool = False
    dated: bool = False
    sure: bool = False


def _split(units: Sequence[_Unit], kinds: tuple[str, ...]) -> list[list[_Unit]]:
    parts: list[list[_Unit]] = [[]]
    for unit in units:
        if unit.kind in kinds:
            parts.append([])
        else:
            parts[-1].append(unit)
    return [part for part in parts if part]


def _without_date(part: list[_Unit]) -> tuple[list[_Unit], bool] | None:
    """A part of a head before its date; None when the date goes over into something else."""
    for i, unit in enumerate(part):
        rest = _words(part[i:])
        if unit.kind == "word" and (unit.key[0].isdigit() or unit.key == "في" or i == 0):
            if _all_date(rest) or (i == 0 and rest and all(map(_is_date, rest))):
                return part[:i], True
            if unit.key[0].isdigit():
                return None
    return part, False


def _read_head(line: str, units: Sequence[_Unit]) -> _Head | None:
    """What stands before the agency: byline, place, date. None when it is none of these."""
    place: list[_Unit] = []
    byline: str | None = None
    outlet = dated = sure = False
    for n, (part, before) in enumerate(_parts_with_separator(units)):
        if _words(part) in _OUTLETS - _PLACES:
            outlet = True
            continue
        cut = _without_date(part)
        if cut is None:
            return None
        part, has_date = cut
        dated |= has_date
        words = _words(part)
        if not words:
            continue
        if n == 0 and words[:1] in _AUTHOR and len(words) > 1:
            split = _place_suffix(words)
            # The first word is the label: "من"; the place, if known, ends the part.
            rest = part[1 : len(part) - split] if split else part[1:]
            if not rest or len(rest) > 8 or any(w in _NOT_IN_PLACES - {"من"} for w in words[1:]):
                return None
            byline = line[rest[0].start : rest[-1].end]
            if split:
                place, sure = part[len(part) - split :], True
        elif words in _PLACES:
            sure = True
            place = _joined(place, part, units)
        elif words in _OUTLETS:
            outlet = True
        elif words in _NO_PLACE or all((w,) in _NO_PLACE for w in words):
            continue
        elif not _is_place_form(words):
            return None
        elif place and before in ("slash", "dash") and len(words) > 1:
            if byline:
                return None
            byline = line[part[0].start : part[-1].end]
        elif (outlet and not place) or (place and before not in ("comma", "slash")):
            return None
        else:
            place = _joined(place, part, units)
    printed = line[place[0].start : place[-1].end] if place else None
    return _Head(printed, byline, outlet, dated, sure)


def _parts_with_separator(units: Sequence[_Unit]) -> Iterable[tuple[list[_Unit], str]]:
    part: list[_Unit] = []
    before = last = ""
    for i, unit in enumerate(units):
        inner_dash = (
            unit.kind == "dash"
            and 0 < i < len(units) - 1
            and units[i - 1].end == unit.start
            and unit.end == units[i + 1].start
            and units[i - 1].kind == units[i + 1].kind == "word"
        )
        if unit.kind == "word" or inner_dash:
            if not part:
                before = last
            part.append(unit)
        elif unit.kind in ("quote", "dot", "other"):
            continue
        else:
            if part:
                yield part, before
                part = []
            last = unit.kind
    if part:
        yield part, before


def _joined(place: list[_Unit], part: list[_Unit], units: Sequence[_Unit]) -> list[_Unit]:
    """Two neighbouring places as one, with what stands between them: "باكو/يريفان"."""
    if not place:
        return part
    first = list(units).index(place[0])
    return list(units)[first : list(units).index(part[-1]) + 1]


def _place_suffix(words: Key) -> int:
    """How many words at the end are a known place."""
    for size in (4, 3, 2, 1):
        if len(words) > size and words[-size:] in _PLACES:
            return size
    return 0


def _ids(units: Iterable[_Unit]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(u.key for u in units if u.kind == "agency"))


def _read_dateline(text: str) -> Agency | None:
    line = text[:_HEAD_CHARS]
    if not _may_name(line):
        return None
    units = _units(line)
    while units and units[0].kind in ("dash", "dot", "quote", "other"):
        del units[0]
    at = next((i for i, u in enumerate(units[:40]) if u.kind == "agency"), None)
    if at is None or len(_words(units[:at])) > _HEAD_WORDS:
        return None
    if "//" in line[: units[at].start] or "www." in line[: units[at].start]:
        return None  # an address
    opened = _last_open(units, at)
    if opened is not None:
        closed = next((i for i in range(at, len(units)) if units[i].kind == "close"), None)
        if closed is None or not _items_ok(units[opened + 1 : closed]):
            return None
        head_units, inner, after = units[:opened], units[opened:closed], units[closed + 1 :]
        set_off = "bracket"
    else:
        end = at + 1
        while (
            end + 1 < len(units)
            and units[end].kind in ("slash", "plus", "comma", "dash")
            and units[end + 1].kind == "agency"
        ):
            end += 2
        if end < len(units) and units[end].kind == "quote":
            end += 1
        head_units, inner, after = units[:at], units[at:end], units[end:]
        set_off = next(
            (u.kind for u in reversed(head_units) if u.kind not in ("quote", "dot")), "nothing"
        )
    stopped = bool(after) and (
        after[0].kind == "dot" or "\n" in line[inner[-1].end : after[0].start]
    )
    after = _without_dots(after)
    level = min(u.level for u in inner if u.kind == "agency")
    ends = not after
    delimited = (
        ends
        or (stopped and bool(head_units))
        or (after[0].kind in ("dash", "colon", "slash") and not _tight(line, units, after))
    )
    head = _read_head(line, head_units)
    if head is None:
        return None
    place = head.place
    if not head_units:
        accepted = _accept_bare(set_off, level, after, delimited, inner)
        turned = _place_after(line, after)
        if turned:
            place, accepted = turned[0], True
            after = after[turned[1] :]
    elif set_off == "bracket":
        accepted = delimited or (head.sure and level != _COMMON)
    elif set_off == "slash":
        accepted = delimited or (head.sure and level != _COMMON) or level == _NAME
    elif set_off == "dash":
        accepted = delimited or (head.sure and level == _NAME)
    elif set_off in ("comma", "colon"):
        accepted = delimited and (head.sure or (ends and set_off == "comma"))
    elif head.dated:  # "الرياض 12 محرم 1442 هـ واس"
        accepted = level != _COMMON or delimited
    else:
        accepted = head.sure and delimited and level == _NAME
    if not accepted:
        return None
    raw = line[: after[0].start].rstrip() if after else line
    if head.outlet and not head.place and ends:
        return Agency("credit", _ids(inner), None, head.byline, raw, "credit")
    return Agency("dateline", _ids(inner), place, head.byline, raw, "dateline")


def _accept_bare(
    set_off: str, level: int, after: Sequence[_Unit], delimited: bool, inner: Sequence[_Unit]
) -> bool:
    """Whether an agency that opens the text, with nothing before it, is a dateline."""
    if not after:
        return level != _COMMON
    if set_off == "bracket":
        return delimited or level != _COMMON
    if not delimited or level == _COMMON:
        return False
    if after[0].kind == "colon":  # "رويترز: ..." is how headlines cite
        return level == _SHORT
    return True


def _tight(line: str, units: Sequence[_Unit], after: Sequence[_Unit]) -> bool:
    """A separator that ties two words ("رويترز/إبسوس") does not end a dateline."""
    if len(after) < 2 or after[0].kind == "colon" or after[1].kind != "word":
        return False
    mark = after[0]
    return (
        mark.start > 0
        and not line[mark.start - 1].isspace()
        and line[mark.start - 1] not in _CLOSE + _SLASHES + _DASHES
        and mark.end == after[1].start
        and units[0].kind == "agency"
        and (after[1].key,) not in _PLACES
    )


def _place_after(line: str, after: Sequence[_Unit]) -> tuple[str, int] | None:
    """The place of a dateline in reverse: "رويترز - موسكو:"; with the number of units it takes."""
    if len(after) < 2 or after[0].kind not in ("dash", "slash", "comma"):
        return None
    for size in (4, 3, 2, 1):
        part = after[1 : 1 + size]
        rest = after[1 + size :]
        if (
            len(part) == size
            and all(u.kind == "word" for u in part)
            and _words(part) in _PLACES
            and (not rest or rest[0].kind in ("dash", "colon", "slash", "close"))
        ):
            return line[part[0].start : part[-1].end], 1 + size
    return None


def _last_open(units: Sequence[_Unit], at: int) -> int | None:
    for i in range(at - 1, -1, -1):
        if units[i].kind == "close":
            return None
        if units[i].kind == "open":
            return i
    return None


def _without_dots(units: list[_Unit]) -> list[_Unit]:
    i = 0
    while i < len(units) and units[i].kind in ("quote", "close", "dot", "other"):
        i += 1
    return units[i:]


def _items_ok(units: Sequence[_Unit]) -> bool:
    """Whether a bracket holds only agencies, dates, and at most a few words of an outlet."""
    other = 0
    for part in _split(units, ("slash", "comma", "plus", "dash", "colon")):
        words = _words(part)
        if not words or _all_date(words) or all(map(_is_date, words)):
            continue
        if words in _OUTLETS or words in _NO_PLACE or words in _PLACES:
            continue
        if any(u.kind == "agency" for u in part) or not _is_place_form(words):
            return False
        other += 1
    return other <= 1


# -- credits ---------------------------------------------------------------------------------------


def _read_label(text: str) -> Agency | None:
    """ "المصدر: رويترز + أ ف ب": a line that is a label and names, nothing else."""
    if len(text) > _HEAD_CHARS or not _may_name(text):
        return None
    units = _without_dots(_units(text))
    for size in (3, 2, 1):
        label = _words(units[:size])
        if len(label) != size or label not in _CREDIT:
            continue
        rest = units[size:]
        if rest and rest[0].kind in ("colon", "dash", "slash"):
            rest = rest[1:]
        elif label not in _CREDIT_BARE:
            return None
        rest = [u for u in rest if u.kind not in ("open", "close", "quote", "dot", "other")]
        if _is_list(rest):
            return Agency("credit", _ids(rest), raw=text, method="credit")
    return None


def _is_list(units: Sequence[_Unit], *, strict: bool = False) -> bool:
    """Whether units are items of a credit, at least one an agency; `strict`: the rest outlets."""
    agencies = others = 0
    for part in _split(units, ("slash", "comma", "plus", "dash", "colon")):
        words = _words(part)
        named = [u for u in part if u.kind == "agency"]
        agencies += len(named)
        if named and all((w,) in _AUTHOR or w == "و" for w in words):
            continue
        if not words or words in _OUTLETS or words in _NO_PLACE or words in _PLACES:
            continue
        if all(len(w) <= 2 for w in words) and not named:  # the editors' initials
            continue
        if named or strict or not _is_place_form(words):
            return False
        others += 1
    return agencies > 0 and others <= 2


def _read_end(text: str) -> Agency | None:
    line = text[-_HEAD_CHARS:]
    key = match_key(line)
    for words, agency in _SIGNATURES.items():
        if words in key and any(word in key for word in ("تحرير", "اعداد", "تغطيه")):
            return Agency("credit", (agency,), raw=line, method="credit")
    if not _may_name(line):
        return None
    units = _units(line)
    while units and units[-1].kind in ("dot", "quote", "other", "dash", "slash"):
        units.pop()
    if not units:
        return None
    if len(text) <= _HEAD_CHARS:
        whole = [u for u in units if u.kind not in ("open", "close", "quote", "dot", "other")]
        levels = [u.level for u in whole if u.kind == "agency"]
        if levels and min(levels) < _COMMON and _is_list(whole, strict=True):
            return Agency("credit", _ids(whole), raw=text, method="credit")
    closing = units[-1].kind == "close"
    last = len(units) - 1
    opened = _last_open(units, last)
    if closing and opened is not None:
        inner = [u for u in units[opened + 1 : last] if u.kind not in ("quote", "dot")]
        levels = [u.level for u in inner if u.kind == "agency"]
        # "(ب)" is a letter, "وكالة الأنباء (كونا)" a gloss: the bracket follows a full stop, or
        # holds an agency that is no word, and no "agency" stands before it.
        before = units[opened - 1] if opened else None
        if (
            levels
            and min(levels) < _COMMON
            and _is_list(inner)
            and not (before and (before.kind == "agency" or before.key in _AFTER))
        ):
            raw = line[units[opened].start :]
            return Agency("credit", _ids(inner), raw=raw, method="credit")
    return None


def _read_author(text: str) -> Agency | None:
    if len(text) > _HEAD_CHARS:
        return None
    units = [u for u in _units(text) if u.kind not in ("quote", "dot", "other")]
    named = [u for u in units if u.kind == "agency"]
    if not named or len(_words(units)) > 12 or min(u.level for u in named) == _COMMON:
        return None
    place: str | None = None
    names: list[str] = []
    for part in _split(units, ("slash", "comma", "plus", "dash", "colon", "open", "close")):
        words = _words(part)
        while words[:1] in _AUTHOR or words[:1] == ("و",):
            part, words = part[1:], words[1:]
        if not words or words in _OUTLETS or words in _NO_PLACE or _all_date(words):
            continue
        printed = text[part[0].start : part[-1].end]
        if words in _PLACES:
            place = place or printed
        elif any(u.kind == "agency" for u in part):
            # "مراسل رويترز" is a credit; a sentence about the agency is not an author.
            if any(w in _NOT_IN_PLACES for w in words):
                return None
        else:
            names.append(printed)
    byline = "، ".join(names) or None
    kind: Kind = "dateline" if place else "credit"
    return Agency(kind, _ids(named), place, byline, text, "author")


# -- running text ----------------------------------------------------------------------------------


def _read_body(text: str) -> Agency | None:
    """Self-references and citations, by the words before a name. Linear: a few looks a word."""
    words = match_key(text[:_BODY_CHARS]).split()
    if _MENTIONS.keys().isdisjoint(words):
        return None
    strong: list[str] = []
    weak: list[str] = []
    cited: list[str] = []
    end = 0
    for i in [i for i, word in enumerate(words) if word in _MENTIONS]:
        found = _mention(words, i) if i >= end else None
        if found is None:
            continue
        end, agency, to = found
        window = words[max(0, i - 9) : i]
        near = window[-3:]
        to = to or (bool(near) and near[-1] in ("لوكاله", "ولوكاله"))
        if _by_staff(window) or _unable(window):
            strong.append(agency)
        elif any(w in _CITE_AS or _bare(w) in _CITE_AS for w in near):
            cited.append(agency)
        elif to or _told(window):
            weak.append(agency)
        elif any(w in _CITE or _bare(w) in _CITE for w in near) or any(
            w in _CITE_AFTER for w in words[end : end + 2]
        ):
            cited.append(agency)
    for ids, kind, method in (
        (strong, "self_reference", "self_reference"),
        (weak, "self_reference", "said_to"),
        (cited, "citation", "citation"),
    ):
        if ids:
            read: Kind = "citation" if kind == "citation" else "self_reference"
            return Agency(read, tuple(dict.fromkeys(ids)), method=method)
    return None


def _told(window: Sequence[str]) -> bool:
    """ "أبلغ مسؤول", "اطلعت عليها", "في مقابلة مع": the name that follows is who was told."""
    return (
        any(w in _TOLD for w in window[-4:])
        or any(w in _OWN for w in window[-2:])
        or (
            window[-1:] == ["مع"]
            and any(_bare(w).removeprefix("ال") in _INTERVIEW for w in window[-3:])
        )
    )


def _read_headline(text: str) -> Agency | None:
    """ "رويترز: ..." at the start is how a headline cites."""
    units = _units(text[:_HEAD_CHARS])
    kinds = [unit.kind for unit in units[:3]]
    if len(kinds) == 3 and kinds[:2] == ["agency", "colon"] and units[0].level == _NAME:
        return Agency("citation", _ids(units[:1]), method="citation")
    return None


def _bare(word: str) -> str:
    return word[1:] if len(word) > 3 and word[0] in "وف" else word


def _mention(words: Sequence[str], i: int) -> tuple[int, str, bool] | None:
    """An agency named at word i: its end, its id, and whether it is spoken to (لرويترز)."""
    said_agency = i > 0 and words[i - 1].endswith(("وكاله", "وكالات", "الانباء", "انباء"))
    for rest, agency, sure, to in _MENTIONS[words[i]]:
        if (sure or said_agency) and tuple(words[i + 1 : i + 1 + len(rest)]) == rest:
            return i + 1 + len(rest), agency, to
    return None


def _names_from(word: str) -> tuple[tuple[Key, str, bool, bool], ...]:
    """Names that a word of running text can begin: the words that must follow it, the agency,
    whether the name is sure by itself, and whether the agency is spoken to."""
    return tuple(
        (key[1:], agency, level == _NAME, to)
        for first, to in _readings(word)
        for key, agency, level in _NAMES.get(first, ())
        if agency != "agencies" and (level == _NAME or len(key) > 1 or len(key[0]) >= 3)
    )


def _readings(word: str) -> Iterable[tuple[str, bool]]:
    yield word, False
    if word in ("ل", "ول"):
        return
    if word.startswith(("لل", "ولل")):
        yield "ال" + word.split("لل", 1)[1], True
    for clitic in _CLITICS:
        if word.startswith(clitic) and len(word) > len(clitic) + 2:
            yield word[len(clitic) :], "ل" in clitic


#: Every word that can begin one, with what joins it.
_MENTIONS = {
    word: names
    for first in _NAMES
    for word in (first, *(c + first for c in _CLITICS), *(c + first[2:] for c in ("لل", "ولل")))
    if (names := _names_from(word))
}


def _by_staff(window: Sequence[str]) -> bool:
    """ "وأفاد مراسل وكالة", "شاهد من": the agency's own people stand before the name."""
    for back in range(1, 5):
        if back > len(window):
            return False
        word = window[-back]
        for reading in (word, word[1:], word[2:], word[3:]):
            if reading in _STAFF and len(word) - len(reading) in (0, 1, 2, 3):
                return word.removesuffix(reading) in ("", "و", "ف", "ل", "ب", "ال", "وال", "ول")
        if word not in _STAFF_LINK:
            return False
    return False


def _unable(window: Sequence[str]) -> bool:
    return any(w in _UNABLE for w in window) and any(w in _UNABLE_NOT for w in window)


# -- the public functions --------------------------------------------------------------------------


def read_agency(text: str, where: str) -> Agency | None:
    """What a text says of an agency, or None. `where` it stands decides what counts:

    `start` (the first paragraph): dateline, credit, then as `body`. `body`: self-reference,
    citation. `end` (the last line): credit, then as `body`. `author` (the field): a place and an
    agency are a dateline, an agency alone a credit. Raises ValueError for another `where`.
    """
    if where not in ("start", "body", "end", "author"):
        raise ValueError(f"where must be start, body, end or author, not {where!r}")
    text = text.strip()
    if where == "author":
        return _read_author(text)
    if where == "start":
        found = _read_label(text) or _read_dateline(text)
        return found or _read_body(text) or _read_headline(text)
    if where == "end":
        last = text[-4 * _HEAD_CHARS :].rsplit("\n", 1)[-1].strip()
        return _read_label(last) or _read_end(last) or _read_body(text)
    return _read_body(text)


def find_agency(blocks: Sequence[Block], author: str | None) -> Agency | None:
    """The agency that an article comes from: dateline, else credit, author, self-reference.

    Citations and "قال لرويترز" never count; self-references to several agencies cancel out.
    """
    texts = [b.text for b in blocks if b.kind != BlockKind.HEADING]
    credit: Agency | None = None
    for text in texts[:3]:
        found = _read_label(text.strip()) or _read_dateline(text.strip())
        if found and found.kind == "dateline":
            return found
        credit = credit or found
    for text in reversed(texts[-3:]):
        last = text.strip()
        found = _read_label(last) or _read_end(last)
        if found:
            return found
    if credit:
        return credit
    if author and (found := read_agency(author, "author")):
        return found
    selves = [f for b in texts if (f := _read_body(b)) and f.method == "self_reference"]
    if selves and len({f.agencies for f in selves}) == 1 and len(selves[0].agencies) == 1:
        return selves[0]
    return None
