"""An I2C adapter of Linux, opened by smbus2: one blocking transfer at a time, and the faces that libraries ask for.

`I2cLink` runs these calls in its worker. Whoever blocks anyway (a tool, a library's driver by itself) takes them
directly: `Registers` is the bus under Adafruit's BME280, `BlinkaI2c` what its busio drivers expect.

An empty write, which many drivers use to ask whether somebody is there, becomes a read of one byte that is thrown away:
adapters refuse messages without bytes, and a quick write can start a write in some memories.

Source of the error numbers: Linux, Documentation/i2c/fault-codes.rst; a Raspberry Pi's adapter says EREMOTEIO for NACK.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, Final

from drivers.transfers import BROKEN, LOST, NACK, OK, STATUS_TEXT, STUCK, Reply, Request

STATUS: Final = {
    errno.ENXIO: NACK,
    errno.EREMOTEIO: NACK,
    errno.ETIMEDOUT: STUCK,
    errno.EAGAIN: LOST,
}
"""Error number of a transfer to its status; BROKEN for all others."""

GONE: Final = frozenset({errno.ENODEV, errno.EBADF, errno.ESHUTDOWN})
"""Error numbers that say the adapter itself is gone."""

_ERROR: Final = {NACK: errno.ENXIO, STUCK: errno.ETIMEDOUT, LOST: errno.EAGAIN, BROKEN: errno.EIO}


class I2cPort:
    """An open adapter, e.g. ``I2cPort("/dev/i2c-1")``. Raises OSError; EOPNOTSUPP for an adapter that does only SMBus.

    `gone` is set when the adapter was pulled or closed.
    """

    def __init__(self, port: str) -> None:
        from smbus2 import I2cFunc, SMBus

        self.gone = False
        self._bus = SMBus(port)
        if not int(self._bus.funcs) & I2cFunc.I2C:  # asked once, when it was opened
            self._bus.close()
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), port)

    def transfer(self, request: Request) -> Reply:
        """Carry out one transfer; blocks until it is done, on a stuck bus for a second. Never raises."""
        from smbus2 import i2c_msg

        address = request.address
        if self.gone:
            return Reply(address, BROKEN)
        messages: list[Any] = []
        if request.data:
            messages.append(i2c_msg.write(address, request.data))
        if request.read_count or not messages:
            messages.append(i2c_msg.read(address, request.read_count or 1))
        try:
            self._bus.i2c_rdwr(*messages)
        except OSError as error:
            self.gone = error.errno in GONE
            return Reply(address, STATUS.get(error.errno or 0, BROKEN))
        except TypeError:  # closed from another thread in this very moment: smbus2 has no descriptor any more
            return Reply(address, BROKEN)
        return Reply(address, OK, bytes(messages[-1]) if request.read_count else b"")

    def close(self) -> None:
        """Close; a second call does nothing. From the thread that makes the transfers."""
        self.gone = True
        self._bus.close()


def mend(port: str, error: OSError) -> str:
    """Why `port` does not open, and what to do."""
    match error.errno:
        case errno.EACCES | errno.EPERM:
            return "no permission; add the user to the group i2c (usermod -aG i2c USER) and log in again"
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            there = ", ".join(sorted(map(str, Path("/dev").glob("i2c-*")))) or "none"
            return (
                f"no such adapter (there are: {there}); switch I2C on: raspi-config nonint do_i2c 0, "
                "or dtparam=i2c_arm=on in config.txt and restart"
            )
        case errno.EOPNOTSUPP | errno.ENOTTY:
            return "not an I2C adapter that does plain I2C transfers (I2C_RDWR); SMBus alone is not enough"
    return f"cannot be opened: {error.strerror or error}"


class Registers:
    """One chip on a blocking port: the bus object of Adafruit's `Adafruit_BME280`. Raises OSError.

    Example: ``Adafruit_BME280(Registers(I2cPort("/dev/i2c-1"), 0x76)).temperature``.
    """

    def __init__(self, port: I2cPort, address: int) -> None:
        self._port, self._address = port, address

    def read_register(self, register: int, length: int) -> bytearray:
        """`length` bytes from `register` on."""
        return bytearray(_done(self._port, Request(self._address, bytes((register & 0xFF,)), length)))

    def write_register_byte(self, register: int, value: int) -> None:
        """One byte into `register`."""
        _done(self._port, Request(self._address, bytes((register & 0xFF, value & 0xFF))))


class BlinkaI2c:
    """A blocking port as CircuitPython's `busio.I2C`, for drivers of adafruit_bus_device. Raises OSError."""

    def __init__(self, port: I2cPort) -> None:
        self._port = port

    def try_lock(self) -> bool:
        """Always: the port is ours alone."""
        return True

    def unlock(self) -> None:
        """Nothing to do."""

    def writeto(self, address: int, buffer: bytes | bytearray, *, start: int = 0, end: int | None = None) -> None:
        """Write a buffer's part; an empty one asks whether somebody is there."""
        _done(self._port, Request(address, bytes(buffer[start:end])))

    def readfrom_into(self, address: int, buffer: bytearray, *, start: int = 0, end: int | None = None) -> None:
        """Read as many bytes as the buffer's part has."""
        count = len(buffer[start:end])
        buffer[start : start + count] = _done(self._port, Request(address, b"", count))

    def writeto_then_readfrom(
        self,
        address: int,
        out_buffer: bytes | bytearray,
        in_buffer: bytearray,
        *,
        out_start: int = 0,
        out_end: int | None = None,
        in_start: int = 0,
        in_end: int | None = None,
    ) -> None:
        """Write, repeated start, read."""
        count = len(in_buffer[in_start:in_end])
        got = _done(self._port, Request(address, bytes(out_buffer[out_start:out_end]), count))
        in_buffer[in_start : in_start + count] = got


def _done(port: I2cPort, request: Request) -> bytes:
    reply = port.transfer(request)
    if reply.status != OK:
        raise OSError(_ERROR[reply.status], f"I2C address {request.address:#04x}: {STATUS_TEXT[reply.status]}")
    return reply.data
