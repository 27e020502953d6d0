"""What a controller and the process that drives its panel say to each other. Our own format, version 1.

Records over a byte stream, both ways, numbers with the least byte first::

    4C 53 | kind | length | body           | CRC-32 (zlib's) of kind, length and body
    "LS"    u8     u24      `length` bytes   u32

=========  ========  ========================================================================================
kind       who       body
=========  ========  ========================================================================================
"F"        control   a frame (drivers.codecs.panel_frame): show it from now on, and move it by its own law
"K"        control   CRC-32 of the frame that shall be on show: I am alive, and mean that one
"A"        panel     empty: I have not got that frame, send it again (also said first, to whoever connects)
=========  ========  ========================================================================================

A panel whose last "F" or "K" is older than its blanking time, or whose frame is not the one "K" means, is dark. Any
bytes may come: what is no record is skipped and counted, and reading goes on at the next one.
"""

from __future__ import annotations

import zlib

import msgspec

from drivers.codecs.panel_frame import MAX_FRAME_BYTES

MAGIC = b"LS"
FRAME, KEEP_ALIVE, AGAIN = b"F", b"K", b"A"
_KINDS = FRAME + KEEP_ALIVE + AGAIN
_HEAD_B, _TAIL_B = 6, 4


class Record(msgspec.Struct, frozen=True):
    """One record: ``Record(b"K", b"\\x12\\x34\\x56\\x78")``."""

    kind: bytes
    body: bytes


def encode(kind: bytes, body: bytes = b"") -> bytes:
    """The bytes of a record. Raises ValueError for an unknown kind or a body that is too long."""
    if kind not in (FRAME, KEEP_ALIVE, AGAIN) or len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"record {kind!r} of {len(body)} bytes: kinds are F, K, A; {MAX_FRAME_BYTES} bytes at most")
    told = kind + len(body).to_bytes(3, "little") + body
    return MAGIC + told + zlib.crc32(told).to_bytes(4, "little")


def mark(frame: bytes) -> bytes:
    """What a keep-alive says of a frame: four bytes."""
    return zlib.crc32(frame).to_bytes(4, "little")


class PanelStream:
    """Bytes in, records out. Holds no more than the longest record."""

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self.bad_records = 0
        """Records whose CRC was wrong."""
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Record]:
        """The records that are complete now, in order."""
        held = self._held
        held += data
        found = []
        at = 0
        while True:
            start = held.find(MAGIC, at)
            if start < 0:
                start = len(held) - held.endswith(MAGIC[:1])
                self.skipped_bytes += max(0, start - at)
                at = max(at, start)
                break
            self.skipped_bytes += start - at
            at = start
            if len(held) - at < _HEAD_B:
                break
            length = int.from_bytes(held[at + 3 : at + 6], "little")
            if held[at + 2] not in _KINDS or length > MAX_FRAME_BYTES:
                self.skipped_bytes += 1
                at += 1
                continue
            end = at + _HEAD_B + length
            if len(held) < end + _TAIL_B:
                break
            if zlib.crc32(held[at + 2 : end]).to_bytes(4, "little") != held[end : end + _TAIL_B]:
                self.bad_records += 1
                self.skipped_bytes += 1
                at += 1
                continue
            found.append(Record(bytes(held[at + 2 : at + 3]), bytes(held[at + _HEAD_B : end])))
            at = end + _TAIL_B
        del held[:at]
        return found

    def forget(self) -> None:
        """Give up a record that has begun: a new far end, or one that has been silent in its middle."""
        self.skipped_bytes += len(self._held)
        self._held.clear()
