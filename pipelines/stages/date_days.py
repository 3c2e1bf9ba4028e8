"""Days in a short text: numeric, or with a month's name, in three calendars."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from hijridate import Hijri

from pipelines.stages.date_clock import Time
from pipelines.stages.date_tokens import QUIET_SIGNS, InconclusiveError, Token, Tokens

CALENDARS = ("gregorian", "hijri", "solar")
_YEARS = {"gregorian": (1800, 2100), "hijri": (1343, 1500), "solar": (1244, 1472)}
_SEPARATORS = frozenset("/-.\\_")
_LEAP_SOLAR = frozenset((1, 5, 9, 13, 17, 22, 26, 30))  # of 33 years; exact from 1244 to 1472


@dataclass(slots=True)
class Day:
    first: int
    last: int
    calendar: str
    year: int | None
    month: int
    day: int | None
    other: tuple[int, int, int] | None = None  # 09/10/2020 read month first
    which: str | None = None  # past, next, current
    month_known: bool = True
    whole_text_only: bool = False

    def turn(self) -> None:
        """Changes places with its other reading, if it has one."""
        if self.other is not None and self.year is not None and self.day is not None:
            read = (self.year, self.month, self.day)
            (self.year, self.month, self.day), self.other = self.other, read


def read_days(tokens: Tokens, times: Sequence[Time]) -> list[Day]:
    """Every day that the text names; raises InconclusiveError for an impossible one or a range."""
    return _numeric_days(tokens) + _named_days(tokens, times)


def solar_to_gregorian(year: int, month: int, day: int) -> date | None:
    """A solar Hijri date of 1244 to 1472 (1865 to 2093) as a Gregorian one; None if impossible."""
    if not (1244 <= year <= 1472 and 1 <= month <= 12 and day >= 1):
        return None
    length = 31 if month <= 6 else 30 if month < 12 or year % 33 in _LEAP_SOLAR else 29
    if day > length:
        return None
    days = sum(365 + (y % 33 in _LEAP_SOLAR) for y in range(min(year, 1399), max(year, 1399)))
    months = (month - 1) * 31 if month <= 7 else 186 + (month - 7) * 30
    first = date(2020, 3, 20)  # 1 Farvardin 1399
    return first + timedelta(days=(days if year >= 1399 else -days) + months + day - 1)


def hijri_to_gregorian(year: int, month: int, day: int) -> date | None:
    """A Hijri (Umm al-Qura) date of 1343 to 1500 as a Gregorian one; None if impossible."""
    try:
        found = Hijri(year, month, day).to_gregorian()
    except (ValueError, OverflowError):
        return _thirtieth(year, month) if day == 30 else None
    return date(found.year, found.month, found.day)


def _thirtieth(year: int, month: int) -> date | None:
    # Where the moon was seen a day later a month has 30 days that has 29 in the tables.
    try:
        found = Hijri(year, month, 29).to_gregorian()
    except (ValueError, OverflowError):
        return None
    return date(found.year, found.month, found.day) + timedelta(days=1)


def gregorian(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


TO_GREGORIAN = {
    "gregorian": gregorian,
    "hijri": hijri_to_gregorian,
    "solar": solar_to_gregorian,
}


def _numeric_days(tokens: Tokens) -> list[Day]:
    found: list[Day] = []
    index = 0
    while index < len(tokens):
        day = None
        if tokens[index].number >= 0:
            day = _numeric_day(tokens, index) or _agency_day(tokens, index)
        if day is None:
            index += 1
            continue
        tokens.use(day.first, day.last)
        found.append(day)
        index = day.last + 1
    return found


def _numeric_day(tokens: Tokens, index: int) -> Day | None:
    if not tokens.free_number(index, 8):
        return None
    first = tokens[index]
    if first.digits == 8:
        return _compact_day(tokens, index)
    sign = tokens.at(index + 1)
    if sign is None or sign.text not in _SEPARATORS or not tokens.is_sign(index + 3, sign.text):
        return None
    if not (tokens.free_number(index + 2, 2) and tokens.free_number(index + 4, 4)):
        return None
    second, third = tokens[index + 2], tokens[index + 4]
    if first.digits > 4 or first.digits == 3 or (third.digits in (1, 3) and first.digits != 4):
        return None
    if first.digits == 4 and third.digits > 2:
        return None
    before, after = tokens.at(index - 1), tokens.at(index + 5)
    chained = before is not None and before.text == sign.text and not first.gap
    if chained and before and not before.gap and tokens.is_number(index - 2):
        return None  # 192.168.1.1
    follower = tokens.at(index + 6)
    chained = after is not None and after.text == sign.text and not after.gap
    if chained and follower and follower.number >= 0 and not (follower.gap or follower.used):
        return None
    _refuse_range(tokens, index)
    last, suffix = _suffix(tokens, index + 4)
    return _ordered(tokens, index, last, (first, second, third), suffix)


def _ordered(
    tokens: Tokens, index: int, last: int, numbers: tuple[Token, Token, Token], suffix: str | None
) -> Day:
    first, second, third = numbers
    a, b, c = first.number, second.number, third.number
    if first.digits == 4:
        calendar = _calendar_of(tokens, a, suffix, year_first=True)
        if TO_GREGORIAN[calendar](a, b, c) is None and calendar == "gregorian":
            b, c = c, b  # 2020/27/09
        return checked_day(Day(index, last, calendar, a, b, c))
    if third.digits == 4:
        calendar = _calendar_of(tokens, c, suffix, year_first=False)
        day = Day(index, last, calendar, c, b, a)
        if calendar == "gregorian":
            if gregorian(c, b, a) is None:
                day.month, day.day = a, b  # 09/27/2020
            elif gregorian(c, a, b) is not None and a != b:
                day.other = (c, a, b)
        return checked_day(day)
    if suffix not in (None, "gregorian"):
        raise InconclusiveError
    year = _century(c)
    day = Day(index, last, "gregorian", year, b, a, whole_text_only=True)
    if gregorian(year, b, a) is None:
        day.month, day.day = a, b
    elif gregorian(year, a, b) is not None and a != b:
        day.other = (year, a, b)
    return checked_day(day)


def _calendar_of(tokens: Tokens, year: int, suffix: str | None, *, year_first: bool) -> str:
    if suffix is not None:
        return suffix
    if 1800 <= year <= 2100:
        return "gregorian"
    if 1370 <= year <= 1410 and (year_first or tokens.persian_digits):
        return "solar"
    if 1411 <= year <= 1460:
        return "hijri"
    raise InconclusiveError


def _compact_day(tokens: Tokens, index: int) -> Day | None:
    """ "20200927", "20200927T203600": only where nothing else stands in the text."""
    number = tokens[index].number
    year, month, day = number // 10000, number // 100 % 100, number % 100
    if not (1990 <= year <= 2100 and gregorian(year, month, day)):
        return None
    return Day(index, index, "gregorian", year, month, day, whole_text_only=True)


def checked_day(day: Day) -> Day:
    """The day if it can be; an impossible one forbids any conclusion."""
    if day.year is not None and day.day is not None:
        low, high = _YEARS[day.calendar]
        made = TO_GREGORIAN[day.calendar](day.year, day.month, day.day)
        if made is None or not low <= day.year <= high:
            raise InconclusiveError
    elif day.day is not None and not 1 <= day.day <= 31:
        raise InconclusiveError
    return day


def _suffix(tokens: Tokens, index: int) -> tuple[int, str | None]:
    """The calendar's suffix after a year ("م", "هـ", "هـ.ش"), and where it ends."""
    at = index + 1
    if tokens.is_sign(at, "(", ".", "-") and (t := tokens.at(at + 1)) and _suffix_of(t):
        at += 1
    token = tokens.at(at)
    if token is None or token.used:
        return index, None
    calendar = _suffix_of(token)
    if calendar is None:
        return index, None
    following = tokens.at(at + 1)
    if following is not None and _suffix_of(following) == "solar" and calendar == "hijri":
        return at + 1, "solar"
    if tokens.is_sign(at + 1, ")", "."):
        at += 1
    return at, calendar


def _agency_day(tokens: Tokens, index: int) -> Day | None:
    """ "الكويت - 27 - 9 (كونا)": day and month in figures, believed beside an agency only."""
    if not (tokens.free_number(index, 2) and tokens.free_number(index + 2, 2)):
        return None
    opening, agency = tokens.at(index + 3), tokens.at(index + 4)
    if not (tokens.is_sign(index + 1, "-", "/") and opening and opening.text in ("(", "/")):
        return None
    if agency is None or not agency.has("agency"):
        return None
    day, month = tokens[index].number, tokens[index + 2].number
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return None
    return Day(index, index + 2, "gregorian", None, month, day)


def _refuse_range(tokens: Tokens, index: int) -> None:
    """Raises when another day stands before this one: "5-7 سبتمبر", "5 و7", "من 5 إلى 7"."""
    join, number = tokens.at(index - 1), tokens.at(index - 2)
    if join is None or number is None or number.used or not 1 <= number.digits <= 2:
        return
    joins = join.text in ("-", "/", "&", "و") or join.has("range_to")
    if joins and 1 <= number.number <= 31:
        raise InconclusiveError


def _named_days(tokens: Tokens, times: Sequence[Time]) -> list[Day]:
    found: list[Day] = []
    if tokens.kinds.isdisjoint(CALENDARS):
        return found
    index = 0
    while index < len(tokens):
        token = tokens[index]
        calendar = next((kind for kind in CALENDARS if kind in token.kinds), None)
        day = None if calendar is None or token.used else _named(tokens, index, calendar, times)
        if day is None:
            index += 1
            continue
        tokens.use(day.first, day.last)
        found.append(day)
        index = max(index, day.last) + 1
    return found


def _named(tokens: Tokens, index: int, calendar: str, times: Sequence[Time]) -> Day | None:
    month = tokens[index].integer(calendar) or 0
    end = _more_names(tokens, index, calendar, month)
    left, day_token = _leftwards(tokens, index)
    right, after = _rightwards(tokens, end)
    weak = all(tokens[i].has("weak") for i in (index, end))
    left_day = _day_number(day_token)
    year: int | None
    if left_day is not None and after is not None:
        year = _year(tokens, right, calendar, end)
        if year is None and day_token is not None and after.digits <= 2:
            # "27 سبتمبر 20:36" was used by its time; else a bare number says nothing.
            right = end
    elif day_token is not None and day_token.digits == 4 and after is not None:
        if after.digits <= 2 and (year := _year_value(day_token, calendar)) is not None:
            return checked_day(Day(left, right, calendar, year, month, after.number))
        year = _year(tokens, right, calendar, end)
        left, left_day = index, None
    elif after is not None and after.digits <= 2:
        year_at, year_token = _rightwards(tokens, right)
        left_day = after.number
        left = index
        year = None if year_token is None else _year(tokens, year_at, calendar, right)
        right = year_at if year is not None else right
    elif after is not None:
        year, left = _year(tokens, right, calendar, end), index
    else:
        year, right = None, end
    if left_day is not None and year is None:
        right, year = _year_after_time(tokens, right, calendar, times)
    if left_day is None and day_token is not None and day_token.digits <= 2:
        raise InconclusiveError  # 49 سبتمبر
    if left_day is not None and left < index:
        _refuse_range(tokens, left)
    if (left_day is None or (year is None and calendar != "gregorian")) and (
        weak or calendar != "gregorian"
    ):
        return None
    if weak and year is None:
        return None
    if left_day is None and year is None:
        return None  # a month alone: see _month_or_year
    suffix = None
    if year is not None:
        right, suffix = _suffix(tokens, right)
    if suffix is not None and suffix != calendar:
        raise InconclusiveError
    day = Day(left, right, calendar, year, month, left_day)
    if year is None:
        day.which, day.last = read_which(tokens, right)
    return checked_day(day)


def _more_names(tokens: Tokens, index: int, calendar: str, month: int) -> int:
    """Where a double name ends: "تشرين الثاني/نوفمبر", "مارس (آذار)"."""
    end = index
    while True:
        at = end + 1
        while at < end + 3 and tokens.is_sign(at, "/", "-", "(", ")", "|", ",", "\\", "[", "_"):
            at += 1
        token = tokens.at(at)
        if token is None or token.used or (other := token.integer(calendar)) is None:
            return end
        if other != month:
            if at == end + 1 and token.gap:
                return end
            raise InconclusiveError
        end = at + 1 if tokens.is_sign(at + 1, ")", "]") else at


def _leftwards(tokens: Tokens, index: int) -> tuple[int, Token | None]:
    """The number or written-out day before a month, and where it stands."""
    at = index - 1
    while at >= max(0, index - 4):
        token = tokens[at]
        if token.used:
            break
        if token.number >= 0 or token.has("ordinal"):
            return at, token
        if token.text not in QUIET_SIGNS and not token.has("neutral"):
            break
        if token.text in ("|", ":", ")") or (token.has("clock") and not token.has("neutral")):
            break
        at -= 1
    return index, None


def _rightwards(tokens: Tokens, index: int) -> tuple[int, Token | None]:
    """The number after a month or a day, and where it stands."""
    at = index + 1
    while at < min(len(tokens), index + 5):
        token = tokens[at]
        if token.used:
            break
        if token.number >= 0:
            return at, token
        of_clock = token.has("clock") or token.string("unit") == "hour"
        quiet = token.text in QUIET_SIGNS or token.has("neutral")
        if of_clock or not quiet or token.text in ("|", "(", "["):
            break
        at += 1
    return index, None


def _year(tokens: Tokens, at: int, calendar: str, month_at: int) -> int | None:
    token = tokens[at]
    if token.digits == 2 and calendar == "gregorian":
        # "27-Sep-20", "27 Sep '20"; but "23 March-14 April" are two days.
        sign = tokens[at - 1]
        glued = at == month_at + 2 and not token.gap
        both = sign.text in ("-", "/", ".") and tokens.is_sign(month_at - 1, sign.text)
        return _century(token.number) if glued and (both or sign.text in ("'", "’")) else None
    if token.digits == 4 and tokens.is_sign(at + 1, "-", "/") and not tokens[at + 1].gap:
        follower = tokens.at(at + 2)
        if follower is not None and follower.digits == 4 and not follower.gap:
            raise InconclusiveError  # a season: 2020-2021
    return _year_value(token, calendar)


def _year_value(token: Token, calendar: str) -> int | None:
    if calendar == "solar" and token.digits == 2:
        return 1300 + token.number if token.number >= 70 else 1400 + token.number
    if token.digits != 4:
        return None
    low, high = _YEARS[calendar]
    if not low <= token.number <= high:
        raise InconclusiveError
    return token.number


def _year_after_time(
    tokens: Tokens, right: int, calendar: str, times: Sequence[Time]
) -> tuple[int, int | None]:
    """The year of "Sun Sep 27 20:36:00 UTC 2020"."""
    for time in times:
        if right < time.first <= right + 3 and tokens.free_number(time.last + 1, 4):
            token = tokens[time.last + 1]
            if token.digits == 4 and 1800 <= token.number <= 2100 and calendar == "gregorian":
                return time.last + 1, token.number
    return right, None


def read_which(tokens: Tokens, index: int) -> tuple[str | None, int]:
    """الماضي, المقبل or الجاري after a day, and where it ends."""
    token = tokens.at(index + 1)
    which = None if token is None or token.used else which_of(token)
    return which, index + (which is not None)


def which_of(token: Token) -> str | None:
    for which in ("past", "next", "current"):
        if token.has(f"which_{which}"):
            return which
    return None


def _suffix_of(token: Token) -> str | None:
    for calendar in CALENDARS:
        if token.has(f"suffix_{calendar}"):
            return calendar
    return None


def _day_number(token: Token | None) -> int | None:
    if token is None:
        return None
    if 1 <= token.digits <= 2:
        return token.number if 1 <= token.number <= 31 else None
    return token.integer("ordinal")


def _century(year: int) -> int:
    return 2000 + year if year < 50 else 1900 + year
