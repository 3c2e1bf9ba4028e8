"""WARC files: every response (or resource) record that holds a page is one page.

What is no page is counted and reported once a file: images, scripts, feeds, robots.txt, revisits.
"""

import base64
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from crawler.readers import remote
from crawler.readers.http_body import (
    HEAD,
    LOOKS_LIKE_HTML,
    BadRecordError,
    TooLargeError,
    http_head,
    parse_headers,
    payload,
)
from crawler.readers.manifest import Listed, is_web_address, read_time
from crawler.readers.options import ReadOptions
from crawler.readers.stream import GZIP_MAGIC, Source
from crawler.readers.warc_stream import ENDS, NEXT_SIZE, UNSURE, WarcStream
from pipelines.document import Origin, RawPage, Reason, Stated, Unreadable

#: What a crawl's file is called beside its name while it is written, one folder up.
OPEN = ".open"

_VERSION = re.compile(rb"WARC/[01]\.\d{1,2}\r?\n")
_CHARSET = re.compile(r"charset\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})", re.IGNORECASE)

_PAGES = {
    "text/html": "text/html",
    "application/xhtml+xml": "text/html",
    "text/plain": "text/plain",
}
_UNSTATED = ("", "application/octet-stream", "unknown/unknown", "application/unknown")
#: Text that sites hold ready for machines.
_NOTES = ("/robots.txt", "/ads.txt", "/app-ads.txt", "/humans.txt", "/security.txt", "/llms.txt")
#: Records beside the pages that nobody misses in a report.
_ATTENDANT = ("warcinfo", "request", "metadata")
_RECORDS = ("revisit", "conversion", "continuation")
_KINDS = 200  # that are counted apart: a hostile file could name a new one in every record
_GOES_ON = "reading goes on with the next good record"


@dataclass(slots=True)
class _Record:
    """A record's headers. `offset` is its place on disk."""

    offset: int
    headers: dict[str, str]
    length: int

    @property
    def kind(self) -> str:
        return self.headers.get("warc-type", "").lower()

    @property
    def url(self) -> str | None:
        url = self.headers.get("warc-target-uri", "").strip("<> ")  # WARC 1.0 had the brackets
        url = url.replace(" ", "%20")  # as browsers do
        return url if is_web_address(url) else None


def read_warc(
    source: Source, path: str, options: ReadOptions, listed: Listed
) -> Iterator[RawPage | Unreadable]:
    """The pages of a WARC file (1.0 or 1.1, packed or not), and what is wrong in it.

    `path#OFFSET` names a record by its place on disk; in a file that was packed as a whole, where
    a record has none, by its place in the unpacked data.
    """
    stream = WarcStream(source, options.max_bytes + HEAD)
    others: Counter[str] = Counter()
    default = listed.source or options.source

    def of_file(reason: Reason, detail: str) -> Unreadable:
        return Unreadable(path, reason, detail, None, default, Origin.WARC)

    empty = True
    while True:
        stream.skip_line_breaks()
        offset = stream.offset
        if not stream.have(1):
            if not stream.corrupt:
                break
            where = f"from byte {stream.member_offset:,} on {stream.corrupt}"
            yield of_file(Reason.BAD_RECORD, f"{where}; {_GOES_ON}")
            stream.find_next(stream.at)
            empty = False
            continue
        empty = False
        try:
            record = _read_head(stream)
        except BadRecordError as error:
            name, reason, detail = f"{path}#{offset}", Reason.BAD_RECORD, f"{error}; {_GOES_ON}"
            if stream.ends_in_head():
                reason = Reason.TRUNCATED
                detail = "the file ends in the headers of this record: fetch or copy it again"
            if not stream.cut:
                yield Unreadable(name, reason, detail, None, default, Origin.WARC)
            stream.find_next(stream.at + 1)
            continue
        yield from _read_record(stream, record, path, options, default, others)
    if stream.cut:
        where = f"in a record, or the gzip member that begins at byte {stream.member_offset:,}"
        yield of_file(Reason.TRUNCATED, f"the data end {where}: fetch or copy the file again")
    elif stream.unclosed:
        detail = "the data end before the line breaks that close the last record: copy it again"
        yield of_file(Reason.TRUNCATED, detail)
    elif empty:
        yield of_file(Reason.EMPTY, "the file is empty: fetch or copy it again")
    if others:
        count = others.total()
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in others.most_common(12))
        noun = "record that holds no page was" if count == 1 else "records that hold no page were"
        detail = f"{count:,} {noun} left alone: {kinds}"
        yield of_file(Reason.UNKNOWN_FORMAT, detail)


def read_record(path: str, offset: int, options: ReadOptions) -> RawPage | Unreadable:
    """The one page at `offset` of a WARC file, as `RawPage.archive` and `.offset` give it."""
    name = f"{path}#{offset}"
    keep = options.max_bytes + HEAD
    far = remote.is_url(path)
    with remote.open_url(path) if far else Path(_on_disk(path)).open("rb") as file:
        source = Source(file, file.seek(0, os.SEEK_END), None)
        source.seek(0)
        packed = source.peek(2) == GZIP_MAGIC
        source.seek(offset)
        if packed and source.peek(2) != GZIP_MAGIC:
            source.seek(0)
            stream = WarcStream(source, keep)
            stream.skip_to(offset)
        else:
            stream = WarcStream(source, keep, base=offset)
        try:
            record = _read_head(stream)
        except BadRecordError as error:
            return Unreadable(name, Reason.BAD_RECORD, f"{error}", origin=Origin.WARC)
        others: Counter[str] = Counter()
        for page in _read_record(stream, record, path, options, options.source, others):
            return page
        detail = f"the record holds no page but {', '.join(others) or record.kind}"
        return Unreadable(name, Reason.UNKNOWN_FORMAT, detail, origin=Origin.WARC)


def page_of_response(
    block: bytes, headers: Mapping[str, str], path: str, offset: int, options: ReadOptions
) -> RawPage | Unreadable | None:
    """What reading a response record with that block and those WARC headers gives; None if it
    holds no page. So a crawl sees a page just as a replay of its archive will."""
    named = {name.lower(): value for name, value in headers.items()}
    record = _Record(offset, named, len(block))

    def unreadable(reason: Reason, detail: str) -> Unreadable:
        return Unreadable(f"{path}#{offset}", reason, detail, record.url, None, Origin.WARC)

    try:
        return _page(block, record, path, options, options.source, Counter())
    except BadRecordError as error:
        return unreadable(Reason.BAD_RECORD, str(error))
    except TooLargeError:
        return unreadable(Reason.TOO_LARGE, f"a page of more than {options.max_bytes:,} bytes")


def _on_disk(path: str) -> str:
    """Where a file lies: a crawl may be writing it still, or was killed while it did."""
    folder, name = os.path.split(path)
    unfinished = os.path.join(os.path.dirname(folder), name + OPEN)
    return unfinished if not os.path.exists(path) and os.path.exists(unfinished) else path


def _read_head(stream: WarcStream) -> _Record:
    """The WARC headers. Raises BadRecordError, and has then taken nothing."""
    offset = stream.offset
    stream.have(NEXT_SIZE)
    if not stream.match(_VERSION):
        raise BadRecordError("no WARC record begins here")
    stream.note_row()
    block = stream.headers(HEAD)
    if block is None:
        raise BadRecordError("the record's headers do not end")
    headers = parse_headers(block)
    length = headers.get("content-length", "")
    if not (length.isascii() and length.isdecimal() and len(length) < 16):
        raise BadRecordError(f"its Content-Length is {length[:40]!r}")
    stream.take(len(block))
    return _Record(offset, headers, int(length))


def _read_record(
    stream: WarcStream,
    record: _Record,
    path: str,
    options: ReadOptions,
    default: str | None,
    others: Counter[str],
) -> Iterator[RawPage | Unreadable]:
    """What becomes of a record whose headers were read: at most one outcome."""
    name = f"{path}#{record.offset}"

    def unreadable(reason: Reason, detail: str) -> Unreadable:
        return Unreadable(name, reason, detail, record.url, default, Origin.WARC)

    start = stream.at
    small = record.length <= options.max_bytes + HEAD
    # Of a large record only the head is looked at: an image needs no more to be left alone.
    head = b"" if small else stream.look(HEAD)
    wrong = stream.pass_over(record.length)
    if wrong == ENDS:
        # The end of the file, or a length that is too large for the last records in it?
        whole = small and _is_whole(stream.look(HEAD), stream.left, record)
        if stream.find_next(start):
            yield unreadable(Reason.BAD_RECORD, "its Content-Length reaches into the next record")
        elif whole or (stream.packed and not stream.cut):
            detail = "its Content-Length is larger than what is left of the file"
            yield unreadable(Reason.BAD_RECORD, detail)
        elif not stream.cut:
            detail = "the file ends in the middle of this record: fetch or copy it again"
            yield unreadable(Reason.TRUNCATED, detail)
        return
    block = stream.since(start, record.length) if small and wrong in ("", UNSURE) else head
    if wrong and not (wrong == UNSURE and small and _is_proven(block, record)):
        yield unreadable(Reason.BAD_RECORD, f"{wrong}; {_GOES_ON}")
        stream.find_next(start)
        return
    try:
        page = _page(block, record, path, options, default, others)
    except BadRecordError as error:
        page = unreadable(Reason.BAD_RECORD, str(error))
    except TooLargeError:
        limit = f"more than {options.max_bytes:,} bytes"
        page = unreadable(Reason.TOO_LARGE, f"a page of {limit}: raise --max-bytes")
    if page is not None:
        yield page


def _page(
    block: bytes,
    record: _Record,
    path: str,
    options: ReadOptions,
    default: str | None,
    others: Counter[str],
) -> RawPage | Unreadable | None:
    """The record's page, or why there is none; None if it is of a kind that holds no pages.

    `block` is what the record holds, or the head of it where that is larger than a page may be.
    """
    name = f"{path}#{record.offset}"
    if record.kind in _ATTENDANT:
        return None
    if record.kind not in ("response", "resource"):
        others[record.kind if record.kind in _RECORDS else "of unknown types"] += 1
        return None
    http, body_at = http_head(block) if record.kind == "response" else (None, 0)
    if record.kind == "response" and http is None:
        if record.url is not None:
            raise BadRecordError("a response without HTTP headers")
        others["responses of other protocols"] += 1  # dns: and such
        return None
    headers, status, phrase = http or ({}, 200, "")
    own = _own(record)
    default = own.source or default
    if own.kind != "page":
        others[own.kind] += 1
        return None
    if status != 200:
        detail = f"HTTP status {status} {phrase}".strip()
        return Unreadable(name, Reason.HTTP_STATUS, detail, record.url, default, Origin.WARC)
    content_type = (
        headers.get("content-type", "") if http else record.headers.get("content-type", "")
    )
    stated = content_type.partition(";")[0].strip().lower()
    media_type = _PAGES.get(stated)
    if media_type is None and stated not in _UNSTATED:
        kind = stated[:40]
        others[kind if kind in others or len(others) < _KINDS else "of other types"] += 1
        return None
    if record.url is not None and (path_of := urlsplit(record.url).path) in _NOTES:
        others[path_of[1:]] += 1
        return None
    if len(block) < record.length:
        raise TooLargeError
    if "warc-segment-number" in record.headers:
        raise BadRecordError("a page in several records (segments), which Warraq does not join")
    cut = record.headers.get("warc-truncated", "").strip()
    body = block[body_at:]
    if "warc-block-digest" in record.headers:
        _check_digest(record.headers["warc-block-digest"], [block])
    forms = [body]
    body = payload(body, headers, options.max_bytes, bool(cut), forms)
    if "warc-block-digest" not in record.headers and not cut:
        # Programs disagree on which form of a page its digest is of: any of them will do.
        _check_digest(record.headers.get("warc-payload-digest", ""), forms)
    if media_type is None:
        found = record.headers.get("warc-identified-payload-type", "").partition(";")[0].strip()
        media_type = _PAGES.get(found.lower())
        if media_type is None and LOOKS_LIKE_HTML.match(body[:2000]):
            media_type = "text/html"
        if media_type is None:
            others["no stated type"] += 1
            return None
    if cut:
        headers = headers | {"warc-truncated": cut[:40]}
    if http:
        headers = headers | {":status": str(status)}
    charset = _CHARSET.search(content_type)
    return RawPage(
        body=body,
        path=name,
        url=record.url,
        source=default,
        fetched_at=_date(record),
        media_type=media_type,
        charset=charset[1].lower() if charset else None,
        headers=headers,
        origin=Origin.WARC,
        archive=path,
        offset=record.offset,
        stated=own.stated,
        moved_from=own.moved_from,
    )


#: What an address was to the crawl that fetched it; all but the first are no pages to replay.
_KIND = ("page", "feed", "sitemap", "listing", "front", "robots")


@dataclass(frozen=True, slots=True)
class _Own:
    """What a record of Warraq's own archive says beside the response."""

    kind: str = "page"
    source: str | None = None
    stated: Stated = field(default_factory=Stated)
    moved_from: str | None = None


def _own(record: _Record) -> _Own:
    """The record's facts; of what another program wrote there, nothing."""
    try:
        told = json.loads(record.headers.get("warc-json-metadata", "null"))
    except (ValueError, RecursionError):
        return _Own()
    told = told.get("warraq") if isinstance(told, dict) else None
    if not isinstance(told, dict):
        return _Own()
    stated = told.get("stated")
    stated = stated if isinstance(stated, dict) else {}
    source = _text(told.get("source"))
    return _Own(
        told["kind"] if told.get("kind") in _KIND else "page",
        source if source and _KEY.fullmatch(source) else None,
        Stated(*(_text(stated.get(name)) for name in ("title", "author", "published_at"))),
        _text(told.get("moved_from")),
    )


_KEY = re.compile(r"[^\s#]{1,255}")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _date(record: _Record) -> datetime | None:
    value = record.headers.get("warc-date")
    if value is None:
        return None
    try:
        if value.isascii() and value.isdecimal() and len(value) == 14:  # as ARC files had it
            return datetime.strptime(value, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        return read_time(re.sub(r"(\.\d{6})\d+", r"\1", value))  # WARC 1.1 allows nanoseconds
    except ValueError:
        raise BadRecordError(f"its WARC-Date is {value[:40]!r}") from None


def _check_digest(stated: str, forms: list[bytes]) -> None:
    """Raises BadRecordError if no form of the bytes has the stated digest (`sha1:...`)."""
    algorithm, _, value = stated.partition(":")
    algorithm = algorithm.strip().lower().replace("-", "")
    if algorithm not in ("sha1", "sha256", "sha512", "md5"):
        return
    for form in forms:
        digest = hashlib.new(algorithm, form, usedforsecurity=False).digest()
        base32 = base64.b32encode(digest).decode().rstrip("=").lower()
        if value.strip().rstrip("=").lower() in (digest.hex(), base32):
            return
    raise BadRecordError("its bytes do not have the digest that it states")


def _is_proven(block: bytes, record: _Record) -> bool:
    """Whether the length is right for all that the record itself says."""
    if "warc-block-digest" in record.headers:
        with suppress(BadRecordError):
            _check_digest(record.headers["warc-block-digest"], [block])
            return True
    return _is_whole(block[:HEAD], len(block) + 4, record)


def _is_whole(head: bytes, left: int, record: _Record) -> bool:
    """Whether HTTP says that the last record of a file, with its line breaks, is all there."""
    http, body_at = http_head(head)
    if http is None or record.kind != "response":
        return False
    return http[0].get("content-length", "") == str(left - body_at - 4)
