"""Wall time as an input: when to say it, and whether the system vouches for it.

It is said at the start, every minute, and as soon as (checked once a second) it has stepped by more than 100 ms or its
synchronisation has changed. In between, policies and gates go by the monotonic clock.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Final, Protocol

from drivers.clock import Clock
from drivers.quantities import WallTime
from drivers.units import NS_PER_MS, NS_PER_S

CHECK_NS: Final = NS_PER_S
REPEAT_NS: Final = 60 * NS_PER_S
STEP_NS: Final = 100 * NS_PER_MS

_TIMEX_BYTES: Final = 512  # struct timex has 208 on 64-bit Linux
_TIME_ERROR: Final = 5  # the clock is not synchronised (<sys/timex.h>)


class WallClock(Clock, Protocol):
    """A clock that knows the date, rightly or not."""

    def utc_ns(self) -> int:
        """UTC since 1970, in nanoseconds."""


class WallTimeSource:
    """Decides at each check whether wall time has to be said.

    Args:
        clock: monotonic and wall time.
        synchronised: whether the wall time can be trusted now.
    """

    def __init__(self, clock: WallClock, synchronised: Callable[[], bool]) -> None:
        self._clock, self._synchronised = clock, synchronised
        self._said: tuple[int, bool] | None = None
        self._said_ns = 0

    def check(self, t_ns: int) -> WallTime | None:
        """The wall time at `t_ns`, which is now or shortly before, if it has to be said; else None."""
        before_ns = self._clock.now_ns()
        utc_ns = self._clock.utc_ns()
        offset_ns = utc_ns - (before_ns + self._clock.now_ns()) // 2
        synchronised = self._synchronised()
        if (
            self._said is not None
            and abs(offset_ns - self._said[0]) <= STEP_NS
            and synchronised == self._said[1]
            and t_ns - self._said_ns < REPEAT_NS
        ):
            return None
        self._said, self._said_ns = (offset_ns, synchronised), t_ns
        return WallTime(t_ns, "wall", t_ns + offset_ns, synchronised)


def system_synchronised() -> bool:
    """Whether the kernel counts the system's clock as disciplined (by NTP, PTP or GPS): adjtimex(2), read only.

    The kernel clears it by itself some hours after the last correction, when the estimated error passes 16 s. False as
    well where the question is not allowed. Where a real-time clock alone is to be trusted, this says no.
    """
    request = ctypes.create_string_buffer(_TIMEX_BYTES)  # modes = 0: change nothing
    state: int = ctypes.CDLL(None).adjtimex(request)
    return 0 <= state < _TIME_ERROR
