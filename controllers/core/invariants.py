"""What must hold at every tick of a lit path, checked beside the gate and counted; nothing is decided here.

- ``below_full``: in lit hours no tracked rider is under a lamp below full level, while the sensors there are healthy.
- ``too_fast``: no lamp sinks faster than it may, by a model of its output, fades in the gear included.
- ``beyond_limits``: no lamp is told a level below 0 or above the site's full level.
- ``lit_when_off``: nothing is lit when the calendar says off, but for what somebody orders by hand.

It keeps books of its own: levels as told, wall time, orders and health as heard. A break that lasts is counted once.
A look costs something only where a tick has seen or decided something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from controllers.core.calendar_rules import Hours
from controllers.core.contract import Command, LampLevel
from controllers.core.failsafe_lamps import PPM_PER_PCT, Calendar
from controllers.core.lamp_slope import DROP_LEVELS, DROP_NS, LampSlope
from controllers.core.overrides import Overrides
from drivers.codecs.dali import level_for_ppm
from drivers.quantities import DeviceHealth, LampStatus, Message, Quantity, WallTime
from drivers.units import NS_PER_S

KINDS: Final = ("below_full", "too_fast", "beyond_limits", "lit_when_off")

KNOWN_NS: Final = 2 * NS_PER_S
"""So long somebody has been tracked before a lamp has to be full; its fade comes on top."""

SINK_NS: Final = 12 * NS_PER_S
"""From full to off in steps of a second takes eight, and the last fade."""

FRESH_NS: Final = NS_PER_S
"""A rider not measured for longer is a guess of where somebody is."""

Riders = Callable[[int], Sequence[tuple[int, int, int]]]
"""Called with now_ns: (number, place in mm, time of the last measurement in ns) of everybody tracked."""


class Invariants:
    """Counts breaks by kind in `broken`; `last` says the newest in words, with its place.

    Args:
        lamps: name and place in mm along the path.
        zones: by radar, the stretch (from, to in mm) that it answers for.
        calendar: lit hours.
        full_level: of the site, e.g. 254.
        fade_ns: of the gear.
        riders: who is tracked.
        lit: whether the gate takes this for lit hours: a lux sensor may say other than the calendar.
    """

    def __init__(
        self,
        lamps: Mapping[str, int],
        zones: Mapping[str, tuple[int, int]],
        calendar: Calendar,
        *,
        full_level: int,
        fade_ns: int,
        riders: Riders,
        lit: Callable[[], bool],
    ) -> None:
        self.broken = dict.fromkeys(KINDS, 0)
        self.last = ""
        self._lamps, self._zones, self._calendar = dict(lamps), dict(zones), calendar
        self._full, self._fade_ns, self._riders, self._lit = full_level, fade_ns, riders, lit
        self._orders = Overrides(lamps, full_level)
        self._slopes = {lamp: LampSlope(fade_ns) for lamp in lamps}
        self._levels: dict[str, int] = {}  # as told, or found at the start
        self._shone: dict[str, list[tuple[int, int]]] = {lamp: [] for lamp in lamps}  # (t, shown) before each order
        self._burning: set[str] = set()
        self._ill: set[str] = set()
        self._dark: set[str] = set()
        self._utc_offset_ns: int | None = None
        self._hours: Hours | None = None
        self._since_ns = self._until_ns = 0
        self._known: dict[int, int] = {}
        self._open: set[tuple[str, str]] = set()
        self._apart_mm = min((b - a for a, b in pairwise(sorted(lamps.values()))), default=0)

    def observe(
        self, tick: int, now_ns: int, inputs: Sequence[Quantity], asked: Sequence[Command], allowed: Sequence[Command]
    ) -> None:
        """The scan cycle's observer."""
        for value in inputs:
            self._learn(value, now_ns)
        if self._orders.wake_ns <= now_ns:
            self._orders.on_time(now_ns)
        for command in allowed:
            if isinstance(command, LampLevel):
                self._told(command.target, command.level, now_ns)
        if self._utc_offset_ns is None:
            return
        if now_ns >= self._until_ns:
            self._read_calendar(now_ns)
        if self._hours is not None and self._hours.light == "off":
            self._check_off(now_ns)
        elif self._lit():
            self._check_riders(now_ns)

    def _learn(self, value: Quantity, now_ns: int) -> None:
        if isinstance(value, WallTime):
            self._utc_offset_ns = value.utc_ns - value.t_ns if value.synchronised else None
            self._until_ns = now_ns
            if not value.synchronised:
                self._hours = None
        elif isinstance(value, DeviceHealth):
            (self._ill.discard if value.ok else self._ill.add)(value.source)
        elif isinstance(value, LampStatus) and value.source in self._lamps:
            (self._dark.add if value.failure else self._dark.discard)(value.source)
            if value.level is not None and value.source not in self._levels:
                self._slopes[value.source].shows(value.level)
                self._is_at(value.source, value.level)
        elif isinstance(value, Message):
            self._orders.hear(value)

    def _is_at(self, lamp: str, level: int) -> None:
        self._levels[lamp] = level
        (self._burning.add if level > 0 else self._burning.discard)(lamp)

    def _told(self, lamp: str, level: int, now_ns: int) -> None:
        self._judge("beyond_limits", lamp, not 0 <= level <= self._full, f"was told {level}")
        slope, shone = self._slopes[lamp], self._shone[lamp]
        if lamp in self._levels:
            while shone and shone[0][0] < now_ns - DROP_NS:
                shone.pop(0)
            shone.append((now_ns, slope.shown(now_ns)))
            fell = max(shown for _, shown in shone) - level
            # one step at the end of a second, one at the beginning of the next
            self._judge("too_fast", lamp, fell > 2 * DROP_LEVELS, f"was told {level}, {fell} levels down in a second")
        slope.told(level, now_ns)
        self._is_at(lamp, level)

    def _read_calendar(self, now_ns: int) -> None:
        assert self._utc_offset_ns is not None
        utc_ns = now_ns + self._utc_offset_ns
        hours, before = self._calendar.hours_at(utc_ns), self._hours
        if hours != before:
            self._hours, self._since_ns = hours, now_ns
        self._until_ns = self._calendar.next_change_ns(utc_ns) - self._utc_offset_ns

    def _check_off(self, now_ns: int) -> None:
        if now_ns < self._since_ns + SINK_NS + self._fade_ns:
            return
        for lamp in self._lamps:
            burns = lamp in self._burning and self._orders.of(lamp) is None
            shone = self._shone[lamp]
            if burns and shone and now_ns < shone[-1][0] + SINK_NS:
                continue  # an order has just ended: it sinks
            self._judge("lit_when_off", lamp, burns, f"stands at {self._levels.get(lamp)} while the calendar says off")

    def _check_riders(self, now_ns: int) -> None:
        riders, known = self._riders(now_ns), self._known
        self._known = {number: known.get(number, now_ns) for number, _, _ in riders}
        if not riders or now_ns < self._since_ns + KNOWN_NS + self._fade_ns:
            return
        under: set[str] = set()
        for number, x_mm, seen_ns in riders:
            if seen_ns >= now_ns - FRESH_NS and now_ns >= self._known[number] + KNOWN_NS + self._fade_ns:
                under |= {lamp for lamp, at_mm in self._lamps.items() if 2 * abs(at_mm - x_mm) <= self._apart_mm}
        wanted = self._full
        if self._hours is not None and self._hours.full_pct is not None:
            wanted = min(wanted, level_for_ppm(round(self._hours.full_pct * PPM_PER_PCT)))
        for lamp in self._lamps:
            shown = self._slopes[lamp].shown(now_ns) if lamp in under and self._is_owed(lamp) else wanted
            self._judge("below_full", lamp, shown < wanted, f"shows {shown} over somebody")

    def _is_owed(self, lamp: str) -> bool:
        """Whether it has to be full over somebody: it can, and no order or ill sensor says otherwise."""
        able = lamp in self._levels and lamp not in self._dark
        return able and self._orders.of(lamp) is None and not self._is_blind(self._lamps[lamp])

    def _is_blind(self, at_mm: int) -> bool:
        return any(low <= at_mm <= high for source, (low, high) in self._zones.items() if source in self._ill)

    def _judge(self, kind: str, lamp: str, broken: bool, how: str) -> None:
        if not broken:
            self._open.discard((kind, lamp))
        elif (kind, lamp) not in self._open:
            self._open.add((kind, lamp))
            self.broken[kind] += 1
            self.last = f"{kind}: {lamp} {how}"

    def figures(self) -> dict[str, int | str]:
        """JSON-able: breaks by kind since the start, and the newest in words."""
        return {**self.broken, "last": self.last}
