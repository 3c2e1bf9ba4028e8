"""The archive: what a crawl fetched, as it came, in WARC files that `warraq replay` reads.

    archive = Archive(Path("data/archive"), "eg/sahifa")
    name, offset = archive.add(fetched)       # not on the event loop: a large page takes its time
    page = crawled_page(fetched, str(archive.folder / name), offset)    # what goes to `process`
    archive.sync()                            # before the transaction that names `offset` commits
    archive.close()

A file is `<folder>/<day>/<prefix>-<start>-<pid>-<host>-<number>.warc.gz`, one gzip member a
record. While it is written it lies as `<name>.open` in the folder itself, locked by its process;
closing moves it to its day. What a killed process leaves is cut behind its last whole record and
moved by the next `Archive` of the folder. Two processes never write to one file.
"""

import errno
import json
import logging
import os
import platform
import re
import threading
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from crawler.readers.options import ReadOptions
from crawler.readers.stream import CHUNK
from crawler.readers.warc import OPEN, page_of_response
from pipelines.document import Origin, RawPage, Reason, Stated, Unreadable
from pipelines.errors import ArchiveError

_log = logging.getLogger(__name__)

#: Packed bytes after which a new file is begun.
MAX_BYTES = 1_000_000_000
#: Level 1 packs three times as fast as the usual 6, and a fifth larger.
_LEVEL = 1
#: Headers that say how the bytes travelled, not what they are: bodies are stored unpacked.
_TRANSPORT = {b"content-encoding", b"transfer-encoding", b"content-length"}
#: Of a response with more headers than this (bytes), only those that tell something are kept.
_HEADERS = 32_000
_TELLING = {b"content-type", b"content-language", b"etag", b"last-modified", b"date", b"location"}
#: Nobody who is given an archive should find a password in it.
_SECRET = {b"authorization", b"proxy-authorization", b"cookie"}
#: A statement about a page that is longer than this is cut: no headline is.
_STATED = 4_000

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Fetched:
    """One response. `body` is out of all encodings, as Scrapy gives it, empty for a 304.

    `kind` says what the address is to the crawl: `page`, or `feed`, `sitemap`, `listing`,
    `front`, `robots`, which a replay leaves alone. `stated` is what feed or sitemap say of the
    page.
    """

    url: str
    status: int
    headers: Headers
    body: bytes
    fetched_at: datetime
    kind: str = "page"
    source: str | None = None
    stated: Stated = field(default_factory=Stated)
    moved_from: str | None = None  # the URL that redirected here for good
    request_headers: Headers = ()


def crawled_page(
    fetched: Fetched, archive: str | None, offset: int | None, max_bytes: int = 20_000_000
) -> RawPage | Unreadable:
    """The page in a response, or why there is none: just what a replay of its record gives.

    But for `origin`, and `path`, which is None: messages about a crawl name the URL.
    """
    block = _http_head(fetched) + fetched.body
    options = ReadOptions(max_bytes=max_bytes)
    page = page_of_response(block, _warc_headers(fetched), archive or "", offset or 0, options)
    if isinstance(page, Unreadable):
        return replace(page, path=fetched.url, source=fetched.source, origin=Origin.CRAWL)
    if page is None:
        detail = "a response that holds no page"
        return Unreadable(
            fetched.url,
            Reason.UNKNOWN_FORMAT,
            detail,
            fetched.url,
            fetched.source,
            Origin.CRAWL,
        )
    return replace(page, path=None, origin=Origin.CRAWL, archive=archive, offset=offset)


class Archive:
    """Writes responses to WARC files below `folder`, in one process; threads may share it.

    Raises ArchiveError if the folder can't be written. A record that could not be written whole
    is taken back, so that the file stays one that can be read, and `add` may be tried again.
    """

    def __init__(self, folder: Path, prefix: str, max_bytes: int = MAX_BYTES) -> None:
        self.folder = folder
        self._prefix = re.sub(r"[^\w.-]+", "-", prefix).strip(".-")[:80] or "crawl"
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._file: _File | None = None
        self._number = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _recover(folder)
        except OSError as error:
            raise _error(folder, error) from error

    def add(self, fetched: Fetched) -> tuple[str, int]:
        """Stores a response. Returns its file, relative to `folder` as it will be called when it
        is closed, and the record's offset in it."""
        packed = b"".join(_records(fetched))
        with self._lock:
            try:
                if self._file is not None and self._file.size + len(packed) > self._max_bytes:
                    self._finish()
                if self._file is None:
                    self._number += 1
                    self._file = _File(self.folder, self._prefix, self._number)
                return self._file.name, self._file.append(packed)
            except OSError as error:
                raise _error(self.folder, error) from error

    def sync(self) -> None:
        """Returns when all that was added would survive a power cut."""
        with self._lock:
            if self._file is not None:
                try:
                    os.fsync(self._file.number)
                except OSError as error:
                    raise _error(self.folder, error) from error

    def close(self) -> None:
        """Ends the present file and gives it its final name."""
        with self._lock:
            try:
                self._finish()
            except OSError as error:
                raise _error(self.folder, error) from error

    def _finish(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.finish()


class _File:
    """One file while it is written."""

    def __init__(self, folder: Path, prefix: str, number: int) -> None:
        host = re.sub(r"[^\w.-]+", "-", platform.node()) or "host"
        self._folder = folder
        while True:
            base = f"{prefix}-{datetime.now(UTC):{_STAMP}}-{os.getpid()}-{host}-{number:05}.warc.gz"
            self._path = folder / (base + OPEN)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            self.number = os.open(self._path, flags, 0o644)
            # Between these two lines another process may have taken it for a dead one's.
            if _lock(self.number) and _is_same(self.number, self._path):
                break
            os.close(self.number)
        self.name = _final(self._path)
        self.size = 0
        try:
            self.append(_pack(_warcinfo(base)))
            self._sync_folder()
        except OSError:
            os.close(self.number)
            self._path.unlink(missing_ok=True)
            raise
        self._empty = self.size

    def append(self, packed: bytes) -> int:
        """Writes it at the end, wholly or not at all, and returns where that is."""
        offset = self.size
        with memoryview(packed) as left:
            try:
                while left:
                    left = left[os.write(self.number, left) :]
            except BaseException:
                os.ftruncate(self.number, offset)
                raise
        self.size = offset + len(packed)
        return offset

    def finish(self) -> None:
        try:
            if self.size == self._empty:
                self._path.unlink(missing_ok=True)
                return
            os.fsync(self.number)
            _move(self._path, self._folder / self.name)
        finally:
            os.close(self.number)

    def _sync_folder(self) -> None:
        number = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


_STAMP = "%Y%m%d%H%M%S%f"


def _final(path: Path) -> str:
    """Where an open file will lie when it is closed, relative to its folder: in its start's day."""
    base = path.name.removesuffix(OPEN)
    stamp = re.search(r"-(\d{20})-\d+-", base)
    day = f"{datetime.strptime(stamp[1], _STAMP):%Y-%m-%d}" if stamp else "undated"
    return f"{day}/{base}"


def _move(path: Path, to: Path) -> None:
    to.parent.mkdir(exist_ok=True)
    path.rename(to)


# --- what a dead process left --------------------------------------------------------------------


def _recover(folder: Path) -> None:
    """Cuts the files of dead processes behind their last whole record, and moves them."""
    for path in sorted(folder.glob(f"*.warc.gz{OPEN}")):
        try:
            number = os.open(path, os.O_RDWR)
        except FileNotFoundError:  # another process was quicker
            continue
        try:
            if not (_lock(number) and _is_same(number, path)):
                continue
            size = os.fstat(number).st_size
            whole = _whole(number)
            if whole < size:
                os.ftruncate(number, whole)
                os.fsync(number)
                _log.warning("%s: cut %d bytes of an unfinished record", path, size - whole)
            if whole == 0:
                path.unlink()
                continue
            _move(path, folder / _final(path))
        finally:
            os.close(number)


def _whole(number: int) -> int:
    """Bytes up to the end of the last whole gzip member.

    Of a file that is damaged and goes on, all: its reader finds the records behind the damage.
    """
    os.lseek(number, 0, os.SEEK_SET)
    end = at = 0
    inflater = zlib.decompressobj(wbits=31)
    while packed := os.read(number, CHUNK):
        while packed:
            try:
                inflater.decompress(packed, 4 * CHUNK)
            except zlib.error:
                # A power cut may leave zeros where a record's end was to be.
                rest = packed.strip(b"\0") or _rest(number)
                return os.fstat(number).st_size if rest else end
            left = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            at += len(packed) - len(left)
            packed = left
            if inflater.eof:
                end = at
                inflater = zlib.decompressobj(wbits=31)
    return end


def _rest(number: int) -> bool:
    """Whether more than zeros follows."""
    return any(chunk.strip(b"\0") for chunk in iter(lambda: os.read(number, CHUNK), b""))


def _lock(number: int) -> bool:
    """Takes the file for this process until it is closed; the system lets go of a dead one's."""
    try:
        import fcntl
    except ImportError:  # not on this system: then nobody recovers, and nothing is lost
        return True
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_same(number: int, path: Path) -> bool:
    """Whether the open file is the one that lies there."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(number), path.stat())
    return False


def _error(folder: Path, error: OSError) -> ArchiveError:
    advice = "check that this user may write to it, and the disk"
    if error.errno in _FULL:
        advice = "make room and run the same command again: what is stored stays"
    return ArchiveError(f"the archive {folder}: {error.strerror or error}; {advice}")


# --- records -------------------------------------------------------------------------------------


def _records(fetched: Fetched) -> list[bytes]:
    """Response and request, packed. A 304 is a revisit: it says that nothing has changed."""
    writer = WARCWriter(BytesIO(), gzip=False, warc_version="WARC/1.1")
    kind = "revisit" if fetched.status == HTTPStatus.NOT_MODIFIED else "response"
    headers = _warc_headers(fetched) | {"WARC-Type": kind}
    if kind == "revisit":
        headers["WARC-Profile"] = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"
    response = writer.create_warc_record(
        headers["WARC-Target-URI"],
        kind,
        payload=BytesIO(fetched.body),
        length=len(fetched.body),
        warc_headers_dict=headers,
        http_headers=_Head(_http_head(fetched)),
    )
    packed = [_pack(response)]
    if fetched.request_headers:
        request = writer.create_warc_record(
            headers["WARC-Target-URI"],
            "request",
            warc_headers_dict={
                "WARC-Date": headers["WARC-Date"],
                "WARC-Concurrent-To": response.rec_headers.get_header("WARC-Record-ID"),
            },
            http_headers=_Head(_request_head(fetched)),
        )
        packed.append(_pack(request))
    return packed


class _Head(StatusAndHeaders):  # type: ignore[misc]  # warcio has no types
    """HTTP headers as they came: warcio would rewrite those that are not ASCII."""

    def __init__(self, head: bytes) -> None:
        super().__init__("as received", [])
        self._head = head

    def compute_headers_buffer(self, header_filter: object = None) -> None:
        self.headers_buff = self._head


def _pack(record: Any) -> bytes:
    plain = BytesIO()
    WARCWriter(plain, gzip=False, warc_version="WARC/1.1").write_record(record)
    with plain.getbuffer() as bytes_of_it:
        return zlib.compress(bytes_of_it, _LEVEL, wbits=31)


def _warcinfo(name: str) -> Any:
    about = {
        "software": f"Warraq/{version('warraq')}",
        "format": "WARC File Format 1.1",
        "conformsTo": "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
    }
    return WARCWriter(BytesIO(), warc_version="WARC/1.1").create_warcinfo_record(name, about)


def _warc_headers(fetched: Fetched) -> dict[str, str]:
    """What the record says of the response. What only Warraq knows is one JSON object: ASCII, so
    that no headline can break the header."""
    stated = {
        name: value[:_STATED]
        for name in ("title", "author", "published_at")
        if (value := getattr(fetched.stated, name)) is not None
    }
    own = {
        "kind": fetched.kind,
        "source": fetched.source,
        "stated": stated,
        "moved_from": fetched.moved_from,
    }
    return {
        "WARC-Type": "response",
        "WARC-Target-URI": re.sub(r"\s", "%20", fetched.url),
        "WARC-Date": f"{fetched.fetched_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z",
        "WARC-JSON-Metadata": json.dumps({"warraq": {k: v for k, v in own.items() if v}}),
    }


def _http_head(fetched: Fetched) -> bytes:
    phrase = HTTPStatus(fetched.status).phrase if fetched.status in _STATUSES else ""
    headers = [(n, v) for n, v in fetched.headers if n.lower() not in _TRANSPORT]
    if sum(len(name) + len(value) + 4 for name, value in headers) > _HEADERS:
        headers = [(n, v[:2_000]) for n, v in headers if n.lower() in _TELLING][:20]
    headers.append((b"Content-Length", str(len(fetched.body)).encode()))
    return _head(f"HTTP/1.1 {fetched.status} {phrase}".rstrip().encode(), headers)


def _request_head(fetched: Fetched) -> bytes:
    target = re.sub(r"^[a-z]+://[^/?#]*", "", fetched.url.split("#")[0], flags=re.IGNORECASE)
    headers = [(n, v) for n, v in fetched.request_headers if n.lower() not in _SECRET]
    return _head(f"GET {target or '/'} HTTP/1.1".encode(), headers)


def _head(first: bytes, headers: Headers) -> bytes:
    lines = [first, *(_BREAKS.sub(b" ", name + b": " + value) for name, value in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n"


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BREAKS = re.compile(rb"[\r\n\0]+")
_STATUSES = frozenset(HTTPStatus)
