"""One file of a flight recorder: it opens with metadata and a snapshot, and takes records out of the queue as they are.

The disk is touched by `flush` and `finish` alone, so that a record is taken whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from controllers.service import flight_records as records
from controllers.service.flight_records import Item
from drivers.recording.digest import FlightDigest
from drivers.recording.events import Wire
from drivers.recording.provenance import Provenance
from drivers.recording.schemas import decision_json
from drivers.recording.storage import Storage
from drivers.recording.writer import TraceWriter

_NEVER_BY_ITSELF_B = 1 << 40


class FlightFile:
    """A file being written. Raises InputError, made from the OSError, if it cannot be made, which leaves no file.

    Args:
        path: must not be there.
        board: its name in topics.
        wires: by number.
        period_ns: the scan period.
        provenance, about: the file's metadata.
        storage: the file system.
    """

    def __init__(
        self,
        path: Path,
        board: str,
        wires: Sequence[Wire],
        period_ns: int,
        provenance: Provenance,
        about: Mapping[str, str],
        storage: Storage,
    ) -> None:
        self.path, self._board = path, board
        self._trace = trace = TraceWriter(
            path, provenance, chunk_size_b=_NEVER_BY_ITSELF_B, storage=storage, replace=False, indexed=False
        )
        trace.controller(dict(about))
        self._sink = trace.sink(wires)
        self._digest = FlightDigest(
            period_ns,
            [wire.name for wire in wires],
            {number: wire.idle for number, wire in enumerate(wires) if wire.idle},
        )
        self.flush, self.finish = trace.flush, trace.container.finish
        self.abandon, self.sync = trace.container.abandon, trace.container.sync
        self._handlers: dict[int, Callable[..., None]] = {
            records.PASSED: self._passed,
            records.REPEATED: self._repeated,
            records.LINE: self._sink.line,
            records.LOST: self._sink.lost,
            records.MARK: self._mark,
            records.LATE: self._late,
            records.WALL: trace.wall,
            records.OBSERVED: self._observed,
            records.TICKS: self._ticks,
            records.GAP: self._gap,
            records.SNAPSHOT: self._snapshot,
            records.MEASURED: partial(trace.value, board),
            records.ORDERED: partial(trace.value, board),
        }

    @property
    def size_b(self) -> int:
        """Bytes of the file so far."""
        return self._trace.container.size_b

    @property
    def waiting_b(self) -> int:
        """Bytes taken since the last flush, uncompressed."""
        return self._trace.container.open_chunk_b

    def put(self, item: Item) -> None:
        """Take a record."""
        self._handlers[item[0]](*item[2:])

    def _passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        self._digest.passed(wire, outward, data, t_ns)
        self._sink.passed(wire, outward, data, t_ns)

    def _repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        with suppress(ValueError):  # not the wire's idle frame: recorded as it is, and no part of the chain
            self._digest.repeated(wire, frame, first_ns, last_ns, count)
        self._sink.repeated(wire, frame, first_ns, last_ns, count)

    def _mark(self, what: str, t_ns: int) -> None:
        self._trace.mark(self._board, what, t_ns)

    def _late(self, due_ns: int, from_ns: int) -> None:
        self._trace.late(self._board, due_ns, from_ns)

    def _observed(self, tick: int, t_ns: int, allowed: Sequence[msgspec.Struct]) -> None:
        self._trace.tick(self._board, tick, t_ns)
        for command in allowed:
            self._digest.decided(decision_json(command), t_ns)
            self._trace.decision(self._board, command, t_ns)

    def _ticks(self, t_ns: int, ran: int) -> None:
        self._trace.ticks(self._board, t_ns, ran)
        self._trace.digest(self._board, t_ns, self._digest.hexdigest())

    def _gap(self, from_ns: int, to_ns: int, lost: int) -> None:
        self._trace.gap(self._board, from_ns, to_ns, lost)

    def _snapshot(self, ticked_ns: int, t_ns: int, state: bytes) -> None:
        self._trace.snapshot(self._board, {"ticked_ns": ticked_ns, "cycle": msgspec.Raw(state)}, t_ns)
