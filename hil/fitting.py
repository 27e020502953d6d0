"""Does a site fit its boards? Asked before a bench is built, so that the answer names what is missing."""

from __future__ import annotations

from boards.build import load_board
from boards.parts import contents, part_name
from boards.schema import BoardDescription
from controllers.greenwave.site import GreenwaveSite
from controllers.lighting.site import LightingSite
from controllers.service.assemble import greenwave_controller, lighting_controller
from drivers.errors import InputError
from drivers.interfaces import ByteLink
from drivers.links.memory import memory_pair
from hil.peers.path_radars import SEEN_PARTS


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


def check_far_ends(site: LightingSite, board: str | None, bench: str = "in-process") -> None:
    """The rig has riders' radars and gear for every lamp of a lit path (or of `board`). Raises InputError.

    In real time it has LD2451 only: to others nobody would tell when their bit rate and parity are set. Not asked where
    a trace stands at the far end of the wires.
    """
    seen = SEEN_PARTS if bench == "in-process" else SEEN_PARTS[:1]
    for one in site.controllers:
        description = load_board(board or one.board)
        carries = contents(description)
        for kind, names, can in (
            ("radar", [radar.name for radar in one.radars], seen),
            ("lamp", [lamp.name for lamp in one.lamps], ("dali",)),
        ):
            for name in names:
                said = description.devices[name]
                if carries[said.wire] not in can:
                    raise InputError(
                        f"site {site.name}, {one.name}: {kind} {name!r} of board {description.name} is a "
                        f"{part_name(said)}; riders can be replayed with {' or '.join(can)} at the far end only "
                        f"(--bench {bench}). "
                        "Judge the light with --board kanalpromenade-lamp, and this part by itself: "
                        "leeze-boards probe"
                    )


def check_display(site: GreenwaveSite, board: BoardDescription) -> None:
    """The display can be built on `board`. Raises InputError."""
    greenwave_controller(site, board, _loose_end)


def _loose_end(name: str, wire: object) -> ByteLink:
    return memory_pair(name)[0]
