"""Wires of the stand-in rig: two ports each, with a delay between them (hil.rig.stand_in)."""

from __future__ import annotations

import os
import pty
import socket
import tty
from collections import deque
from contextlib import suppress

from drivers.units import FOREVER_NS, NS_PER_S
from hil.benches.misheard import misheard
from hil.peers.rfc2217 import Rfc2217Port
from hil.traffic.chance import draw

READ_B = 65_536


class End:
    """One end of a wire, `kind` "pty", "socket" or "rfc2217": whoever is connected at `url`, and what they say."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._server: socket.socket | None = None
        self._peer: socket.socket | None = None
        self._telnet: Rfc2217Port | None = None
        self._master = -1
        self._slave = -1
        if kind == "pty":
            self._master, self._slave = pty.openpty()
            tty.setraw(self._slave)
            os.set_blocking(self._master, False)
            self.url = os.ttyname(self._slave)
        else:
            self._server = socket.create_server(("127.0.0.1", 0))
            self._server.setblocking(False)
            scheme = "rfc2217" if kind == "rfc2217" else "socket"
            self.url = f"{scheme}://127.0.0.1:{self._server.getsockname()[1]}"

    @property
    def connected(self) -> bool:
        """Somebody is there."""
        return self.kind == "pty" or self._peer is not None

    @property
    def baud(self) -> int:
        """What was asked for; 0 where it cannot be."""
        return self._telnet.line.baud if self._telnet is not None else 0

    @property
    def parity(self) -> str:
        """What was asked for; "" where it cannot be."""
        return self._telnet.line.parity if self._telnet is not None else ""

    def fds(self) -> list[int]:
        """For poll()."""
        found = [self._master] if self._master >= 0 else []
        return found + [one.fileno() for one in (self._server, self._peer) if one is not None]

    def read(self) -> bytes:
        """What has come; takes whoever comes in place of nobody."""
        if self._master >= 0:
            with suppress(OSError):
                return os.read(self._master, READ_B)
            return b""
        if self._server is not None:
            with suppress(OSError):
                came, _ = self._server.accept()
                if self._peer is not None:  # one at a time, as a port server has it
                    came.close()
                else:
                    came.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    came.setblocking(False)
                    self._peer = came
                    if self.kind == "rfc2217":
                        self._telnet = Rfc2217Port(self._send, lambda baud, parity, stopbits: None)
        if self._peer is None:
            return b""
        try:
            data = self._peer.recv(READ_B)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._peer.close()
            self._peer = self._telnet = None
            return b""
        return data if self._telnet is None else self._telnet.heard(data)

    def write(self, data: bytes) -> None:
        """To whoever is connected; lost where nobody is."""
        if self._master >= 0:
            with suppress(OSError):
                os.write(self._master, data)
        elif self._telnet is not None:
            self._telnet.say(data)
        else:
            self._send(data)

    def _send(self, data: bytes) -> None:
        if self._peer is not None:
            with suppress(OSError):
                self._peer.sendall(data)

    def close(self) -> None:
        """Whoever is connected sees the port vanish."""
        for one in (self._server, self._peer):
            if one is not None:
                one.close()
        self._server = self._peer = self._telnet = None
        if self._master >= 0:
            os.close(self._slave)
            os.close(self._master)
            self._master = -1


class Line:
    """One wire: what comes in at one end goes out at the other `latency_ns` later, give or take `jitter_ns`."""

    def __init__(self, name: str, board_kind: str, rig_kind: str, baud: int, latency_ns: int, jitter_ns: int) -> None:
        self.name = name
        self.board, self.rig = End(board_kind), End(rig_kind)
        self.other: Line = self
        """Where what the rig says comes out: another one where wires are swapped."""
        self.dead = False
        self._baud, self._latency_ns, self._jitter_ns, self._count = baud, latency_ns, jitter_ns, 0
        self._held: deque[tuple[int, End, bytes]] = deque()

    @property
    def due_ns(self) -> int:
        """When the next bytes come out."""
        return self._held[0][0] if self._held else FOREVER_NS

    def serve(self, now_ns: int, powered: bool) -> None:
        """Take in what has come, let out what is due."""
        from_rig, from_board = self.rig.read(), self.board.read()
        if from_rig and not powered:
            on_wire_ns = len(from_rig) * 10 * NS_PER_S // self._baud if self.rig.kind == "pty" else 0
            self._hold(self.rig, from_rig, now_ns + on_wire_ns + 2 * self._latency_ns)
        elif from_rig and not self.dead:
            self._hold(
                self.other.board, self._at_the_baud(from_rig, self.rig, self.other.board), now_ns + self._latency_ns
            )
        if from_board and not self.dead:
            other = self.other.rig
            self._hold(other, self._at_the_baud(from_board, self.board, other), now_ns + self._latency_ns)
        while self._held and self._held[0][0] <= now_ns:
            _, end, data = self._held.popleft()
            end.write(data)

    def _hold(self, end: End, data: bytes, due_ns: int) -> None:
        self._count += 1
        if self._jitter_ns:
            due_ns += draw(0, self._count) % (2 * self._jitter_ns) - self._jitter_ns
        if self._held:
            due_ns = max(due_ns, self._held[-1][0])
        if data:
            self._held.append((due_ns, end, data))

    @staticmethod
    def _at_the_baud(data: bytes, one: End, other: End) -> bytes:
        if one.parity and other.parity and one.parity != other.parity:
            return b""
        return misheard(data, one.baud, other.baud) if one.baud and other.baud else data
