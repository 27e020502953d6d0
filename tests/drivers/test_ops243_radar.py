"""The OPS243-A as a device: set-up with read-back, speeds, signs of life, and what becomes of every fault."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cut_wire import CutWire
from drivers.codecs.ops243 import encode_reply
from drivers.devices.ops243 import DEAF, Ops243Radar
from drivers.errors import InputError
from drivers.links.memory import memory_pair
from drivers.quantities import Quantity, SpeedReport
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.ops243 import Ops243Peer, Pass
from radar_desk import RadarDesk

S = NS_PER_S
COMES = Pass(2 * S, 4 * S, 3_450, 27_344)
GOES = Pass(6 * S, 7 * S, -2_300, 22_706)
START_UP = ["OJ", "UM", "OM", "OT", "R|", "F2", "R>0", "U?"]


class Desk(RadarDesk):
    """A radar and its far end in one virtual time."""

    def __init__(self, *, peer: dict[str, Any] | None = None, **device: Any) -> None:
        self.near = CutWire("radar-1")
        self.far = self.near.far
        self.values: list[Quantity] = []
        self.radar = Ops243Radar("radar-1", self.near, self.values.append, **device)
        self.peer = Ops243Peer("radar-1", self.far, **(peer or {}))

    @property
    def speeds(self) -> list[tuple[int, int | None]]:
        return [(value.speed_mm_s, value.magnitude) for value in self.values if isinstance(value, SpeedReport)]


def test_it_is_set_up_and_its_unit_read_back() -> None:
    desk = Desk()
    desk.run(S)
    assert desk.peer.heard == START_UP
    said = desk.peer.settings
    assert (said.json, said.magnitude, said.time, said.unit, said.places, said.direction) == (
        (True, True, True, "UM", 2, "|")
    )
    counters = desk.radar.counters()
    assert (counters["set_ups"], counters["unconfirmed"], counters["no_replies"]) == (1, 0, 0)
    assert desk.health == []


def test_filters_are_set_where_they_are_asked_for() -> None:
    desk = Desk(unit="UK", direction="inbound", least_speed=5, least_magnitude=30, peer={"passes": [COMES, GOES]})
    desk.run(9 * S)
    assert desk.peer.heard[:9] == ["OJ", "UK", "OM", "OT", "R+", "F2", "R>5", "M>30", "U?"]
    assert desk.speeds == []  # 27 is less than 30


def test_coming_is_positive_and_going_is_negative_in_millimetres_a_second() -> None:
    desk = Desk(peer={"passes": [COMES, GOES]})
    desk.run(9 * S)
    assert desk.speeds == [(3_450, 27)] * 20 + [(-2_300, 23)] * 10
    assert desk.health == []


@pytest.mark.parametrize(("unit", "off"), [("UM", 5), ("UK", 2), ("UC", 1), ("UF", 2), ("US", 3)])
def test_in_whatever_unit_passes_on_the_wire_the_values_are_the_same(unit: str, off: int) -> None:
    """Within the two decimals that the part is told to print."""
    desk = Desk(unit=unit, peer={"passes": [COMES, GOES]})
    desk.run(9 * S)
    assert len(desk.speeds) == 30
    for speed, magnitude in desk.speeds:
        wanted = 3_450 if magnitude == 27 else -2_300
        assert abs(speed - wanted) <= off


def test_an_object_in_between_is_counted_and_no_speed() -> None:
    desk = Desk()
    desk.run(S)
    desk.far.write(encode_reply({"classifier": "object_outbound", "max_speed_mps": 13.39}), desk.now_ns)
    assert desk.radar.counters()["objects"] == 1
    assert desk.speeds == []
    desk.run(30 * S)
    assert desk.health == []


def test_while_nothing_moves_it_is_asked_whether_it_lives_and_while_it_talks_it_is_not() -> None:
    desk = Desk(peer={"passes": [Pass(30 * S, 60 * S, 2_000)]})
    desk.run(30 * S)
    asked = desk.peer.heard.count("U?")
    assert 9 <= asked <= 11
    desk.run(60 * S)
    assert desk.peer.heard.count("U?") <= asked + 1
    assert desk.health == []
    assert desk.radar.counters()["set_ups"] == 1


def test_a_part_that_does_not_answer_is_told_once_and_set_up_again_when_it_is_back() -> None:
    desk = Desk(peer={"silent": [(5 * S, 40 * S)], "passes": [Pass(45 * S, 46 * S, 1_000)]})
    desk.run(39 * S)
    assert desk.health == [(False, "no answer")]
    desk.peer.restart(desk.now_ns)
    desk.run(50 * S)
    assert desk.health == [(False, "no answer"), (True, "")]
    assert desk.radar.counters()["set_ups"] == 2
    assert len(desk.speeds) == 10


def test_a_part_that_talks_but_does_not_hear_is_told_as_such_and_no_speed_of_unknown_unit_leaves() -> None:
    desk = Desk(peer={"deaf": True, "passes": [Pass(0, 60 * S, 1_000)]})
    desk.run(20 * S)
    assert desk.health == [(False, DEAF)]
    assert desk.speeds == []
    assert desk.radar.counters()["early"] == 200


def test_a_part_that_keeps_another_unit_is_not_built_on() -> None:
    desk = Desk(unit="UK", peer={"stubborn": ["UK"], "passes": [COMES]})
    desk.run(20 * S)
    assert desk.health == [(False, "unit stays m-per-sec, wanted km-per-hr")]
    assert desk.speeds == []


def test_replies_that_never_come_are_counted_and_do_not_stop_it() -> None:
    desk = Desk(peer={"stubborn": ["OJ", "OM"], "passes": [COMES]})
    desk.run(5 * S)
    assert desk.radar.counters()["unconfirmed"] == 2
    assert desk.speeds == [(3_450, None)] * 20  # plain lines of time and speed


def test_a_restart_is_noticed_by_lines_that_have_lost_their_time_and_it_is_set_up_again() -> None:
    desk = Desk(unit="UK", peer={"passes": [Pass(2 * S, 20 * S, 2_000)]})
    desk.run(5 * S)
    desk.peer.restart(desk.now_ns)
    desk.run(10 * S)
    assert desk.radar.counters()["set_ups"] == 2
    assert {speed for speed, _ in desk.speeds} == {2_000}  # none was read in the wrong unit
    assert desk.radar.counters()["early"] > 0
    assert desk.health == []


def test_a_restart_in_a_quiet_hour_is_noticed_by_its_unit() -> None:
    desk = Desk(unit="UK")
    desk.run(5 * S)
    desk.peer.restart(desk.now_ns)
    desk.run(12 * S)
    assert desk.radar.counters()["set_ups"] == 2
    assert desk.peer.settings.unit == "UK"
    assert desk.health == []


def test_unplugged_and_plugged_in_again_it_goes_on_without_a_restart() -> None:
    desk = Desk(peer={"passes": [Pass(70 * S, 71 * S, 1_500)]})
    desk.run(5 * S)
    desk.near.cut = True
    desk.run(60 * S)
    assert desk.health == [(False, "no answer")]
    assert desk.radar.counters()["link_losses"] > 5
    desk.near.cut = False
    desk.peer.restart(desk.now_ns)
    desk.run(75 * S)
    assert desk.health == [(False, "no answer"), (True, "")]
    assert len(desk.speeds) == 10


def test_exactly_the_same_speed_and_magnitude_for_a_minute_is_frozen() -> None:
    desk = Desk(peer={"passes": [Pass(2 * S, 100 * S, 2_000), Pass(100 * S, 101 * S, 2_100)]})
    desk.run(99 * S)
    assert desk.health == [(False, "frozen value")]
    desk.run(110 * S)
    assert desk.health == [(False, "frozen value"), (True, "")]


def test_half_a_line_then_silence_costs_that_line_only() -> None:
    desk = Desk(peer={"passes": [COMES]})
    desk.run(S)
    desk.far.write(b'{"speed":"1', desk.now_ns)
    desk.run(5 * S)
    assert len(desk.speeds) == 20
    assert desk.radar.counters()["skipped_bytes"] == 11


@pytest.mark.parametrize(
    "wrong",
    [
        {"unit": "UX"},
        {"direction": "up"},
        {"least_speed": -1},
        {"least_magnitude": 10_000},
        {"ask_ns": 5 * S, "stale_ns": 10 * S},
    ],
)
def test_what_the_part_cannot_do_is_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^radar-1: "):
        Desk(**wrong)


faults = st.fixed_dictionaries(
    {
        "silent": st.lists(st.integers(0, 9_000), max_size=2).map(
            lambda starts: [(at * NS_PER_MS, (at + 12_000) * NS_PER_MS) for at in starts]
        ),
        "stubborn": st.sampled_from([(), ("OM",), ("UM",)]),
        "passes": st.just([COMES, GOES, Pass(22 * S, 23 * S, 4_000)]),
    }
)


@settings(max_examples=30, deadline=None)
@given(faults, st.integers(0, 22_000), st.sampled_from(["UM", "UK"]))
def test_restored_at_any_time_it_goes_on_the_same(fault: dict[str, Any], at_ms: int, unit: str) -> None:
    one, two = (Desk(peer=fault, unit=unit) for _ in range(2))
    one.run(at_ms * NS_PER_MS)
    two.run(at_ms * NS_PER_MS)
    two.restored()
    for desk in (one, two):
        desk.run(30 * S)
    two.is_the_same_as(one)


@settings(max_examples=30, deadline=None)
@given(faults, st.lists(st.integers(0, 25_000), max_size=8))
def test_before_its_wake_it_does_nothing_and_changes_nothing(fault: dict[str, Any], moments: list[int]) -> None:
    desk = Desk(peer=fault)
    for ms in sorted(moments):
        desk.run(ms * NS_PER_MS)
        desk.does_nothing_before_its_wake()


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_raise_nothing(chunks: list[bytes]) -> None:
    desk = Desk(peer={"deaf": True})
    for n, chunk in enumerate(chunks):
        desk.run(n * 100 * NS_PER_MS)
        desk.far.write(chunk, desk.now_ns)
    desk.run(20 * S)
    assert desk.radar.stream.pending_bytes <= 1024


def test_the_far_end_says_what_the_manual_and_a_real_part_say() -> None:
    """UM-003-A pages 7 and 8; the README of sthysel/ops241 for O."""
    near, far = memory_pair("radar-1")
    said: list[bytes] = []
    near.receiver = lambda data, t_ns: said.append(data)
    peer = Ops243Peer("radar-1", far)
    near.write(b"OJUKU???OMR|Oj", 0)
    while peer.wake_ns < S:
        peer.run(peer.wake_ns)
    assert b"".join(said).splitlines() == [
        b'{"OutputFeature":"J"}',
        b'{"Units":"km-per-hr"}',
        b'{"Units":"km-per-hr"}',
        b'{"Product":"OPS243"}',
        b'{"Version":"1.0.0"}',
        b'{"SamplingRate":10000,"resolution":0.0607}',
        b'{"OutputFeature":"M"}',
        b'{"OutputFeature":"j"}',
    ]
