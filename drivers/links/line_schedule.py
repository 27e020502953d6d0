"""What is still to come on output lines: the ends of pulses and of holds. No thread, no clock: whoever has both asks.

A line has one end at most. SET and PWM do away with it; a further PULSE or HOLD replaces it.
"""

from __future__ import annotations

from collections.abc import Callable

from drivers.line_events import HOLD, PULSE, PWM, SET, LineEvent
from drivers.units import FOREVER_NS

Drive = Callable[[int, int], None]
"""Called with (line, value)."""

DrivePwm = Callable[[int, int, int], None]
"""Called with (line, period_ns, on_ns)."""


class LineSchedule:
    """Carries out orders and remembers what has to follow.

    Args:
        drive: sets a line.
        pwm: sets PWM on a line.
    """

    def __init__(self, drive: Drive, pwm: DrivePwm) -> None:
        self._drive, self._pwm = drive, pwm
        self._ends: dict[int, tuple[int, int]] = {}  # line: when, and to which level
        self._held: set[int] = set()

    @property
    def due_ns(self) -> int:
        """When `advance` has something to do; FOREVER_NS for never."""
        return min((end_ns for end_ns, _ in self._ends.values()), default=FOREVER_NS)

    def take(self, event: LineEvent, written_ns: int, now_ns: int) -> None:
        """Carry out an order that was written at `written_ns` and has come here at `now_ns`.

        A pulse has its length from now on. A hold ends so long after it was written, however late it came here: what
        came too late does not raise the line at all.
        """
        line, value = event.line, event.value
        if event.kind == HOLD:
            end_ns = written_ns + event.t_ns
            if end_ns <= now_ns:
                self.advance(now_ns)
                return
            if line not in self._held or self._ends[line][1] == value:  # a new hold, or one the other way
                self._drive(line, value)
                self._held.add(line)
            self._ends[line] = end_ns, 1 - value
            return
        self._held.discard(line)
        self._ends.pop(line, None)
        if event.kind == SET:
            self._drive(line, value)
        elif event.kind == PULSE:
            self._drive(line, value)
            self._ends[line] = now_ns + event.t_ns, 1 - value
        elif event.kind == PWM:
            self._pwm(line, event.period_ns, event.on_ns)

    def advance(self, now_ns: int) -> None:
        """End what is due, the earliest first."""
        due = sorted((end_ns, line, value) for line, (end_ns, value) in self._ends.items() if end_ns <= now_ns)
        for _, line, value in due:
            self._end(line, value)

    def drop(self) -> None:
        """End everything now: before the lines are let go."""
        for line, (_, value) in sorted(self._ends.items()):
            self._end(line, value)

    def _end(self, line: int, value: int) -> None:
        del self._ends[line]
        self._held.discard(line)
        self._drive(line, value)
