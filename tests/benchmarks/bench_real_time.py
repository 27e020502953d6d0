"""A trace on the bench of own processes: how late its bytes are, against a loop that only sleeps, in the same run.

Both run at the same priority, the loop before and after the replay. Goals: half of the bytes within 1.5 times its
median, a duration off by less than 0.1 %, a bench that is ready within a second.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from drivers.clock import SystemClock
from drivers.units import NS_PER_MS
from hil.benches.contract_bench import before_the_rest
from hil.outcome import Request
from hil.replay import replay

SECONDS = 40
SLEEPS = 1_000


def bare_loop_us() -> list[float]:
    """Lateness of absolute deadlines 2.5 ms apart, sorted."""
    clock = SystemClock()
    late = []
    with before_the_rest():
        due_ns = clock.now_ns()
        for _ in range(SLEEPS):
            due_ns += 5 * NS_PER_MS // 2
            clock.sleep_until_ns(due_ns)
            late.append((clock.now_ns() - due_ns) / 1000)
    return sorted(late)


def run() -> dict[str, object]:
    """Name to figure."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "evening.mcap"
        case = Request(subject="kanalpromenade-evening", record=trace, seconds=SECONDS, rules=False)
        replay(case, lambda done_ns, total_ns: None)
        before = bare_loop_us()
        played = Request(subject=str(trace), bench="process", rules=False)
        result = replay(played, lambda done_ns, total_ns: None).result
        after = bare_loop_us()
    loop = sorted(before + after)
    late = result.lateness_us or {}
    loop_us = loop[len(loop) // 2]
    found: dict[str, object] = {"verdict": result.verdict, "bytes": late.get("count")}
    found["bytes late, p50 / p99 / max us"] = f"{late['p50']:.0f} / {late['p99']:.0f} / {late['max']:.0f}"
    found["bare loop late, p50 / p99 us"] = f"{loop_us:.0f} / {loop[len(loop) * 99 // 100]:.0f}"
    found["p50, ratio to the bare loop"] = round(late["p50"] / loop_us, 2)
    for one in result.measurements:
        if one.name in ("ready", "duration error"):
            found[f"{one.name}, {one.unit}"] = one.value
    return found
