"""Master of one DALI bus behind a gateway: lamp levels first, everything else in their gaps.

One forward frame is in flight at a time. The next one leaves the moment the gateway has said what came of it, or at a
tick after the deadline. A level is latest-wins for each lamp; an unsent older one is dropped. Levels go before queries
and configuration, but never between two commands that belong together (`Command.holds_bus`).

A wire that fails is never waited for: three exchanges in a row without a word (or three conflicts) and the bus says so
by DeviceHealth, then asks once a second whether somebody is there. When the gateway is back, every lamp is told its
newest level again, because nobody knows what the gear has been through. After a conflict it listens for one answer
time and drops what comes, where the gateway `rests`. A bus with nothing to say asks the gateway now and then whether it
is there (`keepalive_ns`), so that it is missed before it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from drivers.buses.dali_gateways import AtxLedGateway, Gateway, Word
from drivers.buses.dali_jobs import FAREWELLS, Job, JobQueue
from drivers.buses.dali_levels import LevelBook
from drivers.buses.dali_procedures import COLLIDE, Done, Pause, Progress, Result
from drivers.codecs import dali
from drivers.codecs.dali import GARBLED, Command
from drivers.errors import LinkLost, OutOfRange
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import DeviceHealth
from drivers.units import FOREVER_NS, NS_PER_S

MISSES_TO_LOST: Final = 3
GARBLES_TO_FAIL: Final = 3
PROBE_PERIOD_NS: Final = NS_PER_S
FAREWELL_NS: Final = 900 * NS_PER_S
"""How long a farewell waits for a bus that is lost: gear leaves the initialise state after 15 minutes by itself."""

# What is in flight. GUARD, PAUSE: nothing, but words may still come that answer nothing.
IDLE, LEVEL, PROCEDURE, PROBE, GUARD, PAUSE = "", "level", "procedure", "probe", "guard", "pause"

# Words that are due for the frame in flight: two for one sent twice, none once it is sent and only its answer may come.
_TWO_DUE, _ONE_DUE, _ANSWER_DUE = 2, 1, 0

COUNTERS: Final = ("frames", "no_replies", "conflicts", "unexpected_lines", "link_losses")
STATE: Final = ("flight", "flight_deadline_ns", "lines_due", "holds", "misses", "lost", "probe_ns", "alive_ns")


class DaliBus:
    """One gateway and its gear. Implements Device; `DaliLamp` is one lamp on it.

    Args:
        name: of the wire, e.g. ``"dali"``; the source of its DeviceHealth.
        link: to the gateway, at the gateway's `baud`, 8N1.
        emit: where values go.
        gateway: which one it is; an ATX-LED if none is named.
        answer_timeout_ns: longest wait for the gateway's word, if it shall be another than the gateway's own.
        groups: groups that the gear shall be in, e.g. ``{0: frozenset({0, 1, 2})}``. When all lamps of one wait for the
            same level, one frame serves them, once all gear has said that it is so (`book.confirm`). All lamps of the
            bus together need no group (broadcast).
        keepalive_ns: after so long without a word of the gateway it is asked something; 0: never.

    Counters: `frames` sent, `no_replies`, `conflicts`, `unexpected_lines`, `link_losses`. `words` about our frames have
    come from the gateway; for people, in no snapshot.
    """

    def __init__(
        self,
        name: str,
        link: ByteLink,
        *,
        emit: Emit,
        gateway: Gateway | None = None,
        answer_timeout_ns: int | None = None,
        groups: Mapping[int, frozenset[int]] | None = None,
        keepalive_ns: int = 0,
    ) -> None:
        self.name = name
        self.wake_ns = 0 if keepalive_ns else FOREVER_NS
        self.gateway: Gateway = gateway or AtxLedGateway()
        self.frames = self.no_replies = self.conflicts = self.unexpected_lines = self.link_losses = self.words = 0
        self._link, self.emit = link, emit
        self._timeout_ns = self.gateway.timeout_ns if answer_timeout_ns is None else answer_timeout_ns
        self.book = LevelBook(groups or {})
        self._keepalive_ns = keepalive_ns
        self._alive_ns = -1 if keepalive_ns else FOREVER_NS  # when to ask whether it is there; -1: not begun
        self._reach_watchers: list[Callable[[int, bool], None]] = []
        self._listeners: dict[str, Callable[[Done], None]] = {}
        self._watchers: dict[str, Callable[[Progress], None]] = {}
        self._flight, self._flight_deadline_ns, self._lines_due = IDLE, FOREVER_NS, 0
        self._queue = JobQueue()
        self._holds = False  # the running procedure's next command must follow directly
        self._misses, self._lost, self._probe_ns = 0, False, FOREVER_NS
        link.receiver = self.on_bytes

    def add_lamp(self, short_address: int, owner: str, on_done: Callable[[Done], None]) -> None:
        """Make a lamp known; `on_done` gets the ends of procedures submitted in the name of `owner`."""
        dali.short(short_address)
        if short_address in self.book.levels:
            raise ValueError(f"{self.name}: short address {short_address} is already taken")
        self.book.levels[short_address] = None
        self.listen(owner, on_done)

    def listen(
        self, owner: str, on_done: Callable[[Done], None], on_progress: Callable[[Progress], None] | None = None
    ) -> None:
        """`on_done` gets the ends of procedures submitted in the name of `owner`, `on_progress` what they tell."""
        self._listeners[owner] = on_done
        if on_progress is not None:
            self._watchers[owner] = on_progress

    def watch_reach(self, on_reach: Callable[[int, bool], None]) -> None:
        """`on_reach` is called with (t_ns, whether it is there) when the gateway is lost, and when it is back."""
        self._reach_watchers.append(on_reach)

    def listen_first(self, now_ns: int) -> None:
        """Drop what comes for one answer time; nothing once a frame has been sent. For a start.

        The gateway may still be answering whoever was here before us, and its lines do not say what they answer.
        """
        if not self.frames and not self._flight:
            self._fly(GUARD, 0, now_ns)

    def set_level(self, short_address: int, level: int, now_ns: int) -> None:
        """Send a lamp to arc power level 0 to 254; leaves with the next `advance`. Raises OutOfRange."""
        book = self.book
        if not 0 <= level <= dali.FULL or short_address not in book.levels:
            raise OutOfRange(self.name, now_ns, f"no level {level} for short address {short_address}")
        book.levels[short_address] = level
        if not self._lost:  # a lost bus tells every lamp its newest level when it is back
            book.pending[short_address] = level
            if not self._flight and now_ns < self.wake_ns:
                self.wake_ns = now_ns

    @property
    def lost(self) -> bool:
        """Whether the gateway is not there."""
        return self._lost

    @property
    def levels_waiting(self) -> bool:
        """True while some lamp has not been told its newest level, by a bus that is not lost."""
        return bool(self.book.pending) or self._flight == LEVEL

    def submit(
        self, procedure: str, args: tuple[int, ...], now_ns: int, *, owner: str, deadline_ns: int, priority: int = 1
    ) -> None:
        """Queue a procedure of `PROCEDURES`; `owner` hears its end by `deadline_ns` at the latest (plus one exchange).

        Smaller `priority` first, equal ones in the order they came. A full queue (256) fails it at once.
        """
        job = Job(procedure, args, priority, deadline_ns, owner)
        if not self._queue.put(job):
            self._finish(job, now_ns, None, "queue is full")
            return
        free = not self._flight and not self._lost
        self.wake_ns = min(self.wake_ns, now_ns if free else deadline_ns)

    def advance(self, now_ns: int) -> None:
        """Send what waits, or give up what has waited too long."""
        if now_ns < self.wake_ns:
            return
        if self._flight and now_ns >= self._flight_deadline_ns:
            if (missed := self._flight) in (GUARD, PAUSE):
                self._flight = IDLE
                if missed == PAUSE and self._queue.running is not None:
                    self._step(self._queue.running, None, now_ns)
            elif self._lines_due == _ANSWER_DUE or (self._lines_due == _ONE_DUE and self._sends_twice()):
                self._settled(None, now_ns)
            else:
                self.no_replies += 1
                self.gateway.forget()
                self._missed(now_ns, "gateway lost")
                if missed == PROCEDURE and self.gateway.rests:  # a late word would answer the next question
                    self._fly(GUARD, 0, now_ns)
        self._next(now_ns)

    def cancel(self, owner: str, now_ns: int) -> None:
        """End all procedures of `owner`. What must follow one, such as TERMINATE, is still sent."""
        for job in self._queue.take_of(owner):
            self._finish(job, now_ns, None, "cancelled")
        if not self._flight and not self._lost:
            self.wake_ns = min(self.wake_ns, now_ns)

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """Bytes from the gateway; the next frame leaves at once."""
        for word in self.gateway.feed(data):
            if not self._flight or self._flight in (GUARD, PAUSE) or word.kind == "other":
                self.unexpected_lines += word.kind != "sent"  # of a frame that is settled already
            else:
                self.words += 1
                if self._take(word, t_ns):
                    self._next(t_ns)

    # --- one exchange

    def _take(self, word: Word, t_ns: int) -> bool:
        """A word about the frame in flight; True when the exchange is over."""
        if word.kind in ("value", "silent", "sent"):
            if self._lines_due == _TWO_DUE:  # sent twice: the gateway may tell of each
                self._lines_due = _ONE_DUE
                self._flight_deadline_ns = t_ns + self._timeout_ns
                self._set_wake()
                return False
            if word.kind == "sent" and self._wants_answer():
                self._lines_due = _ANSWER_DUE
                self._flight_deadline_ns = t_ns + self.gateway.answer_within_ns
                self._set_wake()
                return False
            self._settled(word.value, t_ns)
            return True
        command = self._command() if self._flight == PROCEDURE else None
        if word.kind == "collision" and command is not None and command.many:
            self._settled(GARBLED, t_ns)
        else:
            self.conflicts += 1
            if word.kind == "collision" and command is not None and command.answers and self._queue.running is not None:
                self._garbled(self._queue.running, t_ns)
            else:
                self._missed(t_ns, word.reason or "bus conflict")
        if self.gateway.rests:
            self._fly(GUARD, 0, t_ns)
        return True

    def _command(self) -> Command | None:
        """What the running procedure wants sent, or has in flight."""
        command = None if self._queue.running is None else self._queue.running.command
        return command if isinstance(command, Command) else None

    def _wants_answer(self) -> bool:
        asks = self._flight == PROCEDURE and (command := self._command()) is not None and command.answers
        return self._flight == PROBE or asks

    def _sends_twice(self) -> bool:
        return self._flight == PROCEDURE and (command := self._command()) is not None and command.twice

    def _settled(self, answer: int | None, t_ns: int) -> None:
        """The gateway has carried the frame out."""
        flight, self._flight = self._flight, IDLE
        self._misses = 0
        if self._keepalive_ns:
            self._alive_ns = t_ns + self._keepalive_ns
        if flight == PROCEDURE and self._queue.running is not None:
            self._step(self._queue.running, answer, t_ns)
        elif flight == PROBE and self._lost:
            self._lost, self._probe_ns = False, FOREVER_NS
            self.book.all_wait()
            self.emit(DeviceHealth(t_ns, self.name, True))
            self._tell_reach(t_ns)

    def _missed(self, t_ns: int, reason: str) -> None:
        """The frame was not carried out, or nobody knows."""
        flight, self._flight = self._flight, IDLE
        self._misses += 1
        if flight == LEVEL:
            self.book.untold()
        elif flight == PROCEDURE and self._queue.running is not None:
            self._holds = False
            command = self._command()
            if command is None or not command.again or self._misses >= MISSES_TO_LOST:
                self._queue.running.start()
        if self._misses >= MISSES_TO_LOST and not self._lost:
            self._lost = True
            self.book.none_waits()
            self._probe_ns = t_ns + PROBE_PERIOD_NS
            self.emit(DeviceHealth(t_ns, self.name, False, reason))
            self._tell_reach(t_ns)

    def _tell_reach(self, t_ns: int) -> None:
        for watcher in self._reach_watchers:
            watcher(t_ns, not self._lost)

    def _garbled(self, job: Job, t_ns: int) -> None:
        """Two gear answered at once: the gateway is well, the answer is not."""
        self._flight = IDLE
        self._misses = 0
        job.garbles += 1
        if job.garbles >= GARBLES_TO_FAIL:
            self._finish(job, t_ns, None, COLLIDE)
        else:
            job.start()

    def _step(self, job: Job, answer: int | None, t_ns: int) -> None:
        command, told = job.command, job.progress
        self._holds = False
        if job.step(answer):
            self._finish(job, t_ns, job.result, job.failure)
        else:
            self._holds = isinstance(command, Command) and command.holds_bus
            self._tell(job, told)

    def _tell(self, job: Job, told: Progress | None) -> None:
        watcher = self._watchers.get(job.owner)
        if watcher is not None and job.progress is not None and job.progress is not told:
            watcher(job.progress)

    def _finish(self, job: Job, t_ns: int, result: Result, reason: str) -> None:
        if job is self._queue.running:
            self._queue.running = None
            self._holds = False
            if reason and job.name in FAREWELLS:
                self._queue.put_first(Job(FAREWELLS[job.name], (), -1, t_ns + FAREWELL_NS, ""))
        listener = self._listeners.get(job.owner)
        if listener is not None:
            listener(Done(t_ns, job.name, job.args, not reason, result, reason))

    # --- what comes next

    def _next(self, now_ns: int) -> None:
        """Nothing is in flight, or its time is not up: send the next frame if one may go."""
        queue = self._queue
        if queue:
            self._expire(now_ns)
        if self._alive_ns < 0:
            self._alive_ns = now_ns + self._keepalive_ns
        if self._flight:
            self._set_wake()
        elif self._lost:
            if now_ns >= self._probe_ns:
                self._probe_ns = now_ns + PROBE_PERIOD_NS
                self._probe(now_ns)
            else:
                self._set_wake()
        elif self.book.pending and not self._holds:
            frame = self.book.take()
            self._fly(LEVEL, _ONE_DUE, now_ns)
            self._write(frame, now_ns)
        elif queue:
            if queue.running is None:
                self._tell(queue.begin(), None)
            running = queue.running
            assert running is not None
            command = running.command
            if isinstance(command, Pause):
                self._fly(PAUSE, 0, now_ns, command.duration_ns)
            else:
                self._send(command, PROCEDURE, now_ns)
        elif now_ns >= self._alive_ns:
            self._probe(now_ns)
        else:
            self.wake_ns = self._alive_ns

    def _probe(self, now_ns: int) -> None:
        """Ask something harmless: whatever the gateway makes of it, it is there."""
        target = dali.short(next(iter(self.book.levels), 0))
        self._send(dali.command(target, dali.QUERY_CONTROL_GEAR_PRESENT), PROBE, now_ns)

    def _send(self, command: Command, flight: str, now_ns: int) -> None:
        self._fly(flight, self.gateway.words_twice if command.twice else _ONE_DUE, now_ns)
        self._write(command.frame, now_ns, twice=command.twice)

    def _fly(self, flight: str, lines_due: int, now_ns: int, for_ns: int | None = None) -> None:
        """Before the bytes leave: an in-process gateway may answer while they do."""
        self._flight, self._lines_due = flight, lines_due
        self._flight_deadline_ns = now_ns + (self._timeout_ns if for_ns is None else for_ns)
        self._set_wake()

    def _write(self, frame: int, now_ns: int, *, twice: bool = False) -> None:
        data = self.gateway.encode(frame, twice=twice, follows=self._holds)
        if not self.frames or self._lost:
            data = self.gateway.greeting + data
        self.frames += 1
        try:
            self._link.write(data, now_ns)
        except LinkLost:
            self.link_losses += 1  # the deadline of the frame does the rest

    def _expire(self, now_ns: int) -> None:
        """End what is past its deadline; a frame already in flight is waited for."""
        for job in self._queue.take_overdue(now_ns, self._flight == PROCEDURE):
            self._finish(job, now_ns, None, "deadline passed")

    def _set_wake(self) -> None:
        wake_ns = self._flight_deadline_ns if self._flight else self._probe_ns
        self.wake_ns = min(wake_ns, self._queue.deadline_ns(self._flight == PROCEDURE)) if self._queue else wake_ns

    # --- state

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        return {name: getattr(self, name) for name in COUNTERS} | {"skipped_bytes": self.gateway.skipped_bytes}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "wake_ns": self.wake_ns,
            "stream": self.gateway.snapshot(),
            "counters": {name: getattr(self, name) for name in COUNTERS},
            **self.book.snapshot(),
            **self._queue.snapshot(),
            **{name: getattr(self, f"_{name}") for name in STATE},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot; the procedures go on where they were."""
        self.wake_ns = state["wake_ns"]
        self.gateway.restore(state["stream"])
        for name in COUNTERS:
            setattr(self, name, state["counters"][name])
        self.book.restore(state)
        self._queue.restore(state)
        for name in STATE:
            setattr(self, f"_{name}", state[name])
