"""Brightness: the sun, the heat, and what happens where one of them is not known."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.greenwave.brightness import FULL_LEVEL, HYSTERESIS_MDEGC, LIGHT_PPM, SILENT_NS, Brightness, level_of
from controllers.greenwave.site import GreenwaveSite
from drivers.quantities import Climate, DeviceHealth, Quantity, WallTime
from drivers.units import FOREVER_NS, NS_PER_S

SITE = GreenwaveSite(name="x", station=1, group=1, distance_m=100)
HOT = GreenwaveSite(name="x", station=1, group=1, distance_m=100, thermometer="inside")


def utc_ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS_PER_S


def at(text: str, site: GreenwaveSite = SITE) -> int:
    light = Brightness(site)
    light.hear(WallTime(5, "clock", utc_ns(text), True))
    return light.level(5)


def warm(mdegc: int, t_ns: int = 0) -> Climate:
    return Climate(t_ns, "inside", mdegc)


def test_levels_give_the_light_that_a_gamma_of_2_2_makes_of_them() -> None:
    assert [round((level / FULL_LEVEL) ** 2.2 * 1_000_000) for level in range(FULL_LEVEL + 1)] == list(LIGHT_PPM)
    assert [level_of(ppm) for ppm in (-5, 0, 2_243, 2_244, 200_000, 999_999, 1_000_000)] == [0, 0, 0, 1, 7, 15, 16]


# Münster on 2026-03-20, by astral: sunrise 05:33 UTC, sunset 17:43 UTC; twilight is 20 minutes on both sides
@pytest.mark.parametrize(
    ("time", "level"),
    [
        ("00:00", 7),
        ("05:10", 7),
        ("05:34", 11),
        ("05:56", 16),
        ("12:00", 16),
        ("17:20", 16),
        ("18:06", 7),
        ("23:59", 7),
    ],
)
def test_the_sun_of_the_site_sets_the_level(time: str, level: int) -> None:
    assert at(f"2026-03-20 {time}") == level


def test_dusk_goes_down_level_by_level_and_tells_each_moment_beforehand() -> None:
    light = Brightness(SITE)
    noon_ns = utc_ns("2026-06-21 12:00")
    light.hear(WallTime(0, "clock", noon_ns, True))
    seen, now_ns = [], 0
    for _ in range(10):
        seen.append(light.level(now_ns))
        assert light.level(light.wake_ns - 1) == seen[-1]
        now_ns = light.wake_ns
    assert seen == [16, 15, 14, 13, 12, 11, 10, 9, 8, 7]


def test_without_a_trusted_wall_time_it_is_day() -> None:
    light = Brightness(SITE)
    light.hear(WallTime(0, "clock", utc_ns("2026-01-01 00:00"), False))
    assert (light.level(0), light.wake_ns) == (16, FOREVER_NS)


def test_a_site_without_difference_between_day_and_night_never_changes() -> None:
    site = GreenwaveSite(name="x", station=1, group=1, distance_m=100, night_pct=100)
    assert {at(f"2026-03-20 {hour:02}:45", site) for hour in range(24)} == {16}


@pytest.mark.parametrize(
    ("mdegc", "level"), [(-20_000, 16), (59_999, 16), (60_000, 16), (67_500, 11), (74_000, 4), (75_000, 0), (99_000, 0)]
)
def test_heat_takes_light_away_and_in_the_end_all(mdegc: int, level: int) -> None:
    light = Brightness(HOT)
    light.hear(warm(mdegc))
    assert light.level(0) == level


def test_a_thermometer_that_fails_or_falls_silent_or_never_spoke_leaves_half_the_light() -> None:
    light = Brightness(HOT)
    half = level_of(500_000)
    assert light.level(0) == half
    light.hear(warm(20_000, 7))
    assert (light.level(7), light.wake_ns) == (16, 7 + SILENT_NS)
    assert light.level(6 + SILENT_NS) == 16
    assert light.level(7 + SILENT_NS) == half
    light.hear(warm(20_000, 8 + SILENT_NS))
    assert light.level(8 + SILENT_NS) == 16
    light.hear(DeviceHealth(9 + SILENT_NS, "other", False))
    assert light.level(9 + SILENT_NS) == 16
    light.hear(DeviceHealth(9 + SILENT_NS, "inside", False))
    assert light.level(9 + SILENT_NS) == half


def test_somebody_elses_temperature_and_none_at_all_are_left_alone() -> None:
    light = Brightness(HOT)
    light.hear(warm(20_000))
    light.hear(Climate(0, "outside", 99_000))
    light.hear(Climate(0, "inside", None, 423))
    assert light.level(0) == 16


def test_a_temperature_that_trembles_does_not_make_the_picture_flicker() -> None:
    light = Brightness(HOT)
    light.hear(warm(67_000))
    level = light.level(0)
    for mdegc in (67_000 + HYSTERESIS_MDEGC - 1, 67_000 - HYSTERESIS_MDEGC + 1):
        light.hear(warm(mdegc))
        assert light.level(0) == level
    light.hear(warm(70_000))
    assert light.level(0) < level


_values = st.one_of(
    st.builds(warm, st.integers(0, 100_000)),
    st.builds(lambda ok: DeviceHealth(0, "inside", ok), st.booleans()),
    st.builds(lambda s, ok: WallTime(0, "clock", s * NS_PER_S, ok), st.integers(0, 4 * 10**9), st.booleans()),
)


@given(st.lists(_values, max_size=6), st.lists(st.integers(0, 10**15), max_size=6))
@settings(max_examples=60)
def test_a_restored_one_goes_on_as_the_first_and_no_level_changes_before_its_wake(
    values: list[Quantity], moments: list[int]
) -> None:
    light, again = Brightness(HOT), Brightness(HOT)
    for value in values:
        light.hear(value)
    for now_ns in sorted(moments):
        level, wake_ns = light.level(now_ns), light.wake_ns
        again.restore(json.loads(json.dumps(light.snapshot())))
        assert (again.level(now_ns), again.wake_ns) == (level, wake_ns)
        assert 0 <= level <= FULL_LEVEL
        between_ns = (now_ns + min(wake_ns, now_ns + 10**15)) // 2
        assert light.level(between_ns) == level
