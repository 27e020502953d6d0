"""SPAT in unaligned PER: SAE J2735 MessageFrame and ETSI SPATEM. Reads the fields we need and steps over the rest.

Two outer shapes (SAE J2735, DSRCmsgID 19; ETSI TS 103 301, ItsPduHeader messageID 4), told apart by the first byte::

    J2735  00 13 | length 1 or 2 bytes | SPAT            0 extension bit, 15 bits messageId, open type
    ETSI   protocolVersion u8 | messageID u8 | stationID u32 | SPAT

SPAT is read as in ISO/TS 19091, which both share. Framing: one message a chunk, nothing behind it. A message that does
not end in its last byte is refused; so is one above 8 kB, as every one of them fits into one radio packet.

Example: ``00134c42 6a16 0180...`` is a frame of 0x4c bytes, SPAT.timeStamp 158230.
"""

from __future__ import annotations

from typing import Any

from drivers.codecs.spat import (
    PHASE_STATES,
    SPATEM_ID,
    Intersection,
    Movement,
    OtherMessage,
    OtherStation,
    Phase,
    SpatError,
)

J2735_SPAT_ID = 19
MAX_CHUNK_BYTES = 8192

_ETSI_HEADER_BITS = 48


class _Bits:
    """A cursor over bits, the most significant first. Reading past the end raises SpatError."""

    __slots__ = ("_left", "_value")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data)
        self._left = len(data) * 8

    @property
    def left(self) -> int:
        return self._left

    def take(self, width: int) -> int:
        """The next `width` bits as a number."""
        left = self._left - width
        if left < 0:
            raise SpatError("the message ends too early")
        self._left = left
        return self._value >> left & (1 << width) - 1

    def skip(self, width: int) -> None:
        self._left -= width
        if self._left < 0:
            raise SpatError("the message ends too early")

    def skip_open_type(self) -> None:
        """A length in bytes, then as many bytes. Fragments (16 kB and more) cannot fit."""
        length = self.take(8)
        if length & 0x80:
            if length & 0x40:
                raise SpatError("a fragmented length")
            length = (length & 0x3F) << 8 | self.take(8)
        self.skip(length * 8)

    def skip_extensions(self) -> None:
        """Additions of later editions, behind a sequence whose extension bit was set."""
        if self.take(1):
            raise SpatError("more than 64 extensions")
        present = self.take(self.take(6) + 1)
        for _ in range(present.bit_count()):
            self.skip_open_type()

    def skip_regional(self) -> None:
        """SEQUENCE (SIZE(1..4)) OF RegionalExtension: regionId u8, open type."""
        for _ in range(self.take(2) + 1):
            self.skip(8)
            self.skip_open_type()

    def skip_name(self) -> None:
        """DescriptiveName, IA5String (SIZE(1..63))."""
        self.skip((self.take(6) + 1) * 7)


class SpatUperDecoder:
    """Decodes whole messages. `groups` limits what is handed on, `station` whose intersections are; None for all.

    The station is the intersection's id: J2735 names no sender, and a SPATEM may be sent for several intersections.
    """

    def __init__(self, groups: frozenset[int] | None = None, station: int | None = None) -> None:
        self._groups, self._station = groups, station

    def decode(self, message: bytes) -> tuple[Intersection, ...]:
        """All intersections of one message. Raises SpatError, OtherMessage, OtherStation."""
        if len(message) > MAX_CHUNK_BYTES:
            raise SpatError(f"longer than {MAX_CHUNK_BYTES} bytes", MAX_CHUNK_BYTES)
        bits = _open(message)
        found, other = [], 0
        try:
            for intersection in _spat(bits, self._groups):
                if self._station in (None, intersection.station):
                    found.append(intersection)
                else:
                    other = intersection.station
        except SpatError as error:
            raise SpatError(error.reason, len(message) - max(bits.left, 0) // 8) from None
        if bits.left > 7:
            raise SpatError("more behind the message", len(message) - bits.left // 8)
        if not found:
            raise OtherStation(other)
        return tuple(found)


def _open(message: bytes) -> _Bits:
    """A cursor at the start of SPAT."""
    if len(message) < 4:
        raise SpatError("too short for a header", len(message))
    if message[0]:  # a protocolVersion: ETSI
        if message[1] != SPATEM_ID:
            raise OtherMessage(message[1])
        bits = _Bits(message)
        bits.skip(_ETSI_HEADER_BITS)
        return bits
    if message[1] != J2735_SPAT_ID:
        raise OtherMessage(message[1])
    length, start = message[2], 3
    if length & 0x80:
        length, start = (length & 0x3F) << 8 | message[3], 4
    if message[2] >= 0xC0 or length != len(message) - start:
        raise SpatError(f"length {length}, but {len(message) - start} bytes follow", 2)
    return _Bits(message[start:])


def _spat(bits: _Bits, groups: frozenset[int] | None) -> list[Intersection]:
    extended, has_minute, has_name, has_regional = bits.take(1), bits.take(1), bits.take(1), bits.take(1)
    minute = bits.take(20) if has_minute else None
    if has_name:
        bits.skip_name()
    found = [_intersection(bits, minute, groups) for _ in range(bits.take(5) + 1)]
    if has_regional:
        bits.skip_regional()
    if extended:
        bits.skip_extensions()
    return found


def _intersection(bits: _Bits, spat_minute: int | None, groups: frozenset[int] | None) -> Intersection:
    flags = bits.take(7)  # extended, name, moy, timeStamp, enabledLanes, maneuverAssistList, regional
    if flags & 0x20:
        bits.skip_name()
    if bits.take(1):
        bits.skip(16)  # region
    station, revision, status = bits.take(16), bits.take(7), bits.take(16)
    minute = bits.take(20) if flags & 0x10 else spat_minute
    millisecond = bits.take(16) if flags & 0x08 else None
    if flags & 0x04:
        bits.skip((bits.take(4) + 1) * 8)  # enabledLanes
    movements = []
    for _ in range(bits.take(8) + 1):
        movement = _movement(bits)
        if groups is None or movement.group in groups:
            movements.append(movement)
    if flags & 0x02:
        _skip_assists(bits)
    if flags & 0x01:
        bits.skip_regional()
    if flags & 0x40:
        bits.skip_extensions()
    # bit 0 of the standard comes first on the wire, and lies lowest in ours
    mask = int(f"{status:016b}"[::-1], 2)
    return Intersection(station, revision, mask, minute, millisecond, tuple(movements))


def _movement(bits: _Bits) -> Movement:
    flags = bits.take(4)  # extended, movementName, maneuverAssistList, regional
    if flags & 0x4:
        bits.skip_name()
    group = bits.take(8)
    phases = tuple([_phase(bits) for _ in range(bits.take(4) + 1)])
    if flags & 0x2:
        _skip_assists(bits)
    if flags & 0x1:
        bits.skip_regional()
    if flags & 0x8:
        bits.skip_extensions()
    return Movement(group, phases)


def _phase(bits: _Bits) -> Phase:
    flags = bits.take(4)  # extended, timing, speeds, regional
    state = bits.take(4)
    if state >= len(PHASE_STATES):
        raise SpatError(f"eventState {state}: 0 to 9")
    min_end = max_end = likely = confidence = None
    if flags & 0x4:
        given = bits.take(5)  # startTime, maxEndTime, likelyTime, confidence, nextTime; minEndTime always
        if given & 0x10:
            bits.skip(16)
        min_end = bits.take(16)
        max_end = bits.take(16) if given & 0x08 else None
        likely = bits.take(16) if given & 0x04 else None
        confidence = bits.take(4) if given & 0x02 else None
        if given & 0x01:
            bits.skip(16)
    if flags & 0x2:
        for _ in range(bits.take(4) + 1):
            _skip_speed(bits)
    if flags & 0x1:
        bits.skip_regional()
    if flags & 0x8:
        bits.skip_extensions()
    return Phase(state, min_end, max_end, likely, confidence)


def _skip_speed(bits: _Bits) -> None:
    """AdvisorySpeed: type, then speed, confidence, distance, class and regional, each optional."""
    flags = bits.take(6)
    bits.skip(7 if bits.take(1) else 2)  # type: a later edition's number, or one of four
    bits.skip(9 * (flags >> 4 & 1) + 3 * (flags >> 3 & 1) + 14 * (flags >> 2 & 1) + 8 * (flags >> 1 & 1))
    if flags & 0x01:
        bits.skip_regional()
    if flags & 0x20:
        bits.skip_extensions()


def _skip_assists(bits: _Bits) -> None:
    """ManeuverAssistList: connectionID, then two lengths, two booleans and regional, each optional."""
    for _ in range(bits.take(4) + 1):
        flags = bits.take(6)
        bits.skip(8 + 14 * (flags >> 4 & 1) + 14 * (flags >> 3 & 1) + (flags >> 2 & 1) + (flags >> 1 & 1))
        if flags & 0x01:
            bits.skip_regional()
        if flags & 0x20:
            bits.skip_extensions()


class SpatUperStream:
    """The shape of a stream for messages that come one a chunk. Never raises; counts what it could not use."""

    def __init__(self, station: int | None = None, groups: frozenset[int] | None = None) -> None:
        self.messages = self.bad_messages = self.other_messages = self.other_stations = self.skipped_bytes = 0
        self.reasons: dict[str, int] = {}
        """Bad messages by SpatError.kind. For people; not in a snapshot."""
        self._decoder = SpatUperDecoder(groups, station)

    def feed(self, data: bytes) -> list[Intersection]:
        """The intersections of one message."""
        try:
            found = self._decoder.decode(data)
        except OtherMessage:
            self.other_messages += 1
        except OtherStation:
            self.other_stations += 1
        except SpatError as error:
            self.bad_messages += 1
            self.reasons[error.kind] = self.reasons.get(error.kind, 0) + 1
            self.skipped_bytes += len(data)
        else:
            self.messages += 1
            return list(found)
        return []

    def finish(self) -> None:
        """The stream has ended; nothing is ever pending."""

    def snapshot(self) -> dict[str, Any]:
        """State as JSON-able values."""
        return {
            "messages": self.messages,
            "bad_messages": self.bad_messages,
            "other_messages": self.other_messages,
            "other_stations": self.other_stations,
            "skipped_bytes": self.skipped_bytes,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.messages, self.bad_messages = state["messages"], state["bad_messages"]
        self.other_messages, self.other_stations = state["other_messages"], state["other_stations"]
        self.skipped_bytes = state["skipped_bytes"]
