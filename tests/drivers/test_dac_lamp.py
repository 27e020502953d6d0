"""Lamps behind I2C converters: the curve, levels before everything, and a chip that lost its supply."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.buses.i2c import I2cBus
from drivers.codecs.dali import OUTPUT_PPM
from drivers.codecs.pca9685 import prescale_for
from drivers.devices.dac_lamp import GP8403, MCP4725, PCA9685, DacLamp, LampChip
from drivers.errors import InputError, OutOfRange
from drivers.interfaces import Lamp
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth, LampStatus, Quantity
from drivers.transfers import STATUS_TEXT
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.peers.i2c_chips import I2cChips
from hil.peers.i2c_models import Gp8403Model, Mcp4725Model, Pca9685Model

SETTINGS = {"GP8403": 10_000, "MCP4725": 0, "PCA9685": prescale_for(1000)}


class Bench:
    """A chip with two lamps where it has outputs for two."""

    def __init__(
        self, part: Any = GP8403, *, model: Any = None, full: int | None = None, minimum: int = 1, **faults: Any
    ):
        near, far = memory_pair("i2c")
        self.chip = model or {"GP8403": Gp8403Model, "MCP4725": Mcp4725Model, "PCA9685": Pca9685Model}[part.name]()
        self.peer = I2cChips("lamp/i2c", far, {0x60: self.chip}, **faults)
        self.heard: list[Quantity] = []
        self.bus = I2cBus("i2c", near, emit=self.heard.append)
        self.device = LampChip("i2c/0x60", self.bus, part, address=0x60, setting=SETTINGS[part.name])
        self.lamps = [
            self.device.lamp(channel, f"lamp-{channel}", full=full, minimum=minimum)
            for channel in range(min(2, part.channels))
        ]
        self.now_ms = 0

    def run(self, until_ms: int, *, always: bool = False, step_ms: int = 10) -> None:
        for now_ms in range(self.now_ms, until_ms, step_ms):
            now = now_ms * NS_PER_MS
            while self.peer.wake_ns <= now:
                self.peer.run(self.peer.wake_ns)
            for device in (self.device, self.bus):
                if always or device.wake_ns <= now:
                    device.advance(now)
        self.now_ms = until_ms

    def level(self, level: int, lamp: int = 0) -> None:
        self.lamps[lamp].set_level(level, self.now_ms * NS_PER_MS)

    def shown(self, output: int = 0) -> int:
        """Counts, or mV of a GP8403."""
        if isinstance(self.chip, Gp8403Model):
            return self.chip.outputs_mv[output]
        return self.chip.counts if isinstance(self.chip, Mcp4725Model) else self.chip.duty(output)  # type: ignore[no-any-return]

    @property
    def found(self) -> list[int | None]:
        return [value.level for value in self.heard if isinstance(value, LampStatus) and not value.failure]

    @property
    def health(self) -> list[tuple[str, bool, str]]:
        return [(v.source, v.ok, v.reason) for v in self.heard if isinstance(v, DeviceHealth) and v.source != "i2c"]


PARTS = [GP8403, MCP4725, PCA9685]
FULL = {"GP8403": 10_000, "MCP4725": 4095, "PCA9685": 4096}


@pytest.mark.parametrize("part", PARTS)
def test_a_level_is_shown_by_dalis_curve(part: Any) -> None:
    bench = Bench(part)
    bench.run(100)
    for level in (254, 170, 85, 1, 0):
        bench.level(level)
        bench.run(bench.now_ms + 20)
        assert abs(bench.shown() - OUTPUT_PPM[level] * FULL[part.name] // 1_000_000) <= 2
    assert bench.shown() == 0


def test_full_is_full_and_level_1_is_not_dark() -> None:
    bench = Bench(PCA9685)
    bench.run(100)
    bench.level(254)
    bench.level(1, lamp=1)
    bench.run(120)
    assert (bench.shown(0), bench.shown(1)) == (4096, 4)


def test_a_lamp_is_a_lamp() -> None:
    lamp: Lamp = Bench().lamps[0]
    assert isinstance(lamp, DacLamp)
    assert (lamp.wake_ns, lamp.counters(), lamp.snapshot()) == (FOREVER_NS, {"frames": 0}, {})
    lamp.advance(0)
    lamp.restore({})


@given(st.integers(1, 4095), st.integers(1, 4095), st.integers(0, 254))
def test_counts_rise_with_the_level_between_minimum_and_full(a: int, b: int, level: int) -> None:
    minimum, full = sorted((a, b))
    lamp = Bench(full=full, minimum=minimum).lamps[0]
    counts = lamp.counts_of(level)
    assert counts == 0 if level == 0 else minimum <= counts <= full
    assert lamp.counts_of(max(0, level - 1)) <= counts
    assert lamp.level_of(0) == 0
    assert lamp.level_of(-1) is None


@pytest.mark.parametrize("part", PARTS)
@given(level=st.integers(110, 254))
def test_a_level_is_found_again_in_the_counts(part: Any, level: int) -> None:
    lamp = Bench(part).lamps[0]
    again = lamp.level_of(lamp.counts_of(level))
    assert again is not None
    assert abs(again - level) <= 1


@pytest.mark.parametrize("level", [-1, 255, 1000])
def test_other_levels_are_refused(level: int) -> None:
    bench = Bench()
    with pytest.raises(OutOfRange, match="0 to 254"):
        bench.level(level)


@pytest.mark.parametrize(("full", "minimum"), [(4096, 1), (100, 101), (100, 0)])
def test_counts_that_the_chip_has_not_are_refused(full: int, minimum: int) -> None:
    with pytest.raises(InputError, match="a GP8403 has 1 to 4095"):
        Bench(full=full, minimum=minimum)


def test_an_output_is_there_once() -> None:
    bench = Bench()
    for channel in (0, 2):
        with pytest.raises(InputError, match="is taken, or a GP8403 has none"):
            bench.device.lamp(channel, "lamp-9")


def test_what_a_lamp_shows_at_start_is_told_and_not_touched() -> None:
    model = Mcp4725Model(memory=2000)
    bench = Bench(MCP4725, model=model)
    bench.run(1_000)
    assert bench.found == [bench.lamps[0].level_of(2000)]
    assert model.counts == 2000


def test_a_chip_that_cannot_say_or_is_not_there_has_no_level() -> None:
    there, absent = Bench(GP8403), Bench(MCP4725, absent={0x60: ((0, NS_PER_S),)})
    there.run(500)
    absent.run(500)
    assert there.found == [None, None]
    assert absent.found == [None]
    assert absent.health == [("lamp-0", False, STATUS_TEXT[1])]


def test_a_running_pca9685_is_taken_over_without_a_flash() -> None:
    model = Pca9685Model()
    first = Bench(PCA9685, model=model)
    first.run(100)
    first.level(200)
    first.run(200)
    before = model.duty(0)
    dark = []
    plain = model.write
    model.write = lambda data, t_ns: (plain(data, t_ns), dark.append(model.duty(0)))[0]  # type: ignore[method-assign]
    second = Bench(PCA9685, model=model)
    second.run(200)
    assert second.found[0] == second.lamps[0].level_of(before)
    assert set(dark) <= {before}
    assert model.early_restarts == 0


def test_a_pca9685_gets_its_frequency_asleep_and_restarts_after_its_oscillator() -> None:
    bench = Bench(PCA9685)
    bench.device.advance(0)
    while bench.bus.wake_ns < NS_PER_S:  # at the very nanosecond
        bench.bus.advance(bench.bus.wake_ns)
    assert bench.device.is_up
    assert bench.chip.frequency_hz == 1017
    assert bench.chip.early_restarts == 0


def test_a_pca9685_that_only_lacks_auto_increment_is_not_put_to_sleep() -> None:
    model = Pca9685Model()
    model.write(b"\xfe\x05", 0)
    model.write(b"\x00\x01", 0)
    bench = Bench(PCA9685, model=model)
    bench.run(100)
    bench.level(254)
    bench.run(200)
    assert bench.shown() == 4096


def test_a_pca9685_that_keeps_its_frequency_is_told() -> None:
    class Stubborn(Pca9685Model):
        def _store(self, register: int, value: int, t_ns: int) -> None:
            if register != 0xFE:
                super()._store(register, value, t_ns)

    bench = Bench(PCA9685, model=Stubborn())
    bench.run(200)
    assert bench.health[0] == ("lamp-0", False, "keeps prescale 30, not 5")


def test_an_mcp4725_is_never_written_into_its_memory() -> None:
    bench = Bench(MCP4725)
    for n in range(50):
        bench.level(n * 5)
        bench.run(bench.now_ms + 100)
    assert bench.chip.writes == 0


@pytest.mark.parametrize("part", PARTS)
def test_a_chip_that_lost_its_supply_is_told_again_within_a_period(part: Any) -> None:
    bench = Bench(part)
    bench.run(100)
    bench.level(200)
    bench.run(1_000)
    before = bench.shown()
    bench.peer.power_cycle(0x60, bench.now_ms * NS_PER_MS)
    assert bench.shown() == 0
    bench.run(7_000)
    assert bench.shown() == before
    assert bench.health == []


def test_an_output_that_does_not_keep_its_level_is_told_of() -> None:
    bench = Bench(MCP4725)
    bench.run(100)
    bench.level(200)
    bench.run(200)
    bench.chip.write = lambda data, t_ns: None
    bench.chip.counts = 7
    bench.run(12_000)
    assert bench.health == [("lamp-0", False, "output 0 does not keep what it is told")]
    assert bench.device.counters()["corrections"] >= 2


def test_levels_set_while_the_chip_is_away_are_shown_when_it_is_back() -> None:
    bench = Bench(GP8403, absent={0x60: ((NS_PER_S, 4 * NS_PER_S),)})
    bench.run(2_500)
    bench.level(100)
    bench.run(3_000)
    bench.level(254)
    bench.level(254, lamp=1)
    bench.run(12_000)
    assert bench.chip.outputs_mv == (10_000, 10_000)
    assert [entry[:2] for entry in bench.health] == [
        ("lamp-0", False),
        ("lamp-1", False),
        ("lamp-0", True),
        ("lamp-1", True),
    ]


def test_a_level_that_was_refused_once_is_sent_again_soon() -> None:
    bench = Bench(MCP4725, absent={0x60: ((NS_PER_S, 1_100 * NS_PER_MS),)})
    bench.run(1_050)
    bench.level(254)
    bench.run(2_000)
    assert bench.shown() == 4095
    assert bench.health == []


def test_what_fails_after_a_chip_was_given_up_does_not_put_off_its_next_start() -> None:
    bench = Bench(PCA9685, absent={0x60: ((NS_PER_S, 1_200 * NS_PER_MS),)})
    bench.run(1_050)
    for output in range(10):
        bench.device.show(output, 4096, bench.now_ms * NS_PER_MS)
    bench.run(2_000)
    assert [bench.shown(output) for output in range(10)] == [4096] * 10
    assert [ok for source, ok, _ in bench.health if source == "lamp-0"] == [False, True]


def test_many_levels_in_one_tick_cost_one_transfer() -> None:
    bench = Bench(GP8403)
    bench.run(1_000)
    before = bench.peer.requests[0x60]
    for level in range(255):
        bench.level(level)
    bench.run(1_010)
    assert bench.peer.requests[0x60] == before + 1
    assert bench.shown() == 10_000


@pytest.mark.parametrize("part", PARTS)
def test_ticking_waking_and_resuming_come_to_the_same(part: Any) -> None:
    def story(how: str) -> list[object]:
        bench = Bench(part, paced=True, absent={0x60: ((3 * NS_PER_S, 4 * NS_PER_S),)})
        shown = []
        for n in range(40):
            bench.run(200 * (n + 1), always=how == "ticking")
            bench.level((n * 37) % 255)
            if n == 9:
                bench.peer.power_cycle(0x60, bench.now_ms * NS_PER_MS)
            if how == "resuming" and n % 7 == 3:
                state = json.loads(json.dumps([x.snapshot() for x in (bench.bus, bench.device, bench.peer)]))
                fresh = Bench(part, model=bench.chip, paced=True, absent=bench.peer.absent)
                fresh.now_ms = bench.now_ms
                fresh.heard += bench.heard
                for x, saved in zip((fresh.bus, fresh.device, fresh.peer), state, strict=True):
                    x.restore(saved)  # type: ignore[attr-defined]
                bench = fresh
            shown.append(bench.shown())
        return [bench.heard, shown, bench.bus.counters()]

    assert story("ticking") == story("waking")
    assert story("resuming") == story("waking")
