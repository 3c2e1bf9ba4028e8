"""What the store writes of an article, as far as it follows from the article alone.

Worked out in the worker process that made the article: the process that writes has one processor
for the pages of all of them.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pipelines.arabic import KEY_VERSION
from pipelines.document import Article, ArticleDate
from pipelines.search_words import Indexed, indexed_words, vector
from pipelines.stages.fingerprint import Fingerprint, Keys, fingerprint, index_keys
from pipelines.urls import url_key


@dataclass(frozen=True, slots=True)
class Words:
    """What the search index has of an article but its facts: keys of title, deck and body, each
    joined by spaces, and all of them as PostgreSQL writes a tsvector (None for SQLite)."""

    title: str
    deck: str
    body: str
    vector: str | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """`row` is what `stated_row` makes, `lists` those of its columns that are written as JSON,
    `keys` are what copies are found by."""

    identities: tuple[str, ...]
    row: dict[str, Any]
    lists: dict[str, str]
    fingerprint: Fingerprint
    keys: Keys
    words: Words


def prepare(article: Article, database: str) -> Article:
    """The article with what the store needs of it; `database` is sqlite or postgresql."""
    text = article.text
    found = fingerprint(text)
    (keys,) = index_keys([found])
    words = words_of(article.title, article.deck, text, database)
    row = stated_row(article)
    lists = {name: _as_json(value) for name, value in row.items() if isinstance(value, list)}
    known = Prepared(identities(article), row, lists, found, keys, words)
    return replace(article, prepared=known)


_as_json = json.JSONEncoder(ensure_ascii=False).encode


def words_of(title: str | None, deck: str | None, body: str, database: str) -> Words:
    keys = indexed_words(title, deck, body)
    as_vector = vector(Indexed(*keys, [])) if database == "postgresql" else None
    title_words, deck_words, body_words = map(" ".join, keys)
    return Words(title_words, deck_words, body_words, as_vector)


def stated_row(article: Article) -> dict[str, Any]:
    """The columns of an article that tell what its page says."""
    published, modified = article.published, article.modified
    extracted = article.facts() | {
        "blocks": [[str(block.kind), block.text] for block in article.blocks],
        "published_iso": published and published.iso,
        "modified_iso": modified and modified.iso,
        "date_candidates": [list(candidate) for candidate in article.date_candidates],
        "key_version": KEY_VERSION,
    }
    removed = [[line.position, line.text, line.rule] for line in article.removed]
    stated = json.dumps([extracted, removed], ensure_ascii=True, sort_keys=True)
    return extracted | {
        "record_hash": hashlib.sha256(stated.encode()).hexdigest(),
        "published_at": published and instant(published),
        "published_on": published and day(published),
        "published_offset": published and offset_minutes(published),
        "modified_at": modified and instant(modified),
    }


def identities(article: Article) -> tuple[str, ...]:
    """What makes two pages the same article: source and URL, or source and text without one; of a
    text also what it is where nothing was learned yet, if that differs."""
    if article.canonical_url:
        return (url_identity(article.source, article.canonical_url),)
    hashes = dict.fromkeys((article.content_hash, article.plain_hash or article.content_hash))
    return tuple(identity(article.source, text_name(hashed)) for hashed in hashes)


def text_name(content_hash: str) -> str:
    return f"text {KEY_VERSION} {content_hash}"


def identity(source: str, name: str) -> str:
    return hashlib.sha256(f"{source} {name}".encode()).hexdigest()


def url_identity(source: str, url: str) -> str:
    return identity(source, f"url {url_key(url)}")


def instant(found: ArticleDate) -> datetime:
    """The first instant of what is stated: of the day, the month, the year. UTC if no offset."""
    iso = found.iso if len(found.iso) >= len("2020-09-27") else f"{found.iso}-01-01"[:10]
    value = datetime.fromisoformat(iso)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def day(found: ArticleDate) -> date | None:
    """The day that is stated, on the page's own calendar; None if only month or year are."""
    return date.fromisoformat(found.iso[:10]) if len(found.iso) >= 10 else None


def offset_minutes(found: ArticleDate) -> int | None:
    """The offset from UTC that is stated, in minutes."""
    if "T" not in found.iso:
        return None
    offset = datetime.fromisoformat(found.iso).utcoffset()
    return None if offset is None else int(offset / timedelta(minutes=1))
