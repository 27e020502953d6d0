"""Bosch BME280: where its raw values and trimming stand. The compensation is Adafruit's driver's (drivers.devices).

Registers (Bosch, BST-BME280-DS002, tables 16 and 18)::

    88 .. 9F   T1 u16 | T2 T3 i16 | P1 u16 | P2 .. P9 i16        little endian
    A1         H1 u8
    E1 .. E7   H2 i16 | H3 u8 | H4 i12 | H5 i12 | H6 i8          E4 has H4[11:4], E5 H5[3:0] H4[3:0], E6 H5[11:4]
    D0         chip id, 60
    F2 F4 F5   humidity oversampling; temperature, pressure, mode; standby, filter
    F7 F8 F9   pressure,    20 bits from the left
    FA FB FC   temperature, 20 bits from the left
    FD FE      humidity,    16 bits

Before the first conversion, and where a measurement is switched off, the raw values are 80000 and 8000. A part that
lost its supply is asleep and says so in this way.

Verified by Bosch's example as the compensation of Adafruit's driver 2.6.32 gives it: adc_T 519888 and adc_P 415148 are
25.08 degC and 1006.53 hPa. The order of trimming was held against that driver's reading. No recording.
"""

from __future__ import annotations

import struct
from typing import Final

CHIP_ID: Final = 0x60
REG_ID: Final = 0xD0
REG_RESET: Final = 0xE0
REG_CTRL_HUM: Final = 0xF2
REG_STATUS: Final = 0xF3
REG_CTRL_MEAS: Final = 0xF4
REG_CONFIG: Final = 0xF5
REG_PRESSURE: Final = 0xF7
REG_TEMPERATURE: Final = 0xFA
REG_HUMIDITY: Final = 0xFD
RESET: Final = 0xB6
MODE_NORMAL: Final = 0x03
STANDBY_1000_MS: Final = 0x05 << 5
"""In CONFIG: a second from conversion to conversion."""

UNMEASURED: Final = (0x80000, 0x80000, 0x8000)
"""Raw temperature, pressure and humidity where there was no conversion."""

BOSCH_T: Final = (27504, 26435, -1000)
BOSCH_P: Final = (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
BOSCH_ADC_T: Final = 519888
BOSCH_ADC_P: Final = 415148
"""Bosch's worked example: trimming, raw values."""

# Operating range, table 1: what lies outside was not measured.
LOW_MDEGC, HIGH_MDEGC = -40_000, 85_000
LOW_PA, HIGH_PA = 30_000, 110_000
HIGH_PPT = 1000


def trimming(t: tuple[int, ...], p: tuple[int, ...], h: tuple[int, int, int, int, int, int]) -> dict[int, bytes]:
    """The far end's side: register to bytes for T1..T3, P1..P9, H1..H6. Raises struct.error: a value does not fit."""
    h1, h2, h3, h4, h5, h6 = h
    split = bytes((h4 >> 4 & 0xFF, (h5 & 0x0F) << 4 | (h4 & 0x0F), h5 >> 4 & 0xFF))
    return {
        0x88: struct.pack("<HhhHhhhhhhhh", *t, *p),
        0xA1: struct.pack("<B", h1),
        0xE1: struct.pack("<hB", h2, h3) + split + struct.pack("<b", h6),
    }


def read_trimming(low: bytes, h1: int, high: bytes) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """T1..T3, P1..P9, H1..H6 of 24 bytes from 88, the byte at A1, 7 bytes from E1. Raises struct.error: a length."""
    words = struct.unpack("<HhhHhhhhhhhh", low)
    h2, h3, high4, mixed, high5, h6 = struct.unpack("<hBbBbb", high)
    return words[:3], words[3:], (h1, h2, h3, high4 << 4 | (mixed & 0x0F), high5 << 4 | mixed >> 4, h6)


def measured(adc_t: int, adc_p: int, adc_h: int) -> bytes:
    """The far end's side: the eight bytes from F7 on. Raises ValueError: more than 20, 20 and 16 bits."""
    if not (0 <= adc_t < 1 << 20 and 0 <= adc_p < 1 << 20 and 0 <= adc_h < 1 << 16):
        raise ValueError(f"raw values {adc_t}, {adc_p}, {adc_h} do not fit 20, 20 and 16 bits")
    return (adc_p << 4).to_bytes(3, "big") + (adc_t << 4).to_bytes(3, "big") + adc_h.to_bytes(2, "big")


def raw_values(data: bytes) -> tuple[int, int, int]:
    """Raw temperature, pressure and humidity of the eight bytes from F7 on: ``(519888, 415148, 30000)``."""
    return int.from_bytes(data[3:6], "big") >> 4, int.from_bytes(data[:3], "big") >> 4, int.from_bytes(data[6:8], "big")


def out_of_range(temperature_mdegc: int, humidity_ppt: int, pressure_pa: int) -> str:
    """Which value the part cannot mean, in words; empty for none."""
    if not LOW_MDEGC <= temperature_mdegc <= HIGH_MDEGC:
        return f"temperature of {temperature_mdegc} thousandths of a degree is out of the part's range"
    if not LOW_PA <= pressure_pa <= HIGH_PA:
        return f"pressure of {pressure_pa} Pa is out of the part's range"
    if not 0 <= humidity_ppt <= HIGH_PPT:
        return f"humidity of {humidity_ppt} per mille is out of the part's range"
    return ""
