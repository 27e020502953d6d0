"""The circuit at the far end of single lines: it sees what the board drives, and drives the board's inputs.

The same peer on a wire in the process (`memory_pair`), where it ends pulses and holds itself in virtual time, and on a
stream that a pin factory of ours holds at its other end (`hil.peers.gpio_stream`), where the board's link does that.

A pin factory says first ``FREE 255``; the answer is the level of every input that the circuit drives, then
``EDGE 255``. So a program never sees its inputs before they are what they are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from drivers.interfaces import Receiver
from drivers.line_events import EDGE, FREE, HOLD, PULSE, PWM, SET, LineEvent, LineEventStream, encode
from drivers.units import FOREVER_NS

GREETING: Final = 255
"""Line number of no line: a factory's hello and the end of the answer."""

REMEMBERED: Final = 4096

OnChange = Callable[[int, int, int], None]
"""Called with (line, level, t_ns) when an output of the board goes to another level."""


class FarLink(Protocol):
    """What the peer needs of its end of a wire."""

    receiver: Receiver

    def write(self, data: bytes, t_ns: int) -> None:
        """Send to the board."""


def nobody(line: int, level: int, t_ns: int) -> None:
    """Nobody watches the outputs."""


class LinesPeer:
    """Implements Peer: the far end of all lines of one wire.

    Args:
        name: for snapshots, e.g. ``"yard/lines"``.
        link: the peer's end of the wire.
        inputs: levels that the circuit gives to the board's inputs from the start, by line: ``{24: 0}``.
    """

    def __init__(self, name: str, link: FarLink, inputs: Mapping[int, int] | None = None) -> None:
        self.name = name
        self.on_change: OnChange = nobody
        self.heard: deque[tuple[int, LineEvent]] = deque(maxlen=REMEMBERED)
        """Orders as they came, with their time; the newest `REMEMBERED`."""
        self.wake_ns = FOREVER_NS
        self._link = link
        self._inputs: dict[int, int] = dict(inputs or {})
        self._levels: dict[int, int] = {}
        self._pwm: dict[int, tuple[int, int]] = {}
        self._ends: dict[int, tuple[int, int]] = {}
        self._stream = LineEventStream()
        link.receiver = self._receive

    def level(self, line: int) -> int | None:
        """What the board drives `line` to; None while it does not: an input, or never touched."""
        return self._levels.get(line)

    def pwm(self, line: int) -> tuple[int, int] | None:
        """(period_ns, on_ns) of an output with PWM, else None."""
        return self._pwm.get(line)

    def drive(self, line: int, value: int, now_ns: int) -> None:
        """Give an input of the board a level; the board hears of changes only."""
        if self._inputs.get(line) != value:
            self._inputs[line] = value
            self._link.write(encode(LineEvent(line, EDGE, value, now_ns)), now_ns)

    def end(self, t_ns: int) -> None:
        """The board's process is gone, and with it whoever held the lines."""
        for line in sorted(self._levels):
            self._obey(LineEvent(line, FREE, 0), t_ns)

    def run(self, now_ns: int) -> None:
        """End the pulses and holds that are due."""
        for end_ns, line, value in sorted((at, line, value) for line, (at, value) in self._ends.items()):
            if end_ns <= now_ns:
                del self._ends[line]
                self._go(line, value, end_ns)
        self._set_wake()

    def _receive(self, data: bytes, t_ns: int) -> None:
        for event in self._stream.feed(data):
            if event.line == GREETING:
                for line, value in sorted(self._inputs.items()):
                    self._link.write(encode(LineEvent(line, EDGE, value, t_ns)), t_ns)
                self._link.write(encode(LineEvent(GREETING, EDGE, 0, t_ns)), t_ns)
                continue
            self.heard.append((t_ns, event))
            self._obey(event, t_ns)

    def _obey(self, event: LineEvent, t_ns: int) -> None:
        line = event.line
        self._ends.pop(line, None)
        if event.kind != PWM:
            self._pwm.pop(line, None)
        if event.kind == FREE:
            self._levels.pop(line, None)
        elif event.kind == SET:
            self._go(line, event.value, t_ns)
        elif event.kind in (PULSE, HOLD):
            self._go(line, event.value, t_ns)
            self._ends[line] = t_ns + event.t_ns, 1 - event.value
        elif event.kind == PWM:
            if event.period_ns:
                self._pwm[line] = event.period_ns, event.on_ns
            else:
                self._pwm.pop(line, None)
            self._go(line, 1 if event.on_ns else 0, t_ns)
        self._set_wake()

    def _go(self, line: int, value: int, t_ns: int) -> None:
        if self._levels.get(line) != value:
            self._levels[line] = value
            self.on_change(line, value, t_ns)

    def _set_wake(self) -> None:
        self.wake_ns = min((end_ns for end_ns, _ in self._ends.values()), default=FOREVER_NS)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values; not what was heard."""
        return {
            "inputs": sorted(self._inputs.items()),
            "levels": sorted(self._levels.items()),
            "pwm": sorted((line, *pwm) for line, pwm in self._pwm.items()),
            "ends": sorted((line, *end) for line, end in self._ends.items()),
            "stream": self._stream.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._inputs, self._levels = dict(state["inputs"]), dict(state["levels"])
        self._pwm = {line: (period_ns, on_ns) for line, period_ns, on_ns in state["pwm"]}
        self._ends = {line: (end_ns, value) for line, end_ns, value in state["ends"]}
        self._stream.restore(state["stream"])
        self._set_wake()
