"""A lamp behind PWM: light by the DALI curve, and what it says of itself."""

from __future__ import annotations

import json
import select
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory, MockPWMPin
from hypothesis import given
from hypothesis import strategies as st

from cut_wire import CutWire
from drivers.clock import SystemClock
from drivers.codecs.dali_tables import OUTPUT_PPM
from drivers.devices.pwm_lamp import RETRY_NS, PwmLamp
from drivers.errors import InputError, OutOfRange
from drivers.links.gpio import GpioLine, GpioLink
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth, LampStatus
from drivers.units import FOREVER_NS, NS_PER_S
from hil.peers.gpio_lines import LinesPeer

S = NS_PER_S


def lamp(**settings: Any) -> tuple[PwmLamp, LinesPeer, list[Any], CutWire]:
    near = CutWire("lamps")
    emitted: list[Any] = []
    return PwmLamp("lamp-1", near, emitted.append, **settings), LinesPeer("rig", near.far), emitted, near


@pytest.mark.parametrize(("level", "per_mille"), [(0, 0), (1, 1), (85, 10), (170, 101), (229, 505), (254, 1000)])
def test_light_follows_the_logarithmic_curve_of_iec_62386_102(level: int, per_mille: int) -> None:
    device, rig, _, _ = lamp()
    device.set_level(254 if level == 0 else 0, 0)
    device.set_level(level, 1)
    pwm = rig.pwm(0)
    assert pwm is not None
    assert pwm[0] == 1_000_000
    assert round(pwm[1] / 1000) == per_mille


@given(st.integers(0, 254), st.integers(100, 50_000), st.integers(0, 1_000_000))
def test_on_and_inverted_share_every_period_between_them(level: int, frequency_hz: int, min_ppm: int) -> None:
    straight, _, _, _ = lamp(frequency_hz=frequency_hz, min_duty_ppm=min_ppm)
    inverted, _, _, _ = lamp(frequency_hz=frequency_hz, min_duty_ppm=min_ppm, inverted=True)
    period_ns = straight.on_ns(254)
    assert abs(period_ns * frequency_hz - S) <= frequency_hz
    assert straight.on_ns(level) + inverted.on_ns(level) == period_ns
    assert straight.on_ns(level) <= straight.on_ns(min(level + 1, 254))
    if level:
        assert straight.on_ns(level) >= period_ns * max(min_ppm, OUTPUT_PPM[level]) // 1_000_000
    else:
        assert straight.on_ns(0) == 0


def test_the_smallest_share_of_a_driver_holds_for_dim_levels_and_not_for_off() -> None:
    device, _, _, _ = lamp(min_duty_ppm=20_000)
    assert [device.on_ns(level) for level in (0, 1, 85, 254)] == [0, 20_000, 20_000, 1_000_000]


def test_a_level_is_sent_once_and_a_wrong_one_never() -> None:
    device, rig, _, _ = lamp(line=3)
    device.set_level(100, 0)
    device.set_level(100, 1)
    assert (len(rig.heard), device.counters()) == (1, {"frames": 1, "link_losses": 0})
    for wrong in (-1, 255):
        with pytest.raises(OutOfRange, match="lamp-1: level"):
            device.set_level(wrong, 2)
    assert len(rig.heard) == 1


def test_at_the_start_it_says_that_it_does_not_know_its_level() -> None:
    device, _, emitted, _ = lamp()
    device.advance(5)
    device.advance(6)
    assert emitted == [LampStatus(5, "lamp-1", None)]
    assert device.wake_ns == FOREVER_NS


def test_a_lost_wire_is_said_once_tried_every_second_and_gets_the_newest_level() -> None:
    device, rig, emitted, wire = lamp()
    device.advance(0)
    wire.cut = True
    device.set_level(100, S)
    device.set_level(200, S + 1)
    lost = [LampStatus(S, "lamp-1", None, "unplugged"), DeviceHealth(S, "lamp-1", False, "unplugged")]
    assert emitted[1:] == lost
    assert device.wake_ns == S + RETRY_NS
    before = device.snapshot()
    device.advance(device.wake_ns - 1)
    assert device.snapshot() == before
    device.advance(2 * S)
    assert device.wake_ns == 3 * S
    wire.cut = False
    device.advance(3 * S)
    assert emitted[3:] == [LampStatus(3 * S, "lamp-1", None), DeviceHealth(3 * S, "lamp-1", True)]
    assert rig.pwm(0) == (1_000_000, device.on_ns(200))
    assert (device.wake_ns, device.counters()["link_losses"]) == (FOREVER_NS, 1)


def test_a_wire_lost_before_the_first_tick_is_tried_all_the_same() -> None:
    device, rig, emitted, wire = lamp()
    wire.cut = True
    device.set_level(50, 0)
    device.advance(1)
    assert emitted[1:] == [DeviceHealth(0, "lamp-1", False, "unplugged"), LampStatus(1, "lamp-1", 50)]
    wire.cut = False
    device.advance(device.wake_ns)
    assert rig.pwm(0) == (1_000_000, device.on_ns(50))


def test_a_snapshot_while_the_wire_is_lost_goes_on_as_the_original() -> None:
    device, _, _, wire = lamp()
    device.advance(0)
    wire.cut = True
    device.set_level(100, S)
    other, rig, emitted, _ = lamp()
    other.restore(json.loads(json.dumps(device.snapshot())))
    assert other.snapshot() == device.snapshot()
    other.advance(2 * S)
    assert emitted[1:] == [DeviceHealth(2 * S, "lamp-1", True)]
    assert rig.pwm(0) == (1_000_000, other.on_ns(100))


@pytest.mark.parametrize("settings", [{"frequency_hz": 99}, {"frequency_hz": 50_001}, {"min_duty_ppm": 1_000_001}])
def test_numbers_that_no_lamp_takes_are_refused(settings: dict[str, int]) -> None:
    near, _ = memory_pair("lamps")
    with pytest.raises(InputError, match="lamp-1"):
        PwmLamp("lamp-1", near, print, **settings)


def test_the_same_lamp_hangs_on_gpiozero() -> None:
    mock = MockFactory(pin_class=MockPWMPin)
    link = GpioLink("lamps", [GpioLine(18, out=True)], factory=lambda: mock)
    link.open(0)
    device = PwmLamp("lamp-1", link, print, line=18, frequency_hz=500)
    device.set_level(229, SystemClock().now_ns())
    deadline_ns = SystemClock().now_ns() + 10 * S
    while mock.pin(18).state != device.on_ns(229) / 2_000_000:
        assert SystemClock().now_ns() < deadline_ns
        select.select([], [], [], 0.002)
    assert mock.pin(18).frequency == 500
    link.close()
