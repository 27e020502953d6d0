"""A fade made by the controller, for lamps whose part has none: 0-10 V, I2C, PWM.

It is what DALI gear does: a straight line in arc power level over the fade time, from what the lamp shows to what it is
told, from off beginning at the least level and to off ending there. It goes out in steps, each told one step early, so
that the light changes in the tick of the command and is there before the fade time is over. Without a fade running
nothing is due and nothing is sent.
"""

from __future__ import annotations

from typing import Any, Protocol

from drivers.codecs.dali import FULL
from drivers.devices.lamp_wear import LampWear
from drivers.errors import OutOfRange
from drivers.interfaces import Emit, Lamp
from drivers.quantities import DeviceHealth, LampStatus, Quantity
from drivers.units import FOREVER_NS


class Found(Lamp, Protocol):
    """A lamp that knows what it showed at the start."""

    @property
    def found_level(self) -> int | None:
        """Arc power level at the start; None where it is not known (yet)."""


class FadingLamp:
    """Implements Lamp, Fades and Device around a lamp that goes to each level at once.

    Args:
        lamp: it has the same name.
        step_ns: from one step to the next, as its bus allows, e.g. 100_000_000 for 10 steps of a fade of a second.
        off_below: levels below it are off: what the lamp cannot show well, or what it flickers at; 0: none.
    """

    def __init__(self, lamp: Found, *, step_ns: int, off_below: int = 0) -> None:
        self.name = f"{lamp.name}/fade"
        self.wake_ns = FOREVER_NS
        self.fade_ns = 0
        self.wear = LampWear()
        self._lamp, self._step_ns, self._off_below = lamp, step_ns, off_below
        self._level: int | None = None  # of the fade, where it is; None: not known
        self._from = self._to = 0
        self._t0_ns = 0
        self._told: int | None = None

    def set_fade(self, fade_ns: int) -> None:
        """How long a fade takes from the next level on; 0: none."""
        self.fade_ns = fade_ns

    def set_level(self, level: int, now_ns: int) -> None:
        """Go to arc power level 0 (off) to 254 (full) in the fade time. The latest wins. Raises OutOfRange."""
        if not 0 <= level <= FULL:
            raise OutOfRange(self._lamp.name, now_ns, f"no level {level}; an arc power level is 0 to {FULL}")
        self.wear.told(level, now_ns)
        if self._level is None:
            self._level = self._lamp.found_level
        if self._level is None or self._level == level:
            self._from = level
        else:
            self._from = self._level or 1
        self._to, self._t0_ns = level, now_ns
        self._step(now_ns)

    def advance(self, now_ns: int) -> None:
        """The next step."""
        if now_ns >= self.wake_ns:
            self._step(now_ns)

    def _step(self, now_ns: int) -> None:
        end = self._to or 1
        gone_ns = now_ns - self._t0_ns + self._step_ns
        if gone_ns >= self.fade_ns or self._from == self._to:
            self._level, self.wake_ns = self._to, FOREVER_NS
        else:
            way = (end - self._from) * gone_ns
            self._level = self._from + (way // self.fade_ns if way >= 0 else -(-way // self.fade_ns))
            self.wake_ns = now_ns + self._step_ns
        told = self._level if self._level >= self._off_below else 0
        if told != self._told:
            self._told = told
            self._lamp.set_level(told, now_ns)

    def counters(self) -> dict[str, int]:
        """By what it was told: `starts` (from off), `changes` of level."""
        return {"frames": 0, "starts": self.wear.starts, "changes": self.wear.changes}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values; the lamp has its own."""
        return {
            "wake_ns": self.wake_ns,
            "fade_ns": self.fade_ns,
            "fade": [self._level, self._from, self._to, self._t0_ns, self._told],
            "wear": self.wear.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.wake_ns, self.fade_ns = state["wake_ns"], state["fade_ns"]
        self._level, self._from, self._to, self._t0_ns, self._told = state["fade"]
        self.wear.restore(state["wear"])


def telling_failures(emit: Emit) -> Emit:
    """An emit for a device that is nothing but lamps: what its DeviceHealth says is said as LampStatus as well."""

    def tell(value: Quantity) -> None:
        if isinstance(value, DeviceHealth):
            emit(LampStatus(value.t_ns, value.source, None, "" if value.ok else value.reason))
        emit(value)

    return tell
