"""`leeze-hil demo`: both golden cases on the in-process bench, live, judged, recorded, drawn."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from drivers.errors import InputError
from hil.case import load_case, shipped
from hil.live import LiveOn
from hil.outcome import Outcome, Request
from hil.replay import replay
from hil.report.junit import write_junit
from hil.report.table import figures_table, verdict_table

CASES = ("kanalpromenade-evening", "leezenflow-crossing")
"""What is shown: one of each product. The other cases are for the judge."""

SHOW_S = 4
"""Each case is shown in about so many seconds."""


def demo(out: Path, console: Console, *, live: bool = True) -> list[Outcome]:
    """Run one case of each product; report, trace, JUnit and the panel's picture go into `out`. Raises InputError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be made: {error.strerror}") from None
    outcomes = []
    for name in CASES:
        case = load_case(shipped()[name])
        request = Request(
            subject=name,
            record=out / f"{name}.mcap",
            report=out / f"{name}.html",
            speed=max(1, round(case.seconds / SHOW_S)) if live and console.is_terminal else 0,
            on_bench=LiveOn(console, case.title) if live else None,
        )
        outcome = replay(request, lambda done, total: None)
        if outcome.last_frame is not None:
            (out / f"{name}-panel.png").write_bytes(outcome.last_frame)
        outcomes.append(outcome)
        console.print()
    write_junit(out / "cases.xml", [outcome.result for outcome in outcomes])
    for outcome in outcomes:
        if outcome.result.figures:
            console.print(figures_table(outcome.result.figures, outcome.result.title))
    console.print(verdict_table([outcome.result for outcome in outcomes]))
    written = ", ".join(sorted(path.name for path in out.iterdir()))
    console.print(f"in {out}: {written}")
    return outcomes
