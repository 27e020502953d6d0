"""Sunrise and sunset of a local date, at any latitude.

The sun is the astral package's (upper limb on a flat horizon, NOAA equations), rounded to whole seconds so that the
last bits of sine and cosine cannot matter. Near the poles there are days without one or the other: then the sun that
does not rise is said to rise and set at noon (all night), the sun that does not set to rise at midnight and set at the
next (all day). So a rule from sunset to sunrise needs no case of its own, and nothing is raised.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from drivers.errors import InputError

if TYPE_CHECKING:
    from astral import Observer

SunEvent = Literal["sunrise", "sunset"]

_DAY_S: Final = 86_400
_S_PER_DEG: Final = 240
"""The sun's noon is four minutes later for each degree to the west."""

_HORIZON_DEG: Final = -0.833
"""Where its middle stands when its upper limb rises or sets, refraction included."""

_TWILIGHT_DEG: Final = -6.0


def local_zone(timezone: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises InputError."""
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(f"time zone `{timezone}` is not known; use an IANA name, e.g. Europe/Berlin") from None


def local_s(day: date, at: time, zone: ZoneInfo) -> int:
    """UTC second of a local date and time of day.

    Of an hour that comes twice, the first. A time that does not exist (02:30 in the night the clocks go forward) is the
    moment it would have been without the change: 03:30 summer time.
    """
    return int(datetime.combine(day, at, zone).timestamp())


@lru_cache(maxsize=64)
def sun_s(day: date, event: SunEvent, lat_deg: float, lon_deg: float, zone: ZoneInfo) -> int:
    """Sunrise or sunset of a local date, UTC second, rounded; sunrise before the sun's noon, sunset after it.

    Example: Münster, 19 February 2024, sunset at 17:49:33.
    """
    import astral.sun  # 20 ms to import: only where the sun is asked for

    observer = astral.Observer(lat_deg, lon_deg)
    midnight_s = local_s(day, time(0), zone)
    noon_s = int(datetime.combine(day, time(12)).replace(tzinfo=UTC).timestamp() - lon_deg * _S_PER_DEG)
    next_midnight_s = local_s(day + timedelta(days=1), time(0), zone)
    while noon_s < midnight_s:  # a zone with the date of the other side of the date line
        noon_s += _DAY_S
    while noon_s > next_midnight_s:
        noon_s -= _DAY_S
    first_s, last_s = (midnight_s, noon_s) if event == "sunrise" else (noon_s, next_midnight_s)
    aside = timedelta(days=1 if event == "sunset" else -1)
    for tried in (day, day + aside, day - aside):
        try:
            moment: datetime = getattr(astral.sun, event)(observer, date=tried, tzinfo=zone)
        except ValueError:
            break
        found_s = int((moment + timedelta(microseconds=500_000)).timestamp())
        if first_s <= found_s <= last_s:
            return found_s
    return (first_s if event == "sunrise" else last_s) if _never_sets(observer, noon_s, event) else noon_s


def _never_sets(observer: Observer, noon_s: int, event: SunEvent) -> bool:
    """Whether a day without that event is all light: the sun is up at its noon, and not far down at its midnight."""
    from astral.sun import elevation

    midnight_s = noon_s + (_DAY_S // 2 if event == "sunset" else -_DAY_S // 2)
    noon, midnight = (datetime.fromtimestamp(at_s, UTC) for at_s in (noon_s, midnight_s))
    return elevation(observer, noon) > _HORIZON_DEG and elevation(observer, midnight) > _TWILIGHT_DEG
