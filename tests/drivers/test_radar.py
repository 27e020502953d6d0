"""The radar device: what it makes of frames, of silence, and of frames told in bulk."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs.ld2451 import IDLE_FRAME, Target, encode_command, encode_report
from drivers.devices.radar import Ld2451Radar
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import Detection, DeviceHealth, Quantity, RadarReport
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

ONE = encode_report([Target(-5, 13, True, 3, 123)])
STALE_NS = 3 * NS_PER_S
SILENT = DeviceHealth(STALE_NS, "radar-1", False, "no frame")


def radar(stale_ns: int = STALE_NS) -> tuple[Ld2451Radar, MemoryLink, list[Quantity]]:
    """A radar, the part's end of its wire, and what the radar has emitted."""
    near, far = memory_pair("radar-1")
    emitted: list[Quantity] = []
    return Ld2451Radar("radar-1", near, emitted.append, stale_ns=stale_ns), far, emitted


def test_a_report_gives_distance_speed_angle_and_strength_of_every_target() -> None:
    _, far, emitted = radar()
    far.write(encode_report([Target(-5, 13, True, 3, 123), Target(10, 95, False, 60, 15)]), 7)
    assert emitted == [RadarReport(7, "radar-1", (Detection(13_000, 833, -5, 123), Detection(95_000, -16_666, 10, 15)))]


@pytest.mark.parametrize("kmh", [0, 1, 9, 36, 120, 255])
def test_a_speed_is_rounded_towards_zero_in_both_directions(kmh: int) -> None:
    _, far, emitted = radar()
    far.write(encode_report([Target(0, 1, True, kmh, 0), Target(0, 1, False, kmh, 0)]), 0)
    (report,) = emitted
    assert isinstance(report, RadarReport)
    assert [d.speed_mm_s for d in report.detections] == [kmh * 1_000_000 // 3600, -(kmh * 1_000_000 // 3600)]


def test_the_last_target_leaving_is_told_once_and_idle_frames_after_it_are_not() -> None:
    _, far, emitted = radar()
    far.write(IDLE_FRAME, 0)
    assert emitted == []
    far.write(ONE, 1)
    for t_ns in (2, 3, 4):
        far.write(IDLE_FRAME, t_ns)
    assert [type(value) for value in emitted] == [RadarReport, RadarReport]
    assert emitted[1] == RadarReport(2, "radar-1", ())


def test_answers_to_commands_are_no_reports_and_prove_nothing() -> None:
    device, far, emitted = radar()
    device.advance(0)
    far.write(encode_command(0x01FF, b"\x00\x00") + encode_command(0x00FF, b"\x01\x00"), NS_PER_S)
    assert emitted == []
    assert device.wake_ns == STALE_NS


def test_frames_in_pieces_and_several_in_a_chunk_are_all_told() -> None:
    _, far, emitted = radar()
    far.write(ONE[:9], 1)
    far.write(ONE[9:] + ONE + IDLE_FRAME, 2)
    assert [len(value.detections) for value in emitted if isinstance(value, RadarReport)] == [1, 1, 0]
    assert {value.t_ns for value in emitted} == {2}


def test_silence_is_told_once_when_it_is_due_and_not_before() -> None:
    device, _, emitted = radar()
    device.advance(0)
    assert device.wake_ns == STALE_NS
    device.advance(STALE_NS - 1)
    assert emitted == []
    device.advance(STALE_NS)
    assert emitted == [SILENT]
    assert device.wake_ns == FOREVER_NS
    device.advance(10 * STALE_NS)
    assert emitted == [SILENT]


def test_silence_counts_from_the_last_frame() -> None:
    device, far, emitted = radar()
    device.advance(0)
    far.write(IDLE_FRAME, NS_PER_S)
    device.advance(STALE_NS)
    assert emitted == []
    assert device.wake_ns == NS_PER_S + STALE_NS


def test_rubbish_does_not_end_a_silence_and_a_frame_does_before_its_values() -> None:
    device, far, emitted = radar()
    device.advance(0)
    device.advance(STALE_NS)
    far.write(b"\xf4\xf3\xf2rubbish", 2 * STALE_NS)
    assert emitted == [SILENT]
    far.write(ONE, 2 * STALE_NS + 1)
    assert emitted[1:] == [
        DeviceHealth(2 * STALE_NS + 1, "radar-1", True),
        RadarReport(2 * STALE_NS + 1, "radar-1", (Detection(13_000, 833, -5, 123),)),
    ]
    assert device.wake_ns == 3 * STALE_NS + 1


def test_after_a_silence_nobody_is_in_view_any_more() -> None:
    device, far, emitted = radar()
    far.write(ONE, 0)
    device.advance(STALE_NS)
    far.write(IDLE_FRAME, STALE_NS + 1)
    assert emitted[1:] == [SILENT, DeviceHealth(STALE_NS + 1, "radar-1", True)]


def test_an_early_advance_changes_nothing() -> None:
    device, far, _ = radar()
    far.write(ONE, 5)
    before = device.snapshot()
    device.advance(device.wake_ns - 1)
    assert device.snapshot() == before


chunks = st.one_of(
    st.sampled_from([IDLE_FRAME, ONE, ONE[:7], ONE[7:], b"\xf4", b"\x00", encode_command(0x01FE, b"\x00\x00")]),
    st.binary(max_size=8),
)
steps = st.lists(
    st.tuples(st.sampled_from(["write", "advance", "repeat"]), chunks, st.integers(1, 4), st.integers(0, 4)),
    max_size=12,
)


def play(
    device: Ld2451Radar, far: MemoryLink, moves: list[tuple[str, bytes, int, int]], bulk: bool, now_ns: int = 0
) -> int:
    """Do `moves`, frames told in bulk or one by one; the time they end. Repeated frames come 100 ms apart."""
    for move, chunk, count, wait in moves:
        now_ns += wait * NS_PER_S
        if move == "advance":
            device.advance(now_ns)
        elif move == "write":
            far.write(chunk, now_ns)
        else:
            last_ns = now_ns + (count - 1) * 100 * NS_PER_MS
            if bulk:
                far.repeat(chunk, now_ns, last_ns, count)
            else:
                for t_ns in range(now_ns, last_ns + 1, 100 * NS_PER_MS):
                    far.write(chunk, t_ns)
            now_ns = last_ns
    return now_ns


@given(steps)
def test_frames_told_in_bulk_are_as_good_as_frames_one_by_one(moves: list[tuple[str, bytes, int, int]]) -> None:
    device, far, emitted = radar()
    other, other_far, others = radar()
    play(device, far, moves, bulk=True)
    play(other, other_far, moves, bulk=False)
    assert emitted == others
    assert device.snapshot() == other.snapshot()


@pytest.mark.parametrize(("before", "told"), [(ONE, [RadarReport(1, "radar-1", ())]), (IDLE_FRAME, [])])
@pytest.mark.parametrize("started", [ONE[:7], b"\xf4"])
def test_idle_frames_told_in_bulk_behind_a_frame_cut_short_are_found(
    started: bytes, before: bytes, told: list[Quantity]
) -> None:
    device, far, emitted = radar()
    far.write(before + started, 0)
    emitted.clear()
    far.repeat(IDLE_FRAME, 1, 3, 3)
    assert emitted == told
    assert device.stream.skipped_bytes == len(started)
    assert device.wake_ns == 3 + STALE_NS


def test_of_frames_told_in_bulk_the_last_comes_at_the_last_time_even_where_the_span_does_not_divide() -> None:
    device, far, emitted = radar()
    far.repeat(ONE, 0, 100, 4)
    assert [value.t_ns for value in emitted] == [0, 33, 66, 100]
    far.repeat(ONE, 200, 200, 1)
    assert emitted[-1].t_ns == 200
    far.repeat(IDLE_FRAME, 300, 400, 4)
    assert emitted[-1] == RadarReport(300, "radar-1", ())
    assert device.wake_ns == 400 + STALE_NS


@given(steps, steps)
def test_a_restored_radar_goes_on_where_it_stood(
    before: list[tuple[str, bytes, int, int]], after: list[tuple[str, bytes, int, int]]
) -> None:
    device, far, emitted = radar()
    now_ns = play(device, far, before, bulk=True)
    other, other_far, others = radar()
    other.restore(json.loads(json.dumps(device.snapshot())))
    emitted.clear()
    play(device, far, after, bulk=True, now_ns=now_ns)
    play(other, other_far, after, bulk=True, now_ns=now_ns)
    assert others == emitted
    assert other.snapshot() == device.snapshot()
