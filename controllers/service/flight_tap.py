"""Ties a flight recorder to a board: a tap on every wire while it is built, the recorder made from its description."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boards.hardware import LinkFor
from boards.load import digest
from boards.parts import contents
from boards.schema import BoardDescription
from controllers.service.flight_recorder import FlightRecorder
from controllers.service.flight_records import DEFAULT_FOLDER
from controllers.service.tapping import WireTaps
from drivers.codecs.ld2451 import IDLE_FRAME
from drivers.interfaces import ByteLink
from drivers.recording.events import Wire
from drivers.recording.provenance import Provenance, collect
from drivers.units import NS_PER_MS

if TYPE_CHECKING:
    from controllers.service.sites import Site


def flight_wires(description: BoardDescription) -> tuple[Wire, ...]:
    """The wires of a board as its recorder numbers them, in order of name."""
    return tuple(
        Wire(description.name, name, content, IDLE_FRAME if content == "ld2451" else b"")
        for name, content in contents(description).items()
    )


def flight_provenance(site: Site, description: BoardDescription) -> Provenance:
    """Where a flight comes from, but for its date, which each file has of its own."""
    import hashlib

    import msgspec

    site_digest = hashlib.sha256(msgspec.json.encode(site, order="sorted")).hexdigest()
    board_digest = digest(description)
    return collect(
        boards={description.name: board_digest},
        sites={site.name: site_digest},
        configuration_digest=hashlib.sha256(f"{site_digest}{board_digest}".encode()).hexdigest(),
        period_ns=description.period_ms * NS_PER_MS,
    )


class FlightTap:
    """Makes the recorder of a board while it is built (see `link_for`).

    Args:
        site: of the controller.
        controller: its name; None where the site has one only.
        folder: of the ring.
        options: as `FlightRecorder` takes them: limit_bytes, file_minutes, sync_s, …
    """

    def __init__(
        self, site: Site, controller: str | None = None, folder: Path = DEFAULT_FOLDER, **options: Any
    ) -> None:
        self._site, self._folder, self._options = site, folder, options
        only = [one.name for one in getattr(site, "controllers", ())][:1] or [site.name]
        self._controller = controller or only[0]
        self._recorder: FlightRecorder | None = None
        self._taps: WireTaps | None = None

    def link_for(self, description: BoardDescription, real: LinkFor | None = None) -> LinkFor:
        """Where the wires of this board come from: its hardware, or `real`, with a tap on each."""
        self._recorder = FlightRecorder(
            self._folder,
            description,
            self._site,
            self._controller,
            flight_provenance(self._site, description),
            flight_wires(description),
            **self._options,
        )
        self._taps = WireTaps(description, self._recorder, real)
        return self._taps

    @property
    def recorder(self) -> FlightRecorder:
        """The recorder; once the board is built."""
        assert self._recorder is not None
        return self._recorder

    def polled(self, links: Mapping[str, ByteLink]) -> dict[str, ByteLink]:
        """See `WireTaps.polled`."""
        return dict(links) if self._taps is None else self._taps.polled(links)
