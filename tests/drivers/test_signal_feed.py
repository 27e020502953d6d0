"""The signal feed: every wanted group of every message, and a word about silence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.codecs.spat import Intersection, Movement, Phase
from drivers.codecs.spat_xml import SpatXmlEncoder
from drivers.devices.signal_feed import SignalFeed
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth, SignalPhase, SignalState
from drivers.units import FOREVER_NS, NS_PER_S

STALE_NS = 2 * NS_PER_S


def xml(station=4070, second=0, groups=(4, 8)):
    movements = tuple(Movement(group, (Phase(3, 100, 200, 150, 15),)) for group in groups)
    return SpatXmlEncoder().encode(Intersection(station, 1, 64, 0, second * 1000, movements))


class Bench:
    def __init__(self, groups=frozenset({4, 8}), station=4070):
        self.near, self.far = memory_pair("feed")
        self.values = []
        self.feed = SignalFeed(
            "feed",
            self.near,
            self.values.append,
            message_format="spat-xml",
            station=station,
            groups=groups,
            stale_ns=STALE_NS,
        )

    def taken(self):
        values, self.values[:] = list(self.values), []
        return values


def test_every_wanted_group_of_a_message_becomes_a_value():
    bench = Bench()
    bench.far.write(xml(second=1), 7)
    phase = (SignalPhase(3, 9_000, 19_000, 14_000, 100),)
    assert bench.taken() == [SignalState(7, "feed", 4070, group, 64, 1000, phase) for group in (4, 8)]


def test_without_a_list_all_groups_are_wanted():
    bench = Bench(groups=None, station=None)
    bench.far.write(xml(station=9, groups=(1, 2, 3)), 0)
    assert [(value.station, value.group) for value in bench.taken()] == [(9, 1), (9, 2), (9, 3)]


def test_a_wanted_group_the_message_does_not_name_comes_without_phases():
    bench = Bench(groups=frozenset({8, 4, 77}))
    bench.far.write(xml(groups=(8,)), 5)
    assert [(value.group, len(value.phases)) for value in bench.taken()] == [(8, 1), (4, 0), (77, 0)]


def test_a_uper_feed_takes_one_message_a_chunk():
    near, far = memory_pair("feed")
    values = []
    feed = SignalFeed("feed", near, values.append, message_format="spat-uper", station=77, groups=None, stale_ns=1)
    body = int(
        "0000" + "00000" + "0000000" + "0" + f"{77:016b}" + "0" * 23 + "0" * 8 + "0000" + f"{9:08b}" + "0" * 12, 2
    )
    width = 4 + 5 + 7 + 1 + 16 + 23 + 8 + 4 + 8 + 12
    frame = (body << -width % 8).to_bytes((width + 7) // 8)
    far.write(b"\x00\x13" + bytes([len(frame)]) + frame, 3)
    far.write(b"\x00\x13\x05", 4)
    assert values == [SignalState(3, "feed", 77, 9, 0, None, (SignalPhase(0),))]
    assert (feed.messages, feed.bad, feed.skipped_bytes) == (1, 1, 3)


def test_an_unknown_message_format_is_refused():
    with pytest.raises(KeyError):
        SignalFeed("feed", memory_pair("feed")[0], print, message_format="json")


def test_silence_is_told_once_and_the_return_before_the_values():
    bench = Bench()
    bench.feed.advance(0)
    bench.far.write(xml(), 100)
    bench.taken()
    assert bench.feed.wake_ns == 100 + STALE_NS
    bench.feed.advance(99 + STALE_NS)
    assert bench.taken() == []
    bench.feed.advance(100 + STALE_NS)
    assert bench.taken() == [DeviceHealth(100 + STALE_NS, "feed", False, "stale")]
    assert bench.feed.wake_ns == FOREVER_NS
    bench.far.write(xml(), 5 * NS_PER_S)
    first, *values = bench.taken()
    assert first == DeviceHealth(5 * NS_PER_S, "feed", True)
    assert [value.group for value in values] == [4, 8]


def test_a_feed_that_never_spoke_is_stale_too():
    bench = Bench()
    bench.feed.advance(50)
    assert (bench.taken(), bench.feed.wake_ns) == ([], 50 + STALE_NS)
    bench.feed.advance(50 + STALE_NS)
    assert bench.taken() == [DeviceHealth(50 + STALE_NS, "feed", False, "stale")]


def test_other_stations_other_types_and_damage_prove_no_life():
    bench = Bench()
    bench.feed.advance(0)
    good = xml()
    bench.far.write(xml(station=9), 10)
    bench.far.write(good.replace(b"<messageID>4<", b"<messageID>5<"), 20)
    bench.far.write(good.replace(b"</moy>", b""), 30)
    feed = bench.feed
    assert (bench.taken(), feed.wake_ns) == ([], STALE_NS)
    assert (feed.messages, feed.other_station, feed.other_messages, feed.bad) == (0, 1, 1, 1)
    assert feed.skipped_bytes == len(good) - len(b"</moy>")


def test_repeated_chunks_are_messages_each():
    bench = Bench()
    bench.far.repeat(xml(), 100, 300, 3)
    assert [value.t_ns for value in bench.taken()] == [100, 100, 200, 200, 300, 300]


@settings(max_examples=40)
@given(
    events=st.lists(
        st.tuples(st.integers(1, 3 * NS_PER_S), st.sampled_from(["message", "half", "rest", "other", "damage"])),
        max_size=8,
    ),
    restart=st.integers(0, 8),
)
def test_ticking_and_waking_and_a_restart_from_a_snapshot_give_the_same_values(events, restart):
    good = xml()
    what = {
        "message": good,
        "half": good[:500],
        "rest": good[500:],
        "other": xml(station=9),
        "damage": b"<DATA>" + good,
    }
    ticking, waking = Bench(), Bench()
    now_ns = 0
    for bench in (ticking, waking):
        bench.feed.advance(0)
    for n, (gap_ns, kind) in enumerate([*events, (3 * NS_PER_S, "message")]):
        until_ns = now_ns + gap_ns
        while waking.feed.wake_ns <= until_ns:
            waking.feed.advance(waking.feed.wake_ns)
        wakes = sorted(
            {*range(now_ns, until_ns + 1, NS_PER_S // 4), *(v.t_ns for v in waking.values if v.t_ns <= until_ns)}
        )
        for tick_ns in wakes:
            ticking.feed.advance(tick_ns)
        now_ns = until_ns
        for bench in (ticking, waking):
            bench.far.write(what[kind], now_ns)
        if n == restart:
            kept = json.loads(json.dumps(waking.feed.snapshot()))
            values, waking = waking.values, Bench()
            waking.values += values
            waking.feed.restore(kept)
    assert waking.values == ticking.values
    assert waking.feed.snapshot() == ticking.feed.snapshot()
