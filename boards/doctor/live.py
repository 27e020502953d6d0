"""A board's devices on its real wires, without a controller: what the bench tools look at."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import msgspec

from boards.build import Board, build
from boards.hardware import hardware_link
from boards.parts import contents
from boards.schema import BoardDescription
from boards.wires import MqttWire, UartWire, Wire
from drivers.bench.session import Clock, Session
from drivers.errors import InputError
from drivers.interfaces import ByteLink
from drivers.links.tap import Sink


class LiveBoard:
    """Use as a context manager; the wires open as the session runs.

    `sinks` hear every byte; the number of a wire is its place in `wires`. `only` leaves out all wires but those of the
    named devices. Raises InputError for boards whose far ends the rig holds, and for unknown devices.
    """

    def __init__(
        self, description: BoardDescription, clock: Clock, sinks: Sequence[Sink] = (), only: Sequence[str] = ()
    ) -> None:
        self.description = narrowed(description, only)
        self.session = Session(clock, sinks)
        self.contents = contents(self.description)
        self.board: Board = build(self.description, emit=self.session.emit, link_for=self._link)
        self.session.devices = list(self.board.devices.values())

    @property
    def wires(self) -> list[str]:
        """Names, in the order of their numbers."""
        return [wire.name for wire in self.session.watch.wires]

    def baud(self, wire: str) -> int:
        """Bit rate by the file; 0 for wires that have none."""
        said = self.description.wires[wire]
        return (said.baud or 0) if isinstance(said, UartWire) else 0

    def ask(self, now_ns: int) -> None:
        """Something harmless of every device that speaks only when asked."""
        for device in (*self.board.devices.values(), *self.board.lamps.values()):
            ask = getattr(device, "ask", None)
            if ask is not None:
                ask(now_ns)

    def _link(self, name: str, wire: Wire) -> ByteLink:
        if isinstance(wire, MqttWire):  # as the service's client we would throw it out, and speak its last will
            wire = msgspec.structs.replace(wire, client_id=None, clean_session=True, will=None)
        return self.session.tapped(hardware_link(name, wire, self.description))

    def __enter__(self) -> LiveBoard:
        return self

    def __exit__(self, *exc: object) -> None:
        self.session.close()


def narrowed(description: BoardDescription, only: Sequence[str]) -> BoardDescription:
    """The same board with the named devices (all where none is named) and their wires. Raises InputError."""

    if not only:
        return description
    for name in only:
        if name not in description.devices:
            near = difflib.get_close_matches(name, description.devices, n=1)
            known = f"did you mean {near[0]}?" if near else f"it has: {', '.join(description.devices)}"
            raise InputError(f"board {description.name} has no device {name}; {known}")
    devices = {name: said for name, said in description.devices.items() if name in only}
    wires = {said.wire: description.wires[said.wire] for said in devices.values()}
    return msgspec.structs.replace(description, devices=devices, wires=wires)
