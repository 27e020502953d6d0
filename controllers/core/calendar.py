"""When the path is lit, and how: the calendar's rules (calendar_rules.py), events, the sun, and the local clock.

Calendars that come with Leeze are TOML files in controllers/calendars (Münster, council of 2026-02-11, which kept the
sections different on purpose):

- ``other-sections``: October to March from sunset to sunrise; April to September only from 05:30 to sunrise (nothing
  where the sun is up by 05:30).
- ``rieselfelder`` (Königsberger Straße to Gittruper Straße): December to February from sunset to sunrise, else never.
- ``present-stand-by``: as other-sections, with the present installation's stand-by (base 0 %) from 23:00 to 04:30.
- ``always``: never off. For benches and tunnels.

A moment is judged by its own local date. So in the night to 1 April the light goes off at midnight and comes back at
05:30, and in the night to 1 October it comes on at midnight. (The other reading, that a night belongs to the evening
it began, differs only in those two nights of the year.) All times are UTC nanoseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

from controllers.core.calendar_rules import (
    OFF,
    CalendarEvent,
    CalendarRules,
    Hours,
    Place,
    check_rules,
    day_spans,
    shipped_calendar,
)
from controllers.core.sun import local_s, local_zone, sun_s
from drivers.errors import InputError
from drivers.units import FOREVER_NS, NS_PER_S

__all__ = ["CalendarEvent", "DailySpans", "Hours", "LightCalendar", "Spans", "local_s", "local_zone", "sun_s"]

CalendarKind = str | CalendarRules
"""The name of a shipped calendar, or rules of the site's own."""

_SEARCH_DAYS = 400

T = TypeVar("T")


class Spans(Generic[T]):
    """Something that changes by local date and time of day; answers within one span cost a comparison.

    Args:
        day: for a local date, from which UTC second on it has which value; the first entry is the date's midnight.
        zone: the local time zone.
    """

    def __init__(self, day: Callable[[date], list[tuple[int, T]]], zone: ZoneInfo) -> None:
        self._day, self._zone = day, zone
        self._from_ns, self._to_ns = 0, 0
        self._value: T

    def at(self, utc_ns: int) -> T:
        """What it is at `utc_ns`."""
        if not self._from_ns <= utc_ns < self._to_ns:
            self._find_span(utc_ns)
        return self._value

    def next_edge_ns(self, utc_ns: int) -> int:
        """The first moment after `utc_ns` at which the answer changes; FOREVER_NS if it does not in 400 days."""
        if not self._from_ns <= utc_ns < self._to_ns:
            self._find_span(utc_ns)
        return self._to_ns

    def _find_span(self, utc_ns: int) -> None:
        """Look from the date of `utc_ns` on, a day at a time, for the span around it."""
        day = datetime.fromtimestamp(utc_ns // NS_PER_S, self._zone).date()
        entries = self._day(day)
        start_s, value = entries[0]
        for from_s, becomes in entries:
            if from_s * NS_PER_S <= utc_ns:
                start_s, value = from_s, becomes
        self._from_ns, self._to_ns, self._value = start_s * NS_PER_S, FOREVER_NS, value
        for _ in range(_SEARCH_DAYS + 1):
            for from_s, becomes in self._day(day):
                if becomes != value and from_s * NS_PER_S > utc_ns:
                    self._to_ns = from_s * NS_PER_S
                    return
            day += timedelta(days=1)


DailySpans = Spans[bool]
"""Something that is so or not so by local date and time of day."""


class LightCalendar:
    """What light there is at any moment.

    Args:
        kind: the name of a shipped calendar, or rules.
        lat_deg: latitude, -90 to 90, e.g. 51.97. Where the sun does not rise it is night, where it does not set day.
        lon_deg: longitude, positive to the east, e.g. 7.64.
        timezone: IANA name, e.g. "Europe/Berlin".
        events: go before the rules.

    Raises InputError: unknown calendar or time zone, no such place, gaps or overlaps.
    """

    def __init__(
        self, kind: CalendarKind, lat_deg: float, lon_deg: float, timezone: str, events: Sequence[CalendarEvent] = ()
    ) -> None:
        self.rules = shipped_calendar(kind) if isinstance(kind, str) else kind
        if not (-90 <= lat_deg <= 90 and -180 <= lon_deg <= 180):
            raise InputError(f"calendar position {lat_deg}, {lon_deg}: latitude is -90 to 90, longitude -180 to 180")
        self.kind, self.lat_deg, self.lon_deg, self.zone = self.rules.name, lat_deg, lon_deg, local_zone(timezone)
        self.place = Place(lat_deg, lon_deg, self.zone)
        if not isinstance(kind, str):
            check_rules(kind, self.place)
        self._events = _in_order(events, self.zone)
        self._hours = Spans(self._day, self.zone)
        self._lit = Spans(self._lit_day, self.zone)
        self._sun = Spans(self._sun_day, self.zone)

    def hours_at(self, utc_ns: int) -> Hours:
        """Off, lit or full, and with which levels. Example: 2024-02-19 20:00 in Münster is lit."""
        return self._hours.at(utc_ns)

    def next_change_ns(self, utc_ns: int) -> int:
        """The first moment after `utc_ns` at which `hours_at` changes; FOREVER_NS if it does not in 400 days."""
        return self._hours.next_edge_ns(utc_ns)

    def lit_at(self, utc_ns: int) -> bool:
        """True in lit hours, whatever the levels."""
        return self._lit.at(utc_ns)

    def next_edge_ns(self, utc_ns: int) -> int:
        """The first moment after `utc_ns` at which lit becomes dark or dark lit; FOREVER_NS if none in 400 days."""
        return self._lit.next_edge_ns(utc_ns)

    def zone_offset_s(self, utc_ns: int) -> int:
        """How far local time is ahead of UTC then, e.g. 3600."""
        offset = datetime.fromtimestamp(utc_ns // NS_PER_S, self.zone).utcoffset() or timedelta(0)
        return int(offset.total_seconds())

    def sun_up_at(self, utc_ns: int) -> bool:
        """Whether the sun is above the horizon."""
        return self._sun.at(utc_ns)

    def _day(self, day: date) -> list[tuple[int, Hours]]:
        midnight_s, next_s = (local_s(on, time(0), self.zone) for on in (day, day + timedelta(days=1)))
        found: list[tuple[int, Hours]] = [(midnight_s, OFF)]
        for from_s, to_s, number in day_spans(self.rules.rules, day, self.place):
            if found[-1][0] == from_s:
                found.pop()
            found += [(from_s, self.rules.rules[number].hours()), (to_s, OFF)]
        for from_s, to_s, hours in self._events:
            if from_s < next_s and midnight_s < to_s:
                found = _laid_over(found, max(from_s, midnight_s), min(to_s, next_s), hours)
        return [entry for entry in found if entry[0] < next_s]  # what the next date begins with, it says itself

    def _lit_day(self, day: date) -> list[tuple[int, bool]]:
        return [(from_s, hours.light != "off") for from_s, hours in self._day(day)]

    def _sun_day(self, day: date) -> list[tuple[int, bool]]:
        midnight_s = local_s(day, time(0), self.zone)
        return [(midnight_s, False), (self.place.sun_s(day, "sunrise"), True), (self.place.sun_s(day, "sunset"), False)]


def _in_order(events: Sequence[CalendarEvent], zone: ZoneInfo) -> list[tuple[int, int, Hours]]:
    """Raises InputError where two overlap."""
    found = sorted((*event.span_s(zone), n) for n, event in enumerate(events))
    for (_, to_s, first), (from_s, _, second) in pairwise(found):
        if from_s < to_s:
            a, b = events[first], events[second]
            raise InputError(
                f"events from {a.from_} to {a.to} and from {b.from_} to {b.to} overlap; end one where the other begins"
            )
    return [(from_s, to_s, Hours(events[n].light)) for from_s, to_s, n in found]


def _laid_over(day: list[tuple[int, Hours]], from_s: int, to_s: int, hours: Hours) -> list[tuple[int, Hours]]:
    """The day's entries with `hours` from `from_s` to `to_s`."""
    after = OFF
    for start_s, value in day:
        if start_s <= to_s:
            after = value
    before = [entry for entry in day if entry[0] < from_s]
    return [*before, (from_s, hours), (to_s, after), *[entry for entry in day if entry[0] > to_s]]
