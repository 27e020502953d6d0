"""I2C parts on a desk: a chip with a bus to itself, and who is there on a bus."""

from __future__ import annotations

from typing import Any, NamedTuple

from drivers.bench.session import Clock, Session
from drivers.buses.i2c import SCAN, I2cBus
from drivers.buses.i2c_procedures import Done, scan
from drivers.interfaces import ByteLink, Device
from drivers.links.i2c import I2cLink
from drivers.units import NS_PER_S

SCAN_NS = 10 * NS_PER_S


class AloneOnBus:
    """A device and the bus it hangs on, as one Device; `lamp` is what takes levels, if anything does."""

    def __init__(self, bus: I2cBus, device: Device, lamp: Any = None) -> None:
        self.name = device.name
        self.bus, self.device, self.lamp = bus, device, lamp

    @property
    def wake_ns(self) -> int:
        """The earlier of the two."""
        return min(self.bus.wake_ns, self.device.wake_ns)

    @wake_ns.setter
    def wake_ns(self, wake_ns: int) -> None:
        raise AttributeError("it follows from the bus and the device")

    def advance(self, now_ns: int) -> None:
        """The device first, so that what it asks leaves at once."""
        self.device.advance(now_ns)
        self.bus.advance(now_ns)

    def counters(self) -> dict[str, int]:
        """The device's `frames`, and what went wrong on the bus."""
        bus = self.bus.counters()
        return {**self.device.counters(), **{name: count for name, count in bus.items() if name != "frames"}}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {"bus": self.bus.snapshot(), "device": self.device.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.bus.restore(state["bus"])
        self.device.restore(state["device"])


class Present(NamedTuple):
    """On a bus: ``Present(0x76, "bme280")``. With a question mark only the address speaks for it; "" nothing."""

    address: int
    guess: str


def who_is_there(port: str, clock: Clock, link: ByteLink | None = None) -> tuple[list[Present], str]:
    """Who answers on `port` (``"/dev/i2c-1"``), and why nobody could be asked; "" where all is well.

    Only reads (drivers.buses.i2c_procedures.scan). Takes a tenth of a second; ten seconds at most. `link`: in place of
    the port's.
    """
    session = Session(clock)
    done: list[Done] = []
    name = "scan"
    wire = session.tapped(I2cLink(name, port) if link is None else link)
    bus = I2cBus(wire.name, wire, emit=session.emit)
    bus.attach(name, {"scan": scan}, done.append)
    session.devices.append(bus)
    began_ns = clock.now_ns()
    try:
        session.run(began_ns)  # opens the port
        if trouble := session.trouble(wire.name):
            return [], trouble
        bus.submit(name, "scan", (), clock.now_ns(), deadline_ns=began_ns + SCAN_NS, priority=SCAN)
        session.run(began_ns + SCAN_NS + NS_PER_S, lambda: bool(done))
    finally:
        session.close()
    if not done or not done[0].ok:
        return [], f"{port}: {done[0].reason if done else 'the bus does not answer'}"
    if isinstance(done[0].result, str):
        return [], f"{port}: {done[0].result}"
    return [Present(*found) for found in done[0].result], ""
