"""Feeds of signal controllers."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.parts.part import Decoded, Part


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


def _sensorthings(data: bytes) -> Decoded:
    from drivers.codecs.sensorthings import decode_events

    return decode_events(data)


PARTS = (
    Part(
        name="spat-xml",
        title="signal controller, SPATEM as XML (Münster)",
        wire="serial line, socket or broker, message after message",
        vendor="a full XML parser, field by field",
        recording="one real message of station 4070",
        decode=_spat_xml,
    ),
    Part(
        name="spat-uper",
        title="signal controller, SPAT in UPER (SAE J2735, ETSI)",
        wire="one message a chunk",
        vendor="an independent ASN.1 compiler (pycrate)",
        recording="12,000 real messages (SAE J2735)",
        decode=_spat_uper,
    ),
    Part(
        name="sensorthings",
        title="signal states as OGC SensorThings observations (Hamburg)",
        wire="broker, topic and payload; a heap of lines with both",
        vendor="OGC SensorThings API 1.1, MQTT; times held against Python's datetime",
        decode=_sensorthings,
    ),
)
