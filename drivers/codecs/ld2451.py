"""HLK-LD2451, 24 GHz radar: range, speed, direction and angle of every moving target. UART 115200 8N1, no checksum.

Report (Hi-Link, LD2451 serial protocol V1.03)::

    F4 F3 F2 F1 | length u16 | n u8 | alarm u8 | n x (angle, distance, direction, speed, snr) | F8 F7 F6 F5

    angle      raw - 0x80, degrees from the axis          direction  1 approaching, 0 going away
    distance   metres                                     speed      km/h        snr   0 to 255

Length counts from n to the last target; it is 0, with n and alarm absent, while nothing moves. The vendor's table and
its worked example disagree on the direction byte; two independent recordings agree on 1 = approaching, and so do we.

Commands come in the envelope of `drivers.codecs.hilink`. Beside the common ones::

    0x0002 set, 0x0012 read    range u8 (10 to 255 m) | direction u8 (0 away, 1 approach, 2 both) |
                               least speed u8 (0 to 120 km/h) | delay u8 (0 to 255 s until a lost target is gone)
    0x0003 set, 0x0013 read    trigger u8 (detections in a row, 1 to 10) | SNR u8 (3 to 8; 0: the default, 4) | 00 | 00

Example: ``F4F3F2F1 0700 01 01 7B0D01037B F8F7F6F5`` is one target at -5 degrees, 13 m, approaching at 3 km/h, snr 123.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

import msgspec

from drivers.codecs.hilink import (
    ACK_HEAD,
    ACK_TAIL,
    MAX_ACK_PAYLOAD,
    OVERHEAD,
    Ack,
    Command,
    HilinkStream,
    encode_command,
    jsonable,
)

__all__ = [
    "ACK_HEAD",
    "ACK_TAIL",
    "APPROACH",
    "AWAY",
    "BOTH",
    "DIRECTIONS",
    "IDLE",
    "IDLE_FRAME",
    "MAX_ACK_PAYLOAD",
    "MAX_FRAME_BYTES",
    "MAX_TARGETS",
    "ONE_TARGET_HEAD",
    "READ_DETECTION",
    "READ_SENSITIVITY",
    "REPORT_HEAD",
    "REPORT_TAIL",
    "SET_DETECTION",
    "SET_SENSITIVITY",
    "TARGETS",
    "TARGET_BYTES",
    "Ack",
    "Command",
    "DetectionSettings",
    "Event",
    "Ld2451Stream",
    "Report",
    "Sensitivity",
    "Target",
    "decode_events",
    "encode_command",
    "encode_report",
    "frame_report",
    "read_detection",
    "read_sensitivity",
    "set_detection",
    "set_sensitivity",
]

REPORT_HEAD, REPORT_TAIL = b"\xf4\xf3\xf2\xf1", b"\xf8\xf7\xf6\xf5"
IDLE_FRAME = REPORT_HEAD + b"\x00\x00" + REPORT_TAIL
"""What the part sends while nothing moves."""

ONE_TARGET_HEAD = REPORT_HEAD + b"\x07\x00\x01"
"""Of the usual report; its alarm, its target and the tail follow."""

TARGET_BYTES = 5
TARGETS = struct.Struct("5B")
"""One target: angle + 0x80, distance in m, direction, speed in km/h, snr."""

_ONE = struct.Struct("7s6B4s")

MAX_TARGETS = 255
MAX_FRAME_BYTES = OVERHEAD + 2 + MAX_TARGETS * TARGET_BYTES

SET_DETECTION: Final = 0x0002
READ_DETECTION: Final = 0x0012
SET_SENSITIVITY: Final = 0x0003
READ_SENSITIVITY: Final = 0x0013

AWAY, APPROACH, BOTH = 0, 1, 2
DIRECTIONS: Final = {"away": AWAY, "approach": APPROACH, "both": BOTH}
"""Which targets are reported."""

_DEFAULT_SNR = 4


class Target(msgspec.Struct, frozen=True, gc=False):
    """One target as the part prints it. Example: ``Target(-5, 13, True, 3, 123)``."""

    angle_deg: int
    distance_m: int
    approaching: bool
    speed_kmh: int
    snr: int


class Report(msgspec.Struct, frozen=True, gc=False):
    """All targets of one report; `alarm` says that one of them approaches. No targets: nothing moves.

    `body` is five bytes a target, as on the wire; `targets` reads them.
    """

    body: bytes
    alarm: bool

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets, in the order of the wire."""
        return tuple(
            Target(angle - 0x80, distance, direction == 1, speed, snr)
            for angle, distance, direction, speed, snr in TARGETS.iter_unpack(self.body)
        )


Event = Report | Ack | Command
IDLE = Report(b"", False)


def encode_report(targets: Iterable[Target]) -> bytes:
    """The far end's side: one report frame, the idle frame for no targets.

    Raises ValueError: more than 255 targets, an angle outside -128 to 127 degrees, another value outside 0 to 255.
    """
    body = bytearray()
    alarm = 0
    for target in targets:
        alarm |= target.approaching
        body += bytes((target.angle_deg + 0x80, target.distance_m, target.approaching, target.speed_kmh, target.snr))
    if not body:
        return IDLE_FRAME
    if len(body) > MAX_TARGETS * TARGET_BYTES:
        raise ValueError(f"{len(body) // TARGET_BYTES} targets; a report has room for {MAX_TARGETS}")
    return frame_report(body, alarm)


def frame_report(body: bytes | bytearray, alarm: int) -> bytes:
    """A report around 1 to 255 targets already encoded, five bytes each; `alarm` 0 or 1."""
    return b"%b%b%c%c%b%b" % (
        REPORT_HEAD,
        (len(body) + 2).to_bytes(2, "little"),
        len(body) // TARGET_BYTES,
        alarm,
        bytes(body),
        REPORT_TAIL,
    )


class DetectionSettings(msgspec.Struct, frozen=True, gc=False):
    """What is reported: ``DetectionSettings(100, APPROACH, 5, 2)``, the vendor's example.

    `range_m` 10 to 255, `direction` 0 to 2 (DIRECTIONS), `min_speed_kmh` 0 to 120, `no_target_delay_s` 0 to 255.
    """

    range_m: int
    direction: int
    min_speed_kmh: int
    no_target_delay_s: int

    def to_bytes(self) -> bytes:
        """Its four bytes. Raises ValueError for what the part does not take."""
        _within("range_m", self.range_m, 10, 255)
        _within("direction", self.direction, AWAY, BOTH)
        _within("min_speed_kmh", self.min_speed_kmh, 0, 120)
        _within("no_target_delay_s", self.no_target_delay_s, 0, 255)
        return bytes((self.range_m, self.direction, self.min_speed_kmh, self.no_target_delay_s))

    @classmethod
    def of(cls, value: bytes) -> DetectionSettings | None:
        """As the part says them; None where there are too few bytes."""
        return cls(*value[:4]) if len(value) >= 4 else None


class Sensitivity(msgspec.Struct, frozen=True, gc=False):
    """When a target counts: ``Sensitivity(2, 8)``, the vendor's example. Higher is less sensitive.

    `trigger_count` detections in a row, 1 to 10; `snr_level` 3 to 8, or 0, which the part takes for 4.
    """

    trigger_count: int
    snr_level: int

    def to_bytes(self) -> bytes:
        """Its four bytes. Raises ValueError for what the part does not take."""
        _within("trigger_count", self.trigger_count, 1, 10)
        if self.snr_level:
            _within("snr_level", self.snr_level, 3, 8)
        return bytes((self.trigger_count, self.snr_level, 0, 0))

    @classmethod
    def of(cls, value: bytes) -> Sensitivity | None:
        """As the part says it, the default SNR by its number; None where there are too few bytes."""
        return cls(value[0], value[1] or _DEFAULT_SNR) if len(value) >= 2 else None


def set_detection(settings: DetectionSettings) -> bytes:
    """Command 0x0002. Raises ValueError for what the part does not take."""
    return encode_command(SET_DETECTION, settings.to_bytes())


def read_detection() -> bytes:
    """Command 0x0012; `DetectionSettings.of` reads the value of the answer."""
    return encode_command(READ_DETECTION)


def set_sensitivity(settings: Sensitivity) -> bytes:
    """Command 0x0003. Raises ValueError for what the part does not take."""
    return encode_command(SET_SENSITIVITY, settings.to_bytes())


def read_sensitivity() -> bytes:
    """Command 0x0013; `Sensitivity.of` reads the value of the answer."""
    return encode_command(READ_SENSITIVITY)


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} {value} is not {low} to {high}")


class Ld2451Stream(HilinkStream[Report]):
    """Finds frames in a byte stream: see `HilinkStream`. Holds less than MAX_FRAME_BYTES.

    A sound report holds no other frame: a head, a length and a tail cannot all lie clear of its direction bytes, each
    0 or 1. So a chunk that is one report needs no search.
    """

    def __init__(self) -> None:
        super().__init__(REPORT_HEAD, REPORT_TAIL, MAX_FRAME_BYTES, _report, _claim)

    def one_target(self, data: bytes) -> tuple[int, int, int, int, int] | None:
        """The target of a chunk that is exactly one report of one target, as TARGETS has it; None: `feed` it.

        What `feed` would find, said shortly: most chunks are such.
        """
        if len(data) != _ONE.size or self._pending:
            return None
        head, _, angle, metres, direction, kmh, snr, tail = _ONE.unpack(data)
        if head != ONE_TARGET_HEAD or tail != REPORT_TAIL or direction > APPROACH:
            return None
        return angle, metres, direction, kmh, snr

    def feed(self, data: bytes) -> list[Event]:
        """Events of all frames that are complete with `data`, in the order in which they end."""
        if not self._pending:
            if data == IDLE_FRAME:
                return [IDLE]
            if data[:4] == REPORT_HEAD and data[-4:] == REPORT_TAIL and (report := _report(data)) is not None:
                return [report]
        return super().feed(data)


def _claim(data: bytes, start: int) -> int:
    """How long the report that starts here is by its own word; 0 where none can be."""
    length = data[start + 4] | data[start + 5] << 8
    if length == 0:
        return OVERHEAD
    targets, rest = divmod(length - 2, TARGET_BYTES)
    if rest or targets > MAX_TARGETS or data[start + 6 : start + 7] not in (b"", targets.to_bytes()):
        return 0
    return OVERHEAD + length


def _report(frame: bytes) -> Report | None:
    """All from a report's head to its tail; None where it contradicts itself."""
    length = len(frame) - OVERHEAD
    if frame[4] | frame[5] << 8 != length:
        return None
    if length == 0:
        return IDLE
    if frame[6] * TARGET_BYTES + 2 != length:
        return None
    body = frame[8:-4]
    if body and max(body[2::TARGET_BYTES]) > 1:  # there is no checksum: take a direction that cannot be for damage
        return None
    return Report(body, frame[7] != 0)


def decode_events(data: bytes) -> tuple[list[dict[str, object]], int]:
    """For the command line: JSON-able events of a whole recording, and how many bytes were skipped."""
    stream = Ld2451Stream()
    events = [_jsonable(event) for event in stream.feed(data)]
    stream.finish()
    return events, stream.skipped_bytes


def _jsonable(event: Event) -> dict[str, object]:
    if isinstance(event, Report):
        return {"type": "report", "alarm": event.alarm, "targets": [msgspec.to_builtins(t) for t in event.targets]}
    return jsonable(event)
