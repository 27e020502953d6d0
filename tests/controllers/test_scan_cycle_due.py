"""When the next tick of a scan cycle is due, and its snapshots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.core.contract import Command
from controllers.core.scan_cycle import ScanCycle
from drivers.quantities import (
    Detection,
    DeviceHealth,
    LampStatus,
    Message,
    Quantity,
    RadarReport,
    SignalPhase,
    SignalState,
    WallTime,
)
from drivers.units import FOREVER_NS

P = 20_000_000
"""The period, 20 ms."""

OK = DeviceHealth(1, "radar-1", True)


class Part:
    """Policy, gate or device: counts its calls and has one number for a state."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.wake_ns = FOREVER_NS
        self.calls = self.state = 0

    def advance(self, now_ns: int) -> None:
        self.calls += 1

    def snapshot(self) -> dict[str, Any]:
        return {"state": self.state}

    def restore(self, state: dict[str, Any]) -> None:
        self.state = state["state"]


class Decides(Part):
    def step(self, inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        self.calls += 1
        return ()


class Limits(Part):
    def step(self, commands: Sequence[Command], inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        self.calls += 1
        return commands


class Rig:
    """A cycle with two devices and no outputs; `parts` are devices, policy and gate."""

    def __init__(self) -> None:
        policy, gate = Decides("policy"), Limits("gate")
        devices = [Part("radar-1"), Part("dali")]
        self.parts: list[Part] = [*devices, policy, gate]
        self.inbox: list[Quantity] = []
        self.cycle = ScanCycle("west", P, policy, gate, self.inbox, devices)


@pytest.mark.parametrize(
    ("after_ns", "wake_ns", "due_ns"),
    [
        (-1, 0, 0),
        (0, 0, P),
        (0, 1, P),
        (0, P, P),
        (0, P + 1, 2 * P),
        (P - 1, 0, P),
        (P, 0, 2 * P),
        (0, FOREVER_NS - 1, -(-(FOREVER_NS - 1) // P) * P),
        (0, FOREVER_NS, FOREVER_NS),
    ],
)
@pytest.mark.parametrize("who", range(4))
def test_due_is_the_first_tick_after_at_which_anybody_wants_to_wake(
    who: int, after_ns: int, wake_ns: int, due_ns: int
) -> None:
    rig = Rig()
    rig.parts[who].wake_ns = wake_ns
    assert rig.cycle.due_ns(after_ns) == due_ns


@pytest.mark.parametrize(("after_ns", "due_ns"), [(-1, 0), (0, P), (P - 1, P), (P, 2 * P), (P + 1, 2 * P)])
def test_a_value_in_the_inbox_makes_the_next_tick_due_though_nobody_wants_to_wake(after_ns: int, due_ns: int) -> None:
    rig = Rig()
    rig.inbox.append(OK)
    assert rig.cycle.due_ns(after_ns) == due_ns


def test_due_follows_a_deadline_that_bytes_moved_between_two_ticks() -> None:
    rig = Rig()
    rig.parts[0].wake_ns = 5 * P
    assert rig.cycle.due_ns(0) == 5 * P
    rig.parts[0].wake_ns = 9 * P
    assert rig.cycle.due_ns(0) == 9 * P


@settings(max_examples=60)
@given(st.lists(st.integers(0, 12 * P), min_size=4, max_size=4), st.integers(-1, 10 * P))
def test_every_tick_before_the_due_one_would_have_asked_nobody(wakes_ns: list[int], after_ns: int) -> None:
    rig = Rig()
    for part, wake_ns in zip(rig.parts, wakes_ns, strict=True):
        part.wake_ns = max(wake_ns, after_ns + 1)
    due_ns = rig.cycle.due_ns(after_ns)
    for now_ns in range((after_ns // P + 1) * P, due_ns, P):
        rig.cycle.tick(now_ns)
    assert [part.calls for part in rig.parts] == [0, 0, 0, 0]
    rig.cycle.tick(due_ns)
    assert any(part.calls for part in rig.parts)


# --- snapshots


def test_a_snapshot_through_json_brings_back_counts_states_and_an_inbox_of_every_kind() -> None:
    rig, other = Rig(), Rig()
    values: list[Quantity] = [
        RadarReport(1, "radar-1", (Detection(13_000, 833, -5, 123), Detection(2_000, -833, 0, 0))),
        RadarReport(2, "radar-2", ()),
        LampStatus(3, "lamp-1", 254),
        LampStatus(4, "lamp-2", None),
        SignalState(5, "feed", 4070, 7, 4, 1_000, (SignalPhase(3, 100, None, 200, 90), SignalPhase(5))),
        SignalState(6, "feed", 4070, 8, 0, None, ()),
        WallTime(7, "wall", 1_708_362_000_000_000_007, True),
        Message(8, "neighbour", {"kind": "rider", "id": 1, "nested": [1, {"deep": None}]}),
        DeviceHealth(9, "radar-1", False, "no frame for 3 s"),
    ]
    rig.cycle.tick(0)
    rig.cycle.send_errors = 3
    rig.inbox += values
    for n, part in enumerate(rig.parts, start=1):
        part.state = n
    other.inbox.append(OK)
    saved = json.dumps(rig.cycle.snapshot())
    shared = other.inbox
    other.cycle.restore(json.loads(saved))
    assert json.dumps(other.cycle.snapshot()) == saved
    assert other.cycle.inbox is shared == values
    assert [type(value) for value in shared] == [type(value) for value in values]
    assert (other.cycle.ticks, other.cycle.send_errors) == (1, 3)
    assert [part.state for part in other.parts] == [1, 2, 3, 4]
    assert rig.inbox == values


def test_where_it_is_vouched_for_devices_are_not_looked_at_before_they_have_something_to_do() -> None:
    rig = Rig()
    rig.cycle.vouched = True
    device = rig.parts[1]
    device.wake_ns = 5 * P
    assert (rig.cycle.due_ns(0), rig.cycle.devices_ns) == (5 * P, 5 * P)
    device.wake_ns = 9 * P  # put off, and nobody was told
    assert rig.cycle.due_ns(P) == 5 * P  # too early, which does no harm
    assert rig.cycle.due_ns(5 * P - 1) == 9 * P  # asked once more when it has come
    device.wake_ns, rig.cycle.devices_ns = 7 * P, 0  # brought forward: whoever did it says so
    assert rig.cycle.due_ns(5 * P) == 7 * P
    rig.cycle.tick(7 * P)
    assert (device.calls, rig.cycle.devices_ns) == (1, 0)


def test_where_nobody_vouches_every_device_is_looked_at_in_every_tick() -> None:
    rig = Rig()
    device = rig.parts[1]
    device.wake_ns = 5 * P
    assert rig.cycle.due_ns(0) == 5 * P
    device.wake_ns = 2 * P
    rig.cycle.tick(2 * P)
    assert device.calls == 1
