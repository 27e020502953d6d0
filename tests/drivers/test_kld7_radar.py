"""The K-LD7 as a device: connecting, settings, asking for frames, and what becomes of every fault."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.codecs.kld7_packets import Target, Tracked, encode_event
from drivers.codecs.kld7_parameters import Parameters
from drivers.devices.kld7 import RETRY_NS, Kld7Radar
from drivers.errors import InputError, LinkLost
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import Quantity, RadarReport
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.kld7 import Kld7Peer, Walk
from radar_desk import RadarDesk

S = NS_PER_S
WALK = Walk(2 * S, 6 * S, 600, -360, 1_839, 6_165)
"""Comes near at 1 m/s for four seconds."""

Lines = list[tuple[int, int, str]]


class Desk(RadarDesk):
    """A radar and its far end in one virtual time."""

    def __init__(self, *, peer: dict[str, Any] | None = None, **device: Any) -> None:
        self.near, self.far = memory_pair("lane-1")
        self.values: list[Quantity] = []
        self.lines: Lines = []
        self.near.on_line = lambda baud, parity, stopbits, t_ns: self.lines.append((t_ns, baud, parity))
        self.radar = Kld7Radar("lane-1", self.near, self.values.append, **device)
        self.peer = Kld7Peer("lane-1", self.far, **(peer or {}))

    @property
    def reports(self) -> list[RadarReport]:
        return [value for value in self.values if isinstance(value, RadarReport)]


def test_it_connects_reads_the_parameters_sets_what_differs_and_reads_again() -> None:
    desk = Desk(settings={"direction": 2, "max_range": 2, "max_speed": 3})
    desk.run(S)
    assert desk.peer.heard[:7] == ["GBYE", "INIT 0", "GRPS", "RSPI 3", "RRAI 2", "GRPS", "GNFD 8"]
    assert set(desk.peer.heard[7:]) == {"GNFD 8"}
    assert (desk.peer.parameters.max_speed, desk.peer.parameters.max_range) == (3, 2)
    assert desk.radar.parameters["software"] == "K-LD7_APP-RFB-0103"
    assert desk.radar.parameters["max_range"] == 2
    assert desk.health == []


def test_what_is_set_already_is_not_written_to_the_part() -> None:
    desk = Desk(settings={"max_range": 1})
    desk.run(S)
    assert desk.peer.heard[:4] == ["GBYE", "INIT 0", "GRPS", "GNFD 8"]


@pytest.mark.parametrize(("speed", "frames"), [(0, 4), (1, 8), (2, 17), (3, 34)])
def test_it_asks_for_every_frame_and_no_oftener(speed: int, frames: int) -> None:
    desk = Desk(peer={"parameters": Parameters(max_speed=speed)})
    desk.run(S)
    before = desk.radar.frames
    desk.run(2 * S)
    assert frames <= desk.radar.frames - before <= frames + 1
    assert desk.radar.busy == 0


def test_a_target_that_comes_near_is_reported_frame_by_frame_and_its_leaving_once() -> None:
    desk = Desk(peer={"walks": [WALK], "parameters": Parameters(max_speed=2)})
    desk.run(8 * S)
    seen = [report.detections[0] for report in desk.reports if report.detections]
    assert len(seen) == pytest.approx(4 * S / (57 * NS_PER_MS), abs=2)
    assert {(one.speed_mm_s, one.angle_deg, one.snr) for one in seen} == {(1000, 18, 62)}
    distances = [one.distance_mm for one in seen]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] <= 6000
    assert [report.detections for report in desk.reports if not report.detections] == [()]
    assert desk.values[-1] == desk.reports[-1]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target(80, -105, 1839, 6165), (800, 292, 18, 62)),  # data sheet, page 19: it approaches
        (Target(80, 105, -1850, 6149), (800, -292, -19, 61)),
        (Target(106, 240, -1310, 4070), (1060, -667, -13, 41)),  # first row of a public log: it recedes
        (Target(1, 0, 49, 0), (10, 0, 0, 0)),
    ],
)
def test_the_part_says_negative_for_approaching_and_we_say_positive(target: Target, expected: tuple[int, ...]) -> None:
    desk = Desk()
    desk.far.write(encode_event(Tracked(target)), 5)
    (report,) = desk.reports
    found = report.detections[0]
    assert (found.distance_mm, found.speed_mm_s, found.angle_deg, found.snr) == expected


def test_the_change_of_bit_rate_is_told_as_line_events_and_everything_after_init_goes_at_the_new_one() -> None:
    desk = Desk(baud=460_800)
    desk.run(S)
    assert [(baud, parity) for _, baud, parity in desk.lines] == [(460_800, "E"), (115_200, "E"), (460_800, "E")]
    assert desk.peer.baud == 460_800
    assert desk.radar.frames > 0
    assert desk.peer.lost_bytes == 0
    assert desk.health == []


def test_a_part_still_at_work_at_the_higher_rate_is_taken_over() -> None:
    desk = Desk(baud=460_800, peer={"baud": 460_800, "connected": True})
    desk.run(S)
    assert desk.peer.heard[:2] == ["GBYE", "INIT 1"]
    assert desk.radar.frames > 0


def test_a_part_at_a_rate_nobody_expects_is_silent_until_its_power_is_cut() -> None:
    desk = Desk(baud=460_800, peer={"baud": 921_600, "connected": True})
    desk.run(5 * S)
    assert desk.radar.frames == 0
    assert desk.health == [(False, "no frame")]
    desk.peer.restart(desk.now_ns)
    desk.run(10 * S)
    assert desk.radar.frames > 0
    assert desk.health == [(False, "no frame"), (True, "")]


def test_a_wrong_bit_rate_is_visible_as_skipped_bytes() -> None:
    desk = Desk(peer={"parameters": Parameters(max_speed=3), "walks": [Walk(0, 9 * S, 500, -1)]})
    desk.run(S)
    assert desk.radar.counters()["skipped_bytes"] == 0
    desk.peer.on_line(57_600, "E", 1, desk.now_ns)  # somebody has changed the port's rate behind our back
    for n in range(40):
        desk.peer._say(encode_event(Tracked(Target(500 + n, -1, 0, 4_000))), desk.now_ns)
    assert desk.radar.counters()["skipped_bytes"] > 100


def test_wrong_parity_is_silence() -> None:
    desk = Desk(parity="N")
    desk.run(5 * S)
    assert desk.radar.frames == 0
    assert desk.peer.lost_bytes > 0
    assert desk.health == [(False, "no frame")]


def test_after_its_power_was_cut_it_is_connected_anew_at_the_first_rate() -> None:
    desk = Desk(baud=921_600)
    desk.run(S)
    desk.peer.restart(desk.now_ns)
    desk.run(3 * S)
    assert desk.radar.counters()["connects"] == 2
    assert desk.peer.baud == 921_600
    assert desk.health == []  # back before anybody had to be told
    frames = desk.radar.frames
    desk.run(4 * S)
    assert desk.radar.frames > frames


def test_silence_is_told_once_ends_the_view_and_is_over_with_the_first_frame() -> None:
    desk = Desk(peer={"walks": [Walk(0, 60 * S, 900, -1)], "silent": [(5 * S, 15 * S)]})
    desk.run(14 * S)
    assert desk.health == [(False, "no frame")]
    assert not desk.radar.snapshot()["in_view"]
    desk.run(20 * S)
    assert desk.health == [(False, "no frame"), (True, "")]
    counters = desk.radar.counters()
    assert counters["no_replies"] > 5
    assert counters["connects"] == 2


def test_a_busy_part_is_asked_again_and_counted_and_at_last_connected_anew() -> None:
    desk = Desk(peer={"busy": [(S, 3 * S)]})
    desk.run(2 * S)
    assert 5 < desk.radar.counters()["busy"] < 30
    assert desk.radar.counters()["connects"] == 1
    desk.run(5 * S)
    assert desk.radar.counters()["connects"] == 2
    assert desk.radar.counters()["no_replies"] == 0
    assert desk.health == []


def test_other_refusals_of_a_frame_are_counted_as_such() -> None:
    desk = Desk(peer={"refuses": {"GNFD": 4}})
    desk.run(S)
    assert desk.radar.counters()["busy"] == 0
    assert desk.radar.counters()["refusals"] > 3


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"refuses": {"RRAI": 2}}, "refuses max_range 2: invalid value"),
        ({"refuses": {"RRAI": 77 - 20}}, "refuses max_range 2: code 57"),
        ({"refuses": {"INIT": 2}}, "refuses 115200 baud: invalid value"),
        ({"refuses": {"GRPS": 1}}, "refuses GRPS: unknown command"),
        ({"forgets": ["RRAI"]}, "max_range stays 1, wanted 2"),
    ],
)
def test_a_part_that_does_not_take_its_settings_is_not_built_on(fault: dict[str, Any], reason: str) -> None:
    desk = Desk(settings={"max_range": 2}, peer=fault)
    desk.run(20 * S)
    assert desk.health == [(False, reason)]
    assert desk.radar.frames == 0
    assert 5 < desk.radar.counters()["refusals"] <= 20 * S // RETRY_NS + 1


@pytest.mark.parametrize("deaf", ["GRPS 0", "RRAI 2"])
def test_a_part_that_falls_silent_while_it_is_set_up_is_tried_again(deaf: str) -> None:
    desk = Desk(settings={"max_range": 2})
    obey = desk.peer._obey

    def half_deaf(name: str, value: int, t_ns: int) -> None:
        if t_ns > 3 * S or f"{name} {value}" != deaf:
            obey(name, value, t_ns)

    desk.peer._obey = half_deaf  # type: ignore[method-assign]
    desk.run(3 * S)
    assert desk.radar.frames == 0
    desk.run(8 * S)
    assert desk.radar.frames > 0
    assert desk.peer.parameters.max_range == 2


def test_a_target_that_stands_exactly_still_is_frozen_and_one_that_moves_is_not() -> None:
    desk = Desk(peer={"walks": [Walk(0, 100 * S, 500, 0)]}, frozen_ns=20 * S)
    desk.run(50 * S)
    assert desk.health == [(False, "frozen value")]
    desk.run(110 * S)
    assert desk.health == [(False, "frozen value"), (True, "")]
    assert desk.reports[-1].detections == ()


class Pulled(MemoryLink):
    """A link that can be unplugged."""

    plugged = True

    def write(self, data: bytes, t_ns: int) -> None:
        if not self.plugged:
            raise LinkLost(self.name, t_ns, "unplugged", data)
        super().write(data, t_ns)


def test_unplugged_and_plugged_in_again_it_goes_on_without_a_restart() -> None:
    near, far = Pulled("lane-1"), MemoryLink("lane-1")
    near.far, far.far = far, near
    desk = Desk()
    desk.near, desk.far = near, far
    desk.radar = Kld7Radar("lane-1", near, desk.values.append)
    desk.peer = Kld7Peer("lane-1", far)
    desk.run(2 * S)
    near.plugged = False
    desk.run(20 * S)
    assert desk.health == [(False, "no frame")]
    assert desk.radar.counters()["link_losses"] > 3
    near.plugged = True
    desk.peer.restart(desk.now_ns)
    desk.run(25 * S)
    assert desk.health == [(False, "no frame"), (True, "")]


def test_half_a_frame_then_silence_costs_that_frame_only() -> None:
    desk = Desk(peer={"walks": [Walk(0, 90 * S, 500, -1)]})
    desk.run(2 * S)
    desk.far.write(encode_event(Tracked(Target(400, -1, 0, 0)))[:9], desk.now_ns)
    desk.run(4 * S)
    assert desk.radar.counters()["skipped_bytes"] == 9
    assert desk.radar.counters()["no_replies"] == 0
    assert desk.health == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"settings": {"max_rnage": 2}}, "lane-1: a K-LD7 has no parameter max_rnage; it has: base_frequency"),
        ({"settings": {"max_range": 4}}, r"lane-1: max_range \(RRAI\) is 0 to 3, not 4"),
        ({"baud": 9600}, "lane-1: a K-LD7 cannot do 9600 baud, only 115200"),
    ],
)
def test_what_the_part_cannot_do_is_refused_at_once(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Desk(**wrong)


faults = st.fixed_dictionaries(
    {
        "silent": st.lists(st.integers(0, 9_000), max_size=2).map(
            lambda starts: [(at * NS_PER_MS, (at + 2_500) * NS_PER_MS) for at in starts]
        ),
        "busy": st.sampled_from([[], [(2 * S, 4 * S)]]),
        "walks": st.just([WALK]),
    }
)


@settings(max_examples=30, deadline=None)
@given(faults, st.integers(0, 12_000), st.sampled_from([115_200, 460_800]))
def test_restored_at_any_time_it_goes_on_the_same(fault: dict[str, Any], at_ms: int, baud: int) -> None:
    one, two = (Desk(peer=fault, baud=baud, settings={"max_speed": 2}) for _ in range(2))
    one.run(at_ms * NS_PER_MS)
    two.run(at_ms * NS_PER_MS)
    two.restored()
    for desk in (one, two):
        desk.run(14 * S)
    two.is_the_same_as(one)


@settings(max_examples=30, deadline=None)
@given(faults, st.lists(st.integers(0, 12_000), max_size=8))
def test_before_its_wake_it_does_nothing_and_changes_nothing(fault: dict[str, Any], moments: list[int]) -> None:
    desk = Desk(peer=fault)
    for ms in sorted(moments):
        desk.run(ms * NS_PER_MS)
        desk.does_nothing_before_its_wake()


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_in_place_of_answers_raise_nothing(chunks: list[bytes]) -> None:
    desk = Desk(peer={"silent": [(0, 1 << 60)]})
    for n, chunk in enumerate(chunks):
        desk.run(n * 100 * NS_PER_MS)
        desk.far.write(chunk, desk.now_ns)
    desk.run(10 * S)
    assert desk.radar.wake_ns > desk.now_ns - 1
