"""The last gate for lamps. No level reaches a lamp but through here; no policy is asked or trusted.

What a lamp does in doubt (each cell with its test in tests/controllers/test_doubt_table.py):

==========================  =====================================  ============  ============================
doubt                       lit hours                              calendar off  wall time unknown
==========================  =====================================  ============  ============================
none                        what the policy asks, base at least    off           base; if dark by lux as lit
sensor silent, contradicts  its zone at full                       off           full if dark by lux, else base
lamp dark, gateway lost     what is around it at full              off           full if dark by lux, else base
neighbour silent            the border zone at full                off           full if dark by lux, else base
no sensor in the section    full, as long as the site is so        off           full if dark by lux, else base
neighbour says doubt        the named stretch and its reach, full  off           full if dark by lux, else base
level of gear unknown       nothing is written until the gear has answered, or `take_over_ns` have passed
==========================  =====================================  ============  ============================

The calendar beats doubt: bats are not disturbed by a broken sensor. In lit hours doubt means light. What somebody
orders by hand at commissioning beats both, and ends by itself (overrides.py).

What is judged is the light, not the command: the gate keeps a model of each lamp's output (lamp_slope.py beside this),
fades in the gear included. Each second leaves a lamp two fifths of its light; a level that would not is passed in
steps. Rising is never held back: the gear's own fade keeps it from flashing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from controllers.core.calendar_rules import OFF, Hours
from controllers.core.contract import Command, LampLevel, Publish
from controllers.core.doubts import DARK, Doubts
from controllers.core.dusk import TWILIGHT_NS, Dusk
from controllers.core.lamp_slope import DROP_LEVELS, LampSlope
from controllers.core.overrides import COMMISSIONING, Overrides
from drivers.codecs.dali import level_for_ppm
from drivers.quantities import DeviceHealth, Illuminance, LampStatus, Message, Quantity, RadarReport, WallTime
from drivers.units import FOREVER_NS

PPM_PER_PCT = 10_000


class Calendar(Protocol):
    """What light is wanted at all."""

    def hours_at(self, utc_ns: int) -> Hours:
        """Off, lit or full, and with which levels."""

    def next_change_ns(self, utc_ns: int) -> int:
        """The first instant after `utc_ns` at which `hours_at` changes."""

    def sun_up_at(self, utc_ns: int) -> bool:
        """Whether the sun is above the horizon; asked where there is a lux sensor."""


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
        drop_levels: how many levels a lamp may lose within a second.
        speakers: devices by which neighbours are told of lamps that stay dark.
        dusk: what the lux sensor makes of the light, where there is one.
        unseen: stretches that no sensor answers for, by why: in doubt for good.
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
        speakers: Sequence[str] = (),
        dusk: Dusk | None = None,
        unseen: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        self.wake_ns = 0
        self.doubts = Doubts(lamps, zones, reach_mm, unseen)
        self.overrides = Overrides(lamps, full_level)
        self.dusk = dusk
        self._lamps, self._calendar, self._speakers = dict(lamps), calendar, tuple(speakers)
        self._base, self._full = base_level, full_level
        self._take_over_ns = take_over_ns
        self._asked: dict[str, int] = dict.fromkeys(lamps, base_level)
        self._passed: dict[str, int | None] = dict.fromkeys(lamps)  # None: not known what the gear shows
        self._slopes = {lamp: LampSlope(fade_ns, drop_levels) for lamp in lamps}
        self._held_ns = FOREVER_NS  # when a sinking held back may go on, the first of all lamps
        self._waiting: set[str] = set(lamps)
        self._give_up_ns = -1
        self._utc_offset_ns: int | None = None
        self._light = "base"
        self._lowest = base_level  # of the hours now, in place of base and full
        self._highest = full_level
        self._edge_ns = FOREVER_NS

    @property
    def light(self) -> str:
        """What the hours are: ``"off"``, ``"lit"``, ``"full"``, or ``"base"`` where nobody knows the time."""
        return self._light

    def step(self, commands: Sequence[Command], inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        """What may pass, and what the table orders. Commands that set no level pass, a word of all doubts completed."""
        changed = False
        said = self.doubts.said
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
                allowed.append(self._completed(command))
        if changed:
            for lamp in self._lamps:
                self._pass(lamp, now_ns, allowed)
            if self.doubts.said != said:
                body = {"kind": "doubt", "of": DARK, "doubt": self.doubts.said}
                allowed += [Publish(device, body) for device in self._speakers]
        if self._held_ns < self.wake_ns:
            self.wake_ns = self._held_ns
        return allowed

    def stopping(self, now_ns: int) -> Sequence[LampLevel]:
        """The last levels before a clean stop: off where the calendar says so, else base, for every lamp.

        In lit hours and with the wall time unknown nobody is left in the dark, stand-by or not. Doubts, riders and
        orders have no say: nobody would take their light back. Said even to lamps whose own level is not known yet.
        """
        if now_ns >= self._edge_ns:
            self._read_calendar(now_ns)
        level = 0 if self._light == "off" else self._base
        self._waiting.clear()
        self._passed = dict.fromkeys(self._lamps, level)
        self._held_ns = FOREVER_NS
        return [LampLevel(lamp, level) for lamp in self._lamps]

    def _pass(self, lamp: str, now_ns: int, allowed: list[Command]) -> None:
        if lamp in self._waiting:
            return
        level, passed, slope = self._level(lamp), self._passed[lamp], self._slopes[lamp]
        if passed is not None and level < passed:
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
        ordered = self.overrides.of(lamp)
        if ordered is not None:
            return ordered
        if self._light == "off":
            return 0
        if self._light == "base":
            return self._base
        if self._light == "full" or self.doubts.at(self._lamps[lamp]):
            return self._highest
        asked = self._asked[lamp]
        if asked <= self._base:
            return self._lowest
        return self._highest if asked >= self._full else max(self._lowest, min(self._highest, asked))

    def _completed(self, command: Command) -> Command:
        """The policy's word of all doubts there are (``alive``), with the gate's own."""
        if self.doubts.said is None or not isinstance(command, Publish):
            return command
        doubts = command.body.get("doubts")
        if not isinstance(doubts, dict):
            return command
        return Publish(command.target, {**command.body, "doubts": {**doubts, DARK: self.doubts.said}})

    def _learn(self, value: Quantity, now_ns: int) -> bool:
        """Take one value in; True if levels may change by it."""
        if isinstance(value, DeviceHealth):
            if self.dusk is not None and value.source == self.dusk.source:
                return not value.ok and self.dusk.lost() and self._read_calendar(now_ns)
            return self.doubts.health(value)
        if isinstance(value, Illuminance):
            return self._read_lux(value, now_ns)
        if isinstance(value, Message):
            if value.source == COMMISSIONING:
                changed = self.overrides.hear(value)
                self._set_wake()
                return changed
            return self.doubts.hear(value.source, value.body)
        if isinstance(value, LampStatus):
            return self._found(value) | self.doubts.lamp(value)
        if isinstance(value, WallTime):
            self._utc_offset_ns = value.utc_ns - value.t_ns if value.synchronised else None
            self._read_calendar(now_ns)
            return True
        return False

    def _found(self, value: LampStatus) -> bool:
        """The gear's own level after a start, or that it says none; a failure that comes or goes says neither."""
        lamp = value.source
        if lamp not in self._waiting or (value.level is None and (value.failure or lamp in self.doubts.dark)):
            return False
        self._waiting.discard(lamp)
        self._passed[lamp] = value.level
        if value.level is not None:
            self._slopes[lamp].shows(value.level)
        return True

    def _read_lux(self, value: Illuminance, now_ns: int) -> bool:
        dusk = self.dusk
        if dusk is None or value.source != dusk.source:
            return False
        night: bool | None = None
        if self._utc_offset_ns is not None:
            utc_ns = value.t_ns + self._utc_offset_ns
            up = self._calendar.sun_up_at(utc_ns)
            if up == self._calendar.sun_up_at(utc_ns - TWILIGHT_NS) == self._calendar.sun_up_at(utc_ns + TWILIGHT_NS):
                night = not up
        return dusk.read(value, night) and self._read_calendar(now_ns)

    def _on_time(self, now_ns: int) -> bool:
        """The calendar's edge; the end of a wait for silent gear, or of an order; a sinking's next step."""
        changed = False
        if self._give_up_ns < 0:  # the first step of all
            self._give_up_ns = now_ns + self._take_over_ns
        elif self._waiting and now_ns >= self._give_up_ns:
            self._waiting.clear()
            changed = True
        if now_ns >= self._edge_ns:
            self._read_calendar(now_ns)
            changed = True
        if now_ns >= self.overrides.wake_ns:
            self.overrides.on_time(now_ns)
            changed = True
        if now_ns >= self._held_ns:
            self._held_ns = FOREVER_NS
            changed = True
        self._set_wake()
        return changed

    def _read_calendar(self, now_ns: int) -> bool:
        """What the hours are now; True, for whoever has asked because something has changed."""
        dark = None if self.dusk is None else self.dusk.says_dark
        hours = OFF  # of it only the levels count where the time is not known: the site's own
        if self._utc_offset_ns is None:
            self._light, self._edge_ns = "lit" if dark else "base", FOREVER_NS
        else:
            utc_ns = now_ns + self._utc_offset_ns
            hours = self._calendar.hours_at(utc_ns)
            self._light = hours.light
            if hours.light == "lit" and self.dusk is not None and self.dusk.trims and dark is False:
                self._light = "off"  # the sun is down, and it is bright all the same
            edge_utc_ns = self._calendar.next_change_ns(utc_ns)
            self._edge_ns = edge_utc_ns - self._utc_offset_ns if edge_utc_ns < FOREVER_NS else FOREVER_NS
        self._lowest = self._base if hours.base_pct is None else _level_of(hours.base_pct)
        self._highest = self._full if hours.full_pct is None else min(self._full, _level_of(hours.full_pct))
        self._set_wake()
        return True

    def _set_wake(self) -> None:
        if self._give_up_ns < 0:
            self.wake_ns = 0
            return
        give_up_ns = self._give_up_ns if self._waiting else FOREVER_NS
        self.wake_ns = min(self._edge_ns, self.overrides.wake_ns, give_up_ns)  # and what is held back: see `step`

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
            "doubts": self.doubts.snapshot(),
            "overrides": self.overrides.snapshot(),
            "dusk": None if self.dusk is None else self.dusk.snapshot(),
            "utc_offset_ns": self._utc_offset_ns,
            "hours": [self._light, self._lowest, self._highest],
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
        self.doubts.restore(state["doubts"])
        self.overrides.restore(state["overrides"])
        if self.dusk is not None:
            self.dusk.restore(state["dusk"])
        self._utc_offset_ns = state["utc_offset_ns"]
        self._light, self._lowest, self._highest = state["hours"]


def _level_of(pct: float) -> int:
    return level_for_ppm(round(pct * PPM_PER_PCT))
