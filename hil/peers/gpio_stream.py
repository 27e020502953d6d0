"""The rig's end of a unix socket to which a program's pins lead (`hil.peers.gpio_factory`)."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from drivers.errors import BenchError, LinkLost
from drivers.interfaces import Receiver, RepeatReceiver, unheard, unheard_repeat
from hil.peers.gpio_lines import LinesPeer

READ_B = 65536


def nobody_left(t_ns: int) -> None:
    """Nobody cares that the program has gone."""


class GpioSocket:
    """Implements ByteLink: listens, and talks to one program at a time; a new one takes the place of the old.

    Args:
        name: of the wire.
        path: where the socket lies; an old one there is removed. Programs find it by ``LEEZE_GPIO``.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path
        self.receiver: Receiver = unheard
        self.repeat_receiver: RepeatReceiver = unheard_repeat
        self.on_end: Callable[[int], None] = nobody_left
        """Called when the program has gone."""
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listening.bind(str(path))
        except OSError as error:
            self._listening.close()
            raise BenchError(f"{path}: no socket there: {error.strerror or error}; a shorter TMPDIR may help") from None
        self._listening.listen(1)
        self._listening.setblocking(False)
        self._program: socket.socket | None = None
        self._epoll = select.epoll()
        self._epoll.register(self._listening, select.EPOLLIN)

    @property
    def is_connected(self) -> bool:
        """True while a program is there."""
        return self._program is not None

    def write(self, data: bytes, t_ns: int) -> None:
        """Send to the program; lost where there is none, as on pins that nobody reads. Raises LinkLost."""
        if self._program is None:
            return
        try:
            self._program.sendall(data)
        except OSError as error:
            self._drop(t_ns)
            raise LinkLost(self.name, t_ns, f"the program is gone ({os.strerror(error.errno or 0)})", data) from None

    def pump(self, t_ns: int) -> None:
        """Take in a new program, and what the present one says."""
        with contextlib.suppress(BlockingIOError):
            program, _ = self._listening.accept()
            self._drop(t_ns)
            program.setblocking(False)
            self._program = program
            self._epoll.register(program, select.EPOLLIN)
        if self._program is None:
            return
        try:
            data = self._program.recv(READ_B)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if data:
            self.receiver(data, t_ns)
        else:
            self._drop(t_ns)

    def fileno(self) -> int | None:
        """For poll(): readable when there is something for `pump`."""
        return None if self._epoll.closed else self._epoll.fileno()

    def close(self) -> None:
        """Close and remove the socket; a second call does nothing."""
        if self._epoll.closed:
            return
        if self._program is not None:
            self._program.close()
            self._program = None
        self._epoll.close()
        self._listening.close()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def _drop(self, t_ns: int) -> None:
        program, self._program = self._program, None
        if program is not None:
            self._epoll.unregister(program)
            program.close()
            self.on_end(t_ns)


def lines_at(name: str, path: Path, inputs: Mapping[int, int] | None = None) -> tuple[LinesPeer, GpioSocket]:
    """A circuit behind a socket at `path`; pump the socket, drive and look at the lines."""
    link = GpioSocket(name, path)
    lines = LinesPeer(name, link, inputs)
    link.on_end = lines.end
    return lines, link
