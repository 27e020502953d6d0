"""Pictures that are no signal to riders: for whoever puts a display up, repairs it, or wonders whether it is there."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from controllers.greenwave.picture import BIKE, WHITE
from controllers.greenwave.picture_canvas import ACROSS_PX, DOWN_PX, Canvas
from drivers.codecs.panel_frame import Picture, encode

_LETTERS = {
    "E": ("####", "#...", "#...", "###.", "#...", "#...", "####"),
    "F": ("####", "#...", "#...", "###.", "#...", "#...", "#..."),
    "L": ("#...", "#...", "#...", "#...", "#...", "#...", "####"),
    "N": ("#..#", "##.#", "##.#", "#.##", "#.##", "#..#", "#..#"),
    "O": (".##.", "#..#", "#..#", "#..#", "#..#", "#..#", ".##."),
    "W": ("#...#", "#...#", "#...#", "#.#.#", "#.#.#", "##.##", "#...#"),
    "Z": ("####", "...#", "..#.", "..#.", ".#..", "#...", "####"),
}
_SPANNER = (
    "...........####....####.",
    "..........####......####",
    ".........####........###",
    ".........####........###",
    ".........####........###",
    ".........#####......####",
    "..........#####....#####",
    "..........#############.",
    ".........#############..",
    "........############....",
    ".......#######..........",
    "......#######...........",
    ".....#######............",
    "....#######.............",
    "...#######..............",
    "..#######...............",
    ".#######................",
    "#######.................",
    "#####...................",
    "####....................",
)
_DIM = (72, 72, 72)
_MIDDLE = (110, 110, 110)
_BLUE = (0, 70, 255)


def boot() -> Picture:
    """Bicycle and name, and a dot that runs: the panel works, the controller has not spoken yet."""
    canvas = Canvas()
    canvas.stamp(1, 18, BIKE, 1)
    _write(canvas, "LEEZEN", 44, 2)
    _write(canvas, "FLOW", 54, 2)
    canvas.fill(1, 70, 30, 2, 3)
    canvas.fill(1, 70, 5, 2, 2)
    canvas.move(1, 70, 30, 2, 1, 0, 2)
    return canvas.picture(((0, 0, 0), _MIDDLE, _BLUE, _DIM))


def no_data() -> Picture:
    """Three dots: there is nothing to say. Dim and colourless, so that nobody takes it for a signal."""
    canvas = Canvas()
    for x in (4, 14, 24):
        canvas.stamp(x, 46, (".##.", "####", "####", ".##."), 1)
    return canvas.picture(((0, 0, 0), _DIM))


def maintenance() -> Picture:
    """A spanner between two warning bars."""
    canvas = Canvas()
    canvas.stamp(4, 38, _SPANNER, 1)
    for y in (16, 74):
        for row in range(6):
            for x in range(ACROSS_PX):
                if (x + row) % 8 < 4:
                    canvas.dot(x, y + row, 2)
    return canvas.picture(((0, 0, 0), WHITE, (255, 170, 0)))


def test_fields() -> Picture:
    """Red, green, blue and white, each in eight steps of brightness: swapped or weak colours, and gamma, are seen."""
    canvas = Canvas()
    palette = [(0, 0, 0)]
    for number, channels in enumerate(((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1))):
        for step in range(8):
            value = 16 + 16 * step  # half the light at most: the supply need not stand more for a test
            palette.append((channels[0] * value, channels[1] * value, channels[2] * value))
            canvas.fill(4 * step, 24 * number, 4, 24, len(palette) - 1)
    return canvas.picture(palette)


def test_border() -> Picture:
    """One pixel all around, the seams of the three panels dotted, an arrow that points up, red left and blue right."""
    canvas = Canvas()
    canvas.fill(0, 0, ACROSS_PX, 1, 1)
    canvas.fill(0, DOWN_PX - 1, ACROSS_PX, 1, 1)
    canvas.fill(0, 1, 1, DOWN_PX - 2, 2)
    canvas.fill(ACROSS_PX - 1, 1, 1, DOWN_PX - 2, 3)
    for seam in (31, 32, 63, 64):
        for x in range(2, ACROSS_PX - 2, 2):
            canvas.dot(x, seam, 1)
    for row in range(10):
        canvas.fill(15 - row, 38 + row, 2 * row + 2, 1, 1)
    canvas.fill(13, 48, 6, 10, 1)
    return canvas.picture(((0, 0, 0), (128, 128, 128), (255, 0, 0), (0, 0, 255)))


def test_counters() -> Picture:
    """One lit pixel a row, all running across and down: a dead row, column or pixel is a gap that comes back."""
    canvas = Canvas()
    for y in range(DOWN_PX):
        canvas.dot(y % ACROSS_PX, y, 1 + y // ACROSS_PX)
    canvas.move(0, 0, ACROSS_PX, DOWN_PX, 1, 0, 2)
    return canvas.picture(((0, 0, 0), WHITE, (255, 170, 0), (0, 255, 255)))


SIGNS: dict[str, Callable[[], Picture]] = {
    "boot": boot,
    "no-data": no_data,
    "maintenance": maintenance,
    "test-fields": test_fields,
    "test-border": test_border,
    "test-counters": test_counters,
}
"""By name, as `leeze-controllers panel show` takes it."""


@lru_cache(maxsize=len(SIGNS))
def sign(name: str) -> bytes:
    """The encoded frame of a picture of `SIGNS`."""
    return encode(SIGNS[name]())


def _write(canvas: Canvas, text: str, y: int, colour: int) -> None:
    x = (ACROSS_PX + 1 - len("".join(_LETTERS[letter][0] + " " for letter in text))) // 2
    for letter in text:
        canvas.stamp(x, y, _LETTERS[letter], colour)
        x += len(_LETTERS[letter][0]) + 1
