"""HLK-LD2451: the vendor's frames, real frames, and any bytes in any pieces."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.codecs.ld2451 import (
    ACK_HEAD,
    ACK_TAIL,
    IDLE,
    IDLE_FRAME,
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
    decode_events,
    encode_command,
    encode_report,
    frame_report,
)

RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data")) / "ld2451"
needs_real = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings ld2451 (LEEZE_RECORDINGS)")

VENDOR = bytes.fromhex("f4f3f2f1110003018a28003c158a1e013c0f765f003c0ff8f7f6f5")
VENDOR_TARGETS = (Target(10, 40, False, 60, 21), Target(10, 30, True, 60, 15), Target(-10, 95, False, 60, 15))
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
marks = st.sampled_from([REPORT_HEAD, REPORT_TAIL, ACK_HEAD, ACK_TAIL])
false_reports = st.integers(0, MAX_TARGETS).map(lambda n: REPORT_HEAD + (5 * n + 2).to_bytes(2, "little") + bytes([n]))
false_acks = st.integers(2, MAX_ACK_PAYLOAD).map(lambda n: ACK_HEAD + n.to_bytes(2, "little"))
cut_short = st.builds(lambda frame, left: frame[:left], st.one_of(reports, commands), st.integers(1, 9))
loose_ends = st.one_of(st.binary(max_size=12), false_reports, false_acks, cut_short)
rubbish = st.lists(loose_ends, max_size=3).map(b"".join).filter(lambda b: REPORT_TAIL not in b and ACK_TAIL not in b)
anything = st.lists(st.one_of(loose_ends, marks, reports, commands), max_size=12).map(b"".join)


def feed(data: bytes) -> tuple[list[Event], Ld2451Stream]:
    stream = Ld2451Stream()
    return stream.feed(data), stream


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


def test_the_vendors_frame_has_three_targets() -> None:
    events, stream = feed(VENDOR)
    assert events == [Report(VENDOR[8:-4], True)]
    assert isinstance(events[0], Report)
    assert events[0].targets == VENDOR_TARGETS
    assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0)


def test_direction_1_is_approaching_as_the_recordings_say() -> None:
    (report,), _ = feed(REAL)
    assert isinstance(report, Report)
    assert report.targets == (Target(-5, 13, True, 3, 123),)


def test_the_idle_frame_is_an_empty_report() -> None:
    assert feed(IDLE_FRAME)[0] == [IDLE]
    assert feed(bytes.fromhex("f4f3f2f1 0000 f8f7f6f5"))[0] == [Report(b"", False)]


def test_a_report_of_no_targets_written_out_is_an_empty_report() -> None:
    assert feed(bytes.fromhex("f4f3f2f1 0200 00 00 f8f7f6f5"))[0] == [IDLE]
    assert feed(bytes.fromhex("f4f3f2f1 0200 00 01 f8f7f6f5"))[0] == [Report(b"", True)]


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        ("fdfcfbfa 0400 ff00 0100 04030201", Command(0x00FF, b"\x01\x00")),
        ("fdfcfbfa 0600 0200 64010502 04030201", Command(0x0002, bytes.fromhex("64010502"))),
        ("fdfcfbfa 0200 1200 04030201", Command(0x0012, b"")),
        ("fdfcfbfa 0800 ff01 0000 01000000 04030201", Ack(0x00FF, 0, bytes.fromhex("01000000"))),
        ("fdfcfbfa 0400 0201 0000 04030201", Ack(0x0002, 0, b"")),
        ("fdfcfbfa 0800 1201 0000 64010502 04030201", Ack(0x0012, 0, bytes.fromhex("64010502"))),
        ("fdfcfbfa 0400 fe01 0100 04030201", Ack(0x00FE, 1, b"")),
        ("fdfcfbfa 0c00 a001 0000 5124010110150524 04030201", Ack(0x00A0, 0, bytes.fromhex("5124010110150524"))),
    ],
)
def test_commands_and_acknowledgements_of_the_vendor_are_read(frame: str, event: Event) -> None:
    assert feed(bytes.fromhex(frame))[0] == [event]
    assert search(bytes.fromhex(frame)) == ([event], 0)


def test_commands_are_written_as_the_vendor_prints_them() -> None:
    assert encode_command(0x00FF, b"\x01\x00").hex() == "fdfcfbfa0400ff00010004030201"
    assert encode_command(0x0002, bytes.fromhex("64010502")).hex() == "fdfcfbfa060002006401050204030201"
    assert encode_command(0x00FE).hex() == "fdfcfbfa0200fe0004030201"


def test_the_version_is_read_with_the_length_that_the_vendor_misprints() -> None:
    misprint = bytes.fromhex("fdfcfbfa 0b00 a001 0000 5124010110150524 04030201")
    expected = [Ack(0x00A0, 0, bytes.fromhex("5124010110150524"))]
    assert feed(misprint)[0] == expected
    stream = Ld2451Stream()
    assert [event for byte in misprint for event in stream.feed(bytes([byte]))] == expected
    other = misprint.replace(b"\xa0\x01", b"\x12\x01")
    assert feed(other)[0] == []
    assert feed(misprint.replace(b"\x0b\x00", b"\x0a\x00"))[0] == []


def test_an_acknowledgement_without_status_is_damage() -> None:
    events, stream = feed(encode_command(0x01FE) + encode_command(0x01FE, b"\x00") + VENDOR)
    assert len(events) == 1
    assert stream.skipped_bytes == 12 + 13


@pytest.mark.parametrize("direction", [2, 0x80, 255])
def test_a_direction_above_1_is_damage(direction: int) -> None:
    body = bytearray(VENDOR[8:-4])
    body[7] = direction
    events, stream = feed(frame_report(body, 1) + REAL)
    assert len(events) == 1
    assert stream.skipped_bytes == len(VENDOR)


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


def test_the_longest_report_is_read_and_one_target_more_cannot_be_written() -> None:
    most = [Target(-128, 255, True, 120, 0)] * MAX_TARGETS
    frame = encode_report(most)
    assert len(frame) == MAX_FRAME_BYTES
    (report,), stream = feed(b"\x00" + frame)
    assert isinstance(report, Report)
    assert report.targets == tuple(most)
    assert stream.skipped_bytes == 1
    with pytest.raises(ValueError, match="256 targets"):
        encode_report([*most, most[0]])
    with pytest.raises(ValueError, match="range"):
        encode_report([Target(128, 0, True, 0, 0)])


def test_the_alarm_says_that_somebody_approaches() -> None:
    assert encode_report([Target(0, 9, False, 9, 9)])[7] == 0
    assert encode_report([Target(0, 9, False, 9, 9), Target(0, 9, True, 9, 9)])[7] == 1


@given(st.lists(targets, max_size=20))
def test_what_is_encoded_is_read_back(wanted: list[Target]) -> None:
    frame = encode_report(wanted)
    for data in (frame, b"\xff" + frame):  # alone, and by way of the search
        (report,), _ = feed(data)
        assert isinstance(report, Report)
        assert report.targets == tuple(wanted)


@given(st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.binary(max_size=MAX_ACK_PAYLOAD - 4))
def test_any_acknowledgement_and_command_is_read_back(word: int, status: int, value: bytes) -> None:
    answer = encode_command(word | 0x0100, status.to_bytes(2, "little") + value)
    if answer.find(ACK_TAIL) == len(answer) - 4 and ACK_HEAD not in answer[1:]:
        assert feed(answer)[0] == [Ack(word, status, value)]
        assert feed(encode_command(word, value))[0] == [Command(word, value)]


@settings(max_examples=200)
@given(anything, st.data())
def test_cut_anywhere_the_same_events_come_with_the_same_counts(data: bytes, draw: st.DataObject) -> None:
    events, whole = feed(data)
    cuts = sorted(draw.draw(st.sets(st.integers(0, len(data)), max_size=12)))
    pieces = Ld2451Stream()
    got = [e for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) for e in pieces.feed(data[a:b])]
    single = Ld2451Stream()
    assert [e for n in range(len(data)) for e in single.feed(data[n : n + 1])] == got == events
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
    assert feed(frame)[0] == report


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


def test_a_recording_becomes_json_able_events_and_a_count_of_skipped_bytes() -> None:
    data = b"\x00" + REAL + encode_command(0x00FF, b"\x01\x00") + encode_command(0x01FF, b"\x00\x00\x01") + b"\xf4\xf3"
    events, skipped = decode_events(data)
    target = {"angle_deg": -5, "distance_m": 13, "approaching": True, "speed_kmh": 3, "snr": 123}
    assert events == [
        {"type": "report", "alarm": True, "targets": [target]},
        {"type": "command", "command": "0x00ff", "value_hex": "0100"},
        {"type": "ack", "command": "0x00ff", "status": 0, "value_hex": "01"},
    ]
    assert skipped == 3
    assert json.loads(json.dumps(events)) == events


@pytest.mark.recordings
@needs_real
def test_every_frame_of_the_recordings_is_read_whole() -> None:
    frames = json.loads((RECORDINGS / "vendor_pdf_frames.json").read_text())
    lines = (RECORDINGS / "real_frame.jsonl").read_text().splitlines()
    frames.update((f"line {n}", json.loads(line)["hex"]) for n, line in enumerate(lines))
    for name, text in frames.items():
        events, stream = feed(bytes.fromhex(text))
        assert len(events) == 1, name
        assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0), name


@pytest.mark.recordings
@needs_real
def test_every_recorded_pass_fits_into_a_frame_and_comes_back() -> None:
    with (RECORDINGS / "jeromechignola_passes.csv").open(newline="") as file:
        passes = [
            Target(
                int(row["angle_deg"]),
                int(row["dist_m"]),
                row["direction"] == "approach",
                int(row["speed_kmh"]),
                int(row["snr"]),
            )
            for row in csv.DictReader(file)
        ]
    assert len(passes) > 100
    got, stream = feed(b"".join(encode_report([each]) for each in passes))
    assert [event.targets for event in got if isinstance(event, Report)] == [(each,) for each in passes]
    assert stream.skipped_bytes == 0
