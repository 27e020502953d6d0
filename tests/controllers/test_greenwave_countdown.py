"""From marks to spans of red and green on our own clock."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from controllers.core.failsafe_panel import _DOUBTFUL_STATUS
from controllers.greenwave.countdown import BLANK_STATUS, Span, end_ms, span_at
from controllers.greenwave.forecast import Outlook
from drivers.codecs.spat import Intersection, Movement, Phase, to_signal_states
from drivers.quantities import SignalPhase
from drivers.units import FOREVER_NS, NS_PER_MS

P = SignalPhase
S = 1_000_000_000


def spans_of(phases: Sequence[SignalPhase], written_ns: int, amber_is_green: bool = True) -> tuple[Span, ...]:
    """What a first message tells a display at the stop line that learns nothing."""
    return Outlook(0, 50, 0, amber_is_green).hear(phases, written_ns, written_ns)


@pytest.mark.parametrize(
    ("phase", "ends_ms"),
    [
        (P(3, 11_300, 22_300, 12_300, 96), 12_300),  # a red of Münster's message
        (P(3, None, 266_300, 4_300, 56), 4_300),  # no min there, all the same
        (P(5, None, 10_300, 4_300, 96), 4_300),
        (P(5, 981_300, 981_300, 982_300, 56), 981_300),  # likely past max: kept inside
        (P(5, 12_000, 20_000, 10_000, 96), 12_000),
        (P(5, 20_000, 12_000, 30_000, 96), 30_000),  # min and max contradict each other: likely alone
        (P(5, 9_000, 20_000, 10_000, 47), 9_000),  # likely without confidence
        (P(5, 9_000, 20_000, 10_000, 50), 10_000),
        (P(5, 9_000, 20_000, 10_000, None), 10_000),
        (P(3, 9_000, 20_000, 10_000, 47), 20_000),
        (P(3, 9_000, 20_000), 20_000),
        (P(3, 9_000), None),  # min on red is a lower bound
        (P(4, 1_000), 1_000),
        (P(4, 1_000, 2_000), 2_000),
        (P(6, 9_000), 9_000),
        (P(6, None, 9_000), None),  # max on green promises nothing
        (P(7, None, 3_000), 3_000),
        (P(8, 2_000, 3_000), 2_000),
        (P(3, None, None, -1_000), 0),  # not switched yet
        (P(3, None, None, -1_001), None),  # overdue
        (P(3, None, 5_000, -1_001), 5_000),
        (P(5), None),
    ],
)
def test_the_end_of_a_phase_follows_the_table(phase: SignalPhase, ends_ms: int | None) -> None:
    assert end_ms(phase) == ends_ms


def test_a_mark_before_the_phase_before_is_taken_within_a_second_only() -> None:
    assert end_ms(P(7, 4_000), 5_000) == 5_000
    assert end_ms(P(7, 3_999), 5_000) is None


CYCLE = (P(3, likely_ms=12_300), P(4, likely_ms=13_300), P(5, likely_ms=50_300), P(7, likely_ms=53_300))


def test_red_amber_is_red_and_amber_is_green_by_muenster_practice() -> None:
    assert spans_of(CYCLE, 7) == (Span(False, 13_300 * NS_PER_MS + 7), Span(True, 53_300 * NS_PER_MS + 7))


def test_amber_is_waiting_where_the_site_says_so() -> None:
    ends = [(span.go, span.end_ns // NS_PER_MS) for span in spans_of(CYCLE, 0, amber_is_green=False)]
    assert ends == [(False, 13_300), (True, 50_300), (False, 53_300)]


@pytest.mark.parametrize("state", [0, 1, 2, 9, 10, -1])
def test_a_state_that_is_no_phase_ends_what_is_known(state: int) -> None:
    assert spans_of((P(state, likely_ms=1), *CYCLE), 0) == ()
    assert spans_of((CYCLE[0], P(state, likely_ms=99_999), *CYCLE[1:]), 0) == (Span(False, 12_300 * NS_PER_MS),)


@pytest.mark.parametrize("state", [3, 4, 5, 6, 7, 8])
def test_every_working_state_is_a_span(state: int) -> None:
    assert spans_of((P(state, likely_ms=5_000),), 0)[0].end_ns == 5_000 * NS_PER_MS
    assert spans_of((P(state, likely_ms=5_000),), 0)[0].go == (state >= 5)


def test_marks_out_of_order_end_what_is_known() -> None:
    phases = (P(5, likely_ms=20_000), P(7, likely_ms=10_000), P(3, likely_ms=60_000))
    assert spans_of(phases, 0) == (Span(True, 20_000 * NS_PER_MS, False),)  # amber follows, nobody knows how long


def test_a_running_phase_up_to_a_second_overdue_ends_now() -> None:
    assert spans_of((P(3, likely_ms=-1_000), *CYCLE[1:]), 5)[0] == Span(False, 13_300 * NS_PER_MS + 5)
    assert spans_of((P(5, likely_ms=-1_000),), 5)[0] == Span(True, 5)
    assert spans_of((P(5, likely_ms=-1_001),), 5) == (Span(True, 5 + S, False),)  # it runs on, nobody knows how long


def test_a_red_without_an_end_is_open_and_nothing_is_known_after_it() -> None:
    assert spans_of((P(3, 5_000), *CYCLE[1:]), 0) == (Span(False, FOREVER_NS, False),)
    assert spans_of((*CYCLE, P(3)), 0)[-1] == Span(False, FOREVER_NS, False)
    assert spans_of((P(8, 5_000), P(3)), 0, amber_is_green=False) == (Span(False, FOREVER_NS, False),)


def test_a_moment_lies_in_the_span_that_has_not_ended() -> None:
    spans = (Span(False, 10), Span(True, 20))
    assert [span_at(spans, t) for t in (-5, 9, 10, 19, 20)] == [spans[0], spans[0], spans[1], spans[1], None]


def test_the_last_mark_of_an_hour_is_past_the_hour() -> None:
    event = Intersection(1, None, 0, 59, 50_000, (Movement(2, (Phase(3, None, 50, None), Phase(5, None, None, 250))),))
    (state,) = to_signal_states(event, 1000 * S, "feed")
    assert spans_of(state.phases, state.t_ns) == (Span(False, 1015 * S), Span(True, 1035 * S))


def test_policy_and_gate_read_the_status_bits_alike_each_for_itself() -> None:
    assert BLANK_STATUS == _DOUBTFUL_STATUS
    assert [bit for bit in range(16) if BLANK_STATUS >> bit & 1] == [1, 2, 7, 8, 9, 13]
