"""MaxBotix HRXL and XL: the worked frame, stray bytes, any bytes in any pieces."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs.mb7389 import Mb7389Stream, Reading, decode_events, encode_reading

WORKED = bytes.fromhex("52 31 32 33 34 0d")
FOUND = Reading(1234)

readings = st.integers(0, 9999).map(Reading)
anything = st.lists(
    st.one_of(
        st.binary(max_size=6),
        readings.map(encode_reading),
        readings.map(lambda reading: encode_reading(reading, centimetres=True)),
        st.text("R0123\r\xff", max_size=8).map(lambda text: text.encode("latin-1")),
    ),
    max_size=12,
).map(b"".join)


def feed(data: bytes, centimetres: bool = False) -> tuple[list[Reading], Mb7389Stream]:
    stream = Mb7389Stream(centimetres=centimetres)
    return stream.feed(data), stream


def test_the_worked_frame_is_1234_mm() -> None:
    readings, stream = feed(WORKED)
    assert readings == [FOUND]
    assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0)
    assert encode_reading(FOUND) == WORKED


def test_an_xl_part_sends_three_digits_of_centimetres() -> None:
    assert feed(b"R123\r", centimetres=True)[0] == [Reading(1230)]
    assert feed(b"R123\r")[0] == feed(WORKED, centimetres=True)[0] == []
    assert encode_reading(Reading(1239), centimetres=True) == b"R123\r"


@pytest.mark.parametrize("distance_mm", [-1, 10_000])
def test_what_a_frame_cannot_carry_is_refused(distance_mm: int) -> None:
    with pytest.raises(ValueError, match="a frame carries 0 to 9999"):
        encode_reading(Reading(distance_mm))


@pytest.mark.parametrize(
    "damaged", [b"\xff", b"R", b"R12", b"R1234", b"R12345\r", b"R12a4\r", b"r1234\r", b"R 123\r", b"R123\r", b"1234\r"]
)
def test_damage_is_skipped_and_the_frame_behind_it_is_found(damaged: bytes) -> None:
    readings, stream = feed(damaged + WORKED)
    assert readings == [FOUND]
    assert (stream.skipped_bytes, stream.pending_bytes) == (len(damaged), 0)


@pytest.mark.parametrize("dead", [b"R1x", b"R12345", b"\xff\xff", b"R1234\n", b"R\r"])
def test_nothing_is_held_of_a_frame_that_can_no_longer_be_one(dead: bytes) -> None:
    assert feed(dead)[1].snapshot() == {"pending": "", "skipped_bytes": len(dead)}
    assert feed(b"R1234")[1].pending_bytes == 5


def test_a_chunk_of_the_size_of_a_frame_that_holds_something_else_is_skipped() -> None:
    found, stream = feed(b"R12x4\r")
    assert (found, stream.skipped_bytes) == ([], 6)


@pytest.mark.parametrize("before", [b"R", b"R12", b"R1234"])
def test_a_whole_frame_in_a_chunk_of_its_own_ends_the_wait_for_another(before: bytes) -> None:
    stream = feed(before)[1]
    assert stream.feed(WORKED) == [FOUND]
    assert (stream.pending_bytes, stream.skipped_bytes) == (0, len(before))


@given(st.lists(readings, max_size=6))
def test_what_is_encoded_is_read_back(wanted: list[Reading]) -> None:
    found, stream = feed(b"".join(map(encode_reading, wanted)))
    assert found == wanted
    assert stream.skipped_bytes == 0


@given(st.lists(st.tuples(st.binary(max_size=8).filter(lambda b: b"\r" not in b), readings), max_size=6))
def test_rubbish_never_swallows_a_true_frame(pairs: list[tuple[bytes, Reading]]) -> None:
    data = b"".join(rubbish + encode_reading(reading) for rubbish, reading in pairs)
    assert feed(data)[0] == [reading for _, reading in pairs]


@given(anything, st.booleans(), st.data())
def test_cut_anywhere_the_same_readings_come_with_the_same_counts(
    data: bytes, centimetres: bool, draw: st.DataObject
) -> None:
    whole, stream = feed(data, centimetres)
    cuts = sorted(draw.draw(st.sets(st.integers(0, len(data)), max_size=12)))
    pieces = Mb7389Stream(centimetres=centimetres)
    got = [r for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) for r in pieces.feed(data[a:b])]
    assert got == whole
    assert pieces.snapshot() == stream.snapshot()
    stream.finish()
    frame, unit = (rb"R\d\d\d\r", 10) if centimetres else (rb"R\d\d\d\d\r", 1)
    assert [unit * int(text[1:-1]) for text in re.findall(frame, data)] == [reading.distance_mm for reading in whole]
    assert stream.skipped_bytes == len(re.sub(frame, b"", data))


@given(st.lists(st.one_of(st.binary(max_size=100), anything), max_size=8))
def test_any_bytes_raise_nothing_and_less_than_a_frame_is_held(chunks: list[bytes]) -> None:
    stream = Mb7389Stream()
    for chunk in chunks:
        stream.feed(chunk)
        assert stream.pending_bytes < len(WORKED)
    assert stream.feed(WORKED)[-1] == FOUND


@given(anything, anything)
def test_a_restored_stream_goes_on_where_it_stood(before: bytes, after: bytes) -> None:
    stream = feed(before)[1]
    other = Mb7389Stream()
    other.restore(json.loads(json.dumps(stream.snapshot())))
    assert other.feed(after) == stream.feed(after)
    assert other.snapshot() == stream.snapshot()


def test_the_command_line_tells_no_target_from_a_distance() -> None:
    events, skipped = decode_events(b"\xff" + WORKED + b"R5000\rR9999\rR0300\rR1")
    assert events == [
        {"type": "range", "distance_mm": 1234},
        {"type": "no_target", "raw_mm": 5000},
        {"type": "no_target", "raw_mm": 9999},
        {"type": "range", "distance_mm": 300},
    ]
    assert skipped == 3
