"""Modbus parts in board files: they share a bus at the wire's bit rate, and what does not go together is refused."""

from __future__ import annotations

from typing import Any

import pytest

from boards.build import Board, build
from boards.load import parse_board
from boards.parts import contents, part_of
from drivers.buses.modbus import ModbusBus
from drivers.devices.analog_lamp import AnalogLamp
from drivers.devices.fading_lamp import FadingLamp
from drivers.devices.sdm120 import Sdm120
from drivers.devices.urm14 import Urm14
from drivers.errors import InputError
from drivers.links.memory import memory_pair
from drivers.quantities import Climate, LampStatus, PowerReading, Quantity, Range
from drivers.units import NS_PER_MS
from hil.peers.modbus_models import Ao8Model, Sdm120Model, Urm14Model
from hil.peers.modbus_slaves import ModbusSlaves

HEAD = """
format = 1
name = "mast"
title = "A board for tests"
model = "raspberry-pi-4"
product = "lighting"
period_ms = 20
[wires.rs485]
kind = "uart"
port = "/dev/ttyUSB0"
baud = 9600
"""


def device(name: str, part: str, wire: str = "rs485", **keys: object) -> str:
    said = "".join(f"{key} = {str(value).lower()}\n" for key, value in keys.items() if isinstance(value, int))
    said += "".join(f'{key} = "{value}"\n' for key, value in keys.items() if isinstance(value, str))
    return f'[devices.{name}]\npart = "{part}"\nwire = "{wire}"\n{said}'


ALL = HEAD + "".join(
    [
        device("bay-1", "urm14", address=12, baud=9600, poll_ms=200, stale_ms=1000),
        device("bay-2", "urm14", address=13, baud=9600, kin="urm15", passive=False, air="mast-1"),
        device("meter", "sdm120", address=20, baud=9600),
        device("lamp-1", "waveshare-ao8", address=30, channel=1, variant="B"),
        device("lamp-2", "waveshare-ao8", address=30, channel=8, variant="B", least_mv=0, curve="linear"),
        "[wires.i2c]\nkind = 'i2c'\n",
        device("mast-1", "bme280", "i2c"),
    ]
)


def built(text: str, heard: list[Quantity]) -> tuple[Board, ModbusSlaves, list[Any]]:
    models = [Urm14Model(12), Urm14Model(13, 2_345, part_id=5), Sdm120Model(20), Ao8Model(30)]
    peers: list[ModbusSlaves] = []

    def link_for(name: str, wire: Any) -> Any:
        near, far = memory_pair(name)
        if name == "rs485":
            peers.append(ModbusSlaves("mast/rs485", far, models))
        return near

    return build(parse_board(text, "mast.toml"), link_for=link_for, emit=heard.append), peers[0], models


def test_all_parts_on_one_bus_work_from_their_board_file() -> None:
    heard: list[Quantity] = []
    board, peer, models = built(ALL, heard)
    kinds = {name: type(each) for name, each in board.devices.items() if name != "i2c" and name != "mast-1"}
    assert kinds == {
        "bay-1": Urm14, "bay-2": Urm14, "lamp-1": AnalogLamp, "lamp-2": AnalogLamp, "meter": Sdm120, "rs485": ModbusBus,
        "lamp-1/fade": FadingLamp, "lamp-2/fade": FadingLamp,
    }  # fmt: skip
    assert list(board.lamps) == ["lamp-1", "lamp-2"]
    board.lamps["lamp-2"].set_level(254, 0)
    for now_ms in range(0, 4000, 20):
        while peer.wake_ns <= now_ms * NS_PER_MS:
            peer.run(peer.wake_ns)
        for each in board.devices.values():
            if each.wake_ns <= now_ms * NS_PER_MS:
                each.advance(now_ms * NS_PER_MS)
        if now_ms == 2000:
            board.emit(Climate(now_ms * NS_PER_MS, "mast-1", 21_500))
    assert {(type(each), each.source) for each in heard} >= {
        (Range, "bay-1"), (Range, "bay-2"), (PowerReading, "meter"), (LampStatus, "lamp-1"), (LampStatus, "lamp-2"),
    }  # fmt: skip
    assert models[3].holding[7] == 10_000
    assert (models[1].holding[7], models[1].holding[8]) == (215, 1)  # the air of mast-1, measured all the time
    assert (models[0].holding[7], models[0].holding[8]) == (0, 4)
    assert len([each for each in heard if isinstance(each, Range) and each.source == "bay-1"]) > 10
    assert peer.crowded == 0


def test_what_passes_on_the_wire_is_modbus_and_its_bus_knows_rate_and_parity() -> None:
    text = ALL.replace("baud = 9600\n", 'baud = 9600\nparity = "E"\n', 1)
    text = text.replace('kin = "urm15"\n', "")  # whose line is fixed
    lone = text[: text.index("[devices.lamp-1]")] + text[text.index("[wires.i2c]") :]
    assert contents(parse_board(lone, "mast.toml"))["rs485"] == "modbus"
    board, _, _ = built(lone, [])
    bus = board.devices["rs485"]
    assert isinstance(bus, ModbusBus)
    assert bus._line == (9_600, "E")


@pytest.mark.parametrize(
    ("wire", "part", "baud"),
    [
        ('port = "socket://127.0.0.1:7001"', device("one", "urm14", address=12), 19_200),
        ('port = "socket://127.0.0.1:7001"', device("one", "sdm120"), 2_400),
        ('port = "socket://127.0.0.1:7001"', device("one", "sdm120", baud=4800), 4_800),
    ],
)
def test_a_wire_without_a_bit_rate_has_the_one_that_its_part_is_set_to(wire: str, part: str, baud: int) -> None:
    board, _, _ = built(HEAD.replace('port = "/dev/ttyUSB0"\nbaud = 9600', wire) + part, [])
    bus = board.devices["rs485"]
    assert isinstance(bus, ModbusBus)
    assert bus._line == (baud, "N")


def bay(name: str, **keys: object) -> str:
    return device(name, "urm14", **{"address": 12, "baud": 9600, **keys})


def lamp(name: str, **keys: object) -> str:
    return device(name, "waveshare-ao8", **{"channel": 1, "variant": "B", **keys})


@pytest.mark.parametrize(
    ("devices", "place", "words"),
    [
        (bay("bay-1") + bay("bay-2"), "bay-2.address", "12 is already bay-1"),
        (bay("bay-1") + device("meter", "sdm120", address=12, baud=9600), "meter.address", "already bay-1"),
        (bay("bay-1", baud=19200), "bay-1.baud", "set to 19200 baud and hangs on wire rs485 at 9600"),
        (bay("bay-1") + device("meter", "sdm120"), "meter.baud", "one bus has one bit rate"),
        (bay("bay-1", stale_ms=400), "bay-1.stale_ms", "make stale_ms larger"),
        (bay("bay-1", address=248), "bay-1.address", "<= 247"),
        (lamp("lamp", variant="A"), "lamp.variant", "0 to 20 mA"),
        (lamp("lamp", channel=9), "lamp.channel", "<= 8"),
        (lamp("lamp", full_mv=900), "lamp.least_mv", "not below full_mv = 900"),
        (lamp("lamp-1") + lamp("lamp-2"), "lamp-2.channel", "1 at address 1 is already lamp-1"),
    ],
)
def test_what_does_not_go_together_is_refused_with_its_place(devices: str, place: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_board(HEAD + devices, "mast.toml")
    assert f"$.devices.{place}" in str(caught.value)
    assert words in str(caught.value)


def test_a_urm15_does_not_hang_on_a_wire_with_parity() -> None:
    with pytest.raises(InputError, match=r"\$\.devices\.bay-1\.kin: a URM15 has no parity"):
        parse_board(HEAD + 'parity = "E"\n' + bay("bay-1", kin="urm15"), "mast.toml")


def test_each_of_the_kin_is_addressed_as_it_was_delivered() -> None:
    text = HEAD + bay("bay-1", address=21) + bay("bay-2", address=22, kin="urm15")
    devices = parse_board(text, "mast.toml").devices
    said = [part_of(each).addressing(each) for each in devices.values()]
    assert said == [("urm14_address", (12, 21, 2)), ("urm14_address", (15, 22, 5))]
