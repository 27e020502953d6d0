"""Learning from states alone: made signals with stated rules, gaps, bounds, snapshots; real phases if there are any."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.greenwave.learn_memory import GAP_S, KEEP_S, MOST_RUNS, TRIM_S, Memory, bit_of, state_of
from controllers.greenwave.learn_votes import (
    EXPERTS,
    LOSS,
    lanes_of,
    likeliest,
    log2_256,
    packed,
    shares_of,
    weights_of,
)
from controllers.greenwave.learning import HORIZONS_S, MOST_AGES, Forecast, PhaseLearner
from drivers.units import NS_PER_S
from hil.traffic.chance import between, draw

RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data"))
REAL = RECORDINGS / "phases-hamburg"
RED, RED_AMBER, GREEN, AMBER = 3, 4, 6, 8

DAY = ((RED, 40), (RED_AMBER, 1), (GREEN, 16), (AMBER, 3))
EVENING = ((RED, 50), (RED_AMBER, 1), (GREEN, 36), (AMBER, 3))
"""Fixed programmes of 60 s and 90 s."""


def seconds_of(*phases: tuple[int, int]) -> list[int]:
    return [state for state, length_s in phases for _ in range(length_s)]


def adaptive(cycles: int, seed: int) -> list[int]:
    """Green begins every 60 s and lasts 8 to 20 s as traffic will have it."""
    states: list[int] = []
    for cycle in range(cycles):
        green_s = between(draw(seed, cycle), 8, 20)
        states += seconds_of((RED_AMBER, 1), (GREEN, green_s), (AMBER, 3), (RED, 56 - green_s))
    return states


class Told:
    """A feed of one state a second and what was told in each: error of the end in seconds (None: nothing told)."""

    def __init__(self, states: Sequence[int], start_s: int = 0, learner: PhaseLearner | None = None) -> None:
        self.learner = learner or PhaseLearner()
        self.states = states
        self.errors_s: list[int | None] = []
        self.confidences_pct: list[int] = []
        self.forecasts: list[Forecast | None] = []
        for at, state in enumerate(states):
            now_ns = (start_s + at) * NS_PER_S
            self.learner.observe(now_ns, state)
            forecast = self.learner.forecast(now_ns)
            self.forecasts.append(forecast)
            if forecast is None or not forecast.phases:
                self.errors_s.append(None)
                self.confidences_pct.append(0)
                continue
            end = next((later for later in range(at, len(states)) if states[later] != state), len(states))
            phase = forecast.phases[0]
            assert (phase.end_ns - now_ns) % NS_PER_S == 0
            self.errors_s.append((phase.end_ns - (start_s + end) * NS_PER_S) // NS_PER_S)
            self.confidences_pct.append(phase.confidence_pct)

    def wrong(self, begin: int, end: int, state: int | None = None, confidence_pct: int = 0) -> int:
        """Seconds in which the end was told more than a second wrong, with so much confidence."""
        return sum(
            (error is None or abs(error) > 1) and confidence >= confidence_pct and state in (None, shown)
            for error, confidence, shown in zip(
                self.errors_s[begin:end], self.confidences_pct[begin:end], self.states[begin:end], strict=True
            )
        )


# ---------------------------------------------------------------------- made signals


def test_a_fixed_programme_is_told_to_the_second_from_its_second_cycle_on() -> None:
    told = Told(seconds_of(*DAY) * 6)
    assert told.wrong(60, 300) == 0
    assert min(told.confidences_pct[120:300]) == 100
    assert told.learner.figures()["cycle_s"] == 60


def test_the_phases_to_come_follow_one_another_as_they_will() -> None:
    told = Told(seconds_of(*DAY) * 5 + seconds_of((RED, 11)))
    forecast = told.forecasts[-1]
    assert forecast is not None
    assert (forecast.state, forecast.since_ns) == (RED, 300 * NS_PER_S)
    assert [(phase.state, phase.end_ns // NS_PER_S) for phase in forecast.phases] == [
        (RED, 340),
        (RED_AMBER, 341),
        (GREEN, 357),
        (AMBER, 360),
    ]
    assert all(phase.early_ns == phase.end_ns == phase.late_ns for phase in forecast.phases)


@pytest.mark.parametrize("seed", range(2))
def test_of_a_coordinated_signal_the_green_start_is_promised_and_the_green_end_is_not(seed: int) -> None:
    states = adaptive(60, seed)
    told = Told(states)
    late = len(states) - 60
    assert told.wrong(1200, late, RED) == 0
    assert told.wrong(1200, late, GREEN) > 0
    greens = [at for at in range(1200, late) if states[at - 1 : at + 1] == [RED_AMBER, GREEN]]
    assert all(told.confidences_pct[at] < 60 for at in greens)
    ranges = [forecast.phases[0] for at in greens if (forecast := told.forecasts[at])]
    assert sum(phase.late_ns - phase.early_ns for phase in ranges) > 6 * NS_PER_S * len(ranges)
    reds = [at for at in range(1200, late) if states[at] == RED]
    assert sum(told.confidences_pct[at] for at in reds) > 80 * len(reds)


def test_a_stage_left_out_every_other_cycle_is_told_a_cycle_ahead() -> None:
    served, left_out = seconds_of((GREEN, 20), (AMBER, 3), (RED, 36), (RED_AMBER, 1)), seconds_of((GREEN, 60))
    learner = PhaseLearner()
    Told((served + left_out) * 12, learner=learner)
    now_ns = (24 * 60 - 1) * NS_PER_S
    for ahead_s in range(1, 61):
        likely = learner.likely(now_ns, ahead_s)
        assert likely is not None
        assert likely[0] == (
            GREEN if ahead_s <= 20 else AMBER if ahead_s <= 23 else RED if ahead_s <= 59 else RED_AMBER
        )


def test_another_programme_is_told_to_the_second_after_seven_cycles_and_one_that_returns_after_one() -> None:
    told = Told(seconds_of(*DAY) * 40 + seconds_of(*EVENING) * 20 + seconds_of(*DAY) * 10)
    evening, day = 40 * 60, 40 * 60 + 20 * 90
    assert told.wrong(60, evening - 60) == 0
    assert told.wrong(evening, evening + 90) > 0
    assert told.wrong(evening + 3 * 90, day, confidence_pct=80) == 0, "doubt after three cycles at most"
    assert told.wrong(evening + 7 * 90, day - 90) == 0
    assert told.wrong(day + 60, day + 540) == 0
    assert told.learner.figures()["cycle_s"] in (60, 90)


def test_a_new_cycle_takes_the_place_of_the_old() -> None:
    learner = PhaseLearner()
    for second, state in enumerate(seconds_of(*DAY) * 40 + seconds_of(*EVENING) * 25):
        learner.observe(second * NS_PER_S, state)
        if second == 40 * 60 - 1:
            figures = learner.figures()
            assert (figures["cycle_s"], figures["learnt_s"]) == (60, 2400)
            assert figures["regular_pct"] > 95
    assert learner.figures()["cycle_s"] == 90


def test_a_feed_of_changes_only_tells_what_a_feed_of_every_second_tells() -> None:
    states = seconds_of(*DAY) * 10
    every, changes = PhaseLearner(), PhaseLearner()
    for second, state in enumerate(states):
        now_ns = second * NS_PER_S
        every.observe(now_ns, state)
        if second == 0 or states[second - 1] != state:
            changes.observe(now_ns, state)
        ours, theirs = every.forecast(now_ns), changes.forecast(now_ns)
        assert ours is not None
        assert theirs is not None
        if second >= 120:
            assert [p.end_ns for p in ours.phases] == [p.end_ns for p in theirs.phases]


# ---------------------------------------------------------------------- what is not known


def test_before_a_first_cycle_nothing_is_promised_and_short_states_are_known_by_rule() -> None:
    learner = PhaseLearner()
    assert learner.forecast(0) is None
    assert learner.likely(0, 10) is None
    for at, (state, follows) in enumerate(((AMBER, RED), (RED, RED), (RED_AMBER, GREEN), (GREEN, GREEN))):
        now_ns = at * NS_PER_S
        learner.observe(now_ns, state)
        forecast = learner.forecast(now_ns)
        assert forecast == Forecast(state, now_ns, ())
        assert learner.likely(now_ns, 10) == (follows, 0)


@pytest.mark.parametrize("state", [0, 1, 2, 9, 10, 255])
def test_a_state_that_is_no_phase_is_unknown_and_what_was_learnt_stays(state: int) -> None:
    learner = PhaseLearner()
    Told(seconds_of(*DAY) * 6, learner=learner)
    for second in range(360, 500):
        learner.observe(second * NS_PER_S, state)
        assert learner.forecast(second * NS_PER_S) is None
        assert learner.likely(second * NS_PER_S, 10) is None
    again = Told(seconds_of(*DAY) * 2, 540, learner)
    assert again.wrong(0, 60) == 0


def test_where_a_feed_comes_back_in_the_middle_of_a_phase_the_cycle_tells_its_end() -> None:
    learner = PhaseLearner()
    Told(seconds_of(*DAY) * 8, learner=learner)
    learner.observe(480 * NS_PER_S, 0)
    assert learner.forecast(481 * NS_PER_S) is None
    states = seconds_of((RED, 12), *DAY[1:], *DAY)  # red is 28 s old when we hear of it, an hour of cycles later
    again = Told(states, 60 * 68 + 28, learner)
    assert again.wrong(0, len(states) - 3) == 0


def test_after_a_long_silence_the_state_is_unknown() -> None:
    learner = PhaseLearner(silence_s=100)
    Told(seconds_of(*DAY) * 6, learner=learner)
    learner.observe(360 * NS_PER_S, RED)
    assert learner.forecast(460 * NS_PER_S) is not None
    assert learner.forecast(461 * NS_PER_S) is None
    learner.observe(480 * NS_PER_S, RED)
    forecast = learner.forecast(480 * NS_PER_S)
    assert forecast is not None
    assert forecast.since_ns == 480 * NS_PER_S
    assert forecast.phases[0].end_ns == 520 * NS_PER_S


def test_jitter_duplicates_and_old_news_do_no_harm() -> None:
    learner = PhaseLearner()
    for second, state in enumerate(seconds_of(*DAY) * 10):
        now_ns = second * NS_PER_S + draw(7, second) % 400_000_000
        learner.observe(now_ns, state)
        learner.observe(now_ns + 1, state)
        learner.observe(now_ns - 700_000_000, GREEN)
    forecast = learner.forecast(599 * NS_PER_S)
    assert forecast is not None
    assert (forecast.state, learner.figures()["learnt_s"]) == (AMBER, 600)
    assert abs(forecast.phases[0].end_ns - 600 * NS_PER_S) < NS_PER_S


# ---------------------------------------------------------------------- laws


phase_lists = st.lists(
    st.tuples(st.sampled_from((0, RED, RED_AMBER, GREEN, AMBER)), st.integers(1, 30)), min_size=1, max_size=40
)


@settings(deadline=None, max_examples=40)
@given(phase_lists, st.integers(0, 400), st.booleans())
def test_a_restored_learner_goes_on_as_the_one_it_was_taken_from(
    phases: list[tuple[int, int]], cut: int, learnt: bool
) -> None:
    learner = PhaseLearner()
    states = (seconds_of(*DAY) * 4 if learnt else []) + seconds_of(*phases)
    cut %= len(states)
    for second, state in enumerate(states[:cut]):
        learner.observe(second * NS_PER_S, state)
    restored = PhaseLearner()
    restored.restore(json.loads(json.dumps(learner.snapshot())))
    for second, state in enumerate(states[cut:], cut):
        now_ns = second * NS_PER_S
        learner.observe(now_ns, state)
        restored.observe(now_ns, state)
        assert restored.likely(now_ns, 10) == learner.likely(now_ns, 10)
        assert restored.forecast(now_ns) == learner.forecast(now_ns)
    assert restored.snapshot() == learner.snapshot()


@settings(deadline=None, max_examples=25)
@given(phase_lists, st.integers(0, 10**11))
def test_asking_changes_nothing(phases: list[tuple[int, int]], later_ns: int) -> None:
    learner, silent = PhaseLearner(), PhaseLearner()
    for second, state in enumerate(seconds_of(*phases)):
        now_ns = second * NS_PER_S
        learner.observe(now_ns, state)
        silent.observe(now_ns, state)
        assert learner.forecast(now_ns + later_ns) == learner.forecast(now_ns + later_ns)
        learner.likely(now_ns, 1 + second % 60)
    assert learner.snapshot() == silent.snapshot()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 700 * NS_PER_S)), max_size=60))
def test_any_feed_is_borne_and_what_is_told_is_in_order(feed: list[tuple[int, int]]) -> None:
    learner = PhaseLearner()
    now_ns = 0
    for state, after_ns in feed:
        now_ns += after_ns
        learner.observe(now_ns, state)
        forecast = learner.forecast(now_ns)
        assert (forecast is None) == (bit_of(state) == 0) or learner.memory.runs[-1].bit != bit_of(state)
        likely = learner.likely(now_ns, 1 + state % 120)
        assert (likely is None) == (forecast is None)
        assert likely is None or 0 <= likely[1] <= 100
        ends = [now_ns - NS_PER_S]
        for phase in forecast.phases if forecast else ():
            assert phase.early_ns <= phase.late_ns
            assert 0 <= phase.confidence_pct <= 100
            ends.append(phase.end_ns)
        assert ends[1:] == sorted(ends[1:])


def test_memory_is_bounded_in_six_hours_and_under_flicker() -> None:
    steady, flicker, learner = Memory(), Memory(), PhaseLearner()
    for second, state in enumerate(seconds_of(*DAY) * 360):
        steady.append(second, bit_of(state))
    assert KEEP_S <= len(steady.line) < KEEP_S + TRIM_S
    assert steady.cycle_s == 60
    for second in range(3 * MOST_RUNS):
        flicker.append(second * (1 + second % 2 * 1000), bit_of(RED + second % 6))
        assert len(flicker.runs) <= MOST_RUNS
        assert len(flicker.line) < KEEP_S + TRIM_S + GAP_S
    for second in range(1500):
        learner.observe(second * NS_PER_S, RED + draw(3, second // 7) % 6)
    assert len(learner.snapshot()["losses"]) <= 6 * (MOST_AGES + len(HORIZONS_S) - 1)
    assert max(max(losses[1:]) for losses in learner.snapshot()["losses"]) <= LOSS[0] << 11


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 400), st.sampled_from((0, 1, 2, 8, 32))), max_size=80))
def test_runs_cut_the_line_where_it_changes_and_keep_true_times(steps: list[tuple[int, int]]) -> None:
    memory, second = Memory(), 0
    for step_s, bit in steps:
        second += step_s
        memory.append(second, bit)
        assert memory.next_s == second + 1
    ends = [run.at for run in memory.runs[1:]] + [len(memory.line)]
    for run, end in zip(memory.runs, ends, strict=bool(steps)):
        assert run.at < end
        assert set(memory.line[run.at : end]) == {run.bit}


# ---------------------------------------------------------------------- votes


def test_states_and_bits_belong_together() -> None:
    assert [state_of(bit_of(state)) for state in range(3, 9)] == [3, 4, 5, 6, 7, 8]
    assert [bit_of(state) for state in (0, 1, 2, 9)] == [0, 0, 0, 0]


@pytest.mark.parametrize(("number", "log"), [(1, 0), (2, 256), (3, 405), (5376, 3172), (1 << 40, 10240)])
def test_logarithms_are_whole_numbers(number: int, log: int) -> None:
    assert log2_256(number) == log


def test_a_greater_share_is_a_smaller_loss() -> None:
    assert list(LOSS) == sorted(LOSS, reverse=True)
    assert (LOSS[256], LOSS[0], len(LOSS)) == (0, 1124, 257)


def test_weights_halve_with_every_bit_of_loss() -> None:
    assert weights_of([700, 700 + 256, 700 + 128, 700 + 256 * 21], 0) == [1 << 20, 1 << 19, 741455, 0]
    assert weights_of([0, 1024], 2) == [1 << 20, 1 << 19]


@given(st.lists(st.integers(0, 2**32 - 1), min_size=EXPERTS, max_size=EXPERTS))
def test_lanes_come_back_as_they_were_packed(lanes: list[int]) -> None:
    assert lanes_of(packed(*lanes)) == lanes


def test_an_expert_without_votes_says_what_the_others_say() -> None:
    shares = shares_of({1: packed(1, 3), 8: packed(1, 1)})
    assert shares[1] == [2048, 3072] + [2560] * (EXPERTS - 2)
    assert shares[8] == [2048, 1024] + [1536] * (EXPERTS - 2)
    assert shares_of({1: 0}) == {}
    assert shares_of({}) == {}


def test_the_likeliest_end_is_the_second_with_most_votes_within_one() -> None:
    ends = {(8, 5): packed(3), (8, 9): packed(2), (8, 10): packed(2), (8, 11): packed(2), (1, 7): packed(1)}
    assert likeliest(ends, [10] + [0] * (EXPERTS - 1), [1] * EXPERTS) == (8, 10, 5, 11, 59)


# ---------------------------------------------------------------------- real phases


@pytest.mark.recordings
@pytest.mark.skipif(not REAL.is_dir(), reason="no recordings phases-hamburg (LEEZE_RECORDINGS)")
@pytest.mark.parametrize("name", ["horizontal_2389_5_1_14", "horizontal_783_24_6_11"])
def test_of_real_phases_fewer_seconds_are_wrong_than_by_a_table(name: str) -> None:
    with gzip.open(REAL / f"{name}.json.gz") as file:
        hour = json.load(file)["Cycles"][0]
    codes = {1: RED, 2: AMBER, 3: GREEN, 4: RED_AMBER}
    states = [codes[int(code)] for cycle in hour for code in cycle["Results"].strip("[]").split()]
    learner = PhaseLearner()
    table: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    contexts: list[tuple[int, int]] = []
    ours = theirs = 0
    for second, state in enumerate(states):
        learner.observe(second * NS_PER_S, state)
        contexts.append((state, contexts[-1][1] + 1 if second and states[second - 1] == state else 0))
        if second >= 10:
            table[contexts[second - 10]][state] += 1
        if second + 10 < len(states):
            seen = table.get(contexts[second])
            likely = learner.likely(second * NS_PER_S, 10)
            assert likely is not None
            theirs += (seen.most_common(1)[0][0] if seen else state) != states[second + 10]
            ours += likely[0] != states[second + 10]
    assert 0 < ours < theirs
