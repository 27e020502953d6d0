"""SPATEM in UPER as a controller sends it (ETSI TS 103 301): the inverse of drivers.codecs.spat_uper, for peers."""

from __future__ import annotations

from drivers.codecs.spat import SPATEM_ID, Intersection, Movement, Phase

PROTOCOL_VERSION = 2


class _Bits:
    """Bits one behind the other, the most significant first."""

    def __init__(self) -> None:
        self._value = self._width = 0

    def put(self, value: int, width: int) -> None:
        if not 0 <= value < 1 << width:
            raise ValueError(f"{value} does not fit into {width} bits")
        self._value, self._width = self._value << width | value, self._width + width

    def whole(self) -> bytes:
        """Filled up with zeros to a whole byte."""
        pad = -self._width % 8
        return (self._value << pad).to_bytes((self._width + pad) // 8)


def encode_uper(intersection: Intersection) -> bytes:
    """One message; its station is also the sender's.

    Raises ValueError for what the standard has no room for: no group at all or a group without phases, more than 16
    phases, numbers out of range.
    """
    bits = _Bits()
    bits.put(PROTOCOL_VERSION, 8)
    bits.put(SPATEM_ID, 8)
    bits.put(intersection.station, 32)
    bits.put(0, 4)  # SPAT: not extended, no timeStamp, name or regional
    bits.put(0, 5)  # one intersection
    minute, millisecond = intersection.minute_of_year, intersection.timestamp_ms
    bits.put((minute is not None) << 4 | (millisecond is not None) << 3, 7)
    bits.put(0, 1)  # no region
    bits.put(intersection.station, 16)
    bits.put(intersection.revision or 0, 7)
    bits.put(int(f"{intersection.status:016b}"[::-1], 2), 16)  # bit 0 of the standard comes first
    if minute is not None:
        bits.put(minute, 20)
    if millisecond is not None:
        bits.put(millisecond, 16)
    bits.put(len(intersection.groups) - 1, 8)
    for movement in intersection.groups:
        _movement(bits, movement)
    return bits.whole()


def _movement(bits: _Bits, movement: Movement) -> None:
    bits.put(0, 4)
    bits.put(movement.group, 8)
    bits.put(len(movement.phases) - 1, 4)
    for phase in movement.phases:
        _phase(bits, phase)


def _phase(bits: _Bits, phase: Phase) -> None:
    timed = phase.min_end_mark is not None
    bits.put(timed << 2, 4)
    bits.put(phase.state, 4)
    if phase.min_end_mark is None:
        return
    rest = ((phase.max_end_mark, 16), (phase.likely_mark, 16), (phase.confidence, 4))
    bits.put(0, 1)  # no startTime
    for value, _ in rest:
        bits.put(value is not None, 1)
    bits.put(0, 1)  # no nextTime
    bits.put(phase.min_end_mark, 16)
    for value, width in rest:
        if value is not None:
            bits.put(value, width)
