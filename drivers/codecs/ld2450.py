"""HLK-LD2450, 24 GHz radar: places and speeds of up to three people, to 6 m. UART 256000 8N1, ten frames a second.

Report (Hi-Link, LD2450 serial protocol V1.03, 2.3), always 30 bytes, little endian, no checksum::

    AA FF 03 00 | 3 x (x u16 | y u16 | speed u16 | resolution u16) | 55 CC

    x            mm, to the sensor's right      sign and magnitude: bit 15 set is positive, so ``0E03`` is -782
    y            mm, ahead of it                                    and ``B186`` is +1713
    speed        cm/s                                               (the paper does not say which sign comes nearer)
    resolution   mm, the width of a distance gate, no sign

A slot without a target is all zeros. With no checksum, what cannot be is taken for damage: a place or a resolution
beyond 10 m, a speed beyond 20 m/s. Within these limits no head and no tail fits into a sound report, so that rubbish
before it can neither hide nor delay it.

Commands come in the envelope of `drivers.codecs.hilink`. Beside the common ones::

    0x0080, 0x0090    follow one target, follow several          0x0091    which of the two (answer: u16, 1 or 2)
    0x00C1            read the zones                             0x00C2    set them
                      kind u16 | 3 x (x1, y1, x2, y2), each i16 in mm, two's complement; all zero: no such zone
                      kind 0 zones off, 1 only what is inside counts, 2 what is inside does not count

Verified by the vendor's frames; by no recording and on no part of our own. Example: ``AAFF0300 0E03 B186 1000 4001``,
16 zeros and ``55CC`` is one target at x -782 mm, y 1713 mm, speed -16 cm/s, resolution 320 mm.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

import msgspec

from drivers.codecs.hilink import Ack, Command, HilinkStream, encode_command, jsonable

REPORT_HEAD, REPORT_TAIL = b"\xaa\xff\x03\x00", b"\x55\xcc"
FRAME_BYTES = 30
SLOTS = 3
MAX_MM: Final = 10_000
MAX_CM_S: Final = 2_000

SINGLE: Final = 0x0080
MULTI: Final = 0x0090
READ_MODE: Final = 0x0091
READ_ZONES: Final = 0x00C1
SET_ZONES: Final = 0x00C2

ZONES_OFF, ZONES_ONLY, ZONES_NOT = 0, 1, 2

_FIELDS = struct.Struct("<12H")
_ZONES = struct.Struct("<H12h")
_HEAD_BYTES = len(REPORT_HEAD)
_POSITIVE = 0x8000


class Target(msgspec.Struct, frozen=True, gc=False):
    """One target as the part says it: ``Target(-782, 1713, -16, 320)``. The sign of the speed is the part's."""

    x_mm: int
    y_mm: int
    speed_cm_s: int
    resolution_mm: int


class Report(msgspec.Struct, frozen=True, gc=False):
    """One report: its three slots in the order of the wire, None where there is no target."""

    slots: tuple[Target | None, Target | None, Target | None]

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets there are."""
        return tuple(slot for slot in self.slots if slot is not None)


class Zones(msgspec.Struct, frozen=True, gc=False):
    """Rectangles that count or do not count: ``Zones(ZONES_ONLY, ((1000, 1000, -1000, 5000),))``, the vendor's example.

    Each is (x1, y1, x2, y2) in mm, two opposite corners; three at most.
    """

    kind: int
    rectangles: tuple[tuple[int, int, int, int], ...]

    def to_bytes(self) -> bytes:
        """Its 26 bytes. Raises ValueError: more than three, a kind or a corner that the part does not know."""
        if self.kind not in (ZONES_OFF, ZONES_ONLY, ZONES_NOT) or len(self.rectangles) > SLOTS:
            raise ValueError(f"kind {self.kind} with {len(self.rectangles)} zones; kind 0 to 2, up to three zones")
        corners = [corner for each in self.rectangles for corner in each]
        try:
            return _ZONES.pack(self.kind, *corners, *[0] * (4 * SLOTS - len(corners)))
        except struct.error:
            raise ValueError(f"{self.rectangles}: four corners each, -32768 to 32767 mm") from None

    @classmethod
    def of(cls, value: bytes) -> Zones | None:
        """As the part says them; None where there are too few bytes."""
        if len(value) < _ZONES.size:
            return None
        kind, *corners = _ZONES.unpack_from(value)
        rectangles = [(corners[n], corners[n + 1], corners[n + 2], corners[n + 3]) for n in range(0, 4 * SLOTS, 4)]
        return cls(kind, tuple(each for each in rectangles if any(each)))


Event = Report | Ack | Command
EMPTY = Report((None, None, None))
EMPTY_FRAME = REPORT_HEAD + bytes(FRAME_BYTES - 6) + REPORT_TAIL
"""What the part sends while nobody is there."""


def encode_report(slots: Iterable[Target | None]) -> bytes:
    """The far end's side: one report of up to three targets, None for an empty slot between them.

    Zero is written with the sign bit. Raises ValueError: more than three, a value beyond the limits.
    """
    fields: list[int] = []
    for slot in slots:
        if slot is None:
            fields += (0, 0, 0, 0)
            continue
        if max(abs(slot.x_mm), abs(slot.y_mm), slot.resolution_mm) > MAX_MM or slot.resolution_mm < 0:
            raise ValueError(f"{slot}: up to {MAX_MM} mm")
        if abs(slot.speed_cm_s) > MAX_CM_S:
            raise ValueError(f"{slot}: up to {MAX_CM_S} cm/s")
        fields += (_raw(slot.x_mm), _raw(slot.y_mm), _raw(slot.speed_cm_s), slot.resolution_mm)
    if len(fields) > 4 * SLOTS:
        raise ValueError(f"{len(fields) // 4} targets; a report has room for {SLOTS}")
    return REPORT_HEAD + _FIELDS.pack(*fields, *[0] * (4 * SLOTS - len(fields))) + REPORT_TAIL


def _raw(value: int) -> int:
    return value | _POSITIVE if value >= 0 else -value


def follow_one() -> bytes:
    """Command 0x0080: one target at most."""
    return encode_command(SINGLE)


def follow_several() -> bytes:
    """Command 0x0090: up to three targets, as the part leaves the factory."""
    return encode_command(MULTI)


def read_mode() -> bytes:
    """Command 0x0091; the answer's value is ``0100`` for one target, ``0200`` for several."""
    return encode_command(READ_MODE)


def read_zones() -> bytes:
    """Command 0x00C1; `Zones.of` reads the value of the answer."""
    return encode_command(READ_ZONES)


def set_zones(zones: Zones) -> bytes:
    """Command 0x00C2. Raises ValueError for what the part does not take."""
    return encode_command(SET_ZONES, zones.to_bytes())


class Ld2450Stream(HilinkStream[Report]):
    """Finds frames in a byte stream: see `HilinkStream`. A chunk that is one report needs no search."""

    def __init__(self) -> None:
        super().__init__(REPORT_HEAD, REPORT_TAIL, FRAME_BYTES, _report, _claim)

    def feed(self, data: bytes) -> list[Event]:
        """Events of all frames that are complete with `data`, in the order in which they end."""
        if not self._pending:
            if data == EMPTY_FRAME:
                return [EMPTY]
            if data[:4] == REPORT_HEAD and data[-2:] == REPORT_TAIL and (report := _report(data)) is not None:
                return [report]
        return super().feed(data)


def _claim(data: bytes, start: int) -> int:
    return FRAME_BYTES


def _report(frame: bytes) -> Report | None:
    """All from head to tail; None where it cannot be."""
    if len(frame) != FRAME_BYTES:
        return None
    a, b, c, d, e, f, g, h, i, j, k, m = _FIELDS.unpack_from(frame, _HEAD_BYTES)
    first, second, third = _target(a, b, c, d), _target(e, f, g, h), _target(i, j, k, m)
    if first is _DAMAGED or second is _DAMAGED or third is _DAMAGED:
        return None
    return Report((first, second, third))


_DAMAGED: Final = Target(0, 0, 0, -1)


def _target(x: int, y: int, speed: int, resolution: int) -> Target | None:
    """One slot: a target, None for an empty one, _DAMAGED for what cannot be."""
    if not (x or y or speed or resolution):
        return None
    x = x - _POSITIVE if x >= _POSITIVE else -x
    y = y - _POSITIVE if y >= _POSITIVE else -y
    speed = speed - _POSITIVE if speed >= _POSITIVE else -speed
    if -MAX_MM <= x <= MAX_MM and -MAX_MM <= y <= MAX_MM and -MAX_CM_S <= speed <= MAX_CM_S and resolution <= MAX_MM:
        return Target(x, y, speed, resolution)
    return _DAMAGED


def decode_events(data: bytes) -> tuple[list[dict[str, object]], int]:
    """For the command line: JSON-able events of a whole recording, and how many bytes were skipped."""
    stream = Ld2450Stream()
    events = [_jsonable(event) for event in stream.feed(data)]
    stream.finish()
    return events, stream.skipped_bytes


def _jsonable(event: Event) -> dict[str, object]:
    if isinstance(event, Report):
        return {"type": "report", "targets": [msgspec.to_builtins(target) for target in event.targets]}
    return jsonable(event)
