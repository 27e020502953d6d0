"""Hi-Link's radars for the bench tools: their bytes are known, their settings and orders reach the part."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.bench.recognise import recognise
from drivers.errors import InputError
from drivers.links.memory import memory_pair
from drivers.parts import part
from drivers.parts.part import Options
from drivers.quantities import Message, Quantity
from hil.peers.hilink import (
    Answers,
    HilinkPeer,
    Ld2410Answers,
    Ld2450Answers,
    Ld2451Answers,
    ld2410_peer,
    ld2450_peer,
    ld2451_peer,
)

MINDS: dict[str, type[Answers]] = {"ld2451": Ld2451Answers, "ld2450": Ld2450Answers, "ld2410": Ld2410Answers}
PEERS = {"ld2451": ld2451_peer, "ld2450": ld2450_peer, "ld2410": ld2410_peer}
GOOD = {
    "ld2451": "f4f3f2f1070001017b0d01037bf8f7f6f5",
    "ld2450": "aaff03000e03b186100040010000000000000000000000000000000055cc",
    "ld2410": "f4f3f2f10d0002aa025100000000 3b00005500f8f7f6f5",
}


def desk(name: str, **more: str) -> tuple[Any, HilinkPeer, list[Quantity]]:
    """The device as the tools make it, and the part."""
    near, far = memory_pair(name)
    emitted: list[Quantity] = []
    bench = part(name).bench
    assert bench is not None
    device = bench.device(name, near, emitted.append, Options(more=more))
    return device, PEERS[name](name, far, MINDS[name]()), emitted


def order(name: str, which: str, *numbers: int) -> tuple[dict[str, object], HilinkPeer]:
    """What comes of an order: its Message, and the part."""
    device, peer, emitted = desk(name)
    bench = part(name).bench
    assert bench is not None
    (found,) = [each for each in bench.orders if each.name == which]
    found.perform(device, numbers, 0)
    (message,) = emitted
    assert isinstance(message, Message)
    return message.body, peer


@pytest.mark.parametrize("name", GOOD)
def test_bytes_of_each_are_known_for_its_own(name: str) -> None:
    assert [one.part for one in recognise(bytes.fromhex(GOOD[name]) * 3)] == [name]


@pytest.mark.parametrize(("name", "baud"), [("ld2451", 115_200), ("ld2450", 256_000), ("ld2410", 256_000)])
def test_the_usual_bit_rate_comes_first_and_all_are_tried(name: str, baud: int) -> None:
    bench = part(name).bench
    assert bench is not None
    assert bench.bauds[0] == baud
    assert sorted(bench.bauds) == [9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 256_000, 460_800]


@pytest.mark.parametrize("name", GOOD)
def test_by_default_nothing_is_written(name: str) -> None:
    device, peer, _ = desk(name)
    for t_ns in range(0, 3_000_000_000, 100_000_000):
        if peer.wake_ns <= t_ns:
            peer.run(t_ns)
        device.advance(t_ns)
    assert peer.answers.heard == []
    assert device.counters()["frames"] > 0


@pytest.mark.parametrize(
    ("name", "more", "stored"),
    [
        ("ld2451", {"range_m": "60", "direction": "approach"}, ("0012", "3c010000")),
        ("ld2451", {"snr_level": "6"}, ("0013", "01060000")),
        ("ld2450", {"follow": "one"}, ("0091", "0100")),
        ("ld2410", {"unmanned_s": "9"}, ("0061", "aa0808083232281e140f0f0f0f000028281e1e1414140900")),
    ],
)
def test_settings_from_the_command_line_reach_the_part(
    name: str, more: dict[str, str], stored: tuple[str, str]
) -> None:
    device, peer, _ = desk(name, **more)
    peer.run(peer.wake_ns)
    device.advance(0)
    assert peer.answers.settings[stored[0]] == stored[1]


@pytest.mark.parametrize(
    ("name", "more", "text"),
    [
        ("ld2451", {"range": "60"}, "--set range: no such setting; there are direction, range_m"),
        ("ld2451", {"range_m": "far"}, "--set range_m=far: a whole number"),
        ("ld2451", {"range_m": "5"}, "range_m 5 is not 10 to 255"),
        ("ld2450", {"follow": "all"}, "write one or several"),
        ("ld2410", {"unmanned_s": "70000"}, "unmanned_s 70000 is not 0 to 65535"),
    ],
)
def test_settings_that_the_part_does_not_take_are_refused(name: str, more: dict[str, str], text: str) -> None:
    with pytest.raises(InputError, match=text):
        desk(name, **more)


@pytest.mark.parametrize("name", GOOD)
def test_each_tells_its_firmware_and_its_settings(name: str) -> None:
    body, _ = order(name, "version")
    assert str(body["version"]).startswith("V1.0")
    assert order(name, "read-settings")[0]
    for which in ("restart", "factory-reset"):
        assert order(name, which)[0] == {"restarts": True}


@pytest.mark.parametrize(
    ("name", "which", "number", "key", "stored"),
    [
        ("ld2451", "range", 30, "0012", "1e020000"),
        ("ld2451", "direction", 1, "0012", "64010000"),
        ("ld2451", "min-speed", 7, "0012", "64020700"),
        ("ld2451", "delay", 7, "0012", "64020007"),
        ("ld2451", "trigger", 7, "0013", "07040000"),
        ("ld2451", "snr", 7, "0013", "01070000"),
        ("ld2450", "follow", 1, "0091", "0100"),
        ("ld2450", "follow", 3, "0091", "0200"),
        ("ld2410", "moving-gate", 3, "0061", "aa0803083232281e140f0f0f0f000028281e1e1414140500"),
        ("ld2410", "still-gate", 3, "0061", "aa0808033232281e140f0f0f0f000028281e1e1414140500"),
        ("ld2410", "unmanned", 300, "0061", "aa0808083232281e140f0f0f0f000028281e1e1414142c01"),
    ],
)
def test_an_order_changes_one_setting(name: str, which: str, number: int, key: str, stored: str) -> None:
    _, peer = order(name, which, number)
    assert peer.answers.settings[key] == stored


def test_what_overwrites_settings_for_good_asks_first() -> None:
    for name in GOOD:
        bench = part(name).bench
        assert bench is not None
        assert [each.name for each in bench.orders if each.risk] == ["factory-reset"]
