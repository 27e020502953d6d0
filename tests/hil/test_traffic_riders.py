"""Riders: chance, closed forms, the traffic model, scripts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import InputError
from drivers.units import NS_PER_S
from hil.traffic.chance import between, draw
from hil.traffic.model import Passage, TrafficModel, mm_s, trajectory
from hil.traffic.rider import Rider, Segment
from hil.traffic.script import ScriptedRider, Waypoint, scripted_rider

passages = st.builds(
    Passage,
    utc_s=st.integers(1_700_000_000, 1_800_000_000),
    direction=st.sampled_from([1, -1]),
    speed_kmh=st.integers(3, 100),
)
models = st.builds(
    TrafficModel,
    piece_min_ms=st.integers(500, 4_000),
    piece_max_ms=st.integers(4_000, 9_000),
    spread_permille=st.integers(0, 300),
    accel_mm_s2=st.integers(200, 2_000),
    step_ms=st.integers(100, 900),
)


def test_the_draw_is_splitmix64_for_one_seed() -> None:
    # First output of the published generator for seed 1234567 (the reference code's test value).
    assert draw(1234567) == 6457827717110365317


def test_draws_differ_by_every_key_and_their_order() -> None:
    assert len({draw(1), draw(2), draw(1, 2), draw(2, 1), draw(1, 2, 0), draw(1, 2, -1)}) == 6
    assert {between(draw(7, n), 3, 8) for n in range(200)} == {3, 4, 5, 6, 7, 8}


def test_a_day_of_draws_is_even() -> None:
    bins = [0] * 10
    for n in range(10_000):
        bins[draw(3, n) % 10] += 1
    assert all(900 < count < 1100 for count in bins)


@settings(max_examples=80, deadline=None)
@given(passage=passages, model=models, rider_id=st.integers(0, 10**6), seed=st.integers(0, 2**64))
def test_a_recorded_rider_passes_the_counter_in_the_recorded_second_with_the_recorded_speed(
    passage: Passage, model: TrafficModel, rider_id: int, seed: int
) -> None:
    rider = trajectory(passage, rider_id, seed, model)
    crossing = rider.first_time_at(model.counter_mm)
    assert crossing is not None
    assert crossing // NS_PER_S == passage.utc_s
    # The closed form is rounded down to the millimetre: the counter is reached up to one millimetre's time early.
    assert rider.v_mm_s(crossing + 10**6) == passage.direction * mm_s(passage.speed_kmh)
    assert rider.segments[0].t0_ns > passage.utc_s * NS_PER_S - model.longest_lead_ns


@settings(max_examples=80, deadline=None)
@given(passage=passages, model=models, seed=st.integers(0, 2**64))
def test_a_ride_goes_from_end_to_end_without_a_jump_or_a_step_back(
    passage: Passage, model: TrafficModel, seed: int
) -> None:
    rider = trajectory(passage, 0, seed, model)
    ends = sorted((model.start_mm, model.end_mm), reverse=passage.direction < 0)
    # The last piece is rounded up to a millisecond, every piece to a millimetre.
    most_mm = mm_s(100) * 3 // 2 // 1000 + 1 + len(rider.segments)
    assert abs(rider.x_mm(rider.start_ns) - ends[0]) <= most_mm
    assert abs(rider.x_mm(rider.end_ns) - ends[1]) <= most_mm
    for a, b in pairwise(rider.segments):
        assert a.t0_ns < b.t0_ns
        assert a.x0_mm + a.v_mm_s * (b.t0_ns - a.t0_ns) // NS_PER_S == b.x0_mm
        assert abs(b.v_mm_s - a.v_mm_s) <= model.accel_mm_s2 * model.step_ms // 1000
    wanted = mm_s(passage.speed_kmh)
    for s in rider.segments:
        assert abs(abs(s.v_mm_s) - wanted) * 1000 <= wanted * model.spread_permille + 1000
        assert (s.v_mm_s > 0) == (passage.direction > 0)


def test_the_same_passage_and_seed_give_the_same_ride_and_another_seed_another() -> None:
    passage = Passage(1_708_299_244, 1, 24)
    assert trajectory(passage, 5, 1, TrafficModel()) == trajectory(passage, 5, 1, TrafficModel())
    assert trajectory(passage, 5, 1, TrafficModel()) != trajectory(passage, 5, 2, TrafficModel())


def test_a_ride_can_count_from_any_origin() -> None:
    passage, origin = Passage(1_708_299_244, -1, 24), 1_708_299_000 * NS_PER_S
    absolute = trajectory(passage, 5, 1, TrafficModel())
    relative = trajectory(passage, 5, 1, TrafficModel(), origin)
    assert relative.start_ns == absolute.start_ns - origin
    assert relative.x_mm(250 * NS_PER_S) == absolute.x_mm(250 * NS_PER_S + origin)


def test_dither_stays_in_the_counters_bin_and_uses_it() -> None:
    # 24 km/h is 144/6: between 144/6.5 = 22.2 and 144/5.5 = 26.2 km/h.
    speeds = {
        trajectory(Passage(1_708_299_244, 1, 24), n, 0, TrafficModel(spread_permille=0, dither=True)).v_mm_s(
            1_708_299_245 * NS_PER_S
        )
        for n in range(200)
    }
    assert min(speeds) >= 6153
    assert max(speeds) <= 7273
    assert max(speeds) - min(speeds) > 900


def test_dither_leaves_a_speed_alone_that_the_counter_cannot_say() -> None:
    model = TrafficModel(spread_permille=0, dither=True)
    assert trajectory(Passage(1_708_299_244, 1, 17), 0, 0, model).v_mm_s(1_708_299_244 * NS_PER_S) == mm_s(17)


@pytest.mark.parametrize("wrong", [{"counter_mm": 600_000}, {"piece_min_ms": 0}, {"step_ms": 0}])
def test_a_traffic_model_that_cannot_be_ridden_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="traffic model"):
        TrafficModel(**wrong)  # type: ignore[arg-type]


segment_lists = st.lists(st.tuples(st.integers(1, 20 * NS_PER_S), st.integers(-9_000, 9_000)), min_size=1, max_size=8)


def made(pieces: list[tuple[int, int]]) -> Rider:
    segments, t_ns, x_mm = [], 0, 0
    for lasts_ns, v_mm_s in pieces:
        segments.append(Segment(t_ns, x_mm, v_mm_s))
        t_ns, x_mm = t_ns + lasts_ns, x_mm + v_mm_s * lasts_ns // NS_PER_S
    return Rider(1, tuple(segments), t_ns)


@settings(max_examples=150, deadline=None)
@given(pieces=segment_lists, x_mm=st.integers(-100_000, 100_000))
def test_the_first_time_at_a_place_is_the_first_time_the_closed_form_is_there(
    pieces: list[tuple[int, int]], x_mm: int
) -> None:
    rider = made(pieces)
    t_ns = rider.first_time_at(x_mm)
    side = 1 if x_mm > 0 else -1
    if t_ns is None:
        assert all((s.x0_mm - x_mm) * side < 0 for s in rider.segments)
        assert (rider.x_mm(rider.end_ns) - x_mm) * side < 0
    else:
        assert (rider.x_mm(t_ns) - x_mm) * side >= 0
        assert t_ns == rider.start_ns or (rider.x_mm(t_ns - 1) - x_mm) * side < 0


def test_a_time_outside_the_ride_gives_its_nearer_end_and_no_speed() -> None:
    rider = made([(NS_PER_S, 5_000)])
    assert (rider.x_mm(-1), rider.v_mm_s(-1)) == (0, 0)
    assert (rider.x_mm(2 * NS_PER_S), rider.v_mm_s(2 * NS_PER_S)) == (5_000, 0)


def test_a_scripted_rider_rides_stops_turns_and_meets_every_waypoint() -> None:
    script = ScriptedRider(
        [Waypoint(0, -200), Waypoint(61, 160.5), Waypoint(70, 160.5), Waypoint(100, 0.001)], lateral_m=-1.2
    )
    rider = scripted_rider(script, 7)
    assert rider.id == 7
    assert rider.lateral_mm == -1200
    assert [rider.x_mm(t * NS_PER_S) for t in (0, 61, 65, 70, 100)] == [-200_000, 160_500, 160_500, 160_500, 1]
    assert rider.v_mm_s(65 * NS_PER_S) == 0
    assert rider.v_mm_s(90 * NS_PER_S) < 0
    assert rider.end_ns == 100 * NS_PER_S


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([Waypoint(0, 0)], "two waypoints"),
        ([Waypoint(0, 0), Waypoint(0, 5)], "waypoint 2 is not later"),
        ([Waypoint(0, 0), Waypoint(5, 10), Waypoint(6, 200)], "m/s to waypoint 3"),
    ],
)
def test_a_script_nobody_can_ride_is_refused_with_its_waypoint(points: list[Waypoint], said: str) -> None:
    with pytest.raises(InputError, match=rf"riders\[0\].*{said}"):
        scripted_rider(ScriptedRider(points), 0, "riders[0]")
