"""Dark or not by a lux sensor: thresholds to the thousandth, the time to settle to the nanosecond, its own doubt."""

from __future__ import annotations

import pytest

from controllers.core.calendar_rules import Hours
from controllers.core.dusk import SETTLE_NS, TWILIGHT_NS, Dusk
from controllers.core.failsafe_lamps import LampGate
from drivers.quantities import DeviceHealth, Illuminance, LampStatus, WallTime
from drivers.units import FOREVER_NS, NS_PER_S

DARK, BRIGHT = 10_000, 30_000


def reading(mlux: int, t_ns: int = 0) -> Illuminance:
    return Illuminance(t_ns, "lux", mlux)


def dusk(first: int | None = None, night: bool | None = None) -> Dusk:
    made = Dusk("lux", DARK, BRIGHT)
    if first is not None:
        made.read(reading(first), night)
    return made


def test_at_first_it_says_nothing_trims_nothing_and_doubts_nothing() -> None:
    made = dusk()
    assert made.says_dark is None
    assert made.doubted is False
    assert made.trims is False
    assert made.snapshot() == [None, -1, False]


@pytest.mark.parametrize(
    ("mlux", "dark"), [(0, True), (DARK, True), (BRIGHT - 1, True), (BRIGHT, False), (10**8, False)]
)
def test_the_first_reading_counts_at_once_and_between_the_thresholds_it_is_dark(mlux: int, dark: bool) -> None:
    made = dusk()
    assert made.read(reading(mlux), None) is True
    assert made.says_dark is dark


@pytest.mark.parametrize(("mlux", "turns"), [(DARK, True), (DARK + 1, False)])
def test_bright_turns_dark_at_its_threshold(mlux: int, turns: bool) -> None:
    made = dusk(BRIGHT)
    made.read(reading(mlux, 5), None)
    assert made.read(reading(mlux, 5 + SETTLE_NS), None) is turns
    assert made.says_dark is turns


@pytest.mark.parametrize(("mlux", "turns"), [(BRIGHT, True), (BRIGHT - 1, False)])
def test_dark_turns_bright_at_its_threshold(mlux: int, turns: bool) -> None:
    made = dusk(DARK)
    made.read(reading(mlux, 5), None)
    assert made.read(reading(mlux, 5 + SETTLE_NS), None) is turns
    assert made.says_dark is not turns


def test_the_other_side_has_to_be_held_to_the_nanosecond() -> None:
    made = dusk(BRIGHT)
    assert not made.read(reading(0, 0), None), "since the very first moment"
    assert not made.read(reading(0, SETTLE_NS - 1), None)
    assert made.read(reading(0, SETTLE_NS), None)
    assert not made.read(reading(10**6, SETTLE_NS + 1), None), "and back takes as long again"
    assert not made.read(reading(10**6, 2 * SETTLE_NS), None)
    assert made.read(reading(10**6, 2 * SETTLE_NS + 1), None)


def test_one_reading_between_begins_the_wait_anew() -> None:
    made = dusk(BRIGHT)
    made.read(reading(0, 10), None)
    made.read(reading(DARK + 1, 20), None)
    made.read(reading(0, 30), None)
    assert not made.read(reading(0, 29 + SETTLE_NS), None)
    assert made.read(reading(0, 30 + SETTLE_NS), None)


@pytest.mark.parametrize(("mlux", "night"), [(0, False), (10**6, True)])
def test_what_contradicts_the_sun_is_doubted_until_it_agrees(mlux: int, night: bool) -> None:
    made = dusk(mlux, night)
    assert made.doubted
    assert made.says_dark is None
    made.read(reading(mlux, 1), None)
    assert made.doubted, "twilight tells nothing"
    other = 10**6 - mlux
    made.read(reading(other, 2), None)
    assert made.read(reading(other, 2 + SETTLE_NS), night)
    assert not made.doubted
    assert made.says_dark is night


@pytest.mark.parametrize(("mlux", "night"), [(0, True), (10**6, False), (0, None), (10**6, None)])
def test_what_agrees_with_the_sun_is_not(mlux: int, night: bool | None) -> None:
    assert not dusk(mlux, night).doubted


def test_one_that_is_lost_says_nothing_and_the_wait_is_forgotten() -> None:
    made = dusk(BRIGHT)
    made.read(reading(0, 10), None)
    assert made.lost() is True
    assert made.says_dark is None
    assert made.snapshot() == [None, -1, False]
    assert made.lost() is False, "it has said nothing since"
    made.read(reading(BRIGHT, 20), None)
    made.read(reading(0, 30), None)
    assert not made.read(reading(0, 11 + SETTLE_NS), None)


def test_another_time_to_settle() -> None:
    made = Dusk("lux", DARK, BRIGHT, trims=True, settle_ns=7)
    made.read(reading(BRIGHT), None)
    made.read(reading(0, 1), None)
    assert made.read(reading(0, 8), None)
    assert made.trims


# --- how near to sunset and sunrise the sun leaves doubt

SUNSET_NS, SUNRISE_NS = 100_000 * NS_PER_S, 140_000 * NS_PER_S


class Sun:
    """Up, down from SUNSET_NS to SUNRISE_NS, up; always lit."""

    def hours_at(self, utc_ns: int) -> Hours:
        return Hours("lit")

    def next_change_ns(self, utc_ns: int) -> int:
        return FOREVER_NS

    def sun_up_at(self, utc_ns: int) -> bool:
        return not SUNSET_NS <= utc_ns < SUNRISE_NS


def doubted(utc_ns: int, mlux: int) -> bool:
    """Whether a gate doubts such a reading then; the reading comes 5 s after the wall time was said."""
    made = dusk()
    gate = LampGate({"lamp": 0}, {}, Sun(), base_level=170, full_level=254, dusk=made)
    t_ns = 5 * NS_PER_S
    gate.step((), (WallTime(0, "wall", utc_ns - t_ns, True), LampStatus(0, "lamp", 170)), 0)
    gate.step((), (reading(mlux, t_ns),), t_ns + 1)
    return made.doubted


@pytest.mark.parametrize(
    ("utc_ns", "night"),
    [
        (SUNSET_NS - TWILIGHT_NS - 1, False),
        (SUNSET_NS - TWILIGHT_NS, None),
        (SUNSET_NS, None),
        (SUNSET_NS + TWILIGHT_NS - 1, None),
        (SUNSET_NS + TWILIGHT_NS, True),
        (SUNRISE_NS - TWILIGHT_NS - 1, True),
        (SUNRISE_NS - TWILIGHT_NS, None),
        (SUNRISE_NS + TWILIGHT_NS - 1, None),
        (SUNRISE_NS + TWILIGHT_NS, False),
    ],
)
def test_the_sun_leaves_doubt_for_an_hour_to_both_sides(utc_ns: int, night: bool | None) -> None:
    assert doubted(utc_ns, 0) is (night is False)
    assert doubted(utc_ns, 10**6) is (night is True)


def test_health_and_readings_that_change_nothing_are_no_change_for_the_lamps() -> None:
    made = dusk()
    gate = LampGate({"lamp": 0}, {"lux": (0, 0)}, Sun(), base_level=170, full_level=254, dusk=made)
    gate.step((), (WallTime(0, "wall", SUNSET_NS, True), LampStatus(0, "lamp", 170), reading(0)), 0)
    before = gate.snapshot()
    assert list(gate.step((), (DeviceHealth(1, "lux", True), reading(1, 1)), 1)) == []
    assert gate.snapshot() == before
    assert list(gate.step((), (DeviceHealth(2, "lux", False, "lost"),), 2)) == [], "a lux sensor has no zone"
