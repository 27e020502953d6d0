"""All pictures of a display on one sheet, and their digest: what docs/leezenflow-pictures.png shows."""

from __future__ import annotations

import hashlib
import io
from typing import Final

from controllers.greenwave.brightness import FULL_LEVEL
from controllers.greenwave.picture import BAR_PX, Stage, frame_of
from controllers.greenwave.picture_signs import SIGNS, sign
from drivers.codecs.panel_frame import decode, shown_at
from drivers.devices.panel_picture import to_png, upright
from drivers.units import NS_PER_MS

SCALE_PX: Final = 5
COLUMNS: Final = 7
_GAP_PX, _TEXT_PX, _HEAD_PX = 28, 46, 70
_PAPER, _INK, _PALE = (246, 246, 243), (28, 30, 34), (104, 108, 116)


def pictures() -> list[tuple[str, str, bytes, int]]:
    """(title, remark, frame, moment in ns) of each picture, in the sheet's order."""
    night = 7
    found = []
    for stage, word in ((Stage.GREEN, "Green"), (Stage.HURRY, "Hurry"), (Stage.RED, "Red")):
        found += [
            (word, "30 s left, or more", frame_of(stage, BAR_PX), 0),
            (word, "24 s left", frame_of(stage, 36), 0),
            (word, "12 s left", frame_of(stage, 18), 0),
            (
                word,
                "the same, 0.2 s later" if stage is not Stage.RED else "the same: nothing moves",
                frame_of(stage, 18),
                200 * NS_PER_MS,
            ),
            (word, "the last 0.7 s", frame_of(stage, 1), 0),
            (word, "no end known", frame_of(stage, None), 0),
            (word, "by night: a fifth", frame_of(stage, 18, night), 0),
        ]
    remarks = {
        "boot": "controller not heard yet",
        "no-data": "in doubt, if so chosen",
        "maintenance": "out of service",
        "test-fields": "swapped or weak colours",
        "test-border": "edges, seams, which way up",
        "test-counters": "dead rows and columns",
    }
    found += [(name, remarks[name], sign(name), 0) for name in SIGNS]
    found.append(("Dark", "feed silent, signal off", frame_of(Stage.DARK, None), 0))
    return found


def digest() -> str:
    """Of all frames a display can show at full brightness and by night, motion and signs; 64 hex digits."""
    chain = hashlib.sha256()
    for stage in Stage:
        for level in (FULL_LEVEL, 7):
            for bar_px in (None, *range(BAR_PX + 1)):
                chain.update(frame_of(stage, bar_px, level))
    for name in SIGNS:
        chain.update(sign(name))
    return chain.hexdigest()


def sheet() -> bytes:
    """The sheet as PNG; its digest stands in the text chunk `frames`."""
    from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

    entries = pictures()
    panels = [
        Image.open(io.BytesIO(to_png(upright(shown_at(decode(frame), t_ns)), SCALE_PX))) for *_, frame, t_ns in entries
    ]
    width, height = panels[0].size
    rows = -(-len(entries) // COLUMNS)
    cell_width, cell_height = width + _GAP_PX, height + _TEXT_PX + _GAP_PX
    image = Image.new("RGB", (COLUMNS * cell_width + _GAP_PX, _HEAD_PX + rows * cell_height), _PAPER)
    pen = ImageDraw.Draw(image)
    head, title, small = (ImageFont.load_default(size) for size in (26, 16, 12))
    pen.text((_GAP_PX, 20), "Leezenflow: what the panel shows", _INK, head)
    for number, ((name, remark, *_), panel) in enumerate(zip(entries, panels, strict=True)):
        x, y = _GAP_PX + number % COLUMNS * cell_width, _HEAD_PX + number // COLUMNS * cell_height
        image.paste(panel, (x, y))
        pen.text((x, y + height + 6), name, _INK, title)
        pen.text((x, y + height + 27), remark, _PALE, small)
    about = PngImagePlugin.PngInfo()
    about.add_text("frames", digest())
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=about, optimize=True)
    return file.getvalue()
