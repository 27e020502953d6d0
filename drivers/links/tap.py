"""Wraps any link and hands every byte that passes to a sink, before it goes on."""

from __future__ import annotations

from typing import Protocol

from drivers.interfaces import ByteLink, Receiver, RepeatReceiver, unheard, unheard_repeat


class Sink(Protocol):
    """Where a tap puts what passes. `wire` is the link's number as given to the tap; `outward` tells the direction."""

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        """`data` passed on `wire` at `t_ns`: outward from the board, or in to it."""

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """The same idle frame came in `count` times."""


class Tap:
    """A link around a link."""

    def __init__(self, inner: ByteLink, wire: int, sink: Sink) -> None:
        self.name = inner.name
        self.receiver: Receiver = unheard
        self.repeat_receiver: RepeatReceiver = unheard_repeat
        self._inner, self._wire, self._sink = inner, wire, sink
        inner.receiver = self._inward
        inner.repeat_receiver = self._repeat

    def _inward(self, data: bytes, t_ns: int) -> None:
        self._sink.passed(self._wire, False, data, t_ns)
        self.receiver(data, t_ns)

    def _repeat(self, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        self._sink.repeated(self._wire, frame, first_ns, last_ns, count)
        self.repeat_receiver(frame, first_ns, last_ns, count)

    def write(self, data: bytes, t_ns: int) -> None:
        """Record, then send."""
        self._sink.passed(self._wire, True, data, t_ns)
        self._inner.write(data, t_ns)

    def pump(self, t_ns: int) -> None:
        """Let the inner link hand over what has arrived."""
        self._inner.pump(t_ns)

    def fileno(self) -> int | None:
        """The inner link's."""
        return self._inner.fileno()

    def close(self) -> None:
        """Close the inner link."""
        self._inner.close()
