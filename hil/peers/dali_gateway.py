"""The far end of an ATX-LED wire: the gateway, its DALI bus, and the gear on it, in virtual time.

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
expects. Not from a document, declared here: bus power gone for 500 ms sends gear to its failure level without a fade,
and it stays there until told otherwise; several answers at once are reported as a collision ("X").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from drivers.codecs import dali
from drivers.codecs.atxled import COMMANDS, LineStream, encode
from drivers.links.memory import MemoryLink
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.peers.dali_gear import DaliGear, OutputObserver

BYTE_NS: Final = 10 * NS_PER_S // 19_200
TE_NS: Final = NS_PER_S // 2_400
FORWARD_NS: Final = 38 * NS_PER_S // 2_400
ANSWERED_NS: Final = (7 + 22) * NS_PER_S // 2_400
UNANSWERED_NS: Final = 22 * NS_PER_S // 2_400
SETTLE_NS: Final = 13_500_000
TWICE_WITHIN_NS: Final = 100 * NS_PER_MS
FAILURE_AFTER_NS: Final = 500 * NS_PER_MS
MAX_WAITING: Final = 16


class DaliGateway:
    """One gateway with gear at `addresses`, all at `level` when the run begins. Implements Peer.

    Args:
        name: e.g. ``"dali"``.
        link: the peer's end of the wire.
        addresses: short addresses 0 to 63.
        observer: told of every new segment of a lamp's output; not of the level at the beginning.
        level: what the lamps show at the beginning.
        fade_code: fade time of all gear, see `drivers.codecs.dali.FADE_TIME_NS`.
        answers_twice: whether a frame sent twice is answered twice.

    Faults: `set_silent`, `lose_answers`, `set_gear_dead`, `set_bus_power`. `overlaps` counts commands that came while
    one was under way; they wait, the oldest 16 of them.
    """

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
        self.name = name
        self.wake_ns = FOREVER_NS
        self.gear = {address: DaliGear(address, observer, level=level, fade_code=fade_code) for address in addresses}
        self.stream = LineStream()
        self.commands = self.overlaps = self.dropped = self.lost_answers = 0
        self._link, self._answers_twice = link, answers_twice
        self._waiting: list[tuple[str, int, int]] = []  # (letter, frame, heard_ns)
        self._frame: tuple[str, int, int, int] | None = None  # (letter, frame, end_ns, times left)
        self._replies: list[tuple[int, str, int | None]] = []  # (t_ns, letter, value)
        self._last_config = (-1, 0)  # (frame, end_ns) of the first of two
        self._received_ns = 0
        self._powered = True
        self._failure_ns = FOREVER_NS
        self._silent: list[tuple[int, int]] = []
        self._lose_every = 0
        self._answers = 0
        link.receiver = self._received

    # --- faults

    def set_silent(self, from_ns: int, to_ns: int) -> None:
        """From `from_ns` until before `to_ns` the gateway hears nothing and says nothing; adds to earlier spans.

        What it heard before goes on to the gear.
        """
        self._silent.append((from_ns, to_ns))

    def lose_answers(self, every: int) -> None:
        """Each `every`-th line to the host gets lost (1: all of them, 0: none)."""
        self._lose_every = every

    def set_gear_dead(self, address: int, dead: bool, now_ns: int) -> None:
        """Break a gear, or bring it back at its power-on level."""
        self.gear[address].set_dead(dead, now_ns)
        self._set_wake()

    def set_bus_power(self, on: bool, now_ns: int) -> None:
        """Bus power off: no frame reaches gear; after 500 ms each goes to its failure level and stays there."""
        if on != self._powered:
            self._powered = on
            self._failure_ns = FOREVER_NS if on else now_ns + FAILURE_AFTER_NS
            self._set_wake()

    def level_at(self, address: int, t_ns: int) -> int:
        """Arc power level a lamp shows."""
        return self.gear[address].level_at(t_ns)

    # --- host side

    def _received(self, data: bytes, t_ns: int) -> None:
        self._received_ns = heard_ns = max(t_ns, self._received_ns) + len(data) * BYTE_NS
        for line in self.stream.feed(data):
            if line.letter not in COMMANDS or line.value is None or self._is_silent(heard_ns):
                self.dropped += 1
            elif self._frame is None and not self._replies:
                self._begin(line.letter, line.value, heard_ns)
            elif len(self._waiting) < MAX_WAITING:
                self.overlaps += 1
                self._waiting.append((line.letter, line.value, heard_ns))
            else:
                self.dropped += 1
        self._set_wake()

    def _begin(self, letter: str, frame: int, t_ns: int) -> None:
        self.commands += 1
        self._frame = (letter, frame, t_ns + FORWARD_NS, 2 if letter == "t" else 1)

    def _is_silent(self, t_ns: int) -> bool:
        return any(from_ns <= t_ns < to_ns for from_ns, to_ns in self._silent)

    def run(self, now_ns: int) -> None:
        """Do what is due, in the order of its times."""
        while self.wake_ns <= now_ns:
            due_ns = self.wake_ns
            for gear in self.gear.values():
                if gear.off_ns == due_ns:
                    gear.go_dark()
            if self._failure_ns == due_ns:
                self._failure_ns = FOREVER_NS
                for gear in self.gear.values():
                    gear.bus_failed(due_ns)
            if self._frame is not None and self._frame[2] == due_ns:
                self._frame_ended(*self._frame)
            if self._replies and self._replies[0][0] == due_ns:
                _, letter, value = self._replies.pop(0)
                if self._waiting and self._frame is None and not self._replies:
                    self._begin(*self._waiting.pop(0)[:2], due_ns)
                self._reply(letter, value, due_ns)
            self._set_wake()

    def _reply(self, letter: str, value: int | None, t_ns: int) -> None:
        self._answers += 1
        if self._is_silent(t_ns) or (self._lose_every and self._answers % self._lose_every == 0):
            self.lost_answers += 1
        else:
            self._link.write(encode(letter, value), t_ns)

    def _set_wake(self) -> None:
        wake_ns = self._failure_ns
        if self._frame is not None and self._frame[2] < wake_ns:
            wake_ns = self._frame[2]
        if self._replies and self._replies[0][0] < wake_ns:
            wake_ns = self._replies[0][0]
        for gear in self.gear.values():
            if gear.off_ns < wake_ns:
                wake_ns = gear.off_ns
        self.wake_ns = wake_ns

    # --- bus side

    def _frame_ended(self, letter: str, frame: int, end_ns: int, times: int) -> None:
        answers = self._on_bus(frame, end_ns) if self._powered and letter in "ht" else []
        if times == 2:
            self._frame = (letter, frame, end_ns + SETTLE_NS + FORWARD_NS, 1)
            if not self._answers_twice:
                return
        else:
            self._frame = None
        if not answers:
            self._replies.append((end_ns + UNANSWERED_NS + 2 * BYTE_NS, "N", None))
        elif len(answers) == 1:
            self._replies.append((end_ns + ANSWERED_NS + 4 * BYTE_NS, "J", answers[0]))
        else:
            self._replies.append((end_ns + ANSWERED_NS + 2 * BYTE_NS, "X", None))

    def _on_bus(self, frame: int, end_ns: int) -> list[int]:
        """A forward frame has passed; what the gear answers."""
        target, code = frame >> 8 & 0xFE, frame & 0xFF
        if not dali.is_addressed(frame):
            if frame >> 8 == dali.DTR0:
                for gear in self.gear.values():
                    if not gear.dead:
                        gear.dtr0 = code
            self._last_config = (-1, 0)
            return []
        if target < 0x80:
            one = self.gear.get(target >> 1)
            heard = [one] if one is not None and not one.dead else []
        else:
            heard = [gear for gear in self.gear.values() if gear.hears(target) and not gear.dead]
        if not frame & 0x100:
            for gear in heard:
                gear.set_target(code, end_ns, fade=True)
        elif dali.is_sent_twice(frame):
            first, first_ns = self._last_config
            if first == frame and end_ns - first_ns <= TWICE_WITHIN_NS:
                for gear in heard:
                    gear.obey(code, end_ns)
                self._last_config = (-1, 0)
            else:
                self._last_config = (frame, end_ns)
            return []
        else:
            self._last_config = (-1, 0)
            return [answer for gear in heard if (answer := gear.obey(code, end_ns)) is not None]
        self._last_config = (-1, 0)
        return []

    # --- state

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "gear": [[address, gear.snapshot()] for address, gear in self.gear.items()],
            "stream": self.stream.snapshot(),
            **{name: _listed(getattr(self, name)) for name in STATE},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot of a gateway with the same gear."""
        for address, gear in state["gear"]:
            self.gear[address].restore(gear)
        self.stream.restore(state["stream"])
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
    "_last_config",
    "_received_ns",
    "_powered",
    "_failure_ns",
    "_silent",
    "_lose_every",
    "_answers",
)


def _listed(value: Any) -> Any:
    """Tuples as lists, as JSON would give them back."""
    if isinstance(value, list | tuple):
        return [_listed(item) for item in value]
    return value
