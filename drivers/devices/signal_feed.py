"""A signal controller's feed with a name: SPAT messages in, SignalState values out, and a word when it falls silent."""

from __future__ import annotations

from typing import Literal

from drivers.codecs.spat import Intersection, to_signal_states
from drivers.codecs.spat_uper import SpatUperStream
from drivers.codecs.spat_xml import SpatXmlStream
from drivers.devices.listener import Listener
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import SignalState

MessageFormat = Literal["spat-xml", "spat-uper"]

_STREAMS: dict[str, type[SpatXmlStream] | type[SpatUperStream]] = {
    "spat-xml": SpatXmlStream,
    "spat-uper": SpatUperStream,
}


class SignalFeed(Listener):
    """The messages of one signal controller.

    Emits one SignalState per wanted group and message, in the message's order; a wanted group the message does not
    name comes last, without phases. Emits DeviceHealth not ok when no message of ours came for `stale_ns` (first
    counted from the first `advance`), and ok, before the values, when messages come again. Other stations' messages,
    other types and damaged ones are counted and prove nothing.

    Args:
        name: the device's name, the `source` of its values.
        link: the wire; with "spat-uper" one message a chunk.
        emit: where values go.
        message_format: "spat-xml" (Münster) or "spat-uper" (SAE J2735, ETSI).
        station: the controller's number, e.g. 4070; None takes every station's messages.
        groups: signal groups wanted, e.g. ``frozenset({4})``; None for all.
        stale_ns: silence that counts as lost, e.g. 15 s.
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
    ) -> None:
        self.stream = _STREAMS[message_format](station, groups)
        super().__init__(name, self.stream, emit, stale_ns, "stale")
        self._groups = sorted(groups or ())
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
        for intersection in self.stream.feed(data):
            self._heard(t_ns)
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

    def on_repeat(self, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """The same chunk `count` times, evenly spread: each is a message with a clock that stands still."""
        step_ns = (last_ns - first_ns) // (count - 1) if count > 1 else 0
        for n in range(count):
            self.on_bytes(frame, first_ns + n * step_ns)
