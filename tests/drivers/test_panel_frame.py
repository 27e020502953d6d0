"""The panel frame: exact both ways, one frame a picture, safe on any bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.codecs.panel_frame import (
    MAX_FRAME_BYTES,
    Motion,
    PanelFrameError,
    Picture,
    beat,
    dark,
    decode,
    encode,
    shown_at,
)
from drivers.units import NS_PER_S

DARK_96_X_32 = bytes.fromhex("4c5031 60 20 01 000000 fc5f")


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    """Pictures with runs, equal rows and slanted strokes, of few or many colours."""
    width, height = draw(st.integers(1, 20)), draw(st.integers(1, 10))
    colours = draw(st.lists(st.binary(min_size=3, max_size=3), min_size=1, max_size=40))
    rows: list[list[bytes]] = []
    for _ in range(height):
        how = draw(st.sampled_from(["new", "same", "left", "right"]))
        if how == "new" or not rows:
            rows.append([draw(st.sampled_from(colours)) for _ in range(width)])
        elif how == "same":
            rows.append(rows[-1])
        else:
            rows.append(rows[-1][1:] + rows[-1][:1] if how == "left" else rows[-1][-1:] + rows[-1][:-1])
    motions = []
    for _ in range(draw(st.integers(0, 3))):
        x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        across, down = draw(st.integers(1, width - x)), draw(st.integers(1, height - y))
        step = draw(st.tuples(st.integers(-128, 127), st.integers(-128, 127)).filter(any))
        motions.append(Motion(x, y, across, down, *step, draw(st.integers(1, 65_535))))
    return Picture(width, height, b"".join(b"".join(row) for row in rows), tuple(motions))


def test_the_dark_frame_is_the_documented_eleven_bytes() -> None:
    assert dark(96, 32) == DARK_96_X_32
    assert decode(DARK_96_X_32) == Picture(96, 32, bytes(96 * 32 * 3))


def test_a_red_pixel_left_of_a_dark_one_is_written_as_the_format_says() -> None:
    frame = encode(Picture(2, 1, b"\xff\x00\x00\x00\x00\x00"))
    # 2 colours and 3 copies need 3 bits: run 1 of colour 0, run 1 of colour 1
    assert frame == b"LP1" + bytes([2, 1, 2]) + b"\xff\x00\x00\x00\x00\x00" + bytes([0 << 3 | 0, 0 << 3 | 1])


def test_equal_rows_are_one_token() -> None:
    row = bytes(range(0, 24, 2))
    one, many = encode(Picture(4, 1, row)), encode(Picture(4, 64, row * 64))
    assert len(many) - len(one) == 2  # 252 px copied from above: one number of two bytes


def test_a_picture_of_twelve_thousand_colours_survives() -> None:
    picture = Picture(192, 64, b"".join(number.to_bytes(3, "big") for number in range(192 * 64)))
    frame = encode(picture)
    assert decode(frame) == picture
    assert len(frame) <= MAX_FRAME_BYTES


def test_a_pixel_is_found_by_column_and_row() -> None:
    assert Picture(2, 2, bytes(range(12))).pixel(1, 1) == (9, 10, 11)


@given(pictures())
@settings(max_examples=80)
def test_every_picture_comes_back_exactly(picture: Picture) -> None:
    assert decode(encode(picture)) == picture


@given(pictures(), st.data())
@settings(max_examples=80)
def test_changed_bytes_are_refused_or_are_another_picture_in_its_only_frame(
    picture: Picture, data: st.DataObject
) -> None:
    frame = bytearray(encode(picture))
    frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    try:
        other = decode(bytes(frame))
    except PanelFrameError:
        return
    assert encode(other) == frame


@given(st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(lambda tail: b"LP1" + tail)))
@settings(max_examples=150)
def test_any_bytes_give_a_picture_of_their_size_or_a_clear_error(data: bytes) -> None:
    try:
        picture = decode(data)
    except PanelFrameError:
        return
    assert len(picture.rgb) == 3 * picture.width_px * picture.height_px <= 3 * 192 * 64


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (b"", "begins with"),
        (b"LP1\x60", "begins with"),
        (b"LP3" + DARK_96_X_32[3:], "begins with"),
        (b"LP2" + DARK_96_X_32[3:], "motions do not fit"),
        (b"LP1\x00\x20\x01\x00\x00\x00\x00", "no size"),
        (b"LP1\xc1\x20\x01\x00\x00\x00\x00", "no size"),
        (b"LP1\x60\x41\x01\x00\x00\x00\x00", "no size"),
        (b"LP1\x60\x00\x01\x00\x00\x00\x00", "no size"),
        (b"LP1\x60\x20\x00", "palette of 0"),
        (b"LP1\x60\x20\x03\x00\x00\x00", "palette of 3"),
        (b"LP1\x01\x01\x02" + bytes(6), "palette of 2"),
        (b"LP1\x60\x20\x80\x80\x80\x80\x80\x01", "more than 5 bytes"),
        (DARK_96_X_32[:-1], "was cut"),
        (DARK_96_X_32 + b"\x00", "too many"),
        (b"LP1\x02\x01\x01\x00\x00\x00\x08", "past the end"),
        (b"LP1\x02\x01\x01\x00\x00\x00\x05", "means nothing"),  # a copy from above in the first row
        (b"LP1\x01\x02\x01\x00\x00\x00\x00\x03", "means nothing"),  # one px wide: above right is the pixel itself
        (b"LP1\x02\x01\x01\x00\x00\x00\x00\x00", "canonical"),  # two runs where one would do
        (b"LP1\x02\x01\x02\x00\x00\x00\xff\xff\xff\x08", "canonical"),  # a colour nobody uses
        (b"LP1" + bytes(MAX_FRAME_BYTES), "longer"),
    ],
)
def test_what_is_no_frame_is_refused_with_the_reason(frame: bytes, says: str) -> None:
    with pytest.raises(PanelFrameError, match=says):
        decode(frame)


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (193, 1), (1, 65)])
def test_sizes_that_no_panel_has_are_not_encoded(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="a panel has"):
        dark(*size)


def test_a_wrong_number_of_bytes_is_not_encoded() -> None:
    with pytest.raises(ValueError, match="make 6"):
        encode(Picture(2, 1, bytes(5)))


ABC = b"aaabbbccc"


def _letters(picture: Picture, t_ns: int) -> str:
    return shown_at(picture, t_ns).rgb[::3].decode()


def test_a_motion_is_written_as_the_format_says() -> None:
    frame = encode(Picture(2, 1, b"\xff\x00\x00\x00\x00\x00", (Motion(0, 0, 2, 1, -1, 0, 2),)))
    assert frame[:14] == b"LP2" + bytes([2, 1, 1]) + bytes([0, 0, 2, 1, 0xFF, 0, 2, 0])
    assert frame[14:] == encode(Picture(2, 1, b"\xff\x00\x00\x00\x00\x00"))[5:]


def test_what_moves_stands_where_its_time_says_and_comes_round() -> None:
    picture = Picture(3, 1, ABC, (Motion(0, 0, 3, 1, 1, 0, 2),))
    beats_ns = [-(-n * NS_PER_S // 30) for n in range(8)]
    assert [_letters(picture, t_ns) for t_ns in beats_ns] == ["abc", "abc", "cab", "cab", "bca", "bca", "abc", "abc"]
    assert [beat(t_ns) for t_ns in beats_ns] == list(range(8))
    assert _letters(picture, beats_ns[2] - 1) == "abc"
    up = Picture(1, 3, ABC, (Motion(0, 0, 1, 3, 0, -1, 1),))
    assert [_letters(up, t_ns) for t_ns in beats_ns[:4]] == ["abc", "bca", "cab", "abc"]
    part = Picture(3, 1, ABC, (Motion(1, 0, 2, 1, 1, 0, 1),))
    assert [_letters(part, t_ns) for t_ns in beats_ns[:3]] == ["abc", "acb", "abc"]


@given(pictures(), st.integers(0, 10**18))
@settings(max_examples=80)
def test_no_moment_of_a_moving_picture_is_brighter_than_another(picture: Picture, t_ns: int) -> None:
    moved = shown_at(picture, t_ns)
    assert moved.motions == ()
    pixels = [[bytes(p.rgb[i : i + 3]) for i in range(0, len(p.rgb), 3)] for p in (picture, moved)]
    assert sorted(pixels[0]) == sorted(pixels[1])


@pytest.mark.parametrize(
    "motion",
    [
        Motion(0, 0, 2, 1, 0, 0, 1),
        Motion(1, 0, 2, 1, 1, 0, 1),
        Motion(0, 1, 1, 1, 1, 0, 1),
        Motion(0, 0, 0, 1, 1, 0, 1),
        Motion(0, 0, 2, 1, 200, 0, 1),
        Motion(0, 0, 2, 1, 1, 0, 0),
    ],
)
def test_a_motion_that_is_none_or_off_the_picture_is_not_encoded(motion: Motion) -> None:
    with pytest.raises(ValueError, match="off the picture"):
        encode(Picture(2, 1, bytes(6), (motion,)))


def test_nine_motions_are_too_many() -> None:
    with pytest.raises(ValueError, match="8 at most"):
        encode(Picture(2, 1, bytes(6), (Motion(0, 0, 2, 1, 1, 0, 1),) * 9))


def test_a_frame_whose_motion_stands_still_is_refused() -> None:
    frame = bytearray(encode(Picture(2, 1, bytes(6), (Motion(0, 0, 2, 1, 1, 0, 1),))))
    frame[10] = 0
    with pytest.raises(PanelFrameError, match="off the picture"):
        decode(bytes(frame))
