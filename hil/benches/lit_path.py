"""A lit path on the in-process bench: every controller of the site, radars, gear, riders, and the ledger."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from boards.build import load_board
from boards.parts import contents, part_name
from boards.parts.dali import line_groups
from boards.schema import BoardDescription
from controllers.core.scan_cycle import ScanCycle
from controllers.lighting.site import ControllerSite, LightingSite, mm
from controllers.service.assemble import fade_code, lighting_controller
from drivers.codecs.ld2451 import IDLE_FRAME
from drivers.interfaces import ByteLink
from drivers.links.memory import MemoryLink, memory_pair
from drivers.links.tap import Fan, Sink
from drivers.recording.digest import ChainDigest
from drivers.units import NS_PER_MS
from hil.benches.coming_riders import Riders, Traffic
from hil.benches.in_process import BenchOf, InProcessBench, Slot
from hil.faults.plan import Faults
from hil.faults.wire import FaultyPeer, FaultyWire, disturbed
from hil.judge.light_ledger import LightLedger
from hil.judge.owed import LightPath
from hil.judge.rules import RuleBook
from hil.peers.dali_gateway import DaliGateway
from hil.peers.exchange import Exchange
from hil.peers.path_radars import PathRadar, path_radar
from hil.peers.radar import FORETOLD_NS, FORETOLD_UNRECORDED_NS, RadarPeer
from hil.traffic.rider import GHOST_IDS, Rider

SETTLED_NS = 200 * NS_PER_MS
"""The ledger is told lamp events as they happen and closes riders this much later."""


class LitPathBench:
    """The whole site in one virtual time.

    Args:
        site: the site.
        riders: who rides.
        origin_utc_ns: what virtual time 0 is.
        seed: which reports radars miss, and their phases.
        skip: jump over quiet time.
        faults: what goes wrong.
        range_m: the radars' usable range instead of the site's.
        sinks: further takers of every byte, made from the wires' names in canonical order.
        board: a board file for all controllers instead of the site's.
        rules: also run the rules to compare with.
        bench_of: where the boards are.
    """

    def __init__(
        self,
        site: LightingSite,
        riders: Riders,
        *,
        origin_utc_ns: int,
        seed: int = 0,
        skip: bool = True,
        faults: Faults | None = None,
        sinks: Callable[[list[str], int], list[Sink]] | None = None,
        board: str | None = None,
        rules: bool = True,
        bench_of: BenchOf = InProcessBench,
    ) -> None:
        faults = faults or Faults()
        self.site, self.origin_utc_ns = site, origin_utc_ns
        light = site.light
        self.boards: dict[str, BoardDescription] = {
            one.name: load_board(board or one.board) for one in site.controllers
        }
        self.wires = sorted(f"{name}/{wire}" for name, board in self.boards.items() for wire in contents(board))
        self.contents = {f"{n}/{wire}": what for n, b in self.boards.items() for wire, what in contents(b).items()}
        self.period_ns = min(board.period_ms for board in self.boards.values()) * NS_PER_MS
        idle = {n: IDLE_FRAME for n, wire in enumerate(self.wires) if self.contents[wire] == "ld2451"}
        self.digest = ChainDigest(self.period_ns, self.wires, idle)
        sink: Sink = self.digest
        more = sinks(self.wires, self.period_ns) if sinks is not None else []
        self._foretold_ns = FORETOLD_NS if more else FORETOLD_UNRECORDED_NS
        if more:
            sink = Fan([self.digest, *more])
        self.bench = bench_of(sink, skip=skip)
        self.bench.fit(site, self.boards)
        self.bench.boards_from_ns = faults.start_ns
        self.faults = faults

        lamps = [(mm(lamp.x_m), one.name, lamp.name) for one in site.controllers for lamp in one.lamps]
        self.lamps = [f"{controller}/{lamp}" for _, controller, lamp in sorted(lamps)]
        self.lamps_x_mm = [x_mm for x_mm, _, _ in sorted(lamps)]
        calendar = site.calendar()
        path = LightPath(
            self.lamps_x_mm, [_span(r.x_m, r.looks, r.range_m) for c in site.controllers for r in c.radars]
        )
        shared = {"origin_utc_ns": origin_utc_ns, "power_mw": round(light.power_w * 1000)}
        self.base_level = base_level = light.base_level
        self.full_level = light.full_level
        self.calendar, self.path = calendar, path
        self.ledger = LightLedger(path, calendar, base_level=base_level, zone=calendar.zone, **shared)
        self.rules = RuleBook(path, calendar, site.place.timezone, base_level=base_level, **shared) if rules else None

        self.radars: dict[str, PathRadar] = {}
        self.gateways: dict[str, DaliGateway] = {}
        self.exchange = Exchange("exchange", lost=faults.lost_messages)
        self._gear_of: dict[int, tuple[DaliGateway, int]] = {}
        self.on_output: Callable[[int, int, int, int, int], None] | None = None
        self.on_rider: Callable[[Rider], None] | None = None
        self._near: dict[str, dict[str, MemoryLink]] = {}
        far: dict[str, MemoryLink] = {}
        for one in site.controllers:
            self._near[one.name] = {}
            for wire in contents(self.boards[one.name]):
                name = f"{one.name}/{wire}"
                self._near[one.name][wire], peers_end = memory_pair(wire)
                far[name] = faults.on(name, peers_end, self.contents[name], seed)
        for one in site.controllers:
            self._make_peers(one, far, seed, skip, faults)
        self.traffic = Traffic(riders, list(self.radars.values()), self._rider)
        self._add_to_bench(faults, far)
        self._join_neighbours(far)
        for ghost in faults.ghosts:
            for radar in self.radars.values():
                radar.rider(ghost)
        self._ghosts = {ghost.id: ghost for ghost in faults.ghosts}

    def _make_peers(
        self, one: ControllerSite, far: dict[str, MemoryLink], seed: int, skip: bool, faults: Faults
    ) -> None:
        board = self.boards[one.name]
        for radar in one.radars:
            name = f"{one.name}/{radar.name}"
            number = len(self.radars)
            link = far[f"{one.name}/{board.devices[radar.name].wire}"]
            self.radars[name] = path_radar(
                part_name(board.devices[radar.name]),
                name,
                link,
                x_mm=mm(radar.x_m),
                sign=1 if radar.looks == "up" else -1,
                range_mm=mm(radar.range_m),
                phase_ns=(number * 17 + seed % 13) * NS_PER_MS,
                seed=seed * 64 + number + 1,
                silent=faults.silent_radars.get(name, ()),
                skip=skip and not isinstance(link, FaultyWire),  # a fault meets each frame
                foretold_ns=self._foretold_ns,
            )
        for wire, what in contents(board).items():
            if what != "dali":
                continue
            index = {
                said.short_address: self.lamps.index(f"{one.name}/{lamp}")
                for lamp, said in board.devices.items()
                if said.wire == wire and f"{one.name}/{lamp}" in self.lamps and hasattr(said, "short_address")
            }
            name = f"{one.name}/{wire}"
            code = fade_code(self.site.light.rise_s)  # the gear has been commissioned
            gateway = DaliGateway(name, far[name], sorted(index), self._observer(index), fade_code=code)
            gateway.line.join(line_groups(board, wire))
            for from_ns, to_ns in faults.silent_gateways.get(name, ()):
                gateway.set_silent(from_ns, to_ns)
            self.gateways[name] = gateway
            self._gear_of.update({lamp: (gateway, address) for address, lamp in index.items()})

    def _observer(self, index: dict[int, int]) -> Callable[[int, int, int, int, int], None]:
        def output(address: int, t_ns: int, from_level: int, to_level: int, duration_ns: int) -> None:
            lamp = index[address]
            self.ledger.lamp_output(lamp, t_ns, from_level, to_level, duration_ns)
            if self.on_output is not None:
                self.on_output(lamp, t_ns, from_level, to_level, duration_ns)

        return output

    def _rider(self, rider: Rider) -> None:
        now_ns = self.bench.now_ns - SETTLED_NS
        if rider.id >= GHOST_IDS:  # clutter of a traffic file: owed nothing
            self._poke_radars()
            return
        if self.ledger.passes_in_lit_hours(rider.start_ns, rider.end_ns):
            walk = self.path.walk(rider)
            self.ledger.expect(walk)
            if self.rules is not None:
                self.rules.expect(walk)
        if now_ns > 0:
            self.ledger.advance(now_ns)
            if self.rules is not None:
                self.rules.advance(now_ns)
        if self.on_rider is not None:
            self.on_rider(rider)
        self._poke_radars()

    def _poke_radars(self) -> None:
        for place in self.traffic.seen_by:
            self.bench.poke(self._radar_numbers[place])

    def _add_to_bench(self, faults: Faults, far: dict[str, MemoryLink]) -> None:
        bench = self.bench
        bench.add_peer(self.traffic)
        wire_of = {
            f"{one.name}/{radar.name}": f"{one.name}/{self.boards[one.name].devices[radar.name].wire}"
            for one in self.site.controllers
            for radar in one.radars
        }
        numbers = {name: bench.add_peer(disturbed(radar, far[wire_of[name]])) for name, radar in self.radars.items()}
        self._radar_numbers = list(numbers.values())
        for name, gateway in self.gateways.items():
            numbers[name] = bench.add_peer(disturbed(gateway, far[name]))
        served = {*wire_of.values(), *self.gateways}
        exchange = bench.add_peer(disturbed(self.exchange, *(far[name] for name in self.wires if name not in served)))
        for one in self.site.controllers:
            slot = Slot(one.name, self._maker(one))
            bench.add_board(slot)
            ours = [radar for name, radar in self.radars.items() if name.startswith(f"{one.name}/")]
            slot.radars = [radar for radar in ours if isinstance(radar, RadarPeer)]
            by_wire = {wire: numbers[name] for name, wire in wire_of.items()}
            for wire, near in self._near[one.name].items():
                name = f"{one.name}/{wire}"
                peer = by_wire.get(name, numbers.get(name, exchange))
                bench.wire(slot, wire, near, self.wires.index(name), peer)
            bench.disturb(slot, faults.restarts.get(one.name, ()), faults.clocks.get(one.name, ()))
        for name, spans in faults.dark_lines.items():
            gateway = self.gateways[name]
            for from_ns, to_ns in spans:
                bench.at(from_ns, partial(gateway.set_bus_power, False))
                bench.at(to_ns, partial(gateway.set_bus_power, True))

    def _maker(self, one: ControllerSite) -> Callable[[Slot], ScanCycle]:
        def make(slot: Slot) -> ScanCycle:
            def link_for(name: str, wire: object) -> ByteLink:
                return slot.links[name]

            controller = lighting_controller(self.site, one, self.boards[one.name], link_for)
            controller.start(self.bench.now_ns)
            radars = {radar.name: controller.board.devices[radar.name] for radar in one.radars}
            slot.watched = [device for name, device in radars.items() if self._tells_idle(f"{one.name}/{name}")]
            slot.alone = {self.boards[one.name].devices[name].wire: device for name, device in radars.items()}
            return controller.cycle

        return make

    def _tells_idle(self, radar: str) -> bool:
        """Whether its idle frames are told in bulk, and so have to be told before its device looks for silence."""
        return isinstance(self.radars[radar], RadarPeer)

    def _join_neighbours(self, far: dict[str, MemoryLink]) -> None:
        for one in self.site.controllers:
            for device, other in one.neighbours.items():
                if one.name < other:
                    back = next((d for d, n in self.site.controller(other).neighbours.items() if n == one.name), None)
                    if back is None:
                        continue  # named by one side only: its words go nowhere
                    a = self.boards[one.name].devices[device].wire
                    b = self.boards[other].devices[back].wire
                    self.exchange.join(far[f"{one.name}/{a}"], far[f"{other}/{b}"])

    def start(self) -> None:
        """Virtual time 0: power on."""
        self.bench.start(self.origin_utc_ns)

    def run(self, until_ns: int) -> None:
        """Let everything happen before `until_ns`."""
        self.bench.run(until_ns)

    def finish(self) -> str:
        """The run ends now; the digest."""
        now_ns = self.bench.now_ns
        self.ledger.finish(now_ns)
        if self.rules is not None:
            self.rules.finish(now_ns)
        self.digest.finish(now_ns)
        return self.digest.hexdigest()

    def level_at(self, lamp: int, t_ns: int) -> int:
        """The arc power level lamp number `lamp` shows at `t_ns`, now or a little later."""
        gateway, address = self._gear_of[lamp]
        return gateway.level_at(address, t_ns)

    @property
    def radar_frames(self) -> int:
        """Frames that were written to radar wires, but for repeated idle ones."""
        return sum(radar.frames for radar in self.radars.values())

    def snapshot(self) -> dict[str, Any]:
        """Everything, as JSON-able values."""
        return {
            "bench": self.bench.snapshot(),
            "digest": self.digest.snapshot(),
            "ledger": self.ledger.snapshot(),
            "rules": self.rules.snapshot() if self.rules is not None else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot of a bench made with the same arguments."""

        seeing: list[Any] = list(self.radars.values())

        def restore_peer(peer: Any, saved: dict[str, Any]) -> None:
            if isinstance(peer, FaultyPeer):
                peer.restore_with(saved, restore_peer)
            elif peer in seeing:
                peer.restore(saved, {**self.traffic.under_way, **self._ghosts}, state["bench"]["now_ns"])
            else:
                peer.restore(saved)

        self.bench.restore(state["bench"], restore_peer)
        self.digest.restore(state["digest"])
        self.ledger.restore(state["ledger"])
        if self.rules is not None and state["rules"] is not None:
            self.rules.restore(state["rules"])


def _span(x_m: float, looks: str, range_m: float) -> tuple[int, int]:
    x_mm, range_mm = mm(x_m), mm(range_m)
    return (x_mm, x_mm + range_mm) if looks == "up" else (x_mm - range_mm, x_mm)
