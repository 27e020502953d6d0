"""Time is an integer: nanoseconds on a monotonic clock. The only module that imports `time`."""

from __future__ import annotations

import time
from typing import Protocol

from drivers.units import NS_PER_S


class Clock(Protocol):
    """What a loop may ask: the time, and to be woken at an absolute time."""

    def now_ns(self) -> int:
        """Monotonic time in nanoseconds."""

    def sleep_until_ns(self, deadline_ns: int) -> None:
        """Return at `deadline_ns` or later; at once if it has passed."""


class SystemClock:
    """The machine's monotonic clock."""

    def now_ns(self) -> int:
        """Monotonic time in nanoseconds."""
        return time.monotonic_ns()

    def sleep_until_ns(self, deadline_ns: int) -> None:
        """Sleep to an absolute deadline; a signal in between does not shorten it (PEP 475)."""
        while (left_ns := deadline_ns - time.monotonic_ns()) > 0:
            time.sleep(left_ns / NS_PER_S)

    def utc_ns(self) -> int:
        """Wall time, UTC since 1970 in nanoseconds. An input like any other: it may step at any time."""
        return time.time_ns()


def cpu_time_ns() -> int:
    """Processor time this process has used, in nanoseconds; for figures, never for decisions."""
    return time.process_time_ns()


def thread_cpu_ns() -> int:
    """Processor time the calling thread has used, in nanoseconds; to tell work from waiting, never for decisions."""
    return time.thread_time_ns()


class VirtualClock:
    """A clock that goes where it is told. Never back."""

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        """Virtual time in nanoseconds."""
        return self._now_ns

    def sleep_until_ns(self, deadline_ns: int) -> None:
        """Jump to `deadline_ns`; a deadline that has passed changes nothing."""
        self._now_ns = max(self._now_ns, deadline_ns)
