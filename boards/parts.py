"""Every part a board file can name: what it asks of its wire, and how it is made. A new part is added here.

(Its keys in the file are a struct in `boards.schema`.) Drivers are imported when a board has the part, not before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from boards import schema
from drivers.interfaces import ByteLink, Device, Emit, Lamp
from drivers.interfaces import Panel as PanelLike
from drivers.units import NS_PER_MS

if TYPE_CHECKING:
    from drivers.devices.neighbour import Neighbour


class Assembly(Protocol):
    """A board under construction, as the makers of devices see it."""

    description: schema.BoardDescription
    emit: Emit
    feed_station: int | None
    feed_groups: frozenset[int] | None
    devices: dict[str, Device]
    lamps: dict[str, Lamp]
    panels: dict[str, PanelLike]
    neighbours: dict[str, Neighbour]

    def link(self, wire: str) -> ByteLink:
        """The link of `wire`; opened at the first call, shared afterwards."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part's facts. `content` is what its wire carries, e.g. ``"ld2451"``, as recordings name it.

    `wire_kinds` are the kinds of wire it can hang on. `bauds` are the bit rates it can be set to (None: any), all at
    `parities`. `shares_wire` tells that several of it may hang on one wire.
    """

    content: Callable[[Any], str]
    wire_kinds: tuple[str, ...] = ("uart", "memory")
    bauds: tuple[int, ...] | None = None
    parities: tuple[str, ...] = ("N",)
    shares_wire: bool = False
    make: Callable[[Assembly, str, Any], None]


def _ld2451(board: Assembly, name: str, said: schema.Ld2451) -> None:
    from drivers.devices.radar import Ld2451Radar

    board.devices[name] = Ld2451Radar(name, board.link(said.wire), board.emit, stale_ns=said.stale_ms * NS_PER_MS)


def _atxled(board: Assembly, name: str, said: schema.Atxled) -> None:
    from drivers.buses.dali import DaliBus
    from drivers.devices.lamp import DaliLamp

    bus = board.devices.get(said.wire)  # the bus carries its wire's name; checks keep devices off that name
    if bus is None:
        bus = board.devices[said.wire] = DaliBus(said.wire, board.link(said.wire), emit=board.emit)
    assert isinstance(bus, DaliBus)
    board.lamps[name] = DaliLamp(name, bus, said.short_address)


def _spat_feed(board: Assembly, name: str, said: schema.SpatFeed) -> None:
    from drivers.devices.signal_feed import SignalFeed

    board.devices[name] = SignalFeed(
        name,
        board.link(said.wire),
        board.emit,
        message_format=said.message_format,
        station=board.feed_station,
        groups=board.feed_groups,
        stale_ns=said.stale_ms * NS_PER_MS,
    )


def _panel(board: Assembly, name: str, said: schema.Panel) -> None:
    from drivers.devices.panel import FramePanel

    wire = board.description.wires[said.wire]
    assert isinstance(wire, schema.MatrixWire)
    panel = FramePanel(name, board.link(said.wire), wire.width_px, wire.height_px, board.emit)
    board.devices[name] = panel
    board.panels[name] = panel


def _neighbour(board: Assembly, name: str, said: schema.Neighbour) -> None:
    from drivers.devices.neighbour import Neighbour

    neighbour = Neighbour(name, board.link(said.wire), board.emit, stale_ns=said.stale_ms * NS_PER_MS)
    board.devices[name] = neighbour
    board.neighbours[name] = neighbour


PARTS: dict[str, Part] = {
    "ld2451": Part(
        content=lambda said: "ld2451",
        bauds=(9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 256_000, 460_800),  # V1.03, command 0x00A1
        make=_ld2451,
    ),
    "atxled": Part(content=lambda said: "dali", bauds=(19_200,), shares_wire=True, make=_atxled),
    "spat-feed": Part(content=lambda said: str(said.message_format), parities=("N", "E", "O"), make=_spat_feed),
    "panel": Part(content=lambda said: "panel", wire_kinds=("matrix",), make=_panel),
    "neighbour": Part(content=lambda said: "message", parities=("N", "E", "O"), make=_neighbour),
}
"""By the name in the file (`part = …`), which is the tag of the part's struct in `boards.schema`."""


def part_name(said: schema.Device) -> str:
    """The name of a device's part, e.g. ``"ld2451"``."""
    return str(said.__struct_config__.tag)


def part_of(said: schema.Device) -> Part:
    """The part of a device in a board file."""
    return PARTS[part_name(said)]


def contents(description: schema.BoardDescription) -> dict[str, str]:
    """What each wire carries, as recordings name it, e.g. ``{"dali": "dali", "radar-1": "ld2451"}``; sorted."""
    found = {said.wire: part_of(said).content(said) for said in description.devices.values()}
    return dict(sorted(found.items()))
