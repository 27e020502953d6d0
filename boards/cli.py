"""``leeze-boards``: which boards there are, whether a board file is right, and how to wire it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from boards import udev
from boards.cli_bench import add_bench_verbs
from boards.load import catalog_names, digest, load_board
from boards.parts import contents
from boards.pinout import config_lines, pin_table, pinout
from boards.schema import BoardDescription, json_schema
from drivers.errors import InputError
from drivers.terminal import add_verb, run_verb


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit code (0 fine, 2 wrong use or a board file with faults)."""
    return run_verb(_parser, argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leeze-boards",
        description="Board files: which wire goes where. Exit codes: 0 fine, 1 a part is at fault, 2 wrong use or "
        "a file with faults, 3 a port is.",
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)

    verb = partial(add_verb, verbs)

    def board(added: argparse.ArgumentParser, **more: Any) -> None:
        added.add_argument("board", metavar="BOARD", help="a name of the catalog or the path of a .toml file", **more)

    listing = verb("list", _list, "the boards that come with Leeze", "leeze-boards list --json")
    check = verb("check", _check, "is a board file right? says everything that is not", "leeze-boards check my.toml")
    board(check, nargs="+")
    drawing = verb("pinout", _pinout, "draw the header with what goes where", "leeze-boards pinout kanalpromenade-lamp")
    board(drawing)
    for each in (listing, check, drawing):
        each.add_argument("--json", action="store_true", help="one JSON object a line in place of text")
    verb("schema", _schema, "the JSON schema of a board file, for editors", "leeze-boards schema > board.schema.json")
    sheet = verb(
        "wiring",
        _wiring,
        "the sheet an electrician wires from: part, pin, colour, what belongs in between, supply",
        "leeze-boards wiring my-board.toml -o wiring.html",
    )
    board(sheet)
    sheet.add_argument("-o", "--output", metavar="FILE", help="an .html page or an .svg drawing (default: text)")
    sheet.add_argument("--json", action="store_true", help="one JSON object a connection")
    doctor = verb(
        "doctor",
        _doctor,
        "what this computer has against a board file, each with the line to type",
        "leeze-boards doctor my-board.toml",
    )
    board(doctor)
    doctor.add_argument("--json", action="store_true", help="one JSON object a finding in place of text")
    naming = verb(
        "udev",
        _udev,
        "rules that give the board's USB adapters names that stay",
        "leeze-boards udev my-board.toml | sudo tee /etc/udev/rules.d/60-leeze.rules",
    )
    board(naming)
    add_bench_verbs(verb, board)
    return parser


def _list(said: argparse.Namespace) -> int:
    boards = [load_board(name) for name in catalog_names()]
    if said.json:
        for board in boards:
            print(json.dumps(_summary(board)))
        return 0
    width = max(len(board.name) for board in boards)
    for board in boards:
        print(f"{board.name:<{width}}  {board.product:<11}  {board.title}{'  [bench]' if board.bench else ''}")
    return 0


def _check(said: argparse.Namespace) -> int:
    exit_code = 0
    for name in said.board:
        try:
            board = load_board(name)
        except InputError as error:
            exit_code = error.exit_code
            faults = str(error).splitlines()
            if said.json:
                print(json.dumps({"board": name, "ok": False, "faults": faults}))
            for fault in faults:
                print(f"error: {fault}", file=sys.stderr)
            continue
        if said.json:
            print(json.dumps({"board": name, "ok": True} | _summary(board)))
        else:
            wires, devices = len(board.wires), len(board.devices)
            print(f"{name}: fine, {wires} wires, {devices} devices, digest {digest(board)[:12]}")
    return exit_code


def _pinout(said: argparse.Namespace) -> int:
    board = load_board(said.board)
    if said.json:
        print(json.dumps({"board": board.name, "config_txt": config_lines(board), "pins": pin_table(board)}))
    else:
        print(pinout(board, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ), end="")
    return 0


def _wiring(said: argparse.Namespace) -> int:
    from boards import wiring, wiring_page

    board = load_board(said.board)
    if said.json:
        for row in wiring.rows(board):
            print(json.dumps(msgspec.to_builtins(row)))
    elif said.output is None:
        for card in wiring.cards(board):
            print(f"{card.title}\n  {card.wire}")
            for row in card.rows:
                pin = f" (pin {row.pin}, {row.carries})" if row.pin is not None else ""
                print(f"  {row.terminal:<12} {row.colour:<8} -> {row.goes_to}{pin}")
            for key in ("between", "supply", "note", "source"):
                if text := getattr(card, key):
                    print(f"  {key + ':':<9} {text}")
    elif said.output.endswith((".html", ".svg")):
        draw = wiring_page.wiring_svg if said.output.endswith(".svg") else wiring_page.wiring_page
        Path(said.output).write_text(draw(board), encoding="utf-8")
        print(said.output)
    else:
        raise InputError(f"{said.output}: the sheet is an .html page or an .svg drawing; name it so")
    return 0


def _doctor(said: argparse.Namespace) -> int:
    from boards.doctor.checkup import checkup
    from boards.doctor.machine import Machine

    board = load_board(said.board)
    found = checkup(board, Machine())
    for ailment in found:
        if said.json:
            print(json.dumps({"place": ailment.place, "what": ailment.what, "line": ailment.line}))
        else:
            print(f"{ailment.place}: {ailment.what}\n    {ailment.line}")
    if not said.json:
        print(
            f"{board.name}: {len(found)} things to put right" if found else f"{board.name}: this computer is fit for it"
        )
    return 3 if found else 0


def _udev(said: argparse.Namespace) -> int:
    print(udev.rules(load_board(said.board)), end="")
    return 0


def _schema(said: argparse.Namespace) -> int:
    print(json.dumps(json_schema(), indent=2))
    return 0


def _summary(board: BoardDescription) -> dict[str, Any]:
    return {
        "name": board.name,
        "title": board.title,
        "model": board.model,
        "product": board.product,
        "period_ms": board.period_ms,
        "bench": board.bench,
        "wires": contents(board),
        "devices": len(board.devices),
        "digest": digest(board),
    }
