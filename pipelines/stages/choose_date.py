"""Which of the dates that a page states is its date of publication, and which of its last change.

Rules, in their order:

1. Trust falls in the order of `METHODS`: what the source's own selector points at; what a
   manifest, JSON line, feed or news sitemap states; JSON-LD; meta tags; microdata; <time>
   elements; a printed date line; a dateline; the URL.
2. Published and modified never stand in for each other. A text that labels its dates ("نشر ... |
   آخر تحديث ...") is believed about their roles over the place where it was found.
3. A date more than a day after `fetched_at` (zones differ by as much), before 1990 or before
   `not_before` loses, and a flag says so.
4. A date whose year was not printed, or that was counted from the fetch ("منذ 3 ساعات"), stands
   behind all stated ones. A missing year is taken from the most trusted stated date; only where
   there is none, from the fetch: pages are fetched years later as well.
5. The most trusted candidate gives the day. It is outvoted only when two other kinds of evidence
   (stated, machine-readable, printed, URL) agree with each other on another day and none agrees
   with it; what a selector points at or is stated from outside is never outvoted.
6. A finer candidate on the same day gives the time; a midnight written by a machine (00:00 with
   Z, +00:00 or nothing) is no time beside a real one.
7. A "Z" beside a printed line with the same clock and no zone is wrong (some sites write local
   time with a Z): the offset is dropped, or taken from `zone` if that is not UTC by then.
8. A time without an offset takes the offset of `zone`, and the date names that zone.
9. Confidence starts from the method's, moves half way to 1 for each other kind of evidence that
   agrees on the day, and falls by 0.6 for each that does not. Each disagreement is a conflict. A
   day's difference between two zones, or to a dateline or URL, is neither.
10. When the last change precedes the publication (scheduled posts) both are kept and flagged.

`pipelines.stages.dates` reads; what it can't, in languages without Arabic letters, dateparser
does (`date_foreign`, which also says why htmldate is not used).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Literal
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from pipelines.document import ArticleDate, Precision
from pipelines.stages.date_foreign import read_foreign_date
from pipelines.stages.dates import FoundDate, read_dates

Role = Literal["published", "modified"]

#: Method -> (kind of evidence, confidence when it stands alone); the order is that of trust.
METHODS = {
    "selector": ("printed", 0.95),
    "stated": ("stated", 0.95),
    "json_ld": ("machine", 0.9),
    "meta": ("machine", 0.85),
    "microdata": ("machine", 0.85),
    "time_element": ("printed", 0.8),
    "date_line": ("printed", 0.8),
    "dateline": ("printed", 0.65),
    "url": ("url", 0.75),
}
EARLIEST = date(1990, 1, 1)

_TRUST = {method: rank for rank, method in enumerate(METHODS)}
_MACHINE = frozenset(("stated", "json_ld", "meta", "microdata", "time_element"))
_FINER = list(Precision)
_URL_DAYS = (
    # /2020/09/27/, /story/2020/9/27/, /2013/middle_east/8/3/
    re.compile(r"/((?:19|20)[0-9]{2})/(?:[a-z_-]{3,30}/)?([0-9]{1,2})/([0-9]{1,2})(?=/|$)", re.I),
    # /2020-09-27/, /2020-09-27-slug; /news/slug-2020-09-27
    re.compile(r"/((?:19|20)[0-9]{2})[-_]([0-9]{2})[-_]([0-9]{2})(?=[/_.-]|$)"),
    re.compile(r"[_-]((?:19|20)[0-9]{2})[-_]([0-9]{2})[-_]([0-9]{2})(?=/|\.html?$|$)"),
    # /2020-09/27/, /2020/0927/
    re.compile(r"/((?:19|20)[0-9]{2})-([0-9]{2})/([0-9]{2})(?=/)"),
    re.compile(r"/((?:19|20)[0-9]{2})/([0-9]{2})([0-9]{2})(?=/)"),
    # /20200927/slug, /20200927-slug, never a last part of figures only: that may be a number
    re.compile(r"/((?:19|20)[0-9]{2})([0-9]{2})([0-9]{2})(?=[/_-])"),
)
# /2024/mar/02/
_URL_MONTH = re.compile(r"/((?:19|20)[0-9]{2})/([a-z]{3})/([0-9]{2})(?=/)", re.I)


@dataclass(frozen=True, slots=True)
class DateCandidate:
    """A text that may hold a date, the method that found it (a key of `METHODS`), its role."""

    text: str
    method: str
    role: Role


@dataclass(frozen=True, slots=True)
class ChosenDates:
    """`flags`: date_unreadable, date_in_future, date_too_early, date_conflict, date_outvoted,
    wrong_utc_marker, modified_before_published, year_inferred.
    """

    published: ArticleDate | None
    modified: ArticleDate | None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Reading:
    method: str
    found: FoundDate
    order: int  # its place among the candidates

    @cached_property
    def day(self) -> date | None:
        return date.fromisoformat(self.found.iso[:10]) if len(self.found.iso) >= 10 else None

    @cached_property
    def moment(self) -> datetime | None:
        return datetime.fromisoformat(self.found.iso) if "T" in self.found.iso else None

    @property
    def kind(self) -> str:
        return METHODS[self.method][0]

    @property
    def trust(self) -> tuple[bool, int, int]:
        return self.found.basis != "stated", _TRUST[self.method], self.order


def choose_dates(
    candidates: Sequence[DateCandidate],
    fetched_at: datetime | None,
    zone: str | None,
    not_before: date | None = None,
    *,
    month_first: bool = False,
) -> ChosenDates:
    """The dates of an article from all candidates, by the rules above.

    `fetched_at` resolves relative dates and bounds the future; `zone` (IANA) is the source's, for
    times without an offset; `month_first` says how it means 03/04/2024. ValueError for an
    unknown method or zone.
    """
    flags: list[str] = []
    readings: dict[Role, list[_Reading]] = {"published": [], "modified": []}
    for candidate in candidates:
        if candidate.method not in METHODS:
            raise ValueError(f"unknown method of finding a date: {candidate.method!r}")
    now = _local(fetched_at, zone)
    read = [_read(candidate, now, month_first) for candidate in candidates]
    anchor = _most_trusted_day(candidates, read)
    for order, (candidate, found) in enumerate(zip(candidates, read, strict=True)):
        if anchor is not None and all(one.basis == "nearest_year" for one in found):
            again = _read(candidate, anchor, month_first)
            found = tuple(one for one in again if one.basis == "nearest_year") or found
        if not found and candidate.text.strip() and candidate.method not in ("url", "dateline"):
            flags.append("date_unreadable")
        for one in found:
            reading = _Reading(candidate.method, one, order)
            if (problem := _implausible(reading, fetched_at, not_before)) is not None:
                flags.append(problem)
                continue
            role: Role = candidate.role
            if one.role is not None:
                role = "modified" if one.role == "modified" else "published"
            readings[role].append(reading)
    published = _choose(readings["published"], zone, flags)
    modified = _choose(readings["modified"], zone, flags)
    if published and modified and _before(modified, published):
        flags.append("modified_before_published")
    return ChosenDates(published, modified, tuple(dict.fromkeys(flags)))


def date_of_url(url: str) -> str | None:
    """The ISO day that stands in a URL's path; None for a month alone or a mere number."""
    try:
        path = unquote(urlsplit(url[:2000]).path)
    except ValueError:
        return None
    for pattern in _URL_DAYS:
        for match in pattern.finditer(path):
            try:
                day = date(*map(int, match.groups()))
            except ValueError:
                continue
            if EARLIEST <= day <= date(2099, 12, 31):
                return day.isoformat()
    named = _URL_MONTH.search(path)
    found = read_dates(" ".join(reversed(named.groups()))) if named else ()
    return found[0].iso if found else None


def _read(
    candidate: DateCandidate, now: datetime | None, month_first: bool
) -> tuple[FoundDate, ...]:
    # Without the zone: whether the page itself states an offset decides rules 7 and 8.
    text = candidate.text
    if candidate.method == "url" and "/" in text:
        text = date_of_url(text) or ""
    found = read_dates(text, now, month_first=month_first)
    if found or candidate.method in ("url", "dateline"):
        return found
    foreign = read_foreign_date(text)
    return (foreign,) if foreign else ()


def _local(fetched_at: datetime | None, zone: str | None) -> datetime | None:
    if fetched_at is None or zone is None:
        return fetched_at
    info = _info(zone)
    return fetched_at.astimezone(info) if fetched_at.tzinfo else fetched_at.replace(tzinfo=info)


def _most_trusted_day(
    candidates: Sequence[DateCandidate], read: Sequence[tuple[FoundDate, ...]]
) -> datetime | None:
    """The reference for dates without a year: two days after the most trusted stated one."""
    stated = [
        (_TRUST[candidate.method], order, one.iso[:10])
        for order, (candidate, found) in enumerate(zip(candidates, read, strict=True))
        for one in found
        if one.basis == "stated" and len(one.iso) >= 10
    ]
    if not stated:
        return None
    return datetime.fromisoformat(min(stated)[2]) + timedelta(days=2)


def _info(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"no such time zone: {zone!r}") from error


def _implausible(
    reading: _Reading, fetched_at: datetime | None, not_before: date | None
) -> str | None:
    earliest = max(EARLIEST, not_before) if not_before is not None else EARLIEST
    precision = reading.found.precision
    iso = reading.found.iso
    if iso[: len(_cut(earliest, precision))] < _cut(earliest, precision):
        return "date_too_early"
    if fetched_at is None:
        return None
    moment = reading.moment
    if moment is not None and moment.tzinfo is not None and fetched_at.tzinfo is not None:
        return "date_in_future" if moment - fetched_at > timedelta(days=1) else None
    latest = _cut(fetched_at.date() + timedelta(days=1), precision)
    return "date_in_future" if iso[: len(latest)] > latest else None


def _cut(day: date, precision: Precision) -> str:
    return day.isoformat()[: {Precision.YEAR: 4, Precision.MONTH: 7}.get(precision, 10)]


def _choose(readings: list[_Reading], zone: str | None, flags: list[str]) -> ArticleDate | None:
    if not readings:
        return None
    readings = sorted(readings, key=lambda reading: reading.trust)
    best, outvoted = _voted(readings)
    conflicts = list(best.found.conflicts)
    if outvoted:
        flags.append("date_outvoted")
    agreeing = [other for other in readings if _same_day(best, other, zone)]
    chosen = _finest(best, agreeing, zone)
    conflicts += [text for text in chosen.found.conflicts if text not in conflicts]
    found = _right_zone(chosen, readings, zone, conflicts, flags)
    confidence = METHODS[best.method][1]
    if best.found.basis != "stated":
        confidence = 0.7 if best.found.basis == "relative" else 0.3
        if best.found.basis == "nearest_year":
            flags.append("year_inferred")
    support = {other.kind for other in agreeing} - {best.kind}
    confidence = 1 - (1 - confidence) * 0.5 ** len(support)
    against: set[str] = set()
    for other in readings:
        if other in agreeing or _nearly(best, other):
            continue
        conflicts.append(f"{other.method} says {other.found.iso[:10]}")
        if other.found.basis == "stated":
            against.add(other.kind)
    if against:
        flags.append("date_conflict")
    confidence *= 0.6 ** len(against)
    return ArticleDate(
        iso=found.iso,
        precision=found.precision,
        method=chosen.method,
        raw=found.raw,
        confidence=round(confidence, 3),
        zone=found.zone,
        conflicts=tuple(conflicts),
    )


def _voted(readings: list[_Reading]) -> tuple[_Reading, bool]:
    """The most trusted reading, unless two other kinds of evidence agree on another day."""
    first = readings[0]
    stated = [one for one in readings if one.found.basis == "stated" and one.day is not None]
    if first.method in ("selector", "stated") or first.day is None:
        return first, False
    if any(one.kind != first.kind and _nearly(first, one) for one in stated):
        return first, False
    for one in stated:
        others = {other.kind for other in stated if other.day == one.day}
        if not _nearly(first, one) and len(others - {first.kind}) >= 2:
            return one, True
    return first, False


def _same_day(one: _Reading, other: _Reading, zone: str | None) -> bool:
    """Whether two readings mean one day; times with offsets are compared as moments first."""
    if one.day is None or other.day is None:
        short = min(len(one.found.iso), len(other.found.iso), 10)
        return one.found.iso[:short] == other.found.iso[:short]
    if one.day == other.day:
        return True
    return bool(_local_days(one, zone) & _local_days(other, zone))


def _local_days(reading: _Reading, zone: str | None) -> set[date]:
    days = {reading.day} if reading.day is not None else set()
    moment = reading.moment
    if moment is not None and moment.tzinfo is not None and zone is not None:
        days.add(moment.astimezone(_info(zone)).date())
    return days


def _nearly(one: _Reading, other: _Reading) -> bool:
    """A day's difference that zones, an evening edition or a dateline explain; see rule 9."""
    if one.day is None or other.day is None:
        return _same_day(one, other, None)
    if one.day == other.day:
        return True
    loose = {one.method, other.method} & {"dateline", "url"}
    moments = [m for m in (one.moment, other.moment) if m is not None and m.tzinfo is not None]
    return abs((one.day - other.day).days) <= 1 and bool(loose or moments)


def _is_midnight(reading: _Reading) -> bool:
    moment = reading.moment
    return (
        moment is not None
        and reading.method in _MACHINE
        and (moment.hour, moment.minute, moment.second) == (0, 0, 0)
        and not moment.utcoffset()
    )


def _finest(best: _Reading, agreeing: Sequence[_Reading], zone: str | None) -> _Reading:
    """The reading that gives the time on the day of the best one."""
    timed = [one for one in agreeing if one.moment is not None and not _is_midnight(one)]
    if best.moment is not None and not _is_midnight(best):
        return best
    for one in timed:
        if one.found.basis == "stated" or best.found.basis != "stated":
            return one
    if best.moment is None:
        finer = _FINER.index(best.found.precision)
        for one in agreeing:
            if _FINER.index(one.found.precision) > finer and not _is_midnight(one):
                return one
        return best
    # A lone midnight of a machine is the day: nobody measured that second.
    cut = replace(best.found, iso=best.found.iso[:10], precision=Precision.DAY, zone=None)
    return _Reading(best.method, cut, best.order)


def _right_zone(
    chosen: _Reading,
    readings: Sequence[_Reading],
    zone: str | None,
    conflicts: list[str],
    flags: list[str],
) -> FoundDate:
    """Rules 7 and 8."""
    found, moment = chosen.found, chosen.moment
    if moment is None:
        return found
    naive = moment.replace(tzinfo=None)
    if moment.tzinfo is not None and not moment.utcoffset() and chosen.method in _MACHINE:
        for other in readings:
            printed = other.moment
            if other.method not in ("date_line", "time_element") or printed is None:
                continue
            if other.found.basis != "stated" or other.found.precision == Precision.HOUR:
                continue
            same_clock = printed.replace(second=0) == naive.replace(second=0, microsecond=0)
            if printed.tzinfo is not None or not same_clock:
                continue
            if zone is not None and not naive.replace(tzinfo=_info(zone)).utcoffset():
                break
            conflicts.append(f"{chosen.method} marks the printed local time as UTC")
            flags.append("wrong_utc_marker")
            spec = "seconds" if found.precision == Precision.SECOND else "minutes"
            found = replace(found, iso=naive.isoformat(timespec=spec), zone=None)
            moment = naive
            break
    if moment.tzinfo is None and zone is not None and not found.foreign_zone:
        spec = "seconds" if found.precision == Precision.SECOND else "minutes"
        local = naive.replace(tzinfo=_info(zone))
        return replace(found, iso=local.isoformat(timespec=spec), zone=zone)
    return found


def _before(one: ArticleDate, other: ArticleDate) -> bool:
    if "T" not in one.iso or "T" not in other.iso:
        length = min(len(one.iso), len(other.iso), 10)
        return one.iso[:length] < other.iso[:length]
    first, second = datetime.fromisoformat(one.iso), datetime.fromisoformat(other.iso)
    if (first.tzinfo is None) != (second.tzinfo is None):
        return first.date() < second.date()
    return first < second
