"""The account in a report: what each rule spent, hours by level as bars, and two tables, by night and by lamp."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hil.report.escape import markup
from hil.report.figures import RULES, number, percent

LEVELS = (
    ("off", "off", "#20293a"),
    ("to_base", "up to base", "#5c5a4d"),
    ("to_half", "up to half", "#9c8546"),
    ("to_full", "below full", "#d3a93f"),
    ("full", "full", "#ffd75e"),
)
"""Band of the account, what it is called, its colour."""

MOST_NIGHTS = 400


def account_html(account: Mapping[str, Any]) -> str:
    """The section, "" without an account."""
    if not account:
        return ""
    rules = list(account["annual_kwh_m2"])
    assumed = account["assumed"]
    note = (
        f"{number(account['lamps'])} lamps of {account['power_w']:g} W, {number(account['nights'])} nights with "
        f"{number(account['lit_h'], 1)} lit hours. Indicators after EN 13201-5; assumed: path {assumed['width_m']:g} m "
        f"wide, a lamp each {assumed['spacing_m']:g} m, {assumed['lux']:g} lx at full, {assumed['lumen_per_w']:g} lm "
        f"a watt, a year of {number(assumed['year_lit_h'])} lit hours with these riders. Gear draws nothing "
        f"at level 0. D_P is {account['power_density_w_lx_m2']:g} W/(lx m\u00b2), the same for all rules."
    )
    return (
        f'<section class="account"><h2>Account</h2>{_indicators(account, rules)}{_levels(account, rules)}'
        f"{_rows('night', 'By night', account['by_night'][:MOST_NIGHTS], rules)}"
        f"{_rows('lamp', 'By lamp', account['by_lamp'], rules)}"
        f'<p class="note">{markup(note)}</p></section>'
    )


def _indicators(account: Mapping[str, Any], rules: list[str]) -> str:
    nights, lamps = account["nights"] or 1, account["lamps"] or 1
    raised = {rule: sum(row["raised"].get(rule, 0) for row in account["by_lamp"]) for rule in rules}
    switched = {rule: sum(row["switched_on"].get(rule, 0) for row in account["by_lamp"]) for rule in rules}
    lines = (
        ("D_E (AECI), kWh/(m\u00b2 a)", {rule: number(account["annual_kwh_m2"][rule], 3) for rule in rules}),
        ("light, lm h", {rule: number(account["lumen_hours"][rule]) for rule in rules}),
        ("raised above base, a lamp and night", {rule: number(raised[rule] / nights / lamps, 1) for rule in rules}),
        ("switched on, a lamp and night", {rule: number(switched[rule] / nights / lamps, 1) for rule in rules}),
        ("raised for nobody, a night", {rule: number(account["false_lightings"][rule] / nights, 1) for rule in rules}),
    )
    body = "".join(
        f'<tr><th scope="row">{markup(name)}</th>{"".join(_cell(rule, cells[rule]) for rule in rules)}</tr>'
        for name, cells in lines
    )
    return _table("indicator", rules, body)


def _levels(account: Mapping[str, Any], rules: list[str]) -> str:
    """Lamp hours by level: one bar a rule, its parts as wide as their share, dark to bright."""
    bars = []
    for rule in rules:
        hours = account["lamp_h_by_level"][rule]
        whole = sum(hours.values()) or 1
        x, parts = 0.0, []
        for key, name, colour in LEVELS:
            wide = hours[key] * 1000 / whole
            tip = f"{RULES.get(rule, rule)}, {name}: {number(hours[key], 1)} lamp hours, {percent(hours[key] / whole)}"
            parts.append(
                f'<rect x="{x:.1f}" y="0" width="{wide:.1f}" height="15" fill="{colour}">'
                f"<title>{markup(tip)}</title></rect>"
            )
            x += wide
        name = markup(RULES.get(rule, rule))
        bars.append(
            f'<tr><th scope="row">{name}</th><td style="width:75%"><svg width="100%" height="15" '
            f'viewBox="0 0 1000 15" preserveAspectRatio="none" role="img">{"".join(parts)}</svg></td></tr>'
        )
    listed = ", ".join(name for _, name, _ in LEVELS)
    return (
        f'<div class="wide"><table><thead><tr><th scope="col">lamp hours by level</th>'
        f'<th scope="col">{markup(listed)}</th></tr></thead><tbody>{"".join(bars)}</tbody></table></div>'
    )


def _rows(key: str, title: str, rows: list[Mapping[str, Any]], rules: list[str]) -> str:
    """Energy and risings of each night or lamp."""
    lines = []
    for row in rows:
        cells = []
        for rule in rules:
            energy, raised = row["energy_wh"].get(rule), row["raised"].get(rule)
            told = "\u2013" if energy is None else f"{number(energy, 1)}<small>\u2191 {number(raised or 0)}</small>"
            cells.append(f"<td{_ours(rule)}>{told}</td>")
        lines.append(f'<tr><th scope="row">{markup(str(row[key]))}</th>{"".join(cells)}</tr>')
    shown = f"{title}: energy in Wh, and how often a lamp was raised (\u2191)"
    return f"<details><summary>{shown}</summary>{_table(key, rules, ''.join(lines))}</details>"


def _table(first: str, rules: list[str], body: str) -> str:
    head = "".join(f'<th scope="col">{markup(RULES.get(rule, rule))}</th>' for rule in rules)
    return (
        f'<div class="wide"><table><thead><tr><th scope="col">{markup(first)}</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(rule: str, text: str) -> str:
    return f"<td{_ours(rule)}>{markup(text)}</td>"


def _ours(rule: str) -> str:
    return ' class="ours"' if rule == "leeze" else ""
