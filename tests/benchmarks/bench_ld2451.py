"""Radar frames a second through the stream decoder, beside a plain struct loop over the same bytes.

The plain loop is the least one could write: it trusts that frames stand end to end, unpacks head and length, and reads
each target. It finds no frame again after a lost byte, and checks no tail. ``python -m tests.benchmarks ld2451``
"""

from __future__ import annotations

import gc
import struct
from statistics import median
from time import perf_counter_ns

from drivers.codecs.ld2451 import IDLE_FRAME, Ld2451Stream, Report, Target, encode_report

FRAMES = 20_000
ROUNDS = 9
_HEAD = struct.Struct("<4sH")
_TARGET = struct.Struct("5B")


def frames() -> list[bytes]:
    """What a radar on a path sends: mostly one target, now and then two or three, and an idle frame after them."""
    made = []
    for n in range(FRAMES):
        count = 0 if n % 40 == 39 else 1 + (n % 10 == 0) + (n % 50 == 0)
        made.append(encode_report([Target(n % 9 - 4, 40 - n % 39, n % 2 == 0, 12 + n % 15, n % 250)] * count))
    return made


def plain(data: bytes) -> list[tuple[int, ...]]:
    """The peer: the targets of one whole frame."""
    head, length = _HEAD.unpack_from(data)
    if head != b"\xf4\xf3\xf2\xf1":
        raise ValueError("no frame")
    found = []
    at = 8
    while at + 5 <= 6 + length:
        found.append(_TARGET.unpack_from(data, at))
        at += 5
    return found


def run() -> dict[str, float]:
    """Medians of nine rounds, in turns; every frame is a chunk of its own, as it comes off a wire."""
    made = frames()
    noisy = [frame if n % 7 else b"\xf4\xf3" + frame for n, frame in enumerate(made)]
    times: dict[str, list[float]] = {"stream": [], "targets": [], "noisy": [], "idle": [], "plain": []}

    def stream(some: list[bytes]) -> None:
        feed = Ld2451Stream().feed
        for chunk in some:
            feed(chunk)

    def targets(some: list[bytes]) -> None:
        feed = Ld2451Stream().feed
        for chunk in some:
            for event in feed(chunk):
                assert isinstance(event, Report)
                _ = event.targets

    def loop(some: list[bytes]) -> None:
        for chunk in some:
            plain(chunk)

    idle = [IDLE_FRAME] * FRAMES
    work = {"stream": (stream, made), "targets": (targets, made), "noisy": (stream, noisy), "idle": (stream, idle)}
    gc.disable()
    try:
        for _ in range(ROUNDS):
            for name, (call, some) in {**work, "plain": (loop, made)}.items():
                began = perf_counter_ns()
                call(some)
                times[name].append((perf_counter_ns() - began) / FRAMES)
    finally:
        gc.enable()
    us = {name: median(taken) / 1000 for name, taken in times.items()}
    return {
        "stream_us_per_frame": us["stream"],
        "stream_and_targets_us_per_frame": us["targets"],
        "rubbish_before_each_7th_us": us["noisy"],
        "idle_frame_us": us["idle"],
        "plain_struct_loop_us": us["plain"],
        "ratio_stream_to_plain": us["stream"] / us["plain"],
        "stream_frames_per_s": 1e6 / us["stream"],
    }
