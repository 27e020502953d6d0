"""Leezenflow's own sensor (bCyber): M5 Atom Lite with SHT30, QMP6988 and ADS1115. USB serial 115200 8N1, no checksum.

One line of text every two seconds, `printf`'s ``"%2.0f,%2.0f,%2.0f,%d\\r\\n"``::

    temperature, 0.1 degC | humidity, % | pressure, Pa | voltage, mV, never negative

Source: bCyberGmbH/leezenflow-sensor, src/main.cpp; there is no other paper. A read of the SHT30 that failed is sent as
temperature 0 and humidity 0 (`failed`): a fault, not weather, for the air is never at 0 %. The README's example,
``2160,40,100182,1221``, would be 216 degrees: it does not come from this code (an earlier version printed ``21.6`` and
``12.21``). It is read as it stands and is not `plausible`. The README calls the last value a "battery current in mV";
the code sends the magnitude of what the ADS1115 reads, in mV. Not verified on hardware.

A line stands between two line ends and is all digits: any damage costs the whole line. Only the first line after the
start may have lost its head unnoticed.

Example: ``216,40,100182,1221`` is 21.6 degC, 40 %, 1001.82 hPa, 1.221 V.
"""

from __future__ import annotations

import re

import msgspec

MAX_LINE_BYTES = 48
"""With its end; the longest that the code can print in earnest has 30."""

_LINE = re.compile(rb" {0,1}(-?\d{1,5}), {0,1}(\d{1,5}), {0,1}(-?\d{1,8}),(\d{1,10})\r\n")
_DECIDEGC = (-400, 1250)  # SHT30, Sensirion's data sheet: -40 to 125 degC
_PA = (30_000, 110_000)  # QMP6988, QST's data sheet: 300 to 1100 hPa


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One line, in its own units: ``Reading(216, 40, 100182, 1221)``."""

    temperature_decidegc: int
    humidity_pct: int
    pressure_pa: int
    voltage_mv: int

    @property
    def failed(self) -> bool:
        """The SHT30 could not be read."""
        return self.temperature_decidegc == 0 and self.humidity_pct == 0

    @property
    def plausible(self) -> bool:
        """All three within what the SHT30 and the QMP6988 can measure."""
        return (
            _DECIDEGC[0] <= self.temperature_decidegc <= _DECIDEGC[1]
            and self.humidity_pct <= 100
            and _PA[0] <= self.pressure_pa <= _PA[1]
        )


def encode_reading(reading: Reading) -> bytes:
    """The far end's side: ``encode_reading(Reading(0, 0, 100182, 1221))`` is `` 0, 0,100182,1221`` and a line end."""
    return b"%2d,%2d,%2d,%d\r\n" % (
        reading.temperature_decidegc,
        reading.humidity_pct,
        reading.pressure_pa,
        reading.voltage_mv,
    )


class LeezenflowSensorStream:
    """Finds readings in a byte stream. Never raises, holds less than one line, counts what it skips."""

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self._pending = b""
        self._overlong = False

    @property
    def pending_bytes(self) -> int:
        """Bytes that may still become a line, up to MAX_LINE_BYTES."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[Reading]:
        """Readings of all lines that are complete with `data`."""
        readings = []
        *lines, rest = (self._pending + data).split(b"\n")
        for line in lines:
            found = None if self._overlong else _LINE.fullmatch(line + b"\n")
            self._overlong = False
            if found is None:
                self.skipped_bytes += len(line) + 1
            else:
                readings.append(Reading(*map(int, found.groups())))
        if len(rest) > MAX_LINE_BYTES or self._overlong:
            self.skipped_bytes += len(rest)
            self._overlong, rest = True, b""
        self._pending = rest
        return readings

    def finish(self) -> None:
        """The line has been cut: what waited for its end is skipped."""
        self.skipped_bytes += len(self._pending)
        self._pending, self._overlong = b"", False

    def snapshot(self) -> dict[str, object]:
        """State as JSON-able values."""
        return {"pending": self._pending.hex(), "overlong": self._overlong, "skipped_bytes": self.skipped_bytes}

    def restore(self, state: dict[str, object]) -> None:
        """Take over a snapshot."""
        self._pending, self._overlong = bytes.fromhex(str(state["pending"])), bool(state["overlong"])
        self.skipped_bytes = int(str(state["skipped_bytes"]))


def decode_events(data: bytes) -> tuple[list[dict[str, object]], int]:
    """For the command line: JSON-able events of a whole recording, and how many bytes were skipped."""
    stream = LeezenflowSensorStream()
    events = [_jsonable(reading) for reading in stream.feed(data)]
    stream.finish()
    return events, stream.skipped_bytes


def _jsonable(reading: Reading) -> dict[str, object]:
    power: dict[str, object] = {"pressure_pa": reading.pressure_pa, "voltage_mv": reading.voltage_mv}
    if reading.failed:
        return {"type": "failed_read", **power}
    return {
        "type": "climate",
        "temperature_degc": reading.temperature_decidegc / 10,
        "humidity_pct": reading.humidity_pct,
        **power,
        "plausible": reading.plausible,
    }
