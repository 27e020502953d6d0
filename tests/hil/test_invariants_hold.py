"""Any traffic, any sensor faults, any restart: what must hold holds at every tick, and lamps end at rest.

Beside it the cells of the doubt table that need a whole board: a controller that hangs or dies, a gateway that is lost.
More examples: ``LEEZE_LAW_EXAMPLES=2000 pytest tests/hil/test_invariants_hold.py``.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controllers.core.invariants import Invariants
from controllers.lighting.site import LightingSite
from controllers.service.assemble import watch_over
from controllers.service.sites import site_path
from drivers.settings import load_toml
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.coming_riders import ListedRiders
from hil.benches.in_process import Slot
from hil.benches.lit_path import LitPathBench
from hil.faults.plan import Faults, Spans
from hil.traffic.rider import Rider
from hil.traffic.script import ScriptedRider, Waypoint, scripted_rider

SITE = load_toml(site_path("kanalpromenade-reference"), LightingSite)
RADARS = tuple(f"{one.name}/{radar.name}" for one in SITE.controllers for radar in one.radars)
LIT_UTC_NS = 1_708_362_000 * NS_PER_S  # 2024-02-19 18:00 local
SUNSET_UTC_NS = SITE.calendar().next_edge_ns(LIT_UTC_NS - 6 * 3600 * NS_PER_S)
SUNRISE_UTC_NS = SITE.calendar().next_edge_ns(LIT_UTC_NS)
BASE, FULL = SITE.light.base_level, SITE.light.full_level
RIDE_S = 60
QUIET_S = 110
"""Longer than anybody is believed in, and a lamp sinks: `keep_s`, `hold_s`, `fall_s` and a restart's hold."""

runs = settings(
    max_examples=int(os.environ.get("LEEZE_LAW_EXAMPLES", "12")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


class Watched:
    """The whole site, watched; what each lamp shows last, by place along the path."""

    def __init__(self, riders: list[Rider], faults: Faults, origin_utc_ns: int, seed: int = 1) -> None:
        self.made = LitPathBench(
            SITE, ListedRiders(riders), origin_utc_ns=origin_utc_ns, seed=seed, faults=faults, rules=False
        )
        self.levels: dict[int, int] = {}
        self.watches: list[Invariants] = []
        self.made.on_output = self._output
        self.made.bench.add_start_listener(self._begin)
        self.made.start()

    def _begin(self, slot: Slot, now_ns: int) -> None:
        assert slot.cycle is not None
        watch = watch_over(SITE, SITE.controller(slot.name), slot.cycle)
        self.watches.append(watch)
        slot.cycle.observer = watch.observe

    def _output(self, lamp: int, t_ns: int, from_level: int, to_level: int, duration_ns: int) -> None:
        self.levels[lamp] = to_level

    def run(self, until_s: float) -> Watched:
        self.made.run(round(until_s * NS_PER_S))
        return self

    def light(self) -> list[int]:
        """The levels along the path, 12 lamps; the gear is dark at first."""
        return [self.levels.get(lamp, 0) for lamp in range(12)]

    def broken(self) -> list[Any]:
        return [watch.figures() for watch in self.watches if watch.last]


def _spans(last_ms: int) -> st.SearchStrategy[Spans]:
    one = st.tuples(st.integers(0, last_ms), st.integers(1, 30_000))
    return one.map(lambda said: ((said[0] * NS_PER_MS, (said[0] + said[1]) * NS_PER_MS),))


@st.composite
def _riders(draw: st.DrawFn) -> list[Rider]:
    """Riders, walkers, people who stop and turn; up to six at once."""
    found = []
    for number in range(draw(st.integers(0, 6))):
        at_ms = draw(st.integers(0, RIDE_S * 700))
        x_mm = draw(st.sampled_from((-150_000, 100_000, 176_000, 500_000)))
        points = [Waypoint(at_s=at_ms / 1000, x_m=x_mm / 1000)]
        for _ in range(draw(st.integers(1, 3))):
            lasts_ms = draw(st.integers(3_000, 25_000))
            x_mm += draw(st.integers(-9_000, 9_000)) * lasts_ms // 1000
            at_ms += lasts_ms
            points.append(Waypoint(at_s=at_ms / 1000, x_m=x_mm / 1000))
        found.append(scripted_rider(ScriptedRider(waypoints=points), number + 1))
    return sorted(found, key=lambda rider: rider.start_ns)


@st.composite
def _faults(draw: st.DrawFn) -> Faults:
    last_ms = RIDE_S * 1000
    radars = draw(st.dictionaries(st.sampled_from(RADARS), _spans(last_ms), max_size=3))
    gateways = draw(st.dictionaries(st.sampled_from(("west/dali", "east/dali")), _spans(last_ms), max_size=1))
    restarts = draw(st.dictionaries(st.sampled_from(("west", "east")), _spans(last_ms), max_size=2))
    lost = draw(st.just(()) | _spans(last_ms))
    return Faults(silent_radars=radars, silent_gateways=gateways, restarts=restarts, lost_messages=lost)


@runs
@given(
    riders=_riders(),
    faults=_faults(),
    origin=st.sampled_from((LIT_UTC_NS, SUNSET_UTC_NS - 20 * NS_PER_S, SUNRISE_UTC_NS - 40 * NS_PER_S)),
    seed=st.integers(0, 1000),
)
def test_whatever_happens_the_invariants_hold_and_lamps_end_at_rest_when_everyone_has_gone(
    riders: list[Rider], faults: Faults, origin: int, seed: int
) -> None:
    path = Watched(riders, faults, origin, seed)
    last_ns = max([RIDE_S * NS_PER_S, *[rider.end_ns for rider in riders]])
    path.run(last_ns / NS_PER_S + QUIET_S)
    assert path.broken() == []
    lit = SITE.calendar().lit_at(origin + path.made.bench.now_ns)
    assert path.light() == [BASE if lit else 0] * 12


def test_the_watch_sees_a_policy_that_lights_nobody() -> None:
    """So that the test above can fail."""
    rider = scripted_rider(ScriptedRider(waypoints=[Waypoint(at_s=5, x_m=-100), Waypoint(at_s=65, x_m=300)]), 1)
    path = Watched([rider], Faults(), LIT_UTC_NS)
    for slot in path.made.bench.slots:
        assert slot.cycle is not None
        slot.cycle.policy._reach.ahead_mm = 0  # type: ignore[attr-defined]
        slot.cycle.policy._reach.ahead_ms = slot.cycle.policy._reach.lead_ms = 0  # type: ignore[attr-defined]
        slot.cycle.policy._reach.behind_mm = -20_000  # type: ignore[attr-defined]
    path.run(60)
    assert any(figures["below_full"] for figures in path.broken())


# --- the doubt table: controller hangs or dies


@pytest.mark.parametrize(
    "origin", [pytest.param(SUNRISE_UTC_NS + 3600 * NS_PER_S, id="day"), pytest.param(LIT_UTC_NS, id="lit hours")]
)
def test_a_controller_that_hangs_or_dies_loses_bus_power_and_the_gear_goes_to_its_failure_level(origin: int) -> None:
    """What the relay does is in drivers/devices/watchdog_output.py; here it has dropped: no bus power on its line."""
    off = ((30 * NS_PER_S, 60 * NS_PER_S),)
    path = Watched([], Faults(restarts={"west": off}, dark_lines={"west/dali": off}), origin)
    rest = 0 if origin > SUNRISE_UTC_NS else BASE
    assert path.run(29).light() == [rest] * 12
    assert path.run(50).light()[:6] == [FULL] * 6
    assert path.run(180).light() == [rest] * 12, "taken over from failure level, and back to rest"
    assert path.broken() == []


def test_a_controller_that_dies_is_silent_and_its_neighbour_lights_the_border() -> None:
    path = Watched([], Faults(restarts={"west": ((30 * NS_PER_S, 100 * NS_PER_S),)}), LIT_UTC_NS)
    assert path.run(29).light() == [BASE] * 12
    assert path.run(90).light()[6:] == [FULL] * 4 + [BASE] * 2, "as far as a fast rider is owed light from 184 m on"
    assert path.run(200).light() == [BASE] * 12


# --- the doubt table: gateway or bus lost


def test_a_gateway_that_is_lost_is_lit_from_the_neighbours_side_within_the_time_it_is_noticed_in() -> None:
    silent = {"west/dali": ((30 * NS_PER_S, 400 * NS_PER_S),)}
    rider = scripted_rider(ScriptedRider(waypoints=[Waypoint(at_s=35, x_m=-100), Waypoint(at_s=85, x_m=300)]), 1)
    path = Watched([rider], Faults(silent_gateways=silent), LIT_UTC_NS)
    path.run(60)
    assert path.light()[6:8] == [FULL, FULL], "70 m from the stretch that may be dark"
    path.run(300)
    assert path.light()[6:] == [FULL, FULL, BASE, BASE, BASE, BASE]
    path.run(600)
    assert path.light() == [BASE] * 12


def test_a_lamp_that_fails_is_lit_from_both_sides_and_over_the_border_until_it_is_mended() -> None:
    """Gear is asked every ten minutes. The last lamp of the west stands at 160 m, the first of the east at 192 m."""
    path = Watched([], Faults(), LIT_UTC_NS)
    gear = path.made.gateways["west/dali"].gear[5]
    path.run(30)
    gear.lamp_failed = True
    path.run(700)
    around = [BASE, BASE, BASE, FULL, FULL, FULL, FULL, FULL, BASE, BASE, BASE, BASE]
    assert path.light() == around, "70 m to both sides"
    gear.lamp_failed = False
    path.run(1400)
    assert path.light() == [BASE] * 12
    assert path.broken() == []
