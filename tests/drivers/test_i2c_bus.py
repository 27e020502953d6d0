"""The master of an I2C bus: who goes first, what each failure is called, and that it never waits and never mixes up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drivers.buses.i2c import LEVEL, MAX_JOBS, I2cBus
from drivers.buses.i2c_procedures import Done
from drivers.errors import LinkLost
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import DeviceHealth, Quantity
from drivers.transfers import BROKEN, LOST, NACK, OK, STATUS_TEXT, STUCK, Reply, Request, encode_reply
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from i2c_bus_rig import LATER, PROCEDURES, Bench


def test_a_procedure_gets_what_it_read_and_its_owner_hears_the_result() -> None:
    bench = Bench()
    bench.submit("read", 0x40)
    assert bench.bus.wake_ns == 0
    bench.bus.advance(0)
    bench.answer(data=b"\x11")
    bench.answer(data=b"\x22\x33", t_ns=5)
    assert bench.requests == [Request(0x40, b"\x02", 1), Request(0x40, b"\x03", 2)]
    assert bench.done == [("a", Done(5, "read", (0x40,), True, ["11", "2233"]))]
    assert bench.bus.counters()["frames"] == 2
    assert bench.bus.wake_ns == FOREVER_NS


def test_a_lamps_level_goes_before_reads_and_between_the_transfers_of_another_owner() -> None:
    bench = Bench()
    bench.submit("read", 0x40)
    bench.submit("read", 0x41)
    bench.bus.advance(0)
    bench.submit("write", 0x58, 7, owner="b", priority=LEVEL)
    assert bench.bus.levels_waiting
    bench.answer(data=b"\x11")
    assert bench.requests[-1] == Request(0x58, b"\x01\x07")
    bench.answer()
    assert bench.requests[-1] == Request(0x40, b"\x03", 2)
    assert not bench.bus.levels_waiting


def test_procedures_of_one_owner_never_interleave() -> None:
    bench = Bench()
    bench.submit("patient", 0x41, 5)
    bench.bus.advance(0)
    bench.submit("write", 0x41, 7, priority=LEVEL)
    bench.answer()
    assert len(bench.requests) == 1, "the level waits for the pause of its own chip"
    assert bench.bus.wake_ns == 5 * NS_PER_MS
    bench.bus.advance(5 * NS_PER_MS)
    assert bench.requests[-1].data == b"\x01"
    bench.answer(t_ns=5 * NS_PER_MS)
    assert bench.requests[-1].data == b"\x01\x07"


def test_others_use_the_bus_during_a_pause() -> None:
    bench = Bench()
    bench.submit("patient", 0x41, 5)
    bench.bus.advance(0)
    bench.answer()
    bench.submit("write", 0x58, 1, owner="b", now_ns=1)
    bench.bus.advance(1)
    assert bench.requests[-1].address == 0x58
    bench.answer(t_ns=2)
    assert bench.bus.wake_ns == 5 * NS_PER_MS


def test_a_procedure_may_begin_and_end_with_a_pause() -> None:
    bench = Bench()
    bench.submit("sleeper", 3, now_ns=1000)
    bench.bus.advance(1000)
    assert bench.results == []
    assert bench.bus.wake_ns == 1000 + 3 * NS_PER_MS
    bench.bus.advance(bench.bus.wake_ns)
    assert bench.results == ["slept"]


def test_a_waiting_level_is_replaced_by_a_later_one_in_its_place() -> None:
    bench = Bench()
    bench.submit("write", 0x58, 1, priority=LEVEL, slot="0")
    bench.submit("write", 0x58, 9, priority=LEVEL, slot="1")
    bench.submit("write", 0x58, 2, priority=LEVEL, slot="0")
    bench.bus.advance(0)
    bench.submit("write", 0x58, 3, priority=LEVEL, slot="0")  # that one is on its way: not to be replaced
    for _ in range(3):
        bench.answer()
    assert [request.data[1] for request in bench.requests] == [2, 9, 3]
    assert len(bench.done) == 3


@pytest.mark.parametrize(
    ("status", "counter"),
    [(NACK, "refusals"), (STUCK, "stuck"), (BROKEN, "broken")],
)
def test_each_failure_has_a_name_a_counter_and_ends_the_procedure(status: int, counter: str) -> None:
    bench = Bench()
    bench.submit("read", 0x40)
    bench.bus.advance(0)
    bench.answer(status)
    assert bench.results == [STATUS_TEXT[status]]
    assert bench.bus.counters()[counter] == 1
    assert bench.bus.counters()["frames"] == 0


def test_a_lost_arbitration_is_tried_again_twice_at_once() -> None:
    bench = Bench()
    bench.submit("write", 0x58, 1)
    bench.bus.advance(0)
    bench.answer(LOST)
    bench.answer(LOST)
    bench.answer()
    assert (len(bench.requests), bench.results) == (3, [None])
    bench.submit("write", 0x58, 1)
    bench.bus.advance(0)
    for _ in range(3):
        bench.answer(LOST)
    assert bench.results[-1] == STATUS_TEXT[LOST]
    assert bench.bus.counters()["lost_arbitrations"] == 5


def test_a_procedure_that_asks_gets_the_failure_as_an_answer() -> None:
    bench = Bench()
    bench.submit("asked", 0x40)
    bench.bus.advance(0)
    bench.answer(NACK)
    assert bench.results == [NACK]


def test_a_reply_with_another_number_of_bytes_is_a_broken_adapter() -> None:
    bench = Bench()
    bench.submit("read", 0x40)
    bench.bus.advance(0)
    bench.answer(data=b"\x01\x02")
    assert bench.results == [STATUS_TEXT[BROKEN]]


def test_three_failures_of_the_wire_are_told_once_and_so_is_its_return() -> None:
    bench = Bench()
    for _ in range(4):
        bench.submit("write", 0x58, 1)
        bench.bus.advance(0)
        bench.answer(STUCK, t_ns=7)
    bench.submit("write", 0x58, 1)
    bench.bus.advance(8)
    bench.answer(NACK, t_ns=9)  # somebody not being there says that the wire works
    assert bench.heard == [DeviceHealth(7, "i2c", False, STATUS_TEXT[STUCK]), DeviceHealth(9, "i2c", True)]


def test_nothing_is_sent_after_a_missing_reply_until_it_came_late() -> None:
    bench = Bench()
    bench.submit("read", 0x40)
    bench.submit("read", 0x41, owner="b")
    bench.bus.advance(0)
    assert bench.bus.wake_ns == 2 * NS_PER_S
    bench.bus.advance(2 * NS_PER_S)
    assert bench.results == ["the adapter does not reply"]
    assert len(bench.requests) == 1
    bench.answer(data=b"\x11", t_ns=3 * NS_PER_S)
    assert bench.requests[-1] == Request(0x41, b"\x02", 1)
    assert bench.bus.counters()["unexpected_replies"] == bench.bus.counters()["no_replies"] == 1


def test_a_reply_that_never_comes_is_waited_for_only_so_long() -> None:
    bench = Bench()
    bench.submit("read", 0x40)
    bench.submit("read", 0x41, owner="b")
    bench.bus.advance(0)
    bench.bus.advance(2 * NS_PER_S)
    assert bench.bus.wake_ns == 4 * NS_PER_S
    bench.bus.advance(4 * NS_PER_S)
    assert bench.requests[-1].address == 0x41


def test_a_reply_from_another_address_is_dropped_and_counted() -> None:
    bench = Bench()
    bench.answer(address=0x10)
    bench.submit("read", 0x40)
    bench.bus.advance(0)
    bench.answer(address=0x41, data=b"\x11")
    assert bench.results == []
    assert bench.bus.counters()["unexpected_replies"] == 2


def test_work_ends_at_its_deadline_but_not_with_a_transfer_in_flight() -> None:
    bench = Bench()
    bench.submit("read", 0x40, deadline_ns=10)
    bench.submit("read", 0x41, owner="b", deadline_ns=20)
    bench.bus.advance(0)
    bench.bus.advance(20)
    assert bench.results == ["deadline passed"]
    bench.answer(data=b"\x11", t_ns=30)
    assert bench.results == ["deadline passed", "deadline passed"]
    assert bench.bus.wake_ns == FOREVER_NS


def test_a_full_queue_fails_the_next_at_once() -> None:
    bench = Bench()
    for _ in range(MAX_JOBS + 1):
        bench.submit("read", 0x40)
    assert bench.results == ["queue is full"]


class Gone(MemoryLink):
    def write(self, data: bytes, t_ns: int) -> None:
        raise LinkLost(self.name, t_ns, "switched off", data)


def test_a_link_that_is_lost_fails_the_procedure_at_once_with_the_mend() -> None:
    heard: list[Quantity] = []
    done: list[Done] = []
    bus = I2cBus("i2c", Gone("i2c"), emit=heard.append)
    bus.attach("a", PROCEDURES, done.append)
    for _ in range(3):
        bus.submit("a", "read", (0x40,), 0, deadline_ns=LATER)
    bus.advance(0)
    assert [each.reason for each in done] == ["switched off"] * 3
    assert heard == [DeviceHealth(0, "i2c", False, "switched off")]
    assert bus.counters()["link_losses"] == 3


def test_a_name_can_be_attached_only_once() -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="already a a"):
        bench.bus.attach("a", PROCEDURES, lambda done: None)


def test_an_owner_may_submit_from_its_own_end() -> None:
    bench = Bench()
    bench.bus.attach(
        "c", PROCEDURES, lambda done: bench.submit("write", 0x59, 1) if done.procedure == "asked" else None
    )
    bench.submit("asked", 0x40, owner="c")
    bench.bus.advance(0)
    bench.answer(NACK)
    assert bench.requests[-1].address == 0x59


def test_many_transfers_answered_inside_the_write_need_no_deep_stack() -> None:
    def long(count: int) -> Iterator[Request]:
        for _ in range(count):
            yield Request(0x40, b"\x00")

    near, far = memory_pair("i2c")
    far.receiver = lambda data, t_ns: far.write(encode_reply(Reply(0x40, OK)), t_ns)
    done: list[Done] = []
    bus = I2cBus("i2c", near, emit=lambda value: None)
    bus.attach("a", {"long": long}, done.append)  # type: ignore[dict-item]
    bus.submit("a", "long", (5000,), 0, deadline_ns=LATER)
    bus.advance(0)
    assert done[0].ok
