"""Where the ticks of a controller stand: place n at ``n * period + phase``, with a phase that may move.

A display wants to tick when the signal controller does, so its policy tells a phase, 0 to below one period. The number
of a place is ``t_ns // period`` whatever the phase: numbers rise by one from place to place and none is given twice. So
the phase never goes round the corner (from 95 ms back to 5 ms of the same period would be two ticks of one number): it
moves straight, in one step where that is half a period at most, else in two of the same size. Two places are therefore
never nearer than half a period and never further apart than one and a half.

A phase that trembles about the corner would go to and fro by a whole period. One that lies within a sixteenth of a
period beyond the corner is therefore taken as the corner itself.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Phased(Protocol):
    """A policy that says where in the period its ticks shall stand."""

    phase_ns: int
    """0 to below the period, taken modulo it. Changes in `step` and `restore` alone, under the law of waking."""


class TickGrid:
    """The places of one controller's ticks.

    Args:
        period_ns: e.g. 100_000_000.
        phase_ns: of the first place, e.g. 37_000_000.
    """

    __slots__ = ("_mid_ns", "_said_ns", "_settled_ns", "period_ns", "phase_ns")

    def __init__(self, period_ns: int, phase_ns: int = 0) -> None:
        self.period_ns = period_ns
        self.phase_ns = phase_ns % period_ns
        """What counts; it may differ from what was said by a sixteenth of the period, at the corner."""
        self._said_ns = phase_ns
        self._mid_ns = self._settled_ns = -1  # places after the last shift; before `_settled_ns` there are no others

    def after_ns(self, after_ns: int) -> int:
        """The first place after `after_ns`: ``TickGrid(100, 37).after_ns(137) == 237``.

        While a shift is under way `after_ns` must not lie before the tick that shifted.
        """
        if after_ns < self._settled_ns:
            return self._mid_ns if after_ns < self._mid_ns else self._settled_ns
        phase_ns, period_ns = self.phase_ns, self.period_ns
        return ((after_ns - phase_ns) // period_ns + 1) * period_ns + phase_ns

    def newest_ns(self, place_ns: int, now_ns: int) -> int:
        """The last place up to `now_ns`; `place_ns` is one that has come."""
        if now_ns - place_ns < self.period_ns // 2:
            return place_ns
        if now_ns < self._settled_ns:
            return self._mid_ns if now_ns >= self._mid_ns > place_ns else place_ns
        phase_ns, period_ns = self.phase_ns, self.period_ns
        return max(place_ns, (now_ns - phase_ns) // period_ns * period_ns + phase_ns)

    def shift(self, phase_ns: int, now_ns: int) -> None:
        """The policy has said its phase in the tick at `now_ns`: the places after it go there."""
        if phase_ns == self._said_ns:
            return
        self._said_ns = phase_ns
        period_ns = self.period_ns
        number, from_ns = divmod(now_ns, period_ns)
        to_ns, near_ns = phase_ns % period_ns, period_ns // 16
        if from_ns < period_ns // 4 and to_ns >= period_ns - near_ns:
            to_ns = 0
        elif from_ns >= period_ns - period_ns // 4 and to_ns < near_ns:
            to_ns = period_ns - 1
        self.phase_ns = to_ns
        self._mid_ns = self._settled_ns = (number + 1) * period_ns + to_ns
        if abs(to_ns - from_ns) > period_ns // 2:
            self._mid_ns = (number + 1) * period_ns + (from_ns + to_ns) // 2
            self._settled_ns += period_ns

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {name.strip("_"): getattr(self, name) for name in ("phase_ns", "_said_ns", "_mid_ns", "_settled_ns")}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        for name in ("phase_ns", "_said_ns", "_mid_ns", "_settled_ns"):
            setattr(self, name, state[name.strip("_")])
