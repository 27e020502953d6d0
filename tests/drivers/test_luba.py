"""Lunatone LUBA: worked frames, python-dali's words for them, any bytes in any pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs.luba import (
    EVENT,
    LENGTHS,
    MAX_FRAME_BYTES,
    SETTINGS_WRITE,
    STATUS,
    Broken,
    Event,
    Heard,
    LubaStream,
    Message,
    Refused,
    Send,
    Sent,
    Taken,
    decode_events,
    encode,
    encode_event,
    encode_send,
    encode_settings,
)

TICKS = st.integers(0, 0xFFFF).filter(lambda tick: 0x59 not in (tick >> 8, tick & 0xFF))
DATA = st.sampled_from([1, 2, 3, 4]).flatmap(lambda n: st.binary(min_size=n, max_size=n))
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        lambda data, twice, priority: Send(8 * len(data), data, twice, priority), DATA, st.booleans(), st.integers(1, 5)
    ),
    st.builds(Taken, st.integers(0, 255)),
    st.builds(Refused, st.integers(0, 255)),
    st.builds(Sent, DATA, st.integers(0, 255), TICKS, st.just(0)),
    st.builds(lambda data, tick: Heard(8 * len(data), data, tick), DATA, TICKS),
    st.builds(Broken, st.sampled_from([62, 63]), TICKS),
    st.builds(lambda payload: Message(STATUS, b"\0" + payload), st.binary(min_size=5, max_size=5)),
)
RUBBISH = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([b"\x59", b"\x59\x31", b"\x59\x21\x14", b"\x59\x31\x0a\x59", b"\x59\x32\x07\x00\x10"]),
)


def _feed(data: bytes) -> tuple[list[Event], LubaStream]:
    stream = LubaStream()
    return stream.feed(data), stream


# devices.md, "Gateways over serial": LUBA's worked frame, from python-dali's driver
WORKED = bytes.fromhex("5932070010030afe0000d2")


def test_encodes_and_reads_the_worked_frame() -> None:
    assert encode_send(0x0AFE) == WORKED
    assert _feed(WORKED)[0] == [Send(16, b"\x0a\xfe")]


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        ("59 32 07 00 10 83 01 2e 00 00 89", Send(16, b"\x01\x2e", twice=True)),
        ("59 33 02 07 00 36", Taken(7)),
        ("59 33 01 01 33", Refused(1)),
        ("59 31 07 00 01 00 00 05 0a fe c6", Sent(b"\x0a\xfe", 5, tick=1)),
        ("59 31 05 00 01 00 88 fe 43", Heard(8, b"\xfe", tick=1)),
        # python-dali's own test of a framing error (tests/test_serial_driver.py)
        ("59 31 04 00 01 00 bf 8b", Broken(63, tick=1)),
        ("59 2a 03 00 12 80 bb", Message(SETTINGS_WRITE, b"\x00\x12\x80")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_reads_and_writes_each_kind_of_frame(frame: str, event: Event) -> None:
    events, stream = _feed(bytes.fromhex(frame))
    assert (events, stream.skipped_bytes, stream.pending_bytes) == ([event], 0, 0)
    assert encode_event(event) == bytes.fromhex(frame)


def test_settings_switch_the_bus_supply_and_keep_the_events() -> None:
    assert encode_settings(bus_power=True) == bytes.fromhex("592a03001280bb")
    assert encode_settings(bus_power=False)[5] == 0


@given(st.lists(EVENTS, max_size=8))
def test_what_is_encoded_is_read_back(events: list[Event]) -> None:
    data = b"".join(encode_event(event) for event in events)
    read, stream = _feed(data)
    if data.count(b"\x59") == len(events):  # else a frame may look like another inside
        assert read == events
        assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0)


@given(st.lists(st.one_of(EVENTS.map(encode_event), RUBBISH), max_size=10), st.data())
def test_split_anywhere_gives_the_same_events_and_the_same_count(pieces: list[bytes], draw: st.DataObject) -> None:
    data = b"".join(pieces)
    whole, one = _feed(data)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=12)))
    stream = LubaStream()
    parts = [event for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) for event in stream.feed(data[a:b])]
    assert parts == whole
    assert (stream.skipped_bytes, stream.pending_bytes) == (one.skipped_bytes, one.pending_bytes)


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_any_bytes_raise_nothing_and_take_bounded_memory(pieces: list[bytes]) -> None:
    stream = LubaStream()
    for piece in pieces:
        stream.feed(piece)
        assert stream.pending_bytes < MAX_FRAME_BYTES


@given(st.lists(st.sampled_from([0x59, 0x31, 0x32, 0x33, 0x21, 0x14, 0x00, 0x04]), max_size=60).map(bytes))
def test_bytes_that_look_like_heads_end_too(data: bytes) -> None:
    whole, one = _feed(data)
    stream = LubaStream()
    assert [event for byte in data for event in stream.feed(bytes((byte,)))] == whole
    assert (stream.skipped_bytes, stream.pending_bytes) == (one.skipped_bytes, one.pending_bytes)


@given(RUBBISH)
def test_after_rubbish_the_first_good_frame_is_found_at_once(rubbish: bytes) -> None:
    good = encode_event(Heard(8, b"\xfe", tick=1))
    events = _feed(rubbish + good)[0]
    assert events[-1:] == [Heard(8, b"\xfe", tick=1)]


def test_a_false_head_neither_holds_back_nor_swallows_the_frame_behind_it() -> None:
    events, stream = _feed(b"\x59\x21\x14" + WORKED)
    assert (events, stream.skipped_bytes, stream.pending_bytes) == ([Send(16, b"\x0a\xfe")], 3, 0)


def test_a_damaged_frame_inside_one_that_is_still_open_leaves_it_open() -> None:
    outer = encode(0x21, bytes.fromhex("5933010000") + bytes(13))  # 5933010000 has a wrong XOR
    stream = LubaStream()
    assert stream.feed(outer[:-1]) == []
    assert stream.feed(outer[-1:]) == [Message(0x21, outer[3:-1])]


@pytest.mark.parametrize(
    "frame",
    [
        "59 32 07 00 10 03 0a fe 00 00 d3",  # XOR
        "59 77 01 00 76",  # no such command
        "59 33 03 00 00 00 30",  # no such length
        "59 31 05 00 01 00 90 fe 5b",  # 16 bits in one byte
        "59 31 04 00 01 00 00 34",  # sent, but nothing
    ],
)
def test_what_contradicts_itself_is_skipped_whole(frame: str) -> None:
    data = bytes.fromhex(frame)
    stream = LubaStream()
    assert stream.feed(data) == []
    stream.forget()
    assert (stream.skipped_bytes, stream.pending_bytes) == (len(data), 0)


def test_events_of_the_send_buffer_and_frames_of_odd_lengths_are_messages() -> None:
    buffer = encode(EVENT, b"\x00\x01\x00\x41")
    odd = encode(0x32, bytes((0, 17, 3, 1, 2, 3, 4)))
    assert _feed(buffer + odd)[0] == [Message(EVENT, buffer[3:-1]), Message(0x32, odd[3:-1])]


def test_what_is_begun_can_be_forgotten() -> None:
    stream = LubaStream()
    stream.feed(WORKED[:5])
    stream.forget()
    assert (stream.feed(WORKED), stream.skipped_bytes) == ([Send(16, b"\x0a\xfe")], 5)


def test_a_snapshot_goes_on_in_the_middle_of_a_frame() -> None:
    stream = LubaStream()
    stream.feed(b"?" + WORKED[:6])
    other = LubaStream()
    other.restore(stream.snapshot())
    assert (other.feed(WORKED[6:]), other.skipped_bytes) == ([Send(16, b"\x0a\xfe")], 1)


def test_what_is_no_frame_cannot_be_encoded() -> None:
    for frame, bits, priority in ((0x10000, 16, 3), (-1, 16, 3), (0, 17, 3), (0, 16, 0), (0, 16, 6)):
        with pytest.raises(ValueError, match="no LUBA frame"):
            encode_send(frame, bits=bits, priority=priority)
    with pytest.raises(ValueError, match="0x32 has 1 bytes"):
        encode(0x32, b"\0")
    with pytest.raises(ValueError, match="0x99 has 0 bytes"):
        encode(0x99)
    assert max(max(lengths) for lengths in LENGTHS.values()) + 4 == MAX_FRAME_BYTES


def test_the_command_line_reads_both_directions() -> None:
    events: list[Event] = [
        Send(16, b"\x0b\xa0"),
        Taken(1),
        Sent(b"\x0b\xa0", 1),
        Heard(8, b"\xfe"),
        Heard(24, b"\x01\x02\x03"),
        Broken(63),
        Broken(62),
        Refused(1),
        Refused(99),
        Message(SETTINGS_WRITE, b"\x00\x12\x80"),
    ]
    said, skipped = decode_events(b"?" + b"".join(encode_event(event) for event in events) + b"\x59")
    assert [event["type"] for event in said] == [
        "dali_frame",
        "luba_taken",
        "dali_frame",
        "dali_answer",
        "dali_other",
        "dali_collision",
        "dali_other",
        "luba_refused",
        "luba_refused",
        "luba",
    ]
    assert (said[0]["text"], said[0]["wire"], said[3]["answer"], skipped) == (
        "short address 5: QUERY ACTUAL LEVEL",
        "send",
        254,
        2,
    )
    assert (said[7]["text"], said[8]["text"]) == ("no voltage on the bus", "unknown error")
