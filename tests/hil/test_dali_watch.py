"""A line of lamps that nobody commands: what fails is noticed all the same, in the time stated, at the rate stated."""

from __future__ import annotations

import json

import pytest

from dali_yard import GATEWAYS, Yard
from drivers.codecs.dali import QUERY_CONTROL_GEAR_PRESENT
from drivers.quantities import DeviceHealth, LampStatus, PowerReading
from drivers.units import NS_PER_MS, NS_PER_S

CHECK_S, KEEPALIVE_S = 600, 9


def test_a_dead_gateway_is_noticed_within_ten_seconds_though_nothing_is_commanded_and_every_lamp_says_so() -> None:
    yard = Yard()
    yard.run(100)
    yard.gateway.set_silent(yard.now_ns, 400 * NS_PER_S)
    yard.run(390)
    (lost,) = [value for value in yard.values if isinstance(value, DeviceHealth)]
    assert (lost.source, lost.ok, lost.reason) == ("dali", False, "gateway lost")
    assert lost.t_ns - 100 * NS_PER_S < (KEEPALIVE_S + 1) * NS_PER_S
    assert yard.failures() == [(f"lamp-{n}", "gateway lost") for n in range(6)]
    yard.values.clear()
    yard.run(403)
    assert yard.said("dali") == [(True, "")]
    assert yard.failures() == [(f"lamp-{n}", "") for n in range(6)]


def test_the_gateway_is_kept_alive_where_no_lamp_asks() -> None:
    yard = Yard(1, "check_s = 0\n")
    yard.lamps[0].set_level(170, yard.now_ns)
    yard.run(10.1)  # its last word
    yard.gateway.set_silent(yard.now_ns, 1000 * NS_PER_S)
    frames = yard.bus.frames
    yard.run(10 + KEEPALIVE_S)
    assert (yard.said("dali"), yard.bus.frames - frames) == ([], 0)
    yard.run(10.1 + KEEPALIVE_S + 1)
    assert yard.said("dali") == [(False, "gateway lost")]


def test_a_quiet_line_of_six_lamps_is_asked_468_frames_an_hour_and_72_without_the_gateways_own() -> None:
    for more, frames in (("keepalive_s = 0\n", 6 * 2 * 3600 // CHECK_S), ("", 468)):
        yard = Yard(more=more)
        before, quiet = yard.bus.frames, yard.values.copy()
        yard.run(10 + 3600)
        assert yard.bus.frames - before == frames
        assert yard.values == quiet


@pytest.mark.parametrize("n", [0, 3, 5])
@pytest.mark.parametrize(
    ("fault", "failure"),
    [("lamp_failed", "lamp failure"), ("gear_failed", "gear failure"), ("dead", "gear does not answer")],
)
def test_a_fault_is_found_within_ten_minutes_and_its_end_as_well(n: int, fault: str, failure: str) -> None:
    yard = Yard()
    for on, said in ((True, failure), (False, "")):
        began_ns = yard.now_ns
        setattr(yard.gateway.gear[n], fault, on)
        yard.run(began_ns / NS_PER_S + CHECK_S + 1)
        assert yard.failures() == [(f"lamp-{n}", said)]
        assert yard.said(f"lamp-{n}") == [(not on, said)]
        yard.values.clear()


@pytest.mark.parametrize("part", sorted(GATEWAYS))
@pytest.mark.parametrize(("lamps", "within_s"), [(6, 1), (64, 9)])
def test_at_a_start_a_lamp_that_is_dark_is_found_at_once_with_its_level_taken_over_before(
    part: str, lamps: int, within_s: int
) -> None:
    yard = Yard(lamps, part=part, failed=(1, lamps - 1))
    said = [value for value in yard.values if isinstance(value, LampStatus)]
    taken_over = [value.source for value in said if value.level is not None or not value.failure]
    assert sorted(taken_over) == sorted(f"lamp-{n}" for n in range(lamps))
    found = [(value.source, value.failure) for value in said[lamps:]]
    assert found == [(f"lamp-{n}", "lamp failure") for n in (1, lamps - 1)]
    assert said[-1].t_ns < within_s * NS_PER_S


def test_one_lost_answer_is_no_failure() -> None:
    yard = Yard(1)
    gear = yard.gateway.gear[0]
    asked: list[int] = []
    obey = gear.obey

    def hard_of_hearing(code: int, t_ns: int) -> int | None:
        asked.extend([code] * (code != QUERY_CONTROL_GEAR_PRESENT))  # of the bus, for the gateway's sake
        return None if len(asked) <= 2 else obey(code, t_ns)

    gear.obey = hard_of_hearing  # type: ignore[method-assign]
    yard.run(10 + CHECK_S)
    assert [f"{code:02X}" for code in asked] == ["90", "A0", "90", "A0"]
    assert yard.values == []


def test_a_gear_whose_supply_blinked_is_told_its_level_again() -> None:
    yard = Yard(2)
    for lamp in yard.lamps:
        lamp.set_level(170, yard.now_ns)
    yard.run(20)
    for dead in (True, False):
        yard.gateway.set_gear_dead(1, dead, yard.now_ns)
    assert yard.gateway.level_at(1, yard.now_ns) == 254
    yard.run(20 + CHECK_S)
    assert [yard.gateway.level_at(n, yard.now_ns) for n in range(2)] == [170, 170]
    assert (yard.line.counters()["corrections"], yard.failures()) == (1, [])


def test_a_gear_that_does_not_keep_its_level_is_told_twice_and_then_on() -> None:
    yard = Yard(1)
    gear = yard.gateway.gear[0]
    set_target = gear.set_target
    gear.set_target = lambda level, t_ns, *, fade: None  # type: ignore[method-assign]
    yard.lamps[0].set_level(254, yard.now_ns)
    yard.run(10 + CHECK_S)
    assert yard.failures() == []
    yard.run(10 + 2 * CHECK_S)
    assert yard.failures() == [("lamp-0", "does not keep its level")]
    gear.set_target = set_target  # type: ignore[method-assign]
    yard.run(10 + 4 * CHECK_S)
    assert yard.failures()[1:] == [("lamp-0", "")]
    assert yard.gateway.level_at(0, yard.now_ns) == 254


def test_a_lamp_at_its_limit_or_in_a_fade_is_not_taken_for_stubborn() -> None:
    yard = Yard(1, "check_s = 1\n")
    yard.gateway.gear[0].max_level = 200
    for second in range(10, 20):
        yard.lamps[0].set_level(254 if second % 2 else 100, yard.now_ns)
        yard.run(second + 0.5)
    assert (yard.line.counters()["corrections"], yard.failures()) == (0, [])


def test_settings_that_differ_are_a_finding_and_no_failure_and_nothing_is_written() -> None:
    yard = Yard(2)
    gear = yard.gateway.gear[1]
    gear.fade_code, gear.power_on_level, gear.physical_minimum, gear.min_level, gear.curve = 5, 0, 85, 85, 1
    for lamp in yard.lamps:
        lamp.verify(yard.now_ns, failure_level=254, fade_code=2)
    yard.run(20)
    reason = "settings: fade_code is 5, wanted 2; power_on_level is 0, wanted 254; curve is 1, wanted 0"
    assert yard.said("lamp-1") == [(False, reason)]
    assert (yard.said("lamp-0"), yard.failures(), gear.writes) == ([], [], 0)
    yard.run(20 + CHECK_S)
    assert yard.said("lamp-1") == [(False, reason)], "a look at the lamp does not end it"


def test_questions_keep_a_level_waiting_for_one_answer_at_most() -> None:
    yard = Yard()
    yard.run(CHECK_S / 6)
    frames = yard.bus.frames
    yard.run(CHECK_S / 6 + 0.03)  # lamp-0 is being asked
    assert yard.bus.frames == frames + 1
    yard.lamps[3].set_level(254, yard.now_ns)
    began_ns = yard.now_ns
    while not yard.gateway.gear[3].fading_at(yard.now_ns):
        yard.run(yard.now_ns / NS_PER_S + 0.001)
    assert yard.now_ns - began_ns < 60 * NS_PER_MS


def test_a_line_goes_on_exactly_from_its_snapshot_and_does_nothing_before_its_wake() -> None:
    yard, other = Yard(2), Yard(2)
    yard.gateway.gear[1].lamp_failed = True
    yard.lamps[0].set_level(99, yard.now_ns)
    yard.run(10 + CHECK_S)
    state = json.loads(json.dumps([yard.bus.snapshot(), yard.line.snapshot(), yard.gateway.snapshot()]))
    other.now_ns = yard.now_ns
    for device, saved in zip((other.bus, other.line, other.gateway), state, strict=True):
        device.restore(saved)
    assert [other.bus.snapshot(), other.line.snapshot(), other.gateway.snapshot()] == state
    yard.line.advance(yard.line.wake_ns - 1)
    assert yard.line.snapshot() == state[1]
    yard.values.clear()
    for each in (yard, other):
        each.gateway.gear[1].lamp_failed = False
        each.run(10 + 3 * CHECK_S)
    assert (
        yard.values
        == other.values
        == [
            LampStatus(yard.values[0].t_ns, "lamp-1", None, ""),
            DeviceHealth(yard.values[0].t_ns, "lamp-1", True),
        ]
    )
    assert yard.line.snapshot() == other.line.snapshot()


def test_energy_of_d4i_gear_is_read_by_lamp_every_so_often_and_waits_for_levels() -> None:
    yard = Yard(2, "power_s = 900\n")
    for n, gear in yard.gateway.gear.items():
        gear.memory.fill(202, 4, bytes((0xFD, 0, 0, 0, 0x12, 0xD6, 0x87 + n)))  # DiiA 252: 1234.567 Wh and one more
        gear.memory.fill(202, 11, bytes((0xFF, 0, 0, 0, 205 - n)))
    yard.values.clear()
    yard.run(900.2)  # the banks are being read
    yard.lamps[1].set_level(254, yard.now_ns)
    began_ns = yard.now_ns
    while not yard.gateway.gear[1].fading_at(yard.now_ns):
        yard.run(yard.now_ns / NS_PER_S + 0.02)
    assert yard.now_ns - began_ns < 200 * NS_PER_MS  # what latches a bank belongs together
    yard.run(910)
    assert [
        (value.source, value.energy_mwh, value.power_mw) for value in yard.values if isinstance(value, PowerReading)
    ] == [
        ("lamp-0", 1_234_567, 20_500),
        ("lamp-1", 1_234_568, 20_400),
    ]


def test_wear_is_counted_by_what_a_lamp_was_told() -> None:
    yard = Yard(1)
    for at_s, level in ((10, 0), (20, 170), (30, 170), (40, 254), (41, 170), (60, 0), (70, 254)):
        yard.run(at_s)
        yard.lamps[0].set_level(level, yard.now_ns)
    figures = yard.lamps[0].wear.figures(80 * NS_PER_S)
    assert figures == {
        "starts": 2,
        "changes": 5,
        "lit_s": 50,
        "full_s": 11,
        "s_at": {"0": 20, "170": 39, "254": 11},
    }
    assert (yard.line.counters()["starts"], yard.line.counters()["changes"]) == (2, 5)
