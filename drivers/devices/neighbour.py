"""The other controller: messages out and in over one link, and a word when it falls silent."""

from __future__ import annotations

from typing import Any

from drivers.codecs.json_lines import JsonLines, encode
from drivers.devices.listener import Listener
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import Message


class Neighbour(Listener):
    """A peer controller. Anything it says proves that it lives; silence for `stale_ns` is reported once."""

    def __init__(self, name: str, link: ByteLink, emit: Emit, *, stale_ns: int = 30_000_000_000) -> None:
        self.stream = JsonLines()
        super().__init__(name, self.stream, emit, stale_ns, "no message")
        self._link = link
        link.receiver = self.on_bytes

    def publish(self, body: dict[str, Any], now_ns: int) -> None:
        """Send one message."""
        self._link.write(encode(body), now_ns)

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """Bytes came."""
        for body in self.stream.feed(data):
            self._heard(t_ns)
            self._emit(Message(t_ns, self.name, body))
