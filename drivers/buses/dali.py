"""Master of one DALI bus behind an ATX-LED gateway: lamp levels first, everything else in their gaps.

One forward frame is in flight at a time. The next one leaves the moment the gateway has answered, or at a tick after
the deadline. A level is latest-wins for each lamp; an unsent older one is dropped. Levels go before queries and
configuration, but never between two commands that belong together (`Command.holds_bus`).

A wire that fails is never waited for: three exchanges in a row without an answer (or three conflicts) and the bus says
so by DeviceHealth, then asks once a second whether somebody is there. When the gateway is back, every lamp is told its
newest level again, because nobody knows what the gear has been through. After a conflict the bus listens for one
answer time and drops what comes: the one open driver of this gateway (python-dali's) finds more lines there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from drivers.buses.dali_procedures import Done, Job, Result
from drivers.codecs import dali
from drivers.codecs.atxled import Line, LineStream, encode
from drivers.codecs.dali import Command
from drivers.errors import LinkLost, OutOfRange
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import DeviceHealth
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

MISSES_TO_LOST: Final = 3
GARBLES_TO_FAIL: Final = 3
PROBE_PERIOD_NS: Final = NS_PER_S
MAX_JOBS: Final = 256

# What is in flight. GUARD: nothing, but lines may still come that answer nothing.
IDLE, LEVEL, PROCEDURE, PROBE, GUARD = "", "level", "procedure", "probe", "guard"


COUNTERS: Final = ("frames", "no_replies", "conflicts", "unexpected_lines", "link_losses")


class DaliBus:
    """One gateway and its gear. Implements Device; `DaliLamp` is one lamp on it.

    Args:
        name: of the wire, e.g. ``"dali"``; the source of its DeviceHealth.
        link: to the gateway, 19200 baud 8N1.
        emit: where values go.
        answer_timeout_ns: longest wait for the gateway's line. An exchange takes 25 to 35 ms, a frame sent twice 60 ms.
        groups: groups that the gear has been configured for, e.g. ``{0: frozenset({0, 1, 2})}``. When all lamps of one
            wait for the same level, one frame serves them; all lamps of the bus together need no group (broadcast).

    Counters: `frames` sent, `no_replies`, `conflicts`, `unexpected_lines`, `link_losses`.
    """

    def __init__(
        self,
        name: str,
        link: ByteLink,
        *,
        emit: Emit,
        answer_timeout_ns: int = 100 * NS_PER_MS,
        groups: Mapping[int, frozenset[int]] | None = None,
    ) -> None:
        self.name = name
        self.wake_ns = FOREVER_NS
        self.stream = LineStream()
        self.frames = self.no_replies = self.conflicts = self.unexpected_lines = self.link_losses = 0
        self._link, self.emit, self._timeout_ns = link, emit, answer_timeout_ns
        # Largest first, so that the first that fits saves most frames.
        self._groups = sorted((groups or {}).items(), key=lambda item: (-len(item[1]), item[0]))
        self._listeners: dict[str, Callable[[Done], None]] = {}
        self._levels: dict[int, int | None] = {}  # newest level of each lamp, None: never told
        self._pending: dict[int, int] = {}  # lamps to tell, longest waiting first
        self._flight = IDLE
        self._flight_levels: dict[int, int] = {}
        self._flight_deadline_ns = FOREVER_NS
        self._lines_due = 0
        self._running: Job | None = None
        self._holds = False  # the running procedure's next command must follow directly
        self._jobs: list[Job] = []
        self._misses = 0
        self._lost = False
        self._probe_ns = FOREVER_NS
        link.receiver = self.on_bytes

    def add_lamp(self, short_address: int, owner: str, on_done: Callable[[Done], None]) -> None:
        """Make a lamp known; `on_done` gets the ends of procedures submitted in the name of `owner`."""
        dali.short(short_address)
        if short_address in self._levels:
            raise ValueError(f"{self.name}: short address {short_address} is already taken")
        self._levels[short_address] = None
        self._listeners[owner] = on_done

    def listen_first(self, now_ns: int) -> None:
        """Drop what comes for one answer time; nothing once a frame has been sent. For a start.

        The gateway may still be answering whoever was here before us, and its lines do not say what they answer.
        """
        if not self.frames and not self._flight:
            self._fly(GUARD, 0, now_ns)

    def set_level(self, short_address: int, level: int, now_ns: int) -> None:
        """Send a lamp to arc power level 0 to 254; leaves with the next `advance`. Raises OutOfRange."""
        if not 0 <= level <= dali.FULL or short_address not in self._levels:
            raise OutOfRange(self.name, now_ns, f"no level {level} for short address {short_address}")
        self._levels[short_address] = level
        if not self._lost:  # a lost bus tells every lamp its newest level when it is back
            self._pending[short_address] = level
            if not self._flight and now_ns < self.wake_ns:
                self.wake_ns = now_ns

    @property
    def levels_waiting(self) -> bool:
        """True while some lamp has not been told its newest level, by a bus that is not lost."""
        return bool(self._pending) or self._flight == LEVEL

    def submit(
        self, procedure: str, args: tuple[int, ...], now_ns: int, *, owner: str, deadline_ns: int, priority: int = 1
    ) -> None:
        """Queue a procedure of `PROCEDURES`; `owner` hears its end by `deadline_ns` at the latest (plus one exchange).

        Smaller `priority` first, equal ones in the order they came. A full queue (256) fails it at once.
        """
        job = Job(procedure, args, priority, deadline_ns, owner)
        if len(self._jobs) >= MAX_JOBS:
            self._finish(job, now_ns, None, "queue is full")
            return
        at = len(self._jobs)
        while at and self._jobs[at - 1].priority > priority:
            at -= 1
        self._jobs.insert(at, job)
        free = not self._flight and not self._lost
        self.wake_ns = min(self.wake_ns, now_ns if free else deadline_ns)

    def advance(self, now_ns: int) -> None:
        """Send what waits, or give up what has waited too long."""
        if now_ns < self.wake_ns:
            return
        if self._flight and now_ns >= self._flight_deadline_ns:
            if self._flight == GUARD:
                self._flight = IDLE
            elif self._flight_twice_answered():
                self._settled(None, now_ns)
            else:
                self.no_replies += 1
                self._missed(now_ns, "gateway lost")
        self._next(now_ns)

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """Bytes from the gateway; the next frame leaves at once."""
        for line in self.stream.feed(data):
            if not self._flight or self._flight == GUARD or line.letter not in "JNXZ":
                self.unexpected_lines += 1
            elif self._take(line, t_ns):
                self._next(t_ns)

    # --- one exchange

    def _take(self, line: Line, t_ns: int) -> bool:
        """A line for the frame in flight; True when the exchange is over."""
        letter = line.letter
        if letter == "J" or letter == "N":
            if self._lines_due == 2:  # sent twice: the gateway may answer each
                self._lines_due = 1
                self._flight_deadline_ns = t_ns + self._timeout_ns
                self._set_wake()
                return False
            self._settled(line.value, t_ns)
            return True
        self.conflicts += 1
        job = self._running
        if letter == "X" and self._flight == PROCEDURE and job is not None and job.command.answers:
            self._garbled(job, t_ns)
        else:
            self._missed(t_ns, "bus conflict")
        self._fly(GUARD, 0, t_ns)
        return True

    def _flight_twice_answered(self) -> bool:
        return self._lines_due == 1 and self._running is not None and self._running.command.twice

    def _settled(self, answer: int | None, t_ns: int) -> None:
        """The gateway has carried the frame out."""
        flight, self._flight = self._flight, IDLE
        self._misses = 0
        if flight == PROCEDURE and self._running is not None:
            self._step(self._running, answer, t_ns)
        elif flight == PROBE:
            self._lost, self._probe_ns = False, FOREVER_NS
            self._pending = {address: level for address, level in self._levels.items() if level is not None}
            self.emit(DeviceHealth(t_ns, self.name, True))

    def _missed(self, t_ns: int, reason: str) -> None:
        """The frame was not carried out, or nobody knows."""
        flight, self._flight = self._flight, IDLE
        if flight == LEVEL:
            self._pending = {**self._flight_levels, **self._pending}
        elif flight == PROCEDURE and self._running is not None:
            self._holds = False
            self._running.start()
        self._misses += 1
        if self._misses >= MISSES_TO_LOST and not self._lost:
            self._lost = True
            self._pending = {}
            self._probe_ns = t_ns + PROBE_PERIOD_NS
            self.emit(DeviceHealth(t_ns, self.name, False, reason))

    def _garbled(self, job: Job, t_ns: int) -> None:
        """Two gear answered at once: the gateway is well, the answer is not."""
        self._flight = IDLE
        self._misses = 0
        job.garbles += 1
        if job.garbles >= GARBLES_TO_FAIL:
            self._finish(job, t_ns, None, "answers collide: two gear with one short address?")
        else:
            job.start()

    def _step(self, job: Job, answer: int | None, t_ns: int) -> None:
        held, self._holds = job.command.holds_bus, False
        if job.step(answer):
            self._finish(job, t_ns, job.result, "")
        else:
            self._holds = held

    def _finish(self, job: Job, t_ns: int, result: Result, reason: str) -> None:
        if job is self._running:
            self._running = None
            self._holds = False
        listener = self._listeners.get(job.owner)
        if listener is not None:
            listener(Done(t_ns, job.name, job.args, not reason, result, reason))

    # --- what comes next

    def _next(self, now_ns: int) -> None:
        """Nothing is in flight, or its time is not up: send the next frame if one may go."""
        if self._jobs or self._running is not None:
            self._expire(now_ns)
        if self._flight:
            self._set_wake()
        elif self._lost:
            if now_ns >= self._probe_ns:
                self._probe_ns = now_ns + PROBE_PERIOD_NS
                target = dali.short(next(iter(self._levels), 0))
                self._send(dali.command(target, dali.QUERY_CONTROL_GEAR_PRESENT), PROBE, now_ns)
            else:
                self._set_wake()
        elif self._pending and not self._holds:
            self._send_level(now_ns)
        elif self._running is not None or self._jobs:
            if self._running is None:
                self._running = self._jobs.pop(0)
            self._send(self._running.command, PROCEDURE, now_ns)
        else:
            self.wake_ns = FOREVER_NS

    def _send_level(self, now_ns: int) -> None:
        """The lamp that has waited longest, and with it all that one frame can serve."""
        pending = self._pending
        address = next(iter(pending))
        level = pending[address]
        waiting = len(pending)
        target = address << 1
        self._flight_levels = {address: level}
        if waiting > 1:
            if waiting == len(self._levels) and list(pending.values()).count(level) == waiting:
                target, self._flight_levels = dali.BROADCAST, pending
            else:
                for number, members in self._groups:
                    if address in members and all(pending.get(member) == level for member in members):
                        target, self._flight_levels = dali.group(number), dict.fromkeys(sorted(members), level)
                        break
        if self._flight_levels is pending:
            self._pending = {}
        else:
            for address in self._flight_levels:
                del pending[address]
        self.frames += 1
        self._fly(LEVEL, 1, now_ns)
        self._write(encode("h", target << 8 | level), now_ns)

    def _send(self, command: Command, flight: str, now_ns: int) -> None:
        self.frames += 1
        self._fly(flight, 2 if command.twice else 1, now_ns)
        self._write(encode("t" if command.twice else "h", command.frame), now_ns)

    def _fly(self, flight: str, lines_due: int, now_ns: int) -> None:
        """Before the bytes leave: an in-process gateway may answer while they do."""
        self._flight, self._lines_due = flight, lines_due
        self._flight_deadline_ns = now_ns + self._timeout_ns
        self._set_wake()

    def _write(self, data: bytes, now_ns: int) -> None:
        try:
            self._link.write(data, now_ns)
        except LinkLost:
            self.link_losses += 1  # the deadline of the frame does the rest

    def _expire(self, now_ns: int) -> None:
        """End what is past its deadline; a frame already in flight is waited for."""
        overdue = [job for job in self._jobs if now_ns >= job.deadline_ns]
        if overdue:
            self._jobs = [job for job in self._jobs if now_ns < job.deadline_ns]
        running = self._running
        if running is not None and self._flight != PROCEDURE and now_ns >= running.deadline_ns:
            overdue.append(running)
        for job in overdue:
            self._finish(job, now_ns, None, "deadline passed")

    def _set_wake(self) -> None:
        wake_ns = self._flight_deadline_ns if self._flight else self._probe_ns
        for job in self._jobs:
            wake_ns = min(wake_ns, job.deadline_ns)
        if self._running is not None and self._flight != PROCEDURE:
            wake_ns = min(wake_ns, self._running.deadline_ns)
        self.wake_ns = wake_ns

    # --- state

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        return {name: getattr(self, name) for name in COUNTERS} | {"skipped_bytes": self.stream.skipped_bytes}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "wake_ns": self.wake_ns,
            "stream": self.stream.snapshot(),
            "counters": {name: getattr(self, name) for name in COUNTERS},
            "levels": [[*pair] for pair in self._levels.items()],
            "pending": [[*pair] for pair in self._pending.items()],
            "flight": self._flight,
            "flight_levels": [[*pair] for pair in self._flight_levels.items()],
            "flight_deadline_ns": self._flight_deadline_ns,
            "lines_due": self._lines_due,
            "running": None if self._running is None else self._running.snapshot(),
            "holds": self._holds,
            "jobs": [job.snapshot() for job in self._jobs],
            "misses": self._misses,
            "lost": self._lost,
            "probe_ns": self._probe_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot; the procedures go on where they were."""
        self.wake_ns = state["wake_ns"]
        self.stream.restore(state["stream"])
        for name in COUNTERS:
            setattr(self, name, state["counters"][name])
        self._levels = dict(state["levels"])
        self._pending = dict(state["pending"])
        self._flight = state["flight"]
        self._flight_levels = dict(state["flight_levels"])
        self._flight_deadline_ns = state["flight_deadline_ns"]
        self._lines_due = state["lines_due"]
        self._running = None if state["running"] is None else Job.restored(state["running"])
        self._holds = state["holds"]
        self._jobs = [Job.restored(job) for job in state["jobs"]]
        self._misses, self._lost, self._probe_ns = state["misses"], state["lost"], state["probe_ns"]
