"""SensorThings observations: times, topics, results, and anything else that may come on a broker."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cli import main
from drivers.codecs.sensorthings import (
    MAX_OBSERVATION_BYTES,
    Observation,
    decode_events,
    decode_observation,
    encode_observation,
    iso_time,
    ms_of_year,
    observation_topic,
    result_of,
    state_of,
    utc_ms_of,
)
from drivers.codecs.spat import SpatError
from drivers.topics import join_topic, split_topic

TOPIC = "v1.1/Datastreams(7001)/Observations"
GREEN = b'{"phenomenonTime":"2026-11-28T16:42:03.1Z","resultTime":"2026-11-28T16:42:03.4Z","result":3}'
BEGAN = datetime(1970, 1, 1, tzinfo=UTC)


def test_an_observation_as_hamburg_publishes_it():
    seen = decode_observation(join_topic(TOPIC, GREEN))
    assert seen == Observation(7001, 1_795_884_123_100, 1_795_884_123_400, 3)
    assert state_of(seen.result) == 6


@given(st.integers(0, 2**53), st.integers(0, 10**14), st.none() | st.integers(0, 10**14), st.integers(-9, 2**53))
def test_what_is_encoded_is_decoded(datastream, utc_ms, told_ms, result):
    seen = Observation(datastream, utc_ms, told_ms, result)
    assert decode_observation(encode_observation(seen)) == seen


@given(st.integers(0, 250_000_000_000_000))
def test_times_are_those_of_the_calendar(utc_ms):
    """Against Python's datetime, up to the year 9892."""
    at = BEGAN + timedelta(milliseconds=utc_ms)
    assert iso_time(utc_ms) == at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert utc_ms_of(iso_time(utc_ms)) == utc_ms
    assert ms_of_year(utc_ms) == (at - at.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)) // (
        timedelta(milliseconds=1)
    )


@pytest.mark.parametrize(
    ("text", "utc_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:01.5+01:00", 1500),
        ("1969-12-31T23:00:00-0100", None),
        ("1970-01-01 00:00:00,25z", 250),
        ("1970-01-01T00:00:00.123456789Z", 123),
        ("2000-02-29T00:00:00Z", 951_782_400_000),
        ("2100-02-29T00:00:00Z", None),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("1970-01-01T00:00:00", None),
        ("1970-13-01T00:00:00Z", None),
        ("1970-01-32T00:00:00Z", None),
        ("1970-01-01T24:00:00Z", None),
        ("1970-01-01T00:60:00Z", None),
        ("1970-01-01T00:00:61Z", None),
        ("1970-01-01T00:00:00+15:00", None),
        ("1970-01-01T00:00:00-01:00", 3_600_000),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_time_is_read_with_its_zone_or_not_at_all(text, utc_ms):
    assert utc_ms_of(text) == utc_ms


def test_of_an_interval_the_begin_counts_and_whole_numbers_may_have_a_point():
    body = b'{"phenomenonTime":"1970-01-01T00:00:01Z/1970-01-01T00:00:09Z","result":1.0,"@iot.id":5}'
    assert decode_observation(join_topic(TOPIC, body)) == Observation(7001, 1000, None, 1)


@pytest.mark.parametrize("result", ["true", "null", '"green"', "1.5", "[1]", "1e300"])
def test_a_result_that_is_no_whole_number_is_none(result):
    body = f'{{"phenomenonTime":"1970-01-01T00:00:01Z","result":{result}}}'.encode()
    assert decode_observation(join_topic(TOPIC, body)).result is None


@pytest.mark.parametrize(
    ("chunk", "kind"),
    [
        (GREEN, "malformed"),
        (join_topic("v1.1/Datastreams(x)/Observations", GREEN), "malformed"),
        (join_topic(TOPIC + "/more", GREEN), "malformed"),
        (join_topic("Datastreams(9999999999999999)/Observations", GREEN), "out_of_range"),
        (join_topic(TOPIC, b""), "malformed"),
        (join_topic(TOPIC, b"[" * 2000), "malformed"),
        (join_topic(TOPIC, b'{"result":3}'), "malformed"),
        (join_topic(TOPIC, GREEN.replace(b"Z", b"")), "no_time"),
        (join_topic(TOPIC, GREEN + b" " * MAX_OBSERVATION_BYTES), "oversize"),
        (join_topic(TOPIC, GREEN.replace(b"Time", b"T\xffme")), "malformed"),
    ],
)
def test_what_is_no_observation_is_refused_with_a_name(chunk, kind):
    with pytest.raises(SpatError) as refused:
        decode_observation(chunk)
    assert refused.value.kind == kind


@given(st.binary(max_size=200) | st.binary(max_size=150).map(lambda body: join_topic(TOPIC, body)))
def test_any_bytes_end_in_an_observation_or_in_a_spat_error(chunk):
    with contextlib.suppress(SpatError):
        decode_observation(chunk)
    events, skipped = decode_events(chunk)
    assert len(events) + skipped <= len(chunk)


def test_every_state_of_the_layer_has_one_of_spat_and_back():
    assert [state_of(result) for result in range(7)] == [1, 3, 7, 6, 4, 9, 6]
    assert [state_of(result) for result in (-1, 7, None)] == [None] * 3
    assert [result_of(state) for state in range(10)] == [None, 0, None, 1, 4, 3, 3, 2, 2, 5]
    assert observation_topic(7001) == TOPIC


def test_a_topic_and_its_payload_come_apart_again():
    assert split_topic(join_topic("spat/4070", b"a\0b")) == ("spat/4070", b"a\0b")
    assert split_topic(b"<DATA/>") == ("", b"<DATA/>")


def test_a_heap_of_lines_as_mosquitto_sub_prints_them_is_decoded(tmp_path, capsys):
    heap = tmp_path / "heap.txt"
    heap.write_bytes(
        TOPIC.encode() + b" " + GREEN + b"\r\n\nnoise\n" + join_topic(TOPIC, GREEN.replace(b":3}", b":8}"))
    )
    assert main(["decode", "sensorthings", "--file", str(heap)]) == 0
    first, second, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["datastream"], first["result"], first["state"]) == (7001, 3, 6)
    assert (second["result"], second["state"]) == (8, None)
    assert summary == {"type": "summary", "events": 2, "skipped_bytes": 5}
