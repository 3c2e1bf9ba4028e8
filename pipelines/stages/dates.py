"""Dates as Arabic, Persian and Urdu news pages print them, and as machines write them.

The text is cut into tokens (`date_tokens`), then read in passes that each look at a bounded
neighbourhood: counters ("العدد : 6816"), clock times with the half of the day and the zone,
numeric dates, dates with a month's name, weekdays, labels, relative words. What was found is
parted at the labels ("نشر", "آخر تحديث"), and each part gives at most one date.

Rules:

- Numeric dates are read day first, as the press prints them; month first only where nothing else
  is possible or the weekday beside it decides. Two figures of a year: 00-49 are 20xx.
- A Gregorian date is preferred to the Hijri or solar Hijri one beside it. A lone Hijri date is
  moved to the weekday beside it when that is at most two days off: countries see the moon on
  different days. Without a suffix a numeric year from 1411 is Hijri, 1370-1410 solar.
- A weekday that contradicts a Gregorian date is noted in `conflicts`; a clock that contradicts
  its half of the day ("20:36 ص") is left out and noted.
- Words such as "منذ 3 ساعات", a weekday alone, or a date without a year are read against `now`
  only, and only where nothing else stands in the text (a dateline may surround day and month).
- None where nothing may be concluded: ranges, impossible dates or times, two different dates
  without labels, rights ("© 2020"), births, deadlines, names ("ثورة 25 يناير").

Hijri conversion is `hijridate` (Umm al-Qura, 1343 to 1500), zones are `zoneinfo`. The rest is
written here: dateparser knows no Levantine month in Arabic, takes Hijri years for Gregorian ones
and needs seconds to load, and htmldate reads whole pages and drops times and zones; neither is
used for a line of text. RFC 2822, ISO 8601 and ctime are read by the same tables.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

from pipelines.document import Precision
from pipelines.stages.date_clock import Time, read_times, read_zone_elsewhere
from pipelines.stages.date_days import (
    TO_GREGORIAN,
    Day,
    checked_day,
    gregorian,
    read_days,
    which_of,
)
from pipelines.stages.date_relative import (
    UNIT_SECONDS,
    Relative,
    read_ago,
    read_day_words,
    read_weekdays,
    use_counters,
)
from pipelines.stages.date_tokens import (
    QUIET_SIGNS,
    VETO_SIGNS,
    InconclusiveError,
    tokenise,
)

#: Only so much of a text is looked at.
MAX_CHARS = 500
#: More unread words are prose, where a date says when something else was; less so behind a label.
_MAX_UNKNOWN, _MAX_UNKNOWN_LABELLED = 8, 20

_QUIET = frozenset(
    ("neutral", "half", "clock", "label", "zone_local", "suffix_gregorian", "suffix_hijri")
)
_WHICH = frozenset(("which_past", "which_next", "which_current"))
_DIGIT = re.compile(r"\d")
_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:T([0-9]{2}:[0-9]{2})(?:(:[0-9]{2})(?:\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_UNIT_PRECISION = {
    "second": Precision.SECOND,
    "minute": Precision.MINUTE,
    "hour": Precision.HOUR,
    "day": Precision.DAY,
    "week": Precision.DAY,
    "month": Precision.MONTH,
    "year": Precision.YEAR,
}
_CUT = {Precision.YEAR: 4, Precision.MONTH: 7, Precision.DAY: 10}


@dataclass(frozen=True, slots=True)
class FoundDate:
    """A date read out of a short text.

    `iso` is ISO 8601 cut to `precision` (an hour is written "09:00"), with an offset only where
    the text or the caller's zone gives one. `raw` is the part that was read, at
    [`start`:`end`]. `zone` is an IANA name, None for a bare offset. `role` is "published",
    "modified" or None. `calendar` is the calendar that gave the day. `basis` is "stated",
    "relative" (counted from `now`) or "nearest_year" (no year was printed: the one before `now`).
    `foreign_zone`: the text names a zone that is not known, so no other may be assumed.
    """

    iso: str
    precision: Precision
    raw: str
    zone: str | None = None
    role: str | None = None
    conflicts: tuple[str, ...] = ()
    calendar: str = "gregorian"
    basis: str = "stated"
    foreign_zone: bool = False
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class _Part:
    """What stands between two labels: token range and role."""

    first: int
    last: int
    role: str | None
    days: list[Day]
    times: list[Time]
    weekdays: list[int]
    relatives: list[Relative]


def read_date(text: str, now: datetime | None = None, zone: str | None = None) -> FoundDate | None:
    """The date that a short text states, or None where nothing may be concluded.

    Of several labelled dates the published one. `now` resolves relative words, `zone` (IANA) gives
    the offset of a time that states none; ValueError if there is no such zone. A reference outside
    1900 to 2200 counts as none. Only the first 500 characters are looked at.
    """
    found = read_dates(text, now, zone)
    for role in ("published", None, "modified"):
        for one in found:
            if one.role == role:
                return one
    return None


def read_dates(
    text: str,
    now: datetime | None = None,
    zone: str | None = None,
    *,
    month_first: bool = False,
) -> tuple[FoundDate, ...]:
    """Every labelled part's date, in the order of the text ("نشر ... | آخر تحديث ...").

    `month_first`: the source is known to write 03/04/2024 for the fourth of March.
    """
    if zone is not None:
        _zone(zone)
    text = text[:MAX_CHARS]
    if (found := _read_iso(text, zone)) is not None:
        return (found,)
    if now is None and not has_digit(text):
        return ()
    return Reader(text, now, zone, month_first=month_first).read()


def has_digit(text: str) -> bool:
    """Whether a figure stands in the text: without one no date can be read but against `now`."""
    return _DIGIT.search(text) is not None


def _read_iso(text: str, zone: str | None) -> FoundDate | None:
    """A date that is all of a text and as ISO 8601 writes it, which most pages state several
    times, read at once. None for any other, and for those with rules of their own."""
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    day, clock, seconds, offset = match.groups()
    try:
        wall = datetime.fromisoformat(f"{day}T{clock or '00:00'}{seconds or ''}")
    except ValueError:
        return None
    if not 1900 <= wall.year <= 2100:
        return None
    if clock is None:
        return FoundDate(day, Precision.DAY, text, end=len(text))
    precision = Precision.MINUTE if seconds is None else Precision.SECOND
    iso = wall.isoformat(timespec="minutes" if seconds is None else "seconds")
    if offset is None:
        return FoundDate(iso, precision, text, end=len(text)) if zone is None else None
    if offset == "Z":
        return FoundDate(f"{iso}+00:00", precision, text, "UTC", end=len(text))
    hours, minutes = offset[1:3], offset[-2:]
    if hours > "14" or minutes not in ("00", "30", "45"):
        return None
    sign = "+" if hours == minutes == "00" else offset[0]
    return FoundDate(f"{iso}{sign}{hours}:{minutes}", precision, text, end=len(text))


@lru_cache(maxsize=256)
def _zone(name: str) -> timezone | ZoneInfo:
    if name[:1] in ("+", "-"):
        hours, minutes = int(name[1:3]), int(name[4:6])
        offset = timedelta(hours=hours, minutes=minutes)
        return timezone(-offset if name[0] == "-" else offset)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"no such time zone: {name!r}") from error


class Reader:
    """One reading of one text; what `read` noticed stays for `date_lines`."""

    def __init__(
        self, text: str, now: datetime | None, zone: str | None, *, month_first: bool = False
    ) -> None:
        self.text = text
        self.month_first = month_first
        self.tokens = tokenise(text)
        self.zone = zone
        if now is not None and not 1900 <= now.year <= 2200:
            now = None
        if now is not None and zone is not None:
            info = _zone(zone)
            now = now.replace(tzinfo=info) if now.tzinfo is None else now.astimezone(info)
        self.now = now
        self.parts: list[_Part] = []
        self.unknown = 0
        self.counted_back = False
        self.yearless = False

    def read(self) -> tuple[FoundDate, ...]:
        try:
            return self._read()
        except InconclusiveError:
            return ()

    def _read(self) -> tuple[FoundDate, ...]:
        if not self.tokens or any(token.text in VETO_SIGNS for token in self.tokens):
            return ()
        use_counters(self.tokens)
        times = read_times(self.tokens)
        days = read_days(self.tokens, times)
        for day in days if self.month_first else ():
            day.turn()
        relatives = read_ago(self.tokens)
        bare = len(self.tokens) != 3 and not self._has("year_word")
        if not (days or relatives) and self.now is None and bare:
            return ()
        weekdays = read_weekdays(self.tokens)
        relatives += read_day_words(self.tokens)
        days += self._which_days()
        read_zone_elsewhere(self.tokens, times)
        self.parts = self._parted(days, times, weekdays, relatives)
        self._count_unknown()
        if self._vetoed(days):
            return ()
        found = [one for part in self.parts if (one := self._conclude(part)) is not None]
        if not found and len(self.parts) == 1:
            one = self._month_or_year(weekdays, times)
            found = [one] if one is not None else []
        return tuple(found)

    def _has(self, kind: str) -> bool:
        return kind in self.tokens.kinds

    def _which_days(self) -> list[Day]:
        """ "27 من الشهر الجاري", "27 الجاري"."""
        found: list[Day] = []
        if self.now is None or self.tokens.kinds.isdisjoint(_WHICH):
            return found
        for index, token in enumerate(self.tokens):
            which = which_of(token)
            if which is None or token.used:
                continue
            at = index - 1
            month_word = at >= 0 and self.tokens[at].has("which_month")
            at -= month_word
            if self.tokens.free_number(at, 2) and (month_word or which == "current"):
                moved = {"past": -1, "next": 1, "current": 0}[which]
                year, month = _month_from(self.now, moved)
                day = Day(at, index, "gregorian", year, month, self.tokens[at].number)
                day.month_known = False
                found.append(checked_day(day))
                self.tokens.use(at, index)
        return found

    def _parted(
        self,
        days: Sequence[Day],
        times: Sequence[Time],
        weekdays: Sequence[tuple[int, int]],
        relatives: Sequence[Relative],
    ) -> list[_Part]:
        """The text parted at its labels. A label after its date ("(آخر تحديث)") parts nothing."""
        starts: list[tuple[int, str | None]] = [(0, None)]
        anchors = sorted([day.first for day in days] + [one.first for one in relatives])
        clocks = [time.first for time in times]
        for index, token in enumerate(self.tokens):
            role = token.string("label")
            if role is None or token.used:
                continue
            closed = self.tokens.is_sign(index + 1, ")", "]")
            follows = any(at > index for at in anchors) or any(at > index for at in clocks)
            if (closed or not follows) and starts[-1][1] is None:
                starts[-1] = (starts[-1][0], role)
            elif not closed:
                starts.append((index, role))
        bounds = [start for start, _ in starts[1:]] + [len(self.tokens)]
        parts = []
        for (first, role), bound in zip(starts, bounds, strict=True):
            part = _Part(
                first,
                bound - 1,
                role,
                [day for day in days if first <= day.first < bound],
                [time for time in times if first <= time.first < bound],
                [weekday for at, weekday in weekdays if first <= at < bound],
                [one for one in relatives if first <= one.first < bound],
            )
            empty = not (part.days or part.times or part.weekdays or part.relatives)
            if not empty or len(starts) == 1:
                parts.append(part)
        return self._merged(parts)

    def _merged(self, parts: list[_Part]) -> list[_Part]:
        """Parts without a day lend their weekday or time to the next, if that has none."""
        if len(parts) < 2:
            return parts
        first, second = parts[0], parts[1]
        if not (first.days or first.relatives) and first.role is None:
            second.first = first.first
            second.weekdays += first.weekdays
            if not second.times:
                second.times += first.times
            return parts[1:]
        return parts

    def _count_unknown(self) -> None:
        for token in self.tokens:
            if token.used or token.text in QUIET_SIGNS:
                continue
            if not any(kind in _QUIET for kind in token.kinds):
                self.unknown += 1

    def _vetoed(self, days: Sequence[Day]) -> bool:
        first = min((day.first for day in days), default=len(self.tokens))
        before = self.tokens[:first]
        labelled = any(part.role for part in self.parts)
        most = _MAX_UNKNOWN_LABELLED if labelled else _MAX_UNKNOWN
        if self.unknown > most or any(token.has("veto") for token in before):
            return True
        return any(self._other_day(day.first) for day in days)

    def _other_day(self, first: int) -> bool:
        """Whether "قبل" or "منذ" stands right before a date, a weekday or "يوم" between."""
        at = first - 1
        while at >= 0 and (self.tokens[at].has("weekday") or self.tokens[at].text == "يوم"):
            at -= 1
        return at >= 0 and self.tokens[at].has("veto_directly")

    def _conclude(self, part: _Part) -> FoundDate | None:
        conflicts: list[str] = []
        days = [day for day in part.days if day.day is not None]
        months = [day for day in part.days if day.day is None]
        if days:
            settled = self._settle(days, part, conflicts)
            if settled is None:
                return None
            made, chosen, basis = settled
            return self._dated(part, made, chosen.calendar, basis, conflicts)
        if months:
            if self.unknown or part.times or part.weekdays or len(months) > 1:
                return None
            month = months[0]
            iso = f"{month.year:04}-{month.month:02}"
            return self._found(iso, Precision.MONTH, part, month.first, month.last)
        if part.relatives and self.now is not None and not self.unknown:
            return self._relative(part, self.now)
        if part.weekdays and self.now is not None and not self.unknown:
            return self._weekday_alone(part, self.now)
        return None

    def _settle(
        self, days: Sequence[Day], part: _Part, conflicts: list[str]
    ) -> tuple[date, Day, str] | None:
        """The one day that a part's days agree on, its source, and its basis."""
        if any(day.whole_text_only for day in days) and self.unknown:
            return None
        made: dict[str, date] = {}
        source: dict[str, Day] = {}
        yearless: list[Day] = []
        for day in days:
            if day.year is None or day.day is None:
                yearless.append(day)
                continue
            value = TO_GREGORIAN[day.calendar](day.year, day.month, day.day)
            if value is None or made.setdefault(day.calendar, value) != value:
                return None  # two different days, no label: which of them?
            source.setdefault(day.calendar, day)
        for day in yearless:
            if not made or day.day is None:
                continue
            near = made.get("gregorian") or next(iter(made.values()))
            same = [v for y in (-1, 0, 1) if (v := gregorian(near.year + y, day.month, day.day))]
            nearest = min(same, key=lambda v: abs((v - near).days), default=None)
            known = "gregorian" in made
            if nearest is None or abs((nearest - near).days) > (0 if known else 3):
                return None
            if "gregorian" not in made:
                made["gregorian"], source["gregorian"] = nearest, day
        if not made:
            return self._nearest_year(yearless, part, conflicts)
        calendar = next(c for c in ("gregorian", "solar", "hijri") if c in made)
        value, chosen = made[calendar], source[calendar]
        for other, otherwise in made.items():
            if abs((otherwise - value).days) > (2 if other == "hijri" else 0):
                conflicts.append(f"{other} date is {otherwise}, {calendar} date {value}")
        basis = "stated" if chosen.month_known else "relative"
        fitted = self._fit_weekday(value, chosen, part, conflicts)
        return None if fitted is None else (fitted, chosen, basis)

    def _fit_weekday(self, value: date, day: Day, part: _Part, conflicts: list[str]) -> date | None:
        if not part.weekdays or value.weekday() in part.weekdays:
            return value
        weekday = part.weekdays[0]
        if day.calendar == "hijri":
            off = (weekday - value.weekday() + 3) % 7 - 3
            if abs(off) > 2:
                return None
            conflicts.append(f"Hijri date moved by {off} to its weekday")
            return value + timedelta(days=off)
        if day.other is not None:
            other = date(*day.other)
            if other.weekday() in part.weekdays:
                order = "day" if self.month_first else "month"
                conflicts.append(f"read {order} first: {value} is no such weekday")
                return other
        conflicts.append(f"weekday {weekday + 1} of the week (Monday 1) does not fit {value}")
        return value

    def _nearest_year(
        self, days: Sequence[Day], part: _Part, conflicts: list[str]
    ) -> tuple[date, Day, str] | None:
        """Day and month without a year: the last such day before `now`."""
        day = days[0]
        self.yearless = True
        if self.now is None or day.day is None or day.calendar != "gregorian":
            return None
        if any((d.month, d.day) != (day.month, day.day) for d in days):
            return None
        if not self._alone_or_dateline(day):
            return None
        today = self.now.date()
        near = [
            value
            for year in range(today.year - 4, today.year + 5)
            if (value := gregorian(year, day.month, day.day)) is not None
        ]
        if day.which == "next":
            later = [value for value in near if value > today]
            value = later[0] if later else None
        else:
            slack = 0 if day.which == "past" else 1
            earlier = [value for value in near if (value - today).days <= slack]
            value = earlier[-1] if earlier else None
        if value is None:
            return None
        if part.weekdays and value.weekday() not in part.weekdays:
            return None
        if day.which == "current" and (value.year, value.month) != (today.year, today.month):
            conflicts.append(f"{value} is not in the current month")
            if (today - value).days > 45:
                return None
        return value, day, "nearest_year"

    def _alone_or_dateline(self, day: Day) -> bool:
        if not self.unknown:
            return True
        before, after = self.tokens[: day.first], self.tokens[day.last + 1 :]
        if any(token.has("event") for token in before) or len(before) > 8:
            return False
        return bool(after) and after[0].text in ("/", "(", "[", "-") and len(after) <= 14

    def _dated(
        self, part: _Part, made: date, calendar: str, basis: str, conflicts: list[str]
    ) -> FoundDate:
        times = self._usable_times(part, conflicts)
        spans = [(day.first, day.last) for day in part.days]
        spans += [(time.first, time.last) for time in times]
        first, last = min(a for a, _ in spans), max(b for _, b in spans)
        iso, precision, zone, foreign = made.isoformat(), Precision.DAY, None, False
        if times:
            time = times[0]
            foreign = time.foreign
            iso, zone = self._with_time(made, time)
            precision = time.precision
        found = self._found(iso, precision, part, first, last)
        return replace(
            found,
            zone=zone,
            calendar=calendar,
            basis=basis,
            conflicts=tuple(conflicts),
            foreign_zone=foreign,
        )

    def _usable_times(self, part: _Part, conflicts: list[str]) -> list[Time]:
        """The part's first time, unless it contradicts itself or starts a span of time."""
        if not part.times:
            return []
        time = part.times[0]
        if time.conflict is not None:
            conflicts.append(time.conflict)
            return []
        if len(part.times) > 1 and time.zone is None:
            second = part.times[1]
            between = self.tokens[time.last + 1 : second.first]
            joined = any(t.text in ("-", "و") or t.has("range_to") for t in between)
            if (
                joined
                and len(between) <= 2
                and (time.hour, time.minute)
                != (
                    second.hour,
                    second.minute,
                )
            ):
                conflicts.append("a span of time, not a time")
                return []
        return [time]

    def _with_time(self, day: date, time: Time) -> tuple[str, str | None]:
        name = time.zone or (None if time.foreign else self.zone)
        wall = datetime(day.year, day.month, day.day, time.hour, time.minute, time.second or 0)
        iso = wall.isoformat(timespec="minutes" if time.second is None else "seconds")
        if name is None:
            return iso, None
        return iso + _offset_of(wall, name), None if name[0] in "+-" else name

    def _relative(self, part: _Part, now: datetime) -> FoundDate | None:
        if len(part.relatives) > 1:
            return None
        one = part.relatives[0]
        if one.vague:
            return None
        if one.unit == "day_word":
            value = _shifted(now, one.amount)
            if value is None or (part.weekdays and value.weekday() not in part.weekdays):
                return None
            return self._relative_day(part, value, one.first, one.last)
        self.counted_back = True
        if part.times or part.weekdays:
            return None
        precision = _UNIT_PRECISION[one.unit]
        if one.unit in ("month", "year"):
            months = one.amount * (12 if one.unit == "year" else 1)
            year, month = _month_from(now, -months)
            iso = f"{year:04}-{month:02}"[: _CUT[precision]]
            if year < 1900:
                return None
        else:
            try:
                then = now - timedelta(seconds=one.amount * UNIT_SECONDS[one.unit])
            except OverflowError:
                return None
            if then.year < 1900:
                return None
            iso = _iso(then, precision)
        found = self._found(iso, precision, part, one.first, one.last)
        zone = self.zone if "T" in iso else None
        return replace(found, basis="relative", zone=zone)

    def _relative_day(self, part: _Part, value: date, first: int, last: int) -> FoundDate | None:
        """ "أمس الأربعاء", "اليوم 14:30", "الخميس الماضي" on their day."""
        conflicts: list[str] = []
        times = self._usable_times(part, conflicts)
        iso, precision, zone = value.isoformat(), Precision.DAY, None
        if times:
            iso, zone = self._with_time(value, times[0])
            precision = times[0].precision
            first, last = min(first, times[0].first), max(last, times[0].last)
        found = self._found(iso, precision, part, first, last)
        return replace(found, basis="relative", zone=zone, conflicts=tuple(conflicts))

    def _weekday_alone(self, part: _Part, now: datetime) -> FoundDate | None:
        if len(part.weekdays) != 1:
            return None
        at = next(i for i, token in enumerate(self.tokens) if token.has("weekday"))
        following = self.tokens.at(at + 1)
        which = None if following is None else which_of(following)
        last = at + (which is not None)
        off = (part.weekdays[0] - now.weekday()) % 7
        if which == "next":
            days = off or 7
        elif which == "past":
            days = off - 7
        else:
            days = off - 7 if off else 0
        value = _shifted(now, days)
        return None if value is None else self._relative_day(part, value, at, last)

    def _month_or_year(
        self, weekdays: Sequence[tuple[int, int]], times: Sequence[Time]
    ) -> FoundDate | None:
        """ "عام 2020", "شباط", "الشهر الماضي": only where they are the whole text."""
        if weekdays or times:
            return None
        telling = [
            (index, token)
            for index, token in enumerate(self.tokens)
            if not token.used
            and token.text not in QUIET_SIGNS
            and (not token.has("neutral") or token.has("year_word") or token.has("which_month"))
        ]
        part = self.parts[0]
        if len(telling) == len(self.tokens) - 1 == 2 and self.tokens.is_sign(1, "-"):
            return self._iso_month(part)
        if len(telling) == 2 and telling[0][1].has("year_word") and telling[1][1].digits == 4:
            year, last = telling[1][1].number, telling[1][0]
            if 1900 <= year <= 2100:
                return self._found(f"{year:04}", Precision.YEAR, part, telling[0][0], last)
            return None
        if self.now is None or not telling or len(telling) > 4:
            return None
        first, last = telling[0][0], telling[-1][0]
        words = [token for _, token in telling]
        which = which_of(words[-1])
        head = words[:-1] if which else words
        if head and head[0].has("which_month") and len(head) == 2:
            head = head[1:]
        moved = {"past": -1, "next": 1, "current": 0, None: 0}[which]
        month = head[0].integer("gregorian") if head else None
        names = [token.integer("gregorian") for token in head]
        if month is not None and names == [month] * len(head):
            head = head[:1]
        if len(head) != 1:
            return None
        if month is not None and (not head[0].has("weak")):
            ahead = month > self.now.month or (month == self.now.month and which == "past")
            year = self.now.year - ahead
            if which == "next":
                year = self.now.year + (month <= self.now.month)
            found = self._found(f"{year:04}-{month:02}", Precision.MONTH, part, first, last)
        elif which and head[0].has("which_month"):
            year, month = _month_from(self.now, moved)
            found = self._found(f"{year:04}-{month:02}", Precision.MONTH, part, first, last)
        elif which and head[0].has("which_year"):
            found = self._found(f"{self.now.year + moved:04}", Precision.YEAR, part, first, last)
        else:
            return None
        return replace(found, basis="relative")

    def _iso_month(self, part: _Part) -> FoundDate | None:
        """ "2020-09", but not the season 2011-12."""
        year, month = self.tokens[0], self.tokens[2]
        if year.digits != 4 or month.digits != 2 or (year.gap != month.gap and month.gap):
            return None
        if not (1900 <= year.number <= 2100 and 1 <= month.number <= 12):
            return None
        if month.number == (year.number + 1) % 100:
            return None
        return self._found(f"{year.text}-{month.text}", Precision.MONTH, part, 0, 2)

    def _found(
        self, iso: str, precision: Precision, part: _Part, first: int, last: int
    ) -> FoundDate:
        start = self.tokens[first].start
        end = self.tokens[min(last, len(self.tokens) - 1)].end
        return FoundDate(iso, precision, self.text[start:end], role=part.role, start=start, end=end)


def _offset_of(wall: datetime, zone: str) -> str:
    offset = wall.replace(tzinfo=_zone(zone)).utcoffset() or timedelta()
    minutes = round(offset.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _iso(moment: datetime, precision: Precision) -> str:
    if precision == Precision.DAY:
        return moment.date().isoformat()
    if precision == Precision.HOUR:
        moment = moment.replace(minute=0)
    spec = "seconds" if precision == Precision.SECOND else "minutes"
    return moment.replace(microsecond=0).isoformat(timespec=spec)


def _shifted(now: datetime, days: int) -> date | None:
    try:
        return now.date() + timedelta(days=days)
    except OverflowError:
        return None


def _month_from(now: datetime, months: int) -> tuple[int, int]:
    index = now.year * 12 + now.month - 1 + months
    return index // 12, index % 12 + 1
