"""Leezenflow over time: the signal groups' states, the remaining time as predicted and as shown, the panel's pictures."""

from __future__ import annotations

from base64 import b64encode

from hil.report.drawing import Strip, TimeAxis
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
STAGES = {"red": "s-red", "green": "s-green", "hurry": "s-amber", "yellow": "s-amber", "amber": "s-amber"}
"""What a panel shows -> class; everything else is dark."""
BAND_PX, CHART_PX, IMAGE_PX = 18, 130, (96, 32)
MOST_S = 150
MOST_PICTURES, MOST_PICTURE_BYTES = 120, 600_000


def signal_strip(lanes: Lanes, axis: TimeAxis, budget: int) -> tuple[Strip, list[str]]:
    """The strip, of about `budget` elements at most, and notes on what was left out."""
    signals, panels = lanes.signals, lanes.panels
    chart = CHART_PX if panels or any(signal.predicted for signal in signals) else 0
    pictures = sum(bool(panel.thumbnails) for panel in panels)
    height = 14 + (BAND_PX + 8) * (len(signals) + len(panels)) + (chart + 22 if chart else 0) + 46 * pictures + 24
    about = "Time runs to the right. Coloured bands are the states of signal groups and the stage the panel shows; "
    about += "the lines below are the remaining seconds: thin as the feed predicts, thick as the panel shows."
    picture = _Signals(axis, Strip(axis, height, "Signal groups and panel over time", about), budget)
    for signal in signals:
        picture.signal(signal, budget // (4 * len(signals)))
    for panel in panels:
        picture.stage(panel, budget // (8 * len(panels)))
    if chart:
        picture.chart(signals, panels)
    for panel in panels:
        if panel.thumbnails:
            picture.pictures(panel)
    picture.strip.grid(14, picture.y, picture.y + 16)
    return picture.strip, picture.notes


class _Signals:
    def __init__(self, axis: TimeAxis, strip: Strip, budget: int) -> None:
        self.axis, self.strip, self.budget = axis, strip, budget
        self.y = 14.0
        self.notes: list[str] = []

    def signal(self, lane: SignalLane, limit: int) -> None:
        """A band of states."""
        self.strip.label(self.y + 13, lane.group)
        for t0, t1, state in self._kept(lane.spans, limit, f"{lane.group}: states"):
            name, style = STATES.get(state, (f"state {state}", "s-none"))
            self._band(t0, t1, style, f"{lane.group}: {name} ({state})", name)
        self.y += BAND_PX + 8

    def stage(self, lane: PanelLane, limit: int) -> None:
        """A band of what the panel shows."""
        self.strip.label(self.y + 13, f"{lane.name} shows")
        for t0, t1, stage, _ in self._kept(_stages(lane), limit, f"{lane.name}: stages"):
            self._band(t0, t1, STAGES.get(stage, "s-none"), f"{lane.name} shows {stage}", stage)
        self.y += BAND_PX + 8

    def _band(self, t0: int, t1: int, style: str, tip: str, name: str) -> None:
        when = f"{self.axis.moment(t0)} to {self.axis.moment(t1)} ({(t1 - t0) / 1e9:.1f} s)"
        self.strip.band(t0, t1, self.y, BAND_PX, style, f"{tip}\n{when}")
        begin = max(t0, self.axis.t0_ns)
        share = (min(t1, self.axis.t1_ns) - begin) / (self.axis.t1_ns - self.axis.t0_ns)
        if share > 0.011 * len(name):
            self.strip.word(begin, self.y + 13, f"\u00a0{name}", f"in-band {style}-ink")

    def _kept(self, spans: list[T] | object, limit: int, what: str) -> list[tuple[int, int, *tuple[object, ...]]]:
        raise NotImplementedError
