"""Sources: facts about outlets, from YAML files, typed when they are loaded."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from pipelines.errors import SourceError
from pipelines.urls import host_of, site_of

#: Documents that nobody names a source for, and whose page names no site.
UNNAMED = "files"

#: What `lookups` may translate.
LookupField = Literal["author", "place", "section"]

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_WEEK = "mon tue wed thu fri sat sun"
_CRON_FIELDS = ("minute", "hour", "day", "month", "day_of_week")
#: First label of a host that names the language of what stands below it.
_EDITIONS = {
    "ar": "ar",
    "arabic": "ar",
    "en": "en",
    "english": "en",
    "fa": "fa",
    "farsi": "fa",
    "persian": "fa",
    "fr": "fr",
    "french": "fr",
    "ku": "ku",
    "kurdish": "ku",
    "tr": "tr",
    "turkish": "tr",
    "ur": "ur",
    "urdu": "ur",
}


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{value!r} is no IANA zone such as Africa/Cairo") from error
    return value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from error
    return value


def _selector(value: str) -> str:
    # Loaded here, as below: most sources need none of it, and `warraq --help` needs no source.
    from cssselect import HTMLTranslator, SelectorError

    try:
        HTMLTranslator().css_to_xpath(value)
    except SelectorError as error:
        raise ValueError(f"{value!r} is no CSS selector: {error}") from error
    return value


def _day(value: object) -> object:
    """ "2004-02-11" or a year, of which the first day is meant; pydantic would count seconds."""
    if isinstance(value, date):
        return value
    text = str(value)
    try:
        return date(int(text), 1, 1) if re.fullmatch("[0-9]{4}", text) else date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no day such as 2004-02-11, and no year") from error


def _interval(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch("([1-9][0-9]{0,3})([mhd])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is no interval such as 15m, 2h or 1d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def interval_text(value: timedelta) -> str:
    """An interval as a source's file writes it: 15m, 2h, 1d."""
    seconds = int(value.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"  # no file can say it; tests are in a hurry


def _week(span: re.Match[str]) -> str:
    first, last = (_WEEK.find(day) for day in span.groups())
    return f"{span[1]}-sun,mon-{span[2]}" if first > last >= 0 else span[0]


def _cron(value: str) -> str:
    from apscheduler.triggers.cron import CronTrigger

    parts = value.split()
    if len(parts) != len(_CRON_FIELDS):
        raise ValueError(f"{value!r} is not minute, hour, day, month and weekday")
    if re.search("[0-9]", parts[-1]):
        # 0 is Sunday to cron and Monday to the scheduler: nobody shall have to know.
        raise ValueError(f"{value!r}: write weekdays by name, such as sun-thu")
    # Weeks that begin on Saturday or Sunday wrap around the scheduler's, which begins on Monday.
    parts[-1] = re.sub("([a-z]{3})-([a-z]{3})", _week, parts[-1].lower())
    try:
        CronTrigger(**dict(zip(_CRON_FIELDS, parts, strict=True)))
    except ValueError as error:
        raise ValueError(f"{value!r} is no time table: {error}") from error
    return " ".join(parts)


Said = Annotated[str, Field(pattern=r"\S")]
Pattern = Annotated[str, AfterValidator(_pattern)]
Selector = Annotated[str, AfterValidator(_selector)]
Url = Annotated[HttpUrl, Field(strict=False)]
Day = Annotated[date, BeforeValidator(_day)]
Every = Annotated[timedelta, BeforeValidator(_interval), PlainSerializer(interval_text)]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Listing(_Facts):
    """A page that links to articles: a section's front, an archive."""

    url: Url
    links: Pattern  # URLs of articles, searched in the absolute URL
    next: Selector | None = None  # the link to the next page
    pages: Annotated[int, Field(ge=1, le=1000)] = 1  # so many of them at most


class Pace(_Facts):
    """How hard a site may be asked. robots.txt may ask for less, never for more."""

    delay: Annotated[float, Field(ge=0, le=3600)] = 1.0  # seconds between two requests
    concurrency: Annotated[int, Field(ge=1, le=16)] = 1  # requests at once


class Selectors(_Facts):
    """CSS selectors, only where the page can't be read without them."""

    title: Selector | None = None
    text: Selector | None = None
    author: Selector | None = None
    date: Selector | None = None


class Expected(_Facts):
    """What a healthy day of the source looks like."""

    articles_a_day: Annotated[int, Field(ge=0)]  # at least


class Verified(_Facts):
    """When and how somebody last saw that the file is right. `on` is empty while nobody did."""

    on: Day | None = None
    how: Said


class Source(_Facts):
    """One outlet. `key` is the path of its file below `seeds/sources/`, without the ending."""

    key: Annotated[str, Field(pattern=r"^[^\s#]+$", max_length=255)]
    title: Said | None = None
    homepage: Annotated[HttpUrl | None, Field(strict=False)] = None
    country: Annotated[str, Field(pattern="^[a-z]{2}$")] | None = None
    language: Annotated[str, Field(pattern="^[a-z]{2,3}$")] | None = None
    zone: Annotated[str, AfterValidator(_zone)] | None = None
    founded: Day | None = None  # no article is older
    feeds: Annotated[tuple[Url, ...], Field(strict=False)] = ()  # RSS, Atom or RDF
    sitemaps: Annotated[tuple[Url, ...], Field(strict=False)] = ()  # index, news or plain, .gz too
    listings: Annotated[tuple[Listing, ...], Field(strict=False)] = ()
    articles: Pattern | None = None  # of the URLs found, only those that match are fetched
    skip: Pattern | None = None  # and none of these
    pace: Pace = Pace()
    every: Every | None = None
    cron: Annotated[str, AfterValidator(_cron)] | None = None  # instead of `every`, in `zone`
    dates: Literal["day_first", "month_first"] | None = None  # how 03/04/2024 is meant
    selectors: Selectors = Selectors()
    lookups: dict[LookupField, dict[str, str | None]] = {}  # printed value -> value meant, or none
    scripts: bool = False  # pages are made by scripts: needs a browser
    expected: Expected | None = None
    verified: Verified | None = None
    disabled: Said | None = None  # why it is not crawled

    @field_validator("cron", mode="after")
    @classmethod
    def _one_rhythm(cls, value: str | None, known: ValidationInfo) -> str | None:
        if value and known.data.get("every"):
            raise ValueError("either `every` or `cron`, not both")
        return value

    @property
    def host(self) -> str | None:
        """The host of its homepage, without `www.`."""
        return host_of(str(self.homepage)) if self.homepage else None

    @property
    def names_ways(self) -> bool:
        """Whether the file says how articles are found."""
        return bool(self.feeds or self.sitemaps or self.listings)

    @property
    def announced(self) -> str | None:
        """The page to ask for feeds and sitemaps, where the file names no way to the articles."""
        return str(self.homepage) if self.homepage and not self.names_ways else None

    @property
    def can_be_crawled(self) -> bool:
        return not self.disabled and (self.names_ways or self.announced is not None)

    def described(self) -> dict[str, Any]:
        """Its columns in the table `sources`."""
        return {
            "title": self.title,
            "homepage": str(self.homepage) if self.homepage else None,
            "country": self.country,
            "language": self.language,
            "zone": self.zone,
            "ad_hoc": False,
        }


# --- whose page is it? -------------------------------------------------------------------------

_Site = tuple[str, int | None]
_Path = tuple[str, ...]


class Sources(dict[str, Source]):
    """Sources by key, found by URL as well. Not to be changed once one was looked for."""

    @cached_property
    def _claims(self) -> dict[_Site, list[tuple[_Path, Source]]]:
        """Site -> its sources, those with the longest path first."""
        claims: dict[_Site, list[tuple[_Path, Source]]] = {}
        for source in self.values():
            if claim := _claim(source):
                claims.setdefault(claim[0], []).append((claim[1], source))
        for sharing in claims.values():
            sharing.sort(key=lambda one: -len(one[0]))
        return claims

    def of_url(self, url: str) -> Source | None:
        """The source whose homepage a page lies below; None if there is none.

        `www.`, `m.` and `amp.` hosts are their site's. Another subdomain is its parent's, unless
        it is somebody else's (on a host such as blogspot.com) or names another language.
        """
        site = site_of(url)
        if site is None:
            return None
        path = _path(url)
        host, port = site
        for at in ((host, port), (host, None)):
            for below, source in self._claims.get(at, ()):
                if path[: len(below)] == below:
                    return source
        for parent in _parents(host):
            for below, source in self._claims.get((parent, port), ()):
                if not below and _same_owner(host, parent) and _same_edition(host, source):
                    return source
        return None


def find_source(sources: Mapping[str, Source], key: str | None, url: str | None) -> Source | None:
    """The source that a page names, or whose site its URL is of; None if there is none.

    A key without a file gives an ad-hoc source of that key.
    """
    if key:
        return sources.get(key) or Source(key=key)
    if not url:
        return None
    known = sources if isinstance(sources, Sources) else Sources(sources)
    return known.of_url(url)


def _claim(source: Source) -> tuple[_Site, _Path] | None:
    """The site and path that a source's pages lie below."""
    homepage = str(source.homepage) if source.homepage else ""
    site = site_of(homepage)
    return (site, _path(homepage)) if site else None


def _path(url: str) -> _Path:
    try:
        parts = [part for part in urlsplit(url).path.split("/") if part]
    except ValueError:
        return ()
    # "/ar/index.html" and "/ar/home" stand for "/ar"
    if parts and ("." in parts[-1] or parts[-1].lower() in ("home", "index")):
        parts.pop()
    return tuple(parts)


def _parents(host: str) -> Iterator[str]:
    """ "a.b.example.org" -> "b.example.org", "example.org"; nothing for an address in figures."""
    labels = host.split(".")
    if ":" not in host and not labels[-1].isdigit():
        for at in range(1, len(labels) - 1):
            yield ".".join(labels[at:])


def _same_owner(host: str, parent: str) -> bool:
    from tld import get_fld

    try:
        own = get_fld(f"http://{host}/", fail_silently=True, search_private=True)
    except ValueError:
        return False
    return own is None or parent == own or parent.endswith(f".{own}")


def _same_edition(host: str, source: Source) -> bool:
    edition = _EDITIONS.get(host.split(".")[0])
    return edition is None or edition == source.language


# --- files -------------------------------------------------------------------------------------


def load_sources(folder: Path) -> Sources:
    """All `*.yml` files below `folder`, by key. Raises SourceError for the first wrong one, and
    for two that claim the same pages."""
    files = {
        file.relative_to(folder).with_suffix("").as_posix(): file
        for file in sorted(folder.rglob("*.yml"))
    }
    sources = Sources({key: load_source(file, key) for key, file in files.items()})
    claimed: dict[tuple[_Site, _Path], str] = {}
    for key, source in sources.items():
        if claim := _claim(source):
            other = claimed.setdefault(claim, key)
            if other != key:
                line = _line_of(_loader(files[key].read_text("utf-8")), ["homepage"])
                raise SourceError(f"{files[key]}:{line}: homepage: {files[other]} has it as well")
    return sources


def load_source(file: Path, key: str) -> Source:
    """One source file. Raises SourceError naming file, line and field."""
    try:
        text = file.read_text(encoding="utf-8")
        stated = _parsed(text)
    except _MisreadError as error:
        raise SourceError(f"{file}:{error.line}: {error}") from error
    except OSError as error:
        raise SourceError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{file}: {error}") from error
    if not isinstance(stated, dict):
        raise SourceError(f"{file}:1: a source is a list of fields such as `title: ...`")
    if "key" in stated:
        line = _line_of(_loader(text), ["key"])
        raise SourceError(f"{file}:{line}: key: the path of the file is its key")
    try:
        return Source.model_validate({"key": key, **stated})
    except ValidationError as error:
        wrong = error.errors()
        place = [part for part in wrong[0]["loc"] if part != "[key]"]
        line = _line_of(_loader(text), place)
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        field = ".".join(map(str, place))
        raise SourceError(f"{file}:{line}: {field}: {_said(wrong[0])}{more}") from error


class _MisreadError(Exception):
    """Raised for a file that is no YAML, or says a thing twice."""

    def __init__(self, said: str, line: int) -> None:
        super().__init__(said)
        self.line = line


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """First letter -> what a value that stands without quotes may be beside text."""
    kinds = (
        ("null", "~|null|", ("~", "n", "")),
        ("bool", "true|false", ("t", "f")),
        ("int", "-?(?:0|[1-9][0-9]*)", tuple("-0123456789")),
        ("float", r"-?[0-9]+\.[0-9]+", tuple("-0123456789")),
    )
    found: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for name, pattern, letters in kinds:
        for letter in letters:
            kind = (f"tag:yaml.org,2002:{name}", re.compile(f"(?:{pattern})$"))
            found.setdefault(letter, []).append(kind)
    return found


_PLAIN_VALUES = _resolvers()


def _loader(text: str) -> Any:
    """A YAML 1.2 reader with PyYAML's parser: only true, false, null and numbers are no text.

    In YAML 1.1, PyYAML's own, Norway's `no` is false, `on` is true and 12:30 is 750.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    loader.yaml_implicit_resolvers = _PLAIN_VALUES
    return loader


def _parsed(text: str) -> Any:
    """The values of a YAML document. Raises _MisreadError."""
    import yaml

    loader = _loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        for name in _twice(node):
            raise _MisreadError(f"{name.value}: stands twice", name.start_mark.line + 1)
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _MisreadError(f"no YAML: {error.problem}", mark.line + 1 if mark else 1) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _MisreadError(f"no YAML: {error}", 1) from error
    finally:
        loader.dispose()


def _twice(node: Any) -> Iterator[Any]:
    """The names of fields that their mapping has already; PyYAML lets the last one win."""
    if node.id == "mapping":
        seen = set()
        for name, value in node.value:
            if isinstance(name.value, str):  # else it is a list or a mapping, and refused later
                if name.value in seen:
                    yield name
                seen.add(name.value)
            yield from _twice(value)
    elif node.id == "sequence":
        for item in node.value:
            yield from _twice(item)


def _line_of(loader: Any, place: Iterable[Any]) -> int:
    """The line of a field, counted from 1; of the nearest one around it if it is not there."""
    node = loader.get_single_node()
    line: int = node.start_mark.line
    for step in place:
        if node.id == "sequence" and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
            continue
        named = [pair for pair in node.value if node.id == "mapping" and pair[0].value == str(step)]
        if not named:
            break
        line, node = named[0][0].start_mark.line, named[0][1]
    return line + 1


#: pydantic's kinds of error -> what a person is told instead of its own words.
_WORDS = {
    "string_type": "should be text; write numbers and the like in quotes",
    "tuple_type": "should be a list; write `- ` before each",
    "model_type": "should have fields of its own below it",
    "dict_type": "should have fields of its own below it",
    "missing": "is missing",
}


def _said(error: Any) -> str:
    place = [part for part in error["loc"] if part != "[key]"]
    if error["type"] in ("extra_forbidden", "literal_error") and (names := _names(error)):
        near = difflib.get_close_matches(str(place[-1]), names, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(names)}"
        return f"no such field; {hint}"
    if error["type"] == "string_pattern_mismatch":
        empty = not str(error["input"]).strip()
        return (
            "is empty" if empty else f"{error['input']!r} does not match {error['ctx']['pattern']}"
        )
    return _WORDS.get(error["type"]) or str(error["msg"]).removeprefix("Value error, ")


def _names(error: Any) -> list[str]:
    """The fields that there are where an unknown one stands; none if it is a wrong value."""
    place = error["loc"]
    if place[0] == "lookups" and place[-1] == "[key]":
        return list(get_args(LookupField))
    if error["type"] != "extra_forbidden":
        return []
    parts: dict[Any, type[BaseModel]] = {
        "listings": Listing,
        "pace": Pace,
        "selectors": Selectors,
        "expected": Expected,
        "verified": Verified,
    }
    model = parts.get(place[0], Source) if len(place) > 1 else Source
    return [name for name in model.model_fields if name != "key"]
