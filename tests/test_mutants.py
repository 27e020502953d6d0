"""The tool that tries mutants: a function gets a mutant's code wherever it is known; what is explained and counted."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / "tools"


def tool(name: str) -> ModuleType:
    sys.path.insert(0, str(TOOLS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(TOOLS))


forks, mutants = map(tool, ("mutant_forks", "mutants"))

WRITTEN = """\
from mutant_forks import in_its_place as _mutmut_mutated; MutantDict = dict
mutants_x_twice__mutmut: MutantDict = {}
@_mutmut_mutated(mutants_x_twice__mutmut)
def twice(n, times=2):
    return n * times
def x_twice__mutmut_orig(n, times=2):
    return n * times
def x_twice__mutmut_1(n, times=2):
    return n / times
def x_twice__mutmut_2(n, times=3):
    return n * times
mutants_x_twice__mutmut["_mutmut_orig"] = x_twice__mutmut_orig
mutants_x_twice__mutmut["x_twice__mutmut_1"] = x_twice__mutmut_1
mutants_x_twice__mutmut["x_twice__mutmut_2"] = x_twice__mutmut_2
mutants_xǁBoxǁmade__mutmut: MutantDict = {}
class Box:
    @classmethod
    @_mutmut_mutated(mutants_xǁBoxǁmade__mutmut, is_classmethod=True)
    def made(cls):
        return cls, super().__name__ if False else "box"
    @classmethod
    def xǁBoxǁmade__mutmut_orig(cls):
        return cls, super().__name__ if False else "box"
    @classmethod
    def xǁBoxǁmade__mutmut_1(cls):
        return cls, super().__name__ if False else "XXboxXX"
mutants_xǁBoxǁmade__mutmut["_mutmut_orig"] = Box.xǁBoxǁmade__mutmut_orig
mutants_xǁBoxǁmade__mutmut["xǁBoxǁmade__mutmut_1"] = Box.xǁBoxǁmade__mutmut_1
"""
"""As mutmut writes it."""


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module above, loaded in the place of one of the project's own."""
    monkeypatch.syspath_prepend(str(TOOLS))
    loader = forks.Loader({"written_mutants": (TOOLS / "written_mutants.py", WRITTEN)})
    monkeypatch.setattr(sys, "meta_path", [loader, *sys.meta_path])
    yield importlib.import_module("written_mutants")
    del sys.modules["written_mutants"]


def mutant(name: str, change: str = "", nth: int = 1, function: str = "written_mutants.twice") -> Any:
    return forks.Mutant("written_mutants.py", function, change, nth, name)


def test_a_function_gets_a_mutants_code_and_defaults_wherever_it_is_known_already(written: Any) -> None:
    known = written.twice
    assert known(4) == 8
    forks._put(mutant("x_twice__mutmut_1"))
    assert (known(4), written.twice(4)) == (2, 2)
    forks._put(mutant("x_twice__mutmut_2"))
    assert known(4) == 12
    forks._put(mutant("xǁBoxǁmade__mutmut_1"))
    assert written.Box.made() == (written.Box, "XXboxXX")


def test_a_function_that_is_entered_is_noted_and_does_what_it_did(written: Any) -> None:
    seen = forks._noted()
    assert written.twice(4, times=3) == 12
    assert seen == {"written_mutants.py:x_twice"}
    assert written.Box.made() == (written.Box, "box")
    assert "written_mutants.py:xǁBoxǁmade" in seen


def outcome(state: str, number: int, change: str = "- a\n+ b") -> Any:
    return forks.Outcome(mutant(f"x_twice__mutmut_{number}", change, number), state, "")


def test_a_file_is_fine_from_95_killed_in_100_on_with_every_survivor_explained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file, names = tmp_path / "explained.toml", ["written_mutants.py"]
    monkeypatch.setattr(mutants, "EXPLAINED", file)
    found = [outcome("endless", 1), *(outcome("killed", n) for n in range(2, 20)), outcome("survived", 20)]
    assert not mutants.report(names, [one.mutant for one in found], found)
    said = capsys.readouterr().out
    assert "| `written_mutants` | 20 | 19 | 1 | 0 | 1 | 95.0 % |" in said
    entry = said[said.index("[[mutant]]") : said.index("\n\n| file")]
    file.write_text(entry.replace('reason = ""', 'reason = "none sees it"'))
    assert mutants.report(names, [one.mutant for one in found], found), "as it was printed, with a reason"
    assert "| 20 | 19 | 1 | 1 | 0 | 95.0 % |" in capsys.readouterr().out
    assert not mutants.report(names, [one.mutant for one in found], found[1:]), "18 of 19 are too few"
    capsys.readouterr()
    assert mutants.report(names, [one.mutant for one in found], [*found[:-1], outcome("killed", 20)])
    assert "no longer true, it is killed: written_mutants.twice" in capsys.readouterr().out
    assert mutants.report(names, [one.mutant for one in found[:-1]], found[:-1])
    assert "there is no such mutant: written_mutants.twice" in capsys.readouterr().out


def test_what_was_found_counts_until_the_file_or_the_test_that_found_it_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mutants, "KEPT", tmp_path / "mutants" / "outcomes.json")
    for name in ("written_mutants.py", "test_a.py", "test_b.py"):
        Path(name).write_text(name)
    tests = ["test_a.py", "test_b.py"]
    killed, survived = mutant("x_twice__mutmut_1", "- a\n+ b"), mutant("x_twice__mutmut_2", "- c\n+ d")
    run = mutants.Run([killed, survived], {}, tests)
    run._told(forks.Outcome(killed, "killed", "test_a.py"))
    run._told(forks.Outcome(survived, "survived", ""))
    run._keep()

    def known() -> list[str]:
        return [found.state for found in mutants._kept([killed, survived], tests).values()]

    assert known() == ["killed", "survived"]
    assert set(json.loads(mutants.KEPT.read_text())) == {
        "written_mutants.twice 1 - a\n+ b",
        "written_mutants.twice 1 - c\n+ d",
    }
    Path("test_b.py").write_text("more")
    assert known() == ["killed"]
    Path("test_a.py").write_text("more")
    assert known() == []
    Path("test_a.py").write_text("test_a.py")
    assert known() == ["killed"]
    Path("written_mutants.py").write_text("changed")
    assert known() == []


def test_every_explained_mutant_is_of_a_file_that_is_tried_and_has_a_reason() -> None:
    for (function, change, _), reason in mutants.explained().items():
        assert reason, function
        assert change, function
        assert any(function.startswith(forks.module_name(file) + ".") for file in mutants.settings()["source_paths"])


def test_the_files_and_tests_it_is_set_up_with_are_there() -> None:
    found = mutants.settings()
    for file in (*found["source_paths"], *found["pytest_add_cli_args_test_selection"]):
        assert (ROOT / file).is_file(), file


@pytest.mark.long
@pytest.mark.skipif(not (ROOT / ".venv" / "mutmut" / ".ready").exists(), reason="mutmut is not set up: make mutants")
def test_the_mutants_of_one_small_file_are_all_killed(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, str(TOOLS / "mutants.py"), "-j", "1", "--again", "mounting", "-t", "test_mounting"],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "LEEZE_MUTANTS": str(tmp_path)},
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "| `lighting.mounting` | 38 | 38 | 0 | 0 | 0 | 100.0 % |" in run.stdout


def test_a_pattern_of_no_file_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        mutants.main(["nowhere"])
    assert refused.value.code == 2
    assert "has that in its path" in capsys.readouterr().err
