"""Messages between controllers: one JSON object a line, UTF-8, ended by a newline.

Example: ``{"kind":"rider","id":7,"x_mm":150000,"v_mm_s":5500,"age_ms":12}``
"""

from __future__ import annotations

from typing import Any

import msgspec

MAX_LINE_BYTES = 4096
MAX_BRACKETS = 128
"""Opening brackets in a line. How deep nesting may go is left to nobody's stack: it differs between Python versions."""

_decoder = msgspec.json.Decoder(dict[str, Any])


def encode(body: dict[str, Any]) -> bytes:
    """One line. Keys keep their order, so the same body gives the same bytes."""
    return msgspec.json.encode(body) + b"\n"


class JsonLines:
    """Finds objects in a byte stream. Never raises; skips and counts lines that are none, too long or too deep.

    The newline of a skipped line counts as skipped too. Holds at most one line of 4096 bytes.
    """

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self._pending = b""
        self._overlong = False

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """All objects whose line is complete with `data`."""
        *lines, rest = (self._pending + data).split(b"\n")
        bodies = []
        for line in lines:
            if self._overlong or len(line) > MAX_LINE_BYTES:  # too long, or the end of one given up before
                self._overlong = False
                self.skipped_bytes += len(line) + 1
                continue
            if line.count(b"[") + line.count(b"{") > MAX_BRACKETS:
                self.skipped_bytes += len(line) + 1
                continue
            try:
                bodies.append(_decoder.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError):
                self.skipped_bytes += len(line) + 1
        if self._overlong or len(rest) > MAX_LINE_BYTES:
            self._overlong = True
            self.skipped_bytes += len(rest)
            rest = b""
        self._pending = rest
        return bodies

    def snapshot(self) -> dict[str, Any]:
        """State as JSON-able values."""
        return {"pending": self._pending.hex(), "skipped_bytes": self.skipped_bytes, "overlong": self._overlong}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._pending = bytes.fromhex(state["pending"])
        self.skipped_bytes, self._overlong = state["skipped_bytes"], state["overlong"]
