"""What marks leave open is learnt: which end is told, when it is promised, and what a broken promise costs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.greenwave.countdown import Span
from controllers.greenwave.forecast import SURE_NS, Outlook
from controllers.greenwave.learn_record import Record
from controllers.greenwave.picture import Aspect, Stage
from controllers.greenwave.policy import GreenwavePolicy
from controllers.greenwave.site import GreenwaveSite
from drivers.quantities import DeviceHealth, SignalPhase, SignalState
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

S = NS_PER_S
CLOCK_MS = 200 * 86_400_000
CYCLE = ((3, 28_000), (4, 1_000), (6, 15_000), (8, 3_000))
CYCLE_MS = 47_000
AT_THE_LINE = GreenwaveSite(name="line", station=1, group=7, distance_m=0.001, speed_kmh=18, fast_kmh=18)
AT_50_M = GreenwaveSite(name="fifty", station=1, group=7, distance_m=50, speed_kmh=18, fast_kmh=18)


def running(t_ms: int, cycle: Sequence[tuple[int, int]] = CYCLE) -> tuple[int, int]:
    """State at `t_ms` and what is left of it."""
    left_ms = t_ms % sum(length_ms for _, length_ms in cycle)
    for state, length_ms in cycle:
        if left_ms < length_ms:
            return state, length_ms - left_ms
        left_ms -= length_ms
    raise AssertionError


def outlook(ahead_ms: int = 0) -> Outlook:
    return Outlook(ahead_ms * NS_PER_MS, 50, 70, True)


def shown(
    site: GreenwaveSite, until_ms: int, marks: str = "none", cycle: Sequence[tuple[int, int]] = CYCLE
) -> list[Aspect]:
    """Each tenth of a second. `marks`: none, or min alone and 5 s too early on red."""
    policy, found = GreenwavePolicy(site), []
    for t_ms in range(0, until_ms, 100):
        state, left_ms = running(t_ms, cycle)
        phase = SignalPhase(state)
        if marks == "min":
            phase = SignalPhase(state, max(0, left_ms - 5_000) if state == 3 else left_ms)
        policy.step((SignalState(t_ms * NS_PER_MS, "feed", 1, 7, 0, CLOCK_MS + t_ms, (phase,)),), t_ms * NS_PER_MS)
        found.append(policy.aspect)
    return found


@pytest.mark.parametrize("marks", ["none", "min"])
def test_after_four_cycles_a_fixed_programme_is_told_to_the_second_whatever_marks_leave_open(marks: str) -> None:
    until_ms = 6 * CYCLE_MS
    aspects = shown(AT_THE_LINE, until_ms, marks)
    before = Aspect(Stage.DARK, None, None)
    for t_ms in range(4 * CYCLE_MS + 1_000, until_ms, 100):
        state, left_ms = running(t_ms)
        aspect = aspects[t_ms // 100]
        go = state in (6, 8)
        left_ms += {3: 1_000, 6: 3_000}.get(state, 0)  # red-amber is red, amber is green
        assert aspect.stage is (Stage.GREEN if go else Stage.RED), t_ms
        if running(t_ms - 1_000)[0] in ((6, 8) if go else (3, 4)):
            assert aspect.remaining_ms is not None, t_ms
            assert abs(aspect.remaining_ms - left_ms) <= 1_000, t_ms
        if aspect.stage is before.stage and None not in (aspect.remaining_ms, before.remaining_ms):
            assert aspect.remaining_ms <= before.remaining_ms  # type: ignore[operator]
        before = aspect


def test_before_anything_is_learnt_the_colour_is_shown_without_an_end() -> None:
    aspects = shown(AT_THE_LINE, 45_000)
    assert {(aspect.stage, aspect.remaining_ms) for aspect in aspects[1:290]} == {(Stage.RED, None)}
    assert {(aspect.stage, aspect.remaining_ms) for aspect in aspects[290:440]} == {(Stage.GREEN, None)}


def test_ten_seconds_away_a_green_nobody_knows_the_end_of_is_dark_until_it_is_learnt() -> None:
    aspects = shown(AT_50_M, 5 * CYCLE_MS)
    assert {aspect.stage for aspect in aspects[295:465]} == {Stage.DARK}
    later = aspects[4 * CYCLE_MS // 100 :]
    assert [later[t_ms // 100].stage for t_ms in (15_000, 21_000, 30_000, 40_000)] == [
        Stage.RED,
        Stage.GREEN,  # at 31 s it is
        Stage.GREEN,
        Stage.RED,  # at 50 s it is red again
    ]


def test_a_feed_that_tells_likely_ends_as_far_as_riders_need_never_wakes_the_learner() -> None:
    looks = outlook(10_000)
    for t_ms in range(0, 3 * CYCLE_MS, 100):
        phases, at_ms, left_ms = [], t_ms, 0
        for _ in range(4):
            state, more_ms = running(at_ms)
            at_ms, left_ms = at_ms + more_ms, left_ms + more_ms
            phases.append(SignalPhase(state, likely_ms=left_ms))
        looks.hear(phases, t_ms * NS_PER_MS, t_ms * NS_PER_MS)
    assert looks.figures() is None


def test_without_a_share_of_votes_nothing_is_learnt() -> None:
    looks = Outlook(0, 50, 0, True)
    looks.hear((SignalPhase(3),), 0, 0)
    looks.hear((SignalPhase(3),), S, S)
    assert looks.figures() is None


def test_marks_of_one_moment_are_an_end_and_a_lone_minimum_on_red_is_none() -> None:
    assert outlook().hear((SignalPhase(3, 9_000, 9_500),), 0, 0)[0] == Span(False, 9_500 * NS_PER_MS)
    assert outlook().hear((SignalPhase(3, 9_000),), 0, 0) == (Span(False, FOREVER_NS, False),)
    assert outlook().hear((SignalPhase(6),), 0, 0) == (Span(True, SURE_NS, False),)


def test_an_end_that_passes_leaves_the_running_colour_for_a_second_more() -> None:
    assert outlook().hear((SignalPhase(6, 300),), 0, 0)[0] == Span(True, 300 * NS_PER_MS)
    assert outlook().hear((SignalPhase(8, 300), SignalPhase(3, likely_ms=20_000)), 0, 0)[0] == Span(
        True, 300 * NS_PER_MS
    )


def test_a_state_that_is_no_phase_is_nothing() -> None:
    looks = outlook()
    looks.hear((SignalPhase(3, 9_000),), 0, 0)
    for phases in ((), (SignalPhase(0),), (SignalPhase(9),)):
        assert looks.hear(phases, S, S) == ()


def test_a_promise_broken_after_eight_that_were_kept_costs_the_next_until_one_would_have_been_kept() -> None:
    record, t_ns = Record(), 0
    allowed: list[bool] = []
    for length_s, told_s in (*((20, 20),) * 3, (30, 20), *((20, 20),) * 8, (30, 20), (30, 20), (30, 30), (30, 30)):
        record.change(t_ns, 3)
        record.claim(t_ns, t_ns + told_s * S)
        t_ns += length_s * S
        record.change(t_ns, 6)
        t_ns += 10 * S
        allowed.append(record.allowed(3))
    assert allowed == [True] * 12 + [False, False, True, True]


def test_a_promise_is_judged_by_what_was_said_five_seconds_before() -> None:
    record, t_ns = Record(), 0
    for said_s in (*(20,) * 8, 24):
        record.change(t_ns, 6)
        for at_s, end_s in ((0, 60), (10, said_s), (18, 20)):
            record.claim(t_ns + at_s * S, t_ns + end_s * S)
        t_ns += 20 * S
        record.change(t_ns, 3)
        t_ns += S
        assert record.allowed(6) == (said_s == 20)


def test_lengths_that_vary_are_not_usual() -> None:
    record, t_ns = Record(), 0
    for amber_ms, green_ms in ((3_000, 9_000), (3_100, 14_000), (3_000, 20_000)):
        record.change(t_ns, 6)
        t_ns += green_ms * NS_PER_MS
        record.change(t_ns, 8)
        t_ns += amber_ms * NS_PER_MS
        record.change(t_ns, 3)
    assert record.usual_ns(8) == 3_000 * NS_PER_MS
    assert record.usual_ns(6) is None  # and the first was not seen from its beginning
    assert record.near_ns(6, 13 * S) == 14 * S
    assert record.near_ns(6, 17 * S) == 17 * S
    assert record.follows(6) == 8


def test_another_programme_ends_no_stage_before_the_signal_does_and_loses_the_promise() -> None:
    other = ((3, 38_000), *CYCLE[1:])
    policy = GreenwavePolicy(AT_THE_LINE)
    change_ms = 6 * CYCLE_MS
    seen: dict[int, Aspect] = {}
    for t_ms in range(0, change_ms + 3 * 57_000, 100):
        state, _ = running(t_ms) if t_ms < change_ms else running(t_ms - change_ms, other)
        value = SignalState(t_ms * NS_PER_MS, "feed", 1, 7, 0, CLOCK_MS + t_ms, (SignalPhase(state),))
        policy.step((value,), t_ms * NS_PER_MS)
        seen[t_ms] = policy.aspect
        assert (policy.aspect.stage is Stage.GREEN) == (state in (6, 8)) or t_ms < 200
    assert seen[change_ms + 10_000].remaining_ms is not None  # in the first cycle nothing warns
    assert seen[change_ms + 35_000].remaining_ms is None  # no red was ever so old: nothing is promised
    assert seen[change_ms + 57_000 + 10_000].remaining_ms is None  # and the next red has none


_news = st.tuples(
    st.sampled_from([100] * 20 + [300, 1_500, 2_500, 5_000]),
    st.integers(0, 9),
    st.one_of(st.none(), st.integers(-2_000, 40_000)),
    st.one_of(st.none(), st.integers(-2_000, 40_000)),
    st.integers(1, 60),
)


@given(st.lists(_news, min_size=1, max_size=14), st.sampled_from([AT_THE_LINE, AT_50_M]), st.integers(0, 300))
@settings(max_examples=60, deadline=None)
def test_over_any_states_and_bounds_waking_is_as_good_as_ticking_and_a_snapshot_is_all_there_is(
    script: list[tuple[int, int, int | None, int | None, int]], site: GreenwaveSite, cut: int
) -> None:
    values: list[SignalState | DeviceHealth] = []
    t_ms = 0
    for gap_ms, state, least_ms, most_ms, count in script:
        for n in range(count):
            t_ms += 100 if n else gap_ms
            marks = [None if mark is None else mark - 100 * n for mark in (least_ms, most_ms)]
            phases = (SignalPhase(state, *marks),)
            values.append(SignalState(t_ms * NS_PER_MS, "feed", 1, 7, 0, CLOCK_MS + t_ms, phases))
    lazy, eager = GreenwavePolicy(site), GreenwavePolicy(site)
    at, low, stage = 0, FOREVER_NS, Stage.DARK
    for tick, now_ms in enumerate(range(0, t_ms + 5_000, 100)):
        first = at
        while at < len(values) and values[at].t_ns <= now_ms * NS_PER_MS:
            at += 1
        if tick == cut:
            state = json.loads(json.dumps(lazy.snapshot()))
            lazy = GreenwavePolicy(site)
            lazy.restore(state)
            assert json.loads(json.dumps(lazy.snapshot())) == state
        eager.wake_ns = 0
        sent = eager.step(values[first:at], now_ms * NS_PER_MS)
        if at > first or lazy.wake_ns <= now_ms * NS_PER_MS:
            assert lazy.step(values[first:at], now_ms * NS_PER_MS) == sent
        else:
            assert sent == ()
        aspect = eager.aspect
        if aspect.stage is not stage:
            low, stage = FOREVER_NS, aspect.stage
        if aspect.remaining_ms is not None:
            assert 0 <= aspect.remaining_ms <= low
            low = aspect.remaining_ms


@given(st.lists(st.tuples(st.sampled_from([3, 4, 6, 8]), st.integers(1, 40)), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_what_is_told_lies_between_sound_marks_and_never_in_the_past(script: list[tuple[int, int]]) -> None:
    looks, t_ms = outlook(), 0
    for state, seconds in script:
        for left_ms in range(seconds * 1000, 0, -500):
            least_ms, most_ms = max(0, left_ms - 2_000), left_ms + 3_000
            spans = looks.hear((SignalPhase(state, least_ms, most_ms),), t_ms * NS_PER_MS, t_ms * NS_PER_MS)
            assert spans
            assert spans[0].go == (state in (6, 8))
            ends = [span.end_ns for span in spans]
            assert ends == sorted(ends)
            if spans[0].told and state in (4, 8):
                assert spans[0].end_ns >= (t_ms + least_ms) * NS_PER_MS
            t_ms += 500


def test_the_learner_is_not_loaded_with_the_policy() -> None:
    code = "import sys, controllers.greenwave.policy; sys.exit('controllers.greenwave.learning' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
