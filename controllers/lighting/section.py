"""A long section of lamps, as a site: the pattern of the reference site over and over, neighbours joined in a chain.

Lamps stand evenly; a controller has those next to each other. Radars stand at every second lamp: with six lamps a
controller, the first controller's look up the path from its first, third and fifth lamp, the second's down it from its
second, fourth and sixth, and so on in turns; so riders are seen on either side of every border. The first and the last
radar look outward. Example: ``section(12)`` is the reference site with other names and the usual behaviour,
``section(250)`` the northern section of the Kanalpromenade: 42 controllers on 8 km.
"""

from __future__ import annotations

from typing import Final

from controllers.lighting.site import Behaviour, ControllerSite, LampPost, LightingSite, Place, RadarPost
from drivers.errors import InputError

BOARDS: Final = ("kanalpromenade-lamp", "kanalpromenade-lamp-middle")
"""With one neighbour (or none), with two. Their lamps are lamp-1 to lamp-6, their radars radar-1 to radar-3."""

MOST_EACH: Final = 6
MUENSTER: Final = Place(51.97, 7.64, "Europe/Berlin")


def section(
    lamps: int,
    *,
    spacing_m: float = 32.0,
    each: int = MOST_EACH,
    range_m: float = 40.0,
    name: str = "section",
    light: Behaviour | None = None,
    place: Place = MUENSTER,
) -> LightingSite:
    """A site of so many lamps, 1 and more, `each` (1 to 6) of them at a controller, the rest at the last one.

    Controllers are called ``c001`` and so on, up the path. Raises InputError for numbers that make no section.
    """
    if lamps < 1 or not 1 <= each <= MOST_EACH or spacing_m <= 0:
        raise InputError(
            f"a section of {lamps} lamps, {each} at a controller, {spacing_m:g} m apart: take 1 lamp or more, "
            f"1 to {MOST_EACH} at a controller, more than 0 m"
        )
    count = -(-lamps // each)
    names = [f"c{n + 1:03}" for n in range(count)]
    controllers = []
    for n, own in enumerate(names):
        numbers = range(n * each, min((n + 1) * each, lamps))
        down, up = n > 0, n + 1 < count
        neighbours = {}
        if down:
            neighbours["neighbour-down" if up else "neighbour"] = names[n - 1]
        if up:
            neighbours["neighbour-up" if down else "neighbour"] = names[n + 1]
        controllers.append(
            ControllerSite(
                own,
                BOARDS[down and up],
                tuple(LampPost(f"lamp-{at + 1}", number * spacing_m) for at, number in enumerate(numbers)),
                _radars(n, numbers, lamps, spacing_m, range_m),
                neighbours,
            )
        )
    return LightingSite(1, name, "lighting", place, tuple(controllers), f"{lamps} lamps", light or Behaviour())


def _radars(controller: int, lamps: range, count: int, spacing_m: float, range_m: float) -> tuple[RadarPost, ...]:
    """Those of one controller: even ones look up from every second lamp, odd ones down; the ends look outward."""
    looks_up = controller % 2 == 0
    posts: list[tuple[int, bool]] = [(lamp, looks_up) for lamp in lamps[0 if looks_up else 1 :: 2]]
    if lamps[0] == 0:
        posts = [(0, False), *(post for post in posts if post[0])]
    if lamps[-1] == count - 1:
        posts = [*(post for post in posts if post[0] < count - 2 or post == (0, False)), (count - 1, True)]
    return tuple(
        RadarPost(f"radar-{n + 1}", lamp * spacing_m, "up" if up else "down", range_m)
        for n, (lamp, up) in enumerate(posts)
    )
