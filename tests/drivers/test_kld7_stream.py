"""RFbeam K-LD7 among rubbish: false heads, damage, any bytes in any pieces."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.codecs.kld7 import Kld7Stream
from drivers.codecs.kld7_packets import (
    MAX_PACKET_BYTES,
    PACKETS,
    Event,
    ParameterSet,
    Samples,
    Target,
    Tracked,
    encode,
    encode_event,
)
from drivers.codecs.kld7_parameters import Parameters

GOOD = bytes.fromhex("54444154 08000000 500097FF2F071518")
GOOD_EVENT = Tracked(Target(80, -105, 1839, 6165))

shorts = st.sampled_from(
    [
        GOOD,
        encode("TDAT"),
        encode("RESP", b"\0"),
        encode("DDAT", bytes(6)),
        encode("DONE", b"\1\0\0\0"),
        encode("PDAT", GOOD[8:] * 9),  # its length is the letter H
        encode("INIT", bytes(4)),
        encode("GBYE"),
        encode_event(ParameterSet(Parameters())),
    ]
)
heads = st.sampled_from(sorted(PACKETS))
cut_heads = st.builds(lambda head, size: head[:size], heads, st.integers(1, 7))
short_heads = st.sampled_from(sorted(head for head, (size, _) in PACKETS.items() if size < 100))
rubbish = st.lists(st.one_of(st.binary(max_size=12), heads, cut_heads, shorts.map(lambda p: p[:-1])), max_size=4)
anything = st.lists(st.one_of(shorts, st.binary(max_size=12), heads, cut_heads), max_size=10).map(b"".join)


def feed(data: bytes) -> tuple[list[Event], Kld7Stream]:
    stream = Kld7Stream()
    return stream.feed(data), stream


def feed_single(data: bytes) -> tuple[list[Event], Kld7Stream]:
    """A byte at a time."""
    stream = Kld7Stream()
    return [event for n in range(len(data)) for event in stream.feed(data[n : n + 1])], stream


def search(data: bytes) -> tuple[list[Event], int]:
    """The rule, written down plainly: at every byte, does a sound packet end here? The latest start wins."""
    events: list[Event] = []
    done = taken = 0
    for end in range(8, len(data) + 1):
        for start in range(end - 8, done - 1, -1):
            size, read = PACKETS.get(data[start : start + 8], (-1, None))
            if read is not None and start + 8 + size == end and (event := read(data[start + 8 : end])) is not None:
                events.append(event)
                taken += end - start
                done = end
                break
    return events, len(data) - taken


@settings(max_examples=300)
@given(anything)
def test_the_stream_finds_what_a_plain_search_finds(data: bytes) -> None:
    events, skipped = search(data)
    for found, stream in (feed(data), feed_single(data)):
        assert found == events
        stream.finish()
        assert stream.skipped_bytes == skipped
        assert stream.pending_bytes == 0


@given(anything, st.lists(st.integers(0, 200), max_size=6))
def test_cut_anywhere_the_events_are_the_same(data: bytes, cuts: list[int]) -> None:
    stream = Kld7Stream()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    events = [event for low, high in pairwise(edges) for event in stream.feed(data[low:high])]
    whole = Kld7Stream()
    assert events == whole.feed(data)
    assert stream.snapshot() == whole.snapshot()


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_raise_nothing_and_hold_less_than_a_packet(chunks: list[bytes]) -> None:
    stream = Kld7Stream()
    for chunk in chunks:
        stream.feed(chunk)
        assert stream.pending_bytes < MAX_PACKET_BYTES


@given(rubbish.map(b"".join))
def test_a_good_report_after_any_rubbish_is_found_at_once(before: bytes) -> None:
    for found, stream in (feed(before + GOOD), feed_single(before + GOOD)):
        assert found[-1] == GOOD_EVENT
        assert stream.pending_bytes == 0


@given(short_heads, st.integers(1, 96), shorts)
def test_a_false_head_that_cuts_into_a_good_packet_does_not_swallow_it(head: bytes, cut: int, good: bytes) -> None:
    size = PACKETS[head][0]
    filler = bytes(max(0, size - cut))
    for found, _ in (feed(head + filler + good + GOOD), feed_single(head + filler + good + GOOD)):
        assert found[-2:] == [*feed(good)[0], GOOD_EVENT]


def test_a_false_head_of_samples_holds_back_no_report_and_ends_as_skipped_bytes() -> None:
    head = encode("RADC", bytes(3072))[:8]
    stream = Kld7Stream()
    assert stream.feed(head) == []
    for _ in range(300):
        assert stream.feed(GOOD) == [GOOD_EVENT]
        assert stream.pending_bytes == 0
    assert stream.skipped_bytes == 8


@pytest.mark.parametrize("cut", [4, 5, 7, 8])
def test_samples_that_end_in_the_head_of_a_report_are_a_false_head(cut: int) -> None:
    false = encode("RFFT", bytes(1024))[: 8 + 1024 - cut]
    for found, stream in (feed(false + GOOD), feed_single(false + GOOD)):
        assert found == [GOOD_EVENT]
        assert stream.skipped_bytes == len(false)


def test_samples_that_end_in_the_first_letters_of_a_report_cost_that_one_and_no_more() -> None:
    false = encode("RFFT", bytes(1024))[: 8 + 1024 - 3]
    for found, stream in (feed(false + GOOD + GOOD), feed_single(false + GOOD + GOOD)):
        assert found == [Samples("RFFT", bytes(1021) + GOOD[:3]), GOOD_EVENT]
        assert stream.skipped_bytes == len(GOOD) - 3


@pytest.mark.parametrize(
    "damaged",
    [
        "54444154 07000000 5000",  # a length that TDAT cannot have
        "54444154 08000000 500097FF2F07 1541",  # a magnitude that ends in a letter
        "54444154 08000000 504197FF2F071518",  # 168 m
        "54444154 08000000 500000412F071518",  # 166 km/h
        "54444154 08000000 500097FF00BF1518",  # -166 degrees
        "50444154 10000000 500097FF2F071518 50FF97FF2F071518",
        "44444154 06000000 010002010001",  # a flag of 2
        "444f4e45 04000000 00000054",
        "52455350 01000000 54",
        "494e4954 04000000 54444154",
        "52505354 2a000000" + "00" * 41 + "54",
        "53525053 2a000000" + "00" * 41 + "54",
        "52505354 2a000000" + "00" * 19 + b"GBYE\0\0\0\0".hex() + "00" * 15,
    ],
)
def test_a_packet_that_contradicts_itself_is_skipped(damaged: str) -> None:
    data = bytes.fromhex(damaged)
    for found, stream in (feed(data + GOOD), feed_single(data + GOOD)):
        assert found[-1] == GOOD_EVENT
        assert [event for event in found if type(event) is Tracked] == [GOOD_EVENT]
        assert stream.pending_bytes == 0


def test_half_a_report_then_silence_costs_only_itself() -> None:
    stream = Kld7Stream()
    assert stream.feed(GOOD[:11]) == []
    assert stream.pending_bytes == 11
    assert stream.feed(GOOD) == [GOOD_EVENT]
    assert stream.skipped_bytes == 11


@given(anything, st.integers(0, 100))
def test_a_snapshot_in_the_middle_goes_on_the_same(data: bytes, cut: int) -> None:
    first, second = Kld7Stream(), Kld7Stream()
    first.feed(data[:cut])
    second.restore(json.loads(json.dumps(first.snapshot())))
    assert second.feed(data[cut:]) == first.feed(data[cut:])
    assert second.snapshot() == first.snapshot()
