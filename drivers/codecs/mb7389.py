"""MaxBotix HRXL-MaxSonar-WR (MB7360 to MB7395, here the MB7389): ultrasonic ranging. UART 9600 8N1, no checksum.

Frame (MaxBotix, HRXL-MaxSonar-WR data sheet PD11500: pin 5, six or seven frames a second)::

    'R' | four digits, mm | CR          52 31 32 33 34 0D is 1234 mm

MB738x and MB739x send TTL levels, MB736x and MB737x RS232 levels. A part for 5 m says 5000 when nothing is in range, a
part for 10 m says 9999; whatever is nearer than 300 mm (some parts: 500 mm) is reported as that. The older XL parts
(MB70xx) send three digits of centimetres, ``R123`` CR: `centimetres`. Stray FF between frames is usual and skipped.
Verified by the worked frame; no recording and no part of our own.
"""

from __future__ import annotations

import re

import msgspec

NO_TARGET_MM = 5000
"""What a part for 5 m says when nothing is in range."""

NO_TARGET_10M_MM = 9999
"""What a part for 10 m says then."""

NEAREST_MM = 300
"""What most parts say of anything nearer."""

_R, _CR = 0x52, 0x0D
_OPEN = {4: re.compile(rb"R\d{0,4}\Z"), 3: re.compile(rb"R\d{0,3}\Z")}
_FRAME = {4: re.compile(rb"R(\d{4})\r"), 3: re.compile(rb"R(\d{3})\r")}


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One frame, 0 to 9999 mm: ``Reading(1234)``. Also what stands for no target."""

    distance_mm: int


def encode_reading(reading: Reading, *, centimetres: bool = False) -> bytes:
    """The far end's side: ``encode_reading(Reading(1234))`` is ``R1234`` CR. Raises ValueError outside 0 to 9999 mm."""
    if not 0 <= reading.distance_mm <= 9999:
        raise ValueError(f"{reading.distance_mm} mm; a frame carries 0 to 9999")
    return b"R%03d\r" % (reading.distance_mm // 10) if centimetres else b"R%04d\r" % reading.distance_mm


class Mb7389Stream:
    """Finds frames in a byte stream. Never raises, holds less than one frame, counts what it skips.

    Args:
        centimetres: three digits of centimetres, as the XL parts send.
    """

    def __init__(self, *, centimetres: bool = False) -> None:
        self.skipped_bytes = 0
        self._pending = b""
        digits = 3 if centimetres else 4
        self._frame, self._open = _FRAME[digits], _OPEN[digits]
        self._size, self._unit_mm = digits + 2, 10 if centimetres else 1

    @property
    def pending_bytes(self) -> int:
        """Bytes that may still become a frame, below 6."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[Reading]:
        """Readings of all frames that are complete with `data`."""
        if not self._pending and len(data) == self._size and data[0] == _R and data[-1] == _CR:
            digits = data[1:-1]
            if digits.isdigit():
                return [Reading(int(digits) * self._unit_mm)]
        data = self._pending + data
        readings = []
        done = 0
        for match in self._frame.finditer(data):
            readings.append(Reading(int(match[1]) * self._unit_mm))
            self.skipped_bytes += match.start() - done
            done = match.end()
        waiting = self._open.search(data, done)
        kept = waiting.start() if waiting else len(data)
        self.skipped_bytes += kept - done
        self._pending = data[kept:]
        return readings

    def finish(self) -> None:
        """The stream has ended: what waited for its end is skipped."""
        self.skipped_bytes += len(self._pending)
        self._pending = b""

    def snapshot(self) -> dict[str, object]:
        """State as JSON-able values."""
        return {"pending": self._pending.hex(), "skipped_bytes": self.skipped_bytes}

    def restore(self, state: dict[str, object]) -> None:
        """Take over a snapshot."""
        self._pending = bytes.fromhex(str(state["pending"]))
        self.skipped_bytes = int(str(state["skipped_bytes"]))


def decode_events(data: bytes) -> tuple[list[dict[str, object]], int]:
    """For the command line: JSON-able events of a whole recording, and how many bytes were skipped."""
    stream = Mb7389Stream()
    events = [_jsonable(reading.distance_mm) for reading in stream.feed(data)]
    stream.finish()
    return events, stream.skipped_bytes


def _jsonable(distance_mm: int) -> dict[str, object]:
    if distance_mm in (NO_TARGET_MM, NO_TARGET_10M_MM):
        return {"type": "no_target", "raw_mm": distance_mm}
    return {"type": "range", "distance_mm": distance_mm}
