"""A board and a site make a controller: devices, policy, last gate, scan cycle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from boards.build import Board, LinkFor, build, load_board
from boards.parts import part_name
from boards.schema import BoardDescription
from controllers.core.contract import PanelFrame
from controllers.core.dusk import Dusk
from controllers.core.failsafe_lamps import LampGate
from controllers.core.invariants import Invariants
from controllers.core.overrides import COMMISSIONING
from controllers.core.scan_cycle import ScanCycle, Speaker
from controllers.lighting.policy import LightingPolicy
from controllers.lighting.site import ControllerSite, LightingSite, mm
from controllers.lighting.stretch import zones
from controllers.lighting.unseen import unseen
from controllers.service.fitting import fitted
from controllers.service.sites import controller_of
from drivers.codecs.dali import FADE_TIME_NS, FULL
from drivers.codecs.panel_frame import dark
from drivers.devices.neighbour import Neighbour
from drivers.errors import InputError
from drivers.interfaces import Fades, Gear
from drivers.quantities import Quantity

if TYPE_CHECKING:
    from controllers.greenwave.site import GreenwaveSite
    from controllers.service.sites import Site

RADARS = ("ld2451", "kld7", "ops243")
"""Parts whose reports the policy of a lit path takes. The last one tells speeds alone: its whole view is claimed."""


class Controller:
    """A board that lives: its devices and its scan cycle."""

    def __init__(
        self, board: Board, cycle: ScanCycle, fade_code: int = 0, invariants: Invariants | None = None
    ) -> None:
        self.board, self.cycle, self._fade_code = board, cycle, fade_code
        self.invariants = invariants
        """To be told what every tick does (`Invariants.observe`); it decides nothing."""

    def start(self, now_ns: int) -> None:
        """Ask every lamp what it shows, and whether its gear is fail-safe. Call once, before the first tick."""
        for lamp in self.board.lamps.values():
            if isinstance(lamp, Gear):
                lamp.take_over(now_ns)
        for lamp in self.board.lamps.values():
            if isinstance(lamp, Gear):
                lamp.verify(now_ns, failure_level=FULL, fade_code=self._fade_code)
            elif isinstance(lamp, Fades):
                lamp.set_fade(FADE_TIME_NS[self._fade_code])

    def stop(self, now_ns: int) -> None:
        """Order every output to what it shall be without a controller: the gate's last lamp levels, a dark panel.

        No tick may follow. Afterwards the devices want to be advanced until `sending` is False.
        """
        cycle, gate = self.cycle, self.cycle.gate
        if isinstance(gate, LampGate):
            for order in gate.stopping(now_ns):
                cycle.lamps[order.target].set_level(order.level, now_ns)
            return
        asked = [PanelFrame(name, dark(panel.width_px, panel.height_px)) for name, panel in cycle.panels.items()]
        for command in gate.step(asked, (), now_ns):
            if isinstance(command, PanelFrame):
                cycle.panels[command.target].show(command.frame, now_ns)

    @property
    def sending(self) -> bool:
        """True while some lamp has not been told its newest level, by a bus that is not lost."""
        return any(getattr(device, "levels_waiting", False) for device in self.board.devices.values())


def assemble(
    site: Site,
    *,
    controller: str | None = None,
    board: str | None = None,
    link_for: LinkFor | None = None,
    tap: Callable[[BoardDescription, LinkFor | None], LinkFor] | None = None,
) -> Controller:
    """A controller of `site` on its own board, or on `board` (a catalog name or a path).

    `controller` may be left out where the site has one. `link_for` as in `boards.build`: None is real hardware; `tap`
    gives links around those of the board it is told (`ServiceTap.link_for`).
    Raises InputError: no such controller or board, or they do not fit.
    """
    name, own_board = controller_of(site, controller)
    description = load_board(board or own_board)
    if isinstance(site, LightingSite):
        description = fitted(description, site, site.controller(name))
    if tap is not None:
        link_for = tap(description, link_for)
    if isinstance(site, LightingSite):
        return lighting_controller(site, site.controller(name), description, link_for)
    return greenwave_controller(site, description, link_for)


def lighting_controller(
    site: LightingSite, controller: ControllerSite, description: BoardDescription, link_for: LinkFor | None
) -> Controller:
    """One controller of a lit path. Raises InputError where site and board do not fit."""
    fits(description, "lighting", site.name)
    place = f"site {site.name}, controller {controller.name}"
    lamps = {lamp.name: mm(lamp.x_m) for lamp in controller.lamps}
    _has(description, (radar.name for radar in controller.radars), RADARS, place)
    _has(description, controller.neighbours, ("neighbour",), place)
    if controller.lux is not None:
        _has(description, (controller.lux,), ("bh1750",), place)
    if COMMISSIONING in description.devices:
        raise InputError(f"{place}: a device of board {description.name} is named {COMMISSIONING}; rename it")
    light = site.light
    base_level, full_level = light.base_level, light.full_level
    inbox: list[Quantity] = []
    board = build(description, emit=inbox.append, link_for=link_for, name=controller.name)
    for lamp in lamps:
        if lamp not in board.lamps:
            listed = ", ".join(board.lamps) or "none"
            raise InputError(f"{place}: board {description.name} has no lamp named {lamp!r}; it has: {listed}")
    lines = _gateway_zones(description, lamps, mm(light.ahead_m))
    policy = LightingPolicy(site, controller, base_level=base_level, full_level=full_level, lines=lines.keys())
    gate = LampGate(
        lamps,
        zones(site, controller) | lines,
        site.calendar(),
        base_level=base_level,
        full_level=full_level,
        reach_mm=mm(light.ahead_m),
        fade_ns=FADE_TIME_NS[fade_code(light.rise_s)],
        speakers=tuple(controller.neighbours),
        dusk=_dusk(site, controller),
        unseen=unseen(site, controller),
    )
    cycle = ScanCycle(
        controller.name,
        board.period_ns,
        policy,
        gate,
        inbox,
        list(board.devices.values()),
        lamps={name: board.lamps[name] for name in lamps},
        speakers=_speakers(board),
    )
    if board.watchdogs:
        from controllers.service.bus_power import guard_power

        guard_power(board, gate)
    return Controller(board, cycle, fade_code(light.rise_s), watch_over(site, controller, cycle))


def watch_over(site: LightingSite, controller: ControllerSite, cycle: ScanCycle) -> Invariants:
    """What has to hold for a controller of a lit path, to be told of its ticks."""
    policy, gate = cycle.policy, cycle.gate
    assert isinstance(policy, LightingPolicy)
    assert isinstance(gate, LampGate)
    return Invariants(
        {lamp.name: mm(lamp.x_m) for lamp in controller.lamps},
        zones(site, controller),
        site.calendar(),
        full_level=site.light.full_level,
        fade_ns=FADE_TIME_NS[fade_code(site.light.rise_s)],
        riders=policy.riders_mm,
        lit=lambda: gate.light in ("lit", "full"),
    )


def greenwave_controller(site: GreenwaveSite, description: BoardDescription, link_for: LinkFor | None) -> Controller:
    """A Leezenflow display. Raises InputError where site and board do not fit."""
    from boards.parts.feeds import Panel
    from controllers.core.failsafe_panel import PanelGate
    from controllers.greenwave.picture_signs import sign
    from controllers.greenwave.policy import GreenwavePolicy

    fits(description, "greenwave", site.name)
    place = f"site {site.name}"
    _has(description, (site.feed,), ("spat-feed",), place)
    _has(description, (site.panel,), ("panel",), place)
    if site.thermometer is not None and site.thermometer not in description.devices:
        listed = ", ".join(description.devices)
        raise InputError(f"{place}: board {description.name} has no thermometer {site.thermometer!r}; it has: {listed}")
    inbox: list[Quantity] = []
    board = build(
        description,
        emit=inbox.append,
        link_for=link_for,
        feed_station=site.station,
        feed_groups=frozenset((site.group,)),
    )
    panel = board.panels[site.panel]
    said = description.devices[site.panel]
    assert isinstance(said, Panel)
    full_ma, limit_ma = said.currents_ma(panel.width_px, panel.height_px)
    cycle = ScanCycle(
        site.name,
        board.period_ns,
        GreenwavePolicy(site, panel.width_px, panel.height_px),
        PanelGate(
            site.panel,
            panel.width_px,
            panel.height_px,
            feed=site.feed,
            station=site.station,
            group=site.group,
            stale_ns=round(site.stale_s * 1_000_000_000),
            full_ma=full_ma,
            limit_ma=limit_ma,
            doubt_frame=sign("no-data") if site.in_doubt == "no-data" else None,
        ),
        inbox,
        list(board.devices.values()),
        panels=board.panels,
        speakers=_speakers(board),
    )
    return Controller(board, cycle)


def _gateway_zones(description: BoardDescription, lamps: dict[str, int], reach_mm: int) -> dict[str, tuple[int, int]]:
    """By the wire that lamps hang on: where light is missing when it is lost, and has to come from all around."""
    found: dict[str, list[int]] = {}
    for lamp, x_mm in lamps.items():
        found.setdefault(description.devices[lamp].wire, []).append(x_mm)
    return {wire: (min(places) - reach_mm, max(places) + reach_mm) for wire, places in found.items()}


def _dusk(site: LightingSite, controller: ControllerSite) -> Dusk | None:
    light = site.light
    if controller.lux is None:
        return None
    return Dusk(controller.lux, round(light.dark_lx * 1000), round(light.bright_lx * 1000), trims=light.dusk == "lux")


def fade_code(rise_s: float) -> int:
    """The longest fade of the gear within `rise_s`: ``fade_code(1.0) == 2``; 0 (no fade) below 0.7 s.

    Fade times are written rounded (0.7 s for 0.707, 1.4 for 1.414): up to two per cent more count as within.
    """
    rise_ns = round(rise_s * 1_020_000_000)
    return max((code for code, time_ns in enumerate(FADE_TIME_NS) if time_ns <= rise_ns), default=0)


def fits(description: BoardDescription, product: str, site: str) -> None:
    """The board is made for the site's product. Raises InputError."""
    if description.product != product:
        raise InputError(f"board {description.name} is for {description.product}, site {site} is {product}")


def _has(description: BoardDescription, names: Iterable[str], parts: Sequence[str], place: str) -> None:
    for name in names:
        device = description.devices.get(name)
        if device is None or part_name(device) not in parts:
            there = [known for known, said in description.devices.items() if part_name(said) in parts]
            listed, wanted = ", ".join(there) or "none", " or ".join(parts)
            raise InputError(f"{place}: board {description.name} has no {wanted} named {name!r}; it has: {listed}")


def _speakers(board: Board) -> dict[str, Speaker]:
    return {name: device for name, device in board.devices.items() if isinstance(device, Neighbour)}
