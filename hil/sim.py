"""`leeze-hil sim`: a board with peers at every wire, live: riders and lamps, or a signal and its panel."""

from __future__ import annotations

from datetime import datetime

from rich.console import Console

from controllers.lighting.site import LightingSite
from controllers.service.sites import load_site
from drivers.errors import InputError
from drivers.links.memory import MemoryLink
from drivers.units import FOREVER_NS, NS_PER_S
from hil.benches.display import DisplayBench, display_board
from hil.benches.lit_path import LitPathBench
from hil.driving import Drive
from hil.fitting import check_display, check_far_ends, check_path
from hil.live import LiveOn
from hil.outcome import Request
from hil.peers.contract import Peer
from hil.peers.signal_controller import SignalController
from hil.peers.signal_programme import Group, Programme, Stage
from hil.traffic.chance import between, draw
from hil.traffic.model import Passage, TrafficModel, trajectory
from hil.traffic.rider import Rider

GAP_S = (5, 45)
SPEEDS_KMH = (5, 14, 16, 18, 20, 20, 24, 28)
"""Drawn evenly; a walker now and then, and what riders at the counters ride."""


class EndlessRiders:
    """Riders without end, drawn from a seed: one every 5 to 45 s."""

    def __init__(self, seed: int) -> None:
        self._seed, self._model = seed, TrafficModel()
        self._number = 0
        self._waiting = [self._make()]

    def _make(self) -> Rider:
        number = self._number
        self._number += 1
        gaps = sum(between(draw(self._seed, n, 1), *GAP_S) for n in range(number + 1)) if number < 64 else number * 25
        bits = draw(self._seed, number, 2)
        passage = Passage(60 + gaps, 1 if bits & 1 else -1, SPEEDS_KMH[(bits >> 8) % len(SPEEDS_KMH)])
        return trajectory(passage, number, self._seed, self._model)

    @property
    def next_start_ns(self) -> int:
        """When the next ride starts."""
        while len(self._waiting) < 12:  # slower riders start earlier than those before them
            self._waiting.append(self._make())
        self._waiting.sort(key=lambda rider: (rider.start_ns, rider.id))
        return max(0, self._waiting[0].start_ns)

    def take(self) -> Rider | None:
        """The next rider."""
        self.next_start_ns  # noqa: B018 - fills and sorts
        return self._waiting.pop(0)

    def snapshot(self) -> dict[str, object]:
        """A sim is not resumed."""
        return {}

    def restore(self, state: dict[str, object]) -> None:
        """A sim is not resumed."""


def example_programme(station: int, group: int) -> Programme:
    """A signal of 60 s for a site whose controller we only play: 32 s red, 24 s green."""
    stages = (
        Stage("red", 32_000, min_early_ms=9_000, max_late_ms=14_000),
        Stage("red-amber", 1_000),
        Stage("green", 24_000, max_late_ms=4_000),
        Stage("amber", 3_000),
    )
    return Programme(station=station, groups=(Group(group, stages),))


def sim(site_name: str, board: str | None, start: datetime, seconds: float | None, speed: int, console: Console) -> str:
    """Run until `seconds` have passed or somebody interrupts. Returns one closing line. Raises InputError."""
    site = load_site(site_name)
    origin_utc_ns = int(start.timestamp()) * NS_PER_S
    bench: LitPathBench | DisplayBench
    if isinstance(site, LightingSite):
        check_path(site, board)
        check_far_ends(site, board)
        bench = LitPathBench(site, EndlessRiders(1), origin_utc_ns=origin_utc_ns, board=board, rules=False)
    else:
        programme = example_programme(site.station, site.group)

        def feed(link: MemoryLink) -> Peer:
            return SignalController("signal", link, programme, start_utc_ns=origin_utc_ns)

        description = display_board(board or site.board)
        check_display(site, description)
        bench = DisplayBench(site, description, feed, origin_utc_ns=origin_utc_ns)
    span_ns = round(seconds * NS_PER_S) if seconds is not None else FOREVER_NS // 2
    live = LiveOn(console, f"{site.name}, live; Ctrl-C ends")
    request = Request(subject="sim", speed=max(1, speed), on_bench=live)
    bench.start()
    try:
        Drive(request, lambda done, total: None).run(bench, span_ns)
    except KeyboardInterrupt:
        pass  # this is how a sim ends
    finally:
        live.stop()
    if bench.bench.now_ns == 0:
        raise InputError("--seconds must be more than nothing")
    ran_s = bench.bench.now_ns / NS_PER_S
    if isinstance(bench, LitPathBench):
        bench.ledger.advance(bench.bench.now_ns)
        figures = bench.ledger.figures()
        return f"{ran_s:.0f} s, {bench.traffic.count} riders, {figures.energy_wh:.1f} Wh"
    return f"{ran_s:.0f} s, {bench.bench.ticks} ticks"
