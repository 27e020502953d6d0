"""``leeze-hil peer``: one part's far end on a pseudo-terminal, or a signal controller at a broker, for a desk."""

from __future__ import annotations

import argparse
import difflib
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from drivers.errors import BenchError, InputError
from drivers.terminal import INTERRUPTED, add_verb
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.cli_publisher import PART, add_publisher_options, publish, refuse_publisher_options

LOOK_NS = 100 * NS_PER_MS
"""How soon an end is noticed."""


def add_desk(verbs: Any, seconds: Callable[[str], float]) -> None:
    """Add the verb; `seconds` reads a time."""
    added = add_verb(
        verbs,
        "peer",
        _peer,
        "the far end of one part on a pseudo-terminal, to try probe, send and monitor without hardware; "
        f"{PART}: a crossing that speaks to a real broker",
        "leeze-hil peer ld2451 --seconds 60",
    )
    added.add_argument("part", metavar="PART", help="its printed name, like ld2451; a wrong one lists them all")
    added.add_argument("--baud", type=_baud, help="the bit rate it really has (default: the part's usual one)")
    added.add_argument("--fault", choices=("silent", "babbling"), help="what is wrong with it")
    added.add_argument("--link", type=Path, metavar="PATH", help="a name for the port, as udev would give it")
    added.add_argument("--seconds", type=seconds, help="end after so many seconds (default: until interrupted)")
    add_publisher_options(added)


def _baud(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 50 <= int(text) <= 4_000_000):
        raise argparse.ArgumentTypeError(f"{text} is no bit rate from 50 to 4000000")
    return int(text)


def _peer(said: argparse.Namespace) -> int:
    from drivers.clock import SystemClock
    from hil.benches.pty_wire import PtyWire
    from hil.desk import FAR_ENDS, far_end

    part = said.part.lower()
    if part == PART:
        with _stopping() as stopped:
            return publish(said, _say, stopped)
    if part not in FAR_ENDS:
        near = difflib.get_close_matches(part, [*FAR_ENDS, PART], n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"no far end for `{said.part}`; {hint}there are: {', '.join([*FAR_ENDS, PART])}")
    refuse_publisher_options(said)
    facts = FAR_ENDS[part]
    if said.link is not None and said.link.exists() and not said.link.is_symlink():
        raise InputError(f"{said.link}: is there already, and no link; choose another name")
    baud = said.baud or facts.baud
    clock = SystemClock()
    wire = PtyWire(part, baud, babble=said.fault == "babbling", link_path=said.link)
    if said.fault is None:
        wire.peer = far_end(part, wire.far, _say)
    try:
        with _stopping() as stopped, wire:
            _say(f"{part} at {baud} baud on {wire.path}: {said.fault or facts.shows}")
            _say(f"try:  leeze-drivers probe {part} --port {wire.path} {facts.more}".rstrip())
            end_ns = FOREVER_NS if said.seconds is None else clock.now_ns() + int(said.seconds * NS_PER_S)
            while (now_ns := clock.now_ns()) < end_ns and not stopped() and wire.fault is None:
                clock.sleep_until_ns(min(end_ns, now_ns + LOOK_NS))
            return stopped()
    except OSError as fault:  # the pseudo-terminal broke; nothing that was typed is wrong
        raise BenchError(f"{part}: {fault}") from fault
    finally:
        if said.link is not None and said.link.is_symlink():
            said.link.unlink()


def _say(text: str) -> None:
    """A line at once, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def _stopping() -> Iterator[Callable[[], int]]:
    """Ctrl-C and SIGTERM end it cleanly. Tells the exit code: 0 until then, 130 or 143 after."""
    code = [0]

    def stop(number: int, frame: FrameType | None) -> None:
        code[0] = INTERRUPTED if number == signal.SIGINT else 128 + number

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: code[0]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
