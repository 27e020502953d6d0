"""States known from observations: what holds, for how long, and what is refused."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.codecs.sensorthings import Observation, encode_observation, ms_of_year
from drivers.devices.observed_groups import MOST_DATASTREAMS, REPEAT_NS, ObservedGroups
from drivers.devices.signal_feed import GONE as GONE_WORDS
from drivers.devices.signal_feed import SignalFeed
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth, SignalPhase, SignalState
from drivers.topics import GONE, OPEN
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

NEW_YEAR_MS = 1_798_761_600_000
"""2027 begins."""
EPOCH_MS = NEW_YEAR_MS + 3_600_000
STALE_NS = 120 * NS_PER_S
RED, GREEN, LIFE = 1, 3, 7002


def observed(result, at_ms, datastream=7001, told_ms=None):
    return encode_observation(Observation(datastream, EPOCH_MS + at_ms, told_ms, result))


class Bench:
    def __init__(self, **more):
        near, self.far = memory_pair("feed")
        self.values = []
        said = {"station": 12, "datastreams": {7001: 4}, "alive": frozenset({LIFE})} | more
        self.feed = SignalFeed(
            "feed", near, self.values.append, message_format="sensorthings", stale_ns=STALE_NS, **said
        )
        self.feed.advance(0)

    def tell(self, result, at_ms, late_ms=200, **more):
        self.far.write(observed(result, at_ms, **more), (at_ms + late_ms) * NS_PER_MS)
        return self.taken()

    def until(self, now_ms):
        while self.feed.wake_ns <= now_ms * NS_PER_MS:
            self.feed.advance(self.feed.wake_ns)
        return self.taken()

    def taken(self):
        values, self.values[:] = list(self.values), []
        return values

    def refused(self):
        counted = self.feed.counters()
        return {name.removeprefix("bad_"): n for name, n in counted.items() if name.startswith("bad_") and n}


def test_a_change_is_one_value_of_one_phase_without_times():
    bench = Bench()
    stamp_ms = ms_of_year(EPOCH_MS) + 1000
    assert bench.tell(GREEN, 1000) == [
        SignalState(1200 * NS_PER_MS, "feed", 12, 4, 0, stamp_ms, (SignalPhase(6),)),
    ]


def test_what_holds_is_told_again_twice_a_second_as_of_the_controllers_time():
    bench = Bench()
    bench.tell(GREEN, 1000)
    told = bench.until(3200)
    assert [value.t_ns for value in told] == [(1200 + 500 * n) * NS_PER_MS for n in range(1, 5)]
    assert [value.message_ms - ms_of_year(EPOCH_MS) for value in told] == [1500, 2000, 2500, 3000]
    assert {value.phases for value in told} == {(SignalPhase(6),)}
    assert {(value.again, value.behind_ms) for value in told} == {(True, 0)}


def test_repeats_run_by_the_least_delayed_and_stamps_of_a_group_never_go_back():
    bench = Bench()
    bench.tell(GREEN, 1000, late_ms=100)
    stamps = [value.message_ms for value in bench.until(2100)]
    (late,) = bench.tell(RED, 1500, late_ms=900)
    assert late.message_ms == stamps[-1] + 1
    assert not late.again
    assert late.message_ms - late.behind_ms == ms_of_year(EPOCH_MS) + 1500
    again = bench.until(3700)[-1]
    assert again.message_ms - ms_of_year(EPOCH_MS) == again.t_ns // NS_PER_MS - 100


def test_silence_is_no_doubt_until_nothing_at_all_was_observed_for_long():
    bench = Bench()
    bench.tell(RED, 0)
    assert all(isinstance(value, SignalState) for value in bench.until(120_100))
    bench.tell(17, 119_000, late_ms=1200, datastream=LIFE)
    told = bench.until(240_100)
    assert all(isinstance(value, SignalState) for value in told)
    assert len(told) > 200
    *_, last = bench.until(300_000)
    assert last == DeviceHealth(240_200 * NS_PER_MS, "feed", False, "stale")
    assert bench.feed.wake_ns == FOREVER_NS
    assert [type(value) for value in bench.tell(1, 301_000, datastream=LIFE)] == [DeviceHealth]
    assert bench.until(302_000) == [], "it lives, but what it shows by now nobody has heard"
    assert [value.phases[0].state for value in bench.tell(RED, 303_000)] == [3]


def test_a_lost_broker_is_told_at_once_and_nothing_holds_any_more():
    bench = Bench()
    bench.far.write(OPEN, 0)
    bench.tell(GREEN, 1000)
    bench.far.write(GONE, 1_300 * NS_PER_MS)
    bench.far.write(GONE, 1_400 * NS_PER_MS)
    assert bench.taken() == [DeviceHealth(1_300 * NS_PER_MS, "feed", False, GONE_WORDS)]
    assert bench.until(5_000) == []
    bench.far.write(OPEN, 5_000 * NS_PER_MS)
    assert bench.taken() == bench.until(6_000) == []
    assert [type(value) for value in bench.tell(RED, 7_000)] == [DeviceHealth, SignalState]


def test_each_observation_that_is_refused_is_counted_by_name():
    bench = Bench()
    bench.tell(RED, 400_000)
    assert bench.tell(RED, 400_000, late_ms=300) == []
    assert bench.tell(GREEN, 399_000, late_ms=1_500) == []
    assert bench.tell(GREEN, 401_000, told_ms=EPOCH_MS + 702_000) == []
    assert bench.tell(GREEN, 90_000, late_ms=311_000) == []
    assert bench.tell(GREEN, 90_000_000, late_ms=-89_600_000) == []
    assert bench.tell(3, 402_000, datastream=9) == []
    bench.far.write(b"noise", 403_000 * NS_PER_MS)
    assert bench.refused() == {
        "duplicate": 1,
        "out_of_order": 1,
        "too_old": 2,
        "from_future": 1,
        "malformed": 1,
        "frames": 1,
    }
    assert (bench.feed.other_messages, bench.feed.messages, bench.feed.skipped_bytes) == (1, 1, 5)
    assert [value.phases[0].state for value in bench.tell(GREEN, 403_500)] == [6]


def test_an_unknown_state_is_told_as_a_group_without_phases_and_does_not_hold():
    bench = Bench()
    bench.tell(GREEN, 1000)
    (told,) = bench.tell(9, 2000)
    assert told.phases == ()
    assert bench.until(5000) == []
    assert bench.refused() == {"unknown_state": 1}
    assert bench.feed.wake_ns == (2200 * NS_PER_MS) + STALE_NS


def test_a_clock_that_was_set_is_believed_by_the_fifth_observation_that_agrees():
    bench = Bench()
    bench.tell(RED, 0)
    taken = [bench.tell((RED, GREEN)[n % 2], 10_000_000 + n * 1000, late_ms=-9_990_000) for n in range(6)]
    assert [len(values) for values in taken] == [0, 0, 0, 0, 1, 1]
    assert bench.refused() == {"from_future": 4}


def test_over_new_year_the_stamps_begin_anew():
    bench = Bench()
    bench.tell(RED, -3_601_000, late_ms=3_602_000)
    told = [value.message_ms for value in bench.until(2_600)]
    assert told == [31_535_999_500, 0, 500][: len(told)]
    assert len(told) == 3


def test_without_a_list_each_datastream_is_a_group_and_memory_is_bounded():
    bench = Bench(datastreams=None, alive=frozenset(), station=None)
    for number in range(MOST_DATASTREAMS + 10):
        bench.tell(RED, 0, datastream=number)
    assert bench.feed.other_messages == 10
    (told,) = bench.tell(GREEN, 100, datastream=3)
    assert (told.station, told.group) == (0, 3)


def test_groups_that_nobody_wants_are_signs_of_life_only():
    bench = Bench(groups=frozenset({5}))
    assert bench.tell(RED, 0) == []
    assert bench.feed.messages == 1


def test_the_least_delay_is_forgotten_after_twenty_minutes():
    groups = ObservedGroups("feed", 1, {7001: 4})
    offsets = []
    for minute, late_ms in ((0, 100), (11, 300), (21, 300), (61, 900)):
        at_ms = minute * 60_000
        groups.take(observed((RED, GREEN)[minute % 2], at_ms), (at_ms + late_ms) * NS_PER_MS)
        offsets.append(EPOCH_MS - groups._offset_ns // NS_PER_MS)
    assert offsets == [100, 100, 300, 900]


@settings(max_examples=60, deadline=None)
@given(
    events=st.lists(
        st.tuples(st.integers(1, 4000), st.sampled_from(["red", "green", "life", "gone", "open", "old", "odd"])),
        max_size=12,
    ),
    restart=st.integers(0, 12),
)
def test_ticking_and_waking_and_a_restart_from_a_snapshot_give_the_same_values(events, restart):
    ticking, waking = Bench(), Bench()
    now_ms = 0
    for n, (gap_ms, kind) in enumerate([*events, (200_000, "green")]):
        until_ns = (now_ms + gap_ms) * NS_PER_MS
        wakes = [now_ms * NS_PER_MS]
        while waking.feed.wake_ns <= until_ns:
            wakes.append(waking.feed.wake_ns)
            waking.feed.advance(waking.feed.wake_ns)
        for tick_ns in sorted({*wakes, *range(now_ms * NS_PER_MS, until_ns, 7 * NS_PER_S)}):
            ticking.feed.advance(tick_ns)
        now_ms += gap_ms
        what = {
            "red": observed(RED, now_ms - 100),
            "green": observed(GREEN, now_ms - 300),
            "life": observed(n, now_ms, LIFE),
            "gone": GONE,
            "open": OPEN,
            "old": observed(GREEN, now_ms - 400_000),
            "odd": observed(8, now_ms),
        }[kind]
        for bench in (ticking, waking):
            bench.far.write(what, until_ns)
        if n == restart:
            kept = json.loads(json.dumps(waking.feed.snapshot()))
            values, waking = waking.values, Bench()
            waking.values += values
            waking.feed.restore(kept)
    assert waking.values == ticking.values
    assert waking.feed.snapshot() == ticking.feed.snapshot()
    stamps = [value.message_ms for value in waking.values if isinstance(value, SignalState) and value.phases]
    assert REPEAT_NS == NS_PER_S // 2
    assert all(value.station == 12 for value in waking.values if isinstance(value, SignalState))
    assert len(stamps) >= 1
