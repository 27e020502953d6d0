"""Wall time from a rig, for boards marked ``bench``: it says when to begin, and what time it is then and later.

The controller opens its wires and waits. Datagrams hold one JSON object each, and each is answered in the same way::

    {"kind": "hello"}                                    who is there, and is it ready?
    {"kind": "time", "utc_ns": 1771610400000000000}      what time it is now; the first lets the controller begin
    {"kind": "here", "controller": "west", "board": "kanalpromenade-lamp", "serial": "10000000abcdef01", "begun": false,
     "ready": true, "troubles": {"radar-2": "no such port"}, "devices": {"radar-1": {"frames": 3}}}

A later time is a step of the clock, as by a wrong NTP server. Nothing of this is there on any other board.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from boards.schema import BoardDescription
from drivers.clock import SystemClock
from drivers.errors import BenchError, InputError
from drivers.units import NS_PER_MS, NS_PER_S

LONGEST_WAIT_NS = 120 * NS_PER_S
"""Who starts a board on a bench has a rig that begins sooner than that."""

_LOOK_NS = 20 * NS_PER_MS
_READ_B = 4096
_MOST_UTC_NS = 1 << 63
_SERIAL_FILE = Path("/proc/device-tree/serial-number")


class Wires(Protocol):
    """All wires of a board; drivers.links.poll.WirePoll."""

    @property
    def troubles(self) -> dict[str, str]:
        """Why each link that is not open is not, by name."""

    def wait_until_ns(self, deadline_ns: int) -> None:
        """Return at `deadline_ns`, or earlier when bytes have come."""

    def pump(self, t_ns: int) -> None:
        """Hand over what has come."""


class BenchTime(SystemClock):
    """The machine's monotonic clock, with the wall time of the rig. Also a Pollable.

    Args:
        place: where to listen: ``HOST:PORT`` (UDP), or the path of a unix socket, which is made.
        board: must be marked ``bench = true``.
        controller: its name.
        counters: what each device has counted, by name.

    Raises InputError.
    """

    name = "bench-time"

    def __init__(
        self,
        place: str,
        board: BoardDescription,
        controller: str,
        counters: Callable[[], Mapping[str, Mapping[str, int]]] = dict,
    ) -> None:
        if not board.bench:
            raise InputError(f"--bench-time is for boards marked `bench = true`; {board.name} tells the time by itself")
        self.begun = False
        self.is_synchronised = True
        self._place, self._board, self._controller, self._counters = place, board.name, controller, counters
        self._offset_ns = 0
        self._troubles: Callable[[], dict[str, str]] | None = None
        self._path = Path(place) if "/" in place else None
        family, address = _address(place)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            if self._path is not None:
                self._path.unlink(missing_ok=True)
            self._socket.bind(address)
        except OSError as error:
            self._socket.close()
            raise InputError(f"--bench-time {place}: cannot listen there: {error.strerror}") from None

    def utc_ns(self) -> int:
        """What the rig's clock says."""
        return self.now_ns() + self._offset_ns

    def synchronised(self) -> bool:
        """Whether the rig vouches for it."""
        return self.is_synchronised

    def fileno(self) -> int | None:
        """For poll()."""
        return None if self._socket.fileno() < 0 else self._socket.fileno()

    def pump(self, t_ns: int) -> None:
        """Take what the rig says, and answer."""
        while True:
            try:
                data, sender = self._socket.recvfrom(_READ_B)
            except OSError:  # nothing more, or somebody has gone who was answered before
                return
            if self._heed(data):
                with contextlib.suppress(OSError):
                    self._socket.sendto(self._here(), sender)

    def wait(self, wires: Wires, asked_to_stop: Callable[[], bool]) -> None:
        """Until the rig has said the time. Raises BenchError where it never does."""
        self._troubles = lambda: wires.troubles
        deadline_ns = self.now_ns() + LONGEST_WAIT_NS
        while not self.begun and not asked_to_stop():
            now_ns = self.now_ns()
            if now_ns >= deadline_ns:
                raise BenchError(
                    f"--bench-time {self._place}: no rig has said the time for {LONGEST_WAIT_NS // NS_PER_S} s; "
                    "start this board by `leeze-hil replay CASE --bench …`, or leave the option out"
                )
            wires.wait_until_ns(min(deadline_ns, now_ns + _LOOK_NS))
            wires.pump(self.now_ns())

    def close(self) -> None:
        """Hear nobody any more; a second call does nothing."""
        self._socket.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _heed(self, data: bytes) -> bool:
        """False for what is no message."""
        try:
            said = json.loads(data)
        except (ValueError, RecursionError):
            return False
        if not isinstance(said, dict):
            return False
        if said.get("kind") == "time":
            utc_ns, synchronised = said.get("utc_ns"), said.get("synchronised", True)
            if type(utc_ns) is not int or not 0 <= utc_ns < _MOST_UTC_NS or type(synchronised) is not bool:
                return False
            self._offset_ns = utc_ns - self.now_ns()
            self.begun, self.is_synchronised = True, synchronised
        return said.get("kind") in ("hello", "time")

    def _here(self) -> bytes:
        said: dict[str, Any] = {
            "kind": "here",
            "controller": self._controller,
            "board": self._board,
            "serial": board_serial(),
            "pid": os.getpid(),
            "begun": self.begun,
            "ready": self._troubles is not None,
            "troubles": {} if self._troubles is None else self._troubles(),
            "devices": self._counters(),
        }
        return json.dumps(said).encode()


def board_serial() -> str:
    """The serial number of this computer as its device tree says it; "" where there is none."""
    try:
        return _SERIAL_FILE.read_text(encoding="ascii", errors="replace").strip("\0 \n")
    except OSError:
        return ""


def _address(place: str) -> tuple[int, Any]:
    if "/" in place:
        return socket.AF_UNIX, place
    host, mark, port = place.rpartition(":")
    if not mark or not host or not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65_535):
        raise InputError(f"--bench-time {place}: is no place like 0.0.0.0:7400, nor the path of a socket")
    host = host.removeprefix("[").removesuffix("]")
    return (socket.AF_INET6 if ":" in host else socket.AF_INET), (host, int(port))
