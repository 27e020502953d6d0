"""Radar with a name: LD2451 frames in, RadarReport values out, and a word when it falls silent."""

from __future__ import annotations

from typing import Any

from drivers.codecs.ld2451 import IDLE_FRAME, TARGETS, Ld2451Stream, Report
from drivers.devices.listener import Listener
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import Detection, RadarReport

_MM_S = tuple(kmh * 2_500 // 9 for kmh in range(256))
"""km/h to mm/s, rounded down: 3 km/h is 833 mm/s."""


class Ld2451Radar(Listener):
    """An LD2451 on a wire of its own.

    Emits a RadarReport for every report with targets and one empty one when the last target has left; idle frames
    after that only prove that the sensor lives. Emits DeviceHealth when no valid frame came for `stale_ns` (default
    3 s: the part sends one idle frame a second) and when frames come again.
    """

    def __init__(self, name: str, link: ByteLink, emit: Emit, *, stale_ns: int = 3_000_000_000) -> None:
        self.stream = Ld2451Stream()
        super().__init__(name, self.stream, emit, stale_ns, "no frame")
        self._in_view = False
        link.receiver = self.on_bytes
        link.repeat_receiver = self.on_repeat

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """Bytes came; values leave at once."""
        for event in self.stream.feed(data):
            if not isinstance(event, Report):
                continue
            self._heard(t_ns)
            if event.body:
                self._in_view = True
                detections = [
                    Detection(1000 * metres, _MM_S[kmh] if approaching else -_MM_S[kmh], angle - 0x80, snr)
                    for angle, metres, approaching, kmh, snr in TARGETS.iter_unpack(event.body)
                ]
                self._emit(RadarReport(t_ns, self.name, tuple(detections)))
            elif self._in_view:
                self._in_view = False
                self._emit(RadarReport(t_ns, self.name, ()))

    def on_repeat(self, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """The same frame `count` times, evenly spread. Idle frames after the first only prove that it lives."""
        if frame == IDLE_FRAME and self.stream.empty:
            if self._in_view or not self._ok:
                self.on_bytes(frame, first_ns)
                count -= 1
            self.frames += count
            self._last_ns = last_ns
            self.wake_ns = last_ns + self._stale_ns
            return
        for n in range(count):
            self.on_bytes(frame, first_ns + (last_ns - first_ns) * n // max(count - 1, 1))

    def advance(self, now_ns: int) -> None:
        """Notice silence: whoever was in view is not seen any more."""
        super().advance(now_ns)
        if not self._ok:
            self._in_view = False

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {**super().snapshot(), "in_view": self._in_view}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        self._in_view = state["in_view"]
