"""A model of what one lamp shows, and how fast it may sink in lit hours.

A level sent is not a level shown: the gear fades. The gate judges the light, so it keeps the gear's segment (from, to,
t0, fade time) and leaves at least two fifths of the light each second. Whoever rides under it is never in the dark at a
stroke, whatever a policy asks.
"""

from __future__ import annotations

from drivers.units import FOREVER_NS, NS_PER_S

DROP_LEVELS = 34
"""Leaves two fifths of the light: 34 steps of the DALI curve (IEC 62386-102: 10 ** (3 / 253) each) are 2.53.

A policy that sinks over five seconds, in steps that a fade of one second joins, asks for less.
"""

DROP_NS = NS_PER_S


class LampSlope:
    """What one lamp shows, in closed form. `wake_ns` is when a sinking that was held back may go on.

    Args:
        fade_ns: the gear's fade time, e.g. 1_000_000_000; 0 for none.
        drop_levels: how much it may lose within a second, in arc power levels.
    """

    __slots__ = ("_drop_levels", "_fade_ns", "_from", "_t0_ns", "_to", "_window_level", "_window_ns", "wake_ns")

    def __init__(self, fade_ns: int, drop_levels: int = DROP_LEVELS) -> None:
        self._fade_ns, self._drop_levels = fade_ns, drop_levels
        self.wake_ns = FOREVER_NS
        self._from = self._to = 0
        self._t0_ns = -FOREVER_NS
        self._window_ns, self._window_level = -FOREVER_NS, 0  # sinking is counted from here, for DROP_NS

    def shows(self, level: int) -> None:
        """The gear has said what it shows, or it was set by somebody else: no fade is running."""
        self._from = self._to = level
        self._t0_ns = -FOREVER_NS

    def told(self, level: int, now_ns: int) -> None:
        """The lamp was told `level`; it fades there from what it shows."""
        self._from, self._to, self._t0_ns = self.shown(now_ns), level, now_ns

    def shown(self, now_ns: int) -> int:
        """The level shown, rounded towards where the fade began."""
        gone_ns = now_ns - self._t0_ns
        if gone_ns >= self._fade_ns:
            return self._to
        way = (self._to - self._from) * gone_ns
        return self._from + way // self._fade_ns if way >= 0 else self._from - -way // self._fade_ns

    def limited(self, wanted: int, now_ns: int) -> int:
        """The level to tell now so that the lamp sinks towards `wanted` no faster than it may."""
        shown = self.shown(now_ns)
        if now_ns >= self._window_ns + DROP_NS or shown > self._window_level:
            self._window_ns, self._window_level = now_ns, shown
        lowest = self._window_level - self._drop_levels
        if wanted >= lowest:
            self.wake_ns = FOREVER_NS
            return wanted
        self.wake_ns = self._window_ns + DROP_NS
        return lowest

    def free(self) -> None:
        """Nothing is held back any more."""
        self.wake_ns = FOREVER_NS

    def snapshot(self) -> list[int]:
        """All state that changes."""
        return [self.wake_ns, self._from, self._to, self._t0_ns, self._window_ns, self._window_level]

    def restore(self, state: list[int]) -> None:
        """Take over a snapshot."""
        self.wake_ns, self._from, self._to, self._t0_ns, self._window_ns, self._window_level = state
