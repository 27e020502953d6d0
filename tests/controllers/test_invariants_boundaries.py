"""What must hold at every tick, at its bounds: the last millisecond, millimetre and level that is no break yet."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from controllers.core.calendar_rules import OFF, Hours
from controllers.core.contract import LampLevel
from controllers.core.invariants import KNOWN_NS, SINK_NS, Invariants
from controllers.core.lamp_slope import DROP_LEVELS, DROP_NS
from drivers.quantities import DeviceHealth, Illuminance, LampStatus, Message, Quantity, WallTime
from drivers.units import FOREVER_NS, NS_PER_S

BASE, FULL = 170, 254
FADE_NS = NS_PER_S
LAMPS = {"lamp-1": 100_000, "lamp-2": 133_001, "lamp-3": 170_000}
TIME_NS = KNOWN_NS + FADE_NS
"""So long somebody may be under a lamp below full."""


class Calendar:
    """One kind of hours until a moment of UTC, another from then on."""

    def __init__(self, first: Hours, until_ns: int = FOREVER_NS, then: Hours = OFF) -> None:
        self.first, self.until_ns, self.then = first, until_ns, then

    def hours_at(self, utc_ns: int) -> Hours:
        return self.first if utc_ns < self.until_ns else self.then

    def next_change_ns(self, utc_ns: int) -> int:
        return self.until_ns if utc_ns < self.until_ns else FOREVER_NS

    def sun_up_at(self, utc_ns: int) -> bool:
        return False


LIT = Calendar(Hours("lit"))


class Path:
    """Lamps at base, and who is tracked: places in mm of riders 1, 2, … measured just now."""

    def __init__(
        self, calendar: Calendar = LIT, lamps: dict[str, int] = LAMPS, fade_ns: int = FADE_NS, wall_ns: int | None = 0
    ) -> None:
        self.at_mm: Sequence[int] = ()
        self.watch = Invariants(
            lamps,
            {"radar-1": (LAMPS["lamp-1"], LAMPS["lamp-2"])},
            calendar,
            full_level=FULL,
            fade_ns=fade_ns,
            riders=lambda now_ns: [(n, x_mm, now_ns) for n, x_mm in enumerate(self.at_mm, 1)],
            lit=lambda: True,
        )
        self.see(0, *[LampStatus(0, lamp, BASE) for lamp in lamps])
        if wall_ns is not None:
            self.see(0, WallTime(0, "wall", wall_ns, True))

    def see(self, at_ns: int, *inputs: Quantity, told: dict[str, int] | None = None) -> dict[str, int]:
        """A tick; what is broken so far."""
        self.watch.observe(0, at_ns, inputs, (), [LampLevel(lamp, level) for lamp, level in (told or {}).items()])
        return {kind: count for kind, count in self.watch.broken.items() if count}

    def ride(self, at_ns: int, *at_mm: int) -> dict[str, int]:
        self.at_mm = at_mm
        return self.see(at_ns)


def order(at_ns: int, level: int | None, *lamps: str, for_ms: int = 60_000) -> Message:
    body = {"kind": "override", "lamps": list(lamps), "level": level}
    return Message(at_ns, "commissioning", body if level is None else {**body, "for_ms": for_ms})


# --- riders


@pytest.mark.parametrize(
    ("x_mm", "broken"), [(83_500, 1), (83_499, 0), (149_501, 1), (149_502, 0), (186_500, 1), (186_501, 0)]
)
def test_under_a_lamp_is_half_the_least_distance_between_two_to_either_side(x_mm: int, broken: int) -> None:
    path = Path()
    path.ride(10 * NS_PER_S, x_mm)
    assert path.ride(10 * NS_PER_S + TIME_NS, x_mm).get("below_full", 0) == broken


def test_a_lamp_that_stands_alone_is_over_who_is_at_its_place() -> None:
    path = Path(lamps={"lamp-1": 5_000})
    path.ride(10 * NS_PER_S, 5_001)
    assert path.ride(10 * NS_PER_S + TIME_NS, 5_001) == {}
    assert path.ride(11 * NS_PER_S + TIME_NS, 5_000) == {"below_full": 1}


def test_two_riders_under_two_dark_lamps_are_two_breaks() -> None:
    path = Path()
    path.ride(10 * NS_PER_S, *LAMPS.values())
    assert path.ride(10 * NS_PER_S + TIME_NS, *LAMPS.values()) == {"below_full": 3}


def test_who_turns_round_and_is_in_the_dark_again_is_another_break() -> None:
    path = Path()
    path.ride(10 * NS_PER_S, LAMPS["lamp-2"])
    assert path.ride(14 * NS_PER_S, LAMPS["lamp-2"]) == {"below_full": 1}
    assert path.ride(20 * NS_PER_S, 150_000) == {"below_full": 1}
    assert path.ride(26 * NS_PER_S, LAMPS["lamp-2"]) == {"below_full": 2}


def test_when_hours_ask_for_more_light_lamps_have_time_to_rise_over_who_is_there_already() -> None:
    until_ns = 60 * NS_PER_S
    path = Path(Calendar(Hours("lit", None, 10.0), until_ns, Hours("lit")))
    for second in range(30, 61):
        assert path.ride(second * NS_PER_S, LAMPS["lamp-2"]) == {}
    assert path.ride(until_ns + TIME_NS - 1, LAMPS["lamp-2"]) == {}
    assert path.ride(until_ns + TIME_NS, LAMPS["lamp-2"]) == {"below_full": 1}


def test_hours_of_half_the_light_are_not_kept_by_a_lamp_at_base() -> None:
    path = Path(Calendar(Hours("lit", None, 50.0)))
    path.ride(10 * NS_PER_S, LAMPS["lamp-2"])
    assert path.ride(14 * NS_PER_S, LAMPS["lamp-2"]) == {"below_full": 1}


@pytest.mark.parametrize(("lamp", "broken"), [("lamp-1", {}), ("lamp-2", {}), ("lamp-3", {"below_full": 1})])
def test_the_zone_of_an_ill_radar_ends_with_its_first_and_last_lamp(lamp: str, broken: dict[str, int]) -> None:
    path = Path()
    path.see(9 * NS_PER_S, DeviceHealth(9 * NS_PER_S, "radar-1", False, "no frame"))
    path.ride(10 * NS_PER_S, LAMPS[lamp])
    assert path.ride(14 * NS_PER_S, LAMPS[lamp]) == broken


def test_a_radar_that_is_well_again_and_a_lamp_mended_excuse_nothing_any_more() -> None:
    path = Path()
    path.see(1 * NS_PER_S, DeviceHealth(1 * NS_PER_S, "radar-1", False, "no frame"))
    path.see(2 * NS_PER_S, DeviceHealth(2 * NS_PER_S, "radar-1", True, ""))
    path.see(3 * NS_PER_S, LampStatus(3 * NS_PER_S, "lamp-2", None, "lamp failure"))
    path.see(4 * NS_PER_S, LampStatus(4 * NS_PER_S, "lamp-2", BASE))
    path.ride(10 * NS_PER_S, LAMPS["lamp-2"])
    assert path.ride(14 * NS_PER_S, LAMPS["lamp-2"]) == {"below_full": 1}


def test_a_lamp_that_nobody_knows_anything_of_is_not_blamed() -> None:
    path = Path(lamps={**LAMPS})
    watch = Invariants(
        LAMPS, {}, LIT, full_level=FULL, fade_ns=0, riders=lambda now_ns: [(1, 100_000, now_ns)], lit=lambda: True
    )
    for second in range(10):
        watch.observe(0, second * NS_PER_S, (WallTime(second * NS_PER_S, "wall", 0, True),), (), ())
    assert not any(watch.broken.values())
    path.ride(10 * NS_PER_S, 100_000)
    assert path.ride(14 * NS_PER_S, 100_000) == {"below_full": 1}


# --- what comes in


def test_a_lamp_of_somebody_else_and_other_readings_of_an_own_one_say_nothing() -> None:
    path = Path()
    assert path.see(1 * NS_PER_S, LampStatus(1 * NS_PER_S, "lamp-9", FULL, "lamp failure")) == {}
    assert path.see(2 * NS_PER_S, Illuminance(2 * NS_PER_S, "lamp-1", 8_300)) == {}


def test_hours_are_those_of_the_wall_clock_however_long_the_machine_has_run() -> None:
    night_ends_ns, now_ns = 90 * NS_PER_S, 50 * NS_PER_S
    path = Path(Calendar(Hours("lit"), night_ends_ns), wall_ns=None)
    path.see(now_ns, WallTime(now_ns, "wall", 60 * NS_PER_S, True))
    off_ns = now_ns + 30 * NS_PER_S
    assert path.see(off_ns - 1) == {}
    assert path.see(off_ns) == {}
    assert path.see(off_ns + SINK_NS + FADE_NS - 1) == {}
    assert path.see(off_ns + SINK_NS + FADE_NS) == {"lit_when_off": 3}


def test_a_clock_set_anew_in_the_night_is_believed_at_once() -> None:
    path = Path(Calendar(Hours("lit"), 1_000 * NS_PER_S))
    path.see(10 * NS_PER_S, WallTime(10 * NS_PER_S, "wall", 2_000 * NS_PER_S, True))
    assert path.see(10 * NS_PER_S + SINK_NS + FADE_NS) == {"lit_when_off": 3}


# --- ramps


def told_at(*levels: tuple[int, int]) -> int:
    """So often a lamp without a fade sinks too fast that is told levels at times in ns."""
    path = Path(fade_ns=0)
    for at_ns, level in levels:
        path.see(at_ns, told={"lamp-1": level})
    return path.watch.broken["too_fast"]


def test_in_a_second_a_lamp_may_sink_two_steps_and_not_a_level_more() -> None:
    low = FULL - 2 * DROP_LEVELS
    assert told_at((0, FULL), (5 * NS_PER_S, low)) == 0
    assert told_at((0, FULL), (5 * NS_PER_S, low - 1)) == 1


def test_a_second_is_a_second_with_both_its_ends() -> None:
    half, low = FULL - DROP_LEVELS, FULL - 2 * DROP_LEVELS - 1
    assert told_at((0, FULL), (5 * NS_PER_S, half), (5 * NS_PER_S + DROP_NS, low)) == 1
    assert told_at((0, FULL), (5 * NS_PER_S, half), (5 * NS_PER_S + DROP_NS + 1, low)) == 0


def test_what_was_shown_within_the_second_counts_though_the_lamp_is_lower_by_now() -> None:
    steps = [(5 * NS_PER_S + n * NS_PER_S // 5, FULL - 24 * (n + 1)) for n in range(4)]
    assert told_at((0, FULL), *steps) == 1


def test_the_books_are_of_what_was_told_and_a_lamp_that_says_otherwise_later_excuses_no_step() -> None:
    path = Path()
    path.see(NS_PER_S, told={"lamp-1": FULL})
    path.see(5 * NS_PER_S, LampStatus(5 * NS_PER_S, "lamp-1", BASE))
    assert path.see(6 * NS_PER_S, told={"lamp-1": BASE}) == {"too_fast": 1}


# --- limits


def test_a_level_beyond_the_limits_is_said_with_its_lamp_and_each_lamp_is_a_break() -> None:
    path = Path()
    assert path.see(NS_PER_S, told={"lamp-1": FULL + 1}) == {"beyond_limits": 1}
    assert path.watch.figures()["last"] == "beyond_limits: lamp-1 was told 255"
    assert path.see(NS_PER_S, told={"lamp-2": FULL + 1}) == {"beyond_limits": 2}


# --- off


def test_a_lamp_at_the_lowest_level_is_lit_too() -> None:
    path = Path(Calendar(OFF))
    path.see(NS_PER_S, told={"lamp-1": 1, "lamp-2": 0, "lamp-3": 0})
    path.watch.broken["too_fast"] = 0
    assert path.see(2 * SINK_NS) == {"lit_when_off": 1}


def at_noon() -> tuple[Path, int]:
    """All lamps off since long, and what time it is."""
    path = Path(Calendar(OFF))
    path.see(NS_PER_S, told=dict.fromkeys(LAMPS, 0))
    path.watch.broken["too_fast"] = 0
    return path, 1_000 * NS_PER_S


def test_from_the_end_of_an_order_on_a_lamp_that_is_not_told_to_sink_is_a_break() -> None:
    path, noon_ns = at_noon()
    path.see(noon_ns, order(noon_ns, FULL, "lamp-1"), told={"lamp-1": FULL})
    assert path.see(noon_ns + 60 * NS_PER_S - 1) == {}
    assert path.see(noon_ns + 60 * NS_PER_S) == {"lit_when_off": 1}


def test_a_lamp_that_sinks_after_an_order_has_its_time_and_no_other_lamp_has() -> None:
    path, noon_ns = at_noon()
    path.see(noon_ns, order(noon_ns, FULL, *LAMPS), told=dict.fromkeys(LAMPS, FULL))
    over_ns = noon_ns + 60 * NS_PER_S
    assert path.see(over_ns, told={"lamp-1": FULL - DROP_LEVELS, "lamp-2": FULL - DROP_LEVELS}) == {"lit_when_off": 1}
    assert path.watch.last == "lit_when_off: lamp-3 stands at 254 while the calendar says off"
    assert path.see(over_ns + SINK_NS - 1) == {"lit_when_off": 1}
    assert path.see(over_ns + SINK_NS) == {"lit_when_off": 3}
