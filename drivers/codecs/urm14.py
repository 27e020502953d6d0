"""DFRobot URM14 (SEN0358) and its kin, ultrasonic range on RS485: registers of Modbus functions 3 and 6.

Source: DFRobot's wiki page of the part (register table). Delivered with address 12 (0x0C), 19200 baud, 8N1::

    00 part id: 2       03 bit rate, see BAUDS       06 onboard temperature, 0.1 degree Celsius, signed
    01 version          04 parity, stop bits         07 external temperature, 0.1 degree Celsius, signed, written
    02 address          05 distance, 0.1 mm;         08 control, see below
                           FFFF: nothing in range    09 noise

    control   bit 0  temperature for the speed of sound: 0 onboard, 1 register 07
              bit 1  0: distance corrected by temperature, 1: not
              bit 2  1: measures when told (passive), 0: all the time
              bit 3  measure now                     as delivered: 0004

Registers 02 to 04 are kept without power and take effect when the part is switched on again. A part that is told to
measure has done so 65 ms later. URM15, URM13 and URM12 have the same registers, see KIN.

Verified: the worked frames of trigger, read and reply (1234.5 mm), checked by computing their CRC.
Example: ``0C 06 00 08 00 0C 09 10`` makes it measure; ``0C 03 02 30 39 41 97`` says 1234.5 mm.
"""

from __future__ import annotations

from typing import Final

import msgspec

from drivers.codecs.modbus_rtu import Transaction, read, write
from drivers.units import NS_PER_MS

PART_ID, VERSION, ADDRESS, BAUD, LINE, DISTANCE, ONBOARD, EXTERNAL, CONTROL, NOISE = range(10)
NO_DISTANCE: Final = 0xFFFF
MEASURE_NS: Final = 65 * NS_PER_MS
EXTERNAL_TEMPERATURE, UNCORRECTED, PASSIVE, TRIGGER = 1, 2, 4, 8

BAUDS: Final = {1: 2_400, 3: 9_600, 4: 14_400, 5: 19_200, 6: 38_400, 7: 57_600, 8: 115_200}
"""Code of register 03 to bit/s. Other codes are 115200 as well."""

COLDEST_MDEGC: Final = -40_000
HOTTEST_MDEGC: Final = 85_000


class Kin(msgspec.Struct, frozen=True):
    """A part with these registers: its id, its address as delivered, and what one step of distance is, in 0.1 mm."""

    part_id: int
    address: int
    step_tenth_mm: int


KIN: Final = {
    "urm14": Kin(2, 0x0C, 1),
    "urm15": Kin(5, 0x0F, 10),
    "urm12": Kin(1, 0x0B, 100),
}
"""URM15 is SEN0519, URM12 SEN0310. URM13 (SEN0352: id 3, address 13) is left out: its step was not found on paper."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """Registers 05 to 08: ``Reading(12345, 215, 0, 4)`` is 1234.5 mm at 21.5 degrees. `distance` None: no object."""

    distance: int | None
    onboard_tenth_degc: int
    external_tenth_degc: int
    control: int


def who_are_you(address: int) -> Transaction:
    """Part id, version, address, bit rate, parity and stop bits."""
    return read(address, PART_ID, 5)


def trigger(address: int, control: int = PASSIVE) -> Transaction:
    """Measure now; `control` is what the register holds else: ``trigger(12)`` is 0C 06 00 08 00 0C 09 10."""
    return write(address, CONTROL, control | TRIGGER)


def read_measured(address: int) -> Transaction:
    """Distance, both temperatures and control in one: what it says, and whether it is still set as it was told."""
    return read(address, DISTANCE, 4)


def parse_measured(registers: tuple[int, ...] | list[int]) -> Reading:
    """What `read_measured` brought. Raises ValueError: not four registers."""
    distance, onboard, external, control = registers
    return Reading(
        None if distance == NO_DISTANCE else distance, _signed(onboard), _signed(external), control & ~TRIGGER
    )


def encode_measured(reading: Reading) -> tuple[int, ...]:
    """The far end's side of `parse_measured`."""
    return (
        NO_DISTANCE if reading.distance is None else reading.distance,
        reading.onboard_tenth_degc & 0xFFFF,
        reading.external_tenth_degc & 0xFFFF,
        reading.control,
    )


def describe(start: int, registers: tuple[int, ...]) -> dict[str, object]:
    """Registers by name: ``describe(5, (12345,)) == {"distance_tenth_mm": 12345}``; None for nothing in range."""
    found: dict[str, object] = {}
    for number, value in enumerate(registers, start):
        if number < len(_NAMES):
            shown = _signed(value) if number in (ONBOARD, EXTERNAL) else value
            found[_NAMES[number]] = None if number == DISTANCE and value == NO_DISTANCE else shown
    return found


_NAMES: Final = (
    "part_id",
    "version",
    "address",
    "baud_code",
    "line_code",
    "distance_tenth_mm",
    "onboard_tenth_degc",
    "external_tenth_degc",
    "control",
    "noise",
)


def distance_mm(steps: int, kin: Kin = KIN["urm14"]) -> int:
    """Whole millimetres, halves up: ``distance_mm(12345) == 1235``."""
    return (steps * kin.step_tenth_mm + 5) // 10


def temperature_register(mdegc: int) -> int:
    """Register 07 for an air temperature in thousandths of a degree, rounded to 0.1 degree, halves up.

    ``temperature_register(-5250) == 0xFFCC`` (-5.2). Raises ValueError: not -40 to 85 degrees Celsius.
    """
    if not COLDEST_MDEGC <= mdegc <= HOTTEST_MDEGC:
        raise ValueError(f"{mdegc} thousandths of a degree Celsius are no air temperature")
    return (mdegc + 50) // 100 & 0xFFFF


def _signed(word: int) -> int:
    return word - 0x10000 if word & 0x8000 else word
