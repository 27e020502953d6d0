"""Replay of a trace of a lit path: every recorded input comes in again, every output is held against the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from boards.build import load_board
from boards.parts import contents
from controllers.core.scan_cycle import ScanCycle
from controllers.lighting.site import ControllerSite, LightingSite
from controllers.service.assemble import lighting_controller
from drivers.errors import InputError
from drivers.interfaces import ByteLink
from drivers.links.memory import MemoryLink, memory_pair
from drivers.links.tap import Fan, Sink
from drivers.recording.digest import ChainDigest
from drivers.recording.events import Wall, WireBytes
from drivers.recording.reader import TraceReader
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.in_process import InProcessBench, Slot
from hil.case import known_faults
from hil.driving import Drive
from hil.faults.plan import Faults, fits_bench, planned
from hil.faults.span import PEER_KINDS, check_names, read_by_hand
from hil.faults.wire import disturbed
from hil.fitting import check_path
from hil.judge.alignment import Tolerance
from hil.judge.beside import content_of, judged
from hil.judge.live import KEPT, LiveJudge
from hil.judge.reference import Sent
from hil.outcome import Outcome, Progress, Request, SentLog
from hil.peers.contract import Peer
from hil.peers.dali_gateway import DaliGateway
from hil.peers.playback import Playback, over_and_over
from hil.peers.radar import FORETOLD_NS
from hil.record import recording
from hil.replay_lit_path import with_range
from hil.report.result import RunResult

TOLD_LATE_NS = FORETOLD_NS + 10 * NS_PER_S
"""Idle frames in bulk are written into a trace when they are told, so much after the first of them at the most."""


def recorded_outputs(reader: TraceReader, period_ns: int) -> Iterator[Sent]:
    """What the boards sent when the trace was recorded, as the judge wants it."""
    for event in reader.events(["/wire/*/tx"]):
        if isinstance(event, WireBytes) and event.outward:
            tick = -(-event.t_ns // period_ns)
            yield Sent(tick, event.t_ns, f"{event.board}/{event.wire}", event.data)


def what_is_wrong(reader: TraceReader) -> tuple[str, bool]:
    """A note on a trace that has been read to its end, and whether input in its middle is lost.

    A trace that was cut holds everything up to the cut, and is judged up to there. One damaged in its middle gives the
    controllers other input than they had: what they send then proves nothing.
    """
    lost = {"bad chunks": reader.bad_chunks, "bad messages": reader.bad_messages}
    if reader.complete:
        lost["skipped bytes"] = reader.skipped_bytes
    if any(lost.values()):
        counted = ", ".join(f"{count} {name}" for name, count in lost.items() if count)
        return f"the trace is damaged ({counted}): input is lost, so what was sent is not judged", True
    return ("" if reader.complete else f"the trace is not complete: {reader.note}"), False


class TraceBench:
    """The controllers of a site with a trace at the far end of every wire."""

    def __init__(self, site: LightingSite, reader: TraceReader, request: Request, last_ns: int) -> None:
        check_path(site, request.board)
        self.site = site = with_range(site, request.range_m)
        self.boards = {one.name: load_board(request.board or one.board) for one in site.controllers}
        self.contents = {f"{n}/{wire}": what for n, b in self.boards.items() for wire, what in contents(b).items()}
        self.wires = sorted(self.contents)
        self.period_ns = min(board.period_ms for board in self.boards.values()) * NS_PER_MS
        recorded = {f"{wire.board}/{wire.name}": wire for wire in reader.wires}
        if not recorded:
            raise InputError(f"{reader.path}: holds nothing to replay: {reader.note or 'no wires'}")
        if not set(self.wires) & set(recorded):
            raise InputError(
                f"{reader.path}: its wires ({', '.join(recorded)}) are none of site {site.name}; "
                "name the site it was recorded on with --site"
            )
        missing = [wire for wire in self.wires if wire not in recorded and self.contents[wire] != "relay"]
        if missing and request.bench != "in-process":
            from hil.benches.contract_bench import Blocked

            raise Blocked(
                f"{reader.path}: has no channel for {', '.join(missing)}; the boards of site {site.name} would hear "
                "nothing there: take a trace of this site, or name the trace's own with --site"
            )
        idle = {n: recorded[w].idle for n, w in enumerate(self.wires) if w in recorded and recorded[w].idle}
        self.digest = ChainDigest(self.period_ns, self.wires, idle)
        self.log = SentLog(self.wires, self.period_ns, KEPT)
        self.log.contents = self.contents
        faults = self._faults(request)
        self.recorder = recording(request)
        sinks: list[Sink] = [self.digest, self.log, *self.recorder.sinks(self.wires, self.period_ns)]
        self.bench = (request.bench_of or InProcessBench)(Fan(sinks), skip=request.skip)
        self.bench.fit(site, self.boards)
        near: dict[str, MemoryLink] = {}
        far: dict[str, MemoryLink] = {}
        for name in self.wires:
            near[name], peers_end = memory_pair(name.partition("/")[2])
            far[name] = faults.on(name, peers_end, self.contents[name], request.seed)
        live = self._live_peers(site, far, request)
        played = over_and_over(
            lambda: TraceReader(reader.path).events(["/wire/*/rx", "/idle/*"]), request.loop, last_ns + 1
        )
        self.playback = Playback("trace", {name: end for name, end in far.items() if name not in live}, played)
        playing = self.bench.add_peer(disturbed(self.playback, *(far[name] for name in far if name not in live)))
        numbers = {name: self.bench.add_peer(disturbed(peer, far[name])) for name, peer in live.items()}
        for one in site.controllers:
            slot = Slot(one.name, self._maker(one))
            self.bench.add_board(slot)
            for wire in contents(self.boards[one.name]):
                name = f"{one.name}/{wire}"
                self.bench.wire(slot, wire, near[name], self.wires.index(name), numbers.get(name, playing))
            self.bench.disturb(slot, faults.restarts.get(one.name, ()), faults.clocks.get(one.name, ()))
        self.bench.boards_from_ns = round((request.from_s or 0) * NS_PER_S)

    def _faults(self, request: Request) -> Faults:
        """Those by hand. Nothing plays the gear or the exchange of a trace, so faults in there there are none."""
        spans = [read_by_hand(word) for word in request.faults]
        known = known_faults(self.contents, list(self.boards))
        check_names(spans, known | dict.fromkeys((*PEER_KINDS, "brown-out"), ()), "--fault")
        found = planned(spans)
        fits_bench(found, request.bench)
        return found

    def _live_peers(self, site: LightingSite, far: dict[str, MemoryLink], request: Request) -> dict[str, Peer]:
        """Gateways that answer for themselves, by wire, in place of the recorded answers. Raises InputError."""
        found: dict[str, Peer] = {}
        for name in request.live:
            if self.contents.get(name) != "dali":
                lines = ", ".join(wire for wire, what in self.contents.items() if what == "dali") or "none"
                raise InputError(f"--live {name}: is no DALI line of site {site.name}; lines: {lines}")
            board, _, wire = name.partition("/")
            devices = self.boards[board].devices.values()
            gear = [said.short_address for said in devices if said.wire == wire and hasattr(said, "short_address")]
            found[name] = DaliGateway(name, far[name], sorted(gear), lambda *shone: None)
        return found

    def _maker(self, one: ControllerSite) -> Callable[[Slot], ScanCycle]:
        def make(slot: Slot) -> ScanCycle:
            def link_for(name: str, wire: object) -> ByteLink:
                return slot.links[name]

            controller = lighting_controller(self.site, one, self.boards[one.name], link_for)
            controller.start(self.bench.now_ns)
            return controller.cycle

        return make

    def run(self, until_ns: int) -> None:
        """Let everything happen before `until_ns`."""
        self.bench.run(until_ns)


def replay_trace(request: Request, site: LightingSite, progress: Progress) -> tuple[Outcome, SentLog, list[Sent]]:
    """Run a trace again; returns what was sent then as well."""
    path = Path(request.subject)
    reader = TraceReader(path)
    origin_utc_ns, last_ns = reader.provenance.base_ns, 0
    for event in reader.events(["/wall"]):
        if isinstance(event, Wall):
            origin_utc_ns = event.utc_ns - event.t_ns
            break
    for event in reader.events(["/wire/*", "/idle/*", "/tick/*"]):
        last_ns = max(last_ns, event.t_ns)
    bench = TraceBench(site, reader, request, last_ns)
    wrong, lost = what_is_wrong(reader)
    turn_ns = last_ns + 1
    notes, is_judged = unjudged(request, bench.bench, turn_ns)
    expected = iter(()) if lost or not is_judged else recorded_outputs(TraceReader(path), bench.period_ns)
    whole_ns = turn_ns * request.loop
    if not reader.complete and not lost:
        whole_ns = max(1, whole_ns - TOLD_LATE_NS)
        wrong += (
            f"; run and judged up to second {whole_ns / NS_PER_S:.0f}, where the idle frames of all radars are told"
        )
    span_ns = whole_ns if request.seconds is None else min(whole_ns, round(request.seconds * NS_PER_S))
    bench.recorder.attach(bench.bench, bench.boards, {site.name: bench.site}, bench.contents, origin_utc_ns)
    drive = Drive(request, progress)
    first = next(expected, None)
    live = None
    if first is not None and request.bench == "in-process" and request.loop == 1:
        contents = {wire: content_of(wire) for wire in bench.wires}
        live = LiveJudge(bench.log, chain([first], expected), Tolerance(contents=contents))
    with bench.recorder:
        bench.bench.start(origin_utc_ns)
        drive.run(bench, span_ns)
        bench.digest.finish(span_ns)
    result = RunResult(
        case=path.stem,
        title=f"{path.stem} again on {site.name}",
        verdict="no-reference",
        digest=bench.digest.hexdigest(),
        span_s=span_ns / NS_PER_S,
        wall_s=round(drive.wall_ns / NS_PER_S, 3),
        ticks=bench.bench.ticks,
        command=request.command,
        notes=((wrong,) if wrong else ()) + notes,
        provenance=bench.recorder.provenance_lines,
    )
    if live is not None:
        return judged(Outcome(result=result), live.finish(span_ns, result.digest)), bench.log, []
    if request.loop > 1:
        bench.log.sent = [sent for sent in bench.log.sent if sent.t_ns < turn_ns]
    rest = [] if first is None else chain([first], expected)
    return Outcome(result=result), bench.log, [sent for sent in rest if sent.t_ns < span_ns]


def unjudged(request: Request, bench: InProcessBench, turn_ns: int) -> tuple[tuple[str, ...], bool]:
    """Notes on how a trace is played in real time, and whether what is sent can be held against the record."""
    speed = getattr(bench, "speed", 1)
    if request.from_s is not None and round(request.from_s * NS_PER_S) >= turn_ns:
        raise InputError(f"--from-s {request.from_s:g}: the trace ends at second {turn_ns / NS_PER_S:.3f}")
    notes: tuple[str, ...] = ()
    if request.from_s is not None:
        notes += (f"begun at second {request.from_s:g} with boards that have just started: not held to the record",)
    if speed > 1:
        notes += (f"input at {speed} times its speed, boards at theirs: not held to the record",)
    if request.loop > 1:
        notes += (f"played {request.loop} times over; the first is held to the record",)
    return notes, request.from_s is None and speed == 1
