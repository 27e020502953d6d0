"""A lamp with a name: one gear on a DALI bus."""

from __future__ import annotations

from typing import Any, Final

from drivers.buses.dali import DaliBus
from drivers.buses.dali_procedures import COLLIDE, Done
from drivers.codecs.dali import FULL
from drivers.interfaces import Emit
from drivers.quantities import DeviceHealth, LampStatus, PowerReading
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

TAKE_OVER_NS: Final = 1_500 * NS_PER_MS
"""How long a lamp may take to say its level at start; 64 gear need 2.1 s, 12 need 0.4 s."""

PREPARE_NS: Final = 30 * NS_PER_S

_GEAR_FAILURE, _LAMP_FAILURE = 1, 2
"""Bits of the answer to QUERY STATUS."""


class DaliLamp:
    """Implements Lamp and Device. Without periods it has no timer and no state of its own: the bus has both.

    Emits LampStatus (level None: no answer, or not known to the gear) when `take_over` has an answer or none in time.
    Until then nobody should set a level, so that a restarted controller goes on from what the lamp shows, no flash.
    Emits DeviceHealth when `prepare` has ended (ok when the gear confirmed both settings), and when `check` finds
    something else than before: "lamp failure", "gear failure", "gear does not answer", or all well. Emits PowerReading
    for `power`. Questions go in the gaps between levels.

    Args:
        name: e.g. ``"lamp-1"``.
        bus: it hangs on.
        short_address: 0 to 63.
        check_ns: how often to `check` by itself; 0: only when told.
        power_ns: how often to ask for `power` by itself; 0: only when told. 25 frames each time.
    """

    def __init__(self, name: str, bus: DaliBus, short_address: int, *, check_ns: int = 0, power_ns: int = 0) -> None:
        self.name = name
        self.wake_ns = 0 if check_ns or power_ns else FOREVER_NS
        self._bus, self._short_address = bus, short_address
        self._emit: Emit = bus.emit
        self._check_ns, self._power_ns = check_ns, power_ns
        self._next_check_ns = 0 if check_ns else FOREVER_NS
        self._next_power_ns = 0 if power_ns else FOREVER_NS
        self._trouble: str | None = None  # what `check` found last; None: nothing yet
        if power_ns:
            from drivers.buses import dali_d4i  # noqa: F401 - now, before anything ticks
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

    def check(self, now_ns: int, *, timeout_ns: int = TAKE_OVER_NS) -> None:
        """Ask the gear whether it and its lamp are well (QUERY STATUS)."""
        self._submit("query_status", now_ns, timeout_ns)

    def power(self, now_ns: int, *, timeout_ns: int = PREPARE_NS) -> None:
        """Ask D4i gear for its energy and power; PowerReading follows, None for what it cannot say. Takes 1 s."""
        self._submit("read_energy", now_ns, timeout_ns)

    def ask(self, now_ns: int) -> None:
        """Something harmless, for who wants to know whether it is there: is the gear well, and what does it show?"""
        self.check(now_ns)
        self.take_over(now_ns)

    def identify(self, now_ns: int) -> None:
        """Let the gear show itself for some ten seconds: it blinks."""
        self._submit("identify", now_ns, TAKE_OVER_NS)

    def _submit(self, procedure: str, now_ns: int, timeout_ns: int) -> None:
        self._bus.submit(
            procedure, (self._short_address,), now_ns, owner=self.name, deadline_ns=now_ns + timeout_ns, priority=3
        )

    def _done(self, done: Done) -> None:
        match done.procedure:
            case "query_actual_level":
                level = done.result if isinstance(done.result, int) else None
                self._emit(LampStatus(done.t_ns, self.name, level))
            case "configure_gear":
                self._prepared(done)
            case "query_status":
                self._checked(done)
            case "read_energy":
                said = done.result if isinstance(done.result, dict) else {}
                power_mw, energy_mwh = said.get("power_mw"), said.get("energy_mwh")
                self._emit(PowerReading(done.t_ns, self.name, power_mw=power_mw, energy_mwh=energy_mwh))

    def _prepared(self, done: Done) -> None:
        settings = done.result if isinstance(done.result, dict) else {}
        wanted = {"failure_level": done.args[1], "fade_code": done.args[2]}
        ok = all(settings.get(name) == value for name, value in wanted.items())
        reason = "" if ok else done.reason or ("gear keeps other settings" if settings else "gear does not answer")
        self._emit(DeviceHealth(done.t_ns, self.name, ok, reason))

    def _checked(self, done: Done) -> None:
        """What the status byte says; a question that did not get its turn says nothing of the gear."""
        trouble = done.reason
        if not done.ok and trouble != COLLIDE:
            return
        if done.ok:
            status = done.result if isinstance(done.result, int) else -1
            trouble = (
                "gear does not answer"
                if status < 0
                else "lamp failure"
                if status & _LAMP_FAILURE
                else "gear failure"
                if status & _GEAR_FAILURE
                else ""
            )
        if trouble != self._trouble:
            self._trouble = trouble
            self._emit(DeviceHealth(done.t_ns, self.name, not trouble, trouble))

    def advance(self, now_ns: int) -> None:
        """Ask what is due to be asked."""
        if now_ns < self.wake_ns:
            return
        if now_ns >= self._next_check_ns:
            self._next_check_ns = now_ns + self._check_ns
            self.check(now_ns, timeout_ns=self._check_ns)
        if now_ns >= self._next_power_ns:
            self._next_power_ns = now_ns + self._power_ns
            self.power(now_ns, timeout_ns=self._power_ns)
        self.wake_ns = min(self._next_check_ns, self._next_power_ns)

    def counters(self) -> dict[str, int]:
        """Nothing of its own: the bus counts."""
        return {"frames": 0}

    def snapshot(self) -> dict[str, Any]:
        """Nothing of its own, but for a lamp that asks by itself or has been told to."""
        if not self._check_ns and not self._power_ns and self._trouble is None:
            return {}
        return {"check_ns": self._next_check_ns, "power_ns": self._next_power_ns, "trouble": self._trouble}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        if state:
            self._next_check_ns, self._next_power_ns = state["check_ns"], state["power_ns"]
            self._trouble = state["trouble"]
            self.wake_ns = min(self._next_check_ns, self._next_power_ns)
