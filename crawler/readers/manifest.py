"""manifest.csv and manifest.jsonl: what is known of files that do not say it themselves.

One row a file: `path` (or `file`), relative to the manifest's folder, and any of `COLUMNS`. A
manifest is written by people for one import, so what is wrong in it stops the import.
"""

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from crawler.readers import remote
from crawler.readers.options import ReadOptions
from pipelines.document import Stated
from pipelines.errors import UsageError
from pipelines.stages.decode import known_charset

NAMES = ("manifest.csv", "manifest.jsonl")
COLUMNS = ("source", "url", "fetched_at", "charset", "title", "author", "published_at")


class ManifestError(UsageError):
    """Raised when a manifest can't be understood: `path`, `line` (from 1; 0: all), `message`."""

    def __init__(self, path: str, line: int, message: str) -> None:
        super().__init__(path, line, message)
        self.path = path
        self.line = line
        self.message = message

    def __str__(self) -> str:
        where = f"{self.path}, line {self.line}" if self.line else self.path
        return f"{where}: {self.message}"


@dataclass(frozen=True, slots=True)
class Listed:
    """What a manifest says of one file."""

    source: str | None = None
    url: str | None = None
    fetched_at: datetime | None = None
    charset: str | None = None
    stated: Stated = field(default_factory=Stated)


NOTHING = Listed()


@dataclass(frozen=True, slots=True)
class Manifest:
    """Rows by the real path of their file. `lines` holds the path as listed and its line."""

    path: str
    rows: dict[str, Listed]
    lines: dict[str, tuple[str, int]]

    def missing(self) -> Iterator[tuple[str, int, str]]:
        """Path and line of every listed file that is not there, and how that is known."""
        for real, (listed, line) in self.lines.items():
            try:
                there = remote.is_there(real) if remote.is_url(real) else os.path.lexists(real)
            except OSError as error:
                yield listed, line, f"it can't be reached: {error.strerror or error}"
            else:
                if not there:
                    yield listed, line, "it is not there"


def read_time(value: str) -> datetime:
    """ISO 8601 as a point in time, UTC where it states no offset. Raises ValueError."""
    try:
        if "-" not in value:
            raise ValueError  # a bare number is more likely anything else than 20240531
        time = datetime.fromisoformat(value.strip())
    except ValueError:
        message = f"{value[:40]!r} is no ISO 8601 time such as 2024-05-31T09:30:00Z"
        raise ValueError(message) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def is_web_address(url: str) -> bool:
    """Whether it is http(s) with a host, in one word."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    whole = not any(map(str.isspace, url))
    return parts.scheme in ("http", "https") and bool(parts.netloc) and whole


def find_manifests(folders: Sequence[str], options: ReadOptions) -> dict[str, Manifest]:
    """Folder -> its manifest; the one of the options stands under "". Raises ManifestError."""
    if options.manifest is not None:
        return {"": load_manifest(options.manifest)}
    found: dict[str, Manifest] = {}
    for folder in folders:
        here = [os.path.join(folder, name) for name in NAMES]
        here = [path for path in here if _is_file(path)]  # False too where one may not look
        if len(here) > 1:
            raise ManifestError(here[1], 0, "there is a manifest.csv beside it: keep one of them")
        if here:
            found[remote.real_path(folder)] = load_manifest(here[0])
    return found


def _is_file(path: str) -> bool:
    if not remote.is_url(path):
        return os.path.isfile(path)
    try:
        return remote.is_there(path)
    except OSError:
        return False


def load_manifest(path: str) -> Manifest:
    """All rows of a manifest. Raises ManifestError."""
    try:
        with remote.open_url(path) if remote.is_url(path) else Path(path).open("rb") as file:
            data = file.read()
    except OSError as error:
        raise ManifestError(path, 0, f"can't be read: {error.strerror or error}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ManifestError(path, line, "is not in UTF-8: save it as UTF-8") from None
    rows = _json_rows(path, text) if path.lower().endswith(".jsonl") else _csv_rows(path, text)
    manifest = Manifest(path, {}, {})
    folder = os.path.dirname(path)
    for line, row in rows:
        listed = row.pop("path", "") or row.pop("file", "")
        if not listed or "\x00" in listed:
            raise ManifestError(path, line, "path: names no file")
        if remote.is_url(listed):
            _check_url(path, line, listed)
            joined = listed
        else:
            joined = os.path.join(folder, listed)
        real = remote.real_path(joined)
        if real in manifest.lines:
            first = manifest.lines[real][1]
            raise ManifestError(path, line, f"path: {listed} is listed in line {first} already")
        manifest.rows[real] = _listed(path, line, listed, row)
        manifest.lines[real] = (joined, line)
    return manifest


def _check_url(path: str, line: int, url: str) -> None:
    try:
        remote.system_of(url)
    except UsageError as error:
        raise ManifestError(path, line, f"path: {error}") from None
    except OSError:
        pass  # its storage can't be reached: told of the file


def _csv_rows(path: str, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)  # spreadsheets write what their country uses
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    end = 0
    try:
        for cells in reader:
            line, end = end + 1, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = [cell.strip().lower() for cell in cells]
                _check_columns(path, line, columns)
                continue
            if len(cells) > len(columns):
                message = f"has {len(cells)} cells, the head has {len(columns)}: quote cells that"
                raise ManifestError(path, line, f"{message} hold the delimiter")
            yield (
                line,
                {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if cell},
            )
    except csv.Error as error:
        raise ManifestError(path, end + 1, f"is no CSV: {error}") from None
    if not columns:
        raise ManifestError(path, 0, "is empty: its first line must name the columns")


def _json_rows(path: str, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    for line, row_text in enumerate(text.split("\n"), 1):
        if not row_text.strip():
            continue
        try:
            row = json.loads(row_text)
        except (ValueError, RecursionError) as error:
            raise ManifestError(path, line, f"is no JSON: {error}") from None
        if not isinstance(row, dict):
            raise ManifestError(path, line, "is no JSON object")
        _check_columns(path, line, list(row))
        for name, value in row.items():
            if value is not None and not isinstance(value, str):
                raise ManifestError(path, line, f"{name}: must be a string or null")
        yield line, {name: value.strip() for name, value in row.items() if value}


def _check_columns(path: str, line: int, columns: list[str]) -> None:
    for name in columns:
        if name not in ("path", "file", *COLUMNS):
            known = ", ".join(("path", *COLUMNS))
            raise ManifestError(path, line, f"no column is called {name!r}: use {known}")
        if columns.count(name) > 1:
            raise ManifestError(path, line, f"the column {name!r} stands there twice")
    if ("path" in columns) == ("file" in columns):
        raise ManifestError(path, line, "must have one column called path (or file)")


def _listed(path: str, line: int, listed: str, row: dict[str, str]) -> Listed:
    fetched_at = None
    if "fetched_at" in row:
        try:
            fetched_at = read_time(row["fetched_at"])
        except ValueError as error:
            raise ManifestError(path, line, f"fetched_at: {error}") from None
    url = row.get("url")
    if url is not None and not is_web_address(url):
        raise ManifestError(path, line, f"url: {url[:80]!r} is no http(s) address")
    charset = row.get("charset")
    if charset is not None and known_charset(charset) is None:
        raise ManifestError(path, line, f"charset: {charset[:40]!r} is not known")
    published_at = row.get("published_at")
    if published_at is not None and not any(map(str.isdigit, published_at)):
        raise ManifestError(path, line, f"published_at: {published_at[:40]!r} holds no date")
    inner = listed.lower().removesuffix(".gz")
    if inner.endswith((".jsonl", ".ndjson", ".warc", ".parquet")):
        for name in row:
            if name != "source":
                message = f"{name}: can't be stated for a file of many pages, only source can"
                raise ManifestError(path, line, message)
    stated = Stated(row.get("title"), row.get("author"), published_at)
    return Listed(row.get("source"), url, fetched_at, charset, stated)
