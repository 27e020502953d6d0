r"""The serial side of an ATX-LED DALI gateway (DALI HAT): 19200 baud, 8N1, ASCII lines ended by LF.

Host to gateway, upper-case hex digits::

    h0AFE\n       send a 16 bit forward frame once
    t012E\n       the same twice, for commands that want it
    j FE\n        8 bit (a backward frame), l 24 bit, m 25 bit (8 digits); written without the blank

Gateway to host::

    JFE\n         gear answered with this byte
    N\n           nobody answered
    X\n  Z\n      collision; conflict while sending (hex digits may follow)

Source: the frames python-dali 0.16 sends and takes (dali/driver/atxled.py); no vendor document was found. That driver
takes two equal answers for one ``t``: one a frame. Whoever waits here must live with one or two.

First letters differ, so one decoder reads both directions. Lines it does not know are skipped and counted.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import msgspec

from drivers.codecs import dali

DIGITS: Final = {"h": 4, "t": 4, "j": 2, "l": 6, "m": 8, "J": 2, "N": 0, "X": 0, "Z": 0}
"""Hex digits after each letter."""

BAUD: Final = 19_200
COMMANDS: Final = frozenset("htjlm")

_TOKEN: Final = re.compile(
    rb"(?:[ht][0-9A-Fa-f]{4}|[jJ][0-9A-Fa-f]{2}|l[0-9A-Fa-f]{6}|m0[01][0-9A-Fa-f]{6}|"
    rb"(?<![0-9A-Za-z])(?:N|[XZ][0-9A-Fa-f]{0,8}))\r?\Z"
)
_LONGEST = 16  # of a line with its end; a tail this long always holds the token and the byte before it
_LIMIT = 64


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line: its letter, and its hex digits as a number (None where there are none): ``Line("J", 254)``."""

    letter: str
    value: int | None = None


@lru_cache(maxsize=1024)
def encode(letter: str, value: int | None = None) -> bytes:
    """A line as bytes: ``encode("h", 0x0AFE) == b"h0AFE\\n"``. Raises ValueError: unknown letter, value too large."""
    digits = DIGITS.get(letter)
    limit = 1 << 25 if letter == "m" else 1 << 4 * (digits or 0)
    if digits is None or (value is not None and not 0 <= value < limit) or (value is None) != (digits == 0):
        raise ValueError(f"no ATX-LED line has letter {letter!r} and value {value}")
    return (letter if value is None else f"{letter}{value:0{digits}X}").encode() + b"\n"


@lru_cache(maxsize=1024)
def _parse(raw: bytes) -> tuple[Line | None, int]:
    """A line without its LF: what it says, and how many of its bytes were skipped."""
    match = _TOKEN.search(raw)
    if match is None:
        return None, len(raw) + 1
    token = match[0].rstrip(b"\r")
    return Line(chr(token[0]), int(token[1:], 16) if len(token) > 1 else None), match.start()


class LineStream:
    """Bytes in, lines out; split anywhere gives the same lines. Never raises, holds at most 64 bytes.

    `skipped_bytes` counts what was no line. Rubbish before a line on the same line is skipped, the line is taken.
    """

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self._rest = b""

    def feed(self, data: bytes) -> list[Line]:
        """Lines completed by `data`, oldest first."""
        *complete, rest = (self._rest + data).split(b"\n") if self._rest else data.split(b"\n")
        lines = []
        for raw in complete:
            if len(raw) > _LIMIT:  # keep the cache of parsed lines small
                self.skipped_bytes += len(raw) - _LONGEST
                raw = raw[-_LONGEST:]
            line, skipped = _parse(raw)
            self.skipped_bytes += skipped
            if line is not None:
                lines.append(line)
        if len(rest) > _LIMIT:
            self.skipped_bytes += len(rest) - _LONGEST
            rest = rest[-_LONGEST:]
        self._rest = rest
        return lines

    @property
    def pending_bytes(self) -> int:
        """Bytes of a line not yet ended."""
        return len(self._rest)

    def snapshot(self) -> dict[str, Any]:
        """All state."""
        return {"rest": self._rest.hex(), "skipped_bytes": self.skipped_bytes}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._rest, self.skipped_bytes = bytes.fromhex(state["rest"]), state["skipped_bytes"]


def decode_events(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """For the command line: JSON-able events of a whole recording, and how many bytes were skipped.

    `data` is either what passed on the serial wire (it holds a line this codec knows) or raw forward frames, two bytes
    each. Types: ``dali_frame`` (see `dali.decode`), ``dali_answer``, ``dali_no_answer``, ``dali_collision``,
    ``dali_conflict``, ``dali_other`` (8, 24 and 25 bit frames).
    """
    stream = LineStream()
    lines = stream.feed(data)
    if lines:
        return [_event(line) for line in lines], stream.skipped_bytes + stream.pending_bytes
    frames = [data[at] << 8 | data[at + 1] for at in range(0, len(data) - 1, 2)]
    return [{"type": "dali_frame", **_frame(frame)} for frame in frames], len(data) % 2


def decode_lines(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """The same for what passed on the serial wire only: bytes that are no line are skipped."""
    stream = LineStream()
    return [_event(line) for line in stream.feed(data)], stream.skipped_bytes + stream.pending_bytes


def _frame(frame: int) -> dict[str, Any]:
    return {**dali.decode(frame), "text": dali.describe(frame)}


def _event(line: Line) -> dict[str, Any]:
    letter, value = line.letter, line.value
    if letter in "ht" and value is not None:
        return {"type": "dali_frame", "wire": letter, **_frame(value)}
    if letter == "J":
        return {"type": "dali_answer", "answer": value}
    if letter in "NXZ":
        return {"type": {"N": "dali_no_answer", "X": "dali_collision", "Z": "dali_conflict"}[letter]}
    return {"type": "dali_other", "wire": letter, "bits": {"j": 8, "l": 24, "m": 25}[letter], "value": value}
