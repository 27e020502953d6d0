"""HLK-LD2450: the vendor's frame, its signs, what is encoded is read back, and what cannot be."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs.hilink import Ack, encode_ack
from drivers.codecs.ld2450 import (
    EMPTY,
    EMPTY_FRAME,
    FRAME_BYTES,
    MAX_CM_S,
    MAX_MM,
    REPORT_HEAD,
    REPORT_TAIL,
    Event,
    Ld2450Stream,
    Report,
    Target,
    decode_events,
    encode_report,
)

# Hi-Link, LD2450 serial protocol V1.03, 2.3
VENDOR = bytes.fromhex("aaff0300 0e03b186 10004001 0000000000000000 0000000000000000 55cc")
VENDOR_TARGET = Target(-782, 1713, -16, 320)

targets = st.builds(
    Target,
    x_mm=st.integers(-MAX_MM, MAX_MM),
    y_mm=st.integers(-MAX_MM, MAX_MM),
    speed_cm_s=st.integers(-MAX_CM_S, MAX_CM_S),
    resolution_mm=st.integers(0, MAX_MM),
)
slots = st.tuples(*[st.none() | targets] * 3)


def feed(data: bytes) -> tuple[list[Event], Ld2450Stream]:
    stream = Ld2450Stream()
    return stream.feed(data), stream


def slot(*fields: int) -> bytes:
    """A frame with these raw fields in its second slot."""
    raw = b"".join(field.to_bytes(2, "little") for field in fields)
    return VENDOR[:12] + raw + VENDOR[20:]


def test_the_vendors_frame_has_one_target_and_its_signs() -> None:
    events, stream = feed(VENDOR)
    assert events == [Report((VENDOR_TARGET, None, None))]
    assert isinstance(events[0], Report)
    assert events[0].targets == (VENDOR_TARGET,)
    assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0)
    assert encode_report([VENDOR_TARGET]) == VENDOR


def test_the_older_print_of_the_vendors_frame_has_another_resolution() -> None:
    """The same frame in Ai-Thinker's paper of the RD-03D, which sends what the LD2450 sends: 6801 is 360 mm."""
    (report,), _ = feed(VENDOR.replace(b"\x40\x01", b"\x68\x01"))
    assert isinstance(report, Report)
    assert report.targets == (Target(-782, 1713, -16, 360),)


def test_a_set_sign_bit_is_positive() -> None:
    (report,), _ = feed(slot(0x8001, 0x0001, 0x8010, 0x0000))
    assert isinstance(report, Report)
    assert report.slots[1] == Target(1, -1, 16, 0)


def test_nobody_there_is_an_empty_report() -> None:
    assert feed(EMPTY_FRAME)[0] == feed(b"\0" + EMPTY_FRAME)[0] == [EMPTY]
    assert encode_report([]) == encode_report([None, None, None]) == EMPTY_FRAME
    assert EMPTY.targets == ()


def test_a_target_stays_in_its_slot() -> None:
    (report,), _ = feed(encode_report([None, VENDOR_TARGET]))
    assert report == Report((None, VENDOR_TARGET, None))


@pytest.mark.parametrize(
    "fields",
    [
        (MAX_MM + 1, 0x8001, 0x8000, 320),
        (0x8000 | MAX_MM + 1, 0x8001, 0x8000, 320),
        (0x8001, MAX_MM + 1, 0x8000, 320),
        (0x8001, 0x8000 | MAX_MM + 1, 0x8000, 320),
        (0x8001, 0x8001, MAX_CM_S + 1, 320),
        (0x8001, 0x8001, 0x8000 | MAX_CM_S + 1, 320),
        (0x8001, 0x8001, 0x8000, MAX_MM + 1),
        (0xCC55, 0, 0, 0),
    ],
)
@pytest.mark.parametrize("at", [0, 8, 16])
def test_a_place_or_speed_that_cannot_be_is_damage_in_every_slot(fields: tuple[int, ...], at: int) -> None:
    raw = b"".join(field.to_bytes(2, "little") for field in fields)
    frame = EMPTY_FRAME[: 4 + at] + raw + EMPTY_FRAME[12 + at :]
    events, stream = feed(frame + VENDOR)
    assert events == [Report((VENDOR_TARGET, None, None))]
    assert stream.skipped_bytes == FRAME_BYTES


def test_a_frame_that_is_too_short_or_too_long_is_damage() -> None:
    for wrong in (VENDOR[:20] + VENDOR[21:], VENDOR[:20] + b"\0" + VENDOR[20:], REPORT_HEAD + REPORT_TAIL):
        events, stream = feed(wrong + VENDOR)
        assert events == [Report((VENDOR_TARGET, None, None))]
        assert stream.skipped_bytes == len(wrong)


@given(slots)
def test_what_is_encoded_is_read_back(wanted: tuple[Target | None, Target | None, Target | None]) -> None:
    frame = encode_report(wanted)
    assert len(frame) == FRAME_BYTES
    for data in (frame, b"\xff" + frame):  # alone, and by way of the search
        events, stream = feed(data)
        assert events == [Report(wanted)]
        assert stream.empty


@given(slots)
def test_no_sound_report_holds_another_head_or_tail(some: tuple[Target | None, ...]) -> None:
    frame = encode_report(some)
    assert frame.rfind(REPORT_HEAD) == 0
    assert frame.find(REPORT_TAIL) == FRAME_BYTES - 2
    assert b"\xfd\xfc" not in frame


@pytest.mark.parametrize(
    ("some", "text"),
    [
        ([VENDOR_TARGET] * 4, "4 targets; a report has room for 3"),
        ([Target(-MAX_MM - 1, 0, 0, 0)], "up to 10000 mm"),
        ([Target(0, MAX_MM + 1, 0, 0)], "up to 10000 mm"),
        ([Target(0, 0, 0, -1)], "up to 10000 mm"),
        ([Target(0, 0, 0, MAX_MM + 1)], "up to 10000 mm"),
        ([Target(0, 0, -MAX_CM_S - 1, 0)], "up to 2000 cm/s"),
    ],
)
def test_what_no_report_can_say_cannot_be_encoded(some: list[Target], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        encode_report(some)


def test_a_recording_becomes_json_able_events_and_a_count_of_skipped_bytes() -> None:
    events, skipped = decode_events(b"\x00" + VENDOR + encode_ack(Ack(0x0090, 0, b"")) + b"\xaa\xff")
    target = {"x_mm": -782, "y_mm": 1713, "speed_cm_s": -16, "resolution_mm": 320}
    assert events == [
        {"type": "report", "targets": [target]},
        {"type": "ack", "command": "0x0090", "status": 0, "value_hex": ""},
    ]
    assert skipped == 3
    assert json.loads(json.dumps(events)) == events
