"""An emulated /dev/i2c-1 for an unmodified process: umockdev's preload library there, the register models here.

Debian's own Python runs this file, as that is where umockdev's bindings live (packages umockdev, gir1.2-umockdev-1.0,
python3-gi); nothing but the standard library and those is used. hil.benches.mock_i2c starts it::

    python3 -m hil.peers.i2c_testbed bme280@0x76 ina226@0x40

The first line printed is a JSON object: environment variables for the process under test. Then it obeys words on its
standard input, one order a line, and answers each by one line, until the input ends:

    absent 0x76 | present 0x76 | cycle 0x76     unplug, plug, cut the supply for a moment
    stuck | free                                SDA held low (ETIMEDOUT at once, not after a second), and free again
    weather 0x76 T P H                          raw values of a BME280
    count 0x76                                  how many transfers it has had

Served: I2C_FUNCS and I2C_RDWR, and nothing of SMBus. An absent chip is ENXIO.
"""

from __future__ import annotations

import errno
import json
import struct
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from drivers.clock import SystemClock
from hil.peers.i2c_models import MODELS, Bme280Model, Chip, Refused

DEVICE = "/dev/i2c-1"
PRELOAD = "libumockdev-preload.so.0"
DESCRIPTION = """P: /devices/platform/mock-i2c/i2c-1
N: i2c-1
E: DEVNAME=/dev/i2c-1
E: SUBSYSTEM=i2c-dev
E: MAJOR=89
E: MINOR=1
"""

I2C_FUNCS = 0x0705
I2C_RDWR = 0x0707
FUNC_I2C = 0x00000001
READ_FLAG = 0x0001
_RDWR = struct.Struct("@PI")  # struct i2c_rdwr_ioctl_data: messages, how many
_MESSAGE = struct.Struct("@HHHP")  # struct i2c_msg: address, flags, length, buffer
_BUFFER_AT = _MESSAGE.size - struct.calcsize("@P")


class Adapter:
    """The bus as the kernel's driver shows it: errno 0 or what went wrong, for each transfer."""

    def __init__(self, chips: dict[int, Chip]) -> None:
        self.chips = chips
        self.absent: set[int] = set()
        self.stuck = False
        self.counts: dict[int, int] = {}

    def write(self, address: int, data: bytes, t_ns: int) -> int:
        """One write message."""
        error = self._error(address)
        if not error:
            try:
                self.chips[address].write(data, t_ns)
            except Refused:
                return errno.ENXIO
        return error

    def read(self, address: int, count: int, t_ns: int) -> tuple[int, bytes]:
        """One read message."""
        error = self._error(address)
        if not error:
            try:
                return 0, self.chips[address].read(count, t_ns)
            except Refused:
                return errno.ENXIO, b""
        return error, b""

    def _error(self, address: int) -> int:
        self.counts[address] = self.counts.get(address, 0) + 1
        if self.stuck:
            return errno.ETIMEDOUT
        return errno.ENXIO if address in self.absent or address not in self.chips else 0

    def obey(self, order: str) -> str:
        """One order in words; what to say to it."""
        word, *rest = order.split()
        numbers = [int(text, 0) for text in rest]
        if word == "stuck" or word == "free":
            self.stuck = word == "stuck"
        elif word == "absent":
            self.absent.add(numbers[0])
        elif word == "present":
            self.absent.discard(numbers[0])
        elif word == "cycle":
            self.chips[numbers[0]].power_cycle(SystemClock().now_ns())
        elif word == "weather":
            chip = self.chips[numbers[0]]
            assert isinstance(chip, Bme280Model)
            chip.set_weather(*numbers[1:])
        elif word == "count":
            return str(self.counts.get(numbers[0], 0))
        else:
            return f"unknown: {word}"
        return "done"


def handle(adapter: Adapter, client: Any) -> None:
    """One ioctl of the process under test."""
    clock = SystemClock()
    if client.get_request() == I2C_FUNCS:
        size = struct.calcsize("@L")
        client.get_arg().resolve(0, size).update(0, struct.pack("@L", FUNC_I2C))
        client.complete(0, 0)
        return
    if client.get_request() != I2C_RDWR:
        client.complete(-1, errno.ENOTTY)
        return
    head = client.get_arg().resolve(0, _RDWR.size)
    _, count = _RDWR.unpack(bytes(head.retrieve()))
    messages = head.resolve(0, _MESSAGE.size * count)
    for n, (address, flags, length, _) in enumerate(_MESSAGE.iter_unpack(bytes(messages.retrieve()))):
        if not length:
            client.complete(-1, errno.EOPNOTSUPP)  # as adapters do with messages without bytes
            return
        buffer = messages.resolve(n * _MESSAGE.size + _BUFFER_AT, length)
        if flags & READ_FLAG:
            error, said = adapter.read(address, length, clock.now_ns())
            if not error:
                buffer.update(0, said)
        else:
            error = adapter.write(address, bytes(buffer.retrieve()), clock.now_ns())
        if error:
            client.complete(-1, error)
            return
    client.complete(count, 0)


def main(chips: Sequence[str]) -> int:
    """Serve ``PART@ADDRESS ...`` until standard input ends."""
    gi = import_module("gi")
    gi.require_version("UMockdev", "1.0")
    mock, glib = import_module("gi.repository.UMockdev"), import_module("gi.repository.GLib")

    adapter = Adapter({int(place, 0): MODELS[part]() for part, _, place in (text.partition("@") for text in chips)})

    class Handler(mock.IoctlBase):  # type: ignore[name-defined,misc]
        def do_handle_ioctl(self, client: Any) -> bool:
            handle(adapter, client)
            return True

    testbed = mock.Testbed.new()
    testbed.add_from_string(DESCRIPTION)
    handler = Handler()
    testbed.attach_ioctl(DEVICE, handler)
    loop = glib.MainLoop()

    def hear(*_: Any) -> bool:
        line = sys.stdin.readline()
        if not line:
            loop.quit()
            return False
        _say(adapter.obey(line))
        return True

    glib.io_add_watch(sys.stdin.fileno(), glib.IO_IN | glib.IO_HUP, hear)
    _say(json.dumps({"LD_PRELOAD": PRELOAD, "UMOCKDEV_DIR": testbed.get_root_dir()}))
    loop.run()
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
