"""What a lamp has been through, by what it was told: how often switched on, how long at which level."""

from __future__ import annotations

from typing import Any

from drivers.units import NS_PER_S


class LampWear:
    """Counts for one lamp. Levels are arc power levels as told; a fade counts as where it leads.

    `starts`: from off to lit. `changes`: all changes of level. `ns_at`: time at each level that it was told, by level.
    Example: a lamp told 0 at 0 and 254 at 5 s has ``ns_at == {0: 5_000_000_000}`` by then, and `starts` 1.
    """

    __slots__ = ("_level", "_since_ns", "changes", "ns_at", "starts")

    def __init__(self) -> None:
        self.starts = self.changes = 0
        self.ns_at: dict[int, int] = {}
        self._level: int | None = None
        self._since_ns = 0

    def told(self, level: int, now_ns: int) -> None:
        """The lamp is told `level`."""
        before = self._level
        if level == before:
            return
        if before is not None:  # the first says nothing of what it did before
            self.changes += 1
            self.starts += before == 0
            self.ns_at[before] = self.ns_at.get(before, 0) + now_ns - self._since_ns
        self._level, self._since_ns = level, now_ns

    def figures(self, now_ns: int) -> dict[str, Any]:
        """``{"starts": 1, "changes": 9, "lit_s": 3600, "full_s": 60, "s_at": {"170": 3500}}``, whole seconds."""
        at = dict(self.ns_at)
        if self._level is not None:
            at[self._level] = at.get(self._level, 0) + now_ns - self._since_ns
        lit_ns = sum(ns for level, ns in at.items() if level)
        return {
            "starts": self.starts,
            "changes": self.changes,
            "lit_s": lit_ns // NS_PER_S,
            "full_s": at.get(254, 0) // NS_PER_S,
            "s_at": {str(level): ns // NS_PER_S for level, ns in sorted(at.items())},
        }

    def snapshot(self) -> list[Any]:
        """All state, as JSON-able values."""
        return [self.starts, self.changes, [[*pair] for pair in self.ns_at.items()], self._level, self._since_ns]

    def restore(self, state: list[Any]) -> None:
        """Take over a snapshot."""
        self.starts, self.changes, ns_at, self._level, self._since_ns = state
        self.ns_at = dict(ns_at)
