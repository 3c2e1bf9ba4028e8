"""Clock times in a short text, with their half of the day and their zone."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.document import Precision
from pipelines.stages.date_tokens import InconclusiveError, Token, Tokens

_MONTHS = ("gregorian", "hijri", "solar")


@dataclass(slots=True)
class Time:
    first: int
    last: int
    hour: int
    minute: int = 0
    second: int | None = None
    precision: Precision = Precision.MINUTE
    zone: str | None = None  # IANA name or "+03:00"
    foreign: bool = False  # a zone is named, but none that we know
    conflict: str | None = None


def read_times(tokens: Tokens) -> list[Time]:
    found: list[Time] = []
    index = 0
    while index < len(tokens):
        may_be = tokens[index].number >= 0 or "hour" in tokens[index].kinds
        time = _time(tokens, index) if may_be else None
        if time is None:
            index += 1
            continue
        tokens.use(time.first, time.last)
        found.append(time)
        index = time.last + 1
    return found


def _time(tokens: Tokens, index: int) -> Time | None:
    if tokens[index].digits >= 8 and len(tokens) <= 8:
        return _compact_time(tokens, index)
    if not tokens.free_number(index, 2):
        hour = tokens[index].integer("hour")
        after_clock = index > 0 and tokens[index - 1].has("clock")
        return _time_in_words(tokens, index, hour) if hour and after_clock else None
    before, after = tokens.at(index - 1), tokens.at(index + 1)
    if after is None or (before is not None and before.text == ":" and tokens.is_number(index - 2)):
        minute_of = before is not None and before.text == ":" and not before.gap
        if after is None and not minute_of:
            return _bare_hour(tokens, index)
        if minute_of and (index < 2 or tokens[index - 2].digits < 3):
            return None
    if after is None:
        return None
    minute = tokens.at(index + 2)
    sign = after.text
    if minute is None or minute.digits != 2 or minute.used:
        return _bare_hour(tokens, index)
    if sign in (".", ",") and (after.gap or minute.gap):
        return _bare_hour(tokens, index)
    if sign == "h" and after.gap != minute.gap:
        return _bare_hour(tokens, index)
    clock = before is not None and before.has("clock")
    if sign in (".", ",") and not (clock or _half(tokens, index + 3)):
        return _bare_hour(tokens, index)
    if sign not in (":", "h", ".", ","):
        return _bare_hour(tokens, index)
    if sign == "." and tokens.is_sign(index + 3, ".") and tokens.is_number(index + 4):
        return None  # 27.09.2020
    if before is not None and before.text == "+" and not tokens[index].gap:
        return None  # an offset without its time
    time = Time(index, index + 2, tokens[index].number, minute.number)
    if tokens.is_sign(index + 3, ":") and tokens.free_number(index + 4, 2):
        time.second = tokens[index + 4].number
        time.last, time.precision = index + 4, Precision.SECOND
        fraction = tokens.at(time.last + 2)
        if tokens.is_sign(time.last + 1, ".", ",") and fraction is not None and fraction.digits:
            time.last += 2 if not fraction.gap else 0
        if tokens.is_sign(time.last + 1, ":") and tokens.is_number(time.last + 2):
            raise InconclusiveError  # 12:34:56:78
    _finish(tokens, time)
    return time


def _compact_time(tokens: Tokens, index: int) -> Time | None:
    """The time of "20200927T203600Z" and "20200927203600"."""
    token = tokens[index]
    if token.digits in (12, 14):
        # The token is cut in two, so that the pass for days finds its eight figures.
        day, rest = token.text[:8], token.text[8:]
        cut = token.start + 8
        clock = Token(rest, cut, token.end, False, {}, int(rest))
        tokens[index : index + 1] = [
            Token(day, token.start, cut, token.gap, {}, int(day)),
            clock,
        ]
        at = index + 1
    elif token.digits == 8 and tokens.is_sign(index + 1, "t") and tokens.free_number(index + 2, 6):
        at, rest = index + 2, tokens[index + 2].text
    else:
        return None
    if len(rest) not in (4, 6):
        return None
    time = Time(at, at, int(rest[:2]), int(rest[2:4]))
    if len(rest) == 6:
        time.second, time.precision = int(rest[4:6]), Precision.SECOND
    _finish(tokens, time)
    return time


def _bare_hour(tokens: Tokens, index: int) -> Time | None:
    """ "الساعة 8 مساء", "8 pm": an hour without minutes."""
    before, half = tokens.at(index - 1), _half(tokens, index + 1)
    clock = before is not None and before.has("clock")
    if before is not None and before.text == ":" and index >= 2:
        clock = tokens[index - 2].has("clock")
    word = tokens.at(index + 1)
    after_word = word is not None and word.has("clock_after")
    strong = half is not None and word is not None and len(word.text) > 1
    if not (strong or (clock and half) or after_word):
        if not clock or (word is not None and (word.has("unit") or word.number >= 0)):
            return None
        if word is not None and any(word.has(kind) for kind in _MONTHS):
            return None
        if word is not None and not word.gap and word.text in ("/", "-", "."):
            return None
    if tokens[index].number > 24 or (not clock and word and word.gap and not strong):
        return None
    time = Time(index, index, tokens[index].number, precision=Precision.HOUR)
    if after_word:
        time.last += 1
    _finish(tokens, time)
    return time


def _time_in_words(tokens: Tokens, index: int, hour: int) -> Time | None:
    """ "الساعة الثامنة والنصف مساء"; without a half of the day it could be either."""
    minutes = 0
    last = index
    fraction = tokens.at(index + 1)
    if fraction is not None and (value := fraction.integer("hour_fraction")) is not None:
        minutes, last = value, index + 1
    if _half(tokens, last + 1) is None:
        return None
    if minutes < 0:
        hour, minutes = (hour - 2) % 12 + 1, 60 + minutes
    precision = Precision.MINUTE if last > index else Precision.HOUR
    time = Time(index, last, hour, minutes, precision=precision)
    _finish(tokens, time)
    return time


def _half(tokens: Tokens, index: int) -> str | None:
    token = tokens.at(index)
    return token.string("half") if token is not None and not token.used else None


def _finish(tokens: Tokens, time: Time) -> None:
    """The half of the day and the zone around a clock."""
    half = None
    at = time.last + 1
    if tokens.is_sign(at, "(") and _half(tokens, at + 1):
        at += 1
    if (half := _half(tokens, at)) is not None:
        time.last = at + 1 if tokens.is_sign(at + 1, ".", ")") else at
    elif time.first and (half := _half(tokens, time.first - 1)) is not None:
        if tokens.is_number(time.first - 2) and tokens[time.first - 1].text == "م":
            half = None  # the suffix of a year: "2020 م 08:36"
        else:
            time.first -= 1
    if not (0 <= time.hour <= 23 and 0 <= time.minute <= 59 and (time.second or 0) <= 59):
        raise InconclusiveError
    hour = _hour_of_day(time.hour, half)
    if hour is None:
        time.conflict = f"{time.hour}:{time.minute:02} contradicts its half of the day"
    else:
        time.hour = hour
    named = tokens.at(time.first - 1)
    if named is not None and not named.used and named.string("zone"):
        _zone_at(tokens, time, time.first - 1, False)  # "KSA 08:36 - GMT 05:36"
        time.first, time.last = time.first - 1, max(time.last, at - 1)
    else:
        _zone_after(tokens, time)


def _zone_after(tokens: Tokens, time: Time) -> None:
    at = time.last + 1
    bracket = False
    skipped = 0
    while skipped < 3 and tokens.is_sign(at, "(", "[", ",", "|", "-", "/", "."):
        if tokens.is_sign(at, "-") and _offset(tokens, at) is not None:
            break
        bracket = bracket or tokens.is_sign(at, "(", "[")
        at += 1
        skipped += 1
    _zone_at(tokens, time, at, bracket)


def _zone_at(tokens: Tokens, time: Time, at: int, bracket: bool) -> None:
    token = tokens.at(at)
    if token is None or token.used:
        return
    offset = _offset(tokens, at, time)
    if offset is not None:
        time.zone, time.last = offset
        _bracketed_name(tokens, time)
        return
    if token.has("zone_local"):
        time.last = at
        return
    if token.has("zone_before"):
        at += 1
        while tokens.is_sign(at, ":", "(", "[", '"', "«") and at < time.last + 8:
            at += 1
        token = tokens.at(at)
        if token is None:
            return
        if not (token.has("place") or token.has("zone")):
            _foreign(tokens, time, at)
            return
        bracket = True
    name = token.string("zone")
    if name is None and (bracket or _has_zone_after(tokens, at)):
        name = token.string("place")
    if name is None:
        return
    time.foreign = name == "?"
    time.zone = None if time.foreign else name
    time.last = at
    if name == "UTC" and (offset := _offset(tokens, at + 1, None)) is not None:
        time.zone, time.last = offset
        _bracketed_name(tokens, time)
    following = tokens.at(time.last + 1)
    if following is not None and following.has("zone_after"):
        time.last += 1
    if tokens.is_sign(time.last + 1, ")", "]") and bracket:
        time.last += 1


def _has_zone_after(tokens: Tokens, at: int) -> bool:
    following = tokens.at(at + 1)
    return following is not None and following.has("zone_after")


def _foreign(tokens: Tokens, time: Time, at: int) -> None:
    """ "بتوقيت نيامي": a place that the tables lack. Then no zone is concluded at all."""
    words = 0
    while words < 2 and (token := tokens.at(at)) is not None and token.text.isalpha():
        if token.used or token.kinds:
            break
        token.used = True
        at, words = at + 1, words + 1
    if words:
        time.foreign, time.last = True, at - 1


def _bracketed_name(tokens: Tokens, time: Time) -> None:
    """The name in "GMT+0300 (Arabian Standard Time)"."""
    at = time.last + 1
    if tokens.is_sign(at, ")"):
        time.last = at
        return
    if not tokens.is_sign(at, "("):
        return
    for end in range(at + 1, min(at + 7, len(tokens))):
        if tokens.is_sign(end, ")"):
            time.last = end
            return


def _offset(tokens: Tokens, at: int, time: Time | None = None) -> tuple[str, int] | None:
    """ "+03:00", "+0300", and after UTC or GMT (`time` None) "+3" as well, with its end."""
    if not tokens.is_sign(at, "+", "-"):
        return None
    hours, colon, minutes = tokens.at(at + 1), tokens.at(at + 2), tokens.at(at + 3)
    sign = tokens[at]
    if hours is None or hours.gap or not 1 <= hours.digits <= 4 or hours.digits == 3:
        return None
    last = at + 1
    whole, part = hours.number, 0
    if hours.digits == 4:
        whole, part = divmod(hours.number, 100)
    elif colon and minutes and colon.text == ":" and minutes.digits == 2 and not colon.gap:
        part, last = minutes.number, at + 3
    elif time is not None and (sign.text == "-" or sign.gap or hours.digits != 2):
        return None
    if time is not None and sign.text == "-":
        # "08:00-10:00" says from when to when.
        machine = time.second is not None or tokens.is_sign(time.first - 1, "t")
        if not machine or (hours.digits == 4 and 1900 <= hours.number <= 2100):
            return None
    if whole > 14 or part not in (0, 30, 45):
        return None
    return f"{sign.text}{whole:02}:{part:02}", last


def read_zone_elsewhere(tokens: Tokens, times: Sequence[Time]) -> None:
    """ "بتوقيت القاهرة 20:36": a zone that stands away from the only time."""
    if "zone_before" not in tokens.kinds or len(times) != 1 or times[0].zone or times[0].foreign:
        return
    time = times[0]
    for index, token in enumerate(tokens):
        if token.has("zone_before") and not token.used and not token.has("zone_local"):
            last = time.last
            _zone_at(tokens, time, index, False)
            if time.zone or time.foreign:
                tokens.use(index, max(time.last, index))
            time.last = last
            return


def _hour_of_day(hour: int, half: str | None) -> int | None:
    """The hour from 0 to 23; None where the half of the day contradicts it."""
    if half is None:
        return hour
    if half == "am":
        return hour % 12 if hour <= 12 else None
    if half == "pm":
        return hour % 12 + 12 if hour <= 12 else hour
    if half == "noon":
        return hour + 12 if 1 <= hour <= 5 else hour if 10 <= hour <= 17 else None
    if 6 <= hour <= 11:  # night
        return hour + 12
    return hour % 12 if hour <= 5 or hour == 12 else hour if hour >= 18 else None
