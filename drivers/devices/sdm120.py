"""An SDM120 with a name: what a supply takes, on a Modbus bus."""

from __future__ import annotations

from typing import Final

from drivers.buses.modbus import ModbusBus
from drivers.buses.modbus_jobs import Done
from drivers.codecs import sdm120
from drivers.devices.modbus_part import ModbusPart
from drivers.quantities import PowerReading
from drivers.units import NS_PER_MS, NS_PER_S

POWER_REGISTERS: Final = sdm120.POWER + 2
RESPONSE_NS: Final = 300 * NS_PER_MS
"""Long for a meter at 2400 baud; not from its paper, which names no limit."""


class Sdm120(ModbusPart):
    """An SDM120.

    Emits a PowerReading every `period_ns`: voltage, current, active power, imported energy. Emits DeviceHealth when it
    is silent, refuses, says something that is no number, or says the very same for `frozen_ns`.

    Args:
        name: e.g. ``"meter"``.
        bus: at the meter's bit rate, 2400 as delivered.
        address: 1 as delivered.
        period_ns: how often it is asked; both questions take 0.3 s of the bus at 2400 baud.
        stale_ns, frozen_ns: see ModbusPart.
    """

    def __init__(
        self,
        name: str,
        bus: ModbusBus,
        *,
        address: int = sdm120.FACTORY_ADDRESS,
        period_ns: int = 5 * NS_PER_S,
        stale_ns: int = 30 * NS_PER_S,
        frozen_ns: int = 3_600 * NS_PER_S,
    ) -> None:
        super().__init__(
            name,
            bus,
            address,
            "sdm120",
            period_ns=period_ns,
            stale_ns=stale_ns,
            frozen_ns=frozen_ns,
            response_ns=RESPONSE_NS,
        )

    def _question(self, now_ns: int) -> tuple[str, tuple[int, ...]]:
        return "sdm120_read", (self._address,)

    def _answered(self, done: Done) -> None:
        assert isinstance(done.result, list)
        registers = done.result
        try:
            said = sdm120.parse_reading(registers[:POWER_REGISTERS], registers[POWER_REGISTERS:])
        except ValueError as error:
            self._faulty(done.t_ns, str(error))
            return
        self._heard(done.t_ns, "".join(f"{register:04x}" for register in registers))
        self._emit(PowerReading(done.t_ns, self.name, said.voltage_mv, said.current_ma, said.power_mw, said.energy_mwh))
