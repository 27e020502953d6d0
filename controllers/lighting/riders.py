"""Who is on the path: reports of radars and a neighbour's words in, tracks out.

Every report moves the track that it fits best, or begins a new one. A second report that fits well makes a track
believed, else a third. What no rider can be is counted: speeds above `FASTEST_MM_S`, which are lit all the same, and
still things that nobody was seen to become, which are dropped. A radar that shows riders mirrored (mounting.py), or the
same rider at the same place for ever, is not listened to: it is in doubt, and what it should see is lit.

A sensor without distances says only that somebody rides through its view, this way or that: such a track spreads over
the whole view, and so does its light.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec

from controllers.lighting.mounting import MIRROR_MM, Mounting
from controllers.lighting.stretch import FAR_MM, RadarView, Stretch
from controllers.lighting.track import FRESH_NS, SLACK_MM, SLOW_MM_S, STALE_MM, SURE_MM, Track
from drivers.quantities import Message, RadarReport, SpeedReport
from drivers.units import NS_PER_MS, NS_PER_S

ANNOUNCE_NS = 1_950 * NS_PER_MS
"""A rider is announced again after twenty reports of a radar, whatever their jitter, and earlier when the neighbour's
own prediction no longer holds."""

FASTEST_MM_S = 20_000
"""72 km/h. Faster is no rider, but may be somebody: lit as if so fast, and said."""

GONE_MM = 40_000
"""So far beyond the last lamp and riding away, a neighbour's rider is none of ours."""

MAX_TRACKS = 64
"""More than any stretch of 200 m holds; keeps clutter from costing time and memory without end."""

FROZEN_MM = 4_000
"""A radar that shows the same place for as long as its own speed takes to ride so far repeats itself."""

COUNTED = ("seen", "taken_over", "clutter", "implausible", "still", "repeats", "crowded_out")
"""seen: became believed by own radars. taken_over: by a neighbour's word. clutter: one report, and nothing after it.
implausible: faster than anybody rides. still: detections dropped. repeats: reports of frozen radars. crowded_out:
forgotten, there were more than `MAX_TRACKS`."""


class _Announced(msgspec.Struct, frozen=True):
    """A neighbour's rider, as its message says. Numbers that no rider has are no rider."""

    id: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
    x_mm: Annotated[int, msgspec.Meta(ge=-100_000_000, le=100_000_000)]
    v_mm_s: Annotated[int, msgspec.Meta(ge=-50_000, le=50_000)]
    age_ms: Annotated[int, msgspec.Meta(ge=-60_000, le=60_000)]
    known_ms: Annotated[int, msgspec.Meta(ge=0, le=86_400_000)] = 0
    mean_mm_s: Annotated[int, msgspec.Meta(ge=0, le=50_000)] = 0


class Riders:
    """Everybody known to one controller.

    Args:
        stretch: its part of the site.
        on_doubt: called with a radar's name when it is to be doubted, or no more.
    """

    def __init__(self, stretch: Stretch, on_doubt: Callable[[str], None]) -> None:
        self.stretch = stretch
        self.tracks: list[Track] = []
        self.mountings = {name: Mounting() for name in stretch.views}
        # by radar: its view, its mounting, and the first detection of its last report with the time it came first
        self._sensors = {name: (view, self.mountings[name], [-1, 0, 0]) for name, view in stretch.views.items()}
        self.counts = dict.fromkeys(COUNTED, 0)
        self._on_doubt = on_doubt
        self.frozen: list[str] = []
        self.fast: tuple[str, int, int] | None = None
        """Who last said that somebody is faster than `FASTEST_MM_S`: source, speed, when."""
        self._next_id = 1

    def seen(self, report: RadarReport, news: list[Track]) -> bool:
        """Take over a report with one target or more; True if claims have to be made anew.

        Tracks that the neighbours may have to hear of are added to `news`.
        """
        source = report.source
        sensor = self._sensors.get(source)
        if sensor is None:
            return False  # a radar of the board that the site has no use for
        view, mounting, last = sensor
        t_ns, sign, from_mm, tracks = report.t_ns, view.sign, view.x_mm, self.tracks
        detections = report.detections
        if detections[0].distance_mm != last[0] or detections[0].speed_mm_s != last[1]:
            last[0], last[1], last[2] = detections[0].distance_mm, detections[0].speed_mm_s, t_ns
            if self.frozen:
                self.moves(source)
        elif abs(last[1]) * (t_ns - last[2]) > FROZEN_MM * NS_PER_S:
            self.counts["repeats"] += 1
            if source not in self.frozen:
                self.frozen.append(source)
                self._on_doubt(source)
            return True
        moved = False
        for found in detections:
            x_mm = from_mm + sign * found.distance_mm
            v_mm_s = -sign * found.speed_mm_s  # towards the sensor is against its look
            if v_mm_s >= 0:
                lane, u_mm, speed = 0, x_mm, v_mm_s
            else:
                lane, u_mm, speed = 1, -x_mm, -v_mm_s
            if speed > FASTEST_MM_S:
                speed = self._too_fast(source, speed, t_ns)
            if mounting.wrong:
                self._look_again(source, view, lane, u_mm, speed, t_ns)
                moved = True
                continue
            best, best_mm = None, FAR_MM
            for track in tracks:  # who is being seen on this lane, as a rule; unlikeness_mm says the same of them
                age_ns = t_ns - track.t0_ns
                if lane == track.lane and 0 < age_ns <= FRESH_NS:
                    away_mm = u_mm - track.u0_mm - track.speed_mm_s * age_ns // NS_PER_S
                    if -SLACK_MM <= away_mm <= SLACK_MM:
                        fits_mm = abs(away_mm) + abs(speed - track.speed_mm_s)
                        if fits_mm < best_mm:
                            best, best_mm = track, fits_mm
            if best_mm >= STALE_MM or best_mm >= speed:  # else nobody else can fit better
                best, best_mm = None, FAR_MM
                for track in tracks:
                    if track.t0_ns < t_ns:
                        fits_mm = track.unlikeness_mm(lane, u_mm, speed, t_ns)
                        if fits_mm < best_mm:
                            best, best_mm = track, fits_mm
            if best is None:
                if not speed:
                    self.counts["still"] += 1
                    continue
                best = self._new()
                tracks = self.tracks
                best.radar = source
            elif not best.confirmed:
                if best_mm <= SURE_MM or best.reports > 1:
                    self._believe(best, source, view, lane, u_mm, speed, t_ns)
                best.radar = source
            elif best.radar != source:
                if lane == best.lane:
                    self._met(source, best, straight=True)
                elif self._mirrored(source, view, lane, u_mm, speed, t_ns) is best:  # not turned, but shown so
                    self._met(source, best, straight=False)
                best.radar = source
            # well inside the view the next report has to show it again: if none does, it stands here, and so does its
            # light; a radar may see further than the site says
            to_go_mm = view.leave_u_mm[lane] - u_mm
            inside = to_go_mm > view.margin_mm and 2 * to_go_mm > speed
            moved |= best.measured(lane, u_mm, speed, t_ns, u_mm if inside else max(u_mm, view.next_u_mm[lane]))
            if best.confirmed and best.is_news(ANNOUNCE_NS):
                news.append(best)
        return moved

    def moves(self, source: str) -> None:
        """A radar says something new: if it was frozen, it is no more."""
        if source in self.frozen:
            self.frozen.remove(source)
            self._on_doubt(source)

    def doubtful_mm(self, radar: str) -> tuple[int, int] | None:
        """Where somebody may be whom a doubtful radar does not show; None: it is not doubtful."""
        view = self.stretch.views[radar]
        if self.mountings[radar].wrong:
            return view.x_mm - view.range_mm, view.x_mm + view.range_mm
        return (-view.leave_u_mm[1], view.leave_u_mm[0]) if radar in self.frozen else None

    def spoke(self, report: SpeedReport, news: list[Track]) -> None:
        """A speed without a place: somebody is anywhere in the view."""
        source = report.source
        view = self.stretch.views.get(source)
        if view is None:
            return
        v_mm_s = -view.sign * report.speed_mm_s
        lane, speed = (0, v_mm_s) if v_mm_s >= 0 else (1, -v_mm_s)
        if not speed:
            self.counts["still"] += 1
            return
        if speed > FASTEST_MM_S:
            speed = self._too_fast(source, speed, report.t_ns)
        t_ns, leave_mm, spread_mm = report.t_ns, view.leave_u_mm[lane], view.range_mm
        best = None
        for track in self.tracks:
            if track.lane == lane and track.t0_ns < t_ns and track.may_be_in(leave_mm - spread_mm, leave_mm, t_ns):
                if track.radar == source:
                    best = track
                    break
                best = best or track
        if best is None:
            best = self._new()
        elif not best.confirmed:
            best.confirmed = True
            self.counts["seen"] += 1
        best.radar = source
        best.measured(lane, leave_mm, speed, t_ns, view.next_u_mm[lane])
        best.spread_mm = spread_mm
        if best.confirmed and best.is_news(ANNOUNCE_NS):
            news.append(best)

    def heard(self, message: Message) -> bool:
        """A neighbour's word; True if a track moved by it."""
        body = message.body
        if body.get("kind") != "rider":
            return False
        try:
            rider = msgspec.convert(body, _Announced)
        except msgspec.ValidationError:
            return False
        x_mm, v_mm_s = rider.x_mm, rider.v_mm_s
        t_ns = message.t_ns - max(0, rider.age_ms) * NS_PER_MS
        lane, u_mm, speed = (0, x_mm, v_mm_s) if v_mm_s >= 0 else (1, -x_mm, -v_mm_s)
        if speed > FASTEST_MM_S:
            speed = self._too_fast(message.source, speed, t_ns)
        remote = f"{message.source}/{rider.id}"
        track = next((known for known in self.tracks if known.remote == remote), None)
        if track is None:
            track = self._nearest(lane, u_mm, speed, t_ns)
        if track is None:
            lane_lamps_mm = self.stretch.lanes[lane].lamps_u_mm
            if u_mm > lane_lamps_mm[-1] + GONE_MM and speed >= SLOW_MM_S:
                return False  # has left this stretch; nothing here is owed to them any more
            track = self._new()
            self.counts["taken_over"] += 1
        elif track.t0_ns >= t_ns:  # the own radar knows better
            track.remote = remote
            return False
        track.remote, track.radar, track.confirmed = remote, "", True
        track.measured(lane, u_mm, speed, t_ns, self.stretch.lanes[lane].next_entry_u_mm(u_mm))
        track.known_for(rider.known_ms * NS_PER_MS, rider.mean_mm_s)
        return True

    def _too_fast(self, source: str, speed_mm_s: int, t_ns: int) -> int:
        self.counts["implausible"] += 1
        self.fast = (source, speed_mm_s, t_ns)
        return FASTEST_MM_S

    def over(self, over_ns: int) -> None:
        """Forget the tracks whose `wake_ns` is `over_ns`."""
        kept = [track for track in self.tracks if track.wake_ns != over_ns]
        self.counts["clutter"] += len([one for one in self.tracks if one.wake_ns == over_ns and not one.confirmed])
        self.tracks = kept

    def _nearest(self, lane: int, u_mm: int, speed_mm_s: int, t_ns: int) -> Track | None:
        best, best_mm = None, FAR_MM
        for track in self.tracks:
            away_mm = track.unlikeness_mm(lane, u_mm, speed_mm_s, max(t_ns, track.t0_ns))
            if away_mm < best_mm:
                best, best_mm = track, away_mm
        return best

    def _new(self) -> Track:
        if len(self.tracks) >= MAX_TRACKS:  # what may be clutter goes first, the oldest first
            at = next((n for n, track in enumerate(self.tracks) if not track.confirmed), 0)
            del self.tracks[at]
            self.counts["crowded_out"] += 1
        track = Track(self._next_id)
        self._next_id += 1
        self.tracks.append(track)
        return track

    def _believe(self, track: Track, source: str, view: RadarView, lane: int, u_mm: int, speed: int, t_ns: int) -> None:
        """A second report, or a third: somebody is there, or somebody known is shown mirrored."""
        track.confirmed = True
        self.counts["seen"] += 1
        other = self._mirrored(source, view, lane, u_mm, speed, t_ns)
        if other is not None:
            self._met(source, other, straight=False)

    def _mirrored(self, source: str, view: RadarView, lane: int, u_mm: int, speed: int, t_ns: int) -> Track | None:
        """Who, seen by others, should be just where this radar would show it if it were the wrong way round."""
        other_u_mm = u_mm - 2 * view.x_mm if lane == 0 else u_mm + 2 * view.x_mm  # 2 * from - x, along the other lane
        for track in self.tracks:
            others = track.lane != lane and track.confirmed and track.radar != source and track.t0_ns <= t_ns
            if others and track.unlikeness_mm(1 - lane, other_u_mm, speed, t_ns) < MIRROR_MM:
                return track
        return None

    def _look_again(self, source: str, view: RadarView, lane: int, u_mm: int, speed: int, t_ns: int) -> None:
        """What a radar in doubt shows moves nobody, but may speak for it."""
        best = self._nearest(lane, u_mm, speed, t_ns)
        if best is not None and best.confirmed:
            self._met(source, best, straight=True)
        elif (other := self._mirrored(source, view, lane, u_mm, speed, t_ns)) is not None:
            self._met(source, other, straight=False)

    def _met(self, source: str, track: Track, *, straight: bool) -> None:
        if self.mountings[source].met(track.id, straight=straight):
            self._on_doubt(source)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "tracks": [track.snapshot() for track in self.tracks],
            "next_id": self._next_id,
            "counts": dict(self.counts),
            "last": {name: list(last) for name, (_, _, last) in self._sensors.items()},
            "frozen": list(self.frozen),
            "fast": list(self.fast) if self.fast else None,
            "mountings": {name: mounting.snapshot() for name, mounting in self.mountings.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.tracks = [Track.restored(track) for track in state["tracks"]]
        self._next_id, self.counts = state["next_id"], dict(state["counts"])
        self.frozen = list(state["frozen"])
        self.fast = tuple(state["fast"]) if state["fast"] else None
        for name, saved in state["last"].items():
            self._sensors[name][2][:] = saved
        for name, saved in state["mountings"].items():
            self.mountings[name].restore(saved)
