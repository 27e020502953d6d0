"""HLK-LD2451: the vendor's frames, real frames, what is encoded is read back."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs.ld2451 import (
    ACK_HEAD,
    ACK_TAIL,
    IDLE,
    IDLE_FRAME,
    MAX_ACK_PAYLOAD,
    MAX_FRAME_BYTES,
    MAX_TARGETS,
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


def feed(data: bytes) -> tuple[list[Event], Ld2451Stream]:
    stream = Ld2451Stream()
    return stream.feed(data), stream


def feed_single(data: bytes) -> tuple[list[Event], Ld2451Stream]:
    """A byte at a time."""
    stream = Ld2451Stream()
    return [event for n in range(len(data)) for event in stream.feed(data[n : n + 1])], stream


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


def test_commands_are_written_as_the_vendor_prints_them() -> None:
    assert encode_command(0x00FF, b"\x01\x00").hex() == "fdfcfbfa0400ff00010004030201"
    assert encode_command(0x0002, bytes.fromhex("64010502")).hex() == "fdfcfbfa060002006401050204030201"
    assert encode_command(0x00FE).hex() == "fdfcfbfa0200fe0004030201"


def test_the_version_is_read_with_the_length_that_the_vendor_misprints() -> None:
    misprint = bytes.fromhex("fdfcfbfa 0b00 a001 0000 5124010110150524 04030201")
    expected = [Ack(0x00A0, 0, bytes.fromhex("5124010110150524"))]
    assert feed(misprint)[0] == expected
    assert feed_single(misprint)[0] == expected
    other = misprint.replace(b"\xa0\x01", b"\x12\x01")
    assert feed(other)[0] == []
    assert feed(misprint.replace(b"\x0b\x00", b"\x0a\x00"))[0] == []


@pytest.mark.parametrize("size", [0, 1, MAX_ACK_PAYLOAD - 3, MAX_ACK_PAYLOAD - 2])
def test_a_command_is_read_up_to_the_longest(size: int) -> None:
    frame = encode_command(0x0012, b"\x07" * size)
    assert feed(frame)[0] == feed_single(frame)[0] == [Command(0x0012, b"\x07" * size)]


def test_a_command_above_the_longest_is_skipped() -> None:
    frame = encode_command(0x0012, b"\x07" * (MAX_ACK_PAYLOAD - 1))
    for events, stream in (feed(frame + REAL), feed_single(frame + REAL)):
        assert events == feed(REAL)[0]
        assert stream.skipped_bytes == len(frame)


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


def test_the_longest_report_is_read_and_one_target_more_cannot_be_written() -> None:
    most = [Target(-128, 255, True, 120, 0)] * MAX_TARGETS
    frame = encode_report(most)
    assert len(frame) == MAX_FRAME_BYTES
    for (report,), stream in (feed(b"\x00" + frame), feed_single(b"\x00" + frame)):
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
