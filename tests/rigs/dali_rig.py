"""A DALI bus master and a gateway in one virtual time, driven as a scan cycle drives them."""

from __future__ import annotations

from typing import Any

from drivers.buses.dali import DaliBus
from drivers.units import NS_PER_MS

TICK_NS = 20 * NS_PER_MS


class DaliRig:
    """`bus` and `peer`, the gateway; whoever inherits makes both. `tickless` skips the ticks with nothing to do."""

    bus: DaliBus
    peer: Any
    tickless = True
    now_ns = 0

    def run(self, to_ns: int) -> None:
        """All ticks before `to_ns` (a multiple of the tick) and what happens between them."""
        while True:
            tick_ns = self.now_ns
            if self.tickless:
                tick_ns = max(self.now_ns, -(-self.bus.wake_ns // TICK_NS) * TICK_NS)
            if self.peer.wake_ns < min(tick_ns, to_ns):
                self.peer.run(self.peer.wake_ns)
                continue
            if tick_ns >= to_ns:
                break
            self.bus.advance(tick_ns)
            self.now_ns = tick_ns + TICK_NS
        self.now_ns = to_ns


def spied(link: Any) -> list[tuple[int, bytes]]:
    """What will come in at `link`, with its times."""
    wire: list[tuple[int, bytes]] = []
    heard = link.receiver

    def spy(data: bytes, t_ns: int) -> None:
        wire.append((t_ns, data))
        heard(data, t_ns)

    link.receiver = spy
    return wire
