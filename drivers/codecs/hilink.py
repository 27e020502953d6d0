"""What Hi-Link's LD2451, LD2450 and LD2410 have in common: the envelope of commands, and frames without a checksum.

Command and acknowledgement, little endian::

    FD FC FB FA | length u16 | command u16 | value ... | 04 03 02 01     (acknowledgement: command | 0x0100, status u16)

Length counts from the command to the last byte of the value. Status 0 is done, 1 is refused. Nothing but 0x00FF is
listened to outside of configuration, and a part in configuration sends no reports: enable (0x00FF), commands, end
(0x00FE). Read and written by all three: version (0x00A0), baud rate (0x00A1), factory settings (0x00A2), restart
(0x00A3).

Source: Hi-Link's serial protocols of LD2451 V1.03, LD2450 V1.03 and LD2410C V1.00. The paper of the LD2451 prints the
acknowledgement of 0x00A0 with length 11 before 12 bytes, and that of 0x00FF with or without a buffer size: both lengths
are taken, and values are read as long as they are. Verified by the vendor's frames; on no part of our own.
Example: ``FDFCFBFA 0400 FF00 0100 04030201`` enables configuration, ``FDFCFBFA 0800 FF01 0000 0100 4000 04030201`` is
the answer of an LD2450.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import msgspec

ACK_HEAD, ACK_TAIL = b"\xfd\xfc\xfb\xfa", b"\x04\x03\x02\x01"
MAX_ACK_PAYLOAD = 64  # the longest known command or acknowledgement carries 30 bytes
OVERHEAD = 10
"""Bytes of head, length and tail."""

ENABLE: Final = 0x00FF
END: Final = 0x00FE
VERSION: Final = 0x00A0
BAUD: Final = 0x00A1
FACTORY: Final = 0x00A2
RESTART: Final = 0x00A3

BAUDS: Final = (9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 256_000, 460_800)
"""Bit rates in the order of their numbers, which begin at 1."""

_ACK_BIT = 0x0100
_VERSION_ACK = VERSION | _ACK_BIT
_VERSION_PRINTED = 11

R = TypeVar("R")


class Ack(msgspec.Struct, frozen=True, gc=False):
    """An acknowledgement: the command it answers, status 0 for done, and what follows: ``Ack(0xFE, 0, b"")``."""

    command: int
    status: int
    value: bytes


class Command(msgspec.Struct, frozen=True, gc=False):
    """A command, heard on the line to the part: ``Command(0xFF, b"\\x01\\x00")`` enables configuration."""

    command: int
    value: bytes


def encode_command(command: int, value: bytes = b"") -> bytes:
    """A command frame, e.g. ``encode_command(0x00FF, b"\\x01\\x00")`` to enable configuration."""
    return ACK_HEAD + (len(value) + 2).to_bytes(2, "little") + command.to_bytes(2, "little") + value + ACK_TAIL


def encode_ack(ack: Ack) -> bytes:
    """The far end's side: ``encode_ack(Ack(0xFE, 0, b""))`` is ``FDFCFBFA 0400 FE01 0000 04030201``."""
    return encode_command(ack.command | _ACK_BIT, ack.status.to_bytes(2, "little") + ack.value)


def enable() -> bytes:
    """Begin configuration; answered with the protocol's version and perhaps a buffer size."""
    return encode_command(ENABLE, b"\x01\x00")


def end() -> bytes:
    """End configuration: the part reports again."""
    return encode_command(END)


def read_version() -> bytes:
    """Ask for the firmware; `version_text` reads the answer."""
    return encode_command(VERSION)


def set_baud(baud: int) -> bytes:
    """Another bit rate, from the next start on. Raises ValueError for one that the parts do not have."""
    if baud not in BAUDS:
        raise ValueError(f"{baud} baud; one of {', '.join(map(str, BAUDS))}")
    return encode_command(BAUD, (BAUDS.index(baud) + 1).to_bytes(2, "little"))


def factory_reset() -> bytes:
    """All settings as they left the factory, from the next start on."""
    return encode_command(FACTORY)


def restart() -> bytes:
    """Start anew, after the acknowledgement."""
    return encode_command(RESTART)


def version_text(value: bytes) -> str | None:
    """The firmware in the vendor's writing, from the value of the answer; None where it is too short.

    Kind of part u16, version u16, build u32, in hexadecimal digits: ``0000 0201 16240622`` is ``"V1.02.22062416"``.
    """
    if len(value) < 8:
        return None
    return f"V{value[3]}.{value[2]:02x}.{value[7]:02x}{value[6]:02x}{value[5]:02x}{value[4]:02x}"


class HilinkStream(Generic[R]):
    """Finds reports and commands in a byte stream. Never raises, holds less than one frame, counts what it skips.

    A frame is found by its tail: of the heads before it the last whose length fits wins, and of two frames that overlap
    the one that ends first. So a false head in rubbish can neither hold back nor swallow the true frame behind it, and
    the events do not depend on how the bytes were cut.

    Args:
        head, tail: of a report. The head has four bytes; the tail's last byte is not that of a command's.
        longest: bytes that a report may have.
        report: reads one from head to tail; None where it contradicts itself.
        claim: how many bytes the report that starts at a place of some data has, by its own word; 0 where none can
            start there. Six bytes are there at least.
    """

    def __init__(
        self,
        head: bytes,
        tail: bytes,
        longest: int,
        report: Callable[[bytes], R | None],
        claim: Callable[[bytes, int], int],
    ) -> None:
        self.skipped_bytes = 0
        self._pending = b""
        self._head, self._last, self._longest = head, tail[-1], longest
        self._report, self._claim = report, claim
        self._heads = re.compile(re.escape(head) + b"|" + re.escape(ACK_HEAD))
        self._tails = re.compile(re.escape(tail) + b"|" + re.escape(ACK_TAIL))

    @property
    def empty(self) -> bool:
        """True when no started frame waits for its end."""
        return not self._pending

    @property
    def pending_bytes(self) -> int:
        """Bytes that may still become a frame, less than the longest."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[R | Ack | Command]:
        """Events of all frames that are complete with `data`, in the order in which they end."""
        events: list[R | Ack | Command] = []
        known, data = len(self._pending), self._pending + data
        done = 0
        for tail in self._tails.finditer(data, max(0, known - 3)):  # no frame ends in what was pending
            end = tail.end()
            found = self._frame_up_to(end, data, done)
            if found is not None:
                event, start = found
                events.append(event)
                self.skipped_bytes += start - done
                done = end
        if done < len(data):
            kept = self._first_open_head(data, done)
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

    def _frame_up_to(self, end: int, data: bytes, low: int) -> tuple[R | Ack | Command, int] | None:
        """The frame that ends with the tail at `end` and starts at `low` or later, and its start."""
        is_report = data[end - 1] == self._last
        head, longest = (self._head, self._longest) if is_report else (ACK_HEAD, OVERHEAD + MAX_ACK_PAYLOAD)
        low = max(low, end - longest)
        start = data.rfind(head, low, max(low, end - 6))
        while start >= 0:
            event = self._report(data[start:end]) if is_report else command_or_ack(data[start:end])
            if event is not None:
                return event, start
            start = data.rfind(head, low, start)
        return None

    def _first_open_head(self, data: bytes, low: int) -> int:
        """Where the first frame starts that may still be completed; the end of `data` for nowhere."""
        size = len(data)
        for match in self._heads.finditer(data, low):
            start = match.start()
            if start + self._longest_claim(data, start) > size:
                return start
        for start in range(max(low, size - 3), size):  # a head cut short
            if self._head.startswith(data[start:]) or ACK_HEAD.startswith(data[start:]):
                return start
        return size

    def _longest_claim(self, data: bytes, start: int) -> int:
        """How long the frame that starts here may be by its own word; 0 where none can be."""
        if len(data) < start + 6:
            return self._longest
        if data[start] != ACK_HEAD[0]:
            return self._claim(data, start)
        length = data[start + 4] | data[start + 5] << 8
        return OVERHEAD + length + (length == _VERSION_PRINTED) if 2 <= length <= MAX_ACK_PAYLOAD else 0


def command_or_ack(frame: bytes) -> Ack | Command | None:
    """All from a command's head to its tail; None where it contradicts itself."""
    length = len(frame) - OVERHEAD
    said, word = frame[4] | frame[5] << 8, frame[6] | frame[7] << 8
    if said != length and not (word == _VERSION_ACK and said == _VERSION_PRINTED == length - 1):
        return None
    if not word & _ACK_BIT:
        return Command(word, frame[8:-4]) if length >= 2 else None
    return Ack(word ^ _ACK_BIT, frame[8] | frame[9] << 8, frame[10:-4]) if length >= 4 else None


def jsonable(event: Ack | Command) -> dict[str, object]:
    """For the command line."""
    fields: dict[str, object] = {"command": f"0x{event.command:04x}"}
    if isinstance(event, Command):
        return {"type": "command", **fields, "value_hex": event.value.hex()}
    return {"type": "ack", **fields, "status": event.status, "value_hex": event.value.hex()}
