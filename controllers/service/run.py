"""A controller on the system's clock until somebody asks it to stop: wires, taps, recorder, signals around the loop."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from controllers.service.assemble import Controller
from controllers.service.equipment import Equipment, Options
from controllers.service.ledger import processor
from controllers.service.loop import RealTimeLoop
from controllers.service.real_time import Step, set_up
from controllers.service.status import Status
from controllers.service.stop import StopSignals
from controllers.service.wall_time import system_synchronised
from drivers.clock import SystemClock
from drivers.links.poll import Pollable, WirePoll

if TYPE_CHECKING:
    from boards.build import Board
    from controllers.service.flight_tap import FlightTap
    from controllers.service.tapping import ServiceTap


def run_until_stopped(
    controller: Controller,
    site: str,
    options: Options,
    tap: ServiceTap | None = None,
    flight: FlightTap | None = None,
) -> None:
    """Run on the system's clock until SIGINT, SIGTERM or a `stop`; stop cleanly, close every wire. For the main thread.

    Args:
        controller: made, not started.
        site: name of its site.
        options: what stands around the loop.
        tap, flight: those that `controller` was assembled with; `flight` is the inner one.

    Whatever the loop raises comes out of here, once all is closed as after a crash: the relay drops.
    """
    board = controller.board
    clock, rig = SystemClock(), None
    synchronised = (lambda: True) if board.description.bench else system_synchronised  # a bench takes it as it comes
    if options.bench_time is not None:
        from controllers.service.bench_time import BenchTime

        clock = rig = BenchTime(options.bench_time, board.description, controller.cycle.name, partial(_counted, board))
        synchronised = rig.synchronised
    equipment = Equipment(controller, site, options, os.environ)
    status = Status(controller, equipment.say, [equipment.each_second], [equipment.each_line])
    recorder = None if flight is None else flight.recorder
    clean = False
    with StopSignals() as signals:
        try:
            equipment.open(status, clock)
            links = board.links
            others: list[Pollable] = list(equipment.polled)
            if tap is not None:
                tap.open(equipment.say)
                links = tap.polled(links)
                others.append(tap)
            if flight is not None:
                links = flight.polled(board.links)
            if recorder is not None:
                recorder.open(controller.cycle)
            if rig is not None:
                others.append(rig)
            wires = WirePoll(links.values(), clock, board.period_ns, signals, others)

            def prepare() -> tuple[Step, ...]:
                steps = set_up(options.priority, options.cpu)
                if rig is not None:
                    rig.wait(wires, lambda: signals.asked)
                return tuple(steps)

            loop = RealTimeLoop(
                controller,
                wires,
                clock,
                synchronised,
                status,
                recorder,
                equipment.beats,
                prepare,
                processor,
            )
            equipment.watch(loop.figures, {} if recorder is None else {"recorder": recorder.figures}, loop.take)
            loop.run(equipment.asked_to_stop(lambda: signals.asked))
            clean = True
        finally:
            if recorder is not None:
                recorder.seal()
            if tap is not None:
                tap.close()
            equipment.leave(clean)
            if recorder is not None:
                recorder.close()
            equipment.close(clean)
            if rig is not None:
                rig.close()


def _counted(board: Board) -> dict[str, dict[str, int]]:
    return {name: device.counters() for name, device in board.devices.items()}
