"""A trace as the far end of a board's wires: every input at its time, in order, with memory of some seconds."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from drivers.links.memory import MemoryLink, memory_pair
from drivers.recording.events import Event, Repeated, Tick, WireBytes
from drivers.units import FOREVER_NS, NS_PER_S
from hil.peers.playback import LOOK_AHEAD_NS, Playback

Heard = list[tuple[object, ...]]


def wires(*names: str) -> tuple[dict[str, MemoryLink], Heard]:
    """The peer's ends by name, and everything the boards' ends hear."""
    heard: Heard = []
    far = {}
    for name in names:
        near, far[name] = memory_pair(name)
        near.receiver = lambda data, t_ns, name=name: heard.append((t_ns, name, data))  # type: ignore[misc]
        near.repeat_receiver = lambda *told, name=name: heard.append((name, *told))  # type: ignore[misc]
    return far, heard


def run(player: Playback) -> None:
    """To the end, as a bench does: only when it wants to."""
    while (now_ns := player.wake_ns) < FOREVER_NS:
        player.run(now_ns)


def test_inputs_come_at_their_times_on_their_wires() -> None:
    far, heard = wires("west/a", "west/b")
    player = Playback("t", far, [WireBytes(5, "west", "a", False, b"1"), WireBytes(9, "west", "b", False, b"2")])
    assert player.wake_ns == 5
    player.run(4)
    assert heard == []
    run(player)
    assert heard == [(5, "west/a", b"1"), (9, "west/b", b"2")]
    assert (player.wake_ns, player.last_ns) == (FOREVER_NS, 9)


def test_what_boards_sent_other_records_and_unknown_wires_are_passed_over() -> None:
    far, heard = wires("west/a")
    events: list[Event] = [
        WireBytes(1, "west", "a", True, b"out"),
        Tick(2, "west", 1),
        WireBytes(3, "moon", "a", False, b"else"),
        WireBytes(4, "west", "a", False, b"in"),
    ]
    player = Playback("t", far, events)
    run(player)
    assert heard == [(4, "west/a", b"in")]


def test_idle_frames_that_were_told_late_come_at_their_first_time() -> None:
    far, heard = wires("west/a")
    events: list[Event] = [
        WireBytes(6 * NS_PER_S, "west", "a", False, b"x"),
        Repeated(7 * NS_PER_S, "west", "a", b"idle", 2 * NS_PER_S, 5 * NS_PER_S, 4),
    ]
    player = Playback("t", far, events)
    assert player.wake_ns == 2 * NS_PER_S
    run(player)
    assert heard == [("west/a", b"idle", 2 * NS_PER_S, 5 * NS_PER_S, 4), (6 * NS_PER_S, "west/a", b"x")]


def test_a_trace_without_input_is_played_at_once() -> None:
    player = Playback("t", {}, [])
    assert (player.wake_ns, player.last_ns) == (FOREVER_NS, 0)
    player.run(0)


def test_no_more_is_read_than_the_look_ahead_needs() -> None:
    read = 0

    def events() -> Iterator[Event]:
        nonlocal read
        for second in range(100_000):
            read += 1
            yield WireBytes(second * NS_PER_S, "west", "a", False, b"x")

    far, heard = wires("west/a")
    player = Playback("t", far, events())
    ahead = LOOK_AHEAD_NS // NS_PER_S + 2
    for _ in range(50):
        player.run(player.wake_ns)
        assert read <= len(heard) + ahead


inputs = st.lists(st.tuples(st.integers(0, 100), st.sampled_from("ab"), st.binary(min_size=1, max_size=3)), max_size=30)


@given(inputs)
def test_every_input_is_heard_once_in_the_order_of_time_and_of_the_trace(told: list[tuple[int, str, bytes]]) -> None:
    told.sort(key=lambda entry: entry[0])
    far, heard = wires("w/a", "w/b")
    run(Playback("t", far, [WireBytes(t * NS_PER_S, "w", wire, False, data) for t, wire, data in told]))
    assert heard == [(t * NS_PER_S, f"w/{wire}", data) for t, wire, data in told]
