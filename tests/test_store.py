"""The store: one article a page, whatever is replayed, in whatever state the database is."""

import itertools
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, text

from pipelines.db.engine import open_engine, read
from pipelines.db.store import Arrival, Outcome, finish_run, start_run, write_batch
from pipelines.document import (
    Article,
    ArticleDate,
    Block,
    BlockKind,
    Origin,
    Precision,
    Reason,
    Rejected,
    RemovedLine,
    Unreadable,
)
from pipelines.errors import DatabaseError
from pipelines.source import Source
from pipelines.stages.fingerprint import content_hash, raw_hash

DAYS = [datetime(2020, 9, day, 12, tzinfo=UTC) for day in range(1, 29)]


def arrival(body: str, path: str | None = None, **known: Any) -> Arrival:
    """An article's arrival; fields of Article may be given."""
    blocks = tuple(Block(BlockKind.PARAGRAPH, line) for line in body.split("\n"))
    fields: dict[str, Any] = {
        "source": "daily",
        "path": path,
        "url": known.get("canonical_url"),
        "canonical_url": None,
        "title": None,
        "title_method": None,
        "deck": None,
        "blocks": blocks,
        "author": None,
        "agency": None,
        "agency_method": None,
        "place": None,
        "section": None,
        "site_name": None,
        "tags": (),
        "date_candidates": (),
        "language": "ar",
        "published": None,
        "modified": None,
        "fetched_at": None,
        "charset": "utf-8",
        "content_hash": content_hash(blocks),
        "raw_hash": raw_hash(body.encode("utf-8", "replace")),
        "removed": (),
        "page_hash": content_hash(blocks)[:16],
        "plain_hash": content_hash(blocks),
    }
    article = Article(**(fields | known))
    raw = article.raw_hash
    return Arrival(path, article.url, article.source, Origin.FILE, article, raw, article.fetched_at)


def write(engine: Engine, *arrivals: Arrival, sources: Sequence[Source] = ()) -> list[str]:
    run = start_run(engine, "test")
    written = write_batch(engine, run, arrivals, {source.key: source for source in sources})
    finish_run(engine, run, "done", {})
    return [str(entry.outcome) for entry in written]


def rows(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with read(engine) as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def state(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """All that a replay must not change: every table but runs and ledger."""
    return {
        table: rows(engine, f"SELECT * FROM {table} ORDER BY 1, 2")
        for table in ("sources", "articles", "article_versions", "removed_lines")
    }


PAGE = "https://daily.example/news/1"


def test_same_pages_again_change_no_row(engine: Engine) -> None:
    pages = [
        arrival(
            "نص الخبر الأول", "a.txt", title="عنوان", removed=(RemovedLine(3, "شارك", "share"),)
        ),
        arrival("نص الخبر الأول", "copy.txt", author="كاتب"),
        arrival("قبل", canonical_url=PAGE, fetched_at=DAYS[0]),
        arrival("بعد", canonical_url=PAGE, fetched_at=DAYS[2]),
        arrival("قبل", canonical_url=PAGE, fetched_at=DAYS[4]),
        arrival("أقدم", canonical_url=PAGE, fetched_at=DAYS[1]),
        arrival("بلا وقت", "one.jsonl#1", canonical_url=f"{PAGE}2"),
        arrival("بلا وقت آخر", "two.jsonl#1", canonical_url=f"{PAGE}2"),
    ]
    first = write(engine, *pages)
    assert first == [
        *("stored", "duplicate", "stored", "revised", "revised", "revised", "stored", "revised")
    ]
    before = state(engine)
    assert write(engine, *pages) == ["unchanged", "duplicate", *["unchanged"] * 6]
    assert state(engine) == before
    # A part of them, in another batch, changes nothing either.
    write(engine, *pages[2:4])
    write(engine, *pages[:5])
    assert state(engine) == before


def test_newest_fetch_is_the_article_whatever_the_order(engine: Engine) -> None:
    fetches = list(zip(("أول نص", "نص ثان", "نص ثالث"), DAYS, strict=False))
    for number, order in enumerate(itertools.permutations(fetches)):
        url = f"{PAGE}/{number}"
        write(engine, *(arrival(said, canonical_url=url, fetched_at=at) for said, at in order))
        article = f"SELECT text FROM articles WHERE canonical_url = '{url}'"
        assert rows(engine, article) == [("نص ثالث",)]
        versions = rows(
            engine,
            "SELECT v.text FROM article_versions v JOIN articles a ON a.id = v.article_id "
            f"WHERE a.canonical_url = '{url}'",
        )
        assert {said for (said,) in versions} == {"أول نص", "نص ثان"}


def test_edited_file_revises_its_article(engine: Engine) -> None:
    write(engine, arrival("كما كان", "a.jsonl#1", canonical_url=PAGE))
    assert write(engine, arrival("كما صار", "a.jsonl#1", canonical_url=PAGE)) == ["revised"]
    assert write(engine, arrival("كما كان", "a.jsonl#1", canonical_url=PAGE)) == ["revised"]
    assert rows(engine, "SELECT text FROM articles") == [("كما كان",)]
    retitled = arrival("كما كان", "a.jsonl#1", canonical_url=PAGE, title="عنوان")
    assert write(engine, retitled) == ["revised"]
    assert rows(engine, "SELECT title FROM articles") == [("عنوان",)]


def test_copy_fills_what_the_first_file_lacked(engine: Engine) -> None:
    date = ArticleDate("2020-09-27", Precision.DAY, "date_line", "27 سبتمبر 2020", 0.9)
    bare = arrival("متن الخبر", "a.txt")
    whole = arrival("متن الخبر", "b.txt", title="عنوان", title_method="first_line", published=date)
    write(engine, bare, whole)
    kept = rows(engine, "SELECT path, title, title_method, published_iso FROM articles")
    assert kept == [("a.txt", "عنوان", "first_line", "2020-09-27")]


def test_same_text_of_two_sources_stays_two_articles(engine: Engine) -> None:
    outcomes = write(engine, arrival("نص", "a"), arrival("نص", "b", source="weekly"))
    assert outcomes == ["stored", "stored"]


@pytest.mark.parametrize(
    ("iso", "precision", "at", "on", "offset"),
    [
        ("2020", Precision.YEAR, datetime(2020, 1, 1, tzinfo=UTC), None, None),
        ("2020-09", Precision.MONTH, datetime(2020, 9, 1, tzinfo=UTC), None, None),
        ("2020-09-27", Precision.DAY, datetime(2020, 9, 27, tzinfo=UTC), "2020-09-27", None),
        (
            "2020-09-27T01:06+03:30",
            Precision.MINUTE,
            datetime(2020, 9, 26, 21, 36, tzinfo=UTC),
            "2020-09-27",
            210,
        ),
        (
            "2020-09-27T20:36",
            Precision.MINUTE,
            datetime(2020, 9, 27, 20, 36, tzinfo=UTC),
            "2020-09-27",
            None,
        ),
        (
            "2020-09-27T20:36:05Z",
            Precision.SECOND,
            datetime(2020, 9, 27, 20, 36, 5, tzinfo=UTC),
            "2020-09-27",
            0,
        ),
        (
            "2020-09-27T20+03:00",
            Precision.HOUR,
            datetime(2020, 9, 27, 17, tzinfo=UTC),
            "2020-09-27",
            180,
        ),
    ],
)
def test_dates_keep_what_was_stated(
    engine: Engine, iso: str, precision: Precision, at: datetime, on: str | None, offset: int | None
) -> None:
    write(engine, arrival("نص", "a", published=ArticleDate(iso, precision, "meta", iso, 0.9)))
    columns = "published_iso, published_precision, CAST(published_on AS TEXT), published_offset"
    assert rows(engine, f"SELECT {columns} FROM articles") == [(iso, str(precision), on, offset)]
    (stored,) = rows(engine, "SELECT published_at FROM articles")[0]
    stored = datetime.fromisoformat(stored) if isinstance(stored, str) else stored
    assert stored.replace(tzinfo=stored.tzinfo or UTC) == at


def test_refused_row_costs_one_row(engine: Engine) -> None:
    half = "\ud800"
    outcomes = write(
        engine,
        arrival("قبل", "1"),
        arrival("نص", "bad", title=f"نصف حرف {half}"),
        arrival("بعد", "2"),
    )
    assert outcomes == ["stored", "failed", "stored"]
    ledger = rows(engine, "SELECT path, outcome, stage, reason FROM ledger ORDER BY id")
    assert ledger[1] == ("bad", "failed", "store", "not_storable")
    assert rows(engine, "SELECT count(*) FROM articles") == [(2,)]


def test_every_arrival_has_one_ledger_entry(engine: Engine) -> None:
    name = "a\x00b\udcff.txt"  # file names are bytes: not all are text
    arrivals = [
        arrival("نص", name),
        Arrival("e.txt", None, None, Origin.FILE, Rejected("decode", Reason.EMPTY, "no bytes")),
        Arrival("m.txt", None, None, Origin.FILE, Unreadable("m.txt", Reason.MISSING, "gone")),
    ]
    assert write(engine, *arrivals) == ["stored", "rejected", "failed"]
    ledger = rows(
        engine, "SELECT outcome, stage, reason, article_id IS NULL FROM ledger ORDER BY id"
    )
    assert [(r[0], r[1], r[2], bool(r[3])) for r in ledger] == [
        ("stored", None, None, False),
        ("rejected", "decode", "empty", True),
        ("failed", "read", "missing", True),
    ]


def test_sources_are_described_once_and_updated(engine: Engine) -> None:
    write(engine, arrival("نص", "a"))
    assert rows(engine, "SELECT key, zone FROM sources WHERE ad_hoc") == [("daily", None)]
    known = Source(key="daily", zone="Africa/Cairo", country="eg")
    write(engine, arrival("نص آخر", "b"), sources=[known])
    assert rows(engine, "SELECT key, zone FROM sources WHERE NOT ad_hoc") == [
        ("daily", "Africa/Cairo")
    ]


def test_two_writers_at_once_store_each_article_once(engine: Engine, database: str) -> None:
    pages = [arrival(f"خبر رقم {n % 40}", f"{n}.txt") for n in range(120)]
    failures: list[BaseException] = []

    def writer(part: list[Arrival]) -> None:
        own = open_engine(database)
        try:
            run = start_run(own, "writer")
            for at in range(0, len(part), 10):
                write_batch(own, run, part[at : at + 10], {})
        except BaseException as error:
            failures.append(error)
        finally:
            own.dispose()

    threads = [threading.Thread(target=writer, args=(part,)) for part in (pages, pages[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert rows(engine, "SELECT count(*), count(DISTINCT content_hash) FROM articles") == [(40, 40)]


def test_run_whose_process_is_gone_is_told(engine: Engine) -> None:
    start_run(engine, "killed")
    start_run(engine, "next")
    assert rows(engine, "SELECT command, status FROM runs ORDER BY id") == [
        ("killed", "lost"),
        ("next", "running"),
    ]


@pytest.mark.postgres
def test_lost_connection_is_tried_again(new_postgres: str) -> None:
    import psycopg

    from pipelines.db import schema

    engine = open_engine(new_postgres)
    schema.upgrade(engine)
    run = start_run(engine, "test")
    with psycopg.connect(new_postgres, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    written = write_batch(engine, run, [arrival("نص", "a")], {})
    assert [entry.outcome for entry in written] == [Outcome.STORED]
    engine.dispose()


def test_full_sqlite_database_stores_nothing_of_the_batch(tmp_path: Any) -> None:
    from sqlalchemy import event

    from pipelines.db import schema

    engine = open_engine(f"sqlite:///{tmp_path}/small.db", create=True)
    schema.upgrade(engine)
    write(engine, arrival("نص", "a"))
    run = start_run(engine, "test")
    engine.dispose()

    @event.listens_for(engine, "connect")
    def limit(connection: Any, _record: Any) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 5}")

    big = [arrival(f"خبر {n} " * 500, f"{n}.txt") for n in range(20)]
    with pytest.raises(DatabaseError, match="full; make room"):
        write_batch(engine, run, big, {})
    assert rows(engine, "SELECT count(*) FROM articles") == [(1,)]
    engine.dispose()
