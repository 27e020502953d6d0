"""One lamp's level: up at once, full for a while, down in steps."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.lighting.ramp import MIN_ON_NS, STEP_NS, Ramp
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

BASE, FULL = 170, 250
MS = NS_PER_MS
HOLD_NS, FALL_NS, FADE_NS = 2_000 * MS, 8_000 * MS, 700 * MS
STEPS = 8
LATER_NS = 10_000 * MS


def _ramp() -> Ramp:
    return Ramp(BASE, FULL, FALL_NS, FADE_NS)


def let_go(ramp: Ramp, now_ns: int) -> None:
    """Released, and put off by the hold."""
    ramp.release(now_ns)
    ramp.put_off(now_ns + HOLD_NS)


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
    assert ramp.claim(0) == ramp.level == FULL
    assert (ramp.claimed, ramp.wake_ns) == (True, FOREVER_NS)


def test_after_the_hold_it_sinks_to_base_in_eight_equal_steps() -> None:
    ramp = _ramp()
    ramp.claim(0)
    let_go(ramp, LATER_NS)
    assert (ramp.claimed, ramp.level, ramp.wake_ns) == (False, FULL, 12_000 * MS)
    assert _sunk(ramp) == [((12_000 + 1_000 * n) * MS, FULL - 10 * (n + 1)) for n in range(8)]
    assert ramp.level == BASE


def test_a_tick_that_comes_late_gets_the_level_of_its_own_time() -> None:
    for late_ms, level, wake_ms in (
        (12_999, 240, 13_000),
        (13_000, 230, 14_000),
        (15_500, 210, 16_000),
        (18_999, 180, 19_000),
        (19_000, BASE, None),
        (99_999, BASE, None),
    ):
        ramp = _ramp()
        ramp.claim(0)
        let_go(ramp, LATER_NS)
        assert ramp.due(late_ms * MS) == level
        assert ramp.wake_ns == (FOREVER_NS if wake_ms is None else wake_ms * MS)


@pytest.mark.parametrize("steps_done", [0, 1, 5, 8])
def test_a_claim_while_it_sinks_is_full_again_and_the_next_release_starts_anew(steps_done: int) -> None:
    ramp = _ramp()
    ramp.claim(0)
    let_go(ramp, 0)
    for _ in range(steps_done):
        ramp.due(ramp.wake_ns)
    assert ramp.claim(40_000 * MS) == FULL
    assert ramp.wake_ns == FOREVER_NS
    let_go(ramp, 50_000 * MS)
    assert _sunk(ramp) == [((52_000 + 1_000 * n) * MS, FULL - 10 * (n + 1)) for n in range(8)]


def test_without_hold_the_first_step_is_due_at_once() -> None:
    ramp = _ramp()
    ramp.claim(0)
    ramp.release(LATER_NS)
    assert ramp.wake_ns == LATER_NS


@pytest.mark.parametrize(("after_ms", "sinks_ms"), [(500, 3_000), (2_999, 3_000), (3_000, 3_000), (4_000, 4_000)])
def test_a_lamp_just_raised_stays_full_for_three_seconds_in_all(after_ms: int, sinks_ms: int) -> None:
    ramp = _ramp()
    ramp.claim(LATER_NS)
    ramp.release(LATER_NS + after_ms * MS)
    assert ramp.wake_ns == LATER_NS + sinks_ms * MS
    assert MIN_ON_NS == 3 * NS_PER_S


def test_until_it_has_sunk_a_step_it_may_be_put_off_again() -> None:
    ramp = _ramp()
    ramp.claim(0)
    ramp.release(LATER_NS)
    for again in range(3):
        assert ramp.begins()
        ramp.put_off(LATER_NS + again * MS)
        assert (ramp.level, ramp.wake_ns) == (FULL, LATER_NS + again * MS)
    ramp.due(ramp.wake_ns)
    assert not ramp.begins()
    assert ramp.level < FULL


def test_being_claimed_anew_while_still_full_is_no_rising() -> None:
    ramp = _ramp()
    ramp.claim(0)
    let_go(ramp, LATER_NS)
    ramp.claim(LATER_NS + MS)
    ramp.release(LATER_NS + 2 * MS)
    assert ramp.wake_ns == LATER_NS + 2 * MS


@pytest.mark.parametrize(
    ("fall_ms", "fade_ms", "steps"),
    [(3_000, 700, 3), (3_000, 1_400, 2), (5_000, 1_000, 5), (900, 0, 1), (2_000, 4_000, 1)],
)
def test_a_step_takes_a_second_or_the_fade_of_the_gear_whichever_is_longer(
    fall_ms: int, fade_ms: int, steps: int
) -> None:
    assert Ramp(BASE, FULL, fall_ms * MS, fade_ms * MS).steps == steps


def test_a_sinking_is_known_by_when_it_began() -> None:
    ramp = _ramp()
    assert not ramp.sinks_since(0)
    ramp.claim(0)
    ramp.release(LATER_NS)
    assert ramp.sinks_since(LATER_NS)
    assert not ramp.sinks_since(LATER_NS + 1)


def test_a_fall_of_less_than_a_nanosecond_a_step_ends_in_one() -> None:
    ramp = Ramp(BASE, FULL, 1, 0)
    ramp.claim(0)
    ramp.release(LATER_NS)
    assert (ramp.due(LATER_NS), ramp.wake_ns) == (BASE, FOREVER_NS)


def test_a_new_ramp_has_never_been_raised_nor_sunk() -> None:
    ramp = Ramp(BASE, FULL, 5 * NS_PER_S, NS_PER_S)
    assert ramp.snapshot() == [BASE, False, FOREVER_NS, BASE, -FOREVER_NS, 0, -FOREVER_NS]
    assert not ramp.sinks_since(-FOREVER_NS + 1)
    ramp.claim(7)
    assert ramp.snapshot() == [FULL, True, FOREVER_NS, BASE, -FOREVER_NS, 0, 7]
    ramp.claim(8)
    ramp.release(9)
    assert ramp.snapshot() == [FULL, False, 7 + MIN_ON_NS, FULL, 7 + MIN_ON_NS, 0, 7]
    assert ramp.sinks_since(7 + MIN_ON_NS)
    assert not ramp.sinks_since(8 + MIN_ON_NS)


@pytest.mark.parametrize(
    ("fall_ns", "fade_ns", "steps"),
    [(2 * STEP_NS - 1, 0, 1), (2 * STEP_NS, 0, 2), (0, 0, 1), (10 * STEP_NS, 2 * STEP_NS, 5), (5, 3 * STEP_NS, 1)],
)
def test_a_fall_has_so_many_whole_steps(fall_ns: int, fade_ns: int, steps: int) -> None:
    full = BASE + 83  # no step is a whole level
    ramp = Ramp(BASE, full, fall_ns, fade_ns)
    assert (ramp.steps, type(ramp.steps)) == (steps, int)
    ramp.claim(0)
    ramp.release(10 * NS_PER_S + 1)
    found = []
    while ramp.wake_ns < FOREVER_NS:
        at_ns = ramp.wake_ns
        found.append((at_ns, ramp.due(at_ns)))
    assert {type(part) for one in found for part in one} == {int}
    assert (
        found
        == [(10 * NS_PER_S + 1 + n * fall_ns // steps, full - (full - BASE) * (n + 1) // steps) for n in range(steps)]
        or fall_ns < steps
    )


# --- taking over what the gear shows


def test_a_bright_gear_found_after_a_start_is_held_and_then_sinks_from_where_it_is() -> None:
    ramp = _ramp()
    ramp.take_over(210, 1_000 * MS, 500 * MS)
    assert (ramp.level, ramp.wake_ns) == (210, 1_500 * MS)
    assert _sunk(ramp) == [((1_500 + 1_000 * n) * MS, 210 - 5 * (n + 1)) for n in range(8)]


@pytest.mark.parametrize(("found", "level"), [(0, BASE), (BASE, BASE), (BASE + 1, BASE + 1), (254, FULL)])
def test_what_is_taken_over_lies_between_base_and_full(found: int, level: int) -> None:
    ramp = _ramp()
    ramp.take_over(found, 0, 0)
    assert ramp.level == level
    assert (ramp.wake_ns < FOREVER_NS) == (level > BASE)


def test_a_claimed_lamp_stays_full_whatever_the_gear_shows() -> None:
    ramp = _ramp()
    ramp.claim(0)
    ramp.take_over(BASE, 1_000, 500)
    assert (ramp.level, ramp.wake_ns) == (FULL, FOREVER_NS)


def test_a_gear_found_dark_while_its_lamp_was_to_sink_is_not_lit_by_the_steps_that_were_left() -> None:
    ramp = _ramp()
    ramp.claim(0)
    let_go(ramp, 0)
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
    stepped, asked = Ramp(base, full, fall_ns, 0), Ramp(base, full, fall_ns, 0)
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


def test_every_step_is_due_at_a_whole_nanosecond_however_the_fall_is_divided() -> None:
    ramp = Ramp(0, 254, 5_000_000_003, 0)
    ramp.take_over(254, 10**18, 0)
    due_ns = []
    while ramp.wake_ns < FOREVER_NS:
        due_ns.append(ramp.wake_ns)
        ramp.due(ramp.wake_ns)
    assert [at_ns - 10**18 for at_ns in due_ns] == [0, 1_000_000_000, 2_000_000_001, 3_000_000_001, 4_000_000_002]
    assert all(type(at_ns) is int for at_ns in due_ns)


@settings(max_examples=40)
@given(st.integers(0, 9), st.booleans())
def test_a_snapshot_through_json_taken_anywhere_goes_on_the_same(steps_done: int, claimed_again: bool) -> None:
    ramp, other = _ramp(), _ramp()
    ramp.claim(0)
    let_go(ramp, LATER_NS)
    for _ in range(steps_done):
        if ramp.wake_ns < FOREVER_NS:
            ramp.due(ramp.wake_ns)
    if claimed_again:
        ramp.claim(20_000 * MS)
    other.restore(json.loads(json.dumps(ramp.snapshot())))
    assert (other.level, other.claimed) == (ramp.level, ramp.claimed)
    assert _sunk(other) == _sunk(ramp)
    assert other.snapshot() == ramp.snapshot()
