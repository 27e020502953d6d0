"""URM14, SDM120 and 0-10 V lamps with names, on one bus with their far ends: values, health, recovery."""

from __future__ import annotations

import json

import pytest

from drivers.buses.modbus import ModbusBus
from drivers.devices.analog_lamp import AnalogLamp
from drivers.devices.listener import FROZEN
from drivers.devices.modbus_part import ModbusPart, PartAlone
from drivers.devices.sdm120 import Sdm120
from drivers.devices.urm14 import FORGETS, Urm14
from drivers.quantities import DeviceHealth, PowerReading, Quantity, Range
from drivers.units import FOREVER_NS, NS_PER_S
from hil.peers.modbus_models import Ao8Model, ModbusModel, Sdm120Model, Urm14Model
from hil.peers.modbus_slaves import Fault
from modbus_parts_rig import Rig, dead


def ranges(values: list[Quantity]) -> list[int | None]:
    return [value.distance_mm for value in values if isinstance(value, Range)]


# --- URM14


def test_a_urm14_is_configured_and_measures_on_its_period() -> None:
    model = Urm14Model(distance=12_345)
    model.holding[8] = 0
    rig = Rig([model], lambda bus: [Urm14("bay-3", bus)])
    assert ranges(rig.run(2.9)) == [1235] * 6
    assert model.holding[8] == 4
    model.distance = None
    assert ranges(rig.run(4.9)) == [None] * 4
    assert rig.parts[0].counters() == {"frames": 11, "failures": 0, "refusals": 0, "forgets": 0}


def test_a_urm14_that_measures_all_the_time_is_only_read() -> None:
    model = Urm14Model()
    rig = Rig([model], lambda bus: [Urm14("bay-3", bus, passive=False)])
    assert ranges(rig.run(2.9)) == [1235] * 6
    assert (model.holding[8], model.measurements) == (0, 0)


def test_the_kin_have_their_own_steps() -> None:
    rig = Rig([Urm14Model(15, 2_345, part_id=5)], lambda bus: [Urm14("bay-3", bus, address=15, kin="urm15")])
    assert ranges(rig.run(0.9))[0] == 2345


def bay_of(rig: Rig) -> Urm14:
    found = rig.parts[0]
    assert isinstance(found, Urm14)
    return found


def test_the_airs_temperature_is_written_and_used_from_the_first_one_on() -> None:
    model = Urm14Model()
    rig = Rig([model], lambda bus: [Urm14("bay-3", bus)])
    assert ranges(rig.run(0.9)) == [1235] * 2
    assert (model.holding[7], model.holding[8]) == (0, 4)  # nobody has said what the air is
    bay_of(rig).set_air(-5_250)
    assert ranges(rig.run(1.9)) == [1235] * 2
    assert (model.holding[7], model.holding[8]) == (0xFFCC, 5)
    for nothing_new in (-5_240, None, 90_000, -41_000):
        bay_of(rig).set_air(nothing_new)
    sent = rig.slaves.requests
    rig.run(2.4)
    assert rig.slaves.requests == sent + 2
    bay_of(rig).set_air(21_500)
    rig.run(2.9)
    assert rig.slaves.requests == sent + 2 + 3
    assert (model.holding[7], model.holding[8]) == (215, 5)


def test_air_that_comes_while_it_is_being_configured_is_not_forgotten() -> None:
    model = Urm14Model()
    rig = Rig([model], lambda bus: [Urm14("bay-3", bus)])
    rig.run(0.03)
    bay_of(rig).set_air(21_500)
    assert ranges(rig.run(1))
    assert (model.holding[7], model.holding[8]) == (215, 5)


def test_a_urm14_that_lost_its_supply_for_a_moment_is_set_again_and_says_so() -> None:
    model = Urm14Model()
    rig = Rig([model], lambda bus: [Urm14("bay-3", bus)])
    bay_of(rig).set_air(21_500)
    rig.run(2)
    model.power_cycle()
    model.holding[8] = 6  # a part that was delivered otherwise
    values = rig.run(2.49)
    assert [value for value in values if isinstance(value, DeviceHealth)] == []  # the trigger has set it right
    model.power_cycle()
    rig.parts[0]._mode = 0  # read only: nothing sets it right on the way
    assert rig.health(5)[:2] == [(False, FORGETS), (True, "")]
    assert (model.holding[7], model.holding[8]) == (215, 1)
    assert rig.parts[0].counters()["forgets"] == 1


def test_a_urm14_whose_external_temperature_is_gone_gets_it_again() -> None:
    model = Urm14Model()
    rig = Rig([model], lambda bus: [Urm14("bay-3", bus)])
    bay_of(rig).set_air(21_500)
    rig.run(2)
    model.holding[7] = 0
    rig.run(3)
    assert model.holding[7] == 215


@pytest.mark.parametrize("passive", [True, False])
def test_a_silent_urm14_says_why_and_is_configured_when_it_is_back(passive: bool) -> None:
    model = Urm14Model()
    rig = Rig([model], lambda bus: [Urm14("bay-3", bus, passive=passive)], dead(2, 30))
    rig.run(2)
    model.holding[8] = 1
    (lost,) = rig.health(29)
    assert lost[0] is False
    assert lost[1].startswith("no reply; is it powered")
    assert rig.health(45) == [(True, "")]
    assert ranges(rig.run(46)) == [1235] * 2
    assert model.holding[8] == (4 if passive else 0)
    assert rig.parts[0].counters()["forgets"] == 0  # it is set before it is believed


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault("wrong-crc", 2 * NS_PER_S, FOREVER_NS), "bad checksum; two devices with one address"),
        (Fault("exception", 2 * NS_PER_S, FOREVER_NS, 4), "exception 4, device failure"),
        (Fault("half", 2 * NS_PER_S, FOREVER_NS), "bytes of the reply, then silence"),
        (Fault("wrong-address", 2 * NS_PER_S, FOREVER_NS), "device 13 answered in place of 12"),
    ],
)
def test_what_is_wrong_with_its_answers_is_said_once(fault: Fault, reason: str) -> None:
    rig = Rig([Urm14Model()], lambda bus: [Urm14("bay-3", bus)], {0: (fault,)})
    assert rig.health(2) == []
    (said,) = rig.health(60)
    assert reason in said[1]


def test_another_part_at_its_address_is_told_at_once() -> None:
    rig = Rig([Urm14Model(part_id=5)], lambda bus: [Urm14("bay-3", bus)])
    assert rig.health(10) == [(False, "address 12 is another part: id 5, wanted 2")]


def test_a_urm14_that_says_the_very_same_for_too_long_is_frozen_and_nothing_in_range_is_not() -> None:
    model = Urm14Model(distance=None)
    rig = Rig([model], lambda bus: [Urm14("bay-3", bus, frozen_ns=10 * NS_PER_S)])
    assert rig.health(30) == []
    model.distance = 900
    assert rig.health(60) == [(False, FROZEN)]
    model.distance = 901
    assert rig.health(70) == [(True, "")]


# --- SDM120


def test_a_meter_says_what_it_measures() -> None:
    model = Sdm120Model()
    for register, words in ((0, (0x4367, 0x6666)), (6, (0x3F05, 0x1EB8)), (12, (0x42EC, 0)), (0x48, (0x4145, 0x851F))):
        model.show(register, words)
    rig = Rig([model], lambda bus: [Sdm120("meter", bus)])
    first, second = rig.run(9)
    assert isinstance(first, PowerReading)
    assert (first.voltage_mv, first.current_ma, first.power_mw, first.energy_mwh) == (231_400, 520, 118_000, 12_345_000)
    assert 5 * NS_PER_S < second.t_ns < 6 * NS_PER_S
    model.show(0, (0x7FC0, 0))
    assert rig.run(29) == [DeviceHealth(rig.values[0].t_ns, "meter", False, "7fc0 0000 is no number")]
    model.show(0, (0x4367, 0x6666))
    assert rig.health(34) == [(True, "")]


def test_a_meter_that_says_the_very_same_for_too_long_is_frozen() -> None:
    rig = Rig([Sdm120Model()], lambda bus: [Sdm120("meter", bus, frozen_ns=60 * NS_PER_S)])
    assert rig.health(100) == [(False, FROZEN)]


# --- all of them


def lamps(bus: ModbusBus) -> list[ModbusPart]:
    return [AnalogLamp(f"lamp-{n}", bus, address=1, output=n, variant="B") for n in (1, 3)]


def lamp(rig: Rig, n: int = 0) -> AnalogLamp:
    found = rig.parts[n]
    assert isinstance(found, AnalogLamp)
    return found


def zoo(bus: ModbusBus) -> list[ModbusPart]:
    bay, meter = Urm14("bay-3", bus), Sdm120("meter", bus, address=2)
    return [bay, meter, *lamps(bus), Urm14("bay-9", bus, address=99)]


def models() -> list[ModbusModel]:
    return [Urm14Model(), Sdm120Model(2), Ao8Model()]


def stir(rig: Rig) -> None:
    bay_of(rig).set_air(7_000)
    lamp(rig, 2).set_level(170, rig.now_ns)


def test_before_their_time_parts_do_nothing_and_change_nothing() -> None:
    rig = Rig(models(), zoo, dead(3, 6))
    stir(rig)
    for n in range(1, 300):
        rig.run(n / 30)
        for device in rig.devices:
            before = device.snapshot()
            device.advance(min(device.wake_ns - 1, rig.now_ns))
            assert device.snapshot() == before


@pytest.mark.parametrize("ms", [0, 31, 77, 500, 1_240, 3_333, 5_000, 8_123])
def test_a_snapshot_anywhere_is_taken_over_exactly(ms: int) -> None:
    rig = Rig(models(), zoo, dead(3, 6))
    stir(rig)
    rig.run(ms / 1_000)
    state = json.loads(json.dumps([each.snapshot() for each in (*rig.devices, rig.slaves)]))
    other = Rig(models(), zoo, dead(3, 6))
    for each, its in zip((*other.devices, other.slaves), state, strict=True):
        each.restore(its)
    other.now_ns = rig.now_ns
    assert [each.snapshot() for each in (*other.devices, other.slaves)] == state
    assert rig.run(12) == other.run(12)
    assert [each.snapshot() for each in rig.devices] == [each.snapshot() for each in other.devices]


def test_a_part_alone_on_its_bus_is_one_device() -> None:
    def alone(bus: ModbusBus) -> tuple[Rig, PartAlone]:
        rig = Rig([Urm14Model()], lambda its: [Urm14("bay-3", its)])
        made = PartAlone(rig.parts[0], rig.bus)
        rig.devices = [made]
        return rig, made

    rig, made = alone(Rig([], lambda bus: []).bus)
    assert ranges(rig.run(1.9)) == [1235] * 4
    assert made.name == "bay-3"
    assert made.counters()["frames"] == 5
    assert made.counters()["no_replies"] == 0
    other, its = alone(rig.bus)
    its.restore(json.loads(json.dumps(made.snapshot())))
    other.slaves.restore(rig.slaves.snapshot())
    other.now_ns = rig.now_ns
    assert other.run(5) == rig.run(5)
    assert len(rig.values) == 6
    assert made.wake_ns > 5 * NS_PER_S
    with pytest.raises(AttributeError, match="follows from"):
        made.wake_ns = 0
