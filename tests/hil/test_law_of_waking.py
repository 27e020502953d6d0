"""The law of waking, proved on the whole site: jumping over the quiet gives the same bytes as running every tick.

More examples: ``LEEZE_LAW_EXAMPLES=2000 pytest tests/hil/test_law_of_waking.py``.
"""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from controllers.core.calendar import LightCalendar
from controllers.lighting.site import LightingSite
from controllers.service.sites import site_path
from drivers.codecs.ld2451 import IDLE_FRAME
from drivers.links.tap import Sink
from drivers.settings import load_toml
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.coming_riders import ListedRiders
from hil.benches.lit_path import LitPathBench
from hil.faults.plan import Faults, Spans
from hil.traffic.rider import Rider
from hil.traffic.script import ScriptedRider, Waypoint, scripted_rider

SITE = load_toml(site_path("kanalpromenade-reference"), LightingSite)
CONTROLLERS = ("west", "east")
GATEWAYS = ("west/dali", "east/dali")
RADARS = tuple(f"{controller}/radar-{n}" for controller in CONTROLLERS for n in (1, 2, 3))
LIT_UTC_NS = 1_708_362_000 * NS_PER_S  # 2024-02-19 18:00 local: dark, lit hours
_CALENDAR = LightCalendar(SITE.light.calendar, SITE.place.lat_deg, SITE.place.lon_deg, SITE.place.timezone)
SUNSET_UTC_NS = _CALENDAR.next_edge_ns(LIT_UTC_NS - 6 * 3600 * NS_PER_S)
SUNRISE_UTC_NS = _CALENDAR.next_edge_ns(LIT_UTC_NS)

law = settings(
    max_examples=int(os.environ.get("LEEZE_LAW_EXAMPLES", "30")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


class Run:
    """What a bench is built from, and how long it runs."""

    def __init__(self, last_ns: int, riders: list[Rider], faults: Faults, origin_utc_ns: int, seed: int) -> None:
        self.last_ns, self.riders, self.faults = last_ns, riders, faults
        self.origin_utc_ns, self.seed = origin_utc_ns, seed

    def __repr__(self) -> str:
        return f"Run({self.last_ns}, {self.riders}, {self.faults}, {self.origin_utc_ns}, {self.seed})"

    def bench(self, *, skip: bool, wires: Wires | None = None) -> LitPathBench:
        return LitPathBench(
            SITE,
            ListedRiders(list(self.riders)),
            origin_utc_ns=self.origin_utc_ns,
            seed=self.seed,
            skip=skip,
            faults=self.faults,
            sinks=None if wires is None else wires.beside,
        )

    def started(self, *, skip: bool, wires: Wires | None = None) -> LitPathBench:
        bench = self.bench(skip=skip, wires=wires)
        bench.start()
        return bench


class Wires:
    """A sink that keeps every byte of every wire; repeated idle frames one by one."""

    def __init__(self) -> None:
        self.passages: list[tuple[int, int, bool, bytes]] = []

    def beside(self, names: list[str], period_ns: int) -> list[Sink]:
        return [self]

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        self.passages.append((t_ns, wire, outward, data))

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        step_ns = (last_ns - first_ns) // (count - 1) if count > 1 else 0
        self.passages += [(first_ns + n * step_ns, wire, False, frame) for n in range(count)]

    def in_order(self) -> list[tuple[int, int, bool, bytes]]:
        """By time, wire and direction; the order on one wire is kept."""
        return sorted(self.passages, key=lambda passage: passage[:3])


def _spans(last_ms: int) -> st.SearchStrategy[Spans]:
    """One to three spans that do not touch, from a moment to longer than anybody's patience."""
    length = st.one_of(st.integers(1, 500), st.integers(500, 5_000), st.integers(5_000, 45_000))
    return st.lists(st.tuples(st.integers(0, last_ms), length), min_size=1, max_size=3).map(_apart)


def _apart(said: list[tuple[int, int]]) -> Spans:
    spans: list[tuple[int, int]] = []
    for from_ms, lasts_ms in sorted(said):
        if not spans or from_ms * NS_PER_MS > spans[-1][1]:
            spans.append((from_ms * NS_PER_MS, (from_ms + lasts_ms) * NS_PER_MS))
    return tuple(spans)


@st.composite
def _rider(draw: st.DrawFn, number: int, last_ms: int) -> Rider:
    """Somebody who rides, stops, turns, walks, anywhere on the path."""
    at_ms = draw(st.integers(0, last_ms * 3 // 4))
    x_mm = draw(st.sampled_from((-60_000, -20_000, 100_000, 176_000, 380_000)) | st.integers(-60_000, 420_000))
    points = [Waypoint(at_ms / 1000, x_mm / 1000)]
    for _ in range(draw(st.integers(1, 4))):
        lasts_ms = draw(st.integers(500, 25_000))
        v_mm_s = draw(st.sampled_from((0, 200, -800, 5_000, -5_000)) | st.integers(-9_000, 9_000))
        at_ms += lasts_ms
        x_mm += v_mm_s * lasts_ms // 1000
        points.append(Waypoint(at_ms / 1000, x_mm / 1000))
    return scripted_rider(ScriptedRider(points, draw(st.integers(-2, 2))), number)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    last_ms = draw(st.sampled_from((40_000, 60_000, 100_000, 150_000)))
    riders = [draw(_rider(number, last_ms)) for number in range(draw(st.integers(0, 4)))]
    ghosts = tuple(draw(_rider(1000 + number, last_ms)) for number in range(draw(st.integers(0, 2))))

    def broken(names: tuple[str, ...]) -> dict[str, Spans]:
        return draw(st.dictionaries(st.sampled_from(names), _spans(last_ms), max_size=len(names)))

    faults = Faults(
        silent_radars=broken(RADARS),
        silent_gateways=broken(GATEWAYS),
        dark_lines=broken(GATEWAYS),
        lost_messages=draw(st.just(()) | _spans(last_ms)),
        restarts=broken(CONTROLLERS),
        ghosts=ghosts,
    )
    edge_utc_ns = draw(st.sampled_from((0, 0, SUNSET_UTC_NS, SUNRISE_UTC_NS)))
    origin_utc_ns = edge_utc_ns - draw(st.integers(0, last_ms)) * NS_PER_MS if edge_utc_ns else LIT_UTC_NS
    return Run(last_ms * NS_PER_MS, riders, faults, origin_utc_ns, draw(st.integers(0, 1000)))


def _one_silent(*radars: str) -> Run:
    """Nobody rides; radars fall silent and come back while nothing else happens."""
    span = ((16_874 * NS_PER_MS, 37_888 * NS_PER_MS),)
    return Run(60 * NS_PER_S, [], Faults(silent_radars=dict.fromkeys(radars, span)), LIT_UTC_NS, 0)


def _comparable(bench: LitPathBench) -> dict[str, Any]:
    """The snapshot, but for what only counts the work done.

    Left out: how many ticks were run and which was the last; of a radar peer, the number of its next report and when
    it wants to run, for it runs at every report of the grid or only at those that say something.
    """
    state: dict[str, Any] = json.loads(json.dumps(bench.snapshot()))
    for slot in state["bench"]["slots"]:
        del slot["last_tick_ns"], slot["ticks_before"]
        if slot["cycle"] is not None:
            del slot["cycle"]["ticks"]
    for peer in state["bench"]["peers"]:
        if "idle_next" in peer:
            del peer["next"], peer["wake_ns"]
    return state


@example(_one_silent("east/radar-1"))
@example(_one_silent(*RADARS))
@example(_one_silent(*RADARS[:3]))
@law
@given(runs())
def test_skipping_and_ticking_give_the_same_bytes_the_same_figures_and_the_same_state(run: Run) -> None:
    skipped, ticked = Wires(), Wires()
    jumps, steps = run.started(skip=True, wires=skipped), run.started(skip=False, wires=ticked)
    jumps.run(run.last_ns)
    steps.run(run.last_ns)
    assert skipped.in_order() == ticked.in_order()
    assert _comparable(jumps) == _comparable(steps)
    assert jumps.finish() == steps.finish()
    assert jumps.ledger.figures() == steps.ledger.figures()
    assert jumps.rules is not None
    assert steps.rules is not None
    assert jumps.rules.figures() == steps.rules.figures()


@law
@given(runs(), st.integers(0, 1_000_000), st.booleans())
def test_a_run_taken_up_from_a_snapshot_ends_like_one_that_was_never_interrupted(
    run: Run, at_ppm: int, skip: bool
) -> None:
    at_ns = run.last_ns * at_ppm // 1_000_000
    whole = run.started(skip=skip)
    whole.run(run.last_ns)

    first = run.started(skip=skip)
    first.run(at_ns)
    saved = json.dumps(first.snapshot())
    second = run.bench(skip=skip)
    second.restore(json.loads(saved))
    assert json.dumps(second.snapshot()) == saved, "restoring is exact"
    second.run(run.last_ns)

    assert second.finish() == whole.finish()
    assert second.ledger.figures() == whole.ledger.figures()
    assert json.loads(json.dumps(second.snapshot())) == json.loads(json.dumps(whole.snapshot()))


@settings(law, max_examples=20)
@given(runs(), st.lists(st.integers(0, 1_000_000), max_size=6))
def test_where_a_run_is_paused_does_not_matter(run: Run, pauses_ppm: list[int]) -> None:
    whole, paused = run.started(skip=True), run.started(skip=True)
    whole.run(run.last_ns)
    for pause_ppm in sorted(pauses_ppm):
        paused.run(run.last_ns * pause_ppm // 1_000_000)
    paused.run(run.last_ns)
    assert paused.finish() == whole.finish()
    assert paused.ledger.figures() == whole.ledger.figures()


def test_skipping_runs_a_small_part_of_the_ticks() -> None:
    run = Run(120 * NS_PER_S, [], Faults(), LIT_UTC_NS, 0)
    jumps, steps = run.started(skip=True), run.started(skip=False)
    jumps.run(run.last_ns)
    steps.run(run.last_ns)
    assert steps.bench.ticks == 2 * 120 * 50
    assert jumps.bench.ticks * 50 < steps.bench.ticks


@pytest.mark.parametrize("radars", [("west/radar-2",), RADARS])
def test_a_radar_that_speaks_again_is_believed_again_without_anybody_riding(radars: tuple[str, ...]) -> None:
    """The one idle frame that is news comes at its own time, not when somebody happens to ask."""
    run = _one_silent(*radars)
    wires = Wires()
    bench = run.started(skip=True, wires=wires)
    heard: dict[str, list[tuple[int, bool]]] = {}
    for slot in bench.bench.slots:
        assert slot.cycle is not None

        def observe(tick: int, now_ns: int, inputs: Any, asked: Any, allowed: Any, name: str = slot.name) -> None:
            for value in inputs:
                if hasattr(value, "ok") and "radar" in value.source:
                    heard.setdefault(f"{name}/{value.source}", []).append((value.t_ns, value.ok))

        slot.cycle.observer = observe
    bench.run(run.last_ns)
    (_, back_ns) = run.faults.silent_radars[radars[0]][0]
    numbers = {name: n for n, name in enumerate(bench.wires)}
    for radar in radars:
        first_ns = min(
            t_ns
            for t_ns, wire, _, data in wires.passages
            if wire == numbers[radar] and data == IDLE_FRAME and t_ns >= back_ns
        )
        (_, gone), (again_ns, again) = heard[radar]
        assert (gone, again) == (False, True)
        assert again_ns == first_ns < back_ns + NS_PER_S
    assert sorted(heard) == sorted(radars)
