"""The ledger of a lit path: who was lit in time, and what it cost. A stream in, a few counters held, figures out.

**Lit in time**: a rider counts who was owed one lamp or more (hil/judge/owed.py) in lit hours while known; the rider is
lit in time when every such lamp was at full level for the whole time it was owed. A lamp becomes owed only at a moment
in lit hours, and the end of lit hours ends what it owes; so nobody is asked to have lit a lamp before sunset. A rider
counts once, when the last lamp is done. Riders still under way when the run ends are left out.

Beside it: the share of all lamps, owed or not, known or not, that were full when a rider in lit hours first came within
10 m of them.

**Light and energy**: a fade runs evenly in arc power *level* over its duration; between two levels the output is taken
as straight. Power is `power_mw` times the output of the DALI logarithmic curve; what gear draws at level 0 is not
counted. All sums are integers (mW x ppm x ns); only `figures` rounds.

The bound: lower end of the two-sided 95 % Wilson score interval (E. B. Wilson, JASA 22, 1927). It takes riders as
independent, which riders in groups are not.
"""

from __future__ import annotations

import heapq
from math import sqrt
from typing import Any, Protocol

import msgspec

from drivers.clock import FOREVER_NS, NS_PER_S
from drivers.codecs.dali_tables import OUTPUT_PPM
from hil.judge.owed import LightPath, Walk
from hil.traffic.rider import Rider

FULL_LEVEL = 254
BASE_LEVEL = 170
"""10.1 % of full output, the base level of the reference site."""

# Twice the output summed over levels, trapezoids: light of a fade from 0 to n, if every level took 2 ns.
_FADE_SUM = [0]
for _below, _above in zip(OUTPUT_PPM[:254], OUTPUT_PPM[1:255], strict=True):
    _FADE_SUM.append(_FADE_SUM[-1] + _below + _above)
_WILSON_Z2 = 3.841459


class LitHours(Protocol):
    """When the path is lit, UTC; controllers.core.calendar.LightCalendar is one."""

    def lit_at(self, utc_ns: int) -> bool:
        """True in lit hours."""

    def next_edge_ns(self, utc_ns: int) -> int:
        """When that changes next."""


class Figures(msgspec.Struct, frozen=True):
    """What the ledger says in the end. Shares are 0 to 1, None where nothing was counted."""

    riders: int
    lit_in_time: int
    lit_share: float | None
    lit_share_low95: float | None
    lamps_met: int
    full_at_10m: int
    full_at_10m_share: float | None
    lamp_s_above_base: float
    energy_wh: float


class LampOutput:
    """One lamp's output: the running segment, its sums up to there, and its last time below full."""

    __slots__ = ("above_ns", "duration_ns", "from_level", "full_from_ns", "light", "low_from_ns", "t0_ns", "to_level")

    def __init__(self, t_ns: int, level: int) -> None:
        self.t0_ns, self.from_level, self.to_level, self.duration_ns = t_ns, level, level, 0
        self.light = 0  # ppm x ns
        self.above_ns = 0
        # The last stretch below full; FOREVER_NS while its end is not known.
        self.low_from_ns, self.full_from_ns = t_ns, FOREVER_NS

    def level_at(self, t_ns: int) -> int:
        """Arc power level at `t_ns`, not before the running segment began."""
        age_ns = t_ns - self.t0_ns
        if age_ns >= self.duration_ns:
            return self.to_level
        return self.from_level + (self.to_level - self.from_level) * age_ns // self.duration_ns

    def sums_at(self, t_ns: int, base_level: int) -> tuple[int, int]:
        """(ppm x ns, ns above `base_level`) up to `t_ns`."""
        light, above_ns = self.light, self.above_ns
        fade_ns, low, high = self.duration_ns, self.from_level, self.to_level
        age_ns = t_ns - self.t0_ns
        if age_ns >= fade_ns:
            steady_ns = age_ns - fade_ns
            light += OUTPUT_PPM[high] * steady_ns
            if high > base_level:
                above_ns += steady_ns
            age_ns = fade_ns
        if age_ns and low == high:
            light += OUTPUT_PPM[low] * age_ns
            if low > base_level:
                above_ns += age_ns
        elif age_ns:
            steps = high - low
            light += _fade_light(low, steps, age_ns, fade_ns)
            crossing_ns = min(max((base_level - low) * fade_ns // steps, 0), age_ns)
            above_ns += age_ns - crossing_ns if steps > 0 else crossing_ns
        return light, above_ns


def _fade_light(level: int, steps: int, age_ns: int, fade_ns: int) -> int:
    """ppm x ns of the first `age_ns` of a fade of `steps` levels (negative: down) from `level` over `fade_ns`."""
    way = 1 if steps > 0 else -1
    done, rest = divmod(abs(steps) * age_ns, fade_ns)  # whole levels, and the part of the next in 1/fade_ns
    at = level + way * done
    light = abs(_FADE_SUM[at] - _FADE_SUM[level]) * fade_ns // (2 * abs(steps))
    if rest:
        rise = OUTPUT_PPM[at + way] - OUTPUT_PPM[at]
        light += (2 * OUTPUT_PPM[at] * fade_ns + rise * rest // 1) * rest // (2 * abs(steps) * fade_ns)
    return light
