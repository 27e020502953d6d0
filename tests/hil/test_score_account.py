"""The account of a score: what the signal did, what was shown, errors, jumps, wrong colour, darkness. By hand."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.quantities import SignalPhase, SignalState
from drivers.units import NS_PER_MS, NS_PER_S
from hil.score_baseline import Memoryless
from hil.score_feed import Disturbance
from hil.score_shown import Errors, Ledger
from hil.score_table import total
from hil.score_truth import GO, NONE, WAIT, GroupHistory, Phases, StationClock

YEAR_MS = 365 * 86_400_000
RED, RED_AMBER, GREEN, AMBER = 3, 4, 6, 8


def at(seconds: float) -> int:
    return round(seconds * 1000) * NS_PER_MS


def phases(*told: tuple[int, float], ends_s: float, slack_s: float = 0.1) -> Phases:
    """(kind, start): the last one has not ended."""
    starts = [at(start_s) for _, start_s in told] + [at(ends_s)]
    kinds = bytearray(kind for kind, _ in told)
    ended = bytearray(n + 1 < len(kinds) and kinds[n] != NONE and kinds[n + 1] != NONE for n in range(len(kinds)))
    return Phases(kinds, array("q", starts), array("q", [at(slack_s)] * len(kinds)), ended)


CYCLE = phases((WAIT, 0), (GO, 40), (WAIT, 60), (GO, 100), ends_s=105)
HERE = {GO: 0, WAIT: 0}


def told(t_ms: int, state: int, message_ms: int | None, status: int = 0) -> SignalState:
    return SignalState(t_ms * NS_PER_MS, "feed", 1, 7, status, message_ms, (SignalPhase(state),) if state else ())


def history(*values: SignalState, longest_s: float = 2.0) -> GroupHistory:
    clock = StationClock()
    found = GroupHistory(clock, at(longest_s))
    for value in values:
        found.add(value, clock.stamp_ns(value.t_ns, value.message_ms))
    return found


def kinds_and_starts(found: Phases) -> list[tuple[int, int]]:
    return list(zip(found.kind, [start // NS_PER_MS for start in found.start_ns], strict=False))


# ---------------------------------------------------------------------------------------- what the signal did


def test_red_amber_waits_and_amber_goes_as_the_site_says() -> None:
    values = [told(t, s, t) for t, s in ((0, RED), (1000, RED_AMBER), (2000, GREEN), (3000, AMBER), (4000, RED))]
    assert kinds_and_starts(history(*values).phases(True)) == [(WAIT, 0), (GO, 2000), (WAIT, 4000)]
    assert kinds_and_starts(history(*values).phases(False)) == [(WAIT, 0), (GO, 2000), (WAIT, 3000)]


def test_a_change_counts_at_the_controllers_time_however_late_its_message_came() -> None:
    late = [told(100 * n + (290 if n % 3 == 1 else 0), RED if n < 20 else GREEN, 100 * n) for n in range(40)]
    found = history(*sorted(late, key=lambda value: value.t_ns)).phases(True)
    assert kinds_and_starts(found) == [(WAIT, 0), (GO, 2000)]
    assert found.ended == bytearray([1, 0])


def test_a_message_that_was_overtaken_takes_nothing_back() -> None:
    found = history(told(0, RED, 0), told(300, GREEN, 300), told(310, RED, 200), told(400, GREEN, 400))
    assert kinds_and_starts(found.phases(True)) == [(WAIT, 0), (GO, 300)]


@pytest.mark.parametrize("days", [365, 366])
def test_the_year_ends_between_two_messages_and_nothing_else_happens(days: int) -> None:
    end_ms = days * 86_400_000
    values = [told(100 * n, RED if n < 7 else GREEN, (end_ms - 500 + 100 * n) % end_ms) for n in range(20)]
    assert kinds_and_starts(history(*values).phases(True)) == [(WAIT, 0), (GO, 700)]


def test_without_a_clock_or_with_one_that_stands_the_arrival_counts() -> None:
    without = history(*[told(100 * n, RED if n < 5 else GREEN, None) for n in range(10)])
    stands = history(*[told(100 * n, RED if n < 5 else GREEN, 7777) for n in range(10)])
    for found in (without, stands):
        assert kinds_and_starts(found.phases(True)) == [(WAIT, 0), (GO, 500)]


def test_what_happened_while_the_recording_was_silent_is_not_judged() -> None:
    found = history(told(0, RED, 0), told(1000, RED, 1000), told(5000, GREEN, 5000), told(6000, GREEN, 6000)).phases(
        True
    )
    assert kinds_and_starts(found) == [(WAIT, 0), (NONE, 1000), (GO, 5000)]
    assert not found.ended[0]


def test_a_signal_that_fails_has_not_ended_its_phase() -> None:
    found = history(told(0, RED, 0), told(1000, RED, 1000, status=1 << 2), told(2000, GREEN, 2000)).phases(True)
    assert kinds_and_starts(found) == [(WAIT, 0), (NONE, 1000), (GO, 2000)]
    assert not any(found.ended[:2])


def test_a_pause_of_a_recording_is_no_outage() -> None:
    found = history(told(0, RED, 0), told(1000, RED, 1000), told(999_000, GREEN, 999_000)).phases(True)
    assert found.pauses_ns == [(at(1), at(999))]
    ledger = Ledger(found, HERE)
    ledger.look(0, NONE, 0, None, 0)
    ledger.look(at(999), GO, 0, None, 0)
    ledger.finish(at(1000))
    assert (ledger.figures()["dark_s"], ledger.figures()["shown_s"]) == (1.0, 1.0)


# ---------------------------------------------------------------------------------------- what was shown of it


def perfect(ledger: Ledger, off_s: float = 0.0, step_s: float = 0.1) -> dict[str, object]:
    """A display that is `off_s` wrong about every end, looked at each `step_s`."""
    for n in range(round(105 / step_s)):
        t_s = n * step_s
        end_s = next(end for end in (40, 60, 100, 120) if t_s < end - 1e-9)
        kind = {40: WAIT, 60: GO, 100: WAIT, 120: GO}[end_s]
        ledger.look(at(t_s), kind, 0, at(max(0.0, end_s + off_s - t_s)), 0)
    ledger.finish(at(105))
    return ledger.figures()


def test_a_display_that_knows_is_right_everywhere() -> None:
    found = perfect(Ledger(CYCLE, HERE))
    assert found["phases"] == 3
    assert [found[f"phases_at_{h}s"] for h in (5, 10, 20, 30)] == [3, 3, 3, 2]
    assert [found[f"within_1s_at_{h}s"] for h in (5, 10, 20, 30)] == [1.0] * 4
    assert (found["upward_jumps"], found["wrong_colour_s"], found["dark_s"], found["shown_s"]) == (0, 0, 0, 105)


@pytest.mark.parametrize(("off_s", "share"), [(0.9, 1.0), (1.1, 1.0), (1.2, 0.0), (-1.1, 1.0), (-1.2, 0.0)])
def test_within_a_second_means_a_second_and_one_decision(off_s: float, share: float) -> None:
    found = perfect(Ledger(CYCLE, HERE), off_s)
    assert found["within_1s_at_10s"] == share
    assert found["error_s_at_10s"]["wait"]["p50"] == pytest.approx(off_s)  # type: ignore[index]


def test_what_is_not_told_is_missed() -> None:
    ledger = Ledger(CYCLE, HERE)
    ledger.look(0, WAIT, 0, None, 0)
    ledger.look(at(40), GO, 0, at(20), 0)
    ledger.look(at(60), NONE, 0, None, 0)
    ledger.finish(at(105))
    found = ledger.figures()
    assert found["within_1s_at_10s"] == found["told_at_10s"] == pytest.approx(1 / 3, abs=1e-4)
    assert (found["without_end_s"], found["dark_s"]) == (40, 45)
    assert found["error_s_at_10s"]["wait"]["p50"] is None


def test_a_phase_too_short_for_a_horizon_is_not_asked_and_none_at_all_is_null() -> None:
    ledger = Ledger(phases((WAIT, 0), (GO, 8), (WAIT, 15), ends_s=18), HERE)
    ledger.look(0, WAIT, 0, None, 0)
    ledger.finish(at(18))
    found = ledger.figures()
    assert found["phases_at_5s"] == 2
    assert found["within_1s_at_10s"] is found["within_1s_at_30s"] is None


def test_the_wrong_colour_counts_but_for_the_time_in_which_the_change_itself_is_open() -> None:
    ledger = Ledger(CYCLE, HERE)
    ledger.look(0, WAIT, 0, None, 0)
    ledger.look(at(42), GO, 0, None, 0)  # 2 s late, one decision of it is granted
    ledger.look(at(59.5), WAIT, 0, None, 0)  # 0.5 s early: the change is known to 0.1 s, and one decision
    ledger.look(at(100.1), GO, 0, None, 0)
    ledger.finish(at(105))
    assert ledger.figures()["wrong_colour_s"] == pytest.approx(1.9 + 0.3)


def test_a_number_that_rises_within_a_phase_jumps_and_one_that_begins_another_does_not() -> None:
    ledger = Ledger(CYCLE, HERE)
    for t_s, kind, left_s in ((1, WAIT, 30), (2, WAIT, 29), (3, WAIT, 33), (4, WAIT, 32), (41, GO, 19), (61, WAIT, 39)):
        ledger.look(at(t_s), kind, 0, at(left_s), 0)
    assert ledger.jumps == 1


def test_many_small_rises_are_a_jump_and_darkness_hides_none() -> None:
    creeping, hidden = Ledger(CYCLE, HERE), Ledger(CYCLE, HERE)
    for n in range(10):
        creeping.look(at(1 + n / 10), WAIT, 0, at(20) + n * 30 * NS_PER_MS, 0)
    hidden.look(at(1), WAIT, 0, at(5), 0)
    hidden.look(at(2), NONE, 0, None, 0)
    hidden.look(at(9), WAIT, 0, at(25), 0)
    assert (creeping.jumps, hidden.jumps) == (2, 1)


def test_darkness_is_needless_only_while_the_feed_says_enough() -> None:
    ledger = Ledger(CYCLE, HERE)
    ledger.look(0, NONE, 0, None, at(1))
    ledger.look(at(5), NONE, 0, None, at(20))
    ledger.look(at(10), WAIT, 0, None, at(20))
    ledger.finish(at(15))
    found = ledger.figures()
    assert (found["dark_s"], found["needless_dark_s"]) == (10, 6)


def test_a_display_down_the_road_is_held_against_what_its_rider_meets() -> None:
    """24 s before the stop line, 18.8 s for the fast: red ends at 16, go at 41.2 for these."""
    ledger = Ledger(CYCLE, {GO: at(18.8), WAIT: at(24)})
    ledger.look(0, WAIT, at(24), at(16), 0)
    ledger.look(at(16), GO, at(24), at(60 - 18.8 - 16), 0)
    ledger.look(at(36), GO, at(18.8), at(60 - 18.8 - 36), 0)
    ledger.look(at(41.2), WAIT, at(24), at(100 - 24 - 41.2), 0)
    ledger.finish(at(76))
    found = ledger.figures()
    assert found["wrong_colour_s"] == 0
    assert (found["within_1s_at_5s"], found["within_1s_at_10s"], found["phases_at_10s"]) == (1.0, 1.0, 3)


def test_what_ends_before_the_account_begins_is_left_out() -> None:
    found = perfect(Ledger(CYCLE, HERE, from_ns=at(50)))
    assert (found["phases"], found["phases_at_5s"], found["phases_at_20s"]) == (2, 2, 1)
    assert found["shown_s"] == 55


@given(st.lists(st.integers(-200_000, 200_000), min_size=1, max_size=60))
def test_percentiles_of_errors_are_those_of_the_list_to_a_tenth(errors_ms: list[int]) -> None:
    errors = Errors()
    for error_ms in errors_ms:
        errors.add(error_ms * NS_PER_MS)
    in_order = sorted(errors_ms)
    for per_cent in (5, 50, 95):
        rank = max(1, -(-len(in_order) * per_cent // 100))
        exact_s = max(-120.0, min(120.0, in_order[rank - 1] / 1000))
        assert errors.percentile_s(per_cent) == pytest.approx(exact_s, abs=0.051)


def test_all_groups_together_are_weighed_by_their_phases() -> None:
    good, none = perfect(Ledger(CYCLE, HERE)), perfect(Ledger(CYCLE, HERE), 5.0)
    both = total([good, good, none])
    assert both["within_1s_at_10s"] == pytest.approx(2 / 3, abs=1e-4)
    assert (both["phases"], both["shown_s"]) == (9, 315)


# ---------------------------------------------------------------------------------------- without memory, hindered


def test_the_memoryless_display_shows_likely_or_else_the_minimum_from_the_arrival_on() -> None:
    plain = Memoryless(True, 0)
    ends = (SignalPhase(RED, 9000, 20_000, 12_000, 96), SignalPhase(GREEN, 30_000, None, None, None))
    plain.hear(SignalState(at(1), "feed", 1, 7, 0, 0, ends))
    assert plain.shows(at(2)) == (WAIT, at(11))
    plain.hear(SignalState(at(3), "feed", 1, 7, 0, 2000, (SignalPhase(RED, 7000),)))
    assert plain.shows(at(3)) == (WAIT, at(7))
    plain.hear(SignalState(at(4), "feed", 1, 7, 0, 3000, (SignalPhase(GREEN),)))
    assert plain.shows(at(4)) == (GO, None)
    assert plain.shows(at(20)) == (NONE, None)


def test_a_seed_stands_for_one_way_of_disturbing() -> None:
    way = Disturbance(delay_ms=300, loss_pct=10, outages=((2, 60), (2, 400)), seed=3)
    once = [way.arrival_ns(n, n * 100 * NS_PER_MS, 0) for n in range(6000)]
    assert once == [way.arrival_ns(n, n * 100 * NS_PER_MS, 0) for n in range(6000)]
    assert all(once[n] is None for n in (*range(600, 620), *range(4000, 4020)))
    lost = sum(arrival is None for arrival in once)
    assert 0.09 * 6000 + 40 < lost + 10 < 0.12 * 6000
    delays = [arrival - n * 100 * NS_PER_MS for n, arrival in enumerate(once) if arrival is not None]
    assert 0 <= min(delays) < NS_PER_MS * 2
    assert 298 * NS_PER_MS < max(delays) <= 300 * NS_PER_MS
    assert any(a > b for a, b in zip(*[[x for x in once if x is not None][k:] for k in (0, 1)], strict=False))
    assert once != [Disturbance(delay_ms=300, loss_pct=10, seed=4).arrival_ns(n, n * NS_PER_S, 0) for n in range(6000)]
