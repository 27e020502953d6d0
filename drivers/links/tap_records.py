"""What a service tells those who listen at its tap: every byte of every wire, over a unix socket, as it passes.

Messages follow one another; each says how long it is, so that kinds unknown to a reader can be passed over::

    size u32 | kind u8 | body of size - 1 bytes        all numbers little endian, times monotonic nanoseconds

    HELLO    0   JSON: format, board, wires (name, kind, content, baud, parity); always the first
    PASSED   1   wire u16 | outward u8 | time u64 | bytes
    REPEATED 2   wire u16 | first u64 | last u64 | count u32 | frame
    LINE     3   wire u16 | time u64 | baud u32 | parity u8 (a letter) | half stop bits u8
    LOST     4   time u64 | records u64 | bytes u64     so much was left out here, for the reader was too slow

A wire's number is its place in HELLO's list. The format is ours.
"""

from __future__ import annotations

import struct
from typing import Final, Literal

import msgspec

HELLO: Final = 0
PASSED: Final = 1
REPEATED: Final = 2
LINE: Final = 3
LOST: Final = 4

MAX_BYTES: Final = 1 << 24
"""No message is longer; what claims to be is none of ours."""

_HEAD: Final = struct.Struct("<IB")
_PASSED: Final = struct.Struct("<IBHBQ")
_REPEATED: Final = struct.Struct("<IBHQQI")
_LINE: Final = struct.Struct("<IBHQIBB")
_LOST: Final = struct.Struct("<IBQQQ")
_SIZE_B: Final = 4


class TapWire(msgspec.Struct, frozen=True):
    """A wire as HELLO names it: ``TapWire("radar-1", "uart", "ld2451", 115200, "N")``. `baud` 0: it has none."""

    name: str
    kind: str
    content: str = ""
    baud: int = 0
    parity: str = "N"


class Hello(msgspec.Struct, frozen=True):
    """Whose wires these are."""

    format: Literal[1]
    board: str
    wires: tuple[TapWire, ...]


class Passed(msgspec.Struct, frozen=True, gc=False):
    """`data` passed on wire number `wire`: outward from the board, or in to it."""

    wire: int
    outward: bool
    t_ns: int
    data: bytes


class Repeated(msgspec.Struct, frozen=True, gc=False):
    """The same idle frame came in `count` times."""

    wire: int
    first_ns: int
    last_ns: int
    count: int
    frame: bytes


class Line(msgspec.Struct, frozen=True, gc=False):
    """From `t_ns` on the wire runs at `baud`, `parity` and `stopbits`."""

    wire: int
    t_ns: int
    baud: int
    parity: str
    stopbits: float


class Lost(msgspec.Struct, frozen=True, gc=False):
    """So many records, with so many bytes of wires in them, were left out up to `t_ns`."""

    t_ns: int
    records: int
    bytes_b: int


Record = Hello | Passed | Repeated | Line | Lost


def encode_hello(board: str, wires: tuple[TapWire, ...]) -> bytes:
    """The first message."""
    body = msgspec.json.encode(Hello(1, board, wires))
    return _HEAD.pack(1 + len(body), HELLO) + body


def encode_passed(wire: int, outward: bool, data: bytes, t_ns: int) -> bytes:
    """Bytes that passed."""
    return _PASSED.pack(_PASSED.size - _SIZE_B + len(data), PASSED, wire, outward, t_ns) + data


def encode_repeated(wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> bytes:
    """An idle frame in bulk."""
    size = _REPEATED.size - _SIZE_B + len(frame)
    return _REPEATED.pack(size, REPEATED, wire, first_ns, last_ns, count) + frame


def encode_line(wire: int, baud: int, parity: str, stopbits: float, t_ns: int) -> bytes:
    """Line settings."""
    return _LINE.pack(_LINE.size - _SIZE_B, LINE, wire, t_ns, baud, ord(parity), int(2 * stopbits))


def encode_lost(t_ns: int, records: int, bytes_b: int) -> bytes:
    """What was left out."""
    return _LOST.pack(_LOST.size - _SIZE_B, LOST, t_ns, records, bytes_b)


class RecordStream:
    """Bytes in, records out; cut anywhere gives the same. Messages of unknown kinds are passed over.

    Raises ValueError for what a service never sends: then it is no tap at the far end.
    """

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Record]:
        """Records completed by `data`."""
        rest = self._rest
        rest += data
        found: list[Record] = []
        at = 0
        while len(rest) - at > _SIZE_B:
            size = int.from_bytes(rest[at : at + _SIZE_B], "little")
            if not 1 <= size <= MAX_BYTES:
                raise ValueError(f"a message of {size} bytes")
            end = at + _SIZE_B + size
            if end > len(rest):
                break
            record = _decode(bytes(rest[at:end]))
            if record is not None:
                found.append(record)
            at = end
        del rest[:at]
        return found


def _decode(message: bytes) -> Record | None:
    try:
        match message[_SIZE_B]:
            case 0:
                return msgspec.json.decode(message[_HEAD.size :], type=Hello)
            case 1:
                _, _, wire, outward, t_ns = _PASSED.unpack_from(message)
                return Passed(wire, bool(outward), t_ns, message[_PASSED.size :])
            case 2:
                _, _, wire, first_ns, last_ns, count = _REPEATED.unpack_from(message)
                return Repeated(wire, first_ns, last_ns, count, message[_REPEATED.size :])
            case 3:
                _, _, wire, t_ns, baud, parity, halves = _LINE.unpack(message)
                return Line(wire, t_ns, baud, chr(parity), halves / 2)
            case 4:
                _, _, t_ns, records, bytes_b = _LOST.unpack(message)
                return Lost(t_ns, records, bytes_b)
    except (struct.error, msgspec.DecodeError) as error:
        raise ValueError(str(error)) from None
    return None
