"""A Leezenflow display on the in-process bench: one board, whatever plays at the far end of its feed, and its panel."""

from __future__ import annotations

from collections.abc import Callable

from boards.build import load_board
from boards.parts import contents
from boards.schema import BoardDescription
from controllers.core.scan_cycle import ScanCycle
from controllers.greenwave.site import GreenwaveSite
from controllers.service.assemble import greenwave_controller
from drivers.interfaces import ByteLink
from drivers.links.memory import MemoryLink, memory_pair
from drivers.links.tap import Fan, Sink
from drivers.recording.digest import ChainDigest
from drivers.units import NS_PER_MS
from hil.benches.in_process import BenchOf, InProcessBench, Slot
from hil.faults.plan import Faults
from hil.faults.wire import disturbed
from hil.peers.contract import Peer


class DisplayBench:
    """One display in one virtual time.

    Args:
        site: the display's site.
        board: the board's description.
        feed: makes the peer at the far end of the feed from the peer's end of the wire.
        origin_utc_ns: what virtual time 0 is.
        skip: jump over quiet time.
        faults: of the feed's wire, the board and its clock.
        sinks: further takers of every byte, made from the wires' names in canonical order and the period.
        name: the board's name in wires, e.g. ``"leezenflow"``.
    """

    def __init__(
        self,
        site: GreenwaveSite,
        board: BoardDescription,
        feed: Callable[[MemoryLink], Peer],
        *,
        origin_utc_ns: int,
        skip: bool = True,
        sinks: Callable[[list[str], int], list[Sink]] | None = None,
        name: str = "leezenflow",
        faults: Faults | None = None,
        seed: int = 0,
        bench_of: BenchOf = InProcessBench,
    ) -> None:
        faults = faults or Faults()
        self.site, self.board, self.origin_utc_ns, self.name = site, board, origin_utc_ns, name
        self.boards = {name: board}
        self.contents = {f"{name}/{wire}": what for wire, what in contents(board).items()}
        self.wires = sorted(self.contents)
        self.period_ns = board.period_ms * NS_PER_MS
        self.digest = ChainDigest(self.period_ns, self.wires, {})
        sink: Sink = self.digest
        if sinks is not None and (more := sinks(self.wires, self.period_ns)):
            sink = Fan([self.digest, *more])
        self.bench = bench_of(sink, skip=skip)
        self.bench.fit(site, self.boards)
        self.bench.boards_from_ns = faults.start_ns
        self.slot = Slot(name, self._make)
        near: dict[str, MemoryLink] = {}
        far: dict[str, MemoryLink] = {}
        for wire in contents(board):
            near[wire], peers_end = memory_pair(wire)
            far[wire] = faults.on(f"{name}/{wire}", peers_end, self.contents[f"{name}/{wire}"], seed)
        self.feed = feed(far[board.devices[site.feed].wire])
        peer = self.bench.add_peer(disturbed(self.feed, *far.values()))
        self.bench.add_board(self.slot)
        self.bench.disturb(self.slot, faults.restarts.get(name, ()), faults.clocks.get(name, ()))
        for wire, link in near.items():
            self.bench.wire(self.slot, wire, link, self.wires.index(f"{name}/{wire}"), peer)

    def _make(self, slot: Slot) -> ScanCycle:
        def link_for(name: str, wire: object) -> ByteLink:
            return slot.links[name]

        controller = greenwave_controller(self.site, self.board, link_for)
        controller.start(self.bench.now_ns)
        return controller.cycle

    def start(self) -> None:
        """Virtual time 0: power on."""
        self.bench.start(self.origin_utc_ns)

    def run(self, until_ns: int) -> None:
        """Let everything happen before `until_ns`."""
        self.bench.run(until_ns)

    def finish(self) -> str:
        """The run ends now; the digest."""
        self.digest.finish(self.bench.now_ns)
        return self.digest.hexdigest()


def display_board(name_or_path: str, message_format: str | None = None) -> BoardDescription:
    """A display's board; with `message_format` its feed is read as that, e.g. ``"spat-uper"`` for a J2735 trace."""
    import msgspec

    from boards.parts.feeds import SpatFeed
    from boards.wires import MemoryWire

    board = load_board(name_or_path)
    if message_format is None:
        return board
    devices, wires = dict(board.devices), dict(board.wires)
    for name, said in board.devices.items():
        if isinstance(said, SpatFeed) and said.message_format != message_format:
            devices[name] = msgspec.structs.replace(said, message_format=message_format)
            wires[said.wire] = MemoryWire()
    return msgspec.structs.replace(board, devices=devices, wires=wires)
