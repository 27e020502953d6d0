"""Lamps and their gateways."""

from __future__ import annotations

from drivers.parts.part import Decoded, Part


def _dali(data: bytes) -> Decoded:
    from drivers.codecs.atxled import decode_events

    return decode_events(data)


PARTS = (
    Part(
        name="dali",
        title="DALI gear behind an ATX-LED gateway, or bare 16 bit forward frames",
        wire="UART 19200 8N1, ASCII lines",
        vendor="none of the gateway was found; python-dali 0.16, both directions",
        decode=_dali,
    ),
)
