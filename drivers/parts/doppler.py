"""Radars that want to be asked, or told how to speak, before they say anything useful."""

from __future__ import annotations

from drivers.errors import InputError
from drivers.interfaces import ByteLink, Device, Emit
from drivers.parts.part import Bench, Decoded, Options, Part

_DIRECTIONS = ("both", "inbound", "outbound")


def _kld7(data: bytes) -> Decoded:
    from drivers.codecs.kld7 import decode_events

    return decode_events(data)


def _ops243(data: bytes) -> Decoded:
    from drivers.codecs.ops243 import decode_events

    return decode_events(data)


def _number(key: str, said: str) -> int:
    if not said.lstrip("-").isdecimal():
        raise InputError(f"--set {key}={said}: a whole number")
    return int(said)


def _kld7_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    """At the port's own bit rate and parity. ``--set`` takes any parameter by its name, e.g. ``--set max_range=2``."""
    from drivers.codecs.kld7_packets import BAUDS
    from drivers.devices.kld7 import Kld7Radar

    settings = {key: _number(key, said) for key, said in options.more.items()}
    baud = int(getattr(link, "baud", 0)) or BAUDS[0]
    parity = str(getattr(link, "parity", "")) or "E"
    return Kld7Radar(name, link, emit, settings=settings, baud=baud, parity=parity)


def _ops243_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    """``--set unit=UK``, ``direction=inbound``, ``least_speed=2``, ``least_magnitude=20``."""
    from drivers.devices.ops243 import Ops243Radar

    least = options.whole({"least_speed": 0, "least_magnitude": 0}, "unit", "direction")
    unit, direction = options.more.get("unit", "UM"), options.more.get("direction", "both")
    if direction not in _DIRECTIONS:
        raise InputError(f"--set direction={direction}: one of {', '.join(_DIRECTIONS)}")
    return Ops243Radar(
        name,
        link,
        emit,
        unit=unit,
        direction="both" if direction == "both" else "inbound" if direction == "inbound" else "outbound",
        least_speed=least["least_speed"],
        least_magnitude=least["least_magnitude"],
    )


PARTS = (
    Part(
        name="kld7",
        title="RFbeam K-LD7 radar, 24 GHz: distance, speed and angle of one tracked target",
        wire="UART 115200 8E1",
        vendor="the frames and parameters of the data sheet, revision B, 12/2020",
        recording="327 tracked targets of a public log: every value, and the sign of the speed by their distances",
        decode=_kld7,
        bench=Bench(bauds=(115_200, 460_800, 921_600, 2_000_000, 3_000_000), parity="E", device=_kld7_device),
    ),
    Part(
        name="ops243",
        title="OmniPreSense OPS243-A radar, 24 GHz: speed and direction",
        wire="UART 19200 8N1, lines of text or JSON",
        vendor="the examples of the user manual UM-003-A",
        recording="two public logs, an OPS9243's object, lines of a real OPS241 quoted by its driver",
        decode=_ops243,
        bench=Bench(bauds=(19_200, 9_600, 57_600, 115_200, 230_400), device=_ops243_device, patience_s=5.0),
    ),
)
