"""The ATX-LED serial lines: worked lines, python-dali's words for them, any bytes in any pieces."""

from __future__ import annotations

import logging

import pytest
from dali import address
from dali.driver.atxled import DaliHatSerialDriver
from dali.gear import general
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs.atxled import COMMANDS, DIGITS, Line, LineStream, decode_events, decode_lines, encode

LINES = st.sampled_from(sorted(DIGITS)).flatmap(
    lambda letter: st.builds(
        Line,
        st.just(letter),
        st.integers(0, min(16 ** DIGITS[letter], 1 << 25) - 1) if DIGITS[letter] else st.none(),
    )
)
RUBBISH = st.one_of(st.binary(max_size=20), st.integers(60, 90).map(lambda length: b"7" * length))


def _feed(data: bytes) -> tuple[list[Line], LineStream]:
    stream = LineStream()
    return stream.feed(data), stream


def test_encodes_and_reads_the_worked_lines() -> None:
    assert encode("h", 0x0AFE) == b"h0AFE\n"
    assert encode("t", 0x012E) == b"t012E\n"
    assert encode("N") == b"N\n"
    lines, stream = _feed(b"h0BA0\nJFE\n")
    assert lines == [Line("h", 0x0BA0), Line("J", 254)]
    assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0)


@pytest.mark.parametrize(
    "theirs",
    [
        general.DAPC(address.GearShort(5), 254),
        general.QueryActualLevel(address.GearShort(5)),
        general.SetFadeTime(address.GearShort(0)),
        general.DTR0(4),
    ],
    ids=str,
)
def test_writes_what_python_dali_writes(theirs: object) -> None:
    driver = DaliHatSerialDriver.__new__(DaliHatSerialDriver)
    driver.LOG = logging.getLogger("oracle")
    wire = driver.construct(theirs)
    letter = "t" if theirs.sendtwice else "h"  # type: ignore[attr-defined]
    assert encode(letter, theirs.frame.as_integer) == wire  # type: ignore[attr-defined]


@given(st.lists(LINES, max_size=8))
def test_what_is_encoded_is_read_back(lines: list[Line]) -> None:
    read, stream = _feed(b"".join(encode(line.letter, line.value) for line in lines))
    assert read == lines
    assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0)


@given(st.lists(st.one_of(LINES.map(lambda line: encode(line.letter, line.value)), RUBBISH), max_size=12), st.data())
def test_split_anywhere_gives_the_same_lines_and_the_same_count(pieces: list[bytes], draw: st.DataObject) -> None:
    data = b"".join(pieces)
    whole, one = _feed(data)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=10)))
    stream = LineStream()
    parts = [line for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) for line in stream.feed(data[a:b])]
    assert parts == whole
    assert stream.skipped_bytes + stream.pending_bytes == one.skipped_bytes + one.pending_bytes


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_any_bytes_raise_nothing_and_take_bounded_memory(pieces: list[bytes]) -> None:
    stream = LineStream()
    for piece in pieces:
        stream.feed(piece)
        assert stream.pending_bytes <= 64


@given(LINES, st.binary(max_size=100).filter(lambda rubbish: b"\n" not in rubbish))
def test_every_byte_is_read_pending_or_skipped(line: Line, rubbish: bytes) -> None:
    data = encode(line.letter, line.value)
    lines, stream = _feed(data + rubbish)
    assert lines == [line]
    assert stream.skipped_bytes + stream.pending_bytes == len(rubbish)


@given(LINES, RUBBISH)
def test_a_line_after_rubbish_is_still_found(line: Line, rubbish: bytes) -> None:
    rubbish = rubbish.replace(b"\n", b"\r") + b"\xff"
    lines, stream = _feed(rubbish + encode(line.letter, line.value))
    assert lines == [line]
    assert stream.skipped_bytes == len(rubbish)


@pytest.mark.parametrize(
    "text", [b"FOON\n", b"h0AF\n", b"H0AFE\n", b"JF\n", b"JFEE\n", b"m02000000\n", b"\n", b"h0AFE?\n", b"N N\x00\n"]
)
def test_lines_that_say_something_else_are_skipped_whole(text: bytes) -> None:
    lines, stream = _feed(text)
    assert lines == []
    assert stream.skipped_bytes == len(text)


def test_collision_lines_may_carry_digits_and_lines_may_end_with_cr_lf() -> None:
    assert _feed(b"X0AFE\nZ\nN\r\nj1f\n")[0] == [Line("X", 0x0AFE), Line("Z"), Line("N"), Line("j", 0x1F)]


def test_a_line_after_much_rubbish_is_found_too() -> None:
    lines, stream = _feed(b"?" * 300 + b"h0AFE\n" + b"?" * 300 + b"\n")
    assert (lines, stream.skipped_bytes) == ([Line("h", 0x0AFE)], 601)


def test_a_cut_command_before_a_whole_one_is_skipped() -> None:
    lines, stream = _feed(b"h0Ah0AFE\n")
    assert (lines, stream.skipped_bytes) == ([Line("h", 0x0AFE)], 3)


@pytest.mark.parametrize(
    ("letter", "value"), [("h", 0x10000), ("h", None), ("N", 1), ("q", 1), ("J", -1), ("m", 1 << 25)]
)
def test_what_is_no_line_cannot_be_encoded(letter: str, value: int | None) -> None:
    with pytest.raises(ValueError, match="no ATX-LED line"):
        encode(letter, value)


def test_host_and_gateway_letters_never_meet() -> None:
    assert {letter for letter in DIGITS if letter.islower()} == COMMANDS


def test_a_snapshot_goes_on_in_the_middle_of_a_line() -> None:
    stream = LineStream()
    stream.feed(b"?\nh0A")
    other = LineStream()
    other.restore(stream.snapshot())
    assert other.feed(b"FE\n") == [Line("h", 0x0AFE)]
    assert other.skipped_bytes == 2


def test_the_command_line_reads_wire_lines_and_raw_frames() -> None:
    events, skipped = decode_events(b"\xffh0AFE\nN\nh0BA0\nJFE\nt012E\nX\nZ\nl010203\nh0")
    assert [event["type"] for event in events] == [
        "dali_frame",
        "dali_no_answer",
        "dali_frame",
        "dali_answer",
        "dali_frame",
        "dali_collision",
        "dali_conflict",
        "dali_other",
    ]
    assert (events[0]["command"], events[0]["level"], events[3]["answer"], skipped) == ("DAPC", 254, 254, 3)
    events, skipped = decode_events(bytes.fromhex("0afe 86aa 01"))
    assert ([event["text"] for event in events], skipped) == (
        ["short address 5: DAPC 254 (100.0 %)", "group 3: DAPC 170 (10.1 %)"],
        1,
    )


def test_what_is_no_line_is_nothing_to_who_knows_that_it_came_by_the_wire() -> None:
    assert decode_lines(bytes.fromhex("0afe 86aa")) == ([], 4)
    assert [event["type"] for event in decode_lines(b"h0BA0\nJFE\n")[0]] == ["dali_frame", "dali_answer"]
