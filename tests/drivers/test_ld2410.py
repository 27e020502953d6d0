"""HLK-LD2410: the vendor's frames, real frames and logs, what is encoded is read back, and what cannot be."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs.hilink import encode_command
from drivers.codecs.ld2410 import (
    BOTH,
    GATES,
    MAX_CM,
    MAX_ENERGY,
    MOVING,
    NOBODY,
    REPORT_HEAD,
    REPORT_TAIL,
    STILL,
    Event,
    Gates,
    Ld2410Stream,
    Report,
    decode_events,
    encode_report,
)

RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data")) / "ld2410"
needs_real = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings ld2410 (LEEZE_RECORDINGS)")

# Hi-Link, LD2410C serial protocol V1.00, 2.3.2: basic and engineering
VENDOR = bytes.fromhex("f4f3f2f1 0d00 02aa 02 5100 00 0000 3b 0000 5500 f8f7f6f5")
VENDOR_REPORT = Report(STILL, 81, 0, 0, 59, 0)
ENGINEERING = bytes.fromhex(
    "f4f3f2f1 2300 01aa 03 1e00 3c 0000 39 0000 0808 3c2205030304030605 000039101306060804 0305 5500 f8f7f6f5"
)
ENGINEERING_REPORT = Report(
    BOTH,
    30,
    60,
    0,
    57,
    0,
    Gates(8, 8, (60, 34, 5, 3, 3, 4, 3, 6, 5), (0, 0, 57, 16, 19, 6, 6, 8, 4), 3, 5),
)
# In a comment of Tasmota's driver: a real part in engineering mode, nobody there
REAL_ENGINEERING = bytes.fromhex(
    "f4f3f2f1 2300 01aa 00 1e00 00 1e00 0d 0000 0808 130e07020507030405 00000d060505050505 6200 5500 f8f7f6f5"
)

energies = st.integers(0, MAX_ENERGY)
nine = st.tuples(*[energies] * GATES)
gates = st.builds(
    Gates,
    last_moving=st.integers(0, 8),
    last_still=st.integers(0, 8),
    moving=nine,
    still=nine,
    light=st.integers(0, 255),
    out=st.integers(0, 255),
)
reports = st.builds(
    Report,
    state=st.integers(0, 6),
    moving_cm=st.integers(0, MAX_CM),
    moving_energy=energies,
    still_cm=st.integers(0, MAX_CM),
    still_energy=energies,
    detection_cm=st.integers(0, MAX_CM),
    gates=st.none() | gates,
)


def feed(data: bytes) -> tuple[list[Event], Ld2410Stream]:
    stream = Ld2410Stream()
    return stream.feed(data), stream


@pytest.mark.parametrize(("frame", "report"), [(VENDOR, VENDOR_REPORT), (ENGINEERING, ENGINEERING_REPORT)])
def test_the_vendors_frames_are_read_and_written(frame: bytes, report: Report) -> None:
    events, stream = feed(frame)
    assert events == [report]
    assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0)
    assert encode_report(report) == frame


def test_a_real_engineering_frame_says_nobody_though_it_names_distances() -> None:
    (report,), _ = feed(REAL_ENGINEERING)
    assert isinstance(report, Report)
    assert (report.state, report.moving_cm, report.still_cm, report.still_energy) == (NOBODY, 30, 30, 13)
    assert report.gates is not None
    assert (report.gates.moving[:3], report.gates.still[-1], report.gates.light) == ((19, 14, 7), 5, 98)


def test_the_state_is_an_enumeration() -> None:
    for state in range(7):
        (report,), _ = feed(encode_report(Report(state, 0, 0, 0, 0, 0)))
        assert isinstance(report, Report)
        assert report.state == state


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (4, 0x0E),  # another length
        (6, 1),  # a type that this length does not have
        (7, 0xAB),
        (8, 7),
        (10, 0x04),  # 1105 cm
        (11, 101),
        (13, 0x04),
        (14, 101),
        (16, 0x04),
        (17, 0x54),
        (18, 1),
    ],
)
def test_a_report_that_cannot_be_is_damage(at: int, value: int) -> None:
    wrong = bytearray(VENDOR)
    wrong[at] = value
    events, stream = feed(bytes(wrong) + VENDOR)
    assert events == [VENDOR_REPORT]
    assert stream.skipped_bytes == len(wrong)


@pytest.mark.parametrize(("at", "value"), [(6, 2), (17, 9), (18, 9), (19, 101), (27, 101), (28, 101), (36, 101)])
def test_an_engineering_report_that_cannot_be_is_damage(at: int, value: int) -> None:
    wrong = bytearray(ENGINEERING)
    wrong[at] = value
    events, stream = feed(bytes(wrong) + VENDOR)
    assert events == [VENDOR_REPORT]
    assert stream.skipped_bytes == len(wrong)


@given(reports)
def test_what_is_encoded_is_read_back(report: Report) -> None:
    frame = encode_report(report)
    for data in (frame, b"\xff" + frame):  # alone, and by way of the search
        events, stream = feed(data)
        assert events == [report]
        assert stream.empty


@given(reports)
def test_no_sound_report_holds_another_head_or_tail(report: Report) -> None:
    frame = encode_report(report)
    assert frame.rfind(REPORT_HEAD) == 0
    assert frame.find(REPORT_TAIL) == len(frame) - 4
    assert b"\xfd\xfc\xfb\xfa" not in frame


@pytest.mark.parametrize(
    "report",
    [
        Report(7, 0, 0, 0, 0, 0),
        Report(STILL, MAX_CM + 1, 0, 0, 0, 0),
        Report(STILL, -1, 0, 0, 0, 0),
        Report(STILL, 70_000, 0, 0, 0, 0),
        Report(STILL, 0, MAX_ENERGY + 1, 0, 0, 0),
        Report(STILL, 0, 0, 0, 0, 0, Gates(9, 8, (0,) * 9, (0,) * 9, 0, 0)),
        Report(STILL, 0, 0, 0, 0, 0, Gates(8, 8, (0,) * 8, (0,) * 9, 0, 0)),
    ],
)
def test_what_no_report_can_say_cannot_be_encoded(report: Report) -> None:
    with pytest.raises(ValueError, match="is no sound report"):
        encode_report(report)


def test_a_recording_becomes_json_able_events_and_a_count_of_skipped_bytes() -> None:
    data = b"\x00" + VENDOR + ENGINEERING + encode_command(0x01FE, b"\x01\x00") + b"\xf4\xf3"
    events, skipped = decode_events(data)
    assert [event["type"] for event in events] == ["report", "report", "ack"]
    assert events[0] == {
        "type": "report",
        "state": 2,
        "moving_cm": 81,
        "moving_energy": 0,
        "still_cm": 0,
        "still_energy": 59,
        "detection_cm": 0,
        "gates": None,
    }
    assert skipped == 3
    assert json.loads(json.dumps(events))[1]["gates"]["still"] == [0, 0, 57, 16, 19, 6, 6, 8, 4]


@pytest.mark.recordings
@needs_real
def test_every_real_frame_of_public_drivers_is_read_whole() -> None:
    frames = json.loads((RECORDINGS / "basic_frames_from_public_drivers.json").read_text())
    assert len(frames) == 8
    states = []
    for text in frames:
        (report,), stream = feed(bytes.fromhex(text))
        assert isinstance(report, Report)
        assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0)
        assert encode_report(report) == bytes.fromhex(text)
        states.append(report.state)
    assert states == [NOBODY, NOBODY, BOTH, STILL, STILL, BOTH, BOTH, STILL]
    assert MOVING not in states


@pytest.mark.recordings
@needs_real
@pytest.mark.parametrize("log", ["106", "110", "120"])
def test_every_logged_line_of_gate_energies_fits_into_a_frame_and_comes_back(log: str) -> None:
    with (RECORDINGS / f"denissstepanjuk_LD2410_dataset_{log}.txt").open(newline="") as file:
        rows = [{key.strip(): value.strip() for key, value in row.items()} for row in csv.DictReader(file)]
    assert len(rows) == 60
    wanted = []
    for row in rows:
        moving = tuple(int(row[f"MOVE_{n}"]) for n in range(1, 10))
        still = tuple(int(row[f"STAT_{n}"]) for n in range(1, 10))
        wanted.append(Report(BOTH, 0, 0, 0, 0, 0, Gates(8, 8, moving, still, 0, 1)))
    events, stream = feed(b"".join(map(encode_report, wanted)))
    assert events == wanted
    assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0)
