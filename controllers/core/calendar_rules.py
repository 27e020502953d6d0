"""A light calendar as data: rules by month, weekday and hour, and events with an end.

::

    [[rules]]
    months = [10, 11, 12, 1, 2, 3]       # left out: all
    weekdays = ["fri", "sat"]            # left out: all; the day on which the span begins
    from = "sunset"                      # or "sunrise", or "05:30"; with an offset: "sunset-00:15"
    to = "sunrise"                       # of the next day where it begins after noon and ends before noon
    light = "lit"                        # as riders need it (default); "full": always full; "off"
    base_pct = 0                         # where other than the site's; 0 is stand-by: dark until somebody comes
    full_pct = 50

What no rule of a month names is off; a month or weekday that no rule names at all is a gap, and an error: say
``light = "off"`` where that is meant. Two rules that hold at once are an error, too.

A moment is judged by its own local date: a rule for April is a rule for every hour of April, so a span that began on
31 March ends at midnight unless another rule goes on from there. A span that comes out empty (from 05:30 to a sunrise
that was earlier) is left out.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from controllers.core.sun import SunEvent, local_s, sun_s
from drivers.errors import InputError
from drivers.settings import load_toml

Light = Literal["off", "lit", "full"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Month = Annotated[int, msgspec.Meta(ge=1, le=12)]
Moment = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(sunset|sunrise|([01]\d|2[0-3]):[0-5]\d|24:00)([+-]0[0-3]:[0-5]\d)?$",
        description='sunset, sunrise or a time like 05:30, and up to 3:59 h before or after, e.g. "sunset-00:15"',
    ),
]
"""A moment of a day, e.g. ``"sunset"``, ``"05:30"``, ``"sunrise-00:15"``."""

DateAndTime = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^\d{4}-\d\d-\d\d \d\d:\d\d$",
        description='a local date and time in quotes, e.g. "2026-12-31 18:00"',
    ),
]

_MOMENT: Final = re.compile(r"(sunset|sunrise|(\d\d):(\d\d))(?:([+-])(\d\d):(\d\d))?")
_NOON_H: Final = 12


class Hours(NamedTuple):
    """What light there is: off, as riders need it, or full. Percentages None: as the site says."""

    light: Light
    base_pct: float | None = None
    full_pct: float | None = None


OFF: Final = Hours("off")


class Place(NamedTuple):
    """Where and by which clock: ``Place(51.97, 7.64, ZoneInfo("Europe/Berlin"))``."""

    lat_deg: float
    lon_deg: float
    zone: ZoneInfo

    def sun_s(self, day: date, event: SunEvent) -> int:
        """UTC second of the day's sunrise or sunset."""
        return sun_s(day, event, self.lat_deg, self.lon_deg, self.zone)


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One span a day, and the light in it. See above."""

    from_: Moment = msgspec.field(name="from")
    to: Moment
    months: tuple[Month, ...] = tuple(range(1, 13))
    weekdays: tuple[Weekday, ...] = WEEKDAYS
    light: Light = "lit"
    base_pct: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    full_pct: Annotated[float, msgspec.Meta(ge=0.1, le=100)] | None = None

    def hours(self) -> Hours:
        """The light in it."""
        return Hours(self.light, self.base_pct, self.full_pct)

    def span_s(self, day: date, place: Place) -> tuple[int, int] | None:
        """Of the span that begins on `day`: (from, to) in UTC seconds; None where it is empty."""
        from_s, from_evening = _moment_s(self.from_, day, place)
        to_s, to_evening = _moment_s(self.to, day, place)
        if from_evening and not to_evening:
            to_s, _ = _moment_s(self.to, day + timedelta(days=1), place)
        return (from_s, to_s) if from_s < to_s else None


class CalendarRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A calendar of a site, or one that comes with Leeze (controllers/calendars)."""

    name: str
    rules: tuple[Rule, ...]
    title: str = ""
    source: str = ""


class CalendarEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something else than the calendar says, with an end: a holiday, a feast, works. Local time.

    Example: ``from = "2026-12-31 18:00"``, ``to = "2027-01-01 03:00"``, ``light = "full"``.
    """

    from_: DateAndTime = msgspec.field(name="from")
    to: DateAndTime
    light: Light
    title: str = ""

    def span_s(self, zone: ZoneInfo) -> tuple[int, int]:
        """(from, to) in UTC seconds. Raises InputError: no such date, or an end that is none."""
        from_s, to_s = (_local_s(said, zone) for said in (self.from_, self.to))
        if from_s >= to_s:
            raise InputError(f"event from {self.from_} to {self.to}: ends before it begins; swap")
        return from_s, to_s


class CalendarFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A shipped calendar's file."""

    format: Literal[1]
    name: str
    title: str
    source: str
    rules: tuple[Rule, ...]


def shipped_calendars() -> dict[str, Path]:
    """Calendars that come with Leeze, by name."""
    folder = Path(str(files("controllers") / "calendars"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


@lru_cache(maxsize=16)
def shipped_calendar(name: str) -> CalendarRules:
    """The shipped calendar called `name`. Raises InputError with the names there are."""
    known = shipped_calendars()
    if name not in known:
        raise InputError(f"calendar `{name}` is not known; known: {', '.join(known)}; or bring rules of your own")
    said = load_toml(known[name], CalendarFile)
    return CalendarRules(said.name, said.rules, said.title, said.source)


@lru_cache(maxsize=32)
def check_rules(calendar: CalendarRules, place: Place) -> tuple[str, ...]:
    """Gaps and overlaps are errors; gives warnings: rules that never hold at this place. Looks at a year of days.

    Raises InputError naming the rules, counted from 0 as in the file.
    """
    at = f"calendar {calendar.name}"
    if not calendar.rules:
        raise InputError(f"{at}: has no rules; one is needed")
    for number, rule in enumerate(calendar.rules):
        if rule.base_pct is not None and rule.full_pct is not None and rule.full_pct < rule.base_pct:
            raise InputError(f"{at}: rules[{number}]: `full_pct` is below `base_pct`; swap")
    for month in range(1, 13):
        for weekday in WEEKDAYS:
            if not any(month in rule.months and weekday in rule.weekdays for rule in calendar.rules):
                raise InputError(
                    f"{at}: gap: no rule for month {month}, weekday {weekday}; "
                    'add one, with light = "off" if it is to be dark'
                )
    held: set[int] = set()
    day = date(2027, 1, 1)  # an ordinary year
    for _ in range(365):
        last_s, last = 0, -1
        for from_s, to_s, number in day_spans(calendar.rules, day, place):
            held.add(number)
            if from_s < last_s:
                first, second = sorted((last, number))
                raise InputError(
                    f"{at}: rules[{first}] and rules[{second}] overlap on {day}; end one where the other begins"
                )
            if to_s > last_s:
                last_s, last = to_s, number
        day += timedelta(days=1)
    return tuple(
        f"{at}: rules[{number}] (from {rule.from_} to {rule.to}) holds on no day of the year at this place"
        for number, rule in enumerate(calendar.rules)
        if number not in held
    )


def day_spans(rules: tuple[Rule, ...], day: date, place: Place) -> list[tuple[int, int, int]]:
    """What holds on a local date: (from, to, number of the rule) in UTC seconds, cut at both midnights, in order."""
    mine = [(number, rule) for number, rule in enumerate(rules) if day.month in rule.months]
    if not mine:
        return []
    before = day - timedelta(days=1)
    midnight_s, next_s = (local_s(on, time(0), place.zone) for on in (day, day + timedelta(days=1)))
    found = []
    for number, rule in mine:
        for began in (before, day):
            if WEEKDAYS[began.weekday()] not in rule.weekdays:
                continue
            span = rule.span_s(began, place)
            if span is not None:
                from_s, to_s = max(span[0], midnight_s), min(span[1], next_s)
                if from_s < to_s:
                    found.append((from_s, to_s, number))
    return sorted(found)


def _moment_s(said: str, day: date, place: Place) -> tuple[int, bool]:
    """UTC second, and whether it is one of the evening."""
    found = _MOMENT.fullmatch(said)
    assert found is not None, "the pattern of Moment"
    name, hour, minute, sign, offset_h, offset_min = found.groups()
    offset_s = 0 if sign is None else (int(offset_h) * 3600 + int(offset_min) * 60) * (1 if sign == "+" else -1)
    if name in ("sunset", "sunrise"):
        return place.sun_s(day, "sunset" if name == "sunset" else "sunrise") + offset_s, name == "sunset"
    if hour == "24":
        return local_s(day + timedelta(days=1), time(0), place.zone) + offset_s, True
    return local_s(day, time(int(hour), int(minute)), place.zone) + offset_s, int(hour) >= _NOON_H


def _local_s(said: str, zone: ZoneInfo) -> int:
    try:
        moment = datetime.strptime(said, "%Y-%m-%d %H:%M")
    except ValueError:
        raise InputError(f"event: {said} is no date and time of day; write e.g. 2026-12-31 18:00") from None
    return local_s(moment.date(), moment.time(), zone)
