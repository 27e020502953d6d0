"""A running controller's control socket: whoever may open it can ask for the status, or for a clean stop.

JSON lines. Asked: ``{"ask": "status"}``, ``{"ask": "stop"}``. Answered: one line each, ``{"status": {…}}``,
``{"stopping": true}``, or ``{"error": "…"}``. After a stop the connection ends when the loop has.

The loop serves it through poll() and never waits: a few clients at a time, a line of bounded length from each, and
one that does not read its answer is hung up on. When all places are taken the one that has been silent longest goes.
"""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from drivers.clock import Clock
from drivers.errors import InputError
from drivers.links.unix_ear import UnixEar
from drivers.units import NS_PER_MS

FOLDER: Final = Path("/run/leeze")
CLIENTS: Final = 8
LINE_B: Final = 4_096
QUESTIONS: Final = 4
"""In one breath; whoever asks more is hung up on."""

ANSWER_B: Final = 1 << 18
"""What may wait for one client beside what its socket takes. A status has some 10 kB."""

Answer = Callable[[dict[str, Any], int], dict[str, Any]]
"""Called with (what was asked, t_ns) on the loop's thread; raises InputError for what it does not understand."""


def default_path(controller: str) -> Path:
    """``/run/leeze/CONTROLLER.sock``."""
    return FOLDER / f"{controller}.sock"


class ControlServer:
    """A source for the loop's poll(). Nothing is open at first: see `open`.

    Args:
        path: of the socket.
        answer: what to say.
        option: that names another path, for messages.
    """

    def __init__(self, path: Path, answer: Answer, option: str = "--socket") -> None:
        self.path = path
        self._answer, self._option = answer, option
        self._ear: UnixEar | None = None
        self._poll: select.epoll | None = None
        self._clients: dict[int, _Client] = {}

    @property
    def clients(self) -> int:
        """How many are connected now."""
        return len(self._clients)

    def open(self) -> None:
        """Raises InputError with the mend."""
        self._ear = UnixEar(self.path, "control socket", self._option, CLIENTS)
        self._poll = select.epoll()
        self._poll.register(self._ear.fileno(), select.EPOLLIN)

    def fileno(self) -> int | None:
        """For poll(); None while it is not open."""
        return None if self._poll is None else self._poll.fileno()

    def pump(self, t_ns: int) -> None:
        """Do what poll() has told of; never waits."""
        if self._poll is None or self._ear is None:
            return
        for fd, events in self._poll.poll(0):
            if fd == self._ear.fileno():
                self._accept(t_ns)
            elif (client := self._clients.get(fd)) is not None and not client.serve(events, t_ns, self._reply):
                self._drop(fd)

    def close(self) -> None:
        """Hang up on everybody and take the file away; a second call does nothing."""
        for fd in list(self._clients):
            self._drop(fd)
        if self._poll is not None and self._ear is not None:
            self._poll.close()
            self._ear.close()
            self._poll = self._ear = None

    def _accept(self, t_ns: int) -> None:
        assert self._ear is not None
        assert self._poll is not None
        end = self._ear.accept()
        if end is None:
            return
        if len(self._clients) >= CLIENTS:
            self._drop(min(self._clients, key=lambda fd: self._clients[fd].heard_ns))
        self._clients[end.fileno()] = _Client(end, self._poll, t_ns)

    def _reply(self, line: bytes, t_ns: int) -> bytes:
        try:
            asked = json.loads(line)
            if not isinstance(asked, dict):
                raise InputError('ask with a JSON object, e.g. {"ask": "status"}')
            said = self._answer(asked, t_ns)
        except (ValueError, RecursionError):
            said = {"error": 'not JSON; ask e.g. {"ask": "status"}'}
        except InputError as error:
            said = {"error": str(error)}
        return json.dumps(said, separators=(",", ":")).encode() + b"\n"

    def _drop(self, fd: int) -> None:
        self._clients.pop(fd).close()


class _Client:
    """One who asks. `serve` gives False when it has gone or is to go."""

    def __init__(self, end: socket.socket, poll: select.epoll, t_ns: int) -> None:
        self.heard_ns = t_ns
        self._end, self._poll = end, poll
        self._asked, self._waiting = bytearray(), bytearray()
        poll.register(end.fileno(), select.EPOLLIN)

    def serve(self, events: int, t_ns: int, reply: Callable[[bytes, int], bytes]) -> bool:
        if events & ~select.EPOLLOUT and not self._hear(t_ns, reply):
            return False
        return self._send()

    def close(self) -> None:
        self._poll.unregister(self._end.fileno())
        self._end.close()

    def _hear(self, t_ns: int, reply: Callable[[bytes, int], bytes]) -> bool:
        try:
            data = self._end.recv(LINE_B)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        self.heard_ns = t_ns
        self._asked += data
        for _ in range(QUESTIONS):
            line, newline, rest = self._asked.partition(b"\n")
            if not newline:
                break
            self._asked = rest
            self._waiting += reply(bytes(line), t_ns)
        return b"\n" not in self._asked and len(self._asked) <= LINE_B and len(self._waiting) <= ANSWER_B

    def _send(self) -> bool:
        try:
            while self._waiting:
                del self._waiting[: self._end.send(self._waiting)]
        except BlockingIOError:
            self._poll.modify(self._end.fileno(), select.EPOLLIN | select.EPOLLOUT)
            return True
        except OSError:
            return False
        self._poll.modify(self._end.fileno(), select.EPOLLIN)
        return True


class ControlClient:
    """Asks a running controller. Every wait has a deadline.

    Args:
        path: of its socket.
        clock: for the deadline.
        wait_ms: for each answer.

    Raises InputError where nobody answers at that socket, at the start or later.
    """

    def __init__(self, path: Path, clock: Clock, wait_ms: int = 2_000) -> None:
        self.path = path
        self._clock, self._wait_ms = clock, wait_ms
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._end.settimeout(wait_ms / 1000)
        try:
            self._end.connect(str(path))
        except OSError as error:
            self._end.close()
            raise InputError(f"{path}: {_why(error)}") from None

    def ask(self, what: str, **more: Any) -> dict[str, Any]:
        """One question, one answer."""
        try:
            self._end.sendall(json.dumps({"ask": what} | more).encode() + b"\n")
        except OSError as error:
            raise InputError(f"{self.path}: {_why(error)}") from None
        heard = self._read_until(b"\n", self._wait_ms)
        try:
            answer = json.loads(heard)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise InputError(f"{self.path}: no controller of Leeze answers here")
        if "error" in answer:
            raise InputError(f"{self.path}: {answer['error']}")
        return answer

    def wait_for_end(self, wait_ms: int) -> bool:
        """Whether the far end has hung up within that time."""
        try:
            self._read_until(None, wait_ms)
        except InputError:
            return False
        return True

    def close(self) -> None:
        """A second call does nothing."""
        self._end.close()

    def _read_until(self, end: bytes | None, wait_ms: int) -> bytes:
        deadline_ns = self._clock.now_ns() + wait_ms * NS_PER_MS
        heard = bytearray()
        while end is None or end not in heard:
            left_ms = (deadline_ns - self._clock.now_ns()) // NS_PER_MS
            if left_ms <= 0:
                raise InputError(f"{self.path}: no answer within {wait_ms / 1000:g} s; its loop is busy or hangs")
            self._end.settimeout(left_ms / 1000)
            try:
                data = self._end.recv(65_536)
            except TimeoutError:
                continue
            except OSError:
                data = b""
            if not data:
                if end is None:
                    return bytes(heard)
                raise InputError(f"{self.path}: it has hung up")
            heard += data
        return bytes(heard)

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _why(error: OSError) -> str:
    if isinstance(error, FileNotFoundError | ConnectionRefusedError | ConnectionResetError | BrokenPipeError):
        return "nobody answers; is the controller running?"
    if isinstance(error, PermissionError):
        return "no permission; your user needs the group of the service (usermod -aG leeze USER)"
    if isinstance(error, TimeoutError | BlockingIOError):
        return "no answer; its loop is busy or hangs"
    return error.strerror or str(error)
