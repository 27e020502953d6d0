"""Keeps a pulsed relay's power after a clean stop of its controller: a tiny process with nothing else in it.

Nobody but a living process can pulse a line. So it stands by, warm, beside the controller: told ``keep`` after a clean
stop it takes the line and pulses on, told ``let-go`` by a controller that starts it leaves the line to that one. From
one to the other it takes far less than the circuit's `hold_ms`. A controller that crashes or hangs tells it nothing,
so that the relay drops and the gear goes to its failure level.

It answers at a socket as a controller does (`controllers.service.control`): ``{"ask": "keep"}``, ``{"ask": "let-go"}``
and ``{"ask": "status"}``, all with ``{"holding": ["relay"]}``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from boards.build import Board, LinkFor, build
from boards.parts import part_name
from boards.schema import BoardDescription
from boards.wires import GpioWire
from controllers.service.control import FOLDER, ControlClient, ControlServer
from controllers.service.notify import Notifier
from controllers.service.status import Say
from drivers.clock import Clock
from drivers.errors import InputError
from drivers.links.poll import OpensItself, Pollable, WirePoll
from drivers.units import NS_PER_MS, NS_PER_S

HAND_OVER_MS: Final = 1_000
"""How long a controller waits for the keeper, one way or the other."""

PERIOD_NS: Final = 20 * NS_PER_MS


def default_path(controller: str) -> Path:
    """``/run/leeze/CONTROLLER.keep``."""
    return FOLDER / f"{controller}.keep"


def relays_only(description: BoardDescription) -> BoardDescription:
    """The board with its pulsed relays and nothing else. Raises InputError where it has none."""
    relays = {
        name: said
        for name, said in description.devices.items()
        if part_name(said) == "relay" and getattr(said, "mode", "") == "pulse"
    }
    if not relays:
        raise InputError(f"board {description.name} has no relay in mode pulse; there is nothing to keep")
    wires = {said.wire: description.wires[said.wire] for said in relays.values()}
    return msgspec.structs.replace(description, devices=relays, wires=wires)


class Keeper:
    """Holds, or stands by.

    Args:
        description: of the controller's board.
        path: of its socket.
        clock: monotonic.
        say: where lines go.
        notifier: systemd's.
        link_for: where wires come from; None is real hardware.
    """

    def __init__(
        self,
        description: BoardDescription,
        path: Path,
        clock: Clock,
        say: Say,
        notifier: Notifier,
        link_for: LinkFor | None = None,
    ) -> None:
        self._description = relays_only(description)
        self._clock, self._say, self._notifier, self._link_for = clock, say, notifier, link_for
        self._server = ControlServer(path, self._answer, option="--keeper")
        self._board: Board | None = None
        self._wires: WirePoll | None = None
        self._interrupt: Pollable | None = None

    def run(self, asked_to_stop: Callable[[], bool], interrupt: Pollable, at_once: bool = False) -> None:
        """Until `asked_to_stop`; then the relay drops. Raises InputError where the socket cannot be opened."""
        self._interrupt = interrupt
        _warm(self._description)
        self._server.open()
        try:
            self._wires = self._poll([])
            if at_once:
                self._keep()
            while not asked_to_stop():
                self._turn()
        finally:
            self._server.close()
            if self._board is not None:
                self._board.close()

    def _turn(self) -> None:
        assert self._wires is not None
        wires, now_ns = self._wires, self._clock.now_ns()
        wires.pump(now_ns)
        wake_ns = now_ns + NS_PER_S
        if self._board is not None:
            for watchdog in self._board.watchdogs.values():
                watchdog.feed(now_ns)
            wake_ns = min(device.wake_ns for device in self._board.devices.values())
        self._notifier.beat(now_ns)
        assert self._wires is not None
        self._wires.wait_until_ns(min(wake_ns, self._wires.wake_ns(now_ns), now_ns + NS_PER_S))

    def _answer(self, asked: dict[str, Any], t_ns: int) -> dict[str, Any]:
        match asked.get("ask"):
            case "keep":
                self._keep()
            case "let-go":
                self._let_go()
            case "status":
                pass
            case other:
                raise InputError(f"{other!r} is not understood; ask keep, let-go or status")
        return {"holding": sorted(self._board.watchdogs) if self._board is not None else []}

    def _keep(self) -> None:
        if self._board is not None:
            return
        board = build(self._description, emit=lambda value: None, link_for=self._link_for)
        now_ns = self._clock.now_ns()
        for link in board.links.values():
            if isinstance(link, OpensItself):
                link.advance(now_ns)
        self._board, self._wires = board, self._poll(list(board.links.values()))
        self._say("keeping the power of " + ", ".join(sorted(board.watchdogs)))

    def _let_go(self) -> None:
        if self._board is None:
            return
        self._board.close()
        self._board, self._wires = None, self._poll([])
        self._say("let go: a controller has come")

    def _poll(self, links: list[Any]) -> WirePoll:
        return WirePoll(links, self._clock, PERIOD_NS, self._interrupt, [self._server])


def release(path: Path, clock: Clock, say: Say) -> None:
    """From a controller that starts: the keeper, where there is one, lets go of the line. Waits a second at most."""
    if not path.exists():
        return
    try:
        with ControlClient(path, clock, HAND_OVER_MS) as keeper:
            keeper.ask("let-go")
    except InputError as error:
        say(f"power keeper: {error}")


def hand_over(path: Path, clock: Clock, say: Say) -> bool:
    """From a controller that has stopped cleanly and closed its wires: the keeper goes on. Waits a second at most."""
    try:
        with ControlClient(path, clock, HAND_OVER_MS) as keeper:
            keeper.ask("keep")
    except InputError as error:
        say(f"power keeper: {error}; the relay drops, lamps go to their failure level")
        return False
    say("power keeper: goes on with the relay")
    return True


def _warm(description: BoardDescription) -> None:
    """Load what the line needs now, not when every millisecond counts. What is missing is told when it is opened."""
    from contextlib import suppress
    from importlib import import_module
    from importlib.metadata import entry_points

    for wire in description.wires.values():
        with suppress(ImportError, OSError, RuntimeError):
            if isinstance(wire, GpioWire) and wire.driver == "rpi-gpio":
                import_module("RPi.GPIO")
            elif isinstance(wire, GpioWire):
                for point in entry_points(group="gpiozero_pin_factories"):
                    if point.name == wire.factory:
                        point.load()
