"""Somebody on the path, as far as one controller knows: the last measurement, and closed forms from there.

A track claims lamps: all from `behind` its slowest possible position to `ahead` of its fastest. Between measurements
the claim moves by itself, and `wake_ns` says when it next reaches a lamp or leaves one.

Ahead, the claim ends at the nearer of two straight lines in time. The near one is for now: nobody gains more than
`GAIN_MM_S2` while a lamp rises. The far one is for later: nobody rides faster than a part more than the last speed, or
than the mean speed once somebody has been known for a while and rides about as fast as that. The longer somebody is
known, the less the mean is off, and the nearer both ends of the claim.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any

from controllers.lighting.site import Behaviour, mm
from controllers.lighting.stretch import FAR_MM, Lane
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

SLOW_MM_S = 1_000
"""Slower than this (3.6 km/h, a stroll) somebody may turn at any moment: light to both sides."""

STRAY_MM_S = 500
"""How fast somebody slow may leave the spot unseen."""

CONFIRM_NS = 250 * NS_PER_MS
"""A second report within this time makes a track of a detection, one of the two to come; alone it may be clutter."""

SURE_MM = 1_300
"""So well a second report has to fit; one that fits worse (rain) needs a third."""

BRIEF_REPORTS = 4
BRIEF_KEEP_NS = 10 * NS_PER_S
"""Who vanishes well inside a view after fewer reports than that was hardly there: forgotten after this time."""

FRESH_NS = 500 * NS_PER_MS
STALE_MM = 2_000
"""A track not seen for longer than `FRESH_NS` has to fit better by this than one that is being seen."""

LINGER_NS = 2 * NS_PER_S
"""So long after its last measurement a track that claims nothing any more is still known."""

OVERDUE_MM = 5_000
"""Where even the slowest should be so far beyond the place where it had to be seen again, it stopped, and may turn."""

OVERDUE_KEEP_NS = 20 * NS_PER_S
"""So long at least somebody is believed to be there after that."""

SLACK_MM = 3_000
"""Position error allowed for between a report and the track it belongs to."""

MARGIN_MM = 1_000
"""Claimed ahead and behind beyond what is owed: radars tell whole metres, and nobody says how they round."""

STEP_MM = 1_000
"""So far back a report may be from where somebody must be by the ones before: a step of the radar, no way back."""

HEAD_PERMILLE, HEAD_MM_S = 1_250, 300
"""Unseen, nobody rides faster than this makes of the last speed: with the lead, a rise by a third is stood."""

STAYS_PERCENT = 75
"""Nobody rides at the top of these bounds all the way: so much of what is above the last speed, on average."""

MEANS = tuple(
    (known_s * NS_PER_S, 1_150 + 1_600 // known_s, 860 - 1_000 // known_s) for known_s in (64, 45, 32, 22, 16, 11, 8)
)
"""Known for so long on one course (ns), nobody rides faster or slower than these permille of the mean speed: a mean of
some seconds may be that of somebody who was slow for once, that of a minute hardly."""

MEAN_MM_S = 100
"""Nobody rides faster than this beyond the mean's bound."""

MEAN_STEP_MM_S = 50
"""Means are taken in such steps: few different ones, worked out once."""

STEP_MM_S = 140
"""Speeds come in whole km/h: so far a report may be off."""

GAIN_MM_S2 = 700
"""Nobody gains speed faster: at 20 km/h a rider of 100 kg would need 400 W beyond what holds the speed."""

TAIL_PERMILLE = 700
"""Unseen, nobody is slower than this part of the last speed; who stops is met at the next view."""

FIT_TAIL_PERMILLE, FIT_HEAD_PERMILLE = 600, 1_350
"""A report may be somebody's who was so much slower or faster since: wider than what is claimed."""

NEWS_MM = 2_000
"""A neighbour may be so wrong about a rider's place before it is told; below the slack everything allows for."""

CLAIM_NOW = 0
"""`wake_ns` of a track whose claim is to be made anew at once."""

OVER = -1
"""`wake_ns` of a track that is to be forgotten."""

QUIET_NS = 300 * NS_PER_MS
"""A claim that stays as it is for so long need not be worked out again at every report: three reports are due then."""

REACTION_MS = 100
"""Tick grid and bus, before a lamp begins to rise; a report missed is in the near line, which grows with age."""


class Reach:
    """Distances and times of a site's behaviour, as the track needs them."""

    __slots__ = ("_bounds", "ahead_mm", "ahead_ms", "behind_mm", "keep_ns", "lead_ms")

    def __init__(self, light: Behaviour) -> None:
        self.ahead_mm = mm(light.ahead_m)
        self.ahead_ms = round(light.ahead_s * 1000)
        self.lead_ms = round(light.rise_s * 1000) + REACTION_MS
        self.behind_mm = mm(light.behind_m) + MARGIN_MM
        self.keep_ns = round(light.keep_s * NS_PER_S)
        self._bounds: dict[tuple[int, int, int], tuple[int, int, int, int, int]] = {}  # worked out before

    def bounds_of(self, speed: int, mean_mm_s: int, known: int) -> tuple[int, int, int, int, int]:
        """(near_mm, gain_mm_s, far_mm, head_mm_s, tail_mm_s) for somebody at `speed`; a mean of 0: not known.

        `known` is the row of `MEANS` for the mean. The claim ends at ``near + gain * age`` or ``far + head * age``
        ahead, and begins at ``tail * age``.
        """
        found = self._bounds.get((speed, mean_mm_s, known))
        if found is not None:
            return found
        if len(self._bounds) >= 4096:
            self._bounds.clear()
        if speed < SLOW_MM_S:
            reach_mm = self.ahead_mm + MARGIN_MM
            bounds = (reach_mm, STRAY_MM_S, reach_mm, STRAY_MM_S, -STRAY_MM_S)
        else:
            soon_mm_s = speed + STEP_MM_S + GAIN_MM_S2 * self.lead_ms // 1000
            top_mm_s = speed * HEAD_PERMILLE // 1000 + HEAD_MM_S
            tail_mm_s = speed * TAIL_PERMILLE // 1000
            if mean_mm_s:
                _, head_permille, tail_permille = MEANS[known]
                top_mm_s = min(top_mm_s, max(soon_mm_s, mean_mm_s * head_permille // 1000 + MEAN_MM_S))
                tail_mm_s = max(tail_mm_s, min(speed - STEP_MM_S, mean_mm_s * tail_permille // 1000))
            soon_mm_s = min(soon_mm_s, top_mm_s)
            bounds = (
                self._ahead_of(soon_mm_s),
                soon_mm_s + GAIN_MM_S2 * self.ahead_ms // 1000,
                self._ahead_of(top_mm_s),
                speed + (top_mm_s - speed) * STAYS_PERCENT // 100,
                tail_mm_s,
            )
        self._bounds[speed, mean_mm_s, known] = bounds
        return bounds

    def _ahead_of(self, speed_mm_s: int) -> int:
        """How far ahead of somebody so fast lamps are claimed: what is owed once they have risen, and the margin."""
        owed_mm = max(self.ahead_mm, speed_mm_s * self.ahead_ms // 1000)
        return owed_mm + speed_mm_s * self.lead_ms // 1000 + MARGIN_MM


class Track:
    """One rider, walker or group. `mask` has a bit for each lamp claimed now.

    `u0_mm` along its lane at `t0_ns`, `speed_mm_s` >= 0. `spread_mm`: it may be so far behind that, for a sensor that
    knows no place. `hold_u_mm`: nobody passes there unseen, so the light behind waits there for the rider to be seen
    again. `radar` saw it last, "" is the neighbour. `remote` is the neighbour's name for a rider it announced.
    `first_u_mm` at `first_ns` began the present course; it is beyond `passed_u_mm` since.
    """

    __slots__ = (
        "confirmed",
        "far_mm",
        "first_ns",
        "first_u_mm",
        "gain_mm_s",
        "head_mm_s",
        "hold_u_mm",
        "id",
        "lane",
        "mask",
        "near_mm",
        "passed_u_mm",
        "published_lane",
        "published_mm_s",
        "published_ns",
        "published_u_mm",
        "quiet_from_mm",
        "quiet_to_mm",
        "radar",
        "remote",
        "reports",
        "speed_mm_s",
        "spread_mm",
        "t0_ns",
        "tail_mm_s",
        "u0_mm",
        "wake_ns",
    )

    def __init__(self, number: int) -> None:
        self.id = number
        self.confirmed = False
        self.remote = self.radar = ""
        self.lane = self.u0_mm = self.mask = self.reports = self.spread_mm = 0
        self.speed_mm_s = self.head_mm_s = self.tail_mm_s = -1
        self.near_mm = self.far_mm = self.gain_mm_s = 0
        self.t0_ns = self.first_ns = self.first_u_mm = 0
        self.hold_u_mm, self.passed_u_mm = FAR_MM, -FAR_MM
        self.published_ns = -FOREVER_NS
        self.published_mm_s = self.published_lane = self.published_u_mm = 0
        self.wake_ns = CLAIM_NOW
        self.quiet_from_mm, self.quiet_to_mm = 0, -1

    def measured(self, lane: int, u_mm: int, speed_mm_s: int, t_ns: int, hold_u_mm: int) -> bool:
        """Take over a measurement, of the own radar or the neighbour's; True if the claim has to be made anew.

        It has not where the same lamps are claimed for `QUIET_NS` to come anyway.
        """
        self.reports += 1
        if lane != self.lane or self.speed_mm_s < SLOW_MM_S:  # a course of its own begins
            self.first_ns, self.first_u_mm = t_ns, u_mm
            self.passed_u_mm = -FAR_MM
            self.wake_ns = CLAIM_NOW
        elif (
            speed_mm_s == self.speed_mm_s
            and self.quiet_from_mm <= u_mm <= self.quiet_to_mm
            and self.wake_ns != CLAIM_NOW
            and not self.spread_mm
        ):
            self.wake_ns = t_ns + QUIET_NS
        else:
            self.wake_ns = CLAIM_NOW
        self.lane, self.u0_mm, self.t0_ns, self.hold_u_mm = lane, u_mm, t_ns, hold_u_mm
        self.speed_mm_s = speed_mm_s
        self.spread_mm = 0
        return self.wake_ns == CLAIM_NOW

    def known_for(self, known_ns: int, mean_mm_s: int) -> None:
        """Who announced it has known it for so long on this course, at that mean speed."""
        first_ns = self.t0_ns - known_ns
        if first_ns < self.first_ns:
            self.first_ns, self.first_u_mm = first_ns, self.u0_mm - mean_mm_s * known_ns // NS_PER_S

    def is_news(self, every_ns: int) -> bool:
        """Whether a neighbour should hear of the present measurement.

        It predicts from the last word; faster or elsewhere than it believes is news at once, all else after `every_ns`.
        """
        age_ns = self.t0_ns - self.published_ns
        if age_ns >= every_ns or self.speed_mm_s > self.published_mm_s or self.lane != self.published_lane:
            return True
        away_mm = self.u0_mm - self.published_u_mm - self.published_mm_s * age_ns // NS_PER_S
        return not -NEWS_MM <= away_mm <= NEWS_MM

    def published(self) -> None:
        """The present measurement has been announced."""
        self.published_ns, self.published_mm_s = self.t0_ns, self.speed_mm_s
        self.published_lane, self.published_u_mm = self.lane, self.u0_mm

    def unlikeness_mm(self, lane: int, u_mm: int, speed_mm_s: int, t_ns: int) -> int:
        """How badly a detection fits this track; FAR_MM if it cannot be the same.

        The distance from where the track is expected, and what the difference in speed makes of it in one second: so
        who overtakes does not take the other's track along. And `STALE_MM` for who has not been seen for a while: so
        nobody who is being seen takes the track of another who is not.
        """
        age_ns = t_ns - self.t0_ns
        speed = self.speed_mm_s
        expected = self.u0_mm + speed * age_ns // NS_PER_S
        if lane == self.lane:
            differs_mm = abs(speed_mm_s - speed)
        else:
            if speed_mm_s >= SLOW_MM_S and speed >= SLOW_MM_S and expected < self.hold_u_mm + OVERDUE_MM:
                return FAR_MM
            u_mm = -u_mm
            differs_mm = speed_mm_s + speed
        if age_ns > FRESH_NS:
            differs_mm += STALE_MM
        away_mm = u_mm - expected
        if -SLACK_MM <= away_mm <= SLACK_MM:
            return abs(away_mm) + differs_mm
        strays_mm = max(speed, STRAY_MM_S) * age_ns // NS_PER_S if speed < SLOW_MM_S else 0  # may go either way
        slowest_mm = self.u0_mm - self.spread_mm + speed * FIT_TAIL_PERMILLE // 1000 * age_ns // NS_PER_S
        fastest_mm = self.u0_mm + (speed * FIT_HEAD_PERMILLE // 1000 + HEAD_MM_S) * age_ns // NS_PER_S
        low = min(slowest_mm, self.hold_u_mm) - SLACK_MM - strays_mm
        return abs(away_mm) + differs_mm if low <= u_mm <= fastest_mm + SLACK_MM + strays_mm else FAR_MM

    def may_be_in(self, from_mm: int, to_mm: int, t_ns: int) -> bool:
        """Whether it may be between two places of its lane at `t_ns`."""
        age_ns, speed = t_ns - self.t0_ns, self.speed_mm_s
        slowest_mm = self.u0_mm - self.spread_mm + speed * FIT_TAIL_PERMILLE // 1000 * age_ns // NS_PER_S
        fastest_mm = self.u0_mm + (speed * FIT_HEAD_PERMILLE // 1000 + HEAD_MM_S) * age_ns // NS_PER_S
        return min(slowest_mm, self.hold_u_mm) - SLACK_MM <= to_mm and from_mm <= fastest_mm + SLACK_MM

    def _bound(self, reach: Reach) -> None:
        """How fast and how slow it may be from now on, and so how far its claim reaches."""
        speed = self.speed_mm_s
        known_ns = self.t0_ns - self.first_ns
        mean_mm_s = known = 0
        for row, (least_ns, _, _) in enumerate(MEANS):
            if known_ns >= least_ns:
                so_far_mm_s = (self.u0_mm - self.first_u_mm) * NS_PER_S // known_ns
                if speed * 800 <= so_far_mm_s * 1000 <= speed * 1250:  # else it is not this one's alone: they have met
                    mean_mm_s, known = so_far_mm_s // MEAN_STEP_MM_S * MEAN_STEP_MM_S, row
                break
        bounds = reach.bounds_of(speed, mean_mm_s, known)
        self.near_mm, self.gain_mm_s, self.far_mm, self.head_mm_s, self.tail_mm_s = bounds

    def reaches_ns(self, u_mm: int) -> int:
        """When the claim reaches a lamp at `u_mm` ahead by itself."""
        u0 = self.u0_mm
        near_ns = -((u0 + self.near_mm - u_mm) * NS_PER_S // self.gain_mm_s)
        far_ns = -((u0 + self.far_mm - u_mm) * NS_PER_S // self.head_mm_s)
        return self.t0_ns + (near_ns if near_ns > far_ns else far_ns)

    def claim(self, lane: Lane, reach: Reach, now_ns: int) -> None:
        """Set `mask` and `wake_ns` for `now_ns`; OVER when the track has left the stretch or is too old to believe."""
        if self.wake_ns == CLAIM_NOW:
            self._bound(reach)
        u0, t0 = self.u0_mm, self.t0_ns
        age_ns = now_ns - t0
        tail_mm_s, hold_u_mm = self.tail_mm_s, self.hold_u_mm
        slow = self.speed_mm_s < SLOW_MM_S
        keep_ns = reach.keep_ns
        overdue_ns = FOREVER_NS
        if self.reports < BRIEF_REPORTS and hold_u_mm == u0:
            keep_ns = min(keep_ns, BRIEF_KEEP_NS)
        elif not slow and hold_u_mm < FAR_MM:  # who is slow needs longer to the place where it is seen again
            overdue_ns = t0 - (-(hold_u_mm + OVERDUE_MM - u0) * NS_PER_S // tail_mm_s)
            keep_ns = max(keep_ns, overdue_ns - t0 + OVERDUE_KEEP_NS)
        if age_ns >= keep_ns:
            self.wake_ns = OVER
            return
        lamps = lane.lamps_u_mm
        wake_ns = t0 + keep_ns
        ahead_mm = self.near_mm + self.gain_mm_s * age_ns // NS_PER_S
        far_mm = self.far_mm + self.head_mm_s * age_ns // NS_PER_S
        if far_mm < ahead_mm:
            ahead_mm = far_mm
        least_mm = u0 - self.spread_mm
        if slow:
            first = bisect_left(lamps, least_mm - ahead_mm)
            if first > 0:
                wake_ns = min(wake_ns, t0 - ((self.far_mm - least_mm + lamps[first - 1]) * NS_PER_S // STRAY_MM_S))
        else:
            behind_mm = reach.behind_mm
            waits_u_mm = hold_u_mm
            tail_mm = least_mm + tail_mm_s * age_ns // NS_PER_S
            if tail_mm > waits_u_mm:
                tail_mm = waits_u_mm
            if tail_mm < self.passed_u_mm <= tail_mm + STEP_MM:
                tail_mm = self.passed_u_mm
            self.passed_u_mm = tail_mm
            tail_mm -= behind_mm
            if now_ns < overdue_ns:
                if overdue_ns < wake_ns:
                    wake_ns = overdue_ns
            else:  # stopped somewhere since, and free to ride back as well
                back_mm = least_mm - reach.ahead_mm - MARGIN_MM
                tail_mm = min(tail_mm, back_mm)
                waits_u_mm = min(waits_u_mm, back_mm + behind_mm)
            first = bisect_left(lamps, tail_mm)
            if first == len(lamps):  # past the last lamp; as long as it is seen, nobody else may be taken for it
                self.mask = 0
                self.quiet_to_mm = -FAR_MM
                self.wake_ns = t0 + LINGER_NS if age_ns < LINGER_NS else OVER
                return
            left_u_mm = lamps[first] + behind_mm
            if left_u_mm < waits_u_mm:
                left_ns = t0 - (-(left_u_mm + 1 - least_mm) * NS_PER_S // tail_mm_s)
                if left_ns < wake_ns:
                    wake_ns = left_ns
        after = bisect_right(lamps, u0 + ahead_mm)
        if after < len(lamps):
            reach_ns = self.reaches_ns(lamps[after])
            if reach_ns < wake_ns:
                wake_ns = reach_ns
        self.mask = lane.masks[after] & ~lane.masks[first]
        self.wake_ns = wake_ns
        if slow or self.speed_mm_s * QUIET_NS >= OVERDUE_MM * NS_PER_S:
            self.quiet_to_mm = -FAR_MM
            return
        # Measured anywhere from .. to at this speed, and for QUIET_NS on, first and after would come out the same.
        low, high = -FAR_MM, FAR_MM
        if first > 0:
            low = lamps[first - 1] + reach.behind_mm + 1
        if after > 0:
            low = max(low, lamps[after - 1] - self.near_mm)
        if after < len(lamps):
            high = lamps[after] - self.near_mm - self.gain_mm_s * QUIET_NS // NS_PER_S - 1
        self.quiet_from_mm = low
        self.quiet_to_mm = min(high, lamps[first] + reach.behind_mm - tail_mm_s * QUIET_NS // NS_PER_S)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Track:
        """A track from its snapshot."""
        track = cls(state["id"])
        for name in cls.__slots__:
            setattr(track, name, state[name])
        return track
