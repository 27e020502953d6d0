"""SPATEM XML as a byte stream: one message after the other, as Münster's controllers publish them.

`SpatXmlDecoder` (drivers.codecs.spat_xml_message) reads one message, `SpatXmlStream` finds messages among bytes,
`SpatXmlEncoder` (drivers.codecs.spat_xml_encoder) is the far end's side.

A message ends with ``</DATA>``; what stands between two such ends is one piece of the stream. So the pieces, and with
them the events and counts, do not depend on how the bytes were cut. (``</DATA>`` inside a comment would end a message
early. No controller writes that; it costs one message.)
"""

from __future__ import annotations

import re
from typing import Any

from drivers.codecs.spat import (
    MAX_MESSAGE_BYTES,
    PHASE_STATES,
    DocumentTypeRefused,
    Intersection,
    OtherMessage,
    OtherStation,
    SpatError,
    to_signal_states,
)
from drivers.codecs.spat_xml_encoder import SpatXmlEncoder
from drivers.codecs.spat_xml_message import SpatXmlDecoder

__all__ = ["MessageCutter", "SpatXmlDecoder", "SpatXmlEncoder", "SpatXmlStream", "decode_events"]

_END = b"</DATA"
_MAX_BLANKS = 16
_END_REST = re.compile(rb"[ \t\r\n]{0,%d}>" % _MAX_BLANKS)
_FIRST = re.compile(rb"<\?xml[ \t\r\n]|<!--|<!DOCTYPE|<DATA[ \t\r\n/>]")
_DECLARED = re.compile(rb"<\?xml[ \t\r\n][^<>]*\?>[ \t\r\n]*<DATA[ \t\r\n/>]")
_ROOT = re.compile(rb"<DATA[ \t\r\n/>]")


class MessageCutter:
    """Cuts a stream behind every ``</DATA>``. Holds at most 256 kB: of a longer piece the beginning is dropped."""

    def __init__(self) -> None:
        self.dropped_bytes = 0
        self._buffer = bytearray()

    @property
    def pending(self) -> bytes:
        """What waits for its end."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces that are complete with `data`. Together with what is pending or dropped they are the stream."""
        known = len(self._buffer)
        stream: bytes | bytearray = data
        if known:
            self._buffer += data
            stream = self._buffer
        pieces, start = [], 0
        at = stream.find(_END, max(0, known - len(_END) - _MAX_BLANKS))
        while at >= 0:
            at += len(_END)
            if (rest := _END_REST.match(stream, at)) is not None:
                at = rest.end()
                cut = max(start, at - MAX_MESSAGE_BYTES)
                self.dropped_bytes += cut - start
                pieces.append(bytes(stream[cut:at]))
                start = at
            at = stream.find(_END, at)
        if not known:
            self._buffer += data[start:]
        elif start:
            del self._buffer[:start]
        if (excess := len(self._buffer) - MAX_MESSAGE_BYTES) > 0:
            self.dropped_bytes += excess
            del self._buffer[:excess]
        return pieces

    def finish(self) -> bytes:
        """The stream has ended: what waited for an end that never came."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest


class SpatXmlStream:
    """Finds messages in a byte stream. Never raises; holds at most 256 kB; counts what it could not use.

    `messages` of ours, `bad_messages` that are damaged or lack what is mandatory, `other_messages` of another type
    (MAPEM), `other_stations`; `skipped_bytes` are bytes outside messages and those of bad ones.
    """

    def __init__(self, station: int | None = None, groups: frozenset[int] | None = None) -> None:
        self.messages = self.bad_messages = self.other_messages = self.other_stations = 0
        self.reasons: dict[str, int] = {}
        """Why pieces led to nothing, by SpatError.kind. For people; not in a snapshot."""
        self._skipped = self._dropped_before = 0
        self._cutter = MessageCutter()
        self._decoder = SpatXmlDecoder(groups, station)

    @property
    def skipped_bytes(self) -> int:
        """Bytes that led to nothing; white space between messages is not counted."""
        return self._skipped + self._cutter.dropped_bytes

    def feed(self, data: bytes) -> list[Intersection]:
        """Intersections of all messages that are complete with `data`."""
        found: list[Intersection] = []
        pieces = self._cutter.feed(data)
        if pieces and self._cutter.dropped_bytes > self._dropped_before:
            self._dropped_before = self._cutter.dropped_bytes
            self.reasons["oversize"] = self.reasons.get("oversize", 0) + 1
        for piece in pieces:
            found += self._read(piece)
        return found

    def finish(self) -> None:
        """The stream has ended: count what waited for its end."""
        self._skip(self._cutter.finish())

    def _read(self, piece: bytes) -> tuple[Intersection, ...]:
        first = _FIRST.search(piece)
        if first is None:
            self._skip(piece)
            return ()
        start = first.start()
        self._skip(piece[:start])
        try:
            return self._decode(piece[start:] if start else piece)
        except SpatError as error:
            self.reasons[error.kind] = self.reasons.get(error.kind, 0) + 1
            again = _restart(piece, start, error)
        found: tuple[Intersection, ...] = ()
        if again < len(piece):
            try:
                found = self._decode(piece[again:])
            except SpatError:
                again = len(piece)
        self._skip(piece[start:again])
        return found

    def _decode(self, message: bytes) -> tuple[Intersection, ...]:
        try:
            found = self._decoder.decode(message)
        except OtherMessage:
            self.other_messages += 1
            return ()
        except OtherStation:
            self.other_stations += 1
            return ()
        self.messages += 1
        return found

    def _skip(self, piece: bytes) -> None:
        if body := piece.lstrip():  # blanks between messages belong there
            self._skipped += len(body)
            self.bad_messages += _FIRST.search(body) is not None

    def snapshot(self) -> dict[str, Any]:
        """State as JSON-able values."""
        return {
            "pending": self._cutter.pending.decode("latin-1"),
            "dropped_bytes": self._cutter.dropped_bytes,
            "skipped_bytes": self._skipped,
            "messages": self.messages,
            "bad_messages": self.bad_messages,
            "other_messages": self.other_messages,
            "other_stations": self.other_stations,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._cutter = MessageCutter()
        self._cutter.feed(state["pending"].encode("latin-1"))
        self._cutter.dropped_bytes = self._dropped_before = state["dropped_bytes"]
        self._skipped = state["skipped_bytes"]
        self.messages, self.bad_messages = state["messages"], state["bad_messages"]
        self.other_messages, self.other_stations = state["other_messages"], state["other_stations"]


def _restart(piece: bytes, start: int, refused: SpatError) -> int:
    """Where a whole message may begin behind the remains of a cut one; the piece's end for nowhere.

    One retry, at the last beginning: trying each would take time that grows with the square of the rubbish. Behind a
    document type only a new XML declaration counts, or its own root would slip in without it.
    """
    own = _DECLARED.match(piece, start) or _ROOT.match(piece, start)
    behind = own.end() if own else start + 1
    begins = [match.start() for match in _DECLARED.finditer(piece, behind)]
    if not begins and not isinstance(refused, DocumentTypeRefused):
        begins = [match.start() for match in _ROOT.finditer(piece, behind)]
    return begins[-1] if begins else len(piece)


def decode_events(data: bytes) -> tuple[list[dict[str, object]], int]:
    """For the command line: JSON-able signal states of a whole recording, and how many bytes were skipped.

    The times of the running phase stand beside `phases`, all in milliseconds from the message's own time
    (`message_ms`, since the start of the UTC year).
    """
    stream = SpatXmlStream()
    events = [event for found in stream.feed(data) for event in signal_state_events(found)]
    stream.finish()
    return events, stream.skipped_bytes


def signal_state_events(intersection: Intersection) -> list[dict[str, object]]:
    """One intersection as JSON-able dicts, one a signal group."""
    events = []
    for state in to_signal_states(intersection, 0, ""):
        phases: list[dict[str, object]] = [
            {
                "state": phase.state,
                "state_name": PHASE_STATES[phase.state],
                "min_end_ms": phase.min_end_ms,
                "max_end_ms": phase.max_end_ms,
                "likely_ms": phase.likely_ms,
                "confidence_pct": phase.confidence_pct,
            }
            for phase in state.phases
        ]
        running = phases[0] if phases else {}
        head = {"type": "signal_state", "station": state.station, "group": state.group, "status": state.status}
        events.append({**head, "message_ms": state.message_ms, **running, "phases": phases})
    return events
