"""Whose bytes are these? Every part's decoder reads them; the one that leaves least over knows them best."""

from __future__ import annotations

from typing import NamedTuple

from drivers.parts import PARTS

LEAST_SENSE_PCT = 60
LEAST_EVENTS = 2
LEAST_BYTES = 8


class Likeness(NamedTuple):
    """How well a part's decoder understood some bytes: ``Likeness("kld7", 100, 12)``."""

    part: str
    sense_pct: int
    events: int


def recognise(data: bytes) -> list[Likeness]:
    """The parts that may have sent `data`, the likeliest first; empty where no decoder makes sense of it.

    Decoders that take any bytes for something (`Part.takes_anything`) are not asked.
    """
    found = []
    if len(data) < LEAST_BYTES:
        return []
    for part in PARTS.values():
        if part.decode is None or part.takes_anything:
            continue
        events, skipped_bytes = part.decode(data)
        sense_pct = 100 * (len(data) - skipped_bytes) // len(data)
        if len(events) >= LEAST_EVENTS and sense_pct >= LEAST_SENSE_PCT:
            found.append(Likeness(part.name, sense_pct, len(events)))
    return sorted(found, key=lambda one: (-one.sense_pct, one.part))


def own_reader(content: str) -> str:
    """The part whose decoder tells sense from rubbish on a wire of this content: ``"dali"`` -> ``"atxled"``."""
    return _READERS.get(content, content)


_READERS = {"dali": "atxled", "urm14": "modbus", "sdm120": "modbus", "waveshare-ao8": "modbus"}


def sense_of(part: str, data: bytes) -> bool:
    """True where most of `data` makes sense to `part`; one frame is enough. False where it cannot tell."""
    known = PARTS.get(part)
    if known is None or known.decode is None or known.takes_anything or not data:
        return False
    events, skipped_bytes = known.decode(data)
    return bool(events) and 100 * skipped_bytes <= (100 - LEAST_SENSE_PCT) * len(data)
