"""Something for a machine to do while its jitter is measured: ``python -m controllers.service.load cpu|disk SECONDS``.

Bounded: it ends after its seconds, or when whoever started it has gone; the file is 16 MB at most, nameless, and
disappears with the process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from drivers.clock import SystemClock
from drivers.units import NS_PER_S

KINDS = ("cpu", "disk")
_CHUNK, _CHUNKS = bytes(1 << 20), 16


class Load:
    """While entered: one process a core that computes, and one that writes and syncs. For `seconds` at most."""

    def __init__(self, seconds: int) -> None:
        self._kinds = ["cpu"] * (os.cpu_count() or 1) + ["disk"]
        self._seconds = seconds
        self._started: list[subprocess.Popen[bytes]] = []
        self.about = f"{len(self._kinds) - 1} computing processes, one that writes and syncs"

    def __enter__(self) -> Load:
        for kind in self._kinds:
            words = [sys.executable, "-m", "controllers.service.load", kind, str(self._seconds), str(os.getpid())]
            self._started.append(subprocess.Popen(words, stdin=subprocess.DEVNULL))  # noqa: S603
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._started:
            process.terminate()
        for process in self._started:
            process.wait()


def work(kind: str, seconds: int, parent: int) -> None:
    """Be busy."""
    clock = SystemClock()
    until_ns = clock.now_ns() + seconds * NS_PER_S
    with tempfile.TemporaryFile() as file:
        turns = 0
        while clock.now_ns() < until_ns and os.getppid() == parent:
            if kind == "cpu":
                for number in range(100_000):
                    turns += number & 1
                continue
            if turns % _CHUNKS == 0:
                file.seek(0)
            file.write(_CHUNK)
            file.flush()
            os.fsync(file.fileno())
            turns += 1


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
