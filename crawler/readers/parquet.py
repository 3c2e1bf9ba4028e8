"""Parquet: every row is one page, with the fields of a JSON line."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

from crawler.readers.jsonl import page_of_row
from crawler.readers.manifest import Listed
from crawler.readers.options import FIELDS, ReadOptions
from crawler.readers.stream import CHUNK, Source
from pipelines.document import Origin, RawPage, Reason, Unreadable
from pipelines.errors import UsageError

#: Rows in memory at a time: a row may hold a large page.
_ROWS = 64


def read_parquet(
    source: Source, path: str, options: ReadOptions, listed: Listed
) -> Iterator[RawPage | Unreadable]:
    """One page a row, or why there is none; `path#ROW` names it, from 1.

    Of all columns only those with our fields are read. Raises UsageError without pyarrow.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{path}: Parquet needs the extra: pip install 'warraq[export]' ({error})"
        ) from error
    default = listed.source or options.source

    def of_file(reason: Reason, detail: str) -> Unreadable:
        return Unreadable(path, reason, detail, None, default, Origin.PARQUET)

    if source.size is None:
        detail = "Parquet is read from its end, and this has none in sight: save it as a file"
        yield of_file(Reason.UNREADABLE, detail)
        return
    number = 0
    try:
        file = pq.ParquetFile(source, buffer_size=CHUNK, pre_buffer=False)
        columns = _columns(file.schema_arrow.names, options)
        if not columns & {_column("html", options), _column("text", options)}:
            has = ", ".join(map(repr, file.schema_arrow.names[:8])) or "nothing"
            detail = f"no column of text or html in it, but {has[:200]}: map it with --field"
            yield of_file(Reason.BAD_LINE, detail)
            return
        for batch in file.iter_batches(batch_size=_ROWS, columns=sorted(columns)):
            for row in batch.to_pylist():
                number += 1
                yield _page(row, f"{path}#{number}", options, default)
    except (pa.ArrowException, OverflowError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())[:200]
        detail = f"no Parquet after row {number:,}, or damaged ({said}): fetch or copy it again"
        yield of_file(Reason.UNREADABLE, detail)
        return
    if not number:
        yield of_file(Reason.EMPTY, "the file has no row: fetch or copy it again")


def _columns(names: list[str], options: ReadOptions) -> set[str]:
    return {column for field in FIELDS if (column := _column(field, options)) in names}


def _column(field: str, options: ReadOptions) -> str:
    """The column that a field is in, be it deeper in it."""
    return options.fields.get(field, field).partition(".")[0]


def _page(
    row: dict[str, Any], name: str, options: ReadOptions, default: str | None
) -> RawPage | Unreadable:
    html = row.get(_column("html", options))
    raw = html if isinstance(html, bytes) else None
    plain = {column: _plain(value) for column, value in row.items()}
    page = page_of_row(plain, name, options, default, Origin.PARQUET)
    # A page that was kept as bytes is in the character set that it says, or does not say.
    return replace(page, body=raw, charset=None) if raw and isinstance(page, RawPage) else page


def _plain(value: Any) -> Any:
    """As JSON would have it: text for times and bytes."""
    if isinstance(value, date):  # and a time of day
        return value.isoformat()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
