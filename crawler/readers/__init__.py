"""Files become pages: paths are expanded, each format has one generator, a manifest adds facts.

`read` is the way in; what can't be read is yielded as `Unreadable`, and the reading goes on.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from crawler.readers import remote
from crawler.readers.html import read_html
from crawler.readers.jsonl import read_jsonl
from crawler.readers.manifest import NOTHING, Listed, Manifest, ManifestError, find_manifests
from crawler.readers.options import FIELDS, ReadOptions
from crawler.readers.parquet import read_parquet
from crawler.readers.stream import Source, head_of
from crawler.readers.text import read_text
from crawler.readers.walk import STDIN, Found, broken, expand, folders_of, size_of
from crawler.readers.warc import read_record, read_warc
from pipelines.document import RawPage, Reason, Unreadable

__all__ = [
    "FIELDS",
    "Found",
    "Listed",
    "ManifestError",
    "ReadOptions",
    "find",
    "read",
    "read_file",
    "read_record",
    "size_of",
]

Reader = Callable[[Source, str, ReadOptions, Listed], Iterator[RawPage | Unreadable]]
_READERS: Mapping[str, Reader] = {
    "text": read_text,
    "html": read_html,
    "jsonl": read_jsonl,
    "warc": read_warc,
    "parquet": read_parquet,
}


def read(
    paths: Sequence[str],
    options: ReadOptions,
    progress: Callable[[int], None] | None = None,
) -> Iterator[RawPage | Unreadable]:
    """Every page of the files, folders, patterns, URLs and pipes (`-`), in a fixed order.

    `progress` is told the bytes on disk that were read since it was last told. Raises
    ManifestError at once, before the first page, if a manifest is wrong.
    """
    manifests = find_manifests(folders_of(paths), options)
    return _read(paths, options, manifests, progress)


def _read(
    paths: Sequence[str],
    options: ReadOptions,
    manifests: Mapping[str, Manifest],
    progress: Callable[[int], None] | None,
) -> Iterator[RawPage | Unreadable]:
    for found, listed in _found(paths, options, manifests):
        if isinstance(found, Unreadable):
            yield found
        else:
            yield from read_file(found, options, listed, progress)


def find(paths: Sequence[str], options: ReadOptions) -> Iterator[tuple[Found | Unreadable, Listed]]:
    """The files that `read` would read, for `read_file`, in its order. Raises as `read` does."""
    return _found(paths, options, find_manifests(folders_of(paths), options))


def _found(
    paths: Sequence[str], options: ReadOptions, manifests: Mapping[str, Manifest]
) -> Iterator[tuple[Found | Unreadable, Listed]]:
    for manifest in manifests.values():
        for missing, line, why in manifest.missing():
            detail = f"listed in line {line} of {manifest.path}, but {why}: mend the path"
            yield Unreadable(missing, Reason.MISSING, detail, source=options.source), NOTHING
    for found in expand(paths):
        if isinstance(found, Unreadable):
            yield replace(found, source=found.source or options.source), NOTHING
        else:
            yield found, _listed(found.path, manifests)


def _listed(path: str, manifests: Mapping[str, Manifest]) -> Listed:
    """What the nearest manifest says of a file: its folder's first, then those above."""
    if not manifests or path == STDIN:
        return NOTHING
    real = remote.real_path(path)  # so that no spelling of a path and no link hides a row
    if "" in manifests:
        return manifests[""].rows.get(real, NOTHING)
    folder = remote.real_path(os.path.dirname(path) or ".")
    while folder:
        manifest = manifests.get(folder)
        if manifest is not None and real in manifest.rows:
            return manifest.rows[real]
        if (above := os.path.dirname(folder)) == folder:
            break
        folder = above
    return NOTHING


def read_file(
    found: Found,
    options: ReadOptions,
    listed: Listed,
    progress: Callable[[int], None] | None = None,
) -> Iterator[RawPage | Unreadable]:
    """Every page of one file that `find` found."""
    path = found.path
    try:
        with Source(_open(path), found.size, progress) as source:
            reader = _READERS[found.format or _look(source)]
            yield from reader(source, path, options, listed)
            source.finish()
    except OSError as error:
        source_key = listed.source or options.source
        yield replace(broken(path, error), source=source_key, url=listed.url)


def _open(path: str) -> BinaryIO:
    if path == STDIN:
        # Not through sys.stdin: that would be closed with the source, and buffers on its own.
        copy = os.dup(0)
        os.set_blocking(copy, True)  # else a slow writer looks like the end
        return os.fdopen(copy, "rb", buffering=0)
    if remote.is_url(path):
        return remote.open_url(path)
    return Path(path).open("rb", buffering=0)


def _look(source: Source) -> str:
    """The format of a stream that has no name to tell it."""
    head = head_of(source).removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"WARC/"):
        return "warc"
    if head.startswith(b"{"):
        return "jsonl"
    return "html" if head.startswith(b"<") else "text"
