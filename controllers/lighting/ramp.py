"""What each lamp is told: full while claimed, and for a while after where it will be needed, then down in steps.

Up is one command, the gear fades by itself in the site's rise time. Down is a segment (from, to, t0, t1), sent as few
steps as make it smooth: each about as long as a second, or as the gear's own fade, which joins them.
"""

from __future__ import annotations

from typing import Any

from drivers.units import FOREVER_NS, NS_PER_S

STEP_NS = NS_PER_S
"""A step of a sinking takes at least so long: a bus has room for 30 commands a second, and rising goes first."""

MIN_ON_NS = 3 * NS_PER_S
"""A lamp raised stays full for so long, whatever becomes of who it was raised for."""


class Ramp:
    """The level of one lamp as a function of when it was last claimed.

    `level` is what it was last told. `wake_ns` is when it has to be told something else.

    Args:
        base, full: arc power levels.
        fall_ns: from full to base.
        fade_ns: the gear's own fade time.
    """

    __slots__ = (
        "_from",
        "_raised_ns",
        "_start_ns",
        "_step",
        "base",
        "claimed",
        "fall_ns",
        "full",
        "level",
        "steps",
        "wake_ns",
    )

    def __init__(self, base: int, full: int, fall_ns: int, fade_ns: int) -> None:
        self.base, self.full, self.fall_ns = base, full, fall_ns
        self.steps = max(1, fall_ns // max(STEP_NS, fade_ns))
        self.level = base
        self.claimed = False
        self.wake_ns = FOREVER_NS
        self._from = base
        self._start_ns = self._raised_ns = -FOREVER_NS
        self._step = 0

    def claim(self, now_ns: int) -> int:
        """Somebody needs this lamp: full, now."""
        self.claimed = True
        if self.level < self.full:
            self._raised_ns = now_ns
        self.wake_ns = FOREVER_NS
        self.level = self.full
        return self.full

    def release(self, now_ns: int) -> None:
        """Nobody needs it any more: sink, but not before it was full for `MIN_ON_NS`."""
        self.claimed = False
        self._begin(max(now_ns, self._raised_ns + MIN_ON_NS))

    def begins(self) -> bool:
        """Whether the next step down would be the first."""
        return self._step == 0

    def put_off(self, until_ns: int) -> None:
        """Somebody will need it again soon: do not begin to sink before."""
        self._begin(until_ns)

    def sinks_since(self, since_ns: int) -> bool:
        """Whether it began to sink at `since_ns` or later."""
        return self._start_ns >= since_ns

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
        return self._start_ns + (step - 1) * self.fall_ns // self.steps

    def due(self, now_ns: int) -> int:
        """The level for `now_ns` >= `wake_ns`."""
        while self._step < self.steps and self._step_ns(self._step + 1) <= now_ns:
            self._step += 1
        self.level = self._from - (self._from - self.base) * self._step // self.steps
        self.wake_ns = self._step_ns(self._step + 1) if self._step < self.steps else FOREVER_NS
        return self.level

    def snapshot(self) -> list[Any]:
        """All state that changes."""
        return [self.level, self.claimed, self.wake_ns, self._from, self._start_ns, self._step, self._raised_ns]

    def restore(self, state: list[Any]) -> None:
        """Take over a snapshot."""
        self.level, self.claimed, self.wake_ns, self._from, self._start_ns, self._step, self._raised_ns = state
