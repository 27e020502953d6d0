"""What a path owes a rider: worked examples, riders who turn, and a brute-force reading of the same words."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.units import FOREVER_NS, NS_PER_S
from hil.judge.owed import Approach, LightPath, Owed
from hil.traffic.rider import Rider, Segment
from hil.traffic.script import ScriptedRider, Waypoint, scripted_rider

MS = 1_000_000
PATH = LightPath([0, 32_000, 64_000], [(-100_000, 0)])


def ride(*waypoints: tuple[float, float]) -> Rider:
    return scripted_rider(ScriptedRider([Waypoint(at_s, x_m) for at_s, x_m in waypoints]), 1)


def test_a_steady_rider_is_owed_each_lamp_from_seventy_metres_before_to_thirty_two_past() -> None:
    walk = PATH.walk(ride((0, -200), (80, 200)))  # 5 m/s: 12 s of riding are 60 m
    assert walk.owed == [
        Owed(26_000 * MS, 46_400 * MS, 0, True),
        Owed(32_400 * MS, 52_800 * MS, 1, True),
        Owed(38_800 * MS, 59_200 * MS, 2, True),
    ]
    assert walk.near == [Approach(t * MS, n, 1) for n, t in enumerate((38_000, 44_400, 50_800))]
    assert walk.sensed == [Approach(t * MS, n, 1) for n, t in enumerate((37_000, 43_400, 49_800))]


def test_a_change_of_speed_right_after_the_moment_does_not_move_it() -> None:
    walk = LightPath([0]).walk(ride((0, -200), (26.002, -69.99), (50, 200)))
    assert walk.owed[0].from_ns == 26 * NS_PER_S


def test_the_other_way_round_is_the_mirror_image() -> None:
    walk = PATH.walk(ride((0, 264), (80, -136)))
    assert [(o.from_ns, o.to_ns, o.lamp) for o in walk.owed] == [
        (26_000 * MS, 46_400 * MS, 2),
        (32_400 * MS, 52_800 * MS, 1),
        (38_800 * MS, 59_200 * MS, 0),
    ]
    assert {approach.way for approach in walk.near + walk.sensed} == {-1}


def test_a_fast_rider_is_owed_light_twelve_seconds_ahead() -> None:
    walk = PATH.walk(ride((0, -200), (40, 200)))  # 10 m/s: 120 m
    assert walk.owed[0].from_ns == 8 * NS_PER_S


def test_a_rider_who_speeds_up_is_owed_light_from_the_moment_of_speeding_up() -> None:
    walk = PATH.walk(ride((0, -200), (20, -100), (30, 0), (40, 100)))  # 5, then 10 m/s, at 100 m before lamp 0
    assert walk.owed[0].from_ns == 20 * NS_PER_S


def test_known_is_two_seconds_after_the_first_view() -> None:
    rider = ride((0, -200), (80, 200))  # 5 m/s
    for view_from_mm, known in ((-80_000, True), (-79_999, False)):  # lamp 0 is owed from -70 m on
        path = LightPath([0], [(view_from_mm, 0)])
        assert [o.known for o in path.walk(rider).owed] == [known]


def test_once_known_always_known_even_where_no_radar_looks() -> None:
    path = LightPath([0, 160_000], [(-190_000, -180_000)])
    assert [o.known for o in path.walk(ride((0, -200), (80, 200))).owed] == [True, True]


def test_nobody_is_known_without_radars_or_before_being_seen() -> None:
    rider = ride((0, -200), (80, 200))
    assert LightPath([0]).first_seen_ns(rider) == FOREVER_NS
    assert not any(o.known for o in LightPath([0], [(10_000, 50_000)]).walk(rider).owed)


def test_a_view_is_entered_from_either_side_or_started_in() -> None:
    path = LightPath([0], [(10_000, 50_000), (100_000, 120_000)])
    assert path.first_seen_ns(ride((0, -100), (20, 100))) == 11 * NS_PER_S
    assert path.first_seen_ns(ride((0, 90), (10, -10))) == 4 * NS_PER_S
    assert path.first_seen_ns(ride((5, 30), (10, 35))) == 5 * NS_PER_S


def test_who_turns_fifty_metres_before_a_lamp_ends_its_time_at_once() -> None:
    walk = LightPath([0]).walk(ride((0, -100), (10, -50), (20, -100)))
    assert walk.owed == [Owed(6 * NS_PER_S, 10 * NS_PER_S, 0, False)]
    assert walk.near == walk.sensed == []


def test_who_turns_twenty_metres_before_a_lamp_keeps_it_until_thirty_two_metres_away() -> None:
    walk = LightPath([0]).walk(ride((0, -100), (16, -20), (32, -100)))
    assert walk.owed == [Owed(6 * NS_PER_S, 18_400 * MS, 0, False)]


def test_who_turns_ten_metres_past_a_lamp_meets_it_again_in_the_same_time() -> None:
    walk = LightPath([0]).walk(ride((0, -100), (22, 10), (44, -100)))
    assert walk.owed == [Owed(6 * NS_PER_S, 30_400 * MS, 0, False)]
    assert [a.way for a in walk.sensed] == [1, -1]
    assert walk.near == [Approach(18 * NS_PER_S, 0, 1)]


def test_who_comes_back_later_is_owed_the_lamp_again() -> None:
    walk = LightPath([0]).walk(ride((0, -100), (40, 100), (80, -100)))
    assert [(o.from_ns, o.to_ns) for o in walk.owed] == [
        (6 * NS_PER_S, 26_400 * MS),
        (46 * NS_PER_S, 66_400 * MS),
    ]


def test_who_stands_keeps_being_owed_and_a_ride_that_ends_ends_it() -> None:
    walk = LightPath([0, 32_000]).walk(ride((0, -100), (10, -50), (500, -50)))
    assert walk.owed == [Owed(6 * NS_PER_S, 500 * NS_PER_S, 0, False)]


pieces = st.lists(
    st.tuples(st.integers(1, 120), st.sampled_from([-8_000, -4_000, -1_500, 0, 0, 1_500, 3_000, 5_000, 9_000, 15_000])),
    min_size=1,
    max_size=7,
)


@settings(max_examples=60, deadline=None)
@given(start_mm=st.integers(-150_000, 150_000), way=pieces)
def test_the_closed_form_says_what_stepping_through_the_ride_says(start_mm: int, way: list[tuple[int, int]]) -> None:
    step_ns = 100 * MS
    segments, t_ns, x_mm = [], 0, start_mm
    for lasts, v_mm_s in way:
        segments.append(Segment(t_ns, x_mm, v_mm_s))
        t_ns, x_mm = t_ns + lasts * step_ns, x_mm + v_mm_s * lasts // 10
    rider = Rider(1, tuple(segments), t_ns)
    lamps = [0, 32_000, 64_000, 96_000]
    moving = [v for _, v in way if v]
    direction = 1 if not moving or moving[0] > 0 else -1
    since: dict[int, int] = {}
    stepped = []
    turns = [s.t0_ns - 1 for s in segments[1:]]  # nor may a moment just before a turn be missed
    for t in sorted([*range(0, t_ns, step_ns), *turns]):
        v, x = rider.v_mm_s(t), rider.x_mm(t)
        direction = (1 if v > 0 else -1) if v else direction
        for n, lamp in enumerate(lamps):
            ahead_mm = (lamp - x) * direction
            if n in since:
                if ahead_mm <= -32_000:
                    stepped.append((n, since.pop(n), t))
            elif 0 <= ahead_mm <= max(70_000, abs(v) * 12):
                since[n] = t
    stepped += [(n, t, t_ns) for n, t in since.items()]
    owed = LightPath(lamps).walk(rider).owed
    # A time shorter than a step may be missed by the stepping, and nothing else.
    assert all(
        any(n == o.lamp and abs(a - o.from_ns) <= step_ns and abs(b - o.to_ns) <= step_ns for n, a, b in stepped)
        for o in owed
        if o.to_ns - o.from_ns > 2 * step_ns
    )
    assert all(
        any(n == o.lamp and abs(a - o.from_ns) <= step_ns and abs(b - o.to_ns) <= step_ns for o in owed)
        for n, a, b in stepped
        if b - a > 2 * step_ns
    )
