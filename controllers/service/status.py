"""What a running controller says of itself: a line every ten seconds, and one when a wire or device changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from controllers.core.contract import Command, LampLevel, PanelFrame
from controllers.service.assemble import Controller
from controllers.service.console import Urgent
from drivers.codecs.panel_frame import dark
from drivers.quantities import DeviceHealth, LampStatus, Quantity, WallTime
from drivers.units import NS_PER_S

Say = Callable[[str], None]
"""Takes one line. Those that want somebody to look are `console.Urgent`."""

PERIOD_NS: Final = 10 * NS_PER_S


class Status:
    """Counts and remembers between two lines. Nothing grows with time: lateness is kept for one window.

    Args:
        controller: whose devices are named.
        say: where the lines go.
        each_second: called with t_ns after every `look`, on the loop's thread, whether the loop is well or not.
        each_line: gets every status line.
    """

    def __init__(
        self,
        controller: Controller,
        say: Say,
        each_second: Sequence[Callable[[int], None]] = (),
        each_line: Sequence[Say] = (),
    ) -> None:
        self.overruns = 0
        """Places on the grid that were passed over because a tick came too late."""
        self.losses = 0
        """Wires lost since the start, as last told."""
        self._cycle, self._say = controller.cycle, say
        self._invariants, self._broken = controller.invariants, ""
        self._says: Callable[[int], str] | None = getattr(controller.cycle.policy, "says", None)
        self._policy_says = ""
        self._each_second, self._each_line = tuple(each_second), tuple(each_line)
        self._late_ns: list[int] = []
        self._line_ns = -1
        self._ill: dict[str, str] = {}
        self._ill_ns: dict[str, int] = {}
        self._seen_ns: dict[str, int] = {}
        self._lamps: dict[str, int | None] = {}
        self._panels: dict[str, tuple[int, bool, bytes]] = {}
        self._dark = {name: dark(panel.width_px, panel.height_px) for name, panel in self._cycle.panels.items()}
        self._wall: WallTime | None = None
        self._troubles: Mapping[str, str] = {}

    def ticked(self, late_ns: int, passed_over: int) -> None:
        """A tick has run, so much after the time it was due."""
        self._late_ns.append(late_ns)
        self.overruns += passed_over

    def observe(
        self, tick: int, now_ns: int, inputs: Sequence[Quantity], asked: Sequence[Command], allowed: Sequence[Command]
    ) -> None:
        """The scan cycle's observer: keeps who is not well, who was seen when, and what was ordered last."""
        for value in inputs:
            if isinstance(value, DeviceHealth):
                self._hear(value)
            elif isinstance(value, WallTime):
                self._wall = value
            else:
                self._seen_ns[value.source] = value.t_ns
                if isinstance(value, LampStatus) and (value.level is not None or value.source not in self._lamps):
                    self._lamps[value.source] = value.level
        if self._invariants is not None:
            self._invariants.observe(tick, now_ns, inputs, asked, allowed)
        for command in allowed:
            if isinstance(command, LampLevel):
                self._lamps[command.target] = command.level
            elif isinstance(command, PanelFrame):
                lit = command.frame != self._dark.get(command.target)
                self._panels[command.target] = now_ns, lit, command.frame

    def look(self, now_ns: int, troubles: Mapping[str, str], losses: int) -> None:
        """Once a second: say what is new about the wires, and the status when it is time."""
        self.losses = losses
        if troubles != self._troubles:
            for wire, trouble in troubles.items():
                if self._troubles.get(wire) != trouble:
                    self._say(Urgent(f"wire {wire}: {trouble}"))
            for wire in self._troubles:
                if wire not in troubles:
                    self._say(f"wire {wire}: open")
            self._troubles = troubles
        if self._invariants is not None and self._invariants.last != self._broken:
            self._broken = self._invariants.last
            self._say(Urgent(f"invariant broken: {self._broken}"))
        says = "" if self._says is None else self._says(now_ns)
        if says != self._policy_says:
            self._policy_says = says
            self._say(Urgent(f"look at: {says}") if says else "look at: no more")
        if self._line_ns < 0:
            self._line_ns = now_ns + PERIOD_NS
        elif now_ns >= self._line_ns:
            self._line_ns = now_ns + PERIOD_NS
            line = self.line(losses)
            for say in (self._say, *self._each_line):
                say(line)
            self._late_ns.clear()
        for call in self._each_second:
            call(now_ns)

    def line(self, losses: int) -> str:
        """Everything in one line.

        Example: ``status: ticks 1204, overruns 0, late p99 131 us, max 402 us, losses 0, all well``. Ticks, overruns
        and losses of wires are since the start, lateness of the ticks since the last line.
        """
        late_us = sorted(late_ns // 1000 for late_ns in self._late_ns) or [0]
        p99_us = late_us[-(-99 * len(late_us) // 100) - 1]  # nearest rank
        ill = ", ".join(f"{name} ({reason})" for name, reason in sorted(self._ill.items()))
        return (
            f"status: ticks {self._cycle.ticks}, overruns {self.overruns}, "
            f"late p99 {p99_us} us, max {late_us[-1]} us, losses {losses}, {'not well: ' + ill if ill else 'all well'}"
        )

    def stopped(self, now_ns: int, unfinished: bool) -> None:
        """The last word."""
        self._say("stopped; not every lamp has taken its last level" if unfinished else "stopped")

    def health(self, device: str, now_ns: int) -> dict[str, Any]:
        """Of one device: ``{"ok": False, "reason": "no frame", "since_s": 12, "seen_s": 14}``; None for never."""
        reason = self._ill.get(device)
        since_ns, seen_ns = self._ill_ns.get(device), self._seen_ns.get(device)
        return {
            "ok": reason is None,
            "reason": reason or "",
            "since_s": None if since_ns is None else max(0, now_ns - since_ns) // NS_PER_S,
            "seen_s": None if seen_ns is None else max(0, now_ns - seen_ns) / NS_PER_S,
        }

    def shown(self, now_ns: int) -> dict[str, Any]:
        """What the outputs were told last: levels of lamps 0 to 254, and whether a panel shows something or is dark."""
        panels = {
            name: {"lit": lit, "since_s": (now_ns - since_ns) // NS_PER_S, "frame": frame.hex()}
            for name, (since_ns, lit, frame) in self._panels.items()
        }
        return {"lamps": dict(self._lamps), "panels": panels}

    def wall(self, now_ns: int) -> tuple[int, bool] | None:
        """(UTC in ns now, whether it is synchronised) by the last WallTime the cycle has seen."""
        if self._wall is None:
            return None
        return self._wall.utc_ns + now_ns - self._wall.t_ns, self._wall.synchronised

    def trouble(self, wire: str) -> str:
        """Why a wire is not open; empty where it is."""
        return self._troubles.get(wire, "")

    def _hear(self, value: DeviceHealth) -> None:
        if value.ok:
            if self._ill.pop(value.source, None) is not None:
                self._ill_ns[value.source] = value.t_ns
                self._say(f"{value.source}: well again")
        elif self._ill.get(value.source) != value.reason:
            if value.source not in self._ill:
                self._ill_ns[value.source] = value.t_ns
            self._ill[value.source] = value.reason
            self._say(Urgent(f"{value.source}: {value.reason}"))
