"""A02YYUW and its kin: vendors' and real frames, runs of FF, damage, any bytes in any pieces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs.a02yyuw import (
    FRAME_BYTES,
    INTERFERENCE,
    MAX_MM,
    NO_OBJECT,
    A02yyuwStream,
    Reading,
    decode_events,
    encode_reading,
)

REAL = bytes.fromhex("ff039d9f")
FOUND = Reading(925)

readings = st.one_of(st.integers(0, MAX_MM).map(Reading), st.sampled_from([INTERFERENCE, NO_OBJECT, Reading(511)]))
sums = st.booleans()
anything = st.lists(
    st.one_of(
        st.binary(max_size=6),
        readings.map(encode_reading),
        readings.map(lambda reading: encode_reading(reading, header_in_sum=False)),
        st.integers(1, 6).map(lambda n: b"\xff" * n),
        st.sampled_from([REAL[:2], REAL[2:], b"\xff\x27\x11\x37"]),
    ),
    max_size=12,
).map(b"".join)


def feed(data: bytes, header_in_sum: bool = True) -> tuple[list[Reading], A02yyuwStream]:
    stream = A02yyuwStream(header_in_sum=header_in_sum)
    return stream.feed(data), stream


def search(data: bytes, less: int) -> tuple[list[Reading], int]:
    """The rule, written down plainly: from the left, what is sound counts; all else is skipped."""
    found, at, skipped = [], 0, 0
    while at + 4 <= len(data):
        head, high, low, said = data[at : at + 4]
        raw = 256 * high + low
        if head == 255 and (256 - less + high + low) % 256 == said and (raw <= 10_000 or raw in (65_534, 65_533)):
            found.append(Reading(raw))
            at += 4
        else:
            at, skipped = at + 1, skipped + 1
    return found, skipped + len(data) - at


@pytest.mark.parametrize(
    ("frame", "reading"),
    [
        ("ff 03 9d 9f", Reading(925)),  # a real A01NYUB
        ("ff 03 91 93", Reading(913)),  # the same
        ("ff 07 a1 a7", Reading(1953)),  # DFRobot's wiki, SEN0311, also SEN0754
        ("ff ff fe fc", INTERFERENCE),  # DFRobot's wiki, SEN0754: 0xFFFE
        ("ff ff fd fb", NO_OBJECT),  # DFRobot's wiki, SEN0754: 0xFFFD
        ("ff 00 00 ff", Reading(0)),
        ("ff 01 ff ff", Reading(511)),
        ("ff 27 10 36", Reading(10_000)),
    ],
)
def test_a_frame_is_read_and_written(frame: str, reading: Reading) -> None:
    data = bytes.fromhex(frame)
    readings, stream = feed(data)
    assert readings == [reading]
    assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0)
    assert encode_reading(reading) == data


def test_the_marks_are_no_distances_and_zero_is_one() -> None:
    assert (INTERFERENCE.distance_mm, NO_OBJECT.distance_mm) == (None, None)
    assert (Reading(0).distance_mm, Reading(MAX_MM).distance_mm) == (0, MAX_MM)


def test_the_aj_sr04m_leaves_the_head_out_of_the_sum() -> None:
    frame = bytes.fromhex("ff 03 9d a0")
    assert feed(frame, header_in_sum=False)[0] == [FOUND]
    assert feed(frame)[0] == feed(REAL, header_in_sum=False)[0] == []
    assert encode_reading(FOUND, header_in_sum=False) == frame


@pytest.mark.parametrize("raw", [-1, 65_536])
def test_what_a_frame_cannot_carry_is_refused(raw: int) -> None:
    with pytest.raises(ValueError, match="a frame carries 0 to 65535"):
        encode_reading(Reading(raw))


@pytest.mark.parametrize(
    "damaged",
    [
        "ff 03 9d 9e",  # the sum
        "ff 03 9c 9f",
        "fe 03 9d 9f",
        "ff 27 11 37",  # 10,001 mm
        "ff ff ff fd",  # 65,535 mm: neither a distance nor a mark
        "ff",
        "ff ff ff ff ff",
        "ff 03",
        "ff 03 9d",
        "9d 9f",  # opened in the middle of a frame
    ],
)
def test_damage_is_skipped_and_the_frame_behind_it_is_found(damaged: str) -> None:
    data = bytes.fromhex(damaged)
    readings, stream = feed(data + REAL)
    assert readings == [FOUND]
    assert (stream.skipped_bytes, stream.pending_bytes) == (len(data), 0)


@given(sums)
def test_of_equal_frames_entered_anywhere_the_second_at_the_latest_is_right(header_in_sum: bool) -> None:
    """FF is a value as well: ``FF 01 FF FF`` (511 mm) must not be read in a wrong step for ever."""
    for distance_mm in range(MAX_MM + 1):
        frame = encode_reading(Reading(distance_mm), header_in_sum=header_in_sum)
        for cut in range(1, FRAME_BYTES) if 0xFF in frame[1:] else ():
            readings = feed(frame[cut:] + 2 * frame, header_in_sum)[0]
            assert readings[-1:] == [Reading(distance_mm)], frame.hex()


@pytest.mark.parametrize("before", [b"\xff", b"\xff\x03", b"\xff\x03\x9d"])
def test_a_whole_frame_in_a_chunk_of_its_own_ends_the_wait_for_another(before: bytes) -> None:
    stream = feed(before)[1]
    assert stream.feed(REAL) == [FOUND]
    assert (stream.pending_bytes, stream.skipped_bytes) == (0, len(before))


@given(st.lists(readings, max_size=6), sums)
def test_what_is_encoded_is_read_back(wanted: list[Reading], header_in_sum: bool) -> None:
    data = b"".join(encode_reading(reading, header_in_sum=header_in_sum) for reading in wanted)
    readings, stream = feed(data, header_in_sum)
    assert readings == wanted
    assert stream.skipped_bytes == 0


@given(anything, sums, st.data())
def test_cut_anywhere_the_same_readings_come_with_the_same_counts(
    data: bytes, header_in_sum: bool, draw: st.DataObject
) -> None:
    whole, stream = feed(data, header_in_sum)
    cuts = sorted(draw.draw(st.sets(st.integers(0, len(data)), max_size=12)))
    pieces = A02yyuwStream(header_in_sum=header_in_sum)
    got = [r for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) for r in pieces.feed(data[a:b])]
    assert got == whole
    assert pieces.snapshot() == stream.snapshot()
    stream.finish()
    assert (whole, stream.skipped_bytes) == search(data, int(header_in_sum))
    assert stream.pending_bytes == 0


@given(st.lists(st.one_of(st.binary(max_size=100), anything), max_size=8))
def test_any_bytes_raise_nothing_and_less_than_a_frame_is_held(chunks: list[bytes]) -> None:
    stream = A02yyuwStream()
    for chunk in chunks:
        stream.feed(chunk)
        assert stream.pending_bytes < FRAME_BYTES
    assert stream.feed(REAL + REAL)[-1] == FOUND


@given(anything, anything)
def test_a_restored_stream_goes_on_where_it_stood(before: bytes, after: bytes) -> None:
    stream = feed(before)[1]
    other = A02yyuwStream()
    other.restore(json.loads(json.dumps(stream.snapshot())))
    assert other.feed(after) == stream.feed(after)
    assert other.snapshot() == stream.snapshot()


def test_the_command_line_names_distances_and_marks_and_counts_what_was_skipped() -> None:
    events, skipped = decode_events(b"\x00" + REAL + bytes.fromhex("fffffefc fffffdfb ff03"))
    assert events == [{"type": "range", "distance_mm": 925}, {"type": "interference"}, {"type": "no_object"}]
    assert skipped == 3
