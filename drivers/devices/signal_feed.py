"""A signal controller's feed with a name: messages in, SignalState values out, and a word when it falls silent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from drivers.codecs.spat import Intersection, to_signal_states
from drivers.codecs.spat_uper import SpatUperStream
from drivers.codecs.spat_xml import SpatXmlStream
from drivers.devices.feed_count import FeedCount
from drivers.devices.feed_twins import TwinWatch
from drivers.devices.listener import Listener
from drivers.devices.observed_groups import ObservedGroups
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import SignalState
from drivers.topics import CONNECTION, split_topic

MessageFormat = Literal["spat-xml", "spat-uper", "sensorthings"]

GONE = "the connection to the broker is lost"
"""The reason in DeviceHealth of a feed that speaks only on change, and cannot be heard."""

_WIRE = ("oversize", "retained", "dropped_inward", "strangers", "empty")
"""What a wire may refuse before a feed sees it (drivers.links.mqtt, udp)."""

_STREAMS: dict[str, type[SpatXmlStream] | type[SpatUperStream]] = {
    "spat-xml": SpatXmlStream,
    "spat-uper": SpatUperStream,
}


class SignalFeed(Listener):
    """The messages of one signal controller.

    Emits one SignalState per wanted group and message, in the message's order; a wanted group the message does not
    name comes last, without phases. Emits DeviceHealth not ok when no message of ours came for `stale_ns` (first
    counted from the first `advance`), and ok, before the values, when messages come again. Other stations' messages,
    other types and damaged ones are counted and prove nothing. While two controllers speak under one number
    (feed_twins) the feed is not ok, and that number's values are kept back.

    With "sensorthings" there is one value a change, of one phase without times, and the same again twice a second
    while it holds (observed_groups); the feed is not ok from the moment the connection to the broker is lost, where
    the wire tells, until a next observation.

    Args:
        name: the device's name, the `source` of its values.
        link: the wire; with "spat-uper" and "sensorthings" one message a chunk.
        emit: where values go.
        message_format: "spat-xml" (Münster), "spat-uper" (SAE J2735, ETSI) or "sensorthings" (Hamburg).
        station: the controller's number, e.g. 4070; None takes every station's messages.
        groups: signal groups wanted, e.g. ``frozenset({4})``; None for all.
        stale_ns: silence that counts as lost, e.g. 15 s.
        topics: each chunk has its topic before it (drivers.topics); with "sensorthings" they always have.
        datastreams: of "sensorthings": datastream of a signal to its group; None: each is its own group.
        alive: of "sensorthings": further datastreams that show that the controller lives.
    """

    def __init__(
        self,
        name: str,
        link: ByteLink,
        emit: Emit,
        *,
        message_format: MessageFormat = "spat-xml",
        station: int | None = None,
        groups: frozenset[int] | None = None,
        stale_ns: int = 15_000_000_000,
        topics: bool = False,
        datastreams: Mapping[int, int] | None = None,
        alive: frozenset[int] = frozenset(),
    ) -> None:
        self._observed: ObservedGroups | None = None
        if message_format == "sensorthings":
            self._observed = ObservedGroups(name, station or 0, datastreams, alive, groups)
            self.stream: SpatXmlStream | SpatUperStream | ObservedGroups = self._observed
        else:
            self._spat = self.stream = _STREAMS[message_format](station, groups)
        super().__init__(name, self.stream, emit, stale_ns, "stale")
        self._groups = sorted(groups or ())
        self._topics = topics
        self._twins, self._count = TwinWatch(), FeedCount()
        self._wire_counters: Callable[[], dict[str, int]] = getattr(link, "counters", dict)
        link.receiver = self.on_bytes
        link.repeat_receiver = self.on_repeat

    @property
    def messages(self) -> int:
        """Messages of ours."""
        return self.stream.messages

    @property
    def bad(self) -> int:
        """Damaged messages, and such without what is mandatory."""
        return self.stream.bad_messages

    @property
    def skipped_bytes(self) -> int:
        """Bytes of damaged messages and between messages."""
        return self.stream.skipped_bytes

    @property
    def other_station(self) -> int:
        """Sound messages of other stations."""
        return self.stream.other_stations

    @property
    def other_messages(self) -> int:
        """Sound messages of other types, such as MAPEM."""
        return self.stream.other_messages

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """Bytes came; values leave at once."""
        if self._observed is not None:
            self._observe(self._observed, data, t_ns)
            return
        topic = ""
        if self._topics:
            topic, data = split_topic(data)
            if topic == CONNECTION:
                return  # 10 messages a second prove more
        for intersection in self._spat.feed(data):
            self._count.heard(t_ns)
            self._count.look(intersection)
            doubt = self._twins.look(intersection, t_ns, topic)
            if any_doubt := doubt or self._twins.doubt(t_ns):
                self.frames += 1
                self._faulty(t_ns, any_doubt)
            else:
                self._heard(t_ns)
            if not doubt:
                for state in self._states(intersection, t_ns):
                    self._emit(state)

    def _states(self, intersection: Intersection, t_ns: int) -> list[SignalState]:
        states = to_signal_states(intersection, t_ns, self.name)
        if len(states) < len(self._groups):
            there = {state.group for state in states}
            for group in self._groups:
                if group not in there:
                    status = intersection.status
                    states.append(SignalState(t_ns, self.name, intersection.station, group, status, None, ()))
        return states

    def _observe(self, observed: ObservedGroups, chunk: bytes, t_ns: int) -> None:
        states = observed.take(chunk, t_ns)
        if states is not None:
            self._count.heard(t_ns)
            self._heard(t_ns)
            for state in states:
                self._emit(state)
        elif observed.gone:
            self._is_wrong(t_ns, GONE)
        self.wake_ns = self._due_ns()

    def _due_ns(self) -> int:
        due_ns = super()._due_ns()
        return due_ns if self._observed is None else min(due_ns, self._observed.wake_ns)

    def advance(self, now_ns: int) -> None:
        """Notice silence; tell again what still holds."""
        if now_ns < self.wake_ns:
            return
        super().advance(now_ns)
        if self._observed is not None:
            if self._trouble:
                self._observed.forget()
            for state in self._observed.repeat(now_ns):
                self._emit(state)
            self.wake_ns = self._due_ns()

    def on_repeat(self, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """The same chunk `count` times, evenly spread: each is a message with a clock that stands still."""
        step_ns = (last_ns - first_ns) // (count - 1) if count > 1 else 0
        for n in range(count):
            self.on_bytes(frame, first_ns + n * step_ns)

    def counters(self) -> dict[str, int]:
        """Since the start: messages of ours, what was refused (by reason) and what was odd (feed_count).

        `per_minute` is how many came in the last whole minute, `twins` how often two controllers spoke as one;
        ``wire_oversize`` and the like are what the wire refused before.
        """
        stream, wire = self.stream, self._wire_counters()
        counted = super().counters() | {
            "per_minute": self._count.per_minute,
            "bad_frames": stream.bad_messages,
            "other_messages": stream.other_messages,
            "other_station": stream.other_stations,
            "twins": self._twins.evidence,
        }
        return (
            counted
            | {f"bad_{kind}": n for kind, n in sorted(stream.reasons.items())}
            | {f"wire_{kind}": wire[kind] for kind in _WIRE if wire.get(kind)}
            | self._count.odd
        )

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return super().snapshot() | {"twins": self._twins.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        self._twins.restore(state["twins"])
