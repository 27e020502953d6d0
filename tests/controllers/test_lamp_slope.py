"""How fast a lamp may sink, judged by what it shows, fades in the gear included."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.core.calendar_rules import Hours
from controllers.core.contract import LampLevel
from controllers.core.failsafe_lamps import LampGate
from controllers.core.lamp_slope import DROP_LEVELS, DROP_NS, LampSlope
from drivers.codecs.dali import OUTPUT_PPM
from drivers.quantities import DeviceHealth, LampStatus, WallTime
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

BASE, FULL = 170, 254


class Always:
    def hours_at(self, utc_ns: int) -> Hours:
        return Hours("lit")

    def next_change_ns(self, utc_ns: int) -> int:
        return FOREVER_NS

    def sun_up_at(self, utc_ns: int) -> bool:
        return False


def _gate(fade_ns: int = NS_PER_S) -> LampGate:
    """A gate at 1 ns in lit hours, its one lamp at base."""
    gate = LampGate({"lamp": 0}, {"radar": (0, 0)}, Always(), base_level=BASE, full_level=FULL, fade_ns=fade_ns)
    gate.step((), (WallTime(0, "wall", 10**18, True),), 0)
    gate.step((), (LampStatus(1, "lamp", BASE),), 1)
    return gate


def _ask(gate: LampGate, level: int, now_ns: int) -> list[int]:
    return [c.level for c in gate.step((LampLevel("lamp", level),), (), now_ns) if isinstance(c, LampLevel)]


def _wait(gate: LampGate, until_ns: int) -> list[tuple[int, int]]:
    """What the gate orders by itself: (time, level)."""
    orders = []
    while gate.wake_ns <= until_ns:
        now_ns = gate.wake_ns
        orders += [(now_ns, c.level) for c in gate.step((), (), now_ns) if isinstance(c, LampLevel)]
        assert gate.wake_ns > now_ns
    return orders


def test_the_levels_a_lamp_may_lose_leave_two_fifths_of_its_light() -> None:
    assert OUTPUT_PPM[FULL - DROP_LEVELS] == pytest.approx(OUTPUT_PPM[FULL] * 2 // 5, rel=0.02)


def test_rising_is_never_held_back() -> None:
    gate = _gate()
    assert _ask(gate, FULL, 10) == [FULL]
    assert _wait(gate, 60 * NS_PER_S) == []


def test_from_full_to_base_at_once_becomes_steps_of_a_second_that_end_at_base() -> None:
    gate = _gate()
    _ask(gate, FULL, 10)
    start_ns = 10 * NS_PER_S
    assert _ask(gate, BASE, start_ns) == [FULL - 34]
    steps = _wait(gate, start_ns + 60 * NS_PER_S)
    assert steps == [(start_ns + 1 * DROP_NS, FULL - 68), (start_ns + 2 * DROP_NS, BASE)]
    assert gate.wake_ns == FOREVER_NS


def test_steps_of_ten_levels_pass_as_they_are() -> None:
    gate = _gate()
    _ask(gate, FULL, 10)
    for n in range(1, 9):
        level = FULL - 84 * n // 8
        assert _ask(gate, level, 10 * NS_PER_S + n * 625 * NS_PER_MS) == [level]


def test_a_lamp_asked_up_again_while_it_sinks_goes_up_at_once_and_stays() -> None:
    gate = _gate()
    _ask(gate, FULL, 10)
    _ask(gate, BASE, 10 * NS_PER_S)
    assert _ask(gate, FULL, 10 * NS_PER_S + 300 * NS_PER_MS) == [FULL]
    assert _wait(gate, 60 * NS_PER_S) == []


def test_who_rises_and_is_asked_down_in_one_breath_sinks_from_what_it_shows() -> None:
    gate = _gate(fade_ns=0)
    _ask(gate, FULL, 10)
    assert _ask(gate, BASE, 20) == [FULL - DROP_LEVELS]


def test_a_fade_that_has_hardly_begun_counts_as_what_is_shown() -> None:
    gate = _gate()
    _ask(gate, FULL, 10)  # a tenth of the way after 100 ms: 178
    assert _ask(gate, BASE, 10 + 100 * NS_PER_MS) == [BASE]


def test_the_end_of_a_doubt_is_no_stroke_either() -> None:
    gate = _gate()
    gate.step((), (DeviceHealth(5, "radar", False),), 5)
    orders = gate.step((), (DeviceHealth(9, "radar", True),), 30 * NS_PER_S)
    assert orders == [LampLevel("lamp", FULL - DROP_LEVELS)]


@pytest.mark.parametrize(("from_level", "to_level"), [(100, 200), (200, 100)])
def test_a_fade_is_straight_in_levels_and_ends_where_it_was_told(from_level: int, to_level: int) -> None:
    slope = LampSlope(1000)
    slope.shows(from_level)
    slope.told(to_level, 5000)
    way = to_level - from_level
    assert [slope.shown(5000 + t) for t in (0, 500, 999, 1000, 9999)] == [
        from_level, from_level + way // 2, from_level + (99 if way > 0 else -99), to_level, to_level,
    ]  # fmt: skip


COMMANDS = st.lists(st.tuples(st.integers(1, 3_000), st.integers(0, 255)), min_size=1, max_size=25)


@settings(max_examples=60)
@given(COMMANDS, st.sampled_from((0, 700 * NS_PER_MS, NS_PER_S, 2 * NS_PER_S)))
def test_whatever_is_asked_the_light_sinks_no_faster_than_it_may_and_ends_where_it_was_asked(
    commands: list[tuple[int, int]], fade_ns: int
) -> None:
    gate = _gate(fade_ns)
    model = LampSlope(fade_ns)
    model.shows(BASE)
    told: list[tuple[int, int]] = []
    now_ns = NS_PER_S
    for wait_ms, level in commands:
        told += _wait(gate, now_ns + wait_ms * NS_PER_MS - 1)
        now_ns += wait_ms * NS_PER_MS
        told += [(now_ns, sent) for sent in _ask(gate, level, now_ns)]
    told += _wait(gate, now_ns + 20 * NS_PER_S)
    wanted = max(BASE, min(FULL, commands[-1][1]))
    shown, at = [], 0
    for t_ns in range(NS_PER_S, now_ns + 22 * NS_PER_S, 50 * NS_PER_MS):
        while at < len(told) and told[at][0] <= t_ns:
            model.told(told[at][1], told[at][0])
            at += 1
        shown.append(model.shown(t_ns))
    assert shown[-1] == wanted, "in the end it is where it was asked to be"
    drops = [max(shown[max(0, n - 10) : n + 1]) - level for n, level in enumerate(shown)]
    assert max(drops) <= 2 * DROP_LEVELS  # one step at the end of a second, one at the beginning of the next
    assert all(FULL >= level >= BASE for level in shown)


@settings(max_examples=30)
@given(COMMANDS, st.integers(0, 24))
def test_a_restored_gate_goes_on_sinking_where_it_stood(commands: list[tuple[int, int]], cut: int) -> None:
    whole, now_ns = _gate(), NS_PER_S
    other: LampGate | None = None
    for n, (wait_ms, level) in enumerate(commands):
        if n == min(cut, len(commands) - 1):
            other = _gate()
            other.restore(json.loads(json.dumps(whole.snapshot())))
        first = [_wait(gate, now_ns + wait_ms * NS_PER_MS - 1) for gate in (whole, other) if gate is not None]
        now_ns += wait_ms * NS_PER_MS
        then = [_ask(gate, level, now_ns) for gate in (whole, other) if gate is not None]
        assert first[0] == first[-1]
        assert then[0] == then[-1]
    assert other is not None
    assert whole.snapshot() == other.snapshot()
