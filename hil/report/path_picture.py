"""The path as a time-distance picture: time to the right, the way upwards; lamps as light, riders as lines."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

from drivers.codecs.dali import FULL, OUTPUT_PPM
from hil.report.drawing import Strip, TimeAxis
from hil.report.escape import markup
from hil.report.figures import number
from hil.report.lanes import Lanes, clip_fades, clip_points, merge_fades, thin

LAMP_PX = 9
SHARE = {"lamps": 0.5, "riders": 0.2, "hits": 0.25, "handovers": 0.05}
"""How a budget of elements is divided."""


def path_strip(lanes: Lanes, axis: TimeAxis, budget: int) -> tuple[Strip, list[str]]:
    """The strip, of about `budget` elements at most, and notes on what was merged or left out."""
    picture = _Path(lanes, axis)
    picture.scale()
    picture.views()
    picture.lamps(int(budget * SHARE["lamps"]) // 2)
    picture.riders(int(budget * SHARE["riders"]) // 2)
    picture.hits(int(budget * SHARE["hits"]) // 2)
    picture.handovers(int(budget * SHARE["handovers"]) // 3)
    return picture.strip, picture.notes


def output_share(level: int) -> float:
    """Light of an arc power level, 0 to 1, by the DALI log curve: 254 is 1, 170 is 0.101, 0 is 0."""
    return OUTPUT_PPM[min(max(level, 0), FULL)] / 1_000_000


def glow(level: int) -> float:
    """How strongly a level is painted: the square root of its light, near to what an eye makes of it."""
    return sqrt(output_share(level))


class _Path:
    def __init__(self, lanes: Lanes, axis: TimeAxis) -> None:
        self.lanes, self.axis, self.notes = lanes, axis, list[str]()
        self.window = (axis.t0_ns, axis.t1_ns)
        xs = [lamp.x_m for lamp in lanes.lamps]
        xs += [radar.x_m + reach for radar in lanes.radars for reach in (0.0, radar.looks * radar.range_m)]
        xs = xs or [x / 1000 for rider in lanes.riders for _, x in rider.points]
        self.low_m, self.high_m = min(xs, default=0.0) - 25, max(xs, default=100.0) + 25
        self.top, self.bottom = 30.0, 30.0 + min(720.0, max(300.0, 30.0 * len(lanes.lamps) + 180))
        about = "Time runs to the right, the path upwards. Bright bands are lit lamps, lines are riders, "
        about += "shaded bands are radar views, dots are detections, arrows are messages between controllers."
        self.strip = Strip(axis, int(self.bottom) + 26, "The path: lamps, riders and radars over time", about)
        self.strip.data = f'data-y0="{self.bottom:.0f}" data-y1="{self.top:.0f}" data-m0="{self.low_m:g}" '
        self.strip.data += f'data-m1="{self.high_m:g}"'
        self.fades: set[tuple[int, int]] = set()

    def y(self, x_m: float) -> float:
        return self.bottom - (x_m - self.low_m) * (self.bottom - self.top) / (self.high_m - self.low_m)

    def scale(self) -> None:
        """Grid, time labels at top and bottom, metres at the left."""
        strip = self.strip
        strip.grid(self.top, self.bottom, self.bottom + 17)
        step = next(step for step in (10, 20, 25, 50, 100, 200, 500, 1000, 10**9) if self._metres() / step <= 12)
        x_m = -(-int(self.low_m) // step) * step
        while x_m <= self.high_m:
            strip.level(self.y(x_m), "grid")
            strip.gutter(f'<text class="tick" x="34" y="{self.y(x_m) + 4:.1f}" text-anchor="end">{x_m}</text>')
            x_m += step
        strip.gutter('<text class="unit" x="34" y="20" text-anchor="end">m</text>')
        strip.gutter(f'<text class="unit" x="124" y="{self.bottom + 17:.1f}" text-anchor="end">time</text>')

    def _metres(self) -> float:
        return self.high_m - self.low_m

    def views(self) -> None:
        """What each radar sees, as a shaded band, and where it looks."""
        for radar in self.lanes.radars:
            end_m = radar.x_m + radar.looks * radar.range_m
            top, bottom = self.y(max(radar.x_m, end_m)), self.y(min(radar.x_m, end_m))
            looks = "up the path" if radar.looks > 0 else "down the path"
            tip = f"{radar.name} at {radar.x_m:g} m looks {looks}, {radar.range_m:g} m"
            self.strip.band(*self.window, top, bottom - top, "view", tip)
            self.strip.level(self.y(end_m), "reach")
            self.strip.gutter(_arrowhead(self.y(radar.x_m), radar.looks, tip))

    def hits(self, limit: int) -> None:
        """Detections as dots, above everything else."""
        each = limit // max(1, len(self.lanes.radars))
        shown = total = 0
        for radar in self.lanes.radars:
            hits = [hit for hit in radar.hits if self.axis.holds(hit[0])]
            kept = thin(hits, each)
            for t_ns, x_mm in kept:
                tip = f"{radar.name}: {self.axis.moment(t_ns)}, {x_mm / 1000:.1f} m"
                self.strip.dot(t_ns, self.y(x_mm / 1000), "hit", tip)
            shown, total = shown + len(kept), total + len(hits)
        if shown < total:
            self.notes.append(f"detections: {number(shown)} of {number(total)} shown, evenly thinned")

    def lamps(self, limit: int) -> None:
        """Lamps as bands of light, with the light they throw on the path around them."""
        each = limit // max(1, 2 * len(self.lanes.lamps))
        shown = total = 0
        half_m = min(14.0, self._metres() / max(1, len(self.lanes.lamps)) / 2)
        for lamp in self.lanes.lamps:
            y = self.y(lamp.x_m)
            self.strip.label(y + 4, lamp.name, tip=f"{lamp.name} at {lamp.x_m:g} m")
            self.strip.band(*self.window, y - LAMP_PX / 2, LAMP_PX, "lamp-off", f"{lamp.name} ({lamp.x_m:g} m)")
            fades = clip_fades(lamp.segments, self.window)
            kept = merge_fades(fades, each)
            shown, total = shown + len(kept), total + len(fades)
            for t0, t1, low, high in kept:
                if not (low or high):
                    continue
                fill = self._fill(low, high)
                pool = self.y(lamp.x_m + half_m)
                self.strip.band(t0, t1, pool, 2 * (y - pool), f"pool{fill}")
                tip = f"{lamp.name} ({lamp.x_m:g} m): {_levels(low, high)}\n{self._span(t0, t1)}"
                self.strip.band(t0, t1, y - LAMP_PX / 2, LAMP_PX, f"lamp{fill}", tip)
        if shown < total:
            self.notes.append(f"lamp levels: {number(total)} changes drawn as {number(shown)}, short ones merged")

    def _fill(self, low: int, high: int) -> str:
        """The rest of a class attribute that paints a level, or a fade as a gradient (made once for each pair)."""
        if low == high:
            return f'" fill-opacity="{glow(low):.3f}'
        name = f"f{low}-{high}"
        if (low, high) not in self.fades:
            self.fades.add((low, high))
            stops = "".join(
                f'<stop class="light" offset="{part / 6:.3f}" '
                f'stop-opacity="{glow(low + (high - low) * part // 6):.3f}"/>'
                for part in range(7)
            )
            self.strip.define(f'<linearGradient id="{name}">{stops}</linearGradient>')
        return f'" fill="url(#{name})'

    def _span(self, t0_ns: int, t1_ns: int) -> str:
        return f"{self.axis.moment(t0_ns)} to {self.axis.moment(t1_ns)} ({(t1_ns - t0_ns) / 1e9:.1f} s)"

    def riders(self, limit: int) -> None:
        """Ways as lines; the direction decides the colour."""
        ways = [(rider, way) for rider in self.lanes.riders if (way := clip_points(rider.points, self.window))]
        kept = thin(ways, limit)
        for rider, way in kept:
            (t0, x0), (t1, x1) = way[0], way[-1]
            ridden = sum(abs(b[1] - a[1]) for a, b in pairwise(way))
            kmh = ridden * 3600 / (t1 - t0) * 1000 if t1 > t0 else 0.0
            tip = f"{rider.name}: {self.axis.moment(t0)} at {x0 / 1000:.0f} m to {self.axis.moment(t1)} "
            tip += f"at {x1 / 1000:.0f} m, {kmh:.1f} km/h on average"
            points = [(t, min(max(self.y(x / 1000), self.top), self.bottom)) for t, x in _inside(way, self)]
            if len(points) > 1:
                self.strip.way(points, "rider up" if x1 >= x0 else "rider down", tip)
        if len(kept) < len(ways):
            self.notes.append(f"riders: {number(len(kept))} of {number(len(ways))} shown, evenly thinned")

    def handovers(self, limit: int) -> None:
        """Messages between controllers as arrows."""
        each = limit // max(1, len(self.lanes.handovers))
        shown = total = 0
        for lane in self.lanes.handovers:
            sent = [message for message in lane.messages if self.axis.holds(message[0])]
            for t0, t1, text in (kept := thin(sent, each)):
                tip = f"{lane.name}: {self.axis.moment(t0)}\n{text}"
                self.strip.arrow(t0, self.y(lane.from_x_m), min(t1, self.axis.t1_ns), self.y(lane.to_x_m), tip)
            shown, total = shown + len(kept), total + len(sent)
        if shown < total:
            self.notes.append(f"handover messages: {number(shown)} of {number(total)} shown, evenly thinned")


def _inside(way: list[tuple[int, int]], path: _Path) -> list[tuple[int, int]]:
    """The part of a way that lies in the picture's stretch of path, cut where it enters and leaves."""
    low, high = int(path.low_m * 1000), int(path.high_m * 1000)
    found: list[tuple[int, int]] = []
    for (t0, x0), (t1, x1) in pairwise(way):
        if max(x0, x1) < low or min(x0, x1) > high:
            continue
        for t, x in ((t0, x0), (t1, x1)):
            at = min(max(x, low), high)
            if at != x:
                t = t0 + (t1 - t0) * (at - x0) // (x1 - x0)
            if not found or found[-1] != (t, at):
                found.append((t, at))
    return found


def _levels(low: int, high: int) -> str:
    if low == high:
        return f"level {low} ({output_share(low) * 100:.1f} % light)"
    return f"level {low} to {high} ({output_share(low) * 100:.1f} to {output_share(high) * 100:.1f} % light)"


def _arrowhead(y: float, looks: int, tip: str) -> str:
    """A small triangle in the gutter that points where a radar looks."""
    point = y - 9 if looks > 0 else y + 9
    return f'<path class="looks" d="M40 {y:.1f}h8L44 {point:.1f}z"><title>{markup(tip)}</title></path>'
