"""The last gate for a panel. No frame reaches it but through here; no policy is asked or trusted.

A display in doubt is dark. What is doubt (each row with its test in tests/controllers/test_failsafe_panel.py):

=====================  ==============================================================================
nothing heard yet      after every start, until the first good message
feed silent            `stale_ns` after the last message with a new reading of the controller's clock
feed unhealthy         from its DeviceHealth until the next good one
controller's status    stopTime, failureFlash, standby, failureMode, off, noValidSPAT
signal not working     its running state is no red, red-amber, green or amber, or there is none
frame not understood   until the next good one
=====================  ==============================================================================

The dark frame is the gate's own order; when the doubt ends it passes the frame last asked for. A site may put another
frame in its place (`doubt_frame`).

No frame draws more than `limit_ma`: a brighter one passes dimmed as a whole. What a panel draws is reckoned as
`full_ma` for all LEDs at full light, and the square of a byte as its light, which is more than LEDs give behind the
gamma of 2.2 of the panel libraries. A frame that moves draws the same at every moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import isqrt
from typing import Any

from controllers.core.contract import Command, PanelFrame
from drivers.codecs.panel_frame import PanelFrameError, Picture, dark, decode, encode
from drivers.quantities import DeviceHealth, Quantity, SignalState
from drivers.units import FOREVER_NS

_DOUBTFUL_STATUS = 1 << 1 | 1 << 2 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 13
_FIRST_STATE, _LAST_STATE = 3, 8  # red, red-amber, green (two kinds), amber (two kinds)


_KNOWN_FRAMES = 512
"""A countdown shows the same pictures in every cycle: what they draw is reckoned once. Some 300 kB."""


def _measure(frame: bytes) -> tuple[int, int, int, int]:
    """Width and height, bytes of its picture, and their light. Raises PanelFrameError."""
    picture = decode(frame)
    rgb = picture.rgb
    light = 0
    for value in set(rgb):
        light += rgb.count(value) * value * value
    return picture.width_px, picture.height_px, len(rgb), light


_measured = lru_cache(_KNOWN_FRAMES)(_measure)


class PanelGate:
    """Implements Gate for one panel and the signal group it shows.

    Args:
        panel: the panel's name on its board; frames for any other panel are refused.
        width_px, height_px: its size; frames of another size are refused.
        feed: the feed's name on its board.
        station, group: the signal it shows.
        stale_ns: how long the feed may be silent, e.g. 15_000_000_000.
        full_ma: what the panel draws with every LED at full light, e.g. 12_000.
        limit_ma: what it may draw; 0 for all there is.
        doubt_frame: shown in doubt; None is the dark frame.
    """

    def __init__(
        self,
        panel: str,
        width_px: int,
        height_px: int,
        *,
        feed: str,
        station: int,
        group: int,
        stale_ns: int = 15_000_000_000,
        full_ma: int = 0,
        limit_ma: int = 0,
        doubt_frame: bytes | None = None,
    ) -> None:
        self.wake_ns = 0
        self.dimmed = 0
        """Frames that would have drawn too much."""
        self._full_ma, self._limit_ma = full_ma, limit_ma
        self.refused = 0
        """Frames that were malformed, of the wrong size or for another panel."""
        self._panel, self._size_px = panel, (width_px, height_px)
        self._feed, self._station, self._group = feed, station, group
        self._stale_ns = stale_ns
        self._dark = dark(width_px, height_px)
        self._doubt = self._dark if doubt_frame is None else self._bounded(doubt_frame)
        self._asked = self._dark
        self._shown: bytes | None = None  # None: not known, perhaps what was left by the run before
        self._until_ns = 0  # when, without news, trust in the feed ends
        self._message_ms: int | None = None
        self._working = False
        self._healthy = True

    def step(self, commands: Sequence[Command], inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        """What may pass, and the dark frame on doubt. Commands that are no frames pass untouched."""
        if not commands and not inputs and now_ns < self.wake_ns:
            return ()
        for value in inputs:
            self._learn(value)
        allowed: list[Command] = []
        for command in commands:
            if not isinstance(command, PanelFrame):
                allowed.append(command)
            elif command.target == self._panel:
                self._asked = self._bounded(command.frame)
            else:
                self.refused += 1
        trusted = self._working and self._healthy and now_ns < self._until_ns
        frame = self._asked if trusted else self._doubt
        if frame != self._shown:
            self._shown = frame
            allowed.append(PanelFrame(self._panel, frame))
        self.wake_ns = self._until_ns if trusted else FOREVER_NS
        return allowed

    def _learn(self, value: Quantity) -> None:
        if isinstance(value, DeviceHealth):
            if value.source == self._feed:
                self._healthy = value.ok
        elif (
            isinstance(value, SignalState)
            and value.source == self._feed
            and value.station == self._station
            and value.group == self._group
        ):
            shows = bool(value.phases) and _FIRST_STATE <= value.phases[0].state <= _LAST_STATE
            self._working = shows and not value.status & _DOUBTFUL_STATUS
            if value.message_ms is not None and value.message_ms != self._message_ms:
                self._message_ms = value.message_ms
                self._until_ns = value.t_ns + self._stale_ns

    def _bounded(self, frame: bytes) -> bytes:
        """The frame as it may be shown: dimmed where it draws too much, dark where it is none of this panel."""
        try:
            width_px, height_px, rgb_b, light = _measured(frame)
        except PanelFrameError:
            self.refused += 1
            return self._dark
        if (width_px, height_px) != self._size_px:
            self.refused += 1
            return self._dark
        most = self._limit_ma * rgb_b * 255 * 255
        if not self._limit_ma or light * self._full_ma <= most:
            return frame
        self.dimmed += 1
        picture = decode(frame)
        share_255 = isqrt(most * 255 * 255 // (light * self._full_ma))
        rgb = picture.rgb.translate(bytes(value * share_255 // 255 for value in range(256)))
        return encode(Picture(picture.width_px, picture.height_px, rgb, picture.motions))

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "wake_ns": self.wake_ns,
            "refused": self.refused,
            "dimmed": self.dimmed,
            "asked": self._asked.hex(),
            "shown": None if self._shown is None else self._shown.hex(),
            "until_ns": self._until_ns,
            "message_ms": self._message_ms,
            "working": self._working,
            "healthy": self._healthy,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.wake_ns, self.refused, self.dimmed = state["wake_ns"], state["refused"], state["dimmed"]
        self._asked = bytes.fromhex(state["asked"])
        self._shown = None if state["shown"] is None else bytes.fromhex(state["shown"])
        self._until_ns, self._message_ms = state["until_ns"], state["message_ms"]
        self._working, self._healthy = state["working"], state["healthy"]
