"""What must hold at every tick: each invariant is broken on purpose once, and holds where it should."""

from __future__ import annotations

import pytest

from controllers.core.calendar_rules import OFF, Hours
from controllers.core.contract import Command, LampLevel
from controllers.core.invariants import FRESH_NS, KINDS, KNOWN_NS, SINK_NS, Invariants
from drivers.quantities import DeviceHealth, LampStatus, Message, Quantity, WallTime
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

BASE, FULL = 170, 254
FADE_NS = NS_PER_S
LAMPS = {"lamp-1": 0, "lamp-2": 32_000, "lamp-3": 64_000}
NIGHT_NS = 100 * NS_PER_S
"""Until then it is lit, afterwards not (UTC is the monotonic time here)."""


class Calendar:
    def __init__(self, hours: Hours = Hours("lit"), until_ns: int = FOREVER_NS) -> None:  # noqa: B008
        self.hours, self.until_ns = hours, until_ns

    def hours_at(self, utc_ns: int) -> Hours:
        return self.hours if utc_ns < self.until_ns else OFF

    def next_change_ns(self, utc_ns: int) -> int:
        return self.until_ns if utc_ns < self.until_ns else FOREVER_NS

    def sun_up_at(self, utc_ns: int) -> bool:
        return False


class Path:
    """A lit path whose lamps were found at base, and what rides there."""

    def __init__(self, calendar: Calendar | None = None) -> None:
        self.riders: list[tuple[int, int, int]] = []
        self.lit = True
        self.asked = 0
        self.watch = Invariants(
            LAMPS,
            {"radar-1": (0, 40_000)},
            calendar or Calendar(),
            full_level=FULL,
            fade_ns=FADE_NS,
            riders=self._riders,
            lit=lambda: self.lit,
        )
        self.see(0, WallTime(0, "wall", 0, True), *[LampStatus(0, lamp, BASE) for lamp in LAMPS])

    def _riders(self, now_ns: int) -> list[tuple[int, int, int]]:
        self.asked += 1
        return self.riders

    def see(self, at_ns: int, *inputs: Quantity, told: dict[str, int] | None = None) -> dict[str, int]:
        """A tick at `at_ns`; what is broken so far."""
        allowed: list[Command] = [LampLevel(lamp, level) for lamp, level in (told or {}).items()]
        self.watch.observe(0, at_ns, inputs, (), allowed)
        return {kind: count for kind, count in self.watch.broken.items() if count}


def test_a_quiet_night_breaks_nothing_and_says_so() -> None:
    path = Path()
    for second in range(60):
        assert path.see(second * NS_PER_S) == {}
    assert path.watch.figures() == {**dict.fromkeys(KINDS, 0), "last": ""}


# --- no tracked rider under a lamp below full


def ride(path: Path, at_s: float, x_mm: int, *, age_ns: int = 0, number: int = 7) -> dict[str, int]:
    at_ns = round(at_s * NS_PER_S)
    path.riders = [(number, x_mm, at_ns - age_ns)]
    return path.see(at_ns)


def test_somebody_tracked_for_three_seconds_under_a_lamp_at_base_is_a_break() -> None:
    path = Path()
    assert ride(path, 10, 30_000) == {}
    assert ride(path, 10 + (KNOWN_NS + FADE_NS) / NS_PER_S - 0.1, 32_000) == {}
    assert ride(path, 10 + (KNOWN_NS + FADE_NS) / NS_PER_S, 32_000) == {"below_full": 1}
    assert path.watch.last == "below_full: lamp-2 shows 170 over somebody"
    assert ride(path, 14, 33_000) == {"below_full": 1}, "the same break"
    assert ride(path, 16, 64_000) == {"below_full": 2}, "the next lamp"


def test_a_break_that_has_ended_may_come_again() -> None:
    path = Path()
    ride(path, 10, 32_000)
    assert ride(path, 14, 32_000) == {"below_full": 1}
    path.see(15 * NS_PER_S, told={"lamp-2": FULL})
    assert ride(path, 17, 32_000) == {"below_full": 1}
    path.see(round(17.5 * NS_PER_S), told={"lamp-2": FULL - 10})
    assert ride(path, 19, 32_000) == {"below_full": 2}


def test_a_lamp_still_rising_over_somebody_is_below_full() -> None:
    path = Path()
    ride(path, 10, 32_000)
    path.see(round(13.2 * NS_PER_S), told={"lamp-2": FULL})
    assert ride(path, 13.5, 32_000) == {"below_full": 1}
    path = Path()
    ride(path, 10, 32_000)
    path.see(round(11.9 * NS_PER_S), told={"lamp-2": FULL})
    assert ride(path, 13.5, 32_000) == {}


@pytest.mark.parametrize(
    "excuse",
    [
        DeviceHealth(0, "radar-1", False, "no frame"),
        LampStatus(0, "lamp-2", None, "lamp failure"),
        Message(
            10 * NS_PER_S, "commissioning", {"kind": "override", "lamps": ["lamp-2"], "level": 3, "for_ms": 60_000}
        ),
    ],
)
def test_a_blind_zone_a_dark_lamp_and_an_order_are_no_break(excuse: Quantity) -> None:
    path = Path()
    ride(path, 10, 32_000)
    path.see(11 * NS_PER_S, excuse)
    assert ride(path, 14, 32_000) == {}


def test_whoever_is_not_measured_any_more_may_be_elsewhere() -> None:
    path = Path()
    ride(path, 10, 32_000)
    assert ride(path, 14, 32_000, age_ns=FRESH_NS + 1) == {}
    assert ride(path, 14.1, 32_000, age_ns=FRESH_NS) == {"below_full": 1}


def test_between_lamps_nobody_is_under_one() -> None:
    path = Path()
    ride(path, 10, 100_000)
    assert ride(path, 14, 64_000 + 16_001) == {}
    assert ride(path, 14.1, 64_000 + 16_000) == {"below_full": 1}


def test_nobody_is_looked_for_by_day_nor_where_lux_says_bright_nor_with_an_unknown_wall_time() -> None:
    by_day, bright, unknown = Path(Calendar(OFF)), Path(), Path()
    bright.lit = False
    unknown.see(9 * NS_PER_S, WallTime(9 * NS_PER_S, "wall", 0, False))
    for path in (by_day, bright, unknown):
        path.asked = 0
        ride(path, 10, 32_000)
        assert "below_full" not in ride(path, 14, 32_000)
        assert path.asked == 0


def test_hours_with_less_than_full_light_ask_for_no_more() -> None:
    path = Path(Calendar(Hours("lit", None, 10.0)))
    ride(path, 10, 32_000)
    assert ride(path, 14, 32_000) == {}


# --- no ramp too fast


def test_from_full_to_base_at_a_stroke_is_too_fast_and_in_steps_of_a_second_is_not() -> None:
    path = Path()
    path.see(1 * NS_PER_S, told={"lamp-1": FULL})
    assert path.see(5 * NS_PER_S, told={"lamp-1": BASE}) == {"too_fast": 1}
    assert path.watch.last == "too_fast: lamp-1 was told 170, 84 levels down in a second"
    path = Path()
    path.see(1 * NS_PER_S, told={"lamp-1": FULL})
    for n, level in enumerate((FULL - 34, FULL - 68, BASE)):
        assert path.see((5 + n) * NS_PER_S, told={"lamp-1": level}) == {}


def test_small_steps_that_follow_too_closely_are_too_fast_together() -> None:
    path = Path()
    path.see(1 * NS_PER_S, told={"lamp-1": FULL})
    for n in range(8):
        broken = path.see(5 * NS_PER_S + n * 100 * NS_PER_MS, told={"lamp-1": FULL - 12 * (n + 1)})
    assert broken == {"too_fast": 1}


def test_rising_at_once_and_the_first_word_to_a_lamp_nobody_knows_are_fine() -> None:
    path = Path()
    assert path.see(1 * NS_PER_S, told={"lamp-1": FULL}) == {}
    watch = Invariants(LAMPS, {}, Calendar(), full_level=FULL, fade_ns=0, riders=lambda _: (), lit=lambda: True)
    watch.observe(0, 0, (), (), (LampLevel("lamp-1", 0),))
    assert not any(watch.broken.values())


# --- no lamp beyond its limits


@pytest.mark.parametrize(("level", "broken"), [(-1, 1), (0, 0), (FULL, 0), (FULL + 1, 1)])
def test_a_level_beyond_the_limits_is_a_break(level: int, broken: int) -> None:
    path = Path()
    path.see(0, told={"lamp-1": level})
    assert path.watch.broken["beyond_limits"] == broken


# --- nothing lit when the calendar says off


def test_what_burns_so_long_after_the_end_of_lit_hours_is_a_break() -> None:
    path = Path(Calendar(until_ns=NIGHT_NS))
    assert path.see(NIGHT_NS) == {}
    path.see(NIGHT_NS + 1, told={"lamp-1": 136, "lamp-2": 102})
    path.see(NIGHT_NS + NS_PER_S, told={"lamp-2": 0})
    path.watch.broken["too_fast"] = 0
    assert path.see(NIGHT_NS + SINK_NS + FADE_NS - 1) == {}
    assert path.see(NIGHT_NS + SINK_NS + FADE_NS + 1) == {"lit_when_off": 2}
    assert path.watch.last == "lit_when_off: lamp-3 stands at 170 while the calendar says off"


def test_what_somebody_orders_by_day_is_no_break_and_may_sink_when_its_time_is_over() -> None:
    path = Path(Calendar(until_ns=NIGHT_NS))
    for n in range(1, 6):
        path.see(NIGHT_NS + n * NS_PER_S, told=dict.fromkeys(LAMPS, BASE - 34 * n))
    noon_ns = NIGHT_NS + 1000 * NS_PER_S
    body: dict[str, object] = {"kind": "override", "lamps": ["lamp-1"], "level": FULL, "for_ms": 60_000}
    path.see(noon_ns, Message(noon_ns, "commissioning", body), told={"lamp-1": FULL})
    assert path.see(noon_ns + 59 * NS_PER_S) == {}
    over_ns = noon_ns + 60 * NS_PER_S
    assert path.see(over_ns, told={"lamp-1": FULL - 34}) == {}
    assert path.see(over_ns + SINK_NS - 1) == {}
    assert path.see(over_ns + SINK_NS + 1) == {"lit_when_off": 1}


def test_a_lamp_found_burning_by_day_has_time_to_sink() -> None:
    path = Path(Calendar(OFF))
    assert path.see(SINK_NS) == {}
    assert path.see(SINK_NS + FADE_NS) == {"lit_when_off": 3}


def test_a_break_ends_when_the_rider_has_gone_and_the_next_rider_has_the_same_time() -> None:
    path = Path()
    ride(path, 10, 32_000)
    assert ride(path, 14, 32_000) == {"below_full": 1}
    path.riders = []
    path.see(15 * NS_PER_S)
    assert ride(path, 16, 32_000) == {"below_full": 1}
    assert ride(path, 18.9, 32_000) == {"below_full": 1}
    assert ride(path, 19, 32_000) == {"below_full": 2}


def test_when_lit_hours_begin_lamps_have_time_to_rise_and_wall_time_said_again_begins_nothing() -> None:
    path = Path()
    ride(path, 1, 32_000)
    path.see(2 * NS_PER_S, WallTime(2 * NS_PER_S, "wall", 2 * NS_PER_S, True))
    assert ride(path, 2.9, 32_000) == {}
    assert ride(path, 4, 32_000) == {"below_full": 1}
    fresh = Path()
    assert ride(fresh, 0.5, 32_000) == {}
    assert ride(fresh, 2.9, 32_000) == {}
