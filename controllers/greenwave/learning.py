"""What a signal group will do, learnt from its states alone: for feeds that give no times (Hamburg). Pure.

A moment now is compared with moments of the last four hours in the same state: in every earlier run of that state the
second with the same age, and the second at the same place in the cycle. What came `h` seconds after each of them is a
vote. Eleven experts weigh these votes, each in its own way:

==========  =================================================================================
all         every run the same: with equal age, the table of (state, elapsed)
place       runs that began at nearly the same second of the cycle: fixed time, coordination
pattern     runs before which the signal did the same for 64 seconds: stages asked for or left out
late        the runs of the last few cycles: what holds now, and a new programme
both        place and pattern
==========  =================================================================================

each once over moments of equal age and once over moments of equal place in the cycle. The eleventh, for what is more
than 14 seconds off, asks only what was at that second of the last 40 cycles, whatever the state is now. An expert's
weight falls with its loss, -log2 of the share it gave to what came, slowly forgotten; kept apart by state and horizon
(about 10, 20, 40 seconds), and for the nearest also by age. All is whole numbers: eleven weights of 32 bits lie side by
side in one integer, so one addition votes for all experts.
"""

from __future__ import annotations

from typing import Any

import msgspec

from controllers.greenwave.learn_memory import Memory, Run, bit_of, state_of
from controllers.greenwave.learn_votes import EXPERTS, LOSS, likeliest, packed, shares_of, totals_of, weights_of
from drivers.units import NS_PER_S

HORIZONS_S = (10, 20, 40)
NEAR_S = 14
"""Up to here the first of HORIZONS_S counts, and the state now says more than the eleventh expert."""
MOST_EQUAL_AGE, MOST_EQUAL_PLACE = 512, 96
"""Runs looked at for moments of equal age, and of equal place in the cycle."""
MOST_ANY = 40
PATTERN_S = 64
LESSONS = 30
"""Seconds learnt from at one observation; of a longer silence the latest."""
MOST_AGES = 64

_PLACE = (64, 24, 8, 4, 2, 1)
_OWN = packed(64, 1, 16, 256, 1) << 160
"""Votes of the running run itself, one cycle ago and more."""
_ANY = 64 << 320
"""Votes of a second at the same place in the cycle as the one asked for."""
_FADE = (8, 11, 11)
"""A loss is 1/256 (one age: so many cycles) or 1/2048 (a state: half an hour to two hours) less at the next lesson."""
_ETA = (2, 5, 5)
"""A loss counts 1/4 or 1/32: the lessons of one phase are nearly one lesson."""
_FOLLOWS = {bit_of(4): bit_of(6), bit_of(7): bit_of(3), bit_of(8): bit_of(3)}
"""What comes after the short states, where nothing was learnt yet."""


class Phase(msgspec.Struct, frozen=True, gc=False):
    """A phase and its end. `confidence_pct` is the share of the votes that end it within a second of `end_ns`;
    nine of ten votes end it after `early_ns`, nine of ten before `late_ns`. Example: state 3, 41 s ahead, 87 %.
    """

    state: int
    end_ns: int
    early_ns: int
    late_ns: int
    confidence_pct: int


class Forecast(msgspec.Struct, frozen=True):
    """The running phase (`since_ns` is when it was first seen) and those to come, soonest first; none without votes.

    The confidence of a later phase counts also that all before it come as told.
    """

    state: int
    since_ns: int
    phases: tuple[Phase, ...]


class _Candidate(msgspec.Struct, frozen=True, gc=False):
    """An earlier run of the same state: place in the line, length, cycle place less that of the run it is held
    against, its number, and its packed weights by equal age and by equal place.
    """

    at: int
    length_s: int
    shift_s: int
    number: int
    by_age: int
    by_place: int


class PhaseLearner:
    """One signal group. Feed it `observe`, ask it `forecast` or `likely`; asking changes nothing.

    A state holds until the next observation, but no longer than `silence_s`: then it is unknown. Memory is bounded: a
    line of 15,000 bytes, 2,048 runs, 400 contexts of eleven numbers.
    """

    def __init__(self, silence_s: int = 300) -> None:
        self.memory = Memory()
        self._silence_s = silence_s
        self._origin_ns: int | None = None
        self._heard_ns = 0
        self._since_ns = 0
        self._held = 0
        self._losses: dict[int, list[int]] = {}
        self._candidates: dict[int, list[_Candidate]] = {}
        self._age = 0

    # ------------------------------------------------------------------ what is heard

    def observe(self, t_ns: int, state: int) -> None:
        """The group is in `state` (MovementPhaseState) at `t_ns`; states that cannot be learnt (0, 1, 2, 9), or a feed
        that was lost, are unknown from here on. Seconds are counted from the first observation and rounded; one older
        than the last is not used.
        """
        bit = bit_of(state)
        if self._origin_ns is None:
            self._origin_ns = t_ns
        elif t_ns < self._heard_ns:
            return
        self._heard_ns = t_ns
        memory = self.memory
        second = self._second(t_ns)
        after = memory.next_s
        if after is None:
            after = second
        if second >= after:
            if second - after <= self._silence_s:
                for silent in range(after, second):
                    self._write(silent, self._held, second - silent <= LESSONS)
            if not memory.runs or memory.runs[-1].bit != bit or second - after > self._silence_s:
                self._since_ns = t_ns
            self._write(second, bit, True)
        elif bit != self._held:
            self._since_ns = t_ns  # it shows in the line from the next second on
        self._held = bit

    def _second(self, t_ns: int) -> int:
        return (t_ns - (self._origin_ns or 0) + NS_PER_S // 2) // NS_PER_S

    def _write(self, second: int, bit: int, learn: bool) -> None:
        self.memory.append(second, bit)
        if bit and learn:
            for horizon in range(len(HORIZONS_S)):
                self._learn(bit, horizon)

    def _learn(self, bit: int, horizon: int) -> None:
        """Hold what came this second against what the experts said `HORIZONS_S[horizon]` ago."""
        memory = self.memory
        ahead_s = HORIZONS_S[horizon]
        place = len(memory.line) - 1 - ahead_s
        if place < 0:
            return
        number = len(memory.runs) - 1
        while memory.runs[number].at > place:
            number -= 1
        run = memory.runs[number]
        if not run.bit:
            return
        votes = self._votes(number, place - run.at, ahead_s, memory.line)
        if bit not in votes or len(votes) > 1:
            shares = shares_of(votes)
            if shares:
                losses = self._losses.setdefault(_context(run.bit, place - run.at, horizon), [0] * EXPERTS)
                came = shares.get(bit) or [0] * EXPERTS
                for expert in range(EXPERTS):
                    loss = losses[expert]
                    losses[expert] = loss - (loss >> _FADE[horizon]) + LOSS[came[expert] >> 4]

    # ------------------------------------------------------------------ votes

    def _candidates_of(self, number: int) -> list[_Candidate]:
        """Earlier runs in the state of run `number`, latest first. A closed form of line, runs and cycle: kept only to
        save time.
        """
        memory = self.memory
        if self._age != memory.age:
            self._candidates.clear()
            self._age = memory.age
        kept = self._candidates.get(number)
        if kept is not None:
            return kept
        runs, line = memory.runs, memory.line
        run = runs[number]
        cycle_s = memory.cycle_s
        before = int.from_bytes(line[max(0, run.at - PATTERN_S) : run.at])
        found: list[_Candidate] = []
        for earlier in range(number - 1, -1, -1):
            other = runs[earlier]
            if other.bit != run.bit:
                continue
            shift_s = (run.start_s - other.start_s) % cycle_s if cycle_s else 0
            apart_s = min(shift_s, cycle_s - shift_s) if cycle_s else len(_PLACE)
            place = _PLACE[apart_s] if apart_s < len(_PLACE) else 0
            differ_s = (int.from_bytes(line[max(0, other.at - PATTERN_S) : other.at]) ^ before).bit_count() >> 1
            pattern = 256 >> (differ_s >> 2)
            late = 256 >> (len(found) >> 2)
            votes = packed(64, place, pattern, late, place * pattern)
            by_age = votes if run.seen and other.seen else 1
            by_place = votes << 160 if cycle_s and len(found) < MOST_EQUAL_PLACE else 0
            found.append(_Candidate(other.at, runs[earlier + 1].at - other.at, shift_s, earlier, by_age, by_place))
            if len(found) == MOST_EQUAL_AGE:
                break
        if len(self._candidates) >= 8:
            del self._candidates[next(iter(self._candidates))]
        self._candidates[number] = found
        return found

    def _votes(self, number: int, age_s: int, ahead_s: int, line: bytearray) -> dict[int, int]:
        """Packed votes for each state `ahead_s` after second `age_s` of run `number`, of what was known then."""
        at = self.memory.runs[number].at
        newest = at + age_s - ahead_s
        cycle_s = self.memory.cycle_s
        votes = dict.fromkeys((0, 1, 2, 4, 8, 16, 32), 0)
        for each in self._candidates_of(number):
            length_s = each.length_s
            if age_s < length_s:
                place = each.at + age_s
                if place <= newest:
                    votes[line[place + ahead_s]] += each.by_age
            if each.by_place:
                same_s = (age_s + each.shift_s) % cycle_s
                while same_s < length_s:
                    place = each.at + same_s
                    if place <= newest:
                        votes[line[place + ahead_s]] += each.by_place
                    same_s += cycle_s
        if cycle_s:
            for place in range(at + age_s - cycle_s, at - 1, -cycle_s):
                if place <= newest:
                    votes[line[place + ahead_s]] += _OWN
            if ahead_s > NEAR_S:
                then = at + age_s + ahead_s - cycle_s * (1 + (ahead_s - 1) // cycle_s)
                least = max(self.memory.whole_at, then - MOST_ANY * cycle_s)
                for place in range(then, least - 1, -cycle_s):
                    votes[line[place]] += _ANY
        return {bit: each for bit, each in votes.items() if bit and each}

    def _weights(self, bit: int, age_s: int, horizon: int) -> list[int]:
        losses = self._losses.get(_context(bit, age_s, horizon))
        if losses is None:
            losses = [0] * EXPERTS
        if not horizon:
            return [*weights_of(losses[:-1], _ETA[0]), 0]  # the eleventh does not vote there
        return weights_of(losses, _ETA[horizon])

    # ------------------------------------------------------------------ what is asked

    def _now(self, now_ns: int) -> tuple[int, int, bytearray] | None:
        """Number of the running run, its age, and the line up to now; None where the state is unknown."""
        memory = self.memory
        if not memory.runs or not memory.runs[-1].bit or not self._held:
            return None
        run = memory.runs[-1]
        silent_s = max(0, self._second(now_ns) - run.start_s - (len(memory.line) - run.at) + 1)
        if silent_s > self._silence_s:
            return None
        line = memory.line + bytes((run.bit,)) * silent_s if silent_s else memory.line
        return len(memory.runs) - 1, len(line) - 1 - run.at, line

    def likely(self, now_ns: int, ahead_s: int) -> tuple[int, int] | None:
        """The likeliest state `ahead_s` (1 to 120) from now and its share in percent; None where nothing is known.

        Example: (6, 93). Without any votes the running state, or what follows a short one, at 0.
        """
        now = self._now(now_ns)
        if now is None:
            return None
        number, age_s, line = now
        bit = self.memory.runs[number].bit
        shares = shares_of(self._votes(number, age_s, ahead_s, line))
        if not shares:
            return state_of(_FOLLOWS.get(bit, bit) if ahead_s >= 3 else bit), 0
        weights = self._weights(bit, age_s, _horizon(ahead_s))
        best, most, total = bit, -1, 0
        for other, share in shares.items():
            mixed = 0
            for weight, each in zip(weights, share, strict=True):
                mixed += weight * each
            total += mixed
            if mixed > most or (mixed == most and other == bit):
                best, most = other, mixed
        return state_of(best), 100 * most // total

    def forecast(self, now_ns: int, phases: int = 4) -> Forecast | None:
        """The end of the running phase and of those after it, as far as votes go; None where nothing is known."""
        now = self._now(now_ns)
        if now is None:
            return None
        number, age_s, _ = now
        memory = self.memory
        runs = memory.runs
        bit = runs[number].bit
        cycle_s = memory.cycle_s
        moments: list[tuple[int, int, int]] = []
        for each in self._candidates_of(number):
            if age_s < each.length_s:
                moments.append((each.at + age_s, each.number, each.by_age))
            if each.by_place:
                same_s = (age_s + each.shift_s) % cycle_s
                while same_s < each.length_s:
                    moments.append((each.at + same_s, each.number, each.by_place))
                    same_s += cycle_s
        weights = self._weights(bit, age_s, 0)
        told: list[Phase] = []
        whole: list[int] = []
        start_ns = self._since_ns + age_s * NS_PER_S
        for step in range(phases):
            ends: dict[tuple[int, int], int] = {}
            for place, other, votes in moments:
                if other + step < number:
                    run: Run = runs[other + step]
                    if run.bit:
                        end = run.bit, runs[other + step + 1].at - place
                        ends[end] = ends.get(end, 0) + votes
            if not ends:
                break
            if step == 0:
                whole = totals_of(ends)
            bit, end_s, early_s, late_s, share_pct = likeliest(ends, whole, weights)
            end_ns, early_ns, late_ns = (start_ns + end * NS_PER_S for end in (end_s, early_s, late_s))
            told.append(Phase(state_of(bit), end_ns, early_ns, late_ns, share_pct))
            moments = [each for each in moments if each[1] + step < number and runs[each[1] + step].bit == bit]
        return Forecast(state_of(runs[number].bit), self._since_ns, tuple(told))

    # ------------------------------------------------------------------ state

    def figures(self) -> dict[str, int]:
        """What was found: `cycle_s` (0: none), `regular_pct` (changes that come back after a cycle), `learnt_s`."""
        memory = self.memory
        return {"cycle_s": memory.cycle_s, "regular_pct": memory.regular_pct, "learnt_s": len(memory.line)}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "memory": self.memory.snapshot(),
            "origin_ns": self._origin_ns,
            "heard_ns": self._heard_ns,
            "since_ns": self._since_ns,
            "held": self._held,
            "losses": [[key, *losses] for key, losses in self._losses.items()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.memory.restore(state["memory"])
        self._origin_ns, self._heard_ns = state["origin_ns"], state["heard_ns"]
        self._since_ns, self._held = state["since_ns"], state["held"]
        self._losses = {key: losses for key, *losses in state["losses"]}
        self._candidates.clear()


def _horizon(ahead_s: int) -> int:
    """Which of HORIZONS_S has learnt for `ahead_s`."""
    return 0 if ahead_s <= NEAR_S else 1 if ahead_s <= 29 else 2


def _context(bit: int, age_s: int, horizon: int) -> int:
    """Key of a set of losses: 6 states by 3 horizons, the nearest also by age."""
    return (bit.bit_length() * 4 + horizon) * MOST_AGES + (0 if horizon else min(age_s, MOST_AGES - 1))
