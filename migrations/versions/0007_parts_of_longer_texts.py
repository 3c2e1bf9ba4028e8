"""parts of longer texts

Revision: 0007
Before: 0003
Made: 2026-11-22 06:31:01.735061

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

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column(
        "article_links",
        sa.Column(
            "part",
            sa.String(length=8),
            nullable=True,
            comment="what the shorter text holds of the longer: most (more than half, its opening "
            "among it), body (more than half, but not its opening), opening, passage; "
            "NULL until `warraq db dedup` saw it",
        ),
    )
    op.add_column(
        "article_links",
        sa.Column(
            "longer_id",
            _ROW_ID,
            nullable=True,
            comment="the article with the longer text; of equals always the same one",
        ),
    )
    op.create_index(
        "ix_article_links_longer_id",
        "article_links",
        ["longer_id"],
        sqlite_where=sa.text("part <> 'most'"),
        postgresql_where=sa.text("part <> 'most'"),
    )
    op.add_column(
        "article_shingles",
        sa.Column(
            "opening",
            sa.LargeBinary(),
            nullable=True,
            comment="those of the first 24 shingles, as above; NULL until `warraq db dedup` saw it",
        ),
    )
    # What is in it serves the algorithm before alone: `warraq db dedup` makes all of it anew.
    op.drop_table("fingerprint_bands")
    _create_bands("fingerprint_bands", "what finds an article's copies: equal values, read by hash")
    _create_bands(
        "fingerprint_recent",
        "the same of the newest articles: moved to fingerprint_bands many at a time",
    )


def downgrade() -> None:
    op.drop_table("fingerprint_recent")
    op.drop_table("fingerprint_bands")
    _create_bands(
        "fingerprint_bands",
        "what finds an article's copies: equal values, read by hash",
        sa.Column(
            "band",
            sa.SmallInteger(),
            nullable=False,
            comment="what it is: 0 to 9 a MinHash band, 10 an anchor, 11 the whole text",
        ),
    )
    op.drop_column("article_shingles", "opening")
    op.drop_index("ix_article_links_longer_id", "article_links")
    op.drop_column("article_links", "longer_id")
    op.drop_column("article_links", "part")


def _create_bands(name: str, comment: str, *more: sa.Column[int]) -> None:
    op.create_table(
        name,
        sa.Column(
            "hash",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the value, 64 bit",
        ),
        sa.Column(
            "article_id", _ROW_ID, autoincrement=False, nullable=False, comment="the article"
        ),
        *more,
        sa.PrimaryKeyConstraint("hash", "article_id", name=op.f(f"pk_{name}")),
        comment=comment,
        sqlite_with_rowid=False,
    )
