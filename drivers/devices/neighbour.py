"""The other controller: messages out and in over one link, and a word when it falls silent."""

from __future__ import annotations

from typing import Any

from drivers.codecs.json_lines import JsonLines, encode
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import DeviceHealth, Message
from drivers.units import FOREVER_NS


class Neighbour:
    """A peer controller. Anything it says proves that it lives; silence for `stale_ns` is reported once."""

    def __init__(self, name: str, link: ByteLink, emit: Emit, *, stale_ns: int = 30_000_000_000) -> None:
        self.name = name
        self.wake_ns = 0
        self.stream = JsonLines()
        self._link, self._emit, self._stale_ns = link, emit, stale_ns
        self._last_ns = -1
        self._ok = True
        link.receiver = self.on_bytes

    def publish(self, body: dict[str, Any], now_ns: int) -> None:
        """Send one message."""
        self._link.write(encode(body), now_ns)

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """Bytes came."""
        for body in self.stream.feed(data):
            self._last_ns = t_ns
            self.wake_ns = t_ns + self._stale_ns
            if not self._ok:
                self._ok = True
                self._emit(DeviceHealth(t_ns, self.name, True))
            self._emit(Message(t_ns, self.name, body))

    def advance(self, now_ns: int) -> None:
        """Notice silence. The first call starts the wait for a first message."""
        if now_ns < self.wake_ns:
            return
        if self._last_ns < 0:
            self._last_ns = now_ns
            self.wake_ns = now_ns + self._stale_ns
            return
        self._ok = False
        self.wake_ns = FOREVER_NS
        self._emit(DeviceHealth(now_ns, self.name, False, "no message"))

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "wake_ns": self.wake_ns,
            "last_ns": self._last_ns,
            "ok": self._ok,
            "stream": self.stream.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.wake_ns, self._last_ns, self._ok = state["wake_ns"], state["last_ns"], state["ok"]
        self.stream.restore(state["stream"])
