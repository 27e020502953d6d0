"""Eastron SDM120, single-phase energy meter: registers of Modbus functions 3, 4 and 16.

Every value is a float (IEEE 754, 32 bits) in two registers, the high word first. Delivered with address 1, 2400 baud,
8N1::

    input (function 4)               holding (functions 3 and 16)
    0000 voltage, V                  0012 parity and stop bits
    0006 current, A                  0014 address
    000C active power, W             001C bit rate, see BAUDS
    0048 imported energy, kWh

Sources: the register map of the open drivers sdm_modbus 0.7.0 and ESPHome's sdm_meter. A holding register is written
while the meter shows -SET- (its button held for 3 s), and what is written takes effect when it is switched on again.

Rounding: what a float means is exact; thousandths of it are rounded to the nearest whole, halves away from zero. So
231.4 V, of which the nearest float is 231.39999389..., are 231400 mV on every machine.

Verified: the worked frames of voltage and energy, checked by computing their CRC.
Example: ``01 04 00 00 00 02 71 CB`` asks for the voltage; ``01 04 04 43 67 66 66 F4 55`` says 231.4 V.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from drivers.codecs.modbus_rtu import READ_INPUT_REGISTERS, Transaction, read, write_many

VOLTAGE, CURRENT, POWER, IMPORTED = 0x0000, 0x0006, 0x000C, 0x0048
LINE, ADDRESS, BAUD = 0x0012, 0x0014, 0x001C
FACTORY_ADDRESS: Final = 1
BAUDS: Final = {0: 2_400, 1: 4_800, 2: 9_600}
"""Code of holding register 001C, as a float, to bit/s: all that other manuals of the family and this part share."""

_MILLI, _MICRO = 1_000, 1_000_000


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What the meter measures: ``Reading(231400, 520, 118000, 12345000)``."""

    voltage_mv: int
    current_ma: int
    power_mw: int
    energy_mwh: int


def ask_power(address: int) -> Transaction:
    """Voltage, current and power in one: registers 0000 to 000D."""
    return read(address, VOLTAGE, POWER + 2, READ_INPUT_REGISTERS)


def ask_energy(address: int) -> Transaction:
    """Imported energy: ``ask_energy(1)`` is 01 04 00 48 00 02 F1 DD."""
    return read(address, IMPORTED, 2, READ_INPUT_REGISTERS)


def parse_reading(power: tuple[int, ...] | list[int], energy: tuple[int, ...] | list[int]) -> Reading:
    """What both brought. Raises ValueError: a value that is no number (NaN, infinite)."""
    return Reading(
        voltage_mv=scaled(power[VOLTAGE], power[VOLTAGE + 1], _MILLI),
        current_ma=scaled(power[CURRENT], power[CURRENT + 1], _MILLI),
        power_mw=scaled(power[POWER], power[POWER + 1], _MILLI),
        energy_mwh=scaled(energy[0], energy[1], _MICRO),
    )


def describe(start: int, registers: tuple[int, ...]) -> dict[str, object]:
    """Input registers by name: ``describe(0, (0x4367, 0x6666)) == {"voltage_mv": 231400}``; None for no number."""
    found: dict[str, object] = {}
    for number, (name, factor) in _NAMES.items():
        if start <= number < start + len(registers) - 1:
            try:
                found[name] = scaled(registers[number - start], registers[number - start + 1], factor)
            except ValueError:
                found[name] = None
    return found


_NAMES: Final = {
    VOLTAGE: ("voltage_mv", _MILLI),
    CURRENT: ("current_ma", _MILLI),
    POWER: ("power_mw", _MILLI),
    IMPORTED: ("energy_mwh", _MICRO),
}


def scaled(high: int, low: int, factor: int) -> int:
    """A float of two registers times a whole `factor`, rounded to the nearest whole, halves away from zero.

    ``scaled(0x4367, 0x6666, 1000) == 231400``. Raises ValueError for NaN and the infinite.
    """
    bits = high << 16 | low
    exponent, fraction = bits >> 23 & 0xFF, bits & 0x7FFFFF
    if exponent == 0xFF:
        raise ValueError(f"{high:04x} {low:04x} is no number")
    mantissa, shift = (fraction | 0x800000, exponent - 150) if exponent else (fraction, -149)
    size = mantissa * factor << shift if shift >= 0 else ((mantissa * factor << 1 >> -shift) + 1) >> 1
    return -size if bits >> 31 else size


def words(value: float) -> tuple[int, int]:
    """The two registers of the float nearest to `value`: ``words(231.4) == (0x4367, 0x6666)``."""
    high, low = struct.unpack(">HH", struct.pack(">f", value))
    return high, low


def write_setting(address: int, register: int, value: int) -> Transaction:
    """Write a holding register: ``write_setting(1, BAUD, 2)`` is 01 10 00 1C 00 02 04 40 00 00 00 E7 36."""
    return write_many(address, register, words(value))


def read_setting(address: int, register: int) -> Transaction:
    """Read it back."""
    return read(address, register, 2)
