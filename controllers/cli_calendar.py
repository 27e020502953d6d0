"""``leeze-controllers calendar``: when a path is lit, day by day, for whoever has to decide or to check it."""

from __future__ import annotations

import argparse
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from controllers.cli_service import AddVerb
from drivers.errors import InputError
from drivers.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controllers.core.calendar import LightCalendar

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
        for line in lines(site.calendar(), said.first, said.days):
            print(line)
    except OverflowError:
        raise InputError(f"--from {said.first} --days {said.days}: beyond the calendar of this program") from None
    return 0


def lines(calendar: LightCalendar, first: date, days: int) -> Iterator[str]:
    """The light at the beginning and at every change, and how long it is lit in all.

    Example: ``2026-10-01 19:05:12  lit``.
    """
    from_s, to_s = (
        int(datetime.combine(day, time(0), calendar.zone).timestamp()) for day in (first, first + timedelta(days=days))
    )
    at_ns, to_ns, lit_ns = from_s * NS_PER_S, to_s * NS_PER_S, 0
    while at_ns < to_ns:
        hours = calendar.hours_at(at_ns)
        levels = ((" base", hours.base_pct), (" full", hours.full_pct))
        words = "".join(f"{name} {pct:g} %" for name, pct in levels if pct is not None)
        yield f"{datetime.fromtimestamp(at_ns // NS_PER_S, calendar.zone):%Y-%m-%d %H:%M:%S}  {hours.light}{words}"
        next_ns = min(calendar.next_change_ns(at_ns), to_ns)
        lit_ns += next_ns - at_ns if hours.light != "off" else 0
        at_ns = next_ns
    yield f"{days} days, lit for {lit_ns / NS_PER_S / 3600:.1f} h by {calendar.kind}"
