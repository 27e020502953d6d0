"""A track's claim to the nanosecond: what it is, when it changes, for how long reports change nothing of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from controllers.lighting.site import Behaviour
from controllers.lighting.stretch import FAR_MM, Lane
from controllers.lighting.track import (
    BRIEF_KEEP_NS,
    BRIEF_REPORTS,
    CLAIM_NOW,
    LINGER_NS,
    MARGIN_MM,
    OVER,
    OVERDUE_KEEP_NS,
    OVERDUE_MM,
    QUIET_NS,
    SLOW_MM_S,
    STEP_MM,
    Reach,
    Track,
)
from drivers.units import FOREVER_NS, NS_PER_S

AT_NS = 7 * NS_PER_S + 13
REACH = Reach(Behaviour())
SHORT = Reach(Behaviour(ahead_m=20.0, ahead_s=3.0, behind_m=80.0))  # more light behind than ahead
LANE = Lane(1, range(0, 192_000, 32_000), [])
TOO_FAST_MM_S = -(-OVERDUE_MM * NS_PER_S // QUIET_NS)
SPEEDS = (0, 333, SLOW_MM_S - 1, SLOW_MM_S, SLOW_MM_S + 111, 2_779, 5_557, 9_999, TOO_FAST_MM_S - 1, TOO_FAST_MM_S)
PLACES = (-250_007, -100_001, -40_001, 3, 31_999, 60_007, 100_003, 150_001, 193_001)
HOLDS = (0, 1_007, 30_001, 250_003, None)  # so far beyond the place it has to be seen again


def known(
    u_mm: int, speed_mm_s: int, hold_mm: int | None = None, spread_mm: int = 0, reports: int = 9, reach: Reach = REACH
) -> Track:
    """Somebody measured at `AT_NS` and claimed."""
    track = Track(3)
    track.reports = reports - 1
    track.measured(0, u_mm, speed_mm_s, AT_NS, FAR_MM if hold_mm is None else u_mm + hold_mm)
    track.spread_mm = spread_mm
    track.claim(LANE, reach, AT_NS)
    return track


def bits(low_mm: int, high_mm: int) -> int:
    return sum(1 << bit for bit, u_mm in enumerate(LANE.lamps_u_mm) if low_mm <= u_mm <= high_mm)


class Claimed:
    """What a track claims at any time, by its bounds as they are, one inequality a lamp."""

    def __init__(self, track: Track, reach: Reach) -> None:
        self._track, self._reach = track, reach
        self._brief = track.reports < BRIEF_REPORTS and track.hold_u_mm == track.u0_mm
        self.keep_ns = min(reach.keep_ns, BRIEF_KEEP_NS) if self._brief else reach.keep_ns
        self.overdue_ns: int | None = None
        if track.speed_mm_s >= SLOW_MM_S and track.hold_u_mm < FAR_MM and not self._brief:
            way_mm = track.hold_u_mm + OVERDUE_MM - track.u0_mm
            self.overdue_ns = -(-way_mm * NS_PER_S // track.tail_mm_s)
            self.keep_ns = max(self.keep_ns, self.overdue_ns + OVERDUE_KEEP_NS)

    def at(self, age_ns: int) -> int | None:
        """The lamps as bits; None: it is over."""
        track = self._track
        if age_ns >= self.keep_ns:
            return None
        near_mm = track.near_mm + track.gain_mm_s * age_ns // NS_PER_S
        ahead_mm = min(near_mm, track.far_mm + track.head_mm_s * age_ns // NS_PER_S)
        last_mm = track.u0_mm - track.spread_mm
        if track.speed_mm_s < SLOW_MM_S:
            return bits(last_mm - ahead_mm, track.u0_mm + ahead_mm)
        low_mm = self._tail_mm(age_ns)
        due_ns = FOREVER_NS if self.overdue_ns is None else self.overdue_ns
        had_left = self._tail_mm(due_ns - 1) > LANE.lamps_u_mm[-1]
        if age_ns >= due_ns and (age_ns >= LINGER_NS or not had_left):
            low_mm = min(low_mm, last_mm - self._reach.ahead_mm - MARGIN_MM)
        if low_mm > LANE.lamps_u_mm[-1]:
            return 0 if age_ns < LINGER_NS else None
        return bits(low_mm, track.u0_mm + ahead_mm)

    def _tail_mm(self, age_ns: int) -> int:
        track = self._track
        passed_mm = track.u0_mm - track.spread_mm + track.tail_mm_s * age_ns // NS_PER_S
        return min(passed_mm, track.hold_u_mm) - self._reach.behind_mm


def all_of(speed_mm_s: int, reach: Reach) -> Iterator[Track]:
    lamps = LANE.lamps_u_mm
    back_mm = [lamps[1] + reach.ahead_mm + MARGIN_MM + by_mm for by_mm in (0, 1)]  # at the lit end of who is overdue
    for u_mm in (*PLACES, *back_mm):
        left_mm = [lamp_mm + reach.behind_mm - u_mm for lamp_mm in lamps if lamp_mm + reach.behind_mm >= u_mm]
        for hold_mm in (*HOLDS, *left_mm[:1]):  # seen again just where a lamp is left
            for spread_mm in (0, 4_001, 40_000):
                for reports in (BRIEF_REPORTS - 1, BRIEF_REPORTS):
                    yield known(u_mm, speed_mm_s, hold_mm, spread_mm, reports, reach)


@pytest.mark.parametrize("reach", [REACH, SHORT], ids=["as usual", "short ahead"])
@pytest.mark.parametrize("speed_mm_s", SPEEDS)
def test_a_claim_wakes_at_the_nanosecond_at_which_it_changes_and_only_then(speed_mm_s: int, reach: Reach) -> None:
    for track in all_of(speed_mm_s, reach):
        claimed, woken_ns = Claimed(track, reach), AT_NS
        assert track.mask == claimed.at(0) or track.wake_ns == OVER
        while track.wake_ns != OVER:
            before, due_ns = track.mask, track.wake_ns
            for still_ns in (woken_ns, (woken_ns + due_ns) // 2, due_ns - 1):
                assert claimed.at(still_ns - AT_NS) == before, track.snapshot()
                if due_ns - AT_NS != LINGER_NS:
                    early = Track.restored(track.snapshot())
                    early.claim(LANE, reach, still_ns)
                    assert (early.mask, early.wake_ns) == (before, due_ns), "looked at early, nothing changes"
            track.claim(LANE, reach, due_ns)
            now = claimed.at(due_ns - AT_NS)
            assert (track.wake_ns, now) == (OVER, None) if now is None else track.mask == now, track.snapshot()
            assert now != before or due_ns - AT_NS == claimed.overdue_ns, track.snapshot()
            woken_ns = due_ns
            assert track.wake_ns > due_ns or track.wake_ns == OVER
        assert claimed.at(woken_ns - AT_NS) is None


@pytest.mark.parametrize(("back_mm", "lit"), [(0, 0), (1, 0), (STEP_MM, 0), (STEP_MM + 1, 1)])
def test_a_step_of_the_radar_back_lights_no_lamp_again_that_was_left(back_mm: int, lit: int) -> None:
    u_mm = LANE.lamps_u_mm[2] + REACH.behind_mm + 1
    track = known(u_mm, 5_000)
    assert track.mask >> 2 & 1 == 0
    track.measured(0, u_mm - back_mm, 5_001, AT_NS, FAR_MM)
    track.claim(LANE, REACH, AT_NS)
    assert track.mask >> 2 & 1 == lit
    assert track.passed_u_mm == u_mm - back_mm * lit


@pytest.mark.parametrize(("lane", "speed_mm_s"), [(1, 5_000), (0, SLOW_MM_S - 1)])
def test_who_turns_or_was_slow_has_passed_nothing_yet(lane: int, speed_mm_s: int) -> None:
    u_mm = LANE.lamps_u_mm[2] + REACH.behind_mm + 1
    track = known(u_mm, 5_000)
    track.measured(lane, u_mm, speed_mm_s, AT_NS, FAR_MM)
    track.measured(lane, u_mm - 1, 5_000, AT_NS, FAR_MM)
    track.claim(LANE, REACH, AT_NS)
    assert (track.passed_u_mm, track.mask >> 2 & 1) == (u_mm - 1, 1)


def again(track: Track, u_mm: int) -> bool:
    """Measured there at the same speed a moment later: whether the claim has to be made anew."""
    other = Track.restored(track.snapshot())
    moved = other.measured(0, u_mm, track.speed_mm_s, AT_NS + 1, u_mm)
    assert other.wake_ns == (CLAIM_NOW if moved else AT_NS + 1 + QUIET_NS)
    return moved


@pytest.mark.parametrize("speed_mm_s", SPEEDS)
def test_where_a_report_changes_nothing_for_a_while_a_claim_is_left_alone_and_nowhere_else(speed_mm_s: int) -> None:
    for u_mm in range(-200_001, 230_000, 1_997):
        track = known(u_mm, speed_mm_s)
        if speed_mm_s < SLOW_MM_S or speed_mm_s >= TOO_FAST_MM_S:
            assert again(track, u_mm), "may turn, or be overdue, at any moment"
            continue
        assert again(known(u_mm, speed_mm_s, spread_mm=1), u_mm), "nobody knows where it was"
        if track.wake_ns == AT_NS + LINGER_NS and not track.mask:
            assert again(track, u_mm), "it has left"
            continue

        def same(at_mm: int, track: Track = track) -> bool:
            """By the end of the claim that comes first, and the other, for as long as it is left alone."""
            quiet_mm, lamps = track.gain_mm_s * QUIET_NS // NS_PER_S, LANE.lamps_u_mm
            at_first = bits(at_mm - REACH.behind_mm, FAR_MM), bits(-FAR_MM, at_mm + track.near_mm)
            later_mm = at_mm + track.tail_mm_s * QUIET_NS // NS_PER_S - REACH.behind_mm
            at_last = bits(later_mm, FAR_MM), bits(-FAR_MM, at_mm + track.near_mm + quiet_mm)
            now = bits(track.u0_mm - REACH.behind_mm, FAR_MM), bits(-FAR_MM, track.u0_mm + track.near_mm)
            return at_first == at_last == now and later_mm <= lamps[-1]

        low, high = track.quiet_from_mm, track.quiet_to_mm
        for at_mm in {u_mm, low - 1, low, low + 1, (low + high) // 2, high - 1, high, high + 1}:
            assert again(track, at_mm) == (not low <= at_mm <= high)
            if low <= at_mm <= high and abs(at_mm) < FAR_MM:
                assert same(at_mm), (track.snapshot(), at_mm)
        assert low <= u_mm <= high or not same(u_mm)
        assert low == -FAR_MM or not same(low - 1)
        assert not same(high + 1)
