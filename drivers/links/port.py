"""Open serial ports, whatever stands behind the address; `drivers.links.uart` makes a link of one.

Nothing here waits. Reading and writing go to the file descriptor directly: a terminal set up by pyserial (VMIN 0) gives
an empty read both when nothing has come and when the adapter was pulled; only poll() tells the two apart.
`socket://` is opened here and not by pyserial, whose close() sleeps 0.3 s and which leaves Nagle's delay on.
"""

from __future__ import annotations

import errno
import os
import select
from pathlib import Path
from typing import Any, Protocol

READ_B = 65536
CONNECT_S = 1.0


class Port(Protocol):
    """An open port."""

    def read(self) -> bytes:
        """What has arrived; OSError if the port is gone."""

    def write(self, data: bytes | bytearray) -> int:
        """How many bytes it took; OSError if the port is gone."""

    def set_line(self, baud: int, parity: str) -> None:
        """OSError or ValueError if it refuses."""

    def fileno(self) -> int | None:
        """For poll()."""

    def close(self) -> None:
        """Never raises."""


class _Descriptor:
    """A port with a non-blocking file descriptor; `owner` opened it and closes it."""

    def __init__(self, owner: Any, terminal: bool) -> None:
        self._owner, self._fd, self._terminal = owner, owner.fileno(), terminal
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    def read(self) -> bytes:
        try:
            data = os.read(self._fd, READ_B)
            if data or (self._terminal and not self._poll.poll(0)):
                return data
            data = os.read(self._fd, READ_B)  # came in between, or the port is gone
        except BlockingIOError:
            return b""
        if not data:
            raise ConnectionError("end of stream")
        return data

    def write(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0

    def set_line(self, baud: int, parity: str) -> None:
        if self._terminal:
            _set_line(self._owner, baud, parity)

    def fileno(self) -> int | None:
        return int(self._fd)

    def close(self) -> None:
        self._owner.close()


class _Library:
    """A pyserial port without a file descriptor: loop://, rfc2217://."""

    def __init__(self, port: Any) -> None:
        self._port = port

    def read(self) -> bytes:
        """All there is: rfc2217:// gives one byte a call when told not to wait."""
        data = b""
        while len(data) < READ_B and (more := self._port.read(max(1, self._port.in_waiting))):
            data += more
        return data

    def write(self, data: bytes | bytearray) -> int:
        room = getattr(self._port, "buffer_size", READ_B)
        if room < READ_B:  # loop:// waits for room for ever, so give it no more than it has
            room -= self._port.in_waiting
        return int(self._port.write(bytes(data[:room]))) if room > 0 else 0

    def set_line(self, baud: int, parity: str) -> None:
        _set_line(self._port, baud, parity)

    def fileno(self) -> int | None:
        return None

    def close(self) -> None:
        self._port.close()


def open_port(port: str, baud: int, parity: str, stopbits: float) -> Port:
    """Open `port`: a device file, ``socket://HOST:PORT``, ``unix://PATH``, or a URL of pyserial.

    Raises OSError or ValueError.
    """
    if port.startswith("unix://"):
        return _Descriptor(_local(port), terminal=False)
    if port.startswith("socket://"):
        return _Descriptor(_connected(port), terminal=False)
    import serial

    settings: dict[str, Any] = {"baudrate": baud, "parity": parity, "stopbits": stopbits, "timeout": 0}
    if port.startswith("rfc2217://"):
        return _Library(_remote(port, settings))
    if "://" in port:
        return _Library(serial.serial_for_url(port, **settings))
    try:
        return _Descriptor(serial.serial_for_url(port, exclusive=True, **settings), terminal=True)
    except _terminal_error() as error:
        raise OSError(*error.args) from None


def _connected(url: str) -> Any:
    import socket
    from urllib.parse import urlsplit

    place = urlsplit(url)
    if not place.hostname or not place.port:
        raise ValueError("write it as socket://HOST:PORT")
    end = socket.create_connection((place.hostname, place.port), timeout=CONNECT_S)
    end.setblocking(False)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return end


def _local(url: str) -> Any:
    import socket

    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        end.connect(url.removeprefix("unix://"))
    except OSError:
        end.close()
        raise
    return end


def _remote(url: str, settings: dict[str, Any]) -> Any:
    """A port behind an RFC 2217 server. pyserial waits in here, for each answer as long as ``?timeout=`` says."""
    import warnings

    import serial

    if "timeout=" not in url:
        url += f"{'&' if '?' in url else '?'}timeout={CONNECT_S:g}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pyserial 3.5 calls setDaemon and setName of its thread
        return serial.serial_for_url(url, **settings)


def _set_line(port: Any, baud: int, parity: str) -> None:
    """Only what changes: each setting of a remote port takes 0.1 s, and a pseudo-terminal refuses parity."""
    try:
        if port.baudrate != baud:
            port.baudrate = baud
        if port.parity != parity:
            port.parity = parity
    except _terminal_error() as error:
        raise OSError(*error.args) from None


def _terminal_error() -> type[Exception]:
    import termios

    return termios.error


def reason(error: Exception) -> str:
    """The operating system's words for an error, e.g. ``"Input/output error"``."""
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)


def mend(port: str, error: Exception) -> str:
    """Why `port` does not open, and what to do."""
    match getattr(error, "errno", None):
        case errno.EACCES | errno.EPERM:
            return "no permission; add the user to the group dialout (usermod -aG dialout USER) and log in again"
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            there = sorted(map(str, [*Path("/dev/serial/by-id").glob("*"), *Path("/dev").glob("tty[AU][MCS][ABM]*")]))
            return f"no such port; is the adapter plugged in? There are: {', '.join(there) or 'none'}"
        case errno.EAGAIN | errno.EBUSY:
            return f"another program uses it; find it with: fuser {port}"
        case errno.ECONNREFUSED:
            return "nobody listens there; start the far end first"
        case errno.EINVAL | errno.ENOTTY:
            return f"not a serial port with these settings ({reason(error)})"
    return f"cannot be opened: {reason(error)}"
