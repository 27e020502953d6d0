"""Parts with names on a Modbus bus with their far ends, in one virtual time."""

from __future__ import annotations

from collections.abc import Callable

from drivers.buses.modbus import ModbusBus
from drivers.devices.modbus_part import ModbusPart
from drivers.interfaces import Device
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth, Quantity
from drivers.units import NS_PER_S
from hil.peers.modbus_models import ModbusModel
from hil.peers.modbus_slaves import Fault, ModbusSlaves

Faults = dict[int, tuple[Fault, ...]]
Make = Callable[[ModbusBus], list[ModbusPart]]


class Rig:
    """Devices, their bus, and slaves that may fail; time goes on as they want."""

    def __init__(
        self, models: list[ModbusModel], make: Make, faults: dict[int, tuple[Fault, ...]] | None = None
    ) -> None:
        near, far = memory_pair("rs485")
        self.values: list[Quantity] = []
        self.slaves = ModbusSlaves("rs485", far, models, faults=faults)
        self.bus = ModbusBus("rs485", near, emit=self.values.append)
        self.parts = make(self.bus)
        self.devices: list[Device] = [*self.parts, self.bus]
        self.now_ns = 0

    def run(self, until_s: float) -> list[Quantity]:
        """What came of it, up to then."""
        self.values.clear()
        until_ns = int(until_s * NS_PER_S)
        while True:
            wake_ns = min(self.slaves.wake_ns, *(device.wake_ns for device in self.devices))
            if wake_ns > until_ns:
                self.now_ns = until_ns
                return list(self.values)
            self.now_ns = max(self.now_ns, wake_ns)
            if self.slaves.wake_ns <= self.now_ns:
                self.slaves.run(self.now_ns)
            for device in self.devices:
                if device.wake_ns <= self.now_ns:
                    device.advance(self.now_ns)

    def health(self, until_s: float) -> list[tuple[bool, str]]:
        return [(value.ok, value.reason) for value in self.run(until_s) if isinstance(value, DeviceHealth)]


def dead(from_s: int, to_s: int) -> Faults:
    return {0: (Fault("dead", from_s * NS_PER_S, to_s * NS_PER_S),)}
