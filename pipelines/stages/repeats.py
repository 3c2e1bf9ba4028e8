"""What a source's pages repeat: the lines of one page that could be furniture, and the rule that
decides from many pages whether they are.

Everything here is a function of what pages say and of nothing else: which lines were known when a
page arrived changes neither its candidates nor its hash, so the order of pages does not matter.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache

from pipelines.arabic import match_key
from pipelines.document import ArticleDate, Block, BlockKind, Candidate, Place
from pipelines.stages.agency import read_agency
from pipelines.stages.furniture import Action, judge_line

#: Furniture is short: a longer line is no candidate (words, characters).
_LINE_WORDS = 30
_LINE_CHARACTERS = 300
#: Candidates of a page, for each place. The bottom holds most of the furniture.
_MOST = {Place.TOP: 8, Place.BETWEEN: 8, Place.BOTTOM: 16}
#: A line that ends with a full stop and has this many words is a sentence of an article.
_SENTENCE_WORDS = 8

#: A line is applied without asking if so many distinct articles have it, ...
LEAST_PAGES = 4
#: ... if the 95 % lower bound (Wilson) of its share of the articles of its time is above this ...
LEAST_SHARE = 0.5
#: ... and if this share of its occurrences stands before the first or after the last paragraph.
LEAST_AT_EDGE = 0.9
#: A line of fewer distinct articles is not even proposed.
LEAST_PROPOSED = 3


class State(StrEnum):
    """What becomes of a line that a source repeats."""

    PROPOSED = "proposed"  # repeated, but not surely furniture: a person decides
    APPLIED = "applied"  # surely furniture: taken out
    PROTECTED = "protected"  # belongs to stories: stays
    APPROVED = "approved"  # a person said: furniture
    REFUSED = "refused"  # a person said: none


#: Lines in these states are taken out.
ACTIVE = frozenset((State.APPLIED, State.APPROVED))
#: These were decided by a person, and counting does not change them.
DECIDED = frozenset((State.APPROVED, State.REFUSED))


@dataclass(frozen=True, slots=True)
class Seen:
    """How often a line was seen: distinct articles with it at each place, and `of`, the number of
    the source's sampled articles from its first appearance to its last."""

    top: int
    between: int
    bottom: int
    of: int

    @property
    def pages(self) -> int:
        return self.top + self.between + self.bottom


def find_candidates(blocks: Sequence[Block]) -> tuple[Candidate, ...]:
    """The short lines of a page, each once, with the place where they stand.

    `blocks` are free of the furniture that the lexicon knows. Bounded: of each place the nearest
    to the page's edge, between the paragraphs the shortest.
    """
    long = [at for at, block in enumerate(blocks) if _is_text(block)]
    first, last = (long[0], long[-1]) if long else (len(blocks), -1)
    found: dict[str, tuple[int, str, Place]] = {}
    for at, block in enumerate(blocks):
        if len(block.text) > _LINE_CHARACTERS or len(block.text.split()) > _LINE_WORDS:
            continue
        key = match_key(block.text)
        if not long:
            place = Place.BETWEEN  # without a paragraph, no edge can be told
        else:
            place = Place.TOP if at < first else Place.BOTTOM if at > last else Place.BETWEEN
        if key in found and found[key][2] is not place:
            place = Place.BETWEEN
        if key:
            found[key] = (at, block.text, place)
    by_place: dict[Place, list[tuple[int, str, str]]] = {place: [] for place in Place}
    for key, (at, text, place) in found.items():
        by_place[place].append((at, key, text))
    by_place[Place.BOTTOM].reverse()
    by_place[Place.BETWEEN].sort(key=lambda line: len(line[1]))
    kept = [
        (at, Candidate(key, text, place))
        for place, lines in by_place.items()
        for at, key, text in lines[: _MOST[place]]
    ]
    return tuple(candidate for _, candidate in sorted(kept, key=lambda pair: pair[0]))


def page_hash(blocks: Sequence[Block]) -> str:
    """A hash (16 hex digits) that the same article has each time that a source publishes it: of its
    paragraphs alone, whatever stands around them."""
    said = [block.text for block in blocks if _is_text(block)] or [block.text for block in blocks]
    return line_hash(" ".join(map(match_key, said)))


def line_hash(key: str) -> str:
    """The name of a line (16 hex digits): the head of the SHA-256 of its match key."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def judge(text: str, seen: Seen) -> tuple[State, str] | None:
    """What to do with a line, and why in words; None if it is not repeated enough to ask."""
    if seen.pages < LEAST_PROPOSED:
        return None
    if protection := protected(text):
        return State.PROTECTED, protection
    at_edge = (seen.top + seen.bottom) / seen.pages
    if at_edge < LEAST_AT_EDGE:
        return State.PROTECTED, f"stands between paragraphs in {1 - at_edge:.0%} of its articles"
    share = lower_bound(seen.pages, seen.of)
    told = f"in {seen.pages} of {seen.of} articles, at least {share:.0%} of all"
    if seen.pages >= LEAST_PAGES and share > LEAST_SHARE:
        return State.APPLIED, told
    return State.PROPOSED, told


@lru_cache(maxsize=4096)
def protected(text: str) -> str | None:
    """Why a line belongs to stories whatever its count; None if its wording does not tell."""
    if judge_line(text, "any").action is Action.KEEP_METADATA:
        return "tells something of the article"
    if any(read_agency(text, where) for where in ("start", "body", "end")):
        return "names a news agency"
    if _is_sentence(text) and "©" not in text:
        return "is a whole sentence"
    return None


def seen_on(published: ArticleDate | None, fetched_at: datetime | None) -> date | None:
    """The day of an article: of publication where that is stated, else of the fetch."""
    if published and len(published.iso) >= len("2020-09-27"):
        return date.fromisoformat(published.iso[:10])
    return fetched_at.date() if fetched_at else None


def month_of(published: ArticleDate | None, fetched_at: datetime | None) -> str:
    """The month in whose sample an article is: "2020-09", or "" where nothing tells."""
    day = seen_on(published, fetched_at)
    return day.isoformat()[:7] if day else ""


def lower_bound(hits: int, of: int) -> float:
    """Wilson's 95 % lower bound of a share."""
    if of <= 0:
        return 0.0
    z, share = 1.96, min(1.0, hits / of)
    spread = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (share + z * z / (2 * of) - spread) / (1 + z * z / of)


def _is_text(block: Block) -> bool:
    """Whether a block is surely the article's: a sentence or a long paragraph."""
    return block.kind is not BlockKind.HEADING and (
        _is_sentence(block.text)
        or len(block.text.split()) > _LINE_WORDS
        or len(block.text) > _LINE_CHARACTERS
    )


def _is_sentence(text: str) -> bool:
    count = len(text.split())
    return count >= 25 or (count >= _SENTENCE_WORDS and text.rstrip(_AFTER).endswith((".", "۔")))


_AFTER = " \t\"'»”’)]"
