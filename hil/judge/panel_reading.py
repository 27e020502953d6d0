"""What a rider sees on a panel, read from the pixels alone: which colour it says, and how high its column stands.

Nothing of the code that draws is used, so a mistake there is not repeated here. White and its shades say nothing; of
the other pixels the fullest tell the colour: red has little green, amber has more of it, green has the most of it.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Literal

import msgspec

from drivers.codecs.panel_frame import PanelFrameError, Picture, decode

Colour = Literal["dark", "red", "amber", "green", "unknown"]


class Reading(msgspec.Struct, frozen=True, gc=False):
    """`colour` of the picture; `bar_px`: rows of its column that are lit, None where there is no column."""

    colour: Colour
    bar_px: int | None


_BAR_X, _BAR_ROWS = 5, range(50, 94)
"""The column of docs/leezenflow.md: 44 rows; x = 5 lies beside its stripes."""


@lru_cache(512)
def read_panel(frame: bytes) -> Reading:
    """A panel's frame as it is sent. Example: of a dark frame ``Reading("dark", None)``."""
    try:
        picture = decode(frame)
    except PanelFrameError:
        return Reading("unknown", None)
    rgb = picture.rgb
    pixels = Counter(zip(rgb[0::3], rgb[1::3], rgb[2::3], strict=True))
    if not any(map(max, pixels)):
        return Reading("dark", None)
    said = {pixel: colour for pixel in pixels if (colour := _colour(pixel)) is not None}
    if not said:
        return Reading("unknown", None)
    full = max(map(max, said))
    counts: dict[Colour, int] = {"red": 0, "amber": 0, "green": 0}
    for pixel, colour in said.items():
        if 2 * max(pixel) > full:
            counts[colour] += pixels[pixel]
    return Reading(max(counts, key=lambda name: counts[name]), _bar(picture, full))


def _colour(pixel: tuple[int, int, int]) -> Colour | None:
    red, green, blue = pixel
    if max(pixel) - min(pixel) <= max(pixel) // 4:
        return None
    if green > red:
        return "green" if green > blue else None
    return "red" if 3 * green < red else "amber"


def _bar(picture: Picture, full: int) -> int | None:
    """Rows of the column that are full; its track is a seventh as bright, and there all the way up."""
    across_px, down_px = picture.height_px, picture.width_px  # the panel hangs upright
    if down_px < _BAR_ROWS.stop or across_px <= _BAR_X:
        return None
    begin = (across_px - 1 - _BAR_X) * down_px
    column = picture.rgb[3 * (begin + _BAR_ROWS.start) : 3 * (begin + _BAR_ROWS.stop)]
    rows = [max(column[at : at + 3]) for at in range(0, len(column), 3)]
    if any(value == 0 for value in rows[1:-1]):
        return None
    return sum(2 * value > full for value in rows)
