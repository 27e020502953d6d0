"""Broken board files, one fault each: what `leeze-boards check` says of it is what docs/boards.md quotes."""

from __future__ import annotations

from pathlib import Path

import pytest

from boards.cli import main

ROOT = Path(__file__).parents[2]
BROKEN = sorted((ROOT / "tests/boards/broken").glob("*.toml"))


def said_of(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["check", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix(f"error: {path}: ")


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_each_is_refused_in_one_line_that_the_guide_quotes(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    guide = (ROOT / "docs/boards.md").read_text(encoding="utf-8")
    assert f"{path.stem}.toml: {said_of(path, capsys)}\n" in guide


def test_there_are_ten_at_least_and_no_two_are_told_alike(capsys: pytest.CaptureFixture[str]) -> None:
    said = [said_of(path, capsys).partition(": ")[2] for path in BROKEN]
    assert len(set(said)) == len(said) >= 10
