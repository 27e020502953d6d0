"""An LED panel that takes encoded frames over a wire, or keeps them where there is none."""

from __future__ import annotations

from typing import Any

from drivers.codecs.panel_frame import PanelFrameError, Picture, dark, decode
from drivers.errors import BadFrame, LinkLost, OutOfRange
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import DeviceHealth
from drivers.units import FOREVER_NS, NS_PER_S

RETRY_NS = NS_PER_S
"""How often a lost link is tried again."""


class FramePanel:
    """Implements Panel and Device: a frame buffer, and the frames that change it on `link`.

    A lost link is reported once (DeviceHealth), tried again every second with the newest frame, and reported when it
    is back.

    Args:
        name: of the panel on its board.
        link: its wire; None for a panel that is only looked at (`frame`, `picture`).
        width_px, height_px: e.g. 96 and 32.
        emit: the board's inbox.
    """

    def __init__(self, name: str, link: ByteLink | None, width_px: int, height_px: int, emit: Emit) -> None:
        self.name, self.width_px, self.height_px = name, width_px, height_px
        self.wake_ns = FOREVER_NS
        self.frame: bytes | None = None
        """The frame shown last; None before the first."""
        self._link, self._emit = link, emit
        self._lost = False
        self.frames = self.link_losses = 0

    @property
    def picture(self) -> Picture:
        """What is on the panel; dark before the first frame."""
        return decode(self.frame if self.frame is not None else dark(self.width_px, self.height_px))

    def show(self, frame: bytes, now_ns: int) -> None:
        """Send `frame` if it differs from the last. Raises BadFrame, or OutOfRange for another size."""
        if frame == self.frame:
            return
        try:
            picture = decode(frame)
        except PanelFrameError as error:
            raise BadFrame(self.name, now_ns, f"no panel frame: {error}", frame[:32]) from None
        if (picture.width_px, picture.height_px) != (self.width_px, self.height_px):
            size = f"{picture.width_px} x {picture.height_px}"
            raise OutOfRange(
                self.name, now_ns, f"a frame of {size} px; this panel has {self.width_px} x {self.height_px}"
            )
        self.frame = frame
        self.frames += 1
        if not self._lost:
            self._send(now_ns)

    def advance(self, now_ns: int) -> None:
        """Try a lost link again when it is time."""
        if now_ns >= self.wake_ns:
            self._send(now_ns)

    def _send(self, now_ns: int) -> None:
        if self._link is None or self.frame is None:
            return
        try:
            self._link.write(self.frame, now_ns)
        except LinkLost as error:
            self.wake_ns = now_ns + RETRY_NS
            if not self._lost:
                self._lost = True
                self.link_losses += 1
                self._emit(DeviceHealth(now_ns, self.name, False, error.detail))
            return
        self.wake_ns = FOREVER_NS
        if self._lost:
            self._lost = False
            self._emit(DeviceHealth(now_ns, self.name, True))

    def counters(self) -> dict[str, int]:
        """Frames shown, and how often the link was lost, since the start."""
        return {"frames": self.frames, "link_losses": self.link_losses}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "frame": None if self.frame is None else self.frame.hex(),
            "lost": self._lost,
            "wake_ns": self.wake_ns,
            **self.counters(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.frame = None if state["frame"] is None else bytes.fromhex(state["frame"])
        self._lost, self.wake_ns = state["lost"], state["wake_ns"]
        self.frames, self.link_losses = state["frames"], state["link_losses"]
