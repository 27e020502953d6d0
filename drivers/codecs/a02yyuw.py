"""A02YYUW, A01NYUB, JSN-SR04T (serial mode) and their kin: ultrasonic ranging. UART 9600 8N1, ten frames a second.

Frame::

    FF | high | low | sum          distance = high << 8 | low, in mm;  sum = (FF + high + low) & FF

Source: DFRobot's wiki, SEN0311 (A02YYUW): ``FF 07 A1 A7`` is 1953 mm. A real A01NYUB agrees: ``FF 03 9D 9F`` is 925 mm,
``FF 03 91 93`` is 913 mm. The AJ-SR04M leaves the head out of the sum (`header_in_sum` false; open drivers, no vendor
paper). Newer firmware (DFRobot's wiki, SEN0754, at 115200) says in place of a distance::

    FF FE  another sensor's sound on the same frequency          FF FD  no object

A JSN-SR04T with 120 kOhm at its mode pads measures only when it is sent `TRIGGER` (DFRobot's wiki, SEN0207), 60 ms
apart at least. 0 mm and what is nearer than the part can measure come as plain frames: what to make of them is the
device's affair. A sum of one byte proves little, so a distance above `MAX_MM`, beyond any part of the family, is taken
for damage as well. Verified by the frames named here; on no part of our own.
"""

from __future__ import annotations

import msgspec

HEAD = 0xFF
FRAME_BYTES = 4
MAX_MM = 10_000
"""The longest-sighted of the family, the A01NYUB, ends at 7500 mm."""

TRIGGER = b"\x55"
"""To a JSN-SR04T that measures on demand."""

_INTERFERENCE, _NO_OBJECT = 0xFFFE, 0xFFFD


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One frame: ``Reading(925)``, or one of the two marks, `INTERFERENCE` and `NO_OBJECT`."""

    raw: int

    @property
    def distance_mm(self) -> int | None:
        """0 to MAX_MM; None for a mark."""
        return self.raw if self.raw <= MAX_MM else None


INTERFERENCE = Reading(_INTERFERENCE)
NO_OBJECT = Reading(_NO_OBJECT)


def encode_reading(reading: Reading, *, header_in_sum: bool = True) -> bytes:
    """The far end's side: ``encode_reading(Reading(925))`` is ``FF 03 9D 9F``. Raises ValueError above 65535 mm."""
    if not 0 <= reading.raw <= 0xFFFF:
        raise ValueError(f"{reading.raw} mm; a frame carries 0 to 65535")
    high, low = divmod(reading.raw, 256)
    return bytes((HEAD, high, low, (high + low - header_in_sum) & 0xFF))


class A02yyuwStream:
    """Finds frames in a byte stream. Never raises, holds less than one frame, counts what it skips.

    The first sound frame counts. One that fails is searched again from its second byte, for FF is a value as well: so a
    run of FF before a frame does not cost that frame. Rubbish can look like a frame (its last bytes and the first of a
    true one, one time in hundreds); the frame after that is found again.

    Args:
        header_in_sum: False for the AJ-SR04M.
    """

    def __init__(self, *, header_in_sum: bool = True) -> None:
        self.skipped_bytes = 0
        self._pending = b""
        self._less = int(header_in_sum)  # FF is -1

    @property
    def pending_bytes(self) -> int:
        """Bytes that may still become a frame, below FRAME_BYTES."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[Reading]:
        """Readings of all frames that are complete with `data`."""
        if not self._pending and len(data) == FRAME_BYTES and (found := self._at(data, 0)) is not None:
            return [found]
        data = self._pending + data
        readings: list[Reading] = []
        at, size = 0, len(data)
        while True:
            start = data.find(HEAD, at)
            if start < 0:
                start = size
            self.skipped_bytes += start - at
            if size - start < FRAME_BYTES:
                self._pending = data[start:]
                return readings
            reading = self._at(data, start)
            if reading is None:
                self.skipped_bytes += 1
                at = start + 1
            else:
                readings.append(reading)
                at = start + FRAME_BYTES

    def _at(self, data: bytes, start: int) -> Reading | None:
        head, high, low, said = data[start : start + FRAME_BYTES]
        raw = high << 8 | low
        if head != HEAD or (high + low - self._less) & 0xFF != said:
            return None
        return Reading(raw) if raw <= MAX_MM or raw in (_INTERFERENCE, _NO_OBJECT) else None

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


def decode_events(data: bytes, *, header_in_sum: bool = True) -> tuple[list[dict[str, object]], int]:
    """For the command line: JSON-able events of a whole recording, and how many bytes were skipped."""
    stream = A02yyuwStream(header_in_sum=header_in_sum)
    events = [_jsonable(reading) for reading in stream.feed(data)]
    stream.finish()
    return events, stream.skipped_bytes


def _jsonable(reading: Reading) -> dict[str, object]:
    if reading.distance_mm is None:
        return {"type": "interference" if reading == INTERFERENCE else "no_object"}
    return {"type": "range", "distance_mm": reading.distance_mm}
