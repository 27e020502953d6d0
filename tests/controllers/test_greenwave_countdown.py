"""From marks to spans of red and green on our own clock."""

from __future__ import annotations

import pytest

from controllers.core.failsafe_panel import _DOUBTFUL_STATUS
from controllers.greenwave.countdown import BLANK_STATUS, MessageClock, Span, end_ms, span_at, spans_of
from drivers.codecs.spat import Intersection, Movement, Phase, to_signal_states
from drivers.quantities import SignalPhase
from drivers.units import FOREVER_NS, NS_PER_MS

P = SignalPhase
S = 1_000_000_000


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
    assert spans_of((P(state, likely_ms=5),), 0) == (Span(state >= 5, 5 * NS_PER_MS),)


def test_marks_out_of_order_end_what_is_known() -> None:
    phases = (P(5, likely_ms=20_000), P(7, likely_ms=10_000), P(3, likely_ms=60_000))
    assert spans_of(phases, 0) == (Span(True, 20_000 * NS_PER_MS),)


def test_a_running_phase_up_to_a_second_overdue_ends_now() -> None:
    assert spans_of((P(3, likely_ms=-1_000), *CYCLE[1:]), 5)[0] == Span(False, 13_300 * NS_PER_MS + 5)
    assert spans_of((P(5, likely_ms=-1_000),), 5) == (Span(True, 5),)
    assert spans_of((P(5, likely_ms=-1_001),), 5) == ()


def test_a_red_without_an_end_is_open_and_nothing_is_known_after_it() -> None:
    assert spans_of((P(3, 5_000), *CYCLE[1:]), 0) == (Span(False, FOREVER_NS),)
    assert spans_of((*CYCLE, P(3)), 0)[-1] == Span(False, FOREVER_NS)
    assert spans_of((P(8, 5_000), P(3)), 0, amber_is_green=False) == (Span(False, FOREVER_NS),)


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


def _clock() -> MessageClock:
    return MessageClock(stall_ns=2 * S, transport_delay_ns=0)


def _written_ms(clock: MessageClock, *heard: tuple[int, int | None]) -> list[int | None]:
    """Feed (arrival ms, message ms); what comes out, in ms."""
    found = [clock.written_ns(t_ms * NS_PER_MS, message_ms) for t_ms, message_ms in heard]
    return [None if written_ns is None else written_ns // NS_PER_MS for written_ns in found]


def test_trust_needs_a_second_message_that_agrees() -> None:
    clock = _clock()
    assert _written_ms(clock, (1000, 50)) == [None]
    assert not clock.trusted
    assert _written_ms(clock, (1100, 150)) == [1100]
    assert clock.trusted


def test_the_transport_delay_is_taken_off() -> None:
    clock = MessageClock(stall_ns=2 * S, transport_delay_ns=40 * NS_PER_MS)
    assert _written_ms(clock, (1000, 50), (1100, 150)) == [None, 1060]


def test_a_message_held_up_on_its_way_is_dated_by_the_controllers_clock() -> None:
    clock = _clock()
    # the third comes 500 ms late; the estimate moves by 1 % of the 600 ms since the second, no more
    assert _written_ms(clock, (1000, 0), (1100, 100), (1700, 200), (1710, 300)) == [None, 1100, 1206, 1300 + 6]


def test_an_earlier_message_moves_the_estimate_at_once() -> None:
    assert _written_ms(_clock(), (1000, 0), (1100, 100), (1150, 200), (1250, 300)) == [None, 1100, 1150, 1250]


def test_duplicates_and_older_messages_are_not_used() -> None:
    clock = _clock()
    assert _written_ms(clock, (1000, 0), (1100, 100), (1110, 100), (1120, 0), (1200, 200)) == [
        None,
        1100,
        None,
        None,
        1200,
    ]
    assert clock.trusted


@pytest.mark.parametrize("stands_at", [100, 60])
def test_a_clock_that_stands_still_or_goes_back_loses_trust_after_the_stall_time(stands_at: int) -> None:
    clock = _clock()
    _written_ms(clock, (1000, 0), (1100, 100), (3100, stands_at))
    assert clock.trusted
    _written_ms(clock, (3101, stands_at))
    assert not clock.trusted
    _written_ms(clock, (9000, stands_at), (9100, stands_at))
    assert not clock.trusted
    assert _written_ms(clock, (9200, stands_at + 100)) == [9200]  # it runs again


def test_a_short_stall_time_is_kept_although_the_step_is_small() -> None:
    clock = MessageClock(stall_ns=S // 2, transport_delay_ns=0)
    _written_ms(clock, (1000, 0), (1100, 100), (1600, 100))
    assert clock.trusted
    _written_ms(clock, (1601, 100))
    assert not clock.trusted


@pytest.mark.parametrize(("step_ms", "trusted"), [(1000, True), (1001, False), (-1000, True), (-1001, False)])
def test_a_clock_set_by_more_than_a_second_loses_trust_until_the_next_message(step_ms: int, trusted: bool) -> None:
    clock = _clock()
    _written_ms(clock, (1000, 5000), (1100, 5100), (6100, 10_100 - step_ms))
    assert clock.trusted == trusted
    _written_ms(clock, (6200, 10_200 - step_ms))
    assert clock.trusted


def test_a_clock_at_half_speed_is_not_trusted_for_long() -> None:
    clock = _clock()
    trusted = []
    for number in range(200):
        clock.written_ns(number * 100 * NS_PER_MS, number * 50)
        trusted.append(clock.trusted)
    assert not all(trusted[1:])


def test_new_year_starts_the_clock_anew() -> None:
    year_ms = 365 * 86_400_000
    clock = _clock()
    assert _written_ms(clock, (1000, year_ms - 200), (1100, year_ms - 100), (1200, 0), (1300, 100)) == [
        None,
        1100,
        None,
        1300,
    ]


def test_a_message_without_a_valid_time_or_a_lost_feed_ends_trust() -> None:
    clock = _clock()
    assert _written_ms(clock, (1000, 0), (1100, 100), (1200, None), (1300, 300), (1400, 400)) == [
        None,
        1100,
        None,
        None,
        1400,
    ]
    clock.forget()
    assert not clock.trusted
    assert _written_ms(clock, (1500, 500)) == [None]


def test_a_restored_clock_goes_on_as_before() -> None:
    clock, again = _clock(), _clock()
    _written_ms(clock, (1000, 0), (1100, 100), (1500, 200))
    again.restore(clock.snapshot())
    assert _written_ms(again, (1600, 300), (9000, 300)) == _written_ms(clock, (1600, 300), (9000, 300))
    assert again.snapshot() == clock.snapshot()
