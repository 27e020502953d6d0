"""The controller's clock, message by message: what is used, what is dated how, and what is known without messages."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from controllers.core.timebase import HOLDOVER_NS, TimeBase
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.traffic.arrivals import Arrival, Feed, Way

STALL_NS = 2 * NS_PER_S


def _base(transport_delay_ms: int = 0) -> TimeBase:
    return TimeBase(STALL_NS, transport_delay_ms * NS_PER_MS)


def _written_ms(base: TimeBase, *heard: tuple[int, int | None]) -> list[int | None]:
    """Feed (arrival ms, message ms); what comes out, in ms."""
    found = [base.written_ns(t_ms * NS_PER_MS, message_ms) for t_ms, message_ms in heard]
    return [None if written_ns is None else written_ns // NS_PER_MS for written_ns in found]


def _locked(until_ms: int = 60_000, first_ms: int = 5_000) -> TimeBase:
    """Exact messages ten times a second, the last at `until_ms`; at 0 the controller's clock showed `first_ms`."""
    base = _base()
    for t_ms in range(0, until_ms + 1, 100):
        base.written_ns(t_ms * NS_PER_MS, first_ms + t_ms)
    return base


def _hear(base: TimeBase, arrivals: list[Arrival]) -> None:
    for arrival in arrivals:
        base.written_ns(arrival.t_ns, arrival.message_ms)


def test_trust_needs_a_second_message_that_agrees() -> None:
    base = _base()
    assert _written_ms(base, (1000, 50)) == [None]
    assert not base.trusted
    assert base.state(NS_PER_S) == "lost"
    assert _written_ms(base, (1100, 150)) == [1100]
    assert base.trusted
    assert base.state(1100 * NS_PER_MS) == "locked"
    assert base.error_ns(1100 * NS_PER_MS) == NS_PER_S


def test_two_messages_that_differ_by_more_than_a_second_are_no_clock() -> None:
    base = _base()
    assert _written_ms(base, (1000, 0), (3001, 1_000), (3101, 1_100)) == [None, None, 3101]
    assert base.rejected == {"jumped": 1}


def test_the_transport_delay_is_taken_off() -> None:
    base = _base(40)
    assert _written_ms(base, (1000, 50), (1100, 150)) == [None, 1060]
    assert base.offset_ns(1100 * NS_PER_MS) == (1000 - 50 - 40) * NS_PER_MS


def test_a_message_held_up_on_its_way_is_dated_by_the_controllers_clock() -> None:
    assert _written_ms(_base(), (1000, 0), (1100, 100), (1700, 200), (1710, 300)) == [None, 1100, 1200, 1300]


def test_an_earlier_message_moves_the_estimate_at_once() -> None:
    assert _written_ms(_base(), (1000, 0), (1100, 100), (1150, 200), (1250, 300)) == [None, 1100, 1150, 1250]


def test_what_lies_under_way_longest_at_first_is_forgotten_when_a_faster_message_comes() -> None:
    """The first two were 190 ms late; the third shows it."""
    base = _base()
    assert _written_ms(base, (1190, 0), (1290, 100), (1200, 200), (1380, 300)) == [None, 1290, 1200, 1300]


def test_silence_is_holdover_after_the_stall_time_and_lost_after_ten_minutes_known_in_advance() -> None:
    base = _locked()
    last_ns = 60 * NS_PER_S
    assert base.state(last_ns + STALL_NS) == "locked"
    assert base.state(last_ns + STALL_NS + 1) == "holdover"
    assert base.lost_at_ns == last_ns + HOLDOVER_NS
    assert base.state(base.lost_at_ns - 1) == "holdover"
    assert base.state(base.lost_at_ns) == "lost"
    base.forget_if_lost(base.lost_at_ns - 1)
    assert base.trusted
    base.forget_if_lost(base.lost_at_ns)
    assert not base.trusted
    assert (base.lost_at_ns, base.phase_ns, base.offset_ns(0), base.error_ns(0)) == (FOREVER_NS, 0, None, None)


def test_the_bound_grows_in_holdover_and_the_moment_it_passes_a_limit_is_known() -> None:
    base = _locked(600_000)
    last_ns = 600 * NS_PER_S
    at_end_ns = base.error_ns(last_ns)
    assert at_end_ns is not None
    later = [base.error_ns(last_ns + s * NS_PER_S) for s in (60, 120, 300)]
    assert later == sorted(set(later))
    assert later[0] is not None
    assert later[0] - at_end_ns < NS_PER_MS
    limit_ns = at_end_ns + 1_000_000
    at_ns = base.exceeds_at_ns(limit_ns)
    before_ns, then_ns = base.error_ns(at_ns - 1), base.error_ns(at_ns)
    assert before_ns is not None
    assert then_ns is not None
    assert before_ns <= limit_ns < then_ns
    assert base.exceeds_at_ns(at_end_ns - 1) == last_ns
    assert _base().exceeds_at_ns(limit_ns) == 0


def test_after_ten_minutes_of_holdover_the_clock_begins_anew() -> None:
    base = _locked()
    t_ms = 60_000 + 600_000
    assert _written_ms(base, (t_ms, 5_000 + t_ms), (t_ms + 100, 5_100 + t_ms)) == [None, t_ms + 100]
    assert base.rejected == {}


def test_a_message_within_holdover_is_used_at_once() -> None:
    base = _locked()
    assert _written_ms(base, (600_000, 605_000)) == [600_000]
    assert base.state(600 * NS_PER_S) == "locked"


def test_after_five_minutes_of_silence_the_bound_is_not_thrown_away() -> None:
    feed, base = Feed(Way(), 8), _base()
    _hear(base, feed.arrivals(600))
    back = feed.arrivals(30, 900)
    for arrival in back:
        base.written_ns(arrival.t_ns, arrival.message_ms)
        offset_ns, error_ns = base.offset_ns(arrival.t_ns), base.error_ns(arrival.t_ns)
        assert offset_ns is not None
        assert error_ns is not None
        assert abs(offset_ns - feed.offset_ns(arrival.t_ns)) <= error_ns < 15 * NS_PER_MS
    assert set(base.rejected) == {"reordered"}


def test_a_feed_in_doubt_keeps_its_clock_but_two_messages_have_to_agree_before_it_is_used() -> None:
    base = _locked()
    before_ns = base.offset_ns(60 * NS_PER_S)
    base.doubt()
    assert not base.trusted
    assert base.state(60 * NS_PER_S) == "holdover"
    assert base.offset_ns(60 * NS_PER_S) == before_ns
    assert _written_ms(base, (61_000, 66_000)) == [None]
    assert not base.trusted
    assert _written_ms(base, (61_100, 66_100)) == [61_100]
    assert base.trusted


@pytest.mark.parametrize("ppm", [-120, -50, 0, 50, 120])
def test_the_drift_is_found_within_ten_minutes(ppm: int) -> None:
    base = _base()
    _hear(base, Feed(Way(drift_ppm=ppm), 3).arrivals(600))
    assert abs(base.drift_ppb - ppm * 1000) < 6_000


def test_every_message_of_a_good_feed_costs_no_rejection_and_memory_stays_bounded() -> None:
    base = _locked(3_600_000)
    assert (base.messages, base.rejected, base.steps) == (36_000, {}, 0)
    assert len(base.snapshot()["line"]["windows"]) <= 64
    assert base.written_ns(3_600_100 * NS_PER_MS, 3_605_100) == 3_600_100 * NS_PER_MS


def _at_77_ms(transport_delay_ms: int) -> TimeBase:
    """Stamped at full tenths, arriving at 77 ms."""
    base = _base(transport_delay_ms)
    for number in range(100):
        base.written_ns((1_077 + 100 * number) * NS_PER_MS, 500 + 100 * number)
    return base


def test_the_phase_is_two_milliseconds_behind_the_controllers_tenth_less_the_sites_delay() -> None:
    assert _at_77_ms(30).phase_ns == (77 - 30 + 2) * NS_PER_MS
    assert _at_77_ms(85).phase_ns == 94 * NS_PER_MS
    assert _at_77_ms(78).phase_ns == 0  # it stood right before anything was known


def test_the_phase_is_zero_until_the_error_is_small_and_then_changes_seldom() -> None:
    feed, base = Feed(Way(), 5), _base()
    phases = []
    for arrival in feed.arrivals(600):
        base.written_ns(arrival.t_ns, arrival.message_ms)
        phases.append(base.phase_ns)
    assert set(phases[:6]) == {0}
    behind_ns = (base.phase_ns - feed.offset_ns(arrival.t_ns)) % (100 * NS_PER_MS)
    assert behind_ns < 6 * NS_PER_MS
    changes = [after - before for before, after in pairwise(phases) if after != before]
    assert 1 <= len(changes) <= 15  # 30 ms of drift in these ten minutes, in steps of 2 ms or more
    assert all(2 * NS_PER_MS <= abs(step_ns) <= 98 * NS_PER_MS for step_ns in changes)


def test_the_phase_is_kept_through_holdover_and_zero_when_the_clock_is_lost() -> None:
    base = _at_77_ms(0)
    base.doubt()
    assert base.phase_ns == 79 * NS_PER_MS
    base.forget_if_lost(base.lost_at_ns)
    assert base.phase_ns == 0


def test_the_figures_are_json_and_say_what_is_known() -> None:
    base = _base()
    assert base.figures(5) == {
        "state": "lost",
        "offset_ms": None,
        "error_ms": None,
        "drift_ppm": 0.0,
        "age_ms": None,
        "phase_ms": 0.0,
        "messages": 0,
        "steps": 0,
        "rejected": {},
    }
    base = _locked()
    base.written_ns(60_050 * NS_PER_MS, 65_000)
    figures = json.loads(json.dumps(base.figures(60_150 * NS_PER_MS)))
    assert figures["error_ms"] == 2
    assert (figures["state"], figures["offset_ms"], figures["age_ms"]) == ("locked", -5_000, 150)
    assert figures["rejected"] == {"duplicate": 1}
    assert base.figures()["age_ms"] == 0
    gone = base.figures(base.lost_at_ns)
    assert (gone["state"], gone["offset_ms"], gone["error_ms"]) == ("lost", None, None)


@pytest.mark.parametrize("cut", [0, 1, 2, 5, 64, 200, 1_500])
def test_restored_anywhere_it_goes_on_as_before(cut: int) -> None:
    arrivals = Feed(Way(lost_per_mille=50, twice_per_mille=50), 9).arrivals(200)
    whole, again = _base(), _base()
    _hear(whole, arrivals[:cut])
    again.restore(json.loads(json.dumps(whole.snapshot())))
    assert again.snapshot() == whole.snapshot()
    for arrival in arrivals[cut:]:
        written_ns = whole.written_ns(arrival.t_ns, arrival.message_ms)
        assert again.written_ns(arrival.t_ns, arrival.message_ms) == written_ns
    assert json.dumps(again.snapshot()) == json.dumps(whole.snapshot())
