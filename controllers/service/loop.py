"""A controller in real time: one thread, absolute deadlines on the grid of its period, asleep in poll() in between.

What is read before a tick counts as having come at that tick at the latest, so no value is ever younger than the
tick that sees it. Ticks before `ScanCycle.due_ns` are left out (the law of waking). A tick that comes a period or more
late takes the newest place on the grid; those it passed over are counted as overruns and never made up for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from controllers.core.contract import Command
from controllers.core.ledger import ACT, PUBLISH, SENSE, Ledger
from controllers.core.scan_cycle import ScanCycle
from controllers.service.garbage import IdleCollector
from controllers.service.ledger import LoopMeter, Processor
from controllers.service.real_time import Step
from controllers.service.wall_time import CHECK_NS, WallClock, WallTimeSource
from drivers.errors import InputError
from drivers.interfaces import Watchdog
from drivers.quantities import Message, Quantity, WallTime
from drivers.units import FOREVER_NS, NS_PER_S

LONGEST_SLEEP_NS = NS_PER_S
DRAIN_NS = 2 * NS_PER_S
"""How long a clean stop waits for a bus to carry out the last levels."""

UNHEALTHY_NS = 5 * NS_PER_S


class Wires(Protocol):
    """All wires of a board; drivers.links.poll.WirePoll."""

    losses: int

    @property
    def troubles(self) -> dict[str, str]:
        """Why each link that is not open is not, by name."""

    def wake_ns(self, now_ns: int) -> int:
        """When, without bytes, `pump` has something to do."""

    def wait_until_ns(self, deadline_ns: int) -> None:
        """Return at `deadline_ns`, or earlier when bytes have come."""

    def pump(self, t_ns: int) -> None:
        """Hand over what has come."""


@runtime_checkable
class TellsMore(Protocol):
    """Wires that tell which of them has been served, and when a sleep is nearly over."""

    served: Callable[[str], None] | None
    awake: Callable[[], None] | None


class Watched(Protocol):
    """What the loop asks a board."""

    @property
    def watchdogs(self) -> Mapping[str, Watchdog]:
        """Fed at every tick."""


class Controlled(Protocol):
    """What the loop runs; controllers.service.assemble.Controller."""

    @property
    def cycle(self) -> ScanCycle:
        """Its ticks."""

    @property
    def board(self) -> Watched:
        """Its hardware."""

    @property
    def sending(self) -> bool:
        """True while some lamp has not been told its newest level."""

    def start(self, now_ns: int) -> None:
        """Before the first tick."""

    def stop(self, now_ns: int) -> None:
        """After the last tick."""


class Told(Protocol):
    """Who is told what the loop does; controllers.service.status.Status."""

    def ticked(self, late_ns: int, passed_over: int) -> None:
        """A tick has run."""

    def observe(
        self, tick: int, now_ns: int, inputs: Sequence[Quantity], asked: Sequence[Command], allowed: Sequence[Command]
    ) -> None:
        """A tick has decided."""

    def look(self, now_ns: int, troubles: Mapping[str, str], losses: int) -> None:
        """Once a second."""

    def stopped(self, now_ns: int, unfinished: bool) -> None:
        """The last word."""


class FlightLog(Protocol):
    """Hears what a re-run needs beside the bytes of the wires, in the order in which it happened, on the loop's thread.

    Every call is short and never waits: a recorder keeps what it is told and writes it elsewhere.
    """

    def started(self, t_ns: int) -> None:
        """The controller is about to start; its wires are open or being opened."""

    def passed_over(self, due_ns: int, from_ns: int) -> None:
        """Places on the grid in [due_ns, from_ns) came too late, no tick runs at them. Told before the turn's bytes."""

    def wall(self, value: WallTime) -> None:
        """A wall time has been put into the inbox."""

    def ordered(self, value: Message) -> None:
        """An order given by hand has been put into the inbox."""

    def observed(
        self, tick: int, now_ns: int, inputs: Sequence[Quantity], asked: Sequence[Command], allowed: Sequence[Command]
    ) -> None:
        """A tick has decided: the scan cycle's observer."""

    def ticked(self, t_ns: int) -> None:
        """The tick at `t_ns` has run, whether it decided or not; the cycle may be asked for a snapshot now."""

    def stopping(self, t_ns: int) -> None:
        """A clean stop is about to write its last levels; no tick follows."""


class Beat(Protocol):
    """Something that wants to hear that the loop comes around, e.g. a watchdog."""

    def beat(self, t_ns: int) -> None:
        """The loop has come around and is healthy. Called often, at least once a second; limits its own rate."""


class LoopError(RuntimeError):
    """What ended a running loop, where by its kind it could be taken for bad input; the process exits with 1."""


class RealTimeLoop:
    """Runs a controller on a clock.

    Args:
        controller: made, not started.
        wires: its board's.
        clock: monotonic and wall time.
        synchronised: whether the wall time can be trusted now.
        status: told of ticks, health and wires.
        flight: the flight recorder, if there is one.
        beats: told after every turn while the loop is healthy.
        set_up: real-time steps, taken when the wires have been opened and before the controller starts.
        read: the loop's thread's use of the processor (controllers.service.ledger.processor); None in virtual time.
    """

    def __init__(
        self,
        controller: Controlled,
        wires: Wires,
        clock: WallClock,
        synchronised: Callable[[], bool],
        status: Told,
        flight: FlightLog | None = None,
        beats: Sequence[Beat] = (),
        set_up: Callable[[], Sequence[Step]] = tuple,
        read: Processor | None = None,
    ) -> None:
        self.status = status
        self.healthy = True
        """False once every tick of the last `UNHEALTHY_NS` has come a period or more too late."""
        self.ledger = Ledger(controller.cycle.period_ns)
        self.real_time: tuple[Step, ...] = ()
        self._flight, self._beats, self._set_up = flight, tuple(beats), set_up
        self._controller, self._cycle = controller, controller.cycle
        self._watchdogs = tuple(controller.board.watchdogs.values())
        self._wire_names = frozenset(getattr(controller.board, "links", ()))
        self._wires, self._clock = wires, clock
        self._wall = WallTimeSource(clock, synchronised)
        self._meter = LoopMeter(self.ledger, clock.now_ns, read)
        self._collector = IdleCollector(clock.now_ns)
        self._cycle.observer, self._cycle.meter = self._observe, self._meter
        if isinstance(wires, TellsMore):
            wires.served, wires.awake = self._served, self._meter.awake
        self._chores_ns = 0
        self._due_ns = FOREVER_NS
        self._ticked_ns = -1
        self._late_since_ns = -1

    def run(self, asked_to_stop: Callable[[], bool]) -> None:
        """Start the controller and run it until `asked_to_stop`; then stop it cleanly. The wires stay open.

        Whatever a policy, gate, device or recorder raises ends the loop at once, without a clean stop: nobody knows
        any more what is true. The process is to die of it, so that the relay falls and the service manager restarts it.
        """
        meter = self._meter
        meter.watch_collector(True)
        try:
            self._wires.pump(self._clock.now_ns())  # opens them
            self.real_time = tuple(self._set_up())  # what is open by now need not be asked for in real time
            now_ns = self._clock.now_ns()
            self._collector.start(now_ns)
            if self._flight is not None:
                self._flight.started(now_ns)
            self._controller.start(now_ns)
            self._due_ns = self._cycle.due_ns(now_ns - 1)  # it may be over by the first turn: late, not forgotten
            meter.end(now_ns)
            try:
                while not asked_to_stop():
                    self._turn()
                self._stop()
            except (InputError, OSError) as error:  # no wrong use: the service manager would leave that as it is
                raise LoopError(f"the loop has ended: {error}") from error
        finally:
            meter.watch_collector(False)

    def _turn(self) -> None:
        """Take in what has come, run the tick if one is due, and sleep."""
        cycle, wires, flight, meter = self._cycle, self._wires, self._flight, self._meter
        now_ns = meter.begin()
        t_ns, due_ns = now_ns, self._due_ns
        passed_over = 0
        if now_ns >= due_ns:
            t_ns = cycle.grid.newest_ns(due_ns, now_ns)
            passed_over = t_ns // cycle.period_ns - due_ns // cycle.period_ns
        else:
            due_ns = now_ns
        if t_ns <= self._ticked_ns:  # nothing that comes after a tick may bear its time: a re-run would show it to it
            t_ns = self._ticked_ns + 1
        if passed_over and flight is not None:
            flight.passed_over(due_ns, t_ns)
        wires.pump(t_ns)
        meter.mark(SENSE, "wires", "")
        if t_ns >= self._chores_ns:
            self._chores(t_ns)
            meter.mark(PUBLISH, "publish", "")
        self._due_ns = cycle.due_ns(max(self._ticked_ns, t_ns - 1))
        if self._due_ns <= t_ns:
            late_ns = meter.ticked(t_ns, due_ns, passed_over)
            cycle.tick(t_ns)
            for watchdog in self._watchdogs:
                watchdog.feed(t_ns)  # their wake makes the loop come around in time to feed them again
            meter.mark(ACT, "devices", "")
            self._ticked_ns = t_ns
            self._judge(t_ns, passed_over)
            self.status.ticked(late_ns, passed_over)
            if flight is not None:
                flight.ticked(t_ns)
            self._due_ns = cycle.due_ns(t_ns)
        if self.healthy:
            for beat in self._beats:
                beat.beat(t_ns)
        meter.mark(PUBLISH, "publish", "")
        until_ns = min(self._due_ns, self._chores_ns, wires.wake_ns(meter.last_ns), meter.last_ns + LONGEST_SLEEP_NS)
        if t_ns >= self._collector.wake_ns:
            self._collector.look(t_ns, until_ns - meter.last_ns)
        meter.end(until_ns)
        wires.wait_until_ns(until_ns)

    def _judge(self, t_ns: int, passed_over: int) -> None:
        """Healthy is who keeps at least one tick in `UNHEALTHY_NS`."""
        if not passed_over:
            self._late_since_ns = -1
        elif self._late_since_ns < 0:
            self._late_since_ns = t_ns
        self.healthy = self._late_since_ns < 0 or t_ns - self._late_since_ns < UNHEALTHY_NS

    def take(self, order: Message) -> None:
        """An order given at the control socket, while the wires are served: an input, recorded like any other."""
        self._cycle.inbox.append(order)
        if self._flight is not None:
            self._flight.ordered(order)

    def figures(self) -> dict[str, Any]:
        """JSON-able: ticks, healthy, real_time, collector, and what `Ledger.figures` has."""
        collector = self._collector
        return {
            "ticks": self._cycle.ticks,
            "healthy": self.healthy,
            "real_time": [{"step": step.step, "done": step.done, "why": step.why} for step in self.real_time],
            "collector": {"collections": collector.collections, "longest_us": collector.longest_ns // 1000},
        } | self.ledger.figures()

    def _served(self, name: str) -> None:
        """A wire, or who listens to them."""
        if name in self._wire_names:
            self._meter.mark(SENSE, "wire", name)
        else:
            self._meter.mark(PUBLISH, "publish", "")

    def _observe(
        self, tick: int, now_ns: int, inputs: Sequence[Quantity], asked: Sequence[Command], allowed: Sequence[Command]
    ) -> None:
        if self._flight is not None:
            self._flight.observed(tick, now_ns, inputs, asked, allowed)
        self.status.observe(tick, now_ns, inputs, asked, allowed)

    def _chores(self, t_ns: int) -> None:
        """What has to be looked at once a second."""
        self._chores_ns = t_ns + CHECK_NS
        wall_time = self._wall.check(t_ns)
        if wall_time is not None:
            self._cycle.inbox.append(wall_time)
            if self._flight is not None:
                self._flight.wall(wall_time)
        self.status.look(t_ns, self._wires.troubles, self._wires.losses)

    def _stop(self) -> None:
        """Leave every output as it shall be without a controller; wait for the bus, but not for ever."""
        t_ns = now_ns = self._clock.now_ns()
        deadline_ns = now_ns + DRAIN_NS
        if self._flight is not None:
            if self._due_ns < now_ns:
                self._flight.passed_over(self._due_ns, now_ns)  # due, and not run any more
            self._flight.stopping(now_ns)
        self._controller.stop(now_ns)
        while True:
            for device in self._cycle.devices:
                if device.wake_ns <= t_ns:
                    device.advance(t_ns)
            for watchdog in self._watchdogs:
                watchdog.feed(t_ns)  # the bus has power while it is told its last levels
            if now_ns >= deadline_ns or not self._controller.sending:
                break
            wake_ns = max(t_ns + 1, min(device.wake_ns for device in self._cycle.devices))
            self._wires.wait_until_ns(min(deadline_ns, wake_ns, self._wires.wake_ns(now_ns)))
            now_ns = self._clock.now_ns()
            t_ns = max(t_ns, min(now_ns, wake_ns))  # devices are served as of their own time, so a re-run is exact
            self._wires.pump(t_ns)
        self.status.stopped(now_ns, self._controller.sending)
