"""A frame of a Leezenflow display: drawn and encoded, read back, moved, out of the cache; processor time.

``python -m tests.benchmarks.bench_picture``
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import process_time_ns

from controllers.core.failsafe_panel import PanelGate
from controllers.greenwave.picture import BAR_PX, Stage, draw, frame_of
from drivers.codecs.panel_frame import decode, encode, shown_at

NEEDED_US = 3000
ROUNDS = 9


def _us(call: Callable[[int], object], times: int = 60) -> float:
    """Median of the rounds of one call's time; each call with another number."""
    found = []
    for _ in range(ROUNDS):
        start_ns = process_time_ns()
        for number in range(times):
            call(number)
        found.append((process_time_ns() - start_ns) / times / 1000)
    return median(found)


def run() -> dict[str, object]:
    """The figures, in microseconds."""
    stages = (Stage.GREEN, Stage.HURRY, Stage.RED)
    gate = PanelGate("panel", 96, 32, feed="feed", station=1, group=1, full_ma=12_000, limit_ma=6_000)
    hurry = decode(frame_of(Stage.HURRY, 30))
    decode_anew = decode.__wrapped__
    drawn_us = {stage: _us(lambda n, stage=stage: encode(draw(stage, n % BAR_PX))) for stage in stages}  # type: ignore[misc]
    worst_us = max(drawn_us.values())
    return {f"drawn and encoded, {stage}, us": us for stage, us in drawn_us.items()} | {
        "out of the cache, us": _us(lambda n: frame_of(stages[n % 3], 20)),
        "read and found canonical, us": _us(lambda n: decode_anew(frame_of(stages[n % 3], 20))),
        "bounded by the gate, us": _us(lambda n: gate._bounded(frame_of(stages[n % 3], 20))),
        "moved for a moment, us": _us(lambda n: shown_at(hurry, n * 33_000_000)),
        f"worst below {NEEDED_US} us": worst_us < NEEDED_US,
    }


if __name__ == "__main__":
    for key, value in run().items():
        print(f"{key:32} {value}")
