"""Leezenflow over time: states of the signal groups, remaining time predicted and shown, the panel's pictures."""

from __future__ import annotations

from base64 import b64encode
from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise

from hil.report.drawing import WIDTH, Strip, TimeAxis
from hil.report.figures import number
from hil.report.lanes import Lanes, PanelLane, SignalLane, thin

STATES = {
    0: ("unavailable", "s-none"),
    1: ("dark", "s-none"),
    2: ("flashing red", "s-red"),
    3: ("red", "s-red"),
    4: ("red-amber", "s-redamber"),
    5: ("green", "s-green"),
    6: ("protected green", "s-green"),
    7: ("amber", "s-amber"),
    8: ("protected amber", "s-amber"),
    9: ("flashing amber", "s-amber"),
}
"""MovementPhaseState -> (name, class); ETSI TS 103 301, SAE J2735."""
UNKNOWN = ("unknown state", "s-none")
STAGES = {"red": "s-red", "green": "s-green", "hurry": "s-amber", "yellow": "s-amber", "amber": "s-amber"}
"""What a panel shows -> class; everything else is dark."""
BAND_PX, CHART_PX, PICTURE_PX = 18, 130, (32, 96)
MOST_S = 120
"""The remaining-time chart ends here; what is longer touches its top."""
LEAP_MS = 5000
_ROOM = 0.037
"""Of the strip's width, for a picture and a gap, before it is zoomed."""
MOST_PICTURES, MOST_PICTURE_BYTES = 120, 600_000

Band = tuple[int, int, str, str]
"""(t0_ns, t1_ns, name, class)."""


def signal_strip(lanes: Lanes, axis: TimeAxis, budget: int) -> tuple[Strip, list[str]]:
    """The strip, of about `budget` elements at most, and notes on what was left out."""
    signals, panels = lanes.signals, lanes.panels
    chart = bool(panels) or any(signal.predicted for signal in signals)
    pictures = sum(bool(panel.thumbnails) for panel in panels)
    height = (
        40 + (BAND_PX + 8) * (len(signals) + len(panels)) + (CHART_PX + 42) * chart + (PICTURE_PX[1] + 12) * pictures
    )
    about = "Time runs to the right. Coloured bands are the states of signal groups and the stage the panel shows; "
    about += (
        "the lines below are the remaining seconds: thin as the feed predicts, dotted as it came true, thick as shown."
    )
    picture = _Signals(axis, Strip(axis, height, "Signal groups and panel over time", about))
    limit = budget // max(1, 4 * (len(signals) + len(panels)))
    for signal in signals:
        picture.bands(signal.group, [(t0, t1, *STATES.get(state, UNKNOWN)) for t0, t1, state in signal.spans], limit)
    for panel in panels:
        picture.bands(f"{panel.name} shows", _stages(panel), limit)
    if chart:
        picture.chart(lanes, limit)
    for panel in panels:
        if panel.thumbnails:
            picture.pictures(panel)
    picture.strip.grid(10, picture.y, picture.y + 16)
    return picture.strip, picture.notes


def _stages(lane: PanelLane) -> list[Band]:
    """Stretches of one stage, however often the picture changed in between."""
    found: list[Band] = []
    for t0, t1, stage, _ in lane.spans:
        if found and found[-1][1:3] == (t0, stage):
            found[-1] = (found[-1][0], t1, *found[-1][2:])
        else:
            found.append((t0, t1, stage, STAGES.get(stage, "s-none")))
    return found


class _Signals:
    def __init__(self, axis: TimeAxis, strip: Strip) -> None:
        self.axis, self.strip = axis, strip
        self.y = 12.0
        self.notes: list[str] = []

    def bands(self, label: str, spans: list[Band], limit: int) -> None:
        """A row of coloured stretches, named where there is room."""
        axis, strip = self.axis, self.strip
        strip.label(self.y + 13, label)
        seen = [span for span in spans if span[1] > axis.t0_ns and span[0] < axis.t1_ns]
        kept = thin(seen, limit)
        if len(kept) < len(seen):
            self.notes.append(f"{label}: {number(len(kept))} of {number(len(seen))} stretches shown, evenly thinned")
        for t0, t1, name, style in kept:
            tip = f"{label}: {name}\n{axis.moment(t0)} to {axis.moment(t1)} ({(t1 - t0) / 1e9:.1f} s)"
            strip.band(t0, t1, self.y, BAND_PX, style, tip)
            begin = max(t0, axis.t0_ns)
            room = (min(t1, axis.t1_ns) - begin) / (axis.t1_ns - axis.t0_ns) / (len(name) + 1)
            zoom = next(
                (name for name, least in (("z1", 0.0075), ("z2", 0.0019), ("z3", 0.0005)) if room > least), None
            )
            if zoom:
                strip.word(begin, self.y + 13, f"\u00a0{name}", f"in-band {style}-ink {zoom}")
        self.y += BAND_PX + 8

    def chart(self, lanes: Lanes, limit: int) -> None:
        """Remaining seconds: thin as each feed predicts, thick as each panel shows."""
        top, bottom = self.y + 24, self.y + 24 + CHART_PX
        shown = [(span[0], span[3]) for panel in lanes.panels for span in panel.spans]
        foretold = [point for signal in lanes.signals for point in signal.predicted]
        most_ms = max((ms for t, ms in shown + foretold if ms is not None and self.axis.holds(t)), default=10_000)
        most_s = min(MOST_S, max(10, -(-most_ms // 10_000) * 10))

        def y(remaining_ms: int) -> float:
            return bottom - min(max(remaining_ms / 1000, 0), most_s) * CHART_PX / most_s

        step = next(step for step in (5, 10, 20, 30, 60) if most_s / step <= 5)
        for seconds in range(0, most_s + 1, step):
            self.strip.level(y(seconds * 1000), "grid")
            self.strip.label(y(seconds * 1000) + 4, f"{seconds} s", "tick end")
        self.strip.label(top - 10, "remaining", "unit end")
        for signal in lanes.signals:
            for run in _runs([(t, ms) for t, ms in signal.predicted if self.axis.holds(t)]):
                kept = thin(run, 4 * limit)
                if len(kept) < len(run):
                    self.notes.append(f"{signal.group}: {number(len(kept))} of {number(len(run))} predictions shown")
                tip = f"{signal.group}: predicted by the feed"
                self.strip.way([(t, y(ms)) for t, ms in kept], "predicted", tip)
            if signal.own:
                self._came_true(signal, limit, y)
        for panel in lanes.panels:
            self._shown(panel, limit, y)
        self.y = bottom + 18

    def _came_true(self, signal: SignalLane, limit: int, y: Callable[[int], float]) -> None:
        """For each phase that was seen to end, the seconds that were really left: straight down to its end."""
        ended = [span for span, following in pairwise(signal.spans) if span[1] == following[0]]
        seen = [span for span in ended if span[1] > self.axis.t0_ns and span[0] < self.axis.t1_ns]
        for t0, t1, _ in thin(seen, limit):
            begin, end = max(t0, self.axis.t0_ns), min(t1, self.axis.t1_ns)
            points = [(begin, y((t1 - begin) // 1_000_000)), (end, y((t1 - end) // 1_000_000))]
            self.strip.way(points, "true", f"{signal.group}: what was really left")

    def _shown(self, panel: PanelLane, limit: int, y: Callable[[int], float]) -> None:
        """One stair a stage, so that each has its colour."""
        starts = [span[0] for span in panel.spans]
        seen = [stage for stage in _stages(panel) if stage[1] > self.axis.t0_ns and stage[0] < self.axis.t1_ns]
        for t0, t1, stage, style in thin(seen, limit):
            spans = panel.spans[bisect_left(starts, t0) : bisect_left(starts, t1)]
            points = [(span[0], y(span[3])) for span in thin(spans, 400) if span[3] is not None]
            if points:
                points.append((t1, points[-1][1]))
                inside = [(min(max(t, self.axis.t0_ns), self.axis.t1_ns), at) for t, at in points]
                self.strip.steps(inside, f"shown {style}-line", f"{panel.name} shows {stage}")

    def pictures(self, panel: PanelLane) -> None:
        """The panel's own pictures. Those without room between their neighbours appear when zoomed."""
        width, height = PICTURE_PX
        seen = [one for one in panel.thumbnails if self.axis.holds(one[0])]
        kept = thin(seen, MOST_PICTURES)
        free, bytes_left, shown = [-1.0, -1.0, -1.0], MOST_PICTURE_BYTES, 0
        self.strip.label(self.y + 20, f"{panel.name} pictures")
        for t_ns, png in kept:
            share = self.axis.x(t_ns) / WIDTH
            zoom = next((i for i, until in enumerate(free) if share >= until), None)
            if zoom is None or len(png) > bytes_left or share > 0.99:
                continue
            bytes_left, shown = bytes_left - len(png), shown + 1
            for finer in range(zoom, 3):
                free[finer] = share + _ROOM / (1, 4, 16)[finer]
            href = f"data:image/png;base64,{b64encode(png).decode()}"
            tip = f"{panel.name} at {self.axis.moment(t_ns)}"
            self.strip.picture(t_ns, self.y, width, height, href, f"panel z{zoom + 1}", tip)
        if shown < len(panel.thumbnails):
            self.notes.append(f"{panel.name}: {shown} of {number(len(panel.thumbnails))} pictures included")
        self.y += height + 12


def _runs(points: list[tuple[int, int | None]]) -> list[list[tuple[int, int]]]:
    """Stretches without a gap; a leap upwards is the next phase."""
    found: list[list[tuple[int, int]]] = [[]]
    for t_ns, value in points:
        if found[-1] and (value is None or value > found[-1][-1][1] + LEAP_MS):
            found.append([])
        if value is not None:
            found[-1].append((t_ns, value))
    return [run for run in found if run]
