"""Light that goes with the rider: radar reports and a neighbour's messages in, lamp levels and messages out.

Every detection becomes a track or moves one (track.py); the union of what the tracks claim is lit (ramp.py). Riders who
ride towards a neighbour, or stand near it, are announced to it; what the neighbour announces becomes a track here.
Whether light is wanted at all (calendar, doubt) is not decided here but by the last gate.

Messages to a neighbour (one JSON object each; ages, never stamps)::

    {"kind": "rider", "id": 7, "x_mm": 150000, "v_mm_s": 5500, "age_ms": 12, "known_ms": 21400, "mean_mm_s": 5320}
    {"kind": "doubt", "of": "radar-3", "doubt": [128000, 168000]}          "doubt": null once it is over
    {"kind": "alive", "doubts": {"radar-3": [128000, 168000]}}              every ten seconds: all doubts there are

The list in "alive" is what counts: it mends a message that was lost, and a doubt from before a restart.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from controllers.core.contract import Command, LampLevel, Publish
from controllers.lighting.ramp import Ramp
from controllers.lighting.riders import Riders
from controllers.lighting.site import ControllerSite, LightingSite
from controllers.lighting.stretch import Stretch
from controllers.lighting.track import CONFIRM_NS, MEANS, OVER, QUIET_NS, Reach, Track
from drivers.quantities import DeviceHealth, LampStatus, Message, Quantity, RadarReport, SpeedReport
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

ALIVE_NS = 10 * NS_PER_S
NEAR_MM = 120_000
"""Somebody so near to the neighbour's stretch is announced whatever the direction."""

TAKE_OVER_HOLD_NS = 15 * NS_PER_S
"""How long a lamp found bright at a start stays so: riders may be there whom nobody has seen yet."""

LOOK_AGAIN_NS = 500 * NS_PER_MS
"""So often it is asked again whether a lamp that stays full for somebody to come is still needed."""

SAID_NS = 60 * NS_PER_S
"""So long status says that somebody came too fast for a rider."""

AGAIN_NS = 5 * NS_PER_S
"""A lamp raised again so soon after it began to sink is counted: nobody should see it, and gear wears by it."""


class LightingPolicy:
    """Implements Policy for one controller of a lit path.

    Args:
        site: the whole site, for the neighbours' stretches and views.
        controller: this controller's part.
        base_level, full_level: arc power levels of the site's base and full light.
        lines: wires that lamps hang on; None: every device that is no radar. A meter that is lost darkens nothing.
    """

    def __init__(
        self,
        site: LightingSite,
        controller: ControllerSite,
        *,
        base_level: int,
        full_level: int,
        lines: Collection[str] | None = None,
    ) -> None:
        light = site.light
        self.wake_ns = 0
        self.stretch = Stretch(site, controller)
        self.riders = Riders(self.stretch, self._doubted)
        self._reach = Reach(light)
        self._hold_ns = round(light.hold_s * NS_PER_S)
        fall_ns = round(light.fall_s * NS_PER_S)
        fade_ns = round(light.rise_s * NS_PER_S)
        self._ramps = [Ramp(base_level, full_level, fall_ns, fade_ns) for _ in self.stretch.lamp_names]
        self._bit_of = {name: n for n, name in enumerate(self.stretch.lamp_names)}
        self._claimed = 0
        self._blind = 0  # lamps lit because a radar is in doubt
        self._doubted_news: list[str] = []
        self._raised = self._raised_again = self._announced = 0
        self._lines = lines
        self._alive_ns = 0
        self._doubts: dict[str, list[int]] = {}
        self._tracks_wake_ns = self._ramps_wake_ns = FOREVER_NS

    def step(self, inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        """What to do now."""
        if not inputs and now_ns < self.wake_ns:
            return ()
        riders = self.riders
        commands: list[Command] = []
        news: list[Track] = []
        moved = now_ns >= self._tracks_wake_ns
        for value in inputs:
            if type(value) is RadarReport:
                if value.detections:
                    moved |= riders.seen(value, news)
                    if value.t_ns + QUIET_NS < self._tracks_wake_ns:  # a claim left alone is due again by then
                        self._tracks_wake_ns = value.t_ns + QUIET_NS
                elif riders.frozen:
                    riders.moves(value.source)
                    moved = True
            elif isinstance(value, Message):
                moved |= riders.heard(value)
            elif isinstance(value, SpeedReport):
                riders.spoke(value, news)
                moved = True
            elif isinstance(value, DeviceHealth):
                self._doubt(value, commands)
            elif isinstance(value, LampStatus):
                self._found(value, now_ns, commands)
        for track in news:
            self._announce(track, now_ns, commands)
        if self._doubted_news:
            self._doubt_radars(commands)
        if moved:
            self._claim(now_ns, commands)
        if now_ns >= self._ramps_wake_ns:
            self._sink(now_ns, commands)
        if now_ns >= self._alive_ns:
            self._alive(now_ns, commands)
        wake_ns = self._alive_ns
        if self._tracks_wake_ns < wake_ns:
            wake_ns = self._tracks_wake_ns
        if self._ramps_wake_ns < wake_ns:
            wake_ns = self._ramps_wake_ns
        self.wake_ns = wake_ns
        return commands

    @property
    def tracks(self) -> list[Track]:
        """Everybody known, believed or not."""
        return self.riders.tracks

    def _announce(self, track: Track, now_ns: int, commands: list[Command]) -> None:
        """Tell the neighbours whom it concerns; nobody else is looked at again before there is news."""
        track.published()
        x_mm, v_mm_s = (track.u0_mm, track.speed_mm_s) if track.lane == 0 else (-track.u0_mm, -track.speed_mm_s)
        known_ns = track.t0_ns - track.first_ns
        course = {}
        if known_ns >= MEANS[-1][0]:  # before, its mean says nothing
            mean_mm_s = (track.u0_mm - track.first_u_mm) * NS_PER_S // known_ns
            course = {"known_ms": known_ns // NS_PER_MS, "mean_mm_s": max(0, mean_mm_s)}
        for device, (low, high) in self.stretch.neighbour_spans.items():
            near = low - NEAR_MM <= x_mm <= high + NEAR_MM
            towards = v_mm_s > 0 if x_mm < low else v_mm_s < 0
            if near or towards:
                self._announced += 1
                age_ms = (now_ns - track.t0_ns) // NS_PER_MS
                body = {"kind": "rider", "id": track.id, "x_mm": x_mm, "v_mm_s": v_mm_s, "age_ms": age_ms}
                commands.append(Publish(device, body | course))

    def _claim(self, now_ns: int, commands: list[Command]) -> None:
        """Let every track claim its lamps, forget those that are over, and tell the lamps whose claim changed."""
        claimed, wake_ns = self._blind, FOREVER_NS
        lost = False
        lanes, reach = self.stretch.lanes, self._reach
        for track in self.riders.tracks:
            track_wake_ns = track.wake_ns
            if track_wake_ns <= now_ns:  # measured, or its claim reaches or leaves a lamp by itself
                if track.confirmed:
                    track.claim(lanes[track.lane], reach, now_ns)
                else:
                    due_ns = track.t0_ns + CONFIRM_NS
                    track.wake_ns = due_ns if now_ns < due_ns else OVER
                track_wake_ns = track.wake_ns
                if track_wake_ns == OVER:
                    lost = True
                    continue
            claimed |= track.mask
            if track_wake_ns < wake_ns:
                wake_ns = track_wake_ns
        if lost:
            self.riders.over(OVER)
        self._tracks_wake_ns = wake_ns
        changed = claimed ^ self._claimed
        if changed:
            self._claimed = claimed
            for bit, ramp in enumerate(self._ramps):
                if not changed >> bit & 1:
                    continue
                if claimed >> bit & 1:
                    if ramp.level < ramp.full:
                        self._raised += 1
                        self._raised_again += ramp.sinks_since(now_ns - AGAIN_NS)
                    commands.append(LampLevel(self.stretch.lamp_names[bit], ramp.claim(now_ns)))
                else:
                    ramp.release(now_ns)
            self._ramps_wake_ns = min(ramp.wake_ns for ramp in self._ramps)

    def _needed_again(self, bit: int, now_ns: int) -> bool:
        """Whether somebody known may claim this lamp again within `hold_s`: no use in letting it sink."""
        x_mm, until_ns = self.stretch.lamps_x_mm[bit], now_ns + self._hold_ns
        for track in self.riders.tracks:
            u_mm = -x_mm if track.lane else x_mm
            if track.confirmed and track.gain_mm_s and now_ns < track.reaches_ns(u_mm) <= until_ns:
                return True
        return False

    def _sink(self, now_ns: int, commands: list[Command]) -> None:
        for bit, ramp in enumerate(self._ramps):
            if ramp.wake_ns > now_ns:
                continue
            if ramp.begins() and self._needed_again(bit, now_ns):
                ramp.put_off(now_ns + LOOK_AGAIN_NS)
            else:
                commands.append(LampLevel(self.stretch.lamp_names[bit], ramp.due(now_ns)))
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
        if view is None and self._lines is not None and health.source not in self._lines:
            return
        span = (-view.leave_u_mm[1], view.leave_u_mm[0]) if view else self.stretch.span_mm()
        if health.ok:
            self._doubts.pop(health.source, None)
        else:
            self._doubts[health.source] = list(span)
        body = {"kind": "doubt", "of": health.source, "doubt": self._doubts.get(health.source)}
        commands += [Publish(device, body) for device in self.stretch.neighbour_spans]

    def _doubted(self, radar: str) -> None:
        self._doubted_news.append(radar)

    def _doubt_radars(self, commands: list[Command]) -> None:
        """What a radar shows is in doubt, or no more: light where somebody may be, and the neighbours' too."""
        for radar in self._doubted_news:
            said, span = f"view of {radar}", self.riders.doubtful_mm(radar)
            if span is None:
                self._doubts.pop(said, None)
            else:
                self._doubts[said] = list(span)
            body = {"kind": "doubt", "of": said, "doubt": self._doubts.get(said)}
            commands += [Publish(device, body) for device in self.stretch.neighbour_spans]
        self._doubted_news.clear()
        self._find_blind()

    def _find_blind(self) -> None:
        self._blind = 0
        reach_mm = self._reach.ahead_mm
        for radar in self.stretch.views:
            span = self.riders.doubtful_mm(radar)
            if span is not None:
                for bit, x_mm in enumerate(self.stretch.lamps_x_mm):
                    self._blind |= (span[0] - reach_mm <= x_mm <= span[1] + reach_mm) << bit

    def _alive(self, now_ns: int, commands: list[Command]) -> None:
        self._alive_ns = now_ns + ALIVE_NS  # by when it began, not by where its clock began
        for device in self.stretch.neighbour_spans:
            commands.append(Publish(device, {"kind": "alive", "doubts": dict(self._doubts)}))

    def riders_mm(self, now_ns: int) -> list[tuple[int, int, int]]:
        """(number, place in mm now, time of the last measurement) of everybody tracked, for the watch over it."""
        found = []
        for track in self.riders.tracks:
            if track.confirmed:
                u_mm = track.u0_mm + track.speed_mm_s * (now_ns - track.t0_ns) // NS_PER_S
                found.append((track.id, u_mm if track.lane == 0 else -u_mm, track.t0_ns))
        return found

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "wake_ns": self.wake_ns,
            "riders": self.riders.snapshot(),
            "ramps": [ramp.snapshot() for ramp in self._ramps],
            "claimed": self._claimed,
            "counts": [self._raised, self._raised_again, self._announced],
            "alive_ns": self._alive_ns,
            "doubts": dict(self._doubts),
            "tracks_wake_ns": self._tracks_wake_ns,
            "ramps_wake_ns": self._ramps_wake_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.wake_ns, self._alive_ns = state["wake_ns"], state["alive_ns"]
        self._tracks_wake_ns, self._ramps_wake_ns = state["tracks_wake_ns"], state["ramps_wake_ns"]
        self._claimed = state["claimed"]
        self._raised, self._raised_again, self._announced = state["counts"]
        self._doubts = dict(state["doubts"])
        self.riders.restore(state["riders"])
        self._find_blind()
        for ramp, saved in zip(self._ramps, state["ramps"], strict=True):
            ramp.restore(saved)

    def says(self, now_ns: int | None = None) -> str:
        """What somebody should look at, or ""."""
        riders = self.riders
        says = [
            f"{one} shows riders mirrored: turn it round, or correct `looks` in the site file" for one in self._wrong()
        ]
        says += [f"{radar} shows the same place for ever: switch it off and on" for radar in riders.frozen]
        if riders.fast is not None and (now_ns is None or now_ns - riders.fast[2] < SAID_NS):
            source, speed_mm_s, _ = riders.fast
            says.append(f"{source} shows {speed_mm_s * 36 // 10_000} km/h: who drives there?")
        return "; ".join(says)

    def _wrong(self) -> list[str]:
        return [radar for radar, mounting in self.riders.mountings.items() if mounting.wrong]

    def figures(self, now_ns: int | None = None) -> dict[str, Any]:
        """What the policy counts, for status and metrics."""
        riders = self.riders
        believed = len([track for track in riders.tracks if track.confirmed])
        return {
            "riders": {
                "now": believed,
                "unconfirmed": len(riders.tracks) - believed,
                **riders.counts,
                "announced": self._announced,
                "wrong_way": self._wrong(),
                "frozen": list(riders.frozen),
                "says": self.says(now_ns),
            },
            "lamp_wear": {"raised": self._raised, "raised_again_within_5s": self._raised_again},
        }
