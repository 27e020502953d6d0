"""The far end's side of SPATEM XML: writes what Münster's controllers write, byte for byte but for the values.

Two spaces a level, one element a line, no line end behind the last; fields that are None are left out. The first phase
with a timing carries the empty regional block the real messages have.
"""

from __future__ import annotations

from drivers.codecs.spat import SPATEM_ID, STATUS_BITS, Intersection, Movement, Phase

_REGIONAL = """\
                <regional>
                  <RegionalExtension>
                    <regionId>3</regionId>
                    <regExtValue/>
                  </RegionalExtension>
                </regional>
"""
_TAIL = "        </states>\n      </IntersectionState>\n    </intersections>\n  </SPAT>\n</DATA>"


class SpatXmlEncoder:
    """Writes messages of one controller. `name` is the IntersectionState's, `region` the road regulator's number.

    What has not changed since the last message is not written anew, so that ten messages a second cost little.
    """

    def __init__(self, name: str = "", region: int = 49, message_id: int = SPATEM_ID) -> None:
        self._name, self._region, self._message_id = name, region, message_id
        self._head: tuple[tuple[int, int | None, int], str] | None = None
        self._movements: dict[int, tuple[Movement, str]] = {}

    def encode(self, intersection: Intersection) -> bytes:
        """One message of `intersection`, e.g. 33 kB for 18 groups of four phases."""
        parts = [self._head_of(intersection)]
        if intersection.minute_of_year is not None:
            parts.append(f"        <moy>{intersection.minute_of_year}</moy>\n")
        if intersection.timestamp_ms is not None:
            parts.append(f"        <timeStamp>{intersection.timestamp_ms}</timeStamp>\n")
        parts.append("        <states>\n")
        for movement in intersection.groups:
            known = self._movements.get(movement.group)
            if known is None or known[0] != movement:
                known = self._movements[movement.group] = movement, _movement(movement)
            parts.append(known[1])
        parts.append(_TAIL)
        return "".join(parts).encode()

    def _head_of(self, intersection: Intersection) -> str:
        key = intersection.station, intersection.revision, intersection.status
        if self._head is None or self._head[0] != key:
            self._head = key, self._write_head(intersection)
        return self._head[1]

    def _write_head(self, intersection: Intersection) -> str:
        station = intersection.station
        name = self._name or f"Ms_{station:05d}"
        revision = "" if intersection.revision is None else f"        <revision>{intersection.revision}</revision>\n"
        bits = "".join(
            f"          <IntersectionStatusObject.{bit}>{intersection.status >> number & 1}"
            f"</IntersectionStatusObject.{bit}>\n"
            for number, bit in enumerate(STATUS_BITS)
        )
        return (
            f'<?xml version="1.0"?>\n<DATA>\n  <ItsPduHeader>\n    <protocolVersion>2</protocolVersion>\n'
            f"    <messageID>{self._message_id}</messageID>\n    <stationID>{station}</stationID>\n"
            f"  </ItsPduHeader>\n  <SPAT>\n    <name>2.3.0</name>\n    <intersections>\n      <IntersectionState>\n"
            f"        <name>{name}</name>\n        <id>\n          <region>{self._region}</region>\n"
            f"          <id>{station}</id>\n        </id>\n{revision}        <status>\n{bits}        </status>\n"
        )


def _movement(movement: Movement) -> str:
    events = []
    regional = _REGIONAL
    for phase in movement.phases:
        timing = _timing(phase)
        events.append(
            f"              <MovementEvent>\n                <eventState>{phase.state}</eventState>\n"
            f"{timing}{regional if timing else ''}              </MovementEvent>\n"
        )
        if timing:
            regional = ""
    return (
        f"          <MovementState>\n            <movementName>{movement.group}</movementName>\n"
        f"            <signalGroup>{movement.group}</signalGroup>\n            <state_time_speed>\n"
        f"{''.join(events)}            </state_time_speed>\n          </MovementState>\n"
    )


def _timing(phase: Phase) -> str:
    fields = (
        ("minEndTime", phase.min_end_mark),
        ("maxEndTime", phase.max_end_mark),
        ("likelyTime", phase.likely_mark),
        ("confidence", phase.confidence),
    )
    lines = [f"                  <{name}>{value}</{name}>\n" for name, value in fields if value is not None]
    return f"                <timing>\n{''.join(lines)}                </timing>\n" if lines else ""
