"""The far ends of Hi-Link's radars: what they answer, byte for byte as the vendor prints it, and their faults."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from drivers.codecs import hilink, ld2410, ld2450, ld2451
from drivers.codecs.ld2451 import IDLE_FRAME, DetectionSettings, Sensitivity
from drivers.devices.radar import Ld2451Radar, Ld2451Settings
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import DeviceHealth, Quantity
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.hilink import (
    Answers,
    Faults,
    HilinkPeer,
    Ld2410Answers,
    Ld2450Answers,
    Ld2451Answers,
    ld2410_peer,
    ld2450_peer,
    ld2451_peer,
)
from hil.peers.radar import RadarPeer

RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data"))
needs_real = pytest.mark.skipif(not (RECORDINGS / "ld2451").is_dir(), reason="no recordings ld2451 (LEEZE_RECORDINGS)")
MAKERS = {"ld2451": ld2451_peer, "ld2450": ld2450_peer, "ld2410": ld2410_peer}
ANSWERS: dict[str, type[Answers]] = {"ld2451": Ld2451Answers, "ld2450": Ld2450Answers, "ld2410": Ld2410Answers}
ENABLE, END = hilink.enable(), hilink.end()


class Wire:
    """A peer, and what it says."""

    def __init__(self, part: str, faults: Faults | None = None, **more: Any) -> None:
        self.near, far = memory_pair(part)
        self.said: list[tuple[int, bytes]] = []
        self.near.receiver = lambda data, t_ns: self.said.append((t_ns, data))
        self.answers = ANSWERS[part](faults)
        self.peer: HilinkPeer = MAKERS[part](part, far, self.answers, **more)

    def ask(self, data: bytes, t_ns: int = 0) -> str:
        """What is said to some bytes at once, in hex."""
        before = len(self.said)
        self.near.write(data, t_ns)
        return b"".join(data for _, data in self.said[before:]).hex()

    def run(self, until_ns: int) -> None:
        while self.peer.wake_ns <= until_ns:
            self.peer.run(self.peer.wake_ns)


# What the vendor prints: LD2451 V1.03, LD2450 V1.03, LD2410C V1.00
@pytest.mark.parametrize(
    ("part", "asked", "printed"),
    [
        ("ld2451", ENABLE, "fdfcfbfa0800ff0100000100000004030201"),
        ("ld2451", END, "fdfcfbfa0400fe01000004030201"),
        ("ld2451", ld2451.set_detection(DetectionSettings(100, 1, 5, 2)), "fdfcfbfa04000201000004030201"),
        ("ld2451", hilink.read_version(), "fdfcfbfa0c00a0010000512401011015052404030201"),
        ("ld2450", ENABLE, "fdfcfbfa0800ff0100000100400004030201"),
        ("ld2450", ld2450.read_mode(), "fdfcfbfa060091010000020004030201"),
        ("ld2450", hilink.read_version(), "fdfcfbfa0c00a0010000000002011624062204030201"),
        ("ld2450", hilink.encode_command(0x00A5, b"\x01\x00"), "fdfcfbfa0a00a50100008f272eb80f6504030201"),
        ("ld2410", ENABLE, "fdfcfbfa0800ff0100000100400004030201"),
        ("ld2410", ld2410.set_gates(8, 8, 5), "fdfcfbfa04006001000004030201"),
        ("ld2410", ld2410.engineering(True), "fdfcfbfa04006201000004030201"),
        ("ld2410", hilink.set_baud(256_000), "fdfcfbfa0400a101000004030201"),
    ],
)
def test_answers_are_those_the_vendor_prints(part: str, asked: bytes, printed: str) -> None:
    wire = Wire(part)
    assert wire.ask(ENABLE) == ENABLE_ACKS[part]
    assert wire.ask(asked) == printed


ENABLE_ACKS = {
    "ld2451": "fdfcfbfa0800ff0100000100000004030201",
    "ld2450": "fdfcfbfa0800ff0100000100400004030201",
    "ld2410": "fdfcfbfa0800ff0100000100400004030201",
}


def printed_frames(part: str) -> dict[str, bytes]:
    frames = json.loads((RECORDINGS / part / "vendor_pdf_frames.json").read_text())
    return {name: bytes.fromhex(text) for name, text in frames.items()}


@pytest.mark.recordings
@needs_real
def test_every_exchange_that_the_vendor_prints_of_the_ld2451_is_played() -> None:
    frames = printed_frames("ld2451")
    wire = Wire("ld2451")
    for asked, answer in (
        ("enable_cfg", "enable_ack"),
        ("set_detect", "set_detect_ack"),
        ("read_detect", "read_detect_ack"),
        ("end_cfg", "end_ack"),
    ):
        assert wire.ask(frames[asked]) == frames[answer].hex()
    wire.ask(frames["enable_cfg"])
    assert wire.ask(frames["set_sens"]) == "fdfcfbfa04000301000004030201"


@pytest.mark.recordings
@needs_real
def test_every_exchange_that_the_vendor_prints_of_the_ld2450_is_played() -> None:
    frames = printed_frames("ld2450")
    wire = Wire("ld2450")
    wire.ask(ENABLE + ld2450.follow_one())
    assert wire.ask(frames["set_multi"]) == "fdfcfbfa04009001000004030201"
    assert wire.ask(ld2450.read_mode()) == frames["read_mode_ack"].hex()
    assert wire.ask(hilink.read_version()) == frames["fw_ack"].hex()


@pytest.mark.parametrize("part", MAKERS)
def test_outside_of_configuration_only_its_beginning_is_answered(part: str) -> None:
    wire = Wire(part)
    assert wire.ask(hilink.read_version()) == ""
    assert wire.ask(END) == ""
    assert wire.ask(ENABLE + END) != ""
    assert wire.ask(END) == ""


@pytest.mark.parametrize("part", MAKERS)
def test_in_configuration_nothing_is_reported(part: str) -> None:
    wire = Wire(part)
    wire.run(0)
    wire.ask(ENABLE, 1)
    before = len(wire.said)
    wire.run(5 * NS_PER_S)
    assert len(wire.said) == before
    wire.ask(END, 5 * NS_PER_S + 1)
    wire.run(7 * NS_PER_S)
    assert len(wire.said) > before + 1


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ("ld2451", hilink.encode_command(0x0002, b"\x09\x01\x05\x02")),
        ("ld2451", hilink.encode_command(0x0002, b"\x64\x01\x05")),  # the length that a public driver sends
        ("ld2451", hilink.encode_command(0x0003, b"\x0b\x04\x00\x00")),
        ("ld2451", hilink.encode_command(0x0060)),
        ("ld2450", hilink.encode_command(0x00C2, b"\x03" + bytes(25))),
        ("ld2450", hilink.encode_command(0x0002)),
        ("ld2410", hilink.encode_command(0x0060, bytes(18))),
        ("ld2410", hilink.encode_command(0x0060, bytes(17))),
        ("ld2410", ld2410.set_gates(8, 8, 5).replace(b"\x08\x00\x00\x00\x01", b"\x09\x00\x00\x00\x01")),
        ("ld2410", ld2410.set_sensitivity(3, 40, 40).replace(b"\x03\x00\x00\x00", b"\x09\x00\x00\x00")),
        ("ld2410", hilink.encode_command(0x0002)),
    ],
)
def test_what_the_part_does_not_know_is_refused(part: str, wrong: bytes) -> None:
    wire = Wire(part)
    wire.ask(ENABLE)
    before = dict(wire.answers.settings)
    word = wrong[6:8].hex()
    assert wire.ask(wrong) == f"fdfcfbfa0400{word[:2]}01010004030201"
    assert wire.answers.settings == before


def test_settings_are_kept_over_a_power_cut_or_forgotten() -> None:
    off = ((NS_PER_S, 2 * NS_PER_S),)
    for forgets in (False, True):
        wire = Wire("ld2450", Faults(forgets=forgets), off=off)
        wire.ask(ENABLE + ld2450.follow_one())
        assert wire.ask(ENABLE, NS_PER_S) == ""
        assert wire.ask(ld2450.read_mode(), 2 * NS_PER_S) == ""  # no more in configuration
        answer = wire.ask(ENABLE + ld2450.read_mode(), 2 * NS_PER_S)
        assert answer.endswith("91010000020004030201" if forgets else "91010000010004030201")


def test_zones_are_kept_and_read_back() -> None:
    zones = ld2450.Zones(1, ((1000, 1000, -1000, 5000),))
    wire = Wire("ld2450")
    wire.ask(ENABLE + ld2450.set_zones(zones))
    assert wire.ask(ld2450.read_zones()) == f"fdfcfbfa1e00c1010000{zones.to_bytes().hex()}04030201"


def test_an_ld2410_reports_energies_while_it_is_told_to_and_has_power() -> None:
    wire = Wire("ld2410", off=((NS_PER_S, 2 * NS_PER_S),))
    wire.ask(ENABLE + ld2410.engineering(True) + END)
    wire.run(NS_PER_S)
    assert len(wire.said[-1][1]) == ld2410.MAX_FRAME_BYTES
    wire.run(2 * NS_PER_S)
    assert len(wire.said[-1][1]) == 23
    wire.ask(ENABLE + ld2410.set_sensitivity(3, 41, 42) + ld2410.set_sensitivity(ld2410.ALL_GATES, 7, 9), 2 * NS_PER_S)
    assert wire.answers.settings["0061"] == "aa080808" + "07" * 9 + "09" * 9 + "0500"
    wire.ask(ld2410.set_sensitivity(3, 41, 42) + ld2410.engineering(False), 2 * NS_PER_S)
    assert (
        wire.answers.settings["0061"] == "aa080808" + "07" * 3 + "29" + "07" * 5 + "09" * 3 + "2a" + "09" * 5 + "0500"
    )


def test_a_reset_takes_effect_with_the_next_start() -> None:
    wire = Wire("ld2451")
    wire.ask(ENABLE + ld2451.set_sensitivity(Sensitivity(2, 8)) + hilink.factory_reset())
    assert wire.answers.settings["0013"] == "02080000"
    wire.ask(hilink.restart())
    assert wire.answers.settings == Ld2451Answers.FACTORY
    assert not wire.answers.configuring


def test_late_answers_come_when_they_are_due_and_not_after_a_power_cut() -> None:
    wire = Wire("ld2451", Faults(late_ns=250 * NS_PER_MS), off=((2 * NS_PER_S, 3 * NS_PER_S),), phase_ns=7)
    wire.ask(ENABLE, NS_PER_S)
    wire.run(NS_PER_S + 250 * NS_PER_MS)
    assert wire.said[-1] == (NS_PER_S + 250 * NS_PER_MS, bytes.fromhex(ENABLE_ACKS["ld2451"]))
    wire.ask(END, 2 * NS_PER_S - 1)
    before = len(wire.said)
    wire.run(3 * NS_PER_S)
    assert len(wire.said) == before


@pytest.mark.parametrize("part", MAKERS)
def test_a_restored_peer_goes_on_where_it_stood(part: str) -> None:
    faults = Faults(late_ns=250 * NS_PER_MS)
    wire, other = Wire(part, faults), Wire(part, faults)
    wire.run(NS_PER_S)
    wire.ask(ENABLE + END + ENABLE[:5], NS_PER_S)
    other.peer.restore(json.loads(json.dumps(wire.peer.snapshot())))
    wire.said.clear()
    for each in (wire, other):
        each.ask(ENABLE[5:], NS_PER_S + 1)
        each.run(5 * NS_PER_S)
    assert other.said == wire.said
    assert other.peer.snapshot() == wire.peer.snapshot()


# --- the radar that sees riders


def path_radar() -> tuple[RadarPeer, MemoryLink]:
    near, far = memory_pair("radar-1")
    silent = ((10 * NS_PER_S, 20 * NS_PER_S),)
    return RadarPeer("west/radar-1", far, x_mm=0, sign=1, range_mm=40_000, phase_ns=7, silent=silent, skip=False), near


def test_a_radar_on_the_path_is_told_its_settings_and_told_again_after_a_silence() -> None:
    peer, near = path_radar()
    emitted: list[Quantity] = []
    device = Ld2451Radar("radar-1", near, emitted.append, settings=Ld2451Settings(range_m=40))
    now_ns = 0
    while now_ns < 40 * NS_PER_S:
        now_ns = min(max(device.wake_ns, now_ns), peer.wake_ns)
        if peer.wake_ns <= now_ns:
            peer.run(now_ns)
        else:
            device.advance(now_ns)
    words = [command.command for command in peer.answers.heard]
    assert words == [0xFF, 0x12, 0x02, 0x12, 0xFE, 0xFF, 0x12, 0xFE]
    assert peer.answers.settings["0012"] == "28020000"
    assert [value.ok for value in emitted if isinstance(value, DeviceHealth)] == [False, True]


def test_a_radar_on_the_path_answers_nothing_while_it_is_silent_and_to_itself() -> None:
    peer, near = path_radar()
    said: list[bytes] = []
    near.receiver = lambda data, t_ns: said.append(data)
    near.write(ENABLE, 15 * NS_PER_S)
    near.write(IDLE_FRAME + hilink.read_version() + ENABLE[:4], 21 * NS_PER_S)
    assert said == []
    other, other_near = path_radar()
    other.restore(json.loads(json.dumps(peer.snapshot())))
    other_near.receiver = near.receiver
    other_near.write(ENABLE[4:], 22 * NS_PER_S)
    assert said == [bytes.fromhex(ENABLE_ACKS["ld2451"])]


def test_a_peer_that_was_not_run_for_long_reports_once_and_keeps_its_grid() -> None:
    wire = Wire("ld2450", phase_ns=7)
    wire.peer.run(60 * NS_PER_S)
    assert len(wire.said) == 1
    assert wire.peer.wake_ns == 60 * NS_PER_S + 7
