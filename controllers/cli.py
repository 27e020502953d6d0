"""``leeze-controllers``: run a controller in real time; which sites there are; whether a site file is right."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controllers.cli_blackbox import add_blackbox
from controllers.cli_calendar import add_calendar
from controllers.cli_commission import add_commission
from controllers.cli_energy import add_energy
from controllers.cli_jitter import add_jitter
from controllers.cli_override import add_override
from controllers.cli_panel import add_panel_verbs
from controllers.cli_service import add_run_options, add_service_verbs, flight_tap, run_options
from controllers.greenwave.site import GreenwaveSite
from controllers.lighting.site import LightingSite
from controllers.service.sites import Site, load_site, shipped
from drivers.terminal import add_verb, run_verb

if TYPE_CHECKING:
    from boards.hardware import LinkFor
    from boards.schema import BoardDescription


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit code (0 fine, 2 wrong use or bad input, 3 the hardware is broken)."""
    return run_verb(_parser, argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leeze-controllers",
        description="What the light should do. Exit codes: 0 fine, 2 wrong use or bad input, 3 the hardware is broken.",
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)

    verb = partial(add_verb, verbs)
    running = verb(
        "run",
        _run,
        "run a controller on its wires, in real time, until SIGINT or SIGTERM",
        "leeze-controllers run --site kanalpromenade-reference --controller west",
    )
    sites = verb("sites", _sites, "the sites that come with Leeze", "leeze-controllers sites --json")
    checking = verb(
        "check", _check, "is a site file right, and does it fit its boards?", "leeze-controllers check --site my.toml"
    )
    for each in (running, checking):
        _of_a_site(each)
    running.add_argument(
        "--tap",
        nargs="?",
        const="",
        metavar="PATH",
        help="let others listen to every wire at this socket (default where no path is given: /run/leeze/BOARD.tap)",
    )
    add_run_options(running)
    running.add_argument("--quiet", action="store_true", help="no status on stderr")
    sites.add_argument("--json", action="store_true", help="one JSON object a line in place of text")
    add_service_verbs(verb, _of_a_site)
    add_override(verb)
    add_calendar(verb)
    add_panel_verbs(verb)
    add_blackbox(verbs)
    add_commission(verbs, _of_a_site)
    add_energy(verbs)
    add_jitter(verbs)
    return parser


def _of_a_site(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--site", required=True, metavar="SITE", help="a shipped site or the path of a .toml file")
    parser.add_argument(
        "--board", metavar="BOARD", help="a name of the catalog or the path of a .toml file (default: the site's)"
    )
    parser.add_argument("--controller", metavar="NAME", help="which of the site's controllers")


def _run(said: argparse.Namespace) -> int:
    from boards.hardware import hardware
    from controllers.service.assemble import assemble
    from controllers.service.run import run_until_stopped

    site = load_site(said.site)
    tap, flight = None, flight_tap(said, site)
    if said.tap is not None:
        from controllers.service.tapping import ServiceTap

        tap = ServiceTap(Path(said.tap) if said.tap else None)

    def tapped(description: BoardDescription, real: LinkFor | None) -> LinkFor:
        for each in (flight, tap):
            real = real if each is None else each.link_for(description, real)
        return real or hardware(description)

    controller = assemble(site, controller=said.controller, board=said.board, tap=tapped)
    run_until_stopped(controller, site.name, run_options(said, controller.cycle.name), tap, flight)
    return 0


def _sites(said: argparse.Namespace) -> int:
    sites = [load_site(name) for name in shipped()]
    if said.json:
        for site in sites:
            print(json.dumps(_summary(site)))
        return 0
    width = max(len(site.name) for site in sites)
    for site in sites:
        print(f"{site.name:<{width}}  {site.product:<9}  {_about(site)}")
    return 0


def _check(said: argparse.Namespace) -> int:
    from controllers.service.assemble import assemble
    from drivers.links.memory import memory_pair

    site = load_site(said.site)
    names = _controllers(site) if said.controller is None else [said.controller]
    for name in names:
        assemble(site, controller=name, board=said.board, link_for=lambda wire, _: memory_pair(wire)[0])
    if isinstance(site, LightingSite):
        from controllers.lighting.site_checks import warnings
        from controllers.service.sight import sight_warnings

        for warning in (*warnings(site), *sight_warnings(site, said.board)):
            print(f"{said.site}: warning: {warning}")
    print(f"{said.site}: fine, {_about(site)}")
    return 0


def _controllers(site: Site) -> list[str]:
    return [site.name] if isinstance(site, GreenwaveSite) else [controller.name for controller in site.controllers]


def _about(site: Site) -> str:
    if isinstance(site, GreenwaveSite):
        return f"station {site.station}, signal group {site.group}, {site.distance_m:g} m before the stop line"
    lamps = sum(len(controller.lamps) for controller in site.controllers)
    return f"{lamps} lamps, controllers: {', '.join(_controllers(site))}"


def _summary(site: Site) -> dict[str, Any]:
    summary: dict[str, Any] = {"name": site.name, "product": site.product, "controllers": _controllers(site)}
    if isinstance(site, LightingSite):
        return summary | {"lamps": sum(len(controller.lamps) for controller in site.controllers)}
    return summary | {"station": site.station, "group": site.group, "distance_m": site.distance_m}
