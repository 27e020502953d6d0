"""What a signal group did of late: lengths to the millisecond, and how it kept what was learnt of it. Pure.

A promise is a learnt end of the running phase. When the phase ends it is held to what was said five seconds before (of
a shorter phase, to what was said first). More than `TOLERANCE_NS` off is broken. Some are, as their confidence says
(learn_trust). But one that is broken where the last eight were kept is another programme: then no end of the state is
told until one would have been kept again.
"""

from __future__ import annotations

from typing import Any

from drivers.units import NS_PER_MS, NS_PER_S

TOLERANCE_NS = 2100 * NS_PER_MS
"""A second, the second in which a feed of one message a second tells of a change, and a tick."""
JUDGED_NS = 5 * NS_PER_S
PENALTY = 1
MOST_KEPT = 8

LENGTHS = 8
"""Lengths kept of each state."""
_LEAST_LENGTHS = 2
_CLAIM_EVERY_NS = NS_PER_S
_MOST_CLAIMS = 8


class Record:
    """One signal group. `state` is the running one (0: unknown), `since_ns` when it was first told."""

    def __init__(self) -> None:
        self.state = 0
        self.since_ns = 0
        self._seen = False  # its beginning
        self._next: dict[int, int] = {}
        self._lengths_ms: dict[int, list[int]] = {}
        self._kept: dict[int, int] = {}
        self._claims: list[list[int]] = []  # [at_ns, end as learnt]; 0 for none

    def change(self, t_ns: int, state: int, known: bool = True) -> None:
        """The running phase is another from `t_ns` on; state 0 where nobody knows any more.

        Not `known`: the moment was chosen, nobody is held to it.
        """
        before = self.state
        if before and state:
            if known:
                self._judge(t_ns)
            self._next[before] = state
            if self._seen:
                lengths = self._lengths_ms.setdefault(before, [])
                lengths.append((t_ns - self.since_ns) // NS_PER_MS)
                del lengths[:-LENGTHS]
        self._seen = bool(before and state)
        self.state, self.since_ns = state, t_ns
        self._claims.clear()

    def claim(self, t_ns: int, learnt_ns: int | None) -> None:
        """What was learnt says now of the running phase's end; None where it says nothing."""
        if self._claims and t_ns - self._claims[-1][0] < _CLAIM_EVERY_NS:
            return
        self._claims.append([t_ns, learnt_ns or 0])
        if len(self._claims) > _MOST_CLAIMS:
            del self._claims[1]

    def _judge(self, t_ns: int) -> None:
        """The running phase ended at `t_ns`."""
        if not self._claims:
            return
        end_ns = self._claims[0][1]
        for at_ns, said_ns in self._claims:
            if at_ns <= t_ns - JUDGED_NS:
                end_ns = said_ns
        if end_ns:
            kept = self._kept.get(self.state, 0)
            if abs(end_ns - t_ns) <= TOLERANCE_NS:
                self._kept[self.state] = min(MOST_KEPT, kept + 1)
            else:
                self._kept[self.state] = -PENALTY if kept < 0 or kept == MOST_KEPT else 0

    def allowed(self, state: int) -> bool:
        """Whether a learnt end of `state` may be promised."""
        return self._kept.get(state, 0) >= 0

    def usual_ns(self, state: int) -> int | None:
        """The length of a phase that always lasts as long (within a second, of the last eight); None where it varies.

        Example: 3_000_000_000 for an amber.
        """
        lengths = self._lengths_ms.get(state)
        if lengths is None or len(lengths) < _LEAST_LENGTHS:
            return None
        ordered = sorted(lengths)
        if ordered[-1] - ordered[0] > 1000:
            return None
        return ordered[len(ordered) // 2] * NS_PER_MS

    def near_ns(self, state: int, length_ns: int) -> int:
        """`length_ns`, known to the second, sharpened by the lengths of late that lie within 1.2 s of it."""
        near = sorted(
            ms for ms in self._lengths_ms.get(state, ()) if abs(ms * NS_PER_MS - length_ns) <= 1200 * NS_PER_MS
        )
        return near[len(near) // 2] * NS_PER_MS if near else length_ns

    def follows(self, state: int) -> int | None:
        """What came after `state` when it last ended; None where that was not seen."""
        return self._next.get(state)

    @property
    def whole(self) -> bool:
        """Whether the running phase was seen from its beginning."""
        return self._seen

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "running": [self.state, self.since_ns, self._seen],
            "next": [[*each] for each in self._next.items()],
            "lengths_ms": [[state, *lengths] for state, lengths in self._lengths_ms.items()],
            "kept": [[*each] for each in self._kept.items()],
            "claims": [claim[:] for claim in self._claims],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.state, self.since_ns, self._seen = state["running"]
        self._next = dict(state["next"])
        self._lengths_ms = {key: lengths for key, *lengths in state["lengths_ms"]}
        self._kept = dict(state["kept"])
        self._claims = [list(claim) for claim in state["claims"]]
