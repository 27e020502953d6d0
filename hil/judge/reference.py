"""References: what a case is expected to send, as a text file that reads well in a review.

::

    # leeze-reference 2
    # made by: leeze 0.1.0
    # case: kanalpromenade-evening
    # digest: be8eb8b802cc638139e49095655a1defddec87402cb383661eb326ffa675f7e8
    # board lamps-west: period 20 ms
    1234 24680.000 lamps-west/dali 68304146450a

One line a sent chunk: tick, milliseconds since the start, board/wire, the bytes in hex (``-`` for none). Lines stand in
the order of time, then wire; a wire's own order is kept. Times carry three decimals, six where a nanosecond needs them,
so that reading gives back what was written.

Format 1 had no ``made by`` and no ``digest``; it is read as it is. A newer format than this program's is refused with
`NewerFormat`: whoever judges says "blocked", for nothing is known of the board.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from drivers.errors import BenchError, InputError
from drivers.recording.provenance import DISTRIBUTION

FORMAT_NUMBER = 2
FORMAT = f"# leeze-reference {FORMAT_NUMBER}"
MAX_NS = 1 << 62

_LINE = re.compile(r"(\d{1,18}) (\d{1,15})\.(\d{3}|\d{6}) (\S+) (-|(?:[0-9a-f]{2})+)", re.ASCII)
_BOARD = re.compile(r"# board (\S+): period (\d{1,6}) ms", re.ASCII)
_FORMAT = re.compile(r"# leeze-reference (\d{1,6})", re.ASCII)
_WIRE = re.compile(r"[^\s/#]+/\S+")


class Sent(msgspec.Struct, frozen=True, gc=False):
    """Bytes that left a board.

    `tick` is the board's own count, `t_ns` monotonic since the start of the run, `wire` is ``board/wire``.
    Example: ``Sent(1234, 24_680_000_000, "lamps-west/dali", b"h0AFE\\n")``.
    """

    tick: int
    t_ns: int
    wire: str
    data: bytes


class NewerFormat(BenchError):  # noqa: N818 - errors are facts
    """A reference or case that a newer version has written; the text says which and what to do."""


class Reference(msgspec.Struct, frozen=True):
    """A whole reference file: its case, the tick period of each board in milliseconds, and what was sent.

    `made_by` names the version that wrote it, e.g. ``"leeze 0.1.0"``, and `digest` is that of its run; both are empty
    in format 1.
    """

    case: str
    periods_ms: dict[str, int]
    sent: list[Sent]
    made_by: str = ""
    digest: str = ""
    format: int = FORMAT_NUMBER


def this_version() -> str:
    """What this program calls itself in a reference: ``"leeze 0.1.0"``."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"{DISTRIBUTION} {version(DISTRIBUTION)}"
    except PackageNotFoundError:
        return DISTRIBUTION


def write_reference(
    path: Path,
    sent: Iterable[Sent],
    *,
    case: str = "",
    periods_ms: Mapping[str, int] | None = None,
    digest: str = "",
) -> int:
    """Write `sent` to `path` (whole or not at all) and return the number of lines.

    Raises InputError: a wire that is not ``board/wire`` in one word, a time outside 0 to 2**62 ns, or a file that
    cannot be written.
    """
    lines = [FORMAT, f"# made by: {this_version()}", f"# case: {' '.join(case.split())}"]
    lines += [f"# digest: {digest}"] if digest else []
    lines += [f"# board {board}: period {period} ms" for board, period in sorted((periods_ms or {}).items())]
    ordered = sorted(sent, key=lambda one: (one.t_ns, one.wire))
    lines += [_line(one) for one in ordered]
    part = path.with_name(path.name + ".part")
    try:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
    return len(ordered)


def _line(one: Sent) -> str:
    if not _WIRE.fullmatch(one.wire):
        raise InputError(f"reference: wire {one.wire!r} is not board/wire without spaces")
    if not (0 <= one.t_ns < MAX_NS and 0 <= one.tick < MAX_NS):
        raise InputError(f"reference: tick {one.tick} at {one.t_ns} ns on {one.wire} is no time of a run")
    ms, rest_ns = divmod(one.t_ns, 1_000_000)
    decimals = f"{rest_ns:06d}" if rest_ns % 1000 else f"{rest_ns // 1000:03d}"
    return f"{one.tick} {ms}.{decimals} {one.wire} {one.data.hex() or '-'}"


def read_reference(path: Path) -> list[Sent]:
    """What `path` expects, in its order. Raises InputError with the line that is wrong and what it should be."""
    return load_reference(path).sent


def load_reference(path: Path) -> Reference:
    """The same with the header: case and board periods."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputError(f"{path}: cannot be read: {reason}") from None
    lines = text.split("\n")
    known = _FORMAT.fullmatch(lines[0].rstrip("\r"))
    if known is None:
        raise InputError(f"{path}: line 1: this is no reference; its first line must be `{FORMAT}`")
    heads, periods_ms = dict.fromkeys(("case", "made by", "digest"), ""), dict[str, int]()
    for line in lines[1:]:
        if not line.startswith("#"):
            if line.strip():
                break
            continue
        name, _, value = line[2:].rstrip("\r").partition(": ")
        if name in heads:
            heads[name] = value
        elif board := _BOARD.fullmatch(line.rstrip("\r")):
            periods_ms[board[1]] = int(board[2])
    if int(known[1]) > FORMAT_NUMBER:
        maker = heads["made by"] or "a newer version"
        raise NewerFormat(
            f"{path}: is of format {known[1]}, made by {maker}; {this_version()} reads up to {FORMAT_NUMBER}. "
            "Install that version, or make the reference again with --update-reference"
        )
    sent = list(_sent(path, lines))
    return Reference(heads["case"], periods_ms, sent, heads["made by"], heads["digest"], int(known[1]))


def _sent(path: Path, lines: list[str]) -> Iterator[Sent]:
    last_ns = 0
    for number, line in enumerate(lines[1:], 2):
        line = line.rstrip("\r")
        if not line or line[0] == "#":
            continue
        found = _LINE.fullmatch(line)
        if found is None or not _WIRE.fullmatch(found[4]):
            raise InputError(f"{path}: line {number}: expected `tick t_ms board/wire hex`, got `{line[:60]}`")
        tick, ms, decimals, wire, data = found.groups()
        t_ns = int(ms) * 1_000_000 + int(decimals.ljust(6, "0"))
        if t_ns < last_ns:
            raise InputError(f"{path}: line {number}: {ms}.{decimals} ms is before the line above; sort by time")
        last_ns = t_ns
        yield Sent(int(tick), t_ns, wire, b"" if data == "-" else bytes.fromhex(data))
