"""The rig's end of a wire of real hardware: a serial device, ``rfc2217://`` or ``socket://``. Implements Port.

Bytes are handed to the adapter so much before their due time as it takes, and what comes from it counts as of so much
before it came. A port that goes away blocks the run: the wire is the rig's.
"""

from __future__ import annotations

from collections.abc import Callable

from drivers.clock import SystemClock
from drivers.errors import LinkLost
from drivers.links.uart import UartLink
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.contract_bench import Blocked
from hil.benches.lateness import Lateness
from hil.benches.process_ports import BITS, Outbox, unheard

LOOK_NS = NS_PER_MS
"""How often an adapter without a file descriptor is asked."""

PING = bytes(range(0x41, 0x49))
PINGS = 32
PING_NS = NS_PER_S // 2


class AdapterPort:
    """See above.

    Args:
        name: ``board/wire``.
        place: of the adapter.
        baud, parity: of the part at our end.
        latency_ns: from one end to the other, each way.
    """

    def __init__(self, name: str, place: str, baud: int, parity: str, latency_ns: int) -> None:
        self.name, self.place, self.baud, self.latency_ns = name, place, baud, latency_ns
        self.heard: Callable[[bytes, int], None] = unheard
        self.lateness = Lateness()
        self.heard_bytes = 0
        self._outbox, self._clock = Outbox(baud), SystemClock()
        self._look_ns = 0
        self._link = UartLink(name, place, baud, parity)
        self._link.receiver = self._came

    def open(self) -> None:
        """Raises Blocked: busy, not there, no rights."""
        try:
            self._link.open(self._clock.now_ns())
        except LinkLost as lost:
            raise Blocked(f"{self.name}: the rig's port {lost.detail}") from None
        self._look_ns = 0

    @property
    def wake_ns(self) -> int:
        """When the next group is due at the adapter, or it wants to be asked."""
        return min(self._outbox.due_ns - self.latency_ns, self._link.wake_ns, self._look_ns)

    def fileno(self) -> int | None:
        """None where there is nothing to poll."""
        return self._link.fileno()

    def send(self, data: bytes, due_ns: int) -> None:
        """At the wire's pace."""
        self._outbox.put(data, due_ns)

    def turn(self, now_ns: int) -> None:
        """Write what is due, read what has come. Raises Blocked where the port has gone."""
        try:
            while self._outbox.due_ns - self.latency_ns <= now_ns:
                due_ns, data = self._outbox.take()
                now_ns = self._clock.now_ns()
                self._link.write(data, now_ns)
                self.lateness.add(len(data), max(0, now_ns - due_ns + self.latency_ns))
            self._link.pump(self._clock.now_ns())
        except LinkLost as lost:
            raise Blocked(f"{self.name}: the rig's port {lost.detail}") from None
        if not self._link.is_open:
            raise Blocked(f"{self.name}: the rig's port {self._link.trouble}")
        self._look_ns = now_ns + (LOOK_NS if self._link.fileno() is None else 20 * NS_PER_MS)

    def round_trips_ns(self) -> list[int]:
        """Of a few bytes through a wire that is looped back, less the time they are on it. Raises Blocked."""
        found: list[int] = []
        on_wire_ns = len(PING) * BITS * NS_PER_S // self.baud if self.baud and "://" not in self.place else 0
        before, clock = self.heard, self._clock
        came = bytearray()
        self.heard = lambda data, t_ns: came.extend(data)
        try:
            for _ in range(PINGS):
                came.clear()
                begun_ns = clock.now_ns()
                self.send(PING, begun_ns + self.latency_ns)
                while len(came) < len(PING):
                    now_ns = clock.now_ns()
                    if now_ns - begun_ns > PING_NS:
                        raise Blocked(
                            f"{self.name}: {len(PING)} bytes into the looped wire at {self.place}, {len(came)} came "
                            f"back within {PING_NS // NS_PER_MS} ms; see to the loop's contact and the cable"
                        )
                    self.turn(now_ns)
                    clock.sleep_until_ns(now_ns + NS_PER_MS // 10)
                if bytes(came) != PING:
                    raise Blocked(f"{self.name}: {PING!r} came back through the loop as {bytes(came)!r}: a bad cable?")
                found.append(max(0, clock.now_ns() - begun_ns - on_wire_ns))
        finally:
            self.heard = before
        return found

    def forget(self) -> None:
        """The board has lost power: whatever is under way is lost."""
        self._outbox.clear()

    def close(self) -> None:
        """Let the port go."""
        self._link.close()

    def _came(self, data: bytes, t_ns: int) -> None:
        self.heard_bytes += len(data)
        self.heard(data, self._clock.now_ns() - self.latency_ns)
