"""What a signal group did: its last four hours second by second, cut into runs, and the cycle they keep. Pure.

The line holds one byte a second: one bit for each state that may be learnt (3 to 8 of MovementPhaseState), 0 for
unknown. So ``(a ^ b).bit_count() // 2`` counts the seconds in which two stretches of line differ.

The cycle is found from changes, not from states: each change votes for the distances to earlier changes into the same
state. A lag that brings back two changes of three is a cycle even where a stage is left out every other time; lags at
a half, third or quarter of the best are preferred if they bring back a quarter as many. Votes fade over some 256
changes; besides, a fast count over 32 changes notices that the programme has changed.
"""

from __future__ import annotations

from typing import Any

LEARNABLE = range(3, 9)
"""Red, red-amber, permissive and protected green, permissive and protected amber."""

KEEP_S = 14_400
"""Length of the line. Four hours are 200 to 400 cycles."""
TRIM_S = 600
MOST_RUNS = 2048
"""Runs kept; a flickering signal forgets sooner."""
GAP_S = 120
"""No more of an unknown stretch is written into the line; times of runs stay true."""

SHORTEST_CYCLE_S = 25
LONGEST_CYCLE_S = 125
_HIT, _NEAR = 2048, 512
_SLOW, _FAST = 8, 5
_LEAST = 3000
"""Votes that make a cycle: two hits, or one with neighbours."""
_FAST_LEAST = 14 * _HIT
_CLEARLY = 4


def bit_of(state: int) -> int:
    """The line's byte for a MovementPhaseState; 0 for one that is not learnt. Example: 3 (red) -> 1."""
    return 1 << (state - 3) if state in LEARNABLE else 0


def state_of(bit: int) -> int:
    """The MovementPhaseState of a byte of the line. Example: 8 -> 6."""
    return bit.bit_length() + 2


class Run:
    """A stretch of one state: first second, its bit, its place in the line, and whether its beginning was seen."""

    __slots__ = ("at", "bit", "seen", "start_s")

    def __init__(self, start_s: int, bit: int, at: int, seen: bool) -> None:
        self.start_s, self.bit, self.at, self.seen = start_s, bit, at, seen


class Memory:
    """Line, runs and cycle. `cycle_s` is 0 until one is found. `age` grows with everything that moves old places;
    from place `whole_at` on the line has a place for every second.
    """

    def __init__(self) -> None:
        self.line = bytearray()
        self.runs: list[Run] = []
        self.cycle_s = 0
        self.age = 0
        self.whole_at = 0
        self._slow = [0] * (LONGEST_CYCLE_S + 2)
        self._fast = [0] * (LONGEST_CYCLE_S + 2)
        self._changes = 0

    @property
    def next_s(self) -> int | None:
        """The first second not yet in the line; None before the first."""
        if not self.runs:
            return None
        run = self.runs[-1]
        return run.start_s + len(self.line) - run.at

    def append(self, second: int, bit: int) -> None:
        """Write one second, the one after the last or a later one: what lies between is unknown."""
        runs, line = self.runs, self.line
        after = self.next_s
        if after is not None and second > after:
            if runs[-1].bit:
                self._begin(after, 0)
            line.extend(bytes(min(second - after, GAP_S)))
            if second - after > GAP_S:
                self.whole_at = len(line)
            self._begin(second, bit)  # also from unknown to unknown: so times stay true
        elif not runs or runs[-1].bit != bit:
            self._begin(second, bit)
        line.append(bit)
        if len(line) >= KEEP_S + TRIM_S:
            self._forget(TRIM_S)
        elif len(runs) >= MOST_RUNS:
            self._forget(runs[MOST_RUNS // 8].at)

    def _begin(self, second: int, bit: int) -> None:
        runs = self.runs
        seen = bool(runs) and runs[-1].bit != 0
        runs.append(Run(second, bit, len(self.line), seen))
        if seen and bit:
            self._vote(second, bit)

    def _forget(self, places: int) -> None:
        del self.line[:places]
        runs = self.runs
        first = 0
        while first + 1 < len(runs) and runs[first + 1].at <= places:
            first += 1
        del runs[:first]
        for run in runs:
            run.at -= places
        if runs[0].at < 0:
            runs[0].start_s -= runs[0].at
            runs[0].at, runs[0].seen = 0, False
        self.whole_at = max(0, self.whole_at - places)
        self.age += 1

    def _vote(self, second: int, bit: int) -> None:
        """Count the lags from this change to earlier ones into the same state, then look for the cycle."""
        slow, fast = self._slow, self._fast
        for lag in range(SHORTEST_CYCLE_S, LONGEST_CYCLE_S + 1):
            slow[lag] -= slow[lag] >> _SLOW
            fast[lag] -= fast[lag] >> _FAST
        self._changes += _HIT - (self._changes >> _SLOW)
        for at in range(len(self.runs) - 2, -1, -1):
            run = self.runs[at]
            lag = second - run.start_s
            if lag > LONGEST_CYCLE_S:
                break
            if lag >= SHORTEST_CYCLE_S and run.bit == bit and run.seen:
                for votes in (slow, fast):
                    votes[lag] += _HIT
                    if lag < LONGEST_CYCLE_S:
                        votes[lag + 1] += _NEAR
                    if lag > SHORTEST_CYCLE_S:
                        votes[lag - 1] += _NEAR
        if (
            max(fast) >= _FAST_LEAST
            and self.cycle_s
            and max(fast) > _CLEARLY * max(fast[self.cycle_s - 3 : self.cycle_s + 4])
        ):
            self._slow = slow = fast[:]  # another programme: what was counted before says nothing of it
        best = max(slow)
        if best < _LEAST:
            return
        lag = slow.index(best)
        found = _part_of(lag, slow)
        if found != self.cycle_s and (not self.cycle_s or found != lag or 4 * slow[found] >= 5 * slow[self.cycle_s]):
            self.cycle_s = found
            self.age += 1

    @property
    def regular_pct(self) -> int:
        """Share of changes that come back after one cycle, faded. Example: fixed time 95, adaptive 10."""
        return min(100, 100 * self._slow[self.cycle_s] // self._changes) if self._changes and self.cycle_s else 0

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "runs": [[run.start_s, run.bit, run.at, run.seen] for run in self.runs],
            "places": len(self.line),
            "whole_at": self.whole_at,
            "cycle_s": self.cycle_s,
            "slow": self._slow[:],
            "fast": self._fast[:],
            "changes": self._changes,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.runs = [Run(*fields) for fields in state["runs"]]
        ends = [run.at for run in self.runs[1:]] + [state["places"]]
        self.line = bytearray()
        for run, end in zip(self.runs, ends, strict=False):  # no run, no end
            self.line.extend(bytes((run.bit,)) * (end - run.at))
        self.cycle_s, self._changes, self.whole_at = state["cycle_s"], state["changes"], state["whole_at"]
        self._slow, self._fast = list(state["slow"]), list(state["fast"])
        self.age += 1


def _part_of(lag: int, votes: list[int]) -> int:
    """`lag`, or a quarter, third or half of it that is a cycle in its own right."""
    for parts in (4, 3, 2):
        near = range(max(SHORTEST_CYCLE_S, lag // parts - 1), lag // parts + 3)
        if not near:
            continue
        part = max(near, key=votes.__getitem__)
        if 4 * votes[part] >= votes[lag] and votes[part - 1] <= votes[part] >= votes[part + 1]:
            return part
    return lag
