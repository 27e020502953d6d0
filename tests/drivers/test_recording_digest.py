"""The digest: the same with and without skipping, exact across a snapshot, and different for any other byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.recording.digest import ChainDigest, FlightDigest, inward

MS = 1_000_000
PERIOD_NS = 20 * MS
WIRES = ["lamp/radar-1", "lamp/radar-2", "lamp/dali"]
IDLE = {0: b"idle", 1: b"rest"}
OTHER = [b"A", b"idl", b"rest-of-it", b"\x00" * 3000]

Event = tuple[int, int, bool, bytes]
"""(t_ns, wire, outward, data)."""


def digest(**more: Any) -> ChainDigest:
    return ChainDigest(PERIOD_NS, WIRES, IDLE, block_ns=200 * MS, **more)


@st.composite
def runs_of_events(draw: st.DrawFn) -> list[Event]:
    """Mostly idle frames; sometimes other bytes, either way; steps of 0 to 90 ms."""
    events: list[Event] = []
    t_ns = draw(st.integers(0, 50 * MS))
    for _ in range(draw(st.integers(0, 40))):
        t_ns += draw(st.sampled_from([0, 1, 7 * MS, 20 * MS, 90 * MS]))
        wire = draw(st.integers(0, 2))
        if wire < 2 and draw(st.integers(0, 3)):
            events.append((t_ns, wire, False, IDLE[wire]))
        else:
            events.append((t_ns, wire, draw(st.booleans()), draw(st.sampled_from([*OTHER, IDLE[0]]))))
    return events


def play(events: list[Event], into: ChainDigest) -> ChainDigest:
    for t_ns, wire, outward, data in events:
        into.passed(wire, outward, data, t_ns)
    return into


def play_collapsed(events: list[Event], into: ChainDigest, draw: st.DataObject) -> ChainDigest:
    """Idle frames gathered into repeats of random size, handed over at a random moment before the run's end."""
    held: dict[int, list[int]] = {}

    def hand_over(wire: int) -> None:
        if times := held.pop(wire, None):
            into.repeated(wire, IDLE[wire], times[0], times[-1], len(times))

    for t_ns, wire, outward, data in events:
        if not outward and data == IDLE.get(wire):
            held.setdefault(wire, []).append(t_ns)
        else:
            if not outward:
                hand_over(wire)
            into.passed(wire, outward, data, t_ns)
        for other in sorted(held):
            if draw.draw(st.integers(0, 2)) == 0:
                hand_over(other)
    for wire in sorted(held, reverse=True):
        hand_over(wire)
    return into


@settings(max_examples=150, deadline=None)
@given(runs_of_events(), st.data())
def test_idle_frames_one_by_one_and_in_repeats_give_the_same_digest_and_blocks(
    events: list[Event], data: st.DataObject
) -> None:
    ticked: list[tuple[int, str]] = []
    skipped: list[tuple[int, str]] = []
    one = play(events, digest(on_block=lambda t, h: ticked.append((t, h))))
    two = play_collapsed(events, digest(on_block=lambda t, h: skipped.append((t, h))), data)
    assert one.hexdigest() == two.hexdigest()
    one.finish(10**12)
    two.finish(10**12)
    assert ticked == skipped
    assert one.hexdigest() == two.hexdigest() == ticked[-1][1]


@settings(max_examples=60, deadline=None)
@given(runs_of_events(), st.integers(0, 40))
def test_a_run_resumed_from_a_snapshot_ends_in_the_same_digest(events: list[Event], cut: int) -> None:
    whole = play(events, digest())
    first = play(events[:cut], digest())
    state = json.loads(json.dumps(first.snapshot()))
    second = digest()
    second.restore(state)
    assert second.snapshot() == first.snapshot()
    play(events[cut:], second)
    assert second.snapshot() == whole.snapshot()
    second.finish(1)
    assert second.hexdigest() == whole.hexdigest()


@settings(max_examples=60, deadline=None)
@given(runs_of_events(), st.integers(0, 39))
def test_one_byte_more_anywhere_gives_another_digest(events: list[Event], place: int) -> None:
    before = play(events, digest()).hexdigest()
    place = min(place, len(events))
    t_ns = events[place - 1][0] if place else 0
    assert play([*events[:place], (t_ns, 2, False, b"!"), *events[place:]], digest()).hexdigest() != before


def test_the_digest_can_be_read_at_any_time_and_changes_nothing() -> None:
    under_test = digest()
    seen = set()
    for n in range(300):
        under_test.passed(2, True, bytes([n % 256]) * 40, n * 7 * MS)
        before = under_test.snapshot()
        seen.add(under_test.hexdigest())
        assert under_test.snapshot() == before
    assert len(seen) == 300


def test_the_order_in_which_wires_are_served_within_a_tick_does_not_show() -> None:
    one, two = digest(), digest()
    one.passed(0, False, b"x", 1)
    one.passed(2, True, b"y", 2)
    two.passed(2, True, b"y", 1)
    two.passed(0, False, b"x", 2)
    assert one.hexdigest() == two.hexdigest()


def test_bytes_of_one_tick_may_come_in_pieces() -> None:
    one, two = digest(), digest()
    one.passed(2, False, b"together", 5)
    two.passed(2, False, b"to", 4)
    two.passed(2, False, b"gether", 20 * MS)
    assert one.hexdigest() == two.hexdigest()


def test_the_tick_of_a_byte_counts() -> None:
    one, two = digest(), digest()
    one.passed(2, False, b"z", 20 * MS)
    two.passed(2, False, b"z", 20 * MS + 1)
    assert one.hexdigest() != two.hexdigest()


def test_the_number_of_idle_frames_counts() -> None:
    one, two = digest(), digest()
    one.repeated(0, b"idle", 100, 900, 9)
    two.repeated(0, b"idle", 100, 900, 8)
    assert one.hexdigest() != two.hexdigest()


def test_records_come_out_in_canonical_order_with_their_ticks() -> None:
    got: list[object] = []
    under_test = digest(on_record=lambda tick, key, data, run: got.append((tick, key, data, run)))
    under_test.passed(0, False, b"idle", 90 * MS)
    under_test.passed(2, True, b"late", 95 * MS)
    under_test.passed(0, False, b"early", 100 * MS)
    under_test.repeated(1, b"rest", 110 * MS, 900 * MS, 80)
    under_test.repeated(1, b"rest", 0, 0, 0)
    under_test.finish(1000 * MS)
    assert got == [
        (5, 0, b"idle", (5, 5, 1)),
        (5, 0, b"early", None),
        (5, 5, b"late", None),
        (6, 2, b"rest", (6, 45, 80)),
    ]


def test_a_repeat_of_what_is_not_the_idle_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="not its idle frame"):
        digest().repeated(0, b"rest", 1, 2, 2)


@given(events=runs_of_events(), data=st.data())
@settings(max_examples=300, deadline=None)
def test_portions_of_any_size_give_the_chain_of_one_by_one(events: list[Event], data: st.DataObject) -> None:
    names = ["radar-1", "radar-2", "dali"]
    single, portions = (FlightDigest(PERIOD_NS, names, IDLE) for _ in range(2))
    portions.keys["not reckoned"] = -1
    held: list[tuple[int, str, bytes]] = []
    for number, (t_ns, wire, outward, passed) in enumerate(events):
        single.passed(wire, outward, passed, t_ns)
        held.append((t_ns, names[wire] if outward else inward(names[wire]), passed))
        if number % 5 == 0:
            single.decided(b"decision", t_ns)
            held += [(t_ns, "", b"decision"), (t_ns, "not reckoned", b"tick")]
        if data.draw(st.booleans()):
            portions.passed_all(held)
            held.clear()
            assert portions.hexdigest() == single.hexdigest()
    portions.passed_all(held)
    assert portions.hexdigest() == single.hexdigest()
