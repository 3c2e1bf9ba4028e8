"""files read by a cluster

Revision: 0010
Before: 0009
Made: 2026-11-30 23:05:00

Rules:
- Runs on SQLite and PostgreSQL alike; what only one can do stands in `if dialect == ...`.
- `downgrade` undoes `upgrade` exactly; the tests run both ways on both databases.
- Never import models here: they change, this step must not. Write types out.
- A new column of a filled table is nullable or has a server default.
- Move data in SQL, in portions, and never delete what can't be rebuilt from the archive.
- A landed migration is never edited: add another.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "read_files",
        sa.Column("key", sa.String(length=64), nullable=False, comment="SHA-256 of its path"),
        sa.Column("path", sa.Text(), nullable=False, comment="path or URL, as it was named"),
        sa.Column(
            "state",
            sa.String(length=64),
            nullable=False,
            comment="SHA-256 of its size, its time or tag, and how it was read",
        ),
        sa.Column(
            "run_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="the run that read it",
        ),
        sa.Column(
            "read_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when it was all stored, UTC",
        ),
        sa.Column(
            "counts",
            sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
            nullable=False,
            comment="documents per outcome",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_read_files_run_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_read_files")),
        comment="a file that a replay on a cluster has read to its end, not to be read again",
    )
    _tell_origins("file, jsonl, warc, parquet or crawl", "file, jsonl, warc or crawl")


def downgrade() -> None:
    _tell_origins("file, jsonl, warc or crawl", "file, jsonl, warc, parquet or crawl")
    op.drop_table("read_files")


def _tell_origins(said: str, before: str) -> None:
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps no comments
        op.alter_column(
            "ledger",
            "origin",
            existing_type=sa.String(length=8),
            existing_nullable=False,
            existing_comment=before,
            comment=said,
        )
