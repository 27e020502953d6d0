"""Weather with a name: a BME280 on an I2C bus, read by Adafruit's driver as it is installed.

The driver runs on the bus as any other procedure (drivers.buses.i2c_library): each of its transfers is one of the wire,
recorded and replayed; what it makes of them leaves as a Climate. The part measures by itself all the time (normal mode,
a second of standby, so that it does not warm itself), and nothing waits for a conversion. The one sleep of the driver,
4 ms after its reset, is a pause on the bus: the subclass below does the reset in its place. For a program that may
block there is `drivers.links.i2c_port.Registers`, under the driver without any subclass.

The second of standby is written here: the driver (2.6.32) puts the part to sleep to write it, and leaves it out while
the part sleeps, so that what arrives is half a millisecond.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from drivers.buses.i2c import I2cBus
from drivers.buses.i2c_library import AnsweredRegisters, run_library
from drivers.buses.i2c_procedures import Argument, Procedure, Result
from drivers.codecs import bme280
from drivers.devices.frozen import FrozenWatch
from drivers.devices.i2c_chip import START, WELL, I2cChip, Verdict
from drivers.quantities import Climate
from drivers.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from adafruit_bme280.basic import Adafruit_BME280  # type: ignore[import-untyped]

ADDRESSES: Final = range(0x76, 0x78)
RESET_NS: Final = 4 * NS_PER_MS
"""As long as the library sleeps; the paper says 2 ms."""

SETTLE_NS: Final = 100 * NS_PER_MS
"""The first conversion takes at most 46 ms with the driver's oversampling."""

FROZEN_NS: Final = 3600 * NS_PER_S


def start(address: int) -> Procedure:
    """The driver's own start, then normal mode: ``{"answers": [hex, ...]}``, or ``{"error": "..."}``."""
    registers = AnsweredRegisters(address)

    def call(answers: list[bytes]) -> Result:
        try:
            _driver(registers)
        except (RuntimeError, ArithmeticError, ValueError) as error:
            return {"error": str(error)}
        return {"answers": " ".join(answer.hex() or "-" for answer in answers)}

    return run_library(registers, call)


def read(address: int, answers: str) -> Procedure:
    """One reading: values in whole units, and the raw registers; ``answers`` are those of the start.

    ``{"temperature_mdegc": 25082, "humidity_ppt": 423, "pressure_pa": 100653, "raw": [519888, 415148, 30000]}``, or
    ``{"error": "..."}``.
    """
    driver, registers = _started(address, answers)

    def call(_: list[bytes]) -> Result:
        try:
            found = {
                "temperature_mdegc": round(driver.temperature * 1000),
                "pressure_pa": round(driver.pressure * 100),
                "humidity_ppt": round(driver.relative_humidity * 10),
            }
        except (ArithmeticError, ValueError) as error:
            return {"error": str(error)}
        seen = registers.seen
        block = seen[bme280.REG_PRESSURE] + seen[bme280.REG_TEMPERATURE] + seen[bme280.REG_HUMIDITY]
        return {**found, "raw": list(bme280.raw_values(block))}

    return run_library(registers, call)


def _driver(registers: AnsweredRegisters) -> Adafruit_BME280:
    """Adafruit's driver on these registers, in normal mode."""
    from adafruit_bme280.basic import MODE_NORMAL

    driver = _sleepless()(registers)
    registers.write_register_byte(bme280.REG_CONFIG, bme280.STANDBY_1000_MS)  # before it measures: then it is ignored
    driver.mode = MODE_NORMAL
    return driver


@lru_cache(maxsize=1)
def _sleepless() -> Callable[[AnsweredRegisters], Adafruit_BME280]:
    from adafruit_bme280.basic import Adafruit_BME280

    class Sleepless(Adafruit_BME280):  # type: ignore[misc]  # the library has no types
        def _reset(self) -> None:
            self._write_register_byte(bme280.REG_RESET, bme280.RESET)
            self._bus_implementation.pause(RESET_NS)

    return Sleepless


@lru_cache(maxsize=16)
def _started(address: int, answers: str) -> tuple[Adafruit_BME280, AnsweredRegisters]:
    """The driver as it was after its start, and its registers."""
    registers = AnsweredRegisters(address)
    registers.rewind([b"" if answer == "-" else bytes.fromhex(answer) for answer in answers.split()])
    return _driver(registers), registers


class Bme280(I2cChip):
    """A BME280 on a bus.

    Emits a Climate every `period_ns` while its values can be true. Emits DeviceHealth when it is lost, when it is no
    BME280, when a value is out of the part's range, when its raw values have stood still for `frozen_ns` (0: not
    watched), and when all is well again. A part that lost its supply for a moment is started again.
    """

    def __init__(
        self, name: str, bus: I2cBus, *, address: int = 0x76, period_ns: int = 10 * NS_PER_S, frozen_ns: int = FROZEN_NS
    ) -> None:
        super().__init__(
            name, bus, {"start": start, "read": read}, period_ns=period_ns, settle_ns=min(SETTLE_NS, period_ns)
        )
        _sleepless()  # the import takes a while: now, not in the loop
        self._address = address
        self._answers = ""
        self._watch = FrozenWatch(frozen_ns)

    def _arguments(self, procedure: str) -> tuple[Argument, ...]:
        return (self._address,) if procedure == START else (self._address, self._answers)

    def _started(self, result: Any, t_ns: int) -> Verdict:
        if "error" in result:
            return Verdict(result["error"])
        self._answers = result["answers"]
        return WELL

    def _heard(self, result: Any, t_ns: int) -> Verdict:
        if "error" in result:
            return Verdict(result["error"], forgot=True)
        raw = tuple(result["raw"])
        if raw == bme280.UNMEASURED:
            return Verdict("does not measure; did it lose its supply?", forgot=True)
        self._watch.saw(raw, t_ns)
        if self._watch.frozen(t_ns):
            return Verdict("frozen value")
        values = (result["temperature_mdegc"], result["humidity_ppt"], result["pressure_pa"])
        if reason := bme280.out_of_range(*values):
            return Verdict(reason)
        self._emit(Climate(t_ns, self.name, *values))
        return WELL

    def _lost(self, t_ns: int) -> None:
        self._watch.forget()

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {**super().snapshot(), "answers": self._answers, "watch": self._watch.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        self._answers = state["answers"]
        self._watch.restore(state["watch"])
