"""The words of an article as the search index takes them, on either database."""

from collections.abc import Sequence
from typing import NamedTuple

from pipelines.arabic import search_line_key
from pipelines.search_query import MAX_WORD

#: Words of an article that are indexed, and their bytes: PostgreSQL numbers no more places and
#: holds no larger vectors. No news article is that long.
_MAX_WORDS = 16_000
_MAX_BYTES = 800_000
_MAX_PLACES = 255
_GAP = 10


class Indexed(NamedTuple):
    title: list[str]
    deck: list[str]
    body: list[str]
    facts: list[str]


def facts_column(title: str, facts: Sequence[str]) -> str:
    """The facts as FTS5 has them, with the words of the title once more, behind @: a search in
    titles need not look at the places of a common word."""
    return " ".join((*(f"@{key}" for key in title.split()), *facts))


def indexed_words(
    title: str | None, deck: str | None, body: str
) -> tuple[list[str], list[str], list[str]]:
    """The keys of an article that are indexed: of title, deck and body."""
    left, room = _MAX_WORDS, _MAX_BYTES
    parts: list[list[str]] = []
    for part in (title, deck, body):
        keys = [key for key in _keys(part or "")[:left] if len(key) <= MAX_WORD]
        size = sum(map(len, keys)) * 4  # bytes at most: looked at closely only where it matters
        if size > room:
            kept, size = 0, 0
            while kept < len(keys) and size + len(keys[kept].encode()) <= room:
                size += len(keys[kept].encode())
                kept += 1
            keys = keys[:kept]
        left -= len(keys)
        room -= min(size, room)
        parts.append(keys)
    return parts[0], parts[1], parts[2]


def _keys(text: str) -> list[str]:
    """`search_key` as words."""
    keys: list[str] = []
    for line in text.split("\n"):
        keys += search_line_key(line).split()
    return keys


def vector(indexed: Indexed) -> str:
    """Words and facts as PostgreSQL writes a tsvector. Words of the title stand there twice, the
    second time behind @: they are found without a look at the vector."""
    places: dict[str, list[int]] = {}
    place = 0
    for name, keys in zip(Indexed._fields, indexed, strict=True):
        place += _GAP
        for place, key in enumerate(keys, place + 1):  # noqa: B020
            found = places.setdefault(key, [])
            if len(found) < _MAX_PLACES and name != "facts":
                found.append(place)
            if name == "title":
                places.setdefault(f"@{key}", []).append(place)
    return " ".join(
        lexeme(key) + (":" + ",".join(map(str, found[:_MAX_PLACES])) if found else "")
        for key, found in places.items()
    )


def lexeme(key: str) -> str:
    return "'" + key.replace("\\", "\\\\").replace("'", "''") + "'"
