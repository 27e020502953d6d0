"""What a case asks beside its reference, and how references are made: whole programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from hil.case import load_case, shipped

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "hil-result.schema.json").read_text(encoding="utf-8"))
DAY = ("2026-02-20T19:00:00+01:00", "2026-06-20T12:00:00+02:00")


def more(case: Path, text: str) -> Path:
    """The case with keys before its first table."""
    path = case / "case.toml"
    path.write_text(path.read_text().replace("[[riders]]", f"{text}\n[[riders]]", 1))
    return case


def with_reference(leeze_hil: Any, case: Path) -> Path:
    leeze_hil("replay", case, "--update-reference")
    return case


def test_a_case_that_never_lights_a_lamp_fails_unless_it_says_why(leeze_hil: Any, new_case: Any) -> None:
    case = with_reference(leeze_hil, new_case("day", SHORT_RIDE, DAY))
    ran = leeze_hil("replay", case)
    assert ran.code == 1
    assert "proves nothing: no lamp ever came to full level" in ran.err
    more(case, 'nothing_lit_because = "by day bats are not disturbed"')
    assert leeze_hil("replay", case).code == 0


def test_a_display_case_that_never_sees_green_fails(leeze_hil: Any, signal: Path) -> None:
    path = signal / "case.toml"
    path.write_text(path.read_text().replace("12000", "300000").replace("seconds = 60", "seconds = 6"))
    ran = leeze_hil("replay", with_reference(leeze_hil, signal))
    assert ran.code == 1
    assert "the panel never showed green" in ran.err


def test_order_rules_limits_and_measurements_are_judged_and_told(leeze_hil: Any, new_case: Any) -> None:
    case = with_reference(leeze_hil, new_case("ride", SHORT_RIDE))
    rules = """
order = ["east/dali follows first in:west/radar-1 within 1 ms", "west/dali before east/relay"]
[[measure]]
name = "first light"
what = "response"
from = "in:west/radar-1"
to = "west/dali~h..FE"
high = 5000
[[measure]]
name = "energy"
what = "energy"
high = 0.001
"""
    ran = leeze_hil("replay", more(case, rules), "--json")
    jsonschema.validate(ran.result, SCHEMA)
    assert (ran.code, ran.result["verdict"]) == (1, "failed")
    broken = "\n".join(ran.result["broken_promises"])
    assert "order broken: `east/dali follows first in:west/radar-1 within 1 ms`: in:west/radar-1 passed at" in broken
    assert "east/relay" not in broken  # west came first, and the other never
    assert "limit broken: energy" in broken
    light, energy = ran.result["measurements"]
    assert (light["name"], light["unit"], light["ok"], energy["ok"]) == ("first light", "ms", True, False)
    assert 0 < light["value"] < 5000


def test_an_invariant_fails_a_run_whatever_its_reference_says(leeze_hil: Any, ride: Path, signal: Path) -> None:
    from hil.outcome import Request
    from hil.replay import replay
    from hil.strength_faults import PLANTED

    plant = {fault.name: fault.on_controller for fault in PLANTED}
    lamps = replay(Request(subject=str(ride), plant=plant["off-by-one-lamp"], seconds=30), lambda *told: None).result
    assert lamps.verdict == "failed"
    assert "invariant broken (lamp-dark): west/lamp-1" in lamps.reason
    panel = replay(Request(subject=str(signal), plant=plant["countdown-jump"]), lambda *told: None).result
    assert "invariant broken (panel-bar)" in panel.reason
    assert panel.verdict == "failed"


def test_tolerances_stand_by_wire(leeze_hil: Any, new_case: Any) -> None:
    case = with_reference(leeze_hil, new_case("ride", SHORT_RIDE))
    late = ["--fault", "delayed:west/dali:0-2:by_ms=15"]  # answers come late, so what follows an answer does
    assert leeze_hil("replay", case, *late, "--json").result["divergence"]["wire"] == "west/dali"
    path = case / "case.toml"
    path.write_text(f'{path.read_text()}\n[[tolerance.channels]]\nwires = "west/dali"\ntime_ms = 2000\n')
    assert leeze_hil("replay", case, *late).code == 0
    path.write_text(path.read_text().replace('"west/dali"\ntime', '"east/.*"\ntime'))
    assert leeze_hil("replay", case, *late).code == 1


def test_a_divergence_is_told_with_twenty_lines_of_what_stood_around_it(leeze_hil: Any, new_case: Any) -> None:
    case = with_reference(leeze_hil, new_case("ride", SHORT_RIDE))
    ran = leeze_hil("replay", case, "--fault", "silence:west/radar-1:14-40", "--json")
    jsonschema.validate(ran.result, SCHEMA)
    first = ran.result["divergence"]
    assert len(first["context"]) == 20
    assert any("in  west/radar-2" in line or "in  west/radar-3" in line for line in first["context"])
    assert any(line.startswith(">") for line in first["context"]) or first["got"] is None
    assert "the reference's run" in first["digests"]
    told = leeze_hil("replay", case, "--fault", "silence:west/radar-1:14-40").err
    assert all(line in told for line in first["context"])
    assert "--fault silence:west/radar-1:14-40" in told  # the command that repeats it


def test_update_reference_shows_the_difference_first_and_refuses_in_ci(
    leeze_hil: Any, new_case: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = new_case("ride", SHORT_RIDE)
    assert "reference.txt: is new" in leeze_hil("replay", case, "--update-reference").err
    assert "stays as it is" in leeze_hil("replay", case, "--update-reference").err
    before = (case / "reference.txt").read_bytes()
    path = case / "case.toml"
    path.write_text(path.read_text().replace("at_s = 4", "at_s = 6"))
    monkeypatch.setenv("CI", "true")
    ran = leeze_hil("replay", case, "--update-reference")
    assert (ran.code, (case / "reference.txt").read_bytes()) == (2, before)
    assert "not in CI" in ran.err
    monkeypatch.delenv("CI")
    told = leeze_hil("replay", case, "--update-reference").err
    assert "reference.txt: changes: failed:" in told
    assert "first divergence" in told
    assert (case / "reference.txt").read_bytes() != before


def test_a_reference_of_a_newer_version_blocks_and_says_what_to_do(leeze_hil: Any, new_case: Any) -> None:
    case = with_reference(leeze_hil, new_case("ride", SHORT_RIDE))
    path = case / "reference.txt"
    path.write_text(path.read_text().replace("# leeze-reference 2", "# leeze-reference 7", 1))
    ran = leeze_hil("replay", case, "--json")
    assert (ran.code, ran.result["verdict"]) == (3, "blocked")
    assert "format 7" in ran.result["blocked"][0]
    path.write_text(path.read_text().replace("# leeze-reference 7", "# leeze-reference 1", 1))
    assert leeze_hil("replay", case).code == 0


def test_a_window_starts_the_boards_cold_where_it_begins(leeze_hil: Any, ride: Path) -> None:
    path = ride / "case.toml"
    path.write_text(path.read_text().replace("[[riders]]", "[window]\nfrom_s = 30\nto_s = 70\n[[riders]]", 1))
    assert leeze_hil("replay", ride, "--window", "--update-reference").code == 0
    lines = (ride / "reference-window.txt").read_text().splitlines()
    times = [float(line.split()[1]) for line in lines if not line.startswith("#")]
    assert 30_000 <= min(times) < 31_000
    assert 60_000 < max(times) < 70_000
    one, other = (leeze_hil("replay", ride, "--window", "--json", *words) for words in ([], ["--no-skip"]))
    assert one.code == other.code == 0
    assert one.result["digest"] == other.result["digest"]
    assert not (ride / "reference.txt").exists()


@pytest.mark.parametrize(
    "fault",
    [
        "dropped:west/radar-1:5-30:pct=40",
        "delayed:west/radar-1:5-30:by_ms=250",
        "corrupted:west/radar-2:5-30:pct=50",
        "stuck:west/radar-1:10-30",
        "duplicated:west/dali:0-30:pct=50",
        "brown-out:west:12-15",
        "wrong-clock:west:12-30:by_ms=61200000",
    ],
)
def test_faults_give_the_same_bytes_with_and_without_skipping_and_again(new_case: Any, fault: str) -> None:
    from hil.outcome import Request
    from hil.replay import replay

    subject = str(new_case("ride", SHORT_RIDE))
    digests = [
        replay(Request(subject=subject, faults=faults, skip=skip, rules=False), lambda *told: None).result.digest
        for faults, skip in (((fault,), True), ((fault,), False), ((fault,), True), ((), True))
    ]
    assert digests[0] == digests[1] == digests[2] != digests[3]


def test_a_fault_that_a_bench_cannot_do_is_refused_before_anything_starts(leeze_hil: Any, new_case: Any) -> None:
    case = new_case("ride", SHORT_RIDE)
    ran = leeze_hil("replay", case, "--bench", "process", "--fault", "wrong-clock:west:1-2:by_ms=60000")
    assert ran.code == 2
    assert "wrong-clock: not on --bench process" in ran.err


def test_every_shipped_case_has_a_paper_a_window_where_it_is_long_and_references() -> None:
    for name, folder in shipped().items():
        case = load_case(folder)
        assert (folder / "README.md").read_text().startswith("# "), name
        assert (folder / "reference.txt").is_file(), name
        assert (case.seconds > 60) == (case.window is not None) == (folder / "reference-window.txt").is_file(), name


SHORT_RIDE = """\
format = 1
title = "One rider, for forty seconds"
site = "kanalpromenade-reference"
start = 2026-02-20T19:00:00+01:00
seconds = 40

[[riders]]
waypoints = [{ at_s = 4, x_m = -60 }, { at_s = 38, x_m = 130 }]
"""
