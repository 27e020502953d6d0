"""What pictures are drawn on: an upright canvas of 32 x 96 pixels, turned into the panel's 96 x 32 when it is done.

The panel hangs upright: turned clockwise by a quarter, so that its left end is on top. A canvas holds numbers of
colours, not colours; its palette comes last, so one drawing serves every brightness.
"""

from __future__ import annotations

from collections.abc import Sequence

from drivers.codecs.panel_frame import Motion, Picture

ACROSS_PX, DOWN_PX = 32, 96
"""Size as riders see it."""

WIDTH_PX, HEIGHT_PX = DOWN_PX, ACROSS_PX
"""Size as the panel is wired."""

Colour = tuple[int, int, int]


class Canvas:
    """Numbers of colours, 0 (off) to 255, by column from the left and row from the top as riders see them."""

    def __init__(self) -> None:
        self._cells = bytearray(ACROSS_PX * DOWN_PX)
        self._motions: list[Motion] = []

    def copy(self) -> Canvas:
        """Another one with the same on it."""
        made = Canvas()
        made._cells[:], made._motions[:] = self._cells, self._motions
        return made

    def fill(self, x: int, y: int, width: int, height: int, colour: int) -> None:
        """A rectangle."""
        for row in range(y, y + height):
            self._cells[row * ACROSS_PX + x : row * ACROSS_PX + x + width] = bytes((colour,)) * width

    def dot(self, x: int, y: int, colour: int) -> None:
        """One pixel."""
        self._cells[y * ACROSS_PX + x] = colour

    def stamp(self, x: int, y: int, shape: Sequence[str], colour: int) -> None:
        """A shape of ``#`` (drawn) and anything else (left as it is), its top left corner at (x, y)."""
        for row, line in enumerate(shape):
            for column, cell in enumerate(line):
                if cell == "#":
                    self.dot(x + column, y + row, colour)

    def move(self, x: int, y: int, width: int, height: int, dx: int, dy: int, every: int) -> None:
        """What stands in the rectangle runs round in it: drivers.codecs.panel_frame.Motion, as riders see it."""
        self._motions.append(Motion(y, ACROSS_PX - x - width, height, width, dy, -dx, every))

    def picture(self, palette: Sequence[Colour]) -> Picture:
        """The panel's picture; `palette` gives the colour of each number used."""
        cells = b"".join(self._cells[x::ACROSS_PX] for x in range(ACROSS_PX - 1, -1, -1))
        rgb = bytearray(3 * len(cells))
        for channel in range(3):
            rgb[channel::3] = cells.translate(bytes(colour[channel] for colour in palette).ljust(256, b"\0"))
        return Picture(WIDTH_PX, HEIGHT_PX, bytes(rgb), tuple(self._motions))
