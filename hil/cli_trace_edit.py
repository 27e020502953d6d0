"""``leeze-hil record | cut | merge | anonymise | vcd``: traces beside running services, and new files out of traces."""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path
from typing import Any

from drivers.errors import InputError
from drivers.terminal import add_verb, interruptible, status_line

MOST_WEEKS = 520
RECORD_S = 3600.0


def add_trace_edit(verbs: Any) -> None:
    """Add the verbs."""
    added = add_verb(
        verbs,
        "record",
        _record,
        "every byte of running services' wires as a trace, taken from none of them",
        "leeze-hil record --tap kanalpromenade-lamp --seconds 600 -o street.mcap",
    )
    added.add_argument(
        "--tap",
        action="append",
        required=True,
        metavar="BOARD|[NAME=]SOCKET",
        help="where the service has its tap (leeze-controllers run --tap); once a service",
    )
    added.add_argument("--seconds", type=_seconds, default=RECORD_S, help="default: an hour; Ctrl-C ends it earlier")
    added.add_argument("-o", "--out", type=Path, required=True, metavar="TRACE")
    added = add_verb(
        verbs, "cut", _cut, "a piece of a trace", "leeze-hil cut run.mcap --from 60 --to 120 -o piece.mcap"
    )
    added.add_argument("trace", type=Path)
    added.add_argument("--from", dest="from_s", type=_seconds, default=0.0, metavar="S", help="from its start")
    added.add_argument("--to", dest="to_s", type=_seconds, metavar="S", help="default: to its end")
    _out(added)
    added = add_verb(
        verbs, "merge", _merge, "traces of several boards as one", "leeze-hil merge west.mcap east.mcap -o both.mcap"
    )
    added.add_argument("trace", type=Path, nargs="+")
    added.add_argument(
        "--shift", type=float, action="append", default=[], metavar="S", help="add to a file's times; once a file"
    )
    _out(added)
    added = add_verb(
        verbs,
        "anonymise",
        _anonymise,
        "a trace that does not say when and where it was",
        "leeze-hil anonymise run.mcap -o anywhen.mcap",
    )
    added.add_argument("trace", type=Path)
    added.add_argument("--weeks", type=_weeks, help="so many weeks earlier (default: by chance, and kept nowhere)")
    _out(added)
    added = add_verb(
        verbs,
        "vcd",
        _vcd,
        "the wires of a trace as waveforms, for PulseView and GTKWave",
        "leeze-hil vcd run.mcap --from 60 --to 61 -o run.vcd",
    )
    added.add_argument("trace", type=Path)
    added.add_argument("--from", dest="from_s", type=_seconds, default=0.0, metavar="S", help="from its start")
    added.add_argument("--to", dest="to_s", type=_seconds, metavar="S", help="default: to its end")
    added.add_argument(
        "--bits-only", action="store_true", help="single lines alone, without text and numbers (for PulseView)"
    )
    _out(added)


def _out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE")


def _record(said: argparse.Namespace) -> int:
    from hil.record_tap import record_taps

    def progress(gone_s: float, bytes_b: int) -> None:
        status_line(f"{gone_s:6.1f} s  {bytes_b:,} bytes")

    with interruptible() as stop:
        found = record_taps(said.tap, said.out, seconds=said.seconds, stop=stop, progress=progress)
    status_line("")
    for wire, count in found.bytes_b.items():
        print(f"{wire}: {count:,} bytes")
    for sentence in found.ended:
        print(sentence, file=sys.stderr)
    if found.lost_records:
        print(f"read too slowly: {found.lost_records} records were left out", file=sys.stderr)
    print(f"{said.out}: look at it with: leeze-hil trace info {said.out}")
    return 1 if not any(found.bytes_b.values()) else 0


def _cut(said: argparse.Namespace) -> int:
    from hil.trace_edit import cut

    return _told(said.out, cut(said.trace, said.out, from_s=said.from_s, to_s=said.to_s))


def _merge(said: argparse.Namespace) -> int:
    from hil.trace_edit import merge

    if len(said.shift) > len(said.trace):
        raise InputError(f"--shift stands {len(said.shift)} times for {len(said.trace)} files")
    return _told(said.out, merge(said.trace, said.out, shifts_s=said.shift))


def _anonymise(said: argparse.Namespace) -> int:
    from hil.trace_edit import anonymise

    weeks = said.weeks if said.weeks is not None else 1 + secrets.randbelow(200)
    return _told(said.out, anonymise(said.trace, said.out, weeks=weeks))


def _vcd(said: argparse.Namespace) -> int:
    from hil.vcd import write_vcd

    counted = write_vcd(said.trace, said.out, from_s=said.from_s, to_s=said.to_s, bits_only=said.bits_only)
    print(f"{said.out}: {counted.signals} signals, {counted.changes} changes, {counted.span_s:.3f} s")
    return 0


def _told(out: Path, copied: Any) -> int:
    left = ", ".join(f"{count} {kind}" for kind, count in sorted(copied.left_out.items()))
    print(f"{out}: {copied.events} events" + (f"; left out: {left}" if left else ""))
    return 0


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"{text} does not lie between 0 and 1e9")
    return value


def _weeks(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_WEEKS):
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 1 to {MOST_WEEKS}")
    return int(text)
