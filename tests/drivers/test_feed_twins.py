"""Two signal controllers under one number are found; no single one ever is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.codecs.spat import Intersection, Movement, Phase
from drivers.codecs.spat_xml import SpatXmlEncoder
from drivers.devices.feed_twins import MOST_STATIONS, WITHIN_NS, TwinWatch
from drivers.devices.signal_feed import SignalFeed
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth, SignalState
from drivers.topics import OPEN, join_topic
from drivers.units import NS_PER_MS, NS_PER_S

CYCLE = (3,) * 28 + (4,) + (6,) * 12 + (8,) * 3
"""A fixed programme, one state a second."""


def message(at_ms, states=None, station=4070, clock_ms=None):
    """What a controller says at `at_ms`; its group 4 runs CYCLE unless told otherwise."""
    clock_ms = at_ms if clock_ms is None else clock_ms
    if states is None:
        states = {4: CYCLE[at_ms // 1000 % len(CYCLE)], 5: 3}
    groups = tuple(Movement(group, (Phase(state),) if state is not None else ()) for group, state in states.items())
    minute, ms = divmod(clock_ms, 60_000)
    return Intersection(station, 1, 0, minute, ms, groups)


def doubts(watch, said):
    """What the watch says of each message (arrival in ms, message, topic)."""
    return [watch.look(each, at_ms * NS_PER_MS, *topic) for at_ms, each, *topic in said]


@settings(max_examples=60, deadline=None)
@given(
    late=st.lists(st.integers(0, 400), min_size=50, max_size=300),
    lost=st.sets(st.integers(0, 299), max_size=40),
    step_ms=st.sampled_from([100, 1000]),
)
def test_one_controller_whose_messages_overtake_each_other_is_never_in_doubt(late, lost, step_ms):
    said = [(n * step_ms + late_ms, message(n * step_ms)) for n, late_ms in enumerate(late) if n not in lost]
    watch = TwinWatch()
    assert set(doubts(watch, sorted(said, key=lambda each: each[0]))) <= {""}
    assert watch.evidence == 0


def test_a_clock_that_is_set_back_and_a_controller_on_a_new_topic_are_no_twins():
    said = [
        (n * 100, message(n * 100, clock_ms=n * 100 + 600_000 * (n < 40)), "a" if n < 70 else "b") for n in range(99)
    ]
    watch = TwinWatch()
    assert set(doubts(watch, said)) == {""}
    assert watch.evidence == 2


@pytest.mark.parametrize(
    ("ahead_ms", "behind_ms", "words"),
    [(90_000, 0, "their clocks disagree"), (0, 17_000, "their signals contradict each other")],
)
@pytest.mark.parametrize("step_ms", [100, 1000])
def test_two_that_disagree_are_found_within_seconds(ahead_ms, behind_ms, words, step_ms):
    """The second one's clock is ahead, or its programme is elsewhere."""
    said = []
    for n in range(12_000 // step_ms):
        at_ms = 40_000 + n * step_ms  # the one shows amber, the other red or green
        other = {4: CYCLE[(at_ms - behind_ms) // 1000 % len(CYCLE)], 5: 3}
        said += [(at_ms, message(at_ms)), (at_ms + 20, message(at_ms, other, clock_ms=at_ms + ahead_ms + 20))]
    found = doubts(TwinWatch(), said)
    first = next(n for n, why in enumerate(found) if why)
    assert found[first] == f"two controllers say they are 4070: {words}"
    assert first <= 8
    assert all(found[first:])


def test_a_group_that_only_one_of_them_has_contradicts_as_well():
    said = []
    for n in range(10):
        said += [(n * 100, message(n * 100, {4: 3})), (n * 100 + 50, message(n * 100 + 50, {9: 3}))]
    assert doubts(TwinWatch(), said)[-1].endswith("contradict each other")


@pytest.mark.parametrize("blinking", [(1, 8), (9, 1), (2, 0), (6, 1), (None, 1)])
def test_what_blinks_is_no_twin(blinking):
    said = [(n * 100, message(n * 100, {4: blinking[n // 5 % 2]})) for n in range(300)]
    assert set(doubts(TwinWatch(), said)) == {""}


def test_a_clock_that_stands_still_is_no_twin():
    said = [(n * 100, message(n * 100, clock_ms=5)) for n in range(2000)]
    assert set(doubts(TwinWatch(), said)) == {""}


def test_messages_without_a_time_are_compared_as_they_come():
    def timeless(state):
        return Intersection(4070, 1, 0, None, None, (Movement(4, (Phase(state),)),))

    assert doubts(TwinWatch(), [(n * 100, timeless((3, 6)[n % 2])) for n in range(9)])[-1]


def test_two_topics_in_turn_are_named():
    watch = TwinWatch()
    said = [(n * 100, message(n * 100), f"/spat/{'ab'[n % 2]}") for n in range(6)]
    assert doubts(watch, said)[-1] == "two controllers say they are 4070: on topics /spat/a and /spat/b"
    assert watch.doubt(0) == watch.doubt(9 * NS_PER_S) != ""
    assert watch.doubt(500 * NS_PER_MS + WITHIN_NS) == ""


def test_no_more_stations_are_watched_than_memory_allows():
    watch = TwinWatch()
    for station in range(5000):
        watch.look(message(0, station=station), 0)
    assert len(watch.snapshot()["tracks"]) == MOST_STATIONS


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 5000), st.sampled_from([3, 6])), max_size=30), st.data())
def test_a_watch_restored_from_a_snapshot_goes_on_the_same(said, data):
    cut = data.draw(st.integers(0, len(said)))
    watch, now_ms = TwinWatch(), 0
    again = TwinWatch()
    for n, (gap_ms, clock_ms, state) in enumerate(said):
        if n == cut:
            again.restore(json.loads(json.dumps(watch.snapshot())))
        now_ms += gap_ms
        each = message(now_ms, {4: state}, clock_ms=clock_ms)
        why = watch.look(each, now_ms * NS_PER_MS)
        assert n < cut or again.look(each, now_ms * NS_PER_MS) == why


def test_a_feed_in_doubt_says_so_keeps_its_values_back_and_recovers():
    near, far = memory_pair("feed")
    values = []
    feed = SignalFeed("feed", near, values.append, topics=True)
    encoder = SpatXmlEncoder()
    far.write(OPEN, 0)
    for n in range(20):
        other = n % 2 and n < 10
        text = encoder.encode(message(n * 100, clock_ms=n * 100 + 90_000 * other))
        far.write(join_topic("/spat/4070", text), n * 100 * NS_PER_MS)
    (health,) = [value for value in values if isinstance(value, DeviceHealth)]
    assert not health.ok
    assert health.reason == "two controllers say they are 4070: their clocks disagree"
    assert max(v.t_ns for v in values if isinstance(v, SignalState)) < health.t_ns
    counted = feed.counters()
    assert (counted["frames"], counted["twins"]) == (20, 5)
    values.clear()
    far.write(join_topic("/spat/9", encoder.encode(message(0, station=9))), 3 * NS_PER_S)
    assert {v.station for v in values} == {9}, "others are none of its business, but the feed stays in doubt"
    values.clear()
    far.write(join_topic("/spat/4070", encoder.encode(message(20_000))), 20 * NS_PER_S)
    assert [type(value) for value in values] == [DeviceHealth, SignalState, SignalState]
    assert values[0].ok
