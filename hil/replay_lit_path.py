"""Replay on a lit path: a case with scripted riders, or recorded traffic."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import closing
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from boards.build import load_board
from boards.parts import contents
from controllers.lighting.site import LightingSite, mm
from drivers.errors import InputError
from drivers.links.tap import Sink
from drivers.recording.provenance import file_digest
from drivers.units import NS_PER_S
from hil.benches.coming_riders import ListedRiders
from hil.benches.in_process import InProcessBench
from hil.benches.lit_path import LitPathBench
from hil.case import Case, faults_of, known_faults, riders_of, span_of
from hil.collect import PathCollector
from hil.driving import Drive, HourMeter, read_snapshot, snapshot_bytes
from hil.faults.plan import fits_bench, planned
from hil.faults.span import check_names, read_by_hand
from hil.fitting import check_far_ends, check_path
from hil.judge.account import path_account
from hil.judge.invariants import LampInvariants
from hil.judge.light_ledger import Figures
from hil.outcome import Outcome, Progress, Request, SentLog
from hil.record import recording
from hil.report.result import RunResult
from hil.traffic.passages import RiderSource

LEAD_NS = 60 * NS_PER_S
"""A traffic run begins this long before its first rider, so that controllers have started."""

MOST_MISSES_SAID = 5

NOTE = "recorded passages with synthesised radar"
CROWD_NOTE = "a simulated crowd with synthesised radar"


class LitRun:
    """One run, set up: the bench, how long, what it is called, and what to call when it is over."""

    def __init__(
        self,
        bench: LitPathBench,
        span_ns: int,
        name: str,
        title: str,
        notes: tuple[str, ...],
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.bench, self.span_ns, self.name, self.title, self.notes = bench, span_ns, name, title, notes
        self.close = close


def with_range(site: LightingSite, range_m: float | None) -> LightingSite:
    """The site with another usable range of all radars."""
    if range_m is None:
        return site
    controllers = tuple(
        msgspec.structs.replace(
            one, radars=tuple(msgspec.structs.replace(radar, range_m=range_m) for radar in one.radars)
        )
        for one in site.controllers
    )
    return msgspec.structs.replace(site, controllers=controllers)


def case_run(case: Case, origin: str, site: LightingSite, request: Request, sinks: Any) -> LitRun:
    """A case on its site."""
    faults = faults_of(case, origin, path_faults(site, request.board), by_hand=request.faults, window=request.window)
    fits_bench(faults, request.bench)
    bench = LitPathBench(
        with_range(site, request.range_m),
        ListedRiders(riders_of(case, origin)),
        origin_utc_ns=case.start_utc_ns,
        seed=case.seed + request.seed,
        skip=request.skip,
        faults=faults,
        sinks=sinks,
        board=request.board,
        rules=request.rules,
        bench_of=request.bench_of or InProcessBench,
    )
    return LitRun(
        bench,
        span_of(case, request.window)[1],
        Path(origin).parent.name,
        case.title,
        ("scripted riders, synthesised radar",),
    )


def path_faults(site: LightingSite, board: str | None) -> dict[str, Collection[str]]:
    """What each kind of fault may name on a lit path."""
    boards = {one.name: load_board(board or one.board) for one in site.controllers}
    wires = {f"{name}/{wire}": what for name, said in boards.items() for wire, what in contents(said).items()}
    radars = [f"{one.name}/{radar.name}" for one in site.controllers for radar in one.radars]
    return known_faults(wires, list(boards)) | {"radar-silent": radars}


def traffic_run(path: Path, site: LightingSite, request: Request, sinks: Any) -> LitRun:
    """Recorded traffic on a site."""
    zone = ZoneInfo(site.place.timezone)
    looking = RiderSource(path, seed=request.seed)
    first_ns, header = looking.next_start_ns, looking.header
    looking.close()
    if first_ns >= 1 << 62:
        raise InputError(f"{path}: holds no passage; import one with `leeze-hil import eco-counter CSV -o TRAFFIC`")
    try:
        last = datetime.combine(date.fromisoformat(header.to_date), time(), zone)
    except ValueError:
        raise InputError(f"{path}: line 1: `to` is {header.to_date!r}; it should read like 2024-02-25") from None
    end_utc_ns = round(last.timestamp() + 86_400) * NS_PER_S + 600 * NS_PER_S
    if end_utc_ns <= first_ns:
        raise InputError(f"{path}: line 1: `to` is {header.to_date!r}, before the first passage")
    origin_utc_ns = (first_ns - LEAD_NS) // NS_PER_S * NS_PER_S
    riders = RiderSource(path, seed=request.seed, origin_utc_ns=origin_utc_ns)
    spans = [read_by_hand(word) for word in request.faults]
    known = path_faults(site, request.board)
    check_names(spans, known, "--fault")
    bench = LitPathBench(
        with_range(site, request.range_m),
        riders,
        origin_utc_ns=origin_utc_ns,
        seed=request.seed,
        skip=request.skip,
        faults=planned(spans, known["line-dark"]),
        sinks=sinks,
        board=request.board,
        rules=request.rules,
    )
    ranges = sorted({radar.range_m for one in bench.site.controllers for radar in one.radars})
    notes = (
        NOTE if header.counts or header.version == 1 else CROWD_NOTE,
        f"usable radar range {', '.join(f'{r:g}' for r in ranges)} m; calendar {site.calendar().kind}",
        f"passages of {header.site or 'one counter'}, {header.from_date} to {header.to_date}",
    )
    title = f"{header.site or path.stem} on {site.name}"
    return LitRun(bench, end_utc_ns - origin_utc_ns, path.stem, title, notes, riders.close)


def replay(
    request: Request, site: LightingSite, progress: Progress, *, case: Case | None = None, origin: str = ""
) -> tuple[Outcome, SentLog | None]:
    """Run it. The judge's part (reference, promise) is the caller's; the log holds what was sent, for cases only."""
    check_path(site, request.board)
    check_far_ends(site, request.board, request.bench)
    logs: list[SentLog] = []

    def sinks(wires: list[str], period_ns: int) -> list[Sink]:
        made: list[Sink] = []
        if case is not None:
            logs.append(SentLog(wires, period_ns))
            logs[0].watch(case.order, case.measure)
            made.append(logs[0])
        return made + recorder.sinks(wires, period_ns)

    recorder = recording(request)
    run = (
        case_run(case, origin, site, request, sinks)
        if case is not None
        else traffic_run(Path(request.subject), site, request, sinks)
    )
    bench = run.bench
    span_ns = round(request.seconds * NS_PER_S) if request.seconds is not None else run.span_ns
    collector = PathCollector(bench) if request.report is not None else None
    invariants = LampInvariants(bench)
    recorder.attach(bench.bench, bench.boards, {site.name: bench.site}, bench.contents, bench.origin_utc_ns)
    about = {
        "configuration": recorder.provenance.configuration_digest,
        "input": file_digest(Path(origin) if case is not None else Path(request.subject)),
        "seed": request.seed,
        "rules": request.rules,
        "faults": list(request.faults),
    }
    hours = HourMeter(bench)
    drive = Drive(request, progress)
    with closing(run), recorder:
        if request.resume is not None:
            resume(bench, request.resume, about)
            invariants.go_on(bench.bench.now_ns)
            for log in logs:
                log.from_ns = bench.bench.now_ns
        else:
            if request.plant is not None:
                bench.bench.add_start_listener(request.plant)
            bench.start()
        frames_before = bench.radar_frames
        drive.run(bench, span_ns, hours, lambda: snapshot_bytes({"run": about, **bench.snapshot()}))
        digest = bench.finish()
    for log in logs:
        log.contents = bench.contents
        log.saw_light = invariants.highest >= bench.full_level
    figures = {"leeze": bench.ledger.figures()} | (bench.rules.figures() if bench.rules is not None else {})
    frames = bench.radar_frames
    cpu_us = drive.cpu_ns / 1000
    result = RunResult(
        case=run.name,
        title=run.title,
        verdict="no-reference",
        digest=digest,
        span_s=span_ns / NS_PER_S,
        wall_s=round(drive.wall_ns / NS_PER_S, 3),
        ticks=bench.bench.ticks,
        radar_frames=frames,
        us_per_frame=round(cpu_us / (frames - frames_before), 3) if frames > frames_before else None,
        figures=by_figure(figures),
        account=path_account(bench),
        command=request.command,
        broken=tuple(invariants.finish(bench.bench.now_ns)),
        notes=run.notes + missed(bench),
        provenance=recorder.provenance_lines,
    )
    lanes = collector.lanes(hours.hours) if collector is not None else None
    return Outcome(result=result, lanes=lanes), logs[0] if logs else None


def missed(bench: LitPathBench) -> tuple[str, ...]:
    """One sentence for each of the first lamps that were owed to somebody and not full."""
    zone = ZoneInfo(bench.site.place.timezone)
    lines = []
    for from_ns, lamp in bench.ledger.misses[:MOST_MISSES_SAID]:
        moment = datetime.fromtimestamp((bench.origin_utc_ns + from_ns) // NS_PER_S, zone)
        x_m = bench.lamps_x_mm[lamp] / 1000
        when = f"second {from_ns / NS_PER_S:.1f} ({moment:%d %b %H:%M:%S})"
        lines.append(f"not lit in time: {bench.lamps[lamp]} at {x_m:g} m, owed from {when}")
    return tuple(lines)


def resume(bench: LitPathBench, path: Path, about: dict[str, Any]) -> None:
    """Let `bench` go on from a snapshot of the same run, as `about` describes it. Raises InputError."""
    state = read_snapshot(path)
    other = [name for name, value in about.items() if state["run"].get(name) != value]
    if other:
        raise InputError(f"{path}: is a snapshot of another run: other {', '.join(other)}; repeat that run's options")
    try:
        bench.restore(state)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{path}: does not fit this program ({error!r}); write it again with --snapshot") from None


def by_figure(figures: dict[str, Figures]) -> dict[str, dict[str, float | int | None]]:
    """From rule -> figures to figure -> rule -> value, as the JSON has it."""
    names = {
        "riders": "riders",
        "lit_in_time": "lit_in_time",
        "lit_share": "lit_share",
        "lit_share_low95": "lit_share_low95",
        "full_at_10m_share": "full_at_10m_share",
        "lamp_s_above_base": "lamp_s_above_base",
        "energy_wh": "energy_wh",
        "raised": "raised",
        "switched_on": "switched_on",
        "false_lightings": "false_lightings",
    }
    return {name: {rule: getattr(values, field) for rule, values in figures.items()} for name, field in names.items()}


def lamp_positions(site: LightingSite) -> list[int]:
    """All lamps of a site along the path, in mm."""
    return sorted(mm(lamp.x_m) for one in site.controllers for lamp in one.lamps)
