"""What riders see: a bicycle, a sign for each stage, and a column of remaining time that sinks. Upright, 32 x 96 px.

=======  ==================================  =============================================  =======================
stage    bicycle                             sign                                           column
=======  ==================================  =============================================  =======================
green    rides: the road runs below it       two broad arrows that run ahead, 15 px/s       full
hurry    rides fast: the road runs doubly    four narrow arrows that run ahead, 30 px/s     in slanting stripes
red      stands on a closed road             a stop line across the whole way, at rest      full
=======  ==================================  =============================================  =======================

So the stages differ by form and by motion, for those who do not tell red from green. The bicycle is white in every
stage; strokes are two pixels at least, signs fifteen across, so that they are told apart at 30 m on a panel of 10 mm a
pixel (three minutes of arc a sign's stroke of 30 mm). Where no end is known there is no column, and the rest moves to
the middle. Motion is a law in the frame itself (drivers.codecs.panel_frame): where everything stands follows from the
time, and nobody has to wake for it.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

import msgspec

from controllers.greenwave.brightness import FULL_LEVEL
from controllers.greenwave.picture_canvas import ACROSS_PX, HEIGHT_PX, WIDTH_PX, Canvas, Colour
from drivers.codecs.panel_frame import Picture, dark, encode

__all__ = ["BAR_PX", "COLOURS", "HEIGHT_PX", "WIDTH_PX", "Aspect", "Stage", "draw", "frame_of"]

BAR_PX = 44
"""Height of the full column."""


class Stage(StrEnum):
    """What the display says to a rider who passes it now."""

    DARK = "dark"
    RED = "red"
    HURRY = "hurry"
    GREEN = "green"


class Aspect(msgspec.Struct, frozen=True, gc=False):
    """What the panel shows, in words.

    `remaining_ms` is the time until the stage ends as shown to riders (never rising within a stage), None where no end
    is known; `bar_px` the height of its column, 0 to 44, None without one.
    Example: ``Aspect(Stage.GREEN, 12_300, 19)``.
    """

    stage: Stage
    remaining_ms: int | None
    bar_px: int | None


COLOURS = {Stage.RED: (255, 26, 12), Stage.HURRY: (255, 170, 0), Stage.GREEN: (0, 255, 78)}
"""Full colour of each lit stage. The green leans to blue, as signal green does (it helps colour-blind eyes)."""

WHITE = (255, 255, 255)

BIKE = (
    "...................#####......",
    "......######.......######.....",
    ".....########......##.........",
    "......######.......##.........",
    ".........##........##.........",
    "..........############........",
    "..........############........",
    "....#####.##......########....",
    "..##########......##########..",
    ".###....####.....#####....###.",
    ".##.....#.###...##.##.##...##.",
    "##.....##..###.##..##.##....##",
    "##.....##...####...##..##...##",
    "##....##########...##..##...##",
    "##.........####....##.......##",
    "##.........##......##.......##",
    ".##.......##........##.....##.",
    ".###.....###........###...###.",
    "..#########..........#######..",
    "....#####..............###....",
)

_TRACK_SHARE = 7  # the track has a seventh of the brightness: seen by night, not in the way by day
_OFF, _FULL, _DIM, _WHITE = range(4)
_ALONE_DOWN_PX = 22  # how much lower all stands where there is no column
_BIKE_X, _BIKE_Y = 1, 2
_ROAD_Y, _DASH_PX, _DASH_EVERY_PX = 24, 4, 8
_SIGN_X, _SIGN_Y, _SIGN_ACROSS_PX, _SIGN_DOWN_PX = 6, 28, 20, 20
_STOP_X, _STOP_Y, _STOP_ACROSS_PX, _STOP_DOWN_PX = 1, 34, 30, 8
_BAR_X, _BAR_ACROSS_PX, _BAR_TOP_Y = 4, 24, 50
_STRIPE_EVERY_PX, _STRIPE_PX = 11, 4


@lru_cache(maxsize=512)  # all of one brightness are 136
def frame_of(stage: Stage, bar_px: int | None, level: int = FULL_LEVEL) -> bytes:
    """The encoded frame for a stage, a column of 0 to 44 px (None: none), and a brightness of 0 to 16."""
    if stage is Stage.DARK or level == 0:
        return dark(WIDTH_PX, HEIGHT_PX)
    return encode(draw(stage, bar_px, level))


def draw(stage: Stage, bar_px: int | None, level: int = FULL_LEVEL) -> Picture:
    """The picture itself."""
    if stage is Stage.DARK:
        return Canvas().picture(((0, 0, 0),))
    canvas = _still(stage, bar_px is None).copy()
    if bar_px is not None:
        _draw_bar(canvas, stage, bar_px)
    full = COLOURS[stage]
    dim = (full[0] // _TRACK_SHARE, full[1] // _TRACK_SHARE, full[2] // _TRACK_SHARE)
    return canvas.picture([dimmed(colour, level) for colour in ((0, 0, 0), full, dim, WHITE)])


@lru_cache(maxsize=6)
def _still(stage: Stage, alone: bool) -> Canvas:
    """All but the column; lower where it stands alone. Not to be drawn on."""
    canvas = Canvas()
    down_px = _ALONE_DOWN_PX if alone else 0
    canvas.stamp(_BIKE_X, _BIKE_Y + down_px, BIKE, _WHITE)
    _draw_road(canvas, stage, _ROAD_Y + down_px)
    if stage is Stage.RED:
        canvas.fill(_STOP_X, _STOP_Y + down_px, _STOP_ACROSS_PX, _STOP_DOWN_PX, _FULL)
    else:
        _draw_arrows(canvas, stage, _SIGN_Y + down_px)
    return canvas


def dimmed(colour: Colour, level: int) -> Colour:
    """A colour at a brightness of 0 to 16."""
    return colour[0] * level // FULL_LEVEL, colour[1] * level // FULL_LEVEL, colour[2] * level // FULL_LEVEL


def _draw_road(canvas: Canvas, stage: Stage, y: int) -> None:
    """Dashes that run to the left under a bicycle that rides to the right; closed where it stands."""
    if stage is Stage.RED:
        canvas.fill(0, y, ACROSS_PX, 2, _FULL)
        return
    for x in range(0, ACROSS_PX, _DASH_EVERY_PX):
        canvas.fill(x, y, _DASH_PX, 2, _FULL)
    canvas.move(0, y, ACROSS_PX, 2, -1, 0, 1 if stage is Stage.HURRY else 2)


def _draw_arrows(canvas: Canvas, stage: Stage, top_y: int) -> None:
    """Arrow heads that point and run up: broad ones far apart, or narrow ones close together."""
    every_px, thick_px = (10, 5) if stage is Stage.GREEN else (5, 2)
    for top in range(top_y, top_y + _SIGN_DOWN_PX, every_px):
        for column in range(_SIGN_ACROSS_PX // 2):
            for row in range(thick_px):
                y = top_y + (top - top_y + column + row) % _SIGN_DOWN_PX
                canvas.dot(_SIGN_X + _SIGN_ACROSS_PX // 2 + column, y, _FULL)
                canvas.dot(_SIGN_X + _SIGN_ACROSS_PX // 2 - 1 - column, y, _FULL)
    canvas.move(_SIGN_X, top_y, _SIGN_ACROSS_PX, _SIGN_DOWN_PX, 0, -1, 2 if stage is Stage.GREEN else 1)


def _draw_bar(canvas: Canvas, stage: Stage, bar_px: int) -> None:
    """The column on its track, both with rounded ends; the hurry stage has stripes, but for the last second."""
    for row in range(BAR_PX):
        inset = 1 if row in (0, BAR_PX - 1) else 0
        lit = BAR_PX - row <= bar_px
        canvas.fill(_BAR_X + inset, _BAR_TOP_Y + row, _BAR_ACROSS_PX - 2 * inset, 1, _FULL if lit else _DIM)
        if lit and stage is Stage.HURRY and row < BAR_PX - 2:
            for column in range(2, _BAR_ACROSS_PX - 2):
                if (column + row) % _STRIPE_EVERY_PX < _STRIPE_PX:
                    canvas.dot(_BAR_X + column, _BAR_TOP_Y + row, _DIM)
