"""Lunatone RS232 LUBA: the serial side of a DALI gateway. 38400 baud, 8N1, both directions one frame::

    59 | command u8 | length u8 | payload, `length` bytes | XOR of command, length and payload

Host to gateway (its answer has the command's number plus one)::

    32 07  line, bits, mode, d0, d1, d2, d3        send a frame; mode: bit 7 twice, low bits priority 1 to 5; d0 first
    2A 03  mode, event filter, hardware            settings; hardware bit 7 switches the bus supply on
    2C 01  line                                    read status
    20 01  set   28 00                             what are you

Gateway to host::

    33 02  number, ?                               the frame is in the send buffer under this number
    33 01  error                                   it is not: see ERRORS
    31 ..  tick u16, line, kind, number, data      kind bits 7 and 6 = 0: a frame was sent (each of two)
    31 ..  tick u16, line, kind, data              = 2: bits 5 to 0 are the bits of a frame that was heard (8: an
                                                   answer); 62 a start bit and no more, 63 framing error (answers that
                                                   collide)
    2B 03  mode, event filter, ?   2D 06  line, tick u16, ?, ?, status (bit 7: no bus voltage)

Source: what python-dali 0.16 sends and takes (dali/driver/serial.py, which names Lunatone's "LUBA Protocol" paper);
the paper itself was not at hand. Events are taken with tick and line in them, as the gateway sends them unless its
event filter says otherwise. Nobody tells "no answer": the host waits.

Example: ``59 32 07 00 10 03 0A FE 00 00 D2`` sends DAPC(short address 5, 254) once, priority 3.
"""

from __future__ import annotations

from functools import lru_cache, reduce
from operator import xor
from typing import Any, Final

import msgspec

from drivers.codecs import dali

HEAD: Final = 0x59
BAUD: Final = 38_400

INFO_QUERY, INFO = 0x20, 0x21
DESCRIPTOR_QUERY, DESCRIPTOR = 0x28, 0x29
SETTINGS_WRITE, SETTINGS = 0x2A, 0x2B
STATUS_QUERY, STATUS = 0x2C, 0x2D
EVENT = 0x31
SEND, SEND_REPLY = 0x32, 0x33

LENGTHS: Final = {
    INFO_QUERY: range(1, 2),
    INFO: range(18, 21),
    DESCRIPTOR_QUERY: range(1),
    DESCRIPTOR: range(19, 25),
    SETTINGS_WRITE: range(3, 4),
    SETTINGS: range(2, 5),
    STATUS_QUERY: range(1, 2),
    STATUS: range(1, 9),
    EVENT: range(4, 11),
    SEND: range(7, 8),
    SEND_REPLY: range(1, 3),
}
"""Commands, and the lengths of payload each can have: anything else is rubbish."""

MAX_PAYLOAD: Final = 24
MAX_FRAME_BYTES: Final = MAX_PAYLOAD + 4

ERRORS: Final = {
    1: "no voltage on the bus",
    2: "gateway is in initialise mode",
    3: "gateway is in quiescent mode",
    4: "send buffer is full",
    5: "no such DALI line",
    6: "gateway does not understand",
    7: "gateway runs a macro",
}
"""Why a frame was not taken."""

FRAMING_ERROR: Final = 63


class Send(msgspec.Struct, frozen=True, gc=False):
    """Host: send a frame of `bits` bits, ``data`` from the left: ``Send(16, b"\\x0a\\xfe")``."""

    bits: int
    data: bytes
    twice: bool = False
    priority: int = 3


class Taken(msgspec.Struct, frozen=True, gc=False):
    """Gateway: the frame waits in the send buffer under `number`."""

    number: int


class Refused(msgspec.Struct, frozen=True, gc=False):
    """Gateway: the frame was not taken; `error` is a key of ERRORS, or one nobody knows."""

    error: int


class Sent(msgspec.Struct, frozen=True, gc=False):
    """Gateway: a frame has passed on the bus, from us. ``Sent(b"\\x0a\\xfe", 1)``. `tick` is the gateway's own time."""

    data: bytes
    number: int
    tick: int = 0
    line: int = 0


class Heard(msgspec.Struct, frozen=True, gc=False):
    """Gateway: a frame of `bits` bits has passed, from somebody else; 8 bits are an answer: ``Heard(8, b"\\xfe")``."""

    bits: int
    data: bytes
    tick: int = 0
    line: int = 0


class Broken(msgspec.Struct, frozen=True, gc=False):
    """Gateway: something passed that is no frame. `info` 63: framing error, 62: a start bit alone."""

    info: int
    tick: int = 0
    line: int = 0


class Message(msgspec.Struct, frozen=True, gc=False):
    """Anything else, as it came: ``Message(0x2A, b"\\x00\\x12\\x80")``."""

    command: int
    payload: bytes


Event = Send | Taken | Refused | Sent | Heard | Broken | Message


def encode(command: int, payload: bytes = b"") -> bytes:
    """Any frame: ``encode(0x2C, b"\\x00")`` asks for the status of line 0. Raises ValueError for a wrong length."""
    if len(payload) not in LENGTHS.get(command, ()):
        raise ValueError(f"no LUBA command {command:#04x} has {len(payload)} bytes of payload")
    body = bytes((command, len(payload))) + payload
    return b"%c%b%c" % (HEAD, body, reduce(xor, body))


@lru_cache(maxsize=1024)
def encode_send(frame: int, *, bits: int = 16, twice: bool = False, priority: int = 3) -> bytes:
    """Send a frame: ``encode_send(0x0AFE).hex() == "5932070010030afe0000d2"``. `bits` 8 to 32; raises ValueError."""
    if not 1 <= priority <= 5 or bits not in (8, 16, 24, 32) or not 0 <= frame < 1 << bits:
        raise ValueError(f"no LUBA frame of {bits} bits with priority {priority} carries {frame:#x}")
    return encode(SEND, bytes((0, bits, twice << 7 | priority)) + (frame << 32 - bits).to_bytes(4, "big"))


def encode_settings(*, bus_power: bool, mode: int = 0, event_filter: int = 0x12) -> bytes:
    """Events on, but those of the send buffer and of macros; and the gateway's own bus supply on or off.

    Off takes the power from a bus that this supply feeds.
    """
    return encode(SETTINGS_WRITE, bytes((mode, event_filter, bus_power << 7)))


def encode_event(event: Event) -> bytes:
    """What the far end would send: ``encode_event(Heard(8, b"\\xfe"))``."""
    match event:
        case Send():
            frame = int.from_bytes(event.data, "big")
            return encode_send(frame, bits=event.bits, twice=event.twice, priority=event.priority)
        case Taken():
            return encode(SEND_REPLY, bytes((event.number, 0)))
        case Refused():
            return encode(SEND_REPLY, bytes((event.error,)))
        case Sent():
            return encode(EVENT, _when(event) + b"\x00" + bytes((event.number,)) + event.data)
        case Heard():
            return encode(EVENT, _when(event) + bytes((0x80 | event.bits,)) + event.data)
        case Broken():
            return encode(EVENT, _when(event) + bytes((0x80 | event.info,)))
    return encode(event.command, event.payload)


def _when(event: Sent | Heard | Broken) -> bytes:
    return event.tick.to_bytes(2, "big") + bytes((event.line,))


class LubaStream:
    """Finds frames in a byte stream. Never raises, holds less than one frame, counts what it skips.

    Of frames that overlap, the one that ends first wins. So a false head in rubbish cannot hold back the true frame
    behind it, and the events do not depend on how the bytes were cut.
    """

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self._pending = b""

    @property
    def pending_bytes(self) -> int:
        """Bytes that may still become a frame, below MAX_FRAME_BYTES."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[Event]:
        """Events of all frames that are complete with `data`, in the order in which they end."""
        if self._pending:
            data = self._pending + data
        events: list[Event] = []
        done, size = 0, len(data)
        while True:
            best_end, best = size + 1, -1
            kept = at = data.find(HEAD, done)
            while 0 <= at < best_end:
                end = _end(data, at, size)
                if end == 0 and kept == at:
                    kept = data.find(HEAD, at + 1)
                if 0 < end < best_end and end <= size:
                    if not reduce(xor, data[at + 1 : end]):
                        best_end, best = end, at
                    elif kept == at:
                        kept = data.find(HEAD, at + 1)
                at = data.find(HEAD, at + 1)
            if best < 0:
                break
            self.skipped_bytes += best - done
            done = best_end
            events.append(_event(data[best + 1], data[best + 3 : best_end - 1]))
        if kept < 0:
            kept = size
        self.skipped_bytes += kept - done
        self._pending = data[kept:]
        return events

    def forget(self) -> None:
        """Nothing more will come of what has begun: a frame starts with the next byte."""
        self.skipped_bytes += len(self._pending)
        self._pending = b""

    def snapshot(self) -> dict[str, Any]:
        """All state."""
        return {"pending": self._pending.hex(), "skipped_bytes": self.skipped_bytes}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._pending, self.skipped_bytes = bytes.fromhex(state["pending"]), state["skipped_bytes"]


def _end(data: bytes, at: int, size: int) -> int:
    """Where the frame that starts here ends by its own word; 0 where none can be; beyond `size` while it may be."""
    if at + 1 == size:
        return size + MAX_FRAME_BYTES
    lengths = LENGTHS.get(data[at + 1])
    if lengths is None:
        return 0
    if at + 2 == size:
        return size + MAX_FRAME_BYTES
    length = data[at + 2]
    if length not in lengths:
        return 0
    if data[at + 1] == EVENT and at + 6 < size and not _is_event(data[at + 6], length):
        return 0
    return at + length + 4


def _is_event(kind: int, length: int) -> bool:
    """Whether an event of this kind can be this long."""
    kind, info = kind >> 6, kind & 0x3F
    if kind == 0:
        return 6 <= length <= 9
    return kind != 2 or (length == 4 + (info + 7 >> 3) if 1 <= info <= 32 else length == 4)


def _event(command: int, payload: bytes) -> Event:
    if command == EVENT:
        kind, info = payload[3] >> 6, payload[3] & 0x3F
        tick, line = payload[0] << 8 | payload[1], payload[2]
        if kind == 0:
            return Sent(payload[5:], payload[4], tick, line)
        if kind == 2:
            return Heard(info, payload[4:], tick, line) if 1 <= info <= 32 else Broken(info, tick, line)
    elif command == SEND_REPLY:
        return Taken(payload[0]) if len(payload) == 2 else Refused(payload[0])
    elif command == SEND and payload[1] in (8, 16, 24, 32) and 1 <= payload[2] & 0x7F <= 5:
        return Send(payload[1], payload[3 : 3 + payload[1] // 8], payload[2] >= 0x80, payload[2] & 0x7F)
    return Message(command, payload)


def decode_events(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """For the command line: JSON-able events of a whole recording, both directions, and how many bytes were skipped.

    Types: ``dali_frame`` with `wire` ("send", "sent", "heard") as `dali.decode` reads it, ``dali_answer``,
    ``dali_collision``, ``dali_other`` (24 and 32 bits, start bits), ``luba_taken``, ``luba_refused``, ``luba``.
    """
    stream = LubaStream()
    events = [_jsonable(event) for event in stream.feed(data)]
    stream.forget()
    return events, stream.skipped_bytes


def _jsonable(event: Event) -> dict[str, Any]:
    match event:
        case Send():
            fields = {"twice": event.twice, "priority": event.priority}
            return {**frame_event("send", event.bits, event.data), **fields}
        case Sent():
            return {**frame_event("sent", 8 * len(event.data), event.data), "number": event.number, "tick": event.tick}
        case Heard():
            return {**frame_event("heard", event.bits, event.data), "tick": event.tick}
        case Broken():
            kind = "dali_collision" if event.info == FRAMING_ERROR else "dali_other"
            return {"type": kind, "info": event.info, "tick": event.tick}
        case Taken():
            return {"type": "luba_taken", "number": event.number}
        case Refused():
            return {"type": "luba_refused", "error": event.error, "text": ERRORS.get(event.error, "unknown error")}
    return {"type": "luba", "command": f"0x{event.command:02x}", "payload_hex": event.payload.hex()}


def frame_event(wire: str, bits: int, data: bytes) -> dict[str, Any]:
    """A DALI frame that somebody sent or heard, for the command line."""
    value = int.from_bytes(data, "big")
    if bits == 16:
        return {"type": "dali_frame", "wire": wire, **dali.decode(value), "text": dali.describe(value)}
    if bits == 8:
        return {"type": "dali_answer", "wire": wire, "answer": value}
    return {"type": "dali_other", "wire": wire, "bits": bits, "value": value}
