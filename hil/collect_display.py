"""Collecting what a report draws of a Leezenflow display: signal groups, what the panel showed, and its pictures."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from controllers.core.contract import Command
from controllers.greenwave.policy import GreenwavePolicy
from controllers.greenwave.summary import summary
from drivers.codecs.panel_frame import decode
from drivers.codecs.spat import to_signal_states
from drivers.codecs.spat_uper import SpatUperStream
from drivers.codecs.spat_xml import SpatXmlStream
from drivers.devices.panel_picture import to_png, upright
from drivers.errors import DriverError
from drivers.quantities import DeviceHealth, Quantity, SignalState
from drivers.units import NS_PER_S
from hil.benches.display import DisplayBench
from hil.benches.in_process import Slot
from hil.report.lanes import Event, Lanes, PanelLane, SignalLane, WireLane

MOST_PICTURES = 24
PICTURE_SCALE_PX = 4
MOST_MARKS = 20_000
RECENT_CHUNKS = 64


class DisplayCollector:
    """Listens to a display. A sink for its wires too; make it before `start`, `watch` the bench once it is built."""

    def __init__(self, wires: list[str], feed: str, panel: str, message_format: str) -> None:
        self._feed, self._panel = wires.index(feed), wires.index(panel)
        self._format = message_format
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=RECENT_CHUNKS)
        self.frames: list[tuple[int, bytes]] = []
        self.messages = 0
        self._states: list[tuple[int, SignalState]] = []
        self._stages: list[tuple[int, str, int | None]] = []
        self._events: list[Event] = []
        self._bench: DisplayBench | None = None

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        """Keep the newest chunks of the feed, and every frame."""
        if wire == self._feed and not outward:
            self._recent.append((t_ns, data))
            self.messages += 1
        elif wire == self._panel and outward and len(self.frames) < MOST_MARKS:
            self.frames.append((t_ns, data))

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """No wire of a display repeats idle frames."""

    def watch(self, bench: DisplayBench) -> None:
        """Listen to the display's scan cycle, also after restarts."""
        self._bench = bench
        bench.bench.add_start_listener(self._started)

    def _started(self, slot: Slot, now_ns: int) -> None:
        cycle = slot.cycle
        assert cycle is not None
        policy, before = cycle.policy, cycle.observer
        assert isinstance(policy, GreenwavePolicy)

        def observe(
            tick: int, t_ns: int, inputs: Sequence[Quantity], asked: Sequence[Command], allowed: Sequence[Command]
        ) -> None:
            if before is not None:
                before(tick, t_ns, inputs, asked, allowed)
            for value in inputs:
                if isinstance(value, SignalState) and len(self._states) < MOST_MARKS:
                    self._states.append((t_ns, value))
                elif isinstance(value, DeviceHealth) and len(self._events) < MOST_MARKS:
                    self._events.append(Event(t_ns, f"{value.source}: {'is back' if value.ok else value.reason}"))
            aspect = policy.aspect
            shown = (str(aspect.stage), aspect.remaining_ms)
            if (not self._stages or self._stages[-1][1:] != shown) and len(self._stages) < MOST_MARKS:
                self._stages.append((t_ns, *shown))

        cycle.observer = observe

    def groups(self) -> list[dict[str, object]]:
        """State and remaining time of every group with timing, by the last messages, at the time of the last."""
        stream = SpatXmlStream() if self._format == "spat-xml" else SpatUperStream()
        states: list[SignalState] = []
        last_ns = 0
        for t_ns, data in self._recent:
            for intersection in stream.feed(data):
                last_ns = t_ns
                states += to_signal_states(intersection, t_ns, "feed")
        station = self._bench.site.station if self._bench is not None else None
        return summary([state for state in states if station is None or state.station == station], last_ns)

    def last_lit_frame(self) -> bytes | None:
        """The frame before the display last went dark, as PNG; the last one if it never showed anything."""
        best = None
        for _, frame in self.frames:
            try:
                picture = decode(frame)
            except (ValueError, DriverError):
                continue
            if best is None or any(picture.rgb):
                best = picture
        return to_png(upright(best), 5) if best is not None else None

    def lanes(self) -> Lanes:
        """What was collected."""
        assert self._bench is not None
        end_ns = self._bench.bench.now_ns
        groups: dict[int, list[tuple[int, SignalState]]] = {}
        for t_ns, state in self._states:
            groups.setdefault(state.group, []).append((t_ns, state))
        signals = []
        for group, told in sorted(groups.items()):
            spans: list[tuple[int, int, int]] = []
            for n, (t_ns, state) in enumerate(told):
                until_ns = told[n + 1][0] if n + 1 < len(told) else min(end_ns, t_ns + NS_PER_S)
                number = state.phases[0].state if state.phases else 0
                if until_ns - t_ns > 2 * NS_PER_S:
                    until_ns = t_ns + NS_PER_S  # the feed is lost: nothing is known
                if spans and spans[-1][2] == number and spans[-1][1] == t_ns:
                    spans[-1] = (spans[-1][0], until_ns, number)
                else:
                    spans.append((t_ns, until_ns, number))
            predicted = [(t_ns, state.phases[0].likely_ms if state.phases else None) for t_ns, state in told]
            signals.append(SignalLane(str(group), spans, predicted, own=group == self._bench.site.group))
        panel = [
            (t_ns, self._stages[n + 1][0] if n + 1 < len(self._stages) else end_ns, stage, remaining_ms)
            for n, (t_ns, stage, remaining_ms) in enumerate(self._stages)
        ]
        step = max(1, len(self.frames) // MOST_PICTURES)
        pictures = [(t_ns, to_png(upright(decode(frame)), PICTURE_SCALE_PX)) for t_ns, frame in self.frames[::step]]
        return Lanes(
            signals=signals,
            panels=[PanelLane(panel, pictures)],
            wires=[WireLane("panel", [(t_ns, True, f"{len(frame)} bytes") for t_ns, frame in self.frames])],
            events=self._events,
            utc_at_zero_ns=self._bench.origin_utc_ns,
        )
