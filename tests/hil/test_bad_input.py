"""Wrong words, wrong files: always one clear line, exit code 2, no traceback; and never a silent pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hil.cli import main


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["replay", "kanalpromenade-evenin"], "did you mean kanalpromenade-evening?"),
        (["replay", "leezenflow-cross"], "did you mean leezenflow-crossing?"),
        (["replay", "qqq"], "cases: bus-power, kanalpromenade-evening"),
        (["replay", "."], "a folder without case.toml is no case"),
        (["replay", "kanalpromenade-evening", "--site", "kanalpromenade"], "kanalpromenade-reference"),
        (["replay", "kanalpromenade-evening", "--board", "kanalpromenade-lamps"], "kanalpromenade-lamp"),
        (["replay", "kanalpromenade-evening", "--board", "leezenflow"], "board leezenflow is for greenwave"),
        (["replay", "leezenflow-crossing", "--board", "kanalpromenade-lamp"], "is for lighting"),
        (["replay", "kanalpromenade-evening", "--speed", "0"], "--speed"),
        (["replay", "kanalpromenade-evening", "--seconds", "-1"], "does not lie between"),
        (["replay", "kanalpromenade-evening", "--seconds", "inf"], "does not lie between"),
        (["replay", "kanalpromenade-evening", "--seconds", "soon"], "is no number"),
        (["replay", "kanalpromenade-evening", "--range-m", "0.5"], "no range of a radar"),
        (["replay", "kanalpromenade-evening", "--range-m", "1000"], "no range of a radar"),
        (["replay", "leezenflow-crossing", "--range-m", "40"], "is a display and has no radar"),
        (["replay", "kanalpromenade-evening", "--seed", "x"], "--seed"),
        (["trace", "info", "missing.mcap"], "missing.mcap: cannot be read"),
        (["trace", "cat", "."], "cannot be read"),
        (["trace", "digest", "missing.mcap", "other.mcap"], "missing.mcap: cannot be read"),
        (["trace"], "required"),
        (["import", "garmin", "x"], "invalid choice"),
        (["fly"], "invalid choice"),
        ([], "required"),
    ],
)
def test_wrong_words_are_refused_with_what_would_be_right(
    leeze_hil: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = leeze_hil(*words)
    assert ran.code == 2
    assert told in ran.err
    assert ran.out == ""


def test_an_unknown_part_in_a_board_file_is_refused_with_the_nearest(
    leeze_hil: Any, ride: Path, tmp_path: Path
) -> None:
    root = Path(__file__).parents[2]
    text = (root / "boards" / "catalog" / "kanalpromenade-lamp-laptop.toml").read_text()
    board = tmp_path / "board.toml"
    board.write_text(text.replace('"ld2451"', '"ld2541"', 1))
    ran = leeze_hil("replay", ride, "--board", board)
    assert ran.code == 2
    assert str(board) in ran.err
    assert "ld2451" in ran.err


def test_a_site_that_names_what_its_board_has_not_is_refused(leeze_hil: Any, ride: Path, signal: Path) -> None:
    sites = Path(__file__).parents[2] / "controllers" / "sites"
    lit = (sites / "kanalpromenade-reference.toml").read_text()
    for old, new in (('"radar-2", x_m = 64', '"radar-9", x_m = 64'), ('"lamp-3", x_m = 64', '"lamp-77", x_m = 64')):
        (ride / "site.toml").write_text(lit.replace(old, new, 1))
        ran = leeze_hil("replay", ride, "--site", ride / "site.toml")
        assert ran.code == 2
        assert new.split('"')[1] in ran.err
    (ride / "site.toml").write_text(lit.replace('neighbours = { neighbour = "west" }\n', ""))
    ran = leeze_hil("replay", ride, "--site", ride / "site.toml")
    assert ran.code == 2
    assert "add it to the neighbours of east" in ran.err
    display = (sites / "leezenflow-hoerstertor.toml").read_text()
    (signal / "site.toml").write_text(f'{display}\npanel = "wall"\n')
    ran = leeze_hil("replay", signal, "--site", signal / "site.toml")
    assert ran.code == 2
    assert "'wall'" in ran.err


def header(**changes: object) -> str:
    about = {"format": "leeze-traffic", "version": 1, "site": "x", "from": "2024-02-20", "to": "2024-02-20"}
    return json.dumps({**about, **changes}) + "\n"


GOOD = "[1708450200,1,20]\n[1708450260,-1,18]\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1 is no traffic header"),
        ("\x00\xff\n", "line 1 is no traffic header"),
        (header(version=9) + GOOD, "traffic version 9"),
        (header(), "holds no passage"),
        (header(to="") + GOOD, "line 1: `to` is ''"),
        (header(to="soon") + GOOD, "line 1: `to` is 'soon'"),
        (header(to="2024-02-01") + GOOD, "line 1: `to` is '2024-02-01'"),
        (header() + "[1708450200,1,20]\n[5]\n", "line 3"),
        (header() + "[1708450200,1,20]\n[1708450100,1,20]\n", "line 3"),
        (header() + "[1708450200,7,20]\n", "line 2"),
        (header() + "[1708450200,1,-4]\n", "line 2"),
        (header() + "[1" + "0" * 30 + ",1,20]\n", "holds no passage"),
    ],
)
def test_traffic_that_is_broken_is_refused_with_its_line(leeze_hil: Any, tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "t.traffic"
    path.write_bytes(text.encode("latin-1"))
    ran = leeze_hil("replay", path, "--seconds", 120)
    assert ran.code == 2
    assert f"{path}" in ran.err
    assert told in ran.err


def test_traffic_that_was_cut_gives_what_came_before(leeze_hil: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.traffic"
    digests = set()
    for rest in ("", "[170845"):
        path.write_text(header() + GOOD + rest)
        digests.add(leeze_hil("replay", path, "--seconds", 300, "--json").result["digest"])
    assert len(digests) == 1


def test_traffic_needs_a_lit_path(leeze_hil: Any, traffic: Path) -> None:
    ran = leeze_hil("replay", traffic, "--site", "leezenflow-hoerstertor")
    assert ran.code == 2
    assert "traffic runs on a lit path" in ran.err
    ran = leeze_hil("replay", traffic, "--update-reference")
    assert ran.code == 2
    assert "--update-reference is for cases" in ran.err


def test_a_run_never_writes_onto_what_it_reads(leeze_hil: Any, ride: Path, traffic: Path, tmp_path: Path) -> None:
    trace, state = tmp_path / "t.mcap", tmp_path / "s.json"
    leeze_hil("replay", ride, "--record", trace, "--snapshot", state, "--snapshot-at", 20)
    before = trace.read_bytes(), traffic.read_bytes(), state.read_bytes()
    for words in (
        [trace, "--record", trace],
        [trace, "--report", tmp_path / "." / "t.mcap"],
        [traffic, "--record", traffic],
        [traffic, "--junit", traffic],
        [ride, "--resume", state, "--snapshot", state, "--snapshot-at", 60],
        [ride, "--record", ride / "case.toml"],
        [ride, "--junit", ride / "reference.txt"],
    ):
        ran = leeze_hil("replay", *words)
        assert ran.code == 2
        assert "is read by this run" in ran.err
    assert (trace.read_bytes(), traffic.read_bytes(), state.read_bytes()) == before
    assert leeze_hil("replay", ride).code == 0


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.one_of(st.binary(max_size=300), st.binary(max_size=200).map(lambda rest: b"\x89MCAP0\r\n" + rest)))
def test_any_file_at_all_is_refused_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes
) -> None:
    path = tmp_path / "any"
    path.write_bytes(data)
    assert main(["replay", str(path), "--seconds", "1"]) == 2
    assert capsys.readouterr().err.startswith("error: ")


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.integers(0, 600), st.text(max_size=8))
def test_a_case_file_with_anything_in_it_runs_or_is_refused(
    ride: Path, capsys: pytest.CaptureFixture[str], at: int, text: str
) -> None:
    case = ride / "case.toml"
    whole = case.read_text(encoding="utf-8")
    try:
        case.write_text(whole[:at] + text + whole[at + len(text) :], encoding="utf-8", newline="\n")
        code = main(["replay", str(ride), "--seconds", "1"])
    finally:
        case.write_text(whole, encoding="utf-8", newline="\n")
    assert code in (0, 2)
    assert capsys.readouterr().err.startswith("error: ") == (code == 2)
