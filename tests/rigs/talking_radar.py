"""A radar that says one and the same, for wires on which only the bytes matter."""

from __future__ import annotations

from drivers.codecs.ld2451 import Target, encode_report
from drivers.links.memory import MemoryLink
from drivers.units import NS_PER_MS

REPORT = encode_report([Target(-5, 13, True, 3, 123)])


class Radar:
    """Sends `frame` every `period_ms`."""

    def __init__(self, link: MemoryLink, frame: bytes = REPORT, period_ms: int = 100) -> None:
        self.wake_ns = 0
        self._link, self._frame, self._period_ms = link, frame, period_ms

    def run(self, now_ns: int) -> None:
        self._link.write(self._frame, now_ns)
        self.wake_ns = now_ns + self._period_ms * NS_PER_MS
