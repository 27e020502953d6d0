"""No dark stretch: whoever rides the reference site in lit hours has every owed lamp full, whoever else is there.

Riders keep about their speed, nobody stops, no device fails; two reports in a hundred are missed. A rise of speed by up
to a third while unseen is stood; one by more may cost light for a moment (track.py has the bounds).
More examples: ``LEEZE_DARK_EXAMPLES=500 pytest tests/hil/test_no_dark_stretch.py``.
"""

from __future__ import annotations

import os
from itertools import combinations

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from controllers.lighting.site import LightingSite
from controllers.service.sites import site_path
from drivers.settings import load_toml
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.coming_riders import ListedRiders
from hil.benches.lit_path import LitPathBench
from hil.traffic.rider import Rider, Segment

SITE = load_toml(site_path("kanalpromenade-reference"), LightingSite)
LIT_UTC_NS = 1_708_362_000 * NS_PER_S  # 2024-02-19 18:00 local: dark, lit hours
LOW_MM, HIGH_MM = -200_000, 552_000
SPREAD_PERMILLE = 140
"""How far a speed may be from the rider's mean: from lowest to highest it is a rise by a third."""
GENTLY_MM_S, STEP_MS = 240, 400
"""As the traffic model has it: 0.6 m/s2, in steps."""


@st.composite
def rides(draw: st.DrawFn, number: int) -> Rider:
    """All along the path, one way or the other, at 1.2 to 9 m/s, steady or gently faster and slower in turn."""
    way = draw(st.sampled_from((1, -1)))
    mean_mm_s = draw(st.one_of(st.integers(1_200, 9_000), st.sampled_from((1_200, 1_400, 5_000, 6_667, 9_000))))
    spread = draw(st.sampled_from((0, SPREAD_PERMILLE)))
    t_ns, gone_mm, v_mm_s = draw(st.integers(5_000, 90_000)) * NS_PER_MS, 0, mean_mm_s
    wanted_mm_s, until_ns = mean_mm_s, t_ns
    pieces = []
    while gone_mm < HIGH_MM - LOW_MM:
        if t_ns >= until_ns:
            wanted_mm_s = mean_mm_s * (1000 + draw(st.integers(-spread, spread))) // 1000
            until_ns = t_ns + draw(st.integers(3_000, 8_000)) * NS_PER_MS
        v_mm_s += max(-GENTLY_MM_S, min(GENTLY_MM_S, wanted_mm_s - v_mm_s))
        lasts_ms = STEP_MS if v_mm_s != wanted_mm_s else max((until_ns - t_ns) // NS_PER_MS, 1)
        pieces.append(Segment(t_ns, (LOW_MM + gone_mm) if way > 0 else (HIGH_MM - gone_mm), way * v_mm_s))
        t_ns += lasts_ms * NS_PER_MS
        gone_mm += v_mm_s * lasts_ms // 1000
    return Rider(number, tuple(pieces), t_ns, -way * 800)


def _overtaking(one: Rider, other: Rider) -> bool:
    """Whether two who ride the same way change places."""
    if (one.segments[0].v_mm_s > 0) != (other.segments[0].v_mm_s > 0):
        return False
    both_ns = range(max(one.start_ns, other.start_ns), min(one.end_ns, other.end_ns), NS_PER_S)
    apart_mm = [one.x_mm(t_ns) - other.x_mm(t_ns) for t_ns in both_ns]
    return bool(apart_mm) and min(apart_mm) <= 0 <= max(apart_mm)


def _several(count: int) -> st.SearchStrategy[list[Rider]]:
    return st.tuples(*(rides(number) for number in range(count))).map(list)


def ridden(riders: list[Rider], seed: int) -> LitPathBench:
    bench = LitPathBench(SITE, ListedRiders(riders), origin_utc_ns=LIT_UTC_NS, seed=seed, rules=False)
    bench.start()
    bench.run(max(rider.end_ns for rider in riders) + 10 * NS_PER_S)
    bench.finish()
    return bench


@settings(
    max_examples=int(os.environ.get("LEEZE_DARK_EXAMPLES", "15")),
    deadline=None,
    suppress_health_check=[
        *(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example),
        HealthCheck.filter_too_much,
    ],
)
@given(st.integers(1, 4).flatmap(_several), st.integers(0, 1_000))
def test_every_known_rider_has_every_owed_lamp_full_for_all_the_time_it_is_owed(riders: list[Rider], seed: int) -> None:
    assume(not any(_overtaking(one, other) for one, other in combinations(riders, 2)))
    bench = ridden(riders, seed)
    figures = bench.ledger.figures()
    event(f"{len(riders)} riders")
    assert [(bench.lamps[lamp], from_ns / NS_PER_S) for from_ns, lamp in bench.ledger.misses] == []
    assert figures.riders == len(riders)
    assert figures.lit_share == 1.0


def walker(number: int, start_ms: int, v_mm_s: int) -> Rider:
    """Somebody who walks all the way down."""
    start_ns = start_ms * NS_PER_MS
    end_ns = start_ns + (HIGH_MM - LOW_MM) * NS_PER_S // v_mm_s
    return Rider(number, (Segment(start_ns, HIGH_MM, -v_mm_s),), end_ns, 800)


def test_a_walker_overtaken_where_a_view_ends_keeps_the_light() -> None:
    bench = ridden([walker(0, 6_684, 1_200), walker(1, 65_570, 1_400)], 0)
    assert bench.ledger.misses == []
