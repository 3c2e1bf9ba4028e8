"""Dates in the languages that our tables do not hold, read by dateparser.

dateparser knows some 200 languages, but no Levantine, Maghrebi or Moroccan month in Arabic, and it
reads Hijri years as Gregorian: it is asked only for text without a letter of the Arabic script
that has the plain form day, name of a month, year, and only after our own reader found nothing.
htmldate is not used: what it reads from a page's attributes `structured` reads too, with the time
that htmldate drops, and its guesses from the rest of a page were wrong on 8.7 % of pages.
"""

import re
from datetime import datetime

from pipelines.arabic import has_arabic
from pipelines.document import Precision
from pipelines.stages.dates import FoundDate

_MAX_CHARACTERS = 60
_DAY_MONTH_YEAR = re.compile(
    r"(?P<date>[^\W\d]{0,15}[,. ]{0,2}\d{1,2}[^\d/:-]{2,25}(?:19|20)\d{2}"
    r"|(?:19|20)\d{2}年\d{1,2}月\d{1,2}日)"
    r"(?P<time>[^\d]{1,8}\d{1,2}:\d{2})?[^\d]{0,12}"
)
_SETTINGS = {"STRICT_PARSING": True, "REQUIRE_PARTS": ["day", "month", "year"]}


def read_foreign_date(text: str) -> FoundDate | None:
    """A date such as "27 września 2020, 20:36"; no zone is read. None if it is no such date."""
    text = text.strip()
    if len(text) > _MAX_CHARACTERS or has_arabic(text):
        return None
    match = _DAY_MONTH_YEAR.fullmatch(text)
    if match is None:
        return None
    import dateparser  # half a second to load, for few pages only

    found = dateparser.parse(match.group("date"), settings=_SETTINGS)
    if found is None:
        return None
    if match.group("time"):
        hour, minute = map(int, re.findall(r"\d+", match.group("time")))
        if hour < 24 and minute < 60:
            stamp = datetime(found.year, found.month, found.day, hour, minute)
            return FoundDate(stamp.isoformat(timespec="minutes"), Precision.MINUTE, text)
    return FoundDate(found.date().isoformat(), Precision.DAY, text)
