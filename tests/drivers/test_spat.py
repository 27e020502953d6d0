"""SPAT values: times across the hour, status bits, what becomes of a message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs.spat import (
    CONFIDENCE_PCT,
    PHASE_STATES,
    STATUS_BITS,
    Intersection,
    Movement,
    Phase,
    message_ms,
    remaining_ms,
    status_mask,
    to_signal_states,
)
from drivers.quantities import SignalPhase, SignalState


@pytest.mark.parametrize(
    ("mark", "minute", "millisecond", "expected"),
    [
        (50, 59, 50_000, 15_000),
        (18_000, 30, 100, -100),
        (60, 360_534, 58_718, 307_282),
        (33_100, 360_534, 58_718, 11_282),
    ],
)
def test_remaining_time_is_that_of_the_worked_examples(mark, minute, millisecond, expected):
    assert remaining_ms(mark, minute, millisecond) == expected


@pytest.mark.parametrize("mark", [None, 36_000, 36_001, 36_111, 65_535])
def test_a_mark_from_36000_up_has_no_remaining_time(mark):
    assert remaining_ms(mark, 0, 0) is None
    assert remaining_ms(35_999, 59, 0) == 59_900


@pytest.mark.parametrize(
    ("minute", "millisecond"), [(None, 0), (0, None), (527_040, 0), (-1, 0), (0, 61_000), (0, 65_535), (0, -1)]
)
def test_a_message_without_valid_time_has_no_clock_and_no_remaining_times(minute, millisecond):
    assert message_ms(minute, millisecond) is None
    assert remaining_ms(100, minute, millisecond) is None


def test_the_last_valid_clock_is_in_a_leap_second():
    assert message_ms(527_039, 60_999) == 527_039 * 60_000 + 60_999
    assert message_ms(360_534, 58_718) == 21_632_098_718


@given(minute=st.integers(0, 527_039), millisecond=st.integers(0, 59_999), ahead=st.integers(-5_999, 29_999))
def test_any_end_ten_minutes_back_to_fifty_minutes_ahead_is_found_again_across_the_hour(minute, millisecond, ahead):
    now_ms = minute * 60_000 + millisecond
    end_tenths = now_ms // 100 + ahead
    assert remaining_ms(end_tenths % 36_000, minute, millisecond) == end_tenths * 100 - now_ms


def test_every_time_of_a_phase_stands_on_its_own():
    phase = Phase(5, 36_001, 33_090, None, 13)
    (state,) = to_signal_states(Intersection(4070, 1, 4, 360_534, 58_718, (Movement(8, (phase,)),)), 7, "feed")
    assert state == SignalState(7, "feed", 4070, 8, 4, 21_632_098_718, (SignalPhase(5, None, 10_282, None, 96),))


def test_a_group_that_is_off_keeps_its_state_without_times():
    (state,) = to_signal_states(Intersection(1, None, 0, None, None, (Movement(65, (Phase(0),)),)), 0, "feed")
    assert state.phases == (SignalPhase(0),)
    assert state.message_ms is None


def test_status_bits_lie_at_their_number_in_the_standard():
    assert status_mask(["failureFlash", "off", "noValidSPATisAvailableAtThisTime"]) == 1 << 2 | 1 << 9 | 1 << 13
    with pytest.raises(KeyError, match="flash"):
        status_mask(["flash"])


def test_the_tables_are_complete():
    assert (len(PHASE_STATES), len(STATUS_BITS), len(CONFIDENCE_PCT)) == (10, 14, 16)
    assert list(CONFIDENCE_PCT) == sorted(CONFIDENCE_PCT)
