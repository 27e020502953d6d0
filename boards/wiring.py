"""The wiring sheet: which pin of the header goes to which terminal of which part, and what belongs in between.

Rows first (for people, machines and tests), then the drawing and the page around it in `boards.wiring_page`.
"""

from __future__ import annotations

import msgspec

from boards import pins
from boards.hardware import port_of
from boards.keys import DeviceKeys
from boards.parts import part_name, part_of
from boards.parts.part import Hookup, Role, Signal, Terminal
from boards.schema import BoardDescription
from boards.wires import I2cWire, MatrixWire, MqttWire, UartWire, UdpWire

BETWEEN: dict[Signal, str] = {
    "rs485": "RS485 transceiver for 3.3 V (MAX3485 or the like), its own direction control",
    "rs232": "RS232 level converter for 3.3 V (MAX3232 or the like)",
    "ttl-5v": "level shifter 5 V to 3.3 V on the part's TX",
}
"""What a part's signal needs between it and a UART of the header, which is 3.3 V and takes no more."""

_OPPOSITE: dict[Role, str] = {"tx": "rx", "rx": "tx"}


class Row(msgspec.Struct, frozen=True):
    """One connection: ``Row("radar-1", "LD2451", "TX", "RX of uart3", 29, "GPIO5", "yellow", "")``.

    `pin` is the pin of the header, None for a connection that does not reach it (a supply, a USB adapter, a bus).
    """

    device: str
    part: str
    terminal: str
    goes_to: str
    pin: int | None
    carries: str
    colour: str = ""
    between: str = ""


class Card(msgspec.Struct, frozen=True):
    """What hangs at one place of the sheet: a device, or all devices of a bus that are wired alike."""

    title: str
    devices: tuple[str, ...]
    wire: str
    rows: tuple[Row, ...]
    supply: str
    note: str
    source: str
    between: str


def cards(board: BoardDescription) -> list[Card]:
    """One card a wire and part, in order of the wires' names."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name, said in sorted(board.devices.items()):
        key = (said.wire, part_name(said))
        alone = bool(part_of(said).pins(said, name))  # lines of its own: a card of its own
        groups.setdefault((*key[:1], f"{key[1]}/{name}") if alone else key, []).append(name)
    return [_card(board, wire, devices) for (wire, _), devices in sorted(groups.items())]


def rows(board: BoardDescription) -> list[Row]:
    """Every connection, card by card."""
    return [row for card in cards(board) for row in card.rows]


def _card(board: BoardDescription, wire: str, devices: list[str]) -> Card:
    said = board.devices[devices[0]]
    part = part_of(said)
    hookup = part.hookup or Hookup(signal="network")
    between = _between(board, wire, hookup)
    shown = devices[0] if len(devices) == 1 else f"{devices[0]} … {devices[-1]} ({len(devices)})"
    terminals, place = hookup.terminals, board.wires[wire]
    on_header = isinstance(place, UartWire) and place.uart is not None
    if on_header and not any(terminal.carries in _OPPOSITE for terminal in terminals):
        side = "converter" if between else "part"  # the part's own pins are not known, or lie beyond the converter
        terminals = (Terminal(f"{side}'s TX", "tx"), Terminal(f"{side}'s RX", "rx"), *terminals)
    made = [_row(board, wire, said, shown, terminal, between) for terminal in terminals]
    for name in devices:
        for pin in part.pins(board.devices[name], name):
            direction = "output" if pin.out else "input"
            made.append(
                Row(
                    name,
                    part.title,
                    pin.role.removesuffix(f" of {name}"),
                    f"{direction} of the controller",
                    pins.PIN_OF_GPIO[pin.gpio] if board.model != "laptop" else None,
                    f"GPIO{pin.gpio}",
                )
            )
    return Card(
        title=f"{shown}: {part.title}",
        devices=tuple(devices),
        wire=_wire_text(board, wire),
        rows=tuple(made),
        supply=hookup.supply,
        note=hookup.note,
        source=hookup.source,
        between=between,
    )


def _between(board: BoardDescription, wire: str, hookup: Hookup) -> str:
    there = board.wires[wire]
    if not isinstance(there, UartWire):
        return ""
    if there.uart is not None:
        return BETWEEN.get(hookup.signal, "")
    if "://" in (there.port or ""):
        return ""
    kinds = {"rs485": "USB adapter for RS485", "rs232": "USB adapter for RS232", "usb": "", "network": ""}
    return kinds.get(hookup.signal, "USB adapter, 3.3 V TTL")


def _row(board: BoardDescription, wire: str, said: DeviceKeys, device: str, terminal: Terminal, between: str) -> Row:
    part = part_of(said)
    place = board.wires[wire]
    goes_to, pin, carries = _WORDS.get(terminal.carries, terminal.carries), None, ""
    if terminal.carries == "gnd":
        goes_to, carries = "ground, joined with the controller's", "GND"
    elif terminal.carries == "supply":
        goes_to, carries = "its supply, see below", "supply"
    elif isinstance(place, UartWire) and place.uart is not None and terminal.carries in ("tx", "rx", "a", "b"):
        uart = pins.UARTS[board.model][place.uart]
        if terminal.carries in _OPPOSITE:
            gpio = uart.rx_gpio if terminal.carries == "tx" else uart.tx_gpio
            pin, carries = pins.PIN_OF_GPIO[gpio], f"GPIO{gpio}"
            goes_to = f"{_OPPOSITE[terminal.carries].upper()} of {place.uart}"
        else:
            goes_to = f"{terminal.carries.upper()} of the transceiver on {place.uart}"
    elif isinstance(place, I2cWire) and terminal.carries in ("sda", "scl") and place.bus in pins.I2C_PINS:
        gpio = pins.I2C_PINS[place.bus][terminal.carries == "scl"]
        pin, carries, goes_to = pins.PIN_OF_GPIO[gpio], f"GPIO{gpio}", f"{terminal.carries.upper()} of i2c-{place.bus}"
    elif isinstance(place, UartWire) and terminal.carries in ("tx", "rx", "a", "b"):
        other = _OPPOSITE.get(terminal.carries, terminal.carries).upper()
        goes_to = f"{other} of the adapter at {port_of(place, wire, board.model)}"
    if board.model == "laptop":
        pin = None
    return Row(device, part.title, terminal.name, goes_to, pin, carries, terminal.colour, between if pin else "")


_WORDS = {"da": "the DALI pair, either way round", "load": "the lamp", "line": "its line"}


def _wire_text(board: BoardDescription, name: str) -> str:
    wire = board.wires[name]
    if isinstance(wire, UartWire):
        line = f", {wire.baud} 8{wire.parity}1" if wire.baud else ""
        return f"wire {name}: {wire.uart or port_of(wire, name, board.model)}{line}"
    if isinstance(wire, I2cWire):
        return f"wire {name}: i2c-{wire.bus}"
    if isinstance(wire, MqttWire):
        return f"wire {name}: broker {wire.host}"
    if isinstance(wire, UdpWire):
        return f"wire {name}: datagrams to port {wire.port}"
    if isinstance(wire, MatrixWire):
        return f"wire {name}: {wire.width_px} x {wire.height_px} LEDs on {wire.mapping}"
    return f"wire {name}"
