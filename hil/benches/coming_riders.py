"""Who rides on a bench's path: sources of riders, and the peer that lets them appear."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from drivers.units import FOREVER_NS
from hil.peers.radar_row import RadarRow, Sees
from hil.traffic.rider import GHOST_IDS, Rider


class Riders(Protocol):
    """Where riders come from, in the order their rides start."""

    @property
    def next_start_ns(self) -> int:
        """When the next ride starts; FOREVER_NS after the last."""

    def take(self) -> Rider | None:
        """The next rider; None after the last."""

    def snapshot(self) -> dict[str, Any]:
        """Where the source stands."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""


class ListedRiders:
    """Riders from a list, e.g. a case's."""

    def __init__(self, riders: list[Rider]) -> None:
        self._riders = sorted(riders, key=lambda rider: (rider.start_ns, rider.id))
        self._next = 0

    @property
    def next_start_ns(self) -> int:
        """When the next ride starts."""
        return self._riders[self._next].start_ns if self._next < len(self._riders) else FOREVER_NS

    def take(self) -> Rider | None:
        """The next rider."""
        if self._next == len(self._riders):
            return None
        self._next += 1
        return self._riders[self._next - 1]

    def snapshot(self) -> dict[str, Any]:
        """Where the source stands."""
        return {"next": self._next}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._next = state["next"]


class Traffic:
    """The peer that lets riders appear: to the radars that may see them, and to the ledgers."""

    def __init__(self, riders: Riders, radars: Sequence[Sees], told: Callable[[Rider], None]) -> None:
        self.name = "riders"
        self.riders, self._row, self._told = riders, RadarRow(radars), told
        self.seen_by: list[int] = []
        """The radars that will see the last one, by their places."""
        self.under_way: dict[int, Rider] = {}
        self.count = 0
        self.wake_ns = riders.next_start_ns

    def run(self, now_ns: int) -> None:
        """The next ride begins."""
        rider = self.riders.take()
        assert rider is not None
        self.count += rider.id < GHOST_IDS
        if len(self.under_way) > 64:
            for number in [known for known, other in self.under_way.items() if other.end_ns < now_ns]:
                del self.under_way[number]
        self.under_way[rider.id] = rider
        self.seen_by = self._row.rider(rider)
        self._told(rider)
        self.wake_ns = self.riders.next_start_ns

    def snapshot(self) -> dict[str, Any]:
        """All state; the riders under way in full, so that radars can be restored from them."""
        return {
            "wake_ns": self.wake_ns,
            "count": self.count,
            "riders": self.riders.snapshot(),
            "under_way": msgspec.to_builtins(list(self.under_way.values())),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.wake_ns, self.count = state["wake_ns"], state["count"]
        self.riders.restore(state["riders"])
        self.under_way = {rider.id: rider for rider in msgspec.convert(state["under_way"], list[Rider])}
