"""``leeze-controllers override``: lamps by hand at commissioning, with an end."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

from controllers.cli_service import AddVerb, NobodyRuns, choose
from drivers.errors import InputError


def add_override(verb: AddVerb) -> None:
    """The verb."""
    override = verb(
        "override",
        _override,
        "lamps by hand, for so many minutes; ends by itself",
        "leeze-controllers override --controller west --lamps lamp-3 --level 100 --minutes 10",
    )
    override.add_argument("--socket", metavar="PATH", help="its control socket (default: /run/leeze/CONTROLLER.sock)")
    override.add_argument("--controller", metavar="NAME", help="which one; may be left out where one runs")
    override.add_argument("--lamps", required=True, metavar="NAME[,NAME]", help="lamps of that controller, or: all")
    override.add_argument("--level", type=_number("level", 0, 100), metavar="PCT", help="per cent of full output")
    override.add_argument(
        "--minutes",
        type=_number("minutes", 0.1, 120),
        default=10.0,
        metavar="N",
        help="default: %(default)g, at most 120",
    )
    override.add_argument("--end", action="store_true", help="end it now: back to calendar and riders")
    override.add_argument("--json", action="store_true", help="what stands now, as one JSON object")


def _number(name: str, least: float, most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            found = least - 1
        if not least <= found <= most:
            raise argparse.ArgumentTypeError(f"{name} {text!r} is no number from {least:g} to {most:g}")
        return found

    return number


def _override(said: argparse.Namespace) -> int:
    from controllers.service.control import ControlClient
    from drivers.clock import SystemClock

    if said.end == (said.level is not None):
        raise InputError("override: say --level PCT, or --end")
    lamps = "all" if said.lamps == "all" else [name.strip() for name in said.lamps.split(",")]
    path = choose(said)
    words = {"end": True} if said.end else {"level_pct": said.level, "minutes": said.minutes}
    try:
        client = ControlClient(path, SystemClock())
    except InputError as error:
        raise NobodyRuns(str(error)) from None
    with client:
        done = client.ask("override", lamps=lamps, **words)["override"]
    if said.json:
        print(json.dumps({"controller": path.stem, "lamps": done["lamps"], **words}))
        return 0
    names = ", ".join(done["lamps"])
    if said.end:
        print(f"{path.stem}: {names} back to normal")
        return 0
    print(f"{path.stem}: {names} at {said.level:g} % for {said.minutes:g} min, then back by itself")
    which = f"--socket {path}" if said.socket else f"--controller {path.stem}"
    print(f"sooner: leeze-controllers override {which} --lamps {said.lamps.replace(' ', '')} --end")
    return 0
