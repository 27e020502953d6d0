"""The far ends of Lunatone's gateways, LUBA and SCI: the same bus and gear as behind an ATX-LED, other words.

A command and what is told of it (LUBA; 38400 baud, 0.26 ms a byte)::

    |- 11 bytes -|--- forward frame ---|- "sent", 13 bytes -|
                 |- "taken", 6 bytes   |--- silence, answer ---|- "heard", 12 bytes -|

SCI says OK (5 bytes) in place of "sent", and of two frames once. Both send the next frame when the bus has been quiet
for 13.5 ms, whatever the host is in a hurry for. Without bus power LUBA refuses frames (1) and SCI tells a short
circuit (2). Not from a document, declared here: answers that collide are a framing error (LUBA 63, SCI 3); `says_no`
makes SCI tell "no answer" when the time for one is over, which is one way to read its status 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from drivers.codecs import luba, sci
from drivers.links.memory import MemoryLink
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.dali_gateway import GatewayPeer
from hil.peers.dali_gear import OutputObserver
from hil.peers.dali_line import ANSWERED_NS, SETTLE_NS, UNANSWERED_NS

BYTE_NS: Final = 10 * NS_PER_S // 38_400


class _Lunatone(GatewayPeer):
    """What both share: the bus has to be quiet before the next frame, words are bytes as hex."""

    byte_ns = BYTE_NS
    _free_ns = 0

    def _begin(self, letter: str, frame: int, t_ns: int) -> None:
        super()._begin(letter, frame, max(t_ns, self._free_ns))

    def _lay(self, begins_ns: int, data: bytes) -> None:
        """Lay a reply ready that begins to leave at `begins_ns`; each leaves when the one before it is out."""
        if self._replies:
            begins_ns = max(begins_ns, self._replies[-1][0])
        self._replies.append((begins_ns + len(data) * BYTE_NS, data.hex(), None))

    def _encode(self, word: str, value: int | None) -> bytes:
        return bytes.fromhex(word)

    def _answers_to(self, frame: int, end_ns: int) -> list[int]:
        answers = self.line.forward(frame, end_ns)
        self._free_ns = end_ns + SETTLE_NS + (ANSWERED_NS if answers else 0)
        return answers

    def overhear(self, frame: int, answer: int | None, t_ns: int) -> None:
        """Somebody else sends a frame on the bus, which ends at `t_ns`, and may be answered."""
        raise NotImplementedError

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {**super().snapshot(), "free_ns": self._free_ns}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot of a gateway with the same gear."""
        super().restore(state)
        self._free_ns = state["free_ns"]


class LubaPeer(_Lunatone):
    """A LUBA gateway. Implements Peer. `supply`: whether its own supply feeds the bus, None: it has none."""

    def __init__(
        self,
        name: str,
        link: MemoryLink,
        numbers: Sequence[int],
        observer: OutputObserver,
        *,
        level: int = 0,
        fade_code: int = 0,
        supply: bool | None = None,
    ) -> None:
        super().__init__(name, link, numbers, observer, level=level, fade_code=fade_code)
        self.stream = luba.LubaStream()
        self._supply, self._number = supply, 0
        self.line.powered = supply is not False

    def _read(self, data: bytes, heard_ns: int) -> Iterator[tuple[str, int] | None]:
        for event in self.stream.feed(data):
            match event:
                case luba.Send(bits=16) if self._is_silent(heard_ns):
                    yield None
                case luba.Send(bits=16) if not self.line.powered:
                    self._lay(heard_ns, luba.encode_event(luba.Refused(1)))
                case luba.Send(bits=16):
                    self._number = self._number % 255 + 1
                    yield "t" if event.twice else "h", int.from_bytes(event.data, "big")
                    self._lay_taken(heard_ns)
                case luba.Message(command=luba.SETTINGS_WRITE):
                    if self._supply is not None:
                        self._supply = event.payload[2] >= 0x80
                        self.set_bus_power(self._supply, heard_ns)
                    self._lay(heard_ns, luba.encode(luba.SETTINGS, event.payload[:2] + b"\0"))
                case luba.Message(command=luba.STATUS_QUERY):
                    fault = 0 if self.line.powered else 0x80
                    self._lay(heard_ns, luba.encode(luba.STATUS, bytes((0, *self._tick(heard_ns), 0, 0, fault))))
                case _:
                    yield None

    def _lay_taken(self, heard_ns: int) -> None:
        """Before whatever is told of frames that are under way; a byte line keeps its order."""
        data = luba.encode_event(luba.Taken(self._number))
        self._replies.append((heard_ns + len(data) * BYTE_NS, data.hex(), None))
        self._replies.sort(key=lambda reply: reply[0])

    def _tick(self, t_ns: int) -> bytes:
        return (t_ns // NS_PER_MS % 0x10000).to_bytes(2, "big")

    def _tell(self, letter: str, frame: int, end_ns: int, *, last: bool) -> None:
        answers = self._answers_to(frame, end_ns)
        tick = int.from_bytes(self._tick(end_ns), "big")
        self._lay(end_ns, luba.encode_event(luba.Sent(frame.to_bytes(2, "big"), self._number, tick)))
        if len(answers) == 1:
            self._lay(end_ns + ANSWERED_NS, luba.encode_event(luba.Heard(8, bytes(answers), tick)))
        elif answers:
            self._lay(end_ns + ANSWERED_NS, luba.encode_event(luba.Broken(luba.FRAMING_ERROR, tick)))

    def overhear(self, frame: int, answer: int | None, t_ns: int) -> None:
        """Somebody else's frame and its answer, told as heard."""
        tick = int.from_bytes(self._tick(t_ns), "big")
        self._lay(t_ns, luba.encode_event(luba.Heard(16, frame.to_bytes(2, "big"), tick)))
        if answer is not None:
            self._lay(t_ns + ANSWERED_NS, luba.encode_event(luba.Heard(8, bytes((answer,)), tick)))
        self._set_wake()

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        own = {"stream": self.stream.snapshot(), "supply": self._supply, "number": self._number}
        return {**super().snapshot(), **own}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot of a gateway with the same gear."""
        super().restore(state)
        self.stream.restore(state["stream"])
        self._supply, self._number = state["supply"], state["number"]


class SciPeer(_Lunatone):
    """An SCI gateway with its number 0 to 15. Implements Peer.

    `says_no`: tells "no answer" too. `left`: what it hears stands on the left, not on the right.
    """

    def __init__(
        self,
        name: str,
        link: MemoryLink,
        numbers: Sequence[int],
        observer: OutputObserver,
        *,
        level: int = 0,
        fade_code: int = 0,
        number: int = 0,
        says_no: bool = False,
        left: bool = False,
    ) -> None:
        super().__init__(name, link, numbers, observer, level=level, fade_code=fade_code)
        self.stream = sci.SciStream()
        self._flags, self._says_no, self._left, self._echoes = number << 4, says_no, left, False

    def _read(self, data: bytes, heard_ns: int) -> Iterator[tuple[str, int] | None]:
        for message in self.stream.feed(data):
            if message.code != sci.FRAME_16:
                yield None
            elif not self.line.powered:
                self._lay(heard_ns, self._error(sci.SHORT_CIRCUIT))
            else:
                self._echoes = bool(message.control & sci.ECHO)
                yield "t" if message.control & sci.TWICE else "h", message.data[0] << 8 | message.data[1]

    def _error(self, error: int) -> bytes:
        return sci.encode(self._flags | sci.ERROR, bytes((0, 0, error)))

    def _heard(self, value: int, bits: int) -> bytes:
        if self._left:
            return sci.encode_send(value, bits=bits, flags=self._flags & 0xE0)
        return sci.encode_heard(value, bits=bits, number=self._flags >> 4)

    def _tell(self, letter: str, frame: int, end_ns: int, *, last: bool) -> None:
        answers = self._answers_to(frame, end_ns)
        if not last:
            return
        if self._echoes:
            self._lay(end_ns, self._heard(frame, 16))
        self._lay(end_ns, sci.encode(self._flags | sci.OK))
        if len(answers) == 1:
            self._lay(end_ns + ANSWERED_NS, self._heard(answers[0], 8))
        elif answers:
            self._lay(end_ns + ANSWERED_NS, self._error(sci.NO_FRAME))
        elif self._says_no:
            self._lay(end_ns + UNANSWERED_NS, sci.encode(self._flags | sci.NO))

    def overhear(self, frame: int, answer: int | None, t_ns: int) -> None:
        """Somebody else's frame and its answer, told as heard."""
        self._lay(t_ns, self._heard(frame, 16))
        if answer is not None:
            self._lay(t_ns + ANSWERED_NS, self._heard(answer, 8))
        self._set_wake()

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {**super().snapshot(), "stream": self.stream.snapshot(), "echoes": self._echoes}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot of a gateway with the same gear."""
        super().restore(state)
        self.stream.restore(state["stream"])
        self._echoes = state["echoes"]
