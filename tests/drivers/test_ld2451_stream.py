"""HLK-LD2451 among rubbish: false headers, damage, any bytes in any pieces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.codecs.ld2451 import (
    ACK_HEAD,
    ACK_TAIL,
    MAX_ACK_PAYLOAD,
    MAX_FRAME_BYTES,
    MAX_TARGETS,
    REPORT_HEAD,
    REPORT_TAIL,
    Ack,
    Command,
    Event,
    Ld2451Stream,
    Report,
    Target,
    encode_command,
    encode_report,
    frame_report,
)

REAL = bytes.fromhex("f4f3f2f1070001017b0d01037bf8f7f6f5")

targets = st.builds(
    Target,
    angle_deg=st.integers(-128, 127),
    distance_m=st.integers(0, 255),
    approaching=st.booleans(),
    speed_kmh=st.integers(0, 255),
    snr=st.integers(0, 255),
)
reports = st.lists(targets, max_size=6).map(encode_report)
commands = st.builds(
    encode_command, st.sampled_from([0x0012, 0x00FF, 0x01FE, 0x01A0]), st.binary(min_size=2, max_size=9)
)
nested = st.builds(encode_command, st.just(0x0012), st.one_of(reports, commands))
marks = st.sampled_from([REPORT_HEAD, REPORT_TAIL, ACK_HEAD, ACK_TAIL])
false_reports = st.integers(0, MAX_TARGETS).map(lambda n: REPORT_HEAD + (5 * n + 2).to_bytes(2, "little") + bytes([n]))
false_acks = st.integers(2, MAX_ACK_PAYLOAD).map(lambda n: ACK_HEAD + n.to_bytes(2, "little"))
cut_short = st.builds(lambda frame, left: frame[:left], st.one_of(reports, commands), st.integers(1, 9))
loose_ends = st.one_of(st.binary(max_size=12), false_reports, false_acks, cut_short)
rubbish = st.lists(loose_ends, max_size=3).map(b"".join).filter(lambda b: REPORT_TAIL not in b and ACK_TAIL not in b)
anything = st.lists(st.one_of(loose_ends, marks, reports, commands, nested), max_size=12).map(b"".join)


def feed(data: bytes) -> tuple[list[Event], Ld2451Stream]:
    stream = Ld2451Stream()
    return stream.feed(data), stream


def feed_single(data: bytes) -> tuple[list[Event], Ld2451Stream]:
    """A byte at a time."""
    stream = Ld2451Stream()
    return [event for n in range(len(data)) for event in stream.feed(data[n : n + 1])], stream


def search(data: bytes) -> tuple[list[Event], int]:
    """The rule, written down plainly: at every byte, is what ends here a frame? The shortest wins, then all is over."""
    events: list[Event] = []
    done = in_frames = 0
    for end in range(10, len(data) + 1):
        for start in range(end - 10, done - 1, -1):
            if data[start : start + 4] in (REPORT_HEAD, ACK_HEAD) and (event := sound(data[start:end])) is not None:
                events.append(event)
                in_frames += end - start
                done = end
                break
    return events, len(data) - in_frames


def sound(frame: bytes) -> Event | None:
    """A frame by the vendor's description alone."""
    length, inside = int.from_bytes(frame[4:6], "little"), frame[6:-4]
    if frame[:4] == REPORT_HEAD:
        if frame[-4:] != REPORT_TAIL or len(inside) != length or len(inside) == 1:
            return None
        body = inside[2:]
        whole = not inside or (len(body) == 5 * inside[0] and all(body[at] < 2 for at in range(2, len(body), 5)))
        return Report(body, bool(inside[1:2].strip(b"\0"))) if whole else None
    word, rest = int.from_bytes(inside[:2], "little"), inside[2:]
    misprinted = (length, len(inside), word) == (11, 12, 0x01A0)
    if frame[-4:] != ACK_TAIL or not 2 <= len(inside) <= 64 or (len(inside) != length and not misprinted):
        return None
    if word & 0x0100 == 0:
        return Command(word, rest)
    return Ack(word - 0x0100, int.from_bytes(rest[:2], "little"), rest[2:]) if len(rest) >= 2 else None


def test_of_a_command_around_a_whole_command_only_the_inner_is_taken() -> None:
    inner, outer = encode_command(0x00FE), encode_command(0x00FF, encode_command(0x00FE))
    for events, stream in (feed(outer), feed_single(outer)):
        assert events == [Command(0x00FE, b"")]
        assert stream.skipped_bytes == len(outer) - len(inner)


@pytest.mark.parametrize(
    "dead",
    [
        "f4f3f2f1 0100",  # no count of targets has this length
        "f4f3f2f1 0300",
        "f4f3f2f1 0205",  # 256 targets
        "f4f3f2f1 0700 02",  # two do not fit into 7 bytes
        "f4f3f2f1 0000 04030201",
        "f4f3f2f1 0700 01 01 7b0d05037b f8f7f6f5",
        "fdfcfbfa 0000",
        "fdfcfbfa 0100",
        "fdfcfbfa 4100",
    ],
)
def test_nothing_is_held_of_a_frame_that_can_no_longer_be_one(dead: str) -> None:
    data = bytes.fromhex(dead)
    for events, stream in (feed(data), feed_single(data)):
        assert events == []
        assert (stream.pending_bytes, stream.skipped_bytes) == (0, len(data))
    assert not feed(data[:-1])[1].empty


@pytest.mark.parametrize(
    "damaged",
    [
        "f4f3f2f1 0100 00 f8f7f6f5",  # a length that no count of targets has
        "f4f3f2f1 0700 02 01 7b0d01037b f8f7f6f5",  # says two, holds one
        "f4f3f2f1 0700 01 01 7b0d01037b f8f7f6f4",  # another tail
        "f4f3f2f1 0c00 01 01 7b0d01037b f8f7f6f5",  # longer than it is
        "f4f3f2f1 f8f7f6f5",  # nothing in between
        "f4f3f2f1 0000 04030201",  # the other tail
        "fdfcfbfa 0000 04030201",
        "fdfcfbfa 4100 ff01 04030201",
    ],
)
def test_a_damaged_frame_is_skipped_and_the_next_is_found(damaged: str) -> None:
    data = bytes.fromhex(damaged)
    events, stream = feed(data + REAL)
    assert events == feed(REAL)[0]
    assert stream.skipped_bytes == len(data)
    assert stream.empty


@pytest.mark.parametrize("n", [1, 60, MAX_TARGETS])
def test_a_false_header_that_claims_a_longer_frame_does_not_hold_back_a_true_one(n: int) -> None:
    header = REPORT_HEAD + (5 * n + 2).to_bytes(2, "little") + bytes([n])
    events, stream = feed(header + REAL)
    assert events == feed(REAL)[0]
    assert (stream.skipped_bytes, stream.pending_bytes) == (7, 0)


def test_a_false_header_that_ends_with_the_true_frame_does_not_swallow_it() -> None:
    answer = encode_command(0x01FE, b"\x00\x00")
    events, stream = feed(ACK_HEAD + (2 + len(answer) - 4).to_bytes(2, "little") + b"\x12\x01" + answer)
    assert events == [Ack(0x00FE, 0, b"")]
    assert stream.skipped_bytes == 8


@settings(max_examples=200)
@given(anything, st.data())
def test_cut_anywhere_the_same_events_come_with_the_same_counts(data: bytes, draw: st.DataObject) -> None:
    events, whole = feed(data)
    cuts = sorted(draw.draw(st.sets(st.integers(0, len(data)), max_size=12)))
    pieces = Ld2451Stream()
    got = [e for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) for e in pieces.feed(data[a:b])]
    events_single, single = feed_single(data)
    assert events_single == got == events
    assert pieces.snapshot() == single.snapshot() == whole.snapshot()


@settings(max_examples=200)
@given(anything)
def test_a_plain_search_of_all_bytes_finds_the_same(data: bytes) -> None:
    events, stream = feed(data)
    stream.finish()
    assert (events, stream.skipped_bytes) == search(data)
    assert stream.empty


@settings(max_examples=200)
@given(st.lists(st.tuples(rubbish, reports), min_size=1, max_size=6))
def test_rubbish_with_false_headers_never_swallows_a_true_frame(pairs: list[tuple[bytes, bytes]]) -> None:
    events, stream = feed(b"".join(before + frame for before, frame in pairs))
    assert events == [event for _, frame in pairs for event in feed(frame)[0]]
    assert stream.skipped_bytes == sum(len(before) for before, _ in pairs)


FITTING = st.lists(
    st.one_of(marks, st.sampled_from([b"\x00", b"\x01", b"\x02\x00", b"\x07\x00\x01"]), st.binary(max_size=3))
)


@settings(max_examples=200)
@given(st.integers(1, 9), FITTING.map(b"".join), st.integers(0, 255))
def test_a_sound_report_holds_no_other_frame(n: int, filling: bytes, alarm: int) -> None:
    body = bytearray((filling + bytes(5 * n))[: 5 * n])
    body[2::5] = bytes(value & 1 for value in body[2::5])
    frame = frame_report(body, alarm)
    report = [Report(bytes(body), alarm != 0)]
    assert search(frame) == (report, 0)
    assert feed(frame)[0] == feed(b"\x00" + frame)[0] == report


def test_a_head_among_the_targets_does_not_hide_the_report() -> None:
    targets = [Target(0, 0, True, 0xF4, 0xF3), Target(0xF2 - 0x80, 0xF1, True, 5, 5)]
    frame = encode_report(targets)
    assert frame.count(REPORT_HEAD) == 2
    for (report,), stream in (feed(frame), feed(b"\x00" + frame), feed_single(frame)):
        assert isinstance(report, Report)
        assert report.targets == tuple(targets)
        assert stream.empty


@settings(max_examples=50)
@given(st.lists(st.one_of(st.binary(max_size=300), anything), max_size=12))
def test_any_bytes_raise_nothing_and_less_than_a_frame_is_held(chunks: list[bytes]) -> None:
    stream = Ld2451Stream()
    for chunk in chunks:
        stream.feed(chunk)
        assert stream.pending_bytes < MAX_FRAME_BYTES
        assert stream.empty == (stream.pending_bytes == 0)
    stream.finish()
    assert stream.skipped_bytes <= sum(map(len, chunks))


def test_headers_without_end_are_given_up_one_by_one() -> None:
    stream = Ld2451Stream()
    longest = REPORT_HEAD + (MAX_FRAME_BYTES - 10).to_bytes(2, "little") + bytes([MAX_TARGETS])
    for _ in range(1000):
        assert stream.feed(longest) == []
        assert stream.pending_bytes < MAX_FRAME_BYTES
    assert stream.feed(REAL) == feed(REAL)[0]
    assert stream.skipped_bytes == 7000


@given(anything, anything)
def test_a_restored_stream_goes_on_where_it_stood(before: bytes, after: bytes) -> None:
    stream = feed(before)[1]
    other = Ld2451Stream()
    other.restore(json.loads(json.dumps(stream.snapshot())))
    assert other.feed(after) == stream.feed(after)
    assert other.snapshot() == stream.snapshot()


@given(st.binary(min_size=5, max_size=5), st.booleans(), st.integers(0, 18), st.binary(max_size=1))
def test_a_report_of_one_target_said_shortly_is_what_the_search_finds(
    target: bytes, alarm: bool, at: int, instead: bytes
) -> None:
    frame = REPORT_HEAD + b"\x07\x00\x01" + bytes((alarm,)) + target + REPORT_TAIL
    data = frame[:at] + instead + frame[at + 1 :]
    short, found = Ld2451Stream().one_target(data), Ld2451Stream().feed(data)
    if short is not None:
        assert found == [Report(bytes(short), data[7] != 0)]
    elif len(data) == len(frame):
        assert not [event for event in found if isinstance(event, Report) and len(event.body) == 5]


def test_a_report_behind_the_beginning_of_another_is_left_to_the_search() -> None:
    stream = Ld2451Stream()
    frame = REPORT_HEAD + bytes.fromhex("07000101 7b0d01037b") + REPORT_TAIL
    stream.feed(frame[:5])
    assert stream.one_target(frame) is None
    assert len(stream.feed(frame)) == 1
