"""A serial wire behind an RFC 2217 server on this machine: the one wire here whose parity is real to both ends.

A program opens `url` as its port, a peer of ours sits at the far end and is told the line that the program asks for.
Real time, one thread a wire, one client at a time.
"""

from __future__ import annotations

import os
import select
import socket
import threading

from drivers.clock import SystemClock
from drivers.links.memory import memory_pair
from drivers.units import NS_PER_MS
from hil.benches.pty_wire import RunningPeer
from hil.peers.rfc2217 import Line, Rfc2217Port

_JOIN_S = 2.0
_LONGEST_MS = 50


class Rfc2217Wire:
    """One wire; use as a context manager.

    Args:
        name: of the wire.
        parity: of the part; bytes of a client that asks for another are refused and counted. None: any will do.
        silent: accept clients and never answer, as a port that is no RFC 2217 server does.

    `peer` is what to run (set it before `start`); its end of the wire is `far`. `url` is the port for the program.
    `asked` is every line that clients have asked for.
    """

    def __init__(self, name: str, *, parity: str | None = None, silent: bool = False) -> None:
        self.name = name
        self.near, self.far = memory_pair(name)
        self.near.receiver = self._outward
        self.peer: RunningPeer | None = None
        self.asked: list[Line] = []
        self.clients = self.refused_bytes = 0
        self.fault: BaseException | None = None
        self._parity, self._silent = parity, silent
        self._clock = SystemClock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"rfc2217://127.0.0.1:{self._server.getsockname()[1]}"
        self._client: socket.socket | None = None
        self._port: Rfc2217Port | None = None
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"rfc2217 {name}", daemon=True)

    def start(self) -> None:
        """Run the peer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the peer and close the wire: the program sees its port vanish. A second call does nothing."""
        if self._stop.is_set():
            return
        self._stop.set()
        os.write(self._wake_write, b"x")
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)
        self._hang_up()
        self._server.close()
        for fd in (self._wake_read, self._wake_write):
            os.close(fd)

    def __enter__(self) -> Rfc2217Wire:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        if self.fault is not None:
            raise self.fault

    def _outward(self, data: bytes, t_ns: int) -> None:
        """The peer says something."""
        if self._port is not None:
            self._port.say(data)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                now_ns = self._clock.now_ns()
                if self.peer is not None and self.peer.wake_ns <= now_ns:
                    self.peer.run(now_ns)
                heard = self._server if self._client is None else self._client
                ready, _, _ = select.select([heard.fileno(), self._wake_read], [], [], self._patience_s(now_ns))
                if heard.fileno() not in ready:
                    continue
                if heard is self._server:
                    self._accept()
                else:
                    self._hear()
        except BaseException as fault:  # told to whoever owns the wire
            self.fault = fault

    def _patience_s(self, now_ns: int) -> float:
        wake_ns = now_ns + _LONGEST_MS * NS_PER_MS
        if self.peer is not None:
            wake_ns = min(wake_ns, self.peer.wake_ns)
        return max(0, wake_ns - now_ns) / 1e9

    def _accept(self) -> None:
        self._client, _ = self._server.accept()
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.clients += 1
        if not self._silent:
            self._port = Rfc2217Port(self._send, self._asked_for, self._parity)

    def _send(self, data: bytes) -> None:
        try:
            if self._client is not None:
                self._client.sendall(data)
        except OSError:
            self._hang_up()

    def _asked_for(self, baud: int, parity: str, stopbits: float) -> None:
        self.asked.append(Line(baud, parity, stopbits))
        self.near.set_line(baud, parity, self._clock.now_ns())

    def _hear(self) -> None:
        assert self._client is not None
        try:
            data = self._client.recv(65_536)
        except OSError:
            data = b""
        if not data:
            self._hang_up()
        elif self._port is not None and (passed := self._port.heard(data)):
            self.near.write(passed, self._clock.now_ns())

    def _hang_up(self) -> None:
        client, self._client = self._client, None
        port, self._port = self._port, None
        if port is not None:
            self.refused_bytes += port.refused_bytes
        if client is not None:
            client.close()
