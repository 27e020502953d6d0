"""What every bench is to the rest of the rig, and the benches in real time: ports in place of boards.

A bench is an `InProcessBench`: boards, peers, wires, one time. Where the boards are elsewhere (processes of their own,
hardware), `RealTimeBench` runs the same peers by the machine's clock, each at its due time, and hands what they write
to a `Port` for each wire; what comes from a port is handed to the peer as of the time it came. So a case, its riders,
faults, ledgers and recorders are the same objects on every bench. A virtual machine would be one more way to make
ports.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from boards.parts import contents, part_name
from boards.schema import BoardDescription
from controllers.service.sites import Site
from drivers.clock import SystemClock
from drivers.errors import BenchError
from drivers.links.tap import Sink
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.benches.in_process import InProcessBench, Slot
from hil.benches.lateness import Lateness
from hil.peers.radar import REPORT_NS
from hil.report.result import Measurement

LOOK_NS = 20 * NS_PER_MS
"""How often boards and ports are asked whether they are well."""

AFTER = 5
"""Displays that share our clock tick this part of a period after the case's own grid, on which their messages come, so
that these come before the tick, as in process. Reports of radars have phases of their own; lamps tick on the grid."""

AHEAD_NS = 300_000
"""Peers work out what they say so much before it is due; then only the writing is left to be late."""

AWAKE_NS = 100_000

PRIORITY = 60
"""SCHED_FIFO of the rig's one thread, above that of the boards: what comes from a wire comes whatever a board does."""


class Blocked(BenchError):  # noqa: N818 - a fact
    """The rig or its wiring is at fault: nothing is said of the board. The text says what is wrong and what to do."""


class BoardDied(Exception):  # noqa: N818 - a fact
    """The board is at fault: its program has ended by itself, or has begun anew in mid-run."""


Heard = Callable[[bytes, int], None]
"""Told of bytes from the board, and of the machine's time when they came."""


@contextmanager
def before_the_rest() -> Iterator[None]:
    """This thread in real time, where it may; its children are not."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))
    except OSError:
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@contextmanager
def spawning() -> Iterator[None]:
    """While a process is started in mid-run: the starter waits for the child's first steps, which need a processor.

    A child of a thread in real time starts as an ordinary one, at the end of the queue of a busy machine.
    """
    if os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK != os.SCHED_FIFO:
        yield
        return
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    try:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, 0, min(nice, -10))
    except OSError:
        yield
        return
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))


class Port(Protocol):
    """The rig's end of one wire. Times are those of the machine's monotonic clock."""

    name: str
    heard: Heard
    lateness: Lateness

    @property
    def wake_ns(self) -> int:
        """When, without bytes, `turn` has something to do."""

    def fileno(self) -> int | None:
        """For poll(); None where there is nothing to poll."""

    def send(self, data: bytes, due_ns: int) -> None:
        """To the board, to arrive at `due_ns`, or later where the wire is still busy."""

    def turn(self, now_ns: int) -> None:
        """Write what is due, read what has come. Raises Blocked where the port is gone."""

    def close(self) -> None:
        """Let it go; a second call does nothing."""


class RemoteBoard(Protocol):
    """A board that is elsewhere."""

    def power_on(self, utc_ns: int) -> None:
        """Let it begin, now, with that wall time. It has been made ready before."""

    def set_time(self, utc_ns: int) -> None:
        """It is that late now: a step of its wall clock."""

    def power_off(self) -> None:
        """Without a warning; and make it ready to begin again."""

    def check(self) -> None:
        """Raises BoardDied or Blocked where it is not well."""


class RealTimeBench(InProcessBench):
    """The same bench with its boards elsewhere; a context manager that puts everything back.

    Args:
        sink: takes every byte, as in process.
        speed: of the input against the clock; boards know nothing of it.

    Subclasses fill `ports` (by ``board/wire``) and `remote` (by board) in `make_ready`.
    """

    kind = "process"
    slack_ns = 100 * NS_PER_MS
    """How far times may be off beside the case's own tolerance, and beside one scan period."""

    def __init__(self, sink: Sink, *, skip: bool = True, speed: int = 1) -> None:
        super().__init__(sink, skip=False)
        self.speed = speed
        self.clock = SystemClock()
        self.start_ns = 0
        self.from_ns = 0
        """Time of the case at which it begins: where a trace is not played from its start."""
        self.ports: dict[str, Port] = {}
        self.remote: dict[str, RemoteBoard] = {}
        self.boards: Mapping[str, BoardDescription] = {}
        self.site: Site | None = None
        self.lateness = Lateness()
        self.ahead_ns = AHEAD_NS
        """Peers run so much ahead of the boards: what they say takes that long to get there."""
        self.progress: Callable[[int, int], None] = lambda done_ns, total_ns: None
        self.late_start_ns = 0
        """How long after its planned time the run began."""
        self.ended_ns = 0
        """By the machine's clock, when the run had reached its end; 0 before."""
        self._look_ns = 0

    def fit(self, site: Site, boards: Mapping[str, BoardDescription]) -> None:
        """Told once, before `start`: what stands at the wires."""
        self.site, self.boards = site, boards

    def make_ready(self) -> None:
        """Open every port and start every board, up to the point where it waits for the time. Raises Blocked."""
        raise NotImplementedError

    def close(self) -> None:
        """Put everything back; a second call does nothing."""
        for port in self.ports.values():
            port.close()

    uncertainty_ns = 0
    """Of times: by so much may those of two adapters differ that carried the same."""

    def messages(self, board: str) -> list[str]:
        """The wires of a board that carry messages between controllers."""
        return [wire for wire, what in contents(self.boards[board]).items() if what == "message"]

    def lines(self, board: str) -> list[str]:
        """The wires of a board whose frames are lines of text."""
        description = self.boards[board]
        ascii_gateways = [said.wire for said in description.devices.values() if part_name(said) == "atxled"]
        return [*self.messages(board), *ascii_gateways]

    def panels(self, board: str) -> list[str]:
        """The wires of a board whose frames stand until the next."""
        return [wire for wire, what in contents(self.boards[board]).items() if what == "panel"]

    def report_ns(self) -> int:
        """The time between two reports of the boards' radars; 0 without. What just misses one waits for the next."""
        radars = any(part_name(said) == "ld2451" for board in self.boards.values() for said in board.devices.values())
        return REPORT_NS if radars else 0

    def unjudged(self) -> list[str]:
        """Wires (``board/wire``) whose bytes belong to no reference."""
        return []

    def starved_ns(self) -> int:
        """The longest that this machine kept a board waiting; 0 for boards that are not on it."""
        return 0

    def measurements(self) -> list[Measurement]:
        """What was measured beside the bytes."""
        return []

    def notes(self) -> list[str]:
        """What people should know of the run."""
        return []

    # --- as in process

    def start(self, origin_utc_ns: int) -> None:
        """Make everything ready; then the case begins at a tick of the clock, and boards are told the time.

        Where the boards get power later (`boards_from_ns`), peers live through what is before in virtual time.
        """
        self.origin_utc_ns = origin_utc_ns
        self._refresh_all()
        if self.boards_from_ns:
            self.from_ns = self.boards_from_ns
            InProcessBench.run(self, self.from_ns)
        self.make_ready()
        for name, port in self.ports.items():
            port.lateness = self.lateness
            board, _, wire = name.partition("/")
            slot = next((slot for slot in self.slots if slot.name == board), None)
            if slot is not None and wire in slot.links:
                port.heard = self._heard(slot, wire)
        fed = [board.period_ms for board in self.boards.values() if board.product == "greenwave"]
        after_ns = min(fed, default=0) * NS_PER_MS // AFTER
        lead_ns = self.lead_ns + after_ns
        begin_ns = -(-(self.clock.now_ns() + lead_ns + 5 * NS_PER_MS) // self.grid_ns) * self.grid_ns
        self.clock.sleep_until_ns(begin_ns - lead_ns)
        self.start_ns = begin_ns - after_ns - self.from_ns // self.speed
        for slot in self.slots:
            self.power_on(slot, self.from_ns)
        self.late_start_ns = max(0, self.clock.now_ns() - begin_ns)
        self._refresh_all()

    grid_ns = 100 * NS_PER_MS
    """Boards tick on multiples of their period of the same clock; the case's time 0 is one of them all."""

    lead_ns = 8 * NS_PER_MS
    """Boards are told the time so much before 0: a program needs it to reach its first tick at 0."""

    def power_on(self, slot: Slot, now_ns: int) -> None:
        """Tell the board the time; its wires carry from now on."""
        utc_ns = self.origin_utc_ns + self._board_ns(self.clock.now_ns()) + slot.clock_off_ns
        self.remote[slot.name].power_on(utc_ns)
        slot.starts += 1
        slot.last_tick_ns = now_ns - 1
        for wire, link in slot.links.items():
            port = self.ports.get(f"{slot.name}/{wire}")
            if port is not None:
                link.receiver, link.repeat_receiver = self._sender(port), self._repeater(port)

    def _tell_time(self, slot: Slot, now_ns: int) -> None:
        """A step of its wall clock; at its start it is told by `power_on`."""
        utc_ns = self.origin_utc_ns + self._board_ns(self.clock.now_ns()) + slot.clock_off_ns
        self.remote[slot.name].set_time(utc_ns)

    def power_off(self, slot: Slot, now_ns: int) -> None:
        """Its wires hang free."""
        for link in slot.links.values():
            link.unplug()
        self.remote[slot.name].power_off()

    def run(self, until_ns: int) -> None:
        """Let the machine's clock come to `until_ns` of the case, in real time where we may."""
        with before_the_rest():
            self._run(until_ns)

    def _run(self, until_ns: int) -> None:
        """Let the machine's clock come to `until_ns` of the case. Raises BoardDied, Blocked."""
        clock, ports = self.clock, list(self.ports.values())
        by_fd = {fd: port for port in ports if (fd := port.fileno()) is not None}
        while True:
            now_ns = clock.now_ns()
            case_ns = self._case_ns(now_ns)
            if case_ns >= until_ns:
                break
            for _ in (0, 1):  # what is ready goes out before anybody works out what comes next
                for port in ports:
                    if port.wake_ns <= now_ns:
                        port.turn(now_ns)
                if self.now_ns > case_ns:
                    break
                super().run(case_ns + 1)
                now_ns = clock.now_ns()
            if now_ns >= self._look_ns:
                self._look(now_ns)
                self.progress(case_ns - self.from_ns, until_ns - self.from_ns)
                now_fds = {port.fileno() for port in ports} - {None}
                if now_fds != set(by_fd):
                    return self._run(until_ns)
            wake_ns = min(self._clock_ns(min(until_ns, self._next_ns())) - self.ahead_ns, self._look_ns)
            first: Port | None = None
            for port in ports:
                if (port_ns := port.wake_ns) < wake_ns:
                    wake_ns, first = port_ns, port
            self._sleep(by_fd, wake_ns)
            if first is not None and (now_ns := clock.now_ns()) >= wake_ns:
                first.turn(now_ns)
        super().run(until_ns)
        self.ended_ns = clock.now_ns()
        return None

    def _next_ns(self) -> int:
        """When a peer wants to run, or a chore is due."""
        next_ns = self._chores[self._chores_done][0] if self._chores_done < len(self._chores) else FOREVER_NS
        return min(next_ns, min((peer.wake_ns for peer in self.peers), default=FOREVER_NS))

    def _sleep(self, by_fd: dict[int, Port], wake_ns: int) -> None:
        """Until then, or until bytes come; those are taken. select() sleeps to the microsecond, poll() does not.

        A sleeper is woken late by some time of the machine's own, so the last of it is spent awake.
        """
        clock = self.clock
        left_ns = max(0, wake_ns - AWAKE_NS - clock.now_ns())
        try:
            ready, _, _ = select.select(list(by_fd), (), (), left_ns / NS_PER_S)
        except ValueError:  # a process with more than a thousand files open
            raise Blocked("this process has too many files open for a bench; run the case by itself") from None
        for fd in ready:
            by_fd[fd].turn(clock.now_ns())
        while not ready and clock.now_ns() < wake_ns:
            pass

    def _look(self, now_ns: int) -> None:
        self._look_ns = now_ns + LOOK_NS
        for board in self.remote.values():
            board.check()

    def _heard(self, slot: Slot, wire: str) -> Heard:
        def heard(data: bytes, clock_ns: int) -> None:
            case_ns = max(self.from_ns, self._board_ns(clock_ns))
            InProcessBench.run(self, max(self.now_ns, case_ns + 1))  # what was due before it came
            slot.links[wire].write(data, case_ns)  # as of then, though peers are somewhat ahead

        return heard

    def _sender(self, port: Port) -> Heard:
        return lambda data, case_ns: port.send(data, self._clock_ns(case_ns))

    def _repeater(self, port: Port) -> Callable[[bytes, int, int, int], None]:
        def repeat(frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
            for n in range(count):
                port.send(frame, self._clock_ns(first_ns + (last_ns - first_ns) * n // max(1, count - 1)))

        return repeat

    def _case_ns(self, clock_ns: int) -> int:
        """The time that peers have come to."""
        return (clock_ns - self.start_ns + self.ahead_ns) * self.speed

    def _board_ns(self, clock_ns: int) -> int:
        """The time at the boards."""
        return (clock_ns - self.start_ns) * self.speed

    def _clock_ns(self, case_ns: int) -> int:
        return FOREVER_NS if case_ns >= FOREVER_NS else self.start_ns - (-case_ns // self.speed)


def span_error(bench: RealTimeBench, span_ns: int) -> float:
    """By how much the run was longer than its span, as a share of it: 0.001 is 0.1 %."""
    took_ns = bench.ended_ns + bench.ahead_ns - bench.start_ns - bench.from_ns // bench.speed
    wanted_ns = (span_ns - bench.from_ns) // bench.speed
    return (took_ns - wanted_ns) / wanted_ns if wanted_ns else 0.0
