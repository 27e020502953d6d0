"""The panel process: one socket, one controller at a time, one panel, and nothing else.

It is dark at its start and its end, while nobody is connected, and when its controller falls silent. A library that
hangs would leave its last picture standing: systemd's watchdog, fed from here after each turn, ends the process then.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from drivers.clock import SystemClock
from drivers.links.unix_ear import UnixEar
from drivers.panels.screens import EVERY_NS, Screen
from drivers.panels.show import Show
from drivers.units import NS_PER_MS, NS_PER_S

LONGEST_NS = 250 * NS_PER_MS
"""So often does it come around at least, for the watchdog."""
_READ_B = 1 << 16
_UP_B = 1 << 12

Say = Callable[[str], None]


def serve(path: Path, driver: str, open_it: Callable[[], Screen], show: Show, say: Say) -> None:
    """Until SIGTERM or SIGINT. The socket is made before the panel is opened: its library may drop our rights.

    Raises InputError for the socket's path, what `open_it` raises, and OSError of a panel that is lost.
    """
    with contextlib.ExitStack() as stack:
        wish = stack.enter_context(contextlib.closing(_Stop()))
        ear = stack.enter_context(contextlib.closing(UnixEar(path, "panel", "--socket", 4)))
        screen = stack.enter_context(contextlib.closing(open_it()))
        say(f"panel: {driver} at {path}, dark until a controller says something")
        _Loop(ear, screen, show, say, EVERY_NS.get(driver, 0)).run(wish)
        say("panel: stopped, dark")


class _Loop:
    def __init__(self, ear: UnixEar, screen: Screen, show: Show, say: Say, every_ns: int) -> None:
        self._ear, self._screen, self._show, self._say = ear, screen, show, say
        self._clock, self._every_ns = SystemClock(), every_ns
        self._end: socket.socket | None = None
        self._on_panel: bytes | None = None

    def run(self, wish: _Stop) -> None:
        clock, show = self._clock, self._show
        _notify("READY=1")
        fed_ns = drawn_ns = -NS_PER_S
        while not wish.asked:
            now_ns = clock.now_ns()
            if now_ns - drawn_ns >= self._every_ns:
                pixels = show.pixels(now_ns)
                if pixels != self._on_panel:
                    self._screen.show(pixels)
                    if (self._on_panel is None or any(self._on_panel)) and not any(pixels):
                        self._say(f"panel: dark, {show.figures()}")
                    self._on_panel, drawn_ns = pixels, now_ns
            if now_ns - fed_ns >= LONGEST_NS:
                _notify("WATCHDOG=1")
                fed_ns = now_ns
            until_ns = min(max(show.due_ns(now_ns), drawn_ns + self._every_ns), now_ns + LONGEST_NS)
            self._wait(wish, until_ns)
        if self._end is not None:
            self._end.close()

    def _wait(self, wish: _Stop, until_ns: int) -> None:
        """Until then, or until something comes; in time for the beat, not a millisecond late."""
        poll = select.poll()
        poll.register(wish.fileno(), select.POLLIN)
        poll.register(self._ear.fileno(), select.POLLIN)
        if self._end is not None:
            poll.register(self._end.fileno(), select.POLLIN)
        left_ns = max(0, until_ns - self._clock.now_ns())
        for fd, _ in poll.poll(-(-left_ns // NS_PER_MS)):
            if fd == self._ear.fileno():
                self._accept()
            elif self._end is not None and fd == self._end.fileno():
                self._read()

    def _accept(self) -> None:
        end = self._ear.accept()
        if end is None:
            return
        if self._end is not None:  # who is there stays; the other one is told by hanging up
            end.close()
            self._say("panel: a second controller was sent away")
            return
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UP_B)
        self._end = end
        self._say("panel: a controller is connected")
        self._answer(self._show.welcome())

    def _read(self) -> None:
        assert self._end is not None
        try:
            data = self._end.recv(_READ_B)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._answer(self._show.hear(data, self._clock.now_ns()))
        else:
            self._leave()

    def _answer(self, data: bytes) -> None:
        if data and self._end is not None:
            try:
                self._end.send(data)
            except BlockingIOError:
                return  # it does not read; what it missed it is told again
            except OSError:
                self._leave()

    def _leave(self) -> None:
        assert self._end is not None
        self._end.close()
        self._end = None
        self._show.leave()
        self._say("panel: the controller has gone")


class _Stop:
    """SIGTERM and SIGINT as a wish; `fileno` wakes poll(), which no handler does by itself (PEP 475)."""

    def __init__(self) -> None:
        self.asked = False
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGTERM, signal.SIGINT)}

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        os.eventfd_write(self._fd, 1)

    def fileno(self) -> int:
        """Readable once somebody asked."""
        return self._fd

    def close(self) -> None:
        """Signals do again what they did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._fd)


def _notify(text: str) -> None:
    """sd_notify(3); nothing where nobody asked for it."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as end:
        end.sendto(text.encode(), "\0" + place[1:] if place.startswith("@") else place)
