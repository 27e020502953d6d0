"""Radars."""

from __future__ import annotations

from drivers.interfaces import ByteLink, Device, Emit
from drivers.parts.part import Bench, Decoded, Options, Part


def _ld2451(data: bytes) -> Decoded:
    from drivers.codecs.ld2451 import decode_events

    return decode_events(data)


def _ld2451_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    from drivers.devices.radar import Ld2451Radar

    return Ld2451Radar(name, link, emit)


PARTS = (
    Part(
        name="ld2451",
        title="HLK-LD2451 radar, 24 GHz: range, speed, direction",
        wire="UART 115200 8N1",
        vendor="all frames of the protocol paper V1.03",
        recording="frames and passes of two public recordings",
        decode=_ld2451,
        bench=Bench(bauds=(115_200, 9_600, 19_200, 38_400, 57_600, 230_400, 256_000, 460_800), device=_ld2451_device),
    ),
)
