"""Sensors of distance by ultrasound."""

from __future__ import annotations

from drivers.interfaces import ByteLink, Device, Emit
from drivers.parts.part import Bench, Decoded, Options, Part
from drivers.units import NS_PER_MS

_DYP_BAUDS = (9_600, 115_200)


def _a02yyuw(data: bytes) -> Decoded:
    from drivers.codecs.a02yyuw import decode_events

    return decode_events(data)


def _aj_sr04m(data: bytes) -> Decoded:
    from drivers.codecs.a02yyuw import decode_events

    return decode_events(data, header_in_sum=False)


def _mb7389(data: bytes) -> Decoded:
    from drivers.codecs.mb7389 import decode_events

    return decode_events(data)


def _echo(data: bytes) -> Decoded:
    from drivers.codecs.echo import decode_events

    return decode_events(data)


def _a02yyuw_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    from drivers.devices.ranging import A02yyuw

    said = options.whole({"min_mm": 30, "max_mm": 4_500, "trigger_ms": 0})
    return A02yyuw(
        name, link, emit, min_mm=said["min_mm"], max_mm=said["max_mm"], trigger_ns=said["trigger_ms"] * NS_PER_MS
    )


def _aj_sr04m_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    from drivers.devices.ranging import A02yyuw

    said = options.whole({"min_mm": 200, "max_mm": 4_500})
    return A02yyuw(name, link, emit, min_mm=said["min_mm"], max_mm=said["max_mm"], header_in_sum=False)


def _mb7389_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    from drivers.devices.ranging import Mb7389

    said = options.whole({"nearest_mm": 300, "no_target_mm": 5_000, "centimetres": 0})
    return Mb7389(
        name,
        link,
        emit,
        nearest_mm=said["nearest_mm"],
        no_target_mm=said["no_target_mm"],
        centimetres=bool(said["centimetres"]),
    )


def _echo_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    from drivers.devices.echo_ranging import EchoRanging

    said = options.whole({"trigger": 23, "echo": 24, "min_mm": 20, "slot_ms": 100})
    return EchoRanging(
        name,
        link,
        emit,
        trigger_line=said["trigger"],
        echo_line=said["echo"],
        min_mm=said["min_mm"],
        slot_ns=said["slot_ms"] * NS_PER_MS,
    )


PARTS = (
    Part(
        name="a02yyuw",
        title="A02YYUW, A01NYUB, JSN-SR04T: ultrasonic ranging, waterproof",
        wire="UART 9600 8N1 (newer firmware 115200)",
        vendor="frames of DFRobot's wiki, SEN0311 and SEN0754",
        recording="two frames of a real A01NYUB",
        decode=_a02yyuw,
        bench=Bench(bauds=_DYP_BAUDS, device=_a02yyuw_device),
    ),
    Part(
        name="aj-sr04m",
        title="AJ-SR04M: frames like an A02YYUW's with another sum",
        wire="UART 9600 8N1",
        vendor="none was found; the sum is that of open drivers",
        decode=_aj_sr04m,
        bench=Bench(bauds=(9_600,), device=_aj_sr04m_device),
    ),
    Part(
        name="mb7389",
        title="MaxBotix HRXL-MaxSonar-WR (MB7360 to MB7395): ultrasonic ranging",
        wire="UART 9600 8N1, R and four digits; MB736x at RS232 levels",
        vendor="the frame of data sheet PD11500",
        decode=_mb7389,
        bench=Bench(bauds=(9_600,), device=_mb7389_device),
    ),
    Part(
        name="hc-sr04",
        title="HC-SR04, JSN-SR04T: trigger and echo on two lines, distance by the air's temperature",
        wire="two lines of the header; a port like gpio:lgpio/23,24=in",
        vendor="speed of sound in dry air, figure by figure",
        recording="pulses of two OpenBikeSensor recordings, and what that made of them",
        decode=_echo,
        takes_anything=True,
        bench=Bench(wire="gpio", device=_echo_device),
    ),
)
