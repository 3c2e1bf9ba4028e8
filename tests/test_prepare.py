"""What workers prepare of an article is what the store would work out from it by itself."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from pipelines.arabic import search_key
from pipelines.db import schema
from pipelines.db.engine import open_engine, read
from pipelines.db.models import Base
from pipelines.db.store import Arrival, start_run, write_batch
from pipelines.document import Article, ArticleDate, Precision, RemovedLine
from pipelines.prepare import prepare
from pipelines.search_query import MAX_WORD
from pipelines.search_words import indexed_words
from tests.conftest import temporary_postgres
from tests.test_store import DAYS, PAGE, arrival

STORM = (
    "بدأت بلدية الميناء صباح أمس إصلاح الرصيف الشمالي الذي تضرر في عاصفة الأسبوع الماضي\n"
    "وقال مدير الأشغال إن 14 عاملا سيكملون العمل خلال ثلاثة أيام قبل عودة قوارب الصيد"
)
DATE = ArticleDate(
    "2020-09-27T20:36+03:30", Precision.MINUTE, "meta", "27/9", 0.9, None, ("الرابط يقول 26",)
)
#: Two batches: new articles, copies, one that comes twice, one that changes, one without a URL.
BATCHES = [
    [
        arrival(STORM, canonical_url=PAGE, title='رصيف "الميناء"', published=DATE, tags=("بحر",)),
        arrival(f"مقدمة قصيرة\n{STORM}", canonical_url=f"{PAGE}2", agency="afp,reuters"),
        arrival("خبر بلا عنوان\tوعلامة \\ ومائلة", "a.txt", removed=(RemovedLine(1, "شارك", "s"),)),
        arrival("مسؤول يقول", canonical_url=f"{PAGE}3", fetched_at=DAYS[0], deck="Café"),
    ],
    [
        arrival("مسؤول يقول شيئا آخر", canonical_url=f"{PAGE}3", fetched_at=DAYS[3]),
        arrival(STORM, canonical_url=f"{PAGE}4", source="other"),
        arrival("يأتي مرتين", canonical_url=f"{PAGE}5", fetched_at=DAYS[1]),
        arrival("يأتي مرتين وقد تغير", canonical_url=f"{PAGE}5", fetched_at=DAYS[2]),
    ],
]


def prepared(one: Arrival, database: str) -> Arrival:
    assert isinstance(one.result, Article)
    return replace(one, result=prepare(one.result, database))


def stored(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """All rows, without the times of the runs, which differ."""
    left_out = {"seen_at", "started_at", "merged_at", "first_seen", "last_seen", "dated_at", "pid"}
    found = {}
    with read(engine) as connection:
        for table in Base.metadata.sorted_tables:
            names = [column.name for column in table.columns if column.name not in left_out]
            if table.name == "search_entries":
                names.remove("content")  # without a date it holds the time of the run
                if engine.dialect.name == "postgresql":
                    names.append(
                        "(SELECT json_agg((lexeme, positions) ORDER BY lexeme)::text"
                        " FROM unnest(words) WHERE lexeme NOT LIKE '#t%')"
                    )
            query = text(f"SELECT {', '.join(names)} FROM {table.name}")
            found[table.name] = sorted(map(tuple, connection.execute(query)), key=repr)
        if engine.dialect.name == "sqlite":
            words = "SELECT term, col, doc, \"offset\" FROM words WHERE term NOT LIKE '#t%'"
            connection.exec_driver_sql(
                "CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, search_words, instance)"
            )
            found["search_words"] = sorted(map(tuple, connection.exec_driver_sql(words)), key=repr)
    return found


@pytest.fixture
def other(engine: Engine, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Another new database of the same kind."""
    url = f"sqlite:///{tmp_path / 'other.db'}"
    with ExitStack() as made:
        if engine.dialect.name == "postgresql":
            url = made.enter_context(temporary_postgres(request.getfixturevalue("postgres")))
        second = open_engine(url, create=True)
        schema.upgrade(second)
        yield second
        second.dispose()


def test_the_same_rows_with_and_without_preparation(engine: Engine, other: Engine) -> None:
    for number in range(2):  # the second time nothing changes
        for batch in BATCHES:
            plain = write_batch(engine, start_run(engine, "test"), batch, {})
            ready = [prepared(one, other.dialect.name) for one in batch]
            assert write_batch(other, start_run(other, "test"), ready, {}) == plain
        assert stored(other) == stored(engine), number
    assert stored(engine)["article_links"]


@settings(max_examples=300, deadline=None)
@given(st.text() | st.text("اأإىةعل ؤوء\u200c\u064b\n\t.\u00b4\u0301e\u00a0على"))
def test_words_of_a_text_are_those_of_its_search_key(said: str) -> None:
    expected = [key for key in search_key(said).split() if len(key) <= MAX_WORD]
    assert indexed_words(None, None, said)[2] == expected
