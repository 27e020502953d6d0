"""Taps on a running controller's wires: for whoever listens at its socket, and for the flight recorder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from boards.hardware import LinkFor, hardware
from boards.parts import contents
from boards.schema import BoardDescription
from boards.wires import UartWire, Wire
from controllers.service.status import Say
from drivers.errors import InputError
from drivers.interfaces import ByteLink
from drivers.links.tap import Sink, Tap
from drivers.links.tap_client import default_path
from drivers.links.tap_records import TapWire
from drivers.links.tap_server import TapServer


class WireTaps:
    """Where the wires of a board come from: `real`, or its hardware, with a tap on each.

    Args:
        description: of the board; a wire's number is its place in `boards.parts.contents`.
        sink: hears every byte.
        real: gives the links inside.
    """

    def __init__(self, description: BoardDescription, sink: Sink, real: LinkFor | None) -> None:
        self._numbers = {name: number for number, name in enumerate(contents(description))}
        self._sink, self._real = sink, real or hardware(description)
        self._inner: dict[str, ByteLink] = {}

    def __call__(self, name: str, wire: Wire) -> ByteLink:
        """The link of `wire` as the board's devices see it."""
        inner = self._inner[name] = self._real(name, wire)
        return Tap(inner, self._numbers[name], self._sink)

    def polled(self, links: Mapping[str, ByteLink]) -> dict[str, ByteLink]:
        """What is to be polled for `links`: those inside the taps, which know whether they open by themselves."""
        return {name: self._inner.get(name, link) for name, link in links.items()}


class ServiceTap:
    """Taps the wires of one board while it is built (see `link_for`), and serves who listens once it is `open`.

    `path` None is the default: ``/run/leeze/BOARD.tap``. A tap that cannot be opened is said and done without: nobody
    stands in the dark for want of a listener.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._server: TapServer | None = None
        self._taps: WireTaps | None = None

    def link_for(self, description: BoardDescription, real: LinkFor | None = None) -> LinkFor:
        """Where the wires of this board come from: its hardware, or `real`, with a tap on each."""
        wires = tuple(_facts(name, description.wires[name], content) for name, content in contents(description).items())
        self._server = TapServer(self._path or default_path(description.name), description.name, wires)
        self._taps = WireTaps(description, self._server, real)
        return self._taps

    def open(self, say: Say) -> None:
        """Let listeners come, or say why there can be none."""
        assert self._server is not None
        try:
            self._server.open()
        except InputError as error:
            say(f"{error}; running without")

    def polled(self, links: Mapping[str, ByteLink]) -> dict[str, ByteLink]:
        """See `WireTaps.polled`."""
        return dict(links) if self._taps is None else self._taps.polled(links)

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
