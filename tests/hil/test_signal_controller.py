"""The scripted signal controller: its messages tell the truth it will keep, as vaguely as a real feed does."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.codecs.spat import Phase, message_ms, status_mask, to_signal_states
from drivers.codecs.spat_xml import SpatXmlDecoder, SpatXmlStream
from drivers.errors import InputError
from drivers.links.memory import memory_pair
from drivers.settings import parse_toml
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.signal_controller import SignalController
from hil.peers.signal_programme import Course, Group, Programme, Stage, Stretch

TOML = """
station = 4070
start_minute_of_year = 360538
start_ms = 30000
[[groups]]
group = 4
stages = [
  { colour = "red", duration_ms = 30000, min_early_ms = 9000, max_late_ms = 12000, max_unknown_ms = 1000 },
  { colour = "red-amber", duration_ms = 1000 },
  { colour = "green", duration_ms = 12000, max_late_ms = 5000 },
  { colour = "amber", duration_ms = 3000 },
]
stretches = [ { at_ms = 20000, extend_ms = 8000 }, { at_ms = 33000, extend_ms = 2000 } ]
[[groups]]
group = 65
"""


def programme(extra=""):
    return parse_toml(TOML + extra, Programme, "test.toml")


def play(script, until_ms, **options):
    """(t_ms, bytes) of everything the controller sends."""
    near, far = memory_pair("feed")
    sent = []
    near.receiver = lambda data, t_ns: sent.append((t_ns // NS_PER_MS, data))
    peer = SignalController("controller", far, script, **options)
    while peer.wake_ns <= until_ms * NS_PER_MS:
        peer.run(peer.wake_ns)
    return sent


def running(script, t_ms, group=4):
    """The running phase of a group as a driver sees it."""
    (found,) = SpatXmlDecoder().decode(dict(play(script, t_ms))[t_ms])
    return next(state for state in to_signal_states(found, 0, "") if state.group == group).phases[0]


def test_ten_messages_a_second_with_an_exact_clock_across_the_hour():
    sent = play(programme(), 120_000)
    clocks = []
    for _, message in sent:
        (found,) = SpatXmlDecoder().decode(message)
        clocks.append(message_ms(found.minute_of_year, found.timestamp_ms))
    assert [t_ms for t_ms, _ in sent] == list(range(0, 120_001, 100))
    assert clocks == [360_538 * 60_000 + 30_000 + t_ms for t_ms, _ in sent]
    assert clocks[0] // 3_600_000 < clocks[-1] // 3_600_000


def test_a_stretched_red_ends_later_and_its_likely_time_rises_when_that_is_decided():
    script = programme()
    assert running(script, 19_900).likely_ms == 10_100
    assert running(script, 20_000).likely_ms == 18_000
    assert running(script, 33_000).likely_ms == 7_000
    assert running(script, 39_900).state == 3
    assert running(script, 40_000).state == 4
    assert running(script, 41_000).state == 5
    assert running(script, 86_000).state == 4  # the next cycle is not stretched


def test_min_end_of_a_red_is_early_and_closes_up_in_three_jumps_and_is_undefined_once_passed():
    script = programme()
    assert running(script, 0).min_end_ms == 21_000
    assert running(script, 9_900).min_end_ms == 11_100
    assert running(script, 10_000).min_end_ms == 14_000
    assert running(script, 20_000).min_end_ms == 15_000
    assert running(script, 38_000).min_end_ms == 2_000
    green = Group(1, (Stage("green", 10_000, min_early_ms=9_000),))
    (found,) = SpatXmlDecoder().decode(play(Programme(1, (green,)), 2_000)[-1][1])
    assert found.groups[0].phases[0].min_end_mark == 36_001


def test_max_end_is_unknown_at_first_and_then_keeps_through_a_stretch():
    script = programme()
    assert running(script, 900).max_end_ms is None
    assert running(script, 1_000).max_end_ms == 41_000
    assert running(script, 25_000).max_end_ms == 17_000


def test_an_end_too_far_away_for_a_mark_is_not_given():
    (found,) = SpatXmlDecoder().decode(play(Programme(1, (Group(1, (Stage("dark", 3_600_000),)),)), 0)[0][1])
    assert found.groups[0].phases[0].likely_mark == 36_000


def test_a_group_without_stages_is_off():
    (found,) = SpatXmlDecoder().decode(play(programme(), 0)[0][1])
    assert found.groups[1].phases == (Phase(0),)


def test_coming_phases_are_listed_in_order():
    (found,) = SpatXmlDecoder().decode(play(programme(), 0)[0][1])
    assert [phase.state for phase in found.groups[0].phases] == [3, 4, 5, 7]


def test_the_bench_can_set_the_clock_in_utc():
    # 2024-12-31 23:59:59.900, a leap year: minute 527039
    sent = play(programme(), 200, start_utc_ns=1_735_689_599_900 * NS_PER_MS)
    times = [SpatXmlDecoder().decode(message)[0] for _, message in sent]
    assert [(t.minute_of_year, t.timestamp_ms) for t in times] == [(527_039, 59_900), (0, 0), (0, 100)]


def fault(kind, more=""):
    return f'[[faults]]\nkind = "{kind}"\nfrom_ms = 1000\nto_ms = 1950\n{more}\n'


def test_a_lost_feed_is_silent_until_it_returns():
    sent = [t_ms for t_ms, _ in play(programme(fault("lost")), 2_200)]
    assert sent == [*range(0, 1000, 100), 2000, 2100, 2200]


def test_a_failed_controller_sets_its_bits_and_shows_what_it_shows():
    sent = dict(play(programme(fault("status", 'bits = ["failureFlash"]\ncolour = "flashing-amber"')), 2_000))
    before, during, after = (SpatXmlDecoder().decode(sent[t])[0] for t in (900, 1000, 2000))
    assert before.status == after.status == status_mask(["trafficDependentOperation"])
    assert during.status == status_mask(["trafficDependentOperation", "failureFlash"])
    assert [movement.phases for movement in during.groups] == [(Phase(9),), (Phase(9),)]


def test_a_clock_may_stand_still_while_the_marks_go_on():
    sent = dict(play(programme(fault("clock-stopped")), 2_000))
    found = {t: SpatXmlDecoder().decode(sent[t])[0] for t in (1000, 1900, 2000)}
    assert found[1000].timestamp_ms == found[1900].timestamp_ms == 31_000
    assert found[2000].timestamp_ms == 32_000
    assert found[1000].groups[0].phases[0].likely_mark == found[1900].groups[0].phases[0].likely_mark


def test_other_stations_other_types_and_cut_messages_are_what_a_stream_counts():
    faults = fault("other-station", "station = 9") + fault("other-message") + fault("truncated")
    stream = SpatXmlStream(4070)
    data = b"".join(message for _, message in play(programme(faults), 3_000))
    stream.feed(data)
    assert stream.other_stations + stream.other_messages + stream.bad_messages == 30
    assert (stream.messages, stream.bad_messages) == (21, 10)


def test_a_run_taken_up_from_a_snapshot_sends_the_same_bytes():
    script = programme(fault("lost"))
    whole = play(script, 60_000)
    near, far = memory_pair("feed")
    first = SignalController("controller", far, script)
    while first.wake_ns <= 30 * NS_PER_S:
        first.run(first.wake_ns)
    again = SignalController("controller", far, script)
    again.restore(json.loads(json.dumps(first.snapshot())))
    sent = []
    near.receiver = lambda data, t_ns: sent.append((t_ns // NS_PER_MS, data))
    while again.wake_ns <= 60 * NS_PER_S:
        again.run(again.wake_ns - 1)  # too early: nothing happens
        again.run(again.wake_ns)
    assert sent == [pair for pair in whole if pair[0] > 30_000]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (("at_ms = 20000", "at_ms = 41500"), "not red"),
        (("extend_ms = 8000", "extend_ms = 13000"), "max_late_ms"),
        (('colour = "green"', 'colour = "blue"'), "blue"),
        (("group = 65", "group = 4"), "twice"),
        (("group = 65", "group = 65\nstretches = [{ at_ms = 1, extend_ms = 1 }]"), "no stages"),
        (("group = 65", "group = 65\noffset = 3"), "unknown key `offset`"),
        (("start_ms = 30000", 'status = ["flash"]'), "failureFlash"),
    ],
)
def test_a_wrong_programme_is_refused_with_the_place_and_what_would_be_right(wrong, says):
    with pytest.raises(InputError, match=says):
        parse_toml(TOML.replace(*wrong), Programme, "test.toml")


def test_a_fault_must_end_after_it_begins():
    with pytest.raises(InputError, match="to_ms"):
        programme(fault("lost").replace("1950", "1000"))


@st.composite
def courses(draw):
    durations = draw(st.lists(st.integers(100, 5_000), min_size=1, max_size=3))
    stages = [Stage("red", draw(st.integers(100, 5_000)), 700, 100_000)]
    stages += [Stage("green", duration_ms) for duration_ms in durations]
    group = Group(1, tuple(stages), draw(st.integers(0, 9_999)))
    for at_ms in draw(st.lists(st.integers(0, 15_000), max_size=4)):
        if Course(group).ahead(at_ms, 1)[0].state == 3:
            stretch = Stretch(at_ms, draw(st.integers(1, 4_000)))
            if all(stretch.at_ms >= known.at_ms for known in group.stretches):
                group = Group(1, group.stages, group.offset_ms, (*group.stretches, stretch))
    return group


@settings(max_examples=60)
@given(group=courses(), t_ms=st.integers(0, 40_000))
def test_what_is_said_of_an_end_is_kept_unless_a_stretch_is_decided_later(group, t_ms):
    course = Course(group)
    now, following = course.ahead(t_ms, 2)
    assert now.min_ms <= now.likely_ms <= now.max_ms
    if any(t_ms < stretch.at_ms < now.likely_ms for stretch in group.stretches):
        assert now.state == course.ahead(now.likely_ms, 1)[0].state == 3  # only reds are stretched
    else:
        assert course.ahead(now.likely_ms - 1, 1)[0].likely_ms == now.likely_ms
        assert course.ahead(now.likely_ms, 1)[0].state == following.state
