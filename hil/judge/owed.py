"""What a lit path owes a rider: which lamp, from when, until when. Closed forms on the ride's pieces.

A lamp is **owed** from the first moment it lies ahead within 70 m or 12 s of riding at the speed of that moment,
whichever is more, until the rider is 32 m past it. "Ahead" is where the rider moves to; standing keeps the direction.

Riders who turn: the same words, read on. A lamp that was owed stays owed until it lies 32 m or more *behind*; who turns
50 m before a lamp ends its time at once, who turns 10 m past it meets it again and is owed it until 32 m past on the
other side. Coming back later opens a new time for the same lamp. A ride's end ends every time.

The rider is **known** 2 s after first entering the view of any radar, and stays known (seen again, or handed over).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from drivers.units import FOREVER_NS, NS_PER_S
from hil.traffic.rider import Rider


class Owed(NamedTuple):
    """Lamp number `lamp` is owed from `from_ns` to `to_ns` (not included); `known`: somebody could have known then."""

    from_ns: int
    to_ns: int
    lamp: int
    known: bool


class Approach(NamedTuple):
    """At `t_ns` the rider came within a distance of lamp number `lamp`, moving `way` (+1 or -1 along x)."""

    t_ns: int
    lamp: int
    way: int


class Walk(NamedTuple):
    """A ride as the lamps see it. `near`: first time 10 m before each lamp; `sensed`: every coming within 15 m."""

    start_ns: int
    end_ns: int
    owed: list[Owed]
    near: list[Approach]
    sensed: list[Approach]


class LightPath:
    """Lamps and radars along a path, in millimetres, and what is owed there.

    Args:
        lamps_x_mm: where the lamps stand, rising, e.g. ``range(0, 384_000, 32_000)``.
        views: (from, to) of each radar along the path, e.g. ``(-40_000, 0)`` for one at 0 that looks outward.
        ahead_mm, ahead_ns, behind_mm: 70 m, 12 s, 32 m.
        known_ns: how long somebody must have been in view.
        near_mm, sensor_mm: 10 m of the second figure; 15 m, where the present installation's sensors see somebody.
    """

    def __init__(
        self,
        lamps_x_mm: Sequence[int],
        views: Sequence[tuple[int, int]] = (),
        *,
        ahead_mm: int = 70_000,
        ahead_ns: int = 12 * NS_PER_S,
        behind_mm: int = 32_000,
        known_ns: int = 2 * NS_PER_S,
        near_mm: int = 10_000,
        sensor_mm: int = 15_000,
    ) -> None:
        self.lamps_x_mm = tuple(lamps_x_mm)
        self._falling = tuple(-x for x in reversed(self.lamps_x_mm))
        self.views = tuple(sorted(views))
        self.ahead_mm, self.ahead_ns, self.behind_mm = ahead_mm, ahead_ns, behind_mm
        self.known_ns, self.near_mm, self.sensor_mm = known_ns, near_mm, sensor_mm

    def first_seen_ns(self, rider: Rider) -> int:
        """When the rider first enters a radar's view; FOREVER_NS if never."""
        if not self.views:
            return FOREVER_NS
        low_mm, high_mm = self.views[0][0], max(high for _, high in self.views)
        segments = rider.segments
        for index, s in enumerate(segments):
            to_ns = segments[index + 1].t0_ns if index + 1 < len(segments) else rider.end_ns
            a_mm = s.x0_mm
            b_mm = a_mm + s.v_mm_s * (to_ns - s.t0_ns) // NS_PER_S
            if max(a_mm, b_mm) < low_mm or min(a_mm, b_mm) > high_mm:
                continue
            first_ns = FOREVER_NS
            for low, high in self.views:
                if low <= a_mm <= high:
                    return s.t0_ns
                if a_mm < low <= b_mm:
                    first_ns = min(first_ns, s.t0_ns - (a_mm - low) * NS_PER_S // s.v_mm_s)
                elif a_mm > high >= b_mm:
                    first_ns = min(first_ns, s.t0_ns - (high - a_mm) * NS_PER_S // -s.v_mm_s)
            if first_ns != FOREVER_NS:
                return first_ns
        return FOREVER_NS

    def walk(self, rider: Rider) -> Walk:
        """All moments of one ride, in one pass over its pieces."""
        segments, count = rider.segments, len(self.lamps_x_mm)
        last = len(segments) - 1
        known_from_ns = self.first_seen_ns(rider) + self.known_ns
        owed: list[Owed] = []
        near: dict[int, Approach] = {}
        sensed: list[Approach] = []
        since_ns: dict[int, int] = {}  # lamps owed now, and since when
        way = 1 if next((s.v_mm_s for s in segments if s.v_mm_s), 1) > 0 else -1
        turned = True
        for index, s in enumerate(segments):
            t0_ns = s.t0_ns
            t1_ns = rider.end_ns if index == last else segments[index + 1].t0_ns
            if s.v_mm_s * way < 0:
                way, turned = -way, True
            # y runs the way the rider moves, n counts the lamps along y.
            y0_mm, v_mm_s = s.x0_mm * way, s.v_mm_s * way
            if turned:
                turned = False
                lamps, base = (self.lamps_x_mm, 0) if way > 0 else (self._falling, count - 1)
                to_open = to_sense = to_meet = bisect_left(lamps, y0_mm)
                to_close = sorted((lamp - base) * way for lamp in since_ns)
            y1_mm = y0_mm + v_mm_s * (t1_ns - t0_ns) // NS_PER_S
            reach_mm = max(self.ahead_mm, v_mm_s * self.ahead_ns // NS_PER_S)
            while to_open < count and lamps[to_open] - reach_mm <= y1_mm:
                lamp = base + to_open * way
                if lamp not in since_ns:
                    since_ns[lamp] = _reached_ns(lamps[to_open] - reach_mm, y0_mm, v_mm_s, t0_ns)
                    to_close.append(to_open)
                to_open += 1
            while to_sense < count and lamps[to_sense] - self.sensor_mm <= y1_mm:
                t_ns = _reached_ns(lamps[to_sense] - self.sensor_mm, y0_mm, v_mm_s, t0_ns)
                sensed.append(Approach(t_ns, base + to_sense * way, way))
                to_sense += 1
            while to_meet < count and lamps[to_meet] - self.near_mm <= y1_mm:
                t_ns = _reached_ns(lamps[to_meet] - self.near_mm, y0_mm, v_mm_s, t0_ns)
                near.setdefault(base + to_meet * way, Approach(t_ns, base + to_meet * way, way))
                to_meet += 1
            while to_close and lamps[to_close[0]] + self.behind_mm <= y1_mm:
                n = to_close.pop(0)
                from_ns = since_ns.pop(base + n * way)
                t_ns = _reached_ns(lamps[n] + self.behind_mm, y0_mm, v_mm_s, t0_ns)
                owed.append(Owed(from_ns, t_ns, base + n * way, known_from_ns <= from_ns))
        for lamp, from_ns in since_ns.items():
            owed.append(Owed(from_ns, rider.end_ns, lamp, known_from_ns <= from_ns))
        return Walk(rider.start_ns, rider.end_ns, owed, list(near.values()), sensed)


def _reached_ns(y_mm: int, y0_mm: int, v_mm_s: int, t0_ns: int) -> int:
    """When somebody at `y0_mm` at `t0_ns` is at `y_mm`, rounded up; `t0_ns` if already past it."""
    return t0_ns if y_mm <= y0_mm else t0_ns - (y0_mm - y_mm) * NS_PER_S // v_mm_s
