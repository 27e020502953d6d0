"""The DALI gateway peer and its gear, alone and with the bus master, under faults, skipping and snapshots."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dali_rig import TICK_NS, DaliRig, spied
from drivers.buses.dali import DaliBus
from drivers.codecs.dali import FADE_TIME_NS
from drivers.devices.lamp import DaliLamp
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth, LampStatus, Quantity
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.peers.dali_gateway import BYTE_NS, DaliGateway
from hil.peers.dali_gear import DaliGear

UNANSWERED_NS = 6 * BYTE_NS + 15_833_333 + 9_166_666 + 2 * BYTE_NS
ANSWERED_NS = 6 * BYTE_NS + 15_833_333 + 12_083_333 + 4 * BYTE_NS
Segment = tuple[int, int, int, int, int]


class Wire:
    """A gateway and whoever types at it."""

    def __init__(self, **options: Any) -> None:
        self.near, far = memory_pair("dali")
        self.segments: list[Segment] = []
        self.heard: list[tuple[str, int]] = []
        self.near.receiver = lambda data, t_ns: self.heard.append((data.decode(), t_ns))
        self.gateway = DaliGateway("dali", far, range(3), lambda *segment: self.segments.append(segment), **options)

    def type(self, text: str, t_ns: int) -> None:
        self.run(t_ns)
        self.near.write(text.encode() + b"\n", t_ns)

    def run(self, to_ns: int) -> None:
        while self.gateway.wake_ns <= to_ns:
            self.gateway.run(self.gateway.wake_ns)

    def ask(self, text: str, t_ns: int) -> list[str]:
        self.type(text, t_ns)
        self.run(t_ns + 90 * NS_PER_MS)
        heard, self.heard = self.heard, []
        return [line.strip() for line, _ in heard]


def test_a_command_takes_29_ms_and_an_answered_query_33_ms() -> None:
    wire = Wire()
    wire.type("h02FE", 0)
    wire.run(NS_PER_S)
    wire.type("h03A0", NS_PER_S)
    wire.run(2 * NS_PER_S)
    assert wire.heard == [("N\n", UNANSWERED_NS), ("JFE\n", NS_PER_S + ANSWERED_NS)]
    assert (UNANSWERED_NS // NS_PER_MS, ANSWERED_NS // NS_PER_MS) == (29, 33)


def test_a_level_acts_when_its_forward_frame_ends() -> None:
    wire = Wire()
    wire.type("h02FE", 0)
    wire.run(NS_PER_S)
    assert wire.segments == [(1, 6 * BYTE_NS + 15_833_333, 0, 254, 0)]


def test_worked_frames_reach_whom_they_name() -> None:
    wire = Wire()
    assert wire.ask("hFEAA", 0) == ["N"]
    assert [wire.ask(f"h0{n}A0", n * NS_PER_S) for n in (1, 3, 5, 7)] == [["JAA"], ["JAA"], ["JAA"], ["N"]]
    assert wire.ask("hFFA0", 9 * NS_PER_S) == ["X"]
    assert wire.ask("h0100", 10 * NS_PER_S) == ["N"]
    assert wire.ask("h0190", 11 * NS_PER_S) == ["J00"]
    assert wire.ask("h0390", 12 * NS_PER_S) == ["J04"]
    assert wire.ask("h0193", 13 * NS_PER_S) == ["N"]
    assert wire.ask("h0393", 14 * NS_PER_S) == ["JFF"]


def test_configuration_counts_only_when_it_comes_twice_in_100_ms_with_nothing_between() -> None:
    wire = Wire()
    wire.ask("hA305", 0)
    gear = wire.gateway.gear[0]
    wire.ask("h012E", 1 * NS_PER_S)
    wire.ask("h012E", 2 * NS_PER_S)
    assert (gear.fade_code, gear.writes) == (0, 0)
    wire.type("h012E", 3 * NS_PER_S)
    wire.type("h0190", 3 * NS_PER_S + 40 * NS_PER_MS)
    wire.ask("h012E", 3 * NS_PER_S + 80 * NS_PER_MS)
    assert (gear.fade_code, gear.writes) == (0, 0)
    wire.type("h012E", 4 * NS_PER_S)
    wire.ask("h012E", 4 * NS_PER_S + 50 * NS_PER_MS)
    assert (gear.fade_code, gear.writes) == (5, 1)
    assert wire.ask("h01A5", 5 * NS_PER_S) == ["J57"]
    assert (wire.gateway.gear[1].fade_code, wire.gateway.overlaps) == (0, 0)


@pytest.mark.parametrize(("answers_twice", "lines"), [(True, ["N", "N"]), (False, ["N"])])
def test_a_frame_sent_twice_by_the_gateway_writes_once(answers_twice: bool, lines: list[str]) -> None:
    wire = Wire(answers_twice=answers_twice)
    wire.ask("hA3FE", 0)
    assert wire.ask("t0160", NS_PER_S) == lines
    assert (wire.gateway.gear[0].groups, wire.gateway.gear[0].writes) == (1, 1)
    wire.ask("h8064", 2 * NS_PER_S)
    assert [wire.gateway.level_at(n, 3 * NS_PER_S) for n in range(3)] == [0x64, 0, 0]


def test_limits_hold_levels_and_are_told() -> None:
    wire = Wire()
    for n, text in enumerate(["hA364", "t012A", "hA332", "t012B", "h00FE"]):
        wire.ask(text, n * NS_PER_S)
    assert wire.ask("h01A0", 6 * NS_PER_S) == ["J64"]
    assert wire.ask("h0190", 7 * NS_PER_S) == ["J0C"]
    wire.ask("h0001", 8 * NS_PER_S)
    assert wire.gateway.level_at(0, 9 * NS_PER_S) == 0x32
    wire.ask("h0105", 9 * NS_PER_S)
    assert wire.gateway.level_at(0, 10 * NS_PER_S) == 0x64


def test_every_setting_is_written_from_dtr0_and_read_back() -> None:
    wire = Wire(level=77)
    wire.ask("t0121", 0)  # store the actual level in DTR0
    assert wire.ask("h0198", NS_PER_S) == ["J4D"]
    settings = [("2A", "A1"), ("2B", "A2"), ("2C", "A4"), ("2D", "A3")]
    for n, (write, query) in enumerate(settings, start=1):
        wire.ask(f"hA3{0x50 - n:02X}", 4 * n * NS_PER_S)
        wire.ask(f"t01{write}", (4 * n + 1) * NS_PER_S)
        assert wire.ask(f"h01{query}", (4 * n + 2) * NS_PER_S) == [f"J{0x50 - n:02X}"]
    gear = wire.gateway.gear[0]
    assert (gear.writes, gear.level_at(99 * NS_PER_S)) == (4, 0x4E)  # the new minimum lifts the lamp
    wire.ask("hA309", 100 * NS_PER_S)
    wire.ask("t012F", 101 * NS_PER_S)
    assert wire.ask("h01A5", 102 * NS_PER_S) == ["J09"]
    for n, text in enumerate(["t016A", "t0161", "t0171"]):
        wire.ask(text, (103 + n) * NS_PER_S)
    assert wire.ask("h01C1", 106 * NS_PER_S) == ["J04"]
    assert wire.ask("h01C0", 107 * NS_PER_S) == ["J00"]
    wire.ask("t0120", 108 * NS_PER_S)  # RESET is not implemented: nothing is written
    assert gear.writes == 8
    wire.ask("h0106", 109 * NS_PER_S)
    assert wire.ask("h01A0", 110 * NS_PER_S) == ["J4E"]


def test_commands_that_overlap_wait_and_are_counted() -> None:
    wire = Wire()
    wire.type("h0001", 0)
    wire.type("h0202", NS_PER_MS)
    wire.type("l010203", 2 * NS_PER_MS)
    wire.run(NS_PER_S)
    assert ([line for line, _ in wire.heard], wire.gateway.overlaps) == (["N\n"] * 3, 2)
    assert [wire.gateway.level_at(n, NS_PER_S) for n in range(2)] == [1, 2]


def test_a_command_behind_a_frame_sent_twice_waits_for_both() -> None:
    wire = Wire()
    wire.type("t0160", 0)
    wire.type("h800A", NS_PER_MS)
    wire.run(NS_PER_S)
    assert [line for line, _ in wire.heard] == ["N\n"] * 3
    assert wire.gateway.level_at(0, NS_PER_S) == 10  # it is in the group by then


def test_rubbish_on_the_wire_is_dropped_and_a_flood_is_bounded() -> None:
    wire = Wire()
    wire.near.write(b"\xff\x00what\nJFE\n" + b"h0001\n" * 100, 0)
    wire.run(100 * NS_PER_S)
    assert len(wire.heard) == 17
    assert wire.gateway.dropped == 1 + 83


def _gear(fade_code: int, level: int = 0) -> tuple[DaliGear, list[Segment]]:
    segments: list[Segment] = []
    return DaliGear(7, lambda *segment: segments.append(segment), level=level, fade_code=fade_code), segments


def test_a_fade_is_a_straight_line_in_level() -> None:
    gear, segments = _gear(4, level=170)
    gear.set_target(254, NS_PER_S, fade=True)
    assert segments == [(7, NS_PER_S, 170, 254, 2 * NS_PER_S)]
    assert [gear.level_at(NS_PER_S + quarter * NS_PER_S // 2) for quarter in range(6)] == [170, 191, 212, 233, 254, 254]
    assert gear.obey(0x90, 2 * NS_PER_S) == 0x14
    assert gear.obey(0x90, 3 * NS_PER_S) == 0x04


def test_a_level_between_two_is_the_nearer_and_half_ways_the_upper() -> None:
    eighths = [NS_PER_S * n // 8 for n in range(9)]
    up, _ = _gear(2, level=100)
    up.set_target(102, 0, fade=True)
    assert [up.level_at(t_ns) for t_ns in eighths] == [100, 100, 101, 101, 101, 101, 102, 102, 102]
    down, _ = _gear(2, level=102)
    down.set_target(100, 0, fade=True)
    assert [down.level_at(t_ns) for t_ns in eighths] == [102, 102, 102, 101, 101, 101, 101, 100, 100]


def test_a_command_during_a_fade_starts_a_full_fade_from_there() -> None:
    gear, segments = _gear(4, level=100)
    gear.set_target(200, 0, fade=True)
    gear.set_target(200, NS_PER_S, fade=True)
    gear.set_target(255, 2 * NS_PER_S, fade=True)
    assert segments == [
        (7, 0, 100, 200, 2 * NS_PER_S),
        (7, NS_PER_S, 150, 200, 2 * NS_PER_S),
        (7, 2 * NS_PER_S, 175, 175, 0),
    ]


def test_a_fade_from_off_starts_at_minimum_and_a_fade_to_off_ends_there() -> None:
    wire = Wire(fade_code=2)
    for gear in wire.gateway.gear.values():
        gear.min_level = 85
    wire.type("h0064", 0)
    wire.type("h0000", 5 * NS_PER_S)
    wire.run(10 * NS_PER_S)
    on_ns, off_ns = 6 * BYTE_NS + 15_833_333, 5 * NS_PER_S + 6 * BYTE_NS + 15_833_333
    assert wire.segments == [
        (0, on_ns, 85, 100, NS_PER_S),
        (0, off_ns, 100, 85, NS_PER_S),
        (0, off_ns + NS_PER_S, 85, 0, 0),
    ]
    assert wire.gateway.wake_ns == FOREVER_NS


def test_a_level_the_lamp_already_shows_starts_nothing() -> None:
    gear, segments = _gear(4, level=170)
    gear.set_target(170, 0, fade=True)
    gear.set_target(255, 0, fade=True)
    assert segments == []


@given(st.lists(st.tuples(st.integers(0, 3 * NS_PER_S), st.integers(0, 255)), max_size=8), st.integers(0, 15))
def test_output_segments_join_and_levels_stay_between_their_ends(steps: list[tuple[int, int]], fade_code: int) -> None:
    gear, segments = _gear(fade_code, level=120)
    t_ns = 0
    for after_ns, level in steps:
        t_ns += after_ns
        if gear.off_ns <= t_ns:
            gear.go_dark()
        shown = gear.level_at(t_ns)
        known = len(segments)
        gear.set_target(level, t_ns, fade=True)
        if len(segments) > known:
            assert segments[-1][2] == (shown or 1 if segments[-1][4] else shown)
            low, high = sorted(segments[-1][2:4])
            assert segments[-1][4] in (0, FADE_TIME_NS[fade_code])
            for at_ns in (0, FADE_TIME_NS[fade_code] // 3, FADE_TIME_NS[fade_code]):
                assert low <= gear.level_at(t_ns + at_ns) <= high


def test_without_bus_power_gear_goes_to_its_failure_level_and_stays_until_told() -> None:
    wire = Wire(level=100, fade_code=4)
    wire.gateway.gear[1].failure_level = 255
    wire.gateway.set_bus_power(False, NS_PER_S)
    wire.run(NS_PER_S + 499 * NS_PER_MS)
    assert wire.segments == []
    wire.run(2 * NS_PER_S)
    assert wire.segments == [(n, NS_PER_S + 500 * NS_PER_MS, 100, 254, 0) for n in (0, 2)]
    assert wire.ask("h00AA", 2 * NS_PER_S) == ["N"]
    wire.gateway.set_bus_power(True, 3 * NS_PER_S)
    wire.run(9 * NS_PER_S)
    assert [wire.gateway.level_at(n, 9 * NS_PER_S) for n in range(3)] == [254, 100, 254]
    wire.ask("h00AA", 9 * NS_PER_S)
    wire.run(20 * NS_PER_S)
    assert wire.gateway.level_at(0, 20 * NS_PER_S) == 170


def test_a_short_dip_of_bus_power_changes_nothing() -> None:
    wire = Wire(level=100)
    wire.gateway.set_bus_power(False, 0)
    wire.gateway.set_bus_power(True, 400 * NS_PER_MS)
    wire.gateway.set_bus_power(True, 450 * NS_PER_MS)
    wire.run(NS_PER_S)
    assert wire.segments == []


def test_a_dead_gear_is_dark_and_mute_and_comes_back_at_its_power_on_level() -> None:
    wire = Wire(level=100)
    wire.gateway.set_gear_dead(0, True, 0)
    assert wire.ask("h01A0", 0) == ["N"]
    wire.ask("hFE10", NS_PER_S)
    wire.gateway.set_bus_power(False, NS_PER_S)
    wire.run(2 * NS_PER_S)
    wire.gateway.set_gear_dead(0, True, 2 * NS_PER_S)
    wire.gateway.set_gear_dead(0, False, 2 * NS_PER_S)
    assert [segment for segment in wire.segments if segment[0] == 0] == [
        (0, 0, 100, 0, 0),
        (0, 2 * NS_PER_S, 0, 254, 0),
    ]


def test_a_silent_gateway_neither_hears_nor_speaks() -> None:
    wire = Wire()
    wire.gateway.set_silent(20 * NS_PER_MS, NS_PER_S)
    assert wire.ask("h0001", 0) == []  # heard before, answered too late to be heard
    assert wire.ask("h0002", 100 * NS_PER_MS) == []
    assert wire.ask("h01A0", NS_PER_S) == ["J01"]
    wire.gateway.set_silent(3 * NS_PER_S, 4 * NS_PER_S)
    wire.gateway.set_silent(5 * NS_PER_S, 6 * NS_PER_S)
    assert [wire.ask("h01A0", n * NS_PER_S) for n in (3, 4, 5, 6)] == [[], ["J01"], [], ["J01"]]


def test_every_nth_answer_can_get_lost() -> None:
    wire = Wire()
    wire.gateway.lose_answers(3)
    assert [wire.ask("h0001", n * NS_PER_S) for n in range(6)] == [["N"], ["N"], [], ["N"], ["N"], []]
    assert wire.gateway.lost_answers == 2


# --- master and gateway together


class Rig(DaliRig):
    """Bus, lamps and gateway in virtual time, driven as a scan cycle drives them."""

    def __init__(
        self, lamps: int = 4, *, tickless: bool = True, groups: dict[int, frozenset[int]] | None = None
    ) -> None:
        near, far = memory_pair("dali")
        self.tickless = tickless
        self.values: list[Quantity] = []
        self.segments: list[Segment] = []
        self.bus = DaliBus("dali", near, emit=self.values.append, groups=groups)
        self.lamps = [DaliLamp(f"lamp-{n}", self.bus, n) for n in range(lamps)]
        self.peer = self.gateway = DaliGateway(
            "dali", far, range(lamps), lambda *segment: self.segments.append(segment), fade_code=1
        )
        for number, members in (groups or {}).items():
            for member in members:
                self.gateway.gear[member].groups |= 1 << number
        for n in range(lamps if groups else 0):
            self.bus.book.confirm(n, self.gateway.gear[n].groups)
        self.wire = spied(far)

    def _configure(self, n: int, failure_level: int, fade_code: int) -> None:
        args, deadline_ns = (n, failure_level, fade_code), self.now_ns + 30 * NS_PER_S
        self.bus.submit("configure_gear", args, self.now_ns, owner="test", deadline_ns=deadline_ns, priority=2)

    def act(self, action: tuple[str, int, int]) -> None:
        """One thing a policy, an installer or the world does at a tick."""
        what, n, value = action
        n %= len(self.lamps)
        if what == "level":
            self.lamps[n].set_level(value, self.now_ns)
        elif what == "all":
            for lamp in self.lamps:
                lamp.set_level(value, self.now_ns)
        elif what == "query":
            self.lamps[n].take_over(self.now_ns)
        elif what == "prepare":
            self._configure(n, value, value % 16)
        elif what == "silent":
            self.gateway.set_silent(self.now_ns, self.now_ns + value * 10 * NS_PER_MS)
        elif what == "lossy":
            self.gateway.lose_answers(value % 5)
        self.bus.advance(self.now_ns)

    def state(self) -> Any:
        lamps = [lamp.snapshot() for lamp in self.lamps]
        return {"now_ns": self.now_ns, "bus": self.bus.snapshot(), "lamps": lamps, "gateway": self.gateway.snapshot()}


ACTION = st.one_of(
    st.tuples(st.just("level"), st.integers(0, 3), st.integers(0, 254)),
    st.tuples(st.just("all"), st.just(0), st.integers(0, 254)),
    st.tuples(st.sampled_from(["query", "prepare"]), st.integers(0, 3), st.integers(0, 254)),
    st.tuples(st.sampled_from(["silent", "lossy"]), st.just(0), st.integers(0, 254)),
)
SCRIPT = st.lists(st.tuples(st.integers(0, 30), ACTION), max_size=15)
GROUPS = {0: frozenset({0, 1}), 3: frozenset({1, 2, 3})}


def _play(rig: Rig, script: list[tuple[int, tuple[str, int, int]]]) -> None:
    for ticks, action in script:
        rig.run(rig.now_ns + ticks * TICK_NS)
        rig.act(action)


@given(SCRIPT)
@settings(max_examples=60)
def test_in_the_end_every_lamp_shows_its_latest_level_whatever_the_faults(
    script: list[tuple[int, tuple[str, int, int]]],
) -> None:
    rig = Rig(groups=GROUPS)
    _play(rig, script)
    wanted: dict[int, int] = {}
    for _, (what, n, value) in script:
        if what == "level":
            wanted[n] = value
        elif what == "all":
            wanted.update(dict.fromkeys(range(4), value))
    rig.gateway.lose_answers(0)
    rig.run(rig.now_ns + 200 * NS_PER_S)
    assert {n: rig.gateway.level_at(n, rig.now_ns) for n in wanted} == wanted
    assert rig.bus.wake_ns == FOREVER_NS
    health = [value.ok for value in rig.values if isinstance(value, DeviceHealth) and value.source == "dali"]
    assert health == [n % 2 == 1 for n in range(len(health))]
    assert len(health) % 2 == 0
    queries = sum(what == "query" for _, (what, _, _) in script)
    reached = len(health) * len(rig.lamps)  # each lamp says that its gateway is lost, or back
    assert sum(isinstance(value, LampStatus) for value in rig.values) == queries + reached


@given(SCRIPT)
@settings(max_examples=60)
def test_never_two_frames_in_flight_and_no_pair_ever_broken(script: list[tuple[int, tuple[str, int, int]]]) -> None:
    rig = Rig(groups=GROUPS)
    _play(rig, [step for step in script if step[1][0] not in ("silent", "lossy")])
    rig.run(rig.now_ns + 60 * NS_PER_S)
    assert rig.gateway.overlaps == 0
    frames = [data for _, data in rig.wire]
    assert all(len(data) == 6 for data in frames)
    for first, second in pairwise(frames):
        if first.startswith(b"hA3"):
            assert second[:1] == b"t"


@given(SCRIPT)
@settings(max_examples=60)
def test_skipping_ticks_and_taking_every_tick_give_the_same_bytes_at_the_same_times(
    script: list[tuple[int, tuple[str, int, int]]],
) -> None:
    skipping, ticking = Rig(tickless=True), Rig(tickless=False)
    for rig in (skipping, ticking):
        _play(rig, script)
        rig.run(rig.now_ns + 5 * NS_PER_S)
    assert skipping.wire == ticking.wire
    assert skipping.segments == ticking.segments
    assert skipping.values == ticking.values
    assert skipping.state() == ticking.state()


@given(SCRIPT, st.integers(0, 15), st.integers(0, 20))
@settings(max_examples=60)
def test_a_run_from_a_snapshot_in_its_middle_is_the_same_run(
    script: list[tuple[int, tuple[str, int, int]]], at: int, ticks_later: int
) -> None:
    rig = Rig(groups=GROUPS)
    _play(rig, script[:at])
    rig.run(rig.now_ns + ticks_later * TICK_NS)
    state = json.loads(json.dumps(rig.state()))
    other = Rig(groups=GROUPS)
    other.now_ns = state["now_ns"]
    other.bus.restore(state["bus"])
    for lamp, saved in zip(other.lamps, state["lamps"], strict=True):
        lamp.restore(saved)
    other.gateway.restore(state["gateway"])
    assert other.state() == state
    for each in (rig, other):
        each.wire.clear()
        each.segments.clear()
        each.values.clear()
        _play(each, script[at:])
        each.run(each.now_ns + 5 * NS_PER_S)
    assert (rig.wire, rig.segments, rig.values) == (other.wire, other.segments, other.values)
    assert rig.state() == other.state()


@given(st.lists(st.integers(0, 254), min_size=1, max_size=4), st.integers(1, 4))
def test_levels_set_while_queries_wait_all_leave_before_the_next_query(levels: list[int], queries: int) -> None:
    rig = Rig()
    for n in range(queries):
        rig.lamps[n].take_over(0)
    rig.bus.advance(0)
    rig.run(120 * NS_PER_MS)  # the first query is in flight
    for n, level in enumerate(levels):
        rig.lamps[n].set_level(level, rig.now_ns)
    rig.run(NS_PER_S)
    is_query = [data[3:5] == b"A0" and int(data[1:3], 16) & 1 == 1 for _, data in rig.wire]
    assert is_query.count(True) == queries
    first_level, last_level = is_query.index(False), len(is_query) - 1 - is_query[::-1].index(False)
    assert (first_level, any(is_query[1:last_level])) == (1, False)


def test_a_restarted_controller_takes_over_what_the_lamps_show() -> None:
    rig = Rig()
    for n, gear in rig.gateway.gear.items():
        gear.set_target(100 + n, 0, fade=False)
    rig.segments.clear()
    for lamp in rig.lamps:
        lamp.take_over(0)
    rig.run(NS_PER_S)
    assert [(value.source, value.level) for value in rig.values if isinstance(value, LampStatus)] == [
        (f"lamp-{n}", 100 + n) for n in range(4)
    ]
    assert rig.segments == []


def test_a_controller_restarted_in_the_middle_of_an_exchange_mistakes_no_answer() -> None:
    rig = Rig()
    for n, gear in rig.gateway.gear.items():
        gear.set_target(100 + n, 0, fade=False)
    rig.gateway.gear[3].fade_code = 0
    rig.lamps[3].set_level(200, 0)
    rig.bus.advance(0)
    rig.run(TICK_NS)
    rig.bus = DaliBus("dali", rig.bus._link, emit=rig.values.append)
    rig.lamps = [DaliLamp(f"lamp-{n}", rig.bus, n) for n in range(4)]
    for lamp in rig.lamps:
        lamp.take_over(rig.now_ns)
    rig.run(2 * NS_PER_S)
    assert [(value.source, value.level) for value in rig.values if isinstance(value, LampStatus)] == [
        ("lamp-0", 100),
        ("lamp-1", 101),
        ("lamp-2", 102),
        ("lamp-3", 200),
    ]
    assert rig.bus.unexpected_lines == 1


def test_configuring_a_lamp_twice_writes_its_memory_once() -> None:
    rig = Rig()
    for _ in range(2):
        for n in range(4):
            rig._configure(n, 200, 5)
        rig.run(rig.now_ns + 10 * NS_PER_S)
    assert [(gear.failure_level, gear.fade_code, gear.writes) for gear in rig.gateway.gear.values()] == [
        (200, 5, 2)
    ] * 4
    assert rig.values == []
