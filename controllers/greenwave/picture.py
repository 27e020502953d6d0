"""What riders see: 96 x 32 pixels, a bicycle, a bar of remaining time, and a shape for each stage.

The stages differ by more than colour, for those who do not tell red from green: red puts a stop line before the
bicycle, hurry puts arrows on the way ahead, green leaves the way free. The bar stands on a dim track of its full
length, so that its share is read at a glance, and shrinks towards the bicycle. Where no end is known there is no bar,
and the bicycle moves to the middle.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

import msgspec

from drivers.codecs.panel_frame import Picture, dark, encode

WIDTH_PX, HEIGHT_PX = 96, 32
BAR_PX = 44
"""Length of the full bar."""


class Stage(StrEnum):
    """What the display says to a rider who passes it now."""

    DARK = "dark"
    RED = "red"
    HURRY = "hurry"
    GREEN = "green"


class Aspect(msgspec.Struct, frozen=True, gc=False):
    """What the panel shows, in words.

    `remaining_ms` is the time until the stage ends as shown to riders (never rising within a stage), None where no end
    is known; `bar_px` the length of its bar, 0 to 44, None without bar.
    Example: ``Aspect(Stage.GREEN, 12_300, 19)``.
    """

    stage: Stage
    remaining_ms: int | None
    bar_px: int | None


COLOURS = {Stage.RED: (255, 26, 12), Stage.HURRY: (255, 170, 0), Stage.GREEN: (0, 255, 78)}
"""Full colour of each lit stage. The green leans to blue, as signal green does (it helps colour-blind eyes)."""

_TRACK_SHARE = 7  # the track has a seventh of the brightness: seen by night, not in the way by day
_BIKE_X, _BIKE_Y = 3, 3
_BIKE_ALONE_X = 29
_STOP_X, _STOP_Y0, _STOP_Y1 = 44, 3, 28
_BAR_X, _BAR_Y0, _BAR_Y1 = 49, 9, 22
_ARROWS_X, _ARROW_STEP_PX, _ARROWS = 12, 10, 3  # from the bar's left end

_BIKE = (
    ".........................######.......",
    ".........................#######......",
    ".........########........##....##.....",
    ".........########........##...........",
    "............##...........##...........",
    "............##............##..........",
    ".............##...........##..........",
    ".............###############..........",
    ".............###############..........",
    "............###.........##.##.........",
    ".....#####.####........##..######.....",
    "...#########..##......##..#########...",
    "..###....####..##....##..#####...###..",
    ".##......##.##.##...##..##..##.....##.",
    ".##.....##..##.##..##...##..##.....##.",
    "##......##...##.####...##....##.....##",
    "##.....##....##.###....##....##.....##",
    "##.....############....##....##.....##",
    "##.....############....##...........##",
    "##...........##........##...........##",
    ".##.........##..........##.........##.",
    ".##.........##..........##.........##.",
    "..###.....###............###.....###..",
    "...#########..............#########...",
    ".....#####..................#####.....",
)


@lru_cache(maxsize=256)  # all there are: three stages with 45 bars or none, and the dark
def frame_of(stage: Stage, bar_px: int | None) -> bytes:
    """The encoded frame for a stage and a bar of 0 to 44 px (None: no bar)."""
    return dark(WIDTH_PX, HEIGHT_PX) if stage is Stage.DARK else encode(draw(stage, bar_px))


def draw(stage: Stage, bar_px: int | None) -> Picture:
    """The picture itself."""
    canvas = bytearray(3 * WIDTH_PX * HEIGHT_PX)
    if stage is Stage.DARK:
        return Picture(WIDTH_PX, HEIGHT_PX, bytes(canvas))
    colour = COLOURS[stage]
    shift_px = 0 if bar_px is not None else _BIKE_ALONE_X - _BIKE_X
    for row, line in enumerate(_BIKE):
        for column, dot in enumerate(line):
            if dot == "#":
                _set(canvas, _BIKE_X + shift_px + column, _BIKE_Y + row, colour)
    if stage is Stage.RED:
        for y in range(_STOP_Y0, _STOP_Y1):
            for x in (_STOP_X, _STOP_X + 1):
                _set(canvas, x + shift_px, y, colour)
    if bar_px is not None:
        _draw_bar(canvas, stage, bar_px)
    return Picture(WIDTH_PX, HEIGHT_PX, bytes(canvas))


def _draw_bar(canvas: bytearray, stage: Stage, bar_px: int) -> None:
    """Bar on its track, both with rounded ends; in the hurry stage arrows on what is left of the track."""
    full = COLOURS[stage]
    dim = (full[0] // _TRACK_SHARE, full[1] // _TRACK_SHARE, full[2] // _TRACK_SHARE)
    for y in range(_BAR_Y0, _BAR_Y1 + 1):
        inset = 1 if y in (_BAR_Y0, _BAR_Y1) else 0
        for x in range(inset, BAR_PX - inset):
            lit = x < bar_px or (stage is Stage.HURRY and _is_arrow(x, y, bar_px))
            _set(canvas, _BAR_X + x, y, full if lit else dim)


def _is_arrow(x: int, y: int, bar_px: int) -> bool:
    """Arrow heads pointing right, 3 px thick; those that the bar touches are left out."""
    depth = min(y - _BAR_Y0, _BAR_Y1 - y)  # 0 at the edges, 6 in the middle
    arrow, across = divmod(x - _ARROWS_X - depth, _ARROW_STEP_PX)
    return 0 <= arrow < _ARROWS and across < 3 and bar_px < _ARROWS_X + arrow * _ARROW_STEP_PX


def _set(canvas: bytearray, x: int, y: int, colour: tuple[int, int, int]) -> None:
    at = 3 * (y * WIDTH_PX + x)
    canvas[at : at + 3] = bytes(colour)
