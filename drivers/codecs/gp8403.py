"""Guestgood GP8403: two 0-10 V outputs of 12 bits. I2C address 58 to 5F. Written only.

::

    write   01 | range                     00: 0 to 5 V, 11: 0 to 10 V, both outputs
    write   02 | low, high [low, high]     output 0, and output 1 behind it
    write   04 | low, high                 output 1
                 counts 0 to 4095 from the left: (counts << 4), low byte first

50 % is ``02 F0 7F``. Range and levels are lost without power, unless they were stored, which this codec never does.
The paper in hand (a translation of the data sheet) names no reading; so what the part holds cannot be asked.

Verified against two open drivers (ESPHome, DFRobot). No vendor frame, no recording.
"""

from __future__ import annotations

from typing import Final

from drivers.transfers import Request

ADDRESSES: Final = range(0x58, 0x60)
FULL: Final = 4095
CHANNELS: Final = 2

REG_RANGE: Final = 0x01
REG_CHANNEL: Final = (0x02, 0x04)
RANGE_MV: Final = {0x00: 5_000, 0x11: 10_000}
_RANGE: Final = {mv: code for code, mv in RANGE_MV.items()}


def set_range(address: int, range_mv: int) -> Request:
    """Both outputs to 5000 or 10000 mV at full scale. Raises ValueError for others."""
    if range_mv not in _RANGE:
        raise ValueError(f"a GP8403 has ranges of 5000 and 10000 mV, not {range_mv}")
    return Request(address, bytes((REG_RANGE, _RANGE[range_mv])))


def set_output(address: int, channel: int, counts: int) -> Request:
    """One output, 0 or 1, to `counts` 0 to 4095: ``set_output(0x58, 0, 2047).data == bytes.fromhex("02 F0 7F")``.

    Raises ValueError.
    """
    if channel not in range(CHANNELS) or not 0 <= counts <= FULL:
        raise ValueError(f"a GP8403 has no output {channel} with {counts} counts; 0 and 1, 0 to {FULL}")
    return Request(address, bytes((REG_CHANNEL[channel],)) + (counts << 4).to_bytes(2, "little"))


def written(data: bytes) -> tuple[int | None, dict[int, int]]:
    """The far end's side: (range in mV, counts by output) of what was written; (None, {}) where it means nothing."""
    if len(data) == 2 and data[0] == REG_RANGE and data[1] in RANGE_MV:
        return RANGE_MV[data[1]], {}
    outputs = {}
    if len(data) >= 3 and len(data) % 2 and data[0] in REG_CHANNEL:
        first = REG_CHANNEL.index(data[0])
        for at in range(1, len(data), 2):
            channel = first + at // 2
            if channel < CHANNELS:
                outputs[channel] = int.from_bytes(data[at : at + 2], "little") >> 4
    return None, outputs
