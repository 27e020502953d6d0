"""What came on a wire before a device made sense for the first time.

Whoever begins to listen in the middle of something skips the rest of it: of a frame, of what a part says when it is
powered, of bytes that the port took in while it still had the bit rate of the program before. That is no noise.
"""

from __future__ import annotations

import msgspec

from drivers.bench.watch import WireWatch
from drivers.interfaces import Device
from drivers.quantities import LampStatus, Quantity


class Joined(msgspec.Struct, frozen=True):
    """Bytes in, and those of them that were skipped, until the first frame had been read: ``Joined(26, 20)``."""

    bytes_in: int = 0
    skipped_bytes: int = 0


class Joining:
    """Looks out for the first frame of each device; call `look` after every turn of the session."""

    def __init__(self) -> None:
        self._of: dict[str, Joined] = {}

    def look(self, device: Device, watch: WireWatch, latest: Quantity | None, values: int) -> bool:
        """True once `device` has made sense. `watch`: its wire; `latest`, `values`: what it said, as in Evidence."""
        if device.name in self._of:
            return True
        counters = device.counters()
        if not counters.get("frames") and (not values or says_nothing(latest)):
            return False
        self._of[device.name] = Joined(watch.bytes_in, counters.get("skipped_bytes", 0))
        return True

    def __contains__(self, device: str) -> bool:
        """True where the device called `device` has made sense."""
        return device in self._of

    def __getitem__(self, device: str) -> Joined:
        """Of the device called `device`; nothing where it has made no sense yet."""
        return self._of.get(device, Joined())


def says_nothing(latest: Quantity | None) -> bool:
    """A lamp whose level is not known has not answered: that value tells of the silence."""
    return isinstance(latest, LampStatus) and latest.level is None
