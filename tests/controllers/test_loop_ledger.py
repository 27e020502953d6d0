"""Who held the loop: whatever part is made slow, on a virtual or on the real clock, the ledger names it."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from controllers.core.contract import Command, LampLevel, PanelFrame, Publish
from controllers.core.scan_cycle import ScanCycle
from controllers.service.ledger import processor
from controllers.service.loop import UNHEALTHY_NS, RealTimeLoop
from drivers.clock import SystemClock, VirtualClock
from drivers.links.poll import WirePoll
from drivers.quantities import DeviceHealth, Quantity
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

PERIOD_NS = 20 * NS_PER_MS
START_NS = 5_000 * NS_PER_S
SLOW_NS = 47 * NS_PER_MS


class Clock(VirtualClock):
    def __init__(self) -> None:
        super().__init__(START_NS)

    def utc_ns(self) -> int:
        return self.now_ns()


class RealClock(SystemClock):
    pass


class Pipe:
    """A wire over a pipe; its receiver may be slow."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.read_fd, self.write_fd = os.pipe()
        self.receive: Callable[[bytes, int], None] = lambda data, t_ns: None

    def fileno(self) -> int | None:
        return self.read_fd

    def pump(self, t_ns: int) -> None:
        self.receive(os.read(self.read_fd, 4096), t_ns)

    def close(self) -> None:
        os.close(self.read_fd)
        os.close(self.write_fd)


class Untold:
    """Nobody to be told."""

    losses = 0
    troubles: dict[str, str] = {}  # noqa: RUF012

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *words: None


class Part:
    """Device, lamp, panel, neighbour, watchdog or gate; `slow` says what it does with its time."""

    def __init__(self, name: str, slow: Callable[[str], None]) -> None:
        self.name, self._slow = name, slow
        self.wake_ns = FOREVER_NS

    def advance(self, now_ns: int) -> None:
        self.wake_ns = FOREVER_NS
        self._slow(f"device {self.name}")

    def set_level(self, level: int, now_ns: int) -> None:
        self._slow(f"lamp {self.name}")

    def show(self, frame: bytes, now_ns: int) -> None:
        self._slow(f"panel {self.name}")

    def publish(self, body: dict[str, Any], now_ns: int) -> None:
        self._slow(f"neighbour {self.name}")

    def feed(self, now_ns: int) -> None:
        self._slow("devices")

    def step(self, commands: Sequence[Command], inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        self._slow("gate")
        return commands


class Policy:
    """Ticks all the time, and asks of every output something."""

    def __init__(self, slow: Callable[[str], None]) -> None:
        self.wake_ns = 0
        self._slow = slow

    def step(self, inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        self._slow("policy")
        return [LampLevel("lamp-3", now_ns % 254), PanelFrame("matrix", b""), Publish("north", {})]

    def snapshot(self) -> dict[str, Any]:
        return {}


class Rig:
    """A loop around parts of which one, once, takes its time."""

    def __init__(self, culprit: str, take_ns: Callable[[], None], clock: Any, wires: Any = None, **more: Any) -> None:
        self.clock, self.left = clock, 1
        self._culprit, self._take = culprit, take_ns
        self.after_ns = clock.now_ns() + 3 * PERIOD_NS
        radar = Part("radar-1", self.slow)
        radar.wake_ns = 0
        devices: Any = [radar]
        outputs: Any = [{name: Part(name, self.slow)} for name in ("lamp-3", "matrix", "north")]
        gate: Any = Part("gate", self.slow)
        self.cycle = ScanCycle(
            "test", PERIOD_NS, Policy(self.slow), gate, [], devices, lamps=outputs[0], panels=outputs[1],
            speakers=outputs[2], always_step=True,
        )  # fmt: skip
        self.wires = wires if wires is not None else Jumping(self)
        board = SimpleNamespace(watchdogs={"relay": Part("relay", self.slow)}, links={"dali": None, "radar-1": None})
        controller: Any = SimpleNamespace(
            cycle=self.cycle, board=board, start=lambda t_ns: None, stop=lambda t_ns: None, sending=False
        )
        told: Any = Untold()
        told.observe = lambda *words: self.slow("publish")
        self.loop = RealTimeLoop(controller, self.wires, clock, lambda: True, told, **more)

    def slow(self, who: str) -> None:
        if who == self._culprit and self.left and self.clock.now_ns() >= self.after_ns:
            self.left -= 1
            self._take()

    def run(self, ticks: int) -> list[dict[str, Any]]:
        until = self.cycle.ticks + ticks
        self.loop.run(lambda: self.cycle.ticks >= until)
        held: list[dict[str, Any]] = self.loop.figures()["held"]
        return held


class Jumping:
    """Wires in virtual time; one of them is pumped at every turn, others beside it are not wires."""

    losses = 0
    troubles: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.served: Callable[[str], None] | None = None
        self.awake: Callable[[], None] | None = None
        self.oversleep_ns = 0

    def wake_ns(self, now_ns: int) -> int:
        return FOREVER_NS

    def wait_until_ns(self, deadline_ns: int) -> None:
        self._rig.clock.sleep_until_ns(deadline_ns)
        self._rig.slow("machine")

    def pump(self, t_ns: int) -> None:
        for name, who in (("dali", "wire dali"), ("radar-1", "wire radar-1"), ("tap", "publish")):
            self._rig.slow(who)
            if self.served is not None:
                self.served(name)


PARTS = [
    "wire dali", "wire radar-1", "device radar-1", "policy", "gate", "lamp lamp-3", "panel matrix", "neighbour north",
    "devices", "publish", "machine",
]  # fmt: skip


@pytest.mark.parametrize("culprit", PARTS)
def test_a_part_that_takes_its_time_is_named_with_the_time_it_took(culprit: str) -> None:
    clock = Clock()
    rig = Rig(culprit, lambda: clock.sleep_until_ns(clock.now_ns() + SLOW_NS), clock)
    if culprit == "device radar-1":
        rig.cycle.devices[0].wake_ns = rig.after_ns
    held = rig.run(20)
    assert held
    assert {each["what"] for each in held} == {culprit}
    assert held[0]["for_us"] == SLOW_NS // 1000
    assert rig.loop.figures()["overruns"] in (1, 2)


def test_a_loop_that_nobody_holds_has_an_empty_ledger() -> None:
    rig = Rig("nobody", lambda: None, Clock())
    assert rig.run(100) == []
    figures = rig.loop.figures()
    assert (figures["ticks"], figures["overruns"], figures["late_us"]["max"]) == (100, 0, 0)


def test_a_slow_receiver_on_the_real_clock_is_named() -> None:
    clock = RealClock()
    slow, quick = Pipe("dali"), Pipe("radar-1")
    wires: Any = WirePoll([slow, quick], clock, PERIOD_NS)

    def peers_write() -> None:
        for pipe in (quick, slow):
            os.write(pipe.write_fd, b"x")

    def receive(data: bytes, t_ns: int) -> None:  # blocks: where it computes, a busy machine may be held up for longer
        clock.sleep_until_ns(clock.now_ns() + NS_PER_S)

    slow.receive = receive
    rig = Rig("policy", peers_write, clock, wires, read=processor)
    held = rig.run(20)
    worst = max(held, key=lambda each: int(each["for_us"]))
    assert worst["what"] == "wire dali"
    assert rig.loop.figures()["held_by"]["wire dali"]["max_us"] >= 500_000
    for pipe in (slow, quick):
        pipe.close()


def test_a_lamp_that_blocks_on_the_real_clock_is_named_though_the_processor_was_not_used() -> None:
    clock = RealClock()
    wires: Any = WirePoll([], clock, PERIOD_NS)
    rig = Rig("lamp lamp-3", lambda: clock.sleep_until_ns(clock.now_ns() + NS_PER_S), clock, wires, read=processor)
    held = rig.run(10)
    worst = max(held, key=lambda each: int(each["for_us"]))
    assert (worst["what"], worst["for_us"] >= 900_000) == ("lamp lamp-3", True)


def test_a_collection_in_the_middle_of_a_tick_is_named() -> None:
    clock = Clock()

    def collect(phase: str, info: dict[str, int]) -> None:
        if phase == "start":  # called after the meter's own, so this time passes within the collection
            clock.sleep_until_ns(clock.now_ns() + SLOW_NS)

    def policy() -> None:
        gc.callbacks.append(collect)
        gc.collect()
        gc.callbacks.remove(collect)

    rig = Rig("policy", policy, clock)
    was = gc.isenabled()
    gc.disable()
    try:
        held = rig.run(20)
    finally:
        if was:
            gc.enable()
    assert {each["what"] for each in held} == {"garbage collector"}


# --- healthy


class Beats:
    def __init__(self) -> None:
        self.at: list[int] = []

    def beat(self, t_ns: int) -> None:
        self.at.append(t_ns)


def test_beats_come_with_every_turn_of_a_healthy_loop() -> None:
    beats = Beats()
    rig = Rig("nobody", lambda: None, Clock(), beats=[beats])
    rig.run(100)
    assert len(beats.at) >= 100
    assert beats.at == sorted(beats.at)


def test_nothing_but_overruns_stops_the_beats_after_a_while_and_one_tick_in_time_brings_them_back() -> None:
    clock, beats = Clock(), Beats()
    rig = Rig("policy", lambda: clock.sleep_until_ns(clock.now_ns() + SLOW_NS), clock, beats=[beats])
    rig.left = 10**9
    rig.run(int(2 * UNHEALTHY_NS // PERIOD_NS))
    assert not rig.loop.figures()["healthy"]
    silent_for_ns = clock.now_ns() - beats.at[-1]
    assert silent_for_ns > UNHEALTHY_NS
    assert beats.at[-1] - START_NS <= UNHEALTHY_NS + 5 * PERIOD_NS
    rig.left = 0
    before = len(beats.at)
    rig.run(10)
    assert rig.loop.figures()["healthy"]
    assert len(beats.at) > before


def test_a_single_long_stall_does_not_make_it_unhealthy() -> None:
    clock = Clock()
    rig = Rig("policy", lambda: clock.sleep_until_ns(clock.now_ns() + 3 * UNHEALTHY_NS), clock)
    rig.run(50)
    figures = rig.loop.figures()
    assert figures["healthy"]
    assert figures["overruns"] >= 3 * UNHEALTHY_NS // PERIOD_NS - 1
    assert figures["ticks"] == 50


# --- every tick is run or counted


def lost(rig: Rig, ticks: int) -> int:
    """Run so many ticks: places of the grid, from the first to the last, that were neither run nor counted."""
    numbers: list[int] = []
    told: Any = rig.loop.status
    told.observe = lambda tick, *words: numbers.append(tick)
    rig.run(ticks)
    assert len(numbers) == ticks
    return numbers[-1] - numbers[0] + 1 - ticks - int(rig.loop.figures()["overruns"])


def test_every_virtual_tick_is_run_or_counted() -> None:
    """Ten thousand here; `python -m tests.benchmarks loop` has the million."""
    clock = Clock()
    rig = Rig("machine", lambda: None, clock)
    naps = iter(range(10**9))

    def nap() -> None:
        n = next(naps) * 2_654_435_761 % 2**32
        clock.sleep_until_ns(clock.now_ns() + (n % 90 * NS_PER_MS if n % 7 == 0 else n % 3 * NS_PER_MS))

    rig._take, rig.left = nap, 10**9
    assert lost(rig, 10_000) == 0
    assert rig.loop.figures()["overruns"] > 1_000


def test_every_real_tick_is_run_or_counted() -> None:
    """Two seconds here, with a policy that blocks now and then; the benchmark has ten minutes."""
    clock = RealClock()
    wires: Any = WirePoll([], clock, PERIOD_NS)
    rig = Rig("policy", lambda: clock.sleep_until_ns(clock.now_ns() + SLOW_NS), clock, wires, read=processor)
    rig.left = 5
    assert lost(rig, 100) == 0
    assert rig.loop.figures()["overruns"] >= 5


def test_a_value_for_the_inbox_does_not_lose_its_tick_to_a_stall() -> None:
    clock = Clock()
    rig = Rig("machine", lambda: clock.sleep_until_ns(clock.now_ns() + SLOW_NS), clock)
    rig.cycle.inbox.append(DeviceHealth(START_NS, "radar-1", True))
    rig.run(5)
    assert rig.cycle.inbox == []
