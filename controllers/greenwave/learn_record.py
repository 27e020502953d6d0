"""How a signal group kept what was said of it: lengths to the millisecond, and promises judged. Pure.

A promise is an end told for the running phase by one source: a mark of the feed that is only a bound (MARK), or what
was learnt (LEARNT). When the phase ends, each source is held to what it said five seconds before (of a shorter phase,
to what it said first). More than `TOLERANCE_NS` off is broken. A broken promise costs the source the state's next
promises until it would have kept two in a row; what it would have said is judged all the while. Of learnt ends some
are wrong, as their confidence says: there one broken promise costs so much only where the last four were kept (it is
another programme) or none before, else the second in a row does.
"""

from __future__ import annotations

from typing import Any

from drivers.units import NS_PER_MS, NS_PER_S

MARK, LEARNT = 0, 1
TOLERANCE_NS = 2100 * NS_PER_MS
"""A second, the second in which a feed of one message a second tells of a change, and a tick."""
JUDGED_NS = 5 * NS_PER_S
PENALTY = 2
PROVED = 2
MOST_KEPT = 4

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
        self._claims: list[list[int]] = []  # [at_ns, end by mark, end as learnt]; 0 for none

    def change(self, t_ns: int, state: int) -> None:
        """The running phase is another from `t_ns` on; state 0 where nobody knows any more."""
        before = self.state
        if before and state:
            self._judge(t_ns)
            self._next[before] = state
            if self._seen:
                lengths = self._lengths_ms.setdefault(before, [])
                lengths.append((t_ns - self.since_ns) // NS_PER_MS)
                del lengths[:-LENGTHS]
        self._seen = bool(before and state)
        self.state, self.since_ns = state, t_ns
        self._claims.clear()

    def claim(self, t_ns: int, mark_ns: int | None, learnt_ns: int | None) -> None:
        """What each source says now of the running phase's end; None where it says nothing."""
        if self._claims and t_ns - self._claims[-1][0] < _CLAIM_EVERY_NS:
            return
        self._claims.append([t_ns, mark_ns or 0, learnt_ns or 0])
        if len(self._claims) > _MOST_CLAIMS:
            del self._claims[1]

    def _judge(self, t_ns: int) -> None:
        """The running phase ended at `t_ns`."""
        if not self._claims:
            return
        said = self._claims[0]
        for claim in self._claims:
            if claim[0] <= t_ns - JUDGED_NS:
                said = claim
        for source in (MARK, LEARNT):
            end_ns = said[1 + source]
            if end_ns:
                key = self.state * 2 + source
                kept = self._kept.get(key, 0)
                missed = abs(end_ns - t_ns) > TOLERANCE_NS
                if not missed:
                    self._kept[key] = min(MOST_KEPT, kept + 1)
                elif source == LEARNT and 0 < kept < MOST_KEPT:
                    self._kept[key] = 0
                else:
                    self._kept[key] = -PENALTY

    def allowed(self, state: int, source: int) -> bool:
        """Whether what `source` says of the end of `state` may be promised."""
        return self._kept.get(state * 2 + source, 0) >= 0

    def proved(self, state: int, source: int) -> bool:
        """Whether it kept its last promises."""
        return self._kept.get(state * 2 + source, 0) >= PROVED

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
