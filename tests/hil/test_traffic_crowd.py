"""Simulated crowds: like the counters they are drawn from, the same for the same seed, and fit to be replayed."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import InputError
from drivers.units import NS_PER_S
from hil.cli import main
from hil.traffic.generator import BY_HOUR, BY_WEEKDAY, Crowd, passages, with_clutter
from hil.traffic.model import Passage, TrafficModel, trajectory
from hil.traffic.passages import RiderSource
from hil.traffic.rider import GHOST_IDS
from hil.traffic.ways import CLUTTER, JOINS, KINDS, LEAVES, STOPS, TURNS, WALKER

MODEL = TrafficModel()
MONDAY = date(2024, 2, 19)


def test_a_crowd_is_like_the_counters_it_is_drawn_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "crowd.traffic"
    assert main(["traffic", "make", "-o", str(out), "--days", "14", "--seed", "3"]) == 0
    capsys.readouterr()
    assert main(["traffic", "describe", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["days"] == 14
    assert found["median_kmh"] == 20
    everybody = sum(found["kinds"].values())
    assert everybody == pytest.approx(14 * 1100, rel=0.1)
    assert found["kinds"]["walker"] == pytest.approx(0.06 * everybody, rel=0.25)
    for told, drawn in zip(found["by_hour_permille"], BY_HOUR, strict=True):
        assert told == pytest.approx(drawn, abs=25)
    assert sorted(range(7), key=lambda day: found["by_weekday_permille"][day])[-1] in (3, 6)
    assert sum(BY_HOUR) in range(990, 1011)
    assert sum(BY_WEEKDAY) in range(6_990, 7_011)
    assert found["groups_permille"]["1"] == pytest.approx(920, abs=30)


def test_the_same_seed_gives_the_same_crowd_in_order_of_time_and_another_seed_another() -> None:
    one = list(passages(MONDAY, 2, Crowd(), 1))
    assert one == list(passages(MONDAY, 2, Crowd(), 1))
    assert one != list(passages(MONDAY, 2, Crowd(), 2))
    assert all(a.utc_s <= b.utc_s for a, b in pairwise(one))


def test_an_hour_that_the_clocks_skip_holds_nobody() -> None:
    spring = list(passages(date(2024, 3, 31), 1, Crowd(riders_a_day=3_000), 1))
    assert spring
    assert all(a.utc_s <= b.utc_s for a, b in pairwise(spring))


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(set(KINDS) - {0})),
    way=st.sampled_from([1, -1]),
    kmh=st.integers(3, 45),
    n=st.integers(0, 500),
)
def test_every_ride_is_of_one_piece_and_stays_on_the_path(kind: int, way: int, kmh: int, n: int) -> None:
    rider = trajectory(Passage(1_000, way, kmh, kind), n, 7, MODEL)
    assert rider == trajectory(Passage(1_000, way, kmh, kind), n, 7, MODEL)
    assert rider.id == n
    assert 1_000 * NS_PER_S <= rider.start_ns < 1_001 * NS_PER_S
    for s, following in pairwise(rider.segments):
        there_mm = s.x0_mm + s.v_mm_s * (following.t0_ns - s.t0_ns) // NS_PER_S
        assert abs(there_mm - following.x0_mm) <= 1
    assert all(-210_000 <= s.x0_mm <= 562_000 for s in rider.segments)
    if kind == CLUTTER:
        assert rider.end_ns - rider.start_ns <= 2 * NS_PER_S


def ride(kind: int, n: int = 4) -> tuple[int, int, set[int]]:
    """Where it begins and ends, and the signs of its speeds."""
    rider = trajectory(Passage(1_000, 1, 18, kind), n, 7, MODEL)
    signs = {(s.v_mm_s > 0) - (s.v_mm_s < 0) for s in rider.segments}
    return rider.segments[0].x0_mm, rider.x_mm(rider.end_ns), signs


def test_each_kind_does_what_it_is_called() -> None:
    start, end = MODEL.start_mm, MODEL.end_mm
    assert ride(WALKER)[:2] == (start, pytest.approx(end, abs=5))
    assert ride(STOPS) == (start, pytest.approx(end, abs=5), {0, 1})
    left = ride(LEAVES)
    assert (left[0], left[2]) == (start, {1})
    assert 0 <= left[1] <= 352_005
    joined = ride(JOINS)
    assert 0 <= joined[0] <= 352_000
    assert joined[1:] == (pytest.approx(end, abs=5), {1})
    turned = ride(TURNS)
    assert (turned[0], turned[2]) == (start, {-1, 0, 1})
    assert turned[1] == pytest.approx(start, abs=40)  # the last piece may miss it by one speed step


def test_clutter_comes_between_the_recorded_and_changes_none_of_them() -> None:
    recorded = [Passage(7_200 + 600 * n, 1, 20) for n in range(30)]
    rain = list(with_clutter(recorded, 12, 1))
    assert [one for one in rain if one.kind != CLUTTER] == recorded
    assert 12 * 4 < sum(one.kind == CLUTTER for one in rain) <= 12 * 5
    assert all(a.utc_s <= b.utc_s for a, b in pairwise(rain))


def test_a_crowd_with_clutter_is_replayed_and_clutter_is_no_rider(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crowd, rain = tmp_path / "crowd.traffic", tmp_path / "rain.traffic"
    main(["traffic", "make", "-o", str(crowd), "--days", "1", "--riders-a-day", "2000", "--seed", "2"])
    assert main(["traffic", "clutter", str(crowd), "-o", str(rain), "--per-h", "30"]) == 0
    found = []
    for path in (crowd, rain):
        capsys.readouterr()
        assert main(["replay", str(path), "--json", "--seconds", "6000"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    dry, wet = found
    assert wet["riders"] == dry["riders"]
    assert wet["false_lightings"]["leeze"] >= dry["false_lightings"]["leeze"]
    assert wet["false_lightings"]["oracle"] == 0
    assert wet["radar_frames"] > dry["radar_frames"]


def test_a_source_goes_on_where_it_was_saved_with_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "crowd.traffic"
    main(["traffic", "make", "-o", str(path), "--days", "1", "--riders-a-day", "300", "--clutter-per-h", "5"])
    with closing(RiderSource(path, seed=1)) as source:
        whole = list(source)
    with closing(RiderSource(path, seed=1)) as source:
        taken = [source.take() for _ in range(100)]
        state = json.loads(json.dumps(source.snapshot()))
    with closing(RiderSource(path, seed=1)) as source:
        source.restore(state)
        assert [*taken, *source] == whole
    assert {rider.id >= GHOST_IDS for rider in whole} == {True, False}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["make", "-o", "x", "--from", "monday"], "is no date"),
        (["make", "-o", "x", "--days", "0"], "1 to 400"),
        (["make", "-o", "x", "--walkers", "2000"], "walkers"),
        (["make", "-o", "x", "--walkers", "900", "--dogs", "300"], "more than 1000"),
        (["clutter", "x", "-o", "y", "--per-h", "0"], "1 to 10000"),
        (["clutter", "x", "-o", "x", "--per-h", "5"], "is what is read"),
        (["describe", "nowhere"], "cannot be read"),
    ],
)
def test_wrong_use_is_named(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["traffic", *words]) == 2
    assert said in capsys.readouterr().err


def test_an_unknown_kind_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "odd.traffic"
    path.write_text('{"format":"leeze-traffic","version":2}\n[1708299244,1,24,0]\n[1708299245,1,24,8]\n')
    with closing(RiderSource(path)) as source, pytest.raises(InputError, match="line 3 has kind 8"):
        list(source)
