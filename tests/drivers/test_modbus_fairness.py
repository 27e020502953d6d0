"""No slave keeps the others waiting: the bus master against slaves that are dead, slow, babbling, refusing, damaged."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.buses.modbus import BABBLE_NS, MAX_PAUSE_NS, ModbusBus
from drivers.buses.modbus_jobs import Done
from drivers.codecs.modbus_rtu import silence_ns, wire_ns
from drivers.links.memory import memory_pair
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.peers.modbus_models import ModbusModel
from hil.peers.modbus_slaves import Fault, ModbusSlaves

RESPONSE_NS = 100 * NS_PER_MS
TURN_NS = RESPONSE_NS + wire_ns(8 + 7, 9_600, "N") + silence_ns(9_600, "N") + BABBLE_NS
"""The worst turn: a deadline, and a line that does not fall silent."""


class Rig:
    """A bus whose devices ask again at once, and the slaves at its far end; `told` has (t_ns, ok) for each device."""

    def __init__(self, faults: list[Fault | None], **more: Any) -> None:
        near, far = memory_pair("rs485")
        models = [ModbusModel(10 + n, holding={0: n, 1: 0}) for n in range(len(faults))]
        by_number = {n: (fault,) for n, fault in enumerate(faults) if fault is not None}
        self.slaves = ModbusSlaves("rs485", far, models, faults=by_number, **more)
        self.bus = ModbusBus("rs485", near, emit=lambda quantity: None)
        self.told: list[list[tuple[int, bool]]] = [[] for _ in faults]
        self.sets: list[Done] = []
        self.setting: set[int] = set()
        self.now_ns = 0
        for n in range(len(faults)):
            self.bus.add_device(f"d{n}", 10 + n, lambda done, n=n: self._done(n, done), response_ns=RESPONSE_NS)
            self.ask(n)

    def ask(self, n: int) -> None:
        self.bus.submit(
            "read_registers", (10 + n, 3, 0, 1), self.now_ns, owner=f"d{n}", deadline_ns=self.now_ns + 600 * NS_PER_S
        )

    def _done(self, n: int, done: Done) -> None:
        if done.procedure == "set_register":
            self.sets.append(done)
            if n in self.setting and (done.ok or done.refused):
                self.bus.set_register(f"d{n}", 1, done.args[1] + 1 & 0xFFFF, done.t_ns)
            return
        assert not done.ok or done.result == [n]
        self.told[n].append((done.t_ns, done.ok))
        self.now_ns = max(self.now_ns, done.t_ns)
        self.ask(n)

    def run(self, until_ns: int, tick_ns: int = 1) -> None:
        while True:
            wake_ns = min(self.slaves.wake_ns, -(-self.bus.wake_ns // tick_ns) * tick_ns)
            self.now_ns = max(self.now_ns, wake_ns)
            if self.now_ns > until_ns:
                return
            if self.slaves.wake_ns <= self.now_ns:
                self.slaves.run(self.now_ns)
            elif self.bus.wake_ns <= self.now_ns:
                self.bus.advance(self.now_ns)

    def longest_ns(self, n: int, until_ns: int) -> int:
        """The longest time without a good answer."""
        good = [0, *(t_ns for t_ns, ok in self.told[n] if ok), until_ns]
        return max(after - before for before, after in itertools.pairwise(good))


def fault(kind: str, amount: int = 0) -> Fault:
    return Fault(kind, 0, FOREVER_NS, amount)  # type: ignore[arg-type]


within_turn = st.one_of(
    st.none(),
    st.just(fault("dead")),
    st.just(fault("wrong-crc")),
    st.just(fault("half")),
    st.just(fault("wrong-address")),
    st.integers(1, 10).map(lambda code: fault("exception", code)),
    st.integers(0, 90).map(lambda ms: fault("slow", ms * NS_PER_MS)),
    st.integers(1, 140).map(lambda count: fault("babble", count)),
)
"""What a slave can do without talking into another one's turn."""

healthy_kinds = {"", "slow"}


def healthy(faults: list[Fault | None]) -> list[int]:
    return [n for n, each in enumerate(faults) if each is None or each.kind == "slow"]


@settings(max_examples=40, deadline=None)
@given(st.lists(within_turn, min_size=1, max_size=7), st.sampled_from([1, 10 * NS_PER_MS]))
def test_each_healthy_slave_is_polled_within_as_many_worst_turns_as_there_are_slaves(
    faults: list[Fault | None], tick_ns: int
) -> None:
    rig = Rig(faults)
    until_ns = 8 * NS_PER_S
    rig.run(until_ns, tick_ns)
    for n in healthy(faults):
        assert rig.longest_ns(n, until_ns) <= len(faults) * (TURN_NS + 2 * (tick_ns - 1)), (n, faults)
    assert rig.slaves.crowded == 0 or any(each is not None and each.kind == "babble" for each in faults)
    for n in set(range(len(faults))) - set(healthy(faults)):
        assert not any(ok for _, ok in rig.told[n])


@settings(max_examples=20, deadline=None)
@given(st.lists(within_turn, min_size=2, max_size=6), st.data())
def test_registers_that_are_set_all_the_time_leave_the_polls_a_turn_in_nine(
    faults: list[Fault | None], data: st.DataObject
) -> None:
    rig = Rig(faults)
    rig.setting = set(data.draw(st.sets(st.integers(0, len(faults) - 1))))
    for n in rig.setting:
        rig.bus.set_register(f"d{n}", 1, 0, 0)
    until_ns = 15 * NS_PER_S
    rig.run(until_ns)
    for n in healthy(faults):
        assert rig.longest_ns(n, until_ns) <= len(faults) * 9 * TURN_NS
        assert n not in rig.setting or any(done.ok for done in rig.sets)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.none() | st.integers(91, 400).map(lambda ms: fault("slow", ms * NS_PER_MS)), min_size=2, max_size=5),
    st.lists(st.tuples(st.integers(0, 14_000), st.binary(min_size=1, max_size=200)), max_size=6),
)
def test_late_answers_and_babble_that_nobody_asked_for_cost_others_a_poll_but_never_for_long(
    faults: list[Fault | None], babble: list[tuple[int, bytes]]
) -> None:
    rig = Rig(faults)
    for ms, data in babble:
        rig.slaves.say(data, ms * NS_PER_MS)
    until_ns = 30 * NS_PER_S
    rig.run(until_ns)
    for n, each in enumerate(faults):
        if each is None:
            assert rig.longest_ns(n, until_ns) <= MAX_PAUSE_NS * 3 // 2 + len(faults) * TURN_NS
            good = sum(ok for _, ok in rig.told[n])
            assert good > len(rig.told[n]) // 2
            assert good > 30


def test_two_devices_with_one_address_destroy_their_answers_and_nobody_elses() -> None:
    rig = Rig([None, None, None])
    rig.slaves.models[1].address = 10
    rig.run(3 * NS_PER_S)
    assert rig.slaves.collisions > 0
    assert not any(ok for _, ok in rig.told[0])
    assert all(ok for _, ok in rig.told[2])
    assert len(rig.told[2]) > 20
    assert rig.bus.counters()["bad_frames"] > 0


def test_a_slave_that_comes_back_is_polled_again_within_the_longest_pause() -> None:
    rig = Rig([Fault("dead", 0, 60 * NS_PER_S), None])
    rig.run(80 * NS_PER_S)
    back_ns = next(t_ns for t_ns, ok in rig.told[0] if ok)
    assert 60 * NS_PER_S < back_ns < 67.5 * NS_PER_S
    assert all(ok for t_ns, ok in rig.told[0] if t_ns >= back_ns)


@settings(max_examples=20, deadline=None)
@given(st.lists(within_turn, min_size=1, max_size=4), st.integers(0, 3_000))
def test_a_snapshot_of_bus_and_slaves_in_the_middle_changes_nothing(faults: list[Fault | None], ms: int) -> None:
    rig, whole = Rig(faults), Rig(faults)
    rig.run(ms * NS_PER_MS)
    state = json.loads(json.dumps([rig.bus.snapshot(), rig.slaves.snapshot()]))
    other = Rig(faults)
    other.bus.restore(state[0])
    other.slaves.restore(state[1])
    other.now_ns = rig.now_ns
    assert [other.bus.snapshot(), other.slaves.snapshot()] == state
    for each in (rig, other):
        each.told = [[] for _ in faults]
        each.run(5 * NS_PER_S)
    whole.run(5 * NS_PER_S)
    assert other.told == rig.told
    assert other.bus.snapshot() == rig.bus.snapshot() == whole.bus.snapshot()
    assert other.slaves.snapshot() == rig.slaves.snapshot() == whole.slaves.snapshot()
