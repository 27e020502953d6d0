"""The light calendar against published sun times, the council's words, and the changes of clocks."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.core.calendar import LightCalendar
from drivers.errors import InputError
from drivers.units import FOREVER_NS, NS_PER_S

BERLIN = ZoneInfo("Europe/Berlin")
HOUR_NS = 3600 * NS_PER_S


def utc_ns(local: str) -> int:
    return int(datetime.fromisoformat(local).replace(tzinfo=BERLIN).timestamp()) * NS_PER_S


def local(utc: int) -> str:
    return datetime.fromtimestamp(utc // NS_PER_S, BERLIN).strftime("%Y-%m-%d %H:%M:%S")


def muenster(kind: str = "other-sections") -> LightCalendar:
    return LightCalendar(kind, 51.97, 7.64, "Europe/Berlin")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("place", "noon", "edge", "published"),
    [
        # Bayerischer Rundfunk, sun times for Munich, March 2017.
        ((48.14, 11.58), "2017-02-28 12:00", 1, "2017-03-01 06:55"),
        ((48.14, 11.58), "2017-03-01 12:00", 0, "2017-03-01 17:58"),
        ((48.14, 11.58), "2017-03-19 12:00", 1, "2017-03-20 06:17"),
        ((48.14, 11.58), "2017-03-20 12:00", 0, "2017-03-20 18:27"),
        ((48.14, 11.58), "2017-03-30 12:00", 1, "2017-03-31 06:54"),
        # ARD alpha, Munich, February (year not said).
        ((48.14, 11.58), "2022-01-31 12:00", 1, "2022-02-01 07:42"),
        ((48.14, 11.58), "2022-02-28 12:00", 0, "2022-02-28 17:57"),
    ],
)
def test_sunset_and_sunrise_agree_with_published_times_within_two_minutes(
    place: tuple[float, float], noon: str, edge: int, published: str
) -> None:
    calendar = LightCalendar("other-sections", *place, "Europe/Berlin")
    t = calendar.next_edge_ns(utc_ns(noon))
    if edge:
        t = calendar.next_edge_ns(t)
    assert abs(t - utc_ns(published)) <= 120 * NS_PER_S, local(t)


def test_a_place_further_north_and_west_has_its_own_sun() -> None:
    # Unna, 50 km south of Münster, 1 August: sunrise 05:53 (published by blog-speciaal.de). In summer the calendar
    # shows only the morning: 05:30 to sunrise.
    calendar = LightCalendar("other-sections", 51.53, 7.69, "Europe/Berlin")
    morning = calendar.next_edge_ns(utc_ns("2014-07-31 12:00"))
    assert local(morning) == "2014-08-01 05:30:00"
    assert abs(calendar.next_edge_ns(morning) - utc_ns("2014-08-01 05:53")) <= 120 * NS_PER_S


def test_winter_nights_are_lit_from_sunset_to_sunrise() -> None:
    calendar = muenster()
    sunset = calendar.next_edge_ns(utc_ns("2024-02-19 12:00"))
    sunrise = calendar.next_edge_ns(sunset)
    assert local(sunset).startswith("2024-02-19 17:4")
    assert local(sunrise).startswith("2024-02-20 07:3")
    assert not calendar.lit_at(sunset - 1)
    assert calendar.lit_at(sunset)
    assert calendar.lit_at(sunrise - 1)
    assert not calendar.lit_at(sunrise)


def test_summer_is_lit_from_half_past_five_to_sunrise_and_not_at_all_where_the_sun_is_up_by_then() -> None:
    calendar = muenster()
    assert not calendar.lit_at(utc_ns("2024-05-05 23:00"))
    assert not calendar.lit_at(utc_ns("2024-05-06 05:29:59"))
    assert calendar.lit_at(utc_ns("2024-05-06 05:30"))
    assert not calendar.lit_at(utc_ns("2024-05-06 06:00"))
    # From late May to late July the sun is up before 05:30: nothing between.
    edge = calendar.next_edge_ns(utc_ns("2024-06-01 12:00"))
    assert local(edge).startswith("2024-07-")
    assert local(edge).endswith("05:30:00")


def test_the_night_to_the_first_of_april_is_lit_till_midnight_and_again_from_half_past_five() -> None:
    calendar = muenster()
    edges = [calendar.next_edge_ns(utc_ns("2024-03-31 12:00"))]
    while len(edges) < 4:
        edges.append(calendar.next_edge_ns(edges[-1]))
    assert [local(edge)[:16] for edge in edges] == [
        "2024-03-31 20:01",
        "2024-04-01 00:00",
        "2024-04-01 05:30",
        "2024-04-01 07:03",
    ]


def test_the_night_to_the_first_of_october_is_lit_from_midnight() -> None:
    calendar = muenster()
    assert not calendar.lit_at(utc_ns("2024-09-30 23:59:59"))
    assert calendar.lit_at(utc_ns("2024-10-01 00:00"))
    assert local(calendar.next_edge_ns(utc_ns("2024-09-30 12:00"))) == "2024-10-01 00:00:00"


def test_the_nights_in_which_the_clocks_change_are_an_hour_shorter_and_longer_by_the_wall() -> None:
    calendar = muenster()
    nights = {}
    for noon in ("2024-03-29 12:00", "2024-03-30 12:00", "2024-10-25 12:00", "2024-10-26 12:00"):
        sunset = calendar.next_edge_ns(utc_ns(noon))
        nights[noon] = calendar.next_edge_ns(sunset) - sunset
    # The true length of the night changes by minutes; what the wall clock reads at its end changes by an hour.
    assert abs(nights["2024-03-30 12:00"] - nights["2024-03-29 12:00"]) < 300 * NS_PER_S
    assert abs(nights["2024-10-26 12:00"] - nights["2024-10-25 12:00"]) < 300 * NS_PER_S
    sunrise = calendar.next_edge_ns(calendar.next_edge_ns(utc_ns("2024-03-30 12:00")))
    assert local(sunrise)[11:16] == "07:06"
    sunrise = calendar.next_edge_ns(calendar.next_edge_ns(utc_ns("2024-10-26 12:00")))
    assert local(sunrise)[11:16] == "07:16"


def test_rieselfelder_is_dark_from_march_to_november() -> None:
    calendar = muenster("rieselfelder")
    assert calendar.lit_at(utc_ns("2024-02-29 23:59:59"))
    assert not calendar.lit_at(utc_ns("2024-03-01 00:00"))
    assert not calendar.lit_at(utc_ns("2024-11-30 23:59:59"))
    assert local(calendar.next_edge_ns(utc_ns("2024-03-01 00:00"))) == "2024-12-01 00:00:00"


def test_always_never_changes() -> None:
    calendar = muenster("always")
    assert calendar.lit_at(utc_ns("2024-06-21 13:00"))
    assert calendar.next_edge_ns(utc_ns("2024-06-21 13:00")) == FOREVER_NS


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("winter", 51.97, 7.64, "Europe/Berlin"), "other-sections"),
        (("other-sections", 90.1, 15.6, "Europe/Berlin"), "latitude"),
        (("other-sections", 51.97, 7.64, "Europe/Muenster"), "Europe/Berlin"),
        (("other-sections", 51.97, 7.64, "../zone"), "Europe/Berlin"),
    ],
)
def test_what_cannot_be_a_calendar_is_refused_with_the_mend(
    arguments: tuple[str, float, float, str], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        LightCalendar(*arguments)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["other-sections", "rieselfelder"]),
    start=st.datetimes(datetime(2020, 1, 1), datetime(2028, 1, 1)),
    steps=st.lists(st.integers(0, 40 * HOUR_NS), max_size=6),
)
def test_nothing_changes_before_the_next_edge_and_it_does_change_there(
    kind: str, start: datetime, steps: list[int]
) -> None:
    asked_in_order, fresh = muenster(kind), muenster(kind)
    t = int((start - datetime(1970, 1, 1)) / timedelta(seconds=1)) * NS_PER_S
    for step in [0, *steps]:
        t += step
        edge, lit = asked_in_order.next_edge_ns(t), asked_in_order.lit_at(t)
        assert edge > t
        assert lit == fresh.lit_at(t)
        assert fresh.lit_at(edge - 1) == lit
        assert fresh.lit_at(edge) != lit
        assert fresh.lit_at((t + edge) // 2) == lit


@pytest.mark.parametrize(("lat", "lon", "zone"), [(1.9, -157.4, "Pacific/Kiritimati"), (-13.8, -171.8, "Pacific/Apia")])
def test_nights_are_lit_where_the_date_is_that_of_the_other_side_of_the_date_line(
    lat: float, lon: float, zone: str
) -> None:
    """There the clock is a day ahead of the sun's: sunset was looked for on the wrong date, and no night was lit."""
    calendar, there = LightCalendar("other-sections", lat, lon, zone), ZoneInfo(zone)
    for month in (1, 2, 3, 10, 11, 12):
        for hour, lit in ((1, True), (5, True), (8, False), (12, False), (17, False), (20, True)):
            at = int(datetime(2026, month, 15, hour, tzinfo=there).timestamp()) * NS_PER_S
            assert calendar.lit_at(at) is lit, (month, hour)
