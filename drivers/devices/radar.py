"""Radar with a name: LD2451 frames in, RadarReport values out, and a word when it falls silent."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import msgspec

from drivers.codecs.ld2451 import (
    DIRECTIONS,
    IDLE_FRAME,
    READ_DETECTION,
    READ_SENSITIVITY,
    SET_DETECTION,
    SET_SENSITIVITY,
    TARGETS,
    DetectionSettings,
    Ld2451Stream,
    Report,
    Sensitivity,
)
from drivers.devices.dialogue import Ask, Failed, Procedure
from drivers.devices.hilink import SILENT, HilinkPart, said, stays
from drivers.errors import InputError
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import Detection, RadarReport
from drivers.units import NS_PER_MS, NS_PER_S

_MM_S = tuple(kmh * 2_500 // 9 for kmh in range(256))
"""km/h to mm/s, rounded down: 3 km/h is 833 mm/s."""

GAP_NS = 2_500 * NS_PER_MS
"""An idle frame comes every second: after such a gap the part may have been without power."""


class Ld2451Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a radar is told at its start; None is left as it is: ``Ld2451Settings(range_m=60, direction="both")``.

    `range_m` 10 to 255. `direction` which targets are reported. `min_speed_kmh` 0 to 120. `no_target_delay_s` how long
    a target lasts when it is gone, 0 to 255. `trigger_count` detections in a row before one counts, 1 to 10.
    `snr_level` how far above the noise, 3 to 8; the factory's is 4, and more is less sensitive.
    """

    range_m: int | None = None
    direction: str | None = None
    min_speed_kmh: int | None = None
    no_target_delay_s: int | None = None
    trigger_count: int | None = None
    snr_level: int | None = None


class Ld2451Radar(HilinkPart):
    """An LD2451 on a wire of its own.

    Emits a RadarReport for every report with targets and one empty one when the last target has left; idle frames
    after that only prove that the sensor lives. Emits DeviceHealth when no valid frame came for `stale_ns` (default
    3 s: the part sends one idle frame a second), when the very same targets are repeated for `frozen_ns` (a target that
    moves does not stay at one metre), and when all is well again.

    With `settings` the part is configured: they are read, what differs is written, and read again; see HilinkPart for
    when. Nothing is written to a part that is set as wanted already. InputError for what it does not take.
    """

    def __init__(
        self,
        name: str,
        link: ByteLink,
        emit: Emit,
        *,
        stale_ns: int = 3_000_000_000,
        frozen_ns: int = 60 * NS_PER_S,
        settings: Ld2451Settings | None = None,
    ) -> None:
        self.stream = Ld2451Stream()
        super().__init__(
            name,
            link,
            self.stream,
            emit,
            stale_ns=stale_ns,
            frozen_ns=frozen_ns,
            gap_ns=GAP_NS,
            procedures={"configure": configure, "read-settings": read_settings, "set": change},
            wanted=_checked(name, settings or Ld2451Settings()),
        )
        self._in_view = False
        link.receiver = self.on_bytes
        link.repeat_receiver = self.on_repeat

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """Bytes came; values leave at once."""
        one = self.stream.one_target(data)
        if one is not None:
            self._heard(t_ns, data[8:13])
            self._in_view = True
            angle, metres, approaching, kmh, snr = one
            speed_mm_s = _MM_S[kmh] if approaching else -_MM_S[kmh]
            found = Detection(1000 * metres, speed_mm_s, angle - 0x80, snr)
            self._emit(RadarReport(t_ns, self.name, (found,)))
            return
        for event in self.stream.feed(data):
            if not isinstance(event, Report):
                self._answered(event, t_ns)
                continue
            body = event.body
            self._heard(t_ns, body or None)
            if body:
                self._in_view = True
                detections = [
                    Detection(1000 * metres, _MM_S[kmh] if approaching else -_MM_S[kmh], angle - 0x80, snr)
                    for angle, metres, approaching, kmh, snr in TARGETS.iter_unpack(body)
                ]
                self._emit(RadarReport(t_ns, self.name, tuple(detections)))
            elif self._in_view:
                self._in_view = False
                self._emit(RadarReport(t_ns, self.name, ()))

    def on_repeat(self, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """The same frame `count` times, evenly spread. Idle frames after the first only prove that it lives."""
        if frame == IDLE_FRAME and self.stream.empty:
            if self._in_view or not self._ok or self._wanted is not None:
                self.on_bytes(frame, first_ns)
                count -= 1
            self.frames += count
            self._last_ns = last_ns
            if self._watching:
                self._watch.saw(None, last_ns)
            self.wake_ns = self._due_ns()
            return
        for n in range(count):
            self.on_bytes(frame, first_ns + (last_ns - first_ns) * n // max(count - 1, 1))

    def advance(self, now_ns: int) -> None:
        """Notice silence: whoever was in view is not seen any more. Talk to the part."""
        super().advance(now_ns)
        if self._trouble == SILENT:
            self._in_view = False

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {**super().snapshot(), "in_view": self._in_view}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        self._in_view = state["in_view"]


def _checked(name: str, settings: Ld2451Settings) -> tuple[int | None, ...] | None:
    """Arguments for `configure`, None where nothing is wanted. InputError for what the part does not take."""
    direction = settings.direction
    if direction is not None and direction not in DIRECTIONS:
        raise InputError(f'{name}: direction "{direction}"; write {", ".join(DIRECTIONS)}')
    wanted = (
        settings.range_m,
        None if direction is None else DIRECTIONS[direction],
        settings.min_speed_kmh,
        settings.no_target_delay_s,
        settings.trigger_count,
        settings.snr_level,
    )
    try:
        DetectionSettings(*_over((10, 0, 0, 0), wanted[:4])).to_bytes()
        Sensitivity(*_over((1, 4), wanted[4:])).to_bytes()
        if settings.snr_level == 0:
            raise ValueError("snr_level 0 is not 3 to 8")
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None
    return None if all(value is None for value in wanted) else wanted


def _over(found: Sequence[int], wanted: Sequence[int | None]) -> list[int]:
    """`found` with what is wanted in its place."""
    return [there if value is None else value for there, value in zip(found, wanted, strict=True)]


# --- procedures, each in configuration


def configure(*wanted: int | None) -> Procedure:
    """Range, direction, least speed, delay, trigger count, SNR level; None: as it is. Returns what was not taken over.

    Writes only what differs, as one command sets several, with the others as they were read.
    """
    stubborn: list[str] = []
    for read, write, kind, some in (
        (READ_DETECTION, SET_DETECTION, DetectionSettings, wanted[:4]),
        (READ_SENSITIVITY, SET_SENSITIVITY, Sensitivity, wanted[4:]),
    ):
        if any(value is not None for value in some):
            stubborn += yield from _settle(read, write, kind, some)
    return stubborn


def _settle(
    read: int, write: int, kind: type[DetectionSettings | Sensitivity], wanted: Sequence[int | None]
) -> Generator[Ask, Any, list[str]]:
    names = kind.__struct_fields__
    found = yield from _read(read, kind)
    target = _over(found, wanted)
    if target != found:
        yield from said(write, bytes(target).ljust(4, b"\0"))
        found = yield from _read(read, kind)
    return [
        stays(name, there, value)
        for name, there, value in zip(names, found, wanted, strict=True)
        if value is not None and value != there
    ]


def _read(command: int, kind: type[DetectionSettings | Sensitivity]) -> Generator[Ask, Any, list[int]]:
    """The fields of `kind`, whatever numbers the part has in them."""
    settings = kind.of((yield from said(command)))
    if settings is None:
        raise Failed(f"answers command 0x{command:04x} with too few bytes")
    return list(msgspec.structs.astuple(settings))


def read_settings() -> Procedure:
    """All settings by name, e.g. ``{"range_m": 100, "direction": "both", ...}``."""
    detection = yield from _read(READ_DETECTION, DetectionSettings)
    sensitivity = yield from _read(READ_SENSITIVITY, Sensitivity)
    names = {number: name for name, number in DIRECTIONS.items()}
    found: dict[str, object] = dict(zip(DetectionSettings.__struct_fields__, detection, strict=True))
    found["direction"] = names.get(detection[1], detection[1])
    return {**found, **dict(zip(Sensitivity.__struct_fields__, sensitivity, strict=True))}


def change(*wanted: int | None) -> Procedure:
    """As `configure`, on demand: all settings afterwards. Fails where one was not taken over."""
    stubborn = yield from configure(*wanted)
    if stubborn:
        raise Failed(", ".join(stubborn))
    return (yield from read_settings())
