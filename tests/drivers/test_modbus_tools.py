"""Modbus parts for the bench tools: what bytes mean, and one part alone on a port."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.bench.recognise import recognise
from drivers.devices.modbus_part import PartAlone
from drivers.errors import InputError
from drivers.interfaces import ByteLink, Device, Emit
from drivers.links.memory import memory_pair
from drivers.parts import PARTS
from drivers.parts.part import Options
from drivers.quantities import DeviceHealth, LampStatus, PowerReading, Quantity, Range
from drivers.units import NS_PER_S
from hil.peers.modbus_models import Ao8Model, ModbusModel, Sdm120Model, Urm14Model
from hil.peers.modbus_slaves import ModbusSlaves, with_crc

URM14 = bytes.fromhex("0c03000500019516 0c030230394197")


def means(part: str, data: bytes) -> list[object]:
    decode = PARTS[part].decode
    assert decode is not None
    events, skipped_bytes = decode(data)
    assert skipped_bytes == 0
    return [event["means"] for event in events if "means" in event]


def framed(text: str) -> bytes:
    return with_crc(bytes.fromhex(text))


def test_registers_are_named_as_their_part_means_them() -> None:
    assert means("urm14", URM14) == [{"distance_tenth_mm": 12345}]
    four = framed("0c0300050004") + framed("0c0308 ffff ff38 0000 0004")
    assert means("urm14", four) == [
        {"distance_tenth_mm": None, "onboard_tenth_degc": -200, "external_tenth_degc": 0, "control": 4}
    ]
    assert means("urm14", framed("0c06 0008 000c")) == [{"control": 12}]
    assert means("urm14", framed("0c06 0050 000c")) == []  # no register of it
    assert means("sdm120", bytes.fromhex("01040000000271cb 01040443676666f455")) == [{"voltage_mv": 231_400}]
    assert means("sdm120", framed("010400480002") + framed("010404 7fc00000")) == [{"energy_mwh": None}]
    assert means("waveshare-ao8", bytes.fromhex("010600001388849c")) == [{"output_1_mv": 5_000}]
    assert means("waveshare-ao8", framed("0106 0008 0001")) == []
    assert means("waveshare-ao8", framed("0103 02 0001") + framed("018302") + framed("0101 0000 0001")) == []
    assert means("modbus", URM14) == []


def test_bytes_of_a_bus_are_recognised_as_modbus_and_nothing_more() -> None:
    assert [one.part for one in recognise(URM14 * 3)][:1] == ["modbus"]
    assert {one.part for one in recognise(URM14 * 3)}.isdisjoint({"urm14", "sdm120", "waveshare-ao8"})


def alone(
    part: str, model: ModbusModel, options: Options, until_s: int, order: Any = None
) -> tuple[Device, list[Quantity]]:
    """One part on a port of its own, for some seconds."""
    bench = PARTS[part].bench
    assert bench is not None
    near, far = memory_pair(part)
    slaves = ModbusSlaves(part, far, [model], baud=options.baud or bench.bauds[0])
    values: list[Quantity] = []
    device = made(bench.device, part, near, values.append, options)
    if order is not None:
        order(device)
    now_ns = 0
    while now_ns < until_s * NS_PER_S:
        if slaves.wake_ns <= now_ns:
            slaves.run(now_ns)
        device.advance(now_ns)
        now_ns = max(now_ns + 1, min(slaves.wake_ns, device.wake_ns))
    return device, values


def made(make: Any, name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    found = make(name, link, emit, options)
    assert isinstance(found, PartAlone)
    return found


def test_a_urm14_is_tried_at_its_usual_address_and_rate() -> None:
    device, values = alone("urm14", Urm14Model(), Options(12), 2)
    assert [value.distance_mm for value in values if isinstance(value, Range)] == [1235] * 4
    assert device.counters()["no_replies"] == 0
    _, values = alone("urm14", Urm14Model(15, part_id=5), Options(15, {"kin": "urm15", "poll_ms": "100"}, 2_400), 2)
    assert len(values) > 3


def test_a_meter_is_tried_at_2400_baud() -> None:
    _, values = alone("sdm120", Sdm120Model(), Options(1), 3)
    assert all(isinstance(value, PowerReading) for value in values)
    assert len(values) == 3


def test_a_lamp_is_told_its_level_by_name_when_the_label_has_been_read() -> None:
    bench = PARTS["waveshare-ao8"].bench
    assert bench is not None
    (level,) = bench.orders
    assert level.risk == "lights a lamp"
    model = Ao8Model()
    options = Options(1, {"variant": "B", "output": "3"})
    _, values = alone("waveshare-ao8", model, options, 2, lambda device: level.perform(device, (254,), 0))
    assert model.holding[2] == 10_000
    assert [type(value) for value in values] == [LampStatus]


def test_a_module_that_does_not_answer_says_nothing_that_could_be_taken_for_a_word() -> None:
    _, values = alone("waveshare-ao8", Ao8Model(9), Options(1, {"variant": "B"}), 15)
    assert [(type(value), getattr(value, "ok", None)) for value in values] == [(DeviceHealth, False)]


@pytest.mark.parametrize(
    ("part", "options", "words"),
    [
        ("urm14", Options(0), "a Modbus address is 1 to 247"),
        ("urm14", Options(12, {"kin": "urm13"}), "none of urm14, urm15, urm12"),
        ("urm14", Options(12, {"speed": "1"}), "no such setting"),
        ("waveshare-ao8", Options(1), "0 to 20 mA"),
        ("waveshare-ao8", Options(1, {"variant": "B", "output": "9"}), "output 9 is not 1 to 8"),
        ("waveshare-ao8", Options(1, {"variant": "B", "full_mv": "500"}), "0 <= least < full"),
        ("waveshare-ao8", Options(1, {"variant": "B", "curve": "round"}), "log or linear"),
    ],
)
def test_what_cannot_be_is_refused(part: str, options: Options, words: str) -> None:
    bench = PARTS[part].bench
    assert bench is not None
    with pytest.raises(InputError, match=words):
        bench.device(part, memory_pair(part)[0], lambda quantity: None, options)
