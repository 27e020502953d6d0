"""A radar that talks with its far end, both in one virtual time."""

from __future__ import annotations

import json
from typing import Any

from drivers.quantities import DeviceHealth, Quantity


class RadarDesk:
    """`radar`, `peer` and the `values` that came of them; whoever inherits makes these three."""

    radar: Any
    peer: Any
    values: list[Quantity]
    now_ns = 0

    def run(self, until_ns: int) -> None:
        while (due_ns := min(self.radar.wake_ns, self.peer.wake_ns)) < until_ns:
            self.now_ns = max(self.now_ns, due_ns)
            if self.peer.wake_ns <= self.now_ns:
                self.peer.run(self.now_ns)
            self.radar.advance(self.now_ns)
        self.now_ns = until_ns

    def restored(self) -> None:
        """Both take over their snapshots, through JSON."""
        radar, peer = json.loads(json.dumps(self.radar.snapshot())), json.loads(json.dumps(self.peer.snapshot()))
        self.radar.restore(radar)
        self.peer.restore(peer)
        assert json.loads(json.dumps(self.radar.snapshot())) == radar

    def does_nothing_before_its_wake(self) -> None:
        before = (self.radar.snapshot(), len(self.peer.heard), len(self.values), self.radar.wake_ns)
        self.radar.advance(min(self.now_ns, self.radar.wake_ns - 1))
        assert (self.radar.snapshot(), len(self.peer.heard), len(self.values), self.radar.wake_ns) == before

    def is_the_same_as(self, other: RadarDesk) -> None:
        assert self.values == other.values
        assert self.peer.snapshot() == other.peer.snapshot()
        assert self.radar.snapshot() == other.radar.snapshot()

    @property
    def health(self) -> list[tuple[bool, str]]:
        return [(value.ok, value.reason) for value in self.values if isinstance(value, DeviceHealth)]
