"""A lamp with a name: one gear on a DALI bus."""

from __future__ import annotations

from typing import Any, Final

from drivers.buses.dali import DaliBus
from drivers.buses.dali_procedures import Done
from drivers.codecs.dali import FULL
from drivers.interfaces import Emit
from drivers.quantities import DeviceHealth, LampStatus
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

TAKE_OVER_NS: Final = 1_500 * NS_PER_MS
"""How long a lamp may take to say its level at start; 64 gear need 2.1 s, 12 need 0.4 s."""

PREPARE_NS: Final = 30 * NS_PER_S


class DaliLamp:
    """Implements Lamp, and Device for uniformity: it has no timer and no state of its own, the bus has both.

    Emits LampStatus (level None: no answer, or not known to the gear) when `take_over` has an answer or none in time.
    Until then nobody should set a level, so that a restarted controller goes on from what the lamp shows, no flash.
    Emits DeviceHealth when `prepare` has ended: ok when the gear confirmed both settings.
    """

    wake_ns = FOREVER_NS

    def __init__(self, name: str, bus: DaliBus, short_address: int) -> None:
        self.name = name
        self._bus, self._short_address = bus, short_address
        self._emit: Emit = bus.emit
        bus.add_lamp(short_address, name, self._done)

    def set_level(self, level: int, now_ns: int) -> None:
        """Go to arc power level 0 (off) to 254 (full); the gear fades by its own fade time. Raises OutOfRange."""
        self._bus.set_level(self._short_address, level, now_ns)

    def take_over(self, now_ns: int, *, timeout_ns: int = TAKE_OVER_NS) -> None:
        """Ask the gear for its level; LampStatus follows within `timeout_ns` (plus one exchange)."""
        self._bus.listen_first(now_ns)
        self._bus.submit(
            "query_actual_level",
            (self._short_address,),
            now_ns,
            owner=self.name,
            deadline_ns=now_ns + timeout_ns,
            priority=0,
        )

    def prepare(self, now_ns: int, *, failure_level: int = FULL, fade_code: int = 0) -> None:
        """Make the gear fail-safe: `failure_level` when bus power is lost, fade by `fade_code` (0 none, 4 two seconds).

        Reads first and writes only what differs. Goes in the gaps between levels; ends within 30 s.
        """
        args = (self._short_address, failure_level, fade_code)
        self._bus.submit("configure_gear", args, now_ns, owner=self.name, deadline_ns=now_ns + PREPARE_NS, priority=2)

    def _done(self, done: Done) -> None:
        if done.procedure == "query_actual_level":
            level = done.result if isinstance(done.result, int) else None
            self._emit(LampStatus(done.t_ns, self.name, level))
            return
        settings = done.result if isinstance(done.result, dict) else {}
        wanted = {"failure_level": done.args[1], "fade_code": done.args[2]}
        ok = all(settings.get(name) == value for name, value in wanted.items())
        reason = "" if ok else done.reason or ("gear keeps other settings" if settings else "gear does not answer")
        self._emit(DeviceHealth(done.t_ns, self.name, ok, reason))

    def advance(self, now_ns: int) -> None:
        """Nothing is ever due: the bus has the timers."""

    def counters(self) -> dict[str, int]:
        """Nothing of its own: the bus counts."""
        return {"frames": 0}

    def snapshot(self) -> dict[str, Any]:
        """Nothing of its own."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing to take over."""
