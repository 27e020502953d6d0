"""Where commands of the rig write to: a terminal with its width, and a bar for what takes a while."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

PAGE_WIDTH = 110


def console_here() -> Console:
    """The terminal; files and pipes, which have no width, get one that tables and pictures fit into."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else PAGE_WIDTH)


class ProgressBar:
    """A bar on a terminal's stderr for runs that take a while; nothing elsewhere. `what` stands before it."""

    def __init__(self, what: str) -> None:
        self._bar: Any = None
        self._what = what

    def __enter__(self) -> ProgressBar:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=1.0)
        return self

    def step(self, done_ns: int, total_ns: int) -> None:
        """So much of the span has been run."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done_ns / max(1, total_ns))

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.stop()
