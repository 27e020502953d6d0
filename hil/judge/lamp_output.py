"""What one lamp gave, as the judge needs it: the meter of the account, and the last stretch below full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controllers.lighting.lamp_meter import LampMeter
from drivers.units import FOREVER_NS


class LampOutput(LampMeter):
    """A lamp's meter that also keeps the last stretch below full level, and whom its light was for.

    That stretch is `low_from_ns` to `full_from_ns`; FOREVER_NS while its end is not in sight.
    """

    __slots__ = ("full_from_ns", "full_level", "low_from_ns")

    def __init__(self, t_ns: int, level: int, edges: Sequence[int], full_level: int = 254) -> None:
        super().__init__(t_ns, level, edges)
        self.full_level = full_level
        self.low_from_ns = t_ns
        self.full_from_ns = t_ns if level >= full_level else FOREVER_NS

    def go(self, t_ns: int, from_level: int, to_level: int, duration_ns: int) -> None:
        """A new segment begins: between two levels from `t_ns` on, evenly in level over `duration_ns`."""
        super().go(t_ns, from_level, to_level, duration_ns)
        full = self.full_level
        full_at_once = to_level >= full and (from_level >= full or not duration_ns)
        if self.full_from_ns <= t_ns:  # it was full; a stretch that ends as it begins is none
            self.low_from_ns = t_ns
        self.full_from_ns = t_ns if full_at_once else t_ns + duration_ns if to_level >= full else FOREVER_NS

    def was_low(self, from_ns: int, to_ns: int) -> bool:
        """Whether any moment of a time lies in the last stretch below full."""
        return max(from_ns, self.low_from_ns) < min(to_ns, self.full_from_ns)

    def snapshot(self) -> list[Any]:
        """All state."""
        return [*super().snapshot(), self.low_from_ns, self.full_from_ns]

    def restore(self, state: Sequence[Any]) -> None:
        """Take over a snapshot."""
        *meter, self.low_from_ns, self.full_from_ns = state
        super().restore(meter)
