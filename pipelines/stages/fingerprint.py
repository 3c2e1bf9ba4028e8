"""Fingerprints that make copies equal or alike: of the text as words, and of the bytes.

Two texts are compared by their shingles, all runs of five words of the match key. What is stored
of a text finds its copies by SELECT: `index_keys` are values that copies have in common.
"""

import hashlib
import re
import sys
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from rensa import RMinHash

from pipelines.arabic import KEY_VERSION, match_key
from pipelines.document import Block

#: Raised when shingles, bands or anchors change; rensa's own version counts as well, because
#: signatures of two of its versions must never meet. A change makes `warraq db dedup` rebuild.
ALGORITHM_VERSION = 100 * 1 + RMinHash.ALGORITHM_VERSION

WORDS = 5
#: Words of a text that are looked at: far above any news article, so that time stays bounded.
_MAX_WORDS = 10_000

# Two ways to a text's copies. Bands of a MinHash signature find texts that are alike as a whole:
# 10 bands of 3 rows miss 1 pair in 6 at a Jaccard of 0.55 and 1 in 800 at 0.8. Anchors, the
# eighth of the shingles with the lowest hashes, find what two texts of any length have in common:
# with 44 shingles shared they miss 1 pair in 360. A longer signature would find no lead that was
# cut out of a long text: their Jaccard is 0.05.
BANDS, ROWS = 10, 3
ANCHOR_SHARE = 8
_ANCHOR_LIMIT = (1 << 64) // ANCHOR_SHARE
_SEED = 1
_SALT = f"warraq {KEY_VERSION}.{ALGORITHM_VERSION}".encode()[:16]

_DIGIT = re.compile(r"\d")
_MASK = "\n"  # stands in no key


class CopyKind(StrEnum):
    """How one text repeats another."""

    EXACT = "exact"  # the same words
    NEAR = "near"  # the same text, edited
    CONTAINS = "contains"  # the shorter text, or the better part of it, stands in the longer


@dataclass(frozen=True, slots=True)
class Copy:
    """Two texts that are copies. `jaccard` is the share of all their shingles that both have,
    `containment` the share of the shorter one's; both from 0 to 1."""

    kind: CopyKind
    jaccard: float
    containment: float


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of a text to compare it with others.

    `shingles`: hashes of its distinct shingles, ascending, unsigned 64 bit. `figures`: for each
    shingle with a figure the hash of the shingle with its figures masked, then with them; in
    pairs, ascending. `text_hash`: hash of the whole key, signed 64 bit; None without words.
    """

    shingles: "array[int]"
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


def content_hash(blocks: Sequence[Block]) -> str:
    """SHA-256 (hex) of the body's match key, title left out.

    Equal for copies with other spellings, digits, marks, punctuation or line breaks; stored
    with `arabic.KEY_VERSION`.
    """
    key = " ".join(filter(None, (match_key(block.text) for block in blocks)))
    return hashlib.sha256(key.encode()).hexdigest()


def raw_hash(body: bytes) -> str:
    """SHA-256 (hex) of the bytes as received."""
    return hashlib.sha256(body).hexdigest()


def fingerprint(text: str) -> Fingerprint:
    """The fingerprint of a body's text (title left out: outlets change it).

    Its hashes are the same on every machine and in every run of one ALGORITHM_VERSION. Of very
    long texts the first 10,000 words count. A text of fewer than five words is one shingle.
    """
    key = match_key(text)
    words = key.split(" ", _MAX_WORDS)[:_MAX_WORDS] if key else []
    if not words:
        return Fingerprint(array("Q"), array("Q"), None)
    windows = range(max(1, len(words) - WORDS + 1))
    shingles = {_hash(" ".join(words[at : at + WORDS])) for at in windows}
    figures: set[tuple[int, int]] = set()
    if _DIGIT.search(key):
        masked, ordered = _figures_apart(words)
        figures = {
            (_hash(" ".join(hidden)), _hash(" ".join(ordered[at : at + WORDS])))
            for at in windows
            if _MASK in (hidden := masked[at : at + WORDS])
        }
    return Fingerprint(
        array("Q", sorted(shingles)),
        array("Q", [value for pair in sorted(figures) for value in pair]),
        _signed(_hash(f"\n{key}")),
    )


def _figures_apart(words: list[str]) -> tuple[list[str], list[str]]:
    """The words with figures masked, and with figures that follow one another in order of size.

    Copies print one number as 0.29, 29,0 or 0,29: its parts must not depend on their order.
    """
    masked, ordered = words[:], words[:]
    at = 0
    while at < len(words):
        end = at
        while end < len(words) and _DIGIT.search(words[end]):
            end += 1
        masked[at:end] = [_MASK] * (end - at)
        ordered[at:end] = sorted(words[at:end])
        at = end + 1
    return masked, ordered


def index_keys(prints: Sequence[Fingerprint]) -> list[dict[int, int]]:
    """For each fingerprint the values to look its copies up by, each with the way it leads.

    Values are signed 64-bit numbers. Ways: 0 to BANDS - 1 a band of the MinHash signature, BANDS
    an anchor, BANDS + 1 the whole text.
    """
    signatures = RMinHash.digest_matrix_from_token_hash_sets(
        [list(found.shingles) for found in prints], BANDS * ROWS, _SEED
    ).to_rows()
    return [_keys(found, row) for found, row in zip(prints, signatures, strict=True)]


def _keys(found: Fingerprint, signature: Sequence[int]) -> dict[int, int]:
    if found.text_hash is None:
        return {}
    keys = {_signed(value): BANDS for value in found.shingles[: anchors(found.shingles)]}
    for band in range(BANDS):
        rows = signature[band * ROWS : (band + 1) * ROWS]
        keys[_signed(_hash(f"\n{band} {' '.join(map(str, rows))}"))] = band
    keys[found.text_hash] = BANDS + 1
    return keys


def anchors(shingles: "array[int]") -> int:
    """How many of the shingles are anchors; they come first."""
    return bisect_left(shingles, _ANCHOR_LIMIT)


# --- what is a copy ----------------------------------------------------------------------------

#: Where the measured pairs part: edited copies begin at a Jaccard of 0.55, cut ones at a
#: containment of 0.55, articles on one event by two writers end at 0.01 and 0.02.
_NEAR, _CONTAINED = 0.5, 0.5
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
        return Copy(CopyKind.EXACT, 1.0, 1.0)
    jaccard, containment = similarity(a, b)
    shared = round(containment * min(len(a.shingles), len(b.shingles)))
    if shared < _FEW:
        is_copy = jaccard >= _NEAR_FEW or (containment >= _WHOLE and shared >= _TOO_FEW)
    else:
        is_copy = jaccard >= _NEAR or containment >= _CONTAINED
    if not is_copy or _is_template(a, b, shared):
        return None
    near = jaccard >= _NEAR and (containment < _WHOLE or len(a.shingles) == len(b.shingles))
    return Copy(CopyKind.NEAR if near else CopyKind.CONTAINS, jaccard, containment)


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
    values = array("Q", packed)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode(), digest_size=8, person=_SALT).digest()
    return int.from_bytes(digest, "little")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
