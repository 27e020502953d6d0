"""Looking at traces: what is in one, its lines, its digest, and where two of them part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from drivers.errors import InputError
from drivers.recording.digest import ChainDigest, OnBlock, OnRecord, Run
from drivers.recording.events import Event, Repeated, WireBytes
from drivers.recording.reader import TraceReader
from drivers.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from rich.console import Console

BYTES_TOPICS = ("/wire/*", "/idle/*")
DEFAULT_PERIOD_NS = NS_PER_MS
"""Scan period of a trace that names none."""

Record = tuple[int, str, bool, bytes, Run | None]
"""(tick, wire, outward, data, run): one record of the digest, see drivers.recording.digest."""


class Difference(msgspec.Struct, frozen=True):
    """Where two traces part: at scan cycle `tick`, `t_ns`, on `wire`. None where one trace has nothing more.

    For runs of idle frames `expected` and `got` are the frame; `text` then says how the runs differ.
    """

    tick: int
    t_ns: int
    wire: str
    outward: bool
    expected: bytes | None
    got: bytes | None
    text: str


def info(path: Path) -> dict[str, Any]:
    """What is in a trace, as JSON-able values; reads it once. Raises InputError."""
    reader = TraceReader(path)
    tally = {(wire.board, wire.name): _row(wire.board, wire.name, wire.content) for wire in reader.wires}
    counts: dict[str, int] = {}
    first_ns: int | None = None
    last_ns = 0
    for event in reader.events():
        kind = type(event)
        counts[kind.__name__] = counts.get(kind.__name__, 0) + 1
        t_ns = event.t_ns
        if isinstance(event, WireBytes):
            row = tally.setdefault((event.board, event.wire), _row(event.board, event.wire, ""))
            way = "tx" if event.outward else "rx"
            row[f"{way}_messages"] += 1
            row[f"{way}_bytes"] += len(event.data)
        elif isinstance(event, Repeated):
            t_ns = event.first_ns
            row = tally.setdefault((event.board, event.wire), _row(event.board, event.wire, ""))
            row["idle_runs"] += 1
            row["idle_frames"] += event.count
        first_ns = t_ns if first_ns is None else min(first_ns, t_ns)
        last_ns = max(last_ns, event.t_ns)
    return {
        "file": str(path),
        "size_b": path.stat().st_size,
        "complete": reader.complete,
        "note": reader.note,
        "skipped_bytes": reader.skipped_bytes,
        "bad_chunks": reader.bad_chunks,
        "bad_messages": reader.bad_messages,
        "provenance": msgspec.to_builtins(reader.provenance),
        "first_ns": first_ns or 0,
        "last_ns": last_ns,
        "span_s": (last_ns - (first_ns or 0)) / NS_PER_S,
        "messages": counts,
        "wires": list(tally.values()),
        "topics": reader.topics,
    }


def _row(board: str, wire: str, content: str) -> dict[str, Any]:
    counters = ("rx_messages", "rx_bytes", "tx_messages", "tx_bytes", "idle_runs", "idle_frames")
    return {"board": board, "wire": wire, "content": content, **dict.fromkeys(counters, 0)}


def print_info(found: dict[str, Any], console: Console) -> None:
    """`info` for people."""
    from rich.table import Table
    from rich.text import Text

    about = Table.grid(padding=(0, 2))
    provenance = found["provenance"]
    revision = provenance["revision"] or "unknown"
    rows = {
        "file": f"{found['file']} ({found['size_b']:,} bytes)",
        "state": "complete" if found["complete"] and not found["note"] else found["note"],
        "damage": ", ".join(
            f"{found[key]:,} {key.replace('_', ' ')}"
            for key in ("skipped_bytes", "bad_chunks", "bad_messages")
            if found[key]
        ),
        "span": f"{found['span_s']:,.3f} s from {found['first_ns']:,} ns",
        "made by": f"leeze {provenance['version']} ({revision}{', changed' if provenance['dirty'] else ''}), "
        f"Python {provenance['python']}",
        "made at": provenance["created_utc"],
        "boards": ", ".join(provenance["boards"]),
        "sites": ", ".join(provenance["sites"]),
        "messages": ", ".join(f"{count:,} {kind}" for kind, count in sorted(found["messages"].items())),
    }
    for name, text in rows.items():
        if text:
            about.add_row(name, Text(text))
    console.print(about)
    wires = Table("board", "wire", "content", "in", "bytes in", "out", "bytes out", "idle frames")
    for wire in found["wires"]:
        numbers = (wire[key] for key in ("rx_messages", "rx_bytes", "tx_messages", "tx_bytes", "idle_frames"))
        wires.add_row(wire["board"], wire["wire"], wire["content"], *(f"{number:,}" for number in numbers))
    if found["wires"]:
        console.print(wires)


def cat(path: Path, topics: Sequence[str] = (), as_json: bool = False) -> Iterator[str]:
    """One line an event; as JSON ``{"type": ..., "t_ns": ..., ...}`` with bytes as hex. Raises InputError."""
    for event in TraceReader(path).events(topics):
        yield _as_json(event) if as_json else _as_text(event)


def digest(path: Path, *, on_block: OnBlock | None = None, on_record: OnRecord | None = None) -> str:
    """The chained digest over all bytes of a trace; that of the run it records. Raises InputError.

    Wires count in canonical order (``BOARD/WIRE``, sorted), ticks by the scan period in the trace's provenance.
    """
    reader = TraceReader(path)
    chain = _chain(reader, on_block, on_record)
    last_ns = 0
    for event in _feed(reader, chain):
        last_ns = event.t_ns
    chain.finish(last_ns)
    return chain.hexdigest()


def wire_names(reader: TraceReader) -> list[str]:
    """Names of a trace's wires as a digest takes them, e.g. ``["lamp/dali", "lamp/radar-1"]``."""
    return [f"{wire.board}/{wire.name}" for wire in reader.wires]


def first_difference(expected: Path, got: Path) -> Difference | None:
    """Where the bytes of two traces part first, in canonical order; None if they are the same.

    Raises InputError, also if their scan periods differ.
    """
    periods_ns = [TraceReader(path).provenance.period_ns or DEFAULT_PERIOD_NS for path in (expected, got)]
    if periods_ns[0] != periods_ns[1]:
        raise InputError(
            f"{got}: scan period {periods_ns[1]} ns, but {periods_ns[0]} ns in {expected}; compare runs of one period"
        )
    for one, two in zip_longest(_records(expected), _records(got)):
        if one != two:
            return _difference(one, two, periods_ns[0])
    return None


def _chain(reader: TraceReader, on_block: OnBlock | None, on_record: OnRecord | None) -> ChainDigest:
    return ChainDigest(
        reader.provenance.period_ns or DEFAULT_PERIOD_NS,
        wire_names(reader),
        {number: wire.idle for number, wire in enumerate(reader.wires) if wire.idle},
        on_block=on_block,
        on_record=on_record,
    )


def _feed(reader: TraceReader, chain: ChainDigest) -> Iterator[WireBytes | Repeated]:
    """Every event with bytes, after `chain` has taken it."""
    wires = reader.wires
    numbers = {(wire.board, wire.name): number for number, wire in enumerate(wires)}
    for event in reader.events(BYTES_TOPICS):
        if not isinstance(event, WireBytes | Repeated):
            continue
        wire = numbers.get((event.board, event.wire))
        if wire is None:
            raise InputError(
                f"{reader.path}: {event.board}/{event.wire} at {event.t_ns} ns: the file declares no such wire"
            )
        if isinstance(event, WireBytes):
            chain.passed(wire, event.outward, event.data, event.t_ns)
        elif event.frame == wires[wire].idle:
            chain.repeated(wire, event.frame, event.first_ns, event.last_ns, event.count)
        else:
            raise InputError(
                f"{reader.path}: {event.board}/{event.wire} at {event.t_ns} ns: {event.frame.hex(' ')} repeats, "
                "but is not the wire's idle frame; record the trace again"
            )
        yield event


def _records(path: Path) -> Iterator[Record]:
    """The digest's records of a trace, with memory of a few."""
    waiting: list[Record] = []
    reader = TraceReader(path)
    names = wire_names(reader)

    def keep(tick: int, key: int, data: bytes, run: Run | None) -> None:
        waiting.append((tick, names[key >> 1], bool(key & 1), data, run))

    chain = _chain(reader, None, keep)
    last_ns = 0
    for event in _feed(reader, chain):
        last_ns = event.t_ns
        yield from waiting
        waiting.clear()
    chain.finish(last_ns)
    yield from waiting


def _difference(one: Record | None, two: Record | None, period_ns: int) -> Difference:
    """Of two records that differ, the earlier place, and both sides as far as they stand there."""
    here = min((record for record in (one, two) if record is not None), key=lambda record: record[:3])
    tick, wire, outward = here[:3]
    expected = one if one is not None and one[:3] == here[:3] else None
    got = two if two is not None and two[:3] == here[:3] else None
    t_ns = tick * period_ns
    text = (
        f"tick {tick} ({t_ns / NS_PER_S:.3f} s), {wire} {'out' if outward else 'in'}: "
        f"expected {_described(expected)}, got {_described(got)}"
    )
    return Difference(
        tick, t_ns, wire, outward, None if expected is None else expected[3], None if got is None else got[3], text
    )


def _described(record: Record | None) -> str:
    if record is None:
        return "nothing"
    data, run = record[3], record[4]
    return data.hex(" ") if run is None else f"{run[2]} idle frames until tick {run[1]}"


def _as_json(event: Event) -> str:
    built = msgspec.to_builtins(event, builtin_types=(bytes,))
    return msgspec.json.encode(
        {key: value.hex() if isinstance(value, bytes) else value for key, value in built.items()}
    ).decode()


def _as_text(event: Event) -> str:
    at = f"{event.t_ns / NS_PER_S:15.6f} "
    if isinstance(event, WireBytes):
        return f"{at}{event.board}/{event.wire} {'->' if event.outward else '<-'} {event.data.hex(' ')}"
    if isinstance(event, Repeated):
        since = event.first_ns / NS_PER_S
        return f"{at}{event.board}/{event.wire} <- {event.frame.hex(' ')} x {event.count} since {since:.6f}"
    built = {key: value for key, value in msgspec.to_builtins(event).items() if key not in ("type", "t_ns")}
    return f"{at}{type(event).__name__} {msgspec.json.encode(built).decode()}"
