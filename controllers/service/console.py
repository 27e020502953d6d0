"""Lines on stderr, for people and for the journal. A reader that is slow or gone never holds the loop.

Where stderr is the journal's (``JOURNAL_STREAM`` names it) each line begins with its priority, as sd-daemon(3) says:
``<4>`` warning, ``<6>`` information. Elsewhere there is none.
"""

from __future__ import annotations

import os
import select
from collections.abc import Mapping
from typing import Final

from drivers.links.worker import Mailbox, Worker

WARNING: Final = 4
NOTICE: Final = 5
INFO: Final = 6

LINES: Final = 256
"""What may wait to be written."""

CLOSE_MS: Final = 1_000
"""How long `close` waits for the last lines."""


class Urgent(str):
    """A line that wants somebody to look: a warning in the journal."""

    __slots__ = ()


class Console:
    """Takes lines and has a thread write them.

    Args:
        environ: for ``JOURNAL_STREAM``.
        fd: where to write.
        limit: lines that may wait; further ones are dropped, counted and told of.
    """

    def __init__(self, environ: Mapping[str, str], fd: int = 2, limit: int = LINES) -> None:
        self.dropped = 0
        self._told = 0
        self._fd = fd
        self._is_journal = _is_journal(environ, fd)
        self._worker = Worker("console", limit=limit)
        self._written: Mailbox[None] = Mailbox(1)

    def say(self, line: str) -> None:
        """Never waits, never raises."""
        untold = self.dropped - self._told
        if untold and self._take(f"{untold} lines dropped: stderr is slow", WARNING):
            self._told = self.dropped
        if not self._take(line, WARNING if isinstance(line, Urgent) else INFO):
            self.dropped += 1

    def figures(self) -> dict[str, object]:
        """For people."""
        return {"dropped": self.dropped, "journal": self._is_journal}

    def close(self) -> None:
        """Wait a moment for what has been said; a second call does nothing."""
        fd = self._written.fileno()
        if fd is None:
            return
        if self._worker.submit(lambda: self._written.put(None)):
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            poll.poll(CLOSE_MS)
        self._worker.close()
        self._written.close()

    def _take(self, line: str, priority: int) -> bool:
        prefix = f"<{priority}>" if self._is_journal else ""
        data = "".join(f"{prefix}{part}\n" for part in line.splitlines()).encode(errors="replace")
        return self._worker.submit(lambda: _write(self._fd, data))


def _write(fd: int, data: bytes) -> None:
    """In the thread. Nobody reads any more, or the disk behind it is full: nothing that the light should end for."""
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        return


def _is_journal(environ: Mapping[str, str], fd: int) -> bool:
    """Whether ``JOURNAL_STREAM`` (``DEVICE:INODE``) means this descriptor."""
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        there = os.fstat(fd)
        return (int(device), int(inode)) == (there.st_dev, there.st_ino)
    except (OSError, ValueError):
        return False
