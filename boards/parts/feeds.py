"""Feeds of signal controllers, and the panel that shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from boards.keys import DeviceKeys, StaleMs
from boards.parts.part import Assembly, Hookup, Part
from boards.wires import MatrixWire, UartWire, Wire
from drivers.units import NS_PER_MS


class SpatFeed(DeviceKeys, frozen=True, kw_only=True, tag="spat-feed", tag_field="part"):
    """The feed of a signal controller. 15 s without messages is where the display must be dark."""

    message_format: Literal["spat-xml", "spat-uper"]
    stale_ms: StaleMs = 15_000


class Panel(DeviceKeys, frozen=True, kw_only=True, tag="panel", tag_field="part"):
    """An LED panel; its size is that of its matrix wire."""


def _spat_feed(board: Assembly, name: str, said: SpatFeed) -> None:
    from drivers.devices.signal_feed import SignalFeed

    board.devices[name] = SignalFeed(
        name,
        board.link(said.wire),
        board.emit,
        message_format=said.message_format,
        station=board.feed_station,
        groups=board.feed_groups,
        stale_ns=said.stale_ms * NS_PER_MS,
    )


def _spat_findings(said: SpatFeed, wire: Wire) -> Iterator[tuple[str, str]]:
    if said.message_format == "spat-uper" and isinstance(wire, UartWire):
        yield (
            "message_format",
            "binary messages carry no mark where they begin, and a serial wire does not keep them apart; "
            'use message_format = "spat-xml", an mqtt wire, or a memory wire on a bench',
        )


def _panel(board: Assembly, name: str, said: Panel) -> None:
    from drivers.devices.panel import FramePanel

    wire = board.description.wires[said.wire]
    assert isinstance(wire, MatrixWire)
    panel = FramePanel(name, board.link(said.wire), wire.width_px, wire.height_px, board.emit)
    board.devices[name] = panel
    board.panels[name] = panel


PARTS = (
    Part(
        keys=SpatFeed,
        title="signal controller's feed",
        content=lambda said: str(said.message_format),
        wire_kinds=("uart", "memory", "mqtt"),
        parities=("N", "E", "O"),
        findings=_spat_findings,
        hookup=Hookup(signal="network", note="By the controller cabinet's network; no wire to the header."),
        make=_spat_feed,
    ),
    Part(
        keys=Panel,
        title="RGB LED panel",
        content=lambda said: "panel",
        wire_kinds=("matrix",),
        hookup=Hookup(
            signal="matrix",
            supply="5 V, up to 4 A a panel of 32 x 32, by its own supply",
            note="Never feed the panel from the header.",
        ),
        make=_panel,
    ),
)
