"""The signal feed of a recording: found, read by the board's own device, and disturbed on its way to the display."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from boards.build import build
from boards.parts import part_name
from boards.schema import BoardDescription
from drivers.codecs.spat_xml import MessageCutter
from drivers.devices.signal_feed import SignalFeed
from drivers.errors import InputError
from drivers.interfaces import ByteLink, Emit
from drivers.links.memory import memory_pair
from drivers.quantities import Quantity, SignalState
from drivers.recording.events import Event, Repeated, Wire, WireBytes
from drivers.recording.reader import TraceReader
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.flight_file import read_flight
from hil.score_truth import GroupHistory, StationClock
from hil.traffic.chance import between, draw

CONTENTS = ("spat-xml", "spat-uper", "sensorthings")
"""What a wire with a signal feed carries, as traces name it."""

LONGEST_NS = {"spat-xml": 2 * NS_PER_S, "spat-uper": 2 * NS_PER_S, "sensorthings": 300 * NS_PER_S}
"""A longer silence in a recording leaves open what the signal did meanwhile."""

_PER_MYRIAD = 10_000


class Disturbance(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to messages on their way. All of it is drawn by `seed` and the number of the message.

    `delay_ms`: each is late by 0 to so much, all values as likely; they overtake each other. `loss_pct`: of the
    messages, so many are lost. `outages`: (seconds, second of the recording): all messages sent in it are lost.
    """

    delay_ms: int = 0
    loss_pct: float = 0.0
    outages: tuple[tuple[float, float], ...] = ()
    seed: int = 0

    def __bool__(self) -> bool:
        return bool(self.delay_ms or self.loss_pct or self.outages)

    def arrival_ns(self, number: int, t_ns: int, first_ns: int) -> int | None:
        """When message `number`, sent at `t_ns`, arrives; None if it is lost. `first_ns`: the recording's beginning."""
        since_ns = t_ns - first_ns
        if any(at_s <= since_ns / NS_PER_S < at_s + long_s for long_s, at_s in self.outages):
            return None
        if draw(self.seed, number, 1) % _PER_MYRIAD < round(self.loss_pct * 100):
            return None
        return t_ns + between(draw(self.seed, number, 2), 0, self.delay_ms * NS_PER_MS)

    @property
    def words(self) -> str:
        """For people, e.g. ``"0 to 300 ms late, 10 % lost, 2 s lost at 60 s"``."""
        said = [f"0 to {self.delay_ms} ms late"] if self.delay_ms else []
        said += [f"{self.loss_pct:g} % lost"] if self.loss_pct else []
        said += [f"{long_s:g} s lost at {at_s:g} s" for long_s, at_s in self.outages]
        return ", ".join(said)


def link_of(name: str, feed: ByteLink, feed_wire: str) -> ByteLink:
    """`feed` for the feed's wire, a loose end for every other."""
    return feed if name == feed_wire else memory_pair(name)[0]


class RecordedFeed:
    """The wire of a trace that carries a signal feed. Raises InputError where there is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = TraceReader(path)
        self.wire = self._find()
        self.board: BoardDescription | None = read_flight(self._reader).board if self._reader.controller else None
        """What a flight recorder's file says of the board it was recorded on."""
        self.histories: dict[tuple[int, int], GroupHistory] = {}
        self.first_ns, self.last_ns = FOREVER_NS, 0
        self.messages = 0

    @property
    def message_format(self) -> str:
        """As a board file names it, e.g. ``"spat-uper"``."""
        return self.wire.content

    @property
    def note(self) -> str:
        """Where the recording ends early or is damaged; empty if all is well."""
        return self._reader.note

    @property
    def origin_utc_ns(self) -> int:
        """Wall time at the recording's 0."""
        return self._reader.provenance.base_ns

    def _find(self) -> Wire:
        wires = self._reader.wires
        for wire in wires:
            if wire.content in CONTENTS:
                return wire
        listed = ", ".join(f"{wire.board}/{wire.name} ({wire.content})" for wire in wires)
        if not listed:
            raise InputError(f"{self.path}: holds nothing to score: {self._reader.note or 'no wires'}")
        raise InputError(
            f"{self.path}: no wire with a signal feed; its wires: {listed}; "
            "score a recording of a display, or import one with leeze-hil import spat-xml, spat-hex or phases"
        )

    def events(self) -> Iterator[WireBytes]:
        """What came in, in the order it was recorded. A repeated chunk is told as often as it came."""
        name = f"{self.wire.board}/{self.wire.name}"
        for event in TraceReader(self.path).events([f"/wire/{name}/rx", f"/idle/{name}"]):
            if isinstance(event, WireBytes):
                yield event
            elif isinstance(event, Repeated):
                step_ns = (event.last_ns - event.first_ns) // (event.count - 1) if event.count > 1 else 0
                for n in range(event.count):
                    t_ns = event.first_ns + n * step_ns
                    yield WireBytes(t_ns, event.board, event.wire, False, event.frame)

    def read(self) -> None:
        """Learn what every group did. Raises InputError for a feed without any group that works."""
        near, far = memory_pair("feed")
        inbox: list[Quantity] = []
        feed = self._device(near, inbox.append)
        clocks: dict[int, StationClock] = {}
        longest_ns = LONGEST_NS[self.message_format]
        for event in self.events():
            far.write(event.data, event.t_ns)
            self.first_ns, self.last_ns = min(self.first_ns, event.t_ns), max(self.last_ns, event.t_ns)
            self._take(inbox, clocks, longest_ns)
            inbox.clear()
        self.messages = feed.messages
        if not any(history.working for history in self.histories.values()):
            raise InputError(
                f"{self.path}: {self.messages} messages on {self.wire.board}/{self.wire.name}, "
                "none with a signal group that shows red, green or amber"
            )

    def _device(self, link: ByteLink, emit: Emit) -> SignalFeed:
        """The board's own, for all stations and groups; without a board the plain one for the wire's content."""
        feed_wire = self.wire.name
        if self.board is not None:
            for name, said in self.board.devices.items():
                if said.wire == feed_wire and part_name(said) == "spat-feed":
                    device = build(self.board, emit=emit, link_for=lambda wire, what: link_of(wire, link, feed_wire))
                    found = device.devices[name]
                    assert isinstance(found, SignalFeed)
                    return found
        return SignalFeed("feed", link, emit, message_format=self.message_format)  # type: ignore[arg-type]

    def _take(self, values: list[Quantity], clocks: dict[int, StationClock], longest_ns: int) -> None:
        stamps: dict[int, int | None] = {}
        for value in values:
            if not isinstance(value, SignalState):
                continue
            station = value.station
            clock = clocks.get(station)
            if clock is None:
                clock = clocks[station] = StationClock()
            if station not in stamps:
                stamps[station] = clock.stamp_ns(value.t_ns, value.message_ms)
            key = station, value.group
            history = self.histories.get(key)
            if history is None:
                history = self.histories[key] = GroupHistory(clock, longest_ns)
            history.add(value, stamps[station])

    def disturbed(self, disturbance: Disturbance) -> Iterator[Event]:
        """The same messages as they arrive at the display, each whole; not in order of time."""
        if not disturbance:
            yield from self.events()
            return
        first_ns = self.first_ns
        for number, event in enumerate(self._whole()):
            t_ns = disturbance.arrival_ns(number, event.t_ns, first_ns)
            if t_ns is not None:
                yield WireBytes(t_ns, event.board, event.wire, False, event.data)

    def _whole(self) -> Iterator[WireBytes]:
        """Whole messages: XML may have been recorded in pieces."""
        if self.message_format != "spat-xml":
            yield from self.events()
            return
        cutter = MessageCutter()
        for event in self.events():
            for piece in cutter.feed(event.data):
                yield WireBytes(event.t_ns, event.board, event.wire, False, piece)
