"""When a signal changed, where the message that would have told of it was lost. Pure.

A feed that says what holds every second or tenth of one has a cadence: the least time between two messages that say the
same. If a change is heard after a longer silence, it happened at one of the messages that are missing, or at this one:

* where the running phase was to end among them, as learnt, it ended then;
* else in the middle of what is open, so no guess is off by more than half of it;
* a short state in between that was not heard (red-amber lasts for one message of a feed of one a second) is put in
  where it always came, and lasted as long as always, and has room.

A feed that speaks of changes alone has no cadence, and its stamps are as they are.
"""

from __future__ import annotations

from typing import Any

from controllers.greenwave.learn_record import Record
from drivers.units import NS_PER_MS, NS_PER_S

LONGEST_NS = 1500 * NS_PER_MS
"""A feed that speaks less often says nothing by its silence."""
_SLACK_NS = NS_PER_S // 10
_FORGET = 6


class Cadence:
    """Of the messages about one signal group."""

    def __init__(self) -> None:
        self._every_ns = 0  # 0: not known
        self._seen_ns: int | None = None

    def lose(self) -> None:
        """Nobody knows what happened since."""
        self._seen_ns = None

    def seen(self, record: Record, end_ns: int | None, state: int, t_ns: int) -> list[tuple[int, int, bool]]:
        """The changes that a message of `state`, true at `t_ns`, tells of: (when, state then, whether that moment is
        known and not chosen), the last to `state`.

        `end_ns`: when the running phase was to end, if that was learnt. No changes, an empty list.
        """
        last_ns, every_ns = self._seen_ns, self._every_ns
        self._seen_ns = t_ns if last_ns is None else max(last_ns, t_ns)
        before = record.state
        if state == before:
            if last_ns is not None and t_ns > last_ns:
                gap_ns = t_ns - last_ns
                self._every_ns = (
                    gap_ns if not every_ns or gap_ns < every_ns else every_ns + (gap_ns - every_ns >> _FORGET)
                )
            return []
        if not before or last_ns is None or not 0 < every_ns <= LONGEST_NS or t_ns <= last_ns:
            return [(t_ns, state, True)]
        first_ns = min(last_ns + every_ns, t_ns)  # the first message that might have told of it
        if t_ns - first_ns < every_ns // 2 + _SLACK_NS:
            return [(t_ns, state, True)]
        between = record.follows(before)
        if between is not None and between != state and record.follows(between) == state:
            usual_ns = record.usual_ns(between)
            if usual_ns is not None and usual_ns <= t_ns - first_ns + _SLACK_NS:
                change_ns = _within(end_ns, first_ns, max(first_ns, t_ns - usual_ns))
                return [(change_ns, between, False), (min(t_ns, change_ns + usual_ns), state, False)]
        return [(_within(end_ns, first_ns, t_ns), state, False)]

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {"every_ns": self._every_ns, "seen_ns": self._seen_ns}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._every_ns, self._seen_ns = state["every_ns"], state["seen_ns"]


def _within(end_ns: int | None, first_ns: int, last_ns: int) -> int:
    """`end_ns` where it lies there, to half a second; else the middle."""
    if end_ns is None or not first_ns - NS_PER_S // 2 <= end_ns <= last_ns + NS_PER_S // 2:
        return (first_ns + last_ns) // 2
    return min(max(end_ns, first_ns), last_ns)
