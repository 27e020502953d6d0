"""The line below a cloud of delayed messages: offset plus least delay, its slope and how far off it may be.

A point is (t_ns, y_ns): when a message arrived, and that less its stamp. No message is faster than the least delay, so
the line lies below the points, and the least delayed of a window shows it best. Pure, integers, at most 64 points.
"""

from __future__ import annotations

from typing import Any, Literal

from controllers.core.drift import Point, fit
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

FIRST_ERROR_NS = NS_PER_S
"""Bound of the error until there are six windows to say better: that much two messages may differ and still agree."""

_WINDOWS = 64
_FIRST_WINDOW_NS, _LAST_WINDOW_NS = NS_PER_S // 8, 8 * NS_PER_S
_LINE_AGE_NS, _LINE_WINDOWS = 128 * NS_PER_S, 16  # the younger windows, or the newest after a silence
_SIXTH = 5
_LATE_GATE_NS = 20 * NS_PER_MS
_LATE_FOR_NS, _LATE_WINDOWS = 30 * NS_PER_S, 3
_RATE_WINDOWS, _RATE_SPAN_NS, _RATE_PPB = 16, 5 * NS_PER_S, 1_000_000
_UNKNOWN_PPB = 50_000
_WANDER_PPB = 2_000  # what a crystal changes by of itself, within minutes
_STAMP_NS = NS_PER_MS

Verdict = Literal["", "set back", "wrong rate"]


class LeastDelayLine:
    """Begins with one point; `add` takes the others in the order of time.

    `rate_ppb`: slope in ns a second, negative where the other clock gains on ours.
    """

    def __init__(self, t_ns: int, y_ns: int) -> None:
        self.begin([(t_ns, y_ns)])

    def begin(self, points: list[Point]) -> None:
        """Forget all but these points; their least is the line."""
        self._window_ns = _FIRST_WINDOW_NS
        self._windows = points
        self._line_ns, self._y_ns = min(points, key=lambda point: point[1])
        self.rate_ppb, self._rate_doubt_ppb = 0, _UNKNOWN_PPB
        self._error_ns = FIRST_ERROR_NS
        self._highest_ns = 0  # how far a window's least point lay above the line, at most
        self._late_from_ns, self._late_windows, self._late_ns = FOREVER_NS, 0, 0

    def at(self, t_ns: int) -> int:
        """The line at `t_ns`."""
        return self._y_ns + (t_ns - self._line_ns) * self.rate_ppb // NS_PER_S

    @property
    def growth_ppb(self) -> int:
        """What the bound grows by while no point comes, ns a second: three deviations of the drift and its wander."""
        return 3 * self._rate_doubt_ppb + _WANDER_PPB

    def error_ns(self, silent_ns: int) -> int:
        """Bound of the line's error, `silent_ns` after the newest point."""
        return self._error_ns + silent_ns * self.growth_ppb // NS_PER_S

    def silence_until_ns(self, limit_ns: int) -> int:
        """The least silence after which the bound is above `limit_ns`; 0 where it is so now."""
        left_ns = limit_ns + 1 - self._error_ns
        return 0 if left_ns <= 0 else -(-left_ns * NS_PER_S // self.growth_ppb)

    def add(self, t_ns: int, y_ns: int) -> Verdict:
        """Take in a point. "set back": all of the last half minute came late, the line is theirs now. "wrong rate": the
        slope is more than a thousandth, no clock.
        """
        if y_ns < self.at(t_ns):
            self._line_ns, self._y_ns = t_ns, y_ns
        windows = self._windows
        least_ns, least_y_ns = windows[-1]
        if t_ns // self._window_ns == least_ns // self._window_ns:
            if y_ns < least_y_ns + (t_ns - least_ns) * self.rate_ppb // NS_PER_S:
                windows[-1] = (t_ns, y_ns)
            return ""
        verdict: Verdict = "set back" if self._was_set_back() else ""
        if len(self._windows) >= _WINDOWS:
            self._make_room()
        if len(self._windows) > _SIXTH and not self._settle(t_ns):
            verdict = "wrong rate"
        self._windows.append((t_ns, y_ns))
        return verdict

    def _was_set_back(self) -> bool:
        """Whether, with the window that closes now, all came late for so long that it is no network's doing."""
        t_ns, y_ns = self._windows[-1]
        above_ns = y_ns - self.at(t_ns)
        if above_ns <= 2 * self._highest_ns + _LATE_GATE_NS:
            self._late_from_ns, self._late_windows, self._late_ns = FOREVER_NS, 0, 0
            return False
        if not self._late_windows:
            self._late_from_ns, self._late_ns = t_ns, above_ns
        self._late_windows += 1
        self._late_ns = min(self._late_ns, above_ns)
        if self._late_windows < _LATE_WINDOWS or t_ns - self._late_from_ns < _LATE_FOR_NS:
            return False
        self.begin([point for point in self._windows if point[0] >= self._late_from_ns])
        return True

    def _make_room(self) -> None:
        """Join windows two by two, up to the longest; then let the oldest go."""
        while len(self._windows) >= _WINDOWS and self._window_ns < _LAST_WINDOW_NS:
            self._window_ns *= 2
            joined: list[Point] = []
            for t_ns, y_ns in self._windows:
                if joined and t_ns // self._window_ns == joined[-1][0] // self._window_ns:
                    before_ns, before_y_ns = joined[-1]
                    if y_ns < before_y_ns + (t_ns - before_ns) * self.rate_ppb // NS_PER_S:
                        joined[-1] = (t_ns, y_ns)
                else:
                    joined.append((t_ns, y_ns))
            self._windows = joined
        del self._windows[: max(0, len(self._windows) - _WINDOWS + 1)]

    def _settle(self, t_ns: int) -> bool:
        """Slope, line at `t_ns` and bound afresh. False for a slope that no clock has."""
        windows = self._windows
        punctual = [point for point in windows if point[0] < self._late_from_ns] or windows
        drift = fit(punctual)
        self.rate_ppb, self._rate_doubt_ppb = drift.rate_ppb, drift.uncertain_ppb
        carried = [
            (y_ns + (t_ns - w_ns) * drift.rate_ppb // NS_PER_S, w_ns)
            for left, (w_ns, y_ns) in enumerate(windows, -len(windows))
            if t_ns - w_ns <= _LINE_AGE_NS or left >= -_LINE_WINDOWS
        ]
        carried.sort()
        self._line_ns, self._y_ns = t_ns, carried[0][0]
        spread_ns = carried[_SIXTH][0] - carried[0][0]
        drifted_ns = (t_ns - carried[0][1]) * self.growth_ppb // NS_PER_S
        self._error_ns = _STAMP_NS + 3 * spread_ns + drifted_ns + self._late_ns
        if not self._late_windows:
            self._highest_ns = carried[-1][0] - carried[0][0]
        far = len(windows) >= _RATE_WINDOWS and windows[-1][0] - windows[0][0] >= _RATE_SPAN_NS
        return not far or abs(drift.bare_ppb) <= _RATE_PPB + 8 * drift.bare_uncertain_ppb

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "window_ns": self._window_ns,
            "windows": [list(point) for point in self._windows],
            "line": [self._line_ns, self._y_ns, self.rate_ppb, self._rate_doubt_ppb, self._error_ns, self._highest_ns],
            "late": [self._late_from_ns, self._late_windows, self._late_ns],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._window_ns = state["window_ns"]
        self._windows = [(t_ns, y_ns) for t_ns, y_ns in state["windows"]]
        line = state["line"]
        self._line_ns, self._y_ns, self.rate_ppb, self._rate_doubt_ppb, self._error_ns, self._highest_ns = line
        self._late_from_ns, self._late_windows, self._late_ns = state["late"]
