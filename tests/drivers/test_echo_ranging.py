"""A trigger/echo sensor with a name: ping, echo, no echo, turns, air."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices.echo_ranging import EchoRanging
from drivers.devices.listener import FROZEN
from drivers.errors import InputError, LinkLost
from drivers.line_events import EDGE, PULSE, LineEvent, LineEventStream, encode
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth, Quantity, Range
from drivers.units import NS_PER_MS, NS_PER_S

TRIGGER, ECHO = 23, 24
PING = encode(LineEvent(TRIGGER, PULSE, 1, 10_000))
SLOT_NS = 100 * NS_PER_MS


class Wire:
    """Both ends of a sensor's wire, by hand."""

    def __init__(self, **more: object) -> None:
        self.near, self.far = memory_pair("bay-1")
        self.pings: list[tuple[bytes, int]] = []
        self.far.receiver = lambda data, t_ns: self.pings.append((data, t_ns))
        self.emitted: list[Quantity] = []
        lines = {"trigger_line": TRIGGER, "echo_line": ECHO}
        self.device = EchoRanging("bay-1", self.near, self.emitted.append, **lines, **more)  # type: ignore[arg-type]

    def until(self, t_ns: int) -> None:
        """Every wake up to and including `t_ns`."""
        while self.device.wake_ns <= t_ns:
            self.device.advance(self.device.wake_ns)

    def echo(self, width_ns: int, t_ns: int, line: int = ECHO) -> None:
        """A pulse that ends at `t_ns` and is heard then."""
        for value, at_ns in ((1, t_ns - width_ns), (0, t_ns)):
            self.far.write(encode(LineEvent(line, EDGE, value, at_ns)), t_ns)


def test_it_pings_for_10_us_once_a_slot() -> None:
    wire = Wire()
    wire.until(250 * NS_PER_MS)
    assert wire.pings == [(PING, 0), (PING, SLOT_NS), (PING, 2 * SLOT_NS)]
    assert list(LineEventStream().feed(PING)) == [LineEvent(TRIGGER, PULSE, 1, 10_000)]


def test_an_echo_is_a_distance_by_the_air_it_went_through() -> None:
    wire = Wire()
    for n, air_mdegc in enumerate((20_000, -10_000, 40_000)):
        wire.until(n * SLOT_NS)
        wire.device.set_air(air_mdegc)
        wire.echo(8_746_000, n * SLOT_NS + 9 * NS_PER_MS)
    # 8.746 ms there and back: c / 2 of 343.21, 325.18 and 354.73 m/s
    assert [value.distance_mm for value in wire.emitted if isinstance(value, Range)] == [1501, 1422, 1551]


def test_a_pulse_above_18_560_us_is_nothing_in_range() -> None:
    wire = Wire()
    wire.until(0)
    wire.echo(18_560_000, 20 * NS_PER_MS)
    wire.until(SLOT_NS)
    wire.echo(18_560_001, SLOT_NS + 20 * NS_PER_MS)
    assert wire.emitted == [
        Range(20 * NS_PER_MS, "bay-1", 3185),
        Range(SLOT_NS + 20 * NS_PER_MS, "bay-1", None),
    ]


def test_its_own_ringing_is_no_distance() -> None:
    wire = Wire(min_mm=250)
    wire.until(0)
    wire.echo(1_246_000, 3 * NS_PER_MS)  # 21 cm: OpenBikeSensor, zero-zero-bug
    assert wire.emitted == []
    assert wire.device.counters()["implausible"] == 1


def test_without_an_echo_each_ping_is_given_up_and_after_two_seconds_it_is_said() -> None:
    wire = Wire()
    wire.until(2 * NS_PER_S)
    assert wire.emitted == [DeviceHealth(2 * NS_PER_S, "bay-1", False, "no echo")]
    assert wire.device.counters()["no_replies"] == 20
    wire.echo(8_746_000, 2 * NS_PER_S + 9 * NS_PER_MS)
    assert wire.emitted[1:] == [
        DeviceHealth(2 * NS_PER_S + 9 * NS_PER_MS, "bay-1", True),
        Range(2 * NS_PER_S + 9 * NS_PER_MS, "bay-1", 1501),
    ]


def test_an_echo_that_ends_too_late_belongs_to_no_ping() -> None:
    wire = Wire()
    wire.until(0)
    wire.far.write(encode(LineEvent(ECHO, EDGE, 1, 1_000_000)), 1_000_000)
    wire.until(SLOT_NS)
    wire.far.write(encode(LineEvent(ECHO, EDGE, 0, SLOT_NS + 1)), SLOT_NS + 1)
    assert wire.emitted == []
    assert (wire.device.counters()["no_replies"], wire.device.counters()["stray_edges"]) == (1, 1)


def test_what_rose_before_the_ping_is_not_its_echo() -> None:
    wire = Wire()
    wire.until(0)
    wire.echo(1_000_000, 2 * NS_PER_MS)
    wire.far.write(encode(LineEvent(ECHO, EDGE, 1, 90 * NS_PER_MS)), 90 * NS_PER_MS)
    wire.until(SLOT_NS)
    wire.far.write(encode(LineEvent(ECHO, EDGE, 0, SLOT_NS + 1)), SLOT_NS + 1)
    assert len(wire.emitted) == 1


def test_pulses_that_nobody_asked_for_and_other_lines_are_no_distances() -> None:
    wire = Wire()
    wire.until(0)
    wire.echo(1_000_000, 2 * NS_PER_MS, line=5)
    wire.echo(1_000_000, 2 * NS_PER_MS)
    wire.echo(1_000_000, 4 * NS_PER_MS)
    assert len(wire.emitted) == 1
    assert wire.device.counters()["stray_edges"] == 2


@pytest.mark.parametrize(
    ("width_ns", "told"),
    [(8_746_000, [DeviceHealth(3600 * NS_PER_S + 40 * NS_PER_MS, "bay-1", False, FROZEN)]), (38_000_000, [])],
)
def test_the_same_millimetre_for_an_hour_is_frozen_and_an_empty_street_is_not(
    width_ns: int, told: list[Quantity]
) -> None:
    wire = Wire(slot_ns=NS_PER_S)
    for n in range(3602):
        t_ns = n * NS_PER_S + 40 * NS_PER_MS
        wire.until(t_ns)
        wire.echo(width_ns + n % 3 * 10, t_ns)
    assert [value for value in wire.emitted if isinstance(value, DeviceHealth)] == told


def test_a_lost_wire_is_counted_and_not_listened_to() -> None:
    wire = Wire()

    def lost(data: bytes, t_ns: int) -> None:
        raise LinkLost("bay-1", t_ns, "gone", data)

    wire.far.receiver = lost
    wire.until(SLOT_NS)
    assert (wire.device.counters()["link_losses"], wire.device.counters()["no_replies"]) == (2, 0)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"slot_ns": 60 * NS_PER_MS}, "bay-1: it listens for 65000000 ns; a slot has 60000000, which must be longer"),
        ({"listen_ns": 0}, "bay-1: it listens for 0 ns"),
        ({"turn": 2, "turns": 2}, "bay-1: turn 2 of 2; turns count from 0"),
        ({"turn": -1}, "bay-1: turn -1 of 1"),
    ],
)
def test_a_wait_longer_than_its_slot_and_a_turn_outside_its_round_are_refused(more: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Wire(**more)


def test_each_takes_its_turn() -> None:
    wires = [Wire(turn=turn, turns=3) for turn in range(3)]
    for wire in wires:
        wire.until(NS_PER_S)
    assert [[t_ns // SLOT_NS for _, t_ns in wire.pings] for wire in wires] == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8]]


@given(st.lists(st.integers(1, 250), max_size=30))
def test_however_late_the_loop_comes_two_never_listen_at_once(waits_ms: list[int]) -> None:
    wires = [Wire(turn=turn, turns=3) for turn in range(3)]
    now_ns = 0
    for wait_ms in waits_ms:
        now_ns += wait_ms * NS_PER_MS
        for wire in wires:
            wire.device.advance(now_ns)
    pings = sorted(t_ns for wire in wires for _, t_ns in wire.pings)
    assert all(later - earlier >= 65 * NS_PER_MS for earlier, later in pairwise(pings))
    missed = sum(wire.device.counters()["missed_turns"] for wire in wires)
    assert missed + len(pings) <= 3 + 3 * now_ns // SLOT_NS


def test_a_turn_that_is_too_late_is_missed_and_counted() -> None:
    wire = Wire()
    wire.device.advance(0)
    wire.device.advance(SLOT_NS + 36 * NS_PER_MS)
    assert [t_ns for _, t_ns in wire.pings] == [0]
    assert wire.device.counters()["missed_turns"] == 1
    wire.device.advance(2 * SLOT_NS + 35 * NS_PER_MS)
    assert [t_ns for _, t_ns in wire.pings] == [0, 2 * SLOT_NS + 35 * NS_PER_MS]


def test_two_on_one_wire_take_their_own_edges() -> None:
    near, far = memory_pair("lines")
    emitted: list[Quantity] = []
    devices = [
        EchoRanging(f"bay-{n}", near, emitted.append, trigger_line=20 + n, echo_line=10 + n, turn=n, turns=2)
        for n in range(2)
    ]
    for now_ns, line in ((0, 10), (SLOT_NS, 11)):
        for device in devices:
            device.advance(now_ns)
        for value, at_ns in ((1, 1), (0, 8_746_001)):
            far.write(encode(LineEvent(line, EDGE, value, now_ns + at_ns)), now_ns + 9 * NS_PER_MS)
    assert emitted == [Range(9 * NS_PER_MS, "bay-0", 1501), Range(SLOT_NS + 9 * NS_PER_MS, "bay-1", 1501)]


moves = st.lists(
    st.tuples(st.sampled_from(["echo", "up", "down", "rubbish"]), st.integers(0, 150), st.integers(50_000, 30_000_000)),
    max_size=15,
)


@given(moves, st.integers(0, 15))
def test_a_restored_sensor_does_the_rest_and_an_early_advance_changes_nothing(
    steps: list[tuple[str, int, int]], at: int
) -> None:
    straight, broken = Wire(stale_ns=400 * NS_PER_MS), Wire(stale_ns=400 * NS_PER_MS)
    emitted: list[Quantity] = []
    pings: list[tuple[bytes, int]] = []
    t_ns = NS_PER_S
    for n, (move, wait_ms, width_ns) in enumerate(steps):
        if n == at:
            emitted, pings, state = broken.emitted, broken.pings, json.loads(json.dumps(broken.device.snapshot()))
            broken = Wire(stale_ns=400 * NS_PER_MS)
            broken.device.restore(state)
        t_ns += wait_ms * NS_PER_MS
        for wire in (straight, broken):
            if move == "echo":
                wire.echo(width_ns, t_ns)
            elif move == "rubbish":
                wire.far.write(bytes(width_ns % 7), t_ns)
            else:
                wire.far.write(encode(LineEvent(ECHO, EDGE, move == "up", t_ns)), t_ns)
            early = wire.device.snapshot()
            wire.device.advance(t_ns)
            assert wire.device.snapshot() == early or early["wake_ns"] <= t_ns
            assert wire.device.wake_ns > t_ns
    assert straight.emitted == emitted + broken.emitted
    assert straight.pings == pings + broken.pings
    assert straight.device.snapshot() == broken.device.snapshot()
