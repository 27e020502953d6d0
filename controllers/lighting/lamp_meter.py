"""What one lamp gave, from its levels over time: light, time in each band of levels, how often it rose. Exact integers.

A fade runs evenly in arc power *level* over its duration; between two levels the output is taken as straight. Light is
parts per million of full output times nanoseconds; energy is light times the lamp's power (`watt_hours`), so what gear
draws at level 0 is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from drivers.codecs.dali import level_for_ppm
from drivers.codecs.dali_tables import OUTPUT_PPM

BANDS = ("off", "to_base", "to_half", "to_full", "full")
"""Bands of levels: 0; up to base; up to half of full light; below full; full."""

_UWS, _UWS_IN_WH = 1_000_000_000_000, 3_600_000_000
"""ppm x ns x mW in a millionth of a watt second, and those in a watt hour."""

# Twice the output summed over levels, trapezoids: light of a fade from 0 to n, if every level took 2 ns.
_FADE_SUM = [0]
for _below, _above in pairwise(OUTPUT_PPM):
    _FADE_SUM.append(_FADE_SUM[-1] + _below + _above)


class Sums(NamedTuple):
    """Sums over a time: `light` in ppm x ns, `band_ns` in each of `BANDS`, times `raised` above base, `switched` on."""

    light: int
    band_ns: tuple[int, ...]
    raised: int
    switched: int

    @property
    def above_ns(self) -> int:
        """Time above base level."""
        _, _, to_half, to_full, full = self.band_ns
        return to_half + to_full + full

    def less(self, other: Sums) -> Sums:
        """What came after `other`."""
        bands = tuple(one - before for one, before in zip(self.band_ns, other.band_ns, strict=True))
        return Sums(self.light - other.light, bands, self.raised - other.raised, self.switched - other.switched)

    def plus(self, other: Sums) -> Sums:
        """Both together."""
        bands = tuple(one + more for one, more in zip(self.band_ns, other.band_ns, strict=True))
        return Sums(self.light + other.light, bands, self.raised + other.raised, self.switched + other.switched)


NOTHING = Sums(0, (0,) * len(BANDS), 0, 0)


def band_edges(base_level: int, full_level: int) -> tuple[int, int, int, int]:
    """The highest level of each band but the last: ``band_edges(170, 254) == (0, 170, 229, 253)``."""
    half = level_for_ppm(OUTPUT_PPM[full_level] // 2)
    return 0, base_level, min(max(half, base_level), max(full_level - 1, base_level)), max(full_level - 1, base_level)


def watt_hours(light: int, power_mw: int) -> float:
    """Energy of light (ppm x ns) of lamps of `power_mw` at full: one at full for an hour, 20 W: 20.0."""
    return round(light * power_mw // _UWS / _UWS_IN_WH, 6)


class LampMeter:
    """One lamp's running segment, and the sums up to its start.

    Args:
        t_ns: when counting begins.
        level: arc power level then, 0 to 254.
        edges: of the bands, as `band_edges` gives them.
    """

    __slots__ = (
        "_above_ns",
        "_edges",
        "_fade_light",
        "_raised",
        "_steady_ns",
        "_switched",
        "duration_ns",
        "from_level",
        "t0_ns",
        "to_level",
    )

    def __init__(self, t_ns: int, level: int, edges: Sequence[int]) -> None:
        self.t0_ns, self.from_level, self.to_level, self.duration_ns = t_ns, level, level, 0
        self._edges = tuple(edges)
        self._steady_ns: dict[int, int] = {}  # by level
        self._fade_light = 0
        self._above_ns = [0] * len(self._edges)  # in fades, above each edge; first: all of them
        self._raised = self._switched = 0

    def go(self, t_ns: int, from_level: int, to_level: int, duration_ns: int) -> None:
        """A new segment begins: between two levels from `t_ns` on, evenly in level over `duration_ns`."""
        self._take(t_ns)
        was = self.to_level
        if to_level > was:
            base = self._edges[1]
            if to_level > base >= was:
                self._raised += 1
            if not was:
                self._switched += 1
        self.t0_ns, self.from_level, self.to_level, self.duration_ns = t_ns, from_level, to_level, duration_ns

    def interrupt(self, t_ns: int, again_ns: int, level: int) -> None:
        """Nothing is known from `t_ns` to `again_ns`, and nothing is counted; then the lamp stands at `level`."""
        self._take(t_ns)
        self.t0_ns, self.from_level, self.to_level, self.duration_ns = again_ns, level, level, 0

    def level_at(self, t_ns: int) -> int:
        """Arc power level at `t_ns`, not before the running segment began."""
        age_ns = t_ns - self.t0_ns
        if age_ns >= self.duration_ns:
            return self.to_level
        return self.from_level + (self.to_level - self.from_level) * age_ns // self.duration_ns

    def sums_at(self, t_ns: int) -> Sums:
        """Everything up to `t_ns`; changes nothing."""
        steady_ns, fade_ns = self._parts(t_ns)
        light, above_ns = self._fade_light, list(self._above_ns)
        if fade_ns:
            light += self._add_fade(fade_ns, above_ns)
        low_ns = [0] * len(self._edges)  # steady time above each edge
        for level, lasted_ns in (*self._steady_ns.items(), (self.to_level, steady_ns)):
            light += OUTPUT_PPM[level] * lasted_ns
            for n, edge in enumerate(self._edges):
                if level > edge:
                    low_ns[n] += lasted_ns
        over = [fades + steady for fades, steady in zip(above_ns, low_ns, strict=True)]
        off_ns = self._steady_ns.get(0, 0) + (steady_ns if not self.to_level else 0)
        bands = (off_ns, *(upper - higher for upper, higher in pairwise(over)), over[-1])
        return Sums(light, bands, self._raised, self._switched)

    def snapshot(self) -> list[Any]:
        """All state, JSON-able."""
        return [
            *(self.t0_ns, self.from_level, self.to_level, self.duration_ns),
            sorted([level, lasted] for level, lasted in self._steady_ns.items()),
            *(self._fade_light, list(self._above_ns), self._raised, self._switched),
        ]

    def restore(self, state: Sequence[Any]) -> None:
        """Take over a snapshot of a meter with the same edges."""
        self.t0_ns, self.from_level, self.to_level, self.duration_ns, steady, self._fade_light = state[:6]
        self._steady_ns = dict(steady)
        above_ns, self._raised, self._switched = state[6:9]
        self._above_ns = list(above_ns)

    def _parts(self, t_ns: int) -> tuple[int, int]:
        """(steady, fading) ns of the running segment up to `t_ns`."""
        age_ns = t_ns - self.t0_ns
        if age_ns <= 0:
            return 0, 0
        if self.from_level == self.to_level:
            return age_ns, 0
        return (age_ns - self.duration_ns, self.duration_ns) if age_ns > self.duration_ns else (0, age_ns)

    def _take(self, t_ns: int) -> None:
        """Add the running segment up to `t_ns` to the sums."""
        steady_ns, fade_ns = self._parts(t_ns)
        if steady_ns:
            self._steady_ns[self.to_level] = self._steady_ns.get(self.to_level, 0) + steady_ns
        if fade_ns:
            self._fade_light += self._add_fade(fade_ns, self._above_ns)

    def _add_fade(self, fade_ns: int, above_ns: list[int]) -> int:
        """Light of the first `fade_ns` of the running fade; the time above each edge is added to `above_ns`."""
        low, steps, lasts_ns = self.from_level, self.to_level - self.from_level, self.duration_ns
        for n, edge in enumerate(self._edges):
            crossing_ns = min(max((edge - low) * lasts_ns // steps, 0), fade_ns)
            above_ns[n] += fade_ns - crossing_ns if steps > 0 else crossing_ns
        return _fade_light(low, steps, fade_ns, lasts_ns)


def _fade_light(level: int, steps: int, age_ns: int, fade_ns: int) -> int:
    """ppm x ns of the first `age_ns` of a fade of `steps` levels (negative: down) from `level` over `fade_ns`."""
    way = 1 if steps > 0 else -1
    done, rest = divmod(abs(steps) * age_ns, fade_ns)  # whole levels, and the part of the next in 1/fade_ns
    at = level + way * done
    light = abs(_FADE_SUM[at] - _FADE_SUM[level]) * fade_ns // (2 * abs(steps))
    if rest:
        rise = OUTPUT_PPM[at + way] - OUTPUT_PPM[at]
        light += (2 * OUTPUT_PPM[at] * fade_ns + rise * rest) * rest // (2 * abs(steps) * fade_ns)
    return light
