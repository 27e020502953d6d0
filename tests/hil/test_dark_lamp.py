"""A dark lamp on the whole lit path: found by questions alone, and what is around it is lit until it is mended."""

from __future__ import annotations

import pytest

from controllers.lighting.site import LightingSite
from controllers.service.sites import load_site
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.coming_riders import ListedRiders
from hil.benches.lit_path import LitPathBench
from hil.faults.plan import Faults

LIT_UTC_NS = 1_708_369_200 * NS_PER_S
"""19 February 2024, 20:00 in Münster."""

BASE, FULL = 170, 254
PROMISED_NS = 10 * NS_PER_S
"""Within this time a lost gateway is noticed (tests/hil/test_gateway_promise.py)."""

RISE_NS = NS_PER_S


def path(faults: Faults | None = None) -> LitPathBench:
    site = load_site("kanalpromenade-reference")
    assert isinstance(site, LightingSite)
    bench = LitPathBench(site, ListedRiders([]), origin_utc_ns=LIT_UTC_NS, faults=faults, rules=False)
    bench.start()
    bench.run(30 * NS_PER_S)
    assert levels(bench) == [BASE] * 12
    return bench


def levels(bench: LitPathBench) -> list[int]:
    return [bench.level_at(lamp, bench.bench.now_ns) for lamp in range(12)]


def test_around_a_lamp_that_fails_it_is_full_within_ten_minutes_and_base_again_after_its_repair() -> None:
    bench = path()
    gear = bench.gateways["west/dali"].gear[2]
    gear.lamp_failed = True
    bench.run(632 * NS_PER_S)
    assert levels(bench) == [FULL] * 5 + [BASE] * 7  # 70 m to both sides of 64 m
    gear.lamp_failed = False
    bench.run(1250 * NS_PER_S)
    assert levels(bench) == [BASE] * 12


def test_after_a_restart_a_lamp_known_dark_is_known_dark_again_before_what_is_around_it_can_sink() -> None:
    off_ns, on_ns = 660 * NS_PER_S, 664 * NS_PER_S
    bench = path(Faults(restarts={"west": ((off_ns, on_ns),)}))
    bench.gateways["west/dali"].gear[2].lamp_failed = True
    bench.run(off_ns)
    assert levels(bench) == [FULL] * 5 + [BASE] * 7
    for t_ns in range(off_ns, on_ns + 120 * NS_PER_S, 100 * NS_PER_MS):
        bench.run(t_ns)
        assert levels(bench) == [FULL] * 5 + [BASE] * 7


def test_a_lamp_that_failed_or_was_mended_while_the_controller_was_away_is_known_two_seconds_after_its_start() -> None:
    spans = ((40 * NS_PER_S, 44 * NS_PER_S), (100 * NS_PER_S, 104 * NS_PER_S))
    bench = path(Faults(restarts={"west": spans}))
    for (off_ns, on_ns), failed in zip(spans, (True, False), strict=True):
        bench.run(off_ns + NS_PER_S)
        bench.gateways["west/dali"].gear[2].lamp_failed = failed
        bench.run(on_ns + 2 * NS_PER_S + RISE_NS + (0 if failed else 30 * NS_PER_S))
        assert levels(bench) == ([FULL] * 5 + [BASE] * 7 if failed else [BASE] * 12)


@pytest.mark.parametrize("at_ns", range(0, 9 * NS_PER_S, 1_700_000_000))
def test_where_a_gateway_is_lost_the_neighbours_lamps_are_full_within_the_promised_time_and_base_again_afterwards(
    at_ns: int,
) -> None:
    bench = path(Faults(silent_gateways={"west/dali": ((40 * NS_PER_S + at_ns, 300 * NS_PER_S),)}))
    bench.run(40 * NS_PER_S + at_ns + PROMISED_NS + RISE_NS)
    assert levels(bench)[6:8] == [FULL] * 2, "east, as far as 70 m from the last lamp of west at 160 m"
    assert levels(bench)[9:] == [BASE] * 3
    bench.run(330 * NS_PER_S)
    assert levels(bench) == [BASE] * 12
