"""WARC files: every response (or resource) record that holds a page is one page.

The records are framed here and not by fastwarc, because a page must not be believed before its
record is: fastwarc 2.0 returns a body that is cut short as if it were whole, reads a too long one
on into the next record and over the border of gzip members, and stops at the first thing that it
can't parse. Here a record counts if its length leads to the next record, and after damage the
reading goes on with the next good record.

What is no page is counted and reported once a file: images, scripts, feeds, robots.txt, revisits.
"""

import base64
import hashlib
import re
import zlib
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import brotli  # type: ignore[import-untyped]  # it ships no types
import zstandard

from crawler.readers.manifest import Listed, is_web_address, read_time
from crawler.readers.options import ReadOptions
from crawler.readers.stream import CHUNK, GZIP_MAGIC, Source
from pipelines.document import Origin, RawPage, Reason, Unreadable

_HEAD = 65_536  # bytes that the headers of a record, or of an HTTP response, may take
_PROBE = 4_096  # packed bytes that are enough to see the start of a record
_ZSTD_STEP = 512  # packed bytes at a time: its unpacker knows no limit, and 4 may become 131,072
_VERSION = re.compile(rb"WARC/[01]\.\d{1,2}\r?\n")
_NEXT = re.compile(rb"WARC/[01]\.\d{1,2}\r?\n(?=WARC-|Content-)", re.IGNORECASE)
_NEXT_SIZE = 32  # bytes that a match of _NEXT may take
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)?\s{1,9}(\d{3})(?:[ \t]{1,9}([^\r\n]{0,100}))?")
_CHUNK_SIZE = re.compile(rb"[ \t]{0,9}([0-9a-fA-F]{1,15})[ \t]{0,9}(?:;[^\r\n]{0,999})?\r?\n")
_CHARSET = re.compile(r"charset\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_LOOKS_LIKE_HTML = re.compile(rb"\s{0,999}<(?:!doctype html|html|head|body|!--|\?xml)", re.I)

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


_GOES_ON = "reading goes on with the next good record"
#: What `_Stream.pass_over` may find, beside sentences for people.
_ENDS = "the data end in it"
_UNSURE = "the next record does not begin where its Content-Length says that it ends"


class _BadRecordError(Exception):
    """Raised when a record contradicts itself; its text says how."""


class _TooLargeError(Exception):
    """Raised when a body is larger than a page may be."""


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
    stream = _Stream(source, options.max_bytes + _HEAD)
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
        except _BadRecordError as error:
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
    keep = options.max_bytes + _HEAD
    with Path(path).open("rb") as file:
        source = Source(file, Path(path).stat().st_size, None)
        packed = source.peek(2) == GZIP_MAGIC
        source.seek(offset)
        if packed and source.peek(2) != GZIP_MAGIC:
            source.seek(0)
            stream = _Stream(source, keep)
            stream.skip_to(offset)
        else:
            stream = _Stream(source, keep, base=offset)
        try:
            record = _read_head(stream)
        except _BadRecordError as error:
            return Unreadable(name, Reason.BAD_RECORD, f"{error}", origin=Origin.WARC)
        others: Counter[str] = Counter()
        for page in _read_record(stream, record, path, options, options.source, others):
            return page
        detail = f"the record holds no page but {', '.join(others) or record.kind}"
        return Unreadable(name, Reason.UNKNOWN_FORMAT, detail, origin=Origin.WARC)


def _read_head(stream: "_Stream") -> _Record:
    """The WARC headers. Raises _BadRecordError, and has then taken nothing."""
    offset = stream.offset
    stream.have(_NEXT_SIZE)
    if not stream.match(_VERSION):
        raise _BadRecordError("no WARC record begins here")
    stream.note_row()
    block = stream.headers(_HEAD)
    if block is None:
        raise _BadRecordError("the record's headers do not end")
    headers = _parse_headers(block)
    length = headers.get("content-length", "")
    if not (length.isascii() and length.isdecimal() and len(length) < 16):
        raise _BadRecordError(f"its Content-Length is {length[:40]!r}")
    stream.take(len(block))
    return _Record(offset, headers, int(length))


def _read_record(
    stream: "_Stream",
    record: _Record,
    path: str,
    options: ReadOptions,
    default: str | None,
    others: Counter[str],
) -> Iterator[RawPage | Unreadable]:
    """What becomes of a record whose headers were read: at most one outcome, and one of its end."""
    name = f"{path}#{record.offset}"

    def unreadable(reason: Reason, detail: str) -> Unreadable:
        return Unreadable(name, reason, detail, record.url, default, Origin.WARC)

    start = stream.at
    small = record.length <= options.max_bytes + _HEAD
    # Of a large record only the head is looked at: an image needs no more to be left alone.
    head = b"" if small else stream.look(_HEAD)
    wrong = stream.pass_over(record.length)
    if wrong == _ENDS:
        # The end of the file, or a length that is too large for the last records in it?
        whole = small and _is_whole(stream.look(_HEAD), stream.left, record)
        if stream.find_next(start):
            yield unreadable(Reason.BAD_RECORD, "its Content-Length reaches into the next record")
        elif whole or (stream.packed and not stream.cut):
            detail = "its Content-Length is larger than what is left of the file"
            yield unreadable(Reason.BAD_RECORD, detail)
        elif not stream.cut:
            detail = "the file ends in the middle of this record: fetch or copy it again"
            yield unreadable(Reason.TRUNCATED, detail)
        return
    block = stream.since(start, record.length) if small and wrong in ("", _UNSURE) else head
    if wrong and not (wrong == _UNSURE and small and _is_proven(block, record)):
        yield unreadable(Reason.BAD_RECORD, f"{wrong}; {_GOES_ON}")
        stream.find_next(start)
        return
    try:
        page = _page(block, record, path, options, default, others)
    except _BadRecordError as error:
        page = unreadable(Reason.BAD_RECORD, str(error))
    except _TooLargeError:
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
        others[record.kind or "untyped"] += 1
        return None
    http, body_at = _http_head(block) if record.kind == "response" else (None, 0)
    if record.kind == "response" and http is None:
        scheme = record.headers.get("warc-target-uri", "").strip("<").partition(":")[0][:10]
        if scheme.lower() in ("http", "https"):
            raise _BadRecordError("a response without HTTP headers")
        others[f"{scheme} response"] += 1
        return None
    headers, status, phrase = http or ({}, 200, "")
    if status != 200:
        detail = f"HTTP status {status} {phrase}".strip()
        return Unreadable(name, Reason.HTTP_STATUS, detail, record.url, default, Origin.WARC)
    content_type = (
        headers.get("content-type", "") if http else record.headers.get("content-type", "")
    )
    stated = content_type.partition(";")[0].strip().lower()
    media_type = _PAGES.get(stated)
    if media_type is None and stated not in _UNSTATED:
        others[stated[:40]] += 1
        return None
    if record.url is not None and (path_of := urlsplit(record.url).path) in _NOTES:
        others[path_of[1:]] += 1
        return None
    if len(block) < record.length:
        raise _TooLargeError
    if "warc-segment-number" in record.headers:
        raise _BadRecordError("a page in several records (segments), which Warraq does not join")
    cut = record.headers.get("warc-truncated", "").strip()
    body = block[body_at:]
    if "warc-block-digest" in record.headers:
        _check_digest(record.headers["warc-block-digest"], [block])
    forms = [body]
    body = _payload(body, headers, options.max_bytes, bool(cut), forms)
    if "warc-block-digest" not in record.headers and not cut:
        # Programs disagree on which form of a page its digest is of: any of them will do.
        _check_digest(record.headers.get("warc-payload-digest", ""), forms)
    if media_type is None:
        found = record.headers.get("warc-identified-payload-type", "").partition(";")[0].strip()
        media_type = _PAGES.get(found.lower())
        if media_type is None and _LOOKS_LIKE_HTML.match(body[:2000]):
            media_type = "text/html"
        if media_type is None:
            others["no stated type"] += 1
            return None
    if cut:
        headers = headers | {"warc-truncated": cut[:40]}
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
    )


def _date(record: _Record) -> datetime | None:
    value = record.headers.get("warc-date")
    if value is None:
        return None
    try:
        if value.isascii() and value.isdecimal() and len(value) == 14:  # as ARC files had it
            return datetime.strptime(value, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        return read_time(re.sub(r"(\.\d{6})\d+", r"\1", value))  # WARC 1.1 allows nanoseconds
    except ValueError:
        raise _BadRecordError(f"its WARC-Date is {value[:40]!r}") from None


def _parse_headers(block: bytes) -> dict[str, str]:
    """Names in lower case; a header that comes twice is joined by a comma, as HTTP has it."""
    headers: dict[str, str] = {}
    name = ""
    for line in block.split(b"\n")[1:]:
        text = line.rstrip(b"\r").decode("utf-8", "replace")
        if text[:1] in (" ", "\t") and name:
            headers[name] += " " + text.strip()
            continue
        name, colon, value = text.partition(":")
        name = name.strip().lower()
        if not colon or not name:
            name = ""
        elif name in headers and name != "content-length":
            headers[name] += ", " + value.strip()
        else:
            headers[name] = value.strip()
    return headers


def _http_head(block: bytes) -> tuple[tuple[dict[str, str], int, str] | None, int]:
    """Headers, status and its phrase, and where the body begins."""
    status = _STATUS.match(block)
    if status is None:
        return None, 0
    ends = [(at, size) for mark, size in ((b"\r\n\r\n", 4), (b"\n\n", 2))
            if (at := block.find(mark, 0, _HEAD)) >= 0]  # fmt: skip
    end, size = min(ends, default=(len(block), 0))
    phrase = (status[2] or b"").decode("latin-1").strip()
    return (_parse_headers(block[:end]), int(status[1]), phrase), end + size


def _check_digest(stated: str, forms: list[bytes]) -> None:
    """Raises _BadRecordError if no form of the bytes has the stated digest (`sha1:...`)."""
    algorithm, _, value = stated.partition(":")
    algorithm = algorithm.strip().lower().replace("-", "")
    if algorithm not in ("sha1", "sha256", "sha512", "md5"):
        return
    for form in forms:
        digest = hashlib.new(algorithm, form, usedforsecurity=False).digest()
        base32 = base64.b32encode(digest).decode().rstrip("=").lower()
        if value.strip().rstrip("=").lower() in (digest.hex(), base32):
            return
    raise _BadRecordError("its bytes do not have the digest that it states")


def _is_proven(block: bytes, record: _Record) -> bool:
    """Whether the length is right for all that the record itself says."""
    if "warc-block-digest" in record.headers:
        with suppress(_BadRecordError):
            _check_digest(record.headers["warc-block-digest"], [block])
            return True
    return _is_whole(block[:_HEAD], len(block) + 4, record)


def _is_whole(head: bytes, left: int, record: _Record) -> bool:
    """Whether HTTP says that the last record of a file, with its line breaks, is all there."""
    http, body_at = _http_head(head)
    if http is None or record.kind != "response":
        return False
    return http[0].get("content-length", "") == str(left - body_at - 4)


def _payload(
    body: bytes, headers: dict[str, str], limit: int, cut: bool, forms: list[bytes]
) -> bytes:
    """The page out of its transfer and content encodings, no larger than `limit`.

    Every form that it had on the way is added to `forms`.

    Many crawlers store the page unpacked but keep the headers, so an encoding that the bytes
    do not have is no error.
    """
    encodings = [name.strip().lower() for name in headers.get("content-encoding", "").split(",")]
    length = headers.get("content-length", "")
    chunked = "chunked" in headers.get("transfer-encoding", "").lower()
    if chunked:
        body = _unchunk(body, cut)
        forms.append(body)
    elif (
        not cut
        and length.isascii()
        and length.isdecimal()
        and len(length) < 16
        and len(body) < int(length)
        and (not any(encodings) or _is_packed(body, encodings[-1]))
    ):
        raise _BadRecordError(f"HTTP announced {int(length):,} bytes, the record has {len(body):,}")
    for encoding in reversed(encodings):
        body = _unpack(body, encoding, limit, cut)
        forms.append(body)
    if len(body) > limit:
        raise _TooLargeError
    return body


def _unchunk(body: bytes, cut: bool) -> bytes:
    parts: list[bytes] = []
    at = 0
    while True:
        size = _CHUNK_SIZE.match(body, at)
        if size is None:
            if not parts:
                return body  # it was joined when it was stored
            if cut:
                break
            raise _BadRecordError("its chunked HTTP body is broken, or ends early")
        count = int(size[1], 16)
        if count == 0:
            break
        part = body[size.end() : size.end() + count]
        if len(part) < count and not cut:
            if not parts:
                return body  # a text that happens to begin with hexadecimal digits
            raise _BadRecordError("its chunked HTTP body is broken, or ends early")
        parts.append(part)
        at = size.end() + count
        if body.startswith(b"\r\n", at):
            at += 2
        elif body.startswith(b"\n", at):
            at += 1
    return b"".join(parts)


def _is_packed(body: bytes, encoding: str) -> bool:
    if encoding in ("gzip", "x-gzip"):
        return body.startswith(GZIP_MAGIC)
    if encoding == "zstd":
        return body.startswith(b"\x28\xb5\x2f\xfd")
    if encoding in ("deflate", "br"):
        return not _LOOKS_LIKE_HTML.match(body[:2000])
    return False


def _unpack(body: bytes, encoding: str, limit: int, cut: bool) -> bytes:
    """One content encoding undone; at most `limit` bytes and one are ever unpacked."""
    if not body or not _is_packed(body, encoding):
        return body
    try:
        if encoding in ("gzip", "x-gzip"):
            page, whole = _inflate(body, 31, limit)
        elif encoding == "deflate":
            try:
                page, whole = _inflate(body, 15, limit)
            except zlib.error:
                page, whole = _inflate(body, -15, limit)  # what some servers call deflate
        elif encoding == "br":
            page, whole = _brotli(body, limit)
        else:
            page, whole = _zstd(body, limit)
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        if encoding == "br" and not any(byte < 9 for byte in body[:500]):
            return body  # Brotli has no magic number: these bytes never were in it
        raise _BadRecordError(f"its {encoding} body can't be unpacked ({error})") from None
    if len(page) > limit:
        raise _TooLargeError
    if not whole and not cut:
        raise _BadRecordError(f"its {encoding} body ends early")
    return page


def _inflate(body: bytes, wbits: int, limit: int) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    size = 0
    while True:
        inflater = zlib.decompressobj(wbits=wbits)
        part = inflater.decompress(body, limit + 1 - size)
        parts.append(part)
        size += len(part)
        if size > limit or not inflater.eof:
            return b"".join(parts), inflater.eof
        body = inflater.unused_data
        if not body.startswith(GZIP_MAGIC):  # a body may be several gzip members
            return b"".join(parts), True


def _brotli(body: bytes, limit: int) -> tuple[bytes, bool]:
    unpacker = brotli.Decompressor()
    parts: list[bytes] = []
    size = 0
    for start in range(0, len(body), CHUNK):
        part = unpacker.process(body[start : start + CHUNK], output_buffer_limit=limit + 1 - size)
        while part:
            parts.append(part)
            size += len(part)
            if size > limit:
                return b"".join(parts), True
            if unpacker.can_accept_more_data():
                break
            part = unpacker.process(b"", output_buffer_limit=limit + 1 - size)
    return b"".join(parts), unpacker.is_finished()


def _zstd(body: bytes, limit: int) -> tuple[bytes, bool]:
    unpacker = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
    parts: list[bytes] = []
    size = 0
    for start in range(0, len(body), _ZSTD_STEP):
        part = unpacker.decompress(body[start : start + _ZSTD_STEP])
        parts.append(part)
        size += len(part)
        if size > limit or unpacker.eof:
            break
    return b"".join(parts), size > limit or unpacker.eof


class _Stream:
    """The unpacked bytes of a WARC file, with a way back to the start of the present record.

    `at` counts unpacked bytes. What was taken is dropped when the next record begins.
    """

    def __init__(self, source: Source, keep: int, base: int = 0) -> None:
        """`keep` is the length up to which a record's bytes are held until the next begins."""
        self._source = source
        self._keep = keep
        self._buffer = bytearray()
        self._start = base  # of the buffer, in unpacked bytes
        self._next = 0  # the present place, in the buffer
        self._ended = False
        self._inflater = zlib.decompressobj(wbits=31)
        self._packed_bytes = b""  # read, but not unpacked yet
        self._more_inside = False  # the inflater holds bytes back
        self._fresh = True  # nothing of the present member was unpacked yet
        self._members: deque[tuple[int, int]] = deque()  # starts: unpacked, on disk
        self._reread = 0
        self.packed = source.peek(2) == GZIP_MAGIC
        self.member_offset = self._member_at = base
        self.cut = False
        self.unclosed = False
        self.corrupt = ""
        self._in_row = False
        if self.packed:
            self._members.append((base, base))

    @property
    def at(self) -> int:
        return self._start + self._next

    @property
    def left(self) -> int:
        """Bytes that were unpacked and not taken."""
        return len(self._buffer) - self._next

    @property
    def offset(self) -> int:
        """On disk, if that is known: of a packed file it is where a member begins."""
        at = self.at
        while self._members and self._members[0][0] < at:
            self._members.popleft()
        return self._members[0][1] if self._members and self._members[0][0] == at else at

    def note_row(self) -> None:
        """A record begins here: if it does so at the start of a later gzip member, all do."""
        offset = self.offset
        if offset > 0 and self._members and self._members[0][0] == self.at:
            self._in_row = True

    def have(self, count: int) -> bool:
        """Whether so many bytes follow; they are in the buffer then."""
        while self.left < count:
            if not self._fill():
                return False
        return True

    def look(self, count: int) -> bytes:
        """The next bytes, fewer only at the end."""
        self.have(count)
        return self._slice(self._next, self._next + count)

    def since(self, at: int, count: int) -> bytes:
        """Bytes of the present record that were taken already."""
        return self._slice(at - self._start, at - self._start + count)

    def match(self, pattern: re.Pattern[bytes]) -> bool:
        return pattern.match(self._buffer, self._next) is not None

    def headers(self, limit: int) -> bytes | None:
        """All up to and with the next empty line, or None; takes nothing."""
        begin = 0
        while True:
            ends = [
                at + len(mark)
                for mark in (b"\r\n\r\n", b"\n\n")
                if (at := self._buffer.find(mark, self._next + begin, self._next + limit)) >= 0
            ]
            if ends:
                return self._slice(self._next, min(ends))
            begin = max(0, self.left - 3)
            if self.left >= limit or not self._fill():
                return None

    def take(self, count: int) -> None:
        self._next += count

    def skip_to(self, at: int) -> None:
        while self.at < at and self.have(1):
            self._next += min(at - self.at, self.left)
            self._drop()

    def skip_line_breaks(self) -> None:
        """Go to the next record, and let go of what came before."""
        while self.have(1):
            some = self._slice(self._next, self._next + 256)
            rest = len(some.lstrip(b"\r\n"))
            self._next += len(some) - rest
            if rest:
                break
        self._drop()

    def pass_over(self, length: int) -> str:
        """Take a record's block and the line breaks after it, up to the next record.

        Returns "" or what is wrong; then the place is that before, or as near as one can go.
        """
        begin = self.at
        end = begin + length
        if not self.packed and self._source.size is not None and length > self.left:
            if end > self._source.size:
                return _ENDS
            if length > self._keep:
                self._seek(end)
        while self.at + self.left < end:
            if self._member_between(begin, end) is not None:
                return "its Content-Length reaches into the next record"
            if length > self._keep:
                self._next = len(self._buffer)
                self._drop()
            if not self._fill():
                return self.corrupt or _ENDS
        if self._member_between(begin, end) is not None:
            return "its Content-Length reaches into the next record"
        self._next = end - self._start
        breaks = self.look(_NEXT_SIZE)
        run = len(breaks) - len(breaks.lstrip(b"\r\n"))
        closed = breaks.startswith((b"\r\n\r\n", b"\n\n"))
        ends = run == len(breaks)
        # Some programs leave the breaks out where the end of a gzip member says the same.
        alone = run == 0 and any(at == end for at, _ in self._members)
        if (closed or alone) and (ends or breaks.startswith(b"WARC/", run)):
            return ""
        if ends and run < _NEXT_SIZE and not self.corrupt:
            self.unclosed = not self.packed
            return ""
        if self.corrupt and ends:
            # Whole, if the damage is in a later member: its own one has passed its checksum then.
            return "" if self._member_at >= end else self.corrupt
        # What follows may be at fault, and not this record: then the reading goes on right here.
        self._next = end + (4 if breaks.startswith(b"\r\n\r\n") else 0) - self._start
        return _UNSURE

    def ends_in_head(self) -> bool:
        """Whether the file, not packed, ends in what may be the headers of a record."""
        rest = self.look(_NEXT_SIZE)
        begins = rest.startswith(b"WARC/") or b"WARC/".startswith(rest)
        return begins and not self.packed and not self.have(_HEAD) and self.headers(_HEAD) is None

    def find_next(self, at: int) -> bool:
        """Go to the next place, from `at` on, where a record seems to begin; else to the end.

        Where gzip members with a record each follow one another, that is the start of a member
        only: there, no page can pretend to be a record.
        """
        if at < self._start and not self.packed and self._source.size is not None:
            self._seek(at)
        self._next = min(max(0, at - self._start), len(self._buffer))
        while True:
            member = self._member_between(self.at - 1, self.at + self.left + 1)
            found = None if self._in_row else _NEXT.search(self._buffer, self._next)
            if member is not None and (found is None or member - self._start <= found.start()):
                self._next = member - self._start
                return True
            if found is not None:
                self._next = found.start()
                return True
            self._next = max(self._next, len(self._buffer) - _NEXT_SIZE)
            self._drop()
            if not self._fill() and not self._recover():
                self._next = len(self._buffer)
                return False

    def _slice(self, start: int, end: int) -> bytes:
        with memoryview(self._buffer) as view:
            return bytes(view[start:end])

    def _drop(self) -> None:
        del self._buffer[: self._next]
        self._start += self._next
        self._next = 0

    def _seek(self, at: int) -> None:
        self._source.seek(at)
        self._buffer.clear()
        self._start, self._next, self._ended = at, 0, False

    def _member_between(self, after: int, before: int) -> int | None:
        """The first start of a gzip member in there that is the start of a record as well."""
        while self._members:
            at = self._members[0][0]
            if at >= before:
                break
            if at > after:
                place = at - self._start
                while len(self._buffer) < place + 5 and self._fill():
                    pass
                if self._buffer.startswith(b"WARC/", place):
                    return at
            self._members.popleft()  # passed, or no record begins there
        return None

    def _fill(self) -> bool:
        """Unpack some more; False at the end, or at damage."""
        if self._ended:
            return False
        if not self.packed:
            chunk = self._source.read(CHUNK)
            self._buffer += chunk
            self._ended = not chunk
            return bool(chunk)
        while True:
            if not self._packed_bytes and not self._more_inside:
                self._packed_bytes = self._source.read(CHUNK)
                if not self._packed_bytes:
                    self.cut = not self._fresh
                    self._ended = True
                    return False
            if self._fresh and not self._begin_member():
                return False
            try:
                chunk = self._inflater.decompress(self._packed_bytes, 4 * CHUNK)
            except zlib.error as error:
                return self._damaged(f"the gzip data are damaged ({error})")
            self._more_inside = len(chunk) == 4 * CHUNK and not self._inflater.eof
            self._packed_bytes = self._inflater.unconsumed_tail
            self._buffer += chunk
            if self._inflater.eof:
                self._packed_bytes = self._inflater.unused_data
                self._inflater = zlib.decompressobj(wbits=31)
                self._fresh = True
            if chunk:
                return True

    def _begin_member(self) -> bool:
        """At the border of two gzip members: padding of zeros is passed by, all else is damage."""
        while True:
            self._packed_bytes = self._packed_bytes.lstrip(b"\0")
            if len(self._packed_bytes) > 1:
                break
            more = self._source.read(CHUNK)
            self._packed_bytes += more
            if not more:
                self.cut = bool(self._packed_bytes)
                self._ended = True
                return False
        self.member_offset = self._source.tell() - len(self._packed_bytes)
        at = self._member_at = self._start + len(self._buffer)
        if not self._packed_bytes.startswith(GZIP_MAGIC):
            return self._damaged("other bytes stand between two gzip members")
        if not self._members or self._members[-1][0] < at:
            self._members.append((at, self.member_offset))
        self._fresh = False
        return True

    def _damaged(self, how: str) -> bool:
        self.corrupt = how
        self._ended = True
        return False

    def _recover(self) -> bool:
        """After damage of the packed data: go to the next gzip member that begins with a record.

        One that a crashed writer left unfinished is found right after it, by going back to the
        start of the damaged one; over a whole file no more is read twice than the file holds.
        """
        if not self.corrupt:
            return False
        size = self._source.size
        back = self._source.tell() - self.member_offset
        if size is not None and self._reread + back <= size:
            self._reread += back
            self._source.seek(self.member_offset + 1)
            self._packed_bytes = b""
        window = self._packed_bytes[1:]
        self.corrupt = ""
        while True:
            chunk = self._source.read(CHUNK)
            window += chunk
            last = len(window) - (_PROBE if chunk else 0)
            begin = 0
            while 0 <= (begin := window.find(b"\x1f\x8b\x08", begin)) < last:
                with suppress(zlib.error):
                    probe = zlib.decompressobj(wbits=31)
                    if probe.decompress(window[begin : begin + _PROBE], 16).startswith(b"WARC/"):
                        self._restart(window[begin:])
                        return True
                begin += 1
            if not chunk:
                self._ended = True
                return False
            window = window[max(0, last) :]

    def _restart(self, packed: bytes) -> None:
        self._packed_bytes = packed
        self._inflater = zlib.decompressobj(wbits=31)
        self._fresh, self._more_inside, self._ended = True, False, False
        # What was unpacked of the damaged member is no part of any record.
        self._next = len(self._buffer)
        self._drop()
