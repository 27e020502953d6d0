"""A lost DALI gateway means light: in lit hours its bus is left without power, and the gear goes to its failure level.

Nobody can tell the gear anything then, and it would stay at base, or off. By day and while the calendar says off the
power stays, and with it what the gear shows. A gateway that is back gets its bus back, and a second later, when the bus
is up, every lamp is told its newest level again.
"""

from __future__ import annotations

from boards.build import Board
from controllers.core.failsafe_lamps import LampGate
from drivers.buses.dali import DaliBus
from drivers.devices.watchdog_output import WatchdogOutput

DARK = ("lit", "full")
"""What the gate says of hours in which somebody could stand in the dark."""


class BusPower:
    """Implements PowerGuard for one bus.

    Args:
        bus: behind the relay.
        gate: knows the hours.
    """

    def __init__(self, bus: DaliBus, gate: LampGate) -> None:
        self._bus, self._gate = bus, gate

    def withholds(self) -> bool:
        """The gateway is lost, and light is wanted."""
        return self._bus.lost and self._gate.light in DARK

    def restored(self, now_ns: int) -> None:
        """Tell every lamp its newest level: what was said while the bus came up has reached nobody."""
        for short_address, level in self._bus.book.levels.items():
            if level is not None:
                self._bus.set_level(short_address, level, now_ns)


def guard_power(board: Board, gate: LampGate) -> None:
    """Give every relay that names a DALI wire (`bus`) its guard."""
    for name, relay in board.watchdogs.items():
        bus = board.devices.get(getattr(board.description.devices[name], "bus", None) or "")
        if isinstance(relay, WatchdogOutput) and isinstance(bus, DaliBus):
            relay.guard = BusPower(bus, gate)
