"""The panel process without library, socket and clock: what is to be seen at a moment, by what was heard."""

from __future__ import annotations

from typing import Any

from drivers.codecs.panel_frame import PanelFrameError, Picture, beat, decode, shown_at
from drivers.codecs.panel_stream import AGAIN, FRAME, KEEP_ALIVE, PanelStream, encode, mark
from drivers.units import NS_PER_MS

BLANK_NS = 1000 * NS_PER_MS
"""Without a frame or keep-alive for so long the panel is dark."""


class Show:
    """Hears bytes, and says which pixels are due. Dark unless a whole frame is there and somebody stands by it.

    Args:
        width_px, height_px: of the panel; frames of another size are none.
        blank_ns: how long a frame stands without a keep-alive.
        flip: the panel hangs the other way up: turned by half.
    """

    def __init__(self, width_px: int, height_px: int, blank_ns: int = BLANK_NS, flip: bool = False) -> None:
        self.frames = self.refused = self.blanked = 0
        self._dark = bytes(3 * width_px * height_px)
        self._size_px, self._blank_ns, self._flip = (width_px, height_px), blank_ns, flip
        self._stream = PanelStream()
        self._picture: Picture | None = None
        self._mark = b""
        self._until_ns = 0
        self._lit = False

    def hear(self, data: bytes, now_ns: int) -> bytes:
        """Take in bytes of the controller; gives what to answer, mostly nothing."""
        answer = b""
        for record in self._stream.feed(data):
            if record.kind == FRAME:
                self._take(record.body, now_ns)
            elif record.kind == KEEP_ALIVE and record.body == self._mark:
                self._until_ns = now_ns + self._blank_ns
            elif record.kind == KEEP_ALIVE:
                self._until_ns = 0  # it means another frame than the one we have
                answer = encode(AGAIN)
        return answer

    def welcome(self) -> bytes:
        """Somebody has connected; what to tell him."""
        self.leave()
        return encode(AGAIN)

    def leave(self) -> None:
        """He has gone, and his frame with him."""
        self._stream.forget()
        self._picture, self._mark, self._until_ns = None, b"", 0

    def pixels(self, now_ns: int) -> bytes:
        """3 bytes a pixel, row by row, as they shall be seen at `now_ns`."""
        if self._picture is None or now_ns >= self._until_ns:
            if self._lit:
                self._lit = False
                self.blanked += 1
                self._stream.forget()
            return self._dark
        self._lit = True
        rgb = shown_at(self._picture, now_ns).rgb
        if not self._flip:
            return rgb
        turned = bytearray(len(rgb))
        for channel in range(3):
            turned[channel::3] = rgb[channel::3][::-1]
        return bytes(turned)

    def due_ns(self, now_ns: int) -> int:
        """When the pixels may differ from those of `now_ns`: at the next thirtieth of a second if something moves."""
        if self._picture is None or now_ns >= self._until_ns:
            return now_ns + self._blank_ns
        if not self._picture.motions:
            return self._until_ns
        next_beat_ns = -(-(beat(now_ns) + 1) * 1_000_000_000 // 30)
        return min(self._until_ns, next_beat_ns)

    def figures(self) -> dict[str, Any]:
        """For people."""
        return {
            "frames": self.frames,
            "refused": self.refused,
            "blanked": self.blanked,
            "skipped_bytes": self._stream.skipped_bytes,
            "bad_records": self._stream.bad_records,
        }

    def _take(self, frame: bytes, now_ns: int) -> None:
        try:
            picture = decode(frame)
        except PanelFrameError:
            picture = None
        if picture is None or (picture.width_px, picture.height_px) != self._size_px:
            self.refused += 1
            self._picture, self._mark, self._until_ns = None, b"", 0
            return
        self.frames += 1
        self._picture, self._mark, self._until_ns = picture, mark(frame), now_ns + self._blank_ns
