"""A controller on the system's clock until somebody asks it to stop: wires, tap and signals around the loop."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from controllers.service.assemble import Controller
from controllers.service.loop import RealTimeLoop
from controllers.service.status import Say, Status
from controllers.service.stop import StopSignals
from controllers.service.wall_time import system_synchronised
from drivers.clock import SystemClock
from drivers.links.poll import Pollable, WirePoll

if TYPE_CHECKING:
    from controllers.service.tapping import ServiceTap


def run_until_stopped(controller: Controller, say: Say, tap: ServiceTap | None = None) -> None:
    """Run on the system's clock until SIGINT or SIGTERM, stop cleanly, close every wire. For the main thread.

    `tap` is the one that `controller` was assembled with.
    """
    clock = SystemClock()
    board = controller.board
    bench = board.description.bench  # a bench takes the time as it comes
    synchronised = (lambda: True) if bench else system_synchronised
    with StopSignals() as signals:
        try:
            links = list(board.links.values())
            others: list[Pollable] = []
            if tap is not None:
                tap.open(say)
                links, others = tap.polled(board.links), [tap]
            wires = WirePoll(links, clock, board.period_ns, signals, others)
            loop = RealTimeLoop(controller, wires, clock, synchronised, Status(controller, say))
            gc.collect()
            gc.freeze()  # what is there now stays: no need to look through it again and again
            loop.run(lambda: signals.asked)
        finally:
            if tap is not None:
                tap.close()
            board.close()
