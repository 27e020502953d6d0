"""One DALI lamp with its bus and its gateway to itself, as one device: for a desk."""

from __future__ import annotations

from typing import Any

from drivers.buses.dali import DaliBus
from drivers.buses.dali_gateways import Gateway
from drivers.devices.lamp import DaliLamp
from drivers.interfaces import ByteLink, Emit


class LoneDaliLamp(DaliLamp):
    """A lamp that brings its bus. Its DeviceHealth is the lamp's; that of the bus has the source ``NAME/bus``.

    Args:
        name: of the lamp.
        link: to the gateway.
        emit: where values go.
        gateway: which one it is.
        short_address: 0 to 63.
    """

    def __init__(self, name: str, link: ByteLink, emit: Emit, gateway: Gateway, short_address: int) -> None:
        self.bus = DaliBus(f"{name}/bus", link, emit=emit, gateway=gateway)
        super().__init__(name, self.bus, short_address)

    @property
    def wake_ns(self) -> int:
        """When the bus wants to be served: the lamp asks only when told."""
        return self.bus.wake_ns

    @wake_ns.setter
    def wake_ns(self, value: int) -> None:
        """The bus has the timers."""

    def advance(self, now_ns: int) -> None:
        """Serve the bus."""
        self.bus.advance(now_ns)

    def counters(self) -> dict[str, int]:
        """`frames`: words of the gateway about ours; `sent`; then what went wrong on the bus."""
        counted = self.bus.counters()
        return {"frames": self.bus.words, "sent": counted.pop("frames"), **counted}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {"lamp": super().snapshot(), "bus": self.bus.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state["lamp"])
        self.bus.restore(state["bus"])
