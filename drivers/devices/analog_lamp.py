"""A lamp on 0-10 V: one output of a Waveshare analog output module, on a Modbus bus."""

from __future__ import annotations

from typing import Any, Final

from drivers.buses.modbus import ModbusBus
from drivers.buses.modbus_jobs import Done
from drivers.codecs import waveshare_ao8 as ao8
from drivers.codecs.modbus_rtu import READ_HOLDING_REGISTERS
from drivers.devices.fading_lamp import telling_failures
from drivers.devices.modbus_part import ModbusPart
from drivers.errors import OutOfRange
from drivers.quantities import LampStatus
from drivers.units import NS_PER_S

STUBBORN: Final = "output does not keep what it is told"


class AnalogLamp(ModbusPart):
    """One output as a Lamp, without a fade (FadingLamp makes one). What a level is in millivolts: waveshare_ao8.Scale.

    Level 0 is 0 V, at which a 1-10 V lamp goes on burning at its least: off needs a relay. The output is read back
    every `period_ns`; one that lost its supply comes back at 0 V, and is told again (counter `corrections`).

    Emits LampStatus once, with the level the output had at start (None: no answer). Emits DeviceHealth when the module
    is silent, refuses, or does not keep a level that it was told twice; LampStatus tells the same as a failure.

    Args:
        name: e.g. ``"lamp-3"``.
        bus: 9600 baud as delivered.
        address: of the module, 1 as delivered; up to eight lamps share it.
        output: 1 to 8, as printed.
        variant: must be ``"B"``: only that one gives volts. InputError for any other.
        scale: level to millivolts.
        period_ns, stale_ns: see ModbusPart.
    """

    def __init__(
        self,
        name: str,
        bus: ModbusBus,
        *,
        address: int = ao8.FACTORY_ADDRESS,
        output: int,
        variant: str,
        scale: ao8.Scale | None = None,
        period_ns: int = 2 * NS_PER_S,
        stale_ns: int = 10 * NS_PER_S,
    ) -> None:
        ao8.check_variant(variant)
        self._register = ao8.register(output)
        super().__init__(name, bus, address, "waveshare-ao8", period_ns=period_ns, stale_ns=stale_ns)
        self.scale = scale or ao8.Scale()
        self.corrections = 0
        self._wanted_mv: int | None = None
        self._told_mv: int | None = None
        self._wrong = False
        self._found = False
        self.found_level: int | None = None
        self._emit = telling_failures(self._emit)

    def set_level(self, level: int, now_ns: int) -> None:
        """Go to arc power level 0 to 254, at once. The latest wins. Raises OutOfRange."""
        if not 0 <= level <= ao8.FULL:
            raise OutOfRange(self.name, now_ns, f"no level {level}; an arc power level is 0 to {ao8.FULL}")
        self._wanted_mv, self._told_mv, self._wrong = self.scale.mv[level], None, False
        self._bus.set_register(self.name, self._register, self._wanted_mv, now_ns)

    def _question(self, now_ns: int) -> tuple[str, tuple[int, ...]]:
        return "read_registers", (self._address, READ_HOLDING_REGISTERS, self._register, 1)

    def _was_set(self, done: Done) -> None:
        if done.ok and done.args[1] == self._wanted_mv:
            self._told_mv = self._wanted_mv
        elif done.refused:
            self._faulty(done.t_ns, done.reason)

    def _answered(self, done: Done) -> None:
        assert isinstance(done.result, list)
        mv = done.result[0]
        self._tell_found(mv, done.t_ns)
        wanted_mv = self._wanted_mv
        if wanted_mv is None or mv == wanted_mv:
            self._wrong = False
            self._heard(done.t_ns)
        elif self._told_mv != wanted_mv:  # still on its way, or refused
            self._bus.set_register(self.name, self._register, wanted_mv, done.t_ns)
        else:
            self.corrections += 1
            if self._wrong:
                self._faulty(done.t_ns, STUBBORN)
            else:
                self._heard(done.t_ns)
            self._wrong = True
            self._bus.set_register(self.name, self._register, wanted_mv, done.t_ns)

    def _failed(self, done: Done) -> None:
        self._tell_found(None, done.t_ns)

    def _tell_found(self, mv: int | None, t_ns: int) -> None:
        if not self._found:
            self._found = True
            self.found_level = None if mv is None else self.scale.level(mv)
            self._emit(LampStatus(t_ns, self.name, self.found_level))

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        return {**super().counters(), "corrections": self.corrections}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            **super().snapshot(),
            "wanted_mv": self._wanted_mv,
            "told_mv": self._told_mv,
            "wrong": self._wrong,
            "found": self._found,
            "found_level": self.found_level,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        self._wanted_mv, self._told_mv = state["wanted_mv"], state["told_mv"]
        self._wrong, self._found, self.found_level = state["wrong"], state["found"], state["found_level"]
