"""Register models of the chips Leeze uses on I2C: what each does with the bytes written to it, and what it says.

They are written from the data sheets and use none of the codecs for lamps and meters, so that a mistake in one is not
in both; the BME280's trimming alone is packed by its codec, and its values are Bosch's worked example. Whole numbers
only, time comes with each call.

Only the standard library is used: the umockdev bench runs these models in Debian's own Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from drivers.codecs import bme280

MS = 1_000_000
CONVERSION_NS = 46 * MS


class Refused(Exception):  # noqa: N818
    """The chip does not acknowledge a byte."""


class Chip(Protocol):
    """One chip. `snapshot` gives all state as JSON-able values."""

    def write(self, data: bytes, t_ns: int) -> None:
        """Bytes behind the address. Raises Refused."""

    def read(self, count: int, t_ns: int) -> bytes:
        """As many bytes. Raises Refused."""

    def power_cycle(self, t_ns: int) -> None:
        """Its supply was away for a moment."""

    def snapshot(self) -> dict[str, Any]:
        """All state."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""


class Bme280Model:
    """A BME280 with Bosch's trimming; `weather` is its raw (temperature, pressure, humidity), see `set_weather`.

    A conversion takes 46 ms. With `trembles` the raw values move by a count or two from second to second, unless it is
    `frozen`.
    """

    def __init__(self, *, trembles: bool = False) -> None:
        self.weather = [bme280.BOSCH_ADC_T, bme280.BOSCH_ADC_P, 30_000]
        self.frozen = False
        self._trembles = trembles
        self._pointer = 0
        self._registers: dict[int, int] = {}
        self.power_cycle(0)

    def set_weather(self, adc_t: int, adc_p: int, adc_h: int) -> None:
        """What it measures from now on."""
        self.weather = [adc_t, adc_p, adc_h]

    def power_cycle(self, t_ns: int) -> None:
        """All registers as after power-on; asleep."""
        self._registers = {0xD0: bme280.CHIP_ID, 0xF2: 0, 0xF3: 0, 0xF4: 0, 0xF5: 0}
        humidity = (75, 370, 0, 313, 50, 30)  # made up: Bosch's example has none
        for start, data in bme280.trimming(bme280.BOSCH_T, bme280.BOSCH_P, humidity).items():
            self._registers |= {start + n: byte for n, byte in enumerate(data)}
        self._from_ns = -1  # when the first conversion is done; -1: none was ordered
        self._pointer = 0

    def write(self, data: bytes, t_ns: int) -> None:
        """Pairs of register and value; a single byte sets the pointer."""
        if len(data) % 2:
            self._pointer = data[-1]
            data = data[:-1]
        for register, value in zip(data[::2], data[1::2], strict=True):
            if register == bme280.REG_RESET and value == bme280.RESET:
                self.power_cycle(t_ns)
            elif register in (bme280.REG_CTRL_HUM, bme280.REG_CTRL_MEAS, bme280.REG_CONFIG):
                if register == bme280.REG_CTRL_MEAS and value & 3:
                    self._from_ns = t_ns + CONVERSION_NS
                    if value & 3 != bme280.MODE_NORMAL:
                        value &= 0xFC  # forced: asleep again afterwards
                self._registers[register] = value

    def read(self, count: int, t_ns: int) -> bytes:
        """From the pointer on."""
        raw = bme280.UNMEASURED
        self._registers[bme280.REG_STATUS] = 0x08 if t_ns < self._from_ns else 0
        if 0 <= self._from_ns <= t_ns:
            step = (t_ns // (1000 * MS)) % 3 if self._trembles and not self.frozen else 0
            raw = (self.weather[0] + step, self.weather[1] + step, self.weather[2] + step)
        measured = {0xF7 + n: byte for n, byte in enumerate(bme280.measured(*raw))}
        found = bytes((measured | self._registers).get(self._pointer + n & 0xFF, 0) for n in range(count))
        self._pointer = self._pointer + count & 0xFF
        return found

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "weather": list(self.weather),
            "frozen": self.frozen,
            "pointer": self._pointer,
            "registers": [[*pair] for pair in self._registers.items()],
            "from_ns": self._from_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.weather, self.frozen, self._pointer = list(state["weather"]), state["frozen"], state["pointer"]
        self._registers, self._from_ns = dict(state["registers"]), state["from_ns"]


class Bh1750Model:
    """A BH1750 under a sky of `mlux` thousandths of a lux. A measurement takes 180 ms; one ordered "once" ends down."""

    def __init__(self, mlux: int = 5_000_000) -> None:
        self.mlux = mlux
        self.power_cycle(0)

    def power_cycle(self, t_ns: int) -> None:
        """Down, its result 0."""
        self._on = self._goes_on = False
        self._due_ns, self._result = -1, 0

    def write(self, data: bytes, t_ns: int) -> None:
        """One order."""
        self._measure(t_ns)
        opcode = data[-1]
        if opcode in (0x10, 0x20):
            self._on, self._goes_on, self._due_ns = True, opcode == 0x10, t_ns + 180 * MS
        elif opcode in (0x00, 0x01):
            self._on, self._due_ns = opcode == 0x01, -1
        elif opcode == 0x07 and self._on:
            self._result = 0

    def read(self, count: int, t_ns: int) -> bytes:
        """The last result."""
        self._measure(t_ns)
        return (self._result.to_bytes(2, "big") * (count // 2 + 1))[:count]

    def _measure(self, t_ns: int) -> None:
        if 0 <= self._due_ns <= t_ns:
            self._result = min(0xFFFF, (self.mlux * 12 + 5_000) // 10_000)
            self._on, self._due_ns = self._goes_on, t_ns + 180 * MS if self._goes_on else -1

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {"mlux": self.mlux, "state": [self._on, self._goes_on, self._due_ns, self._result]}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.mlux = state["mlux"]
        self._on, self._goes_on, self._due_ns, self._result = state["state"]


class Ina226Model:
    """An INA226 between a supply and its load: `bus_uv` at its pin, `shunt_nv` over its shunt."""

    def __init__(self, bus_uv: int = 11_980_000, shunt_nv: int = 20_000_000) -> None:
        self.bus_uv, self.shunt_nv = bus_uv, shunt_nv
        self.ids = (0x5449, 0x2260)
        self.power_cycle(0)

    def power_cycle(self, t_ns: int) -> None:
        """Configuration 4127, no calibration."""
        self._pointer, self._config, self._calibration = 0, 0x4127, 0

    def write(self, data: bytes, t_ns: int) -> None:
        """The pointer, and a register behind it."""
        self._pointer = data[0]
        if len(data) == 3:
            value = data[1] << 8 | data[2]
            if self._pointer == 0:
                self.power_cycle(t_ns) if value & 0x8000 else setattr(self, "_config", value)
            elif self._pointer == 5:
                self._calibration = value & 0x7FFF

    def read(self, count: int, t_ns: int) -> bytes:
        """The register under the pointer, again and again."""
        return (self._register(self._pointer).to_bytes(2, "big") * (count // 2 + 1))[:count]

    def _register(self, number: int) -> int:
        shunt = max(-0x8000, min(0x7FFF, self.shunt_nv // 2_500))
        bus = min(0x7FFF, self.bus_uv // 1_250)
        current = shunt * self._calibration // 2048
        overflow = not -0x8000 <= current <= 0x7FFF
        current = max(-0x8000, min(0x7FFF, current))
        found = {
            0: self._config,
            1: shunt,
            2: bus,
            3: min(0xFFFF, abs(current) * bus // 20_000),
            4: current,
            5: self._calibration,
            6: 0x0008 | overflow << 2,
            0xFE: self.ids[0],
            0xFF: self.ids[1],
        }
        return found.get(number, 0) & 0xFFFF

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "bus_uv": self.bus_uv,
            "shunt_nv": self.shunt_nv,
            "registers": [self._pointer, self._config, self._calibration],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.bus_uv, self.shunt_nv = state["bus_uv"], state["shunt_nv"]
        self._pointer, self._config, self._calibration = state["registers"]


class Gp8403Model:
    """A GP8403: `outputs_mv` is what its two outputs show. After power-on both are 0 in the range of 5 V."""

    def __init__(self) -> None:
        self._full_mv, self._counts = 5_000, [0, 0]

    @property
    def outputs_mv(self) -> tuple[int, int]:
        """Of both outputs."""
        first, second = (self._full_mv * counts // 4095 for counts in self._counts)
        return first, second

    def power_cycle(self, t_ns: int) -> None:
        """Range and outputs are forgotten."""
        self._full_mv, self._counts = 5_000, [0, 0]

    def write(self, data: bytes, t_ns: int) -> None:
        """Register 1 is the range; 2 and 4 are the outputs."""
        if data[0] == 1 and len(data) > 1:
            self._full_mv = 10_000 if data[1] == 0x11 else 5_000
        elif data[0] in (2, 4):
            for n, output in enumerate(range(data[0] // 2 - 1, 2)):
                if len(data) >= 3 + 2 * n:
                    self._counts[output] = (data[2 + 2 * n] << 8 | data[1 + 2 * n]) >> 4

    def read(self, count: int, t_ns: int) -> bytes:
        """It is written only; whether the real part answers a read is not known, this one does not."""
        raise Refused

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {"full_mv": self._full_mv, "counts": list(self._counts)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._full_mv, self._counts = state["full_mv"], list(state["counts"])


class Mcp4725Model:
    """An MCP4725: `counts` is what its output shows; `memory` what it comes back with. `writes` wear its EEPROM."""

    def __init__(self, memory: int = 0) -> None:
        self.memory, self.counts, self.writes = memory, memory, 0
        self._power_down = 0

    def power_cycle(self, t_ns: int) -> None:
        """The output takes what stands in the EEPROM."""
        self.counts, self._power_down = self.memory, 0

    def write(self, data: bytes, t_ns: int) -> None:
        """Fast writes of two bytes, long ones of three."""
        kind = data[0] >> 5
        if kind < 2 and len(data) >= 2:
            self._power_down, self.counts = data[0] >> 4 & 3, (data[0] & 15) << 8 | data[1]
        elif kind in (2, 3) and len(data) >= 3:
            self._power_down, self.counts = data[0] >> 1 & 3, data[1] << 4 | data[2] >> 4
            if kind == 3:
                self.memory = self.counts
                self.writes += 1

    def read(self, count: int, t_ns: int) -> bytes:
        """State, output, EEPROM."""
        said = (0xC0 | self._power_down << 1, self.counts >> 4, self.counts << 4 & 0xFF)
        return (bytes((*said, self.memory >> 8, self.memory & 0xFF)) * (count // 5 + 1))[:count]

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {"state": [self.memory, self.counts, self.writes, self._power_down]}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.memory, self.counts, self.writes, self._power_down = state["state"]


class Pca9685Model:
    """A PCA9685. `duty` is what an output shows, in counts of 4096; nothing while it sleeps.

    `early_restarts` counts restarts asked for before the oscillator ran for 500 us, which the paper forbids.
    """

    def __init__(self) -> None:
        self.early_restarts = 0
        self.power_cycle(0)

    def power_cycle(self, t_ns: int) -> None:
        """Asleep, all outputs off, 200 Hz."""
        self._registers = bytearray(256)
        self._registers[0x00], self._registers[0x01], self._registers[0xFE] = 0x11, 0x04, 0x1E
        for output in range(16):
            self._registers[0x09 + 4 * output] = 0x10
        self._pointer, self._awake_ns = 0, -1

    def duty(self, output: int) -> int:
        """Counts of 4096 for which output 0 to 15 is on."""
        if self._awake_ns < 0:
            return 0
        on_low, on_high, off_low, off_high = self._registers[6 + 4 * output : 10 + 4 * output]
        if off_high & 0x10:
            return 0
        return 4096 if on_high & 0x10 else ((off_high << 8 | off_low) - (on_high << 8 | on_low)) & 0xFFF

    @property
    def frequency_hz(self) -> int:
        """Of all outputs."""
        return 25_000_000 // (4096 * (self._registers[0xFE] + 1))

    def write(self, data: bytes, t_ns: int) -> None:
        """The pointer, and what follows; it moves on only with auto-increment."""
        self._pointer = data[0]
        for value in data[1:]:
            self._store(self._pointer, value, t_ns)
            self._move()

    def read(self, count: int, t_ns: int) -> bytes:
        """From the pointer on."""
        found = bytearray()
        for _ in range(count):
            found.append(self._registers[self._pointer])
            self._move()
        return bytes(found)

    def _move(self) -> None:
        if self._registers[0] & 0x20:
            self._pointer = self._pointer + 1 & 0xFF

    def _store(self, register: int, value: int, t_ns: int) -> None:
        if register == 0xFE and not self._registers[0] & 0x10:
            return  # blocked while awake
        if register == 0x00:
            if value & 0x80 and (self._awake_ns < 0 or t_ns - self._awake_ns < MS // 2):
                self.early_restarts += 1
            if value & 0x10:
                self._awake_ns = -1
            elif self._awake_ns < 0:
                self._awake_ns = t_ns
            value &= 0x7F
        self._registers[register] = value

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "registers": self._registers.hex(),
            "pointer": self._pointer,
            "awake_ns": self._awake_ns,
            "early_restarts": self.early_restarts,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._registers, self._pointer = bytearray.fromhex(state["registers"]), state["pointer"]
        self._awake_ns, self.early_restarts = state["awake_ns"], state["early_restarts"]


MODELS: dict[str, Callable[[], Chip]] = {
    "bme280": Bme280Model,
    "bh1750": Bh1750Model,
    "ina226": Ina226Model,
    "gp8403": Gp8403Model,
    "mcp4725": Mcp4725Model,
    "pca9685": Pca9685Model,
}
"""By printed name."""
