"""Listening at a running service's tap: every byte of its wires as it passes; nothing is taken from the service."""

from __future__ import annotations

import errno
import select
import socket
from pathlib import Path

from drivers.errors import InputError, LinkLost
from drivers.links.tap import LineSink, Sink
from drivers.links.tap_records import Hello, Line, Lost, Passed, Record, RecordStream, Repeated, TapWire

HELLO_S = 2.0
_READ_B = 1 << 16


def default_path(board: str) -> Path:
    """Where the service of a board has its tap unless told otherwise: ``/run/leeze/kanalpromenade-lamp.tap``."""
    return Path("/run/leeze") / f"{board}.tap"


class TapClient:
    """A listener. `board` and `wires` are what the service said of itself; a wire's number is its place there.

    `lost_records` and `lost_b` count what was left out because we read too slowly. A context manager.

    Raises InputError where there is no tap at `path`, LinkLost where what is there does not say hello.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lost_records = self.lost_b = 0
        self._stream = RecordStream()
        self._early: list[Record] = []
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._end.settimeout(HELLO_S)
            self._end.connect(str(path))
            self._end.setblocking(False)
            hello = self._hello()
        except OSError as error:
            self._end.close()
            raise InputError(f"tap {path}: {_mend(error)}") from None
        except BaseException:
            self._end.close()
            raise
        self.board: str = hello.board
        self.wires: tuple[TapWire, ...] = hello.wires

    def __enter__(self) -> TapClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def fileno(self) -> int | None:
        """For poll(); None after `close`."""
        fd = self._end.fileno()
        return fd if fd >= 0 else None

    def read(self) -> list[Record]:
        """What has come, oldest first; never waits. Raises LinkLost when the service has ended."""
        found, self._early = self._early, []
        try:
            data = self._end.recv(_READ_B)
        except BlockingIOError:
            return found
        except OSError as error:
            raise LinkLost(f"tap {self.path}", 0, f"gone: {error.strerror}") from None
        if not data and not found:
            raise LinkLost(f"tap {self.path}", 0, "the service has ended, or hung up on us")
        found += self._decoded(data)
        for record in found:
            if isinstance(record, Lost):
                self.lost_records += record.records
                self.lost_b += record.bytes_b
        return found

    def pump(self, sink: Sink) -> None:
        """Give what has come to a sink, as the tap itself would have. Raises LinkLost as `read`."""
        line = sink.line if isinstance(sink, LineSink) else None
        for record in self.read():
            match record:
                case Passed():
                    sink.passed(record.wire, record.outward, record.data, record.t_ns)
                case Repeated():
                    sink.repeated(record.wire, record.frame, record.first_ns, record.last_ns, record.count)
                case Line() if line is not None:
                    line(record.wire, record.baud, record.parity, record.stopbits, record.t_ns)

    def close(self) -> None:
        """Stop listening; a second call does nothing."""
        self._end.close()

    def _hello(self) -> Hello:
        """The first record; later ones that came with it wait for `read`. Raises LinkLost."""
        poll = select.poll()
        poll.register(self._end.fileno(), select.POLLIN)
        place = f"tap {self.path}"
        while poll.poll(HELLO_S * 1000):  # a service that dribbles sends a few dozen bytes at most
            data = self._end.recv(_READ_B)
            if not data:
                raise LinkLost(place, 0, "hangs up at once; are there as many listeners already as it takes?")
            self._early += self._decoded(data)
            if self._early:
                first = self._early.pop(0)
                if not isinstance(first, Hello):
                    raise LinkLost(place, 0, "is no tap: it begins with something else than hello")
                return first
        raise LinkLost(place, 0, f"says nothing for {HELLO_S:.0f} s; does the service hang?")

    def _decoded(self, data: bytes) -> list[Record]:
        try:
            return self._stream.feed(data)
        except ValueError as error:
            raise LinkLost(f"tap {self.path}", 0, f"is no tap: {error}", data[:32]) from None


def _mend(error: OSError) -> str:
    match error.errno:
        case errno.ENOENT | errno.ECONNREFUSED:
            return "no service has its tap there; start it with: leeze-controllers run … --tap"
        case errno.EACCES | errno.EPERM:
            return "no permission; be in the group the service runs as (ls -l shows it)"
    return error.strerror or str(error)
