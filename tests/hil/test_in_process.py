"""The in-process bench: who runs when, what restarts do to wires, and idle frames told in bulk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from controllers.core.contract import Command, Publish
from controllers.core.scan_cycle import ScanCycle
from drivers.codecs.ld2451 import IDLE_FRAME
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import LampStatus, Quantity, WallTime
from drivers.units import FOREVER_NS, NS_PER_S
from hil.benches.in_process import BoardLink, InProcessBench, Slot
from hil.peers.contract import Peer

P = 20_000_000
ORIGIN_UTC_NS = 1_708_362_000 * NS_PER_S

Log = list[tuple[Any, ...]]


class Kept:
    """A sink that keeps all that passes."""

    def __init__(self) -> None:
        self.all: Log = []
        self.bulk: Log = []

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        self.all.append((wire, "out" if outward else "in", data, t_ns))

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        self.bulk.append((wire, frame, first_ns, last_ns, count))


class Far:
    """A peer that writes its name at the times it is given, and may answer."""

    def __init__(self, name: str, link: MemoryLink, log: Log) -> None:
        self.name, self._link, self._log = name, link, log
        self.times_ns: list[int] = []
        self.answer_after_ns: int | None = None
        link.receiver = self._hear

    @property
    def wake_ns(self) -> int:
        return min(self.times_ns, default=FOREVER_NS)

    def _hear(self, data: bytes, t_ns: int) -> None:
        self._log.append((self.name, "hears", t_ns))
        if self.answer_after_ns is not None:
            self.times_ns.append(t_ns + self.answer_after_ns)

    def run(self, now_ns: int) -> None:
        self._log.append((self.name, "runs", now_ns))
        self.times_ns.remove(now_ns)
        self._link.write(self.name.encode(), now_ns)

    def snapshot(self) -> dict[str, Any]:
        return {"times_ns": list(self.times_ns)}

    def restore(self, state: dict[str, Any]) -> None:
        self.times_ns = list(state["times_ns"])


class Board:
    """Policy and output of one controller: notes its ticks, speaks at the times it is given."""

    def __init__(self, slot: Slot, log: Log, times_ns: list[int]) -> None:
        self._slot, self._log, self.times_ns = slot, log, times_ns
        self.inbox: list[Quantity] = []
        self.link = slot.links["wire"]
        self.link.receiver = lambda data, t_ns: self.inbox.append(LampStatus(t_ns, data.decode(), None))
        self.cycle = ScanCycle(slot.name, P, self, _Open(), self.inbox, [], speakers={"wire": self})

    @property
    def wake_ns(self) -> int:
        return min(self.times_ns, default=FOREVER_NS)

    @wake_ns.setter
    def wake_ns(self, t_ns: int) -> None:
        raise AssertionError("nobody but the board sets when it wakes")

    def step(self, inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        self._log.append((self._slot.name, "ticks", now_ns, *(value.source for value in inputs)))
        due = [t_ns for t_ns in self.times_ns if t_ns <= now_ns]
        for t_ns in due:
            self.times_ns.remove(t_ns)
        return [Publish("wire", {}) for _ in due]

    def publish(self, body: dict[str, Any], now_ns: int) -> None:
        self.link.write(b"board", now_ns)

    def snapshot(self) -> dict[str, Any]:
        return {"times_ns": list(self.times_ns)}

    def restore(self, state: dict[str, Any]) -> None:
        self.times_ns[:] = state["times_ns"]


class _Open:
    """A gate that lets all pass."""

    wake_ns = FOREVER_NS

    def step(self, commands: Sequence[Command], inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        return commands

    def snapshot(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


class Rig:
    """Boards ``board-0``…, each on a wire of its own to ``peer-0``…; `speaks` are the boards' times."""

    def __init__(self, boards: int = 1, *, skip: bool = True, **speaks: list[int]) -> None:
        self.log: Log = []
        self.sink = Kept()
        self.bench = InProcessBench(self.sink, skip=skip)
        pairs = [memory_pair("wire") for _ in range(boards)]
        self.peers = [Far(f"peer-{n}", far, self.log) for n, (_, far) in enumerate(pairs)]
        self.slots = [Slot(f"board-{n}", self._make) for n in range(boards)]
        self.speaks = speaks
        numbers = [self.bench.add_peer(peer) for peer in self.peers]
        for slot in self.slots:
            self.bench.add_board(slot)
        for n, (near, _) in enumerate(pairs):
            self.bench.wire(self.slots[n], "wire", near, n, numbers[n])

    def _make(self, slot: Slot) -> ScanCycle:
        return Board(slot, self.log, list(self.speaks.get(slot.name.replace("-", "_"), []))).cycle

    def started(self) -> Rig:
        """Started, and past the tick at 0 that sees the wall time."""
        self.bench.start(ORIGIN_UTC_NS)
        self.bench.run(1)
        assert self.log[-1][1:] == ("ticks", 0, "wall")
        self.log.clear()
        return self


# --- who runs when


def test_in_one_instant_peers_run_before_boards_and_both_in_the_order_they_were_added() -> None:
    rig = Rig(3, board_0=[P], board_1=[P], board_2=[P]).started()
    for n, peer in enumerate(rig.peers):
        peer.times_ns = [P]
        rig.bench.poke(n)
    rig.bench.run(P + 1)
    runs = [("peer-0", "runs", P), ("peer-1", "runs", P), ("peer-2", "runs", P)]
    ticks = [(f"board-{n}", "ticks", P, f"peer-{n}") for n in range(3)]
    assert [entry for entry in rig.log if "hears" not in entry] == runs + ticks


def test_bytes_between_two_ticks_are_seen_by_the_next_tick_and_by_their_board_alone() -> None:
    rig = Rig(2)
    rig.peers[1].times_ns = [P + 1, 2 * P - 1, 5 * P]
    rig.started().bench.run(9 * P)
    assert [entry for entry in rig.log if "ticks" in entry] == [
        ("board-1", "ticks", 2 * P, "peer-1", "peer-1"),
        ("board-1", "ticks", 5 * P, "peer-1"),
    ]


@pytest.mark.parametrize(("after_ns", "seen_ns"), [(0, 4 * P), (1, 4 * P), (P, 4 * P), (P + 1, 5 * P)])
def test_an_answer_to_a_tick_is_for_a_later_tick_even_if_it_comes_in_the_same_instant(
    after_ns: int, seen_ns: int
) -> None:
    rig = Rig(board_0=[3 * P])
    rig.peers[0].answer_after_ns = after_ns
    rig.started().bench.run(9 * P)
    assert rig.log == [
        ("board-0", "ticks", 3 * P),
        ("peer-0", "hears", 3 * P),
        ("peer-0", "runs", 3 * P + after_ns),
        ("board-0", "ticks", seen_ns, "peer-0"),
    ]


def test_a_deadline_that_an_answer_sets_in_the_instant_of_a_tick_does_not_tick_it_again() -> None:
    rig = Rig(board_0=[3 * P]).started()
    rig.peers[0].answer_after_ns = 0
    cycle = rig.slots[0].cycle
    assert cycle is not None
    assert isinstance(cycle.policy, Board)
    times_ns = cycle.policy.times_ns
    rig.slots[0].links["wire"].receiver = lambda data, t_ns: times_ns.append(t_ns)
    rig.bench.run(6 * P)
    assert [entry for entry in rig.log if "ticks" in entry] == [("board-0", "ticks", n * P) for n in (3, 4, 5)]


def test_a_run_ends_before_its_last_moment_and_the_next_begins_with_it() -> None:
    rig = Rig(board_0=[2 * P])
    rig.peers[0].times_ns = [2 * P]
    rig.started().bench.run(2 * P)
    assert (rig.log, rig.bench.now_ns) == ([], 2 * P)
    rig.bench.run(2 * P + 1)
    assert [entry[:3] for entry in rig.log[:2]] == [("peer-0", "runs", 2 * P), ("board-0", "ticks", 2 * P)]
    assert rig.bench.now_ns == 2 * P + 1


def test_without_skipping_every_tick_is_run_and_with_it_only_those_with_something_to_do() -> None:
    for skip, ticks in ((False, 100), (True, 2)):
        rig = Rig(board_0=[70 * P], skip=skip).started()
        rig.bench.run(100 * P)
        assert rig.bench.ticks == ticks
        assert ("board-0", "ticks", 70 * P) in rig.log


# --- chores and pokes


def test_chores_run_before_anything_else_of_their_instant_by_time_and_then_as_they_were_given() -> None:
    rig = Rig(board_0=[3 * P])
    rig.peers[0].times_ns = [3 * P]
    for name, t_ns in (("b", 3 * P), ("late", 9 * P), ("a", 2 * P + 1), ("c", 3 * P)):
        rig.bench.at(t_ns, lambda now_ns, name=name: rig.log.append((name, "chore", rig.bench.now_ns)))  # type: ignore[misc]
    rig.started().bench.run(9 * P)
    assert [entry[:3] for entry in rig.log[:5]] == [
        ("a", "chore", 2 * P + 1),
        ("b", "chore", 3 * P),
        ("c", "chore", 3 * P),
        ("peer-0", "runs", 3 * P),
        ("board-0", "ticks", 3 * P),
    ]
    assert rig.log[-1][0] != "late"
    rig.bench.run(9 * P + 1)
    assert rig.log[-1] == ("late", "chore", 9 * P)


@pytest.mark.parametrize("from_where", ["chore", "another peer", "between runs"])
def test_a_peer_that_is_given_work_from_outside_runs_when_it_then_wants_to(from_where: str) -> None:
    rig = Rig(2, board_1=[8 * P])

    def work(now_ns: int) -> None:
        rig.peers[1].times_ns = [5 * P]
        rig.bench.poke(1)

    rig.started()
    if from_where == "chore":
        rig.bench.at(4 * P, work)
    elif from_where == "another peer":
        rig.peers[0].times_ns = [4 * P]
        rig.bench.poke(0)
        rig.slots[0].links["wire"].receiver = lambda data, t_ns: work(t_ns)
    rig.bench.run(4 * P)
    if from_where == "between runs":
        work(4 * P)
    rig.bench.run(9 * P)
    times_ns = [entry[2] for entry in rig.log]
    assert times_ns == sorted(times_ns)
    assert ("peer-1", "runs", 5 * P) in rig.log
    assert ("board-1", "ticks", 5 * P, "peer-1") in rig.log


# --- power


def test_every_start_is_told_and_the_controller_is_given_the_wall_time() -> None:
    rig = Rig(2)
    told: Log = []
    rig.bench.add_start_listener(lambda slot, t_ns: told.append((slot.name, t_ns, list(slot.cycle.inbox))))  # type: ignore[union-attr]
    rig.bench.start(ORIGIN_UTC_NS)
    rig.bench.at(5 * P, partial(rig.bench.power_on, rig.slots[1]))
    rig.bench.run(9 * P)
    assert told == [
        ("board-0", 0, [WallTime(0, "wall", ORIGIN_UTC_NS, True)]),
        ("board-1", 0, [WallTime(0, "wall", ORIGIN_UTC_NS, True)]),
        ("board-1", 5 * P, [WallTime(5 * P, "wall", ORIGIN_UTC_NS + 5 * P, True)]),
    ]


@pytest.mark.parametrize(("on_ns", "first_ns"), [(6 * P, 6 * P), (6 * P + 1, 7 * P)])
def test_without_power_nobody_ticks_and_bytes_come_to_nothing_but_they_do_pass(on_ns: int, first_ns: int) -> None:
    rig = Rig(2, board_0=[2 * P, 5 * P])
    rig.peers[0].times_ns = [4 * P, 8 * P]
    rig.bench.at(3 * P, partial(rig.bench.power_off, rig.slots[0]))
    rig.bench.at(on_ns, partial(rig.bench.power_on, rig.slots[0]))
    before = rig.started().slots[0].cycle
    rig.bench.run(5 * P)
    assert before is not None
    assert (rig.slots[0].cycle, before.inbox) == (None, [])
    assert rig.bench.ticks == 3
    rig.speaks["board_0"] = []
    rig.bench.run(20 * P)
    assert [entry for entry in rig.log if entry[1] == "ticks"] == [
        ("board-0", "ticks", 2 * P),
        ("board-0", "ticks", first_ns, "wall"),
        ("board-0", "ticks", 8 * P, "peer-0"),
    ]
    assert rig.sink.all == [(0, "out", b"board", 2 * P), (0, "in", b"peer-0", 4 * P), (0, "in", b"peer-0", 8 * P)]
    assert [slot.starts for slot in rig.slots] == [2, 1]
    assert (rig.slots[0].ticks_before, rig.bench.ticks) == (2, 5)


def test_power_that_goes_twice_counts_nothing_twice() -> None:
    rig = Rig().started()
    for _ in range(2):
        rig.bench.power_off(rig.slots[0], 1)
    assert rig.bench.ticks == 1
    rig.bench.run(9 * P)
    assert rig.log == []


@pytest.mark.parametrize("skip", [True, False])
def test_a_snapshot_through_json_goes_on_the_same_with_a_board_that_is_off_and_chores_that_were_done(
    skip: bool,
) -> None:
    def build() -> Rig:
        rig = Rig(2, skip=skip, board_0=[4 * P, 9 * P], board_1=[2 * P])
        rig.peers[0].times_ns = [8 * P + 3]
        rig.bench.at(3 * P, partial(rig.bench.power_off, rig.slots[1]))
        rig.bench.at(10 * P, partial(rig.bench.power_on, rig.slots[1]))
        return rig

    def restore_peer(peer: Peer, state: dict[str, Any]) -> None:
        peer.restore(state)

    first, fresh, used = build().started(), build(), build().started()
    first.bench.run(6 * P)
    used.bench.run(2 * P + 1)
    state = json.dumps(first.bench.snapshot())
    first.log.clear()
    told: Log = []
    fresh.bench.add_start_listener(lambda slot, t_ns: told.append((slot.name, t_ns)))
    for other in (fresh, used):
        other.bench.restore(json.loads(state), restore_peer)
        other.log.clear()
        assert json.dumps(other.bench.snapshot()) == state
    for rig in (first, fresh, used):
        rig.bench.run(20 * P)
    assert first.log == fresh.log == used.log != []
    assert first.bench.snapshot() == fresh.bench.snapshot() == used.bench.snapshot()
    assert told == [("board-0", 6 * P), ("board-1", 10 * P)]
    assert [slot.starts for slot in fresh.slots] == [1, 2]


# --- wires and sinks


def test_what_a_board_writes_is_recorded_before_the_answer_to_it() -> None:
    kept = Kept()
    touched: list[int] = []
    near, far = memory_pair("dali")
    far.receiver = lambda data, t_ns: far.write(b"answer", t_ns)
    heard: list[bytes] = []
    slot = Slot("board", lambda slot: pytest.fail("no controller stands here"))
    slot.index = 9
    link = BoardLink(near, 5, kept, touched, [], slot, 2)
    link.receiver = lambda data, t_ns: heard.append(data)
    link.write(b"question", 77)
    assert kept.all == [(5, "out", b"question", 77), (5, "in", b"answer", 77)]
    assert (heard, touched, link.name) == ([b"answer"], [9, 2], "dali")
    link.pump(77)
    assert link.fileno() is None
    link.close()
    far.write(b"more", 78)
    far.repeat(IDLE_FRAME, 79, 80, 2)
    assert heard == [b"answer"]
    assert (kept.all[-1], kept.bulk) == ((5, "in", b"more", 78), [(5, IDLE_FRAME, 79, 80, 2)])
