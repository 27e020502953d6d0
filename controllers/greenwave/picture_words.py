"""A frame in words: what a display says, for whoever asks from the office."""

from __future__ import annotations

from functools import lru_cache

from controllers.greenwave.brightness import FULL_LEVEL
from controllers.greenwave.picture import BAR_PX, Stage, frame_of
from controllers.greenwave.picture_signs import SIGNS, sign
from drivers.codecs.panel_frame import PanelFrameError, decode


@lru_cache(maxsize=64)
def told(frame: bytes, bar_full_ms: int = 30_000) -> str:
    """What the picture says, e.g. ``"green, 11.6 to 12.3 s left"``, ``"red, no end known, brightness 7 of 16"``.

    `bar_full_ms` is what a full column stands for. "another picture" for one that no display draws by itself, e.g.
    because the last gate has dimmed it.
    """
    if frame == frame_of(Stage.DARK, None):
        return "dark"
    for name in SIGNS:
        if frame == sign(name):
            return f"picture {name}"
    try:
        brightest = max(decode(frame).rgb)
    except PanelFrameError:
        return "no picture"
    level = -(-brightest * FULL_LEVEL // 255)
    for stage in (Stage.GREEN, Stage.HURRY, Stage.RED):
        for bar_px in (None, *range(BAR_PX + 1)):
            if frame == frame_of(stage, bar_px, level):
                light = "" if level == FULL_LEVEL else f", brightness {level} of {FULL_LEVEL}"
                return f"{stage}, {_left(bar_px, bar_full_ms)}{light}"
    return "another picture"


def _left(bar_px: int | None, bar_full_ms: int) -> str:
    if bar_px is None:
        return "no end known"
    if bar_px == 0:
        return "nothing left"
    least_ms = (bar_px - 1) * bar_full_ms // BAR_PX
    if bar_px == BAR_PX:
        return f"{least_ms / 1000:.1f} s left or more"
    return f"{least_ms / 1000:.1f} to {bar_px * bar_full_ms // BAR_PX / 1000:.1f} s left"
