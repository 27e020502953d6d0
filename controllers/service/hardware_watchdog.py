"""The hardware watchdog: a counter in the chip that resets the machine unless the loop feeds it.

Linux' interface (Documentation/watchdog/watchdog-api.rst): opening ``/dev/watchdog`` starts it, every write feeds it,
and closing it stops it only if the last byte written was a ``V``. That is written at a clean stop and at no other
end, so a controller that crashed has the rest of the time to come back and feed it again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from drivers.units import NS_PER_S

# <linux/watchdog.h>: _IOR('W', 0, struct watchdog_info), _IOWR('W', 6, int), _IOR('W', 7, int)
WDIOC_GETSUPPORT: Final = 0x80285700
WDIOC_SETTIMEOUT: Final = 0xC0045706
WDIOC_GETTIMEOUT: Final = 0x80045707
WDIOF_MAGICCLOSE: Final = 0x0100

FEEDS_A_TIMEOUT: Final = 4
TIMEOUT_S: Final = 15
"""The longest that a Raspberry Pi's can do (bcm2835_wdt)."""

Say = Callable[[str], None]
Ioctl = Callable[[int, int, Any, bool], Any]
"""fcntl.ioctl."""


class HardwareWatchdog:
    """Implements Beat. What goes wrong is said, and the light goes on without it.

    Args:
        path: ``/dev/watchdog`` (the first) or ``/dev/watchdogN``.
        timeout_s: what to ask for; the device may round it, and `timeout_s` is what it took.
        ioctl: for tests.
    """

    def __init__(self, path: Path, timeout_s: int = TIMEOUT_S, ioctl: Ioctl = fcntl.ioctl) -> None:
        self.path, self.timeout_s = path, timeout_s
        self.identity = ""
        self.trouble = "not opened yet"
        """Why it does not watch; empty while it does."""
        self.fed = self.refused = 0
        self._ioctl, self._fd, self._due_ns = ioctl, -1, 0
        self._can_stop = True

    def open(self, say: Say) -> None:
        """Start it, or say why there is none."""
        try:
            # Not to wait where the path is no watchdog but, say, a pipe that nobody reads.
            self._fd = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self._done_without(say, _mend(error))
            return
        info = bytearray(40)  # struct watchdog_info: u32 options, u32 firmware_version, u8 identity[32]
        try:
            self._ioctl(self._fd, WDIOC_GETSUPPORT, info, True)
        except OSError:
            os.close(self._fd)
            self._fd = -1
            self._done_without(say, "is no watchdog; name one with --hardware-watchdog /dev/watchdog")
            return
        options, _, identity = struct.unpack("II32s", info)
        self.identity = identity.split(b"\0")[0].decode(errors="replace")
        self._can_stop = bool(options & WDIOF_MAGICCLOSE)
        self._set_timeout(say)
        self.trouble = ""
        about = f"{self.path} ({self.identity})"
        say(f"hardware watchdog {about}: resets the machine {self.timeout_s} s after the last feed")

    def beat(self, t_ns: int) -> None:
        """The loop has come around and is well."""
        if self._fd < 0 or t_ns < self._due_ns:
            return
        try:
            os.write(self._fd, b"\0")
        except OSError as error:
            self.refused += 1
            self.trouble = f"takes no feed: {error.strerror}"
            self._due_ns = t_ns + NS_PER_S
            return
        self.fed += 1
        self.trouble = ""
        self._due_ns = t_ns + self.timeout_s * NS_PER_S // FEEDS_A_TIMEOUT

    def close(self, clean: bool, say: Say) -> None:
        """Stop it where we stop cleanly; else let it count on. A second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        self.trouble = "closed"
        try:
            if clean:
                os.write(fd, b"V")
                if not self._can_stop:
                    say(
                        f"hardware watchdog {self.path}: cannot be stopped; "
                        f"the machine resets in {self.timeout_s} s unless somebody feeds it"
                    )
        except OSError as error:
            say(f"hardware watchdog {self.path}: not stopped ({error.strerror})")
        finally:
            os.close(fd)

    def figures(self) -> dict[str, object]:
        """For people."""
        return {
            "path": str(self.path),
            "identity": self.identity,
            "timeout_s": self.timeout_s,
            "fed": self.fed,
            "refused": self.refused,
            "trouble": self.trouble,
        }

    def _set_timeout(self, say: Say) -> None:
        wanted_s, taken = self.timeout_s, bytearray(struct.pack("i", self.timeout_s))
        try:
            self._ioctl(self._fd, WDIOC_SETTIMEOUT, taken, True)
        except OSError as error:
            try:
                self._ioctl(self._fd, WDIOC_GETTIMEOUT, taken, True)
            except OSError:
                taken = bytearray(struct.pack("i", 2))  # it has a time and will not say which: feed it often
            say(f"hardware watchdog {self.path}: does not take {wanted_s} s ({error.strerror}); keeps its own time")
        self.timeout_s = max(1, struct.unpack("i", taken)[0])

    def _done_without(self, say: Say, why: str) -> None:
        self.trouble = why
        say(f"hardware watchdog {self.path}: {why}; running without")


def _mend(error: OSError) -> str:
    match error.errno:
        case errno.EBUSY:
            return "is held by another, most likely systemd (RuntimeWatchdogSec=); let one of the two feed it"
        case errno.EACCES | errno.EPERM:
            return "no permission; give the service's user the device (udev: GROUP=leeze)"
        case errno.ENOENT | errno.ENXIO:
            return "no such watchdog; there are: ls /dev/watchdog*"
    return error.strerror or str(error)
