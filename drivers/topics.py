"""A broker's message with its topic, as one chunk: topic, a NUL, payload. No topic can hold a NUL (MQTT 5.0, 1.5.4).

A wire with ``topics = true`` hands these over, so that such messages are tapped, recorded and replayed like any other
bytes. Beside messages it tells of itself, on a topic that no client can publish on: `OPEN` and `GONE`.
"""

from __future__ import annotations

CONNECTION = "$connection"
OPEN = b"$connection\0open"
"""The broker has let us in; what it says from now on arrives."""
GONE = b"$connection\0gone"
"""The connection is lost; what is said from now on may never arrive."""


def join_topic(topic: str, payload: bytes) -> bytes:
    """One chunk, e.g. ``join_topic("spat/4070", b"<DATA/>") == b"spat/4070\\0<DATA/>"``."""
    return topic.encode("utf-8", "replace") + b"\0" + payload


def split_topic(chunk: bytes) -> tuple[str, bytes]:
    """(topic, payload); an empty topic where the chunk names none."""
    topic, mark, payload = chunk.partition(b"\0")
    return (topic.decode("utf-8", "replace"), payload) if mark else ("", chunk)
