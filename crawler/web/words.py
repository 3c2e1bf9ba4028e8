"""What the page says, in both of its languages, and how it shows values."""

import re
import tomllib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from pipelines.arabic import has_arabic

LANGUAGES = ("ar", "en")
#: Written from right to left, of the languages that Warraq tells.
_RIGHT_TO_LEFT = frozenset(
    {"ar", "fa", "ur", "ckb", "ps", "sd", "ug", "he", "yi", "dv", "syr", "arz"}
)


@cache
def words(language: str) -> Mapping[str, str]:
    """The page's words in a language of LANGUAGES, by their keys in words.toml."""
    told = tomllib.loads((files("crawler.web") / "words.toml").read_text(encoding="utf-8"))
    return {key: said[language] for key, said in told.items()}


def choose_language(asked: str | None, kept: str | None, accepted: str | None) -> str:
    """The interface's language: asked for in the address, kept in a cookie, or the first of the
    browser's that we speak; Arabic without any."""
    for said in (asked, kept):
        if said in LANGUAGES:
            return said
    best, best_weight = LANGUAGES[0], 0.0
    for part in (accepted or "")[:1000].split(","):
        name, _, weight = part.strip().partition(";q=")
        spoken = name.strip().lower().split("-")[0]
        if not re.fullmatch(r"[01](\.[0-9]{0,3})?", weight or "1"):
            continue
        if spoken in LANGUAGES and float(weight or "1") > best_weight:
            best, best_weight = spoken, float(weight or "1")
    return best


def direction(language: str | None, text: str | None = None) -> str:
    """`dir` of a text: by its language, else by its letters."""
    if language is not None:
        return "rtl" if language in _RIGHT_TO_LEFT else "ltr"
    return "rtl" if has_arabic(text or "") else "ltr"


def moment(value: Any) -> str:
    """A date as stated, or an instant in UTC, as people read it: `2024-05-03 18:45 +03:00`."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M UTC")
    found = re.fullmatch(r"([^T]+)T([0-9:]+)(?:\.[0-9]+)?(.*)", str(value))
    if found is None:
        return str(value)
    zone = "UTC" if found[3] == "Z" else found[3]
    return f"{found[1]} {found[2]} {zone}".strip()


def web_address(value: str | None) -> str | None:
    """A URL that may be linked: http or https and nothing else."""
    try:
        return value if value and urlsplit(value).scheme in ("http", "https") else None
    except ValueError:
        return None


#: One, two, three to ten, more: Arabic counts in four forms.
_UNITS = {
    "ar": (
        ("يوم", "يومان", "أيام", "يوما"),
        ("ساعة", "ساعتان", "ساعات", "ساعة"),
        ("دقيقة", "دقيقتان", "دقائق", "دقيقة"),
    ),
    "en": (
        ("day", "2 days", "days", "days"),
        ("hour", "2 hours", "hours", "hours"),
        ("minute", "2 minutes", "minutes", "minutes"),
    ),
}


def span(minutes: int, language: str) -> str:
    """Minutes in words: `3 hours 25 minutes`; without minutes from a day on."""
    days, rest = divmod(abs(minutes), 1440)
    hours, left = divmod(rest, 60)
    counts = (days, hours, 0 if days else left)
    parts = [
        _counted(n, forms, language) for n, forms in zip(counts, _UNITS[language], strict=True) if n
    ]
    if not parts:
        parts = [_counted(0, _UNITS[language][2], language)]
    return (" و" if language == "ar" else " ").join(parts)


def _counted(n: int, forms: tuple[str, str, str, str], language: str) -> str:
    if n == 1:
        return forms[0] if language == "ar" else f"1 {forms[0]}"
    if n == 2:
        return forms[1]
    return f"{n} {forms[2] if 3 <= n % 100 <= 10 else forms[3]}"


@cache
def agency_names() -> Mapping[str, str]:
    """Agencies' names as the Arabic press prints them, by id."""
    lexicon = files("pipelines") / "lexicon" / "agencies.toml"
    told = tomllib.loads(lexicon.read_text(encoding="utf-8"))["agency"]
    return {one["id"]: one["names"][0] for one in told if one.get("names")}
