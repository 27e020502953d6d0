"""What is wrong with a board file beyond its types: pins, UARTs, line settings, addresses, names.

Every finding names its place in the file and what would be right; all findings come at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from boards import pins
from boards.check_devices import addresses, airs, devices, guarded, line_settings, one_of
from boards.parts import part_of
from boards.schema import BoardDescription
from boards.wires import GpioWire, I2cWire, MatrixWire, MemoryWire, MqttWire, PwmWire, UartWire, UdpWire

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_WITHOUT_BAUD = ("socket://", "loop://")


def findings(board: BoardDescription) -> list[str]:
    """Everything wrong with `board`, ``"$.place: what; what would be right"`` each; empty when it is fine."""
    found: list[str] = []
    for check in (_names, _wires, line_settings, _pins, _pwm, _outputs, devices, addresses, airs, guarded):
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
    buses: dict[int, str] = {}
    heard: dict[int, str] = {}
    in_use = {said.wire for said in board.devices.values()}
    for name, wire in board.wires.items():
        place = f"$.wires.{name}"
        if name not in in_use:
            yield f'{place}: no device hangs on it; add one with wire = "{name}", or take the wire out'
        if isinstance(wire, UartWire):
            yield from _uart(board, name, wire)
            if wire.usb is not None and (wire.usb.serial is None) == (wire.usb.path is None):
                yield f'{place}.usb: give exactly one of serial ("FT4XYZ12") and path ("1-1.3")'
            if wire.port is not None and wire.port in ports and wire.port != "loop://":
                yield f"{place}.port: {wire.port} is already wire {ports[wire.port]}; a port carries one wire"
            ports.setdefault(wire.port or "", name)
        elif isinstance(wire, MemoryWire):
            if not board.bench:
                yield f'{place}.kind: a memory wire has the rig at its far end; use kind = "uart", or set bench = true'
        elif isinstance(wire, MatrixWire):
            yield from _matrix(board, place, wire)
        elif isinstance(wire, I2cWire):
            if wire.bus in buses:
                yield f"{place}.bus: /dev/i2c-{wire.bus} is already wire {buses[wire.bus]}; its devices can share that"
            buses.setdefault(wire.bus, name)
        elif isinstance(wire, MqttWire):
            yield from _mqtt(place, wire)
        elif isinstance(wire, UdpWire):
            if wire.port in heard:
                yield f"{place}.port: {wire.port} is already wire {heard[wire.port]}; give each wire a port of its own"
            heard.setdefault(wire.port, name)
            yield from _udp(place, wire)
        else:
            yield from _lines(board, place, wire)


def _uart(board: BoardDescription, name: str, wire: UartWire) -> Iterator[str]:
    place = f"$.wires.{name}"
    known = pins.UARTS[board.model]
    title = pins.MODEL_TITLES[board.model]
    if sum(said is not None for said in (wire.uart, wire.port, wire.usb)) != 1:
        yield (
            f'{place}: give exactly one of uart (on the header, "uart0"), port ("/dev/ttyUSB0" or a URL) and usb '
            "(an adapter with a name that stays)"
        )
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
        mend = f"use {one_of(free)}" if free else 'use uart0 in its place, or parity = "N"'
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


def _mqtt(place: str, wire: MqttWire) -> Iterator[str]:
    if not wire.subscribe and wire.publish is None:
        yield f'{place}: nothing comes and nothing goes; give subscribe = ["a/topic"], publish = "a/topic", or both'
    if not wire.tls:
        for key in ("ca_file", "cert_file", "key_file"):
            if getattr(wire, key) is not None:
                yield f"{place}.{key}: used with TLS only; add tls = true (usually with port = 8883), or leave it out"
    if (wire.cert_file is None) != (wire.key_file is None):
        yield f"{place}.cert_file: a certificate and its key go together; give both cert_file and key_file"
    if wire.password_file is not None and wire.user is None:
        yield f"{place}.password_file: a password needs a user; add user"
    if not wire.clean_session and not wire.client_id:
        yield f'{place}.clean_session: a session that is kept needs a name to be known by; add client_id = "..."'
    if not wire.clean_session and wire.qos == 2:
        yield f"{place}.qos: 2 needs clean_session = true; 1 is kept over sessions"
    if wire.topics and not wire.subscribe:
        yield f"{place}.topics: nothing comes on this wire; give subscribe, or leave topics out"


def _udp(place: str, wire: UdpWire) -> Iterator[str]:
    from drivers.links.udp import wrong_address, wrong_group

    for key in ("host", "interface", "sender"):
        if said := wrong_address(getattr(wire, key) or "::"):
            yield f"{place}.{key}: {said}"
    if wire.group is not None and (said := wrong_group(wire.group, wire.host)):
        yield f"{place}.group: {said}"
    if wire.interface is not None and wire.group is None:
        yield f"{place}.interface: used with a multicast group only; add group, or say host in its place"


def _lines(board: BoardDescription, place: str, wire: GpioWire | PwmWire) -> Iterator[str]:
    title = pins.MODEL_TITLES[board.model]
    if isinstance(wire, GpioWire) and wire.driver == "rpi-gpio" and board.model == "raspberry-pi-5":
        yield f'{place}.driver: RPi.GPIO does not run on a {title}; use driver = "gpiozero" with factory = "lgpio"'
    elif isinstance(wire, GpioWire) and wire.factory in ("rpigpio", "native") and board.model == "raspberry-pi-5":
        yield f'{place}.factory: "{wire.factory}" does not run on a {title}; use factory = "lgpio"'
    elif board.model == "laptop" and not (isinstance(wire, GpioWire) and wire.factory in ("mock", "leeze")):
        yield f'{place}.kind: a {title} has no header; use kind = "memory" on a bench, or factory = "leeze"'


def _matrix(board: BoardDescription, place: str, wire: MatrixWire) -> Iterator[str]:
    title = pins.MODEL_TITLES[board.model]
    if wire.driver in pins.MATRIX_DRIVERS_ON_PINS and board.model == "laptop":
        yield f'{place}.driver: "{wire.driver}" needs a header; on a {title} use "emulator" or "frame-buffer"'
    elif wire.driver == "piomatter" and board.model != "raspberry-pi-5":
        yield f'{place}.driver: "piomatter" runs on a Raspberry Pi 5 only; on a {title} use "rgbmatrix"'


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
        elif use.place.startswith("$.devices."):
            mend = f"; free pins for it: {_gpios(_resting_pins(board, use.holds))}"
        elif other.place.endswith(".uart"):
            mend = f"; move that wire{f' to {one_of(free)}' if free else ' to a USB adapter with port'}"
        yield f"{use.place}: {pins.pin_name(use.gpio)} is already {other.role}{mend}"


def _pwm(board: BoardDescription) -> Iterator[str]:
    """Outputs of the kernel's PWM: which pins have one, and how many an overlay brings."""
    channels = pins.PWM_CHANNELS[board.model]
    first: dict[int, str] = {}
    for name, said in board.devices.items():
        if not isinstance(board.wires.get(said.wire), PwmWire) or not channels:
            continue
        for pin in part_of(said).pins(said, name):
            place = f"$.devices.{name}.{pin.key}"
            if pin.gpio not in channels:
                known = ", ".join(pins.pin_name(gpio) for gpio in channels)
                yield f"{place}: {pins.pin_name(pin.gpio)} has no PWM of the kernel; those with one: {known}"
                continue
            channel = channels[pin.gpio].channel
            other = first.setdefault(channel, name)
            if other != name:
                yield (
                    f"{place}: {pins.pin_name(pin.gpio)} is channel {channel} like the pin of {other}, so both would "
                    "show the same; use a pin of another channel"
                )


def _outputs(board: BoardDescription) -> Iterator[str]:
    """Outputs that must rest without the controller: not on pins that are pulled the wrong way, or that read a HAT."""
    if board.model == "laptop":
        return
    for name, said in board.devices.items():
        for pin in part_of(said).pins(said, name):
            place, free = f"$.devices.{name}.{pin.key}", _gpios(_resting_pins(board, pin.holds))
            if pin.out and pin.gpio in pins.HAT_EEPROM:
                yield f"{place}: {pins.pin_name(pin.gpio)} reads the HAT's EEPROM at boot; free pins for it: {free}"
            elif pin.holds is not None and (pin.gpio in pins.PULLED_UP) == bool(pin.holds):
                pull = "up" if pin.holds else "down"
                yield (
                    f"{place}: {pins.pin_name(pin.gpio)} is pulled {pull} after reset, so {name} would hold "
                    f"without the controller; free pins for it: {free}"
                )


def _resting_pins(board: BoardDescription, holds: int | None) -> list[int]:
    """Free pins whose pull after reset is not `holds`; any free pin for None."""
    taken = {use.gpio for use in pins.uses(board)} | pins.HAT_EEPROM
    free = [gpio for gpio in range(28) if gpio not in taken]
    return free if holds is None else [gpio for gpio in free if (gpio in pins.PULLED_UP) != bool(holds)]


def _gpios(numbers: list[int]) -> str:
    """``"GPIO2, GPIO3"``; of many the first six."""
    shown = ", ".join(f"GPIO{gpio}" for gpio in numbers[:6])
    return f"{shown} and {len(numbers) - 6} more" if len(numbers) > 6 else shown or "none"
