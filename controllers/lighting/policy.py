"""Light that goes with the rider: radar reports and a neighbour's messages in, lamp levels and messages out.

Every detection becomes a track or moves one (track.py); the union of what the tracks claim is lit (ramp.py). Riders who
ride towards a neighbour, or stand near it, are announced to it; what the neighbour announces becomes a track here.
Whether light is wanted at all (calendar, doubt) is not decided here but by the last gate.

Messages to a neighbour (one JSON object each; ages, never stamps)::

    {"kind": "rider", "id": 7, "x_mm": 150000, "v_mm_s": 5500, "age_ms": 12}
    {"kind": "doubt", "of": "radar-3", "doubt": [128000, 168000]}          "doubt": null once it is over
    {"kind": "alive", "doubts": {"radar-3": [128000, 168000]}}              every ten seconds: all doubts there are

The list in "alive" is what counts: it mends a message that was lost, and a doubt from before a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from controllers.core.contract import Command, LampLevel, Publish
from controllers.lighting.ramp import Ramp
from controllers.lighting.site import ControllerSite, LightingSite
from controllers.lighting.stretch import FAR_MM, Stretch
from controllers.lighting.track import CONFIRM_NS, OVER, Reach, Track
from drivers.quantities import Detection, DeviceHealth, LampStatus, Message, Quantity, RadarReport
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

ALIVE_NS = 10 * NS_PER_S
ANNOUNCE_NS = 1_950 * NS_PER_MS
"""A rider is announced again after twenty reports of a radar, whatever their jitter, and earlier when the neighbour's own
prediction no longer holds."""

NEAR_MM = 120_000
"""Somebody so near to the neighbour's stretch is announced whatever the direction."""

TAKE_OVER_HOLD_NS = 15 * NS_PER_S
"""How long a lamp found bright at a start stays so: riders may be there whom nobody has seen yet."""

MAX_TRACKS = 64
"""More than any stretch of 200 m holds; keeps clutter from costing time and memory without end."""


class _Announced(msgspec.Struct, frozen=True):
    """A neighbour's rider, as its message says. Numbers that no rider has are no rider."""

    id: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
    x_mm: Annotated[int, msgspec.Meta(ge=-100_000_000, le=100_000_000)]
    v_mm_s: Annotated[int, msgspec.Meta(ge=-50_000, le=50_000)]
    age_ms: Annotated[int, msgspec.Meta(ge=-60_000, le=60_000)]


class LightingPolicy:
    """Implements Policy for one controller of a lit path.

    Args:
        site: the whole site, for the neighbours' stretches and views.
        controller: this controller's part.
        base_level, full_level: arc power levels of the site's base and full light.
    """

    def __init__(self, site: LightingSite, controller: ControllerSite, *, base_level: int, full_level: int) -> None:
        light = site.light
        self.wake_ns = 0
        self.stretch = Stretch(site, controller)
        self.tracks: list[Track] = []
        self._reach = Reach(light)
        self._hold_ns = round(light.hold_s * NS_PER_S)
        fall_ns = round(light.fall_s * NS_PER_S)
        self._ramps = [Ramp(base_level, full_level, self._hold_ns, fall_ns) for _ in self.stretch.lamp_names]
        self._bit_of = {name: n for n, name in enumerate(self.stretch.lamp_names)}
        self._claimed = 0
        self._next_id = 1
        self._alive_ns = 0
        self._doubts: dict[str, list[int]] = {}
        self._tracks_wake_ns = self._ramps_wake_ns = FOREVER_NS

    def step(self, inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        """What to do now."""
        if not inputs and now_ns < self.wake_ns:
            return ()
        commands: list[Command] = []
        moved = now_ns >= self._tracks_wake_ns
        for value in inputs:
            if isinstance(value, RadarReport):
                for detection in value.detections:
                    self._detected(value, detection, now_ns, commands)
                moved = True
            elif isinstance(value, Message):
                moved |= self._heard(value)
            elif isinstance(value, DeviceHealth):
                self._doubt(value, commands)
            elif isinstance(value, LampStatus):
                self._found(value, now_ns, commands)
        if moved:
            self._claim(now_ns, commands)
        if now_ns >= self._ramps_wake_ns:
            self._sink(now_ns, commands)
        if now_ns >= self._alive_ns:
            self._alive(now_ns, commands)
        self.wake_ns = min(self._tracks_wake_ns, self._ramps_wake_ns, self._alive_ns)
        return commands

    def _detected(self, report: RadarReport, found: Detection, now_ns: int, commands: list[Command]) -> None:
        """One target of one radar: the nearest track that it can be, or a new one."""
        view = self.stretch.views.get(report.source)
        if view is None:
            return  # a radar of the board that the site has no use for
        t_ns = report.t_ns
        sign = view.sign
        x_mm = view.x_mm + sign * found.distance_mm
        v_mm_s = -sign * found.speed_mm_s  # towards the sensor is against its look
        if v_mm_s >= 0:
            lane, u_mm, speed = 0, x_mm, v_mm_s
        else:
            lane, u_mm, speed = 1, -x_mm, -v_mm_s
        best, best_mm = None, FAR_MM
        for track in self.tracks:
            if track.t0_ns < t_ns and (away_mm := track.unlikeness_mm(lane, u_mm, speed, t_ns)) < best_mm:
                best, best_mm = track, away_mm
        # well inside the view the next report has to show it again: if none does, it stands here, and so does its light
        inside = view.leave_u_mm[lane] - u_mm > max(speed // 2, view.margin_mm)
        hold_mm = u_mm if inside else max(u_mm, view.next_u_mm[lane])  # a radar may see further than the site says
        if best is None:
            best = self._new_track("", t_ns)
        else:
            best.confirmed = True
        best.measured(lane, u_mm, speed, t_ns, hold_mm, self._reach)
        if best.confirmed and best.is_news(ANNOUNCE_NS):
            self._announce(best, x_mm, v_mm_s, now_ns, commands)

    def _new_track(self, remote: str, t_ns: int) -> Track:
        if len(self.tracks) >= MAX_TRACKS:  # what may be clutter goes first, the oldest first
            at = next((n for n, track in enumerate(self.tracks) if not track.confirmed), 0)
            del self.tracks[at]
        track = Track(self._next_id, remote, t_ns)
        self._next_id += 1
        self.tracks.append(track)
        return track

    def _announce(self, track: Track, x_mm: int, v_mm_s: int, now_ns: int, commands: list[Command]) -> None:
        for device, (low, high) in self.stretch.neighbour_spans.items():
            near = low - NEAR_MM <= x_mm <= high + NEAR_MM
            towards = v_mm_s > 0 if x_mm < low else v_mm_s < 0 if x_mm > high else True
            if near or towards:
                track.published()
                age_ms = (now_ns - track.t0_ns) // NS_PER_MS
                body = {"kind": "rider", "id": track.id, "x_mm": x_mm, "v_mm_s": v_mm_s, "age_ms": age_ms}
                commands.append(Publish(device, body))

    def _heard(self, message: Message) -> bool:
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
        remote = f"{message.source}/{rider.id}"
        track = next((known for known in self.tracks if known.remote == remote), None)
        if track is None:
            track = self._nearest(lane, u_mm, speed, t_ns)
        if track is None:
            track = self._new_track(remote, t_ns)
        elif track.t0_ns >= t_ns:  # the own radar knows better
            track.remote = remote
            return False
        track.remote = remote
        track.confirmed = True
        track.measured(lane, u_mm, speed, t_ns, self.stretch.lanes[lane].next_entry_u_mm(u_mm), self._reach)
        return True

    def _nearest(self, lane: int, u_mm: int, speed_mm_s: int, t_ns: int) -> Track | None:
        best, best_mm = None, FAR_MM
        for track in self.tracks:
            away_mm = track.unlikeness_mm(lane, u_mm, speed_mm_s, max(t_ns, track.t0_ns))
            if away_mm < best_mm:
                best, best_mm = track, away_mm
        return best

    def _claim(self, now_ns: int, commands: list[Command]) -> None:
        """Let every track claim its lamps, forget those that are over, and tell the lamps whose claim changed."""
        claimed, wake_ns = 0, FOREVER_NS
        lost = False
        lanes, reach = self.stretch.lanes, self._reach
        for track in self.tracks:
            track_wake_ns = track.wake_ns
            if track_wake_ns <= now_ns:  # measured, or its claim reaches or leaves a lamp by itself
                if track.confirmed:
                    track.claim(lanes[track.lane], reach, now_ns)
                else:
                    due_ns = track.t0_ns + CONFIRM_NS
                    track.wake_ns = due_ns if now_ns < due_ns else OVER
                track_wake_ns = track.wake_ns
                if track_wake_ns < 0:
                    lost = True
                    continue
            claimed |= track.mask
            if track_wake_ns < wake_ns:
                wake_ns = track_wake_ns
        if lost:
            self.tracks = [track for track in self.tracks if track.wake_ns != OVER]
        self._tracks_wake_ns = wake_ns
        changed = claimed ^ self._claimed
        if changed:
            self._claimed = claimed
            for bit, ramp in enumerate(self._ramps):
                if not changed >> bit & 1:
                    continue
                if claimed >> bit & 1:
                    commands.append(LampLevel(self.stretch.lamp_names[bit], ramp.claim()))
                else:
                    ramp.release(now_ns, self._hold_ns)
            self._ramps_wake_ns = min(ramp.wake_ns for ramp in self._ramps)

    def _sink(self, now_ns: int, commands: list[Command]) -> None:
        for name, ramp in zip(self.stretch.lamp_names, self._ramps, strict=True):
            if ramp.wake_ns <= now_ns:
                commands.append(LampLevel(name, ramp.due(now_ns)))
        self._ramps_wake_ns = min(ramp.wake_ns for ramp in self._ramps)

    def _found(self, status: LampStatus, now_ns: int, commands: list[Command]) -> None:
        """A gear's own level after a start."""
        bit = self._bit_of.get(status.source)
        if bit is None or status.level is None:
            return
        ramp = self._ramps[bit]
        ramp.take_over(status.level, now_ns, TAKE_OVER_HOLD_NS)
        commands.append(LampLevel(status.source, ramp.level))
        self._ramps_wake_ns = min(self._ramps_wake_ns, ramp.wake_ns)

    def _doubt(self, health: DeviceHealth, commands: list[Command]) -> None:
        """Tell the neighbours which stretch is blind, or dark because its gateway is lost."""
        if health.source in self.stretch.neighbour_spans:
            return
        if health.source in self._bit_of:  # one gear's word on its settings; its light is judged by the bus
            return
        view = self.stretch.views.get(health.source)
        span = (-view.leave_u_mm[1], view.leave_u_mm[0]) if view else self.stretch.span_mm()
        if health.ok:
            self._doubts.pop(health.source, None)
        else:
            self._doubts[health.source] = list(span)
        body = {"kind": "doubt", "of": health.source, "doubt": self._doubts.get(health.source)}
        commands += [Publish(device, body) for device in self.stretch.neighbour_spans]

    def _alive(self, now_ns: int, commands: list[Command]) -> None:
        self._alive_ns = now_ns + ALIVE_NS  # by when it began, not by where its clock began
        for device in self.stretch.neighbour_spans:
            commands.append(Publish(device, {"kind": "alive", "doubts": dict(self._doubts)}))

    def riders_mm(self, now_ns: int) -> list[tuple[int, int, int]]:
        """(number, place in mm now, time of the last measurement) of everybody tracked, for the watch over it."""
        found = []
        for track in self.tracks:
            if track.confirmed:
                u_mm = track.u0_mm + track.speed_mm_s * (now_ns - track.t0_ns) // NS_PER_S
                found.append((track.id, u_mm if track.lane == 0 else -u_mm, track.t0_ns))
        return found

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "wake_ns": self.wake_ns,
            "tracks": [track.snapshot() for track in self.tracks],
            "ramps": [ramp.snapshot() for ramp in self._ramps],
            "claimed": self._claimed,
            "next_id": self._next_id,
            "alive_ns": self._alive_ns,
            "doubts": dict(self._doubts),
            "tracks_wake_ns": self._tracks_wake_ns,
            "ramps_wake_ns": self._ramps_wake_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.wake_ns, self._alive_ns = state["wake_ns"], state["alive_ns"]
        self._tracks_wake_ns, self._ramps_wake_ns = state["tracks_wake_ns"], state["ramps_wake_ns"]
        self._claimed, self._next_id = state["claimed"], state["next_id"]
        self._doubts = dict(state["doubts"])
        self.tracks = [Track.restored(track) for track in state["tracks"]]
        for ramp, saved in zip(self._ramps, state["ramps"], strict=True):
            ramp.restore(saved)
