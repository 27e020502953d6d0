"""``leeze-controllers commission``: writes into DALI gear what it shall keep for this site, and reads it back."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from controllers.lighting.site import LightingSite
from drivers.errors import InputError
from drivers.terminal import add_verb, columns

if TYPE_CHECKING:
    from boards.doctor.commission import GearRow

_COLUMNS = ("failure_level", "fade_code", "power_on_level", "min_level", "max_level", "groups", "curve")


def add_commission(verbs: Any, of_a_site: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add the verb to those of the command; `of_a_site` adds --site, --controller and --board."""
    added = add_verb(
        verbs,
        "commission",
        _commission,
        "write failure level, power-on level, limits, fade time and groups into the DALI gear of a board, and read "
        "them back; stop the controller first",
        "leeze-controllers commission --site kanalpromenade-reference --controller west",
    )
    of_a_site(added)
    added.add_argument("--wire", metavar="WIRE", help="only this DALI wire (default: all of the board)")
    added.add_argument("--check", action="store_true", help="only read and compare")
    added.add_argument("--yes", action="store_true", help="do not ask before anything is written")
    added.add_argument("--json", action="store_true", help="one JSON object a lamp")


def _commission(said: argparse.Namespace) -> int:
    """Exit code 1 where some gear does not answer, or does not keep what it shall."""
    from boards.doctor.commission import LineCommissioning
    from boards.load import load_board
    from boards.parts.dali import DaliLampKeys
    from boards.parts.lines import Relay
    from controllers.service.assemble import fade_code
    from controllers.service.sites import controller_of, load_site
    from drivers.cli_bench import agree
    from drivers.codecs.dali import FULL

    site = load_site(said.site)
    if not isinstance(site, LightingSite):
        raise InputError(f"--site {said.site}: has no lamps")
    board = load_board(said.board or controller_of(site, said.controller)[1])
    wires = sorted({its.wire for its in board.devices.values() if isinstance(its, DaliLampKeys)})
    if said.wire is not None:
        wires = [said.wire]
    if not wires:
        raise InputError(f"board {board.name} has no DALI lamps, and other lamps keep no settings: nothing to do")
    ok = True
    relays = {said.bus for said in board.devices.values() if isinstance(said, Relay) and said.bus is not None}
    code = fade_code(site.light.rise_s)
    for wire in wires:
        with LineCommissioning(board, wire, failure_level=FULL, fade_code=code, progress=_status) as line:
            rows = line.read()
            _status("")
            differing = sum(bool(row.differing) for row in rows)
            if differing and not said.check:
                if not said.json:
                    _print(wire, rows)
                agree(f"writes into the memory of {differing} gear on wire {wire}", said.yes)
                rows = line.write(rows)
                _status("")
        if said.json:
            for row in rows:
                print(json.dumps({"wire": wire, **_as_json(row)}))
        else:
            _print(wire, rows)
            width = min(100, columns())
            said_next = _next(rows, said.check, wire in relays)
            print(textwrap.fill(said_next, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False))
        ok = ok and all(row.ok for row in rows)
    return 0 if ok else 1


def _as_json(row: GearRow) -> dict[str, Any]:
    differing = {name: {"found": found, "wanted": wanted} for name, found, wanted in row.differing}
    about = {"lamp": row.lamp, "short_address": row.short_address, "ok": row.ok, "written": row.written}
    return {**about, "found": row.found, "differs": differing, "trouble": _trouble(row)}


def _trouble(row: GearRow) -> str:
    return row.trouble or ("" if row.found is not None else "gear does not answer")


def _print(wire: str, rows: Sequence[GearRow]) -> None:
    """What each gear keeps; where it shall keep something else, ``found -> wanted``."""
    print(f"wire {wire}:")
    lines: list[tuple[str, ...]] = [("lamp", "address", *_COLUMNS, "")]
    for row in rows:
        differing = {name: (found, wanted) for name, found, wanted in row.differing}
        cells = [row.lamp, str(row.short_address)]
        for name in _COLUMNS:
            value = None if row.found is None else row.found[name]
            cell = "-" if value is None else _shown(name, value)
            cells.append(f"{cell} -> {_shown(name, differing[name][1])}" if name in differing else cell)
        cells.append(_trouble(row) or (f"{row.written} written" if row.written else ""))
        lines.append(tuple(cells))
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    if sum(widths) + 2 * len(widths) > columns():
        _print_narrow(rows)
    else:
        for line in lines:
            print(("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))).rstrip())
    well = sum(row.ok for row in rows)
    print(f"  {well} of {len(rows)} gear keep what they shall")


def _print_narrow(rows: Sequence[GearRow]) -> None:
    """On a telephone: a lamp a paragraph, and of its settings those alone that differ."""
    for row in rows:
        trouble = _trouble(row)
        state = trouble or ("" if row.differing else "as it shall be")
        written = f", {row.written} written" if row.written else ""
        print(f"  {row.lamp} (address {row.short_address}){': ' if state else ''}{state}{written}")
        for name, found, wanted in row.differing:
            print(f"    {name}  {_shown(name, found)} -> {_shown(name, wanted)}")


def _next(rows: Sequence[GearRow], checked: bool, behind_a_relay: bool) -> str:
    """What to do now, in a line."""
    silent = [row.lamp for row in rows if row.found is None]
    if len(silent) == len(rows):
        power = (
            " Its relay drops while no controller runs: leeze-controllers keep-power --now." if behind_a_relay else ""
        )
        return f"no gear answers: has the bus power?{power} Else look at the wire, and at addresses: leeze-boards probe"
    if silent:
        return f"look at {', '.join(silent)}: supply, wire, address (leeze-boards address); then the same again"
    if all(row.ok for row in rows):
        return "done: start the controller" if any(row.written for row in rows) else "nothing to do"
    if checked:
        return "to write it: the same without --check"
    return "the same again; gear that keeps something else once more is to be exchanged, or its board file changed"


def _shown(name: str, value: int) -> str:
    return (
        f"{value:#06x}" if name == "groups" else ("log" if value == 0 else "linear") if name == "curve" else str(value)
    )


def _status(text: str) -> None:
    """One line that is written over, where somebody looks."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
