"""changed sentences

Revision: 0011
Before: 0010
Made: 2026-12-01 03:10:00

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

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_COLUMNS = {
    "only_a": "sentences that only the first has; NULL until `warraq db dedup` saw it",
    "only_b": "those that only the other has",
    "altered": "sentences that both have, in other words",
}


def upgrade() -> None:
    for name, comment in _COLUMNS.items():
        op.add_column(
            "article_links", sa.Column(name, sa.Integer(), nullable=True, comment=comment)
        )
    op.execute("DROP VIEW syndication")
    _create_view(_COUNTS)
    if op.get_bind().dialect.name == "postgresql":
        _tell(_COMMENTS | _COUNT_COMMENTS)


def downgrade() -> None:
    op.execute("DROP VIEW syndication")
    for name in reversed(_COLUMNS):
        op.drop_column("article_links", name)
    _create_view("")
    if op.get_bind().dialect.name == "postgresql":
        _tell(_COMMENTS)


def _create_view(counts: str) -> None:
    minutes = {
        "sqlite": "round((julianday({}) - julianday({})) * 1440)",
        "postgresql": "round(extract(epoch FROM {} - {}) / 60)",
    }[op.get_bind().dialect.name]
    published = minutes.format("c.clock", "c.first_clock")
    seen = minutes.format("c.first_seen", "c.story_seen")
    view = _SYNDICATION.replace(":published", published).replace(":seen", seen)
    op.execute(view.replace(":counts", counts))


def _tell(comments: dict[str, str]) -> None:
    told = {
        "VIEW syndication": "an article of a story that several articles tell",
        **{f"COLUMN syndication.{name}": comment for name, comment in comments.items()},
    }
    for what, comment in told.items():
        op.execute("COMMENT ON {} IS '{}'".format(what, comment.replace("'", "''")))


#: What an article changed of the story's fullest one.
_COUNTS = """,
       CASE WHEN l.b_id = c.article_id THEN l.only_b ELSE l.only_a END AS sentences_added,
       CASE WHEN l.b_id = c.article_id THEN l.only_a ELSE l.only_b END AS sentences_removed,
       l.altered AS sentences_altered"""

#: As in the second step, where it was made.
_SYNDICATION = """
CREATE VIEW syndication AS
SELECT c.story_id, c.article_id, c.source_id, o.key AS source, c.title, c.agency,
       c.published_at, c.published_precision, c.first_seen,
       CAST(:published AS INTEGER) AS delay_minutes,
       CAST(:seen AS INTEGER) AS seen_delay_minutes,
       c.representative_id, l.kind, l.jaccard, l.containment:counts
FROM (
    SELECT a.story_id, a.id AS article_id, a.source_id, a.title, a.agency, a.published_at,
           a.published_precision, a.first_seen, s.representative_id, s.first_seen AS story_seen,
           a.clock, min(a.clock) OVER (PARTITION BY a.story_id) AS first_clock
    FROM (
        SELECT articles.*, CASE
            WHEN published_precision IN ('second', 'minute', 'hour')
            AND published_offset IS NOT NULL THEN published_at
        END AS clock
        FROM articles
    ) a JOIN stories s ON s.id = a.story_id
    WHERE s.articles > 1
) c
JOIN sources o ON o.id = c.source_id
LEFT JOIN article_links l
  ON l.a_id = CASE WHEN c.article_id < c.representative_id
                   THEN c.article_id ELSE c.representative_id END
 AND l.b_id = CASE WHEN c.article_id < c.representative_id
                   THEN c.representative_id ELSE c.article_id END
"""

_COMMENTS = {
    "story_id": "number of the story",
    "article_id": "the article",
    "source": "key of the source",
    "delay_minutes": "minutes after the story's first article, by what the pages state; "
    "NULL unless both state a time of day with its offset",
    "seen_delay_minutes": "the same by the time of the fetch",
    "representative_id": "the story's fullest article",
    "kind": "how it copies that one: exact, near or contains; NULL for itself and for "
    "what is linked through others",
    "jaccard": "share of five-word runs that both have",
    "containment": "share of the shorter text's runs that the other has",
}
_COUNT_COMMENTS = {
    "sentences_added": "sentences that it has and the fullest one has not; NULL as `kind` is",
    "sentences_removed": "sentences of the fullest one that it leaves out",
    "sentences_altered": "sentences of the fullest one that it words differently",
}
