"""What systemd hears of us: sd_notify(3), spoken to its datagram socket, without a library and without ever waiting.

WATCHDOG=1 is said from a beat, which the loop gives on its own thread after a turn and only while it is well. A loop
that hangs gives none, and systemd ends the process: no thread feeds it behind the loop's back.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping

from drivers.units import NS_PER_S

FEEDS_A_TIMEOUT = 4
"""So often is the watchdog fed within its time: three may get lost."""

STATUS_B = 512
NS_PER_US = 1_000


class Notifier:
    """Says nothing where nobody asked to hear it (``NOTIFY_SOCKET`` is not set).

    Args:
        environ: ``NOTIFY_SOCKET`` (a path, or ``@name`` of the abstract space), ``WATCHDOG_USEC``, ``WATCHDOG_PID``.
        is_ready: asked at each beat until it says yes, e.g. whether a tick has run.
    """

    def __init__(self, environ: Mapping[str, str], is_ready: Callable[[], bool] = lambda: True) -> None:
        self.sent = self.lost = 0
        """Datagrams; `lost` are those that systemd did not take, and the next beat makes up for them."""
        self.is_said_ready = False
        place = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + place[1:] if place.startswith("@") else place
        self._socket = None
        if place:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self.timeout_ns = _timeout_ns(environ)
        """Within which systemd wants to be fed; 0 where it does not."""
        self._is_ready = is_ready
        self._due_ns = 0
        self._status = ""

    def beat(self, t_ns: int) -> None:
        """The loop has come around and is well: READY=1 the first time, WATCHDOG=1 when it is due."""
        if self._socket is None or t_ns < self._due_ns:
            return
        if not self.is_said_ready:
            if not self._is_ready():
                return
            self.is_said_ready = self._say("READY=1" + (f"\nSTATUS={self._status}" if self._status else ""))
        if self.timeout_ns and self._say("WATCHDOG=1"):
            self._due_ns = t_ns + self.timeout_ns // FEEDS_A_TIMEOUT

    def status(self, text: str) -> None:
        """One line for ``systemctl status``; cut where it is long. Nothing where it says what it said before."""
        line = " ".join(text.split()).encode()[:STATUS_B].decode(errors="ignore")
        if line != self._status:
            self._status = line
            self._say(f"STATUS={line}")

    def stopping(self) -> None:
        """A clean stop has begun."""
        self._say("STOPPING=1")

    def close(self) -> None:
        """A second call does nothing."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def figures(self) -> dict[str, object] | None:
        """For people; None where systemd does not listen."""
        if self._socket is None:
            return None
        return {"timeout_s": self.timeout_ns / NS_PER_S, "ready": self.is_said_ready, "lost": self.lost}

    def _say(self, text: str) -> bool:
        if self._socket is None:
            return False
        try:
            self._socket.sendto(text.encode(), self._address)
        except OSError:  # its queue is full, or it is gone: neither is a reason to wait
            self.lost += 1
            return False
        self.sent += 1
        return True


def _timeout_ns(environ: Mapping[str, str]) -> int:
    """Zero where there is no watchdog, or it is another process's."""
    try:
        if int(environ.get("WATCHDOG_PID") or os.getpid()) != os.getpid():
            return 0
        return max(0, int(environ.get("WATCHDOG_USEC") or 0)) * NS_PER_US
    except ValueError:
        return 0
