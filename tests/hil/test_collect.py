"""What is collected for a report while a bench runs: true to the run, and bounded."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from controllers.service.sites import load_site
from drivers.units import NS_PER_S
from hil.benches.coming_riders import ListedRiders
from hil.benches.lit_path import LitPathBench
from hil.collect import PathCollector
from hil.outcome import Outcome, Request
from hil.replay import replay
from hil.report.lanes import Lanes
from hil.traffic.script import ScriptedRider, Waypoint, scripted_rider

EVENING_UTC_NS = 1_771_610_400 * NS_PER_S  # 2026-02-20 19:00 in Münster


def drawn(subject: object, tmp_path: Path, **more: Any) -> tuple[Lanes, Outcome]:
    request = Request(subject=str(subject), report=tmp_path / "page.html", **more)
    outcome = replay(request, lambda done, total: None)
    assert outcome.lanes is not None
    return outcome.lanes, outcome


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Lanes:
    return drawn("kanalpromenade-evening", tmp_path_factory.mktemp("path"))[0]


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Lanes:
    return drawn("leezenflow-crossing", tmp_path_factory.mktemp("panel"))[0]


def test_every_lamp_has_a_level_at_every_moment(path: Lanes) -> None:
    assert [lamp.x_m for lamp in path.lamps] == [32 * n for n in range(12)]
    for lamp in path.lamps:
        for one, next_one in pairwise(lamp.segments):
            assert one[0] < one[1] == next_one[0]
            assert 0 <= one[2] <= 254
        assert lamp.segments[-1][1] == 780 * NS_PER_S
        assert 254 in {level for segment in lamp.segments for level in segment[2:]}


def test_riders_are_drawn_where_they_rode(path: Lanes) -> None:
    assert len(path.riders) == 9
    for rider in path.riders:
        times = [t_ns for t_ns, _ in rider.points]
        assert times == sorted(times)
        assert rider.points[0][1] in (-200_000, 552_000, -120_000)


def test_detections_lie_in_the_view_of_their_radar(path: Lanes) -> None:
    assert len(path.radars) == 6
    assert all(radar.hits for radar in path.radars)
    for radar in path.radars:
        for _, x_mm in radar.hits:
            assert 0 <= (x_mm - radar.x_m * 1000) * radar.looks <= radar.range_m * 1000


def test_the_silent_radar_and_its_return_are_told_and_handovers_go_both_ways(path: Lanes) -> None:
    told = [(event.t_ns // NS_PER_S, event.text) for event in path.events if "west/radar-3" in event.text]
    assert [text.partition(": ")[2] for _, text in told] == ["no frame", "is back"]
    assert 600 < told[0][0] < 620
    assert 700 <= told[1][0] < 705
    assert {lane.name for lane in path.handovers} == {"west to east", "east to west"}
    assert all(lane.messages for lane in path.handovers)


def test_a_ride_by_day_draws_nothing_along_the_path_and_says_so(ride: Path, tmp_path: Path) -> None:
    case = ride / "case.toml"
    case.write_text(case.read_text().replace("T19:00", "T12:00"))
    lanes, _ = drawn(ride, tmp_path)
    assert lanes.notes == ("Nobody rode in lit hours; there is nothing to draw along the path.",)
    assert not lanes.riders


def test_a_long_run_is_drawn_within_its_window_and_hour_by_hour(traffic: Path, tmp_path: Path) -> None:
    lanes, outcome = drawn(traffic, tmp_path, seconds=9000)
    assert lanes.notes[0].startswith("Drawn in full: a quarter of an hour")
    times = [t_ns for radar in lanes.radars for t_ns, _ in radar.hits]
    assert max(times) - min(times) <= 900 * NS_PER_S
    assert len(lanes.hours) == 3
    assert sum(hour.riders for hour in lanes.hours) >= outcome.result.figures["riders"]["leeze"]
    energy_wh = outcome.result.figures["energy_wh"]["leeze"]
    assert energy_wh is not None
    assert sum(hour.energy_mwh for hour in lanes.hours) == pytest.approx(energy_wh * 1000, abs=3)


def test_listening_changes_no_byte() -> None:
    def digest(listen: bool) -> str:
        site = load_site("kanalpromenade-reference")
        rider = scripted_rider(ScriptedRider([Waypoint(4, -200), Waypoint(130, 552)]), 0)
        bench = LitPathBench(site, ListedRiders([rider]), origin_utc_ns=EVENING_UTC_NS)  # type: ignore[arg-type]
        if listen:
            PathCollector(bench)
        bench.start()
        bench.run(140 * NS_PER_S)
        return bench.finish()

    assert digest(True) == digest(False)


def test_a_panels_stages_follow_each_other_without_a_gap(panel: Lanes) -> None:
    (lane,) = panel.panels
    for one, next_one in pairwise(lane.spans):
        assert one[1] == next_one[0]
    assert lane.spans[-1][1] == 300 * NS_PER_S
    stages = {stage for _, _, stage, _ in lane.spans}
    assert {"dark", "red", "green", "hurry"} <= stages
    assert 0 < len(lane.thumbnails) <= 30
    assert all(png.startswith(b"\x89PNG") for _, png in lane.thumbnails)


def test_a_stage_never_shows_more_time_than_a_moment_before(panel: Lanes) -> None:
    go = {"green": True, "hurry": True, "red": False}
    for one, next_one in pairwise(panel.panels[0].spans):
        if one[2] in go and next_one[2] in go and go[one[2]] == go[next_one[2]]:
            assert one[3] is None or next_one[3] is None or next_one[3] <= one[3]


def test_a_lost_feed_is_told_and_states_are_not_drawn_into_the_silence(panel: Lanes) -> None:
    assert any(195 <= event.t_ns / NS_PER_S < 220 for event in panel.events)
    for lane in panel.signals:
        assert all(not (one[0] < 205 * NS_PER_S < one[1]) for one in lane.spans)
        assert all(one[0] < one[1] for one in lane.spans)


def test_the_picture_kept_is_the_last_that_was_not_dark(crossing: tuple[Path, Outcome]) -> None:
    frame = crossing[1].last_frame
    assert frame is not None
    assert frame.startswith(b"\x89PNG\r\n\x1a\n")


def test_a_page_of_a_case_with_hostile_names_stays_text(leeze_hil: Any, ride: Path, tmp_path: Path) -> None:
    hostile = "</title><script>alert(1)</script>[red]"
    case, page = ride / "case.toml", tmp_path / "page.html"
    text = case.read_text().replace('"One rider, up the path"', f"'{hostile}'")
    case.write_text(text.replace("[[riders]]", f"[[riders]]\nname = '{hostile}'"))
    ran = leeze_hil("replay", ride, "--report", page)
    assert ran.code == 0
    assert hostile.replace("\n", "") in ran.out
    assert "<script>alert" not in page.read_text(encoding="utf-8")
