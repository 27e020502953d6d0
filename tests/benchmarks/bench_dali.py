"""DALI frames a second: our decoder beside python-dali's, LUBA and SCI streams beside a plain struct.unpack.

The same forward frames go through `drivers.codecs.dali.decode` (a dict of what it says) and python-dali's
``Command.from_frame`` (an object of a class). The plain readers trust that a frame is whole, unpack it and look at
nothing else: no XOR, no resynchronising. ``python -m tests.benchmarks dali``
"""

from __future__ import annotations

import gc
import struct
from statistics import median
from time import perf_counter_ns

from dali import command as theirs
from dali.frame import ForwardFrame
from dali.gear.general import DAPC

from drivers.buses.dali_gateways import LubaGateway, SciGateway
from drivers.codecs import dali, luba, sci

FRAMES = 20_000
ROUNDS = 7
_LUBA = struct.Struct(">3xHBBB")
_SCI = struct.Struct("4Bx")


def forward() -> list[int]:
    """What goes over a bus of lamps: mostly levels, some queries, now and then a setting."""
    made = []
    for n in range(FRAMES):
        address = dali.short(n % 64)
        if n % 10 == 9:
            made.append(dali.command(address, dali.QUERY_ACTUAL_LEVEL).frame)
        elif n % 50 == 8:
            made.append(dali.special(dali.DTR0, n % 256).frame)
        elif n % 50 == 18:
            made.append(dali.command(address, dali.SET_FADE_TIME).frame)
        else:
            made.append(dali.dapc(address, n * 7 % 255))
    return made


def run() -> dict[str, float]:
    """Medians of seven rounds, in turns; every frame is a chunk of its own, as it comes off a wire."""
    frames = forward()
    objects = [ForwardFrame(16, frame) for frame in frames]
    assert isinstance(theirs.from_frame(objects[0]), DAPC)  # it knows only the commands that have been imported
    luba_sent = [luba.encode_event(luba.Sent(frame.to_bytes(2, "big"), 1)) for frame in frames]
    luba_heard = [luba.encode_event(luba.Heard(8, bytes((frame & 0xFF,)))) for frame in frames]
    sci_heard = [sci.encode_heard(frame & 0xFF) for frame in frames]
    sci_noisy = [data if n % 7 else b"\xff" + data for n, data in enumerate(sci_heard)]
    luba_noisy = [data if n % 7 else b"\x59\x31" + data for n, data in enumerate(luba_heard)]

    def ours() -> None:
        for frame in frames:
            dali.decode(frame)

    def python_dali() -> None:
        for frame in objects:
            theirs.from_frame(frame)

    def fed(make: type[luba.LubaStream] | type[sci.SciStream], some: list[bytes]) -> None:
        feed = make().feed
        for chunk in some:
            feed(chunk)

    def exchange(make: type[LubaGateway] | type[SciGateway], sent: list[bytes]) -> None:
        gateway = make()
        for frame, data in zip(frames, sent, strict=True):
            gateway.encode(frame)
            gateway.feed(data)

    def plain(fields: struct.Struct, some: list[bytes]) -> None:
        unpack = fields.unpack_from
        for chunk in some:
            unpack(chunk)

    work = {
        "decode": ours,
        "python_dali": python_dali,
        "luba_sent": lambda: fed(luba.LubaStream, luba_sent),
        "luba_heard": lambda: fed(luba.LubaStream, luba_heard),
        "luba_noisy": lambda: fed(luba.LubaStream, luba_noisy),
        "luba_plain": lambda: plain(_LUBA, luba_heard),
        "luba_exchange": lambda: exchange(LubaGateway, luba_sent),
        "sci": lambda: fed(sci.SciStream, sci_heard),
        "sci_noisy": lambda: fed(sci.SciStream, sci_noisy),
        "sci_plain": lambda: plain(_SCI, sci_heard),
        "sci_exchange": lambda: exchange(SciGateway, [sci.encode(0)] * FRAMES),
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    gc.disable()
    try:
        for _ in range(ROUNDS):
            for name, call in work.items():
                began = perf_counter_ns()
                call()
                times[name].append((perf_counter_ns() - began) / FRAMES)
    finally:
        gc.enable()
    us = {name: median(taken) / 1000 for name, taken in times.items()}
    return {
        "decode_us_per_frame": us["decode"],
        "python_dali_us_per_frame": us["python_dali"],
        "ratio_python_dali_to_decode": us["python_dali"] / us["decode"],
        "luba_sent_us_per_frame": us["luba_sent"],
        "luba_answer_us_per_frame": us["luba_heard"],
        "luba_rubbish_before_each_7th_us": us["luba_noisy"],
        "luba_plain_struct_us": us["luba_plain"],
        "luba_ratio_stream_to_plain": us["luba_heard"] / us["luba_plain"],
        "luba_send_and_word_us": us["luba_exchange"],
        "sci_answer_us_per_frame": us["sci"],
        "sci_rubbish_before_each_7th_us": us["sci_noisy"],
        "sci_plain_struct_us": us["sci_plain"],
        "sci_ratio_stream_to_plain": us["sci"] / us["sci_plain"],
        "sci_send_and_word_us": us["sci_exchange"],
    }
