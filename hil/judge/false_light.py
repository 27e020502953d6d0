"""Lamps that were raised for nobody: a radar's clutter, a rider who was thought to come and never did.

A **false lighting** is a time above base level of one lamp, from its rising until it was told to sink to base, in which
the lamp was owed to no rider at any moment, known or not.
"""

from __future__ import annotations

from typing import Any

_KEPT = 16


class FalseLight:
    """Counts false lightings of all lamps. Memory: what is owed now and to come, and a running time a lamp.

    Args:
        lamps: how many.
        base_level: above it a lamp is raised.
    """

    def __init__(self, lamps: int, base_level: int) -> None:
        self._base = base_level
        self._owed: list[list[tuple[int, int]]] = [[] for _ in range(lamps)]
        self._raised_ns: list[int | None] = [None] * lamps
        self.count = 0
        self.lasted_ns = 0

    def owed(self, lamp: int, from_ns: int, to_ns: int) -> None:
        """The lamp is owed to somebody from `from_ns` to `to_ns`. Tell it before `from_ns`."""
        owed = self._owed[lamp]
        if len(owed) > _KEPT:
            since_ns = self._raised_ns[lamp]
            for_whom = [] if since_ns is None else [span for span in owed if span[0] < from_ns and span[1] > since_ns]
            owed[:] = [*for_whom[:1], *(span for span in owed if span[1] > from_ns and span not in for_whom[:1])]
        owed.append((from_ns, to_ns))

    def goes(self, lamp: int, t_ns: int, level: int) -> None:
        """The lamp is told another level at `t_ns`."""
        since_ns = self._raised_ns[lamp]
        if level > self._base:
            if since_ns is None:
                self._forget(lamp, t_ns)
                self._raised_ns[lamp] = t_ns
        elif since_ns is not None:
            self._raised_ns[lamp] = None
            if not any(from_ns < t_ns and to_ns > since_ns for from_ns, to_ns in self._owed[lamp]):
                self.count += 1
                self.lasted_ns += t_ns - since_ns
            self._forget(lamp, t_ns)

    def _forget(self, lamp: int, t_ns: int) -> None:
        owed = self._owed[lamp]
        if owed:
            owed[:] = [span for span in owed if span[1] > t_ns]

    def snapshot(self) -> list[Any]:
        """All state, JSON-able."""
        return [
            self.count,
            self.lasted_ns,
            list(self._raised_ns),
            [[list(span) for span in owed] for owed in self._owed],
        ]

    def restore(self, state: list[Any]) -> None:
        """Take over a snapshot."""
        self.count, self.lasted_ns, raised_ns, owed = state
        self._raised_ns = list(raised_ns)
        self._owed = [[(from_ns, to_ns) for from_ns, to_ns in spans] for spans in owed]
