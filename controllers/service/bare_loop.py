"""A bare loop of clock_nanosleep(TIMER_ABSTIME), to hold ours against: in C where there is a compiler."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from drivers.clock import Clock
from drivers.units import NS_PER_S

COMPILE_S = 60
_MONOTONIC, _ABSTIME = 1, 1  # <time.h> of Linux


class BareLoop:
    """Sleeps to a grid and notes how late each sleep ended.

    Args:
        clock: the system's.
        compiler: its name; None for none.
    """

    def __init__(self, clock: Clock, compiler: str | None = "cc") -> None:
        self._clock = clock
        self._compiled: Any = None
        self.made_of = self._compile(compiler)
        """How it came to be: ``"C, compiled by cc"``, or ctypes and why."""

    def _compile(self, compiler: str | None) -> str:
        if compiler is None or shutil.which(compiler) is None:
            return f"ctypes, for there is no {compiler or 'compiler'}"
        with tempfile.TemporaryDirectory() as folder, as_file(files("controllers.service") / "bare_sleep.c") as source:
            library = Path(folder) / "bare_sleep.so"
            try:
                subprocess.run(  # noqa: S603
                    [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source)],
                    check=True,
                    capture_output=True,
                    timeout=COMPILE_S,
                )
                loaded = ctypes.CDLL(str(library)).bare_sleep
            except (OSError, subprocess.SubprocessError) as error:
                return f"ctypes, for {compiler} failed: {error}"
        loaded.restype = ctypes.c_long
        loaded.argtypes = [ctypes.c_longlong, ctypes.c_longlong, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        self._compiled = loaded
        return f"C, compiled by {compiler}"

    def run(self, period_ns: int, until_ns: int) -> tuple[list[int], int]:
        """Sleep from place to place of the grid until `until_ns`: (how late in ns, places passed over)."""
        if self._compiled is None:
            return self._by_ctypes(period_ns, until_ns)
        most = max(0, until_ns - self._clock.now_ns()) // period_ns + 1
        late_ns, passed_over = (ctypes.c_longlong * most)(), ctypes.c_longlong()
        count = self._compiled(period_ns, until_ns, most, late_ns, ctypes.byref(passed_over))
        return list(late_ns[:count]), passed_over.value

    def _by_ctypes(self, period_ns: int, until_ns: int) -> tuple[list[int], int]:
        sleep, found, passed_over = ctypes.CDLL(None).clock_nanosleep, list[int](), 0
        due_ns = (self._clock.now_ns() // period_ns + 1) * period_ns
        while due_ns < until_ns:
            due = (ctypes.c_long * 2)(*divmod(due_ns, NS_PER_S))
            if sleep(_MONOTONIC, _ABSTIME, ctypes.byref(due), None):
                break
            late_ns = self._clock.now_ns() - due_ns
            found.append(late_ns)
            passed_over += late_ns // period_ns
            due_ns += (late_ns // period_ns + 1) * period_ns
        return found, passed_over
