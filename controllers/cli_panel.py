"""``leeze-controllers panel`` and ``pictures``: pictures on a panel without a controller, and all on one sheet."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

AddVerb = Callable[..., argparse.ArgumentParser]


def add_panel_verbs(verb: AddVerb) -> None:
    """Add them to those of the command."""
    panel = verb(
        "panel",
        _panel,
        "show a test picture, or that it is under repair, on a panel whose controller is stopped; until Ctrl-C",
        "leeze-controllers panel test-counters --socket /run/leeze/leezenflow.panel",
    )
    panel.add_argument("picture", metavar="PICTURE", help="boot, no-data, maintenance, test-fields, -border, -counters")
    panel.add_argument("--socket", required=True, type=Path, metavar="PATH", help="of the panel process")
    panel.add_argument("--seconds", type=int, metavar="N", help="for so long (default: until Ctrl-C)")
    sheet = verb(
        "pictures",
        _pictures,
        "every picture of a Leezenflow display on one sheet",
        "leeze-controllers pictures -o docs/leezenflow-pictures.png",
    )
    sheet.add_argument("-o", "--out", type=Path, metavar="FILE", help="a PNG; without it only the frames' digest")


def _panel(said: argparse.Namespace) -> int:
    from controllers.greenwave.picture_signs import SIGNS, sign
    from drivers.clock import SystemClock
    from drivers.errors import InputError, LinkLost
    from drivers.links.poll import WirePoll
    from drivers.panels.link import PanelLink
    from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

    if said.picture not in SIGNS:
        raise InputError(f"no picture {said.picture}; there are: {', '.join(SIGNS)}")
    clock = SystemClock()
    link = PanelLink("panel", str(said.socket), f"leeze-drivers panel --driver … --socket {said.socket}")
    wires = WirePoll([link], clock, 100 * NS_PER_MS)
    try:
        link.pump(clock.now_ns())
        if not link.is_open:
            raise InputError(link.trouble)
        link.write(sign(said.picture), clock.now_ns())
        print(f"{said.picture}: on show", flush=True)
        until_ns = FOREVER_NS if said.seconds is None else clock.now_ns() + said.seconds * NS_PER_S
        while (now_ns := clock.now_ns()) < until_ns:
            wires.pump(now_ns)
            if wires.losses or not link.is_open:
                raise LinkLost("panel", now_ns, "it hung up; a controller has it (stop that one), or it has ended")
            wires.wait_until_ns(min(until_ns, wires.wake_ns(now_ns)))
    except KeyboardInterrupt:
        return 0
    finally:
        link.close()
    return 0


def _pictures(said: argparse.Namespace) -> int:
    from controllers.service.picture_sheet import digest, sheet

    if said.out is not None:
        said.out.write_bytes(sheet())
    print(f"frames {digest()}")
    return 0
