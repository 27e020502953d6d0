"""The one composition root: a description and a source of links make a live board.

Example, with an in-process wire for every wire of the file::

    far: dict[str, MemoryLink] = {}

    def link_for(name: str, wire: Wire) -> ByteLink:
        near, far[name] = memory_pair(name)
        return near

    board = build(load_board("kanalpromenade-lamp-laptop"), link_for=link_for, emit=inbox.append)
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from boards.hardware import LinkFor, hardware
from boards.keys import InAir
from boards.load import digest, load_board
from boards.parts import part_of
from boards.parts.part import Bus
from boards.schema import BoardDescription
from drivers.errors import OutOfRange
from drivers.interfaces import ByteLink, Device, Emit, Lamp, Panel, Watchdog
from drivers.quantities import Climate, Quantity
from drivers.units import NS_PER_MS

if TYPE_CHECKING:
    from drivers.devices.neighbour import Neighbour

__all__ = ["Board", "LinkFor", "build", "digest", "load_board"]


class Board:
    """A live board. All dicts are in order of name, whatever the order in the file.

    `devices` holds everything that wants to be advanced, buses under the name of their wire; `lamps`, `panels` and
    `neighbours` what takes commands; `watchdogs` what the loop has to feed; `links` one link a wire that a device hangs
    on. `period_ns` is the scan cycle.
    """

    def __init__(
        self,
        description: BoardDescription,
        link_for: LinkFor,
        emit: Emit,
        feed_station: int | None,
        feed_groups: frozenset[int] | None,
        name: str,
    ) -> None:
        self.description = description
        self.name = name
        self.period_ns = description.period_ms * NS_PER_MS
        in_air = [said.air for said in description.devices.values() if isinstance(said, InAir) and said.air]
        self.emit = self._emit_air if in_air else emit
        self._emit = emit
        self._in_air: dict[str, list[Callable[[int], None]]] = {name: [] for name in in_air}
        self.feed_station = feed_station
        self.feed_groups = feed_groups
        self.devices: dict[str, Device] = {}
        self.lamps: dict[str, Lamp] = {}
        self.panels: dict[str, Panel] = {}
        self.neighbours: dict[str, Neighbour] = {}
        self.watchdogs: dict[str, Watchdog] = {}
        self.links: dict[str, ByteLink] = {}
        self._link_for = link_for

    def link(self, wire: str) -> ByteLink:
        """The link of `wire`; asked for at the first call, shared afterwards."""
        link = self.links.get(wire)
        if link is None:
            link = self.links[wire] = self._link_for(wire, self.description.wires[wire])
        return link

    def bus(self, wire: str, kind: type[Bus], make: Callable[[], Bus]) -> Bus:
        """The master of a wire that several devices share, made at the first call; it carries the wire's name."""
        there = self.devices.get(wire)  # checks keep devices off the names of such wires
        if there is None:
            made = make()
            self.devices[wire] = made  # type: ignore[assignment]  # every bus is a device as well
            return made
        assert isinstance(there, kind)
        return there

    def breathe(self) -> None:
        """Tie every device that depends on the air to the one that measures it; once all are made."""
        for name, said in self.description.devices.items():
            if isinstance(said, InAir) and said.air:
                self._in_air[said.air].append(self.devices[name].set_air)  # type: ignore[attr-defined]

    def _emit_air(self, value: Quantity) -> None:
        self._emit(value)
        if isinstance(value, Climate) and value.temperature_mdegc is not None:
            for set_air in self._in_air.get(value.source, ()):
                with suppress(OutOfRange, ValueError):  # no air that the part can reckon with: it keeps the last
                    set_air(value.temperature_mdegc)

    def close(self) -> None:
        """Close every link; a second call does nothing."""
        for link in self.links.values():
            link.close()


def build(
    description: BoardDescription,
    *,
    emit: Emit,
    link_for: LinkFor | None = None,
    feed_station: int | None = None,
    feed_groups: frozenset[int] | None = None,
    name: str | None = None,
) -> Board:
    """Make the devices of `description`, which has passed `boards.checks` (as `load_board` sees to).

    `emit` takes every value the devices make. `link_for` is where the wires come from; real hardware where it is None.
    `feed_station` and `feed_groups` narrow a signal feed to what the site file wants; None takes all.
    `name` tells boards made from one file apart, e.g. ``"kanalpromenade-west"``. Links that were opened are closed
    again where a later one fails.
    """
    board = Board(
        description, link_for or hardware(description), emit, feed_station, feed_groups, name or description.name
    )
    try:
        for device, said in sorted(description.devices.items()):
            part_of(said).make(board, device, said)
        board.breathe()
    except BaseException:
        board.close()
        raise
    board.devices = dict(sorted(board.devices.items()))  # buses came under the names of their wires
    board.links = dict(sorted(board.links.items()))
    return board
