"""What a flight recorder's file says about its controller, and the controller built from it."""

from __future__ import annotations

import msgspec

from boards.build import LinkFor
from boards.load import described
from boards.schema import BoardDescription
from controllers.greenwave.site import GreenwaveSite
from controllers.lighting.site import LightingSite
from controllers.service.assemble import Controller, greenwave_controller, lighting_controller
from controllers.service.sites import Site
from drivers.errors import InputError
from drivers.recording.reader import TraceReader

FORMAT = "1"


class Flight(msgspec.Struct, frozen=True):
    """Whose flight it is. `file_number` is the file's place in its ring."""

    site: Site
    board: BoardDescription
    controller: str
    file_number: int

    def assemble(self, link_for: LinkFor) -> Controller:
        """The controller, with wires from `link_for`. Raises InputError where site and board do not fit."""
        if isinstance(self.site, LightingSite):
            return lighting_controller(self.site, self.site.controller(self.controller), self.board, link_for)
        return greenwave_controller(self.site, self.board, link_for)

    @property
    def policy(self) -> str:
        """What decides: ``"lighting"`` or ``"greenwave"``."""
        return str(self.site.product)

    @property
    def timezone(self) -> str:
        """Of the site, e.g. ``"Europe/Berlin"``; UTC where it names none."""
        return self.site.place.timezone if isinstance(self.site, LightingSite) else "UTC"


def read_flight(reader: TraceReader) -> Flight:
    """From the metadata of a file. Raises InputError: none there, of a later format, or damaged."""
    about = reader.controller
    if not about:
        raise InputError(
            f"{reader.path}: is no file of a flight recorder (it has no metadata leeze-controller); "
            "only those can be verified, and a trace of a bench can be replayed"
        )
    if about.get("format") != FORMAT:
        raise InputError(f"{reader.path}: format {about.get('format')} of a flight; this version knows {FORMAT}")
    try:
        site: Site
        if about["product"] == "lighting":
            site = msgspec.json.decode(about["site"], type=LightingSite)
        else:
            site = msgspec.json.decode(about["site"], type=GreenwaveSite)
        return Flight(
            site,
            described(msgspec.json.decode(about["board"], type=dict), f"{reader.path}: board"),
            about["controller"],
            int(about.get("file_number", "0")),
        )
    except (KeyError, ValueError, msgspec.MsgspecError) as error:
        raise InputError(f"{reader.path}: its controller cannot be read: {error}") from None
