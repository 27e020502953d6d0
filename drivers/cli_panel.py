"""``leeze-drivers panel``: the process that drives an LED panel for a controller."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from drivers.units import NS_PER_MS

AddVerb = Callable[..., argparse.ArgumentParser]

DRIVERS = ("rgbmatrix", "piomatter", "emulator", "terminal", "png")


def add_panel_verb(verb: AddVerb) -> None:
    """Add it to those of the command."""
    panel = verb(
        "panel",
        _panel,
        "drive an LED panel for a controller, until SIGTERM; dark whenever nobody stands by its picture",
        "leeze-drivers panel --driver terminal --socket /run/leeze/leezenflow.panel",
    )
    panel.add_argument("--driver", required=True, choices=DRIVERS, help="the library, or where the picture goes")
    panel.add_argument(
        "--socket", required=True, type=Path, metavar="PATH", help="where the controller comes; as its board file says"
    )
    panel.add_argument("--width", type=_number(1, 192), default=96, metavar="PX", help="of all panels (default: 96)")
    panel.add_argument("--height", type=_number(1, 64), default=32, metavar="PX", help="of all panels (default: 32)")
    panel.add_argument("--cols", type=_number(1, 192), default=32, metavar="PX", help="of one panel (default: 32)")
    panel.add_argument(
        "--mapping",
        choices=("adafruit-hat", "adafruit-hat-pwm", "regular"),
        default="adafruit-hat",
        help="the adapter on the header (default: adafruit-hat)",
    )
    panel.add_argument("--slowdown", type=_number(0, 5), default=2, metavar="N", help="of rgbmatrix (default: 2)")
    panel.add_argument("--adapter", default="browser", metavar="NAME", help="of the emulator (default: browser)")
    panel.add_argument("--out", type=Path, metavar="FILE", help="of driver png")
    panel.add_argument("--flip", action="store_true", help="it hangs the other way up")
    panel.add_argument("--lying", action="store_true", help="terminal and png show it as it is wired, not upright")
    panel.add_argument(
        "--blank-ms",
        type=_number(300, 60_000),
        default=1000,
        metavar="MS",
        help="dark after so long without a word of the controller (default: 1000)",
    )


def _panel(said: argparse.Namespace) -> int:
    from drivers.panels.process import serve
    from drivers.panels.screens import ScreenSettings, open_screen
    from drivers.panels.show import Show

    settings = ScreenSettings(
        width_px=said.width,
        height_px=said.height,
        mapping=said.mapping,
        cols=said.cols,
        slowdown=said.slowdown,
        adapter=said.adapter,
        upright=not said.lying,
        out=said.out,
    )
    show = Show(said.width, said.height, said.blank_ms * NS_PER_MS, said.flip)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    serve(said.socket, said.driver, lambda: open_screen(said.driver, settings), show, say)
    return 0


def _number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text}: {least} to {most} can be")
        return int(text)

    return parse
