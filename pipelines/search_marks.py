"""Where a query's words stand in a text as it was printed: counted, marked, cut out."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from pipelines.arabic import search_key
from pipelines.search_query import Words

_SNIPPET_WORDS = 32
_UNSEEN_IN_WORDS = (
    "\u00ad\u0610-\u061c\u0640\u064b-\u065f\u0670\u06d6-\u06ed\u08d3-\u08ff"
    "\u0300-\u036f\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufffd"
)
_WORD = re.compile(rf"[\w{_UNSEEN_IN_WORDS}]+")


#: Words whose keys are remembered from one search to the next, some 30 MB of them at most.
_REMEMBERED = 1 << 17
_LONG_WORD = 64


class _Keys(dict[str, tuple[str, ...]]):
    """Printed word -> its keys. Texts repeat words, and looking one up is all that most cost."""

    def __missing__(self, word: str) -> tuple[str, ...]:
        keys = tuple(search_key(word).split())
        if len(word) <= _LONG_WORD:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[word] = keys
        return keys


_KEYS = _Keys()


def keys_of(words: Iterable[str]) -> list[str]:
    """The keys of printed words, one after the other: those of the text that they are."""
    return list(chain.from_iterable(map(_KEYS.__getitem__, words)))


class _Begins(dict[str, bool]):
    """Printed word -> whether a term may begin with it. Most words of a text begin none, and cost
    no more than being looked up."""

    def __init__(self, counter: "TermCounter") -> None:
        super().__init__()
        self._counter = counter

    def __missing__(self, word: str) -> bool:
        self[word] = begins = bool(self._counter.candidates(_KEYS[word]))
        return begins


class TermCounter:
    """Finds a query's words in texts as they were printed."""

    def __init__(self, terms: Sequence[Words]) -> None:
        self.terms = list(dict.fromkeys(terms))
        self.first: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
        self.prefixes: list[tuple[str, int]] = []
        self.open: set[int] = set()  # terms whose last word goes on
        for at, term in enumerate(self.terms):
            for form in term.forms:
                for word in form.first:
                    if term.prefix and not form.rest:
                        self.prefixes.append((word, at))
                        continue
                    self.first.setdefault(word, []).append((at, form.rest))
                if term.prefix and form.rest:
                    self.open.add(at)
        # Few words begin like a prefix: the others are told by two letters.
        self.beginnings = {prefix[:2] for prefix, _ in self.prefixes}
        self._begins = _Begins(self)
        rests = [form.rest for term in self.terms for form in term.forms]
        self._longest = 1 + max(map(len, rests), default=0)

    def counts(self, said: str) -> tuple[list[int], int]:
        """How often each term stands in a text, and how many words are printed in it."""
        words = said.split()
        counted = [0] * len(self.terms)
        places = [at for at, begins in enumerate(map(self._begins.__getitem__, words)) if begins]
        for place in places:
            first = _KEYS[words[place]]
            keys: list[str] = []
            for at in range(place, len(words)):  # a sign by itself has no key
                keys += _KEYS[words[at]]
                if len(keys) >= len(first) + self._longest:
                    break
            for at in self.candidates(first):
                for term, _ in self._ends(keys, at, keys[at]):
                    counted[term] += 1
        return counted, len(words)

    def spans(self, said: str) -> list[tuple[int, int, int]]:
        """Where the terms stand: (start, end, term), in letters of the text, by start."""
        return self._spans(list(_WORD.finditer(said)))

    def _spans(self, words: list[re.Match[str]]) -> list[tuple[int, int, int]]:
        keys = keys_of(found[0] for found in words)
        candidates = self.candidates(keys)
        if len(keys) != len(words):  # a ligature may be two words
            words = [found for found in words for _ in _KEYS[found[0]]]
        return [
            (words[at].start(), words[end - 1].end(), term)
            for at in candidates
            for term, end in self._ends(keys, at, keys[at])
        ]

    def snippet(self, said: str) -> tuple[tuple[str, bool], ...]:
        """The part of a text that has most of the terms, then most hits, then is first."""
        words = list(_WORD.finditer(said))
        return _snippet(said, words, self._spans(words)) if words else ()

    def candidates(self, keys: Sequence[str]) -> list[int]:
        """Places of words with which a term may begin."""
        first, beginnings = self.first, self.beginnings
        if not beginnings:
            return [at for at, key in enumerate(keys) if key in first]
        return [at for at, key in enumerate(keys) if key in first or key[:2] in beginnings]

    def _ends(self, keys: Sequence[str], at: int, key: str) -> Iterator[tuple[int, int]]:
        """Terms that begin at a word, with the place after their last one."""
        for term, rest in self.first.get(key, ()):
            end = at + 1 + len(rest)
            if tuple(keys[at + 1 : end]) == rest:
                yield term, end
            elif term in self.open and rest and end <= len(keys):
                last = keys[end - 1]
                if tuple(keys[at + 1 : end - 1]) == rest[:-1] and last.startswith(rest[-1]):
                    yield term, end
        for prefix, term in self.prefixes:
            if key.startswith(prefix):
                yield term, at + 1


def pieces(
    said: str, spans: Iterable[tuple[int, int, int]], start: int = 0, end: int | None = None
) -> tuple[tuple[str, bool], ...]:
    """A part of a text in pieces, hits marked; what overlaps is one hit."""
    end = len(said) if end is None else end
    found: list[tuple[str, bool]] = []
    at = start
    for first, last, _ in sorted(spans):
        first, last = max(first, at), min(last, end)
        if first >= last:
            continue
        if first > at:
            found.append((said[at:first], False))
        if found and found[-1][1]:  # two hits side by side stay one
            found[-1] = (found[-1][0] + said[first:last], True)
        else:
            found.append((said[first:last], True))
        at = last
    if at < end:
        found.append((said[at:end], False))
    return tuple((piece.replace("\n", " "), hit) for piece, hit in found)


def _snippet(
    said: str, words: list[re.Match[str]], spans: list[tuple[int, int, int]]
) -> tuple[tuple[str, bool], ...]:
    starts = [found.start() for found in words]
    first = 0
    best = (-1, -1)
    hits = [(_index(starts, start), term) for start, _, term in spans]
    left = 0
    for right, (word, _) in enumerate(hits):
        while hits[left][0] <= word - _SNIPPET_WORDS + 6:
            left += 1
        inside = hits[left : right + 1]
        worth = (len({term for _, term in inside}), len(inside))
        if worth > best:
            best, first = worth, max(0, hits[left][0] - 6)
    last = min(len(words), first + _SNIPPET_WORDS)
    start = 0 if first == 0 else starts[first]
    end = len(said) if last == len(words) else words[last - 1].end()
    shown = pieces(said, spans, start, end)
    before = (("… ", False),) if start else ()
    after = ((" …", False),) if end < len(said) else ()
    return (*before, *shown, *after)


def _index(starts: list[int], start: int) -> int:
    return max(0, bisect_right(starts, start) - 1)
