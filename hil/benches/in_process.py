"""The in-process bench: several boards and all their peers in one process and one virtual time.

It is tickless. The next thing to happen anywhere is looked up, time jumps there, it happens, and whoever it touched is
asked again when it wants to run next. In one instant peers run before boards, both in a fixed order, so that the bytes
of a run depend on nothing but its inputs. With `skip=False` every tick of every board is run and every idle frame is
written by itself: slower, and the same bytes (the law of waking).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from heapq import heapify, heappop, heappush, heapreplace
from typing import Any

from boards.schema import BoardDescription
from drivers.links.memory import MemoryLink
from drivers.links.tap import Sink
from drivers.quantities import WallTime
from drivers.units import FOREVER_NS
from hil.benches.slot import WHO, WHO_BITS, BoardLink, Settling, Slot
from hil.peers.contract import Peer

__all__ = ["BenchOf", "BoardLink", "InProcessBench", "Settling", "Slot"]


class InProcessBench:
    """Boards, peers, wires and one virtual time.

    Build it in this order: `add_peer` for every peer, `add_board` for every board, `wire` for every wire, `start`.

    Args:
        sink: takes every byte with its wire's number (the digest, a recorder, or both).
        skip: jump over quiet time.
    """

    def __init__(self, sink: Sink, *, skip: bool = True) -> None:
        self.sink, self.skip = sink, skip
        self.now_ns = 0
        self.peers: list[Peer] = []
        self.slots: list[Slot] = []
        self.wire_names: list[str] = []
        self.origin_utc_ns = 0
        self.boards_from_ns = 0
        """When boards get power: where a case's window begins."""
        self._touched: list[int] = []
        self._wakes: list[int] = []  # when each of them wakes, by number
        self._events: list[int] = []  # heap; what is not its owner's wake any more is passed over
        self._soon: list[int] = []  # rising: ticks of boards for which something has come, before their own wakes
        self._chores: list[tuple[int, int, Callable[[int], None]]] = []
        self._chores_done = 0
        self._start_listeners: list[Callable[[Slot, int], None]] = []

    def fit(self, site: Any, boards: Mapping[str, BoardDescription]) -> None:
        """Told what stands at the wires; in process boards are made by their slots."""

    def add_peer(self, peer: Peer) -> int:
        """Returns the peer's number."""
        self.peers.append(peer)
        return len(self.peers) - 1

    def add_board(self, slot: Slot) -> None:
        """All peers have been added."""
        slot.index = len(self.peers) + len(self.slots)
        self.slots.append(slot)

    def wire(self, slot: Slot, name: str, near: MemoryLink, number: int, peer: int) -> None:
        """Put `near`, the board's end of a wire to `peer`, into the slot; `number` is its place in the digest."""
        slot.links[name] = BoardLink(near, number, self.sink, self._touched, self._soon, slot, peer)

    def at(self, t_ns: int, chore: Callable[[int], None]) -> None:
        """Run `chore` at `t_ns`, before anything else of that instant: power cuts, restarts, bus power."""
        self._chores.append((t_ns, len(self._chores), chore))
        self._chores.sort(key=lambda entry: entry[:2])

    def add_start_listener(self, listener: Callable[[Slot, int], None]) -> None:
        """`listener` is called with (slot, time) whenever its controller has been built, before its first tick."""
        self._start_listeners.append(listener)

    def _tell_start(self, slot: Slot, now_ns: int) -> None:
        for listener in self._start_listeners:
            listener(slot, now_ns)

    def power_on(self, slot: Slot, now_ns: int) -> None:
        """Build the slot's controller afresh and let it run from the next tick."""
        slot.cycle = cycle = slot.make(slot)
        cycle.always_step = not self.skip
        slot.last_tick_ns = now_ns - 1
        slot.starts += 1
        slot.attach()
        self._tell_time(slot, now_ns)
        self._tell_start(slot, now_ns)
        self._touched.append(slot.index)

    def disturb(
        self, slot: Slot, off: Sequence[tuple[int, int]] = (), clocks: Sequence[tuple[int, int, int]] = ()
    ) -> None:
        """Spans (from, to) without power, and (from, to, by) with a wrong wall time."""
        for from_ns, to_ns in off:
            self.at(from_ns, partial(self.power_off, slot))
            self.at(to_ns, partial(self.power_on, slot))
        for from_ns, to_ns, by_ns in clocks:
            self.at(from_ns, partial(self.set_clock, slot, by_ns))
            self.at(to_ns, partial(self.set_clock, slot, 0))

    def set_clock(self, slot: Slot, off_ns: int, now_ns: int) -> None:
        """From now on the slot's controllers are told a wall time that is off by so much, the present one at once."""
        slot.clock_off_ns = off_ns
        self._tell_time(slot, now_ns)

    def _tell_time(self, slot: Slot, now_ns: int) -> None:
        if slot.cycle is not None:
            utc_ns = self.origin_utc_ns + now_ns + slot.clock_off_ns
            slot.cycle.inbox.append(WallTime(now_ns, "wall", utc_ns, True))

    def power_off(self, slot: Slot, now_ns: int) -> None:
        """The controller is gone, at `now_ns`; its wires hang free."""
        slot.ticks_before += slot.cycle.ticks if slot.cycle is not None else 0
        slot.cycle = None
        for link in slot.links.values():
            link.unplug()
        self._touched.append(slot.index)

    def start(self, origin_utc_ns: int) -> None:
        """Virtual time 0 is `origin_utc_ns`. Boards get power then, or at `boards_from_ns`; peers begin at 0."""
        self.origin_utc_ns = origin_utc_ns
        for slot in self.slots:
            if self.boards_from_ns:
                self.at(self.boards_from_ns, partial(self.power_on, slot))
            else:
                self.power_on(slot, 0)
        self._refresh_all()

    def run(self, until_ns: int) -> None:
        """Let everything happen that happens before `until_ns`; then it is `until_ns`, and idle frames are told."""
        peers, slots, wakes, touched = self.peers, self.slots, self._wakes, self._touched
        events, soon = self._events, self._soon
        n_peers = len(peers)
        if touched:  # since the last run, from outside
            self._refresh_all()
        nobody = len(wakes) - 1  # stands for the moment before a chore, and before the end of the run
        self._stop_before(until_ns)
        while True:
            event = events[0]
            if soon and soon[0] <= event:
                event = soon.pop(0)
                self.now_ns = now_ns = event >> WHO_BITS
                who = event & WHO
                slot = slots[who - n_peers]
                cycle = slot.cycle
                if cycle is None or cycle.devices_ns <= now_ns:
                    wake_ns = self._tick(slot, now_ns)
                else:  # as `_tick` does, for the usual tick
                    slot.last_tick_ns, slot.soon_ns = now_ns, FOREVER_NS
                    cycle.tick(now_ns)
                    wake_ns = cycle.due_ns(now_ns)
                if wakes[who] != wake_ns:
                    wakes[who] = wake_ns
                    if wake_ns < FOREVER_NS:
                        heappush(events, wake_ns << WHO_BITS | who)
            else:
                now_ns, who = event >> WHO_BITS, event & WHO
                if wakes[who] != now_ns:
                    heappop(events)
                    if who == nobody:
                        if now_ns + 1 >= until_ns:
                            break
                        self._run_chore(now_ns + 1)
                        self._stop_before(until_ns)
                    continue
                self.now_ns = now_ns
                if who < n_peers:
                    peer = peers[who]
                    peer.run(now_ns)
                    wake_ns = peer.wake_ns
                else:
                    wake_ns = self._tick(slots[who - n_peers], now_ns)
                wakes[who] = wake_ns
                if wake_ns < FOREVER_NS:
                    heapreplace(events, wake_ns << WHO_BITS | who)
                else:
                    heappop(events)
            if touched:
                for who in touched:
                    wake_ns = peers[who].wake_ns if who < n_peers else slots[who - n_peers].due_ns(now_ns)
                    if wakes[who] != wake_ns:
                        wakes[who] = wake_ns
                        if wake_ns < FOREVER_NS:
                            heappush(events, wake_ns << WHO_BITS | who)
                touched.clear()
        self.now_ns = until_ns
        for slot in slots:
            slot.settle(until_ns - 1, foretell=False)
        self._refresh_all()

    def _tick(self, slot: Slot, now_ns: int) -> int:
        """The slot's controller wants to run; returns when it wants to next."""
        cycle = slot.cycle
        assert cycle is not None
        if cycle.devices_ns <= now_ns:
            for device in slot.watched:
                if device.wake_ns <= now_ns:  # it would look stale, and is perhaps only untold
                    slot.settle(now_ns)
                    break
            due_ns = slot.due_ns(now_ns)
            if due_ns != now_ns:  # told idle frames have put the tick off, or it was too early
                return due_ns
        slot.last_tick_ns, slot.soon_ns = now_ns, FOREVER_NS
        cycle.tick(now_ns)
        return cycle.due_ns(now_ns)

    def poke(self, peer: int) -> None:
        """A peer has been given work from outside its wire (a rider, a fault): ask it again when it wants to run."""
        self._touched.append(peer)

    def _stop_before(self, until_ns: int) -> None:
        """Put in the next moment at which neither peers nor boards come next: a chore, or the end of the run."""
        if self._chores_done < len(self._chores):
            until_ns = min(until_ns, self._chores[self._chores_done][0])
        heappush(self._events, (until_ns - 1) << WHO_BITS | len(self._wakes) - 1)

    def _run_chore(self, now_ns: int) -> None:
        self.now_ns = now_ns
        for slot in self.slots:
            slot.settle(now_ns - 1, foretell=False)
        chore = self._chores[self._chores_done][2]
        self._chores_done += 1
        chore(now_ns)
        self._refresh_all()

    def _refresh_all(self) -> None:
        self._touched.clear()
        self._wakes[:] = [peer.wake_ns for peer in self.peers]
        self._wakes += [slot.due_ns(self.now_ns) for slot in self.slots]
        self._events[:] = [t_ns << WHO_BITS | who for who, t_ns in enumerate(self._wakes) if t_ns < FOREVER_NS]
        heapify(self._events)
        self._wakes.append(-FOREVER_NS)  # nobody's
        self._soon.clear()
        for slot in self.slots:
            slot.soon_ns = FOREVER_NS

    @property
    def ticks(self) -> int:
        """Ticks run so far, of all boards."""
        return sum(slot.ticks_before + (slot.cycle.ticks if slot.cycle is not None else 0) for slot in self.slots)

    def snapshot(self) -> dict[str, Any]:
        """State of the bench, its boards and those peers that restore from their own snapshot alone."""
        return {
            "now_ns": self.now_ns,
            "origin_utc_ns": self.origin_utc_ns,
            "chores_done": self._chores_done,
            "slots": [
                {
                    "last_tick_ns": slot.last_tick_ns,
                    "starts": slot.starts,
                    "ticks_before": slot.ticks_before,
                    "clock_off_ns": slot.clock_off_ns,
                    "cycle": slot.cycle.snapshot() if slot.cycle is not None else None,
                }
                for slot in self.slots
            ],
            "peers": [peer.snapshot() for peer in self.peers],
        }

    def restore(self, state: dict[str, Any], restore_peer: Callable[[Peer, dict[str, Any]], None]) -> None:
        """Take over a snapshot of a bench built in the same way. `restore_peer` knows what each peer needs beside."""
        self.now_ns, self.origin_utc_ns = state["now_ns"], state["origin_utc_ns"]
        self._chores_done = state["chores_done"]
        for peer, saved in zip(self.peers, state["peers"], strict=True):
            restore_peer(peer, saved)
        for slot, saved in zip(self.slots, state["slots"], strict=True):
            slot.last_tick_ns, slot.starts = saved["last_tick_ns"], saved["starts"]
            slot.cycle, slot.ticks_before, slot.clock_off_ns = None, saved["ticks_before"], saved["clock_off_ns"]
            if saved["cycle"] is None:
                self.power_off(slot, self.now_ns)
                continue
            slot.cycle = slot.make(slot)
            slot.cycle.always_step = not self.skip
            slot.cycle.restore(saved["cycle"])
            slot.attach()
            self._tell_start(slot, self.now_ns)
        self._refresh_all()


BenchOf = Callable[..., InProcessBench]
"""Makes the bench whose boards are in process or elsewhere: ``bench_of(sink, skip=True)``."""
