"""Verbs of ``leeze-hil`` around benches: all cases on one of them, and rig files."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drivers.errors import BenchError, InputError
from drivers.terminal import add_verb
from drivers.units import NS_PER_S
from hil.screen import console_here

if TYPE_CHECKING:
    from hil.report.result import RunResult

_STANDS_NS = 12 * 3600 * NS_PER_S
"""A stand-in rig that nobody ends does so by itself."""


def add_suite(verbs: Any) -> None:
    """``suite``."""
    added = add_verb(
        verbs,
        "suite",
        _suite,
        "all cases on one bench, and a table of verdicts",
        "leeze-hil suite --bench process --junit suite.xml",
    )
    added.add_argument("case", nargs="*", help="names or folders (default: all that come with Leeze)")
    added.add_argument(
        "--bench", choices=["in-process", "process", "hardware"], default="in-process", help="where the boards are"
    )
    added.add_argument("--rig", type=Path, metavar="FILE", help="rig file of --bench hardware")
    added.add_argument("--jobs", type=_jobs, metavar="N", help="cases at a time (default: 2 on own processes, else 1)")
    added.add_argument("--json", action="store_true", help="one object a case, then one with the counts")
    added.add_argument("--junit", type=Path, metavar="OUT.xml", help="write a JUnit file")
    added.add_argument("--report", type=Path, metavar="DIR", help="write a page a case into this folder")


def add_rig(verbs: Any) -> None:
    """``rig``."""
    about = "rig files: what stands on a bench of hardware"
    added = verbs.add_parser("rig", help=about, description=about)
    kinds = added.add_subparsers(title="verbs", metavar="VERB", required=True)
    one = add_verb(kinds, "example", _rig_example, "print a rig file to start from", "leeze-hil rig example > rig.toml")
    one = add_verb(
        kinds,
        "check",
        _rig_check,
        "is a rig file right? With --try: power, boards, adapters and every wire",
        "leeze-hil rig check rig.toml --try kanalpromenade-evening",
    )
    one.add_argument("file", type=Path)
    one.add_argument("--try", dest="case", metavar="CASE", help="bring the bench up to where this case would begin")
    one.add_argument("--json", action="store_true", help="one JSON object in place of text")
    one = add_verb(
        kinds,
        "stand-in",
        _rig_stand_in,
        "a rig without hardware, until Ctrl-C: boards as processes with clocks of their own, adapters with latency",
        "leeze-hil rig stand-in my-rig --latency-ms 2",
    )
    one.add_argument("folder", type=Path, help="made; FOLDER/rig.toml is the rig file")
    one.add_argument(
        "--site", action="append", metavar="SITE", help="sites to stand in for (default: the shipped ones)"
    )
    one.add_argument("--latency-ms", type=float, default=2.0, help="of each adapter, each way (default: %(default)s)")
    one.add_argument("--jitter-ms", type=float, default=0.2, help="give or take (default: %(default)s)")
    one.add_argument("--stated-ms", type=float, default=3.0, help="uncertainty that the file states")
    one.add_argument("--slack-ms", type=int, default=100, help="of the rig file (default: %(default)s)")
    one.add_argument("--wrong", metavar="JSON", default="{}", help='what is wrong, e.g. {"dead": "west/radar-1"}')


def _rig_example(said: argparse.Namespace) -> int:
    from hil.rig.file import EXAMPLE

    print(EXAMPLE, end="")
    return 0


def _rig_check(said: argparse.Namespace) -> int:
    from hil.rig.file import load_rig

    rig = load_rig(said.file)
    wires = sum(len(board.wires) for board in rig.boards.values())
    text = f"{said.file}: rig {rig.name}, boards {', '.join(rig.boards)}, {wires} wires"
    if said.case is None:
        print(json.dumps({"rig": rig.name, "boards": list(rig.boards), "wires": wires}) if said.json else text)
        return 0
    from hil.outcome import Request
    from hil.replay import replay

    request = Request(subject=said.case, bench="hardware", rig=said.file, seconds=0.1, rules=False)
    result = replay(request, lambda done_ns, total_ns: None).result
    ready = not result.blocked and not result.broken
    if said.json:
        told = {"name": rig.name, "ready": ready, "blocked": list(result.blocked), "failed": list(result.broken)}
        print(json.dumps(told | {"measurements": result.as_json().get("measurements", [])}))
    else:
        for line in (*result.blocked, *result.broken):
            print(f"wrong: {line}")
        for one in result.measurements:
            print(f"{one.name}: {one.value:g} {one.unit}")
        print(f"{text}: {'ready' if ready else 'not ready'}")
    return 0 if ready else BenchError.exit_code if result.blocked else 1


def _rig_stand_in(said: argparse.Namespace) -> int:
    import msgspec

    from drivers.clock import SystemClock
    from hil.interrupts import interrupts_raise
    from hil.rig.stand_in import Plan, StandIn, Wrong

    try:
        wrong = msgspec.json.decode(said.wrong, type=Wrong)
    except msgspec.DecodeError as error:
        raise InputError(f"--wrong: {error}; see hil/rig/stand_in.py") from None
    if said.folder.exists():
        raise InputError(f"{said.folder}: is there already; name a folder that can be made")
    plan = Plan(
        latency_ms=said.latency_ms,
        jitter_ms=said.jitter_ms,
        stated_uncertainty_ms=said.stated_ms,
        slack_ms=said.slack_ms,
        wrong=wrong,
    )
    if said.site:
        plan = msgspec.structs.replace(plan, sites=tuple(said.site))
    said.folder.mkdir(parents=True)
    with interrupts_raise(), StandIn(said.folder.resolve(), plan) as rig:
        print(f"{rig.rig_file}: stands; Ctrl-C ends it", flush=True)
        end_ns = SystemClock().now_ns() + _STANDS_NS
        rig.run(lambda: SystemClock().now_ns() >= end_ns)
    return 0


def _suite(said: argparse.Namespace) -> int:
    from hil.report.junit import write_junit
    from hil.report.table import verdict_table
    from hil.suite import SuiteRequest, run_suite

    jobs = said.jobs or (min(2, os.cpu_count() or 1) if said.bench == "process" else 1)
    asked = SuiteRequest(cases=tuple(said.case), bench=said.bench, rig=said.rig, jobs=jobs, reports=said.report)

    def told(result: RunResult) -> None:
        if said.json:
            print(json.dumps(result.as_json()), flush=True)
        elif sys.stderr.isatty():
            print(f"{result.verdict}: {result.case}", file=sys.stderr)

    suite = run_suite(asked, told)
    if said.junit is not None:
        write_junit(said.junit, suite.results, suite=f"leeze-hil {said.bench}")
    if said.json:
        print(json.dumps(suite.summary))
    else:
        console_here().print(verdict_table(suite.results))
        counts = ", ".join(f"{suite.count(v)} {v}" for v in ("passed", "failed", "blocked") if suite.count(v))
        print(f"{said.bench}: {counts or 'nothing compared'}, in {suite.wall_s:.1f} s, {jobs} at a time")
    for result in suite.results:
        if result.verdict in ("failed", "blocked"):
            print(f"{result.case}: {result.explanation}\nagain: {result.command}", file=sys.stderr)
    return suite.exit_code


def _jobs(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 64):
        raise argparse.ArgumentTypeError(f"{text} is no number of cases from 1 to 64")
    return int(text)
