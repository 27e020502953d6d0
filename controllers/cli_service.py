"""Verbs of ``leeze-controllers`` around a controller that runs as a service: status, stop, unit, keep-power."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drivers.errors import BenchError, InputError
from drivers.terminal import Verb

AddVerb = Callable[[str, Verb, str, str], argparse.ArgumentParser]

STOP_MS = 15_000
"""As long as the unit's TimeoutStopSec."""


class NobodyRuns(BenchError):  # noqa: N818 - errors are facts
    """Exit code 3: there is no controller, or it does not answer."""


def add_service_verbs(verb: AddVerb, of_a_site: Callable[[argparse.ArgumentParser], None]) -> None:
    """`of_a_site` adds --site, --board and --controller."""
    status = verb(
        "status", _status, "how a running controller is, on one screen", "leeze-controllers status --controller west"
    )
    stop = verb("stop", _stop, "ask a controller for a clean stop, and wait for it", "leeze-controllers stop")
    for each in (status, stop):
        each.add_argument("--socket", metavar="PATH", help="its control socket (default: /run/leeze/CONTROLLER.sock)")
        each.add_argument("--controller", metavar="NAME", help="which one; may be left out where one runs")
    status.add_argument("--json", action="store_true", help="everything, as one JSON object a line")
    status.add_argument("--watch", action="store_true", help="again every second, until Ctrl-C")
    stop.add_argument(
        "--wait", type=int, default=STOP_MS // 1000, metavar="S", help="how long to wait for it (default: %(default)s)"
    )
    unit = verb(
        "unit", _unit, "the files of a systemd service: print them, or write them", "leeze-controllers unit --into /"
    )
    unit.add_argument("--into", metavar="DIR", help="write them below this folder; / is this machine itself")
    unit.add_argument("--program", metavar="PATH", help="of leeze-controllers (default: the one that runs now)")
    keep = verb(
        "keep-power",
        _keep_power,
        "stand by to pulse a board's relay while its controller is stopped",
        "leeze-controllers keep-power --site my.toml --controller west",
    )
    of_a_site(keep)
    keep.add_argument("--keeper", metavar="PATH", help="its socket (default: /run/leeze/CONTROLLER.keep)")
    keep.add_argument("--now", action="store_true", help="begin at once, and not when a controller stops")


def add_run_options(running: argparse.ArgumentParser) -> None:
    """What ``run`` takes for its surroundings."""
    running.add_argument(
        "--socket", metavar="PATH", help="control socket (default: /run/leeze/CONTROLLER.sock where that folder is)"
    )
    running.add_argument(
        "--metrics", metavar="[ADDR:]PORT", help="figures for Prometheus over HTTP (ADDR: 127.0.0.1 unless named)"
    )
    running.add_argument("--hardware-watchdog", metavar="PATH", help="feed this device, e.g. /dev/watchdog")
    running.add_argument("--keeper", metavar="PATH", help="hand the relay over to this power keeper (see keep-power)")
    running.add_argument(
        "--flight",
        nargs="?",
        const="",
        metavar="DIR",
        help="record the last hours of every wire and decision into a ring of files (default: /var/lib/leeze/flight)",
    )
    running.add_argument(
        "--flight-mb", type=_megabytes, default=1024, metavar="N", help="limit of the ring (default: %(default)s)"
    )
    running.add_argument(
        "--flight-minutes", type=_minutes, default=15, metavar="N", help="of one file (default: %(default)s)"
    )
    running.add_argument(
        "--priority",
        type=_priority,
        default=50,
        metavar="N",
        help="of the loop's thread, SCHED_FIFO 1 to 99; 0: an ordinary one (default: %(default)s, where it may)",
    )
    running.add_argument(
        "--bench-time",
        metavar="PLACE",
        help="a board on a bench: wait at HOST:PORT or a socket's path for a rig's time",
    )
    running.add_argument("--cpu", type=int, metavar="N", help="the processor the loop stays on (default: any)")


def run_options(said: argparse.Namespace, controller: str) -> Any:
    """As `controllers.service.equipment.Options`. Raises InputError."""
    from controllers.service.control import FOLDER, default_path
    from controllers.service.equipment import Options
    from controllers.service.metrics import address

    socket = Path(said.socket) if said.socket else default_path(controller) if FOLDER.is_dir() else None
    return Options(
        socket=socket,
        metrics=None if said.metrics is None else address(said.metrics),
        hardware_watchdog=None if said.hardware_watchdog is None else Path(said.hardware_watchdog),
        keeper=None if said.keeper is None else Path(said.keeper),
        priority=said.priority,
        cpu=said.cpu,
        quiet=said.quiet,
        bench_time=said.bench_time,
    )


def flight_tap(said: argparse.Namespace, site: Any) -> Any:
    """As `controllers.service.flight_tap.FlightTap`; None where nothing is to be recorded."""
    if said.flight is None:
        return None
    from controllers.service.flight_records import DEFAULT_FOLDER
    from controllers.service.flight_tap import FlightTap

    return FlightTap(
        site,
        said.controller,
        Path(said.flight) if said.flight else DEFAULT_FOLDER,
        limit_bytes=said.flight_mb << 20,
        file_minutes=said.flight_minutes,
    )


def _number(text: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {least:g} to {most:g}")
    return number


def _megabytes(text: str) -> int:
    return int(_number(text, 1, 1_000_000))


def _minutes(text: str) -> float:
    return _number(text, 0.05, 24 * 60)


def _priority(text: str) -> int:
    return int(_number(text, 0, 99))


def _status(said: argparse.Namespace) -> int:
    from drivers.clock import SystemClock
    from drivers.units import NS_PER_S

    path, clock = choose(said), SystemClock()
    while True:
        picture = _ask(path, "status")["status"]
        if said.json:
            print(json.dumps(picture), flush=True)
        else:
            if said.watch and sys.stdout.isatty():
                sys.stdout.write("\x1b[H\x1b[2J")
            print("\n".join(_screen(picture)), flush=True)
        if not said.watch:
            return 0
        clock.sleep_until_ns(clock.now_ns() + NS_PER_S)


def _screen(picture: dict[str, Any]) -> list[str]:
    import shutil

    from controllers.service.screen import Screen

    locale = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    size = shutil.get_terminal_size((80, 25))
    return Screen(
        picture,
        german=locale.startswith("de"),
        width=size.columns,
        height=size.lines - 1,
        colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR"),
    ).lines()


def _stop(said: argparse.Namespace) -> int:
    from controllers.service.control import ControlClient
    from drivers.clock import SystemClock

    path = choose(said)
    try:
        with ControlClient(path, SystemClock()) as client:
            client.ask("stop")
            if client.wait_for_end(said.wait * 1000):
                print(f"{path.stem}: stopped")
                return 0
    except InputError as error:
        raise NobodyRuns(str(error)) from None
    raise NobodyRuns(f"{path}: still there after {said.wait} s; end it with: systemctl kill leeze@{path.stem}")


def _ask(path: Path, what: str) -> dict[str, Any]:
    from controllers.service.control import ControlClient
    from drivers.clock import SystemClock

    try:
        with ControlClient(path, SystemClock()) as client:
            return client.ask(what)
    except InputError as error:
        raise NobodyRuns(str(error)) from None


def choose(said: argparse.Namespace) -> Path:
    """The socket that is meant. Raises InputError where there are several, NobodyRuns where there is none."""
    from controllers.service.control import FOLDER, default_path

    if said.socket:
        return Path(said.socket)
    if said.controller:
        return default_path(said.controller)
    there = sorted(FOLDER.glob("*.sock"))
    if not there:
        raise NobodyRuns(f"no controller runs here: nothing in {FOLDER}; start one, or name its --socket")
    if len(there) > 1:
        names = ", ".join(path.stem for path in there)
        raise InputError(f"several controllers run here; choose one with --controller: {names}")
    return there[0]


def _unit(said: argparse.Namespace) -> int:
    from controllers.service import unit

    program = Path(said.program) if said.program else unit.our_program()
    if said.into:
        for path in unit.write(Path(said.into), program):
            print(path)
        return 0
    for name, place in unit.PLACES.items():
        print(f"# --- {place}\n{unit.text(name, program)}")
    return 0


def _keep_power(said: argparse.Namespace) -> int:
    from boards.load import load_board
    from controllers.service.console import Console
    from controllers.service.keeper import Keeper, default_path
    from controllers.service.notify import Notifier
    from controllers.service.sites import controller_of, load_site
    from controllers.service.stop import StopSignals
    from drivers.clock import SystemClock

    name, board = controller_of(load_site(said.site), said.controller)
    console = Console(os.environ)
    keeper = Keeper(
        load_board(said.board or board),
        Path(said.keeper) if said.keeper else default_path(name),
        SystemClock(),
        console.say,
        Notifier(os.environ),
    )
    try:
        with StopSignals() as signals:
            keeper.run(lambda: signals.asked, signals, said.now)
    finally:
        console.close()
    return 0
