"""The same results for the terminal: a verdict table over cases and a figures table of one, as rich tables."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from hil.report.escape import clean
from hil.report.figures import RULES, duration, number, rows, rules_of
from hil.report.result import Figures, RunResult

STYLES = {"passed": "bold green", "failed": "bold red", "blocked": "bold magenta", "no-reference": "yellow"}
MARKS = {
    "passed": "\u2713 passed",
    "failed": "\u2717 failed",
    "blocked": "\u25a0 blocked",
    "no-reference": "? no reference",
}


def verdict_table(results: Iterable[RunResult]) -> Table:
    """One line a case: verdict, what was replayed and how fast, and why it failed."""
    table = Table(title="Verdicts", title_justify="left", header_style="bold", expand=False)
    for name in ("case", "verdict"):
        table.add_column(name, overflow="fold")
    for name in ("replayed", "in", "\u00b5s a frame"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("what was found", overflow="fold")
    for result in results:
        table.add_row(
            _text(result.case),
            Text(MARKS[result.verdict], STYLES[result.verdict]),
            duration(result.span_s),
            duration(result.wall_s),
            "" if result.us_per_frame is None else number(result.us_per_frame, 1),
            _text(_found(result)),
        )
    return table


def _found(result: RunResult) -> str:
    text = result.reason.removeprefix(f"{result.verdict}: ")
    first = result.comparison.first if result.comparison else None
    return text if first is None else f"{text}\nfirst: {first.kind} at tick {first.tick} on {first.wire}"


def figures_table(figures: Figures, title: str = "Figures") -> Table:
    """One line a figure, one column a rule; bounds and ratios stand behind the values."""
    table = Table(title=_text(title), title_justify="left", header_style="bold", expand=False)
    table.add_column("")
    for rule in rules_of(figures):
        table.add_column(_text(RULES.get(rule, rule)), justify="right", style="bold" if rule == "leeze" else "")
    for row in rows(figures):
        cells = []
        for cell in row.cells:
            text = Text("\u2013" if cell is None else clean(cell.text))
            if cell is not None and cell.beside:
                text.append(f"\n{cell.beside}", "dim not bold")
            cells.append(text)
        table.add_row(_text(row.label), *cells)
    return table


def _text(text: str) -> Text:
    """Text as it stands: names may hold square brackets, which rich would take for markup."""
    return Text(clean(text))
