"""The digest of a run: what passed on every wire, in canonical order, chained, the same with and without skipping.

A record is one of two, little-endian:

    bytes  tick:i64 (>= 0)  key:u16  length:u32  data                                all of one tick, wire and direction
    run    -1:i64           key:u16  length:u32  frame  first:i64 last:i64 count:i64    idle frames in a row

`key` is 2 * wire + outward. A record's tick is the first at or after its time: ceil(t / period). Within a tick records
are ordered by key, so the order in which two wires were served does not show, nor how a wire's bytes were cut.

Idle frames only ever lengthen the wire's open run. A run becomes a record when other bytes come in on its wire, or at
the end. So the records, and the places where blocks are closed, hang on other bytes alone: idle frames handed over one
by one, in repeats of any size, early or late, give the same digest.

The chain: link = sha256(link || records), closed whenever `FOLD_BYTES` have gathered and at the end of each block.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

from drivers.units import FOREVER_NS, NS_PER_S

BLOCK_NS = 60 * NS_PER_S
FOLD_BYTES = 4096
"""Records are hashed in portions of this size, which bounds memory and snapshots."""

TOLD_MOST = 64
"""So many records are taken in at once, where nobody has asked to be told of them."""

Run = tuple[int, int, int]
"""(first tick, last tick, count)."""

Record = tuple[int, bytes, Run | None]
"""(key, bytes, None), or (key, frame, its run)."""

OnBlock = Callable[[int, str], None]
"""Called with (end of the block in ns, chain value so far as hex)."""

OnRecord = Callable[[int, int, bytes, Run | None], None]
"""Called with (tick, key, data, run): each record in canonical order; the tick of a run is its first."""

_HEAD = struct.Struct("<qHI")
_RUN = struct.Struct("<qqq")
_by_key = itemgetter(0)


class ChainDigest:
    """A sink for taps (drivers.links.tap.Sink) that keeps nothing but a chain value and what is not yet hashed.

    Args:
        period_ns: the scan period, e.g. 20_000_000; the whole run has one.
        wires: names in canonical order; a wire's number is its place here.
        idle: the idle frame of each wire that has one, inward.
        on_block: called at the end of each block that held records, e.g. ``(60_000_000_000, "9f86d081...")``.
        on_record: called with each record; for those who look for the first difference.
        block_ns: length of a block; choose a multiple of the period.
    """

    __slots__ = (
        "_block_end_ns",
        "_block_ns",
        "_idle",
        "_link",
        "_on_block",
        "_on_record",
        "_pending",
        "_period_ns",
        "_runs",
        "_tick",
        "_tick_from_ns",
        "_tick_to_ns",
        "_told",
        "_told_most",
        "_waiting",
    )

    def __init__(
        self,
        period_ns: int,
        wires: Sequence[str],
        idle: Mapping[int, bytes],
        *,
        on_block: OnBlock | None = None,
        on_record: OnRecord | None = None,
        block_ns: int = BLOCK_NS,
    ) -> None:
        self._period_ns, self._block_ns = period_ns, block_ns
        self._on_block, self._on_record = on_block, on_record
        self._idle: list[bytes | None] = [None] * (2 * len(wires))
        for wire, frame in idle.items():
            self._idle[2 * wire] = frame
        self._link = hashlib.sha256("\n".join([f"leeze 1 {period_ns} {block_ns}", *wires]).encode()).digest()
        self._pending = bytearray()  # records not yet hashed
        self._told: list[tuple[int, int, bytes]] = []  # time, key and bytes as they came, not yet looked at
        self._told_most = TOLD_MOST if on_block is None and on_record is None else 1
        self._waiting: list[Record] = []  # those of the present tick, in the order they came
        self._runs: list[list[int] | None] = [None] * (2 * len(wires))  # open: [first_ns, last_ns, count]
        self._tick = 0
        self._tick_from_ns = self._tick_to_ns = -FOREVER_NS
        self._block_end_ns = FOREVER_NS  # until the first record

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        """`data` passed on `wire` at `t_ns`."""
        told = self._told
        told.append((t_ns, 2 * wire + outward, data))
        if len(told) >= self._told_most:
            self._take_in()

    def _take_in(self) -> None:
        """What was told, in its order. Many at once are less work for each."""
        told = self._told
        if not told:
            return
        runs, idle, waiting = self._runs, self._idle, self._waiting
        period_ns, pending, pack = self._period_ns, self._pending, _HEAD.pack
        from_ns, to_ns = self._tick_from_ns, self._tick_to_ns
        usual_ns = self._usual_until_ns()
        for t_ns, key, data in told:
            run = runs[key]
            if data == idle[key]:
                if run is None:
                    runs[key] = [t_ns, t_ns, 1]
                else:
                    run[1] = t_ns
                    run[2] += 1
                continue
            if not from_ns < t_ns <= to_ns:
                tick = -(-t_ns // period_ns)
                to_ns = tick * period_ns
                if to_ns <= usual_ns and len(waiting) == 1 and waiting[0][2] is None:
                    before, bytes_before, _ = waiting.pop()  # as `_turn` does, for the usual tick
                    pending += pack(self._tick, before, len(bytes_before)) + bytes_before
                    if len(pending) >= FOLD_BYTES:
                        self._fold()
                    self._tick, self._tick_to_ns = tick, to_ns
                    self._tick_from_ns = from_ns = to_ns - period_ns
                else:
                    self._turn(t_ns)
                    from_ns, usual_ns = self._tick_from_ns, self._usual_until_ns()
            if run is not None:
                waiting.append((key, self._idle_of(key), self._closed(run)))
                runs[key] = None
            waiting.append((key, data, None))
        told.clear()

    def _usual_until_ns(self) -> int:
        """Up to here a tick needs no look at blocks, and nobody is told of its records."""
        end_ns = self._block_end_ns
        return end_ns if end_ns < FOREVER_NS and self._on_record is None else -FOREVER_NS

    def passed_all(self, records: Iterable[tuple[int, str, bytes]], keys: Mapping[str, int]) -> None:
        """`passed` for many at once, with less work for each: (t_ns, name, data), in the order they passed.

        `keys`: 2 * wire + outward by name, -1 for what is not to be reckoned.
        """
        told, most = self._told, max(self._told_most, TOLD_MOST)
        for t_ns, name, data in records:
            key = keys[name]
            if key >= 0:
                told.append((t_ns, key, data))
                if len(told) >= most:
                    self._take_in()
        if self._told_most == 1:
            self._take_in()

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """The wire's idle frame came in `count` times. ValueError if `frame` is not its idle frame."""
        key = 2 * wire
        if frame != self._idle[key]:
            raise ValueError(f"wire {wire}: {frame.hex(' ')} repeats, but is not its idle frame")
        if count <= 0:
            return
        self._take_in()
        run = self._runs[key]
        if run is None:
            self._runs[key] = [first_ns, last_ns, count]
        else:
            run[1] = last_ns
            run[2] += count

    def finish(self, t_end_ns: int) -> None:
        """The run is over: open idle runs and the last block end here. `t_end_ns` only names that block."""
        self._take_in()
        self._flush()
        for key, data, run in self._open_runs():
            self._write(key, data, run)
        self._runs = [None] * len(self._runs)
        self._close_block(t_end_ns)

    def hexdigest(self) -> str:
        """The digest if the run ended now, as `finish` would leave it; changes nothing."""
        self._take_in()
        link, tail = self._link, bytearray(self._pending)
        for key, data, run in [*_merged(self._waiting), *self._open_runs()]:
            tail += _packed(self._tick, key, data, run)
            if len(tail) >= FOLD_BYTES:
                link = _linked(link, tail)
                tail.clear()
        return _linked(link, tail).hex()

    def snapshot(self) -> dict[str, Any]:
        """All state; at most about `FOLD_BYTES` of records and those of one tick."""
        self._take_in()
        return {
            "link": self._link.hex(),
            "pending": self._pending.hex(),
            "waiting": [[key, data.hex(), run] for key, data, run in self._waiting],
            "runs": [list(run) if run else None for run in self._runs],
            "tick": self._tick,
            "tick_from_ns": self._tick_from_ns,
            "tick_to_ns": self._tick_to_ns,
            "block_end_ns": self._block_end_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot of a digest made with the same arguments."""
        self._told.clear()
        self._link = bytes.fromhex(state["link"])
        self._pending = bytearray.fromhex(state["pending"])
        self._waiting = [
            (key, bytes.fromhex(data), None if run is None else (run[0], run[1], run[2]))
            for key, data, run in state["waiting"]
        ]
        self._runs = [list(run) if run else None for run in state["runs"]]
        self._tick = state["tick"]
        self._tick_from_ns, self._tick_to_ns = state["tick_from_ns"], state["tick_to_ns"]
        self._block_end_ns = state["block_end_ns"]

    def _idle_of(self, key: int) -> bytes:
        frame = self._idle[key]
        assert frame is not None  # a run is open only where there is an idle frame
        return frame

    def _closed(self, run: list[int]) -> Run:
        return -(-run[0] // self._period_ns), -(-run[1] // self._period_ns), run[2]

    def _open_runs(self) -> list[Record]:
        return [(key, self._idle_of(key), self._closed(run)) for key, run in enumerate(self._runs) if run]

    def _turn(self, t_ns: int) -> None:
        """Go on to the tick of `t_ns`; the records of the present one are complete."""
        self._flush()
        period_ns = self._period_ns
        self._tick = tick = -(-t_ns // period_ns)
        self._tick_to_ns = tick_ns = tick * period_ns
        self._tick_from_ns = tick_ns - period_ns
        if tick_ns > self._block_end_ns:
            self._close_block(self._block_end_ns)
        if self._block_end_ns == FOREVER_NS:
            self._block_end_ns = max(1, -(-tick_ns // self._block_ns)) * self._block_ns

    def _flush(self) -> None:
        waiting = self._waiting
        if len(waiting) == 1 and waiting[0][2] is None and self._on_record is None:  # the usual tick, said shortly
            key, data, _ = waiting.pop()
            self._pending += _HEAD.pack(self._tick, key, len(data)) + data
            if len(self._pending) >= FOLD_BYTES:
                self._fold()
            return
        for key, data, run in _merged(waiting):
            self._write(key, data, run)
        waiting.clear()

    def _write(self, key: int, data: bytes, run: Run | None) -> None:
        if self._on_record is not None:
            self._on_record(self._tick if run is None else run[0], key, data, run)
        self._pending += _packed(self._tick, key, data, run)
        if len(self._pending) >= FOLD_BYTES:
            self._fold()

    def _fold(self) -> None:
        self._link = _linked(self._link, self._pending)
        self._pending.clear()

    def _close_block(self, end_ns: int) -> None:
        self._fold()
        self._block_end_ns = FOREVER_NS
        if self._on_block is not None:
            self._on_block(end_ns, self._link.hex())


class FlightDigest:
    """The chain over what a flight recorder's file holds of a board: all bytes of its wires, and its decisions.

    A sink for taps. Decisions count as bytes of a wire behind the others. The value at any place of the file,
    `hexdigest`, hangs on what stands before it alone.

    Args:
        period_ns: the scan period.
        wires: names of the wires, in any order; a wire's number is its place here.
        idle: the idle frame of each wire that has one, by its number.
    """

    def __init__(self, period_ns: int, wires: Sequence[str], idle: Mapping[int, bytes]) -> None:
        names = sorted(wires)
        numbers = [names.index(name) for name in wires]
        self._decisions = len(names)
        self._chain = chain = ChainDigest(
            period_ns, [*names, "decisions"], {numbers[wire]: frame for wire, frame in idle.items() if frame}
        )
        self.hexdigest = chain.hexdigest
        self.keys: dict[str, int] = {}
        """What `passed_all` may be told: bytes inward under `inward(name)`, outward under the name, decisions "".

        Further names may be added; -1 for what is not to be reckoned.
        """
        for number, name in enumerate(names):
            self.keys[inward(name)], self.keys[name] = 2 * number, 2 * number + 1
        self.keys[""] = 2 * self._decisions + 1
        self.passed_all = partial(chain.passed_all, keys=self.keys)

        def passed(wire: int, outward: bool, data: bytes, t_ns: int) -> None:
            chain.passed(numbers[wire], outward, data, t_ns)

        def repeated(wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
            chain.repeated(numbers[wire], frame, first_ns, last_ns, count)

        in_order = numbers == list(range(len(names)))  # then there is nothing to translate
        self.passed: Callable[[int, bool, bytes, int], None] = chain.passed if in_order else passed
        """`data` passed on `wire` at `t_ns`."""
        self.repeated: Callable[[int, bytes, int, int, int], None] = chain.repeated if in_order else repeated
        """The wire's idle frame came in `count` times. ValueError if `frame` is not its idle frame."""

    def decided(self, data: bytes, t_ns: int) -> None:
        """A decision, as drivers.recording.schemas.decision_json gives it."""
        self._chain.passed(self._decisions, True, data, t_ns)


def inward(name: str) -> str:
    """What `FlightDigest.passed_all` calls bytes that come in on a wire."""
    return f"{name}\0in"


def _packed(tick: int, key: int, data: bytes, run: Run | None) -> bytes:
    if run is None:
        return _HEAD.pack(tick, key, len(data)) + data
    return _HEAD.pack(-1, key, len(data)) + data + _RUN.pack(*run)


def _linked(link: bytes, records: bytearray) -> bytes:
    return hashlib.sha256(link + records).digest() if records else link


def _merged(records: list[Record]) -> list[Record]:
    """One tick's records ordered by wire and direction, neighbouring bytes joined."""
    if len(records) < 2:
        return records
    merged: list[Record] = []
    for record in sorted(records, key=_by_key):
        key, data, run = record
        if merged and run is None and merged[-1][0] == key and merged[-1][2] is None:
            merged[-1] = (key, merged[-1][1] + data, None)
        else:
            merged.append(record)
    return merged
