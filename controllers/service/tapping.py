"""A running controller's tap: whoever listens at its socket hears every byte of every wire, and takes none."""

from __future__ import annotations

from pathlib import Path

from boards.hardware import LinkFor, hardware
from boards.parts import contents
from boards.schema import BoardDescription
from boards.wires import UartWire, Wire
from controllers.service.status import Say
from drivers.errors import InputError
from drivers.interfaces import ByteLink
from drivers.links.tap import Tap
from drivers.links.tap_client import default_path
from drivers.links.tap_records import TapWire
from drivers.links.tap_server import TapServer


class ServiceTap:
    """Taps the wires of one board while it is built (see `link_for`), and serves who listens once it is `open`.

    `path` None is the default: ``/run/leeze/BOARD.tap``. A tap that cannot be opened is said and done without: nobody
    stands in the dark for want of a listener.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._server: TapServer | None = None
        self._inner: dict[str, ByteLink] = {}

    def link_for(self, description: BoardDescription, real: LinkFor | None = None) -> LinkFor:
        """Where the wires of this board come from: its hardware, or `real`, with a tap on each."""
        carried = contents(description)
        wires = tuple(_facts(name, description.wires[name], content) for name, content in carried.items())
        server = TapServer(self._path or default_path(description.name), description.name, wires)
        numbers = {wire.name: number for number, wire in enumerate(wires)}
        real = real or hardware(description)

        def tapped(name: str, wire: Wire) -> ByteLink:
            inner = self._inner[name] = real(name, wire)
            return Tap(inner, numbers[name], server)

        self._server = server
        return tapped

    def open(self, say: Say) -> None:
        """Let listeners come, or say why there can be none."""
        assert self._server is not None
        try:
            self._server.open()
        except InputError as error:
            say(f"{error}; running without")

    def polled(self, links: dict[str, ByteLink]) -> list[ByteLink]:
        """What is to be polled for `links`: those inside the taps, which know whether they open by themselves."""
        return [self._inner.get(name, link) for name, link in links.items()]

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return 0 if self._server is None else self._server.listeners

    def fileno(self) -> int | None:
        """For poll(); None while it is not open."""
        return None if self._server is None else self._server.fileno()

    def pump(self, t_ns: int) -> None:
        """Serve who listens; never waits."""
        if self._server is not None:
            self._server.pump(t_ns)

    def close(self) -> None:
        """Hang up on everybody; a second call does nothing."""
        if self._server is not None:
            self._server.close()


def _facts(name: str, wire: Wire, content: str) -> TapWire:
    kind = str(wire.__struct_config__.tag)
    if isinstance(wire, UartWire):
        return TapWire(name, kind, content, wire.baud or 0, wire.parity)
    return TapWire(name, kind, content)
