"""Draws the header for whoever wires: what a board takes on each pin, seen from above with pin 1 at the top left."""

from __future__ import annotations

from typing import Any

from boards import pins
from boards.parts import contents, part_name
from boards.schema import BoardDescription
from boards.wires import GpioWire, I2cWire, MatrixWire, MqttWire, PwmWire, UartWire, UdpWire, Wire

_USED, _SUPPLY, _DIM = "1;32", "31", "2"
_LEFT = 36
I2C_CLOCK_HZ = 100_000
"""What the bus runs at where config.txt says nothing."""
_LEGEND = "● taken  ○ free  ■ supply.  TX and RX are the controller's: its TX goes to the part's RX."


def pinout(board: BoardDescription, *, colour: bool = False) -> str:
    """The header in two columns, then every wire, then what config.txt needs; `colour` adds ANSI colours.

    A line of it::

        pulses of relay GPIO17  11 ● ○ 12  GPIO18 (PWM)
    """
    parts = [f"{board.name} on a {pins.MODEL_TITLES[board.model]}: {board.title}"]
    if pins.UARTS[board.model]:
        parts.append("\n".join([*_header(board, colour), "", _LEGEND]))
    parts.append("\n".join(_wires(board)))
    if config := config_lines(board):
        lines = [f"  {line}" for line in config]
        parts.append("\n".join(["/boot/firmware/config.txt (kernel 6.0 or later):", *lines]))
    return "\n\n".join(parts) + "\n"


def pin_table(board: BoardDescription) -> list[dict[str, Any]]:
    """The same as data, one row a pin: ``{"pin": 8, "gpio": 14, "carries": "GPIO14", "used_as": "TX of wire dali"}``,
    with `gpio` None on a supply pin and `used_as` None on a free one.
    """
    roles = {use.gpio: use.role for use in pins.uses(board)}
    return [
        {"pin": pin, "gpio": what, "carries": f"GPIO{what}", "used_as": roles.get(what)}
        if isinstance(what, int)
        else {"pin": pin, "gpio": None, "carries": what, "used_as": None}
        for pin, what in enumerate(pins.HEADER, start=1)
    ]


def config_lines(board: BoardDescription) -> list[str]:
    """The lines of config.txt that bring UARTs, I2C and PWM outputs to the header, each once."""
    lines: dict[str, None] = {}
    if board.model == "laptop":
        return []
    for wire in board.wires.values():
        if isinstance(wire, UartWire) and wire.uart is not None:
            lines |= dict.fromkeys(pins.UARTS[board.model][wire.uart].config)
        elif isinstance(wire, I2cWire) and wire.bus in pins.I2C_PINS:
            lines["dtparam=i2c_arm=on"] = None
            if wire.clock_hz != I2C_CLOCK_HZ:
                lines[f"dtparam=i2c_arm_baudrate={wire.clock_hz}"] = None
    channels = pins.PWM_CHANNELS[board.model]
    outputs = [gpio for gpio in pins.pwm_gpios(board) if gpio in channels]
    for first, second in zip(outputs[::2], [*outputs[1::2], None], strict=False):
        one = f"pin={first},func={channels[first].function}"
        if second is None:
            lines[f"dtoverlay=pwm,{one}"] = None
        else:
            lines[f"dtoverlay=pwm-2chan,{one},pin2={second},func2={channels[second].function}"] = None
    return list(lines)


def _header(board: BoardDescription, colour: bool) -> list[str]:
    roles = {use.gpio: use.role for use in pins.uses(board)}
    lines = []
    for odd in range(1, len(pins.HEADER), 2):
        left, right = pins.HEADER[odd - 1], pins.HEADER[odd]
        left_text = " ".join(reversed(_words(left, roles))).rjust(_LEFT)
        right_text = " ".join(_words(right, roles))
        dots = f"{odd:>2} {_dot(left, roles)} {_dot(right, roles)} {odd + 1:<2}"
        lines.append(
            f"{_paint(left_text, left, roles, colour)}  {dots}  {_paint(right_text, right, roles, colour)}".rstrip()
        )
    return lines


def _words(what: int | str, roles: dict[int, str]) -> list[str]:
    """What stands beside a pin, from the header outwards: its name, then its role or what it is known for."""
    if isinstance(what, str):
        return [what]
    known = f"({pins.FUNCTIONS[what]})" if what in pins.FUNCTIONS else ""
    return [f"GPIO{what:<2}", roles.get(what, known)]


def _dot(what: int | str, roles: dict[int, str]) -> str:
    if isinstance(what, str):
        return "■"
    return "●" if what in roles else "○"


def _paint(text: str, what: int | str, roles: dict[int, str], colour: bool) -> str:
    if not colour:
        return text
    style = _USED if what in roles else _SUPPLY if what in ("3V3", "5V") else _DIM
    return f"\x1b[{style}m{text}\x1b[0m"


def _wires(board: BoardDescription) -> list[str]:
    carries = contents(board)
    rows = [("wire", "where", "controller's pins", "line", "carries", "devices")]
    for name, wire in sorted(board.wires.items()):
        rows.append((name, *_where(board, wire), carries.get(name, "-"), _on_wire(board, name)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _where(board: BoardDescription, wire: Wire) -> tuple[str, str, str]:
    if isinstance(wire, UartWire):
        line = f"{wire.baud} 8{wire.parity}1" if wire.baud else "-"
        if wire.uart is None:
            return wire.port or "-", "-", line
        uart = pins.UARTS[board.model][wire.uart]
        tx, rx = pins.PIN_OF_GPIO[uart.tx_gpio], pins.PIN_OF_GPIO[uart.rx_gpio]
        return f"{wire.uart} {uart.device}", f"TX pin {tx}, RX pin {rx}", line
    if isinstance(wire, MatrixWire):
        on = f" on {wire.mapping}" if wire.driver in pins.MATRIX_DRIVERS_ON_PINS else ""
        return f"{wire.driver}{on}", "as above" if on else "-", f"{wire.width_px} x {wire.height_px}"
    if isinstance(wire, I2cWire):
        return (
            f"/dev/i2c-{wire.bus}",
            "SDA pin 3, SCL pin 5" if wire.bus in pins.I2C_PINS else "-",
            f"{wire.clock_hz} Hz",
        )
    if isinstance(wire, MqttWire):
        return f"{wire.host}:{wire.port}", "-", "TLS" if wire.tls else "-"
    if isinstance(wire, UdpWire):
        return f"udp {wire.host}:{wire.port}", "-", wire.group or "-"
    if isinstance(wire, GpioWire | PwmWire):
        return getattr(wire, "driver", "kernel PWM"), "as above", "-"
    return "in process", "-", "-"


def _on_wire(board: BoardDescription, wire: str) -> str:
    """``"radar-1 (ld2451)"``, or ``"lamp-1 … lamp-6 (6 x atxled)"`` where many share the wire."""
    names = [name for name, said in board.devices.items() if said.wire == wire]
    if not names:
        return "-"
    part = part_name(board.devices[names[0]])
    return f"{names[0]} ({part})" if len(names) == 1 else f"{names[0]} … {names[-1]} ({len(names)} x {part})"
