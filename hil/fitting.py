"""Does a site fit its boards? Asked before a bench is built, so that the answer names what is missing."""

from __future__ import annotations

from boards.build import load_board
from boards.schema import BoardDescription
from controllers.greenwave.site import GreenwaveSite
from controllers.lighting.site import LightingSite
from controllers.service.assemble import greenwave_controller, lighting_controller
from drivers.errors import InputError
from drivers.interfaces import ByteLink
from drivers.links.memory import memory_pair


def check_path(site: LightingSite, board: str | None) -> None:
    """Every controller of a lit path can be built on its board (or on `board`). Raises InputError."""
    for one in site.controllers:
        lighting_controller(site, one, load_board(board or one.board), _loose_end)
        for device, other in one.neighbours.items():
            if one.name not in site.controller(other).neighbours.values():
                raise InputError(
                    f"site {site.name}: {one.name} has {other} as {device}, but {other} does not name {one.name}; "
                    f"add it to the neighbours of {other}"
                )


def check_display(site: GreenwaveSite, board: BoardDescription) -> None:
    """The display can be built on `board`. Raises InputError."""
    greenwave_controller(site, board, _loose_end)


def _loose_end(name: str, wire: object) -> ByteLink:
    return memory_pair(name)[0]
