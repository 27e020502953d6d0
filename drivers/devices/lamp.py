"""A lamp with a name: one gear on a DALI bus."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from drivers.buses.dali import DaliBus
from drivers.buses.dali_procedures import COLLIDE, Done
from drivers.buses.dali_settings import GearSettings
from drivers.codecs.dali import FULL
from drivers.devices.lamp_wear import LampWear
from drivers.interfaces import Emit
from drivers.quantities import DeviceHealth, LampStatus, PowerReading
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

TAKE_OVER_NS: Final = 1_500 * NS_PER_MS
"""How long a lamp may take to say its level at start; 64 gear need 2.1 s, 12 need 0.4 s."""

PREPARE_NS: Final = 30 * NS_PER_S

_GEAR_FAILURE, _LAMP_FAILURE, _LIMIT_ERROR, _FADING, _POWER_CYCLE = 1, 2, 8, 16, 128
"""Bits of the answer to QUERY STATUS (IEC 62386-102)."""

SILENT: Final = "gear does not answer"
LOST: Final = "gateway lost"
STUBBORN: Final = "does not keep its level"


class DaliLamp:
    """Implements Lamp, Gear and Device. Its timers are in `wake_ns`: several share a `LampLine`.

    Emits LampStatus (level None: no answer, or not known to the gear) when `take_over` has an answer or none in time.
    Until then nobody should set a level, so that a restarted controller goes on from what the lamp shows, no flash.
    Emits LampStatus again, level None, when a failure comes or goes: lamp or gear fails, the gear does not answer twice
    in a row, it does not keep its level, the gateway is lost. Emits DeviceHealth with the same reason; a lamp that is
    well, but whose gear keeps other settings than it should, is told by DeviceHealth alone ("settings: ..."). Emits
    PowerReading for `power`. Questions go in the gaps between levels.

    A gear that shows another level than it was told is told once more (`corrections`): it has lost its supply, or
    somebody else talks on the bus.

    Args:
        name: e.g. ``"lamp-1"``.
        bus: it hangs on.
        short_address: 0 to 63.
        check_ns: how often to look by itself whether all is well, the first time at once; 0: only when told. Two frames
            each time.
        power_ns: how often to ask for `power` by itself; 0: only when told. 25 frames each time.
        settings: what its gear shall keep, but for failure level and fade time, which `verify` is told, and groups,
            which the bus knows.
    """

    def __init__(
        self,
        name: str,
        bus: DaliBus,
        short_address: int,
        *,
        check_ns: int = 0,
        power_ns: int = 0,
        settings: GearSettings | None = None,
    ) -> None:
        self.name = name
        self.wake_ns = 0 if check_ns or power_ns else FOREVER_NS
        self.corrections = 0
        self.wear = LampWear()
        self.settings = settings or GearSettings()
        self.short_address = short_address
        self._bus = bus
        self._emit: Emit = bus.emit
        self._check_ns, self._power_ns = check_ns, power_ns
        self._next_check_ns = 0 if check_ns else FOREVER_NS
        self._next_power_ns = 0 if power_ns else FOREVER_NS
        self._failure: str | None = None  # what was found last; None: nothing yet
        self._finding = ""  # settings that differ
        self._told: tuple[str | None, str] = (None, "")  # health's reason and status' failure, as emitted last
        self._reached = True
        self._silent = self._wrong = False  # the last question had no answer; the last answer another level
        self._set_ns = self._asked_ns = -1
        self._wanted: tuple[int, int] | None = None  # failure level and fade code, once `verify` was told
        if power_ns:
            from drivers.buses import dali_d4i  # noqa: F401 - now, before anything ticks
        bus.add_lamp(short_address, name, self._done)
        bus.watch_reach(self._reach)

    def set_level(self, level: int, now_ns: int) -> None:
        """Go to arc power level 0 (off) to 254 (full); the gear fades by its own fade time. Raises OutOfRange."""
        self._bus.set_level(self.short_address, level, now_ns)
        self._set_ns = now_ns
        self.wear.told(level, now_ns)

    def take_over(self, now_ns: int, *, timeout_ns: int = TAKE_OVER_NS) -> None:
        """Ask the gear for its level; LampStatus follows within `timeout_ns` (plus one exchange)."""
        self._bus.listen_first(now_ns)
        self._submit("query_actual_level", now_ns, timeout_ns, priority=0)

    def verify(self, now_ns: int, *, failure_level: int = FULL, fade_code: int = 0) -> None:
        """Read what the gear keeps and compare; nothing is written. DeviceHealth follows within 30 s.

        What it says of its groups decides whether the bus uses them. Done again by itself when the gear was away.
        """
        self._wanted = failure_level, fade_code
        self._submit("read_settings", now_ns, PREPARE_NS, priority=2)

    def wanted(self, *, failure_level: int = FULL, fade_code: int = 0) -> GearSettings:
        """All that the gear shall keep."""
        return msgspec.structs.replace(
            self.settings,
            failure_level=failure_level,
            fade_code=fade_code,
            groups=self._bus.book.wanted_groups(self.short_address),
        )

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

    def _submit(self, procedure: str, now_ns: int, timeout_ns: int, priority: int = 3) -> None:
        self._bus.submit(
            procedure,
            (self.short_address,),
            now_ns,
            owner=self.name,
            deadline_ns=now_ns + timeout_ns,
            priority=priority,
        )

    # --- what comes back

    def _done(self, done: Done) -> None:
        result = done.result
        match done.procedure:
            case "query_actual_level":
                self._emit(LampStatus(done.t_ns, self.name, result if isinstance(result, int) else None, self._told[1]))
            case "read_settings":
                if done.ok:
                    self._verified(result if isinstance(result, dict) else None, done.t_ns)
            case "query_status" | "check_gear":
                self._checked(done)
            case "read_energy":
                said = result if isinstance(result, dict) else {}
                power_mw, energy_mwh = said.get("power_mw"), said.get("energy_mwh")
                self._emit(PowerReading(done.t_ns, self.name, power_mw=power_mw, energy_mwh=energy_mwh))

    def _verified(self, found: dict[str, Any] | None, t_ns: int) -> None:
        self._bus.book.confirm(self.short_address, None if found is None else found["groups"])
        if found is None:
            self._failure, self._silent = SILENT, True
        else:
            failure_level, fade_code = self._wanted or (FULL, 0)
            differing = self.wanted(failure_level=failure_level, fade_code=fade_code).differences(found)
            said = (f"{name} is {there}, wanted {value}" for name, there, value in differing)
            self._finding = f"settings: {'; '.join(said)}" if differing else ""
            self._failure = "" if self._failure in (None, SILENT) else self._failure
            self._silent = False
        self._tell(t_ns)

    def _checked(self, done: Done) -> None:
        """What the gear says of itself; a question that did not get its turn says nothing of it."""
        if not done.ok:
            if done.reason == COLLIDE:
                self._failure = done.reason
                self._tell(done.t_ns)
            return
        looked = done.procedure == "check_gear"
        said = done.result if isinstance(done.result, dict) else {"status": done.result, "level": None}
        if said["status"] is None and said["level"] is None:
            if looked and not self._silent:  # an answer may get lost: once more, at once
                self._silent = True
                self._look(done.t_ns)
                return
            self._silent = True
            self._bus.book.confirm(self.short_address, None)
            self._failure = SILENT
        else:
            if self._failure == SILENT and self._wanted is not None:  # is it the same gear?
                self._submit("read_settings", done.t_ns, PREPARE_NS, priority=2)
            self._silent = False
            status = said["status"] or 0
            stubborn = looked and self._corrected(status, said["level"], done.t_ns)
            self._failure = (
                "lamp failure"
                if status & _LAMP_FAILURE
                else "gear failure"
                if status & _GEAR_FAILURE
                else STUBBORN
                if stubborn
                else ""
            )
        self._tell(done.t_ns)

    def _corrected(self, status: int, level: int | None, t_ns: int) -> bool:
        """Tell the gear its level again where it shows another; True: it has been told before, in vain."""
        told = self._bus.book.levels[self.short_address]
        if told is None or level is None or self._set_ns >= self._asked_ns or status & (_FADING | _LIMIT_ERROR):
            return self._failure == STUBBORN
        if level == told and not status & _POWER_CYCLE:
            self._wrong = False
            return False
        before, self._wrong = self._wrong, level != told
        self.corrections += 1
        self._bus.set_level(self.short_address, told, t_ns)
        return before and level != told

    def _reach(self, t_ns: int, there: bool) -> None:
        """The gateway is lost, or back; whoever was there meanwhile may have changed what the gear keeps."""
        self._reached = there
        if there and self._wanted is not None:
            self._submit("read_settings", t_ns, PREPARE_NS, priority=2)
        self._tell(t_ns, health=False)  # the bus has its own

    def _tell(self, t_ns: int, *, health: bool = True) -> None:
        """Emit what has changed."""
        told_health, told_failure = self._told
        failure = (self._failure or "") if self._reached else LOST
        reason = (self._failure or self._finding) if health and self._failure is not None else told_health
        self._told = reason, failure
        if failure != told_failure:
            self._emit(LampStatus(t_ns, self.name, None, failure))
        if reason is not None and reason != told_health:
            self._emit(DeviceHealth(t_ns, self.name, not reason, reason))

    # --- by itself

    def advance(self, now_ns: int) -> None:
        """Ask what is due to be asked."""
        if now_ns < self.wake_ns:
            return
        if now_ns >= self._next_check_ns:
            first = not self._next_check_ns
            self._look(now_ns, priority=1 if first else 3)  # at a start before all but levels: is it as it was left?
            self._next_check_ns = now_ns + (self._turn_ns() if first else self._check_ns)
        if now_ns >= self._next_power_ns:
            self._next_power_ns = now_ns + self._power_ns
            self.power(now_ns, timeout_ns=self._power_ns)
        self.wake_ns = min(self._next_check_ns, self._next_power_ns)

    def _look(self, now_ns: int, priority: int = 3) -> None:
        self._asked_ns = now_ns
        self._submit("check_gear", now_ns, self._check_ns, priority)

    def _turn_ns(self) -> int:
        """The lamps of a line look one after the other, evenly: when this one does, after its look at the start."""
        line = sorted(self._bus.book.levels)
        return self._check_ns * (line.index(self.short_address) + 1) // len(line)

    # --- state

    def counters(self) -> dict[str, int]:
        """The bus counts frames; `corrections`: how often the gear had to be told its level again."""
        return {"frames": 0, "corrections": self.corrections}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "check_ns": self._next_check_ns,
            "power_ns": self._next_power_ns,
            "failure": self._failure,
            "finding": self._finding,
            "told": list(self._told),
            "reached": self._reached,
            "silent": self._silent,
            "wrong": self._wrong,
            "set_ns": self._set_ns,
            "asked_ns": self._asked_ns,
            "wanted": None if self._wanted is None else list(self._wanted),
            "corrections": self.corrections,
            "wear": self.wear.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._next_check_ns, self._next_power_ns = state["check_ns"], state["power_ns"]
        self.wake_ns = min(self._next_check_ns, self._next_power_ns)
        self._failure, self._finding = state["failure"], state["finding"]
        health, failure = state["told"]
        self._told = health, failure
        self._reached, self._silent, self._wrong = state["reached"], state["silent"], state["wrong"]
        self._set_ns, self._asked_ns = state["set_ns"], state["asked_ns"]
        self._wanted = None if state["wanted"] is None else (state["wanted"][0], state["wanted"][1])
        self.corrections = state["corrections"]
        self.wear.restore(state["wear"])
