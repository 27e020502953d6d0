"""Modbus read along: recorded buses, rubbish, any cut; and that a search costs a bounded amount a byte."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from crcmod.predefined import mkPredefinedCrcFun
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from drivers.codecs.modbus_monitor import (
    MAX_FRAME_BYTES,
    SLICE_BYTES,
    Event,
    ModbusMonitor,
    Refusal,
    Reply,
    Request,
    crc16,
    decode_events,
    jsonable,
)
from hil.peers.modbus_slaves import with_crc

RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data"))
MODBUS = RECORDINGS / "modbus-rtu"
needs_real = pytest.mark.skipif(not MODBUS.is_dir(), reason="no recordings modbus-rtu (LEEZE_RECORDINGS)")

ASK, SAY = bytes.fromhex("0c03000500019516"), bytes.fromhex("0c030230394197")
ASKED, SAID = Request(12, 3, 5, 1), Reply(12, 3, 5, 1, (12345,))


def framed(text: str) -> bytes:
    return with_crc(bytes.fromhex(text))


def feed(data: bytes) -> tuple[list[Event], ModbusMonitor]:
    monitor = ModbusMonitor()
    return monitor.feed(data), monitor


def feed_single(data: bytes) -> tuple[list[Event], ModbusMonitor]:
    """A byte at a time."""
    monitor = ModbusMonitor()
    return [event for n in range(len(data)) for event in monitor.feed(data[n : n + 1])], monitor


def both(data: bytes) -> list[Event]:
    events, monitor = feed(data)
    cut, other = feed_single(data)
    assert (cut, other.snapshot()) == (events, monitor.snapshot())
    return events


def recorded() -> dict[str, list[bytes]]:
    return {
        path.stem: [bytes.fromhex(json.loads(line)["hex"]) for line in path.read_text().splitlines()]
        for path in sorted(MODBUS.glob("*.jsonl"))
    }


heads = st.builds(
    lambda a, f, c: bytes((a, f, c)), st.integers(0, 255), st.sampled_from([1, 3, 6, 16, 17, 131]), st.integers(0, 255)
)
rubbish = st.lists(st.binary(max_size=12) | heads | st.just(ASK[:5]) | st.just(SAY[:-1]), max_size=4).map(b"".join)
frames = st.sampled_from(
    [
        ASK,
        SAY,
        framed("0c8302"),
        framed("0c060008000c"),
        framed("010f00020001 0101"),
        framed("010f00020001"),
        framed("0110000100020400aa00bb"),
        framed("011000010002"),
        framed("01010003000a"),
        framed("010102ff03"),
        framed("0111"),
        framed("011102aaff"),
        framed("00060008000c"),
    ]
)
anything = st.lists(rubbish | frames, max_size=10).map(b"".join)


def test_the_check_value_of_the_crc_is_the_published_one() -> None:
    assert crc16()(b"123456789") == mkPredefinedCrcFun("modbus")(b"123456789") == 0x4B37


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (ASK + SAY, [ASKED, SAID]),  # URM14, DFRobot's wiki
        (bytes.fromhex("0c060008000c0910") * 2, [Request(12, 6, 8, 1, (12,)), Reply(12, 6, 8, 1, (12,))]),
        (
            bytes.fromhex("01040000000271cb 0104044367 6666f455"),  # SDM120
            [Request(1, 4, 0, 2), Reply(1, 4, 0, 2, (0x4367, 0x6666))],
        ),
        (bytes.fromhex("010600001388849c"), [Request(1, 6, 0, 1, (5000,))]),  # Waveshare
        (framed("0103003c0001") + framed("018302"), [Request(1, 3, 60, 1), Refusal(1, 3, 2)]),
        (framed("0105 0003 ff00") * 2, [Request(1, 5, 3, 1, (1,)), Reply(1, 5, 3, 1, (1,))]),
        (
            framed("010f 0002 000a 02 0503") + framed("010f 0002 000a"),
            [Request(1, 15, 2, 10, (1, 0, 1, 0, 0, 0, 0, 0, 1, 1)), Reply(1, 15, 2, 10)],
        ),
        (
            framed("0110 0001 0001 02 00aa") + framed("0110 0001 0001"),
            [Request(1, 16, 1, 1, (170,)), Reply(1, 16, 1, 1)],
        ),
        (
            framed("0101 0003 000a") + framed("0101 02 0503"),
            [Request(1, 1, 3, 10), Reply(1, 1, 3, 10, (1, 0, 1, 0, 0, 0, 0, 0, 1, 1))],
        ),
        (framed("0111") + framed("0111 02 aaff"), [Request(1, 17), Reply(1, 17, None, None, (0xAA, 0xFF))]),
    ],
)
def test_questions_and_answers_are_told_apart_and_paired(data: bytes, events: list[Event]) -> None:
    assert both(data) == events
    _, monitor = feed(data)
    assert (monitor.skipped_bytes, monitor.pending_bytes, monitor.unasked, monitor.unanswered) == (0, 0, 0, 0)


def test_three_bytes_of_bits_are_as_long_as_a_request_and_read_as_what_was_asked_for() -> None:
    three = framed("0101 03 00 0010")  # as a request: 16 coils from 768
    assert both(three) == [Request(1, 1, 0x300, 16)]
    reply = Reply(1, 1, 3, 20, (0,) * 8 + (0,) * 8 + (0, 0, 0, 0))
    assert both(framed("0101 0003 0014") + three) == [Request(1, 1, 3, 20), reply]
    assert both(framed("0101 0003 0008") + three) == [Request(1, 1, 3, 8), Request(1, 1, 0x300, 16)]
    assert both(framed("0102 0003 0014") + three) == [Request(1, 2, 3, 20), Request(1, 1, 0x300, 16)]
    impossible = framed("0101 03 00 ffff")  # no request asks for 65535
    assert both(impossible) == [Reply(1, 1, None, None, (0,) * 8 + (1,) * 16)]


def test_an_answer_that_nobody_asked_for_says_so() -> None:
    other = framed("0c0304 0001 0002")
    data = SAY + ASK + other + ASK + framed("0d03023039") + framed("0111 01 05") + framed("0110 0001 0001")
    events, monitor = feed(data)
    assert events == both(data)
    assert [event for event in events if not isinstance(event, Request)] == [
        Reply(12, 3, None, None, (12345,)),
        Reply(12, 3, None, None, (1, 2)),
        Reply(13, 3, None, None, (12345,)),
        Reply(1, 17, None, None, (5,)),
        Reply(1, 16, 1, 1),
    ]
    assert monitor.counters() == {
        "frames": 7, "requests": 2, "replies": 5, "refusals": 0, "unanswered": 0, "unasked": 5, "skipped_bytes": 0,
    }  # fmt: skip


def test_a_question_without_an_answer_is_counted_and_a_broadcast_awaits_none() -> None:
    _, monitor = feed(ASK * 3 + framed("00060008000c") + ASK + SAY)
    assert (monitor.requests, monitor.replies, monitor.unanswered) == (5, 1, 3)


@pytest.mark.parametrize(
    "text",
    [
        "f803 0005 0001",  # no such address
        "0c03 0005 0000",  # reads nothing
        "0c03 0005 007e",  # reads too much
        "0c01 0005 07d1",
        "0c05 0003 1234",  # neither on nor off
        "0c10 0001 0002 02 00aa",  # the count of bytes does not fit
        "0c0f 0001 0009 01 aa",
        "0c03 03 0001 02",  # half a register
        "0c83 0c",  # no such exception
        "0003 0005 0001",  # nobody answers a broadcast
        "0083 02",
        "0011",
        "0c18 0001",  # a function that is not read here
    ],
)
def test_what_modbus_does_not_mean_is_skipped_though_its_crc_fits(text: str) -> None:
    data = framed(text)
    for events, monitor in (feed(data + ASK), feed_single(data + ASK)):
        assert events == [ASKED]
        assert monitor.skipped_bytes == len(data)


@given(rubbish)
def test_a_good_frame_behind_rubbish_is_found_with_its_last_byte(before: bytes) -> None:
    assume(not feed(before)[0])  # rubbish that is a frame after all
    monitor = ModbusMonitor()
    assert monitor.feed(before + ASK[:-1]) == []
    assert monitor.feed(ASK[-1:]) == [ASKED]
    assert (monitor.skipped_bytes, monitor.pending_bytes) == (len(before), 0)


def test_false_heads_that_claim_the_longest_frame_hold_nothing_back() -> None:
    before = b"".join(bytes((address, 3, 250)) for address in range(1, 60))
    events, monitor = feed_single(before + ASK + SAY)
    assert events == [ASKED, SAID]
    assert monitor.skipped_bytes == len(before)


nested = st.builds(
    lambda before, inner, after: with_crc(bytes((12, 3, len(before + inner + after) & ~1)) + (before + inner + after)),
    st.binary(max_size=3),
    frames,
    st.binary(max_size=3),
)
askew = st.builds(lambda head, rest: with_crc(head + rest), heads, st.binary(min_size=1, max_size=12))


@settings(max_examples=400)
@given(st.lists(frames | nested | askew, max_size=6))
def test_frames_that_come_one_a_chunk_are_read_like_bytes_that_come_one_by_one(chunks: list[bytes]) -> None:
    monitor = ModbusMonitor()
    found = [event for chunk in chunks for event in monitor.feed(chunk)]
    single, other = feed_single(b"".join(chunks))
    assert (found, monitor.snapshot()) == (single, other.snapshot())


FRAMES = [
    ASK,
    SAY,
    framed("0c8302"),
    framed("0c060008000c"),
    framed("010f0002000101 01"),
    framed("010f00020001"),
    framed("0110000100020400aa00bb"),
    framed("01010101"),
    framed("0111"),
    framed("011102aaff"),
    framed("00060008000c"),
]


def test_a_frame_inside_another_is_found_first_however_they_come() -> None:
    for inner in FRAMES:
        for before in range(8):
            for after in range(8):
                body = b"\xff" * before + inner + b"\xff" * after
                outer = with_crc(bytes((12, 3, len(body))) + body)
                events, monitor = feed(outer)
                assert (events, monitor.snapshot()) == (feed_single(outer)[0], feed_single(outer)[1].snapshot())
                assert monitor.skipped_bytes + monitor.pending_bytes >= len(outer) - len(inner), (inner, before, after)


@pytest.mark.parametrize("inner", [ASK, SAY, framed("0c0304 1234 5678"), framed("0c8302")])
def test_a_frame_that_ends_one_byte_before_the_frame_around_it_is_found_first(inner: bytes) -> None:
    """Its last byte is the first of the other's checksum."""
    for filler in range(0x10000):
        body = b"\xff\xff\xff\xff" + filler.to_bytes(2, "big") + b"\xff" + inner[:-1]
        outer = with_crc(bytes((12, 3, len(body))) + body)
        if len(body) % 2 == 0 and outer[-2] == inner[-1]:
            break
        if len(body) % 2:
            body = b"\xff" + body
            outer = with_crc(bytes((12, 3, len(body))) + body)
            if outer[-2] == inner[-1]:
                break
    assert outer[-1 - len(inner) : -1] == inner
    assert feed(outer)[0] == feed_single(outer)[0] == feed(inner)[0]


def test_a_reply_that_begins_like_a_whole_request_is_one() -> None:
    for low in range(256):
        outer = with_crc(framed(f"0c03 0a{low:02x} 0001") + b"\xff" * 5)
        assert feed(outer)[0] == feed_single(outer)[0] == [Request(12, 3, 0x0A00 | low, 1)]


@given(anything, st.lists(st.integers(1, 40), max_size=30))
def test_cut_anywhere_the_events_are_the_same(data: bytes, cuts: list[int]) -> None:
    events = both(data)
    monitor, at, found = ModbusMonitor(), 0, []
    for size in [*cuts, len(data) + 1]:
        found += monitor.feed(data[at : at + size])
        at += size
    assert found == events
    assert monitor.snapshot() == feed(data)[1].snapshot()


@settings(max_examples=300)
@given(st.binary(max_size=600) | anything)
def test_any_bytes_raise_nothing_and_hold_less_than_one_frame(data: bytes) -> None:
    events, monitor = feed_single(data)
    assert monitor.pending_bytes < MAX_FRAME_BYTES
    assert len(monitor._ends) <= 2 * MAX_FRAME_BYTES
    assert len(monitor._counts) <= MAX_FRAME_BYTES
    framed_bytes = len(data) - monitor.skipped_bytes - monitor.pending_bytes
    assert framed_bytes >= 4 * len(events)
    monitor.finish()
    assert (monitor.pending_bytes, monitor.skipped_bytes) == (0, len(data) - framed_bytes)
    json.dumps([jsonable(event) for event in events])


@given(anything, anything)
def test_a_snapshot_in_the_middle_changes_nothing(first: bytes, second: bytes) -> None:
    whole = ModbusMonitor()
    expected = whole.feed(first), whole.feed(second)
    half, other = ModbusMonitor(), ModbusMonitor()
    before = half.feed(first)
    other.restore(json.loads(json.dumps(half.snapshot())))
    assert (before, other.feed(second)) == expected
    assert other.snapshot() == whole.snapshot()


def test_every_byte_of_the_worst_rubbish_is_summed_a_bounded_number_of_times() -> None:
    """F0 03 F0 03 …: every second byte begins a reply of 245 bytes and a request of 8."""
    summed = 0

    def counting(data: bytes) -> int:
        nonlocal summed
        summed += len(data)
        return crc16()(data)

    for size in (4_000, 16_000):
        for chunk in (1, 100, SLICE_BYTES * 2):
            monitor, summed = ModbusMonitor(), 0
            monitor._crc16 = counting
            data = b"\xf0\x03" * (size // 2)
            for at in range(0, size, chunk):
                assert monitor.feed(data[at : at + chunk]) == []
            assert summed <= size * 2 * MAX_FRAME_BYTES // 2
            assert len(monitor._ends) <= MAX_FRAME_BYTES


def test_a_recording_becomes_json_able_events_in_words() -> None:
    coils = framed("0101 0003 0003") + framed("0101 01 05") + framed("0111 01 07")
    events, skipped = decode_events(b"\xff" + ASK + SAY + framed("0c8302") + coils + b"\x0c")
    twelve = {"address": 12, "function": "read holding registers"}
    assert events == [
        {"type": "request", **twelve, "start": 5, "count": 1},
        {"type": "reply", **twelve, "start": 5, "count": 1, "registers": [12345]},
        {"type": "refusal", **twelve, "exception": 2,
         "reason": "illegal data address: the device has no such register"},
        {"type": "request", "address": 1, "function": "read coils", "start": 3, "count": 3},
        {"type": "reply", "address": 1, "function": "read coils", "start": 3, "count": 3, "bits": [1, 0, 1]},
        {"type": "reply", "address": 1, "function": "report server id", "bytes": [7]},
    ]  # fmt: skip
    assert skipped == 2


@pytest.mark.recordings
@needs_real
def test_all_432_recorded_frames_are_read_and_every_question_has_its_answer() -> None:
    total = 0
    for name, chunks in recorded().items():
        events, monitor = feed(b"".join(chunks))
        assert len(events) == len(chunks), name
        assert (monitor.requests, monitor.replies) == (len(chunks) // 2, len(chunks) // 2), name
        assert (monitor.skipped_bytes, monitor.pending_bytes, monitor.unasked, monitor.unanswered) == (0, 0, 0, 0)
        apart = ModbusMonitor()
        assert [event for chunk in chunks for event in apart.feed(chunk)] == events
        assert feed_single(b"".join(chunks))[0] == events
        total += len(events)
    assert total == 432


@pytest.mark.recordings
@needs_real
@settings(max_examples=25)
@given(st.data())
def test_the_recorded_frames_are_read_with_rubbish_between_them(data: st.DataObject) -> None:
    chunks = [chunk for some in recorded().values() for chunk in some]
    gaps = data.draw(
        st.lists(st.binary(max_size=4).map(lambda b: bytes(x | 0xF8 for x in b)), min_size=432, max_size=432)
    )
    between = b"".join(noise + chunk for noise, chunk in zip(gaps, chunks, strict=True))
    events, monitor = feed(between)
    assert events == feed(b"".join(chunks))[0]
    assert monitor.skipped_bytes == sum(map(len, gaps))
