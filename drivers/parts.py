"""The parts whose bytes can be read by hand: what wire they hang on, and what their codec was verified against."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator

import msgspec

from drivers.errors import InputError

Decoded = tuple[list[dict[str, object]], int]
"""JSON-able events in the order of the wire, and how many bytes were skipped."""


class Part(msgspec.Struct, frozen=True):
    """A part or feed by its printed name, e.g. ``PARTS["ld2451"].decode(data)``.

    `decode` takes a whole recording, bytes as they came, and never raises.
    """

    name: str
    title: str
    wire: str
    verified: str
    decode: Callable[[bytes], Decoded]


def part(name: str) -> Part:
    """The part called `name`, in any case. Raises InputError with the nearest that exists."""
    found = PARTS.get(name.lower())
    if found is not None:
        return found
    near = difflib.get_close_matches(name.lower(), PARTS, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"known parts: {', '.join(PARTS)}"
    raise InputError(f"unknown part `{name}`; {hint}")


def _ld2451(data: bytes) -> Decoded:
    from drivers.codecs.ld2451 import decode_events

    return decode_events(data)


def _dali(data: bytes) -> Decoded:
    from drivers.codecs.atxled import decode_events

    return decode_events(data)


def _spat_xml(data: bytes) -> Decoded:
    from drivers.codecs.spat_xml import decode_events

    return decode_events(data)


def _spat_uper(data: bytes) -> Decoded:
    from drivers.codecs.spat_uper import SpatUperStream
    from drivers.codecs.spat_xml import signal_state_events

    stream = SpatUperStream()
    events = []
    for message in _message_frames(data):
        for intersection in stream.feed(message):
            events += signal_state_events(intersection)
    return events, stream.skipped_bytes


def _message_frames(data: bytes) -> Iterator[bytes]:
    """SAE J2735 MessageFrames one behind the other, cut by their lengths; anything else is one message to its end."""
    at = 0
    while at < len(data):
        head, end = data[at : at + 4], len(data)
        if head[0] == 0 and len(head) == 4:
            short = head[2] < 0x80
            end = at + (3 + head[2] if short else 4 + ((head[2] & 0x3F) << 8 | head[3]))
        yield data[at:end]
        at = end


PARTS = {
    entry.name: entry
    for entry in (
        Part(
            "ld2451",
            "HLK-LD2451 radar, 24 GHz",
            "UART 115200 8N1",
            "the frames of the vendor's protocol V1.03; frames and passes of two public recordings",
            _ld2451,
        ),
        Part(
            "dali",
            "DALI gear behind an ATX-LED gateway, or bare 16 bit forward frames",
            "UART 19200 8N1, ASCII lines",
            "python-dali 0.16, both directions; no vendor document was found",
            _dali,
        ),
        Part(
            "spat-xml",
            "signal controller, SPATEM as XML (Münster)",
            "serial line or socket, message after message",
            "one real message of station 4070; a full XML parser, field by field",
            _spat_xml,
        ),
        Part(
            "spat-uper",
            "signal controller, SPAT in UPER (SAE J2735, ETSI)",
            "one message a chunk",
            "12,000 real messages (SAE J2735); an independent ASN.1 compiler (pycrate)",
            _spat_uper,
        ),
    )
}
"""All of them by name."""
