"""``leeze-hil``: the rig. Replays, judges, records, imports, looks into traces, and plays a whole site live."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from drivers.errors import BenchError, InputError
from drivers.terminal import add_verb, run_verb
from hil.cli_bench import add_rig, add_suite
from hil.cli_desk import add_desk
from hil.cli_picture import add_picture
from hil.cli_score import add_score
from hil.cli_signal import add_signal
from hil.cli_strength import add_faults, add_strength
from hil.cli_trace_edit import add_trace_edit
from hil.cli_traffic import add_traffic
from hil.screen import ProgressBar, console_here


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit code (0 fine, 1 the thing under test failed, 2 bad input, 3 the bench broke)."""
    return run_verb(_parser, argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leeze-hil",
        description="The hardware-in-the-loop rig. Exit codes: 0 fine, 1 the thing under test failed, "
        "2 wrong use or bad input, 3 the bench is broken.",
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _replay_parser(verbs)
    _import_parser(verbs)
    _trace_parser(verbs)
    add_trace_edit(verbs)
    add_traffic(verbs)
    add_suite(verbs)
    add_rig(verbs)
    add_score(verbs)
    add_picture(verbs)
    add_signal(verbs)
    added = add_verb(verbs, "sim", _sim, "a board with peers at every wire, live", "leeze-hil sim --site SITE")
    added.add_argument("--board", metavar="FILE", help="board file or catalog name instead of the site's own")
    added.add_argument("--site", metavar="FILE", default="kanalpromenade-reference", help="site file or shipped name")
    added.add_argument("--seconds", type=_positive, help="end after so many seconds (default: until interrupted)")
    added.add_argument("--speed", type=_times, default=1, help="multiple of real time, 1 to 1000, default 1")
    added.add_argument("--start", type=_moment, help="wall time at the start, e.g. 2026-02-20T22:00:00+01:00")
    add_desk(verbs, _positive)
    add_strength(verbs)
    add_faults(verbs)
    added = add_verb(verbs, "cases", _cases, "the cases that come with Leeze", "leeze-hil cases")
    added = add_verb(verbs, "demo", _demo, "both cases, live, with report and traces", "leeze-hil demo --out out")
    added.add_argument("--out", type=Path, default=Path("out"), help="folder to write into, default out")
    return parser


def _replay_parser(verbs: Any) -> None:
    added = add_verb(
        verbs,
        "replay",
        _replay,
        "run a case, a trace or traffic against the boards, and judge what they send",
        "leeze-hil replay kanalpromenade-evening --report evening.html",
    )
    added.add_argument(
        "subject",
        metavar="CASE|TRACE|TRAFFIC",
        nargs="+",
        help="case name or folder, .mcap trace, or traffic file; with --verify any number of files or folders",
    )
    added.add_argument(
        "--verify",
        action="store_true",
        help="run a flight recorder's files again, each from its own snapshot: nothing may differ",
    )
    added.add_argument("--quick", action="store_true", help="with --verify: ask the digests, run again what they deny")
    added.add_argument(
        "--keep-going", action="store_true", help="with --verify: look into files behind a difference too"
    )
    added.add_argument(
        "--bench", choices=["in-process", "process", "hardware"], default="in-process", help="where the board is"
    )
    added.add_argument("--rig", type=Path, metavar="FILE", help="rig file of --bench hardware")
    added.add_argument("--window", action="store_true", help="the case's window alone, as benches in real time run it")
    added.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND:WHAT:FROM-TO",
        help="plant a fault, e.g. dropped:west/radar-1:10-20:pct=30; may be repeated (docs/faults.md)",
    )
    added.add_argument("--from-s", type=_positive, metavar="SECONDS", help="trace in real time: begin there")
    added.add_argument(
        "--live", action="append", default=[], metavar="BOARD/WIRE", help="trace: this DALI line answers for itself"
    )
    added.add_argument("--loop", type=_times, default=1, metavar="N", help="trace in real time: play it so many times")
    added.add_argument("--board", metavar="FILE", help="board file or catalog name instead of the site's own")
    added.add_argument("--site", metavar="FILE", help="site file or shipped name (traffic: the reference site)")
    added.add_argument("--speed", type=_speed, default=0, metavar="max|N", help="multiple of real time, or max")
    added.add_argument("--record", type=Path, metavar="OUT.mcap", help="record everything that passes")
    added.add_argument("--report", type=Path, metavar="OUT.html", help="write a page with lanes")
    added.add_argument("--junit", type=Path, metavar="OUT.xml", help="write a JUnit file")
    added.add_argument("--update-reference", action="store_true", help="make what was sent the case's reference")
    added.add_argument("--json", action="store_true", help="end with one JSON object (docs/hil-result.schema.json)")
    added.add_argument("--seconds", type=_positive, help="end the run after so many seconds of the case")
    added.add_argument("--seed", type=int, default=0, help="chooses missed radar reports and traffic draws")
    added.add_argument("--range-m", type=_range_m, help="usable range of all radars instead of the site's")
    added.add_argument("--no-skip", action="store_true", help="run every tick and write every idle frame")
    added.add_argument("--no-rules", action="store_true", help="leave out the rules to compare with")
    added.add_argument("--snapshot", type=Path, metavar="FILE", help="write the state at --snapshot-at")
    added.add_argument("--snapshot-at", type=_positive, metavar="SECONDS", help="when, from the start")
    added.add_argument("--resume", type=Path, metavar="FILE", help="go on from such a snapshot of the same run")


def _import_parser(verbs: Any) -> None:
    about = "other people's recordings, made ours"
    added = verbs.add_parser("import", help=about, description=about)
    kinds = added.add_subparsers(title="kinds", metavar="KIND", required=True)
    one = add_verb(
        kinds,
        "eco-counter",
        _import_eco_counter,
        "single passages of a counter (CSV) to traffic",
        "leeze-hil import eco-counter may.csv.gz -o may.traffic --from 2024-02-19 --to 2024-02-25",
    )
    one.add_argument("csv", type=Path, nargs="+", help="one file a site; .gz accepted")
    one.add_argument("-o", "--out", type=Path, required=True, metavar="TRAFFIC")
    one.add_argument("--from", dest="from_date", type=_day, metavar="DATE", help="first local day, YYYY-MM-DD")
    one.add_argument("--to", dest="to_date", type=_day, metavar="DATE", help="last local day")
    for kind, about in (("spat-xml", "SPATEM as XML to a trace"), ("spat-hex", "UPER frames as hex lines to a trace")):
        one = add_verb(kinds, kind, _import_spat, about, f"leeze-hil import {kind} FILE -o feed.mcap")
        one.add_argument("file", type=Path)
        one.add_argument("-o", "--out", type=Path, required=True, metavar="TRACE")
        one.set_defaults(kind=kind)
    one = add_verb(
        kinds,
        "phases",
        _import_phases,
        "states of a signal group, one a second, to a trace of SensorThings observations",
        "leeze-hil import phases 1085_10_0_22.json.gz -o phases.mcap",
    )
    one.add_argument("file", type=Path)
    one.add_argument("-o", "--out", type=Path, required=True, metavar="TRACE")


def _trace_parser(verbs: Any) -> None:
    about = "look into a trace"
    added = verbs.add_parser("trace", help=about, description=about)
    kinds = added.add_subparsers(title="verbs", metavar="VERB", required=True)
    one = add_verb(
        kinds, "info", _trace_info, "wires, topics, span, provenance, damage", "leeze-hil trace info run.mcap"
    )
    one.add_argument("file", type=Path)
    one.add_argument("--json", action="store_true")
    one = add_verb(kinds, "cat", _trace_cat, "every event, a line each", "leeze-hil trace cat run.mcap '/wire/*/tx'")
    one.add_argument("file", type=Path)
    one.add_argument("topic", nargs="*", help="patterns, e.g. '/decision/*'")
    one.add_argument("--json", action="store_true")
    one = add_verb(
        kinds,
        "digest",
        _trace_digest,
        "the chained digest; with two files, the first place where they differ",
        "leeze-hil trace digest one.mcap two.mcap",
    )
    one.add_argument("file", type=Path)
    one.add_argument("other", type=Path, nargs="?")


def _replay(said: argparse.Namespace) -> int:
    if said.verify:
        return _verify(said)
    if said.keep_going or said.quick:
        raise InputError("--keep-going and --quick go with --verify")
    if len(said.subject) > 1:
        raise InputError(
            f"one at a time: {' '.join(said.subject)}; several files go with --verify, cases with `leeze-hil suite`"
        )
    from hil.outcome import Request
    from hil.replay import replay
    from hil.report.table import figures_table, verdict_table

    if (said.snapshot is None) != (said.snapshot_at is None):
        raise InputError("--snapshot FILE and --snapshot-at SECONDS go together")
    request = Request(
        subject=said.subject[0],
        board=said.board,
        site=said.site,
        speed=said.speed,
        skip=not said.no_skip,
        seed=said.seed,
        seconds=said.seconds,
        range_m=said.range_m,
        record=said.record,
        report=said.report,
        junit=said.junit,
        update_reference=said.update_reference,
        rules=not said.no_rules,
        snapshot=said.snapshot,
        snapshot_at_s=said.snapshot_at,
        resume=said.resume,
        bench=said.bench,
        rig=said.rig,
        window=said.window,
        from_s=said.from_s,
        loop=said.loop,
        live=tuple(said.live),
        faults=tuple(said.fault),
    )
    with ProgressBar("replay") as progress:
        outcome = replay(request, progress.step)
    result = outcome.result
    if said.json:
        print(json.dumps(result.as_json()))
    else:
        console = console_here()
        if result.figures:
            console.print(figures_table(result.figures, result.title))
        for group in result.groups:
            left = group.get("remaining_s")
            console.print(f"group {group['group']}: {group['state_name']}" + ("" if left is None else f", {left} s"))
        console.print(verdict_table([result]))
        for note in result.notes:
            console.print(f"note: {note}", highlight=False)
    if result.verdict == "failed":
        print(f"{result.explanation}\nagain: {request.command}", file=sys.stderr)
        return 1
    if result.verdict == "blocked":
        print(f"{result.explanation}\nagain: {request.command}", file=sys.stderr)
        return BenchError.exit_code
    return 0


def _verify(said: argparse.Namespace) -> int:
    from hil.verify import verify

    if said.board or said.site:
        raise InputError("--verify takes site and board from the file itself; leave --board and --site out")

    def tell(line: str) -> None:
        print(line, flush=True)

    found = verify(
        [Path(subject) for subject in said.subject],
        skip=not said.no_skip,
        keep_going=said.keep_going,
        quick=said.quick,
        tell=(lambda line: None) if said.json else tell,
    )
    if said.json:
        print(json.dumps(found.as_json()))
    return found.exit_code


def _import_eco_counter(said: argparse.Namespace) -> int:
    from hil.importers.eco_counter import import_eco_counter, tally

    _not_onto(said.out, said.csv)
    counts = import_eco_counter(said.csv, said.out, from_date=said.from_date, to_date=said.to_date)
    for broken in counts.first_broken:
        print(f"{broken}; skipped", file=sys.stderr)
    print(f"{said.out}: {tally(counts)}")
    return 0


def _import_spat(said: argparse.Namespace) -> int:
    from hil.importers.trace_file import import_spat

    _not_onto(said.out, [said.file])
    counts = import_spat(said.file, said.out, said.kind)
    for broken in counts.broken_lines[:10]:
        print(f"{said.file}: line {broken.line}: {broken.reason}; skipped", file=sys.stderr)
    print(
        f"{said.out}: {counts.messages} messages, {counts.bad_messages} bad, {counts.other_messages} of other kinds, "
        f"{counts.skipped_bytes} bytes skipped, {len(counts.broken_lines)} broken lines"
    )
    return 0


def _import_phases(said: argparse.Namespace) -> int:
    from hil.importers.trace_file import import_phases

    _not_onto(said.out, [said.file])
    counts = import_phases(said.file, said.out)
    print(f"{said.out}: {counts.name}, {counts.cycles} cycles, {counts.seconds} seconds, {counts.pauses} pauses")
    return 0


def _trace_info(said: argparse.Namespace) -> int:
    from hil.trace import info, print_info

    found = info(said.file)
    if said.json:
        print(json.dumps(found))
    else:
        print_info(found, console_here())
    return 0


def _trace_cat(said: argparse.Namespace) -> int:
    from hil.trace import cat

    for line in cat(said.file, said.topic, said.json):
        print(line)
    return 0


def _trace_digest(said: argparse.Namespace) -> int:
    from hil.trace import digest, first_difference

    if said.other is None:
        print(digest(said.file))
        return 0
    difference = first_difference(said.file, said.other)
    print("the same bytes" if difference is None else difference.text)
    return 0 if difference is None else 1


def _sim(said: argparse.Namespace) -> int:
    from hil.sim import sim

    evening = datetime.now(ZoneInfo("Europe/Berlin")).replace(hour=22, minute=0, second=0, microsecond=0)
    start = said.start or evening
    print(sim(said.site, said.board, start, said.seconds, said.speed, console_here()))
    return 0


def _cases(said: argparse.Namespace) -> int:
    from hil.case import load_case, shipped

    for name, folder in shipped().items():
        case = load_case(folder)
        print(f"{name}  {case.title}, {case.seconds:g} s on {case.site}")
    return 0


def _demo(said: argparse.Namespace) -> int:
    from hil.demo import demo

    outcomes = demo(said.out, console_here())
    return 1 if any(outcome.result.verdict == "failed" for outcome in outcomes) else 0


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not 0.001 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"{text} does not lie between 0.001 and 1e9")
    return value


def _times(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1000):
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 1 to 1000")
    return int(text)


def _speed(text: str) -> int:
    return 0 if text == "max" else _times(text)


def _range_m(text: str) -> float:
    value = _positive(text)
    if not 2 <= value <= 255:
        raise argparse.ArgumentTypeError(f"{text} m is no range of a radar; 2 to 255 m")
    return value


def _not_onto(out: Path, sources: Sequence[Path]) -> None:
    if any(out.resolve() == source.resolve() for source in sources):
        raise InputError(f"{out}: is what is imported; write to another file")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date like 2024-02-19") from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time like 2026-02-20T22:00:00+01:00") from None
    if not 1971 <= moment.year <= 2200:
        raise argparse.ArgumentTypeError(f"{text} does not lie between the years 1971 and 2200")
    return moment.astimezone()
