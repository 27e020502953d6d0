"""RPi.GPIO's real C library, in and out, on a file in place of the SoC's registers.

It runs in a mount namespace of its own, where /dev/gpiomem is a file and /proc/cpuinfo is that of a Raspberry Pi 4.
What it does is judged from outside: the test reads and writes the registers in that file, as the hardware would
(BCM2711 ARM Peripherals, chapter 5). Edges cannot be detected there, so the inputs are asked.

The library is looked for in `.venv/rpi-gpio`, or where LEEZE_RPI_GPIO says.
"""

from __future__ import annotations

import mmap
import os
import select
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import SystemClock
from drivers.units import NS_PER_S

ROOT = Path(__file__).parents[2]
LIBRARY = Path(os.environ.get("LEEZE_RPI_GPIO", ROOT / ".venv" / "rpi-gpio"))
CLOCK = SystemClock()
UNSHARE = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]

GPFSEL1, GPSET0, GPCLR0, GPLEV0, GPPUPPDN1 = 0x04, 0x1C, 0x28, 0x34, 0xE8
CPUINFO = "processor\t: 0\nHardware\t: BCM2711\nRevision\t: c03111\nSerial\t\t: 10000000c0ffee00\n"

SCRIPT = """
set -e
mount --make-rprivate /
for device in null zero full random urandom; do mount --bind /dev/$device "$1/$device"; done
mount --rbind "$1" /dev
mount --bind "$2" /proc/cpuinfo
shift 2
exec "$@"
"""

PROGRAM = """
import sys
from drivers.clock import SystemClock
from drivers.line_events import SET, LineEvent, LineEventStream, encode
from drivers.links.gpio import GpioLine, GpioLink
from drivers.links.poll import WirePoll

clock, stream = SystemClock(), LineEventStream()
link = GpioLink("yard", [GpioLine(17, out=True), GpioLine(27, pull="up")], driver="rpi-gpio", poll_ms=2)
levels = []
link.receiver = lambda data, t_ns: levels.extend(event.value for event in stream.feed(data))
wires = WirePoll([link], clock, 10_000_000)
deadline_ns = clock.now_ns() + 60_000_000_000


def until(count):
    while len(levels) < count:
        assert clock.now_ns() < deadline_ns
        wires.wait_until_ns(min(wires.wake_ns(clock.now_ns()), clock.now_ns() + 100_000_000))
        wires.pump(clock.now_ns())


link.open(clock.now_ns())
until(1)
print("ready", levels, flush=True)
for count, level in ((2, 1), (3, 0)):
    until(count)
    link.write(encode(LineEvent(17, SET, level)), clock.now_ns())
until(4)
link.close()
import RPi.GPIO
print(RPi.GPIO.VERSION, RPi.GPIO.RPI_INFO["TYPE"], levels)
"""


def why_not() -> str:
    if not (LIBRARY / "RPi").is_dir():
        return f"RPi.GPIO is not built in {LIBRARY.name} (needs a C compiler; see requirements-rpi.lock)"
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        return "no unshare or mount here"
    tried = subprocess.run([*UNSHARE, "mount", "--make-rprivate", "/"], capture_output=True, text=True, check=False)
    return f"no mount namespace for us: {tried.stderr.strip()}" if tried.returncode else ""


@pytest.fixture(scope="module")
def library() -> Path:
    if reason := why_not():
        pytest.skip(reason)
    return LIBRARY


class Registers:
    """The file in place of the registers; `serve` does what the chip does with SET and CLR."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(4096))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 4096)

    def read(self, offset: int) -> int:
        return int(struct.unpack_from("<I", self._map, offset)[0])

    def write(self, offset: int, word: int) -> None:
        struct.pack_into("<I", self._map, offset, word)

    def drive(self, line: int, value: int) -> None:
        word = self.read(GPLEV0)
        self.write(GPLEV0, word | 1 << line if value else word & ~(1 << line))

    def serve(self) -> None:
        for offset, value in ((GPSET0, 1), (GPCLR0, 0)):
            if word := self.read(offset):
                self.write(offset, 0)
                for line in range(32):
                    if word >> line & 1:
                        self.drive(line, value)

    def level(self, line: int) -> int:
        self.serve()
        return self.read(GPLEV0) >> line & 1

    def function(self, line: int) -> int:
        return self.read(line // 10 * 4) >> line % 10 * 3 & 7

    def close(self) -> None:
        self._map.close()


@pytest.fixture
def registers(tmp_path: Path) -> Iterator[Registers]:
    dev = tmp_path / "dev"
    dev.mkdir()
    for name in ("null", "zero", "full", "random", "urandom"):
        (dev / name).touch()
    made = Registers(dev / "gpiomem")
    yield made
    made.close()


def environment(library: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{library}{os.pathsep}{ROOT}"}


def until(true: Callable[[], Any], program: subprocess.Popen[str]) -> None:
    deadline_ns = CLOCK.now_ns() + 60 * NS_PER_S
    while not true():
        assert program.poll() is None, "the program has ended"
        assert CLOCK.now_ns() < deadline_ns, "never came"
        select.select([], [], [], 0.001)


def test_an_output_is_driven_and_an_input_is_read_through_the_registers(
    library: Path, registers: Registers, tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text(CPUINFO)
    registers.write(GPFSEL1, 0b100 << 12)  # GPIO14 is a UART's, and stays so
    command = [*UNSHARE, "sh", "-c", SCRIPT, "sh", str(tmp_path / "dev"), str(tmp_path / "cpuinfo")]
    with subprocess.Popen(
        [*command, sys.executable, "-c", PROGRAM],
        env=environment(library),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as program:
        assert program.stdout is not None
        try:
            assert program.stdout.readline() == "ready [0]\n"
            assert [registers.function(line) for line in (17, 27)] == [1, 0]
            assert registers.read(GPPUPPDN1) >> 22 & 3 == 1  # GPIO27 is pulled up
            assert registers.level(17) == 0
            registers.drive(27, 1)
            until(lambda: registers.level(17) == 1, program)
            registers.drive(27, 0)
            until(lambda: registers.level(17) == 0, program)
            registers.drive(27, 1)
            said = program.communicate(timeout=60)[0]
        finally:
            program.kill()
    assert (program.returncode, said) == (0, "0.7.1 Pi 4 Model B [0, 1, 0, 1]\n")
    assert registers.function(17) == 0  # let go
    assert registers.function(14) == 0b100
    assert not Path("/dev/gpiomem").is_file()  # nothing of it is seen outside


def test_off_a_pi_the_library_is_refused_with_what_to_do(library: Path) -> None:
    code = (
        "from drivers.links.gpio import GpioLine, GpioLink\n"
        "from drivers.errors import LinkLost\n"
        "link = GpioLink('yard', [GpioLine(17)], driver='rpi-gpio')\n"
        "try:\n    link.open(0)\nexcept LinkLost as error:\n    print(error)\n"
        "link.close()\n"
    )
    if Path("/proc/device-tree/model").exists():
        pytest.skip("this is a Pi, or something like it")
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(library), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == (
        "yard: RPi.GPIO: RPi.GPIO knows no Raspberry Pi here; on a Pi 5 use driver gpiozero with factory lgpio\n"
    )
