"""``leeze-controllers energy``: what the lamps used, by lamp and night, from what the flight recorder has kept."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from controllers.lighting.site import LightingSite
from controllers.service.flight_records import DEFAULT_FOLDER
from drivers.errors import InputError
from drivers.terminal import add_verb, columns

_HEAD = ("Wh", "of always on", "measured, Wh", "full, h", "between, h", "base, h", "off, h", "raised", "switched on")


def add_energy(verbs: Any) -> None:
    """Add the verb to those of the command."""
    added = add_verb(
        verbs,
        "energy",
        _energy,
        "what the lamps used, by lamp and night, from the flight recorder's files",
        "leeze-controllers energy /var/lib/leeze/flight",
    )
    added.add_argument(
        "files",
        type=Path,
        nargs="*",
        metavar="FOLDER|FILE",
        help=f"rings or single files of lamp controllers, also cut ones (default: {DEFAULT_FOLDER})",
    )
    added.add_argument("--site", metavar="SITE", help="in place of the site that the files carry")
    added.add_argument("--json", action="store_true", help="one JSON object in place of tables")


def _energy(said: argparse.Namespace) -> int:
    """Exit code 1 where a file is damaged: then decisions may be missing, and the figures are doubtful."""
    from controllers.service.flight_energy import accounts
    from controllers.service.sites import load_site

    site = load_site(said.site) if said.site is not None else None
    if site is not None and not isinstance(site, LightingSite):
        raise InputError(f"--site {said.site}: has no lamps")
    if not said.files and not DEFAULT_FOLDER.is_dir():
        raise InputError(
            f"{DEFAULT_FOLDER}: no flight recorder has written there; name its folder, or let `leeze-controllers run "
            "--flight` record"
        )
    found = accounts(said.files or [DEFAULT_FOLDER], site)
    bills = [account.as_json() for account in found]
    if said.json:
        import json

        print(json.dumps({"controllers": bills}))
    else:
        for bill in bills:
            _print(bill)
    for bill in bills:
        for note in bill["notes"]:
            print(f"{bill['controller']}: {note}", file=sys.stderr)
    return 1 if any(account.damaged for account in found) else 0


def _print(bill: dict[str, Any]) -> None:
    print(
        f"{bill['site']}, controller {bill['controller']}: {len(bill['by_lamp'])} lamps of {bill['power_w']:g} W, "
        f"{bill['nights']} night{'s' * (bill['nights'] != 1)}, {bill['lit_h']:.2f} lit hours recorded"
    )
    nights = [(f"{row['night']} ({row['lit_h']:.2f} h)", row) for row in bill["by_night"]]
    lamps = {row["lamp"] for row in bill["by_lamp"]}
    whole = {**bill, "raised": 0, "switched_on": 0, "lamp_h_by_level": {}}
    for row in bill["by_lamp"]:
        whole["raised"] += row["raised"]
        whole["switched_on"] += row["switched_on"]
        for band, hours in row["lamp_h_by_level"].items():
            whole["lamp_h_by_level"][band] = whole["lamp_h_by_level"].get(band, 0.0) + hours
    for title, rows in (
        ("night (lit hours)", nights),
        ("lamp", [(row["lamp"], row) for row in bill["by_lamp"]]),
        ("", [("all", whole)]),
    ):
        _table(title, rows, lamps)
    assumed = bill["assumed"]
    print(
        f"EN 13201-5: D_E (AECI) {bill['annual_kwh_m2']:.3f} kWh/(m2 a), D_P {bill['power_density_w_lx_m2']:g} "
        f"W/(lx m2). Assumed: path {assumed['width_m']:g} m wide, a lamp each {assumed['spacing_m']:g} m, "
        f"{assumed['lux']:g} lx at full, a year of {assumed['year_lit_h']:,.0f} lit hours like those recorded."
    )
    print("Wh: levels that passed the gate, the DALI curve, the site's power a lamp; nothing drawn at level 0.")
    holes = bill["not_recorded"]
    if holes:
        seconds = sum(hole["seconds"] for hole in holes)
        print(f"Not recorded, and not counted: {seconds:,.0f} s in {len(holes)} holes.")


def _table(title: str, rows: list[tuple[str, dict[str, Any]]], lamps: set[str]) -> None:
    lines = [[title, *(_HEAD if title else [""] * len(_HEAD))]]
    for name, row in rows:
        hours = row["lamp_h_by_level"]
        between = hours.get("to_half", 0.0) + hours.get("to_full", 0.0)
        always_on = row["always_on_wh"]
        lines.append(
            [
                name,
                f"{row['energy_wh']:,.2f}",
                f"{row['energy_wh'] * 100 / always_on:.1f} %" if always_on else "",
                _measured(row["measured_wh"], lamps),
                *(f"{lasted:.2f}" for lasted in (hours.get("full", 0.0), between)),
                *(f"{hours.get(band, 0.0):.2f}" for band in ("to_base", "off")),
                str(row["raised"]),
                str(row["switched_on"]),
            ]
        )
    widths = [24, *(max(len(head), 12) for head in _HEAD)]
    if sum(widths) + 2 * len(widths) > columns():
        for line in lines if title else lines[1:]:
            print(f"{line[0]:<20} {line[1]:>9}  {line[2].replace('of always on', 'of on'):>7}".rstrip())
        print()
        return
    for first, *cells in lines if title else lines[1:]:
        shown = "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        print(f"{first:<{widths[0]}}  {shown}")
    print()


def _measured(said: Any, lamps: set[str]) -> str:
    """A lamp's own meter; for a night or all, the sum of those, and each meter of a supply (it measures the same)."""
    if isinstance(said, dict):
        own = [wh for source, wh in said.items() if source in lamps]
        words = [f"lamps {sum(own):,.2f}"] if own else []
        return ", ".join(words + [f"{source} {wh:,.2f}" for source, wh in said.items() if source not in lamps])
    return "" if said is None else f"{said:,.2f}"
