"""The far end of ``rfc2217://``: a serial port behind a telnet connection, which is asked for its bit rate and parity.

The telnet side is pyserial's `PortManager`; this is the port that it steers, and a gate: bytes pass only while the
client has asked for the parity that the part behind the port has. It opens nothing: whoever has the connection feeds
`heard` and sends what `send` is given (hil.benches.rfc2217_wire).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

AskedFor = Callable[[int, str, float], None]
"""Called with (baud, parity, stopbits) when the client has asked for another of them."""


class Line(msgspec.Struct, frozen=True):
    """What a client has asked for: ``Line(115_200, "E", 1)``."""

    baud: int
    parity: str
    stopbits: float


class Rfc2217Port:
    """One client's port.

    Args:
        send: where bytes for the client go, telnet and all.
        asked_for: told when the client asks for another line.
        parity: of the part behind the port; None: any will do.

    `line` is what the client has asked for last, 9600 8N1 before it has asked. `refused_bytes` counts, both ways, what
    did not pass because its parity is not the part's.
    """

    def __init__(self, send: Callable[[bytes], None], asked_for: AskedFor, parity: str | None = None) -> None:
        from serial.rfc2217 import PortManager

        self.refused_bytes = 0
        self._send, self._parity = send, parity
        self._port = _SteeredPort(asked_for)
        connection: Any = _Connection(send)
        port: Any = self._port
        self._telnet = PortManager(port, connection)

    @property
    def line(self) -> Line:
        """What the client has asked for."""
        return self._port.line

    def heard(self, data: bytes) -> bytes:
        """Bytes came from the client: what of them goes out on the serial side."""
        passed = b"".join(self._telnet.filter(data))
        return self._gate(passed)

    def say(self, data: bytes) -> None:
        """Bytes came in on the serial side: to the client with them."""
        data = self._gate(data)
        if data:
            self._send(b"".join(self._telnet.escape(data)))

    def _gate(self, data: bytes) -> bytes:
        if self._parity is None or self._port.line.parity == self._parity:
            return data
        self.refused_bytes += len(data)
        return b""


class _Connection:
    """What PortManager wants of a connection."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self.write = send


class _SteeredPort:
    """What PortManager wants of a serial port; it reads and sets these by name."""

    bytesize = 8
    xonxoff = rtscts = dtr = rts = break_condition = False
    cts = dsr = True
    ri = cd = False

    def __init__(self, asked_for: AskedFor) -> None:
        self.line = Line(9_600, "N", 1)
        self._asked_for = asked_for

    def _ask(self, line: Line) -> None:
        if line != self.line:
            self.line = line
            self._asked_for(line.baud, line.parity, line.stopbits)

    @property
    def baudrate(self) -> int:
        return self.line.baud

    @baudrate.setter
    def baudrate(self, baud: int) -> None:
        self._ask(msgspec.structs.replace(self.line, baud=baud))

    @property
    def parity(self) -> str:
        return self.line.parity

    @parity.setter
    def parity(self, parity: str) -> None:
        self._ask(msgspec.structs.replace(self.line, parity=parity))

    @property
    def stopbits(self) -> float:
        return self.line.stopbits

    @stopbits.setter
    def stopbits(self, stopbits: float) -> None:
        self._ask(msgspec.structs.replace(self.line, stopbits=stopbits))

    def reset_input_buffer(self) -> None:
        """Nothing waits here."""

    def reset_output_buffer(self) -> None:
        """Nothing waits here."""
