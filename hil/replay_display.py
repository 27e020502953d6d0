"""Replay on a Leezenflow display: a case with a scripted signal controller, or a recorded feed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path

import msgspec

from boards.parts import contents
from controllers.greenwave.site import GreenwaveSite
from drivers.codecs.spat_uper import SpatUperStream
from drivers.codecs.spat_xml import SpatXmlStream
from drivers.errors import InputError
from drivers.links.memory import MemoryLink
from drivers.links.tap import Sink
from drivers.recording.events import Wall, Wire, WireBytes
from drivers.recording.reader import TraceReader
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.display import DisplayBench, display_board
from hil.benches.in_process import InProcessBench
from hil.case import Case, faults_of, known_faults, span_of
from hil.collect_display import DisplayCollector
from hil.driving import Drive
from hil.faults.plan import Faults, fits_bench, planned
from hil.faults.span import check_names, read_by_hand
from hil.fitting import check_display
from hil.judge.alignment import Tolerance
from hil.judge.beside import judged
from hil.judge.invariants_panel import PanelInvariants
from hil.judge.live import LiveJudge
from hil.judge.reference import Sent
from hil.outcome import Outcome, Progress, Request, SentLog
from hil.peers.contract import Peer
from hil.peers.playback import Playback, over_and_over
from hil.peers.signal_controller import SignalController
from hil.peers.signal_programme import Programme
from hil.record import Recording, recording
from hil.replay_trace import recorded_outputs, unjudged, what_is_wrong
from hil.report.result import RunResult

ASSUMED_WAY_M = 120.0
"""Way from display to stop line where a feed is replayed without a site."""

TAIL_NS = 20 * NS_PER_S
"""Imported messages are replayed so long beyond their end: the display must go dark in that time."""

UNFORESEEN_NS = 20 * NS_PER_S
"""By how much a recorded signal may change its mind about an end it has told."""

BOARD_NAME = "leezenflow"


def replay_case(
    case: Case, name: str, site: GreenwaveSite, request: Request, progress: Progress, origin: str = "case"
) -> tuple[Outcome, SentLog]:
    """A case with a scripted signal controller."""
    programme = case.signal
    assert programme is not None

    def feed(link: MemoryLink) -> Peer:
        return SignalController("signal", link, programme, start_utc_ns=case.start_utc_ns)

    known = known_faults(display_wires(request.board or site.board, "spat-xml"), [BOARD_NAME])
    faults = faults_of(case, origin, known, by_hand=request.faults, window=request.window)
    log, collector, bench, recorder = _bench(site, request, feed, case.start_utc_ns, "spat-xml", faults)
    log.watch(case.order, case.measure)
    invariants = _invariants(bench, log, "spat-xml", faults, _stretch_ns(programme), every=5)
    span_ns = span_of(case, request.window)[1]
    outcome = _run(bench, collector, recorder, request, progress, span_ns, name, case.title, ("scripted signal",))
    return _held(outcome, invariants, log), log


def replay_feed(
    request: Request, site: GreenwaveSite | None, progress: Progress
) -> tuple[Outcome, SentLog, list[Sent]]:
    """A recorded feed, and what the display sent when it was recorded (nothing, where messages were imported).

    Without a site, the display is one for the first group with timing of the first station.
    """
    path = Path(request.subject)
    reader = TraceReader(path)
    wire = feed_wire(reader, path)
    message_format = wire.content
    notes: tuple[str, ...] = ()
    if site is None:
        site = site_of(reader, wire, path)
        notes += (f"no site given: display {ASSUMED_WAY_M:g} m before group {site.group} of station {site.station}",)
    origin_utc_ns = reader.provenance.base_ns
    for event in reader.events(["/wall"]):
        if isinstance(event, Wall):
            origin_utc_ns = event.utc_ns - event.t_ns
            break
    turn_ns = 1 + max((event.t_ns for event in reader.events(["/wire/*", "/tick/*"])), default=0)
    players: list[Playback] = []

    def feed(link: MemoryLink) -> Peer:
        events = over_and_over(
            lambda: TraceReader(path).events([f"/wire/{wire.board}/{wire.name}/rx"]), request.loop, turn_ns
        )
        players.append(Playback("trace", {f"{wire.board}/{wire.name}": link}, events))
        return players[0]

    by_hand = [read_by_hand(word) for word in request.faults]
    check_names(
        by_hand, known_faults(display_wires(request.board or site.board, message_format), [BOARD_NAME]), "--fault"
    )
    faults = planned(by_hand)
    log, collector, bench, recorder = _bench(site, request, feed, origin_utc_ns, message_format, faults)
    invariants = _invariants(bench, log, message_format, faults, UNFORESEEN_NS)
    wrong, lost = what_is_wrong(reader)
    notes += (wrong,) if wrong else ()
    more, is_judged = unjudged(request, bench.bench, turn_ns)
    notes += more
    expected = recorded_outputs(TraceReader(path), bench.period_ns) if is_judged else iter(())
    first = next(expected, None)
    bench.bench.boards_from_ns = round((request.from_s or 0) * NS_PER_S)
    span_ns = turn_ns * request.loop if first is not None else turn_ns * request.loop + TAIL_NS
    if not reader.complete and first is not None and request.loop == 1:
        span_ns = max(1, span_ns - 1)  # of the last moment not everything may have been written
    live = None
    if first is not None and not lost and request.bench == "in-process" and request.loop == 1:
        live = LiveJudge(log, chain([first], expected), Tolerance())
    outcome = _run(bench, collector, recorder, request, progress, span_ns, path.stem, path.stem, notes)
    outcome = outcome if lost else _held(outcome, invariants, log)
    until_ns = min(turn_ns, round(outcome.result.span_s * NS_PER_S))
    if live is not None:
        return judged(outcome, live.finish(until_ns, outcome.result.digest)), log, []
    if request.loop > 1:
        log.sent = [sent for sent in log.sent if sent.t_ns < turn_ns]
    rest = [] if first is None or lost else chain([first], expected)
    return outcome, log, [sent for sent in rest if sent.t_ns < until_ns]


def feed_wire(reader: TraceReader, path: Path) -> Wire:
    """The wire of a trace that carries SPAT. Raises InputError."""
    for wire in reader.wires:
        if wire.content in ("spat-xml", "spat-uper"):
            return wire
    listed = ", ".join(f"{wire.board}/{wire.name} ({wire.content})" for wire in reader.wires)
    if not listed:
        raise InputError(f"{path}: holds nothing to replay: {reader.note or 'no wires'}")
    raise InputError(f"{path}: no wire with a signal feed to replay; its wires: {listed}; name their site with --site")


def site_of(reader: TraceReader, wire: Wire, path: Path) -> GreenwaveSite:
    """A site for a feed that nobody described."""
    stream = SpatXmlStream() if wire.content == "spat-xml" else SpatUperStream()
    for event in reader.events([f"/wire/{wire.board}/{wire.name}/rx"]):
        if not isinstance(event, WireBytes):
            continue
        for intersection in stream.feed(event.data):
            for movement in intersection.groups:
                if any(phase.min_end_mark is not None for phase in movement.phases):
                    return GreenwaveSite(
                        name=path.stem,
                        station=intersection.station,
                        group=movement.group,
                        distance_m=ASSUMED_WAY_M,
                    )
    raise InputError(f"{path}: no message with timing in it; name the display's site with --site")


def _invariants(
    bench: DisplayBench, log: SentLog, message_format: str, faults: Faults, slack_ns: int, every: int = 1
) -> PanelInvariants:
    """Held against every frame, from now on."""
    off = [(0, faults.start_ns), *faults.restarts.get(BOARD_NAME, ())]
    off += [(fault.from_ns, fault.to_ns) for name in faults.wires for fault in faults.wires[name]]
    feed, panel = (f"{BOARD_NAME}/{bench.board.devices[name].wire}" for name in (bench.site.feed, bench.site.panel))
    found = PanelInvariants(
        bench.site,
        feed,
        panel,
        message_format,
        slack_ns=slack_ns,
        every=every,
        excused=tuple((low, high + 2 * NS_PER_S) for low, high in off),
    )
    log.onlookers.append(found.passed)
    return found


def _stretch_ns(programme: Programme) -> int:
    """By how much the scripted signal changes its mind, and 2 s."""
    stretches = [one.extend_ms for group in programme.groups for one in group.stretches]
    return max(stretches, default=0) * NS_PER_MS + 2 * NS_PER_S


def _held(outcome: Outcome, invariants: PanelInvariants, log: SentLog) -> Outcome:
    """The outcome with what the invariants found."""
    log.saw_light = "green" in invariants.seen
    broken = tuple(invariants.finish(round(outcome.result.span_s * NS_PER_S)))
    result = msgspec.structs.replace(outcome.result, broken=broken)
    return msgspec.structs.replace(outcome, result=result)


def display_wires(board: str, message_format: str) -> dict[str, str]:
    """``leezenflow/wire`` to content of a display's board."""
    return {f"{BOARD_NAME}/{wire}": what for wire, what in contents(display_board(board, message_format)).items()}


def _bench(
    site: GreenwaveSite,
    request: Request,
    feed: Callable[[MemoryLink], Peer],
    origin_utc_ns: int,
    message_format: str,
    faults: Faults,
) -> tuple[SentLog, DisplayCollector, DisplayBench, Recording]:
    fits_bench(faults, request.bench)
    logs: list[SentLog] = []
    collectors: list[DisplayCollector] = []
    recorder = recording(request)
    board = display_board(request.board or site.board, message_format)
    check_display(site, board)
    feed_of, panel_of = board.devices[site.feed].wire, board.devices[site.panel].wire

    def sinks(wires: list[str], period_ns: int) -> list[Sink]:
        logs.append(SentLog(wires, period_ns))
        collectors.append(
            DisplayCollector(wires, f"{BOARD_NAME}/{feed_of}", f"{BOARD_NAME}/{panel_of}", message_format)
        )
        return [logs[0], collectors[0], *recorder.sinks(wires, period_ns)]

    bench = DisplayBench(
        site,
        board,
        feed,
        origin_utc_ns=origin_utc_ns,
        skip=request.skip,
        sinks=sinks,
        name=BOARD_NAME,
        faults=faults,
        seed=request.seed,
        bench_of=request.bench_of or InProcessBench,
    )
    if request.plant is not None:
        bench.bench.add_start_listener(request.plant)
    collectors[0].watch(bench)
    logs[0].contents = bench.contents
    return logs[0], collectors[0], bench, recorder


def _run(
    bench: DisplayBench,
    collector: DisplayCollector,
    recorder: Recording,
    request: Request,
    progress: Progress,
    span_ns: int,
    name: str,
    title: str,
    notes: tuple[str, ...],
) -> Outcome:
    if request.seconds is not None:
        span_ns = round(request.seconds * NS_PER_S)
    recorder.attach(bench.bench, bench.boards, {bench.site.name: bench.site}, bench.contents, bench.origin_utc_ns)
    drive = Drive(request, progress)
    with recorder:
        bench.start()
        drive.run(bench, span_ns)
        digest = bench.finish()
    groups = collector.groups()
    result = RunResult(
        case=name,
        title=title,
        verdict="no-reference",
        digest=digest,
        span_s=span_ns / NS_PER_S,
        wall_s=round(drive.wall_ns / NS_PER_S, 3),
        ticks=bench.bench.ticks,
        groups=tuple(groups),
        command=request.command,
        notes=(*notes, f"{collector.messages} messages, {len(collector.frames)} frames shown"),
        provenance=recorder.provenance_lines,
    )
    lanes = collector.lanes() if request.report is not None else None
    return Outcome(result=result, lanes=lanes, last_frame=collector.last_lit_frame())
