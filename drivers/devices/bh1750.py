"""A lux sensor with a name: a BH1750 on an I2C bus, looking at the sky."""

from __future__ import annotations

from typing import Any

from drivers.buses.i2c import I2cBus
from drivers.buses.i2c_procedures import Argument, Pause, Procedure
from drivers.codecs import bh1750
from drivers.devices.i2c_chip import WELL, I2cChip, Verdict
from drivers.quantities import Illuminance
from drivers.units import NS_PER_MS, NS_PER_S


def start(address: int) -> Procedure:
    """Whether it is there: it has no number of its own to tell it by."""
    yield bh1750.order(address, bh1750.POWER_ON)
    return True


def read(address: int) -> Procedure:
    """One measurement of its own: the result in thousandths of a lux."""
    yield bh1750.order(address, bh1750.POWER_ON)
    yield bh1750.order(address, bh1750.ONCE)
    yield Pause(bh1750.MEASURE_MS * NS_PER_MS)
    reply = yield bh1750.read_result(address)
    return bh1750.illuminance_mlux(reply.data)


class Bh1750(I2cChip):
    """A BH1750 on a bus.

    Emits an Illuminance every `period_ns`, and DeviceHealth when it is lost and when it is well again. A value that
    stands still is no fault: a night without a moon is 0 lx for hours.
    """

    def __init__(self, name: str, bus: I2cBus, *, address: int = 0x23, period_ns: int = 10 * NS_PER_S) -> None:
        super().__init__(name, bus, {"start": start, "read": read}, period_ns=period_ns)
        self._address = address

    def _arguments(self, procedure: str) -> tuple[Argument, ...]:
        return (self._address,)

    def _started(self, result: Any, t_ns: int) -> Verdict:
        return WELL

    def _heard(self, result: Any, t_ns: int) -> Verdict:
        self._emit(Illuminance(t_ns, self.name, int(result)))
        return WELL
