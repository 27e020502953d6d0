"""The far end of every wire of one board at once: what came in when the trace was recorded comes in again."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from drivers.links.memory import MemoryLink
from drivers.recording.events import Event, Repeated, WireBytes
from drivers.units import FOREVER_NS, NS_PER_S

LOOK_AHEAD_NS = 60 * NS_PER_S
"""Records of idle frames are written when they are told, up to half a minute after the first; so read ahead."""


def over_and_over(events: Callable[[], Iterable[Event]], times: int, span_ns: int) -> Iterator[Event]:
    """The inputs of a trace `times` over, each turn `span_ns` after the one before."""
    for turn in range(times):
        for event in events():
            if not turn:
                yield event
            elif isinstance(event, WireBytes):
                yield msgspec.structs.replace(event, t_ns=event.t_ns + turn * span_ns)
            elif isinstance(event, Repeated):
                off_ns = turn * span_ns
                yield msgspec.structs.replace(
                    event, t_ns=event.t_ns + off_ns, first_ns=event.first_ns + off_ns, last_ns=event.last_ns + off_ns
                )


class Playback:
    """Plays recorded input into memory links at its recorded times.

    Args:
        name: for messages.
        links: the peer's end of each wire, by ``board/wire``; wires that are not here are passed over.
        events: as `TraceReader.events` gives them.
    """

    def __init__(self, name: str, links: dict[str, MemoryLink], events: Iterable[Event]) -> None:
        self.name = name
        self._links = links
        self._events: Iterator[Event] = iter(events)
        self._ready: list[tuple[int, int, MemoryLink, WireBytes | Repeated]] = []
        self._number = 0
        self._read_until_ns = -1
        self.last_ns = 0
        """Time of the last input read from the trace so far."""
        self._fill(0)

    @property
    def wake_ns(self) -> int:
        """Time of the next input; FOREVER_NS after the last."""
        return self._ready[0][0] if self._ready else FOREVER_NS

    def run(self, now_ns: int) -> None:
        """Write what is due."""
        ready = self._ready
        while ready and ready[0][0] <= now_ns:
            _, _, link, event = heapq.heappop(ready)
            if isinstance(event, WireBytes):
                link.write(event.data, now_ns)
            else:
                link.repeat(event.frame, event.first_ns, event.last_ns, event.count)
        self._fill(now_ns)

    def _fill(self, now_ns: int) -> None:
        """Read ahead, and at least to the next input."""
        while self._read_until_ns < now_ns + LOOK_AHEAD_NS or not self._ready:
            event = next(self._events, None)
            if event is None:
                self._read_until_ns = FOREVER_NS
                return
            self._read_until_ns = max(self._read_until_ns, event.t_ns)
            if not isinstance(event, WireBytes | Repeated) or (isinstance(event, WireBytes) and event.outward):
                continue
            link = self._links.get(f"{event.board}/{event.wire}")
            if link is None:
                continue
            due_ns = event.t_ns if isinstance(event, WireBytes) else event.first_ns
            self.last_ns = max(self.last_ns, event.t_ns)
            heapq.heappush(self._ready, (max(0, due_ns), self._number, link, event))
            self._number += 1

    def snapshot(self) -> dict[str, Any]:
        """A trace is re-run from its start; there is no position to keep."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing to take over."""
