"""LD2450 and LD2410 reports through their stream decoders, one feed() a frame, beside struct.unpack of the same frame.

The plain peer trusts every frame: no tail, no limits, no search. ``python -m tests.benchmarks hilink``
"""

from __future__ import annotations

import gc
import struct
from collections.abc import Callable
from statistics import median
from time import perf_counter_ns

from drivers.codecs import ld2410, ld2450

FRAMES = 10_000
ROUNDS = 9
_LD2450 = struct.Struct("<4s12H2s")
_LD2410 = struct.Struct("<4sH2sBHBHBH2s4s")
_LD2410_GATES = struct.Struct("<4sH2sBHBHBH2B9s9s2B2s4s")


def persons() -> list[bytes]:
    """What an LD2450 sends: one or two people, a third now and then."""
    made = []
    for n in range(FRAMES):
        count = 0 if n % 40 == 39 else 1 + (n % 4 == 0) + (n % 20 == 0)
        target = ld2450.Target(n % 4000 - 2000, n % 6000, n % 300 - 150, 320)
        made.append(ld2450.encode_report([target] * count))
    return made


def presence(*, engineering: bool) -> list[bytes]:
    """What an LD2410 sends, with energies of gates or without."""
    made = []
    for n in range(FRAMES):
        gates = ld2410.Gates(8, 8, tuple(range(9)), tuple(range(9)), n % 256, 1) if engineering else None
        made.append(ld2410.encode_report(ld2410.Report(n % 4, n % 600, n % 101, n % 500, n % 90, n % 600, gates)))
    return made


def run() -> dict[str, float]:
    """Medians of nine rounds, in turns; every frame is a chunk of its own, as it comes off a wire."""
    both, more = presence(engineering=False), presence(engineering=True)
    some = persons()
    noisy = [frame if n % 7 else b"\xaa\xff" + frame for n, frame in enumerate(some)]
    work: dict[str, tuple[Callable[[], Callable[[bytes], object]], list[bytes]]] = {
        "ld2450": (lambda: ld2450.Ld2450Stream().feed, some),
        "ld2450_noisy": (lambda: ld2450.Ld2450Stream().feed, noisy),
        "ld2450_plain": (lambda: _LD2450.unpack, some),
        "ld2410": (lambda: ld2410.Ld2410Stream().feed, both),
        "ld2410_plain": (lambda: _LD2410.unpack, both),
        "ld2410_engineering": (lambda: ld2410.Ld2410Stream().feed, more),
        "ld2410_engineering_plain": (lambda: _LD2410_GATES.unpack, more),
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    gc.disable()
    try:
        for _ in range(ROUNDS):
            for name, (make, chunks) in work.items():
                call = make()
                began = perf_counter_ns()
                for chunk in chunks:
                    call(chunk)
                times[name].append((perf_counter_ns() - began) / FRAMES)
    finally:
        gc.enable()
    us = {name: median(taken) / 1000 for name, taken in times.items()}
    return {
        "ld2450_us_per_frame": us["ld2450"],
        "ld2450_rubbish_before_each_7th_us": us["ld2450_noisy"],
        "ld2450_plain_struct_us": us["ld2450_plain"],
        "ratio_ld2450_to_plain": us["ld2450"] / us["ld2450_plain"],
        "ld2410_us_per_frame": us["ld2410"],
        "ld2410_plain_struct_us": us["ld2410_plain"],
        "ratio_ld2410_to_plain": us["ld2410"] / us["ld2410_plain"],
        "ld2410_engineering_us_per_frame": us["ld2410_engineering"],
        "ld2410_engineering_plain_struct_us": us["ld2410_engineering_plain"],
    }
