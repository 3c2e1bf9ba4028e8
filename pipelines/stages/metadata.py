"""Title, deck, author and date lines: from what the page states and from where lines stand.

The lines before the first paragraph of prose are the head. What is title, echo, date line,
by-line or deck among them leaves the text for its field, and is noted as removed with a rule.
The title, in this order: stated from outside; a heading that another statement confirms;
JSON-LD, OpenGraph, a lone heading, the <title> element; the first line of plain text, if it
reads like a headline.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from pipelines.arabic import clean_line, match_key
from pipelines.document import Block, BlockKind, RemovedLine, Stated
from pipelines.stages import date_lines
from pipelines.stages.choose_date import DateCandidate
from pipelines.stages.dates import FoundDate
from pipelines.stages.extract import Extracted, is_prose
from pipelines.stages.furniture import judge_line
from pipelines.stages.head import HeadLine, agrees
from pipelines.stages.structured import Structured

Line = tuple[int, Block]  # a block and its place on the page
#: The place of a line that stands above the extracted ones.
_ABOVE = -1

_TITLE_WORDS = 30
_TITLE_CHARACTERS = 200
_TITLE_LEAST = 4
_SITE_WORDS = 6
#: What parts the names of outlets and agencies.
_NAMES = re.compile(r"\s*[/|+،,()\[\]]\s*|\s+[-–—]\s+")
_CUT = ("...", "…")
#: Within so many lines from the top a head ends, prose or not.
_HEAD_LINES = 12
_DECK_LEAST_WORDS = 6
_LABEL_WORDS = 4
#: A name, a place or a kicker in the head has no more words, a line of them so many characters.
_HEAD_WORDS = 5
_LINE_CHARACTERS = 200
#: A year and a time of day, in whatever language, in a line of so many words.
_DATED = re.compile(r"\b(?:19|20)\d\d\b.*\b\d{1,2}[:.]\d\d\b")
_DATED_WORDS = 12
#: A link of fewer words is a button or a name.
_LINK_WORDS = 4
#: A summary has two to so many points, each of so many words.
_MOST_POINTS = 8
_POINT_WORDS = 7
#: Nobody writes so long a paragraph twice in one article.
_REPEATED_WORDS = 20
_TAIL_LINES = 15
_DECK_WORDS = 70
#: Share of the deck's words that the first paragraph repeats (measured: decks 0.58 and more,
#: first against second paragraphs below 0.4).
_DECK_OVERLAP = 0.5
_SUFFIX = re.compile(r"\s+(?:[-–—|•:]|::|»|«)\s+")


@dataclass(frozen=True, slots=True)
class Settled:
    title: str | None
    title_method: str | None
    deck: str | None
    author: str | None
    site_name: str | None
    lines: tuple[Line, ...]
    removed: tuple[RemovedLine, ...]
    dates: tuple[DateCandidate, ...]


def settle(
    lines: Sequence[Line], page: Extracted, stated: Stated, marks: Collection[int] = ()
) -> Settled:
    """Tells the head of an article from its body.

    `lines` hold no furniture any more; `marks` are the places of date lines and by-lines that
    furniture removal found.
    """
    structured, is_html = page.structured, page.is_html
    stated = _cleaned(stated)
    title, method = _stated_title(structured, stated)
    if page.selected.title:
        title, method = page.selected.title, "selector"
    rest = list(lines)
    removed: list[RemovedLine] = []
    if title is None and not is_html and rest and _reads_like_title(rest):
        _, block = rest.pop(0)
        title, method = block.text, "first_line"
    elif title is not None and method in ("title_element", "meta") and rest:
        title = _shortened_by_text(title, rest)
    dates: list[DateCandidate] = []
    keywords = {match_key(tag) for tag in structured.tags}
    titles = {match_key(text) for text, _ in structured.titles}
    if title is not None:
        titles |= {match_key(title)}
    titles.discard("")

    def drop(at: int, rule: str) -> Block:
        position, block = rest.pop(at)
        removed.append(RemovedLine(position, block.text, rule))
        return block

    echo = -1
    at = 0
    while at < min(len(rest), _HEAD_LINES):
        block = rest[at][1]
        key = match_key(block.text)
        if key in titles:
            echo = rest[at][0]
            drop(at, "title.echo")
        elif read_date_line(block.text):
            dates.append(date_line_candidate(block.text))
            drop(at, "date.line")
        elif key in keywords and not is_prose(block.text):
            drop(at, "tags")
        elif is_prose(block.text) and at > 0:
            break  # the first line may be a deck, with the date line below it
        else:
            at += 1
    for at in _around_title(rest, echo, page.head):
        gone = drop(at, "head.line").text
        if dateline := date_lines.read_dateline_date(gone):
            dates.append(DateCandidate(dateline.raw, "dateline", "published"))
    if _is_own_credit(rest, structured.site_name):
        drop(len(rest) - 1, "credit.own")
    # An echo below its head, and tags after the text, stand between or behind paragraphs.
    for at in range(len(rest) - 1, -1, -1):
        block = rest[at][1]
        key = match_key(block.text)
        if key in titles and (block.kind is BlockKind.HEADING or len(key.split()) > 3):
            drop(at, "title.echo")
        elif block.kind is BlockKind.LIST and key in keywords:
            drop(at, "tags")
    # A row of labels before the text holds the tags, and often stands again behind it.
    row = _labels(rest)
    labels = {match_key(block.text) for _, block in row}
    again = _labels_again(rest, labels)
    for at in range(len(rest) - 1, -1, -1):
        if at < len(row) or at in again:
            drop(at, "tags.row")
    for at in _told_before(rest):
        drop(at, "repeated")
    above = {*marks, *(line.position for line in removed if line.rule == "date.line")}
    for at in _lone_links(rest, page.linked):
        drop(at, "related.link")
    shown = {match_key(block.text) for _, block in rest}
    prose = [block.text for _, block in rest[:_HEAD_LINES] if is_prose(block.text)]
    deck = _marked_deck(page, titles, prose[:2])
    if deck is None and (missed := _missed_lead(page, titles, shown)):
        rest.insert(0, (_ABOVE, Block(BlockKind.PARAGRAPH, missed)))
    rest[:0] = [(_ABOVE, Block(BlockKind.LIST, point)) for point in _missed_points(page, shown)]
    if deck is not None:
        key = match_key(deck)
        for at in range(min(len(rest), _HEAD_LINES) - 1, -1, -1):
            if match_key(rest[at][1].text) == key:
                drop(at, "deck")
    elif title is not None and (at_deck := _deck_place(rest, above)) is not None:
        deck = drop(at_deck, "deck").text
    author = None
    day = ""
    timed = any(":" in stated.text for stated in structured.dates)
    for line in page.head:
        for part in _PARTS.split(line.text):
            if read_date_line(part):
                dates.append(date_line_candidate(part))
                day = part
            elif day and not timed and _CLOCK.fullmatch(part) and read_date_line(f"{day} {part}"):
                dates.append(date_line_candidate(f"{day} {part}"))
            elif author is None:
                author = _by_line(part, line.hint)
    return Settled(
        title=title,
        title_method=method,
        deck=deck,
        author=page.selected.author or stated.author or _without_site_name(structured) or author,
        site_name=structured.site_name or _site_of_title(structured),
        lines=tuple(rest),
        removed=tuple(removed),
        dates=tuple(dict.fromkeys(dates)),
    )


@lru_cache(maxsize=256)
def read_date_line(line: str) -> FoundDate | None:
    """`date_lines.read_date_line`, remembered: a line of the head is asked for several times."""
    return date_lines.read_date_line(line)


def date_line_candidate(line: str) -> DateCandidate:
    """A printed date line as a statement: of the change if its label says so."""
    found = read_date_line(line)
    modified = found is not None and found.role == "modified"
    return DateCandidate(line, "date_line", "modified" if modified else "published")


def _around_title(rest: Sequence[Line], echo: int, head: Sequence[HeadLine]) -> list[int]:
    """Places (last first) of short lines at the top that are of the head: they stand above the
    title, whose place is `echo`, or between it and the date, or are dates and names run together.
    """
    keys = [match_key(line.text) for line in head]
    dated = max((n for n, line in enumerate(head) if _tells_date(line)), default=-1)
    above_date = set(keys[:dated])
    pieces = {
        "".join(key.split())
        for key, line in zip(keys, head, strict=True)
        if line.hint in ("author", "date") or _tells_date(line) or _is_furniture(line.text)
    } - {""}
    places = []
    for at, (position, block) in enumerate(rest[:_HEAD_LINES]):
        if is_prose(block.text) or block.kind is BlockKind.TABLE:
            break
        key = match_key(block.text)
        few = len(key.split()) <= _HEAD_WORDS
        if (
            few and (position < echo or (key in above_date and block.kind is BlockKind.PARAGRAPH))
        ) or _is_made_of("".join(key.split()), pieces):
            places.append(at)
    return places[::-1] if len(places) < len(rest) else []


def _is_own_credit(rest: Sequence[Line], site: str | None) -> bool:
    """Whether the last line names the outlet itself, alone or beside agencies."""
    names = {match_key(part) for part in _NAMES.split(site or "")} - {""}
    last = rest[-1][1].text if len(rest) > 1 else ""
    parts = [part for part in _NAMES.split(last) if match_key(part)]
    others = [part for part in parts if match_key(part) not in names]
    return len(others) < len(parts) and all(
        judge_line(part, "bottom").rule.startswith("credit.") for part in others
    )


def _tells_date(line: HeadLine) -> bool:
    if line.hint == "date" or read_date_line(line.text) is not None:
        return True
    return len(line.text.split()) <= _DATED_WORDS and _DATED.search(line.text) is not None


def _is_furniture(text: str) -> bool:
    return judge_line(text, "top").action != "keep"


def _is_made_of(text: str, pieces: Collection[str]) -> bool:
    """Whether a text is nothing but pieces, one behind the other."""
    reached = {0}
    for end in range(1, min(len(text), _LINE_CHARACTERS) + 1):
        if any(
            start in reached
            for piece in pieces
            if text.endswith(piece, 0, end)
            for start in (end - len(piece),)
        ):
            reached.add(end)
    return bool(text) and len(text) in reached


def _lone_links(rest: Sequence[Line], links: Collection[str]) -> list[int]:
    """Places (last first) of paragraphs that are one link and no sentence: related headlines.

    Where half of the text is links, they are the text: a press review, say.
    """
    linked = [
        at
        for at, (_, block) in enumerate(rest)
        if block.kind is BlockKind.PARAGRAPH
        and not is_prose(block.text)
        and len((key := match_key(block.text)).split()) >= _LINK_WORDS
        and key in links
    ]
    length = sum(len(rest[at][1].text) for at in linked)
    whole = sum(len(block.text) for _, block in rest)
    return linked[::-1] if 2 * length < whole else []


def _labels(rest: Sequence[Line]) -> Sequence[Line]:
    """Two or more list items of a few words that the text begins with: a row of tags."""
    at = 0
    while at < len(rest):
        block = rest[at][1]
        short = len(block.text.split()) <= _LABEL_WORDS and not is_prose(block.text)
        if block.kind is not BlockKind.LIST or not short:
            break
        at += 1
    return rest[:at] if 2 <= at < len(rest) else ()


def _labels_again(rest: Sequence[Line], labels: Collection[str]) -> frozenset[int]:
    """Places of the labels behind the text, with what stands in one row with two of them."""
    tail = range(max(0, len(rest) - _TAIL_LINES), len(rest))
    items = [at for at in tail if rest[at][1].kind is BlockKind.LIST]
    found = {at for at in items if match_key(rest[at][1].text) in labels}
    last = [at for at in items if all(later in items for later in range(at, len(rest)))]
    if len(found.intersection(last)) >= 2:
        found.update(at for at in last if len(rest[at][1].text.split()) <= _LABEL_WORDS)
    return frozenset(found)


def _told_before(rest: Sequence[Line]) -> list[int]:
    """Places (last first) of paragraphs that stand word for word above: the page shows them in a
    box, or loads its end twice. Short ones may be meant: a chant, an answer."""
    seen: set[str] = set()
    places = []
    for at, (_, block) in enumerate(rest):
        key = match_key(block.text) if block.kind is BlockKind.PARAGRAPH else ""
        if len(key.split()) < _REPEATED_WORDS:
            continue
        if key in seen:
            places.append(at)
        seen.add(key)
    return places[::-1]


# --- title -----------------------------------------------------------------------------------


def _cleaned(stated: Stated) -> Stated:
    """Feeds and files may hold what no line of a page does any more: direction controls, breaks."""
    title = clean_line(stated.title) if stated.title else None
    author = clean_line(stated.author) if stated.author else None
    return replace(stated, title=title or None, author=author or None)


def _stated_title(structured: Structured, stated: Stated) -> tuple[str | None, str | None]:
    if stated.title:
        return stated.title, "stated"
    site = match_key(structured.site_name or _site_of_title(structured) or "")
    candidates = [
        (title, where)
        for text, where in structured.titles
        for title in _without_site(text, where, site)
        # Some pages give every title tag the name of the site.
        if match_key(title) != site
    ]
    whole = [match_key(text) for text, _ in candidates if not text.endswith(_CUT)]
    candidates = [
        (text, where)
        for text, where in candidates
        if not text.endswith(_CUT) or not any(k.startswith(match_key(text)) for k in whole)
    ]
    for number, (text, where) in enumerate(candidates):
        key = match_key(text)
        others = candidates[:number] + candidates[number + 1 :]
        # A statement may be cut short or carry the site's name, a heading the kicker above it.
        if key and any(agrees(match_key(o), key) for o, w in others if w != where):
            return text, where
    for wanted in ("json_ld", "meta", "h1", "title_element"):
        for text, where in candidates:
            if where == wanted and match_key(text):
                return text, where
    return None, None


def _without_site(text: str, where: str, site: str) -> Iterator[str]:
    """A title without " - Name of the site" behind or before it; where the name is not known,
    first without what stands behind a bar, then as it is."""
    parts = _SUFFIX.split(text)
    if len(parts) > 1 and site:
        last, first = match_key(parts[-1]), match_key(parts[0])
        if last == site or (last and (last in site or site in last) and len(last.split()) <= 4):
            yield text[: text.rindex(parts[-1])].rstrip(" -–—|•:»«")
            return
        if first == site:
            yield text[len(parts[0]) :].lstrip(" -–—|•:»«")
            return
    if where != "h1":
        head, _, tail = text.rpartition(" | " if " | " in text else " :: ")
        if len(head.split()) >= _TITLE_LEAST and len(tail.split()) <= _SITE_WORDS:
            yield head.strip()
    yield text


def _site_of_title(structured: Structured) -> str | None:
    """What the <title> element adds to the title: "Title - Name of the site", or "Name: Title"
    where the one heading of the page is the name."""
    whole = next((text for text, where in structured.titles if where == "title_element"), "")
    parts = _SUFFIX.split(whole)
    others = {match_key(text) for text, where in structured.titles if where != "title_element"}
    if len(parts) == 2 and match_key(parts[0]) in others and len(parts[1].split()) <= _SITE_WORDS:
        return parts[1]
    key = match_key(whole)
    for text, where in structured.titles:
        name = match_key(text)
        rest = key.removeprefix(name).strip()
        alone = where == "h1" and len(name.split()) <= _SITE_WORDS and key.startswith(name + " ")
        if alone and (rest in others or (len(parts) == 2 and match_key(parts[0]) == name)):
            return text
    return None


def _shortened_by_text(title: str, rest: Sequence[Line]) -> str:
    """<title> often carries more than the title: a line of the head that begins it, or that is all
    of it behind the name of the site, is enough."""
    key = match_key(title)
    for _, block in rest[:_HEAD_LINES]:
        line = match_key(block.text)
        if len(line.split()) > 2 and agrees(key, line):
            return block.text
    return title


def _reads_like_title(rest: Sequence[Line]) -> bool:
    """Whether plain text begins with a headline: short, not a sentence, and prose follows."""
    first = rest[0][1].text
    words = first.split()
    if len(words) < 2 or len(words) > _TITLE_WORDS or len(first) > _TITLE_CHARACTERS:
        return False
    following = [block.text for _, block in rest[1:]]
    if not following:
        return False
    key = match_key(first)
    if any(match_key(text) == key for text in following[:_HEAD_LINES]):
        return True
    cut_short = first.endswith(("...", "…"))
    if (first.endswith((".", "،", ",", "؛", ":", "۔")) and not cut_short) or read_date_line(first):
        return False
    return any(is_prose(text) and len(text) > len(first) for text in following[:_HEAD_LINES])


# --- author ---------------------------------------------------------------------------------

#: What parts by-line and date on one line.
_PARTS = re.compile(r"\s*[|•·–—]\s*|\s{3,}")
#: A time of day that stands apart from its date.
_CLOCK = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?(?: ?(?:ص|م|صباحا|مساء|am|pm|AM|PM))?")
_NAME_WORDS = 6
_NAME_CHARACTERS = 60


def _by_line(text: str, hint: str | None) -> str | None:
    """The name in a line that says who wrote it, by its words or by its markup."""
    first, _, rest = text.partition(" ")
    named = text if ":" in text or len(rest.split()) > _NAME_WORDS else f"{first}: {rest}"
    verdict = judge_line(named, "top")  # "كتبت سلمى حداد" stands for "كتبت: سلمى حداد" here
    if verdict.field == "author":
        return verdict.value
    marked = hint == "author" and verdict.action == "keep" and 1 < len(text.split()) <= _NAME_WORDS
    if (
        marked
        and "://" not in text
        and len(text) <= _NAME_CHARACTERS
        and not any(c.isdigit() for c in text)
    ):
        return text
    return None


def _without_site_name(structured: Structured) -> str | None:
    """The stated author; of "outlet - slogan of the outlet" only the outlet."""
    author = structured.author
    parts = _SUFFIX.split(author) if author else []
    if len(parts) > 1 and match_key(parts[0]) == match_key(structured.site_name or ""):
        return parts[0]
    return author


# --- deck ------------------------------------------------------------------------------------


def _marked_deck(page: Extracted, titles: Collection[str], prose: Sequence[str]) -> str | None:
    """The line below the title that its markup calls a deck.

    Words such as "intro" or "summary" stand for a deck on some sites and for the first paragraph
    on others: there the paragraph that follows it (of `prose`) must say its words again.
    """
    for line in page.head:
        words = match_key(line.text).split()
        if not _DECK_LEAST_WORDS <= len(words) <= _DECK_WORDS or " ".join(words) in titles:
            continue
        lead = next((text for text in prose if match_key(text).split() != words), "")
        if line.hint == "deck" or (line.hint == "intro" and _says_again(words, lead)):
            return line.text
    return None


def _missed_lead(page: Extracted, titles: Collection[str], shown: Collection[str]) -> str | None:
    """The first paragraph, where extraction took it for furniture: the line below the title that
    the page's own description repeats, or that its markup calls the introduction."""
    described = match_key(page.structured.description or "")
    for line in page.head:
        key = match_key(line.text)
        if line.part or len(key.split()) < _DECK_LEAST_WORDS or key in titles or key in shown:
            continue
        is_described = bool(described) and (key.startswith(described) or described.startswith(key))
        if (is_described or line.hint == "intro") and judge_line(line.text, "top").action == "keep":
            return line.text
    return None


def _missed_points(page: Extracted, shown: Collection[str]) -> list[str]:
    """The article in a few points, listed above the text, where extraction left them out."""
    points = [
        line.text
        for line in page.head
        if line.point
        and len(line.text.split()) >= _POINT_WORDS
        and judge_line(line.text, "top").action == "keep"
    ]
    points = list(dict.fromkeys(point for point in points if match_key(point) not in shown))
    return points if 2 <= len(points) <= _MOST_POINTS else []


def _deck_place(rest: Sequence[Line], above: Collection[int]) -> int | None:
    """Where the deck stands among the first lines: above a date line or a by-line, or where the
    first paragraph says the words of the line before it again."""
    if len(rest) > 2 and len(match_key(rest[0][1].text).split()) >= _DECK_LEAST_WORDS:
        first, second = rest[0][0], rest[1][0]
        if any(first < mark < second for mark in above):
            return 0
    prose = [at for at, (_, block) in enumerate(rest[:_HEAD_LINES]) if len(block.text) > 40]
    if len(prose) < 2 or len(rest) < 4 or prose[0] > 1:
        return None
    deck, lead = rest[prose[0]][1], rest[prose[1]][1]
    if prose[1] != prose[0] + 1 or deck.kind not in (BlockKind.PARAGRAPH, BlockKind.HEADING):
        return None
    said = match_key(deck.text).split()
    if not 5 <= len(said) <= _DECK_WORDS:
        return None
    return prose[0] if _says_again(said, lead.text) else None


def _says_again(words: Sequence[str], text: str) -> bool:
    """Whether a text begins the story anew with most of the words.

    A paragraph that opens with "and" goes on from the one before it: that one was the lead.
    """
    if text.startswith("و"):
        return False
    # Any two English sentences share their short words.
    said = {word for word in words if len(word) > 3 or not word.isascii()}
    return bool(said) and len(said & set(match_key(text).split())) >= _DECK_OVERLAP * len(said)
