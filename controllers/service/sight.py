"""Does a radar, as its board sets it up, see what the site file believes? Each doubt a line with place and mend."""

from __future__ import annotations

from collections.abc import Iterator

from boards.load import load_board
from boards.parts import part_name
from boards.schema import BoardDescription
from controllers.lighting.site import LightingSite

WALK_KMH = 4
"""What reports only who is faster than this does not see somebody on foot."""

KMH_OF = {"m/s": 3.6, "km/h": 1.0}


def sight_warnings(site: LightingSite, board: str | None = None) -> Iterator[str]:
    """Of every radar of the site, on its own boards or on `board`.

    Example: ``"$.controllers[0].radars[1].range_m: 40 m, but radar-2 of board mine looks 30 m far; …"``.
    """
    for n, controller in enumerate(site.controllers):
        description = load_board(board or controller.board)
        for at, radar in enumerate(controller.radars):
            place = f"$.controllers[{n}].radars[{at}]"
            yield from _of_a_radar(place, radar.name, radar.range_m, description)


def _of_a_radar(place: str, name: str, range_m: float, description: BoardDescription) -> Iterator[str]:
    said = description.devices[name]
    whose = f"{name} of board {description.name}"
    far_m = getattr(said, "range_m", None)
    if far_m is not None and far_m * getattr(said, "far_pct", 100) < range_m * 100:
        sees_m = far_m * getattr(said, "far_pct", 100) / 100
        yield f"{place}.range_m: {range_m:g} m, but {whose} looks {sees_m:g} m far; write the same in both"
    direction = getattr(said, "direction", None)
    if direction not in (None, "both"):
        yield f"{place}: {whose} tells of one way only ({direction}); let its `direction` be both"
    least_kmh = getattr(said, "min_speed_kmh", None) or 0
    if part_name(said) == "ops243":
        least_kmh = getattr(said, "least_speed", 0) * KMH_OF[getattr(said, "unit", "m/s")]
    if least_kmh > WALK_KMH:
        yield f"{place}: {whose} tells of nobody slower than {least_kmh:g} km/h; who walks there gets no light"
