"""A tick grid whose phase moves: where places stand, that they are counted right, and that skipping stays exact."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.core.contract import Command, LampLevel
from controllers.core.scan_cycle import ScanCycle
from controllers.core.tick_grid import TickGrid
from drivers.quantities import DeviceHealth, Quantity
from drivers.units import FOREVER_NS, NS_PER_MS

P = 100 * NS_PER_MS


@pytest.mark.parametrize(
    ("phase", "after", "place"),
    [
        (0, -1, 0),
        (0, 0, 100),
        (0, 99, 100),
        (37, -1, 37),
        (37, 36, 37),
        (37, 37, 137),
        (37, 136, 137),
        (137, 0, 37),
        (-63, 0, 37),
    ],
)
def test_places_stand_at_the_phase(phase: int, after: int, place: int) -> None:
    assert TickGrid(100, phase).after_ns(after) == place


@pytest.mark.parametrize(
    ("at", "phase", "places"),
    [
        (1010, 40, [1140, 1240]),
        (1040, 10, [1110, 1210]),
        (1010, 60, [1160, 1260]),  # half a period, in one step
        (1010, 90, [1150, 1290]),  # more than half: in two
        (1090, 10, [1150, 1210]),  # never round the corner: 1110 would be the number of the place after
        (1000, 99, [1100, 1200]),  # a hair round the corner is the corner
        (1000, 94, [1100, 1200]),
        (1000, 93, [1146, 1293]),
        (1099, 3, [1199, 1299]),
        (1090, 5, [1199, 1299]),
        (1090, 6, [1148, 1206]),
    ],
)
def test_a_shift_takes_one_step_or_two_and_never_goes_round_the_corner(at: int, phase: int, places: list[int]) -> None:
    grid = TickGrid(100, at % 100)
    grid.shift(phase, at)
    first = grid.after_ns(at)
    assert [first, grid.after_ns(first)] == places


def test_the_newest_place_is_found_before_during_and_after_a_shift() -> None:
    grid = TickGrid(100, 10)
    grid.shift(90, 1010)  # 1150, 1290, 1390 …
    found = [grid.newest_ns(1150, now) for now in (1150, 1289, 1290, 1389, 1390, 2000)]
    assert found == [1150, 1150, 1290, 1290, 1390, 1990]


_grids = st.tuples(
    st.integers(2, 400), st.lists(st.tuples(st.integers(0, 4), st.integers(-500, 500)), min_size=1, max_size=12)
)


@settings(max_examples=300)
@given(_grids)
def test_numbers_rise_by_one_and_gaps_stay_between_a_half_and_one_and_a_half(
    drawn: tuple[int, list[tuple[int, int]]],
) -> None:
    period, shifts = drawn
    grid = TickGrid(period, shifts[0][1])
    place = grid.after_ns(1_000_000)
    places = [place]
    for wait, phase in shifts:
        for _ in range(wait):
            places.append(place := grid.after_ns(place))
        grid.shift(phase, place)
    for _ in range(3):
        places.append(place := grid.after_ns(place))
    assert all(later // period == sooner // period + 1 for sooner, later in pairwise(places))
    assert all(period <= 2 * (later - sooner) <= 3 * period for sooner, later in pairwise(places))
    off = abs(places[-1] % period - shifts[-1][1] % period)
    assert min(off, period - off) <= period // 16, "it ends where it was sent"
    assert places[-1] - places[-2] == period


@settings(max_examples=200)
@given(_grids, st.integers(0, 3000))
def test_the_newest_place_agrees_with_walking_along_the_places(
    drawn: tuple[int, list[tuple[int, int]]], ahead: int
) -> None:
    period, shifts = drawn
    grid = TickGrid(period, shifts[0][1])
    at = grid.after_ns(5000)
    grid.shift(shifts[-1][1], at)
    first = walked = grid.after_ns(at)
    while (following := grid.after_ns(walked)) <= first + ahead:
        walked = following
    assert grid.newest_ns(first, first + ahead) == walked


class Wanders:
    """A policy that moves its phase with every rider and at times of its own, and says at what tick it did."""

    def __init__(self, moves: Sequence[tuple[int, int]]) -> None:
        self.phase_ns = 0
        self._moves = list(moves)
        self.steps: list[tuple[int, int]] = []

    @property
    def wake_ns(self) -> int:
        return self._moves[0][0] if self._moves else FOREVER_NS

    def step(self, inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        if not inputs and now_ns < self.wake_ns:
            return ()
        for value in inputs:
            self.phase_ns = (self.phase_ns * 7 + value.t_ns) % P
        while self._moves and self._moves[0][0] <= now_ns:
            self.phase_ns = self._moves.pop(0)[1]
        self.steps.append((now_ns, self.phase_ns))
        return [LampLevel("lamp", now_ns // NS_PER_MS % 255)]

    def snapshot(self) -> dict[str, Any]:
        return {"phase_ns": self.phase_ns, "moves": self._moves}

    def restore(self, state: dict[str, Any]) -> None:
        self.phase_ns, self._moves = state["phase_ns"], [(at, to) for at, to in state["moves"]]


class Lamp:
    """Keeps what it is set to, and when."""

    def __init__(self) -> None:
        self.set: list[tuple[int, int]] = []

    def set_level(self, level: int, now_ns: int) -> None:
        self.set.append((now_ns, level))


def cycle_of(moves: Sequence[tuple[int, int]], always: bool = False) -> tuple[ScanCycle, Lamp, list[tuple[int, int]]]:
    gate: Any = SimpleNamespace(
        wake_ns=FOREVER_NS,
        step=lambda commands, inputs, now_ns: commands,
        snapshot=dict,
        restore=lambda state: None,
    )
    lamp: Any = Lamp()
    cycle = ScanCycle("test", P, Wanders(moves), gate, [], [], lamps={"lamp": lamp}, always_step=always)
    ticks: list[tuple[int, int]] = []
    cycle.observer = lambda tick, now_ns, *_: ticks.append((tick, now_ns))
    return cycle, lamp, ticks


def drive(cycle: ScanCycle, come_ns: Sequence[int], until_ns: int, ticked_ns: int = -1) -> list[int]:
    """What a bench does: the next of bytes and ticks, in order of time. Gives the times of all ticks."""
    come, times = sorted(come_ns), []
    after_ns = ticked_ns
    while True:
        due_ns = cycle.due_ns(max(ticked_ns, after_ns))
        if come and come[0] <= due_ns:
            t_ns = come.pop(0)
            cycle.inbox.append(DeviceHealth(t_ns, "radar", True))
            after_ns = t_ns - 1
            continue
        if due_ns >= until_ns:
            return times
        cycle.tick(due_ns)
        times.append(due_ns)
        ticked_ns = due_ns


_moves = st.lists(st.tuples(st.integers(0, 5_000 * NS_PER_MS), st.integers(0, P - 1)), max_size=8).map(sorted)
_comes = st.lists(st.integers(0, 5_000 * NS_PER_MS), max_size=12)


@settings(max_examples=150)
@given(_moves, _comes)
def test_skipping_and_ticking_give_the_same_under_a_moving_phase(moves: list[tuple[int, int]], come: list[int]) -> None:
    skipping, lamp, decided = cycle_of(moves)
    ticking, lamp_too, decided_too = cycle_of(moves, always=True)
    until_ns = 8_000 * NS_PER_MS
    few, all_ = drive(skipping, come, until_ns), drive(ticking, come, until_ns)
    assert lamp.set == lamp_too.set
    assert decided == decided_too
    assert set(few) <= set(all_)
    assert all(later // P == sooner // P + 1 for sooner, later in pairwise(all_)), "no number twice, none left out"
    assert all(P <= 2 * (later - sooner) <= 3 * P for sooner, later in pairwise(all_))


@settings(max_examples=60)
@given(_moves, _comes, st.integers(0, 5_000 * NS_PER_MS))
def test_a_snapshot_in_the_middle_of_a_shift_goes_on_alike(
    moves: list[tuple[int, int]], come: list[int], cut_ns: int
) -> None:
    whole, _, decided = cycle_of(moves)
    drive(whole, come, 8_000 * NS_PER_MS)
    first, _, before = cycle_of(moves)
    drive(first, [t_ns for t_ns in come if t_ns <= cut_ns], cut_ns)
    state = json.loads(json.dumps(first.snapshot()))
    second, _, after = cycle_of([])
    second.restore(state)
    rest = [t_ns for t_ns in come if t_ns > cut_ns]
    drive(second, rest, 8_000 * NS_PER_MS, ticked_ns=cut_ns - 1)
    assert before + after == decided


def test_a_policy_without_a_phase_ticks_at_whole_periods_and_saves_no_grid() -> None:
    cycle, _, _ = cycle_of([])
    cycle = ScanCycle("plain", P, SimpleNamespace(wake_ns=0, snapshot=dict), cycle.gate, [], [])  # type: ignore[arg-type]
    assert cycle.due_ns(1) == P
    assert "grid" not in cycle.snapshot()


def test_a_policy_that_starts_with_a_phase_ticks_there_first() -> None:
    policy = Wanders([(0, 37)])
    policy.phase_ns = 37
    cycle = ScanCycle("test", P, policy, cycle_of([])[0].gate, [], [], lamps={"lamp": Lamp()})
    assert cycle.due_ns(-1) == 37
