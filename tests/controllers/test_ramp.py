"""One lamp's level: up at once, full for a while, down in steps."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.lighting.ramp import STEPS, Ramp
from drivers.units import FOREVER_NS

BASE, FULL = 170, 250
HOLD_NS, FALL_NS = 2_000, 800


def _ramp() -> Ramp:
    return Ramp(BASE, FULL, HOLD_NS, FALL_NS)


def _sunk(ramp: Ramp) -> list[tuple[int, int]]:
    """(when, level) of every step from now on."""
    steps: list[tuple[int, int]] = []
    while ramp.wake_ns < FOREVER_NS:
        assert len(steps) <= STEPS
        now_ns = ramp.wake_ns
        steps.append((now_ns, ramp.due(now_ns)))
        assert ramp.wake_ns > now_ns
    return steps


def test_a_new_lamp_is_at_base_and_wants_nothing() -> None:
    ramp = _ramp()
    assert (ramp.level, ramp.claimed, ramp.wake_ns) == (BASE, False, FOREVER_NS)


def test_a_claim_is_full_at_once_and_for_as_long_as_it_lasts() -> None:
    ramp = _ramp()
    assert ramp.claim() == ramp.level == FULL
    assert (ramp.claimed, ramp.wake_ns) == (True, FOREVER_NS)


def test_after_the_hold_it_sinks_to_base_in_eight_equal_steps() -> None:
    ramp = _ramp()
    ramp.claim()
    ramp.release(10_000, HOLD_NS)
    assert (ramp.claimed, ramp.level, ramp.wake_ns) == (False, FULL, 12_000)
    assert _sunk(ramp) == [(12_000 + 100 * n, FULL - 10 * (n + 1)) for n in range(8)]
    assert ramp.level == BASE


def test_a_tick_that_comes_late_gets_the_level_of_its_own_time() -> None:
    for late_ns, level, wake_ns in (
        (12_099, 240, 12_100),
        (12_100, 230, 12_200),
        (12_350, 210, 12_400),
        (12_699, 180, 12_700),
        (12_700, BASE, FOREVER_NS),
        (99_999, BASE, FOREVER_NS),
    ):
        ramp = _ramp()
        ramp.claim()
        ramp.release(10_000, HOLD_NS)
        assert (ramp.due(late_ns), ramp.wake_ns) == (level, wake_ns)


@pytest.mark.parametrize("steps_done", [0, 1, 5, 8])
def test_a_claim_while_it_sinks_is_full_again_and_the_next_release_starts_anew(steps_done: int) -> None:
    ramp = _ramp()
    ramp.claim()
    ramp.release(0, HOLD_NS)
    for _ in range(steps_done):
        ramp.due(ramp.wake_ns)
    assert ramp.claim() == FULL
    assert ramp.wake_ns == FOREVER_NS
    ramp.release(50_000, HOLD_NS)
    assert _sunk(ramp) == [(52_000 + 100 * n, FULL - 10 * (n + 1)) for n in range(8)]


def test_without_hold_the_first_step_is_due_at_once() -> None:
    ramp = _ramp()
    ramp.claim()
    ramp.release(7, 0)
    assert ramp.wake_ns == 7


def test_a_fall_of_less_than_a_nanosecond_a_step_ends_in_one() -> None:
    ramp = Ramp(BASE, FULL, 0, 1)
    ramp.claim()
    ramp.release(5, 0)
    assert (ramp.due(5), ramp.wake_ns) == (BASE, FOREVER_NS)


# --- taking over what the gear shows


def test_a_bright_gear_found_after_a_start_is_held_and_then_sinks_from_where_it_is() -> None:
    ramp = _ramp()
    ramp.take_over(210, 1_000, 500)
    assert (ramp.level, ramp.wake_ns) == (210, 1_500)
    assert _sunk(ramp) == [(1_500 + 100 * n, 210 - 5 * (n + 1)) for n in range(8)]


@pytest.mark.parametrize(("found", "level"), [(0, BASE), (BASE, BASE), (BASE + 1, BASE + 1), (254, FULL)])
def test_what_is_taken_over_lies_between_base_and_full(found: int, level: int) -> None:
    ramp = _ramp()
    ramp.take_over(found, 0, 0)
    assert ramp.level == level
    assert (ramp.wake_ns < FOREVER_NS) == (level > BASE)


def test_a_claimed_lamp_stays_full_whatever_the_gear_shows() -> None:
    ramp = _ramp()
    ramp.claim()
    ramp.take_over(BASE, 1_000, 500)
    assert (ramp.level, ramp.wake_ns) == (FULL, FOREVER_NS)


def test_a_gear_found_dark_while_its_lamp_was_to_sink_is_not_lit_by_the_steps_that_were_left() -> None:
    ramp = _ramp()
    ramp.claim()
    ramp.release(0, HOLD_NS)
    ramp.take_over(BASE, 1_000, 500)
    assert (ramp.level, _sunk(ramp)) == (BASE, [])


# --- properties


@settings(max_examples=80)
@given(
    st.integers(0, 253),
    st.integers(1, 254),
    st.integers(0, 10**10),
    st.integers(0, 10**11),
    st.lists(st.integers(0, 2 * 10**10), max_size=12),
    st.integers(0, 254),
)
def test_it_sinks_never_rises_by_itself_and_where_it_is_asked_does_not_matter(
    base: int, rise: int, fall_ns: int, start_ns: int, asked_ns: list[int], found: int
) -> None:
    full = min(254, base + rise)
    stepped, asked = Ramp(base, full, 0, fall_ns), Ramp(base, full, 0, fall_ns)
    for ramp in (stepped, asked):
        ramp.take_over(found, start_ns, 0)
    levels = [stepped.level]
    by_time = [(stepped.wake_ns, stepped.level)]
    while stepped.wake_ns < FOREVER_NS:
        by_time.append((stepped.wake_ns, stepped.due(stepped.wake_ns)))
        levels.append(stepped.level)
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] == base
    assert by_time[-1][0] <= start_ns + fall_ns or len(by_time) == 1
    for offset_ns in sorted(asked_ns):
        now_ns = start_ns + offset_ns
        if now_ns >= asked.wake_ns:
            asked.due(now_ns)
        due = [level for t_ns, level in by_time[1:] if t_ns <= now_ns]
        assert asked.level == (due[-1] if due else levels[0])


@settings(max_examples=40)
@given(st.integers(0, 9), st.booleans())
def test_a_snapshot_through_json_taken_anywhere_goes_on_the_same(steps_done: int, claimed_again: bool) -> None:
    ramp, other = _ramp(), _ramp()
    ramp.claim()
    ramp.release(10_000, HOLD_NS)
    for _ in range(steps_done):
        if ramp.wake_ns < FOREVER_NS:
            ramp.due(ramp.wake_ns)
    if claimed_again:
        ramp.claim()
    other.restore(json.loads(json.dumps(ramp.snapshot())))
    assert (other.level, other.claimed) == (ramp.level, ramp.claimed)
    assert _sunk(other) == _sunk(ramp)
    assert other.snapshot() == ramp.snapshot()
