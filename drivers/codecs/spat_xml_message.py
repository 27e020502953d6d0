"""SPATEM written as XML, the way Münster's signal controllers publish it.

Shape (values are decimal numbers as text; what stands in brackets may be missing)::

    DATA
      ItsPduHeader / messageID, stationID
      SPAT [ timeStamp ] / intersections / IntersectionState
        [ id / id ] [ revision ] status / IntersectionStatusObject.<name> [ moy ] [ timeStamp ]
        states / MovementState
          signalGroup
          state_time_speed / MovementEvent
            eventState [ timing [ minEndTime ] [ maxEndTime ] [ likelyTime ] [ confidence ] ] [ regional ]

Names are compared without their namespace. Of elements with the same name the first counts, and of an element's text
what stands before its first child; unknown elements are passed over. An empty optional element is an absent one. A
document type declaration is refused before anything in it is expanded. The groups nobody asked for are checked for
well-formedness only.

Speed. Consecutive messages of a controller differ in their digits and in nothing else. So the decoder remembers the
shapes it has seen: a message without its digits. If the rest of a new message equals that of one that was parsed whole,
and no digit stands inside a tag, then it is well-formed exactly as that one was, and every number stands in the same
place in the row of all numbers. What could break this reasoning (comments, CDATA, entities, processing instructions,
other encodings, letters beyond ASCII, a ``>`` in a text) is never remembered, and takes the long way through a full
parser every time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple
from xml.etree import ElementTree
from xml.parsers import expat

from drivers.codecs.spat import (
    CONFIDENCE_PCT,
    MAX_MESSAGE_BYTES,
    PHASE_STATES,
    SPATEM_ID,
    STATUS_BITS,
    DocumentTypeRefused,
    Intersection,
    Movement,
    OtherMessage,
    OtherStation,
    Phase,
    SpatError,
)

_DIGITS = b"0123456789"
_NOT_NUMBERS = bytes(set(range(256)) - set(_DIGITS + b"<>"))
_STATUS = {"IntersectionStatusObject." + name: 1 << bit for bit, name in enumerate(STATUS_BITS)}
_PROLOG = re.compile(rb"""(?:<\?xml version=["']1\.0["'](?: encoding=["'][Uu][Tt][Ff]-8["'])?\?>)?[ \t\r\n]*""")
_BLANK = " \t\r\n"
_MAX_SHAPES = 16
_MAX_MARK = 65_535
_MAX_NUMBER = 0xFFFF_FFFF

Label = Callable[[ElementTree.Element], int | None]

_PhaseFields = tuple[int | None, int | None, int | None, int | None, int | None]
_MovementFields = tuple[int | None, tuple[_PhaseFields, ...]]


class _IntersectionFields(NamedTuple):
    station: int | None
    revision: int | None
    status: tuple[tuple[int, int | None], ...] | None  # (bit, where its value stands)
    minute: int | None
    millisecond: int | None
    movements: tuple[_MovementFields, ...]


class _Fields(NamedTuple):
    """Where in a row of values each field of a message stands; None for a field that is absent."""

    message_id: int | None
    station: int | None
    minute: int | None
    intersections: tuple[_IntersectionFields, ...]


class _Shape(NamedTuple):
    """A message without its digits, and where its fields stand in the row of its numbers."""

    skeleton: bytes
    prolog: bytes  # up to and with "<DATA"
    values: int  # one more than there are tags
    fields: _Fields


class _NotPlainError(Exception):
    """A field's text is not digits alone, so that its message makes no shape."""


_shapes: dict[bytes, _Shape] = {}
"""Shapes seen, the newest last; like the cache of `re` it changes how fast an answer comes, never the answer."""


class SpatXmlDecoder:
    """Decodes whole messages. `groups` limits what is decoded, `station` whose messages are; None for all.

    Another station's message is one whose stationID *or* intersection id is another.
    """

    def __init__(self, groups: frozenset[int] | None = None, station: int | None = None) -> None:
        self._groups, self._station = groups, station
        self._shape: _Shape | None = None

    def decode(self, message: bytes) -> tuple[Intersection, ...]:
        """All intersections of one message (Münster sends one).

        Raises SpatError with the offset where it is not well-formed, has a document type, is too long or lacks a
        mandatory field; OtherMessage; OtherStation.
        """
        if len(message) > MAX_MESSAGE_BYTES:
            raise SpatError(f"longer than {MAX_MESSAGE_BYTES} bytes", MAX_MESSAGE_BYTES)
        skeleton = message.translate(None, _DIGITS)
        shape = self._shape
        if shape is None or skeleton != shape.skeleton:
            shape = _shapes.get(skeleton)
        if shape is not None and message.startswith(shape.prolog):
            self._shape = shape
            values = _numbers(message)
            if len(values) == shape.values and not values[-1]:
                try:
                    return self._read(shape.fields, values)
                except SpatError:
                    raise
                except ValueError:  # a number without digits: the long way knows what that means here
                    pass
        try:
            return self._read(*_parse(message, skeleton))
        except SpatError:
            raise
        except ValueError:
            raise SpatError("text where a number belongs") from None

    def _read(self, fields: _Fields, values: Sequence[bytes | str]) -> tuple[Intersection, ...]:
        """The message's values. Raises ValueError where a text is no number, SpatError where a number cannot be."""
        if fields.message_id is None:
            raise SpatError("no ItsPduHeader/messageID")
        if (message_id := int(values[fields.message_id])) != SPATEM_ID:
            raise OtherMessage(message_id)
        header_station = _number(fields.station, values)
        wanted = self._station
        if wanted is not None and header_station is not None and header_station != wanted:
            raise OtherStation(header_station)
        if not fields.intersections:
            raise SpatError("no SPAT/intersections/IntersectionState")
        found, other = [], None
        for place in fields.intersections:
            station = _number(place.station, values)
            if station is None:
                station = header_station
            if station is None:
                raise SpatError("neither stationID nor intersection id")
            if wanted is not None and station != wanted:
                other = station
                continue
            found.append(
                Intersection(
                    station,
                    _number(place.revision, values),
                    _status(place.status, values),
                    _number(fields.minute if place.minute is None else place.minute, values),
                    _number(place.millisecond, values),
                    self._movements(place.movements, values),
                )
            )
        if other is not None and not found:
            raise OtherStation(other)
        return tuple(found)

    def _movements(self, places: tuple[_MovementFields, ...], values: Sequence[bytes | str]) -> tuple[Movement, ...]:
        groups = self._groups
        found = []
        for place, phases in places:
            if place is None:
                raise SpatError("a MovementState without signalGroup")
            group = int(values[place])
            if group > 255:
                raise SpatError(f"signalGroup {group}: 0 to 255")
            if groups is None or group in groups:
                found.append(Movement(group, tuple([_phase(phase, values) for phase in phases])))
        return tuple(found)


def _number(place: int | None, values: Sequence[bytes | str]) -> int | None:
    if place is None:
        return None
    value = int(values[place])
    if value > _MAX_NUMBER:
        raise SpatError("a number above 32 bits")
    return value


def _status(bits: tuple[tuple[int, int | None], ...] | None, values: Sequence[bytes | str]) -> int:
    if bits is None:  # without it nobody knows whether the controller has failed
        raise SpatError("no status")
    status = 0
    for mask, place in bits:
        value = 0 if place is None else int(values[place])
        if value > 1:
            raise SpatError(f"status bit {value}: 0 or 1")
        status |= mask * value
    return status


def _phase(places: _PhaseFields, values: Sequence[bytes | str]) -> Phase:
    state, min_end, max_end, likely, confidence = [None if p is None else int(values[p]) for p in places]
    if state is None:
        raise SpatError("a MovementEvent without eventState")
    if state >= len(PHASE_STATES):
        raise SpatError(f"eventState {state}: 0 to 9")
    if confidence is not None and confidence >= len(CONFIDENCE_PCT):
        raise SpatError(f"confidence {confidence}: 0 to 15")
    if (min_end or 0) > _MAX_MARK or (max_end or 0) > _MAX_MARK or (likely or 0) > _MAX_MARK:
        raise SpatError(f"a TimeMark above {_MAX_MARK}")
    return Phase(state, min_end, max_end, likely, confidence)


def _numbers(message: bytes) -> list[bytes]:
    """The digits that follow each tag, in order; the first entry is what stands before the first plain tag."""
    return message.translate(None, _NOT_NUMBERS).split(b"<>")


def _plain_start(message: bytes) -> int:
    """Where the root begins, if nothing but an ordinary declaration stands before it; else -1.

    Such a message is UTF-8 and has no document type, which could only stand before the root.
    """
    start = message.find(b"<DATA")
    return start if start >= 0 and _PROLOG.fullmatch(message, 0, start) else -1


def _parse(message: bytes, skeleton: bytes) -> tuple[_Fields, Sequence[bytes | str]]:
    """The long way: the whole document through a parser, its fields, and the row of values they stand in.

    Raises SpatError, with the offset, where it is not well-formed or has a document type.
    """
    start = _plain_start(message)
    if start < 0:
        _check(message)
    try:
        root = ElementTree.fromstring(message)  # noqa: S314 - document types are refused first
    except (ElementTree.ParseError, ValueError, LookupError):  # the latter two: encodings nobody should use
        _check(message)
        raise SpatError("not well-formed") from None
    if root.tag.rpartition("}")[2] != "DATA":
        raise SpatError("the root is not DATA")
    if start >= 0 and (shape := _learn(message, start, skeleton, root)) is not None:
        return shape.fields, _numbers(message)
    texts: list[str] = []

    def label(element: ElementTree.Element) -> int | None:
        text = (element.text or "").strip(_BLANK)
        if not text:
            return None
        texts.append(text if text.isascii() and text.isdigit() else "no number")
        return len(texts) - 1

    return _fields(root, label), texts


def _check(message: bytes) -> None:
    def refuse(*_: object) -> None:
        raise DocumentTypeRefused("a document type declaration", parser.CurrentByteIndex)

    parser = expat.ParserCreate(None, "}")
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(message, True)
    except expat.ExpatError as error:
        raise SpatError(expat.ErrorString(error.code) or "not well-formed", parser.ErrorByteIndex) from None
    except SpatError:
        raise
    except (ValueError, LookupError):
        raise SpatError("an encoding that cannot be read") from None


def _learn(message: bytes, start: int, skeleton: bytes, root: ElementTree.Element) -> _Shape | None:
    """Remember the shape of a message that has just been parsed; None where its shape proves nothing."""
    body = message[start:]
    # a digit between the bytes of one character would be an error; comments and entities make numbers of other digits
    if not skeleton.isascii() or b"<!" in body or b"<?" in body or b"&" in body:
        return None
    tags, values = body.split(b"<"), _numbers(message)
    # if these three agree, every tag has become a bare "<>": no digit in a tag, no ">" in a text (nor a "]]1>")
    if not len(values) == len(tags) == body.count(b">") + 1:
        return None
    opening = [place for place, tag in enumerate(tags) if place and not tag.startswith(b"/")]
    where = dict(zip(root.iter(), opening, strict=True))

    def label(element: ElementTree.Element) -> int:
        text = element.text
        if not text or not text.isdigit():
            raise _NotPlainError
        return where[element]

    try:
        fields = _fields(root, label)
    except _NotPlainError:
        return None
    while len(_shapes) >= _MAX_SHAPES:
        del _shapes[next(iter(_shapes))]
    shape = _Shape(skeleton, message[:start] + b"<DATA", len(values), fields)
    _shapes[skeleton] = shape
    return shape


def _by_name(parent: ElementTree.Element | None) -> dict[str, ElementTree.Element]:
    """The children by name without namespace; of several the first."""
    named: dict[str, ElementTree.Element] = {}
    for child in () if parent is None else parent:
        named.setdefault(child.tag.rpartition("}")[2], child)
    return named


def _all(parent: ElementTree.Element | None, name: str) -> Iterator[ElementTree.Element]:
    return (child for child in (() if parent is None else parent) if child.tag.rpartition("}")[2] == name)


def _fields(root: ElementTree.Element, label: Label) -> _Fields:
    """Where each field stands, by the label given to its element."""

    def at(named: dict[str, ElementTree.Element], name: str) -> int | None:
        element = named.get(name)
        return None if element is None else label(element)

    def phase(event: ElementTree.Element) -> _PhaseFields:
        parts = _by_name(event)
        timing = _by_name(parts.get("timing"))
        marks = (at(timing, "minEndTime"), at(timing, "maxEndTime"), at(timing, "likelyTime"))
        return at(parts, "eventState"), *marks, at(timing, "confidence")

    def movement(state: ElementTree.Element) -> _MovementFields:
        parts = _by_name(state)
        events = _all(parts.get("state_time_speed"), "MovementEvent")
        return at(parts, "signalGroup"), tuple([phase(event) for event in events])

    def intersection(state: ElementTree.Element) -> _IntersectionFields:
        parts = _by_name(state)
        status = parts.get("status")
        named = () if status is None else [(_STATUS.get(bit.tag.rpartition("}")[2]), bit) for bit in status]
        return _IntersectionFields(
            at(_by_name(parts.get("id")), "id"),
            at(parts, "revision"),
            None if status is None else tuple([(mask, label(bit)) for mask, bit in named if mask is not None]),
            at(parts, "moy"),
            at(parts, "timeStamp"),
            tuple([movement(child) for child in _all(parts.get("states"), "MovementState")]),
        )

    top = _by_name(root)
    header, spat = _by_name(top.get("ItsPduHeader")), _by_name(top.get("SPAT"))
    states = _all(spat.get("intersections"), "IntersectionState")
    return _Fields(
        at(header, "messageID"),
        at(header, "stationID"),
        at(spat, "timeStamp"),
        tuple([intersection(state) for state in states]),
    )
