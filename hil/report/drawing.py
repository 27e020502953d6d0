"""A strip of the timeline as SVG: shapes that stretch with the time axis, words that do not, and a gutter at the left.

A strip is an HTML row of two SVGs. The right one is as wide as the page gives it; shapes stand in an inner SVG of
`WIDTH` units that stretches sideways only (strokes keep their width), words are placed by per cent. So a strip can be
widened by a style alone: zooming needs no drawing, and a page without its script still shows everything.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from hil.report.escape import markup
from hil.report.lanes import Lanes, Window

WIDTH = 10_000
GUTTER_PX = 132
NS_PER_S = 1_000_000_000
STEPS_MS: tuple[int, ...] = (
    *(100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000),
    *(minutes * 60_000 for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * 3_600_000 for hours in (1, 2, 4, 6, 12, 24, 168)),
)
LABELS = 9
"""Most time labels across an unzoomed strip."""
LONGEST_TIP = 400


class TimeAxis:
    """Where a time stands in the window, and how it is written: local time where it is known, else since the start."""

    def __init__(self, lanes: Lanes, window: Window) -> None:
        self.t0_ns, self.t1_ns = window
        self._zone = lanes.timezone()
        self._utc_ns = lanes.utc_at_zero_ns
        self.title = "time since start, min:s" if self._utc_ns is None else f"local time, {self._zone.key}"

    def x(self, t_ns: int) -> float:
        """Units from the left edge, 0 to WIDTH."""
        return (t_ns - self.t0_ns) * WIDTH / (self.t1_ns - self.t0_ns)

    def percent(self, t_ns: int) -> str:
        """The same as per cent, for words."""
        return f"{self.x(t_ns) / (WIDTH / 100):.3f}%"

    def holds(self, t_ns: int) -> bool:
        """Whether the window shows this moment."""
        return self.t0_ns <= t_ns <= self.t1_ns

    def moment(self, t_ns: int, decimals: int = 3) -> str:
        """A time for a tooltip: ``18:02:13.420``, or ``2:13.420`` since the start."""
        ms = t_ns // 1_000_000
        if self._utc_ns is None:
            sign, ms = ("-" if ms < 0 else ""), abs(ms)
            text = f"{sign}{ms // 60_000}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"
        else:
            local = self._local(t_ns)
            text = f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"
        return text if decimals == 3 else text[: len(text) - (3 - decimals) - (decimals == 0)]

    def day(self, t_ns: int) -> str:
        """The date, e.g. ``2024-02-14``; "" where the wall time is not known."""
        return "" if self._utc_ns is None else f"{self._local(t_ns):%Y-%m-%d}"

    def ticks(self, zoom: int = 1) -> list[tuple[int, str]]:
        """(t_ns, label) at a round step, at most about `LABELS` x `zoom`."""
        least_ms = (self.t1_ns - self.t0_ns) / 1e6 / (LABELS * zoom)
        step_ms = next((step for step in STEPS_MS if step >= least_ms), STEPS_MS[-1])
        shift_ns = self.clock_shift_ns()
        step_ns = step_ms * 1_000_000
        first = -(-(self.t0_ns + shift_ns) // step_ns) * step_ns - shift_ns
        decimals = 1 if step_ms < 1000 else 0
        return [(t, self._label(t, step_ms, decimals)) for t in range(first, self.t1_ns + 1, step_ns)]

    def _label(self, t_ns: int, step_ms: int, decimals: int) -> str:
        text = self.moment(t_ns, decimals)
        return text[:-3] if self._utc_ns is not None and step_ms >= 60_000 else text

    def _local(self, t_ns: int) -> datetime:
        assert self._utc_ns is not None
        us = (t_ns + self._utc_ns) // 1000
        return datetime.fromtimestamp(us // 1_000_000, self._zone) + timedelta(microseconds=us % 1_000_000)

    def clock_shift_ns(self) -> int:
        """What to add to a time to get nanoseconds of the local clock since 1970; 0 where it is not known."""
        if self._utc_ns is None:
            return 0
        offset = self._local(self.t0_ns).utcoffset()
        return self._utc_ns + (int(offset.total_seconds()) if offset else 0) * NS_PER_S


class Strip:
    """One row of the timeline under construction. `parts` counts its elements."""

    def __init__(self, axis: TimeAxis, height_px: int, title: str, about: str) -> None:
        self.axis, self.height_px, self.title, self.about = axis, height_px, title, about
        self.parts = 0
        self.data = ""
        self._gutter: list[str] = []
        self._shapes: list[str] = []
        self._words: list[str] = []

    def band(self, t0_ns: int, t1_ns: int, y: float, height: float, style: str, tip: str = "") -> None:
        """A rectangle over a span of time. `style` is a class, or ``class" fill="...`` already escaped."""
        axis = self.axis
        x0, x1 = axis.x(max(t0_ns, axis.t0_ns)), axis.x(min(t1_ns, axis.t1_ns))
        box = f'x="{x0:.1f}" y="{y:.1f}" width="{max(x1 - x0, 0.1):.1f}" height="{height:.1f}"'
        self._add("rect", f'class="{style}" {box}', tip)

    def way(self, points: list[tuple[int, float]], style: str, tip: str = "") -> None:
        """A line through (t_ns, y)."""
        x = self.axis.x
        where = " ".join(f"{x(t):.1f},{y:.1f}" for t, y in points)
        self._add("polyline", f'class="{style}" points="{where}"', tip)

    def steps(self, points: list[tuple[int, float]], style: str, tip: str = "") -> None:
        """A line that keeps its height until the next point."""
        stair = points[:1]
        for (_, y), following in pairwise(points):
            stair += [(following[0], y), following]
        self.way(stair, style, tip)

    def dot(self, t_ns: int, y: float, style: str, tip: str = "") -> None:
        """A round dot; the class gives its size as the width of a stroke."""
        self._add("path", f'class="{style}" d="M{self.axis.x(t_ns):.1f} {y:.1f}h.01"', tip)

    def upright(self, t_ns: int, y0: float, y1: float, style: str, tip: str = "") -> None:
        """A vertical line."""
        self._add("path", f'class="{style}" d="M{self.axis.x(t_ns):.1f} {y0:.1f}V{y1:.1f}"', tip)

    def level(self, y: float, style: str) -> None:
        """A horizontal line over the whole window."""
        self._add("path", f'class="{style}" d="M0 {y:.1f}H{WIDTH}"', "")

    def define(self, text: str) -> None:
        """A definition (gradient) as ready SVG."""
        self.parts += 1
        self._shapes.append(text)

    def word(self, t_ns: int, y: float, text: str, style: str) -> None:
        """Text at a time; it does not stretch."""
        self.parts += 1
        self._words.append(f'<text class="{style}" x="{self.axis.percent(t_ns)}" y="{y:.1f}">{markup(text)}</text>')

    def arrow(self, t0_ns: int, y0: float, t1_ns: int, y1: float, tip: str) -> None:
        """An arrow from one place to another."""
        self.parts += 2
        ends = f'x1="{self.axis.percent(t0_ns)}" y1="{y0:.1f}" x2="{self.axis.percent(t1_ns)}" y2="{y1:.1f}"'
        self._words.append(f'<line class="arrow" marker-end="url(#arrow)" {ends}>{_tip(tip)}</line>')

    def picture(self, t_ns: int, y: float, width: int, height: int, href: str, style: str, tip: str) -> None:
        """An image (a data: address) whose left edge stands at a time."""
        self.parts += 2
        box = f'x="{self.axis.percent(t_ns)}" y="{y:.1f}" width="{width}" height="{height}"'
        self._words.append(f'<image class="{style}" {box} href="{href}">{_tip(tip)}</image>')

    def label(self, y: float, text: str, style: str = "name", tip: str = "") -> None:
        """Text in the gutter, right-aligned to the strip."""
        self.parts += 1
        short = text if len(text) <= 20 else f"{text[:19]}\u2026"
        told = _tip(tip or (text if short != text else ""))
        self._gutter.append(f'<text class="{style}" x="{GUTTER_PX - 8}" y="{y:.1f}">{markup(short)}{told}</text>')

    def gutter(self, text: str) -> None:
        """Ready SVG in the gutter."""
        self.parts += 1
        self._gutter.append(text)

    def grid(self, y0: float, y1: float, labels_y: float | None = None) -> None:
        """Vertical lines at round times, finer when zoomed; their labels at `labels_y`."""
        for name, zoom in (("t1", 1), ("t2", 4), ("t3", 16)):
            ticks = self.axis.ticks(zoom)
            lines = "".join(f"M{self.axis.x(t):.1f} {y0:.1f}V{y1:.1f}" for t, _ in ticks)
            self._add("path", f'class="grid {name}" d="{lines or "M0 0"}"', "")
            if labels_y is not None:
                for t_ns, text in ticks:
                    edge = " first" if self.axis.x(t_ns) * zoom < WIDTH / 40 else ""
                    edge = " last" if (WIDTH - self.axis.x(t_ns)) * zoom < WIDTH / 40 else edge
                    self.word(t_ns, labels_y, text, f"tick {name}{edge}")

    def _add(self, tag: str, attributes: str, tip: str) -> None:
        self.parts += 1 + bool(tip)
        self._shapes.append(f"<{tag} {attributes}>{_tip(tip)}</{tag}>" if tip else f"<{tag} {attributes}/>")

    def html(self) -> str:
        """The finished row."""
        height = self.height_px
        name = f"<title>{markup(self.title)}</title><desc>{markup(self.about)}</desc>"
        inner = f'<svg x="0" y="0" width="100%" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        inner += f'preserveAspectRatio="none">{"".join(self._shapes)}</svg>'
        return (
            f'<div class="row"><svg class="gutter" width="{GUTTER_PX}" height="{height}" aria-hidden="true">'
            f'{"".join(self._gutter)}</svg><svg class="strip" height="{height}" role="img" {self.data}>{name}{inner}'
            f"{''.join(self._words)}</svg></div>"
        )


def _tip(text: str) -> str:
    if len(text) > LONGEST_TIP:
        text = f"{text[:LONGEST_TIP]}\u2026"
    return f"<title>{markup(text)}</title>" if text else ""
