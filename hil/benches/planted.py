"""A flight recording with something changed in it, for those who have to find it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from drivers.recording.digest import FlightDigest
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
    Wall,
    WireBytes,
)
from drivers.recording.reader import TraceReader
from drivers.recording.writer import TraceSink, TraceWriter

Change = Callable[[int, Event], Event | None]
"""(number of the record in its file, the record) -> what shall stand in its place; None for nothing."""


def changed(path: Path, out: Path, change: Change, *, digests: bool = True) -> None:
    """Copy a file of a flight recorder, each record through `change`.

    With `digests` the chain is reckoned anew, as if the controller had done it so; else it is that of the original, as
    if somebody had changed the file.
    """
    reader = TraceReader(path)
    wires = reader.wires
    numbers = {wire.name: number for number, wire in enumerate(wires)}
    chain = FlightDigest(
        reader.provenance.period_ns,
        [wire.name for wire in wires],
        {number: wire.idle for number, wire in enumerate(wires) if wire.idle},
    )
    with TraceWriter(out, reader.provenance) as writer:
        writer.controller(reader.controller)
        sink = writer.sink(wires)
        for number, read in enumerate(reader.events()):
            event = change(number, read)
            if event is None:
                continue
            if isinstance(event, Digest) and digests:
                event = msgspec.structs.replace(event, digest=chain.hexdigest())
            _write(writer, sink, chain, numbers, event)


def _write(writer: TraceWriter, sink: TraceSink, chain: FlightDigest, numbers: dict[str, int], event: Event) -> None:
    match event:
        case WireBytes(t_ns, _, wire, outward, data):
            chain.passed(numbers[wire], outward, data, t_ns)
            sink.passed(numbers[wire], outward, data, t_ns)
        case Repeated(_, _, wire, frame, first_ns, last_ns, count):
            chain.repeated(numbers[wire], frame, first_ns, last_ns, count)
            sink.repeated(numbers[wire], frame, first_ns, last_ns, count)
        case Line(t_ns, _, wire, baud, parity, stopbits):
            sink.line(numbers[wire], baud, parity, stopbits, t_ns)
        case Lost(t_ns, _, wire, detail):
            sink.lost(numbers[wire], t_ns, detail)
        case Tick(t_ns, board, tick):
            writer.tick(board, tick, t_ns)
        case Decision(t_ns, board, body):
            chain.decided(msgspec.json.encode(body), t_ns)
            writer.decision(board, body, t_ns)
        case Wall(t_ns, utc_ns, synchronised):
            writer.wall(t_ns, utc_ns, synchronised)
        case Snapshot(t_ns, board, state):
            writer.snapshot(board, state, t_ns)
        case Late(_, board, due_ns, from_ns):
            writer.late(board, due_ns, from_ns)
        case Mark(t_ns, board, what):
            writer.mark(board, what, t_ns)
        case Ticks(t_ns, board, ran):
            writer.ticks(board, t_ns, ran)
        case Gap(_, board, from_ns, to_ns, records):
            writer.gap(board, from_ns, to_ns, records)
        case Digest(t_ns, board, digest):
            writer.digest(board, t_ns, digest)


def with_a_bit_flipped(event: Event) -> Event:
    """The same record with one bit changed: the lowest of a decision's level, or of the last byte."""
    if isinstance(event, WireBytes):
        return msgspec.structs.replace(event, data=event.data[:-1] + bytes([event.data[-1] ^ 1]))
    assert isinstance(event, Decision)
    body = dict(event.body)
    if "level" in body:
        body["level"] ^= 1
    elif "frame_hex" in body:
        frame = bytes.fromhex(body["frame_hex"])
        body["frame_hex"] = (frame[:-1] + bytes([frame[-1] ^ 1])).hex()
    else:
        raise ValueError(f"no bit to flip in {body}")
    return msgspec.structs.replace(event, body=body)
