"""search index, views that hide what the databases differ in, and a role that reads

Revision: 0006
Before: 0003
Made: 2026-11-22 06:30:00

Rules:
- Runs on SQLite and PostgreSQL alike; what only one can do stands in `if dialect == ...`.
- `downgrade` undoes `upgrade` exactly; the tests run both ways on both databases.
- Never import models here: they change, this step must not. Write types out.
- A new column of a filled table is nullable or has a server default.
- Move data in SQL, in portions, and never delete what can't be rebuilt from the archive.
- A landed migration is never edited: add another.

The index begins empty: `warraq db reindex` fills it with the articles that are there.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "search_entries",
        sa.Column("entry", _ROW_ID, nullable=False, comment="number in the index"),
        sa.Column("article_id", _ROW_ID, nullable=False, comment="the article"),
        sa.Column(
            "dated_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="what `newest` goes by: published_at, or first_seen without one",
        ),
        sa.Column(
            "published_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="the article's published_at",
        ),
        sa.Column("source_id", _ROW_ID, nullable=False, comment="its source"),
        sa.Column("agency", sa.String(length=255), nullable=True, comment="its agency"),
        sa.Column("language", sa.String(length=3), nullable=True, comment="its language"),
        sa.Column(
            "key_version", sa.SmallInteger(), nullable=False, comment="version of the search key"
        ),
        sa.Column(
            "content",
            sa.BigInteger(),
            nullable=False,
            comment="hash of all that is indexed: tells whether a change touches it",
        ),
        sa.ForeignKeyConstraint(
            ["article_id"],
            ["articles.id"],
            name=op.f("fk_search_entries_article_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_search_entries_source_id")
        ),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_search_entries")),
        sa.UniqueConstraint("article_id", name=op.f("uq_search_entries_article_id")),
        comment="an article in the search index",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_search_entries_dated_at", "search_entries", ["dated_at"])
    dialect = op.get_bind().dialect.name
    if dialect == "sqlite":
        # Contentless: FTS5 keeps what finds words, not the text. `ascii` parts words at spaces
        # alone, and keys are words with spaces between; # marks facts,
        # @ words of the title once more: nothing that is typed begins with either.
        op.execute(
            "CREATE VIRTUAL TABLE search_words USING fts5(title, deck, body, facts, content='',"
            " columnsize=0, tokenize=\"ascii tokenchars '#@-_'\")"
        )
    else:
        op.execute("ALTER TABLE search_entries ADD COLUMN words tsvector")
        op.execute(
            "COMMENT ON COLUMN search_entries.words IS"
            " 'search keys with their places; # marks facts, @ words of the title'"
        )
        # Words out of line: a search reads the dates of thousands of entries, and few words.
        op.execute("ALTER TABLE search_entries SET (toast_tuple_target = 128)")
        op.execute("CREATE INDEX ix_search_entries_words ON search_entries USING gin (words)")
    for name, (_, query, _) in _VIEWS.items():
        query = query.replace(":weekday", _WEEKDAY[dialect])
        for kind, (sqlite, postgresql) in _LISTS.items():
            query = query.replace(f":{kind}", sqlite if dialect == "sqlite" else postgresql)
        op.execute(f"CREATE VIEW {name} AS {query}")
    if dialect == "postgresql":
        for name, (comment, _, columns) in (_VIEWS | _EARLIER).items():
            op.execute(f"COMMENT ON VIEW {name} IS {_quoted(comment)}")
            for column, said in columns.items():
                op.execute(f"COMMENT ON COLUMN {name}.{column} IS {_quoted(said)}")
        op.execute(_READER)


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    if dialect == "postgresql":
        op.execute(_NO_READER)
        for name, (_, _, columns) in _EARLIER.items():
            op.execute(f"COMMENT ON VIEW {name} IS NULL")
            for column in columns:
                op.execute(f"COMMENT ON COLUMN {name}.{column} IS NULL")
    for name in reversed(_VIEWS):
        op.execute(f"DROP VIEW {name}")
    if dialect == "sqlite":
        op.execute("DROP TABLE search_words")
    op.drop_index("ix_search_entries_dated_at", "search_entries")
    op.drop_table("search_entries")


def _quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"


#: ISO: Monday is 1.
_WEEKDAY = {
    "sqlite": "(CAST(strftime('%w', a.published_on) AS INTEGER) + 6) % 7 + 1",
    "postgresql": "CAST(extract(isodow FROM a.published_on) AS INTEGER)",
}
#: A list in one column as rows: (SQLite, PostgreSQL).
_LISTS = {
    "agency_list": (
        "json_each('[\"' || replace(a.agency, ',', '\",\"') || '\"]') AS e",
        "unnest(string_to_array(a.agency, ',')) AS e(value)",
    ),
    "tag_list": ("json_each(a.tags) AS e", "jsonb_array_elements_text(a.tags) AS e(value)"),
    "flag_list": (
        "json_each(a.flags) AS e",
        "jsonb_array_elements_text(a.flags) AS e(value)",
    ),
    "conflict_list": (
        "json_each(a.published_conflicts) AS e",
        "jsonb_array_elements_text(a.published_conflicts) AS e(value)",
    ),
    "candidate_list": (
        "json_each(a.date_candidates) AS e",
        "jsonb_array_elements(a.date_candidates) AS e(value)",
    ),
}

_SOURCE = "key of the source"
_ARTICLE = "the article"

#: name -> (what one row is, query, columns)
_VIEWS: dict[str, tuple[str, str, dict[str, str]]] = {
    "daily_counts": (
        "a day of a source on its own calendar; articles without a day are not counted",
        """
        SELECT a.published_on AS day, s.key AS source, count(*) AS articles,
               count(DISTINCT coalesce(a.story_id, -a.id)) AS stories,
               count(a.agency) AS from_agencies
        FROM articles a JOIN sources s ON s.id = a.source_id
        WHERE a.published_on IS NOT NULL
        GROUP BY a.published_on, s.key
        """,
        {
            "day": "day of publication on the outlet's own calendar",
            "source": _SOURCE,
            "articles": "articles of that day",
            "stories": "distinct texts among them",
            "from_agencies": "how many of them are an agency's text",
        },
    ),
    "rejections": (
        "a page that a run refused or could not deal with",
        """
        SELECT l.id AS ledger_id, l.run_id, l.seen_at, coalesce(l.url, l.path) AS page,
               s.key AS source, l.outcome, l.stage, l.reason, l.detail
        FROM ledger l LEFT JOIN sources s ON s.id = l.source_id
        WHERE l.reason IS NOT NULL
        """,
        {
            "ledger_id": "its entry in the ledger",
            "run_id": "the run",
            "seen_at": "when it was dealt with, UTC",
            "page": "URL, or file without one",
            "source": _SOURCE,
            "outcome": "rejected: read, but no article; failed: could not be dealt with",
            "stage": "stage that refused it",
            "reason": "why",
            "detail": "the same in words",
        },
    ),
    "publication_times": (
        "an article whose day is known: when the outlet published it, by its own clock",
        """
        SELECT a.id AS article_id, s.key AS source, a.published_on AS day,
               substr(a.published_iso, 1, 7) AS month, :weekday AS weekday,
               CASE WHEN a.published_precision IN ('second', 'minute', 'hour')
                    THEN CAST(substr(a.published_iso, 12, 2) AS INTEGER) END AS hour
        FROM articles a JOIN sources s ON s.id = a.source_id
        WHERE a.published_on IS NOT NULL
        """,
        {
            "article_id": _ARTICLE,
            "source": _SOURCE,
            "day": "day of publication",
            "month": "its month, as 2020-09",
            "weekday": "its weekday: 1 is Monday, 7 Sunday",
            "hour": "hour, 0 to 23, as the page states it; NULL if it states none",
        },
    ),
    "article_agencies": (
        "an agency of an article: one row for each, where a text is of several",
        """
        SELECT a.id AS article_id, e.value AS agency, a.agency_method AS method
        FROM articles a, :agency_list
        WHERE a.agency IS NOT NULL
        """,
        {
            "article_id": _ARTICLE,
            "agency": "id of the agency",
            "method": "dateline, credit, author or self_reference",
        },
    ),
    "article_tags": (
        "a tag of an article, as stated",
        "SELECT a.id AS article_id, e.value AS tag FROM articles a, :tag_list",
        {"article_id": _ARTICLE, "tag": "the tag"},
    ),
    "article_flags": (
        "something odd about an article",
        "SELECT a.id AS article_id, e.value AS flag FROM articles a, :flag_list",
        {"article_id": _ARTICLE, "flag": "the flag"},
    ),
    "date_conflicts": (
        "something on a page that disagrees with the date chosen for its article",
        "SELECT a.id AS article_id, e.value AS conflict FROM articles a, :conflict_list",
        {"article_id": _ARTICLE, "conflict": "what disagrees"},
    ),
    "date_candidates": (
        "a date that was found on an article's page, whether it was chosen or not",
        """
        SELECT a.id AS article_id, e.value ->> 0 AS method, e.value ->> 1 AS role,
               e.value ->> 2 AS text
        FROM articles a, :candidate_list
        """,
        {
            "article_id": _ARTICLE,
            "method": "where it was found",
            "role": "what it says of itself",
            "text": "the words",
        },
    ),
}
#: Views of earlier steps, which had no comments.
_EARLIER: dict[str, tuple[str, str, dict[str, str]]] = {
    "distinct_articles": (
        "a story, as its fullest article tells it",
        "",
        {
            "id": "number of that article",
            "story_id": "number of the story",
            "copies": "how many articles tell it",
            "first_published": "earliest published_at of them",
            "story_first_seen": "earliest first_seen of them",
        },
    ),
    "syndication": (
        "an article of a story that several articles tell",
        "",
        {
            "story_id": "number of the story",
            "article_id": _ARTICLE,
            "source": _SOURCE,
            "delay_minutes": "minutes after the story's first article, by what the pages state; "
            "NULL unless both state a time of day with its offset",
            "seen_delay_minutes": "the same by the time of the fetch",
            "representative_id": "the story's fullest article",
            "kind": "how it copies that one: exact, near or contains; NULL for itself and for "
            "what is linked through others",
            "jaccard": "share of five-word runs that both have",
            "containment": "share of the shorter text's runs that the other has",
        },
    ),
}

#: A group role: `GRANT warraq_reader TO analyst` lets a person read, and nothing else.
_READER = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'warraq_reader') THEN
        CREATE ROLE warraq_reader NOLOGIN;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'this user may not create the role warraq_reader';
    WHEN duplicate_object OR unique_violation THEN
        NULL;  -- another database of this server is upgraded at the same moment
END $$;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'warraq_reader') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO warraq_reader', current_schema());
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO warraq_reader',
                       current_schema());
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT ON TABLES'
                       ' TO warraq_reader', current_schema());
    END IF;
END $$
"""

#: The role itself stays: other databases of the server may use it.
_NO_READER = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'warraq_reader') THEN
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I REVOKE SELECT ON TABLES'
                       ' FROM warraq_reader', current_schema());
        EXECUTE format('REVOKE SELECT ON ALL TABLES IN SCHEMA %I FROM warraq_reader',
                       current_schema());
        EXECUTE format('REVOKE USAGE ON SCHEMA %I FROM warraq_reader', current_schema());
    END IF;
END $$
"""
