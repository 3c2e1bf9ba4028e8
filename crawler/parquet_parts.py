"""A folder of Parquet files with the rows of `warraq extract`, local or in object storage.

Each part is there whole or not at all, and names the files whose rows it holds, so that a job
that was killed knows what is left to do.
"""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crawler.readers.remote import as_os_errors, system_of
from pipelines.errors import UsageError

#: Rows in memory at a time.
_AT_ONCE = 500
_FILES = "warraq.files"
_LISTS = ("tags", "flags", "published_conflicts")
_TABLES = {
    "blocks": ("kind", "text"),
    "removed": ("text", "rule"),
    "date_candidates": ("method", "role", "text"),
}

#: Path of a file and its state; None if it may be read better another time.
Read = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    files: tuple[Read, ...]


def parts_of(folder: str) -> list[Part]:
    """The parts that are in a folder; other files in it are left alone. Raises OSError."""
    _, pq = _pyarrow()
    system, path = system_of(folder)
    found = []
    with as_os_errors(folder):
        for name in sorted(system.glob(f"{path.rstrip('/')}/*.parquet")):
            with system.open(name, "rb") as file:
                said = (pq.read_metadata(file).metadata or {}).get(_FILES.encode())
            if said is not None:
                files = tuple((file, state) for file, state in json.loads(said))
                found.append(Part(name.rpartition("/")[2], files))
    return found


def remove_part(folder: str, part: Part) -> None:
    """Takes a part out of a folder. Raises OSError."""
    system, path = system_of(folder)
    with as_os_errors(folder):
        system.rm_file(f"{path.rstrip('/')}/{part.name}")


def write_part(
    folder: str,
    name: str,
    rows: Iterable[dict[str, Any]],
    columns: Sequence[str],
    files: Callable[[], list[Read]],
) -> None:
    """Puts a part into a folder; `files` is asked after the last row. Raises OSError."""
    pa, pq = _pyarrow()
    system, path = system_of(folder)
    schema = _schema(pa, columns)
    with tempfile.TemporaryDirectory(prefix="warraq-") as beside:
        made = Path(beside, name)
        with pq.ParquetWriter(made, schema, compression="zstd") as writer:
            for portion in _portions(rows):
                writer.write_table(pa.Table.from_pylist(portion, schema))
            writer.add_key_value_metadata({_FILES: json.dumps(files())})
        with as_os_errors(folder):
            system.makedirs(path, exist_ok=True)
            # Readers of the folder pass hidden files by, and a name changes at once.
            hidden, final = f"{path.rstrip('/')}/.{name}.part", f"{path.rstrip('/')}/{name}"
            system.put_file(str(made), hidden)
            system.mv(hidden, final)


def _portions(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    portion: list[dict[str, Any]] = []
    for row in rows:
        portion.append({column: _storable(value) for column, value in row.items()})
        if len(portion) == _AT_ONCE:
            yield portion
            portion = []
    if portion:
        yield portion


def _storable(value: Any) -> Any:
    """Half of a character pair, which a page or a file's name may hold, is no UTF-8."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_storable(each) for each in value]
    if isinstance(value, dict):
        return {name: _storable(each) for name, each in value.items()}
    return value


def _schema(pa: Any, columns: Sequence[str]) -> Any:
    def kind(column: str) -> Any:
        if column in _TABLES:
            return pa.list_(pa.struct([(name, pa.string()) for name in _TABLES[column]]))
        if column in _LISTS:
            return pa.list_(pa.string())
        return pa.float64() if column == "published_confidence" else pa.string()

    return pa.schema([(column, kind(column)) for column in columns])


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise UsageError(
            f"Parquet needs the extra: pip install 'warraq[cluster]' ({error})"
        ) from error
    return pyarrow, pyarrow.parquet
