"""The units that come with the package: systemd's own judgement, and what a controller needs to be left."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from controllers.cli import main
from controllers.service.unit import PLACES, text
from drivers.errors import InputError

UNITS = ("leeze@.service", "leeze-keep@.service")
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze here (Debian: systemd)")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What `unit --into` writes, for a program that is there."""
    assert main(["unit", "--into", str(tmp_path), "--program", sys.executable]) == 0
    return tmp_path / "etc" / "systemd" / "system"


def analyze(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    return subprocess.run([ANALYZE, *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@needs_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_no_fault(unit: str, folder: Path) -> None:
    done = analyze("verify", unit, folder=folder)
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize(("unit", "most"), [(UNITS[0], 3.0), (UNITS[1], 1.5)])
def test_systemd_calls_its_exposure_ok_or_better(unit: str, most: float, folder: Path) -> None:
    done = analyze("security", "--offline=yes", unit, folder=folder)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+) (\w+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= most
    assert found[2] in ("OK", "SAFE", "PERFECT")


@needs_systemd
def test_a_unit_with_a_fault_is_found(folder: Path) -> None:
    (folder / UNITS[0]).write_text((folder / UNITS[0]).read_text().replace("Type=notify", "Type=nonsense"))
    assert "nonsense" in analyze("verify", UNITS[0], folder=folder).stderr


def test_a_controller_may_ask_whether_the_clock_is_right_and_run_in_real_time() -> None:
    unit = text("leeze@.service", Path("/opt/leeze/bin/leeze-controllers")).splitlines()
    assert "SystemCallFilter=adjtimex clock_adjtime" in unit
    assert {"ProtectClock=no", "RestrictRealtime=no", "LimitMEMLOCK=infinity", "CapabilityBoundingSet="} <= set(unit)
    assert "ProcSubset=pid" not in unit, "gpiozero reads the board's revision in /proc"


def test_bad_input_is_not_restarted_and_a_clean_stop_stays_stopped() -> None:
    unit = text("leeze@.service", Path("/x")).splitlines()
    assert {"Restart=on-failure", "RestartPreventExitStatus=2", "Type=notify", "NotifyAccess=main"} <= set(unit)


def test_every_option_of_the_units_is_one_of_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    for unit in UNITS:
        start = re.search(r"(?m)^ExecStart=(.*)$", text(unit, Path("/x/leeze-controllers")))
        assert start
        verb = start[1].split()[1]
        assert main([verb, "--help"]) == 0
        known = capsys.readouterr().out
        for option in re.findall(r"--[a-z-]+", start[1]):
            assert option in known, (unit, option)


def test_it_prints_every_file_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unit", "--program", "/opt/leeze/bin/leeze-controllers"]) == 0
    said = capsys.readouterr().out
    for place in PLACES.values():
        assert f"# --- {place}\n" in said
    assert "ExecStart=/opt/leeze/bin/leeze-controllers run $LEEZE_CONTROLLER" in said
    assert "@PROGRAM@" not in said


@pytest.mark.parametrize("path", ["leeze-controllers", "/opt/my program", "/opt/$x", "/opt/50%"])
def test_a_program_that_systemd_could_not_start_is_refused(path: str) -> None:
    with pytest.raises(InputError, match="an absolute path without spaces"):
        text("leeze@.service", Path(path))


def test_a_written_environment_is_an_example_and_nobodys_own(folder: Path) -> None:
    place = folder.parents[1] / "leeze"
    (place / "west.env").write_text("LEEZE_CONTROLLER=--site mine.toml\n")
    main(["unit", "--into", str(folder.parents[2])])
    assert (place / "west.env").read_text() == "LEEZE_CONTROLLER=--site mine.toml\n"
    assert "LEEZE_OPTIONS=" in (place / "example.env").read_text()
