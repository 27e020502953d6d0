"""Sunrise and sunset near the poles, against the sun's place by equations that astral does not use.

"Computing Approximate Solar Coordinates", U.S. Naval Observatory, Astronomical Applications: within an arc minute.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from math import asin, atan2, cos, degrees, radians, sin
from zoneinfo import ZoneInfo

import astral
import pytest
from astral.sun import elevation

from controllers.core.sun import SunEvent, sun_s

HORIZON_DEG = -0.833
ABOUT_DEG = 0.1
"""How high the sun may be taken wrongly. Near the poles it moves so little in an hour."""

J2000_S = 946_728_000
"""1 January 2000, noon."""

EQUINOXES = [date(2024, 3, 20), date(2025, 9, 22)]
UTC_ZONE = ZoneInfo("UTC")


def height_deg(at_s: int, lat_deg: float, lon_deg: float) -> float:
    """How high the middle of the sun stands, without refraction."""
    days = (at_s - J2000_S) / 86_400
    anomaly = radians(357.529 + 0.98560028 * days)
    ecliptic = radians(280.459 + 0.98564736 * days + 1.915 * sin(anomaly) + 0.020 * sin(2 * anomaly))
    tilt = radians(23.439 - 0.00000036 * days)
    right_ascension = atan2(cos(tilt) * sin(ecliptic), cos(ecliptic))
    declination = asin(sin(tilt) * sin(ecliptic))
    sidereal = radians((18.697374558 + 24.06570982441908 * days) * 15 + lon_deg)
    lat, hour_angle = radians(lat_deg), sidereal - right_ascension
    return degrees(asin(sin(lat) * sin(declination) + cos(lat) * cos(declination) * cos(hour_angle)))


def is_up(at_s: int, lat_deg: float) -> bool:
    """By astral, without refraction; at longitude 0."""
    at = datetime.fromtimestamp(at_s, UTC)
    return elevation(astral.Observer(lat_deg, 0.0), at, with_refraction=False) > HORIZON_DEG


def half_days(lat_deg: float, first: date, days: int) -> Iterator[tuple[SunEvent, int, int, int]]:
    """Event, what `sun_s` says of it, noon and the end of that half of the day; at longitude 0."""
    for n in range(days):
        day = first + timedelta(days=n)
        noon_s = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp())
        yield "sunrise", sun_s(day, "sunrise", lat_deg, 0.0, UTC_ZONE), noon_s, noon_s - 43_200
        yield "sunset", sun_s(day, "sunset", lat_deg, 0.0, UTC_ZONE), noon_s, noon_s + 43_200


def check(lat_deg: float, found_s: int, noon_s: int, end_s: int) -> None:
    """At the moment said, the sun is at the horizon; at noon, it does not come up; at the end, it does not go down."""
    step_s = 60 if end_s > noon_s else -60
    heights = [height_deg(at_s, lat_deg, 0.0) for at_s in range(noon_s, end_s + step_s, step_s)]
    if found_s == noon_s:
        # the sun's own noon is up to 17 minutes from that of the clock
        assert heights[0] < HORIZON_DEG + ABOUT_DEG
    elif found_s == end_s:
        assert min(heights) > HORIZON_DEG - ABOUT_DEG
    else:
        assert abs(height_deg(found_s, lat_deg, 0.0) - HORIZON_DEG) < ABOUT_DEG


@pytest.mark.parametrize("lat_deg", [89.8, 89.5, 89, 88, 86, 84, 80, 75, -80, -88, -89.8])
@pytest.mark.parametrize("equinox", EQUINOXES)
def test_about_the_equinox_the_sun_of_the_poles_is_where_it_is_said_to_be(lat_deg: float, equinox: date) -> None:
    for _, found_s, noon_s, end_s in half_days(lat_deg, equinox - timedelta(days=12), 24):
        check(lat_deg, found_s, noon_s, end_s)


@pytest.mark.parametrize("lat_deg", [60, 66, 66.6, 68, 70, 75, 80, -67])
def test_a_year_beyond_the_polar_circle_has_its_sun_where_it_is_said_to_be(lat_deg: float) -> None:
    for _, found_s, noon_s, end_s in half_days(lat_deg, date(2024, 1, 1), 366):
        if found_s in (noon_s, end_s):
            assert is_up(noon_s, lat_deg) is (found_s == end_s)
        assert abs(height_deg(found_s, lat_deg, 0.0) - HORIZON_DEG) < ABOUT_DEG or found_s in (noon_s, end_s)


@pytest.mark.parametrize(
    ("day", "lat_deg", "event", "ahead_s"),
    [
        (date(2024, 2, 6), 75, "sunrise", -1),  # the first sun after the polar night
        (date(2024, 2, 6), 75, "sunset", 1),
        (date(2024, 9, 14), 86, "sunset", 1),  # the first sunset after the polar day
    ],
)
def test_where_astral_misses_it_the_sun_is_up_until_that_second_and_not_in_the_next(
    day: date, lat_deg: float, event: SunEvent, ahead_s: int
) -> None:
    found_s = sun_s(day, event, lat_deg, 0.0, UTC_ZONE)
    assert type(found_s) is int
    assert is_up(found_s, lat_deg)
    assert not is_up(found_s + ahead_s, lat_deg)


@pytest.mark.parametrize(
    ("lon_deg", "zone", "rise", "sets"),
    [
        (179.0, "Etc/GMT+12", "06:02:26", "18:09:26"),  # the date of the day before
        (-179.0, "Etc/GMT-12", "05:54:13", "18:01:13"),
        (-157.4, "Pacific/Kiritimati", "06:27:48", "18:34:48"),
    ],
)
def test_a_zone_with_the_date_of_the_other_side_has_its_sun_on_that_date(
    lon_deg: float, zone: str, rise: str, sets: str
) -> None:
    day = date(2026, 6, 21)
    for event, at in (("sunrise", rise), ("sunset", sets)):
        found = datetime.fromtimestamp(sun_s(day, event, 0.0, lon_deg, ZoneInfo(zone)), ZoneInfo(zone))  # type: ignore[arg-type]
        assert (found.date(), f"{found:%H:%M:%S}") == (day, at)


def test_the_machine_s_own_time_zone_moves_no_sun(monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> list[int]:
        sun_s.cache_clear()
        days = [*half_days(86, date(2024, 9, 10), 8), *half_days(75, date(2024, 2, 1), 8)]
        return [found_s for _, found_s, _, _ in days]

    wanted = found()
    try:
        with monkeypatch.context() as patch:
            patch.setenv("TZ", "America/New_York")
            time.tzset()
            assert found() == wanted
    finally:
        time.tzset()
