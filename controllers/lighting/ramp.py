"""What each lamp is told: full while claimed, full for a while after, then down to base in steps.

Up is one command, the gear fades by itself in the site's rise time. Down is a segment (from, to, t0, t1), sent as steps
that the gear's own fade joins to a smooth slope.
"""

from __future__ import annotations

from typing import Any

from drivers.units import FOREVER_NS

STEPS = 8
"""Steps from full to base: about ten arc power levels each, well below what an eye notices."""


class Ramp:
    """The level of one lamp as a function of when it was last claimed.

    `level` is what it was last told. `wake_ns` is when it has to be told something else.
    """

    __slots__ = ("_from", "_start_ns", "_step", "base", "claimed", "fall_ns", "full", "hold_ns", "level", "wake_ns")

    def __init__(self, base: int, full: int, hold_ns: int, fall_ns: int) -> None:
        self.base, self.full, self.hold_ns, self.fall_ns = base, full, hold_ns, fall_ns
        self.level = base
        self.claimed = False
        self.wake_ns = FOREVER_NS
        self._from = base
        self._start_ns = 0
        self._step = 0

    def claim(self) -> int:
        """Somebody needs this lamp: full, now."""
        self.claimed = True
        self.wake_ns = FOREVER_NS
        self.level = self.full
        return self.full

    def release(self, now_ns: int, hold_ns: int) -> None:
        """Nobody needs it any more: stay for `hold_ns`, then sink."""
        self.claimed = False
        self._begin(now_ns + hold_ns)

    def take_over(self, level: int, now_ns: int, hold_ns: int) -> None:
        """After a start the gear shows `level`: a claimed lamp stays full, a bright one is held, then sinks."""
        if self.claimed:
            return
        self.level = max(self.base, min(self.full, level))
        if self.level > self.base:
            self._begin(now_ns + hold_ns)
        else:
            self.wake_ns = FOREVER_NS  # steps of an earlier sinking would light it again

    def _begin(self, start_ns: int) -> None:
        self._from, self._start_ns, self._step = self.level, start_ns, 0
        self.wake_ns = self._step_ns(1)

    def _step_ns(self, step: int) -> int:
        return self._start_ns + (step - 1) * self.fall_ns // STEPS

    def due(self, now_ns: int) -> int:
        """The level for `now_ns` >= `wake_ns`."""
        while self._step < STEPS and self._step_ns(self._step + 1) <= now_ns:
            self._step += 1
        self.level = self._from - (self._from - self.base) * self._step // STEPS
        self.wake_ns = self._step_ns(self._step + 1) if self._step < STEPS else FOREVER_NS
        return self.level

    def snapshot(self) -> list[Any]:
        """All state that changes."""
        return [self.level, self.claimed, self.wake_ns, self._from, self._start_ns, self._step]

    def restore(self, state: list[Any]) -> None:
        """Take over a snapshot."""
        self.level, self.claimed, self.wake_ns, self._from, self._start_ns, self._step = state
