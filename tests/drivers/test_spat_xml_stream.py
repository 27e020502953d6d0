"""SPATEM XML as a byte stream: however it is cut, damaged or mixed, whole messages come out and the rest is counted."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.codecs.spat import MAX_MESSAGE_BYTES, Intersection, Movement, Phase
from drivers.codecs.spat_xml import MessageCutter, SpatXmlEncoder, SpatXmlStream, decode_events


def spat(minute, station=4070):
    return Intersection(station, 1, 0, minute, 100, (Movement(4, (Phase(3, 10, 20, 15, 3),)),))


def xml(minute, station=4070, message_id=4):
    return SpatXmlEncoder(message_id=message_id).encode(spat(minute, station))


def counts(stream):
    return {key: value for key, value in stream.snapshot().items() if key not in ("pending", "dropped_bytes")}


def test_messages_one_after_the_other_all_come_out():
    stream = SpatXmlStream(4070, frozenset({4}))
    assert stream.feed(xml(1) + b"\n" + xml(2) + xml(3)) == [spat(1), spat(2), spat(3)]
    assert (stream.messages, stream.bad_messages, stream.skipped_bytes) == (3, 0, 0)


@pytest.mark.parametrize("cut", [10, 30, 200, -10])
def test_behind_a_cut_message_the_next_whole_one_is_found(cut):
    stream = SpatXmlStream()
    part = xml(1)[:cut]
    assert stream.feed(part + xml(2) + xml(3)) == [spat(2), spat(3)]
    assert (stream.messages, stream.bad_messages, stream.skipped_bytes) == (2, 1, len(part))


def test_behind_a_cut_message_one_without_declaration_is_found_too():
    bare = xml(2).partition(b"\n")[2]
    stream = SpatXmlStream()
    assert stream.feed(xml(1)[:300] + bare) == [spat(2)]
    assert (stream.bad_messages, stream.skipped_bytes) == (1, 300)


def test_a_damaged_message_is_counted_with_its_bytes_and_rubbish_with_its_own():
    damaged = xml(1).replace(b"</moy>", b"</mox>")
    stream = SpatXmlStream()
    assert stream.feed(b"rubbish" + xml(1) + damaged + xml(2) + b"\x00\xff" + xml(3)) == [spat(1), spat(2), spat(3)]
    assert (stream.messages, stream.bad_messages, stream.skipped_bytes) == (3, 1, len(damaged) + 7 + 2)


def test_other_stations_and_other_types_are_counted_and_are_no_errors():
    stream = SpatXmlStream(4070)
    assert stream.feed(xml(1, 9) + xml(1, message_id=5) + xml(2)) == [spat(2)]
    assert counts(stream) == {
        "messages": 1,
        "bad_messages": 0,
        "other_messages": 1,
        "other_stations": 1,
        "skipped_bytes": 0,
    }


def test_a_document_type_is_refused_and_its_root_does_not_slip_in_without_it():
    bomb = b'<?xml version="1.0"?><!DOCTYPE DATA [<!ENTITY a "b">]>' + xml(1).partition(b"\n")[2]
    stream = SpatXmlStream()
    assert stream.feed(bomb + xml(2)) == [spat(2)]
    assert (stream.messages, stream.bad_messages, stream.skipped_bytes) == (1, 1, len(bomb))


def test_a_message_cut_inside_a_document_type_does_not_cost_the_next():
    stream = SpatXmlStream()
    assert stream.feed(b'<!DOCTYPE DATA [<!ENTITY a "' + xml(2)) == [spat(2)]


def test_what_waits_at_the_end_of_a_recording_is_counted():
    events, skipped = decode_events(xml(1) + b"\n" + xml(2)[:100])
    assert len(events) == 1
    assert skipped == 100


def test_decoded_events_are_json_with_units_in_their_names():
    events, skipped = decode_events(xml(0))
    assert skipped == 0
    running = {
        "state": 3,
        "state_name": "stop-And-Remain",
        "min_end_ms": 900,
        "max_end_ms": 1900,
        "likely_ms": 1400,
        "confidence_pct": 56,
    }
    head = {"type": "signal_state", "station": 4070, "group": 4, "status": 0, "message_ms": 100}
    assert json.loads(json.dumps(events)) == [{**head, **running, "phases": [running]}]


pieces = st.sampled_from(
    [
        xml(1),
        xml(2),
        xml(3, 9),
        xml(4, message_id=5),
        xml(5)[:400],
        xml(6).replace(b"<moy>", b"<mox>"),
        b"rubbish",
        b"\n",
        b"</DATA>",
        b"</DATA  \n>",
        b"<DATA>",
        b"<!DOCTYPE DATA []>",
        b"</DATA",
        b"<?xml ",
        b"\xff\x00",
    ]
)


@settings(max_examples=80)
@given(st.lists(pieces, max_size=6), st.lists(st.integers(0, 6000), max_size=6), st.booleans())
def test_split_anywhere_gives_the_same_messages_and_counts(parts, cuts, through_snapshot):
    data = b"".join(parts)
    whole, pieced = SpatXmlStream(4070), SpatXmlStream(4070)
    expected = whole.feed(data)
    found = []
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        found += pieced.feed(data[start:end])
        if through_snapshot:
            kept = json.loads(json.dumps(pieced.snapshot()))
            pieced = SpatXmlStream(4070)
            pieced.restore(kept)
    assert found == expected
    assert pieced.snapshot() == whole.snapshot()


@settings(max_examples=30)
@given(
    st.integers(MAX_MESSAGE_BYTES - 40, MAX_MESSAGE_BYTES + 40),
    st.lists(st.integers(0, MAX_MESSAGE_BYTES), max_size=3),
)
def test_a_stream_longer_than_the_limit_is_cut_the_same_however_it_comes(length, cuts):
    data = b"x" * length + xml(1)
    whole, pieced = MessageCutter(), MessageCutter()
    expected = whole.feed(data)
    found = []
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        found += pieced.feed(data[start:end])
    assert found == expected == [data[-MAX_MESSAGE_BYTES:]]
    assert pieced.dropped_bytes == whole.dropped_bytes == len(data) - MAX_MESSAGE_BYTES


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=200) | st.text("<>/DATA!?xml \"='-[]", max_size=200).map(str.encode), max_size=5))
def test_any_bytes_do_no_harm_and_the_next_message_is_found(chunks):
    stream = SpatXmlStream()
    for chunk in chunks:
        stream.feed(chunk)
    stream.feed(b"</DATA>")  # ends whatever was begun
    assert spat(7) in stream.feed(xml(7))


def test_memory_stays_bounded_on_an_endless_message():
    stream = SpatXmlStream()
    block = b"<DATA>" + b"<a>" * 40_000
    for _ in range(20):
        assert stream.feed(block) == []
        assert len(stream.snapshot()["pending"]) <= MAX_MESSAGE_BYTES
    stream.feed(b"</DATA>")
    assert stream.skipped_bytes == 20 * len(block) + 7
    assert stream.feed(xml(1)) == [spat(1)]


def test_many_beginnings_without_an_end_cost_one_retry_only(monkeypatch):
    stream = SpatXmlStream()
    calls = []
    decode = stream._decoder.decode
    monkeypatch.setattr(stream._decoder, "decode", lambda message: calls.append(1) or decode(message))
    stream.feed(b"<DATA>" * 5000 + b"</DATA>")
    assert len(calls) == 2
