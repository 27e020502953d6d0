"""Faults on a wire. A `FaultyWire` stands between a peer and its end of a memory link; the same on every bench.

Spans count from second 0 of the case; outside its span a fault does nothing, and bytes held back by one still come.
What one call of `write` hands over (a frame, a line, a message) is one piece: it is lost, held back or doubled whole.
Which pieces are hit is drawn from (seed, wire, number of the piece): the same in every run. Order on a wire is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Literal
from zlib import crc32

import msgspec

from drivers.links.memory import MemoryLink
from drivers.units import FOREVER_NS
from hil.faults.answers import Refusals
from hil.peers.contract import Peer
from hil.traffic.chance import draw

WireFaultKind = Literal["dropped", "delayed", "duplicated", "corrupted", "stuck", "silence", "nack"]
Way = Literal["to-board", "from-board", "both"]


class WireFault(msgspec.Struct, frozen=True):
    """One fault of one wire, from `from_ns` until before `to_ns`, e.g. ``WireFault("dropped", 0, 10**10, pct=30)``.

    dropped, duplicated, corrupted (one bit of one byte): `pct` of the pieces. delayed: `by_ns` later. stuck: in place
    of each piece, the last one from before the span (a sensor that repeats itself). silence: nothing. nack: each answer
    to the board becomes a refusal, where the content of the wire knows one (DALI, I2C, Modbus); others stay.
    """

    kind: WireFaultKind
    from_ns: int
    to_ns: int
    pct: int = 100
    by_ns: int = 0
    way: Way = "to-board"


class FaultyWire(MemoryLink):
    """The peer's end of a wire, disturbed. Give it to the peer in place of `link`, and call `run` at `wake_ns`.

    Args:
        link: the peer's end as `memory_pair` gives it.
        faults: what is wrong, and when.
        name: ``board/wire``, for the draws.
        content: what is on the wire, as boards say it ("dali", "modbus", ...).
        seed: of the run.

    `hit` counts the pieces that a fault changed, held back or took away.
    """

    def __init__(
        self, link: MemoryLink, faults: Sequence[WireFault], *, name: str = "", content: str = "bytes", seed: int = 0
    ) -> None:
        super().__init__(link.name)
        self.far = link.far
        self.wake_ns = FOREVER_NS
        self.hit = 0
        self._link, self._faults = link, tuple(faults)
        self._refusals = Refusals(content)
        self._key, self._seed = crc32((name or link.name).encode()), seed
        self._count = [0, 0]  # pieces so far: to the board, from it
        self._last = [b"", b""]  # of each way, before any fault of it
        self._held: tuple[deque[tuple[int, bytes]], ...] = (deque(), deque())
        link.receiver = self._from_board
        link.line_receiver = self._line_set

    # --- what the peer calls

    def write(self, data: bytes, t_ns: int) -> None:
        """The peer says something."""
        self._pass(0, data, t_ns)

    def set_line(self, baud: int, parity: str, t_ns: int) -> None:
        """Line settings pass."""
        self._link.set_line(baud, parity, t_ns)

    def repeat(self, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """Idle frames told in bulk: of those in a span of silence or loss none is told; other faults leave them."""
        every_ns = (last_ns - first_ns) // (count - 1) if count > 1 else 0
        heard = [at for at in (first_ns + n * every_ns for n in range(count)) if not self._swallowed(at)]
        if len(heard) == count:
            self._link.repeat(frame, first_ns, last_ns, count)
            return
        self.hit += count - len(heard)
        for at in heard:
            self._link.repeat(frame, at, at, 1)

    def foretell(self, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """Idle frames are foretold up to the next fault only."""
        every_ns = (last_ns - first_ns) // (count - 1) if count > 1 else 0
        for n in range(count):
            if any(fault.from_ns <= first_ns + n * every_ns < fault.to_ns for fault in self._faults):
                if n:
                    self._link.foretell(frame, first_ns, first_ns + (n - 1) * every_ns, n)
                return
        self._link.foretell(frame, first_ns, last_ns, count)

    def close(self) -> None:
        """Both ends stop hearing each other; what was held back is gone."""
        for held in self._held:
            held.clear()
        self.wake_ns = FOREVER_NS
        self._link.close()

    # --- the fault

    def run(self, now_ns: int) -> None:
        """Let pass what was held back until now."""
        for way, held in enumerate(self._held):
            while held and held[0][0] <= now_ns:
                self._deliver(way, held.popleft()[1], now_ns)
        self._set_wake()

    def _from_board(self, data: bytes, t_ns: int) -> None:
        self._refusals.asked()
        self._pass(1, data, t_ns)

    def _line_set(self, baud: int, parity: str, stopbits: float, t_ns: int) -> None:
        self.line_receiver(baud, parity, stopbits, t_ns)

    def _pass(self, way: int, data: bytes, t_ns: int) -> None:
        self._count[way] += 1
        pieces, due_ns = [data], t_ns
        force = [fault for fault in self._faults if fault.from_ns <= t_ns < fault.to_ns and _goes(fault, way)]
        for number, fault in enumerate(force):
            if fault.kind == "delayed":
                due_ns += fault.by_ns
            else:
                pieces = [changed for piece in pieces for changed in self._changed(fault, piece, way, number)]
        if pieces != [data] or due_ns != t_ns:
            self.hit += 1
        if not force or all(fault.kind != "stuck" for fault in force):
            self._last[way] = data
        held = self._held[way]
        for piece in pieces:
            if held or due_ns > t_ns:
                held.append((max(due_ns, held[-1][0] if held else 0), piece))
            else:
                self._deliver(way, piece, t_ns)
        self._set_wake()

    def _changed(self, fault: WireFault, data: bytes, way: int, number: int) -> list[bytes]:
        """What comes of one piece."""
        kind = fault.kind
        if kind == "silence":
            return []
        if kind == "stuck":
            return [self._last[way]] if self._last[way] else []
        if kind == "nack":
            return self._refusals.refused(data) if way == 0 else [data]
        chance = draw(self._seed, self._key, way, self._count[way], number)
        if chance % 100 >= fault.pct:
            return [data]
        if kind == "dropped":
            return []
        if kind == "duplicated":
            return [data, data]
        if not data:
            return [data]
        at, bit = (chance >> 16) % len(data), (chance >> 40) % 8
        return [data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]]

    def _deliver(self, way: int, data: bytes, t_ns: int) -> None:
        if way:
            self.receiver(data, t_ns)
        else:
            self._link.write(data, t_ns)

    def _swallowed(self, t_ns: int) -> bool:
        return any(
            fault.from_ns <= t_ns < fault.to_ns
            and _goes(fault, 0)
            and (fault.kind == "silence" or (fault.kind == "dropped" and fault.pct == 100))
            for fault in self._faults
        )

    def _set_wake(self) -> None:
        self.wake_ns = min((held[0][0] for held in self._held if held), default=FOREVER_NS)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "count": list(self._count),
            "hit": self.hit,
            "last": [data.hex() for data in self._last],
            "held": [[[due_ns, data.hex()] for due_ns, data in held] for held in self._held],
            "refusals": self._refusals.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._count, self.hit = list(state["count"]), state["hit"]
        self._last = [bytes.fromhex(data) for data in state["last"]]
        self._refusals.restore(state["refusals"])
        self._held = tuple(deque((due_ns, bytes.fromhex(data)) for due_ns, data in held) for held in state["held"])
        self._set_wake()


class FaultyPeer:
    """A peer and its disturbed wires as one peer, so that what was held back comes at its time. Implements Peer."""

    def __init__(self, peer: Peer, wires: Sequence[FaultyWire]) -> None:
        self.peer, self.wires, self.name = peer, tuple(wires), peer.name

    @property
    def wake_ns(self) -> int:
        """The earliest of all."""
        return min(self.peer.wake_ns, *(wire.wake_ns for wire in self.wires))

    def run(self, now_ns: int) -> None:
        """Held back bytes first, then the peer."""
        for wire in self.wires:
            if wire.wake_ns <= now_ns:
                wire.run(now_ns)
        if self.peer.wake_ns <= now_ns:
            self.peer.run(now_ns)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {"peer": self.peer.snapshot(), "wires": [wire.snapshot() for wire in self.wires]}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.restore_with(state, lambda peer, saved: peer.restore(saved))

    def restore_with(self, state: dict[str, Any], restore_peer: Callable[[Peer, dict[str, Any]], None]) -> None:
        """The same, for a peer that needs more than its own snapshot."""
        restore_peer(self.peer, state["peer"])
        for wire, saved in zip(self.wires, state["wires"], strict=True):
            wire.restore(saved)


def disturbed(peer: Peer, *links: MemoryLink) -> Peer:
    """`peer` as the bench is to run it: with those of its `links` that are `FaultyWire`; itself where none is."""
    wires = [link for link in links if isinstance(link, FaultyWire)]
    return FaultyPeer(peer, wires) if wires else peer


def _goes(fault: WireFault, way: int) -> bool:
    """`way`: 0 to the board, 1 from it. Silence takes both unless it says one."""
    return fault.way == "both" or (fault.way == "from-board") == bool(way)
