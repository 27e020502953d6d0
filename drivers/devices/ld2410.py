"""Presence sensor with a name: LD2410 frames in, Presence values out."""

from __future__ import annotations

from typing import Any

import msgspec

from drivers.codecs.ld2410 import (
    BOTH,
    MOVING,
    NOBODY,
    READ_SETTINGS,
    SET_GATES,
    STILL,
    Ld2410Stream,
    Report,
    Settings,
    set_gates,
)
from drivers.devices.dialogue import Failed, Procedure
from drivers.devices.hilink import SILENT, HilinkPart, said, stays
from drivers.errors import InputError
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import Presence
from drivers.units import NS_PER_S

GAP_NS = NS_PER_S
"""A report comes every 100 ms or so: after such a gap the part may have been without power."""

CALIBRATION = "noise calibration"
"""The reason in DeviceHealth while the part measures an empty room instead of looking for somebody."""

_NAMES = ("last_moving_gate", "last_still_gate", "unmanned_s")


class Ld2410Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a sensor is told at its start; None is left as it is: ``Ld2410Settings(last_moving_gate=4, unmanned_s=5)``.

    Gates are 0.75 m deep, as the part leaves the factory; the last that counts, 2 to 8, for who moves and for who keeps
    still. `unmanned_s` is how long somebody lasts who is gone, 0 to 65535.
    """

    last_moving_gate: int | None = None
    last_still_gate: int | None = None
    unmanned_s: int | None = None


class Ld2410Sensor(HilinkPart):
    """An LD2410, LD2410B or LD2410C on a wire of its own.

    Emits a Presence for every report that somebody is there, and one without distances when nobody is any more. Basic
    and engineering reports are the same to it. DeviceHealth as Ld2451Radar, and not ok while the part calibrates its
    noise. With `settings` they are read, what differs is written, and read again; see HilinkPart for when.

    Real parts that see only somebody still send their distance in the place of the moving one, and 0 in its own: then
    the former is told.

    Args:
        name: the device's name, the `source` of its values.
        link: the wire.
        emit: where values go.
        stale_ns: silence that is too long.
        frozen_ns: how long exactly the same report of somebody is too long; 0, the default: for ever, as energies end
            at 100 and distances in whole centimetres may well stand.
        settings: InputError for what the part does not take.
    """

    def __init__(
        self,
        name: str,
        link: ByteLink,
        emit: Emit,
        *,
        stale_ns: int = 2 * NS_PER_S,
        frozen_ns: int = 0,
        settings: Ld2410Settings | None = None,
    ) -> None:
        self.stream = Ld2410Stream()
        super().__init__(
            name,
            link,
            self.stream,
            emit,
            stale_ns=stale_ns,
            frozen_ns=frozen_ns,
            gap_ns=GAP_NS,
            procedures={"configure": configure, "read-settings": read_settings, "set": change},
            wanted=_checked(name, settings or Ld2410Settings()),
        )
        self._there = False
        link.receiver = self.on_bytes

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """Bytes came; values leave at once."""
        for event in self.stream.feed(data):
            if isinstance(event, Report):
                self._report(event, t_ns)
            else:
                self._answered(event, t_ns)

    def _report(self, report: Report, t_ns: int) -> None:
        state = report.state
        if state > BOTH:
            self.frames += 1
            self._faulty(t_ns, CALIBRATION)
            self._there = False
            return
        moving_cm, still_cm = report.moving_cm, report.still_cm
        somebody = state != NOBODY
        said = [state, moving_cm, report.moving_energy, still_cm, report.still_energy] if somebody else None
        self._heard(t_ns, said)
        if somebody:
            self._there = True
            if state == STILL:
                still_cm = still_cm or moving_cm
            moving_mm = 10 * moving_cm if state in (MOVING, BOTH) else None
            still_mm = 10 * still_cm if state in (STILL, BOTH) else None
            self._emit(Presence(t_ns, self.name, moving_mm, still_mm))
        elif self._there:
            self._there = False
            self._emit(Presence(t_ns, self.name, None, None))

    def advance(self, now_ns: int) -> None:
        """Notice silence: whoever was there is not seen any more. Talk to the part."""
        super().advance(now_ns)
        if self._trouble == SILENT:
            self._there = False

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {**super().snapshot(), "there": self._there}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        self._there = state["there"]


def _checked(name: str, settings: Ld2410Settings) -> tuple[int | None, ...] | None:
    """Arguments for `configure`, None where nothing is wanted. InputError for what the part does not take."""
    wanted = settings.last_moving_gate, settings.last_still_gate, settings.unmanned_s
    for key, value, low, high in zip(_NAMES, wanted, (2, 2, 0), (8, 8, 0xFFFF), strict=True):
        if value is not None and not low <= value <= high:
            raise InputError(f"{name}: {key} {value} is not {low} to {high}")
    return None if all(value is None for value in wanted) else wanted


# --- procedures, each in configuration


def configure(*wanted: int | None) -> Procedure:
    """Last moving gate, last still gate, seconds; None: as it is. Returns what was not taken over."""
    found = yield from _read()
    target = [there if value is None else value for there, value in zip(_three(found), wanted, strict=True)]
    if target != _three(found):
        try:
            value = set_gates(*target)[8:-4]
        except ValueError as error:  # a number of the part's own
            raise Failed(str(error)) from None
        yield from said(SET_GATES, value)
        found = yield from _read()
    return [
        stays(name, there, value)
        for name, there, value in zip(_NAMES, _three(found), wanted, strict=True)
        if value is not None and value != there
    ]


def _three(found: Settings) -> list[int]:
    return [found.last_moving_gate, found.last_still_gate, found.unmanned_s]


def _read() -> Procedure:
    settings = Settings.of((yield from said(READ_SETTINGS)))
    if settings is None:
        raise Failed(f"answers command 0x{READ_SETTINGS:04x} with too few bytes")
    return settings


def read_settings() -> Procedure:
    """All settings by name."""
    settings: Settings = yield from _read()
    return {**msgspec.to_builtins(settings), "moving": list(settings.moving), "still": list(settings.still)}


def change(*wanted: int | None) -> Procedure:
    """As `configure`, on demand: all settings afterwards. Fails where one was not taken over."""
    stubborn = yield from configure(*wanted)
    if stubborn:
        raise Failed(", ".join(stubborn))
    return (yield from read_settings())
