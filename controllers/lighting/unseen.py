"""Stretches that no sensor answers for, because the site has none there: light all lit hours, since nobody can know."""

from __future__ import annotations

from controllers.lighting.site import ControllerSite, LightingSite
from controllers.lighting.stretch import Stretch, zones

NO_SENSOR = "no sensor"


def unseen(site: LightingSite, controller: ControllerSite) -> dict[str, tuple[int, int]]:
    """By why, the stretch (from, to in mm) that is in doubt for good, e.g. ``{"no sensor": (0, 160_000)}``.

    A controller without a radar knows only whom its neighbours announce: all its lamps. A neighbour without a radar
    announces nobody, so it is as if it were silent for ever: what is lit at its border then.
    """
    found = {} if controller.radars else {NO_SENSOR: Stretch(site, controller).span_mm()}
    doubtful = zones(site, controller)
    for device, name in controller.neighbours.items():
        if not site.controller(name).radars:
            found[f"{NO_SENSOR} at {device}"] = doubtful[device]
    return found
