"""I2C parts in board files: outputs share a chip, chips share a bus, and what does not go together is refused."""

from __future__ import annotations

from typing import Any

import pytest

from boards.build import Board, build
from boards.hardware import hardware_link
from boards.load import parse_board
from boards.parts import contents
from drivers.buses.i2c import I2cBus
from drivers.devices.bme280 import Bme280
from drivers.devices.dac_lamp import LampChip
from drivers.devices.fading_lamp import FadingLamp
from drivers.devices.ina226 import Ina226
from drivers.errors import InputError
from drivers.links.i2c import I2cLink
from drivers.links.memory import memory_pair
from drivers.quantities import Climate, LampStatus, PowerReading, Quantity
from drivers.units import NS_PER_MS
from hil.peers.i2c_chips import I2cChips
from hil.peers.i2c_models import Bme280Model, Gp8403Model, Ina226Model, Mcp4725Model, Pca9685Model

HEAD = """
format = 1
name = "mast"
title = "A board for tests"
model = "raspberry-pi-4"
product = "lighting"
period_ms = 20
[wires.i2c]
kind = "i2c"
"""


def device(name: str, part: str, **keys: object) -> str:
    return f'[devices.{name}]\npart = "{part}"\nwire = "i2c"\n' + "".join(f"{k} = {v}\n" for k, v in keys.items())


ALL = HEAD + "".join(
    [
        device("lamp-1", "gp8403", channel=0),
        device("lamp-2", "gp8403", channel=1, min_mv=1000),
        device("lamp-3", "mcp4725", full_mv=3000),
        device("lamp-4", "pca9685", address=0x41, channel=15, min_duty_pct=1),
        device("supply", "ina226", shunt_uohm=2000, max_ma=32_768),
        device("mast", "bme280"),
    ]
)


def built(text: str, heard: list[Quantity]) -> tuple[Board, I2cChips]:
    peers: list[I2cChips] = []
    chips: dict[int, Any] = {
        0x58: Gp8403Model(),
        0x60: Mcp4725Model(),
        0x41: Pca9685Model(),
        0x40: Ina226Model(),
        0x76: Bme280Model(),
    }

    def link_for(name: str, wire: Any) -> Any:
        near, far = memory_pair(name)
        peers.append(I2cChips("mast/i2c", far, chips))
        return near

    return build(parse_board(text, "mast.toml"), link_for=link_for, emit=heard.append), peers[0]


def test_all_parts_on_one_bus_work_from_their_board_file() -> None:
    heard: list[Quantity] = []
    board, peer = built(ALL, heard)
    kinds = {name: type(each) for name, each in board.devices.items()}
    fades = {f"lamp-{n}/fade": FadingLamp for n in (1, 2, 3, 4)}
    chips = dict.fromkeys(("i2c/0x41", "i2c/0x58", "i2c/0x60"), LampChip)
    assert kinds == {"i2c": I2cBus, "mast": Bme280, "supply": Ina226} | chips | fades
    for now_ms in range(0, 1000, 20):
        for each in board.devices.values():
            if each.wake_ns <= now_ms * NS_PER_MS:
                each.advance(now_ms * NS_PER_MS)
        if now_ms == 400:
            for lamp in board.lamps.values():
                lamp.set_level(254, now_ms * NS_PER_MS)
            board.lamps["lamp-2"].set_level(1, now_ms * NS_PER_MS)
    assert peer.chips[0x58].outputs_mv == (10_000, 1_000 * 4095 // 10_000 * 10_000 // 4095)  # type: ignore[attr-defined]
    assert peer.chips[0x60].counts == 3000 * 4095 // 3300  # type: ignore[attr-defined]
    assert peer.chips[0x41].duty(15) == 4096  # type: ignore[attr-defined]
    assert {type(value) for value in heard} == {Climate, PowerReading, LampStatus}
    assert {value.source for value in heard} == {"mast", "supply", "lamp-1", "lamp-2", "lamp-3", "lamp-4"}


def test_a_wire_of_many_parts_is_recorded_as_i2c() -> None:
    assert contents(parse_board(ALL, "mast.toml")) == {"i2c": "i2c"}


def test_the_real_wire_is_an_adapter_of_linux() -> None:
    description = parse_board(ALL, "mast.toml")
    link = hardware_link("i2c", description.wires["i2c"], description)
    assert isinstance(link, I2cLink)
    assert (link.port, link.is_open) == ("/dev/i2c-1", False)


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        (
            [device("a", "gp8403", channel=1), device("b", "gp8403", channel=1)],
            "$.devices.b.channel: 1 at address 0x58 is already a on wire i2c",
        ),
        (
            [device("a", "gp8403"), device("b", "gp8403", channel=1, range_mv=5000)],
            "$.devices.b.range_mv: 5000, but a at the same address says 10000; write the same",
        ),
        (
            [device("a", "ina226"), device("b", "pca9685")],
            "$.devices.b.address: 0x40 is already a on wire i2c; the next free one is 0x41",
        ),
        (
            [device("a", "bme280"), device("b", "bme280")],
            "$.devices.b.address: 0x76 is already a on wire i2c; the next free one is 0x77",
        ),
        ([device("a", "gp8403", range_mv=5000, full_mv=10_000)], "$.devices.a.full_mv: 10000 mV, but the output ends"),
        ([device("a", "mcp4725", min_mv=5000)], "$.devices.a.min_mv: 5000 mV is more than full light, 3300 mV"),
        ([device("a", "ina226", max_ma=900)], "$.devices.a.max_ma: 900 mA through 100000 uohm"),
        ([device("a", "gp8403", address=0x76)], "$.devices.a.address"),
        ([device("a", "bme280", adress=0x76)], "did you mean `address`?"),
        ([device("i2c", "bme280")], 'a I2C wire is called "i2c"'),
    ],
)
def test_what_does_not_go_together_is_refused_with_its_place(devices: list[str], words: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_board(HEAD + "".join(devices), "mast.toml")
    assert words in str(refused.value)
