"""What passed on each wire while somebody watched: counts, rates, the newest bytes. A sink for taps."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

RECENT_CHUNKS = 64
KEPT_BYTES = 16_384
"""Newest inward bytes kept of each wire, enough to tell whose they are."""


class Chunk(NamedTuple):
    """Bytes that passed at once: ``Chunk(t_ns, outward, data)``."""

    t_ns: int
    outward: bool
    data: bytes


class WireWatch:
    """One wire. Bounded memory, whatever passes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.bytes_in = self.bytes_out = self.chunks_in = self.chunks_out = 0
        self.first_in_ns = self.last_in_ns = -1
        self.recent: deque[Chunk] = deque(maxlen=RECENT_CHUNKS)
        self._kept = bytearray()

    def passed(self, outward: bool, data: bytes, t_ns: int) -> None:
        """`data` passed at `t_ns`."""
        self.recent.append(Chunk(t_ns, outward, data[-KEPT_BYTES:]))
        if outward:
            self.bytes_out += len(data)
            self.chunks_out += 1
            return
        if self.first_in_ns < 0:
            self.first_in_ns = t_ns
        self.last_in_ns = t_ns
        self.bytes_in += len(data)
        self.chunks_in += 1
        self._kept += data[-KEPT_BYTES:]
        if len(self._kept) > 2 * KEPT_BYTES:
            del self._kept[:-KEPT_BYTES]

    @property
    def kept(self) -> bytes:
        """The newest inward bytes, at most KEPT_BYTES."""
        return bytes(self._kept[-KEPT_BYTES:])

    def forget(self) -> None:
        """Begin anew, after a change of bit rate."""
        self._kept.clear()
        self.first_in_ns = -1


class Watch:
    """All wires of a session, by number; implements drivers.links.tap.Sink."""

    def __init__(self) -> None:
        self.wires: list[WireWatch] = []

    def add(self, name: str) -> int:
        """A further wire; its number."""
        self.wires.append(WireWatch(name))
        return len(self.wires) - 1

    def __getitem__(self, name: str) -> WireWatch:
        """The watch over the wire called `name`. Raises KeyError."""
        for wire in self.wires:
            if wire.name == name:
                return wire
        raise KeyError(name)

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        """`data` passed on `wire` at `t_ns`."""
        self.wires[wire].passed(outward, data, t_ns)

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """Only wires in the process tell frames in bulk; counted as so many."""
        self.wires[wire].passed(False, frame * min(count, 16), last_ns)
