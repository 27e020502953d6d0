"""A board that is none: the unmodified program with a clock of its own and a serial number, for the stand-in rig.

    python -m hil.rig.stand_in_board OFFSET_S PPM SERIAL run --site …

Its monotonic clock counts from somewhere else and goes `PPM` millionths too fast, as that of another computer does.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from drivers.clock import SystemClock
from drivers.units import NS_PER_S

MILLION = 1_000_000


def another_clock(offset_s: int, ppm: int) -> None:
    """From now on every SystemClock of this process is one of another computer."""
    clock: Any = SystemClock
    real_now, real_sleep, real_utc = SystemClock.now_ns, SystemClock.sleep_until_ns, SystemClock.utc_ns
    offset_ns = offset_s * NS_PER_S

    def now_ns(self: SystemClock) -> int:
        return offset_ns + real_now(self) * (MILLION + ppm) // MILLION

    def sleep_until_ns(self: SystemClock, deadline_ns: int) -> None:
        real_sleep(self, -(-(deadline_ns - offset_ns) * MILLION // (MILLION + ppm)))

    def utc_ns(self: SystemClock) -> int:
        return real_utc(self) + offset_ns

    clock.now_ns, clock.sleep_until_ns, clock.utc_ns = now_ns, sleep_until_ns, utc_ns


def main(argv: Sequence[str]) -> int:
    """Be the board."""
    offset_s, ppm, serial, *words = argv
    another_clock(int(offset_s), int(ppm))
    from controllers.cli import main as controllers
    from controllers.service import bench_time

    told: Any = bench_time
    told.board_serial = lambda: serial
    return controllers(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
