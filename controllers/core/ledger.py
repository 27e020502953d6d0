"""Where the time of the loop goes: how late ticks come, how long each phase takes, and who held the loop.

Clock-free: whoever has a clock says what it saw. Everything here is integers and bounded, however long it runs.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final, Protocol

PHASES: Final = ("sense", "decide", "limit", "act", "publish")
SENSE, DECIDE, LIMIT, ACT, PUBLISH = range(len(PHASES))
"""Wires and devices; the policy; the gate; outputs; observer, recorder, status and watchdogs."""

BUDGET_PER_MILLE: Final = (250, 250, 100, 250, 100)
"""Of the period, a phase; what is left over is for being late and for the sleep."""

NEWEST: Final = 20


class Meter(Protocol):
    """Told at every step of a turn who has just been at work."""

    def mark(self, phase: int, what: str, name: str) -> None:
        """The time since the last mark went to `what` ("device", "wire", "lamp", …) `name` ("" where there is one)."""


class Histogram:
    """How late, in buckets of fixed size: one a microsecond up to 16 us, then eight for every doubling, up to 67 s.

    A quantile read from it is at most an eighth too high.
    """

    _BUCKETS: Final = 8 * 24  # of which the last holds whatever is above

    def __init__(self) -> None:
        self.count = self.sum_us = self.max_us = 0
        self._counts = [0] * self._BUCKETS

    def add(self, late_ns: int) -> None:
        """One more value, in whole microseconds rounded up; e.g. 16_001 ns is 17 us."""
        us = -(-late_ns // 1000)
        self.count += 1
        self.sum_us += us
        if us > self.max_us:
            self.max_us = us
        x = us - 1 if us > 0 else 0
        step = x.bit_length() - 4 if x >= 16 else 0
        index = (step << 3) + (x >> step)
        self._counts[index if index < self._BUCKETS else self._BUCKETS - 1] += 1

    def quantile_us(self, per_mille: int) -> int:
        """The nearest rank: so many of a thousand values are at most this. 0 where there are none."""
        rank = -(-self.count * per_mille // 1000)
        seen = 0
        for index, count in enumerate(self._counts):
            seen += count
            if count and seen >= rank and index < self._BUCKETS - 1:
                return min(self.max_us, _upper_us(index))
        return self.max_us

    def doublings(self) -> tuple[list[int], list[int]]:
        """(upper bounds in us, how many values in each bucket), bounds 1, 2, 4, …; not summed up.

        A value stands in the first bucket whose bound is not less. The last bound stands for everything above, too.
        """
        bounds: list[int] = []
        counts: list[int] = []
        bound, waiting = 1, 0
        for index, count in enumerate(self._counts):
            waiting += count
            if _upper_us(index) == bound:
                bounds.append(bound)
                counts.append(waiting)
                bound, waiting = bound * 2, 0
        return bounds, counts


def _upper_us(index: int) -> int:
    step = max(0, index // 8 - 1)
    return (index - 8 * step + 1) << step


class Account:
    """What one turn of the loop spent, by phase, and who spent most at a stretch."""

    __slots__ = ("collector_ns", "longest_ns", "name", "phase_ns", "spent_ns", "what")

    def __init__(self) -> None:
        self.phase_ns = [0] * len(PHASES)
        self.clear()

    def clear(self) -> None:
        """A new turn."""
        phase_ns = self.phase_ns
        for phase in range(len(phase_ns)):
            phase_ns[phase] = 0
        self.longest_ns = self.collector_ns = self.spent_ns = 0
        self.what = self.name = ""

    def add(self, phase: int, what: str, name: str, took_ns: int) -> None:
        """So much time went to `what` `name`."""
        self.phase_ns[phase] += took_ns
        self.spent_ns += took_ns
        if took_ns > self.longest_ns:
            self.longest_ns, self.what, self.name = took_ns, what, name


def culprit(account: Account, awake_ns: int, overslept_ns: int, stolen_ns: int) -> tuple[str, int]:
    """(who, for how long in ns) held the loop for the turn that `account` tells of and the sleep after it.

    Args:
        account: of the turn that ended last.
        awake_ns: what that turn took in all.
        overslept_ns: by how much the sleep after it ended later than it should.
        stolen_ns: of `awake_ns`, when the thread had no processor and did not wait for anything itself.

    The longest stretch is named, the garbage collector's and the machine's own among them; "loop" where nobody was
    seen at work, "device radar-1" and the like else.
    """
    who = f"{account.what} {account.name}" if account.name else account.what
    seen_ns = account.spent_ns + account.collector_ns
    held = (
        (account.longest_ns - min(stolen_ns, account.longest_ns), who),
        (account.collector_ns, "garbage collector"),
        (overslept_ns + stolen_ns, "machine"),
        (awake_ns - seen_ns - stolen_ns, "loop"),
    )
    for_ns, name = max(held, key=lambda each: each[0])
    return name, for_ns


class Ledger:
    """Lateness of the ticks, time by phase, and who held the loop when a tick was late by half a period or more.

    Args:
        period_ns: of the grid.
    """

    def __init__(self, period_ns: int) -> None:
        self.period_ns = period_ns
        self.budget_ns = tuple(period_ns * share // 1000 for share in BUDGET_PER_MILLE)
        self.overruns = 0
        """Places of the grid that no tick took because it came too late."""
        self.lateness = Histogram()
        self.turns = 0
        self._spent_ns = [0] * len(PHASES)
        self._max_ns = [0] * len(PHASES)
        self._over = [0] * len(PHASES)
        self._held: deque[dict[str, Any]] = deque(maxlen=NEWEST)
        self._by_whom: dict[str, list[int]] = {}

    def ticked(self, late_ns: int, passed_over: int) -> None:
        """A tick has begun so much after its time; so many places before it were passed over."""
        self.lateness.add(late_ns)
        self.overruns += passed_over

    def turned(self, account: Account) -> None:
        """A turn with a tick has ended."""
        self.turns += 1
        for phase, took_ns in enumerate(account.phase_ns):
            if took_ns:
                self._spent_ns[phase] += took_ns
                if took_ns > self._max_ns[phase]:
                    self._max_ns[phase] = took_ns
                if took_ns > self.budget_ns[phase]:
                    self._over[phase] += 1

    def held(self, t_ns: int, late_ns: int, what: str, for_ns: int) -> None:
        """The tick at `t_ns` was late because of `what`. Names are those of a board: few, so their sums are kept."""
        self._held.append({"t_ns": t_ns, "late_us": late_ns // 1000, "what": what, "for_us": for_ns // 1000})
        sums = self._by_whom.setdefault(what, [0, 0, 0])
        sums[0] += 1
        sums[1] += for_ns // 1000
        sums[2] = max(sums[2], for_ns // 1000)

    def figures(self) -> dict[str, Any]:
        """JSON-able: overruns, late_us, late_histogram, phases_us, held (the newest 20), held_by (sums by name)."""
        bounds, counts = self.lateness.doublings()
        late = self.lateness
        return {
            "overruns": self.overruns,
            "late_us": {
                "p50": late.quantile_us(500),
                "p99": late.quantile_us(990),
                "p999": late.quantile_us(999),
                "max": late.max_us,
            },
            "late_histogram": {"le_us": bounds, "count": counts, "sum_us": late.sum_us},
            "phases_us": {
                phase: {
                    "max": self._max_ns[number] // 1000,
                    "mean": self._spent_ns[number] // 1000 // max(1, self.turns),
                    "budget": self.budget_ns[number] // 1000,
                    "over_budget": self._over[number],
                }
                for number, phase in enumerate(PHASES)
            },
            "held": [dict(each) for each in self._held],
            "held_by": {
                who: {"count": count, "sum_us": sum_us, "max_us": max_us}
                for who, (count, sum_us, max_us) in self._by_whom.items()
            },
        }
