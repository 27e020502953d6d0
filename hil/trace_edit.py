"""New traces out of old ones: a piece of one, several as one, one without what points at people.

A copy keeps monotonic times as they are: edges carry theirs inside their bytes. What is only true of the whole file
(snapshots, digests, counts of ticks, the flight recorder's metadata) is left out wherever the file does not stay whole.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from drivers.errors import InputError
from drivers.quantities import Quantity
from drivers.recording.events import (
    Decision,
    Digest,
    Event,
    Gap,
    Late,
    Line,
    Lost,
    Mark,
    Repeated,
    Snapshot,
    Tick,
    Ticks,
    Value,
    Wall,
    Wire,
    WireBytes,
)
from drivers.recording.provenance import Provenance
from drivers.recording.reader import TraceReader
from drivers.recording.writer import TraceWriter
from drivers.units import FOREVER_NS, NS_PER_S

WEEK_NS = 7 * 86_400 * NS_PER_S

_OF_THE_WHOLE = Snapshot | Digest | Ticks | Mark
"""True of a file from its first record on, or not at all."""


class Copied(msgspec.Struct, kw_only=True):
    """What a copy holds: `events` written, and how many were `left_out` by kind, e.g. ``{"Snapshot": 1}``."""

    events: int = 0
    left_out: dict[str, int] = {}


class TraceCopy:
    """A trace that is written event by event.

    Args:
        path: the new file; InputError where it cannot be written.
        provenance: of the new file.
        wires: all wires, whether anything passes on them or not.
    """

    def __init__(self, path: Path, provenance: Provenance, wires: Sequence[Wire]) -> None:
        self.copied = Copied()
        self._writer = writer = TraceWriter(path, provenance)
        self._channels: dict[tuple[str, str, bool], int] = {}
        for wire in wires:
            for outward in (False, True):
                way = "tx" if outward else "rx"
                channel = writer.add_wire(wire.board, wire.name, way, wire.content, wire.idle)
                self._channels[wire.board, wire.name, outward] = channel
        self._puts: dict[type[Event], Callable[[Any], None]] = {
            WireBytes: self._bytes,
            Repeated: self._repeated,
            Line: lambda e: writer.line(e.board, e.wire, e.baud, e.parity, e.stopbits, e.t_ns),
            Value: self._value,
            Tick: lambda e: writer.tick(e.board, e.tick, e.t_ns),
            Decision: lambda e: writer.decision(e.board, e.body, e.t_ns),
            Wall: lambda e: writer.wall(e.t_ns, e.utc_ns, e.synchronised),
            Snapshot: lambda e: writer.snapshot(e.board, e.state, e.t_ns),
            Late: lambda e: writer.late(e.board, e.due_ns, e.from_ns),
            Lost: lambda e: writer.lost(e.board, e.wire, e.t_ns, e.detail),
            Mark: lambda e: writer.mark(e.board, e.what, e.t_ns),
            Ticks: lambda e: writer.ticks(e.board, e.t_ns, e.ran),
            Gap: lambda e: writer.gap(e.board, e.from_ns, e.to_ns, e.records),
            Digest: lambda e: writer.digest(e.board, e.t_ns, e.digest),
        }

    def __enter__(self) -> TraceCopy:
        return self

    def __exit__(self, *exc: object) -> None:
        self._writer.close()

    def controller(self, about: dict[str, str]) -> None:
        """The metadata that lets a flight recorder's file be run again."""
        self._writer.controller(about)

    def put(self, event: Event) -> None:
        """Write it; topics of others are left out and counted."""
        put = self._puts.get(type(event))
        if put is None:
            self.leave_out(event)
            return
        put(event)
        self.copied.events += 1

    def leave_out(self, event: Event) -> None:
        """Count it."""
        kind = type(event).__name__
        self.copied.left_out[kind] = self.copied.left_out.get(kind, 0) + 1

    def _bytes(self, event: WireBytes) -> None:
        self._writer.bytes_passed(self._channels[event.board, event.wire, event.outward], event.data, event.t_ns)

    def _repeated(self, event: Repeated) -> None:
        channel = self._channels[event.board, event.wire, False]
        self._writer.repeated(channel, event.frame, event.first_ns, event.last_ns, event.count)

    def _value(self, event: Value) -> None:
        try:
            value: Any = msgspec.convert(event.body, Quantity)
        except msgspec.ValidationError:
            self.leave_out(event)  # of a version that knew other values
            return
        self._writer.value(event.board, value)


def cut(path: Path, out: Path, *, from_s: float = 0.0, to_s: float | None = None) -> Copied:
    """The piece of a trace from second `from_s` to before `to_s`, counted from its first event.

    What was set before and still holds (bit rates, wall time) opens the piece. A run of idle frames that straddles an
    end is shortened. Raises InputError: unreadable, nothing in that piece.
    """
    reader = read_apart(path, out)
    first_ns, last_ns = span_ns(reader)
    from_ns, to_ns = piece_ns(first_ns, from_s, to_s)
    if from_ns > last_ns:
        raise InputError(f"{path}: ends at second {(last_ns - first_ns) / NS_PER_S:.3f}; nothing is left after --from")
    from_start = from_ns <= first_ns
    with TraceCopy(out, reader.provenance, reader.wires) as copy:
        if from_start and reader.controller:
            copy.controller(reader.controller)
        before: dict[object, Event] = {}
        for event in reader.events():
            if event.t_ns < from_ns:
                if isinstance(event, Line | Wall):
                    before[(type(event), getattr(event, "wire", ""), getattr(event, "board", ""))] = event
                continue
            for earlier in before.values():
                copy.put(earlier)
            before.clear()
            if _began_ns(event) >= to_ns:
                continue  # a run of idle frames that began in the piece may still follow
            if isinstance(event, Repeated):
                copy.put(_shortened(event, from_ns, to_ns))
            elif isinstance(event, _OF_THE_WHOLE) and not from_start:
                copy.leave_out(event)
            else:
                copy.put(event)
        return copy.copied


def merge(paths: Sequence[Path], out: Path, *, shifts_s: Sequence[float] = ()) -> Copied:
    """Several traces of other boards or wires as one, in order of wall time.

    Each keeps its order; their clocks are brought together by what their wall times say, and by `shifts_s`, one a file,
    added to that file's. Edges (lines of GPIO) carry monotonic times of their own, so a file with such wires is taken
    only if its clock is the first one's. Raises InputError: a wire that stands in two, no wall time, unreadable.
    """
    readers = [read_apart(path, out) for path in paths]
    wires: dict[tuple[str, str], Path] = {}
    for reader in readers:
        for wire in reader.wires:
            key = (wire.board, wire.name)
            if key in wires:
                raise InputError(
                    f"{reader.path}: {wire.board}/{wire.name} is in {wires[key]} as well; a wire has one recording"
                )
            wires[key] = reader.path
    moves_ns = _moves_ns(readers, [*shifts_s, *[0.0] * (len(paths) - len(shifts_s))])
    every = sorted((wire for reader in readers for wire in reader.wires), key=lambda wire: (wire.board, wire.name))
    whole = _joined([reader.provenance for reader in readers])
    with TraceCopy(out, whole, every) as copy:
        streams = [_moved(reader, move_ns) for reader, move_ns in zip(readers, moves_ns, strict=True)]
        walls_of = 0
        for _, number, event in heapq.merge(*(_keyed(stream, n) for n, stream in enumerate(streams))):
            if isinstance(event, _OF_THE_WHOLE) or (isinstance(event, Wall) and number != walls_of):
                copy.leave_out(event)  # one clock: the first file's
            else:
                copy.put(event)
        return copy.copied


def anonymise(path: Path, out: Path, *, weeks: int) -> Copied:
    """A trace that does not say when it was: the same bytes at the same distances, `weeks` whole weeks earlier.

    Weekday and time of day stay, so that rush hour stays rush hour; the date does not. Left out is what names places
    and computers: the flight recorder's metadata (site, board, position), snapshots, revision and date of making. Bytes
    on wires are not touched: a feed that carries dates keeps them, and is refused. Raises InputError.
    """
    reader = read_apart(path, out)
    dated = [f"{wire.board}/{wire.name} ({wire.content})" for wire in reader.wires if wire.content in _DATED]
    if dated:
        raise InputError(f"{path}: {', '.join(dated)} carries dates in its bytes; leave that wire out before")
    provenance = reader.provenance
    move_ns = weeks * WEEK_NS
    if provenance.base_ns and provenance.base_ns < move_ns:
        raise InputError(f"{path}: {weeks} weeks before its wall time lies before 1970; take fewer")
    about = msgspec.structs.replace(
        provenance, created_utc="", revision=None, dirty=False, base_ns=max(0, provenance.base_ns - move_ns)
    )
    with TraceCopy(out, about, reader.wires) as copy:
        for event in reader.events():
            if isinstance(event, _OF_THE_WHOLE):
                copy.leave_out(event)
            elif isinstance(event, Wall):
                copy.put(msgspec.structs.replace(event, utc_ns=max(0, event.utc_ns - move_ns)))
            elif isinstance(event, Value) and event.kind == "WallTime":
                copy.leave_out(event)
            else:
                copy.put(event)
        return copy.copied


LINES = ("pwm", "relay", "hc-sr04")
"""Contents of single lines (drivers.line_events)."""

_DATED = ("spat-xml", "spat-uper", "sensorthings")
"""Contents whose messages say the time of year."""


def read_apart(path: Path, out: Path) -> TraceReader:
    """A trace from which `out` is made. Raises InputError: unreadable, or the same file."""
    if path.resolve() == out.resolve():
        raise InputError(f"{out}: is what is read; write to another file")
    return TraceReader(path)


def span_ns(reader: TraceReader) -> tuple[int, int]:
    """When the first event was and the last; a run of idle frames may be told long after it began. InputError: none."""
    first_ns, last_ns = FOREVER_NS, -FOREVER_NS
    for event in reader.events():
        first_ns, last_ns = min(first_ns, _began_ns(event)), max(last_ns, event.t_ns)
    if first_ns > last_ns:
        raise InputError(f"{reader.path}: holds no event: {reader.note or 'it is empty'}")
    return first_ns, last_ns


def piece_ns(first_ns: int, from_s: float, to_s: float | None) -> tuple[int, int]:
    """Second `from_s` and `to_s` (None: the end) after `first_ns`, e.g. ``piece_ns(0, 1, None)``. Raises InputError."""
    from_ns = first_ns + round(from_s * NS_PER_S)
    to_ns = FOREVER_NS if to_s is None else first_ns + round(to_s * NS_PER_S)
    if to_ns <= from_ns:
        raise InputError(f"--to {to_s:g} is not after --from {from_s:g}")
    return from_ns, to_ns


def _began_ns(event: Event) -> int:
    return event.first_ns if isinstance(event, Repeated) else event.t_ns


def _shortened(run: Repeated, from_ns: int, to_ns: int) -> Event:
    """As many frames of a run as lie within; they are evenly spaced."""
    if run.first_ns >= from_ns and run.last_ns < to_ns:
        return run
    step_ns = (run.last_ns - run.first_ns) // max(1, run.count - 1) or 1
    skipped = max(0, -(-(from_ns - run.first_ns) // step_ns))
    last = min(run.count - 1, (to_ns - 1 - run.first_ns) // step_ns)
    first_ns, last_ns = run.first_ns + skipped * step_ns, run.first_ns + last * step_ns
    if last == run.count - 1:
        last_ns = run.last_ns
    return Repeated(last_ns, run.board, run.wire, run.frame, first_ns, last_ns, last - skipped + 1)


def _moves_ns(readers: Sequence[TraceReader], shifts_s: Sequence[float]) -> list[int]:
    """What to add to each file's monotonic times to have those of the first."""
    bases = [_wall_base_ns(reader) for reader in readers]
    moves = []
    for reader, base_ns, shift_s in zip(readers, bases, shifts_s, strict=True):
        move_ns = base_ns - bases[0] + round(shift_s * NS_PER_S)
        if move_ns and any(wire.content in LINES for wire in reader.wires):
            raise InputError(f"{reader.path}: its lines carry times of their own clock, which is not the first file's")
        moves.append(move_ns)
    return moves


def _wall_base_ns(reader: TraceReader) -> int:
    for event in reader.events(["/wall"]):
        if isinstance(event, Wall):
            return event.utc_ns - event.t_ns
    if not reader.provenance.base_ns:
        raise InputError(f"{reader.path}: holds no wall time, so nobody knows when it was beside the others")
    return reader.provenance.base_ns


def _moved(reader: TraceReader, move_ns: int) -> Iterator[Event]:
    for event in reader.events():
        yield _later(event, move_ns) if move_ns else event


def _later(event: Event, move_ns: int) -> Event:
    changed: dict[str, Any] = {"t_ns": event.t_ns + move_ns}
    for name in ("first_ns", "last_ns", "due_ns", "from_ns", "to_ns"):
        if hasattr(event, name):
            changed[name] = getattr(event, name) + move_ns
    if isinstance(event, Value):
        body = {key: value + move_ns if key.endswith("t_ns") else value for key, value in event.body.items()}
        changed["body"] = body
    return msgspec.structs.replace(event, **changed)


def _keyed(events: Iterable[Event], number: int) -> Iterator[tuple[tuple[int, int, int], int, Event]]:
    """By time, then file; within a file in its own order, even where a run of idle frames is told late."""
    at_ns = 0
    for count, event in enumerate(events):
        at_ns = max(at_ns, event.t_ns)
        yield (at_ns, number, count), number, event


def _joined(all_of: Sequence[Provenance]) -> Provenance:
    first = all_of[0]
    periods = {one.period_ns for one in all_of if one.period_ns}
    return msgspec.structs.replace(
        first,
        boards={name: digest for one in all_of for name, digest in one.boards.items()},
        sites={name: digest for one in all_of for name, digest in one.sites.items()},
        dirty=any(one.dirty for one in all_of),
        configuration_digest="",
        period_ns=min(periods) if periods else 0,
    )
