"""What is wrong with the devices of a board file: their wires, bit rates, addresses, and each part's own rules."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from boards.keys import DeviceKeys, InAir, tag_of
from boards.parts import part_name, part_of
from boards.parts.part import Part
from boards.schema import BoardDescription
from boards.wires import UartWire


def line_settings(board: BoardDescription) -> Iterator[str]:
    """A wire has one bit rate and one parity; every part on it must speak them, and be set to them."""
    for name, wire in board.wires.items():
        if not isinstance(wire, UartWire):
            continue
        on_it = {device: said for device, said in board.devices.items() if said.wire == name}
        for part, said in {part_name(said): said for said in on_it.values()}.items():
            facts = part_of(said)
            if facts.bauds and wire.baud is not None and wire.baud not in facts.bauds:
                yield f"$.wires.{name}.baud: part {part} does not speak {wire.baud} baud; {_right(facts.bauds)}"
            if wire.parity not in facts.parities:
                yield f'$.wires.{name}.parity: part {part} has no parity "{wire.parity}"; {_right(facts.parities)}'
        rates = {device: rate for device, said in on_it.items() if (rate := part_of(said).baud(said)) is not None}
        for device, rate in rates.items():
            if wire.baud is not None and rate != wire.baud and wire.baud in (part_of(on_it[device]).bauds or (rate,)):
                others = [other for other, its in rates.items() if its == wire.baud]
                like = f" as {others[0]} does" if others else ""
                yield (
                    f"$.devices.{device}.baud: it is set to {rate} baud and hangs on wire {name} at {wire.baud}{like}; "
                    f"one bus has one bit rate: set the part to {wire.baud} and write "
                    f"baud = {wire.baud} here, or change the wire"
                )


def devices(board: BoardDescription) -> Iterator[str]:
    """A wire of the right kind, alone on it or with its like, under a name that no bus needs."""
    holders: dict[str, str] = {}
    buses = {said.wire: part_of(said).shares for said in board.devices.values() if part_of(said).shares}
    for name, said in board.devices.items():
        place = f"$.devices.{name}"
        part, facts = part_name(said), part_of(said)
        wire = board.wires.get(said.wire)
        if wire is None:
            near = difflib.get_close_matches(said.wire, board.wires, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"wires of this board: {', '.join(board.wires) or 'none'}"
            yield f'{place}.wire: no wire "{said.wire}"; {hint}'
            continue
        kind = tag_of(wire)
        if kind not in facts.wire_kinds:
            yield f"{place}.wire: part {part} does not hang on a {kind} wire; it needs kind {one_of(facts.wire_kinds)}"
        else:
            for key, text in facts.findings(said, wire):
                yield f"{place}.{key}: {text}"
        holder = holders.setdefault(said.wire, name)
        if holder != name and not _together(said, board.devices[holder]):
            yield f"{place}.wire: wire {said.wire} is already {holder}'s; part {part} needs a wire of its own"
        if name in buses:
            bus = _BUS_TITLES.get(buses[name], buses[name])
            yield f'{place}: a {bus} wire is called "{name}" and its bus takes that name; give the device another'


def airs(board: BoardDescription) -> Iterator[str]:
    """The device that measures the air has to be one of the board's, and one that can."""
    for name, said in board.devices.items():
        if not isinstance(said, InAir) or said.air is None:
            continue
        other = board.devices.get(said.air)
        if other is None or not part_of(other).measures_air:
            able = [device for device, its in board.devices.items() if part_of(its).measures_air]
            hint = f"name {one_of(able)}" if able else "add one (bme280, leezenflow-sensor), or leave air out"
            yield f'$.devices.{name}.air: "{said.air}" measures no air on this board; {hint}'


def guarded(board: BoardDescription) -> Iterator[str]:
    """A relay that names a bus names one with DALI lamps."""
    lines = sorted({said.wire for said in board.devices.values() if part_of(said).address_key == "short_address"})
    for name, said in board.devices.items():
        bus = getattr(said, "bus", None)
        if bus is not None and bus not in lines:
            yield f'$.devices.{name}.bus: no DALI lamps on a wire "{bus}"; {one_of(lines) or "leave it out"}'


def addresses(board: BoardDescription) -> Iterator[str]:
    """Two devices of one wire with one address: both would answer at once, unless they are outputs of one part."""
    first: dict[tuple[str, int], str] = {}
    outputs: dict[tuple[str, int, int | None], str] = {}
    taken = {(said.wire, part_of(said).address(said)) for said in board.devices.values()}
    for name, said in board.devices.items():
        facts = part_of(said)
        address = facts.address(said)
        if address is None:
            continue
        other = first.setdefault((said.wire, address), name)
        twin = outputs.setdefault((said.wire, address, facts.channel(said)), name)
        if other == name:
            continue
        place, shown = f"$.devices.{name}", _address(address, facts)
        if facts.channel(said) is None or part_of(board.devices[other]) is not facts:
            free = [at for at in facts.addresses if (said.wire, at) not in taken]
            hint = (
                f"the next free one is {_address(free[0], facts)}" if free else f"all {len(facts.addresses)} are taken"
            )
            yield f"{place}.{facts.address_key}: {shown} is already {other} on wire {said.wire}; {hint}"
        elif twin != name:
            yield f"{place}.channel: {facts.channel(said)} at address {shown} is already {twin} on wire {said.wire}"
        else:
            there = facts.agreed(board.devices[other])
            for key, value in facts.agreed(said).items():
                if there[key] != value:
                    yield f"{place}.{key}: {value}, but {other} at the same address says {there[key]}; write the same"


def _address(address: int, facts: Part) -> str:
    """As its paper writes it."""
    return f"{address:#04x}" if facts.shares == "i2c" else str(address)


_BUS_TITLES = {"dali": "DALI", "modbus": "Modbus", "i2c": "I2C"}


def _together(one: DeviceKeys, other: DeviceKeys) -> bool:
    return bool(part_of(one).shares) and part_of(one).shares == part_of(other).shares


def one_of(names: Iterable[str]) -> str:
    """For a sentence: ``"uart0 or uart3"``."""
    return " or ".join(names)


def _right(values: Iterable[object]) -> str:
    return f"right: {', '.join(str(value) for value in values)}"
