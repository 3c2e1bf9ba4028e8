"""What was changed between two texts: word by word, and counted in sentences."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from pipelines.arabic import match_key, word_key


class Change(StrEnum):
    EQUAL = "equal"
    DELETE = "delete"
    INSERT = "insert"


@dataclass(frozen=True, slots=True)
class Piece:
    """Words in a row with one fate; `text` has them as printed, "\\n" between lines."""

    change: Change
    text: str


@dataclass(frozen=True, slots=True)
class SentenceChanges:
    """Sentences of one text that another lacks, has besides, or has in other words."""

    added: int
    removed: int
    altered: int


#: Matching takes the product of both lengths at worst. Beyond this many pairs a stretch counts as
#: replaced: real versions of one article have lines in common, which part it into short stretches.
_PAIRS = 4_000_000
_SENTENCE_END = re.compile(r"(?<=[.!?؟…۔])\s+|\n+")
_ALTERED = 0.5


def word_changes(old: str, new: str, *, folded: bool = False) -> list[Piece]:
    """The way from `old` to `new` in words. With `folded` words that differ only in spelling,
    digits' script or punctuation are equal, and printed as in `new`."""
    pieces: list[tuple[Change, list[str]]] = []
    a_lines, b_lines = old.split("\n"), new.split("\n")
    for tag, a1, a2, b1, b2 in _opcodes(_keys(a_lines, folded), _keys(b_lines, folded)):
        a, b = _tokens(a_lines[a1:a2]), _tokens(b_lines[b1:b2])
        if tag == "equal":
            pieces.append((Change.EQUAL, b))
            continue
        for kind, i1, i2, j1, j2 in _opcodes(_words(a, folded), _words(b, folded)):
            if kind == "equal":
                pieces.append((Change.EQUAL, b[j1:j2]))
            else:
                pieces.append((Change.DELETE, a[i1:i2]))
                pieces.append((Change.INSERT, b[j1:j2]))
    joined: list[tuple[Change, list[str]]] = []
    for change, words in pieces:
        if not words:
            continue
        if joined and joined[-1][0] is change:
            joined[-1][1].extend(words)
        else:
            joined.append((change, list(words)))
    told = [Piece(change, _text(words)) for change, words in joined]
    if told:  # both texts end in a line break of ours
        told[-1] = Piece(told[-1].change, told[-1].text.removesuffix("\n"))
    return [piece for piece in told if piece.text]


def sentence_changes(old: str, new: str) -> SentenceChanges:
    """How many sentences `new` adds, leaves out or words differently; spelling does not count."""
    return changes_between(sentences(old), sentences(new))


def changes_between(a: Sequence[str], b: Sequence[str]) -> SentenceChanges:
    """The same of texts that were parted by `sentences` before."""
    added = removed = altered = 0
    for tag, a1, a2, b1, b2 in _opcodes(a, b):
        if tag == "equal":
            continue
        left = list(a[a1:a2])
        for sentence in b[b1:b2]:
            at = _like(sentence, left)
            if at is None:
                added += 1
            else:
                altered += 1
                del left[at]
        removed += len(left)
    return SentenceChanges(added, removed, altered)


def _like(sentence: str, others: Sequence[str]) -> int | None:
    words = set(sentence.split())
    for at, other in enumerate(others[:50]):
        theirs = set(other.split())
        if len(words & theirs) >= _ALTERED * max(len(words), len(theirs)):
            return at
    return None


def sentences(said: str) -> list[str]:
    """The match keys of a text's sentences."""
    return [key for part in _SENTENCE_END.split(said) if (key := match_key(part))]


def _opcodes(a: Sequence[str], b: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    if len(a) * len(b) > _PAIRS and a != b:
        return [("replace", 0, len(a), 0, len(b))]
    return list(SequenceMatcher(None, a, b).get_opcodes())


def _keys(lines: Sequence[str], folded: bool) -> list[str]:
    return [match_key(line) for line in lines] if folded else list(lines)


def _words(tokens: Sequence[str], folded: bool) -> list[str]:
    return [word_key(token) or token for token in tokens] if folded else list(tokens)


def _tokens(lines: Sequence[str]) -> list[str]:
    return [token for line in lines for token in (*line.split(), "\n")]


def _text(tokens: Sequence[str]) -> str:
    return re.sub(" ?\n ?", "\n", " ".join(tokens))
