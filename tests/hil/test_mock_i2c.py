"""An emulated /dev/i2c-1 (umockdev) under unmodified processes: smbus2, Adafruit's driver, our link, bench tools."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.codecs.i2c_transfers import decode_events
from drivers.errors import BenchError
from hil.benches import mock_i2c
from hil.benches.mock_i2c import MockI2c, missing
from hil.peers.i2c_models import MODELS

ROOT = Path(__file__).parents[2]
CHIPS = {0x76: "bme280", 0x40: "ina226", 0x41: "pca9685", 0x58: "gp8403", 0x60: "mcp4725"}

needs_umockdev = pytest.mark.skipif(bool(missing()), reason=missing() or "-")


@pytest.fixture(scope="module")
def shared() -> Iterator[MockI2c]:
    with MockI2c(CHIPS) as bench:
        yield bench


@pytest.fixture
def bench(shared: MockI2c) -> MockI2c:
    for order in ("free", *(f"present {address:#x}" for address in CHIPS)):
        shared.order(order)
    return shared


def python(bench: MockI2c, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=ROOT,
        env=os.environ | bench.environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def printed(bench: MockI2c, program: str) -> list[object]:
    done = python(bench, "-c", program)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


UNMODIFIED = """
import json
from adafruit_bme280.basic import Adafruit_BME280, Adafruit_BME280_I2C
from drivers.links.i2c_port import BlinkaI2c, I2cPort, Registers

port = I2cPort("/dev/i2c-1")
for driver in (Adafruit_BME280(Registers(port, 0x76)), Adafruit_BME280_I2C(BlinkaI2c(port), 0x76)):
    print(json.dumps([round(driver.temperature, 2), round(driver.pressure, 2), type(driver).__module__]))
"""


@needs_umockdev
def test_the_unmodified_adafruit_driver_over_our_smbus2_link_gives_boschs_worked_example(bench: MockI2c) -> None:
    assert printed(bench, UNMODIFIED) == [[25.08, 1006.53, "adafruit_bme280.basic"]] * 2


LOOP = """
import json
import sys
from drivers.bench.session import Session
from drivers.buses.i2c import I2cBus
from drivers.clock import SystemClock
from drivers.devices.bme280 import Bme280
from drivers.devices.dac_lamp import GP8403, MCP4725, PCA9685, LampChip
from drivers.devices.ina226 import Ina226
from drivers.links.i2c import I2cLink
from drivers.quantities import Climate, DeviceHealth, PowerReading
import msgspec

clock = SystemClock()

class Kept:
    transfers = []
    def passed(self, wire, outward, data, t_ns): self.transfers.append([outward, data.hex()])
    def repeated(self, *_): raise AssertionError

session = Session(clock, (Kept(),))
link = session.tapped(I2cLink("i2c", "/dev/i2c-1"))
bus = I2cBus("i2c", link, emit=session.emit)
lamps = []
for part, address, setting in ((GP8403, 0x58, 10_000), (MCP4725, 0x60, 0), (PCA9685, 0x41, 5)):
    chip = LampChip(f"i2c/{address:#x}", bus, part, address=address, setting=setting, period_ns=300_000_000)
    lamps.append(chip.lamp(0, f"lamp-{address:x}"))
    session.devices.append(chip)
session.devices += [
    Bme280("mast", bus, period_ns=300_000_000),
    Ina226("supply", bus, shunt_uohm=2_000, max_ma=32_768, period_ns=300_000_000),
    bus,
]
"""

READ_ALL = (
    LOOP
    + """
heard = {}
session.listener = lambda value: heard.setdefault(type(value).__name__ + " " + value.source, value)
deadline_ns = clock.now_ns() + 30_000_000_000
session.run(deadline_ns, lambda: {"Climate mast", "PowerReading supply"} <= set(heard))
for lamp in lamps:
    lamp.set_level(254, clock.now_ns())
session.run(deadline_ns, lambda: not bus.levels_waiting)
session.run(clock.now_ns() + 1_000_000_000)
for name in ("Climate mast", "PowerReading supply"):
    print(msgspec.json.encode(msgspec.structs.replace(heard[name], t_ns=0)).decode())
print(json.dumps([bus.counters(), {device.name: device.counters() for device in session.devices[:3]}]))
print(json.dumps(Kept.transfers))
session.close()
"""
)


@needs_umockdev
def test_all_chips_on_one_bus_in_the_loop_and_every_transfer_reaches_the_tap(bench: MockI2c) -> None:
    climate, power, counted, transfers = printed(bench, READ_ALL)
    assert isinstance(climate, dict)
    assert (climate["temperature_mdegc"], climate["pressure_pa"]) == (25_082, 100_653)
    assert isinstance(power, dict)
    assert (power["voltage_mv"], power["current_ma"], power["power_mw"]) == (11_980, 10_000, 119_800)
    assert isinstance(counted, list)
    bus, lamps = counted
    assert {name: count for name, count in bus.items() if count and name != "frames"} == {}
    assert all(lamp["frames"] >= 1 and not lamp["failures"] for lamp in lamps.values())
    assert isinstance(transfers, list)
    events, skipped = decode_events(bytes.fromhex("".join(data for _, data in transfers)))
    assert skipped == 0
    assert len(events) == bus["frames"]
    assert {event["type"] for event in events} == {"i2c_transfer"}
    written = {(event["address"], event["written_hex"]) for event in events}
    assert {("0x58", "02f0ff"), ("0x60", "0fff"), ("0x41", "0600100000"), ("0x76", "e0b6")} <= written


RECOVERY = (
    LOOP
    + """
deadline_ns = clock.now_ns() + 60_000_000_000
story = []
session.listener = lambda value: story.append(value)
def until(kind, ok=None):
    story.clear()
    session.run(deadline_ns, lambda: any(
        isinstance(value, kind) and value.source == "mast" and (ok is None or value.ok is ok) for value in story
    ))
    assert clock.now_ns() < deadline_ns, "too late"
until(Climate)
for word in ("lost", "back"):
    print(json.dumps(word), flush=True)
    sys.stdin.readline()
    until(DeviceHealth, ok=word == "back")
    print(json.dumps(next(value.reason for value in story if isinstance(value, DeviceHealth))), flush=True)
until(Climate)
session.close()
"""
)


@needs_umockdev
@pytest.mark.parametrize(("fault", "mend"), [("absent 0x76", "present 0x76"), ("stuck", "free")])
def test_a_fault_on_the_bus_is_told_and_its_end_found_without_a_restart(bench: MockI2c, fault: str, mend: str) -> None:
    program = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", RECOVERY],
        cwd=ROOT,
        env=os.environ | bench.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with program:
        assert program.stdin is not None
        assert program.stdout is not None
        said = []
        for order in (fault, mend):
            said.append(json.loads(program.stdout.readline()))
            bench.order(order)
            program.stdin.write("go on\n")
            program.stdin.flush()
            said.append(json.loads(program.stdout.readline()))
    assert program.returncode == 0
    assert said[0::2] == ["lost", "back"]
    assert ("no acknowledgement" if fault.startswith("absent") else "stuck low") in said[1]
    assert said[3] == ""


SCAN = """
import json
from drivers.bench.i2c import who_is_there
from drivers.clock import SystemClock
for port in ("/dev/i2c-1", "/dev/i2c-9"):
    print(json.dumps(who_is_there(port, SystemClock())))
"""


@needs_umockdev
def test_who_is_there_is_found_by_reading_and_a_missing_bus_has_a_mend(bench: MockI2c) -> None:
    found, nothing = printed(bench, SCAN)
    assert found == [[[0x40, "ina226"], [0x41, ""], [0x60, "mcp4725?"], [0x76, "bme280"]], ""]
    assert isinstance(nothing, list)
    assert nothing[0] == []
    assert "dtparam=i2c_arm=on" in nothing[1]


@needs_umockdev
def test_a_stuck_bus_is_no_empty_one(bench: MockI2c) -> None:
    bench.order("stuck")
    found = printed(bench, SCAN)[0]
    assert isinstance(found, list)
    assert found[0] == []
    assert "stuck low" in found[1]


@needs_umockdev
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("bme280",), 0, "25.08 degC, 56.2 % RH, 1006.53 hPa"),
        (("ina226", "--set", "shunt_uohm=2000", "--set", "max_ma=32768"), 0, "11.98 V, 10.000 A, 119.80 W"),
        (("gp8403",), 0, "good"),
        (("mcp4725",), 0, "good"),
        (("pca9685", "--address", "0x41"), 0, "good"),
        (("bme280", "--address", "0x77"), 1, "no acknowledgement; is the part there, is its address right?"),
        (("ina226", "--address", "0x41"), 1, "no INA226 at 0x41"),
        (("gp8403", "--address", "0x76"), 2, "the part has 0x58 to 0x5f"),
        (("ina226", "--set", "shunt=1"), 2, "there are shunt_uohm, max_ma"),
        (("ina226", "--set", "max_ma=much"), 2, "a whole number"),
        (("pca9685", "--set", "frequency_hz=9"), 2, "24 to 1526 Hz"),
        (("gp8403", "--set", "range_mv=3300"), 2, "5000 or 10000"),
    ],
)
def test_probe_says_of_each_part_what_is_there(
    bench: MockI2c, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = python(bench, "-m", "drivers", "probe", *arguments, "--port", "/dev/i2c-1")
    assert done.returncode == code, done.stdout + done.stderr
    assert words in done.stdout + done.stderr


@needs_umockdev
def test_a_lamp_is_lit_by_name_when_the_risk_is_taken(bench: MockI2c) -> None:
    done = python(bench, "-m", "drivers", "send", "mcp4725", "level", "254", "--port", "/dev/i2c-1", "--yes")
    assert done.returncode == 0, done.stderr
    assert "60 02 00 0f ff" in done.stdout
    assert "says level 254" in done.stdout


def test_without_umockdev_the_bench_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mock_i2c, "PYTHON", str(tmp_path / "python3"))
    assert "no " in missing()
    with pytest.raises(BenchError, match="python3"), MockI2c({0x76: "bme280"}):
        pass
    monkeypatch.setattr(mock_i2c, "PYTHON", "/usr/bin/false")
    assert "umockdev gir1.2-umockdev-1.0 python3-gi" in missing()


def test_the_models_need_nothing_but_the_standard_library() -> None:
    """Debian's own Python runs them."""
    program = "import sys; import hil.peers.i2c_models, hil.peers.i2c_testbed; print(sorted(m for m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "hil.peers.i2c_models" in done.stdout
    assert set(CHIPS.values()) | {"bh1750"} == set(MODELS)
