"""Is a flight's record as it was written? Its chain of digests tells, without running anything again."""

from __future__ import annotations

from pathlib import Path

import msgspec

from drivers.recording.digest import FlightDigest, inward
from drivers.recording.events import Decision, Digest, Repeated, WireBytes
from drivers.recording.reader import TraceReader
from hil.flight_file import read_flight

TOPICS = ("/wire/*", "/idle/*", "/decision/*", "/digest/*")
BATCH = 256
"""So many records are given to the chain at once."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """`digests` that hold, up to `to_ns`; the first that does not is at `broken_ns`, None where all do."""

    digests: int
    to_ns: int
    broken_ns: int | None


def check(path: Path) -> Check:
    """Reckon the chain of a file up to its first digest that does not hold, or its end. Raises InputError."""
    reader = TraceReader(path)
    read_flight(reader)
    wires = reader.wires
    numbers = {wire.name: number for number, wire in enumerate(wires)}
    idle = {number: wire.idle for number, wire in enumerate(wires) if wire.idle}
    chain = FlightDigest(reader.provenance.period_ns, [wire.name for wire in wires], idle)
    inwards = {wire.name: inward(wire.name) for wire in wires}
    digests, to_ns = 0, 0
    passed: list[tuple[int, str, bytes]] = []
    for event in reader.events(TOPICS):
        if isinstance(event, WireBytes):
            passed.append((event.t_ns, event.wire if event.outward else inwards[event.wire], event.data))
            if len(passed) < BATCH:
                continue
        elif isinstance(event, Decision):
            passed.append((event.t_ns, "", msgspec.json.encode(event.body)))
            continue
        chain.passed_all(passed)
        passed.clear()
        if isinstance(event, Repeated):
            chain.repeated(numbers[event.wire], event.frame, event.first_ns, event.last_ns, event.count)
        elif isinstance(event, Digest):
            if reader.damaged or chain.hexdigest() != event.digest:
                return Check(digests=digests, to_ns=to_ns, broken_ns=event.t_ns)
            digests, to_ns = digests + 1, event.t_ns
    return Check(digests=digests, to_ns=to_ns, broken_ns=None)
