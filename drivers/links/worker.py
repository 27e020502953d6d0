"""A thread for what blocks (I2C transfers, edges, a broker, slow libraries), so that the loop never does.

The loop hands work over and is woken through a file descriptor when something came of it. Both ways are bounded. This
is the only module of the drivers that knows threads.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Outcome = TypeVar("Outcome")

STACK_B = 1 << 20
"""Of every thread from here on, also those of libraries. Of the usual 8 MiB a service with locked memory holds all."""

threading.stack_size(STACK_B)

JOIN_S = 2.0
"""How long `close` waits for a call that is under way."""


class Mailbox(Generic[Outcome]):
    """Outcomes from any thread to the loop's: `put` there, `fileno` in poll(), `take` here. Holds `limit` at most.

    When it is full the oldest goes (`dropped` counts them): the newest state of the world is worth more.
    """

    def __init__(self, limit: int) -> None:
        self.dropped = 0
        self._held: deque[Outcome] = deque()
        self._limit = limit
        self._lock = threading.Lock()
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def put(self, outcome: Outcome) -> None:
        """From any thread, also after `close` (then it is dropped)."""
        with self._lock:
            if self._fd < 0:
                return
            if len(self._held) >= self._limit:
                self._held.popleft()
                self.dropped += 1
            self._held.append(outcome)
            os.eventfd_write(self._fd, 1)

    def take(self) -> list[Outcome]:
        """All that has come, oldest first; never waits."""
        with self._lock:
            if self._fd < 0:
                return []
            try:
                os.eventfd_read(self._fd)
            except BlockingIOError:
                return []
            held = list(self._held)
            self._held.clear()
            return held

    def fileno(self) -> int | None:
        """For poll(); None after `close`."""
        return self._fd if self._fd >= 0 else None

    def close(self) -> None:
        """Close; a second call does nothing."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1


class Worker:
    """One daemon thread that runs calls in order; `submit` never waits and refuses (False) beyond `limit`.

    A call must bring its outcome home itself (`Mailbox.put`) and must not raise. `idle`, where given, is called when
    no call came for `idle_s`.
    """

    def __init__(
        self, name: str, *, limit: int = 64, idle: Callable[[], None] | None = None, idle_s: float | None = None
    ) -> None:
        self._calls: deque[Callable[[], None]] = deque()
        self._limit, self._idle, self._idle_s = limit, idle, idle_s
        self._change = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, call: Callable[[], None]) -> bool:
        """Run `call` after those before it; False when `limit` calls wait already, or after `close`."""
        with self._change:
            if self._closed or len(self._calls) >= self._limit:
                return False
            self._calls.append(call)
            self._change.notify()
            return True

    def close(self) -> None:
        """No further calls; waits at most `JOIN_S` for the one under way. A second call does nothing."""
        with self._change:
            self._closed = True
            self._calls.clear()
            self._change.notify()
        if self._thread is not threading.current_thread():
            self._thread.join(JOIN_S)

    def _run(self) -> None:
        while True:
            with self._change:
                if not self._calls and not self._closed:
                    self._change.wait(self._idle_s)
                if self._closed:
                    return
                call = self._calls.popleft() if self._calls else self._idle
            if call is not None:
                call()
