"""The live view: lamps along the path with riders between them, or the panel; drawn in the terminal as a bench runs.

In a terminal the picture is redrawn in place; elsewhere (a log, CI) a few stills are printed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.style import Style
from rich.text import Text

from controllers.greenwave.policy import GreenwavePolicy
from drivers.codecs.dali import OUTPUT_PPM
from drivers.codecs.panel_frame import Picture
from drivers.devices.panel import FramePanel
from drivers.devices.panel_picture import to_terminal, upright
from drivers.units import NS_PER_S
from hil.benches.display import DisplayBench
from hil.benches.lit_path import LitPathBench

WIDTH = 96
STILLS = 3
MARGIN_MM = 48_000
"""How much of the path is shown before the first lamp and after the last."""


class View(Protocol):
    """Something that can be drawn at any moment."""

    def draw(self) -> RenderableType:
        """The picture of now."""


class PathView:
    """A lit path: lamps as lights, riders as arrows, radars by where they look."""

    def __init__(self, bench: LitPathBench) -> None:
        self._bench = bench
        self._zone = ZoneInfo(bench.site.place.timezone)
        self._low_mm = min(bench.lamps_x_mm) - MARGIN_MM
        self._high_mm = max(bench.lamps_x_mm) + MARGIN_MM

    def draw(self) -> RenderableType:
        """Four lines: time, light, path, scale."""
        bench = self._bench
        now_ns = bench.bench.now_ns
        levels = [self._level(n, now_ns) for n in range(len(bench.lamps))]
        glow = [0.0] * WIDTH
        for x_mm, level in zip(bench.lamps_x_mm, levels, strict=True):
            share = (OUTPUT_PPM[level] / 1e6) ** 0.45 if level else 0.0
            middle = self._column(x_mm)
            for away in range(-4, 5):
                if 0 <= middle + away < WIDTH:
                    glow[middle + away] = max(glow[middle + away], share * (1 - abs(away) / 5))
        light = Text()
        lamps = {self._column(x_mm): level for x_mm, level in zip(bench.lamps_x_mm, levels, strict=True)}
        for column, share in enumerate(glow):
            mark = self._mark(lamps[column]) if column in lamps else " "
            light.append(mark, Style(color="black", bgcolor=_warm(share)))
        path = Text("\u2581" * WIDTH, style="grey35")
        riding = [rider for rider in bench.traffic.under_way.values() if rider.start_ns <= now_ns < rider.end_ns]
        marks = Text(" " * WIDTH)
        for rider in riding:
            x_mm = rider.x_mm(now_ns)
            if self._low_mm <= x_mm < self._high_mm:
                column, speed = self._column(x_mm), rider.v_mm_s(now_ns)
                arrow = "\u25b6" if speed > 0 else "\u25c0" if speed < 0 else "\u25cf"
                marks = marks[:column] + Text(arrow, style="bold bright_cyan") + marks[column + 1 :]
        clock = datetime.fromtimestamp((bench.origin_utc_ns + now_ns) // NS_PER_S, self._zone)
        full = sum(level == 254 for level in levels)
        head = Text.assemble(
            (f" {clock:%d %b %Y  %H:%M:%S} ", "bold"),
            f"  {len(riding)} on the path   {full} of {len(levels)} lamps full   ",
            (f"{_watts(levels, bench):5.1f} W", "bold yellow"),
            f" of {len(levels) * bench.site.light.power_w:g} W",
        )
        return Group(head, Text(""), light, marks, path, self._scale())

    def _mark(self, level: int) -> str:
        """A lamp as a character, for eyes and terminals without colour: off, base, between, full."""
        base, full = self._bench.base_level, self._bench.full_level
        return "\u00b7" if not level else "\u25cf" if level >= full else "\u25d0" if level > base else "\u25cb"

    def _scale(self) -> Text:
        line = Text(" " * WIDTH, style="grey50")
        for x_mm in self._bench.lamps_x_mm[::2]:
            label, column = f"{x_mm // 1000} m", self._column(x_mm)
            line = line[:column] + Text(label, style="grey50") + line[column + len(label) :]
        return line

    def _column(self, x_mm: int) -> int:
        return (x_mm - self._low_mm) * (WIDTH - 1) // (self._high_mm - self._low_mm)

    def _level(self, lamp: int, now_ns: int) -> int:
        return self._bench.level_at(lamp, now_ns)


class PanelView:
    """A Leezenflow panel, upright as riders see it (48 lines of 32 columns), and what the policy shows in words."""

    def __init__(self, bench: DisplayBench, colour: bool) -> None:
        self._bench, self._colour = bench, colour

    def draw(self) -> RenderableType:
        """What is shown in words, and the panel below: in true colour, or as blocks where there is no colour."""
        cycle = self._bench.slot.cycle
        if cycle is None:
            return Text("the controller is without power")
        panel = cycle.panels[self._bench.site.panel]
        policy = cycle.policy
        assert isinstance(panel, FramePanel)
        assert isinstance(policy, GreenwavePolicy)
        aspect = policy.aspect
        now_s = self._bench.bench.now_ns / NS_PER_S
        left = "" if aspect.remaining_ms is None else f"  {aspect.remaining_ms / 1000:.1f} s"
        clock = datetime.fromtimestamp((self._bench.origin_utc_ns // NS_PER_S) + int(now_s), ZoneInfo("Europe/Berlin"))
        head = Text.assemble((f" {clock:%d %b %Y  %H:%M:%S} ", "bold"), f"  second {now_s:.0f}   {aspect.stage}{left}")
        if not self._colour:
            return Group(head, Text(""), Text(_in_blocks(upright(panel.picture))))
        return Group(head, Text(""), Text.from_ansi(to_terminal(upright(panel.picture))))


class LiveView:
    """Draws a view as a bench runs: `start`, `step` as time goes, `stop`."""

    def __init__(self, view: View, console: Console, title: str, span_ns: int) -> None:
        self._view, self._console, self._title, self._span_ns = view, console, title, span_ns
        self._live = Live(console=console, auto_refresh=False, transient=False) if console.is_terminal else None
        self._stills = 0

    def start(self) -> None:
        """The title, and the place where the picture will be."""
        self._console.print(Text(self._title, style="bold"))
        if self._live is not None:
            self._live.start()

    def stop(self) -> None:
        """Leave the last picture standing."""
        if self._live is not None:
            self._live.stop()

    def step(self, now_ns: int) -> None:
        """The bench stands at `now_ns`."""
        if self._live is not None:
            self._live.update(self._view.draw(), refresh=True)
        elif now_ns * (STILLS + 1) >= self._span_ns * (self._stills + 1) and self._stills < STILLS:
            self._stills += 1
            self._console.print(self._view.draw())


class LiveOn:
    """For `Request.on_bench`: draws whatever bench is started, until its span is over or `stop`."""

    def __init__(self, console: Console, title: str) -> None:
        self._console, self._title = console, title
        self._shown: LiveView | None = None

    def __call__(self, bench: LitPathBench | DisplayBench, span_ns: int) -> Callable[[int], None]:
        """The bench starts; gives what to call as time goes."""
        colour = self._console.color_system is not None
        view: View = PathView(bench) if isinstance(bench, LitPathBench) else PanelView(bench, colour)
        self._shown = shown = LiveView(view, self._console, self._title, span_ns)
        shown.start()

        def step(now_ns: int) -> None:
            shown.step(now_ns)
            if now_ns >= span_ns:
                self.stop()

        return step

    def stop(self) -> None:
        """Leave the last picture standing; a second call does nothing."""
        if self._shown is not None:
            self._shown.stop()
            self._shown = None


def _in_blocks(picture: Picture) -> str:
    """Lit pixels as half blocks."""
    lit = [any(picture.rgb[at : at + 3]) for at in range(0, len(picture.rgb), 3)]
    width = picture.width_px
    lines = []
    for y in range(0, picture.height_px, 2):
        upper, lower = lit[y * width : (y + 1) * width], lit[(y + 1) * width : (y + 2) * width]
        lines.append("".join(" \u2580\u2584\u2588"[top + 2 * low] for top, low in zip(upper, lower, strict=True)))
    return "\n".join(lines)


def _warm(share: float) -> str:
    """Warm white of a brightness between 0 and 1, on a night background."""
    red, green, blue = 12 + 243 * share, 14 + 196 * share, 28 + 92 * share
    return f"#{int(red):02x}{int(green):02x}{int(blue):02x}"


def _watts(levels: list[int], bench: LitPathBench) -> float:
    return sum(OUTPUT_PPM[level] for level in levels) * bench.site.light.power_w / 1e6
