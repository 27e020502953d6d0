"""Radars."""

from __future__ import annotations

from typing import Annotated

import msgspec

from boards.keys import DeviceKeys
from boards.parts.part import Assembly, Hookup, Part, Terminal
from drivers.units import NS_PER_MS


class Ld2451(DeviceKeys, frozen=True, kw_only=True, tag="ld2451", tag_field="part"):
    """A radar HLK-LD2451. It sends an idle frame a second, so the default takes it for silent after three.

    Below 1500 ms a radar would look silent between two idle frames.
    """

    stale_ms: Annotated[int, msgspec.Meta(ge=1_500, le=600_000)] = 3_000


def _ld2451(board: Assembly, name: str, said: Ld2451) -> None:
    from drivers.devices.radar import Ld2451Radar

    board.devices[name] = Ld2451Radar(name, board.link(said.wire), board.emit, stale_ns=said.stale_ms * NS_PER_MS)


PARTS = (
    Part(
        keys=Ld2451,
        title="HLK-LD2451 radar",
        content=lambda said: "ld2451",
        bauds=(9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 256_000, 460_800),  # V1.03, command 0x00A1
        hookup=Hookup(
            signal="ttl-3v3",
            terminals=(
                Terminal("TX", "tx"),
                Terminal("RX", "rx"),
                Terminal("GND", "gnd"),
                Terminal("VCC", "supply"),
            ),
            supply="5 V, 300 mA",
            note="5 V for the supply, but 3.3 V on TX and RX: straight to the header, no level shifter.",
            source="Hi-Link, LD2451 serial protocol V1.03",
        ),
        make=_ld2451,
    ),
)
