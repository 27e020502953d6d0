"""Energy and diagnostics of D4i gear, against python-dali's own fake gear; any of its sequences on our commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from dali import address, command, frame, gear
from dali.device import general as device
from dali.memory import diagnostics, energy
from dali.sequences import QueryDeviceTypes, QueryGroups, SetGroups, progress, sleep
from dali.tests import fakes

from drivers.buses.dali_jobs import read_diagnostics, read_energy
from drivers.buses.dali_procedures import Pause, Procedure, ProcedureFailed, Progress, identify
from drivers.buses.dali_sequences import sequence
from drivers.codecs.dali import GARBLED, Command


class Latching(fakes.FakeMemoryBank):  # type: ignore[misc]
    """A bank that counts on while it is read, and holds still while it is latched."""

    def write(self, location: int, value: int) -> Any:
        if location == 2:
            self.held = dict(enumerate(self.contents)) if value == 0xAA else {}
        return super().write(location, value)

    def read(self, location: int) -> Any:
        self.contents[0x0A if self.bank.address == 202 else 0x1B] = 0x99 if getattr(self, "held", {}) else 0x87
        return getattr(self, "held", {}).get(location) or super().read(location)


def bank(theirs: Any, *contents: tuple[int, str]) -> type:
    filled: list[int | None] = [None] * 256
    for start, text in contents:
        data = bytes.fromhex(text)
        filled[start : start + len(data)] = data
    filled[0] = filled[0] or {202: 0x0F, 205: 0x1C, 206: 0x20}[theirs.address]
    return type("Bank", (Latching,), {"bank": theirs, "initial_contents": filled[:255]})


# devices.md, D4i: scale FD and 00000012D687 are 1234.567 Wh
ENERGY = bank(energy.BANK_202, (4, "fd 00000012d687"), (0x0B, "00 00000029"))
GEAR = bank(
    diagnostics.BANK_205,
    (4, "00015f90 00000c 08fd 32 61"),
    (0x0F, "00 00 00 00 01 05 00 00 01 02 00 00"),
    (0x1B, "5b 50"),
)
LAMP = bank(
    diagnostics.BANK_206,
    (4, "000007 000021 00013880 00014c08 01e5 02bc"),
    (0x16, "01 03 00 00 01 03 00 00 00 00"),
    (0x20, "ff"),
)


class Bus:
    def __init__(self, *made: fakes.Gear) -> None:
        self.gear = made
        self.sent: list[Command] = []
        self.wishes: list[Pause | Progress] = []
        self._bus = fakes.Bus(list(made))
        self._type = 0

    def run(self, procedure: Procedure) -> Any:
        answer: int | None = None
        while True:
            try:
                wish = procedure.send(answer)
            except StopIteration as end:
                return end.value
            answer = None
            if not isinstance(wish, Command):
                self.wishes.append(wish)
                continue
            self.sent.append(wish)
            theirs = command.from_frame(frame.ForwardFrame(16, wish.frame), devicetype=self._type)
            self._type = theirs.param if isinstance(theirs, gear.general.EnableDeviceType) else 0
            response = self._bus.send(theirs)
            if response is not None and response.raw_value is not None:
                answer = GARBLED if response.raw_value.error else response.raw_value.as_integer


def test_reads_the_worked_energy_as_1234567_mwh() -> None:
    bus = Bus(fakes.Gear(5, memory_banks=(fakes.FakeBank0, ENERGY)))
    assert bus.run(read_energy(5)) == {"energy_mwh": 1_234_567, "power_mw": 41_000}


def test_a_bank_is_latched_while_it_is_read_and_free_afterwards() -> None:
    bus = Bus(fakes.Gear(5, memory_banks=(ENERGY,)))
    bus.run(read_energy(5))
    memory = bus.gear[0].memory_banks[202]
    assert (memory.held, memory.contents[2]) == ({}, 0xFF)
    writes = [wish.frame for wish in bus.sent if wish.frame >> 8 == 0xC9]
    assert writes == [0xC9AA, 0xC9FF]


def test_a_register_and_its_use_stay_together_and_reads_let_others_through() -> None:
    bus = Bus(fakes.Gear(5, memory_banks=(ENERGY,)))
    bus.run(read_energy(5))
    for wish in bus.sent:
        sets_up = wish.frame >> 8 in (0xA3, 0xC3, 0xC9) or wish.frame & 0xFF == 0x81
        assert wish.holds_bus == sets_up, f"{wish.frame:04X}"
    assert {wish.frame for wish in bus.sent if wish.twice} == {0x0B81}


@pytest.mark.parametrize(
    ("contents", "found"),
    [
        ("fd fffffffffffe 00 00000029", {"energy_mwh": None, "power_mw": 41_000}),  # TMASK: not now
        ("fd 00000012d687 00 fffffffe", {"energy_mwh": 1_234_567, "power_mw": None}),
        ("07 00000012d687 fa 00000029", {"energy_mwh": None, "power_mw": 0}),  # no such scale; 41 microwatt
        ("06 00000012d687 03 00000029", {"energy_mwh": 1_234_567 * 10**9, "power_mw": 41_000_000}),
    ],
)
def test_what_the_gear_cannot_say_is_none(contents: str, found: dict[str, int | None]) -> None:
    class Still(fakes.FakeMemoryBank):  # type: ignore[misc]
        bank = energy.BANK_202
        initial_contents = (0x0F, None, 0xFF, 1, *bytes.fromhex(contents))

    assert Bus(fakes.Gear(5, memory_banks=(Still,))).run(read_energy(5)) == found


def test_gear_without_the_bank_and_gear_that_is_not_there_have_nothing_to_say() -> None:
    bus = Bus(fakes.Gear(5))
    assert bus.run(read_energy(5)) is None
    assert bus.run(read_energy(6)) is None
    assert bus.run(read_diagnostics(5)) is None


def test_diagnostics_of_gear_and_lamp_are_whole_numbers_with_units() -> None:
    found = Bus(fakes.Gear(5, memory_banks=(GEAR, LAMP))).run(read_diagnostics(5))
    assert found == {
        "gear_operating_s": 90_000,
        "gear_starts": 12,
        "supply_mv": 230_100,
        "supply_hz": 50,
        "power_factor_pct": 97,
        "gear_failure": 0,
        "gear_failures": 0,
        "supply_undervoltage": 0,
        "supply_overvoltage": 1,
        "power_limited": 0,
        "thermal_derating": 1,
        "thermal_shutdown": 0,
        "gear_degc": 31,
        "output_current_pct": 80,
        "lamp_starts": 33,
        "lamp_on_s": 85_000,
        "lamp_mv": 48_500,
        "lamp_ma": 700,
        "lamp_failure": 1,
        "lamp_failures": 3,
        "lamp_short_circuit": 0,
        "lamp_open_circuit": 1,
        "lamp_degc": None,
    }


def test_gear_with_one_of_the_two_banks_says_none_of_the_other() -> None:
    found = Bus(fakes.Gear(5, memory_banks=(GEAR,))).run(read_diagnostics(5))
    assert (found["supply_mv"], found["lamp_mv"]) == (230_100, None)
    found = Bus(fakes.Gear(5, memory_banks=(LAMP,))).run(read_diagnostics(5))
    assert (found["supply_mv"], found["lamp_mv"]) == (None, 48_500)


def test_identify_is_one_command_sent_twice() -> None:
    bus = Bus(fakes.Gear(5))
    assert bus.run(identify(5)) is None
    assert bus.sent == [Command(0x0B25, twice=True)]


# --- any sequence of python-dali


def test_sequences_of_python_dali_run_with_their_results() -> None:
    bus = Bus(fakes.Gear(5, groups={1, 9}, devicetypes=[6, 8]))
    assert bus.run(sequence(QueryGroups(address.GearShort(5)))) == {1, 9}
    bus.run(sequence(SetGroups(address.GearShort(5), {2})))
    assert bus.gear[0].groups == {2}
    assert bus.run(sequence(QueryDeviceTypes(address.GearShort(5)))) == [6, 8]


def test_commands_of_a_device_type_are_announced_with_nothing_in_between() -> None:
    def colour() -> Iterator[Any]:
        response = yield gear.colour.QueryExtendedVersionNumber(5)
        return response.raw_value.as_integer

    bus = Bus(fakes.Gear(5, devicetypes=[8]))
    assert bus.run(sequence(colour())) == 2
    assert [(f"{wish.frame:04X}", wish.holds_bus) for wish in bus.sent] == [("C108", True), ("0BFF", False)]


def test_sleeps_and_progress_pass_and_collisions_are_framing_errors_where_many_may_answer() -> None:
    def asks() -> Iterator[Any]:
        yield progress(message="looking", completed=1, size=4)
        yield progress(completed=2)
        yield sleep(0.1)
        present = yield gear.general.QueryControlGearPresent(address.GearBroadcast())
        level = yield gear.general.QueryActualLevel(address.GearShort(1))
        return present.value, present.raw_value.error, level.raw_value

    bus = Bus(fakes.Gear(5), fakes.Gear(6))
    assert bus.run(sequence(asks())) == (True, True, None)
    assert bus.wishes == [Progress(1, 4, "looking"), Progress(2, 0, ""), Pause(100_000_000)]
    assert [wish.many for wish in bus.sent] == [True, False]


def test_errors_of_python_dali_are_a_failed_procedure_and_24_bits_are_refused() -> None:
    with pytest.raises(ProcedureFailed, match="DALISequenceError: No response reading groups zero"):
        Bus().run(sequence(QueryGroups(address.GearShort(5))))

    def other() -> Iterator[Any]:
        yield device.QueryDeviceStatus(address.DeviceShort(5))

    with pytest.raises(ProcedureFailed, match="QueryDeviceStatus has 24 bits"):
        Bus().run(sequence(other()))


def test_an_answer_that_collides_while_memory_is_read_is_a_failed_procedure() -> None:
    procedure = read_energy(5)
    wish = next(procedure)
    while not (isinstance(wish, Command) and wish.answers):
        wish = procedure.send(None)
    with pytest.raises(ProcedureFailed, match="ResponseError"):
        procedure.send(GARBLED)


def test_the_bus_does_not_import_python_dali_until_it_is_asked_to() -> None:
    said = (
        "import sys; import drivers.devices.lamp, drivers.buses.dali; assert 'dali' not in sys.modules;"
        "from drivers.buses.dali_jobs import read_energy; next(read_energy(1)); print('dali.memory' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "True", "")
