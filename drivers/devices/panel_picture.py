"""A panel's picture for people without the panel: as PNG with the look of LEDs, and in a true-colour terminal."""

from __future__ import annotations

import io

from drivers.codecs.panel_frame import Picture

_BOARD = (9, 10, 12)  # the black face of the panel
_UNLIT = 24  # brightness of an LED that is off, in daylight


def upright(picture: Picture) -> Picture:
    """A picture of a panel that hangs upright, as riders see it: turned clockwise by a quarter.

    Of the moment 0, if it moves. ``upright(Picture(96, 32, ...))`` is 32 wide and 96 high.
    """
    across, down = picture.height_px, picture.width_px
    cells = [picture.rgb[at : at + 3] for at in range(0, len(picture.rgb), 3)]
    rows = (cells[(across - 1) * down + column :: -down] for column in range(down))
    return Picture(across, down, b"".join(b"".join(row) for row in rows))


def to_png(picture: Picture, scale_px: int = 10) -> bytes:
    """PNG bytes, `scale_px` (4 to 40) pixels a LED: round dots with a faint glow on a black face.

    Raises ValueError for a scale outside. Pillow is imported here, for boards that draw nothing.
    """
    if not 4 <= scale_px <= 40:
        raise ValueError(f"{scale_px} px a LED: 4 to 40 can be drawn")
    from PIL import Image, ImageChops, ImageDraw, ImageFilter

    width, height = picture.width_px * scale_px, picture.height_px * scale_px
    small = Image.frombytes("RGB", (picture.width_px, picture.height_px), picture.rgb)
    lit = small.resize((width, height), Image.Resampling.NEAREST)
    unlit = Image.new("RGB", (width, height), (_UNLIT, _UNLIT, _UNLIT + 2))

    over = 8  # drawn larger and reduced, for round edges
    dot = Image.new("L", (scale_px * over, scale_px * over), 0)
    rim = round(0.09 * scale_px * over)
    ImageDraw.Draw(dot).ellipse((rim, rim, scale_px * over - 1 - rim, scale_px * over - 1 - rim), fill=255)
    dot = dot.resize((scale_px, scale_px), Image.Resampling.BOX)
    mask = Image.new("L", (width, height))
    for x in range(0, width, scale_px):
        mask.paste(dot, (x, 0))
    row = mask.crop((0, 0, width, scale_px))
    for y in range(scale_px, height, scale_px):
        mask.paste(row, (0, y))

    face = Image.new("RGB", (width, height), _BOARD)
    face.paste(ImageChops.lighter(lit, unlit), (0, 0), mask)
    glow = Image.composite(lit, Image.new("RGB", (width, height)), mask)
    glow = glow.filter(ImageFilter.GaussianBlur(scale_px * 0.8)).point([value * 2 // 5 for value in range(256)] * 3)
    image = ImageChops.add(face, glow)
    framed = Image.new("RGB", (width + 2 * scale_px, height + 2 * scale_px), _BOARD)
    framed.paste(image, (scale_px, scale_px))
    file = io.BytesIO()
    framed.save(file, "PNG")
    return file.getvalue()


def to_terminal(picture: Picture) -> str:
    """Text for a terminal with 24-bit colour: two rows of LEDs a line (upper half blocks), one column a LED.

    Colours are set only where they change and reset at each line's end; lines are parted by ``\\n``, none at the end.
    """
    lines = []
    for top in range(0, picture.height_px, 2):
        parts: list[str] = []
        last: tuple[tuple[int, int, int], tuple[int, int, int]] | None = None
        for x in range(picture.width_px):
            upper = picture.pixel(x, top)
            lower = picture.pixel(x, top + 1) if top + 1 < picture.height_px else (0, 0, 0)
            if (upper, lower) != last:
                parts.append("\x1b[38;2;{};{};{};48;2;{};{};{}m".format(*upper, *lower))
                last = (upper, lower)
            parts.append("▀")
        lines.append("".join(parts) + "\x1b[0m")
    return "\n".join(lines)
