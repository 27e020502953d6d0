"""The score for a terminal: two lines a group, the display and the one without memory, then all groups together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from hil.report.escape import clean
from hil.score_shown import HORIZONS_S

SUMMED = ("phases", "shown_s", "dark_s", "needless_dark_s", "without_end_s", "wrong_colour_s", "upward_jumps")


def total(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Several accounts as one: seconds and jumps added, shares weighed by their phases."""
    found: dict[str, Any] = {key: round(sum(one[key] for one in figures), 3) for key in SUMMED}
    for horizon_s in HORIZONS_S:
        count = sum(one[f"phases_at_{horizon_s}s"] for one in figures)
        found[f"phases_at_{horizon_s}s"] = count
        for name in ("within_1s", "told"):
            key = f"{name}_at_{horizon_s}s"
            hits = sum((one[key] or 0) * one[f"phases_at_{horizon_s}s"] for one in figures)
            found[key] = round(hits / count, 4) if count else None
    return found


def score_table(found: dict[str, Any]) -> Table:
    """What `hil.score.score` gave."""
    title = f"{found['trace']}: {found['messages']} messages, {found['span_s']:.0f} s"
    table = Table(title=Text(clean(title)), title_justify="left", header_style="bold", box=None, padding=(0, 1, 0, 0))
    names = ("phases", "shown", "dark", "needless", "wrong", "jumps", *(f"{h} s" for h in HORIZONS_S))
    table.add_column("group", no_wrap=True)
    table.add_column("by", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    groups = found["groups"]
    for group in groups:
        _rows(table, str(group["group"]), group, group["baseline"])
    if len(groups) > 1:
        table.add_section()
        _rows(table, "all", total(groups), total([group["baseline"] for group in groups]))
    return table


def _rows(table: Table, name: str, ours: dict[str, Any], plain: dict[str, Any]) -> None:
    for label, figures, style in (("leeze", ours, ""), ("plain", plain, "dim")):
        seconds = [f"{figures[key]:.1f}" for key in ("shown_s", "dark_s", "needless_dark_s", "wrong_colour_s")]
        shares = [_share(figures[f"within_1s_at_{horizon_s}s"]) for horizon_s in HORIZONS_S]
        cells = [str(figures["phases"]), *seconds, str(figures["upward_jumps"]), *shares]
        table.add_row(name if label == "leeze" else "", label, *cells, style=style)


def _share(value: float | None) -> str:
    return "\u2013" if value is None else f"{100 * value:.1f}"
