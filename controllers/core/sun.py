"""Sunrise and sunset of a local date, at any latitude.

The sun is the astral package's (upper limb on a flat horizon, NOAA equations), rounded to whole seconds so that the
last bits of sine and cosine cannot matter. Near the poles there are days without one or the other: then the sun that
does not rise is said to rise and set at noon (all night), the sun that does not set to rise at midnight and set at the
next (all day). So a rule from sunset to sunrise needs no case of its own, and nothing is raised. Where astral finds no
event though there is one (first and last days of a polar night, dates close to a white night), it is looked for.
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


def _sun_s(day: date, event: SunEvent, lat_deg: float, lon_deg: float, zone: ZoneInfo) -> int:
    """Sunrise or sunset of a local date, UTC second, rounded; sunrise before the sun's noon, sunset after it.

    Example: Münster, 19 February 2024, sunset at 17:49:33.
    """
    import astral.sun  # 20 ms to import: only where the sun is asked for

    observer = astral.Observer(lat_deg, lon_deg)
    midnight_s = local_s(day, time(0), zone)
    next_midnight_s = local_s(day + timedelta(days=1), time(0), zone)
    noon_s = int(datetime.combine(day, time(12), UTC).timestamp() - lon_deg * _S_PER_DEG)
    # that of this date, in a zone that has the date of the other side of the date line as well
    noon_s = midnight_s + (noon_s - midnight_s) % _DAY_S
    first_s, last_s = (midnight_s, noon_s) if event == "sunrise" else (noon_s, next_midnight_s)
    try:
        moment: datetime = getattr(astral.sun, event)(observer, date=day, tzinfo=zone)
    except ValueError:
        pass
    else:
        found_s = round(moment.timestamp())
        if first_s <= found_s <= last_s:
            return found_s
    return _crossing_s(observer, noon_s, first_s if event == "sunrise" else last_s)


sun_s = lru_cache(maxsize=64)(_sun_s)


def _crossing_s(observer: Observer, noon_s: int, end_s: int) -> int:
    """The last second with the sun up, on the way from its noon to an end of the day; for events astral does not find.

    The noon itself where it is not up then, the end where it is up all the way.
    """
    from astral.sun import elevation

    def is_up(at_s: int) -> bool:
        return elevation(observer, datetime.fromtimestamp(at_s, UTC), with_refraction=False) > _HORIZON_DEG

    if not is_up(noon_s):
        return noon_s
    if is_up(end_s):
        return end_s
    up_s, down_s = noon_s, end_s
    while abs(down_s - up_s) > 1:
        between_s = (up_s + down_s) // 2
        if is_up(between_s):
            up_s = between_s
        else:
            down_s = between_s
    return up_s
