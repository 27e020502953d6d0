"""Idle frames on the in-process bench: told in bulk, foretold, and never believed when they did not come."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from controllers.core.contract import Command
from controllers.core.scan_cycle import ScanCycle
from drivers.codecs.ld2451 import IDLE_FRAME
from drivers.devices.radar import Ld2451Radar
from drivers.interfaces import Device
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth, Quantity
from drivers.units import FOREVER_NS, NS_PER_S
from hil.benches.in_process import InProcessBench, Settling, Slot
from hil.peers.radar import RadarPeer

P = 20_000_000
ORIGIN_UTC_NS = 1_708_362_000 * NS_PER_S


class Kept:
    """A sink that keeps all that passes."""

    def __init__(self) -> None:
        self.all: list[tuple[int, str, bytes, int]] = []
        self.bulk: list[tuple[int, bytes, int, int, int]] = []

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        self.all.append((wire, "out" if outward else "in", data, t_ns))

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        self.bulk.append((wire, frame, first_ns, last_ns, count))


class _Open:
    """A gate that lets all pass."""

    wake_ns = FOREVER_NS

    def step(self, commands: Sequence[Command], inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        return commands

    def snapshot(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


class _Quiet:
    """A policy that only keeps the words on health."""

    wake_ns = FOREVER_NS

    def __init__(self, health: list[Quantity]) -> None:
        self._health = health

    def step(self, inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        self._health += [value for value in inputs if isinstance(value, DeviceHealth)]
        return ()

    def snapshot(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


class RadarRig:
    """A board with one LD2451 and no rider in sight."""

    def __init__(self, *, skip: bool = True, silent: tuple[tuple[int, int], ...] = ()) -> None:
        self.sink = Kept()
        self.health: list[Quantity] = []
        self.bench = InProcessBench(self.sink, skip=skip)
        near, far = memory_pair("radar-1")
        radar = RadarPeer("radar-1", far, x_mm=0, sign=1, range_mm=40_000, phase_ns=7, silent=silent, skip=skip)
        assert isinstance(radar, Settling)
        self.slot = Slot("west", self._make)
        number = self.bench.add_peer(radar)
        self.bench.add_board(self.slot)
        self.slot.radars = [radar]
        self.bench.wire(self.slot, "radar-1", near, 0, number)
        self.bench.start(ORIGIN_UTC_NS)

    def _make(self, slot: Slot) -> ScanCycle:
        inbox: list[Quantity] = []
        device = Ld2451Radar("radar-1", slot.links["radar-1"], inbox.append)
        devices: list[Device] = [device]
        slot.watched = devices
        policy = _Quiet(self.health)
        return ScanCycle("west", P, policy, _Open(), inbox, devices)

    def frames_ns(self) -> list[int]:
        """When idle frames came, told in bulk or one by one."""
        singles = [t_ns for _, _, data, t_ns in self.sink.all if data == IDLE_FRAME]
        bulk = [
            first_ns + (last_ns - first_ns) // max(count - 1, 1) * n
            for _, _, first_ns, last_ns, count in self.sink.bulk
            for n in range(count)
        ]
        return sorted(singles + bulk)


@pytest.mark.parametrize("pauses_s", [[600], [1, 2, 300, 600]])
def test_ten_quiet_minutes_are_told_in_bulk_and_cost_few_ticks(pauses_s: list[int]) -> None:
    rig = RadarRig()
    for until_s in pauses_s:
        rig.bench.run(until_s * NS_PER_S)
        assert rig.frames_ns() == [s * NS_PER_S + 7 for s in range(until_s)]
    assert rig.sink.all == []
    assert len(rig.sink.bulk) <= 600 // 20 + 2 * len(pauses_s)
    assert rig.bench.ticks < 10
    assert rig.health == []


def test_frames_that_were_foretold_are_not_told_before_they_came() -> None:
    rig = RadarRig()
    device = rig.slot.watched[0]
    for s in range(1, 60):
        rig.bench.run(s * NS_PER_S + 7)
        assert rig.frames_ns() == [n * NS_PER_S + 7 for n in range(s)]
        rig.bench.run(s * NS_PER_S + 8)
        assert rig.frames_ns() == [n * NS_PER_S + 7 for n in range(s + 1)]
        assert device.wake_ns == (s + 3) * NS_PER_S + 7


@pytest.mark.parametrize("skip", [True, False])
def test_a_sensor_that_really_falls_silent_is_missed_at_the_same_tick_with_and_without_skipping(skip: bool) -> None:
    rig = RadarRig(skip=skip, silent=((30 * NS_PER_S, 40 * NS_PER_S),))
    rig.bench.run(60 * NS_PER_S)
    (gone, back) = rig.health
    assert (gone.t_ns, back.t_ns) == (32 * NS_PER_S + P, 40 * NS_PER_S + 7)
    assert rig.frames_ns() == [s * NS_PER_S + 7 for s in range(60) if not 30 <= s < 40]


def test_a_board_without_power_hears_no_idle_frames_but_they_pass() -> None:
    rig = RadarRig()
    before = rig.slot.watched[0]
    rig.bench.at(10 * NS_PER_S + 7, partial(rig.bench.power_off, rig.slot))  # before the frame of this instant
    rig.bench.at(30 * NS_PER_S, partial(rig.bench.power_on, rig.slot))
    rig.bench.run(60 * NS_PER_S)
    assert rig.frames_ns() == [s * NS_PER_S + 7 for s in range(60)]
    assert rig.health == []
    assert rig.slot.starts == 2
    assert rig.slot.watched[0] is not before
    assert before.wake_ns == 12 * NS_PER_S + 7
