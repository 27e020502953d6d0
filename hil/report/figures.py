"""The figures of a lamp site, in words: which there are, how each is written, and what it is compared with."""

from __future__ import annotations

import msgspec

from hil.report.result import Figures

RULES = {
    "leeze": "Leeze",
    "always_on": "always on",
    "present": "present installation",
    "present_no_standby": "present, no stand-by",
    "oracle": "oracle",
}
"""Rule -> how it is called. The oracle knows the riders and is the physical limit."""


class Figure(msgspec.Struct, frozen=True):
    """How one figure is written. `kind` "count", "share" (0 to 1, shown in %) or "amount" (with a ratio)."""

    key: str
    label: str
    kind: str
    unit: str = ""
    decimals: int = 0


FIGURES = (
    Figure("riders", "riders", "count"),
    Figure("lit_in_time", "of them lit in time", "count"),
    Figure("lit_share", "lit in time", "share"),
    Figure("full_at_10m_share", "lamps full with the rider 10 m away", "share"),
    Figure("lamp_s_above_base", "lamp time above base", "amount", "s"),
    Figure("energy_wh", "energy", "amount", "Wh", 1),
    Figure("raised", "lamps raised above base", "count"),
    Figure("switched_on", "lamps switched on", "count"),
    Figure("false_lightings", "lamps raised for nobody", "count"),
)
LOW_BOUNDS = {"lit_share": "lit_share_low95"}
"""Share -> the figure that holds its lower 95 % bound."""


class Cell(msgspec.Struct, frozen=True):
    """One value as text, and what stands small beside it: a bound or a ratio. `fraction` 0 to 1 is its bar, or None."""

    text: str
    beside: str = ""
    fraction: float | None = None


class Row(msgspec.Struct, frozen=True):
    """One figure over all rules; None where a rule has no value."""

    label: str
    cells: tuple[Cell | None, ...]


def rules_of(figures: Figures) -> list[str]:
    """The rules that any figure names: the known ones in their order, then others as they come."""
    named = {rule: None for by_rule in figures.values() for rule in by_rule}
    return [rule for rule in RULES if rule in named] + [rule for rule in named if rule not in RULES]


def rows(figures: Figures) -> list[Row]:
    """The table: known figures in their order, then others as plain numbers."""
    rules = rules_of(figures)
    known = [figure for figure in FIGURES if figure.key in figures]
    taken = {figure.key for figure in FIGURES} | set(LOW_BOUNDS.values())
    other = [Figure(key, key.replace("_", " "), "other") for key in figures if key not in taken]
    return [
        Row(f"{figure.label}, {figure.unit}" if figure.unit else figure.label, _cells(figure, figures, rules))
        for figure in known + other
    ]


def _cells(figure: Figure, figures: Figures, rules: list[str]) -> tuple[Cell | None, ...]:
    values = figures[figure.key]
    lows = figures.get(LOW_BOUNDS.get(figure.key, ""), {})
    most = max((value for value in values.values() if value is not None), default=0)
    return tuple(_cell(figure, values.get(rule), lows.get(rule), values, most) for rule in rules)


def _cell(
    figure: Figure,
    value: float | int | None,
    low: float | int | None,
    values: object,
    most: float | int,
) -> Cell | None:
    if value is None:
        return None
    if figure.kind == "share":
        bound = "" if low is None else f"\u2265 {percent(low)} (95 %)"
        return Cell(percent(value), bound, min(1.0, max(0.0, float(value))))
    if figure.kind == "amount":
        always_on = values.get("always_on") if isinstance(values, dict) else None
        beside = f"{percent(value / always_on)} of always on" if always_on and value is not always_on else ""
        return Cell(number(value, figure.decimals), beside, float(value) / float(most) if most > 0 else None)
    return Cell(number(value, 0 if isinstance(value, int) else 3))


def percent(share: float | int) -> str:
    """A share of 1 as a percentage with one decimal: ``percent(0.9812) == "98.1 %"``. Never rounds up to 100 %."""
    tenths = round(share * 1000)
    if tenths >= 1000 and share < 1:
        tenths = 999
    return f"{tenths // 10} %" if tenths in (0, 1000) else f"{tenths // 10}.{tenths % 10} %"


def number(value: float | int, decimals: int = 0) -> str:
    """A number with narrow spaces between thousands: ``number(28411) == "28\u202f411"``."""
    return f"{value:,.{decimals}f}".replace(",", "\u202f")


def duration(seconds: float) -> str:
    """A span for people: ``0.84 s``, ``59 min 10 s``, ``3 h 5 min``, ``28 d 0 h``."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400 * 2:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"
