"""Finding out who is there, and a library's blocking driver as a procedure."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.buses.i2c_library import AnsweredRegisters, Wanted, run_library
from drivers.buses.i2c_procedures import (
    FIRST_ADDRESS,
    IDENTITIES,
    LAST_ADDRESS,
    UNTOUCHED,
    Ask,
    Pause,
    Procedure,
    probe,
    scan,
)
from drivers.transfers import BROKEN, NACK, OK, STATUS_TEXT, STUCK, Reply, Request


def played(
    procedure: Procedure, answers: dict[int, dict[bytes, bytes]], status: int = NACK
) -> tuple[Any, list[Request]]:
    """What a procedure came to, with chips that say `answers` by address and bytes written; all others `status`."""
    asked = []
    step = next(procedure)
    while True:
        assert isinstance(step, Ask)
        request = step.request
        asked.append(request)
        said = answers.get(request.address)
        reply = Reply(request.address, status)
        if said is not None:
            data = said.get(request.data, b"\x00" * request.read_count)
            reply = Reply(request.address, OK, data[: request.read_count])
        try:
            step = procedure.send(reply)
        except StopIteration as end:
            return end.value, asked


BME280 = {b"\xd0": b"\x60"}
INA226 = {b"\xfe": b"\x54\x49", b"\xff": b"\x22\x60"}


def test_somebody_is_there_or_not_or_the_bus_does_not_work() -> None:
    assert played(probe(0x76), {0x76: {}})[0] is True
    assert played(probe(0x76), {})[0] is False
    assert played(probe(0x76), {}, STUCK)[0] == STATUS_TEXT[STUCK]


def test_a_scan_names_the_parts_that_tell_themselves_and_marks_guesses() -> None:
    chips = {0x1D: {}, 0x40: INA226, 0x41: {b"\xfe": b"\x54\x49"}, 0x58: {}, 0x60: {}, 0x70: {}, 0x76: BME280, 0x77: {}}
    found, _ = played(scan(), chips)
    assert found == [
        [0x1D, ""],
        [0x40, "ina226"],
        [0x41, ""],
        [0x58, "gp8403?"],
        [0x60, "mcp4725?"],
        [0x70, "pca9685?"],
        [0x76, "bme280"],
        [0x77, ""],
    ]


def test_what_is_no_ina226_at_0x40_is_guessed_to_be_a_pca9685() -> None:
    assert played(scan(), {0x40: {}})[0] == [[0x40, "pca9685?"]]


def test_a_scan_asks_every_address_by_a_read_and_writes_nothing_but_numbers_of_id_registers() -> None:
    everybody: dict[int, dict[bytes, bytes]] = {address: {} for address in range(0x80)}
    _, asked = played(scan(), everybody)
    assert {request.address for request in asked} == set(range(FIRST_ADDRESS, LAST_ADDRESS + 1)) - UNTOUCHED
    numbers = {bytes((register,)) for _, _, registers in IDENTITIES for register, _ in registers}
    assert {request.data for request in asked} == {b""} | numbers
    memories = [*range(0x30, 0x38), *range(0x50, 0x60)]
    assert [request for request in asked if request.address in memories and request.data] == []


@pytest.mark.parametrize("status", [STUCK, BROKEN])
def test_a_scan_of_a_bus_that_does_not_work_ends_at_the_first_address(status: int) -> None:
    found, asked = played(scan(), {}, status)
    assert (found, len(asked)) == (STATUS_TEXT[status], 1)


# --- a library's driver


class Driver:
    """Blocks, as libraries do."""

    def __init__(self, registers: AnsweredRegisters) -> None:
        self.registers = registers
        self.kind = registers.read_register(0xD0, 1)[0]
        registers.write_register_byte(0xE0, 0xB6)
        registers.pause(4)

    def sum_of(self, first: int, second: int) -> int:
        return self.registers.read_register(first, 1)[0] + self.registers.read_register(second, 1)[0]


def test_a_blocking_driver_runs_as_a_procedure_transfer_by_transfer() -> None:
    registers = AnsweredRegisters(0x76)
    procedure = run_library(registers, lambda answers: [Driver(registers).sum_of(5, 6), len(answers)])
    said = [Reply(0x76, OK, b"\x60"), Reply(0x76, OK), Reply(0, OK), Reply(0x76, OK, b"\x02"), Reply(0x76, OK, b"\x03")]
    steps = [next(procedure), *(procedure.send(reply) for reply in said[:-1])]
    with pytest.raises(StopIteration) as end:
        procedure.send(said[-1])
    assert steps == [
        Request(0x76, b"\xd0", 1),
        Request(0x76, b"\xe0\xb6"),
        Pause(4),
        Request(0x76, b"\x05", 1),
        Request(0x76, b"\x06", 1),
    ]
    assert end.value.value == [5, 5]
    assert registers.seen == {0xD0: b"\x60", 5: b"\x02", 6: b"\x03"}


def test_registers_without_an_answer_say_what_is_wanted() -> None:
    registers = AnsweredRegisters(0x40)
    registers.rewind([b"\x01"])
    assert registers.read_register(0x101, 1) == b"\x01"
    with pytest.raises(Wanted) as wanted:
        registers.read_register(0x02, 2)
    assert wanted.value.step == Request(0x40, b"\x02", 2)
