"""Other controllers."""

from __future__ import annotations

from boards.keys import DeviceKeys, StaleMs
from boards.parts.part import Assembly, Part
from drivers.units import NS_PER_MS


class Neighbour(DeviceKeys, frozen=True, kw_only=True, tag="neighbour", tag_field="part"):
    """Another controller, reached by messages (one JSON object a line)."""

    stale_ms: StaleMs = 30_000


def _neighbour(board: Assembly, name: str, said: Neighbour) -> None:
    from drivers.devices import neighbour

    made = neighbour.Neighbour(name, board.link(said.wire), board.emit, stale_ns=said.stale_ms * NS_PER_MS)
    board.devices[name] = made
    board.neighbours[name] = made


PARTS = (
    Part(
        keys=Neighbour,
        title="the next controller",
        content=lambda said: "message",
        wire_kinds=("uart", "memory", "mqtt"),
        parities=("N", "E", "O"),
        make=_neighbour,
    ),
)
