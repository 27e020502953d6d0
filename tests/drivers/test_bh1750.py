"""A lux sensor: the example of its paper, its orders, and a moment without supply, which is not dark."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.buses.i2c import I2cBus
from drivers.codecs import bh1750
from drivers.devices.bh1750 import Bh1750
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth, Illuminance, Quantity
from drivers.transfers import STATUS_TEXT
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.i2c_chips import I2cChips
from hil.peers.i2c_models import Bh1750Model


def test_the_example_of_its_paper() -> None:
    """ROHM BH1750FVI, Rev. D: 1000 0011 1001 0000 is 28067 lx."""
    assert bh1750.illuminance_mlux(bytes.fromhex("83 90")) == 28_066_667
    assert bh1750.result_of(28_066_667) == bytes.fromhex("83 90")


@given(st.integers(0, 0xFFFF))
def test_what_the_far_end_says_is_read_as_the_same(raw: int) -> None:
    result = raw.to_bytes(2, "big")
    assert bh1750.result_of(bh1750.illuminance_mlux(result)) == result


def test_more_or_less_than_it_can_say_is_its_end() -> None:
    assert bh1750.result_of(10**9) == b"\xff\xff"
    assert bh1750.result_of(-5) == b"\0\0"


@pytest.mark.parametrize("length", [0, 1, 3])
def test_a_result_has_two_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="2 bytes"):
        bh1750.illuminance_mlux(bytes(length))


@pytest.mark.parametrize(
    ("written", "said", "words"),
    [
        ("20", "", {"order": "measure once"}),
        ("42", "", {"order": "0x42"}),
        ("", "83 90", {"illuminance_mlux": 28_066_667}),
        ("", "", {}),
        ("20 01", "", {}),
    ],
)
def test_a_transfer_in_words(written: str, said: str, words: dict[str, object]) -> None:
    assert bh1750.describe(bytes.fromhex(written), bytes.fromhex(said)) == words


class Bench:
    def __init__(self, **faults: Any) -> None:
        near, far = memory_pair("i2c")
        self.chip = Bh1750Model(400_000)
        self.peer = I2cChips("board/i2c", far, {0x23: self.chip}, **faults)
        self.heard: list[Quantity] = []
        self.bus = I2cBus("i2c", near, emit=self.heard.append)
        self.device = Bh1750("lux", self.bus, period_ns=NS_PER_S)
        self.now_ms = 0

    def run(self, until_ms: int) -> list[Quantity]:
        self.heard.clear()
        for now_ms in range(self.now_ms, until_ms, 10):
            now = now_ms * NS_PER_MS
            while self.peer.wake_ns <= now:
                self.peer.run(self.peer.wake_ns)
            for device in (self.device, self.bus):
                if device.wake_ns <= now:
                    device.advance(now)
        self.now_ms = until_ms
        return list(self.heard)


def lux(values: list[Quantity]) -> list[int]:
    return [value.illuminance_mlux for value in values if isinstance(value, Illuminance)]


def test_it_is_read_once_in_its_period() -> None:
    bench = Bench()
    assert lux(bench.run(5_000)) == [400_000] * 5
    bench.chip.mlux = 1_250
    assert lux(bench.run(8_000))[-1] == 1_667, "a step is 0.83 lx"


def test_a_moment_without_supply_is_not_dark() -> None:
    bench = Bench()
    bench.run(2_000)
    bench.chip.power_cycle(2_000 * NS_PER_MS)
    assert set(lux(bench.run(5_000))) == {400_000}


def test_one_that_is_unplugged_is_lost_and_well_again() -> None:
    bench = Bench(absent={0x23: ((2_000 * NS_PER_MS, 8_000 * NS_PER_MS),)})
    heard = bench.run(20_000)
    health = [value for value in heard if isinstance(value, DeviceHealth)]
    assert [(value.ok, value.reason) for value in health] == [(False, STATUS_TEXT[1]), (True, "")]
    assert lux(heard)[-1] == 400_000


def test_a_restored_model_goes_on_where_it_stood() -> None:
    one, other = Bh1750Model(), Bh1750Model()
    one.write(b"\x10", 0)
    other.restore(json.loads(json.dumps(one.snapshot())))
    one.mlux = other.mlux = 100_000
    for t_ms in (10, 200, 300, 500):
        assert one.read(2, t_ms * NS_PER_MS) == other.read(2, t_ms * NS_PER_MS)
    for opcode in (b"\x07", b"\x00", b"\x07"):
        one.write(opcode, NS_PER_S)
    assert one.read(2, 2 * NS_PER_S) == b"\0\0"
