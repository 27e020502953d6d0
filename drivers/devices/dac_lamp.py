"""Lamps behind an I2C chip: 0-10 V by a GP8403 or MCP4725, PWM by a PCA9685.

A lamp takes arc power levels of DALI's dimming curve, so that it looks like its DALI neighbours. The chip is asked
every few seconds whether it still shows what it was told: one that lost its supply comes back dark, and is told again.
A GP8403 cannot be asked; it is told again every time.

0-10 V, IEC 60929 annex E: lamps of the 1-10 V kind do not go dark at 0 V. They burn at their least, and need a relay to
be switched off.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from drivers.buses.i2c import LEVEL, I2cBus
from drivers.buses.i2c_procedures import Argument, Done, Pause, Procedure, Procedures
from drivers.codecs import gp8403, mcp4725, pca9685
from drivers.codecs.dali import FULL, OUTPUT_PPM, level_for_ppm
from drivers.devices.fading_lamp import telling_failures
from drivers.devices.i2c_chip import START, WELL, I2cChip, Verdict
from drivers.errors import InputError, OutOfRange
from drivers.quantities import LampStatus
from drivers.units import FOREVER_NS, NS_PER_S

UNKNOWN: Final = -1
WRITE: Final = "write"
WRITE_NS: Final = 5 * NS_PER_S
PPM: Final = 1_000_000


class LampPart(msgspec.Struct, frozen=True):
    """What a kind of chip can: `full` counts, outputs, and its procedures.

    ``start(address, setting)`` gives "" or why not. ``write(address, channel, counts)``.
    ``read(address, setting, *told)`` gives ``[ready, counts, counts, ...]``, -1 for what it cannot say; `told` are the
    counts it should show, or -1.
    """

    name: str
    full: int
    channels: int
    addresses: range
    procedures: Procedures


# --- GP8403: setting is the range in mV


def _gp8403_start(address: int, range_mv: int) -> Procedure:
    yield gp8403.set_range(address, range_mv)
    return ""


def _gp8403_write(address: int, channel: int, counts: int) -> Procedure:
    yield gp8403.set_output(address, channel, counts)


def _gp8403_read(address: int, range_mv: int, *told: int) -> Procedure:
    """Its outputs are told again afterwards: in here a newer level could slip in between, and be undone."""
    yield gp8403.set_range(address, range_mv)
    return [1, *[UNKNOWN] * len(told)]


# --- MCP4725: no setting


def _mcp4725_start(address: int, _: int) -> Procedure:
    yield mcp4725.read(address)
    return ""


def _mcp4725_write(address: int, _: int, counts: int) -> Procedure:
    yield mcp4725.fast_write(address, counts)


def _mcp4725_read(address: int, _: int, *told: int) -> Procedure:
    reply = yield mcp4725.read(address)
    return [1, mcp4725.decode(reply.data).output_counts]


# --- PCA9685: setting is the prescale


def _pca9685_start(address: int, prescale: int) -> Procedure:
    """Sets the frequency only where it differs: that takes sleep, and all lamps would flash dark."""
    mode = (yield pca9685.read_mode(address)).data[0]
    there = (yield pca9685.read_prescale(address)).data[0]
    if there != prescale or mode & pca9685.SLEEP:
        yield pca9685.write_mode(address, pca9685.SLEEP)
        yield pca9685.write_prescale(address, prescale)
        yield pca9685.write_mode(address, pca9685.AUTO_INCREMENT)
        yield Pause(pca9685.OSCILLATOR_START_NS)
        yield pca9685.write_mode(address, pca9685.RESTART | pca9685.AUTO_INCREMENT)
        there = (yield pca9685.read_prescale(address)).data[0]
    elif not mode & pca9685.AUTO_INCREMENT:
        yield pca9685.write_mode(address, pca9685.AUTO_INCREMENT)
    return "" if there == prescale else f"keeps prescale {there}, not {prescale}"


def _pca9685_write(address: int, channel: int, counts: int) -> Procedure:
    yield pca9685.set_output(address, channel, counts)


def _pca9685_read(address: int, prescale: int, *told: int) -> Procedure:
    mode = (yield pca9685.read_mode(address)).data[0]
    there = (yield pca9685.read_prescale(address)).data[0]
    if there != prescale or mode & pca9685.SLEEP or not mode & pca9685.AUTO_INCREMENT:
        return [0]
    reply = yield pca9685.read_outputs(address)
    return [1, *pca9685.decode_outputs(reply.data)]


GP8403: Final = LampPart(
    "GP8403",
    gp8403.FULL,
    gp8403.CHANNELS,
    gp8403.ADDRESSES,
    {"start": _gp8403_start, "read": _gp8403_read, WRITE: _gp8403_write},
)
MCP4725: Final = LampPart(
    "MCP4725",
    mcp4725.FULL,
    1,
    mcp4725.ADDRESSES,
    {"start": _mcp4725_start, "read": _mcp4725_read, WRITE: _mcp4725_write},
)
PCA9685: Final = LampPart(
    "PCA9685",
    pca9685.FULL,
    pca9685.CHANNELS,
    pca9685.ADDRESSES,
    {"start": _pca9685_start, "read": _pca9685_read, WRITE: _pca9685_write},
)


class LampChip(I2cChip):
    """One chip with its lamps (`lamp` adds one). Implements Device; its lamps implement Lamp.

    Args:
        name: of the chip, e.g. ``"i2c/0x58"``.
        bus: it hangs on.
        part: GP8403, MCP4725 or PCA9685.
        address: on the bus.
        setting: GP8403: range in mV; PCA9685: prescale (drivers.codecs.pca9685.prescale_for); MCP4725: 0.
        period_ns: how often it is asked, or told again.

    Emits, in the name of each lamp: LampStatus once, with the level the chip showed at start (None: it cannot say, or
    does not answer); DeviceHealth when the chip is lost, does not keep what it was told, or is well again, and
    LampStatus as a failure.
    Counter `corrections`: outputs that had to be told again.
    """

    def __init__(
        self,
        name: str,
        bus: I2cBus,
        part: LampPart,
        *,
        address: int,
        setting: int = 0,
        period_ns: int = 5 * NS_PER_S,
    ) -> None:
        super().__init__(name, bus, part.procedures, period_ns=period_ns)
        self.part, self._address, self._setting = part, address, setting
        self.corrections = 0
        self._lamps: dict[int, DacLamp] = {}
        self._wanted: dict[int, int] = {}
        self._told: dict[int, int] = {}
        self._wrong: list[int] = []  # outputs that had to be told again last time
        self._found = False  # whether LampStatus has been told
        self._emit = telling_failures(self._emit)

    def lamp(self, channel: int, name: str, *, full: int | None = None, minimum: int = 1) -> DacLamp:
        """The lamp at an output. Raises InputError: no such output, taken, or counts it cannot have."""
        if channel not in range(self.part.channels) or channel in self._lamps:
            raise InputError(f"{name}: output {channel} of {self.name} is taken, or a {self.part.name} has none")
        self._lamps[channel] = made = DacLamp(name, self, channel, self.part.full if full is None else full, minimum)
        return made

    def show(self, channel: int, counts: int, now_ns: int) -> None:
        """Have an output show `counts`; leaves with the bus's next `advance`. Remembered while the chip is lost."""
        self._wanted[channel] = counts
        if self._up:
            self._write(channel, now_ns)

    def _write(self, channel: int, now_ns: int) -> None:
        self._bus.submit(
            self.name,
            WRITE,
            (self._address, channel, self._wanted[channel]),
            now_ns,
            deadline_ns=now_ns + WRITE_NS,
            priority=LEVEL,
            slot=f"{WRITE} {channel}",
        )

    @property
    def _sources(self) -> tuple[str, ...]:
        return tuple(lamp.name for lamp in self._lamps.values())

    def _arguments(self, procedure: str) -> tuple[Argument, ...]:
        if procedure == START:
            return (self._address, self._setting)
        told = (self._told.get(channel, UNKNOWN) for channel in range(self.part.channels))
        return (self._address, self._setting, *told)

    def _started(self, result: Any, t_ns: int) -> Verdict:
        if result:
            return Verdict(result)
        for channel in self._wanted:
            self._write(channel, t_ns)
        return WELL

    def _heard(self, result: Any, t_ns: int) -> Verdict:
        ready, *shown = result
        if not ready:
            return Verdict("forgets its settings; does it lose its supply?", forgot=True)
        self._tell_found(shown, t_ns)
        before, self._wrong = self._wrong, []
        for channel, told in self._told.items():
            if shown[channel] not in (told, UNKNOWN):
                self._wrong.append(channel)
        for channel, counts in self._wanted.items():
            if channel in self._wrong or self._told.get(channel) != counts or shown[channel] == UNKNOWN:
                self._write(channel, t_ns)
        self.corrections += len(self._wrong)
        stubborn = [channel for channel in self._wrong if channel in before]
        return Verdict(f"output {stubborn[0]} does not keep what it is told") if stubborn else WELL

    def _ended(self, done: Done) -> None:
        self._told[int(done.args[1])] = int(done.args[2])
        self._misses = 0

    def _lost(self, t_ns: int) -> None:
        self._told, self._wrong = {}, []
        if self._misses:
            self._tell_found([UNKNOWN] * self.part.channels, t_ns)

    def _tell_found(self, shown: list[int], t_ns: int) -> None:
        if self._found:
            return
        self._found = True
        for channel, lamp in self._lamps.items():
            lamp.found_level = lamp.level_of(shown[channel])
            self._emit(LampStatus(t_ns, lamp.name, lamp.found_level))

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        return {**super().counters(), "corrections": self.corrections}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            **super().snapshot(),
            "wanted": [[*pair] for pair in self._wanted.items()],
            "told": [[*pair] for pair in self._told.items()],
            "wrong": list(self._wrong),
            "found": self._found,
            "found_levels": [[channel, lamp.found_level] for channel, lamp in self._lamps.items()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        self._wanted, self._told = dict(state["wanted"]), dict(state["told"])
        self._wrong, self._found = list(state["wrong"]), state["found"]
        for channel, level in state["found_levels"]:
            self._lamps[channel].found_level = level


class DacLamp:
    """A lamp at one output. Implements Lamp, and Device for uniformity: its chip has the timers and the state.

    `full` counts are arc power level 254; `minimum` counts the least at which it burns, for every level above 0.
    """

    wake_ns = FOREVER_NS

    def __init__(self, name: str, chip: LampChip, channel: int, full: int, minimum: int) -> None:
        if not 1 <= minimum <= full <= chip.part.full:
            raise InputError(f"{name}: {minimum} to {full} counts; a {chip.part.name} has 1 to {chip.part.full}")
        self.name, self._chip, self._channel = name, chip, channel
        self._full, self._minimum = full, minimum
        self.found_level: int | None = None
        """What it showed at the start; None: not known (yet)."""

    def counts_of(self, level: int) -> int:
        """Counts for arc power level 0 to 254: of 4095, level 170 is 413 and level 1 is 4."""
        return max(self._minimum, (2 * OUTPUT_PPM[level] * self._full + PPM) // (2 * PPM)) if level else 0

    def level_of(self, counts: int) -> int | None:
        """The level nearest to counts; None for -1."""
        return None if counts == UNKNOWN else level_for_ppm(min(PPM, counts * PPM // self._full))

    def set_level(self, level: int, now_ns: int) -> None:
        """Go to arc power level 0 (off) to 254 (full), at once: such a chip has no fade. Raises OutOfRange."""
        if not 0 <= level <= FULL:
            raise OutOfRange(self.name, now_ns, f"no level {level}; an arc power level is 0 to {FULL}")
        self._chip.show(self._channel, self.counts_of(level), now_ns)

    def advance(self, now_ns: int) -> None:
        """Nothing is ever due."""

    def counters(self) -> dict[str, int]:
        """Nothing of its own: chip and bus count."""
        return {"frames": 0}

    def snapshot(self) -> dict[str, Any]:
        """Nothing of its own."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing to take over."""
