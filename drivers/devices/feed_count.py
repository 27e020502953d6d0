"""What is odd about a feed's messages though they are sound, counted by name; and how many come in a minute.

For people: nothing here decides anything, and no snapshot holds it. Counted once a message for `no_time` (no valid time
of its own), `leap_second` (its own time in one) and ``status_<bit>``; once a group for what the running phase says:
`no_timing` (no mark at all), `mark_far` (36000, more than an hour away), `mark_undefined` (36001 and above) and
`mark_leap_second` (35991 to 35999).
"""

from __future__ import annotations

from drivers.codecs.spat import FIRST_MARK_WITHOUT_TIME, STATUS_BITS, Intersection, Phase, message_ms
from drivers.units import NS_PER_S

DOUBTFUL = tuple((1 << bit, f"status_{STATUS_BITS[bit]}") for bit in (0, 1, 2, 3, 7, 8, 9, 13))
"""Status bits that tell of more than ordinary work."""

_DOUBTFUL_MASK = sum(mask for mask, _ in DOUBTFUL)
_LEAP_MARK = 35_991
_LEAP_MS = 60_000


class FeedCount:
    """The counts of one feed."""

    def __init__(self) -> None:
        self.odd: dict[str, int] = {}
        self._minute = -1
        self._now = self._before = 0

    def heard(self, t_ns: int) -> None:
        """A message of ours came."""
        minute = t_ns // (60 * NS_PER_S)
        if minute != self._minute:
            self._before = self._now if minute == self._minute + 1 else 0
            self._minute, self._now = minute, 0
        self._now += 1

    def add(self, name: str) -> None:
        """One more of `name`."""
        self.odd[name] = self.odd.get(name, 0) + 1

    def look(self, message: Intersection) -> None:
        """Count what is odd about a message."""
        if message_ms(message.minute_of_year, message.timestamp_ms) is None:
            self.add("no_time")
        elif (message.timestamp_ms or 0) >= _LEAP_MS:
            self.add("leap_second")
        if message.status & _DOUBTFUL_MASK:
            for mask, name in DOUBTFUL:
                if message.status & mask:
                    self.add(name)
        for group in message.groups:
            if group.phases:
                self._phase(group.phases[0])

    def _phase(self, phase: Phase) -> None:
        marks = phase.min_end_mark, phase.max_end_mark, phase.likely_mark
        if marks == (None, None, None):
            self.add("no_timing")
            return
        for mark in marks:
            if mark is not None and mark >= _LEAP_MARK:
                if mark < FIRST_MARK_WITHOUT_TIME:
                    self.add("mark_leap_second")
                else:
                    self.add("mark_far" if mark == FIRST_MARK_WITHOUT_TIME else "mark_undefined")

    @property
    def per_minute(self) -> int:
        """Messages in the last whole minute; in the first one, so far."""
        return self._before or self._now
