"""Procedures on a Modbus bus, written as generators: they yield transactions and pauses and are sent the answers.

Addresses and settings are whole numbers, so that a snapshot can name a procedure and what it was called with.

Example, without any bus::

    procedure = read_registers(12, 3, 5, 1)
    next(procedure)                      # Transaction(12, 3, 5, 1)
    procedure.send(Answer((12345,)))     # StopIteration, its value is [12345]
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Final

from drivers.buses.modbus_jobs import Failed, Pause, Procedure, ask
from drivers.codecs import sdm120, urm14
from drivers.codecs.modbus_rtu import READ_INPUT_REGISTERS, Answer, Transaction, read, write

TRIES: Final = 3
"""How often a step of a configuration is tried."""


def read_registers(address: int, function: int, start: int, count: int) -> Procedure:
    """Registers by function 3 or 4, bits by 1 or 2."""
    return [*(yield from ask(read(address, start, count, function)))]


def write_register(address: int, register: int, value: int) -> Procedure:
    """Write one register and read it back; gives what it holds then."""
    yield from ask(write(address, register, value), TRIES)
    return [*(yield from ask(read(address, register), TRIES))]


# --- URM14 and its kin


def urm14_configure(address: int, part_id: int, control: int) -> Procedure:
    """See that it is the part, and that it is set to `control`; writes only what differs and reads it back.

    Gives ``{"version": 16, "written": 1}``.
    """
    said = yield from ask(urm14.who_are_you(address), TRIES)
    _is_part(address, said[urm14.PART_ID], part_id)
    written = 0
    if (yield from _control(address)) != control:
        yield from ask(write(address, urm14.CONTROL, control), TRIES)
        written = 1
        kept = yield from _control(address)
        if kept != control:
            raise Failed(f"control register keeps {kept:04x}, wanted {control:04x}")
    return {"version": said[urm14.VERSION], "written": written}


def _control(address: int) -> Generator[Transaction, Answer, int]:
    return (yield from ask(read(address, urm14.CONTROL), TRIES))[0] & ~urm14.TRIGGER


def urm14_measure(address: int, control: int) -> Procedure:
    """Let it measure, where it waits for that, and read registers 05 to 08."""
    if control & urm14.PASSIVE:
        yield from ask(urm14.trigger(address, control))
        yield Pause(urm14.MEASURE_NS)
    return [*(yield from ask(urm14.read_measured(address)))]


def urm14_address(old: int, new: int, part_id: int) -> Procedure:
    """Give the one part at `old` (12 as delivered) the address `new`. Nothing is written before all is certain.

    Gives ``{"address": new, "restart": 1}``: the vendor's table says that it takes effect when the part is switched on
    again; 0 where it answers at `new` already. Fails where somebody answers at `new`, nobody at `old`, or two (but two
    that answer in perfect step look like one: new parts go onto the wire one at a time).
    """
    yield from _is_free(new)
    said = yield from _alone(old, urm14.who_are_you(old))
    _is_part(old, said[urm14.PART_ID], part_id)
    yield write(old, urm14.ADDRESS, new)  # the acknowledgement may come from either address: what counts is read back
    answer = yield urm14.who_are_you(new)
    if answer.values is not None:
        _is_part(new, answer.values[urm14.PART_ID], part_id)
        return {"address": new, "restart": 0}
    kept = yield from ask(read(old, urm14.ADDRESS), TRIES)
    if kept[0] != new:
        raise Failed(f"register 02 keeps {kept[0]}, wanted {new}")
    return {"address": new, "restart": 1}


def urm14_baud(address: int, part_id: int, code: int) -> Procedure:
    """Set the bit rate by its code (see urm14.BAUDS); it takes effect when the part is switched on again."""
    if code not in urm14.BAUDS:
        raise Failed(f"bit rate code {code} is none of {', '.join(map(str, urm14.BAUDS))}")
    said = yield from _alone(address, urm14.who_are_you(address))
    _is_part(address, said[urm14.PART_ID], part_id)
    yield from ask(write(address, urm14.BAUD, code), TRIES)
    kept = yield from ask(read(address, urm14.BAUD), TRIES)
    if kept[0] != code:
        raise Failed(f"register 03 keeps {kept[0]}, wanted {code}")
    return {"baud": urm14.BAUDS[code], "restart": 1}


# --- SDM120


def sdm120_read(address: int) -> Procedure:
    """Registers 0000 to 000D, then 0048 and 0049."""
    power = yield from ask(sdm120.ask_power(address))
    energy = yield from ask(sdm120.ask_energy(address))
    return [*power, *energy]


def sdm120_address(old: int, new: int) -> Procedure:
    """Give the one meter at `old` (1 as delivered) the address `new`; it must show -SET-. As `urm14_address`."""
    yield from _is_free(new)
    said = yield from _alone(old, sdm120.read_setting(old, sdm120.ADDRESS))
    if said != sdm120.words(old):
        raise Failed(f"address {old} is no SDM120: its register 0014 does not hold its address")
    answer = yield sdm120.write_setting(old, sdm120.ADDRESS, new)
    if answer.exception:
        raise Failed(f"{answer.reason}; hold the meter's button for 3 s until it shows -SET-, then try again")
    answer = yield sdm120.read_setting(new, sdm120.ADDRESS)
    if answer.values is not None:
        return {"address": new, "restart": 0}
    if (yield from ask(sdm120.read_setting(old, sdm120.ADDRESS), TRIES)) != sdm120.words(new):
        raise Failed("register 0014 keeps the old address; hold the meter's button for 3 s until it shows -SET-")
    return {"address": new, "restart": 1}


# --- for all of them


def _is_free(address: int) -> Generator[Transaction, Answer, None]:
    """Fails where somebody answers, be it an exception or rubbish."""
    for asked in (read(address, 0), read(address, 0, 1, READ_INPUT_REGISTERS)):
        for _ in range(2):
            answer = yield asked
            if answer.heard:
                raise Failed(f"somebody answers at address {address} already; choose another")


def _alone(address: int, asked: Transaction) -> Generator[Transaction, Answer, tuple[int, ...]]:
    """The values; fails where nobody answers, or two at once."""
    answer = yield asked
    for _ in range(TRIES - 1):
        if answer.values is None:
            answer = yield asked
    if answer.values is not None:
        return answer.values
    if answer.heard and not answer.exception:
        raise Failed(f"address {address}: {answer.reason}; leave one new part on the wire at a time")
    raise Failed(f"address {address}: {answer.reason}")


def _is_part(address: int, said: int, part_id: int) -> None:
    if said != part_id:
        raise Failed(f"address {address} is another part: id {said}, wanted {part_id}")


PROCEDURES: Final[Mapping[str, Callable[..., Procedure]]] = {
    "read_registers": read_registers,
    "write_register": write_register,
    "urm14_configure": urm14_configure,
    "urm14_measure": urm14_measure,
    "urm14_address": urm14_address,
    "urm14_baud": urm14_baud,
    "sdm120_read": sdm120_read,
    "sdm120_address": sdm120_address,
}
"""By name, so that a snapshot can say which one was under way."""
