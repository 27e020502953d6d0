"""Procedures on a Modbus bus against slaves: configuring, reading, and giving new parts their addresses."""

from __future__ import annotations

import pytest

from drivers.buses.modbus import ModbusBus
from drivers.buses.modbus_jobs import Done
from drivers.links.memory import memory_pair
from drivers.units import FOREVER_NS, NS_PER_S
from hil.peers.modbus_models import Ao8Model, ModbusModel, Sdm120Model, Urm14Model
from hil.peers.modbus_slaves import Fault, FaultKind, ModbusSlaves


class Rig:
    """A bus with an owner at 12, and slaves at its far end."""

    def __init__(self, *models: ModbusModel, faults: dict[int, tuple[Fault, ...]] | None = None, at: int = 12) -> None:
        near, far = memory_pair("rs485")
        self.slaves = ModbusSlaves("rs485", far, models, baud=19_200, faults=faults)
        self.bus = ModbusBus("rs485", near, emit=lambda quantity: None, baud=19_200)
        self.done: list[Done] = []
        self.sent: list[str] = []
        self.now_ns = 0
        self.bus.add_device("part", at, self.done.append)
        write = near.write

        def listened(data: bytes, t_ns: int) -> None:
            self.sent.append(data.hex())
            write(data, t_ns)

        near.write = listened  # type: ignore[method-assign]

    def run(self, procedure: str, *args: int) -> Done:
        self.done.clear()
        self.bus.submit(procedure, args, self.now_ns, owner="part", deadline_ns=self.now_ns + 60 * NS_PER_S)
        while not self.done:
            self.now_ns = max(self.now_ns, min(self.bus.wake_ns, self.slaves.wake_ns))
            assert self.now_ns < 100 * NS_PER_S
            if self.slaves.wake_ns <= self.now_ns:
                self.slaves.run(self.now_ns)
            else:
                self.bus.advance(self.now_ns)
        return self.done[0]

    @property
    def writes(self) -> list[str]:
        return [frame for frame in self.sent if frame[2:4] in ("06", "10")]


def fault(kind: FaultKind, amount: int = 0) -> dict[int, tuple[Fault, ...]]:
    return {0: (Fault(kind, 0, FOREVER_NS, amount),)}


def test_registers_are_read_and_one_is_written_and_read_back() -> None:
    rig = Rig(Urm14Model())
    assert rig.run("read_registers", 12, 3, 0, 3).result == [2, 16, 12]
    assert rig.run("write_register", 12, 7, 215).result == [215]
    assert rig.run("read_registers", 12, 3, 9, 2).reason.startswith("exception 2, illegal data address")


# --- URM14


def test_a_urm14_that_is_set_right_is_not_written() -> None:
    rig = Rig(Urm14Model())
    done = rig.run("urm14_configure", 12, 2, 4)
    assert (done.ok, done.result, rig.writes) == (True, {"version": 16, "written": 0}, [])


def test_a_urm14_that_is_set_otherwise_is_written_and_read_back() -> None:
    model = Urm14Model()
    rig = Rig(model)
    assert rig.run("urm14_configure", 12, 2, 5).result == {"version": 16, "written": 1}
    assert model.holding[8] == 5
    assert len(rig.writes) == 1


def test_another_part_is_not_configured() -> None:
    rig = Rig(Urm14Model(part_id=5))
    done = rig.run("urm14_configure", 12, 2, 5)
    assert (done.ok, done.verdict, done.reason) == (False, True, "address 12 is another part: id 5, wanted 2")
    assert rig.writes == []


class Stubborn(Urm14Model):
    """Acknowledges and keeps what it had."""

    def written(self, start: int, count: int, t_ns: int) -> None:
        self.holding |= {2: 12, 3: 5, 8: 4}


def test_a_part_that_does_not_keep_its_settings_says_so() -> None:
    done = Rig(Stubborn()).run("urm14_configure", 12, 2, 5)
    assert (done.verdict, done.reason) == (True, "control register keeps 0004, wanted 0005")


def test_a_step_is_tried_again_three_times_and_a_refusal_is_not() -> None:
    rig = Rig(Urm14Model(), faults=fault("dead"))
    assert not rig.run("urm14_configure", 12, 2, 4).heard
    assert len(rig.sent) == 3
    rig = Rig(Urm14Model(), faults=fault("exception", 6))
    done = rig.run("urm14_configure", 12, 2, 4)
    assert (done.refused, done.reason, len(rig.sent)) == (True, "exception 6, device busy", 1)


def test_a_passive_urm14_measures_when_told_and_is_read_65_ms_later() -> None:
    rig = Rig(Urm14Model(distance=900))
    assert rig.run("urm14_measure", 12, 4).result == [900, 215, 0, 4]
    assert rig.sent == ["0c060008000c0910", "0c03000500045515"]
    assert rig.slaves.models[0].holding[8] == 4
    rig.run("write_register", 12, 8, 0)
    rig.sent.clear()
    assert rig.run("urm14_measure", 12, 0).result == [900, 215, 0, 0]
    assert rig.sent == ["0c03000500045515"]


def test_a_new_urm14_gets_its_address_and_takes_it_when_switched_on_again() -> None:
    model = Urm14Model()
    rig = Rig(model, Ao8Model(1))
    assert rig.run("urm14_address", 12, 20, 2).result == {"address": 20, "restart": 1}
    assert (model.address, model.holding[2]) == (12, 20)
    model.power_cycle()
    assert rig.run("urm14_configure", 20, 2, 4).ok


class Prompt(Urm14Model):
    """Takes its address at once."""

    def written(self, start: int, count: int, t_ns: int) -> None:
        self.address = self.holding[2]


def test_a_part_that_takes_its_address_at_once_needs_no_restart() -> None:
    assert Rig(Prompt()).run("urm14_address", 12, 20, 2).result == {"address": 20, "restart": 0}


class Impostor(Urm14Model):
    """Takes its address at once, and another identity with it."""

    def written(self, start: int, count: int, t_ns: int) -> None:
        self.address, self.holding[0] = self.holding[2], 9


@pytest.mark.parametrize(
    ("models", "faults", "reason"),
    [
        ((Urm14Model(), Urm14Model(20)), None, "somebody answers at address 20 already"),
        ((Urm14Model(), Sdm120Model(20)), None, "somebody answers at address 20 already"),
        ((Ao8Model(12),), None, "address 12: exception 2|address 12 is another part: id 0"),
        ((Urm14Model(part_id=5),), None, "address 12 is another part: id 5, wanted 2"),
        ((), None, "address 12: no reply"),
        ((Urm14Model(), Urm14Model(distance=9)), fault("slow", 300_000), "leave one new part on the wire at a time"),
        ((Urm14Model(),), fault("wrong-crc"), "bad checksum.*; leave one new part on the wire at a time"),
    ],
)
def test_nothing_is_written_before_it_is_certain_who_is_there(
    models: tuple[ModbusModel, ...], faults: dict[int, tuple[Fault, ...]] | None, reason: str
) -> None:
    rig = Rig(*models, faults=faults)
    done = rig.run("urm14_address", 12, 20, 2)
    assert not done.ok
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(done.reason)
    assert rig.writes == []


def test_a_part_that_refuses_its_address_or_becomes_another_says_so() -> None:
    assert Rig(Stubborn()).run("urm14_address", 12, 20, 2).reason == "register 02 keeps 12, wanted 20"
    assert Rig(Impostor()).run("urm14_address", 12, 20, 2).reason == "address 20 is another part: id 9, wanted 2"


def test_the_bit_rate_of_a_urm14_is_set_by_its_code() -> None:
    model = Urm14Model()
    rig = Rig(model)
    assert rig.run("urm14_baud", 12, 2, 3).result == {"baud": 9_600, "restart": 1}
    assert model.holding[3] == 3
    assert rig.run("urm14_baud", 12, 5, 3).reason == "address 12 is another part: id 2, wanted 5"
    assert Rig(Stubborn()).run("urm14_baud", 12, 2, 3).reason == "register 03 keeps 5, wanted 3"
    assert rig.run("urm14_baud", 12, 2, 2).reason == "bit rate code 2 is none of 1, 3, 4, 5, 6, 7, 8"


# --- SDM120


def test_a_meter_is_read_in_two_questions() -> None:
    model = Sdm120Model(12)
    model.show(0, (0x4367, 0x6666))
    model.show(0x48, (1, 2))
    rig = Rig(model)
    result = rig.run("sdm120_read", 12).result
    assert isinstance(result, list)
    assert (len(result), result[:2], result[-2:]) == (16, [0x4367, 0x6666], [1, 2])


def test_a_meter_that_shows_set_gets_its_address() -> None:
    model = Sdm120Model(1)
    model.setting = True
    rig = Rig(model, at=1)
    assert rig.run("sdm120_address", 1, 20).result == {"address": 20, "restart": 1}
    model.power_cycle()
    assert model.address == 20


class PromptMeter(Sdm120Model):
    """Takes its address at once."""

    setting = True

    def written(self, start: int, count: int, t_ns: int) -> None:
        self.setting = True
        self.power_cycle()


class StubbornMeter(Sdm120Model):
    """Acknowledges and keeps what it had."""

    def may_write(self, register: int, value: int, t_ns: int) -> int:
        return 0

    def written(self, start: int, count: int, t_ns: int) -> None:
        self.holding[0x14], self.holding[0x15] = 0x3F80, 0


def test_a_meter_that_takes_its_address_at_once_needs_no_restart() -> None:
    model = PromptMeter(1)
    model.setting = True
    assert Rig(model, at=1).run("sdm120_address", 1, 20).result == {"address": 20, "restart": 0}


def test_a_meter_that_does_not_show_set_says_what_to_do() -> None:
    for model in (Sdm120Model(1), StubbornMeter(1)):
        done = Rig(model, at=1).run("sdm120_address", 1, 20)
        assert not done.ok
        assert "hold the meter's button for 3 s until it shows -SET-" in done.reason


def test_what_is_no_meter_gets_no_address() -> None:
    other = ModbusModel(1, holding={0x14: 7, 0x15: 7})
    rig = Rig(other, at=1)
    assert rig.run("sdm120_address", 1, 20).reason.startswith("address 1 is no SDM120")
    assert rig.run("sdm120_address", 1, 1).reason == "somebody answers at address 1 already; choose another"
    assert rig.writes == []
