"""A serial wire on a pseudo-terminal: a program opens `path` as its port, a peer of ours sits at the far end.

A pseudo-terminal has no bit rate of its own, so this one is given one: bytes to the program leave at the pace of the
peer's line, and where the program has set another bit rate, both sides mishear each other (`hil.benches.misheard`).
What the peer says while no program has the port open is lost, as on a UART that nobody has switched on; a terminal
would keep it, at the bit rate that the last program left. Parity cannot be seen on a pseudo-terminal. Real time, one
thread a wire.
"""

from __future__ import annotations

import array
import fcntl
import os
import pty
import select
import struct
import threading
import tty
from pathlib import Path
from typing import Protocol

from drivers.clock import SystemClock
from drivers.links.memory import memory_pair
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.misheard import misheard
from hil.traffic.chance import draw

_TCGETS2 = 0x802C542A
_TERMIOS2 = struct.Struct("4IB19s2I")
_BITS = 10
_SLICE_NS = 5 * NS_PER_MS
_UNREAD_NS = 5 * NS_PER_S
"""How long bytes wait for a program that has the port open and does not read; a terminal itself keeps 4 kB more."""

_JOIN_S = 2.0

_UNREAD_BYTES = 1 << 20


class RunningPeer(Protocol):
    """A peer, as far as running it goes (hil.peers.contract.Peer)."""

    @property
    def wake_ns(self) -> int:
        """When `run` wants to be called next."""

    def run(self, now_ns: int) -> None:
        """Do what is due."""


class PtyWire:
    """One wire; use as a context manager.

    Args:
        name: of the wire.
        baud: the peer's bit rate, e.g. 115200; 0: no pace, never misheard.
        babble: fill the wire with bytes without sense in place of what the peer says.
        link_path: a symlink to the pseudo-terminal, as udev would make; replaced if it exists.

    `peer` is what to run (set it before `start`); its end of the wire is `far`. `path` is the port for the program.
    """

    def __init__(self, name: str, baud: int, *, babble: bool = False, link_path: Path | None = None) -> None:
        self.name, self.baud = name, baud
        self.near, self.far = memory_pair(name)
        self.near.receiver = self._outward
        self.peer: RunningPeer | None = None
        self._babble = babble
        self._clock = SystemClock()
        self._waiting = bytearray()
        self._heard = b""
        self._taken_ns = 0
        self._free_ns = 0
        self._counted = 0
        self._master, slave = pty.openpty()
        tty.setraw(slave)  # stays so when it is closed
        os.set_blocking(self._master, False)
        self.path = os.ttyname(slave)
        os.close(slave)  # from here on the master hangs up whenever no program has the port open
        if link_path is not None:
            link_path.unlink(missing_ok=True)
            link_path.symlink_to(self.path)
            self.path = str(link_path)
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"pty {name}", daemon=True)
        self.fault: BaseException | None = None

    @property
    def heard_baud(self) -> int:
        """The bit rate that the program has set on its port."""
        raw = array.array("B", bytes(_TERMIOS2.size))
        fcntl.ioctl(self._master, _TCGETS2, raw, True)
        return int(_TERMIOS2.unpack(raw.tobytes())[-1])

    @property
    def is_open(self) -> bool:
        """True while a program has the port open."""
        poll = select.poll()  # one of its own: any thread may ask
        poll.register(self._master, 0)
        return not poll.poll(0)

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
        for fd in (self._master, self._wake_read, self._wake_write):
            os.close(fd)

    def __enter__(self) -> PtyWire:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        if self.fault is not None:
            raise self.fault

    def _outward(self, data: bytes, t_ns: int) -> None:
        """The peer says something."""
        if not self._babble:
            self._waiting += data

    def _run(self) -> None:
        try:
            closed, opened = select.poll(), select.poll()
            for poll in (closed, opened):
                poll.register(self._wake_read, select.POLLIN)
            opened.register(self._master, select.POLLIN)  # one that hangs up would end every wait at once
            while not self._stop.is_set():
                now_ns = self._clock.now_ns()
                if self.peer is not None and self.peer.wake_ns <= now_ns:
                    self.peer.run(now_ns)
                is_open = self.is_open
                self._send(now_ns, is_open)
                (opened if is_open else closed).poll(self._patience_ms(now_ns, is_open))
                self._hear()
        except BaseException as fault:  # told to whoever owns the wire
            self.fault = fault

    def _patience_ms(self, now_ns: int, is_open: bool) -> int:
        wake_ns = now_ns + 50 * NS_PER_MS
        if self.peer is not None:
            wake_ns = min(wake_ns, self.peer.wake_ns)
        if self._waiting or self._heard or self._babble or not is_open:
            wake_ns = min(wake_ns, now_ns + _SLICE_NS)
        return max(0, (wake_ns - now_ns + NS_PER_MS - 1) // NS_PER_MS)

    def _send(self, now_ns: int, is_open: bool) -> None:
        """What the line can have carried by now."""
        if self._babble:
            from_ns = max(self._free_ns, now_ns - 4 * _SLICE_NS)
            room = max(0, now_ns + _SLICE_NS - from_ns) * (self.baud or 115_200) // _BITS
            self._waiting = bytearray(self._senseless() for _ in range(room // NS_PER_S))
        if not is_open:
            self._waiting.clear()
            self._heard = b""
        if self._heard:
            self._hand_over(now_ns)
        if not self._waiting:
            self._free_ns = max(self._free_ns, now_ns)
            return
        count = len(self._waiting)
        if self.baud:
            count = min(count, max(1, (now_ns + _SLICE_NS - self._free_ns) * self.baud // (_BITS * NS_PER_S)))
            if self._free_ns > now_ns + _SLICE_NS:
                return
        data = bytes(self._waiting[:count])
        if not self._heard:
            self._taken_ns = now_ns
        self._heard += misheard(data, self.baud, self.heard_baud) if self.baud else data
        self._hand_over(now_ns)
        del self._waiting[:count]
        if self.baud:
            self._free_ns = max(self._free_ns, now_ns) + count * _BITS * NS_PER_S // self.baud

    def _hand_over(self, now_ns: int) -> None:
        """As much as the terminal takes: after the machine has stalled there may be more than it has room for."""
        try:
            taken = os.write(self._master, self._heard)
        except BlockingIOError:
            taken = 0
        if taken:
            self._heard, self._taken_ns = self._heard[taken:], now_ns
        elif now_ns - self._taken_ns > _UNREAD_NS:
            self._heard = b""  # nobody reads: lost as on a real line
        if len(self._heard) > _UNREAD_BYTES:
            self._heard = b""  # whoever reads too slowly loses some as well

    def _senseless(self) -> int:
        self._counted += 1
        return draw(0, self._counted) & 0xFF

    def _hear(self) -> None:
        try:
            data = os.read(self._master, 65_536)
        except (BlockingIOError, OSError):
            return  # nothing, or nobody has the port open
        if self.baud:
            data = misheard(data, self.heard_baud, self.baud)
        if data:
            self.near.write(data, self._clock.now_ns())
