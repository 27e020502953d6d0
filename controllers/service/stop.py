"""SIGINT and SIGTERM as a wish: the loop is woken, sees it, and stops cleanly."""

from __future__ import annotations

import signal
import socket
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """While entered, SIGINT and SIGTERM set `asked` and nothing else. For the main thread.

    It is a source for poll(), for a handler alone does not end a poll() that is under way (PEP 475). Further signals
    change nothing: a clean stop is short.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)
        self._wakeup_before = signal.set_wakeup_fd(self._far.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        self._near.close()
        self._far.close()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True

    def fileno(self) -> int | None:
        """Readable after a signal."""
        return self._near.fileno()

    def pump(self, t_ns: int) -> None:
        """Forget the wake-ups that have come."""
        try:
            self._near.recv(4096)
        except BlockingIOError:
            return
