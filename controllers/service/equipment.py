"""What stands around a loop that runs as a service: console, systemd, watchdogs, control socket, metrics, power keeper.

All of it works on the loop's thread and never waits there; without any option it does nothing but write lines. In the
order of a run::

    equipment = Equipment(controller, site, options, os.environ)
    status = Status(controller, equipment.say, [equipment.each_second], [equipment.each_line])
    equipment.open(status, clock)
    WirePoll(..., others=[*equipment.polled])
    loop = RealTimeLoop(..., beats=equipment.beats)
    equipment.watch(loop.figures, {"recorder": recorder.figures})
    loop.run(equipment.asked_to_stop(lambda: signals.asked))
    equipment.leave(clean=True)      # in place of board.close(); False after an exception
    equipment.close(clean=True)      # last of all
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from controllers.service.assemble import Controller
from controllers.service.console import Console, Urgent
from controllers.service.notify import Notifier
from controllers.service.report import Figures, Report
from controllers.service.status import Status
from controllers.service.wall_time import WallClock
from drivers.errors import BenchError, DriverError, InputError
from drivers.quantities import Message

if TYPE_CHECKING:
    from controllers.service.control import ControlServer
    from controllers.service.hardware_watchdog import HardwareWatchdog
    from controllers.service.loop import Beat
    from controllers.service.metrics import Metrics
    from drivers.links.poll import Pollable


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line has asked for. None: without it.

    `socket` of the control socket; `metrics` host and port; `hardware_watchdog` its device; `keeper` the socket of the
    power keeper; `priority` of the loop's thread (SCHED_FIFO, 1 to 99; 0 leaves it alone) and the `cpu` it stays on;
    `quiet` no lines at all; `bench_time` where a rig says the time (boards marked ``bench`` only).
    """

    socket: Path | None = None
    metrics: tuple[str, int] | None = None
    hardware_watchdog: Path | None = None
    keeper: Path | None = None
    priority: int = 50
    cpu: int | None = None
    quiet: bool = False
    bench_time: str | None = None


class Equipment:
    """See above.

    Args:
        controller: made, not started.
        site: name of the site.
        options: of the command line.
        environ: the process's.
    """

    def __init__(self, controller: Controller, site: str, options: Options, environ: Mapping[str, str]) -> None:
        self._controller, self._site, self._options = controller, site, options
        self._console = None if options.quiet else Console(environ)
        self._notifier = Notifier(environ, lambda: controller.cycle.ticks > 0)
        self._control: ControlServer | None = None
        self._hardware: HardwareWatchdog | None = None
        self._metrics: Metrics | None = None
        self._report: Report | None = None
        self._status: Status | None = None
        self._clock: WallClock | None = None
        self._take: Callable[[Message], None] | None = None
        self._asked = self._is_stopping = False

    def say(self, line: str) -> None:
        """A line to stderr; never waits."""
        if self._console is not None:
            self._console.say(line)

    def open(self, status: Status, clock: WallClock) -> None:
        """Open what was asked for; what cannot be opened is said and done without. Before the wires are opened.

        Threads are made here, so call it before the loop's thread gets its priority: they would inherit it.
        """
        self._status, self._clock = status, clock
        options = self._options
        if options.socket is not None:
            from controllers.service.control import ControlServer

            self._control = ControlServer(options.socket, self._answer)
            try:
                self._control.open()
            except InputError as error:
                self.say(Urgent(f"{error}; running without"))
        if options.hardware_watchdog is not None:
            from controllers.service.hardware_watchdog import HardwareWatchdog

            self._hardware = HardwareWatchdog(options.hardware_watchdog)
            self._hardware.open(self.say)
        if options.metrics is not None:
            from controllers.service.metrics import Metrics

            self._metrics = Metrics(options.metrics, self._warn)
        if options.keeper is not None:
            from controllers.service.keeper import release

            release(options.keeper, clock, self._warn)

    @property
    def polled(self) -> list[Pollable]:
        """For WirePoll's `others`."""
        return [] if self._control is None else [self._control]

    @property
    def beats(self) -> list[Beat]:
        """For the loop."""
        return [self._notifier] if self._hardware is None else [self._notifier, self._hardware]

    def watch(
        self,
        loop: Figures,
        more: Mapping[str, Figures] | None = None,
        take: Callable[[Message], None] | None = None,
    ) -> None:
        """Where figures come from (the loop's, and further ones by name, e.g. ``recorder``), and where orders go."""
        assert self._status is not None
        assert self._clock is not None
        self._take = take
        found: dict[str, Figures] = dict(more or {})
        found["systemd"] = self._notifier.figures
        if self._hardware is not None:
            found["hardware_watchdog"] = self._hardware.figures
        if self._metrics is not None:
            found["metrics"] = self._metrics.figures
        if self._console is not None:
            found["console"] = self._console.figures
        self._report = Report(self._controller, self._status, self._clock, self._site, loop, found)

    def each_second(self, t_ns: int) -> None:
        """For Status."""
        if self._metrics is not None and self._report is not None:
            self._metrics.publish(self._report.take(t_ns), t_ns)

    def each_line(self, line: str) -> None:
        """For Status."""
        self._notifier.status(line)

    def asked_to_stop(self, signalled: Callable[[], bool]) -> Callable[[], bool]:
        """For the loop: a signal, or somebody at the control socket; systemd hears of it at once."""

        def asked() -> bool:
            if not self._asked and not signalled():
                return False
            if not self._is_stopping:
                self._is_stopping = True
                self._notifier.stopping()
            return True

        return asked

    def leave(self, clean: bool) -> None:
        """Close the wires. After a clean stop the relay's power is kept; else it drops, and why is said."""
        error = sys.exception()
        if not clean and error is not None and not isinstance(error, InputError | BenchError | DriverError):
            self._warn(crash_line(self._controller.cycle.name, error))
        board, clock = self._controller.board, self._clock
        kept = []
        if clean and clock is not None:
            now_ns = clock.now_ns()
            for name, watchdog in board.watchdogs.items():
                watchdog.leave(now_ns)
                if watchdog.mode == "level":
                    kept.append(board.description.devices[name].wire)
        for wire in kept:
            link = board.links[wire]
            getattr(link, "leave", link.close)()
        board.close()
        if clean and clock is not None and self._options.keeper is not None:
            from controllers.service.keeper import hand_over

            hand_over(self._options.keeper, clock, self._warn)

    def close(self, clean: bool) -> None:
        """Hang up on everybody. The hardware watchdog stops after a clean stop only."""
        if self._metrics is not None:
            self._metrics.close()
        if self._hardware is not None:
            self._hardware.close(clean, self.say)
        if self._control is not None:
            self._control.close()
        self._notifier.close()
        if self._console is not None:
            self._console.close()

    def _warn(self, line: str) -> None:
        self.say(Urgent(line))

    def _answer(self, asked: dict[str, Any], t_ns: int) -> dict[str, Any]:
        match asked.get("ask"):
            case "status":
                if self._report is None:
                    raise InputError("it is just starting; ask again in a second")
                return {"status": self._report.take(t_ns)}
            case "stop":
                self._asked = True
                return {"stopping": True}
            case "override":
                from controllers.service.orders import order

                if self._take is None:
                    raise InputError("it is just starting; ask again in a second")
                said = order(asked, self._controller.cycle.lamps, t_ns)
                self._take(said)
                return {"override": said.body}
            case other:
                raise InputError(f"{other!r} is not understood; ask status, override or stop")


def crash_line(controller: str, error: BaseException) -> str:
    """What the loop died of, where, and what to do, in one line; the traceback follows it.

    Example: ``west: crashed at controllers/lighting/policy.py:120 (ZeroDivisionError: division by zero); …``.
    """
    places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    place = places[-1] if places else "an unknown place"
    for package in ("controllers", "boards", "drivers"):
        place = place if f"/{package}/" not in place else package + place.rpartition(f"/{package}")[2]
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return (
        f"{controller}: crashed at {place} ({what}); systemd starts it again; "
        "keep the newest files of the flight recorder (leeze-controllers blackbox pull) and report it"
    )
