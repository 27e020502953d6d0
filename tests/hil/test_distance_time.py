"""The distance-time diagram as a file: one drawing of a run, true to it, that any viewer opens."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from drivers.errors import InputError
from drivers.units import NS_PER_S
from hil.cli import main
from hil.report.distance_time import BOTTOM, LEFT, RIGHT, TOP, colour, picture
from hil.report.lanes import LampLane, Lanes, RiderLane

SVG = "{http://www.w3.org/2000/svg}"
WINDOW = (0, 100 * NS_PER_S)


def lanes() -> Lanes:
    lamps = [
        LampLane(f"west/lamp-{n}", 32.0 * n, [(0, 40 * NS_PER_S, 170, 170), (40 * NS_PER_S, 100 * NS_PER_S, 254, 254)])
        for n in range(3)
    ]
    return Lanes(lamps=lamps, riders=[RiderLane([(0, 0), (100 * NS_PER_S, 64_000)], "<script>alert(1)</script>")])


def test_a_lamp_turns_from_dim_to_bright_where_its_level_does() -> None:
    root = ET.fromstring(picture(lanes(), WINDOW, "a <title>", "said"))
    bands = {
        path.get("fill"): path.get("d", "") for path in root.iter(f"{SVG}path") if str(path.get("d", "")).endswith("z")
    }
    assert bands[colour(170)].startswith(f"M{LEFT:.1f} ")
    assert bands[colour(254)].startswith(f"M{LEFT + 0.4 * (RIGHT - LEFT):.1f} ")
    (way,) = root.iter(f"{SVG}polyline")
    first, last = (tuple(map(float, point.split(","))) for point in (way.get("points") or "").split())
    assert (first[0], last[0]) == (LEFT, RIGHT)
    assert TOP < last[1] < first[1] < BOTTOM  # up the path is up
    assert way.get("stroke-dasharray")  # 0.64 m/s: on foot


def test_levels_are_told_apart_and_more_light_is_more_yellow() -> None:
    colours = [colour(level) for level in (0, 170, 229, 254)]
    assert len(set(colours)) == 4
    blues = [int(ink[5:], 16) for ink in colours[1:]]
    assert blues == sorted(blues, reverse=True)


def test_the_same_run_gives_the_same_bytes_and_no_name_becomes_markup() -> None:
    once = picture(lanes(), WINDOW, "<script>", "&")
    assert once == picture(lanes(), WINDOW, "<script>", "&")
    assert "<script>" not in once


def test_without_lamps_there_is_nothing_to_draw() -> None:
    with pytest.raises(InputError, match="needs lamps"):
        picture(Lanes(), WINDOW, "", "")


def test_a_case_is_drawn_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "evening.svg"
    assert main(["picture", "kanalpromenade-evening", "-o", str(out), "--from", "19:01", "--minutes", "1"]) == 0
    assert "riders" in capsys.readouterr().out
    root = ET.parse(out).getroot()
    words = [text.text or "" for text in root.iter(f"{SVG}text")]
    assert {"west 1", "east 6", "metres along the path", "19:01:00"} <= set(words)
    assert out.stat().st_size < 300_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["kanalpromenade-evening", "-o", "x.png"], "name it .svg"),
        (["kanalpromenade-evening", "-o", "x.svg", "--from", "tomorrow"], "is no time like"),
        (["kanalpromenade-evening", "-o", "x.svg", "--from", "2020-01-01 12:00"], "is not in this run"),
        (["kanalpromenade-evening", "-o", "x.svg", "--minutes", "0"], "can be drawn"),
        (["kanalpromenade-evening", "-o", "x.svg", "--range-m", "1"], "no range"),
        (["leezenflow-crossing", "-o", "x.svg"], "needs lamps"),
        (["nowhere.traffic", "-o", "x.svg"], "nowhere.traffic"),
    ],
)
def test_wrong_use_is_named(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["picture", *words]) == 2
    assert said in capsys.readouterr().err
