"""A URM14 with a name: range by ultrasound, on a Modbus bus."""

from __future__ import annotations

from typing import Any, Final

from drivers.buses.modbus import ModbusBus
from drivers.buses.modbus_jobs import Done
from drivers.codecs import urm14
from drivers.devices.modbus_part import ModbusPart
from drivers.errors import OutOfRange
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

    With `air` it corrects the distance by the temperature that `set_air` gives it, and by its own sensor until the
    first one has come: as delivered it would take the air for 0 degrees, 3.5 % wrong at 20.

    Args:
        name: e.g. ``"bay-3"``.
        bus: at the part's bit rate, 19200 as delivered.
        address: 12 as delivered.
        kin: which of the family, see urm14.KIN.
        period_ns: how often it measures.
        passive: measure when asked; False: all the time (several of them in earshot disturb each other).
        air: temperature from outside.
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
        air: bool = False,
        stale_ns: int = 3 * NS_PER_S,
        frozen_ns: int = 3_600 * NS_PER_S,
    ) -> None:
        super().__init__(name, bus, address, kin, period_ns=period_ns, stale_ns=stale_ns, frozen_ns=frozen_ns)
        self.forgets = 0
        self._kin = urm14.KIN[kin]
        self._mode, self._air = urm14.PASSIVE if passive else 0, air
        self._air_register: int | None = None
        self._ready = False

    @property
    def control(self) -> int:
        """What its control register shall hold."""
        return self._mode | (urm14.EXTERNAL_TEMPERATURE if self._air_register is not None else 0)

    def set_air(self, mdegc: int, now_ns: int) -> None:
        """The air's temperature, thousandths of a degree Celsius; for parts made with `air`, others take no notice.

        Raises OutOfRange: not -40 to 85 degrees.
        """
        try:
            register = urm14.temperature_register(mdegc)
        except ValueError as error:
            raise OutOfRange(self.name, now_ns, str(error)) from None
        if self._air and register != self._air_register:
            if self._air_register is None:
                self._ready = False
            self._air_register = register
            self._bus.set_register(self.name, urm14.EXTERNAL, register, now_ns)

    def _question(self) -> tuple[str, tuple[int, ...]]:
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
            self._ask_at_once(t_ns)
            return
        if self._air_register is not None and said.external_tenth_degc & 0xFFFF != self._air_register:
            self._bus.set_register(self.name, urm14.EXTERNAL, self._air_register, t_ns)
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
        return {**super().snapshot(), "air_register": self._air_register, "ready": self._ready}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        self._air_register, self._ready = state["air_register"], state["ready"]
