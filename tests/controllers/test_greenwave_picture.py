"""What riders see: checked pixel by pixel where it matters, and whole by digest."""

from __future__ import annotations

import pytest

from controllers.greenwave.brightness import FULL_LEVEL
from controllers.greenwave.picture import BAR_PX, COLOURS, HEIGHT_PX, WHITE, WIDTH_PX, Stage, draw, frame_of
from controllers.greenwave.picture_canvas import Canvas
from controllers.greenwave.picture_signs import SIGNS, sign
from controllers.service.picture_sheet import digest
from drivers.codecs.panel_frame import Picture, decode, shown_at
from drivers.devices.panel_picture import upright
from drivers.units import NS_PER_MS, NS_PER_S

LIT = (Stage.RED, Stage.HURRY, Stage.GREEN)
OFF = (0, 0, 0)

GOLDEN = "9868a966f21a81b0a5015a6efa9678c00cf87e331e3a46c1a752092315a1ea32"
"""Of every frame there is. If it changes: make docs/leezenflow-pictures.png anew, look at it, then write it here."""


def bar_px_in(picture: Picture, stage: Stage) -> int:
    """Height of the column as a rider could measure it: full-colour pixels from its lower end, beside its middle."""
    seen = upright(picture)
    length = 0
    while length < BAR_PX and seen.pixel(5, 93 - length) == COLOURS[stage]:
        length += 1
    return length


def colours_in(picture: Picture) -> set[tuple[int, int, int]]:
    return {picture.pixel(x, y) for x in range(WIDTH_PX) for y in range(HEIGHT_PX)}


def lit_cells(picture: Picture) -> tuple[bool, ...]:
    """What is as bright as its stage allows, whatever its colour."""
    return tuple(max(picture.rgb[at : at + 3]) == 255 for at in range(0, len(picture.rgb), 3))


def test_every_frame_is_byte_for_byte_the_one_that_was_looked_at() -> None:
    assert digest() == GOLDEN


@pytest.mark.parametrize("stage", LIT)
@pytest.mark.parametrize("bar_px", [0, 1, 7, 43, 44])
def test_the_column_has_the_height_it_was_told(stage: Stage, bar_px: int) -> None:
    assert bar_px_in(decode(frame_of(stage, bar_px)), stage) == bar_px


@pytest.mark.parametrize("stage", LIT)
def test_a_stage_has_its_colour_white_and_no_other_but_its_dim_track(stage: Stage) -> None:
    full = COLOURS[stage]
    dim = (full[0] // 7, full[1] // 7, full[2] // 7)
    assert colours_in(draw(stage, None)) == {OFF, WHITE, full}
    for bar_px in (0, 20):
        assert colours_in(draw(stage, bar_px)) == {OFF, WHITE, full, dim}


def test_stages_differ_by_form_at_every_moment_and_not_by_colour_alone() -> None:
    for bar_px in (None, 1, 30):
        for t_ns in range(0, NS_PER_S, 33 * NS_PER_MS):
            forms = [lit_cells(shown_at(draw(stage, bar_px), t_ns)) for stage in LIT]
            for one, other in ((0, 1), (0, 2), (1, 2)):
                differing = sum(a != b for a, b in zip(forms[one], forms[other], strict=True))
                assert differing > 100, (LIT[one], LIT[other], t_ns)


def test_green_and_hurry_run_and_red_stands_still() -> None:
    def moments(stage: Stage) -> int:
        return len({shown_at(draw(stage, 20), n * NS_PER_S // 30 + 1).rgb for n in range(80)})

    assert moments(Stage.RED) == 1
    assert moments(Stage.GREEN) == 40  # arrows come round after 10 steps of two beats, the road after 8
    assert moments(Stage.HURRY) == 40


def test_arrows_run_ahead_twice_as_fast_in_a_hurry() -> None:
    """Where the tip of an arrow stands on the middle line, a beat later and two."""

    def tips(stage: Stage, beats: int) -> list[int]:
        seen = upright(shown_at(draw(stage, 20), -(-beats * NS_PER_S // 30)))
        lit = [seen.pixel(15, y) != OFF for y in range(28, 48)]
        return [n for n in range(20) if lit[n] and not lit[n - 1]]

    green, hurry = tips(Stage.GREEN, 0), tips(Stage.HURRY, 0)
    assert (len(green), len(hurry)) == (2, 4)
    assert tips(Stage.GREEN, 2) == sorted((tip - 1) % 20 for tip in green)
    assert tips(Stage.HURRY, 2) == sorted((tip - 2) % 20 for tip in hurry)


def test_the_bicycle_is_white_and_whole_in_every_stage() -> None:
    for stage in LIT:
        seen = upright(draw(stage, BAR_PX))
        rows = {y for y in range(96) for x in range(32) if seen.pixel(x, y) == WHITE}
        assert rows == set(range(2, 22))


def test_dark_is_dark_whatever_the_column_and_so_is_no_light() -> None:
    assert draw(Stage.DARK, None).rgb == bytes(3 * WIDTH_PX * HEIGHT_PX)
    assert decode(frame_of(Stage.DARK, None)) == draw(Stage.DARK, 12)
    assert frame_of(Stage.RED, 12, 0) == frame_of(Stage.DARK, None)


def test_every_level_is_dimmer_than_the_next_and_black_stays_black() -> None:
    sums = [sum(draw(Stage.HURRY, 20, level).rgb) for level in range(FULL_LEVEL + 1)]
    assert sums == sorted(set(sums))
    assert all(OFF in colours_in(draw(Stage.HURRY, 20, level)) for level in range(FULL_LEVEL + 1))


def test_the_panel_hangs_with_its_left_end_on_top() -> None:
    canvas = Canvas()
    canvas.dot(31, 0, 1)
    canvas.dot(0, 0, 2)
    picture = canvas.picture((OFF, (1, 1, 1), (2, 2, 2)))
    assert picture.pixel(0, 0) == (1, 1, 1)
    assert picture.pixel(0, 31) == (2, 2, 2)
    assert upright(picture).pixel(31, 0) == (1, 1, 1)
    assert upright(picture).pixel(0, 0) == (2, 2, 2)


def test_what_moves_to_the_right_for_riders_moves_up_on_the_turned_panel() -> None:
    canvas = Canvas()
    canvas.dot(4, 50, 1)
    canvas.move(0, 50, 32, 1, 3, 0, 1)
    picture = canvas.picture((OFF, (1, 1, 1)))
    later = upright(shown_at(picture, NS_PER_S // 30 + 1))
    assert [x for x in range(32) if later.pixel(x, 50) != OFF] == [7]


def test_frames_are_short() -> None:
    sizes = [len(frame_of(stage, bar_px)) for stage in LIT for bar_px in (None, *range(BAR_PX + 1))]
    assert max(sizes) < 330
    assert len(frame_of(Stage.DARK, None)) == 11


def test_signs_for_people_on_site_are_none_of_the_stages_and_do_not_use_red_or_green_alone() -> None:
    frames = {sign(name) for name in SIGNS}
    assert len(frames) == len(SIGNS)
    for name in ("boot", "no-data", "maintenance"):
        seen = colours_in(decode(sign(name)))
        assert not seen & {COLOURS[Stage.RED], COLOURS[Stage.GREEN]}


def test_counters_reach_every_column_of_every_row() -> None:
    picture = decode(sign("test-counters"))
    reached = {(x, y) for n in range(64) for x, y in _lit(shown_at(picture, n * NS_PER_S // 30 + 1))}
    assert len(reached) == WIDTH_PX * HEIGHT_PX


def _lit(picture: Picture) -> list[tuple[int, int]]:
    cells = range(picture.width_px * picture.height_px)
    return [divmod(n, picture.width_px) for n in cells if any(picture.rgb[3 * n : 3 * n + 3])]
