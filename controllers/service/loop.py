"""A controller in real time: one thread, absolute deadlines on the grid of its period, asleep in poll() in between.

What is read before a tick counts as having come at that tick at the latest, so no value is ever younger than the
tick that sees it. Ticks before `ScanCycle.due_ns` are left out (the law of waking). A tick that comes a period or more
late takes the newest place on the grid; those it passed over are counted as overruns and never made up for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from controllers.core.contract import Command
from controllers.service.assemble import Controller
from controllers.service.status import Status
from controllers.service.wall_time import CHECK_NS, WallClock, WallTimeSource
from drivers.quantities import Quantity, WallTime
from drivers.units import FOREVER_NS, NS_PER_S

LONGEST_SLEEP_NS = NS_PER_S
DRAIN_NS = 2 * NS_PER_S
"""How long a clean stop waits for a bus to carry out the last levels."""


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
    """

    def __init__(
        self,
        controller: Controller,
        wires: Wires,
        clock: WallClock,
        synchronised: Callable[[], bool],
        status: Status,
        flight: FlightLog | None = None,
        beats: Sequence[Beat] = (),
    ) -> None:
        self.status = status
        self._flight, self._beats = flight, tuple(beats)
        self._controller, self._cycle = controller, controller.cycle
        self._watchdogs = tuple(controller.board.watchdogs.values())
        self._wires, self._clock = wires, clock
        self._wall = WallTimeSource(clock, synchronised)
        self._cycle.observer = self._observe
        self._chores_ns = 0
        self._due_ns = FOREVER_NS
        self._ticked_ns = -1

    def run(self, asked_to_stop: Callable[[], bool]) -> None:
        """Start the controller and run it until `asked_to_stop`; then stop it cleanly. The wires stay open."""
        self._wires.pump(self._clock.now_ns())  # opens them
        now_ns = self._clock.now_ns()
        if self._flight is not None:
            self._flight.started(now_ns)
        self._controller.start(now_ns)
        while not asked_to_stop():
            self._turn()
        self._stop()

    def _turn(self) -> None:
        """Take in what has come, run the tick if one is due, and sleep."""
        cycle, wires, clock = self._cycle, self._wires, self._clock
        now_ns = clock.now_ns()
        late_ns = max(0, now_ns - self._due_ns)
        passed_over = late_ns // cycle.period_ns
        t_ns = min(now_ns, self._due_ns + passed_over * cycle.period_ns)
        if t_ns <= self._ticked_ns:  # nothing that comes after a tick may bear its time: a re-run would show it to it
            t_ns = self._ticked_ns + 1
        if passed_over and self._flight is not None:
            self._flight.passed_over(self._due_ns, t_ns)
        wires.pump(t_ns)
        if t_ns >= self._chores_ns:
            self._chores(t_ns)
        self._due_ns = cycle.due_ns(max(self._ticked_ns, t_ns - 1))
        if self._due_ns <= t_ns:
            cycle.tick(t_ns)
            for watchdog in self._watchdogs:
                watchdog.feed(t_ns)  # their wake makes the loop come around in time to feed them again
            self.status.ticked(late_ns, passed_over)
            self._ticked_ns = t_ns
            if self._flight is not None:
                self._flight.ticked(t_ns)
            self._due_ns = cycle.due_ns(t_ns)
        for beat in self._beats:
            beat.beat(t_ns)
        now_ns = clock.now_ns()
        wires.wait_until_ns(min(self._due_ns, self._chores_ns, wires.wake_ns(now_ns), now_ns + LONGEST_SLEEP_NS))

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
        now_ns = self._clock.now_ns()
        deadline_ns = now_ns + DRAIN_NS
        if self._flight is not None:
            self._flight.stopping(now_ns)
        self._controller.stop(now_ns)
        while True:
            for device in self._cycle.devices:
                if device.wake_ns <= now_ns:
                    device.advance(now_ns)
            if now_ns >= deadline_ns or not self._controller.sending:
                break
            wake_ns = min(device.wake_ns for device in self._cycle.devices)
            self._wires.wait_until_ns(min(deadline_ns, wake_ns, self._wires.wake_ns(now_ns)))
            now_ns = self._clock.now_ns()
            self._wires.pump(now_ns)
        self.status.stopped(now_ns, self._controller.sending)
