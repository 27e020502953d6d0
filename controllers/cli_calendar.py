"""``leeze-controllers calendar``: when a path is lit, day by day, for whoever has to decide or to check it."""

from __future__ import annotations

import argparse
import json
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from controllers.cli_service import AddVerb
from drivers.errors import InputError
from drivers.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from controllers.core.calendar import Hours, LightCalendar

LONGEST_DAYS = 400


def add_calendar(verb: AddVerb) -> None:
    """The verb."""
    calendar = verb(
        "calendar",
        _calendar,
        "when a path is lit, and how: every change, in local time",
        "leeze-controllers calendar --site kanalpromenade-reference --from 2026-10-01 --days 7",
    )
    calendar.add_argument("--site", required=True, metavar="SITE", help="a shipped site or the path of a .toml file")
    calendar.add_argument("--from", dest="first", required=True, type=_date, metavar="DATE", help="first day, local")
    calendar.add_argument("--days", type=_days, default=7, metavar="N", help="how many (default: %(default)s)")
    calendar.add_argument("--json", action="store_true", help="one JSON object a change")


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date; write e.g. 2026-10-01") from None


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= LONGEST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days from 1 to {LONGEST_DAYS}")
    return int(text)


def _calendar(said: argparse.Namespace) -> int:
    from controllers.lighting.site import LightingSite
    from controllers.service.sites import load_site

    site = load_site(said.site)
    if not isinstance(site, LightingSite):
        raise InputError(f"{said.site}: a display has no calendar; name a lit path")
    try:
        calendar = site.calendar()
        titles = [(*event.span_s(calendar.zone), event.title) for event in site.light.events]
        for line in (json_lines if said.json else lines)(calendar, said.first, said.days, titles):
            print(line)
    except OverflowError:
        raise InputError(f"--from {said.first} --days {said.days}: beyond the calendar of this program") from None
    return 0


class Stretch(NamedTuple):
    """From when to when (UTC seconds) the light is the same, and the title of the event that makes it so, or ""."""

    from_s: int
    to_s: int
    hours: Hours
    title: str


def stretches(
    calendar: LightCalendar, first: date, days: int, titles: Iterable[tuple[int, int, str]] = ()
) -> Iterator[Stretch]:
    """The light at the beginning and at every change; `titles`: (from, to, title) of events in UTC seconds."""
    at_s, to_s = (
        int(datetime.combine(day, time(0), calendar.zone).timestamp()) for day in (first, first + timedelta(days=days))
    )
    events = list(titles)
    while at_s < to_s:
        next_s = min(calendar.next_change_ns(at_s * NS_PER_S) // NS_PER_S, to_s)
        title = next((title for from_s, until_s, title in events if from_s <= at_s < until_s), "")
        yield Stretch(at_s, next_s, calendar.hours_at(at_s * NS_PER_S), title)
        at_s = next_s


def lines(
    calendar: LightCalendar, first: date, days: int, titles: Iterable[tuple[int, int, str]] = ()
) -> Iterator[str]:
    """The light at the beginning and at every change, and how long it is lit in all.

    Example: ``2026-10-01 19:05:12  lit``.
    """
    lit_s = 0
    for from_s, to_s, hours, title in stretches(calendar, first, days, titles):
        levels = ((" base", hours.base_pct), (" full", hours.full_pct))
        words = "".join(f"{name} {pct:g} %" for name, pct in levels if pct is not None)
        words += f"  ({title})" if title else ""
        yield f"{datetime.fromtimestamp(from_s, calendar.zone):%Y-%m-%d %H:%M:%S}  {hours.light}{words}"
        lit_s += to_s - from_s if hours.light != "off" else 0
    yield f"{days} day{'s' if days > 1 else ''}, lit for {lit_s / 3600:.1f} h by {calendar.kind}"


def json_lines(
    calendar: LightCalendar, first: date, days: int, titles: Iterable[tuple[int, int, str]] = ()
) -> Iterator[str]:
    """The same, an object a line: ``{"from": "2026-12-31T18:00:00+01:00", "to": …, "light": "full", …}``."""
    for from_s, to_s, hours, title in stretches(calendar, first, days, titles):
        ends = {
            name: datetime.fromtimestamp(at_s, calendar.zone).isoformat()
            for name, at_s in (("from", from_s), ("to", to_s))
        }
        yield json.dumps({**ends, **hours._asdict(), "event": title}, ensure_ascii=False)
