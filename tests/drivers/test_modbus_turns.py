"""Whose turn it is on a Modbus bus: registers before procedures, everybody in turns, and what is given up."""

from __future__ import annotations

from drivers.buses.modbus import MAX_JOBS
from drivers.codecs.modbus_rtu import read, write
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.peers.modbus_slaves import with_crc
from modbus_bus_rig import READ, READ_ANSWER, Rig, request, value


def test_the_latest_value_of_a_register_wins_and_keeps_its_turn() -> None:
    rig = Rig()
    rig.set(0, 10)
    (first,) = rig.go()
    assert first == request(write(12, 0, 10))
    for register, word in ((1, 20), (2, 30), (1, 40), (0, 50)):
        rig.set(register, word)
    assert rig.bus.levels_waiting
    sent = [first]
    while rig.bus.levels_waiting:
        rig.acknowledge(sent[-1])
        if rig.bus.levels_waiting:
            sent += rig.go()
    assert sent == [first, *(request(write(12, *each)) for each in ((1, 40), (2, 30), (0, 50)))]
    assert [(done.procedure, done.args, done.ok) for done in rig.done] == [
        ("set_register", (0, 10), True),
        ("set_register", (1, 40), True),
        ("set_register", (2, 30), True),
        ("set_register", (0, 50), True),
    ]


def test_a_register_is_written_again_until_it_is_acknowledged_and_then_with_its_newest_value() -> None:
    rig = Rig()
    rig.set(0, 10)
    rig.go()
    rig.go()
    assert (rig.done[-1].ok, rig.done[-1].args) == (False, (0, 10))
    assert not rig.bus.levels_waiting  # whoever waits for levels to leave must not wait for a dead device
    assert rig.go() == [request(write(12, 0, 10))]
    rig.set(0, 11)
    rig.go()
    (again,) = rig.go()
    assert again == request(write(12, 0, 11))
    rig.acknowledge(again)
    assert rig.bus.wake_ns == FOREVER_NS


def test_a_register_that_the_device_refuses_is_given_up() -> None:
    rig = Rig()
    rig.set(0, 10)
    rig.go()
    rig.answer(with_crc(b"\x0c\x86\x03"))
    assert (rig.done[-1].refused, rig.done[-1].reason) == (True, "exception 3, illegal data value")
    assert rig.bus.wake_ns == FOREVER_NS
    assert rig.bus.counters()["refusals"] == 1


def test_registers_of_all_devices_are_set_before_procedures_and_in_turns() -> None:
    rig = Rig()
    rig.ask(12)
    for address in (12, 14):
        for register in (0, 1):
            rig.set(register, 1, address)
    sent = []
    for _ in range(4):
        sent += rig.go()
        rig.acknowledge(sent[-1])
    assert sent == [request(write(*each, 1)) for each in ((12, 0), (14, 0), (12, 1), (14, 1))]
    assert rig.go() == [READ]


def test_after_eight_registers_in_a_row_one_procedure_has_its_turn() -> None:
    rig = Rig()
    rig.ask(13)
    kinds = ""
    for n in range(20):
        rig.set(0, n)
        (sent,) = rig.go()
        kinds += sent[3]
        rig.answer(bytes.fromhex(sent) if sent[3] == "6" else value(13, 1))
        if sent[3] == "3":
            rig.ask(13)
    assert kinds == "66666666366666666366"


def test_procedures_of_all_devices_take_turns_whatever_the_order_they_came_in() -> None:
    rig = Rig()
    for address in (12, 12, 12, 14, 14, 13):
        rig.ask(address)
    sent = []
    for _ in range(6):
        (one,) = rig.go()
        sent.append(int(one[:2], 16))
        rig.answer(value(sent[-1], 1))
    assert sent == [12, 13, 14, 12, 14, 12]


def test_among_the_procedures_of_one_device_the_smaller_priority_goes_first() -> None:
    rig = Rig()
    for register, priority in ((1, 1), (2, 2), (3, 0), (4, 1)):
        rig.ask(12, register, priority=priority)
    sent = []
    for _ in range(4):
        sent += rig.go()
        rig.answer(value(12, 1))
    assert sent == [request(read(12, register)) for register in (3, 1, 4, 2)]


def test_a_procedure_past_its_deadline_fails_but_never_in_the_middle_of_a_transaction() -> None:
    rig = Rig()
    rig.ask(12, deadline_ms=1_000)
    rig.ask(13, 5, deadline_ms=0)
    rig.bus.advance(0)
    assert [(done.args[0], done.reason, done.heard) for done in rig.done] == [(13, "deadline passed", False)]
    rig.now_ns = NS_PER_S + 1
    rig.ask(12, 6, deadline_ms=2_000)
    rig.now_ns = 0
    rig.answer(READ_ANSWER, 1001)
    assert rig.done[-1].result == [12345]


def test_a_procedure_whose_time_ends_in_a_pause_says_what_came_of_its_last_try() -> None:
    rig = Rig()
    rig.submit("write_register", (12, 4, 1), deadline_ms=200)
    while not rig.done:
        rig.go()
    assert (rig.done[-1].t_ns, rig.done[-1].reason[:8]) == (200 * NS_PER_MS, "no reply")
    assert rig.bus.counters()["no_replies"] == 1


def test_a_full_queue_fails_a_procedure_at_once_and_so_does_one_that_cannot_begin() -> None:
    rig = Rig()
    for _ in range(MAX_JOBS + 1):
        rig.ask()
    assert [done.reason for done in rig.done] == ["queue is full"]
    rig.submit("urm14_baud", (13, 2, 99), 13)
    assert rig.done[-1].reason == "bit rate code 99 is none of 1, 3, 4, 5, 6, 7, 8"
