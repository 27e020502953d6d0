"""Opens the port that a part is tried on, by the kind of its wire."""

from __future__ import annotations

from drivers.errors import InputError
from drivers.interfaces import ByteLink


def open_wire(kind: str, name: str, port: str, baud: int, parity: str) -> ByteLink:
    """A link to `port`, named `name`. It opens when first polled. Raises InputError for what cannot be such a port.

    `kind`: ``uart`` (device file or URL), ``i2c`` (``/dev/i2c-1``), ``gpio`` and ``pwm`` (see
    `drivers.links.line_port`).
    """
    match kind:
        case "uart":
            if port.startswith("/dev/i2c"):
                raise InputError(f"{port} is an I2C bus; this part hangs on a serial port, like /dev/ttyUSB0")
            from drivers.links.uart import UartLink

            return UartLink(name, port, baud or 115_200, parity)
        case "i2c":
            if not port.startswith("/dev/i2c"):
                raise InputError(f"{port} is no I2C bus; give one like /dev/i2c-1 (see them with: ls /dev/i2c*)")
            from drivers.links.i2c import I2cLink

            return I2cLink(name, port)
        case _:
            from drivers.links.line_port import open_line_port

            return open_line_port(name, port)
