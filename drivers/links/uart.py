"""A serial port: a real UART or USB adapter, a pseudo-terminal, a TCP socket, or any other URL pyserial knows.

No call waits: what the port does not take at once waits in a bounded queue with a deadline. A port that is pulled is
tried again with growing pauses, driven by the caller's clock.

Traps: a pseudo-terminal drops parity without a word and refuses the next setting, so use 8N1 there. `rfc2217://` runs a
thread and blocks while it opens or changes the line: 0.5 s or so against a far end that answers, 1.5 s against one that
says nothing, 5 s against one that cannot be reached. It is for benches, not for a controller. `loop://` is for tests.
"""

from __future__ import annotations

from drivers.errors import InputError, LinkLost
from drivers.interfaces import OnLine, Receiver, RepeatReceiver, unheard, unheard_line, unheard_repeat
from drivers.links.port import Port, mend, open_port, reason
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

BACK_OFF_MIN_NS = 100 * NS_PER_MS
BACK_OFF_MAX_NS = 5 * NS_PER_S
RETRY_NS = 2 * NS_PER_MS
"""How soon to try again when the port takes no more."""


class UartLink:
    """A serial port as a ByteLink, with a bounded output queue, that comes back after the adapter was pulled.

    Args:
        name: of the wire, e.g. ``"radar-1"``.
        port: ``"/dev/ttyAMA2"``, ``"/dev/serial/by-id/..."``, ``"socket://localhost:7000"``, ``"loop://"``.
        baud: e.g. 115200.
        parity: N, E, O, M or S.
        stopbits: 1, 1.5 or 2.
        on_line: told about line settings, when they take effect.
        pending_limit_b: most bytes that may wait for a port that takes no more; beyond, the link counts as lost.
        write_deadline_ns: bytes that wait longer than this: likewise.

    Not open at first: `open` raises, `advance` and `pump` open it silently (as after a loss) when `wake_ns` has come.
    Raises InputError for settings that no port has.
    """

    def __init__(
        self,
        name: str,
        port: str,
        baud: int,
        parity: str = "N",
        stopbits: float = 1,
        *,
        on_line: OnLine = unheard_line,
        pending_limit_b: int = 16384,
        write_deadline_ns: int = NS_PER_S,
    ) -> None:
        _check_line(name, baud, parity, stopbits)
        self.name = name
        self.receiver: Receiver = unheard
        self.repeat_receiver: RepeatReceiver = unheard_repeat
        self.wake_ns = -FOREVER_NS
        self.trouble = "not opened yet"
        self.port, self.baud, self.parity, self.stopbits = port, baud, parity, stopbits
        self.on_line = on_line
        self._pending_limit_b, self._write_deadline_ns = pending_limit_b, write_deadline_ns
        self._end: Port | None = None
        self._pending = bytearray()
        self._pending_since_ns = 0
        self._back_off_ns = BACK_OFF_MIN_NS
        self._closed = False

    @property
    def is_open(self) -> bool:
        """True while the port is usable; else `trouble` says why not."""
        return self._end is not None

    def open(self, t_ns: int) -> None:
        """Open now. Raises LinkLost with the mend; the next try is then due at `wake_ns`."""
        if self._end is not None:
            return
        self._closed = False
        try:
            self._end = open_port(self.port, self.baud, self.parity, self.stopbits)
        except (OSError, ValueError) as error:
            self.trouble = f"{self.port}: {mend(self.port, error)}"
            self.wake_ns = t_ns + self._back_off_ns
            self._back_off_ns = min(2 * self._back_off_ns, BACK_OFF_MAX_NS)
            raise LinkLost(self.name, t_ns, self.trouble) from None
        self.trouble, self.wake_ns, self._back_off_ns = "", FOREVER_NS, BACK_OFF_MIN_NS
        self.on_line(self.baud, self.parity, self.stopbits, t_ns)

    def set_line(self, baud: int, parity: str, t_ns: int) -> None:
        """Change baud rate and parity, also for later openings. What was written before should have left the wire.

        What is set already is not set again. Raises InputError for settings that no port has, LinkLost if this one
        refuses them.
        """
        _check_line(self.name, baud, parity, self.stopbits)
        if (baud, parity) == (self.baud, self.parity):
            return
        self.baud, self.parity = baud, parity
        if self._end is None:
            return
        try:
            self._end.set_line(baud, parity)
        except (OSError, ValueError) as error:
            raise self._lost(
                t_ns, f"refuses {baud} baud, parity {parity} ({error}); pseudo-terminals do only N"
            ) from None
        self.on_line(baud, parity, self.stopbits, t_ns)

    def write(self, data: bytes, t_ns: int) -> None:
        """Send all of `data`, at once or as soon as the port takes it. Raises LinkLost."""
        if self._end is None:
            raise LinkLost(self.name, t_ns, self.trouble, data)
        if self._pending:
            self._drain(t_ns)
        if not self._pending:
            sent = self._send(data, t_ns)
            if sent == len(data):
                return
            data = data[sent:]
            self._pending_since_ns = t_ns
        if len(self._pending) + len(data) > self._pending_limit_b:
            raise self._lost(t_ns, f"takes no more bytes, {len(self._pending)} wait; is the far end stuck?", data)
        self._pending += data
        self.wake_ns = t_ns + RETRY_NS

    def pump(self, t_ns: int) -> None:
        """Hand what has arrived to `receiver`; send what waits. Raises LinkLost, once; reopens when due."""
        if self._end is None:
            self.advance(t_ns)
            return
        try:
            data = self._end.read()
        except OSError as error:
            raise self._lost(t_ns, f"gone ({reason(error)}); is it still plugged in?") from None
        if data:
            self.receiver(data, t_ns)
        if self._pending and self._end is not None:
            self._drain(t_ns)

    def advance(self, now_ns: int) -> None:
        """At `wake_ns`: send what waits, or try to open again (a failure is silent, see `trouble`). Raises LinkLost."""
        if now_ns < self.wake_ns or self._closed:
            return
        if self._end is not None:
            self._drain(now_ns)
            return
        try:
            self.open(now_ns)
        except LinkLost:
            return  # the next try is set

    def fileno(self) -> int | None:
        """For poll(); None while the port is lost, and for URLs that have none (then call `pump` each tick)."""
        return None if self._end is None else self._end.fileno()

    def close(self) -> None:
        """Close; a second call does nothing."""
        self._closed = True
        self.trouble, self.wake_ns = "closed", FOREVER_NS
        self._pending.clear()
        end, self._end = self._end, None
        if end is not None:
            end.close()

    def _send(self, data: bytes | bytearray, t_ns: int) -> int:
        assert self._end is not None
        try:
            return self._end.write(data)
        except OSError as error:
            raise self._lost(t_ns, f"gone ({reason(error)}); is it still plugged in?", bytes(data)) from None

    def _drain(self, t_ns: int) -> None:
        """Send what waits."""
        if self._pending:
            sent = self._send(self._pending, t_ns)
            del self._pending[:sent]
            if sent:
                self._pending_since_ns = t_ns
        if not self._pending:
            self.wake_ns = FOREVER_NS
        elif t_ns - self._pending_since_ns >= self._write_deadline_ns:
            raise self._lost(t_ns, f"took nothing for {(t_ns - self._pending_since_ns) // NS_PER_MS} ms")
        else:
            self.wake_ns = t_ns + RETRY_NS

    def _lost(self, t_ns: int, what: str, raw: bytes = b"") -> LinkLost:
        """Give the port up until the next try."""
        self.close()
        self._closed = False
        self.trouble = f"{self.port}: {what}"
        self.wake_ns = t_ns + self._back_off_ns
        return LinkLost(self.name, t_ns, self.trouble, raw[:64])


def _check_line(name: str, baud: int, parity: str, stopbits: float) -> None:
    if baud <= 0:
        raise InputError(f"{name}: {baud} baud; a port needs more than 0, e.g. 115200")
    if parity not in ("N", "E", "O", "M", "S"):
        raise InputError(f"{name}: parity {parity!r}; write N (none), E (even), O (odd), M or S")
    if stopbits not in (1, 1.5, 2):
        raise InputError(f"{name}: {stopbits} stop bits; a port has 1, 1.5 or 2")
