"""An in-process wire: two ends, no delay, no loss. Whoever writes at one end calls the receiver of the other."""

from __future__ import annotations

from drivers.interfaces import OnLine, Receiver, RepeatReceiver, unheard, unheard_line, unheard_repeat


class MemoryLink:
    """One end of an in-process wire; made in pairs by `memory_pair`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.receiver: Receiver = unheard
        self.repeat_receiver: RepeatReceiver = unheard_repeat
        self.foretell_receiver: RepeatReceiver = unheard_repeat
        self.on_line: OnLine = unheard_line
        """Told of line settings at this end, as with a serial port."""
        self.line_receiver: OnLine = unheard_line
        """Told of line settings at the far end: a peer knows then at which bit rate and parity it is listened to."""
        self.far: MemoryLink = self
        self._line: tuple[int, str] | None = None

    def write(self, data: bytes, t_ns: int) -> None:
        """Hand `data` to the far end, now."""
        self.far.receiver(data, t_ns)

    def set_line(self, baud: int, parity: str, t_ns: int) -> None:
        """Only tell of it: bytes pass whatever the settings. The same once more is not told."""
        if (baud, parity) != self._line:
            self._line = (baud, parity)
            self.on_line(baud, parity, 1, t_ns)
            self.far.line_receiver(baud, parity, 1, t_ns)

    def repeat(self, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """Stand for `count` writes of one idle frame, `first_ns` to `last_ns`, on a wire otherwise quiet."""
        self.far.repeat_receiver(frame, first_ns, last_ns, count)

    def foretell(self, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """Idle frames that are sure to come, for the far end to wait in peace; `repeat` tells them once they came."""
        self.far.foretell_receiver(frame, first_ns, last_ns, count)

    def pump(self, t_ns: int) -> None:
        """Nothing to do: bytes come by themselves."""

    def fileno(self) -> int | None:
        """None: nothing to poll."""
        return None

    def close(self) -> None:
        """Both ends stop hearing each other."""
        for end in (self, self.far):
            end.receiver, end.repeat_receiver, end.foretell_receiver = unheard, unheard_repeat, unheard_repeat
            end.line_receiver = unheard_line


def memory_pair(name: str) -> tuple[MemoryLink, MemoryLink]:
    """A wire with two ends: (the board's, the peer's)."""
    near, far = MemoryLink(name), MemoryLink(name)
    near.far, far.far = far, near
    return near, far
