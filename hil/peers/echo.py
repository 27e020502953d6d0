"""The far end of two lines of the header: an HC-SR04 or JSN-SR04T that hears the trigger and holds up the echo line."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from drivers.codecs.echo import USUAL_AIR_MDEGC, echo_width_ns
from drivers.line_events import EDGE, PULSE, LineEvent, LineEventStream, encode
from drivers.links.memory import MemoryLink
from drivers.units import FOREVER_NS
from hil.peers.ranging import Steps, step_at
from hil.traffic.chance import between, draw

BURST_NS = 450_000
"""From the trigger to the rise of the echo line: eight periods of 40 kHz and some thought."""

SHORTEST_TRIGGER_NS = 10_000

EchoFaultKind = Literal["silent", "frozen", "stuck-up", "ringing"]


class EchoFault(msgspec.Struct, frozen=True):
    """From `from_ns` up to, not including, `to_ns`: ``EchoFault("stuck-up", 0, 5 * NS_PER_S)``.

    ``silent``: the trigger is not heard. ``frozen``: always the width of the last echo, to the nanosecond.
    ``stuck-up``: the echo line rises and does not fall before `to_ns`. ``ringing``: it hears itself and says 60 us.
    """

    kind: EchoFaultKind
    from_ns: int
    to_ns: int


class EchoPeer:
    """One sensor.

    Args:
        name: e.g. ``"bay-1"``.
        link: the peer's end of the wire; several sensors may share it.
        seen: mm to what is in front of it, None for nothing.
        trigger_line, echo_line: GPIO (BCM numbers).
        air_mdegc: the air it stands in.
        no_object_ns: how long the line is up when no echo comes: 38, 47 or 58 ms by make.
        tremble_ns: how much a width trembles.
        seed: of the trembling.
        faults: how it fails.
    """

    def __init__(
        self,
        name: str,
        link: MemoryLink,
        seen: Steps[int | None],
        *,
        trigger_line: int,
        echo_line: int,
        air_mdegc: int = USUAL_AIR_MDEGC,
        no_object_ns: int = 38_000_000,
        tremble_ns: int = 5_000,
        seed: int = 0,
        faults: tuple[EchoFault, ...] = (),
    ) -> None:
        self.name, self._link, self._seen = name, link, seen
        self._trigger_line, self._echo_line = trigger_line, echo_line
        self._air_mdegc, self._no_object_ns, self._tremble_ns = air_mdegc, no_object_ns, tremble_ns
        self._seed, self._faults = seed, faults
        self._orders = LineEventStream()
        self._coming: list[tuple[int, int]] = []  # edges: time, level
        self._width_ns = 0
        self.pings: list[int] = []
        """When it sent its sound; for tests, no state."""
        self._before = link.receiver
        link.receiver = self._on_bytes

    @property
    def wake_ns(self) -> int:
        """When the echo line changes next."""
        return self._coming[0][0] if self._coming else FOREVER_NS

    def _on_bytes(self, data: bytes, t_ns: int) -> None:
        self._before(data, t_ns)
        for order in self._orders.feed(data):
            if order.kind == PULSE and order.line == self._trigger_line and order.t_ns >= SHORTEST_TRIGGER_NS:
                self._triggered(t_ns)

    def _triggered(self, t_ns: int) -> None:
        fault = next((fault for fault in self._faults if fault.from_ns <= t_ns < fault.to_ns), None)
        kind = fault.kind if fault else ""
        if kind == "silent" or self._coming:
            return
        self.pings.append(t_ns)
        rise_ns = t_ns + BURST_NS
        self._coming = [(rise_ns, 1)]
        if fault and kind == "stuck-up":
            self._coming.append((max(rise_ns, fault.to_ns), 0))
            return
        if kind == "ringing":
            self._width_ns = 60_000
        elif kind != "frozen" or not self._width_ns:
            away_mm = step_at(self._seen, t_ns)
            trembles_ns = between(draw(self._seed, t_ns), -self._tremble_ns, self._tremble_ns)
            width_ns = self._no_object_ns if away_mm is None else echo_width_ns(away_mm, self._air_mdegc)
            self._width_ns = width_ns + trembles_ns
        self._coming.append((rise_ns + self._width_ns, 0))

    def run(self, now_ns: int) -> None:
        """The edges that are due."""
        while self._coming and self._coming[0][0] <= now_ns:
            at_ns, level = self._coming.pop(0)
            self._link.write(encode(LineEvent(self._echo_line, EDGE, level, at_ns)), now_ns)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "orders": self._orders.snapshot(),
            "coming": [list(edge) for edge in self._coming],
            "width_ns": self._width_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._orders.restore(state["orders"])
        self._coming = [(at_ns, level) for at_ns, level in state["coming"]]
        self._width_ns = state["width_ns"]
