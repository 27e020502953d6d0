"""The other controller as a device: messages both ways, and its silence."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from drivers.devices.neighbour import Neighbour
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import DeviceHealth, Message, Quantity
from drivers.units import FOREVER_NS, NS_PER_S

STALE_NS = 30 * NS_PER_S
SILENT = DeviceHealth(STALE_NS, "east", False, "no message")
LINE = b'{"kind":"rider","id":7}\n'
BODY = {"kind": "rider", "id": 7}


def neighbour() -> tuple[Neighbour, MemoryLink, list[Quantity]]:
    """A neighbour, its own end of the wire, and what the device has emitted."""
    near, far = memory_pair("east")
    emitted: list[Quantity] = []
    return Neighbour("east", near, emitted.append), far, emitted


def test_a_message_goes_out_as_one_line_and_comes_in_as_its_body() -> None:
    near, far = memory_pair("wire")
    emitted: list[Quantity] = []
    west, _ = Neighbour("west", near, emitted.append), Neighbour("east", far, emitted.append)
    west.publish(BODY, 5)
    assert emitted == [Message(5, "east", BODY)]


def test_what_is_published_is_written_at_once() -> None:
    device, far, _ = neighbour()
    heard: list[tuple[bytes, int]] = []
    far.receiver = lambda data, t_ns: heard.append((data, t_ns))
    device.publish(BODY, 9)
    assert heard == [(LINE, 9)]


def test_a_message_in_pieces_has_the_time_of_its_end() -> None:
    _, far, emitted = neighbour()
    far.write(LINE[:5], 1)
    far.write(LINE[5:] + LINE, 2)
    assert emitted == [Message(2, "east", BODY)] * 2


def test_silence_is_told_once_when_it_is_due_and_not_before() -> None:
    device, _, emitted = neighbour()
    device.advance(0)
    device.advance(STALE_NS - 1)
    assert emitted == []
    device.advance(STALE_NS)
    assert emitted == [SILENT]
    assert device.wake_ns == FOREVER_NS
    device.advance(2 * STALE_NS)
    assert emitted == [SILENT]


def test_silence_counts_from_the_last_message_and_rubbish_is_none() -> None:
    device, far, emitted = neighbour()
    device.advance(0)
    far.write(LINE, NS_PER_S)
    far.write(b"rubbish\n", 2 * NS_PER_S)
    assert device.wake_ns == NS_PER_S + STALE_NS
    device.advance(NS_PER_S + STALE_NS)
    assert [type(value) for value in emitted] == [Message, DeviceHealth]
    assert device.stream.skipped_bytes == 8


def test_a_message_after_a_silence_tells_that_the_neighbour_is_back() -> None:
    device, far, emitted = neighbour()
    device.advance(0)
    device.advance(STALE_NS)
    far.write(LINE, STALE_NS + 1)
    assert emitted[1:] == [DeviceHealth(STALE_NS + 1, "east", True), Message(STALE_NS + 1, "east", BODY)]
    assert device.wake_ns == 2 * STALE_NS + 1


moves = st.lists(
    st.tuples(st.sampled_from([LINE, LINE[:9], LINE[9:], b"rubbish\n", None]), st.integers(0, 40)), max_size=8
)


def play(device: Neighbour, far: MemoryLink, wanted: list[tuple[bytes | None, int]], now_ns: int = 0) -> int:
    """Write a chunk, or advance where there is none, after a wait in seconds; the time it ends."""
    for chunk, wait in wanted:
        now_ns += wait * NS_PER_S
        if chunk is None:
            device.advance(now_ns)
        else:
            far.write(chunk, now_ns)
    return now_ns


@given(moves, moves)
def test_a_restored_neighbour_goes_on_where_it_stood(
    before: list[tuple[bytes | None, int]], after: list[tuple[bytes | None, int]]
) -> None:
    device, far, emitted = neighbour()
    now_ns = play(device, far, before)
    other, other_far, others = neighbour()
    other.restore(json.loads(json.dumps(device.snapshot())))
    emitted.clear()
    play(device, far, after, now_ns)
    play(other, other_far, after, now_ns)
    assert others == emitted
    assert other.snapshot() == device.snapshot()
