"""When riders are in the view of radars: of one, and of all radars of a path."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Protocol

from drivers.units import NS_PER_S
from hil.traffic.rider import Rider, Segment

NEAR_MM = 1_000
"""Nearer than that to itself a radar sees nobody."""


class Sees(Protocol):
    """A radar, as far as the row needs it."""

    @property
    def view(self) -> tuple[int, int]:
        """From where to where along the path, in mm."""

    def expect(self, rider: Rider, spans: list[tuple[int, int]]) -> None:
        """Somebody comes into view in these spans, in ns."""


def view_of(x_mm: int, sign: int, range_mm: int) -> tuple[int, int]:
    """From where to where along the path a radar at `x_mm` sees, in mm: one metre in front of it to its range.

    Example: ``view_of(64_000, 1, 40_000)`` is (65_000, 104_000).
    """
    low, high = sorted((x_mm + sign * NEAR_MM, x_mm + sign * range_mm))
    return low, high


def visible_spans(rider: Rider, x_mm: int, sign: int, range_mm: int) -> list[tuple[int, int]]:
    """When `rider` is in the view of a radar at `x_mm`: spans [enter, leave) in ns, in order.

    The view goes from one metre in front of the sensor to `range_mm`. Example: riding up at 5 m/s from -10 m through
    the view of a radar at 0 looking up 40 m: one span of 7.8 s.
    """
    low, high = view_of(x_mm, sign, range_mm)
    spans: list[tuple[int, int]] = []
    segments = rider.segments
    for n, segment in enumerate(segments):
        t1_ns = segments[n + 1].t0_ns if n + 1 < len(segments) else rider.end_ns
        _see(spans, segment, t1_ns, low, high)
    return spans


def _see(spans: list[tuple[int, int]], segment: Segment, t1_ns: int, low: int, high: int) -> None:
    """Add the time in which somebody on `segment`, which ends at `t1_ns`, is between `low` and `high`."""
    t0_ns, x0, v = segment.t0_ns, segment.x0_mm, segment.v_mm_s
    if v == 0:
        enter, leave = (t0_ns, t1_ns) if low <= x0 <= high else (0, 0)
    else:
        near, far = (low, high) if v > 0 else (high, low)
        enter = max(t0_ns, t0_ns - (-(near - x0) * NS_PER_S // v))
        leave = min(t1_ns, t0_ns + (far - x0) * NS_PER_S // v + 1)
    if enter < leave:
        if spans and enter - spans[-1][1] <= 1_000:  # the seam between two segments
            spans[-1] = (spans[-1][0], leave)
        else:
            spans.append((enter, leave))


class RadarRow:
    """All radars of a path: a ride is held against those it passes, however many others there are.

    Args:
        radars: in any order; they are known by their place in it.
    """

    def __init__(self, radars: Sequence[Sees]) -> None:
        self._radars = radars
        views = sorted((*radar.view, number) for number, radar in enumerate(radars))
        self._lows = [low for low, _, _ in views]
        self._views = views
        self._longest_mm = max((high - low for low, high, _ in views), default=0)

    def rider(self, rider: Rider) -> list[int]:
        """Somebody comes; tells the radars that will see something, and returns them."""
        seen: dict[int, list[tuple[int, int]]] = {}
        segments, lows, views = rider.segments, self._lows, self._views
        for n, segment in enumerate(segments):
            t1_ns = segments[n + 1].t0_ns if n + 1 < len(segments) else rider.end_ns
            x0_mm = segment.x0_mm
            x1_mm = x0_mm + segment.v_mm_s * (t1_ns - segment.t0_ns) // NS_PER_S
            if x0_mm > x1_mm:
                x0_mm, x1_mm = x1_mm, x0_mm
            first = bisect_left(lows, x0_mm - self._longest_mm - NEAR_MM)  # a metre more: `_see` is exact
            for low, high, number in views[first : bisect_right(lows, x1_mm + NEAR_MM)]:
                if high >= x0_mm - NEAR_MM:
                    _see(seen.setdefault(number, []), segment, t1_ns, low, high)
        for number, spans in seen.items():
            self._radars[number].expect(rider, spans)
        return list(seen)
