"""What lamps are told when their controller stops cleanly: the row of the doubt table, column by column."""

from __future__ import annotations

import pytest

from controllers.core.calendar_rules import OFF, Hours
from controllers.core.contract import LampLevel
from controllers.core.failsafe_lamps import LampGate
from drivers.quantities import DeviceHealth, LampStatus, WallTime
from drivers.units import FOREVER_NS, NS_PER_S

BASE, FULL = 170, 254
LAMPS = {"lamp-1": 0, "lamp-2": 32_000}


class LitUntil:
    """Lit before `edge_ns` (UTC), then not."""

    def __init__(self, edge_ns: int) -> None:
        self.edge_ns = edge_ns

    def hours_at(self, utc_ns: int) -> Hours:
        return Hours("lit") if utc_ns < self.edge_ns else OFF

    def next_change_ns(self, utc_ns: int) -> int:
        return self.edge_ns if utc_ns < self.edge_ns else FOREVER_NS

    def sun_up_at(self, utc_ns: int) -> bool:
        return utc_ns >= self.edge_ns


def gate_at_work(edge_ns: int, synchronised: bool = True) -> LampGate:
    """A gate whose lamps have answered and of which one is full for a rider."""
    gate = LampGate(LAMPS, {"radar-1": (0, 40_000)}, LitUntil(edge_ns), base_level=BASE, full_level=FULL)
    found = [LampStatus(0, lamp, BASE) for lamp in LAMPS]
    gate.step([LampLevel("lamp-2", FULL)], [WallTime(0, "wall", 0, synchronised), *found], 0)
    return gate


def every_lamp(level: int) -> list[LampLevel]:
    return [LampLevel(lamp, level) for lamp in LAMPS]


def test_in_lit_hours_every_lamp_is_left_at_base_even_under_a_rider() -> None:
    assert gate_at_work(FOREVER_NS).stopping(NS_PER_S) == every_lamp(BASE)


def test_in_lit_hours_a_doubt_does_not_leave_its_zone_full_for_ever() -> None:
    gate = gate_at_work(FOREVER_NS)
    assert LampLevel("lamp-1", FULL) in gate.step([], [DeviceHealth(1, "radar-1", False, "no frame")], 1)
    assert gate.stopping(NS_PER_S) == every_lamp(BASE)


def test_where_the_calendar_says_off_every_lamp_is_left_off() -> None:
    assert gate_at_work(0).stopping(NS_PER_S) == every_lamp(0)


def test_an_edge_of_the_calendar_that_no_tick_has_seen_yet_counts() -> None:
    assert gate_at_work(NS_PER_S).stopping(NS_PER_S - 1) == every_lamp(BASE)
    assert gate_at_work(NS_PER_S).stopping(NS_PER_S) == every_lamp(0)


@pytest.mark.parametrize("edge_ns", [0, FOREVER_NS])
def test_with_the_wall_time_unknown_every_lamp_is_left_at_base(edge_ns: int) -> None:
    assert gate_at_work(edge_ns, synchronised=False).stopping(NS_PER_S) == every_lamp(BASE)


def test_lamps_that_have_not_answered_yet_are_told_as_well() -> None:
    gate = LampGate(LAMPS, {}, LitUntil(FOREVER_NS), base_level=BASE, full_level=FULL)
    gate.step([], [WallTime(0, "wall", 0, True)], 0)
    assert gate.stopping(1) == every_lamp(BASE)


def test_a_gate_that_never_stepped_leaves_every_lamp_at_base() -> None:
    gate = LampGate(LAMPS, {}, LitUntil(0), base_level=BASE, full_level=FULL)
    assert gate.stopping(0) == every_lamp(BASE)


def test_the_gate_knows_what_it_has_ordered_and_says_it_in_its_snapshot() -> None:
    gate = gate_at_work(FOREVER_NS)
    gate.stopping(NS_PER_S)
    assert gate.snapshot()["passed"] == dict.fromkeys(LAMPS, BASE)
    assert gate.step([LampLevel("lamp-1", BASE)], [], NS_PER_S) == []
