"""Bytes from disk or a pipe: counted for the progress bar, unpacked, never more than asked for."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

GZIP_MAGIC = b"\x1f\x8b"
CHUNK = 65_536


class Source(io.RawIOBase):
    """A binary stream that counts what was taken from it and can be looked at before it is read.

    `seekable` says whether `seek` works; a pipe can only be read once. `size` is the number of
    bytes on disk (None for a pipe).
    """

    def __init__(
        self, inner: BinaryIO, size: int | None, progress: Callable[[int], None] | None
    ) -> None:
        self._inner = inner
        self._ahead = b""
        self._progress = progress
        self._reported = 0
        self._at = 0
        self.size = size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self.size is not None

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence == io.SEEK_END and self.size is not None:
            offset += self.size
        elif whence != io.SEEK_SET or self.size is None:
            raise io.UnsupportedOperation("only seeks from an end, and not in a pipe")
        self._inner.seek(offset)
        self._ahead = b""
        self._at = offset
        return offset

    def peek(self, count: int) -> bytes:
        """The next `count` bytes, fewer only at the end; they are still to be read."""
        while len(self._ahead) < count:
            more = self._inner.read(count - len(self._ahead))
            if not more:
                break
            self._ahead += more
        return self._ahead[:count]

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; fewer do not mean the end, none does."""
        if self._ahead:
            taken = self._ahead if size < 0 else self._ahead[:size]
            self._ahead = self._ahead[len(taken) :]
            if size < 0:
                taken += self._inner.read()
        else:
            taken = self._inner.read(size)
        self._at += len(taken)
        if self._at > self._reported:
            self._report(self._at)
        return taken

    def readinto(self, buffer: object, /) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # whatever io hands over
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def finish(self) -> None:
        """Report what was left unread, so that a progress bar reaches its end."""
        if self.size is not None and self.size > self._reported:
            self._report(self.size)

    def close(self) -> None:
        self._inner.close()
        super().close()

    def _report(self, to: int) -> None:
        if self._progress is not None:
            self._progress(to - self._reported)
        self._reported = to


class Cut(Exception):  # noqa: N818 - what it says is where the data stop
    """Raised when compressed data end before their end."""


class Corrupt(Exception):  # noqa: N818 - see above
    """Raised when compressed data can't be unpacked."""


def unpacked(source: Source) -> Iterator[bytes]:
    """The bytes in chunks, out of gzip where the magic number says so.

    Raises `Cut` or `Corrupt` after everything before the damage was yielded; OSError of the disk.
    """
    if source.peek(2) != GZIP_MAGIC:
        while chunk := source.read(CHUNK):
            yield chunk
        return
    with gzip.GzipFile(fileobj=source) as stream:
        while True:
            try:
                chunk = stream.read1(CHUNK)
            except EOFError:
                raise Cut from None
            except (gzip.BadGzipFile, zlib.error) as error:
                raise Corrupt(str(error)) from None
            if not chunk:
                return
            yield chunk


def head_of(source: Source, count: int = 512) -> bytes:
    """The first bytes, unpacked, without taking them from the stream."""
    head = source.peek(8 * count)
    if not head.startswith(GZIP_MAGIC):
        return head[:count]
    try:
        return zlib.decompressobj(wbits=31).decompress(head, count)
    except zlib.error:
        return b""
