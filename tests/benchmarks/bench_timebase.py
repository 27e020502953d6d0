"""The controller's clock from stamps and arrivals: how far off, how honest about it, and what a message costs.

Virtual time, drawn feeds: the same figures on every machine, but for the cost, which stands beside a plain running
minimum that knows no drift, no bound and no bad message. ``python -m tests.benchmarks timebase``
"""

from __future__ import annotations

import gc
from statistics import median
from time import thread_time_ns

from controllers.core.timebase import TimeBase
from drivers.units import NS_PER_MS, NS_PER_S
from hil.traffic.arrivals import Arrival, Delay, Feed, Way

SEEDS = 200
HOLDOVER_SEEDS = 100
LONG_SEEDS = 6
ROUNDS = 7
WAYS: dict[str, Way] = {
    "even": Way(),
    "even_lossy": Way(lost_per_mille=100, twice_per_mille=50),
    "exponential": Way(delay="exponential"),
    "humped": Way(delay="humped"),
    "bursty": Way(delay="bursty"),
}


def percentile(values: list[int], per_mille: int) -> int:
    """`values` are sorted here."""
    values.sort()
    return values[min(len(values) - 1, len(values) * per_mille // 1000)]


def follow(way: Way, seed: int, seconds: int) -> tuple[TimeBase, list[tuple[int, int, int]], Feed, int]:
    """The time base after `seconds` of a feed, (age, error, bound) at every message, the feed, the last arrival."""
    feed, base = Feed(way, seed), TimeBase(2 * NS_PER_S, 0)
    arrivals = feed.arrivals(seconds)
    first_ns, found = arrivals[0].t_ns, []
    for arrival in arrivals:
        base.written_ns(arrival.t_ns, arrival.message_ms)
        offset_ns, bound_ns = base.offset_ns(arrival.t_ns), base.error_ns(arrival.t_ns)
        if offset_ns is not None and bound_ns is not None:
            found.append((arrival.t_ns - first_ns, abs(offset_ns - feed.offset_ns(arrival.t_ns)), bound_ns))
    return base, found, feed, arrivals[-1].t_ns


def plain_minimum(arrivals: list[Arrival]) -> int:
    """What one would write first."""
    least_ns = 1 << 62
    for arrival in arrivals:
        y_ns = arrival.t_ns - arrival.message_ms * NS_PER_MS
        if y_ns < least_ns:
            least_ns = y_ns
    return least_ns


def run() -> dict[str, float]:
    """Errors in milliseconds, share within the bound in per cent, cost in microseconds a message."""
    figures: dict[str, float] = {}
    for name, way in WAYS.items():
        every: list[int] = []
        first: list[int] = []
        honest = total = 0
        for seed in range(SEEDS):
            for age_ns, error_ns, bound_ns in follow(way, seed, 20)[1]:
                total, honest = total + 1, honest + (error_ns <= bound_ns)
                if age_ns >= 5 * NS_PER_S:
                    every.append(error_ns)
                    if age_ns < 10 * NS_PER_S:
                        first.append(error_ns)
        figures[f"{name}_5_to_10_s_p99_ms"] = percentile(first, 990) / NS_PER_MS
        for what, per_mille in (("p50", 500), ("p99", 990), ("max", 1000)):
            figures[f"{name}_5_to_20_s_{what}_ms"] = percentile(every, per_mille) / NS_PER_MS
        figures[f"{name}_within_bound_pct"] = 100 * honest / total
        seeds = HOLDOVER_SEEDS if name == "even" else LONG_SEEDS
        added, later, bounds = [], [], []
        for seed in range(seeds):
            base, found, feed, end_ns = follow(way, 10_000 + seed, 600)
            then_ns = end_ns + 60 * NS_PER_S
            at_end_ns, bound_ns = base.offset_ns(end_ns), base.error_ns(end_ns)
            at_last_ns, last_bound_ns = base.offset_ns(then_ns), base.error_ns(then_ns)
            assert at_end_ns is not None and bound_ns is not None  # noqa: PT018 - no test
            assert at_last_ns is not None and last_bound_ns is not None  # noqa: PT018
            error_ns = at_last_ns - feed.offset_ns(then_ns) - (at_end_ns - feed.offset_ns(end_ns))
            added.append(abs(error_ns))
            bounds.append(last_bound_ns - bound_ns)
            later.extend([error for age, error, _ in found if age >= 300 * NS_PER_S])
        for what, per_mille in (("p50", 500), ("p99", 990), ("max", 1000)):
            figures[f"{name}_holdover_60_s_adds_{what}_ms"] = percentile(added, per_mille) / NS_PER_MS
        figures[f"{name}_holdover_60_s_bound_adds_p50_ms"] = percentile(bounds, 500) / NS_PER_MS
        figures[f"{name}_after_5_min_p99_ms"] = percentile(later, 990) / NS_PER_MS
    return figures | cost("even") | cost("none")


def cost(delay: Delay) -> dict[str, float]:
    """Processor time: medians of seven rounds, ten minutes of messages each; the slowest of the quietest round."""
    arrivals = Feed(Way(delay=delay), 1).arrivals(600)
    ours: list[float] = []
    plain: list[float] = []
    slowest: list[float] = []
    gc.disable()
    try:
        for _ in range(ROUNDS):
            base, worst = TimeBase(2 * NS_PER_S, 0), 0
            began = thread_time_ns()
            for arrival in arrivals:
                base.written_ns(arrival.t_ns, arrival.message_ms)
            ours.append((thread_time_ns() - began) / len(arrivals))
            began = thread_time_ns()
            plain_minimum(arrivals)
            plain.append((thread_time_ns() - began) / len(arrivals))
            base = TimeBase(2 * NS_PER_S, 0)
            for arrival in arrivals:
                began = thread_time_ns()
                base.written_ns(arrival.t_ns, arrival.message_ms)
                worst = max(worst, thread_time_ns() - began)
            slowest.append(worst)
    finally:
        gc.enable()
    return {
        f"{delay}_us_per_message": median(ours) / 1000,
        f"{delay}_plain_minimum_us": median(plain) / 1000,
        f"{delay}_ratio_to_plain_minimum": median(ours) / median(plain),
        f"{delay}_slowest_message_us": min(slowest) / 1000,
    }


if __name__ == "__main__":
    import json

    print(json.dumps(run(), indent=1))
