"""A watchdog output is fed by ticks and by nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from controllers.core.contract import Command
from controllers.core.scan_cycle import ScanCycle
from drivers.devices.watchdog_output import WatchdogOutput
from drivers.line_events import HOLD, LineEventStream
from drivers.links.memory import memory_pair
from drivers.quantities import Quantity
from drivers.units import FOREVER_NS, NS_PER_MS

P = 20 * NS_PER_MS


class Quiet:
    """A policy and a gate that want one tick and then nothing."""

    def __init__(self) -> None:
        self.wake_ns = 0

    def step(self, first: Sequence[Any], second: Any, now_ns: int | None = None) -> Sequence[Command]:
        self.wake_ns = FOREVER_NS
        return ()

    def snapshot(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


def test_ticks_come_around_often_enough_to_hold_it_although_nothing_else_is_to_do() -> None:
    near, far = memory_pair("relay")
    inbox: list[Quantity] = []
    relay = WatchdogOutput("relay", near, inbox.append, line=17, mode="level", hold_ms=1_000)
    stream, holds = LineEventStream(), list[int]()
    far.receiver = lambda data, t_ns: holds.extend(t_ns for event in stream.feed(data) if event.kind == HOLD)
    cycle = ScanCycle("west", P, Quiet(), Quiet(), inbox, [relay], watchdogs=[relay])  # type: ignore[arg-type]
    now_ns = 0
    while now_ns < 10_000 * NS_PER_MS:
        cycle.tick(now_ns)
        now_ns = cycle.due_ns(now_ns)
    assert holds[0] == 0
    assert all(later - sooner <= 260 * NS_PER_MS for sooner, later in pairwise(holds))
    assert cycle.ticks < 100
    assert inbox == []


def test_a_loop_that_does_not_come_around_lets_it_starve() -> None:
    near, _ = memory_pair("relay")
    inbox: list[Quantity] = []
    relay = WatchdogOutput("relay", near, inbox.append, line=17, mode="level", hold_ms=1_000)
    cycle = ScanCycle("west", P, Quiet(), Quiet(), inbox, [relay], watchdogs=[relay])  # type: ignore[arg-type]
    cycle.tick(0)
    assert relay.holds
    relay.advance(2_000 * NS_PER_MS)  # nobody ticked in between
    assert not relay.holds
