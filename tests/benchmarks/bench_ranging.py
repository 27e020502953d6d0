"""Ranging and weather frames: our streams, one feed() a frame, beside struct.unpack or int() of the same frame.

The plain loops know where each frame begins and believe it; ours find it, check it and resynchronise. Held to 10 us a
frame each. "noisy" has a stray FF before each seventh frame, as a MaxBotix sends them.
"""

from __future__ import annotations

import gc
import struct
from collections.abc import Callable
from statistics import median
from time import perf_counter_ns

from drivers.codecs import a02yyuw, leezenflow_sensor, mb7389
from drivers.codecs.echo import EchoStream, distance_mm, echo_width_ns
from drivers.devices.ranging import A02yyuw, Mb7389
from drivers.line_events import EDGE, LineEvent, encode
from drivers.links.memory import memory_pair
from drivers.quantities import Quantity

FRAMES = 20_000
ROUNDS = 9
_HEAD_MM_SUM = struct.Struct(">BHB")
_EDGE = struct.Struct("<BBBQ")

Chunks = list[bytes]


def a02_stream(chunks: Chunks) -> None:
    feed = a02yyuw.A02yyuwStream().feed
    for chunk in chunks:
        feed(chunk)


def a02_plain(chunks: Chunks) -> None:
    for chunk in chunks:
        _HEAD_MM_SUM.unpack(chunk)


def a02_device(chunks: Chunks) -> None:
    near, far = memory_pair("bay-3")
    values: list[Quantity] = []
    A02yyuw("bay-3", near, values.append)
    for t_ns, chunk in enumerate(chunks):
        far.write(chunk, t_ns)
    assert len(values) == len(chunks)


def mb_stream(chunks: Chunks) -> None:
    feed = mb7389.Mb7389Stream().feed
    for chunk in chunks:
        feed(chunk)


def mb_plain(chunks: Chunks) -> None:
    for chunk in chunks:
        int(chunk[1:5])


def mb_device(chunks: Chunks) -> None:
    near, far = memory_pair("bay-3")
    values: list[Quantity] = []
    Mb7389("bay-3", near, values.append)
    for t_ns, chunk in enumerate(chunks):
        far.write(chunk, t_ns)
    assert len(values) == len(chunks)


def weather_stream(chunks: Chunks) -> None:
    feed = leezenflow_sensor.LeezenflowSensorStream().feed
    for chunk in chunks:
        feed(chunk)


def weather_plain(chunks: Chunks) -> None:
    for chunk in chunks:
        [int(field) for field in chunk.split(b",")]


def echo_stream(chunks: Chunks) -> None:
    """A pulse is two edges, each a chunk; told per pulse, with its distance."""
    feed = EchoStream(24).feed
    for chunk in chunks:
        for echo in feed(chunk):
            distance_mm(echo.width_ns)


def echo_plain(chunks: Chunks) -> None:
    for up, down in zip(chunks[::2], chunks[1::2], strict=True):
        _ = (_EDGE.unpack(down)[3] - _EDGE.unpack(up)[3]) * 343_214_622 // (2 * 10**12)


def run() -> dict[str, float]:
    """Medians of nine rounds, in turns."""
    distances = [300 + 37 * n % 4_000 for n in range(FRAMES)]
    a02 = [a02yyuw.encode_reading(a02yyuw.Reading(mm)) for mm in distances]
    mb = [mb7389.encode_reading(mb7389.Reading(mm)) for mm in distances]
    lines = [
        leezenflow_sensor.encode_reading(leezenflow_sensor.Reading(mm % 400 - 100, mm % 100, 100_000 + mm, mm))
        for mm in distances
    ]
    edges = [
        encode(LineEvent(24, EDGE, value, n * 10**8 + value_ns))
        for n, mm in enumerate(distances)
        for value, value_ns in ((1, 0), (0, echo_width_ns(mm)))
    ]
    work: dict[str, tuple[Callable[[Chunks], None], Chunks]] = {
        "a02yyuw": (a02_stream, a02),
        "a02yyuw_noisy": (a02_stream, [frame if n % 7 else b"\xff" + frame for n, frame in enumerate(a02)]),
        "a02yyuw_device": (a02_device, a02),
        "a02yyuw_plain_struct": (a02_plain, a02),
        "mb7389": (mb_stream, mb),
        "mb7389_noisy": (mb_stream, [frame if n % 7 else b"\xff" + frame for n, frame in enumerate(mb)]),
        "mb7389_device": (mb_device, mb),
        "mb7389_plain_int": (mb_plain, mb),
        "leezenflow_sensor": (weather_stream, lines),
        "leezenflow_sensor_plain_int": (weather_plain, lines),
        "echo_pulse": (echo_stream, edges),
        "echo_pulse_plain_struct": (echo_plain, edges),
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    gc.disable()
    try:
        for _ in range(ROUNDS):
            for name, (call, chunks) in work.items():
                began = perf_counter_ns()
                call(chunks)
                times[name].append((perf_counter_ns() - began) / FRAMES)
    finally:
        gc.enable()
    us = {name: median(taken) / 1000 for name, taken in times.items()}
    found = {f"{name}_us": value for name, value in us.items()}
    return found | {
        "ratio_a02yyuw_to_struct": us["a02yyuw"] / us["a02yyuw_plain_struct"],
        "ratio_mb7389_to_int": us["mb7389"] / us["mb7389_plain_int"],
        "ratio_leezenflow_to_int": us["leezenflow_sensor"] / us["leezenflow_sensor_plain_int"],
        "ratio_echo_to_struct": us["echo_pulse"] / us["echo_pulse_plain_struct"],
    }
