"""A meter with a name: an INA226 on an I2C bus, voltage and current of a supply."""

from __future__ import annotations

from typing import Any

from drivers.buses.i2c import I2cBus
from drivers.buses.i2c_procedures import Argument, Procedure
from drivers.codecs import ina226
from drivers.codecs.ina226 import Scale
from drivers.devices.i2c_chip import START, WELL, I2cChip, Verdict
from drivers.errors import InputError
from drivers.quantities import PowerReading
from drivers.units import NS_PER_MS, NS_PER_S

SETTLE_NS = 100 * NS_PER_MS


def start(address: int, config: int, calibration: int) -> Procedure:
    """Who it is, then its settings, read back: ``[0x5449, 0x2260, config, calibration]``. A stranger is not written."""
    found = []
    for register in (ina226.REG_MAKER, ina226.REG_DIE):
        reply = yield ina226.read_register(address, register)
        found.append(ina226.word(reply.data))
    if found != [ina226.MAKER, ina226.DIE]:
        return [*found, 0, 0]
    yield ina226.write_register(address, ina226.REG_CONFIG, config)
    yield ina226.write_register(address, ina226.REG_CALIBRATION, calibration)
    for register in (ina226.REG_CONFIG, ina226.REG_CALIBRATION):
        reply = yield ina226.read_register(address, register)
        found.append(ina226.word(reply.data))
    return found


def read(address: int) -> Procedure:
    """Bus voltage, current, power, mask, calibration: five registers as whole numbers."""
    found = []
    for register in (
        ina226.REG_BUS,
        ina226.REG_CURRENT,
        ina226.REG_POWER,
        ina226.REG_MASK,
        ina226.REG_CALIBRATION,
    ):
        reply = yield ina226.read_register(address, register)
        found.append(ina226.word(reply.data))
    return found


class Ina226(I2cChip):
    """An INA226 on a bus.

    Emits a PowerReading every `period_ns`; current and power are None while the part cannot tell them (overflow).
    Emits DeviceHealth when it is lost, when somebody else is at its address, when the current is beyond what it can
    tell, the voltage beyond what it stands, and when all is well again. Raises InputError: a shunt and a largest
    current that do not go together.
    """

    def __init__(
        self,
        name: str,
        bus: I2cBus,
        *,
        address: int = 0x40,
        shunt_uohm: int = 100_000,
        max_ma: int = 800,
        period_ns: int = NS_PER_S,
    ) -> None:
        try:
            self.scale = Scale.of(shunt_uohm, max_ma)
        except ValueError as error:
            raise InputError(f"{name}: {error}") from None
        super().__init__(
            name, bus, {"start": start, "read": read}, period_ns=period_ns, settle_ns=min(SETTLE_NS, period_ns)
        )
        self._address = address

    def _arguments(self, procedure: str) -> tuple[Argument, ...]:
        return (self._address, ina226.CONFIG, self.scale.calibration) if procedure == START else (self._address,)

    def _started(self, result: Any, t_ns: int) -> Verdict:
        maker, die, config, calibration = result
        if (maker, die) != (ina226.MAKER, ina226.DIE):
            return Verdict(f"no INA226 at {self._address:#04x}: it says {maker:04X} {die:04X}")
        if (config, calibration) != (ina226.CONFIG, self.scale.calibration):
            return Verdict(f"keeps other settings: configuration {config:04X}, calibration {calibration:04X}")
        return WELL

    def _heard(self, result: Any, t_ns: int) -> Verdict:
        bus, current, power, mask, calibration = result
        if calibration != self.scale.calibration:
            return Verdict("forgets its calibration; does it lose its supply?", forgot=True)
        scale = self.scale
        voltage_mv = scale.voltage_mv(bus)
        if mask & ina226.OVERFLOW:
            self._emit(PowerReading(t_ns, self.name, voltage_mv))
            return Verdict("more current than the shunt and its largest current allow")
        if voltage_mv > ina226.BUS_FULL_MV:
            return Verdict(f"{voltage_mv} mV is more than the part stands")
        self._emit(PowerReading(t_ns, self.name, voltage_mv, scale.current_ma(current), scale.power_mw(power)))
        return WELL
