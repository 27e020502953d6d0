"""The Modbus bus master against a far end that answers when the test says so."""

from __future__ import annotations

import json

import pytest

from drivers.buses import modbus_procedures
from drivers.buses.modbus import BABBLE_NS, MAX_HEARD_BYTES, MAX_PAUSE_NS, TURNAROUND_NS
from drivers.buses.modbus_jobs import Done, Pause, Procedure, ask
from drivers.codecs.modbus_rtu import read, write
from drivers.errors import LinkLost
from drivers.quantities import DeviceHealth
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from modbus_bus_rig import READ, READ_ANSWER, RESPONSE_NS, SILENCE_NS, Rig, request, value


def test_a_question_leaves_with_the_next_advance_and_its_answer_comes_back() -> None:
    rig = Rig()
    assert rig.bus.wake_ns == FOREVER_NS
    rig.ask()
    assert (rig.taken(), rig.bus.wake_ns) == ([], 0)
    assert rig.go() == [READ]
    rig.answer(READ_ANSWER)
    assert rig.done == [Done(rig.now_ns, "read_registers", (12, 3, 5, 1), True, [12345])]
    assert rig.bus.wake_ns == FOREVER_NS
    assert rig.bus.counters()["frames"] == 1


def test_the_next_request_waits_for_three_and_a_half_characters_of_silence() -> None:
    rig = Rig()
    rig.ask()
    rig.ask(13)
    assert rig.go() == [READ]
    rig.answer(READ_ANSWER)
    assert rig.bus.wake_ns == rig.now_ns + SILENCE_NS
    rig.bus.advance(rig.now_ns + SILENCE_NS - 1)
    assert rig.taken() == []
    assert rig.go() == [request(read(13, 5))]


def test_a_reply_in_pieces_with_rubbish_around_it_is_taken_and_the_rubbish_counted() -> None:
    rig = Rig()
    rig.ask()
    rig.go()
    for byte in b"\x00\x0c\x03" + READ_ANSWER:
        rig.answer(bytes((byte,)), 1)
    rig.answer(b"\xff")
    assert [done.result for done in rig.done] == [[12345]]
    assert rig.bus.counters()["skipped_bytes"] == 3
    assert rig.bus.counters()["unexpected_bytes"] == 1


def test_a_device_that_does_not_answer_costs_its_deadline_and_pauses_longer_each_time() -> None:
    rig = Rig()
    rig.bus.add_device("other", 20, rig.done.append, response_ns=10 * NS_PER_MS)
    pauses = []
    for _ in range(9):
        rig.ask()
        assert rig.go() == [READ]
        sent_ns = rig.now_ns
        rig.go()
        assert rig.now_ns - sent_ns == RESPONSE_NS + 15 * NS_PER_S // 960  # 8 and 7 bytes at 9600 baud
        assert not rig.done[-1].ok
        assert not rig.done[-1].heard
        rig.ask()
        pauses.append(rig.bus.wake_ns - rig.now_ns)
        rig.bus._slaves[12].jobs.clear()
    share = 512 + (12 * 158 & 0xFF)  # of this address
    assert pauses == [min(RESPONSE_NS << n, MAX_PAUSE_NS) * share // 512 for n in range(9)]
    assert rig.bus.counters()["no_replies"] == 9
    rig.ask()
    rig.go()
    rig.answer(READ_ANSWER)
    assert rig.bus._slaves[12].pause_until_ns == 0


def test_a_device_that_pauses_takes_no_turn_of_others() -> None:
    rig = Rig()
    rig.ask(12)
    rig.go()
    rig.go()
    for _ in range(3):
        rig.ask(12)
        rig.ask(13)
        assert rig.go() == [request(read(13, 5))]
        rig.answer(value(13, 1))


def test_a_late_answer_is_dropped_and_counted() -> None:
    rig = Rig()
    rig.ask()
    rig.go()
    rig.go()
    rig.answer(READ_ANSWER)
    assert rig.bus.counters()["unexpected_bytes"] == 7
    rig.ask(13)
    rig.go()
    rig.answer(READ_ANSWER + value(13, 7))
    assert [done.result for done in rig.done] == [None, [7]]


def test_rubbish_soon_after_another_devices_silence_is_not_held_against_whoever_was_asked() -> None:
    rig = Rig()
    rig.ask(12)
    rig.go()
    rig.go()  # 12 is silent, and may be about to answer
    rig.ask(13)
    rig.go()
    rig.answer(READ_ANSWER[:5])
    rig.go()
    assert (rig.done[-1].ok, rig.bus._slaves[13].misses, rig.bus._slaves[13].pause_until_ns) == (False, 0, 0)
    rig.now_ns += 500 * NS_PER_MS
    rig.ask(13)
    rig.go()
    rig.answer(READ_ANSWER[:5])
    rig.go()
    assert (rig.done[-1].ok, rig.bus._slaves[13].misses) == (False, 1)


def test_a_damaged_reply_ends_the_transaction_at_once() -> None:
    rig = Rig()
    rig.ask()
    rig.go()
    rig.answer(READ_ANSWER[:-1] + b"\x00")
    (done,) = rig.done
    assert (done.ok, done.heard, done.refused, done.verdict) == (False, True, False, False)
    assert "two devices with one address" in done.reason
    assert (rig.bus.counters()["bad_frames"], rig.bus.counters()["skipped_bytes"]) == (1, 7)


def test_babble_cannot_hold_the_bus_beyond_the_deadline_nor_fill_it() -> None:
    rig = Rig()
    rig.ask()
    rig.ask(13)
    rig.go()
    deadline_ns = rig.bus.wake_ns
    for _ in range(deadline_ns // NS_PER_MS - 1):
        rig.answer(b"\x55" * 20, 1)
        assert len(rig.bus._heard) <= MAX_HEARD_BYTES
        assert rig.bus.wake_ns == deadline_ns
    rig.now_ns = deadline_ns
    rig.bus.advance(deadline_ns)
    assert not rig.done[-1].ok
    assert rig.bus.counters()["skipped_bytes"] == 20 * (deadline_ns // NS_PER_MS - 1)
    rig.answer(b"\x55", 1)
    began_ns = rig.now_ns
    while rig.bus.wake_ns > rig.now_ns + NS_PER_MS:  # the line never falls silent
        rig.answer(b"\x55", 1)
    assert rig.go() == [request(read(13, 5))]
    assert rig.now_ns == began_ns + BABBLE_NS
    rig.answer(b"\x55" * 600 + value(13, 7))
    assert rig.done[-1].result == [7]


def pausing(address: int, ms: int) -> Procedure:
    yield Pause(ms * NS_PER_MS)
    first = yield from ask(read(address, 1))
    yield Pause(ms * NS_PER_MS)
    second = yield from ask(read(address, 2))
    return [*first, *second]


def telling_all(register: int, word: int) -> Procedure:
    yield from ask(write(0, register, word))
    return [1]


def asking_elsewhere(address: int) -> Procedure:
    answer = yield read(address, 0)
    return [int(answer.heard)]


@pytest.fixture(autouse=True)
def more_procedures(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in (pausing, telling_all, asking_elsewhere):
        monkeypatch.setitem(modbus_procedures.PROCEDURES, each.__name__, each)  # type: ignore[arg-type]


def test_while_one_procedure_pauses_others_have_the_bus() -> None:
    rig = Rig()
    rig.submit("pausing", (12, 50))
    rig.ask(12)
    assert rig.go() == [READ]
    rig.answer(READ_ANSWER)
    assert rig.go() == [request(read(12, 1))]
    assert rig.now_ns == 50 * NS_PER_MS
    rig.answer(value(12, 7))
    assert rig.bus.wake_ns == rig.now_ns + 50 * NS_PER_MS
    assert rig.go() == [request(read(12, 2))]
    rig.answer(value(12, 8))
    assert rig.done[-1].result == [7, 8]


def test_nobody_answers_a_broadcast_and_nobody_is_asked_before_its_turnaround_is_over() -> None:
    rig = Rig()
    rig.submit("telling_all", (8, 4))
    rig.ask(13)
    (sent,) = rig.go()
    assert sent == request(write(0, 8, 4))
    rig.answer(b"\x00", 5)
    assert rig.bus.wake_ns == TURNAROUND_NS + 8 * 10 * NS_PER_S // 9_600 + 1
    assert rig.go() == [request(read(13, 5))]
    assert (rig.done[-1].ok, rig.done[-1].result) == (True, [1])
    assert (rig.bus.counters()["frames"], rig.bus.counters()["unexpected_bytes"]) == (0, 1)


def test_asking_an_address_that_is_not_ones_own_is_no_fault_of_ones_own() -> None:
    rig = Rig()
    for reply, heard in ((b"", 0), (value(99, 1), 1)):
        rig.submit("asking_elsewhere", (99,))
        assert rig.go() == [request(read(99, 0))]
        if reply:
            rig.answer(reply)
        else:
            rig.go()
        assert rig.done[-1].result == [heard]
    assert (rig.bus._slaves[12].misses, rig.bus._slaves[12].pause_until_ns) == (0, 0)


def test_a_lost_link_is_said_once_and_ends_all_pauses_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    original = rig.near.write

    def gone(data: bytes, t_ns: int) -> None:
        raise LinkLost("rs485", t_ns, "unplugged")

    monkeypatch.setattr(rig.near, "write", gone)
    rig.submit("telling_all", (8, 4))
    for _ in range(3):
        rig.ask(13)
    while len(rig.done) < 3:
        rig.go()
    assert {done.reason for done in rig.done} == {"the link is lost"}
    assert rig.bus.counters()["link_losses"] == 3
    assert rig.values == [DeviceHealth(0, "rs485", False, "link lost")]
    monkeypatch.setattr(rig.near, "write", original)
    assert rig.bus._slaves[13].misses == 2
    assert rig.go() == [request(read(13, 5))]
    assert rig.values[1:] == [DeviceHealth(rig.now_ns, "rs485", True)]
    assert rig.bus._slaves[13].misses == 0


def test_addresses_and_names_are_taken_once_but_outputs_of_one_module_share() -> None:
    rig = Rig()
    for owner, address, part in (("new", 12, ""), ("new", 12, "ao8"), ("at-12", 30, "")):
        with pytest.raises(ValueError, match="already taken"):
            rig.bus.add_device(owner, address, rig.done.append, part=part)
    for address in (0, 248):
        with pytest.raises(ValueError, match="is not 1 to 247"):
            rig.bus.add_device("new", address, rig.done.append)
    rig.bus.add_device("lamp-1", 1, rig.done.append, part="ao8")
    rig.bus.add_device("lamp-2", 1, rig.done.append, part="ao8")
    with pytest.raises(ValueError, match="already taken"):
        rig.bus.add_device("lamp-3", 1, rig.done.append, part="other")


def test_before_its_time_the_bus_does_nothing_and_changes_nothing() -> None:
    rig = Rig()
    rig.submit("pausing", (12, 50))
    rig.ask(13)
    while rig.bus.wake_ns < FOREVER_NS:
        before = rig.bus.snapshot()
        rig.bus.advance(rig.bus.wake_ns - 1)
        assert (rig.bus.snapshot(), rig.taken()) == (before, [])
        rig.go()


@pytest.mark.parametrize("steps", range(14))
def test_a_snapshot_anywhere_is_taken_over_exactly(steps: int) -> None:
    def play(rig: Rig, steps: int) -> None:
        for _ in range(steps):
            for sent in rig.go():
                address = int(sent[:2], 16)
                if address == 14:
                    continue  # does not answer
                reply = bytes.fromhex(sent) if sent[2:4] == "06" else value(address, 9)
                rig.answer(reply[:4])
                rig.answer(reply[4:])

    rig = Rig()
    rig.submit("pausing", (12, 50))
    rig.submit("pausing", (13, 5), 13)
    rig.submit("write_register", (14, 4, 1), 14)
    rig.set(0, 1, 14)
    rig.set(1, 2, 13)
    play(rig, steps)
    if steps % 2 and rig.bus._flight:
        rig.answer(b"\x0c", 1)
    other = Rig()
    other.now_ns = rig.now_ns
    other.bus.restore(json.loads(json.dumps(rig.bus.snapshot())))
    assert other.bus.snapshot() == rig.bus.snapshot()
    rig.done.clear()
    play(rig, 8)
    play(other, 8)
    assert (other.done, other.bus.snapshot()) == (rig.done, rig.bus.snapshot())
    assert rig.done
