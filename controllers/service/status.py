"""What a running controller says of itself: a line every ten seconds, and one when a wire or device changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from controllers.core.contract import Command
from controllers.service.assemble import Controller
from drivers.quantities import DeviceHealth, Quantity
from drivers.units import NS_PER_S

Say = Callable[[str], None]
"""Takes one line."""

PERIOD_NS: Final = 10 * NS_PER_S


class Status:
    """Counts and remembers between two lines. Nothing grows with time: lateness is kept for one window.

    Args:
        controller: whose devices are named.
        say: where the lines go.
    """

    def __init__(self, controller: Controller, say: Say) -> None:
        self.overruns = 0
        """Places on the grid that were passed over because a tick came too late."""
        self._cycle, self._say = controller.cycle, say
        self._late_ns: list[int] = []
        self._line_ns = -1
        self._ill: dict[str, str] = {}
        self._troubles: Mapping[str, str] = {}

    def ticked(self, late_ns: int, passed_over: int) -> None:
        """A tick has run, so much after the time it was due."""
        self._late_ns.append(late_ns)
        self.overruns += passed_over

    def observe(
        self, tick: int, now_ns: int, inputs: Sequence[Quantity], asked: Sequence[Command], allowed: Sequence[Command]
    ) -> None:
        """The scan cycle's observer: keeps who is not well."""
        for value in inputs:
            if isinstance(value, DeviceHealth):
                if value.ok:
                    if self._ill.pop(value.source, None) is not None:
                        self._say(f"{value.source}: well again")
                elif self._ill.get(value.source) != value.reason:
                    self._ill[value.source] = value.reason
                    self._say(f"{value.source}: {value.reason}")

    def look(self, now_ns: int, troubles: Mapping[str, str], losses: int) -> None:
        """Once a second: say what is new about the wires, and the status when it is time."""
        if troubles != self._troubles:
            for wire, trouble in troubles.items():
                if self._troubles.get(wire) != trouble:
                    self._say(f"wire {wire}: {trouble}")
            for wire in self._troubles:
                if wire not in troubles:
                    self._say(f"wire {wire}: open")
            self._troubles = troubles
        if self._line_ns < 0:
            self._line_ns = now_ns + PERIOD_NS
        elif now_ns >= self._line_ns:
            self._line_ns = now_ns + PERIOD_NS
            self._say(self.line(losses))
            self._late_ns.clear()

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
