"""The display one would write first: it shows likelyTime, or else minEndTime, minus now, and remembers nothing.

Every message is shown as it comes, as if it had been written that moment. Green and amber are go (amber as the site
says), red and red-amber are waiting. Where there is neither time, the colour is shown without a number. After 15 s
without messages it is dark, and so it is where the signal does not show red, green or amber.
"""

from __future__ import annotations

from controllers.greenwave.countdown import AMBERS, GREENS, RED
from drivers.quantities import SignalState
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.score_truth import GO, NONE, WAIT

BLANK_NS = 15 * NS_PER_S


class Memoryless:
    """Such a display; `normal_ns` is the way to the stop line at the riding speed that green and red are shown for."""

    def __init__(self, amber_is_green: bool, normal_ns: int) -> None:
        self.dark_at_ns = FOREVER_NS
        """When, without another message, it goes dark."""
        self._amber_is_green, self._normal_ns = amber_is_green, normal_ns
        self._spans: list[tuple[int, int | None]] = []

    def hear(self, value: SignalState) -> None:
        """A message came."""
        spans: list[tuple[int, int | None]] = []
        for phase in value.phases:
            if not RED <= phase.state <= AMBERS[-1]:
                break
            go = phase.state in GREENS or (self._amber_is_green and phase.state in AMBERS)
            mark_ms = phase.likely_ms if phase.likely_ms is not None else phase.min_end_ms
            end_ns = None if mark_ms is None else value.t_ns + mark_ms * NS_PER_MS
            kind = GO if go else WAIT
            if spans and spans[-1][0] == kind:
                spans.pop()
            spans.append((kind, end_ns))
            if end_ns is None:
                break
        self._spans = spans
        self.dark_at_ns = value.t_ns + BLANK_NS

    def shows(self, now_ns: int) -> tuple[int, int | None]:
        """(GO, WAIT or NONE, time left or None) at `now_ns`, as a rider meets it who passes now."""
        if now_ns >= self.dark_at_ns or not self._spans:
            return NONE, None
        there_ns = now_ns + self._normal_ns
        for number, (kind, end_ns) in enumerate(self._spans):
            if end_ns is None:
                return kind, None
            if there_ns < end_ns or (number == 0 and there_ns - now_ns < NS_PER_MS):
                return kind, max(0, end_ns - there_ns)
        return NONE, None
