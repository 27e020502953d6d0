"""Lunatone SCI RS232: the serial side of a DALI gateway. 38400 baud, 8N1, five bytes a frame, no head::

    control u8 | d0 | d1 | d2 | XOR of the four

Host to gateway: what to send, from the left (8 bits in d0, 16 in d0 d1)::

    control  bit 7 monitor, 6 identify, 5 echo, 4 send twice; low four bits what: 2 8 bit, 3 16 bit, 8 24 bit

Gateway to host: high four bits of control are the gateway's number, the low four say what came::

    0 OK    1 no DALI answer    2 8 bits heard    3 16 bits    8 24 bits    7 error, d2 says which (see ERRORS)

What was heard stands on the right (8 bits in d2, 16 in d1 d2), as python-dali 0.16 reads it (dali/driver/serial.py,
which names Lunatone's paper D0045; the paper was not at hand). An answer is taken on the left too: of its three bytes
two are 0, so which it is cannot be mistaken. A 16 bit frame with 0 on both sides is taken for one on the right.

Example: ``03 0A FE 00 F7`` sends DAPC(short address 5, 254) once; ``02 00 00 FE FC`` is the answer 254.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from drivers.codecs.luba import frame_event

BAUD: Final = 38_400
FRAME_BYTES: Final = 5

OK, NO, FRAME_8, FRAME_16, EDALI, DSI, FRAME_17, ERROR, FRAME_24 = range(9)
"""What a frame is: the low four bits of its control byte."""

MONITOR, IDENTIFY, ECHO, TWICE = 0x80, 0x40, 0x20, 0x10
"""Bits of a control byte from the host."""

BITS: Final = {FRAME_8: 8, FRAME_16: 16, FRAME_17: 17, FRAME_24: 24}
_CODES: Final = {8: FRAME_8, 16: FRAME_16, 24: FRAME_24}

ERRORS: Final = {
    1: "checksum was wrong",
    2: "short circuit on the bus",
    3: "what was heard is no frame",
    4: "gateway does not understand",
    5: "collision",
}
SHORT_CIRCUIT, NO_FRAME, COLLISION = 2, 3, 5


class Message(msgspec.Struct, frozen=True, gc=False):
    """One frame of either direction: ``Message(0x03, b"\\x0a\\xfe\\x00")``."""

    control: int
    data: bytes

    @property
    def code(self) -> int:
        """What it is: OK, NO, FRAME_8 … FRAME_24, ERROR."""
        return self.control & 0x0F

    @property
    def answer(self) -> int:
        """Of FRAME_8: the byte, on whichever side it stands."""
        return self.data[2] or self.data[0]

    @property
    def frame(self) -> int:
        """Of FRAME_16: the frame; on the left only where the right is 0 and the left is not."""
        d0, d1, d2 = self.data
        return d0 << 8 | d1 if d0 and not d2 else d1 << 8 | d2

    @property
    def error(self) -> int:
        """Of ERROR: a key of ERRORS, or one nobody knows."""
        return self.data[2] or self.data[0]


def encode(control: int, data: bytes = b"\x00\x00\x00") -> bytes:
    """Any frame: ``encode(0x03, b"\\x0a\\xfe\\x00").hex() == "030afe00f7"``. Raises ValueError."""
    if len(data) != 3 or not 0 <= control <= 0xFF or control & 0x0F > FRAME_24:
        raise ValueError(f"no SCI frame has control {control:#x} and {len(data)} bytes of data")
    return b"%c%b%c" % (control, data, control ^ data[0] ^ data[1] ^ data[2])


@lru_cache(maxsize=1024)
def encode_send(frame: int, *, bits: int = 16, twice: bool = False, flags: int = 0) -> bytes:
    """Host: send a frame of 8, 16 or 24 bits, on the left: ``encode_send(0x0AFE).hex() == "030afe00f7"``.

    `flags` from MONITOR, IDENTIFY, ECHO. Raises ValueError.
    """
    if bits not in _CODES or not 0 <= frame < 1 << bits:
        raise ValueError(f"no SCI frame of {bits} bits carries {frame:#x}")
    return encode(flags | (TWICE if twice else 0) | _CODES[bits], (frame << 24 - bits).to_bytes(3, "big"))


def encode_heard(value: int, *, bits: int = 8, number: int = 0) -> bytes:
    """Gateway `number`: a frame was heard, on the right: ``encode_heard(254).hex() == "020000fefc"``."""
    return encode(number << 4 | _CODES[bits], value.to_bytes(3, "big"))


class SciStream:
    """Finds frames in a byte stream. Never raises, holds four bytes at most, counts what it skips.

    There is no head to look for, and a frame that comes again and again has a true XOR at any place of it. So as long
    as frames follow each other without a gap the stream is in step, and takes what has a true XOR and a code. After a
    byte too many it takes only what also has zeros where its code wants them; five bytes of rubbish pass that once in
    some 100,000 times. `forget` brings it back into step at a moment when nothing can be under way.
    """

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self._pending = b""
        self._in_step = True

    @property
    def pending_bytes(self) -> int:
        """Bytes that may still become a frame: four at most."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[Message]:
        """Frames that are complete with `data`, oldest first."""
        if self._pending:
            data = self._pending + data
        found = []
        at, last = 0, len(data) - FRAME_BYTES
        while at <= last:
            control, d0, d1, d2, check = data[at : at + FRAME_BYTES]
            if control ^ d0 ^ d1 ^ d2 == check and (
                control & 0x0F <= FRAME_24 if self._in_step else _is_certain(control & 0x0F, d0, d1, d2)
            ):
                found.append(Message(control, data[at : at + 3 + 1][1:]))
                self._in_step = True
                at += FRAME_BYTES
            else:
                self._in_step = False
                self.skipped_bytes += 1
                at += 1
        self._pending = data[at:]
        return found

    def forget(self) -> None:
        """Nothing more will come of what has begun: a frame starts with the next byte."""
        self.skipped_bytes += len(self._pending)
        self._pending = b""
        self._in_step = True

    def snapshot(self) -> dict[str, Any]:
        """All state."""
        return {"pending": self._pending.hex(), "in_step": self._in_step, "skipped_bytes": self.skipped_bytes}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._pending, self._in_step = bytes.fromhex(state["pending"]), state["in_step"]
        self.skipped_bytes = state["skipped_bytes"]


def _is_certain(code: int, d0: int, d1: int, d2: int) -> bool:
    """Whether the zeros stand where this code wants them."""
    if code <= NO:
        return not (d0 or d1 or d2)
    if code == FRAME_16:
        return not (d0 and d2)
    return code in (FRAME_8, ERROR) and not (d0 or d1) and (code == FRAME_8 or d2 in ERRORS)


def decode_events(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """For the command line: JSON-able events of a whole recording, both directions, and how many bytes were skipped.

    Types: ``sci_ok``, ``dali_no_answer``, ``dali_answer``, ``dali_frame`` (`side`: "left" as the host sends, "right" as
    the gateway tells), ``dali_other``, ``sci_error``.
    """
    stream = SciStream()
    events = [_jsonable(message) for message in stream.feed(data)]
    stream.forget()
    return events, stream.skipped_bytes


def _jsonable(message: Message) -> dict[str, Any]:
    code, data = message.code, message.data
    fields: dict[str, Any] = {"control": f"0x{message.control:02x}"}
    if code == OK:
        return {"type": "sci_ok", **fields}
    if code == NO:
        return {"type": "dali_no_answer", **fields}
    if code == ERROR:
        return {"type": "sci_error", "error": message.error, "text": ERRORS.get(message.error, "unknown"), **fields}
    if code == FRAME_8:
        return {**frame_event("sci", 8, bytes((message.answer,))), **fields}
    if code == FRAME_16:
        side = "left" if data[0] and not data[2] else "right"
        return {**frame_event("sci", 16, message.frame.to_bytes(2, "big")), "side": side, **fields}
    return {**frame_event("sci", BITS.get(code, 24), data), **fields}
