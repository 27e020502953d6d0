"""A section of many controllers on the in-process bench: riders are handed on, and who sees nobody does nothing."""

from __future__ import annotations

import pytest

from controllers.lighting.section import section
from drivers.units import NS_PER_S
from hil.benches.coming_riders import ListedRiders
from hil.benches.lit_path import LitPathBench
from hil.traffic.rider import Rider, Segment

NIGHT_UTC_NS = 1_708_297_200 * NS_PER_S
"""2024-02-19 00:00 in Münster: lit hours."""


def _ride(number: int, start_s: int, from_mm: int, to_mm: int, v_mm_s: int = 6_000) -> Rider:
    start_ns = start_s * NS_PER_S
    v_mm_s = v_mm_s if to_mm > from_mm else -v_mm_s
    return Rider(number, (Segment(start_ns, from_mm, v_mm_s),), start_ns + (to_mm - from_mm) * NS_PER_S // v_mm_s)


def _run(lamps: int, riders: list[Rider], span_s: int, *, skip: bool = True) -> tuple[LitPathBench, str]:
    bench = LitPathBench(section(lamps), ListedRiders(riders), origin_utc_ns=NIGHT_UTC_NS, rules=False, skip=skip)
    bench.start()
    bench.run(span_s * NS_PER_S)
    return bench, bench.finish()


def test_riders_through_four_controllers_are_lit_in_time_at_every_lamp_in_both_directions() -> None:
    riders = [_ride(0, 10, -200_000, 968_000), _ride(1, 20, 968_000, -200_000), _ride(2, 70, -200_000, 968_000, 4_000)]
    bench, _ = _run(24, riders, 400)
    figures = bench.ledger.figures()
    assert (figures.riders, figures.lit_in_time) == (3, 3)
    assert figures.full_at_10m == figures.lamps_met == 3 * 24
    assert bench.ledger.misses == []


def test_in_a_chain_of_controllers_skipping_and_ticking_give_the_same_bytes() -> None:
    riders = [_ride(0, 3, 400_000, 100_000)]
    assert _run(18, riders, 70)[1] == _run(18, riders, 70, skip=False)[1]


def test_controllers_that_nobody_passes_run_only_to_say_that_they_live() -> None:
    riders = [_ride(n, 30 + 40 * n, -100_000, 200_000) for n in range(12)]
    ticks = {}
    for lamps in (24, 48):
        (idle, _), (busy, _) = _run(lamps, [], 600), _run(lamps, riders, 600)
        ticks[lamps] = (idle.bench.ticks, busy.bench.ticks - idle.bench.ticks)
        far = [slot.cycle.ticks for bench in (idle, busy) for slot in bench.bench.slots[3:] if slot.cycle is not None]
        assert far[: len(far) // 2] == far[len(far) // 2 :]
    assert ticks[24][1] == pytest.approx(ticks[48][1], rel=0.02)
    assert ticks[48][0] < 2.2 * ticks[24][0]
    assert ticks[24][1] > 2_000
