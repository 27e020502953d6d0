"""The wire to a panel process: a unix socket, for frames as records, and a keep-alive while the loop comes around.

To the board it carries bare frames, so a recording holds what was decided and not how often we said that we live.
"""

from __future__ import annotations

from drivers.codecs.panel_stream import AGAIN, FRAME, KEEP_ALIVE, PanelStream, encode, mark
from drivers.errors import LinkLost
from drivers.interfaces import Receiver, RepeatReceiver, unheard, unheard_repeat
from drivers.links.uart import UartLink
from drivers.units import FOREVER_NS, NS_PER_MS

KEEP_ALIVE_NS = 200 * NS_PER_MS
"""A fifth of the time after which the panel process blanks by itself."""


class PanelLink:
    """Implements ByteLink; opens by itself and comes back (drivers.links.poll.OpensItself).

    Args:
        name: of the wire.
        socket: path of the process's socket, e.g. ``"/run/leeze/leezenflow.panel"``.
        start: what to do where nobody listens there, e.g. the command that starts the process.
    """

    def __init__(self, name: str, socket: str, start: str) -> None:
        self.name = name
        self.receiver: Receiver = unheard
        self.repeat_receiver: RepeatReceiver = unheard_repeat
        self._socket, self._start = socket, start
        self._inner = UartLink(name, f"unix://{socket}", 1)  # a socket has no bit rate
        self._inner.receiver = self._heard
        self._stream = PanelStream()
        self._frame: bytes | None = None
        self._next_ns = FOREVER_NS

    @property
    def is_open(self) -> bool:
        """True while bytes can pass."""
        return self._inner.is_open

    @property
    def wake_ns(self) -> int:
        """When to open, to send what waits, or to say that we live."""
        return min(self._inner.wake_ns, self._next_ns) if self._inner.is_open else self._inner.wake_ns

    @property
    def trouble(self) -> str:
        """Why it is not open, and what to do; empty where it is."""
        if self._inner.is_open or not self._inner.trouble:
            return ""
        return f"no panel process at {self._socket}; start it with: {self._start}"

    def write(self, data: bytes, t_ns: int) -> None:
        """Show a frame. Raises LinkLost."""
        self._frame = data
        if not self._inner.is_open:
            raise LinkLost(self.name, t_ns, self.trouble)
        self._say(FRAME, data, t_ns)

    def advance(self, now_ns: int) -> None:
        """At `wake_ns`: open, send what waits, say that we live. Raises LinkLost."""
        was_open = self._inner.is_open
        self._inner.advance(now_ns)
        if self._inner.is_open and not was_open:
            self._stream.forget()
            self._next_ns = now_ns
        if self._inner.is_open and now_ns >= self._next_ns and self._frame is not None:
            self._say(KEEP_ALIVE, mark(self._frame), now_ns)

    def pump(self, t_ns: int) -> None:
        """Take in what the process says. Raises LinkLost; reopens when due."""
        if not self._inner.is_open:
            self.advance(t_ns)
            return
        self._inner.pump(t_ns)
        self.advance(t_ns)

    def fileno(self) -> int | None:
        """For poll(); None while it is not open."""
        return self._inner.fileno()

    def close(self) -> None:
        """Close; the process blanks the panel. A second call does nothing."""
        self._inner.close()

    def _heard(self, data: bytes, t_ns: int) -> None:
        for record in self._stream.feed(data):
            if record.kind == AGAIN and self._frame is not None:
                self._say(FRAME, self._frame, t_ns)

    def _say(self, kind: bytes, body: bytes, t_ns: int) -> None:
        self._next_ns = t_ns + KEEP_ALIVE_NS
        self._inner.write(encode(kind, body), t_ns)
