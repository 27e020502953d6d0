"""0-10 V lamps on a Modbus output module: levels, read-back, recovery."""

from __future__ import annotations

import pytest

from drivers.buses.modbus import ModbusBus
from drivers.codecs.waveshare_ao8 import Scale
from drivers.devices.analog_lamp import STUBBORN, AnalogLamp
from drivers.devices.modbus_part import ModbusPart
from drivers.errors import InputError, OutOfRange
from drivers.quantities import LampStatus
from hil.peers.modbus_models import Ao8Model
from modbus_parts_rig import Rig, dead


def lamps(bus: ModbusBus) -> list[ModbusPart]:
    return [AnalogLamp(f"lamp-{n}", bus, address=1, output=n, variant="B") for n in (1, 3)]


def lamp(rig: Rig, n: int = 0) -> AnalogLamp:
    found = rig.parts[n]
    assert isinstance(found, AnalogLamp)
    return found


def test_lamps_of_one_module_say_what_they_show_and_take_levels() -> None:
    model = Ao8Model()
    model.holding[2] = 10_000
    rig = Rig([model], lamps)
    assert [(value.source, value.level) for value in rig.run(1) if isinstance(value, LampStatus)] == [
        ("lamp-1", 0),
        ("lamp-3", 254),
    ]
    lamp(rig).set_level(254, rig.now_ns)
    lamp(rig, 1).set_level(1, rig.now_ns)
    lamp(rig, 1).set_level(170, rig.now_ns)
    assert rig.run(9) == []
    assert list(model.holding.values())[:4] == [10_000, 0, 1_009, 0]
    lamp(rig).set_level(0, rig.now_ns)
    rig.run(9.1)
    assert model.holding[0] == 0


def test_a_module_that_lost_its_supply_is_told_its_levels_again() -> None:
    model = Ao8Model()
    rig = Rig([model], lamps)
    lamp(rig).set_level(254, 0)
    rig.run(3)
    model.power_cycle()
    assert rig.run(7) == []
    assert model.holding[0] == 10_000
    assert rig.parts[0].counters()["corrections"] == 1


class Leaky(Ao8Model):
    """Takes every level and holds none."""

    def before(self, t_ns: int) -> None:
        self.holding[0] = 0


def test_an_output_that_does_not_keep_its_level_says_so() -> None:
    rig = Rig([Leaky()], lamps)
    lamp(rig).set_level(254, 0)
    assert rig.health(20) == [(False, STUBBORN)]
    lamp(rig).set_level(0, rig.now_ns)
    assert rig.health(25) == [(True, "")]


def test_a_silent_module_gets_its_newest_level_when_it_is_back() -> None:
    model = Ao8Model()
    rig = Rig([model], lamps, dead(0, 30))
    statuses = [value for value in rig.run(5) if isinstance(value, LampStatus)]
    assert [value.level for value in statuses] == [None, None]
    lamp(rig).set_level(200, rig.now_ns)
    lamp(rig).set_level(254, rig.now_ns)
    assert [ok for ok, _ in rig.health(29)] == [False, False]
    assert [ok for ok, _ in rig.health(50)] == [True, True]
    assert model.holding[0] == 10_000


def test_a_level_that_the_module_refuses_is_told_and_tried_again() -> None:
    model = Ao8Model()
    model.may_write = lambda register, value, t_ns: 3 if value else 0  # type: ignore[method-assign]
    rig = Rig([model], lamps)
    rig.run(1)
    lamp(rig).set_level(254, rig.now_ns)
    assert rig.health(20) == [(False, "exception 3, illegal data value")]
    del model.may_write  # type: ignore[method-assign]
    assert rig.health(25) == [(True, "")]
    assert model.holding[0] == 10_000


def test_a_level_out_of_range_and_another_variant_are_refused() -> None:
    rig = Rig([Ao8Model()], lamps)
    for level in (-1, 255):
        with pytest.raises(OutOfRange, match="no level"):
            lamp(rig).set_level(level, 0)
    with pytest.raises(InputError, match="0 to 20 mA"):
        AnalogLamp("lamp-9", rig.bus, output=2, variant="A")
    with pytest.raises(ValueError, match="output 9"):
        AnalogLamp("lamp-9", rig.bus, output=9, variant="B")


def test_a_lamp_has_its_own_scale() -> None:
    model = Ao8Model()
    scale = Scale(0, 8_000, "linear")
    rig = Rig([model], lambda bus: [AnalogLamp("lamp-1", bus, output=1, variant="B", scale=scale)])
    lamp(rig).set_level(127, 0)
    rig.run(1)
    assert model.holding[0] == 4_000
