"""What one lamp gave, summed exactly in integers: its light, its time above base, its last stretch below full."""

from __future__ import annotations

from itertools import pairwise

from drivers.codecs.dali_tables import OUTPUT_PPM
from drivers.units import FOREVER_NS

# Twice the output summed over levels, trapezoids: light of a fade from 0 to n, if every level took 2 ns.
_FADE_SUM = [0]
for _below, _above in pairwise(OUTPUT_PPM):
    _FADE_SUM.append(_FADE_SUM[-1] + _below + _above)


class LampOutput:
    """One lamp's output: the running segment, the sums up to its start, and the last stretch below full level.

    That stretch is `low_from_ns` to `full_from_ns`; FOREVER_NS while its end is not in sight.
    """

    __slots__ = (
        "above_ns",
        "duration_ns",
        "from_level",
        "full_from_ns",
        "full_level",
        "light",
        "low_from_ns",
        "t0_ns",
        "to_level",
    )

    def __init__(self, t_ns: int, level: int, full_level: int = 254) -> None:
        self.t0_ns, self.from_level, self.to_level, self.duration_ns = t_ns, level, level, 0
        self.full_level = full_level
        self.light = 0  # ppm x ns
        self.above_ns = 0
        self.low_from_ns = t_ns
        self.full_from_ns = t_ns if level >= full_level else FOREVER_NS

    def go(self, t_ns: int, from_level: int, to_level: int, duration_ns: int, base_level: int) -> None:
        """A new segment begins: between two levels from `t_ns` on, evenly in level over `duration_ns`."""
        self.light, self.above_ns = self.sums_at(t_ns, base_level)
        self.t0_ns, self.from_level, self.to_level, self.duration_ns = t_ns, from_level, to_level, duration_ns
        full = self.full_level
        full_at_once = to_level >= full and (from_level >= full or not duration_ns)
        if self.full_from_ns <= t_ns:  # it was full; a stretch that ends as it begins is none
            self.low_from_ns = t_ns
        self.full_from_ns = t_ns if full_at_once else t_ns + duration_ns if to_level >= full else FOREVER_NS

    def was_low(self, from_ns: int, to_ns: int) -> bool:
        """Whether any moment of a time lies in the last stretch below full."""
        return max(from_ns, self.low_from_ns) < min(to_ns, self.full_from_ns)

    def level_at(self, t_ns: int) -> int:
        """Arc power level at `t_ns`, not before the running segment began."""
        age_ns = t_ns - self.t0_ns
        if age_ns >= self.duration_ns:
            return self.to_level
        return self.from_level + (self.to_level - self.from_level) * age_ns // self.duration_ns

    def snapshot(self) -> list[int]:
        """All state."""
        return [getattr(self, name) for name in self.__slots__]

    def restore(self, state: list[int]) -> None:
        """Take over a snapshot."""
        for name, value in zip(self.__slots__, state, strict=True):
            setattr(self, name, value)

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
        light += (2 * OUTPUT_PPM[at] * fade_ns + rise * rest) * rest // (2 * abs(steps) * fade_ns)
    return light
