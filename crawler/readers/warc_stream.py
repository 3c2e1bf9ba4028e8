"""Where the records of a WARC file begin and end, and where to go on after damage.

The records are framed here and not by fastwarc, because a page must not be believed before its
record is: fastwarc 2.0 returns a body that is cut short as if it were whole, reads a too long one
on into the next record and over the border of gzip members, and stops at the first thing that it
can't parse. Here a record counts if its length leads to the next record.
"""

import re
import zlib
from collections import deque
from contextlib import suppress

from crawler.readers.http_body import HEAD
from crawler.readers.stream import CHUNK, GZIP_MAGIC, Source

_PROBE = 4_096  # packed bytes that are enough to see the start of a record
_NEXT = re.compile(rb"WARC/[01]\.\d{1,2}\r?\n(?=WARC-|Content-)", re.IGNORECASE)
NEXT_SIZE = 32  # bytes that a match of _NEXT may take

#: What `WarcStream.pass_over` may find, beside sentences for people.
ENDS = "the data end in it"
UNSURE = "the next record does not begin where its Content-Length says that it ends"


class WarcStream:
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
                return ENDS
            if length > self._keep:
                self._seek(end)
        while self.at + self.left < end:
            if self._member_between(begin, end) is not None:
                return "its Content-Length reaches into the next record"
            if length > self._keep:
                self._next = len(self._buffer)
                self._drop()
            if not self._fill():
                return self.corrupt or ENDS
        if self._member_between(begin, end) is not None:
            return "its Content-Length reaches into the next record"
        self._next = end - self._start
        breaks = self.look(NEXT_SIZE)
        run = len(breaks) - len(breaks.lstrip(b"\r\n"))
        closed = breaks.startswith((b"\r\n\r\n", b"\n\n"))
        ends = run == len(breaks)
        # Some programs leave the breaks out where the end of a gzip member says the same.
        alone = run == 0 and any(at == end for at, _ in self._members)
        if (closed or alone) and (ends or breaks.startswith(b"WARC/", run)):
            return ""
        if ends and run < NEXT_SIZE and not self.corrupt:
            self.unclosed = not self.packed
            return ""
        if self.corrupt and ends:
            # Whole, if the damage is in a later member: its own one has passed its checksum then.
            return "" if self._member_at >= end else self.corrupt
        # What follows may be at fault, and not this record: then the reading goes on right here.
        self._next = end + (4 if breaks.startswith(b"\r\n\r\n") else 0) - self._start
        return UNSURE

    def ends_in_head(self) -> bool:
        """Whether the file, not packed, ends in what may be the headers of a record."""
        rest = self.look(NEXT_SIZE)
        begins = rest.startswith(b"WARC/") or b"WARC/".startswith(rest)
        return begins and not self.packed and not self.have(HEAD) and self.headers(HEAD) is None

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
            self._next = max(self._next, len(self._buffer) - NEXT_SIZE)
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
