"""Levels, edges and pulse widths of single lines as bytes, so that GPIO and PWM wires are recorded like any other.

Every message has 11 bytes::

    line u8 | kind u8 | value u8 | time u64, little endian

    SET    outward   drive the line to `value` 0 or 1 (`time` 0)
    EDGE   inward    the line changed to `value` at `time`, monotonic nanoseconds (the kernel's stamp where it has one)
    PWM    outward   on for `time` & 0xFFFFFFFF ns of every `time` >> 32 ns; a period of 0 switches the output off
    PULSE  outward   drive to `value` for `time` ns, then back (the trigger of an ultrasonic sensor)
    HOLD   outward   drive to `value` for `time` ns after it was written, then to the other level, unless a further HOLD
                     comes before that: a line that only a living sender keeps up
    FREE   outward   let the line go: an input again, at whatever level the circuit gives it (`value` 0, `time` 0)

`line` is the BCM number of the pin, or the channel of a PWM chip.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import msgspec

SET: Final = 0
EDGE: Final = 1
PWM: Final = 2
PULSE: Final = 3
HOLD: Final = 4
FREE: Final = 5

KINDS: Final = {SET: "set", EDGE: "edge", PWM: "pwm", PULSE: "pulse", HOLD: "hold", FREE: "free"}

_MESSAGE: Final = struct.Struct("<BBBQ")
MESSAGE_BYTES: Final = _MESSAGE.size


class LineEvent(msgspec.Struct, frozen=True, gc=False):
    """One message: ``LineEvent(17, SET, 1)``; ``LineEvent(24, EDGE, 0, t_ns=5_831_000)``."""

    line: int
    kind: int
    value: int
    t_ns: int = 0

    @property
    def period_ns(self) -> int:
        """Of a PWM message."""
        return self.t_ns >> 32

    @property
    def on_ns(self) -> int:
        """Of a PWM message."""
        return self.t_ns & 0xFFFF_FFFF


def encode(event: LineEvent) -> bytes:
    """Its bytes. Raises ValueError for a line, kind or value that a message cannot carry."""
    if event.kind not in KINDS or event.value not in (0, 1) or not 0 <= event.line <= 255:
        raise ValueError(f"no message carries {event}")
    if not 0 <= event.t_ns < 1 << 64:
        raise ValueError(f"{event.t_ns} ns does not fit a message")
    return _MESSAGE.pack(event.line, event.kind, event.value, event.t_ns)


def encode_pwm(line: int, period_ns: int, on_ns: int) -> bytes:
    """A PWM message, e.g. ``encode_pwm(0, 1_000_000, 250_000)``: 25 % at 1 kHz. Raises ValueError."""
    if not 0 <= on_ns <= period_ns < 1 << 32:
        raise ValueError(f"on for {on_ns} of {period_ns} ns; up to the period, and that below 4.29 s")
    return encode(LineEvent(line, PWM, 0, period_ns << 32 | on_ns))


class LineEventStream:
    """Bytes in, messages out; cut anywhere gives the same. Messages of unknown kind are skipped and counted."""

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[LineEvent]:
        """Messages completed by `data`."""
        data = self._rest + data
        end = len(data) - len(data) % MESSAGE_BYTES
        self._rest = data[end:]
        found = []
        for line, kind, value, t_ns in _MESSAGE.iter_unpack(data[:end]):
            if kind in KINDS:
                found.append(LineEvent(line, kind, value, t_ns))
            else:
                self.skipped_bytes += MESSAGE_BYTES
        return iter(found)

    def snapshot(self) -> dict[str, object]:
        """All state, as JSON-able values."""
        return {"rest": self._rest.hex(), "skipped_bytes": self.skipped_bytes}

    def restore(self, state: dict[str, object]) -> None:
        """Take over a snapshot."""
        self._rest, self.skipped_bytes = bytes.fromhex(str(state["rest"])), int(str(state["skipped_bytes"]))
