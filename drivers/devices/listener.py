"""What devices that listen have in common: they say once when their far end falls silent, and when it is back.

Silence, a value that stands still, and a fault that the part admits are one story: DeviceHealth says what is wrong now,
says so again when something else is wrong instead, and says once that all is well again.
"""

from __future__ import annotations

from typing import Any, Protocol

from drivers.devices.frozen import FrozenWatch
from drivers.interfaces import Emit
from drivers.quantities import DeviceHealth
from drivers.units import FOREVER_NS

FROZEN = "frozen value"
"""The reason in DeviceHealth when a part keeps saying exactly the same."""


class Stream(Protocol):
    """A stream codec, as far as its state goes."""

    @property
    def skipped_bytes(self) -> int:
        """Bytes that were no frame."""

    def snapshot(self) -> dict[str, Any]:
        """All state."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""


class Listener:
    """The watch over one far end, for devices to build on.

    Call `_heard` for everything sound that came, `_faulty` when the far end itself says that it cannot measure.
    `wake_ns` is when something would be noticed; the first `advance` starts the wait for a first word.

    Args:
        name: the device's.
        stream: its codec, for snapshots.
        emit: where DeviceHealth goes.
        stale_ns: silence that is too long.
        silence: what to call it, e.g. ``"no frame"``.
        frozen_ns: how long one and the same value is too long, see FrozenWatch; 0: it may stand for ever.
    """

    def __init__(
        self, name: str, stream: Stream, emit: Emit, stale_ns: int, silence: str, *, frozen_ns: int = 0
    ) -> None:
        self.name = name
        self.wake_ns = 0
        self.frames = 0
        """Sound frames or messages heard by this object. For people; no state, so not in a snapshot."""
        self._watched_stream = stream
        self._emit, self._stale_ns, self._silence = emit, stale_ns, silence
        self._watch, self._watching = FrozenWatch(frozen_ns), frozen_ns > 0
        self._last_ns = -1
        self._trouble = ""

    @property
    def _ok(self) -> bool:
        return not self._trouble

    def _due_ns(self) -> int:
        """When there is something to notice. A device with timers of its own puts them in here, with min()."""
        if self._last_ns < 0:
            return 0
        if self._trouble == self._silence:
            return FOREVER_NS
        due_ns = self._last_ns + self._stale_ns
        return due_ns if self._trouble else min(due_ns, self._watch.wake_ns)

    def _heard(self, t_ns: int, said: object = None) -> None:
        """Something sound came. `said` is what the watch for frozen values compares; None is never frozen.

        Values may leave as usual while one is frozen: DeviceHealth has said not to build on them.
        """
        self.frames += 1
        self._last_ns = t_ns
        if self._watching:
            self._watch.saw(said, t_ns)
        if self._trouble and not (self._trouble == FROZEN and self._watch.frozen(t_ns)):
            self._trouble = ""
            self._emit(DeviceHealth(t_ns, self.name, True))
        self.wake_ns = self._due_ns()

    def _faulty(self, t_ns: int, reason: str) -> None:
        """The far end lives, but says that it cannot measure: told once for each `reason`, until `_heard`."""
        self._last_ns = t_ns
        self._watch.forget()
        self._is_wrong(t_ns, reason)
        self.wake_ns = self._due_ns()

    def _is_wrong(self, t_ns: int, reason: str) -> None:
        if reason != self._trouble:
            self._trouble = reason
            self._emit(DeviceHealth(t_ns, self.name, False, reason))

    def advance(self, now_ns: int) -> None:
        """Notice silence, and a value that stands still."""
        if now_ns < self.wake_ns:
            return
        if self._last_ns < 0:
            self._last_ns = now_ns
        elif now_ns >= self._last_ns + self._stale_ns:
            self._watch.forget()
            self._is_wrong(now_ns, self._silence)
        elif not self._trouble and self._watch.frozen(now_ns):
            self._is_wrong(now_ns, FROZEN)
        self.wake_ns = self._due_ns()

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        return {"frames": self.frames, "skipped_bytes": self._watched_stream.skipped_bytes}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "wake_ns": self.wake_ns,
            "last_ns": self._last_ns,
            "trouble": self._trouble,
            "watch": self._watch.snapshot(),
            "stream": self._watched_stream.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.wake_ns, self._last_ns, self._trouble = state["wake_ns"], state["last_ns"], state["trouble"]
        self._watch.restore(state["watch"])
        self._watched_stream.restore(state["stream"])
