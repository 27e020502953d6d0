"""A service's tap: a sink that hands every passed byte to whoever listens at a unix socket, and never waits for them.

A listener gets what passes from when it came; it cannot write to a wire, and what it sends is thrown away. Each has a
buffer of its own; one that reads too slowly loses whole records and is told how many. The file has mode 0660: whoever
shall listen has to be in the group the service runs as. The format: drivers.links.tap_records.
"""

from __future__ import annotations

import select
import socket
from pathlib import Path

from drivers.links.tap_records import (
    TapWire,
    encode_hello,
    encode_line,
    encode_lost,
    encode_passed,
    encode_repeated,
)
from drivers.links.unix_ear import UnixEar

LISTENERS = 4
BUFFER_B = 1 << 18
"""What may wait for one listener beside what the socket itself takes (some 200 kB). A radar's wire gives 11 kB/s."""
_READ_B = 4096


class TapServer:
    """A sink (drivers.links.tap.Sink and LineSink) and a source for the loop's poll().

    Args:
        path: of the socket, e.g. ``/run/leeze/kanalpromenade-lamp.tap``. Its folder has to exist.
        board: whose wires these are.
        wires: in the order of the numbers their taps were given.
        listeners: most at a time; further ones are hung up on.
        buffer_b: what may wait for each.

    Nothing is open at first: see `open`. Without a listener a byte costs a comparison.
    """

    def __init__(
        self,
        path: Path,
        board: str,
        wires: tuple[TapWire, ...],
        *,
        listeners: int = LISTENERS,
        buffer_b: int = BUFFER_B,
    ) -> None:
        self.path = path
        self._hello = encode_hello(board, wires)
        self._limit, self._buffer_b = listeners, buffer_b
        self._lines: dict[int, bytes] = {}
        self._ear: UnixEar | None = None
        self._poll: select.epoll | None = None
        self._listeners: dict[int, _Listener] = {}

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    def open(self) -> None:
        """Make the socket; a file that a dead service has left is replaced.

        Raises InputError: no such folder, no permission, another service has this tap, a file that is no socket.
        """
        self._ear = UnixEar(self.path, "tap", "--tap", self._limit)
        self._poll = select.epoll()
        self._poll.register(self._ear.fileno(), select.EPOLLIN)

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        """Hand it to every listener."""
        if self._listeners:
            self._tell(encode_passed(wire, outward, data, t_ns), len(data), t_ns)

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """Likewise."""
        if self._listeners:
            self._tell(encode_repeated(wire, frame, first_ns, last_ns, count), count * len(frame), last_ns)

    def line(self, wire: int, baud: int, parity: str, stopbits: float, t_ns: int) -> None:
        """Likewise, and kept for whoever comes later."""
        self._lines[wire] = record = encode_line(wire, baud, parity, stopbits, t_ns)
        if self._listeners:
            self._tell(record, 0, t_ns)

    def fileno(self) -> int | None:
        """For poll(): readable when a listener comes, goes, or takes more. None while it is not open."""
        return None if self._poll is None else self._poll.fileno()

    def pump(self, t_ns: int) -> None:
        """Do what poll() has told of; never waits."""
        if self._poll is None or self._ear is None:
            return
        for fd, events in self._poll.poll(0):
            if fd == self._ear.fileno():
                self._accept()
                continue
            listener = self._listeners.get(fd)
            if listener is not None and not listener.serve(events, t_ns):
                self._drop(listener)

    def close(self) -> None:
        """Hang up on everybody and take the file away; a second call does nothing."""
        for listener in list(self._listeners.values()):
            self._drop(listener)
        if self._ear is None or self._poll is None:
            return
        self._poll.close()
        self._ear.close()
        self._ear = self._poll = None

    def _accept(self) -> None:
        assert self._ear is not None
        assert self._poll is not None
        end = self._ear.accept()
        if end is None:
            return
        if len(self._listeners) >= self._limit:
            end.close()
            return
        listener = _Listener(end, self._poll, self._buffer_b)
        self._listeners[end.fileno()] = listener
        for record in (self._hello, *self._lines.values()):
            if not listener.take(record, 0, 0):
                self._drop(listener)
                return

    def _tell(self, record: bytes, data_b: int, t_ns: int) -> None:
        gone = [listener for listener in self._listeners.values() if not listener.take(record, data_b, t_ns)]
        for listener in gone:
            self._drop(listener)

    def _drop(self, listener: _Listener) -> None:
        del self._listeners[listener.fd]
        listener.close()


class _Listener:
    """One who listens. `take` and `serve` give False when it has gone."""

    def __init__(self, end: socket.socket, poll: select.epoll, buffer_b: int) -> None:
        self.fd = end.fileno()
        self._end, self._poll, self._buffer_b = end, poll, buffer_b
        self._waiting = bytearray()
        self._lost_records = self._lost_b = 0
        poll.register(self.fd, select.EPOLLIN)

    def take(self, record: bytes, data_b: int, t_ns: int) -> bool:
        """Send it, keep it, or lose it. After a loss nothing is taken until half of the buffer is free."""
        waiting = self._waiting
        room_b = self._buffer_b // 2 if self._lost_records else self._buffer_b
        if len(waiting) + len(record) > room_b:
            self._lost_records += 1
            self._lost_b += data_b
            return True
        if self._lost_records:
            record = encode_lost(t_ns, self._lost_records, self._lost_b) + record
            self._lost_records = self._lost_b = 0
        if waiting:
            waiting += record
            return True
        sent = self._send(record)
        if 0 <= sent < len(record):
            waiting += record[sent:]
            self._poll.modify(self.fd, select.EPOLLIN | select.EPOLLOUT)
        return sent >= 0

    def serve(self, events: int, t_ns: int) -> bool:
        """Throw away what it says; give it what waits. Once it has caught up it is told what it has missed."""
        if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR) and not self._is_there():
            return False
        if not events & select.EPOLLOUT:
            return True
        sent = self._send(self._waiting)
        if sent < 0:
            return False
        del self._waiting[:sent]
        if not self._waiting and self._lost_records:
            self._waiting += encode_lost(t_ns, self._lost_records, self._lost_b)
            self._lost_records = self._lost_b = 0
        if not self._waiting:
            self._poll.modify(self.fd, select.EPOLLIN)
        return True

    def close(self) -> None:
        self._poll.unregister(self.fd)
        self._end.close()

    def _is_there(self) -> bool:
        try:
            return bool(self._end.recv(_READ_B))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _send(self, data: bytes | bytearray) -> int:
        """How much the socket took; -1 when there is nobody."""
        try:
            return self._end.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return -1
