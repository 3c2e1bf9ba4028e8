"""The tables. A change here needs a migration; `warraq db check` tells when one is missing.

Times are stored in UTC. Every column has a comment: PostgreSQL keeps it with the table.
"""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Only aware datetimes go in, UTC comes out, on SQLite too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone can't be stored: {value}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


#: SQLite numbers rows by itself only in a column of exactly this type.
RowId = BigInteger().with_variant(Integer, "sqlite")
Json = JSON().with_variant(JSONB, "postgresql")
Hash = String(64)
#: 16 hex digits: within one source, 64 bits tell lines apart.
LineHash = String(16)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class SourceRow(Base):
    __tablename__ = "sources"
    __table_args__ = ({"comment": "an outlet, from its YAML file or named by a document"},)

    id: Mapped[int] = mapped_column(RowId, primary_key=True, comment="number of the source")
    key: Mapped[str] = mapped_column(
        String(255), unique=True, comment="its name: path of its YAML file, host, or as given"
    )
    title: Mapped[str | None] = mapped_column(Text, comment="the outlet's name")
    homepage: Mapped[str | None] = mapped_column(Text, comment="URL of its front page")
    country: Mapped[str | None] = mapped_column(String(2), comment="ISO 3166 code, lower case")
    language: Mapped[str | None] = mapped_column(String(3), comment="main language, ISO 639")
    zone: Mapped[str | None] = mapped_column(String(64), comment="IANA zone of its clock")
    ad_hoc: Mapped[bool] = mapped_column(
        Boolean, comment="true: no YAML file describes it, a document named it"
    )


class Run(Base):
    __tablename__ = "runs"
    __table_args__ = ({"comment": "one crawl or replay"},)

    id: Mapped[int] = mapped_column(RowId, primary_key=True, comment="number of the run")
    command: Mapped[str] = mapped_column(Text, comment="the command line")
    status: Mapped[str] = mapped_column(
        String(16), comment="running, done, interrupted, failed, or lost (its process is gone)"
    )
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, comment="start, UTC")
    ended_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime, comment="end, UTC; NULL while it runs or when its process was killed"
    )
    counts: Mapped[dict[str, int]] = mapped_column(Json, comment="documents per outcome")
    host: Mapped[str] = mapped_column(String(255), comment="machine that it runs on")
    pid: Mapped[int] = mapped_column(Integer, comment="process number on that machine")
    version: Mapped[str] = mapped_column(String(32), comment="Warraq's version")


class ArticleRow(Base):
    __tablename__ = "articles"
    __table_args__ = (
        Index("ix_articles_content_hash", "content_hash"),
        Index("ix_articles_raw_hash", "raw_hash"),
        Index("ix_articles_published_at", "published_at"),
        Index("ix_articles_story_id", "story_id"),
        Index("ix_articles_source_id_published_at", "source_id", "published_at"),
        Index("ix_articles_source_id_first_seen", "source_id", "first_seen"),
        {"comment": "an article of one source, its newest version"},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True, comment="number of the article")
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), comment="its source")
    identity: Mapped[str] = mapped_column(
        Hash,
        unique=True,
        comment="SHA-256 of source and URL key, or of source and content hash without a URL",
    )
    url: Mapped[str | None] = mapped_column(Text, comment="URL that it was fetched from")
    canonical_url: Mapped[str | None] = mapped_column(
        Text, comment="URL without tracking parameters, as the page names itself"
    )
    path: Mapped[str | None] = mapped_column(Text, comment="file (and record) that it came from")
    title: Mapped[str | None] = mapped_column(Text, comment="headline; NULL if the page has none")
    title_method: Mapped[str | None] = mapped_column(
        String(32), comment="where the title was found"
    )
    deck: Mapped[str | None] = mapped_column(Text, comment="standfirst between title and body")
    text: Mapped[str] = mapped_column(
        Text, comment="body and sub-headings, one block a line, as printed"
    )
    blocks: Mapped[list[list[str]]] = mapped_column(
        Json, comment="the text's lines as [kind, text]: heading, paragraph, list, quote, table"
    )
    author: Mapped[str | None] = mapped_column(Text, comment="writer as printed")
    agency: Mapped[str | None] = mapped_column(
        String(255), comment="ids of the agencies whose text it is, joined by commas"
    )
    agency_method: Mapped[str | None] = mapped_column(
        String(32), comment="dateline, credit, author or self_reference"
    )
    place: Mapped[str | None] = mapped_column(Text, comment="place of the dateline, as printed")
    section: Mapped[str | None] = mapped_column(Text, comment="section of the outlet, as stated")
    site_name: Mapped[str | None] = mapped_column(Text, comment="the page's name for its site")
    tags: Mapped[list[str]] = mapped_column(Json, comment="tags and keywords, as stated")
    language: Mapped[str | None] = mapped_column(String(3), comment="language, ISO 639")
    published_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime,
        comment="first instant, in UTC, of what the page states; see published_precision",
    )
    published_on: Mapped[date | None] = mapped_column(
        Date, comment="day of publication on the outlet's own calendar, as stated"
    )
    published_iso: Mapped[str | None] = mapped_column(
        String(40), comment="ISO 8601 as stated, cut to its precision, with the stated offset"
    )
    published_offset: Mapped[int | None] = mapped_column(
        Integer, comment="minutes east of UTC that page or source state; NULL if none is known"
    )
    published_precision: Mapped[str | None] = mapped_column(
        String(8), comment="second, minute, hour, day, month or year"
    )
    published_method: Mapped[str | None] = mapped_column(
        String(32), comment="where the date was found"
    )
    published_raw: Mapped[str | None] = mapped_column(Text, comment="the words that were read")
    published_confidence: Mapped[float | None] = mapped_column(Float, comment="0 to 1")
    published_zone: Mapped[str | None] = mapped_column(
        String(64), comment="IANA zone, if a place on the page or the source gave the offset"
    )
    published_conflicts: Mapped[list[str]] = mapped_column(
        Json, comment="what on the page disagrees with the date"
    )
    modified_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime, comment="last change that the page states, as published_at"
    )
    modified_iso: Mapped[str | None] = mapped_column(
        String(40), comment="the same as stated, cut to its precision"
    )
    date_candidates: Mapped[list[list[str]]] = mapped_column(
        Json, comment="all dates that were found, as [method, role, text]"
    )
    first_seen: Mapped[datetime] = mapped_column(
        UtcDateTime, comment="earliest fetch; for a file without fetch time, its first replay"
    )
    last_seen: Mapped[datetime] = mapped_column(
        UtcDateTime, comment="latest fetch in which it was found"
    )
    fetched_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime, comment="fetch of the version that is shown; NULL for a file without one"
    )
    content_hash: Mapped[str] = mapped_column(
        Hash, comment="SHA-256 of the text's match key: equal for copies however they are spelt"
    )
    key_version: Mapped[int] = mapped_column(Integer, comment="version of the match key")
    raw_hash: Mapped[str] = mapped_column(Hash, comment="SHA-256 of the bytes as received")
    record_hash: Mapped[str] = mapped_column(
        Hash, comment="SHA-256 of all that was extracted: tells whether a replay changes the row"
    )
    charset: Mapped[str | None] = mapped_column(String(32), comment="character set of the bytes")
    extractor: Mapped[str] = mapped_column(
        String(64), comment="extractor and version, and the version of the rules"
    )
    flags: Mapped[list[str]] = mapped_column(Json, comment="what is odd about the document")
    story_id: Mapped[int | None] = mapped_column(
        # No foreign key: SQLite can't add one to a filled table without copying it, and dropping
        # the old copy would delete the versions and removed lines that hang on it.
        RowId,
        comment="the story that it tells with its copies; NULL until `warraq db dedup` saw it",
    )


class Story(Base):
    __tablename__ = "stories"
    __table_args__ = (
        Index("ix_stories_merged_into", "merged_into"),
        Index("ix_stories_representative_id", "representative_id"),
        {"comment": "articles that are copies of one text; its number stays as it grows"},
    )

    id: Mapped[int] = mapped_column(
        RowId,
        primary_key=True,
        autoincrement=False,
        comment="number of the story: the smallest number of its articles",
    )
    representative_id: Mapped[int | None] = mapped_column(
        ForeignKey("articles.id", ondelete="SET NULL"),
        comment="the fullest text of its articles, the earliest published of equals",
    )
    articles: Mapped[int] = mapped_column(Integer, comment="how many articles tell it")
    first_published: Mapped[datetime | None] = mapped_column(
        UtcDateTime, comment="earliest published_at of its articles"
    )
    first_seen: Mapped[datetime | None] = mapped_column(
        UtcDateTime, comment="earliest first_seen of its articles"
    )
    merged_into: Mapped[int | None] = mapped_column(
        ForeignKey("stories.id", ondelete="SET NULL"),
        comment="the story that its articles belong to now; NULL while it has some",
    )
    merged_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime, comment="when it was merged, UTC"
    )


class ArticleLink(Base):
    __tablename__ = "article_links"
    __table_args__ = (
        Index("ix_article_links_b_id", "b_id"),
        # Few links: those of texts that stand in longer ones.
        Index(
            "ix_article_links_longer_id",
            "longer_id",
            sqlite_where=text("part <> 'most'"),
            postgresql_where=text("part <> 'most'"),
        ),
        {"comment": "two articles that are copies, each pair once"},
    )

    a_id: Mapped[int] = mapped_column(
        ForeignKey("articles.id", ondelete="CASCADE"),
        primary_key=True,
        comment="the article with the smaller number",
    )
    b_id: Mapped[int] = mapped_column(
        ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True, comment="the other"
    )
    kind: Mapped[str] = mapped_column(
        String(8),
        comment="exact: the same words; near: edited; contains: one stands in the other",
    )
    jaccard: Mapped[float] = mapped_column(
        Float, comment="share of both texts' five-word shingles that both have, 0 to 1"
    )
    containment: Mapped[float] = mapped_column(
        Float, comment="share of the shorter text's shingles that the other has, 0 to 1"
    )
    part: Mapped[str | None] = mapped_column(
        String(8),
        comment="what the shorter text holds of the longer: most (more than half, its opening "
        "among it), body (more than half, but not its opening), opening, passage; "
        "NULL until `warraq db dedup` saw it",
    )
    longer_id: Mapped[int | None] = mapped_column(
        RowId, comment="the article with the longer text; of equals always the same one"
    )
    only_a: Mapped[int | None] = mapped_column(
        Integer, comment="sentences that only the first has; NULL until `warraq db dedup` saw it"
    )
    only_b: Mapped[int | None] = mapped_column(Integer, comment="those that only the other has")
    altered: Mapped[int | None] = mapped_column(
        Integer, comment="sentences that both have, in other words"
    )


class ArticleShingles(Base):
    __tablename__ = "article_shingles"
    __table_args__ = ({"comment": "an article's fingerprint, to compare it with others"},)

    article_id: Mapped[int] = mapped_column(
        ForeignKey("articles.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
        comment="the article",
    )
    key_version: Mapped[int] = mapped_column(SmallInteger, comment="version of the match key")
    algorithm: Mapped[int] = mapped_column(
        SmallInteger, comment="version of shingles, bands and signatures"
    )
    shingle_count: Mapped[int] = mapped_column(Integer, comment="how many distinct shingles it has")
    anchor_count: Mapped[int] = mapped_column(Integer, comment="how many of them are anchors")
    text_hash: Mapped[int | None] = mapped_column(
        BigInteger, comment="hash of the whole key; NULL for a text without words"
    )
    shingles: Mapped[bytes] = mapped_column(
        LargeBinary, comment="hashes of the shingles: ascending, 8 bytes each, little-endian"
    )
    opening: Mapped[bytes | None] = mapped_column(
        LargeBinary,
        comment="those of the first 24 shingles, as above; NULL until `warraq db dedup` saw it",
    )
    figures: Mapped[bytes] = mapped_column(
        LargeBinary,
        comment="for shingles with figures: hash with figures masked, hash with them; as above",
    )


class FingerprintBand(Base):
    __tablename__ = "fingerprint_bands"
    __table_args__ = (
        # The key is all that is looked up: SQLite then needs no second copy of it as an index.
        {
            "comment": "what finds an article's copies: equal values, read by hash",
            "sqlite_with_rowid": False,
        },
    )

    hash: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, comment="the value, 64 bit"
    )
    article_id: Mapped[int] = mapped_column(
        # No foreign key: without an index of its own it would make deleting slow, and that index
        # would double the table. What is left of a deleted article is passed over.
        RowId,
        primary_key=True,
        autoincrement=False,
        comment="the article",
    )


class RecentBand(Base):
    __tablename__ = "fingerprint_recent"
    __table_args__ = (
        # Hashes go everywhere in a large index: a page read and written for each. A small one
        # takes them first, and gives them on in order, many a page.
        {
            "comment": "the same of the newest articles: moved to fingerprint_bands many at a time",
            "sqlite_with_rowid": False,
        },
    )

    hash: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, comment="the value, 64 bit"
    )
    article_id: Mapped[int] = mapped_column(
        RowId, primary_key=True, autoincrement=False, comment="the article"
    )


class ArticleVersion(Base):
    __tablename__ = "article_versions"
    __table_args__ = ({"comment": "what an article said before, or in an older fetch"},)

    article_id: Mapped[int] = mapped_column(
        ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True, comment="the article"
    )
    number: Mapped[int] = mapped_column(
        Integer, primary_key=True, comment="1, 2, ... in the order of arrival"
    )
    title: Mapped[str | None] = mapped_column(Text, comment="headline then")
    text: Mapped[str] = mapped_column(Text, comment="text then")
    content_hash: Mapped[str] = mapped_column(Hash, comment="content hash then")
    raw_hash: Mapped[str | None] = mapped_column(
        Hash, comment="SHA-256 of the bytes then; NULL for versions kept before it was noted"
    )
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, comment="when it was seen so")


class RemovedLineRow(Base):
    __tablename__ = "removed_lines"
    __table_args__ = ({"comment": "a line taken out of an article, with its rule"},)

    article_id: Mapped[int] = mapped_column(
        ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True, comment="the article"
    )
    position: Mapped[int] = mapped_column(
        Integer, primary_key=True, comment="the line's place on the page, from 0"
    )
    text: Mapped[str] = mapped_column(Text, comment="the line")
    rule: Mapped[str] = mapped_column(String(64), comment="the rule that took it out")


class SampledPage(Base):
    __tablename__ = "sampled_pages"
    __table_args__ = (
        Index("ix_sampled_pages_source_id_month", "source_id", "month"),
        {"comment": "an article whose short lines are counted; a bounded sample of each month"},
    )

    source_id: Mapped[int] = mapped_column(
        ForeignKey("sources.id"), primary_key=True, comment="the source"
    )
    page: Mapped[str] = mapped_column(
        LineHash, primary_key=True, comment="hash of the article's paragraphs: copies count once"
    )
    month: Mapped[str] = mapped_column(
        String(7), comment="month of its date, as 2024-05; empty without a date"
    )
    seen_on: Mapped[date | None] = mapped_column(
        Date, comment="day of publication, else of the fetch"
    )
    raw_hash: Mapped[str] = mapped_column(
        Hash, comment="SHA-256 of the bytes that its lines are from: of copies, the smallest"
    )


class PageLine(Base):
    __tablename__ = "page_lines"
    __table_args__ = (
        Index("ix_page_lines_source_id_line", "source_id", "line"),
        {"comment": "a short line of a sampled page"},
    )

    source_id: Mapped[int] = mapped_column(
        ForeignKey("sources.id"), primary_key=True, comment="the source"
    )
    page: Mapped[str] = mapped_column(LineHash, primary_key=True, comment="the sampled page")
    line: Mapped[str] = mapped_column(
        LineHash, primary_key=True, comment="hash of the line's match key"
    )
    place: Mapped[str] = mapped_column(
        String(8), comment="top, between or bottom: where it stands beside the paragraphs"
    )


class LearnedLine(Base):
    __tablename__ = "learned_lines"
    __table_args__ = ({"comment": "a line that a source's pages repeat, and what becomes of it"},)

    source_id: Mapped[int] = mapped_column(
        ForeignKey("sources.id"), primary_key=True, comment="the source"
    )
    line: Mapped[str] = mapped_column(
        LineHash, primary_key=True, comment="hash of the line's match key: its name in commands"
    )
    key: Mapped[str] = mapped_column(Text, comment="match key of the line")
    example: Mapped[str] = mapped_column(Text, comment="the line as one page prints it")
    example_page: Mapped[str | None] = mapped_column(
        Text, comment="file or URL of an article that has it"
    )
    pages: Mapped[int] = mapped_column(Integer, comment="distinct sampled articles that have it")
    of_pages: Mapped[int] = mapped_column(
        Integer, comment="sampled articles of the source from its first appearance to its last"
    )
    at_top: Mapped[int] = mapped_column(Integer, comment="articles with it above the first text")
    in_between: Mapped[int] = mapped_column(Integer, comment="articles with it between paragraphs")
    at_bottom: Mapped[int] = mapped_column(Integer, comment="articles with it below the last text")
    first_seen: Mapped[date | None] = mapped_column(Date, comment="day of the first of them")
    last_seen: Mapped[date | None] = mapped_column(Date, comment="day of the last of them")
    state: Mapped[str] = mapped_column(
        String(16), comment="proposed, applied, protected, approved or refused"
    )
    reason: Mapped[str] = mapped_column(Text, comment="why it is in that state")
    decided_by: Mapped[str | None] = mapped_column(
        Text, comment="who approved or refused it; NULL: counting decides"
    )
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime, comment="when, UTC")


class PageOutline(Base):
    __tablename__ = "page_outlines"
    __table_args__ = (
        {"comment": "where the full extraction found an article in its page; a sample of a month"},
    )

    source_id: Mapped[int] = mapped_column(
        ForeignKey("sources.id"), primary_key=True, comment="the source"
    )
    month: Mapped[str] = mapped_column(
        String(7), primary_key=True, comment="month of its date, as 2024-05; empty without a date"
    )
    raw_hash: Mapped[str] = mapped_column(
        Hash, primary_key=True, comment="SHA-256 of the page's bytes"
    )
    outline: Mapped[Any] = mapped_column(
        Json, comment="elements that held it, with the characters on each path inside"
    )


class TemplateRow(Base):
    __tablename__ = "templates"
    __table_args__ = ({"comment": "where a source's articles live in its pages, by month"},)

    source_id: Mapped[int] = mapped_column(
        ForeignKey("sources.id"), primary_key=True, comment="the source"
    )
    month: Mapped[str] = mapped_column(
        String(7), primary_key=True, comment="month of its pages, as 2024-05; empty without a date"
    )
    valid_from: Mapped[date | None] = mapped_column(
        Date, comment="first day of that month: pages from then on are read by it first"
    )
    template: Mapped[Any] = mapped_column(Json, comment="containers, and the paths that count")
    learned_from: Mapped[int] = mapped_column(Integer, comment="pages that it was learned from")
    fits: Mapped[int] = mapped_column(
        Integer, comment="of them, those that the template of the others fits"
    )
    agreement: Mapped[float] = mapped_column(
        Float, comment="how like those are to the full extraction, from 0 to 1"
    )
    state: Mapped[str] = mapped_column(String(16), comment="applied, retired or refused")
    reason: Mapped[str] = mapped_column(Text, comment="why it is in that state")
    decided_by: Mapped[str | None] = mapped_column(
        Text, comment="who refused it; NULL: agreement decides"
    )
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime, comment="when, UTC")


class SearchEntry(Base):
    __tablename__ = "search_entries"
    __table_args__ = (
        Index("ix_search_entries_dated_at", "dated_at"),
        # Its words are in an index that models can't tell: `search_words` on SQLite (FTS5), the
        # column `words` with a GIN index on PostgreSQL. A number is never given twice on SQLite:
        # what FTS5 holds of an entry that is gone can't be taken out without its text.
        {"comment": "an article in the search index", "sqlite_autoincrement": True},
    )

    entry: Mapped[int] = mapped_column(RowId, primary_key=True, comment="number in the index")
    article_id: Mapped[int] = mapped_column(
        ForeignKey("articles.id", ondelete="CASCADE"), unique=True, comment="the article"
    )
    dated_at: Mapped[datetime] = mapped_column(
        UtcDateTime, comment="what `newest` goes by: published_at, or first_seen without one"
    )
    published_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime, comment="the article's published_at"
    )
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), comment="its source")
    agency: Mapped[str | None] = mapped_column(String(255), comment="its agency")
    language: Mapped[str | None] = mapped_column(String(3), comment="its language")
    key_version: Mapped[int] = mapped_column(SmallInteger, comment="version of the search key")
    content: Mapped[int] = mapped_column(
        BigInteger, comment="hash of all that is indexed: tells whether a change touches it"
    )


class LedgerRow(Base):
    __tablename__ = "ledger"
    __table_args__ = (
        # A hash index has no limit on the length of what it indexes; paths and URLs have none.
        Index("ix_ledger_path", "path", postgresql_using="hash"),
        Index("ix_ledger_url", "url", postgresql_using="hash"),
        Index("ix_ledger_run_id_outcome", "run_id", "outcome"),
        Index("ix_ledger_article_id", "article_id"),
        Index("ix_ledger_source_id_seen_at", "source_id", "seen_at"),
        {"comment": "one page seen in a run, and what became of it"},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True, comment="number of the entry")
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), comment="the run")
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, comment="when it was dealt with, UTC")
    path: Mapped[str | None] = mapped_column(Text, comment="file, with #line or #offset")
    url: Mapped[str | None] = mapped_column(Text, comment="URL that it was fetched from")
    source_id: Mapped[int | None] = mapped_column(ForeignKey("sources.id"), comment="its source")
    origin: Mapped[str] = mapped_column(String(8), comment="file, jsonl, warc, parquet or crawl")
    outcome: Mapped[str] = mapped_column(
        String(16), comment="stored, revised, unchanged, duplicate, rejected or failed"
    )
    stage: Mapped[str | None] = mapped_column(String(16), comment="stage that refused it")
    reason: Mapped[str | None] = mapped_column(String(32), comment="why it was refused")
    detail: Mapped[str | None] = mapped_column(Text, comment="the same in words")
    article_id: Mapped[int | None] = mapped_column(
        ForeignKey("articles.id", ondelete="SET NULL"), comment="the article that it became or is"
    )
    raw_hash: Mapped[str | None] = mapped_column(Hash, comment="SHA-256 of the bytes")
    fetched_at: Mapped[datetime | None] = mapped_column(UtcDateTime, comment="when it was fetched")
    archive: Mapped[str | None] = mapped_column(Text, comment="WARC file that holds the bytes")
    archive_offset: Mapped[int | None] = mapped_column(BigInteger, comment="and where in it")
    http_status: Mapped[int | None] = mapped_column(Integer, comment="HTTP status")
    etag: Mapped[str | None] = mapped_column(Text, comment="the answer's ETag")
    last_modified: Mapped[str | None] = mapped_column(Text, comment="the answer's Last-Modified")


class FileRow(Base):
    __tablename__ = "read_files"
    __table_args__ = (
        {"comment": "a file that a replay on a cluster has read to its end, not to be read again"},
    )

    key: Mapped[str] = mapped_column(Hash, primary_key=True, comment="SHA-256 of its path")
    path: Mapped[str] = mapped_column(Text, comment="path or URL, as it was named")
    state: Mapped[str] = mapped_column(
        Hash, comment="SHA-256 of its size, its time or tag, and how it was read"
    )
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), comment="the run that read it")
    read_at: Mapped[datetime] = mapped_column(UtcDateTime, comment="when it was all stored, UTC")
    counts: Mapped[dict[str, int]] = mapped_column(Json, comment="documents per outcome")


class AddressRow(Base):
    __tablename__ = "addresses"
    __table_args__ = (
        Index("ix_addresses_source_id_kind_due_at", "source_id", "kind", "due_at"),
        Index("ix_addresses_article_id", "article_id"),
        {"comment": "an address that crawls of a source know: what to visit, and when"},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True, comment="number of the address")
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), comment="its source")
    key: Mapped[str] = mapped_column(
        Hash,
        unique=True,
        comment="SHA-256 of source, kind and URL; of a page, of its URL's key: its forms are one",
    )
    kind: Mapped[str] = mapped_column(
        String(8), comment="feed, sitemap, listing, front, robots, or page (an article's)"
    )
    url: Mapped[str] = mapped_column(Text, comment="the URL that is asked for")
    root: Mapped[str | None] = mapped_column(
        Text, comment="of a feed, sitemap or listing: the URL in the source's file that led to it"
    )
    depth: Mapped[int] = mapped_column(
        SmallInteger, comment="steps from the source's file: 0 is named there"
    )
    found_at: Mapped[datetime] = mapped_column(UtcDateTime, comment="when it was first found, UTC")
    found_in: Mapped[str | None] = mapped_column(
        Text, comment="URL of the feed, sitemap or listing that it was found in"
    )
    title: Mapped[str | None] = mapped_column(Text, comment="headline that was stated there")
    author: Mapped[str | None] = mapped_column(Text, comment="writer that was stated there")
    published_at: Mapped[str | None] = mapped_column(
        Text, comment="date of publication that was stated there, as printed"
    )
    modified_at: Mapped[str | None] = mapped_column(
        Text, comment="last change that was stated there, as printed: another one makes it due"
    )
    due_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime, comment="when to visit it next, UTC; NULL: not again"
    )
    fetched_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime, comment="last answer, UTC; NULL while it was never asked for"
    )
    changed_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime, comment="last answer whose bytes were others than before, UTC"
    )
    http_status: Mapped[int | None] = mapped_column(
        Integer, comment="HTTP status of the last answer; NULL if there was none"
    )
    etag: Mapped[str | None] = mapped_column(
        Text, comment="ETag of the last full answer, sent with the next request"
    )
    last_modified: Mapped[str | None] = mapped_column(
        Text, comment="its Last-Modified, sent with the next request"
    )
    raw_hash: Mapped[str | None] = mapped_column(
        Hash, comment="SHA-256 of the last full answer's bytes"
    )
    size: Mapped[int | None] = mapped_column(
        BigInteger, comment="their number: what an answer 304 saves"
    )
    failures: Mapped[int] = mapped_column(Integer, comment="failed visits in a row")
    gone: Mapped[bool] = mapped_column(
        Boolean, comment="true: the site says that there is nothing any more"
    )
    article_id: Mapped[int | None] = mapped_column(
        ForeignKey("articles.id", ondelete="SET NULL"), comment="the article that the page holds"
    )


class CrawlLock(Base):
    __tablename__ = "crawl_locks"
    __table_args__ = ({"comment": "a source that is being crawled: no second crawl begins"},)

    source: Mapped[str] = mapped_column(String(255), primary_key=True, comment="key of the source")
    token: Mapped[str] = mapped_column(String(32), comment="what tells its owner from others")
    host: Mapped[str] = mapped_column(String(255), comment="machine of the crawl")
    pid: Mapped[int] = mapped_column(Integer, comment="process number on that machine")
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, comment="since when, UTC")
    heartbeat_at: Mapped[datetime] = mapped_column(
        UtcDateTime, comment="last sign of life, UTC: a crawl without one is taken for dead"
    )


class SourceHealth(Base):
    __tablename__ = "source_health"
    __table_args__ = (
        {"comment": "a crawled source against its own past, as it was when it was last checked"},
    )

    source_id: Mapped[int] = mapped_column(
        ForeignKey("sources.id"), primary_key=True, autoincrement=False, comment="the source"
    )
    checked_at: Mapped[datetime] = mapped_column(UtcDateTime, comment="when this was found, UTC")
    verdict: Mapped[str] = mapped_column(
        String(8), comment="healthy, ill, or new (too little past to judge by)"
    )
    illnesses: Mapped[list[str]] = mapped_column(
        Json, comment="what is wrong: silent, quiet, dates_lost, ...; empty when healthy"
    )
    detail: Mapped[str | None] = mapped_column(Text, comment="the same in words; NULL when healthy")
    last_article: Mapped[datetime | None] = mapped_column(
        UtcDateTime, comment="when its newest article was first seen, UTC"
    )
    last_crawl: Mapped[datetime] = mapped_column(
        UtcDateTime, comment="its newest answer to a crawl, UTC"
    )
    articles_day: Mapped[int] = mapped_column(Integer, comment="articles of the last 24 hours")
    articles_week: Mapped[int] = mapped_column(Integer, comment="articles of the last 7 days")
    articles_a_week: Mapped[float | None] = mapped_column(
        Float, comment="median of the four weeks before; NULL if it is newer than two of them"
    )
    expected_a_day: Mapped[int | None] = mapped_column(
        Integer, comment="articles a day at least, as the source's file expects"
    )
    usual_gap: Mapped[float | None] = mapped_column(
        Float, comment="its third longest time without an article, in days"
    )
    newest: Mapped[int] = mapped_column(
        Integer, comment="newest articles that are compared with those before them"
    )
    older: Mapped[int] = mapped_column(Integer, comment="those before them, of a year at most")
    dated: Mapped[float | None] = mapped_column(
        Float, comment="share of the newest that have a date of publication, 0 to 1"
    )
    dated_before: Mapped[float | None] = mapped_column(Float, comment="the same of those before")
    letters: Mapped[float | None] = mapped_column(
        Float, comment="median length of the newest texts, in characters"
    )
    letters_before: Mapped[float | None] = mapped_column(Float, comment="the same of those before")
    removed: Mapped[float | None] = mapped_column(
        Float, comment="share of the newest articles' lines that was taken out, 0 to 1"
    )
    removed_before: Mapped[float | None] = mapped_column(Float, comment="the same of those before")
    fallback: Mapped[float | None] = mapped_column(
        Float, comment="share of the newest that were read without the source's own template"
    )
    fallback_before: Mapped[float | None] = mapped_column(Float, comment="the same of those before")
    fetches: Mapped[int] = mapped_column(Integer, comment="pages asked for in the last 24 hours")
    refused: Mapped[float | None] = mapped_column(
        Float, comment="share of them that failed or were rejected, 0 to 1"
    )
    refused_before: Mapped[float | None] = mapped_column(
        Float, comment="the same of the two weeks before"
    )


class ScheduleRow(Base):
    __tablename__ = "schedule"
    __table_args__ = (
        {"comment": "when each source is crawled next, and how its last scheduled crawl ended"},
    )

    source: Mapped[str] = mapped_column(String(255), primary_key=True, comment="key of the source")
    rule: Mapped[str] = mapped_column(
        Text, comment="what sets its times: every 15m, cron 0 6 * * * Africa/Cairo, or adaptive"
    )
    next_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime,
        comment="when it is due, UTC; stays until its crawl has ended; NULL: never again",
    )
    started_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime, comment="start of its last scheduled crawl, UTC"
    )
    ended_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime, comment="end of that crawl, UTC; NULL while it runs"
    )
    result: Mapped[str | None] = mapped_column(
        String(16),
        comment="done, busy, failed, timed_out, out_of_memory or lost; NULL while it runs",
    )
    detail: Mapped[str | None] = mapped_column(Text, comment="what it said at its end")
    failures: Mapped[int] = mapped_column(Integer, comment="crawls in a row that failed")
    token: Mapped[str | None] = mapped_column(
        String(32), comment="the scheduler whose turn it is; NULL: nobody's"
    )
    host: Mapped[str | None] = mapped_column(String(255), comment="machine of that scheduler")
    pid: Mapped[int | None] = mapped_column(Integer, comment="its process number there")
    child: Mapped[int | None] = mapped_column(
        Integer, comment="process number of the crawl; NULL before it began"
    )
    until: Mapped[datetime | None] = mapped_column(
        UtcDateTime, comment="another machine's scheduler may take the turn after this, UTC"
    )


def table(model: type[Base]) -> Any:
    """The Core table of a model: bulk statements are made on tables."""
    return model.__table__
