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
    band: Mapped[int] = mapped_column(
        SmallInteger, comment="what it is: 0 to 9 a MinHash band, 10 an anchor, 11 the whole text"
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


class LedgerRow(Base):
    __tablename__ = "ledger"
    __table_args__ = (
        # A hash index has no limit on the length of what it indexes; paths and URLs have none.
        Index("ix_ledger_path", "path", postgresql_using="hash"),
        Index("ix_ledger_url", "url", postgresql_using="hash"),
        Index("ix_ledger_run_id_outcome", "run_id", "outcome"),
        Index("ix_ledger_article_id", "article_id"),
        {"comment": "one page seen in a run, and what became of it"},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True, comment="number of the entry")
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), comment="the run")
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, comment="when it was dealt with, UTC")
    path: Mapped[str | None] = mapped_column(Text, comment="file, with #line or #offset")
    url: Mapped[str | None] = mapped_column(Text, comment="URL that it was fetched from")
    source_id: Mapped[int | None] = mapped_column(ForeignKey("sources.id"), comment="its source")
    origin: Mapped[str] = mapped_column(String(8), comment="file, jsonl, warc or crawl")
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


def table(model: type[Base]) -> Any:
    """The Core table of a model: bulk statements are made on tables."""
    return model.__table__
