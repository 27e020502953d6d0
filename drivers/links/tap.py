"""Wraps any link and hands every byte and every line setting that passes to a sink."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from drivers.errors import LinkLost
from drivers.interfaces import ByteLink, OnLine, Receiver, RepeatReceiver, unheard, unheard_line, unheard_repeat
from drivers.units import FOREVER_NS


class Sink(Protocol):
    """Where a tap puts what passes. `wire` is the link's number as given to the tap; `outward` tells the direction."""

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        """`data` passed on `wire` at `t_ns`: outward from the board, or in to it."""

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """The same idle frame came in `count` times."""


@runtime_checkable
class LineSink(Protocol):
    """A sink that also wants to know the line settings of serial wires."""

    def line(self, wire: int, baud: int, parity: str, stopbits: float, t_ns: int) -> None:
        """From `t_ns` on `wire` runs with these settings: its port was opened, or they were changed."""


@runtime_checkable
class LossSink(Protocol):
    """A sink that also wants to know which writes did not leave; else what `passed` told counts as sent."""

    def lost(self, wire: int, t_ns: int, detail: str = "") -> None:
        """What was told last to go out on `wire` raised LinkLost; or a change of its line did, where nothing was told.

        `t_ns` is the time given to the write, `detail` the error's, e.g. ``"/dev/ttyUSB0: gone"``.
        """


class Fan:
    """One tap, several sinks, told in order; lines and losses go to those that want to know."""

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self._sinks = tuple(sinks)
        self._line_sinks = tuple(sink for sink in self._sinks if isinstance(sink, LineSink))
        self._loss_sinks = tuple(sink for sink in self._sinks if isinstance(sink, LossSink))

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        """To all."""
        for sink in self._sinks:
            sink.passed(wire, outward, data, t_ns)

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """To all."""
        for sink in self._sinks:
            sink.repeated(wire, frame, first_ns, last_ns, count)

    def line(self, wire: int, baud: int, parity: str, stopbits: float, t_ns: int) -> None:
        """To every LineSink."""
        for sink in self._line_sinks:
            sink.line(wire, baud, parity, stopbits, t_ns)

    def lost(self, wire: int, t_ns: int, detail: str = "") -> None:
        """To every LossSink."""
        for sink in self._loss_sinks:
            sink.lost(wire, t_ns, detail)


class Tap:
    """A link around a link. What the inner one can beside carrying bytes (open itself, change its line) it can, too."""

    def __init__(self, inner: ByteLink, wire: int, sink: Sink) -> None:
        self.name = inner.name
        self.receiver: Receiver = unheard
        self.repeat_receiver: RepeatReceiver = unheard_repeat
        self._inner, self._wire, self._sink = inner, wire, sink
        self._line_before: OnLine = getattr(inner, "on_line", unheard_line)
        inner.receiver = self._inward
        inner.repeat_receiver = self._repeat
        if hasattr(inner, "on_line"):
            inner.on_line = self._line
            self.on_line: OnLine = unheard_line  # for a tap around this one

    def _inward(self, data: bytes, t_ns: int) -> None:
        self._sink.passed(self._wire, False, data, t_ns)
        self.receiver(data, t_ns)

    def _repeat(self, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        self._sink.repeated(self._wire, frame, first_ns, last_ns, count)
        self.repeat_receiver(frame, first_ns, last_ns, count)

    def _line(self, baud: int, parity: str, stopbits: float, t_ns: int) -> None:
        if isinstance(self._sink, LineSink):
            self._sink.line(self._wire, baud, parity, stopbits, t_ns)
        self._line_before(baud, parity, stopbits, t_ns)
        self.on_line(baud, parity, stopbits, t_ns)

    def write(self, data: bytes, t_ns: int) -> None:
        """Record, then send. Raises LinkLost, after a LossSink was told."""
        self._sink.passed(self._wire, True, data, t_ns)
        try:
            self._inner.write(data, t_ns)
        except LinkLost as error:
            self._lost(t_ns, error.detail)
            raise

    def set_line(self, baud: int, parity: str, t_ns: int) -> None:
        """Change the inner link's line where it has one; recorded when it has taken effect. Raises LinkLost."""
        set_line = getattr(self._inner, "set_line", None)
        if set_line is None:
            return
        try:
            set_line(baud, parity, t_ns)
        except LinkLost as error:
            self._lost(t_ns, error.detail)
            raise

    def _lost(self, t_ns: int, detail: str) -> None:
        if isinstance(self._sink, LossSink):
            self._sink.lost(self._wire, t_ns, detail)

    @property
    def baud(self) -> int:
        """Bit rate of the inner link's line; 0 where it has none."""
        return int(getattr(self._inner, "baud", 0))

    @property
    def parity(self) -> str:
        """Parity of the inner link's line; empty where it has none."""
        return str(getattr(self._inner, "parity", ""))

    def pump(self, t_ns: int) -> None:
        """Let the inner link hand over what has arrived."""
        self._inner.pump(t_ns)

    def fileno(self) -> int | None:
        """The inner link's."""
        return self._inner.fileno()

    def counters(self) -> dict[str, int]:
        """What the inner link has counted; empty where it counts nothing."""
        counted = getattr(self._inner, "counters", None)
        return {} if counted is None else dict(counted())

    def close(self) -> None:
        """Close the inner link."""
        self._inner.close()

    def leave(self) -> None:
        """Close the inner link and leave its outputs as they are, where it can."""
        getattr(self._inner, "leave", self._inner.close)()

    # --- a link that opens itself (drivers.links.poll.OpensItself); any other is open and never due

    @property
    def is_open(self) -> bool:
        """True while bytes can pass."""
        return bool(getattr(self._inner, "is_open", True))

    @property
    def wake_ns(self) -> int:
        """When `advance` has something to do."""
        return int(getattr(self._inner, "wake_ns", FOREVER_NS))

    @property
    def trouble(self) -> str:
        """Why the inner link is not open; empty where it is."""
        return str(getattr(self._inner, "trouble", ""))

    def advance(self, now_ns: int) -> None:
        """At `wake_ns`: let the inner link open, or send what waits. Raises LinkLost."""
        advance = getattr(self._inner, "advance", None)
        if advance is not None:
            advance(now_ns)
