"""What a display showed, held against what the signal then did. Streaming: one look after the other, nothing is kept.

A look is the moment at which what is shown may change. Between looks the number counts down. What is claimed:

* go with r left, seen by a rider who needs `shift` to the stop line: the signal's go ends ``shift + r`` from now.
* wait with r left: its waiting ends ``shift + r`` from now. Without a number only the colour is claimed.
"""

from __future__ import annotations

from array import array
from typing import Any

from drivers.units import NS_PER_MS, NS_PER_S
from hil.score_truth import GO, NONE, WAIT, Phases

HORIZONS_S = (5, 10, 20, 30)
WITHIN_NS = NS_PER_S + 100 * NS_PER_MS
"""Within a second, and one decision of the display (0.1 s), which is as finely as it looks."""
RESOLUTION_NS = 100 * NS_PER_MS
"""A number that rises by more than one decision has jumped."""
COLOUR_GRACE_NS = 100 * NS_PER_MS
"""A change may be shown one decision late; before and behind that, the wrong colour is wrong."""
BIN_MS = 100
_MOST_BINS = 1200


class Errors:
    """Signed errors of the shown end at one horizon, in tenths of a second: positive is too late. Bounded."""

    def __init__(self) -> None:
        self.asked = self.told = self.within = 0
        self._bins: dict[int, int] = {}

    def add(self, error_ns: int | None) -> None:
        """One phase; None where no end was shown."""
        self.asked += 1
        if error_ns is None:
            return
        self.told += 1
        self.within += -WITHIN_NS <= error_ns <= WITHIN_NS
        place = max(-_MOST_BINS, min(_MOST_BINS, (error_ns + BIN_MS * NS_PER_MS // 2) // (BIN_MS * NS_PER_MS)))
        self._bins[place] = self._bins.get(place, 0) + 1

    def percentile_s(self, per_cent: int) -> float | None:
        """The error that so many of the told lie below, seconds; None where nothing was told."""
        left = (self.told * per_cent + 99) // 100
        for place in sorted(self._bins):
            left -= self._bins[place]
            if left <= 0:
                return place * BIN_MS / 1000
        return None


class Ledger:
    """The account of one display before one signal group.

    Args:
        phases: what the signal did.
        shift_ns: from the display to the stop line, for GO and WAIT, as the end of what is shown counts.
        from_ns: what happens before is not counted.
    """

    def __init__(self, phases: Phases, shift_ns: dict[int, int], from_ns: int = 0) -> None:
        self.shown_ns = self.dark_ns = self.wrong_ns = self.needless_ns = self.without_end_ns = 0
        self.jumps = 0
        self.errors = {h: {GO: Errors(), WAIT: Errors()} for h in HORIZONS_S}
        self._phases, self._shift_ns, self._from_ns = phases, shift_ns, from_ns
        self._asked = dict.fromkeys(HORIZONS_S, 0)
        self._queries = {h: self._queries_of(h) for h in HORIZONS_S}
        self._t_ns: int | None = None
        self._kind, self._ahead_ns = NONE, 0
        self._end_ns: int | None = None
        self._low: tuple[int, int, int] | None = None
        self._enough_until_ns = 0
        self._pauses = 0

    def _queries_of(self, horizon_s: int) -> tuple[array[int], array[int]]:
        """(when to look, which phase), in order of time, for each phase that was so long and really ended."""
        phases, ahead_ns = self._phases, horizon_s * NS_PER_S
        found = []
        for n, kind in enumerate(phases.kind):
            end_ns = phases.start_ns[n + 1]
            if kind == NONE or not phases.ended[n] or end_ns - phases.start_ns[n] < ahead_ns:
                continue
            look_ns = end_ns - ahead_ns - self._shift_ns[kind]
            if look_ns >= max(self._from_ns, phases.start_ns[0]):
                found.append((look_ns, n))
        found.sort()
        return array("q", [look for look, _ in found]), array("q", [n for _, n in found])

    @property
    def ended(self) -> int:
        """Phases that really ended after `from_ns`."""
        phases = self._phases
        return sum(phases.ended[n] and phases.start_ns[n + 1] >= self._from_ns for n in range(len(phases.kind)))

    def look(self, t_ns: int, kind: int, ahead_ns: int, left_ns: int | None, enough_until_ns: int) -> None:
        """From `t_ns` on `kind` is shown with `left_ns` to its end.

        `ahead_ns` is how far ahead the colour is promised. Until `enough_until_ns` a feed is there and tells enough, so
        that dark need not be.
        """
        self._account(t_ns)
        self._t_ns, self._kind, self._ahead_ns, self._enough_until_ns = t_ns, kind, ahead_ns, enough_until_ns
        self._end_ns = None if left_ns is None or kind == NONE else t_ns + self._shift_ns[kind] + left_ns
        if left_ns is not None and kind != NONE:
            self._watch(t_ns, kind, left_ns)

    def finish(self, t_ns: int) -> None:
        """The recording ends at `t_ns`."""
        self._account(t_ns)
        self._t_ns = None

    def _watch(self, t_ns: int, kind: int, left_ns: int) -> None:
        """A number is shown: has it risen since the lowest of this phase?"""
        phase = self._phases.at(t_ns + self._shift_ns[kind])
        low = self._low
        if low is not None and low[:2] == (kind, phase):
            if left_ns > low[2] + RESOLUTION_NS:
                self.jumps += t_ns >= self._from_ns
            elif left_ns > low[2]:
                return
        self._low = kind, phase, left_ns

    def _account(self, until_ns: int) -> None:
        """What was shown since the last look stood until `until_ns`."""
        if self._t_ns is None:
            return
        for horizon_s in HORIZONS_S:
            times, numbers = self._queries[horizon_s]
            n = self._asked[horizon_s]
            while n < len(times) and times[n] < until_ns:
                self._answer(horizon_s, times[n], numbers[n])
                n += 1
            self._asked[horizon_s] = n
        from_ns, until_ns = self._without_pause(max(self._t_ns, self._from_ns), until_ns)
        gone_ns = until_ns - from_ns
        if gone_ns <= 0:
            return
        if self._kind == NONE:
            self.dark_ns += gone_ns
            self.needless_ns += max(0, min(until_ns, self._enough_until_ns) - from_ns)
            return
        self.shown_ns += gone_ns
        self.without_end_ns += gone_ns if self._end_ns is None else 0
        self._colour(from_ns + self._ahead_ns, until_ns + self._ahead_ns)

    def _without_pause(self, from_ns: int, until_ns: int) -> tuple[int, int]:
        """The part of a stretch in which something was recorded; a pause it lies about counts to neither side."""
        pauses_ns = self._phases.pauses_ns
        while self._pauses < len(pauses_ns) and pauses_ns[self._pauses][1] <= from_ns:
            self._pauses += 1
        if self._pauses < len(pauses_ns):
            pause_ns, again_ns = pauses_ns[self._pauses]
            if pause_ns < until_ns:
                return (from_ns, pause_ns) if from_ns < pause_ns else (again_ns, until_ns)
        return from_ns, until_ns

    def _answer(self, horizon_s: int, look_ns: int, number: int) -> None:
        kind = self._phases.kind[number]
        told = self._kind == kind and self._end_ns is not None and self._t_ns is not None and look_ns >= self._t_ns
        end_ns = self._end_ns
        error_ns = end_ns - self._phases.start_ns[number + 1] if told and end_ns is not None else None
        self.errors[horizon_s][kind].add(error_ns)

    def _colour(self, from_ns: int, until_ns: int) -> None:
        """Count where the signal was not what is shown."""
        phases = self._phases
        n, last = phases.at(from_ns), len(phases.kind) - 1
        while True:
            start_ns, end_ns = phases.start_ns[n], phases.start_ns[n + 1]
            if phases.kind[n] != self._kind and phases.kind[n] != NONE:
                late_ns = start_ns + COLOUR_GRACE_NS if n else start_ns
                early_ns = end_ns - (phases.slack_ns[n + 1] + COLOUR_GRACE_NS if n < last else 0)
                self.wrong_ns += max(0, min(until_ns, early_ns) - max(from_ns, late_ns))
            if n == last or end_ns >= until_ns:
                return
            n += 1

    def figures(self) -> dict[str, Any]:
        """JSON-able. Shares are of all phases long enough, so what was not told counts as missed."""
        found: dict[str, Any] = {
            "phases": self.ended,
            "shown_s": _s(self.shown_ns),
            "dark_s": _s(self.dark_ns),
            "needless_dark_s": _s(self.needless_ns),
            "without_end_s": _s(self.without_end_ns),
            "wrong_colour_s": _s(self.wrong_ns),
            "upward_jumps": self.jumps,
        }
        for horizon_s, by_kind in self.errors.items():
            both = list(by_kind.values())
            found[f"within_1s_at_{horizon_s}s"] = share(both, "within", "asked")
            found[f"told_at_{horizon_s}s"] = share(both, "told", "asked")
            found[f"phases_at_{horizon_s}s"] = both[0].asked + both[1].asked
            found[f"error_s_at_{horizon_s}s"] = {
                name: {f"p{p}": errors.percentile_s(p) for p in (5, 50, 95)}
                for name, errors in (("go", by_kind[GO]), ("wait", by_kind[WAIT]))
            }
            for name, errors in (("go", by_kind[GO]), ("wait", by_kind[WAIT])):
                found[f"{name}_within_1s_at_{horizon_s}s"] = share([errors], "within", "asked")
        return found


def share(errors: list[Errors], part: str, whole: str) -> float | None:
    """Of several accounts together, 0 to 1, four places; None of nothing."""
    total = sum(getattr(one, whole) for one in errors)
    return round(sum(getattr(one, part) for one in errors) / total, 4) if total else None


def _s(ns: int) -> float:
    return round(ns / NS_PER_S, 3)
