"""Radar with a name that knows places: LD2450 frames in, PositionReport values out."""

from __future__ import annotations

from math import isqrt
from typing import Any, Final

from drivers.codecs.ld2450 import MULTI, READ_MODE, READ_ZONES, SINGLE, Ld2450Stream, Report, Target, Zones
from drivers.devices.dialogue import Failed, Procedure
from drivers.devices.hilink import SILENT, HilinkPart, said, stays
from drivers.errors import InputError
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import Position, PositionReport
from drivers.units import NS_PER_MS, NS_PER_S

FOLLOW: Final = {"one": SINGLE, "several": MULTI}
"""What the part can be told to follow."""

GAP_NS = NS_PER_S
"""A report comes every 100 ms: after such a gap the part may have been without power."""

_MODES = {"0100": "one", "0200": "several"}
_CLEAR_CM_S = 20
_CLEAR_MM = 10
_STEP_NS = 300 * NS_PER_MS


class Ld2450Radar(HilinkPart):
    """An LD2450 on a wire of its own.

    Emits a PositionReport for every report with targets and one empty one when the last has left. DeviceHealth as
    Ld2451Radar; `frozen_ns` is half an hour, as the part holds the place of somebody who keeps still.

    Which sign of the speed comes nearer, the vendor does not say, and open drivers disagree. Ai-Thinker's paper of the
    RD-03D, which sends the very same frames, says: bit 15 set goes away. That is the rule here; with
    `positive_is_away` false it is turned round. No recording has settled it, so the counters `speeds_agree` and
    `speeds_differ` hold it against the places: how often a target in one slot, faster than 20 cm/s, came nearer or went
    away between two reports as its speed said, and how often not. Walk once to and fro before the speed is trusted.

    Args:
        name: the device's name, the `source` of its values.
        link: the wire.
        emit: where values go.
        stale_ns: silence that is too long.
        frozen_ns: how long exactly the same targets are too long; 0: for ever.
        follow: "one" or "several" targets; None leaves it as it is. See HilinkPart for when it is set.
        positive_is_away: see above.
    """

    def __init__(
        self,
        name: str,
        link: ByteLink,
        emit: Emit,
        *,
        stale_ns: int = 2 * NS_PER_S,
        frozen_ns: int = 1_800 * NS_PER_S,
        follow: str | None = None,
        positive_is_away: bool = True,
    ) -> None:
        if follow is not None and follow not in FOLLOW:
            raise InputError(f'{name}: follow "{follow}"; write {" or ".join(FOLLOW)}')
        self.stream = Ld2450Stream()
        super().__init__(
            name,
            link,
            self.stream,
            emit,
            stale_ns=stale_ns,
            frozen_ns=frozen_ns,
            gap_ns=GAP_NS,
            procedures={"configure": configure, "read-settings": read_settings, "follow": change},
            wanted=None if follow is None else (follow,),
        )
        self.speeds_agree = self.speeds_differ = 0
        """See above. For people; no state, and neither is what they are counted from."""
        self._sign = -10 if positive_is_away else 10
        self._in_view = False
        self._before: tuple[int, tuple[Target | None, ...]] = 0, ()
        link.receiver = self.on_bytes

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """Bytes came; values leave at once."""
        for event in self.stream.feed(data):
            if not isinstance(event, Report):
                self._answered(event, t_ns)
                continue
            targets = event.targets
            self._heard(t_ns, [[t.x_mm, t.y_mm, t.speed_cm_s] for t in targets] or None)
            if targets:
                self._in_view = True
                self._compare(event, t_ns)
                sign = self._sign
                positions = tuple(Position(t.x_mm, t.y_mm, sign * t.speed_cm_s) for t in targets)
                self._emit(PositionReport(t_ns, self.name, positions))
            elif self._in_view:
                self._in_view = False
                self._emit(PositionReport(t_ns, self.name, ()))

    def _compare(self, report: Report, t_ns: int) -> None:
        """Does each slot's speed go with its places?"""
        before_ns, before = self._before
        self._before = t_ns, report.slots
        if t_ns - before_ns > _STEP_NS:
            return
        for old, new in zip(before, report.slots, strict=False):
            if old is None or new is None or abs(new.speed_cm_s) < _CLEAR_CM_S:
                continue
            nearer_mm = isqrt(old.x_mm**2 + old.y_mm**2) - isqrt(new.x_mm**2 + new.y_mm**2)
            if abs(nearer_mm) < _CLEAR_MM:
                continue
            if (nearer_mm > 0) == (self._sign * new.speed_cm_s > 0):
                self.speeds_agree += 1
            else:
                self.speeds_differ += 1

    def advance(self, now_ns: int) -> None:
        """Notice silence: whoever was in view is not seen any more. Talk to the part."""
        super().advance(now_ns)
        if self._trouble == SILENT:
            self._in_view = False

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        return {**super().counters(), "speeds_agree": self.speeds_agree, "speeds_differ": self.speeds_differ}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {**super().snapshot(), "in_view": self._in_view}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        self._in_view = state["in_view"]


# --- procedures, each in configuration


def configure(follow: str) -> Procedure:
    """Follow "one" or "several"; written only where it is not so. Returns what was not taken over."""
    found = yield from _mode()
    if found != follow:
        yield from said(FOLLOW[follow])
        found = yield from _mode()
    return [] if found == follow else [stays("follow", found, follow)]


def _mode() -> Procedure:
    value = (yield from said(READ_MODE)).hex()
    return _MODES.get(value[:4], value)


def read_settings() -> Procedure:
    """What it follows, and its zones: ``{"follow": "several", "zones": {"kind": 0, "rectangles": []}}``."""
    follow = yield from _mode()
    zones = Zones.of((yield from said(READ_ZONES)))
    if zones is None:
        raise Failed(f"answers command 0x{READ_ZONES:04x} with too few bytes")
    return {"follow": follow, "zones": {"kind": zones.kind, "rectangles": [list(each) for each in zones.rectangles]}}


def change(follow: str) -> Procedure:
    """As `configure`, on demand. Fails where it was not taken over."""
    stubborn = yield from configure(follow)
    if stubborn:
        raise Failed(", ".join(stubborn))
    return {"follow": follow}
