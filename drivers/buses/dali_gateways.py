"""The gateways a DALI bus can hang on, as its master sees them: a frame as bytes, bytes as words about the frame.

All three send a frame twice by themselves, so nothing can come between the two. They differ in how they tell what came
of it: an ATX-LED says one word a frame, its answer or that there was none; LUBA and SCI say first that the frame has
been sent, then an answer if there is one, and (LUBA) nothing if there is none.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

import msgspec

from drivers.codecs import atxled, luba, sci
from drivers.units import NS_PER_MS

Kind = Literal["value", "silent", "sent", "collision", "fault", "other"]

ANSWER_WITHIN_NS: Final = 40 * NS_PER_MS
"""From the word that a frame was sent to the end of its answer: 10.5 ms until it starts, 9.2 ms for it, 2.6 ms on the
serial line, and 16 ms more that an FTDI chip may hold it back. python-dali waits 25 and 30 ms."""


class Word(msgspec.Struct, frozen=True, gc=False):
    """What a gateway said about the frame in flight.

    `kind`: "value" (gear answered `value`), "silent" (nobody answered), "sent" (carried out; an answer may follow),
    "collision" (several answered at once), "fault" (not carried out: `reason`), "other" (about something else).
    """

    kind: Kind
    value: int | None = None
    reason: str = ""


SILENT: Final = Word("silent")
SENT: Final = Word("sent")
COLLISION: Final = Word("collision")
FAULT: Final = Word("fault", reason="bus conflict")
OTHER: Final = Word("other")


class Gateway(Protocol):
    """The serial side of a gateway. Pure: no link, no clock.

    `baud` of its wire. `timeout_ns`: longest wait for a word. `answer_within_ns`: how long after "sent" an answer may
    come. `words_twice`: how many words a frame sent twice gives; when fewer come, one is enough. `rests`: whether more
    may come after a collision or a fault that answers nothing, so that it is listened out for `timeout_ns`. `greeting`:
    what to send first, and again to a gateway that was lost.
    """

    baud: int
    timeout_ns: int
    answer_within_ns: int
    words_twice: int
    rests: bool
    greeting: bytes

    @property
    def skipped_bytes(self) -> int:
        """Bytes that were no frame."""

    def encode(self, frame: int, *, twice: bool = False, follows: bool = False) -> bytes:
        """Send a 16 bit frame; `follows`: nobody else's frame may come between the last one and this."""

    def feed(self, data: bytes) -> list[Word]:
        """What bytes from the gateway say, oldest first."""

    def forget(self) -> None:
        """The frame in flight is given up: what has begun to come is not waited for."""

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""


@lru_cache(maxsize=1024)
def _word(line: atxled.Line) -> Word:
    match line.letter:
        case "J":
            return Word("value", line.value)
        case "N":
            return SILENT
        case "X":
            return COLLISION
        case "Z":
            return FAULT
        case _:
            return OTHER


class AtxLedGateway:
    """ATX-LED DALI HAT: 19200 baud. An exchange takes 25 to 35 ms, a frame sent twice 60 ms, with one or two words.

    The one open driver (python-dali's) finds more lines after a collision: it rests.
    """

    baud = atxled.BAUD
    timeout_ns = 100 * NS_PER_MS
    answer_within_ns = 0
    words_twice = 2
    rests = True
    greeting = b""

    def __init__(self) -> None:
        self._stream = atxled.LineStream()

    @property
    def skipped_bytes(self) -> int:
        """Bytes that were no line."""
        return self._stream.skipped_bytes

    def encode(self, frame: int, *, twice: bool = False, follows: bool = False) -> bytes:
        """``h0AFE`` or ``t012E``; there is no way to say that it follows."""
        return atxled.encode("t" if twice else "h", frame)

    def feed(self, data: bytes) -> list[Word]:
        """A word a line."""
        return [_word(line) for line in self._stream.feed(data)]

    def forget(self) -> None:
        """A line ends itself."""

    def snapshot(self) -> dict[str, Any]:
        """All state."""
        return self._stream.snapshot()

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._stream.restore(state)


_IDLE, _WRITTEN, _SENT, _ECHOED = range(4)

_Stream = TypeVar("_Stream", luba.LubaStream, sci.SciStream)


class _TellsSent(Generic[_Stream]):
    """What LUBA and SCI share: they know which frame is in flight, and whether it has been sent."""

    answer_within_ns = ANSWER_WITHIN_NS
    rests = False

    def __init__(self, stream: _Stream) -> None:
        self._stream: _Stream = stream
        self._frame = -1
        self._stage = _IDLE

    @property
    def skipped_bytes(self) -> int:
        """Bytes that were no frame."""
        return self._stream.skipped_bytes

    def _begins(self, frame: int) -> None:
        self._frame, self._stage = frame, _WRITTEN

    def _answered(self, word: Word) -> Word:
        """An answer, of whatever kind: to our frame, if that has been sent."""
        if self._stage != _SENT:
            return OTHER
        self._stage = _IDLE
        return word

    def _foreign(self, frame: int) -> list[Word]:
        """Somebody else's frame: an answer to ours would have come before it. Our own, heard again, says nothing."""
        if self._stage != _SENT or frame == self._frame:
            return [OTHER]
        self._stage = _IDLE
        return [SILENT, OTHER]

    def forget(self) -> None:
        """The next byte begins a frame."""
        self._stream.forget()
        self._stage = _IDLE

    def snapshot(self) -> dict[str, Any]:
        """All state."""
        return {"stream": self._stream.snapshot(), "frame": self._frame, "stage": self._stage}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._stream.restore(state["stream"])
        self._frame, self._stage = state["frame"], state["stage"]


class LubaGateway(_TellsSent[luba.LubaStream]):
    """Lunatone RS232 LUBA: 38400 baud.

    Args:
        bus_power: whether the gateway's own supply shall feed the bus; this also writes the settings that events depend
            on. None: settings are left as they are. False takes the power from a bus that this supply feeds.
    """

    baud = luba.BAUD
    timeout_ns = 200 * NS_PER_MS  # it sends when the bus is free of others
    words_twice = 2

    def __init__(self, bus_power: bool | None = None) -> None:
        super().__init__(luba.LubaStream())
        self.greeting = b"" if bus_power is None else luba.encode_settings(bus_power=bus_power)

    def encode(self, frame: int, *, twice: bool = False, follows: bool = False) -> bytes:
        """Priority 1 where it follows, which keeps others from coming between; 3 otherwise."""
        self._begins(frame)
        return luba.encode_send(frame, twice=twice, priority=1 if follows else 3)

    def feed(self, data: bytes) -> list[Word]:
        """Words about our frame; frames of others are "other"."""
        words: list[Word] = []
        for event in self._stream.feed(data):
            match event:
                case luba.Taken() | luba.Message():
                    pass
                case luba.Sent():
                    ours = self._stage != _IDLE and event.data == self._frame.to_bytes(2, "big")
                    self._stage = _SENT if ours else self._stage
                    words.append(SENT if ours else OTHER)
                case luba.Refused():
                    ours = self._stage == _WRITTEN
                    self._stage = _IDLE if ours else self._stage
                    reason = luba.ERRORS.get(event.error, f"gateway error {event.error}")
                    words.append(Word("fault", reason=reason) if ours else OTHER)
                case luba.Heard(bits=8):
                    words.append(self._answered(Word("value", event.data[0])))
                case luba.Heard():
                    words += self._foreign(int.from_bytes(event.data, "big"))
                case luba.Broken(info=luba.FRAMING_ERROR):
                    words.append(self._answered(COLLISION))
                case _:
                    words.append(OTHER)
        return words


_NONE, _NOT_OURS = -1, -2


class SciGateway(_TellsSent[sci.SciStream]):
    """Lunatone SCI RS232: 38400 baud. It says one word for a frame sent twice.

    In which order it tells things is not known for certain, so this takes any order that python-dali's driver takes: a
    status, ours come back as an echo, an answer. A status before the echo may belong to the frame before; so once an
    echo has been seen, a frame counts as sent with the echo and a status, or with the echo alone after such a status. A
    status of "no answer" is not believed: nobody has answered when the time for an answer is over.

    Args:
        flags: see `drivers.codecs.sci`; monitor and echo, as python-dali sets them.
    """

    baud = sci.BAUD
    timeout_ns = 100 * NS_PER_MS
    words_twice = 1
    greeting = b""

    def __init__(self, flags: int = sci.MONITOR | sci.ECHO) -> None:
        super().__init__(sci.SciStream())
        self._flags = flags
        self._early = _NONE  # an answer that came before its status
        self._echoing = False
        self._doubtful = False  # a status has come before the echo

    def encode(self, frame: int, *, twice: bool = False, follows: bool = False) -> bytes:
        """Sent by the gateway, once or twice; there is no way to say that it follows."""
        self._stream.forget()  # a gateway that waits for us has said all of its last frame
        self._early, self._doubtful = _NONE, False
        self._begins(frame)
        return sci.encode_send(frame, twice=twice, flags=self._flags)

    def feed(self, data: bytes) -> list[Word]:
        """Words about our frame; frames of others are "other"."""
        words: list[Word] = []
        for message in self._stream.feed(data):
            code = message.code
            if code <= sci.NO:
                words += self._status()
            elif code == sci.FRAME_8:
                words += self._value(message.answer)
            elif code == sci.ERROR:
                words.append(self._error(message.error))
            elif code == sci.FRAME_16 and self._stage != _IDLE and message.data in self._echoes():
                words += self._echo()
            else:
                self._early = _NOT_OURS
                words += self._foreign(-1)
        return words

    def _echo(self) -> list[Word]:
        self._echoing = True
        if self._stage == _WRITTEN:
            self._stage = _ECHOED
            if self._doubtful:
                return self._sent()
        return []

    def _status(self) -> list[Word]:
        if self._stage == _WRITTEN and self._echoing:
            self._doubtful = True
            return []
        return [] if self._stage == _IDLE else self._sent()

    def _sent(self) -> list[Word]:
        self._stage = _SENT
        value, self._early = self._early, _NONE
        return [SENT] if value < 0 else [SENT, self._answered(Word("value", value))]

    def _value(self, value: int) -> list[Word]:
        if self._stage not in (_WRITTEN, _ECHOED):
            return [self._answered(Word("value", value))]
        if self._early == _NOT_OURS or (self._stage == _WRITTEN and self._echoing):  # somebody else asked
            self._early = _NONE
            return [OTHER]
        self._early = value
        return []

    def _error(self, error: int) -> Word:
        stage, self._stage = self._stage, _IDLE
        if stage == _IDLE:
            return OTHER
        if error == sci.NO_FRAME or (error == sci.COLLISION and stage == _SENT):
            return COLLISION
        return Word("fault", reason=sci.ERRORS.get(error, f"gateway error {error}"))

    def _echoes(self) -> tuple[bytes, bytes]:
        """Our frame as an echo, on the right and on the left."""
        frame = self._frame.to_bytes(2, "big")
        return b"\0" + frame, frame + b"\0"

    def forget(self) -> None:
        """The next byte begins a frame; whether there are echoes is to be seen again."""
        super().forget()
        self._early, self._echoing = _NONE, False

    def snapshot(self) -> dict[str, Any]:
        """All state."""
        own = {"early": self._early, "echoing": self._echoing, "doubtful": self._doubtful}
        return {**super().snapshot(), **own}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        self._early, self._echoing, self._doubtful = state["early"], state["echoing"], state["doubtful"]
