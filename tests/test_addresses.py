"""What crawls know of a source: when each address is due, and what finding it again changes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from pipelines.db import addresses
from pipelines.db.addresses import DISCOVERY, Address, Found, Kind, Landed, Visit
from pipelines.db.engine import read, write
from pipelines.db.models import AddressRow, table
from pipelines.db.store import register_sources
from pipelines.document import Stated
from pipelines.source import Source
from pipelines.stages.fingerprint import raw_hash

SITE = "https://jarida.example"
FEED, MAP, LIST = f"{SITE}/feed", f"{SITE}/map", f"{SITE}/list"
SOURCE = Source.model_validate(
    {
        "key": "xx/jarida",
        "feeds": [FEED],
        "sitemaps": [MAP],
        "listings": [{"url": LIST, "links": "/n/"}],
    }
)
ROOTS = (FEED, MAP, LIST)
NOW = datetime.now(UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def source(engine: Engine) -> int:
    number = register_sources(engine, [SOURCE.key], {SOURCE.key: SOURCE})[SOURCE.key]
    addresses.sow(engine, number, SOURCE)
    addresses.sow(engine, number, SOURCE)  # safe to repeat
    return number


def lists(engine: Engine, source: int, now: datetime = NOW + DAY) -> dict[str, Address]:
    found = addresses.due_discovery(engine, source, DISCOVERY, ROOTS, 100, now)
    return {address.url: address for address in found}


def pages(engine: Engine, source: int, now: datetime = NOW + HOUR) -> dict[str, Address]:
    found = addresses.due_pages(engine, source, 100, now)
    return {address.url.removeprefix(SITE): address for address in found}


def read_list(
    engine: Engine, source: int, url: str, found: Sequence[Found] | None, at: datetime = NOW
) -> addresses.Noted:
    address = lists(engine, source, NOW + 99 * DAY)[url]
    visit = Visit(address, at, 200, '"tag"', None, raw_hash(str(found).encode()), 1000)
    return addresses.note_discovery(engine, source, visit, found)


def page(path: str, title: str | None = None, modified: str | None = None) -> Found:
    return Found(f"{SITE}{path}", Kind.PAGE, Stated(title), modified)


def visit(
    engine: Engine, address: Address, *, held: bool = True, broken: bool = False, **facts: Any
) -> None:
    seen = Visit(address, **{"at": NOW, "status": 200, "raw_hash": "h", "size": 70, **facts})
    with write(engine) as connection:
        addresses.note_visits(connection, [Landed(seen, held, broken)])


def row(engine: Engine, path: str) -> dict[str, Any]:
    rows = table(AddressRow)
    with read(engine) as connection:
        query = select(rows).where(rows.c.url == f"{SITE}{path}")
        return dict(connection.execute(query).mappings().one())


def test_lists_of_the_file_are_due_in_every_crawl_and_no_others(
    engine: Engine, source: int
) -> None:
    assert list(lists(engine, source)) == [FEED, MAP, LIST]
    read_list(engine, source, FEED, [page("/n/1")], NOW)
    assert FEED in lists(engine, source, NOW)
    # Taken out of the file, it is not asked for again.
    left = addresses.due_discovery(engine, source, DISCOVERY, [MAP], 100, NOW + DAY)
    assert [address.url for address in left] == [MAP]


def test_forms_of_one_page_are_one_address(engine: Engine, source: int) -> None:
    forms = ("/n/1", "/n/1/", "/n/1/amp", "/n/1?utm_source=x")
    noted = read_list(engine, source, FEED, [page(form) for form in forms])
    assert noted.new == 1 and list(pages(engine, source)) == ["/n/1"]


def test_pages_are_visited_again_by_their_age(engine: Engine, source: int) -> None:
    waits = {
        timedelta(minutes=5): HOUR,
        5 * HOUR: 6 * HOUR,
        3 * DAY: 2 * DAY,
        20 * DAY: 12 * DAY,
        40 * DAY: None,
    }
    read_list(engine, source, FEED, [page("/n/1")])
    address = pages(engine, source)["/n/1"]
    for age, wait in waits.items():
        visit(engine, replace(address, found_at=NOW - age))
        assert row(engine, "/n/1")["due_at"] == (None if wait is None else NOW + wait), age


def test_old_article_found_now_is_not_visited_again(engine: Engine, source: int) -> None:
    read_list(engine, source, MAP, [page("/n/1")])
    seen = Visit(pages(engine, source)["/n/1"], NOW, 200, raw_hash="h", size=1)
    with write(engine) as connection:
        landed = Landed(seen, True, False, None, NOW - 400 * DAY)
        addresses.note_visits(connection, [landed])
    assert row(engine, "/n/1")["due_at"] is None


def test_new_pages_go_before_those_that_are_due_again(engine: Engine, source: int) -> None:
    read_list(engine, source, FEED, [page("/n/1"), page("/n/2")])
    visit(engine, pages(engine, source)["/n/1"])
    read_list(engine, source, FEED, [page("/n/3"), page("/n/4")], NOW + HOUR)
    later = NOW + 2 * HOUR
    assert list(pages(engine, source, later)) == ["/n/2", "/n/3", "/n/4", "/n/1"]


def test_page_is_due_when_its_finder_says_that_it_changed(engine: Engine, source: int) -> None:
    cases = {
        "/n/1": (("عنوان", None), ("عنوان", None), False),
        "/n/2": (("عنوان", None), ("عنوان آخر", None), True),
        "/n/3": (("عنوان", "9:00"), ("عنوان", "9:30"), True),
        "/n/4": (("عنوان", None), ("عنوان", "9:30"), False),  # the first that it states
        "/n/5": ((None, None), ("عنوان", None), False),
    }
    read_list(engine, source, FEED, [page(path, *before) for path, (before, _, _) in cases.items()])
    for address in pages(engine, source).values():
        visit(engine, address)
    now = [page(path, *after) for path, (_, after, _) in cases.items()]
    noted = read_list(engine, source, FEED, now, NOW + timedelta(minutes=1))
    due = pages(engine, source, NOW + timedelta(minutes=2))
    assert {path: path in due for path in cases} == {path: c[2] for path, c in cases.items()}
    assert (noted.new, noted.again, noted.known, noted.bytes) == (0, 2, 3, 3 * 70)
    assert row(engine, "/n/5")["title"] == "عنوان" and row(engine, "/n/4")["modified_at"] == "9:30"


def test_another_finder_s_wording_is_no_change(engine: Engine, source: int) -> None:
    read_list(engine, source, FEED, [page("/n/1", "عنوان", "9:00")])
    visit(engine, pages(engine, source)["/n/1"])
    read_list(engine, source, MAP, [page("/n/1", "العنوان", "09:00:00")])
    assert "/n/1" not in pages(engine, source, NOW)


def test_what_fails_is_asked_for_less_and_less_often(engine: Engine, source: int) -> None:
    read_list(engine, source, FEED, [page("/n/1")])
    waits = []
    for _ in range(addresses.FAILURES):
        address = pages(engine, source, NOW + 99 * DAY)["/n/1"]
        visit(engine, address, held=False, broken=True, status=None, raw_hash=None)
        due = row(engine, "/n/1")["due_at"]
        waits.append(due and due - NOW)
    assert waits[:3] == [HOUR / 4, HOUR, 4 * HOUR] and waits[-2:] == [7 * DAY, None]


@pytest.mark.parametrize(("status", "visits"), [(410, 1), (404, 3)])
def test_page_that_is_gone(engine: Engine, source: int, status: int, visits: int) -> None:
    read_list(engine, source, FEED, [page("/n/1")])
    for number in range(visits):
        assert not row(engine, "/n/1")["gone"], number
        address = pages(engine, source, NOW + 99 * DAY)["/n/1"]
        visit(engine, address, held=False, status=status, raw_hash=None)
    assert row(engine, "/n/1")["gone"] and not pages(engine, source, NOW + 99 * DAY)


def test_site_s_wait_is_kept(engine: Engine, source: int) -> None:
    address = lists(engine, source)[FEED]
    seen = Visit(address, NOW, 503, wait=timedelta(hours=5))
    addresses.note_discovery(engine, source, seen, None)
    assert FEED not in lists(engine, source, NOW + 4 * HOUR)
    assert FEED in lists(engine, source, NOW + 5 * HOUR)


def test_validators_are_sent_only_for_what_was_read(engine: Engine, source: int) -> None:
    read_list(engine, source, FEED, [page("/n/1")])
    assert lists(engine, source)[FEED].validators == {"If-None-Match": '"tag"'}
    read_list(engine, source, FEED, None)  # it came, but could not be read
    assert lists(engine, source)[FEED].validators == {}


def test_next_page_of_a_listing_is_due_while_there_is_news(engine: Engine, source: int) -> None:
    second = Found(f"{LIST}?page=2", Kind.LISTING)
    read_list(engine, source, LIST, [page("/n/1"), second])
    assert second.url in lists(engine, source, NOW)  # a crawl that is killed now goes on there
    read_list(engine, source, second.url, [page("/n/2")])
    assert second.url not in lists(engine, source, NOW + 99 * DAY)
    read_list(engine, source, LIST, [page("/n/1"), second])
    assert second.url not in lists(engine, source, NOW + 99 * DAY)
    read_list(engine, source, LIST, [page("/n/3"), page("/n/1"), second])
    assert second.url in lists(engine, source, NOW)


def test_sitemaps_below_an_index_are_asked_for_as_they_change(engine: Engine, source: int) -> None:
    dated = Found(f"{SITE}/1.xml", Kind.SITEMAP, modified_at="Monday")
    undated = Found(f"{SITE}/2.xml", Kind.SITEMAP)
    read_list(engine, source, MAP, [dated, undated])
    for each in (dated, undated):
        read_list(engine, source, each.url, [page("/n/1")])
    soon = lists(engine, source, NOW + timedelta(minutes=1))
    assert undated.url in soon and dated.url not in soon
    # The longer it has not changed, the later it is asked for again.
    seen = Visit(soon[undated.url], NOW + 4 * DAY, 304)
    addresses.note_discovery(engine, source, seen, None)
    assert undated.url not in lists(engine, source, NOW + 4.9 * DAY)
    assert undated.url in lists(engine, source, NOW + 5.1 * DAY)
    read_list(engine, source, MAP, [replace(dated, modified_at="Tuesday")])
    assert dated.url in lists(engine, source, NOW)


def test_page_that_moved_is_visited_where_it_is(engine: Engine, source: int) -> None:
    read_list(engine, source, FEED, [page("/n/1")])
    visit(engine, pages(engine, source)["/n/1"], moved_to=f"{SITE}/n/neu")
    assert row(engine, "/n/1")["due_at"] is None
    assert row(engine, "/n/neu")["due_at"] == NOW + HOUR


def test_every_page_can_be_made_due(engine: Engine, source: int) -> None:
    read_list(engine, source, FEED, [page("/n/1"), page("/n/2")])
    visit(engine, pages(engine, source)["/n/1"])
    visit(engine, pages(engine, source)["/n/2"], held=False, status=410, raw_hash=None)
    addresses.make_due(engine, source, NOW)
    assert list(pages(engine, source, NOW)) == ["/n/1"]
