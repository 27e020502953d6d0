"""Shared by the whole-program tests: the command in this process, small cases, traces of the shipped ones."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hil.cli import main
from hil.outcome import Outcome, Request
from hil.replay import replay

RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data"))

RIDE = """\
format = 1
title = "One rider, up the path"
site = "kanalpromenade-reference"
start = 2026-02-20T19:00:00+01:00
seconds = 140

[[riders]]
waypoints = [{ at_s = 4, x_m = -200 }, { at_s = 138, x_m = 552 }]
"""

SIGNAL = """\
format = 1
title = "Two cycles of a signal"
site = "leezenflow-hoerstertor"
start = 2026-05-12T07:59:30+02:00
seconds = 60

[signal]
station = 4070
[[signal.groups]]
group = 7
stages = [
  { colour = "red", duration_ms = 12000, max_late_ms = 3000 },
  { colour = "green", duration_ms = 15000 },
  { colour = "amber", duration_ms = 3000 },
]
"""


class Ran(NamedTuple):
    """How a command ended. `result` is the object that `--json` ends with."""

    code: int
    out: str
    err: str

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return found


Command = Callable[..., Ran]
NewCase = Callable[..., Path]


@pytest.fixture(autouse=True)
def not_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """References of these tests' own cases may be made, wherever the tests run."""
    monkeypatch.delenv("CI", raising=False)


@pytest.fixture
def leeze_hil(capsys: pytest.CaptureFixture[str]) -> Command:
    """`leeze-hil WORDS…` in this process."""

    def call(*words: object) -> Ran:
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Ran(code, said.out, said.err)

    return call


@pytest.fixture
def new_case(tmp_path: Path) -> NewCase:
    """Writes a case folder; RIDE unless told otherwise, each (old, new) replaced."""

    def write(name: str = "ride", text: str = RIDE, *changes: tuple[str, str]) -> Path:
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        folder = tmp_path / name
        folder.mkdir()
        (folder / "case.toml").write_text(text, encoding="utf-8")
        return folder

    return write


@pytest.fixture
def ride(new_case: NewCase) -> Path:
    """A case of 140 s on the reference site with one rider; it has no reference."""
    return new_case()


@pytest.fixture
def signal(new_case: NewCase) -> Path:
    """A case of a minute before a signal of 30 s; it has no reference."""
    return new_case("signal", SIGNAL)


def recorded(name: str, folder: Path, **more: Any) -> tuple[Path, Outcome]:
    """A shipped case, recorded."""
    path = folder / f"{name}.mcap"
    return path, replay(Request(subject=name, record=path, **more), lambda done, total: None)


@pytest.fixture(scope="session")
def evening(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """The trace of the shipped evening on the Kanalpromenade, and what came of it."""
    return recorded("kanalpromenade-evening", tmp_path_factory.mktemp("evening"))


@pytest.fixture(scope="session")
def crossing(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """The trace of the shipped Leezenflow at a crossing, and what came of it."""
    return recorded("leezenflow-crossing", tmp_path_factory.mktemp("crossing"))


@pytest.fixture(scope="session")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty minutes of made-up passages on a February evening, as a traffic file."""
    path = tmp_path_factory.mktemp("traffic") / "evening.traffic"
    first_s = 1_708_450_200  # 2024-02-20 18:30 in Münster
    passages = [[first_s + 41 * n + n * n % 17, 1 if n % 3 else -1, 12 + n * 7 % 17] for n in range(60)]
    header = {
        "format": "leeze-traffic",
        "version": 1,
        "site": "made up",
        "from": "2024-02-20",
        "to": "2024-02-20",
    }
    lines = [json.dumps(line, separators=(",", ":")) for line in [header, *sorted(passages)]]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings; skips where it is missing."""
    if not (RECORDINGS / "cycle-loops").is_dir():
        pytest.skip(f"no real recordings in {RECORDINGS}; name their folder in LEEZE_RECORDINGS")
    return RECORDINGS
