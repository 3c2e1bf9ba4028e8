"""Choosing an article's dates among candidates: one case a rule."""

from datetime import date, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.document import Precision
from pipelines.stages.choose_date import (
    METHODS,
    ChosenDates,
    DateCandidate,
    Role,
    choose_dates,
    date_of_url,
)

FETCHED = datetime.fromisoformat("2023-06-10T12:00:00+00:00")


def published(*candidates: tuple[str, str]) -> list[DateCandidate]:
    """Candidates (method, text) for the date of publication."""
    return [DateCandidate(text, method, "published") for method, text in candidates]


def chosen(*candidates: tuple[str, str], zone: str | None = None) -> ChosenDates:
    return choose_dates(published(*candidates), FETCHED, zone)


def iso(result: ChosenDates) -> str | None:
    return None if result.published is None else result.published.iso


def test_nothing_comes_of_nothing() -> None:
    assert choose_dates([], FETCHED, None) == ChosenDates(None, None)
    result = chosen(("meta", "قريبا"))
    assert result.published is None
    assert result.flags == ("date_unreadable",)


def test_one_candidate_keeps_all_that_it_says() -> None:
    result = chosen(("date_line", "نشر: ٥ مارس ٢٠٢٣ - ٩:١٥ م بتوقيت بغداد"))
    date_ = result.published
    assert date_ is not None
    assert date_.iso == "2023-03-05T21:15+03:00"
    assert date_.precision is Precision.MINUTE
    assert date_.method == "date_line"
    assert date_.raw == "٥ مارس ٢٠٢٣ - ٩:١٥ م بتوقيت بغداد"
    assert date_.zone == "Asia/Baghdad"
    assert date_.conflicts == ()


def test_trust_falls_in_the_written_order() -> None:
    methods = list(METHODS)
    for first, second in pairwise(methods):
        result = chosen((second, "2023-03-05"), (first, "2023-04-17"))
        assert iso(result) == "2023-04-17", (first, second)


def test_an_unknown_method_or_zone_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown method"):
        chosen(("guess", "2023-03-05"))
    with pytest.raises(ValueError, match="no such time zone"):
        chosen(("meta", "2023-03-05T10:00"), zone="Asia/Nowhere")


def test_agreement_of_different_kinds_raises_confidence() -> None:
    def confidence(*candidates: tuple[str, str]) -> float:
        date_ = chosen(*candidates).published
        assert date_ is not None
        return date_.confidence

    alone = confidence(("meta", "2023-03-05T10:00:00+03:00"))
    # A second field of the same system is no second witness.
    same = confidence(("meta", "2023-03-05T10:00:00+03:00"), ("microdata", "2023-03-05"))
    two = confidence(("meta", "2023-03-05T10:00:00+03:00"), ("date_line", "5 مارس 2023"))
    three = confidence(
        ("meta", "2023-03-05T10:00:00+03:00"), ("date_line", "5 مارس 2023"), ("url", "2023-03-05")
    )
    against = confidence(("meta", "2023-03-05T10:00:00+03:00"), ("date_line", "9 مارس 2023"))
    assert against < alone == same < two < three < 1


def test_a_finer_candidate_on_the_same_day_gives_the_time() -> None:
    result = chosen(("meta", "2023-03-05"), ("date_line", "الأحد 5 مارس 2023 - 21:15"))
    assert iso(result) == "2023-03-05T21:15"
    assert result.published is not None and result.published.method == "date_line"
    other_day = chosen(("meta", "2023-03-05"), ("date_line", "7 مارس 2023 - 21:15"))
    assert iso(other_day) == "2023-03-05"
    assert other_day.published is not None
    assert other_day.published.conflicts == ("date_line says 2023-03-07",)
    assert other_day.flags == ("date_conflict",)
    month = chosen(("meta", "2023-03"), ("url", "2023-03-05"))
    assert iso(month) == "2023-03-05"


@pytest.mark.parametrize(
    "midnight", ["2023-03-05T00:00:00Z", "2023-03-05T00:00:00+00:00", "2023-03-05 00:00:00"]
)
def test_a_midnight_of_a_machine_is_a_day(midnight: str) -> None:
    assert iso(chosen(("json_ld", midnight), ("date_line", "5/3/2023 21:15"))) == "2023-03-05T21:15"
    alone = chosen(("json_ld", midnight), zone="Asia/Riyadh").published
    assert alone is not None
    assert (alone.iso, alone.precision, alone.zone) == ("2023-03-05", Precision.DAY, None)


def test_a_stated_local_midnight_stays() -> None:
    assert iso(chosen(("json_ld", "2023-03-05T00:00:00+03:00"))) == "2023-03-05T00:00:00+03:00"
    assert iso(chosen(("date_line", "5 مارس 2023 - 00:00"))) == "2023-03-05T00:00"


def test_the_future_and_the_far_past_lose() -> None:
    result = chosen(("json_ld", "2023-06-12T13:00:00Z"), ("date_line", "5 مارس 2023"))
    assert (iso(result), result.flags) == ("2023-03-05", ("date_in_future",))
    # A day's slack for zones.
    assert iso(chosen(("json_ld", "2023-06-11T11:00:00Z"))) == "2023-06-11T11:00:00+00:00"
    assert iso(chosen(("date_line", "11 يونيو 2023"))) == "2023-06-11"
    assert iso(chosen(("date_line", "12 يونيو 2023"))) is None
    assert chosen(("json_ld", "1970-01-01T00:00:00Z")).flags == ("date_too_early",)
    early = choose_dates(
        published(("meta", "2009-12-31"), ("url", "2015-05-05")), FETCHED, None, date(2010, 1, 1)
    )
    assert (iso(early), early.flags) == ("2015-05-05", ("date_too_early",))
    month = choose_dates(published(("meta", "2010-01")), FETCHED, None, date(2010, 1, 20))
    assert iso(month) == "2010-01"


def test_published_and_modified_are_never_mixed_up() -> None:
    only = choose_dates([DateCandidate("2023-03-06T10:00Z", "meta", "modified")], FETCHED, None)
    assert only.published is None
    assert only.modified is not None and only.modified.iso == "2023-03-06T10:00+00:00"
    # A line's own label is stronger than the place where it was found.
    both = chosen(("date_line", "نشر: 5 مارس 2023 - 09:00 | آخر تحديث: 6 مارس 2023 - 10:00"))
    assert iso(both) == "2023-03-05T09:00"
    assert both.modified is not None and both.modified.iso == "2023-03-06T10:00"
    labelled = chosen(("date_line", "آخر تحديث: 6 مارس 2023"))
    assert labelled.published is None and labelled.modified is not None


def test_a_change_before_the_publication_is_kept_and_flagged() -> None:
    scheduled = [
        DateCandidate("2023-03-05T13:00:00+00:00", "json_ld", "published"),
        DateCandidate("2023-03-05T12:52:43+00:00", "json_ld", "modified"),
    ]
    result = choose_dates(scheduled, FETCHED, None)
    assert iso(result) == "2023-03-05T13:00:00+00:00"
    assert result.modified is not None and result.modified.iso == "2023-03-05T12:52:43+00:00"
    assert result.flags == ("modified_before_published",)
    same_day = [
        DateCandidate("2023-03-05T13:00:00+00:00", "json_ld", "published"),
        DateCandidate("2023-03-05", "date_line", "modified"),
    ]
    assert choose_dates(same_day, FETCHED, None).flags == ()


def test_the_zone_of_the_source_is_a_fall_back_that_is_named() -> None:
    def placed(text: str) -> tuple[str, str | None]:
        date_ = chosen(("date_line", text), zone="Asia/Beirut").published
        assert date_ is not None
        return date_.iso, date_.zone

    assert placed("5 يوليو 2021 - 21:15") == ("2021-07-05T21:15+03:00", "Asia/Beirut")
    assert placed("5 يناير 2021 - 21:15") == ("2021-01-05T21:15+02:00", "Asia/Beirut")
    assert placed("5 يوليو 2021 - 21:15 GMT") == ("2021-07-05T21:15+00:00", "UTC")
    assert placed("5 يوليو 2021") == ("2021-07-05", None)
    # Another zone is named, but not known: no offset at all.
    assert placed("5 يوليو 2021 - 21:15 بتوقيت فالكيريا") == ("2021-07-05T21:15", None)


def test_a_z_beside_the_same_printed_clock_is_wrong() -> None:
    trap = (("meta", "2023-03-05T09:23:13Z"), ("date_line", "الأحد، 05 مارس 2023 09:23 ص"))
    without = chosen(*trap)
    assert iso(without) == "2023-03-05T09:23:13"
    assert "wrong_utc_marker" in without.flags
    assert without.published is not None and without.published.conflicts
    with_zone = chosen(*trap, zone="Africa/Cairo").published
    assert with_zone is not None
    assert (with_zone.iso, with_zone.zone) == ("2023-03-05T09:23:13+02:00", "Africa/Cairo")


def test_a_z_that_is_right_stays() -> None:
    # The printed clock is the zone's, or states GMT itself, or the zone is at UTC.
    local = chosen(
        ("meta", "2023-03-05T09:23:13Z"), ("date_line", "5 مارس 2023 11:23"), zone="Africa/Cairo"
    )
    assert iso(local) == "2023-03-05T09:23:13+00:00"
    assert local.flags == ()
    gmt = chosen(("meta", "2023-03-05T09:23:13Z"), ("date_line", "5 مارس 2023 09:23 GMT"))
    assert iso(gmt) == "2023-03-05T09:23:13+00:00"
    ramadan = chosen(
        ("meta", "2023-04-05T09:23:13Z"),
        ("date_line", "5 أبريل 2023 09:23"),
        zone="Africa/Casablanca",
    )
    assert iso(ramadan) == "2023-04-05T09:23:13+00:00"


def test_a_day_s_difference_between_zones_is_no_conflict() -> None:
    result = chosen(
        ("json_ld", "2023-03-04T22:30:00Z"), ("date_line", "5 مارس 2023"), zone="Asia/Riyadh"
    )
    assert iso(result) == "2023-03-04T22:30:00+00:00"
    assert result.flags == ()
    assert result.published is not None and result.published.conflicts == ()
    dateline = chosen(("json_ld", "2023-03-05T06:00:00Z"), ("dateline", "4 مارس 2023"))
    assert (iso(dateline), dateline.flags) == ("2023-03-05T06:00:00+00:00", ())


def test_two_other_kinds_of_evidence_outvote_a_machine_but_not_a_statement() -> None:
    migrated = (
        ("json_ld", "2023-05-20T03:00:00Z"),
        ("meta", "2023-05-20T03:00:00Z"),
        ("date_line", "5 مارس 2019"),
        ("url", "2019-03-05"),
    )
    result = chosen(*migrated)
    assert iso(result) == "2019-03-05"
    assert "date_outvoted" in result.flags
    assert result.published is not None
    assert result.published.conflicts == (
        "json_ld says 2023-05-20",
        "meta says 2023-05-20",
    )
    # One against one: the more trusted.
    assert iso(chosen(*migrated[:3])) == "2023-05-20T03:00:00+00:00"
    assert iso(chosen(("stated", "2023-05-20"), *migrated[2:])) == "2023-05-20"


def test_dates_counted_from_the_fetch_come_last() -> None:
    ago = chosen(("date_line", "منذ 3 ساعات"))
    assert ago.published is not None
    assert (ago.published.iso, ago.published.precision) == (
        "2023-06-10T09:00+00:00",
        Precision.HOUR,
    )
    assert ago.published.confidence < 0.8
    # On the stated day they give the hour, on another they lose.
    assert iso(chosen(("date_line", "منذ 3 ساعات"), ("url", "2023-06-10"))) == (
        "2023-06-10T09:00+00:00"
    )
    assert iso(chosen(("date_line", "منذ 3 ساعات"), ("url", "2023-06-02"))) == "2023-06-02"
    no_fetch = choose_dates(published(("date_line", "منذ 3 ساعات")), None, None)
    assert no_fetch.published is None
    inferred = chosen(("dateline", "5 مارس"))
    assert inferred.published is not None and inferred.published.confidence < 0.5
    assert inferred.flags == ("year_inferred",)


def test_a_missing_year_is_taken_from_a_stated_date() -> None:
    # Fetched four years later; 5 March 2019 was a Tuesday, 5 March 2023 none.
    result = chosen(("url", "2019-03-05"), ("date_line", "الثلاثاء 5 مارس - 21:15"))
    assert (iso(result), result.flags) == ("2019-03-05T21:15", ())
    new_year = chosen(("url", "2019-01-01"), ("date_line", "31 ديسمبر"))
    assert iso(new_year) == "2019-01-01"
    assert new_year.flags == ()


def test_the_order_of_equal_candidates_is_kept() -> None:
    result = chosen(("json_ld", "2023-03-05"), ("json_ld", "2023-03-09"))
    assert iso(result) == "2023-03-05"
    assert result.published is not None
    assert result.published.conflicts == ("json_ld says 2023-03-09",)


URLS = [
    ("https://example.org/2023/03/05/a-slug", "2023-03-05"),
    ("https://example.org/story/2023/3/5/خبر/491122", "2023-03-05"),
    ("https://example.org/2013/middle_east/8/3/story/index.html", "2013-08-03"),
    ("https://example.org/news/2023-03-05-a-slug", "2023-03-05"),
    ("https://example.org/news/a-slug-2023-03-05/", "2023-03-05"),
    ("https://example.org/2023-03/05/c_1394.htm", "2023-03-05"),
    ("https://example.org/n3/2023/0305/c31660-9765.html", "2023-03-05"),
    ("https://example.org/20230305/a-slug", "2023-03-05"),
    ("https://example.org/20230305-a-slug", "2023-03-05"),
    ("/2023/03/05/a-slug", "2023-03-05"),
    ("https://example.org/world/2023/mar/05/a-slug", "2023-03-05"),
    ("https://example.org/world/2023/xyz/05/a-slug", None),
    ("https://example.org/2023/03/a-slug", None),
    ("https://example.org/2023/13/05/a-slug", None),
    ("https://example.org/2023/02/30/a-slug", None),
    ("https://example.org/news/20230305", None),
    ("https://example.org/article/20101123.html", None),
    ("https://example.org/2023/03/051234", None),
    ("https://example.org/news/85082922/a-slug", None),
    ("https://example.org/?date=2023-03-05", None),
    ("https://2023-03-05.example.org/a", None),
    ("https://example.org/season-2022-2023/", None),
    ("https://example.org/1889/03/05/a", None),
    ("http://[broken", None),
    ("", None),
]


@pytest.mark.parametrize(("url", "expected"), URLS)
def test_days_in_urls(url: str, expected: str | None) -> None:
    assert date_of_url(url) == expected


def test_a_url_may_be_a_candidate_itself() -> None:
    assert iso(chosen(("url", "https://example.org/2023/03/05/a-slug"))) == "2023-03-05"
    assert chosen(("url", "https://example.org/a-slug")) == ChosenDates(None, None)


TEXTS = st.sampled_from(
    [
        "2023-03-05", "2023-03-05T09:23:13Z", "2023-03-05T00:00:00Z", "2023-03", "2023-06-30",
        "5 مارس 2023 - 09:23", "منذ 3 ساعات", "5 مارس", "نشر: 5/3/2023 | آخر تحديث: 6/3/2023",
        "5 مارس 2023 09:23 بتوقيت فالكيريا", "1900-01-01", "عام 2020", "x", "",
    ]
)  # fmt: skip
ROLES: list[Role] = ["published", "modified"]
CANDIDATES = st.lists(
    st.builds(DateCandidate, TEXTS, st.sampled_from(list(METHODS)), st.sampled_from(ROLES)),
    max_size=8,
)


@settings(max_examples=300, deadline=None)
@given(
    CANDIDATES,
    st.sampled_from([None, FETCHED, datetime(2023, 6, 10, 12)]),
    st.sampled_from([None, "Asia/Tehran"]),
)
def test_any_candidates_give_sound_dates(
    candidates: list[DateCandidate], fetched_at: datetime | None, zone: str | None
) -> None:
    result = choose_dates(candidates, fetched_at, zone)
    for role, one in (("published", result.published), ("modified", result.modified)):
        if one is None:
            continue
        assert 0 < one.confidence <= 1
        assert one.iso[:4] >= "1990"
        assert any(one.raw in candidate.text for candidate in candidates)
        assert any(c.role == role or "تحديث" in c.text for c in candidates)
        if "T" in one.iso:
            datetime.fromisoformat(one.iso)
            assert one.precision in (Precision.HOUR, Precision.MINUTE, Precision.SECOND)
