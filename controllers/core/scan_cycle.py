"""One scan cycle, one snapshot: the loop of every board, free of any clock.

Whoever owns the clock calls `tick` on the grid of the period. Between ticks bytes run through links and devices, which
put values into the inbox; a tick takes the inbox whole, lets the policy decide, the gate limit, and the devices send.
A tick before `due_ns` with an empty inbox changes nothing, so it may be left out: that is the law of waking.

Place n of the grid stands at ``n * period + phase``, and n is the number of its tick. A policy with an attribute
`phase_ns` may move it (controllers.core.tick_grid); for all others the phase is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from controllers.core.contract import Command, Gate, LampLevel, PanelFrame, Policy, Publish
from controllers.core.ledger import ACT, DECIDE, LIMIT, PUBLISH, SENSE, Meter
from controllers.core.tick_grid import Phased, TickGrid
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


_OUTPUTS: Mapping[type, str] = {LampLevel: "lamp", PanelFrame: "panel", Publish: "neighbour"}


class ScanCycle:
    """Sense, decide, limit, act.

    Args:
        name: the controller's name at its site.
        period_ns: the grid of ticks; a tick's number is ``now_ns // period_ns``, and no two ticks share one.
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
        self.vouched = False
        """Whoever passes bytes on vouches for `devices_ns`; else all devices are looked at whenever it is asked."""
        self.devices_ns = 0
        """No device has anything to do before; 0: not known. Where vouched, whoever reaches a device lowers it."""
        self.observer: Observer | None = None
        self.meter: Meter | None = None
        """Told where the time of a tick goes; None costs nothing."""
        self.grid = TickGrid(period_ns, policy.phase_ns if isinstance(policy, Phased) else 0)
        self._phased: Phased | None = policy if isinstance(policy, Phased) else None
        self.ticks = 0
        self.send_errors = 0

    def tick(self, now_ns: int) -> None:
        """Run one cycle at `now_ns`, a place of the grid."""
        self.ticks += 1
        meter = self.meter
        always = self.always_step
        if self.devices_ns <= now_ns or always or not self.vouched:
            for device in self.devices:
                if always or device.wake_ns <= now_ns:
                    self.devices_ns = 0
                    device.advance(now_ns)
                    if meter is not None:
                        meter.mark(SENSE, "device", device.name)
        inbox, policy, gate = self.inbox, self.policy, self.gate
        if inbox or always or policy.wake_ns <= now_ns or gate.wake_ns <= now_ns:
            inputs = tuple(inbox)
            inbox.clear()
            asked = policy.step(inputs, now_ns)
            if meter is not None:
                meter.mark(DECIDE, "policy", "")
            if self._phased is not None:
                self.grid.shift(self._phased.phase_ns, now_ns)
            allowed = gate.step(asked, inputs, now_ns)
            if meter is not None:
                meter.mark(LIMIT, "gate", "")
            if allowed:
                self._act(allowed, now_ns)
            if self.observer is not None and (inputs or asked or allowed):
                self.observer(now_ns // self.period_ns, now_ns, inputs, asked, allowed)
                if meter is not None:
                    meter.mark(PUBLISH, "publish", "")

    def _act(self, allowed: Sequence[Command], now_ns: int) -> None:
        meter = self.meter
        self.devices_ns = 0
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
            if meter is not None:
                meter.mark(ACT, _OUTPUTS[type(command)], command.target)
        for device in self.devices:  # what was set goes out in this tick, not in the next
            if device.wake_ns <= now_ns:
                device.advance(now_ns)
                if meter is not None:
                    meter.mark(ACT, "device", device.name)

    def due_ns(self, after_ns: int) -> int:
        """The first tick after `after_ns` at which something is to do; FOREVER_NS for none. Bytes may change it.

        Where vouched it may be too early, and is then put right by asking once more when it has come.
        """
        if self.always_step or self.inbox:
            return self.grid.after_ns(after_ns)
        wake_ns, gate_ns = self.policy.wake_ns, self.gate.wake_ns
        if gate_ns < wake_ns:
            wake_ns = gate_ns
        if wake_ns > after_ns:
            devices_ns = self.devices_ns
            if devices_ns <= after_ns + self.period_ns or not self.vouched:  # bytes may have moved them: ask afresh
                devices_ns = FOREVER_NS
                for device in self.devices:
                    if device.wake_ns < devices_ns:
                        devices_ns = device.wake_ns
                self.devices_ns = devices_ns
            if devices_ns < wake_ns:
                wake_ns = devices_ns
            if wake_ns >= FOREVER_NS:
                return FOREVER_NS
            if wake_ns > after_ns:
                after_ns = wake_ns - 1
        if self._phased is None:  # as the grid has it, said shortly
            return (after_ns // self.period_ns + 1) * self.period_ns
        return self.grid.after_ns(after_ns)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        state = {
            "ticks": self.ticks,
            "send_errors": self.send_errors,
            "inbox": msgspec.to_builtins(self.inbox),
            "policy": self.policy.snapshot(),
            "gate": self.gate.snapshot(),
            "devices": {device.name: device.snapshot() for device in self.devices},
        }
        return state if self._phased is None else state | {"grid": self.grid.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot of a controller built from the same board and site."""
        self.ticks, self.send_errors = state["ticks"], state["send_errors"]
        self.inbox[:] = msgspec.convert(state["inbox"], list[Quantity])
        self.policy.restore(state["policy"])
        self.gate.restore(state["gate"])
        if self._phased is not None:
            self.grid.restore(state["grid"])
        for device in self.devices:
            device.restore(state["devices"][device.name])
