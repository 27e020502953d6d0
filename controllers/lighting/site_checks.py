"""What is odd about a site though it can run: each a line with place and mend. And what cannot be, as errors."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from controllers.core.calendar_rules import check_rules
from controllers.lighting.site import ControllerSite, LightingSite, RadarPost
from drivers.errors import InputError
from drivers.units import NS_PER_S

LONGEST_BLIND_M = 100.0
"""Between two views; somebody who walks needs more than a minute for it."""

QUICK_M_S = 30 / 3.6
"""Nine riders in ten are slower (the city's counters)."""

REACTION_S = 0.5
"""From the first report to the first byte of the lamp."""

FASTEST_FADE_S = 0.7
"""The shortest fade that gear of IEC 62386-102 knows."""

DAY_S = 86_400
"""East of the date line a place may have the date of the west: a day apart is not apart."""

WINTER_S, SUMMER_S = 1_767_225_600, 1_782_864_000
"""1 January and 1 July 2026."""


def check_places(site: LightingSite, origin: str) -> None:
    """Where things stand. Raises InputError: lamps out of order, sections that overlap, a radar beyond the path."""
    for n, controller in enumerate(site.controllers):
        for at, (one, other) in enumerate(pairwise(controller.lamps), 1):
            if other.x_m <= one.x_m:
                raise InputError(
                    f"{origin}: $.controllers[{n}].lamps[{at}]: lamp {other.name!r} at {other.x_m:g} m stands not "
                    f"beyond {one.name!r} at {one.x_m:g} m; list the lamps along the path"
                )
    spans = sorted((one.lamps[0].x_m, one.lamps[-1].x_m, n) for n, one in enumerate(site.controllers))
    for (_, to_m, first), (from_m, _, second) in pairwise(spans):
        if from_m <= to_m:
            names = [site.controllers[n].name for n in (first, second)]
            raise InputError(
                f"{origin}: $.controllers[{second}].lamps: the sections of {names[0]!r} and {names[1]!r} overlap "
                f"between {from_m:g} m and {to_m:g} m; a lamp belongs to one controller"
            )
    low_m, high_m = spans[0][0] - site.light.ahead_m, max(to_m for _, to_m, _ in spans) + site.light.ahead_m
    for n, controller in enumerate(site.controllers):
        for at, radar in enumerate(controller.radars):
            from_m, to_m = _view(radar)
            if to_m < low_m or from_m > high_m:
                raise InputError(
                    f"{origin}: $.controllers[{n}].radars[{at}]: radar {radar.name!r} sees {from_m:g} m to {to_m:g} m, "
                    f"the path's light reaches from {low_m:g} m to {high_m:g} m; is its place or its look wrong?"
                )


def warnings(site: LightingSite) -> list[str]:
    """What an installer should look at, e.g. ``"$.controllers[0].neighbours: 'west' names 'east', but …"``."""
    return [*_of_the_light(site), *_of_the_sensors(site), *_of_the_neighbours(site)]


def _of_the_light(site: LightingSite) -> Iterator[str]:
    light, calendar = site.light, site.calendar()
    for warning in check_rules(calendar.rules, calendar.place):
        yield f"$.light.calendar: {warning}"
    sun_s = round(site.place.lon_deg * 240)
    ahead_s = [(calendar.zone_offset_s(at_s * NS_PER_S) - sun_s) % DAY_S for at_s in (WINTER_S, SUMMER_S)]
    apart_s = min(min(ahead, DAY_S - ahead) for ahead in ahead_s)
    if apart_s > 3 * 3600:
        yield (
            f"$.place: longitude {site.place.lon_deg:g} and time zone {site.place.timezone} are {apart_s / 3600:.0f} "
            "hours apart; is one of them wrong?"
        )
    if light.rise_s < FASTEST_FADE_S:
        yield f"$.light.rise_s: {light.rise_s:g} s is no fade of the gear's; lamps rise at a stroke; take 0.7 or more"
    if light.dusk == "lux":
        for n, controller in enumerate(site.controllers):
            if controller.lux is None:
                yield f"$.controllers[{n}].lux: {controller.name!r} has no lux sensor; its dusk is by the sun"


def _of_the_sensors(site: LightingSite) -> Iterator[str]:
    for n, controller in enumerate(site.controllers):
        if not controller.radars:
            yield (
                f"$.controllers[{n}].radars: {controller.name!r} has no radar; its lamps, and its neighbours' next to "
                "them, are full in all lit hours"
            )
        for at, radar in enumerate(controller.radars):
            warned_s = radar.range_m / QUICK_M_S
            if warned_s < site.light.rise_s + REACTION_S:
                yield (
                    f"$.controllers[{n}].radars[{at}].range_m: somebody at 30 km/h is through the {radar.range_m:g} m "
                    f"of {radar.name!r} in {warned_s:.1f} s, before a lamp has risen"
                )
    views = sorted(_view(radar) for controller in site.controllers for radar in controller.radars)
    first_m = min(one.lamps[0].x_m for one in site.controllers)
    last_m = max(one.lamps[-1].x_m for one in site.controllers)
    seen_m = first_m
    for from_m, to_m in [*views, (last_m, last_m)]:
        if from_m - seen_m > LONGEST_BLIND_M:
            yield f"$.controllers: nobody is seen from {seen_m:g} m to {from_m:g} m; a radar is missing there"
        seen_m = max(seen_m, to_m)


def _of_the_neighbours(site: LightingSite) -> Iterator[str]:
    for n, controller in enumerate(site.controllers):
        for device, name in controller.neighbours.items():
            if controller.name not in site.controller(name).neighbours.values():
                yield (
                    f"$.controllers[{n}].neighbours.{device}: {controller.name!r} names {name!r}, but not the other way"
                    " round: riders are handed over in one direction only"
                )
    along = sorted(site.controllers, key=lambda one: one.lamps[0].x_m)
    for one, other in pairwise(along):
        if not _joined(one, other):
            yield (
                f"$.controllers: {one.name!r} and {other.name!r} lie next to each other and are no neighbours: nobody "
                "is handed over between them"
            )
    ahead_m = max(site.light.ahead_m, site.light.ahead_s * QUICK_M_S)
    for (before, one), (_, after) in pairwise(pairwise(along)):
        gap_m = after.lamps[0].x_m - before.lamps[-1].x_m
        if gap_m < ahead_m and _joined(before, one) and _joined(one, after):
            yield (
                f"$.controllers: {before.name!r} and {after.name!r} are {gap_m:g} m apart with {one.name!r} between "
                f"them, and light goes up to {ahead_m:g} m ahead; riders are told to the next neighbour only, so it "
                f"comes late there: give {one.name!r} more lamps"
            )


def _joined(one: ControllerSite, other: ControllerSite) -> bool:
    return other.name in one.neighbours.values() or one.name in other.neighbours.values()


def _view(radar: RadarPost) -> tuple[float, float]:
    end_m = radar.x_m + (radar.range_m if radar.looks == "up" else -radar.range_m)
    return min(radar.x_m, end_m), max(radar.x_m, end_m)
