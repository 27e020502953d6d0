"""How often each source of ends was right, by what it says now: so that a promise is as good as its record. Pure.

Sources are the feed's own marks MIN and MAX, and what was LEARNT. Each says an end for the running phase, twice a
second; what is said again is counted once. When the phase has ended each of these claims is held against it: right
within `TOLERANCE_NS`. Records are kept apart by the state and by how much time the claim left, for marks to half a
second: four seconds before the end of red its minimum may always hold, where amber of the others is all that is still
to come, and at six seldom. Those of learnt ends also by the confidence stated.

`trust_pct` is the share that was right, with some claims in advance: for learnt ends `LEARNT_WEIGHT` that were right as
often as they said; for marks one, as right as the mark was over all classes of time left, and there again one, right
where it is what the state's end is usually told by, else wrong. So a mark that is only a bound has to prove itself, and
what a learner says too boldly is believed as often as it was right. Records are forgotten over some `MOST` claims.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from drivers.units import NS_PER_MS, NS_PER_S

MIN, MAX, LEARNT = 0, 1, 2
SOURCES = (MIN, MAX, LEARNT)
TOLERANCE_NS = 1100 * NS_PER_MS
"""A second, and a tenth in which messages tell of it."""
MOST = 16
LEARNT_WEIGHT = 4
_HALF_NS = NS_PER_S // 2
_LEFT = (*range(17), 20, 26, 36, 52)
"""Classes of time left, half seconds."""
_LEARNT_LEFT = (0, 10, 18, 28, 50)
_SURES = 12
_KEYS = 512
"""Of one state and source; the key before them is that of all classes of a mark together."""
_SAME_NS = NS_PER_S // 4
_MOST_CLAIMS = 128


class Trust:
    """One signal group. At most 6 states by 42 classes of marks and 55 of learnt ends, and 128 open claims."""

    def __init__(self) -> None:
        self._records: dict[int, list[int]] = {}  # key: [right, all], in 1/256
        self._claims: list[list[int]] = []  # [key, end_ns]
        self._claimed_ns: int | None = None

    def claim(self, t_ns: int, state: int, said: dict[int, tuple[int, int]]) -> None:
        """What the sources say at `t_ns`: (end, confidence in percent) of each that says anything."""
        if self._claimed_ns is not None and t_ns - self._claimed_ns < _HALF_NS:
            return
        self._claimed_ns = t_ns
        for source, (end_ns, confidence_pct) in said.items():
            key = _key(source, state, end_ns - t_ns, confidence_pct)
            if not any(key == other and abs(end_ns - other_ns) < _SAME_NS for other, other_ns in self._claims[-9:]):
                self._claims.append([key, end_ns])
        del self._claims[:-_MOST_CLAIMS]

    def end(self, t_ns: int | None) -> None:
        """The running phase ended at `t_ns`; None: nobody knows when."""
        if t_ns is not None:
            for key, end_ns in self._claims:
                right = abs(end_ns - t_ns) <= TOLERANCE_NS
                self._count(key, right)
                if key % _KEYS % _SURES == 0:
                    self._count(key - key % _KEYS - 1, right)
        self._claims.clear()
        self._claimed_ns = None

    def _count(self, key: int, right: bool) -> None:
        record = self._records.setdefault(key, [0, 0])
        if record[1] >= MOST << 8:
            record[0] -= record[0] // MOST
            record[1] -= record[1] // MOST
        record[0] += 256 if right else 0
        record[1] += 256

    def trust_pct(self, source: int, state: int, left_ns: int, prior_pct: int) -> int:
        """How often such a claim was right. `prior_pct`: of LEARNT the confidence stated, of a mark 100 or 0."""
        key = _key(source, state, left_ns, prior_pct)
        if source != LEARNT:
            prior_pct = self._mixed(key - key % _KEYS - 1, prior_pct, 1)
        return self._mixed(key, prior_pct, LEARNT_WEIGHT if source == LEARNT else 1)

    def _mixed(self, key: int, prior_pct: int, weight: int) -> int:
        right, count = self._records.get(key, (0, 0))
        return ((weight * prior_pct << 8) + 100 * right) // ((weight << 8) + count)

    def sure_left_ns(self, state: int, prior_pct: int, enough_pct: int) -> int:
        """From how much time left on the mark MIN of `state` was believed rightly down to its end; 0 for never."""
        sure = 0
        for half, above in pairwise((*_LEFT, _LEFT[-1] + 2)):
            if _key(MIN, state, half * _HALF_NS, 0) in self._records:
                if self.trust_pct(MIN, state, half * _HALF_NS, prior_pct) < enough_pct:
                    break
                sure = above
        return sure * _HALF_NS

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "records": [[key, *record] for key, record in self._records.items()],
            "claims": [claim[:] for claim in self._claims],
            "claimed_ns": self._claimed_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._records = {key: [right, count] for key, right, count in state["records"]}
        self._claims = [list(claim) for claim in state["claims"]]
        self._claimed_ns = state["claimed_ns"]


def _key(source: int, state: int, left_ns: int, confidence_pct: int) -> int:
    """Of the record such a claim belongs to."""
    half = max(0, left_ns) // _HALF_NS
    steps = _LEARNT_LEFT if source == LEARNT else _LEFT
    place = len(steps) - 1
    while steps[place] > half:
        place -= 1
    sure = 1 + min(10, confidence_pct // 10) if source == LEARNT else 0
    return (state * len(SOURCES) + source) * _KEYS + place * _SURES + sure
