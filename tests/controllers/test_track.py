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
    BRIEF_KEEP_NS,
    BRIEF_REPORTS,
    CLAIM_NOW,
    GAIN_MM_S2,
    HEAD_MM_S,
    HEAD_PERMILLE,
    LINGER_NS,
    MARGIN_MM,
    MEAN_MM_S,
    MEAN_STEP_MM_S,
    MEANS,
    NEWS_MM,
    OVER,
    OVERDUE_KEEP_NS,
    OVERDUE_MM,
    QUIET_NS,
    REACTION_MS,
    SLOW_MM_S,
    STALE_MM,
    STAYS_PERCENT,
    STEP_MM,
    STEP_MM_S,
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
        track.measured(self.lane, self.u_mm, self.speed_mm_s, self.t_ms * NS_PER_MS, hold_u_mm)


class Bounds(NamedTuple):
    """How fast and how slow somebody may be who was measured at `at` and began this course at `first`."""

    soon: int
    top: int
    stays: int
    tail: int

    @classmethod
    def of(cls, first: Seen, at: Seen) -> Bounds:
        v = at.speed_mm_s
        soon = v + STEP_MM_S + GAIN_MM_S2 * REACH.lead_ms // 1000
        top, tail = v * HEAD_PERMILLE // 1000 + HEAD_MM_S, v * TAIL_PERMILLE // 1000
        known_ns = (at.t_ms - first.t_ms) * NS_PER_MS
        rows = [(head, tail) for least_ns, head, tail in MEANS if known_ns >= least_ns]
        if rows:
            mean = (at.u_mm - first.u_mm) * NS_PER_S // known_ns
            if v * 800 <= mean * 1000 <= v * 1250 and (mean := mean // MEAN_STEP_MM_S * MEAN_STEP_MM_S):
                top = min(top, max(soon, mean * rows[0][0] // 1000 + MEAN_MM_S))
                tail = max(tail, min(v - STEP_MM_S, mean * rows[0][1] // 1000))
        return cls(min(soon, top), top, v + (top - v) * STAYS_PERCENT // 100, tail)


class Reference:
    """The lamps somebody measured like this claims, as bits, worked out afresh whenever asked."""

    def __init__(self, seen: Seen, bounds: Bounds, reports: int) -> None:
        self.seen, self.bounds, self._reports, self._left = seen, bounds, reports, False
        self.passed_u_mm = -FAR_MM

    def mask(self, now_ms: int) -> int | None:
        """None once the track is over. Ask in order of time."""
        seen = self.seen
        age_ns = (now_ms - seen.t_ms) * NS_PER_MS
        u, v = seen.u_mm, seen.speed_mm_s
        hold = FAR_MM if seen.hold_mm is None else u + seen.hold_mm
        lamps = [x if seen.lane == 0 else -x for x in LAMPS_MM]
        ahead, behind = round(LIGHT.ahead_m * 1000), round(LIGHT.behind_m * 1000) + MARGIN_MM
        brief = self._reports < BRIEF_REPORTS and hold == u
        keep_ns = BRIEF_KEEP_NS if brief else round(LIGHT.keep_s * NS_PER_S)
        if v < SLOW_MM_S:
            low = u - ahead - MARGIN_MM - STRAY_MM_S * age_ns // NS_PER_S
            high = u + ahead + MARGIN_MM + STRAY_MM_S * age_ns // NS_PER_S
        else:
            soon, top, stays, tail = self.bounds
            ahead_ms = round(LIGHT.ahead_s * 1000)
            lead_ms = round(LIGHT.rise_s * 1000) + REACTION_MS

            def reach(speed: int, grows: int) -> int:
                fixed = max(ahead, speed * ahead_ms // 1000) + speed * lead_ms // 1000 + MARGIN_MM
                return u + fixed + grows * age_ns // NS_PER_S

            high = min(reach(soon, soon + GAIN_MM_S2 * ahead_ms // 1000), reach(top, stays))
            low = min(u + tail * age_ns // NS_PER_S, hold)
            if low < self.passed_u_mm <= low + STEP_MM:
                low = self.passed_u_mm
            low -= behind
            overdue = False
            if hold < FAR_MM and not brief:
                overdue_ns = -(-(hold + OVERDUE_MM - u) * NS_PER_S // tail)
                keep_ns = max(keep_ns, overdue_ns + OVERDUE_KEEP_NS)
                overdue = age_ns >= overdue_ns
            if age_ns >= keep_ns:
                return None
            self._left = low > max(lamps) and (self._left or not overdue)
            if self._left and age_ns < LINGER_NS:
                return 0
            if overdue:
                low = min(low, u - ahead - MARGIN_MM)
            if low > max(lamps):
                return None if age_ns >= LINGER_NS else 0
        if age_ns >= keep_ns:
            return None
        return sum(1 << bit for bit, x in enumerate(lamps) if low <= x <= high)


class Follower:
    """A track and its reference, told the same."""

    def __init__(self, seen: Seen) -> None:
        self.track = Track(1)
        self._first, self._before, self._reports = seen, seen, 0
        self.slow = Reference(seen, Bounds.of(seen, seen), 0)

    def tell(self, seen: Seen) -> None:
        """One more measurement; bounds are made anew whenever the claim is."""
        seen.tell(self.track)
        self._reports += 1
        if seen.lane != self._before.lane or self._before.speed_mm_s < SLOW_MM_S:
            self._first = seen
        self._before = seen
        anew = self.track.wake_ns == CLAIM_NOW
        self.slow = Reference(seen, Bounds.of(self._first, seen) if anew else self.slow.bounds, self._reports)
        self.slow.passed_u_mm = self.track.passed_u_mm

    def claim(self, now_ms: int) -> None:
        """Where it has passed is remembered at each claim."""
        claim(self.track, now_ms)
        self.slow.passed_u_mm = self.track.passed_u_mm


def claim(track: Track, now_ms: int) -> None:
    track.claim((LANE, DOWN)[track.lane], REACH, now_ms * NS_PER_MS)


def measured(u_mm: int, speed_mm_s: int, hold_mm: int | None = None) -> Track:
    """A track measured often and claimed at second 0."""
    track = Track(1)
    track.reports = BRIEF_REPORTS
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
    follower = Follower(ride[0])
    track, at = follower.track, 0
    for now_ms in range(ride[0].t_ms, ride[-1].t_ms + 3_000):
        while at < len(ride) and ride[at].t_ms == now_ms:
            follower.tell(ride[at])
            at += 1
        if track.wake_ns <= now_ms * NS_PER_MS:
            follower.claim(now_ms)
        expected = follower.slow.mask(now_ms)
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
    seen = Seen(0, 0, u_mm, speed_mm_s, hold_mm)
    track, slow = measured(u_mm, speed_mm_s, hold_mm), Reference(seen, Bounds.of(seen, seen), BRIEF_REPORTS)
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


@pytest.mark.parametrize("speed_mm_s", [SLOW_MM_S - 1, SLOW_MM_S, 10_000])
def test_light_reaches_ahead_by_metres_or_by_seconds_and_to_both_sides_of_a_stroll(speed_mm_s: int) -> None:
    at_mm, lamps = 80_000, range(-200_000, 400_000, 1_000)
    ahead_mm, behind_mm = round(LIGHT.ahead_m * 1000), round(LIGHT.behind_m * 1000) + MARGIN_MM
    soon_mm_s = min(
        speed_mm_s + STEP_MM_S + GAIN_MM_S2 * REACH.lead_ms // 1000, speed_mm_s * HEAD_PERMILLE // 1000 + HEAD_MM_S
    )
    if speed_mm_s < SLOW_MM_S:
        behind_mm = ahead_mm + MARGIN_MM
        reach_mm = ahead_mm + MARGIN_MM
    else:
        by_seconds_mm = round(soon_mm_s * LIGHT.ahead_s)
        reach_mm = max(ahead_mm, by_seconds_mm) + soon_mm_s * REACH.lead_ms // 1000 + MARGIN_MM
    track, lane = Track(1), Lane(1, lamps, [])
    track.measured(0, at_mm, speed_mm_s, 0, FAR_MM)
    track.claim(lane, REACH, 0)
    lit = [x for bit, x in enumerate(lamps) if track.mask >> bit & 1]
    assert (lit[0], lit[-1]) == (-(-(at_mm - behind_mm) // 1_000) * 1_000, (at_mm + reach_mm) // 1_000 * 1_000)


@pytest.mark.parametrize(("known_ns", "head_permille", "tail_permille"), MEANS)
def test_the_longer_somebody_is_known_the_nearer_to_the_mean_speed_everything_is_expected(
    known_ns: int, head_permille: int, tail_permille: int
) -> None:
    """6 m/s on the mean, 5 m/s at last: who is slow for once is expected to be as fast as usual again."""
    after_ms = -(-known_ns // NS_PER_MS)
    young, old = measured(60_000, 5_000), Track(1)
    for seen in (Seen(0, 0, 0, 6_000, None), Seen(after_ms, 0, 6 * after_ms, 5_000, None)):
        seen.tell(old)
        claim(old, seen.t_ms)
    soon = 5_000 + STEP_MM_S + GAIN_MM_S2 * REACH.lead_ms // 1000
    top = 5_000 * HEAD_PERMILLE // 1000 + HEAD_MM_S
    by_mean = min(top, max(soon, 6_000 * head_permille // 1000 + MEAN_MM_S))
    assert young.head_mm_s == 5_000 + (top - 5_000) * STAYS_PERCENT // 100
    assert old.head_mm_s == 5_000 + (by_mean - 5_000) * STAYS_PERCENT // 100 <= young.head_mm_s
    assert young.tail_mm_s == 5_000 * TAIL_PERMILLE // 1000
    assert old.tail_mm_s == min(5_000 - STEP_MM_S, 6_000 * tail_permille // 1000) > young.tail_mm_s


def test_rows_of_means_begin_with_the_longest_and_grow_narrower_with_time() -> None:
    assert list(MEANS) == sorted(MEANS, reverse=True)
    assert [head for _, head, _ in MEANS] == sorted(head for _, head, _ in MEANS)
    assert [tail for _, _, tail in MEANS] == sorted((tail for _, _, tail in MEANS), reverse=True)
    assert all(type(value) is int and value > 0 for row in MEANS for value in row)
    assert all(tail < 1_000 < head for _, head, tail in MEANS)


def test_a_mean_that_is_of_two_who_met_is_not_used() -> None:
    track = Track(1)
    after_ms = -(-MEANS[0][0] // NS_PER_MS)
    for seen in (Seen(0, 0, 0, 3_000, None), Seen(after_ms, 0, 4 * after_ms, 10_000, None)):
        seen.tell(track)
        claim(track, seen.t_ms)
    alone = measured(40_000, 10_000)
    assert (track.head_mm_s, track.tail_mm_s) == (alone.head_mm_s, alone.tail_mm_s)


def test_who_was_hardly_seen_and_vanishes_inside_a_view_is_soon_forgotten() -> None:
    brief, firm = Track(1), Track(2)
    for track, reports in ((brief, 2), (firm, BRIEF_REPORTS)):
        for n in range(reports):
            Seen(100 * n, 0, 60_000, 5_000, 0).tell(track)
        claim(track, 300)
        claim(track, 12_000)
    assert brief.wake_ns == OVER
    assert firm.mask


def test_who_is_anywhere_in_a_view_claims_from_behind_its_beginning_to_ahead_of_its_end() -> None:
    point, spread = measured(100_000, 5_000), Track(2)
    spread.measured(0, 100_000, 5_000, 0, FAR_MM)
    spread.spread_mm = 40_000
    claim(spread, 0)
    assert f"{point.mask:06b}" == "111000"
    assert f"{spread.mask:06b}" == "111110"  # from 26 m on


def test_somebody_seen_now_is_preferred_to_somebody_not_seen_for_a_while() -> None:
    unseen, fresh = measured(45_000, 5_000), measured(49_000, 5_000)
    Seen(900, 0, 53_500, 5_000, None).tell(fresh)
    at = (0, 54_800, 5_000, 1_950 * NS_PER_MS)
    assert unseen.unlikeness_mm(*at) > STALE_MM
    at = (0, 54_800, 5_000, 1_000 * NS_PER_MS)
    assert fresh.unlikeness_mm(*at) < unseen.unlikeness_mm(0, 50_000, 5_000, 1_000 * NS_PER_MS)


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
        (Seen(1_000, 0, 5_001 + NEWS_MM, 5_000, None), True),
        (Seen(1_000, 0, 4_999 - NEWS_MM, 5_000, None), True),
        (Seen(1_000, 1, 5_000, 5_000, None), True),
        (Seen(1_999, 0, 9_995, 5_000, None), False),
        (Seen(2_000, 0, 10_000, 5_000, None), True),
    ):
        seen.tell(track)
        assert track.is_news(2 * NS_PER_S) is news, seen


@given(rides())
@settings(max_examples=20, deadline=None)
def test_a_track_comes_back_exactly_from_its_snapshot(ride: list[Seen]) -> None:
    track = Track(7)
    for seen in ride:
        seen.tell(track)
        claim(track, seen.t_ms)
    state = json.loads(json.dumps(track.snapshot()))
    assert Track.restored(state).snapshot() == track.snapshot() == state
