"""Other controllers."""

from __future__ import annotations

from boards.keys import DeviceKeys, StaleMs
from boards.parts.part import Assembly, Part
from boards.wires import MqttWire
from drivers.units import NS_PER_MS


class Neighbour(DeviceKeys, frozen=True, kw_only=True, tag="neighbour", tag_field="part"):
    """Another controller, reached by messages (one JSON object a line).

    `numbered` puts them into envelopes, so that what comes twice or late is dropped; on by itself behind a broker.
    """

    stale_ms: StaleMs = 30_000
    numbered: bool | None = None


def _neighbour(board: Assembly, name: str, said: Neighbour) -> None:
    from drivers.devices import neighbour

    by_broker = isinstance(board.description.wires[said.wire], MqttWire)
    made = neighbour.Neighbour(
        name,
        board.link(said.wire),
        board.emit,
        stale_ns=said.stale_ms * NS_PER_MS,
        numbered=by_broker if said.numbered is None else said.numbered,
    )
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
