"""Most reports say nothing new, and are taken over in one step: as the whole way takes them, whatever else happens."""

from __future__ import annotations

import random
from typing import Any

import pytest

from controllers.lighting import riders
from controllers.lighting.policy import LightingPolicy
from controllers.lighting.site import LightingSite
from controllers.lighting.track import STALE_MM, Track
from controllers.service.sites import REFERENCE, load_site
from drivers.quantities import Detection, Message, Quantity, RadarReport
from drivers.units import NS_PER_MS, NS_PER_S

TICK_NS = 20 * NS_PER_MS
SPEEDS_MM_S = (300, 1_111, 3_055, 4_166, 5_555, 5_555, 8_055)


def crowd(seed: int, policy: LightingPolicy, site: LightingSite, ticks: int) -> list[tuple[tuple[Quantity, ...], int]]:
    """What comes in at each tick: riders who brake and meet, reports missed and late, clutter, a neighbour's words."""
    chance = random.Random(seed)
    one = site.controllers[0]
    ways: list[tuple[int, int, int]] = [(-40_000, 5_555, 0)]  # from, speed, since
    told = []
    late: list[Quantity] = []
    for tick in range(1, ticks):
        now_ns = tick * TICK_NS
        if chance.random() < 0.01:
            ways.append((chance.randint(-40_000, 160_000), chance.choice((-1, 1)) * chance.choice(SPEEDS_MM_S), now_ns))
        if chance.random() < 0.02:
            who = chance.randrange(len(ways))
            from_mm, v_mm_s, since_ns = ways[who]
            at_mm = from_mm + v_mm_s * (now_ns - since_ns) // NS_PER_S
            ways[who] = (at_mm, v_mm_s * chance.choice((6, 8, 12)) // 10, now_ns)
        inputs: list[Quantity] = []
        for place, radar in enumerate(one.radars):
            if (tick + 2 * place) % 5:
                continue
            sign = 1 if radar.looks == "up" else -1
            found = []
            for from_mm, v_mm_s, since_ns in ways:
                away_mm = (from_mm + v_mm_s * (now_ns - since_ns) // NS_PER_S - round(radar.x_m * 1000)) * sign
                if 1_000 < away_mm < 90_000 and chance.random() > 0.05:
                    speed = abs(v_mm_s) + chance.choice((0,) * 30 + (277,))
                    found.append(Detection(away_mm // 1000 * 1000, -speed if v_mm_s * sign > 0 else speed, 0, 100))
            if chance.random() < 0.01:
                found.append(Detection(chance.randint(1, 40) * 1000, chance.randint(-3_000, 3_000), 0, 9))
            if found:
                inputs.append(RadarReport(now_ns - chance.randint(0, 19) * NS_PER_MS, radar.name, tuple(found)))
        if chance.random() < 0.4:  # the tick comes too late for them
            inputs, late = [], [*late, *inputs]
        elif inputs:
            inputs, late = [*late, *inputs], []
        if chance.random() < 0.01:
            body = {"kind": "rider", "id": chance.randint(0, 3), "x_mm": chance.randint(-50_000, 250_000)}
            body |= {"v_mm_s": chance.choice((-5_555, 4_000, 5_555)), "age_ms": chance.randint(0, 500)}
            inputs.append(Message(now_ns, next(iter(policy.stretch.neighbour_spans)), body))
        told.append((tuple(inputs), now_ns))
    return told


@pytest.mark.parametrize("seed", range(6))
def test_a_report_taken_over_in_one_step_leaves_what_the_whole_way_leaves(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = load_site(REFERENCE)
    assert isinstance(site, LightingSite)
    quick, slow = (LightingPolicy(site, site.controllers[0], base_level=170, full_level=254) for _ in range(2))
    rides_on, short = riders._rides_on, 0

    def counted(track: Track, u_mm: int, t_ns: int) -> bool:
        nonlocal short
        found = rides_on(track, u_mm, t_ns)
        short += found
        return found

    def never(*_: Any) -> bool:
        return False

    for inputs, now_ns in crowd(seed, quick, site, 900):
        monkeypatch.setattr(riders, "_rides_on", counted)
        monkeypatch.setattr(riders, "STALE_MM", STALE_MM)
        asked = quick.step(inputs, now_ns)
        monkeypatch.setattr(riders, "_rides_on", never)
        monkeypatch.setattr(riders, "STALE_MM", 0)  # and everybody is held against every report
        assert slow.step(inputs, now_ns) == asked
        assert slow.snapshot() == quick.snapshot()
    assert short > 30


def test_one_rider_alone_is_looked_at_the_whole_way_once_in_some_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    site = load_site(REFERENCE)
    assert isinstance(site, LightingSite)
    policy = LightingPolicy(site, site.controllers[0], base_level=170, full_level=254)
    radar = next(radar for radar in site.controllers[0].radars if radar.looks == "up")
    measured, whole = Track.measured, 0

    def counted(self: Track, *found: int) -> bool:
        nonlocal whole
        whole += 1
        return measured(self, *found)

    monkeypatch.setattr(Track, "measured", counted)
    for report in range(50):  # from 35 m on at 18 km/h, to 10 m before the radar
        now_ns = report * 100 * NS_PER_MS
        found = Detection((35_000 - 500 * report) // 1000 * 1000, 5_000, 0, 100)
        policy.step((RadarReport(now_ns, radar.name, (found,)),), now_ns)
    assert whole < 25
