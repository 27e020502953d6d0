"""When the path is lit: the council's calendar by section, the sun, and the local clock.

Kinds (Münster, council of 2026-02-11, which kept them different on purpose):

- ``other-sections``: October to March from sunset to sunrise; April to September only from 05:30 to sunrise (nothing
  where the sun is up by 05:30).
- ``rieselfelder`` (Königsberger Straße to Gittruper Straße): December to February from sunset to sunrise, else never.
- ``always``: never off. For benches and tunnels.

A moment is judged by its own local date. So in the night to 1 April the light goes off at midnight and comes back at
05:30, and in the night to 1 October it comes on at midnight: a rule for April is a rule for every hour of April. (The
other reading, that a night belongs to the evening it began, differs only in those two nights of the year.)

The sun is the astral package's (upper limb on a flat horizon, NOAA equations), rounded to whole seconds so that the
last bits of sine and cosine cannot matter. All times are UTC nanoseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from drivers.errors import InputError
from drivers.units import FOREVER_NS, NS_PER_S

CalendarKind = Literal["other-sections", "rieselfelder", "always"]

_MORNING = time(5, 30)
_SEARCH_DAYS = 400
_WINTER_MONTHS = {"other-sections": (10, 11, 12, 1, 2, 3), "rieselfelder": (12, 1, 2)}


class DailySpans:
    """Something that is so or not so by local date and time of day; answers within one span cost a comparison.

    Args:
        day: for a local date, from which UTC second on it holds (True) or not; the first entry is the date's midnight.
        zone: the local time zone.
    """

    def __init__(self, day: Callable[[date], list[tuple[int, bool]]], zone: ZoneInfo) -> None:
        self._day, self._zone = day, zone
        self._from_ns, self._to_ns, self._holds = 0, 0, False

    def at(self, utc_ns: int) -> bool:
        """Whether it holds at `utc_ns`."""
        if not self._from_ns <= utc_ns < self._to_ns:
            self._find_span(utc_ns)
        return self._holds

    def next_edge_ns(self, utc_ns: int) -> int:
        """The first moment after `utc_ns` at which the answer changes; FOREVER_NS if it does not in 400 days."""
        if not self._from_ns <= utc_ns < self._to_ns:
            self._find_span(utc_ns)
        return self._to_ns

    def _find_span(self, utc_ns: int) -> None:
        """Look from the date of `utc_ns` on, a day at a time, for the span around it."""
        day = datetime.fromtimestamp(utc_ns // NS_PER_S, self._zone).date()
        start_s, holds = 0, False
        for from_s, becomes in self._day(day):
            if from_s * NS_PER_S <= utc_ns:
                start_s, holds = from_s, becomes
        self._from_ns, self._to_ns, self._holds = start_s * NS_PER_S, FOREVER_NS, holds
        for _ in range(_SEARCH_DAYS + 1):
            for from_s, becomes in self._day(day):
                if becomes != holds and from_s * NS_PER_S > utc_ns:
                    self._to_ns = from_s * NS_PER_S
                    return
            day += timedelta(days=1)


class LightCalendar:
    """Lit or not, at any moment.

    Args:
        kind: see above.
        lat_deg: latitude, -65 to 65 (the sun must rise and set every day), e.g. 51.97.
        lon_deg: longitude, positive to the east, e.g. 7.64.
        timezone: IANA name, e.g. "Europe/Berlin".

    Raises InputError: unknown kind or time zone, a place too near a pole.
    """

    def __init__(self, kind: CalendarKind, lat_deg: float, lon_deg: float, timezone: str) -> None:
        if kind != "always" and kind not in _WINTER_MONTHS:
            raise InputError(f"calendar kind `{kind}` is not known; known: other-sections, rieselfelder, always")
        if not (-65 <= lat_deg <= 65 and -180 <= lon_deg <= 180):
            raise InputError(f"calendar position {lat_deg}, {lon_deg}: latitude is -65 to 65, longitude -180 to 180")
        self.kind, self.lat_deg, self.lon_deg, self.zone = kind, lat_deg, lon_deg, local_zone(timezone)
        self._spans = DailySpans(self._day, self.zone)

    def lit_at(self, utc_ns: int) -> bool:
        """True in lit hours. Example: 2024-02-19 20:00 in Münster is lit."""
        return self.kind == "always" or self._spans.at(utc_ns)

    def next_edge_ns(self, utc_ns: int) -> int:
        """The first moment after `utc_ns` at which lit becomes dark or dark lit; FOREVER_NS if none in 400 days."""
        return FOREVER_NS if self.kind == "always" else self._spans.next_edge_ns(utc_ns)

    def _sun_s(self, day: date, event: Literal["sunrise", "sunset"]) -> int:
        return sun_s(day, event, self.lat_deg, self.lon_deg, self.zone)

    def _day(self, day: date) -> list[tuple[int, bool]]:
        midnight_s = local_s(day, time(0), self.zone)
        if day.month in _WINTER_MONTHS[self.kind]:
            return [(midnight_s, True), (self._sun_s(day, "sunrise"), False), (self._sun_s(day, "sunset"), True)]
        if self.kind == "rieselfelder":
            return [(midnight_s, False)]
        morning_s, sunrise_s = local_s(day, _MORNING, self.zone), self._sun_s(day, "sunrise")
        if sunrise_s <= morning_s:
            return [(midnight_s, False)]
        return [(midnight_s, False), (morning_s, True), (sunrise_s, False)]


def sun_s(day: date, event: Literal["sunrise", "sunset"], lat_deg: float, lon_deg: float, zone: ZoneInfo) -> int:
    """Sunrise or sunset of a local date, UTC second, rounded."""
    import astral.sun  # 20 ms to import: only where the sun is asked for

    observer = astral.Observer(lat_deg, lon_deg)
    moment: datetime = getattr(astral.sun, event)(observer, date=day, tzinfo=zone)
    return int((moment + timedelta(microseconds=500_000)).timestamp())


def local_zone(timezone: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises InputError."""
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(f"time zone `{timezone}` is not known; use an IANA name, e.g. Europe/Berlin") from None


def local_s(day: date, at: time, zone: ZoneInfo) -> int:
    """UTC second of a local date and time of day; of an hour that comes twice, the first."""
    return int(datetime.combine(day, at, zone).timestamp())
