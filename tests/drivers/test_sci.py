"""Lunatone SCI: worked frames, either side of the data, frames without a head in any pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs.sci import (
    ECHO,
    ERROR,
    FRAME_24,
    MONITOR,
    Message,
    SciStream,
    decode_events,
    encode,
    encode_heard,
    encode_send,
)

MESSAGES = st.builds(
    Message,
    st.builds(lambda high, code: high << 4 | code, st.integers(0, 15), st.integers(0, FRAME_24)),
    st.binary(min_size=3, max_size=3),
)


def _feed(data: bytes) -> tuple[list[Message], SciStream]:
    stream = SciStream()
    return stream.feed(data), stream


def _bytes(message: Message) -> bytes:
    return encode(message.control, message.data)


# devices.md, "Gateways over serial": SCI's worked frames, as python-dali's driver sends and takes them
def test_encodes_and_reads_the_worked_frames() -> None:
    assert encode_send(0x0AFE) == bytes.fromhex("030afe00f7")
    assert encode_heard(254) == bytes.fromhex("020000fefc")
    assert [m.frame for m in _feed(bytes.fromhex("030afe00f7"))[0]] == [0x0AFE]
    assert [m.answer for m in _feed(bytes.fromhex("020000fefc"))[0]] == [254]


def test_flags_ask_for_monitor_echo_and_sending_twice() -> None:
    assert encode_send(0x012E, twice=True, flags=MONITOR | ECHO)[0] == 0xB3
    assert encode_send(0x010203, bits=24) == bytes.fromhex("080102 0308".replace(" ", ""))


@pytest.mark.parametrize(
    ("data", "frame"),
    [("0afe00", 0x0AFE), ("000afe", 0x0AFE), ("00fe00", 0xFE00), ("0001ff", 0x01FF), ("ff0000", 0xFF00)],
)
def test_a_frame_is_read_on_whichever_side_it_stands(data: str, frame: int) -> None:
    assert Message(0x03, bytes.fromhex(data)).frame == frame


@pytest.mark.parametrize("value", [0, 1, 0xFE, 0xFF])
def test_an_answer_on_the_left_is_the_same_answer(value: int) -> None:
    left, right = Message(0x02, bytes((value, 0, 0))), Message(0x02, bytes((0, 0, value)))
    assert left.answer == right.answer == value


@given(st.lists(MESSAGES, max_size=8))
def test_what_is_encoded_is_read_back(messages: list[Message]) -> None:
    read, stream = _feed(b"".join(_bytes(message) for message in messages))
    assert read == messages
    assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0)


@given(st.lists(st.one_of(MESSAGES.map(_bytes), st.binary(max_size=12)), max_size=10), st.data())
def test_split_anywhere_gives_the_same_frames_and_the_same_count(pieces: list[bytes], draw: st.DataObject) -> None:
    data = b"".join(pieces)
    whole, one = _feed(data)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=12)))
    stream = SciStream()
    parts = [event for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) for event in stream.feed(data[a:b])]
    assert parts == whole
    assert stream.snapshot() == one.snapshot()
    assert 5 * len(whole) + stream.skipped_bytes + stream.pending_bytes == len(data)


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_any_bytes_raise_nothing_and_take_bounded_memory(pieces: list[bytes]) -> None:
    stream = SciStream()
    for piece in pieces:
        stream.feed(piece)
        assert stream.pending_bytes < 5


@pytest.mark.parametrize("rubbish", ["ff", "0a fe", "ff ff ff", "f7 f7 f7 f7", "0f 00 00 00 0f", "aa 55 aa 55 aa 55"])
@pytest.mark.parametrize("value", [0, 2, 0x55, 0xFE, 0xFF])
def test_after_rubbish_the_same_answer_again_and_again_is_found_at_its_true_place(rubbish: str, value: int) -> None:
    """Any rotation of a frame that is repeated has a true XOR: only zeros in their places tell it apart."""
    again = encode_heard(value) * 5
    messages, stream = _feed(bytes.fromhex(rubbish) + again)
    assert messages == [Message(0x02, bytes((0, 0, value)))] * 5
    assert stream.skipped_bytes == len(bytes.fromhex(rubbish))


@pytest.mark.parametrize(
    "good", [encode(0x00), encode(0x31), encode_send(0x0AFE), encode_heard(0x0AFE, bits=16), encode(7, b"\0\0\3")]
)
def test_after_rubbish_frames_with_zeros_in_their_places_are_found(good: bytes) -> None:
    messages, stream = _feed(b"\xff\xff\x0e" + good)
    assert ([_bytes(message) for message in messages], stream.skipped_bytes) == ([good], 3)


@pytest.mark.parametrize(
    "doubtful", [encode(0, b"\0\0\1"), encode(8, b"\1\2\3"), encode(2, b"\1\0\0"), encode(7, b"\0\0\x77"), encode(4)]
)
def test_out_of_step_what_could_be_anything_is_not_taken(doubtful: bytes) -> None:
    assert _feed(b"\xff" + doubtful)[0] == []
    stream = SciStream()
    stream.feed(b"\xff")
    stream.forget()
    assert [_bytes(message) for message in stream.feed(doubtful)] == [doubtful]


def test_a_wrong_xor_or_an_unknown_code_is_skipped() -> None:
    messages, stream = _feed(bytes.fromhex("030afe00f6 0900000009".replace(" ", "")))
    stream.forget()
    assert (messages, stream.skipped_bytes) == ([], 10)


def test_a_snapshot_goes_on_in_the_middle_of_a_frame() -> None:
    stream = SciStream()
    stream.feed(b"\xff\x02\x00\x00\xfe")
    other = SciStream()
    other.restore(stream.snapshot())
    assert other.feed(b"\xfc") == [Message(0x02, b"\0\0\xfe")]


def test_what_is_no_frame_cannot_be_encoded() -> None:
    for control, data in ((0x09, b"\0\0\0"), (0x100, b"\0\0\0"), (0x03, b"\0\0")):
        with pytest.raises(ValueError, match="no SCI frame"):
            encode(control, data)
    for frame, bits in ((0x10000, 16), (-1, 16), (0, 12)):
        with pytest.raises(ValueError, match="no SCI frame"):
            encode_send(frame, bits=bits)


def test_the_command_line_reads_both_directions() -> None:
    data = b"".join(
        (
            encode_send(0x0BA0, flags=MONITOR | ECHO),
            encode(0x00),
            encode_heard(254),
            encode(0x01),
            encode_heard(0x86AA, bits=16),
            encode_heard(0x010203, bits=24),
            encode(ERROR, b"\0\0\3"),
            encode(ERROR, b"\0\0\x09"),
            encode(5, b"\1\2\3"),
        )
    )
    said, skipped = decode_events(data + b"\x03")
    assert [event["type"] for event in said] == [
        "dali_frame",
        "sci_ok",
        "dali_answer",
        "dali_no_answer",
        "dali_frame",
        "dali_other",
        "sci_error",
        "sci_error",
        "dali_other",
    ]
    assert [event.get("side") for event in said if event["type"] == "dali_frame"] == ["left", "right"]
    assert (said[4]["text"], said[6]["text"], said[7]["text"], skipped) == (
        "group 3: DAPC 170 (10.1 %)",
        "what was heard is no frame",
        "unknown",
        1,
    )
