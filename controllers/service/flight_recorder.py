"""The flight recorder of a board: the loop's witness and the sink of its taps, at the price of a list's append.

The loop's thread only puts records into a queue bounded in bytes and now and then a snapshot of the controller; all
else (encoding, compression, files, the disk's moods) is done by `FlightWriter` in a worker. When the queue is full,
what is new is dropped and counted, from the end of a tick on, so that all before can be run again; once there is room
again a gap is recorded, the file ends, and the next one opens with a snapshot: the ring heals by itself.
"""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from boards.schema import BoardDescription
from controllers.core.contract import Command
from controllers.service import flight_records as records
from controllers.service.flight_records import ITEM_B, Item
from controllers.service.flight_writer import FlightWriter, metadata
from controllers.service.wall_time import WallClock
from drivers.clock import SystemClock
from drivers.links.worker import Mailbox, Worker
from drivers.quantities import Message, PowerReading, Quantity, WallTime
from drivers.recording.events import Wire
from drivers.recording.provenance import Provenance
from drivers.recording.storage import DISK, Storage
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from controllers.core.scan_cycle import ScanCycle

LIMIT_B = 1 << 30
FILE_MINUTES = 15
SYNC_S = 5
QUEUE_B = 16 << 20
"""About 45 s of the busiest board (a signal feed of 33 kB, ten times a second)."""

TURN_S = 0.5
"""How often records go to the operating system."""

BLOCK_NS = 10 * NS_PER_S
QUIET_WITHIN_NS = 2 * NS_PER_S
"""A snapshot waits at most so long for a tick that decides nothing."""

CLOSE_S = 5
_COMMAND_B = 1024  # a command with a panel's picture; lamp levels are less


class FlightRecorder:
    """Records one controller into a ring of files. Nothing here raises, waits or touches the disk on the loop's thread.

    Call `open` with the scan cycle before the wires are pumped for the first time, hand it to the loop as its
    `FlightLog`, and `close` it when the loop has ended.

    Args:
        folder: of the ring; made if need be.
        description: of the board. Its name is that of the files.
        site: the whole site.
        controller: which of the site's controllers.
        provenance: of the run; date and time base are put in file by file.
        wires: a wire's number, as taps tell it, is its place here.
        limit_bytes: all files of this board together.
        file_minutes: how long a file is at most.
        sync_s: how often the file is synced to the disk; a power cut costs at most so much and a second.
        clock: monotonic.
        queue_bytes: what may wait for the disk.
        storage: the file system.
    """

    def __init__(
        self,
        folder: Path,
        description: BoardDescription,
        site: msgspec.Struct,
        controller: str,
        provenance: Provenance,
        wires: Sequence[Wire],
        *,
        limit_bytes: int = LIMIT_B,
        file_minutes: float = FILE_MINUTES,
        sync_s: float = SYNC_S,
        clock: WallClock | None = None,
        queue_bytes: int = QUEUE_B,
        storage: Storage = DISK,
    ) -> None:
        self._clock = clock or SystemClock()
        self._file_ns = round(file_minutes * 60 * NS_PER_S)
        self._queue: deque[Item] = deque()
        self._append = self._queue.append
        self._queue_b = self._limit_b = queue_bytes
        self._full_b = queue_bytes - queue_bytes // 8  # at the end of a tick; in between the rest is for its records
        self._put_b = 0
        self._cycle: ScanCycle | None = None
        self._ticked_ns = -1
        self._ran = 0
        self._busy = self._sealed = False
        self._look_ns = -FOREVER_NS  # `ticked` looks closer from here on
        self._block_ns = self._file_due_ns = -FOREVER_NS
        self._snapshot_by_ns: int | None = None
        self._gap_from_ns: int | None = None
        self._gap_to_ns = 0
        self._gap_records = 0
        self._gaps = self._dropped = 0
        self._worker: Worker | None = None
        self._syncer: Worker | None = None
        self.writer = FlightWriter(
            folder,
            description.name,
            wires,
            provenance,
            metadata(description, site, controller),
            queue=self._queue,
            period_ns=description.period_ms * NS_PER_MS,
            limit_bytes=limit_bytes,
            sync_ns=round(sync_s * NS_PER_S),
            clock=self._clock,
            storage=storage,
        )

    # --- the life of a recorder

    def open(self, cycle: ScanCycle, *, threads: bool = True) -> None:
        """Take the first snapshot and begin to write. Without threads whoever opened it calls `writer.turn`."""
        self._cycle = cycle
        self._ticked_ns = -1
        self._snapshot(self._clock.now_ns())
        if threads:
            self._syncer = Worker("flight-sync")
            self.writer.begin_threads(self._syncer.submit)
            self._worker = Worker("flight", idle=self.writer.turn, idle_s=TURN_S)

    def seal(self) -> None:
        """The loop has ended: what the wires are told from here on (a relay that is left on) belongs to no tick.

        At once, unlike `close`; a second call does nothing.
        """
        if self._sealed or self._cycle is None:
            return
        if self._gap_from_ns is not None:
            self._end_gap()
        else:
            self._put_ticks()
        self._sealed = True
        self._append = _unheard

    def close(self) -> None:
        """Write what waits and end the file; waits at most about `CLOSE_S`. A second call does nothing."""
        if self._cycle is None:
            return
        self.seal()
        self._cycle = None
        worker, syncer = self._worker, self._syncer
        if worker is None or syncer is None:
            self.writer.end()
            return
        done: Mailbox[bool] = Mailbox(1)

        def end() -> None:
            self.writer.end()
            done.put(True)

        if worker.submit(end):
            poll = select.poll()
            poll.register(done.fileno() or 0, select.POLLIN)
            poll.poll(CLOSE_S * 1000)
        worker.close()
        syncer.close()
        done.close()

    def figures(self) -> dict[str, Any]:
        """For status and metrics; JSON-able."""
        return self.writer.figures() | {
            "queued_records": len(self._queue),
            "dropped_records": self._dropped + self.writer.dropped,
            "gaps": self._gaps,
        }

    # --- a tap's sink

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        """`data` passed on `wire` at `t_ns`."""
        size_b = ITEM_B + len(data)
        if self._put_b - self.writer.taken_b + size_b > self._limit_b:
            self._drop(t_ns)
            return
        self._put_b += size_b
        self._append((records.PASSED, size_b, wire, outward, data, t_ns))

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """The same idle frame came in `count` times."""
        self._put(records.REPEATED, ITEM_B + len(frame), last_ns, wire, frame, first_ns, last_ns, count)

    def line(self, wire: int, baud: int, parity: str, stopbits: float, t_ns: int) -> None:
        """Line settings of `wire` from `t_ns` on."""
        self._put(records.LINE, ITEM_B, t_ns, wire, baud, parity, stopbits, t_ns)

    def lost(self, wire: int, t_ns: int, detail: str = "") -> None:
        """What was told last to go out on `wire` raised LinkLost."""
        self._put(records.LOST, ITEM_B + len(detail), t_ns, wire, t_ns, detail)

    # --- the loop's witness

    def started(self, t_ns: int) -> None:
        """The controller is about to start."""
        self._put(records.MARK, ITEM_B, t_ns, "started", t_ns)

    def stopping(self, t_ns: int) -> None:
        """A clean stop is about to write its last levels."""
        self._put(records.MARK, ITEM_B, t_ns, "stopping", t_ns)

    def passed_over(self, due_ns: int, from_ns: int) -> None:
        """No tick runs at places of the grid in [due_ns, from_ns)."""
        self._put(records.LATE, ITEM_B, due_ns, due_ns, from_ns)

    def wall(self, value: WallTime) -> None:
        """A wall time has been put into the inbox."""
        self._put(records.WALL, ITEM_B, value.t_ns, value.t_ns, value.utc_ns, value.synchronised)

    def ordered(self, value: Message) -> None:
        """An order given by hand has been put into the inbox."""
        self._put(records.ORDERED, ITEM_B + _COMMAND_B, value.t_ns, value)

    def observed(
        self, tick: int, now_ns: int, inputs: Sequence[Quantity], asked: Sequence[Command], allowed: Sequence[Command]
    ) -> None:
        """A tick has decided or seen something; its decisions are kept, and what meters said."""
        self._busy = True
        for value in inputs:
            if value.__class__ is PowerReading:
                self._put(records.MEASURED, ITEM_B, now_ns, value)
        self._put(
            records.OBSERVED,
            ITEM_B + _COMMAND_B * len(allowed),
            now_ns,
            tick,
            now_ns,
            tuple(allowed) if allowed else (),
        )

    def ticked(self, t_ns: int) -> None:
        """A tick ran. The moment for snapshots: nothing is half done."""
        self._ran += 1
        self._ticked_ns = t_ns
        writer = self.writer
        if t_ns >= self._look_ns or writer.wants_snapshot or self._put_b - writer.taken_b > self._full_b:
            self._between(t_ns)
        self._busy = False

    # --- on the loop's thread

    def _put(self, kind: int, size_b: int, t_ns: int, *fields: object) -> None:
        if self._put_b - self.writer.taken_b + size_b > self._limit_b:
            self._drop(t_ns)
            return
        self._put_b += size_b
        self._append((kind, size_b, *fields))

    def _drop(self, t_ns: int) -> None:
        """There is no room. From the first record that is lost none is kept until a snapshot can be."""
        if self._gap_from_ns is None:
            self._begin_gap(t_ns)
        self._gap_to_ns = t_ns
        self._gap_records += 1

    def _begin_gap(self, t_ns: int) -> None:
        self._gap_from_ns = self._gap_to_ns = t_ns
        self._gap_records = 0
        self._limit_b = -1
        self._look_ns = -FOREVER_NS

    def _end_gap(self) -> None:
        self._put_always(records.GAP, self._gap_from_ns, self._gap_to_ns, self._gap_records)
        self._gap_from_ns = None
        self._limit_b = self._queue_b
        self._gaps += 1
        self._dropped += self._gap_records

    def _between(self, t_ns: int) -> None:
        """After a tick: begin or heal a gap, begin the next file, or end a block."""
        queued_b = self._put_b - self.writer.taken_b
        if self._gap_from_ns is not None:
            if 2 * queued_b <= self._queue_b:
                self._end_gap()
                self._snapshot(t_ns)
            return
        if queued_b > self._full_b:
            self._put_ticks()
            self._begin_gap(t_ns + 1)
            return
        if t_ns >= self._file_due_ns or self.writer.wants_snapshot:
            if self._snapshot_by_ns is None:
                self._snapshot_by_ns = t_ns + QUIET_WITHIN_NS
            if not self._busy or t_ns >= self._snapshot_by_ns:
                self._put_ticks()
                self._snapshot(t_ns)
                return
        if t_ns >= self._block_ns:
            self._put_ticks()
            self._block_ns = t_ns + BLOCK_NS
            self._look_ns = min(self._block_ns, self._file_due_ns)

    def _put_ticks(self) -> None:
        """Told as of just after the last tick, so that a re-run has run it. Small enough to have room always."""
        self._put_always(records.TICKS, self._ticked_ns + 1, self._ran)
        self._ran = 0

    def _snapshot(self, t_ns: int) -> None:
        """Written out here and not by the worker: the state is the controller's own and changes with the next byte."""
        assert self._cycle is not None
        self.writer.wants_snapshot = False
        state = msgspec.json.encode(self._cycle.snapshot())
        self._put_b += ITEM_B + len(state)
        self._append((records.SNAPSHOT, ITEM_B + len(state), self._ticked_ns, max(0, t_ns), state))
        self._ran = 0
        self._snapshot_by_ns = None
        self._block_ns = t_ns + BLOCK_NS
        self._file_due_ns = t_ns + self._file_ns
        self._look_ns = min(self._block_ns, self._file_due_ns)

    def _put_always(self, kind: int, *fields: object) -> None:
        self._put_b += ITEM_B
        self._append((kind, ITEM_B, *fields))


def _unheard(item: Item) -> None:
    """Where records go once the recorder is sealed."""
