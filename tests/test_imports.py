"""What a process loads: heavy and hardware-only libraries late, and nothing that its board file does not use."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

LATE = {
    "RPi",
    "adafruit_blinka",
    "adafruit_bme280",
    "adafruit_piomatter",
    "board",
    "busio",
    "gpiozero",
    "lgpio",
    "paho",
    "pigpio",
    "pymodbus",
    "rgbmatrix",
    "serial",
    "smbus2",
}
"""Top-level modules that are for a wire or a machine that most boards do not have."""

EVERY_MODULE = """
import importlib, json, pkgutil, sys
for package in ("drivers", "boards", "controllers"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print(json.dumps(sorted(sys.modules)))
"""

BOARD = """
import json, sys
from boards.build import build, load_board
board = build(load_board("kanalpromenade-lamp"), emit=print)
print(json.dumps(sorted(sys.modules)))
"""

CONTROLLER = """
import json, sys
from controllers.service.assemble import assemble
from controllers.service.run import RealTimeLoop
from controllers.service.sites import load_site
assemble(load_site("kanalpromenade-reference"), controller="west")
print(json.dumps(sorted(sys.modules)))
"""


def loaded(program: str) -> set[str]:
    """Modules of a fresh process that has run `program`."""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=100, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def top_level(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def others(modules: set[str]) -> set[str]:
    """Top-level modules of other people's packages, by the files these have installed."""
    return top_level(modules) & set(importlib.metadata.packages_distributions()) - {
        "drivers",
        "boards",
        "controllers",
        "hil",
        "_distutils_hack",  # setuptools, by a .pth file, in every process of the environment
    }


def test_no_module_loads_a_library_for_some_machine_or_some_wire_when_it_is_imported() -> None:
    modules = loaded(EVERY_MODULE)
    assert {"drivers.links.gpio", "drivers.links.mqtt", "drivers.links.uart", "controllers.cli"} <= modules
    assert top_level(modules) & LATE == set()


def test_what_is_kept_late_is_imported_somewhere_and_found_by_this_test() -> None:
    """A name that nobody imports any more would prove nothing."""
    sources = "\n".join(
        path.read_text() for package in ("drivers", "boards") for path in (ROOT / package).rglob("*.py")
    )
    for name in ("RPi", "adafruit_bme280", "gpiozero", "paho", "pymodbus", "serial", "smbus2"):
        assert re.search(rf"(?m)^\s+(?:import {name}\b|from {name}[. ])|import_module\(\"{name}", sources), name
        assert name in LATE


@pytest.mark.parametrize(
    ("program", "libraries"),
    [(BOARD, {"msgspec", "typing_extensions"}), (CONTROLLER, {"msgspec", "typing_extensions", "astral", "tzdata"})],
    ids=["board", "controller"],
)
def test_a_lamp_board_loads_nothing_that_its_file_does_not_use(program: str, libraries: set[str]) -> None:
    modules = loaded(program)
    assert others(modules) <= libraries
    assert not modules & {"controllers.greenwave.policy", "controllers.core.failsafe_panel"}
    codecs = {name.removeprefix("drivers.codecs.") for name in modules if name.startswith("drivers.codecs.")}
    of_its_parts = {"atxled", "dali", "dali_tables", "hilink", "json_lines", "ld2451"}
    of_every_dali_bus = {"luba", "sci"}  # the other gateways, in one table with this one
    assert codecs - {"panel_frame"} <= of_its_parts | of_every_dali_bus
    links = {name.removeprefix("drivers.links.") for name in modules if name.startswith("drivers.links.")}
    assert {"uart", "gpio"} <= links
    assert not links & {"mqtt", "i2c", "kernel_pwm", "tap_server", "tap_client"}


def test_a_lamp_board_stays_below_45_mb_after_its_start() -> None:
    asked = (
        "with open('/proc/self/status') as status: kb = next(int(l.split()[1]) for l in status if l[:6] == 'VmRSS:')"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{CONTROLLER}\n{asked}\nprint(kb)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert 5_000 < int(done.stdout.splitlines()[-1]) < 45_000


# --- what only a Raspberry Pi can load

EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
SAME_MODULE = {"rpi.gpio", "rpi-lgpio"}
"""Both install the package `RPi`; the later one overwrites the earlier."""


def names(lines: list[str]) -> set[str]:
    return {re.split(r"[<>=!~;\[ ]", line, maxsplit=1)[0].lower() for line in lines}


def test_rpi_gpio_and_its_stand_in_never_meet_in_one_resolution() -> None:
    assert names(EXTRAS["pi"]) & SAME_MODULE == {"rpi.gpio"}
    assert names(EXTRAS["pi5"]) & SAME_MODULE == {"rpi-lgpio"}
    assert [name for name, lines in EXTRAS.items() if names(lines) >= SAME_MODULE] == []
    locked = set(re.findall(r"(?m)^([a-z0-9][a-z0-9.-]*)==", (ROOT / "requirements.lock").read_text()))
    assert (locked | names(PROJECT["project"]["dependencies"])) & (SAME_MODULE | {"rpi-gpio"}) == set()
    assert PROJECT["tool"]["uv"]["conflicts"] == [[{"extra": "pi"}, {"extra": "pi5"}]]  # uv refuses the two together


def test_no_more_than_one_of_them_is_installed_here() -> None:
    there = importlib.metadata.packages_distributions().get("RPi", [])
    assert len(set(there)) <= 1
