"""HLK-LD2451, 24 GHz radar: range, speed, direction and angle of every moving target. UART 115200 8N1, no checksum.

Report (Hi-Link, LD2451 serial protocol V1.03)::

    F4 F3 F2 F1 | length u16 | n u8 | alarm u8 | n x (angle, distance, direction, speed, snr) | F8 F7 F6 F5

    angle      raw - 0x80, degrees from the axis          direction  1 approaching, 0 going away
    distance   metres                                     speed      km/h        snr   0 to 255

Length counts from n to the last target; it is 0, with n and alarm absent, while nothing moves. The vendor's table and
its worked example disagree on the direction byte; two independent recordings agree on 1 = approaching, and so do we.

Command and acknowledgement::

    FD FC FB FA | length u16 | command u16 | value ... | 04 03 02 01     (acknowledgement: command | 0x0100, status u16)

Example: ``F4F3F2F1 0700 01 01 7B0D01037B F8F7F6F5`` is one target at -5 degrees, 13 m, approaching at 3 km/h, snr 123.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

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
    """An acknowledgement: the command it answers, status 0 for done, and what follows."""

    command: int
    status: int
    value: bytes


Event = Report | Ack
IDLE = Report(b"", False)


def encode_report(targets: Iterable[Target]) -> bytes:
    """The far end's side: one report frame, the idle frame for no targets."""
    body = bytearray()
    alarm = 0
    for target in targets:
        alarm |= target.approaching
        body += bytes(
            (target.angle_deg + 0x80, target.distance_m, target.approaching, target.speed_kmh, target.snr),
        )
    if not body:
        return IDLE_FRAME
    return frame_report(body, alarm)


def frame_report(body: bytes | bytearray, alarm: int) -> bytes:
    """A report around targets already encoded, five bytes each. `body` is not empty."""
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
    return (
        b"\xfd\xfc\xfb\xfa"
        + (len(value) + 2).to_bytes(2, "little")
        + command.to_bytes(2, "little")
        + value
        + b"\x04\x03\x02\x01"
    )


class Ld2451Stream:
    """Finds frames in a byte stream. Never raises, holds at most one frame, counts what it skips.

    Of two readings of the same bytes the one that ends first wins, so that a false header in rubbish cannot hold back
    the true frame behind it, and the events do not depend on how the bytes were cut.
    """

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self._pending = b""

    @property
    def empty(self) -> bool:
        """True when no started frame waits for its end."""
        return not self._pending

    def feed(self, data: bytes) -> list[Event]:
        """Events of all frames that are complete with `data`."""
        if not self._pending and data[:4] == REPORT_HEAD and data[-4:] == REPORT_TAIL:
            if len(data) == _OVERHEAD and data == IDLE_FRAME:
                return [IDLE]
            # the common case: exactly one well-formed frame, and no header hidden in it
            if data.find(REPORT_HEAD, 4) < 0 and data.find(ACK_HEAD) < 0:
                event = _report(data)
                if event is not None:
                    return [event]
        return list(self._scan(self._pending + data if self._pending else bytes(data)))

    def finish(self) -> list[Event]:
        """The stream has ended: give up on the frame that waits, and read what stands behind its header."""
        events: list[Event] = []
        while self._pending:
            rest, self._pending = self._pending[1:], b""
            self.skipped_bytes += 1
            events += self._scan(rest)
        return events

    def _scan(self, data: bytes) -> Iterator[Event]:
        at = 0
        while True:
            start = _next_head(data, at)
            if start < 0:
                kept = _partial_head(data, at)
                self.skipped_bytes += len(data) - kept - at
                self._pending = data[len(data) - kept :]
                return
            self.skipped_bytes += start - at
            end = _claimed_end(data, start)
            if end == 0:  # no frame can start here
                self.skipped_bytes += 1
                at = start + 1
                continue
            inner = _first_complete_inside(data, start, end) if end < 0 or end > _OVERHEAD else -1
            if inner >= 0:
                self.skipped_bytes += inner - start
                at = inner
                continue
            if end < 0 or start + end > len(data):
                self._pending = data[start:]
                return
            event = _parse(data[start : start + end])
            if event is None:
                self.skipped_bytes += 1
                at = start + 1
                continue
            yield event
            at = start + end

    def snapshot(self) -> dict[str, object]:
        """State as JSON-able values."""
        return {"pending": self._pending.hex(), "skipped_bytes": self.skipped_bytes}

    def restore(self, state: dict[str, object]) -> None:
        """Take over a snapshot."""
        self._pending = bytes.fromhex(str(state["pending"]))
        self.skipped_bytes = int(str(state["skipped_bytes"]))


def _next_head(data: bytes, at: int) -> int:
    report, ack = data.find(REPORT_HEAD, at), data.find(ACK_HEAD, at)
    if report < 0 or ack < 0:
        return max(report, ack)
    return min(report, ack)


def _partial_head(data: bytes, at: int) -> int:
    """How many bytes at the end may be the beginning of a header."""
    for length in range(min(3, len(data) - at), 0, -1):
        ending = data[-length:]
        if REPORT_HEAD.startswith(ending) or ACK_HEAD.startswith(ending):
            return length
    return 0


def _claimed_end(data: bytes, start: int) -> int:
    """Length of the frame that starts here by its own word; -1 not known yet, 0 impossible."""
    if len(data) < start + 6:
        return -1
    length = int.from_bytes(data[start + 4 : start + 6], "little")
    if data[start] == ACK_HEAD[0]:
        return _OVERHEAD + length if 2 <= length <= MAX_ACK_PAYLOAD else 0
    if length == 0:
        return _OVERHEAD
    if length < 2 or (length - 2) % TARGET_BYTES or length > 2 + MAX_TARGETS * TARGET_BYTES:
        return 0
    if len(data) > start + 6 and data[start + 6] * TARGET_BYTES + 2 != length:
        return 0
    return _OVERHEAD + length


def _first_complete_inside(data: bytes, start: int, claimed: int) -> int:
    """Where a complete frame begins that ends before the frame at `start` does; -1 for none."""
    limit = len(data) if claimed < 0 else min(len(data), start + claimed - 1)
    at = start + 1
    while (at := _next_head(data[:limit], at)) >= 0:
        end = _claimed_end(data, at)
        if end > 0 and at + end <= limit and _parse(data[at : at + end]) is not None:
            return at
        at += 1
    return -1


def _parse(frame: bytes) -> Event | None:
    return _report(frame) if frame[0] == REPORT_HEAD[0] else _ack(frame)


def _report(frame: bytes) -> Report | None:
    """A whole report frame, None where it contradicts itself."""
    length = len(frame) - _OVERHEAD
    if frame[4] | frame[5] << 8 != length or frame[-4:] != REPORT_TAIL:
        return None
    if length == 0:
        return IDLE
    if length < 2 or frame[6] * TARGET_BYTES + 2 != length:
        return None
    body = frame[8 : 6 + length]
    if body and max(body[2::TARGET_BYTES]) > 1:  # there is no checksum: take a direction that cannot be for damage
        return None
    return Report(body, frame[7] != 0)


def _ack(frame: bytes) -> Ack | None:
    if frame[-4:] != ACK_TAIL:
        return None
    word = int.from_bytes(frame[6:8], "little")
    body = frame[8:-4]
    if not word & 0x0100:  # a command, heard along the other line: no status
        return Ack(word, 0, body)
    return Ack(word & ~0x0100, int.from_bytes(body[:2], "little"), body[2:])


def decode_events(data: bytes) -> tuple[list[dict[str, object]], int]:
    """For the command line: JSON-able events of a whole recording, and how many bytes were skipped."""
    stream = Ld2451Stream()
    events = [*stream.feed(data), *stream.finish()]
    return [_jsonable(event) for event in events], stream.skipped_bytes


def _jsonable(event: Event) -> dict[str, object]:
    if isinstance(event, Ack):
        return {
            "type": "ack",
            "command": f"0x{event.command:04x}",
            "status": event.status,
            "value_hex": event.value.hex(),
        }
    return {"type": "report", "alarm": event.alarm, "targets": [msgspec.to_builtins(t) for t in event.targets]}
