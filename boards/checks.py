"""What is wrong with a board file beyond its types: pins, UARTs, line settings, addresses, names.

Every finding names its place in the file and what would be right; all findings come at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from boards import pins
from boards.parts import part_name, part_of
from boards.schema import Atxled, BoardDescription, MatrixWire, MemoryWire, SpatFeed, UartWire

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_WITHOUT_BAUD = ("socket://", "loop://")


def findings(board: BoardDescription) -> list[str]:
    """Everything wrong with `board`, ``"$.place: what; what would be right"`` each; empty when it is fine."""
    found: list[str] = []
    for check in (_names, _wires, _line_settings, _pins, _relay, _devices, _addresses):
        found += check(board)
    return found


def _names(board: BoardDescription) -> Iterator[str]:
    named = [("$.name", board.name)]
    named += [(f"$.wires.{name}", name) for name in board.wires]
    named += [(f"$.devices.{name}", name) for name in board.devices]
    for place, name in named:
        if not _NAME.fullmatch(name):
            yield f'{place}: "{name}" is no name; use lower case letters, digits and single hyphens, like "radar-1"'


def _wires(board: BoardDescription) -> Iterator[str]:
    ports: dict[str, str] = {}
    in_use = {said.wire for said in board.devices.values()}
    for name, wire in board.wires.items():
        place = f"$.wires.{name}"
        if name not in in_use:
            yield f'{place}: no device hangs on it; add one with wire = "{name}", or take the wire out'
        if isinstance(wire, UartWire):
            yield from _uart(board, name, wire)
            if wire.port is not None and wire.port in ports and wire.port != "loop://":
                yield f"{place}.port: {wire.port} is already wire {ports[wire.port]}; a port carries one wire"
            ports.setdefault(wire.port or "", name)
        elif isinstance(wire, MemoryWire):
            if not board.bench:
                yield f'{place}.kind: a memory wire has the rig at its far end; use kind = "uart", or set bench = true'
        else:
            yield from _matrix(board, place, wire)


def _uart(board: BoardDescription, name: str, wire: UartWire) -> Iterator[str]:
    place = f"$.wires.{name}"
    known = pins.UARTS[board.model]
    title = pins.MODEL_TITLES[board.model]
    if (wire.uart is None) == (wire.port is None):
        yield f'{place}: give exactly one of uart (on the header, "uart0") and port ("/dev/ttyUSB0" or a URL)'
        return
    if wire.baud is None and not (wire.port or "").startswith(_WITHOUT_BAUD):
        yield f"{place}.baud: missing; a serial line needs its bit rate, like 115200"
    if wire.uart is None:
        yield from _port(board, place, wire)
        return
    uart = known.get(wire.uart)
    if uart is None:
        if known:
            offered = ", ".join(f"{n} (GPIO{u.tx_gpio}/{u.rx_gpio})" for n, u in known.items())
            yield f'{place}.uart: no "{wire.uart}" on the header of a {title}; it has {offered}'
        else:
            yield f'{place}.uart: a {title} has no header; use port = "/dev/ttyUSB0", or a URL such as "socket://…"'
        return
    if wire.parity != "N" and not uart.parity:
        free = pins.free_uarts(board)
        mend = f"use {_one_of(free)}" if free else 'use uart0 in its place, or parity = "N"'
        yield f"{place}.parity: {wire.uart} is the mini UART of a {title}, which has no parity; {mend}"
    for key, said, right in (("tx_gpio", wire.tx_gpio, uart.tx_gpio), ("rx_gpio", wire.rx_gpio, uart.rx_gpio)):
        if said is not None and said != right:
            role = key[:2].upper()
            mend = f"{wire.uart} has it at {pins.pin_name(right)}"
            yield f"{place}.{key}: {pins.pin_name(said)} cannot be {role} of {wire.uart}; {mend}"


def _port(board: BoardDescription, place: str, wire: UartWire) -> Iterator[str]:
    for key in ("tx_gpio", "rx_gpio"):
        if getattr(wire, key) is not None:
            yield f"{place}.{key}: a port has no pins on the header; leave it out, or use uart in place of port"
    by_device = {uart.device: name for name, uart in pins.UARTS[board.model].items()} | (
        {"/dev/serial0": "uart0"} if board.model != "laptop" else {}
    )
    if wire.port in by_device:
        right = by_device[wire.port]
        yield f'{place}.port: {wire.port} is on the header; use uart = "{right}", so that its pins are checked'


def _matrix(board: BoardDescription, place: str, wire: MatrixWire) -> Iterator[str]:
    title = pins.MODEL_TITLES[board.model]
    if wire.driver in pins.MATRIX_DRIVERS_ON_PINS and board.model == "laptop":
        yield f'{place}.driver: "{wire.driver}" needs a header; on a {title} use "emulator" or "frame-buffer"'
    elif wire.driver == "piomatter" and board.model != "raspberry-pi-5":
        yield f'{place}.driver: "piomatter" runs on a Raspberry Pi 5 only; on a {title} use "rgbmatrix"'


def _line_settings(board: BoardDescription) -> Iterator[str]:
    for name, wire in board.wires.items():
        if not isinstance(wire, UartWire):
            continue
        on_it = {part_name(said): said for said in board.devices.values() if said.wire == name}
        for part, said in on_it.items():
            facts = part_of(said)
            if facts.bauds and wire.baud is not None and wire.baud not in facts.bauds:
                yield f"$.wires.{name}.baud: part {part} does not speak {wire.baud} baud; {_right(facts.bauds)}"
            if wire.parity not in facts.parities:
                yield f'$.wires.{name}.parity: part {part} has no parity "{wire.parity}"; {_right(facts.parities)}'


def _pins(board: BoardDescription) -> Iterator[str]:
    first: dict[int, pins.Use] = {}
    told: set[str] = set()
    free = pins.free_uarts(board)
    for use in pins.uses(board):
        other = first.setdefault(use.gpio, use)
        if other is use or use.place in told:
            continue
        told.add(use.place)  # a UART whose TX is taken has its RX taken as well: once is enough
        mend = ""
        if use.place.endswith(".uart"):
            mend = f"; free UARTs: {', '.join(free)}" if free else "; no UART is free: use a USB adapter with port"
        elif use.place == "$.relay.gpio":
            mend = f"; free pins for it: {_gpios(_relay_pins(board))}"
        elif other.place.endswith(".uart"):
            mend = f"; move that wire{f' to {_one_of(free)}' if free else ' to a USB adapter with port'}"
        yield f"{use.place}: {pins.pin_name(use.gpio)} is already {other.role}{mend}"


def _relay(board: BoardDescription) -> Iterator[str]:
    relay = board.relay
    if relay is None:
        return
    if board.model == "laptop":
        yield "$.relay: a laptop has no header; leave the relay out"
    elif relay.gpio in pins.HAT_EEPROM:
        free = _gpios(_relay_pins(board))
        yield f"$.relay.gpio: {pins.pin_name(relay.gpio)} reads the HAT's EEPROM at boot; free pins for it: {free}"
    elif relay.active_high == (relay.gpio in pins.PULLED_UP):
        pull = "up" if relay.active_high else "down"
        yield (
            f"$.relay.gpio: {pins.pin_name(relay.gpio)} is pulled {pull} after reset, so the relay would hold "
            f"without the controller; free pins for it: {_gpios(_relay_pins(board))}"
        )


def _relay_pins(board: BoardDescription) -> list[int]:
    """Free pins whose pull after reset lets the relay drop."""
    assert board.relay is not None
    taken = {use.gpio for use in pins.uses(board)} | pins.HAT_EEPROM
    return [gpio for gpio in range(28) if gpio not in taken and (gpio in pins.PULLED_UP) != board.relay.active_high]


def _devices(board: BoardDescription) -> Iterator[str]:
    holders: dict[str, str] = {}
    buses = {said.wire for said in board.devices.values() if isinstance(said, Atxled)}
    for name, said in board.devices.items():
        place = f"$.devices.{name}"
        part, facts = part_name(said), part_of(said)
        wire = board.wires.get(said.wire)
        if wire is None:
            near = difflib.get_close_matches(said.wire, board.wires, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"wires of this board: {', '.join(board.wires) or 'none'}"
            yield f'{place}.wire: no wire "{said.wire}"; {hint}'
            continue
        kind = str(wire.__struct_config__.tag)
        if kind not in facts.wire_kinds:
            yield f"{place}.wire: part {part} does not hang on a {kind} wire; it needs kind {_one_of(facts.wire_kinds)}"
        elif isinstance(said, SpatFeed) and said.message_format == "spat-uper" and kind == "uart":
            yield (
                f"{place}.message_format: binary messages carry no mark where they begin, and a serial wire does not "
                'keep them apart; use message_format = "spat-xml", or a memory wire on a bench'
            )
        holder = holders.setdefault(said.wire, name)
        if holder != name and not (facts.shares_wire and part_name(board.devices[holder]) == part):
            yield f"{place}.wire: wire {said.wire} is already {holder}'s; part {part} needs a wire of its own"
        if name in buses:
            yield f'{place}: a DALI wire is called "{name}" and its bus takes that name; give the device another'


def _addresses(board: BoardDescription) -> Iterator[str]:
    first: dict[tuple[str, int], str] = {}
    for name, said in board.devices.items():
        if isinstance(said, Atxled):
            other = first.setdefault((said.wire, said.short_address), name)
            if other != name:
                free = [a for a in range(64) if (said.wire, a) not in _taken_addresses(board)]
                hint = f"the next free one is {free[0]}" if free else "all 64 are taken"
                yield (
                    f"$.devices.{name}.short_address: {said.short_address} is already {other} "
                    f"on wire {said.wire}; {hint}"
                )


def _taken_addresses(board: BoardDescription) -> set[tuple[str, int]]:
    return {(said.wire, said.short_address) for said in board.devices.values() if isinstance(said, Atxled)}


def _one_of(names: Iterable[str]) -> str:
    return " or ".join(names)


def _right(values: Iterable[object]) -> str:
    return f"right: {', '.join(str(value) for value in values)}"


def _gpios(numbers: list[int]) -> str:
    return ", ".join(f"GPIO{gpio}" for gpio in numbers) or "none"
