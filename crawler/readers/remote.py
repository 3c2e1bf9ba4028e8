"""Files by URL (s3://, gs://, sftp://, https://, file:// ...), through fsspec.

Whatever a file system raises is an OSError here, so that the readers deal with a network as with
a disk. Its package is an extra: `warraq[cluster]`, and for S3 `s3fs`, for others as it says.
"""

import errno
import io
import json
import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from pipelines.errors import UsageError, UserError

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_PASSWORD = re.compile(r"[^/]*://[^/@]*:[^/]*@")
#: `?` begins the query of a web address.
_MAGIC_SIGNS = re.compile(r"[*\[]")
#: What file systems say by which a changed file is known.
_STAMPS = (
    "ETag",
    "etag",
    "md5",
    "Content-MD5",
    "mtime",
    "LastModified",
    "Last-Modified",
    "updated",
)


@dataclass(frozen=True, slots=True)
class Remote:
    """A file behind a URL. `size` is None where nobody says it; `stamp` changes with the file."""

    url: str
    size: int | None
    stamp: str


def is_url(path: str) -> bool:
    return _URL.match(path) is not None


def real_path(path: str) -> str:
    """One spelling of a path, links followed; of a URL, dots resolved."""
    if not is_url(path):
        return os.path.realpath(path)
    scheme, _, rest = path.partition("://")
    return f"{scheme}://{posixpath.normpath(rest)}"


def is_there(url: str) -> bool:
    """Whether a file is there, as far as one may look."""
    system, path = system_of(url)
    with as_os_errors(url):
        return bool(system.exists(path))


def files(url: str) -> tuple[bool, list[Remote]]:
    """Whether the URL names one file, and the files: that one, a folder's in depth, a pattern's.

    They come in the order in which a folder on disk is walked. Raises OSError.
    """
    system, path = system_of(url)
    with as_os_errors(url):
        if _MAGIC_SIGNS.search(url):
            found = system.glob(path, detail=True)
            named = {name: system.unstrip_protocol(name) for name in found}
        else:
            info = system.info(path)
            if info["type"] != "directory":
                return True, [_remote(url, info)]
            found = system.find(path, detail=True)
            top = url.rstrip("/")
            # The name as it was given: what leads to a host is not in the system's own.
            named = {name: f"{top}/{_below(path, name)}" for name in found}
    infos = [(named[name], info) for name, info in found.items() if info["type"] == "file"]
    return False, [_remote(one, info) for one, info in sorted(infos, key=lambda i: _walked(i[0]))]


def open_url(url: str) -> BinaryIO:
    """A file to read. Raises OSError."""
    system, path = system_of(url)
    with as_os_errors(url):
        return cast(BinaryIO, _Reading(system.open(path, "rb"), url))


class _Reading(io.RawIOBase):
    """A file of any file system, its errors those of a disk."""

    def __init__(self, inner: Any, url: str) -> None:
        self._inner, self._url = inner, url

    def read(self, size: int = -1, /) -> bytes:
        with as_os_errors(self._url):
            return bytes(self._inner.read(size))

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        with as_os_errors(self._url):
            return int(self._inner.seek(offset, whence))

    def close(self) -> None:
        self._inner.close()
        super().close()


def system_of(url: str) -> tuple[Any, str]:
    """The file system of a URL, or of a path on disk, and what it calls the file.

    Raises UsageError where a package is missing or nobody knows such URLs, and for a URL with a
    password: its name goes to the ledger.
    """
    if _PASSWORD.match(url):
        raise UsageError(
            f"{url.partition('://')[0]}://...: leave the password out of the URL, and put it where "
            "the storage's own package looks for it"
        )
    try:
        import fsspec
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{url}: files by URL need the extra: pip install 'warraq[cluster]' ({error})"
        ) from error
    try:
        system, path = fsspec.url_to_fs(url)
    except OSError:
        raise
    except Exception as error:  # no such system, or not with such a URL
        raise UsageError(f"{url}: {error}") from error
    return system, path


@contextmanager
def as_os_errors(url: str) -> Iterator[None]:
    """Whatever is raised is an OSError, or one that the user can act on."""
    try:
        yield
    except (OSError, UserError):
        raise
    except Exception as error:  # a file system is other people's code: it raises what it likes
        said = f"{type(error).__name__}: {error}"[:300]
        raise OSError(errno.EIO, said, url) from error


def _remote(url: str, info: Any) -> Remote:
    stamps = {name: str(info[name]) for name in _STAMPS if info.get(name) is not None}
    size = info.get("size")
    return Remote(url, int(size) if size is not None else None, json.dumps(stamps, sort_keys=True))


def _below(folder: str, name: str) -> str:
    return name.removeprefix(folder.rstrip("/")).lstrip("/")


def _walked(url: str) -> list[tuple[int, str]]:
    """Sorts a folder's files before its folders, as a walk on disk meets them."""
    *folders, name = url.split("/")
    return [*((1, folder) for folder in folders), (0, name)]
