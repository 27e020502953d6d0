"""The LD2450 with a name: places, speeds towards the sensor, silence, what it is told to follow."""

from __future__ import annotations

import json

import pytest

from drivers.codecs.ld2450 import EMPTY_FRAME, Target, encode_report
from drivers.devices.ld2450 import Ld2450Radar
from drivers.errors import InputError
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import DeviceHealth, Message, Position, PositionReport, Quantity
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.hilink import Faults, HilinkPeer, Ld2450Answers, ld2450_peer

STEP_NS = 100 * NS_PER_MS
# Hi-Link, LD2450 serial protocol V1.03, 2.3
VENDOR = bytes.fromhex("aaff0300 0e03b186 10004001 0000000000000000 0000000000000000 55cc")


def radar(**more: object) -> tuple[Ld2450Radar, MemoryLink, list[Quantity]]:
    near, far = memory_pair("under-lamp")
    emitted: list[Quantity] = []
    return Ld2450Radar("under-lamp", near, emitted.append, **more), far, emitted  # type: ignore[arg-type]


def walk(device: Ld2450Radar, far: MemoryLink, speed_cm_s: int, step_mm: int, reports: int) -> None:
    """Somebody whose distance changes by `step_mm` a report, and whose speed is told as `speed_cm_s`."""
    for n in range(reports):
        far.write(encode_report([None, Target(300, 3_000 + step_mm * n, speed_cm_s, 320)]), n * STEP_NS)


def test_a_report_gives_place_and_speed_and_a_negative_speed_comes_nearer() -> None:
    _, far, emitted = radar()
    far.write(VENDOR, 7)
    assert emitted == [PositionReport(7, "under-lamp", (Position(-782, 1713, 160),))]


def test_the_sign_of_the_speed_can_be_turned_round() -> None:
    _, far, emitted = radar(positive_is_away=False)
    far.write(VENDOR, 7)
    assert emitted == [PositionReport(7, "under-lamp", (Position(-782, 1713, -160),))]


def test_the_last_one_leaving_is_told_once() -> None:
    _, far, emitted = radar()
    far.write(EMPTY_FRAME + VENDOR[:11], 0)
    assert emitted == []
    far.write(VENDOR[11:] + EMPTY_FRAME + EMPTY_FRAME, 1)
    assert emitted[1:] == [PositionReport(1, "under-lamp", ())]


@pytest.mark.parametrize(
    ("speed_cm_s", "step_mm", "agree", "differ"),
    [(-100, -100, 9, 0), (100, 100, 9, 0), (100, -100, 0, 9), (-100, 100, 0, 9), (-19, -100, 0, 0), (-100, -9, 0, 0)],
)
def test_speeds_are_held_against_places(speed_cm_s: int, step_mm: int, agree: int, differ: int) -> None:
    device, far, _ = radar()
    walk(device, far, speed_cm_s, step_mm, 10)
    counted = device.counters()
    assert (counted["frames"], counted["speeds_agree"], counted["speeds_differ"]) == (10, agree, differ)


def test_places_too_far_apart_in_time_are_not_compared() -> None:
    device, far, _ = radar()
    for n in range(5):
        far.write(encode_report([Target(0, 5_000 - 500 * n, -100, 320)]), n * NS_PER_S)
    assert device.counters()["speeds_agree"] == 0


def test_silence_is_told_once_and_nobody_is_in_view_any_more() -> None:
    device, far, emitted = radar()
    far.write(VENDOR, 0)
    device.advance(2 * NS_PER_S - 1)
    assert len(emitted) == 1
    device.advance(2 * NS_PER_S)
    far.write(EMPTY_FRAME, 3 * NS_PER_S)
    assert emitted[1:] == [
        DeviceHealth(2 * NS_PER_S, "under-lamp", False, "no frame"),
        DeviceHealth(3 * NS_PER_S, "under-lamp", True),
    ]


def test_the_same_place_for_half_an_hour_is_a_frozen_radar() -> None:
    device, far, emitted = radar()
    for second in range(1_802):
        far.write(VENDOR, second * NS_PER_S)
        device.advance(second * NS_PER_S)
    health = [value for value in emitted if isinstance(value, DeviceHealth)]
    assert health == [DeviceHealth(1_800 * NS_PER_S, "under-lamp", False, "frozen value")]


class Desk:
    """A radar and the part at the far end of its wire."""

    def __init__(self, follow: str | None, faults: Faults | None = None) -> None:
        self.radar, far, self.emitted = radar(follow=follow)
        self.answers = Ld2450Answers(faults)
        self.peer: HilinkPeer = ld2450_peer("under-lamp", far, self.answers)
        self.now_ns = 0

    def run(self, until_ns: int) -> None:
        while (next_ns := min(max(self.radar.wake_ns, self.now_ns), self.peer.wake_ns)) <= until_ns:
            self.now_ns = next_ns
            if self.peer.wake_ns <= next_ns:
                self.peer.run(next_ns)
            else:
                self.radar.advance(next_ns)
        self.now_ns = until_ns

    def told(self) -> str:
        words = " ".join(f"{command.command:04x}" for command in self.answers.heard)
        self.answers.heard.clear()
        return words


def test_somebody_who_walks_at_the_peer_comes_nearer() -> None:
    desk = Desk(None)
    desk.run(4 * NS_PER_S)
    reports = [value for value in desk.emitted if isinstance(value, PositionReport)]
    assert [len(report.positions) for report in reports] == [1] * 40 + [0]
    assert {position.speed_mm_s for report in reports for position in report.positions} == {1_000}
    assert desk.radar.counters()["speeds_agree"] == 39
    assert desk.told() == ""


@pytest.mark.parametrize(
    ("follow", "words"), [("one", "00ff 0091 0080 0091 00fe"), ("several", "00ff 0091 00fe"), (None, "")]
)
def test_it_is_told_what_to_follow_where_it_does_not(follow: str | None, words: str) -> None:
    desk = Desk(follow)
    desk.run(60 * NS_PER_S)
    assert desk.told() == words
    assert not [value for value in desk.emitted if isinstance(value, DeviceHealth)]


def test_a_part_that_does_not_follow_says_so() -> None:
    desk = Desk("one", Faults(keeps=frozenset({0x0080})))
    desk.run(NS_PER_S)
    assert DeviceHealth(0, "under-lamp", False, "settings: follow stays several, wanted one") in desk.emitted


def test_orders_read_and_change() -> None:
    desk = Desk(None)
    answers: tuple[tuple[str, tuple[str, ...], dict[str, object]], ...] = (
        ("read-settings", (), {"follow": "several", "zones": {"kind": 0, "rectangles": []}}),
        ("follow", ("one",), {"follow": "one"}),
        ("version", (), {"version": "V1.02.22062416"}),
    )
    for name, args, body in answers:
        desk.radar.order(name, args, desk.now_ns)
        assert desk.emitted[-1] == Message(desk.now_ns, "under-lamp", body)
    desk.answers.settings["00c1"] = "00"
    desk.answers.faults = Faults(keeps=frozenset({0x0090}))
    for name, args, reason in (
        ("read-settings", (), "read-settings: answers command 0x00c1 with too few bytes"),
        ("follow", ("several",), "follow: follow stays one, wanted several"),
    ):
        desk.radar.order(name, args, desk.now_ns)
        assert desk.emitted[-1] == DeviceHealth(desk.now_ns, "under-lamp", False, reason)


def test_what_nobody_can_follow_is_refused_at_once() -> None:
    with pytest.raises(InputError, match='follow "all"; write one or several'):
        Desk("all")


@pytest.mark.parametrize("stop_ms", [0, 50, 150, 1_000, 4_050])
def test_a_restored_radar_goes_on_where_it_stood(stop_ms: int) -> None:
    desk, other = Desk("one", Faults(late_ns=40 * NS_PER_MS)), Desk("one", Faults(late_ns=40 * NS_PER_MS))
    desk.run(stop_ms * NS_PER_MS)
    other.radar.restore(json.loads(json.dumps(desk.radar.snapshot())))
    other.peer.restore(json.loads(json.dumps(desk.peer.snapshot())))
    other.now_ns = desk.now_ns
    desk.emitted.clear()
    for each in (desk, other):
        each.run(12 * NS_PER_S)
    assert other.emitted == desk.emitted
    assert other.radar.snapshot() == desk.radar.snapshot()


def test_before_it_is_due_nothing_changes() -> None:
    desk = Desk("one", Faults(late_ns=40 * NS_PER_MS))
    for until_ms in range(0, 2_000, 37):
        desk.run(until_ms * NS_PER_MS)
        before = json.dumps(desk.radar.snapshot())
        desk.radar.advance(desk.radar.wake_ns - 1)
        assert json.dumps(desk.radar.snapshot()) == before
