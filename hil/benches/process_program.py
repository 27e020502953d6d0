"""The unmodified ``leeze-controllers run`` as a process, as the rig sees it: started, asked, told the time."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from drivers.clock import SystemClock
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.contract_bench import Blocked, BoardDied, spawning
from hil.interrupts import undisturbed

READY_NS = 20 * NS_PER_S
TOLD_NS = 5 * NS_PER_S
STOP_S = 10.0
NICE = -10
_ASK_NS = 5 * NS_PER_MS
_READ_B = 1 << 16
_SOON_NS = 60 * NS_PER_MS
_SAMPLE_NS = 200 * NS_PER_MS
_LAST_LINES = 12


class TimeTeller:
    """The rig's end of the place where a board waits for the time (``--bench-time``): HOST:PORT, or a socket's path."""

    def __init__(self, place: str, mine: Path | None = None) -> None:
        self.place, self._mine = place, mine
        family = socket.AF_UNIX if "/" in place else socket.AF_INET6 if place.startswith("[") else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        if mine is not None:
            self._socket.bind(str(mine))
        host, _, port = place.rpartition(":")
        self._to: Any = place if "/" in place else (host.strip("[]"), int(port))
        self._clock = SystemClock()

    def hello(self) -> None:
        """Ask who is there."""
        self._say({"kind": "hello"})

    def time(self, utc_ns: int, *, synchronised: bool = True) -> None:
        """It is `utc_ns` now."""
        self._say({"kind": "time", "utc_ns": utc_ns, "synchronised": synchronised})

    def heard(self) -> dict[str, Any] | None:
        """The newest answer since the last call; None where there was none."""
        newest = None
        while True:
            try:
                data = self._socket.recv(_READ_B)
            except OSError:
                return newest
            with contextlib.suppress(ValueError):
                said = json.loads(data)
                if isinstance(said, dict) and said.get("kind") == "here":
                    newest = said

    def ask(self, within_ns: int) -> dict[str, Any] | None:
        """The answer to a hello; None where nobody answers in that time."""
        deadline_ns = self._clock.now_ns() + within_ns
        self.heard()
        while (now_ns := self._clock.now_ns()) < deadline_ns:
            self.hello()
            self._clock.sleep_until_ns(min(deadline_ns, now_ns + _ASK_NS))
            if (said := self.heard()) is not None:
                return said
        return None

    def close(self) -> None:
        """Hear nothing more."""
        self._socket.close()
        if self._mine is not None:
            self._mine.unlink(missing_ok=True)

    def _say(self, said: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendto(json.dumps(said).encode(), self._to)


class Beginning:
    """Lets a board begin, and sees to it that it has: the time is said again until the board goes by it."""

    def __init__(self, teller: TimeTeller) -> None:
        self.pending = False
        self.late_ns = 0
        """How long the board took from the first word, at the most so far; less than a few looks is nothing."""
        self._teller, self._clock = teller, SystemClock()
        self._utc_ns = self._told_ns = 0

    def tell(self, utc_ns: int) -> None:
        """It is `utc_ns` now: begin."""
        self._teller.heard()
        self._teller.time(utc_ns)
        self.pending, self._utc_ns, self._told_ns = True, utc_ns, self._clock.now_ns()

    def look(self) -> int:
        """How long the board has owed its answer, in ns; 0 once it has begun."""
        if not self.pending:
            return 0
        owed_ns = self._clock.now_ns() - self._told_ns
        said = self._teller.heard()
        if said is not None and said["begun"]:
            self.pending = False
            self.late_ns = max(self.late_ns, owed_ns if owed_ns > _SOON_NS else 0)
            return 0
        if owed_ns > _SOON_NS:
            self._teller.time(self._utc_ns + owed_ns)
        return owed_ns


class Program:
    """One controller's process. Implements RemoteBoard.

    Args:
        name: of the controller.
        words: command line.
        folder: for its socket and its log.
        environ: its environment.
    """

    def __init__(self, name: str, words: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
        self.name, self._words, self._folder, self._environ = name, list(words), folder, dict(environ)
        self.begun = False
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.teller = TimeTeller(str(folder / f"{name}.time"), folder / f"{name}.rig")
        self._clock = SystemClock()
        self.beginning = Beginning(self.teller)
        self.starved_ns = 0
        """Since it has begun: the longest that one of its threads was ready and got no processor. Any of them may hold
        the interpreter's lock, for which the loop then waits."""
        self._sampled_ns = 0
        self._delays_ns: dict[str, int] = {}

    @property
    def said(self) -> str:
        """The last lines of what it has written to stderr and stdout."""
        with contextlib.suppress(OSError):
            lines = (self._folder / f"{self.name}.log").read_text(encoding="utf-8", errors="replace").splitlines()
            return "\n".join(lines[-_LAST_LINES:])
        return ""

    def start(self) -> None:
        """Start it; it waits for the time."""
        self.begun = False
        self.starts += 1
        words = [*self._words, "--bench-time", self.teller.place]
        dies_with_us = shutil.which("setpriv")
        if dies_with_us is not None:  # also where we are killed without a chance to put anything back
            words = [dies_with_us, "--pdeathsig", "TERM", *words]
        with (self._folder / f"{self.name}.log").open("ab") as log, undisturbed(), spawning():
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own program
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._environ,
                    cwd=self._folder,
                    start_new_session=True,  # Ctrl-C is the rig's to answer
                )
            except OSError as error:
                raise Blocked(f"{self.name}: {words[0]} cannot be started: {error.strerror}") from None
        before_others(self._process.pid)

    def wait_ready(self, deadline_ns: int) -> dict[str, Any]:
        """Until it waits for the time with every wire open. Raises BoardDied, or Blocked: which wires are not."""
        said: dict[str, Any] | None = None
        while self._clock.now_ns() < deadline_ns:
            self._alive()
            said = self.teller.ask(20 * NS_PER_MS) or said
            if said is not None and said["ready"] and not said["troubles"]:
                return said
        if said is None:
            raise Blocked(f"{self.name}: the program does not come up in {READY_NS // NS_PER_S} s: {self.said}")
        wires = "; ".join(f"{wire}: {trouble}" for wire, trouble in said["troubles"].items())
        raise Blocked(f"{self.name}: the program cannot open its wires on this bench: {wires}")

    def power_on(self, utc_ns: int) -> None:
        """Let it begin."""
        self.beginning.tell(utc_ns)
        self.begun = True
        self._delays_ns = self._waited_ns()

    def set_time(self, utc_ns: int, *, synchronised: bool = True) -> None:
        """A step of the wall clock."""
        self.teller.time(utc_ns, synchronised=synchronised)

    def power_off(self) -> None:
        """Kill it, and start it again at once: it needs a while until it waits for the time."""
        self._end(kill=True)
        self.start()

    def check(self) -> None:
        """Raises BoardDied where it has ended; Blocked where it never heard the time."""
        self._alive()
        now_ns = self._clock.now_ns()
        if self.begun and now_ns - self._sampled_ns >= _SAMPLE_NS:
            self._sampled_ns, waited_ns = now_ns, self._waited_ns()
            longer = [waited - self._delays_ns.get(thread, waited) for thread, waited in waited_ns.items()]
            self.starved_ns = max(self.starved_ns, *longer, 0)
            self._delays_ns = waited_ns
        if self.beginning.look() > TOLD_NS:
            raise Blocked(f"{self.name}: the program does not answer when it is told the time: {self.said}")

    def stop(self) -> int | None:
        """As a service manager would; its exit code (negative: had to be killed). A second call does nothing."""
        code = self._end(kill=False)
        self.teller.close()
        return code

    def _waited_ns(self) -> dict[str, int]:
        """How long each of its threads has stood ready without a processor, all in all (/proc, schedstat)."""
        found: dict[str, int] = {}
        if self._process is not None:
            for task in Path(f"/proc/{self._process.pid}/task").glob("*/schedstat"):
                with contextlib.suppress(OSError, IndexError, ValueError):
                    found[task.parent.name] = int(task.read_text(encoding="ascii").split()[1])
        return found

    def _alive(self) -> None:
        if self._process is not None and (code := self._process.poll()) is not None:
            raise BoardDied(f"{self.name}: leeze-controllers run ended by itself with {code}: {self.said}")

    def _end(self, *, kill: bool) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        if process.poll() is None:
            if kill:
                process.kill()
            else:
                process.terminate()
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait(STOP_S)


def before_others(process_id: int) -> None:
    """A bench on a busy machine: where we may, the process comes before the rest (its real-time loop does anyway)."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process_id, NICE)


def run_words(site: Path, controller: str | None) -> list[str]:
    """The command line of the program."""
    words = [sys.executable, "-m", "controllers", "run", "--site", str(site)]
    return words if controller is None else [*words, "--controller", controller]


def environment(**more: str) -> dict[str, str]:
    """For a program that runs in a folder of its own: modules are found where ours are."""
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "GPIOZERO_PIN_FACTORY": "leeze", **more}
