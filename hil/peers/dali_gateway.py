"""The far end of a gateway's wire: the gateway and its DALI bus with gear, in virtual time. Here the ATX-LED.

How one command runs, all whole nanoseconds from its first byte on the wire (h0AFE, nobody answers: 29.2 ms; a query
that is answered: 33.1 ms)::

    |-- UART ---|--- forward frame ---|-- silence --|-- answer --|- UART -|
      10 bits a    38 Te = 15.83 ms     7 Te = 2.92   22 Te =      "JFE\n"
      byte,        (1 start + 16 bits,  ms, or no     9.17 ms      or "N\n"
      19200 baud   2 stop bits)         answer for
                                        22 Te: "N"

Te = 1 s / 2400. Frame and gap agree with a recorded bus (15.8 ms; answer 2.6 to 3.1 ms after the stop bits); the 22 Te
are the end of IEC 62386-101's window for an answer. A command acts when its forward frame ends. Of a frame sent twice
the second follows 13.5 ms after the first and the gateway answers each (`answers_twice`), as python-dali's driver
expects. Not from a document, declared here: several answers at once are reported as a collision ("X").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from drivers.codecs.atxled import COMMANDS, LineStream, encode
from drivers.links.memory import MemoryLink
from drivers.units import FOREVER_NS, NS_PER_S
from hil.peers.dali_gear import DaliGear, OutputObserver
from hil.peers.dali_line import ANSWERED_NS, FORWARD_NS, SETTLE_NS, UNANSWERED_NS, DaliLine

BYTE_NS: Final = 10 * NS_PER_S // 19_200
MAX_WAITING: Final = 16

Reply = tuple[int, str, int | None]
"""When it has left, and what: here a letter and its value."""


class GatewayPeer:
    """What the gateways have in common: one frame at a time on the bus, what waits, what is told, faults.

    Args:
        name: e.g. ``"dali"``.
        link: the peer's end of the wire.
        numbers: of the gear: short addresses 0 to 63, or 64 and above for factory-new gear without one.
        observer: told of every new segment of a lamp's output; not of the level at the beginning.
        level: what the lamps show at the beginning.
        fade_code: fade time of all gear, see `drivers.codecs.dali.FADE_TIME_NS`.

    Faults: `set_silent`, `lose_answers`, `set_gear_dead`, `set_bus_power`. `overlaps` counts commands that came while
    one was under way; they wait, the oldest 16 of them.
    """

    byte_ns: int

    def __init__(
        self,
        name: str,
        link: MemoryLink,
        numbers: Sequence[int],
        observer: OutputObserver,
        *,
        level: int = 0,
        fade_code: int = 0,
    ) -> None:
        self.name = name
        self.wake_ns = FOREVER_NS
        self.line = DaliLine(numbers, observer, level=level, fade_code=fade_code)
        self.commands = self.overlaps = self.dropped = self.lost_answers = 0
        self._link = link
        self._waiting: list[tuple[str, int, int]] = []  # (letter, frame, heard_ns)
        self._frame: tuple[str, int, int, int] | None = None  # (letter, frame, end_ns, times left)
        self._replies: list[Reply] = []
        self._received_ns = 0
        self._silent: list[tuple[int, int]] = []
        self._lose_every = 0
        self._answers = 0
        link.receiver = self._received

    @property
    def gear(self) -> dict[int, DaliGear]:
        """The gear by number."""
        return self.line.gear

    # --- what each of them does in its own way

    def _read(self, data: bytes, heard_ns: int) -> Iterator[tuple[str, int] | None]:
        """Commands in what the host sent: a letter ("h" once, "t" twice, others), a frame; None for what is none."""
        raise NotImplementedError

    def _tell(self, letter: str, frame: int, end_ns: int, *, last: bool) -> None:
        """A forward frame has passed: carry it to the gear and lay replies ready. `last`: of two the second."""
        raise NotImplementedError

    def _encode(self, word: str, value: int | None) -> bytes:
        """A reply as bytes."""
        raise NotImplementedError

    # --- faults

    def set_silent(self, from_ns: int, to_ns: int) -> None:
        """From `from_ns` until before `to_ns` the gateway hears nothing and says nothing; adds to earlier spans.

        What it heard before goes on to the gear.
        """
        self._silent.append((from_ns, to_ns))

    def lose_answers(self, every: int) -> None:
        """Each `every`-th word to the host gets lost (1: all of them, 0: none)."""
        self._lose_every = every

    def set_gear_dead(self, number: int, dead: bool, now_ns: int) -> None:
        """Break a gear, or bring it back at its power-on level."""
        self.gear[number].set_dead(dead, now_ns)
        self._set_wake()

    def set_bus_power(self, on: bool, now_ns: int) -> None:
        """Bus power off: no frame reaches gear; after 500 ms each goes to its failure level and stays there."""
        self.line.set_power(on, now_ns)
        self._set_wake()

    def level_at(self, number: int, t_ns: int) -> int:
        """Arc power level a lamp shows."""
        return self.gear[number].level_at(t_ns)

    # --- host side

    def _received(self, data: bytes, t_ns: int) -> None:
        self._received_ns = heard_ns = max(t_ns, self._received_ns) + len(data) * self.byte_ns
        for command in self._read(data, heard_ns):
            if command is None or self._is_silent(heard_ns):
                self.dropped += 1
            elif self._frame is None and not self._replies:
                self._begin(*command, heard_ns)
            elif len(self._waiting) < MAX_WAITING:
                self.overlaps += 1
                self._waiting.append((*command, heard_ns))
            else:
                self.dropped += 1
        self._set_wake()

    def _begin(self, letter: str, frame: int, t_ns: int) -> None:
        self.commands += 1
        self._frame = (letter, frame, t_ns + FORWARD_NS, 2 if letter == "t" else 1)

    def _is_silent(self, t_ns: int) -> bool:
        return bool(self._silent) and any(from_ns <= t_ns < to_ns for from_ns, to_ns in self._silent)

    def run(self, now_ns: int) -> None:
        """Do what is due, in the order of its times."""
        while self.wake_ns <= now_ns:
            due_ns = self.wake_ns
            self.line.run(due_ns)
            if self._frame is not None and self._frame[2] == due_ns:
                letter, frame, end_ns, times = self._frame
                self._frame = (letter, frame, end_ns + SETTLE_NS + FORWARD_NS, 1) if times == 2 else None
                self._tell(letter, frame, end_ns, last=times == 1)
            if self._replies and self._replies[0][0] == due_ns:
                _, word, value = self._replies.pop(0)
                if self._waiting and self._frame is None and not self._replies:
                    self._begin(*self._waiting.pop(0)[:2], due_ns)
                self._reply(word, value, due_ns)
            self._set_wake()

    def _reply(self, word: str, value: int | None, t_ns: int) -> None:
        self._answers += 1
        if self._is_silent(t_ns) or (self._lose_every and self._answers % self._lose_every == 0):
            self.lost_answers += 1
        else:
            self._link.write(self._encode(word, value), t_ns)

    def _set_wake(self) -> None:
        wake_ns = self.line.wake_ns
        if self._frame is not None and self._frame[2] < wake_ns:
            wake_ns = self._frame[2]
        if self._replies and self._replies[0][0] < wake_ns:
            wake_ns = self._replies[0][0]
        self.wake_ns = wake_ns

    # --- state

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "gear": self.line.snapshot(),
            **{name: _listed(getattr(self, name)) for name in STATE},
            "_last_config": _listed(self.line.last_config),
            "_powered": self.line.powered,
            "_failure_ns": self.line.failure_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot of a gateway with the same gear."""
        line = self.line
        line.restore(state["gear"])
        line.last_config = tuple(state["_last_config"])
        line.powered, line.failure_ns = state["_powered"], state["_failure_ns"]
        for name in STATE:
            value = state[name]
            if name in ("_waiting", "_replies", "_silent"):
                value = [tuple(item) for item in value]
            elif isinstance(value, list):
                value = tuple(value)
            setattr(self, name, value)


STATE: Final = (
    "wake_ns",
    "commands",
    "overlaps",
    "dropped",
    "lost_answers",
    "_waiting",
    "_frame",
    "_replies",
    "_received_ns",
    "_silent",
    "_lose_every",
    "_answers",
)


def _listed(value: Any) -> Any:
    """Tuples as lists, as JSON would give them back."""
    if isinstance(value, list | tuple):
        return [_listed(item) for item in value]
    return value


class DaliGateway(GatewayPeer):
    """An ATX-LED gateway. Implements Peer; see `GatewayPeer` for what it takes.

    `answers_twice`: whether a frame sent twice is answered twice.
    """

    byte_ns = BYTE_NS

    def __init__(
        self,
        name: str,
        link: MemoryLink,
        addresses: Sequence[int],
        observer: OutputObserver,
        *,
        level: int = 0,
        fade_code: int = 0,
        answers_twice: bool = True,
    ) -> None:
        super().__init__(name, link, addresses, observer, level=level, fade_code=fade_code)
        self.stream = LineStream()
        self._answers_twice = answers_twice

    def _read(self, data: bytes, heard_ns: int) -> Iterator[tuple[str, int] | None]:
        for line in self.stream.feed(data):
            yield None if line.letter not in COMMANDS or line.value is None else (line.letter, line.value)

    def _tell(self, letter: str, frame: int, end_ns: int, *, last: bool) -> None:
        answers = self.line.forward(frame, end_ns) if letter in "ht" else []
        if not last and not self._answers_twice:
            return
        if not answers:
            self._replies.append((end_ns + UNANSWERED_NS + 2 * BYTE_NS, "N", None))
        elif len(answers) == 1:
            self._replies.append((end_ns + ANSWERED_NS + 4 * BYTE_NS, "J", answers[0]))
        else:
            self._replies.append((end_ns + ANSWERED_NS + 2 * BYTE_NS, "X", None))

    def _encode(self, word: str, value: int | None) -> bytes:
        return encode(word, value)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {**super().snapshot(), "stream": self.stream.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot of a gateway with the same gear."""
        super().restore(state)
        self.stream.restore(state["stream"])
