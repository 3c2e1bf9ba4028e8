"""JSON lines: every line is one page."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from crawler.readers.manifest import Listed, is_web_address, read_time
from crawler.readers.options import FIELDS, ReadOptions
from crawler.readers.stream import Corrupt, Cut, Source, unpacked
from pipelines.document import Origin, RawPage, Reason, Stated, Unreadable

#: A line may be this much longer than a page: \u0627 spells in six bytes what UTF-8 does in two.
_ESCAPES = 3


class BadRowError(Exception):
    """Raised when a line or row lacks what is wanted; its text says what, and the way out."""


def read_jsonl(
    source: Source, path: str, options: ReadOptions, listed: Listed
) -> Iterator[RawPage | Unreadable]:
    """One page a line (blank lines aside), or why there is none; `path#LINE` names it, from 1."""
    default = listed.source or options.source
    limit = options.max_bytes * _ESCAPES + 65_536
    met = 0
    try:
        for met, line in _lines(unpacked(source), limit):
            name = f"{path}#{met}"
            if line is None:
                detail = f"a line of more than {limit:,} bytes: split it, or raise --max-bytes"
                yield Unreadable(name, Reason.TOO_LARGE, detail, None, default, Origin.JSONL)
            elif line and not line.isspace():
                yield _page(line, name, options, default)
    except (Cut, Corrupt) as error:
        what = "end" if isinstance(error, Cut) else f"are damaged ({error})"
        reason = Reason.TRUNCATED if isinstance(error, Cut) else Reason.UNREADABLE
        detail = f"the gzip data {what} after line {met:,}: fetch or copy the file again"
        yield Unreadable(path, reason, detail, None, default, Origin.JSONL)
        return
    if not met:
        detail = "the file has no line: fetch or copy it again"
        yield Unreadable(path, Reason.EMPTY, detail, None, default, Origin.JSONL)


def _lines(chunks: Iterable[bytes], limit: int) -> Iterator[tuple[int, bytes | None]]:
    """Number and bytes of each line; None for one that is too long, which is never held whole."""
    number, size = 1, 0
    parts: list[bytes] = []
    for chunk in chunks:
        start = 0
        while start < len(chunk):
            end = chunk.find(b"\n", start)
            part = chunk[start:] if end < 0 else chunk[start:end]
            size += len(part)
            if size <= limit:
                parts.append(part)
            else:
                parts.clear()
            if end < 0:
                break
            yield number, b"".join(parts) if size <= limit else None
            parts.clear()
            start, size, number = end + 1, 0, number + 1
    if size:
        yield number, b"".join(parts) if size <= limit else None


def _page(
    line: bytes, name: str, options: ReadOptions, default: str | None
) -> RawPage | Unreadable:
    try:
        row = _row(line)
    except BadRowError as error:
        return Unreadable(name, Reason.BAD_LINE, str(error), None, default, Origin.JSONL)
    return page_of_row(row, name, options, default, Origin.JSONL)


def page_of_row(
    row: Mapping[str, Any], name: str, options: ReadOptions, default: str | None, origin: Origin
) -> RawPage | Unreadable:
    """The page that an object with the fields holds, or why it holds none."""
    url = None
    try:
        url = _address(row, options)
        source = _string(row, "source", options) or default
        body, media_type = _body(row, options)
        if len(body) > options.max_bytes:
            detail = f"{len(body):,} bytes, allowed are {options.max_bytes:,}: raise --max-bytes"
            return Unreadable(name, Reason.TOO_LARGE, detail, url, source, origin)
        return RawPage(
            body=body,
            path=name,
            url=url,
            source=source,
            fetched_at=_time(row, options),
            media_type=media_type,
            charset="utf-8",  # it holds for HTML as well, whatever its <meta> says: it was decoded
            origin=origin,
            stated=Stated(
                _string(row, "title", options),
                _author(row, options),
                _string(row, "published_at", options),
            ),
        )
    except BadRowError as error:
        return Unreadable(name, Reason.BAD_LINE, str(error), url, default, origin)


def _row(line: bytes) -> dict[str, Any]:
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRowError(f"byte {error.start + 1} is no UTF-8: convert the file") from None
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        way_out = "write one whole object a line"
        raise BadRowError(f"no JSON ({error.msg}, column {error.colno}): {way_out}") from None
    except (ValueError, RecursionError):
        raise BadRowError("JSON with too long a number, or nested too deep: mend it") from None
    if not isinstance(row, dict):
        kind = _kind(row)
        raise BadRowError(f"{kind} where an object is wanted: write one object a line")
    return row


def _body(row: Mapping[str, Any], options: ReadOptions) -> tuple[bytes, str]:
    html, text = _string(row, "html", options), _string(row, "text", options)
    if html:
        return html.encode(), "text/html"
    if text is not None:
        return text.encode(), "text/plain"
    if html is not None:
        return b"", "text/html"
    has = ", ".join(map(repr, list(row)[:8])) or "nothing"
    ours = " or ".join(repr(options.fields.get(name, name)) for name in ("text", "html"))
    raise BadRowError(f"neither {ours} in it, but {has[:200]}: map the field with --field")


def _address(row: Mapping[str, Any], options: ReadOptions) -> str | None:
    url = (_string(row, "url", options) or "").strip()
    if url and not is_web_address(url):
        raise BadRowError(f"url: {url[:80]!r} is no http(s) address: mend it, or leave it out")
    return url or None


def _time(row: Mapping[str, Any], options: ReadOptions) -> datetime | None:
    value = _string(row, "fetched_at", options)
    try:
        return read_time(value) if value else None
    except ValueError as error:
        raise BadRowError(f"fetched_at: {error}") from None


def _author(row: Mapping[str, Any], options: ReadOptions) -> str | None:
    """A string, or a list of them: the one field that files often hold as a list."""
    value = _value(row, "author", options)
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        row = {"author": ", ".join(value)}
        options = ReadOptions()
    return _string(row, "author", options)


def _string(row: Mapping[str, Any], field: str, options: ReadOptions) -> str | None:
    value = _value(row, field, options)
    if value is None:
        return None
    if not isinstance(value, str):
        theirs = options.fields.get(field, field)
        raise BadRowError(f"{theirs}: {_kind(value)} where a string is wanted")
    try:
        value.encode()
    except UnicodeEncodeError:
        theirs = options.fields.get(field, field)
        raise BadRowError(f"{theirs}: holds half a character (a lone surrogate)") from None
    return value


def _value(row: Mapping[str, Any], field: str, options: ReadOptions) -> object:
    """The value of one of our fields. A name with dots goes into objects, numbers into lists."""
    assert field in FIELDS  # noqa: S101 - a typing error of ours, not of the file's
    theirs = options.fields.get(field, field)
    if theirs in row:
        return row[theirs]
    value: object = row
    for part in theirs.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and len(part) < 6:
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None
    return value


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    return names.get(type(value), "null" if value is None else "a number")
