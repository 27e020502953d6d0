"""The LD2410 with a name: who is there, moving or still, calibration, silence, its settings."""

from __future__ import annotations

import json

import pytest

from drivers.codecs.ld2410 import BOTH, CALIBRATING, MOVING, STILL, Gates, Report, encode_report
from drivers.devices.ld2410 import Ld2410Sensor, Ld2410Settings
from drivers.errors import InputError
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import DeviceHealth, Message, Presence, Quantity
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.hilink import Faults, HilinkPeer, Ld2410Answers, ld2410_peer

# Hi-Link, LD2410C serial protocol V1.00, 2.3.2; the second is a real frame of a public driver
VENDOR = bytes.fromhex("f4f3f2f1 0d00 02aa 02 5100 00 0000 3b 0000 5500 f8f7f6f5")
REAL = bytes.fromhex("f4f3f2f1 0d00 02aa 03 4f00 64 4c00 64 3200 5500 f8f7f6f5")
NOBODY_THERE = bytes.fromhex("f4f3f2f1 0d00 02aa 00 4500 3e 0000 3a 0000 5500 f8f7f6f5")


def sensor(
    settings: Ld2410Settings | None = None, frozen_ns: int = 0
) -> tuple[Ld2410Sensor, MemoryLink, list[Quantity]]:
    near, far = memory_pair("bay-3")
    emitted: list[Quantity] = []
    return Ld2410Sensor("bay-3", near, emitted.append, settings=settings, frozen_ns=frozen_ns), far, emitted


@pytest.mark.parametrize(
    ("frame", "moving_mm", "still_mm"),
    [
        (VENDOR, None, 810),  # still, and its distance in the other's place
        (REAL, 790, 760),
        (encode_report(Report(MOVING, 145, 60, 210, 40, 145)), 1450, None),
        (encode_report(Report(STILL, 145, 0, 210, 40, 145)), None, 2100),
        (encode_report(Report(BOTH, 70, 52, 0, 60, 0)), 700, 0),
        (encode_report(Report(STILL, 145, 0, 210, 40, 145, Gates(8, 8, (1,) * 9, (2,) * 9, 3, 1))), None, 2100),
    ],
)
def test_a_report_says_who_is_there(frame: bytes, moving_mm: int | None, still_mm: int | None) -> None:
    _, far, emitted = sensor()
    far.write(frame, 7)
    assert emitted == [Presence(7, "bay-3", moving_mm, still_mm)]


def test_nobody_is_nobody_whatever_distance_stands_beside_and_told_once() -> None:
    _, far, emitted = sensor()
    far.write(NOBODY_THERE, 0)
    assert emitted == []
    far.write(VENDOR + NOBODY_THERE + NOBODY_THERE, 1)
    assert emitted[1:] == [Presence(1, "bay-3", None, None)]


def test_a_part_that_calibrates_sees_nobody_and_says_so_once() -> None:
    device, far, emitted = sensor()
    far.write(VENDOR, 0)
    for second in range(1, 12):
        far.write(encode_report(Report(CALIBRATING + second // 4, 0, 0, 0, 0, 0)), second * NS_PER_S)
        device.advance(second * NS_PER_S)
    far.write(NOBODY_THERE, 12 * NS_PER_S)
    assert emitted[1:] == [
        DeviceHealth(NS_PER_S, "bay-3", False, "noise calibration"),
        DeviceHealth(12 * NS_PER_S, "bay-3", True),
    ]
    assert device.counters()["frames"] == 13


def test_silence_is_told_once_and_nobody_is_there_any_more() -> None:
    device, far, emitted = sensor()
    far.write(VENDOR, 0)
    device.advance(2 * NS_PER_S)
    far.write(NOBODY_THERE, 3 * NS_PER_S)
    assert emitted[1:] == [
        DeviceHealth(2 * NS_PER_S, "bay-3", False, "no frame"),
        DeviceHealth(3 * NS_PER_S, "bay-3", True),
    ]


@pytest.mark.parametrize(("frozen_ns", "told"), [(0, 0), (60 * NS_PER_S, 1)])
def test_somebody_may_stand_for_ever_unless_somebody_wants_to_know(frozen_ns: int, told: int) -> None:
    device, far, emitted = sensor(frozen_ns=frozen_ns)
    for second in range(70):
        far.write(VENDOR, second * NS_PER_S)
        device.advance(second * NS_PER_S)
    health = [value for value in emitted if isinstance(value, DeviceHealth)]
    assert health == [DeviceHealth(60 * NS_PER_S, "bay-3", False, "frozen value")] * told


class Desk:
    """A sensor and the part at the far end of its wire."""

    def __init__(
        self,
        settings: Ld2410Settings | None = None,
        faults: Faults | None = None,
        off: tuple[tuple[int, int], ...] = (),
    ) -> None:
        self.sensor, far, self.emitted = sensor(settings)
        self.answers = Ld2410Answers(faults)
        self.peer: HilinkPeer = ld2410_peer("bay-3", far, self.answers, off=off)
        self.now_ns = 0

    def run(self, until_ns: int) -> None:
        while (next_ns := min(max(self.sensor.wake_ns, self.now_ns), self.peer.wake_ns)) <= until_ns:
            self.now_ns = next_ns
            if self.peer.wake_ns <= next_ns:
                self.peer.run(next_ns)
            else:
                self.sensor.advance(next_ns)
        self.now_ns = until_ns

    def told(self) -> str:
        words = " ".join(f"{command.command:04x}" for command in self.answers.heard)
        self.answers.heard.clear()
        return words

    def health(self) -> list[tuple[bool, str]]:
        return [(value.ok, value.reason) for value in self.emitted if isinstance(value, DeviceHealth)]


def test_the_peers_day_is_told_as_it_is() -> None:
    desk = Desk()
    desk.run(8 * NS_PER_S)
    presence = [value for value in desk.emitted if isinstance(value, Presence)]
    kinds = [(value.moving_mm, value.still_mm) for value in presence]
    assert kinds == [(1450, None)] * 20 + [(1450, 2100)] * 20 + [(None, None)]
    assert desk.told() == ""


def test_settings_are_read_written_where_they_differ_and_read_again() -> None:
    desk = Desk(Ld2410Settings(last_moving_gate=4, unmanned_s=10))
    desk.run(60 * NS_PER_S)
    assert desk.told() == "00ff 0061 0060 0061 00fe"
    assert desk.answers.settings["0061"].startswith("aa080408")
    assert desk.answers.settings["0061"].endswith("0a00")
    assert desk.health() == []


def test_settings_that_are_as_wanted_are_only_read() -> None:
    desk = Desk(Ld2410Settings(last_still_gate=8))
    desk.run(60 * NS_PER_S)
    assert desk.told() == "00ff 0061 00fe"


def test_a_part_that_keeps_its_own_settings_says_so() -> None:
    desk = Desk(Ld2410Settings(last_moving_gate=4), Faults(keeps=frozenset({0x0060})))
    desk.run(60 * NS_PER_S)
    assert desk.health() == [(False, "settings: last_moving_gate stays 8, wanted 4")]


def test_a_part_whose_other_settings_cannot_be_written_back_says_so() -> None:
    desk = Desk(Ld2410Settings(last_moving_gate=4))
    desk.answers.settings["0061"] = "aa080801" + "14" * 18 + "0500"
    desk.run(NS_PER_S)
    assert desk.health() == [(False, "settings: gates 4 and 1 (2 to 8), 5 s (0 to 65535)")]
    desk.answers.settings["0061"] = "ab"
    desk.sensor.order("read-settings", (), desk.now_ns)
    assert desk.health()[1:2] == [(False, "read-settings: answers command 0x0061 with too few bytes")]


def test_a_part_that_comes_back_calibrating_is_told_its_settings_all_the_same() -> None:
    desk = Desk(Ld2410Settings(last_moving_gate=4), Faults(forgets=True), off=((5 * NS_PER_S, 10 * NS_PER_S),))
    desk.run(5 * NS_PER_S)
    desk.told()
    far = desk.peer._link
    desk.sensor.advance(8 * NS_PER_S)
    desk.now_ns = 9_999 * NS_PER_MS
    far.write(encode_report(Report(CALIBRATING, 0, 0, 0, 0, 0)), 10 * NS_PER_S)
    desk.now_ns = 10 * NS_PER_S
    desk.run(20 * NS_PER_S)
    assert desk.told() == "00ff 0061 0060 0061 00fe"
    assert desk.health() == [(False, "no frame"), (False, "noise calibration"), (True, "")]


def test_orders_read_and_change() -> None:
    desk = Desk()
    desk.sensor.order("set", (6, None, None), 0)
    (settings,) = desk.emitted
    assert isinstance(settings, Message)
    assert settings.body["last_moving_gate"] == 6
    assert settings.body["moving"] == [50, 50, 40, 30, 20, 15, 15, 15, 15]  # the paper's table
    assert settings.body["still"] == [0, 0, 40, 40, 30, 30, 20, 20, 20]
    desk.answers.faults = Faults(keeps=frozenset({0x0060}))
    desk.sensor.order("set", (None, 3, None), 1)
    assert desk.health() == [(False, "set: last_still_gate stays 8, wanted 3")]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (Ld2410Settings(last_moving_gate=1), "bay-3: last_moving_gate 1 is not 2 to 8"),
        (Ld2410Settings(last_still_gate=9), "last_still_gate 9 is not 2 to 8"),
        (Ld2410Settings(unmanned_s=65_536), "unmanned_s 65536 is not 0 to 65535"),
    ],
)
def test_settings_that_no_part_takes_are_refused_at_once(settings: Ld2410Settings, text: str) -> None:
    with pytest.raises(InputError, match=text):
        Desk(settings)


@pytest.mark.parametrize("stop_ms", [0, 50, 150, 1_000, 4_050])
def test_a_restored_sensor_goes_on_where_it_stood(stop_ms: int) -> None:
    wanted, faults = Ld2410Settings(unmanned_s=9), Faults(late_ns=40 * NS_PER_MS)
    desk, other = Desk(wanted, faults), Desk(wanted, faults)
    desk.run(stop_ms * NS_PER_MS)
    other.sensor.restore(json.loads(json.dumps(desk.sensor.snapshot())))
    other.peer.restore(json.loads(json.dumps(desk.peer.snapshot())))
    other.now_ns = desk.now_ns
    desk.emitted.clear()
    for each in (desk, other):
        each.run(12 * NS_PER_S)
    assert other.emitted == desk.emitted
    assert other.sensor.snapshot() == desk.sensor.snapshot()


def test_before_it_is_due_nothing_changes() -> None:
    desk = Desk(Ld2410Settings(unmanned_s=9), Faults(late_ns=40 * NS_PER_MS))
    for until_ms in range(0, 2_000, 37):
        desk.run(until_ms * NS_PER_MS)
        before = json.dumps(desk.sensor.snapshot())
        desk.sensor.advance(desk.sensor.wake_ns - 1)
        assert json.dumps(desk.sensor.snapshot()) == before
