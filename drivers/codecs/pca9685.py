"""NXP PCA9685: sixteen PWM outputs of 12 bits, one frequency. I2C address 40 to 6F by its pins (70 is the call to
all, above are reserved ones).

::

    00   MODE1      80 restart, 40 external clock, 20 auto-increment, 10 sleep, 01 answers to all-call (70)
    01   MODE2      04 totem pole, 10 inverted
    06 + 4 n        ON low, ON high, OFF low, OFF high of output n: 12 bits each; bit 4 of a high byte: fully on or off
    FE   PRESCALE   round(25 MHz / (4096 * frequency)) - 1, 03 to FF; written only while asleep

Fully off wins over fully on. Frequency: 10 (sleep) | FE: prescale | 20 (awake, auto-increment) | 500 us for the
oscillator | A0 (restart). 1000 Hz is prescale 05, which gives 1017 Hz. After power-on MODE1 is 11 (asleep) and PRESCALE
1E (200 Hz).

Source: NXP PCA9685 data sheet rev. 3, 7.3.1 to 7.3.5. Verified against the register tables there; no recording.
"""

from __future__ import annotations

from typing import Final

from drivers.transfers import Request

ADDRESSES: Final = range(0x40, 0x70)
CHANNELS: Final = 16
FULL: Final = 4096
"""Counts of a period; a whole one is fully on."""

REG_MODE1: Final = 0x00
REG_LED0: Final = 0x06
REG_PRESCALE: Final = 0xFE
RESTART: Final = 0x80
AUTO_INCREMENT: Final = 0x20
SLEEP: Final = 0x10
OSCILLATOR_HZ: Final = 25_000_000
OSCILLATOR_START_NS: Final = 500_000
_WHOLE = 0x1000


def prescale_for(frequency_hz: int) -> int:
    """PRESCALE for a PWM frequency of 24 to 1526 Hz: ``prescale_for(1000) == 5``. Raises ValueError for others."""
    if not 24 <= frequency_hz <= 1526:
        raise ValueError(f"a PCA9685 has 24 to 1526 Hz, not {frequency_hz}")
    return (2 * OSCILLATOR_HZ + 4096 * frequency_hz) // (2 * 4096 * frequency_hz) - 1


def read_mode(address: int) -> Request:
    """Asks for MODE1."""
    return Request(address, bytes((REG_MODE1,)), 1)


def read_prescale(address: int) -> Request:
    """Asks for PRESCALE."""
    return Request(address, bytes((REG_PRESCALE,)), 1)


def write_mode(address: int, mode: int) -> Request:
    """MODE1, e.g. ``AUTO_INCREMENT``."""
    return Request(address, bytes((REG_MODE1, mode)))


def write_prescale(address: int, prescale: int) -> Request:
    """PRESCALE, 3 to 255; acts only while asleep. Raises ValueError."""
    if not 3 <= prescale <= 255:
        raise ValueError(f"prescale {prescale} is not 3 to 255")
    return Request(address, bytes((REG_PRESCALE, prescale)))


def set_output(address: int, channel: int, counts: int) -> Request:
    """Output 0 to 15 to `counts` of a period, 0 (off) to 4096 (fully on). Needs auto-increment. Raises ValueError.

    Example: ``set_output(0x40, 0, 4096).data == bytes.fromhex("06 00 10 00 00")``.
    """
    if channel not in range(CHANNELS) or not 0 <= counts <= FULL:
        raise ValueError(f"a PCA9685 has no output {channel} with {counts} counts; 0 to 15, 0 to {FULL}")
    return Request(address, bytes((REG_LED0 + 4 * channel,)) + encode_output(counts))


def encode_output(counts: int) -> bytes:
    """The four registers of an output: on from 0, off at `counts`."""
    on, off = (_WHOLE, 0) if counts == FULL else (0, counts or _WHOLE)
    return on.to_bytes(2, "little") + off.to_bytes(2, "little")


def read_outputs(address: int) -> Request:
    """Asks for all outputs. Needs auto-increment."""
    return Request(address, bytes((REG_LED0,)), 4 * CHANNELS)


def decode_outputs(data: bytes) -> list[int]:
    """Counts 0 to 4096 of each output, from four bytes each."""
    found = []
    for at in range(0, len(data) - 3, 4):
        on, off = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 2 : at + 4], "little")
        if off & _WHOLE:
            found.append(0)
        elif on & _WHOLE:
            found.append(FULL)
        else:
            found.append((off - on) & 0x0FFF)
    return found
