"""`warraq sql`."""

import csv
import sys
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any

import typer

from crawler.commands import options as o


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"


#: Rows in a table for people without --limit; JSON and CSV give all.
_TABLE_ROWS = 1000


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT; - reads it from standard input.")],
    db: o.Db = None,
    form: Annotated[
        Format, typer.Option("--format", help="table for people, json or csv for programs.")
    ] = Format.TABLE,
    json: o.AsJson = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, metavar="N", help="Rows printed; a table has 1000."),
    ] = None,
    offset: Annotated[
        int, typer.Option("--offset", min=0, metavar="N", help="Rows passed over.")
    ] = 0,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="Longest time.")
    ] = 60.0,
) -> None:
    """Ask the database. It is opened for reading only: no query can change it.

    --limit and --offset page through the rows of a query that has an ORDER BY.

    Example: warraq sql "SELECT title, published_on FROM articles ORDER BY published_at DESC"
    """
    from crawler.show import print_json, print_table, say
    from pipelines.db.engine import read_only

    text = sys.stdin.read() if query == "-" else query
    with read_only(db, timeout) as run:
        rows = run(text)
        end = None if limit is None else offset + limit
        if json or form is Format.JSON:
            print_json([_json_row(rows.columns, row) for row in islice(rows.rows, offset, end)])
        elif form is Format.CSV:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(rows.columns)
            writer.writerows(islice(rows.rows, offset, end))
        else:
            shown = list(islice(rows.rows, offset, offset + (limit or _TABLE_ROWS)))
            print_table(rows.columns, shown)
            if next(rows.rows, None) is not None:
                after = offset + len(shown)
                say(f"rows {offset + 1} to {after}; --offset {after} shows the next")


def _json_row(columns: list[str], row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(columns, map(_plain, row), strict=True))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value
