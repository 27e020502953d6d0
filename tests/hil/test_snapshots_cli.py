"""`--snapshot` and `--resume`: a run that goes on from its middle gives the same bytes and figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    timing = {"wall_s", "us_per_frame", "times_real_time"}
    return {k: v for k, v in one.items() if k not in timing} == {k: v for k, v in other.items() if k not in timing}


@pytest.mark.parametrize("at_s", [0.5, 33.337, 65, 100, 139.9])
def test_a_case_resumed_from_any_moment_ends_like_the_whole(
    leeze_hil: Any, ride: Path, tmp_path: Path, at_s: float
) -> None:
    state = tmp_path / "state.json"
    whole = leeze_hil("replay", ride, "--json", "--snapshot", state, "--snapshot-at", at_s).result
    assert same(leeze_hil("replay", ride, "--json", "--resume", state).result, whole)
    assert same(leeze_hil("replay", ride, "--json").result, whole)  # writing one has changed nothing


def test_the_shipped_evening_resumed_while_a_radar_is_silent_ends_like_the_whole(
    leeze_hil: Any, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    words = ("replay", "kanalpromenade-evening", "--json")
    whole = leeze_hil(*words, "--snapshot", state, "--snapshot-at", 650).result
    assert same(leeze_hil(*words, "--resume", state).result, whole)
    assert same(leeze_hil(*words, "--resume", state, "--no-skip").result | {"ticks": whole["ticks"]}, whole)
    leeze_hil(*words, "--no-skip", "--seconds", 660, "--snapshot", state, "--snapshot-at", 650)
    assert same(leeze_hil(*words, "--resume", state).result | {"ticks": whole["ticks"]}, whole)


def test_traffic_resumed_twice_ends_like_the_whole(leeze_hil: Any, traffic: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    words = ("replay", traffic, "--json", "--seconds", 2400, "--seed", 7)
    whole = leeze_hil(*words, "--snapshot", first, "--snapshot-at", 800).result
    middle = leeze_hil(*words, "--resume", first, "--snapshot", second, "--snapshot-at", 1600).result
    assert same(middle, whole)
    assert same(leeze_hil(*words, "--resume", second).result, whole)
    assert whole["riders"]["leeze"] > 20


def test_a_resumed_run_counts_the_time_of_its_own_frames_only(leeze_hil: Any, traffic: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    leeze_hil("replay", traffic, "--seconds", 1200, "--snapshot", state, "--snapshot-at", 1199.999)
    found = leeze_hil("replay", traffic, "--json", "--seconds", 1200, "--resume", state).result
    assert found["radar_frames"] > 1000
    assert "us_per_frame" not in found or found["us_per_frame"] > 0.5


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--seed", 2], "other seed"),
        (["--no-rules"], "other rules"),
        (["--range-m", 14], "other configuration"),
        (["--board", "kanalpromenade-lamp-laptop"], "other configuration"),
        (["--seconds", 30], "the snapshot stands at 50 s, where this run has ended"),
    ],
)
def test_a_snapshot_of_another_run_is_refused(
    leeze_hil: Any, ride: Path, tmp_path: Path, words: list[object], told: str
) -> None:
    state = tmp_path / "state.json"
    leeze_hil("replay", ride, "--snapshot", state, "--snapshot-at", 50)
    ran = leeze_hil("replay", ride, "--resume", state, *words)
    assert ran.code == 2
    assert told in ran.err


def test_a_snapshot_of_a_case_that_was_changed_since_is_refused(leeze_hil: Any, ride: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    leeze_hil("replay", ride, "--snapshot", state, "--snapshot-at", 50)
    case = ride / "case.toml"
    case.write_text(case.read_text().replace("x_m = 552", "x_m = 551"))
    ran = leeze_hil("replay", ride, "--resume", state)
    assert (ran.code, "other input" in ran.err) == (2, True)


@pytest.mark.parametrize("text", ["", "[1", "[]", "{}", '{"bench": {}}', '{"run": 1}', "\xff", "[" * 5000])
def test_a_file_that_is_no_snapshot_is_refused(leeze_hil: Any, ride: Path, tmp_path: Path, text: str) -> None:
    state = tmp_path / "state.json"
    state.write_bytes(text.encode("latin-1"))
    ran = leeze_hil("replay", ride, "--resume", state)
    assert ran.code == 2
    assert f"{state}: is no snapshot" in ran.err


def test_a_snapshot_with_parts_missing_or_of_another_kind_is_refused(
    leeze_hil: Any, ride: Path, tmp_path: Path
) -> None:
    path = tmp_path / "state.json"
    leeze_hil("replay", ride, "--snapshot", path, "--snapshot-at", 50)
    state = json.loads(path.read_text())
    for broken in (
        {key: value for key, value in state.items() if key != "ledger"},
        {**state, "bench": {**state["bench"], "peers": state["bench"]["peers"][1:]}},
        {**state, "bench": {**state["bench"], "slots": [None, None]}},
        {**state, "digest": {**state["digest"], "link": "no hex"}},
        {**state, "rules": 5},
    ):
        path.write_text(json.dumps(broken))
        ran = leeze_hil("replay", ride, "--resume", path)
        assert ran.code == 2
        assert f"{path}: does not fit this program" in ran.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--snapshot", "s.json"], "go together"),
        (["--snapshot-at", 5], "go together"),
        (["--snapshot", "s.json", "--snapshot-at", 500], "choose a moment of the run, 0 to 140 s"),
        (["--snapshot", "nowhere/s.json", "--snapshot-at", 5], "is no folder"),
        (["--resume", "missing.json"], "cannot be read"),
    ],
)
def test_snapshots_that_could_not_be_are_refused(
    leeze_hil: Any, ride: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[object], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = leeze_hil("replay", ride, *words)
    assert ran.code == 2
    assert told in ran.err
    assert not (tmp_path / "s.json").exists()


def test_displays_and_traces_have_no_snapshots_and_say_so(leeze_hil: Any, signal: Path, tmp_path: Path) -> None:
    trace, state = tmp_path / "t.mcap", tmp_path / "s.json"
    leeze_hil("replay", signal, "--record", trace)
    for subject in (signal, trace):
        ran = leeze_hil("replay", subject, "--snapshot", state, "--snapshot-at", 5)
        assert ran.code == 2
        assert "for cases and traffic of lit paths" in ran.err
