"""Fingerprints that make copies equal or alike: of the text as words, and of the bytes.

Two texts are compared by their shingles, all runs of five words of the match key. What is stored
of a text finds its copies by SELECT: `index_keys` are values that copies have in common.
"""

import hashlib
import re
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import NamedTuple

from rensa import RMinHash

from pipelines.arabic import KEY_VERSION, match_key
from pipelines.document import Block

#: Raised when shingles, bands or anchors change; rensa's own version counts as well, because
#: signatures of two of its versions must never meet. A change makes `warraq db dedup` rebuild.
ALGORITHM_VERSION = 100 * 2 + RMinHash.ALGORITHM_VERSION

WORDS = 5
#: Words of a text that are looked at: far above any news article, so that time stays bounded.
_MAX_WORDS = 10_000
#: A text's beginning, in shingles: some 28 words. Half of it outlasts a dateline put before it.
OPENING = 24

# Two ways to a text's copies. Anchors, the eighth of the shingles with the lowest hashes, find
# what two texts of any length have in common: with 44 shingles shared they miss 1 pair in 360.
# (A MinHash signature would find no lead that was cut out of a long text: their Jaccard is 0.05.)
# Short texts that are alike as a whole share too few anchors: bands of a MinHash signature find
# them, 10 bands of 3 rows, which miss 1 pair in 6 at a Jaccard of 0.55 and 1 in 800 at 0.8. Of
# texts with 160 shingles copies share 80 or more, and anchors miss 1 pair in 40,000: no bands.
# Nothing shorter than that is cut out of a text as often as its lead, so that the lowest and the
# highest hash of the opening lead to it as well.
BANDS, ROWS = 10, 3
_BANDED = 160
ANCHOR_SHARE = 8
_ANCHOR_LIMIT = (1 << 64) // ANCHOR_SHARE
_SEED = 1
_SALT = f"warraq {KEY_VERSION}.{ALGORITHM_VERSION}".encode()[:16]

_DIGIT = re.compile(r"\d")
#: A longer run of letters is no word and not worth remembering.
_LONG_WORD = 40


class CopyKind(StrEnum):
    """How one text repeats another."""

    EXACT = "exact"  # the same words
    NEAR = "near"  # the same text, edited
    CONTAINS = "contains"  # the shorter text, or the better part of it, stands in the longer


class Part(StrEnum):
    """What of the longer text the shorter one holds.

    Two texts that have nothing in common can't both hold most of a third, or both its opening.
    """

    MOST = "most"  # more than half of it, its opening among it
    BODY = "body"  # more than half of it, but it begins otherwise
    OPENING = "opening"  # its opening, and no more than half of it
    PASSAGE = "passage"  # neither


@dataclass(frozen=True, slots=True)
class Copy:
    """Two texts that are copies. `jaccard` is the share of all their shingles that both have,
    `containment` the share of the shorter one's; both from 0 to 1. `part` is what the shorter
    holds of the longer, which is the second one if `second_is_longer`."""

    kind: CopyKind
    jaccard: float
    containment: float
    part: Part
    second_is_longer: bool


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of a text to compare it with others.

    `shingles`: hashes of its distinct shingles, ascending, unsigned 64 bit; `opening`: those of
    the first 24. `figures`: for each shingle with a figure the hash of the shingle with its
    figures masked, then with them; in pairs, ascending. `text_hash`: hash of the whole key, signed
    64 bit; None without words.
    """

    shingles: "array[int]"
    opening: "array[int]"
    figures: "array[int]"
    text_hash: int | None

    @cached_property
    def _shingle_set(self) -> frozenset[int]:
        return frozenset(self.shingles)

    @cached_property
    def _figure_pairs(self) -> dict[int, set[int]]:
        pairs: dict[int, set[int]] = {}
        for at in range(0, len(self.figures), 2):
            pairs.setdefault(self.figures[at], set()).add(self.figures[at + 1])
        return pairs


class Keys(NamedTuple):
    """The values, signed 64 bit, to look a text's copies up by: who shares a `certain` one is
    worth comparing, of `anchors` it takes as many as half of the shorter text has."""

    certain: list[int]
    anchors: list[int]


def content_hash(blocks: Sequence[Block]) -> str:
    """SHA-256 (hex) of the body's match key, title left out.

    Equal for copies with other spellings, digits, marks, punctuation or line breaks; stored
    with `arabic.KEY_VERSION`.
    """
    return lines_hash(block.text for block in blocks)


def lines_hash(lines: Iterable[str]) -> str:
    """The same of a text's lines, however its words are parted into lines."""
    key = " ".join(filter(None, map(match_key, lines)))
    return hashlib.sha256(key.encode()).hexdigest()


def raw_hash(body: bytes) -> str:
    """SHA-256 (hex) of the bytes as received."""
    return hashlib.sha256(body).hexdigest()


def fingerprint(text: str) -> Fingerprint:
    """The fingerprint of a body's text (title left out: outlets change it).

    Its hashes are the same on every machine and in every run of one ALGORITHM_VERSION. Of very
    long texts the first 10,000 words count. A text of fewer than five words is one shingle.
    """
    # The stages have asked for the keys of its lines; texts repeat words, whose hashes are kept.
    keys = " ".join(map(match_key, text.split("\n"))).split()
    words = [(_known_word if len(key) <= _LONG_WORD else _hashed_word)(key) for key in keys]
    packed = b"".join([hashed for hashed, _ in words])
    if not packed:
        return Fingerprint(array("Q"), array("Q"), array("Q"), None)
    whole = _signed(_hash(packed))
    packed = packed[: _MAX_WORDS * _LANE]
    marks = b"".join([marks for _, marks in words])[:_MAX_WORDS]
    shingles = _shingles(packed)
    return Fingerprint(
        _ascending(shingles),
        _ascending(shingles[:OPENING]),
        _figures(packed, marks, len(shingles)) if _FIGURE in marks else array("Q"),
        whole,
    )


# --- hashes ------------------------------------------------------------------------------------

#: A word takes so many bytes: 8 for its hash, 8 of room for what is multiplied with it.
_LANE = 16
_WORD, _FIGURE = b"\0", b"\1"


_ROOM = bytes(8)


def _digest(value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=8, person=_SALT).digest()


def _hash(value: bytes) -> int:
    return int.from_bytes(_digest(value), "little")


#: Odd, so that a hash times one is as evenly spread as the hash, and below 2**60, so that the sum
#: of five products fits into a lane.
_FACTORS = [_hash(b"factor %d" % n) >> 4 | 1 for n in range(WORDS)]
_MASK = _hash(b"figure").to_bytes(_LANE, "little")


def _hashed_word(key: str) -> tuple[bytes, bytes]:
    """The hash of a word of a match key, and whether it is a figure."""
    mark = _FIGURE if not key.isalpha() and _DIGIT.search(key) else _WORD
    return _digest(key.encode()) + _ROOM, mark


_known_word = lru_cache(maxsize=1 << 16)(_hashed_word)


def _shingles(packed: bytes) -> "array[int]":
    """The hashes of all runs of five words, in their order: the sum of the words' hashes, each
    times the factor of its place.

    Python's integers have any length: a multiplication of all words, laid side by side in one
    number, by one factor is a single operation, and thirty times as fast as hashing runs.
    """
    words = int.from_bytes(packed, "little")
    total = sum((words >> 8 * _LANE * n) * factor for n, factor in enumerate(_FACTORS))
    lanes = _numbers(total.to_bytes(len(packed), "little"))
    return lanes[: 2 * max(1, len(packed) // _LANE - WORDS + 1) : 2]


def _figures(packed: bytes, marks: bytes, windows: int) -> "array[int]":
    """For runs with figures, pairs: the hash with figures masked, the hash with them.

    Copies print one number as 0.29, 29,0 or 0,29: its parts must not depend on their order.
    """
    words = [packed[at : at + _LANE] for at in range(0, len(packed), _LANE)]
    masked, ordered = words[:], words[:]
    places: set[int] = set()
    at = marks.find(_FIGURE)
    while at >= 0:
        end = marks.find(_WORD, at)
        end = len(words) if end < 0 else end
        masked[at:end] = [_MASK] * (end - at)
        ordered[at:end] = sorted(words[at:end])
        places.update(range(max(0, at - WORDS + 1), min(end, windows)))
        at = marks.find(_FIGURE, end)
    hidden, shown = _shingles(b"".join(masked)), _shingles(b"".join(ordered))
    pairs = sorted({(hidden[place], shown[place]) for place in places})
    return array("Q", [value for pair in pairs for value in pair])


def _ascending(hashes: "array[int]") -> "array[int]":
    return array("Q", sorted(set(hashes)))


# --- what finds copies -------------------------------------------------------------------------

_END_MARKS = [_hash(b"lowest"), _hash(b"highest")]
_BAND_FACTORS = [_hash(b"row %d" % n) | 1 for n in range(ROWS + 1)]


def index_keys(prints: Sequence[Fingerprint]) -> list[Keys]:
    """For each fingerprint the values to look its copies up by."""
    banded = [found for found in prints if 0 < len(found.shingles) < _BANDED]
    hashes, ends = array("Q"), [0]
    for found in banded:
        hashes.extend(found.shingles)
        ends.append(len(hashes))
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, ends, BANDS * ROWS, _SEED)
    signatures = iter(matrix.to_rows())
    return [_keys(found, signatures) for found in prints]


def _keys(found: Fingerprint, signatures: Iterable[Sequence[int]]) -> Keys:
    if found.text_hash is None:
        return Keys([], [])
    certain = {found.text_hash}
    for end, mark in zip((found.opening[0], found.opening[-1]), _END_MARKS, strict=True):
        certain.add(_signed(end ^ mark))
    if len(found.shingles) < _BANDED:
        signature = next(iter(signatures))
        for band in range(BANDS):
            values = (band, *signature[band * ROWS : (band + 1) * ROWS])
            total = sum(map(int.__mul__, values, _BAND_FACTORS))
            certain.add(_signed(total % (1 << 64)))
    # Anchors are so low that they have no sign.
    return Keys(sorted(certain), found.shingles[: anchors(found.shingles)].tolist())


def anchors(shingles: "array[int]") -> int:
    """How many of the shingles are anchors; they come first."""
    return bisect_left(shingles, _ANCHOR_LIMIT)


# --- what is a copy ----------------------------------------------------------------------------

#: Where the measured pairs part: edited copies begin at a Jaccard of 0.55, cut ones at a
#: containment of 0.55, articles on one event by two writers end at 0.01 and 0.02.
_NEAR, _CONTAINED = 0.5, 0.5
#: A text that holds more than this share of another holds most of it.
_MOST = 0.5
#: A text that stands in the other as good as whole.
_WHOLE = 0.98
#: Fewer shared shingles are a sentence or two, which different reports may share (a quotation,
#: an explanation that always follows): then the texts must agree more.
_FEW = 20
_NEAR_FEW = 0.8
_TOO_FEW = 10
#: A template: at least this share of what the texts share stands around figures,
_AROUND_FIGURES = 0.06
#: and fewer than this share of the figures in the same words are the same.
_SAME_FIGURES = 0.5


def compare(a: Fingerprint, b: Fingerprint) -> Copy | None:
    """Whether two texts are copies, how and how much. None if they are not.

    Texts that share their words but not their figures (weather, prices, prayer times) are made
    from one template: they are not copies.
    """
    if a.text_hash is None or b.text_hash is None:
        return None
    if a.text_hash == b.text_hash:
        return Copy(CopyKind.EXACT, 1.0, 1.0, Part.MOST, second_is_longer=False)
    jaccard, containment = similarity(a, b)
    shared = round(containment * min(len(a.shingles), len(b.shingles)))
    if shared < _FEW:
        is_copy = jaccard >= _NEAR_FEW or (containment >= _WHOLE and shared >= _TOO_FEW)
    else:
        is_copy = jaccard >= _NEAR or containment >= _CONTAINED
    if not is_copy or _is_template(a, b, shared):
        return None
    near = jaccard >= _NEAR and (containment < _WHOLE or len(a.shingles) == len(b.shingles))
    # Of two texts of one length either may be called the longer, but always the same one.
    shorter, longer = sorted((a, b), key=lambda found: (len(found.shingles), found.text_hash))
    return Copy(
        CopyKind.NEAR if near else CopyKind.CONTAINS,
        jaccard,
        containment,
        _part(shorter, longer, shared),
        second_is_longer=longer is b,
    )


def _part(shorter: Fingerprint, longer: Fingerprint, shared: int) -> Part:
    held = sum(map(shorter._shingle_set.__contains__, longer.opening))
    most, opening = shared > _MOST * len(longer.shingles), held > _MOST * len(longer.opening)
    if most:
        return Part.MOST if opening else Part.BODY
    return Part.OPENING if opening else Part.PASSAGE


def similarity(a: Fingerprint, b: Fingerprint) -> tuple[float, float]:
    """Jaccard and containment of two texts' shingles, each from 0 to 1."""
    shorter, longer = sorted((a, b), key=lambda found: len(found.shingles))
    if not shorter.shingles:
        return 0.0, 0.0
    shared = len(shorter._shingle_set & longer._shingle_set)
    union = len(shorter.shingles) + len(longer.shingles) - shared
    return shared / union, shared / len(shorter.shingles)


def _is_template(a: Fingerprint, b: Fingerprint, shared: int) -> bool:
    """Looks only at places where both use the same words around a figure: a copy with other
    paragraphs, or with one figure corrected, is still a copy."""
    ours, theirs = a._figure_pairs, b._figure_pairs
    places = ours.keys() & theirs.keys()
    same = sum(not ours[place].isdisjoint(theirs[place]) for place in places)
    around = len(places) / max(1, shared - same + len(places))
    return bool(places) and same < _SAME_FIGURES * len(places) and around >= _AROUND_FIGURES


# --- as bytes ----------------------------------------------------------------------------------


def pack(values: "array[int]") -> bytes:
    """Unsigned 64-bit numbers as bytes, little-endian on every machine."""
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values.tobytes()


def unpack(packed: bytes) -> "array[int]":
    """What `pack` packed."""
    return _numbers(packed)


def _numbers(little_endian: bytes) -> "array[int]":
    values = array("Q", little_endian)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
