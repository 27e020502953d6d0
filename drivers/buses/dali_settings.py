"""What DALI gear keeps in its memory: levels after faults, limits, fade time, groups; read, compared, written.

It is written at commissioning and only read in operation: each write wears the gear's memory, and what differs from the
board file is for somebody to see, not to be mended in silence.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from drivers.buses.dali_procedures import Procedure
from drivers.codecs import dali
from drivers.codecs.dali import FULL, Command

KEEP: Final = -1
"""In place of a wanted value: leave it as it is."""

LED_MODULE: Final = 6
LOG: Final = 0
"""Dimming curve of LED gear, device type 6: 0 logarithmic, 1 linear (IEC 62386-207)."""

_FIELDS: Final = {
    "failure_level": (dali.QUERY_SYSTEM_FAILURE_LEVEL, 0, dali.SET_SYSTEM_FAILURE_LEVEL),
    "fade_code": (dali.QUERY_FADE_TIME_FADE_RATE, 4, dali.SET_FADE_TIME),
    "power_on_level": (dali.QUERY_POWER_ON_LEVEL, 0, dali.SET_POWER_ON_LEVEL),
    "max_level": (dali.QUERY_MAX_LEVEL, 0, dali.SET_MAX_LEVEL),
    "min_level": (dali.QUERY_MIN_LEVEL, 0, dali.SET_MIN_LEVEL),
}


class GearSettings(msgspec.Struct, frozen=True):
    """What a gear shall keep; all levels are arc power levels 0 to 254, `groups` 16 bits, `fade_code` 0 to 15.

    `failure_level` when bus power is lost, `power_on_level` when its own supply comes back, `min_level` and `max_level`
    its limits. Example: ``GearSettings(fade_code=2, groups=0b101)`` fades for a second and is in groups 0 and 2.
    """

    failure_level: int = FULL
    fade_code: int = 0
    power_on_level: int = FULL
    max_level: int = FULL
    min_level: int = 1
    groups: int = 0

    def differences(self, found: dict[str, Any]) -> list[tuple[str, int, int]]:
        """(what, found, wanted) of all that differs from what `read_settings` has found.

        A gear cannot go below its physical minimum, so its least level may be that.
        """
        wanted = msgspec.structs.asdict(self)
        wanted["min_level"] = max(self.min_level, found.get("physical_minimum", 0))
        differing = [(name, found[name], value) for name, value in wanted.items() if found[name] != value]
        if found.get("curve", LOG) not in (LOG, None):
            differing.append(("curve", found["curve"], LOG))
        return differing


def read_settings(short_address: int) -> Procedure:
    """Everything that `GearSettings` names, and what else matters, of one gear; None when it does not answer.

    ``{"failure_level": 254, "fade_code": 2, "power_on_level": 254, "max_level": 254, "min_level": 85, "groups": 5,
    "physical_minimum": 85, "curve": 0}``; `curve` is None for gear that is no LED module. Ten frames.
    """
    target = dali.short(short_address)
    found: dict[str, Any] = {}
    for name, (query, shift, _) in _FIELDS.items():
        answer = yield dali.command(target, query)
        if answer is None:
            return None
        found[name] = answer >> shift
    groups = yield from _groups(target)
    minimum = yield dali.command(target, dali.QUERY_PHYSICAL_MINIMUM)
    if groups is None or minimum is None:
        return None
    curve = yield from _curve(target)
    return {**found, "groups": groups, "physical_minimum": minimum, "curve": curve}


def _groups(target: int) -> Any:
    """Groups of a gear, 16 bits; None when it does not answer."""
    low = yield dali.command(target, dali.QUERY_GROUPS_ZERO_TO_SEVEN)
    high = yield dali.command(target, dali.QUERY_GROUPS_EIGHT_TO_FIFTEEN)
    return None if low is None or high is None else high << 8 | low


def configure_gear(
    short_address: int,
    failure_level: int,
    fade_code: int,
    power_on_level: int = KEEP,
    max_level: int = KEEP,
    min_level: int = KEEP,
    groups: int = KEEP,
) -> Procedure:
    """Write what differs into one gear, and read it back; the arguments are those of `GearSettings`, in its order.

    Returns what the gear says in the end and how many settings were written, e.g.
    ``{"failure_level": 254, "fade_code": 4, "written": 1}``; None when the gear does not answer. What is KEEP is
    neither asked nor told. With all six given, LED gear is set to the logarithmic curve as well ("curve").
    """
    target = dali.short(short_address)
    values = (failure_level, fade_code, power_on_level, max_level, min_level)
    wanted = {name: value for name, value in zip(_FIELDS, values, strict=True) if value != KEEP}
    found: dict[str, Any] = {}
    written = 0
    for name, value in wanted.items():
        query, shift, setting = _FIELDS[name]
        answer = yield dali.command(target, query)
        if answer is None:
            return None
        if answer >> shift != value:
            yield dali.special(dali.DTR0, value, holds_bus=True)
            yield dali.command(target, setting)
            written += 1
            answer = yield dali.command(target, query)
            if answer is None:
                return None
        found[name] = answer >> shift
    if groups != KEEP:
        there = yield from _groups(target)
        if there is None:
            return None
        for number in range(16):
            if (there ^ groups) >> number & 1:
                yield dali.command(
                    target, dali.ADD_TO_GROUP if groups >> number & 1 else dali.REMOVE_FROM_GROUP, number
                )
                written += 1
        found["groups"] = there if there == groups else (yield from _groups(target))
    if KEEP not in (*values, groups):
        curve = yield from _curve(target)
        if curve not in (None, LOG):
            yield dali.special(dali.DTR0, LOG, holds_bus=True)
            yield dali.special(dali.ENABLE_DEVICE_TYPE, LED_MODULE, holds_bus=True)
            yield Command((target | 1) << 8 | dali.SELECT_DIMMING_CURVE, twice=True)
            written += 1
            curve = yield from _curve(target)
        found["curve"] = curve
        found["physical_minimum"] = (yield dali.command(target, dali.QUERY_PHYSICAL_MINIMUM)) or 0
    return {**found, "written": written}


def _curve(target: int) -> Any:
    yield dali.special(dali.ENABLE_DEVICE_TYPE, LED_MODULE, holds_bus=True)
    return (yield Command((target | 1) << 8 | dali.QUERY_DIMMING_CURVE, answers=True))
