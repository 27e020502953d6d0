"""One picture of an LED panel as a short byte string, and back. Exact, canonical, safe on any bytes.

Our own format (no vendor's), version 1::

    4C 50 31 | width | height | colours      | colours x (R G B) | tokens ...
    "LP1"      u8      u8       varint >= 1    in order of use     one varint each

The picture is read row by row as one string of pixels. A token ``(length - 1) << bits | code`` stands for `length`
pixels: code < colours is that palette colour; the next three codes copy the pixels one row above, one row above and one
to the left, one row above and one to the right (so equal rows, however many, and slanted strokes are one token each).
``bits`` is the least that holds all codes. At each pixel the encoder takes the longest, the earliest of the order
above, left, right, colour if equal; nothing else is accepted, so one picture has one frame. Varints are LEB128, least
group first.

Example: the dark frame of a 96 x 32 panel is ``4c 50 31 60 20 01 00 00 00 fc 5f``, 11 bytes.

A picture that moves is version 2, "LP2": behind width and height it has a count (1 to 8) of motions and 8 bytes each,
then the rest of version 1::

    count | count x (x  y  width  height  dx  dy  every)        dx, dy: i8; every: u16, least byte first; others u8

Every `every` thirtieths of a second (`BEATS_PER_S`; counted from 0 of the monotonic clock) what stands in the rectangle
moves on by (dx, dy), and what leaves it at one side comes in at the other. So where everything stands is a closed form
of the time, and no moment is brighter than another. Motions are carried out in order.
"""

from __future__ import annotations

import re
from functools import lru_cache
from struct import Struct

import msgspec

from drivers.units import NS_PER_S

MAGIC, MAGIC_MOVING = b"LP1", b"LP2"
MOST_MOTIONS = 8
BEATS_PER_S = 30
_MOTION = Struct("<BBBBbbH")
_CELL = re.compile(rb"(?s)...")
_ANY = bytes((0,)) + b"\1" * 255
MAX_WIDTH_PX, MAX_HEIGHT_PX = 192, 64
MAX_FRAME_BYTES = 1 << 17
"""No frame of the largest panel is longer; what is longer is not read."""


class PanelFrameError(ValueError):
    """Bytes that are no panel frame; the text says where and why."""


class Motion(msgspec.Struct, frozen=True, gc=False):
    """What stands in a rectangle moves on by (dx_px, dy_px) every `every` beats, round and round.

    Example: ``Motion(0, 24, 32, 2, -1, 0, 2)``: two rows run to the left, 15 pixels a second.
    """

    x_px: int
    y_px: int
    width_px: int
    height_px: int
    dx_px: int
    dy_px: int
    every: int


class Picture(msgspec.Struct, frozen=True):
    """Pixels of a panel: `rgb` holds 3 bytes a pixel, row by row from the top left, 0 (off) to 255 each.

    With `motions` it is the picture at time 0. Example: ``Picture(2, 1, b"\\xff\\x00\\x00\\x00\\x00\\x00")`` is a red
    pixel left of a dark one.
    """

    width_px: int
    height_px: int
    rgb: bytes
    motions: tuple[Motion, ...] = ()

    def pixel(self, x_px: int, y_px: int) -> tuple[int, int, int]:
        """Red, green, blue at column `x_px`, row `y_px`."""
        at = 3 * (y_px * self.width_px + x_px)
        return self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]


def beat(t_ns: int) -> int:
    """The number of the beat that `t_ns` (monotonic) lies in: 30 a second, ``beat(1_000_000_000) == 30``."""
    return t_ns * BEATS_PER_S // NS_PER_S


def shown_at(picture: Picture, t_ns: int) -> Picture:
    """What a picture shows at `t_ns` (monotonic): one that does not move."""
    if not picture.motions:
        return picture
    rgb = bytearray(picture.rgb)
    for motion in picture.motions:
        steps = beat(t_ns) // motion.every
        left, across = 3 * motion.x_px, 3 * motion.width_px
        starts = [3 * picture.width_px * (motion.y_px + row) + left for row in range(motion.height_px)]
        rows = [bytes(rgb[start : start + across]) for start in starts]
        right, down = 3 * (motion.dx_px * steps % motion.width_px), motion.dy_px * steps % motion.height_px
        for row, start in enumerate(starts):
            moved = rows[row - down]
            rgb[start : start + across] = moved[across - right :] + moved[: across - right]
    return Picture(picture.width_px, picture.height_px, bytes(rgb))


def dark(width_px: int, height_px: int) -> bytes:
    """The frame with every pixel off."""
    return encode(Picture(width_px, height_px, bytes(3 * width_px * height_px)))


def encode(picture: Picture) -> bytes:
    """The one frame of `picture`.

    Raises ValueError for a size outside 1 x 1 to 192 x 64, a wrong number of bytes, or a motion off the picture.
    """
    width, height, rgb = picture.width_px, picture.height_px, picture.rgb
    if not (1 <= width <= MAX_WIDTH_PX and 1 <= height <= MAX_HEIGHT_PX):
        raise ValueError(f"{width} x {height} px: a panel has 1 x 1 to {MAX_WIDTH_PX} x {MAX_HEIGHT_PX} px")
    count = width * height
    if len(rgb) != 3 * count:
        raise ValueError(f"{len(rgb)} bytes for {width} x {height} px: 3 a pixel make {3 * count}")
    cells: list[bytes] = _CELL.findall(rgb)
    palette = {colour: number for number, colour in enumerate(dict.fromkeys(cells))}
    pixels = list(map(palette.__getitem__, cells))
    offsets = _copy_offsets(width)
    bits = (len(palette) + len(offsets) - 1).bit_length()
    planes = _planes(pixels, len(palette))
    changes = _differing(planes, 1)
    copies = [(len(palette) + code, _differing(planes, offset)) for code, offset in enumerate(offsets)]
    frame = bytearray(MAGIC + bytes((width, height)))
    if picture.motions:
        _put_motions(frame, picture)
    _put_varint(frame, len(palette))
    for colour in palette:
        frame += colour
    at = 0
    while at < count:
        length, code = 0, 0
        for copy_code, differs in copies:
            if (copied := differs.index(1, at) - at) > length:
                length, code = copied, copy_code
        run = changes.index(1, at + 1) - at
        if run > length:
            length, code = run, pixels[at]
        _put_varint(frame, (length - 1) << bits | code)
        at += length
    return bytes(frame)


def _put_motions(frame: bytearray, picture: Picture) -> None:
    if len(picture.motions) > MOST_MOTIONS:
        raise ValueError(f"{len(picture.motions)} motions: a picture has {MOST_MOTIONS} at most")
    frame[:3] = MAGIC_MOVING
    frame.append(len(picture.motions))
    for motion in picture.motions:
        fits = (
            0 <= motion.x_px < motion.x_px + motion.width_px <= picture.width_px
            and 0 <= motion.y_px < motion.y_px + motion.height_px <= picture.height_px
            and -128 <= motion.dx_px <= 127
            and -128 <= motion.dy_px <= 127
            and (motion.dx_px or motion.dy_px)
            and 1 <= motion.every <= 0xFFFF
        )
        if not fits:
            raise ValueError(f"{motion}: stands still, or is off the picture")
        frame += _MOTION.pack(*msgspec.structs.astuple(motion))


def _motions(frame: bytes) -> tuple[tuple[Motion, ...], int]:
    """The motions of a frame of version 2, and where the rest begins; `encode` judges them."""
    count = frame[5] if len(frame) > 5 else 0
    end = 6 + count * _MOTION.size
    if not (1 <= count <= MOST_MOTIONS and end <= len(frame)):
        raise PanelFrameError(f"byte 5: {count} motions do not fit; 1 to {MOST_MOTIONS} do")
    return tuple(Motion(*said) for said in _MOTION.iter_unpack(frame[6:end])), end


def _copy_offsets(width: int) -> tuple[int, int, int]:
    """How far back the three copies look, in pixels."""
    return width, width + 1, width - 1


def _planes(pixels: list[int], colours: int) -> list[bytes]:
    """Pixels as bytes; in two planes where there are more than 256 colours."""
    if colours <= 256:
        return [bytes(pixels)]
    return [bytes(pixel & 0xFF for pixel in pixels), bytes(pixel >> 8 for pixel in pixels)]


def _differing(planes: list[bytes], offset: int) -> bytes:
    """1 for each pixel that differs from the one `offset` before it or has none there, else 0; a 1 more at the end.

    In whole numbers of thousands of digits, for speed: a picture is encoded each time it is read.
    """
    count = len(planes[0])
    if not 0 < offset < count:
        return b"\1" * (count + 1)
    differing = 0
    for plane in planes:
        differing |= int.from_bytes(plane[offset:], "big") ^ int.from_bytes(plane[: count - offset], "big")
    return b"\1" * offset + differing.to_bytes(count - offset, "big").translate(_ANY) + b"\1"


def _put_varint(frame: bytearray, value: int) -> None:
    while value > 0x7F:
        frame.append(value & 0x7F | 0x80)
        value >>= 7
    frame.append(value)


def _varint(frame: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and where the next one begins."""
    value = shift = 0
    while at < len(frame):
        value |= (frame[at] & 0x7F) << shift
        at += 1
        if frame[at - 1] < 0x80:
            return value, at
        shift += 7
        if shift > 28:
            raise PanelFrameError(f"byte {at}: a number of more than 5 bytes")
    raise PanelFrameError(f"byte {at}: the frame ends inside it; it was cut")


@lru_cache(maxsize=256)  # gate, panel and report look at the same frames
def decode(frame: bytes) -> Picture:
    """The picture of `frame`. Raises PanelFrameError for anything that `encode` does not make."""
    if len(frame) > MAX_FRAME_BYTES:
        raise PanelFrameError(f"{len(frame)} bytes: longer than any frame")
    if frame[:3] not in (MAGIC, MAGIC_MOVING) or len(frame) < 5:
        raise PanelFrameError("byte 0: a frame begins with 'LP1' or 'LP2', width and height")
    width, height = frame[3], frame[4]
    if not (1 <= width <= MAX_WIDTH_PX and 1 <= height <= MAX_HEIGHT_PX):
        raise PanelFrameError(f"byte 3: {width} x {height} px is no size of a panel")
    motions, at = _motions(frame) if frame[:3] == MAGIC_MOVING else ((), 5)
    colours, at = _varint(frame, at)
    if not (1 <= colours <= width * height and at + 3 * colours <= len(frame)):
        raise PanelFrameError(f"byte {at}: a palette of {colours} colours does not fit")
    palette = [frame[entry : entry + 3] for entry in range(at, at + 3 * colours, 3)]
    rgb = _pixels(frame, at + 3 * colours, palette, width, height)
    picture = Picture(width, height, rgb, motions)
    try:
        canonical = encode(picture)
    except ValueError as error:
        raise PanelFrameError(f"byte 5: {error}") from None
    if canonical != frame:
        raise PanelFrameError("not the canonical frame of its picture")
    return picture


def _pixels(frame: bytes, at: int, palette: list[bytes], width: int, height: int) -> bytes:
    offsets = _copy_offsets(width)
    bits = (len(palette) + len(offsets) - 1).bit_length()
    mask = (1 << bits) - 1
    total = 3 * width * height
    rgb = bytearray()
    while len(rgb) < total:
        token, after = _varint(frame, at)
        code, size = token & mask, 3 * ((token >> bits) + 1)
        if size > total - len(rgb):
            raise PanelFrameError(f"byte {at}: {size // 3} px run past the end of the picture")
        copy = code - len(palette)
        if copy < 0:
            rgb += palette[code] * (size // 3)
        elif copy < len(offsets) and 0 < 3 * offsets[copy] <= len(rgb):
            source = rgb[-3 * offsets[copy] :]
            rgb += (source * (size // len(source) + 1))[:size]
        else:
            raise PanelFrameError(f"byte {at}: code {code} with a palette of {len(palette)} means nothing here")
        at = after
    if at != len(frame):
        raise PanelFrameError(f"byte {at}: {len(frame) - at} bytes too many")
    return bytes(rgb)
