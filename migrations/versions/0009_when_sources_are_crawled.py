"""when sources are crawled

Revision: 0009
Before: 0006
Made: 2026-11-22 06:38:45.133202

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

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "schedule",
        sa.Column("source", sa.String(length=255), nullable=False, comment="key of the source"),
        sa.Column(
            "rule",
            sa.Text(),
            nullable=False,
            comment="what sets its times: every 15m, cron 0 6 * * * Africa/Cairo, or adaptive",
        ),
        sa.Column(
            "next_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it is due, UTC; stays until its crawl has ended; NULL: never again",
        ),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="start of its last scheduled crawl, UTC",
        ),
        sa.Column(
            "ended_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="end of that crawl, UTC; NULL while it runs",
        ),
        sa.Column(
            "result",
            sa.String(length=16),
            nullable=True,
            comment="done, busy, failed, timed_out, out_of_memory or lost; NULL while it runs",
        ),
        sa.Column("detail", sa.Text(), nullable=True, comment="what it said at its end"),
        sa.Column("failures", sa.Integer(), nullable=False, comment="crawls in a row that failed"),
        sa.Column(
            "token",
            sa.String(length=32),
            nullable=True,
            comment="the scheduler whose turn it is; NULL: nobody's",
        ),
        sa.Column(
            "host", sa.String(length=255), nullable=True, comment="machine of that scheduler"
        ),
        sa.Column("pid", sa.Integer(), nullable=True, comment="its process number there"),
        sa.Column(
            "child",
            sa.Integer(),
            nullable=True,
            comment="process number of the crawl; NULL before it began",
        ),
        sa.Column(
            "until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="another machine's scheduler may take the turn after this, UTC",
        ),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_schedule")),
        comment="when each source is crawled next, and how its last scheduled crawl ended",
    )


def downgrade() -> None:
    op.drop_table("schedule")
