"""HLK-LD2451, 24 GHz radar: range, speed, direction and angle of every moving target. UART 115200 8N1, no checksum.

Report (Hi-Link, LD2451 serial protocol V1.03)::

    F4 F3 F2 F1 | length u16 | n u8 | alarm u8 | n x (angle, distance, direction, speed, snr) | F8 F7 F6 F5

    angle      raw - 0x80, degrees from the axis          direction  1 approaching, 0 going away
    distance   metres                                     speed      km/h        snr   0 to 255

Length counts from n to the last target; it is 0, with n and alarm absent, while nothing moves. The vendor's table and
its worked example disagree on the direction byte; two independent recordings agree on 1 = approaching, and so do we.

Command and acknowledgement::

    FD FC FB FA | length u16 | command u16 | value ... | 04 03 02 01     (acknowledgement: command | 0x0100, status u16)

The vendor prints the acknowledgement of 0x00A0 (version) with length 11 before 12 bytes: both lengths are taken.

Example: ``F4F3F2F1 0700 01 01 7B0D01037B F8F7F6F5`` is one target at -5 degrees, 13 m, approaching at 3 km/h, snr 123.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable

import msgspec

REPORT_HEAD, REPORT_TAIL = b"\xf4\xf3\xf2\xf1", b"\xf8\xf7\xf6\xf5"
ACK_HEAD, ACK_TAIL = b"\xfd\xfc\xfb\xfa", b"\x04\x03\x02\x01"
IDLE_FRAME = REPORT_HEAD + b"\x00\x00" + REPORT_TAIL
"""What the part sends while nothing moves."""

TARGET_BYTES = 5
TARGETS = struct.Struct("5B")
"""One target: angle + 0x80, distance in m, direction, speed in km/h, snr."""

MAX_TARGETS = 255
MAX_ACK_PAYLOAD = 64  # the longest known acknowledgement carries 12 bytes
_OVERHEAD = 10  # head, length, tail
MAX_FRAME_BYTES = _OVERHEAD + 2 + MAX_TARGETS * TARGET_BYTES

_HEAD = re.compile(re.escape(REPORT_HEAD) + b"|" + re.escape(ACK_HEAD))
_TAIL = re.compile(re.escape(REPORT_TAIL) + b"|" + re.escape(ACK_TAIL))
_ACK_BIT = 0x0100
_VERSION_ACK = 0x00A0 | _ACK_BIT
_VERSION_PRINTED = 11


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


class Ack(msgspec.Struct, frozen=True, gc=False):
    """An acknowledgement: the command it answers, status 0 for done, and what follows: ``Ack(0xFE, 0, b"")``."""

    command: int
    status: int
    value: bytes


class Command(msgspec.Struct, frozen=True, gc=False):
    """A command, heard on the line to the part: ``Command(0xFF, b"\\x01\\x00")`` enables configuration."""

    command: int
    value: bytes


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


def encode_command(command: int, value: bytes = b"") -> bytes:
    """A command frame, e.g. ``encode_command(0x00FF, b"\\x01\\x00")`` to enable configuration."""
    return ACK_HEAD + (len(value) + 2).to_bytes(2, "little") + command.to_bytes(2, "little") + value + ACK_TAIL


class Ld2451Stream:
    """Finds frames in a byte stream. Never raises, holds less than one frame, counts what it skips.

    A frame is found by its tail: of the heads before it the last whose length fits wins, and of two frames that overlap
    the one that ends first. So a false head in rubbish can neither hold back nor swallow the true frame behind it, and
    the events do not depend on how the bytes were cut.

    A sound report holds no other frame: a head, a length and a tail cannot all lie clear of its direction bytes, each
    0 or 1. So a chunk that is one report needs no search.
    """

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self._pending = b""

    @property
    def empty(self) -> bool:
        """True when no started frame waits for its end."""
        return not self._pending

    @property
    def pending_bytes(self) -> int:
        """Bytes that may still become a frame, below MAX_FRAME_BYTES."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[Event]:
        """Events of all frames that are complete with `data`, in the order in which they end."""
        pending = self._pending
        if not pending:
            if data == IDLE_FRAME:
                return [IDLE]
            if data[:4] == REPORT_HEAD and data[-4:] == REPORT_TAIL and (report := _report(data)) is not None:
                return [report]
        events: list[Event] = []
        known, data = len(pending), pending + data
        done = 0
        for tail in _TAIL.finditer(data, max(0, known - 3)):  # no frame ends in what was pending
            end = tail.end()
            found = _frame_up_to(end, data, done)
            if found is not None:
                event, start = found
                events.append(event)
                self.skipped_bytes += start - done
                done = end
        if done < len(data):
            kept = _first_open_head(data, done)
            self.skipped_bytes += kept - done
            self._pending = data[kept:]
        else:
            self._pending = b""
        return events

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


def _frame_up_to(end: int, data: bytes, low: int) -> tuple[Event, int] | None:
    """The frame that ends with the tail at `end` and starts at `low` or later, and its start."""
    report = data[end - 1] == REPORT_TAIL[3]
    head, longest = (REPORT_HEAD, MAX_FRAME_BYTES) if report else (ACK_HEAD, _OVERHEAD + MAX_ACK_PAYLOAD)
    low = max(low, end - longest)
    start = data.rfind(head, low, max(low, end - 6))
    while start >= 0:
        event = _report(data[start:end]) if report else _command_or_ack(data[start:end])
        if event is not None:
            return event, start
        start = data.rfind(head, low, start)
    return None


def _first_open_head(data: bytes, low: int) -> int:
    """Where the first frame starts that may still be completed; the end of `data` for nowhere."""
    size = len(data)
    for match in _HEAD.finditer(data, low):
        start = match.start()
        if start + _longest_claim(data, start) > size:
            return start
    for start in range(max(low, size - 3), size):  # a head cut short
        if REPORT_HEAD.startswith(data[start:]) or ACK_HEAD.startswith(data[start:]):
            return start
    return size


def _longest_claim(data: bytes, start: int) -> int:
    """How long the frame that starts here may be by its own word; 0 where none can be."""
    if len(data) < start + 6:
        return MAX_FRAME_BYTES
    length = data[start + 4] | data[start + 5] << 8
    if data[start] == ACK_HEAD[0]:
        return _OVERHEAD + length + (length == _VERSION_PRINTED) if 2 <= length <= MAX_ACK_PAYLOAD else 0
    if length == 0:
        return _OVERHEAD
    targets, rest = divmod(length - 2, TARGET_BYTES)
    if rest or targets > MAX_TARGETS or data[start + 6 : start + 7] not in (b"", targets.to_bytes()):
        return 0
    return _OVERHEAD + length


def _report(frame: bytes) -> Report | None:
    """All from a report's head to its tail; None where it contradicts itself."""
    length = len(frame) - _OVERHEAD
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


def _command_or_ack(frame: bytes) -> Ack | Command | None:
    """All from a command's head to its tail; None where it contradicts itself."""
    length = len(frame) - _OVERHEAD
    said, word = frame[4] | frame[5] << 8, frame[6] | frame[7] << 8
    if said != length and not (word == _VERSION_ACK and said == _VERSION_PRINTED == length - 1):
        return None
    if not word & _ACK_BIT:
        return Command(word, frame[8:-4]) if length >= 2 else None
    return Ack(word ^ _ACK_BIT, frame[8] | frame[9] << 8, frame[10:-4]) if length >= 4 else None


def decode_events(data: bytes) -> tuple[list[dict[str, object]], int]:
    """For the command line: JSON-able events of a whole recording, and how many bytes were skipped."""
    stream = Ld2451Stream()
    events = [_jsonable(event) for event in stream.feed(data)]
    stream.finish()
    return events, stream.skipped_bytes


def _jsonable(event: Event) -> dict[str, object]:
    if isinstance(event, Report):
        return {"type": "report", "alarm": event.alarm, "targets": [msgspec.to_builtins(t) for t in event.targets]}
    fields: dict[str, object] = {"command": f"0x{event.command:04x}"}
    if isinstance(event, Command):
        return {"type": "command", **fields, "value_hex": event.value.hex()}
    return {"type": "ack", **fields, "status": event.status, "value_hex": event.value.hex()}
