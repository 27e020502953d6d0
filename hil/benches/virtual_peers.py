"""The far ends of a board's wires for a loop in virtual time: those of a lamp board, or a signal controller."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from boards.parts import contents
from boards.parts.dali import line_groups
from controllers.lighting.site import LightingSite, mm
from controllers.service.assemble import fade_code
from drivers.links.memory import MemoryLink
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.benches.coming_riders import ListedRiders, Traffic
from hil.benches.pty_wire import RunningPeer
from hil.benches.virtual_loop import START_NS, VirtualLoop
from hil.faults.plan import Faults
from hil.peers.dali_gateway import DaliGateway
from hil.peers.radar import RadarPeer
from hil.peers.signal_controller import SignalController
from hil.peers.signal_programme import Programme
from hil.traffic.rider import Rider

ALIVE_NS = 10 * NS_PER_S
AHEAD_M = 30
"""The neighbour's riders are announced so far beyond our last lamp."""


class TalkingNeighbour:
    """A controller next door that says it lives, and announces riders that come our way."""

    def __init__(self, link: MemoryLink, coming: Sequence[tuple[int, int, int]]) -> None:
        """`coming`: (t_ns, x_mm, v_mm_s), in order of time."""
        self.name = "neighbour"
        self._link, self._coming, self._next, self._alive_ns = link, coming, 0, NS_PER_S
        link.receiver = lambda data, t_ns: None

    @property
    def wake_ns(self) -> int:
        """The next message."""
        rider_ns = self._coming[self._next][0] if self._next < len(self._coming) else FOREVER_NS
        return min(rider_ns, self._alive_ns)

    def run(self, now_ns: int) -> None:
        """Say it."""
        if self._alive_ns <= now_ns:
            self._alive_ns += ALIVE_NS
            self._say({"kind": "alive", "doubts": {}}, now_ns)
            return
        _, x_mm, v_mm_s = self._coming[self._next]
        self._next += 1
        self._say({"kind": "rider", "id": self._next, "x_mm": x_mm, "v_mm_s": v_mm_s, "age_ms": 30}, now_ns)

    def _say(self, body: dict[str, Any], now_ns: int) -> None:
        self._link.write(json.dumps(body, separators=(",", ":")).encode() + b"\n", now_ns)

    def snapshot(self) -> dict[str, Any]:
        """Where it stands."""
        return {"next": self._next, "alive_ns": self._alive_ns}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._next, self._alive_ns = state["next"], state["alive_ns"]


def lit_path_peers(
    loop: VirtualLoop, site: LightingSite, controller: str, riders: Sequence[Rider], faults: Faults | None = None
) -> None:
    """Give `loop`, which runs `controller` of `site`, the peers of a lamp board; of `faults` those that are silence."""
    faults = faults or Faults()
    one, board = site.controller(controller), loop.controller.board.description
    radars = [
        RadarPeer(
            radar.name,
            loop.far[board.devices[radar.name].wire],
            x_mm=mm(radar.x_m),
            sign=1 if radar.looks == "up" else -1,
            range_mm=mm(radar.range_m),
            phase_ns=START_NS + number * 17 * NS_PER_MS,
            seed=number + 1,
            silent=faults.silent_radars.get(radar.name, ()),
            skip=False,
        )
        for number, radar in enumerate(one.radars)
    ]
    peers: list[RunningPeer] = [Traffic(ListedRiders(list(riders)), radars, lambda rider: None), *radars]
    for wire, content in contents(board).items():
        if content == "dali":
            addresses = sorted(said.short_address for said in board.devices.values() if hasattr(said, "short_address"))
            code = fade_code(site.light.rise_s)  # the gear has been commissioned
            gateway = DaliGateway(wire, loop.far[wire], addresses, lambda *output: None, fade_code=code)
            gateway.line.join(line_groups(board, wire))
            for span in faults.silent_gateways.get(wire, ()):
                gateway.set_silent(*span)
            peers.append(gateway)
    last_m = max(lamp.x_m for lamp in one.lamps)
    for device in one.neighbours:
        coming = [
            (rider.start_ns, mm(last_m + AHEAD_M), rider.segments[0].v_mm_s)
            for rider in sorted(riders, key=lambda rider: rider.start_ns)
            if rider.segments[0].v_mm_s < 0
        ]
        peers.append(TalkingNeighbour(loop.far[board.devices[device].wire], coming))
    loop.peers = peers


def display_peers(loop: VirtualLoop, feed: str, programme: Programme, start_utc_ns: int) -> None:
    """Give `loop`, which runs a display with a device `feed`, its signal controller."""
    wire = loop.controller.board.description.devices[feed].wire
    loop.peers = [
        SignalController("signal", loop.far[wire], programme, start_utc_ns=start_utc_ns, start_ns=10 * NS_PER_MS)
    ]
