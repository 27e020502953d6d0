"""A supply's voltage and current: the example of its paper, faults, and a moment without supply."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.buses.i2c import I2cBus
from drivers.devices.ina226 import Ina226
from drivers.errors import InputError
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth, PowerReading, Quantity
from drivers.transfers import STATUS_TEXT
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.i2c_chips import I2cChips
from hil.peers.i2c_models import Ina226Model


class Bench:
    def __init__(self, model: Ina226Model | None = None, **faults: Any) -> None:
        near, far = memory_pair("i2c")
        self.chip = model or Ina226Model()
        self.peer = I2cChips("board/i2c", far, {0x40: self.chip}, **faults)
        self.heard: list[Quantity] = []
        self.bus = I2cBus("i2c", near, emit=self.heard.append)
        self.device = Ina226("supply", self.bus, shunt_uohm=2_000, max_ma=32_768)
        self.now_ms = 0

    def run(self, until_ms: int) -> None:
        for now_ms in range(self.now_ms, until_ms, 10):
            now = now_ms * NS_PER_MS
            while self.peer.wake_ns <= now:
                self.peer.run(self.peer.wake_ns)
            for device in (self.device, self.bus):
                if device.wake_ns <= now:
                    device.advance(now)
        self.now_ms = until_ms

    @property
    def readings(self) -> list[tuple[int | None, int | None, int | None]]:
        return [(v.voltage_mv, v.current_ma, v.power_mw) for v in self.heard if isinstance(v, PowerReading)]

    @property
    def health(self) -> list[tuple[bool, str]]:
        return [(v.ok, v.reason) for v in self.heard if isinstance(v, DeviceHealth) and v.source == "supply"]


def test_the_example_of_its_paper_is_read() -> None:
    """TI SBOS547, table 1: 11.98 V, 10 A, 119.8 W."""
    bench = Bench()
    bench.run(3_000)
    assert bench.readings == [(11_980, 10_000, 119_800)] * 3
    assert bench.health == []


def test_a_battery_that_is_charged_and_discharged_has_both_signs() -> None:
    bench = Bench(Ina226Model(12_000_000, -4_000_000))
    bench.run(500)
    assert bench.readings == [(12_000, -2_000, 24_000)]


def test_a_stranger_at_its_address_is_named_and_not_written() -> None:
    model = Ina226Model()
    model.ids = (0x0000, 0x0000)
    bench = Bench(model)
    bench.run(1_000)
    assert bench.health == [(False, "no INA226 at 0x40: it says 0000 0000")]
    assert model.snapshot() == Ina226Model().snapshot() | {"registers": [0xFF, 0x4127, 0]}
    assert bench.readings == []


def test_one_that_keeps_other_settings_is_not_believed() -> None:
    class Stubborn(Ina226Model):
        def write(self, data: bytes, t_ns: int) -> None:
            super().write(data[:1], t_ns)

    bench = Bench(Stubborn())
    bench.run(1_000)
    assert bench.health == [(False, "keeps other settings: configuration 4127, calibration 0000")]


def test_more_current_than_it_can_tell_gives_the_voltage_only() -> None:
    bench = Bench()
    bench.run(500)
    bench.chip.shunt_nv = 80_000_000  # 40 A
    bench.run(1_500)
    bench.chip.shunt_nv = 20_000_000
    bench.run(2_500)
    assert bench.readings == [(11_980, 10_000, 119_800), (11_980, None, None), (11_980, 10_000, 119_800)]
    assert bench.health == [(False, "more current than the shunt and its largest current allow"), (True, "")]


def test_more_voltage_than_it_stands_is_told() -> None:
    bench = Bench(Ina226Model(bus_uv=38_000_000))
    bench.run(500)
    assert bench.readings == []
    assert bench.health == [(False, "38000 mV is more than the part stands")]


def test_a_moment_without_supply_costs_no_wrong_reading() -> None:
    bench = Bench()
    bench.run(1_500)
    bench.peer.power_cycle(0x40, bench.now_ms * NS_PER_MS)
    bench.run(4_000)
    assert set(bench.readings) == {(11_980, 10_000, 119_800)}
    assert bench.health == []
    assert bench.device.counters()["forgets"] == 1


def test_one_that_is_unplugged_comes_back() -> None:
    bench = Bench(absent={0x40: ((2 * NS_PER_S, 5 * NS_PER_S),)})
    bench.run(12_000)
    assert bench.health == [(False, STATUS_TEXT[1]), (True, "")]
    assert bench.readings[-1] == (11_980, 10_000, 119_800)


def test_a_shunt_that_does_not_go_with_the_current_is_refused_with_the_device() -> None:
    near, _ = memory_pair("i2c")
    with pytest.raises(InputError, match="supply: 820 mA through 100000 uohm"):
        Ina226("supply", I2cBus("i2c", near, emit=lambda value: None), max_ma=820)
