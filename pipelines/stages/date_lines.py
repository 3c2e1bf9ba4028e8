"""Lines that are nothing but a date, and dates inside the dateline of a first paragraph."""

from datetime import datetime

from pipelines.document import Precision
from pipelines.stages.date_tokens import Token, Tokens, has_other_word, tokenise
from pipelines.stages.dates import FoundDate, Reader, has_digit, read_date

_MAX_LINE = 200
_ANY_DAY = datetime(2000, 1, 5, 12)
_COARSE = (Precision.YEAR, Precision.MONTH)
_CLOSING = {"(": ")", "[": "]"}
_PARTING = frozenset("-:/")
_MAX_PLACE_WORDS = 4  # "دبي، الإمارات العربية المتحدة"


def is_date_line(line: str) -> bool:
    """Whether a line is nothing but a date, with its labels, weekday, time and zone.

    True for "منذ 3 ساعات" as well, although it can be read with a reference only. A weekday, day
    and month or "أمس" alone is too little: that may be a heading.
    """
    if not line or len(line) > _MAX_LINE or has_other_word(line):
        return False
    reader = Reader(line, _ANY_DAY, None)
    found = reader.read()
    if reader.unknown:
        return False
    if not found:
        # Day, month and weekday without a year, that our reference does not fit.
        return reader.yearless and any(part.weekdays for part in reader.parts)
    extra = any(part.times or part.weekdays or part.role for part in reader.parts)
    return any(
        one.precision not in _COARSE
        and (
            one.basis == "stated"
            or reader.counted_back
            or (extra and reader.yearless)
            or (one.basis == "relative" and "T" in one.iso)
        )
        for one in found
    )


def read_date_line(
    line: str, now: datetime | None = None, zone: str | None = None
) -> FoundDate | None:
    """`read_date` of a line that is nothing but a date; None for any other line."""
    return read_date(line, now, zone) if is_date_line(line) else None


def read_dateline_date(text: str, now: datetime | None = None) -> FoundDate | None:
    """The date inside the dateline that opens a first paragraph, never one of the sentence.

    "(... - 21 نوفمبر 2021ء) أعلن", "القاهرة - 12 يناير 2023 (رويترز) - قال", "بكين 28 سبتمبر 2020
    /شينخوا/ ...". A date without a year needs `now`.
    """
    text = text[:200]
    if now is None and not has_digit(text):
        return None
    tokens = tokenise(text)
    if not tokens:
        return None
    if tokens[0].text in _CLOSING:
        found = _in_brackets(text, tokens, now)
        if found is not None:
            return found
    tries = 0
    for index, token in enumerate(tokens):
        if index == 0 or not (token.text in _PARTING or token.text in _CLOSING or _agency(token)):
            continue
        tries += 1
        if tries > 10:
            return None
        # The sign itself belongs to it: "24 يوليو /" is what makes day and month a dateline.
        found = _day(text[: token.end], now)
        if found is not None:
            return found if _opens(tokens, found) else None
    return None


def _day(text: str, now: datetime | None) -> FoundDate | None:
    found = read_date(text, now)
    if found is None or found.precision in _COARSE or found.basis == "relative":
        return None
    return found


def _agency(token: Token) -> bool:
    return token.has("agency")


def _in_brackets(text: str, tokens: Tokens, now: datetime | None) -> FoundDate | None:
    closing = _CLOSING[tokens[0].text]
    at = next((i for i, token in enumerate(tokens) if token.text == closing), 0)
    if not at:
        return None
    found = _day(text[tokens[0].end : tokens[at].start], now)
    if found is None:
        return None
    shift = tokens[0].end
    after = [t for t in tokens[:at] if t.start >= found.end + shift]
    # "(في 12 يناير 2023 أعلن ...)" is a sentence in brackets.
    if after and not (after[0].text in _PARTING or after[0].text == "," or _agency(after[0])):
        return None
    return found


def _opens(tokens: Tokens, found: FoundDate) -> bool:
    """Whether place before the date and agency or sign after it make a dateline of it."""
    before = [token for token in tokens if token.end <= found.start]
    after = [token for token in tokens if token.start >= found.end]
    words = [token for token in before if token.text.replace(" ", "").isalpha()]
    named = [token for token in words if token.has("place") or _agency(token)]
    if any(token.number >= 0 for token in before) or len(words) > _MAX_PLACE_WORDS + 1:
        return False
    last_agency = max((i for i, token in enumerate(words) if _agency(token)), default=len(words))
    if not after or any(not token.kinds for token in words[last_agency + 1 :]):
        return False  # behind the agency the sentence has begun
    nearest = after[1:2] if after[0].text in (*_CLOSING, "/", "-", ",") else after[:1]
    if nearest and _agency(nearest[0]):
        return True
    if after[0].text in ("-", ":") and after[0].gap | (len(after) > 1 and after[1].gap):
        parted = bool(before) and before[-1].text in ("-", ",", "/", ")")
        return not words or parted or _starts_with_place(words, named)
    if after[0].text in (*_CLOSING, "/"):
        return _starts_with_place(words, named)
    return False


def _starts_with_place(words: list[Token], named: list[Token]) -> bool:
    return bool(named) and words[0] is named[0]
