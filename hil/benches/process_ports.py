"""The rig's ends of a program's wires: a pseudo-terminal, a panel's socket, a broker's topic, single lines.

One thread serves all of them (hil.benches.contract_bench). A chunk arrives when its last byte would have: at the peer's
time, or later where the wire is still busy with what came before, so never faster than its bit rate. Longer ones come
in groups, as a receiver with a buffer hands them over.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import pty
import select
import socket
import struct
import termios
import tty
from collections import deque
from collections.abc import Callable
from pathlib import Path

from drivers.clock import SystemClock
from drivers.codecs.panel_stream import AGAIN, FRAME, PanelStream, encode
from drivers.links.mqtt import MqttSettings
from drivers.links.unix_ear import UnixEar
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.benches.contract_bench import Blocked
from hil.benches.lateness import Lateness
from hil.benches.misheard import misheard
from hil.peers.gpio_lines import LinesPeer
from hil.peers.gpio_stream import GpioSocket
from hil.peers.signal_publisher import BrokerWay

GROUP_B = 64
"""As many bytes as a USB adapter hands over at once."""

BITS = 10
_UNREAD_NS = 5 * NS_PER_S
_AGAIN_NS = 5 * NS_PER_MS
_TURN_NS = 50 * NS_PER_MS
_READ_B = 65_536
_TCGETS2 = 0x802C542A
_TERMIOS2 = struct.Struct("4IB19s2I")


def unheard(data: bytes, t_ns: int) -> None:
    """Nobody has been told yet."""


class Outbox:
    """What is to go out, each group with its due time; never faster than `baud` (0: no pace)."""

    def __init__(self, baud: int) -> None:
        self.baud = baud
        self._queue: deque[tuple[int, bytes]] = deque()
        self._free_ns = 0

    @property
    def due_ns(self) -> int:
        """Of the next group; FOREVER_NS without."""
        return self._queue[0][0] if self._queue else FOREVER_NS

    def put(self, data: bytes, due_ns: int) -> None:
        """One chunk, to arrive at `due_ns` at the earliest."""
        lasts_ns = self._lasts_ns(len(data))
        end_ns = self._free_ns = max(due_ns, self._free_ns + lasts_ns)
        size = GROUP_B if self.baud else max(1, len(data))
        for at in range(0, len(data), size):
            group = data[at : at + size]
            self._queue.append((max(due_ns, end_ns - self._lasts_ns(len(data) - at - len(group))), group))

    def take(self) -> tuple[int, bytes]:
        """The next group and its due time."""
        return self._queue.popleft()

    def put_back(self, due_ns: int, data: bytes) -> None:
        """What was not taken by the wire."""
        self._queue.appendleft((due_ns, data))

    def clear(self) -> None:
        """Forget everything."""
        self._queue.clear()

    def _lasts_ns(self, count: int) -> int:
        return count * BITS * NS_PER_S // self.baud if self.baud else 0


class PtyPort:
    """A pseudo-terminal whose master we are; `path` is the port for the program. Implements Port.

    `baud` is the bit rate that the part at our end really has; where the program sets another, both sides mishear.
    """

    def __init__(self, name: str, baud: int) -> None:
        self.name, self.baud = name, baud
        self.heard: Callable[[bytes, int], None] = unheard
        self.lateness = Lateness()
        self.wrong_baud = 0
        """The bit rate that the program had set when it was another than the part's; 0 if it never was."""
        self._outbox, self._clock, self._again_ns = Outbox(baud), SystemClock(), 0
        self._line = array.array("B", bytes(_TERMIOS2.size))
        try:
            self._master, self._slave = pty.openpty()
        except OSError as error:
            raise Blocked(f"{name}: no pseudo-terminal is left ({error.strerror}); end what holds them") from None
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)  # ours stays open: a master without one cannot be polled

    @property
    def wake_ns(self) -> int:
        """When the next group is due."""
        return max(self._outbox.due_ns, self._again_ns)

    def fileno(self) -> int | None:
        """Of the master."""
        return self._master if self._master >= 0 else None

    def heard_baud(self) -> int:
        """The bit rate that the program has set."""
        fcntl.ioctl(self._master, _TCGETS2, self._line, True)
        return int(_TERMIOS2.unpack(self._line)[-1])

    def send(self, data: bytes, due_ns: int) -> None:
        """At the wire's pace."""
        self._outbox.put(data, due_ns)

    def turn(self, now_ns: int) -> None:
        """Write what is due, read what has come."""
        outbox = self._outbox
        while outbox.due_ns <= now_ns:
            due_ns, data = outbox.take()
            said = self._at_its_baud(data, outward=False)
            now_ns = self._clock.now_ns()
            try:
                taken = os.write(self._master, said)
            except BlockingIOError:  # nobody reads; on a real line it would be lost at once
                self._again_ns = now_ns + _AGAIN_NS
                if now_ns - due_ns < _UNREAD_NS:
                    outbox.put_back(due_ns, data)
                    break
                continue
            self.lateness.add(taken, now_ns - due_ns)
            if taken < len(said):
                outbox.put_back(due_ns, said[taken:])
                self._again_ns = now_ns + _AGAIN_NS
                break
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._master, _READ_B)
            now_ns = self._clock.now_ns()
            if data := self._at_its_baud(data, outward=True):
                self.heard(data, now_ns)

    def _at_its_baud(self, data: bytes, *, outward: bool) -> bytes:
        set_to = self.heard_baud()
        if not self.baud or set_to == self.baud:
            return data
        self.wrong_baud = set_to
        return misheard(data, set_to, self.baud) if outward else misheard(data, self.baud, set_to)

    def forget(self) -> None:
        """The board has lost power: whatever is under way is lost."""
        self._outbox.clear()
        termios.tcflush(self._slave, termios.TCIOFLUSH)

    def close(self) -> None:
        """The program sees its port vanish."""
        if self._master >= 0:
            os.close(self._slave)
            os.close(self._master)
            self._master = -1


class PanelPort:
    """In place of the panel process: takes the frames of one program. Implements Port."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.heard: Callable[[bytes, int], None] = unheard
        self.lateness = Lateness()
        self.wake_ns = FOREVER_NS
        self._ear = UnixEar(path, "panel", "--socket", 4)
        self._stream, self._clock = PanelStream(), SystemClock()
        self._end: socket.socket | None = None
        self._epoll = select.epoll()
        self._epoll.register(self._ear.fileno(), select.EPOLLIN)

    def fileno(self) -> int | None:
        """For poll()."""
        return None if self._epoll.closed else self._epoll.fileno()

    def send(self, data: bytes, due_ns: int) -> None:
        """A panel says nothing that a case would know."""

    def turn(self, now_ns: int) -> None:
        """Take whoever comes, and their frames."""
        came = self._ear.accept()
        if came is not None:
            self._hang_up()
            self._end = came
            self._stream.forget()
            self._epoll.register(came, select.EPOLLIN)
            with contextlib.suppress(OSError):
                came.send(encode(AGAIN))
        if self._end is None:
            return
        try:
            data = self._end.recv(_READ_B)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._hang_up()
            return
        now_ns = self._clock.now_ns()
        for record in self._stream.feed(data):
            if record.kind == FRAME:
                self.heard(record.body, now_ns)

    def close(self) -> None:
        """The program sees its panel vanish."""
        if not self._epoll.closed:
            self._hang_up()
            self._epoll.close()
            self._ear.close()

    def _hang_up(self) -> None:
        if self._end is not None:
            self._epoll.unregister(self._end)
            self._end.close()
            self._end = None


class BrokerPort:
    """Publishes to the broker that the program listens to. Implements Port; of the wire itself nothing is heard."""

    def __init__(self, name: str, host: str, port: int, topic: str, settings: MqttSettings) -> None:
        self.name = name
        self.heard: Callable[[bytes, int], None] = unheard
        self.lateness = Lateness()
        self._way = BrokerWay(host, port, topic, settings)
        self._outbox, self._clock = Outbox(0), SystemClock()
        self._turn_ns = 0

    @property
    def wake_ns(self) -> int:
        """When the next message is due, or the connection wants to be looked at."""
        return min(self._outbox.due_ns, self._turn_ns)

    @property
    def trouble(self) -> str:
        """Why nothing leaves; empty while it does."""
        return self._way.trouble

    def fileno(self) -> int | None:
        """None: what the broker says is looked at when it is time."""
        return None

    def send(self, data: bytes, due_ns: int) -> None:
        """One message."""
        self._outbox.put(data, due_ns)

    def turn(self, now_ns: int) -> None:
        """Publish what is due; what the broker does not take is lost, as at a signal controller."""
        while self._outbox.due_ns <= now_ns:
            due_ns, data = self._outbox.take()
            now_ns = self._clock.now_ns()
            if self._way.send(data, now_ns):
                self.lateness.add(len(data), now_ns - due_ns)
        if now_ns >= self._turn_ns:
            self._turn_ns = now_ns + _TURN_NS
            self._way.turn(now_ns)

    def close(self) -> None:
        """With a goodbye."""
        self._way.close()


class LinesPort:
    """The circuit at single lines, behind our pin factory. Implements Port.

    Its bytes belong to no reference (in process nobody feeds a relay); what is kept is how often each output has
    changed, and its longest rest.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path
        self.heard: Callable[[bytes, int], None] = unheard
        self.lateness = Lateness()
        self.wake_ns = FOREVER_NS
        self.changes: dict[int, int] = {}
        self.longest_rest_ns: dict[int, int] = {}
        self._changed_ns: dict[int, int] = {}
        self._socket, self._clock = GpioSocket(name, path), SystemClock()
        self.peer = LinesPeer(name, self._socket)
        self._socket.on_end = self._ended
        self.peer.on_change = self._changed

    def fileno(self) -> int | None:
        """For poll()."""
        return self._socket.fileno()

    def send(self, data: bytes, due_ns: int) -> None:
        """Nothing drives the board's inputs."""

    def turn(self, now_ns: int) -> None:
        """See what the board does."""
        self._socket.pump(now_ns)

    def close(self) -> None:
        """The pins end nowhere."""
        self._socket.close()

    def begins(self) -> None:
        """A program is let go: from now on its lines may not rest."""
        self._changed_ns.clear()

    def _ended(self, t_ns: int) -> None:
        """The program has gone: what its lines do until another comes is no rest of its own."""
        self.peer.end(t_ns)
        self._changed_ns.clear()

    def _changed(self, line: int, level: int, t_ns: int) -> None:
        since_ns = self._changed_ns.get(line)
        if since_ns is not None:
            self.longest_rest_ns[line] = max(self.longest_rest_ns.get(line, 0), t_ns - since_ns)
        self._changed_ns[line] = t_ns
        self.changes[line] = self.changes.get(line, 0) + 1
