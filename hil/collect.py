"""Collecting what a report draws, from the running bench: within one window, so that a month costs no memory."""

from __future__ import annotations

from collections.abc import Sequence

from controllers.core.contract import Command, Publish
from controllers.lighting.site import mm
from drivers.quantities import DeviceHealth, Quantity, RadarReport
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.in_process import Slot
from hil.benches.lit_path import LitPathBench
from hil.report.lanes import (
    Event,
    HandoverLane,
    Hour,
    LampLane,
    Lanes,
    RadarLane,
    RiderLane,
    WireLane,
)
from hil.traffic.rider import Rider

WINDOW_NS = 900 * NS_PER_S
"""What is drawn in full: from the first rider who rides in lit hours."""

MOST_MARKS = 20_000


class PathCollector:
    """Listens to a lit path for `window_ns`, from `from_ns` or the first rider in lit hours. Make it before `start`."""

    def __init__(self, bench: LitPathBench, window_ns: int = WINDOW_NS, from_ns: int | None = None) -> None:
        self._bench, self._window_ns = bench, window_ns
        self._from_ns = from_ns
        self._segments: list[list[tuple[int, int, int, int]]] = [[] for _ in bench.lamps]
        self._level: list[tuple[int, int]] = [(0, 0)] * len(bench.lamps)  # since when, level
        self._riders: list[RiderLane] = []
        self._hits: dict[str, list[tuple[int, int]]] = {name: [] for name in bench.radars}
        self._messages: dict[str, list[tuple[int, int, str]]] = {}
        self._announced: set[tuple[str, object]] = set()
        self._events: list[Event] = []
        self._marks: dict[str, list[tuple[int, bool, str]]] = {}
        bench.on_output, bench.on_rider = self._output, self._rider
        bench.bench.add_start_listener(self._started)
        self._posts = {
            f"{one.name}/{radar.name}": (mm(radar.x_m), 1 if radar.looks == "up" else -1)
            for one in bench.site.controllers
            for radar in one.radars
        }

    @property
    def from_ns(self) -> int | None:
        """When the window begins; None while nobody has ridden in lit hours."""
        return self._from_ns

    def _open(self, t_ns: int) -> bool:
        return self._from_ns is not None and self._from_ns <= t_ns < self._from_ns + self._window_ns

    def _output(self, lamp: int, t_ns: int, from_level: int, to_level: int, duration_ns: int) -> None:
        since_ns, level = self._level[lamp]
        self._level[lamp] = (t_ns + duration_ns, to_level)
        from_ns = self._from_ns
        if from_ns is None or since_ns > from_ns + self._window_ns or t_ns + duration_ns < from_ns:
            return
        segments = self._segments[lamp]
        if t_ns > since_ns:
            segments.append((since_ns, t_ns, level, level))
        elif t_ns < since_ns and segments:  # the fade under way ends here
            t0_ns, _, faded_from, _ = segments.pop()
            if t0_ns < t_ns:
                segments.append((t0_ns, t_ns, faded_from, from_level))
        if duration_ns:
            segments.append((t_ns, t_ns + duration_ns, from_level, to_level))

    def _rider(self, rider: Rider) -> None:
        if self._from_ns is None and self._bench.ledger.passes_in_lit_hours(rider.start_ns, rider.end_ns):
            self._from_ns = max(0, rider.start_ns - 5 * NS_PER_S)
        from_ns = self._from_ns
        if from_ns is None or rider.end_ns <= from_ns or rider.start_ns >= from_ns + self._window_ns:
            return
        points = [(segment.t0_ns, segment.x0_mm) for segment in rider.segments]
        self._riders.append(RiderLane([*points, (rider.end_ns, rider.x_mm(rider.end_ns))], f"rider {rider.id}"))

    def _started(self, slot: Slot, now_ns: int) -> None:
        cycle = slot.cycle
        assert cycle is not None
        before = cycle.observer
        if slot.starts > 1:
            self._events.append(Event(now_ns, f"{slot.name} restarts"))

        def observe(
            tick: int, t_ns: int, inputs: Sequence[Quantity], asked: Sequence[Command], allowed: Sequence[Command]
        ) -> None:
            if before is not None:
                before(tick, t_ns, inputs, asked, allowed)
            for value in inputs:
                if isinstance(value, DeviceHealth) and len(self._events) < MOST_MARKS and "lamp" not in value.source:
                    word = "is back" if value.ok else value.reason
                    self._events.append(Event(t_ns, f"{slot.name}/{value.source}: {word}"))
            if not self._open(t_ns):
                return
            for value in inputs:
                if isinstance(value, RadarReport):
                    name = f"{slot.name}/{value.source}"
                    x_mm, sign = self._posts[name]
                    hits = self._hits[name]
                    if len(hits) < MOST_MARKS:
                        hits += [(value.t_ns, x_mm + sign * found.distance_mm) for found in value.detections]
            for command in allowed:
                if isinstance(command, Publish) and command.body.get("kind") == "rider":
                    messages = self._messages.setdefault(slot.name, [])
                    if (slot.name, command.body["id"]) in self._announced:
                        continue  # the first word about a rider is drawn; it is renewed twice a second
                    self._announced.add((slot.name, command.body["id"]))
                    speed = int(command.body["v_mm_s"]) / 1000
                    text = f"rider {command.body['id']} at {int(command.body['x_mm']) / 1000:.0f} m, {speed:.1f} m/s"
                    messages.append((t_ns, t_ns + 20 * NS_PER_MS, text))
                elif not isinstance(command, Publish):
                    marks = self._marks.setdefault(f"{slot.name}/dali", [])
                    if len(marks) < MOST_MARKS:
                        marks.append((t_ns, True, f"{command.target} {getattr(command, 'level', '')}"))

        cycle.observer = observe

    def lanes(self, hours: list[Hour]) -> Lanes:
        """What was collected."""
        bench = self._bench
        end_ns = bench.bench.now_ns
        notes: tuple[str, ...] = ()
        if self._from_ns is None:
            notes = ("Nobody rode in lit hours; there is nothing to draw along the path.",)
        elif end_ns > self._from_ns + self._window_ns:
            notes = ("Drawn in full: a quarter of an hour from the first rider in lit hours.",)
        from_ns = self._from_ns or 0
        until_ns = min(end_ns, from_ns + self._window_ns)
        lamps = []
        for n, name in enumerate(bench.lamps):
            segments = list(self._segments[n])
            since_ns, level = self._level[n]
            if since_ns < until_ns:
                segments.append((since_ns, until_ns, level, level))
            lamps.append(LampLane(name, bench.lamps_x_mm[n] / 1000, segments))
        radars = [
            RadarLane(name, radar.x_m, 1 if radar.looks == "up" else -1, radar.range_m, self._hits[name])
            for one in bench.site.controllers
            for radar in one.radars
            for name in (f"{one.name}/{radar.name}",)
        ]
        middle = {
            one.name: sum(mm(lamp.x_m) for lamp in one.lamps) / len(one.lamps) / 1000 for one in bench.site.controllers
        }
        handovers = [
            HandoverLane(f"{one.name} to {other}", middle[one.name], middle[other], self._messages.get(one.name, []))
            for one in bench.site.controllers
            for other in one.neighbours.values()
        ]
        return Lanes(
            lamps=lamps,
            riders=self._riders,
            radars=radars,
            handovers=handovers,
            wires=[WireLane(name, marks) for name, marks in sorted(self._marks.items())],
            events=[event for event in self._events if from_ns <= event.t_ns <= until_ns],
            hours=hours if len(hours) > 1 else [],
            utc_at_zero_ns=bench.origin_utc_ns,
            zone=bench.site.place.timezone,
            notes=notes,
        )
