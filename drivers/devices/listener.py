"""What devices that listen have in common: they say once when their far end falls silent, and when it is back."""

from __future__ import annotations

from typing import Any, Protocol

from drivers.interfaces import Emit
from drivers.quantities import DeviceHealth
from drivers.units import FOREVER_NS


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

    Call `_heard` for everything sound that came. `wake_ns` is when silence would be noticed; the first `advance` starts
    the wait for a first word.

    Args:
        name: the device's.
        stream: its codec, for snapshots.
        emit: where DeviceHealth goes.
        stale_ns: silence that is too long.
        silence: what to call it, e.g. ``"no frame"``.
    """

    def __init__(self, name: str, stream: Stream, emit: Emit, stale_ns: int, silence: str) -> None:
        self.name = name
        self.wake_ns = 0
        self.frames = 0
        """Sound frames or messages heard by this object. For people; no state, so not in a snapshot."""
        self._watched_stream = stream
        self._emit, self._stale_ns, self._silence = emit, stale_ns, silence
        self._last_ns = -1
        self._ok = True

    def _heard(self, t_ns: int) -> None:
        self.frames += 1
        self._last_ns = t_ns
        self.wake_ns = t_ns + self._stale_ns
        if not self._ok:
            self._ok = True
            self._emit(DeviceHealth(t_ns, self.name, True))

    def advance(self, now_ns: int) -> None:
        """Notice silence."""
        if now_ns < self.wake_ns:
            return
        if self._last_ns < 0:
            self._last_ns = now_ns
            self.wake_ns = now_ns + self._stale_ns
            return
        self._ok = False
        self.wake_ns = FOREVER_NS
        self._emit(DeviceHealth(now_ns, self.name, False, self._silence))

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        return {"frames": self.frames, "skipped_bytes": self._watched_stream.skipped_bytes}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "wake_ns": self.wake_ns,
            "last_ns": self._last_ns,
            "ok": self._ok,
            "stream": self._watched_stream.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.wake_ns, self._last_ns, self._ok = state["wake_ns"], state["last_ns"], state["ok"]
        self._watched_stream.restore(state["stream"])
