"""`leeze-hil demo`: both golden cases, shown, judged, recorded, drawn."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.console import Console

from drivers.recording.reader import TraceReader
from hil import demo as demo_module
from hil.demo import CASES, demo


def test_a_demo_into_a_pipe_shows_stills_and_writes_everything(leeze_hil: Any, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    ran = leeze_hil("demo", "--out", out)
    assert ran.code == 0, ran.out[ran.out.index("Verdicts") :]
    names = {path.name for path in out.iterdir()}
    assert names == {
        "cases.xml",
        "kanalpromenade-evening.html",
        "kanalpromenade-evening.mcap",
        "leezenflow-crossing.html",
        "leezenflow-crossing.mcap",
        "leezenflow-crossing-panel.png",
    }
    assert "20 Feb 2026  19:" in ran.out
    assert "lamps full" in ran.out
    assert "Verdicts" in ran.out
    for name in names:
        assert name in ran.out.replace("\n", "")
    for name in CASES:
        assert TraceReader(out / f"{name}.mcap").complete
        assert "<svg" in (out / f"{name}.html").read_text(encoding="utf-8")
    cases = ET.parse(out / "cases.xml").getroot().findall(".//testcase")
    assert [case.get("name") for case in cases] == list(CASES)
    with Image.open(out / "leezenflow-crossing-panel.png") as picture:
        assert picture.height > 2 * picture.width  # upright, as riders see it
        assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 3  # not all dark


def test_in_a_terminal_each_case_is_shown_in_about_four_seconds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    speeds = {}

    def replay(request: Any, progress: object) -> Any:
        speeds[request.subject] = request.speed
        raise KeyboardInterrupt

    monkeypatch.setattr(demo_module, "replay", replay)
    terminal = Console(file=io.StringIO(), force_terminal=True)
    with pytest.raises(KeyboardInterrupt):
        demo(tmp_path, terminal)
    assert speeds == {"kanalpromenade-evening": 195}  # 780 s in 4 s


def test_a_demo_is_run_again_over_its_own_files(leeze_hil: Any, tmp_path: Path) -> None:
    codes = [leeze_hil("demo", "--out", tmp_path).code for _ in range(2)]
    assert codes[0] == codes[1]


def test_a_folder_that_cannot_be_made_is_said_plainly(leeze_hil: Any, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file")
    for out in (taken, taken / "below"):
        ran = leeze_hil("demo", "--out", out)
        assert ran.code == 2
        assert f"{out}: cannot be made" in ran.err
