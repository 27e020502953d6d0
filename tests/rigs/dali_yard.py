"""A board with DALI lamps, its gateway and its gear, in one virtual time, without a controller."""

from __future__ import annotations

from typing import Any

from board_rig import built
from drivers.buses.dali import DaliBus
from drivers.devices.lamp_line import LampLine
from drivers.quantities import DeviceHealth, LampStatus
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.dali_gateway import DaliGateway, GatewayPeer
from hil.peers.dali_lunatone import LubaPeer, SciPeer

TICK_NS = 20 * NS_PER_MS
HEAD = """format = 1
name = "yard"
title = "yard"
model = "laptop"
product = "lighting"
period_ms = 20
bench = true
[wires.dali]
kind = "memory"
"""
LAMP = '[devices.lamp-{n}]\npart = "{part}"\nwire = "dali"\nshort_address = {n}\n'
GATEWAYS: dict[str, type[GatewayPeer]] = {"atxled": DaliGateway, "luba": LubaPeer, "sci": SciPeer}


class Yard:
    """A board with lamps and keys as they are by themselves, its gateway, and one virtual time.

    `failed`: lamps that are dark before the board starts; then `values` still holds what its first ten seconds told.
    """

    def __init__(self, lamps: int = 6, more: str = "", *, part: str = "atxled", failed: tuple[int, ...] = ()) -> None:
        tables = [HEAD, *(LAMP.format(n=n, part=part) + more for n in range(lamps))]
        self.board, far, self.values = built(*tables)
        self.gateway = GATEWAYS[part]("dali", far["dali"], range(lamps), lambda *segment: None, fade_code=2)
        self.gateway.line.join(self.bus.book.groups)
        self.now_ns = 0
        for number in failed:
            self.gateway.gear[number].lamp_failed = True
        for lamp in self.lamps:
            lamp.take_over(0)
        for lamp in self.lamps:
            lamp.verify(0, failure_level=254, fade_code=2)
        self.run(10)
        if failed:
            return
        assert [value.ok for value in self.values if isinstance(value, DeviceHealth)] == [True] * lamps
        self.values.clear()

    @property
    def bus(self) -> DaliBus:
        bus = self.board.devices["dali"]
        assert isinstance(bus, DaliBus)
        return bus

    @property
    def line(self) -> LampLine:
        line = self.board.devices["dali/lamps"]
        assert isinstance(line, LampLine)
        return line

    @property
    def lamps(self) -> list[Any]:
        return list(self.board.lamps.values())

    def run(self, to_s: float) -> None:
        """Devices on the grid of the board, the gateway when it wants to."""
        to_ns = round(to_s * NS_PER_S)
        devices = list(self.board.devices.values())
        while True:
            wake_ns = min(device.wake_ns for device in devices)
            tick_ns = max(self.now_ns, -(-wake_ns // TICK_NS) * TICK_NS)
            if self.gateway.wake_ns < min(tick_ns, to_ns):
                self.gateway.run(self.gateway.wake_ns)
            elif tick_ns >= to_ns:
                self.now_ns = to_ns
                return
            else:
                for device in devices:
                    device.advance(tick_ns)
                self.now_ns = tick_ns + TICK_NS

    def failures(self) -> list[tuple[str, str]]:
        return [(value.source, value.failure) for value in self.values if isinstance(value, LampStatus)]

    def said(self, source: str) -> list[tuple[bool, str]]:
        return [(v.ok, v.reason) for v in self.values if isinstance(v, DeviceHealth) and v.source == source]
