"""What riders see: checked pixel by pixel where it matters."""

from __future__ import annotations

import pytest

from controllers.greenwave.picture import BAR_PX, COLOURS, HEIGHT_PX, WIDTH_PX, Stage, draw, frame_of
from drivers.codecs.panel_frame import Picture, decode

LIT = (Stage.RED, Stage.HURRY, Stage.GREEN)


def bar_px_in(picture: Picture, stage: Stage) -> int:
    """Length of the bar as a rider could measure it: full-colour pixels from its left end, on its second row."""
    length = 0
    while length < BAR_PX and picture.pixel(49 + length, 10) == COLOURS[stage]:
        length += 1
    return length


@pytest.mark.parametrize("stage", LIT)
@pytest.mark.parametrize("bar_px", [0, 1, 7, 43, 44])
def test_the_bar_has_the_length_it_was_told(stage: Stage, bar_px: int) -> None:
    assert bar_px_in(decode(frame_of(stage, bar_px)), stage) == bar_px


@pytest.mark.parametrize("stage", LIT)
def test_every_lit_stage_has_its_colour_and_no_other_but_its_dim_track(stage: Stage) -> None:
    for bar_px in (None, 0, 20):
        picture = draw(stage, bar_px)
        seen = {picture.pixel(x, y) for x in range(WIDTH_PX) for y in range(HEIGHT_PX)}
        full = COLOURS[stage]
        dim = (full[0] // 7, full[1] // 7, full[2] // 7)
        assert seen == ({(0, 0, 0), full} if bar_px is None else {(0, 0, 0), full, dim})


def test_stages_differ_by_shape_and_not_by_colour_alone() -> None:
    shapes = set()
    for stage in LIT:
        for bar_px in (None, 10):
            picture = draw(stage, bar_px)
            full = COLOURS[stage]
            lit = [picture.pixel(x, y) == full for y in range(HEIGHT_PX) for x in range(WIDTH_PX)]
            shapes.add((bar_px, tuple(lit)))
    assert len(shapes) == 5  # hurry without bar is drawn like green, and never shown


def test_every_row_of_the_bicycle_lies_on_the_panel_and_the_outer_rows_stay_dark() -> None:
    for stage in LIT:
        picture = draw(stage, BAR_PX)
        lit_rows = {y for y in range(HEIGHT_PX) for x in range(42) if picture.pixel(x, y) != (0, 0, 0)}
        assert lit_rows == set(range(3, 28))


def test_dark_is_dark_whatever_the_bar() -> None:
    assert draw(Stage.DARK, None).rgb == bytes(3 * WIDTH_PX * HEIGHT_PX)
    assert decode(frame_of(Stage.DARK, None)) == draw(Stage.DARK, 12)


def test_frames_are_short() -> None:
    sizes = [len(frame_of(stage, bar_px)) for stage in LIT for bar_px in (None, *range(BAR_PX + 1))]
    assert max(sizes) < 200
    assert len(frame_of(Stage.DARK, None)) == 11
