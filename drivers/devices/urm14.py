"""A URM14 with a name: range by ultrasound, on a Modbus bus."""

from __future__ import annotations

from typing import Any, Final

from drivers.buses.modbus import ModbusBus
from drivers.buses.modbus_jobs import Done
from drivers.codecs import urm14
from drivers.devices.modbus_part import ModbusPart
from drivers.quantities import Range
from drivers.units import NS_PER_MS, NS_PER_S

CONFIGURE: Final = "urm14_configure"
MEASURE: Final = "urm14_measure"
FORGETS: Final = "forgets its settings; does it lose its supply?"


class Urm14(ModbusPart):
    """A URM14, or one of its kin. Configured at its start, and again whenever it was silent or has lost its settings.

    Emits a Range for every measurement: whole millimetres, None for nothing in range. Emits DeviceHealth when it is
    silent, refuses, is another part, loses or does not keep its settings, or says the very same for `frozen_ns`.
    Every answer also holds its settings; a measurement made with others is dropped and counted (`forgets`).

    It corrects the distance by the temperature of its own sensor, and from the first `set_air` on by that of the air:
    before, its register for it would say 0 degrees, which is 3.5 % wrong at 20.

    Args:
        name: e.g. ``"bay-3"``.
        bus: at the part's bit rate, 19200 as delivered.
        address: 12 as delivered.
        kin: which of the family, see urm14.KIN.
        period_ns: how often it measures.
        passive: measure when asked; False: all the time (several of them in earshot disturb each other).
        stale_ns, frozen_ns: see ModbusPart.
    """

    def __init__(
        self,
        name: str,
        bus: ModbusBus,
        *,
        address: int = urm14.KIN["urm14"].address,
        kin: str = "urm14",
        period_ns: int = 500 * NS_PER_MS,
        passive: bool = True,
        stale_ns: int = 3 * NS_PER_S,
        frozen_ns: int = 3_600 * NS_PER_S,
    ) -> None:
        super().__init__(name, bus, address, kin, period_ns=period_ns, stale_ns=stale_ns, frozen_ns=frozen_ns)
        self.forgets = 0
        self._kin = urm14.KIN[kin]
        self._mode = urm14.PASSIVE if passive else 0
        self._air_register: int | None = None
        self._air_written = False
        self._ready = False

    @property
    def control(self) -> int:
        """What its control register shall hold."""
        return self._mode | (urm14.EXTERNAL_TEMPERATURE if self._air_register is not None else 0)

    def set_air(self, air_mdegc: int | None) -> None:
        """The air's temperature, thousandths of a degree Celsius; it goes out before the next measurement.

        What is no temperature of air (None, or not -40 to 85 degrees) changes nothing.
        """
        if air_mdegc is None or not urm14.COLDEST_MDEGC <= air_mdegc <= urm14.HOTTEST_MDEGC:
            return
        register = urm14.temperature_register(air_mdegc)
        if register != self._air_register:
            if self._air_register is None:
                self._ready = False  # its control has to say so
            self._air_register, self._air_written = register, False

    def _question(self, now_ns: int) -> tuple[str, tuple[int, ...]]:
        if self._air_register is not None and not self._air_written:
            self._air_written = True
            self._bus.set_register(self.name, urm14.EXTERNAL, self._air_register, now_ns)
        if self._ready:
            return MEASURE, (self._address, self.control)
        return CONFIGURE, (self._address, self._kin.part_id, self.control)

    def _answered(self, done: Done) -> None:
        t_ns = done.t_ns
        if done.procedure == CONFIGURE:
            self._ready = done.args[2] == self.control  # else the air came meanwhile
            self._heard(t_ns)
            self._ask_at_once(t_ns)
            return
        assert isinstance(done.result, list)
        said = urm14.parse_measured(done.result)
        if said.control != done.args[1]:
            self.forgets += 1
            self._ready = False
            self._faulty(t_ns, FORGETS)
            return
        if said.external_tenth_degc & 0xFFFF != self._air_register:
            self._air_written = False
        self._heard(t_ns, said.distance)
        mm = None if said.distance is None else urm14.distance_mm(said.distance, self._kin)
        self._emit(Range(t_ns, self.name, mm))

    def _failed(self, done: Done) -> None:
        self._ready = False  # whoever was away may have been switched off

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        return {**super().counters(), "forgets": self.forgets}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {**super().snapshot(), **{name: getattr(self, f"_{name}") for name in _STATE}}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        for name in _STATE:
            setattr(self, f"_{name}", state[name])


_STATE: Final = ("air_register", "air_written", "ready")
