"""The message exchange between neighbouring controllers: what one writes, the other hears a little later, in order."""

from __future__ import annotations

from collections import deque
from typing import Any

from drivers.links.memory import MemoryLink
from drivers.units import FOREVER_NS, NS_PER_MS


class Exchange:
    """Joins pairs of links with a fixed delay.

    Args:
        name: for snapshots.
        delay_ns: from writing to hearing, default 20 ms.
        lost: spans (from, to) in which nothing gets through.
    """

    def __init__(self, name: str, *, delay_ns: int = 20 * NS_PER_MS, lost: tuple[tuple[int, int], ...] = ()) -> None:
        self.name, self._delay_ns, self._lost = name, delay_ns, lost
        self._links: list[MemoryLink] = []
        self._queue: deque[tuple[int, int, bytes]] = deque()
        self.wake_ns = FOREVER_NS

    def join(self, a: MemoryLink, b: MemoryLink) -> None:
        """Both ends are the exchange's own ends of two controllers' wires."""
        number = len(self._links)
        self._links += [a, b]
        a.receiver = lambda data, t_ns: self._take(number + 1, data, t_ns)
        b.receiver = lambda data, t_ns: self._take(number, data, t_ns)

    def _take(self, to: int, data: bytes, t_ns: int) -> None:
        if any(low <= t_ns < high for low, high in self._lost):
            return
        self._queue.append((t_ns + self._delay_ns, to, data))
        self.wake_ns = self._queue[0][0]

    def run(self, now_ns: int) -> None:
        """Deliver what is due."""
        queue = self._queue
        while queue and queue[0][0] <= now_ns:
            _, to, data = queue.popleft()
            self._links[to].write(data, now_ns)
        self.wake_ns = queue[0][0] if queue else FOREVER_NS

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {"queue": [[due, to, data.hex()] for due, to, data in self._queue]}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._queue = deque((due, to, bytes.fromhex(data)) for due, to, data in state["queue"])
        self.wake_ns = self._queue[0][0] if self._queue else FOREVER_NS
