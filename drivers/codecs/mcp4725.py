"""Microchip MCP4725: one output of 12 bits, zero to its supply. I2C address 60 to 67.

::

    write   0000 D11..D8 | D7..D0                  fast: output only, power-down bits 00
    write   40 | D11..D4 | D3..D0 0000             output only (60 in place of 40: EEPROM as well)
    read    R P ... . PD1 PD0 . | D11..D4 | D3..D0 ....  | . PD1 PD0 . D11..D8 | D7..D0
            1 ready (EEPROM idle), 1 powered        output             EEPROM

At power-on the output takes what stands in the EEPROM; its memory wears out, so this codec never writes it.

Source: Microchip DS22039D, 6.1 and figures 6-1 to 6-3. Verified against the frames there; no recording.
"""

from __future__ import annotations

from typing import Final

import msgspec

from drivers.transfers import Request

ADDRESSES: Final = range(0x60, 0x68)
FULL: Final = 4095
READ_BYTES: Final = 5
_DAC, _DAC_AND_EEPROM = 0x40, 0x60


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What the part holds: counts 0 to 4095, power-down bits 0 (on) to 3, and the same for its EEPROM."""

    counts: int
    power_down: int
    eeprom_counts: int
    eeprom_power_down: int = 0
    ready: bool = True
    powered: bool = True

    @property
    def output_counts(self) -> int:
        """What its output shows: nothing while it is powered down."""
        return 0 if self.power_down else self.counts


def fast_write(address: int, counts: int) -> Request:
    """The output to `counts`, 0 to 4095, in two bytes: ``fast_write(0x60, 2048).data == b"\\x08\\x00"``.

    Raises ValueError.
    """
    return Request(address, _checked(counts).to_bytes(2, "big"))


def long_write(address: int, counts: int) -> Request:
    """The same in three bytes: ``40 80 00`` for 2048. Raises ValueError."""
    return Request(address, bytes((_DAC,)) + (_checked(counts) << 4).to_bytes(2, "big"))


def read(address: int) -> Request:
    """Asks what it holds."""
    return Request(address, b"", READ_BYTES)


def decode(data: bytes) -> Reading:
    """Of the five bytes read. Raises ValueError for another number of bytes."""
    if len(data) != READ_BYTES:
        raise ValueError(f"an MCP4725 says {READ_BYTES} bytes, not {len(data)}")
    return Reading(
        counts=int.from_bytes(data[1:3], "big") >> 4,
        power_down=data[0] >> 1 & 3,
        eeprom_counts=int.from_bytes(data[3:5], "big") & FULL,
        eeprom_power_down=data[3] >> 5 & 3,
        ready=bool(data[0] & 0x80),
        powered=bool(data[0] & 0x40),
    )


def encode(reading: Reading) -> bytes:
    """The far end's side: the five bytes."""
    head = reading.ready << 7 | reading.powered << 6 | reading.power_down << 1
    memory = reading.eeprom_power_down << 13 | reading.eeprom_counts
    return bytes((head,)) + (reading.counts << 4).to_bytes(2, "big") + memory.to_bytes(2, "big")


def written(data: bytes) -> tuple[int, int, bool] | None:
    """The far end's side: (counts, power-down bits, also into the EEPROM) of what was written; None for nothing."""
    if len(data) == 2 and not data[0] & 0xC0:
        return int.from_bytes(data, "big") & FULL, data[0] >> 4 & 3, False
    if len(data) == 3 and data[0] & 0xE0 in (_DAC, _DAC_AND_EEPROM):
        return int.from_bytes(data[1:3], "big") >> 4, data[0] >> 1 & 3, data[0] & 0xE0 == _DAC_AND_EEPROM
    return None


def _checked(counts: int) -> int:
    if not 0 <= counts <= FULL:
        raise ValueError(f"{counts} counts; an MCP4725 has 0 to {FULL}")
    return counts
