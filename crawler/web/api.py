"""The shapes of the JSON that `/api` gives. Names are those of the tables where there is one."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pipelines.db import search as searching


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str


class Alive(BaseModel):
    status: str


class Piece(BaseModel):
    """A part of a text as printed; `hit`: the words that were searched."""

    text: str
    hit: bool


class Hit(BaseModel):
    """An article that was found."""

    article_id: int
    title: str | None
    snippet: list[Piece]
    source: str
    source_title: str | None
    url: str | None
    path: str | None
    published_iso: str | None
    agency: str | None
    language: str | None
    story_id: int | None
    story_articles: int
    score: float


class Count(BaseModel):
    value: str | None
    articles: int


class Found(BaseModel):
    """What a search found. With `more` there are more articles than `total`, and `facets` count
    the newest `total` of them."""

    total: int
    more: bool
    hits: list[Hit]
    facets: dict[str, list[Count]]


def found(answer: searching.Found) -> Found:
    """A search's answer in these shapes."""
    return Found(
        total=answer.total,
        more=answer.more,
        hits=[
            Hit(
                article_id=hit.article_id,
                title=hit.title,
                snippet=[Piece(text=said, hit=is_hit) for said, is_hit in hit.snippet],
                source=hit.source,
                source_title=hit.source_title,
                url=hit.url,
                path=hit.path,
                published_iso=hit.published_iso,
                agency=hit.agency,
                language=hit.language,
                story_id=hit.story_id,
                story_articles=hit.story_articles,
                score=hit.score,
            )
            for hit in answer.hits
        ],
        facets={
            name: [Count(value=value, articles=count) for value, count in counts]
            for name, counts in answer.facets.items()
        },
    )


class RemovedLine(BaseModel):
    position: int
    rule: str
    text: str


class Version(BaseModel):
    number: int
    title: str | None
    seen_at: datetime


class Copy(BaseModel):
    """Another article of the story, and what this article has beside it, in sentences."""

    article: int
    source: str
    title: str | None
    agency: str | None
    published_iso: str | None
    first_seen: str
    representative: bool
    kind: str | None
    jaccard: float | None
    containment: float | None
    sentences_added: int
    sentences_removed: int
    sentences_altered: int


class Article(BaseModel):
    """An article, its newest version. docs/tables.md explains each column of `articles`."""

    model_config = ConfigDict(extra="ignore")

    id: int
    source: str
    source_title: str | None
    url: str | None
    canonical_url: str | None
    path: str | None
    title: str | None
    title_method: str | None
    deck: str | None
    blocks: list[tuple[str, str]]
    author: str | None
    agency: str | None
    agency_method: str | None
    place: str | None
    section: str | None
    site_name: str | None
    tags: list[str]
    language: str | None
    published_iso: str | None
    published_on: date | None
    published_precision: str | None
    published_method: str | None
    published_raw: str | None
    published_confidence: float | None
    published_zone: str | None
    published_conflicts: list[str]
    modified_iso: str | None
    date_candidates: list[list[str]]
    first_seen: datetime
    last_seen: datetime
    fetched_at: datetime | None
    content_hash: str
    raw_hash: str
    charset: str | None
    extractor: str
    flags: list[str]
    story_id: int | None
    removed: list[RemovedLine]
    versions: list[Version]
    copies: list[Copy]


class Changed(BaseModel):
    """Sentences beside the story's fullest text."""

    added: int
    removed: int
    altered: int


class Told(BaseModel):
    """An article that tells a story."""

    id: int
    source: str
    source_title: str | None
    title: str | None
    agency: str | None
    place: str | None
    language: str | None
    published_iso: str | None
    published_precision: str | None
    first_seen: datetime
    representative: bool
    delay_minutes: int | None
    kind: str | None
    jaccard: float | None
    containment: float | None
    changed: Changed | None


class Story(BaseModel):
    """A story. `told` has at most its hundred earliest articles, `articles` counts all."""

    id: int
    merged_from: int | None
    articles: int
    representative_id: int | None
    told: list[Told]


class Source(BaseModel):
    key: str
    title: str | None
    homepage: str | None
    country: str | None
    language: str | None
    ad_hoc: bool
    articles: int
    dated: int
    first: datetime | None
    last: datetime | None


class Question(BaseModel):
    """One SELECT, and how many of its rows are wanted."""

    query: Annotated[str, Field(min_length=1, max_length=100_000)]
    limit: Annotated[int, Field(ge=1, le=1_000)] = 200


class Rows(BaseModel):
    columns: list[str]
    rows: list[list[Any]]
    cut: bool
