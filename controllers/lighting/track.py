"""Somebody on the path, as far as one controller knows: the last measurement, and closed forms from there.

A track claims lamps: all from `behind` its slowest possible position to `ahead` of its fastest. Between measurements
the claim moves by itself, and `wake_ns` says when it next reaches a lamp or leaves one.
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

CONFIRM_NS = 450 * NS_PER_MS
"""A second report within this time makes a track of a detection; one report alone may be clutter."""

LINGER_NS = 2 * NS_PER_S
"""So long after its last measurement a track that claims nothing any more is still known."""

OVERDUE_MM = 5_000
"""Expected so far beyond the place where it had to be seen again, somebody is overdue: has stopped, and may turn."""

SLACK_MM = 3_000
"""Position error allowed for everywhere: radar steps of 1 m, site files, a bicycle's length."""

HEAD_PERMILLE, HEAD_MM_S = 1_200, 300
"""Unseen, nobody rides faster than this makes of the last speed. With the lead, the reach stands a rise by a third."""

TAIL_PERMILLE = 600
"""Unseen, nobody is slower than this part of the last speed; who stops is met where the next view begins."""

NEWS_MM = 2_000
"""A neighbour may be so wrong about a rider's place before it is told; below the slack everything allows for."""

CLAIM_NOW = 0
"""`wake_ns` of a track whose claim is to be made anew at once."""

OVER = -1
"""`wake_ns` of a track that is to be forgotten."""

QUIET_NS = 300 * NS_PER_MS
"""A claim that stays as it is for so long need not be worked out again at every report: three reports are due then."""

REACTION_MS = 500
"""Second report, bus and tick grid, before a lamp begins to rise."""


class Reach:
    """Distances and times of a site's behaviour, as the track needs them."""

    __slots__ = ("ahead_mm", "ahead_ms", "behind_mm", "keep_ns", "lead_ms")

    def __init__(self, light: Behaviour) -> None:
        self.ahead_mm = mm(light.ahead_m) + SLACK_MM
        self.ahead_ms = round(light.ahead_s * 1000)
        self.lead_ms = round(light.rise_s * 1000) + REACTION_MS
        self.behind_mm = mm(light.behind_m) + SLACK_MM
        self.keep_ns = round(light.keep_s * NS_PER_S)


class Track:
    """One rider, walker or group. `mask` has a bit for each lamp claimed now.

    `u0_mm` along its lane at `t0_ns`, `speed_mm_s` >= 0. `hold_u_mm`: nobody passes there unseen, so the light behind
    waits there for the rider to be seen again. `remote` is the neighbour's name for a rider it announced.
    """

    __slots__ = (
        "ahead_mm",
        "confirmed",
        "head_mm_s",
        "hold_u_mm",
        "id",
        "lane",
        "mask",
        "published_lane",
        "published_mm_s",
        "published_ns",
        "published_u_mm",
        "quiet_from_mm",
        "quiet_to_mm",
        "remote",
        "speed_mm_s",
        "t0_ns",
        "tail_mm_s",
        "u0_mm",
        "wake_ns",
    )

    def __init__(self, number: int, remote: str, t0_ns: int) -> None:
        self.id, self.remote, self.t0_ns = number, remote, t0_ns
        self.confirmed = False
        self.lane = self.u0_mm = self.mask = 0
        self.speed_mm_s = self.head_mm_s = self.tail_mm_s = self.ahead_mm = -1
        self.hold_u_mm = FAR_MM
        self.published_ns = -FOREVER_NS
        self.published_mm_s = self.published_lane = self.published_u_mm = 0
        self.wake_ns = CLAIM_NOW
        self.quiet_from_mm, self.quiet_to_mm = 0, -1

    def measured(self, lane: int, u_mm: int, speed_mm_s: int, t_ns: int, hold_u_mm: int, reach: Reach) -> None:
        """Take over a measurement, of the own radar or the neighbour's.

        The claim has to be made anew, but where the same lamps are claimed for `QUIET_NS` to come anyway.
        """
        same = speed_mm_s == self.speed_mm_s
        if same and self.wake_ns != CLAIM_NOW and lane == self.lane and self.quiet_from_mm <= u_mm <= self.quiet_to_mm:
            self.wake_ns = t_ns + QUIET_NS
        else:
            self.wake_ns = CLAIM_NOW
        self.lane, self.u0_mm, self.t0_ns, self.hold_u_mm = lane, u_mm, t_ns, hold_u_mm
        if same:
            return
        self.speed_mm_s = speed_mm_s
        if speed_mm_s < SLOW_MM_S:
            self.head_mm_s = STRAY_MM_S
            self.tail_mm_s = -STRAY_MM_S
            self.ahead_mm = reach.ahead_mm
        else:
            self.head_mm_s = head_mm_s = speed_mm_s * HEAD_PERMILLE // 1000 + HEAD_MM_S
            self.tail_mm_s = speed_mm_s * TAIL_PERMILLE // 1000
            self.ahead_mm = max(reach.ahead_mm, head_mm_s * reach.ahead_ms // 1000) + head_mm_s * reach.lead_ms // 1000

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
        who overtakes does not take the other's track along.
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
        away_mm = u_mm - expected
        if -SLACK_MM <= away_mm <= SLACK_MM:
            return abs(away_mm) + differs_mm
        stray_mm = speed * age_ns // NS_PER_S if speed < SLOW_MM_S else 0  # who is slow may go either way
        low = min(self.u0_mm + self.tail_mm_s * age_ns // NS_PER_S, self.hold_u_mm) - SLACK_MM - stray_mm
        high = self.u0_mm + self.head_mm_s * age_ns // NS_PER_S + SLACK_MM + stray_mm
        return abs(away_mm) + differs_mm if low <= u_mm <= high else FAR_MM

    def claim(self, lane: Lane, reach: Reach, now_ns: int) -> None:
        """Set `mask` and `wake_ns` for `now_ns`; OVER when the track has left the stretch or is too old to believe."""
        u0, t0 = self.u0_mm, self.t0_ns
        age_ns = now_ns - t0
        ahead_mm, head_mm_s, tail_mm_s = self.ahead_mm, self.head_mm_s, self.tail_mm_s
        keep_ns = reach.keep_ns
        if tail_mm_s > 0 and self.hold_u_mm < FAR_MM:  # who is slow needs longer to the place where it is seen again
            keep_ns = max(keep_ns, (self.hold_u_mm + OVERDUE_MM - u0) * NS_PER_S // tail_mm_s)
        if age_ns >= keep_ns:
            self.wake_ns = OVER
            return
        lamps = lane.lamps_u_mm
        wake_ns = t0 + keep_ns
        grown = head_mm_s * age_ns // NS_PER_S
        if tail_mm_s < 0:
            first = bisect_left(lamps, u0 - ahead_mm - grown)
            if first > 0:
                wake_ns = min(wake_ns, t0 - (-(u0 - ahead_mm - lamps[first - 1]) * NS_PER_S // STRAY_MM_S))
        else:
            waits_u_mm = self.hold_u_mm
            tail = min(u0 + tail_mm_s * age_ns // NS_PER_S, waits_u_mm) - reach.behind_mm
            if self.hold_u_mm < FAR_MM:
                overdue_ns = t0 - (-(self.hold_u_mm + OVERDUE_MM - u0) * NS_PER_S // self.speed_mm_s)
                if now_ns < overdue_ns:
                    wake_ns = min(wake_ns, overdue_ns)
                else:  # stopped somewhere since, and free to ride back as well
                    tail = min(tail, u0 - reach.ahead_mm)
                    waits_u_mm = min(waits_u_mm, u0 - reach.ahead_mm + reach.behind_mm)
            first = bisect_left(lamps, tail)
            if first == len(lamps):  # past the last lamp; as long as it is seen, nobody else may be taken for it
                self.mask = 0
                self.quiet_to_mm = -FAR_MM
                self.wake_ns = t0 + LINGER_NS if age_ns < LINGER_NS else OVER
                return
            left_u_mm = lamps[first] + reach.behind_mm
            if left_u_mm < waits_u_mm:
                wake_ns = min(wake_ns, t0 - (-(left_u_mm + 1 - u0) * NS_PER_S // tail_mm_s))
        after = bisect_right(lamps, u0 + ahead_mm + grown)
        if after < len(lamps):
            wake_ns = min(wake_ns, t0 - (-(lamps[after] - ahead_mm - u0) * NS_PER_S // head_mm_s))
        self.mask = lane.masks[after] & ~lane.masks[first] if after > first else 0
        self.wake_ns = wake_ns
        if tail_mm_s < 0 or self.speed_mm_s * QUIET_NS >= OVERDUE_MM * NS_PER_S:
            self.quiet_to_mm = -FAR_MM
            return
        # Measured anywhere from .. to at this speed, and for QUIET_NS on, first and after would come out the same.
        low, high = -FAR_MM, FAR_MM
        if first > 0:
            low = lamps[first - 1] + reach.behind_mm + 1
        if after > 0:
            low = max(low, lamps[after - 1] - ahead_mm)
        if after < len(lamps):
            high = lamps[after] - ahead_mm - head_mm_s * QUIET_NS // NS_PER_S - 1
        self.quiet_from_mm = low
        self.quiet_to_mm = min(high, lamps[first] + reach.behind_mm - tail_mm_s * QUIET_NS // NS_PER_S - 1)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Track:
        """A track from its snapshot."""
        track = cls(state["id"], state["remote"], state["t0_ns"])
        for name in cls.__slots__:
            setattr(track, name, state[name])
        return track
