"""The relay in the supply of a DALI bus, at the far end of a board's lines: the last link of the chain that fails safe.

In mode `pulse` it holds for `hold_ns` after each change of its line (the charge pump of
drivers/devices/watchdog_output.py); in mode `level` while its line is at `active`, which a link in a living process
ends by itself. It switches in no time; a real one takes some milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drivers.links.memory import MemoryLink
from drivers.units import FOREVER_NS
from hil.peers.gpio_lines import LinesPeer


class BusRelay:
    """Implements Peer.

    Args:
        name: e.g. ``"lines"``.
        link: the peer's end of the wire.
        on_power: called with (on, t_ns), e.g. a gateway's `set_bus_power`; with False once at the beginning.
        line: of the relay (GPIO).
        hold_ns: in mode `pulse`, how long it holds after a change; 0: mode `level`.
        active: in mode `level`, the level at which it holds.
    """

    def __init__(
        self,
        name: str,
        link: MemoryLink,
        on_power: Callable[[bool, int], None],
        *,
        line: int,
        hold_ns: int,
        active: int = 1,
    ) -> None:
        self.name = name
        self.holds = False
        self.drops = 0
        """How often it has dropped after it held."""
        self._line, self._hold_ns, self._active = line, hold_ns, active
        self._until_ns = FOREVER_NS
        self._on_power = on_power
        self._lines = LinesPeer(name, link)
        self._lines.on_change = self._changed
        on_power(False, 0)

    @property
    def wake_ns(self) -> int:
        """When it drops, if nothing comes; or the line ends a hold."""
        return min(self._until_ns, self._lines.wake_ns)

    def run(self, now_ns: int) -> None:
        """Do what is due."""
        if self._lines.wake_ns <= now_ns:
            self._lines.run(now_ns)
        if self._until_ns <= now_ns:
            self._set(False, self._until_ns)

    def _changed(self, line: int, level: int, t_ns: int) -> None:
        if line == self._line:
            if self._hold_ns:
                self._until_ns = t_ns + self._hold_ns
            self._set(bool(self._hold_ns) or level == self._active, t_ns)

    def _set(self, on: bool, t_ns: int) -> None:
        if not on:
            self._until_ns = FOREVER_NS
        if on != self.holds:
            self.holds = on
            self.drops += not on
            self._on_power(on, t_ns)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {"holds": self.holds, "drops": self.drops, "until_ns": self._until_ns, "lines": self._lines.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot; nobody is told."""
        self.holds, self.drops, self._until_ns = state["holds"], state["drops"], state["until_ns"]
        self._lines.restore(state["lines"])
