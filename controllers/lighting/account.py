"""The account of a lit path: light by lamp and night, and the indicators that installations are compared by.

A **night** runs from local noon to local noon and is called by the date of its evening, e.g. "2024-02-19".

Indicators (EN 13201-5:2015; both are given together, with all that was assumed):

- D_P, power density: watts at full over (illuminance times area), W/(lx m2). How much light the installation makes of
  its power. Illuminance is *assumed* here, not measured.
- D_E, annual energy consumption (AECI): kWh a square metre and year. The energy of the hours that were counted,
  stretched to all lit hours of the calendar's year. So the mix of riders of these weeks is taken for the year's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import msgspec

from controllers.lighting.lamp_meter import NOTHING, LampMeter, Sums
from drivers.units import FOREVER_NS, NS_PER_S

HOUR_NS = 3600 * NS_PER_S
YEAR = 2025
"""Whose lit hours stand for a year: no leap year."""


class LitHours(Protocol):
    """When the path is lit, UTC; controllers.core.calendar.LightCalendar is one."""

    def lit_at(self, utc_ns: int) -> bool:
        """True in lit hours."""

    def next_edge_ns(self, utc_ns: int) -> int:
        """When that changes next."""


class Assumptions(msgspec.Struct, frozen=True):
    """What the indicators take for granted, because no site file and no recording says it.

    `width_m` of the path; `spacing_m` a lamp; `lux` on the path at full, 3 lx is class P5 of EN 13201-2 and what an
    expert named for cycle paths; `lumen_per_w` of a luminaire.
    """

    width_m: float = 4.0
    spacing_m: float = 32.0
    lux: float = 3.0
    lumen_per_w: float = 120.0

    def area_m2(self, lamps: int) -> float:
        """What so many lamps light: 12 lamps, 1536 m2."""
        return lamps * self.spacing_m * self.width_m

    def power_density(self, power_w: float) -> float:
        """D_P of a lamp at full, W/(lx m2): 20 W over 128 m2 and 3 lx give 0.0521."""
        return round(power_w / (self.lux * self.spacing_m * self.width_m), 4)

    def annual_kwh_m2(self, energy_wh: float, lamps: int, counted_h: float, year_h: float) -> float:
        """D_E, kWh a square metre and year, from the energy of `counted_h` lit hours; 0 where none were."""
        return round(energy_wh / 1000 / self.area_m2(lamps) * year_h / counted_h, 4) if counted_h else 0.0

    def lumen_hours(self, energy_wh: float) -> float:
        """Light that was made, lm h."""
        return round(energy_wh * self.lumen_per_w, 1)

    def text(self) -> str:
        """One sentence for people."""
        return (
            f"path {self.width_m:g} m wide, a lamp each {self.spacing_m:g} m, {self.lux:g} lx at full, "
            f"{self.lumen_per_w:g} lm a watt, all of them assumed; the year is the calendar's lit hours of {YEAR} "
            "with these riders"
        )


class Nights:
    """Which night a moment belongs to, on a clock whose 0 is `origin_utc_ns`."""

    def __init__(self, zone: ZoneInfo, origin_utc_ns: int = 0) -> None:
        self._zone, self._origin_ns = zone, origin_utc_ns

    def end_ns(self, t_ns: int) -> int:
        """The first local noon after `t_ns`."""
        day = datetime.fromtimestamp((t_ns + self._origin_ns) // NS_PER_S, self._zone).date()
        for later in (day, day + timedelta(days=1)):
            noon_ns = int(datetime.combine(later, time_of_day(12), self._zone).timestamp()) * NS_PER_S - self._origin_ns
            if noon_ns > t_ns:
                return noon_ns
        raise AssertionError("a day has a noon")

    def name(self, end_ns: int) -> str:
        """The date of the evening of the night that ends at `end_ns`."""
        noon = datetime.fromtimestamp((end_ns + self._origin_ns) // NS_PER_S, self._zone)
        return (noon.date() - timedelta(days=1)).isoformat()


class LightAccount:
    """Lamps' meters, read at the end of each night. Memory grows by a few numbers a lamp and night.

    Args:
        meters: one a lamp. Tell `before` of a lamp ahead of whatever the meter is told.
        nights: the nights, on the meters' clock.
    """

    def __init__(self, meters: Sequence[LampMeter], nights: Nights) -> None:
        self.meters, self._nights = meters, nights
        self._ends_ns = [nights.end_ns(meter.t0_ns) for meter in meters]
        self._read = [NOTHING] * len(meters)  # of each meter at the beginning of its running night
        self._closed: dict[str, dict[int, Sums]] = {}  # night, lamp

    def before(self, lamp: int, t_ns: int) -> None:
        """Something is about to happen to lamp number `lamp` at `t_ns`: end its nights that are over by then."""
        while t_ns >= (end_ns := self._ends_ns[lamp]):
            sums = self.meters[lamp].sums_at(end_ns)
            if sums != self._read[lamp]:
                self._closed.setdefault(self._nights.name(end_ns), {})[lamp] = sums.less(self._read[lamp])
            self._read[lamp] = sums
            self._ends_ns[lamp] = self._nights.end_ns(end_ns)

    def by_night(self, now_ns: int) -> dict[str, list[Sums]]:
        """Sums of each lamp for each night up to `now_ns`, in order of time."""
        found = {
            night: [lamps.get(lamp, NOTHING) for lamp in range(len(self.meters))]
            for night, lamps in self._closed.items()
        }
        for lamp, meter in enumerate(self.meters):
            self._running(found, lamp, meter.sums_at(max(now_ns, meter.t0_ns)), now_ns)
        return dict(sorted(found.items()))

    def _running(self, found: dict[str, list[Sums]], lamp: int, total: Sums, now_ns: int) -> None:
        """Add what came after a lamp's last closed night."""
        before, end_ns, meter = self._read[lamp], self._ends_ns[lamp], self.meters[lamp]
        while before != total:
            until = meter.sums_at(end_ns) if end_ns < now_ns else total
            if until != before:
                row = found.setdefault(self._nights.name(end_ns), [NOTHING] * len(self.meters))
                row[lamp] = until.less(before)
            before, end_ns = until, self._nights.end_ns(end_ns)

    def by_lamp(self, now_ns: int) -> list[Sums]:
        """Sums of each lamp from the beginning to `now_ns`."""
        return [meter.sums_at(max(now_ns, meter.t0_ns)) for meter in self.meters]

    def snapshot(self) -> dict[str, Any]:
        """What the meters do not hold, JSON-able."""
        return {
            "ends_ns": list(self._ends_ns),
            "read": [_saved(sums) for sums in self._read],
            "closed": [
                [night, lamp, _saved(sums)] for night, lamps in self._closed.items() for lamp, sums in lamps.items()
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over a snapshot."""
        self._ends_ns = list(state["ends_ns"])
        self._read = [_sums(saved) for saved in state["read"]]
        self._closed = {}
        for night, lamp, saved in state["closed"]:
            self._closed.setdefault(night, {})[lamp] = _sums(saved)


def _saved(sums: Sums) -> list[Any]:
    return [sums.light, list(sums.band_ns), sums.raised, sums.switched]


def _sums(saved: Sequence[Any]) -> Sums:
    light, bands, raised, switched = saved
    return Sums(light, tuple(bands), raised, switched)


def total(rows: Sequence[Sums]) -> Sums:
    """All of them together."""
    found = NOTHING
    for row in rows:
        found = found.plus(row)
    return found


def lit_spans(lit_hours: LitHours, from_utc_ns: int, to_utc_ns: int) -> Iterator[tuple[int, int]]:
    """The lit parts of a time, UTC."""
    at_ns = from_utc_ns
    while at_ns < to_utc_ns:
        until_ns = min(lit_hours.next_edge_ns(at_ns), to_utc_ns)
        if lit_hours.lit_at(at_ns):
            yield at_ns, until_ns
        at_ns = until_ns if until_ns < FOREVER_NS else to_utc_ns


def lit_ns(lit_hours: LitHours, from_utc_ns: int, to_utc_ns: int) -> int:
    """How much of a time is lit."""
    lit = 0
    for at_ns, until_ns in lit_spans(lit_hours, from_utc_ns, to_utc_ns):
        lit += until_ns - at_ns
    return lit


def year_lit_h(lit_hours: LitHours, zone: ZoneInfo) -> float:
    """Lit hours of the calendar in `YEAR`; "other-sections" in Münster: 2,734."""
    begin, end = (
        int(datetime.combine(date(year, 1, 1), time_of_day(0), zone).timestamp()) for year in (YEAR, YEAR + 1)
    )
    return lit_ns(lit_hours, begin * NS_PER_S, end * NS_PER_S) / HOUR_NS


def lit_nights(lit_hours: LitHours, nights: Nights, from_ns: int, to_ns: int, origin_utc_ns: int) -> dict[str, int]:
    """Each night of a time with lit hours, and how many ns of it were lit."""
    found: dict[str, int] = {}
    at_ns = from_ns
    while at_ns < to_ns:
        end_ns = nights.end_ns(at_ns)
        lit = lit_ns(lit_hours, at_ns + origin_utc_ns, min(end_ns, to_ns) + origin_utc_ns)
        if lit:
            found[nights.name(end_ns)] = lit
        at_ns = end_ns
    return found
