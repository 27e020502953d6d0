"""`leeze-hil sim`: a board with peers at every wire, live; here at a hundred times real time."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from controllers.service.sites import load_site
from drivers.units import NS_PER_S
from hil.live import PathView
from hil.sim import EndlessRiders, example_programme, sim


def test_the_path_comes_to_life_and_ends_with_what_it_was(leeze_hil: Any) -> None:
    ran = leeze_hil("sim", "--seconds", 2, "--speed", 100, "--start", "2026-02-20T22:00:00+01:00")
    assert ran.code == 0
    assert "20 Feb 2026  22:00:0" in ran.out
    assert "lamps full" in ran.out
    assert re.fullmatch(r"2 s, \d+ riders, \d+\.\d Wh", ran.out.splitlines()[-1])


def test_the_panel_comes_to_life_and_shows_a_stage(leeze_hil: Any) -> None:
    ran = leeze_hil("sim", "--site", "leezenflow-hoerstertor", "--seconds", 3, "--speed", 100)
    assert ran.code == 0
    assert re.search(r"second \d+   (red|green|hurry)  \d+\.\d s", ran.out)
    assert re.fullmatch(r"3 s, \d+ ticks", ran.out.splitlines()[-1])
    assert "\u2588" in ran.out  # lit pixels


def test_lamps_are_at_base_by_night_and_off_by_day(leeze_hil: Any) -> None:
    watts = []
    for start in ("2026-02-20T22:00:00+01:00", "2026-02-20T12:00:00+01:00"):
        ran = leeze_hil("sim", "--seconds", 4, "--speed", 200, "--start", start)
        watts.append(float(re.findall(r"(\d+\.\d) W of 240 W", ran.out)[-1]))
    assert watts == [24.2, 0.0]


def test_in_a_terminal_the_picture_is_redrawn_in_place(tmp_path: Path) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, color_system="truecolor")
    start = datetime(2026, 2, 20, 21, tzinfo=UTC)
    assert sim("kanalpromenade-reference", None, start, 1, 50, console).startswith("1 s, ")
    assert sim("leezenflow-hoerstertor", None, start, 1, 50, console).startswith("1 s, ")
    assert "\x1b[38;2;" in out.getvalue()  # true colour
    assert out.getvalue().endswith("\x1b[?25h")  # the cursor is back


def test_an_interrupted_sim_ends_well(leeze_hil: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = 0

    def interrupt(self: PathView) -> str:
        nonlocal drawn
        drawn += 1
        raise KeyboardInterrupt

    monkeypatch.setattr(PathView, "draw", interrupt)
    ran = leeze_hil("sim", "--seconds", 60, "--speed", 1000)
    assert (ran.code, ran.err, drawn) == (0, "", 1)
    assert re.fullmatch(r"\d+ s, \d+ riders, \d+\.\d Wh", ran.out.splitlines()[-1])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--site", "leezenflow-hoerstertorr"], "did you mean leezenflow-hoerstertor?"),
        (["--board", "leezenflow"], "board leezenflow is for greenwave"),
        (["--site", "leezenflow-hoerstertor", "--board", "kanalpromenade-lamp"], "is for lighting"),
        (["--board", "kanalpromenade-lam"], "kanalpromenade-lamp"),
        (["--speed", "0"], "no whole number from 1 to 1000"),
        (["--speed", "fast"], "no whole number from 1 to 1000"),
        (["--seconds", "0"], "does not lie between"),
        (["--seconds", "nan"], "does not lie between"),
        (["--start", "tonight"], "is no time like"),
        (["--start", "0001-01-01T00:00:00"], "between the years 1971 and 2200"),
        (["--start", "9999-12-31T23:59:59"], "between the years 1971 and 2200"),
    ],
)
def test_what_cannot_be_simulated_is_refused(leeze_hil: Any, words: list[str], told: str) -> None:
    ran = leeze_hil("sim", "--seconds", 1, "--speed", 100, *words)
    assert ran.code == 2
    assert told in ran.err


def test_riders_never_end_and_come_in_the_order_they_start() -> None:
    riders = EndlessRiders(1)
    last_ns, numbers = -1, set()
    for _ in range(300):
        expected_ns = riders.next_start_ns
        rider = riders.take()
        assert rider is not None
        assert max(0, rider.start_ns) == expected_ns >= last_ns
        last_ns = expected_ns
        numbers.add(rider.id)
    assert len(numbers) == 300
    assert last_ns > 300 * 5 * NS_PER_S


def test_the_example_signal_fits_the_shipped_site() -> None:
    site = load_site("leezenflow-hoerstertor")
    programme = example_programme(site.station, site.group)  # type: ignore[union-attr]
    assert programme.station == site.station  # type: ignore[union-attr]
    assert sum(stage.duration_ms for stage in programme.groups[0].stages) == 60_000
