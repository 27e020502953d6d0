"""The pytest plugin: cases as tests, markers, health, properties; and that others do not notice it."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PLUGIN = [] if any(one.name == "leeze" for one in entry_points(group="pytest11")) else ["-p", "hil.pytest_plugin"]


def pytest_in(folder: Path, *words: str) -> tuple[int, str]:
    """A pytest of its own, in `folder`."""
    command = [sys.executable, "-m", "pytest", *PLUGIN, "-p", "no:cacheprovider", "-rA", *words]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=110, check=False)
    return ran.returncode, ran.stdout + ran.stderr


SHORT_RIDE = """\
format = 1
title = "One rider, for forty seconds"
site = "kanalpromenade-reference"
start = 2026-02-20T19:00:00+01:00
seconds = 40

[[riders]]
waypoints = [{ at_s = 4, x_m = -60 }, { at_s = 38, x_m = 130 }]
"""

OWN = """
import pytest

def test_a_ride(leeze):
    assert leeze.replay("good").verdict == "passed"

def test_a_sensor_that_is_silent_to_the_end(leeze):
    leeze.replay("good", faults=("radar-silent:west/radar-2:20-40",))

@pytest.mark.needs("radar", "dali")
def test_with_a_radar(): pass

@pytest.mark.needs("trebuchet")
def test_with_a_trebuchet(): pass

@pytest.mark.hardware
def test_on_hardware(): pass
"""


def test_cases_are_tests_with_properties_reports_health_and_reasons_also_in_two_processes(
    leeze_hil: Any, new_case: Any, tmp_path: Path
) -> None:
    good, bad = new_case("good", SHORT_RIDE), new_case("bad", SHORT_RIDE)
    new_case("unproved", SHORT_RIDE)
    for case in (good, bad):
        leeze_hil("replay", case, "--update-reference")
    (good / "case.toml").write_text(
        f'{SHORT_RIDE}\n[[measure]]\nname = "frames"\nwhat = "count"\nto = "west/dali"\nlow = 1\n'
    )
    reference = bad / "reference.txt"
    reference.write_text("\n".join(reference.read_text().splitlines()[:-1]) + "\n")
    other = tmp_path / "theirs"
    other.mkdir()
    (other / "case.toml").write_text('name = "of somebody else"\n')
    (tmp_path / "test_own.py").write_text(OWN)
    code, said = pytest_in(
        tmp_path, "-n", "2", "--junitxml=j.xml", "--leeze-report=pages", "--leeze-bench=in-process", "."
    )
    assert code == 1, said
    assert "4 passed, 1 failed, 3 skipped, 1 error" in said.replace("1 failed, 4 passed", "4 passed, 1 failed"), said
    assert "first divergence (surplus)" in said
    assert "Traceback" not in said
    assert "board health: west/radar-2" in said
    assert "needs trebuchet; the bench in-process has: " in said
    assert "needs hardware, the bench is in-process; give --leeze-bench hardware --leeze-rig FILE" in said
    assert "no reference to compare with; make one with --leeze-update-reference" in said
    assert "theirs" not in said
    assert sorted(page.name for page in (tmp_path / "pages").iterdir()) == [
        "bad-in-process.html",
        "good-in-process.html",
        "unproved-in-process.html",
    ]
    named = {one.attrib["name"]: one for one in ET.parse(tmp_path / "j.xml").getroot().iter("testcase")}
    properties = {one.attrib["name"]: one.attrib["value"] for one in named["good"].iter("property")}
    assert properties["frames [pieces]"].endswith("(at least 1)")
    assert (properties["bench"], properties["verdict"]) == ("in-process", "passed")


def test_options_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass\n")
    code, said = pytest_in(tmp_path, "--leeze-bench=hardware")
    assert code == 4
    assert "--leeze-bench hardware and --leeze-rig FILE go together" in said


def test_who_does_not_use_it_loads_nothing_but_the_plugin_itself() -> None:
    script = """
import sys, pytest, pathlib, typing
before = set(sys.modules)
import hil.pytest_plugin
print(sorted(set(sys.modules) - before))
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.strip() == "['hil', 'hil.pytest_plugin']"


def test_loading_it_is_a_small_part_of_loading_pytest() -> None:
    script = """
import time
begun = time.process_time()
import pytest
middle = time.process_time()
import hil.pytest_plugin
print((time.process_time() - middle) / (middle - begun))
"""
    shares = []
    for _ in range(3):
        ran = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
        )
        shares.append(float(ran.stdout))
    assert min(shares) < 0.05
