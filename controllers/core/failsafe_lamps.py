"""The last gate for lamps. No level reaches a lamp but through here; no policy is asked or trusted.

What a lamp does in doubt (each row with its test in tests/controllers/test_failsafe_lamps.py):

======================  ====================================  ============  ==================
doubt                   lit hours                             calendar off  wall time unknown
======================  ====================================  ============  ==================
none                    what the policy asks, base at least   off           base
sensor silent           its zone at full                      off           base
neighbour silent        the border zone at full               off           base
neighbour says doubt    the named stretch and its reach, full off           base
level of gear unknown   nothing is written until the gear has answered, or `take_over_ns` have passed
======================  ====================================  ============  ==================

The calendar beats doubt: bats are not disturbed by a broken sensor. In lit hours doubt means light.

What is judged is the light, not the command: the gate keeps a model of each lamp's output (lamp_slope.py beside this),
fades in the gear included. In lit hours each second leaves a lamp two fifths of its light; a level that would
not is passed in steps. Rising is never held back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from controllers.core.contract import Command, LampLevel
from controllers.core.lamp_slope import DROP_LEVELS, LampSlope
from drivers.quantities import DeviceHealth, LampStatus, Message, Quantity, RadarReport, WallTime
from drivers.units import FOREVER_NS

EVERYWHERE = (-(1 << 40), 1 << 40)

MAX_DOUBTS = 32
"""More than there are devices to doubt; what a neighbour names beyond that is one doubt, everywhere."""


class Calendar(Protocol):
    """When light is wanted at all."""

    def lit_at(self, utc_ns: int) -> bool:
        """True in lit hours."""

    def next_edge_ns(self, utc_ns: int) -> int:
        """The first instant after `utc_ns` at which `lit_at` changes."""


class LampGate:
    """Implements Gate for the lamps of one controller.

    Args:
        lamps: name and position in mm along the path, e.g. ``{"lamp-1": 0, "lamp-2": 32_000}``.
        zones: for each device whose health matters, the stretch of path (from, to in mm) to light when it is silent.
        calendar: lit hours.
        base_level, full_level: arc power levels, e.g. 170 and 254.
        reach_mm: how far a neighbour's doubt reaches beyond its own stretch, e.g. 70_000.
        take_over_ns: how long to wait for a gear's own level after start.
        fade_ns: the gear's fade time, e.g. 1_000_000_000.
        drop_levels: how many levels a lamp may lose within a second in lit hours.
    """

    def __init__(
        self,
        lamps: Mapping[str, int],
        zones: Mapping[str, tuple[int, int]],
        calendar: Calendar,
        *,
        base_level: int,
        full_level: int,
        reach_mm: int = 70_000,
        take_over_ns: int = 2_000_000_000,
        fade_ns: int = 0,
        drop_levels: int = DROP_LEVELS,
    ) -> None:
        self.wake_ns = 0
        self._lamps, self._zones, self._calendar = dict(lamps), dict(zones), calendar
        self._base, self._full = base_level, full_level
        self._reach_mm, self._take_over_ns = reach_mm, take_over_ns
        self._asked: dict[str, int] = dict.fromkeys(lamps, base_level)
        self._passed: dict[str, int | None] = dict.fromkeys(lamps)  # None: not known what the gear shows
        self._slopes = {lamp: LampSlope(fade_ns, drop_levels) for lamp in lamps}
        self._held_ns = FOREVER_NS  # when a sinking held back may go on, the first of all lamps
        self._waiting: set[str] = set(lamps)
        self._give_up_ns = -1
        self._doubts: dict[str, tuple[int, int]] = {}
        self._utc_offset_ns: int | None = None
        self._lit: bool | None = None
        self._edge_ns = FOREVER_NS

    def step(self, commands: Sequence[Command], inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        """What may pass, and what the table orders. Commands that set no level pass untouched."""
        changed = False
        for value in inputs:
            if not isinstance(value, RadarReport):
                changed |= self._learn(value, now_ns)
        if now_ns >= self.wake_ns:
            changed |= self._on_time(now_ns)
        allowed: list[Command] = []
        for command in commands:
            if isinstance(command, LampLevel):
                self._asked[command.target] = max(0, min(self._full, command.level))
                if not changed:
                    self._pass(command.target, now_ns, allowed)
            else:
                allowed.append(command)
        if changed:
            for lamp in self._lamps:
                self._pass(lamp, now_ns, allowed)
        if self._held_ns < self.wake_ns:
            self.wake_ns = self._held_ns
        return allowed

    def stopping(self, now_ns: int) -> Sequence[LampLevel]:
        """The last levels before a clean stop: off where the calendar says so, else base, for every lamp.

        In lit hours and with the wall time unknown nobody is left in the dark. Doubts and riders have no say: nobody
        would take their light back. Said even to lamps whose own level is not known yet.
        """
        if now_ns >= self._edge_ns:
            self._read_calendar(now_ns)
        level = 0 if self._lit is False else self._base
        self._waiting.clear()
        self._passed = dict.fromkeys(self._lamps, level)
        self._held_ns = FOREVER_NS
        return [LampLevel(lamp, level) for lamp in self._lamps]

    def _pass(self, lamp: str, now_ns: int, allowed: list[Command]) -> None:
        if lamp in self._waiting:
            return
        level, passed, slope = self._level(lamp), self._passed[lamp], self._slopes[lamp]
        if self._lit and passed is not None and level < passed:
            level = slope.limited(level, now_ns)
            self._held_ns = min(self._held_ns, slope.wake_ns)
        else:
            slope.free()
        if level != passed:
            self._passed[lamp] = level
            slope.told(level, now_ns)
            allowed.append(LampLevel(lamp, level))

    def _level(self, lamp: str) -> int:
        """The table."""
        if self._lit is None:
            return self._base
        if not self._lit:
            return 0
        x_mm = self._lamps[lamp]
        for from_mm, to_mm in self._doubts.values():
            if from_mm <= x_mm <= to_mm:
                return self._full
        return max(self._base, self._asked[lamp])

    def _learn(self, value: Quantity, now_ns: int) -> bool:
        """Take one value in; True if levels may change by it."""
        if isinstance(value, DeviceHealth):
            return self._doubt(value.source, None if value.ok else self._zones.get(value.source))
        if isinstance(value, Message):
            return self._hear(value.source, value.body)
        if isinstance(value, LampStatus):
            if value.source not in self._waiting:
                return False
            self._waiting.discard(value.source)
            self._passed[value.source] = value.level
            if value.level is not None:
                self._slopes[value.source].shows(value.level)
            return True
        if isinstance(value, WallTime):
            self._utc_offset_ns = value.utc_ns - value.t_ns if value.synchronised else None
            self._read_calendar(now_ns)
            return True
        return False

    def _hear(self, neighbour: str, body: dict[str, object]) -> bool:
        """A neighbour's word: one doubt that came or went (``doubt``, ``of``), or all it has (``doubts``)."""
        if "doubts" in body:
            said = body["doubts"]
            named = said if isinstance(said, dict) else {"all": said}
            gone = [
                of for of in self._doubts if of.startswith(f"{neighbour}/") and of[len(neighbour) + 1 :] not in named
            ]
            for of in gone:
                del self._doubts[of]
            changed = bool(gone)
            for of, stretch in named.items():
                changed |= self._named(neighbour, f"{neighbour}/{of}", self._stretch(stretch))
            return changed
        if "doubt" in body:
            return self._named(neighbour, f"{neighbour}/{body.get('of')}", self._stretch(body["doubt"]))
        return False

    def _named(self, neighbour: str, source: str, stretch: tuple[int, int] | None) -> bool:
        if stretch is not None and source not in self._doubts and len(self._doubts) >= MAX_DOUBTS:
            return self._doubt(f"{neighbour}/more", EVERYWHERE)
        return self._doubt(source, stretch)

    def _doubt(self, source: str, stretch: tuple[int, int] | None) -> bool:
        before = self._doubts.get(source)
        if stretch is None:
            self._doubts.pop(source, None)
        else:
            self._doubts[source] = stretch
        return stretch != before

    def _stretch(self, said: object) -> tuple[int, int] | None:
        """A neighbour's stretch, widened by the reach. What makes no sense is doubt everywhere: light, not darkness."""
        if said is None:
            return None
        if isinstance(said, list) and len(said) == 2 and all(isinstance(end, int) for end in said):
            return min(said) - self._reach_mm, max(said) + self._reach_mm
        return EVERYWHERE

    def _on_time(self, now_ns: int) -> bool:
        """The calendar's edge, the end of waiting for gear that does not answer, and the next step of a sinking."""
        changed = False
        if self._give_up_ns < 0:  # the first step of all
            self._give_up_ns = now_ns + self._take_over_ns
        elif self._waiting and now_ns >= self._give_up_ns:
            self._waiting.clear()
            changed = True
        if now_ns >= self._edge_ns:
            self._read_calendar(now_ns)
            changed = True
        if now_ns >= self._held_ns:
            self._held_ns = FOREVER_NS
            changed = True
        self._set_wake()
        return changed

    def _read_calendar(self, now_ns: int) -> None:
        if self._utc_offset_ns is None:
            self._lit, self._edge_ns = None, FOREVER_NS
        else:
            utc_ns = now_ns + self._utc_offset_ns
            self._lit = self._calendar.lit_at(utc_ns)
            edge_utc_ns = self._calendar.next_edge_ns(utc_ns)
            self._edge_ns = edge_utc_ns - self._utc_offset_ns if edge_utc_ns < FOREVER_NS else FOREVER_NS
        self._set_wake()

    def _set_wake(self) -> None:
        if self._give_up_ns < 0:
            self.wake_ns = 0
            return
        self.wake_ns = min(self._edge_ns, self._held_ns, self._give_up_ns if self._waiting else FOREVER_NS)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "wake_ns": self.wake_ns,
            "asked": dict(self._asked),
            "passed": dict(self._passed),
            "slopes": {lamp: slope.snapshot() for lamp, slope in self._slopes.items()},
            "held_ns": self._held_ns,
            "waiting": sorted(self._waiting),
            "give_up_ns": self._give_up_ns,
            "doubts": {source: list(stretch) for source, stretch in self._doubts.items()},
            "utc_offset_ns": self._utc_offset_ns,
            "lit": self._lit,
            "edge_ns": self._edge_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.wake_ns, self._give_up_ns, self._edge_ns = state["wake_ns"], state["give_up_ns"], state["edge_ns"]
        self._asked, self._passed = dict(state["asked"]), dict(state["passed"])
        self._waiting = set(state["waiting"])
        self._held_ns = state["held_ns"]
        for lamp, slope in state["slopes"].items():
            self._slopes[lamp].restore(slope)
        self._doubts = {source: (stretch[0], stretch[1]) for source, stretch in state["doubts"].items()}
        self._utc_offset_ns, self._lit = state["utc_offset_ns"], state["lit"]
