"""Writes docs/tables.md from the models: `python -m tests.document_tables`."""

from sqlalchemy import Column

from pipelines.db.models import Base
from tests.conftest import ROOT

FILE = ROOT / "docs" / "tables.md"


def document() -> str:
    """All tables and columns, with the comments that the database carries."""
    parts = [
        "# Tables\n",
        "Written from `pipelines/db/models.py` by `python -m tests.document_tables`.",
        "Times are UTC.",
    ]
    for table in Base.metadata.sorted_tables:
        parts.append(f"\n## {table.name}\n\nOne row is {table.comment}.\n")
        parts.append("| column | type | |\n| --- | --- | --- |")
        parts += [_row(column) for column in table.columns]
    return "\n".join(parts) + "\n"


def _row(column: Column[object]) -> str:
    notes = [str(column.comment)]
    notes += [f"-> `{key.target_fullname}`" for key in column.foreign_keys]
    kind = str(column.type).lower().removeprefix("utcdatetime").split("(")[0] or "time"
    marks = "key" if column.primary_key else "" if column.nullable else "not null"
    return f"| `{column.name}` | {kind} {marks} | {'; '.join(notes)} |".replace("  ", " ")


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
