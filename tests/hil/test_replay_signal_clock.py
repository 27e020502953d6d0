"""The signal controller's clock through the whole program: it stops, and its year ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controllers.greenwave.picture import Stage, frame_of

CASE = """\
format = 1
title = "A signal and its clock"
site = "leezenflow-hoerstertor"
start = {start}
seconds = 90

[signal]
station = 4070
[[signal.groups]]
group = 7
stages = [
  {{ colour = "red", duration_ms = 12000, max_late_ms = 3000 }},
  {{ colour = "green", duration_ms = 15000 }},
  {{ colour = "amber", duration_ms = 3000 }},
]
{faults}
"""

STOPPED = """
[[signal.faults]]
kind = "clock-stopped"
from_ms = 30000
to_ms = 40000
"""


def shown(leeze_hil: Any, folder: Path, start: str, faults: str = "", *options: str) -> list[tuple[float, str]]:
    """(ms, frame in hex) of every frame that reached the panel."""
    folder.mkdir()
    (folder / "case.toml").write_text(CASE.format(start=start, faults=faults))
    ran = leeze_hil("replay", folder, "--update-reference", *options)
    assert ran.code == 0, ran.err
    lines = [line.split() for line in (folder / "reference.txt").read_text().splitlines()]
    return [(float(line[1]), line[3]) for line in lines if line[0].isdigit()]


NOON = "2026-05-12T12:20:00+00:00"


def test_a_clock_that_stops_darkens_two_seconds_later_and_the_display_is_back_when_it_goes(
    leeze_hil: Any, tmp_path: Path
) -> None:
    plain = shown(leeze_hil, tmp_path / "plain", NOON)
    found = shown(leeze_hil, tmp_path / "stopped", NOON, STOPPED)
    dark = frame_of(Stage.DARK, None).hex()
    # the last new stamp is that of 30.0 s: at 31.0 s no end is told any more; at 32.0 s it has stood for the stall
    # time, not for longer
    assert dict(found)[31_000.0] == frame_of(Stage.GREEN, None).hex()
    assert [t_ms for t_ms, frame in found if frame == dark] == [0.0, 32_100.0]
    after = [t_ms for t_ms, _ in found if t_ms > 32_100]
    assert after[0] == 40_100.0  # the second message that advances
    assert [pair for pair in found if pair[0] < 31_000] == [pair for pair in plain if pair[0] < 31_000]
    assert [pair for pair in found if pair[0] > 42_000] == [pair for pair in plain if pair[0] > 42_000]


@pytest.mark.parametrize("year", [2026, 2028])
def test_over_new_year_every_frame_is_the_one_of_any_other_night(leeze_hil: Any, tmp_path: Path, year: int) -> None:
    plain = shown(leeze_hil, tmp_path / "plain", f"{year}-12-28T23:20:00+00:00")  # as dark, and no hour ends
    assert shown(leeze_hil, tmp_path / "silvester", f"{year}-12-31T23:59:30+00:00") == plain


def test_skipped_or_not_the_frames_are_the_same_while_the_clock_stops(leeze_hil: Any, tmp_path: Path) -> None:
    one = shown(leeze_hil, tmp_path / "one", NOON, STOPPED)
    assert shown(leeze_hil, tmp_path / "two", NOON, STOPPED, "--no-skip") == one
