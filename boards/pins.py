"""The 40-pin header of the Raspberry Pi as data: where each pin is, what it can do, and what a board takes.

Sources: pin positions and functions, BCM2835 ARM Peripherals 6.2, table 6-31; UARTs by model,
`boot/overlays/README` of the Raspberry Pi firmware (uart0 … uart5, uart0-pi5 … uart4-pi5); device names, kernel 6.0 and
later, where ``/dev/ttyAMA<n>`` is always uart<n> (raspberrypi/linux issue 6352); matrix adapters, hardware-mapping.c of
hzeller/rpi-rgb-led-matrix. The mini UART has neither parity nor a second stop bit (Linux commit d087e7a991f1).
"""

from __future__ import annotations

import msgspec

from boards.parts import part_of
from boards.parts.part import Pin
from boards.schema import BoardDescription
from boards.wires import I2cWire, MatrixWire, MemoryWire, PwmWire, UartWire

HEADER: tuple[int | str, ...] = (
    *("3V3", "5V", 2, "5V", 3, "GND", 4, 14, "GND", 15),
    *(17, 18, 27, "GND", 22, 23, "3V3", 24, 10, "GND"),
    *(9, 25, 11, 8, "GND", 7, 0, 1, 5, "GND"),
    *(6, 12, 13, "GND", 19, 16, 26, 20, "GND", 21),
)
"""What pin n carries, at index n - 1: a BCM number or a supply. Odd pins are the row away from the board's edge."""

PIN_OF_GPIO = {what: pin for pin, what in enumerate(HEADER, start=1) if isinstance(what, int)}
"""Physical pin by BCM number, e.g. 14 -> 8."""

FUNCTIONS = (
    {0: "ID_SD", 1: "ID_SC", 2: "SDA1", 3: "SCL1"}
    | {7: "SPI0 CE1", 8: "SPI0 CE0", 9: "SPI0 MISO", 10: "SPI0 MOSI", 11: "SPI0 SCLK"}
    | {12: "PWM", 13: "PWM", 18: "PWM", 19: "PWM"}
    | {14: "TXD0", 15: "RXD0", 16: "SPI1 CE2", 17: "SPI1 CE1", 20: "SPI1 MOSI", 21: "SPI1 SCLK"}
)
"""What a pin is best known for beside plain input and output, on every model."""

HAT_EEPROM = frozenset({0, 1})
"""Read at boot to find a HAT; no place for an output."""

PULLED_UP = frozenset(range(9))
"""GPIO with a pull-up after reset; the others have a pull-down (BCM2835 ARM Peripherals, table 6-31, column Pull)."""

MODEL_TITLES = {
    "raspberry-pi-3": "Raspberry Pi 3",
    "raspberry-pi-4": "Raspberry Pi 4",
    "raspberry-pi-5": "Raspberry Pi 5",
    "raspberry-pi-zero-2-w": "Raspberry Pi Zero 2 W",
    "laptop": "laptop",
}


class Uart(msgspec.Struct, frozen=True):
    """A UART on the header: BCM numbers of its pins, its device, and the lines of config.txt that bring it there.

    `parity` is False for the mini UART, whose clock moreover follows the core's.
    """

    tx_gpio: int
    rx_gpio: int
    device: str
    config: tuple[str, ...]
    parity: bool = True


_PI_3 = {
    # Bluetooth sits on uart0 until it is told to leave; the mini UART is what it leaves on the header.
    "uart0": Uart(14, 15, "/dev/ttyAMA0", ("enable_uart=1", "dtoverlay=disable-bt")),
    "uart1": Uart(14, 15, "/dev/ttyS0", ("enable_uart=1",), parity=False),
}
_PI_4_MORE = {"uart2": (0, 1), "uart3": (4, 5), "uart4": (8, 9), "uart5": (12, 13)}
_PI_5 = {"uart0": (14, 15), "uart1": (0, 1), "uart2": (4, 5), "uart3": (8, 9), "uart4": (12, 13)}

UARTS: dict[str, dict[str, Uart]] = {
    "raspberry-pi-3": _PI_3,
    "raspberry-pi-zero-2-w": _PI_3,
    "raspberry-pi-4": _PI_3
    | {name: Uart(*pins, f"/dev/ttyAMA{name[4:]}", (f"dtoverlay={name}",)) for name, pins in _PI_4_MORE.items()},
    "raspberry-pi-5": {
        name: Uart(*pins, f"/dev/ttyAMA{name[4:]}", (f"dtoverlay={name}-pi5",)) for name, pins in _PI_5.items()
    },
    "laptop": {},
}
"""By model and name. The numbering of the Pi 5 is not that of the Pi 4: GPIO4 and 5 are uart3 there, uart2 here."""

_ADAFRUIT = {"OE": 4, "CLK": 17, "LAT": 21, "A": 22, "B": 26, "C": 27, "D": 20, "E": 24} | (
    {"R1": 5, "G1": 13, "B1": 6, "R2": 12, "G2": 16, "B2": 23}
)
MATRIX_PINS: dict[str, dict[str, int]] = {
    "adafruit-hat": _ADAFRUIT,
    "adafruit-hat-pwm": _ADAFRUIT | {"OE": 18},
    "regular": {"OE": 18, "CLK": 17, "LAT": 4, "A": 22, "B": 23, "C": 24, "D": 25, "E": 15}
    | {"R1": 11, "G1": 27, "B1": 7, "R2": 8, "G2": 9, "B2": 10},
}
"""BCM number by signal and adapter, first chain. Signal E is taken by panels of more than 32 rows only."""

I2C_PINS = {1: (2, 3)}
"""(SDA, SCL) of the bus that every model has on its header; bus 0 belongs to the HAT's EEPROM."""


class PwmChannel(msgspec.Struct, frozen=True):
    """A PWM output of the kernel on the header: its channel, and the function number that the overlay wants."""

    channel: int
    function: int


_PWM_BCM = {12: PwmChannel(0, 4), 13: PwmChannel(1, 4), 18: PwmChannel(0, 2), 19: PwmChannel(1, 2)}
PWM_CHANNELS: dict[str, dict[int, PwmChannel]] = {
    "raspberry-pi-3": _PWM_BCM,
    "raspberry-pi-zero-2-w": _PWM_BCM,
    "raspberry-pi-4": _PWM_BCM,
    "raspberry-pi-5": _PWM_BCM | {18: PwmChannel(2, 2), 19: PwmChannel(3, 2)},
    "laptop": {},
}
"""By model and BCM number. Two pins of one channel show the same; a Raspberry Pi 5 has four channels.

The overlay's function numbers are those of the BCM2711 on every model, also for the RP1 (4 is ALT0, 2 is ALT5);
overlays pwm and pwm-2chan, `boot/overlays/README`.
"""

MATRIX_DRIVERS_ON_PINS = frozenset({"rgbmatrix", "piomatter"})


class Use(msgspec.Struct, frozen=True):
    """A pin that a board takes: ``Use(14, "TX of wire dali", "$.wires.dali.uart")``."""

    gpio: int
    role: str
    place: str
    holds: int | None = None


def device_path(model: str, uart: str) -> str:
    """The device of a UART of the header, e.g. ``("raspberry-pi-4", "uart3")`` -> ``"/dev/ttyAMA3"``."""
    return UARTS[model][uart].device


def pin_name(gpio: int) -> str:
    """As printed on a wiring sheet, e.g. ``"GPIO14 (pin 8)"``."""
    return f"GPIO{gpio} (pin {PIN_OF_GPIO[gpio]})"


def uart_uses(uart: Uart, wire: str) -> tuple[Use, Use]:
    """The two pins of a UART wire, as seen from the controller."""
    place = f"$.wires.{wire}.uart"
    return Use(uart.tx_gpio, f"TX of wire {wire}", place), Use(uart.rx_gpio, f"RX of wire {wire}", place)


def uses(board: BoardDescription) -> list[Use]:
    """Every pin that `board` takes: wires, then devices, in the order of the file; a pin taken twice appears twice."""
    taken: list[Use] = []
    for name, wire in board.wires.items():
        if isinstance(wire, UartWire) and wire.uart in UARTS[board.model]:
            taken += uart_uses(UARTS[board.model][wire.uart], name)
        elif isinstance(wire, MatrixWire) and wire.driver in MATRIX_DRIVERS_ON_PINS and board.model != "laptop":
            place = f"$.wires.{name}.mapping"
            signals = MATRIX_PINS[wire.mapping].items()
            taken += [Use(gpio, f"{s} of wire {name}", place) for s, gpio in signals if s != "E" or wire.height_px > 32]
        elif isinstance(wire, I2cWire) and wire.bus in I2C_PINS and board.model != "laptop":
            sda, scl = I2C_PINS[wire.bus]
            place = f"$.wires.{name}.bus"
            taken += [Use(sda, f"SDA of wire {name}", place), Use(scl, f"SCL of wire {name}", place)]
    for name, said in board.devices.items():
        if board.model != "laptop" and not isinstance(board.wires.get(said.wire), MemoryWire):
            place = f"$.devices.{name}"
            taken += [Use(p.gpio, p.role, f"{place}.{p.key}", p.holds) for p in part_of(said).pins(said, name)]
    return taken


def wire_pins(board: BoardDescription, wire: str) -> list[Pin]:
    """The pins of all devices on `wire`, in order of BCM number."""
    found = [pin for name, said in board.devices.items() if said.wire == wire for pin in part_of(said).pins(said, name)]
    return sorted(found, key=lambda pin: pin.gpio)


def pwm_gpios(board: BoardDescription) -> list[int]:
    """The pins of all devices on PWM wires, ascending, each once."""
    wires = [name for name, wire in board.wires.items() if isinstance(wire, PwmWire)]
    return sorted({pin.gpio for wire in wires for pin in wire_pins(board, wire)})


def free_uarts(board: BoardDescription) -> list[str]:
    """The UARTs whose pins nothing on `board` takes, e.g. ``["uart3", "uart4"]``: full ones only, best first.

    The UART on the pins of the HAT's EEPROM comes last: it is free only where no HAT has one.
    """
    taken = {use.gpio for use in uses(board)}
    free = [(u.tx_gpio in HAT_EEPROM, n) for n, u in UARTS[board.model].items() if not taken & {u.tx_gpio, u.rx_gpio}]
    return [name for _, name in sorted(free) if UARTS[board.model][name].parity]
