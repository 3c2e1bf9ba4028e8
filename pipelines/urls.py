"""URLs: the one that a page is known by, and the key by which two of them are one page."""

import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import (
    SplitResult,
    parse_qsl,
    quote,
    unquote,
    urlencode,
    urljoin,
    urlsplit,
    urlunsplit,
)

from courlan import clean_url

#: Parameters that tell where a reader came from, beyond those that courlan takes off.
_TRACKING = re.compile(
    r"(?:fb_|ga_|mc_|ns_|at_|hsa_|utm_|__twitter|_ga$|_gl$|yclid$|spm$|cmpid?$|smid$|smtyp$|ocid$|"
    r"xtor$|ref(?:errer|_?src|_url)?$|share$|phpsessid$|jsessionid$|sessionid$)",
    re.I,
)
_TURNS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
#: Parameters and parts of a path that ask for another form of the same page.
_FORM = re.compile(r"(?:amp|outputtype|output|view|platform|m|mobile|print|nomobile)$", re.I)
_FORM_VALUE = re.compile(r"(?:|1|true|yes|amp|mobile|print|web)$", re.I)
_AMP_PATH = re.compile(r"/amp(?=/|$)|(?<=\.)amp\.(?=html?$)", re.I)
_MOBILE_HOST = re.compile(r"^(?:www|m|mobile|mobi|wap|amp|touch|lite)\d?\.(?=[^.]+\.)", re.I)


def host_of(url: str) -> str | None:
    """The host of a URL, lower case, without `www.`; None if it has none."""
    try:
        host = _split(url).hostname
    except ValueError:
        return None
    return host.removeprefix("www.") if host else None


def site_of(url: str) -> tuple[str, int | None] | None:
    """A URL's host without `www.`, `m.` or `amp.` before it, and its port if that is unusual."""
    try:
        parts = _split(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host:
        return None
    usual = port is None or port == {"http": 80, "https": 443}.get(parts.scheme)
    return _MOBILE_HOST.sub("", host.rstrip(".")), None if usual else port


def _split(url: str) -> SplitResult:
    """Its parts as a browser sees them, to which a backslash is a slash."""
    return urlsplit(url.replace("\\", "/"))


def canonical_url(stated: Sequence[str], url: str | None) -> str | None:
    """The page's one URL: as it states it if that is on the same site, else the one fetched.

    `stated` are the page's own statements in the order of trust, `url` is where it was fetched,
    if that is known. Without fragment and tracking parameters. A stated front page is no
    article's URL: some sites state it on every page, and all their articles would become one.
    """
    for candidate in stated:
        absolute = _absolute(candidate, url)
        if absolute is None or urlsplit(absolute).path in ("", "/"):
            continue
        if url is None or same_site(absolute, url):
            return absolute
    return _absolute(url, None) if url else None


def without_turns(url: str) -> str:
    """The URL with direction controls encoded, which would show `exe.gpj` as `jpg.exe`."""
    return _TURNS.sub(lambda turn: quote(turn[0]), url)


def without_tracking(url: str) -> str:
    """The URL as it is, but for its fragment and the parameters that count visitors.

    To ask for: nothing else is tidied, since some servers answer to one spelling alone.
    """
    address, _, _ = url.partition("#")
    path, sign, query = address.partition("?")
    kept = [pair for pair in query.split("&") if pair and not _TRACKING.match(pair.split("=")[0])]
    return f"{path}?{'&'.join(kept)}" if sign and kept else path


@lru_cache(maxsize=1 << 11)
def url_key(url: str) -> str:
    """Equal for the forms of one page: http or https, www., mobile or AMP, encoded or not.

    For matching only, never shown.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return url
    host = _MOBILE_HOST.sub("", host)
    path = _AMP_PATH.sub("", unquote(parts.path)).rstrip("/")
    query = sorted(
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if not (_FORM.match(name) and _FORM_VALUE.match(value)) and not _TRACKING.match(name)
    )
    return f"{host}{quote(path)}" + (f"?{urlencode(query)}" if query else "")


def _absolute(stated: str, base: str | None) -> str | None:
    try:
        joined = urljoin(base, stated) if base else stated
        cleaned = clean_url(joined.split("#")[0])
        if not cleaned:
            return None
        parts = urlsplit(cleaned)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    kept = [
        pair for pair in parts.query.split("&") if pair and not _TRACKING.match(pair.split("=")[0])
    ]
    return urlunsplit(parts._replace(query="&".join(kept)))


def same_site(one: str, other: str) -> bool:
    """Whether one host is the other or lies below it, mobile hosts beside www counted in."""
    a, b = (_MOBILE_HOST.sub("", host_of(url) or "") for url in (one, other))
    return bool(a and b) and (a == b or a.endswith(f".{b}") or b.endswith(f".{a}"))
