"""What a feed may get to see: each row is survived, counted under its name, and followed by a good message."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.codecs.spat import STATUS_BITS, Intersection, Movement, Phase
from drivers.codecs.spat_xml import SpatXmlEncoder, SpatXmlStream
from drivers.devices.feed_count import FeedCount
from drivers.devices.signal_feed import SignalFeed
from drivers.links.memory import memory_pair
from drivers.units import NS_PER_S

GOOD = Intersection(4070, 1, 64, 5, 1000, (Movement(4, (Phase(3, 3100, 3200, 3150, 10),)),))
XML = SpatXmlEncoder().encode(GOOD)
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE DATA [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(12))
    + b"]><DATA>&m;</DATA>"
)


class Fed:
    def __init__(self, message_format="spat-xml"):
        near, self.far = memory_pair("feed")
        self.values = []
        self.feed = SignalFeed("feed", near, self.values.append, message_format=message_format, station=4070)

    def counted(self, *chunks):
        for n, chunk in enumerate(chunks):
            self.far.write(chunk, n)
        usual = {"frames", "skipped_bytes", "per_minute", "other_messages", "other_station", "twins"}
        return {name: n for name, n in self.feed.counters().items() if name not in usual and n}


@pytest.mark.parametrize(
    ("chunk", "name"),
    [
        (BOMB, "document_type"),
        (XML.replace(b"<DATA>", b'<!DOCTYPE DATA SYSTEM "file:///etc/passwd"><DATA>', 1), "document_type"),
        (b"<DATA>" + b"<a>" * 20_000 + b"</DATA>", "malformed"),
        (b"<DATA " + b'x="' + b"y" * 200_000 + b'"/></DATA>', "malformed"),
        (XML[:400] + b"</DATA>", "malformed"),
        (XML.replace(b"<moy>5", b"<moy>\xff"), "malformed"),
        (XML.replace(b"<eventState>3", b"<eventState>10"), "unknown_state"),
        (XML.replace(b"<eventState>3", b"<eventState>red"), "malformed"),
        (XML.replace(b"<signalGroup>4", b"<signalGroup>256"), "out_of_range"),
        (XML.replace(b"<minEndTime>3100", b"<minEndTime>99999"), "out_of_range"),
        (XML.replace(b"<confidence>10", b"<confidence>16"), "out_of_range"),
        (XML.replace(b"stationID", b"other").replace(b"<id>", b"<no>").replace(b"</id>", b"</no>"), "missing_field"),
        (XML.replace(b"status>", b"other>"), "missing_field"),
        (XML.replace(b"signalGroup", b"other"), "missing_field"),
    ],
)
def test_a_hostile_or_damaged_message_is_counted_by_name_and_the_next_is_heard(chunk, name):
    fed = Fed()
    counted = fed.counted(chunk, XML)
    assert counted == {"bad_frames": 1, f"bad_{name}": 1}
    assert [value.group for value in fed.values] == [4]


def test_what_a_group_that_nobody_wants_says_harms_no_other():
    near, far = memory_pair("feed")
    values = []
    feed = SignalFeed("feed", near, values.append, station=4070, groups=frozenset({4}))
    other = Movement(5, (Phase(3, 3100),))
    text = SpatXmlEncoder().encode(Intersection(4070, 1, 64, 5, 1000, (other, *GOOD.groups)))
    far.write(text.replace(b"<eventState>3", b"<eventState>12", 1), 0)
    assert (feed.bad, [value.group for value in values]) == (0, [4])


def test_deep_nesting_is_passed_over():
    fed = Fed()
    deep = b"<a>" * 30_000 + b"</a>" * 30_000
    assert fed.counted(XML.replace(b"</DATA>", deep + b"</DATA>")) == {}
    assert [value.group for value in fed.values] == [4]


def test_oversize_messages_are_dropped_in_bounded_memory():
    fed = Fed()
    fed.counted(XML)
    tracemalloc.start()
    for _ in range(40):
        fed.far.write(b"<DATA>" + b"z" * 100_000, 1)
    assert tracemalloc.get_traced_memory()[1] < 3_000_000
    tracemalloc.stop()
    counted = fed.counted(b"</DATA>", XML)
    assert counted["bad_oversize"] == 1
    assert len(fed.values) == 2
    fed.feed.on_bytes(BOMB, 3)
    assert fed.feed.skipped_bytes > 4_000_000


def odd(**more):
    phase = {"state": 3, "min_end_mark": 3100, **more.pop("phase", {})}
    fields = {"station": 4070, "revision": 1, "status": 64, "minute_of_year": 5, "timestamp_ms": 1000, **more}
    return Intersection(**fields, groups=(Movement(4, (Phase(**phase),)), Movement(5, ())))


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (odd(), None),
        (odd(minute_of_year=None), "no_time"),
        (odd(minute_of_year=527_040), "no_time"),
        (odd(timestamp_ms=65_535), "no_time"),
        (odd(timestamp_ms=60_500), "leap_second"),
        (odd(phase={"min_end_mark": 36_000}), "mark_far"),
        (odd(phase={"min_end_mark": 36_001}), "mark_undefined"),
        (odd(phase={"min_end_mark": 36_111}), "mark_undefined"),
        (odd(phase={"min_end_mark": 35_995}), "mark_leap_second"),
        (odd(phase={"min_end_mark": None}), "no_timing"),
        (odd(status=1 << 2), "status_failureFlash"),
        (odd(status=1 << 13 | 1 << 12), "status_noValidSPATisAvailableAtThisTime"),
    ],
)
def test_what_is_odd_though_sound_is_counted_by_name(message, name):
    fed = Fed()
    assert fed.counted(SpatXmlEncoder().encode(message)) == ({} if name is None else {name: 1})
    assert [value.group for value in fed.values] == [4, 5]


def test_every_doubtful_status_bit_has_a_counter_and_ordinary_work_has_none():
    count = FeedCount()
    count.look(odd(status=(1 << 16) - 1))
    ordinary = {"signalPriorityIsActive", "fixedTimeOperation", "trafficDependentOperation"}
    maps = {name for name in STATUS_BITS if "MAP" in name}
    assert {name.removeprefix("status_") for name in count.odd} == set(STATUS_BITS) - ordinary - maps


def test_the_rate_is_that_of_the_last_whole_minute():
    count = FeedCount()
    seen = []
    for t_s in (0, 1, 2, 61, 125, 300):
        count.heard(t_s * NS_PER_S)
        seen.append(count.per_minute)
    assert seen == [1, 2, 3, 3, 1, 1]


def test_mapem_and_other_stations_on_one_broker_are_told_apart():
    fed = Fed()
    other = SpatXmlEncoder().encode(Intersection(9, 1, 64, 5, 1000, GOOD.groups))
    mapem = SpatXmlEncoder(message_id=5).encode(GOOD)
    assert fed.counted(other, mapem, XML, other) == {}
    feed = fed.feed
    assert (feed.messages, feed.other_station, feed.other_messages) == (1, 2, 1)


PIECES = [XML, BOMB, XML[:300], b"</DATA>", b"<DATA>", b"\0\xff", XML.replace(b">3<", b">12<"), b"<!--</DATA>-->"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=40), max_size=8).map(b"".join), st.data())
def test_cut_anywhere_the_events_and_the_counts_by_name_are_the_same(data, draw):
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    whole, pieces = SpatXmlStream(), SpatXmlStream()
    expected = whole.feed(data)
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        found += pieces.feed(data[start:end])
    assert (found, pieces.reasons, pieces.snapshot()) == (expected, whole.reasons, whole.snapshot())


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=6), st.sampled_from(["spat-xml", "spat-uper", "sensorthings"]))
def test_a_feed_survives_any_bytes(chunks, message_format):
    fed = Fed(message_format)
    fed.counted(*chunks)
    fed.feed.advance(10**12)
    fed.feed.restore(fed.feed.snapshot())


def test_a_uper_feed_counts_by_name():
    fed = Fed("spat-uper")
    assert fed.counted(b"\x00\x13\x05", bytes(9000)) == {"bad_frames": 2, "bad_malformed": 1, "bad_oversize": 1}
