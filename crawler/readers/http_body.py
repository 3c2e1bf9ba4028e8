"""The HTTP response in a WARC record: its headers, and its page out of all encodings."""

import re
import zlib

import brotli  # type: ignore[import-untyped]  # it ships no types
import zstandard

from crawler.readers.stream import CHUNK, GZIP_MAGIC

HEAD = 65_536  # bytes that the headers of a response, or of a WARC record, may take
_ZSTD_STEP = 512  # packed bytes at a time: its unpacker knows no limit, and 4 may become 131,072
#: Some programs write no protocol before the status.
_STATUS = re.compile(
    rb"(?:HTTP/\d(?:\.\d)?)?[ \t]{0,9}([1-9]\d\d)(?:[ \t]{1,9}([^\r\n]{0,100}))?[ \t]{0,9}\r?\n"
)
_CHUNK_SIZE = re.compile(rb"[ \t]{0,9}([0-9a-fA-F]{1,15})[ \t]{0,9}(?:;[^\r\n]{0,999})?\r?\n")
LOOKS_LIKE_HTML = re.compile(rb"\s{0,999}<(?:!doctype html|html|head|body|!--|\?xml)", re.I)


class BadRecordError(Exception):
    """Raised when a record contradicts itself; its text says how."""


class TooLargeError(Exception):
    """Raised when a body is larger than a page may be."""


def parse_headers(block: bytes) -> dict[str, str]:
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


def http_head(block: bytes) -> tuple[tuple[dict[str, str], int, str] | None, int]:
    """Headers, status and its phrase, and where the body begins."""
    status = _STATUS.match(block)
    if status is None:
        return None, 0
    ends = [(at, size) for mark, size in ((b"\r\n\r\n", 4), (b"\n\n", 2))
            if (at := block.find(mark, 0, HEAD)) >= 0]  # fmt: skip
    end, size = min(ends, default=(len(block), 0))
    phrase = (status[2] or b"").decode("latin-1").strip()
    return (parse_headers(block[:end]), int(status[1]), phrase), end + size


def payload(
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
        raise BadRecordError(f"HTTP announced {int(length):,} bytes, the record has {len(body):,}")
    for encoding in reversed(encodings):
        body = _unpack(body, encoding, limit, cut)
        forms.append(body)
    if len(body) > limit:
        raise TooLargeError
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
            raise BadRecordError("its chunked HTTP body is broken, or ends early")
        count = int(size[1], 16)
        if count == 0:
            break
        part = body[size.end() : size.end() + count]
        if len(part) < count and not cut:
            if not parts:
                return body  # a text that happens to begin with hexadecimal digits
            raise BadRecordError("its chunked HTTP body is broken, or ends early")
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
        return not LOOKS_LIKE_HTML.match(body[:2000])
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
        raise BadRecordError(f"its {encoding} body can't be unpacked ({error})") from None
    if len(page) > limit:
        raise TooLargeError
    if not whole and not cut:
        raise BadRecordError(f"its {encoding} body ends early")
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
