"""``leeze-boards probe``, ``monitor``, ``capture``: the verbs that open a board's wires."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from boards.load import load_board
from boards.parts import part_name
from boards.schema import BoardDescription
from drivers.cli_bench import agree, finding_json, finding_lines
from drivers.clock import SystemClock
from drivers.terminal import interruptible, status_line

AddVerb = Callable[..., argparse.ArgumentParser]

MONITOR_S = 24 * 3600.0


def add_bench_verbs(verb: AddVerb, board: Callable[..., None]) -> None:
    """`verb` adds a verb, `board` its BOARD argument."""
    probing = verb(
        "probe",
        _probe,
        "is everything there, does it answer, and which wire is wrong?",
        "leeze-boards probe my-board.toml radar-1 radar-2",
    )
    board(probing)
    _devices(probing)
    probing.add_argument("--seconds", type=_seconds, default=4.0, help="how long to wait for the slowest (default 4)")
    probing.add_argument("--json", action="store_true", help="one JSON object a device")

    watching = verb(
        "monitor",
        _monitor,
        "hex beside decoded values, signal groups with countdowns, live; beside a running service it listens at its "
        "tap and steals no byte",
        "leeze-boards monitor my-board.toml radar-1",
    )
    board(watching)
    _devices(watching)
    watching.add_argument("--seconds", type=_seconds, default=MONITOR_S, help="stop by itself (default: after a day)")
    watching.add_argument("--json", action="store_true", help="one JSON object a second in place of the picture")
    watching.add_argument("--tap", metavar="PATH", help="the tap of a running service (default: /run/leeze/BOARD.tap)")

    addressing = verb(
        "address",
        _address,
        "addresses for factory-new parts: all DALI gear of a wire, or Modbus parts one at a time",
        "leeze-boards address my-board.toml bay-1 bay-2",
    )
    board(addressing)
    addressing.add_argument(
        "name", metavar="WIRE|DEVICE", nargs="+", help="a DALI wire; or Modbus devices, in the order you connect them"
    )
    addressing.add_argument("--yes", action="store_true", help="do not ask before addresses are written")
    addressing.add_argument("--json", action="store_true", help="one JSON object an outcome")

    finding = verb(
        "detect",
        _detect,
        "what hangs on this computer's serial ports and I2C buses, with the lines for a board file",
        "leeze-boards detect",
    )
    finding.add_argument("port", metavar="PORT", nargs="*", help="only these (default: all serial ports and I2C buses)")
    finding.add_argument("--json", action="store_true", help="one JSON object a finding")

    recording = verb(
        "capture",
        _capture,
        "record every byte of every wire into a trace (MCAP), for leeze-hil to look at and replay",
        "leeze-boards capture my-board.toml -o evening.mcap --seconds 600",
    )
    board(recording)
    _devices(recording)
    recording.add_argument("-o", "--output", metavar="TRACE", required=True, help="the file; an old one is replaced")
    recording.add_argument("--seconds", type=_seconds, default=MONITOR_S, help="stop by itself (default: after a day)")


def _devices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("device", metavar="DEVICE", nargs="*", help="only these devices and their wires (default: all)")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 7 * MONITOR_S:
        raise argparse.ArgumentTypeError("more than 0 s, and a week at most")
    return value


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")


def _probe(said: argparse.Namespace) -> int:
    from boards.doctor.monitor import where
    from boards.doctor.probe import probe_board

    board = load_board(said.board)
    found = probe_board(board, SystemClock(), only=said.device, seconds=said.seconds, progress=_progress)
    for wire, finding, latest in found:
        part, place = part_name(board.devices[finding.device]), where(board, wire)
        if said.json:
            print(json.dumps(finding_json(finding, part, place, wire, latest)))
            continue
        print(f"{finding.device} ({part}) on {wire}, {place}: {finding.verdict}")
        for line in finding_lines(finding, latest):
            print(f"  {line}")
    if not said.json:
        well = sum(finding.exit_code == 0 for _, finding, _ in found)
        print(f"{well} of {len(found)} devices are well")
    codes = {finding.exit_code for _, finding, _ in found}
    return 1 if 1 in codes else max(codes, default=0)


def _monitor(said: argparse.Namespace) -> int:
    from boards.doctor.monitor import monitor_board, monitor_tap
    from drivers.links.tap_client import default_path

    board = load_board(said.board)
    tap = Path(said.tap) if said.tap else default_path(board.name)
    with interruptible() as stop:
        if said.tap or tap.is_socket():
            wires = sorted({narrowed_wire(board, device) for device in said.device})
            return monitor_tap(tap, board, only=wires, seconds=said.seconds, stop=stop, as_json=said.json)
        return monitor_board(board, only=said.device, seconds=said.seconds, stop=stop, as_json=said.json)


def narrowed_wire(board: BoardDescription, device: str) -> str:
    """The wire that a device of `board` hangs on. Raises InputError."""
    from boards.doctor.live import narrowed

    return narrowed(board, [device]).devices[device].wire


def _address(said: argparse.Namespace) -> int:
    from boards.doctor.address import address_line, address_part

    board = load_board(said.board)
    worst = 0
    with interruptible() as stop:
        for name in said.name:
            if name in board.wires and name not in board.devices:
                agree(f"writes short addresses into new gear on wire {name}", said.yes)
                outcome = address_line(board, name, stop=stop, progress=status_line)
                status_line("")
            else:
                wire = narrowed_wire(board, name)
                agree(f"writes an address: {name} must be the only new part on wire {wire}", said.yes)
                outcome = address_part(board, name, stop=stop)
            print(json.dumps(msgspec.to_builtins(outcome)) if said.json else outcome.text, flush=True)
            if not outcome.ok:
                worst = 1
                break
    return worst


def _detect(said: argparse.Namespace) -> int:
    from boards.doctor.detect import detect, i2c_buses, serial_ports

    ports = said.port or [*serial_ports(), *i2c_buses()]
    recognised = 0
    for found in detect(SystemClock(), ports, _progress):
        recognised += bool(found.part)
        if said.json:
            print(json.dumps(msgspec.to_builtins(found)), flush=True)
            continue
        what = f"{found.part}, {found.text}" if found.part else found.text
        print(f"{found.port}{f' at {found.baud} baud' if found.baud else ''}: {what}", flush=True)
        for line in found.lines.splitlines():
            print(f"    {line}".rstrip(), flush=True)
    if not ports:
        print("no serial port and no I2C bus on this computer", file=sys.stderr)
    return 0 if recognised else 3


def _capture(said: argparse.Namespace) -> int:
    from boards.doctor.capture import capture_board

    def progress(gone_s: float, passed: dict[str, int]) -> None:
        status_line(f"{gone_s:6.1f} s  " + "  ".join(f"{wire} {count:,} B" for wire, count in passed.items()))

    with interruptible() as stop:
        passed = capture_board(
            load_board(said.board),
            Path(said.output),
            only=said.device,
            seconds=said.seconds,
            stop=stop,
            progress=progress,
        )
    status_line("")
    for wire, count in passed.items():
        print(f"{wire}: {count:,} bytes")
    print(f"{said.output}: look at it with: leeze-hil trace info {said.output}")
    silent = [wire for wire, count in passed.items() if not count]
    if silent:
        print(f"nothing passed on {', '.join(silent)}; leeze-boards probe {said.board} says why", file=sys.stderr)
    return 1 if silent else 0
