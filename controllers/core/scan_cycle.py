"""One scan cycle, one snapshot: the loop of every board, free of any clock.

Whoever owns the clock calls `tick` on the grid of the period. Between ticks bytes run through links and devices, which
put values into the inbox; a tick takes the inbox whole, lets the policy decide, the gate limit, and the devices send.
A tick before `due_ns` with an empty inbox changes nothing, so it may be left out: that is the law of waking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from controllers.core.contract import Command, Gate, LampLevel, PanelFrame, Policy
from drivers.errors import DriverError
from drivers.interfaces import Device, Lamp, Panel
from drivers.quantities import Quantity
from drivers.units import FOREVER_NS


class Speaker(Protocol):
    """A device that sends messages to another controller."""

    def publish(self, body: dict[str, Any], now_ns: int) -> None:
        """Send one message."""


Observer = Callable[[int, int, Sequence[Quantity], Sequence[Command], Sequence[Command]], None]
"""Called after a tick that did something: (tick, now_ns, inputs, asked, allowed)."""


class ScanCycle:
    """Sense, decide, limit, act.

    Args:
        name: the controller's name at its site.
        period_ns: the grid of ticks; a tick's number is ``now_ns // period_ns``.
        policy: decides.
        gate: the last word before any output.
        inbox: the list the devices emit into; shared with them.
        devices: everything with a timer, in the order it is served.
        lamps, panels, speakers: outputs by name; a command for an unknown one is a programming error.
        always_step: step policy, gate and devices at every tick, due or not. For proofs of the law of waking.
    """

    def __init__(
        self,
        name: str,
        period_ns: int,
        policy: Policy,
        gate: Gate,
        inbox: list[Quantity],
        devices: Sequence[Device],
        *,
        lamps: Mapping[str, Lamp] | None = None,
        panels: Mapping[str, Panel] | None = None,
        speakers: Mapping[str, Speaker] | None = None,
        always_step: bool = False,
    ) -> None:
        self.name, self.period_ns = name, period_ns
        self.policy, self.gate, self.inbox, self.devices = policy, gate, inbox, tuple(devices)
        self.lamps, self.panels, self.speakers = dict(lamps or {}), dict(panels or {}), dict(speakers or {})
        self.always_step = always_step
        self.observer: Observer | None = None
        self.ticks = 0
        self.send_errors = 0

    def tick(self, now_ns: int) -> None:
        """Run one cycle at `now_ns`, a multiple of the period."""
        self.ticks += 1
        always = self.always_step
        devices = self.devices
        for device in devices:
            if always or device.wake_ns <= now_ns:
                device.advance(now_ns)
        inbox, policy, gate = self.inbox, self.policy, self.gate
        if inbox or always or policy.wake_ns <= now_ns or gate.wake_ns <= now_ns:
            inputs = tuple(inbox)
            inbox.clear()
            asked = policy.step(inputs, now_ns)
            allowed = gate.step(asked, inputs, now_ns)
            if allowed:
                self._act(allowed, now_ns)
            if self.observer is not None and (inputs or asked or allowed):
                self.observer(now_ns // self.period_ns, now_ns, inputs, asked, allowed)

    def _act(self, allowed: Sequence[Command], now_ns: int) -> None:
        for command in allowed:
            try:
                if isinstance(command, LampLevel):
                    self.lamps[command.target].set_level(command.level, now_ns)
                elif isinstance(command, PanelFrame):
                    self.panels[command.target].show(command.frame, now_ns)
                else:
                    self.speakers[command.target].publish(command.body, now_ns)
            except DriverError:
                self.send_errors += 1  # the device reports its health by itself; the loop goes on
        for device in self.devices:  # what was set goes out in this tick, not in the next
            if device.wake_ns <= now_ns:
                device.advance(now_ns)

    def due_ns(self, after_ns: int) -> int:
        """The first tick after `after_ns` at which something is to do; FOREVER_NS for none. Bytes may change it."""
        period_ns = self.period_ns
        first_ns = (after_ns // period_ns + 1) * period_ns
        if self.always_step or self.inbox:
            return first_ns
        wake_ns = min(self.policy.wake_ns, self.gate.wake_ns)
        for device in self.devices:  # bytes between ticks move a device's deadline either way: ask afresh
            if device.wake_ns < wake_ns:
                wake_ns = device.wake_ns
        if wake_ns >= FOREVER_NS:
            return FOREVER_NS
        return max(first_ns, -(-wake_ns // period_ns) * period_ns)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "ticks": self.ticks,
            "send_errors": self.send_errors,
            "inbox": msgspec.to_builtins(self.inbox),
            "policy": self.policy.snapshot(),
            "gate": self.gate.snapshot(),
            "devices": {device.name: device.snapshot() for device in self.devices},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot of a controller built from the same board and site."""
        self.ticks, self.send_errors = state["ticks"], state["send_errors"]
        self.inbox[:] = msgspec.convert(state["inbox"], list[Quantity])
        self.policy.restore(state["policy"])
        self.gate.restore(state["gate"])
        for device in self.devices:
            device.restore(state["devices"][device.name])
