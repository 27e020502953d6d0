"""The DALI bus master against a gateway that answers when the test says so."""

from __future__ import annotations

import json

import pytest

from drivers.buses.dali import DaliBus
from drivers.buses.dali_jobs import MAX_JOBS
from drivers.buses.dali_procedures import Done, query_actual_level
from drivers.buses.dali_settings import configure_gear
from drivers.devices.lamp import DaliLamp
from drivers.errors import LinkLost, OutOfRange
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth, LampStatus, Quantity
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

ALL_IN_TWO_S = 2 * NS_PER_S


class Rig:
    """A bus with lamps, a far end that only listens, and everything that came of it."""

    def __init__(self, lamps: int = 3, groups: dict[int, frozenset[int]] | None = None) -> None:
        near, self.far = memory_pair("dali")
        self.values: list[Quantity] = []
        self.sent: list[bytes] = []
        self.done: list[Done] = []
        self.bus = DaliBus("dali", near, emit=self.values.append, groups=groups)
        self.lamps = [DaliLamp(f"lamp-{n}", self.bus, n) for n in range(lamps)]
        self.far.receiver = lambda data, t_ns: self.sent.append(data)
        self.now_ns = 0

    def go(self, ms: int) -> None:
        """To this time, with a tick there."""
        self.now_ns = ms * NS_PER_MS
        self.bus.advance(self.now_ns)

    def answer(self, text: str, ms: int) -> None:
        """A line from the gateway, between ticks."""
        self.far.write(text.encode() + b"\n", ms * NS_PER_MS)

    def taken(self) -> list[str]:
        """What was sent since the last call."""
        sent, self.sent = self.sent, []
        assert all(data.endswith(b"\n") for data in sent)
        return [data.decode().strip() for data in sent]

    def health(self) -> list[DeviceHealth]:
        return [value for value in self.values if isinstance(value, DeviceHealth)]

    def submit(self, procedure: str, *args: int, deadline_ms: int = 10_000, priority: int = 1) -> None:
        self.bus._listeners["test"] = self.done.append
        deadline_ns = deadline_ms * NS_PER_MS
        self.bus.submit(procedure, args, self.now_ns, owner="test", deadline_ns=deadline_ns, priority=priority)


def test_a_level_leaves_with_the_next_advance_and_the_next_one_when_the_gateway_has_answered() -> None:
    rig = Rig()
    rig.lamps[1].set_level(254, 0)
    assert (rig.taken(), rig.bus.wake_ns) == ([], 0)
    rig.go(0)
    assert rig.taken() == ["h02FE"]
    rig.lamps[2].set_level(170, 0)
    rig.go(20)
    assert rig.taken() == []
    rig.answer("N", 30)
    assert rig.taken() == ["h04AA"]
    rig.answer("N", 60)
    assert (rig.taken(), rig.bus.wake_ns) == ([], FOREVER_NS)


def test_the_latest_level_of_a_lamp_wins_and_keeps_its_turn() -> None:
    rig = Rig()
    rig.lamps[0].set_level(10, 0)
    rig.go(0)
    for lamp, level in ((1, 20), (2, 30), (1, 40), (0, 50)):
        rig.lamps[lamp].set_level(level, 0)
    for ms in (30, 60, 90, 120):
        rig.answer("N", ms)
    assert rig.taken() == ["h000A", "h0228", "h041E", "h0032"]


def test_one_broadcast_serves_all_lamps_that_wait_for_the_same_level() -> None:
    rig = Rig()
    for lamp in rig.lamps:
        lamp.set_level(170, 0)
    rig.go(0)
    rig.answer("N", 30)
    assert rig.taken() == ["hFEAA"]
    for lamp in rig.lamps[:2]:
        lamp.set_level(254, NS_PER_S)
    rig.go(1000)
    rig.answer("N", 1030)
    assert rig.taken() == ["h00FE", "h02FE"]


def test_a_group_serves_its_members_when_all_of_them_wait_for_the_same_level() -> None:
    rig = Rig(5, groups={1: frozenset({1, 2}), 2: frozenset({1, 2, 3})})
    for n in range(5):
        rig.bus.book.confirm(n, rig.bus.book.wanted_groups(n))
    for n, level in ((0, 9), (1, 254), (2, 254), (3, 254)):
        rig.lamps[n].set_level(level, 0)
    rig.go(0)
    rig.answer("N", 30)
    rig.answer("N", 60)
    assert rig.taken() == ["h0009", "h84FE"]
    for n, level in ((3, 9), (2, 8), (1, 8)):
        rig.lamps[n].set_level(level, NS_PER_S)
    rig.go(1000)
    rig.answer("N", 1030)
    rig.answer("N", 1060)
    assert rig.taken() == ["h0609", "h8208"]


def test_a_lone_lamp_is_never_told_by_broadcast() -> None:
    rig = Rig(1)
    rig.lamps[0].set_level(7, 0)
    rig.go(0)
    assert rig.taken() == ["h0007"]


def test_levels_go_before_queries_but_never_between_dtr_and_its_use() -> None:
    rig = Rig()
    rig.submit("configure_gear", 0, 254, 4)
    rig.go(0)
    assert rig.taken() == ["h01A4"]
    rig.lamps[1].set_level(1, 0)
    rig.answer("J00", 30)
    assert rig.taken() == ["h0201"]
    rig.answer("N", 60)
    assert rig.taken() == ["hA3FE"]
    rig.lamps[1].set_level(2, 0)
    rig.answer("N", 90)
    assert rig.taken() == ["t012C"]
    rig.answer("N", 130)
    assert rig.taken() == []  # the second answer of a frame sent twice is still to come
    rig.answer("N", 160)
    assert rig.taken() == ["h0202"]
    for ms, text in ((190, "N"), (220, "JFE"), (250, "J47")):
        rig.answer(text, ms)
    assert rig.taken() == ["h01A4", "h01A5"]
    assert [(done.ok, done.result) for done in rig.done] == [
        (True, {"failure_level": 254, "fade_code": 4, "written": 1})
    ]


def test_a_frame_sent_twice_is_over_when_only_one_answer_came_in_time() -> None:
    rig = Rig()
    rig.submit("configure_gear", 0, 254, 4)
    rig.go(0)
    for ms, text in ((30, "J00"), (60, "N"), (100, "N")):
        rig.answer(text, ms)
    assert rig.taken() == ["h01A4", "hA3FE", "t012C"]
    rig.go(180)
    assert rig.taken() == []
    rig.go(200)
    assert rig.taken() == ["h01A4"]
    assert rig.bus.no_replies == 0


def test_settings_that_are_right_already_are_not_written_again() -> None:
    procedure = configure_gear(0, 254, 4)
    assert next(procedure).frame == 0x01A4
    assert procedure.send(254).frame == 0x01A5
    with pytest.raises(StopIteration) as end:
        procedure.send(0x47)
    assert end.value.value == {"failure_level": 254, "fade_code": 4, "written": 0}


def test_a_gear_that_does_not_know_its_level_has_none() -> None:
    procedure = query_actual_level(5)
    assert next(procedure).frame == 0x0BA0
    with pytest.raises(StopIteration) as end:
        procedure.send(255)
    assert end.value.value is None


def test_smaller_priorities_go_first_and_equal_ones_in_order() -> None:
    rig = Rig()
    for address, priority in ((0, 2), (1, 1), (2, 1)):
        rig.submit("query_status", address, priority=priority)
    rig.go(0)
    for ms in (30, 60, 90):
        rig.answer("J04", ms)
    assert rig.taken() == ["h0390", "h0590", "h0190"]
    assert [done.args for done in rig.done] == [(1,), (2,), (0,)]


def test_a_procedure_ends_at_its_deadline_when_levels_leave_no_gap() -> None:
    rig = Rig()
    rig.lamps[0].set_level(1, 0)
    rig.go(0)
    rig.submit("query_status", 1, deadline_ms=50)
    rig.lamps[0].set_level(2, 0)
    rig.answer("N", 30)
    assert rig.bus.wake_ns == 50 * NS_PER_MS
    rig.go(60)
    assert [(done.ok, done.reason, done.t_ns) for done in rig.done] == [(False, "deadline passed", 60 * NS_PER_MS)]
    rig.answer("N", 62)
    assert (rig.taken(), rig.bus.wake_ns) == (["h0001", "h0002"], FOREVER_NS)


def test_a_running_procedure_past_its_deadline_ends_when_its_frame_is_answered() -> None:
    rig = Rig()
    rig.submit("configure_gear", 0, 254, 0, deadline_ms=20)
    rig.go(0)
    rig.go(40)
    assert rig.done == []
    rig.answer("JFE", 45)
    assert [(done.ok, done.reason) for done in rig.done] == [(False, "deadline passed")]
    assert rig.bus.wake_ns == FOREVER_NS


def test_a_procedure_whose_frame_is_in_flight_outlives_others_that_end_meanwhile() -> None:
    rig = Rig()
    rig.submit("query_status", 0, deadline_ms=20)
    rig.submit("query_status", 1, deadline_ms=30)
    rig.go(0)
    rig.go(40)
    assert [done.args for done in rig.done] == [(1,)]
    rig.answer("J04", 45)
    assert [(done.args, done.ok, done.result) for done in rig.done[1:]] == [((0,), True, 4)]


def test_a_full_queue_refuses_at_once() -> None:
    rig = Rig()
    for _ in range(MAX_JOBS + 1):
        rig.submit("query_status", 0)
    assert [done.reason for done in rig.done] == ["queue is full"]


def test_no_answer_means_again_with_the_newest_level() -> None:
    rig = Rig()
    rig.lamps[0].set_level(10, 0)
    rig.lamps[1].set_level(20, 0)
    rig.go(0)
    rig.lamps[0].set_level(11, 0)
    rig.go(80)
    assert rig.taken() == ["h000A"]
    rig.go(100)
    assert (rig.taken(), rig.bus.no_replies) == (["h000B"], 1)
    rig.answer("N", 130)
    assert rig.taken() == ["h0214"]


def _lose(rig: Rig) -> None:
    rig.lamps[0].set_level(10, 0)
    for ms in (0, 100, 200, 300):
        rig.go(ms)


def test_three_misses_in_a_row_are_a_lost_gateway() -> None:
    rig = Rig()
    _lose(rig)
    assert rig.taken() == ["h000A"] * 3
    assert rig.health() == [DeviceHealth(300 * NS_PER_MS, "dali", False, "gateway lost")]
    assert rig.values[1:] == [LampStatus(300 * NS_PER_MS, f"lamp-{n}", None, "gateway lost") for n in range(3)]
    assert rig.bus.wake_ns == 1300 * NS_PER_MS


def test_a_lost_gateway_is_asked_once_a_second_and_told_all_newest_levels_when_it_is_back() -> None:
    rig = Rig()
    _lose(rig)
    rig.taken()
    rig.lamps[0].set_level(30, rig.now_ns)
    rig.lamps[2].set_level(40, rig.now_ns)
    rig.go(1290)
    assert rig.taken() == []
    rig.go(1300)
    assert rig.taken() == ["h0191"]
    rig.go(1400)
    assert (rig.taken(), rig.bus.wake_ns) == ([], 2300 * NS_PER_MS)
    rig.go(2300)
    rig.answer("JFF", 2330)
    rig.answer("N", 2360)
    rig.answer("N", 2390)
    assert rig.taken() == ["h0191", "h001E", "h0428"]
    assert [value.ok for value in rig.values if isinstance(value, DeviceHealth)] == [False, True]
    assert rig.bus.wake_ns == FOREVER_NS


def test_misses_must_be_in_a_row() -> None:
    rig = Rig()
    rig.lamps[0].set_level(10, 0)
    for ms in (0, 100, 200):
        rig.go(ms)
    rig.answer("N", 230)
    rig.lamps[0].set_level(11, 240 * NS_PER_MS)
    for ms in (240, 340, 440):
        rig.go(ms)
    assert rig.values == []


def test_a_conflict_is_followed_by_a_pause_and_the_same_level() -> None:
    rig = Rig()
    rig.lamps[0].set_level(10, 0)
    rig.go(0)
    rig.answer("Z", 30)
    rig.answer("N", 35)
    assert rig.taken() == ["h000A"]
    rig.go(120)
    assert rig.taken() == []
    rig.go(140)
    assert rig.taken() == ["h000A"]
    assert (rig.bus.conflicts, rig.bus.unexpected_lines) == (1, 1)


def test_conflicts_that_do_not_end_make_the_bus_unhealthy() -> None:
    rig = Rig()
    rig.lamps[0].set_level(10, 0)
    for ms in (0, 200, 400):
        rig.go(ms)
        rig.answer("Z", ms + 30)
    assert rig.health() == [DeviceHealth(430 * NS_PER_MS, "dali", False, "bus conflict")]
    assert rig.bus.wake_ns == 530 * NS_PER_MS
    rig.go(540)
    assert rig.bus.wake_ns == 1430 * NS_PER_MS


def test_two_gear_with_one_address_fail_the_query_and_not_the_bus() -> None:
    rig = Rig()
    rig.submit("query_status", 0)
    for ms in (0, 200, 400):
        rig.go(ms)
        rig.answer("X", ms + 33)
    assert rig.taken() == ["h0190"] * 3
    assert [(done.ok, done.reason) for done in rig.done] == [
        (False, "answers collide: two gear with one short address?")
    ]
    assert rig.values == []


def test_a_configuration_begins_again_when_the_wire_failed_in_its_middle() -> None:
    rig = Rig()
    rig.submit("configure_gear", 0, 254, 0)
    rig.go(0)
    rig.answer("J00", 30)
    rig.answer("N", 60)
    rig.go(160)
    rig.go(260)
    assert rig.taken() == ["h01A4", "hA3FE", "t012C", "h01A4"]


def test_a_word_that_comes_too_late_is_no_answer_to_the_next_question() -> None:
    rig = Rig()
    rig.submit("query_actual_level", 0)
    rig.go(0)
    rig.go(100)  # no word: the question is asked again, but not at once
    assert rig.taken() == ["h01A0"]
    rig.answer("J55", 150)
    rig.go(200)
    assert (rig.taken(), rig.done) == (["h01A0"], [])
    rig.answer("JAA", 230)
    assert [done.result for done in rig.done] == [0xAA]
    assert (rig.bus.unexpected_lines, rig.bus.no_replies) == (1, 1)


def test_a_level_may_go_where_an_atomic_pair_was_broken_by_the_wire() -> None:
    rig = Rig()
    rig.submit("configure_gear", 0, 254, 0)
    rig.go(0)
    rig.answer("J00", 30)
    rig.lamps[1].set_level(5, 40 * NS_PER_MS)
    rig.go(140)  # DTR0 was never answered
    rig.go(240)
    assert rig.taken() == ["h01A4", "hA3FE", "h0205"]


def test_rubbish_and_late_lines_are_counted_and_change_nothing() -> None:
    rig = Rig()
    rig.answer("N", 0)
    rig.far.write(b"\xff?\nh0AFE\n", 0)
    assert (rig.bus.unexpected_lines, rig.bus.gateway.skipped_bytes, rig.taken()) == (2, 3, [])
    assert rig.bus.wake_ns == FOREVER_NS


def test_a_link_that_is_gone_is_a_lost_gateway_and_no_exception() -> None:
    rig = Rig()

    def refuse(data: bytes, t_ns: int) -> None:
        raise LinkLost("dali", t_ns, "unplugged")

    rig.far.receiver = refuse
    _lose(rig)
    assert rig.bus.link_losses == 3
    assert rig.health() == [DeviceHealth(300 * NS_PER_MS, "dali", False, "gateway lost")]


def test_levels_and_addresses_out_of_range_are_refused() -> None:
    rig = Rig()
    with pytest.raises(OutOfRange, match="no level 255"):
        rig.lamps[0].set_level(255, 0)
    with pytest.raises(OutOfRange, match="short address 9"):
        rig.bus.set_level(9, 1, 0)
    with pytest.raises(ValueError, match="already taken"):
        DaliLamp("lamp-again", rig.bus, 0)
    with pytest.raises(ValueError, match="short address 64"):
        DaliLamp("lamp-64", rig.bus, 64)


def test_a_lamp_takes_over_the_level_its_gear_shows_and_writes_nothing() -> None:
    rig = Rig(2)
    for lamp in rig.lamps:
        lamp.take_over(0)
    rig.answer("J55", 20)  # to whoever asked before the restart
    rig.go(80)
    assert rig.taken() == []
    rig.go(100)
    rig.answer("JAA", 133)
    rig.answer("N", 162)
    assert rig.taken() == ["h01A0", "h03A0"]
    assert rig.values == [LampStatus(133 * NS_PER_MS, "lamp-0", 170), LampStatus(162 * NS_PER_MS, "lamp-1", None)]


def test_a_lamp_behind_a_silent_gateway_says_so_in_time() -> None:
    rig = Rig(1)
    rig.lamps[0].take_over(0)
    while rig.now_ns < ALL_IN_TWO_S:
        rig.go(rig.now_ns // NS_PER_MS + 20)
    told = [value for value in rig.values if isinstance(value, LampStatus)]
    assert told[-1] == LampStatus(1_500 * NS_PER_MS, "lamp-0", None, "gateway lost")


def test_a_snapshot_is_json_and_exact() -> None:
    rig = Rig()
    rig.submit("configure_gear", 0, 254, 0)
    rig.submit("query_status", 1)
    rig.go(0)
    rig.answer("J00", 30)
    rig.lamps[1].set_level(5, 40 * NS_PER_MS)
    rig.far.write(b"N", 60 * NS_PER_MS)
    state = json.loads(json.dumps(rig.bus.snapshot()))
    other = Rig()
    other.bus.restore(state)
    assert other.bus.snapshot() == state
    other.now_ns = rig.now_ns
    for each in (rig, other):
        each.taken()
        each.bus._listeners["test"] = each.done.append
        each.far.write(b"\n", 60 * NS_PER_MS)
        for ms in (100, 130, 160, 190, 220, 250, 280):
            each.answer("JFE", ms)
    assert rig.taken() == other.taken()
    assert rig.done == other.done
    assert rig.bus.snapshot() == other.bus.snapshot()


def test_a_snapshot_after_a_configuration_began_again_holds_no_old_answers() -> None:
    rig = Rig()
    rig.submit("configure_gear", 0, 254, 0)
    rig.go(0)
    rig.answer("JFE", 30)
    rig.go(130)
    rig.go(230)
    rig.answer("J00", 260)
    assert rig.taken() == ["h01A4", "h01A5", "h01A4", "hA3FE"]
    other = Rig()
    other.bus.restore(json.loads(json.dumps(rig.bus.snapshot())))
    other.answer("N", 290)
    assert other.taken() == ["t012C"]


def test_a_lamp_that_asks_nothing_by_itself_has_no_timer() -> None:
    lamp = Rig().lamps[0]
    state = lamp.snapshot()
    lamp.advance(0)
    lamp.restore(json.loads(json.dumps(state)))
    assert (lamp.snapshot(), lamp.wake_ns) == (state, FOREVER_NS)


def test_an_in_process_gateway_may_answer_while_the_bytes_leave() -> None:
    near, far = memory_pair("dali")
    sent: list[bytes] = []

    def at_once(data: bytes, t_ns: int) -> None:
        sent.append(data)
        far.write(b"N\n", t_ns)

    far.receiver = at_once
    bus = DaliBus("dali", near, emit=lambda value: None)
    lamps = [DaliLamp(f"lamp-{n}", bus, n) for n in range(3)]
    for n, lamp in enumerate(lamps):
        lamp.set_level(n, 0)
    bus.advance(0)
    assert (sent, bus.wake_ns) == ([b"h0000\n", b"h0201\n", b"h0402\n"], FOREVER_NS)
