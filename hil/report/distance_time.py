"""The distance-time diagram as a file of its own: SVG for print, on white. Time across, metres up.

Each lamp is a band as bright as its light, each rider a line; where a line runs over a bright band, somebody rides
under a lit lamp. Radars stand at the left with the stretch they see, messages between controllers are arrows. Drawn
are at most `MOST` of each kind; what is left out is said below. The same input gives the same bytes.
"""

from __future__ import annotations

import textwrap
from itertools import pairwise
from pathlib import Path

from drivers.codecs.dali_tables import OUTPUT_PPM
from drivers.errors import InputError
from hil.report.drawing import TimeAxis
from hil.report.escape import markup
from hil.report.lanes import LampLane, Lanes, Window, clip_fades, clip_points, merge_fades, thin

WIDTH, HEIGHT = 1600, 1000
LEFT, RIGHT, TOP, BOTTOM = 190, 1490, 92, 858
MOST = 2500
"""Detections; and fades a lamp, riders, messages below that."""

WALK_MM_S = 2_500
"""Slower than 9 km/h is drawn as somebody on foot."""

_OFF, _DIM, _FULL = (0xAE, 0xB7, 0xC4), (0xD8, 0xDB, 0xDC), (0xFF, 0xC4, 0x1F)
_STYLE = (
    "text{font-family:Helvetica,Arial,DejaVu Sans,sans-serif;fill:#1d2430;font-size:17px}"
    ".title{font-size:27px;font-weight:bold}.small{font-size:14px;fill:#4a5362}"
    ".end{text-anchor:end}.mid{text-anchor:middle}"
)


def write_picture(path: Path, lanes: Lanes, window: Window, title: str, subtitle: str) -> None:
    """Write the diagram of a window to `path`. Raises InputError where that cannot be done."""
    try:
        path.write_text(picture(lanes, window, title, subtitle), encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"{path}: the picture cannot be written: {error.strerror}") from None


def picture(lanes: Lanes, window: Window, title: str, subtitle: str) -> str:
    """The diagram as text. Raises InputError where the lanes hold no lamps."""
    if not lanes.lamps:
        raise InputError("a distance-time picture needs lamps; this run has none")
    return _Picture(lanes, window, title, subtitle).svg()


def colour(level: int) -> str:
    """A level as ink on white: off is slate, then pale, full is yellow; even in the square root of the light."""
    if level <= 0:
        return _hex(_OFF)
    share = (OUTPUT_PPM[min(level, 254)] / 1_000_000) ** 0.5
    return _hex(
        (
            round(_DIM[0] + (_FULL[0] - _DIM[0]) * share),
            round(_DIM[1] + (_FULL[1] - _DIM[1]) * share),
            round(_DIM[2] + (_FULL[2] - _DIM[2]) * share),
        )
    )


def _hex(rgb: tuple[int, int, int]) -> str:
    return f"#{rgb[0]:02x}{rgb[1]:02x}{rgb[2]:02x}"


class _Picture:
    def __init__(self, lanes: Lanes, window: Window, title: str, subtitle: str) -> None:
        self.lanes, self.window, self.axis = lanes, window, TimeAxis(lanes, window)
        self.title, self.subtitle = title, subtitle
        xs = [lamp.x_m for lamp in lanes.lamps]
        reach = [radar.x_m + radar.looks * radar.range_m for radar in lanes.radars]
        self.low_m, self.high_m = min([*xs, *reach]) - 12, max([*xs, *reach]) + 12
        gaps = sorted(b - a for a, b in pairwise(sorted(xs)) if b > a)
        self.spacing_m = gaps[len(gaps) // 2] if gaps else 30.0
        self.left_out: list[str] = []
        self.parts: list[str] = []

    def svg(self) -> str:
        self.frame()
        for lamp in self.lanes.lamps:
            self.lamp(lamp)
        self.grid()
        self.radars()
        self.riders()
        self.handovers()
        self.events()
        self.legend()
        about = "Distance-time diagram: time runs to the right, the path upwards; lamps as bands, riders as lines."
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
            f'role="img">\n<title>{markup(self.title)}</title><desc>{about}</desc>\n<style>{_STYLE}</style>\n'
            f'<defs><marker id="to" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
            f'<path d="M0 0L8 4L0 8z" fill="#7a1fa2"/></marker><clipPath id="plot"><rect x="{LEFT}" y="{TOP}" '
            f'width="{RIGHT - LEFT}" height="{BOTTOM - TOP}"/></clipPath></defs>\n'
            + "\n".join(self.parts)
            + "\n</svg>\n"
        )

    def x(self, t_ns: int) -> float:
        return LEFT + (t_ns - self.window[0]) * (RIGHT - LEFT) / (self.window[1] - self.window[0])

    def y(self, x_m: float) -> float:
        return BOTTOM - (x_m - self.low_m) * (BOTTOM - TOP) / (self.high_m - self.low_m)

    def text(self, x: float, y: float, words: str, style: str = "") -> None:
        kind = f' class="{style}"' if style else ""
        self.parts.append(f'<text{kind} x="{x:.1f}" y="{y:.1f}">{markup(words)}</text>')

    def line(self, x0: float, y0: float, x1: float, y1: float, look: str) -> None:
        self.parts.append(f'<path d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}" {look}/>')

    def frame(self) -> None:
        self.parts.append(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>')
        self.text(LEFT, 42, self.title, "title")
        for line, words in enumerate(textwrap.wrap(self.subtitle, 165)[:2]):
            self.text(LEFT, 66 + 18 * line, words, "small")

    def lamp(self, lamp: LampLane) -> None:
        """A band, a third of the way to the next lamp to each side."""
        half_m = self.spacing_m * 0.36
        top, tall = self.y(lamp.x_m + half_m), self.y(lamp.x_m - half_m) - self.y(lamp.x_m + half_m)
        fades = clip_fades(lamp.segments, self.window)
        kept = merge_fades(fades, MOST // 4)
        if len(kept) < len(fades):
            self.left_out.append(f"{lamp.name}: short fades merged")
        by_colour: dict[str, list[str]] = {}
        for t0, t1, low, high in kept:
            slices = 1 if low == high else max(1, min(6, round((self.x(t1) - self.x(t0)) / 2)))
            for part in range(slices):
                level = high if low == high else low + (high - low) * (2 * part + 1) // (2 * slices)
                a, b = (t0 + (t1 - t0) * n // slices for n in (part, part + 1))
                box = f"M{self.x(a):.1f} {top:.1f}h{max(self.x(b) - self.x(a), 0.15):.2f}v{tall:.1f}H{self.x(a):.1f}z"
                by_colour.setdefault(colour(level), []).append(box)
        self.parts += [f'<path fill="{fill}" d="{"".join(boxes)}"/>' for fill, boxes in sorted(by_colour.items())]
        self.text(RIGHT + 10, self.y(lamp.x_m) + 5, lamp.name.replace("/lamp-", " "), "small")

    def grid(self) -> None:
        for t_ns, words in self.axis.ticks():
            self.line(self.x(t_ns), TOP, self.x(t_ns), BOTTOM + 6, 'stroke="#1d2430" stroke-opacity=".28"')
            self.text(self.x(t_ns), BOTTOM + 26, words, "mid")
        step = next(step for step in (10, 20, 32, 50, 64, 100, 200, 500, 1000, 10**9) if self._metres() / step <= 14)
        x_m = -(-int(self.low_m) // step) * step
        while x_m <= self.high_m:
            self.line(LEFT - 6, self.y(x_m), LEFT, self.y(x_m), 'stroke="#1d2430"')
            self.text(LEFT - 11, self.y(x_m) + 6, str(x_m), "end")
            x_m += step
        self.parts.append(
            f'<rect x="{LEFT}" y="{TOP}" width="{RIGHT - LEFT}" height="{BOTTOM - TOP}" fill="none" stroke="#1d2430"/>'
        )
        day = self.axis.day(self.window[0])
        self.text((LEFT + RIGHT) / 2, BOTTOM + 52, f"{self.axis.title}{f', {day}' if day else ''}", "mid")
        turned = f'transform="translate(28 {(TOP + BOTTOM) / 2:.0f}) rotate(-90)"'
        self.parts.append(f'<text class="mid" {turned}>metres along the path</text>')
        self.text(RIGHT + 10, TOP - 8, "lamp", "small")

    def _metres(self) -> float:
        return self.high_m - self.low_m

    def radars(self) -> None:
        """At the left, each with the stretch it sees; its detections as dots in the plot."""
        each = MOST // max(1, len(self.lanes.radars))
        shown = total = 0
        dots: list[str] = []
        for number, radar in enumerate(self.lanes.radars):
            x, end_m = 92 + number % 3 * 12, radar.x_m + radar.looks * radar.range_m
            tip = f"{radar.name} at {radar.x_m:g} m sees {radar.range_m:g} m"
            self.parts.append(
                f'<g><title>{markup(tip)}</title><path d="M{x} {self.y(radar.x_m):.1f}V{self.y(end_m):.1f}" '
                f'stroke="#1f77b4" stroke-width="5" stroke-opacity=".5"/><circle cx="{x}" cy="{self.y(radar.x_m):.1f}" '
                f'r="5" fill="#1f77b4"/></g>'
            )
            hits = [hit for hit in radar.hits if self.axis.holds(hit[0])]
            kept = thin(hits, each)
            shown, total = shown + len(kept), total + len(hits)
            dots += [f"M{self.x(t):.1f} {self.y(x_mm / 1000):.1f}h.01" for t, x_mm in kept]
        if self.lanes.radars:
            self.text(104, TOP - 8, "radar", "small mid")
        if dots:
            self.parts.append(
                f'<path d="{"".join(dots)}" stroke="#12a5c4" stroke-width="7" stroke-linecap="round" fill="none" '
                f'stroke-opacity=".55" clip-path="url(#plot)"/>'
            )
        if shown < total:
            self.left_out.append(f"one detection in {-(-total // max(1, shown))} drawn")

    def riders(self) -> None:
        ways = [way for rider in self.lanes.riders if (way := clip_points(rider.points, self.window))]
        kept = thin(ways, MOST // 4)
        if len(kept) < len(ways):
            self.left_out.append(f"{len(ways) - len(kept)} riders not drawn")
        for way in kept:
            (t0, x0), (t1, x1) = way[0], way[-1]
            ridden = sum(abs(b[1] - a[1]) for a, b in pairwise(way))
            on_foot = ridden * 1_000_000_000 < WALK_MM_S * (t1 - t0)
            points = " ".join(f"{self.x(t):.1f},{self.y(x / 1000):.1f}" for t, x in way)
            look = ' stroke-dasharray="9 5"' if on_foot else ""
            self.parts.append(
                f'<polyline points="{points}" fill="none" stroke="{"#0a3d8f" if x1 >= x0 else "#a3151d"}" '
                f'stroke-width="2.4"{look} clip-path="url(#plot)"/>'
            )

    def handovers(self) -> None:
        """From the middle of one controller's lamps to the other's; drawn short, so that they hide nothing."""
        each = MOST // 10
        for lane in self.lanes.handovers:
            sent = [message for message in lane.messages if self.axis.holds(message[0])]
            kept = thin(sent, each)
            middle = (self.y(lane.from_x_m) + self.y(lane.to_x_m)) / 2
            way = 1 if lane.to_x_m < lane.from_x_m else -1
            for t_ns, _, words in kept:
                x = self.x(t_ns)
                self.parts.append(
                    f'<path d="M{x:.1f} {middle - way * 17:.1f}V{middle + way * 17:.1f}" stroke="#7a1fa2" '
                    f'stroke-width="2.2" marker-end="url(#to)"><title>{markup(words)}</title></path>'
                )
            if len(kept) < len(sent):
                self.left_out.append(f"{len(sent) - len(kept)} messages not drawn")

    def events(self) -> None:
        for number, event in enumerate(thin([one for one in self.lanes.events if self.axis.holds(one.t_ns)], 12), 1):
            x = self.x(event.t_ns)
            self.line(x, TOP, x, BOTTOM, 'stroke="#c2410c" stroke-width="1.6" stroke-dasharray="3 4"')
            self.text(x + 4, TOP + 16 + number % 3 * 18, event.text[:60], "small")

    def legend(self) -> None:
        y = BOTTOM + 84
        ramp = "".join(
            f'<rect x="{LEFT + n * 12}" y="{y - 13}" width="12" height="16" fill="{colour(level)}"/>'
            for n, level in enumerate((0, 85, 170, 195, 215, 229, 240, 247, 251, 254))
        )
        self.parts.append(ramp)
        self.text(LEFT + 128, y + 1, "lamp: off, base (10 %), full", "small")
        signs = (
            ('stroke="#0a3d8f" stroke-width="2.6"', "rider up the path", 370, 0),
            ('stroke="#a3151d" stroke-width="2.6"', "rider down the path", 580, 0),
            ('stroke="#4a5362" stroke-width="2.6" stroke-dasharray="9 5"', "on foot", 800, 0),
            ('stroke="#1f77b4" stroke-width="5" stroke-opacity=".5"', "stretch a radar sees", 370, 26),
            ('stroke="#12a5c4" stroke-width="7" stroke-opacity=".55" stroke-linecap="round"', "detections", 580, 26),
            ('stroke="#7a1fa2" stroke-width="2.2" marker-end="url(#to)"', "message to the neighbour", 800, 26),
        )
        for look, words, x, down in signs:
            self.line(LEFT + x, y - 5 + down, LEFT + x + 30, y - 5 + down, look)
            self.text(LEFT + x + 38, y + 1 + down, words, "small")
        if self.left_out:
            self.text(LEFT, y + 50, "; ".join(self.left_out), "small")
