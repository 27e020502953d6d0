"""Feeds of signal controllers, and the panel that shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from boards.keys import DeviceKeys, StaleMs, Table
from boards.parts.part import Assembly, Hookup, Part
from boards.wires import MatrixWire, MqttWire, UartWire, UdpWire, Wire
from drivers.units import NS_PER_MS

STALE_MS = 15_000
"""Without messages for so long the display must be dark."""


class Datastream(Table, frozen=True, kw_only=True):
    """A SensorThings datastream of the controller: ``{ id = 7001, group = 4 }``.

    `primary_signal` holds the states of signal `group`; every other layer shows that the controller lives.
    """

    id: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    layer: Literal["primary_signal", "signal_program", "cycle_second", "detector_car", "detector_bike"] = (
        "primary_signal"
    )
    group: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None


class SpatFeed(DeviceKeys, frozen=True, kw_only=True, tag="spat-feed", tag_field="part"):
    """The feed of a signal controller. 15 s without messages is where the display must be dark.

    A feed of "sensorthings" speaks only when something changes: in place of `stale_ms`, `quiet_ms` is for how long a
    state holds without any observation. Without `datastreams` each is a group by its own number, to look around.
    """

    message_format: Literal["spat-xml", "spat-uper", "sensorthings"]
    stale_ms: StaleMs = STALE_MS
    quiet_ms: StaleMs = 120_000
    datastreams: tuple[Datastream, ...] = ()


class Panel(DeviceKeys, frozen=True, kw_only=True, tag="panel", tag_field="part"):
    """An LED panel; its size is that of its matrix wire.

    `full_ma` is what it draws with every LED at full light (4 A for each 32 x 32 where it is left out), `limit_ma` what
    it may draw at 5 V: pictures that want more are dimmed (half of `full_ma` where it is left out).
    """

    full_ma: Annotated[int, msgspec.Meta(ge=100, le=100_000)] | None = None
    limit_ma: Annotated[int, msgspec.Meta(ge=100, le=100_000)] | None = None

    def currents_ma(self, width_px: int, height_px: int) -> tuple[int, int]:
        """(`full_ma`, `limit_ma`) of a panel of this size: ``(12_000, 6_000)`` for 96 x 32."""
        full_ma = self.full_ma or max(100, 4000 * width_px * height_px // 1024)
        return full_ma, self.limit_ma or full_ma // 2


def _spat_feed(board: Assembly, name: str, said: SpatFeed) -> None:
    from drivers.devices.signal_feed import SignalFeed

    observed = said.message_format == "sensorthings"
    wire = board.description.wires[said.wire]
    signals = {stream.id: stream.group for stream in said.datastreams if stream.group is not None}
    board.devices[name] = SignalFeed(
        name,
        board.link(said.wire),
        board.emit,
        message_format=said.message_format,
        station=board.feed_station,
        groups=board.feed_groups,
        stale_ns=(said.quiet_ms if observed else said.stale_ms) * NS_PER_MS,
        topics=isinstance(wire, MqttWire) and wire.topics,
        datastreams=signals if said.datastreams else None,
        alive=frozenset(stream.id for stream in said.datastreams if stream.group is None),
    )


def _spat_findings(said: SpatFeed, wire: Wire) -> Iterator[tuple[str, str]]:
    if said.message_format == "spat-uper" and isinstance(wire, UartWire):
        yield (
            "message_format",
            "binary messages carry no mark where they begin, and a serial wire does not keep them apart; "
            'use message_format = "spat-xml", an mqtt or udp wire, or a memory wire on a bench',
        )
    if said.message_format == "sensorthings":
        if said.stale_ms != STALE_MS:
            yield "stale_ms", "such a feed is silent while nothing changes; use quiet_ms, longer than the longest phase"
        if isinstance(wire, MqttWire) and not wire.topics:
            yield "message_format", f"which datastream it is stands in the topic; add topics = true to wire {said.wire}"
        elif isinstance(wire, UartWire | UdpWire):
            yield "message_format", "observations come by a broker; use an mqtt wire with topics = true"
    elif said.datastreams:
        yield "datastreams", 'only "sensorthings" has datastreams; leave them out'
    seen: dict[object, int] = {}
    for number, stream in enumerate(said.datastreams):
        place = f"datastreams[{number}]"
        if (stream.layer == "primary_signal") != (stream.group is not None):
            yield (
                place,
                "a primary_signal needs the group whose states it holds, like group = 4; other layers have none",
            )
        for key, value in (("id", stream.id), ("group", stream.group)):
            if value is not None and seen.setdefault((key, value), number) != number:
                yield place, f"{key} {value} stands in datastreams[{seen[key, value]}] already"


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
        wire_kinds=("uart", "memory", "mqtt", "udp"),
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
