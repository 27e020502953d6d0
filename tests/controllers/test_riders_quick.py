"""Who is being seen is held against a report first, and mostly nobody else: whoever fits best is found all the same."""

from __future__ import annotations

import random

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
def test_who_is_being_seen_on_the_lane_is_found_first_and_is_who_fits_best_of_all(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = load_site(REFERENCE)
    assert isinstance(site, LightingSite)
    quick, slow = (LightingPolicy(site, site.controllers[0], base_level=170, full_level=254) for _ in range(2))
    compared = [0, 0]
    unlikeness_mm = Track.unlikeness_mm
    by = 0

    def counted(self: Track, *found: int) -> int:
        compared[by] += 1
        return unlikeness_mm(self, *found)

    monkeypatch.setattr(Track, "unlikeness_mm", counted)
    for inputs, now_ns in crowd(seed, quick, site, 900):
        by = 0
        monkeypatch.setattr(riders, "STALE_MM", STALE_MM)
        asked = quick.step(inputs, now_ns)
        by = 1
        monkeypatch.setattr(riders, "STALE_MM", 0)  # everybody is held against every report
        assert slow.step(inputs, now_ns) == asked
        assert slow.snapshot() == quick.snapshot()
    assert 2 * compared[0] < compared[1]
