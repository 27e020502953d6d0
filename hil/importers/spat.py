"""Recorded SPAT messages to timed chunks for a trace.

Times are the messages' own: the first is 0, then as the controller's clock goes. Where that clock stands still, goes
back, jumps by more than a day or is missing, 100 ms a message are assumed. Times never go back.

Nothing is dropped that was on the wire: damaged messages and those of other types or stations are handed on as they
are, so that a replay meets them too. Hex lines that cannot be bytes are reported with their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from drivers.codecs.spat import Intersection, message_ms
from drivers.codecs.spat_uper import SpatUperStream
from drivers.codecs.spat_xml import MessageCutter, SpatXmlStream
from drivers.errors import InputError
from drivers.units import NS_PER_MS

STEP_NS = 100 * NS_PER_MS
"""Assumed between messages whose own clock does not help; SPAT comes ten times a second."""

_LONGEST_GAP_MS = 86_400_000
_BLOCK_BYTES = 1 << 20
_MAX_LINE_BYTES = 1 << 16


class BrokenLine(msgspec.Struct, frozen=True):
    """A line of a hex file that is no bytes. `line` counts from 1."""

    line: int
    reason: str


class SpatCounts(msgspec.Struct):
    """What a file held; complete when its iterator is exhausted. `assumed_steps`: messages without useful clock."""

    messages: int = 0
    bad_messages: int = 0
    other_messages: int = 0
    skipped_bytes: int = 0
    assumed_steps: int = 0
    broken_lines: list[BrokenLine] = msgspec.field(default_factory=list)


class _StationClock(msgspec.Struct):
    """One station's clock: at `anchor_ns` of the trace it showed `anchor_ms`. Its last message came at `last_ns`."""

    anchor_ms: int | None
    anchor_ns: int
    last_ns: int


class _Times:
    """From the messages' clocks to times of a trace; each station's clock stands for itself."""

    def __init__(self) -> None:
        self.assumed = 0
        self._last_ns = 0
        self._stations: dict[int, _StationClock] = {}

    def of(self, intersection: Intersection) -> int:
        """The time of a message, in ns since the first."""
        now_ms = message_ms(intersection.minute_of_year, intersection.timestamp_ms)
        clock = self._stations.get(intersection.station)
        if clock is None:
            self._stations[intersection.station] = _StationClock(now_ms, self._last_ns, self._last_ns)
            return self._last_ns
        step_ms = None if now_ms is None or clock.anchor_ms is None else now_ms - clock.anchor_ms
        if step_ms is not None and 0 < step_ms <= _LONGEST_GAP_MS:
            t_ns = max(clock.anchor_ns + step_ms * NS_PER_MS, self._last_ns)
        else:
            self.assumed += 1
            t_ns = max(clock.last_ns + STEP_NS, self._last_ns)
        # a clock that stands still keeps its anchor: when it goes on, it may know how long it stood
        if now_ms is not None and step_ms != 0:
            clock.anchor_ms, clock.anchor_ns = now_ms, t_ns
        clock.last_ns = self._last_ns = t_ns
        return t_ns

    def of_damaged(self) -> int:
        """The time of a message that cannot be read."""
        self.assumed += 1
        if self._stations:
            self._last_ns += STEP_NS
        return self._last_ns

    def of_other(self) -> int:
        """The time of a message of another type: that of the message before it."""
        return self._last_ns


def spat_xml_messages(path: Path, counts: SpatCounts | None = None) -> Iterator[tuple[int, bytes]]:
    """(t_ns, bytes) of each message in a file of one or more SPATEM XML messages; together they are the file.

    Raises InputError: unreadable or empty file at once, a file without any message at its end.
    """
    pieces = _xml_pieces(_open(path))
    return _timed(path, pieces, SpatXmlStream(groups=frozenset()), SpatCounts() if counts is None else counts)


def spat_hex_messages(path: Path, counts: SpatCounts | None = None) -> Iterator[tuple[int, bytes]]:
    """(t_ns, bytes) of each line of a file with one UPER message a line in hex; blank lines and # comments are passed.

    Raises InputError as `spat_xml_messages` does.
    """
    counts = SpatCounts() if counts is None else counts
    return _timed(path, _hex_lines(_open(path), counts), SpatUperStream(groups=frozenset()), counts)


def _open(path: Path) -> BinaryIO:
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: is empty; give a file with SPAT messages")
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _timed(
    path: Path, chunks: Iterator[bytes], stream: SpatXmlStream | SpatUperStream, counts: SpatCounts
) -> Iterator[tuple[int, bytes]]:
    times = _Times()
    try:
        for chunk in chunks:
            others = stream.other_messages
            found = stream.feed(chunk)
            if found:
                t_ns = times.of(found[0])
            else:
                t_ns = times.of_other() if stream.other_messages > others else times.of_damaged()
            yield t_ns, chunk
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    stream.finish()
    counts.messages, counts.bad_messages = stream.messages, stream.bad_messages
    counts.other_messages, counts.skipped_bytes = stream.other_messages, stream.skipped_bytes
    counts.assumed_steps = times.assumed
    if not stream.messages and not stream.other_messages:
        raise InputError(f"{path}: holds no SPAT message that can be read{_first(counts)}")


def _first(counts: SpatCounts) -> str:
    return f"; line {counts.broken_lines[0].line}: {counts.broken_lines[0].reason}" if counts.broken_lines else ""


def _xml_pieces(file: BinaryIO) -> Iterator[bytes]:
    cutter = MessageCutter()
    held = b""  # one piece back, so that blanks at the end of the file stay with the last message
    with file:
        while block := file.read(_BLOCK_BYTES):
            for piece in cutter.feed(block):
                if held:
                    yield held
                held = piece
    rest = cutter.finish()
    if held and not rest.strip():
        held, rest = held + rest, b""
    yield from (piece for piece in (held, rest) if piece)


def _hex_lines(file: BinaryIO, counts: SpatCounts) -> Iterator[bytes]:
    number = 0
    with file:
        while line := file.readline(_MAX_LINE_BYTES):
            number += 1
            whole = line
            while len(whole) == _MAX_LINE_BYTES and not whole.endswith(b"\n"):  # the rest of a line that never ends
                whole = file.readline(_MAX_LINE_BYTES)
            text = line.strip()
            if not text or text.startswith(b"#"):
                continue
            if whole is not line:
                counts.broken_lines.append(BrokenLine(number, f"longer than {_MAX_LINE_BYTES} characters"))
                continue
            try:
                chunk = bytes.fromhex(text.decode("ascii"))
            except ValueError:
                counts.broken_lines.append(BrokenLine(number, "not hexadecimal digits in pairs"))
                continue
            yield chunk
