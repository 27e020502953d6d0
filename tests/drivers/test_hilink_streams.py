"""LD2450 and LD2410 among rubbish: false heads, damage, any bytes in any pieces."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs import ld2410, ld2450
from drivers.codecs.hilink import ACK_HEAD, ACK_TAIL, MAX_ACK_PAYLOAD, Ack, Command, HilinkStream, encode_command


class Kind(NamedTuple):
    """A part: its stream, a good frame and what it says, its marks, how a frame is judged without our search."""

    stream: Callable[[], HilinkStream[Any]]
    good: bytes
    head: bytes
    tail: bytes
    longest: int
    sound: Callable[[bytes], Any]


def sound_2450(frame: bytes) -> ld2450.Report | None:
    """A frame by the description alone."""
    if len(frame) != 30 or frame[:4] != bytes.fromhex("aaff0300") or frame[-2:] != bytes.fromhex("55cc"):
        return None
    slots: list[ld2450.Target | None] = []
    for at in (4, 12, 20):
        x, y, v, gate = (int.from_bytes(frame[n : n + 2], "little") for n in range(at, at + 8, 2))
        fields = [(raw & 0x7FFF) * (1 if raw & 0x8000 else -1) for raw in (x, y, v)]
        if abs(fields[0]) > 10_000 or abs(fields[1]) > 10_000 or abs(fields[2]) > 2_000 or gate > 10_000:
            return None
        target = ld2450.Target(fields[0], fields[1], fields[2], gate)
        slots.append(target if any(frame[at : at + 8]) else None)
    return ld2450.Report((slots[0], slots[1], slots[2]))


def sound_2410(frame: bytes) -> ld2410.Report | None:
    """A frame by the description alone."""
    inside = frame[6:-4]
    if frame[:4] != bytes.fromhex("f4f3f2f1") or frame[-4:] != bytes.fromhex("f8f7f6f5"):
        return None
    if int.from_bytes(frame[4:6], "little") != len(inside) or inside[-2:] != b"\x55\x00":
        return None
    if (len(inside), inside[:2]) not in ((13, b"\x02\xaa"), (35, b"\x01\xaa")):
        return None
    state, moving_energy, still_energy = inside[2], inside[5], inside[8]
    moving, still, detection = (int.from_bytes(inside[n : n + 2], "little") for n in (3, 6, 9))
    if state > 6 or max(moving, still, detection) > 1_000 or max(moving_energy, still_energy) > 100:
        return None
    report = ld2410.Report(state, moving, moving_energy, still, still_energy, detection)
    if len(inside) == 13:
        return report
    energies = inside[13:31]
    if max(inside[11:13]) > 8 or max(energies) > 100:
        return None
    gates = ld2410.Gates(inside[11], inside[12], tuple(energies[:9]), tuple(energies[9:]), inside[31], inside[32])
    return ld2410.Report(state, moving, moving_energy, still, still_energy, detection, gates)


GOOD_2450 = bytes.fromhex("aaff0300 0e03b186 10004001 0000000000000000 0000000000000000 55cc")
GOOD_2410 = bytes.fromhex("f4f3f2f1 0d00 02aa 02 5100 00 0000 3b 0000 5500 f8f7f6f5")
LONG_2410 = bytes.fromhex(
    "f4f3f2f1 2300 01aa 03 1e00 3c 0000 39 0000 0808 3c2205030304030605 000039101306060804 0305 5500 f8f7f6f5"
)
KINDS = {
    "ld2450": Kind(ld2450.Ld2450Stream, GOOD_2450, ld2450.REPORT_HEAD, ld2450.REPORT_TAIL, 30, sound_2450),
    "ld2410": Kind(ld2410.Ld2410Stream, GOOD_2410, ld2410.REPORT_HEAD, ld2410.REPORT_TAIL, 45, sound_2410),
}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())


def feed(kind: Kind, data: bytes, piece: int = 0) -> tuple[list[Any], HilinkStream[Any]]:
    stream = kind.stream()
    step = piece or max(len(data), 1)
    return [event for at in range(0, len(data), step) for event in stream.feed(data[at : at + step])], stream


def sound(kind: Kind, frame: bytes) -> Any:
    if frame[:4] == kind.head:
        return kind.sound(frame)
    length, inside = int.from_bytes(frame[4:6], "little"), frame[6:-4]
    word, rest = int.from_bytes(inside[:2], "little"), inside[2:]
    misprinted = (length, len(inside), word) == (11, 12, 0x01A0)
    if frame[-4:] != ACK_TAIL or not 2 <= len(inside) <= 64 or (len(inside) != length and not misprinted):
        return None
    if word & 0x0100 == 0:
        return Command(word, rest)
    return Ack(word - 0x0100, int.from_bytes(rest[:2], "little"), rest[2:]) if len(rest) >= 2 else None


def search(kind: Kind, data: bytes) -> tuple[list[Any], int]:
    """The rule, written down plainly: at every byte, is what ends here a frame? The shortest wins, then all is over."""
    events: list[Any] = []
    done = in_frames = 0
    for end in range(10, len(data) + 1):
        for start in range(end - 10, done - 1, -1):
            if data[start : start + 4] not in (kind.head, ACK_HEAD):
                continue
            event = sound(kind, data[start:end])
            if event is not None:
                events.append(event)
                in_frames += end - start
                done = end
                break
    return events, len(data) - in_frames


def words(kind: Kind) -> st.SearchStrategy[bytes]:
    """Frames, halves of frames, marks, false heads, commands inside commands, and noise."""
    commands = st.builds(
        encode_command, st.sampled_from([0x12, 0xFF, 0x01FE, 0x01A0]), st.binary(min_size=2, max_size=9)
    )
    frames = st.sampled_from([kind.good, *([LONG_2410] if kind.head == ld2410.REPORT_HEAD else [])])
    damaged = st.builds(
        lambda frame, at, value: frame[: at % len(frame)] + bytes([value]) + frame[at % len(frame) + 1 :],
        frames,
        st.integers(0, 60),
        st.integers(0, 255),
    )
    cut = st.builds(lambda frame, left: frame[:left], st.one_of(frames, commands), st.integers(1, 29))
    marks = st.sampled_from(
        [kind.head, kind.tail, ACK_HEAD, ACK_TAIL, kind.head + b"\x23\x00", kind.head + b"\x0d\x00"]
    )
    false_acks = st.integers(0, MAX_ACK_PAYLOAD + 1).map(lambda n: ACK_HEAD + n.to_bytes(2, "little"))
    nested = st.builds(encode_command, st.just(0x12), st.one_of(frames, commands))
    return st.one_of(frames, commands, damaged, cut, marks, false_acks, nested, st.binary(max_size=8))


anything = {name: st.lists(words(kind), max_size=10).map(b"".join) for name, kind in KINDS.items()}
each_name = pytest.mark.parametrize("name", KINDS)


@each_name
@given(data=st.data())
def test_the_frames_found_are_those_of_the_plain_rule(name: str, data: st.DataObject) -> None:
    some = data.draw(anything[name])
    events, stream = feed(KINDS[name], some)
    assert (events, stream.skipped_bytes + stream.pending_bytes) == search(KINDS[name], some)


@each_name
@given(data=st.data())
def test_cut_anywhere_the_events_are_the_same(name: str, data: st.DataObject) -> None:
    some = data.draw(anything[name])
    whole, stream = feed(KINDS[name], some)
    for piece in (1, 2, 3, 7, 29):
        parts, other = feed(KINDS[name], some, piece)
        assert parts == whole
        assert other.snapshot() == stream.snapshot()


@each_name
@given(data=st.data())
def test_any_bytes_are_survived_in_bounded_memory(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    stream = kind.stream()
    for chunk in data.draw(st.lists(st.one_of(st.binary(max_size=80), words(kind)), max_size=12)):
        stream.feed(chunk)
        assert stream.pending_bytes < max(kind.longest, MAX_ACK_PAYLOAD + 10)
    held = stream.pending_bytes
    before = stream.skipped_bytes
    stream.finish()
    assert (stream.pending_bytes, stream.skipped_bytes, stream.empty) == (0, before + held, True)


@each_name
@given(data=st.data())
def test_the_first_good_frame_behind_any_rubbish_is_found(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    rubbish = data.draw(anything[name])
    before, _ = feed(kind, rubbish)
    events, stream = feed(kind, rubbish + kind.good)
    assert events == [*before, *feed(kind, kind.good)[0]]
    assert stream.empty


@each_name
@given(data=st.data())
def test_a_restored_stream_goes_on_where_it_stood(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    before, after = data.draw(anything[name]), data.draw(anything[name])
    stream, other = kind.stream(), kind.stream()
    stream.feed(before)
    other.restore(json.loads(json.dumps(stream.snapshot())))
    assert other.feed(after) == stream.feed(after)
    assert other.snapshot() == stream.snapshot()


@each_kind
def test_a_false_head_before_a_good_frame_neither_delays_nor_hides_it(kind: Kind) -> None:
    for false in (
        kind.head,
        kind.head + b"\x23\x00\x01\xaa",
        kind.head[:2],
        ACK_HEAD + b"\x40\x00",
        ACK_HEAD,
        kind.tail,
    ):
        for piece in (0, 1):
            events, stream = feed(kind, false + kind.good, piece)
            assert events == feed(kind, kind.good)[0]
            assert (stream.skipped_bytes, stream.pending_bytes) == (len(false), 0)


@pytest.mark.parametrize("dead", ["f4f3f2f1 0e00", "f4f3f2f1 0d00 01", "f4f3f2f1 2300 01ab", "fdfcfbfa 4100"])
def test_nothing_is_held_of_a_frame_that_can_no_longer_be_one(dead: str) -> None:
    data = bytes.fromhex(dead)
    for piece in (0, 1):
        events, stream = feed(KINDS["ld2410"], data, piece)
        assert events == []
        assert (stream.pending_bytes, stream.skipped_bytes) == (0, len(data))
    assert not feed(KINDS["ld2410"], data[:-1])[1].empty
