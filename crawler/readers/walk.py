"""Paths as given become files to read, always in the same order."""

import glob
import os
import posixpath
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crawler.readers import manifest, remote
from pipelines.document import Reason, Unreadable

STDIN = "-"
_FORMATS = {
    ".txt": "text",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".warc": "warc",
    ".parquet": "parquet",
}
_MAGIC_SIGNS = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read. `size` is None for a pipe; `format` is None where only a look tells it.
    `stamp` changes when the file does."""

    path: str
    format: str | None
    size: int | None
    stamp: str = ""


def format_of(path: str) -> str | None:
    """The format that the file's ending names, or None."""
    name = os.path.basename(path).lower().removesuffix(".gz")
    return _FORMATS.get(os.path.splitext(name)[1])


def expand(paths: Sequence[str]) -> Iterator[Found | Unreadable]:
    """Files, files of folders and of patterns, `-` and pipes, in the order given.

    Folders are walked in depth, each sorted by name; hidden files, manifests and folders that were
    walked already (a loop of links) are passed by. What has another ending than ours is counted
    and reported once a folder named. A path may be a URL.
    """
    for path in paths:
        if path == STDIN:
            yield Found(path, None, None)
        elif remote.is_url(path):
            yield from _behind(path)
        elif _MAGIC_SIGNS & set(path) and not os.path.lexists(path):
            matches = sorted(glob.glob(path, recursive=True))
            if not matches:
                yield Unreadable(path, Reason.MISSING, "no file matches this pattern")
            for match in matches:
                yield from _named(match)
        else:
            yield from _named(path)


def folders_of(paths: Sequence[str]) -> list[str]:
    """The folders in which a manifest may lie: those walked, and those of files that are named."""
    folders: dict[str, None] = {}
    for path in paths:
        is_pattern = _MAGIC_SIGNS & set(path) and not os.path.lexists(path)
        for one in sorted(glob.glob(path, recursive=True)) if is_pattern else [path]:
            if one == STDIN:
                continue
            if remote.is_url(one):
                folders |= dict.fromkeys(_folders_behind(one))
            elif os.path.isdir(one):
                folders |= dict.fromkeys(folder for folder, _ in _walk(one))
            elif os.path.isfile(one):
                folders[os.path.dirname(one) or "."] = None
    return list(folders)


def size_of(paths: Sequence[str]) -> int | None:
    """Bytes on disk of all that would be read; None if a pipe is among it."""
    total = 0
    for found in expand(paths):
        if isinstance(found, Found):
            if found.size is None:
                return None
            total += found.size
    return total


def _named(path: str) -> Iterator[Found | Unreadable]:
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        yield broken(path, error)
        return
    if stat.S_ISDIR(status.st_mode):
        yield from _folder(path)
    elif stat.S_ISFIFO(status.st_mode):
        yield Found(path, format_of(path), None)
    elif not stat.S_ISREG(status.st_mode):
        yield _special(path, status.st_mode)
    elif (form := format_of(path)) is not None or path.startswith("/dev/"):
        yield _file(path, form, status)  # /dev/stdin, /dev/fd/3: a file without its name
    else:
        yield _of_unknown_format(path)


def _file(path: str, form: str | None, status: os.stat_result) -> Found:
    return Found(path, form, status.st_size, str(status.st_mtime_ns))


def _of_unknown_format(path: str) -> Unreadable:
    ending = os.path.splitext(path)[1] or "no ending"
    detail = f"{ending}: give it one of {', '.join(_FORMATS)}; all but Parquet also with .gz"
    return Unreadable(path, Reason.UNKNOWN_FORMAT, detail)


def _behind(url: str) -> Iterator[Found | Unreadable]:
    """The same for a URL: a file, a folder or a pattern."""
    try:
        is_file, found = remote.files(url)
    except OSError as error:
        yield broken(url, error)
        return
    others: Counter[str] = Counter()
    any_file = False
    for one in found:
        name = posixpath.basename(one.url)
        form = format_of(one.url)
        if is_file and form is None:
            yield _of_unknown_format(url)
            return
        if not is_file and (name in manifest.NAMES or "/." in one.url.removeprefix(url)):
            continue
        if form is None:
            others[os.path.splitext(name)[1].lower()[:12] or "none"] += 1
            continue
        any_file = True
        yield Found(one.url, form, one.size, one.stamp)
    yield from _left_alone(url, others, any_file=any_file)


def _folders_behind(url: str) -> Iterator[str]:
    """Folders in which a manifest is; of a single file, its own folder."""
    try:
        is_file, found = remote.files(url)
    except OSError:
        return  # reading it says what is wrong
    if is_file:
        yield posixpath.dirname(url)
        return
    for one in found:
        if posixpath.basename(one.url) in manifest.NAMES:
            yield posixpath.dirname(one.url)


def _folder(top: str) -> Iterator[Found | Unreadable]:
    others: Counter[str] = Counter()
    any_file = False
    for folder, entries in _walk(top):
        if isinstance(entries, OSError):
            any_file = True
            yield broken(folder, entries)
            continue
        for path in entries:
            form = format_of(path)
            if form is None:
                others[os.path.splitext(path)[1].lower()[:12] or "none"] += 1
                continue
            any_file = True
            try:
                status = os.stat(path)
            except OSError as error:
                yield broken(path, error)
                continue
            if stat.S_ISREG(status.st_mode):
                yield _file(path, form, status)
            else:
                yield _special(path, status.st_mode)
    yield from _left_alone(top, others, any_file=any_file)


def _left_alone(top: str, others: Counter[str], *, any_file: bool) -> Iterator[Unreadable]:
    count = others.total()
    if count:
        kinds = ", ".join(f"{ending} {n:,}" for ending, n in others.most_common(8))
        noun = "file with another ending was" if count == 1 else "files with other endings were"
        detail = f"{count:,} {noun} left alone ({kinds}): name a file to read it, or rename it"
        yield Unreadable(top, Reason.UNKNOWN_FORMAT, detail)
    elif not any_file:
        yield Unreadable(top, Reason.EMPTY, "there is no file in the folder that Warraq reads")


def _walk(top: str) -> Iterator[tuple[str, list[str] | OSError]]:
    """Every folder with its files (or the error in place of them), each folder once."""
    seen: set[tuple[int, int]] = set()
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                kept = sorted(
                    (entry for entry in entries if not entry.name.startswith(".")),
                    key=lambda entry: entry.name,
                )
        except OSError as error:
            yield folder, error
            continue
        folders = [entry.path for entry in kept if _is_folder(entry)]
        below = set(folders)
        files = [e.path for e in kept if e.path not in below and e.name not in manifest.NAMES]
        yield folder, files
        waiting.extend(reversed(folders))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def broken(path: str, error: OSError | ValueError) -> Unreadable:
    """What to report of a path that the system refuses to open or read."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        if os.path.islink(path):
            detail = "a link to a file that is not there: mend or remove the link"
            return Unreadable(path, Reason.MISSING, detail)
        return Unreadable(path, Reason.MISSING, "there is no such file or folder: check the path")
    if isinstance(error, PermissionError):
        return Unreadable(path, Reason.NO_PERMISSION, "give this user the right to read it")
    why = (error.strerror if isinstance(error, OSError) else None) or error
    return Unreadable(path, Reason.UNREADABLE, f"{why}: check the path and the disk")


def _special(path: str, mode: int) -> Unreadable:
    kinds = {
        stat.S_IFIFO: "a named pipe: name it itself to read from it",
        stat.S_IFSOCK: "a socket: pipe its data to standard input",
        stat.S_IFCHR: "a device: pipe its data to standard input",
        stat.S_IFBLK: "a device: read the files on it instead",
    }
    detail = f"no file, but {kinds.get(stat.S_IFMT(mode), 'something else')}"
    return Unreadable(path, Reason.UNREADABLE, detail)
