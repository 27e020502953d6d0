"""Weather by the unmodified Adafruit driver, in virtual time: no thread, no sleep, transfer by transfer."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from drivers.buses.i2c import I2cBus
from drivers.codecs import bme280
from drivers.devices.bme280 import Bme280
from drivers.links.memory import memory_pair
from drivers.quantities import Climate, DeviceHealth, Quantity
from drivers.transfers import STATUS_TEXT, STUCK, Request, RequestStream
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.i2c_chips import I2cChips
from hil.peers.i2c_models import Bme280Model

BOSCH = Climate(0, "mast", 25_082, 562, 100_653)
"""25.08 degC and 1006.53 hPa; the humidity's trimming is made up."""


class Bench:
    def __init__(
        self, *, model: Bme280Model | None = None, period_s: int = 1, frozen_s: int = 0, **faults: Any
    ) -> None:
        near, far = memory_pair("i2c")
        self.chip = model or Bme280Model()
        self.peer = I2cChips("mast/i2c", far, {0x76: self.chip}, **faults)
        self.heard: list[Quantity] = []
        self.bus = I2cBus("i2c", near, emit=self.heard.append)
        self.device = Bme280("mast", self.bus, period_ns=period_s * NS_PER_S, frozen_ns=frozen_s * NS_PER_S)
        self.now_ms = 0

    def run(self, until_ms: int, *, always: bool = False) -> None:
        for now_ms in range(self.now_ms, until_ms, 5):
            now = now_ms * NS_PER_MS
            while self.peer.wake_ns <= now:
                self.peer.run(self.peer.wake_ns)
            for device in (self.device, self.bus):
                if always or device.wake_ns <= now:
                    device.advance(now)
        self.now_ms = until_ms

    @property
    def climates(self) -> list[Climate]:
        return [value for value in self.heard if isinstance(value, Climate)]

    @property
    def health(self) -> list[tuple[int, bool, str]]:
        return [
            (value.t_ns // NS_PER_MS, value.ok, value.reason)
            for value in self.heard
            if isinstance(value, DeviceHealth) and value.source == "mast"
        ]


@pytest.fixture(autouse=True)
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(seconds: float) -> None:
        raise AssertionError(f"the driver sleeps {seconds} s in the loop")

    monkeypatch.setattr("adafruit_bme280.basic.sleep", sleep)


def test_boschs_worked_example_comes_out_of_adafruits_driver() -> None:
    bench = Bench()
    bench.run(1000)
    assert bench.climates == [Climate(bench.climates[0].t_ns, *[getattr(BOSCH, name) for name in FIELDS])]
    assert bench.health == []
    assert bench.device.counters() == {"frames": 1, "failures": 0, "starts": 1, "forgets": 0}


FIELDS = ("source", "temperature_mdegc", "humidity_ppt", "pressure_pa")


def test_it_is_read_every_period() -> None:
    bench = Bench()
    bench.run(10_000)
    times = [climate.t_ns for climate in bench.climates]
    assert len(times) == 10
    assert all(abs(b - a - NS_PER_S) <= 10 * NS_PER_MS for a, b in pairwise(times))


def test_the_chip_is_reset_waits_four_milliseconds_and_ends_in_normal_mode_with_a_second_of_standby() -> None:
    near, far = memory_pair("i2c")
    stream = RequestStream()
    asked: list[tuple[int, Request]] = []
    peer = I2cChips("mast/i2c", far, {0x76: Bme280Model()})
    answer = far.receiver

    def hear(data: bytes, t_ns: int) -> None:
        asked.extend((t_ns, request) for request in stream.feed(data))
        answer(data, t_ns)

    far.receiver = hear
    bus = I2cBus("i2c", near, emit=lambda value: None)
    device = Bme280("mast", bus)
    device.advance(0)
    bus.advance(0)
    bus.advance(bus.wake_ns)
    written = [(t_ns, request.data) for t_ns, request in asked if len(request.data) == 2]
    at = [data for _, data in written].index(b"\xe0\xb6")
    assert (written[at][0], written[at + 1][0]) == (0, 4 * NS_PER_MS)
    settings = {data[0]: data[1] for _, data in written}
    assert settings[bme280.REG_CONFIG] == 0x05 << 5
    assert settings[bme280.REG_CTRL_MEAS] & 3 == bme280.MODE_NORMAL
    assert peer.requests[0x76] == len(asked)


def test_the_same_bytes_paced_or_not_and_no_thread_is_started() -> None:
    import threading

    before = threading.active_count()
    bench = Bench(paced=True)
    bench.run(3000)
    assert len(bench.climates) == 3
    assert threading.active_count() == before


def test_one_that_is_not_there_is_told_at_once_and_found_when_it_is_plugged_in() -> None:
    bench = Bench(absent={0x76: ((0, 5 * NS_PER_S),)})
    bench.run(15_000)
    assert bench.health[0] == (0, False, STATUS_TEXT[1])
    assert [ok for _, ok, _ in bench.health] == [False, True]
    assert len(bench.climates) >= 6
    assert bench.peer.requests[0x76] < 120, "tries with growing pauses"


def test_one_that_stays_away_is_tried_more_and_more_seldom() -> None:
    bench = Bench(absent={0x76: ((0, 120 * NS_PER_S),)})
    bench.run(60_000)
    assert 7 <= bench.peer.requests[0x76] <= 10
    assert len(bench.health) == 1, "it is told once"


def test_one_that_is_unplugged_is_lost_after_three_tries_and_comes_back_without_a_restart() -> None:
    bench = Bench(absent={0x76: ((4 * NS_PER_S, 9 * NS_PER_S),)})
    bench.run(16_000)
    (lost, _, reason), (back, ok, _) = bench.health
    assert 4_000 <= lost <= 5_600
    assert reason == STATUS_TEXT[1]
    assert ok
    assert 9_000 <= back <= 13_500
    assert bench.climates[-1].temperature_mdegc == 25_082


def test_a_moment_without_supply_is_mended_and_no_news() -> None:
    bench = Bench()
    bench.run(3_500)
    bench.peer.power_cycle(0x76, 3_500 * NS_PER_MS)
    bench.run(8_000)
    assert bench.health == []
    assert bench.device.counters()["forgets"] == 1
    assert bench.device.counters()["starts"] == 2
    assert bench.climates[-1].pressure_pa == 100_653


class Forgetful(Bme280Model):
    """Loses its supply whenever it was set."""

    def write(self, data: bytes, t_ns: int) -> None:
        super().write(data, t_ns)
        if data[0] == bme280.REG_CTRL_MEAS and data[1] & 3 == bme280.MODE_NORMAL:
            self.power_cycle(t_ns)


def test_one_that_never_measures_is_said_to_be_unwell() -> None:
    bench = Bench(model=Forgetful())
    bench.run(5_000)
    assert bench.climates == []
    assert bench.health[0][1:] == (False, "does not measure; did it lose its supply?")


class Stranger(Bme280Model):
    def power_cycle(self, t_ns: int) -> None:
        super().power_cycle(t_ns)
        self._registers[0xD0] = 0x58  # a BMP280


def test_another_chip_at_its_address_is_named_by_the_driver() -> None:
    bench = Bench(model=Stranger())
    bench.run(2_000)
    assert bench.health[0][1:] == (False, "Failed to find BME280! Chip ID 0x58")


class Untrimmed(Bme280Model):
    def power_cycle(self, t_ns: int) -> None:
        super().power_cycle(t_ns)
        self._registers |= dict.fromkeys(range(0x88, 0xA0), 0)


def test_trimming_that_makes_no_sense_is_told_in_the_drivers_words() -> None:
    bench = Bench(model=Untrimmed())
    bench.run(3_000)
    assert bench.climates == []
    assert "calibration registers" in bench.health[0][2]


def test_values_that_the_part_cannot_mean_are_no_weather() -> None:
    bench = Bench()
    bench.run(1_500)
    bench.chip.set_weather(900_000, bme280.BOSCH_ADC_P, 30_000)
    bench.run(3_500)
    bench.chip.set_weather(bme280.BOSCH_ADC_T, bme280.BOSCH_ADC_P, 30_000)
    bench.run(5_500)
    assert [ok for _, ok, _ in bench.health] == [False, True]
    assert "temperature of" in bench.health[0][2]
    assert {climate.temperature_mdegc for climate in bench.climates} == {25_082}


def test_raw_values_that_stand_still_are_a_frozen_part() -> None:
    bench = Bench(model=Bme280Model(trembles=True), frozen_s=5)
    bench.run(10_000)
    assert bench.health == []
    bench.chip.frozen = True
    bench.run(20_000)
    assert [entry[1:] for entry in bench.health] == [(False, "frozen value")]
    frozen_at = bench.health[0][0]
    assert max(climate.t_ns for climate in bench.climates) < frozen_at * NS_PER_MS
    bench.chip.frozen = False
    bench.run(25_000)
    assert bench.health[-1][1:] == (True, "")
    assert len(bench.climates) > 10


def test_what_stood_still_before_a_loss_does_not_count_after_it() -> None:
    bench = Bench(frozen_s=6, absent={0x76: ((3 * NS_PER_S, 5 * NS_PER_S),)})
    bench.run(30_000)
    told = [(t_ms, ok, reason) for t_ms, ok, reason in bench.health if ok or reason == "frozen value"]
    (back_ms, ok, _), (frozen_ms, _, reason) = told
    assert (ok, reason) == (True, "frozen value")
    assert frozen_ms - back_ms >= 6_000


def test_a_stuck_bus_is_told_by_the_bus_and_by_the_device_and_never_waited_for() -> None:
    bench = Bench(stuck=((2 * NS_PER_S, 9 * NS_PER_S),))
    bench.run(20_000)
    assert [(ok, reason) for _, ok, reason in bench.health] == [(False, STATUS_TEXT[STUCK]), (True, "")]
    assert bench.bus.counters()["stuck"] >= 3


@pytest.mark.parametrize("faults", [{}, {"absent": {0x76: ((NS_PER_S, 3 * NS_PER_S),)}}, {"mute": ((0, NS_PER_S),)}])
def test_ticking_and_waking_come_to_the_same(faults: dict[str, Any]) -> None:
    woken, ticked = Bench(**faults), Bench(**faults)
    woken.run(8_000)
    ticked.run(8_000, always=True)
    assert woken.heard == ticked.heard
    assert woken.device.wake_ns == ticked.device.wake_ns
    assert woken.peer.requests == ticked.peer.requests


@pytest.mark.parametrize("cut_ms", [5, 100, 1_005, 1_500, 2_100, 3_000])
def test_a_device_restored_in_the_middle_goes_on_exactly(cut_ms: int) -> None:
    def bench() -> Bench:
        return Bench(
            model=Bme280Model(trembles=True), frozen_s=60, paced=True, absent={0x76: ((2_050_000_000, 2_900_000_000),)}
        )

    whole = bench()
    whole.run(6_000)
    first = bench()
    first.run(cut_ms)
    state = json.loads(
        json.dumps([first.bus.snapshot(), first.device.snapshot(), first.peer.snapshot()]),
    )
    second = bench()
    second.now_ms = cut_ms
    second.bus.restore(state[0])
    second.device.restore(state[1])
    second.peer.restore(state[2])
    assert [second.bus.snapshot(), second.device.snapshot()] == [first.bus.snapshot(), first.device.snapshot()]
    second.run(6_000)
    assert first.heard + second.heard == whole.heard
