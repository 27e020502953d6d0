"""``leeze-drivers``: which parts the drivers know, what a heap of bytes says, and trying a part on a port."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from drivers.cli_bench import add_bench_verbs
from drivers.cli_panel import add_panel_verb
from drivers.errors import InputError
from drivers.hex_text import parse_hex
from drivers.parts import PARTS, part
from drivers.terminal import add_verb, run_verb


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit code (0 fine, 2 wrong use, an unknown part or bad input)."""
    return run_verb(_parser, argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leeze-drivers",
        description="Chips and wires. Exit codes: 0 fine, 1 the part is at fault, 2 wrong use or bad input, 3 the "
        "port is. Bytes that are no frame are no error: they are skipped and counted.",
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)

    verb = partial(add_verb, verbs)
    listing = verb("list", _list, "the parts, their wires, what they were verified against", "leeze-drivers list")
    listing.add_argument("--json", action="store_true", help="one JSON object a line in place of text")
    decode = verb(
        "decode",
        _decode,
        "bytes of a part as JSON, one event a line, and a summary as the last line",
        "leeze-drivers decode ld2451 --hex 'F4F3F2F1 0700 01 01 7B0D01037B F8F7F6F5'",
    )
    decode.add_argument("part", metavar="PART", help=", ".join(PARTS))
    source = decode.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--hex", metavar="HEX", help="the bytes in hex; blanks, colons, commas, 0x and any case are fine"
    )
    source.add_argument("--hex-file", metavar="FILE", help="a text file with the bytes in hex; - is standard input")
    source.add_argument("--file", metavar="FILE", help="a file with the bytes themselves; - is standard input")
    add_bench_verbs(verb)
    add_panel_verb(verb)
    return parser


def _list(said: argparse.Namespace) -> int:
    for each in PARTS.values():
        if said.json:
            keys = ("name", "title", "wire", "vendor", "recording", "hardware")
            print(json.dumps({key: getattr(each, key) for key in keys}))
            continue
        print(f"{each.name}\n  what       {each.title}\n  wire       {each.wire}")
        for against in ("vendor", "recording", "hardware"):
            print(f"  {against:<9}  {getattr(each, against) or 'not yet'}")
    return 0


def _decode(said: argparse.Namespace) -> int:
    chosen = part(said.part)
    if chosen.decode is None:
        raise InputError(f"{chosen.name} has no byte stream to decode: {chosen.wire}")
    decode = chosen.decode
    events, skipped_bytes = decode(_data(said))
    for event in events:
        print(json.dumps({"t": None} | event))  # no time: nobody wrote down when these bytes came
    print(json.dumps({"type": "summary", "events": len(events), "skipped_bytes": skipped_bytes}))
    return 0


def _data(said: argparse.Namespace) -> bytes:
    if said.hex is not None:
        return parse_hex(said.hex, "--hex")
    if said.hex_file is not None:
        return parse_hex(_read(said.hex_file).decode("utf-8", "replace"), said.hex_file)
    return _read(said.file)


def _read(file: str) -> bytes:
    if file != "-":
        return Path(file).read_bytes()
    if sys.stdin is None:
        raise InputError("standard input is closed; give the name of a file")
    return sys.stdin.buffer.read()
