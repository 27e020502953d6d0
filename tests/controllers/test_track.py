"""A track's claim, held against a slow reference: one inequality a lamp, worked out afresh at every millisecond."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controllers.lighting.site import Behaviour
from controllers.lighting.stretch import FAR_MM, Lane
from controllers.lighting.track import (
    CLAIM_NOW,
    HEAD_MM_S,
    HEAD_PERMILLE,
    LINGER_NS,
    OVER,
    OVERDUE_MM,
    QUIET_NS,
    SLACK_MM,
    SLOW_MM_S,
    STRAY_MM_S,
    TAIL_PERMILLE,
    Reach,
    Track,
)
from drivers.units import NS_PER_MS, NS_PER_S

LAMPS_MM = range(0, 192_000, 32_000)
LANE = Lane(1, LAMPS_MM, [])
DOWN = Lane(-1, LAMPS_MM, [])
LIGHT = Behaviour()
REACH = Reach(LIGHT)


class Seen(NamedTuple):
    """One measurement: `hold_mm` beyond it somebody has to be seen again, None for never."""

    t_ms: int
    lane: int
    u_mm: int
    speed_mm_s: int
    hold_mm: int | None

    def tell(self, track: Track) -> None:
        hold_u_mm = FAR_MM if self.hold_mm is None else self.u_mm + self.hold_mm
        track.measured(self.lane, self.u_mm, self.speed_mm_s, self.t_ms * NS_PER_MS, hold_u_mm, REACH)


class Reference:
    """The lamps somebody measured like this claims, as bits, worked out afresh whenever asked."""

    def __init__(self, seen: Seen) -> None:
        self.seen, self._left = seen, False

    def mask(self, now_ms: int) -> int | None:
        """None once the track is over. Ask in order of time."""
        seen = self.seen
        age_ns = (now_ms - seen.t_ms) * NS_PER_MS
        u, v = seen.u_mm, seen.speed_mm_s
        hold = FAR_MM if seen.hold_mm is None else u + seen.hold_mm
        lamps = [x if seen.lane == 0 else -x for x in LAMPS_MM]
        ahead, behind = round(LIGHT.ahead_m * 1000) + SLACK_MM, round(LIGHT.behind_m * 1000) + SLACK_MM
        keep_ns = round(LIGHT.keep_s * NS_PER_S)
        if v < SLOW_MM_S:
            low = u - ahead - STRAY_MM_S * age_ns // NS_PER_S
            high = u + ahead + STRAY_MM_S * age_ns // NS_PER_S
        else:
            head, tail = v * HEAD_PERMILLE // 1000 + HEAD_MM_S, v * TAIL_PERMILLE // 1000
            rise_mm = head * (round(LIGHT.rise_s * 1000) + 500) // 1000
            high = u + head * age_ns // NS_PER_S + max(ahead, head * round(LIGHT.ahead_s * 1000) // 1000) + rise_mm
            low = min(u + tail * age_ns // NS_PER_S, hold) - behind
            overdue = False
            if hold < FAR_MM:
                keep_ns = max(keep_ns, (hold + OVERDUE_MM - u) * NS_PER_S // tail)
                overdue = v * age_ns >= (hold + OVERDUE_MM - u) * NS_PER_S
            if age_ns >= keep_ns:
                return None
            self._left = low > max(lamps) and (self._left or not overdue)
            if self._left and age_ns < LINGER_NS:
                return 0
            if overdue:
                low = min(low, u - ahead)
            if low > max(lamps):
                return None if age_ns >= LINGER_NS else 0
        if age_ns >= keep_ns:
            return None
        return sum(1 << bit for bit, x in enumerate(lamps) if low <= x <= high)


def claim(track: Track, now_ms: int) -> None:
    track.claim((LANE, DOWN)[track.lane], REACH, now_ms * NS_PER_MS)


def measured(u_mm: int, speed_mm_s: int, hold_mm: int | None = None) -> Track:
    """A track measured and claimed at second 0."""
    track = Track(1, "", 0)
    Seen(0, 0, u_mm, speed_mm_s, hold_mm).tell(track)
    claim(track, 0)
    return track


@st.composite
def rides(draw: st.DrawFn) -> list[Seen]:
    """Reports of one rider, speeds in whole km/h places a little off, some at the same moment."""
    lane = draw(st.integers(0, 1))
    t_ms, u_mm = 0, draw(st.integers(-190_000, 200_000))
    kmh = draw(st.integers(0, 36))
    seen = []
    for _ in range(draw(st.integers(1, 25))):
        gap_ms = draw(st.sampled_from((100, 100, 100, 100, 0, 200, 300, 1_000)))
        t_ms += gap_ms
        u_mm += kmh * gap_ms * 5 // 18 + draw(st.sampled_from((0, 0, 0, 0, 1_000, -1_000)))
        kmh = min(max(kmh + draw(st.sampled_from((0,) * 8 + (1, -1, 6, -6))), 0), 50)
        lane = draw(st.sampled_from((lane,) * 12 + (1 - lane,)))
        seen.append(Seen(t_ms, lane, u_mm, (kmh * 5000 + 9) // 18, draw(st.sampled_from((0, 0, None, 30_000)))))
    return seen


@example([Seen(0, 0, 194_000, 1_000, None), Seen(1_900, 0, 194_500, 1_000, None)])  # left the last lamp, seen again
@given(rides())
@settings(max_examples=60, deadline=None)
def test_a_claim_that_is_made_only_when_woken_is_that_of_every_millisecond(ride: list[Seen]) -> None:
    track = Track(1, "", 0)
    at, slow = 0, Reference(ride[0])
    for now_ms in range(ride[0].t_ms, ride[-1].t_ms + 3_000):
        while at < len(ride) and ride[at].t_ms == now_ms:
            slow = Reference(ride[at])
            ride[at].tell(track)
            at += 1
        if track.wake_ns <= now_ms * NS_PER_MS:
            claim(track, now_ms)
        expected = slow.mask(now_ms)
        if expected is None:
            assert track.wake_ns == OVER
            return
        assert (now_ms, track.mask) == (now_ms, expected)
        assert track.wake_ns > now_ms * NS_PER_MS


@given(st.integers(-150_000, 200_000), st.integers(0, 14_000), st.one_of(st.none(), st.integers(0, 80_000)))
@settings(max_examples=60, deadline=None)
def test_an_unseen_rider_claims_what_the_closed_forms_say_until_the_track_is_over(
    u_mm: int, speed_mm_s: int, hold_mm: int | None
) -> None:
    track, slow = measured(u_mm, speed_mm_s, hold_mm), Reference(Seen(0, 0, u_mm, speed_mm_s, hold_mm))
    for now_ms in range(0, 200_000, 37):
        if track.wake_ns <= now_ms * NS_PER_MS:
            claim(track, now_ms)
        expected = slow.mask(now_ms)
        if expected is None:
            break
        assert (now_ms, track.mask) == (now_ms, expected)
    assert track.wake_ns == OVER


def test_reports_that_change_nothing_leave_the_claim_alone_for_a_while() -> None:
    track = measured(40_000, 5_000)
    Seen(100, 0, 40_500, 5_000, 0).tell(track)
    assert track.wake_ns == 100 * NS_PER_MS + QUIET_NS
    Seen(200, 0, 41_000, 5_278, 0).tell(track)
    assert track.wake_ns == CLAIM_NOW


def test_a_claim_still_owed_is_not_put_off_by_a_second_report_of_the_same_moment() -> None:
    track = measured(40_000, 5_000)
    Seen(100, 0, 40_500, 9_000, 0).tell(track)
    Seen(100, 0, 40_500, 9_000, 0).tell(track)
    assert track.wake_ns == CLAIM_NOW


@pytest.mark.parametrize(
    ("speed_mm_s", "first_mm", "last_mm"),
    [
        (999, -5_000, 155_000),  # a stroll: 73 m to both sides
        (1_000, 45_000, 155_000),  # 73 m ahead and the way made while a lamp rises, 35 m behind
        (10_000, 45_000, 246_000),  # 12.3 m/s for 13.5 s
    ],
)
def test_light_reaches_ahead_by_metres_or_by_seconds(speed_mm_s: int, first_mm: int, last_mm: int) -> None:
    at_mm = 80_000
    track = Track(1, "", 0)
    lamps = range(-200_000, 400_000, 1_000)
    lane = Lane(1, lamps, [])
    track.measured(0, at_mm, speed_mm_s, 0, FAR_MM, REACH)
    track.claim(lane, REACH, 0)
    lit = [x for bit, x in enumerate(lamps) if track.mask >> bit & 1]
    assert lit[0] == max(first_mm, at_mm - 73_000)
    assert lit[-1] == pytest.approx(last_mm, abs=2_250)


def test_who_overtakes_does_not_fit_the_track_of_the_slow_one_as_well_as_its_own() -> None:
    slow, fast = measured(50_000, 4_000), measured(46_000, 8_000)
    at = (0, 50_200, 8_000, 500 * NS_PER_MS)
    assert fast.unlikeness_mm(*at) < slow.unlikeness_mm(*at)


@pytest.mark.parametrize(
    ("lane", "u_mm", "speed_mm_s", "after_ms", "fits"),
    [
        (0, 50_500, 5_000, 100, True),
        (0, 53_500, 5_000, 100, True),
        (0, 55_000, 5_000, 100, False),  # nobody is so fast
        (0, 44_000, 5_000, 100, False),  # nor jumps back
        (0, 70_000, 5_000, 4_000, True),
        (0, 59_500, 3_000, 4_000, True),  # braked meanwhile
        (0, 90_000, 5_000, 4_000, False),
        (1, -50_500, 5_000, 100, False),  # somebody else, the other way
        (1, -50_500, 800, 100, True),  # stands and rolls back
        (1, -80_000, 5_000, 8_000, True),  # overdue at 80 m: has turned
        (1, -20_000, 5_000, 8_000, False),  # too far back for it
    ],
)
def test_what_can_be_the_same_rider(lane: int, u_mm: int, speed_mm_s: int, after_ms: int, fits: bool) -> None:
    track = measured(50_000, 5_000, 30_000)
    assert (track.unlikeness_mm(lane, u_mm, speed_mm_s, after_ms * NS_PER_MS) < FAR_MM) is fits


def test_news_is_what_the_neighbour_cannot_foresee() -> None:
    track = measured(0, 5_000)
    assert track.is_news(2 * NS_PER_S)
    track.published()
    for seen, news in (
        (Seen(1_000, 0, 5_000, 5_000, None), False),
        (Seen(1_000, 0, 5_000, 4_900, None), False),
        (Seen(1_000, 0, 5_000, 5_001, None), True),
        (Seen(1_000, 0, 7_001, 5_000, None), True),
        (Seen(1_000, 0, 2_999, 5_000, None), True),
        (Seen(1_000, 1, 5_000, 5_000, None), True),
        (Seen(1_999, 0, 9_995, 5_000, None), False),
        (Seen(2_000, 0, 10_000, 5_000, None), True),
    ):
        seen.tell(track)
        assert track.is_news(2 * NS_PER_S) is news, seen


@given(rides())
@settings(max_examples=20, deadline=None)
def test_a_track_comes_back_exactly_from_its_snapshot(ride: list[Seen]) -> None:
    track = Track(7, "neighbour/3", 0)
    for seen in ride:
        seen.tell(track)
        claim(track, seen.t_ms)
    state = json.loads(json.dumps(track.snapshot()))
    assert Track.restored(state).snapshot() == track.snapshot() == state
