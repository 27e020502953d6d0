"""What the signals of a recorded feed really did: the states the feed told, at the controller's own time.

A change is taken at the stamp of the first message that shows it. It may have happened any time after the stamp of the
message before: a tenth of a second at 10 messages a second, a whole one at 1. That is its `slack`.

Stamps are put on the recording's clock by the least delay seen within two minutes, as nobody can know more of it. A
message without a useful stamp, or with one more than two seconds off, counts as of its arrival.

Memory: 34 bytes a change and 8 a minute, so a week of eight groups takes some 8 MB.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator

import msgspec

from controllers.greenwave.countdown import AMBERS, BLANK_STATUS, GREENS
from drivers.quantities import SignalState
from drivers.units import NS_PER_MS, NS_PER_S

GO, WAIT, NONE = 1, 2, 0
"""What a rider at the stop line may do. NONE: the signal does not work, or nothing is known."""

PAUSE_NS = 300 * NS_PER_S
"""A silence of a recording that is longer is no outage of the feed: the recording stopped and was taken up again."""

_BLOCK_NS = 60 * NS_PER_S
_ASTRAY_NS = 2 * NS_PER_S
_REORDERED_NS = 10 * NS_PER_S
_DAY_NS = 86_400 * NS_PER_S
_UNKNOWN = 255
_WORKING = range(3, 9)


class StationClock:
    """One controller's stamps on the recording's clock; complete after the last message."""

    def __init__(self) -> None:
        self._year_ns = 0
        self._last: tuple[int, int] | None = None
        self._least: dict[int, int] = {}

    def stamp_ns(self, t_ns: int, message_ms: int | None) -> int | None:
        """The stamp of a message that arrived at `t_ns`, not broken by the year's end."""
        if message_ms is None:
            return None
        stamp_ns = message_ms * NS_PER_MS + self._year_ns
        if self._last is not None:
            gone_ns = stamp_ns - self._last[1] - (t_ns - self._last[0])
            for days in (365, 366):
                if -_ASTRAY_NS <= gone_ns + days * _DAY_NS <= _ASTRAY_NS:
                    self._year_ns += days * _DAY_NS
                    stamp_ns += days * _DAY_NS
        self._last = t_ns, stamp_ns
        block, delay_ns = t_ns // _BLOCK_NS, t_ns - stamp_ns
        least = self._least
        if delay_ns < least.get(block, delay_ns + 1):
            least[block] = delay_ns
        return stamp_ns

    def at_ns(self, t_ns: int, stamp_ns: int | None) -> int:
        """When, on the recording's clock, the message was written that arrived at `t_ns`."""
        if stamp_ns is None:
            return t_ns
        block = t_ns // _BLOCK_NS
        near = [self._least[n] for n in (block - 1, block, block + 1) if n in self._least]
        written_ns = stamp_ns + min(near)
        return written_ns if t_ns - _ASTRAY_NS <= written_ns <= t_ns else t_ns


class Phases(msgspec.Struct, frozen=True):
    """The phases of one display before one group, in order and without gaps between them.

    Phase n is `kind[n]` (GO, WAIT or NONE) from `start_ns[n]` to `start_ns[n + 1]`; the last entry of `start_ns` is the
    end of all. `slack_ns[n]` is how long before `start_ns[n]` it may have begun. `ended[n]`: its end was seen.
    In `pauses_ns` (from, to) nothing was recorded for more than PAUSE_NS: no account is kept of them.
    """

    kind: bytearray
    start_ns: array[int]
    slack_ns: array[int]
    ended: bytearray
    pauses_ns: list[tuple[int, int]] = []

    def at(self, t_ns: int) -> int:
        """The number of the phase at `t_ns`; that of the first or last where it lies outside."""
        return min(max(bisect_right(self.start_ns, t_ns) - 1, 0), len(self.kind) - 1)


class GroupHistory:
    """What one signal group did. `longest_ns`: a longer silence of the feed leaves what it did meanwhile unknown."""

    def __init__(self, clock: StationClock, longest_ns: int) -> None:
        self.messages = 0
        self.pauses_ns: list[tuple[int, int]] = []
        self._clock, self._longest_ns = clock, longest_ns
        self._state = bytearray()
        self._arrived, self._stamp = array("q"), array("q")
        self._before_arrived, self._before_stamp = array("q"), array("q")
        self._last: tuple[int, int | None] | None = None

    @property
    def working(self) -> bool:
        """Whether the group ever showed red, green or amber."""
        return any(state in _WORKING for state in set(self._state))

    @property
    def changes(self) -> int:
        """How often its state changed."""
        return len(self._state) - 1

    @property
    def last_ns(self) -> int:
        """Arrival of the last message."""
        return self._last[0] if self._last is not None else 0

    def add(self, value: SignalState, stamp_ns: int | None) -> None:
        """The next message about the group, in the order of arrival."""
        t_ns, last = value.t_ns, self._last
        state = value.phases[0].state if value.phases and not value.status & BLANK_STATUS else 0
        self.messages += 1
        if last is not None and stamp_ns is not None and last[1] is not None:
            if last[1] - _REORDERED_NS < stamp_ns < last[1]:
                return
            if stamp_ns == last[1] and self._state[-1] != state:
                stamp_ns = None  # the clock stands, the signal does not
        if last is not None and t_ns - last[0] > self._longest_ns:
            self._note(_UNKNOWN, last, last)
            if t_ns - last[0] > PAUSE_NS:
                self.pauses_ns.append((last[0], t_ns))
        if not self._state or self._state[-1] != state:
            self._note(state, (t_ns, stamp_ns), last or (t_ns, stamp_ns))
        self._last = t_ns, stamp_ns

    def _note(self, state: int, now: tuple[int, int | None], before: tuple[int, int | None]) -> None:
        self._state.append(state)
        for arrived, stamp, (t_ns, stamp_ns) in (
            (self._arrived, self._stamp, now),
            (self._before_arrived, self._before_stamp, before),
        ):
            arrived.append(t_ns)
            stamp.append(-1 if stamp_ns is None else stamp_ns)

    def _changes(self) -> Iterator[tuple[int, int, int]]:
        """(state, when, how much earlier it may have been), one for each change of state."""
        at_ns = self._clock.at_ns
        for n, state in enumerate(self._state):
            when_ns = at_ns(self._arrived[n], self._stamp[n] if self._stamp[n] >= 0 else None)
            before_ns = at_ns(self._before_arrived[n], self._before_stamp[n] if self._before_stamp[n] >= 0 else None)
            yield state, when_ns, min(max(0, when_ns - before_ns), NS_PER_S)

    def phases(self, amber_is_green: bool, transport_delay_ns: int = 0) -> Phases:
        """What a display shows of these states: red-amber is waiting, amber go or waiting as the site says."""
        found = Phases(bytearray(), array("q"), array("q"), bytearray(), self.pauses_ns)
        for state, when_ns, slack_ns in self._changes():
            go = state in GREENS or (amber_is_green and state in AMBERS)
            kind = NONE if state not in _WORKING else GO if go else WAIT
            t_ns = when_ns - transport_delay_ns
            if found.start_ns:
                t_ns = max(t_ns, found.start_ns[-1])
            if found.kind and found.kind[-1] == kind:
                continue
            if found.kind:
                found.ended[-1] = NONE not in (kind, found.kind[-1])
            found.kind.append(kind)
            found.start_ns.append(t_ns)
            found.slack_ns.append(slack_ns)
            found.ended.append(0)
        found.start_ns.append(max(self.last_ns - transport_delay_ns, found.start_ns[-1] if found.start_ns else 0))
        return found
