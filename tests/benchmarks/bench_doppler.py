"""K-LD7 and OPS243 frames through their stream decoders, beside the least that could read the same bytes.

K-LD7: one TDAT a chunk, beside struct.unpack of head and payload. OPS243: one line a chunk, JSON beside json.loads and
float() of its three values, plain beside float() of each number. One feed() a frame. The peers find no frame again
after a lost byte and check nothing. ``python -m tests.benchmarks doppler``
"""

from __future__ import annotations

import gc
import json
import struct
from collections.abc import Callable
from statistics import median
from time import perf_counter_ns

from drivers.codecs.kld7 import Kld7Stream
from drivers.codecs.kld7_packets import Response, Target, Tracked, encode_event
from drivers.codecs.ops243 import Ops243Stream, Speed, encode_json, encode_plain

FRAMES = 10_000
ROUNDS = 9
_HEAD = struct.Struct("<4sI")
_TARGET = struct.Struct("<HhhH")


def kld7_frames() -> list[bytes]:
    """Somebody is tracked in nine frames of ten."""
    return [
        encode_event(
            Tracked(None if n % 10 == 9 else Target(3_000 - n % 2_900, -n % 5_000, n % 3_000, 2_000 + n % 4_000))
        )
        for n in range(FRAMES)
    ]


def ops243_speeds() -> list[Speed]:
    """Speeds as of a street, with magnitude and sensor time."""
    return [Speed((n % 2_000 - 1_000) * 10_000, n % 90_000, 3_689_529_139 + 100 * n) for n in range(FRAMES)]


def plain_kld7(chunks: list[bytes]) -> None:
    """The peer: head and payload of one whole packet."""
    for chunk in chunks:
        _, length = _HEAD.unpack_from(chunk)
        if length:
            _TARGET.unpack_from(chunk, 8)


def plain_json(chunks: list[bytes]) -> None:
    """The peer: the three values of one line."""
    for chunk in chunks:
        said = json.loads(chunk)
        float(said["speed"]), float(said["magnitude"]), float(said["time"])


def plain_numbers(chunks: list[bytes]) -> None:
    """The peer: the numbers of one line."""
    for chunk in chunks:
        for number in chunk.split(b","):
            float(number)


def fed(stream: Callable[[], Kld7Stream | Ops243Stream]) -> Callable[[list[bytes]], None]:
    """Each chunk by one feed()."""

    def feed_all(chunks: list[bytes]) -> None:
        feed = stream().feed
        for chunk in chunks:
            feed(chunk)

    return feed_all


def run() -> dict[str, float]:
    """Medians of nine rounds, in turns, in microseconds a frame."""
    packets, speeds = kld7_frames(), ops243_speeds()
    answered = [encode_event(Response(0)) + packet for packet in packets]
    noisy = [packet if n % 7 else b"TDAT\x08\0" + packet for n, packet in enumerate(packets)]
    as_json, as_plain = [encode_json(speed) for speed in speeds], [encode_plain(speed, 5) for speed in speeds]
    work: dict[str, tuple[Callable[[list[bytes]], None], list[bytes]]] = {
        "kld7_tdat": (fed(Kld7Stream), packets),
        "kld7_resp_and_tdat": (fed(Kld7Stream), answered),
        "kld7_rubbish_before_each_7th": (fed(Kld7Stream), noisy),
        "kld7_struct_unpack": (plain_kld7, packets),
        "ops243_json": (fed(Ops243Stream), as_json),
        "ops243_json_loads": (plain_json, as_json),
        "ops243_plain": (fed(Ops243Stream), as_plain),
        "ops243_float": (plain_numbers, as_plain),
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
    return {
        **{f"{name}_us": value for name, value in us.items()},
        "ratio_kld7_to_struct": us["kld7_tdat"] / us["kld7_struct_unpack"],
        "ratio_ops243_json_to_json_loads": us["ops243_json"] / us["ops243_json_loads"],
        "ratio_ops243_plain_to_float": us["ops243_plain"] / us["ops243_float"],
    }
