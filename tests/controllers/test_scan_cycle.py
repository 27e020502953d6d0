"""One scan cycle: when it works, in which order, and what of it leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.core.contract import Command, LampLevel, PanelFrame, Publish
from controllers.core.scan_cycle import ScanCycle
from drivers.errors import LinkLost, NoReply
from drivers.quantities import DeviceHealth, Quantity
from drivers.units import FOREVER_NS

P = 20_000_000
"""The period, 20 ms."""

OK = DeviceHealth(1, "radar-1", True)
LOST = DeviceHealth(2, "radar-1", False, "no frame for 3 s")


class Part:
    """Policy, gate or device: notes when it is called and does what it is told."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self._log = name, log
        self.wake_ns = FOREVER_NS
        self.inputs: list[tuple[Quantity, ...]] = []
        self.does: Callable[[int], Any] = lambda now_ns: None

    def advance(self, now_ns: int) -> None:
        self._log.append(self.name)
        self.wake_ns = FOREVER_NS
        self.does(now_ns)

    def snapshot(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


class Decides(Part):
    """Asks for what `asks` holds, every time."""

    asks: Sequence[Command] = ()

    def step(self, inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        self.advance(now_ns)
        self.inputs.append(tuple(inputs))
        return self.asks


class Limits(Part):
    """Lets pass what `passes` says, and adds `orders`."""

    orders: Sequence[Command] = ()
    passes: Callable[[Command], bool] = staticmethod(lambda command: True)
    asked: Sequence[Command] = ()

    def step(self, commands: Sequence[Command], inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        self.advance(now_ns)
        self.inputs.append(tuple(inputs))
        self.asked = commands
        return [*filter(self.passes, commands), *self.orders]


class Output:
    """Lamp, panel and speaker in one: keeps what reaches it, or fails."""

    width_px, height_px = 32, 16

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self._log = name, log
        self.got: list[Any] = []
        self.error: Exception | None = None
        self.then: Callable[[], None] = lambda: None

    def set_level(self, level: int, now_ns: int) -> None:
        self._take(level)

    def show(self, frame: bytes, now_ns: int) -> None:
        self._take(frame)

    def publish(self, body: dict[str, Any], now_ns: int) -> None:
        self._take(body)

    def _take(self, what: object) -> None:
        self._log.append(self.name)
        if self.error is not None:
            raise self.error
        self.got.append(what)
        self.then()


class Rig:
    """A cycle with two devices, three lamps, a panel and a neighbour."""

    def __init__(self, *, always_step: bool = False) -> None:
        self.log: list[str] = []
        self.policy, self.gate = Decides("policy", self.log), Limits("gate", self.log)
        self.devices = [Part("radar-1", self.log), Part("dali", self.log)]
        self.lamps = {name: Output(name, self.log) for name in ("lamp-1", "lamp-2", "lamp-3")}
        self.panel, self.neighbour = Output("panel", self.log), Output("neighbour", self.log)
        self.inbox: list[Quantity] = []
        self.cycle = ScanCycle(
            "west",
            P,
            self.policy,
            self.gate,
            self.inbox,
            self.devices,
            lamps=self.lamps,
            panels={"panel": self.panel},
            speakers={"neighbour": self.neighbour},
            always_step=always_step,
        )


# --- sense, decide, limit, act


def test_devices_are_served_before_the_policy_decides_and_the_gate_limits_before_anything_leaves() -> None:
    rig = Rig()
    for part in (*rig.devices, rig.policy):
        part.wake_ns = P
    rig.policy.asks = [LampLevel("lamp-2", 254), LampLevel("lamp-1", 170)]
    rig.cycle.tick(P)
    assert rig.log == ["radar-1", "dali", "policy", "gate", "lamp-2", "lamp-1"]


def test_what_devices_say_while_they_are_served_belongs_to_this_tick() -> None:
    rig = Rig()
    rig.devices[0].wake_ns = P
    rig.devices[0].does = lambda now_ns: rig.inbox.append(LOST)
    rig.cycle.tick(P)
    assert rig.policy.inputs == rig.gate.inputs == [(LOST,)]


def test_policy_and_gate_see_the_same_values_oldest_first_and_each_once() -> None:
    rig = Rig()
    rig.inbox += [OK, LOST, OK]
    rig.cycle.tick(P)
    rig.inbox.append(LOST)
    rig.cycle.tick(2 * P)
    assert rig.policy.inputs == rig.gate.inputs == [(OK, LOST, OK), (LOST,)]
    assert rig.inbox == []


@pytest.mark.parametrize("during", ["policy", "gate", "lamp-1", "dali"])
def test_what_arrives_during_the_tick_is_for_the_next(during: str) -> None:
    rig = Rig()
    rig.inbox.append(OK)
    rig.policy.asks = [LampLevel("lamp-1", 254)]

    def arrive(*_: object) -> None:
        rig.inbox.append(LOST)

    if during == "lamp-1":
        rig.lamps["lamp-1"].then = arrive
    elif during == "dali":  # it falls due by the command, and says something when served
        rig.devices[1].does = arrive
        rig.lamps["lamp-1"].then = lambda: setattr(rig.devices[1], "wake_ns", P)
    else:
        part: Part = rig.policy if during == "policy" else rig.gate
        part.does = lambda now_ns: arrive() if now_ns == P else None
    rig.cycle.tick(P)
    assert rig.policy.inputs == rig.gate.inputs == [(OK,)]
    assert rig.inbox == [LOST]
    assert rig.cycle.due_ns(P) == 2 * P
    rig.cycle.tick(2 * P)
    assert rig.policy.inputs[1] == rig.gate.inputs[1] == (LOST,)


def test_a_device_that_a_command_made_due_sends_in_the_same_tick_and_the_others_are_left_alone() -> None:
    rig = Rig()
    rig.inbox.append(OK)
    rig.policy.asks = [LampLevel("lamp-1", 254)]
    rig.lamps["lamp-1"].then = lambda: setattr(rig.devices[1], "wake_ns", P)
    rig.devices[0].wake_ns = P + 1
    rig.cycle.tick(P)
    assert rig.log == ["policy", "gate", "lamp-1", "dali"]


# --- when it works


def test_a_tick_with_nothing_due_and_no_input_asks_nobody_and_is_counted() -> None:
    rig = Rig()
    for part in (*rig.devices, rig.policy, rig.gate):
        part.wake_ns = P + 1
    rig.cycle.tick(P)
    assert (rig.log, rig.cycle.ticks) == ([], 1)


@pytest.mark.parametrize("who", ["policy", "gate"])
def test_whichever_of_policy_and_gate_is_due_both_are_stepped(who: str) -> None:
    rig = Rig()
    (rig.policy if who == "policy" else rig.gate).wake_ns = P
    rig.cycle.tick(P)
    assert rig.log == ["policy", "gate"]
    assert rig.policy.inputs == [()]


def test_a_device_alone_that_is_due_is_served_without_a_decision() -> None:
    rig = Rig()
    rig.devices[1].wake_ns = P - 1
    rig.cycle.tick(P)
    assert rig.log == ["dali"]


def test_with_always_step_everybody_is_asked_at_every_tick() -> None:
    rig = Rig(always_step=True)
    assert rig.cycle.due_ns(0) == P
    rig.cycle.tick(P)
    assert rig.log == ["radar-1", "dali", "policy", "gate"]


# --- what leaves


_commands = st.lists(st.builds(LampLevel, st.sampled_from(("lamp-1", "lamp-2", "lamp-3")), st.integers(0, 254)))


@settings(max_examples=60)
@given(_commands, st.integers(0, 254), _commands)
def test_no_level_reaches_a_lamp_but_through_the_gate(
    asks: list[LampLevel], limit: int, orders: list[LampLevel]
) -> None:
    rig = Rig()
    rig.policy.wake_ns = 0
    rig.policy.asks, rig.gate.orders = asks, orders
    rig.gate.passes = lambda command: isinstance(command, LampLevel) and command.level < limit
    rig.cycle.tick(0)
    assert rig.gate.asked == asks
    passed = [command for command in asks if command.level < limit] + orders
    for name, lamp in rig.lamps.items():
        assert lamp.got == [command.level for command in passed if command.target == name]


def test_each_kind_of_command_goes_to_its_own_kind_of_output() -> None:
    rig = Rig()
    rig.inbox.append(OK)
    rig.policy.asks = [PanelFrame("panel", b"frame"), Publish("neighbour", {"kind": "alive"}), LampLevel("lamp-3", 0)]
    rig.cycle.tick(P)
    assert (rig.panel.got, rig.neighbour.got, rig.lamps["lamp-3"].got) == ([b"frame"], [{"kind": "alive"}], [0])


def test_an_output_that_fails_is_counted_and_ends_neither_the_others_nor_the_tick() -> None:
    rig = Rig()
    rig.inbox.append(OK)
    rig.policy.asks = [
        PanelFrame("panel", b""),
        LampLevel("lamp-1", 1),
        Publish("neighbour", {}),
        LampLevel("lamp-2", 2),
    ]
    rig.panel.error, rig.neighbour.error = LinkLost("panel", P, "unplugged"), NoReply("neighbour", P, "no answer")
    rig.lamps["lamp-2"].then = lambda: setattr(rig.devices[1], "wake_ns", P)
    seen: list[int] = []
    rig.cycle.observer = lambda tick, *_: seen.append(tick)
    rig.cycle.tick(P)
    assert rig.cycle.send_errors == 2
    assert (rig.lamps["lamp-1"].got, rig.lamps["lamp-2"].got) == ([1], [2])
    assert rig.log[-1] == "dali"
    assert seen == [1]


def test_what_is_no_word_of_a_wire_is_not_swallowed() -> None:
    rig = Rig()
    rig.inbox.append(OK)
    rig.policy.asks = [LampLevel("lamp-1", 1)]
    rig.lamps["lamp-1"].error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        rig.cycle.tick(P)
    rig.inbox.append(OK)
    rig.policy.asks = [LampLevel("lamp-9", 1)]
    with pytest.raises(KeyError, match="lamp-9"):
        rig.cycle.tick(2 * P)
    assert rig.cycle.send_errors == 0


# --- the observer


def test_the_observer_is_told_tick_time_inputs_what_was_asked_and_what_was_allowed() -> None:
    rig = Rig()
    told: list[tuple[Any, ...]] = []
    rig.cycle.observer = lambda *what: told.append(what)
    rig.inbox.append(OK)
    rig.policy.asks, rig.gate.orders = [LampLevel("lamp-1", 9)], [LampLevel("lamp-2", 170)]
    rig.gate.passes = lambda command: False
    rig.cycle.tick(7 * P)
    assert told == [(7, 7 * P, (OK,), [LampLevel("lamp-1", 9)], [LampLevel("lamp-2", 170)])]


@pytest.mark.parametrize(
    ("inputs", "asks", "orders", "told"),
    [
        ([], [], [], 0),
        ([OK], [], [], 1),
        ([], [LampLevel("lamp-1", 9)], [], 1),
        ([], [], [LampLevel("lamp-1", 9)], 1),
    ],
)
def test_the_observer_hears_of_a_tick_only_if_something_came_was_asked_or_was_allowed(
    inputs: list[Quantity], asks: list[Command], orders: list[Command], told: int
) -> None:
    rig = Rig(always_step=True)
    calls: list[int] = []
    rig.cycle.observer = lambda tick, *_: calls.append(tick)
    rig.inbox += inputs
    rig.policy.asks, rig.gate.orders = asks, orders
    rig.gate.passes = lambda command: False
    rig.cycle.tick(P)
    assert len(calls) == told
