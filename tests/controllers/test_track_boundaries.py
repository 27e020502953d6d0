"""What a track takes for its own, to the millimetre: both ends of what fits, of what is near, and of what is news."""

from __future__ import annotations

import pytest

from controllers.lighting.site import Behaviour
from controllers.lighting.stretch import FAR_MM, Lane
from controllers.lighting.track import (
    CLAIM_NOW,
    FIT_HEAD_PERMILLE,
    FIT_TAIL_PERMILLE,
    FRESH_NS,
    GAIN_MM_S2,
    HEAD_MM_S,
    HEAD_PERMILLE,
    MARGIN_MM,
    MEAN_MM_S,
    MEAN_STEP_MM_S,
    MEANS,
    NEWS_MM,
    OVERDUE_MM,
    REACTION_MS,
    SLACK_MM,
    SLOW_MM_S,
    STALE_MM,
    STAYS_PERCENT,
    STEP_MM_S,
    STRAY_MM_S,
    TAIL_PERMILLE,
    Reach,
    Track,
)
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

AT_NS = 7 * NS_PER_S
START_MM = 10_003  # odd, and so are speeds and ages below: what is cut has to be cut


def known(speed_mm_s: int, hold_u_mm: int = FAR_MM, lane: int = 0, spread_mm: int = 0) -> Track:
    track = Track(3)
    track.measured(lane, START_MM, speed_mm_s, AT_NS, hold_u_mm)
    track.spread_mm = spread_mm
    return track


def cut(speed_mm_s: int, age_ns: int) -> int:
    return speed_mm_s * age_ns // NS_PER_S


def fits(track: Track, u_mm: int, age_ns: int, lane: int = 0) -> bool:
    found = track.unlikeness_mm(lane, u_mm, track.speed_mm_s, AT_NS + age_ns)
    assert type(found) is int
    return found < FAR_MM


def test_a_new_track_knows_nothing_and_wants_to_be_claimed() -> None:
    state = Track(3).snapshot()
    told = {name: state.pop(name) for name in ("id", "hold_u_mm", "passed_u_mm", "published_ns")}
    assert told == {"id": 3, "hold_u_mm": FAR_MM, "passed_u_mm": -FAR_MM, "published_ns": -FOREVER_NS}
    assert (state.pop("confirmed"), state.pop("wake_ns")) == (False, CLAIM_NOW)
    assert (state.pop("radar"), state.pop("remote")) == ("", "")
    assert (state.pop("quiet_from_mm"), state.pop("quiet_to_mm")) == (0, -1), "no place is between"
    assert {state.pop(name) for name in ("speed_mm_s", "head_mm_s", "tail_mm_s")} == {-1}, "slower than slow"
    assert set(state.values()) == {0}


def test_a_reach_is_in_whole_millimetres_and_milliseconds() -> None:
    reach = Reach(Behaviour(ahead_m=50.5, ahead_s=11.007, behind_m=20.25, rise_s=1.503, keep_s=41.5))
    assert (reach.ahead_mm, reach.ahead_ms, reach.lead_ms) == (50_500, 11_007, 1_503 + REACTION_MS)
    assert (reach.behind_mm, reach.keep_ns) == (20_250 + MARGIN_MM, 41_500 * NS_PER_MS)


def bounds(reach: Reach, speed: int, mean: int, known: int) -> tuple[int, ...]:
    """By the words of `Reach.bounds_of`."""
    soon = speed + STEP_MM_S + GAIN_MM_S2 * reach.lead_ms // 1000
    top, tail = speed * HEAD_PERMILLE // 1000 + HEAD_MM_S, speed * TAIL_PERMILLE // 1000
    if mean:
        _, head_permille, tail_permille = MEANS[known]
        top = min(top, max(soon, mean * head_permille // 1000 + MEAN_MM_S))
        tail = max(tail, min(speed - STEP_MM_S, mean * tail_permille // 1000))
    soon = min(soon, top)
    near, far = (
        max(reach.ahead_mm, v * reach.ahead_ms // 1000) + v * reach.lead_ms // 1000 + MARGIN_MM for v in (soon, top)
    )
    return near, soon + GAIN_MM_S2 * reach.ahead_ms // 1000, far, speed + (top - speed) * STAYS_PERCENT // 100, tail


@pytest.mark.parametrize("known", range(len(MEANS)))
@pytest.mark.parametrize("speed_mm_s", [SLOW_MM_S, SLOW_MM_S + 1, 2_779, 5_557, 8_333, 9_999])
@pytest.mark.parametrize("light", [Behaviour(), Behaviour(ahead_s=11.003, rise_s=1.507, ahead_m=20.001)])
def test_bounds_are_what_they_say_in_whole_millimetres(speed_mm_s: int, known: int, light: Behaviour) -> None:
    reach = Reach(light)
    for mean_mm_s in (0, 1, 1_050, 4_950, 5_450, 6_450, 8_450, 9_950):
        found = reach.bounds_of(speed_mm_s, mean_mm_s, known)
        assert found == bounds(reach, speed_mm_s, mean_mm_s, known)
        assert all(type(part) is int for part in found)
        assert reach.bounds_of(speed_mm_s, mean_mm_s, known) is found, "not worked out twice"


@pytest.mark.parametrize(
    ("mean_mm_s", "used"), [(5_000, 1), (4_000, 1), (3_999, 0), (6_250, 1), (6_251, 0), (5_499, 1)]
)
def test_a_mean_is_known_after_a_while_and_where_it_is_near_the_speed(mean_mm_s: int, used: int) -> None:
    """From four fifths to five quarters of it."""
    reach, until_ns = Reach(Behaviour()), 2 * MEANS[0][0]
    for row, (least_ns, _, _) in enumerate(MEANS):
        for known_ns in (least_ns, least_ns + 1, until_ns - 1):
            assert bound(reach, known_ns, mean_mm_s) == reach.bounds_of(5_000, in_steps(mean_mm_s) * used, row)
        until_ns = least_ns
    assert bound(reach, until_ns - 1, mean_mm_s) == reach.bounds_of(5_000, 0, 0)


def in_steps(mean_mm_s: int) -> int:
    return mean_mm_s // MEAN_STEP_MM_S * MEAN_STEP_MM_S


def bound(reach: Reach, known_ns: int, mean_mm_s: int) -> tuple[int, ...]:
    """Of somebody at 5 m/s who is known for so long, on the shortest way that makes this mean."""
    track = known(5_000)
    track.t0_ns = track.first_ns + known_ns
    track.u0_mm = track.first_u_mm - (-mean_mm_s * known_ns // NS_PER_S)
    track._bound(reach)
    return track.near_mm, track.gain_mm_s, track.far_mm, track.head_mm_s, track.tail_mm_s


@pytest.mark.parametrize("speed_mm_s", [333, 1_111, 2_779, 5_557])
@pytest.mark.parametrize("hold_u_mm", [START_MM, START_MM + 30_001, FAR_MM])
def test_a_claim_is_in_whole_nanoseconds_and_millimetres(speed_mm_s: int, hold_u_mm: int) -> None:
    track, lane = known(speed_mm_s, hold_u_mm), Lane(1, range(-64_000, 192_000, 32_000), [])
    for _ in range(12):
        track.claim(lane, Reach(Behaviour()), max(track.wake_ns, AT_NS))
        assert {type(value) for value in track.snapshot().values()} <= {int, str, bool}
        if track.wake_ns < AT_NS:
            break


def test_who_is_slow_strays_to_both_sides() -> None:
    reach = Reach(Behaviour())
    ahead_mm = reach.ahead_mm + MARGIN_MM
    assert reach.bounds_of(SLOW_MM_S - 1, 0, 0) == (ahead_mm, STRAY_MM_S, ahead_mm, STRAY_MM_S, -STRAY_MM_S)


def test_bounds_remembered_have_an_end() -> None:
    reach = Reach(Behaviour())
    for speed_mm_s in range(4_096):
        reach.bounds_of(speed_mm_s, 0, 0)
    assert len(reach._bounds) == 4_096
    reach.bounds_of(5_000, 0, 0)
    assert len(reach._bounds) == 1


# --- what may be the same rider

AGES = (0, 333_333_333, NS_PER_S + 1, 9 * NS_PER_S + 777_777_777)


@pytest.mark.parametrize("age_ns", AGES)
@pytest.mark.parametrize("speed_mm_s", [SLOW_MM_S, 5_557])
@pytest.mark.parametrize("spread_mm", [0, 4_001])
def test_a_report_fits_between_the_slowest_and_the_fastest_and_a_slack(
    speed_mm_s: int, age_ns: int, spread_mm: int
) -> None:
    track = known(speed_mm_s, spread_mm=spread_mm)
    low = START_MM - spread_mm + cut(speed_mm_s * FIT_TAIL_PERMILLE // 1000, age_ns) - SLACK_MM
    high = START_MM + cut(speed_mm_s * FIT_HEAD_PERMILLE // 1000 + HEAD_MM_S, age_ns) + SLACK_MM
    assert [fits(track, u_mm, age_ns) for u_mm in (low - 1, low, high, high + 1)] == [False, True, True, False]


@pytest.mark.parametrize("age_ns", AGES)
@pytest.mark.parametrize("speed_mm_s", [0, STRAY_MM_S - 1, STRAY_MM_S + 1, SLOW_MM_S - 1])
def test_who_is_slow_may_have_gone_either_way(speed_mm_s: int, age_ns: int) -> None:
    track = known(speed_mm_s)
    strays_mm = cut(max(speed_mm_s, STRAY_MM_S), age_ns)
    low = START_MM + cut(speed_mm_s * FIT_TAIL_PERMILLE // 1000, age_ns) - SLACK_MM - strays_mm
    high = START_MM + cut(speed_mm_s * FIT_HEAD_PERMILLE // 1000 + HEAD_MM_S, age_ns) + SLACK_MM + strays_mm
    assert [fits(track, u_mm, age_ns) for u_mm in (low - 1, low, high, high + 1)] == [False, True, True, False]


def test_who_waits_to_be_seen_again_fits_from_a_slack_before_that_place_on() -> None:
    track = known(5_557, hold_u_mm=START_MM + 1_007)
    low = START_MM + 1_007 - SLACK_MM
    assert [fits(track, u_mm, 9 * NS_PER_S) for u_mm in (low - 1, low)] == [False, True]


@pytest.mark.parametrize("age_ns", AGES)
@pytest.mark.parametrize("away_mm", [-SLACK_MM, -1, 0, 1, SLACK_MM])
def test_what_is_near_is_as_far_away_as_it_is_and_as_it_differs_in_speed(age_ns: int, away_mm: int) -> None:
    track = known(5_557)
    stale_mm = STALE_MM if age_ns > FRESH_NS else 0
    u_mm = START_MM + cut(5_557, age_ns) + away_mm
    for speed_mm_s in (5_557 - 803, 5_557 + 803):
        found = track.unlikeness_mm(0, u_mm, speed_mm_s, AT_NS + age_ns)
        assert (found, type(found)) == (abs(away_mm) + 803 + stale_mm, int)


def test_what_fits_but_is_not_near_is_measured_the_same() -> None:
    track = known(5_557)
    u_mm = START_MM + cut(5_557, FRESH_NS - 1) - SLACK_MM - 1
    assert track.unlikeness_mm(0, u_mm, 5_000, AT_NS + FRESH_NS - 1) == SLACK_MM + 1 + 557


@pytest.mark.parametrize(("age_ns", "stale_mm"), [(FRESH_NS, 0), (FRESH_NS + 1, STALE_MM)])
def test_who_is_not_seen_for_half_a_second_is_stale(age_ns: int, stale_mm: int) -> None:
    track = known(5_556)
    assert track.unlikeness_mm(0, START_MM + cut(5_556, age_ns), 5_556, AT_NS + age_ns) == stale_mm


# --- who turns


@pytest.mark.parametrize(
    ("before_mm_s", "now_mm_s", "may"),
    [
        (SLOW_MM_S, SLOW_MM_S, False),
        (SLOW_MM_S - 1, SLOW_MM_S, True),
        (SLOW_MM_S, SLOW_MM_S - 1, True),
        (SLOW_MM_S - 1, SLOW_MM_S - 1, True),
    ],
)
def test_only_who_is_slow_turns_at_once_and_differs_by_both_speeds(before_mm_s: int, now_mm_s: int, may: bool) -> None:
    track = known(before_mm_s)
    found = track.unlikeness_mm(1, -START_MM, now_mm_s, AT_NS)
    assert found == (before_mm_s + now_mm_s if may else FAR_MM)


@pytest.mark.parametrize("away_mm", [-SLACK_MM, 0, SLACK_MM])
def test_the_place_of_who_turned_is_seen_along_the_other_lane(away_mm: int) -> None:
    track = known(900)
    assert track.unlikeness_mm(1, -(START_MM + away_mm), 500, AT_NS) == abs(away_mm) + 1_400


@pytest.mark.parametrize(("beyond_mm", "may"), [(OVERDUE_MM - 1, False), (OVERDUE_MM, True)])
def test_who_should_have_been_seen_again_may_have_turned(beyond_mm: int, may: bool) -> None:
    track = known(5_000, hold_u_mm=START_MM + 50_000 - beyond_mm)
    assert (track.unlikeness_mm(1, -START_MM - 50_000, 5_000, AT_NS + 10 * NS_PER_S) < FAR_MM) is may


# --- a sensor that knows no place


@pytest.mark.parametrize("age_ns", AGES)
@pytest.mark.parametrize("spread_mm", [0, 4_001])
def test_it_may_be_in_a_view_that_touches_where_it_may_be(age_ns: int, spread_mm: int) -> None:
    track = known(5_557, spread_mm=spread_mm)
    low = START_MM - spread_mm + cut(5_557 * FIT_TAIL_PERMILLE // 1000, age_ns) - SLACK_MM
    high = START_MM + cut(5_557 * FIT_HEAD_PERMILLE // 1000 + HEAD_MM_S, age_ns) + SLACK_MM
    t_ns = AT_NS + age_ns
    assert [track.may_be_in(low - 100, to_mm, t_ns) for to_mm in (low - 1, low)] == [False, True]
    assert [track.may_be_in(from_mm, high + 100, t_ns) for from_mm in (high, high + 1)] == [True, False]


def test_it_may_wait_where_it_has_to_be_seen_again() -> None:
    track = known(5_557, hold_u_mm=START_MM + 1_007)
    low = START_MM + 1_007 - SLACK_MM
    assert [track.may_be_in(0, to_mm, AT_NS + 9 * NS_PER_S) for to_mm in (low - 1, low)] == [False, True]


# --- news


@pytest.mark.parametrize(("away_mm", "news"), [(-NEWS_MM - 1, 1), (-NEWS_MM, 0), (NEWS_MM, 0), (NEWS_MM + 1, 1)])
def test_it_is_news_to_be_elsewhere_than_foretold(away_mm: int, news: int) -> None:
    track = known(5_557)
    track.published()
    age_ns = 333_333_333
    track.measured(0, START_MM + cut(5_557, age_ns) + away_mm, 5_557, AT_NS + age_ns, FAR_MM)
    assert track.is_news(2 * NS_PER_S) is bool(news)


@pytest.mark.parametrize(
    ("lane", "speed_mm_s", "age_ns", "news"),
    [(0, 5_557, 1, False), (0, 5_558, 1, True), (0, 5_556, 1, False), (1, 5_557, 1, True), (0, 5_557, 1_000, True)],
)
def test_it_is_news_to_be_faster_or_turned_and_after_a_while(
    lane: int, speed_mm_s: int, age_ns: int, news: bool
) -> None:
    track = known(5_557)
    assert track.is_news(1_000), "at first"
    track.published()
    track.measured(lane, START_MM, speed_mm_s, AT_NS + age_ns, FAR_MM)
    assert track.is_news(1_000) is news
    assert track.is_news(age_ns)


# --- a measurement


def test_a_course_begins_where_somebody_turns_or_was_slow_and_goes_on_else() -> None:
    track = known(5_000)
    track.measured(0, START_MM + 500, 5_000, AT_NS + 100, 7)
    assert (track.first_ns, track.first_u_mm, track.reports, track.hold_u_mm) == (AT_NS, START_MM, 2, 7)
    track.measured(1, -START_MM, 5_000, AT_NS + 200, FAR_MM)
    assert (track.first_ns, track.first_u_mm) == (AT_NS + 200, -START_MM)
    track.measured(1, -START_MM + 5, SLOW_MM_S - 1, AT_NS + 300, FAR_MM)
    assert track.first_ns == AT_NS + 200
    track.measured(1, -START_MM + 9, SLOW_MM_S, AT_NS + 400, FAR_MM)
    assert (track.first_ns, track.first_u_mm) == (AT_NS + 400, -START_MM + 9)
    track.measured(1, -START_MM + 12, SLOW_MM_S, AT_NS + 500, FAR_MM)
    assert track.first_ns == AT_NS + 400


@pytest.mark.parametrize(("longer_ns", "told"), [(-1, False), (0, False), (1, True), (20 * NS_PER_S, True)])
def test_for_how_long_somebody_is_known_is_the_longer_of_own_sight_and_a_neighbours_word(
    longer_ns: int, told: bool
) -> None:
    track, own_ns = known(5_000), 3 * NS_PER_S + 1
    track.measured(0, START_MM + 15_000, 5_000, AT_NS + own_ns, FAR_MM)
    track.known_for(own_ns + longer_ns, 4_501)
    first_u_mm = START_MM + 15_000 - cut(4_501, own_ns + longer_ns)
    assert (track.first_ns, track.first_u_mm) == ((AT_NS - longer_ns, first_u_mm) if told else (AT_NS, START_MM))


def test_a_track_comes_back_from_its_snapshot_in_every_part() -> None:
    state = {name: 100 + n for n, name in enumerate(Track.__slots__)}
    assert Track.restored(state).snapshot() == state
