"""The rules the light is compared with, on the same riders, calendar and ledger.

- ``always_on``: full in lit hours, off otherwise. What an ordinary path lamp does.
- ``present``: the installation of the Kanalpromenade. A sensor sees somebody at 15 m; that lamp, the two ahead and the
  one behind go to full within 3 s, stay full 53 s after the last call, and sink to 10 %. From 23:00 to 04:30 stand-by,
  except in the nights that begin on a Friday or Saturday.
- ``present_no_standby``: the same without stand-by.
- ``oracle``: every lamp full exactly while it is owed (hil/judge/owed.py), known or not, at 10 % otherwise. Nobody who
  lights for known and unknown alike can spend less.

Where the published description leaves room, the reading kinder to the present installation was taken: in stand-by its
sensors go on working and only the base is 0 %; it knows from the first sensor where somebody is heading. The way down
takes 3 s like the way up. Changes by the clock (sunset, sunrise, stand-by) are at once, for every rule.
"""

from __future__ import annotations

import heapq
from datetime import date, time, timedelta
from typing import Any, Protocol

from controllers.core.calendar import DailySpans, local_s, local_zone
from controllers.lighting.account import LitHours
from drivers.units import FOREVER_NS, NS_PER_S
from hil.judge.light_ledger import BASE_LEVEL, FULL_LEVEL, Figures, LightLedger
from hil.judge.owed import LightPath, Walk
from hil.traffic.rider import Rider

FADE_NS = 3 * NS_PER_S
HOLD_NS = 53 * NS_PER_S
_FRIDAY, _SATURDAY = 4, 5


class Hours(Protocol):
    """Something that holds or not by the clock."""

    def at(self, utc_ns: int) -> bool:
        """Whether it holds."""

    def next_edge_ns(self, utc_ns: int) -> int:
        """When that changes next."""


class Never:
    """Hours that never come."""

    def at(self, utc_ns: int) -> bool:
        """False."""
        return False

    def next_edge_ns(self, utc_ns: int) -> int:
        """FOREVER_NS."""
        return FOREVER_NS


def stand_by_hours(timezone: str) -> DailySpans:
    """23:00 to 04:30 local, except in the nights that begin on a Friday or Saturday."""
    zone = local_zone(timezone)

    def day(day: date) -> list[tuple[int, bool]]:
        after_rest = (day - timedelta(days=1)).weekday() not in (_FRIDAY, _SATURDAY)
        before_rest = day.weekday() not in (_FRIDAY, _SATURDAY)
        return [
            (local_s(day, time(0), zone), after_rest),
            (local_s(day, time(4, 30), zone), False),
            (local_s(day, time(23), zone), before_rest),
        ]

    return DailySpans(day, zone)


class _Rule:
    """Lamps that follow the calendar and, between its edges, what `_happen` does with the riders' events."""

    def __init__(self, ledger: LightLedger, stand_by: Hours, lit_level: int) -> None:
        self.ledger = ledger
        self._stand_by, self._lit_level = stand_by, lit_level
        self._count = len(ledger.lamps)
        self._events: list[tuple[int, int, int, int]] = []  # heap: when, what, lamp, detail
        self._edge_ns = ledger.now_ns  # the calendar is asked first of all
        self._lit, self._base = False, 0

    def expect(self, walk: Walk) -> None:
        """Somebody in lit hours is about to start a ride."""
        self.ledger.expect(walk)

    def advance(self, now_ns: int) -> None:
        """Let happen what is due up to `now_ns`."""
        events = self._events
        while True:
            event_ns = events[0][0] if events else FOREVER_NS
            if min(event_ns, self._edge_ns) > now_ns:
                break
            if self._edge_ns <= event_ns:
                self._pass_edge(self._edge_ns)
            else:
                self._happen(*heapq.heappop(events))
        self.ledger.advance(now_ns)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "ledger": self.ledger.snapshot(),
            "events": [list(event) for event in sorted(self._events)],
            "edge_ns": self._edge_ns,
            "lit": self._lit,
            "base": self._base,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.ledger.restore(state["ledger"])
        self._events = [(when, what, lamp, detail) for when, what, lamp, detail in state["events"]]
        self._edge_ns, self._lit, self._base = state["edge_ns"], state["lit"], state["base"]

    def _pass_edge(self, t_ns: int) -> None:
        utc_ns = t_ns + self.ledger.origin_utc_ns
        was_lit, self._lit = self._lit, self.ledger.lit_hours.lit_at(utc_ns)
        self._base = 0 if not self._lit or self._stand_by.at(utc_ns) else self._lit_level
        next_utc_ns = min(self.ledger.lit_hours.next_edge_ns(utc_ns), self._stand_by.next_edge_ns(utc_ns))
        self._edge_ns = FOREVER_NS if next_utc_ns >= FOREVER_NS else next_utc_ns - self.ledger.origin_utc_ns
        for lamp in range(self._count):
            if self._lit != was_lit or not self._is_called(lamp):
                self._go(lamp, t_ns, self._base, 0)

    def _go(self, lamp: int, t_ns: int, level: int, duration_ns: int) -> None:
        output = self.ledger.lamps[lamp]
        now_level = output.level_at(t_ns)
        if now_level != level or output.to_level != level:
            self.ledger.lamp_output(lamp, t_ns, now_level, level, duration_ns)

    def _is_called(self, lamp: int) -> bool:
        return False

    def _happen(self, t_ns: int, what: int, lamp: int, detail: int) -> None:
        raise NotImplementedError


class Oracle(_Rule):
    """Full exactly while owed."""

    def __init__(self, ledger: LightLedger, stand_by: Hours, lit_level: int) -> None:
        super().__init__(ledger, stand_by, lit_level)
        self._owed = [0] * self._count  # riders each lamp is owed to now

    def expect(self, walk: Walk) -> None:
        """Somebody in lit hours is about to start a ride."""
        super().expect(walk)
        for owed in walk.owed:
            to_ns = self.ledger.lit_until_ns(owed.from_ns, owed.to_ns)
            if to_ns > owed.from_ns:
                heapq.heappush(self._events, (owed.from_ns, 0, owed.lamp, 1))
                heapq.heappush(self._events, (to_ns, 1, owed.lamp, -1))

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return super().snapshot() | {"owed": list(self._owed)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        self._owed = list(state["owed"])

    def _is_called(self, lamp: int) -> bool:
        return self._owed[lamp] > 0

    def _happen(self, t_ns: int, what: int, lamp: int, detail: int) -> None:
        self._owed[lamp] += detail
        self._go(lamp, t_ns, FULL_LEVEL if self._owed[lamp] else self._base, 0)


class Present(_Rule):
    """What is installed today."""

    def __init__(self, ledger: LightLedger, stand_by: Hours, lit_level: int) -> None:
        super().__init__(ledger, stand_by, lit_level)
        self._until_ns = [0] * self._count  # how long each lamp is held at full

    def expect(self, walk: Walk) -> None:
        """Somebody in lit hours is about to start a ride."""
        super().expect(walk)
        for t_ns, lamp, way in walk.sensed:
            heapq.heappush(self._events, (t_ns, 0, lamp, way))

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return super().snapshot() | {"until_ns": list(self._until_ns)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        self._until_ns = list(state["until_ns"])

    def _is_called(self, lamp: int) -> bool:
        return self._until_ns[lamp] > 0

    def _happen(self, t_ns: int, what: int, lamp: int, detail: int) -> None:
        if what:
            self._let_go(t_ns, lamp)
        elif self._lit:  # sensors are off by day
            first, last = sorted((lamp - detail, lamp + 2 * detail))
            for called in range(max(first, 0), min(last, self._count - 1) + 1):
                self._call(t_ns, called)

    def _call(self, t_ns: int, lamp: int) -> None:
        """Up within 3 s if it is not on its way already, and full for 53 s from there or from now."""
        if not self._until_ns[lamp]:
            self._go(lamp, t_ns, FULL_LEVEL, FADE_NS)
            heapq.heappush(self._events, (t_ns + HOLD_NS, 1, lamp, 0))
        self._until_ns[lamp] = max(self.ledger.lamps[lamp].full_from_ns, t_ns) + HOLD_NS

    def _let_go(self, t_ns: int, lamp: int) -> None:
        until_ns = self._until_ns[lamp]
        if until_ns > t_ns:
            heapq.heappush(self._events, (until_ns, 1, lamp, 0))
        elif until_ns:
            self._until_ns[lamp] = 0
            self._go(lamp, t_ns, self._base, FADE_NS)


class RuleBook:
    """All rules at once. Feed it like a `LightLedger`; it makes the lamps' events itself.

    Args:
        path: lamps, radar views, and what is owed.
        lit_hours: the calendar.
        timezone: of the stand-by hours, e.g. "Europe/Berlin".
        origin_utc_ns: the UTC time that is 0 on the riders' clock.
        power_mw: power of one lamp at full output.
        start_ns: when the count begins.
        base_level: the 10 % of the rules, and the level above which lamp seconds are counted.
    """

    def __init__(
        self,
        path: LightPath,
        lit_hours: LitHours,
        timezone: str,
        *,
        origin_utc_ns: int = 0,
        power_mw: int = 20_000,
        start_ns: int = 0,
        base_level: int = BASE_LEVEL,
    ) -> None:
        def ledger() -> LightLedger:
            return LightLedger(
                path,
                lit_hours,
                origin_utc_ns=origin_utc_ns,
                power_mw=power_mw,
                start_ns=start_ns,
                base_level=base_level,
                zone=local_zone(timezone),
            )

        self.path = path
        self.rules: dict[str, _Rule] = {
            "always_on": _Rule(ledger(), Never(), FULL_LEVEL),
            "present": Present(ledger(), stand_by_hours(timezone), base_level),
            "present_no_standby": Present(ledger(), Never(), base_level),
            "oracle": Oracle(ledger(), Never(), base_level),
        }

    def rider(self, rider: Rider) -> None:
        """Somebody is about to start a ride."""
        if self.rules["oracle"].ledger.passes_in_lit_hours(rider.start_ns, rider.end_ns):
            self.expect(self.path.walk(rider))

    def expect(self, walk: Walk) -> None:
        """The same for a ride in lit hours already walked through."""
        for rule in self.rules.values():
            rule.expect(walk)

    def advance(self, now_ns: int) -> None:
        """Every ride starting up to `now_ns` has been told."""
        for rule in self.rules.values():
            rule.advance(now_ns)

    def finish(self, t_ns: int) -> None:
        """The run ends; who is still under way is left out."""
        for rule in self.rules.values():
            rule.advance(t_ns)
            rule.ledger.finish(t_ns)

    def figures(self) -> dict[str, Figures]:
        """The figures of each rule, by its name."""
        return {name: rule.ledger.figures() for name, rule in self.rules.items()}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {name: rule.snapshot() for name, rule in self.rules.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        for name, rule in self.rules.items():
            rule.restore(state[name])
