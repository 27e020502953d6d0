"""The lamps of one DALI line, as one device: it has their timers and their state."""

from __future__ import annotations

from typing import Any

from drivers.devices.lamp import DaliLamp
from drivers.units import FOREVER_NS


class LampLine:
    """Implements Device. One entry in the scan cycle in place of one a lamp, so that quiet lamps cost nothing a tick.

    Args:
        name: of the line, e.g. ``"dali/lamps"``.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.wake_ns = FOREVER_NS
        self.lamps: list[DaliLamp] = []

    def add(self, lamp: DaliLamp) -> None:
        """One more lamp."""
        self.lamps.append(lamp)
        self.wake_ns = min(self.wake_ns, lamp.wake_ns)

    def advance(self, now_ns: int) -> None:
        """Let those ask whose time has come."""
        if now_ns < self.wake_ns:
            return
        for lamp in self.lamps:
            lamp.advance(now_ns)
        self.wake_ns = min(lamp.wake_ns for lamp in self.lamps)

    def counters(self) -> dict[str, int]:
        """Of all lamps: `corrections`, and by what they were told `starts` (from off) and `changes` of level."""
        return {
            "frames": 0,
            "corrections": sum(lamp.corrections for lamp in self.lamps),
            "starts": sum(lamp.wear.starts for lamp in self.lamps),
            "changes": sum(lamp.wear.changes for lamp in self.lamps),
        }

    def snapshot(self) -> dict[str, Any]:
        """All state of all lamps."""
        return {lamp.name: lamp.snapshot() for lamp in self.lamps}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot of a line with the same lamps."""
        for lamp in self.lamps:
            lamp.restore(state[lamp.name])
        self.wake_ns = min((lamp.wake_ns for lamp in self.lamps), default=FOREVER_NS)
