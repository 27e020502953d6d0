"""Verbs of ``leeze-hil`` around benches: all cases on one of them, and rig files."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drivers.terminal import add_verb
from hil.screen import console_here

if TYPE_CHECKING:
    from hil.report.result import RunResult


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
